//! Logs of linked records: each record has a `uuid` and names its predecessor as `parentUuid`. One
//! file may therefore hold several branches, and a reader walks from a leaf to the root. This file
//! joins two branches of such a log.
//!
//! Every function returns lines to be added. Raw bytes stay as they are, except that the value of
//! `parentUuid` may be replaced in a copy of a line. Knows no tool by name: the adapter with this
//! format passes the functions on.
//!
//! The rule by which a tool chooses its leaf has changed between versions: see `Loader`. A join is
//! offered only if the result was computed under every rule and is the desired one. Otherwise the
//! error gives the reason.

use crate::formats::jsonl;
use crate::parallel;
use crate::session::chain::lines_of;
use crate::session::{Millis, SessionId};
use crate::tools::Sides;
use serde_json::Value;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Above this size tools drop the part before the last compaction (5.10 MB was read whole, 5.31 MB
/// was not; seen with 2.1.108 to 2.1.330, 2026-11-23).
const READ_WHOLE: usize = 5 << 20;

/// The rules by which versions of the tool choose the record from which to continue (seen
/// 2026-11-23 with the versions named).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loader {
    /// 1.0.128 and 2.0.76: the newest timestamp, or the first in the file of several with that
    /// timestamp, whether or not other records follow on it.
    Newest,
    /// 2.1.108: the last record in the file that belongs to no side chain.
    LastInFile,
    /// 2.1.197 and 2.1.330: as `LastInFile`, but the record named in the last `last-prompt` line
    /// wins, unless that record is an ancestor of the last record or not in the file. If it belongs
    /// to a side chain, these versions find no conversation at all.
    Pinned,
}

impl Loader {
    pub const ALL: [Self; 3] = [Self::Newest, Self::LastInFile, Self::Pinned];
}

/// The conversation that a tool continues: the `uuid`s from the root to the chosen leaf.
#[cfg(test)]
pub fn resumed(log: &[u8], loader: Loader) -> Vec<String> {
    let lines = read(log);
    let log = Log::of([&lines[..]]);
    log.resumed(loader)
        .into_iter()
        .map(|record| record.uuid.clone())
        .collect()
}

/// A line that names the session in the tool's list.
///
/// 2.1.330 writes the same line on `/rename` (seen 2026-11-23).
pub fn title(session: &SessionId, title: &str) -> Vec<u8> {
    let (title, id) = (Value::from(title), Value::from(session.as_str()));
    format!("{{\"type\":\"custom-title\",\"customTitle\":{title},\"sessionId\":{id}}}\n")
        .into_bytes()
}

/// The lines to add after `common` and `first`, so that the conversation is that of `first`,
/// followed by the turns of `second`.
///
/// The records of `second` that follow on the common part are attached to the end of `first`
/// instead; nothing else in them changes. Under `Loader::Newest` the conversation ends in `first`
/// if `first` has the later records, so such a version shows only `first`. This is no reason to
/// refuse: nothing is mixed or lost, and newer versions show both. Refusing would deny the join to
/// half of all splits for a rule that is a year old.
pub fn stitch(sides: &Sides<'_>) -> Result<Vec<u8>, String> {
    let pieces = Pieces::read(sides)?;
    let before = Log::of([&pieces.common[..], &pieces.first[..]]);
    let after = Log::of([&pieces.common[..], &pieces.second[..]]);
    let fresh = pieces.fresh(same_but_for_parent)?;
    pieces.guard(&fresh)?;
    let end = before
        .leaf(Loader::Pinned)
        .filter(|end| pieces.is_in_first(end))
        .ok_or(NO_TURNS)?;
    let turns = |loader| fresh.on(&after.resumed(loader));
    whole_turns(
        &Log::of([&pieces.common[..]]),
        &before,
        &after,
        &turns(Loader::Pinned),
    )?;

    let mut added = Added::behind(sides);
    for line in fresh.lines() {
        match line {
            Line::Record(record) if !record.sidechain && !fresh.has(record.parent.as_deref()) => {
                added.push(&with_parent(&record.raw, &end.uuid).ok_or(UNREADABLE)?);
            }
            line => added.push(line.raw()),
        }
    }
    let wanted = |loader| {
        let end = before
            .position(&end.uuid)
            .map(|end| before.chain(end, loader))
            .unwrap_or_default();
        ids(end.into_iter().chain(turns(loader)))
    };
    let alone = ids(before.resumed(Loader::Newest));
    let is_right = |loader, resumed: &[String]| {
        resumed == wanted(loader).as_slice()
            || (loader == Loader::Newest && resumed == alone.as_slice())
    };
    added.resumes(&pieces, &after, is_right)
}

