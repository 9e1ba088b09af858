//! Faults of real machines, caused on purpose for the real `roam` and real Syncthings: engines and
//! children killed, disks full, folders, databases and keys gone, ports taken, stores emptied. Each
//! story ends with the same two questions: is every written line where it belongs, and was the user
//! told what happened and what to do?
//!
//! The tools are not needed: their transcripts are invented.

mod quarantine;

use session_roam_testutils::checks::*;
use session_roam_testutils::device::{Device, PATIENCE, pair, rows, signal};
use session_roam_testutils::files::{files_below, write};
use session_roam_testutils::isolation::{alone, run_within, wait_for};
use session_roam_testutils::transcripts::{Session, TOOL, projects, slug};
use std::fs;
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

#[test]
fn three_devices_in_a_row_share_what_they_may() {
    alone(|| {
        let place = Place::empty();
        let [mut a, mut b, mut c] = ["a", "b", "c"].map(|name| place.device(name));
        let private = a.home.join("private");
        fs::create_dir_all(&private).expect("a directory");
        for device in [&mut a, &mut b, &mut c] {
            device.start();
        }
        c.roam(&["tools", "off", "codex"]);
        let before = Session::begin_in(&a, &private, 9, 1);
        let listed = wait_for("a to list the private session", PATIENCE, || {
            a.session(TOOL, &before.id)
        });
        a.roam(&[
            "projects",
            "exclude",
            listed["project"].as_str().expect("a key"),
        ]);
        pair(&b, &c);
        let secret = Session::begin_in(&a, &private, 2, 3);
        let codex = codex_session(&a);
        let session = Session::begin(&a, 1, 20);
        pair(&a, &b);

        // F5: b approved c, and a did not. Sessions of a reach b and nobody else.
        is_safe(&session, [&a, &b]);
        let (a_id, c_id) = (
            a.roam(&["device"])["id"].clone(),
            c.roam(&["device"])["id"].clone(),
        );
        let by_b = |device: &Device, id: &serde_json::Value| {
            let devices = device.roam(&["devices"]);
            assert!(
                !rows(&devices["paired"]).any(|row| row["id"] == *id),
                "{} never met it: {devices}",
                device.name
            );
            let proposed = rows(&devices["proposed"])
                .find(|row| row["id"] == *id)
                .cloned();
            proposed
                .filter(|row| row["by"] == "b")
                .map(drop)
                .ok_or(devices.to_string())
        };
        wait_for("a to be proposed to c", PATIENCE, || by_b(&c, &a_id));
        wait_for("c to be proposed to a", PATIENCE, || by_b(&a, &c_id));
        session.say("Said before a and c approved each other");
        is_safe(&session, [&a, &b]);
        assert!(
            c.session(TOOL, &session.id).is_err(),
            "c knows a session of a device that it did not approve"
        );
        let of_a = c.roam_home.join("vault").join(short(&a));
        assert!(
            !of_a.exists(),
            "c has a folder of a device that it did not approve"
        );

        a.roam(&["approve", c_id.as_str().expect("an id")]);
        c.roam(&["approve", a_id.as_str().expect("an id")]);
        is_safe(&session, [&b, &c]);
        session.say("More, when everybody is there");
        is_safe(&session, [&b, &c]);
        wait_for("b to have what c does not want", PATIENCE, || {
            b.session("codex", &codex).map(drop)
        });
        assert!(
            !below(&b.roam_home.join("vault"), "codex").is_empty(),
            "it would be seen if it were there"
        );
        let unwanted = [
            below(&c.roam_home.join("vault"), "codex"),
            below(&c.home, ".codex"),
        ]
        .concat();
        assert!(unwanted.is_empty(), "Codex is off on c: {unwanted:?}");
        for device in [&b, &c] {
            let told = device.session(TOOL, &secret.id);
            assert!(
                told.is_err(),
                "{} knows a session of an excluded project: {told:?}",
                device.name
            );
        }
        let journal = a.try_roam(&["journal", &secret.id]);
        assert!(
            journal
                .as_ref()
                .map_or(true, |rows| rows == &serde_json::json!([])),
            "it is not even in the vault: {journal:?}"
        );

        is_connected(&c, &a);
        b.stop();
        session.say("And now straight to c");
        is_safe(&session, [&a, &c]);

        // F4: a revokes c while b is away. Once b has received the revocation, b sends nothing to
        // c, not even its own sessions.
        a.roam(&["revoke", c_id.as_str().expect("an id"), "--yes"]);
        b.start();
        wait_for("b to hear that c was revoked", PATIENCE, || {
            let devices = b.roam(&["devices"]);
            // Names this device until its Syncthing sends nothing more.
            let is_over = |row: &serde_json::Value| row["not_heard"] == serde_json::json!([]);
            rows(&devices["revoked"])
                .any(|row| row["id"] == c_id && is_over(row))
                .then_some(())
                .ok_or(devices.to_string())
        });
        session.say("Said after c was revoked");
        let later = Session::begin(&b, 7, 3);
        is_safe(&session, [&a, &b]);
        is_safe(&later, [&a, &b]);
        assert!(
            c.session(TOOL, &later.id).is_err(),
            "c got a session that was begun after its revocation"
        );
        let at_c = fs::read(session.on(&c)).expect("what c has");
        assert!(
            !contains(&at_c, b"Said after c was revoked"),
            "c got words that were said after its revocation"
        );
        a.stop();
        b.stop();
        c.stop();
    });
}

