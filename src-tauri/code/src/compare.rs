//! Compares a snapshot with a checkout and decides what applying it would mean. Changes nothing.

use crate::checkout::{Checkout, CodeError, Result};
use crate::git::{self, Bounds, GitError, Input};
use crate::measure::PackLimits;
use crate::names::{ObjectId, RepoPath};
use crate::obeyed::is_obeyed_name;
use crate::objects::{Entry, Mode, Reader};
use crate::own::{Tips, foreign, own_tree};
use crate::record::{Limits, Snapshot, filtered, filtered_in, parents, read_snapshot, record};
use crate::scratch::{Scratch, Sees};
use crate::state::{LeftOut, OperationKind, Reason, State};
use crate::steps::{Change, steps};
use crate::store::Store;
use crate::undoing::applied_here;
use crate::verify::files_of;
use crate::worktree;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

/// What applying a snapshot would mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plan {
    /// The checkout is in that state already.
    Nothing,
    /// The checkout is at the same commit and has no changes of its own: it can take on the state.
    InPlace,
    /// The commit of the snapshot is not here; a pack that brings it is needed.
    NeedsCommits(Vec<ObjectId>),
    /// A worktree without a branch, beside the checkout, can hold the state.
    Worktree { path: PathBuf, why: String },
    /// It cannot be applied; a full sentence.
    Refused(String),
}

/// One file that is not here what it is in the snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileChange {
    pub path: RepoPath,
    pub kind: ChangeKind,
    /// What it is here, and what it will be.
    pub old: Option<Mode>,
    pub new: Option<Mode>,
    /// Whether a program may obey this file unasked: a setting, a hook, anything with a dot name.
    pub is_obeyed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    Added,
    Changed,
    Deleted,
    /// The same content with another permission.
    Permission,
    /// A file that becomes a link, a submodule, or the reverse.
    Kind,
}

/// A snapshot beside a checkout.
#[derive(Clone, Debug)]
pub struct Comparison {
    pub plan: Plan,
    pub target: Snapshot,
    /// The checkout as it is; `None` where it cannot be recorded.
    pub current: Option<Snapshot>,
    /// The files of the working tree that differ, in the order of their paths. Where the plan is a worktree,
    /// against the commit of the snapshot, or the nearest one below it that is the user's own.
    pub files: Vec<FileChange>,
    /// The tree against which they differ.
    pub from: ObjectId,
    /// How many commits come along that are not the user's own here.
    pub commits: u64,
}

