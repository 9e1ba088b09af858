//! The agent's state of a conversation: a protobuf message in `composerData`, and the blobs that it
//! names by the SHA-256 of their bytes.
//!
//! The state names the prompts as the model sees them (field 1) and the turns (field 8); a turn
//! names the user's message (1) and its steps (2), each a blob of its own. A user's message names
//! the state before it (10), with the content of files to which Cursor can return. Those states and
//! the fields about files are not part of what syncs: they would write files of another device.
//!
//! Field numbers from public descriptions (`agent.v1.ConversationStateStructure`, August 2026).

use crate::formats::protobuf::{self, Field};
use data_encoding::{BASE64, BASE64_NOPAD, HEXLOWER, HEXLOWER_PERMISSIVE};
use std::collections::{BTreeSet, VecDeque};

const PROMPTS: u64 = 1;
const TODOS: u64 = 3;
const TURNS: u64 = 8;
const SUMMARY: u64 = 11;
const SUMMARIES: u64 = 13;
/// The fields of a state that are the same on every device. The others are the mode, places and
/// contents of files, repositories, and runs in progress.
const SHARED: [u64; 5] = [PROMPTS, TODOS, TURNS, SUMMARY, SUMMARIES];

/// In a user's message: its text, its id, and the state before it.
const TEXT: u64 = 1;
const ID: u64 = 2;
const EARLIER: u64 = 10;

/// Messages nested deeper are not searched for ids.
const DEEPEST: u8 = 12;

/// The most blobs of one conversation.
pub(super) const MOST_BLOBS: usize = 200_000;

/// A SHA-256.
pub(super) type BlobId = [u8; 32];

/// The blobs of a state in their order: those of the prompts, and all others.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Closure {
    pub(super) prompts: Vec<BlobId>,
    pub(super) turns: Vec<BlobId>,
}

/// The fields of a message; `None` if the bytes are no message.
fn fields(bytes: &[u8]) -> Option<Vec<Field<'_>>> {
    protobuf::fields(bytes).filter(|fields| fields.iter().all(|field| field.number != 0))
}

/// The bytes in `conversationState`: `~` and base64, or hexadecimal digits in older versions.
fn decoded(text: &str) -> Option<Vec<u8>> {
    match text.strip_prefix('~') {
        Some(base64) => {
            let base64 = base64.trim_end_matches('=').as_bytes();
            BASE64_NOPAD.decode(base64).ok()
        }
        None => HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok(),
    }
}

/// The state with the fields that are the same on every device, as `conversationState` has it.
/// `None` for an empty state or another form.
pub(super) fn shared(text: &str) -> Option<String> {
    let bytes = decoded(text)?;
    let kept = fields(&bytes)?.into_iter();
    let kept: Vec<u8> = kept
        .filter(|field| SHARED.contains(&field.number))
        .flat_map(|field| field.whole.iter().copied())
        .collect();
    (!kept.is_empty()).then(|| format!("~{}", BASE64.encode(&kept)))
}

/// All blobs that a shared state names, directly or by another blob. `blob` returns a blob's bytes.
/// The second value counts the prompts and turns that are not there.
pub(super) fn closure<E>(
    state: &str,
    mut blob: impl FnMut(&BlobId) -> Result<Option<Vec<u8>>, E>,
) -> Result<(Closure, usize), E> {
    let (mut found, mut missing) = (Closure::default(), 0);
    let bytes = decoded(state).unwrap_or_default();
    // (id, whether it is one of the prompts, whether the state itself names it)
    let mut queue: VecDeque<(BlobId, bool, bool)> = VecDeque::new();
    for field in fields(&bytes).unwrap_or_default() {
        let number = field.number;
        let named = ids_in(&field, 0).into_iter();
        queue.extend(named.map(|id| (id, number == PROMPTS, number == PROMPTS || number == TURNS)));
    }
    let mut seen = BTreeSet::new();
    while let Some((id, is_prompt, is_named)) = queue.pop_front() {
        if MOST_BLOBS <= seen.len() || !seen.insert(id) {
            continue;
        }
        let Some(bytes) = blob(&id)? else {
            // Elsewhere a value of 32 bytes need not be an id.
            missing += usize::from(is_named);
            continue;
        };
        let list = if is_prompt {
            &mut found.prompts
        } else {
            &mut found.turns
        };
        list.push(id);
        let inside = fields(&bytes).unwrap_or_default();
        let has_earlier = is_users_message(&inside);
        let inside = { inside.into_iter() }.filter(|field| !has_earlier || field.number != EARLIER);
        let named: Vec<BlobId> = inside.flat_map(|field| ids_in(&field, 0)).collect();
        // The blobs of a turn come right after it.
        for id in named.into_iter().rev() {
            queue.push_front((id, is_prompt, false));
        }
    }
    Ok((found, missing))
}