/// The lines to add after `common` and `first`, so that the file holds both branches and the
/// conversation is that of `common` and `second` under every rule of `Loader`.
pub fn branches(sides: &Sides<'_>) -> Result<Vec<u8>, String> {
    let pieces = Pieces::read(sides)?;
    let after = Log::of([&pieces.common[..], &pieces.second[..]]);
    let fresh = pieces.fresh(|one, other| one == other)?;
    pieces.guard(&fresh)?;
    let mut added = Added::behind(sides);
    fresh.lines().for_each(|line| added.push(line.raw()));
    added.resumes(&pieces, &after, |loader, resumed| {
        resumed == ids(after.resumed(loader)).as_slice()
    })
}

const NO_TURNS: &str = "One of the branches has no turns of its own.";
const UNREADABLE: &str = "A line of one branch cannot be read.";
const INSIDE_A_TURN: &str = "The branches part in the middle of a turn.";

// ---- records ----

/// A line, with the parts needed here.
#[derive(Debug)]
enum Line<'a> {
    Record(Box<Record<'a>>),
    /// `last-prompt`: the leaf it names.
    Pin(&'a [u8], String),
    /// Any other line, including partial lines and lines that are not JSON. Tools skip it.
    Other {
        raw: &'a [u8],
        compaction: bool,
    },
    /// Nested too deeply to be read here; a tool may read it.
    TooDeep(&'a [u8]),
}

#[derive(Debug)]
struct Record<'a> {
    raw: Cow<'a, [u8]>,
    uuid: String,
    parent: Option<String>,
    sidechain: bool,
    compaction: bool,
    at: Option<Millis>,
    /// `user` and `assistant` are messages; attachments, progress and the like are not.
    kind: String,
    session: Option<String>,
    words: Option<String>,
    /// The records of one message of the model share its id.
    message: Option<String>,
    calls: Vec<String>,
    answers: Vec<String>,
}

fn read(bytes: &[u8]) -> Vec<Line<'_>> {
    let lines: Vec<&[u8]> = lines_of(bytes).collect();
    parallel::map(&lines, |line| line.len(), |line| Line::read(line))
}

impl<'a> Line<'a> {
    fn read(raw: &'a [u8]) -> Self {
        let line = raw
            .strip_prefix(b"\xef\xbb\xbf")
            .unwrap_or(raw)
            .trim_ascii();
        let value = match serde_json::from_str::<Value>(&String::from_utf8_lossy(line)) {
            Ok(value) => value,
            Err(error) if error.to_string().starts_with("recursion limit") => {
                return Self::TooDeep(raw);
            }
            Err(_) => Value::Null,
        };
        if let Some(record) = Record::of(raw, &value) {
            return Self::Record(Box::new(record));
        }
        match (text(&value, "type").as_deref(), text(&value, "leafUuid")) {
            (Some("last-prompt"), Some(leaf)) => Self::Pin(raw, leaf),
            _ => Self::Other {
                raw,
                compaction: is_compaction(&value),
            },
        }
    }

    fn raw(&self) -> &[u8] {
        match self {
            Self::Record(record) => &record.raw,
            Self::Pin(raw, _) | Self::Other { raw, .. } | Self::TooDeep(raw) => raw,
        }
    }

    fn record(&self) -> Option<&Record<'a>> {
        match self {
            Self::Record(record) => Some(record),
            _ => None,
        }
    }

    fn is_compaction(&self) -> bool {
        match self {
            Self::Record(record) => record.compaction,
            Self::Other { compaction, .. } => *compaction,
            Self::Pin(..) | Self::TooDeep(_) => false,
        }
    }
}

