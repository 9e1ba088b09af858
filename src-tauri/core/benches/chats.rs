//! The cost of the stores of editors like VS Code: a chat of 76 MB, and a state database of several
//! gigabytes of which one value is needed. `cargo xtask bench chats` makes a table of it. Prints a
//! JSON line for each figure; no figure is a failure.

use rusqlite::{Connection, params};
use serde_json::{Value, json};
use session_roam_core::formats::{state_db, vscode};
use session_roam_core::session::{Millis, SessionId};
use session_roam_core::tools::copilot_chat::CopilotChat;
use session_roam_core::tools::copilot_chat::mutation_log::replay;
use session_roam_core::tools::cursor::Cursor;
use session_roam_core::tools::{Bytes, Change, Checkout, DocWrite, Machine, Tool, Which};
use std::fs;
use std::hint::black_box;
use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, Instant};

const CHAT: &str = "5f0c2a34-7d51-4c1e-9b0a-3a6f1c2d4e5f";
const INDEX: &str = "chat.ChatSessionStore.index";
const REQUESTS: usize = 760;
const DATABASE: u64 = 4 << 30;

fn main() {
    let place = tempfile::Builder::new()
        .prefix("rc")
        .tempdir_in(env!("CARGO_TARGET_TMPDIR"))
        .expect("a directory");
    chat(place.path());
    database(place.path());
    conversations(place.path());
}

/// The median time of seven runs.
fn took(mut work: impl FnMut()) -> Duration {
    let once = |_| {
        let begun = Instant::now();
        work();
        begun.elapsed()
    };
    let mut times: Vec<Duration> = (0..7).map(once).collect();
    times.sort();
    times[3]
}

/// The growth of memory at its peak; 0 if the system does not report it.
fn grown(work: impl FnOnce()) -> u64 {
    let field = |name: &str| {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .unwrap_or_default()
            .to_owned();
        line.trim_start_matches(':')
            .trim()
            .trim_end_matches(" kB")
            .parse::<u64>()
            .unwrap_or_default()
    };
    give_back();
    // Resets the recorded peak.
    drop(fs::write("/proc/self/clear_refs", "5"));
    let before = field("VmRSS");
    work();
    field("VmHWM").saturating_sub(before) * 1024
}

/// Returns freed memory to the system, so that its next use counts again.
fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: the call takes a number and only returns unused memory.
    unsafe {
        libc::malloc_trim(0);
    }
}

fn say(what: &str, time: Duration, memory: u64) {
    let ms = time.as_secs_f64() * 1e3;
    println!(
        "{}",
        json!({ "what": what, "ms": ms, "memory": memory as f64 / 1e6 })
    );
}

struct Raw(Vec<u8>);

impl Bytes for Raw {
    fn write_to(&self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(&self.0)
    }
}

fn line(value: &Value) -> Vec<u8> {
    format!("{value}\n").into_bytes()
}

fn log() -> Vec<u8> {
    let answer = "The quick brown fox \"jumps\" over\nthe lazy dog; ".repeat(2_000);
    let mut log = line(
        &json!({ "kind": 0, "v": { "version": 3, "sessionId": CHAT, "creationDate": 1_795_428_000_000_i64,
        "responderUsername": "GitHub Copilot", "requests": [],
        "inputState": { "selectedModel": { "identifier": "copilot/auto", "metadata": { "id": "auto" } } } } }),
    );
    for number in 0..REQUESTS {
        log.extend(line(&json!({ "kind": 2, "k": ["requests"], "v": [{ "requestId": format!("request_{number}"),
            "timestamp": 1_795_428_000_000_i64, "message": { "text": "Go on" }, "response": [{ "value": answer }],
            "result": { "metadata": {} } }] })));
    }
    log
}