/// Compares a snapshot that is in the store with the checkout. `known` are the snapshots whose state
/// is nobody's own work here: those that were applied here before. A checkout in one of these states
/// counts as clean.
pub fn compare(
    checkout: &Checkout,
    store: &Store,
    snapshot: &ObjectId,
    known: &[ObjectId],
    limits: &Limits,
) -> Result<Comparison> {
    let scratch = Scratch::new(checkout, store, None)?;
    let mut reader = Reader::start(&scratch)?;
    let target = read_snapshot(&mut reader, snapshot, checkout)?;
    let missing =
        |id: &ObjectId, reader: &mut Reader| Ok::<_, CodeError>(reader.read(id, 0)?.is_none());
    let mut needed = Vec::new();
    for id in parents(&target.state) {
        if missing(&id, &mut reader)? {
            needed.push(id);
        }
    }
    let mut comparison = Comparison {
        plan: Plan::Nothing,
        target,
        current: None,
        files: Vec::new(),
        from: checkout.format.empty_tree(),
        commits: 0,
    };
    if !needed.is_empty() {
        comparison.plan = Plan::NeedsCommits(needed);
        return Ok(comparison);
    }
    let mut applied = applied_here(checkout)?;
    applied.retain(|applied| known.contains(&applied.id));
    let in_store = known.iter();
    let in_store = in_store.filter_map(|id| read_snapshot(&mut reader, id, checkout).ok());
    let known: Vec<Snapshot> = in_store.chain(applied).collect();
    let format = checkout.format;
    let base = match &comparison.target.state.head {
        Some(head) => reader.commit(head)?.tree,
        None => format.empty_tree(),
    };
    checkout.wait_for_lock();
    let beside = match record(checkout, store, limits) {
        // That ends, and is no reason for a worktree.
        Err(CodeError::Busy(why)) => {
            comparison.plan = Plan::Refused(why);
            return Ok(comparison);
        }
        Ok(current) => {
            let why = why_not_here(&comparison.target, &current, &base, &known);
            comparison.current = Some(current);
            why
        }
        Err(CodeError::Refused(why)) => Some(why),
        Err(other) => return Err(other),
    };
    if beside.as_deref() == Some("") {
        return Ok(comparison);
    }
    let from = match (&beside, &comparison.current) {
        (None, Some(current)) => current.working_tree.clone(),
        _ => base.clone(),
    };
    let changes = differences(&scratch, &from, &comparison.target.working_tree)?;
    let shown = own_if_foreign(&scratch, &mut reader, &mut comparison, from.clone())?;
    comparison.files = match shown == from {
        true => changes.iter().map(described).collect(),
        false => {
            let changes = differences(&scratch, &shown, &comparison.target.working_tree)?;
            changes.iter().map(described).collect()
        }
    };
    comparison.from = shown;
    for file in &mut comparison.files {
        file.is_obeyed |= checkout.is_hook(&file.path);
    }
    let filtered = filtered(&scratch, "none", changes.keys())?;
    if let Some(path) = filtered.first() {
        comparison.plan = Plan::Refused(format!(
            "{path} is made by a filter in {} (Git LFS?), and filters are never run.",
            checkout.root.display()
        ));
        return Ok(comparison);
    }
    let operation = comparison.target.state.operation.as_ref();
    if checkout.has_reftable && operation.is_some_and(|it| it.kind != OperationKind::Merge) {
        comparison.plan = Plan::Refused(format!(
            "A cherry-pick or a revert is in progress in it, and {} keeps its refs in a table.",
            checkout.root.display()
        ));
        return Ok(comparison);
    }
    let marked = marked_unchanged(&scratch, &changes)?;
    let beside = beside.or_else(|| {
        let is_sparse = checkout.is_set("core.sparsecheckout");
        let sparse = is_sparse.then(|| "This checkout is sparse.".to_owned());
        let current = comparison.current.as_ref();
        sparse
            .or_else(|| left_behind(current, &changes))
            // What is only committed here is not lost with it.
            .or_else(|| match current?.is_clean(&base) {
                true => None,
                false => stayed_there(&comparison.target, &changes),
            })
            .or(marked)
            .or_else(|| steps(checkout, &changes).err())
    });
    comparison.plan = match beside {
        None => Plan::InPlace,
        Some(why) if comparison.target.state.head.is_none() => Plan::Refused(format!(
            "{why} A state without a commit cannot go into a worktree."
        )),
        Some(why) => Plan::Worktree {
            path: free_path(checkout, &comparison.target.id),
            why: match unfilled(&scratch, &comparison.target.working_tree)? {
                None => why,
                Some(unfilled) => format!("{why} {unfilled}"),
            },
        },
    };
    Ok(comparison)
}

/// What the user is shown the differences from: what commits that are not the user's own changed is as new
/// here as what nobody committed. Counts these commits.
fn own_if_foreign(
    scratch: &Scratch,
    reader: &mut Reader,
    comparison: &mut Comparison,
    from: ObjectId,
) -> Result<ObjectId> {
    let state = &comparison.target.state;
    let commits = parents(state);
    if commits.is_empty() {
        return Ok(from);
    }
    comparison.commits = foreign(scratch, &commits, Tips::RefsAndHead)?.count;
    let current = comparison.current.as_ref();
    let is_here = current.is_some_and(|current| current.state.head == state.head);
    match comparison.commits == 0 || is_here {
        true => Ok(from),
        false => own_tree(scratch, reader, state.head.as_ref(), Tips::RefsAndHead),
    }
}

/// A worktree gets all files, also those that did not change and that a filter made in the checkout.
fn unfilled(scratch: &Scratch, tree: &ObjectId) -> Result<Option<String>> {
    let files = files_of(scratch, tree, PackLimits::default().entries)?;
    let index = "filtered.index";
    let command = scratch.command_in(Sees::All, &scratch.checkout.root, index);
    scratch.run(command, &["read-tree", tree.as_str()], b"")?;
    let filtered = filtered_in(scratch, index, files.keys())?;
    let Some(first) = filtered.first() else {
        return Ok(None);
    };
    let files = match filtered.len() - 1 {
        0 => format!("{first} is"),
        1 => format!("{first} and 1 more file are"),
        others => format!("{first} and {others} more files are"),
    };
    Ok(Some(format!(
        "{files} there as committed, because filters are never run: `git lfs checkout`, or what makes them \
         otherwise, has to be run in it."
    )))
}

