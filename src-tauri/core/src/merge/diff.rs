//! Shows two branches side by side: aligned by message, then by turn, then by word. Pure and
//! bounded: a session of any length gets an answer in bounded time, at worst a coarser one.

use super::transcript::{ParsedMessage, Part, Reader, said_in};
use crate::parallel;
use crate::session::Role;
use crate::session::chain::lines_of;
use crate::session::records::{Record, records};
use serde::{Deserialize, Serialize};
use similar::{Algorithm, ChangeTag, DiffTag, TextDiff, capture_diff_slices_deadline};
use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::time::{Duration, Instant};

/// The messages within one gap are compared only up to this many pairs.
const MOST_PAIRS: usize = 250_000;
/// Messages that have less in common are two messages, not one that changed.
const ALIKE: f32 = 0.5;
const PREVIEW: usize = 200;
/// Longer texts are not compared word by word.
const MOST_WORDS: usize = 64 << 10;

/// A message of a branch. The body is not copied; `line` says where to find it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct Msg {
    /// Equal keys mean equal messages.
    pub key: String,
    /// The line of the branch after the common part, from 0; `off` and `len` in bytes of that part.
    pub line: u64,
    pub off: u64,
    pub len: u64,
    pub role: Role,
    pub at: Option<String>,
    /// The first 200 characters.
    pub preview: String,
    /// The kinds of its parts, with sizes in bytes.
    pub parts: Vec<(String, u64)>,
    /// The same parts with names and beginnings. Empty for plain text: `preview` has its beginning.
    #[serde(default)]
    pub pieces: Vec<Part>,
    /// The name of the device that wrote the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub device: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Same,
    Changed,
    Left,
    Right,
}

/// One row of the two columns: indices into the messages of each side.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub kind: Kind,
    pub left: Option<usize>,
    pub right: Option<usize>,
    /// How much the two have in common, 0 to 1.
    pub alike: f32,
}

/// A stretch of text that is on this side only or on both; in UTF-16 units, as web pages count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct Span {
    pub left: bool,
    pub from: u64,
    pub to: u64,
    pub changed: bool,
}

/// The messages in the lines after the common part.
pub fn read(tail: &[u8], reader: Reader) -> Vec<Msg> {
    let lines: Vec<&[u8]> = lines_of(tail).collect();
    let read = parallel::map(&lines, |line| line.len(), |line| messages(line, reader));
    let (mut off, mut found) = (0u64, Vec::new());
    for (at, (line, messages)) in lines.iter().zip(read).enumerate() {
        found.extend(messages.into_iter().map(|message| Msg {
            line: at as u64,
            off: off + message.off,
            ..message
        }));
        off += line.len() as u64;
    }
    found
}

/// The messages in one line; mostly one or none.
fn messages(line: &[u8], reader: Reader) -> Vec<Msg> {
    records(line)
        .iter()
        .filter_map(|record| message(record, reader))
        .collect()
}

fn message(record: &Record, reader: Reader) -> Option<Msg> {
    let message = said_in(&record.value, reader)?;
    let is_text = message.pieces.iter().all(|piece| piece.kind == "text");
    let pieces = if is_text { &[][..] } else { &message.pieces };
    Some(Msg {
        key: message
            .id
            .map_or_else(|| fingerprint(&message), str::to_owned),
        line: 0,
        off: record.range.start as u64,
        len: record.range.len() as u64,
        role: message.role,
        at: message.at.map(str::to_owned),
        preview: message.text().chars().take(PREVIEW).collect(),
        parts: message
            .pieces
            .iter()
            .map(|piece| (piece.kind.to_owned(), piece.bytes()))
            .collect(),
        pieces: pieces.iter().map(|piece| piece.part(PREVIEW)).collect(),
        device: None,
    })
}

/// A key that is equal for messages with the same content.
pub fn fingerprint(message: &ParsedMessage<'_>) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(message.role.as_str().as_bytes());
    for piece in &message.pieces {
        for word in [piece.kind, piece.name.unwrap_or_default(), &piece.body] {
            hasher
                .update(&(word.len() as u64).to_le_bytes())
                .update(word.as_bytes());
        }
    }
    hasher.finalize().to_hex()[..32].to_owned()
}

/// Aligns two branches.
pub fn align(left: &[Msg], right: &[Msg], time: Duration) -> Vec<Row> {
    let mut rows = Vec::with_capacity(left.len().max(right.len()));
    let (mut l, mut r) = (0, 0);
    for (ours, theirs) in same(left, right, time) {
        gap(left, right, l..ours, r..theirs, &mut rows);
        rows.push(Row {
            kind: Kind::Same,
            left: Some(ours),
            right: Some(theirs),
            alike: 1.0,
        });
        (l, r) = (ours + 1, theirs + 1);
    }
    gap(left, right, l..left.len(), r..right.len(), &mut rows);
    rows
}