fn chat(place: &Path) {
    let (home, cwd) = (place.join("home"), place.join("api"));
    fs::create_dir_all(&cwd).expect("dir");
    let machine = Machine::at(&home);
    let editor = vscode::Editor {
        name: "",
        folder: "Code",
        programs: &[],
        command: "",
    };
    let user = editor.user_dir(vscode::System::HERE, &machine);
    let window = user.join("workspaceStorage").join("a".repeat(32));
    fs::create_dir_all(window.join("chatSessions")).expect("dir");
    let uri = vscode::uri_of(&cwd.to_string_lossy(), vscode::System::HERE);
    fs::write(
        window.join("workspace.json"),
        json!({ "folder": uri }).to_string(),
    )
    .expect("write");
    made(&window.join("state.vscdb"));
    let (bytes, path) = (log(), window.join(format!("chatSessions/{CHAT}.jsonl")));
    fs::write(&path, &bytes).expect("write");
    let size = bytes.len() / 1_000_000;

    let mut sum = 0;
    let lines = || {
        bytes
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
    };
    let parse = || {
        lines()
            .map(|line| serde_json::from_slice::<Value>(line).expect("JSON"))
            .filter(Value::is_object)
            .count()
    };
    say(
        &format!("beside: a chat of {size} MB, each line parsed as JSON"),
        took(|| sum += parse()),
        0,
    );
    let replayed = || drop(black_box(replay(&bytes).expect("a log")));
    say(
        &format!("a chat of {size} MB: replayed"),
        took(replayed),
        grown(replayed),
    );
    let session = SessionId::new(CHAT);
    let found = || {
        CopilotChat
            .sessions(&machine, Which::One(&session))
            .found
            .remove(0)
    };
    let there = found();
    let read = || drop(black_box(CopilotChat.read(&machine, &there).expect("read")));
    say(
        &format!("a chat of {size} MB: read and checked, the account left out"),
        took(read),
        grown(read),
    );
    let mut number = 0;
    let mut append = || {
        number += 1;
        let there = found();
        let main = &there.docs[0];
        let new = Raw(line(
            &json!({ "kind": 1, "k": ["customTitle"], "v": format!("Title {number}") }),
        ));
        let change = Change::Append {
            path: &main.path,
            was: main.stamp,
            from: main.stamp.len,
            bytes: &new,
        };
        let docs = vec![DocWrite {
            name: &main.name,
            place: &main.place,
            change,
        }];
        let now = Millis(1_795_428_000_000);
        CopilotChat
            .write(
                &machine,
                &Checkout {
                    session: &session,
                    cwd: &cwd,
                    updated: now,
                    now,
                    forgets: false,
                    docs,
                },
            )
            .expect("written");
    };
    say(
        &format!("a chat of {size} MB: continued, with its entry in the index"),
        took(&mut append),
        grown(&mut append),
    );
    black_box(sum);
}

fn made(path: &Path) -> Connection {
    let database = Connection::open(path).expect("database");
    database
        .execute_batch(
            "PRAGMA synchronous = OFF; CREATE TABLE ItemTable (key TEXT UNIQUE ON CONFLICT REPLACE, value BLOB);",
        )
        .expect("table");
    let index = json!({ "version": 1, "entries": {} }).to_string();
    database
        .execute(
            "INSERT INTO ItemTable VALUES (?1, ?2)",
            [INDEX, index.as_str()],
        )
        .expect("index");
    database
}

fn database(place: &Path) {
    let (small, large) = (place.join("small.vscdb"), place.join("large.vscdb"));
    made(&small);
    let database = made(&large);
    let value = vec![b'x'; 1 << 20];
    database.execute_batch("BEGIN").expect("begin");
    for number in 0..DATABASE >> 20 {
        let key = format!("agentKv:blob:{number:064}");
        database
            .execute("INSERT INTO ItemTable VALUES (?1, ?2)", params![key, value])
            .expect("row");
    }
    database.execute_batch("COMMIT").expect("commit");
    drop(database);
    let size = fs::metadata(&large).expect("there").len() as f64 / 1e9;
    let get = |path: &Path| drop(black_box(state_db::get(path, INDEX).expect("read")));
    let put = |path: &Path| {
        let old = state_db::get(path, INDEX).expect("read");
        let new = old
            .as_ref()
            .map(|old| old.with_text(String::from_utf8_lossy(old.bytes()).into_owned() + " "));
        state_db::put(path, INDEX, old.as_ref(), new.as_ref()).expect("written");
    };
    say(
        "beside: one value of a state database of 12 kB",
        took(|| get(&small)),
        grown(|| get(&small)),
    );
    say(
        &format!("one value of a state database of {size:.1} GB"),
        took(|| get(&large)),
        grown(|| get(&large)),
    );
    say(
        "beside: one value changed in a state database of 12 kB",
        took(|| put(&small)),
        grown(|| put(&small)),
    );
    say(
        &format!("one value changed in a state database of {size:.1} GB"),
        took(|| put(&large)),
        grown(|| put(&large)),
    );
    let scan = || {
        let database = Connection::open(&large).expect("open");
        let sql = "SELECT count(*) FROM ItemTable WHERE key LIKE 'chat.ChatSessionStore%'";
        black_box(
            database
                .query_row(sql, [], |row| row.get::<_, i64>(0))
                .expect("counted"),
        );
    };
    say(
        &format!("beside: a look through the keys of {size:.1} GB"),
        took(scan),
        grown(scan),
    );
}

