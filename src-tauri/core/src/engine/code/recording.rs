//! Records the checkout of a session, packs what the other devices lack, and keeps this device's
//! files of a session within bounds. Runs beside the loop.

use super::event::{Recorded, left_out, refused};
use super::restart;
use super::stated::{Others, session_dirs};
use crate::api::answer::{Answer, done};
use crate::reconcile::context::Context;
use crate::session::{ChainId, SessionId, SessionKey, ToolId};
use crate::vault::Owner;
use crate::vault::snapshot_file::{
    self, Author, Description, KEPT_INDEXES, kept_indexes, objects_dir,
};
use session_roam_code::{
    Checkout, CodeError, Git, Have, Limits, ObjectId, Packed, Snapshot, Store,
    pack_or_without_history, record_for, rules_version,
};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A pack builds on the one before, at most so often: who has none needs all of them.
const LONGEST_CHAIN: usize = 50;
/// A chain whose later packs together are larger than this and than its first begins anew.
const CHAIN_BYTES: u64 = 16 << 20;
/// A first pack that is smaller is sent again rather than built on by several chains.
const SMALL: u64 = 1 << 20;
/// A pack that needs more is not sent.
const PACK: u64 = 64 << 20;
/// What is kept of a session: the latest files, and those that they build on.
const KEPT_BYTES: u64 = 128 << 20;
const KEPT_FILES: usize = 200;
/// What is kept of all sessions, and of the objects of one of them.
const KEPT_IN_ALL: u64 = 1 << 30;
const KEPT_OBJECTS: u64 = 512 << 20;

/// A session whose checkout is to be recorded.
pub struct Wanted {
    pub context: Arc<Context>,
    pub key: SessionKey,
    pub session: SessionId,
    /// The session's directory.
    pub dir: PathBuf,
    /// The directory of this device's files for it, below the vault.
    pub files: String,
    /// The directory of session-roam.
    pub home: PathBuf,
    pub tip: ChainId,
    pub store: PathBuf,
    pub applied: Vec<(PathBuf, String)>,
    /// An undo needs objects of the store.
    pub is_needed: bool,
    /// The approved devices by short id, with their keys.
    pub others: BTreeMap<String, Option<Owner>>,
}

/// A file on whose snapshot a pack may build.
#[derive(Clone)]
struct Base {
    number: u32,
    snapshot: ObjectId,
    bytes: u64,
}

/// The last file, and those that it builds on.
struct Last {
    description: Description,
    base: Base,
    /// The file that builds on none.
    first: Base,
    /// How many files build on each other up to this one, and the bytes of all but the first.
    n_files: usize,
    others: u64,
}

impl Last {
    /// What the next file builds on; `None` if it has everything.
    fn next_base(&self) -> Option<Base> {
        if self.n_files < LONGEST_CHAIN && self.others < CHAIN_BYTES.max(self.first.bytes) {
            return Some(self.base.clone());
        }
        // The whole history of a repository without a remote, and the like, is sent once.
        (SMALL <= self.first.bytes && 1 < self.n_files).then(|| self.first.clone())
    }
}

