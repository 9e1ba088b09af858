//! Removes from sessions what a revoked device wrote since a given time (`roam revoke --since`).
//! The lines stay in the vault and in the tries; lines that others continued from stay in the
//! sessions, too. Knows nothing of stores.

use super::context::Context;
use super::record::SessionRecord;
use crate::session::{ChainId, DocName, ToolId};
use crate::vault::piece::Piece;
use crate::vault::{Entry, Journal, JournalError};
use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;

/// Makes the tries agree with what now counts of each journal.
pub fn take_out(
    context: &Context,
    tool: &ToolId,
    record: &mut SessionRecord,
) -> Result<(), JournalError> {
    let counted = |journal: &Journal| {
        let cut = context
            .shared()
            .cuts
            .get(&journal.device)?
            .get(below_device(&journal.dir))
            .copied();
        Some(cut.unwrap_or(0))
    };
    let journals: Vec<(&Journal, u64)> = record
        .journals
        .values()
        .filter_map(|journal| Some((journal, counted(journal)?)))
        .collect();
    if journals.is_empty() && !record.docs.values().any(|state| state.trie.has_taken_out()) {
        return Ok(());
    }
    let mut runs: BTreeMap<DocName, HashMap<ChainId, ChainId>> = BTreeMap::new();
    for (journal, counted) in journals
        .into_iter()
        .filter(|(journal, counted)| *counted < journal.frames)
    {
        journal.each_accepted(&context.vault, |frame| {
            let entries = frame.entries.into_iter();
            for entry in entries.filter(|_| counted <= frame.head.n) {
                if let Entry::Lines {
                    doc, after, tip, ..
                }
                | Entry::Whole {
                    doc, after, tip, ..
                }
                | Entry::Piece(Piece {
                    doc, after, tip, ..
                }) = entry
                {
                    runs.entry(doc).or_default().insert(tip, after);
                }
            }
            ControlFlow::Continue(())
        })?;
    }
    let SessionRecord { journals, docs, .. } = record;
    for (name, state) in docs {
        let before = runs.remove(name).unwrap_or_default();
        // Where the first of the consecutive runs begins.
        let begin = |tip: ChainId| {
            let mut node = tip;
            for _ in 0..=before.len() {
                match before.get(&node) {
                    Some(after) if *after != node => node = *after,
                    _ => break,
                }
            }
            node
        };
        let mut out: Vec<(ChainId, ChainId)> =
            before.keys().map(|tip| (begin(*tip), *tip)).collect();
        out.retain(|(begin, tip)| begin != tip);
        out.sort();
        let journal_reader = context.journal_reader(tool, journals, name);
        state.trie.take_out(out, &journal_reader)?;
    }
    Ok(())
}

/// A journal's directory as heads name it.
pub fn below_device(dir: &str) -> &str {
    dir.split_once('/').map_or(dir, |(_, below)| below)
}
