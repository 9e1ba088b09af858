//! Tasks: the sessions of the extension in an editor.

use super::*;
use crate::session::ProblemCode;
use std::collections::BTreeSet;

/// The extension's tasks in one editor.
pub(super) struct TaskStore {
    pub(super) editor: &'static Editor,
    pub(super) dir: PathBuf,
}

pub(super) fn task_stores(machine: &Machine) -> Vec<TaskStore> {
    task_stores_on(System::HERE, machine)
}

pub(super) fn task_stores_on(system: System, machine: &Machine) -> Vec<TaskStore> {
    let store = |editor: &'static Editor| {
        let dir = editor
            .user_dir(system, machine)
            .join("globalStorage")
            .join(EXTENSION);
        TaskStore { editor, dir }
    };
    EDITORS.iter().map(store).collect()
}

/// The list of tasks in an editor.
pub(super) struct TaskList {
    /// `None` if the file does not exist.
    stamp: Option<Stamp>,
    rows: Rows,
}

impl TaskList {
    /// An error explains why the file is not a list.
    fn read(path: &Path) -> Result<Self, String> {
        let unread = |error: io::Error| format!("{} can't be read: {error}", path.display());
        let (stamp, text) = match Stamp::of(path) {
            Ok(stamp) => {
                let text = opener::read_text(path, opener::MOST).map_err(unread)?;
                (Some(stamp), text)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => (None, "[]".into()),
            Err(error) => return Err(unread(error)),
        };
        let rows = Rows::of_list(text, "id");
        let rows = rows.ok_or_else(|| format!("{} is no list", path.display()))?;
        Ok(Self { stamp, rows })
    }

    fn stamp_of(&self, id: &str) -> Option<Stamp> {
        self.rows.row(id).map(row_stamp)
    }
}

impl TaskStore {
    pub(super) fn task_dir(&self, id: &str) -> PathBuf {
        self.dir.join("tasks").join(id)
    }

    pub(super) fn list_path(&self) -> PathBuf {
        self.dir.join("state").join(LIST)
    }

    pub(super) fn has(&self, id: &str) -> bool {
        fs::symlink_metadata(self.task_dir(id).join(API_HISTORY))
            .is_ok_and(|metadata| metadata.is_file())
    }

    pub(super) fn files(&self) -> FileStore<'_> {
        FileStore::new(NAME, self.dir.clone(), &TASK_DOCS, is_task_id)
    }

    pub(super) fn touched(&self, path: &Path) -> Touched {
        let names = files::names_below(&self.dir, path).unwrap_or_default();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        match names[..] {
            ["state"] | ["state", LIST] => Touched::Everything,
            _ => self.files().touched(path),
        }
    }

    /// Why tasks must not be written now.
    pub(super) fn open_in(&self, running: &[Running]) -> Option<String> {
        let is_open = running.iter().any(|process| self.editor.is(process));
        is_open.then(|| {
            format!(
                "{} is running, which keeps {NAME}'s list of tasks in memory",
                self.editor.name
            )
        })
    }

    /// Adds the tasks to those of the stores before.
    pub(super) fn list<'r>(
        &self,
        which: Which<'_>,
        running: &dyn Fn() -> &'r [Running],
        listing: &mut Listing,
    ) {
        let mut tasks = self.files().list(which, &|_| self.open_in(running()));
        tasks.map_places(|at| format!("{}/{at}", self.editor.folder));
        let rows = match TaskList::read(&self.list_path()) {
            Err(why) if !tasks.found.is_empty() => {
                listing.problems.push(unknown_list(&why));
                None
            }
            rows => rows.ok(),
        };
        let seen: BTreeSet<SessionId> = listing
            .found
            .iter()
            .map(|found| found.session.clone())
            .collect();
        for mut task in tasks.found {
            let id = task.session.as_str();
            if seen.contains(&task.session) {
                listing.problems.push(twice(id, &self.task_dir(id)));
                let Found { session, docs, .. } = task;
                listing.twins.push(Twin { session, docs });
                continue;
            }
            let row = rows.as_ref().and_then(|rows| self.row_doc(rows, id));
            task.docs.extend(row);
            listing.found.push(task);
        }
        listing.conflict_copies.extend(tasks.conflict_copies);
    }

    pub(super) fn row_doc(&self, tasks: &TaskList, id: &str) -> Option<FoundDoc> {
        Some(FoundDoc {
            name: DocName::new(ROW),
            kind: DocKind::Snapshot,
            place: format!("{}/state/{LIST}", self.editor.folder),
            path: self.list_path(),
            stamp: tasks.stamp_of(id)?,
        })
    }
}

