//! Records a checkout as a snapshot: a commit of our own making whose tree holds the index, the
//! working tree and the three sides of a conflict as trees, and the rest as JSON. The user's
//! repository and working tree are only read.
//!
//! Trees are made from the tree of the last commit and what `git status` says: what did not change
//! is neither read nor written.

use crate::checkout::{Checkout, CodeError, Head, Lock, Result};
use crate::kept_index::read_status;
use crate::names::{ObjectId, RepoPath, leads_out, unsafe_path};
use crate::objects::{Changes, Entry, Mode, Node, Reader, Tree, TreeWriter, edited};
use crate::ours::Placed;
use crate::scratch::{Scratch, Sees};
use crate::secrets::{find_secret, is_secret_name};
use crate::state::{LeftOut, Operation, OperationKind, Reason, Side, State, VERSION};
use crate::status::Status;
use crate::store::Store;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// How much may go along.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The largest file, in bytes. At most 512 MiB.
    pub file: u64,
    /// All changed files of a snapshot together.
    pub total: u64,
    /// The most changed files; with more, nothing is recorded.
    pub files: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            file: 10 << 20,
            total: 100 << 20,
            files: 20_000,
        }
    }
}

/// A recorded state of a checkout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Equal states of a checkout have equal ids, on every device.
    pub id: ObjectId,
    pub working_tree: ObjectId,
    /// The entries of the index that are not in conflict.
    pub index: ObjectId,
    /// The trees of the three sides of a conflict; empty without one.
    pub stages: Vec<ObjectId>,
    pub state: State,
}

impl Snapshot {
    /// Whether two snapshots are of one state; what was left out may differ.
    pub(crate) fn is_state_of(&self, other: &Self) -> bool {
        self.index == other.index
            && self.working_tree == other.working_tree
            && self.stages == other.stages
            && self.state.head == other.state.head
            && self.state.operation == other.state.operation
            && self.state.intents == other.state.intents
    }

    /// Whether nothing differs from the last commit; files that were left out do not count.
    pub(crate) fn is_clean(&self, head_tree: &ObjectId) -> bool {
        let state = &self.state;
        self.index == *head_tree
            && self.working_tree == *head_tree
            && self.stages.is_empty()
            && state.operation.is_none()
            && state.intents.is_empty()
    }
}

const STATE: &str = "state";
const INDEX: &str = "index";
const WORKING_TREE: &str = "working-tree";
const STAGES: [&str; 3] = ["stage-1", "stage-2", "stage-3"];
/// The longest message of an operation, and the longest list of its commits.
const LONGEST_MESSAGE: u64 = 64 * 1024;
/// How many bytes of contents are held at once.
const MANY: usize = 32 << 20;
/// The longest `state`.
const LONGEST_STATE: u64 = 8 << 20;

/// Records the checkout as it is now. The objects lie in the store afterwards; a state that was
/// recorded before has the same id.
pub fn record(checkout: &Checkout, store: &Store, limits: &Limits) -> Result<Snapshot> {
    record_locked(checkout, store, limits, Lock::Free)
}

pub(crate) fn record_locked(
    checkout: &Checkout,
    store: &Store,
    limits: &Limits,
    lock: Lock,
) -> Result<Snapshot> {
    let head = checkout.head()?;
    record_at(checkout, store, limits, lock, head, BTreeSet::new())
}

/// Records the checkout as if another commit was checked out: what differs from that one are changes.
/// `left_out` is named beside what stays behind otherwise.
pub(crate) fn record_at(
    checkout: &Checkout,
    store: &Store,
    limits: &Limits,
    lock: Lock,
    head: Head,
    left_out: BTreeSet<LeftOut>,
) -> Result<Snapshot> {
    checkout.refuse_unfinished(lock)?;
    let scratch = Scratch::new(checkout, store, head.commit.as_ref())?;
    scratch.copy_index("index")?;
    // These start while the status is read.
    let reader = Reader::start(&scratch)?;
    let writer = TreeWriter::start(&scratch)?;
    let status = read_status(&scratch)?;
    let n_files = status.staged.len() + status.changed.len() + status.untracked.len();
    if limits.files < n_files {
        return Err(CodeError::refused(format!(
            "{n_files} files differ from the last commit in {} (at most {} go along).",
            checkout.root.display(),
            limits.files
        )));
    }
    let mut recording = Recording {
        scratch: &scratch,
        limits,
        reader,
        left_out,
        rejected: BTreeSet::new(),
        wanted: BTreeSet::new(),
        filtered: BTreeSet::new(),
        placed: Placed::last(checkout)?,
    };
    recording.snapshot(&head, status, writer)
}

