//! Cursor's lists of conversations. A conversation that is in none of them is not shown.
//!
//! Until 2.6 each workspace's database has a list under `composer.composerData`; from 3.0 the global
//! database has one under `composer.composerHeaders`, and from 3.12 the table `composerHeaders`. The
//! table and the value may each have entries that the other lacks, so both are written where they
//! exist; but as long as the table is empty, Cursor shows what is in the value. The agents' sidebar
//! has lists of its own (`glass.localAgentProjects.v1` and `…Membership.v1`). From public
//! descriptions, August and September 2026.

use super::document::Document;
use super::store::Store;
use crate::formats::state_db::{self, StateDbError, Stored};
use crate::formats::vscode::{self, System};
use crate::session::Millis;
use rusqlite::{OptionalExtension, params};
use serde_json::{Map, Value, json};
use std::path::Path;

pub(super) const HEADERS: &str = "composer.composerHeaders";
/// Cursor compares this value to see that the table changed.
const VERSION: &str = "composer.composerHeaders.version";
/// The list of a workspace until 2.6.
pub(super) const OLD_LIST: &str = "composer.composerData";
const PROJECTS: &str = "glass.localAgentProjects.v1";
const MEMBERS: &str = "glass.localAgentProjectMembership.v1";

/// The values that a write may change, for the copy that is kept of them.
pub(super) const LISTS: [&str; 3] = [HEADERS, PROJECTS, MEMBERS];

/// A conversation as the lists show it.
pub(super) struct Entry<'a> {
    pub(super) id: &'a str,
    pub(super) document: &'a Document,
    /// The workspace in which it is listed, if it is not listed yet.
    pub(super) workspace: Option<Workspace<'a>>,
    pub(super) now: Millis,
}

#[derive(Clone, Copy)]
pub(super) struct Workspace<'a> {
    pub(super) id: &'a str,
    pub(super) cwd: &'a Path,
}

impl Workspace<'_> {
    /// As `workspaceIdentifier` has it.
    pub(super) fn identifier(&self) -> Value {
        let path = self.cwd.to_string_lossy();
        let external = vscode::uri_of(&path, System::HERE);
        let inside = match System::HERE {
            System::Windows => format!("/{}", path.replace('\\', "/")),
            _ => path.to_string(),
        };
        json!({ "id": self.id, "uri": { "$mid": 1, "fsPath": path, "external": external, "path": inside, "scheme": "file" } })
    }
}

impl Entry<'_> {
    /// The conversation's head: the present one with what changed, or a new one.
    fn head(&self, present: Option<&Value>) -> Value {
        let number = |name| self.document.number(name).unwrap_or(0);
        let (created, updated) = (number("createdAt"), number("lastUpdatedAt"));
        let mut head = match present.and_then(Value::as_object) {
            Some(present) => present.clone(),
            None => self.fresh(created),
        };
        let name = self.document.text("name").filter(|name| !name.is_empty());
        let has_name = head
            .get("name")
            .and_then(Value::as_str)
            .is_some_and(|name| !name.is_empty());
        // Cursor does not show a conversation without a name.
        if let Some(name) =
            name.or_else(|| (!has_name).then(|| super::title(self.document)).flatten())
        {
            head.insert("name".into(), json!(name));
        }
        head.insert("lastUpdatedAt".into(), json!(updated));
        head.insert("conversationCheckpointLastUpdatedAt".into(), json!(updated));
        Value::Object(head)
    }

    /// A head as Cursor 3 makes it.
    fn fresh(&self, created: i64) -> Map<String, Value> {
        let head = json!({
            "type": "head", "composerId": self.id, "createdAt": created, "subtitle": "", "name": "Conversation",
            "unifiedMode": "agent", "forceMode": "edit", "hasUnreadMessages": false, "contextUsagePercent": 0,
            "totalLinesAdded": 0, "totalLinesRemoved": 0, "filesChangedCount": 0, "hasBlockingPendingActions": false,
            "hasPendingPlan": false, "isArchived": false, "isDraft": false, "isWorktree": false, "isSpec": false,
            "isProject": false, "worktreeStartedReadOnly": false, "isBestOfNSubcomposer": false, "numSubComposers": 0,
            "referencedPlans": [], "trackedGitRepos": [], "workspaceIdentifier": self.workspace.map(|workspace| workspace.identifier()),
        });
        match head {
            Value::Object(head) => head,
            _ => Map::new(),
        }
    }
}

/// A value of JSON as stored; `Err` if it is there and not JSON, which is left alone.
fn item(store: &Store, key: &str) -> Result<Option<(Stored, Value)>, StateDbError> {
    let Some(stored) = state_db::value(&store.connection, &store.path, key)? else {
        return Ok(None);
    };
    match serde_json::from_slice(stored.bytes()) {
        Ok(value) => Ok(Some((stored, value))),
        Err(error) => Err(damaged(store, key, &error.to_string())),
    }
}

