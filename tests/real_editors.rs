//! The real workbench of VS Code: a chat that was begun on one device is listed, opened and
//! continued on another, and comes back; and VS Code's own database, read and changed by the
//! adapter. `cargo xtask test --editors` installs what they need and runs them; they are no part of
//! `cargo xtask test`, because that is 900 MB.
//!
//! Nothing is faked but the model: an extension of our own takes part in the chat, and answers with
//! what VS Code gives it.

// Network namespaces are specific to Linux.
#![cfg(target_os = "linux")]

use serde_json::{Value, json};
use session_roam_core::formats::vscode::{System, uri_of};
use session_roam_core::session::{DocName, Millis, SessionId};
use session_roam_core::tools::copilot_chat::CopilotChat;
use session_roam_core::tools::{Change, Checkout, DocWrite, Machine, Tool, Which, WriteError};
use session_roam_testutils::device::{Device, PATIENCE, rows};
use session_roam_testutils::files::{files_below, write};
use session_roam_testutils::isolation::{alone, wait_for};
use session_roam_testutils::vscode::{self, Database, LIST, VsCode, chat, database};
use session_roam_testutils::world::World;
use std::fs;
use std::path::{Path, PathBuf};

const TOOL: &str = "copilot-chat";
const FIRST: &str = "Where is the LIGHTHOUSE?";
/// A chat with everything that Copilot itself writes: thoughts, tools, edits, and a title.
const COPILOTS: &str = "5f0c2a34-7d51-4c1e-9b0a-3a6f1c2d4e5f";
const QUEUED: &str = "Delete the HARBOUR";