struct Recording<'a> {
    scratch: &'a Scratch<'a>,
    limits: &'a Limits,
    reader: Reader,
    left_out: BTreeSet<LeftOut>,
    /// Blobs that were written and must not be kept.
    rejected: BTreeSet<ObjectId>,
    wanted: BTreeSet<ObjectId>,
    /// Paths whose content a filter makes.
    filtered: BTreeSet<RepoPath>,
    /// What the state that was applied here last put here.
    placed: Placed,
}

impl Recording<'_> {
    fn snapshot(
        &mut self,
        head: &Head,
        mut status: Status,
        mut writer: TreeWriter,
    ) -> Result<Snapshot> {
        let format = self.scratch.checkout.format;
        let head_tree = match &head.commit {
            Some(commit) => Some(self.reader.commit(commit)?.tree),
            None => None,
        };
        self.find_intents(head_tree.as_ref(), &mut status)?;
        self.find_ignored(head_tree.as_ref(), &mut status)?;
        if self.placed.head == head.commit {
            status
                .untracked
                .retain(|path| !self.placed.own.contains(path));
        }
        self.filtered = filtered(self.scratch, "index", status.paths())?;
        self.check_conflicts(&status)?;
        let staged = self.staged(&status)?;
        let mut changes = self.changed(&status)?;
        self.add_unseen(head_tree.as_ref(), &status, &mut changes)?;
        for path in &status.repositories {
            self.leave_out(path, Side::WorkingTree, Reason::Repository);
        }
        for path in &status.moved_submodules {
            self.leave_out(path, Side::WorkingTree, Reason::MovedSubmodule);
        }
        let operation = self.operation()?;

        let mut tree = |base: Option<&ObjectId>, changes: &Changes| {
            edited(base, changes, format, &mut self.reader, &mut writer)
        };
        let index = tree(head_tree.as_ref(), &staged)?;
        let working_tree = tree(Some(&index), &changes)?;
        let mut stages = Vec::new();
        if !status.conflicts.is_empty() {
            for stage in 0..3 {
                let entries = status.conflicts.iter();
                let entries = entries.filter_map(|(path, sides)| {
                    let entry = sides[stage].clone()?;
                    Some((path.clone(), Some(entry)))
                });
                stages.push(tree(None, &entries.collect())?);
            }
        }
        let mut intents = status.intents;
        intents.sort();
        let state = State {
            version: VERSION,
            head: head.commit.clone(),
            branch: head.branch.clone(),
            operation,
            intents,
            left_out: self.left_out.iter().cloned().collect(),
        };
        let text = serde_json::to_string(&state).expect("strings and lists only");
        let [state_id] = write_blobs(self.scratch, &[text.into_bytes()])?
            .try_into()
            .map_err(|_| CodeError::refused("The state could not be written."))?;
        let mut root = Tree::default();
        let mut add = |name: &str, node: Node| root.0.insert(name.as_bytes().to_vec(), node);
        add(INDEX, Node::Tree(index.clone()));
        add(WORKING_TREE, Node::Tree(working_tree.clone()));
        for (name, stage) in STAGES.iter().zip(&stages) {
            add(name, Node::Tree(stage.clone()));
        }
        let mode = Mode::File;
        add(STATE, Node::Leaf(Entry { mode, id: state_id }));
        let root = writer.write(&root)?;
        let id = write_commit(self.scratch, &root, &parents(&state))?;
        let (rejected, wanted) = (&self.rejected, &self.wanted);
        self.scratch.keep_objects(|hex| {
            let id = ObjectId::parse(hex);
            id.is_some_and(|id| wanted.contains(&id) || !rejected.contains(&id))
        })?;
        Ok(Snapshot {
            id,
            working_tree,
            index,
            stages,
            state,
        })
    }

    /// A file that was announced and is gone looks like an empty file that was committed and is gone.
    fn find_intents(&mut self, head_tree: Option<&ObjectId>, status: &mut Status) -> Result<()> {
        let format = self.scratch.checkout.format;
        let empty = format.empty_blob();
        for (path, entry) in &mut status.changed {
            if entry.as_ref().is_none_or(|entry| entry.id != empty)
                || status.staged.contains_key(path)
            {
                continue;
            }
            let committed = match head_tree {
                Some(tree) => self.reader.entry(tree, path, format)?,
                None => None,
            };
            if committed.is_none() {
                status.intents.push(path.clone());
                *entry = None;
            }
        }
        Ok(())
    }

    /// Untracked files that came with applied code, and that this device ignores by rules of its own, are part
    /// of the state still. Otherwise it would say that they were removed here.
    fn find_ignored(&mut self, head_tree: Option<&ObjectId>, status: &mut Status) -> Result<()> {
        let checkout = self.scratch.checkout;
        let placed: Vec<RepoPath> = self.placed.untracked.iter().cloned().collect();
        let listed: BTreeSet<RepoPath> = status.paths().chain(&status.intents).cloned().collect();
        let untracked: BTreeSet<RepoPath> = status.untracked.iter().cloned().collect();
        for path in placed {
            if untracked.contains(&path) || !is_file_of(checkout, &path) {
                continue;
            }
            let is_untracked = match (status.staged.get(&path), head_tree) {
                // Taken out of the index, and still there.
                (Some((_, None)), _) => true,
                _ if listed.contains(&path) => false,
                // What is committed and not listed is tracked, and unchanged.
                (_, Some(tree)) => {
                    let committed = self.reader.entry(tree, &path, checkout.format)?;
                    committed.is_none()
                }
                (_, None) => true,
            };
            if is_untracked {
                status.untracked.push(path);
            }
        }
        Ok(())
    }

    /// Files that came with applied code and differ from the index only in what `git` does not look at here:
    /// their permission, or whether they are a link. Otherwise this device would take that away.
    fn add_unseen(
        &mut self,
        head_tree: Option<&ObjectId>,
        status: &Status,
        changes: &mut Changes,
    ) -> Result<()> {
        let checkout = self.scratch.checkout;
        let listed: BTreeSet<&RepoPath> = status
            .paths()
            .filter(|path| !is_staged_only(status, path))
            .collect();
        for (path, entry) in &self.placed.entries {
            if listed.contains(path) || !is_file_of(checkout, path) {
                continue;
            }
            let index = match (status.staged.get(path), head_tree) {
                (Some((_, index)), _) => index.clone(),
                (None, Some(tree)) => match self.reader.entry(tree, path, checkout.format)? {
                    Some(Node::Leaf(entry)) => Some(entry),
                    Some(Node::Tree(_)) | None => None,
                },
                (None, None) => None,
            };
            let is_unseen =
                |index: &Entry| index.id == entry.id && as_placed(checkout, index, entry) != *index;
            if index.as_ref().is_some_and(is_unseen) {
                changes.insert(path.clone(), Some(entry.clone()));
            }
        }
        Ok(())
    }

    fn leave_out(&mut self, path: &RepoPath, side: Side, reason: Reason) {
        let path = path.clone();
        self.left_out.insert(LeftOut { path, side, reason });
    }

    /// Both sides of a conflict come from commits or the stash; what must not leave in them cannot
    /// be left out without making another conflict of it.
    fn check_conflicts(&mut self, status: &Status) -> Result<()> {
        for (path, sides) in &status.conflicts {
            let ours = sides[1].clone();
            for entry in sides.iter().flatten() {
                if let Some(reason) = self.reason(path, entry, ours.as_ref())? {
                    return Err(CodeError::refused(format!(
                        "{path} is in conflict and {reason}."
                    )));
                }
            }
        }
        Ok(())
    }

    /// What the index changes of the last commit's tree.
    fn staged(&mut self, status: &Status) -> Result<Changes> {
        let mut changes = Changes::new();
        let mut contents = Vec::new();
        let mut total = 0;
        for (path, (head, index)) in &status.staged {
            if let Some(entry) = index {
                if let Some(reason) = self.reason(path, entry, head.as_ref())? {
                    self.leave_out(path, Side::Index, reason);
                    continue;
                }
                if entry.mode != Mode::Submodule {
                    let content = self.reader.blob(&entry.id, self.limits.file)?;
                    total += content.len() as u64;
                    if self.limits.total < total {
                        total -= content.len() as u64;
                        self.leave_out(path, Side::Index, Reason::TotalTooLarge);
                        continue;
                    }
                    contents.push(content);
                    self.wanted.insert(entry.id.clone());
                }
            }
            changes.insert(path.clone(), index.clone());
        }
        // The user's repository drops them some time after they are no longer staged.
        write_blobs(self.scratch, &contents)?;
        for (path, sides) in &status.conflicts {
            // A side of the conflict is no entry of the tree, whether the last commit had it or not.
            changes.insert(path.clone(), None);
            self.wanted
                .extend(sides.iter().flatten().map(|entry| entry.id.clone()));
        }
        Ok(changes)
    }

    /// What the working tree changes of the index' tree.
    fn changed(&mut self, status: &Status) -> Result<Changes> {
        let mut changes = Changes::new();
        let mut files = BTreeMap::new();
        let conflicts = status.conflicts.iter();
        let conflicts = conflicts.map(|(path, sides)| {
            let entry = sides[1].clone().or_else(|| sides[2].clone());
            (path, entry.or_else(|| sides[0].clone()))
        });
        let changed = status.changed.iter();
        let changed = changed.map(|(path, entry)| (path, entry.clone()));
        let untracked = status.untracked.iter().map(|path| (path, None));
        for (path, entry) in changed.chain(untracked).chain(conflicts) {
            match self.look_at(path) {
                Ok(Some(size)) => drop(files.insert(path.clone(), (entry, size))),
                Ok(None) => drop(changes.insert(path.clone(), None)),
                Err(reason) => self.leave_out(path, Side::WorkingTree, reason),
            }
        }
        self.bound_total(&mut files);
        let files: BTreeMap<RepoPath, Option<Entry>> = files
            .into_iter()
            .map(|(path, (entry, _))| (path, entry))
            .collect();
        for (path, entry) in self.hashed(&files)? {
            // Against what was committed; for a file that is not staged that is the index.
            let known = match status.staged.get(&path) {
                Some((head, _)) => head.clone(),
                None => files.get(&path).cloned().flatten(),
            };
            match self.reason(&path, &entry, known.as_ref())? {
                Some(reason) => {
                    self.rejected.insert(entry.id.clone());
                    self.leave_out(&path, Side::WorkingTree, reason);
                }
                None => {
                    self.wanted.insert(entry.id.clone());
                    changes.insert(path, Some(entry));
                }
            }
        }
        Ok(changes)
    }

    /// The size of a file that may go along; `None` if there is no file.
    fn look_at(&self, path: &RepoPath) -> std::result::Result<Option<u64>, Reason> {
        if unsafe_path(path).is_some() {
            return Err(Reason::UnsafePath);
        }
        let root = &self.scratch.checkout.root;
        let file = path.below(root).ok_or(Reason::UnsafePath)?;
        // What is behind a link that took a directory's place is no file of this path.
        let is_link = |dir: &RepoPath| dir.below(root).is_some_and(|dir| dir.is_symlink());
        if path.parents().iter().any(is_link) {
            return Ok(None);
        }
        let metadata = match file.symlink_metadata() {
            Ok(metadata) => metadata,
            Err(error) => match error.kind() {
                std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => {
                    return Ok(None);
                }
                _ => return Err(Reason::Unreadable),
            },
        };
        if metadata.is_dir() {
            return match file.join(".git").symlink_metadata() {
                Ok(_) => Err(Reason::Repository),
                Err(_) => Ok(None),
            };
        }
        if self.filtered.contains(path) {
            return Err(Reason::Filter);
        }
        if is_secret_name(&path.to_string()) {
            return Err(Reason::SecretName);
        }
        if metadata.is_symlink() {
            return Ok(Some(metadata.len()));
        }
        if !metadata.is_file() || fs::File::open(&file).is_err() {
            return Err(Reason::Unreadable);
        }
        match metadata.len() <= self.limits.file {
            true => Ok(Some(metadata.len())),
            false => Err(Reason::TooLarge),
        }
    }

    fn bound_total(&mut self, files: &mut BTreeMap<RepoPath, (Option<Entry>, u64)>) {
        let mut total: u64 = files.values().map(|(_, size)| size).sum();
        let mut by_size: Vec<(u64, RepoPath)> = files
            .iter()
            .map(|(path, (_, size))| (*size, path.clone()))
            .collect();
        by_size.sort();
        while let (true, Some((size, path))) = (self.limits.total < total, by_size.pop()) {
            total -= size;
            files.remove(&path);
            self.leave_out(&path, Side::WorkingTree, Reason::TotalTooLarge);
        }
    }

    /// Writes the files as objects, as `git add` would, and returns their entries.
    fn hashed(&mut self, files: &BTreeMap<RepoPath, Option<Entry>>) -> Result<Entries> {
        if files.is_empty() {
            return Ok(Entries::new());
        }
        // Whether line endings are converted depends on those in the index.
        let mut seeds = Vec::new();
        let mut with_returns = Vec::new();
        for (path, entry) in files {
            let placed = self.placed.entries.get(path);
            let placed = placed.filter(|placed| placed.mode != Mode::Link);
            let Some(entry) = entry.as_ref().or(placed) else {
                continue;
            };
            seeds.extend_from_slice(format!("{} {}\t", entry.mode.as_str(), entry.id).as_bytes());
            seeds.extend_from_slice(path.as_bytes());
            seeds.push(0);
            if entry.mode == Mode::File || entry.mode == Mode::Executable {
                let object = self.reader.read(&entry.id, self.limits.file)?;
                let content = object.and_then(|object| object.content).unwrap_or_default();
                if content.contains(&b'\r') {
                    with_returns.push(content);
                }
                if MANY < with_returns.iter().map(Vec::len).sum::<usize>() {
                    write_blobs(self.scratch, &std::mem::take(&mut with_returns))?;
                }
            }
        }
        write_blobs(self.scratch, &with_returns)?;
        let root = &self.scratch.checkout.root;
        let git = || self.scratch.command_in(Sees::Nothing, root, "new.index");
        let add = ["update-index", "-z", "--index-info"];
        self.scratch.run(git(), &add, &seeds)?;
        let names = joined(files.keys());
        let add = [
            "update-index",
            "--add",
            "--remove",
            "--replace",
            "-z",
            "--stdin",
        ];
        self.scratch.run(git(), &add, &names)?;
        let list = self
            .scratch
            .run(git(), &["ls-files", "--stage", "-z"], b"")?;
        let mut entries = Entries::new();
        for line in list
            .split(|byte| *byte == 0)
            .filter(|line| !line.is_empty())
        {
            let (path, entry) = parse_stage(line)
                .ok_or_else(|| CodeError::refused("The index has an entry of unknown kind."))?;
            let entry = match self.placed.entries.get(&path) {
                Some(placed) => as_placed(self.scratch.checkout, &entry, placed),
                None => entry,
            };
            // A file that became the same again, or went away meanwhile, is no change.
            if files
                .get(&path)
                .is_some_and(|old| old.as_ref() != Some(&entry))
            {
                entries.insert(path, entry);
            }
        }
        Ok(entries)
    }

    /// Why this version of a file stays behind; `known` is what was committed at its path.
    fn reason(
        &mut self,
        path: &RepoPath,
        entry: &Entry,
        known: Option<&Entry>,
    ) -> Result<Option<Reason>> {
        if known.is_some_and(|known| known.id == entry.id) || entry.mode == Mode::Submodule {
            return Ok(None);
        }
        if unsafe_path(path).is_some() {
            return Ok(Some(Reason::UnsafePath));
        }
        if self.filtered.contains(path) {
            return Ok(Some(Reason::Filter));
        }
        if is_secret_name(&path.to_string()) {
            return Ok(Some(Reason::SecretName));
        }
        let object = self.reader.read(&entry.id, self.limits.file)?;
        let Some(object) = object else {
            return Err(CodeError::refused(format!(
                "The content of {path} is not in this repository (a partial clone?)."
            )));
        };
        let Some(content) = object.content else {
            return Ok(Some(Reason::TooLarge));
        };
        if entry.mode == Mode::Link {
            return Ok(leads_out(path, &content).then_some(Reason::LeadsOut));
        }
        let known = match known {
            Some(known) if known.mode != Mode::Submodule => {
                let object = self.reader.read(&known.id, self.limits.file)?;
                object.and_then(|object| object.content).unwrap_or_default()
            }
            Some(_) | None => Vec::new(),
        };
        if is_attributes(path) && adds_filter(&content, &known) {
            return Ok(Some(Reason::FilterRule));
        }
        Ok(find_secret(path, &content, &known).map(Reason::SecretContent))
    }

    fn operation(&self) -> Result<Option<Operation>> {
        let dir = &self.scratch.checkout.git_dir;
        for kind in OperationKind::ALL {
            let Some(text) = read_small(&dir.join(kind.file()))? else {
                continue;
            };
            let text = String::from_utf8_lossy(&text).into_owned();
            let commits: Option<Vec<ObjectId>> = text.lines().map(ObjectId::parse).collect();
            let commits = commits.filter(|commits| !commits.is_empty());
            let unknown = || CodeError::refused(format!("{} cannot be read.", kind.file()));
            let text = |name: &str| -> Result<String> {
                let bytes = read_small(&dir.join(name))?.unwrap_or_default();
                Ok(RepoPath::new(bytes).to_string())
            };
            return Ok(Some(Operation {
                kind,
                commits: commits.ok_or_else(unknown)?,
                message: text("MERGE_MSG")?,
                mode: text("MERGE_MODE")?,
            }));
        }
        Ok(None)
    }
}

