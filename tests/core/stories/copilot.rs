//! Chats of GitHub Copilot in VS Code: an editor that keeps its list in memory while it runs, a log
//! of changes instead of messages, two forms of one document. The output of VS Code is in the
//! fixtures; these stories are about what happens around it.

use super::world::{Device, World, tree};
use rusqlite::{Connection, OptionalExtension};
use serde_json::{Value, json};
use session_roam_core::formats::vscode::{Editor, System, uri_of};
use session_roam_core::session::{DocName, SessionId};
use session_roam_core::tools::copilot_chat::CopilotChat;
use session_roam_core::tools::copilot_chat::mutation_log::replay;
use session_roam_core::tools::{
    About, Checkout, Found, Launch, Listing, Machine, Reading, Resumable, Root, Running, Tool,
    Touched, Which, WriteError, Written,
};
use std::fs;
use std::path::{Path, PathBuf};

const CHAT: &str = "5f0c2a34-7d51-4c1e-9b0a-3a6f1c2d4e5f";
const OTHER: &str = "11111111-2222-4333-8444-555555555555";
const INDEX: &str = "chat.ChatSessionStore.index";
/// Part of what VS Code records about the account of a model.
const PLANTED: &str = "planted-account-token";

/// The file that VS Code wrote for one chat (its own code made the fixture).
fn written_by_vscode() -> Vec<u8> {
    let home =
        "../../tests/fixtures/tools/copilot-chat/log/home/{config}/Code/User/workspaceStorage";
    let dir = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join(home)
        .join("0a1b2c3d4e5f60718293a4b5c6d7e8f9/chatSessions");
    fs::read(dir.join(format!("{CHAT}.jsonl"))).expect("fixture")
}

fn line(value: &Value) -> Vec<u8> {
    format!("{value}\n").into_bytes()
}

/// A prompt and its answer, appended to the others.
fn turn(number: usize, words: &str) -> Vec<u8> {
    line(&json!({ "kind": 2, "k": ["requests"], "v": [{
        "requestId": format!("request_{number}_{words}"), "timestamp": 1_795_428_000_000_i64 + number as i64 * 60_000,
        "message": { "text": words, "parts": [] }, "response": [{ "value": format!("answer to {words}") }],
        "result": { "metadata": {} }, "modelState": { "value": 1 },
    }] }))
}

fn prompts(log: &[u8]) -> Vec<String> {
    let state = replay(log).expect("a log");
    let requests = state["requests"].as_array().expect("requests");
    requests
        .iter()
        .map(|request| {
            request["message"]["text"]
                .as_str()
                .expect("words")
                .to_owned()
        })
        .collect()
}

struct Story {
    world: World,
    /// The directory of the window's storage on each device.
    windows: [PathBuf; 2],
}

impl Story {
    /// A window for the project on both devices, closed.
    fn new() -> Self {
        let (world, here, there) = World::pair_of_devices();
        let windows = [
            window(&world.devices[0], "Code", &here, "aa"),
            window(&world.devices[1], "Code", &there, "bb"),
        ];
        Self { world, windows }
    }

    fn file(&self, at: usize, chat: &str) -> PathBuf {
        self.windows[at]
            .join("chatSessions")
            .join(format!("{chat}.jsonl"))
    }

    fn log(&self, at: usize, chat: &str) -> Vec<u8> {
        fs::read(self.file(at, chat)).expect("the chat is there")
    }

    fn prompts(&self, at: usize) -> Vec<String> {
        prompts(&self.log(at, CHAT))
    }

    fn say(&mut self, at: usize, bytes: impl AsRef<[u8]>) {
        let path = self.file(at, CHAT);
        self.world.devices[at].say(&path, bytes);
    }

    fn starts(&self, at: usize, exe: &str) {
        let process = Running {
            pid: 4711,
            exe: exe.into(),
            ..Running::default()
        };
        self.world.devices[at]
            .apps
            .lock()
            .expect("apps")
            .push(process);
    }

    fn quits(&mut self, at: usize) {
        self.world.devices[at].apps.lock().expect("apps").clear();
        self.world.devices[at].poll();
    }

    fn title(&self, at: usize, chat: &str) -> Option<String> {
        index(&self.windows[at])?["entries"][chat]["title"]
            .as_str()
            .map(str::to_owned)
    }

