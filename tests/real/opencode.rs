//! The real OpenCode: what the adapter relies on, and a session that is continued on another
//! device, splits and is reconciled, synced by the real `roam` and the real Syncthing. Nothing is
//! faked but the model; what OpenCode knows when it continues is read from its requests, as in
//! tests/real/clients.rs.

use session_roam_core::session::{DocName, Millis, SessionId};
use session_roam_core::tools::opencode::OpenCode;
use session_roam_core::tools::{
    Bytes, Change, Checkout, DocWrite, Tool, WriteError, Written, with_those_of,
};
use session_roam_testutils::device::{Device, PATIENCE, rows};
use session_roam_testutils::files::files_with;
use session_roam_testutils::isolation::{alone, run_within, wait_for};
use session_roam_testutils::mock::{context, turn};
use session_roam_testutils::opencode::{
    self, begin, by_hand, carried, content, found, go_on, machine, messages, texts,
};
use session_roam_testutils::world::World;
use std::path::Path;
use std::time::Duration;

/// Does the work of an engine, without one: brings a document into a device's store.
fn put(device: &Device, cwd: &Path, session: &str, bytes: &[u8]) -> Result<Written, WriteError> {
    let here = found(device, session);
    let bytes: &dyn Bytes = &Raw(bytes.to_vec());
    let change = match &here {
        None => Change::Create(bytes),
        Some(here) => Change::Replace {
            path: &here.docs[0].path,
            was: here.docs[0].stamp,
            bytes,
        },
    };
    write(device, cwd, session, change)
}

fn write(
    device: &Device,
    cwd: &Path,
    session: &str,
    change: Change<'_>,
) -> Result<Written, WriteError> {
    let (session, name) = (SessionId::new(session), DocName::new("session.json"));
    let at = format!("sessions/{session}/session.json");
    let docs = vec![DocWrite {
        name: &name,
        place: &at,
        change,
    }];
    let now = Millis(1_800_000_000_000);
    OpenCode::default().write(
        &machine(device),
        &Checkout {
            session: &session,
            cwd,
            updated: now,
            now,
            forgets: false,
            docs,
        },
    )
}

struct Raw(Vec<u8>);

impl Bytes for Raw {
    fn write_to(&self, out: &mut dyn std::io::Write) -> std::io::Result<()> {
        out.write_all(&self.0)
    }
}