fn contains(bytes: &[u8], words: &[u8]) -> bool {
    bytes.windows(words.len()).any(|window| window == words)
}

#[test]
fn an_engine_killed_at_any_moment_loses_no_line() {
    alone(|| {
        const KILLS: u32 = 16;
        let place = Place::empty();
        let (mut desk, mut laptop) = place.pair();
        let session = Session::begin(&desk, 1, 1);
        let done = AtomicBool::new(false);
        let written = std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                let mut lines = 0;
                while !done.load(Ordering::Relaxed) {
                    session.say(&format!("Written {lines}"));
                    lines += 1;
                    sleep(Duration::from_millis(7));
                }
                lines
            });
            for kill in 0..KILLS {
                // Never twice at the same moment: from before the first write to well after the
                // hundredth.
                sleep(Duration::from_millis(u64::from(40 + kill * 157 % 900)));
                desk.kill();
                desk.launch();
            }
            done.store(true, Ordering::Relaxed);
            writer.join().expect("the writer")
        });
        desk.wait_ready();
        is_safe(&session, [&desk, &laptop]);
        let text =
            String::from_utf8(fs::read(session.on(&laptop)).expect("it is there")).expect("UTF-8");
        let numbers = text
            .lines()
            .skip(1)
            .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("whole"));
        let said: Vec<String> = numbers
            .map(|line| line["message"]["content"].as_str().expect("text").into())
            .collect();
        assert_eq!(
            said,
            (0..written)
                .map(|at| format!("Written {at}"))
                .collect::<Vec<_>>()
        );
        println!("{written} lines, {KILLS} kills");

        wait_for(
            "one Syncthing to be left",
            PATIENCE,
            || match syncthings_of(&desk).len() {
                // 1.x runs under its own monitor unless told otherwise; ours is a single process.
                1 => Ok(()),
                n => Err(format!("{n} run")),
            },
        );
        desk.kill();
        wait_for(
            "no Syncthing to outlive its engine",
            PATIENCE,
            || match syncthings_of(&desk) {
                left if left.is_empty() => Ok(()),
                left => Err(format!("{left:?} still run")),
            },
        );
        desk.start();
        laptop.stop();
        desk.stop();
    });
}

#[test]
fn a_killed_syncthing_is_started_again() {
    alone(|| {
        let place = Place::empty();
        let (mut desk, mut laptop) = place.pair();
        let session = Session::begin(&desk, 1, 3);
        let mut pid = desk.roam(&["status"])["syncthing"]["pid"]
            .as_u64()
            .expect("it runs");
        for kill in 0..3 {
            signal("-KILL", pid);
            session.say(&format!(
                "Said while Syncthing was dead for the {kill}th time"
            ));
            pid = wait_for("another Syncthing to run", PATIENCE, || {
                let status = desk.roam(&["status"]);
                let next = status["syncthing"]["pid"]
                    .as_u64()
                    .filter(|next| *next != pid);
                next.ok_or_else(|| status["syncthing"].to_string())
            });
            arrives(&session, &laptop);
        }
        desk.wait_ready();
        is_safe(&session, [&desk, &laptop]);
        desk.stop();
        laptop.stop();
    });
}

