//! Reads journals into tries: each device's records of a session, verified, in any order of
//! arrival.

use super::context::Context;
use super::cut::take_out;
use super::origin;
use super::record::{DeviceCard, DocState, LocalDoc, Root, SessionRecord};
use crate::merge::{ChoiceId, Chosen, First, Titled, title};
use crate::session::chain::lines_of;
use crate::session::{
    ChainId, DocKind, DocName, Edge, Hlc, Lane, Line, LineSource, Millis, Problem, ProblemCode,
    Replaced, Source, Spot, ToolId, Trie, gap,
};
use crate::timing::{self, Stage};
use crate::tools::Stamp;
use crate::vault::equivocation::{self, EquivocatedFrames};
use crate::vault::journal::journal_key;
use crate::vault::journal_reader::{Generation, JournalReader, is_too_large};
use crate::vault::limits;
use crate::vault::piece::{self, Added};
use crate::vault::{Entry, Fault, Frame, Journal, JournalError, Owner, SessionCard, Skipped};
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// An entry from a frame, its lines chained, ready to be put into its trie.
pub struct Arrival {
    doc: DocName,
    kind: DocKind,
    at: String,
    edge: Edge,
    tips: Vec<Line>,
    replaces: Option<ChainId>,
    /// The author's name at the time of writing.
    by: String,
    /// The entry is one record that came in pieces.
    in_pieces: bool,
    /// Gap lines: each stands for a line that is too large to sync.
    gaps: Vec<ChainId>,
}

/// Entries of a journal that are not in the tries yet.
#[derive(Default)]
pub struct Taken {
    arrivals: Vec<Arrival>,
    /// With the short id of the device whose card it is.
    cards: Vec<(Hlc, String, SessionCard)>,
    choices: Vec<Chosen>,
    /// Titles that the user gave, with the short id of the device.
    titles: Vec<(String, Titled)>,
    /// Entries whose content does not match their ids.
    bad: u64,
    /// Lines of the arrivals.
    lines: usize,
}

/// What reading the journals brought.
#[derive(Debug, Default)]
pub struct Ingested {
    /// Bytes and lines that are new from other devices, by short id.
    pub arrived: Vec<(String, DocName, u64, u64)>,
    pub problems: Vec<Problem>,
    /// Folders changed here by somebody other than their owner.
    pub tampered: Vec<(String, Lane)>,
    /// This device's own segments with frames that were written and then forgotten, in a crash or
    /// on a full disk: these segments have not been announced yet.
    pub found_again: Vec<(Lane, String)>,
    /// Entries whose content does not match their ids, by their author's short id.
    bad: BTreeMap<String, u64>,
    /// Own journals, by key, of which segments were put back from the safety copy.
    repaired: BTreeSet<String>,
    /// Frames that owners signed beside their accepted frames, with the device.
    pub equivocated: Vec<(String, EquivocatedFrames)>,
}

/// Reads what is new in all journals of the session; `dirs` are journal directories that may be
/// new. On an error the record is unchanged: a journal that is marked as read while its entries are
/// in no trie would never be read again.
pub fn ingest(
    context: &Context,
    record: &mut SessionRecord,
    dirs: &[(String, Lane, String)],
) -> Result<Ingested, JournalError> {
    for (device, lane, dir) in dirs {
        record
            .journals
            .entry(journal_key(device, *lane))
            .or_insert_with(|| Journal::new(device, *lane, dir.clone()));
    }
    let _timed = Stage::Verified.begin();
    let mut done = Ingested::default();
    // A journal stores how far it was read. If some of that did not reach the tries, it must be
    // read again. That is safe: what is in a trie already is not added twice.
    let before = record.journals.clone();
    let Some(tool) = before.values().next().map(tool_of) else {
        return Ok(done);
    };
    match take_skipped(context, record, &tool)
        .and_then(|()| read_all(context, record, &tool, &mut done))
        .and_then(|()| take_out(context, &tool, record))
    {
        Ok(()) => {
            for (device, count) in std::mem::take(&mut done.bad) {
                done.problems
                    .push(refused(&context.shared().name_of(&device), count));
            }
            Ok(done)
        }
        Err(error) => {
            record.journals = before;
            Err(error)
        }
    }
}

