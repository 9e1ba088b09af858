//! Exports as they come: whole, newer, older, damaged and hostile.

use super::*;
use crate::merge::snapshots::Judged;
use crate::session::Millis;
use crate::tools::imported::dir;
use crate::tools::imported::progress::NotImported;
use crate::tools::{Machine, Reading, Tool, Which, markdown};
use serde_json::json;
use std::collections::BTreeMap;
use std::io::Write;

const ID: &str = "6712aa00-1111-4222-8333-444455556666";

fn node(id: &str, parent: &str, children: &[&str], role: &str, text: &str, at: f64) -> Value {
    json!({ "id": id, "parent": parent, "children": children, "message": {
        "id": id, "author": { "role": role }, "create_time": at, "recipient": "all",
        "content": { "content_type": "text", "parts": [text] } } })
}

/// A prompt, its answer and, in a longer one, another answer and a second turn.
fn chat(n_turns: u32) -> Value {
    let mut nodes = vec![
        json!({ "id": "root", "parent": null, "children": ["q1"], "message": null }),
        node(
            "q1",
            "root",
            &["a1"],
            "user",
            "How do I fold a list?",
            1_700_000_000.25,
        ),
        node("a1", "q1", &[], "assistant", "With fold.", 1_700_000_001.5),
    ];
    let mut end = "a1";
    if 1 < n_turns {
        nodes[1]["children"] = json!(["a1", "a2"]);
        nodes.push(node(
            "a2",
            "q1",
            &["q2"],
            "assistant",
            "With a loop.",
            1_700_000_002.0,
        ));
        nodes.push(node("q2", "a2", &[], "user", "Thanks!", 1_700_000_003.0));
        end = "q2";
    }
    let mapping: serde_json::Map<String, Value> = nodes
        .into_iter()
        .map(|node| (node["id"].as_str().expect("id").to_owned(), node))
        .collect();
    json!({ "conversation_id": ID, "title": "Folding", "create_time": 1_700_000_000.0,
            "update_time": 1_700_000_000.0 + f64::from(n_turns), "current_node": end, "mapping": mapping })
}

fn claude(texts: &[&str]) -> Value {
    let messages: Vec<Value> = texts
        .iter()
        .enumerate()
        .map(|(at, text)| {
            json!({ "uuid": format!("m{at}{text}"), "text": text, "content": [{ "type": "text", "text": text }],
                    "sender": if at % 2 == 0 { "human" } else { "assistant" },
                    "created_at": format!("2026-05-01T10:00:{at:02}.000Z") })
        })
        .collect();
    json!({ "uuid": ID, "name": "", "created_at": "2026-05-01T10:00:00Z",
            "updated_at": format!("2026-05-01T11:00:{:02}Z", texts.len()), "chat_messages": messages })
}

struct World {
    dir: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().expect("dir"),
        }
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn json(&self, list: &Value) -> PathBuf {
        let file = self.dir.path().join("conversations.json");
        fs::write(&file, list.to_string()).expect("written");
        file
    }

    fn zip(&self, files: &[(&str, &[u8])]) -> PathBuf {
        let path = self.dir.path().join("Export (1).zip");
        let mut zip = zip::ZipWriter::new(File::create(&path).expect("created"));
        for (name, bytes) in files {
            let options = zip::write::SimpleFileOptions::default();
            zip.start_file(*name, options).expect("started");
            zip.write_all(bytes).expect("written");
        }
        zip.finish().expect("finished");
        path
    }

    fn try_import(&self, path: &Path) -> Result<Imported, ImportError> {
        import(
            &[path.to_owned()],
            &self.data(),
            &Progress::default(),
            &|_, _| false,
        )
    }

    fn import(&self, path: &Path) -> Imported {
        self.try_import(path).expect("imported")
    }

    fn stored(&self, tool: &str) -> Vec<u8> {
        fs::read(dir(&self.data(), tool).join(format!("{ID}.json"))).expect("stored")
    }

    /// The first session of a service.
    fn read(&self, tool: &dyn Tool) -> Reading {
        let machine = Machine {
            data: self.data(),
            ..Machine::at(self.dir.path())
        };
        let listing = tool.sessions(&machine, Which::All);
        tool.read(&machine, &listing.found[0]).expect("read")
    }

    fn said(&self, tool: &dyn Tool) -> Vec<String> {
        let content = self.stored(tool.about().tool.as_str());
        let records = tool.about().records.expect("records")(&content);
        let messages = records.iter().filter_map(|record| {
            let message = (tool.about().read_message)(record)?;
            Some(format!("{:?}: {}", message.role, message.text()))
        });
        messages.collect()
    }
}

fn left_out(name: &str, why: &str) -> NotImported {
    NotImported {
        name: name.into(),
        why: why.into(),
    }
}

