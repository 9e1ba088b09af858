//! Logs that are one line of turns, whose records may carry a consecutive `ordinal`. What can be made of two branches
//! of such a log: the turns of one behind those of the other. There are no links between records, so one file cannot
//! hold two branches.
//!
//! Everything here gives lines to be added; the one thing ever replaced is the number in a copy of a line. Knows no tool
//! by name.
//!
//! Seen 2026-11-23: 0.98.0, 0.120.0 and 0.169.0 read two tails one after the other and the model is told both; 0.169.0
//! numbers its lines, the older ones do not.

use crate::tools::Sides;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeSet;

/// What to add behind `common` and `first` so that the model is told the turns of `second` after those of `first`.
///
/// Numbers go on where `first` ends; logs without numbers are put together as they are. It is done between whole turns
/// only, and not if something in `second` speaks of the turns before it: those would be other ones.
pub fn stitch(sides: &Sides<'_>) -> Result<Vec<u8>, String> {
    let (common, first, second) = (read(sides.common)?, read(sides.first)?, read(sides.second)?);
    if !sides.common.ends_with(b"\n") || !common.iter().any(Line::is_said) {
        return Err("The branches have no common beginning.".into());
    }
    if ![&first, &second].into_iter().all(|tail| tail.iter().any(Line::is_said)) {
        return Err("One of the branches has no turns of its own.".into());
    }
    if second.iter().any(Line::speaks_of_before) {
        return Err("The other branch was compacted or rolled back; that would reach into this one.".into());
    }
    let pieces = [&common, &first, &second].map(|piece| Turns::of(piece));
    if !pieces.iter().all(Turns::are_whole) || !apart(&pieces) {
        return Err("One of the branches begins or ends in the middle of a turn.".into());
    }
    let last = common.iter().chain(&first).rev().find(|line| line.is_record());
    renumbered(&second, last.and_then(|line| line.ordinal()), sides.first.ends_with(b"\n"))
}

const UNREADABLE: &str = "A line of one branch cannot be read.";

/// A line, and what of it matters here; nothing if it is half written, which tools pass over.
struct Line<'a> {
    raw: &'a str,
    record: Option<Record<'a>>,
}

#[derive(Deserialize)]
struct Record<'a> {
    #[serde(borrow)]
    ordinal: Option<&'a RawValue>,
    #[serde(rename = "type")]
    kind: Option<String>,
    payload: Option<Value>,
    // The oldest logs have the item itself as the record.
    call_id: Option<String>,
}

fn read(bytes: &[u8]) -> Result<Vec<Line<'_>>, String> {
    bytes.split_inclusive(|byte| *byte == b'\n').map(Line::read).collect()
}

impl<'a> Line<'a> {
    fn read(raw: &'a [u8]) -> Result<Self, String> {
        let raw = std::str::from_utf8(raw).map_err(|_| UNREADABLE)?;
        match serde_json::from_str(raw.trim_start_matches('\u{feff}')) {
            Ok(record) => Ok(Self { raw, record: Some(record) }),
            Err(error) if error.is_eof() => Ok(Self { raw, record: None }),
            Err(_) => Err(UNREADABLE.into()),
        }
    }

    fn is_record(&self) -> bool {
        self.record.is_some()
    }

    fn ordinal(&self) -> Option<u64> {
        self.record.as_ref()?.ordinal?.get().parse().ok()
    }

    fn kind(&self) -> &str {
        self.record.as_ref().and_then(|record| record.kind.as_deref()).unwrap_or_default()
    }

    fn field(&self, name: &str) -> Option<&str> {
        self.record.as_ref()?.payload.as_ref()?.get(name)?.as_str()
    }

    /// The kind of the item or event that is in the record, or is the record.
    fn item(&self) -> &str {
        match self.kind() {
            "response_item" | "event_msg" => self.field("type").unwrap_or_default(),
            kind => kind,
        }
    }

