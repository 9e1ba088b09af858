//! Applies a snapshot: to the checkout itself, or to a worktree without a branch beside it. The undo
//! record is on disk before the first change.

use crate::checkout::{Checkout, CodeError, Lock, Result};
use crate::compare::{Comparison, Plan, differences};
use crate::files::{fingerprint, move_file};
use crate::git::{self, Bounds, GitError, Input};
use crate::names::{ObjectId, RepoPath, path_bytes};
use crate::objects::{Mode, Node, Reader};
use crate::ours::Placed;
use crate::own::{Tips, excluded};
use crate::record::{Limits, Snapshot, joined, parents, record_locked};
use crate::scratch::{Scratch, Sees};
use crate::state::{Operation, OperationKind};
use crate::status::{Cache, Status};
use crate::steps::{Step, Target, steps};
use crate::store::{Store, move_packs};
use crate::undo::Undo;
use crate::undoing::{OnStep, Phase, Undoing};
use crate::verify::files_of;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

const TIME: Duration = Duration::from_secs(1800);
/// The most files of a tree that is written.
const ENTRIES: usize = 2_000_000;

/// Carries out the plan of a comparison, after checking that the checkout is still what it was.
/// `Ok(None)` if there was nothing to do.
pub fn apply(
    checkout: &Checkout,
    store: &Store,
    comparison: &Comparison,
    limits: &Limits,
) -> Result<Option<Undo>> {
    apply_with(checkout, store, comparison, limits, &mut |_| ())
}

/// [`apply`], with a call before each change.
pub fn apply_with(
    checkout: &Checkout,
    store: &Store,
    comparison: &Comparison,
    limits: &Limits,
    on_step: OnStep,
) -> Result<Option<Undo>> {
    match &comparison.plan {
        Plan::Nothing => Ok(None),
        Plan::InPlace => in_place(checkout, store, comparison, limits, on_step).map(Some),
        Plan::Worktree { path, .. } => {
            let target = &comparison.target;
            beside(checkout, store, target, path, on_step).map(Some)
        }
        Plan::NeedsCommits(_) => Err(CodeError::refused(
            "The commit that the snapshot is made on is not here.",
        )),
        Plan::Refused(why) => Err(CodeError::refused(why.clone())),
    }
}

fn in_place(
    checkout: &Checkout,
    store: &Store,
    comparison: &Comparison,
    limits: &Limits,
    on_step: OnStep,
) -> Result<Undo> {
    let target = &comparison.target;
    on_step("begin");
    let mut undoing = Undoing::begin(checkout, &target.id)?;
    on_step("lock");
    if let Err(error) = undoing.lock() {
        undoing.discard()?;
        return Err(error);
    }
    let done = change(&mut undoing, store, comparison, limits, on_step);
    match done {
        Ok(()) => {
            on_step("unlock");
            undoing.unlock()?;
            Ok(Undo {
                number: undoing.record.number,
                snapshot: target.id.clone(),
                worktree: None,
            })
        }
        Err(error) => {
            let taken_back = match undoing.record.phase {
                Phase::Applying => undoing.roll_back(on_step),
                _ => Ok(()),
            };
            undoing.unlock()?;
            // Otherwise the record stays, and the next start takes back the rest.
            taken_back.map_err(CodeError::half_done)?;
            let kept = undoing.kept_dir();
            undoing.discard()?;
            match kept {
                None => Err(error),
                Some(kept) => Err(CodeError::refused(format!(
                    "{error} What was in the way of taking it back is in {}.",
                    kept.display()
                ))),
            }
        }
    }
}