/// Takes the entries that an older version accepted and skipped, from all journals that it read.
fn take_skipped(
    context: &Context,
    record: &mut SessionRecord,
    tool: &ToolId,
) -> Result<(), JournalError> {
    let outdated: Vec<Journal> = { record.journals.values() }
        .filter(|journal| journal.is_outdated())
        .cloned()
        .collect();
    for journal in outdated {
        let key = journal_key(&journal.device, journal.lane);
        let read = match journal.skipped(&context.vault) {
            Ok(Skipped::Known) => take_again(context, record, tool, &journal),
            Ok(skipped) => Ok(journal.looked_through(skipped)),
            Err(error) => Err(error),
        };
        // A journal that cannot be read must not keep the session from being recorded: whoever
        // needs its lines reports that, and the next reconcile looks again.
        if let Ok(read) = read {
            record.journals.insert(key, read);
        }
    }
    Ok(())
}

/// Takes all accepted entries of a journal again: what is in a trie already is not added twice.
fn take_again(
    context: &Context,
    record: &mut SessionRecord,
    tool: &ToolId,
    journal: &Journal,
) -> Result<Journal, JournalError> {
    // What is taken out may be in the record again, also after an error.
    record.cut.iter_mut().for_each(|cut| cut.print = 0);
    let is_message = context.is_message(tool);
    let (mut again, mut taken) = (journal.uncounted(), Taken::default());
    let mut absorbed = Ok(());
    journal.each_placed(&context.vault, |frame, place| {
        let lines = chained(&frame, is_message);
        take(&mut again, &frame, place, lines, &mut taken);
        if limits::PASS_LINES <= taken.lines {
            absorbed = absorb(context, record, tool, std::mem::take(&mut taken)).map(drop);
        }
        match absorbed {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    })?;
    absorbed?;
    absorb(context, record, tool, taken)?;
    Ok(again)
}

/// Takes a doc's entries again without those that are too large to be read: an earlier version
/// recorded them, and nothing of the doc could be read or recorded since.
pub fn leave_out_large(
    context: &Context,
    record: &mut SessionRecord,
    tool: &ToolId,
    doc: &DocName,
) -> Result<(), JournalError> {
    let Some(state) = record.docs.get_mut(doc) else {
        return Ok(());
    };
    let journals = record.journals.clone();
    let fresh = DocState::new(state.kind, state.at.clone());
    let before = std::mem::replace(state, fresh);
    let again = journals.iter().try_for_each(|(key, journal)| {
        let read = take_again(context, record, tool, journal)?;
        record.journals.insert(key.clone(), read);
        Ok(())
    });
    if again.is_err() {
        record.journals = journals;
        record.docs.insert(doc.clone(), before);
        return again;
    }
    let new = || DocState::new(before.kind, before.at.clone());
    let state = record.docs.entry(doc.clone()).or_insert_with(new);
    let own_tip = state.own_tip.unwrap_or(state.trie.start());
    // Whatever the store holds is to be read and compared.
    state.local = before.local.map(|local| LocalDoc {
        tip: state.trie.path(local.tip).map_or(own_tip, |_| local.tip),
        stamp: Stamp::default(),
        tail: String::new(),
        ..local
    });
    Ok(())
}

/// Reads the journals to their ends, and adds entries to the tries whenever enough of them are
/// held.
fn read_all(
    context: &Context,
    record: &mut SessionRecord,
    tool: &ToolId,
    done: &mut Ingested,
) -> Result<(), JournalError> {
    let mut unread: Vec<String> = record.journals.keys().cloned().collect();
    while !unread.is_empty() {
        let (mut taken, mut left) = (Taken::default(), Vec::new());
        for key in unread {
            if limits::PASS_LINES <= taken.lines
                || read_journal(context, record, &key, &mut taken, done)? == Read::More
            {
                left.push(key);
            }
        }
        for (device, count) in absorb(context, record, tool, taken)? {
            *done.bad.entry(device).or_default() += count;
        }
        unread = left;
    }
    Ok(())
}

/// How far a journal was read.
#[derive(PartialEq)]
enum Read {
    Whole,
    More,
}

fn refused(name: &str, count: u64) -> Problem {
    Problem::new(
        ProblemCode::EntryRefused,
        format!(
            "{count} entries in the journal of {name} do not match their IDs and were left out."
        ),
        format!("Update session-roam on {name}; if that does not help, unpair it."),
    )
}

fn tool_of(journal: &Journal) -> ToolId {
    ToolId::new(journal.dir.split('/').nth(2).unwrap_or_default())
}

fn read_journal(
    context: &Context,
    record: &mut SessionRecord,
    key: &str,
    all: &mut Taken,
    done: &mut Ingested,
) -> Result<Read, JournalError> {
    let Some(mut journal) = record.journals.remove(key) else {
        return Ok(Read::Whole);
    };
    let Some(owner) = context.shared().owners.get(&journal.device).cloned() else {
        // The owner's card has not arrived, so nothing in the journal can be verified yet.
        record.journals.insert(key.to_owned(), journal);
        return Ok(Read::Whole);
    };
    if context.vault.quarantine.holds(&journal.dir) {
        record.journals.insert(key.to_owned(), journal);
        return Ok(Read::Whole);
    }
    let tool = tool_of(&journal);
    let is_message = context.is_message(&tool);
    let mut about = record.session.clone().map(|session| (tool, session));
    let mut taken = Taken {
        lines: all.lines,
        ..Taken::default()
    };
    let own = journal.device == context.short;
    let held = AtomicUsize::new(all.lines);
    // A frame too large to be held beside the others is chained when its turn comes.
    let aside = |frame: &Frame| {
        let lines = lines_in(frame);
        let fits = lines <= limits::ASIDE_LINES
            && held.fetch_add(lines, Ordering::Relaxed) <= limits::PASS_LINES;
        fits.then(|| chained(frame, is_message))
    };
    let mut end = Read::Whole;
    journal.limit = context.shared().limit(&journal);
    let read = journal.read_while(
        &context.vault,
        &owner,
        &mut about,
        aside,
        |journal, frame, lines, segment, offset| {
            context.saw(frame.head.at);
            match own {
                true => done
                    .found_again
                    .push((journal.lane, journal.in_lane(segment))),
                false => time_under_way(context, journal.lane, frame.head.at.wall),
            }
            let lines = lines.unwrap_or_else(|| chained(frame, is_message));
            take(journal, frame, (segment, offset), lines, &mut taken);
            if taken.lines < limits::PASS_LINES {
                return ControlFlow::Continue(());
            }
            end = Read::More;
            ControlFlow::Break(())
        },
    );
    record.session = about.map(|(_, session)| session).or(record.session.take());
    if own
        && matches!(journal.fault, Some(Fault::Changed { .. }))
        && repair(context, &journal, done)
    {
        end = Read::More;
    }
    let (device, lane, mut fault) = (journal.device.clone(), journal.lane, journal.fault.clone());
    let beside = read.and_then(|()| match end {
        Read::Whole => equivocated(context, &journal, &owner, record),
        Read::More => Ok(None),
    });
    record.journals.insert(key.to_owned(), journal);
    if let Some(equivocated) = beside? {
        // Nothing is forged and nothing is lost: another machine wrote with the same key.
        fault = fault.filter(|fault| own || !equivocated.explains(fault));
        done.equivocated.push((device.clone(), equivocated));
    }
    if device != context.short {
        done.arrived.extend(taken.arrivals.iter().map(|arrival| {
            (
                device.clone(),
                arrival.doc.clone(),
                arrival.edge.bytes,
                arrival.edge.lines,
            )
        }));
    }
    if taken.bad > 0 {
        *done.bad.entry(device.clone()).or_default() += taken.bad;
    }
    all.lines = taken.lines;
    all.arrivals.append(&mut taken.arrivals);
    all.cards.append(&mut taken.cards);
    all.choices.append(&mut taken.choices);
    all.titles.append(&mut taken.titles);
    let name = context.shared().name_of(&device);
    // Faults are reported once, when the end is reached.
    if let Some(fault) = fault.filter(|_| end == Read::Whole) {
        let own = device == context.short;
        done.problems.push(match fault {
            Fault::Changed { .. } if own => own_fault(),
            fault => fault_problem(&fault, &name),
        });
        if !own {
            done.tampered.push((device, lane));
        }
    }
    Ok(end)
}

/// Puts segments of this device's own journal back that were shortened, changed or deleted. Whoever
/// reads such a journal for the first time accepts nothing that was recorded after the gap. Returns
/// whether it is to be read again, once at most.
fn repair(context: &Context, journal: &Journal, done: &mut Ingested) -> bool {
    if !done
        .repaired
        .insert(journal_key(&journal.device, journal.lane))
    {
        return false;
    }
    let repaired = journal.repair(&context.vault);
    let paths = repaired.iter().map(|number| journal.in_lane(*number));
    done.found_again
        .extend(paths.map(|path| (journal.lane, path)));
    if !repaired.is_empty() {
        done.problems.push(Problem::new(
            ProblemCode::VaultRestored,
            "A journal of this device in the vault was shortened, changed or deleted. It was put back from the safety copy.",
            "Do not change files in the vault folder, and check the disk.",
        ));
    }
    !repaired.is_empty()
}

/// Times the way of a frame that another device has just recorded. What comes late, such as the
/// history of a device that joins, says nothing about the way.
fn time_under_way(context: &Context, lane: Lane, recorded: Millis) {
    const LATE_MS: i64 = 60_000;
    let took = context.clock.now().0.saturating_sub(recorded.0);
    if lane == Lane::Live && (0..LATE_MS).contains(&took) {
        timing::took(Stage::UnderWay, Duration::from_millis(took.unsigned_abs()));
    }
}

/// The frames beside the journal, if there is a reason to look for them: the journal changed, a
/// frame in it does not follow, or there is a conflict copy or a kept part of one.
fn equivocated(
    context: &Context,
    journal: &Journal,
    owner: &Owner,
    record: &SessionRecord,
) -> Result<Option<EquivocatedFrames>, JournalError> {
    if journal.limit.is_some() {
        // Frames that the owner signed after its revocation are not accepted in another way either.
        return Ok(None);
    }
    let suspect = matches!(
        journal.fault,
        Some(Fault::Changed { .. } | Fault::Forged { .. })
    );
    let Some(session) = record
        .session
        .as_ref()
        .filter(|_| suspect || equivocation::has_copies(&context.vault, journal))
    else {
        return Ok(None);
    };
    let tool = tool_of(journal);
    let equivocated =
        equivocation::gather(&context.vault, journal, owner, &(tool, session.clone()))?;
    Ok(Some(equivocated).filter(|equivocated| !equivocated.frames.is_empty()))
}

/// Only this device has the lost part of its own journal, unless other devices fetched it in time.
fn own_fault() -> Problem {
    Problem::new(
        ProblemCode::OwnJournalChanged,
        "A journal of this device in the vault was shortened, changed or deleted. New work continues in a new file. Devices \
             paired before have the old content; devices paired later get this session without it and without what follows it.",
        "Do not change files in the vault folder, and check the disk.",
    )
}

pub fn fault_problem(fault: &Fault, name: &str) -> Problem {
    match fault {
        Fault::Changed { .. } => Problem::new(
            ProblemCode::JournalChanged,
            format!(
                "A journal of {name} was changed afterwards. The version accepted before is kept and used."
            ),
            format!(
                "It is downloaded again from {name}. If this persists, check that device: it may have been reset or copied."
            ),
        ),
        Fault::Forged { why, .. } => Problem::new(
            ProblemCode::FrameRefused,
            format!("Part of the journal of {name} was quarantined: {why}."),
            format!("It is downloaded again from {name}. Everything before it is safe."),
        ),
        Fault::Newer { version } => Problem::new(
            ProblemCode::JournalNewer,
            format!("{name} writes a newer journal format ({version}) than this version reads."),
            "Update session-roam on this device.",
        ),
    }
}

fn lines_in(frame: &Frame) -> usize {
    let lines = frame.entries.iter().map(|entry| match entry {
        Entry::Lines { bytes, .. } => memchr::memchr_iter(b'\n', bytes).count(),
        _ => 0,
    });
    lines.sum()
}

/// The lines of each run in a frame.
fn chained(frame: &Frame, is_message: fn(&[u8]) -> bool) -> Vec<Vec<Line>> {
    let lines = frame.entries.iter().filter_map(|entry| match entry {
        Entry::Lines { after, bytes, .. } => Some(Line::chained(*after, bytes, is_message)),
        _ => None,
    });
    lines.collect()
}

/// Takes the entries of a frame. `lines` are the chained lines of each run in it.
pub fn take(
    journal: &mut Journal,
    frame: &Frame,
    (segment, offset): (u32, u64),
    lines: Vec<Vec<Line>>,
    taken: &mut Taken,
) {
    let (device, lane, at) = (journal.device.clone(), journal.lane, frame.head.at);
    let mut lines = lines.into_iter();
    let mut open = std::mem::take(&mut journal.pieces);
    journal.enumerate(frame, segment, offset, |entry, spot, number| {
        // Republished lines lie in no store of the device that republished them.
        let source = |spot: Spot, place: &str| Source {
            device: device.clone(),
            lane,
            spot,
            first: number,
            end: number + 1,
            skip: 0,
            relayed: place.is_empty(),
        };
        match entry {
            entry if !entry.is_named_within_bounds() => {
                if matches!(entry, Entry::Lines { .. }) {
                    lines.next();
                }
                taken.bad += 1;
            }
            Entry::About(card) => match card.clone().bounded() {
                Some(card) => taken.cards.push((at, device.clone(), card)),
                None => taken.bad += 1,
            },
            Entry::Choice(choice) => {
                let id = ChoiceId {
                    at,
                    device: device.clone(),
                };
                taken.choices.push(Chosen {
                    id,
                    choice: choice.clone(),
                });
            }
            Entry::Title(title) => match title.bounded() {
                Some(title) => taken.titles.push((device.clone(), Titled { at, title })),
                None => taken.bad += 1,
            },
            Entry::Lines {
                doc,
                at: place,
                after,
                tip,
                replaces,
                bytes,
            } => {
                let tips = lines.next().unwrap_or_default();
                if tips.last().map_or(*after, |line| line.tip) != *tip
                    || !(bytes.is_empty() || bytes.ends_with(b"\n"))
                {
                    taken.bad += 1;
                    return;
                }
                let edge = Edge {
                    after: *after,
                    tip: *tip,
                    lines: tips.len() as u64,
                    message_lines: tips.iter().filter(|line| line.is_message).count() as u64,
                    bytes: bytes.len() as u64,
                    source: source(spot, place),
                    at,
                };
                taken.lines += tips.len();
                let gaps = gaps_in(bytes, &tips);
                taken.arrivals.push(Arrival {
                    doc: doc.clone(),
                    kind: DocKind::Log,
                    at: place.clone(),
                    edge,
                    tips,
                    replaces: *replaces,
                    by: frame.head.by.clone(),
                    in_pieces: false,
                    gaps,
                });
            }
            Entry::Piece(piece) => match piece::add(&mut open, piece, spot, number) {
                Added::More => {}
                Added::Refused => taken.bad += 1,
                Added::All(whole) => {
                    let edge = Edge {
                        after: whole.after,
                        tip: whole.tip,
                        lines: 1,
                        message_lines: 1,
                        bytes: whole.size,
                        source: Source {
                            first: whole.first,
                            ..source(whole.spot, &whole.at)
                        },
                        at,
                    };
                    taken.lines += 1;
                    taken.arrivals.push(Arrival {
                        doc: piece.doc.clone(),
                        kind: DocKind::Log,
                        at: whole.at,
                        edge,
                        tips: vec![Line {
                            tip: whole.tip,
                            end: whole.size,
                            is_message: true,
                        }],
                        replaces: whole.replaces,
                        by: frame.head.by.clone(),
                        in_pieces: true,
                        gaps: Vec::new(),
                    });
                }
            },
            Entry::Whole {
                head, tail, bytes, ..
            } if is_too_large((*head, *tail), bytes.len()) => taken.bad += 1,
            Entry::Whole {
                doc,
                at: place,
                after,
                tip,
                bytes,
                ..
            } => {
                let edge = Edge {
                    after: *after,
                    tip: *tip,
                    lines: 1,
                    message_lines: 1,
                    bytes: bytes.len() as u64,
                    source: source(spot, place),
                    at,
                };
                let tips = vec![Line {
                    tip: *tip,
                    end: bytes.len() as u64,
                    is_message: true,
                }];
                taken.arrivals.push(Arrival {
                    doc: doc.clone(),
                    kind: DocKind::Snapshot,
                    at: place.clone(),
                    edge,
                    tips,
                    replaces: None,
                    by: frame.head.by.clone(),
                    in_pieces: false,
                    gaps: Vec::new(),
                });
            }
            // A session's journal holds no statements; those are read from the list's own journal.
            Entry::Device(_) | Entry::Unknown(_) => {}
        }
    });
    journal.pieces = open;
}

fn gaps_in(bytes: &[u8], tips: &[Line]) -> Vec<ChainId> {
    if !gap::may_be_in(bytes) {
        return Vec::new();
    }
    lines_of(bytes)
        .zip(tips)
        .filter(|(line, _)| gap::is_gap(line))
        .map(|(_, line)| line.tip)
        .collect()
}

/// Puts entries into their tries; all their journals must be in the record again. Returns how many
/// were left out because their content does not match their ids, by their author's short id.
pub fn absorb(
    context: &Context,
    record: &mut SessionRecord,
    tool: &ToolId,
    taken: Taken,
) -> Result<BTreeMap<String, u64>, JournalError> {
    let is_message = context.is_message(tool);
    for (at, device, card) in taken.cards {
        let said = record.cards.entry(device).or_insert_with(|| DeviceCard {
            at,
            card: card.clone(),
        });
        // The two lanes of a device are read one after the other, whichever was written first.
        if said.at <= at {
            (said.at, said.card) = (at, card);
        }
    }
    for chosen in taken.choices {
        if !record.choices.iter().any(|known| known.id == chosen.id) {
            record.choices.push(chosen);
        }
    }
    for (device, titled) in taken.titles {
        title::take(&mut record.titles, device, titled);
    }
    let fresh = Fresh::of(&taken.arrivals);
    let mut runs = runs(&taken.arrivals);
    // A device that continues a session stamps later than the line it continues from: in this order
    // hardly any run waits for its beginning. The result is the same in any order.
    runs.sort_by_key(|run| run[0].edge.at);
    let generations = Generations::default();
    runs.iter()
        .try_for_each(|run| absorb_run(context, record, is_message, run, (&fresh, &generations)))?;
    origin::settle(context, tool, record)?;
    Ok(generations.refused.into_inner())
}

/// Groups entries that follow each other in a journal and in their doc: entries that are already
/// known are then read once per group, not once each.
fn runs(arrivals: &[Arrival]) -> Vec<Vec<&Arrival>> {
    let mut runs: Vec<Vec<&Arrival>> = Vec::new();
    // The last run of each doc in each journal, and its lines.
    let mut last: HashMap<(&DocName, &str, Lane), (usize, usize)> = HashMap::new();
    for arrival in arrivals {
        let (source, edge) = (&arrival.edge.source, &arrival.edge);
        let key = (&arrival.doc, source.device.as_str(), source.lane);
        let goes_on = |run: &Vec<&Arrival>, n_lines: usize| {
            let before = run[run.len() - 1];
            // An entry that replaces another is handled from its own end.
            let plain = run[0].replaces.is_none()
                && arrival.replaces.is_none()
                && arrival.kind == DocKind::Log;
            // An entry in pieces is compared with its own id.
            let plain = plain && !run[0].in_pieces && !arrival.in_pieces;
            // The lines of a group are held twice.
            let plain = plain && n_lines < limits::ASIDE_LINES;
            let follows = before.edge.tip == edge.after && before.edge.source.end == source.first;
            plain && follows && before.at == arrival.at
        };
        let n_lines = arrival.tips.len();
        match last.get_mut(&key) {
            Some((at, lines)) if goes_on(&runs[*at], *lines) => {
                runs[*at].push(arrival);
                *lines += n_lines;
            }
            _ => {
                last.insert(key, (runs.len(), n_lines));
                runs.push(vec![arrival]);
            }
        }
    }
    runs
}

/// A run as one edge, with its lines.
fn joined<'a>(run: &[&'a Arrival]) -> (Edge, Cow<'a, [Line]>) {
    let mut edge = run[0].edge.clone();
    if let [arrival] = run {
        return (edge, Cow::Borrowed(&arrival.tips));
    }
    let mut tips = run[0].tips.clone();
    for arrival in &run[1..] {
        let more = &arrival.edge;
        tips.extend(arrival.tips.iter().map(|line| Line {
            end: line.end + edge.bytes,
            ..*line
        }));
        (edge.tip, edge.at, edge.source.end) = (more.tip, edge.at.max(more.at), more.source.end);
        edge.lines += more.lines;
        edge.bytes += more.bytes;
        edge.message_lines += more.message_lines;
    }
    (edge, Cow::Owned(tips))
}