#[test]
fn a_full_disk_under_session_roam_is_told_and_survived() {
    alone(|| {
        let place = Place::empty();
        let disk = place.small_disk(&place.path().join("roam-desk"), 48);
        let (mut desk, mut laptop) = place.pair();
        let session = Session::begin(&desk, 1, 10);
        is_safe(&session, [&desk, &laptop]);
        disk.fill();
        for at in 0..20 {
            session.say(&format!(
                "Said with no room left, {at}: {}",
                noise(9000, at)
            ));
            sleep(Duration::from_millis(50));
        }
        let other = Session::begin(&desk, 2, 5);
        is_told(&desk, "not_recorded");
        assert_eq!(desk.roam(&["status"])["engine"], "running");

        disk.empty();
        // Nothing touches the sessions any more: they are recorded without a new event.
        is_safe(&session, [&desk, &laptop]);
        is_safe(&other, [&desk, &laptop]);
        is_over(&desk, "not_recorded");
        session.say("Room again");
        is_safe(&session, [&desk, &laptop]);
        is_over(&desk, "state_unwritable");
        desk.stop();
        laptop.stop();
        drop((desk, laptop));
    });
}

#[test]
fn a_full_disk_at_the_receiver_is_told_and_survived() {
    alone(|| {
        let place = Place::empty();
        let disk = place.small_disk(&place.path().join("roam-laptop"), 48);
        let (mut desk, mut laptop) = place.pair();
        let session = Session::begin(&desk, 1, 10);
        is_safe(&session, [&desk, &laptop]);
        disk.fill();
        (0..10).for_each(|at| {
            session.say(&format!(
                "Sent where no room is left, {at}: {}",
                noise(40_000, at)
            ))
        });
        let other = Session::begin(&desk, 2, 5);
        is_told(&laptop, "disk_full");
        is_in_journals(&session.bytes(), &session, &desk);
        assert!(
            desk.roam(&["status"])["problems"] == serde_json::json!([]),
            "the sender has no problem"
        );

        disk.empty();
        is_safe(&session, [&desk, &laptop]);
        is_safe(&other, [&desk, &laptop]);
        is_over(&laptop, "disk_full");
        session.say("Room again");
        is_safe(&session, [&desk, &laptop]);
        desk.stop();
        laptop.stop();
        drop((desk, laptop));
    });
}

#[test]
fn a_full_disk_under_the_tools_store_makes_a_session_wait() {
    alone(|| {
        let place = Place::empty();
        let (mut desk, mut laptop) = place.pair();
        let disk = place.small_disk(&projects(&laptop), 2);
        disk.fill();
        let session = Session::begin(&desk, 1, 1);
        session.say(&noise(900_000, 1));
        is_told(&laptop, "unwritable");
        is_in_journals(&session.bytes(), &session, &laptop);
        let half = files_below(&projects(&laptop))
            .into_iter()
            .filter(|file| !file.ends_with("ballast"));
        assert_eq!(
            half.collect::<Vec<_>>(),
            [""; 0].map(std::path::PathBuf::from),
            "nothing half written is left"
        );
        disk.empty();
        is_safe(&session, [&desk, &laptop]);
        session.say("Room again");
        is_safe(&session, [&desk, &laptop]);
        is_over(&laptop, "unwritable");
        desk.stop();
        laptop.stop();
    });
}