#[test]
fn a_chat_goes_on_in_the_vs_code_of_another_device_and_comes_back() {
    alone(|| {
        let mut devices = World::with_tools(|_| (), |_, _| ()).met();
        let (desk, laptop) = (&devices.desk, &devices.laptop);

        // The desk: a chat whose tools run without a question.
        let mut code = VsCode::start(desk);
        code.sit("desk-1-first-start", json!([]));
        let seen = code.sit(
            "desk-2-begins",
            json!([
                { "do": "allow", "level": "Autopilot" },
                { "do": "ask", "prompt": FIRST },
                { "do": "ask", "prompt": "And the HARBOUR?" },
            ]),
        );
        assert_eq!(seen[1]["given"], given(&[], "autopilot"));
        assert_eq!(seen[2]["given"], given(&[FIRST], "autopilot"));
        code.quit();
        let session = begun(desk);
        put_copilots_chat(desk);

        // The laptop: both chats wait until its VS Code has quit.
        let mut code = VsCode::start(laptop);
        code.sit("laptop-1-first-start", json!([]));
        for id in [session.as_str(), COPILOTS] {
            wait_for(&format!("{id} to wait for VS Code"), PATIENCE, || {
                let row = laptop.session(TOOL, id)?.to_string();
                let waits = row.contains("Visual Studio Code is running");
                if waits { Ok(()) } else { Err(row) }
            });
            assert!(!chat(laptop, id).exists());
        }
        code.quit();
        for id in [session.as_str(), COPILOTS] {
            wait_for(
                &format!("{id} to be in the laptop's store"),
                PATIENCE,
                || entry_of(laptop, id).ok_or_else(|| laptop.roam(&["status"]).to_string()),
            );
        }
        for power in [
            "\"permissionLevel\":\"autopilot\"",
            "\"pendingRequests\":[{",
        ] {
            let brought =
                [session.as_str(), COPILOTS].map(|id| fs::read_to_string(chat(laptop, id)));
            assert!(
                brought.iter().flatten().all(|text| !text.contains(power)),
                "{power}"
            );
        }

        // It is listed, opened and continued there, with the earlier turns and with questions.
        let mut code = VsCode::start(laptop);
        let seen = code.sit(
            "laptop-2-continues",
            json!([
                { "do": "list", "title": FIRST },
                { "do": "open", "title": FIRST },
                { "do": "ask", "prompt": "What did I ask first?" },
            ]),
        );
        assert_eq!(seen[0]["listed"], 1);
        let shown = seen[1]["shown"].to_string();
        assert!(
            shown.contains(FIRST) && shown.contains("Answer to: And the HARBOUR?"),
            "{shown}"
        );
        assert_eq!(level(&seen[1]), "Default permissions");
        let turns = [FIRST, "And the HARBOUR?"];
        assert_eq!(seen[2]["given"], given(&turns, "default"));
        let seen = code.sit(
            "laptop-3-copilots",
            json!([
                { "do": "list", "title": "Login, fixed" },
                { "do": "open", "title": "Login, fixed" },
                { "do": "ask", "prompt": "What was fixed?" },
            ]),
        );
        let shown = seen[1]["shown"].to_string();
        assert!(
            shown.contains("Fix the login") && !shown.contains(QUEUED),
            "{shown}"
        );
        assert_eq!(level(&seen[1]), "Default permissions");
        assert_eq!(seen[2]["given"]["permission"], "default");
        let history = seen[2]["given"]["history"].to_string();
        assert!(
            history.contains("Fix the login") && !history.contains(QUEUED),
            "{history}"
        );
        code.quit();
        for id in [session.as_str(), COPILOTS] {
            let entry = entry_of(laptop, id).expect("it is listed");
            assert_eq!(entry["permissionLevel"], "default", "{entry}");
        }

        // Back at the desk, which has kept its own level.
        for (id, said) in [
            (session.as_str(), "What did I ask first?"),
            (COPILOTS, "What was fixed?"),
        ] {
            wait_for(&format!("{said:?} to be on the desk"), PATIENCE, || {
                let text = fs::read_to_string(chat(desk, id)).map_err(|error| error.to_string())?;
                if text.contains(&format!("Answer to: {said}")) {
                    Ok(())
                } else {
                    Err(text)
                }
            });
        }
        let mut code = VsCode::start(desk);
        let seen = code.sit(
            "desk-3-back",
            json!([
                { "do": "list", "title": FIRST },
                { "do": "open", "title": FIRST },
                { "do": "ask", "prompt": "Thanks" },
            ]),
        );
        assert_eq!(seen[0]["listed"], 1);
        assert_eq!(level(&seen[1]), "Autopilot (Preview)");
        let turns = [FIRST, "And the HARBOUR?", "What did I ask first?"];
        assert_eq!(seen[2]["given"], given(&turns, "autopilot"));
        code.quit();
        // VS Code keeps a chat in which nothing was asked for each window. These are none.
        for device in [desk, laptop] {
            let sessions = device.roam(&["sessions"]);
            let ids: Vec<&Value> = rows(&sessions).map(|row| &row["session"]).collect();
            assert_eq!(ids.len(), 2, "{ids:?}");
        }
        devices.stop();
    });
}

fn given(turns: &[&str], permission: &str) -> Value {
    let told = |prompt: &&str| {
        [
            json!({ "prompt": prompt }),
            json!({ "answer": format!("Answer to: {prompt}") }),
        ]
    };
    let history: Vec<Value> = turns.iter().flat_map(told).collect();
    json!({ "history": history, "permission": permission })
}

/// What the chat's own button says about approvals; the other one says where the chat runs.
fn level(seen: &Value) -> &str {
    let text = seen["level"].as_str().unwrap_or_default();
    text.rsplit('\n').next().unwrap_or_default()
}

/// The chat that VS Code saved for the first prompt.
fn begun(device: &Device) -> String {
    let dir = vscode::window(device)
        .expect("the folder was opened")
        .join("chatSessions");
    let with = |path: &PathBuf| fs::read_to_string(path).is_ok_and(|text| text.contains(FIRST));
    let mut chats: Vec<PathBuf> = files_below(&dir).into_iter().filter(with).collect();
    assert_eq!(chats.len(), 1, "{chats:?}");
    let chat = chats.remove(0);
    chat.file_stem()
        .and_then(|stem| stem.to_str())
        .expect("a chat's id")
        .to_owned()
}

