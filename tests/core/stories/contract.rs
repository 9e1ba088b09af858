//! What the engine does with the parts of the contract that only some tools need: docs that are
//! rows of one file, fields that belong to each device, contents that are merged by union, an app
//! that must quit first, a store of an unknown format. The tool here has all of them.

use super::faults::state_sql;
use super::forget::pass_grace;
use super::world::{Device, World};
use serde_json::{Value, json};
use session_roam_core::api::{ForgottenRow, Request, ToolRow};
use session_roam_core::engine::event::Event;
use session_roam_core::merge::snapshots::Judged;
use session_roam_core::session::{DocKind, DocName, Reason, SessionId, ToolId};
use session_roam_core::tools::{
    About, Change, Checkout, Content, Facts, Found, FoundDoc, Joins, Launch, Level, Listing,
    Machine, Mark, Opens, Reading, Registry, Resumable, Root, Running, Stamp, Tool, Touched,
    Watermark, Which, WriteError, Written,
};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// Keeps all sessions in `~/.rows/store.json`:
/// `{"version":1,"rows":{"<id>":{"dir":…,"words":[…]}}}`.
pub(super) struct Rows;

const ID: &str = "row-0001";

pub(super) fn store(machine: &Machine) -> PathBuf {
    machine.home.join(".rows/store.json")
}

pub(super) fn load(machine: &Machine) -> Value {
    let bytes = fs::read(store(machine)).unwrap_or_default();
    serde_json::from_slice(&bytes).unwrap_or_else(|_| json!({"version": 1, "rows": {}}))
}

pub(super) fn save(machine: &Machine, all: &Value) {
    fs::create_dir_all(store(machine).parent().expect("parent")).expect("dir");
    fs::write(store(machine), all.to_string()).expect("store");
}

fn doc(machine: &Machine, id: &str, row: &Value) -> FoundDoc {
    let text = row.to_string();
    let print = text.bytes().fold(7_i64, |print, byte| {
        print.wrapping_mul(31).wrapping_add(i64::from(byte))
    });
    FoundDoc {
        name: DocName::new("row.json"),
        kind: DocKind::Snapshot,
        place: id.to_owned(),
        path: store(machine),
        stamp: Stamp {
            len: text.len() as u64,
            ctime_ns: print,
            ..Stamp::default()
        },
    }
}

fn words(content: &[u8]) -> BTreeSet<String> {
    let row: Value = serde_json::from_slice(content).unwrap_or_default();
    row["words"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|word| Some(word.as_str()?.to_owned()))
        .collect()
}

fn judge(_: &DocName, first: &[u8], second: &[u8]) -> Judged {
    let (first, second) = (words(first), words(second));
    match (first.is_superset(&second), second.is_superset(&first)) {
        (true, true) => Judged::Same,
        (true, false) => Judged::First,
        (false, true) => Judged::Second,
        (false, false) => Judged::Both,
    }
}

/// Words that end in "!" are never united with others.
fn union(first: &[u8], second: &[u8]) -> Option<Vec<u8>> {
    let all: BTreeSet<String> = words(first).into_iter().chain(words(second)).collect();
    let calm = all.iter().all(|word| !word.ends_with('!'));
    let dir: Value = serde_json::from_slice::<Value>(first.min(second)).ok()?["dir"].clone();
    calm.then(|| json!({"dir": dir, "words": all}).to_string().into_bytes())
}

impl Tool for Rows {
    fn about(&self) -> About {
        About {
            tool: ToolId::new("rows"),
            name: "Rows".into(),
            level: Level::Merge,
            reason: String::new(),
            versions: String::new(),
            denied: &[],
            is_message: |_| true,
            read_message: session_roam_core::merge::transcript::read_message,
            records: None,
            device_fields: |_| &["dir"],
            known_fields: |_| None,
            joins: Joins {
                judge: Some(judge),
                union: Some(union),
                ..Joins::default()
            },
            steering: session_roam_core::tools::Steering::default(),
            shared: None,
        }
    }

    fn roots(&self, machine: &Machine) -> Vec<Root> {
        vec![Root {
            path: machine.home.join(".rows"),
            deep: false,
            store: true,
        }]
    }

