//! The single changes by which a working tree takes on another state, each of which can be taken
//! back by what it left: a file goes to the undo record before another takes its place.

use crate::checkout::Checkout;
use crate::names::{RepoPath, folded};
use crate::objects::{Entry, Mode};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What a path was and becomes.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub old: Option<Entry>,
    pub new: Option<Entry>,
}

/// One change on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Step {
    /// The file goes to the record under the step's number.
    RemoveFile(Target),
    /// A directory that is empty then, with its permissions.
    RemoveDir(Target, u32),
    MakeDir(Target),
    /// The prepared file of the step's number takes its place.
    PlaceFile(Target),
    /// The same where a file is, which goes to the record first.
    ReplaceFile(Target),
}

impl Step {
    pub fn target(&self) -> &Target {
        match self {
            Self::RemoveFile(target)
            | Self::RemoveDir(target, _)
            | Self::MakeDir(target)
            | Self::PlaceFile(target)
            | Self::ReplaceFile(target) => target,
        }
    }
}

/// A place that a step changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Target {
    WorkTree(RepoPath),
    GitDir(String),
}

impl Target {
    pub fn path(&self, root: &Path, git_dir: &Path) -> PathBuf {
        match self {
            Self::WorkTree(path) => path.below(root).unwrap_or_else(|| root.join("")),
            Self::GitDir(name) => git_dir.join(name),
        }
    }
}

/// The steps for these changes of the working tree. An error says in a full sentence what is in the
/// way: something there that no snapshot knows is never overwritten.
pub(crate) fn steps(
    checkout: &Checkout,
    changes: &BTreeMap<RepoPath, Change>,
) -> Result<Vec<Step>, String> {
    let root = &checkout.root;
    let on_disk = |path: &RepoPath| {
        let file = path
            .below(root)
            .ok_or("A name is not valid on this system.")?;
        kind_of(&file).map_err(|error| format!("{path} could not be read ({error})."))
    };
    let in_the_way = |path: &RepoPath| format!("{path} is in the way.");
    let is_file =
        |entry: &Option<Entry>| entry.as_ref().is_some_and(|it| it.mode != Mode::Submodule);
    let mut plan = Vec::new();
    let mut removed = BTreeSet::new();
    let mut emptied = BTreeSet::new();
    for (path, change) in changes {
        check_parents(checkout, path, change, changes)?;
        let found = on_disk(path)?;
        if is_file(&change.old) && !is_file(&change.new) {
            match found {
                Kind::File => {
                    plan.push(Step::RemoveFile(Target::WorkTree(path.clone())));
                    removed.insert(path.clone());
                    emptied.extend(path.parents());
                }
                // Deleted already where the index still has it.
                Kind::Nothing => {}
                Kind::Directory => return Err(in_the_way(path)),
            }
        }
        let is_gone = change.new.is_none();
        if change.old.is_some() && !is_file(&change.old) && is_gone && found == Kind::Directory {
            // The directory of a submodule: an empty one goes with it, a full one is the user's.
            emptied.insert(path.clone());
        }
    }
    let needed: BTreeSet<RepoPath> = changes
        .iter()
        .filter(|(_, change)| change.new.is_some())
        .flat_map(|(path, _)| path.parents())
        .collect();
    let becomes_file = |path: &RepoPath| changes.get(path).is_some_and(|it| is_file(&it.new));
    let mut gone = BTreeSet::new();
    for dir in emptied.iter().rev() {
        if needed.contains(dir) {
            continue;
        }
        let Some(path) = dir.below(root) else {
            continue;
        };
        let is_empty = is_empty_without(&path, dir, &removed, &gone);
        match is_empty.map_err(|error| format!("{dir} could not be read ({error})."))? {
            Some(permissions) => {
                plan.push(Step::RemoveDir(Target::WorkTree(dir.clone()), permissions));
                gone.insert(dir.clone());
            }
            None if becomes_file(dir) => return Err(in_the_way(dir)),
            None => {}
        }
    }
    for dir in &needed {
        match on_disk(dir)? {
            Kind::Directory => {}
            Kind::Nothing => plan.push(Step::MakeDir(Target::WorkTree(dir.clone()))),
            Kind::File if removed.contains(dir) => {
                plan.push(Step::MakeDir(Target::WorkTree(dir.clone())));
            }
            Kind::File => return Err(in_the_way(dir)),
        }
    }
    let folded_removed: BTreeSet<String> = match checkout.ignores_case() {
        true => removed.iter().map(folded).collect(),
        false => BTreeSet::new(),
    };
    for (path, change) in changes.iter().filter(|(_, change)| change.new.is_some()) {
        let found = on_disk(path)?;
        let target = Target::WorkTree(path.clone());
        if !is_file(&change.new) {
            match found {
                Kind::Nothing => plan.push(Step::MakeDir(target)),
                Kind::Directory => {}
                Kind::File if removed.contains(path) => plan.push(Step::MakeDir(target)),
                Kind::File => return Err(in_the_way(path)),
            }
            continue;
        }
        let is_freed = || match found {
            Kind::Nothing => true,
            Kind::Directory => gone.contains(path),
            Kind::File => folded_removed.contains(&folded(path)),
        };
        if found == Kind::File && is_file(&change.old) {
            plan.push(Step::ReplaceFile(target));
        } else if is_freed() {
            plan.push(Step::PlaceFile(target));
        } else {
            return Err(in_the_way(path));
        }
    }
    Ok(plan)
}

