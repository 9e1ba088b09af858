//! Search over the sessions of all devices: what arrived is found, what was forgotten or revoked is
//! not, and one session is one result.

use super::splits::Parted;
use super::talk::{ONE, THREE, TWO, id, item, linked, meta, turn};
use super::world::{Device, START, World, tree};
use session_roam_core::api::{Done, Request, RevokeAnswer, Search, SearchHit, Shown};
use session_roam_core::engine::event::Event;
use session_roam_core::session::Millis;
use session_roam_core::syncthing::Notice;
use std::fs;
use std::path::PathBuf;

fn search(device: &mut Device, words: &str) -> Search {
    device.ask(Request::Search {
        words: format!("{words} "),
        limit: None,
        devices: None,
    })
}

pub fn hits(device: &mut Device, words: &str) -> Vec<String> {
    let hits = search(device, words).hits.into_iter();
    hits.map(|hit| hit.session).collect()
}

fn texts(hit: &SearchHit) -> Vec<String> {
    let text = |parts: &[session_roam_core::api::Marked]| {
        parts
            .iter()
            .map(|part| part.text.as_str())
            .collect::<String>()
    };
    hit.snippets.iter().map(|one| text(&one.text)).collect()
}

/// Two paired devices that both search, and their checkouts of one project.
fn both() -> (World, PathBuf, PathBuf) {
    let (mut world, here, there) = World::pair_of_devices();
    world.devices.iter_mut().for_each(Device::searches);
    (world, here, there)
}

#[test]
fn a_message_is_found_on_the_other_device_and_leads_to_itself() {
    let (mut world, here, _) = both();
    let path = world.devices[0].transcript(&here, ONE);
    world.devices[0].say(&path, turn(&here, ONE, "the login page flickers"));
    world.deliver();
    world.devices[0].say(&path, turn(&here, ONE, "try the session_token cache"));
    world.deliver();
    for device in &mut world.devices {
        for words in [
            "flickers",
            "session_token",
            "token",
            "\"login page\"",
            "device:desk login",
        ] {
            assert_eq!(hits(device, words), [ONE], "{words} on {}", device.name);
        }
        let found = search(device, "token");
        let snippet = &found.hits[0].snippets[0];
        assert_eq!(texts(&found.hits[0]), ["try the session_token cache"]);
        assert_eq!(snippet.device.as_deref(), Some("desk"));
        let shown: Shown = device.ask(Request::Show {
            session: found.hits[0].session.clone(),
            from: snippet.message,
            rows: Some(1),
        });
        assert_eq!(shown.messages[0].text, "try the session_token cache");
        assert!(hits(device, "device:lap login").is_empty());
        let only = |name: &str| Request::Search {
            words: "login device:desk ".into(),
            limit: None,
            devices: Some(vec![name.to_owned()]),
        };
        let (all, none): (Search, Search) = (device.ask(only("DESK")), device.ask(only("des")));
        assert_eq!((all.total, none.total), (1, 0), "{}", device.name);
    }
}

/// Few sessions each time, as they come, made an index of many small parts.
#[test]
fn sessions_that_arrive_in_numbers_are_read_together_and_what_changes_at_once() {
    let (mut world, here, _) = both();
    let path = world.devices[0].transcript(&here, ONE);
    world.devices[0].say(&path, turn(&here, ONE, "the login page flickers"));
    world.deliver();
    let much = |bytes| Event::Transport(Notice::Incoming { bytes });
    world.devices[1].tell(much(50_000_000));
    let other = world.devices[0].transcript(&here, TWO);
    world.devices[0].say(&other, turn(&here, TWO, "the index of crates"));
    world.devices[0].say(&path, turn(&here, ONE, "the session_token cache"));
    world.deliver();
    let device = &mut world.devices[1];
    assert_eq!(hits(device, "session_token"), [ONE]);
    let found = search(device, "crates");
    assert!(found.hits.is_empty() && found.indexing.is_some());
    // What is on its way may be stuck.
    device.poll();
    assert_eq!(hits(device, "crates"), [TWO]);
    let third = world.devices[0].transcript(&here, THREE);
    world.devices[0].say(&third, turn(&here, THREE, "a queue of parcels"));
    world.deliver();
    let device = &mut world.devices[1];
    assert!(hits(device, "parcels").is_empty());
    device.tell(much(0));
    device.settle();
    assert_eq!(hits(device, "parcels"), [THREE]);
    assert!(search(device, "parcels").indexing.is_none());
}