type Entries = BTreeMap<RepoPath, Entry>;

/// Whether nothing but the index differs at a path.
fn is_staged_only(status: &Status, path: &RepoPath) -> bool {
    status
        .staged
        .get(path)
        .is_some_and(|(_, index)| index.is_some())
        && !status.changed.contains_key(path)
}

/// An entry as `git` finds it here, with what applied code said of it and `git` does not look at: the
/// permission of a file, or that the same content is where a link leads.
fn as_placed(checkout: &Checkout, found: &Entry, placed: &Entry) -> Entry {
    let is_file = |mode: Mode| matches!(mode, Mode::File | Mode::Executable);
    let is_taken = is_file(found.mode)
        && match placed.mode {
            Mode::File | Mode::Executable => checkout.is_off("core.filemode"),
            Mode::Link => checkout.is_off("core.symlinks") && found.id == placed.id,
            Mode::Submodule => false,
        };
    Entry {
        mode: if is_taken { placed.mode } else { found.mode },
        id: found.id.clone(),
    }
}

/// Whether a path is a file or a link, in directories that belong to this checkout.
fn is_file_of(checkout: &Checkout, path: &RepoPath) -> bool {
    let on_disk = |path: &RepoPath| {
        let place = path.below(&checkout.root)?;
        Some((place.symlink_metadata().ok()?, place))
    };
    let is_own_dir = |dir: &RepoPath| {
        on_disk(dir).is_some_and(|(metadata, place)| {
            metadata.is_dir() && place.join(".git").symlink_metadata().is_err()
        })
    };
    on_disk(path).is_some_and(|(metadata, _)| !metadata.is_dir())
        && path.parents().iter().all(is_own_dir)
}

