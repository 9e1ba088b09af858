//! Two branches of a linked log, random and handwritten: the conversation that each rule of
//! `Loader` continues before and after a join. The writer here tracks its conversation without
//! asking the code under test.

use super::linked::{Loader, branches, resumed, stitch, title};
use crate::session::{Millis, SessionId};
use crate::tools::Sides;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const SESSION: &str = "9b1c7e52-0000-4000-8000-000000000000";
const HOUR: i64 = 3_600_000;

/// A device that writes a log as the tool does, and tracks its conversation.
#[derive(Clone)]
struct Writer {
    device: &'static str,
    clock: i64,
    n_ids: usize,
    lines: Vec<String>,
    /// The conversation as seen by versions that continue past a missing parent.
    chain: Vec<String>,
    /// The positions of missing parents in the conversation, where the oldest versions begin.
    cuts: Vec<usize>,
    /// The ends of turns, the targets of a rewind.
    turns: Vec<usize>,
}

#[derive(Clone, Debug)]
enum Act {
    Turn { said: String, pinned: bool },
    ToolTurn { parallel: bool, pinned: bool },
    Attachment,
    Noted,
    Sidechain { dangling: bool },
    Rewind { back: usize },
    Torn,
}

impl Writer {
    fn new() -> Self {
        let clock = 1_700_000_000_000;
        let (lines, chain, cuts, turns) = (vec![], vec![], vec![], vec![]);
        Self {
            device: "common",
            clock,
            n_ids: 0,
            lines,
            chain,
            cuts,
            turns,
        }
    }

    /// Continues the same log on another device, this many milliseconds later.
    fn on(&self, device: &'static str, later: i64) -> Self {
        Self {
            device,
            clock: self.clock + later,
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
            Act::Turn { said, pinned } => self.turn(said, *pinned),
            Act::ToolTurn { parallel, pinned } => self.tool_turn(*parallel, *pinned),
            Act::Attachment => self.record("attachment", json!({"attachment": {"type": "file"}})),
            Act::Noted => {
                self.line(&json!({"type": "mode", "mode": "normal", "sessionId": SESSION}))
            }
            Act::Sidechain { dangling } => {
                let parent = dangling.then_some("gone");
                self.aside(parent, json!({"isSidechain": true, "type": "user", "message": message("user", "aside")}));
            }
            Act::Rewind { back } => {
                let kept = self.turns.len().saturating_sub(1 + back).max(1);
                self.turns.truncate(kept);
                self.chain.truncate(self.turns[kept - 1]);
                let len = self.chain.len();
                self.cuts.retain(|cut| *cut < len);
                // A rewind writes nothing until the next prompt; then the turn's pin counts.
                self.turn("again, another way", true);
            }
            Act::Torn => self
                .lines
                .push("{\"type\":\"user\",\"uuid\":\"torn\n".into()),
        }
    }

    fn turn(&mut self, said: &str, pinned: bool) {
        self.record("user", json!({"message": message("user", said)}));
        self.answer(pinned);
    }

    fn tool_turn(&mut self, parallel: bool, pinned: bool) {
        self.record("user", json!({"message": message("user", "run it")}));
        let message_id = self.id();
        let calls: Vec<String> = (0..if parallel { 2 } else { 1 })
            .map(|_| self.id())
            .collect();
        let asked: Vec<(String, String)> = calls
            .iter()
            .map(|call| {
                let content =
                    json!([{"type": "tool_use", "id": call, "name": "Bash", "input": {}}]);
                self.record(
                    "assistant",
                    json!({"message": {"id": message_id, "role": "assistant", "content": content}}),
                );
                (
                    call.clone(),
                    self.chain.last().expect("written above").clone(),
                )
            })
            .collect();
        // Each answer follows on its call; the conversation continues at the last one.
        let (last, others) = asked.split_last().expect("at least one call");
        for (call, record) in others {
            let content = json!([{"type": "tool_result", "tool_use_id": call, "content": "done"}]);
            self.aside(
                Some(record),
                json!({"type": "user", "message": {"role": "user", "content": content}}),
            );
        }
        let content = json!([{"type": "tool_result", "tool_use_id": last.0, "content": "done"}]);
        self.record(
            "user",
            json!({"message": {"role": "user", "content": content}}),
        );
        self.answer(pinned);
    }

