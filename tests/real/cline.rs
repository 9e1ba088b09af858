//! The real Cline: a session of one device continued on another, synced by the real `roam` and the
//! real Syncthing, and its splits. Nothing is faked but the model.

use serde_json::Value;
use session_roam_core::session::{Millis, SessionId};
use session_roam_core::tools::cline::Cline;
use session_roam_core::tools::{Bytes, Change, Checkout, DocWrite, Machine, Tool, Which};
use session_roam_testutils::cline::{
    self, begin, by_hand, carried, go_on, listed, manifest, messages, names_its_own, resumed,
    sessions,
};
use session_roam_testutils::device::{Device, PATIENCE, rows};
use session_roam_testutils::files::{files_below, files_with, write};
use session_roam_testutils::isolation::{alone, wait_for};
use session_roam_testutils::mock::sent_with;
use session_roam_testutils::world::World;
use std::fs;
use std::io::{self, Read, Write};

#[test]
fn cline_goes_on_where_the_other_device_stopped() {
    alone(|| {
        let mut devices = cline::paired();
        let World {
            desk, laptop, mock, ..
        } = &devices;
        let first = "Where is the bug in parser.rs?";
        let session = begin(desk, first);
        assert_eq!(mock.context_of(first), sent_with(&[], first));
        let mut turns = vec![(1, first)];
        let hops = [
            (desk, laptop, "run-tool: echo seen-on-the-train"),
            (laptop, desk, "Mend it, at the desk"),
            (desk, laptop, "Thanks"),
        ];
        for (from, to, prompt) in hops {
            carried(&session, from, to);
            assert!(
                listed(to).contains(&session),
                "cline history on {}",
                to.name
            );
            assert_eq!(
                resumed(&devices, to, &session, prompt),
                sent_with(&turns, prompt),
                "on {}",
                to.name
            );
            turns.push((turns.len() + 1, prompt));
        }
        carried(&session, laptop, desk);
        names_its_own(laptop, &session);
        // No secret of either device is anywhere but where it was planted, and this test can read
        // the journals.
        for dir in [&desk.roam_home, &laptop.roam_home] {
            let journals = files_with(dir, "Mend it, at the desk");
            assert!(
                journals
                    .iter()
                    .any(|file| file.extension().is_some_and(|ending| ending == "zst"))
            );
        }
        for (whose, other) in [(desk, laptop), (laptop, desk)] {
            let planted = files_with(&whose.home, &whose.secret());
            assert!(planted.len() >= 6, "{planted:?}");
            for dir in [&whose.roam_home, &other.roam_home, &other.home] {
                assert_eq!(
                    files_with(dir, &whose.secret()),
                    Vec::<std::path::PathBuf>::new(),
                    "{}'s",
                    whose.name
                );
            }
        }
        devices.desk.stop();
        devices.laptop.stop();
    });
}

#[test]
fn cline_continues_from_any_message_and_knows_what_was_said_until_there() {
    alone(|| {
        let mut devices = cline::paired();
        let World { desk, laptop, .. } = &devices;
        let first = "Where is the bug in parser.rs?";
        let session = begin(desk, first);
        carried(&session, desk, laptop);
        let second = "run-tool: echo seen";
        resumed(&devices, laptop, &session, second);
        wait_for("the answer to be recorded", PATIENCE, || {
            let shown = laptop.roam(&["show", &session]).to_string();
            let is_told = shown.contains(&format!("reply 2 to: {second}"));
            is_told.then_some(()).ok_or(shown)
        });
        let all = sent_with(&[(1, first), (2, second)], "");
        let before = fs::read(messages(laptop, &session)).expect("it is there");
        let shown = laptop.roam(&["show", &session]);
        let mut heard_of = std::collections::BTreeSet::new();
        for at in 0..rows(&shown["messages"]).count() {
            let forked = laptop.roam(&["fork", &session, "--at", &at.to_string()]);
            let fork = forked["session"].as_str().expect("an id");
            assert!(listed(laptop).iter().any(|id| id == fork), "cline history");
            let prompt = format!("Continue from message {at}");
            let mut heard = resumed(&devices, laptop, fork, &prompt);
            assert_eq!(heard.pop(), Some(format!("user: {prompt}")));
            assert_eq!(heard, all[..heard.len()], "message {at}");
            heard_of.insert(heard.len());
        }
        assert!(
            heard_of.contains(&1) && heard_of.contains(&(all.len() - 1)),
            "{heard_of:?}"
        );
        let after = fs::read(messages(laptop, &session)).expect("it is there");
        assert_eq!(after, before, "the session is as it was");
        devices.desk.stop();
        devices.laptop.stop();
    });
}

