//! What a chat has of its device: the account that its selected model names, and the repository with
//! the addresses of its remotes and all uncommitted changes. Both are blanked out: they concern one
//! device alone.

use super::mutation_log::first_step;
use crate::adapter::Patch;
use crate::formats::fields;
use crate::session::DocKind;
use crate::session::chain::lines_of;
use serde_json::Value;
use std::ops::Range;

/// Blanks out the account; returns whether the bytes named one. Each line keeps its length, so that
/// recorded offsets stay valid in the file.
pub fn blank_account(kind: DocKind, bytes: &mut [u8]) -> bool {
    let mut named = false;
    for place in accounts(kind, bytes) {
        let value = &mut bytes[place];
        let (word, rest) = value.split_at_mut(4);
        named |= word != b"null" || rest.iter().any(|byte| *byte != b' ');
        word.copy_from_slice(b"null");
        rest.fill(b' ');
    }
    named
}

/// The places of the values that name the account.
fn accounts(kind: DocKind, bytes: &[u8]) -> Vec<Range<usize>> {
    if memchr::memmem::find(bytes, b"selectedModel").is_none() {
        return Vec::new();
    }
    let place = |line: &[u8]| {
        let value = account_in(kind, line)?;
        let start = value.as_ptr() as usize - bytes.as_ptr() as usize;
        Some(start..start + value.len())
    };
    match kind {
        DocKind::Log => lines_of(bytes).filter_map(place).collect(),
        DocKind::Snapshot => place(bytes).into_iter().collect(),
    }
}

/// The raw value that names the account. A value shorter than `null` names none.
fn account_in(kind: DocKind, line: &[u8]) -> Option<&str> {
    memchr::memmem::find(line, b"selectedModel")?;
    let places: &[&str] = match kind {
        DocKind::Snapshot => &["/inputState/selectedModel"],
        DocKind::Log => match fields::get(line, "kind")? {
            "0" => &["/v/inputState/selectedModel"],
            "1" => {
                let path: Vec<Value> = serde_json::from_str(fields::get(line, "k")?).ok()?;
                let path: Vec<&str> = path.iter().map_while(Value::as_str).collect();
                match path[..] {
                    ["inputState"] => &["/v/selectedModel"],
                    ["inputState", "selectedModel", ..] => &["v"],
                    _ => &[],
                }
            }
            _ => &[],
        },
    };
    places
        .iter()
        .find_map(|place| fields::get(line, place))
        .filter(|value| 4 <= value.len())
}

const REPOSITORY: &str = "repoData";

/// The places of what a chat has of its repository, and what is recorded there, of the same lengths.
pub fn repository(kind: DocKind, bytes: &[u8]) -> Vec<Patch> {
    if memchr::memmem::find(bytes, REPOSITORY.as_bytes()).is_none() {
        return Vec::new();
    }
    let (mut patches, mut at) = (Vec::new(), 0);
    let lines: Vec<&[u8]> = match kind {
        DocKind::Log => lines_of(bytes).collect(),
        DocKind::Snapshot => vec![bytes],
    };
    for line in lines {
        let patch = |(there, shown): (&str, String)| Patch {
            offset: at + (there.as_ptr() as usize - line.as_ptr() as usize) as u64,
            shown: shown.into_bytes(),
            there: there.as_bytes().to_vec(),
        };
        let blanks = blanks_in(kind, line).into_iter();
        patches.extend(blanks.filter(|(there, shown)| there != shown).map(patch));
        at += line.len() as u64;
    }
    patches
}

/// What a line, or a document, has of the repository, and what is recorded in its place. A change
/// below it becomes a change of the whole, so that it applies where there is nothing.
fn blanks_in(kind: DocKind, line: &[u8]) -> Vec<(&str, String)> {
    let value = |place| {
        let value = fields::get(line, place).filter(|value| 4 <= value.len());
        value.map(|value| (value, padded("null", "", value.len())))
    };
    let changed = || -> Option<Vec<(&str, String)>> {
        let kind = fields::get(line, "kind")?;
        let path = fields::get(line, "k")?;
        if kind == "0" || first_step(path.as_bytes()).as_deref() != Some(REPOSITORY) {
            return None;
        }
        let set = if kind == "2" { "1" } else { kind };
        let whole = padded("[\"repoData\"", "]", path.len());
        let blanks = [
            Some((kind, set.to_owned())),
            Some((path, whole)),
            value("v"),
        ];
        Some(blanks.into_iter().flatten().collect())
    };
    match kind {
        DocKind::Snapshot => value("/repoData").into_iter().collect(),
        DocKind::Log => changed().unwrap_or_else(|| value("/v/repoData").into_iter().collect()),
    }
}

/// JSON with spaces in it, so that it has this length.
fn padded(start: &str, end: &str, len: usize) -> String {
    let spaces = len.saturating_sub(start.len() + end.len());
    format!("{start}{}{end}", " ".repeat(spaces))
}

#[cfg(test)]
mod tests {
    use super::super::mutation_log::replay;
    use super::*;
    use crate::adapter::Content;
    use serde_json::json;
    use std::io::Read;

    fn recorded(log: &str) -> String {
        let content = Content::Bytes(log.as_bytes().to_vec().into());
        let content = content.patched(repository(DocKind::Log, log.as_bytes()));
        let mut text = String::new();
        let read = content
            .open()
            .and_then(|mut bytes| bytes.read_to_string(&mut text));
        read.expect("in memory");
        text
    }

    #[test]
    fn nothing_of_the_repository_is_left_and_the_log_applies_as_before() {
        let lines = [
            json!({"kind": 0, "v": {"requests": [], "repoData": {"remoteUrl": "planted", "diffs": ["planted"]}}}),
            json!({"kind": 1, "k": ["repoData"], "v": {"diffs": ["planted"]}}),
            json!({"kind": 1, "k": ["repoData", "remoteUrl"], "v": "planted"}),
            json!({"kind": 2, "k": ["repoData", "diffs"], "v": ["planted"], "i": 0}),
            json!({"kind": 3, "k": ["repoData", "diffs", 0]}),
            json!({"kind": 1, "k": ["title"], "v": "repoData: stays"}),
            json!({"kind": 1, "k": ["repoData"], "v": null}),
        ];
        for n in 1..=lines.len() {
            let log: String = lines[..n].iter().map(|line| format!("{line}\n")).collect();
            let recorded = recorded(&log);
            assert_eq!(recorded.len(), log.len());
            assert!(!recorded.contains("planted"), "{recorded}");
            let document = replay(recorded.as_bytes()).expect("a log");
            assert!(document["repoData"].is_null(), "{document}");
            assert_eq!(document["requests"], json!([]));
            assert_eq!(super::repository(DocKind::Log, recorded.as_bytes()), []);
        }
        let document = br#"{"repoData":{"remoteUrl":"planted"},"requests":[]}"#;
        let patches = super::repository(DocKind::Snapshot, document);
        assert_eq!((patches.len(), patches[0].offset), (1, 12));
    }
}
