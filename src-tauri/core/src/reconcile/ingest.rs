//! Reads journals into tries: each device's records of a session, verified, in any order of
//! arrival.

use super::absorb::{Arrival, CollectedEntries, absorb};
use super::context::Context;
use super::cut::apply_cut;
use super::record::{DocState, LocalDoc, SessionRecord};
use crate::merge::{ChoiceId, Chosen, Titled};
use crate::session::chain::lines_of;
use crate::session::{
    ChainId, DocKind, DocName, Edge, Lane, Line, Millis, Problem, ProblemCode, Source, Spot,
    ToolId, gap,
};
use crate::timing::{self, Stage};
use crate::tools::Stamp;
use crate::vault::equivocation::{self, EquivocatedFrames};
use crate::vault::journal::journal_key;
use crate::vault::journal_reader::is_too_large;
use crate::vault::limits;
use crate::vault::piece::{self, Added};
use crate::vault::{Entry, Fault, Frame, Journal, JournalError, Owner, Skipped};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

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
    match reread_skipped(context, record, &tool)
        .and_then(|()| read_all(context, record, &tool, &mut done))
        .and_then(|()| apply_cut(context, &tool, record))
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
fn reread_skipped(
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
            Ok(Skipped::Known) => reread_journal(context, record, tool, &journal),
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
fn reread_journal(
    context: &Context,
    record: &mut SessionRecord,
    tool: &ToolId,
    journal: &Journal,
) -> Result<Journal, JournalError> {
    // What is taken out may be in the record again, also after an error.
    record.cut.iter_mut().for_each(|cut| cut.print = 0);
    let is_message = context.is_message(tool);
    let (mut again, mut taken) = (journal.uncounted(), CollectedEntries::default());
    let mut absorbed = Ok(());
    journal.each_placed(&context.vault, |frame, place| {
        let lines = chained(&frame, is_message);
        collect_entries(&mut again, &frame, place, lines, &mut taken);
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
        let read = reread_journal(context, record, tool, journal)?;
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
        let (mut taken, mut left) = (CollectedEntries::default(), Vec::new());
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
    all: &mut CollectedEntries,
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
    let mut taken = CollectedEntries {
        lines: all.lines,
        ..CollectedEntries::default()
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
            collect_entries(journal, frame, (segment, offset), lines, &mut taken);
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
    if lane == Lane::Priority && (0..LATE_MS).contains(&took) {
        timing::record(Stage::UnderWay, Duration::from_millis(took.unsigned_abs()));
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
pub fn collect_entries(
    journal: &mut Journal,
    frame: &Frame,
    (segment, offset): (u32, u64),
    lines: Vec<Vec<Line>>,
    taken: &mut CollectedEntries,
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
                    place: place.clone(),
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
                        place: whole.at,
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
                    place: place.clone(),
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
