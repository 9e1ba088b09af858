//! Conversations of an export: read, shown and synced like sessions of a tool, opened by none.

use super::world::World;
use serde_json::{Value, json};
use session_roam_core::api::types::{ApiError, ConversationImport, Done, Shown, Status, ToolRow};
use session_roam_core::api::{Level, Request};
use session_roam_core::tools::imported::progress::Progress;
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
    import(
        &[file],
        &device.machine().data,
        &Progress::default(),
        &|_, _| false,
    )
    .expect("imported");
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

/// One device imports an export with its picture, the other one only the newer `conversations.json`.
#[test]
fn a_picture_that_one_device_imported_is_on_both() {
    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n rest";
    let (mut world, ..) = World::pair_of_devices();
    for (at, text) in [(0, "What is it?"), (1, "And now?")] {
        let content = json!({ "content_type": "multimodal_text", "parts": [
            { "content_type": "image_asset_pointer", "asset_pointer": "sediment://file_abc12345" }, text] });
        let node = |parent: Option<&str>| {
            json!({ "parent": parent, "children": [], "message": {
            "author": { "role": "user" }, "content": content } })
        };
        let mut mapping = json!({ "q0": node(None) });
        if at == 1 {
            mapping["q1"] = node(Some("q0"));
        }
        let list = json!([{ "conversation_id": ID, "title": "Pictures", "update_time": 1_700_000_000 + at,
                            "current_node": format!("q{at}"), "mapping": mapping }]);
        let device = &mut world.devices[at];
        let dir = device.home.join("export");
        fs::create_dir(&dir).expect("created");
        fs::write(dir.join("conversations.json"), list.to_string()).expect("written");
        if at == 0 {
            fs::write(dir.join("file_abc12345.png"), PNG).expect("written");
        }
        let data = device.machine().data;
        import(&[dir], &data, &Progress::default(), &|_, _| false).expect("imported");
        device.poll();
    }
    world.deliver();
    for device in &world.devices {
        let path = device
            .machine()
            .data
            .join(format!("imported/chatgpt/{ID}.json"));
        let content = fs::read_to_string(path).expect("kept");
        assert!(
            content.contains("\"file_abc12345\":\"data:image/png;base64,"),
            "{content}"
        );
        assert!(content.contains("And now?"), "{content}");
    }
}

#[test]
fn no_program_opens_it_and_that_is_said() {
    let (mut world, ..) = World::pair_of_devices();
    brought_in(&mut world, 0, &["hi"]);
    let resume = Request::Resume { session: ID.into() };
    let refused = world.devices[0].try_ask(resume).expect_err("refused");
    assert_eq!(refused.code.as_str(), "no_program");
    assert!(refused.hint.contains("claude.ai"), "{}", refused.hint);
}

/// What the window does with files that were dropped on it.
fn dropped(world: &mut World, names: &[&str]) -> Result<Done, ApiError> {
    let home = world.devices[0].home.clone();
    let paths = names.iter().map(|name| home.join(name)).collect();
    let answer = world.devices[0].try_ask(Request::Import { paths })?;
    Ok(serde_json::from_value(answer).expect("an answer"))
}

fn shown_import(world: &mut World) -> Option<ConversationImport> {
    let status: Status = world.devices[0].ask(Request::Status);
    status.conversation_import
}

#[test]
fn files_dropped_on_the_window_are_imported_and_the_result_stays_until_it_is_seen() {
    let (mut world, ..) = World::pair_of_devices();
    let home = world.devices[0].home.clone();
    fs::write(home.join("conversations.json"), export(&["hi"]).to_string()).expect("written");
    let talk = "# Cats\n\n## User\n\nName a cat.\n\n## Assistant\n\nMiso.\n";
    fs::create_dir_all(home.join("talks")).expect("created");
    fs::write(home.join("talks/cats.md"), talk).expect("written");
    fs::write(home.join("talks/README.md"), "Words.").expect("written");
    assert_eq!(shown_import(&mut world), None);
    dropped(&mut world, &["conversations.json", "talks"]).expect("begun");
    let shown = shown_import(&mut world).expect("an import");
    assert_eq!(
        (shown.name.as_str(), shown.others),
        ("conversations.json", 1)
    );
    assert_eq!((shown.conversations, shown.bytes), (2, shown.total));
    let done = shown.done.expect("it has ended");
    let n = |tool: &str| done.new.get(tool).copied();
    assert_eq!((n("claude-ai"), n("markdown")), (Some(1), Some(1)));
    assert_eq!(
        (done.n_left_out, done.left_out[0].name.as_str()),
        (1, "README.md")
    );
    // Both are sessions, here and on the other device.
    world.devices[0].poll();
    world.deliver();
    for at in [0, 1] {
        let mut titles: Vec<String> = world.devices[at]
            .sessions()
            .into_iter()
            .map(|row| row.title)
            .collect();
        titles.sort();
        assert_eq!(titles, ["Cats", "Name a cat"]);
    }
    let _: Done = world.devices[0].ask(Request::ImportDismiss);
    assert_eq!(shown_import(&mut world), None);
}

#[test]
fn what_cannot_be_imported_says_what_to_do_and_loses_nothing() {
    let (mut world, ..) = World::pair_of_devices();
    let home = world.devices[0].home.clone();
    fs::write(home.join("holiday.zip"), "PK no archive").expect("written");
    for (name, words) in [
        ("holiday.zip", "no zip archive"),
        ("nowhere.json", "cannot be read"),
    ] {
        dropped(&mut world, &[name]).expect("begun");
        let failed = shown_import(&mut world).and_then(|import| import.failed);
        let failed = failed.expect("a reason");
        assert_eq!(failed.code.as_str(), "import_unreadable");
        assert!(failed.message.contains(words), "{failed:?}");
        assert!(!failed.hint.is_empty(), "{failed:?}");
    }
    let relative = Request::Import {
        paths: vec!["conversations.json".into()],
    };
    let refused = world.devices[0].try_ask(relative).expect_err("refused");
    assert_eq!(refused.code.as_str(), "bad_path");
    assert_eq!(world.devices[0].sessions().len(), 0);
}

#[test]
fn every_tool_states_its_level_in_the_same_words_and_what_was_tried() {
    let (mut world, ..) = World::pair_of_devices();
    let rows: Vec<ToolRow> = world.devices[0].ask(Request::Tools);
    for row in &rows {
        assert_eq!(row.meaning, row.level.meaning(), "{}", row.tool);
        assert!(!row.versions.is_empty(), "{}", row.tool);
        let is_whole = row.level == Level::Merge || !row.reason.is_empty();
        assert!(is_whole, "{} does not say why not more", row.tool);
    }
    let imported = rows.iter().filter(|row| row.imported);
    let ids: Vec<&str> = imported.map(|row| row.tool.as_str()).collect();
    assert_eq!(ids, ["chatgpt", "claude-ai", "markdown", "open-format"]);
}