pub fn record_code(wanted: &Wanted) -> Result<Recorded, CodeError> {
    let git = Git::find()?;
    let checkout = Checkout::open(&git, &wanted.dir)?;
    let store = Store::open(&wanted.store)?.keeping_index_in(&kept_indexes(&wanted.home));
    let published = |commits: &[ObjectId]| match checkout.published(commits)? {
        none if none.is_empty() => Others {
            vault: &wanted.context.vault,
            owners: &wanted.others,
            files: &wanted.files,
        }
        .had_by_all(&checkout, commits),
        published => Ok(published),
    };
    let (snapshot, published) = record_for(&checkout, &store, &Limits::default(), published)?;
    let mut recorded = Recorded {
        paths: Vec::new(),
        left_out: left_out(&snapshot.state.left_out),
    };
    let vault = &wanted.context.vault;
    let io = |source| CodeError::Io {
        path: vault.file(&wanted.files),
        source,
    };
    let files = snapshot_file::list(vault, &wanted.files).map_err(io)?;
    let number = files.last().map_or(1, |(number, _)| number + 1);
    // What these rules hold back may be in states of others: nothing builds on them, and they go.
    let (outdated, files) = wanted.by_rules(files);
    let last = wanted.last(&files);
    let seen = wanted.seen(&checkout, &snapshot);
    let is_same = |last: &Last| last.base.snapshot == snapshot.id && last.description.seen == seen;
    if last.as_ref().is_some_and(is_same) {
        recorded.paths = wanted.removed(outdated);
        return Ok(recorded);
    }
    let after = last.as_ref().and_then(Last::next_base);
    let have = |after: &Option<Base>| Have {
        commits: published.clone(),
        snapshots: after.iter().map(|base| base.snapshot.clone()).collect(),
    };
    let pack = |have: &Have| pack_or_without_history(&checkout, &store, &snapshot.id, have, PACK);
    let (mut packed, mut after) = (pack(&have(&after))?, after);
    if is_worth_anew(&packed, after.as_ref(), last.as_ref()) {
        after = None;
        packed = pack(&have(&after))?;
    }
    wanted.write(&packed, number, after, seen)?;
    recorded
        .paths
        .push(snapshot_file::in_lane(&wanted.files, number));
    recorded.paths.extend(wanted.removed(outdated));
    // The state is written and will be announced, although cleaning up fails. The next recording cleans up.
    let surplus = wanted.surplus().unwrap_or_default();
    recorded.paths.extend(wanted.removed(surplus));
    recorded.paths.extend(wanted.bound_lane());
    let _ = bound_store(&wanted.store, wanted.is_needed);
    Ok(recorded)
}

/// Whether so little of the first file is in a pack that begins anew on it that the first one may go.
fn is_worth_anew(packed: &Packed, after: Option<&Base>, last: Option<&Last>) -> bool {
    let is_first = |after: &Base, last: &Last| {
        after.number == last.first.number && after.number != last.base.number
    };
    let on_first = after
        .zip(last)
        .filter(|(after, last)| is_first(after, last));
    on_first.is_some_and(|(first, _)| first.bytes / 2 < packed.manifest.pack.bytes)
}

/// Empties the store of a session that has become too large, unless an undo needs it. What is
/// needed again is made anew from the checkout, or read again from the vault.
pub fn bound_store(store: &Path, is_needed: bool) -> Result<(), CodeError> {
    if is_needed || restart::is_noted(store) || bytes_below(store) <= KEPT_OBJECTS {
        return Ok(());
    }
    std::fs::remove_dir_all(store).map_err(|source| CodeError::Io {
        path: store.to_owned(),
        source,
    })
}

/// The directory of this device's files for a session, below the vault, and the session's objects;
/// what stays is `None`.
pub type Place = (Option<String>, Option<PathBuf>);

/// Removes files of this device and object stores; returns the files as named in the lane's folder,
/// and what the user is answered. What was removed before a failure stays removed.
pub fn remove_recorded(
    context: &Context,
    home: &Path,
    places: Vec<Place>,
) -> (Vec<String>, Answer) {
    // They name files of all checkouts, and are made anew.
    let _ = std::fs::remove_dir_all(kept_indexes(home));
    let (mut paths, mut bytes, mut failed) = (Vec::new(), 0, None);
    for (dir, store) in places {
        let files = dir
            .as_ref()
            .map(|dir| snapshot_file::list(&context.vault, dir));
        for (number, len) in files.and_then(Result::ok).unwrap_or_default() {
            let dir = dir.as_deref().unwrap_or_default();
            match snapshot_file::remove(&context.vault, dir, number) {
                Ok(()) => {
                    bytes += len;
                    paths.push(snapshot_file::in_lane(dir, number));
                }
                Err(source) => failed = Some((context.vault.file(dir), source)),
            }
        }
        // What is being applied now needs its objects to be taken back.
        let store = store.filter(|store| store.is_dir() && !restart::is_noted(store));
        if let Some(store) = store
            && let Err(source) = std::fs::remove_dir_all(&store)
        {
            failed = Some((store, source));
        }
    }
    let answer = match failed {
        Some((path, source)) => Err(refused(&CodeError::Io { path, source })),
        None => done(format!(
            "{} ({}) removed here. Other devices remove them when they are connected.",
            match paths.len() {
                1 => "1 recorded state".to_owned(),
                n => format!("{n} recorded states"),
            },
            match bytes {
                0..1_000_000 => format!("{} KB", bytes.div_ceil(1000)),
                _ => format!("{} MB", bytes.div_ceil(1_000_000)),
            }
        )),
    };
    (paths, answer)
}

