//! Removes a forgotten session from this device, beside the loop: journals and kept copies first,
//! then the tool's store, as a guest. Each step is repeatable: after a crash the rest is removed.
//! Knows nothing of who asked, and when.

use super::away::unreachable;
use super::context::Context;
use super::shared_docs::shared_docs;
use super::takein::taken_in;
use crate::merge::Left;
use crate::session::{Lane, SessionId, SessionKey, ToolId};
use crate::tools::{
    Change, Checkout, ConflictCopy, DocWrite, Found, FoundDoc, Stamp, Tool, Which, WriteError,
};
use crate::vault::snapshot_file;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The most files with one session's id that are removed: one, and copies that the user made.
const MOST_FILES: usize = 32;

/// A session to be removed from this device.
#[derive(Clone, Debug)]
pub struct Erase {
    pub key: SessionKey,
    /// The session's id, if it is known.
    pub session: Option<SessionId>,
    /// Whether to remove it from the tool's store, too: not once this device has stated that
    /// removal. Whatever is there later was put there by the user.
    pub from_store: bool,
    /// The docs that only this session has in places of many sessions, as they were last seen.
    pub shared: Vec<FoundDoc>,
    /// Where its main doc was seen last.
    pub main: Option<PathBuf>,
    /// Why the store that it is in is not read now.
    pub away: Option<String>,
    /// session-roam's home.
    pub home: PathBuf,
    pub listings: Arc<StoreListings>,
}

/// The listings of whole stores that removals need, each made once for all sessions that are removed
/// together.
#[derive(Debug, Default)]
pub struct StoreListings {
    sessions: Listed<Sessions>,
    copies: Listed<Vec<ConflictCopy>>,
}

type Listed<T> = Mutex<BTreeMap<ToolId, (Instant, Arc<T>)>>;

/// The ids of a store's sessions by their hash, and why there may be others.
#[derive(Debug)]
struct Sessions {
    ids: BTreeMap<String, SessionId>,
    unknown: Option<String>,
}

impl StoreListings {
    /// A removal that takes longer lists again: somebody may have opened a session meanwhile.
    const VALID: Duration = Duration::from_secs(10);

    fn sessions(&self, context: &Context, tool: &dyn Tool) -> Arc<Sessions> {
        Self::once(&self.sessions, context, tool, || {
            let listing = tool.sessions(&context.machine, Which::All);
            let id = tool.about().tool;
            let ids = listing.found.into_iter().map(|found| found.session);
            Sessions {
                ids: ids
                    .map(|session| (SessionKey::new(&id, &session).hash, session))
                    .collect(),
                unknown: listing.unknown,
            }
        })
    }

    fn copies(&self, context: &Context, tool: &dyn Tool) -> Arc<Vec<ConflictCopy>> {
        Self::once(&self.copies, context, tool, || {
            let listing = tool.sessions(&context.machine, Which::ConflictCopies);
            listing.conflict_copies
        })
    }

    /// Whoever needs the same listing meanwhile waits for it.
    fn once<T>(
        known: &Listed<T>,
        context: &Context,
        tool: &dyn Tool,
        list: impl FnOnce() -> T,
    ) -> Arc<T> {
        let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
        let (id, now) = (tool.about().tool, context.clock.steady());
        if let Some((at, listed)) = known.get(&id)
            && now.saturating_duration_since(*at) < Self::VALID
        {
            return listed.clone();
        }
        let listed = Arc::new(list());
        known.insert(id, (now, listed.clone()));
        listed
    }
}

impl Erase {
    fn is_of(&self, session: &SessionId) -> bool {
        SessionKey::new(&self.key.tool, session) == self.key
    }
}

/// What the removal achieved.
#[derive(Debug)]
pub struct Erasure {
    pub key: SessionKey,
    /// Files of the own folders that are gone.
    pub announce: Vec<(Lane, String)>,
    /// Whether any of the session was here.
    pub any: bool,
    /// Why the session is still in the tool's store, with words for this device's user.
    pub left: Option<(Left, String)>,
    /// Why a part of the vault could not be removed.
    pub error: Option<io::Error>,
}