    fn touched(&self, machine: &Machine, path: &Path) -> Touched {
        if path == store(machine) {
            Touched::Everything
        } else {
            Touched::Nothing
        }
    }

    fn sessions(&self, machine: &Machine, which: Which<'_>) -> Listing {
        let (all, mut listing) = (load(machine), Listing::default());
        if all["version"] != 1 {
            listing.unknown = Some(format!("the store is of version {}", all["version"]));
            return listing;
        }
        let open = machine
            .apps
            .running()
            .iter()
            .any(|running| running.name() == "rows");
        for (id, row) in all["rows"].as_object().into_iter().flatten() {
            let session = SessionId::new(id);
            if matches!(which, Which::All)
                || matches!(which, Which::One(wanted) if *wanted == session)
            {
                let live = open.then(|| "Rows is running".to_owned());
                listing.found.push(Found {
                    session,
                    docs: vec![doc(machine, id, row)],
                    open_in: live,
                });
            }
        }
        listing
    }

    fn read(&self, machine: &Machine, found: &Found) -> io::Result<Reading> {
        let row = load(machine)["rows"][found.session.as_str()].clone();
        let facts = Facts {
            cwd: row["dir"].as_str().map(str::to_owned),
            ..Facts::default()
        };
        let content = Content::Bytes(row.to_string().into_bytes().into());
        Ok(Reading {
            facts,
            docs: vec![content],
            ..Reading::default()
        })
    }

    fn write(&self, machine: &Machine, checkout: &Checkout<'_>) -> Result<Written, WriteError> {
        if machine
            .apps
            .running()
            .iter()
            .any(|running| running.name() == "rows")
        {
            return Err(WriteError::Open("Rows is running".into()));
        }
        let (mut all, mut written) = (load(machine), Vec::new());
        for write in &checkout.docs {
            if let Change::Remove { .. } = write.change {
                let rows = all["rows"].as_object_mut().expect("rows");
                rows.remove(checkout.session.as_str());
                continue;
            }
            let (Change::Create(bytes)
            | Change::Replace { bytes, .. }
            | Change::Append { bytes, .. }) = &write.change
            else {
                return Err(WriteError::Refused("rows do not return".into()));
            };
            let mut content = Vec::new();
            bytes
                .write_to(&mut content)
                .map_err(|source| WriteError::Io {
                    path: store(machine),
                    source,
                })?;
            let mut row: Value = serde_json::from_slice(&content).expect("a row");
            row["dir"] = json!(checkout.cwd);
            let found = doc(machine, checkout.session.as_str(), &row);
            all["rows"][checkout.session.as_str()] = row;
            written.push((write.name.clone(), found.path, found.stamp));
        }
        save(machine, &all);
        Ok(Written {
            docs: written,
            ..Written::default()
        })
    }

    fn resume(&self, _: &Machine, session: &Resumable<'_>) -> Launch {
        let argv = vec!["rows".into(), session.session.to_string()];
        Launch {
            opens: Opens::Command(argv),
            cwd: session.cwd.into(),
            env: BTreeMap::new(),
            unset: Vec::new(),
            before: Vec::new(),
        }
    }
}

/// What a tool like [`Rows`] has from it.
macro_rules! as_rows {
    () => {
        fn touched(&self, machine: &Machine, path: &Path) -> Touched {
            Rows.touched(machine, path)
        }

        fn read(&self, machine: &Machine, found: &Found) -> io::Result<Reading> {
            Rows.read(machine, found)
        }

        fn write(&self, machine: &Machine, checkout: &Checkout<'_>) -> Result<Written, WriteError> {
            Rows.write(machine, checkout)
        }

        fn resume(&self, machine: &Machine, session: &Resumable<'_>) -> Launch {
            Rows.resume(machine, session)
        }
    };
}

/// The same tool, which knows what changed since a listing. Counts the listings of the whole store.
#[derive(Default)]
struct Counted {
    n_whole: Arc<AtomicUsize>,
    n_roots: Arc<AtomicUsize>,
    listed: Mutex<Value>,
}

