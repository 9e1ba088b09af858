//! The real Cline, as these tests start and resume it. It continues a session only in a terminal.

use crate::device::{Device, PATIENCE, Resume, rows, signal};
use crate::files::write;
use crate::isolation::{run_within, wait_for};
use crate::programs::installed;
use crate::terminal::Terminal;
use crate::world::World;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long one prompt may take. They take four seconds.
const PROMPT_LIMIT: Duration = Duration::from_secs(180);

/// A desk and a laptop whose user has Cline; session-roam does not run yet.
pub fn unpaired() -> World {
    let link = |bin: &Path| symlink(program(), bin.join("cline")).expect("a link");
    let world = World::with_tools(link, settle);
    let below = world.desk.scratch().to_owned();
    world.ending_with(Daemons { below })
}

/// The same with engines that run and are paired.
pub fn paired() -> World {
    unpaired().met()
}

/// Continues a session with the command that `roam` prints, and returns what was sent to the
/// model.
pub fn resumed(world: &World, device: &Device, session: &str, prompt: &str) -> Vec<String> {
    wait_for(
        &format!("{} to know session {session}", device.name),
        PATIENCE,
        || device.session("cline", session),
    );
    let resume = device.roam(&["resume", session, "--print"]);
    let resume: Resume =
        serde_json::from_value(resume).expect("the answer of `roam resume --print`");
    assert_eq!(
        resume.cwd, device.checkout,
        "the session goes on in this device's checkout"
    );
    go_on(world, device, &resume, session, prompt)
}

/// The same with any command.
pub fn go_on(
    world: &World,
    device: &Device,
    resume: &Resume,
    session: &str,
    prompt: &str,
) -> Vec<String> {
    let mut terminal = Terminal::open(device, resume);
    terminal.wait_for("Ask");
    let knows = terminal.enter(prompt, &format!("Cline to send {prompt:?}"), || {
        world.mock.heard(prompt)
    });
    // The store is written when the answer is complete; Cline cannot continue from anything not
    // yet written.
    wait_for(
        &format!("the answer to {prompt:?} to be in the store"),
        PATIENCE,
        || {
            let said =
                fs::read_to_string(messages(device, session)).map_err(|error| error.to_string())?;
            if said.contains(&format!(" to: {prompt}\"")) {
                Ok(())
            } else {
                Err(said)
            }
        },
    );
    terminal.leave();
    knows
}

/// The daemons that Cline leaves behind in these homes.
struct Daemons {
    below: PathBuf,
}

impl Drop for Daemons {
    fn drop(&mut self) {
        let below = self.below.to_string_lossy().into_owned();
        let says = |pid: u64, name: &str, word: &str| {
            let bytes = fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
            String::from_utf8_lossy(&bytes).contains(word)
        };
        let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
        processes
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .filter(|pid| {
                says(*pid, "cmdline", "--cline-hub-daemon") && says(*pid, "environ", &below)
            })
            .for_each(|pid| signal("-KILL", pid));
    }
}

/// The program itself, which needs no launcher.
fn program() -> PathBuf {
    installed("real-clients/node_modules/@cline/cli-linux-x64/bin/cline")
        .expect("Cline is not installed: run `cargo xtask test`, which installs it")
}

/// Signs in to the mock, and puts secrets wherever Cline and its extension may keep them.
fn settle(device: &mut Device, mock_port: u16) {
    // One daemon for each home: both devices are on one machine here.
    device
        .variables
        .insert("CLINE_HUB_PORT".into(), (device.port + 2000).to_string());
    device
        .variables
        .insert("CLINE_NO_AUTO_UPDATE".into(), "1".into());
    let (secret, url) = (device.secret(), format!("http://127.0.0.1:{mock_port}/v1"));
    let sign_in = [
        "auth",
        "-p",
        "openai-compatible",
        "-k",
        &secret,
        "-m",
        "mock",
        "-b",
        &url,
    ];
    let ended = run_within(
        PROMPT_LIMIT,
        device.command("cline", &sign_in),
        device.scratch(),
    );
    assert!(
        ended.status.success(),
        "cline auth on {}: {}",
        device.name,
        ended.told()
    );
    let told = json!({ "planted": secret }).to_string();
    for file in [
        "secrets.json",
        "globalState.json",
        "settings/cline_mcp_settings.json",
        "sessions/providers.json",
    ] {
        write(&device.home.join(".cline/data").join(file), &told);
    }
    let extension =
        ".config/Code/User/globalStorage/saoudrizwan.claude-dev/settings/cline_mcp_settings.json";
    write(&device.home.join(extension), &told);
}