    fn answer(&mut self, pinned: bool) {
        let id = self.id();
        let content = json!([{"type": "text", "text": "I did."}]);
        self.record(
            "assistant",
            json!({"message": {"id": id, "role": "assistant", "content": content}}),
        );
        self.turns.push(self.chain.len());
        if pinned {
            self.pin();
        }
    }

    fn pin(&mut self) {
        let leaf = self.chain.last().cloned();
        self.line(&json!({"type": "last-prompt", "lastPrompt": "…", "leafUuid": leaf, "sessionId": SESSION}));
    }

    /// Adds a record to the conversation.
    fn record(&mut self, kind: &str, fields: Value) {
        let parent = self.chain.last().cloned();
        let uuid = self.aside(parent.as_deref(), merged(json!({"type": kind}), fields));
        self.chain.push(uuid);
    }

    /// Adds a record whose parent is missing to the conversation.
    fn dangling(&mut self) {
        let uuid = self.aside(
            Some("gone"),
            json!({"type": "user", "message": message("user", "after a loss")}),
        );
        self.cuts.push(self.chain.len());
        self.chain.push(uuid);
    }

    /// Adds a record beside the conversation.
    fn aside(&mut self, parent: Option<&str>, fields: Value) -> String {
        let uuid = self.id();
        self.clock += 1000;
        let at = Millis(self.clock).rfc3339();
        let head =
            json!({"isSidechain": false, "uuid": uuid, "timestamp": at, "sessionId": SESSION});
        let record = merged(head, fields).to_string();
        // The tool writes this field first. Bytes unlike those of our serialisers must survive.
        self.lines.push(format!(
            "{{\"parentUuid\" : {},\"n\":1.50e+1,{}\n",
            Value::from(parent),
            &record[1..]
        ));
        uuid
    }

    fn line(&mut self, value: &Value) {
        self.lines.push(format!("{value}\n"));
    }

    fn id(&mut self) -> String {
        self.n_ids += 1;
        format!("{}-{}", self.device, self.n_ids)
    }

    fn bytes(&self) -> Vec<u8> {
        self.lines.concat().into_bytes()
    }

    fn conversation(&self, loader: Loader) -> Vec<String> {
        let start = if loader == Loader::Newest {
            self.cuts.last().copied().unwrap_or(0)
        } else {
            0
        };
        self.chain[start..].to_vec()
    }

    /// The part of the conversation that this device wrote.
    fn own(&self) -> Vec<String> {
        self.chain
            .iter()
            .filter(|uuid| uuid.starts_with(self.device))
            .cloned()
            .collect()
    }
}

fn merged(mut one: Value, other: Value) -> Value {
    if let (Some(one), Value::Object(other)) = (one.as_object_mut(), other) {
        one.extend(other);
    }
    one
}

fn message(role: &str, text: &str) -> Value {
    json!({"role": role, "content": text})
}

/// A split: the common part, and the later records of two devices.
struct Split {
    common: Writer,
    first: Writer,
    second: Writer,
}

impl Split {
    /// `second` writes this much later than `first`.
    fn of(common: &[Act], first: &[Act], second: &[Act], later: i64) -> Self {
        let mut begun = Writer::new();
        begun.dangling();
        begun.answer(false);
        Self::after(begun.wrote(common), first, second, later)
    }

    fn after(common: Writer, first: &[Act], second: &[Act], later: i64) -> Self {
        let turn = Act::Turn {
            said: "go on".into(),
            pinned: false,
        };
        // Each tail has at least one turn.
        let tail = |acts: &[Act]| [acts, std::slice::from_ref(&turn)].concat();
        let (one, other) = (common.on("first", HOUR), common.on("second", HOUR + later));
        Self {
            first: one.wrote(&tail(first)),
            second: other.wrote(&tail(second)),
            common,
        }
    }