impl Counted {
    /// The store as it is now, and as it was at the last call.
    fn turn(&self, machine: &Machine) -> (Value, Value) {
        let now = load(machine);
        let mut listed = self.listed.lock().expect("one thread");
        let before = std::mem::replace(&mut *listed, now.clone());
        (now, before)
    }

    fn watermark(&self, machine: &Machine) -> Option<Watermark> {
        Some(Watermark::of(&store(machine), Mark::default()))
    }
}

impl Tool for Counted {
    fn about(&self) -> About {
        Rows.about()
    }

    fn roots(&self, machine: &Machine) -> Vec<Root> {
        self.n_roots.fetch_add(1, Ordering::Relaxed);
        Rows.roots(machine)
    }

    fn sessions(&self, machine: &Machine, which: Which<'_>) -> Listing {
        let mut listing = Rows.sessions(machine, which);
        if let Which::All = which {
            self.n_whole.fetch_add(1, Ordering::Relaxed);
            self.turn(machine);
            listing.watermark = self.watermark(machine);
        }
        listing
    }

    fn changes(&self, machine: &Machine, since: &Watermark) -> Option<Listing> {
        since.mark(&store(machine))?;
        let (now, before) = self.turn(machine);
        let mut listing = Rows.sessions(machine, Which::All);
        listing.found.retain(|found| {
            let id = found.session.as_str();
            now["rows"][id] != before["rows"][id]
        });
        listing.watermark = self.watermark(machine);
        Some(listing)
    }

    as_rows!();
}