fn change(
    undoing: &mut Undoing,
    store: &Store,
    comparison: &Comparison,
    limits: &Limits,
    on_step: OnStep,
) -> Result<()> {
    let checkout = undoing.checkout;
    let target = &comparison.target;
    let current = comparison.current.as_ref();
    let current = current.ok_or_else(|| CodeError::refused("The checkout was not recorded."))?;
    refuse_changed(checkout, store, &current.id, limits)?;
    let scratch = Scratch::new(checkout, store, target.state.head.as_ref())?;
    let changes = differences(&scratch, &current.working_tree, &target.working_tree)?;
    let mut plan = steps(checkout, &changes).map_err(CodeError::refused)?;
    for kind in OperationKind::ALL {
        plan_operation(checkout, target.state.operation.as_ref(), kind, &mut plan);
    }
    for name in ["MERGE_MSG", "MERGE_MODE"] {
        plan_file(checkout, target.state.operation.is_some(), name, &mut plan);
    }
    plan_file(checkout, true, "index", &mut plan);

    on_step("prepare files");
    prepare_index(&scratch, current, target)?;
    prepare_files(&scratch, undoing, &target.working_tree, &plan)?;
    prepare_operation(undoing, target.state.operation.as_ref(), &plan)?;
    on_step("bring objects");
    bring_objects(&scratch, target)?;
    undoing.record.prepared = (0..plan.len())
        .map(|number| fingerprint(&undoing.new_file(number)).unwrap_or_default())
        .collect();
    undoing.record.steps = plan;
    on_step("look again");
    undoing.look_at_places();
    refuse_changed(checkout, store, &current.id, limits)?;
    let before = Placed::last(checkout)?;
    on_step("write the record");
    undoing.enter(Phase::Applying)?;

    let last = undoing.record.steps.len() - 1;
    for number in 0..last {
        undoing.apply_step(number, on_step)?;
    }
    finish_index(&scratch, &checkout.root, &undoing.new_file(last))?;
    undoing.apply_step(last, on_step)?;
    on_step("finish");
    let mut placed = placed(&scratch, target)?;
    if changes_ignored(&undoing.record.steps) || !before.own.is_empty() {
        placed.own = uncovered(&scratch, &placed)?;
        placed.head = target.state.head.clone();
    }
    placed.note(&undoing.dir)?;
    undoing.enter_applied(target)?;
    let _ = fs::remove_dir_all(undoing.dir.join("stage"));
    Ok(())
}

/// Preparing takes a while, and people and programs save files meanwhile.
fn refuse_changed(
    checkout: &Checkout,
    store: &Store,
    was: &ObjectId,
    limits: &Limits,
) -> Result<()> {
    match record_locked(checkout, store, limits, Lock::Held)?.id == *was {
        true => Ok(()),
        false => Err(CodeError::refused(format!(
            "{} was changed meanwhile.",
            checkout.root.display()
        ))),
    }
}

fn plan_operation(
    checkout: &Checkout,
    operation: Option<&Operation>,
    kind: OperationKind,
    plan: &mut Vec<Step>,
) {
    let is_wanted = operation.is_some_and(|operation| operation.kind == kind);
    plan_file(checkout, is_wanted, kind.file(), plan);
}

/// A step for a file of the git directory.
fn plan_file(checkout: &Checkout, is_wanted: bool, name: &str, plan: &mut Vec<Step>) {
    let is_there = checkout.git_dir.join(name).symlink_metadata().is_ok();
    let target = Target::GitDir(name.to_owned());
    match (is_wanted, is_there) {
        (true, true) => plan.push(Step::ReplaceFile(target)),
        (true, false) => plan.push(Step::PlaceFile(target)),
        (false, true) => plan.push(Step::RemoveFile(target)),
        (false, false) => {}
    }
}

/// The index that the checkout will have, but for the stat of files that are not placed yet.
fn prepare_index(scratch: &Scratch, current: &Snapshot, target: &Snapshot) -> Result<()> {
    let git = |sees| scratch.command_in(sees, &scratch.checkout.root, "index");
    let is_plain = current.stages.is_empty() && current.state.intents.is_empty();
    let has_index = is_plain && scratch.copy_index("index")?;
    let mut lines = Vec::new();
    match has_index {
        true => {
            let null = scratch.checkout.format.null();
            for (path, change) in differences(scratch, &current.index, &target.index)? {
                let line = match change.new {
                    Some(entry) => format!("{} {}\t", entry.mode.as_str(), entry.id),
                    None => format!("0 {null}\t"),
                };
                push_line(&mut lines, &line, &path);
            }
        }
        false => {
            let tree = target.index.as_str();
            let empty = scratch.checkout.format.empty_tree();
            match target.index == empty {
                true => scratch.run(git(Sees::All), &["read-tree", "--empty"], b"")?,
                false => scratch.run(git(Sees::All), &["read-tree", tree], b"")?,
            };
        }
    }
    for (idx, stage) in target.stages.iter().enumerate() {
        for (path, entry) in files_of(scratch, stage, ENTRIES)? {
            let line = format!("{} {} {}\t", entry.mode.as_str(), entry.id, idx + 1);
            push_line(&mut lines, &line, &path);
        }
    }
    scratch.run(
        git(Sees::Nothing),
        &["update-index", "-z", "--index-info"],
        &lines,
    )?;
    announce(scratch, target)
}