pub(super) fn twice(id: &str, ignored: &Path) -> Problem {
    Problem::new(
        ProblemCode::DuplicateSession,
        format!(
            "{NAME} has session {id} twice; the other one is in {}.",
            ignored.display()
        ),
        "Delete it in the editor, or move it away.",
    )
}

pub(super) fn unknown_list(why: &str) -> Problem {
    Problem::new(
        ProblemCode::UnknownShape,
        format!("{why}. {NAME}'s tasks there are read and not written."),
        "Please report it with the version of Cline.",
    )
}

pub(super) fn row_stamp(row: &str) -> Stamp {
    Stamp::made(row.len() as u64, Millis(0), row.as_bytes())
}

pub(super) fn read_task(found: &Found, main: &FoundDoc) -> io::Result<Reading> {
    let mut problems = Vec::new();
    let mut docs = Vec::new();
    let mut row = None;
    for doc in &found.docs {
        docs.push(match doc.name.as_str() {
            ROW => {
                let tasks = TaskList::read(&doc.path).map_err(io::Error::other)?;
                let text = tasks
                    .rows
                    .row(found.session.as_str())
                    .ok_or(io::ErrorKind::NotFound)?;
                row = serde_json::from_str::<Value>(text).ok();
                Content::Bytes(text.as_bytes().into())
            }
            _ => Content::File(doc.path.clone()),
        });
    }
    let first =
        match serde_json::from_slice::<Vec<&RawValue>>(&opener::read(&main.path, opener::MOST)?) {
            Ok(messages) => messages
                .first()
                .and_then(|message| serde_json::from_str::<Value>(message.get()).ok()),
            Err(_) => {
                problems.push(unknown_format(
                    NAME,
                    &found.session,
                    "its conversation is no list of messages",
                ));
                None
            }
        };
    let in_row = |key: &str| row.as_ref().and_then(|row| jsonl::text(row, key));
    let prompt = || Some(jsonl::text_of(first.as_ref()?.get("content")?)?.to_owned());
    let ts = row
        .as_ref()
        .and_then(|row| row.get("ts")?.as_i64())
        .map(Millis);
    let cwd = in_row("cwdOnTaskInitialization").or_else(|| first.as_ref().and_then(cwd_told));
    let facts = Facts {
        title: in_row("task")
            .or_else(prompt)
            .and_then(|text| jsonl::title_of(unwrapped(&text))),
        updated: ts.or(Some(main.stamp.modified())),
        version: found.doc(METADATA).and_then(version_of_task),
        early: row.is_none() && cwd.is_none() && problems.is_empty(),
        cwd,
        ..Facts::default()
    };
    Ok(Reading {
        facts,
        docs,
        problems,
        ..Reading::default()
    })
}

/// The directory that the extension reports to the model with the first prompt; not in older rows.
pub(super) fn cwd_told(message: &Value) -> Option<String> {
    let parts = message.get("content")?.as_array()?;
    let told = |text: &str| {
        let (_, rest) = text.split_once("# Current Working Directory (")?;
        Some(rest.split_once(") Files")?.0.to_owned())
    };
    parts
        .iter()
        .find_map(|part| told(part.get("text")?.as_str()?))
}

/// The version of the extension that last continued the task. Older ones do not record it.
pub(super) fn version_of_task(doc: &FoundDoc) -> Option<String> {
    let metadata: Value =
        serde_json::from_slice(&opener::read(&doc.path, opener::MOST).ok()?).ok()?;
    jsonl::text(
        metadata.get("environment_history")?.as_array()?.last()?,
        "cline_version",
    )
}

