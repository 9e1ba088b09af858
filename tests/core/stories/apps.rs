//! The store for apps on several devices: what one saves the other loads, and two that add to one
//! session at once get the entries of both.

use super::forget::pass_grace;
use super::world::{Device, World};
use serde_json::{Value, json};
use session_roam_core::api::types::{AppPage, AppRow, AppSession, Done, SearchHit, Shown};
use session_roam_core::api::{AppState, Request};
use std::collections::BTreeSet;

const TOKEN: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// A request of the app `notes`.
fn request(cmd: &str, more: Value) -> Request {
    let mut whole = json!({ "cmd": cmd, "app": "notes", "token": TOKEN, "project": "p" });
    let fields = more.as_object().expect("fields").clone();
    whole.as_object_mut().expect("an object").extend(fields);
    serde_json::from_value(whole).expect("a request")
}

fn append(device: &mut Device, session: &str, entries: &[Value]) {
    append_to(device, session, None, entries);
}

fn append_to(device: &mut Device, session: &str, subpath: Option<&str>, entries: &[Value]) {
    let entries: Vec<String> = entries.iter().map(Value::to_string).collect();
    let more = json!({ "session": session, "subpath": subpath, "entries": entries });
    device.ask::<Value>(request("app_append", more));
    device.settle();
}

fn load(device: &mut Device, session: &str) -> Option<Vec<Value>> {
    load_part(device, session, None)
}

fn load_part(device: &mut Device, session: &str, subpath: Option<&str>) -> Option<Vec<Value>> {
    let more = json!({ "session": session, "subpath": subpath });
    let page: AppPage = device.ask(request("app_load", more));
    assert_eq!(page.next, None);
    let entries = page.entries?.into_iter();
    Some(
        entries
            .map(|text| serde_json::from_str(&text).expect("an entry"))
            .collect(),
    )
}

fn delete(device: &mut Device, session: &str) {
    device.ask::<Value>(request("app_delete", json!({ "session": session })));
    device.settle();
}

fn said(id: &str, text: &str) -> Value {
    json!({ "type": "user", "uuid": id, "message": { "role": "user", "content": text } })
}

/// Two devices on both of which the user allowed the app.
fn allowed() -> World {
    let (mut world, ..) = World::pair_of_devices();
    for device in &mut world.devices {
        allow(device);
    }
    world
}

fn allow(device: &mut Device) {
    let refused = device
        .try_ask(request("app_list", json!({})))
        .expect_err("refused");
    assert_eq!(refused.code.as_str(), "app_not_allowed");
    device.ask::<Done>(Request::AppAllow {
        app: "notes".into(),
    });
}

#[test]
fn what_an_app_saves_on_one_device_it_loads_on_the_other_and_goes_on_with() {
    let mut world = allowed();
    append(
        &mut world.devices[0],
        "s",
        &[said("1", "Name a heron"), json!({ "type": "title" })],
    );
    append_to(
        &mut world.devices[0],
        "s",
        Some("subagents/a"),
        &[said("x", "beside")],
    );
    world.deliver();
    let first = vec![said("1", "Name a heron"), json!({ "type": "title" })];
    assert_eq!(load(&mut world.devices[1], "s"), Some(first.clone()));
    let beside = load_part(&mut world.devices[1], "s", Some("subagents/a"));
    assert_eq!(beside, Some(vec![said("x", "beside")]));
    append(
        &mut world.devices[1],
        "s",
        &[said("1", "again"), said("2", "Ardea")],
    );
    world.deliver();
    let all = [first, vec![said("2", "Ardea")]].concat();
    assert_eq!(load(&mut world.devices[0], "s"), Some(all));
    let listed: Vec<AppSession> = world.devices[0].ask(request("app_list", json!({})));
    assert_eq!(
        listed
            .iter()
            .map(|row| row.session.as_str())
            .collect::<Vec<_>>(),
        ["s"]
    );
    // It is a session like any other.
    let rows = world.devices[0].sessions();
    assert_eq!((rows.len(), rows[0].tool.as_str()), (1, "apps"));
    assert_eq!(rows[0].title, "notes: Name a heron");
    let shown: Shown = world.devices[0].ask(Request::show(rows[0].session.clone()));
    let texts: Vec<&str> = shown
        .messages
        .iter()
        .map(|message| message.text.as_str())
        .collect();
    assert_eq!(texts, ["Name a heron", "Ardea"]);
}

