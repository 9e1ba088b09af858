//! The author is shown: in a session that several devices continued, in a branch, and for steering
//! records.

use super::splits::{Parted, linked_parting};
use super::talk::{ONE, TWO, item, meta, turn};
use super::world::{Device, World};
use session_roam_core::api::{
    Diff, ExportFormat, Exported, HistoryRow, Request, SessionRow, Shown,
};
use session_roam_core::session::HistoryKind;

/// The messages of a session: role, text and device.
fn told(device: &mut Device, session: &str) -> Vec<(String, String, Option<String>)> {
    let whole: Shown = device.ask(Request::show(session));
    let page: Shown = device.ask(Request::Show {
        session: session.into(),
        from: 0,
        rows: Some(100),
    });
    let of = |shown: Shown| {
        let messages = shown.messages.into_iter();
        messages
            .map(|message| (message.role.to_string(), message.text, message.device))
            .collect::<Vec<_>>()
    };
    let (whole, page) = (of(whole), of(page));
    assert_eq!(whole, page, "a page says the same");
    whole
}

fn by(device: &str) -> Option<String> {
    Some(device.into())
}

#[test]
fn each_message_names_the_device_that_wrote_it() {
    let (mut world, here, there) = World::pair_of_devices();
    let path = world.devices[0].transcript(&here, ONE);
    world.devices[0].say(&path, turn(&here, ONE, "by the desk"));
    world.deliver();
    let placed = world.devices[1].place_of(ONE).expect("placed");
    world.devices[1].say(&placed, turn(&there, ONE, "by the lap"));
    world.deliver();
    let names: Vec<String> = world
        .devices
        .iter()
        .map(|device| device.name.clone())
        .collect();
    for device in &mut world.devices {
        let told: Vec<_> = told(device, ONE)
            .into_iter()
            .map(|(_, text, device)| (text, device))
            .collect();
        assert_eq!(
            told,
            [
                ("by the desk".into(), by(&names[0])),
                ("by the lap".into(), by(&names[1]))
            ]
        );
        let export = Request::Export {
            session: ONE.into(),
            format: ExportFormat::Markdown,
            dir: None,
        };
        let text = device.ask::<Exported>(export).text.expect("text");
        assert!(text.contains(&format!("## You · {}\n", names[0])), "{text}");
        assert!(text.contains(&format!("## You · {}\n", names[1])), "{text}");
    }
}

#[test]
fn a_branch_names_who_wrote_it_and_not_who_noticed_the_split() {
    let mut parted = Parted::claude().met();
    let names: Vec<String> = parted
        .world
        .devices
        .iter()
        .map(|device| device.name.clone())
        .collect();
    for at in 0..2 {
        let device = &mut parted.world.devices[at];
        let rows: Vec<SessionRow> = device.sessions();
        let fork = rows
            .iter()
            .find(|row| row.session != ONE)
            .expect("a fork")
            .session
            .clone();
        let authors = |told: Vec<(String, String, Option<String>)>| {
            told.into_iter()
                .map(|(_, text, device)| (text, device))
                .collect::<Vec<_>>()
        };
        let expected = [
            ("common".to_owned(), by(&names[0])),
            ("from lap".to_owned(), by(&names[1])),
        ];
        assert_eq!(authors(told(device, &fork)), expected);
        let diff = Request::Diff {
            session: ONE.into(),
            branch: None,
            beside: None,
            from: 0,
            rows: 100,
            choices: false,
            bodies: false,
        };
        let diff: Diff = device.ask(diff);
        let sides = |row: &session_roam_core::api::DiffRow| {
            let device =
                |message: &Option<session_roam_core::api::Msg>| message.as_ref()?.device.clone();
            (device(&row.left), device(&row.right))
        };
        let seen: Vec<_> = diff.rows.iter().map(sides).collect();
        assert!(
            seen.iter()
                .all(|(left, _)| left.is_none() || *left == by(&names[0])),
            "{seen:?}"
        );
        assert!(
            seen.iter().any(|(_, right)| *right == by(&names[1])),
            "{seen:?}"
        );
    }
}