pub(super) fn write_task(
    machine: &Machine,
    checkout: &Checkout<'_>,
) -> Result<Written, WriteError> {
    let id = checkout.session.as_str();
    let store = store_for(machine, checkout);
    let still_free = || match store.open_in(&hosts(machine)) {
        Some(open_in) => Err(WriteError::Open(open_in)),
        None => Ok(()),
    };
    still_free()?;
    let tasks = TaskList::read(&store.list_path()).map_err(WriteError::Refused)?;
    let (files, list_path) = (store.files(), store.list_path());
    let at = files.in_group(checkout.session, "");
    let mut planned = Vec::new();
    for doc in &checkout.docs {
        let path = match doc.name.as_str() {
            ROW => list_path.clone(),
            _ => files.place(&at, doc.name)?.1,
        };
        let is_main = doc.name.as_str() == API_HISTORY;
        match doc.change.path() {
            Some(is) if is != path => return Err(WriteError::Changed(is.to_path_buf())),
            None if is_main && store.has(id) => return Err(WriteError::Changed(path)),
            _ => {}
        }
        let content = doc.change.content()?;
        if is_main && content.as_deref().is_some_and(|bytes| !is_list(bytes)) {
            let why = "its conversation is no list of messages";
            return Err(WriteError::not_written(NAME, checkout.session, why));
        }
        let list = match doc.name.as_str() {
            ROW => Some(new_list(&store, &tasks, checkout, &doc.change)?.into_bytes()),
            _ => None,
        };
        planned.push((doc, path, list));
    }
    let changes = planned
        .iter()
        .map(|(doc, path, list)| match (list, tasks.stamp) {
            (Some(bytes), Some(was)) => Change::Replace { path, was, bytes },
            (Some(bytes), None) => Change::Create(bytes),
            (None, _) => doc.change.of(None),
        });
    let changes: Vec<Change<'_>> = changes.collect();
    let writes = planned
        .iter()
        .zip(&changes)
        .map(|((doc, path, _), change)| GuestWrite {
            name: doc.name,
            root: &store.dir,
            path: path.clone(),
            change,
        });
    let writes: Vec<GuestWrite<'_>> = writes.collect();
    let mut written = files::write_docs(&writes, checkout.updated, &still_free)?;
    drop(fs::remove_dir(store.task_dir(id)));
    for (_, path, stamp) in written
        .docs
        .iter_mut()
        .filter(|(name, ..)| name.as_str() == ROW)
    {
        let now = TaskList::read(path)
            .ok()
            .and_then(|tasks| tasks.stamp_of(id));
        *stamp = now.unwrap_or_default();
    }
    Ok(written)
}

pub(super) fn is_list(bytes: &[u8]) -> bool {
    serde_json::from_slice::<Vec<IgnoredAny>>(bytes).is_ok()
}

/// The store with the task, else that of the editor in which the task was made, if Cline is there,
/// else the first editor with Cline.
pub(super) fn store_for(machine: &Machine, checkout: &Checkout<'_>) -> TaskStore {
    let authors = checkout
        .docs
        .first()
        .and_then(|doc| doc.place.split('/').next())
        .unwrap_or_default();
    let rank = |store: &TaskStore| match () {
        () if store.has(checkout.session.as_str()) => 0,
        () if !store.dir.is_dir() => 3,
        () if store.editor.folder == authors => 1,
        () => 2,
    };
    let mut stores = task_stores(machine);
    // A stable sort keeps the order of equals.
    stores.sort_by_key(rank);
    stores.swap_remove(0)
}

/// The list with the row in this device's form.
pub(super) fn new_list(
    store: &TaskStore,
    tasks: &TaskList,
    checkout: &Checkout<'_>,
    change: &Change<'_>,
) -> Result<String, WriteError> {
    let id = checkout.session.as_str();
    let now = tasks.stamp_of(id);
    match change {
        Change::Replace { path, was, .. }
        | Change::Append { path, was, .. }
        | Change::Remove { path, was }
            if now != Some(*was) =>
        {
            return Err(WriteError::Changed(path.to_path_buf()));
        }
        _ => {}
    }
    if matches!(change, Change::Create(_)) && now.is_some() && store.has(id) {
        return Err(WriteError::Changed(store.list_path()));
    }
    let Some(bytes) = change.content()? else {
        return Ok(tasks.rows.without(id));
    };
    let cwd = path_in_json(checkout.cwd, NAME)?;
    let row = fields::with(
        &bytes,
        &[
            ("cwdOnTaskInitialization", &cwd),
            ("shadowGitConfigWorkTree", &cwd),
        ],
    );
    let row = row
        .and_then(|row| String::from_utf8(row).ok())
        .filter(|row| fields::text(row.as_bytes(), "id").as_deref() == Some(id));
    let why = "its row in the list is not known";
    let row = row.ok_or_else(|| WriteError::not_written(NAME, checkout.session, why))?;
    Ok(tasks.rows.with(id, row.trim()))
}
