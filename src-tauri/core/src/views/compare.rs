//! The branches of a split: listed, and two of them side by side, page by page. The alignment is
//! kept for the next page; bodies are not.

use super::transcript::{self, Changes, Names, Reading, authors};
use crate::api::answer::unreadable;
use crate::api::types::{
    ApiError, BranchRow, Choice, Diff, DiffCommon, DiffPrefix, DiffRow, DiffSide, DiffStats,
    DiffWords, MOST_CHANGES, PartBody, Side, SplitRow, SteeringRow,
};
use crate::merge::diff::{Kind, Msg, align, read, words};
use crate::merge::transcript::{ParsedMessage, said_in};
use crate::merge::{Action, Divided, Fork, Split, first_line_after};
use crate::parallel;
use crate::reconcile::choices::{choices, choices_beside, continued, pick, trunk_author};
use crate::reconcile::compared::{Compared, Of, Place};
use crate::reconcile::context::Context;
use crate::reconcile::record::{Dependents, DocState, SessionRecord};
use crate::reconcile::session::{Session, SessionMut};
use crate::reconcile::split::{BranchLayout, ForkPlan, author, branch_layout};
use crate::session::chain::lines_of;
use crate::session::{
    ChainId, DocName, Edge, ProblemCode, Reason, Role, SessionId, SessionKey, records,
};
use crate::state;
use crate::tools::Steer;
use crate::vault::journal_reader::JournalReader;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// Time for aligning before it gets coarser, and for comparing the words of one row.
const ALIGN: Duration = Duration::from_millis(250);
const WORDS: Duration = Duration::from_millis(50);
/// The most characters shown of a changed setting.
const CHANGE_LENGTH: usize = 200;

/// What a side has after the fork point.
#[derive(Default)]
struct Tail {
    bytes: Vec<u8>,
    places: Vec<Place>,
    /// How many of the bytes are the branch itself; 0 if they are not all of it.
    own: usize,
}

impl Tail {
    /// The branch itself, if it was read whole: without what its session added since.
    fn branch(&self) -> Option<&[u8]> {
        self.bytes.get(..self.own).filter(|own| !own.is_empty())
    }
}

/// The work for each of the sides, 0 and 1, at the same time: reading is nearly all of the work, and
/// the sides are independent of each other.
fn both<T: Send>(work: impl Fn(usize) -> T + Sync) -> [T; 2] {
    std::thread::scope(|scope| {
        let theirs = scope.spawn(|| work(1));
        let ours = work(0);
        let theirs = theirs.join();
        [
            ours,
            theirs.unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
        ]
    })
}

/// The two branches that the user means: the start of a branch's id, its session or its device. The
/// session's own branch is the left one by default, the first one beside it the right one.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    left: Option<String>,
    right: Option<String>,
}

impl Wanted {
    pub fn of(left: Option<String>, right: Option<String>) -> Self {
        Self { left, right }
    }
}

/// Two branches that are compared.
struct Pair {
    /// `None`: the session's own branch.
    left: Option<Fork>,
    right: Fork,
}

impl Pair {
    fn forks(&self) -> impl Iterator<Item = &Fork> {
        self.left.iter().chain([&self.right])
    }

    /// The branch of a side, 0 or 1, if it is beside the session's own.
    fn fork(&self, side: usize) -> Option<&Fork> {
        match side {
            0 => self.left.as_ref(),
            _ => Some(&self.right),
        }
    }
}

/// A split session, ready to be compared.
pub struct Compare<'a> {
    context: &'a Context,
    key: SessionKey,
    row: state::Row,
    record: SessionRecord,
    family: BTreeMap<SessionId, SessionRecord>,
    layout: BranchLayout,
    split: Split,
    /// Not a split: another device's rewrite that is held. What is here stands left.
    is_rewrite: bool,
}