/// Why the checkout cannot take the state on; empty if it is in that state.
fn why_not_here(
    target: &Snapshot,
    current: &Snapshot,
    base: &ObjectId,
    known: &[Snapshot],
) -> Option<String> {
    if target.is_state_of(current) {
        return Some(String::new());
    }
    if target.state.head != current.state.head {
        return Some("This checkout is at another commit.".to_owned());
    }
    let is_known = known.iter().any(|known| known.is_state_of(current));
    match current.is_clean(base) || is_known {
        true => None,
        false => Some("This checkout has changes of its own.".to_owned()),
    }
}

/// A file here that differs from the commit and is in no snapshot would be overwritten.
fn left_behind(current: Option<&Snapshot>, changes: &BTreeMap<RepoPath, Change>) -> Option<String> {
    let in_the_way = changed_though_left_out(&current?.state, changes)?;
    Some(format!("{in_the_way} has changes of its own."))
}

/// A file that the other device has and did not send: the snapshot has the committed version or none in its
/// place, which says nothing about what is here.
fn stayed_there(target: &Snapshot, changes: &BTreeMap<RepoPath, Change>) -> Option<String> {
    let stayed = changed_though_left_out(&target.state, changes)?;
    Some(format!("{stayed} stayed on the other device."))
}

/// The first changed path that is one of those that were left out, or lies below one.
fn changed_though_left_out<'c>(
    state: &State,
    changes: &'c BTreeMap<RepoPath, Change>,
) -> Option<&'c RepoPath> {
    // A file that held commits back may have gone along itself.
    let went = |left_out: &&LeftOut| matches!(left_out.reason, Reason::InCommit(_));
    let left_out = state.left_out.iter().filter(|left_out| !went(left_out));
    let left_out: BTreeSet<&RepoPath> = left_out.map(|left_out| &left_out.path).collect();
    let is_it = |path: &RepoPath| {
        left_out.contains(path) || path.parents().iter().any(|dir| left_out.contains(dir))
    };
    changes.keys().find(|path| is_it(path))
}

/// A file that the user told `git` not to look at: no status says whether it has changes.
fn marked_unchanged(
    scratch: &Scratch,
    changes: &BTreeMap<RepoPath, Change>,
) -> Result<Option<String>> {
    scratch.copy_index("marks.index")?;
    let command = scratch.command_in(Sees::Nothing, &scratch.checkout.root, "marks.index");
    let list = scratch.run(command, &["ls-files", "-v", "-z"], b"")?;
    let mut marked = list.split(|byte| *byte == 0).filter_map(|line| {
        let is_marked = |tag: &u8| tag.is_ascii_lowercase() || *tag == b'S';
        let tag = line.first().filter(|tag| is_marked(tag));
        tag.and(line.get(2..)).map(RepoPath::new)
    });
    let marked = marked.find(|path| changes.contains_key(path));
    Ok(marked.map(|path| format!("{path} is marked as unchanged, whatever it holds.")))
}

/// A directory beside the checkout that does not exist yet, and is no worktree on a disk that is away. A
/// submodule's is beside the outermost checkout around it, which would have it as an untracked directory.
fn free_path(checkout: &Checkout, snapshot: &ObjectId) -> PathBuf {
    let beside = checkout.outermost();
    let name = checkout.root.file_name().unwrap_or_default();
    let name = format!("{}-{}", name.to_string_lossy(), &snapshot.as_str()[..8]);
    let paths = (1..).map(|number| match number {
        1 => beside.with_file_name(&name),
        number => beside.with_file_name(format!("{name}-{number}")),
    });
    let is_free = |path: &PathBuf| {
        path.symlink_metadata().is_err() && worktree::entry_of(checkout, path).is_none()
    };
    let mut free = paths.filter(is_free);
    free.next().expect("the numbers do not end")
}

