//! A thread's line in the sidebar of a Zed: a row of `sidebar_threads` in that Zed's `db.sqlite`.
//! A sidebar that is not known, or that cannot be changed, is left alone.

use crate::formats::record_set::{Database, Table};
use crate::formats::sqlite::{DbError, insert, update};
use crate::session::SessionId;
use rusqlite::{Connection, ToSql};
use std::path::Path;

/// The columns of the first form, and those added since (`thread_metadata_store.rs`).
const SIDEBAR: Table<'_> = Table {
    name: "sidebar_threads",
    columns: &["session_id", "agent_id", "title", "updated_at"],
    more: Some(&ADDED),
};
const ADDED: [&str; 10] = [
    "archived",
    "created_at",
    "folder_paths",
    "folder_paths_order",
    "interacted_at",
    "main_worktree_paths",
    "main_worktree_paths_order",
    "remote_connection",
    "thread_id",
    "title_override",
];

/// A thread as a sidebar has it.
pub(super) struct Line<'a> {
    pub session: &'a str,
    pub title: String,
    /// As Zed writes times into columns.
    pub updated: String,
    pub cwd: &'a str,
}

/// Puts the line into a sidebar, or takes it out, in a transaction that is still open. `None` for a
/// sidebar that is left alone; an error only if somebody else has it.
pub(super) fn put(
    path: &Path,
    session: &SessionId,
    line: Option<&Line<'_>>,
) -> Result<Option<Connection>, DbError> {
    let put = || {
        let Some(sidebar) = Database::open_to_write(path, &[SIDEBAR])? else {
            return Ok(None);
        };
        let changed = || {
            sidebar.connection.execute_batch("BEGIN IMMEDIATE")?;
            match line {
                Some(line) => line.put(&sidebar),
                None => sidebar.connection.execute(
                    "DELETE FROM sidebar_threads WHERE session_id = ?1 AND agent_id IS NULL",
                    [session.as_str()],
                ),
            }
        };
        changed().map_err(|error| sidebar.error_of(error))?;
        Ok(Some(sidebar.connection))
    };
    match put() {
        Err(DbError::Busy(path)) => Err(DbError::Busy(path)),
        put => Ok(put.ok().flatten()),
    }
}

impl Line<'_> {
    fn put(&self, sidebar: &Database) -> rusqlite::Result<usize> {
        let connection = &sidebar.connection;
        let there = "SELECT 1 FROM sidebar_threads WHERE session_id = ?1";
        let is_there = connection.prepare(there)?.exists([self.session])?;
        let own: [(&str, &dyn ToSql); 2] = [("title", &self.title), ("updated_at", &self.updated)];
        if is_there {
            let key: (&str, &dyn ToSql) = ("session_id", &self.session);
            return update(connection, "sidebar_threads", key, &own);
        }
        // Zed's own id of a line is random; the same thread gets the same here.
        let hash = blake3::hash(self.session.as_bytes());
        let id = &hash.as_bytes()[..16];
        let mut row: Vec<(&str, &dyn ToSql)> = vec![("session_id", &self.session)];
        row.extend(own);
        for name in ADDED {
            let value: &dyn ToSql = match name {
                "archived" => &0,
                "created_at" | "interacted_at" => &self.updated,
                "folder_paths" | "main_worktree_paths" => &self.cwd,
                "folder_paths_order" | "main_worktree_paths_order" => &"0",
                "thread_id" => &id,
                _ => continue,
            };
            row.push((name, value));
        }
        row.retain(|(name, _)| sidebar.has("sidebar_threads", name));
        insert(connection, "sidebar_threads", &row)
    }
}

/// Whether a thread's directories are on another machine, which the thread itself does not say.
pub(super) fn is_remote(path: &Path, session: &SessionId) -> bool {
    let sql =
        "SELECT 1 FROM sidebar_threads WHERE session_id = ?1 AND remote_connection IS NOT NULL";
    let sidebar = Database::open(path, &[SIDEBAR]);
    let Ok(Some(sidebar)) = sidebar else {
        return false;
    };
    let asked = || sidebar.connection.prepare(sql)?.exists([session.as_str()]);
    sidebar.has("sidebar_threads", "remote_connection") && asked().unwrap_or(false)
}