#[test]
fn a_deleted_vault_comes_back() {
    alone(|| {
        let place = Place::empty();
        let (mut desk, mut laptop) = place.pair();
        let (mine, yours) = (Session::begin(&desk, 1, 30), Session::begin(&laptop, 2, 30));
        is_safe(&mine, [&desk, &laptop]);
        is_safe(&yours, [&laptop, &desk]);
        let (desk_short, laptop_short) = (short(&desk), short(&laptop));
        let all = |owner: &str| vault(if owner == desk_short { &desk } else { &laptop }, owner);
        let (of_desk, of_laptop) = (all(&desk_short), all(&laptop_short));
        assert!(!of_desk.is_empty() && !of_laptop.is_empty());
        let whole_vault = desk.roam_home.join("vault");
        let is_back = |desk: &Device, laptop: &Device| {
            wait_for("the vaults to be whole again", PATIENCE, || {
                for (owner, files) in [(&desk_short, &of_desk), (&laptop_short, &of_laptop)] {
                    for device in [desk, laptop] {
                        let found = vault(device, owner);
                        // A journal may have grown; no part of it may be missing.
                        let lacks = files.iter().find(|(name, bytes)| {
                            !found
                                .iter()
                                .any(|(other, there)| other == name && there.starts_with(bytes))
                        });
                        if let Some((name, _)) = lacks {
                            return Err(format!(
                                "{} of {owner} is not on {}",
                                name.display(),
                                device.name
                            ));
                        }
                    }
                }
                Ok(())
            });
        };

        for part in [
            Path::new(&desk_short).join("live"),
            desk_short.clone().into(),
            laptop_short.clone().into(),
            "".into(),
        ] {
            fs::remove_dir_all(whole_vault.join(&part)).expect("it was there");
            mine.say(&format!(
                "Said after {part:?} was deleted while the engine ran"
            ));
            yours.say("And an answer");
            is_told(&desk, "vault_lost");
            is_back(&desk, &laptop);
            is_safe(&mine, [&desk, &laptop]);
            is_safe(&yours, [&laptop, &desk]);
        }
        for part in [
            Path::new(&desk_short).join("live"),
            laptop_short.clone().into(),
            "".into(),
        ] {
            desk.stop();
            fs::remove_dir_all(whole_vault.join(&part)).expect("it was there");
            mine.say(&format!(
                "Said after {part:?} was deleted while the engine was stopped"
            ));
            yours.say("And an answer");
            desk.start();
            wait_for("the deletion to be told", PATIENCE, || {
                let told = says(&desk, "vault_restored") || says(&desk, "vault_lost");
                if told {
                    Ok(())
                } else {
                    Err(desk.roam(&["status"]).to_string())
                }
            });
            is_back(&desk, &laptop);
            is_safe(&mine, [&desk, &laptop]);
            is_safe(&yours, [&laptop, &desk]);
        }
        desk.stop();
        laptop.stop();
    });
}

#[test]
fn a_broken_syncthing_home_is_mended() {
    alone(|| {
        let place = Place::empty();
        let (mut desk, mut laptop) = place.pair();
        let session = Session::begin(&desk, 1, 5);
        is_safe(&session, [&desk, &laptop]);
        let home = desk.roam_home.join("syncthing");
        let id = desk.roam(&["device"])["id"].clone();

        desk.stop();
        let databases = || {
            let entries = fs::read_dir(&home)
                .expect("a home")
                .flatten()
                .map(|entry| entry.path());
            let is_one = |path: &std::path::PathBuf| {
                path.file_name()
                    .is_some_and(|name| name == "index-v0.14.0.db" || name == "index-v2")
            };
            entries.filter(is_one).collect::<Vec<_>>()
        };
        assert_eq!(
            databases().len(),
            1,
            "there is a database in {}",
            home.display()
        );
        // 1.x repairs this by itself, 2.x does not: in both cases sync continues.
        files_below(&databases()[0])
            .iter()
            .for_each(|file| fs::write(file, noise(5000, 3)).expect("a file"));
        session.say("Said while the database was garbage");
        desk.start();
        is_safe(&session, [&desk, &laptop]);

        desk.stop();
        let database = databases().remove(0);
        fs::remove_dir_all(&database).expect("it is a directory");
        write(&database, "no database at all");
        session.say("Said while a file was where the database should be");
        desk.start();
        is_told(&desk, "database_rebuilt");
        is_safe(&session, [&desk, &laptop]);

        desk.stop();
        let config = fs::read(home.join("config.xml")).expect("a config");
        fs::write(home.join("config.xml"), &config[..config.len() / 2]).expect("a file");
        session.say("Said while the config was half there");
        desk.start();
        is_safe(&session, [&desk, &laptop]);

        desk.stop();
        fs::remove_file(home.join("cert.pem")).expect("a certificate");
        fs::remove_file(home.join("key.pem")).expect("a key");
        session.say("Said while the keys were gone");
        desk.start();
        assert_eq!(
            desk.roam(&["device"])["id"],
            id,
            "the kept keys are the same device"
        );
        is_safe(&session, [&desk, &laptop]);
        desk.stop();
        laptop.stop();
    });
}