/// The engine ended after the index had been emptied, and before it was filled.
#[test]
fn an_index_that_was_emptied_and_never_filled_is_filled() {
    let (mut world, here, _) = both();
    let path = world.devices[0].transcript(&here, ONE);
    world.devices[0].say(&path, turn(&here, ONE, "the login page flickers"));
    world.deliver();
    let device = &mut world.devices[0];
    assert_eq!(hits(device, "flickers"), [ONE]);
    device.stop();
    let dir = device.roam.join("search");
    let about = fs::read(dir.join("about")).expect("the index has a name");
    drop(session_roam_search::Index::open(&dir, "another").expect("an empty one"));
    fs::write(dir.join("about"), about).expect("named as before");
    device.start();
    assert_eq!(hits(device, "flickers"), [ONE]);
}

#[test]
fn a_session_that_both_devices_continue_is_found_once() {
    let (mut world, here, there) = both();
    let (path, other) = (
        world.devices[0].transcript(&here, ONE),
        world.devices[1].transcript(&there, ONE),
    );
    for number in 0..6 {
        let (at, path, dir) = [(0, &path, &here), (1, &other, &there)][number % 2];
        let line = turn(dir, ONE, &format!("gamma step{number}"));
        world.devices[at].say(path, line);
        world.deliver();
    }
    for device in &mut world.devices {
        let found = search(device, "gamma");
        assert_eq!((found.total, found.hits[0].session.as_str()), (1, ONE));
        for number in 0..6 {
            let found = search(device, &format!("step{number}"));
            assert_eq!(found.total, 1, "{number} on {}", device.name);
            let snippets = &found.hits[0].snippets;
            assert_eq!(snippets.len(), 1, "each message is in the index once");
            assert_eq!(snippets[0].message, number as u64);
        }
    }
}

#[test]
fn both_versions_of_a_split_session_are_found() {
    let mut parted = Parted::claude();
    parted.world.devices.iter_mut().for_each(Device::searches);
    let mut parted = parted.met();
    for device in &mut parted.world.devices {
        assert!(!hits(device, "\"from desk\"").is_empty(), "{}", device.name);
        assert!(!hits(device, "\"from lap\"").is_empty(), "{}", device.name);
        assert!(!hits(device, "common").is_empty(), "{}", device.name);
    }
}

/// The device that notices a split records the branch of another one: it was found as the author, and
/// `--only-own` returned what another device had written.
#[test]
fn a_branch_is_found_by_the_device_that_wrote_it() {
    let mut parted = Parted::claude();
    parted.world.devices.iter_mut().for_each(Device::searches);
    let mut parted = parted.met();
    for device in &mut parted.world.devices {
        for (author, other) in [("desk", "lap"), ("lap", "desk")] {
            let found = hits(device, &format!("device:{author} \"from {author}\""));
            assert!(!found.is_empty(), "{author} on {}", device.name);
            let wrong = hits(device, &format!("device:{other} \"from {author}\""));
            assert!(wrong.is_empty(), "{author} on {}: {wrong:?}", device.name);
        }
    }
}

/// Whoever decided was found as the author of the other device's turns.
#[test]
fn what_a_decision_appended_is_found_by_the_device_that_wrote_it() {
    let mut parted = Parted::codex();
    parted.world.devices.iter_mut().for_each(Device::searches);
    let mut parted = parted.met();
    parted.resolve(0, TWO, "stitch").expect("possible");
    parted.world.deliver();
    for device in &mut parted.world.devices {
        let found = hits(device, "device:lap \"from lap\"");
        assert!(found.contains(&TWO.to_owned()), "{found:?}");
        assert!(hits(device, "device:desk \"from lap\"").is_empty());
        let found = hits(device, "device:desk \"from desk\"");
        assert!(found.contains(&TWO.to_owned()), "{found:?}");
    }
}

