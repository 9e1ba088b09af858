//! Who wrote which message if the lines of a journal do not show it: a document that each device
//! rewrites, or a branch recorded by the device that noticed a split.

use super::{Before, Reading};
use crate::api::answer::unreadable;
use crate::api::types::ApiError;
use crate::merge::diff::fingerprint;
use crate::merge::transcript::said_in;
use crate::reconcile::context::Context;
use crate::reconcile::record::SessionRecord;
use crate::session::{ChainId, SessionKey};
use crate::tools::Records;
use std::collections::HashMap;

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

/// Who wrote the messages that a branch took over from its parent, up to that point.
pub fn before(
    context: &Context,
    (key, parent): (&SessionKey, &SessionRecord),
    of: ChainId,
) -> Before {
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