/// Cursor's database: 2,000 conversations of 60 messages, with the blobs of agents beside them.
fn conversations(place: &Path) {
    const CONVERSATIONS: usize = 2_000;
    const BLOBS: usize = 1 << 20;
    let machine = Machine::at(place.join("cursor"));
    let editor = vscode::Editor {
        name: "",
        folder: "Cursor",
        programs: &[],
        command: "",
    };
    let storage = editor
        .user_dir(vscode::System::HERE, &machine)
        .join("globalStorage");
    fs::create_dir_all(&storage).expect("dir");
    let path = storage.join("state.vscdb");
    let database = made(&path);
    let table =
        "CREATE TABLE cursorDiskKV (key TEXT UNIQUE ON CONFLICT REPLACE, value BLOB); BEGIN";
    database.execute_batch(table).expect("table");
    let put = |key: String, value: &dyn rusqlite::ToSql| {
        let sql = "INSERT INTO cursorDiskKV VALUES (?1, ?2)";
        database
            .prepare_cached(sql)
            .and_then(|mut put| put.execute(params![key, value]))
            .expect("row");
    };
    let (text, blob) = (
        "The quick brown fox jumps over the lazy dog; ".repeat(200),
        vec![b'x'; BLOBS],
    );
    let id = |number: usize| format!("{number:08x}-0000-4000-8000-000000000000");
    for number in 0..CONVERSATIONS {
        let composer = id(number);
        let heads: Vec<Value> = (0..60)
            .map(|at| json!({ "bubbleId": id(at), "type": 1 + at % 2 }))
            .collect();
        for at in 0..60 {
            let bubble = json!({ "_v": 3, "type": 1 + at % 2, "bubbleId": id(at), "text": text });
            put(
                format!("bubbleId:{composer}:{}", id(at)),
                &bubble.to_string(),
            );
        }
        put(format!("agentKv:blob:{number:064x}"), &blob);
        put(
            format!("agentKv:blob:{:064x}", number + CONVERSATIONS),
            &blob,
        );
        let data = json!({ "_v": 17, "composerId": composer, "name": "A conversation", "createdAt": 1, "lastUpdatedAt": 2,
            "fullConversationHeadersOnly": heads, "conversationState": "~" });
        put(format!("composerData:{composer}"), &data.to_string());
    }
    database.execute_batch("COMMIT").expect("commit");
    let size = fs::metadata(&path).expect("there").len() as f64 / 1e9;
    let list = || {
        let listing = Cursor::default().sessions(&machine, Which::All);
        assert_eq!(
            (listing.unknown, listing.found.len()),
            (None, CONVERSATIONS)
        );
    };
    let what = format!("{CONVERSATIONS} conversations of Cursor listed, {size:.1} GB");
    say(&what, took(list), grown(list));
    let cursor = Cursor::default();
    let again = || drop(black_box(cursor.sessions(&machine, Which::All)));
    again();
    say("the same, unchanged", took(again), grown(again));
    let one = SessionId::new(id(7));
    let read = || {
        let found = cursor.sessions(&machine, Which::One(&one)).found;
        drop(black_box(cursor.read(&machine, &found[0]).expect("read")));
    };
    say(
        "one of them listed and read, 0.5 MB",
        took(read),
        grown(read),
    );
    let scan = || {
        let sql = "SELECT count(*) FROM cursorDiskKV WHERE key LIKE 'composerData:%'";
        black_box(
            database
                .query_row(sql, [], |row| row.get::<_, i64>(0))
                .expect("counted"),
        );
    };
    say("beside: a look through all keys", took(scan), grown(scan));
}
