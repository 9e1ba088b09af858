//! The files of the store, as apps use them: append, load, list, delete, list the parts. Each
//! operation holds the app's lock, which the adapter takes too before it writes. What was answered is
//! on the disk; what was not is there whole or not at all.
//!
//! ```text
//! apps/<app>/<id>.jsonl          a session: its header, then one entry a line
//! apps/<app>/<id>/<hash>.jsonl   a part of it, named by its app's `subpath`
//! apps/<app>/<id>.deleted        this device deleted it; a new session of that name gets another id
//! apps/<app>/.batch              the last batch, so that half of one is taken out after a crash
//! apps/<app>/.lock
//! ```

use super::disk;
use super::names::{AppKey, AppName, Header, LONGEST_HEADER, is_id, part_hash};
use super::pages::{self, Page, PageError};
use crate::adapter::Stamp;
use crate::formats::files;
use crate::formats::listed::Listed;
use crate::opener;
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Files whose entries' ids are kept in memory.
const MOST_KNOWN: usize = 16;
/// How long the measured size of an app's sessions counts, with what was added since.
const MEASURED: Duration = Duration::from_secs(30);

/// What an app may keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    pub bytes: u64,
    pub sessions: u64,
    pub entry: u64,
}

#[derive(Debug, thiserror::Error)]
pub enum ShelfError {
    #[error("entry {at} is not the text of one JSON object on one line")]
    Entry { at: usize },
    #[error("entry {at} has {bytes} bytes; at most {most} are taken")]
    EntrySize { at: usize, bytes: usize, most: u64 },
    #[error("the sessions of “{app}” would have {bytes} bytes; at most {most} are kept")]
    Full { app: AppName, bytes: u64, most: u64 },
    #[error("“{app}” has {most} sessions, the most that are kept")]
    Many { app: AppName, most: u64 },
    #[error("the session changed since the page before was read")]
    Stale,
    #[error("could not use {}", .path.display())]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// What became of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Appended {
    pub added: u64,
    /// Entries whose `uuid` was there already.
    pub known: u64,
}

/// A session of an app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    pub session: String,
    pub mtime_ms: i64,
}

/// How much an app keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    pub sessions: u64,
    pub bytes: u64,
}

/// The sessions of all apps on this device.
#[derive(Debug)]
pub struct Shelf {
    root: PathBuf,
    /// The headers of an app's sessions, by id.
    listed: Listed<BTreeMap<String, Arc<Found>>>,
    known: Mutex<Known>,
}

#[derive(Debug)]
struct Found {
    header: Header,
    /// The length of the first line: a longer file has entries.
    len: u64,
}

/// What is remembered of the files. All of it can be read again.
#[derive(Debug, Default)]
struct Known {
    found: HashMap<PathBuf, Arc<Found>>,
    /// The ids of the entries in a file with this stamp, latest use last.
    ids: Vec<(PathBuf, Stamp, HashSet<Uuid>)>,
    usage: HashMap<AppName, (Instant, Usage)>,
    /// Apps whose last batch was checked since the start.
    recovered: HashSet<AppName>,
}

/// A hash of an entry's `uuid`: 128 bits, whatever an app takes for one.
pub type Uuid = [u8; 16];

/// The directory of the store.
pub fn root(data: &Path) -> PathBuf {
    data.join("apps")
}

impl Shelf {
    pub fn at(root: PathBuf) -> Self {
        Self {
            root,
            listed: Listed::default(),
            known: Mutex::default(),
        }
    }

    /// Appends entries, in order and together: they are on the disk when this returns, and no other
    /// batch is between them. An entry whose `uuid` is there already is left out.
    pub fn append(
        &self,
        app: &AppName,
        key: &AppKey,
        entries: &[String],
        quota: Quota,
    ) -> Result<(Appended, PathBuf), ShelfError> {
        let batch = parsed(entries, quota.entry)?;
        let dir = self.dir(app);
        let _lock = self.locked(app)?;
        let main = match self.current(app, key) {
            Some(header) => header,
            None if batch.is_empty() => return Ok((Appended::default(), dir)),
            None => self.next(app, key),
        };
        let main_path = dir.join(format!("{}.jsonl", main.id));
        let (path, header) = match key.subpath() {
            None => (main_path.clone(), main.clone()),
            Some(subpath) => (
                part_path(&dir, &main.id, subpath),
                main.with_subpath(subpath),
            ),
        };
        let in_path = |source| ShelfError::Io {
            path: path.clone(),
            source,
        };
        let is_there = path.exists();
        if is_there {
            disk::cut_torn(&path).map_err(in_path)?;
        }
        let mut ids = match is_there {
            true => self.ids_of(&path).map_err(in_path)?,
            false => HashSet::new(),
        };
        let mut new = Vec::new();
        let mut appended = Appended::default();
        for (text, uuid) in &batch {
            if uuid.is_none_or(|uuid| ids.insert(uuid)) {
                new.extend_from_slice(text.as_bytes());
                new.push(b'\n');
                appended.added += 1;
            } else {
                appended.known += 1;
            }
        }
        if new.is_empty() {
            self.remember(&path, ids);
            return Ok((appended, path));
        }
        let is_new_session = !main_path.exists();
        self.check_room(app, new.len() as u64, is_new_session, quota)?;
        // A tool finds the parts of a session by its main doc.
        if key.subpath().is_some() && is_new_session {
            disk::create(&main_path, &main.render()).map_err(|source| ShelfError::Io {
                path: main_path.clone(),
                source,
            })?;
        }
        match is_there {
            true => disk::add(&dir, &path, &new).map_err(in_path)?,
            false => {
                disk::create(&path, &[header.render(), new.clone()].concat()).map_err(in_path)?
            }
        }
        if let Some((_, usage)) = self.known().usage.get_mut(app) {
            usage.bytes += new.len() as u64;
            usage.sessions += u64::from(is_new_session);
        }
        self.remember(&path, ids);
        Ok((appended, path))
    }