fn count(tool: &str, n: u64) -> BTreeMap<String, u64> {
    BTreeMap::from([(tool.to_owned(), n)])
}

#[test]
fn a_newer_export_adds_an_older_one_takes_nothing_away_and_none_doubles() {
    let world = World::new();
    let of = |n_turns| world.json(&json!([chat(n_turns)]));
    assert_eq!(world.import(&of(1)).new, count("chatgpt", 1));
    assert_eq!(world.import(&of(1)).known, count("chatgpt", 1));
    assert_eq!(world.import(&of(2)).grown, count("chatgpt", 1));
    let whole = world.stored("chatgpt");
    assert_eq!(world.import(&of(1)).known, count("chatgpt", 1));
    assert_eq!(world.stored("chatgpt"), whole);
    assert_eq!(
        world.said(&chatgpt::SERVICE),
        [
            "User: How do I fold a list?",
            "Assistant: With a loop.",
            "User: Thanks!",
            "Assistant: (In another branch of the conversation:)\nWith fold.",
        ]
    );
    let reading = world.read(&chatgpt::SERVICE);
    assert_eq!(reading.facts.title.as_deref(), Some("Folding"));
    assert_eq!(reading.facts.updated, Some(Millis(1_700_000_002_000)));
}

/// As editors on Windows save it.
#[test]
fn a_list_that_begins_with_a_byte_order_mark_is_read() {
    let world = World::new();
    let list = format!("\u{feff}{}", json!([chat(1)]));
    let file = world.dir.path().join("renamed");
    fs::write(&file, &list).expect("written");
    assert_eq!(world.import(&file).new, count("chatgpt", 1));
    let list = format!("\u{feff}{}", json!([chat(2)]));
    let zip = world.zip(&[("export/conversations.json", list.as_bytes())]);
    assert_eq!(world.import(&zip).grown, count("chatgpt", 1));
    let text = format!("\u{feff}\u{feff}{}", json!([chat(1)]));
    fs::write(&file, text).expect("written");
    assert!(world.try_import(&file).is_err(), "one is enough");
}

#[test]
fn a_message_that_is_gone_from_the_service_stays_whatever_the_order() {
    for (older, newer) in [
        (
            json!([claude(&["hi", "hello", "why?"])]),
            json!([claude(&["hi", "hello", "how?", "so"])]),
        ),
        (json!([claude(&["hi", "hello"])]), json!([claude(&["hi"])])),
    ] {
        let worlds = [(&older, &newer), (&newer, &older)].map(|(first, second)| {
            let world = World::new();
            world.import(&world.json(first));
            world.import(&world.json(second));
            world
        });
        let said = worlds[0].said(&claude_ai::SERVICE);
        assert_eq!(said, worlds[1].said(&claude_ai::SERVICE));
        assert_eq!(worlds[0].stored("claude-ai"), worlds[1].stored("claude-ai"));
        for list in [&older, &newer] {
            for message in list[0]["chat_messages"].as_array().expect("messages") {
                let text = message["text"].as_str().expect("text");
                assert_eq!(
                    said.iter()
                        .filter(|said| said.ends_with(&format!(": {text}")))
                        .count(),
                    1,
                    "{text}"
                );
            }
        }
    }
}

#[test]
fn a_message_without_an_id_or_a_time_stays_in_its_place() {
    let without = |texts: &[&str], field: &str| {
        let mut conversation = claude(texts);
        for message in conversation["chat_messages"]
            .as_array_mut()
            .expect("messages")
        {
            if message["text"].as_str().expect("text").starts_with("odd") {
                message.as_object_mut().expect("an object").remove(field);
            }
        }
        conversation
    };
    for field in ["uuid", "created_at"] {
        let older = without(&["hi", "odd one", "odd one", "so"], field);
        let newer = without(&["hi", "odd one", "why?", "because", "end"], field);
        for order in [[&older, &newer], [&newer, &older]] {
            let world = World::new();
            for conversation in order {
                world.import(&world.json(&json!([conversation])));
                world.import(&world.json(&json!([conversation])));
            }
            let said = world.said(&claude_ai::SERVICE).join(" ");
            let expected = match field {
                "uuid" => ["hi", "odd one", "odd one", "so"],
                _ => ["hi", "odd one", "odd one", "why?"],
            };
            let mut rest = said.as_str();
            for text in expected {
                let at = rest.find(text).unwrap_or_else(|| panic!("{field}: {said}"));
                rest = &rest[at + text.len()..];
            }
            assert_eq!(said.matches("odd one").count(), 2, "{field}: {said}");
            for text in ["hi", "so", "why?", "because", "end"] {
                assert_eq!(
                    said.matches(&format!(": {text}")).count(),
                    1,
                    "{field}: {said}"
                );
            }
        }
    }
}

