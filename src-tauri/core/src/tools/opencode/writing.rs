//! Writes a session with the tool's own program, and reads it back.
//!
//! - `import` assigns the session to the project and directory in which it runs. In a directory
//!   without a repository, or with one that has no commit, that is the project "global", where
//!   nobody would look for the session. Such an import is refused beforehand.
//! - `import` adds missing messages and parts and changes none that exist. Of the session itself it
//!   changes project and directory only. So a split session is united: both sides' messages are in
//!   one session, in the order of their times, and the model sees both. If two devices finished one
//!   message differently, which random ids rule out, no union is made. The fork could not be
//!   imported beside the session and is refused with an explanation.
//! - Messages undone or deleted on another device cannot be removed here. The session is then
//!   refused until it is deleted here, and comes back if both sides continued.

use super::messages::{Row, Session};
use super::rows::{self, Listed, RecordSet};
use super::{GLOBAL, KEPT, Openers, STEERS, is_same, leave_states_out, run, store};
use crate::adapter::{Checkout, Machine, Stamp, WriteError, Written};
use crate::formats::fields;
use crate::formats::ordered::{fields_of, object};
use crate::formats::record_set::{Database, check_as_seen};
use crate::opener;
use crate::session::Millis;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Writes or removes a session.
pub(super) fn write(machine: &Machine, checkout: &Checkout<'_>) -> Result<Written, WriteError> {
    let store = store(machine);
    let planned = store.plan(checkout)?;
    let file = planned.database.or(store.databases.first().cloned());
    let file = file.ok_or_else(|| {
        refused("OpenCode keeps its sessions in memory here (OPENCODE_DB)".into())
    })?;
    let guest = Guest {
        machine,
        checkout,
        store,
        file,
    };
    guest.write(planned.content.as_deref())
}

/// One session to be written into the store.
struct Guest<'a> {
    machine: &'a Machine,
    checkout: &'a Checkout<'a>,
    store: RecordSet<'a>,
    /// The session's present or future database.
    file: PathBuf,
}

fn refused(why: String) -> WriteError {
    WriteError::Refused(why)
}