impl<'a> Compare<'a> {
    /// Returns `None` if the session is neither split nor held for a rewrite.
    pub fn new(
        context: &'a Context,
        key: SessionKey,
        row: state::Row,
        mut record: SessionRecord,
        family: BTreeMap<SessionId, SessionRecord>,
    ) -> Result<Option<Self>, ApiError> {
        let mut layout = branch_layout(
            SessionMut::new(context, &key, &mut record),
            &Dependents::default(),
        )
        .map_err(|error| unreadable(&error))?;
        let split = layout.settled.split.take();
        let is_rewrite = split.is_none();
        let rewritten = || rewritten(&row, &record, &layout);
        let Some(split) = split.or_else(rewritten) else {
            return Ok(None);
        };
        Ok(Some(Self {
            context,
            key,
            row,
            record,
            family,
            layout,
            split,
            is_rewrite,
        }))
    }

    /// Whether a held rewrite is compared, and not a split.
    pub fn is_rewrite(&self) -> bool {
        self.is_rewrite
    }

    fn state(&self) -> &DocState {
        &self.record.docs[&self.split.doc]
    }

    fn session(&self) -> String {
        self.record
            .session
            .as_ref()
            .map(SessionId::to_string)
            .unwrap_or_default()
    }

    pub fn row(&self) -> Result<SplitRow, ApiError> {
        let (state, divided) = (self.state(), &self.split.divided);
        let branch =
            |tip: ChainId, from: ChainId, device: String, session: String, title: String| {
                let path = state.trie.path_between(from, tip).unwrap_or_default();
                let here = state
                    .local
                    .as_ref()
                    .is_some_and(|local| local.there && state.trie.is_ancestor(tip, local.tip));
                BranchRow {
                    branch: tip.to_hex(),
                    session,
                    title,
                    device,
                    updated: path
                        .last()
                        .map(|edge| edge.at.wall.rfc3339())
                        .unwrap_or_default(),
                    records: path.iter().map(|edge| edge.lines).sum(),
                    here,
                }
            };
        let trunk = trunk_author(&self.record, &self.split);
        let own = if self.split.ask {
            String::new()
        } else {
            self.session()
        };
        let mut branches = vec![branch(
            divided.trunk,
            divided.fork_point,
            trunk,
            own,
            self.row.title.clone(),
        )];
        for fork in &divided.forks {
            let session = self
                .layout
                .forks
                .iter()
                .find(|plan| plan.first_line == fork.first_line)
                .map(|plan| plan.session.clone());
            let record = session
                .as_ref()
                .and_then(|session| self.family.get(session));
            let title = record.and_then(|record| record.title().map(str::to_owned));
            let session = session
                .map(|session| session.to_string())
                .unwrap_or_default();
            branches.push(branch(
                fork.tip,
                fork.fork_point,
                author(state, fork.first_line),
                session,
                title.unwrap_or_default(),
            ));
        }
        let offered = divided.forks.first().map(|fork| {
            choices(
                Session::new(self.context, &self.key, &self.record),
                &self.split,
                fork,
                None,
            )
        });
        Ok(SplitRow {
            session: self.row.session.clone(),
            tool: self.key.tool.to_string(),
            title: self.row.title.clone(),
            project: self.row.project.clone(),
            tier: self.split.tier(),
            reason: self.split.reason.clone(),
            branches,
            choices: offered.unwrap_or_default(),
        })
    }

    /// The branches that the user means.
    fn pair(&self, wanted: &Wanted) -> Result<Pair, ApiError> {
        let one = |wanted: Option<&str>| -> Result<Option<Fork>, ApiError> {
            let found = pick(&self.layout, &self.split, wanted, Action::KeepBoth)?;
            Ok(found.into_iter().next().map(|right| right.fork))
        };
        let left = match wanted.left.as_deref() {
            Some(left) => one(Some(left))?,
            None => None,
        };
        let right = one(wanted.right.as_deref())?;
        let right = right.ok_or_else(|| crate::reconcile::choices::no_split(&self.record))?;
        if left.as_ref().is_some_and(|left| left.tip == right.tip) {
            return Err(ApiError::new(
                ProblemCode::OneBranch,
                "This is one version, not two.",
                "Choose two different ones.",
            ));
        }
        Ok(Pair { left, right })
    }

