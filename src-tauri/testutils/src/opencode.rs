//! The real OpenCode, as these tests start and resume it, and its sessions as the adapter sees
//! them.

use crate::device::{Device, PATIENCE, Resume};
use crate::files::write;
use crate::isolation::{run_within, wait_for};
use crate::programs::installed;
use crate::world::World;
use serde_json::{Value, json};
use session_roam_core::session::SessionId;
use session_roam_core::tools::opencode::OpenCode;
use session_roam_core::tools::{Content, Found, Machine, Tool, Which};
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// How long one prompt may take. They take four seconds.
const PROMPT_LIMIT: Duration = Duration::from_secs(180);

/// How long OpenCode may take over one request, after which it is asked again.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// A desk and a laptop whose user has OpenCode; session-roam does not run yet.
pub fn unpaired() -> World {
    let link = |bin: &Path| symlink(program(), bin.join("opencode")).expect("a link");
    World::with_tools(link, |device, port| settle(device, port))
}

/// The same with engines that run and are paired.
pub fn paired() -> World {
    unpaired().met()
}

/// The program itself, which needs no launcher.
fn program() -> PathBuf {
    let cpu = match std::env::consts::ARCH {
        "aarch64" => "arm64",
        _ => "x64",
    };
    installed(&format!(
        "real-clients/node_modules/opencode-linux-{cpu}/bin/opencode"
    ))
    .expect("OpenCode is not installed: run `cargo xtask test`, which installs it")
}

/// The mock as the model, over OpenAI's Responses API, and credentials that nobody else may ever
/// see.
fn settle(device: &Device, mock_port: u16) {
    let secret = device.secret();
    let provider = json!({
        "npm": "@ai-sdk/openai",
        "name": "Mock",
        "options": { "baseURL": format!("http://127.0.0.1:{mock_port}/v1"), "apiKey": secret },
        "models": { "m1": { "name": "M1", "limit": { "context": 100_000, "output": 4000 } } },
    });
    let config = json!({
        "autoupdate": false, "share": "disabled", "model": "mock/m1", "small_model": "mock/m1",
        "provider": { "mock": provider },
    });
    write(
        &device.home.join(".config/opencode/opencode.json"),
        &config.to_string(),
    );
    let sign_in = json!({ "anthropic": { "type": "api", "key": secret } });
    write(
        &device.home.join(".local/share/opencode/auth.json"),
        &sign_in.to_string(),
    );
}

/// Starts a session in the device's checkout and returns its id.
pub fn begin(device: &Device, prompt: &str) -> String {
    begin_in(device, &device.checkout, prompt)
}

pub fn begin_in(device: &Device, cwd: &Path, prompt: &str) -> String {
    let before = ids(device);
    say(device, cwd, &[], prompt).unwrap_or_else(|told| panic!("on {}: {told}", device.name));
    let new: Vec<String> = ids(device)
        .into_iter()
        .filter(|id| !before.contains(id))
        .collect();
    let [id] = &new[..] else {
        panic!("one new session on {}: {new:?}", device.name)
    };
    id.clone()
}

/// Continues with the command that `roam resume` printed, in OpenCode's form for scripts: `opencode
/// run -s ID`.
pub fn go_on(device: &Device, resume: &Resume, prompt: &str) {
    let [program, option, id] = &resume.argv[..] else {
        panic!("not `opencode -s ID`: {resume:?}")
    };
    assert_eq!([program, option], ["opencode", "-s"]);
    say(device, &resume.cwd, &["-s", id], prompt)
        .unwrap_or_else(|told| panic!("on {}: {told}", device.name));
}

pub fn by_hand(session: &str, cwd: &Path) -> Resume {
    let argv = ["opencode", "-s", session].map(str::to_owned).to_vec();
    Resume {
        argv,
        cwd: cwd.to_owned(),
        env: Default::default(),
        unset: vec![],
    }
}

/// The device's user wants to be asked before a command runs; where nobody can be asked, the
/// command is refused.
pub fn ask_before_all(device: &Device) {
    let file = device.home.join(".config/opencode/opencode.json");
    let mut config: Value =
        serde_json::from_slice(&std::fs::read(&file).expect("it was settled")).expect("JSON");
    config["permission"] = json!({ "bash": "ask" });
    write(&file, &config.to_string());
}

/// The session as OpenCode exports it.
fn exported(device: &Device, session: &str) -> Value {
    let ended = run_within(
        PROMPT_LIMIT,
        opencode(device, &["export", session]),
        device.scratch(),
    );
    let start = ended
        .stdout
        .find('{')
        .unwrap_or_else(|| panic!("{}", ended.told()));
    serde_json::from_str(&ended.stdout[start..]).unwrap_or_else(|_| panic!("{}", ended.told()))
}

