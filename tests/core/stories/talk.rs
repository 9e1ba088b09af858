//! Invented output of tools: ids, turns, and the checks that nearly every story ends with.

use super::world::{Device, World};
use session_roam_core::formats::steering::edited;
use session_roam_core::session::DocName;
use session_roam_core::tools;
use std::path::Path;
use std::sync::LazyLock;

pub const ONE: &str = "11111111-1111-4111-8111-111111111111";
pub const TWO: &str = "22222222-2222-4222-8222-222222222222";
pub const THREE: &str = "33333333-3333-4333-8333-333333333333";

/// The `number`th id of a long series.
pub fn id(number: usize) -> String {
    format!("{number:08x}-0000-4000-8000-000000000000")
}

/// A turn in a Claude Code transcript.
pub fn turn(cwd: &Path, session: &str, text: &str) -> String {
    let cwd = serde_json::to_string(&cwd.to_string_lossy()).expect("text");
    let text = serde_json::to_string(text).expect("text");
    format!(
        "{{\"type\":\"user\",\"cwd\":{cwd},\"sessionId\":\"{session}\",\"timestamp\":\"2026-11-23T09:00:00.000Z\",\
         \"message\":{{\"role\":\"user\",\"content\":{text}}}}}\n"
    )
}

/// A user's turn and its answer as Claude Code links them, after the record `parent` (empty at the
/// start).
pub fn linked(cwd: &Path, session: &str, parent: &str, name: &str, text: &str) -> String {
    let parent = if parent.is_empty() {
        "null".into()
    } else {
        format!("\"{}\"", linked_id(parent, "2"))
    };
    let cwd = serde_json::to_string(&cwd.to_string_lossy()).expect("text");
    let (asked, answered) = (linked_id(name, "1"), linked_id(name, "2"));
    format!(
        "{{\"parentUuid\":{parent},\"isSidechain\":false,\"type\":\"user\",\"cwd\":{cwd},\"sessionId\":\"{session}\",\
         \"uuid\":\"{asked}\",\"timestamp\":\"2026-11-23T09:00:00.000Z\",\"message\":{{\"role\":\"user\",\"content\":\"{text}\"}}}}\n\
         {{\"parentUuid\":\"{asked}\",\"isSidechain\":false,\"type\":\"assistant\",\"cwd\":{cwd},\"sessionId\":\"{session}\",\
         \"uuid\":\"{answered}\",\"timestamp\":\"2026-11-23T09:00:01.000Z\",\"message\":{{\"id\":\"msg_{name}\",\"role\":\"assistant\",\
         \"content\":[{{\"type\":\"text\",\"text\":\"answer to {text}\"}}]}}}}\n"
    )
}

/// A record's id, made of a name.
pub fn linked_id(name: &str, part: &str) -> String {
    let hash = blake3::hash(format!("{name} {part}").as_bytes()).to_hex();
    format!(
        "{}-{}-4{}-8{}-{}",
        &hash[..8],
        &hash[8..12],
        &hash[12..15],
        &hash[15..18],
        &hash[18..30]
    )
}

/// The first line of a Codex rollout.
pub fn meta(cwd: &Path, session: &str) -> String {
    let cwd = serde_json::to_string(&cwd.to_string_lossy()).expect("text");
    format!(
        "{{\"timestamp\":\"2026-11-23T09:00:00.000Z\",\"type\":\"session_meta\",\"payload\":{{\"id\":\"{session}\",\
         \"timestamp\":\"2026-11-23T09:00:00.000Z\",\"cwd\":{cwd},\"cli_version\":\"0.169.0\"}}}}\n"
    )
}

/// A turn in a Codex rollout.
pub fn item(text: &str) -> String {
    let text = serde_json::to_string(text).expect("text");
    format!(
        "{{\"timestamp\":\"2026-11-23T09:00:01.000Z\",\"type\":\"response_item\",\"payload\":{{\"type\":\"message\",\
         \"role\":\"user\",\"content\":[{{\"type\":\"input_text\",\"text\":{text}}}]}}}}\n"
    )
}

/// The lines as in every store to which another device wrote: steering records are in neutral form.
pub fn neutral(lines: &[u8]) -> Vec<u8> {
    static FORMS: LazyLock<Vec<tools::Steering>> = LazyLock::new(|| {
        tools::all(&[])
            .iter()
            .map(|tool| tool.about().steering)
            .collect()
    });
    let doc = DocName::new("any.jsonl");
    let line = |line: &[u8]| {
        let forms = FORMS
            .iter()
            .flat_map(|form| (form.neutral)(&doc, line, Path::new("/nowhere")));
        edited(line, &forms.collect::<Vec<_>>())
    };
    lines
        .split_inclusive(|byte| *byte == b'\n')
        .flat_map(line)
        .collect()
}

/// A doc as far as it may sync: of a log the whole lines, of a snapshot everything.
pub fn whole(name: &str, bytes: &[u8]) -> Vec<u8> {
    let end = bytes
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |at| at + 1);
    if name.ends_with(".jsonl") {
        bytes[..end].to_vec()
    } else {
        bytes.to_vec()
    }
}

/// Whether some file of the stores holds all lines of `doc` in their order: a file of the session,
/// or one of its branches, where the session's id is another one.
pub fn is_held(device: &mut Device, session: &str, doc: &[u8]) -> bool {
    let branches = device.splits().into_iter().flat_map(|split| split.branches);
    let ids: Vec<String> = branches
        .map(|branch| branch.session)
        .chain([session.to_owned()])
        .collect();
    ids.iter().any(|id| {
        let wanted = String::from_utf8_lossy(doc).replace(session, id);
        device.docs(id).values().any(|held| {
            let held = String::from_utf8_lossy(held).into_owned();
            let mut lines = held.lines();
            wanted.lines().all(|line| lines.any(|other| other == line))
        })
    })
}

/// Every doc of the session has the same bytes on `to` as on `from`. A log without a whole line is
/// not there yet; a file that was emptied is no new content, and stays there as it was.
pub fn assert_carried(from: &Device, to: &Device, session: &str) {
    let (here, there) = (from.docs(session), to.docs(session));
    let wanted: Vec<(&String, Vec<u8>)> = here
        .iter()
        .map(|(name, bytes)| (name, whole(name, bytes)))
        .filter(|(_, bytes)| !bytes.is_empty())
        .collect();
    assert!(!wanted.is_empty(), "{} has the session", from.name);
    for (name, bytes) in &wanted {
        let found = there
            .get(*name)
            .unwrap_or_else(|| panic!("{} lacks {name}", to.name));
        let (found, bytes) = (
            found.escape_ascii().to_string(),
            bytes.escape_ascii().to_string(),
        );
        assert!(
            found == bytes,
            "{name} on {}:\n{found}\nis not what {} has:\n{bytes}",
            to.name,
            from.name
        );
    }
    for (name, bytes) in &there {
        assert!(here.contains_key(name), "{} alone has {name}", to.name);
        assert!(!bytes.is_empty(), "{name} was emptied on {}", to.name);
    }
}

/// All devices list the session as being here, without problems.
pub fn assert_quiet(world: &mut World, session: &str) {
    for device in &mut world.devices {
        assert_eq!(device.state_of(session), "here", "on {}", device.name);
        assert_eq!(device.status().problems, [], "on {}", device.name);
    }
}