    /// The ends of both sides.
    fn tips(&self, pair: &Pair) -> [ChainId; 2] {
        let left = pair.left.as_ref().map(|fork| fork.tip);
        [left.unwrap_or(self.split.divided.trunk), pair.right.tip]
    }

    fn meet(&self, pair: &Pair) -> ChainId {
        let [left, right] = self.tips(pair);
        self.state().trie.meet(left, right)
    }

    /// What one side, 0 or 1, has after the fork point; a branch beside the session's own with the
    /// lines its own session added since.
    fn tail(&self, side: usize, pair: &Pair) -> Result<Tail, ApiError> {
        let (state, fork) = (self.state(), pair.fork(side));
        let (meet, tip) = (self.meet(pair), self.tips(pair)[side]);
        let journal_reader =
            self.context
                .journal_reader(&self.key.tool, &self.record.journals, &self.split.doc);
        let mut tail = Tail::default();
        if let Some(records) = self.context.records(&self.key.tool, state.kind) {
            let path = state.trie.path(tip).unwrap_or_default();
            let mut content = journal_reader
                .content(state.kind, &path)
                .map_err(|error| unreadable(&error))?;
            if let Some(fork) = fork {
                content.extend(self.continued(fork)?);
            }
            for record in records(&content) {
                tail.bytes.extend(record.to_string().into_bytes());
                tail.bytes.push(b'\n');
            }
            return Ok(tail);
        }
        let path = state.trie.path_between(meet, tip).unwrap_or_default();
        let len = path.iter().map(|edge| edge.bytes as usize).sum();
        tail.bytes.reserve(len);
        let read = path.into_iter().try_for_each(|edge| {
            journal_reader.pieces(edge, |piece, bytes| {
                let (off, device) = (tail.bytes.len() as u64, edge.source.device.clone());
                tail.places.push(Place { off, piece, device });
                tail.bytes.extend_from_slice(bytes);
                Ok(())
            })
        });
        read.map_err(|error| unreadable(&error))?;
        // Of a record that came in pieces only the first is read, with a line end. As there are at
        // least two, that is shorter than the record, or it is the record: so the lengths tell.
        tail.own = if tail.bytes.len() == len { len } else { 0 };
        if let Some(fork) = fork {
            tail.bytes.extend(self.continued(fork)?);
        }
        Ok(tail)
    }

    /// The messages of a side, and where they lie.
    fn messages(&self, side: usize, pair: &Pair) -> Result<(Vec<Msg>, Vec<Place>), ApiError> {
        let tail = self.tail(side, pair)?;
        let mut messages = read(&tail.bytes, self.context.message_reader(&self.key.tool));
        let authors = match self.context.records(&self.key.tool, self.state().kind) {
            Some(records) => authors::of_generations(&self.up_to(self.tips(pair)[side]), records)?,
            None => Vec::new(),
        };
        let shared = self.context.shared();
        for (at, message) in messages.iter_mut().enumerate() {
            let place = tail.places[..tail
                .places
                .partition_point(|place| place.off <= message.off)]
                .last();
            let held = place
                .filter(|place| message.off < place.off + place.piece.len as u64)
                .map(|place| &place.device);
            let device = held.or_else(|| authors.get(at)?.as_ref());
            message.device = device.map(|short| shared.name_of(short));
        }
        drop(shared);
        Ok((messages, tail.places))
    }

