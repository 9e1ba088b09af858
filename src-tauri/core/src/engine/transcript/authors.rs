//! Who wrote which message if the lines of a journal do not show it: a document that each device
//! rewrites, or a branch recorded by the device that noticed a split.

use super::{Before, Reading};
use crate::api::types::ApiError;
use crate::engine::answer::unreadable;
use crate::engine::context::Context;
use crate::engine::record::SessionRecord;
use crate::merge::diff::fingerprint;
use crate::merge::transcript::said_in;
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
    let path = &reading.path;
    let hands: Vec<usize> = (0..path.len())
        .filter(|at| {
            path.get(at + 1)
                .is_none_or(|next| next.source.device != path[*at].source.device)
        })
        .collect();
    if let [only] = hands[..] {
        let mut authors = Vec::new();
        let device = &path[only].source.device;
        reading.of_all(records, |_| authors.push(Some(device.clone())))?;
        return Ok(authors);
    }
    let journal_reader =
        reading
            .context
            .journal_reader(&reading.key.tool, &reading.record.journals, reading.doc);
    let reader = reading.reader();
    let mut known: HashMap<String, Option<String>> = HashMap::new();
    let mut authors = Vec::new();
    let skipped = hands.len().saturating_sub(MOST_HANDS);
    for (number, at) in hands.iter().enumerate().skip(skipped) {
        let content = journal_reader
            .content(reading.state.kind, &path[..=*at])
            .map_err(|error| unreadable(&error))?;
        // Messages older than the oldest generation that is read may be anybody's.
        let device = (skipped == 0 || skipped < number).then(|| path[*at].source.device.clone());
        authors.clear();
        for said in records(&content)
            .iter()
            .filter_map(|record| said_in(record, reader))
        {
            authors.push(
                known
                    .entry(fingerprint(&said))
                    .or_insert_with(|| device.clone())
                    .clone(),
            );
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