#[test]
fn what_two_devices_add_at_once_is_in_one_session_and_each_entry_once() {
    let mut world = allowed();
    append(&mut world.devices[0], "s", &[said("0", "both know it")]);
    world.deliver();
    append(
        &mut world.devices[0],
        "s",
        &[said("a1", "on desk"), said("c", "sent to both")],
    );
    append(
        &mut world.devices[0],
        "s",
        &[json!({ "type": "mode", "n": 1 })],
    );
    append(
        &mut world.devices[1],
        "s",
        &[said("b1", "on lap"), said("c", "sent to both")],
    );
    world.deliver();
    let both = load(&mut world.devices[0], "s").expect("entries");
    assert_eq!(load(&mut world.devices[1], "s").as_ref(), Some(&both));
    assert_eq!(both[0], said("0", "both know it"));
    for entry in [
        said("a1", "on desk"),
        said("b1", "on lap"),
        said("c", "sent to both"),
        json!({ "type": "mode", "n": 1 }),
    ] {
        assert_eq!(
            both.iter().filter(|there| **there == entry).count(),
            1,
            "{both:#?}"
        );
    }
    assert_eq!(both.len(), 5);
    // Both go on, again at once, and then one after the other.
    append(&mut world.devices[0], "s", &[said("a2", "more on desk")]);
    append(&mut world.devices[1], "s", &[said("b2", "more on lap")]);
    world.deliver();
    append(&mut world.devices[1], "s", &[said("last", "last")]);
    world.deliver();
    let all = load(&mut world.devices[0], "s").expect("entries");
    assert_eq!(load(&mut world.devices[1], "s").as_ref(), Some(&all));
    assert_eq!(
        (all.len(), all.last()),
        (8, Some(&said("last", "last"))),
        "{all:#?}"
    );
    for device in &mut world.devices {
        assert_eq!((device.splits().len(), device.sessions().len()), (0, 1));
        assert_eq!(device.problems(), [""; 0]);
    }
}

#[test]
fn two_devices_that_begin_one_session_at_once_have_one() {
    let mut world = allowed();
    append(&mut world.devices[0], "s", &[said("a", "on desk")]);
    append(&mut world.devices[1], "s", &[said("b", "on lap")]);
    append_to(
        &mut world.devices[0],
        "s",
        Some("x"),
        &[said("xa", "on desk")],
    );
    append_to(
        &mut world.devices[1],
        "s",
        Some("x"),
        &[said("xb", "on lap")],
    );
    world.deliver();
    for subpath in [None, Some("x")] {
        let both = load_part(&mut world.devices[0], "s", subpath).expect("entries");
        assert_eq!(
            load_part(&mut world.devices[1], "s", subpath).as_ref(),
            Some(&both)
        );
        assert_eq!(both.len(), 2, "{subpath:?}: {both:#?}");
    }
    for device in &mut world.devices {
        assert_eq!((device.splits().len(), device.sessions().len()), (0, 1));
    }
}

#[test]
fn a_deletion_is_this_devices_own_and_holds_nothing() {
    let mut world = allowed();
    for n in 0..30 {
        append(
            &mut world.devices[0],
            &format!("s{n}"),
            &[said("1", "kept elsewhere")],
        );
    }
    world.deliver();
    for n in 0..30 {
        delete(&mut world.devices[0], &format!("s{n}"));
    }
    world.devices[0].poll();
    world.deliver();
    assert_eq!(world.devices[0].status().held, []);
    assert_eq!(load(&mut world.devices[0], "s3"), None);
    assert_eq!(
        load(&mut world.devices[1], "s3"),
        Some(vec![said("1", "kept elsewhere")])
    );
    // The same name again is another session, and leaves the other device's alone.
    append(&mut world.devices[0], "s3", &[said("2", "new")]);
    world.deliver();
    assert_eq!(
        load(&mut world.devices[0], "s3"),
        Some(vec![said("2", "new")])
    );
    assert_eq!(
        load(&mut world.devices[1], "s3"),
        Some(vec![said("2", "new")]),
        "the newer one"
    );
    assert_eq!(world.devices[1].sessions().len(), 31);
    let listed: Vec<AppSession> = world.devices[1].ask(request("app_list", json!({})));
    let names: BTreeSet<&str> = listed.iter().map(|row| row.session.as_str()).collect();
    assert_eq!(names.len(), 31);
    let id = { names.iter() }.find(|name| !name.starts_with('s') || 3 < name.len());
    assert_eq!(
        load(&mut world.devices[1], id.expect("the older one")),
        Some(vec![said("1", "kept elsewhere")])
    );
    // One that the other device continues comes back.
    append(&mut world.devices[1], "s5", &[said("3", "more")]);
    world.deliver();
    let back = load(&mut world.devices[0], "s5");
    assert_eq!(
        back,
        Some(vec![said("1", "kept elsewhere"), said("3", "more")])
    );
}