fn damaged(store: &Store, key: &str, what: &str) -> StateDbError {
    StateDbError::Unknown {
        path: store.path.clone(),
        what: format!("the value of \"{key}\" is damaged ({what})"),
    }
}

fn set(store: &Store, key: &str, was: &Stored, value: &Value) -> Result<(), StateDbError> {
    let sql = "insert or replace into ItemTable (key, value) values (?1, ?2)";
    let done = match was.with_text(value.to_string()) {
        Stored::Text(text) => store.connection.execute(sql, params![key, text]),
        Stored::Blob(bytes) => store.connection.execute(sql, params![key, bytes]),
    };
    done.map(drop).map_err(|error| store.sql(error))
}

/// Whether this database has a list of conversations: Cursor 3.0 or later.
pub(super) fn has_list(store: &Store) -> Result<bool, StateDbError> {
    Ok(store.has_headers || state_db::value(&store.connection, &store.path, HEADERS)?.is_some())
}

/// The head of a conversation in the lists of this database.
pub(super) fn head_of(store: &Store, id: &str) -> Result<Option<Value>, StateDbError> {
    let in_table = match store.has_headers {
        true => table_head(store, id).map_err(|error| store.sql(error))?,
        false => None,
    };
    if in_table.is_some() {
        return Ok(in_table);
    }
    let list = state_db::value(&store.connection, &store.path, HEADERS)?;
    let list: Option<Value> = list.and_then(|list| serde_json::from_slice(list.bytes()).ok());
    Ok(list.and_then(|list| entry_in(&list, id).cloned()))
}

fn table_head(store: &Store, id: &str) -> rusqlite::Result<Option<Value>> {
    let sql = "select cast(value as text) from composerHeaders where composerId = ?1";
    let text: Option<Option<String>> = store
        .connection
        .query_row(sql, [id], |row| row.get(0))
        .optional()?;
    Ok(text
        .flatten()
        .and_then(|text| serde_json::from_str(&text).ok()))
}

/// The entry of a conversation in a list of heads.
pub(super) fn entry_in<'l>(list: &'l Value, id: &str) -> Option<&'l Value> {
    let mut entries = list.get("allComposers")?.as_array()?.iter();
    entries.find(|entry| entry.get("composerId").and_then(Value::as_str) == Some(id))
}

/// Puts a conversation into every list of this database.
pub(super) fn put(store: &Store, entry: &Entry<'_>) -> Result<(), StateDbError> {
    let list = item(store, HEADERS)?;
    let n_listed = list
        .as_ref()
        .and_then(|(_, list)| Some(list.get("allComposers")?.as_array()?.len()));
    // The first row would hide everything that is in the value alone.
    let is_list_shown = || Ok(n_listed.is_some_and(|n| 0 < n) && is_table_empty(store)?);
    if store.has_headers && !is_list_shown().map_err(|error| store.sql(error))? {
        put_in_table(store, entry).map_err(|error| store.sql(error))?;
    }
    if let Some((was, mut list)) = list {
        put_in_list(&mut list, entry).ok_or_else(|| damaged(store, HEADERS, "it has no list"))?;
        set(store, HEADERS, &was, &list)?;
    }
    put_in_sidebar(store, entry)?;
    count_up(store, entry.now)
}

fn is_table_empty(store: &Store) -> rusqlite::Result<bool> {
    let sql = "select not exists (select 1 from composerHeaders)";
    store.connection.query_row(sql, [], |row| row.get(0))
}

/// Puts a conversation into a list of heads; `None` if the value holds no such list.
pub(super) fn put_in_list(list: &mut Value, entry: &Entry<'_>) -> Option<()> {
    let entries = list.get_mut("allComposers")?.as_array_mut()?;
    let is_it = |head: &Value| head.get("composerId").and_then(Value::as_str) == Some(entry.id);
    match entries.iter_mut().find(|head| is_it(head)) {
        Some(present) => *present = entry.head(Some(present)),
        None => entries.insert(0, entry.head(None)),
    }
    Some(())
}

fn put_in_table(store: &Store, entry: &Entry<'_>) -> rusqlite::Result<()> {
    let head = entry.head(table_head(store, entry.id)?.as_ref());
    let number = |name: &str| head.get(name).and_then(Value::as_i64);
    let (created, updated) = (number("createdAt"), number("lastUpdatedAt"));
    let change = "update composerHeaders set lastUpdatedAt = ?2, recency = ?2, checkpointAt = ?2, value = ?3 where composerId = ?1";
    let text = head.to_string();
    if store
        .connection
        .execute(change, params![entry.id, updated, text])?
        == 0
    {
        let add = "insert into composerHeaders (composerId, workspaceId, createdAt, lastUpdatedAt, isArchived, isSubagent, \
                   recency, checkpointAt, value) values (?1, ?2, ?3, ?4, 0, 0, ?4, ?4, ?5)";
        let row = params![
            entry.id,
            entry.workspace.map(|workspace| workspace.id),
            created,
            updated,
            text
        ];
        store.connection.execute(add, row)?;
    }
    Ok(())
}