/// The fixture that VS Code's own code wrote with all kinds of parts, with the level "autopilot"
/// and a prompt that waits to be sent.
fn put_copilots_chat(device: &Device) {
    let fixture =
        "../../tests/fixtures/tools/copilot-chat/power/home/{config}/Code/User/workspaceStorage";
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join(fixture)
        .join("0a1b2c3d4e5f60718293a4b5c6d7e8f9/chatSessions")
        .join(format!("{COPILOTS}.jsonl"));
    let mut log = fs::read_to_string(fixture).expect("the fixture");
    log.push_str(&format!("{}\n", json!({ "kind": 1, "k": ["pendingRequests"], "v": [{
        "id": "request_q", "kind": "queued",
        "request": {
            "requestId": "request_q", "timestamp": 1_795_428_200_000_i64,
            "message": { "text": QUEUED, "parts": [] }, "variableData": { "variables": [] }, "response": [],
        },
        "sendOptions": { "modeInfo": { "kind": "agent", "permissionLevel": "autopilot" } },
    }] })));
    write(&chat(device, COPILOTS), &log);
}

/// A chat's entry in the list of VS Code, if the chat is there too.
fn entry_of(device: &Device, session: &str) -> Option<Value> {
    let mut database = Database::open(&database(device)?);
    let list = database.value(LIST);
    database.close();
    let list: Value = serde_json::from_str(&list?).expect("the list is JSON");
    let entry = list["entries"].get(session)?.clone();
    chat(device, session).exists().then_some(entry)
}

#[test]
fn vs_codes_own_sqlite_and_the_adapter_change_one_database() {
    let store = Store::new();
    let mut code = Database::open(&store.database);
    code.create();
    // As many chats as VS Code 1.139.1 lists.
    let mut entries: Vec<String> = (0..400)
        .map(|n| format!("00000000-0000-4000-8000-{n:012}"))
        .collect();
    code.put(LIST, &list_of(&entries));
    code.put("chat.other", "{\"kept\":\"🚢\"}");
    code.ask("INSERT INTO ItemTable VALUES ('bytes', x'00ff10')", &[]);

    // VS Code has it open, as any program may: its lock is what counts, the adapter asks for it.
    for (mode, id) in [("delete", "a"), ("wal", "b")] {
        let set = code.ask(&format!("PRAGMA journal_mode = {mode}"), &[]);
        assert_eq!(set[0]["journal_mode"], mode);
        // In the other mode this change is not in the file itself yet.
        entries.push(chat_id(&format!("{id}1")));
        code.put(LIST, &list_of(&entries));
        entries.push(store.write(&format!("{id}2")).expect("it is written"));
        assert_eq!(
            ids(&code.value(LIST).expect("a list")),
            sorted(&entries),
            "{mode}"
        );

        code.ask("BEGIN IMMEDIATE", &[]);
        let refused = store
            .write(&format!("{id}3"))
            .expect_err("VS Code is writing");
        let says = |why: &str| why.contains("is in use by another program; nothing was written");
        assert!(
            matches!(&refused, WriteError::Refused(why) if says(why)),
            "{refused:?}"
        );
        code.ask("COMMIT", &[]);
        assert_eq!(store.chats().len(), if mode == "delete" { 1 } else { 3 });
        entries.push(store.write(&format!("{id}3")).expect("it is written"));
    }
    assert_eq!(
        store.chats().len(),
        4,
        "the adapter reads what it wrote, while VS Code has it open"
    );
    code.close();

    let mut code = Database::open(&store.database);
    assert_eq!(
        code.ask("PRAGMA integrity_check", &[])[0]["integrity_check"],
        "ok"
    );
    let list = code.value(LIST).expect("a list");
    assert_eq!(ids(&list), sorted(&entries));
    let list: Value = serde_json::from_str(&list).expect("JSON");
    assert_eq!(
        list["entries"][&entries[0]],
        entry(&entries[0]),
        "others keep theirs"
    );
    let rows = code.ask(
        "SELECT key, typeof(value) AS class, hex(value) AS hex FROM ItemTable ORDER BY key",
        &[],
    );
    let class = |at: usize| (rows[at]["key"].as_str(), rows[at]["class"].as_str());
    assert_eq!(class(0), (Some("bytes"), Some("blob")));
    assert_eq!(rows[0]["hex"], "00FF10");
    assert_eq!(class(1), (Some(LIST), Some("text")));
    assert_eq!(class(2), (Some("chat.other"), Some("text")));
    assert_eq!(
        code.value("chat.other").as_deref(),
        Some("{\"kept\":\"🚢\"}")
    );
    code.close();
}

