//! Writing a conversation into Cursor's database: one short transaction, only while Cursor does not
//! run. What steers Cursor, and what is this device's own, stays as it is here.

use super::document::{Bubble, Document, SHARED, STATE};
use super::index::{self, Entry, Workspace};
use super::store::{Conversation, Store, blob_key, key};
use super::{BLOB_DOCS, MAIN, NAME, blobs, removing, state};
use crate::adapter::{Change, Checkout, Stamp, Which, WriteError, Written};
use crate::formats::files;
use crate::formats::ordered::fields_of;
use crate::formats::record_set::{self, NewRows};
use crate::formats::sqlite::DbError;
use crate::formats::state_db::{self, Stored};
use crate::session::Millis;
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The number of days for which the earlier lists are kept.
const KEPT: usize = 5;

pub(super) fn refused(why: impl Into<String>) -> WriteError {
    WriteError::Refused(why.into())
}

/// Where a conversation is written.
pub(super) struct Target<'a> {
    pub(super) user: &'a Path,
    /// `None` if the directory was never opened in Cursor here. A conversation that is listed needs
    /// none.
    pub(super) workspace: Option<Workspace<'a>>,
    /// The workspace's own database, which has the list of Cursor 2.
    pub(super) workspace_db: Option<&'a Path>,
}

/// The docs of a session as they shall be; `None` for those that stay.
#[derive(Default)]
struct New {
    document: Option<Document>,
    blobs: Vec<(state::BlobId, Vec<u8>)>,
    is_removal: bool,
    /// Of a conversation that is forgotten: the blobs that go with it.
    removed: Vec<state::BlobId>,
}

impl New {
    fn of(checkout: &Checkout<'_>) -> Result<Self, WriteError> {
        let mut new = Self::default();
        for doc in &checkout.docs {
            let name = doc.name.as_str();
            if let Change::Append { .. } = doc.change {
                return Err(refused(format!(
                    "A conversation of {NAME} is written whole"
                )));
            }
            match (name, doc.change.content()?) {
                (MAIN, Some(content)) => {
                    let document = Document::parse(&content)
                        .ok_or_else(|| refused(format!("The document is no conversation of {NAME} in a form that can be written")))?;
                    if document.text("composerId").as_deref() != Some(checkout.session.as_str()) {
                        return Err(refused("The document is another conversation"));
                    }
                    new.document = Some(document);
                }
                (name, Some(content)) if BLOB_DOCS.contains(&name) => {
                    let blobs = blobs::parse(&content)
                        .map_err(|why| refused(format!("\"{name}\" cannot be written: {why}")))?;
                    new.blobs.extend(blobs);
                }
                (name, None) if name == MAIN || BLOB_DOCS.contains(&name) => {
                    new.is_removal |= name == MAIN
                }
                _ => {
                    return Err(refused(format!(
                        "\"{name}\" is not one of a conversation's documents"
                    )));
                }
            }
        }
        Ok(new)
    }
}

/// Writes a conversation. `still_free` says whether Cursor still does not run.
pub(super) fn write(
    checkout: &Checkout<'_>,
    target: &Target<'_>,
    still_free: &dyn Fn() -> Result<(), WriteError>,
) -> Result<Written, WriteError> {
    still_free()?;
    let mut new = New::of(checkout)?;
    let path = super::database(target.user);
    let mut store = Store::open(&path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    store.check_shape()?;
    let mut remains = None;
    if new.is_removal && checkout.forgets {
        // May take seconds, in which Cursor is not kept from its database.
        let removed = removing::blobs_of_one(&store, checkout.session.as_str());
        match removed.map_err(|error| store.sql(error))? {
            Some(blobs) => new.removed = blobs,
            None => remains = Some(removing::unclear(&path)),
        }
    }
    let rows = NewConversation {
        store: &store,
        target,
        checkout,
        new,
    };
    let written = record_set::write((&store.connection, &path), checkout, &rows, still_free)?;
    Ok(Written { remains, ..written })
}

/// A conversation's rows as they are to be.
struct NewConversation<'a> {
    store: &'a Store,
    target: &'a Target<'a>,
    checkout: &'a Checkout<'a>,
    new: New,
}

impl<'a> NewRows for NewConversation<'a> {
    type Left = Option<OldList<'a>>;

    fn stamp(&self) -> Result<Option<Stamp>, WriteError> {
        // A transaction within the one of a write cannot begin.
        let listed = self.store.list_within(Which::One(self.checkout.session));
        let (mut listed, _) = listed.map_err(|error| self.store.sql(error))?;
        Ok(listed.pop().map(|listed| listed.stamp))
    }

