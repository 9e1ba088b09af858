//! Logs that are a single sequence of turns, whose records may carry a consecutive `ordinal`. Two
//! branches of such a log can be joined only by placing the turns of one after those of the other.
//! Records have no links, so one file cannot hold two branches.
//!
//! Every function returns lines to be added; only the number in a copy of a line is ever replaced.
//! Knows no tool by name.
//!
//! Seen 2026-11-23: 0.98.0, 0.120.0 and 0.169.0 read two consecutive tails and pass both to the
//! model; 0.169.0 numbers its lines, the older versions do not.

use crate::parallel;
use crate::session::chain::lines_of;
use crate::tools::Sides;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeSet;

/// The lines to add after `common` and `first`, so that the model receives the turns of `second`
/// after those of `first`.
///
/// Numbering continues at the end of `first`; logs without numbers are joined as they are. The join
/// is made between whole turns only, and not if a record in `second` refers to the turns before it,
/// which would then be other turns.
pub fn stitch(sides: &Sides<'_>) -> Result<Vec<u8>, String> {
    let (common, first, second) = (read(sides.common)?, read(sides.first)?, read(sides.second)?);
    if !sides.common.ends_with(b"\n") || !common.iter().any(Line::is_said) {
        return Err("The branches have no common beginning.".into());
    }
    if ![&first, &second]
        .into_iter()
        .all(|tail| tail.iter().any(Line::is_said))
    {
        return Err("One of the branches has no turns of its own.".into());
    }
    if second.iter().any(Line::speaks_of_before) {
        return Err(
            "The other branch was compacted or rolled back; that would reach into this one.".into(),
        );
    }
    let pieces = [&common, &first, &second].map(|piece| Turns::of(piece));
    if !pieces.iter().all(Turns::are_whole) || !apart(&pieces) {
        return Err("One of the branches begins or ends in the middle of a turn.".into());
    }
    let last = common
        .iter()
        .chain(&first)
        .rev()
        .find(|line| line.is_record());
    renumbered(
        &second,
        last.and_then(|line| line.ordinal()),
        sides.first.ends_with(b"\n"),
    )
}

const UNREADABLE: &str = "A line of one branch cannot be read.";

/// A line, with the parts needed here. A partial line has no record; tools skip it.
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
    // In the oldest logs the item itself is the record.
    call_id: Option<String>,
}

fn read(bytes: &[u8]) -> Result<Vec<Line<'_>>, String> {
    let lines: Vec<&[u8]> = lines_of(bytes).collect();
    parallel::map(&lines, |line| line.len(), |line| Line::read(line))
        .into_iter()
        .collect()
}

impl<'a> Line<'a> {
    fn read(raw: &'a [u8]) -> Result<Self, String> {
        let raw = std::str::from_utf8(raw).map_err(|_| UNREADABLE)?;
        match serde_json::from_str(raw.trim_start_matches('\u{feff}').trim_end()) {
            Ok(record) => Ok(Self {
                raw,
                record: Some(record),
            }),
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
        self.record
            .as_ref()
            .and_then(|record| record.kind.as_deref())
            .unwrap_or_default()
    }

    fn field(&self, name: &str) -> Option<&str> {
        self.record.as_ref()?.payload.as_ref()?.get(name)?.as_str()
    }

    /// The kind of the item or event that the record contains or is.
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

    /// Whether the record is a summary of everything before it, or takes back a number of turns.
    fn speaks_of_before(&self) -> bool {
        matches!(
            self.item(),
            "compacted" | "compaction" | "context_compacted" | "thread_rolled_back"
        )
    }

    /// A copy with another number; all other bytes are unchanged.
    fn numbered(&self, number: u64) -> String {
        let Some(old) = self
            .record
            .as_ref()
            .and_then(|record| record.ordinal)
            .map(RawValue::get)
        else {
            return self.raw.to_owned();
        };
        // The number borrows from the line, so the pointer difference is its offset.
        let start = old.as_ptr() as usize - self.raw.as_ptr() as usize;
        format!(
            "{}{number}{}",
            &self.raw[..start],
            &self.raw[start + old.len()..]
        )
    }
}

/// The turns of a piece, as the ids that their records share.
struct Turns<'l> {
    ids: BTreeSet<&'l str>,
    /// A turn or call ends here that began elsewhere.
    begins_inside: bool,
    /// The last turn has not ended, or has a call without its output.
    ends_inside: bool,
}