fn push_line(lines: &mut Vec<u8>, start: &str, path: &RepoPath) {
    lines.extend_from_slice(start.as_bytes());
    lines.extend_from_slice(path.as_bytes());
    lines.push(0);
}

/// Only `git add` can announce files, and it wants to see them: empty ones of the same kind will do.
fn announce(scratch: &Scratch, target: &Snapshot) -> Result<()> {
    let intents = &target.state.intents;
    if intents.is_empty() {
        return Ok(());
    }
    let dir = scratch.path("announced");
    let mut reader = Reader::start(scratch)?;
    for path in intents {
        let file = path.below(&dir).unwrap_or_else(|| dir.join(""));
        let parent = file.parent().unwrap_or(&dir);
        let mode = match reader.entry(&target.working_tree, path, scratch.checkout.format)? {
            Some(Node::Leaf(entry)) => Some(entry.mode),
            Some(Node::Tree(_)) | None => None,
        };
        fs::create_dir_all(parent)
            .and_then(|()| place_empty(&file, mode))
            .map_err(CodeError::io(&file))?;
    }
    let args = [
        "add",
        "--force",
        "--intent-to-add",
        "--pathspec-from-file=-",
        "--pathspec-file-nul",
    ];
    let command = scratch.command_in(Sees::Nothing, &dir, "index");
    scratch.run(command, &args, &joined(intents.iter()))?;
    Ok(())
}

#[cfg(unix)]
fn place_empty(file: &Path, mode: Option<Mode>) -> std::io::Result<()> {
    use std::os::unix::fs::{PermissionsExt, symlink};
    match mode {
        Some(Mode::Link) => symlink("announced", file),
        Some(Mode::Executable) => {
            fs::write(file, "")?;
            fs::set_permissions(file, fs::Permissions::from_mode(0o755))
        }
        _ => fs::write(file, ""),
    }
}

#[cfg(not(unix))]
fn place_empty(file: &Path, _mode: Option<Mode>) -> std::io::Result<()> {
    fs::write(file, "")
}

/// Writes the files that steps place: as a checkout would, with line endings of this system, and
/// with no filter.
fn prepare_files(
    scratch: &Scratch,
    undoing: &Undoing,
    tree: &ObjectId,
    plan: &[Step],
) -> Result<()> {
    let stage = undoing.dir.join("stage");
    let placed =
        plan.iter()
            .enumerate()
            .filter_map(|(number, step)| match step {
                Step::PlaceFile(Target::WorkTree(path))
                | Step::ReplaceFile(Target::WorkTree(path)) => Some((number, path)),
                _ => None,
            });
    let placed: Vec<(usize, &RepoPath)> = placed.collect();
    if placed.is_empty() {
        return Ok(());
    }
    let paths = placed.iter().map(|(_, path)| *path);
    write_files(scratch, &stage, tree, &joined(paths))?;
    for (number, path) in placed {
        let file = path.below(&stage).unwrap_or_else(|| stage.clone());
        let new = undoing.new_file(number);
        fs::rename(&file, &new).map_err(CodeError::io(&file))?;
    }
    Ok(())
}

fn write_files(scratch: &Scratch, into: &Path, tree: &ObjectId, names: &[u8]) -> Result<()> {
    let git = || scratch.command_in(Sees::All, into, "work.index");
    scratch.run(git(), &["read-tree", tree.as_str()], b"")?;
    let mut command = git();
    command.args(["checkout-index", "--force", "--quiet", "-z", "--stdin"]);
    let bounds = Bounds::within(TIME);
    git::run(command, Input::Bytes(names), bounds)?;
    Ok(())
}