/// The session as OpenCode exports it, with rules that allow everything.
pub fn allowing_all(device: &Device, session: &str) -> PathBuf {
    let mut whole = exported(device, session);
    whole["info"]["permission"] = json!([{ "permission": "*", "pattern": "*", "action": "allow" }]);
    let file = device
        .scratch()
        .join(format!("{session}-allowing-all.json"));
    write(&file, &whole.to_string());
    file
}

/// The session as OpenCode exports it, whose last answer claims to have changed these files. The
/// state of the working tree before the change is another device's.
pub fn changing(device: &Device, session: &str, files: &[&Path]) -> PathBuf {
    let mut whole = exported(device, session);
    let message = whole["messages"]
        .as_array_mut()
        .and_then(|all| all.last_mut());
    let message = message.expect("an answer");
    let patch = json!({
        "id": "prt_zzzzzzzzzzzzPlantedByTheTest", "sessionID": session, "messageID": message["info"]["id"],
        "type": "patch", "hash": "c01199a62a2582ccc1ee894291e5dd5dc3bce730", "files": files,
    });
    message["parts"].as_array_mut().expect("a list").push(patch);
    let file = device.scratch().join(format!("{session}-changing.json"));
    write(&file, &whole.to_string());
    file
}

/// The user undoes everything from the first message on, as `/undo` does.
pub fn undo_all(device: &Device, session: &str) {
    let whole = exported(device, session);
    let first = whole["messages"][0]["info"]["id"].as_str();
    let body = json!({ "messageID": first.expect("a message") });
    let free = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
    let address = free.expect("a free port");
    let port = address.port().to_string();
    let serve = ["serve", "--hostname", "127.0.0.1", "--port", &port];
    let mut server = opencode(device, &serve);
    let (out, error) = (
        device.scratch().join("serve"),
        device.scratch().join("serve-error"),
    );
    let create = |path: &Path| std::fs::File::create(path).expect("a file for the output");
    server.stdout(create(&out)).stderr(create(&error));
    let mut server = server.spawn().expect("it starts");
    // Requests that come while OpenCode starts are accepted and never answered.
    let undone = wait_for("OpenCode to undo", PATIENCE, || {
        ureq::post(format!("http://{address}/session/{session}/revert"))
            .config()
            .timeout_global(Some(ANSWER_LIMIT))
            .build()
            .send_json(&body)
            .and_then(|mut answer| answer.body_mut().read_json::<Value>())
            .map_err(|error| error.to_string())
    });
    server.kill().expect("it runs");
    server.wait().expect("it ends");
    assert!(undone["revert"].is_object(), "{undone}");
}

/// OpenCode's own import, which accepts everything.
pub fn import(device: &Device, file: &Path) {
    let mut command = opencode(device, &["import", file.to_str().expect("UTF-8")]);
    command.current_dir(&device.checkout);
    let ended = run_within(PROMPT_LIMIT, command, device.scratch());
    assert!(ended.status.success(), "{}", ended.told());
}

pub fn delete(device: &Device, session: &str) {
    let ended = run_within(
        PROMPT_LIMIT,
        opencode(device, &["session", "delete", session]),
        device.scratch(),
    );
    assert!(ended.status.success(), "{}", ended.told());
}

/// Whether OpenCode ran the command that this session asked for. A refused command does not fail
/// the test.
pub fn runs(device: &Device, resume: &Resume, word: &str) -> bool {
    let [_, _, id] = &resume.argv[..] else {
        panic!("not `opencode -s ID`: {resume:?}")
    };
    let told = say(
        device,
        &resume.cwd,
        &["-s", id],
        &format!("run-tool: echo {word}"),
    );
    let content = String::from_utf8(content(device, id)).expect("text");
    assert!(
        content.contains(&format!("run-tool: echo {word}")),
        "it was asked: {told:?}"
    );
    content.contains(&format!("\"output\":\"{word}\\n\""))
}

fn say(device: &Device, cwd: &Path, options: &[&str], prompt: &str) -> Result<(), String> {
    // An argument with spaces would be quoted in the prompt.
    let words: Vec<&str> = ["run"]
        .iter()
        .chain(options)
        .copied()
        .chain(prompt.split(' '))
        .collect();
    let mut command = opencode(device, &words);
    command.current_dir(cwd);
    let ended = run_within(PROMPT_LIMIT, command, device.scratch());
    if ended.status.success() {
        Ok(())
    } else {
        Err(ended.told())
    }
}

