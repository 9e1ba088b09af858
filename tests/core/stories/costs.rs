//! What an event costs: reconciles, and rows and records read from the state. The law everywhere: a
//! cost does not grow with the number of sessions that the event is not about.

use super::contract::{Rows, load, save, store};
use super::talk::{ONE, TWO, id, turn};
use super::world::{Device, START, World};
use serde_json::json;
use session_roam_core::api::Request;
use session_roam_core::engine::event::Event;
use session_roam_core::session::{SessionId, SessionKey, ToolId};
use session_roam_core::tools::{
    About, Checkout, Content, Facts, Found, Launch, Listing, Machine, Reading, Resumable, Root,
    Running, Tool, Touched, Which, WriteError, Written,
};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Rows that name their parent, in a tool that can refuse everything; counts how often it was asked.
#[derive(Clone, Default)]
struct Family {
    refuses: Arc<AtomicBool>,
    n_read: Arc<AtomicUsize>,
    n_written: Arc<AtomicUsize>,
}

impl Tool for Family {
    fn about(&self) -> About {
        Rows.about()
    }

    fn roots(&self, machine: &Machine) -> Vec<Root> {
        Rows.roots(machine)
    }

    fn touched(&self, machine: &Machine, path: &Path) -> Touched {
        Rows.touched(machine, path)
    }

    fn sessions(&self, machine: &Machine, which: Which<'_>) -> Listing {
        Rows.sessions(machine, which)
    }

    fn read(&self, machine: &Machine, found: &Found) -> io::Result<Reading> {
        self.n_read.fetch_add(1, Ordering::Relaxed);
        if self.refuses.load(Ordering::Relaxed) {
            return Err(io::Error::other("it cannot be exported"));
        }
        let row = load(machine)["rows"][found.session.as_str()].clone();
        let parent = row["parent"].as_str().map(SessionId::new);
        let content = Content::Bytes(row.to_string().into_bytes().into());
        Ok(Reading {
            facts: Facts {
                cwd: row["dir"].as_str().map(str::to_owned),
                requires: parent.into_iter().collect(),
                ..Facts::default()
            },
            docs: vec![content],
            secret: Vec::new(),
            private: BTreeMap::default(),
            problems: Vec::new(),
        })
    }

    fn write(&self, machine: &Machine, checkout: &Checkout<'_>) -> Result<Written, WriteError> {
        self.n_written.fetch_add(1, Ordering::Relaxed);
        match self.refuses.load(Ordering::Relaxed) {
            true => Err(WriteError::Refused("nothing is written here".into())),
            false => Rows.write(machine, checkout),
        }
    }

    fn resume(&self, machine: &Machine, session: &Resumable<'_>) -> Launch {
        Rows.resume(machine, session)
    }
}

/// Two devices with the tool, and what the tool of each does.
fn family() -> (World, [Family; 2]) {
    let (mut world, _, _) = World::pair_of_devices();
    let tools = [Family::default(), Family::default()];
    for (device, tool) in world.devices.iter_mut().zip(&tools) {
        device.more_tools = vec![Arc::new(tool.clone())];
        device.start();
    }
    (world, tools)
}

/// Adds rows to a device's store, each with its words; none is delivered.
fn add(device: &mut Device, rows: impl Iterator<Item = String>, parent: Option<&str>) {
    let (machine, dir) = (device.machine(), device.home.join("code/api"));
    let mut all = load(&machine);
    for row in rows {
        all["rows"][row] = json!({"dir": dir, "words": ["said"], "parent": parent});
    }
    save(&machine, &all);
    device.touch(&store(&machine));
}

fn rows(from: usize, n: usize) -> impl Iterator<Item = String> {
    (from..from + n).map(|n| format!("row-{n:04}"))
}

fn keys(rows: impl Iterator<Item = String>) -> BTreeSet<SessionKey> {
    let key = |row: String| SessionKey::new(&ToolId::new("rows"), &SessionId::new(row));
    rows.map(key).collect()
}

/// How many of these sessions are reconciled by what `work` does on a device.
fn jobs(
    world: &mut World,
    of: Option<&BTreeSet<SessionKey>>,
    work: impl FnOnce(&mut World),
) -> usize {
    world.devices[1].reconciled.clear();
    work(world);
    let reconciled = world.devices[1].reconciled.iter();
    reconciled
        .filter(|key| of.is_none_or(|of| of.contains(*key)))
        .count()
}

fn app() -> Running {
    Running {
        exe: "/opt/rows/Rows.exe".into(),
        ..Running::default()
    }
}

/// With the window open, an open session made every status another one.
#[test]
fn while_a_session_is_open_and_nothing_happens_the_status_is_the_same() {
    let (mut world, _) = family();
    let desk = &mut world.devices[0];
    add(desk, rows(0, 1), None);
    desk.apps.lock().expect("apps").push(app());
    desk.poll();
    let before = desk.status();
    desk.set_clock(START + 400);
    let after = desk.status();
    assert_eq!(after.live.len(), 1);
    assert!(before != after, "the clock is in it");
    assert_eq!(before.without_clock(), after.without_clock());
}