/// A conversation as it is kept, with pictures by their names.
fn kept(value: &Value, pictures: &[(&str, &str)]) -> Vec<u8> {
    kept_text(&value.to_string(), pictures)
}

fn kept_text(text: &str, pictures: &[(&str, &str)]) -> Vec<u8> {
    let pictures = pictures.iter();
    Conversation {
        conversation: RawValue::from_string(text.to_owned()).expect("JSON"),
        files: pictures
            .map(|(name, address)| ((*name).to_owned(), (*address).to_owned()))
            .collect(),
    }
    .render()
}

#[test]
fn two_devices_with_two_exports_have_the_same_union() {
    let conversation = |value: &Value| kept(value, &[]);
    let judge = chatgpt::SERVICE.about().joins.judge.expect("judged");
    let name = crate::session::DocName::new(super::super::MAIN);
    let (short, long) = (conversation(&chat(1)), conversation(&chat(2)));
    assert_eq!(judge(&name, &short, &long), Judged::Second);
    assert_eq!(judge(&name, &long, &short), Judged::First);
    assert_eq!(judge(&name, &long, &long), Judged::Same);
    let mut other = chat(1);
    other["mapping"]["b9"] = node("b9", "a1", &[], "user", "And then?", 1_700_000_009.0);
    other["mapping"]["a1"]["children"] = json!(["b9"]);
    let other = conversation(&other);
    assert_eq!(judge(&name, &other, &long), Judged::Both);
    let union = (chatgpt::SERVICE.joined)(&other, &long).expect("joined");
    assert_eq!(
        (chatgpt::SERVICE.joined)(&long, &other).as_ref(),
        Some(&union)
    );
    for one in [&other, &long] {
        assert_eq!(judge(&name, &union, one), Judged::First);
    }
}

/// One device imported the zip, the other one only a `conversations.json`, without pictures.
#[test]
fn no_device_loses_the_pictures_that_only_the_other_one_imported() {
    let judge = chatgpt::SERVICE.judge;
    let name = crate::session::DocName::new(super::super::MAIN);
    let picture = [("file-AbC12345", "data:image/png;base64,AAAA")];
    let other = [("file-XyZ67890", "data:image/png;base64,BBBB")];
    let rows = [
        (
            "the_newer_one_lacks_a_picture",
            kept(&chat(1), &picture),
            kept(&chat(2), &[]),
            Judged::Both,
        ),
        (
            "the_newer_one_has_it",
            kept(&chat(1), &[]),
            kept(&chat(2), &picture),
            Judged::Second,
        ),
        (
            "the_same_export_with_and_without",
            kept(&chat(1), &picture),
            kept(&chat(1), &[]),
            Judged::First,
        ),
        (
            "each_has_another_one",
            kept(&chat(1), &picture),
            kept(&chat(1), &other),
            Judged::Both,
        ),
        (
            "one_name_and_two_pictures",
            kept(&chat(1), &picture),
            kept(&chat(2), &[(picture[0].0, "data:image/png;base64,")]),
            Judged::Both,
        ),
    ];
    for (rule, one, two, judged) in rows {
        assert_eq!(judge(&name, &one, &two), judged, "{rule}");
        let union = (chatgpt::SERVICE.joined)(&one, &two).expect("joined");
        assert_eq!(
            (chatgpt::SERVICE.joined)(&two, &one).as_ref(),
            Some(&union),
            "{rule}"
        );
        for content in [&one, &two] {
            let judged = judge(&name, &union, content);
            assert!(
                matches!(judged, Judged::First | Judged::Same),
                "{rule}: {judged:?}"
            );
            let files = Conversation::parse(content).expect("JSON").files;
            let all = Conversation::parse(&union).expect("JSON").files;
            assert!(files.keys().all(|name| all.contains_key(name)), "{rule}");
        }
    }
}

#[test]
fn a_message_that_a_newer_export_emptied_stays() {
    for emptied in [
        Value::Null,
        json!({ "id": "a1", "parent": "q1", "children": [], "message": null }),
    ] {
        let mut newer = chat(2);
        newer["mapping"]["a1"] = emptied;
        for order in [[chat(1), newer.clone()], [newer.clone(), chat(1)]] {
            let world = World::new();
            for chat in order {
                world.import(&world.json(&json!([chat])));
            }
            let said = world.said(&chatgpt::SERVICE).join("\n");
            assert!(
                said.contains("With fold.") && said.contains("Thanks!"),
                "{said}"
            );
        }
        let (older, newer) = (kept(&chat(1), &[]), kept(&newer, &[]));
        let name = crate::session::DocName::new(super::super::MAIN);
        assert_eq!(
            (chatgpt::SERVICE.judge)(&name, &older, &newer),
            Judged::Both
        );
    }
}

