//! Who wrote which message if the lines of a journal do not show it: a document that each device
//! rewrites, a branch recorded by the device that noticed a split, or one that a decision appended to
//! another.

use super::{Before, Reading};
use crate::api::answer::unreadable;
use crate::api::types::ApiError;
use crate::merge::choice::{Action, Decided};
use crate::merge::diff::fingerprint;
use crate::merge::transcript::{ParsedMessage, said_in};
use crate::reconcile::context::Context;
use crate::reconcile::record::SessionRecord;
use crate::session::chain::lines_of;
use crate::session::{ChainId, DocKind, DocName, Edge, Hlc, SessionKey, records};
use crate::tools::Records;
use crate::views::export::end_of;
use std::collections::{BTreeSet, HashMap};

/// The most changes of device after which a document's oldest messages still have an author.
const MOST_HANDS: usize = 64;

/// The author of each message of a document, by short id: the device whose generation first had the
/// message in its present form. Reads the document once for each change of device.
pub fn of_generations(
    reading: &Reading<'_>,
    records: Records,
) -> Result<Vec<Option<String>>, ApiError> {
    let device = |at: Option<usize>| Some(reading.path[at?].source.device.clone());
    let edges = edges_of_generations(reading, records)?;
    Ok(edges.into_iter().map(device).collect())
}

/// The same as edges of the path: the message is in the generation at the edge's end.
pub fn edges_of_generations(
    reading: &Reading<'_>,
    records: Records,
) -> Result<Vec<Option<usize>>, ApiError> {
    let path = &reading.path;
    let hands: Vec<usize> = (0..path.len())
        .filter(|at| {
            path.get(at + 1)
                .is_none_or(|next| next.source.device != path[*at].source.device)
        })
        .collect();
    if let [only] = hands[..] {
        let mut authors = Vec::new();
        reading.of_all(records, |_| authors.push(Some(only)))?;
        return Ok(authors);
    }
    let journal_reader =
        reading
            .context
            .journal_reader(&reading.key.tool, &reading.record.journals, reading.doc);
    let reader = reading.reader();
    let mut known: HashMap<String, Option<usize>> = HashMap::new();
    let mut authors = Vec::new();
    let skipped = hands.len().saturating_sub(MOST_HANDS);
    for (number, at) in hands.iter().enumerate().skip(skipped) {
        let content = journal_reader
            .content(reading.state.kind, &path[..=*at])
            .map_err(|error| unreadable(&error))?;
        // Messages older than the oldest generation that is read may be anybody's.
        let edge = (skipped == 0 || skipped < number).then_some(*at);
        authors.clear();
        for said in records(&content)
            .iter()
            .filter_map(|record| said_in(record, reader))
        {
            authors.push(*known.entry(fingerprint(&said)).or_insert(edge));
        }
    }
    Ok(authors)
}

/// Who first wrote the messages that decisions copied from one branch to another, by their print: the
/// copies were recorded by the device on which the user decided. Reads the branches that are not
/// shown, and what `forks` added as sessions of their own. What cannot be read is left out.
pub fn copied(
    context: &Context,
    (key, record): (&SessionKey, &SessionRecord),
    forks: &[(SessionKey, SessionRecord)],
) -> HashMap<String, String> {
    let mut known = Writers::new();
    for doc in joined(record) {
        let Some(state) = record.docs.get(doc) else {
            continue;
        };
        let (_, shown) = end_of(record, doc, state).unzip();
        let shown = shown.unwrap_or_default();
        add_writers(context, (key, record, doc), &shown, &mut known);
    }
    for (key, fork) in forks {
        let Some((doc, state)) = fork.main().and_then(|main| fork.docs.get_key_value(main)) else {
            continue;
        };
        let taken_over = fork.image.get(doc).map(|imaged| imaged.tip);
        let taken_over = taken_over.and_then(|tip| state.trie.path(tip));
        let taken_over = taken_over.unwrap_or_default();
        add_writers(context, (key, fork, doc), &taken_over, &mut known);
    }
    let writers = known.into_iter();
    writers
        .map(|(print, (_, writer))| (print, writer))
        .collect()
}

