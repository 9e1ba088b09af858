//! The account that a chat's selected model names. It is blanked out: it concerns one device alone.

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