/// Removes the object stores of sessions of which no device has a state any more.
pub fn sweep_stores(context: &Context, home: &Path, needed: &BTreeSet<SessionKey>) {
    let mut stores = Vec::new();
    let tools = names_in(&home.join("code")).into_iter();
    for tool in tools.filter(|name| name != KEPT_INDEXES) {
        for hash in names_in(&home.join("code").join(&tool)) {
            let tool = ToolId::new(&tool);
            stores.push(SessionKey { tool, hash });
        }
    }
    if stores.is_empty() {
        return;
    }
    let mut kept = needed.clone();
    for short in names_in(context.vault.root()) {
        let Ok(dirs) = session_dirs(&context.vault, &short) else {
            return;
        };
        for dir in dirs {
            let parts: Vec<&str> = dir.split('/').collect();
            let [_, _, tool, _, hash] = *parts.as_slice() else {
                continue;
            };
            if snapshot_file::list(&context.vault, &dir).is_ok_and(|files| files.is_empty()) {
                continue;
            }
            let (tool, hash) = (ToolId::new(tool), hash.to_owned());
            kept.insert(SessionKey { tool, hash });
        }
    }
    for key in stores.iter().filter(|key| !kept.contains(key)) {
        let store = objects_dir(home, key);
        if !restart::is_noted(&store) {
            // One that stays is removed the next time.
            let _ = std::fs::remove_dir_all(store);
        }
    }
}

fn names_in(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect()
}

fn bytes_below(dir: &Path) -> u64 {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let bytes = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => bytes_below(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    };
    entries.map(bytes).sum()
}

impl Wanted {
    fn describe(&self, number: u32) -> Option<Description> {
        let owner = self
            .context
            .shared()
            .owners
            .get(&self.context.short)
            .cloned()?;
        let vault = &self.context.vault;
        let described = snapshot_file::describe(vault, &owner, &self.files, number).ok()?;
        Some(described.description)
    }

    /// The numbers of the files that were recorded under other rules for secrets, whichever of them, and
    /// the other files.
    fn by_rules(&self, files: Vec<(u32, u64)>) -> (Vec<u32>, Vec<(u32, u64)>) {
        let rules = rules_version();
        let is_outdated = |number: u32| {
            let description = self.describe(number);
            description.is_some_and(|description| description.rules != rules)
        };
        let (outdated, files): (Vec<_>, Vec<_>) = files
            .into_iter()
            .partition(|(number, _)| is_outdated(*number));
        let outdated = outdated.into_iter().map(|(number, _)| number);
        (outdated.collect(), files)
    }

    /// Removes files and returns them as named in the lane's folder. One that cannot be removed hinders no
    /// other, and is found again at the next recording.
    fn removed(&self, numbers: Vec<u32>) -> Vec<String> {
        let vault = &self.context.vault;
        let mut numbers = numbers;
        numbers.retain(|number| snapshot_file::remove(vault, &self.files, *number).is_ok());
        let in_lane = |number| snapshot_file::in_lane(&self.files, number);
        numbers.into_iter().map(in_lane).collect()
    }

    fn last(&self, files: &[(u32, u64)]) -> Option<Last> {
        let base = |description: &Description| {
            let found = files.iter().find(|it| it.0 == description.number)?;
            Some(Base {
                number: description.number,
                snapshot: ObjectId::parse(&description.snapshot)?,
                bytes: found.1,
            })
        };
        let description = self.describe(files.last()?.0)?;
        let mut last = Last {
            base: base(&description)?,
            first: base(&description)?,
            description,
            n_files: 1,
            others: 0,
        };
        let mut after = last.description.after;
        while let Some(number) = after.filter(|_| last.n_files <= LONGEST_CHAIN) {
            let before = self.describe(number)?;
            last.others += last.first.bytes;
            last.n_files += 1;
            last.first = base(&before)?;
            after = before.after;
        }
        Some(last)
    }

    /// What was applied in this checkout and is not this state itself.
    fn seen(&self, checkout: &Checkout, snapshot: &Snapshot) -> Vec<String> {
        const MOST: usize = 16;
        let applied = self.applied.iter().rev();
        let here = applied.filter(|(place, _)| place == checkout.root());
        let mut seen: Vec<String> = Vec::new();
        for (_, id) in here {
            if seen.len() < MOST && !seen.contains(id) && id != snapshot.id.as_str() {
                seen.push(id.clone());
            }
        }
        seen
    }