    /// A page of a session's entries from `from` on; `None` if it has none.
    pub fn load(
        &self,
        app: &AppName,
        key: &AppKey,
        from: Option<&str>,
    ) -> Result<Option<Page>, ShelfError> {
        if !self.dir(app).exists() {
            return Ok(None);
        }
        let _lock = self.locked(app)?;
        let Some(main) = self.current(app, key) else {
            return Ok(None);
        };
        let dir = self.dir(app);
        let path = match key.subpath() {
            None => dir.join(format!("{}.jsonl", main.id)),
            Some(subpath) => part_path(&dir, &main.id, subpath),
        };
        if !path.exists() {
            return Ok(None);
        }
        let page = pages::page(&path, from).map_err(|error| match error {
            PageError::Stale => ShelfError::Stale,
            PageError::Io(source) => ShelfError::Io { path, source },
        })?;
        let is_empty = from.is_none() && page.entries.is_empty() && page.next.is_none();
        Ok((!is_empty).then_some(page))
    }

    /// The sessions of a project that have entries of their own. One whose name means a newer one
    /// now is listed under its id.
    pub fn list(&self, app: &AppName, project: &str) -> Result<Vec<Listing>, ShelfError> {
        if !self.dir(app).exists() {
            return Ok(Vec::new());
        }
        let _lock = self.locked(app)?;
        let dir = self.dir(app);
        let sessions = self.sessions(app);
        let of_project = { sessions.values() }.filter(|found| found.header.project == project);
        let mut newest: BTreeMap<&str, u32> = BTreeMap::new();
        for found in of_project
            .clone()
            .filter(|found| !self.is_over(&found.header))
        {
            let life = newest.entry(found.header.shown()).or_default();
            *life = (*life).max(found.header.n);
        }
        let listing = of_project.filter_map(|found| {
            let stamp = Stamp::of(&dir.join(format!("{}.jsonl", found.header.id))).ok()?;
            let is_meant = newest.get(found.header.shown()) == Some(&found.header.n);
            let session = match is_meant {
                true => found.header.shown(),
                false => &found.header.id,
            };
            (found.len < stamp.len).then(|| Listing {
                session: session.to_owned(),
                mtime_ms: stamp.mtime_ns.div_euclid(1_000_000),
            })
        });
        Ok(listing.collect())
    }

    /// The parts of a session that have entries.
    pub fn subkeys(&self, app: &AppName, key: &AppKey) -> Result<Vec<String>, ShelfError> {
        if !self.dir(app).exists() {
            return Ok(Vec::new());
        }
        let _lock = self.locked(app)?;
        let Some(main) = self.current(app, key) else {
            return Ok(Vec::new());
        };
        let parts = self.dir(app).join(&main.id);
        let has_entries = |name: &String| {
            let path = parts.join(name);
            let found = self.found(&path)?;
            let subpath = found.header.subpath.clone()?;
            (found.len < Stamp::of(&path).ok()?.len).then_some(subpath)
        };
        let names = jsonl_in(&parts);
        let subpaths: BTreeSet<String> = names.iter().filter_map(has_entries).collect();
        Ok(subpaths.into_iter().collect())
    }

    /// The id of the session that a deletion of `key` takes out; `None` for a part.
    pub fn id_for_deletion(&self, app: &AppName, key: &AppKey) -> Option<String> {
        match key.subpath() {
            None if self.dir(app).exists() => self.current(app, key).map(|header| header.id),
            _ => None,
        }
    }