    fn join(&self, how: fn(&Sides<'_>) -> Result<Vec<u8>, String>) -> Result<Joined, String> {
        let (common, first, second) =
            (self.common.bytes(), self.first.bytes(), self.second.bytes());
        let added = how(&Sides {
            common: &common,
            first: &first,
            second: &second,
        })?;
        Ok(Joined {
            whole: [&common[..], &first, &added].concat(),
            added,
        })
    }

    fn second_alone(&self) -> Vec<u8> {
        [self.common.bytes(), self.second.bytes()].concat()
    }

    fn first_alone(&self) -> Vec<u8> {
        [self.common.bytes(), self.first.bytes()].concat()
    }

    fn both(&self, loader: Loader) -> Vec<String> {
        [self.first.conversation(loader), self.second.own()].concat()
    }
}

struct Joined {
    whole: Vec<u8>,
    added: Vec<u8>,
}

impl Joined {
    fn resumed(&self, loader: Loader) -> Vec<String> {
        resumed(&self.whole, loader)
    }
}

/// A line without the field that a stitch may change.
fn but_for_parent(line: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(line);
    match text
        .strip_prefix("{\"parentUuid\" : ")
        .and_then(|rest| rest.split_once(','))
    {
        Some((_, rest)) => rest.as_bytes().to_vec(),
        None => line.to_vec(),
    }
}

fn counted(lines: &[u8]) -> BTreeMap<Vec<u8>, usize> {
    let mut counts = BTreeMap::new();
    for line in lines.split_inclusive(|byte| *byte == b'\n') {
        *counts.entry(but_for_parent(line)).or_insert(0) += 1;
    }
    counts
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (".{0,20}", any::<bool>()).prop_map(|(said, pinned)| Act::Turn { said, pinned }),
        3 => any::<(bool, bool)>().prop_map(|(parallel, pinned)| Act::ToolTurn { parallel, pinned }),
        1 => Just(Act::Attachment),
        1 => Just(Act::Noted),
        1 => any::<bool>().prop_map(|dangling| Act::Sidechain { dangling }),
        1 => (0usize..4).prop_map(|back| Act::Rewind { back }),
        1 => Just(Act::Torn),
    ]
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    prop::collection::vec(act(), 0..8)
}