fn why(refused: Result<Written, WriteError>) -> String {
    match refused {
        Err(WriteError::Refused(why)) => why,
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn what_was_imported_is_exported_as_it_was() {
    alone(|| {
        let World { desk, laptop, .. } = &opencode::unpaired();
        let session = begin(desk, "run-tool: echo seen-on-the-desk");
        go_on(
            desk,
            &by_hand(&session, &desk.checkout),
            "Thank you, that was it",
        );
        let wanted = content(desk, &session);
        assert_eq!(wanted, content(desk, &session), "reading is no change");

        let written = put(laptop, &laptop.checkout, &session, &wanted).expect("it is taken");
        assert_eq!(
            written.docs[0].2,
            found(laptop, &session).expect("here").docs[0].stamp
        );
        let arrived = content(laptop, &session);
        let bound = (OpenCode::default().about().device_fields)(&DocName::new("session.json"));
        assert_ne!(arrived, wanted, "it is bound to the laptop's checkout");
        assert_eq!(
            String::from_utf8(with_those_of(&arrived, bound, &wanted)),
            String::from_utf8(wanted.clone())
        );

        put(laptop, &laptop.checkout, &session, &wanted).expect("it may come twice");
        assert_eq!(content(laptop, &session), arrived);
        go_on(laptop, &by_hand(&session, &laptop.checkout), "More words");
        let more = content(laptop, &session);
        put(desk, &desk.checkout, &session, &more).expect("what was added comes back");
        assert_eq!(messages(&content(desk, &session)), messages(&more));

        // A session cannot be reduced to less than is there.
        let told = why(put(laptop, &laptop.checkout, &session, &wanted));
        assert!(
            told.contains(&format!("opencode session delete {session}")),
            "{told}"
        );
        assert_eq!(content(laptop, &session), more);
        let here = found(laptop, &session).expect("here");
        let remove = Change::Remove {
            path: &here.docs[0].path,
            was: here.docs[0].stamp,
        };
        write(laptop, &laptop.checkout, &session, remove).expect("it is put away");
        assert!(found(laptop, &session).is_none());
    });
}

#[test]
fn a_directory_that_is_no_checkout_is_refused() {
    alone(|| {
        let World { desk, laptop, .. } = &opencode::unpaired();
        let session = begin(desk, "Where is the bug in parser.rs?");
        let wanted = content(desk, &session);
        let [plain, unborn] = ["plain", "unborn"].map(|name| laptop.home.join(name));
        for dir in [&plain, &unborn] {
            std::fs::create_dir_all(dir).expect("a directory");
        }
        let mut init = laptop.command("git", &["init", "--quiet"]);
        init.current_dir(&unborn);
        assert!(
            run_within(Duration::from_secs(30), init, laptop.scratch())
                .status
                .success()
        );
        for dir in [&plain, &unborn] {
            let told = why(put(laptop, dir, &session, &wanted));
            assert!(told.contains("no git repository with a commit"), "{told}");
            assert!(found(laptop, &session).is_none());
        }
        // A session that was never in a project may go anywhere.
        let global = opencode::begin_in(desk, &desk.home, "Nothing to do with code");
        put(laptop, &plain, &global, &content(desk, &global)).expect("it is of no project");
        put(laptop, &laptop.checkout, &session, &wanted).expect("the checkout is right");
    });
}

#[test]
fn two_sides_are_one_session_with_both() {
    alone(|| {
        let World {
            desk, laptop, mock, ..
        } = &opencode::unpaired();
        let session = begin(desk, "Before we part");
        let common = content(desk, &session);
        put(laptop, &laptop.checkout, &session, &common).expect("it is taken");
        go_on(
            desk,
            &by_hand(&session, &desk.checkout),
            "run-tool: echo desk",
        );
        go_on(
            laptop,
            &by_hand(&session, &laptop.checkout),
            "run-tool: echo laptop",
        );
        let [ours, theirs] = [desk, laptop].map(|device| content(device, &session));
        let unite = OpenCode::default().about().joins.union.expect("offered");
        let both = unite(&ours, &theirs).expect("nothing contradicts");
        assert_eq!(
            messages(&unite(&theirs, &ours).expect("either way")),
            messages(&both)
        );
        for device in [desk, laptop] {
            put(device, &device.checkout, &session, &both).expect("it is taken");
            assert_eq!(
                messages(&content(device, &session)),
                messages(&both),
                "as OpenCode itself shows it"
            );
        }
        go_on(laptop, &by_hand(&session, &laptop.checkout), "After we met");
        let turns = [turn(1, "Before we part"), turn(2, "run-tool: echo desk")].concat();
        let turns = [
            turns,
            turn(2, "run-tool: echo laptop"),
            vec!["user: After we met".to_owned()],
        ]
        .concat();
        assert_eq!(mock.context_of("After we met"), turns);
    });
}

#[test]
fn opencode_goes_on_where_the_other_device_stopped() {
    alone(|| {
        let mut devices = opencode::paired();
        let World {
            desk, laptop, mock, ..
        } = &devices;
        let mut said = vec![
            "Where is the bug in parser.rs?",
            "run-tool: echo seen-on-the-desk",
        ];
        let session = begin(desk, said[0]);
        go_on(desk, &by_hand(&session, &desk.checkout), said[1]);
        for (from, to, prompt) in [
            (desk, laptop, "Mend it, on the train"),
            (laptop, desk, "run-tool: echo back-at-the-desk"),
            (desk, laptop, "Thanks"),
        ] {
            let resume = carried(&session, from, to);
            assert_eq!(
                resume.cwd, to.checkout,
                "the session goes on in this device's checkout"
            );
            go_on(to, &resume, prompt);
            said.push(prompt);
            assert_eq!(
                mock.context_of(prompt),
                context(&said),
                "what OpenCode on {} knows",
                to.name
            );
        }
        carried(&session, laptop, desk);
        for (whose, elsewhere) in [(desk, laptop), (laptop, desk)] {
            assert!(
                !files_with(&whose.home, &whose.secret()).is_empty(),
                "the secret is where it was planted"
            );
            for dir in [&whose.roam_home, &elsewhere.roam_home, &elsewhere.home] {
                assert_eq!(
                    files_with(dir, &whose.secret()),
                    Vec::<std::path::PathBuf>::new()
                );
            }
            assert!(
                !files_with(&whose.roam_home, "seen-on-the-desk").is_empty(),
                "the journals can be read by this test"
            );
        }
        devices.desk.stop();
        devices.laptop.stop();
    });
}

#[test]
fn opencode_continues_from_any_message_and_knows_what_was_said_until_there() {
    alone(|| {
        let mut devices = opencode::paired();
        let World {
            desk, laptop, mock, ..
        } = &devices;
        let said = ["Where is the bug?", "run-tool: echo seen"];
        let session = begin(desk, said[0]);
        for prompt in &said[1..] {
            go_on(desk, &by_hand(&session, &desk.checkout), prompt);
        }
        carried(&session, desk, laptop);
        let before = content(laptop, &session);
        let all = context(&[&said[..], &[""]].concat());
        let shown = laptop.roam(&["show", &session]);
        let n = rows(&shown["messages"]).count();
        let texts = |session: &str| -> Vec<String> {
            let shown = laptop.roam(&["show", session]);
            let said = rows(&shown["messages"]).map(|message| message["text"].to_string());
            said.collect()
        };
        let (whole, mut forks) = (texts(&session), Vec::new());
        for at in 0..n {
            // OpenCode goes on for a moment after its program has ended, and counts as open.
            let forked = wait_for("OpenCode to end", PATIENCE, || {
                laptop.try_roam(&["fork", &session, "--at", &at.to_string()])
            });
            let fork = forked["session"].as_str().expect("an id").to_owned();
            let kept = forked["messages"].as_u64().expect("a number") as usize;
            wait_for("the new session to be known", PATIENCE, || {
                laptop.session("opencode", &fork)
            });
            assert_eq!(texts(&fork), whole[..kept], "message {at}");
            forks.push((fork, kept));
        }
        // Two OpenCodes at once may lock each other out.
        wait_for("the engine to be idle", PATIENCE, || {
            let status = laptop.roam(&["status"]);
            match status["moving"]["queued"].as_u64() {
                Some(0) => Ok(()),
                _ => Err(status["moving"].to_string()),
            }
        });
        // The request to the model contains the first two messages and nothing else.
        let (fork, kept) = &forks[1];
        assert_eq!(*kept, 2);
        let resume = laptop.roam(&["resume", fork, "--print"]);
        let resume = serde_json::from_value(resume).expect("what `roam resume` prints");
        let prompt = "Continue from the first answer";
        go_on(laptop, &resume, prompt);
        let mut heard = mock.context_of(prompt);
        assert_eq!(heard.pop(), Some(format!("user: {prompt}")));
        assert_eq!(heard, all[..2]);
        assert_eq!(
            content(laptop, &session),
            before,
            "the session is as it was"
        );
        devices.desk.stop();
        devices.laptop.stop();
    });
}

/// F2: the session's own rules allow everything, this device's settings require a question.
#[test]
fn a_session_that_allows_everything_asks_on_a_device_whose_user_wants_that() {
    alone(|| {
        let mut devices = opencode::paired();
        let World { desk, laptop, .. } = &devices;
        opencode::ask_before_all(laptop);
        // All messages arrive at once: an import changes no existing session.
        laptop.roam(&["pause"]);
        let session = begin(desk, "Do as you like");
        let planted = opencode::allowing_all(desk, &session);
        opencode::delete(desk, &session);
        opencode::import(desk, &planted);
        let allows = |device: &Device| {
            String::from_utf8_lossy(&content(device, &session)).contains("\"action\":\"allow\"")
        };
        assert!(allows(desk), "it was planted");
        laptop.roam(&["continue"]);
        let resume = carried(&session, desk, laptop);
        assert!(!allows(laptop), "nothing of it is in the laptop's store");
        assert!(
            !opencode::runs(laptop, &resume, "carried"),
            "it asks before it runs anything"
        );
        assert!(allows(desk), "the desk's own stays");
        devices.desk.stop();
        devices.laptop.stop();

        // The same file imported by OpenCode itself.
        let World { desk: other, .. } = &opencode::unpaired();
        opencode::ask_before_all(other);
        opencode::import(other, &planted);
        assert!(
            opencode::runs(other, &by_hand(&session, &other.checkout), "by-hand"),
            "it takes the rules from the file"
        );
    });
}

/// F3: an undo deletes the files that an answer claims to have changed, if the state of the working
/// tree that it names is not here.
#[test]
fn an_undo_of_another_devices_turn_touches_no_file() {
    alone(|| {
        let World { desk, laptop, .. } = &opencode::unpaired();
        let session = begin(desk, "Change what you like");
        let files = [
            laptop.checkout.join("work.txt"),
            laptop.home.join("outside.txt"),
        ];
        for file in &files {
            std::fs::write(file, "a day's work").expect("a file");
        }
        let [inside, outside] = files.each_ref().map(|file| file.as_path());
        let planted = opencode::changing(desk, &session, &[inside, outside]);
        let document = std::fs::read(&planted).expect("an export");

        put(laptop, &laptop.checkout, &session, &document).expect("it is taken");
        opencode::undo_all(laptop, &session);
        assert!(inside.exists() && outside.exists(), "all files stay");

        // The same file imported by OpenCode itself.
        opencode::delete(laptop, &session);
        opencode::import(laptop, &planted);
        opencode::undo_all(laptop, &session);
        assert!(!inside.exists() && !outside.exists(), "it deletes them");
    });
}

#[test]
fn a_split_of_opencode_becomes_one_session_with_both_sides_everywhere() {
    alone(|| {
        let mut devices = opencode::paired();
        let World {
            desk, laptop, mock, ..
        } = &devices;
        let session = begin(desk, "Before we part");
        carried(&session, desk, laptop);
        laptop.roam(&["pause"]);
        let sides = [
            (desk, "run-tool: echo said-at-the-desk"),
            (laptop, "Said on the train"),
        ];
        for (device, prompt) in sides {
            go_on(device, &by_hand(&session, &device.checkout), prompt);
            assert_eq!(
                mock.context_of(prompt),
                context(&["Before we part", prompt]),
                "apart from the other"
            );
        }
        laptop.roam(&["continue"]);
        for device in devices.both() {
            wait_for(
                &format!("{} to have both sides", device.name),
                PATIENCE,
                || {
                    let texts = texts(device, &session);
                    let all = sides
                        .iter()
                        .all(|(_, prompt)| texts.iter().any(|text| text == prompt));
                    if all {
                        Ok(())
                    } else {
                        Err(format!("{texts:?}"))
                    }
                },
            );
        }
        assert_eq!(
            messages(&content(desk, &session)),
            messages(&content(laptop, &session))
        );
        for device in devices.both() {
            let splits = device.roam(&["splits"]);
            assert_eq!(
                splits.as_array().map(Vec::len),
                Some(0),
                "nobody is asked on {}: {splits}",
                device.name
            );
            let sessions = device.roam(&["sessions"]);
            assert_eq!(
                rows(&sessions).count(),
                1,
                "one session on {}: {sessions}",
                device.name
            );
        }
        let mut turns = [
            turn(1, "Before we part"),
            turn(2, sides[0].1),
            turn(2, sides[1].1),
        ]
        .concat();
        for (n, from, to, prompt) in [
            (4, desk, laptop, "After we met"),
            (5, laptop, desk, "At home again"),
        ] {
            go_on(to, &carried(&session, from, to), prompt);
            let told = [turns.clone(), vec![format!("user: {prompt}")]].concat();
            assert_eq!(
                mock.context_of(prompt),
                told,
                "what OpenCode on {} knows",
                to.name
            );
            turns.extend(turn(n, prompt));
        }
        carried(&session, desk, laptop);
        devices.desk.stop();
        devices.laptop.stop();
    });
}