    /// The changes to the tool's settings by the records of one side since the fork point:
    /// the author of each, by name, and the change in words.
    fn changes(&self, pair: &Pair, tail: &Tail) -> Result<Vec<SteeringRow>, ApiError> {
        let state = self.state();
        let before = state.trie.path(self.meet(pair)).unwrap_or_default();
        let mut found: Vec<(Option<&str>, Vec<Steer>)> = Vec::new();
        let own = |place: &Place| {
            (
                place.off,
                place.off + place.piece.len as u64,
                Some(place.device.clone()),
            )
        };
        let mut parts: Vec<(u64, u64, Option<String>)> = tail.places.iter().map(own).collect();
        // Lines that the branch's own session added since are in no place of this one.
        parts.push((
            parts.last().map_or(0, |(_, end, _)| *end),
            tail.bytes.len() as u64,
            None,
        ));
        for (from, end, device) in &parts {
            let bytes = tail
                .bytes
                .get(*from as usize..*end as usize)
                .unwrap_or_default();
            let of_lines = self
                .set_by(bytes)
                .into_iter()
                .filter(|sets| !sets.is_empty());
            found.extend(of_lines.map(|sets| (device.as_deref(), sets)));
        }
        let names = found
            .iter()
            .flat_map(|(_, sets)| sets)
            .map(|steer| steer.name.clone())
            .collect();
        let first = before.first().map_or_else(
            || self.context.short.clone(),
            |edge| edge.source.device.clone(),
        );
        let mut changes = Changes::after(&first, self.last_values(&before, names)?);
        let shared = self.context.shared();
        let changed = found.into_iter().filter_map(|(device, sets)| {
            Some((device, changes.by(device.unwrap_or_default(), sets)?))
        });
        let row = |(device, words): (Option<&str>, String)| SteeringRow {
            device: device.map(|device| shared.name_of(device)),
            text: words.chars().take(CHANGE_LENGTH).collect(),
        };
        Ok(changed.map(row).collect())
    }

    /// The settings of the tool in each of these lines.
    fn set_by(&self, bytes: &[u8]) -> Vec<Vec<Steer>> {
        let (sets, lines) = (
            self.context.sets(&self.key.tool),
            lines_of(bytes).collect::<Vec<_>>(),
        );
        parallel::map(
            &lines,
            |line| line.len(),
            |line| sets(&self.split.doc, line),
        )
    }

    /// The last values of these names on a path. The path is read from its end, as far as needed.
    fn last_values(
        &self,
        path: &[&Edge],
        mut names: BTreeSet<String>,
    ) -> Result<BTreeMap<String, String>, ApiError> {
        let mut last = BTreeMap::new();
        let journal_reader =
            self.context
                .journal_reader(&self.key.tool, &self.record.journals, &self.split.doc);
        for edge in path.iter().rev() {
            if names.is_empty() {
                break;
            }
            let mut of_edge = BTreeMap::new();
            let read = journal_reader.pieces(edge, |_, bytes| {
                of_edge.extend(
                    self.set_by(bytes)
                        .into_iter()
                        .flatten()
                        .map(|steer| (steer.name, steer.value)),
                );
                Ok(())
            });
            read.map_err(|error| unreadable(&error))?;
            last.extend(of_edge.into_iter().filter(|(name, _)| names.remove(name)));
        }
        Ok(last)
    }

    /// The session that the branch became.
    fn fork(&self, fork: &Fork) -> Option<(&ForkPlan, &SessionRecord)> {
        let plan = self
            .layout
            .forks
            .iter()
            .find(|plan| plan.first_line == fork.first_line)?;
        Some((plan, self.family.get(&plan.session)?))
    }

    /// The lines added by the session that the branch became.
    fn continued(&self, fork: &Fork) -> Result<Vec<u8>, ApiError> {
        let Some((plan, record)) = self.fork(fork) else {
            return Ok(Vec::new());
        };
        let more = continued(self.context, &self.key, &mut record.clone(), plan, fork.tip);
        Ok(more
            .map_err(|error| unreadable(&error))?
            .unwrap_or_default())
    }

    fn of(&self, pair: &Pair) -> Of {
        let mut of = Of {
            key: self.key.clone(),
            ends: self.tips(pair).to_vec(),
            choices: 0,
        };
        for (plan, fork) in pair.forks().filter_map(|fork| self.fork(fork)) {
            of.ends.extend(
                fork.docs
                    .get(&plan.name(&plan.doc))
                    .into_iter()
                    .flat_map(|state| state.trie.heads()),
            );
            of.choices += fork.choices.len();
        }
        of
    }