    fn why_it_waits(&mut self, at: usize) -> String {
        let waiting = self.world.devices[at].status().waiting;
        waiting
            .into_iter()
            .find(|waiting| waiting.session == CHAT)
            .map(|waiting| waiting.why)
            .unwrap_or_default()
    }
}

/// A window for the project, closed, as an editor of that name leaves it.
fn window(device: &Device, folder: &'static str, project: &Path, id: &str) -> PathBuf {
    let editor = Editor {
        name: "",
        folder,
        programs: &[],
        command: "",
    };
    let dir = editor
        .user_dir(System::HERE, &device.machine())
        .join("workspaceStorage")
        .join(id.repeat(16));
    fs::create_dir_all(&dir).expect("dir");
    let uri = uri_of(&project.to_string_lossy(), System::HERE);
    fs::write(
        dir.join("workspace.json"),
        json!({ "folder": uri }).to_string(),
    )
    .expect("write");
    let entry = json!({ "sessionId": OTHER, "title": "Other", "lastMessageDate": 1, "big": 9_007_199_254_740_993_i64 });
    let index = json!({ "version": 1, "entries": { OTHER: entry } }).to_string();
    let database = Connection::open(dir.join("state.vscdb")).expect("database");
    database
        .execute_batch("CREATE TABLE ItemTable (key TEXT UNIQUE ON CONFLICT REPLACE, value BLOB);")
        .and_then(|()| {
            database.execute(
                "INSERT INTO ItemTable VALUES (?1, ?2)",
                [INDEX, index.as_str()],
            )
        })
        .expect("made");
    dir
}

