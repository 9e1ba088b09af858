//! What goes with a conversation: its entries in the lists of Cursor 2, and, when it is forgotten, the
//! blobs that nothing else names. Cursor itself leaves both. Pure reading comes first, outside of the
//! transaction that removes.

use super::NAME;
use super::document::STATE;
use super::index::{self, OLD_LIST};
use super::state::{self, BlobId};
use super::store::{Store, below, blob_key, key};
use crate::adapter::WriteError;
use crate::formats::ordered::fields_of;
use crate::formats::state_db::{self, StateDbError};
use crate::formats::vscode::workspace_dirs;
use rusqlite::types::ValueRef;
use std::collections::BTreeSet;
use std::path::Path;

/// Of a database this much is read to see what its conversations name. Where there is more, the
/// blobs stay.
const MOST_READ: usize = 1 << 30;

/// Where conversations and the agent name blobs, in ranges of keys.
const NAMING: [[&str; 2]; 4] = [
    ["agentKv:", "agentKv:blob:"],
    ["agentKv:blob;", "agentKv;"],
    ["bubbleId:", "bubbleId;"],
    ["composerData:", "composerData;"],
];

/// What a receipt says where blobs of a conversation may be left.
pub(super) fn unclear(database: &Path) -> String {
    let path = database.display();
    format!("What {NAME}'s agent kept of it may be in {path}.")
}

/// The blobs that only this conversation names; `None` if that cannot be told, because a row cannot
/// be read or there is too much to read.
pub(super) fn blobs_of_one(store: &Store, id: &str) -> rusqlite::Result<Option<Vec<BlobId>>> {
    let _one_state = store.connection.unchecked_transaction()?;
    let mut own = Named::new(store, state::named_in_fields);
    let [from, to] = below("bubbleId", id);
    let ranges = [
        [key("composerData", id), format!("composerData:{id}\0")],
        [
            key("agentKv:checkpoint", id),
            format!("agentKv:checkpoint:{id}\0"),
        ],
        [from, to],
    ];
    for [from, to] in &ranges {
        if !own.follow_rows([from, to], |_| true)? {
            return Ok(None);
        }
    }
    if own.found.is_empty() {
        return Ok(Some(Vec::new()));
    }
    let mut others = Named::new(store, state::named_anywhere);
    for range in NAMING {
        let is_own = |key: &str| {
            ranges
                .iter()
                .any(|[from, to]| **from <= *key && *key < **to)
        };
        if !others.follow_rows(range, |key| !is_own(key))? {
            return Ok(None);
        }
    }
    let only = own.found.difference(&others.found);
    Ok(Some(only.copied().collect()))
}

/// Blobs that rows name, directly or by another blob. The earlier states to which Cursor can return
/// are among them.
struct Named<'s> {
    store: &'s Store,
    named_in: fn(&[u8]) -> Vec<BlobId>,
    found: BTreeSet<BlobId>,
    /// The bytes that may still be read.
    rest: usize,
}

impl<'s> Named<'s> {
    fn new(store: &'s Store, named_in: fn(&[u8]) -> Vec<BlobId>) -> Self {
        Self {
            store,
            named_in,
            found: BTreeSet::new(),
            rest: MOST_READ,
        }
    }

    /// Follows the rows of a range that `counts` picks; returns whether it could read all of them.
    fn follow_rows(
        &mut self,
        range: [&str; 2],
        counts: impl Fn(&str) -> bool,
    ) -> rusqlite::Result<bool> {
        let store = self.store;
        let sql = "select key, value from cursorDiskKV where key >= ?1 and key < ?2 and value is not null";
        let mut rows = store.connection.prepare(sql)?;
        let mut rows = rows.query(range)?;
        while let Some(row) = rows.next()? {
            let (ValueRef::Text(bytes) | ValueRef::Blob(bytes)) = row.get_ref(1)? else {
                continue;
            };
            if !counts(&row.get::<_, String>(0)?) {
                continue;
            }
            let rest = self.rest.checked_sub(bytes.len());
            let Some((rest, mut named)) = rest.zip(roots(bytes)) else {
                return Ok(false);
            };
            self.rest = rest;
            named.extend((self.named_in)(bytes));
            if !self.follow(named)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn follow(&mut self, mut named: Vec<BlobId>) -> rusqlite::Result<bool> {
        while let Some(id) = named.pop() {
            if self.found.contains(&id) {
                continue;
            }
            // Not every value of 32 bytes is an id.
            let Some(bytes) = self.store.bytes(&blob_key(&id))? else {
                continue;
            };
            let Some(rest) = self.rest.checked_sub(bytes.len()) else {
                return Ok(false);
            };
            self.rest = rest;
            self.found.insert(id);
            named.extend((self.named_in)(&bytes));
        }
        Ok(true)
    }
}

/// What the agent's state in a row names; `None` if the row is of an unknown form.
fn roots(row: &[u8]) -> Option<Vec<BlobId>> {
    let text = std::str::from_utf8(row).unwrap_or_default();
    if !text.trim_start().starts_with('{') {
        return Some(state::named_in_state(text));
    }
    let fields = fields_of(text)?;
    let state = fields.get(STATE).filter(|raw| raw.get() != "null");
    let Some(raw) = state else {
        return Some(Vec::new());
    };
    let state: String = serde_json::from_str(raw.get()).ok()?;
    Some(state::named_in_state(&state))
}

/// Takes a conversation out of the lists of Cursor 2, each in its workspace's own database.
pub(super) fn leave_old_lists(user: &Path, id: &str) -> Result<(), WriteError> {
    for dir in workspace_dirs(user) {
        let path = dir.join("state.vscdb");
        let was = match state_db::get(&path, OLD_LIST) {
            Ok(Some(was)) => was,
            Err(error @ StateDbError::Busy(_)) => return Err(error.into()),
            // Without such a list, or of a form that no version of Cursor reads.
            Ok(None) | Err(_) => continue,
        };
        if let Some(text) = index::list_without(was.bytes(), id) {
            let new = was.with_text(text);
            state_db::put(&path, OLD_LIST, Some(&was), Some(&new))?;
        }
    }
    Ok(())
}