/// The files by which `git` knows that a merge is to be finished.
fn operation_files(operation: &Operation) -> [(&'static str, Vec<u8>); 3] {
    let commits: String = operation
        .commits
        .iter()
        .map(|id| format!("{id}\n"))
        .collect();
    let bytes = |text: &str| {
        let bytes = RepoPath::parse(text).map(|bytes| bytes.as_bytes().to_vec());
        bytes.unwrap_or_default()
    };
    [
        (operation.kind.file(), commits.into_bytes()),
        ("MERGE_MSG", bytes(&operation.message)),
        ("MERGE_MODE", bytes(&operation.mode)),
    ]
}

fn prepare_operation(
    undoing: &Undoing,
    operation: Option<&Operation>,
    plan: &[Step],
) -> Result<()> {
    let Some(operation) = operation else {
        return Ok(());
    };
    for (name, content) in operation_files(operation) {
        let number = plan.iter().position(|step| match step {
            Step::PlaceFile(target) | Step::ReplaceFile(target) => {
                *target == Target::GitDir(name.to_owned())
            }
            _ => false,
        });
        if let Some(number) = number {
            let file = undoing.new_file(number);
            fs::write(&file, content).map_err(CodeError::io(&file))?;
        }
    }
    Ok(())
}

/// Reads the stat of the files that are in their places now, and hands the index over.
fn finish_index(scratch: &Scratch, work_tree: &Path, to: &Path) -> Result<()> {
    let command = scratch.command_in(Sees::All, work_tree, "index");
    match scratch.run(command, &["update-index", "-q", "--refresh"], b"") {
        // Files that are not as in the index: what a snapshot with unstaged changes has.
        Ok(_) | Err(CodeError::Git(GitError::Failed { .. })) => {}
        Err(error) => return Err(error),
    }
    let from = scratch.path("index");
    let copy = || {
        fs::copy(&from, to)?;
        fs::File::options().append(true).open(to)?.sync_all()
    };
    copy().map_err(CodeError::io(to))
}

/// Brings what the index, a commit to be merged and a worktree need into the user's repository.
/// What only the working tree has does not enter it.
fn bring_objects(scratch: &Scratch, target: &Snapshot) -> Result<()> {
    let checkout = scratch.checkout;
    let mut input = excluded(checkout, Tips::RefsAndHead)?;
    let empty = checkout.format.empty_tree();
    let trees = [&target.index].into_iter().chain(&target.stages);
    let trees = trees.filter(|tree| **tree != empty).cloned();
    for id in trees.chain(parents(&target.state)) {
        input.push_str(&format!("{id}\n"));
    }
    let mut command = scratch.command(Sees::All);
    command.args(["rev-list", "--objects", "--no-object-names", "--stdin"]);
    let bounds = Bounds {
        bytes: 1 << 30,
        time: TIME,
    };
    let mut list = git::run(command, Input::Bytes(input.as_bytes()), bounds)?;
    if !target.state.intents.is_empty() {
        let [id] = crate::record::write_blobs(scratch, &[Vec::new()])?
            .try_into()
            .map_err(|_| CodeError::refused("An object could not be written."))?;
        list.extend_from_slice(format!("{id}\n").as_bytes());
    }
    if list.is_empty() {
        return Ok(());
    }
    let out = scratch.path("out");
    fs::create_dir_all(&out).map_err(CodeError::io(&out))?;
    let mut command = scratch.command(Sees::All);
    command.args(["-c", "core.fsync=default", "pack-objects", "--quiet"]);
    command.arg("--delta-base-offset").arg(out.join("pack"));
    git::run(command, Input::Bytes(&list), Bounds::within(TIME))?;
    let packs = checkout.objects.join("pack");
    fs::create_dir_all(&packs).map_err(CodeError::io(&packs))?;
    move_packs(&out, &packs)
}

/// Makes a worktree at the state of the snapshot.
fn beside(
    checkout: &Checkout,
    store: &Store,
    target: &Snapshot,
    path: &Path,
    on_step: OnStep,
) -> Result<Undo> {
    on_step("begin");
    let mut undoing = Undoing::begin(checkout, &target.id)?;
    match make_worktree(&mut undoing, store, target, path, on_step) {
        Ok(()) => Ok(Undo {
            number: undoing.record.number,
            snapshot: target.id.clone(),
            worktree: Some(path.to_owned()),
        }),
        Err(error) => {
            drop(undoing);
            crate::undo::recover(checkout)?;
            Err(error)
        }
    }
}

fn make_worktree(
    undoing: &mut Undoing,
    store: &Store,
    target: &Snapshot,
    path: &Path,
    on_step: OnStep,
) -> Result<()> {
    let checkout = undoing.checkout;
    let head = target.state.head.as_ref();
    let head = head.ok_or_else(|| CodeError::refused("The snapshot has no commit."))?;
    let scratch = Scratch::new(checkout, store, Some(head))?;
    on_step("bring objects");
    bring_objects(&scratch, target)?;
    on_step("write the record");
    undoing.record.worktree = Some(RepoPath::new(path_bytes(path)));
    undoing.save()?;
    on_step("make a directory");
    fs::create_dir(path).map_err(CodeError::io(path))?;
    on_step("note that it is ours");
    undoing.enter(Phase::Applying)?;

    on_step("make the worktree");
    let mut command = checkout.git.in_repository(&checkout.root);
    command.args(["worktree", "add", "--quiet", "--detach", "--no-checkout"]);
    command.arg(path).arg(head.as_str());
    git::run(command, Input::Nothing, Bounds::default())?;
    let worktree = Checkout::open(&checkout.git, path)?;
    let scratch = Scratch::new(&worktree, store, Some(head))?;

    on_step("write files");
    let files = files_of(&scratch, &target.working_tree, ENTRIES)?;
    let empty = checkout.format.empty_tree();
    if target.working_tree != empty {
        let is_written = |mode: Mode| mode != Mode::Submodule;
        let names = files.iter().filter(|(_, entry)| is_written(entry.mode));
        write_files(
            &scratch,
            path,
            &target.working_tree,
            &joined(names.map(|(path, _)| path)),
        )?;
    }
    for (submodule, _) in files
        .iter()
        .filter(|(_, entry)| entry.mode == Mode::Submodule)
    {
        let dir = submodule.below(path).unwrap_or_else(|| path.to_owned());
        fs::create_dir_all(&dir).map_err(CodeError::io(&dir))?;
    }
    on_step("write the index");
    let nothing = Snapshot {
        stages: vec![empty],
        ..target.clone()
    };
    prepare_index(&scratch, &nothing, target)?;
    let new = undoing.dir.join("new").join("index");
    finish_index(&scratch, path, &new)?;
    move_file(&new, &worktree.index).map_err(CodeError::io(&worktree.index))?;
    if let Some(operation) = &target.state.operation {
        for (name, content) in operation_files(operation) {
            let file = worktree.git_dir.join(name);
            fs::write(&file, content).map_err(CodeError::io(&file))?;
        }
    }
    on_step("finish");
    placed(&scratch, target)?.note_in(&worktree)?;
    undoing.enter_applied(target)
}

/// The files of a state that are not in it as its index has them.
fn placed(scratch: &Scratch, target: &Snapshot) -> Result<Placed> {
    let mut placed = Placed::default();
    for (path, change) in differences(scratch, &target.index, &target.working_tree)? {
        let Some(entry) = change.new else { continue };
        if change.old.is_none() {
            placed.untracked.insert(path.clone());
        }
        placed.entries.insert(path, entry);
    }
    Ok(placed)
}

/// Whether one of the steps places or removes rules for files that are ignored.
fn changes_ignored(steps: &[Step]) -> bool {
    let is_rules = |step: &Step| match step.target() {
        Target::WorkTree(path) => path.file_name().eq_ignore_ascii_case(b".gitignore"),
        Target::GitDir(_) => false,
    };
    steps.iter().any(is_rules)
}

/// Files that are untracked now and did not come with the state: this device ignored them by the rules of
/// before.
fn uncovered(scratch: &Scratch, placed: &Placed) -> Result<BTreeSet<RepoPath>> {
    let status = Status::read(scratch, "index", Cache::None)?;
    let untracked = status.untracked.into_iter();
    Ok(untracked
        .filter(|path| !placed.untracked.contains(path))
        .collect())
}