pub fn sessions(device: &Device) -> PathBuf {
    device.home.join(".cline/data/sessions")
}

pub fn messages(device: &Device, session: &str) -> PathBuf {
    sessions(device)
        .join(session)
        .join(format!("{session}.messages.json"))
}

pub fn manifest(device: &Device, session: &str) -> Result<Value, String> {
    let path = sessions(device)
        .join(session)
        .join(format!("{session}.json"));
    let bytes = fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    serde_json::from_slice(&bytes).map_err(|error| format!("{}: {error}", path.display()))
}

/// Starts a session in the device's checkout and returns its id.
pub fn begin(device: &Device, prompt: &str) -> String {
    let before = ids(device);
    let ended = run_within(
        PROMPT_LIMIT,
        device.command("cline", &[prompt]),
        device.scratch(),
    );
    assert!(
        ended.status.success(),
        "cline on {}: {}",
        device.name,
        ended.told()
    );
    let new: Vec<String> = ids(device)
        .into_iter()
        .filter(|id| !before.contains(id))
        .collect();
    let [id] = &new[..] else {
        panic!("one new session on {}: {new:?}", device.name)
    };
    id.clone()
}

fn ids(device: &Device) -> Vec<String> {
    let entries = fs::read_dir(sessions(device))
        .into_iter()
        .flatten()
        .flatten();
    let dirs = entries.filter(|entry| entry.path().is_dir());
    dirs.map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

/// The sessions that `cline history` lists.
pub fn listed(device: &Device) -> Vec<String> {
    let ended = run_within(
        PROMPT_LIMIT,
        device.command("cline", &["history", "--json"]),
        device.scratch(),
    );
    let list: Value =
        serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{}", ended.told()));
    rows(&list)
        .filter_map(|row| row["sessionId"].as_str().map(str::to_owned))
        .collect()
}

/// The command that the user types to resume, without `roam`.
pub fn by_hand(session: &str, cwd: &Path) -> Resume {
    let argv = ["cline", "--id", session].map(str::to_owned).to_vec();
    Resume {
        argv,
        cwd: cwd.to_owned(),
        env: Default::default(),
        unset: vec![],
    }
}

/// Waits until both stores hold the same conversation, and a manifest that is `to`'s own.
pub fn carried(session: &str, from: &Device, to: &Device) {
    wait_for(
        &format!(
            "session {session} of {} to be in {}'s store",
            from.name, to.name
        ),
        PATIENCE,
        || {
            let read =
                |device| fs::read(messages(device, session)).map_err(|error| error.to_string());
            let (theirs, ours) = (read(from)?, read(to)?);
            if theirs == ours {
                Ok(())
            } else {
                Err(format!("{} bytes there, {} here", theirs.len(), ours.len()))
            }
        },
    );
    wait_for(
        &format!("{} to have session {session} in its store", to.name),
        PATIENCE,
        || {
            // A session whose other branch became a session of its own is listed as split until the
            // user decides.
            let row = to.session("cline", session)?;
            if row["state"] == "here" || row["state"] == "split" {
                Ok(())
            } else {
                Err(row.to_string())
            }
        },
    );
    names_its_own(to, session);
}

/// With any other path Cline would open an empty chat.
pub fn names_its_own(device: &Device, session: &str) {
    let manifest = manifest(device, session).expect("a manifest");
    assert_eq!(
        manifest["messages_path"].as_str().map(Path::new),
        Some(messages(device, session).as_path())
    );
}
