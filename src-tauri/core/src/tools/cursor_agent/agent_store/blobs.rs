//! The blobs of a chat: their ids, and the references in those that are protobuf messages. Reads only the fields that
//! order the conversation, name its directory or steer. All input is hostile: lengths are checked, nothing recurses.
//!
//! The messages are those of `agent.v1` in `@cursor/sdk` 1.1.0 (2026-11-29), field for field:
//! `ConversationStateStructure` (the root), `ConversationTurnStructure`, `UserMessage`, `ConversationStep`.

use crate::formats::protobuf::{self, Value as Field};
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

/// SHA-256 of the blob's bytes.
pub type BlobId = [u8; 32];

pub fn id_of(data: &[u8]) -> BlobId {
    Sha256::digest(data).into()
}

pub fn hex_of(id: &BlobId) -> String {
    HEXLOWER.encode(id)
}

/// An id as the store writes it: 64 digits in lower case.
pub fn id_from_hex(text: &str) -> Option<BlobId> {
    HEXLOWER.decode(text.as_bytes()).ok()?.try_into().ok()
}

/// The state of the conversation at one point. The store's latest root is the end of the conversation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Root {
    /// The messages as the model sees them, in order: blobs of JSON text.
    pub messages: Vec<BlobId>,
    /// What was said and done, one a prompt, in order.
    pub turns: Vec<BlobId>,
    /// `file:` URIs of the directories.
    pub workspaces: Vec<String>,
    /// 0 or 1 is the usual mode, in which the agent acts.
    pub mode: u64,
    /// Calls of tools that were not answered yet.
    pub pending_calls: u64,
    /// A goal that the agent pursues without being asked again.
    pub goal: Option<String>,
    pub custom_mode: Option<String>,
}

impl Root {
    /// `None` for bytes that are no protobuf message.
    pub fn parse(data: &[u8]) -> Option<Self> {
        let mut root = Self::default();
        for (number, value) in fields(data)? {
            match (number, value) {
                (1, Field::Bytes(id)) => root.messages.push(id.try_into().ok()?),
                (8, Field::Bytes(id)) => root.turns.push(id.try_into().ok()?),
                (9, Field::Bytes(uri)) => root.workspaces.extend(text(uri)),
                (10, Field::Number(mode)) => root.mode = mode,
                (4, Field::Bytes(_)) => root.pending_calls += 1,
                (32, Field::Bytes(goal)) => root.goal = active_goal(goal),
                (36, Field::Bytes(mode)) => root.custom_mode = text(mode),
                _ => {}
            }
        }
        Some(root)
    }
}

fn active_goal(goal: &[u8]) -> Option<String> {
    const ACTIVE: u64 = 1;
    let goal = fields(goal)?;
    goal.contains(&(4, Field::Number(ACTIVE)))
        .then(|| text_in(&goal, 3).unwrap_or_default())
}

/// The blobs that a turn refers to: the prompt first, then the answers and calls. A command that the user ran is a
/// turn of two blobs, the command and its output.
pub fn parts_of_turn(turn: &[u8]) -> Option<Vec<BlobId>> {
    let turn = fields(turn)?;
    let (_, Field::Bytes(inner)) = turn.first()? else {
        return None;
    };
    let ids = fields(inner)?
        .into_iter()
        .filter(|(number, _)| matches!(number, 1 | 2));
    ids.map(|(_, value)| match value {
        Field::Bytes(id) => id.try_into().ok(),
        _ => None,
    })
    .collect()
}

/// A prompt as the user typed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    pub text: String,
    /// Milliseconds since 1970.
    pub at: Option<i64>,
}

pub fn prompt(message: &[u8]) -> Option<Prompt> {
    let fields = fields(message)?;
    let at = fields.iter().find_map(|(number, value)| match value {
        Field::Number(at) if *number == 25 => i64::try_from(*at).ok(),
        _ => None,
    });
    Some(Prompt {
        text: text_in(&fields, 1)?,
        at,
    })
}

/// The text of an answer; `None` for calls and thoughts.
pub fn answer(step: &[u8]) -> Option<String> {
    match fields(step)?.first()? {
        (1, Field::Bytes(message)) => text_in(&fields(message)?, 1),
        _ => None,
    }
}

fn text(bytes: &[u8]) -> Option<String> {
    std::str::from_utf8(bytes).ok().map(str::to_owned)
}

fn text_in(fields: &[(u64, Field<'_>)], wanted: u64) -> Option<String> {
    fields.iter().find_map(|(number, value)| match value {
        Field::Bytes(bytes) if *number == wanted => text(bytes),
        _ => None,
    })
}

/// The fields of a message in their order; numbers of fixed length are left out.
fn fields(message: &[u8]) -> Option<Vec<(u64, Field<'_>)>> {
    let all = protobuf::fields(message)?.into_iter();
    let known = all.filter(|field| field.value != Field::Fixed);
    Some(known.map(|field| (field.number, field.value)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_names_messages_and_turns_in_order_and_what_steers() {
        let id = |n: u8| [n; 32];
        let mut root = Vec::new();
        for (number, value) in [
            (1, id(1).to_vec()),
            (1, id(2).to_vec()),
            (4, b"call".to_vec()),
            (8, id(3).to_vec()),
            (9, b"file:///w".to_vec()),
            (32, b"\x1a\x04ship\x20\x01".to_vec()),
        ] {
            root.extend(key(number, 2));
            root.push(value.len() as u8);
            root.extend(value);
        }
        root.extend(key(10, 0));
        root.push(3);
        // Numbers of fixed length are ignored.
        root.extend(key(60, 1));
        root.extend([0; 8]);
        root.extend(key(61, 5));
        root.extend([0; 4]);
        let parsed = Root::parse(&root).expect("a root");
        assert_eq!(
            parsed,
            Root {
                messages: vec![id(1), id(2)],
                turns: vec![id(3)],
                workspaces: vec!["file:///w".into()],
                mode: 3,
                pending_calls: 1,
                goal: Some("ship".into()),
                custom_mode: None,
            }
        );
        for cut in 1..root.len() {
            // Never a panic, whatever is missing.
            let _ = Root::parse(&root[..cut]);
        }
    }

    fn key(number: u64, wire: u64) -> Vec<u8> {
        let mut key = number << 3 | wire;
        let mut bytes = Vec::new();
        while 0x80 <= key {
            bytes.push(key as u8 | 0x80);
            key >>= 7;
        }
        bytes.push(key as u8);
        bytes
    }

    #[test]
    fn bytes_that_lie_about_their_length_are_no_message() {
        for hostile in [
            &b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01x"[..],
            b"\x0a\x21short",
            b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
            b"\x0b",
            b"{\"role\":\"user\"}",
        ] {
            assert_eq!(Root::parse(hostile), None, "{hostile:?}");
            assert_eq!(parts_of_turn(hostile), None, "{hostile:?}");
        }
        assert_eq!(parts_of_turn(b""), None);
        assert_eq!(id_from_hex(&"A".repeat(64)), None);
        assert_eq!(id_from_hex("00"), None);
    }
}
