//! Snapshots whose content the adapter makes from rows: no stamp tells their size.

use super::two_devices::{PROJECT, copy_folder};
use super::*;
use session_roam_core::adapter::{
    About, Checkout, Content, Facts, Found, FoundDoc, Joins, Launch, Listing, Reading, Resumable,
    Root, Stamp, Tool, Touched, Which, WriteError, Written,
};
use session_roam_core::merge::snapshots;
use session_roam_core::session::{DocKind, DocName, Edge, Line, LineSource, Reason, Source, Spot};
use session_roam_core::vault::{Entry, Frame, VaultPath, frame};
use std::convert::Infallible;
use std::io;
use std::sync::Mutex;

const ROWS: &str = "rows";
const DOC: &str = "rows.json";
const ID: &str = "0199";

/// A tool with one session, made of whatever the test says.
struct Rows(Mutex<Vec<u8>>);

impl Rows {
    fn hold(&self, content: &[u8]) {
        *self.0.lock().expect("rows") = content.to_vec();
    }

    fn held(&self) -> Vec<u8> {
        self.0.lock().expect("rows").clone()
    }

    fn stamp(&self) -> Stamp {
        Stamp::made(1, Millis(1), &self.held())
    }
}

impl Tool for Rows {
    fn about(&self) -> About {
        About {
            tool: ToolId::new(ROWS),
            joins: Joins {
                judge: Some(|_: &DocName, first, second| snapshots::judge(first, second)),
                ..Joins::default()
            },
            ..About::default()
        }
    }

    fn roots(&self, _: &Machine) -> Vec<Root> {
        Vec::new()
    }

    fn touched(&self, _: &Machine, _: &Path) -> Touched {
        Touched::Nothing
    }

    fn sessions(&self, machine: &Machine, _: Which<'_>) -> Listing {
        let doc = FoundDoc {
            name: DocName::new(DOC),
            kind: DocKind::Snapshot,
            place: DOC.into(),
            path: machine.home.join(DOC),
            stamp: self.stamp(),
        };
        let found = Found {
            session: SessionId::new(ID),
            docs: vec![doc],
            open_in: None,
        };
        let is_there = !self.held().is_empty();
        Listing {
            found: Some(found).filter(|_| is_there).into_iter().collect(),
            ..Listing::default()
        }
    }

    fn read(&self, machine: &Machine, _: &Found) -> io::Result<Reading> {
        let facts = Facts {
            cwd: machine.home.join("api").to_str().map(str::to_owned),
            ..Facts::default()
        };
        let content = self.held();
        Ok(Reading {
            facts,
            docs: vec![Content::Bytes(content.into())],
            ..Reading::default()
        })
    }

    fn write(&self, machine: &Machine, checkout: &Checkout<'_>) -> Result<Written, WriteError> {
        let [doc] = &checkout.docs[..] else {
            return Err(WriteError::Refused("one document".into()));
        };
        self.hold(&doc.change.content()?.expect("nothing is removed"));
        let path = machine.home.join(DOC);
        Ok(Written {
            docs: vec![(doc.name.clone(), path, self.stamp())],
            ..Written::default()
        })
    }

    fn resume(&self, _: &Machine, session: &Resumable<'_>) -> Launch {
        Launch::app(ROWS, ROWS, session.cwd)
    }
}

fn device() -> (Device, Arc<Rows>) {
    with_rows(Device::new())
}

fn with_rows(mut device: Device) -> (Device, Arc<Rows>) {
    let rows = Arc::new(Rows(Mutex::default()));
    device.context.tools.insert(ToolId::new(ROWS), rows.clone());
    device.context.sizes.snapshot = 1_000;
    (device, rows)
}

fn problems(effects: &Effects) -> Vec<ProblemCode> {
    { effects.problems.iter() }.map(|it| it.code).collect()
}

/// The size of the rows themselves was compared with the limit. What was recorded was the change, and
/// no device could ever read it, nor anything that came after it.
#[test]
fn content_that_is_made_too_large_is_left_out_as_a_file_is() {
    let (mut device, rows) = device();
    let small = b"[1]".repeat(300);
    rows.hold(&small);
    assert_eq!(problems(&device.reconcile(ROWS, ID)), []);
    let before = device.record.docs.clone();
    rows.hold(&[&small[..], b"[2]", &b"[1]".repeat(100)].concat());
    let effects = device.reconcile(ROWS, ID);
    assert_eq!(problems(&effects), [ProblemCode::TooLarge]);
    assert_eq!(device.record.docs, before, "nothing was recorded");
    rows.hold(&[&small[..], b"[3]"].concat());
    assert_eq!(problems(&device.reconcile(ROWS, ID)), []);
    assert!(device.vault().contains("[3]"));
}