proptest! {
    #[test]
    fn what_the_writer_knows_is_what_every_rule_resumes(common in acts(), second in acts()) {
        let split = Split::of(&common, &[], &second, 0);
        for loader in Loader::ALL {
            prop_assert_eq!(resumed(&split.second_alone(), loader), split.second.conversation(loader));
        }
    }

    #[test]
    fn after_branches_every_rule_resumes_the_second(common in acts(), first in acts(), second in acts()) {
        let split = Split::of(&common, &first, &second, HOUR);
        let joined = split.join(branches).expect("no guard forbids it");
        for loader in Loader::ALL {
            prop_assert_eq!(joined.resumed(loader), split.second.conversation(loader), "{:?}", loader);
        }
        let wrote = split.second.bytes();
        let pin = joined.added.strip_prefix(&wrote[..]).expect("every line of the second, in order, byte for byte");
        prop_assert!(pin.iter().filter(|byte| **byte == b'\n').count() <= 1, "one pin at most is added");
    }

    #[test]
    fn after_a_stitch_every_rule_resumes_the_first_then_the_second(common in acts(), first in acts(), second in acts()) {
        let split = Split::of(&common, &first, &second, HOUR);
        let joined = split.join(stitch).expect("no guard forbids it");
        for loader in Loader::ALL {
            prop_assert_eq!(joined.resumed(loader), split.both(loader), "{:?}", loader);
        }
        let mut added = counted(&joined.added);
        for (line, count) in counted(&split.second.bytes()) {
            prop_assert_eq!(added.remove(&line), Some(count), "every line of the second but for its parent");
        }
        prop_assert!(added.len() <= 1, "one pin at most is added");
    }

    #[test]
    fn a_stitch_onto_what_was_said_later(common in acts(), first in acts(), second in acts()) {
        let split = Split::of(&common, &first, &second, -HOUR / 2);
        prop_assume!(split.second.clock < split.first.clock);
        let joined = split.join(stitch).expect("no guard forbids it");
        for loader in [Loader::LastInFile, Loader::Pinned] {
            prop_assert_eq!(joined.resumed(loader), split.both(loader));
        }
        prop_assert_eq!(joined.resumed(Loader::Newest), resumed(&split.first_alone(), Loader::Newest));
        prop_assert!(split.join(branches).is_err(), "the oldest versions would go on with the first");
    }

    #[test]
    fn what_was_joined_can_be_joined_again(common in acts(), first in acts(), second in acts(), more in acts()) {
        // The other device has not received the join and continues.
        let split = Split::of(&common, &first, &second, HOUR);
        let joined = split.join(stitch).expect("no guard forbids it");
        let (common, first) = (split.common.bytes(), [split.first.bytes(), joined.added].concat());
        let mut grown = split.second.clone();
        let own = grown.own().len();
        more.iter().filter(|act| !matches!(act, Act::Rewind { .. })).for_each(|act| grown.act(act));
        grown.turn("and more", false);
        let second = grown.bytes();
        let added = stitch(&Sides { common: &common, first: &first, second: &second }).expect("no guard forbids it");
        let whole = [common, first, added].concat();
        for loader in Loader::ALL {
            let wanted = [split.both(loader), grown.own()[own..].to_vec()].concat();
            prop_assert_eq!(resumed(&whole, loader), wanted);
        }
        let twice = counted(&whole).into_iter().find(|(line, count)| {
            1 < *count && String::from_utf8_lossy(line).contains("\"uuid\":\"second")
        });
        prop_assert_eq!(twice, None);
    }

    #[test]
    fn nothing_makes_it_panic(common in any::<Vec<u8>>(), first in any::<Vec<u8>>(), second in any::<Vec<u8>>()) {
        let sides = Sides { common: &common, first: &first, second: &second };
        prop_assert!(stitch(&sides).is_err() && branches(&sides).is_err());
    }
}

fn said(text: &str, pinned: bool) -> Act {
    Act::Turn {
        said: text.into(),
        pinned,
    }
}

fn plain() -> Split {
    Split::of(
        &[said("one", true)],
        &[said("first", true)],
        &[said("second", true)],
        HOUR,
    )
}

/// Kills: pins are ignored.
#[test]
fn a_pin_of_the_other_branch_does_not_win() {
    // The second device crashed before it wrote its pin.
    let split = Split::of(
        &[said("one", true)],
        &[said("first", true)],
        &[said("second", false)],
        HOUR,
    );
    let unpinned = [split.first_alone(), split.second.bytes()].concat();
    assert_eq!(resumed(&unpinned, Loader::Pinned), {
        let mut first = split.first.clone();
        // The pin is at the last turn but one.
        first.chain.truncate(first.turns[first.turns.len() - 2]);
        first.chain
    });
    let joined = split.join(branches).expect("a pin mends it");
    assert_eq!(joined.resumed(Loader::Pinned), split.second.chain);
    let pin: Value = serde_json::from_slice(
        joined
            .added
            .split(|byte| *byte == b'\n')
            .rev()
            .nth(1)
            .expect("a line"),
    )
    .expect("JSON");
    let leaf = split.second.chain.last().expect("a leaf").as_str();
    let wanted = json!({"type": "last-prompt", "lastPrompt": "go on", "leafUuid": leaf, "sessionId": SESSION});
    assert_eq!(pin, wanted);
}

/// Kills: records without a parent are dropped.
#[test]
fn what_follows_on_nothing_is_kept() {
    let mut common = Writer::new();
    common.dangling();
    common.answer(true);
    common.dangling();
    common.answer(true);
    let aside = [Act::Sidechain { dangling: true }];
    let split = Split::after(common, &aside, &aside, HOUR);
    for how in [stitch, branches] {
        let joined = split.join(how).expect("no guard forbids it");
        assert_eq!(
            String::from_utf8_lossy(&joined.whole)
                .matches("\"gone\"")
                .count(),
            4
        );
        // The oldest versions begin at the gap; the others continue past it.
        assert_eq!(joined.resumed(Loader::LastInFile)[0], "common-1");
        assert_eq!(joined.resumed(Loader::Newest)[0], "common-4");
    }
}

