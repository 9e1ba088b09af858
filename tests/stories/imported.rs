//! Conversations of an export: read, shown and synced like sessions of a tool, opened by none.

use crate::world::World;
use serde_json::{Value, json};
use session_roam_core::api::Request;
use session_roam_core::api::types::Shown;
use session_roam_core::tools::imported::reading::import;
use std::fs;

const ID: &str = "0b7c1d2e-3f40-4a51-9b62-c7d8e9fa0b1c";

fn export(texts: &[&str]) -> Value {
    let messages: Vec<Value> = (texts.iter().enumerate())
        .map(|(at, text)| {
            json!({ "uuid": format!("m{at}{text}"), "text": text, "sender": "human",
                    "created_at": format!("2026-05-01T10:00:{at:02}.000Z") })
        })
        .collect();
    json!([{ "uuid": ID, "name": "Name a cat", "created_at": "2026-05-01T10:00:00Z",
             "updated_at": format!("2026-05-01T10:01:{:02}Z", texts.len()), "chat_messages": messages }])
}

/// `roam import` on a device, and what its engine finds then.
fn brought_in(world: &mut World, at: usize, texts: &[&str]) {
    let device = &mut world.devices[at];
    let file = device.home.join("conversations.json");
    fs::write(&file, export(texts).to_string()).expect("written");
    import(&file, &device.machine().data, &mut |_| {}).expect("imported");
    device.poll();
}

fn said(world: &mut World, at: usize) -> Vec<String> {
    let show = Request::Show {
        session: ID.into(),
        from: 0,
        rows: None,
    };
    let shown: Shown = world.devices[at].ask(show);
    shown
        .messages
        .iter()
        .map(|message| message.text.clone())
        .collect()
}

#[test]
fn an_imported_conversation_is_on_every_device_and_grows() {
    let (mut world, ..) = World::pair_of_devices();
    brought_in(&mut world, 0, &["hi", "hello"]);
    world.deliver();
    assert_eq!(said(&mut world, 1), ["hi", "hello"]);
    let row = world.devices[1].row(ID).expect("listed");
    assert_eq!(
        (row.title.as_str(), row.tool.as_str()),
        ("Name a cat", "claude-ai")
    );
    // The other device imports a newer export of the same conversation.
    brought_in(&mut world, 1, &["hi", "hello", "more"]);
    world.deliver();
    assert_eq!(said(&mut world, 0), ["hi", "hello", "more"]);
    assert_eq!(world.devices[0].sessions().len(), 1);
}

#[test]
fn two_exports_that_differ_are_united_without_a_question() {
    let (mut world, ..) = World::pair_of_devices();
    brought_in(&mut world, 0, &["hi", "one"]);
    brought_in(&mut world, 1, &["hi", "two", "three"]);
    world.deliver();
    let both = said(&mut world, 0);
    assert_eq!(said(&mut world, 1), both);
    for text in ["hi", "one", "two", "three"] {
        assert_eq!(
            both.iter().filter(|said| *said == text).count(),
            1,
            "{both:?}"
        );
    }
    for at in [0, 1] {
        assert_eq!(world.devices[at].splits().len(), 0);
        assert_eq!(world.devices[at].sessions().len(), 1);
    }
}

#[test]
fn no_program_opens_it_and_that_is_said() {
    let (mut world, ..) = World::pair_of_devices();
    brought_in(&mut world, 0, &["hi"]);
    let resume = Request::Resume { session: ID.into() };
    let refused = world.devices[0].try_ask(resume).expect_err("refused");
    assert_eq!(refused.code, "no_program");
    assert!(refused.hint.contains("claude.ai"), "{}", refused.hint);
}