impl Status {
    pub(crate) fn paths(&self) -> impl Iterator<Item = &RepoPath> {
        let changed = self.changed.keys().chain(&self.untracked);
        changed
            .chain(self.staged.keys())
            .chain(self.conflicts.keys())
    }
}

/// The commits that a snapshot is made on: its parents.
pub fn parents(state: &State) -> Vec<ObjectId> {
    let operation = state.operation.iter();
    let commits = operation.flat_map(|operation| &operation.commits);
    let mut parents: Vec<ObjectId> = Vec::new();
    for commit in state.head.iter().chain(commits) {
        if !parents.contains(commit) {
            parents.push(commit.clone());
        }
    }
    parents
}

/// A snapshot that was recorded or received here; `None` if the store does not have it.
pub fn recorded(checkout: &Checkout, store: &Store, id: &ObjectId) -> Result<Option<Snapshot>> {
    let scratch = Scratch::new(checkout, store, None)?;
    let mut reader = Reader::start(&scratch)?;
    match reader.read(id, 0)? {
        None => Ok(None),
        Some(_) => read_snapshot(&mut reader, id, checkout).map(Some),
    }
}

/// Reads a snapshot back. Refuses one that is not as [`record`] makes it.
pub(crate) fn read_snapshot(
    reader: &mut Reader,
    id: &ObjectId,
    checkout: &Checkout,
) -> Result<Snapshot> {
    let odd = || CodeError::refused(format!("The snapshot {id} is not made as snapshots are."));
    let commit = reader.commit(id)?;
    let root = reader.tree(&commit.tree, checkout.format)?;
    let tree = |name: &str| match root.0.get(name.as_bytes()) {
        Some(Node::Tree(id)) => Some(id.clone()),
        Some(Node::Leaf(_)) | None => None,
    };
    let Some(Node::Leaf(Entry {
        mode: Mode::File,
        id: state,
    })) = root.0.get(STATE.as_bytes())
    else {
        return Err(odd());
    };
    let text = reader.blob(state, LONGEST_STATE)?;
    let state: State = serde_json::from_slice(&text).map_err(|_| odd())?;
    let stages: Vec<ObjectId> = STAGES.iter().filter_map(|name| tree(name)).collect();
    let (Some(index), Some(working_tree)) = (tree(INDEX), tree(WORKING_TREE)) else {
        return Err(odd());
    };
    let is_whole = root.0.len() == 3 + stages.len()
        && [0, 3].contains(&stages.len())
        && state.version == VERSION
        && commit.parents == parents(&state);
    // Written as it would be written here: nothing hides in spaces or fields that were not read.
    let is_canonical = serde_json::to_vec(&state).is_ok_and(|again| again == text);
    if !is_whole || !is_canonical || !is_sound(&state) {
        return Err(odd());
    }
    Ok(Snapshot {
        id: id.clone(),
        working_tree,
        index,
        stages,
        state,
    })
}

