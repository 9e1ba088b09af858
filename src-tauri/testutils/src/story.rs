//! The parts of every story with real tools: what was sent to the model, and a session brought from
//! one device to another.

use crate::device::{Device, PATIENCE, Resume};
use crate::isolation::wait_for;
use crate::tools::Tool;
use crate::world::World;
use session_roam_core::formats::steering::edited;
use session_roam_core::session::DocName;
use std::fs;
use std::path::Path;
use std::time::Instant;

/// Waits until `to` has in its tool's store what `from` has in its own, and asks `roam` there how
/// to continue.
pub fn carried_by_roam(tool: Tool, session: &str, from: &Device, to: &Device) -> Resume {
    let start = Instant::now();
    let what = format!(
        "session {session} of {} to be in {}'s store byte for byte",
        from.name, to.name
    );
    wait_for(&what, PATIENCE, || {
        let (theirs, ours) = (bytes(tool, session, from)?, bytes(tool, session, to)?);
        if theirs == ours {
            Ok(())
        } else {
            Err(format!("{} bytes there, {} here", theirs.len(), ours.len()))
        }
    });
    println!(
        "{tool:?}: seen on {} {} ms after the tool ended on {}",
        to.name,
        start.elapsed().as_millis(),
        from.name
    );
    let row = wait_for(
        &format!("{} to list session {session} as here", to.name),
        PATIENCE,
        || {
            to.session(tool.id(), session).and_then(|row| {
                if row["state"] == "here" {
                    Ok(row)
                } else {
                    Err(row.to_string())
                }
            })
        },
    );
    let file = tool.file(to, session).expect("read above");
    assert_eq!(
        row["path"].as_str().map(Path::new),
        Some(file.as_path()),
        "roam says where the file is"
    );
    let resume = to.roam(&["resume", session, "--print"]);
    serde_json::from_value(resume.clone())
        .unwrap_or_else(|error| panic!("roam resume --print says {resume}: {error}"))
}

/// Does the work of an adapter by hand.
pub fn copied_by_hand(tool: Tool, session: &str, from: &Device, to: &Device) -> Resume {
    let file = tool
        .file(from, session)
        .expect("the session is where it was written");
    let place = tool.place(&file, from, to);
    fs::create_dir_all(place.parent().expect("a file is in a directory")).expect("a directory");
    fs::copy(&file, place).expect("a copy");
    tool.resume_by_hand(session, &to.checkout)
}

/// The session's file on a device with its steering records in neutral form, as where another
/// device wrote it: the same on all devices.
pub fn bytes(tool: Tool, session: &str, device: &Device) -> Result<Vec<u8>, String> {
    Ok(neutral(tool, &stored(tool, session, device)?))
}

/// These lines with their steering records in the form that they have where another device wrote
/// them.
pub fn neutral(tool: Tool, lines: &[u8]) -> Vec<u8> {
    let adapters = session_roam_core::tools::all(&[]);
    let adapter = adapters
        .iter()
        .map(|adapter| adapter.about())
        .find(|about| about.tool.as_str() == tool.id());
    let neutral = adapter.expect("there is an adapter").steering.neutral;
    let doc = DocName::new("any.jsonl");
    let lines = lines.split_inclusive(|byte| *byte == b'\n');
    lines
        .flat_map(|line| edited(line, &neutral(&doc, line, Path::new(""))))
        .collect()
}

/// The same as it is stored.
pub fn stored(tool: Tool, session: &str, device: &Device) -> Result<Vec<u8>, String> {
    let file = tool.file(device, session)?;
    fs::read(&file).map_err(|error| format!("{}: {error}", file.display()))
}

/// Continues a session on a device with the command that `roam` gives there, and returns what was
/// sent to the model.
pub fn resumed(
    world: &World,
    tool: Tool,
    device: &Device,
    session: &str,
    prompt: &str,
) -> Vec<String> {
    wait_for(
        &format!("{} to know session {session}", device.name),
        PATIENCE,
        || device.session(tool.id(), session),
    );
    let resume = device.roam(&["resume", session, "--print"]);
    let resume = serde_json::from_value(resume).expect("the answer of `roam resume --print`");
    tool.go_on(device, &resume, prompt)
        .unwrap_or_else(|told| panic!("{tool:?} on {}: {told}", device.name));
    world.mock.context_of(prompt)
}