pub fn erase(context: &Context, job: &Erase) -> Erasure {
    let mut done = Erasure {
        key: job.key.clone(),
        announce: Vec::new(),
        any: false,
        left: None,
        error: None,
    };
    match context.vault.erase(&context.short, &job.key) {
        Ok(erased) => (done.announce, done.any) = (erased.own, erased.any),
        Err(error) => done.error = Some(error),
    }
    let (session, unknown) = session_of(context, job);
    let (found, unread) = find(context, job, session.as_ref(), unknown);
    if let Err(error) = erase_copies(job, session.as_ref()) {
        done.error = done.error.or(Some(error));
    }
    let found = match (found, &session) {
        (Some(found), _) => Some(with_shared(context, job, found)),
        // The tool removed its transcript, but files elsewhere are left.
        (None, Some(session)) => Some(with_shared(
            context,
            job,
            Found {
                session: session.clone(),
                docs: Vec::new(),
                open_in: None,
            },
        )),
        (None, None) => None,
    };
    let found = found.filter(|found| !found.docs.is_empty());
    if let (true, Some(tool)) = (job.from_store, context.tools.get(&job.key.tool)) {
        done.any |= found.is_some();
        done.left = match (found, unread) {
            (Some(found), _) => remove_all_files(context, (job, tool.as_ref()), found).err(),
            (None, Some(unread)) => Some((Left::Failed, unread)),
            (None, None) => remains(context, tool.as_ref(), session.as_ref()),
        };
        let copies = erase_conflict_copies(context, (job, tool.as_ref()));
        done.left = done.left.take().or(copies.err());
    }
    let is_out = done.left.as_ref().is_none_or(|left| left.0 == Left::Parts);
    if job.from_store && is_out {
        let entries = unregister(context, &job.key).err();
        done.left = entries.or(done.left.take());
    }
    done
}

/// What may be left of a session that is not in the tool's store any more.
fn remains(
    context: &Context,
    tool: &dyn Tool,
    session: Option<&SessionId>,
) -> Option<(Left, String)> {
    match tool.remains(&context.machine, session?) {
        Ok(why) => why.map(|why| (Left::Parts, why)),
        Err(error) => Some(why_left(error)),
    }
}

/// Removes the session's entries in the registries of other tools.
fn unregister(context: &Context, key: &SessionKey) -> Result<(), (Left, String)> {
    let off = context.shared().tools_off.clone();
    let on = context.tools.iter().filter(|(id, _)| !off.contains(*id));
    let is_it = |id: &SessionId| SessionKey::new(&key.tool, id) == *key;
    for registry in on.filter_map(|(_, tool)| tool.registry()) {
        if registry.lists() == key.tool {
            registry
                .remove(&context.machine, &is_it)
                .map_err(why_left)?;
        }
    }
    Ok(())
}

/// The session's id. Perhaps only the store knows it; then also why the store may have others.
fn session_of(context: &Context, job: &Erase) -> (Option<SessionId>, Option<String>) {
    match (&job.session, context.tools.get(&job.key.tool)) {
        (Some(session), _) => (Some(session.clone()), None),
        (None, None) => (None, None),
        (None, Some(tool)) => {
            let sessions = job.listings.sessions(context, tool.as_ref());
            let session = sessions.ids.get(&job.key.hash).cloned();
            (session, sessions.unknown.clone())
        }
    }
}

/// The session in the tool's store, or why nobody knows whether it is there.
fn find(
    context: &Context,
    job: &Erase,
    session: Option<&SessionId>,
    unknown: Option<String>,
) -> (Option<Found>, Option<String>) {
    let Some(tool) = context.tools.get(&job.key.tool) else {
        return (None, None);
    };
    let listing = session.map(|session| tool.sessions(&context.machine, Which::One(session)));
    let mut found = listing.iter().flat_map(|listing| &listing.found);
    if let Some(found) = found.find(|found| job.is_of(&found.session)) {
        return (Some(found.clone()), None);
    }
    // What was never in a store here is not in the part that cannot be read either.
    let Some(main) = job.main.as_deref() else {
        return (None, None);
    };
    let unknown = listing.and_then(|listing| listing.unknown).or(unknown);
    let unread = unknown.map(|why| format!("The store could not be read whole: {why}."));
    let unread = unread.or_else(|| job.away.clone());
    (None, unread.or_else(|| unreachable(main)))
}

/// Limits the docs in places of many sessions, which any session may name, to those that only this
/// session has and that have not changed since they were last seen.
fn with_shared(context: &Context, job: &Erase, mut found: Found) -> Found {
    let Some(shared) = shared_docs(context, &job.key) else {
        return found;
    };
    let is_changed = |doc: &FoundDoc| {
        job.shared
            .iter()
            .any(|seen| seen.name == doc.name && seen.stamp != doc.stamp)
    };
    let is_own = |doc: &FoundDoc| {
        context.holders().of(&job.key, &doc.name) == Some(&job.key) && !is_changed(doc)
    };
    found
        .docs
        .retain(|doc| !(shared.is_one)(&doc.name) || is_own(doc));
    for seen in &job.shared {
        let is_listed = found.docs.iter().any(|doc| doc.name == seen.name);
        if !is_listed && Stamp::of(&seen.path).is_ok_and(|now| now == seen.stamp) {
            found.docs.push(seen.clone());
        }
    }
    found
}