/// Whether what will be written into the git directory is of the expected form.
fn is_sound(state: &State) -> bool {
    let is_branch = |name: &String| {
        name.starts_with("refs/heads/") && name.len() < 1024 && !name.contains(['\n', '\0'])
    };
    let is_operation = |operation: &Operation| {
        let modes = ["", "no-ff"];
        let is_single = operation.kind == OperationKind::Merge || operation.commits.len() == 1;
        !operation.commits.is_empty()
            && is_single
            && operation.message.len() as u64 <= 3 * LONGEST_MESSAGE
            && modes.contains(&operation.mode.trim())
    };
    state.branch.as_ref().is_none_or(is_branch)
        && state.operation.as_ref().is_none_or(is_operation)
        && state.intents.iter().all(|path| unsafe_path(path).is_none())
}

/// Which of these paths a filter applies to, whether it is configured here or not: by the attributes of the
/// working tree, or else those of an index in the scratch directory.
pub(crate) fn filtered<'p>(
    scratch: &Scratch,
    index: &str,
    paths: impl Iterator<Item = &'p RepoPath>,
) -> Result<BTreeSet<RepoPath>> {
    let args = ["check-attr", "-z", "--stdin", "filter"];
    filtered_by(scratch, index, &args, paths)
}

/// The same by the attributes of that index alone.
pub(crate) fn filtered_in<'p>(
    scratch: &Scratch,
    index: &str,
    paths: impl Iterator<Item = &'p RepoPath>,
) -> Result<BTreeSet<RepoPath>> {
    let args = ["check-attr", "--cached", "-z", "--stdin", "filter"];
    filtered_by(scratch, index, &args, paths)
}