/// Exports are not written as this program writes JSON.
#[test]
fn an_older_export_changes_no_byte_of_a_newer_one() {
    let world = World::new();
    let file = world.dir.path().join("conversations.json");
    fs::write(
        &file,
        serde_json::to_string_pretty(&json!([chat(2)])).expect("JSON"),
    )
    .expect("written");
    world.import(&file);
    let whole = world.stored("chatgpt");
    assert_eq!(
        world.import(&world.json(&json!([chat(1)]))).known,
        count("chatgpt", 1)
    );
    assert_eq!(world.stored("chatgpt"), whole);
}

#[test]
fn a_zip_brings_its_pictures_and_several_lists() {
    let world = World::new();
    let mut with_picture = chat(1);
    with_picture["mapping"]["q1"]["message"]["content"] = json!({ "content_type": "multimodal_text", "parts": [
        { "content_type": "image_asset_pointer", "asset_pointer": "file-service://file-AbC12345" }, "What is it?"] });
    let mut second = claude(&["hi"]);
    second["uuid"] = json!("00000000-1111-4222-8333-444455556666");
    let png = b"\x89PNG\r\n\x1a\n rest";
    let path = world.zip(&[
        (
            "conversations-000.json",
            json!([with_picture]).to_string().as_bytes(),
        ),
        (
            "conversations-001.json",
            json!([second, { "what": "else" }]).to_string().as_bytes(),
        ),
        ("file-AbC12345-photo.png", png),
        ("conversations.html", b"<html>"),
        ("../../evil.json", b"[]"),
    ]);
    let done = world.import(&path);
    assert_eq!(
        done.new,
        BTreeMap::from([("chatgpt".into(), 1), ("claude-ai".into(), 1)])
    );
    assert_eq!(
        done.left_out,
        [left_out(
            "a conversation without a title",
            "it is of no known service"
        )]
    );
    let content = world.stored("chatgpt");
    let records = chatgpt::SERVICE.about().records.expect("records")(&content);
    let message = (chatgpt::SERVICE.about().read_message)(&records[0]).expect("a message");
    assert_eq!(
        (message.pieces[0].kind, message.pieces[0].media),
        ("image", Some("image/png"))
    );
    assert_eq!(message.pieces[1].body, "What is it?");
}

/// A zip, its unpacked directory and the list in it have the same conversations and pictures.
#[test]
fn pictures_and_transcripts_are_found_at_any_depth_packed_or_not() {
    let mut chat = chat(1);
    chat["mapping"]["q1"]["message"]["content"] = json!({ "content_type": "multimodal_text", "parts": [
        { "asset_pointer": "sediment://file_abc12345" }, { "asset_pointer": "file-service://file-Xyz67890" },
        { "asset_pointer": "sediment://file_abc1234" }] });
    let list = json!([chat]).to_string();
    let png = b"\x89PNG\r\n\x1a\n rest";
    let files: [(&str, &[u8]); 6] = [
        ("conversations.json", list.as_bytes()),
        ("user-1/file_abc12345-0000.png", png),
        ("dalle-generations/deep/file-Xyz67890-cat.webp", png),
        ("file_abc123456.png", png),
        ("talks/cats.md", TALK.as_bytes()),
        ("README.md", b"Words."),
    ];
    let world = World::new();
    let dir = world.dir.path().join("export");
    for (name, bytes) in files {
        put(&dir, name, bytes);
    }
    for (path, has_talks) in [
        (world.zip(&files), true),
        (dir.join("conversations.json"), false),
        (dir, true),
    ] {
        let world = World::new();
        let done = world.import(&path);
        let kept = Conversation::parse(&world.stored("chatgpt")).expect("JSON");
        let pictures: Vec<&str> = kept.files.keys().map(String::as_str).collect();
        assert_eq!(pictures, ["file-Xyz67890", "file_abc12345"], "{path:?}");
        let talks = done.new.get("markdown").copied();
        assert_eq!(talks, has_talks.then_some(1), "{path:?}");
        let left_out: Vec<&str> = done.left_out.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(left_out, if has_talks { vec!["README.md"] } else { vec![] });
    }
}