/// Whoever decided was named as the author of the other device's turns.
#[test]
fn what_a_decision_appended_names_who_wrote_it() {
    let mut parted = linked_parting();
    let names = |parted: &Parted| {
        let devices = parted.world.devices.iter();
        devices
            .map(|device| device.name.clone())
            .collect::<Vec<_>>()
    };
    let (desk, lap) = (by(&names(&parted)[0]), by(&names(&parted)[1]));
    parted.resolve(0, ONE, "stitch").expect("possible");
    let expected = [
        ("common", &desk),
        ("answer to common", &desk),
        ("from desk", &desk),
        ("answer to from desk", &desk),
        ("from lap", &lap),
        ("answer to from lap", &lap),
    ];
    let expected = expected.map(|(text, device)| (text.to_owned(), device.clone()));
    for device in &mut parted.world.devices {
        let told = told(device, ONE).into_iter();
        let told: Vec<_> = told.map(|(_, text, device)| (text, device)).collect();
        assert_eq!(told, expected, "on {}", device.name);
        let (session, format) = (ONE.into(), ExportFormat::Markdown);
        let export = Request::Export {
            session,
            format,
            dir: None,
        };
        let text = device.ask::<Exported>(export).text.expect("text");
        let lap = lap.as_deref().expect("a name");
        assert!(text.contains(&format!("## You · {lap}\n")), "{text}");
    }
    // What the branch gained as a session of its own.
    let mut parted = Parted::codex().met();
    let fork = parted.fork();
    parted.say(1, &fork, "said in the fork");
    parted.world.deliver();
    parted.resolve(0, TWO, "stitch").expect("possible");
    let expected = [
        ("common", &desk),
        ("from desk", &desk),
        ("from lap", &lap),
        ("said in the fork", &lap),
    ];
    let expected = expected.map(|(text, device)| (text.to_owned(), device.clone()));
    for device in &mut parted.world.devices {
        let told = told(device, TWO).into_iter();
        let told: Vec<_> = told.map(|(_, text, device)| (text, device)).collect();
        assert_eq!(told, expected, "on {}", device.name);
    }
}

fn turn_context(approval: &str) -> String {
    format!(
        "{{\"timestamp\":\"2026-11-23T09:00:02.000Z\",\"ordinal\":5,\"type\":\"turn_context\",\"payload\":{{\
         \"approval_policy\":\"{approval}\"}}}}\n"
    )
}

/// F2, F11: another device's line in one's own session was shown nowhere.
#[test]
fn what_another_device_sets_in_a_session_of_this_one_is_seen() {
    let (mut world, here, _) = World::pair_of_devices();
    let rollout = world.devices[0].rollout(ONE);
    world.devices[0].say(
        &rollout,
        [
            meta(&here, ONE),
            turn_context("on-request"),
            item("Where is the bug?"),
        ]
        .concat(),
    );
    world.deliver();
    let placed = world.devices[1].place_of(ONE).expect("placed");
    world.devices[1].say(
        &placed,
        [turn_context("never"), item("In the parser")].concat(),
    );
    world.deliver();
    let lap = world.devices[1].name.clone();
    let desk = &mut world.devices[0];
    let steering: Vec<_> = told(desk, ONE)
        .into_iter()
        .filter(|(role, ..)| role == "steering")
        .collect();
    assert_eq!(steering.len(), 1, "{steering:?}");
    assert!(
        steering[0].1.contains("approval policy → never"),
        "{steering:?}"
    );
    assert_eq!(steering[0].2, by(&lap));
    assert!(desk.row(ONE).expect("a row").devices.contains(&lap));
    let history: Vec<HistoryRow> = desk.ask(Request::History {
        session: Some(ONE.into()),
    });
    assert!(
        history
            .iter()
            .any(|row| row.what == HistoryKind::Arrived && row.device == lap),
        "{history:?}"
    );
}