fn filtered_by<'p>(
    scratch: &Scratch,
    index: &str,
    args: &[&str],
    paths: impl Iterator<Item = &'p RepoPath>,
) -> Result<BTreeSet<RepoPath>> {
    let names = joined(paths);
    if names.is_empty() {
        return Ok(BTreeSet::new());
    }
    let command = scratch.command_in(Sees::All, &scratch.checkout.root, index);
    let answer = scratch.run(command, args, &names)?;
    let words: Vec<&[u8]> = answer.split(|byte| *byte == 0).collect();
    let is_set = |value: &[u8]| value != b"unspecified" && value != b"unset";
    let set = words.chunks_exact(3).filter(|words| is_set(words[2]));
    Ok(set.map(|words| RepoPath::new(words[0])).collect())
}

pub(crate) fn is_attributes(path: &RepoPath) -> bool {
    path.file_name().eq_ignore_ascii_case(b".gitattributes")
}

/// Whether a file of attributes has a line about filters that `known` does not have.
pub(crate) fn adds_filter(content: &[u8], known: &[u8]) -> bool {
    fn lines(text: &[u8]) -> BTreeSet<&[u8]> {
        let lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
        let names_filter = |line: &&[u8]| line.windows(6).any(|word| word == b"filter");
        lines.filter(names_filter).collect()
    }
    !lines(content).is_subset(&lines(known))
}

