//! The rows of a session in OpenCode's database, which is only read here. A value of another type
//! than OpenCode's counts as an empty one: one odd row must not hide all sessions.

use super::messages::{Row, Session};
use crate::adapter::Stamp;
use crate::formats::ordered::{fields_of, object};
use crate::formats::record_set::{self, Database, Table};
use crate::session::Millis;
use rusqlite::{OptionalExtension, params};
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::{BTreeMap, BTreeSet};

/// The columns that a listing reads.
pub(super) const LISTED: [&str; 5] = ["id", "directory", "project_id", "parent_id", "title"];

pub(super) type Listed = record_set::Row<5>;
pub(super) type RecordSet<'a> = record_set::RecordSet<'a, 5>;

/// The columns that are read. Without one of them, the store's format is unknown.
pub(super) const TABLES: [Table<'_>; 3] = [
    Table {
        name: "session",
        columns: &[
            "id",
            "project_id",
            "parent_id",
            "directory",
            "title",
            "version",
            "time_updated",
        ],
        more: None,
    },
    Table {
        name: "message",
        columns: &["id", "session_id", "time_created", "time_updated", "data"],
        more: None,
    },
    Table {
        name: "part",
        columns: &["id", "message_id", "session_id", "time_updated", "data"],
        more: None,
    },
];

/// Changes with everything that syncs: the session's own fields, the set of messages and parts, the
/// last finished message. Counts come from indexes; only the last messages' rows are read.
pub(super) fn stamp(database: &Database, words: &[String; 5]) -> rusqlite::Result<Stamp> {
    let session = &words[0];
    let count = |query: &str, about: &str| -> rusqlite::Result<i64> {
        let mut query = database.connection.prepare_cached(query)?;
        query.query_row([about], |row| row.get(0))
    };
    let mut messages = count(
        "select count(*) from message where session_id = ?1",
        session,
    )?;
    let mut parts = count("select count(*) from part where session_id = ?1", session)?;
    let (mut last, mut updated) = (String::new(), 0);
    let mut query = database.connection.prepare_cached(
        "select iif(typeof(id) = 'text', id, ''), iif(typeof(time_updated) = 'integer', time_updated, 0), \
             coalesce(case when json_valid(data) then \
             json_extract(data, '$.role') = 'assistant' and json_extract(data, '$.time.completed') is null \
             and json_extract(data, '$.error') is null end, 0) \
         from message where session_id = ?1 order by time_created desc, id desc",
    )?;
    let mut rows = query.query([session])?;
    while let Some(row) = rows.next()? {
        let (id, at, unfinished): (String, i64, bool) = (row.get(0)?, row.get(1)?, row.get(2)?);
        if !unfinished {
            let newest = "select coalesce(max(iif(typeof(time_updated) = 'integer', time_updated, 0)), 0) from part where message_id = ?1";
            updated = at.max(count(newest, &id)?);
            last = id;
            break;
        }
        messages -= 1;
        parts -= count("select count(*) from part where message_id = ?1", &id)?;
    }
    let facts = format!("{words:?}{messages} {parts} {last} {updated}");
    let len = u64::try_from(messages + parts).unwrap_or(0) * 512;
    Ok(Stamp::made(len, Millis(updated), facts.as_bytes()))
}

/// Of the last messages, that many may still change in their rows: those of turns that run now.
const N_RUNNING: i64 = 64;
/// If more messages came, a whole listing costs less.
const MOST_NEW: i64 = 20_000;

/// The number of the last row of messages, and the message's id.
pub(super) fn last_message(database: &Database) -> rusqlite::Result<Option<(i64, String)>> {
    let query =
        "select rowid, iif(typeof(id) = 'text', id, '') from message order by rowid desc limit 1";
    let mut query = database.connection.prepare_cached(query)?;
    let row = query.query_row([], |row| Ok((row.get(0)?, row.get(1)?)));
    row.optional()
}