impl Guest<'_> {
    fn write(&self, content: Option<&[u8]>) -> Result<Written, WriteError> {
        let here = self.listed()?;
        let stamp = here.as_ref().map(|here| here.stamp);
        check_as_seen(self.checkout, stamp, &self.file)?;
        self.check_free(here.as_ref())?;
        let stamp = match content {
            Some(content) => {
                self.bring_in(content)?;
                let here = self.listed()?.map(|row| row.stamp);
                here.ok_or_else(|| self.lost("the session is not there"))?
            }
            None => {
                self.put_away(self.checkout.session.as_str())?;
                Stamp::default()
            }
        };
        let docs = self.checkout.docs.iter();
        let docs = docs.map(|doc| (doc.name.clone(), self.file.clone(), stamp));
        Ok(Written {
            docs: docs.collect(),
            ..Written::default()
        })
    }

    fn io(&self, source: io::Error) -> WriteError {
        WriteError::Io {
            path: self.file.clone(),
            source,
        }
    }

    fn lost(&self, what: &str) -> WriteError {
        let id = self.checkout.session;
        refused(format!(
            "opencode import said that it took {id}, but {what} in {}",
            self.file.display()
        ))
    }

    fn listed(&self) -> Result<Option<Listed>, WriteError> {
        Ok(self.store.row(&self.file, self.checkout.session)?)
    }

    /// What `read` finds in the database; `None` without a database.
    fn see<T>(
        &self,
        read: impl Fn(&Database) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, WriteError> {
        Ok(self.store.see(&self.file, read)?)
    }

    /// Checks that nobody has the session open, in its present directory or in the new one.
    fn check_free(&self, here: Option<&Listed>) -> Result<(), WriteError> {
        let openers = Openers::now(self.machine);
        let id = self.checkout.session.as_str();
        let there = openers.of(id, self.checkout.cwd);
        let open_in = there.or_else(|| openers.of(id, Path::new(&here?.columns[1])));
        open_in.map_or(Ok(()), |who| Err(WriteError::Open(who)))
    }

    fn bring_in(&self, content: &[u8]) -> Result<(), WriteError> {
        let new = readable(content)
            .ok_or_else(|| refused("The document is no session of OpenCode".into()))?;
        let id = self.checkout.session.as_str();
        let text = |name: &str| fields::text(new.info.as_bytes(), name);
        if text("id").as_deref() != Some(id) {
            return Err(refused(format!(
                "The document is another session than {id}"
            )));
        }
        if text("projectID").as_deref() != Some(GLOBAL) && !has_commit(self.checkout.cwd) {
            return Err(refused(format!(
                "{} is in no git repository with a commit: there OpenCode would put the session among those of no project",
                self.checkout.cwd.display()
            )));
        }
        self.check_nothing_is_lost(&new)?;
        self.import(&new)?;
        self.check_arrived(&new)
    }

    /// An import only adds. Content that is here but not in `new`, or differs here, would make the
    /// record wrong.
    fn check_nothing_is_lost(&self, new: &Session) -> Result<(), WriteError> {
        let id = self.checkout.session.as_str();
        let here = self.see(|database| {
            let elsewhere = rows::elsewhere(database, id, new)?;
            Ok((elsewhere, rows::content(database, id)?))
        })?;
        let Some((elsewhere, (messages, parts))) = here else {
            return Ok(());
        };
        if let Some(other) = elsewhere {
            return Err(refused(format!(
                "OpenCode has messages of {id} in the session {other} and takes none twice"
            )));
        }
        let known: BTreeSet<&str> = new.messages.keys().map(|place| place.1.as_str()).collect();
        let rows: BTreeMap<&String, &Row> = new
            .messages
            .values()
            .flat_map(|message| &message.parts)
            .collect();
        let mut gone = messages
            .iter()
            .filter(|(id, row)| !known.contains(id.as_str()) && !is_unfinished(row.as_ref()));
        if gone.next().is_some() {
            return Err(refused(format!(
                "Messages of {id} were undone or deleted on another device, which opencode import cannot do here. \
                 To take over what was said since, delete it here: opencode session delete {id}"
            )));
        }
        let other = |(id, here): (&String, &Option<Row>)| {
            rows.get(id)
                .zip(here.as_ref())
                .is_some_and(|(new, here)| new.contradicts(here))
        };
        match parts.iter().find(|part| other(*part)) {
            Some((part, _)) => Err(refused(format!(
                "The part {part} of {id} says something else here, and stays"
            ))),
            None => Ok(()),
        }
    }

    fn import(&self, new: &Session) -> Result<(), WriteError> {
        let whole = Session {
            info: imported(&new.info, self.checkout.updated)
                .ok_or_else(|| refused("The document is no session of OpenCode".into()))?,
            messages: new.messages.clone(),
        }
        .render();
        // Only this user can read the file, and it is deleted when dropped.
        let mut file = tempfile::Builder::new()
            .suffix(".json")
            .tempfile()
            .map_err(|source| self.io(source))?;
        file.write_all(&whole)
            .and_then(|()| file.flush())
            .map_err(|source| self.io(source))?;
        let arguments = [OsStr::new("import"), file.path().as_os_str()];
        run(self.machine, &self.file, self.checkout.cwd, &arguments).map_err(refused)?;
        Ok(())
    }

    fn check_arrived(&self, new: &Session) -> Result<(), WriteError> {
        let id = self.checkout.session.as_str();
        let here =
            self.see(|database| Ok((rows::home(database, id)?, rows::content(database, id)?)))?;
        let (home, (messages, parts)) = here.ok_or_else(|| self.lost("there is nothing"))?;
        let Some((directory, project)) = home else {
            return Err(self.lost("the session is not there"));
        };
        let was_global = fields::text(new.info.as_bytes(), "projectID").as_deref() == Some(GLOBAL);
        if !is_same(Path::new(&directory), self.checkout.cwd) || (project == GLOBAL && !was_global)
        {
            return Err(self.lost(&format!("it is in {directory}, project {project},")));
        }
        let all_parts = new
            .messages
            .values()
            .flat_map(|message| message.parts.keys());
        let missing = new
            .messages
            .keys()
            .filter(|place| !messages.contains_key(&place.1))
            .count()
            + all_parts.filter(|part| !parts.contains_key(*part)).count();
        if missing == 0 {
            Ok(())
        } else {
            Err(self.lost(&format!("{missing} of its messages and parts are not")))
        }
    }

    fn put_away(&self, id: &str) -> Result<(), WriteError> {
        let has_children = self.see(|database| rows::has_children(database, id))?;
        if has_children.ok_or_else(|| WriteError::Changed(self.file.clone()))? {
            return Err(refused(format!(
                "{id} has sessions of sub-agents, which OpenCode would delete with it"
            )));
        }
        let away = tempfile::tempdir().map_err(|source| self.io(source))?;
        let delete = ["session", "delete", id].map(OsStr::new);
        run(self.machine, &self.file, away.path(), &delete).map_err(refused)?;
        match self.listed()? {
            None => Ok(()),
            Some(_) => Err(refused(format!(
                "opencode session delete {id} left it where it is"
            ))),
        }
    }
}