fn stored(window: &Path) -> Option<(String, String)> {
    let database = Connection::open(window.join("state.vscdb")).expect("database");
    let sql = "SELECT CAST(value AS TEXT), typeof(value) FROM ItemTable WHERE key = ?1";
    database
        .query_row(sql, [INDEX], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()
        .expect("read")
}

fn index(window: &Path) -> Option<Value> {
    serde_json::from_str(&stored(window)?.0).ok()
}

fn put_index(window: &Path, text: &str) {
    let database = Connection::open(window.join("state.vscdb")).expect("database");
    database
        .execute("INSERT INTO ItemTable VALUES (?1, ?2)", [INDEX, text])
        .expect("write");
}

#[test]
fn a_chat_waits_for_its_editor_and_is_written_when_that_has_quit() {
    let mut story = Story::new();
    story.starts(1, "/usr/share/code/code");
    story.say(0, written_by_vscode());
    story.world.deliver();
    let why = story.why_it_waits(1);
    assert!(
        why.contains("Visual Studio Code is running (process 4711)"),
        "{why}"
    );
    assert!(!story.file(1, CHAT).exists());
    assert_eq!(story.title(1, CHAT), None);

    story.quits(1);
    assert_eq!(
        story.prompts(1),
        ["Fix the login of ${HOME}", "Add a test: ünïcödé 日本"]
    );
    let (text, class) = stored(&story.windows[1]).expect("an index");
    let index: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(index["version"], 1);
    assert_eq!(
        (class.as_str(), index["entries"][OTHER]["big"].as_i64()),
        ("text", Some(9_007_199_254_740_993))
    );
    let entry = &index["entries"][CHAT];
    assert_eq!(
        (&entry["sessionId"], &entry["title"], &entry["isEmpty"]),
        (&json!(CHAT), &json!("Login, fixed"), &json!(false))
    );
    assert_eq!(entry["lastMessageDate"], 1_795_428_120_000_i64);
    let kept = tree(&story.windows[1])
        .into_iter()
        .find(|(path, _)| path.to_string_lossy().contains(".roam-chat-index-"));
    let kept: Value = serde_json::from_slice(&kept.expect("kept for undo").1).expect("JSON");
    assert_eq!(
        kept["entries"].as_object().map(|entries| entries.len()),
        Some(1)
    );
    assert_eq!(story.world.devices[1].waits_for(CHAT), None);
    assert_eq!(story.world.devices[1].problems(), Vec::<String>::new());
}

#[test]
fn another_program_is_not_that_editor() {
    let mut story = Story::new();
    for exe in [
        "/usr/bin/codex",
        "/usr/share/code-insiders/code-insiders",
        "/opt/Cursor/cursor",
        "/usr/bin/code-server",
    ] {
        story.starts(1, exe);
    }
    story.say(0, written_by_vscode());
    story.world.deliver();
    assert_eq!(story.prompts(1).len(), 2);
}

#[test]
fn it_goes_to_and_fro_and_the_account_stays_where_it_is() {
    let mut story = Story::new();
    let first = written_by_vscode();
    assert!(String::from_utf8_lossy(&first).contains(PLANTED));
    story.say(0, &first);
    story.world.deliver();
    story.say(1, turn(3, "on lap"));
    story.world.deliver();
    // The author keeps its own bytes, including the account; nobody else has it.
    assert_eq!(story.log(0, CHAT), [first, turn(3, "on lap")].concat());
    for device in &story.world.devices {
        for (path, bytes) in tree(&device.roam) {
            assert!(
                memchr::memmem::find(&bytes, PLANTED.as_bytes()).is_none(),
                "{}",
                path.display()
            );
            let Ok(plain) = zstd::decode_all(&bytes[..]) else {
                continue;
            };
            for secret in [PLANTED, "ada-at-work"] {
                assert!(
                    memchr::memmem::find(&plain, secret.as_bytes()).is_none(),
                    "{secret} in {}",
                    path.display()
                );
            }
        }
    }
    let there = story.log(1, CHAT);
    assert!(memchr::memmem::find(&there, PLANTED.as_bytes()).is_none());
    assert_eq!(
        there.len(),
        story.log(0, CHAT).len(),
        "each line keeps its length"
    );
    story.say(0, turn(4, "on desk"));
    story.world.deliver();
    assert_eq!(story.prompts(1)[2..], ["on lap", "on desk"]);
    assert_eq!(story.world.devices[0].problems(), Vec::<String>::new());
}

#[test]
fn a_chat_gone_on_with_on_two_devices_becomes_two_in_both_lists() {
    let mut story = Story::new();
    story.say(0, written_by_vscode());
    story.world.deliver();
    story.world.part(0, 1);
    story.say(0, turn(3, "on desk"));
    story.world.devices[1].set_clock(super::world::START + 1000);
    story.say(1, turn(3, "on lap"));
    story.world.meet(0, 1);
    let all = |at: usize| {
        let listing = CopilotChat.sessions(&story.world.devices[at].machine(), Which::All);
        listing
            .found
            .into_iter()
            .map(|found| found.session)
            .collect::<Vec<SessionId>>()
    };
    assert_eq!((all(0).len(), all(0)), (2, all(1)));
    let fork = all(0)
        .into_iter()
        .find(|session| session.as_str() != CHAT)
        .expect("a fork");
    for at in [0, 1] {
        assert_eq!(
            story.prompts(at).last().map(String::as_str),
            Some("on desk")
        );
        assert_eq!(
            prompts(&story.log(at, fork.as_str()))
                .last()
                .map(String::as_str),
            Some("on lap")
        );
        let state = replay(&story.log(at, fork.as_str())).expect("a log");
        assert_eq!(state["sessionId"], fork.as_str());
        assert_eq!(
            story.title(at, fork.as_str()).as_deref(),
            Some("Login, fixed (from lap)"),
            "on {at}"
        );
        assert_eq!(
            story.title(at, CHAT).as_deref().unwrap_or("Login, fixed"),
            "Login, fixed"
        );
    }
    assert_eq!(story.world.devices[0].splits().len(), 1);
}

#[test]
fn what_lies_in_the_input_box_parts_nothing() {
    let mut story = Story::new();
    story.say(0, written_by_vscode());
    story.world.deliver();
    story.world.part(0, 1);
    story.say(
        0,
        line(&json!({ "kind": 1, "k": ["inputState", "inputText"], "v": "half a thou" })),
    );
    story.world.devices[1].set_clock(super::world::START + 1000);
    story.say(1, turn(3, "on lap"));
    story.world.meet(0, 1);
    for at in [0, 1] {
        // The desk's file was written a moment ago, but its writer is gone.
        story.world.devices[at].set_clock(super::world::START + 60_000);
        story.world.devices[at].poll();
        assert_eq!(
            story.prompts(at).last().map(String::as_str),
            Some("on lap"),
            "on {at}"
        );
        assert!(story.world.devices[at].splits().is_empty());
    }
}

/// VS Code sends them after the next answer, wherever that is (1.139.1, 2026-11-29).
#[test]
fn prompts_that_wait_on_one_device_wait_on_no_other() {
    let mut story = Story::new();
    story.say(0, written_by_vscode());
    let queued = json!([{ "id": "request_q", "kind": "queued", "request": {}, "sendOptions": {} }]);
    story.say(
        0,
        line(&json!({ "kind": 1, "k": ["pendingRequests"], "v": queued })),
    );
    story.world.deliver();
    let waits = |story: &Story, at: usize| {
        replay(&story.log(at, CHAT)).expect("a log")["pendingRequests"].clone()
    };
    assert_eq!(waits(&story, 0), queued);
    assert_eq!(waits(&story, 1), json!([]));
    assert_eq!(story.log(0, CHAT).len(), story.log(1, CHAT).len());
    story.say(1, turn(3, "on lap"));
    story.world.deliver();
    assert_eq!(
        waits(&story, 0),
        queued,
        "they still wait where they were entered"
    );
    assert_eq!(story.prompts(0).last().map(String::as_str), Some("on lap"));
}

/// VS Code 1.139.1 keeps such a chat for each window (2026-11-29).
#[test]
fn a_chat_in_which_nothing_was_asked_is_no_session_until_something_is() {
    let mut story = Story::new();
    let blank = json!({ "version": 3, "sessionId": CHAT, "creationDate": 1_795_428_000_000_i64,
        "responderUsername": "GitHub Copilot", "requests": [], "pendingRequests": [],
        "inputState": { "inputText": "half a thou", "permissionLevel": "default" } });
    story.say(0, line(&json!({ "kind": 0, "v": blank })));
    story.world.deliver();
    assert!(story.world.devices[0].sessions().is_empty());
    assert!(story.world.devices[1].sessions().is_empty() && !story.file(1, CHAT).exists());
    story.say(0, turn(1, "at last"));
    story.world.deliver();
    assert_eq!(story.prompts(1), ["at last"]);
    // Taken out again: what was asked is not lost.
    story.say(
        0,
        line(&json!({ "kind": 2, "k": ["requests"], "i": 0, "v": [] })),
    );
    story.world.deliver();
    assert_eq!(story.world.devices[1].sessions().len(), 1);
}

/// One line with the content of all lines, as VS Code writes it after a thousand.
fn compacted(log: &[u8]) -> Vec<u8> {
    line(&json!({ "kind": 0, "v": replay(log).expect("a log") }))
}

#[test]
fn a_compacted_log_is_the_same_chat() {
    let mut story = Story::new();
    story.say(0, written_by_vscode());
    story.world.deliver();
    let whole = compacted(&[story.log(0, CHAT), turn(3, "and compacted")].concat());
    let path = story.file(0, CHAT);
    story.world.devices[0].put(&path, whole);
    story.world.deliver();
    story.world.devices[1].set_clock(super::world::START + 60_000);
    story.world.devices[1].poll();
    assert_eq!(
        story.prompts(1).last().map(String::as_str),
        Some("and compacted")
    );
    assert!(
        story
            .world
            .devices
            .iter_mut()
            .all(|device| device.status().held.is_empty() && device.splits().is_empty())
    );
}

#[test]
fn a_line_that_does_not_apply_is_told_and_written_nowhere_else() {
    let mut story = Story::new();
    story.say(0, written_by_vscode());
    story.world.deliver();
    let before = (story.log(1, CHAT), stored(&story.windows[1]));
    // A torn line does not count yet.
    story.say(0, b"{\"kind\":1,\"k\":[\"requests\",7,");
    story.world.deliver();
    assert!(story.world.devices[0].problems().is_empty());
    story.say(0, b"\"vote\"],\"v\":1}\n");
    story.world.deliver();
    assert_eq!(story.world.devices[0].problems(), ["session_damaged"]);
    let why = story.why_it_waits(1);
    assert!(why.contains("changes something that is not there"), "{why}");
    assert_eq!((story.log(1, CHAT), stored(&story.windows[1])), before);
}

#[test]
fn a_damaged_index_is_left_alone_and_told_and_another_window_is_not_its_business() {
    let mut story = Story::new();
    let home = story.world.devices[1].project("web", "git@github.com:acme/web.git");
    let web_there = window(&story.world.devices[1], "Code", &home, "cc");
    let web = story.world.devices[0].project("web", "git@github.com:acme/web.git");
    let web_here = window(&story.world.devices[0], "Code", &web, "dd");
    story.say(0, written_by_vscode());
    story.world.deliver();
    let there = story.log(1, CHAT);
    for damaged in [
        "{\"version\":1,\"entries\":{",
        "{\"version\":1,\"entries\":{\"a\":{\"sessionId\":\"a\",\"title\":null,\"lastMessageDate\":1}}}",
        "{\"version\":1}",
    ] {
        put_index(&story.windows[1], damaged);
        story.say(0, turn(3, "not taken"));
        story.world.deliver();
        let why = story.why_it_waits(1);
        assert!(why.contains("is damaged"), "{why}");
        assert_eq!(
            (
                story.log(1, CHAT),
                stored(&story.windows[1]).map(|stored| stored.0)
            ),
            (there.clone(), Some(damaged.into()))
        );
        story.world.devices[1].poll();
        assert_eq!(story.world.devices[1].problems(), ["index_unreadable"]);
    }
    let second = "99999999-7d51-4c1e-9b0a-3a6f1c2d4e5f";
    let path = web_here.join(format!("chatSessions/{second}.jsonl"));
    let chat = String::from_utf8(written_by_vscode())
        .expect("text")
        .replace(CHAT, second);
    story.world.devices[0].put(&path, chat);
    story.world.deliver();
    assert!(
        web_there
            .join(format!("chatSessions/{second}.jsonl"))
            .exists()
    );

    put_index(&story.windows[1], "{\"version\":1,\"entries\":{}}");
    story.world.devices[1].poll();
    assert_eq!(
        story.prompts(1).last().map(String::as_str),
        Some("not taken")
    );
    assert_eq!(story.world.devices[1].problems(), Vec::<String>::new());
}

#[test]
fn an_index_of_a_later_version_lowers_the_tool_and_nothing_is_written() {
    let mut story = Story::new();
    story.say(0, written_by_vscode());
    story.world.deliver();
    let there = story.log(1, CHAT);
    put_index(&story.windows[1], "{\"version\":2,\"chats\":[]}");
    story.world.devices[1].poll();
    story.say(0, turn(3, "later"));
    story.world.deliver();
    assert_eq!(story.log(1, CHAT), there);
    assert_eq!(
        story.world.devices[1].waits_for(CHAT).as_deref(),
        Some("unknown_shape")
    );
    let why = story.why_it_waits(1);
    assert!(why.contains("version 2"), "{why}");
}

#[test]
fn where_no_window_has_the_directory_the_chat_waits_until_it_was_opened_there() {
    let (world, here, there) = World::pair_of_devices();
    let windows = [
        window(&world.devices[0], "VSCodium", &here, "aa"),
        PathBuf::new(),
    ];
    let mut story = Story { world, windows };
    story.say(0, written_by_vscode());
    story.world.deliver();
    let why = story.why_it_waits(1);
    assert!(
        why.contains("was never opened in VS Code here; open it there once"),
        "{why}"
    );
    // Windows of two editors, neither of them the author's: VS Code itself comes before Insiders.
    let insiders = window(&story.world.devices[1], "Code - Insiders", &there, "bb");
    story.windows[1] = window(&story.world.devices[1], "Code", &there, "cc");
    story.world.devices[1].poll();
    assert_eq!(story.prompts(1).len(), 2);
    assert!(!insiders.join("chatSessions").exists());
}

/// What VS Code 1.139 notes of the repository in a chat.
fn repository(number: usize) -> Vec<u8> {
    line(&json!({ "kind": 1, "k": ["repoData"], "v": {
        "remoteUrl": format!("https://x:{PLANTED}-{number}@host/api"),
        "diffs": [{ "uri": "file:///api/.env", "unifiedDiff": format!("+KEY={PLANTED}-{number}") }],
    } }))
}

fn is_recorded(device: &Device, text: &str) -> bool {
    let lines = super::journals::recorded_lines(device, CHAT);
    let mut lines = lines.keys().map(|line| String::from_utf8_lossy(line));
    lines.any(|line| line.contains(text))
}

/// Tokens in the addresses of remotes and all uncommitted changes left the device with a chat.
#[test]
fn what_a_chat_notes_of_the_repository_stays_on_its_device() {
    let mut story = Story::new();
    let log = [written_by_vscode(), repository(1), turn(2, "again")].concat();
    story.say(0, &log);
    story.world.deliver();
    assert!(!is_recorded(&story.world.devices[0], PLANTED));
    assert_eq!(story.log(0, CHAT), log, "its own file is as it was");
    let there = story.log(1, CHAT);
    assert_eq!(there.len(), log.len());
    assert!(replay(&there).expect("a log")["repoData"].is_null());
    assert_eq!(story.prompts(1), prompts(&log));
    // It goes on there and comes back, and nothing parts.
    story.say(1, turn(3, "there"));
    story.world.deliver();
    story.say(0, [repository(2), turn(4, "here")].concat());
    story.world.deliver();
    assert_eq!(story.prompts(0), story.prompts(1));
    assert!(!is_recorded(&story.world.devices[0], PLANTED));
    for device in &mut story.world.devices {
        assert_eq!(device.splits().len(), 0, "on {}", device.name);
        assert_eq!(device.problems(), [""; 0], "on {}", device.name);
    }
}

/// The adapter of before, which kept nothing of a chat to itself.
struct Before;

impl Tool for Before {
    fn about(&self) -> About {
        CopilotChat.about()
    }

    fn roots(&self, machine: &Machine) -> Vec<Root> {
        CopilotChat.roots(machine)
    }

    fn touched(&self, machine: &Machine, path: &Path) -> Touched {
        CopilotChat.touched(machine, path)
    }

    fn sessions(&self, machine: &Machine, which: Which<'_>) -> Listing {
        CopilotChat.sessions(machine, which)
    }

    fn read(&self, machine: &Machine, found: &Found) -> std::io::Result<Reading> {
        let reading = CopilotChat.read(machine, found)?;
        Ok(Reading {
            private: Default::default(),
            ..reading
        })
    }

    fn write(&self, machine: &Machine, checkout: &Checkout<'_>) -> Result<Written, WriteError> {
        CopilotChat.write(machine, checkout)
    }

    fn resume(&self, machine: &Machine, session: &Resumable<'_>) -> Launch {
        CopilotChat.resume(machine, session)
    }

    fn is_main(&self, doc: &DocName) -> bool {
        CopilotChat.is_main(doc)
    }
}

/// Lines of a log do not change: a chat whose line read differently than it was recorded would be one
/// that was rewritten on both devices.
#[test]
fn a_chat_that_was_synced_with_its_repository_goes_on_as_it_is() {
    let mut story = Story::new();
    for device in &mut story.world.devices {
        device.more_tools = vec![std::sync::Arc::new(Before)];
        device.start();
    }
    story.say(0, [written_by_vscode(), repository(1)].concat());
    story.world.deliver();
    assert!(is_recorded(&story.world.devices[1], PLANTED));
    for device in &mut story.world.devices {
        device.more_tools = Vec::new();
        device.start();
    }
    story.say(1, turn(2, "there"));
    story.world.deliver();
    story.say(0, [repository(2), turn(3, "here")].concat());
    story.world.deliver();
    assert_eq!(story.prompts(0), story.prompts(1));
    let planted = format!("{PLANTED}-2");
    for device in &mut story.world.devices {
        assert!(!is_recorded(device, &planted), "what is new stays");
        assert_eq!(device.splits().len(), 0, "on {}", device.name);
        assert_eq!(device.sessions().len(), 1, "on {}", device.name);
        assert_eq!(device.status().held.len(), 0, "on {}", device.name);
    }
}

#[test]
fn a_chat_goes_into_the_editor_in_which_it_was_made() {
    let (world, here, there) = World::pair_of_devices();
    let code = window(&world.devices[1], "Code", &there, "bb");
    let windows = [
        window(&world.devices[0], "VSCodium", &here, "aa"),
        window(&world.devices[1], "VSCodium", &there, "cc"),
    ];
    let mut story = Story { world, windows };
    story.say(0, written_by_vscode());
    story.world.deliver();
    assert_eq!(story.prompts(1).len(), 2);
    assert!(!code.join("chatSessions").exists());
}

#[test]
fn a_document_that_became_a_log_stays_one_chat_and_hides_nothing() {
    let mut story = Story::new();
    let mut document = replay(&written_by_vscode()).expect("a log");
    document["inputState"] = json!(null);
    let old = |story: &Story, at: usize| story.file(at, CHAT).with_extension("json");
    let path = old(&story, 0);
    story.world.devices[0].put(&path, serde_json::to_vec_pretty(&document).expect("JSON"));
    story.world.deliver();
    assert_eq!(
        fs::read(old(&story, 1)).expect("there"),
        fs::read(&path).expect("here")
    );
    assert_eq!(story.title(1, CHAT).as_deref(), Some("Login, fixed"));
    // VS Code continues it as a log and leaves the document in its place.
    story.say(
        0,
        [
            line(&json!({ "kind": 0, "v": document })),
            turn(3, "in the log"),
        ]
        .concat(),
    );
    story.world.deliver();
    assert_eq!(
        story.prompts(1).last().map(String::as_str),
        Some("in the log")
    );
    let rows = |story: &mut Story, at: usize| {
        story.world.devices[at]
            .sessions()
            .into_iter()
            .filter(|row| row.tool == "copilot-chat")
            .count()
    };
    assert_eq!((rows(&mut story, 0), rows(&mut story, 1)), (1, 1));
    story.say(1, turn(4, "on lap"));
    story.world.deliver();
    assert_eq!(story.prompts(0)[2..], ["in the log", "on lap"]);
}

/// VS Code 1.139.1 runs tools without a question if the last request carries such a level
/// (2026-11-29). In a log it is renamed; a document has no place for another name.
#[test]
fn a_document_whose_request_brings_a_permission_level_is_not_written() {
    let mut story = Story::new();
    let mut document = replay(&written_by_vscode()).expect("a log");
    document["inputState"] = json!(null);
    let old = |story: &Story, at: usize| story.file(at, CHAT).with_extension("json");
    let mut say = |story: &mut Story, level: &str| {
        document["requests"][0]["modeInfo"] = json!({ "kind": "agent", "permissionLevel": level });
        let path = old(story, 0);
        let bytes = serde_json::to_vec(&document).expect("JSON");
        story.world.devices[0].put(&path, bytes);
        story.world.deliver();
    };
    say(&mut story, "autopilot");
    assert!(!old(&story, 1).exists());
    let why = story.why_it_waits(1);
    assert!(why.contains("permission level \"autopilot\""), "{why}");
    assert_eq!(story.title(1, CHAT), None, "nothing is in the list either");
    say(&mut story, "default");
    assert!(old(&story, 1).exists());
}

#[test]
fn words_that_are_only_in_the_older_form_are_never_hidden_by_the_newer() {
    let mut story = Story::new();
    let mut document = replay(&written_by_vscode()).expect("a log");
    document["inputState"] = json!(null);
    let path = story.file(0, CHAT).with_extension("json");
    story.world.devices[0].put(&path, serde_json::to_vec(&document).expect("JSON"));
    story.world.deliver();
    story.world.part(0, 1);
    story.say(
        0,
        [
            line(&json!({ "kind": 0, "v": document })),
            turn(3, "in the log"),
        ]
        .concat(),
    );
    story.world.devices[1].set_clock(super::world::START + 1000);
    let mut longer = document.clone();
    longer["requests"].as_array_mut().expect("requests").push(json!({
        "requestId": "request_lap", "message": { "text": "in the document" }, "response": [], "timestamp": 1 }));
    let there = story.file(1, CHAT).with_extension("json");
    story.world.devices[1].put(&there, serde_json::to_vec(&longer).expect("JSON"));
    story.world.meet(0, 1);
    let why = story.why_it_waits(1);
    assert!(why.contains("has words that it lacks"), "{why}");
    assert!(
        fs::read_to_string(&there)
            .expect("there")
            .contains("in the document")
    );
    assert!(!story.file(1, CHAT).exists());
}

#[test]
fn chats_of_a_window_without_a_folder_and_those_in_no_list_are_carried() {
    let mut story = Story::new();
    let home = |story: &Story, at: usize| {
        story.windows[at]
            .ancestors()
            .nth(2)
            .expect("the user directory")
            .join("globalStorage")
    };
    for at in [0, 1] {
        fs::create_dir_all(home(&story, at)).expect("dir");
        fs::copy(
            story.windows[at].join("state.vscdb"),
            home(&story, at).join("state.vscdb"),
        )
        .expect("copy");
    }
    let path = home(&story, 0).join(format!("emptyWindowChatSessions/{CHAT}.jsonl"));
    story.world.devices[0].put(&path, written_by_vscode());
    story.world.deliver();
    let there = home(&story, 1).join(format!("emptyWindowChatSessions/{CHAT}.jsonl"));
    assert_eq!(prompts(&fs::read(there).expect("there")).len(), 2);
    let there = index(&home(&story, 1)).expect("an index");
    assert_eq!(there["entries"][CHAT]["title"], "Login, fixed");
    // VS Code keeps the newest chats in its list, and all files.
    assert!(index(&home(&story, 0)).expect("an index")["entries"][CHAT].is_null());
}

#[test]
fn which_of_two_contents_says_all_of_the_other() {
    use session_roam_core::merge::snapshots::Judged::{self, Both, First, Same, Second};
    let request = |id: &str, words: &str, response: Value| json!({ "requestId": id, "message": { "text": words }, "response": response });
    let chat = |requests: Vec<Value>| {
        line(&json!({ "kind": 0, "v": { "sessionId": CHAT, "requests": requests } }))
    };
    let (one, two) = (
        request("r1", "hi", json!([{ "value": "hello" }])),
        request("r2", "on", json!([])),
    );
    let with = |name: &str, value: Value| {
        let mut request = one.clone();
        request[name] = value;
        request
    };
    let call = |done: bool| json!([{ "kind": "toolInvocationSerialized", "toolCallId": "c", "isComplete": done }]);
    let rows: [(&str, Vec<Value>, Vec<Value>, Judged); 10] = [
        ("the_same", vec![one.clone()], vec![one.clone()], Same),
        (
            "one_went_on",
            vec![one.clone(), two.clone()],
            vec![one.clone()],
            First,
        ),
        (
            "another_request",
            vec![one.clone()],
            vec![two.clone()],
            Both,
        ),
        (
            "both_went_on",
            vec![one.clone(), two.clone()],
            vec![one.clone(), request("r3", "on", json!([]))],
            Both,
        ),
        (
            "an_answer_on_its_way",
            vec![with("response", json!([{ "value": "hel" }]))],
            vec![one.clone()],
            Second,
        ),
        (
            "another_answer",
            vec![with("response", json!([{ "value": "help" }]))],
            vec![one.clone()],
            Both,
        ),
        (
            "votes_and_times_are_no_words",
            vec![with("vote", json!(1))],
            vec![with("elapsedMs", json!(9))],
            Same,
        ),
        (
            "with_its_result",
            vec![with("result", json!({ "metadata": {} }))],
            vec![one.clone()],
            First,
        ),
        (
            "a_call_that_ended",
            vec![with("response", call(false))],
            vec![with("response", call(true))],
            Second,
        ),
        (
            "further_here_and_further_there",
            vec![with("response", json!([{ "value": "hel" }])), two.clone()],
            vec![one.clone()],
            Both,
        ),
    ];
    let judge = CopilotChat.about().joins.judge.expect("a judge");
    let doc = session_roam_core::session::DocName::new("chat.jsonl");
    for (rule, first, second, wanted) in rows {
        let (first, second) = (chat(first), chat(second));
        assert_eq!(judge(&doc, &first, &second), wanted, "{rule}");
        let turned = match wanted {
            First => Second,
            Second => First,
            same => same,
        };
        assert_eq!(
            judge(&doc, &second, &first),
            turned,
            "{rule}, the other way round"
        );
    }
    assert_eq!(judge(&doc, b"half", &chat(vec![one])), Both);
}

#[test]
fn a_chat_is_shown_as_what_was_asked_thought_done_and_answered() {
    let about = CopilotChat.about();
    let records = about.records.expect("records")(&written_by_vscode());
    let shown: Vec<(&str, String)> = records
        .iter()
        .filter_map(about.read_message)
        .map(|said| (said.role.as_str(), said.text()))
        .collect();
    let wanted = [
        ("user", "Fix the login of ${HOME}"),
        (
            "assistant",
            "The login checks the wrong field.\n[run_in_terminal] cargo test",
        ),
        ("tool", "1 failed"),
        ("assistant", "Done; see login.rs"),
        ("user", "Add a test: ünïcödé 日本"),
        (
            "assistant",
            "Here it is.\n[edit] /home/ada/code/api/tests/login.rs",
        ),
    ];
    assert_eq!(shown, wanted.map(|(role, text)| (role, text.to_owned())));
    assert_eq!(records[0]["timestamp"], "2026-11-23T10:01:00.000Z");
}