    fn write(
        &self,
        packed: &Packed,
        number: u32,
        after: Option<Base>,
        seen: Vec<String>,
    ) -> Result<(), CodeError> {
        let manifest = serde_json::to_vec(&packed.manifest).map_err(|_| {
            CodeError::Refused("The manifest of the snapshot could not be written.".to_owned())
        })?;
        let builds_on: BTreeSet<&ObjectId> = packed.manifest.against_snapshots.iter().collect();
        let after = after.filter(|base| builds_on.contains(&base.snapshot));
        let head = packed.manifest.state.head.as_ref();
        let description = Description {
            number,
            snapshot: packed.manifest.snapshot.to_string(),
            after: after.map(|base| base.number),
            seen,
            head: head.map(ObjectId::to_string),
            tip: self.tip,
            rules: rules_version(),
            manifest: manifest.len() as u64,
            pack: packed.manifest.pack.bytes,
        };
        let context = &self.context;
        let name = context.shared().name_of(&context.short);
        let author = Author {
            device: &context.device,
            name: &name,
            key: &context.key,
            tool: &self.key.tool,
            session: &self.session,
        };
        let io = |source| CodeError::Io {
            path: packed.path().to_owned(),
            source,
        };
        let file = File::open(packed.path()).map_err(io)?;
        let mut content = manifest.as_slice().chain(file);
        let at = context.tick();
        snapshot_file::write(
            &context.vault,
            &self.files,
            &author,
            at,
            &description,
            &mut content,
        )
        .map_err(io)
    }

    /// Removes the files of the sessions that were recorded the longest time ago, if those of all
    /// sessions together are too large; returns them as named in the lane's folder.
    fn bound_lane(&self) -> Vec<String> {
        let vault = &self.context.vault;
        let dirs = session_dirs(vault, &self.context.short).unwrap_or_default();
        let mut sessions = Vec::new();
        for dir in dirs {
            let files = snapshot_file::list(vault, &dir).unwrap_or_default();
            let bytes: u64 = files.iter().map(|(_, len)| len).sum();
            sessions.push((dir, files, bytes));
        }
        let mut total: u64 = sessions.iter().map(|(_, _, bytes)| bytes).sum();
        let mut removed = Vec::new();
        if total <= KEPT_IN_ALL {
            return removed;
        }
        let owner = self
            .context
            .shared()
            .owners
            .get(&self.context.short)
            .cloned();
        sessions.sort_by_cached_key(|(dir, files, _)| {
            let last = files.last().zip(owner.as_ref());
            let described =
                last.map(|(last, owner)| snapshot_file::describe(vault, owner, dir, last.0).ok());
            described.flatten().map(|described| described.at)
        });
        for (dir, files, bytes) in sessions {
            if total <= KEPT_IN_ALL || dir == self.files {
                continue;
            }
            for (number, _) in files {
                if snapshot_file::remove(vault, &dir, number).is_ok() {
                    removed.push(snapshot_file::in_lane(&dir, number));
                }
            }
            total -= bytes;
        }
        removed
    }

    /// Files that are over the bounds.
    fn surplus(&self) -> std::io::Result<Vec<u32>> {
        let files = snapshot_file::list(&self.context.vault, &self.files)?;
        let bytes: u64 = files.iter().map(|(_, len)| len).sum();
        if files.len() <= KEPT_FILES && bytes <= KEPT_BYTES {
            return Ok(Vec::new());
        }
        let file = |(number, bytes)| {
            let after = self.describe(number).and_then(|it| it.after);
            (number, FileOf { bytes, after })
        };
        Ok(over_the_bounds(&files.into_iter().map(file).collect()))
    }
}

struct FileOf {
    bytes: u64,
    after: Option<u32>,
}