    /// Deletes a session with its parts, or one part, from this device's store. Returns the paths
    /// that changed.
    pub fn delete(&self, app: &AppName, key: &AppKey) -> Result<Vec<PathBuf>, ShelfError> {
        if !self.dir(app).exists() {
            return Ok(Vec::new());
        }
        let _lock = self.locked(app)?;
        let dir = self.dir(app);
        let mut changed = Vec::new();
        let result = match key.subpath() {
            Some(subpath) => self.current(app, key).map_or(Ok(()), |main| {
                let path = part_path(&dir, &main.id, subpath);
                let removed = disk::remove(&path);
                changed.extend(matches!(removed, Ok(true)).then_some(path));
                removed.map(drop)
            }),
            None => self.current(app, key).map_or(Ok(()), |header| {
                changed.push(dir.join(format!("{}.jsonl", header.id)));
                self.delete_life(&header)
            }),
        };
        self.known().usage.remove(app);
        result.map_err(|source| ShelfError::Io { path: dir, source })?;
        Ok(changed)
    }

    pub fn usage(&self, app: &AppName) -> Usage {
        let last = self.known().usage.get(app).copied();
        if let Some((_, usage)) = last.filter(|(at, _)| at.elapsed() < MEASURED) {
            return usage;
        }
        let usage = measured(&self.dir(app));
        self.known()
            .usage
            .insert(app.clone(), (Instant::now(), usage));
        usage
    }