impl<'a> Record<'a> {
    fn of(raw: &'a [u8], value: &Value) -> Option<Self> {
        let message = value.get("message");
        let content = message.and_then(|message| message.get("content"));
        let blocks = content
            .and_then(Value::as_array)
            .map(Vec::as_slice)
            .unwrap_or_default();
        let all = |kind: &str, key: &str| {
            let of_kind = blocks
                .iter()
                .filter(|block| text(block, "type").as_deref() == Some(kind));
            of_kind.filter_map(|block| text(block, key)).collect()
        };
        Some(Self {
            raw: Cow::Borrowed(raw),
            uuid: text(value, "uuid")?,
            parent: text(value, "parentUuid"),
            sidechain: value
                .get("isSidechain")
                .and_then(Value::as_bool)
                .unwrap_or(false),
            compaction: is_compaction(value),
            at: value
                .get("timestamp")
                .and_then(Value::as_str)
                .and_then(Millis::parse),
            kind: text(value, "type").unwrap_or_default(),
            session: text(value, "sessionId"),
            words: content.and_then(jsonl::text_of).and_then(jsonl::title_of),
            message: message.and_then(|message| text(message, "id")),
            calls: all("tool_use", "id"),
            answers: all("tool_result", "tool_use_id"),
        })
    }

    fn is_said(&self) -> bool {
        matches!(self.kind.as_str(), "user" | "assistant")
    }

    /// Whether this is typed input, which begins a turn.
    fn is_prompt(&self) -> bool {
        self.kind == "user" && self.answers.is_empty()
    }
}

fn is_compaction(value: &Value) -> bool {
    let summary = value.get("isCompactSummary").and_then(Value::as_bool) == Some(true);
    let boundary = text(value, "subtype").as_deref() == Some("compact_boundary");
    summary
        || boundary
        || value
            .get("compactMetadata")
            .is_some_and(|metadata| !metadata.is_null())
}

fn text(value: &Value, key: &str) -> Option<String> {
    jsonl::text(value, key)
}

// ---- a log as tools read it ----

/// A log's records, and the leaves that its pins name.
struct Log<'l, 'a> {
    records: Vec<&'l Record<'a>>,
    pins: Vec<&'l str>,
    /// Of two records with one `uuid` the later counts.
    by_uuid: HashMap<&'l str, usize>,
}

impl<'l, 'a> Log<'l, 'a> {
    fn of<const N: usize>(pieces: [&'l [Line<'a>]; N]) -> Self {
        let mut log = Self {
            records: Vec::new(),
            pins: Vec::new(),
            by_uuid: HashMap::new(),
        };
        for line in pieces.into_iter().flatten() {
            match line {
                Line::Record(record) => {
                    log.by_uuid.insert(&record.uuid, log.records.len());
                    log.records.push(record);
                }
                Line::Pin(_, leaf) => log.pins.push(leaf),
                Line::Other { .. } | Line::TooDeep(_) => {}
            }
        }
        log
    }

    fn position(&self, uuid: &str) -> Option<usize> {
        self.by_uuid.get(uuid).copied()
    }

    fn resumed(&self, loader: Loader) -> Vec<&'l Record<'a>> {
        self.leaf_position(loader)
            .map(|leaf| self.chain(leaf, loader))
            .unwrap_or_default()
    }

    fn leaf(&self, loader: Loader) -> Option<&'l Record<'a>> {
        self.leaf_position(loader).map(|leaf| self.records[leaf])
    }

    fn leaf_position(&self, loader: Loader) -> Option<usize> {
        let mut candidates = (0..self.records.len()).filter(|at| !self.records[*at].sidechain);
        match loader {
            // Of equals, `max_by_key` returns the last; hence the reverse order.
            Loader::Newest => candidates.rev().max_by_key(|at| self.records[*at].at),
            Loader::LastInFile => candidates.next_back(),
            Loader::Pinned => {
                let last = candidates.next_back()?;
                let Some(pin) = self.pins.last().and_then(|leaf| self.position(leaf)) else {
                    return Some(last);
                };
                match self.records[pin].sidechain {
                    true => None,
                    false if self.walk(last, loader).contains(&pin) => Some(last),
                    false => Some(pin),
                }
            }
        }
    }

    /// From the root to a record.
    fn chain(&self, leaf: usize, loader: Loader) -> Vec<&'l Record<'a>> {
        self.walk(leaf, loader)
            .into_iter()
            .rev()
            .map(|at| self.records[at])
            .collect()
    }

    /// From a record to the root. At a missing parent the oldest versions stop; the newer ones
    /// continue with the preceding record in the file (seen with 2.0.76 and 2.1.108 to 2.1.330,
    /// 2026-11-23).
    fn walk(&self, leaf: usize, loader: Loader) -> Vec<usize> {
        let (mut walked, mut seen) = (Vec::new(), BTreeSet::new());
        let mut next = Some(leaf);
        while let Some(at) = next.filter(|at| seen.insert(*at)) {
            walked.push(at);
            next =
                self.records[at]
                    .parent
                    .as_deref()
                    .and_then(|parent| match self.position(parent) {
                        None if loader != Loader::Newest => (0..at)
                            .rev()
                            .find(|before| !self.records[*before].sidechain),
                        found => found,
                    });
        }
        walked
    }
}

