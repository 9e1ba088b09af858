//! A repository on disk, read without running Git: where it begins, its remotes, whether it is a
//! linked worktree. `git`, which may be missing, is asked only for the root commit and in
//! `standing.rs`.

use super::aliases::Aliases;
use super::config::{self, Setting};
use super::git::{self, output_within};
use super::{paths, remote};
use crate::opener;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A work tree and the repository behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkout {
    pub work_tree: PathBuf,
    /// The directory that all worktrees of a repository share: its config and history.
    pub common_dir: PathBuf,
    /// Normalised remotes that mean the same on every device; `origin` first, then in config order.
    pub remotes: Vec<String>,
    /// If there is none of those: the repository's name in the first remote that means another thing on
    /// each device, such as a path.
    pub local_remote: Option<String>,
    /// A worktree made by `git worktree add`, not the main work tree.
    pub linked: bool,
    /// When the repository was created here, in milliseconds since 1970, if the file system reports
    /// it. Moving and renaming keep the time, cloning again does not.
    pub born: Option<u64>,
    /// The container of a bare repository: worktrees may lie below, but nothing is checked out in
    /// it.
    pub bare: bool,
}

/// The checkout around `dir`, and the `/`-separated path down to `dir`, which may be missing.
pub fn around(dir: &Path) -> Option<(Checkout, String)> {
    around_as_written(dir).or_else(|| {
        let real = dir.canonicalize().ok()?;
        around_as_written(&without_verbatim(real))
    })
}