    fn change(&self) -> Result<Self::Left, WriteError> {
        let (store, checkout, new) = (self.store, self.checkout, &self.new);
        keep_lists(store, self.target.user, checkout).map_err(|error| match error {
            WriteError::Io { .. } | WriteError::Refused(_) => error,
            other => refused(other.to_string()),
        })?;
        if new.is_removal {
            let id = checkout.session.as_str();
            removing::leave_old_lists(self.target.user, id)?;
            remove(store, (id, &new.removed), checkout.now)?;
            return Ok(None);
        }
        put_blobs(&store.connection, &new.blobs).map_err(|error| store.sql(error))?;
        match &new.document {
            Some(document) => put(store, self.target, checkout, document),
            None => Ok(None),
        }
    }

    fn check_arrived(&self, old_list: Self::Left) -> Result<(), WriteError> {
        // Later readers then find all of it in the main file. A reader of ours may keep that from
        // happening, which does no harm.
        let checkpoint = "pragma wal_checkpoint(passive)";
        drop(self.store.connection.query_row(checkpoint, [], |_| Ok(())));
        check_arrived(self.store, self.checkout, &self.new)?;
        let Some(list) = old_list else {
            return Ok(());
        };
        let now = self.checkout.now;
        let listed = list.write(self.target.user, now);
        if listed.is_err() && list.is_new {
            // What is in no list is not shown, and would never be tried again.
            remove(self.store, (self.checkout.session.as_str(), &[]), now)?;
        }
        listed
    }
}

/// Keeps the lists as they were before the first change of the day.
fn keep_lists(store: &Store, user: &Path, checkout: &Checkout<'_>) -> Result<(), WriteError> {
    let mut lists = serde_json::Map::new();
    for key in index::LISTS {
        let value = state_db::value(&store.connection, &store.path, key)?;
        if let Some(text) = value.and_then(|value| String::from_utf8(value.bytes().to_vec()).ok()) {
            lists.insert(key.to_owned(), Value::from(text));
        }
    }
    keep_beside(&store.path, user, lists, checkout.now)
}

fn keep_beside(
    database: &Path,
    user: &Path,
    lists: serde_json::Map<String, Value>,
    now: Millis,
) -> Result<(), WriteError> {
    if lists.is_empty() {
        return Ok(());
    }
    let bytes = Value::Object(lists).to_string().into_bytes();
    let stem = database.with_file_name(".roam-cursor-lists");
    files::keep_of_the_day(user, &stem, &bytes, KEPT, now)
}

fn put_blobs(connection: &Connection, blobs: &[(state::BlobId, Vec<u8>)]) -> rusqlite::Result<()> {
    let mut add = connection.prepare("insert into cursorDiskKV (key, value) select ?1, ?2 where not exists (select 1 from cursorDiskKV where key = ?1 and value is not null)")?;
    for (id, bytes) in blobs {
        add.execute(params![blob_key(id), bytes])?;
    }
    Ok(())
}

/// A row with the storage class of the row that it replaces.
fn put_row(connection: &Connection, key: &str, text: &str) -> rusqlite::Result<()> {
    let class = "select typeof(value) from cursorDiskKV where key = ?1";
    let class: Option<String> = connection
        .prepare_cached(class)?
        .query_row([key], |row| row.get(0))
        .optional()?;
    let mut put = connection
        .prepare_cached("insert or replace into cursorDiskKV (key, value) values (?1, ?2)")?;
    match class.as_deref() {
        Some("blob") => put.execute(params![key, text.as_bytes()])?,
        _ => put.execute(params![key, text])?,
    };
    Ok(())
}

fn put<'a>(
    store: &Store,
    target: &Target<'a>,
    checkout: &Checkout<'_>,
    document: &Document,
) -> Result<Option<OldList<'a>>, WriteError> {
    let id = checkout.session.as_str();
    let sql = |error| store.sql(error);
    let unopened = || {
        let cwd = checkout.cwd.display();
        refused(format!(
            "{cwd} was never opened in {NAME} here; open it there once, and quit {NAME} again"
        ))
    };
    let has_list = index::has_list(store)?;
    let is_listed = has_list && index::head_of(store, id)?.is_some();
    if target.workspace.is_none() && !is_listed {
        return Err(unopened());
    }
    check_complete(store, document).map_err(sql)??;
    let read = store.read_within(id).map_err(sql)?;
    put_bubbles(store, id, document).map_err(sql)?;
    let composer_key = key("composerData", id);
    let here = store.text(&composer_key).map_err(sql)?;
    let workspace = target.workspace.map(|workspace| workspace.identifier());
    let here_as = Here {
        row: here.as_deref(),
        has_messages: read.is_some_and(|read| read.document.bubbles == document.bubbles),
        unfinished: store.unfinished(id).map_err(sql)?,
    };
    let text = composer(&here_as, document, &workspace.unwrap_or_default()).ok_or_else(|| {
        refused("The conversation here is of a form that is not known; nothing was written")
    })?;
    put_row(&store.connection, &composer_key, &text).map_err(sql)?;
    let entry = Entry {
        id,
        document,
        workspace: target.workspace,
        now: checkout.now,
    };
    if has_list {
        index::put(store, &entry)?;
        return Ok(None);
    }
    let mut list = OldList::with(target.workspace_db.ok_or_else(unopened)?, &entry)?;
    list.is_new = here.is_none();
    Ok(Some(list))
}