/// Writes contents as blobs, unchanged, into the scratch directory.
pub(crate) fn write_blobs(scratch: &Scratch, contents: &[Vec<u8>]) -> Result<Vec<ObjectId>> {
    if contents.is_empty() {
        return Ok(Vec::new());
    }
    let dir = scratch.path("contents");
    fs::create_dir_all(&dir).map_err(CodeError::io(&dir))?;
    let mut names = String::new();
    for (idx, content) in contents.iter().enumerate() {
        let file = dir.join(idx.to_string());
        fs::write(&file, content).map_err(CodeError::io(&file))?;
        names.push_str(&format!("contents/{idx}\n"));
    }
    let args = ["hash-object", "-w", "--no-filters", "--stdin-paths"];
    let answer = scratch.run(scratch.command(Sees::Nothing), &args, names.as_bytes())?;
    fs::remove_dir_all(&dir).map_err(CodeError::io(&dir))?;
    let ids: Option<Vec<ObjectId>> = String::from_utf8_lossy(&answer)
        .lines()
        .map(ObjectId::parse)
        .collect();
    ids.filter(|ids| ids.len() == contents.len())
        .ok_or_else(|| CodeError::refused("Objects could not be written."))
}

fn write_commit(scratch: &Scratch, tree: &ObjectId, parents: &[ObjectId]) -> Result<ObjectId> {
    const WHO: &str = "session-roam <code@session-roam.invalid> 0 +0000";
    let parents: String = parents.iter().map(|id| format!("parent {id}\n")).collect();
    let text =
        format!("tree {tree}\n{parents}author {WHO}\ncommitter {WHO}\n\nState of a checkout\n");
    let args = ["hash-object", "-w", "-t", "commit", "--stdin"];
    let answer = scratch.run(scratch.command(Sees::Nothing), &args, text.as_bytes())?;
    ObjectId::parse(String::from_utf8_lossy(&answer).trim())
        .ok_or_else(|| CodeError::refused("The snapshot could not be written."))
}