    /// Returns the kept alignment, or aligns.
    fn compared(&self, pair: &Pair) -> Result<Arc<Compared>, ApiError> {
        let of = self.of(pair);
        let mut last = self.context.compared();
        if let Some(known) = last.as_ref().filter(|known| known.of == of) {
            return Ok(known.clone());
        }
        let [ours, theirs] = both(|side| self.messages(side, pair));
        let ((left, left_places), (right, right_places)) = (ours?, theirs?);
        let mut rows = align(&left, &right, ALIGN);
        // In docs that are compared from the start, the common first messages are folded, as in all
        // others.
        let common = rows
            .iter()
            .take_while(|row| self.is_whole() && row.kind == Kind::Same)
            .count();
        rows.drain(..common);
        let (sides, places) = ([left, right], [left_places, right_places]);
        let new = Arc::new(Compared {
            of,
            sides,
            places,
            common,
            rows,
        });
        *last = Some(new.clone());
        Ok(new)
    }

    /// Rows `from` to `from + n` of the comparison; with the first ones, if asked, the possible
    /// decisions; with all of them, if asked, the parts of their messages.
    pub fn diff(
        &self,
        wanted: &Wanted,
        (from, n): (u64, u64),
        offer: bool,
        bodies: bool,
    ) -> Result<Diff, ApiError> {
        let pair = self.pair(wanted)?;
        let found = self.compared(&pair)?;
        let state = self.state();
        let (meet, tips) = (self.meet(&pair), self.tips(&pair));
        let is_offer = offer && from == 0;
        let tails = match is_offer && !self.is_whole() {
            true => both(|side| self.tail(side, &pair).map(Some)),
            false => [Ok(None), Ok(None)],
        };
        let [left_tail, right_tail] = tails;
        let tails = [left_tail?, right_tail?];
        let side = |at: usize, tip: ChainId, device: String| -> Result<DiffSide, ApiError> {
            let mut changes = match &tails[at] {
                Some(tail) => self.changes(&pair, tail)?,
                None => Vec::new(),
            };
            let n_changes = changes.len() as u64;
            changes.truncate(MOST_CHANGES);
            let path = state.trie.path_between(meet, tip).unwrap_or_default();
            let messages = &found.sides[at];
            Ok(DiffSide {
                device,
                branch: tip.to_hex(),
                records: path.iter().map(|edge| edge.lines).sum(),
                bytes: path.iter().map(|edge| edge.bytes).sum(),
                messages: messages.len() as u64,
                turns: messages
                    .iter()
                    .filter(|message| message.role == Role::User)
                    .count() as u64,
                first: messages.first().and_then(|message| message.at.clone()),
                last: messages.last().and_then(|message| message.at.clone()),
                changes,
                n_changes,
            })
        };
        let [left_author, right_author] = self.authors(&pair);
        let count = |kind| found.rows.iter().filter(|row| row.kind == kind).count() as u64;
        let common = match self.is_whole() {
            true => found.common as u64,
            false => state
                .trie
                .path(meet)
                .unwrap_or_default()
                .iter()
                .map(|edge| edge.message_lines)
                .sum(),
        };
        let (from, n) = (
            usize::try_from(from).unwrap_or(usize::MAX),
            usize::try_from(n).unwrap_or(usize::MAX),
        );
        let mut bodies = bodies.then(|| Bodies::of(self, &pair, &found));
        let mut message = |side: usize, at: Option<usize>| -> Result<Option<Msg>, ApiError> {
            let Some(mut message) = at.map(|at| found.sides[side][at].clone()) else {
                return Ok(None);
            };
            if let Some(bodies) = &mut bodies {
                let mut parts = bodies.said(side, &message, transcript::parts)?;
                // A sub-agent is read in its own session.
                for part in parts.iter_mut().flatten() {
                    part.doc = None;
                }
                message.pieces = parts.unwrap_or(message.pieces);
            }
            Ok(Some(message))
        };
        let rows = found.rows.iter().enumerate().skip(from).take(n);
        let rows = rows.map(|(i, row)| {
            Ok(DiffRow {
                i: i as u64,
                kind: row.kind,
                left: message(0, row.left)?,
                right: message(1, row.right)?,
                alike: row.alike,
                turn: row.turn,
                alone: row.alone,
            })
        });
        let rows = rows.collect::<Result<Vec<_>, ApiError>>()?;
        Ok(Diff {
            session: self.row.session.clone(),
            tool: self.key.tool.to_string(),
            title: self.row.title.clone(),
            doc: self.split.doc.to_string(),
            class: self.split.tier(),
            reason: self.split.reason.clone(),
            left: side(0, tips[0], left_author)?,
            right: side(1, tips[1], right_author)?,
            rewrite: self.is_rewrite,
            prefix: DiffPrefix {
                records: if self.is_whole() {
                    common
                } else {
                    state.trie.size(meet).0
                },
                messages: common,
            },
            stats: DiffStats {
                same: count(Kind::Same),
                changed: count(Kind::Changed),
                left: count(Kind::Left) + count(Kind::Beside),
                right: count(Kind::Right) + count(Kind::Beside),
            },
            total: found.rows.len() as u64,
            rows,
            // A rewrite is released, or left as it is.
            choices: match is_offer && !self.is_rewrite {
                true => self.choices(&pair, tails.each_ref().map(Option::as_ref)),
                false => Vec::new(),
            },
        })
    }