#[test]
fn a_device_whose_key_is_lost_writes_nothing() {
    alone(|| {
        let place = Place::empty();
        let (mut desk, mut laptop) = place.pair();
        let session = Session::begin(&desk, 1, 5);
        is_safe(&session, [&desk, &laptop]);
        let owner = short(&desk);
        desk.stop();
        let home = desk.roam_home.join("syncthing");
        for file in [
            "cert.pem",
            "key.pem",
            "last-good/cert.pem",
            "last-good/key.pem",
        ] {
            fs::remove_file(home.join(file)).expect("it was there");
        }
        let before = vault(&desk, &owner);
        session.say("Said by a device that is none any more");
        for _ in 0..2 {
            is_refused(&desk, &["run"], "device_id_changed");
        }
        assert_eq!(vault(&desk, &owner), before);
        let owners = fs::read_dir(desk.roam_home.join("vault"))
            .expect("a vault")
            .count();
        assert_eq!(owners, 2, "no other device appeared");
        assert_eq!(desk.roam(&["status"])["engine"], "stopped");
        assert_eq!(
            laptop.session(TOOL, &session.id).expect("it is listed")["state"],
            "here"
        );
        laptop.stop();
    });
}

#[test]
fn ports_taken_by_others_stop_nothing() {
    alone(|| {
        let place = Place::empty();
        let (mut desk, mut laptop) = place.pair();
        let session = Session::begin(&desk, 1, 5);
        is_safe(&session, [&desk, &laptop]);

        let rest: serde_json::Value = {
            let file = desk.roam_home.join("syncthing/roam-child.json");
            serde_json::from_slice(&fs::read(file).expect("how to reach it")).expect("JSON")
        };
        let address = rest["address"].as_str().expect("an address").to_owned();
        let socket = PathBuf::from(address.strip_prefix("unix:").expect("a socket"));
        desk.stop();
        // A socket as a crash leaves it, on which another program listens.
        drop(fs::remove_file(&socket));
        let taken = UnixListener::bind(&socket).expect("it is free now");
        session.say("Said while another program had the socket of the interface");
        desk.start();
        is_safe(&session, [&desk, &laptop]);
        drop(taken);

        // The laptop knows no address of the desk, so the desk must dial.
        desk.stop();
        let taken = TcpListener::bind(("127.0.0.1", desk.port)).expect("it is free now");
        session.say("Said while another program had the port others call");
        desk.start();
        is_told(&desk, "port_in_use");
        is_safe(&session, [&desk, &laptop]);
        drop(taken);
        is_over(&desk, "port_in_use");
        desk.stop();
        laptop.stop();
    });
}

#[test]
fn a_second_engine_on_one_home_is_refused() {
    alone(|| {
        let place = Place::empty();
        let mut desk = place.device("desk");
        desk.start();
        let pid = desk.pid();
        is_refused(&desk, &["run"], "already_running");
        assert_eq!(desk.roam(&["status"])["engine"], "running");
        let session = Session::begin(&desk, 1, 2);
        is_in_journals(&session.bytes(), &session, &desk);
        assert_eq!(desk.pid(), pid);
        assert_eq!(syncthings_of(&desk).len(), 1);
        desk.stop();
    });
}

#[test]
fn an_emptied_store_is_held_and_nobody_else_loses_anything() {
    alone(|| {
        let place = Place::empty();
        let (mut desk, mut laptop) = place.pair();
        let sessions: Vec<Session> = (1..=30)
            .map(|number| Session::begin(&desk, number, 3))
            .collect();
        sessions
            .iter()
            .for_each(|session| arrives(session, &laptop));
        let contents: Vec<Vec<u8>> = sessions.iter().map(Session::bytes).collect();
        let everything_is_on_the_laptop = |laptop: &Device| {
            for (session, bytes) in sessions.iter().zip(&contents) {
                assert_eq!(
                    fs::read(session.on(laptop)).ok().as_ref(),
                    Some(bytes),
                    "{}",
                    session.id
                );
            }
        };
        let store = projects(&desk);
        let (aside, what) = (desk.home.join("aside"), format!("tool:{TOOL}"));

        fs::rename(&store, &aside).expect("the store moves away");
        let held = is_told(&desk, "tool_emptied");
        assert_eq!(held["what"], what.as_str());
        everything_is_on_the_laptop(&laptop);
        fs::rename(&aside, &store).expect("the store comes back");
        is_over(&desk, "tool_emptied");
        sessions[0].say("All is well");
        is_safe(&sessions[0], [&desk, &laptop]);

        fs::remove_dir_all(&store).expect("the store goes");
        is_told(&desk, "tool_emptied");
        desk.stop();
        desk.start();
        is_told(&desk, "tool_emptied");
        desk.roam(&["release", &what]);
        is_over(&desk, "tool_emptied");
        sleep(Duration::from_secs(1));
        assert!(
            files_below(&store).is_empty(),
            "a deletion that was meant is not undone"
        );
        let last = fs::read(sessions[0].on(&laptop)).expect("it is there");
        assert!(last.starts_with(&contents[0]));
        for (session, bytes) in sessions.iter().zip(&contents).skip(1) {
            assert_eq!(
                fs::read(session.on(&laptop)).ok().as_ref(),
                Some(bytes),
                "{}",
                session.id
            );
            is_in_journals(bytes, session, &desk);
        }
        assert!(!says(&laptop, "tool_emptied"));
        // Continuing a session brings it back.
        sessions[5].say_on(&laptop, "Gone on with elsewhere");
        holds(
            &sessions[5].file,
            &fs::read(sessions[5].on(&laptop)).expect("it is there"),
        );
        desk.stop();
        laptop.stop();
    });
}

