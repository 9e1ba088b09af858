//! Tasks: the sessions of the extension in an editor.

use super::*;
use crate::session::ProblemCode;

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

    pub(super) fn touched(&self, path: &Path) -> Option<Touched> {
        let names = files::names_below(&self.dir, path)?;
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        Some(match names[..] {
            [] | ["tasks" | "state"] | ["state", LIST] => Touched::Everything,
            ["tasks", id] if is_task_id(id) => Touched::Session(SessionId::new(id)),
            ["tasks", id, file] if is_task_id(id) && TASK_FILES.contains(&file) => {
                Touched::Session(SessionId::new(id))
            }
            _ => Touched::Nothing,
        })
    }

    /// Why tasks must not be written now.
    pub(super) fn live(&self, running: &[Running]) -> Option<String> {
        let is_open = running.iter().any(|process| self.editor.is(process));
        is_open.then(|| {
            format!(
                "{} is running, which keeps {NAME}'s list of tasks in memory",
                self.editor.name
            )
        })
    }

    pub(super) fn list<'r>(
        &self,
        which: Which<'_>,
        running: &dyn Fn() -> &'r [Running],
        seen: &mut BTreeSet<String>,
        listing: &mut Listing,
    ) {
        let ids = dirs(&self.dir.join("tasks"), which, is_task_id);
        let live = || self.live(running());
        if let Which::ConflictCopies = which {
            let doc_of = |file: &str| TASK_FILES.contains(&file).then(|| file.to_owned());
            for id in ids {
                let session = SessionId::new(id.as_str());
                listing.conflict_copies.extend(conflict_copies(
                    &self.task_dir(&id),
                    &session,
                    doc_of,
                    &live,
                ));
            }
            return;
        }
        let rows = match (ids.is_empty(), Rows::at(&self.list_path())) {
            (false, Err(why)) => {
                listing.problems.push(unknown_list(&why));
                None
            }
            (_, rows) => rows.ok(),
        };
        for id in ids {
            let Some(mut docs) = self.task_docs(&id) else {
                continue;
            };
            docs.extend(rows.as_ref().and_then(|rows| self.row_doc(rows, &id)));
            if seen.contains(&id) {
                listing.problems.push(twice(&id, &self.task_dir(&id)));
                let session = SessionId::new(id.as_str());
                listing
                    .twins
                    .extend(docs.into_iter().next().map(|doc| Twin { session, doc }));
                continue;
            }
            listing.found.push(Found {
                session: SessionId::new(id.as_str()),
                docs,
                live: live(),
            });
            seen.insert(id);
        }
    }

    pub(super) fn task_docs(&self, id: &str) -> Option<Vec<FoundDoc>> {
        let at = format!("{}/tasks/{id}", self.editor.folder);
        docs_in(&self.task_dir(id), &at, API_HISTORY, |file| {
            TASK_FILES.contains(&file).then(|| file.to_owned())
        })
    }

    pub(super) fn row_doc(&self, rows: &Rows, id: &str) -> Option<FoundDoc> {
        Some(FoundDoc {
            name: DocName::new(ROW),
            kind: DocKind::Snapshot,
            at: format!("{}/state/{LIST}", self.editor.folder),
            path: self.list_path(),
            stamp: row_stamp(rows.row(id)?),
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

/// A stamp that changes with the row and never equals that of a file.
pub(super) fn row_stamp(row: &str) -> Stamp {
    let hash = blake3::hash(row.as_bytes());
    let mut first = [0; 8];
    first.copy_from_slice(&hash.as_bytes()[..8]);
    Stamp {
        len: row.len() as u64,
        mtime_ns: 0,
        ctime_ns: i64::from_le_bytes(first),
        inode: 0,
    }
}

pub(super) fn read_task(found: &Found, main: &FoundDoc) -> io::Result<Reading> {
    let mut problems = Vec::new();
    let mut docs = Vec::new();
    let mut row = None;
    for doc in &found.docs {
        docs.push(match doc.name.as_str() {
            ROW => {
                let rows = Rows::at(&doc.path).map_err(io::Error::other)?;
                let text = rows
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
                problems.push(unknown_shape(
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
        updated: ts.or(Some(Millis(main.stamp.mtime_ns / 1_000_000))),
        version: found
            .docs
            .iter()
            .find(|doc| doc.name.as_str() == "task_metadata.json")
            .and_then(version_of_task),
        early: row.is_none() && cwd.is_none() && problems.is_empty(),
        cwd,
        ..Facts::default()
    };
    Ok(Reading {
        facts,
        docs,
        secret: Vec::new(),
        problems,
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
    let main = store.task_dir(id).join(API_HISTORY);
    let still_free = || match store.live(&hosts(machine)) {
        Some(live) => Err(WriteError::Live(live)),
        None => Ok(()),
    };
    still_free()?;
    let rows = Rows::at(&store.list_path()).map_err(WriteError::Refused)?;
    let list_path = store.list_path();
    let list_change = list_change(&list_path, &rows);
    let mut planned = Vec::new();
    for doc in &checkout.docs {
        let path = match doc.name.as_str() {
            ROW => list_path.clone(),
            file => store.task_dir(id).join(file),
        };
        check_place(&doc.change, &path, &main)?;
        let bytes = content_of(&doc.change, &path)?;
        let (change, bytes) = match doc.name.as_str() {
            ROW => (
                &list_change,
                new_list(&store, &rows, checkout, &doc.change, bytes)?.into_bytes(),
            ),
            API_HISTORY if bytes.as_deref().is_some_and(|bytes| !is_list(bytes)) => {
                return Err(refused(
                    checkout.session,
                    "its conversation is no list of messages",
                ));
            }
            _ => (&doc.change, bytes.unwrap_or_default()),
        };
        planned.push(Planned {
            name: doc.name,
            path,
            change,
            bytes: Whole(bytes),
        });
    }
    let mut written = write_planned(&store.dir, &planned, checkout.updated, &still_free)?;
    drop(fs::remove_dir(store.task_dir(id)));
    for (_, path, stamp) in written
        .docs
        .iter_mut()
        .filter(|(name, ..)| name.as_str() == ROW)
    {
        let now = Rows::at(path).ok();
        *stamp = now
            .as_ref()
            .and_then(|rows| rows.row(id))
            .map(row_stamp)
            .unwrap_or_default();
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
        .and_then(|doc| doc.at.split('/').next())
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

/// The change of the list file, independent of the row.
pub(super) fn list_change<'a>(path: &'a Path, rows: &Rows) -> Change<'a> {
    // The content is filled in where the list is written.
    static NOTHING: Whole = Whole(Vec::new());
    match rows.stamp {
        Some(was) => Change::Replace {
            path,
            was,
            bytes: &NOTHING,
        },
        None => Change::Create(&NOTHING),
    }
}

/// The list with the row in this device's form.
pub(super) fn new_list(
    store: &TaskStore,
    rows: &Rows,
    checkout: &Checkout<'_>,
    change: &Change<'_>,
    bytes: Option<Vec<u8>>,
) -> Result<String, WriteError> {
    let id = checkout.session.as_str();
    let now = rows.row(id).map(row_stamp);
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
    let Some(bytes) = bytes else {
        return Ok(rows.without(id));
    };
    let cwd = json_path(checkout.cwd)?;
    let row = fields::with(
        &bytes,
        &[
            ("cwdOnTaskInitialization", &cwd),
            ("shadowGitConfigWorkTree", &cwd),
        ],
    );
    let row = String::from_utf8(row)
        .ok()
        .filter(|row| rows::id_of(row).as_deref() == Some(id));
    let row = row.ok_or_else(|| refused(checkout.session, "its row in the list is not known"))?;
    Ok(rows.with(id, row.trim()))
}