/// Turns Windows' `\\?\C:\…` into `C:\…`, and `\\?\UNC\server\…` into `\\server\…`: tools are
/// started in this directory.
pub(crate) fn without_verbatim(path: PathBuf) -> PathBuf {
    let rest = path.to_str().and_then(|text| text.strip_prefix(r"\\?\"));
    let plain = rest.and_then(|rest| match rest.strip_prefix(r"UNC\") {
        Some(share) => Some(format!(r"\\{share}").into()),
        None => (rest.as_bytes().get(1) == Some(&b':')).then(|| rest.into()),
    });
    plain.unwrap_or(path)
}

/// The checkout whose work tree is exactly `dir`.
pub fn read_checkout(dir: &Path) -> Option<Checkout> {
    let git_dir = git_dir(dir)?;
    let common_dir = match read_small(&git_dir.join("commondir")) {
        Some(text) => git_dir.join(text.trim()),
        None => git_dir.clone(),
    };
    if !git_dir.join("HEAD").is_file() || !common_dir.is_dir() {
        return None;
    }
    let config = read_small(&common_dir.join("config")).unwrap_or_default();
    let linked = common_dir != git_dir;
    // One spelling, `…/.git` and not `…/.git/worktrees/x/../..`, so that the path can be a key.
    let common_dir = common_dir.canonicalize().unwrap_or(common_dir);
    let settings = config::parse(&config);
    let urls = remote_urls(&settings, &Aliases::own());
    let remotes = remotes_of(&urls);
    let local_remote = match remotes.is_empty() {
        true => urls.iter().find_map(|url| remote::repository_in(url)),
        false => None,
    };
    let bare = !linked && is_bare(&settings);
    let born = born(&common_dir);
    Some(Checkout {
        work_tree: dir.to_owned(),
        common_dir,
        remotes,
        local_remote,
        linked,
        born,
        bare,
    })
}

fn born(common_dir: &Path) -> Option<u64> {
    let since = std::fs::metadata(common_dir)
        .ok()?
        .created()
        .ok()?
        .duration_since(std::time::UNIX_EPOCH)
        .ok()?;
    u64::try_from(since.as_millis()).ok()
}

fn git_dir(work_tree: &Path) -> Option<PathBuf> {
    let dot_git = work_tree.join(".git");
    match std::fs::metadata(&dot_git) {
        Ok(kind) if kind.is_dir() => Some(dot_git),
        Ok(_) => linked_git_dir(work_tree, &dot_git),
        Err(_) => is_bare_repository(work_tree).then(|| work_tree.to_owned()),
    }
}

/// A repository without a work tree, as `git clone --bare` makes it: worktrees often lie in it. The
/// `.git` directory of a work tree is not one.
fn is_bare_repository(dir: &Path) -> bool {
    dir.join("HEAD").is_file()
        && dir.join("objects").is_dir()
        && dir.join("refs").is_dir()
        && read_small(&dir.join("config")).is_some_and(|config| is_bare(&config::parse(&config)))
}

/// The checked-out branch, without asking `git`.
pub fn head_branch(work_tree: &Path) -> Option<String> {
    let head = read_small(&git_dir(work_tree)?.join("HEAD"))?;
    let branch = head.trim().strip_prefix("ref: refs/heads/")?;
    // The placeholder of a repository with another kind of references.
    (branch != ".invalid").then(|| branch.to_owned())
}

/// The repository's oldest commit, the first by name if there are several. `None` if history is cut
/// off (a shallow clone) or empty, and if `git` is missing, fails or takes too long.
pub fn root_commit(checkout: &Checkout) -> Option<String> {
    if checkout.common_dir.join("shallow").exists() {
        return None;
    }
    let mut git = git::command(&checkout.work_tree);
    git.args(["rev-list", "--max-parents=0", "HEAD"]);
    let text = output_within(git, Duration::from_secs(5))?;
    text.lines()
        .filter(|line| line.len() >= 40 && line.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .min()
        .map(str::to_owned)
}

fn around_as_written(dir: &Path) -> Option<(Checkout, String)> {
    let mut found = dir.ancestors().filter_map(read_checkout);
    let mut checkout = found.next()?;
    // What looks like a bare repository may be content of the repository around it, whoever commits
    // to that.
    if !has_dot_git(&checkout)
        && let Some(around) = found.find(has_dot_git)
    {
        checkout = around;
    }
    let below = dir.strip_prefix(&checkout.work_tree).ok()?;
    let sub = below
        .components()
        .map(|part| part.as_os_str().to_string_lossy())
        .collect::<Vec<_>>()
        .join("/");
    // `x/../y` may lead out of the work tree; the path is tried again as resolved by the disk.
    paths::stays_below(&sub.replace([':', '\\'], "_")).then_some((checkout, sub))
}

/// Whether a checkout is known by its `.git`; else the directory itself is a repository.
pub(super) fn has_dot_git(checkout: &Checkout) -> bool {
    checkout.work_tree.join(".git").symlink_metadata().is_ok()
}

/// The target of the `.git` file of a linked worktree or a submodule.
fn linked_git_dir(work_tree: &Path, dot_git: &Path) -> Option<PathBuf> {
    let text = read_small(dot_git)?;
    let target = text.strip_prefix("gitdir:")?.trim();
    (!target.is_empty()).then(|| work_tree.join(target))
}

/// A file's text, up to a size that no config reaches.
fn read_small(path: &Path) -> Option<String> {
    let bytes = opener::start_of(&mut opener::file_behind_links(path).ok()?, opener::SMALL).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// The addresses of all remotes of a Git config; `origin` first. Ignores includes and unknown lines.
fn remote_urls(settings: &[Setting], aliases: &Aliases) -> Vec<String> {
    let mut named: Vec<(&str, &str)> = Vec::new();
    for setting in settings {
        if let Some(name) = setting
            .of("remote", "url")
            .filter(|name| named.iter().all(|(known, _)| known != name))
        {
            named.push((name, &setting.value));
        }
    }
    named.sort_by_key(|(name, _)| *name != "origin");
    let urls = named.iter();
    urls.map(|(_, url)| aliases.meant(url, settings)).collect()
}

/// Those that have a key, as keys.
fn remotes_of(urls: &[String]) -> Vec<String> {
    let mut remotes = Vec::new();
    for key in urls.iter().filter_map(|url| remote::normalise(url)) {
        if !remotes.contains(&key) {
            remotes.push(key);
        }
    }
    remotes
}

/// `core.bare`: the directory holds a repository without a work tree.
fn is_bare(settings: &[Setting]) -> bool {
    let bare = settings
        .iter()
        .rev()
        .find(|setting| setting.section == "core" && setting.name == "bare");
    bare.is_some_and(|setting| {
        ["true", "yes", "on", "1"].contains(&setting.value.to_ascii_lowercase().as_str())
    })
}

#[cfg(test)]
pub(super) mod testing {
    use super::*;

    pub fn git(dir: &Path, args: &[&str]) -> String {
        let mut git = std::process::Command::new("git");
        for (name, _) in
            std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("GIT_"))
        {
            git.env_remove(name);
        }
        git.arg("-C")
            .arg(dir)
            .args([
                "-c",
                "user.name=x",
                "-c",
                "user.email=x@example.com",
                "-c",
                "init.defaultBranch=main",
            ])
            .args(args);
        // Ignores the tester's own configuration: signing, hooks, default branches.
        git.env(
            "GIT_CONFIG_GLOBAL",
            if cfg!(windows) { "NUL" } else { "/dev/null" },
        )
        .env("GIT_CONFIG_NOSYSTEM", "1");
        let output = git.output().expect("git is needed for these tests");
        assert!(
            output.status.success(),
            "git {args:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    pub fn repository(dir: &Path, origin: Option<&str>) -> PathBuf {
        std::fs::create_dir_all(dir).unwrap();
        git(dir, &["init", "-q"]);
        if let Some(url) = origin {
            git(dir, &["remote", "add", "origin", url]);
        }
        dir.to_owned()
    }

    pub fn commit(repo: &Path, message: &str) -> String {
        git(repo, &["commit", "-q", "--allow-empty", "-m", message]);
        git(repo, &["rev-parse", "HEAD"])
    }
}

#[cfg(test)]
mod tests {
    use super::testing::*;
    use super::*;

    fn parse_remotes(config: &str) -> Vec<String> {
        remotes_of(&remote_urls(&config::parse(config), &Aliases::default()))
    }

    #[test]
    fn origin_comes_first_and_local_remotes_do_not_count() {
        let config = "[core]\n\tbare = false\n[remote \"upstream\"]\n\turl = https://github.com/acme/api.git\n\
            [Remote \"origin\"] URL = \"git@github.com:me/api.git\" ; mine\n\tfetch = +refs/*\n\turl = https://second.example/x/y\n\
            [remote \"backup\"]\n\turl = /mnt/disk/api\n[branch \"a]b\"]\n\tremote = origin\n[broken\n=\n[url \"x\"]\n\tinsteadOf = y\n";
        assert_eq!(
            parse_remotes(config),
            ["github.com/me/api", "github.com/acme/api"]
        );
        assert_eq!(
            parse_remotes("[remote \"origin\"]\nurl = ../x\n[remote \"z\"]\nurl = h.example:o/r"),
            ["h.example/o/r"]
        );
        assert!(parse_remotes("\u{feff}[remote \"\\\"]\n\0url").is_empty());
    }

    #[test]
    fn a_verbatim_path_becomes_one_that_tools_take() {
        for (path, plain) in [
            (r"\\?\C:\code", r"C:\code"),
            (r"\\?\UNC\s\x", r"\\s\x"),
            ("/srv", "/srv"),
        ] {
            assert_eq!(without_verbatim(path.into()), PathBuf::from(plain));
        }
    }

    #[test]
    fn a_worktree_leads_to_its_repository() {
        let dir = tempfile::tempdir().unwrap();
        let repo = repository(&dir.path().join("repo"), Some("https://h.example/o/r"));
        let root = commit(&repo, "first");
        git(&repo, &["worktree", "add", "-q", "../tree"]);
        let (main, tree) = (
            read_checkout(&repo).unwrap(),
            read_checkout(&dir.path().join("tree")).unwrap(),
        );
        assert_eq!((main.linked, tree.linked), (false, true));
        assert_eq!(
            (&main.common_dir, &main.remotes),
            (&tree.common_dir, &tree.remotes)
        );
        assert_eq!(root_commit(&tree), Some(root));
        assert_eq!(head_branch(&tree.work_tree).as_deref(), Some("tree"));
    }

    #[test]
    fn what_only_looks_like_a_repository_is_none() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join(".git")).unwrap();
        assert_eq!(read_checkout(dir.path()), None);
        std::fs::create_dir(dir.path().join("sub")).unwrap();
        for text in ["", "gitdir:", "gitdir: /nowhere/at/all", "\u{fffd}"] {
            std::fs::write(dir.path().join("sub/.git"), text).unwrap();
            assert_eq!(read_checkout(&dir.path().join("sub")), None, "{text}");
        }
    }

    #[test]
    fn a_shallow_clone_does_not_know_its_root() {
        let dir = tempfile::tempdir().unwrap();
        let repo = repository(&dir.path().join("repo"), None);
        commit(&repo, "first");
        commit(&repo, "second");
        let url = format!("file://{}", repo.display());
        git(dir.path(), &["clone", "-q", "--depth=1", &url, "clone"]);
        assert_eq!(
            root_commit(&read_checkout(&dir.path().join("clone")).unwrap()),
            None
        );
    }
}