#[test]
fn a_store_that_cannot_be_written_makes_a_session_wait() {
    alone(|| {
        let place = Place::empty();
        let (mut desk, mut laptop) = place.pair();
        // File modes do not stop root; a file in the directory's place stops everybody.
        let session_dir = projects(&laptop).join(slug(&laptop.checkout));
        write(&session_dir, "in the way");
        let session = Session::begin(&desk, 1, 4);
        is_told(&laptop, "unwritable");
        is_in_journals(&session.bytes(), &session, &laptop);
        session.say("Said while it waits");
        is_in_journals(&session.bytes(), &session, &laptop);
        fs::remove_file(&session_dir).expect("it is still there");
        is_safe(&session, [&desk, &laptop]);
        is_over(&laptop, "unwritable");
        desk.stop();
        laptop.stop();
    });
}

#[test]
fn a_safety_copy_that_cannot_be_made_delays_a_session_and_loses_nothing() {
    alone(|| {
        let place = Place::empty();
        let (mut desk, mut laptop) = place.pair();
        let (mine, yours) = (Session::begin(&desk, 1, 4), Session::begin(&laptop, 2, 4));
        is_safe(&mine, [&desk, &laptop]);
        is_safe(&yours, [&laptop, &desk]);
        let kept = laptop.roam_home.join("kept");
        let aside = laptop.roam_home.join("kept-aside");
        fs::rename(&kept, &aside).expect("it is there");
        write(&kept, "in the way");
        (0..5).for_each(|at| {
            mine.say(&format!(
                "Said by the desk while the laptop cannot keep it, {at}"
            ))
        });
        is_told(&laptop, "journal_unreadable");
        (0..5).for_each(|at| yours.say(&format!("Said by the laptop meanwhile, {at}")));
        is_told(&laptop, "not_recorded");
        fs::remove_file(&kept)
            .and_then(|()| fs::rename(&aside, &kept))
            .expect("it goes back");
        is_safe(&mine, [&desk, &laptop]);
        is_safe(&yours, [&laptop, &desk]);
        is_over(&laptop, "journal_unreadable");
        is_over(&laptop, "not_recorded");
        desk.stop();
        laptop.stop();
    });
}

#[test]
fn a_clock_an_hour_off_changes_nothing() {
    alone(|| {
        let place = Place::empty();
        let (mut desk, mut laptop) = (place.device("desk"), place.device("laptop"));
        let library = another_clock(&place.path());
        for (device, seconds) in [(&mut desk, "-3600"), (&mut laptop, "3600")] {
            device
                .variables
                .insert("LD_PRELOAD".into(), library.display().to_string());
            device
                .variables
                .insert("SECONDS_OFF".into(), seconds.into());
            device.start();
        }
        pair(&desk, &laptop);
        let session = Session::begin(&desk, 1, 4);
        is_safe(&session, [&desk, &laptop]);
        for round in 0..3 {
            session.say_on(&laptop, &format!("From the future, {round}"));
            holds(
                &session.file,
                &fs::read(session.on(&laptop)).expect("it is there"),
            );
            session.say(&format!("From the past, {round}"));
            arrives(&session, &laptop);
        }
        is_safe(&session, [&desk, &laptop]);
        let last = |device: &Device| {
            device.roam(&["history", &session.id])[0]["at"]
                .as_str()
                .expect("a time")
                .to_owned()
        };
        assert!(
            last(&desk) < last(&laptop),
            "the clocks do differ: {} and {}",
            last(&desk),
            last(&laptop)
        );
        assert_eq!(desk.roam(&["status"])["splits"], 0);
        desk.stop();
        laptop.stop();
    });
}