/// Every directory above a file that is removed or written is a directory and no link: on this way
/// nothing outside of the checkout is reached.
fn check_parents(
    checkout: &Checkout,
    path: &RepoPath,
    change: &Change,
    changes: &BTreeMap<RepoPath, Change>,
) -> Result<(), String> {
    for dir in path.parents() {
        let Some(file) = dir.below(&checkout.root) else {
            return Err("A name is not valid on this system.".to_owned());
        };
        let is_replaced = || changes.get(&dir).is_some_and(|it| it.new.is_none());
        match kind_of(&file) {
            Ok(Kind::File) if change.new.is_some() && !is_replaced() => {
                return Err(format!("{dir} is in the way."));
            }
            Ok(Kind::File) if change.new.is_none() => {
                return Err(format!("{dir} is in the way."));
            }
            Ok(_) => {}
            Err(error) => return Err(format!("{dir} could not be read ({error}).")),
        }
    }
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Nothing,
    /// A file or a link.
    File,
    Directory,
}

fn kind_of(path: &Path) -> io::Result<Kind> {
    match path.symlink_metadata() {
        Ok(metadata) if metadata.is_dir() => Ok(Kind::Directory),
        Ok(_) => Ok(Kind::File),
        Err(error) => match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Ok(Kind::Nothing),
            _ => Err(error),
        },
    }
}

/// The permissions of a directory that is empty when these are gone; `None` if it is not.
fn is_empty_without(
    path: &Path,
    dir: &RepoPath,
    removed: &BTreeSet<RepoPath>,
    gone: &BTreeSet<RepoPath>,
) -> io::Result<Option<u32>> {
    for entry in fs::read_dir(path)? {
        let name = crate::names::path_bytes(Path::new(&entry?.file_name()));
        let inside = RepoPath::new([dir.as_bytes(), b"/", &name].concat());
        if !removed.contains(&inside) && !gone.contains(&inside) {
            return Ok(None);
        }
    }
    Ok(Some(permissions(path)?))
}

#[cfg(unix)]
fn permissions(path: &Path) -> io::Result<u32> {
    use std::os::unix::fs::PermissionsExt;
    Ok(path.symlink_metadata()?.permissions().mode() & 0o7777)
}

#[cfg(not(unix))]
fn permissions(_path: &Path) -> io::Result<u32> {
    Ok(0)
}
