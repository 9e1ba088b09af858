//! A thread's line in the sidebar of a Zed: a row of `sidebar_threads` in that Zed's `db.sqlite`.
//! A sidebar that is not known, or that cannot be changed, is left alone.

use crate::formats::sqlite::{DbError, columns, insert, open, told, update};
use crate::session::SessionId;
use rusqlite::{Connection, OpenFlags, ToSql, params};
use std::path::Path;

/// The columns of the table: those of the first form, and those added since
/// (`thread_metadata_store.rs`).
const FIRST: [&str; 4] = ["session_id", "agent_id", "title", "updated_at"];
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
        let Some((connection, names)) = known(path, OpenFlags::SQLITE_OPEN_READ_WRITE)? else {
            return Ok(None);
        };
        let sql = |error| told(path, error);
        connection.execute_batch("BEGIN IMMEDIATE").map_err(sql)?;
        match line {
            Some(line) => line.put(&connection, &names),
            None => connection.execute(
                "DELETE FROM sidebar_threads WHERE session_id = ?1 AND agent_id IS NULL",
                [session.as_str()],
            ),
        }
        .map_err(sql)?;
        Ok(Some(connection))
    };
    match put() {
        Err(DbError::Busy(path)) => Err(DbError::Busy(path)),
        put => Ok(put.ok().flatten()),
    }
}

impl Line<'_> {
    fn put(&self, connection: &Connection, names: &[&str]) -> rusqlite::Result<usize> {
        let there = "SELECT 1 FROM sidebar_threads WHERE session_id = ?1";
        let is_there = connection.prepare(there)?.exists([self.session])?;
        let own: [(&str, &dyn ToSql); 2] = [("title", &self.title), ("updated_at", &self.updated)];
        if is_there {
            return update(
                connection,
                "sidebar_threads",
                ("session_id", &self.session),
                &own,
            );
        }
        // Zed's own id of a line is random; the same thread gets the same here.
        let hash = blake3::hash(self.session.as_bytes());
        let id = &hash.as_bytes()[..16];
        let mut row: Vec<(&str, &dyn ToSql)> = vec![("session_id", &self.session)];
        row.extend(own);
        for name in names {
            let value: &dyn ToSql = match *name {
                "archived" => &0,
                "created_at" | "interacted_at" => &self.updated,
                "folder_paths" | "main_worktree_paths" => &self.cwd,
                "folder_paths_order" | "main_worktree_paths_order" => &"0",
                "thread_id" => &id,
                _ => continue,
            };
            row.push((name, value));
        }
        insert(connection, "sidebar_threads", &row)
    }
}

/// A sidebar of a known form, with the columns that it has beyond the first ones.
fn known(
    path: &Path,
    access: OpenFlags,
) -> Result<Option<(Connection, Vec<&'static str>)>, DbError> {
    let connection = open(path, access)?;
    let names = columns(&connection, path, "sidebar_threads")?;
    let is_known = |name: &String| FIRST.iter().chain(&ADDED).any(|known| known == name);
    let is_whole = FIRST.iter().all(|name| names.contains(*name)) && names.iter().all(is_known);
    let added = ADDED.into_iter().filter(|name| names.contains(*name));
    Ok(is_whole.then(|| (connection, added.collect())))
}

/// Whether a thread's directories are on another machine, which the thread itself does not say.
pub(super) fn is_remote(path: &Path, session: &SessionId) -> bool {
    let sql =
        "SELECT 1 FROM sidebar_threads WHERE session_id = ?1 AND remote_connection IS NOT NULL";
    let Ok(Some((connection, names))) = known(path, OpenFlags::SQLITE_OPEN_READ_ONLY) else {
        return false;
    };
    let asked = || connection.prepare(sql)?.exists(params![session.as_str()]);
    names.contains(&"remote_connection") && asked().unwrap_or(false)
}