#[test]
fn what_is_no_export_is_told_and_nothing_leaves_the_directory() {
    let world = World::new();
    let missing = world.dir.path().join("nowhere.zip");
    let failed = |path: &Path| {
        let refused = world.try_import(path).expect_err("refused");
        crate::session::problem::with_causes(&refused)
    };
    assert!(failed(&missing).contains("nowhere.zip cannot be read"));
    for (text, why) in [
        ("{}", "cannot be read as a list of conversations"),
        ("[{\"mapping\":", "ends within a conversation"),
        ("", "it is empty"),
    ] {
        let file = world.dir.path().join("conversations.json");
        fs::write(&file, text).expect("written");
        assert!(failed(&file).contains(why), "{text}: {}", failed(&file));
    }
    let torn = world.dir.path().join("torn.zip");
    fs::write(&torn, b"PK\x03\x04 torn").expect("written");
    assert!(failed(&torn).contains("no zip archive"));
    assert!(
        failed(&world.zip(&[("chat.html", b"")])).contains("has neither conversations.json nor")
    );
    let empty = tempfile::tempdir().expect("dir");
    assert!(failed(empty.path()).contains("has neither conversations.json nor"));
    // Ids are names of files.
    let list: Vec<Value> = ["../../../x", "a/b", "", "C:evil", "..", "CON"]
        .iter()
        .map(|id| json!({ "title": id, "conversation_id": id, "mapping": {} }))
        .collect();
    let done = world.import(&world.json(&json!(list)));
    assert_eq!((done.n_left_out, done.new), (6, BTreeMap::new()));
    let stored = fs::read_dir(world.data().join("imported")).expect("listed");
    assert_eq!(stored.flatten().count(), 1, "the lock alone");
}

#[test]
fn one_conversation_that_is_too_large_does_not_stop_the_others() {
    let world = World::new();
    let file = world.dir.path().join("conversations.json");
    let mut out = io::BufWriter::new(File::create(&file).expect("created"));
    let other = json!({ "title": "Behind", "mapping": {} });
    write!(out, "[{},{{\"title\":\"Large\",\"x\":\"", chat(1)).expect("written");
    let block = vec![b'x'; 1 << 20];
    for _ in 0..=(LARGEST >> 20) {
        out.write_all(&block).expect("written");
    }
    write!(out, "\"}},{other}]").expect("written");
    out.flush().expect("written");
    let done = world.import(&file);
    assert_eq!(done.new, count("chatgpt", 1));
    let expected = [
        left_out("Large", "it is larger than 64 MiB"),
        left_out("Behind", "it has no id that can be used"),
    ];
    assert_eq!(done.left_out, expected);
}

#[test]
fn a_list_that_cannot_be_read_does_not_stop_the_others() {
    let world = World::new();
    let torn = format!("[{},{{\"mapping\":", chat(1));
    let mut other = claude(&["hi"]);
    other["uuid"] = json!("00000000-1111-4222-8333-444455556666");
    let broken = format!("[{{\"title\":\"No JSON\",\"x\":no}},{other}]");
    let files = [
        ("conversations-000.json", "{}"),
        ("conversations-001.json", &torn),
        ("conversations-002.json", &broken),
    ];
    let dir = world.dir.path().join("export");
    for (name, text) in files {
        put(&dir, name, text);
    }
    let zip = world.zip(&files.map(|(name, text)| (name, text.as_bytes())));
    for path in [dir, zip] {
        let world = World::new();
        let done = world.import(&path);
        let expected = BTreeMap::from([("chatgpt".into(), 1), ("claude-ai".into(), 1)]);
        assert_eq!(done.new, expected);
        let why: Vec<&str> = done.left_out.iter().map(|one| one.why.as_str()).collect();
        assert_eq!(why.len(), 3, "{why:?}");
        assert!(why[0].starts_with("it is no JSON"), "{why:?}");
        assert!(why[1].contains("it does not begin with"), "{why:?}");
        assert!(why[2].contains("it ends within a conversation"), "{why:?}");
        assert_eq!(done.left_out[0].name, "No JSON");
    }
    // A list by itself: what was read stays counted.
    let file = put(world.dir.path(), "conversations.json", &torn);
    let done = world.import(&file);
    assert_eq!((done.new, done.n_left_out), (count("chatgpt", 1), 1));
    let nothing = put(world.dir.path(), "conversations.json", "[{\"mapping\":");
    assert!(world.try_import(&nothing).is_err());
}