/// A store with one window, on a machine where no VS Code runs.
struct Store {
    machine: Machine,
    checkout: PathBuf,
    database: PathBuf,
    _root: TempDir,
}

impl Store {
    fn new() -> Self {
        let root = tempfile::tempdir().expect("a directory");
        let home = root.path().canonicalize().expect("a directory");
        let checkout = home.join("code/api");
        fs::create_dir_all(&checkout).expect("a directory");
        let window =
            home.join(".config/Code/User/workspaceStorage/1b2c3d4e5f60718293a4b5c6d7e8f90a");
        let folder = uri_of(&checkout.to_string_lossy(), System::HERE);
        write(
            &window.join("workspace.json"),
            &json!({ "folder": folder }).to_string(),
        );
        Self {
            machine: Machine::at(&home),
            checkout,
            database: window.join("state.vscdb"),
            _root: root,
        }
    }

    /// Writes a chat of another device.
    fn write(&self, name: &str) -> Result<String, WriteError> {
        let id = chat_id(name);
        let request = json!({ "requestId": "request_1", "timestamp": 2, "message": { "text": name, "parts": [] },
            "response": [{ "value": "Yes" }] });
        let log = json!({ "kind": 0, "v": { "version": 3, "sessionId": id, "creationDate": 1,
            "responderUsername": "GitHub Copilot", "requests": [request] } });
        let bytes = format!("{log}\n").into_bytes();
        let (session, doc) = (SessionId::new(&id), DocName::new("chat.jsonl"));
        let checkout = Checkout {
            session: &session,
            cwd: &self.checkout,
            updated: Millis(2),
            now: Millis(3),
            forgets: false,
            docs: vec![DocWrite {
                name: &doc,
                place: "Code/User/workspaceStorage/0f/chatSessions/chat.jsonl",
                change: Change::Create(&bytes),
            }],
        };
        CopilotChat.write(&self.machine, &checkout).map(|_| id)
    }

    fn chats(&self) -> Vec<SessionId> {
        let listing = CopilotChat.sessions(&self.machine, Which::All);
        assert!(
            listing.problems.is_empty() && listing.unknown.is_none(),
            "{:?}",
            listing.problems
        );
        listing
            .found
            .into_iter()
            .map(|found| found.session)
            .collect()
    }
}

fn chat_id(name: &str) -> String {
    format!("11111111-2222-4333-8444-{name:0>12}")
}

fn entry(id: &str) -> Value {
    json!({ "sessionId": id, "title": "Some", "lastMessageDate": 1, "initialLocation": "panel",
        "permissionLevel": "autopilot", "isEmpty": false })
}

fn list_of(ids: &[String]) -> String {
    let entries: serde_json::Map<String, Value> =
        ids.iter().map(|id| (id.clone(), entry(id))).collect();
    json!({ "version": 1, "entries": entries }).to_string()
}

fn ids(list: &str) -> Vec<String> {
    let list: Value = serde_json::from_str(list).expect("JSON");
    let entries = list["entries"].as_object().expect("entries");
    sorted(&entries.keys().cloned().collect::<Vec<_>>())
}

fn sorted(ids: &[String]) -> Vec<String> {
    let mut ids = ids.to_vec();
    ids.sort();
    ids
}