#[test]
fn one_id_with_two_conversations_gives_both() {
    let (mut world, here, there) = both();
    world.part(0, 1);
    let path = world.devices[0].transcript(&here, ONE);
    world.devices[0].say(&path, linked(&here, ONE, "", "a", "about whales"));
    let path = world.devices[1].transcript(&there, ONE);
    world.devices[1].say(&path, linked(&there, ONE, "", "b", "about falcons"));
    world.meet(0, 1);
    for device in &mut world.devices {
        assert!(!hits(device, "whales").is_empty(), "{}", device.name);
        assert!(!hits(device, "falcons").is_empty(), "{}", device.name);
    }
}

#[test]
fn forgotten_text_is_gone_at_once_and_never_returns_from_a_peer() {
    let (mut world, here, _) = both();
    let path = world.devices[0].transcript(&here, ONE);
    world.devices[0].say(&path, turn(&here, ONE, "the zanzibarkey is secret"));
    let kept = world.devices[0].transcript(&here, TWO);
    world.devices[0].say(&kept, turn(&here, TWO, "nothing special"));
    world.deliver();
    world.part(0, 1);
    let forget = Request::Forget {
        session: ONE.into(),
    };
    let _: serde_json::Value = world.devices[0].ask(forget);
    assert!(hits(&mut world.devices[0], "zanzibarkey").is_empty());
    let _: Done = world.devices[0].ask(Request::Undo { session: None });
    assert_eq!(hits(&mut world.devices[0], "zanzibarkey"), [ONE], "undone");
    let forget = Request::Forget {
        session: ONE.into(),
    };
    let _: serde_json::Value = world.devices[0].ask(forget);
    for device in &mut world.devices {
        device.set_clock(START + 30 * 60_000);
        device.poll();
    }
    // The other device goes on with it before it hears of that.
    let there = world.devices[1].place_of(ONE).expect("checked out");
    let path = world.devices[1].transcript(&there, ONE);
    world.devices[1].say(&path, turn(&there, ONE, "zanzibarkey again"));
    world.meet(0, 1);
    world.devices.iter_mut().for_each(Device::poll);
    world.deliver();
    for device in &mut world.devices {
        assert!(hits(device, "zanzibarkey").is_empty(), "{}", device.name);
        assert_eq!(hits(device, "special"), [TWO]);
        device.start();
        assert!(hits(device, "zanzibarkey").is_empty(), "{}", device.name);
        for (path, bytes) in tree(&device.roam.join("search")) {
            let word = b"zanzibarkey";
            let is_there = bytes.windows(word.len()).any(|window| window == word);
            assert!(!is_there, "{}", path.display());
        }
    }
}

#[test]
fn a_forget_that_is_undone_before_the_index_heard_of_it_changes_nothing() {
    let (mut world, here, _) = both();
    let path = world.devices[0].transcript(&here, ONE);
    world.devices[0].say(&path, turn(&here, ONE, "marzipan"));
    let device = &mut world.devices[0];
    let session = ONE.to_owned();
    for request in [Request::Forget { session }, Request::Undo { session: None }] {
        device.tell(Event::Request(
            request,
            Box::new(|answer| drop(answer.expect("done"))),
        ));
    }
    device.settle();
    assert_eq!(hits(device, "marzipan"), [ONE]);
    device.start();
    assert_eq!(hits(device, "marzipan"), [ONE]);
}