/// Services write halves of letters where a text was cut, and values that a strict parser refuses.
#[test]
fn a_conversation_that_no_strict_parser_reads_is_imported_and_grows() {
    let world = World::new();
    let deep = format!("{}{}", "[".repeat(300), "]".repeat(300));
    let odd = [
        ("title", r#""Cut \ud83d""#),
        ("deep", deep.as_str()),
        ("weight", "1e999"),
    ];
    let list = |n_turns| {
        let mut text = chat(n_turns).to_string();
        for (name, value) in odd {
            text.insert_str(text.len() - 1, &format!(",\"{name}\":{value}"));
        }
        text
    };
    let file = world.dir.path().join("conversations.json");
    for n_turns in [1, 2] {
        let other = r#"{"title":"\ud83d other","mapping":{}}"#;
        fs::write(&file, format!("[{},{other}]", list(n_turns))).expect("written");
        let done = world.import(&file);
        let counted = if n_turns == 1 { &done.new } else { &done.grown };
        assert_eq!(counted, &count("chatgpt", 1));
        let without_id = left_out("\u{fffd} other", "it has no id that can be used");
        assert_eq!(done.left_out, [without_id]);
    }
    // Nothing of the text was changed.
    let stored = String::from_utf8(world.stored("chatgpt")).expect("UTF-8");
    assert!(
        odd.iter().all(|(_, value)| stored.contains(value)),
        "{stored}"
    );
    let reading = world.read(&chatgpt::SERVICE);
    assert_eq!(reading.facts.title.as_deref(), Some("Cut \u{fffd}"));
    assert_eq!(world.said(&chatgpt::SERVICE).len(), 4);
    // Two devices compare and join it, too.
    let parts = [list(1), list(2)].map(|text| kept_text(&text, &[]));
    let name = crate::session::DocName::new(super::super::MAIN);
    assert_eq!(
        (chatgpt::SERVICE.judge)(&name, &parts[0], &parts[1]),
        Judged::Second
    );
}

#[test]
fn a_damaged_tree_is_shown_as_far_as_it_goes() {
    let world = World::new();
    let mut circle = chat(2);
    circle["mapping"]["q1"]["parent"] = json!("q2");
    circle["mapping"]["q2"]["children"] = json!(["q1", "nobody", 7]);
    circle["mapping"]["a1"]["message"]["content"] = json!("odd");
    world.import(&world.json(&json!([circle])));
    let said = world.said(&chatgpt::SERVICE);
    assert_eq!(said.len(), 3, "{said:?}");
}

const TALK: &str = "# Cats\n\n## User\n\nName a cat.\n\n## Assistant\n\nMiso.\n";

fn put(dir: &Path, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
    let path = dir.join(name);
    fs::create_dir_all(path.parent().expect("a directory")).expect("created");
    fs::write(&path, text).expect("written");
    path
}

#[test]
fn a_directory_of_transcripts_is_imported_and_every_other_file_is_named() {
    let world = World::new();
    let dir = world.dir.path().join("Gespräche 日本");
    put(&dir, "cats.md", TALK);
    put(
        &dir,
        ".specstory/history/2025 – größe.md",
        TALK.replace("Miso", "Größe"),
    );
    put(&dir, "README.md", "# A project\n\nSome words.\n");
    put(&dir, "node_modules/x/talk.md", TALK.replace("Miso", "Luna"));
    put(&dir, "bytes.md", b"## User\n\xff\xfe");
    put(&dir, "empty.md", "\n \n");
    put(&dir, "main.rs", "fn main() {}");
    let done = world.import(&dir);
    assert_eq!(done.new, count("markdown", 2));
    let named: Vec<(&str, bool)> = (done.left_out.iter())
        .map(|one| (one.name.as_str(), one.why.contains("nobody speaks in it")))
        .collect();
    assert_eq!(
        named,
        [
            ("README.md", true),
            ("bytes.md", false),
            ("empty.md", false)
        ]
    );

    // The same again, and a longer one from elsewhere, add no second conversation.
    assert_eq!(world.import(&dir).known, count("markdown", 2));
    let elsewhere = world.dir.path().join("Downloads");
    let longer = put(
        &elsewhere,
        "cats (1).md",
        format!("{TALK}\n## User\n\nThanks.\n"),
    );
    assert_eq!(world.import(&longer).grown, count("markdown", 1));
    assert_eq!(world.import(&dir).known, count("markdown", 2));
}

#[test]
fn a_file_named_by_itself_is_imported_whatever_it_is() {
    let world = World::new();
    let note = put(world.dir.path(), "note.md", "Only words.\n");
    assert_eq!(world.import(&note).new, count("markdown", 1));
    put(world.dir.path(), "note.md", "Only other words.\n");
    assert_eq!(world.import(&note).grown, count("markdown", 1));
    let large = put(world.dir.path(), "large.md", " ".repeat((16 << 20) + 1));
    let refused = world.try_import(&large).expect_err("refused");
    assert!(refused.to_string().ends_with("is larger than 16 MiB"));
    let key = put(world.dir.path(), "id_rsa", "-----BEGIN");
    let refused = world.try_import(&key).expect_err("refused");
    assert!(matches!(refused, ImportError::NoText(_)));
    // Of several, one that cannot be read does not stop the others.
    let paths = [key, note.clone(), world.dir.path().join("nowhere.md")];
    let done =
        import(&paths, &world.data(), &Progress::default(), &|_, _| false).expect("imported");
    assert_eq!((done.known, done.n_left_out), (count("markdown", 1), 2));
}

#[test]
fn an_archive_of_transcripts_is_imported() {
    let world = World::new();
    let path = world.zip(&[
        ("talks/cats.md", TALK.as_bytes()),
        ("talks/README.md", b"Words."),
    ]);
    let done = world.import(&path);
    assert_eq!((done.new, done.n_left_out), (count("markdown", 1), 1));
}

#[test]
fn a_small_archive_cannot_fill_the_disk() {
    let world = World::new();
    let room = LARGEST as usize;
    let stored = || -> u64 {
        let dirs = [chatgpt::ID, markdown::ID].map(|tool| dir(&world.data(), tool));
        let files = dirs
            .iter()
            .filter_map(|dir| fs::read_dir(dir).ok())
            .flatten();
        let len = |file: io::Result<fs::DirEntry>| Some(file.ok()?.metadata().ok()?.len());
        files.filter_map(len).sum()
    };
    let large = format!("{TALK}{}", "x".repeat(room / 5));
    let names: Vec<String> = (0..8).map(|n| format!("{n}.md")).collect();
    let talks: Vec<(&str, &[u8])> = names
        .iter()
        .map(|name| (name.as_str(), large.as_bytes()))
        .collect();
    let done = world.import(&world.zip(&talks));
    assert_eq!((done.new, done.n_left_out), (count("markdown", 4), 2));
    assert!(
        done.left_out.iter().all(|one| one.why.contains("too much")),
        "{:?}",
        done.left_out
    );
    assert!(stored() < 2 * LARGEST, "{}", stored());
    // One picture in many conversations.
    let before = stored();
    let mut png = b"\x89PNG".to_vec();
    png.resize(room / 7, 0);
    let chats: Vec<Value> = (0..9)
        .map(|n| {
            let mut chat = chat(1);
            chat["conversation_id"] = json!(format!("conversation-{n}"));
            chat["mapping"]["q1"]["message"]["content"]["parts"] =
                json!([{ "asset_pointer": "sediment://file_abc12345" }]);
            chat
        })
        .collect();
    let list = json!(chats).to_string();
    let zip = world.zip(&[
        ("conversations.json", list.as_bytes()),
        ("file_abc12345.png", &png),
    ]);
    let done = world.import(&zip);
    assert!(
        done.left_out[0].why.contains("too much"),
        "{:?}",
        done.left_out
    );
    assert!(stored() - before < 2 * LARGEST, "{}", stored());
}

#[cfg(unix)]
#[test]
fn a_link_below_a_directory_is_not_followed() {
    let world = World::new();
    let secret = put(world.dir.path(), "elsewhere/secret.md", TALK);
    let dir = world.dir.path().join("talks");
    put(&dir, "cats.md", TALK.replace("Miso", "Luna"));
    std::os::unix::fs::symlink(&secret, dir.join("linked.md")).expect("linked");
    std::os::unix::fs::symlink(secret.parent().expect("dir"), dir.join("more")).expect("linked");
    let done = world.import(&dir);
    assert_eq!((done.new, done.n_left_out), (count("markdown", 1), 1));
    assert_eq!(done.left_out[0].name, "linked.md");
}

#[test]
fn a_cancelled_import_keeps_what_it_read_and_reports_how_far_it_was() {
    let world = World::new();
    let dir = world.dir.path().join("talks");
    for n in 0..3 {
        put(
            &dir,
            &format!("{n}.md"),
            TALK.replace("Miso", &n.to_string()),
        );
    }
    let progress = Progress::default();
    let done = import(
        std::slice::from_ref(&dir),
        &world.data(),
        &progress,
        &|_, _| false,
    )
    .expect("imported");
    let seen = progress.seen();
    assert_eq!((seen.conversations, seen.bytes), (3, seen.total));
    assert!(!done.is_cancelled && 0 < seen.total);
    let progress = Progress::default();
    progress.cancel();
    for path in [dir, world.json(&json!([chat(1)]))] {
        let done = import(&[path], &world.data(), &progress, &|_, _| false).expect("imported");
        assert!(done.is_cancelled && done.new.is_empty());
    }
}

#[test]
fn two_imports_at_once_are_refused() {
    let world = World::new();
    let held = lock(&world.data()).expect("locked");
    let refused = world.try_import(&world.json(&json!([chat(1)])));
    assert!(matches!(refused, Err(ImportError::Running)));
    drop(held);
    assert_eq!(
        world.import(&world.json(&json!([chat(1)]))).new,
        count("chatgpt", 1)
    );
}

#[test]
fn two_files_of_one_transcript_are_joined_alike_on_every_device() {
    let parts = [
        "## User\n\nA\n\n## Assistant\n\nB\n\n## User\n\nC\n\n## Assistant\n\nD\n",
        "## User\n\nA\n\n## Assistant\n\nB\n\n## User\n\nC2\n\n## Assistant\n\nD\n\n## User\n\nE\n",
    ];
    let stored = |order: [usize; 2]| {
        let world = World::new();
        for at in order {
            let path = put(world.dir.path(), "talk.md", parts[at]);
            let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000 + at as u64);
            let file = File::options().write(true).open(&path).expect("open");
            file.set_modified(time).expect("set");
            world.import(&path);
        }
        let dir = dir(&world.data(), markdown::ID);
        let mut files = fs::read_dir(dir).expect("listed").flatten();
        let content = fs::read(files.next().expect("one").path()).expect("read");
        assert!(files.next().is_none(), "one conversation");
        content
    };
    let (one, other) = (stored([0, 1]), stored([1, 0]));
    assert_eq!(one, other);
    let records = (markdown::SERVICE.records)(&one);
    let said: Vec<String> = (records.iter())
        .filter_map(|record| Some((markdown::SERVICE.read_message)(record)?.text()))
        .collect();
    assert_eq!(said, ["A", "B", "C", "C2", "D", "E"]);
}