/// Finds the messages that are the same on both sides, in order. Messages that the other side lacks
/// entirely are left out first: they do not affect the answer, and two sides with little in common
/// would take the longest.
fn same(left: &[Msg], right: &[Msg], time: Duration) -> Vec<(usize, usize)> {
    let mut numbers: HashMap<&str, (usize, bool)> = HashMap::new();
    for message in left {
        let next = numbers.len();
        numbers.entry(&message.key).or_insert((next, false));
    }
    for message in right {
        if let Some((_, both)) = numbers.get_mut(message.key.as_str()) {
            *both = true;
        }
    }
    let shared = |side: &[Msg]| -> (Vec<usize>, Vec<usize>) {
        let found = side.iter().enumerate().filter_map(|(at, message)| {
            let (number, _) = numbers
                .get(message.key.as_str())
                .filter(|(_, both)| *both)?;
            Some((at, *number))
        });
        found.unzip()
    };
    let ((left_at, left_keys), (right_at, right_keys)) = (shared(left), shared(right));
    let deadline = Instant::now() + time;
    let mut pairs = Vec::with_capacity(left_at.len());
    for op in
        capture_diff_slices_deadline(Algorithm::Myers, &left_keys, &right_keys, Some(deadline))
    {
        if op.tag() == DiffTag::Equal {
            pairs.extend(
                op.old_range()
                    .zip(op.new_range())
                    .map(|(l, r)| (left_at[l], right_at[r])),
            );
        }
    }
    pairs
}

type Range = std::ops::Range<usize>;

/// Pairs the messages of a gap that are one message, changed: the ordered pairing with most in
/// common.
fn gap(left: &[Msg], right: &[Msg], ours: Range, theirs: Range, rows: &mut Vec<Row>) {
    let (n, m) = (ours.len(), theirs.len());
    if n == 0 || m == 0 || n.saturating_mul(m) > MOST_PAIRS {
        rows.extend(ours.map(|at| Row {
            kind: Kind::Left,
            left: Some(at),
            right: None,
            alike: 0.0,
        }));
        rows.extend(theirs.map(|at| Row {
            kind: Kind::Right,
            left: None,
            right: Some(at),
            alike: 0.0,
        }));
        return;
    }
    let words = |side: &[Msg]| {
        side.iter()
            .map(|message| words_of(&message.preview))
            .collect::<Vec<_>>()
    };
    let (our_words, their_words) = (words(&left[ours.clone()]), words(&right[theirs.clone()]));
    let alike = |l: usize, r: usize| match left[ours.start + l].role == right[theirs.start + r].role
    {
        true => in_common(&our_words[l], &their_words[r]),
        false => 0.0,
    };
    let alike: Vec<f32> = (0..n)
        .flat_map(|l| (0..m).map(move |r| (l, r)))
        .map(|(l, r)| alike(l, r))
        .collect();
    let mut best = vec![0.0f32; (n + 1) * (m + 1)];
    let at = |l: usize, r: usize| l * (m + 1) + r;
    for l in (0..n).rev() {
        for r in (0..m).rev() {
            let pair = alike[l * m + r];
            let paired = if pair >= ALIKE {
                pair + best[at(l + 1, r + 1)]
            } else {
                0.0
            };
            best[at(l, r)] = paired.max(best[at(l + 1, r)]).max(best[at(l, r + 1)]);
        }
    }
    let (mut l, mut r) = (0, 0);
    while l < n || r < m {
        let pair = if l < n && r < m {
            alike[l * m + r]
        } else {
            0.0
        };
        if pair >= ALIKE && best[at(l, r)] <= pair + best[at(l + 1, r + 1)] {
            rows.push(Row {
                kind: Kind::Changed,
                left: Some(ours.start + l),
                right: Some(theirs.start + r),
                alike: pair,
            });
            (l, r) = (l + 1, r + 1);
        } else if l < n && (r == m || best[at(l, r)] <= best[at(l + 1, r)]) {
            rows.push(Row {
                kind: Kind::Left,
                left: Some(ours.start + l),
                right: None,
                alike: 0.0,
            });
            l += 1;
        } else {
            rows.push(Row {
                kind: Kind::Right,
                left: None,
                right: Some(theirs.start + r),
                alike: 0.0,
            });
            r += 1;
        }
    }
}

/// The distinct words of a text as sorted hashes: cheap to compare with many others.
fn words_of(text: &str) -> Vec<u64> {
    let hash = |word: &str| {
        let mut hasher = std::hash::DefaultHasher::new();
        word.hash(&mut hasher);
        hasher.finish()
    };
    let mut words: Vec<u64> = text.split_whitespace().map(hash).collect();
    words.sort_unstable();
    words.dedup();
    words
}

/// The share of words that two messages have in common.
fn in_common(ours: &[u64], theirs: &[u64]) -> f32 {
    let (mut l, mut r, mut both) = (0, 0, 0usize);
    while l < ours.len() && r < theirs.len() {
        let (our, their) = (ours[l], theirs[r]);
        both += usize::from(our == their);
        l += usize::from(our <= their);
        r += usize::from(their <= our);
    }
    let all = ours.len() + theirs.len() - both;
    if all == 0 {
        0.0
    } else {
        both as f32 / all as f32
    }
}