/// The sidebar of agents, if Cursor has one: the workspace's project, and the conversation in it.
fn put_in_sidebar(store: &Store, entry: &Entry<'_>) -> Result<(), StateDbError> {
    let (Some((was, mut projects)), Some((was_members, mut members))) =
        (item(store, PROJECTS)?, item(store, MEMBERS)?)
    else {
        return Ok(());
    };
    let list = projects
        .as_array_mut()
        .ok_or_else(|| damaged(store, PROJECTS, "it is no list"))?;
    let names = members
        .as_object_mut()
        .ok_or_else(|| damaged(store, MEMBERS, "it is no object"))?;
    let is_there = names.contains_key(entry.id);
    let Some(workspace) = entry.workspace.filter(|_| !is_there) else {
        return Ok(());
    };
    let (cwd, id) = (workspace.cwd.to_string_lossy(), workspace.id);
    let is_its = |project: &&Value| {
        let text = |pointer| project.pointer(pointer).and_then(Value::as_str);
        text("/workspace/id") == Some(id) || text("/workspace/uri/fsPath") == Some(&*cwd)
    };
    let known = list
        .iter()
        .find(is_its)
        .and_then(|project| project.get("id")?.as_str().map(str::to_owned));
    let project = known.unwrap_or_else(|| {
        let project = uuid_of(id);
        let name = workspace
            .cwd
            .file_name()
            .unwrap_or_default()
            .to_string_lossy();
        let now = entry.now.0;
        list.push(json!({
            "id": project, "name": name, "workspace": workspace.identifier(),
            "createdAt": now, "lastUpdatedAt": now, "isArchived": false,
        }));
        project
    });
    names.insert(entry.id.to_owned(), json!(project));
    set(store, PROJECTS, &was, &projects)?;
    set(store, MEMBERS, &was_members, &members)
}

/// An id that is always the same for one workspace.
fn uuid_of(workspace: &str) -> String {
    let hash = blake3::derive_key(
        "session-roam 2026-11 project of a Cursor workspace",
        workspace.as_bytes(),
    );
    let hex = data_encoding::HEXLOWER.encode(&hash);
    format!(
        "{}-{}-4{}-8{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[13..16],
        &hex[17..20],
        &hex[20..32]
    )
}

fn count_up(store: &Store, now: Millis) -> Result<(), StateDbError> {
    let Some(was) = state_db::value(&store.connection, &store.path, VERSION)? else {
        return Ok(());
    };
    let is_quoted = was.bytes().first() == Some(&b'"');
    let version = Value::from(format!("{}-1", now.0));
    match is_quoted {
        true => set(store, VERSION, &was, &version),
        false => {
            let sql = "insert or replace into ItemTable (key, value) values (?1, ?2)";
            let text = format!("{}-1", now.0);
            let done = store.connection.execute(sql, params![VERSION, text]);
            done.map(drop).map_err(|error| store.sql(error))
        }
    }
}

/// A list of heads without a conversation; `None` if it has no entry of it.
pub(super) fn list_without(list: &[u8], id: &str) -> Option<String> {
    let mut list: Value = serde_json::from_slice(list).ok()?;
    entry_in(&list, id)?;
    let entries = list.get_mut("allComposers")?.as_array_mut()?;
    entries.retain(|head| head.get("composerId").and_then(Value::as_str) != Some(id));
    Some(list.to_string())
}

/// Takes a conversation out of every list of this database.
pub(super) fn remove(store: &Store, id: &str, now: Millis) -> Result<(), StateDbError> {
    if store.has_headers {
        let gone = store
            .connection
            .execute("delete from composerHeaders where composerId = ?1", [id]);
        gone.map_err(|error| store.sql(error))?;
    }
    if let Some((was, mut list)) = item(store, HEADERS)?
        && let Some(entries) = list.get_mut("allComposers").and_then(Value::as_array_mut)
    {
        entries.retain(|head| head.get("composerId").and_then(Value::as_str) != Some(id));
        set(store, HEADERS, &was, &list)?;
    }
    if let Some((was, mut members)) = item(store, MEMBERS)?
        && members
            .as_object_mut()
            .is_some_and(|members| members.remove(id).is_some())
    {
        set(store, MEMBERS, &was, &members)?;
    }
    count_up(store, now)
}
