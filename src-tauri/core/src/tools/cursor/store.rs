//! Cursor's database, `globalStorage/state.vscdb`, as far as conversations are in it. Rows are read
//! by key or by a range of keys, since the file may have tens of gigabytes.

use super::blobs;
use super::document::{Bubble, Document, STATE};
use super::state::{BlobId, closure, hex};
use crate::adapter::{Stamp, Which};
use crate::formats::ordered::fields_of;
use crate::formats::state_db::{self, StateDbError};
use crate::session::{Millis, SessionId};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, OptionalExtension};
use serde::Deserialize;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// As Cursor creates the table (August 2026).
const ROWS: &str = "createtablecursordiskkv(keytextuniqueonconflictreplace,valueblob)";

/// The columns of `composerHeaders` in the known versions (3.12 to 3.22), in any order.
const HEADERS: [&str; 9] = [
    "checkpointAt",
    "composerId",
    "createdAt",
    "isArchived",
    "isSubagent",
    "lastUpdatedAt",
    "recency",
    "value",
    "workspaceId",
];
const LATER_HEADERS: [&str; 1] = ["subagentTypeName"];

/// Of more rows than this the conversations are not looked for: a whole listing costs less.
const MOST_CHANGED: i64 = 20_000;

/// The most bytes of one conversation.
const LARGEST: usize = 512 << 20;

/// Cursor's database, opened.
pub(super) struct Store {
    pub(super) connection: Connection,
    pub(super) path: PathBuf,
    pub(super) has_headers: bool,
}

/// A conversation in a listing.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Listed {
    pub(super) id: String,
    pub(super) stamp: Stamp,
}

/// A conversation as read.
pub(super) struct Conversation {
    pub(super) document: Document,
    pub(super) prompts: Vec<u8>,
    pub(super) turns: Vec<u8>,
    /// `workspaceIdentifier`, if the conversation's own row has it.
    pub(super) workspace: Option<String>,
    /// The agent's state names blobs that are not there, or too large, so it does not sync.
    pub(super) lacks_blobs: bool,
}

pub(super) fn key(space: &str, id: &str) -> String {
    format!("{space}:{id}")
}

pub(super) fn blob_key(id: &BlobId) -> String {
    key("agentKv:blob", &hex(id))
}

/// The conversation that a row belongs to.
fn conversation_of(key: &str) -> Option<&str> {
    let (space, rest) = key.split_once(':')?;
    match space {
        "composerData" => Some(rest),
        "bubbleId" => rest.split(':').next(),
        _ => None,
    }
}

/// The range of the keys that begin with `space:id:`.
pub(super) fn below(space: &str, id: &str) -> [String; 2] {
    [format!("{space}:{id}:"), format!("{space}:{id};")]
}

impl Store {
    pub(super) fn open(path: &Path, access: OpenFlags) -> Result<Self, StateDbError> {
        let connection = state_db::open(path, access)?;
        Ok(Self {
            connection,
            path: path.to_path_buf(),
            has_headers: false,
        })
    }

    pub(super) fn sql(&self, error: rusqlite::Error) -> StateDbError {
        state_db::error_of(&self.path, error)
    }

    /// An error if the tables are not those that this adapter knows.
    pub(super) fn check_shape(&mut self) -> Result<(), StateDbError> {
        state_db::check_shape(&self.connection, &self.path)?;
        let known = self.shape().map_err(|error| self.sql(error))?;
        self.has_headers = known.map_err(|what| StateDbError::Unknown {
            path: self.path.clone(),
            what,
        })?;
        Ok(())
    }