fn n_lines_in(trie: &Trie) -> u64 {
    trie.edges().iter().map(|edge| edge.lines).sum()
}

fn absorb_run(
    context: &Context,
    record: &mut SessionRecord,
    is_message: fn(&[u8]) -> bool,
    run: &[&Arrival],
    (fresh, generations): (&Fresh<'_>, &Generations),
) -> Result<(), JournalError> {
    let (arrival, (edge, tips)) = (run[0], joined(run));
    let device = edge.source.device.clone();
    if limits::DOCS <= record.docs.len() && !record.docs.contains_key(&arrival.doc) {
        return Ok(());
    }
    let state = record
        .docs
        .entry(arrival.doc.clone())
        .or_insert_with(|| DocState::new(arrival.kind, arrival.at.clone()));
    if state.kind != arrival.kind {
        return Ok(());
    }
    // Republished lines lie in no store of the device that republished them.
    let republished = arrival.at.is_empty();
    if state.said <= edge.at || state.at.is_empty() {
        state.said = state.said.max(edge.at);
        state.at = if republished {
            std::mem::take(&mut state.at)
        } else {
            arrival.at.clone()
        };
    }
    if let Some(roots) = &mut state.roots
        && edge.after == state.trie.start()
        && arrival.replaces.is_none()
        && !tips.is_empty()
    {
        origin::note(
            roots,
            &device,
            Root {
                stored: !republished,
                at: arrival.edge.at,
            },
        );
    }
    state
        .gaps
        .extend(run.iter().flat_map(|arrival| &arrival.gaps));
    if !state.firsts.is_empty() {
        for arrival in run {
            let first = || First {
                at: arrival.edge.at,
                device: device.clone(),
                name: arrival.by.clone(),
            };
            for line in &arrival.tips {
                state
                    .firsts
                    .entry(line.tip)
                    .and_modify(|known| *known = first().min(known.clone()));
            }
        }
    }
    let journal_reader =
        JournalReader::new(&context.vault, &record.journals, &arrival.doc, is_message);
    let lines = Lines {
        fresh,
        doc: &arrival.doc,
        journal_reader,
        generations,
        kind: arrival.kind,
        own: &context.short,
    };
    let keep = state.local.as_ref().map(|local| local.tip);
    let (tip, at, n_lines) = (edge.tip, edge.at, edge.lines);
    let cut = record.cut.as_mut().filter(|_| !republished);
    let before = cut.as_ref().map(|_| n_lines_in(&state.trie));
    state.trie.insert(edge, &tips, keep, &lines)?;
    if let (Some(cut), Some(before)) = (cut, before)
        && n_lines_in(&state.trie) < before + n_lines
    {
        cut.print = 0;
    }
    if let Some(old) = arrival.replaces {
        state.trie.replace(
            Replaced {
                device: device.clone(),
                old,
                new: tip,
                at,
            },
            &lines,
        )?;
    }
    state.trie.settle_replaced(&lines)?;
    if device == context.short && !republished {
        state.own_tip = Some(tip);
    }
    if state.trie.is_empty() && state.trie.orphans() == 0 && state.local.is_none() {
        // The doc's only entry was left out.
        record.docs.remove(&arrival.doc);
    }
    Ok(())
}

/// What is known of snapshots while entries are added.
#[derive(Default)]
struct Generations {
    /// The last admitted generation, if it is small: usually the next one continues from it.
    last: RefCell<Option<(DocName, ChainId, Vec<u8>)>>,
    /// Generations that do not match their ids, by their author's short id.
    refused: RefCell<BTreeMap<String, u64>>,
}

impl Generations {
    /// A larger content is rebuilt when it is needed.
    const KEPT: usize = 8 << 20;
}

/// The entries just read, by doc, device, lane and entry number, so that the lines of none are read
/// a second time.
struct Fresh<'a>(HashMap<(&'a DocName, &'a str, Lane, u64), &'a Arrival>);