#[test]
fn a_split_of_cline_is_two_sessions_on_both_devices() {
    alone(|| {
        let devices = cline::paired();
        let World {
            desk, laptop, mock, ..
        } = &devices;
        let (first, left, right) = (
            "Before we part",
            "run-tool: echo said-at-the-desk",
            "Said on the train",
        );
        let session = begin(desk, first);
        carried(&session, desk, laptop);
        laptop.roam(&["pause"]);
        for (device, prompt) in [(desk, left), (laptop, right)] {
            let resume = by_hand(&session, &device.checkout);
            let knows = go_on(&devices, device, &resume, &session, prompt);
            assert_eq!(
                knows,
                sent_with(&[(1, first)], prompt),
                "apart from the other"
            );
            recorded(device, &session);
        }
        laptop.roam(&["continue"]);
        let [fork, same] = devices.both().map(|device| fork_of(device, &session));
        assert_eq!(fork, same, "both devices gave the fork the same id");
        assert!(
            fork.len() == session.len() && fork[..7] == session[..7],
            "{fork} is listed beside {session}"
        );

        let ways = [
            (&session, left, "Said on the train"),
            (&fork, right, "said-at-the-desk"),
        ];
        for (session, prompt, of_the_other) in ways {
            carried(session, desk, laptop);
            carried(session, laptop, desk);
            let mut turns = vec![(1, first), (2, prompt)];
            for (device, other) in [(laptop, desk), (desk, laptop)] {
                let prompt: &str = format!("Go on with {session} on the {}", device.name).leak();
                assert_eq!(
                    resumed(&devices, device, session, prompt),
                    sent_with(&turns, prompt),
                    "on {}",
                    device.name
                );
                assert!(
                    !mock.mentioned(prompt, of_the_other),
                    "{session} tells of the other way"
                );
                turns.push((turns.len() + 1, prompt));
                carried(session, device, other);
            }
        }
        assert_eq!(fork_of(desk, &session), fork, "going on decides nothing");
    });
}

/// Why the rewritten path is necessary, and that no other path can be written: shown without an
/// engine, with the other device out of reach.
#[test]
fn cline_never_finds_another_devices_path() {
    alone(|| {
        let devices = cline::unpaired();
        let World { desk, laptop, .. } = &devices;
        let first = "Not to be lost";
        let (by_copy, by_adapter) = (begin(desk, first), begin(desk, first));

        let from = sessions(desk).join(&by_copy);
        for file in files_below(&from) {
            let to = sessions(laptop)
                .join(&by_copy)
                .join(file.file_name().expect("a name"));
            write(&to, &fs::read_to_string(file).expect("text"));
        }
        checked_out(desk, laptop, &by_adapter);
        fs::rename(desk.home.join(".cline"), desk.home.join("out of reach")).expect("rename");

        let knows = go_on(
            &devices,
            laptop,
            &by_hand(&by_adapter, &laptop.checkout),
            &by_adapter,
            "Carried",
        );
        assert_eq!(knows, sent_with(&[(1, first)], "Carried"));
        let said = fs::read_to_string(messages(laptop, &by_adapter)).expect("the conversation");
        assert!(said.contains(first));
        names_its_own(laptop, &by_adapter);

        // Copied unchanged, the same session is an empty chat, which then overwrites the copied
        // messages.
        let theirs = manifest(laptop, &by_copy).expect("a manifest")["messages_path"].clone();
        assert_ne!(theirs.as_str(), messages(laptop, &by_copy).to_str());
        let knows = go_on(
            &devices,
            laptop,
            &by_hand(&by_copy, &laptop.checkout),
            &by_copy,
            "Copied",
        );
        assert_eq!(knows, sent_with(&[], "Copied"));
        assert!(
            !fs::read_to_string(messages(laptop, &by_copy))
                .expect("a conversation")
                .contains(first)
        );
    });
}