impl<'l> Turns<'l> {
    fn of(lines: &'l [Line<'_>]) -> Self {
        let mut turns = Self {
            ids: BTreeSet::new(),
            begins_inside: false,
            ends_inside: false,
        };
        let mut open: BTreeSet<&str> = BTreeSet::new();
        for line in lines {
            let id = line.call_id().or_else(|| line.field("turn_id"));
            match (line.item(), id) {
                ("task_started", Some(turn)) => {
                    // Calls left open by an earlier turn were cut off by a crash, and the tool has
                    // continued since.
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
    common.ids.is_disjoint(&first.ids)
        && common.ids.is_disjoint(&second.ids)
        && first.ids.is_disjoint(&second.ids)
}

/// The lines, numbered after `last`.
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
    let mut added = if on_own_line {
        String::new()
    } else {
        "\n".to_owned()
    };
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    /// Writes a log with numbers as the newer versions do, or without as the older ones do.
    #[derive(Clone)]
    struct Writer {
        device: &'static str,
        next: Option<u64>,
        n_ids: usize,
        lines: Vec<String>,
    }

    #[derive(Clone, Debug)]
    enum Act {
        Turn(String),
        ToolTurn,
        Crash,
        Resumed,
        Torn,
    }

    impl Writer {
        fn new(numbered: bool) -> Self {
            let mut writer = Self {
                device: "common",
                next: numbered.then_some(0),
                n_ids: 0,
                lines: vec![],
            };
            writer.act(&Act::Resumed);
            writer.act(&Act::Turn("begin".into()));
            writer
        }

        fn on(&self, device: &'static str) -> Self {
            Self {
                device,
                lines: vec![],
                ..self.clone()
            }
        }

        fn wrote(mut self, acts: &[Act]) -> Self {
            acts.iter().for_each(|act| self.act(act));
            self
        }

        fn act(&mut self, act: &Act) {
            match act {
                Act::Turn(said) => {
                    let turn = self.begin();
                    self.item(
                        json!({"type": "message", "role": "user", "content": [{"type": "input_text", "text": said}]}),
                    );
                    self.line(
                        "event_msg",
                        json!({"type": "task_complete", "turn_id": turn}),
                    );
                }
                Act::ToolTurn => {
                    let (turn, call) = (self.begin(), self.id());
                    self.item(json!({"type": "message", "role": "user", "content": []}));
                    self.item(
                        json!({"type": "function_call", "call_id": call, "name": "exec_command"}),
                    );
                    self.item(
                        json!({"type": "function_call_output", "call_id": call, "output": "done"}),
                    );
                    self.line(
                        "event_msg",
                        json!({"type": "task_complete", "turn_id": turn}),
                    );
                }
                Act::Crash => {
                    self.begin();
                    let call = self.id();
                    self.item(json!({"type": "function_call", "call_id": call}));
                }
                // A resumed session repeats its metadata.
                Act::Resumed => self.line("session_meta", json!({"id": "thread", "cwd": "/code"})),
                Act::Torn => self.lines.push("{\"ordinal\":7,\"type\":\"resp\n".into()),
            }
        }

        fn begin(&mut self) -> String {
            let turn = self.id();
            self.line(
                "event_msg",
                json!({"type": "task_started", "turn_id": turn}),
            );
            self.line("turn_context", json!({"turn_id": turn, "cwd": "/code"}));
            turn
        }

        fn item(&mut self, item: Value) {
            self.line("response_item", item);
        }

        fn line(&mut self, kind: &str, payload: Value) {
            let ordinal = self
                .next
                .map(|ordinal| format!("\"ordinal\": {ordinal} ,"))
                .unwrap_or_default();
            self.next = self.next.map(|ordinal| ordinal + 1);
            // Numbers, and an inner field of that name, that must not change.
            let odd = "\"metadata\":{\"ordinal\":5,\"n\":1.50e+1}";
            self.lines.push(format!(
                "{{{ordinal}{odd},\"type\":\"{kind}\",\"payload\":{payload}}}\n"
            ));
        }

        fn id(&mut self) -> String {
            self.n_ids += 1;
            format!("{}-{}", self.device, self.n_ids)
        }

        fn bytes(&self) -> Vec<u8> {
            self.lines.concat().into_bytes()
        }
    }

    fn joined(common: &Writer, first: &Writer, second: &Writer) -> Result<String, String> {
        let (common, first, second) = (common.bytes(), first.bytes(), second.bytes());
        let added = stitch(&Sides {
            common: &common,
            first: &first,
            second: &second,
        })?;
        Ok(String::from_utf8(added).expect("UTF-8"))
    }

    fn ordinals(log: &str) -> Vec<u64> {
        let numbered = log
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        numbered
            .filter_map(|record| record["ordinal"].as_u64())
            .collect()
    }

    /// A line without its number.
    fn unnumbered(line: &str) -> &str {
        line.strip_prefix("{\"ordinal\": ")
            .and_then(|rest| rest.split_once(" ,"))
            .map_or(line, |(_, rest)| rest)
    }

    fn act() -> impl Strategy<Value = Act> {
        prop_oneof![
            3 => ".{0,20}".prop_map(Act::Turn),
            2 => Just(Act::ToolTurn),
            1 => Just(Act::Crash),
            1 => Just(Act::Resumed),
            1 => Just(Act::Torn),
        ]
    }

    fn acts() -> impl Strategy<Value = Vec<Act>> {
        // Whatever precedes it, the last turn is a whole one.
        prop::collection::vec(act(), 0..6).prop_map(|acts| [acts, vec![Act::ToolTurn]].concat())
    }

    proptest! {
        #[test]
        fn numbers_go_on_and_all_else_stays(numbered in any::<bool>(), common in acts(), first in acts(), second in acts()) {
            let common = Writer::new(numbered).wrote(&common);
            let (first, second) = (common.on("first").wrote(&first), common.on("second").wrote(&second));
            let added = joined(&common, &first, &second).expect("whole turns");
            let whole = [common.lines.concat(), first.lines.concat(), added.clone()].concat();
            let ordinals = ordinals(&whole);
            prop_assert!(ordinals.iter().copied().eq(0..ordinals.len() as u64), "{:?}", ordinals);
            prop_assert_eq!(ordinals.is_empty(), !numbered);
            let kept: Vec<&str> = added.split_inclusive('\n').map(unnumbered).collect();
            let wanted: Vec<&str> = second.lines.iter().map(|line| unnumbered(line)).collect();
            prop_assert_eq!(kept, wanted);
        }

        #[test]
        fn nothing_makes_it_panic(common in any::<Vec<u8>>(), first in any::<Vec<u8>>(), second in any::<Vec<u8>>()) {
            let sides = Sides { common: &common, first: &first, second: &second };
            prop_assert!(stitch(&sides).is_err());
        }
    }

    #[test]
    fn a_big_line_is_kept_byte_for_byte() {
        let common = Writer::new(true);
        let big = "\\u00e4 \\/ ä ".repeat(200_000);
        let mut second = common.on("second").wrote(&[Act::Turn("big".into())]);
        second.lines[2] = second.lines[2].replace("big", &big);
        let added = joined(
            &common,
            &common.on("first").wrote(&[Act::ToolTurn]),
            &second,
        )
        .expect("whole turns");
        let line = added.lines().nth(2).expect("a line");
        assert_eq!(unnumbered(line), unnumbered(second.lines[2].trim_end()));
        assert!(line.contains(&big));
    }

    #[test]
    fn a_half_written_end_gets_a_line_of_its_own() {
        let common = Writer::new(true);
        let mut first = common.on("first").wrote(&[Act::ToolTurn]);
        first.lines.push("{\"ordinal\":12,\"ty".into());
        let mut second = common.on("second").wrote(&[Act::ToolTurn]);
        let cut = second.lines.last().expect("a line").trim_end().to_owned();
        *second.lines.last_mut().expect("a line") = cut;
        let added = joined(&common, &first, &second).expect("whole turns");
        assert!(added.starts_with("\n{") && added.ends_with("}\n"));
        assert_eq!(
            ordinals(&added)[0],
            *ordinals(&first.lines.concat()).last().expect("numbered") + 1
        );
    }

    #[test]
    fn what_is_not_stitched() {
        type Change = fn(&mut Writer, &mut Writer, &mut Writer);
        let rows: &[(&str, &str, Change)] = &[
            (
                "a_call_without_its_output_in_the_first",
                "middle of a turn",
                |_, first, _| {
                    first.item(json!({"type": "function_call", "call_id": "open"}));
                },
            ),
            (
                "a_call_without_its_output_in_the_second",
                "middle of a turn",
                |_, _, second| {
                    second.item(json!({"type": "custom_tool_call", "call_id": "open"}));
                },
            ),
            (
                "a_turn_that_has_not_ended",
                "middle of a turn",
                |_, first, _| drop(first.begin()),
            ),
            (
                "a_split_inside_a_turn",
                "middle of a turn",
                |common, first, second| {
                    let turn = common.begin();
                    for tail in [first, second] {
                        tail.lines.insert(0, format!("{{\"ordinal\":1,\"type\":\"event_msg\",\"payload\":{{\"type\":\"task_complete\",\"turn_id\":\"{turn}\"}}}}\n"));
                    }
                },
            ),
            (
                "an_output_to_a_call_before_the_split",
                "middle of a turn",
                |_, _, second| {
                    second.item(json!({"type": "function_call_output", "call_id": "elsewhere"}));
                },
            ),
            (
                "what_was_stitched_already",
                "middle of a turn",
                |_, first, second| {
                    first.lines.extend(second.lines.clone());
                },
            ),
            (
                "the_second_was_compacted",
                "compacted or rolled back",
                |_, _, second| {
                    second.line("compacted", json!({"message": "so far"}));
                },
            ),
            (
                "the_second_took_turns_back",
                "compacted or rolled back",
                |_, _, second| {
                    second.line(
                        "event_msg",
                        json!({"type": "thread_rolled_back", "num_turns": 1}),
                    );
                },
            ),
            (
                "only_the_second_is_numbered",
                "numbers its lines",
                |common, first, _| {
                    common.next = None;
                    for writer in [common, first] {
                        writer.lines = writer
                            .lines
                            .iter()
                            .map(|line| format!("{{{}", unnumbered(line).trim_start_matches('{')))
                            .collect();
                    }
                },
            ),
            (
                "only_some_lines_are_numbered",
                "numbers its lines",
                |_, _, second| {
                    second.next = None;
                    second.act(&Act::Turn("unnumbered".into()));
                },
            ),
            ("no_turns", "no turns", |_, first, _| first.lines.clear()),
            ("nothing_in_common", "no common", |common, _, _| {
                common.lines.clear()
            }),
            (
                "a_line_that_is_no_record",
                "cannot be read",
                |_, _, second| second.lines.push("{]\n".into()),
            ),
        ];
        for (row, why, change) in rows {
            let mut common = Writer::new(true);
            let (mut first, mut second) = (common.on("first"), common.on("second"));
            [&mut first, &mut second]
                .into_iter()
                .for_each(|tail| tail.act(&Act::ToolTurn));
            assert!(joined(&common, &first, &second).is_ok());
            change(&mut common, &mut first, &mut second);
            let told = joined(&common, &first, &second).expect_err(row);
            assert!(told.contains(why), "{row}: {told}");
        }
    }

    #[test]
    fn the_oldest_logs_have_bare_items() {
        let line = |kind: &str, id: &str| {
            format!("{{\"type\":\"{kind}\",\"{id}\":\"x\",\"role\":\"user\"}}\n")
        };
        let (common, tail) = (line("message", "id"), line("message", "id"));
        let open = [tail.clone(), line("function_call", "call_id")].concat();
        let add = |second: &str| {
            stitch(&Sides {
                common: common.as_bytes(),
                first: tail.as_bytes(),
                second: second.as_bytes(),
            })
        };
        assert_eq!(add(&tail), Ok(tail.clone().into_bytes()));
        assert!(add(&open).is_err());
    }
}