/// Cursor cannot continue from a state of which a part is missing.
fn check_complete(store: &Store, document: &Document) -> rusqlite::Result<Result<(), WriteError>> {
    let state = document.state().unwrap_or_default();
    let blob = |id: &state::BlobId| store.bytes(&blob_key(id));
    let (_, missing) = state::closure(&state, blob)?;
    Ok(match missing {
        0 => Ok(()),
        missing => Err(refused(format!(
            "{missing} parts of the agent's state have not arrived yet"
        ))),
    })
}

fn put_bubbles(store: &Store, id: &str, document: &Document) -> rusqlite::Result<()> {
    for bubble in &document.bubbles {
        let key = format!("bubbleId:{id}:{}", bubble.id);
        let here = store.text(&key)?;
        let known = here.as_deref().and_then(Bubble::of);
        if known.as_ref() == Some(bubble) {
            continue;
        }
        let row = here.and_then(|here| bubble.over(&here));
        put_row(
            &store.connection,
            &key,
            row.as_ref().unwrap_or(&bubble.text),
        )?;
    }
    Ok(())
}

/// The list of Cursor 2, in the workspace's own database, as it was and as it is to be once the
/// conversation is there.
struct OldList<'a> {
    path: &'a Path,
    was: Option<Stored>,
    new: Stored,
    /// The conversation was not here before.
    is_new: bool,
}

impl<'a> OldList<'a> {
    fn with(path: &'a Path, entry: &Entry<'_>) -> Result<Self, WriteError> {
        let was = state_db::get(path, index::OLD_LIST)?;
        let mut list = match &was {
            Some(was) => serde_json::from_slice(was.bytes()).map_err(|error| {
                refused(format!(
                    "the list of conversations in {} is damaged ({error})",
                    path.display()
                ))
            })?,
            None => json!({ "allComposers": [] }),
        };
        let done = index::put_in_list(&mut list, entry);
        done.ok_or_else(|| {
            refused(format!(
                "{} has no list of conversations that is known",
                path.display()
            ))
        })?;
        let text = list.to_string();
        let new = match &was {
            Some(was) => was.with_text(text),
            None => Stored::Text(text),
        };
        Ok(Self {
            path,
            was,
            new,
            is_new: false,
        })
    }

    /// Writes the list, and keeps it as it was before the first change of the day.
    fn write(&self, user: &Path, now: Millis) -> Result<(), WriteError> {
        let was = self.was.as_ref().map(|was| was.bytes().to_vec());
        if let Some(text) = was.and_then(|was| String::from_utf8(was).ok()) {
            let lists = [(index::OLD_LIST.to_owned(), Value::from(text))];
            keep_beside(self.path, user, lists.into_iter().collect(), now)?;
        }
        let (was, new) = (self.was.as_ref(), Some(&self.new));
        Ok(state_db::put(self.path, index::OLD_LIST, was, new)?)
    }
}

/// The conversation as it is here before the write.
struct Here<'a> {
    /// Its `composerData`.
    row: Option<&'a str>,
    /// Its messages are those to be written.
    has_messages: bool,
    /// Bubbles at its end that never synced.
    unfinished: BTreeSet<String>,
}

/// `composerData` with the conversation in it: the present one with what syncs replaced, or a new one
/// in which this device's settings decide.
fn composer(here: &Here<'_>, document: &Document, workspace: &Value) -> Option<String> {
    let fresh = fresh(workspace).to_string();
    let mut fields: BTreeMap<String, Box<RawValue>> =
        serde_json::from_str(here.row.unwrap_or(&fresh)).ok()?;
    let raw = |text: String| RawValue::from_string(text).ok();
    for name in SHARED {
        if let Some(value) = document.composer.get(name) {
            fields.insert(name.to_owned(), raw(value.clone())?);
        }
    }
    let known: Vec<Value> = fields
        .get("fullConversationHeadersOnly")
        .and_then(|heads| serde_json::from_str(heads.get()).ok())
        .unwrap_or_default();
    let mut known: Vec<&Value> = known.iter().collect();
    let mut head_of = |bubble: &Bubble| {
        let at = known.iter().position(|head| id_of(head) == bubble.id);
        at.map_or_else(|| bubble.head(), |at| known.remove(at).to_string())
    };
    let mut heads: Vec<String> = document.bubbles.iter().map(&mut head_of).collect();
    // What did not end here is in no journal, and goes behind what arrived.
    let unfinished = known
        .iter()
        .filter(|head| here.unfinished.contains(id_of(head)));
    heads.extend(unfinished.map(|head| head.to_string()));
    let heads = format!("[{}]", heads.join(","));
    fields.insert("fullConversationHeadersOnly".to_owned(), raw(heads)?);
    let now = fields
        .get(STATE)
        .and_then(|state| serde_json::from_str::<String>(state.get()).ok());
    // A device that lost a part of the state has none that syncs. It fits the same messages.
    let is_kept = here.has_messages && document.state().is_none();
    if !is_kept && now.and_then(|now| state::shared(&now)) != document.state() {
        fields.insert(
            STATE.to_owned(),
            raw(document.composer.get(STATE)?.clone())?,
        );
    }
    let text = serde_json::to_string(&fields).ok()?;
    fields_of(&text).is_some().then_some(text)
}