/// Kills: the final newline is lost.
#[test]
fn every_added_line_ends_and_begins_on_its_own() {
    let split = plain();
    let (common, first, second) = (
        split.common.bytes(),
        split.first.bytes(),
        split.second.bytes(),
    );
    let torn = [&first[..], b"{\"type\":\"user\",\"uu"].concat();
    for how in [stitch, branches] {
        let cut = &second[..second.len() - 1];
        let added = how(&Sides {
            common: &common,
            first: &torn,
            second: cut,
        })
        .expect("no guard forbids it");
        assert!(
            added.starts_with(b"\n{") && added.ends_with(b"}\n"),
            "{:?}",
            String::from_utf8_lossy(&added)
        );
        let whole = [&common[..], &torn, &added].concat();
        assert_eq!(
            resumed(&whole, Loader::Pinned).last(),
            split.second.chain.last()
        );
    }
}

/// Kills: lines are sorted by time.
#[test]
fn lines_stay_in_the_order_they_were_written() {
    let mut split = plain();
    // The clock was set back between two records, as in most real logs.
    split.second.clock -= 1500;
    split.second.act(&Act::Attachment);
    split.second.clock += 1500;
    split.second.turn("later", false);
    let joined = split.join(branches).expect("no guard forbids it");
    assert!(joined.added.starts_with(&split.second.bytes()));
}