/// The same tool, which panics when a function is called next.
#[derive(Clone, Default)]
struct Frail(Arc<Mutex<&'static str>>);

impl Frail {
    /// Has the next call of `function` panic.
    fn fail_in(&self, function: &'static str) {
        *self.0.lock().expect("no panic holds it") = function;
    }

    fn called(&self, function: &str) {
        let mut fails = self.0.lock().expect("no panic holds it");
        let is_it = *fails == function;
        if is_it {
            *fails = "";
        }
        drop(fails);
        assert!(!is_it, "as asked for, in {function}");
    }
}

impl Tool for Frail {
    fn about(&self) -> About {
        self.called("about");
        Rows.about()
    }

    fn roots(&self, machine: &Machine) -> Vec<Root> {
        Rows.roots(machine)
    }

    fn registry(&self) -> Option<&dyn Registry> {
        self.called("registry");
        None
    }

    fn sessions(&self, machine: &Machine, which: Which<'_>) -> Listing {
        self.called("sessions");
        Rows.sessions(machine, which)
    }

    as_rows!();
}

struct Story {
    world: World,
    places: [PathBuf; 2],
}

impl Story {
    fn new() -> Self {
        Self::with(|| Arc::new(Rows))
    }

    fn with(tool: impl Fn() -> Arc<dyn Tool>) -> Self {
        let (mut world, here, there) = World::pair_of_devices();
        for device in &mut world.devices {
            device.more_tools = vec![tool()];
            device.start();
        }
        Self {
            world,
            places: [here, there],
        }
    }

    /// The tool adds some words to a session, in this device's checkout.
    fn say(&mut self, at: usize, id: &str, said: &[&str]) {
        let device = &mut self.world.devices[at];
        let machine = device.machine();
        let mut all = load(&machine);
        let mut now = self.words(at, id);
        now.extend(said.iter().map(|word| (*word).to_owned()));
        all["rows"][id] = json!({"dir": self.places[at], "words": now});
        save(&machine, &all);
        self.world.devices[at].touch(&store(&machine));
    }

    fn words(&self, at: usize, id: &str) -> Vec<String> {
        let row = load(&self.world.devices[at].machine())["rows"][id].clone();
        row["words"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|word| Some(word.as_str()?.to_owned()))
            .collect()
    }

    fn dir(&self, at: usize, id: &str) -> PathBuf {
        load(&self.world.devices[at].machine())["rows"][id]["dir"]
            .as_str()
            .unwrap_or_default()
            .into()
    }

    fn journal_bytes(&self) -> usize {
        let vaults = self
            .world
            .devices
            .iter()
            .map(|device| super::world::tree(device.vault().root()));
        let journals = |(path, bytes): &(PathBuf, Vec<u8>)| {
            path.extension().is_some_and(|end| end == "zst") && !bytes.is_empty()
        };
        vaults
            .flatten()
            .filter(journals)
            .map(|(_, bytes)| bytes.len())
            .sum()
    }

    fn rows(&self, at: usize) -> Vec<String> {
        load(&self.world.devices[at].machine())["rows"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(id, _)| id.clone())
            .collect()
    }

    fn tool(&mut self, at: usize) -> ToolRow {
        let rows: Vec<ToolRow> = self.world.devices[at].ask(Request::Tools);
        rows.into_iter()
            .find(|row| row.tool == "rows")
            .expect("the tool")
    }
}

#[test]
fn rows_of_one_file_roam_and_each_device_has_its_own_directory_in_them() {
    let mut story = Story::new();
    story.say(0, ID, &["a"]);
    story.world.deliver();
    assert_eq!(
        (story.words(1, ID), story.dir(1, ID)),
        (vec!["a".into()], story.places[1].clone())
    );
    let before = story.journal_bytes();
    for _ in 0..3 {
        story
            .world
            .devices
            .iter_mut()
            .for_each(|device| device.poll());
        story.world.deliver();
    }
    story.world.devices[1].start();
    story.world.deliver();
    assert_eq!(
        story.journal_bytes(),
        before,
        "what was written here is not news"
    );

    story.say(1, ID, &["b"]);
    story.world.deliver();
    assert_eq!(
        (story.words(0, ID), story.dir(0, ID)),
        (vec!["a".into(), "b".into()], story.places[0].clone())
    );
    assert!(story.world.devices[0].splits().is_empty());
}

#[test]
fn an_engine_without_memory_knows_its_own_fields_again() {
    let mut story = Story::new();
    story.say(0, ID, &["a"]);
    story.world.deliver();
    let before = story.journal_bytes();
    story.world.devices[1].stop();
    fs::remove_file(story.world.devices[1].roam.join("state.sqlite")).expect("state");
    story.world.devices[1].start();
    story.world.deliver();
    assert_eq!(story.journal_bytes(), before);
    assert_eq!(story.dir(1, ID), story.places[1]);
}

#[test]
fn what_the_format_can_unite_becomes_one_session_again_everywhere() {
    let mut story = Story::new();
    story.say(0, ID, &["a"]);
    story.world.deliver();
    story.world.part(0, 1);
    story.say(0, ID, &["c", "b"]);
    story.world.devices[1].set_clock(super::world::START + 1000);
    story.say(1, ID, &["d"]);
    story.world.meet(0, 1);
    for at in [0, 1] {
        assert_eq!(story.words(at, ID), ["a", "b", "c", "d"]);
        assert_eq!(story.dir(at, ID), story.places[at]);
        assert_eq!(
            story.rows(at),
            [ID],
            "and nothing became a session of its own"
        );
        assert!(story.world.devices[at].splits().is_empty());
    }
    story.say(1, ID, &["e"]);
    story.world.deliver();
    assert_eq!(story.words(0, ID), ["a", "b", "c", "d", "e"]);
}

#[test]
fn what_the_format_cannot_unite_becomes_two_sessions() {
    let mut story = Story::new();
    story.say(0, ID, &["a"]);
    story.world.deliver();
    story.world.part(0, 1);
    story.say(0, ID, &["here!"]);
    story.world.devices[1].set_clock(super::world::START + 1000);
    story.say(1, ID, &["there!"]);
    story.world.meet(0, 1);
    for at in [0, 1] {
        let rows = story.rows(at);
        assert_eq!(rows.len(), 2, "{rows:?}");
        let said: BTreeSet<Vec<String>> = rows.iter().map(|id| story.words(at, id)).collect();
        let wanted = [["a", "here!"], ["a", "there!"]].map(|said| said.map(str::to_owned).to_vec());
        assert_eq!(said, wanted.into());
    }
    assert_eq!(story.world.devices[0].splits().len(), 1);
}

#[test]
fn a_session_waits_for_the_app_and_goes_on_by_itself() {
    let mut story = Story::new();
    story.say(0, ID, &["a"]);
    story.world.deliver();
    let app = Running {
        exe: "/opt/rows/Rows.exe".into(),
        ..Running::default()
    };
    story.world.devices[1].apps.lock().expect("apps").push(app);
    story.say(0, ID, &["b"]);
    story.world.deliver();
    let waiting = story.world.devices[1].status().waiting;
    assert_eq!(waiting.len(), 1);
    assert!(
        waiting[0].code == Some(Reason::Live) && waiting[0].why.contains("Rows is running"),
        "{waiting:?}"
    );
    assert_eq!(story.words(1, ID), ["a"]);
    story.world.devices[1].apps.lock().expect("apps").clear();
    story.world.devices[1].poll();
    assert_eq!(story.words(1, ID), ["a", "b"]);
}

#[test]
fn a_store_of_an_unknown_shape_is_left_alone_and_said_so() {
    let mut story = Story::new();
    story.say(0, ID, &["a"]);
    story.world.deliver();
    let machine = story.world.devices[1].machine();
    let known = load(&machine);
    let mut unknown = known.clone();
    unknown["version"] = json!(2);
    save(&machine, &unknown);
    story.world.devices[1].touch(&store(&machine));
    story.say(0, ID, &["b"]);
    story.world.deliver();
    assert_eq!(load(&machine), unknown, "nothing is written");
    assert_eq!(
        story.world.devices[1].waits_for(ID).as_deref(),
        Some("unknown_shape")
    );
    let tool = story.tool(1);
    assert!(
        tool.level.as_str() == "carry" && tool.lowered && tool.reason.contains("of version 2"),
        "{tool:?}"
    );
    assert!(
        story.world.devices[1].status().held.is_empty(),
        "what cannot be read is not gone"
    );

    save(&machine, &known);
    story.world.devices[1].poll();
    assert_eq!(story.words(1, ID), ["a", "b"]);
    assert!(!story.tool(1).lowered);
}

#[test]
fn a_forgotten_session_is_removed_once_its_store_can_be_read_and_not_called_removed_before() {
    let mut story = Story::new();
    story.say(0, ID, &["a"]);
    story.world.deliver();
    let machine = story.world.devices[1].machine();
    let mut all = load(&machine);
    all["version"] = json!(2);
    save(&machine, &all);
    story.world.devices[1].touch(&store(&machine));
    let session = ID.into();
    let _: Vec<ForgottenRow> = story.world.devices[0].ask(Request::Forget { session });
    pass_grace(&mut story.world.devices[0]);
    story.world.deliver();
    let receipt = |story: &mut Story| {
        let rows: Vec<ForgottenRow> = story.world.devices[0].ask(Request::Forgotten);
        rows[0].receipts[1].state.to_string()
    };
    assert_eq!(receipt(&mut story), "in_store");
    all["version"] = json!(1);
    save(&machine, &all);
    story.world.devices[1].poll();
    story.world.deliver();
    assert_eq!(load(&machine)["rows"], json!({}));
    assert_eq!(receipt(&mut story), "removed");
}

/// Each write into a database of all sessions listed all of them.
#[test]
fn a_write_lists_what_changed_and_a_poll_finds_what_that_missed() {
    let n_whole = Arc::new(AtomicUsize::new(0));
    let count = n_whole.clone();
    let mut story = Story::with(move || {
        Arc::new(Counted {
            n_whole: count.clone(),
            ..Counted::default()
        })
    });
    story.say(0, ID, &["a"]);
    story.say(0, "row-0002", &["x"]);
    story.world.deliver();
    assert_eq!(story.words(1, "row-0002"), ["x"]);
    let whole = || n_whole.load(Ordering::Relaxed);
    let before = whole();
    for word in ["b", "c"] {
        story.say(0, ID, &[word]);
        story.world.deliver();
    }
    assert_eq!(story.words(1, ID), ["a", "b", "c"]);
    assert_eq!(whole(), before, "on neither device");
    // A row that is gone is noticed by the next whole listing.
    let machine = story.world.devices[0].machine();
    let mut all = load(&machine);
    let rows = all["rows"].as_object_mut().expect("rows");
    rows.remove("row-0002");
    save(&machine, &all);
    story.world.devices[0].touch(&store(&machine));
    assert_eq!(story.world.devices[0].state_of("row-0002"), "here");
    story.world.devices[0].poll();
    story.world.deliver();
    assert_eq!(whole(), before + 1);
    assert_eq!(story.world.devices[0].state_of("row-0002"), "elsewhere");
    assert_eq!(story.rows(1).len(), 2);
}

/// An adapter may read the disk for its directories, and a disk may not answer.
#[test]
fn the_loop_asks_no_tool_for_its_directories() {
    let n_roots = Arc::new(AtomicUsize::new(0));
    let mut story = Story::with(|| {
        Arc::new(Counted {
            n_roots: n_roots.clone(),
            ..Counted::default()
        })
    });
    let device = &mut story.world.devices[0];
    let machine = device.machine();
    let watched = device.changed_roots().expect("found by the first listings");
    assert!(
        Rows.roots(&machine)
            .iter()
            .all(|root| watched.contains(root))
    );
    assert_eq!(device.changed_roots(), None, "they are as they were");
    device.stop();
    let before = n_roots.load(Ordering::Relaxed);
    device.begin();
    for event in [
        Event::Poll,
        Event::ScanAll,
        Event::Touched(vec![store(&machine)]),
    ] {
        device.tell(event);
    }
    assert_eq!(n_roots.load(Ordering::Relaxed), before, "on the loop");
    device.settle();
    assert!(before < n_roots.load(Ordering::Relaxed), "beside it");
    assert!(device.changed_roots().is_some());
}

/// A listing of which nothing was scheduled, because the state could not be read, moved the mark: what
/// it had found was not listed again until something else listed the whole store.
#[test]
fn the_mark_of_a_listing_that_was_not_scheduled_does_not_move() {
    let mut story = Story::with(|| Arc::new(Counted::default()));
    story.say(0, ID, &["a"]);
    story.say(0, "row-0002", &["x"]);
    story.world.deliver();
    state_sql(&story.world.devices[0], "ALTER TABLE notes RENAME TO gone");
    story.say(0, ID, &["b"]);
    assert!(story.world.devices[0].has_problem("state_unwritable"));
    state_sql(&story.world.devices[0], "ALTER TABLE gone RENAME TO notes");
    // Any later change lists the store from the mark on.
    story.say(0, "row-0002", &["y"]);
    story.world.deliver();
    assert_eq!(story.words(1, "row-0002"), ["x", "y"]);
    assert_eq!(story.words(1, ID), ["a", "b"]);
}

/// Polls leave out a large store, but not one of which nothing was scheduled.
#[test]
fn a_large_store_of_which_nothing_was_scheduled_is_listed_by_the_next_poll() {
    let n_whole = Arc::new(AtomicUsize::new(0));
    let mut story = Story::with(|| {
        Arc::new(Counted {
            n_whole: n_whole.clone(),
            ..Counted::default()
        })
    });
    let whole = || n_whole.load(Ordering::Relaxed);
    let row = json!({"dir": story.places[0], "words": ["a"]});
    let rows = (0..1000).map(|n| (format!("row-{n:04}"), row.clone()));
    let rows: serde_json::Map<String, Value> = rows.collect();
    let device = &mut story.world.devices[0];
    save(&device.machine(), &json!({"version": 1, "rows": rows}));
    state_sql(device, "ALTER TABLE notes RENAME TO gone");
    device.poll();
    assert!(device.has_problem("state_unwritable"));
    state_sql(device, "ALTER TABLE gone RENAME TO notes");
    let before = whole();
    device.tell(Event::Poll);
    while whole() == before && device.work() {}
    assert!(before < whole());
}

/// Work beside the loop comes to its results, and no session is reconciled.
fn list(device: &mut Device) {
    while let Some(events) = device.work_beside() {
        events.into_iter().for_each(|event| device.tell(event));
    }
}

/// A poll begins, and the stores that are listed together do not answer.
fn poll_in_vain(device: &mut Device) -> Vec<Event> {
    device.tell(Event::Poll);
    let mut late = Vec::new();
    while let Some(events) = device.work_beside() {
        late.extend(events);
    }
    late
}

/// One slow store made every store beside it one to be listed whole.
#[test]
fn a_large_store_is_not_listed_whole_because_one_beside_it_is_slow() {
    let n_whole = Arc::new(AtomicUsize::new(0));
    let mut story = Story::with(|| {
        Arc::new(Counted {
            n_whole: n_whole.clone(),
            ..Counted::default()
        })
    });
    let row = json!({"dir": story.places[0], "words": ["a"]});
    let rows = (0..3000).map(|n| (format!("row-{n:04}"), row.clone()));
    let rows: serde_json::Map<String, Value> = rows.collect();
    let device = &mut story.world.devices[0];
    save(&device.machine(), &json!({"version": 1, "rows": rows}));
    device.tell(Event::ScanAll);
    list(device);
    let before = n_whole.load(Ordering::Relaxed);
    poll_in_vain(device);
    device.tell(Event::Poll);
    list(device);
    assert_eq!(n_whole.load(Ordering::Relaxed), before);
}

/// What happened in a store waited until all those beside it were listed.
#[test]
fn a_change_does_not_wait_for_a_poll_that_lists_slow_stores() {
    let mut story = Story::new();
    story.say(0, ID, &["a"]);
    story.world.deliver();
    let late = poll_in_vain(&mut story.world.devices[0]);
    story.say(0, ID, &["b"]);
    story.world.deliver();
    assert_eq!(story.words(1, ID), ["a", "b"]);
    for event in late {
        story.world.devices[0].handle(event);
    }
    story.say(0, ID, &["c"]);
    story.world.deliver();
    assert_eq!(story.words(1, ID), ["a", "b", "c"]);
}

#[test]
fn what_a_tool_changes_is_noticed_though_its_listing_panicked() {
    let frail = Frail::default();
    let mut story = Story::with(|| Arc::new(frail.clone()));
    let device = &mut story.world.devices[0];
    device.stop();
    frail.fail_in("sessions");
    device.start();
    assert!(device.has_problem("internal"));
    let watched = device.changed_roots().expect("others than none");
    for root in Rows.roots(&device.machine()) {
        assert!(watched.contains(&root), "{watched:?}");
    }
}

#[test]
fn a_store_whose_listing_could_not_be_taken_over_is_listed_again() {
    let frail = Frail::default();
    let mut story = Story::with(|| Arc::new(frail.clone()));
    for n in 0..12 {
        story.say(0, &format!("row-{n:04}"), &["a"]);
    }
    let device = &mut story.world.devices[0];
    let machine = device.machine();
    save(&machine, &json!({"version": 1, "rows": {}}));
    // The question about many sessions that vanished names the tool.
    frail.fail_in("about");
    device.tell(Event::Touched(vec![store(&machine)]));
    while device.work_despite_panics() {}
    let status = device.status();
    assert!(status.held.is_empty(), "the listing was taken over");
    assert!(device.has_problem("internal"));
    device.poll();
    assert_eq!(device.status().held.len(), 1);
}

#[test]
fn a_start_whose_findings_could_not_be_taken_over_syncs_all_the_same() {
    let frail = Frail::default();
    let mut story = Story::with(|| Arc::new(frail.clone()));
    story.say(0, ID, &["a"]);
    story.world.deliver();
    // Both while the engine was off: a change in the store, and a session that arrives.
    story.world.devices[0].stop();
    story.say(0, ID, &["b"]);
    story.say(1, "row-0002", &["x"]);
    let device = &mut story.world.devices[0];
    device.begin();
    frail.fail_in("registry");
    while device.work_despite_panics() {}
    assert!(device.has_problem("internal"));
    story.world.deliver();
    assert_eq!(story.words(1, ID), ["a", "b"]);
    assert_eq!(story.words(0, "row-0002"), ["x"]);
}