    /// `tails` are those of both sides, if they were read.
    fn choices(&self, pair: &Pair, tails: [Option<&Tail>; 2]) -> Vec<Choice> {
        let Some(left) = &pair.left else {
            let session = Session::new(self.context, &self.key, &self.record);
            let [left, right] = tails.map(|tail| tail.and_then(Tail::branch));
            return choices(session, &self.split, &pair.right, left.zip(right));
        };
        match self.split.ask {
            true => Vec::new(),
            false => choices_beside(self.state(), left, &pair.right),
        }
    }

    /// The names of the devices whose versions stand left and right.
    fn authors(&self, pair: &Pair) -> [String; 2] {
        let state = self.state();
        if self.is_rewrite {
            let names = [
                Some(self.context.short.as_str()),
                rewriter(state, self.tips(pair)),
            ];
            let shared = self.context.shared();
            return names.map(|short| {
                short.map_or_else(|| "another device".into(), |short| shared.name_of(short))
            });
        }
        let left = match &pair.left {
            Some(left) => author(state, left.first_line),
            None => trunk_author(&self.record, &self.split),
        };
        [left, author(state, pair.right.first_line)]
    }

    /// Which words differ in a row, with the texts.
    pub fn words(&self, wanted: &Wanted, row: u64) -> Result<DiffWords, ApiError> {
        let pair = self.pair(wanted)?;
        let found = self.compared(&pair)?;
        let chosen = usize::try_from(row)
            .ok()
            .and_then(|row| found.rows.get(row));
        let chosen = chosen.ok_or_else(|| {
            ApiError::new(
                ProblemCode::NoRow,
                format!("There are {} rows.", found.rows.len()),
                "Rows are numbered from 0.",
            )
        })?;
        let text = |side: usize, at: Option<usize>| -> Result<String, ApiError> {
            let Some(message) = at.map(|at| &found.sides[side][at]) else {
                return Ok(String::new());
            };
            Bodies::of(self, &pair, &found)
                .said(side, message, |said| said.text())
                .map(Option::unwrap_or_default)
        };
        let (left, right) = (text(0, chosen.left)?, text(1, chosen.right)?);
        Ok(DiffWords {
            spans: words(&left, &right, WORDS).unwrap_or_default(),
            left,
            right,
        })
    }