    /// Whether there is a table of headers, or what is not known about the tables.
    fn shape(&self) -> rusqlite::Result<Result<bool, String>> {
        let of = |kind: &str, name: &str| {
            let made = "select sql from sqlite_master where type = ?1 and tbl_name = ?2 collate nocase and sql is not null";
            let made = self
                .connection
                .query_row(made, [kind, name], |row| row.get::<_, String>(0));
            made.optional()
        };
        match of("table", "cursorDiskKV")? {
            None => return Ok(Err("it has no table cursorDiskKV".into())),
            Some(made) if state_db::plain(&made) != ROWS => {
                return Ok(Err(format!("cursorDiskKV is made as \"{made}\"")));
            }
            Some(_) => {}
        }
        for table in ["cursorDiskKV", "composerHeaders"] {
            if of("trigger", table)?.is_some() {
                return Ok(Err(format!("{table} has a trigger")));
            }
        }
        if of("table", "composerHeaders")?.is_none() {
            return Ok(Ok(false));
        }
        let mut names = self
            .connection
            .prepare("select name from pragma_table_info('composerHeaders')")?;
        let names: BTreeSet<String> = names
            .query_map([], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        let known = |name: &&String| {
            HEADERS.contains(&name.as_str()) || LATER_HEADERS.contains(&name.as_str())
        };
        Ok(match names.iter().find(|name| !known(name)) {
            Some(name) => Err(format!("composerHeaders has a column {name}")),
            None if HEADERS.iter().any(|name| !names.contains(*name)) => {
                Err("composerHeaders lacks a column".into())
            }
            None => Ok(true),
        })
    }

    /// The conversations with at least one bubble but those of sub-agents, and how many are of
    /// before 2025, whose messages are within `composerData`.
    pub(super) fn list(&self, which: Which<'_>) -> rusqlite::Result<(Vec<Listed>, usize)> {
        let _one_state = self.connection.unchecked_transaction()?;
        self.list_within(which)
    }

    /// The number and the key of the last row: each row that is written gets a number of its own,
    /// the greatest.
    pub(super) fn last_row(&self) -> rusqlite::Result<Option<(i64, String)>> {
        let sql = "select rowid, coalesce(cast(key as text), '') from cursorDiskKV order by rowid desc limit 1";
        let mut query = self.connection.prepare_cached(sql)?;
        let row = query.query_row([], |row| Ok((row.get(0)?, row.get(1)?)));
        row.optional()
    }

    /// The conversations of which rows were written since the row with this number and key was the
    /// last one. `None` if the numbers no longer mean the same, or if more was written than is
    /// worth it.
    pub(super) fn changed_since(
        &self,
        (at, key): (i64, &str),
    ) -> rusqlite::Result<Option<Vec<Listed>>> {
        let _one_state = self.connection.unchecked_transaction()?;
        let known = "select coalesce(cast(key as text), '') from cursorDiskKV where rowid = ?1";
        let mut known = self.connection.prepare_cached(known)?;
        let known = known.query_row([at], |row| row.get::<_, String>(0));
        let is_same = match known.optional()? {
            Some(there) => there == key,
            // The row was written again, and rows after it are still there.
            None => self.last_row()?.is_some_and(|(last, _)| at < last),
        };
        if !is_same {
            return Ok(None);
        }
        // Written again, the last row keeps its number.
        let sql = "select coalesce(cast(key as text), '') from cursorDiskKV \
                   where rowid >= ?1 order by rowid limit ?2";
        let mut query = self.connection.prepare_cached(sql)?;
        let mut rows = query.query((at, MOST_CHANGED + 1))?;
        let (mut ids, mut n_rows) = (BTreeSet::new(), 0);
        while let Some(row) = rows.next()? {
            n_rows += 1;
            let key: String = row.get(0)?;
            ids.extend(conversation_of(&key).map(str::to_owned));
        }
        if MOST_CHANGED < n_rows {
            return Ok(None);
        }
        let mut listed = Vec::new();
        for id in ids {
            listed.extend(self.list_within(Which::One(&SessionId::new(id)))?.0);
        }
        Ok(Some(listed))
    }

    /// As [`Store::list`], within a transaction.
    pub(super) fn list_within(&self, which: Which<'_>) -> rusqlite::Result<(Vec<Listed>, usize)> {
        let [from, to] = match which {
            Which::One(session) => [
                key("composerData", session.as_str()),
                format!("composerData:{session}\0"),
            ],
            _ => ["composerData:".to_owned(), "composerData;".to_owned()],
        };
        let sql = "select key, rowid, octet_length(value) from cursorDiskKV where key >= ?1 and key < ?2 and value is not null";
        let mut rows = self.connection.prepare_cached(sql)?;
        let mut rows = rows.query([from, to])?;
        let (mut listed, mut old) = (Vec::new(), 0);
        while let Some(row) = rows.next()? {
            let (key, at, length): (String, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let id = key.split_once(':').map_or("", |(_, id)| id);
            if !crate::formats::jsonl::is_uuid(id) {
                continue;
            }
            match self.stamp(id, at, length)? {
                Some(_) if self.is_of_sub_agent(id, &key)? => {}
                Some(stamp) => listed.push(Listed {
                    id: id.to_owned(),
                    stamp,
                }),
                None => old += usize::from(self.is_of_before(&key)?),
            }
        }
        Ok((listed, old))
    }

    /// Changes with every write to the conversation, since a row that is written again gets a new
    /// number, unless it was the last one; then its length or the list's times tell. `None` without
    /// bubbles.
    fn stamp(&self, id: &str, at: i64, length: i64) -> rusqlite::Result<Option<Stamp>> {
        let sql = "select count(*), max(rowid) from cursorDiskKV where key >= ?1 and key < ?2";
        let mut bubbles = self.connection.prepare_cached(sql)?;
        let (count, last): (i64, Option<i64>) =
            bubbles.query_row(below("bubbleId", id), |row| Ok((row.get(0)?, row.get(1)?)))?;
        let Some(last) = last else { return Ok(None) };
        let mut row = self
            .connection
            .prepare_cached("select octet_length(value) from cursorDiskKV where rowid = ?1")?;
        let last_length: Option<i64> = row.query_row([last], |row| row.get(0))?;
        let times = match self.has_headers {
            true => self.times(id)?,
            false => None,
        };
        let words = format!("{at} {length} {count} {last} {last_length:?} {times:?}");
        let len = u64::try_from(length + 512 * count).unwrap_or(0);
        let updated = times.and_then(|times| times.0).unwrap_or(0);
        Ok(Some(Stamp::made(len, Millis(updated), words.as_bytes())))
    }

    fn times(&self, id: &str) -> rusqlite::Result<Option<(Option<i64>, Option<i64>)>> {
        let sql = "select cast(lastUpdatedAt as integer), cast(checkpointAt as integer) from composerHeaders where composerId = ?1";
        let mut query = self.connection.prepare_cached(sql)?;
        query
            .query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()
    }

    /// Whether a conversation is that of a sub-agent, which belongs to another one and is in no
    /// list. The table of headers says so, or the conversation's own row.
    fn is_of_sub_agent(&self, id: &str, key: &str) -> rusqlite::Result<bool> {
        if self.has_headers {
            let sql =
                "select coalesce(isSubagent, 0) <> 0 from composerHeaders where composerId = ?1";
            let mut query = self.connection.prepare_cached(sql)?;
            let listed = query.query_row([id], |row| row.get(0)).optional()?;
            if let Some(is_sub_agent) = listed {
                return Ok(is_sub_agent);
            }
        }
        let sql = "select instr(value, '\"subagentInfo\"') > 0 and json_type(iif(json_valid(cast(value as text)), \
                       cast(value as text), '{}'), '$.subagentInfo.parentComposerId') is 'text' \
                   from cursorDiskKV where key = ?1";
        let mut query = self.connection.prepare_cached(sql)?;
        query.query_row([key], |row| row.get(0))
    }

    fn is_of_before(&self, key: &str) -> rusqlite::Result<bool> {
        let sql = "select json_array_length(iif(json_valid(cast(value as text)), cast(value as text), '{}'), '$.conversation') \
                   from cursorDiskKV where key = ?1";
        let count: Option<i64> = self
            .connection
            .prepare_cached(sql)?
            .query_row([key], |row| row.get(0))?;
        Ok(0 < count.unwrap_or(0))
    }

    /// The value under a key, of either storage class.
    pub(super) fn bytes(&self, key: &str) -> rusqlite::Result<Option<Vec<u8>>> {
        let mut query = self
            .connection
            .prepare_cached("select value from cursorDiskKV where key = ?1")?;
        let value = query.query_row([key], |row| {
            Ok(match row.get_ref(0)? {
                ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Some(bytes.to_vec()),
                _ => None,
            })
        });
        Ok(value.optional()?.flatten())
    }

    /// Whether a conversation was deleted here: Cursor leaves its row without a value, and its blobs.
    pub(super) fn is_emptied(&self, id: &str) -> rusqlite::Result<bool> {
        let sql = "select value is null from cursorDiskKV where key = ?1";
        let mut query = self.connection.prepare_cached(sql)?;
        let row = query.query_row([key("composerData", id)], |row| row.get(0));
        Ok(row.optional()?.unwrap_or(false))
    }

    pub(super) fn text(&self, key: &str) -> rusqlite::Result<Option<String>> {
        Ok(self
            .bytes(key)?
            .and_then(|bytes| String::from_utf8(bytes).ok()))
    }

    /// A conversation; `None` if it is not there, too large, or not all of it is of a known form:
    /// what was recorded of a part of it, every other device would follow.
    pub(super) fn read(&self, id: &str) -> Result<Option<Conversation>, StateDbError> {
        let read = || -> rusqlite::Result<Option<Conversation>> {
            let _one_state = self.connection.unchecked_transaction()?;
            self.read_within(id)
        };
        read().map_err(|error| self.sql(error))
    }

    /// As [`Store::read`], within a transaction.
    pub(super) fn read_within(&self, id: &str) -> rusqlite::Result<Option<Conversation>> {
        let Some(stored) = self.text(&key("composerData", id))? else {
            return Ok(None);
        };
        let Some(composer) = fields_of(&stored) else {
            return Ok(None);
        };
        let mut size = stored.len();
        let Some(heads) = heads(&composer) else {
            return Ok(None);
        };
        let Some(bubbles) = self.bubbles(id, &heads, &mut size)? else {
            return Ok(None);
        };
        let mut document = Document::of(&composer, bubbles);
        let blobs = self.blobs(&document, size)?;
        let lacks_blobs = blobs.is_none();
        if lacks_blobs {
            // Cursor cannot continue from a state that lacks a part of itself.
            document
                .composer
                .insert(STATE.to_owned(), "\"~\"".to_owned());
        }
        let [prompts, turns] = blobs.unwrap_or_default();
        Ok(Some(Conversation {
            document,
            prompts: blobs::render(&prompts),
            turns: blobs::render(&turns),
            workspace: composer
                .get("workspaceIdentifier")
                .map(|raw| raw.get().to_owned()),
            lacks_blobs,
        }))
    }

    /// The bubbles that the list names; `None` if one cannot be read, or if together they are too
    /// large. Cursor writes the list and each bubble by itself, so bubbles at the end that are not
    /// there are not written yet, and are left out until they are. One that others follow is lost.
    fn bubbles(
        &self,
        id: &str,
        heads: &[String],
        size: &mut usize,
    ) -> rusqlite::Result<Option<Vec<Bubble>>> {
        let mut bubbles = Vec::new();
        for (at, head) in heads.iter().enumerate() {
            let key = format!("bubbleId:{id}:{head}");
            let Some(text) = self.text(&key)? else {
                let is_lost = self.has_any(id, &heads[at..])?;
                return Ok((!is_lost).then_some(bubbles));
            };
            *size += text.len();
            let Some(bubble) = Bubble::of(&text).filter(|bubble| bubble.id == *head) else {
                return Ok(None);
            };
            bubbles.push(bubble);
            if LARGEST < *size {
                return Ok(None);
            }
        }
        Ok(Some(bubbles))
    }

    /// The bubbles at the end of the list here that do not sync yet: calls that did not end, and
    /// rows that are not there.
    pub(super) fn unfinished(&self, id: &str) -> rusqlite::Result<BTreeSet<String>> {
        let stored = self.text(&key("composerData", id))?.unwrap_or_default();
        let heads = fields_of(&stored).and_then(|composer| heads(&composer));
        let mut unfinished = BTreeSet::new();
        for head in heads.unwrap_or_default().into_iter().rev() {
            let bubble = self.text(&format!("bubbleId:{id}:{head}"))?;
            let bubble =
                bubble.map(|text| Bubble::of(&text).is_some_and(|bubble| bubble.is_open()));
            if bubble == Some(false) {
                break;
            }
            unfinished.insert(head);
        }
        Ok(unfinished)
    }

    /// Whether one of these bubbles has a row, with a value or not.
    fn has_any(&self, id: &str, bubbles: &[String]) -> rusqlite::Result<bool> {
        let sql = "select 1 from cursorDiskKV where key = ?1";
        let mut query = self.connection.prepare_cached(sql)?;
        for bubble in bubbles {
            if query.exists([format!("bubbleId:{id}:{bubble}")])? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The blobs of the document's state; `None` if one is missing, or if they are too large.
    fn blobs(&self, document: &Document, mut size: usize) -> rusqlite::Result<Option<Blobs>> {
        let state = document.state().unwrap_or_default();
        let mut read: BTreeMap<BlobId, Vec<u8>> = BTreeMap::new();
        let (named, missing) = closure::<rusqlite::Error>(&state, |id| {
            let bytes = self.bytes(&blob_key(id))?;
            let is_whole = |bytes: &Vec<u8>| BlobId::from(Sha256::digest(bytes)) == *id;
            let bytes = bytes.filter(|bytes| size + bytes.len() <= LARGEST && is_whole(bytes));
            if let Some(bytes) = &bytes {
                size += bytes.len();
                read.insert(*id, bytes.clone());
            }
            Ok(bytes)
        })?;
        let mut taken = |ids: Vec<BlobId>| -> Vec<(BlobId, Vec<u8>)> {
            ids.into_iter()
                .filter_map(|id| Some((id, read.remove(&id)?)))
                .collect()
        };
        Ok((missing == 0).then(|| [taken(named.prompts), taken(named.turns)]))
    }
}

/// The blobs of prompts, and those of turns.
type Blobs = [Vec<(BlobId, Vec<u8>)>; 2];

#[derive(Deserialize)]
struct Head {
    #[serde(rename = "bubbleId")]
    id: String,
}

/// The ids of the bubbles in their order, each once; `None` if there is no list of the known form.
fn heads(composer: &BTreeMap<String, &RawValue>) -> Option<Vec<String>> {
    let list = composer.get("fullConversationHeadersOnly")?;
    let list: Vec<Head> = serde_json::from_str(list.get()).ok()?;
    let mut seen = BTreeSet::new();
    let ids = list.into_iter().map(|head| head.id);
    Some(ids.filter(|id| seen.insert(id.clone())).collect())
}
