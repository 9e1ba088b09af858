//! Journals into tries: what every device said of a session, verified, in whatever order it arrived.

use super::context::Context;
use super::record::{DocState, Said, SessionRecord};
use crate::session::{Chain, ChainId, DocKind, DocName, Edge, Hlc, Lane, Problem, Replaced, Source, Spot};
use crate::vault::journal::{Shelf, journal_key};
use crate::vault::{Entry, Fault, Frame, Journal, JournalError, SessionCard};

/// An entry taken from a frame, its lines chained, waiting to be put into its trie.
pub struct Arrival {
    doc: DocName,
    kind: DocKind,
    at: String,
    edge: Edge,
    tips: Vec<(ChainId, u64)>,
    replaces: Option<ChainId>,
}

/// What reading the journals brought.
#[derive(Debug, Default)]
pub struct Ingested {
    /// Bytes and lines that are new from other devices, by short id.
    pub arrived: Vec<(String, DocName, u64, u64)>,
    pub problems: Vec<Problem>,
    /// Folders that somebody other than their owner changed here.
    pub tampered: Vec<(String, Lane)>,
    /// Segments of our own in which frames were found that were written and then forgotten, in a crash or on a full
    /// disk: nobody was told of them yet.
    pub found_again: Vec<(Lane, String)>,
}

/// Reads what is new in all journals of the session; `dirs` are journal directories that may be new.
pub fn ingest(
    context: &Context,
    record: &mut SessionRecord,
    dirs: &[(String, Lane, String)],
) -> Result<Ingested, JournalError> {
    for (device, lane, dir) in dirs {
        record.journals.entry(journal_key(device, *lane)).or_insert_with(|| Journal::new(device, *lane, dir.clone()));
    }
    let mut done = Ingested::default();
    // A journal says how far it was read. If not all of that came into the tries, it must be read again, and may: what
    // is in a trie already does not come twice.
    let before = record.journals.clone();
    for key in before.keys() {
        if let Err(error) = read_journal(context, record, key, &mut done) {
            record.journals = before;
            return Err(error);
        }
    }
    Ok(done)
}

fn read_journal(
    context: &Context,
    record: &mut SessionRecord,
    key: &str,
    done: &mut Ingested,
) -> Result<(), JournalError> {
    let Some(mut journal) = record.journals.remove(key) else { return Ok(()) };
    let Some(owner) = context.shared().owners.get(&journal.device).cloned() else {
        // Its card has not arrived, so nothing of it can be verified yet.
        record.journals.insert(key.to_owned(), journal);
        return Ok(());
    };
    let tool = journal.dir.split('/').nth(2).unwrap_or_default().to_owned();
    let mut about = record.session.clone().map(|session| (crate::session::ToolId::new(tool), session));
    let (mut arrivals, mut cards, mut bad) = (Vec::new(), Vec::new(), 0u64);
    let own = journal.device == context.short;
    let read = journal.read_new(&context.vault, &owner, &mut about, |journal, frame, segment, offset| {
        context.saw(frame.head.at);
        if own {
            done.found_again.push((journal.lane, journal.in_lane(segment)));
        }
        bad += take(journal, frame, segment, offset, None, &mut arrivals, &mut cards);
    });
    record.session = about.map(|(_, session)| session).or(record.session.take());
    let (device, lane, fault) = (journal.device.clone(), journal.lane, journal.fault.clone());
    record.journals.insert(key.to_owned(), journal);
    read?;
    if device != context.short {
        done.arrived.extend(
            arrivals
                .iter()
                .map(|arrival| (device.clone(), arrival.doc.clone(), arrival.edge.bytes, arrival.edge.lines)),
        );
    }
    absorb(context, record, &device, cards, arrivals)?;
    let name = context.shared().name_of(&device);
    if bad > 0 {
        done.problems.push(Problem::new(
            "entry_refused",
            format!("{bad} entries in the journal of {name} do not say what their ids claim; they were left out."),
            format!("Update session-roam on {name}; if that does not help, unpair it."),
        ));
    }
    if let Some(fault) = fault {
        if device != context.short {
            done.tampered.push((device, lane));
        }
        done.problems.push(fault_problem(&fault, &name));
    }
    Ok(())
}