fn ids<'l, 'a: 'l>(records: impl IntoIterator<Item = &'l Record<'a>>) -> Vec<String> {
    records
        .into_iter()
        .map(|record| record.uuid.clone())
        .collect()
}

// ---- guards ----

/// The three parsed pieces of a split.
struct Pieces<'a> {
    common: Vec<Line<'a>>,
    first: Vec<Line<'a>>,
    second: Vec<Line<'a>>,
    size: usize,
}

/// The lines of `second` that are not in the file yet. An earlier join may have added some.
struct Fresh<'p, 'a> {
    lines: Vec<&'p Line<'a>>,
    uuids: BTreeSet<&'p str>,
}

impl<'p, 'a> Fresh<'p, 'a> {
    fn lines(&self) -> impl Iterator<Item = &'p Line<'a>> {
        self.lines.iter().copied()
    }

    fn has(&self, uuid: Option<&str>) -> bool {
        uuid.is_some_and(|uuid| self.uuids.contains(uuid))
    }

    /// The new records of a chain.
    fn on<'l>(&self, chain: &[&'l Record<'a>]) -> Vec<&'l Record<'a>> {
        chain
            .iter()
            .copied()
            .filter(|record| self.has(Some(&record.uuid)))
            .collect()
    }
}

impl<'a> Pieces<'a> {
    fn read(sides: &Sides<'a>) -> Result<Self, String> {
        if !sides.common.ends_with(b"\n") {
            return Err("The branches have no common beginning.".into());
        }
        let pieces = Self {
            common: read(sides.common),
            first: read(sides.first),
            second: read(sides.second),
            size: sides.common.len() + sides.first.len() + sides.second.len(),
        };
        let has_record = |lines: &[Line<'_>]| {
            lines
                .iter()
                .filter_map(Line::record)
                .any(|record| !record.sidechain)
        };
        match () {
            () if !has_record(&pieces.common) => {
                Err("The branches have no common beginning.".into())
            }
            () if !has_record(&pieces.first) || !has_record(&pieces.second) => Err(NO_TURNS.into()),
            () => Ok(pieces),
        }
    }

    fn is_in_first(&self, wanted: &Record<'_>) -> bool {
        self.first
            .iter()
            .filter_map(Line::record)
            .any(|record| record.uuid == wanted.uuid)
    }

    /// The new lines of `second`. A record that exists with other content prevents the join.
    fn fresh(&self, is_same: fn(&[u8], &[u8]) -> bool) -> Result<Fresh<'_, 'a>, String> {
        let there: HashMap<&str, &[u8]> = self
            .common
            .iter()
            .chain(&self.first)
            .filter_map(by_uuid)
            .collect();
        let mut fresh = Fresh {
            lines: Vec::new(),
            uuids: BTreeSet::new(),
        };
        for line in &self.second {
            match line
                .record()
                .map(|record| (record, there.get(record.uuid.as_str())))
            {
                Some((record, Some(old))) if is_same(old, &record.raw) => {}
                Some((_, Some(_))) => {
                    return Err(
                        "The branches have a record with the same id and two contents.".into(),
                    );
                }
                Some((record, None)) => {
                    fresh.uuids.insert(&record.uuid);
                    fresh.lines.push(line);
                }
                None => fresh.lines.push(line),
            }
        }
        match fresh.uuids.is_empty() {
            true => Err("The file holds everything of the other branch already.".into()),
            false => Ok(fresh),
        }
    }