#[test]
fn without_a_working_syncthing_the_user_is_told() {
    alone(|| {
        let place = Place::empty();
        let mut desk = place.device("desk");
        let bin = place.path().join("bin").display().to_string();
        let config = desk.roam_home.join("config.toml");
        let settings = fs::read_to_string(&config).expect("a config");
        let with_binary = |binary: &str| {
            let lines = settings.lines().filter(|line| !line.starts_with("binary"));
            let text: Vec<&str> = lines.collect();
            fs::write(
                &config,
                text.join("\n")
                    .replace("[syncthing]", &format!("[syncthing]\n{binary}")),
            )
            .expect("a config");
        };

        with_binary("");
        desk.variables.insert("PATH".into(), bin.clone());
        is_refused(&desk, &["run"], "syncthing_missing");
        desk.variables.remove("PATH");
        with_binary("binary = \"/bin/true\"");
        is_refused(&desk, &["run"], "syncthing_wrong_binary");
        with_binary("binary = \"/nowhere/syncthing\"");
        is_refused(&desk, &["run"], "syncthing_missing");
        fs::write(&config, &settings).expect("a config");
        desk.start();
        desk.stop();

        // A device that has its keys already continues to record, and reports what is missing.
        for (binary, path, code) in [
            ("", true, "syncthing_missing"),
            ("binary = \"/bin/true\"", false, "syncthing_wrong_binary"),
        ] {
            with_binary(binary);
            if path {
                desk.variables.insert("PATH".into(), bin.clone());
            } else {
                desk.variables.remove("PATH");
            }
            desk.launch();
            is_told(&desk, code);
            let session = Session::begin(&desk, if path { 1 } else { 2 }, 3);
            is_in_journals(&session.bytes(), &session, &desk);
            desk.stop();
        }
        fs::write(&config, &settings).expect("a config");
        desk.start();
        assert!(!says(&desk, "syncthing_missing"));
        desk.stop();
    });
}

#[test]
fn a_first_import_can_be_stopped_and_goes_on() {
    alone(|| {
        const SESSIONS: u32 = 100;
        let place = Place::empty();
        let mut desk = place.device("desk");
        let sessions: Vec<Session> = (1..=SESSIONS)
            .map(|number| Session::begin(&desk, number, 400))
            .collect();
        desk.start();
        desk.stop();
        // The keys exist now, so a start is about the import alone; without the state, the import
        // begins again.
        assert!(
            desk.roam_home.join("state.sqlite").exists(),
            "this test knows where the state is"
        );
        for file in ["state.sqlite", "state.sqlite-wal", "state.sqlite-shm"] {
            let _ = fs::remove_file(desk.roam_home.join(file));
        }
        let _ = fs::remove_dir_all(desk.roam_home.join("vault"));
        let _ = fs::remove_dir_all(desk.roam_home.join("kept"));
        let mut seen = false;
        for stop in ["-TERM", "-INT", "-TERM"] {
            desk.launch();
            let moving = wait_for("the import to be under way", PATIENCE, || {
                let status = desk.try_roam(&["status"])?;
                let moving = status["moving"].clone();
                let (done, total) = (
                    moving["import_done"].as_u64(),
                    moving["import_total"].as_u64(),
                );
                // Before its stores are listed, the engine runs and has counted nothing.
                let is_over = status["engine"] == "running" && moving["queued"] == 0;
                if done.is_some_and(|done| 0 < done) || is_over {
                    Ok((done, total))
                } else {
                    Err(status.to_string())
                }
            });
            seen |= matches!(moving, (Some(done), Some(total)) if 0 < done && done <= total && total == u64::from(SESSIONS));
            signal(stop, desk.pid());
            let status = desk.wait_end(Duration::from_secs(60));
            assert_eq!(
                status.code(),
                Some(0),
                "after {stop}: {status}\n{}",
                desk.log_text()
            );
        }
        assert!(seen, "the status counts what is imported");
        desk.start();
        wait_for("all sessions to be listed", PATIENCE, || {
            let listed = desk.roam(&["sessions"]);
            let here = rows(&listed).filter(|row| row["state"] == "here").count();
            if here == sessions.len() {
                Ok(())
            } else {
                Err(format!("{here} are here"))
            }
        });
        sessions
            .iter()
            .step_by(9)
            .for_each(|session| is_in_journals(&session.bytes(), session, &desk));
        desk.stop();
    });
}