impl<'a> Fresh<'a> {
    fn of(arrivals: &'a [Arrival]) -> Self {
        let run = |arrival: &'a Arrival| {
            let source = &arrival.edge.source;
            (
                (
                    &arrival.doc,
                    source.device.as_str(),
                    source.lane,
                    source.first,
                ),
                arrival,
            )
        };
        Self(arrivals.iter().map(run).collect())
    }

    fn entry(&self, doc: &DocName, source: &Source, number: u64) -> Option<&'a Arrival> {
        let key = (doc, source.device.as_str(), source.lane, number);
        self.0.get(&key).copied()
    }

    /// Whether the edge holds lines that were chained from their bytes, not a record in pieces.
    fn is_chained(&self, doc: &DocName, edge: &Edge) -> bool {
        let first = self.entry(doc, &edge.source, edge.source.first);
        first.is_some_and(|first| !first.in_pieces)
    }

    /// The lines of an edge, if all of its entries are fresh.
    fn tips(&self, doc: &DocName, edge: &Edge) -> Option<Vec<Line>> {
        let (source, mut total) = (&edge.source, 0);
        let mut skip = source.skip;
        let mut found: Vec<Line> = Vec::new();
        for number in source.first..source.end {
            let mut before = 0;
            for line in &self.entry(doc, source, number)?.tips {
                let bytes = line.end - before;
                before = line.end;
                if skip > 0 {
                    skip -= 1;
                } else if (found.len() as u64) < edge.lines {
                    total += bytes;
                    found.push(Line {
                        end: total,
                        ..*line
                    });
                }
            }
        }
        (found.last()?.tip == edge.tip && found.len() as u64 == edge.lines).then_some(found)
    }
}