    fn guard(&self, fresh: &Fresh<'_, 'a>) -> Result<(), String> {
        let all = || self.common.iter().chain(&self.first).chain(fresh.lines());
        let tails = || self.first.iter().chain(fresh.lines());
        if all().any(|line| matches!(line, Line::TooDeep(_))) {
            return Err(UNREADABLE.into());
        }
        if tails().any(Line::is_compaction) {
            return Err(
                "One of the versions was compacted; its summary would replace the other one, too."
                    .into(),
            );
        }
        if READ_WHOLE < self.size && all().any(Line::is_compaction) {
            return Err("The session was compacted and is so long that the tool would read only a part of it.".into());
        }
        two_contents(all())?;
        follows(&self.common, &self.first)?;
        let ours = by_turn(self.first.iter());
        let (before, theirs) = (by_turn(self.common.iter()), by_turn(fresh.lines()));
        let apart =
            before.is_disjoint(&ours) && before.is_disjoint(&theirs) && ours.is_disjoint(&theirs);
        if !apart {
            return Err(INSIDE_A_TURN.into());
        }
        follows_all(self.common.iter().chain(&self.first), self.second.iter())
    }
}

fn by_uuid<'l>(line: &'l Line<'_>) -> Option<(&'l str, &'l [u8])> {
    line.record()
        .map(|record| (record.uuid.as_str(), record.raw.as_ref()))
}

/// Refuses one id with different contents. Repeated lines are allowed.
fn two_contents<'l, 'a: 'l>(lines: impl Iterator<Item = &'l Line<'a>>) -> Result<(), String> {
    let mut seen: HashMap<&str, &[u8]> = HashMap::new();
    for (uuid, raw) in lines.filter_map(by_uuid) {
        if *seen.entry(uuid).or_insert(raw) != raw {
            return Err("A record has one id and two contents.".into());
        }
    }
    Ok(())
}

fn follows(common: &[Line<'_>], tail: &[Line<'_>]) -> Result<(), String> {
    follows_all(common.iter(), tail.iter())
}

/// Refuses a tail with a record whose parent does not come before it.
fn follows_all<'l, 'a: 'l>(
    before: impl Iterator<Item = &'l Line<'a>>,
    tail: impl Iterator<Item = &'l Line<'a>>,
) -> Result<(), String> {
    let mut known: BTreeSet<&str> = before
        .filter_map(Line::record)
        .map(|record| record.uuid.as_str())
        .collect();
    for record in tail.filter_map(Line::record) {
        if !record.sidechain
            && record
                .parent
                .as_deref()
                .is_some_and(|parent| !known.contains(parent))
        {
            return Err("A record of one branch follows on one that is missing.".into());
        }
        known.insert(&record.uuid);
    }
    Ok(())
}

/// The ids that the records of one turn share: those of messages and of calls.
fn by_turn<'l, 'a: 'l>(lines: impl Iterator<Item = &'l Line<'a>>) -> BTreeSet<&'l str> {
    let of_record = |record: &'l Record<'a>| {
        record
            .message
            .iter()
            .chain(&record.calls)
            .chain(&record.answers)
    };
    lines
        .filter_map(Line::record)
        .flat_map(of_record)
        .map(String::as_str)
        .collect()
}