/// Brings a session over with the adapter alone.
fn checked_out(from: &Device, to: &Device, session: &str) {
    let (theirs, ours, session) = (
        Machine::at(&from.home),
        Machine::at(&to.home),
        SessionId::new(session),
    );
    let found = Cline
        .sessions(&theirs, Which::One(&session))
        .found
        .remove(0);
    let reading = Cline.read(&theirs, &found).expect("it can be read");
    let contents: Vec<Raw> = reading
        .docs
        .iter()
        .map(|content| {
            let mut bytes = Vec::new();
            content
                .open()
                .and_then(|mut file| file.read_to_end(&mut bytes))
                .expect("it can be read");
            Raw(bytes)
        })
        .collect();
    let docs = found.docs.iter().zip(&contents).rev();
    let docs = docs.map(|(doc, bytes)| DocWrite {
        name: &doc.name,
        place: &doc.place,
        change: Change::Create(bytes),
    });
    let (cwd, updated) = (
        to.checkout.as_path(),
        reading.facts.updated.expect("a time"),
    );
    let checkout = Checkout {
        session: &session,
        cwd,
        updated,
        now: Millis(updated.0 + 1),
        forgets: false,
        docs: docs.collect(),
    };
    Cline.write(&ours, &checkout).expect("it can be written");
}

struct Raw(Vec<u8>);

impl Bytes for Raw {
    fn write_to(&self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(&self.0)
    }
}

/// Waits until the device's own journals give back the content of its store.
fn recorded(device: &Device, session: &str) {
    let out = device
        .scratch()
        .join(format!("recorded-{}-{session}", device.name));
    let target = out.to_str().expect("UTF-8").to_owned();
    wait_for(
        &format!("the journals of {} to hold {session}", device.name),
        PATIENCE,
        || {
            let wanted = fs::read(messages(device, session)).map_err(|error| error.to_string())?;
            device.try_roam(&["export", session, "native", "--out", &target])?;
            let whole = files_below(&out)
                .iter()
                .any(|file| fs::read(file).is_ok_and(|found| found == wanted));
            if whole {
                Ok(())
            } else {
                Err(format!("no file of {} bytes exported", wanted.len()))
            }
        },
    );
    fs::remove_dir_all(out).expect("it was just written");
}

/// Waits until a device lists both branches of a session; returns the session that the laptop's
/// branch became.
fn fork_of(device: &Device, session: &str) -> String {
    wait_for(
        &format!("{} to list both ways of {session}", device.name),
        PATIENCE,
        || {
            let splits = device.roam(&["splits"]);
            let way_of = |row: &Value, name: &str| {
                let branch = rows(&row["branches"]).find(|branch| branch["device"] == name)?;
                branch["session"].as_str().map(str::to_owned)
            };
            let row = rows(&splits)
                .find(|row| row["session"] == session)
                .ok_or_else(|| splits.to_string())?;
            match (way_of(row, "desk"), way_of(row, "laptop")) {
                (Some(desk), Some(laptop)) if desk == session && laptop != session => Ok(laptop),
                _ => Err(row.to_string()),
            }
        },
    )
}