/// A transcript whose turns are the user's and the assistant's by turns, with something before them.
fn talk(before: &str, turns: &[&str]) -> String {
    let mut text = format!("{before}\n\n");
    for (at, turn) in turns.iter().enumerate() {
        let who = if at % 2 == 0 { "User" } else { "Assistant" };
        text.push_str(&format!("## {who}\n\n{turn}\n\n"));
    }
    text
}

#[test]
fn different_conversations_that_begin_alike_are_not_mixed() {
    let world = World::new();
    let dir = world.dir.path().join("talks");
    let rules = "## System\n\nYou are helpful.";
    for (name, turns) in [
        // What the system states is the same everywhere.
        ("s1/transcript.md", ["Name a cat.", "Miso."]),
        ("s2/transcript.md", ["Name a dog.", "Rex."]),
        // The same prompt.
        ("s3/transcript.md", ["hi", "Hello!"]),
        ("s4/transcript.md", ["hi", "What can I do?"]),
        // Downloads that browsers number.
        ("Chat (1).md", ["hi", "Hello!"]),
        ("Chat (2).md", ["hi", "What can I do?"]),
    ] {
        put(&dir, name, talk(rules, &turns));
    }
    let done = world.import(&dir);
    assert_eq!(
        (done.new, done.grown),
        (count("markdown", 6), BTreeMap::new())
    );
    assert_eq!(world.import(&dir).known, count("markdown", 6));
    put(
        &dir,
        "s4/transcript.md",
        talk(rules, &["hi", "What can I do?", "Fold."]),
    );
    let done = world.import(&dir);
    assert_eq!(
        (done.known, done.grown),
        (count("markdown", 5), count("markdown", 1))
    );
}