pub fn fault_problem(fault: &Fault, name: &str) -> Problem {
    match fault {
        Fault::Changed { .. } => Problem::new(
            "journal_changed",
            format!("A journal of {name} is not what it was; the version that was accepted is kept and used."),
            format!(
                "It is fetched again from {name}. If this stays, look at that device: it may have been reset or copied."
            ),
        ),
        Fault::Forged { why, .. } => Problem::new(
            "frame_refused",
            format!("A piece of the journal of {name} was put in quarantine: {why}."),
            format!("It is fetched again from {name}. Everything before it is safe."),
        ),
        Fault::Newer { version } => Problem::new(
            "journal_newer",
            format!("{name} writes a newer journal format ({version}) than this version reads."),
            "Update session-roam on this device.",
        ),
    }
}

/// Chains the entries of a frame. `known` gives the line ids where the author has them already (the own journal).
/// Says how many entries do not say what their ids claim.
pub fn take(
    journal: &mut Journal,
    frame: &Frame,
    segment: u32,
    offset: u64,
    known: Option<Vec<Vec<(ChainId, u64)>>>,
    arrivals: &mut Vec<Arrival>,
    cards: &mut Vec<(Hlc, SessionCard)>,
) -> u64 {
    let (device, lane, at) = (journal.device.clone(), journal.lane, frame.head.at);
    let (mut bad, mut known) = (0, known.map(Vec::into_iter));
    journal.enumerate(frame, segment, offset, |entry, spot, number| {
        let source =
            |spot: Spot| Source { device: device.clone(), lane, spot, first: number, end: number + 1, skip: 0 };
        match entry {
            Entry::About(card) => cards.push((at, card.clone())),
            Entry::Lines { doc, at: place, after, tip, replaces, bytes } => {
                let tips = known.as_mut().and_then(Iterator::next).unwrap_or_else(|| chain(*after, bytes));
                if tips.last().map_or(*after, |(tip, _)| *tip) != *tip || !(bytes.is_empty() || bytes.ends_with(b"\n"))
                {
                    bad += 1;
                    return;
                }
                let edge = Edge {
                    after: *after,
                    tip: *tip,
                    lines: tips.len() as u64,
                    bytes: bytes.len() as u64,
                    source: source(spot),
                    at,
                };
                arrivals.push(Arrival {
                    doc: doc.clone(),
                    kind: DocKind::Log,
                    at: place.clone(),
                    edge,
                    tips,
                    replaces: *replaces,
                });
            }
            Entry::Whole { doc, at: place, after, tip, bytes, .. } => {
                let edge =
                    Edge { after: *after, tip: *tip, lines: 1, bytes: bytes.len() as u64, source: source(spot), at };
                let tips = vec![(*tip, bytes.len() as u64)];
                arrivals.push(Arrival {
                    doc: doc.clone(),
                    kind: DocKind::Snapshot,
                    at: place.clone(),
                    edge,
                    tips,
                    replaces: None,
                });
            }
            Entry::Unknown(_) => {}
        }
    });
    bad
}

fn chain(after: ChainId, bytes: &[u8]) -> Vec<(ChainId, u64)> {
    let (mut chain, mut tips) = (Chain::from(after), Vec::new());
    chain.feed_each(bytes, |chain| tips.push((chain.tip, chain.bytes)));
    tips
}

/// Puts entries into their tries, whose journals are all in the record again.
pub fn absorb(
    context: &Context,
    record: &mut SessionRecord,
    device: &str,
    cards: Vec<(Hlc, SessionCard)>,
    arrivals: Vec<Arrival>,
) -> Result<(), JournalError> {
    for (at, card) in cards {
        record.cards.insert(device.to_owned(), Said { at, card });
    }
    for arrival in arrivals {
        let state =
            record.docs.entry(arrival.doc.clone()).or_insert_with(|| DocState::new(arrival.kind, arrival.at.clone()));
        if state.kind != arrival.kind {
            continue;
        }
        if state.said <= arrival.edge.at {
            state.said = arrival.edge.at;
            state.at = arrival.at;
        }
        let shelf = Shelf::new(&context.vault, &record.journals, &arrival.doc);
        let keep = state.local.as_ref().map(|local| local.tip);
        let tip = arrival.edge.tip;
        state.trie.insert(arrival.edge, &arrival.tips, keep, &shelf)?;
        if let Some(old) = arrival.replaces {
            state.trie.replace(Replaced { device: device.to_owned(), old, new: tip }, &shelf)?;
        }
        state.trie.settle_replaced(&shelf)?;
        if device == context.short {
            state.own_tip = Some(tip);
        }
    }
    Ok(())
}