/// The lines of edges: fresh ones from memory, the others from the journals.
struct Lines<'a> {
    fresh: &'a Fresh<'a>,
    doc: &'a DocName,
    journal_reader: JournalReader<'a>,
    generations: &'a Generations,
    kind: DocKind,
    own: &'a str,
}

impl LineSource for Lines<'_> {
    type Error = JournalError;

    fn tips(&self, edge: &Edge) -> Result<Vec<Line>, JournalError> {
        self.fresh
            .tips(self.doc, edge)
            .map_or_else(|| self.journal_reader.tips(edge), Ok)
    }

    /// Refuses a generation that does not fit the one before or has a wrong id: such a generation
    /// would end every reading of the doc.
    fn admits(&self, trie: &Trie, edge: &Edge) -> Result<bool, JournalError> {
        // This device computed the ids of its own records from the content.
        if edge.source.device == self.own && !edge.source.relayed {
            return Ok(true);
        }
        if self.kind == DocKind::Log {
            // Ids of lines are always computed from the lines; a line in pieces is read here and
            // not kept.
            let is_sound = edge.source.end - edge.source.first < 2
                || self.fresh.is_chained(self.doc, edge)
                || self.journal_reader.is_sound(edge)?;
            if !is_sound {
                *self
                    .generations
                    .refused
                    .borrow_mut()
                    .entry(edge.source.device.clone())
                    .or_default() += 1;
            }
            return Ok(is_sound);
        }
        let found =
            self.journal_reader
                .generation(edge, || match self.generations.last.take() {
                    Some((doc, tip, content)) if doc == *self.doc && tip == edge.after => {
                        Ok(content)
                    }
                    _ => self
                        .journal_reader
                        .snapshot(&trie.path(edge.after).unwrap_or_default()),
                })?;
        let content = match found {
            Generation::Small(content) => Some(content),
            Generation::Large => None,
            Generation::Refused => {
                *self
                    .generations
                    .refused
                    .borrow_mut()
                    .entry(edge.source.device.clone())
                    .or_default() += 1;
                return Ok(false);
            }
        };
        let content = content.filter(|content| content.len() <= Generations::KEPT);
        let last = content.map(|content| (self.doc.clone(), edge.tip, content));
        self.generations.last.replace(last);
        Ok(true)
    }
}