/// The bubble that an entry of the list names.
fn id_of(head: &Value) -> &str {
    let id = head.get("bubbleId").and_then(Value::as_str);
    id.unwrap_or_default()
}

/// What Cursor needs to open a conversation, with nothing chosen (`_v` 10 to 18).
fn fresh(workspace: &Value) -> Value {
    const LISTS: [&str; 15] = [
        "composers",
        "consoleLogs",
        "cursorCommands",
        "cursorRules",
        "externalLinks",
        "fileSelections",
        "folderSelections",
        "quotes",
        "selectedCommits",
        "selectedDocs",
        "selectedImages",
        "selectedPullRequests",
        "selections",
        "terminalSelections",
        "uiElementSelections",
    ];
    let mut context: serde_json::Map<String, Value> = LISTS
        .map(|name| (name.to_owned(), json!([])))
        .into_iter()
        .collect();
    let mentions: serde_json::Map<String, Value> = LISTS
        .map(|name| (name.to_owned(), json!({})))
        .into_iter()
        .collect();
    context.insert("mentions".into(), Value::Object(mentions));
    json!({
        "text": "", "richText": "", "hasLoaded": true, "status": "completed", "conversationMap": {}, "context": context,
        "codeBlockData": {}, "originalFileStates": {}, "newlyCreatedFiles": [], "newlyCreatedFolders": [],
        "generatingBubbleIds": [], "capabilities": [], "usageData": {}, "unifiedMode": "agent", "forceMode": "edit",
        "isAgentic": true, "isNAL": true, "isArchived": false, "isDraft": false, "subComposerIds": [], "todos": [],
        "conversationState": "~", "workspaceIdentifier": workspace,
    })
}

/// As Cursor deletes a conversation: its rows go, and `composerData` stays without a value. These
/// blobs go too: they have the text of prompts and answers.
fn remove(
    store: &Store,
    (id, blobs): (&str, &[state::BlobId]),
    now: Millis,
) -> Result<(), DbError> {
    const SPACES: [&str; 6] = [
        "bubbleId",
        "checkpointId",
        "codeBlockDiff",
        "codeBlockPartialInlineDiffFates",
        "messageRequestContext",
        "ofsContent",
    ];
    let run = || -> rusqlite::Result<()> {
        for space in SPACES {
            let [from, to] = super::store::below(space, id);
            store.connection.execute(
                "delete from cursorDiskKV where key >= ?1 and key < ?2",
                [from, to],
            )?;
        }
        let mut delete = store
            .connection
            .prepare("delete from cursorDiskKV where key = ?1")?;
        delete.execute([key("agentKv:checkpoint", id)])?;
        for blob in blobs {
            delete.execute([blob_key(blob)])?;
        }
        let gone = "update cursorDiskKV set value = null where key = ?1";
        store
            .connection
            .execute(gone, [key("composerData", id)])
            .map(drop)
    };
    run().map_err(|error| store.sql(error))?;
    index::remove(store, id, now)
}

/// Reads the conversation again and compares what syncs.
fn check_arrived(store: &Store, checkout: &Checkout<'_>, new: &New) -> Result<(), WriteError> {
    let Some(wanted) = new.document.as_ref().filter(|_| !new.is_removal) else {
        return Ok(());
    };
    let found = store.read(checkout.session.as_str())?;
    let same = |found: &Conversation| {
        let shared = |document: &Document| SHARED.map(|name| document.composer.get(name).cloned());
        let is_same_state = wanted.state().is_none()
            || found.document.composer.get(STATE) == wanted.composer.get(STATE);
        found.document.bubbles == wanted.bubbles
            && shared(&found.document) == shared(wanted)
            && is_same_state
    };
    match found.as_ref().is_some_and(same) {
        true => Ok(()),
        false => Err(refused(format!(
            "{} did not take the conversation as it is",
            store.path.display()
        ))),
    }
}