/// Cursor and `roam export` state the time of the export before the first message.
#[test]
fn what_changes_at_every_export_makes_no_second_conversation() {
    for before in [
        |at: u32| {
            format!("# Cats\n_Exported on 7/{at}/2025 at 14:22:52 CEST from Cursor (1.2.{at})_")
        },
        |at: u32| format!("# Cats {at}\n\ncodex · cats · 2025\\-07\\-0{at}"),
    ] {
        let world = World::new();
        let export =
            |at: u32, turns: &[&str]| put(world.dir.path(), "cats.md", talk(&before(at), turns));
        let turns = ["Name a cat.", "Miso.", "Thanks."];
        assert_eq!(
            world.import(&export(1, &turns[..2])).new,
            count("markdown", 1)
        );
        assert_eq!(
            world.import(&export(2, &turns[..2])).known,
            count("markdown", 1)
        );
        assert_eq!(world.import(&export(3, &turns)).grown, count("markdown", 1));
        assert_eq!(
            world.import(&export(1, &turns[..2])).known,
            count("markdown", 1)
        );
        let mut files = fs::read_dir(dir(&world.data(), markdown::ID))
            .expect("listed")
            .flatten();
        let content = fs::read(files.next().expect("one").path()).expect("read");
        assert_eq!(
            (markdown::SERVICE.records)(&content).len(),
            4,
            "one line before three messages"
        );
    }
}

#[test]
fn a_transcript_with_one_message_grows_and_is_found_again() {
    let of = |world: &World, turns: &[&str]| {
        let before = "_Exported on 7/7/2025 from Cursor_";
        world.import(&put(world.dir.path(), "talk.md", talk(before, turns)))
    };
    let (begun, whole, other) = (["hi"], ["hi", "Hello!"], ["hi", "What can I do?"]);
    let world = World::new();
    assert_eq!(of(&world, &begun).new, count("markdown", 1));
    assert_eq!(of(&world, &whole).grown, count("markdown", 1));
    // It went on in another way, so this is another one.
    assert_eq!(of(&world, &other).new, count("markdown", 1));
    for turns in [&begun[..], &whole, &other] {
        assert_eq!(of(&world, turns).known, count("markdown", 1), "{turns:?}");
    }
    // The older file later.
    let world = World::new();
    assert_eq!(of(&world, &whole).new, count("markdown", 1));
    assert_eq!(of(&world, &begun).known, count("markdown", 1));
    assert_eq!(of(&world, &whole).known, count("markdown", 1));
}