/// A document as it may be imported. Journals of older versions have parts that name states of
/// another device's working tree.
pub(super) fn readable(content: &[u8]) -> Option<Session> {
    let mut session = Session::parse(content)?;
    for message in session.messages.values_mut() {
        leave_states_out(message)?;
    }
    Some(session)
}

/// The facts about a session for an import. An existing session keeps its settings: an import
/// changes none of them.
pub(super) fn imported(info: &str, updated: Millis) -> Option<String> {
    let time = format!(
        "{{\"created\":{},\"updated\":{}}}",
        fields::get(info.as_bytes(), "/time/created").unwrap_or("0"),
        updated.0
    );
    let info = String::from_utf8(fields::with(info.as_bytes(), &[("time", &time)])?).ok()?;
    let mut kept = fields_of(&info)?;
    kept.retain(|name, _| KEPT.contains(&name.as_str()) && !STEERS.contains(&name.as_str()));
    Some(object(&kept))
}

fn is_unfinished(row: Option<&Row>) -> bool {
    row.is_some_and(|row| !row.is_finished())
}

/// Whether a directory is in a git repository with a commit. Reads files, because `git` may not be
/// on our PATH. Undecidable cases are left to OpenCode, whose answer is checked.
pub(super) fn has_commit(dir: &Path) -> bool {
    let read = |path: &Path| opener::read_text_behind_links(path, opener::SMALL);
    let Some(git) = dir
        .ancestors()
        .map(|dir| dir.join(".git"))
        .find(|git| git.exists())
    else {
        return false;
    };
    let own = match read(&git)
        .ok()
        .as_deref()
        .map(|text| text.strip_prefix("gitdir:").map(str::trim))
    {
        Some(Some(elsewhere)) => git.parent().unwrap_or(dir).join(elsewhere),
        Some(None) => return false,
        None => git,
    };
    let common = read(&own.join("commondir"))
        .map(|text| own.join(text.trim()))
        .unwrap_or_else(|_| own.clone());
    let head = read(&own.join("HEAD")).unwrap_or_default();
    match head.trim().strip_prefix("ref:").map(str::trim) {
        None => !head.trim().is_empty(),
        Some(name) => {
            let packed = read(&common.join("packed-refs")).unwrap_or_default();
            common.join(name).is_file()
                || packed.lines().any(|line| line.ends_with(name))
                || common.join("reftable").exists()
        }
    }
}