    fn call_id(&self) -> Option<&str> {
        match self.kind() {
            "response_item" => self.field("call_id"),
            "event_msg" => None,
            _ => self.record.as_ref()?.call_id.as_deref(),
        }
    }

    fn is_said(&self) -> bool {
        matches!(self.kind(), "response_item" | "message") && self.item() == "message"
    }

    /// A summary in place of all that was said, or turns taken back by their number.
    fn speaks_of_before(&self) -> bool {
        matches!(self.item(), "compacted" | "compaction" | "context_compacted" | "thread_rolled_back")
    }

    /// A copy with another number; every other byte is the line's own.
    fn numbered(&self, number: u64) -> String {
        let Some(old) = self.record.as_ref().and_then(|record| record.ordinal).map(RawValue::get) else {
            return self.raw.to_owned();
        };
        // The number is a part of the line, so its place is the distance of the two.
        let start = old.as_ptr() as usize - self.raw.as_ptr() as usize;
        format!("{}{number}{}", &self.raw[..start], &self.raw[start + old.len()..])
    }
}

/// The turns of a piece, by the ids that bind a turn together.
struct Turns<'l> {
    ids: BTreeSet<&'l str>,
    /// Something ends that has not begun here.
    begins_inside: bool,
    /// The last turn has not ended, or has a call without its output.
    ends_inside: bool,
}

impl<'l> Turns<'l> {
    fn of(lines: &'l [Line<'_>]) -> Self {
        let mut turns = Self { ids: BTreeSet::new(), begins_inside: false, ends_inside: false };
        let mut open: BTreeSet<&str> = BTreeSet::new();
        for line in lines {
            let id = line.call_id().or_else(|| line.field("turn_id"));
            match (line.item(), id) {
                ("task_started", Some(turn)) => {
                    // What an earlier turn left open was cut off by a crash, and the tool has gone on since.
                    open = BTreeSet::from([turn]);
                    turns.ids.insert(turn);
                }
                ("task_complete" | "turn_aborted", Some(turn)) => {
                    turns.begins_inside |= !turns.ids.contains(turn);
                    open.remove(turn);
                }
                (item, Some(call)) if item.ends_with("_call") => {
                    turns.ids.insert(call);
                    open.insert(call);
                }
                (item, Some(call)) if item.ends_with("_output") => {
                    turns.begins_inside |= !turns.ids.contains(call);
                    open.remove(call);
                }
                (_, Some(turn)) => drop(turns.ids.insert(turn)),
                (_, None) => {}
            }
        }
        turns.ends_inside = !open.is_empty();
        turns
    }

    fn are_whole(&self) -> bool {
        !self.begins_inside && !self.ends_inside
    }
}

/// Whether no turn has parts in two of the pieces.
fn apart(pieces: &[Turns<'_>; 3]) -> bool {
    let [common, first, second] = pieces;
    common.ids.is_disjoint(&first.ids) && common.ids.is_disjoint(&second.ids) && first.ids.is_disjoint(&second.ids)
}

/// The lines with the numbers after `last`.
fn renumbered(lines: &[Line<'_>], last: Option<u64>, on_own_line: bool) -> Result<Vec<u8>, String> {
    let has_number = |line: &&Line<'_>| line.ordinal().is_some();
    let n_records = lines.iter().filter(|line| line.is_record()).count();
    let n_numbered = lines.iter().filter(has_number).count();
    let alike = match last {
        Some(_) => n_numbered == n_records,
        None => n_numbered == 0,
    };
    if !alike {
        return Err("Only one of the branches numbers its lines.".into());
    }
    let mut added = if on_own_line { String::new() } else { "\n".to_owned() };
    let mut next = last.map_or(Some(0), |last| last.checked_add(1));
    for line in lines {
        let number = next.ok_or(UNREADABLE)?;
        added.push_str(&line.numbered(number));
        if has_number(&line) {
            next = number.checked_add(1);
        }
        if !added.ends_with('\n') {
            added.push('\n');
        }
    }
    Ok(added.into_bytes())
}