#[test]
fn what_a_revoked_device_wrote_since_a_time_is_not_found() {
    let (mut world, here, there) = both();
    let path = world.devices[0].transcript(&here, ONE);
    world.devices[0].say(&path, turn(&here, ONE, "honest words"));
    world.deliver();
    let since = START + 60_000;
    world.set_clocks(since);
    let path = world.devices[1].transcript(&there, ONE);
    world.devices[1].say(&path, turn(&there, ONE, "stolen pearls"));
    let path = world.devices[1].rollout(THREE);
    world.devices[1].say(&path, meta(&there, THREE) + &item("other pearls"));
    world.deliver();
    assert_eq!(search(&mut world.devices[0], "pearls").total, 2);
    let id = world.devices[1].id.to_string();
    world.devices[0].set_clock(since + 3_600_000);
    let _: RevokeAnswer = world.devices[0].ask(Request::Revoke {
        id,
        since: Some(Millis(since).rfc3339()),
        dry: false,
    });
    let found = search(&mut world.devices[0], "pearls");
    assert_eq!(found.total, 0, "{found:?}");
    assert_eq!(hits(&mut world.devices[0], "honest"), [ONE]);
    world.devices[0].start();
    assert!(hits(&mut world.devices[0], "pearls").is_empty());
    let _: Done = world.devices[0].ask(Request::Undo { session: None });
    world.devices[0].poll();
    assert_eq!(search(&mut world.devices[0], "pearls").total, 2, "undone");
}

#[test]
fn a_lost_index_is_made_anew_and_nothing_is_read_twice() {
    let (mut world, here, _) = both();
    for number in 0..20 {
        let path = world.devices[0].transcript(&here, &id(number));
        world.devices[0].say(
            &path,
            turn(&here, &id(number), &format!("orchid{number} flower")),
        );
    }
    world.deliver();
    let device = &mut world.devices[1];
    assert_eq!(search(device, "flower").total, 20);
    device.stop();
    fs::remove_dir_all(device.roam.join("search")).expect("an index");
    device.start();
    assert_eq!(search(device, "flower").total, 20);
    device.stop();
    fs::write(device.roam.join("search/meta.json"), "damaged").expect("an index");
    device.start();
    assert_eq!(search(device, "flower").total, 20);
    device.stop();
    // The state is lost: the index belongs to another one.
    for suffix in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(device.roam.join(format!("state.sqlite{suffix}")));
    }
    device.start();
    assert_eq!(search(device, "flower").total, 20);
    assert_eq!(hits(device, "orchid7"), [id(7)]);
}

#[test]
fn the_index_is_private_and_in_no_folder_that_syncs() {
    let (mut world, here, _) = both();
    let path = world.devices[0].transcript(&here, ONE);
    world.devices[0].say(&path, turn(&here, ONE, "quince"));
    world.deliver();
    let dir = world.devices[0].roam.join("search");
    assert!(dir.join("meta.json").exists());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(&dir).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }
    assert!(!world.devices[0].roam.join("vault/search").exists());
}

#[test]
fn a_search_that_is_not_understood_says_where() {
    let (mut world, ..) = both();
    let ask = |device: &mut Device, words: &str| {
        let words = words.into();
        device.try_ask(Request::Search {
            words,
            limit: None,
            devices: None,
        })
    };
    let error = ask(&mut world.devices[0], "x after:never").expect_err("no date");
    assert_eq!(error.code.as_str(), "bad_search");
    assert!(error.hint.contains("character 3"), "{}", error.hint);
    let error = ask(&mut world.devices[0], "größe 検索 role:x").expect_err("no role");
    assert!(error.hint.contains("character 10 "), "{}", error.hint);
    let found: Search = serde_json::from_value(ask(&mut world.devices[0], "").expect("empty"))
        .expect("the answer's type");
    assert_eq!(found.total, 0);
}

#[test]
fn search_that_is_off_says_so() {
    let (mut world, ..) = World::pair_of_devices();
    let error = world.devices[0].try_ask(Request::Search {
        words: "x".into(),
        limit: None,
        devices: None,
    });
    assert_eq!(error.expect_err("off").code.as_str(), "search_off");
    assert!(!world.devices[0].roam.join("search").exists());
    world.devices[0].searches();
    assert!(world.devices[0].roam.join("search").exists());
    let path = world.devices[0].roam.join("config.toml");
    let text = fs::read_to_string(&path).expect("settings");
    let (before, after) = text.split_once("[search]").expect("its section");
    let after = after.replacen("on = true", "on = false", 1);
    fs::write(&path, format!("{before}[search]{after}")).expect("settings");
    world.devices[0].start();
    assert!(
        !world.devices[0].roam.join("search").exists(),
        "nothing is left behind"
    );
}