/// By a message's print, who recorded it first, and when.
type Writers = HashMap<String, (Hlc, String)>;

/// The docs in which a standing decision joined branches.
pub fn joined(record: &SessionRecord) -> BTreeSet<&DocName> {
    let docs: BTreeSet<&DocName> = record.choices.iter().map(|one| &one.choice.doc).collect();
    let is_joined = |doc: &&DocName| {
        let mut standing = Decided::standing(&record.choices, doc).into_iter();
        standing.any(|one| matches!(one.choice.action, Action::Stitch | Action::Branches))
    };
    docs.into_iter().filter(is_joined).collect()
}

/// Adds who recorded the messages of a log outside of `shown`. A decision may have recorded some there,
/// too, later than who wrote them.
fn add_writers(
    context: &Context,
    (key, record, doc): (&SessionKey, &SessionRecord, &DocName),
    shown: &[&Edge],
    known: &mut Writers,
) {
    let (journals, reader) = (
        context.journal_reader(&key.tool, &record.journals, doc),
        context.message_reader(&key.tool),
    );
    let Some(state) = record
        .docs
        .get(doc)
        .filter(|state| state.kind == DocKind::Log)
    else {
        return;
    };
    let is_shown = |edge: &&Edge| shown.iter().any(|one| one.tip == edge.tip);
    for edge in state.trie.edges().iter().filter(|edge| !is_shown(edge)) {
        let read = journals.pieces(edge, |_, bytes| {
            for record in lines_of(bytes).flat_map(records::records) {
                if let Some(said) = said_in(&record.value, reader) {
                    let writer = (edge.at, edge.source.device.clone());
                    let known = known.entry(print(&said)).or_insert_with(|| writer.clone());
                    if writer.0 < known.0 {
                        *known = writer;
                    }
                }
            }
            Ok(())
        });
        // Its journal may be on its way.
        drop(read);
    }
}

/// Equal for a message and its copy behind another branch.
pub fn print(said: &ParsedMessage<'_>) -> String {
    let of = |text: Option<&str>| text.unwrap_or_default().to_owned();
    format!("{} {} {}", fingerprint(said), of(said.at), of(said.id))
}

/// The session that a session is a branch of.
pub enum Parent {
    None,
    /// It is not here.
    Unknown,
    /// It is here; the branch took over its messages up to this line.
    Known(Box<(SessionKey, SessionRecord)>, ChainId),
}

impl Parent {
    /// Of a session with this record; `find` looks for its parent.
    pub fn of<E>(
        (key, record): (&SessionKey, &SessionRecord),
        find: impl FnOnce(&SessionKey) -> Result<Option<SessionRecord>, E>,
    ) -> Result<Self, E> {
        let Some(fork) = record.origin().and_then(|card| card.fork.as_ref()) else {
            return Ok(Self::None);
        };
        let imaged = record.main().and_then(|main| record.image.get(main));
        let parent = SessionKey::new(&key.tool, &fork.session);
        Ok(match (find(&parent)?, imaged) {
            (Some(record), Some(imaged)) => Self::Known(Box::new((parent, record)), imaged.of),
            _ => Self::Unknown,
        })
    }

    pub fn record(&self) -> Option<&SessionRecord> {
        match self {
            Self::Known(parent, _) => Some(&parent.1),
            Self::None | Self::Unknown => None,
        }
    }

    /// Who wrote what was taken over from it. Reads its journals.
    pub fn before(&self, context: &Context) -> Before {
        match self {
            Self::None => Before::Nothing,
            Self::Unknown => Before::Unknown,
            Self::Known(parent, of) => before(context, (&parent.0, &parent.1), *of),
        }
    }
}

/// Who wrote the messages that a branch took over from its parent, up to that point.
fn before(context: &Context, (key, parent): (&SessionKey, &SessionRecord), of: ChainId) -> Before {
    let authors = || {
        let (doc, state) = parent.docs.get_key_value(parent.main()?)?;
        let path = state.trie.path(of)?;
        let reading = Reading {
            context,
            key,
            record: parent,
            doc,
            state,
            tip: of,
            path,
        };
        Some(reading.index(true).ok()?.authors())
    };
    authors().map_or(Before::Unknown, Before::Written)
}