    /// One part of a row's message, whole.
    pub fn part(
        &self,
        wanted: &Wanted,
        row: u64,
        side: Side,
        part: u64,
    ) -> Result<PartBody, ApiError> {
        let pair = self.pair(wanted)?;
        let found = self.compared(&pair)?;
        let chosen = usize::try_from(row)
            .ok()
            .and_then(|row| found.rows.get(row));
        let (side, at) = match side {
            Side::Left => (0, chosen.and_then(|row| row.left)),
            Side::Right => (1, chosen.and_then(|row| row.right)),
        };
        let message = at
            .map(|at| &found.sides[side][at])
            .ok_or_else(|| crate::api::answer::no_part(row, part))?;
        let body = Bodies::of(self, &pair, &found)
            .said(side, message, |said| transcript::body_of(said, part))?;
        body.flatten()
            .ok_or_else(|| crate::api::answer::no_part(row, part))
    }

    /// Whether the doc's parts mean nothing alone: then both sides are compared from the start, and
    /// their common messages are among the rows.
    fn is_whole(&self) -> bool {
        self.context
            .records(&self.key.tool, self.state().kind)
            .is_some()
    }

    /// The common messages of both sides, one page.
    pub fn common(
        &self,
        wanted: &Wanted,
        from: u64,
        n: u64,
        names: &Names,
    ) -> Result<DiffCommon, ApiError> {
        let pair = self.pair(wanted)?;
        if self.is_whole() {
            let (total, messages) =
                self.common_of_whole(&pair, from, n, |said| transcript::message(said, None))?;
            return Ok(DiffCommon {
                total,
                from,
                messages,
            });
        }
        let reading = self.before(&pair);
        let index = reading.index(from == 0)?;
        Ok(DiffCommon {
            total: index.total(),
            from,
            messages: reading.page(&index, from, n, names)?,
        })
    }

    /// One part of a message that both sides have, whole.
    pub fn common_part(
        &self,
        wanted: &Wanted,
        message: u64,
        part: u64,
    ) -> Result<PartBody, ApiError> {
        let pair = self.pair(wanted)?;
        if self.is_whole() {
            let (_, bodies) =
                self.common_of_whole(&pair, message, 1, |said| transcript::body_of(said, part))?;
            return bodies
                .into_iter()
                .next()
                .flatten()
                .ok_or_else(|| crate::api::answer::no_part(message, part));
        }
        let reading = self.before(&pair);
        reading.part(&*reading.index(false)?, message, part)
    }

    /// The number of common first messages, and some of them.
    fn common_of_whole<T>(
        &self,
        pair: &Pair,
        from: u64,
        n: u64,
        mut each: impl FnMut(&ParsedMessage<'_>) -> T,
    ) -> Result<(u64, Vec<T>), ApiError> {
        let (found, reader) = (
            self.compared(pair)?,
            self.context.message_reader(&self.key.tool),
        );
        let (from, n) = (
            usize::try_from(from).unwrap_or(usize::MAX),
            usize::try_from(n).unwrap_or(usize::MAX),
        );
        let tail = self.tail(0, pair)?;
        let record = |message: &Msg| {
            let bytes = tail
                .bytes
                .get(message.off as usize..(message.off + message.len) as usize)?;
            records::records(bytes).into_iter().next()
        };
        let records: Vec<records::Record> = found.sides[0]
            .iter()
            .take(found.common)
            .skip(from)
            .take(n)
            .filter_map(record)
            .collect();
        let messages = records
            .iter()
            .filter_map(|record| said_in(&record.value, reader));
        let messages = messages.map(|said| each(&said)).collect();
        Ok((found.common as u64, messages))
    }

    fn before(&self, pair: &Pair) -> Reading<'_> {
        self.up_to(self.meet(pair))
    }

    fn up_to(&self, tip: ChainId) -> Reading<'_> {
        let state = self.state();
        let path = state.trie.path(tip).unwrap_or_default();
        Reading {
            context: self.context,
            key: &self.key,
            record: &self.record,
            doc: &self.split.doc,
            state,
            tip,
            path,
        }
    }
}