/// The files that differ between two trees.
pub(crate) fn differences(
    scratch: &Scratch,
    from: &ObjectId,
    to: &ObjectId,
) -> Result<BTreeMap<RepoPath, Change>> {
    let most = PackLimits::default().entries;
    let mut command = scratch.command(Sees::All);
    command.args([
        "diff-tree",
        "-r",
        "-z",
        "--no-renames",
        "--raw",
        "--no-abbrev",
    ]);
    command.args([from.as_str(), to.as_str()]);
    if scratch.checkout.format.empty_tree() == *from {
        // The empty tree is no object of the repository.
        let files = files_of(scratch, to, most)?;
        let added = files.into_iter().map(|(path, new)| {
            let new = Some(new);
            (path, Change { old: None, new })
        });
        return Ok(added.collect());
    }
    let bounds = Bounds {
        bytes: 256 << 20,
        time: Duration::from_secs(300),
    };
    let text = git::run(command, Input::Nothing, bounds)?;
    let parts: Vec<&[u8]> = text.split(|byte| *byte == 0).collect();
    let mut changes = BTreeMap::new();
    for pair in parts.chunks_exact(2) {
        let change = parse_difference(pair[0])
            .ok_or_else(|| CodeError::refused("Two trees could not be compared."))?;
        changes.insert(RepoPath::new(pair[1]), change);
    }
    Ok(changes)
}

/// `:OLDMODE NEWMODE OLDID NEWID STATUS`.
fn parse_difference(line: &[u8]) -> Option<Change> {
    let words: Vec<&[u8]> = line
        .strip_prefix(b":")?
        .split(|byte| *byte == b' ')
        .collect();
    let [old_mode, new_mode, old_id, new_id, _] = *words.as_slice() else {
        return None;
    };
    let entry = |mode: &[u8], id: &[u8]| match mode {
        b"000000" => Some(None),
        mode => Some(Some(Entry {
            mode: Mode::parse(mode)?,
            id: ObjectId::parse_bytes(id)?,
        })),
    };
    Some(Change {
        old: entry(old_mode, old_id)?,
        new: entry(new_mode, new_id)?,
    })
}

fn described((path, change): (&RepoPath, &Change)) -> FileChange {
    let is_file = |entry: &Entry| matches!(entry.mode, Mode::File | Mode::Executable);
    let kind = match (&change.old, &change.new) {
        (None, _) => ChangeKind::Added,
        (_, None) => ChangeKind::Deleted,
        (Some(old), Some(new)) if is_file(old) != is_file(new) => ChangeKind::Kind,
        (Some(old), Some(new)) if old.id == new.id => ChangeKind::Permission,
        (Some(_), Some(_)) => ChangeKind::Changed,
    };
    FileChange {
        path: path.clone(),
        kind,
        old: change.old.as_ref().map(|entry| entry.mode),
        new: change.new.as_ref().map(|entry| entry.mode),
        is_obeyed: is_obeyed(path),
    }
}

/// Whether a program may obey the file, or a directory around it.
fn is_obeyed(path: &RepoPath) -> bool {
    path.components().any(is_obeyed_name)
}

/// The difference of one file as text, as `git diff` prints it, cut at `most` bytes; binary files
/// are only named.
pub fn diff_text(
    checkout: &Checkout,
    store: &Store,
    comparison: &Comparison,
    path: &RepoPath,
    most: u64,
) -> Result<String> {
    let scratch = Scratch::new(checkout, store, None)?;
    let target = &comparison.target;
    let mut command = scratch.command(Sees::All);
    command.args(["diff-tree", "-r", "-p", "--no-renames", "--no-ext-diff"]);
    command.args(["--no-textconv", "--no-color", comparison.from.as_str()]);
    command.arg(target.working_tree.as_str());
    command.arg("--").arg(as_argument(path)?);
    let bounds = Bounds {
        bytes: most,
        time: Duration::from_secs(30),
    };
    let mut text = Vec::new();
    match git::run_into(command, Input::Nothing, &mut text, bounds) {
        Ok(()) | Err(GitError::TooMuchOutput(_)) => {}
        Err(error) => return Err(error.into()),
    }
    text.truncate(usize::try_from(most).unwrap_or(usize::MAX));
    Ok(String::from_utf8_lossy(&text).into_owned())
}

fn as_argument(path: &RepoPath) -> Result<PathBuf> {
    let path = path.below(std::path::Path::new(""));
    path.ok_or_else(|| CodeError::refused("The name of the file is not valid on this system."))
}