pub fn opencode(device: &Device, arguments: &[&str]) -> Command {
    let mut command = device.command("opencode", arguments);
    command
        .env("OPENCODE_DISABLE_MODELS_FETCH", "1")
        .env("OPENCODE_DISABLE_LSP_DOWNLOAD", "1");
    command
}

/// The device as an adapter sees it.
pub fn machine(device: &Device) -> Machine {
    let mut machine = Machine::at(&device.home);
    let bin = device.scratch().join("bin");
    let path = std::env::var("PATH").expect("there is a PATH");
    machine
        .vars
        .insert("PATH".into(), format!("{}:{path}", bin.display()));
    machine
}

pub fn found(device: &Device, session: &str) -> Option<Found> {
    let listing =
        OpenCode::default().sessions(&machine(device), Which::One(&SessionId::new(session)));
    assert_eq!((listing.problems, listing.unknown), (vec![], None));
    listing.found.into_iter().next()
}

fn ids(device: &Device) -> Vec<String> {
    let listing = OpenCode::default().sessions(&machine(device), Which::All);
    listing
        .found
        .iter()
        .map(|found| found.session.to_string())
        .collect()
}

/// The session as it is in the device's store.
pub fn content(device: &Device, session: &str) -> Vec<u8> {
    let found =
        found(device, session).unwrap_or_else(|| panic!("{session} is not on {}", device.name));
    // The engine's own import may lock the database: OpenCode then reports "database is locked"
    // (seen 2026-11-29).
    let reading = wait_for(
        &format!("{session} of {} to be exported", device.name),
        PROMPT_LIMIT,
        || {
            OpenCode::default()
                .read(&machine(device), &found)
                .map_err(|error| error.to_string())
        },
    );
    let Content::Bytes(bytes) = &reading.docs[0] else {
        panic!("made on the spot")
    };
    bytes.to_vec()
}

/// The texts of a session's messages, read from the database without starting a program.
pub fn texts(device: &Device, session: &str) -> Vec<String> {
    let file = device.home.join(".local/share/opencode/opencode.db");
    let query = format!(
        "select json_extract(part.data, '$.text') as text from part join message on message.id = part.message_id \
         where part.session_id = '{session}' and json_extract(part.data, '$.type') = 'text' \
         order by message.time_created, message.id, part.id"
    );
    // An import that runs beside it may hold the lock.
    let rows: Vec<Value> = wait_for("OpenCode to read its database", PATIENCE, || {
        let mut command = opencode(device, &["db", &query, "--format", "json"]);
        command.env("OPENCODE_DB", &file);
        let ended = run_within(PROMPT_LIMIT, command, device.scratch());
        serde_json::from_str(&ended.stdout).map_err(|_| ended.told())
    });
    rows.iter()
        .filter_map(|row| row["text"].as_str().map(str::to_owned))
        .collect()
}

/// Waits until `to` has as much of the session in its store as `from`, and asks `roam` there how to
/// continue.
pub fn carried(session: &str, from: &Device, to: &Device) -> Resume {
    let wanted = messages(&content(from, session));
    let what = format!(
        "session {session} of {} to be in {}'s store",
        from.name, to.name
    );
    wait_for(&what, PATIENCE, || {
        let there = found(to, session).ok_or("it is not there")?;
        let theirs = found(from, session).ok_or("it is gone")?;
        // The number of messages and parts.
        if there.docs[0].stamp.len == theirs.docs[0].stamp.len {
            Ok(())
        } else {
            Err(format!("{there:?}"))
        }
    });
    assert_eq!(messages(&content(to, session)), wanted);
    wait_for(
        &format!("{} to list session {session} as here", to.name),
        PATIENCE,
        || {
            to.session("opencode", session).and_then(|row| {
                if row["state"] == "here" {
                    Ok(row)
                } else {
                    Err(row.to_string())
                }
            })
        },
    );
    let resume = to.roam(&["resume", session, "--print"]);
    serde_json::from_value(resume.clone())
        .unwrap_or_else(|error| panic!("roam resume --print says {resume}: {error}"))
}

/// All of a document except the fields of the session as a whole.
pub fn messages(content: &[u8]) -> String {
    let text = String::from_utf8(content.to_vec()).expect("a document is text");
    let (messages, _) = text
        .rsplit_once("\"info\"")
        .expect("the session's own words are at the end");
    messages.to_owned()
}
