//! Turns a branch into a session of its own: its id is the same on every device, and its bytes
//! differ from the parent's only in that id.

use crate::session::{ChainId, SessionId, decent_name};
use memchr::memmem;
use std::collections::HashMap;

/// The id of the session that holds the branch of `parent` whose first line is `first_line`. The id
/// has the parent's length and shape; a UUID becomes a random one (version 4), and what stands
/// before it (`sess_…`) stays.
pub fn fork_id(parent: &SessionId, first_line: ChainId) -> SessionId {
    let mut hasher = blake3::Hasher::new_derive_key("session-roam v1 fork");
    hasher.update(parent.as_str().as_bytes());
    hasher.update(b"\n");
    hasher.update(first_line.as_bytes());
    let mut stream = hasher.finalize_xof();
    let mut next = || {
        let mut byte = [0];
        stream.fill(&mut byte);
        byte[0]
    };
    let uuid = uuid_at(parent.as_str());
    // Tools sort by an id that begins with a time: the fork's time stays within a quarter of an
    // hour of its parent's. Others know their own ids by a word before them.
    let kept = match begins_with_a_time(parent.as_str()) {
        true => TIME_DIGITS - 6,
        false => word_before(parent.as_str()),
    };
    let id = parent.as_str().chars().enumerate().map(|(at, old)| {
        match uuid.map(|uuid| at.checked_sub(uuid)) {
            Some(None) => old,
            Some(Some(14)) => '4',
            Some(Some(19)) => ['8', '9', 'a', 'b'][usize::from(next() % 4)],
            Some(Some(_)) if old != '-' => {
                char::from(b"0123456789abcdef"[usize::from(next() % 16)])
            }
            None if at < kept => old,
            _ => like(old, at, next()),
        }
    });
    SessionId::new(id.collect::<String>())
}

/// Milliseconds since 1970 have this many digits from 2001 to 2286.
const TIME_DIGITS: usize = 13;

fn begins_with_a_time(id: &str) -> bool {
    let digits = id.bytes().take_while(u8::is_ascii_digit).count();
    digits == TIME_DIGITS && id.starts_with(['1', '2'])
}

/// The length of the word with which an id begins (`ses_…`), without the line after it.
fn word_before(id: &str) -> usize {
    let word = id.split_once('_').map_or("", |(word, _)| word);
    match word.bytes().all(|byte| byte.is_ascii_lowercase()) {
        true => word.len(),
        false => 0,
    }
}

/// The number of characters before the UUID with which an id ends; `None` if it ends with none.
fn uuid_at(id: &str) -> Option<usize> {
    let start = id.len().checked_sub(UUID_LEN)?;
    let (before, uuid) = (id.get(..start)?, id.get(start..)?);
    let is_apart = !before.ends_with(char::is_alphanumeric);
    (is_apart && is_uuid_shaped(uuid)).then(|| before.chars().count())
}

const UUID_LEN: usize = 36;

fn is_uuid_shaped(text: &str) -> bool {
    let fits = |(at, byte): (usize, u8)| {
        if matches!(at, 8 | 13 | 18 | 23) {
            byte == b'-'
        } else {
            byte.is_ascii_hexdigit()
        }
    };
    text.len() == UUID_LEN && text.bytes().enumerate().all(fits)
}

/// Replaces a letter with a letter and a digit with a digit; a number does not begin with 0.
fn like(old: char, at: usize, byte: u8) -> char {
    let (digit, letter) = (char::from(b'0' + byte % 10), char::from(b'a' + byte % 26));
    match old {
        '1'..='9' if at == 0 => char::from(b'1' + byte % 9),
        '0'..='9' => digit,
        'a'..='z' => letter,
        'A'..='Z' => letter.to_ascii_uppercase(),
        other => other,
    }
}

/// Replaces every `from` with `to`. Both have the same length, so offsets stay valid.
pub fn substitute(bytes: &mut [u8], from: &SessionId, to: &SessionId) {
    let (from, to) = (from.as_str().as_bytes(), to.as_str().as_bytes());
    if from.is_empty() || from.len() != to.len() {
        return;
    }
    let finder = memmem::Finder::new(from);
    let mut at = 0;
    while let Some(found) = finder.find(&bytes[at..]) {
        at += found;
        bytes[at..at + to.len()].copy_from_slice(to);
        at += to.len();
    }
}

/// Gives each of the ids another one, which depends on `seed`: the same length and shape, and the
/// same beginning, because tools sort by ids that begin with a time. Ids are whole words.
pub fn renew(bytes: &mut [u8], ids: &[String], seed: ChainId) {
    let renewed = |id: &String| (id.as_bytes().to_vec(), sibling(id, seed));
    let ids: HashMap<Vec<u8>, Vec<u8>> = ids.iter().map(renewed).collect();
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    let mut at = 0;
    while at < bytes.len() {
        let end = at
            + bytes[at..]
                .iter()
                .take_while(|byte| is_part(**byte))
                .count();
        if let Some(id) = ids.get(&bytes[at..end]) {
            bytes[at..end].copy_from_slice(id);
        }
        at = end + 1;
    }
}

/// Half of an id's characters, and at most so many, are another's.
const MOST_RENEWED: usize = 12;