/// A held rewrite as two branches: what is in the store here, and what would replace it.
fn rewritten(row: &state::Row, record: &SessionRecord, layout: &BranchLayout) -> Option<Split> {
    if row.reason != Some(Reason::Rewritten) {
        return None;
    }
    let replaced = |(doc, state): (&DocName, &DocState)| {
        let here = state.local.as_ref().filter(|local| local.there)?.tip;
        let to = *layout.settled.targets.get(doc)?;
        let trie = &state.trie;
        if trie.is_ancestor(here, to) {
            return None;
        }
        let fork_point = trie.meet(here, to);
        let fork = Fork {
            first_line: first_line_after(trie, fork_point, to).unwrap_or(to),
            fork_point,
            tip: to,
            open: false,
        };
        Some(Split {
            doc: doc.clone(),
            ask: false,
            reason: row.why.clone(),
            divided: Divided {
                trunk: here,
                fork_point,
                forks: vec![fork],
            },
        })
    };
    // The conversation before what lies beside it.
    let main = record
        .main()
        .and_then(|main| record.docs.get_key_value(main));
    main.into_iter().chain(&record.docs).find_map(replaced)
}

/// The device, by short id, that replaced the left end.
fn rewriter(state: &DocState, [here, to]: [ChainId; 2]) -> Option<&str> {
    let trie = &state.trie;
    let withdrew = trie.replaced().iter().rev().find(|replaced| {
        trie.is_ancestor(here, replaced.old) || trie.is_ancestor(replaced.new, to)
    });
    let wrote = || {
        let path = trie.path(to)?;
        path.last().map(|edge| edge.source.device.as_str())
    };
    withdrew
        .map(|replaced| replaced.device.as_str())
        .or_else(wrote)
}

/// The messages of a comparison, read back: from their places in the journals, if they have one;
/// otherwise from their whole side, which is read once.
struct Bodies<'a> {
    compare: &'a Compare<'a>,
    pair: &'a Pair,
    found: &'a Compared,
    journal_reader: JournalReader<'a>,
    tails: [Option<Vec<u8>>; 2],
}

impl<'a> Bodies<'a> {
    fn of(compare: &'a Compare<'a>, pair: &'a Pair, found: &'a Compared) -> Self {
        let (tool, journals) = (&compare.key.tool, &compare.record.journals);
        Self {
            compare,
            pair,
            found,
            journal_reader: compare
                .context
                .journal_reader(tool, journals, &compare.split.doc),
            tails: [None, None],
        }
    }

    fn said<T>(
        &mut self,
        side: usize,
        message: &Msg,
        read: impl FnOnce(&ParsedMessage<'_>) -> T,
    ) -> Result<Option<T>, ApiError> {
        let reader = self.compare.context.message_reader(&self.compare.key.tool);
        let body = self.body(side, message)?;
        let record = records::records(&body).into_iter().next();
        let said = record
            .as_ref()
            .and_then(|record| said_in(&record.value, reader));
        Ok(said.as_ref().map(read))
    }

    /// A message's record.
    fn body(&mut self, side: usize, message: &Msg) -> Result<Vec<u8>, ApiError> {
        let cut = |bytes: &[u8], from: u64| {
            bytes
                .get(from as usize..(from + message.len) as usize)
                .map(<[u8]>::to_vec)
                .unwrap_or_default()
        };
        let places = &self.found.places[side];
        let place = places[..places.partition_point(|place| place.off <= message.off)].last();
        let holds =
            |place: &&Place| message.off + message.len <= place.off + place.piece.len as u64;
        if let Some(place) = place.filter(holds) {
            let bytes = self.journal_reader.piece(&place.piece);
            let bytes = bytes.map_err(|error| unreadable(&error))?;
            return Ok(cut(&bytes, message.off - place.off));
        }
        if self.tails[side].is_none() {
            self.tails[side] = Some(self.compare.tail(side, self.pair)?.bytes);
        }
        Ok(self.tails[side]
            .as_ref()
            .map(|tail| cut(tail, message.off))
            .unwrap_or_default())
    }
}