/// `MODE ID STAGE<tab>PATH`.
pub(crate) fn parse_stage(line: &[u8]) -> Option<(RepoPath, Entry)> {
    let tab = line.iter().position(|byte| *byte == b'\t')?;
    let mut words = line[..tab].split(|byte| *byte == b' ');
    let mode = Mode::parse(words.next()?)?;
    let id = ObjectId::parse_bytes(words.next()?)?;
    Some((RepoPath::new(&line[tab + 1..]), Entry { mode, id }))
}

pub(crate) fn joined<'p>(paths: impl Iterator<Item = &'p RepoPath>) -> Vec<u8> {
    let mut names = Vec::new();
    for path in paths {
        names.extend_from_slice(path.as_bytes());
        names.push(0);
    }
    names
}

/// The content of a small file in the git directory; `None` if the file does not exist.
fn read_small(path: &Path) -> Result<Option<Vec<u8>>> {
    use std::io::Read;
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(CodeError::io(path)(error)),
    };
    let mut content = Vec::new();
    file.take(LONGEST_MESSAGE + 1)
        .read_to_end(&mut content)
        .map_err(CodeError::io(path))?;
    match content.len() as u64 <= LONGEST_MESSAGE {
        true => Ok(Some(content)),
        false => Err(CodeError::refused(format!(
            "{} is too long.",
            path.display()
        ))),
    }
}