/// Splits that must not be joined, with the word in the error that gives the reason. Kills: joined
/// across a compaction, joined inside a turn.
#[test]
fn what_is_not_joined() {
    type Change = fn(&mut Split);
    let both = (true, true);
    let rows: &[(&str, (bool, bool), &str, Change)] = &[
        ("a_branch_that_was_compacted", both, "compacted", |split| {
            split.first.record(
                "system",
                json!({"subtype": "compact_boundary", "compactMetadata": {"trigger": "auto"}}),
            );
        }),
        (
            "the_other_branch_has_a_summary",
            both,
            "compacted",
            |split| {
                split.second.record(
                    "user",
                    json!({"isCompactSummary": true, "message": message("user", "so far")}),
                );
            },
        ),
        (
            "a_long_session_that_was_compacted_before",
            both,
            "so long",
            |split| {
                split.common.record(
                    "system",
                    json!({"subtype": "compact_boundary", "compactMetadata": {"trigger": "auto"}}),
                );
                let long = "x".repeat(5 << 20);
                split.first.turn(&long, true);
            },
        ),
        (
            "an_answer_to_the_same_call",
            both,
            "middle of a turn",
            |split| {
                let call = json!({"role": "assistant", "id": "m", "content": [{"type": "tool_use", "id": "call"}]});
                split.common.record("assistant", json!({"message": call}));
                for tail in [&mut split.first, &mut split.second] {
                    let answer = json!([{"type": "tool_result", "tool_use_id": "call", "content": tail.device}]);
                    tail.record(
                        "user",
                        json!({"message": {"role": "user", "content": answer}}),
                    );
                }
            },
        ),
        (
            "records_of_one_message",
            both,
            "middle of a turn",
            |split| {
                for tail in [&mut split.first, &mut split.second] {
                    let said =
                        json!({"role": "assistant", "id": "msg_same", "content": tail.device});
                    tail.record("assistant", json!({"message": said}));
                }
            },
        ),
        (
            "a_call_left_open_before_the_split",
            (true, false),
            "middle of a turn",
            |split| {
                let call = json!({"role": "assistant", "id": "m", "content": [{"type": "tool_use", "id": "call"}]});
                split.common.record("assistant", json!({"message": call}));
            },
        ),
        (
            "a_call_left_open_at_the_end_of_the_first",
            (true, false),
            "middle of a turn",
            |split| {
                let call = json!({"role": "assistant", "id": "m", "content": [{"type": "tool_use", "id": "call"}]});
                split.first.record("assistant", json!({"message": call}));
            },
        ),
        (
            "a_call_left_open_at_the_end_of_the_second",
            (true, false),
            "middle of a turn",
            |split| {
                let call = json!({"role": "assistant", "id": "m", "content": [{"type": "tool_use", "id": "call"}]});
                split.second.record("assistant", json!({"message": call}));
                split.second.pin();
            },
        ),
        ("one_id_with_two_contents", both, "two contents", |split| {
            for tail in [&mut split.first, &mut split.second] {
                let words = json!({"uuid": "same", "type": "user", "message": message("user", tail.device)});
                tail.aside(None, words);
            }
        }),
        ("a_record_that_was_changed", both, "two contents", |split| {
            let text = split.common.lines[0].replace("after a loss", "something else");
            split.second.lines.push(text);
        }),
        ("an_id_twice_in_one_branch", both, "two contents", |split| {
            let twice = json!({"uuid": "same", "type": "user", "message": message("user", "once")});
            split.second.aside(None, twice.clone());
            split.second.aside(None, twice);
        }),
        (
            "a_parent_that_is_missing_in_the_first",
            both,
            "missing",
            |split| split.first.dangling(),
        ),
        ("a_parent_that_is_missing", both, "missing", |split| {
            split.second.dangling()
        }),
        ("a_child_before_its_parent", both, "missing", |split| {
            let n = split.second.lines.len();
            split.second.lines.swap(n - 1, n - 2);
        }),
        ("nothing_but_a_side_chain", both, "no turns", |split| {
            split.second.lines.clear();
            split.second.act(&Act::Sidechain { dangling: false });
        }),
        ("nothing_at_all_in_the_first", both, "no turns", |split| {
            split.first.lines.clear()
        }),
        ("no_common_part", both, "no common", |split| {
            split.common.lines.clear()
        }),
        (
            "a_common_part_without_a_record",
            both,
            "no common",
            |split| {
                split.common.lines = vec!["{\"type\":\"mode\"}\n".into()];
            },
        ),
        (
            "nesting_that_is_not_read",
            both,
            "cannot be read",
            |split| {
                split.second.lines.push(format!(
                    "{{\"uuid\":\"deep\",\"x\":{}{}}}\n",
                    "[".repeat(200),
                    "]".repeat(200)
                ));
            },
        ),
    ];
    for (row, (no_stitch, no_branches), why, change) in rows {
        // Half of the rows change the common part, which precedes the lines written after it.
        let mut split = plain();
        change(&mut split);
        for (refused, how) in [
            (*no_stitch, stitch as fn(&Sides<'_>) -> _),
            (*no_branches, branches),
        ] {
            match split.join(how) {
                Err(told) if refused => assert!(told.contains(why), "{row}: {told}"),
                Err(told) => panic!("{row}: {told}"),
                Ok(_) => assert!(!refused, "{row}: it was joined"),
            }
        }
    }
}

#[test]
fn a_pin_to_a_side_chain_is_not_what_one_goes_on_from() {
    let pin_aside = |tail: &mut Writer| {
        let aside = tail.aside(None, json!({"isSidechain": true, "type": "user"}));
        tail.line(&json!({"type": "last-prompt", "leafUuid": aside}));
    };
    let mut split = plain();
    pin_aside(&mut split.second);
    assert!(
        split.join(branches).is_err() && split.join(stitch).is_err(),
        "the tool finds nothing in the second"
    );
    let mut split = Split::of(&[], &[], &[], HOUR);
    pin_aside(&mut split.first);
    let joined = split.join(branches).expect("a pin mends it");
    assert_eq!(joined.resumed(Loader::Pinned), split.second.chain);
}

#[test]
fn a_turn_that_begins_in_the_middle_is_not_stitched() {
    let mut split = plain();
    split.second = split.common.on("second", 2 * HOUR);
    split.second.answer(true);
    assert!(
        split
            .join(stitch)
            .is_err_and(|told| told.contains("middle of a turn"))
    );
    assert!(
        split.join(branches).is_ok(),
        "each branch is whole by itself"
    );
}

#[test]
fn a_stitch_of_what_is_there_already_is_refused() {
    let split = plain();
    let joined = split.join(stitch).expect("no guard forbids it");
    let (common, second) = (split.common.bytes(), split.second.bytes());
    let first = [split.first.bytes(), joined.added].concat();
    let sides = Sides {
        common: &common,
        first: &first,
        second: &second,
    };
    assert!(stitch(&sides).is_err_and(|told| told.contains("already")));
}

#[test]
fn a_title_is_one_line_whatever_it_says() {
    let line = title(&SessionId::new(SESSION), "Ümlaut \"quoted\"\n(from laptop)");
    let wanted = format!(
        "{{\"type\":\"custom-title\",\"customTitle\":\"Ümlaut \\\"quoted\\\"\\n(from laptop)\",\"sessionId\":\"{SESSION}\"}}\n"
    );
    assert_eq!(String::from_utf8(line).expect("UTF-8"), wanted);
}

#[test]
fn the_rules_where_they_differ() {
    let record = |uuid: &str, parent: &str, second: u32, sidechain: bool| {
        let at = format!("2026-11-23T10:00:{second:02}.000Z");
        json!({"parentUuid": parent, "isSidechain": sidechain, "uuid": uuid, "type": "user", "timestamp": at})
            .to_string()
    };
    let pin = |leaf: &str| json!({"type": "last-prompt", "leafUuid": leaf}).to_string();
    let rows: &[(&str, Vec<String>, [&str; 3])] = &[
        (
            "the_newest_is_not_the_last",
            vec![
                record("a", "", 1, false),
                record("b", "a", 9, false),
                record("c", "a", 5, false),
            ],
            ["a b", "a c", "a c"],
        ),
        (
            "of_equals_the_first",
            vec![
                record("a", "", 1, false),
                record("b", "a", 5, false),
                record("c", "a", 5, false),
            ],
            ["a b", "a c", "a c"],
        ),
        (
            "a_side_chain_is_no_leaf",
            vec![record("a", "", 1, false), record("s", "a", 9, true)],
            ["a", "a", "a"],
        ),
        (
            "a_pin_to_another_branch",
            vec![
                record("a", "", 1, false),
                record("b", "a", 2, false),
                pin("b"),
                record("c", "a", 3, false),
            ],
            ["a c", "a c", "a b"],
        ),
        (
            "a_pin_to_an_ancestor",
            vec![
                record("a", "", 1, false),
                record("b", "a", 2, false),
                pin("b"),
                record("c", "b", 3, false),
            ],
            ["a b c"; 3],
        ),
        (
            "a_pin_to_nothing",
            vec![
                record("a", "", 1, false),
                record("b", "a", 2, false),
                pin("b"),
                record("c", "a", 3, false),
                pin("x"),
            ],
            ["a c"; 3],
        ),
        (
            "a_pin_to_a_side_chain",
            vec![
                record("a", "", 1, false),
                record("s", "a", 2, true),
                pin("s"),
            ],
            ["a", "a", ""],
        ),
        (
            "a_pin_that_names_none",
            vec![
                record("a", "", 1, false),
                record("b", "a", 2, false),
                pin("b"),
                record("c", "a", 3, false),
                json!({"type": "last-prompt"}).to_string(),
            ],
            ["a c", "a c", "a b"],
        ),
        (
            "a_missing_parent",
            vec![record("a", "", 1, false), record("b", "x", 2, false)],
            ["b", "a b", "a b"],
        ),
        (
            "a_circle",
            vec![record("a", "b", 1, false), record("b", "a", 2, false)],
            ["a b"; 3],
        ),
    ];
    for (row, lines, wanted) in rows {
        let found =
            Loader::ALL.map(|loader| resumed(lines.join("\n").as_bytes(), loader).join(" "));
        assert_eq!(found, wanted.map(str::to_owned), "{row}");
    }
}
