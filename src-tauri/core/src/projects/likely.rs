//! Directories in which a missing project's checkout is likely, beside what a walk finds: where its
//! author has it, where people keep a single checkout, and the work trees that a known repository
//! names itself. Reads a few directories and runs nothing.

use super::checkout::{self, Checkout};
use super::{Project, config, paths, split_sub};
use crate::opener;
use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

/// Maximum number of worktrees and of submodules of one repository.
const MOST: usize = 200;
/// How many directories deep the name of a submodule may be.
const DEEPEST: usize = 5;

/// Directories that may be the project's checkout. They are named by another device, so only a
/// checkout whose first remote is exactly the project's counts there: see [`at_likely`].
pub fn likely(home: &Path, project: &Project) -> Vec<PathBuf> {
    const ABOVE: [&str; 7] = [
        "",
        "Projects",
        "Code",
        "Documents",
        "Desktop",
        "workspace",
        "go/src/github.com",
    ];
    let Some(remote) = split_sub(&project.key).0.strip_prefix("git:") else {
        return Vec::new();
    };
    let mut dirs: Vec<PathBuf> = Vec::new();
    let at = project.at.as_deref().unwrap_or_default();
    dirs.extend(authors_own(home, at));
    dirs.push(home.join("go/src").join(remote));
    let names = [remote.rsplit('/').next(), at.rsplit('/').next()];
    for name in names.into_iter().flatten() {
        if name.is_empty() || !paths::stays_below(name) {
            continue;
        }
        dirs.extend(ABOVE.iter().map(|above| home.join(above).join(name)));
        if cfg!(unix) {
            dirs.extend(["/workspaces", "/srv"].map(|above| Path::new(above).join(name)));
        }
    }
    let mut seen = BTreeSet::new();
    dirs.retain(|dir| seen.insert(dir.clone()));
    dirs
}

/// The project's checkouts among the likely directories.
pub fn at_likely(home: &Path, project: &Project) -> Vec<Checkout> {
    let remote = split_sub(&project.key).0.strip_prefix("git:");
    let found = likely(home, project)
        .into_iter()
        .filter_map(|dir| checkout::read_checkout(&dir));
    found
        .filter(|checkout| checkout.remotes.first().map(String::as_str) == remote)
        .collect()
}

/// The author's path on this device. Another device may not have this one ask for network shares or
/// system directories.
fn authors_own(home: &Path, at: &str) -> Option<PathBuf> {
    const SYSTEM: [&str; 5] = ["net", "proc", "dev", "sys", "run"];
    let dir = Path::new(at);
    if !dir.is_absolute() {
        return (!at.is_empty() && paths::stays_below(at)).then(|| home.join(at));
    }
    let is_odd = |part: &Component<'_>| match part {
        Component::ParentDir => true,
        Component::Prefix(prefix) => !matches!(prefix.kind(), std::path::Prefix::Disk(_)),
        _ => false,
    };
    let first = dir.components().find_map(|part| match part {
        Component::Normal(name) => Some(name),
        _ => None,
    });
    let first = first.and_then(|first| first.to_str());
    let is_system = first.is_some_and(|first| SYSTEM.contains(&first));
    let is_refused =
        at.starts_with("//") || is_system || dir.components().any(|part| is_odd(&part));
    (!is_refused).then(|| dir.to_owned())
}

/// The work trees that a repository's own directory names: worktrees that git lists and submodules.
/// One in a hidden directory belongs to a tool.
pub fn work_trees(home: &Path, checkout: &Checkout) -> Vec<PathBuf> {
    let listed = opener::list_below(&checkout.common_dir, "worktrees", MOST).unwrap_or_default();
    let mut trees: Vec<PathBuf> = listed
        .into_iter()
        .filter_map(|entry| {
            let dir = checkout.common_dir.join("worktrees").join(entry.name);
            let text = small(&dir.join("gitdir"))?;
            dir.join(text.trim()).parent().map(Path::to_owned)
        })
        .collect();
    submodules(&checkout.common_dir.join("modules"), DEEPEST, &mut trees);
    let real_home = home.canonicalize().unwrap_or_else(|_| home.to_owned());
    let is_hidden = |dir: &Path| {
        let below = dir
            .strip_prefix(home)
            .or_else(|_| dir.strip_prefix(&real_home));
        let below = below.unwrap_or(dir);
        below.components().any(|part| match part {
            Component::Normal(name) => name.to_string_lossy().starts_with('.'),
            _ => false,
        })
    };
    trees.retain_mut(|tree| match tree.canonicalize() {
        Ok(real) => {
            // `modules/lib/../../../lib` becomes the path that people use.
            if tree.components().any(|part| part == Component::ParentDir) {
                *tree = checkout::without_verbatim(real);
            }
            !is_hidden(tree)
        }
        Err(_) => false,
    });
    trees
}

/// The work trees of the repositories below `.git/modules`.
fn submodules(dir: &Path, depth: usize, trees: &mut Vec<PathBuf>) {
    let names = opener::list_below(dir, "", MOST).unwrap_or_default();
    for entry in names
        .into_iter()
        .filter(|entry| entry.kind == opener::Kind::Dir)
    {
        let module = dir.join(entry.name);
        if module.join("HEAD").is_file() {
            let settings = config::parse(&small(&module.join("config")).unwrap_or_default());
            let tree = settings
                .into_iter()
                .find(|setting| setting.section == "core" && setting.name == "worktree");
            trees.extend(tree.map(|setting| module.join(setting.value)));
            submodules(&module.join("modules"), depth, trees);
        } else if 0 < depth && trees.len() < MOST {
            submodules(&module, depth - 1, trees);
        }
    }
}

fn small(path: &Path) -> Option<String> {
    let bytes = opener::start_of(&mut opener::file_behind_links(path).ok()?, opener::SMALL).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}
