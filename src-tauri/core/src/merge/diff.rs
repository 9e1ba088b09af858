//! Shows two branches side by side: turn by turn, within a turn by message, then by word. Pure and
//! bounded: a session of any length gets an answer in bounded time, at worst a coarser one.

use super::transcript::{MessageReader, ParsedMessage, Part, said_in};
use crate::parallel;
use crate::session::Role;
use crate::session::chain::lines_of;
use crate::session::records::{Record, records};
use serde::{Deserialize, Serialize};
use similar::{Algorithm, ChangeTag, DiffTag, TextDiff, capture_diff_slices_deadline};
use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::time::{Duration, Instant};

/// The messages of one turn are compared only up to this many pairs, those of all turns up to this
/// many; beyond that, messages of a turn stand beside each other in order.
const MOST_PAIRS: usize = 250_000;
const MOST_PAIRS_OF_ALL: usize = 2_000_000;
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
    /// Two messages at the same place of a turn that have little in common.
    Beside,
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
    /// The turn, from 1; 0 continues the last common turn. A turn begins with a message of the user.
    pub turn: u64,
    /// The other side has no such turn.
    pub alone: bool,
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
pub fn read(tail: &[u8], reader: MessageReader) -> Vec<Msg> {
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
fn messages(line: &[u8], reader: MessageReader) -> Vec<Msg> {
    records(line)
        .iter()
        .filter_map(|record| message(record, reader))
        .collect()
}

fn message(record: &Record, reader: MessageReader) -> Option<Msg> {
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
        preview: message.beginning(PREVIEW),
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

/// Aligns two branches. Messages that are the same stand on one row; between them, turn k of one
/// side stands beside turn k of the other.
pub fn align(left: &[Msg], right: &[Msg], time: Duration) -> Vec<Row> {
    let mut aligned = Aligned {
        left,
        right,
        rows: Vec::with_capacity(left.len().max(right.len())),
        turn: 0,
        pairs: MOST_PAIRS_OF_ALL,
    };
    let (mut l, mut r) = (0, 0);
    for (ours, theirs) in same(left, right, time) {
        aligned.gap(l..ours, r..theirs);
        aligned.turn += u64::from(left[ours].role == Role::User);
        aligned.push(Some(ours), Some(theirs), Some(1.0), false);
        (l, r) = (ours + 1, theirs + 1);
    }
    aligned.gap(l..left.len(), r..right.len());
    aligned.rows
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

/// The rows so far.
struct Aligned<'a> {
    left: &'a [Msg],
    right: &'a [Msg],
    rows: Vec<Row>,
    turn: u64,
    /// Pairs that may still be compared.
    pairs: usize,
}

impl Aligned<'_> {
    /// Messages of which none is the same on both sides, turn beside turn.
    fn gap(&mut self, ours: Range, theirs: Range) {
        let (ours, theirs) = (turns(self.left, ours), turns(self.right, theirs));
        for at in 0..ours.len().max(theirs.len()) {
            let [ours, theirs] = [&ours, &theirs].map(|turns| turns.get(at).cloned());
            let (ours, theirs) = (ours.unwrap_or_default(), theirs.unwrap_or_default());
            // Before the first message of the user, the turn before continues.
            self.turn += u64::from(0 < at);
            self.one_turn(ours, theirs);
        }
    }

    /// The messages that are one message, changed, stand on one row; those between them beside each
    /// other in order.
    fn one_turn(&mut self, ours: Range, theirs: Range) {
        let alone = ours.is_empty() || theirs.is_empty();
        let (mut l, mut r) = (ours.start, theirs.start);
        for (our, their, alike) in self.alike(&ours, &theirs) {
            self.beside(l..our, r..their, alone);
            self.push(Some(our), Some(their), Some(alike), alone);
            (l, r) = (our + 1, their + 1);
        }
        self.beside(l..ours.end, r..theirs.end, alone);
    }

    fn beside(&mut self, ours: Range, theirs: Range, alone: bool) {
        for at in 0..ours.len().max(theirs.len()) {
            let [left, right] = [&ours, &theirs].map(|side| side.clone().nth(at));
            self.push(left, right, None, alone);
        }
    }

    fn push(&mut self, left: Option<usize>, right: Option<usize>, alike: Option<f32>, alone: bool) {
        let kind = match (left, right, alike) {
            (Some(_), Some(_), None) => Kind::Beside,
            (Some(left), Some(right), Some(_)) => {
                match is_same(&self.left[left], &self.right[right]) {
                    true => Kind::Same,
                    false => Kind::Changed,
                }
            }
            (Some(_), None, _) => Kind::Left,
            (None, _, _) => Kind::Right,
        };
        self.rows.push(Row {
            kind,
            left,
            right,
            alike: alike.unwrap_or_default(),
            turn: self.turn,
            alone,
        });
    }

    /// The messages of a turn that are one message, changed: the ordered pairing with most in
    /// common, with how much that is.
    fn alike(&mut self, ours: &Range, theirs: &Range) -> Vec<(usize, usize, f32)> {
        let (n, m) = (ours.len(), theirs.len());
        let pairs = n.saturating_mul(m);
        if pairs == 0 || MOST_PAIRS.min(self.pairs) < pairs {
            return Vec::new();
        }
        self.pairs -= pairs;
        let alike = similarity(&self.left[ours.clone()], &self.right[theirs.clone()]);
        let mut best = vec![0.0f32; (n + 1) * (m + 1)];
        let at = |l: usize, r: usize| l * (m + 1) + r;
        let paired = |best: &[f32], l: usize, r: usize| match alike[l * m + r] {
            pair if ALIKE <= pair => pair + best[at(l + 1, r + 1)],
            _ => 0.0,
        };
        for l in (0..n).rev() {
            for r in (0..m).rev() {
                let apart = best[at(l + 1, r)].max(best[at(l, r + 1)]);
                best[at(l, r)] = paired(&best, l, r).max(apart);
            }
        }
        let (mut l, mut r, mut found) = (0, 0, Vec::new());
        while l < n && r < m {
            let pair = alike[l * m + r];
            if ALIKE <= pair && best[at(l, r)] <= paired(&best, l, r) {
                found.push((ours.start + l, theirs.start + r, pair));
                (l, r) = (l + 1, r + 1);
            } else if best[at(l, r)] <= best[at(l + 1, r)] {
                l += 1;
            } else {
                r += 1;
            }
        }
        found
    }
}

/// The turns of a stretch of messages; the first one continues the turn before and may be empty.
fn turns(side: &[Msg], range: Range) -> Vec<Range> {
    let is_user = |at: &usize| side[*at].role == Role::User;
    let starts: Vec<usize> = range.clone().filter(is_user).collect();
    let ends = starts.iter().copied().chain([range.end]);
    let starts = [range.start].into_iter().chain(starts.iter().copied());
    starts.zip(ends).map(|(from, to)| from..to).collect()
}

/// Whether the two are one message: the same record, or the same short content.
fn is_same(ours: &Msg, theirs: &Msg) -> bool {
    let is_whole = |message: &Msg| match message.pieces.is_empty() {
        true => message.preview.chars().count() < PREVIEW,
        false => message
            .pieces
            .iter()
            .all(|piece| piece.media.is_none() && piece.text.len() as u64 == piece.bytes),
    };
    let is_alike = || {
        ours.preview == theirs.preview
            && ours.role == theirs.role
            && ours.parts == theirs.parts
            && ours.pieces == theirs.pieces
    };
    ours.key == theirs.key || (is_alike() && is_whole(ours))
}

/// How much each of these messages has in common with each of those: row by row.
fn similarity(ours: &[Msg], theirs: &[Msg]) -> Vec<f32> {
    let words = |side: &[Msg]| -> Vec<Vec<u64>> {
        side.iter()
            .map(|message| words_of(&message.preview))
            .collect()
    };
    let (our_words, their_words) = (words(ours), words(theirs));
    let pair = |(l, r): (usize, usize)| match ours[l].role == theirs[r].role {
        true => in_common(&our_words[l], &their_words[r]),
        false => 0.0,
    };
    (0..ours.len())
        .flat_map(|l| (0..theirs.len()).map(move |r| (l, r)))
        .map(pair)
        .collect()
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
    use crate::merge::transcript::read_message;
    use proptest::prelude::*;

    const TIME: Duration = Duration::from_secs(5);

    fn log(lines: &[(&str, &str)]) -> Vec<u8> {
        let record = |(role, text): &(&str, &str)| serde_json::json!({ "type": role, "message": { "role": role, "content": text } });
        lines
            .iter()
            .flat_map(|line| format!("{}\n", record(line)).into_bytes())
            .collect()
    }

    fn kinds(left: &[(&str, &str)], right: &[(&str, &str)]) -> Vec<Kind> {
        align(
            &read(&log(left), read_message),
            &read(&log(right), read_message),
            TIME,
        )
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
            [Kind::Changed, Kind::Beside, Kind::Left]
        );
    }

    fn rows(left: &[(&str, &str)], right: &[(&str, &str)]) -> Vec<Row> {
        align(
            &read(&log(left), read_message),
            &read(&log(right), read_message),
            TIME,
        )
    }

    #[test]
    fn turn_by_turn_whatever_is_said_in_them() {
        let left = [
            ("assistant", "The first part is done."),
            ("user", "Try the mutex first."),
            ("assistant", "I changed session.rs."),
            ("assistant", "It compiles and all tests pass."),
            ("user", "Run the tests ten times."),
            ("assistant", "Ten green runs."),
        ];
        let right = [
            ("user", "What would a queue cost?"),
            ("assistant", "About forty lines in queue.rs."),
            ("user", "Then do it."),
            ("assistant", "Moved the writes into the queue."),
            ("user", "Commit it, please."),
        ];
        let found: Vec<_> = rows(&left, &right)
            .into_iter()
            .map(|row| (row.turn, row.left, row.right, row.alone))
            .collect();
        assert_eq!(
            found,
            [
                (0, Some(0), None, true),
                (1, Some(1), Some(0), false),
                (1, Some(2), Some(1), false),
                (1, Some(3), None, false),
                (2, Some(4), Some(2), false),
                (2, Some(5), Some(3), false),
                (3, None, Some(4), true),
            ]
        );
    }

    #[test]
    fn an_answer_stands_beside_the_one_like_it_in_its_turn() {
        let left = [
            ("user", "Try the mutex."),
            ("assistant", "Reading the file now."),
            (
                "assistant",
                "The lock is taken twice in refresh, so I moved it.",
            ),
        ];
        let right = [
            ("user", "Use a queue."),
            (
                "assistant",
                "The lock is taken twice in refresh, so I moved it up.",
            ),
        ];
        let found: Vec<_> = rows(&left, &right)
            .iter()
            .map(|row| (row.kind, row.left, row.right))
            .collect();
        assert_eq!(
            found,
            [
                (Kind::Beside, Some(0), Some(0)),
                (Kind::Left, Some(1), None),
                (Kind::Changed, Some(2), Some(1)),
            ]
        );
    }

    #[test]
    fn the_same_words_in_two_records_are_the_same_message() {
        let record = |id: &str, text: &str| {
            let message = serde_json::json!({ "role": "user", "content": text });
            format!(
                "{}\n",
                serde_json::json!({ "uuid": id, "message": message })
            )
            .into_bytes()
        };
        let kind = |left: &str, right: &str| {
            let (left, right) = (record("a", left), record("b", right));
            align(
                &read(&left, read_message),
                &read(&right, read_message),
                TIME,
            )[0]
            .kind
        };
        assert_eq!(kind("Go on.", "Go on."), Kind::Same);
        assert_eq!(kind("Go on.", "Go on. "), Kind::Changed);
        // What lies behind the beginning is not known here.
        let long = "word ".repeat(100);
        assert_eq!(kind(&long, &long), Kind::Changed);
    }

    /// Messages of few words, so that some are the same, some alike and most different.
    fn conversation() -> impl Strategy<Value = Vec<(&'static str, String)>> {
        let role = prop_oneof![
            Just("user"),
            Just("assistant"),
            Just("assistant"),
            Just("system")
        ];
        let word = prop_oneof![
            Just("lock"),
            Just("queue"),
            Just("test"),
            Just("run"),
            Just("")
        ];
        let text = proptest::collection::vec(word, 0..5).prop_map(|words| words.join(" "));
        proptest::collection::vec((role, text), 0..40)
    }

    fn read_from(side: &[(&'static str, String)], ids: Option<&str>) -> Vec<Msg> {
        let record = |(at, (role, text)): (usize, &(&str, String))| {
            let mut record =
                serde_json::json!({ "message": { "role": role, "content": format!("{text}.") } });
            if let Some(ids) = ids {
                record["uuid"] = format!("{ids}{at}").into();
            }
            format!("{record}\n").into_bytes()
        };
        let bytes: Vec<u8> = side.iter().enumerate().flat_map(record).collect();
        read(&bytes, read_message)
    }

    /// The turn of each message, counted from the first message of the user.
    fn turn_of(side: &[Msg]) -> Vec<usize> {
        let turn = |turn: &mut usize, message: &Msg| {
            *turn += usize::from(message.role == Role::User);
            Some(*turn)
        };
        side.iter().scan(0, turn).collect()
    }

    proptest! {
        #[test]
        fn every_message_is_shown_once_and_in_order(left in conversation(), right in conversation(), ids: bool) {
            let [left, right] = [(left, "l"), (right, "r")].map(|(side, id)| read_from(&side, ids.then_some(id)));
            let rows = align(&left, &right, TIME);
            let of = |at: fn(&Row) -> Option<usize>| rows.iter().filter_map(at).collect::<Vec<_>>();
            prop_assert_eq!(of(|row| row.left), (0..left.len()).collect::<Vec<_>>());
            prop_assert_eq!(of(|row| row.right), (0..right.len()).collect::<Vec<_>>());
            for row in &rows {
                let kinds: &[Kind] = match (row.left, row.right) {
                    (Some(_), Some(_)) => &[Kind::Same, Kind::Changed, Kind::Beside],
                    (Some(_), None) => &[Kind::Left],
                    _ => &[Kind::Right],
                };
                prop_assert!(kinds.contains(&row.kind));
            }
        }

        #[test]
        fn turn_k_stands_beside_turn_k(left in conversation(), right in conversation()) {
            // Records of their own: no row is the same record on both sides.
            let (left, right) = (read_from(&left, Some("l")), read_from(&right, Some("r")));
            let turns = [turn_of(&left), turn_of(&right)];
            let mut last = 0;
            for row in align(&left, &right, TIME) {
                let of_row: Vec<usize> = [row.left.map(|at| turns[0][at]), row.right.map(|at| turns[1][at])]
                    .into_iter()
                    .flatten()
                    .collect();
                prop_assert!(of_row.iter().all(|turn| *turn as u64 == row.turn));
                prop_assert!(last <= row.turn);
                last = row.turn;
                // Alone means that the other side has no such turn, not that it has fewer messages in it.
                let both = turns.iter().all(|turns| turns.contains(&(row.turn as usize)));
                prop_assert_eq!(row.alone, !both);
            }
        }
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
            &read(&call("ls\nfirst"), read_message),
            &read(&call("ls\nother"), read_message),
            TIME,
        );
        assert_eq!(
            rows.iter().map(|row| row.kind).collect::<Vec<_>>(),
            [Kind::Changed]
        );
        let read = read(&call("ls -l"), read_message);
        assert_eq!(
            (
                read[0].preview.as_str(),
                read[0].pieces[0].target.as_deref()
            ),
            ("[Bash] ls -l", Some("ls -l"))
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