#[test]
fn a_huge_session_arrives_byte_for_byte() {
    alone(|| {
        let place = Place::empty();
        let (mut desk, mut laptop) = (
            place.device_at(
                "desk",
                "Projekte mit Ümlaut & Leerzeichen/Čeština 日本語 🦀/api",
            ),
            place.device_at("laptop", "ここ に/it's \"quoted\" api"),
        );
        desk.start();
        laptop.start();
        pair(&desk, &laptop);
        let session = Session::begin(&desk, 1, 2);
        let line = noise(1 << 20, 7);
        (0..100).for_each(|at| session.say(&format!("{at} Ünïcode 🦀 {line}")));
        let bytes = session.bytes();
        assert!(100 << 20 <= bytes.len());
        let begun = Instant::now();
        holds(&session.on(&laptop), &bytes);
        println!(
            "{} MB arrived after {:?}",
            bytes.len() >> 20,
            begun.elapsed()
        );
        session.say("One line more");
        let begun = Instant::now();
        arrives(&session, &laptop);
        println!("a line more after {:?}", begun.elapsed());
        is_in_journals(&session.bytes(), &session, &laptop);
        desk.stop();
        laptop.stop();
    });
}

fn is_connected(device: &Device, other: &Device) {
    let id = other.roam(&["device"])["id"].clone();
    wait_for(
        &format!("{} to be connected to {}", device.name, other.name),
        PATIENCE,
        || {
            let devices = device.roam(&["devices"]);
            let connected =
                rows(&devices["paired"]).any(|row| row["id"] == id && row["connected"] == true);
            if connected {
                Ok(())
            } else {
                Err(devices.to_string())
            }
        },
    );
}

/// A session of Codex, as in the adapter's own tests; returns its id.
fn codex_session(device: &Device) -> String {
    let fixture =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/tools/codex/plain/home");
    let files = files_below(&fixture);
    let from = files.first().expect("the fixture has a file");
    let to = device
        .home
        .join(from.strip_prefix(&fixture).expect("found below it"));
    write(&to, &fs::read_to_string(from).expect("a fixture"));
    let stem = from
        .file_stem()
        .and_then(|stem| stem.to_str())
        .expect("session files have plain names");
    stem[stem.len() - 36..].to_owned()
}

fn below(dir: &Path, word: &str) -> Vec<std::path::PathBuf> {
    let has_word = |file: &std::path::PathBuf| {
        file.strip_prefix(dir)
            .is_ok_and(|rest| rest.components().any(|part| part.as_os_str() == word))
    };
    files_below(dir).into_iter().filter(has_word).collect()
}

/// Text that does not compress to nothing, the same on each call.
fn noise(letters: usize, seed: u32) -> String {
    let mut state = u64::from(seed) * 2 + 1;
    let next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        char::from(b'!' + 1 + u8::try_from((state >> 33) % 90).expect("below 90"))
    };
    std::iter::repeat_with(next).take(letters).collect()
}

/// A library to preload into a program, which shifts the wall clock that the program sees. The
/// Syncthings keep the real clock: Go does not ask the C library.
fn another_clock(dir: &Path) -> std::path::PathBuf {
    const SOURCE: &str = r#"
        #[repr(C)] pub struct Time { seconds: i64, nanos: i64 }
        extern "C" {
            fn syscall(number: i64, ...) -> i64;
            fn getenv(name: *const u8) -> *const u8;
            fn atoi(text: *const u8) -> i32;
        }
        #[no_mangle] pub unsafe extern "C" fn clock_gettime(clock: i32, time: *mut Time) -> i32 {
            let number = if cfg!(target_arch = "aarch64") { 113 } else { 228 };
            let answer = syscall(number, clock, time);
            let off = getenv(b"SECONDS_OFF\0".as_ptr());
            if clock == 0 && !off.is_null() { (*time).seconds += atoi(off) as i64; }
            answer as i32
        }
    "#;
    let (source, library) = (dir.join("clock.rs"), dir.join("libclock.so"));
    write(&source, SOURCE);
    let mut rustc = Command::new("rustc");
    rustc
        .args([
            "--edition=2021",
            "--crate-type=cdylib",
            "-Cpanic=abort",
            "-o",
        ])
        .arg(&library)
        .arg(&source);
    let ended = run_within(Duration::from_secs(60), rustc, dir);
    assert!(ended.status.success(), "rustc: {}", ended.told());
    library
}