/// Whole turns are placed after whole turns: no turn may be cut, and every call needs its answer.
fn whole_turns(
    common: &Log<'_, '_>,
    before: &Log<'_, '_>,
    after: &Log<'_, '_>,
    added: &[&Record<'_>],
) -> Result<(), String> {
    let first_said = added
        .iter()
        .find(|record| record.is_said())
        .ok_or(NO_TURNS)?;
    if !first_said.is_prompt() || has_open_call(common) {
        return Err(INSIDE_A_TURN.into());
    }
    match has_open_call(before) || has_open_call(after) {
        true => Err("One of the branches ends in the middle of a turn.".into()),
        false => Ok(()),
    }
}

/// Whether the last turn has a call without an answer.
fn has_open_call(log: &Log<'_, '_>) -> bool {
    let answered: BTreeSet<&str> = log
        .records
        .iter()
        .flat_map(|record| &record.answers)
        .map(String::as_str)
        .collect();
    let chain = log.resumed(Loader::Pinned);
    let last_turn = chain.iter().rev().take_while(|record| !record.is_prompt());
    last_turn
        .flat_map(|record| &record.calls)
        .any(|call| !answered.contains(call.as_str()))
}

// ---- added lines ----

/// Lines to be added. Each ends in a newline, and the first begins on a new line.
struct Added {
    bytes: Vec<u8>,
}

impl Added {
    fn behind(sides: &Sides<'_>) -> Self {
        let is_open = !sides.first.is_empty() && !sides.first.ends_with(b"\n");
        Self {
            bytes: if is_open { b"\n".to_vec() } else { Vec::new() },
        }
    }

    fn push(&mut self, line: &[u8]) {
        self.bytes.extend_from_slice(line);
        if !line.ends_with(b"\n") {
            self.bytes.push(b'\n');
        }
    }

    /// The lines, if the conversation is the desired one under every rule. If a pin of another
    /// branch interferes, one more line pins the end of the second branch.
    fn resumes(
        mut self,
        pieces: &Pieces<'_>,
        after: &Log<'_, '_>,
        is_right: impl Fn(Loader, &[String]) -> bool,
    ) -> Result<Vec<u8>, String> {
        let added = read(&self.bytes);
        let resumed = |pinned: &[u8], loader| {
            let pinned = read(pinned);
            ids(Log::of([
                &pieces.common[..],
                &pieces.first[..],
                &added[..],
                &pinned[..],
            ])
            .resumed(loader))
        };
        let pin = match is_right(Loader::Pinned, &resumed(b"", Loader::Pinned)) {
            true => Vec::new(),
            false => after
                .leaf(Loader::Pinned)
                .map(|leaf| pin(leaf, after))
                .ok_or(NO_TURNS)?,
        };
        let is_wrong = |loader: &Loader| {
            let resumed = resumed(&pin, *loader);
            resumed.is_empty() || !is_right(*loader, &resumed)
        };
        match Loader::ALL.into_iter().rev().find(is_wrong) {
            None => {
                drop(added);
                self.bytes.extend(pin);
                Ok(self.bytes)
            }
            Some(Loader::Newest) => {
                Err("The other branch was written to later; old versions of the tool would continue with it.".into())
            }
            Some(_) => Err("Versions of the tool would continue at different places.".into()),
        }
    }
}

/// A line that makes a tool continue from a record. Like the tool's own, it names the last prompt.
fn pin(leaf: &Record<'_>, log: &Log<'_, '_>) -> Vec<u8> {
    let chain = log.resumed(Loader::Pinned);
    let prompt = chain
        .iter()
        .rev()
        .filter(|record| record.is_prompt())
        .find_map(|record| record.words.as_deref());
    let (prompt, leaf_id) = (
        Value::from(prompt.unwrap_or_default()),
        Value::from(leaf.uuid.as_str()),
    );
    let session = Value::from(leaf.session.as_deref().unwrap_or_default());
    format!("{{\"type\":\"last-prompt\",\"lastPrompt\":{prompt},\"leafUuid\":{leaf_id},\"sessionId\":{session}}}\n")
        .into_bytes()
}

fn same_but_for_parent(one: &[u8], other: &[u8]) -> bool {
    one == other || with_parent(one, "").is_some_and(|one| Some(one) == with_parent(other, ""))
}

/// A copy of a line with another value of `parentUuid`; all other bytes are unchanged.
fn with_parent(line: &[u8], parent: &str) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(line).ok()?;
    let fields: BTreeMap<String, &RawValue> =
        serde_json::from_str(text.trim_start_matches('\u{feff}')).ok()?;
    let old = fields.get("parentUuid")?.get();
    // The value borrows from the line, so the pointer difference is its offset.
    let start = old.as_ptr() as usize - text.as_ptr() as usize;
    Some(
        format!(
            "{}{}{}",
            &text[..start],
            Value::from(parent),
            &text[start + old.len()..]
        )
        .into_bytes(),
    )
}