fn sibling(id: &str, seed: ChainId) -> Vec<u8> {
    let mut stream = blake3::Hasher::new_derive_key("session-roam v1 row of a fork")
        .update(id.as_bytes())
        .update(b"\n")
        .update(seed.as_bytes())
        .finalize_xof();
    let mut id = id.as_bytes().to_vec();
    let kept = id.len() - MOST_RENEWED.min(id.len() / 2);
    for (at, old) in id.iter_mut().enumerate().skip(kept) {
        let mut byte = [0];
        stream.fill(&mut byte);
        // Ids that are ASCII stay ASCII; no other byte is changed.
        *old = like(char::from(*old), at, byte[0]) as u8;
    }
    id
}

/// The same in a name or a path.
pub fn substituted(text: &str, from: &SessionId, to: &SessionId) -> String {
    text.replace(from.as_str(), to.as_str())
}

/// The title of a fork, from its parent's title and the name of the device that diverged. Always a
/// single line, whatever name a config file or another device gives.
pub fn fork_title(parent: &str, device: &str) -> String {
    format!("{parent} (from {})", decent_name(device))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PARENT: &str = "01a2081f-3cf6-7ca3-8ffb-7affa0609d47";

    #[test]
    fn the_id_depends_on_where_the_branch_begins_and_on_nothing_else() {
        let parent = SessionId::new(PARENT);
        let (one, other) = (
            ChainId::log_start().then(b"a\n"),
            ChainId::log_start().then(b"b\n"),
        );
        let id = fork_id(&parent, one);
        assert_eq!(id, fork_id(&parent, one));
        assert_ne!(id, fork_id(&parent, other));
        assert!(
            is_uuid_shaped(id.as_str()) && &id.as_str()[14..15] == "4",
            "{id}"
        );
        assert!(
            matches!(&id.as_str()[19..20], "8" | "9" | "a" | "b"),
            "{id}"
        );
        let prefixed = SessionId::new(format!("sess_{PARENT}"));
        let fork = fork_id(&prefixed, one);
        let uuid = fork.as_str().strip_prefix("sess_").expect("the prefix");
        assert!(is_uuid_shaped(uuid) && uuid != PARENT, "{fork}");
        let run_on = fork_id(&SessionId::new(format!("ab{PARENT}")), one);
        assert!(!run_on.as_str().starts_with("ab0"), "{run_on}");
        let task = fork_id(&SessionId::new("1795428000000"), one);
        assert!(
            task.as_str().len() == 13 && task.as_str().bytes().all(|byte| byte.is_ascii_digit()),
            "{task}"
        );
        assert!(
            task.as_str().starts_with("1795428") && task.as_str() != "1795428000000",
            "{task}"
        );
        let named = fork_id(&SessionId::new("1795428000000_ab3de"), one);
        assert!(
            named.as_str().starts_with("1795428") && named.as_str().as_bytes()[13] == b'_',
            "{named}"
        );
        let odd = fork_id(&SessionId::new("ses_7fA9"), one);
        assert!(
            odd.as_str().len() == 8
                && odd.as_str().starts_with("ses_")
                && odd.as_str() != "ses_7fA9",
            "{odd}"
        );
    }

    #[test]
    fn rows_get_ids_of_their_own_that_sort_as_before() {
        let ids = [
            "msg_fb1a2c3d4e5fAbCdEfGhIjKlMn",
            "prt_fb1a2c3d4e5f0123456789ABCD",
        ]
        .map(str::to_owned);
        let text = format!(
            "[\"{}\",{{\"in\":\"{}\"}}] x{} {}x ä",
            ids[0], ids[1], ids[0], ids[1]
        );
        let renewed = |seed: &[u8]| {
            let mut bytes = text.clone().into_bytes();
            renew(&mut bytes, &ids, ChainId::log_start().then(seed));
            String::from_utf8(bytes).expect("text")
        };
        let (one, other) = (renewed(b"a"), renewed(b"b"));
        assert_eq!(one, renewed(b"a"));
        assert!(one != other && one.len() == text.len());
        assert!(
            one.contains("\"msg_fb1a2c3d4e5fAb") && one.contains("\"prt_fb1a2c3d4e5f01"),
            "{one}"
        );
        assert!(!one.contains(&format!("\"{}", ids[0])) && !one.contains(&format!("\"{}", ids[1])));
        assert!(
            one.ends_with(&format!("x{} {}x ä", ids[0], ids[1])),
            "parts of words stay: {one}"
        );
    }

    #[test]
    fn a_title_is_one_line_whatever_the_device_is_called() {
        assert_eq!(fork_title("Fix it", "desk"), "Fix it (from desk)");
        assert_eq!(
            fork_title("Fix it", "de\"sk\n\u{7} 🦊"),
            "Fix it (from de\"sk 🦊)"
        );
        assert!(fork_title("", &"x".repeat(500)).chars().count() < 80);
    }

    proptest! {
        #[test]
        fn l12_a_fork_is_undone_by_putting_the_old_id_back(pieces in prop::collection::vec(any::<Option<Vec<u8>>>(), 0..20)) {
            let parent = SessionId::new(PARENT);
            let fork = fork_id(&parent, ChainId::log_start());
            let bytes: Vec<u8> = pieces.into_iter().flat_map(|piece| piece.unwrap_or_else(|| PARENT.into())).collect();
            let mut there = bytes.clone();
            substitute(&mut there, &parent, &fork);
            prop_assert!(memmem::find(&there, PARENT.as_bytes()).is_none());
            prop_assert_eq!(there.len(), bytes.len());
            substitute(&mut there, &fork, &parent);
            prop_assert_eq!(there, bytes);
        }
    }
}