/// Each message taught where its project is, and had every session without a place reconciled.
#[test]
fn messages_in_two_known_work_trees_reconcile_no_session_that_waits_for_a_place() {
    let (mut world, _, there) = World::pair_of_devices();
    let other = world.devices[1].project("other api", "https://github.com/acme/api");
    let shop = world.devices[0].project("shop", "git@github.com:acme/shop.git");
    for n in 0..100 {
        let path = world.devices[0].transcript(&shop, &id(n));
        world.devices[0].append(&path, turn(&shop, &id(n), "of shop").as_bytes());
    }
    world.devices[0].handle(Event::ScanAll);
    world.deliver();
    let lap = &mut world.devices[1];
    assert_eq!(lap.waits_for(&id(7)).as_deref(), Some("no_place"));
    let say = |lap: &mut Device, n: usize| {
        let (cwd, session) = [(&there, ONE), (&other, TWO)][n % 2];
        let path = lap.transcript(cwd, session);
        lap.say(&path, turn(cwd, session, "more"));
    };
    say(lap, 0);
    say(lap, 1);
    lap.reconciled.clear();
    (0..4).for_each(|n| say(lap, n));
    let claude = ToolId::new("claude-code");
    let own = [ONE, TWO].map(|one| SessionKey::new(&claude, &SessionId::new(one)));
    let others = lap.reconciled.iter().filter(|key| !own.contains(key));
    assert_eq!(others.count(), 0);
    // A place that may be theirs has them reconciled, and no others.
    let there = lap.project("my shop", "https://github.com/acme/shop");
    lap.reconciled.clear();
    let path = lap.transcript(&there, TWO.replace('2', "4").as_str());
    lap.say(&path, turn(&there, &TWO.replace('2', "4"), "of shop"));
    assert_eq!(lap.waits_for(&id(7)), None);
    assert!(lap.reconciled.len() <= 2 * 101, "{}", lap.reconciled.len());
}

/// Each session without a place had all projects without one read again.
#[test]
fn sessions_of_unknown_projects_that_arrive_cost_what_each_of_them_costs() {
    let read = |n_projects: usize, of_each: usize| {
        let (mut world, _, _) = World::pair_of_devices();
        let desk = &mut world.devices[0];
        for n in 0..n_projects * of_each {
            let project = n % n_projects;
            let remote = format!("git@github.com:acme/p{project}.git");
            let dir = desk.project(&format!("p{project}"), &remote);
            let path = desk.transcript(&dir, &id(n));
            desk.append(&path, turn(&dir, &id(n), "hello").as_bytes());
        }
        desk.handle(Event::ScanAll);
        let before = world.devices[1].n_read();
        world.deliver();
        let lap = &mut world.devices[1];
        assert_eq!(lap.waits_for(&id(3)).as_deref(), Some("no_place"));
        lap.n_read() - before
    };
    let (one_each, many_each) = (read(30, 1), read(30, 5));
    let of_one = (many_each - one_each) / 120;
    assert!(of_one <= 20, "{of_one}: {one_each} and {many_each}");
}

/// Each session that came into a store had all of its tool reconciled that wait for any parent.
#[test]
fn a_session_that_comes_reconciles_those_that_wait_for_it_and_no_others() {
    let (mut world, _) = family();
    let children = keys(rows(0, 40));
    add(&mut world.devices[0], rows(0, 40), Some("row-9999"));
    world.deliver();
    let waits = world.devices[1].waits_for("row-0007");
    assert_eq!(waits.as_deref(), Some("parent"));
    let others = |world: &mut World| {
        add(&mut world.devices[0], rows(100, 20), None);
        world.deliver();
    };
    assert_eq!(jobs(&mut world, Some(&children), others), 0);
    let before = world.devices[1].n_read();
    add(&mut world.devices[0], rows(200, 1), None);
    world.deliver();
    let n_read = world.devices[1].n_read() - before;
    assert!(n_read < 40, "{n_read}");
    assert_eq!(jobs(&mut world, Some(&children), parent_arrives), 40);
    assert_eq!(world.devices[1].waits_for("row-0007"), None);
}

/// The session that the others require.
fn parent_arrives(world: &mut World) {
    let parent = ["row-9999".to_owned()].into_iter();
    add(&mut world.devices[0], parent, None);
    world.deliver();
}

/// The state of an older version did not have them in a table.
#[test]
fn who_waits_for_a_session_is_known_after_an_update() {
    let (mut world, _) = family();
    add(&mut world.devices[0], rows(0, 3), Some("row-9999"));
    world.deliver();
    world.devices[1].stop();
    super::faults::state_sql(
        &world.devices[1],
        "DROP TABLE requires; PRAGMA user_version = 4;",
    );
    world.devices[1].start();
    let children = keys(rows(0, 3));
    assert_eq!(jobs(&mut world, Some(&children), parent_arrives), 3);
    assert_eq!(world.devices[1].waits_for("row-0001"), None);
}

