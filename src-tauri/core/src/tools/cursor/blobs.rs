//! The blobs of a conversation as a document: one a line, each under the SHA-256 of its bytes. Pure.
//!
//! ```json
//! {"blobs":[
//! {"id":"2c26…","utf8":"{\"role\":\"user\",…}"},
//! {"id":"fcde…","base64":"CgR…"}
//! ]}
//! ```

use super::state::{BlobId, MOST_BLOBS, hex};
use crate::merge::snapshots::Judged;
use data_encoding::{BASE64, HEXLOWER};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::collections::BTreeSet;

#[derive(Serialize, Deserialize)]
struct Line<'a> {
    id: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    utf8: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    base64: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Parsed<'a> {
    #[serde(borrow)]
    blobs: Vec<Line<'a>>,
}

pub(super) fn render(blobs: &[(BlobId, Vec<u8>)]) -> Vec<u8> {
    let mut out = String::from("{\"blobs\":[\n");
    for (at, (id, bytes)) in blobs.iter().enumerate() {
        let text = std::str::from_utf8(bytes).ok();
        let line = Line {
            id: hex(id).into(),
            utf8: text.map(Cow::from),
            base64: text.is_none().then(|| BASE64.encode(bytes).into()),
        };
        out.push_str(if at == 0 { "" } else { ",\n" });
        out.push_str(&serde_json::to_string(&line).expect("text only"));
    }
    out.push_str("\n]}\n");
    out.into_bytes()
}

/// The blobs of a document, checked against their ids; else what is wrong with it.
pub(super) fn parse(content: &[u8]) -> Result<Vec<(BlobId, Vec<u8>)>, String> {
    let parsed: Parsed<'_> = serde_json::from_slice(content).map_err(|error| error.to_string())?;
    if MOST_BLOBS < parsed.blobs.len() {
        return Err(format!("it has {} blobs", parsed.blobs.len()));
    }
    let blob = |line: Line<'_>| {
        let bytes = match (line.utf8, line.base64) {
            (Some(text), None) => Some(text.into_owned().into_bytes()),
            (None, Some(base64)) => BASE64.decode(base64.as_bytes()).ok(),
            _ => None,
        };
        let id = HEXLOWER
            .decode(line.id.as_bytes())
            .ok()
            .and_then(|id| BlobId::try_from(id).ok());
        id.zip(bytes)
            .filter(|(id, bytes)| BlobId::from(Sha256::digest(bytes)) == *id)
            .ok_or_else(|| format!("the blob \"{}\" is not what its id says", line.id))
    };
    parsed.blobs.into_iter().map(blob).collect()
}

/// Of two sets of blobs, the one that includes the other.
pub(super) fn judge(first: &[u8], second: &[u8]) -> Judged {
    if first == second {
        return Judged::Same;
    }
    let ids = |content| -> Option<BTreeSet<BlobId>> {
        Some(parse(content).ok()?.into_iter().map(|(id, _)| id).collect())
    };
    match (ids(first), ids(second)) {
        (Some(first), Some(second)) if first.is_superset(&second) => {
            Judged::longer(first.len(), second.len())
        }
        (Some(first), Some(second)) if second.is_superset(&first) => Judged::Second,
        _ => Judged::Both,
    }
}