    fn dir(&self, app: &AppName) -> PathBuf {
        self.root.join(app.as_str())
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn locked(&self, app: &AppName) -> Result<File, ShelfError> {
        let dir = self.dir(app);
        let result = disk::lock(&dir).and_then(|lock| {
            if self.known().recovered.insert(app.clone()) {
                disk::recover(&dir)?;
            }
            Ok(lock)
        });
        result.map_err(|source| ShelfError::Io { path: dir, source })
    }

    /// The session that the app means now: the newest of that name that is not over, or the one with
    /// that id.
    fn current(&self, app: &AppName, key: &AppKey) -> Option<Header> {
        let sessions = self.sessions(app);
        let found = || sessions.values().map(|found| &found.header);
        let named = found().filter(|header| header.is_of(key.project(), key.session()));
        let newest = named
            .filter(|header| !self.is_over(header))
            .max_by_key(|header| header.n);
        let by_id =
            || found().find(|header| header.project == key.project() && header.id == key.session());
        newest.or_else(by_id).cloned()
    }

    /// Whether a newer session of that name was deleted here: the name does not mean this one again.
    fn is_over(&self, header: &Header) -> bool {
        let next = header.n.checked_add(1).filter(|_| !header.is_fork());
        next.is_some_and(|n| {
            let mark = format!("{}.deleted", header.life(n));
            self.dir(&header.app).join(mark).exists()
        })
    }

    /// The session to begin: the first of that name that was never here.
    fn next(&self, app: &AppName, key: &AppKey) -> Header {
        let dir = self.dir(app);
        let was_here = |header: &Header| {
            ["jsonl", "deleted"]
                .iter()
                .any(|ending| dir.join(format!("{}.{ending}", header.id)).exists())
        };
        let mut headers = (0..).map(|n| key.header(app, n));
        let free = headers.find(|header| !was_here(header));
        free.unwrap_or_else(|| key.header(app, u32::MAX))
    }

    fn sessions(&self, app: &AppName) -> Arc<BTreeMap<String, Arc<Found>>> {
        let dir = self.dir(app);
        self.listed.of(&dir, || {
            let of = |name: String| {
                let found = self.found(&dir.join(&name))?;
                let is_own = found.header.app == *app
                    && found.header.subpath.is_none()
                    && name.strip_suffix(".jsonl") == Some(&found.header.id);
                is_own.then(|| (found.header.id.clone(), found))
            };
            let found: BTreeMap<_, _> = jsonl_in(&dir).into_iter().filter_map(of).collect();
            (found, true)
        })
    }

    /// A file's header, read once.
    fn found(&self, path: &Path) -> Option<Arc<Found>> {
        if let Some(found) = self.known().found.get(path) {
            return Some(found.clone());
        }
        let found = Arc::new(read_header(path)?);
        let mut known = self.known();
        if known.found.len() > 200_000 {
            known.found.clear();
        }
        known.found.insert(path.to_owned(), found.clone());
        Some(found)
    }

    fn ids_of(&self, path: &Path) -> io::Result<HashSet<Uuid>> {
        let stamp = Stamp::of(path)?;
        {
            let mut known = self.known();
            let at = known.ids.iter().position(|(of, _, _)| of == path);
            if let Some((_, was, ids)) = at.map(|at| known.ids.remove(at))
                && was == stamp
            {
                return Ok(ids);
            }
            let too_many = known.ids.len().saturating_sub(MOST_KNOWN - 1);
            known.ids.drain(..too_many);
        }
        let mut ids = HashSet::new();
        let mut lines = BufReader::with_capacity(1 << 20, opener::file(path)?);
        let mut line = Vec::new();
        while 0 < lines.read_until(b'\n', &mut line)? {
            ids.extend(uuid_of(&line));
            line.clear();
        }
        Ok(ids)
    }

    fn remember(&self, path: &Path, ids: HashSet<Uuid>) {
        if let Ok(stamp) = Stamp::of(path) {
            self.known().ids.push((path.to_owned(), stamp, ids));
        }
    }

    fn check_room(
        &self,
        app: &AppName,
        more: u64,
        is_new: bool,
        quota: Quota,
    ) -> Result<(), ShelfError> {
        let usage = self.usage(app);
        let bytes = usage.bytes.saturating_add(more);
        if quota.bytes < bytes {
            return Err(ShelfError::Full {
                app: app.clone(),
                bytes,
                most: quota.bytes,
            });
        }
        if is_new && quota.sessions <= usage.sessions {
            return Err(ShelfError::Many {
                app: app.clone(),
                most: quota.sessions,
            });
        }
        Ok(())
    }

    fn delete_life(&self, header: &Header) -> io::Result<()> {
        // Another device may have chosen the number of the life as it likes.
        const MOST: u32 = 50;
        let (dir, id) = (self.dir(&header.app), &header.id);
        // First what makes the next session of that name another one, for every life before this.
        let lives = (0..=header.n.min(MOST)).filter(|_| !header.is_fork());
        for life in lives.map(|n| header.life(n)).chain([id.clone()]) {
            disk::mark_deleted(&dir, &life)?;
        }
        disk::remove(&dir.join(format!("{id}.jsonl")))?;
        let parts = dir.join(id);
        for name in jsonl_in(&parts) {
            disk::remove(&parts.join(name))?;
        }
        drop(fs::remove_dir(parts));
        disk::sync_dir(&dir)
    }
}

fn part_path(dir: &Path, id: &str, subpath: &str) -> PathBuf {
    dir.join(id).join(format!("{}.jsonl", part_hash(subpath)))
}

/// The files of sessions or parts in a directory.
fn jsonl_in(dir: &Path) -> Vec<String> {
    let mut names = files::names_in(dir, |kind| kind.is_file());
    names.retain(|name| name.strip_suffix(".jsonl").is_some_and(is_id));
    names
}

fn read_header(path: &Path) -> Option<Found> {
    let mut line = Vec::new();
    let file = opener::file(path).ok()?;
    BufReader::new(file.take(LONGEST_HEADER as u64))
        .read_until(b'\n', &mut line)
        .ok()?;
    let header = Header::parse(&line)?;
    line.ends_with(b"\n").then_some(Found {
        header,
        len: line.len() as u64,
    })
}

/// The text of each entry without blanks around it, and its id.
fn parsed(entries: &[String], most: u64) -> Result<Vec<(&str, Option<Uuid>)>, ShelfError> {
    let mut parsed = Vec::with_capacity(entries.len());
    for (at, text) in entries.iter().enumerate() {
        let text = text.trim_ascii();
        if most < text.len() as u64 {
            return Err(ShelfError::EntrySize {
                at,
                bytes: text.len(),
                most,
            });
        }
        let is_one = text.starts_with('{')
            && !text.contains(['\n', '\r'])
            && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
        if !is_one || super::names::is_header(text.as_bytes()) {
            return Err(ShelfError::Entry { at });
        }
        parsed.push((text, uuid_of(text.as_bytes())));
    }
    Ok(parsed)
}

/// The id of an entry, if it has one.
pub fn uuid_of(line: &[u8]) -> Option<Uuid> {
    #[derive(Deserialize)]
    struct Entry<'a> {
        #[serde(borrow)]
        uuid: Option<Cow<'a, str>>,
    }
    let entry: Entry<'_> = serde_json::from_slice(line).ok()?;
    let uuid = entry.uuid.filter(|uuid| !uuid.is_empty())?;
    let hash = blake3::hash(uuid.as_bytes());
    hash.as_bytes()[..16].try_into().ok()
}

fn measured(dir: &Path) -> Usage {
    let size = |dir: &Path, name: &String| Stamp::of(&dir.join(name)).map_or(0, |stamp| stamp.len);
    let sessions = jsonl_in(dir);
    let mut usage = Usage {
        sessions: sessions.len() as u64,
        bytes: 0,
    };
    for name in &sessions {
        usage.bytes += size(dir, name);
    }
    for parts in files::names_in(dir, fs::FileType::is_dir) {
        let parts = dir.join(parts);
        usage.bytes += jsonl_in(&parts)
            .iter()
            .map(|name| size(&parts, name))
            .sum::<u64>();
    }
    usage
}