/// Signs a generation that no device can read, and puts it into the record as an earlier version
/// did.
fn record_as_before(device: &mut Device, rows: &Rows) {
    struct One;
    impl LineSource for One {
        type Error = Infallible;
        fn tips(&self, edge: &Edge) -> Result<Vec<Line>, Infallible> {
            let (tip, end) = (edge.tip, edge.bytes);
            let is_message = true;
            Ok(vec![Line {
                tip,
                end,
                is_message,
            }])
        }
    }
    let short = device.context.short.clone();
    let (key, doc) = (DeviceKey::from_secret(&[7; 32]), DocName::new(DOC));
    let (tool, session) = (ToolId::new(ROWS), SessionId::new(ID));
    let state = device.record.docs.get_mut(&doc).expect("recorded");
    let after = state.own_tip.expect("recorded");
    let entry = Entry::Whole {
        doc: doc.clone(),
        at: DOC.into(),
        after,
        tip: after.then(b"too large"),
        head: 128 << 20,
        tail: 0,
        bytes: b"x".to_vec(),
    };
    let tip = after.then(b"too large");
    let journals = &mut device.record.journals;
    let journal = journals.values_mut().next().expect("a journal");
    let (id, at) = (&device.context.device, device.context.tick());
    let head = journal.next_head(id, "here", &tool, &session, at);
    let entries = vec![entry];
    let (bytes, hash) = frame::render(&head, &entries, |message| key.sign(message).to_vec());
    let written = Frame::own(head, entries, hash);
    let appended = journal.append(&device.context.vault, &bytes, &written);
    let (segment, offset) = appended.expect("appended");
    let mut first = 0;
    journal.enumerate(&written, segment, offset, |_, _, number| first = number);
    let edge = Edge {
        after,
        tip,
        lines: 1,
        bytes: 1,
        message_lines: 1,
        source: Source {
            device: short,
            lane: Lane::Priority,
            spot: Spot {
                segment,
                offset,
                line: 0,
            },
            first,
            end: first + 1,
            skip: 0,
            relayed: false,
        },
        at,
    };
    let tips = One.tips(&edge).expect("one");
    state
        .trie
        .insert(edge, &tips, Some(after), &One)
        .expect("inserted");
    state.own_tip = Some(tip);
    let local = state.local.as_mut().expect("read");
    local.tip = tip;
    local.stamp = rows.stamp();
}

#[test]
fn a_state_that_was_recorded_too_large_is_left_out_and_recording_goes_on() {
    let (mut device, rows) = device();
    rows.hold(b"[1]");
    device.reconcile(ROWS, ID);
    record_as_before(&mut device, &rows);
    rows.hold(b"[1][2]");
    let effects = device.reconcile(ROWS, ID);
    assert_eq!(problems(&effects), [ProblemCode::TooLarge]);
    assert!(effects.again, "it goes on at once");
    let effects = device.reconcile(ROWS, ID);
    assert_eq!(problems(&effects), []);
    assert!(device.vault().contains("[2]"));
    let recorded = device.record.docs.clone();
    // A device that begins with nothing but the vault reads the same.
    let job = device.job(ROWS, ID);
    let dirs = { device.record.journals.values() }
        .map(|journal| (journal.device.clone(), journal.lane, journal.dir.clone()));
    let job = Job {
        dirs: dirs.collect(),
        record: SessionRecord::default(),
        ..job
    };
    let effects = reconcile(&device.context, job);
    let [known, read] =
        [&recorded, &effects.record.docs].map(|docs| docs[&DocName::new(DOC)].trie.heads());
    assert_eq!(known, read);
}

/// Two devices with the same session in their stores.
struct Both {
    devices: [Device; 2],
    rows: [Arc<Rows>; 2],
}

impl Both {
    fn new() -> Self {
        let devices = [HERE, THERE].map(|who| with_rows(Device::of(who, &[HERE, THERE])));
        let [(here, at_here), (there, at_there)] = devices;
        let mut both = Self {
            devices: [here, there],
            rows: [at_here, at_there],
        };
        for device in &both.devices {
            let checkout = device.checkout();
            Arc::make_mut(&mut device.context.change().places)
                .map(&ProjectKey::new(PROJECT), checkout);
        }
        both.say(0, "[1]");
        both.deliver(0);
        both
    }

    /// The tool of a device changed what it has of the session.
    fn say(&mut self, at: usize, content: &str) {
        self.rows[at].hold(content.as_bytes());
        self.reconcile(at);
    }

    /// What a device recorded reaches the other one.
    fn deliver(&mut self, from: usize) -> Effects {
        copy_folder(&self.devices[from], &self.devices[1 - from]);
        self.reconcile(1 - from)
    }

    fn reconcile(&mut self, at: usize) -> Effects {
        let other = self.devices[1 - at].context.short.clone();
        let device = &mut self.devices[at];
        let job = device.job(ROWS, ID);
        let dir =
            VaultPath::journal_dir(&other, Lane::Priority, &job.key, &ProjectKey::new(PROJECT));
        let dirs = vec![(other, Lane::Priority, dir)];
        let effects = reconcile(&device.context, Job { dirs, ..job });
        device.record = effects.record.clone();
        effects
    }

    fn held(&self, at: usize) -> String {
        String::from_utf8(self.rows[at].held()).expect("text")
    }
}

/// The next generation of a snapshot was written, whatever it left out.
#[test]
fn a_generation_that_takes_back_messages_of_others_is_held() {
    let mut both = Both::new();
    assert_eq!(both.held(1), "[1]");
    both.say(1, "[1,2]");
    both.deliver(1);
    both.say(0, "[1,2,3]");
    both.deliver(0);
    assert_eq!(both.held(1), "[1,2,3]");
    // What a device said last grows, as an answer does, or is taken back.
    for own in ["[1,2,34]", "[1,2]", "[1,2,5]"] {
        both.say(0, own);
        assert_eq!(both.deliver(0).row.reason, None);
        assert_eq!(both.held(1), own);
    }
    // Of two messages, one is the other device's.
    both.say(0, "[1]");
    let effects = both.deliver(0);
    assert_eq!(effects.row.reason, Some(Reason::Rewritten));
    assert_eq!(both.held(1), "[1,2,5]");
    // What continues the session here takes nothing back.
    both.say(0, "[1,2,5,6]");
    assert_eq!(both.deliver(0).row.reason, None);
    assert_eq!(both.held(1), "[1,2,5,6]");
}