/// Removes the session from the store. Several files may have its id; the store lists the next one
/// when the one before is gone.
fn remove_all_files(
    context: &Context,
    (job, tool): (&Erase, &dyn Tool),
    found: Found,
) -> Result<(), (Left, String)> {
    let session = found.session.clone();
    let (mut next, mut parts) = (Some(found), None);
    for _ in 0..MOST_FILES {
        let Some(found) = next else {
            return parts.map_or(Ok(()), Err);
        };
        match remove_docs(context, tool, &found) {
            Err(left) if left.0 == Left::Parts => parts = Some(left),
            other => other?,
        }
        let (again, _) = find(context, job, Some(&session), None);
        next = again
            .filter(|found| !found.docs.is_empty())
            .map(|found| with_shared(context, job, found));
    }
    let why = "its store has more files with its id than are removed at once";
    next.map_or(Ok(()), |_| Err((Left::Parts, why.to_owned())))
}

/// Removes the copies that another sync tool left of the session's files.
fn erase_conflict_copies(
    context: &Context,
    (job, tool): (&Erase, &dyn Tool),
) -> Result<(), (Left, String)> {
    for copy in job.listings.copies(context, tool).iter() {
        if !job.is_of(&copy.session) {
            continue;
        }
        if let Some(open_in) = &copy.open_in {
            return Err((Left::Open, open_in.clone()));
        }
        match std::fs::remove_file(&copy.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                let why = format!("{} could not be removed: {error}", copy.path.display());
                return Err((Left::Parts, why));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Removes all docs of the session from the store, the main doc last.
fn remove_docs(context: &Context, tool: &dyn Tool, found: &Found) -> Result<(), (Left, String)> {
    if let Some(open_in) = &found.open_in {
        return Err((Left::Open, open_in.clone()));
    }
    let docs = found.docs.iter().skip(1).chain(found.docs.first());
    let docs = docs.map(|doc| DocWrite {
        name: &doc.name,
        place: &doc.place,
        change: Change::Remove {
            path: &doc.path,
            was: doc.stamp,
        },
    });
    let now = context.clock.now();
    let checkout = Checkout {
        session: &found.session,
        cwd: &context.machine.home,
        updated: now,
        now,
        forgets: true,
        docs: docs.collect(),
    };
    let written = tool.write(&context.machine, &checkout).map_err(why_left)?;
    match written.remains {
        Some(why) => Err((Left::Parts, why)),
        None => Ok(()),
    }
}

fn why_left(error: WriteError) -> (Left, String) {
    let why = crate::session::problem::with_causes(&error);
    match error {
        WriteError::Open(who) => (Left::Open, who),
        // The session was just written to: somebody has it open.
        WriteError::Changed(_) | WriteError::Torn(_) => (Left::Open, why),
        WriteError::Refused(_) => (Left::Tool, why),
        WriteError::Io { .. } | WriteError::Gone(_) => (Left::Failed, why),
    }
}

/// Removes copies beside the vault: imported conflict copies, and what a replica had lost.
fn erase_copies(job: &Erase, session: Option<&SessionId>) -> io::Result<()> {
    let (hash, taken_in) = (job.key.hash.as_str(), taken_in(&job.home, &job.key));
    if taken_in.is_dir() {
        std::fs::remove_dir_all(taken_in)?;
    }
    // Where copies were put before. An id of only a few characters would also occur in other files'
    // names.
    if let Some(id) = session.map(SessionId::as_str).filter(|id| 8 <= id.len()) {
        let before = job.home.join("taken-in").join(job.key.tool.as_str());
        remove_below(&before, &|path| path.to_string_lossy().contains(id))?;
    }
    let code = snapshot_file::objects_dir(&job.home, &job.key);
    for dir in [code, snapshot_file::kept_indexes(&job.home)] {
        if dir.is_dir() {
            std::fs::remove_dir_all(dir)?;
        }
    }
    remove_below(&job.home.join("syncthing/set-aside"), &|path| {
        path.file_name().is_some_and(|name| name == hash)
    })
}

/// Removes files and directories that `is_it` picks by their path below `dir`, following no links.
fn remove_below(dir: &Path, is_it: &dyn Fn(&Path) -> bool) -> io::Result<()> {
    let mut dirs = vec![dir.to_path_buf()];
    while let Some(next) = dirs.pop() {
        for entry in std::fs::read_dir(&next).into_iter().flatten().flatten() {
            let (path, kind) = (entry.path(), entry.file_type()?);
            let picked = path.strip_prefix(dir).is_ok_and(is_it);
            match (picked, kind.is_dir()) {
                (true, true) => std::fs::remove_dir_all(&path)?,
                (true, false) => std::fs::remove_file(&path)?,
                (false, true) => dirs.push(path),
                (false, false) => {}
            }
        }
    }
    Ok(())
}