#[test]
fn an_app_asks_once_and_its_sessions_wait_for_nobody() {
    let (mut world, ..) = World::pair_of_devices();
    allow(&mut world.devices[0]);
    append(&mut world.devices[0], "s", &[said("1", "hi")]);
    world.deliver();
    // The session is on the other device, where the app may not read it yet.
    assert_eq!(world.devices[1].sessions().len(), 1);
    let device = &mut world.devices[1];
    let refused = device
        .try_ask(request("app_load", json!({ "session": "s" })))
        .expect_err("refused");
    assert_eq!(refused.code.as_str(), "app_not_allowed");
    assert!(device.has_problem("app_asks"));
    let rows: Vec<AppRow> = device.ask(Request::Apps);
    assert_eq!(
        (rows.len(), rows[0].state, rows[0].asking),
        (1, AppState::Asking, 1)
    );
    device.ask::<Done>(Request::AppAllow {
        app: "notes".into(),
    });
    assert!(!device.has_problem("app_asks"));
    assert_eq!(load(device, "s"), Some(vec![said("1", "hi")]));
    // The grant outlives the engine.
    device.stop();
    device.start();
    assert_eq!(load(device, "s"), Some(vec![said("1", "hi")]));
    // Another program with that name is not the app, and two of them are not told apart.
    let other = |digit: &str| {
        let token = TOKEN.replace('7', digit);
        request("app_load", json!({ "session": "s", "token": token }))
    };
    assert_eq!(
        device
            .try_ask(other("1"))
            .expect_err("refused")
            .code
            .as_str(),
        "app_not_allowed"
    );
    device.try_ask(other("2")).expect_err("refused");
    let unclear = device
        .try_ask(Request::AppAllow {
            app: "notes".into(),
        })
        .expect_err("refused");
    assert_eq!(unclear.code.as_str(), "ambiguous_app");
    assert_eq!(
        load(device, "s"),
        Some(vec![said("1", "hi")]),
        "the one that was allowed still is"
    );
    device.ask::<Done>(Request::AppDeny {
        app: "notes".into(),
    });
    let denied = device
        .try_ask(request("app_list", json!({})))
        .expect_err("refused");
    assert_eq!(denied.code.as_str(), "app_denied");
    device.ask::<Done>(Request::AppRemove {
        app: "notes".into(),
    });
    allow(device);
    assert_eq!(load(device, "s"), Some(vec![said("1", "hi")]));
}

#[test]
fn what_an_app_keeps_is_found_and_forgotten_like_every_session() {
    let mut world = allowed();
    world.devices[1].searches();
    append(&mut world.devices[0], "s", &[said("1", "a purple heron")]);
    world.deliver();
    let id = world.devices[0].sessions()[0].session.clone();
    world.devices[1].poll();
    let search = Request::Search {
        words: "heron ".into(),
        limit: None,
        devices: None,
    };
    let found: Value = world.devices[1].ask(search);
    let hits: Vec<SearchHit> = serde_json::from_value(found["hits"].clone()).expect("hits");
    assert_eq!(hits.len(), 1, "{found}");
    // A fork from a message is a session of the app, under an id of its own.
    let forked: Value = world.devices[0].ask(Request::Fork {
        session: id,
        at: 0,
        dir: None,
    });
    world.devices[0].poll();
    let fork = forked["session"].as_str().expect("an id").to_owned();
    assert_eq!(
        load(&mut world.devices[0], &fork),
        Some(vec![said("1", "a purple heron")])
    );
    append(&mut world.devices[0], &fork, &[said("2", "more")]);
    assert_eq!(
        load(&mut world.devices[0], &fork).expect("entries").len(),
        2
    );
    assert_eq!(load(&mut world.devices[0], "s").expect("entries").len(), 1);
    // The user forgets the session; its name begins another one, which goes to all devices.
    let rows = world.devices[0].sessions().into_iter();
    let others: Vec<String> = rows
        .map(|row| row.session)
        .filter(|id| *id != fork)
        .collect();
    world.deliver();
    world.devices[0].ask::<Value>(Request::Forget {
        session: others[0].clone(),
    });
    pass_grace(&mut world.devices[0]);
    world.deliver();
    for device in &mut world.devices {
        assert_eq!(load(device, "s"), None, "{}", device.name);
    }
    append(&mut world.devices[0], "s", &[said("9", "after it")]);
    world.deliver();
    assert_eq!(
        load(&mut world.devices[1], "s"),
        Some(vec![said("9", "after it")])
    );
    let kept = load(&mut world.devices[1], &fork);
    assert_eq!(kept.map(|entries| entries.len()), Some(2));
}
