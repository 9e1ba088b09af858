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

use super::*;

/// One session to be written into the store.
pub(super) struct Guest<'a> {
    pub(super) machine: &'a Machine,
    pub(super) checkout: &'a Checkout<'a>,
    pub(super) doc: &'a DocWrite<'a>,
    /// The session's present or future database.
    pub(super) file: PathBuf,
}

pub(super) fn refused(why: String) -> WriteError {
    WriteError::Refused(why)
}

impl<'a> Guest<'a> {
    pub(super) fn at(
        machine: &'a Machine,
        checkout: &'a Checkout<'a>,
        doc: &'a DocWrite<'a>,
    ) -> Result<Self, WriteError> {
        let known = databases(machine);
        let file = match doc.change.path() {
            Some(path) if known.iter().any(|file| file == path) => Some(path.to_path_buf()),
            Some(path) => return Err(WriteError::Changed(path.to_path_buf())),
            None => known.into_iter().next(),
        };
        let file = file.ok_or_else(|| {
            refused("OpenCode keeps its sessions in memory here (OPENCODE_DB)".into())
        })?;
        Ok(Self {
            machine,
            checkout,
            doc,
            file,
        })
    }

    pub(super) fn write(&self) -> Result<Written, WriteError> {
        let id = self.checkout.session.as_str();
        let here = self.listed()?;
        match (&self.doc.change, &here) {
            (Change::Create(_), None) => {}
            (change, Some(here)) if was(change) == Some(here.stamp) => {}
            _ => return Err(WriteError::Changed(self.file.clone())),
        }
        self.check_free(here.as_ref())?;
        let stamp = match &self.doc.change {
            Change::Create(bytes) | Change::Replace { bytes, .. } => {
                let mut content = Vec::new();
                bytes
                    .write_to(&mut content)
                    .map_err(|source| self.io(source))?;
                self.bring_in(&content)?;
                self.listed()?
                    .map(|row| row.stamp)
                    .ok_or_else(|| self.lost("the session is not there"))?
            }
            Change::Remove { .. } => {
                self.put_away(id)?;
                Stamp::default()
            }
            Change::Append { .. } => {
                return Err(refused("A session of OpenCode is written whole".into()));
            }
        };
        Ok(Written {
            docs: vec![(self.doc.name.clone(), self.file.clone(), stamp)],
        })
    }

    pub(super) fn io(&self, source: io::Error) -> WriteError {
        WriteError::Io {
            path: self.file.clone(),
            source,
        }
    }

    pub(super) fn lost(&self, what: &str) -> WriteError {
        let id = self.checkout.session;
        refused(format!(
            "opencode import said that it took {id}, but {what} in {}",
            self.file.display()
        ))
    }

    pub(super) fn store(&self) -> Result<Option<Store>, WriteError> {
        Store::open(&self.file).map_err(|error| refused(error.to_string()))
    }

    pub(super) fn listed(&self) -> Result<Option<Listed>, WriteError> {
        // A link is another program's file, and a directory is not a database.
        if self.file.symlink_metadata().is_ok() && Stamp::of(&self.file).is_err() {
            return Err(refused(format!(
                "{} is not a regular file",
                self.file.display()
            )));
        }
        let Some(store) = self.store()? else {
            return Ok(None);
        };
        let rows = store
            .rows(Which::One(self.checkout.session))
            .map_err(|error| refused(error.to_string()))?;
        Ok(rows.into_iter().next())
    }

    /// Checks that nobody has the session open, in its present directory or in the new one.
    pub(super) fn check_free(&self, here: Option<&Listed>) -> Result<(), WriteError> {
        let openers = Openers::now(self.machine);
        let id = self.checkout.session.as_str();
        let there = openers.of(id, self.checkout.cwd);
        let live = there.or_else(|| openers.of(id, Path::new(&here?.directory)));
        live.map_or(Ok(()), |who| Err(WriteError::Live(who)))
    }

    pub(super) fn bring_in(&self, content: &[u8]) -> Result<(), WriteError> {
        let new = Session::parse(content)
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
        if let Some(store) = self.store()? {
            self.check_nothing_is_lost(&store, &new)?;
        }
        self.import(&new)?;
        self.check_arrived(&new)
    }

    /// An import only adds. Content that is here but not in `new`, or differs here, would make the
    /// record wrong.
    pub(super) fn check_nothing_is_lost(
        &self,
        store: &Store,
        new: &Session,
    ) -> Result<(), WriteError> {
        let id = self.checkout.session.as_str();
        let told = |error: StoreError| refused(error.to_string());
        if let Some(other) = store.elsewhere(id, new).map_err(told)? {
            return Err(refused(format!(
                "OpenCode has messages of {id} in the session {other} and takes none twice"
            )));
        }
        let (messages, parts) = store.content(id).map_err(told)?;
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

    pub(super) fn import(&self, new: &Session) -> Result<(), WriteError> {
        let time = format!(
            "{{\"created\":{},\"updated\":{}}}",
            fields::get(new.info.as_bytes(), "/time/created").unwrap_or("0"),
            self.checkout.updated.0
        );
        let info = fields::with(new.info.as_bytes(), &[("time", &time)]);
        let info =
            String::from_utf8(info).map_err(|_| refused("The document is no text".into()))?;
        // An existing session keeps its settings: an import changes none of them.
        let mut kept = fields_of(&info)
            .ok_or_else(|| refused("The document is no session of OpenCode".into()))?;
        kept.retain(|name, _| !STEERS.contains(&name.as_str()));
        let info = object(&kept);
        let whole = Session {
            info,
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

    pub(super) fn check_arrived(&self, new: &Session) -> Result<(), WriteError> {
        let id = self.checkout.session.as_str();
        let told = |error: StoreError| refused(error.to_string());
        let store = self.store()?.ok_or_else(|| self.lost("there is nothing"))?;
        let Some((directory, project)) = store.home(id).map_err(told)? else {
            return Err(self.lost("the session is not there"));
        };
        let was_global = fields::text(new.info.as_bytes(), "projectID").as_deref() == Some(GLOBAL);
        if !is_same(Path::new(&directory), self.checkout.cwd) || (project == GLOBAL && !was_global)
        {
            return Err(self.lost(&format!("it is in {directory}, project {project},")));
        }
        let (messages, parts) = store.content(id).map_err(told)?;
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

    pub(super) fn put_away(&self, id: &str) -> Result<(), WriteError> {
        let Some(store) = self.store()? else {
            return Err(WriteError::Changed(self.file.clone()));
        };
        if store
            .has_children(id)
            .map_err(|error| refused(error.to_string()))?
        {
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

pub(super) fn is_unfinished(row: Option<&Row>) -> bool {
    row.is_some_and(|row| !row.is_finished())
}

pub(super) fn was(change: &Change<'_>) -> Option<Stamp> {
    match change {
        Change::Create(_) => None,
        Change::Append { was, .. } | Change::Replace { was, .. } | Change::Remove { was, .. } => {
            Some(*was)
        }
    }
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