/// A tool that never takes a session, or never gives it out, was asked every four seconds.
#[test]
fn what_a_tool_refuses_for_ever_is_tried_ever_more_seldom_until_something_changes() {
    let (mut world, tools) = family();
    tools[1].refuses.store(true, Ordering::Relaxed);
    add(&mut world.devices[0], rows(0, 3), None);
    world.deliver();
    tools[0].refuses.store(true, Ordering::Relaxed);
    add(&mut world.devices[0], rows(10, 3), None);
    let waits = world.devices[1].waits_for("row-0001");
    assert_eq!(waits.as_deref(), Some("unwritable"));
    let (read, written) = (&tools[0].n_read, &tools[1].n_written);
    read.store(0, Ordering::Relaxed);
    written.store(0, Ordering::Relaxed);
    let mut now = START;
    for n in 0..200 {
        now += 4_000;
        for device in &mut world.devices {
            device.set_clock(now);
            device.handle(Event::Retry);
            if n % 8 == 0 {
                device.poll();
            }
        }
    }
    let tried = [read, written].map(|count| count.load(Ordering::Relaxed));
    assert!(tried.iter().all(|n| (3..=3 * 11).contains(n)), "{tried:?}");
    for (device, tool) in world.devices.iter_mut().zip(&tools) {
        tool.refuses.store(false, Ordering::Relaxed);
        now += 15 * 60_000;
        device.set_clock(now);
        device.poll();
    }
    world.deliver();
    for row in ["row-0001", "row-0011"] {
        assert_eq!(world.devices[1].waits_for(row), None);
        assert_eq!(world.devices[1].state_of(row), "here");
    }
}

/// At each poll all sessions were reconciled that wait for anything of their tool.
#[test]
fn a_poll_at_which_nothing_passed_reconciles_none_of_those_that_wait() {
    let polled = |n: usize| {
        let (mut world, _) = family();
        let machine = world.devices[1].machine();
        let known = load(&machine);
        let mut unknown = known.clone();
        unknown["version"] = json!(2);
        save(&machine, &unknown);
        add(&mut world.devices[0], rows(0, n), None);
        world.devices[1].poll();
        world.deliver();
        let waits = world.devices[1].waits_for("row-0001");
        assert_eq!(waits.as_deref(), Some("unknown_shape"));
        let before = world.devices[1].n_read();
        let quiet = |world: &mut World| (0..2).for_each(|_| world.devices[1].poll());
        assert_eq!(jobs(&mut world, None, quiet), 0);
        let n_read = world.devices[1].n_read() - before;
        save(&machine, &known);
        let passes = |world: &mut World| world.devices[1].poll();
        // Once to be written, and once because the store changed.
        let n_jobs = jobs(&mut world, Some(&keys(rows(0, n))), passes);
        assert!((n..=2 * n).contains(&n_jobs), "{n_jobs} for {n}");
        assert_eq!(world.devices[1].state_of("row-0001"), "here");
        n_read
    };
    assert_eq!(polled(4), polled(24));
}

#[test]
fn of_many_sessions_that_wait_for_an_app_a_poll_tries_one_and_all_follow() {
    let (mut world, _) = family();
    world.devices[1].apps.lock().expect("apps").push(app());
    add(&mut world.devices[0], rows(0, 30), None);
    world.deliver();
    let waits = world.devices[1].waits_for("row-0001");
    assert_eq!(waits.as_deref(), Some("live"));
    let quiet = |world: &mut World| (0..3).for_each(|_| world.devices[1].poll());
    assert!(jobs(&mut world, None, quiet) <= 3);
    world.devices[1].apps.lock().expect("apps").clear();
    world.devices[1].poll();
    for row in rows(0, 30) {
        assert_eq!(world.devices[1].state_of(&row), "here");
    }
}

/// Every record of the tool was read.
#[test]
fn forgetting_reads_the_sessions_that_need_the_forgotten_one_and_no_others() {
    let read = |n: usize| {
        let (mut world, _) = family();
        let desk = &mut world.devices[0];
        add(desk, rows(0, 2), Some("row-9999"));
        add(desk, rows(10, n), None);
        add(desk, ["row-9999".to_owned()].into_iter(), None);
        let mut asked = |session: &str| {
            let session = session.to_owned();
            let before = desk.n_read();
            let asked = desk.try_ask(Request::ForgetPreview { session });
            (desk.n_read() - before, asked)
        };
        let (refused_read, refused) = asked("row-9999");
        let refused = refused.expect_err("two sessions need it");
        assert_eq!(refused.code.to_string(), "needed");
        let (read, allowed) = asked("row-0010");
        assert!(allowed.is_ok());
        (refused_read, read)
    };
    assert_eq!(read(3), read(40));
}
