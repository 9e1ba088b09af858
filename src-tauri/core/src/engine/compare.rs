//! The two branches of a split side by side, page by page. What was aligned is remembered for the next page; bodies
//! are not.

use super::context::Context;
use super::export::unreadable;
use super::record::{DocState, SessionRecord};
use crate::api::types::{ApiError, Diff, DiffPrefix, DiffRow, DiffSide, DiffStats, DiffWords, SplitRow};
use crate::merge::diff::{Kind, Msg, Row, align, read, words};
use crate::merge::{branches, transcript};
use crate::session::{ChainId, DocKind, DocName, SessionKey, ToolId};
use std::sync::Arc;
use std::time::Duration;

/// Aligning may take this long before it gets coarser; comparing the words of one row, this long.
const ALIGN: Duration = Duration::from_millis(250);
const WORDS: Duration = Duration::from_millis(50);

/// What was aligned last.
pub struct Compared {
    key: SessionKey,
    tips: [ChainId; 2],
    meet: ChainId,
    doc: DocName,
    sides: [Vec<Msg>; 2],
    rows: Vec<Row>,
}

/// The doc of a session that went two ways: the main one, if that did.
pub fn split_doc(record: &SessionRecord) -> Option<(&DocName, &DocState)> {
    let main = record.main().cloned();
    let split = record.docs.iter().filter(|(_, state)| branches(&state.trie).len() > 1);
    split.max_by_key(|(name, _)| Some(*name) == main.as_ref())
}

/// Aligns, or finds what was aligned before.
fn compared(context: &Context, key: &SessionKey, record: &SessionRecord) -> Result<Arc<Compared>, ApiError> {
    let none =
        || ApiError::new("no_split", "This session did not go two ways.", "List those that did with `roam splits`.");
    let (doc, state) = split_doc(record).ok_or_else(none)?;
    let tips: [ChainId; 2] = branches(&state.trie)[..2].try_into().map_err(|_| none())?;
    let mut last = context.compared();
    if let Some(known) = last.as_ref().filter(|known| known.key == *key && known.tips == tips) {
        return Ok(known.clone());
    }
    let meet = state.trie.meet(tips[0], tips[1]);
    let side = |tip| Ok::<_, ApiError>(read(&tail(context, &key.tool, record, doc, state, meet, tip)?));
    let sides = [side(tips[0])?, side(tips[1])?];
    let rows = align(&sides[0], &sides[1], ALIGN);
    let new = Arc::new(Compared { key: key.clone(), tips, meet, doc: doc.clone(), sides, rows });
    *last = Some(new.clone());
    Ok(new)
}

/// What a branch has after the common part.
fn tail(
    context: &Context,
    tool: &ToolId,
    record: &SessionRecord,
    doc: &DocName,
    state: &DocState,
    meet: ChainId,
    tip: ChainId,
) -> Result<Vec<u8>, ApiError> {
    let shelf = context.shelf(tool, &record.journals, doc);
    let path = match state.kind {
        DocKind::Snapshot => state.trie.path(tip),
        DocKind::Log => state.trie.path_between(meet, tip),
    };
    shelf.content(state.kind, &path.unwrap_or_default()).map_err(|error| unreadable(&error))
}

/// Rows `from` to `from + n` of the comparison.
pub fn diff(
    context: &Context,
    key: &SessionKey,
    record: &SessionRecord,
    split: SplitRow,
    from: u64,
    n: u64,
) -> Result<Diff, ApiError> {
    let found = compared(context, key, record)?;
    let state = &record.docs[&found.doc];
    let side = |at: usize| {
        let (tip, messages) = (found.tips[at], &found.sides[at]);
        let path = state.trie.path_between(found.meet, tip).unwrap_or_default();
        DiffSide {
            device: path.last().map(|edge| context.shared().name_of(&edge.source.device)).unwrap_or_default(),
            branch: tip.to_hex(),
            records: path.iter().map(|edge| edge.lines).sum(),
            bytes: path.iter().map(|edge| edge.bytes).sum(),
            messages: messages.len() as u64,
            first: messages.first().and_then(|message| message.at.clone()),
            last: messages.last().and_then(|message| message.at.clone()),
        }
    };
    let count = |kind| found.rows.iter().filter(|row| row.kind == kind).count() as u64;
    let whole: Vec<u64> = state.trie.path(found.meet).unwrap_or_default().iter().map(|edge| edge.said).collect();
    let page = found
        .rows
        .iter()
        .enumerate()
        .skip(usize::try_from(from).unwrap_or(usize::MAX))
        .take(usize::try_from(n).unwrap_or(usize::MAX));
    let message = |side: usize, at: Option<usize>| at.map(|at| found.sides[side][at].clone());
    let rows = page.map(|(i, row)| DiffRow {
        i: i as u64,
        kind: row.kind,
        left: message(0, row.left),
        right: message(1, row.right),
        alike: row.alike,
    });
    Ok(Diff {
        session: split.session,
        tool: split.tool,
        title: split.title,
        doc: found.doc.to_string(),
        class: split.tier,
        reason: split.reason,
        left: side(0),
        right: side(1),
        prefix: DiffPrefix { records: state.trie.size(found.meet).0, messages: whole.iter().sum() },
        stats: DiffStats {
            same: count(Kind::Same),
            changed: count(Kind::Changed),
            left: count(Kind::Left),
            right: count(Kind::Right),
        },
        total: found.rows.len() as u64,
        rows: rows.collect(),
        choices: split.choices,
    })
}

/// Which words differ in a row; the texts come with it.
pub fn diff_words(
    context: &Context,
    key: &SessionKey,
    record: &SessionRecord,
    row: u64,
) -> Result<DiffWords, ApiError> {
    let found = compared(context, key, record)?;
    let state = &record.docs[&found.doc];
    let wanted = usize::try_from(row).ok().and_then(|row| found.rows.get(row));
    let wanted = wanted.ok_or_else(|| {
        ApiError::new("no_row", format!("There are {} rows.", found.rows.len()), "Rows count from 0.")
    })?;
    let text = |side: usize, at: Option<usize>| -> Result<String, ApiError> {
        let Some(message) = at.map(|at| &found.sides[side][at]) else { return Ok(String::new()) };
        let bytes = tail(context, &key.tool, record, &found.doc, state, found.meet, found.tips[side])?;
        let range = message.off as usize..(message.off + message.len) as usize;
        let said = bytes.get(range).map(transcript::messages).unwrap_or_default();
        Ok(said.into_iter().next().map(|said| said.text).unwrap_or_default())
    };
    let (left, right) = (text(0, wanted.left)?, text(1, wanted.right)?);
    Ok(DiffWords { spans: words(&left, &right, WORDS).unwrap_or_default(), left, right })
}