/// The numbers of the files that go, so that the others are within the bounds: the latest stay, with all
/// that they build on; the last one whatever it takes.
fn over_the_bounds(files: &BTreeMap<u32, FileOf>) -> Vec<u32> {
    let (mut kept, mut bytes): (BTreeSet<u32>, u64) = Default::default();
    for number in files.keys().rev() {
        let (mut needed, mut more) = (Vec::new(), 0);
        let mut next = Some(*number);
        while let Some(number) = next.filter(|number| !kept.contains(number)) {
            let Some(file) = files.get(&number).filter(|_| !needed.contains(&number)) else {
                break;
            };
            needed.push(number);
            more += file.bytes;
            next = file.after;
        }
        let is_over = KEPT_FILES < kept.len() + needed.len() || KEPT_BYTES < bytes + more;
        if is_over && !kept.is_empty() {
            break;
        }
        kept.extend(needed);
        bytes += more;
    }
    let goes = files.keys().filter(|number| !kept.contains(number));
    goes.copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::code::event::tests::applied;

    const MIB: u64 = 1 << 20;

    /// Which of these files go, each with its number, its MiB, and what it builds on.
    fn surplus_of(list: &[(u32, u64, Option<u32>)]) -> Vec<u32> {
        let file = |(number, bytes, after): &(u32, u64, Option<u32>)| {
            let (bytes, after) = (bytes * MIB, *after);
            (*number, FileOf { bytes, after })
        };
        over_the_bounds(&list.iter().map(file).collect())
    }

    #[test]
    fn what_a_file_builds_on_stays_with_it() {
        // Within the bounds, and two chains of which only the later one is.
        assert!(surplus_of(&[(1, 60, None), (2, 60, Some(1))]).is_empty());
        let chains = [
            (1, 60, None),
            (2, 1, Some(1)),
            (3, 70, None),
            (4, 1, Some(3)),
        ];
        assert_eq!(surplus_of(&chains), [1, 2]);
        // A history that was sent once, and later chains on it.
        let on_one = [
            (1, 60, None),
            (2, 40, Some(1)),
            (3, 40, Some(1)),
            (4, 1, Some(3)),
        ];
        assert_eq!(surplus_of(&on_one), [2]);
        // The last one is kept whatever it takes, and a circle ends.
        let large = [(1, 60, None), (2, 60, Some(1)), (3, 60, Some(2))];
        assert!(surplus_of(&large).is_empty());
        assert!(surplus_of(&[(1, 60, Some(2)), (2, 90, Some(1))]).is_empty());
        let many: Vec<_> = (1..=300).map(|number| (number, 0, None)).collect();
        assert_eq!(surplus_of(&many).len(), 100);
    }

    #[test]
    fn a_chain_that_is_long_begins_anew_on_a_first_file_that_is_large() {
        let base = |number, bytes| Base {
            number,
            snapshot: ObjectId::parse(&"0".repeat(40)).expect("an id"),
            bytes,
        };
        let description = Description {
            number: 9,
            snapshot: "0".repeat(40),
            after: Some(8),
            seen: Vec::new(),
            head: None,
            tip: ChainId::log_start(),
            rules: String::new(),
            manifest: 0,
            pack: 0,
        };
        let last = |n_files, first, others| Last {
            description: description.clone(),
            base: base(9, 1),
            first: base(1, first),
            n_files,
            others,
        };
        let next = |last: Last| last.next_base().map(|base| base.number);
        assert_eq!(next(last(2, 5 * MIB, 1)), Some(9));
        assert_eq!(next(last(LONGEST_CHAIN, 5 * MIB, 1)), Some(1));
        assert_eq!(next(last(LONGEST_CHAIN, SMALL - 1, 1)), None);
        assert_eq!(next(last(2, 5 * MIB, CHAIN_BYTES)), Some(1));
        assert_eq!(next(last(2, 30 * MIB, CHAIN_BYTES)), Some(9));
    }

    /// A store without content that takes more than is kept.
    #[test]
    fn a_store_that_is_too_large_stays_while_something_is_taken_back() {
        let home = tempfile::tempdir().expect("a directory");
        let it = applied("one", "/nowhere", 1, 0);
        let store = objects_dir(home.path(), &it.key);
        std::fs::create_dir_all(&store).expect("makes");
        let large = File::create(store.join("large")).expect("makes");
        large.set_len(KEPT_OBJECTS + 1).expect("sets");
        type Pair = (fn(&Path), fn(&Path));
        let pairs: [Pair; 2] = [
            (
                |store| restart::note(store, &applied("one", "/a", 1, 0)).expect("notes"),
                restart::note_done,
            ),
            (
                |store| restart::note_undoing(store, &applied("one", "/a", 1, 0)).expect("notes"),
                restart::undoing_done,
            ),
        ];
        for (begin, end) in pairs {
            begin(&store);
            bound_store(&store, false).expect("looks");
            assert!(store.exists());
            end(&store);
        }
        bound_store(&store, true).expect("looks");
        assert!(store.exists(), "an older undo needs it");
        bound_store(&store, false).expect("removes");
        assert!(!store.exists());
    }
}