/// The differing words; `None` if the texts are too long for it.
pub fn words(left: &str, right: &str, time: Duration) -> Option<Vec<Span>> {
    if left.len().max(right.len()) > MOST_WORDS {
        return None;
    }
    let diff = TextDiff::configure().timeout(time).diff_words(left, right);
    let (mut spans, mut at) = (Vec::new(), (0u64, 0u64));
    for change in diff.iter_all_changes() {
        let len = change.value().encode_utf16().count() as u64;
        let changed = change.tag() != ChangeTag::Equal;
        if change.tag() != ChangeTag::Insert {
            push(
                &mut spans,
                Span {
                    left: true,
                    from: at.0,
                    to: at.0 + len,
                    changed,
                },
            );
            at.0 += len;
        }
        if change.tag() != ChangeTag::Delete {
            push(
                &mut spans,
                Span {
                    left: false,
                    from: at.1,
                    to: at.1 + len,
                    changed,
                },
            );
            at.1 += len;
        }
    }
    Some(spans)
}

/// Joins a span to the previous one on the same side, if both are alike.
fn push(spans: &mut Vec<Span>, span: Span) {
    match spans
        .iter_mut()
        .rev()
        .find(|before| before.left == span.left)
    {
        Some(before) if before.changed == span.changed && before.to == span.from => {
            before.to = span.to
        }
        _ => spans.push(span),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merge::transcript::said;

    const TIME: Duration = Duration::from_secs(5);

    fn log(lines: &[(&str, &str)]) -> Vec<u8> {
        let record = |(role, text): &(&str, &str)| serde_json::json!({ "type": role, "message": { "role": role, "content": text } });
        lines
            .iter()
            .flat_map(|line| format!("{}\n", record(line)).into_bytes())
            .collect()
    }

    fn kinds(left: &[(&str, &str)], right: &[(&str, &str)]) -> Vec<Kind> {
        align(&read(&log(left), said), &read(&log(right), said), TIME)
            .iter()
            .map(|row| row.kind)
            .collect()
    }

    #[test]
    fn a_changed_turn_stands_beside_its_other_self() {
        let left = [
            ("user", "try the mutex first"),
            ("assistant", "I changed session.rs"),
            ("user", "run the tests"),
        ];
        let right = [
            ("user", "try the mutex first then the queue"),
            ("assistant", "Let us look at something else entirely"),
        ];
        assert_eq!(
            kinds(&left, &right),
            [Kind::Changed, Kind::Left, Kind::Left, Kind::Right]
        );
    }

    #[test]
    fn the_same_message_on_both_sides_is_one_row() {
        let common = [("user", "go on")];
        assert_eq!(kinds(&common, &common), [Kind::Same]);
        assert_eq!(kinds(&[], &common), [Kind::Right]);
    }

    #[test]
    fn calls_of_one_tool_with_other_inputs_are_not_the_same() {
        let call = |command: &str| {
            let content = serde_json::json!([{ "type": "tool_use", "name": "Bash", "input": { "command": command } }]);
            format!(
                "{}\n",
                serde_json::json!({ "role": "assistant", "content": content })
            )
            .into_bytes()
        };
        let rows = align(
            &read(&call("ls\nfirst"), said),
            &read(&call("ls\nother"), said),
            TIME,
        );
        assert_eq!(
            rows.iter().map(|row| row.kind).collect::<Vec<_>>(),
            [Kind::Changed]
        );
        let read = read(&call("ls -l"), said);
        assert_eq!(
            (
                read[0].preview.as_str(),
                read[0].pieces[0].target.as_deref()
            ),
            ("[Bash] ls -l", Some("ls -l"))
        );
    }

    #[test]
    fn every_message_is_in_exactly_one_row_and_in_order() {
        let left: Vec<(String, String)> = (0..40)
            .map(|n| ("user".into(), format!("left {} words {}", n % 7, n)))
            .collect();
        let right: Vec<(String, String)> = (0..37)
            .map(|n| ("user".into(), format!("left {} words {}", n % 5, n * 2)))
            .collect();
        let borrow = |side: &[(String, String)]| {
            log(&side
                .iter()
                .map(|(role, text)| (role.as_str(), text.as_str()))
                .collect::<Vec<_>>())
        };
        let (left, right) = (read(&borrow(&left), said), read(&borrow(&right), said));
        let rows = align(&left, &right, TIME);
        assert_eq!(
            rows.iter().filter_map(|row| row.left).collect::<Vec<_>>(),
            (0..40).collect::<Vec<_>>()
        );
        assert_eq!(
            rows.iter().filter_map(|row| row.right).collect::<Vec<_>>(),
            (0..37).collect::<Vec<_>>()
        );
    }

    #[test]
    fn words_are_counted_as_a_web_page_counts() {
        let spans = words("one 🦀 two", "one 🦀 three", TIME).expect("short");
        let changed: Vec<_> = spans
            .into_iter()
            .filter(|span| span.changed)
            .map(|span| (span.left, span.from, span.to))
            .collect();
        assert_eq!(changed, [(true, 7, 10), (false, 7, 12)]);
        assert_eq!(words(&"x ".repeat(40_000), "y", TIME), None);
    }
}