/// The sessions with messages since the row of this number and id was the last one, and those of
/// the messages before it that may have changed. `None` if the numbers no longer mean the same, or
/// if too much is new.
pub(super) fn changed_since(
    database: &Database,
    (at, id): (i64, &str),
) -> rusqlite::Result<Option<BTreeSet<String>>> {
    let known = "select 1 from message where rowid = ?1 and iif(typeof(id) = 'text', id, '') = ?2";
    let mut known = database.connection.prepare_cached(known)?;
    let last = last_message(database)?.map_or(0, |(last, _)| last);
    if !known.exists(params![at, id])? || MOST_NEW < last - at {
        return Ok(None);
    }
    let query =
        "select iif(typeof(session_id) = 'text', session_id, '') from message where rowid > ?1";
    let mut query = database.connection.prepare_cached(query)?;
    let sessions = query.query_map([at - N_RUNNING], |row| row.get(0))?;
    sessions.collect::<rusqlite::Result<_>>().map(Some)
}

/// By id; `None` for a row that is not JSON.
pub(super) type Rows = BTreeMap<String, Option<Row>>;

/// All rows of a session in the form of an export: messages, and parts.
pub(super) fn content(database: &Database, session: &str) -> rusqlite::Result<(Rows, Rows)> {
    let messages = "select iif(typeof(id) = 'text', id, ''), '', iif(typeof(data) = 'text', data, '') \
                    from message where session_id = ?1";
    let parts = "select iif(typeof(id) = 'text', id, ''), iif(typeof(message_id) = 'text', message_id, ''), \
                 iif(typeof(data) = 'text', data, '') from part where session_id = ?1";
    let read = |query| rows_of(database, query, session);
    Ok((read(messages)?, read(parts)?))
}

fn rows_of(database: &Database, query: &str, session: &str) -> rusqlite::Result<Rows> {
    let mut query = database.connection.prepare_cached(query)?;
    let rows = query.query_map([session], |row| {
        let (id, message, data): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let row = as_exported(&id, session, &message, &data);
        Ok((id, row))
    })?;
    rows.collect()
}

fn as_exported(id: &str, session: &str, message: &str, data: &str) -> Option<Row> {
    let ids: [(&str, String); 3] = [("id", id), ("sessionID", session), ("messageID", message)]
        .map(|(name, id)| (name, Value::from(id).to_string()));
    let mut fields = fields_of(data)?;
    for (name, id) in &ids {
        if id != "\"\"" {
            fields.insert((*name).to_owned(), serde_json::from_str(id).ok()?);
        }
    }
    let whole = RawValue::from_string(object(&fields)).ok()?;
    Row::read(&whole).map(|(_, row)| row)
}

/// Another session that has one of these messages.
pub(super) fn elsewhere(
    database: &Database,
    session: &str,
    new: &Session,
) -> rusqlite::Result<Option<String>> {
    let query = "select iif(typeof(session_id) = 'text', session_id, '') from message where id = ?1 and session_id <> ?2";
    let mut query = database.connection.prepare(query)?;
    let mut taken = None;
    for (_, id) in new.messages.keys() {
        let found = query.query_row(params![id, session], |row| row.get(0));
        taken = taken.or(found.optional()?);
    }
    Ok(taken)
}

/// The directory and project of a session.
pub(super) fn home(
    database: &Database,
    session: &str,
) -> rusqlite::Result<Option<(String, String)>> {
    let query = "select iif(typeof(directory) = 'text', directory, ''), iif(typeof(project_id) = 'text', project_id, '') \
                 from session where id = ?1";
    let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
    let found = database.connection.query_row(query, [session], row);
    found.optional()
}

pub(super) fn has_children(database: &Database, session: &str) -> rusqlite::Result<bool> {
    let query = "select 1 from session where parent_id = ?1 limit 1";
    database.connection.prepare(query)?.exists([session])
}