/// Whether a blob may be a user's message: its text and its id are texts, or missing as empty
/// values are. A turn has ids of blobs in these fields.
fn is_users_message(fields: &[Field<'_>]) -> bool {
    let mut own = { fields.iter() }.filter(|field| [TEXT, ID].contains(&field.number));
    own.all(|field| {
        field
            .bytes()
            .is_some_and(|text| std::str::from_utf8(text).is_ok())
    })
}

/// All ids that a state names itself, in whatever field.
pub(super) fn named_in_state(text: &str) -> Vec<BlobId> {
    decoded(text).map_or_else(Vec::new, |bytes| named_in_fields(&bytes))
}

/// All ids that a message may name, in whatever field: earlier states, too.
pub(super) fn named_in_fields(bytes: &[u8]) -> Vec<BlobId> {
    let fields = fields(bytes).unwrap_or_default().into_iter();
    fields.flat_map(|field| ids_in(&field, 0)).collect()
}

/// All ids that a value may name, also those in hexadecimal digits.
pub(super) fn named_anywhere(bytes: &[u8]) -> Vec<BlobId> {
    let digits = bytes.split(|byte| !byte.is_ascii_hexdigit());
    let digits = digits.filter(|digits| digits.len() == 2 * size_of::<BlobId>());
    let ids = digits.filter_map(|digits| HEXLOWER_PERMISSIVE.decode(digits).ok());
    let mut named = named_in_fields(bytes);
    named.extend(ids.filter_map(|id| BlobId::try_from(id).ok()));
    named
}

fn ids_in(field: &Field<'_>, depth: u8) -> Vec<BlobId> {
    let Some(content) = field.bytes() else {
        return Vec::new();
    };
    if let Ok(id) = BlobId::try_from(content) {
        return vec![id];
    }
    if DEEPEST <= depth {
        return Vec::new();
    }
    let inside = fields(content).unwrap_or_default().into_iter();
    inside.flat_map(|field| ids_in(&field, depth + 1)).collect()
}

/// The id as part of a key.
pub(super) fn hex(id: &BlobId) -> String {
    HEXLOWER.encode(id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};
    use std::collections::BTreeMap;
    use std::convert::Infallible;

    fn field(number: u8, content: &[u8]) -> Vec<u8> {
        let mut bytes = vec![number << 3 | 2];
        let mut length = content.len();
        while 0x80 <= length {
            bytes.push(length as u8 | 0x80);
            length >>= 7;
        }
        bytes.push(length as u8);
        bytes.extend(content);
        bytes
    }

    fn state(bytes: &[u8]) -> String {
        format!("~{}", BASE64.encode(bytes))
    }

    #[derive(Default)]
    struct Blobs(BTreeMap<BlobId, Vec<u8>>);

    impl Blobs {
        fn put(&mut self, bytes: Vec<u8>) -> BlobId {
            let id = Sha256::digest(&bytes).into();
            self.0.insert(id, bytes);
            id
        }

        fn of(&self, text: &str) -> (Closure, usize) {
            let blob = |id: &BlobId| Ok::<_, Infallible>(self.0.get(id).cloned());
            closure(text, blob).expect("cannot fail")
        }
    }

    #[test]
    fn a_state_keeps_what_is_the_same_on_every_device() {
        let all: Vec<Vec<u8>> = (1..=15)
            .map(|number| field(number, &[number; 32]))
            .collect();
        let kept = [1, 3, 8, 11, 13].map(|number| all[number - 1].clone());
        assert_eq!(shared(&state(&all.concat())), Some(state(&kept.concat())));
        let hex = HEXLOWER.encode(&all.concat());
        assert_eq!(shared(&hex), Some(state(&kept.concat())));
        for odd in ["", "~", "~!!", "zz", "~AA==", "~/////////////w=="] {
            assert_eq!(shared(odd), None, "{odd}");
        }
    }

    #[test]
    fn the_blobs_of_a_state_are_those_of_its_prompts_and_turns_without_earlier_states() {
        let mut blobs = Blobs::default();
        let earlier = blobs.put(field(12, b"/home/ada/.bashrc"));
        let attached = blobs.put(b"attached".to_vec());
        let message = [
            field(1, b"hello"),
            field(2, b"6f1c0b2e-1a2b-4c3d-8e4f-0123456789ab"),
            field(10, &earlier),
            field(4, &field(2, &attached)),
        ];
        let message = blobs.put(message.concat());
        let step = blobs.put(field(1, b"the answer of the model"));
        let turn = blobs.put(field(1, &[field(1, &message), field(2, &step)].concat()));
        let plain = blobs.put([field(1, &message), field(2, &step)].concat());
        let odd = blobs.put([field(1, &message), field(10, &step)].concat());
        let prompts = [&b"{\"role\":\"user\"}"[..], b"{\"role\":\"assistant\"}"]
            .map(|text| blobs.put(text.to_vec()));
        let text = state(
            &[
                field(1, &prompts[0]),
                field(1, &prompts[1]),
                field(8, &plain),
            ]
            .concat(),
        );
        let (found, missing) = blobs.of(&text);
        assert_eq!(found.prompts, prompts);
        assert_eq!(found.turns, [plain, message, attached, step]);
        assert_eq!(missing, 0);
        // What is no user's message may name what it needs in the field of that number.
        let (found, _) = blobs.of(&state(&field(8, &odd)));
        assert_eq!(found.turns, [odd, message, attached, step]);
        // A turn that has its parts one message deeper.
        let (found, _) = blobs.of(&state(&field(8, &turn)));
        assert_eq!(found.turns[..2], [turn, message]);
    }

    #[test]
    fn a_blob_that_is_not_there_is_counted_and_a_circle_ends() {
        let mut blobs = Blobs::default();
        let (one, other) = ([1; 32], [2; 32]);
        blobs.0.insert(one, field(2, &other));
        blobs.0.insert(other, field(2, &one));
        let (found, missing) = blobs.of(&state(&[field(8, &one), field(1, &[9; 32])].concat()));
        assert_eq!(found.turns, [one, other]);
        assert_eq!(missing, 1);
    }
}
