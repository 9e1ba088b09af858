//! Recognises the same codebase on every device and finds its directory on this one.
//!
//! Reads `.git` directories itself and asks `git` only for the root commit and the standing of a
//! checkout. Knows no tool and no session.

mod aliases;
pub mod checkout;
mod config;
mod git;
mod gone;
mod likely;
pub mod paths;
pub mod places;
pub mod remote;
mod search;
pub mod standing;

pub use crate::session::Project;
pub use aliases::understand_as;
pub use places::{NoPlace, Places};
pub use search::outline;

use crate::session::{DeviceId, Millis, ProjectKey};
use checkout::Checkout;
use paths::Style;
use std::collections::{BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// No real project has this many; a card that names more is not accepted.
const MOST_REMOTES: usize = 16;

/// The project that a directory belongs to: `git:<host/owner/repo>[#sub/dir]`, else
/// `root:<commit>[#sub/dir]`, else `home:<path below home>`, else `device:<short id>:<path>`.
///
/// A missing directory belongs to the checkout it was in, if that checkout still exists.
pub fn identify(home: &Path, device: &DeviceId, cwd: &Path) -> Project {
    Identifier::default().identify(home, device, cwd)
}

/// What is known about a session's repository.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    pub cwd: &'a Path,
    /// Other directories named in the session's records, the likelier first.
    pub also: &'a [String],
    /// The repository's URL, as named in the session's records.
    pub url: Option<&'a str>,
    pub branch: Option<&'a str>,
    pub commit: Option<&'a str>,
    /// When the session's last record was written.
    pub updated: Option<Millis>,
}

/// Updates a project when more is known than at its first recognition. Surer evidence replaces
/// assumptions; a missing directory or remote never makes a project less sure. `was_known_as` tells
/// whether the present checkout was known as a repository. Otherwise it is another repository in
/// the same place, and its oldest commit may come from a common starter.
pub fn corrected(
    before: &Project,
    now: Project,
    home: &Path,
    was_known_as: impl Fn(&str) -> bool,
) -> Project {
    let (was, is) = (split_sub(&before.key).0, split_sub(&now.key).0);
    let rank = |repository: &str| match repository {
        _ if repository.starts_with("git:") => 2,
        _ if repository.starts_with("root:") => 1,
        _ => 0,
    };
    let replaces = match rank(is).cmp(&rank(was)) {
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Greater => rank(was) == 0 || now.at.is_none() || was_known_as(was),
        std::cmp::Ordering::Equal if was == is => {
            let hidden = split_sub(&before.key)
                .1
                .split('/')
                .any(|part| part.starts_with('.'));
            // A remote was added: other devices may know the repository by the new one.
            let remotes = !now.remotes.is_empty() && now.remotes != before.remotes;
            if remotes && !hidden {
                return Project {
                    remotes: now.remotes,
                    ..before.clone()
                };
            }
            if now.local_remote.is_some() && now.local_remote != before.local_remote && !hidden {
                return Project {
                    local_remote: now.local_remote,
                    ..before.clone()
                };
            }
            hidden
        }
        // The same repository under another remote. A fork has the former one, too, under the same
        // name, and keeps its key.
        std::cmp::Ordering::Equal if rank(is) == 2 => {
            let kept = was
                .strip_prefix("git:")
                .filter(|remote| is_same_name(&now.key, remote))
                .is_some_and(|remote| now.remotes.iter().any(|known| known == remote));
            if kept && was_known_as(was) {
                // Other devices may know the repository by the new remote alone.
                return Project {
                    remotes: now.remotes,
                    ..before.clone()
                };
            }
            !kept && now.at.is_some() && now.root_commit == before.root_commit && was_known_as(was)
        }
        std::cmp::Ordering::Equal if rank(is) == 1 => false,
        // Renamed: the old directory is gone, the new one exists.
        std::cmp::Ordering::Equal => {
            let is_there = |key: &str| {
                let below = key.strip_prefix("home:")?;
                Some(places::inside(home, below).is_some())
            };
            is_there(was) == Some(false) && is_there(is) == Some(true)
        }
    };
    match replaces {
        true => Project {
            formerly: formerly(before, &now),
            ..now
        },
        false => before.clone(),
    }
}

/// The first remotes by which a project was known before: a remote that was set by mistake and taken
/// back is none.
fn formerly(before: &Project, now: &Project) -> Vec<String> {
    let remote = |project: &Project| {
        let (repository, _) = split_sub(&project.key);
        repository.strip_prefix("git:").map(str::to_owned)
    };
    let mut known = before.formerly.clone();
    known.extend(remote(before));
    let is_now = |known: &String| Some(known) == remote(now).as_ref();
    if let Some(at) = known.iter().position(is_now) {
        known.truncate(at);
    }
    known.split_off(known.len().saturating_sub(MOST_REMOTES))
}

/// Other names of a project: the remotes of a fork or of what that was forked from, and former ones.
/// A further remote of another name is what the repository was made from.
pub fn other_remotes(project: &Project) -> impl Iterator<Item = &str> {
    let alike = |remote: &&String| is_same_name(&project.key, remote);
    let others = project.remotes.iter().filter(alike);
    others.chain(&project.formerly).map(String::as_str)
}

/// Runs [`identify`] for many directories: asks `git` once per repository and the disk at
/// intervals. Neither is asked under a lock, so a hanging mount delays only those who ask about it.
#[derive(Debug, Default)]
pub struct Identifier {
    by_cwd: Kept<PathBuf, Project>,
    around: Kept<PathBuf, Option<(Checkout, String)>>,
    /// By the repository's directory and creation time: the place may be reused by another one.
    root_commits: Kept<(PathBuf, Option<u64>), Option<String>>,
    /// By the missing directory, the branch that was checked out in it and a hash of the work trees
    /// known then: the work tree that identifies its repository.
    gone: Kept<(PathBuf, Option<String>, u64), Option<PathBuf>>,
}

/// Cached answers with the time they were found.
#[derive(Debug)]
struct Kept<K, V>(Mutex<HashMap<K, (Instant, V)>>);

impl<K, V> Default for Kept<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash, V: Clone> Kept<K, V> {
    /// The cached answer while it is valid according to `lasts`, else a new one from `find`.
    fn of(&self, key: K, lasts: impl Fn(&V) -> Option<Duration>, find: impl FnOnce() -> V) -> V {
        if let Some((at, answer)) = self.lock().get(&key)
            && lasts(answer).is_none_or(|lasts| at.elapsed() < lasts)
        {
            return answer.clone();
        }
        let answer = find();
        let mut known = self.lock();
        if Identifier::MANY <= known.len() {
            known.clear();
        }
        known.insert(key, (Instant::now(), answer.clone()));
        answer
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, (Instant, V)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Identifier {
    /// How long an answer is valid: a new remote is noticed soon, and a thousand sessions of one
    /// project cost one lookup.
    const FRESH: Duration = Duration::from_secs(5);
    /// A root commit stays valid. A repository without one, or without a known creation time, is
    /// asked again after this long.
    const ASKED_AGAIN: Duration = Duration::from_secs(60);
    const MANY: usize = 4096;

    pub fn identify(&self, home: &Path, device: &DeviceId, cwd: &Path) -> Project {
        self.by_cwd.of(
            cwd.to_owned(),
            |_| Some(Self::FRESH),
            || self.look(home, device, cwd),
        )
    }

    /// The project of a session, in this order: by the directory's remote; by the session's
    /// records, if the directory has no remote or is another repository now; by traces of a missing
    /// directory; by its path.
    pub fn identify_session(
        &self,
        home: &Path,
        device: &DeviceId,
        evidence: Evidence<'_>,
        known: &BTreeSet<PathBuf>,
    ) -> Project {
        let Evidence {
            cwd,
            also,
            url,
            branch,
            commit,
            updated,
        } = evidence;
        let here = self.identify(home, device, cwd);
        let by_url = url
            .and_then(meant)
            .map(|remote| by_remote(&remote, cwd, branch));
        if let Some(by_url) = by_url {
            let remote = by_url.key.as_str().strip_prefix("git:").unwrap_or_default();
            // A second remote of another name is what the repository was made from.
            let is_alike = |known: &String| known == remote && is_same_name(&here.key, remote);
            let has_it =
                split_sub(&here.key).0 == by_url.key.as_str() || here.remotes.iter().any(is_alike);
            // After a remote was renamed the commits are still there. The first commit does not
            // count: many repositories share it with a common starter.
            let knows = |commit: &str| {
                use standing::Commit;
                here.root_commit.as_deref() != Some(commit)
                    && matches!(
                        standing::whereabouts(cwd, commit),
                        Some(Commit::Below | Commit::Beside)
                    )
            };
            // What was cloned after the session is not the checkout that the session was in: a
            // child of a starter has the starter's commits, too.
            let was_there = || {
                let born = self.around(cwd).and_then(|(checkout, _)| checkout.born);
                let born = born.and_then(|born| i64::try_from(born).ok());
                born.zip(updated)
                    .is_none_or(|(born, updated)| born <= updated.0)
            };
            let is_here = here.key.as_str().starts_with("git:")
                && (has_it || commit.is_some_and(knows) && was_there());
            return if is_here { here } else { by_url };
        }
        // Home itself may be a checkout; a missing directory below home need not have been part of
        // it.
        let in_home = || {
            self.around(cwd)
                .is_some_and(|(checkout, _)| checkout.work_tree == home)
        };
        if cwd.is_dir() {
            return here;
        }
        if places::is_repository(&here.key) && !in_home() {
            return self.in_worktree(here, cwd);
        }
        for dir in also.iter().map(Path::new).filter(|dir| dir.is_dir()) {
            let other = self.identify(home, device, dir);
            if places::is_repository(&other.key) {
                return other;
            }
        }
        // A thousand sessions of one directory cost one lookup.
        let mut trees = DefaultHasher::new();
        known.hash(&mut trees);
        let key = (cwd.to_owned(), branch.map(str::to_owned), trees.finish());
        match self.gone.of(
            key,
            |_| Some(Self::FRESH),
            || gone::repository_of(cwd, branch, known),
        ) {
            Some(tree) => Project {
                branch: branch.map(str::to_owned),
                ..self.identify(home, device, &tree)
            },
            None => Project {
                names: here.names,
                ..Project::new(path_key(home, device, cwd))
            },
        }
    }

    /// A missing directory inside a checkout may have been in a worktree of it. Then that was the
    /// repository's root, and not a directory of the repository.
    fn in_worktree(&self, here: Project, cwd: &Path) -> Project {
        let Some((checkout, _)) = self.around(cwd) else {
            return here;
        };
        let sub = match gone::within_worktree(&checkout, cwd) {
            Some(rest) => shown_sub(&rest),
            // Nothing is checked out in a bare repository: whatever was below it was a worktree.
            None if checkout.bare => String::new(),
            None => return here,
        };
        let repository = split_sub(&here.key).0;
        let remote = repository.strip_prefix("git:");
        Project {
            names: names(remote, &sub, &checkout.work_tree, cwd),
            key: with_sub(repository, &sub),
            ..here
        }
    }

    /// The checkout that contains a directory, and the directory's path inside it.
    pub fn around(&self, cwd: &Path) -> Option<(Checkout, String)> {
        self.around.of(
            cwd.to_owned(),
            |_| Some(Self::FRESH),
            || checkout::around(cwd),
        )
    }

    fn look(&self, home: &Path, device: &DeviceId, cwd: &Path) -> Project {
        let around = self.around(cwd);
        let around = around.filter(|(checkout, _)| has_part(checkout, home, cwd));
        if let Some((checkout, sub)) = around {
            let root_commit = self.root_commit(&checkout);
            let repository = match (checkout.remotes.first(), &root_commit) {
                (Some(remote), _) => Some(format!("git:{remote}")),
                (None, Some(commit)) => Some(format!("root:{commit}")),
                (None, None) => None,
            };
            if let Some(repository) = repository {
                let sub = shown_sub(Path::new(&sub));
                let names = names(
                    checkout.remotes.first().map(String::as_str),
                    &sub,
                    &checkout.work_tree,
                    cwd,
                );
                let more = checkout.remotes.iter().take(MOST_REMOTES).cloned();
                let remotes = if checkout.remotes.len() < 2 {
                    Vec::new()
                } else {
                    more.collect()
                };
                let at = Some(shown_path(home, &checkout.work_tree));
                let branch = checkout::head_branch(&checkout.work_tree);
                return Project {
                    key: with_sub(&repository, &sub),
                    names,
                    root_commit,
                    remotes,
                    local_remote: checkout.local_remote,
                    formerly: Vec::new(),
                    at,
                    branch,
                };
            }
        }
        Project {
            names: names(None, "", cwd, cwd),
            ..Project::new(path_key(home, device, cwd))
        }
    }

    fn root_commit(&self, checkout: &Checkout) -> Option<String> {
        // git reads no bare repository that it comes upon. Its worktrees have the same key here.
        if !checkout::has_dot_git(checkout) {
            return None;
        }
        let key = (checkout.common_dir.clone(), checkout.born);
        let stays = |commit: &Option<String>| commit.is_some() && checkout.born.is_some();
        let lasts = |commit: &Option<String>| (!stays(commit)).then_some(Self::ASKED_AGAIN);
        self.root_commits
            .of(key, lasts, || checkout::root_commit(checkout))
    }
}

/// A remote's URL as this user's Git and SSH resolve it.
pub fn meant(url: &str) -> Option<String> {
    remote::normalise(&aliases::Aliases::own().meant(url, &[]))
}

/// A key as this device writes it, of one that a user typed: `git:GitHub.com/Acme/API.git`.
pub fn typed_key(text: &str) -> ProjectKey {
    let (path, sub) = text.split_once('#').unwrap_or((text, ""));
    let remote = path.strip_prefix("git:").and_then(remote::typed);
    match remote {
        Some(remote) => with_sub(&format!("git:{remote}"), sub.trim_matches('/')),
        None if text.ends_with(":/") => ProjectKey::new(text),
        None => ProjectKey::new(text.trim_end_matches('/')),
    }
}

/// Whether a directory around which a checkout lies is a part of its project. Who keeps settings in a
/// repository has it in the home directory, around all others: those are no part of it.
fn has_part(checkout: &Checkout, home: &Path, dir: &Path) -> bool {
    let sub = dir.strip_prefix(home).ok();
    checkout.work_tree != home || sub.is_none_or(|sub| shown_sub(sub).is_empty())
}

/// The project of a repository of which only a remote is known.
fn by_remote(remote: &str, cwd: &Path, branch: Option<&str>) -> Project {
    let key = ProjectKey::new(format!("git:{remote}"));
    Project {
        names: names(Some(remote), "", cwd, cwd),
        branch: branch.map(str::to_owned),
        ..Project::new(key)
    }
}

/// The key of a directory outside any checkout: below home, or on this device only.
pub fn path_key(home: &Path, device: &DeviceId, cwd: &Path) -> ProjectKey {
    ProjectKey::new(match below_home(home, cwd) {
        Some(rest) => format!("home:{rest}"),
        None => format!(
            "device:{}:{}",
            device.short(),
            paths::portable(Style::HERE, &cwd.to_string_lossy())
        ),
    })
}

/// A directory inside of a repository, or the one above the first hidden one: a session on another
/// device must not be placed in a hidden directory.
fn shown_sub(sub: &Path) -> String {
    let parts = sub.iter().map(|part| part.to_string_lossy());
    let shown = parts.take_while(|part| !part.starts_with('.'));
    shown.collect::<Vec<_>>().join("/")
}

fn below_home(home: &Path, dir: &Path) -> Option<String> {
    let text = |path: &Path| path.to_string_lossy().into_owned();
    paths::below(Style::HERE, &text(home), &text(dir)).or_else(|| {
        // The home directory or the path to this directory may contain a symbolic link.
        let (home, dir) = (home.canonicalize().ok()?, dir.canonicalize().ok()?);
        paths::below(Style::HERE, &text(&home), &text(&dir))
    })
}

fn shown_path(home: &Path, dir: &Path) -> String {
    below_home(home, dir).unwrap_or_else(|| paths::portable(Style::HERE, &dir.to_string_lossy()))
}

fn with_sub(repository: &str, sub: &str) -> ProjectKey {
    ProjectKey::new(if sub.is_empty() {
        repository.to_owned()
    } else {
        format!("{repository}#{sub}")
    })
}

/// A key's parts: the repository or place, and the directory inside.
fn split_sub(key: &ProjectKey) -> (&str, &str) {
    match key.as_str() {
        text if text.starts_with("git:") || text.starts_with("root:") => {
            text.split_once('#').unwrap_or((text, ""))
        }
        text => (text, ""),
    }
}

/// Whether two repositories have the same name, as a fork has that of its origin: `me/api` and
/// `acme/api`. What was made from a template has another name.
fn is_same_name(key: &ProjectKey, remote: &str) -> bool {
    let name = |path: &str| path.rsplit('/').next().map(str::to_owned);
    name(split_sub(key).0) == name(remote)
}

fn names(remote: Option<&str>, sub: &str, work_tree: &Path, cwd: &Path) -> Vec<String> {
    let mut names = Vec::new();
    if let Some((_host, path)) = remote.and_then(|remote| remote.split_once('/')) {
        names.push(if sub.is_empty() {
            path.to_owned()
        } else {
            format!("{path}/{sub}")
        });
    }
    for dir in [work_tree, cwd] {
        let name = dir
            .file_name()
            .map(|name| name.to_string_lossy().into_owned());
        names.extend(name.filter(|name| !names.contains(name)));
    }
    names
}

#[cfg(test)]
mod tests {
    use super::checkout::testing::*;
    use super::*;

    fn device() -> DeviceId {
        crate::session::device_id::device_id_of_cert(b"desk")
    }

    fn key(home: &Path, cwd: &Path) -> String {
        identify(home, &device(), cwd).key.to_string()
    }

    #[test]
    fn a_checkout_is_its_remote_and_the_directory_inside() {
        let home = tempfile::tempdir().unwrap();
        let repo = repository(
            &home.path().join("code/api"),
            Some("git@GitHub.com:Acme/API.git"),
        );
        std::fs::create_dir_all(repo.join("packages/Web")).unwrap();
        assert_eq!(key(home.path(), &repo), "git:github.com/acme/api");
        assert_eq!(
            key(home.path(), &repo.join("packages/Web")),
            "git:github.com/acme/api#packages/Web"
        );
        let project = identify(home.path(), &device(), &repo.join("packages/Web"));
        assert_eq!(project.names, ["acme/api/packages/Web", "api", "Web"]);
    }

    #[test]
    fn a_directory_that_was_deleted_keeps_the_key_it_had() {
        let home = tempfile::tempdir().unwrap();
        let repo = repository(
            &home.path().join("api"),
            Some("https://github.com/acme/api"),
        );
        assert_eq!(
            key(home.path(), &repo.join("gone/deep")),
            "git:github.com/acme/api#gone/deep"
        );
        std::fs::remove_dir_all(&repo).unwrap();
        assert_eq!(key(home.path(), &repo), "home:api");
    }

    #[test]
    fn without_a_remote_the_root_commit_is_the_key() {
        let home = tempfile::tempdir().unwrap();
        let repo = repository(&home.path().join("notes"), None);
        assert_eq!(key(home.path(), &repo), "home:notes");
        let commit = commit(&repo, "first");
        assert_eq!(key(home.path(), &repo), format!("root:{commit}"));
        super::checkout::testing::commit(&repo, "second");
        assert_eq!(
            identify(home.path(), &device(), &repo).root_commit,
            Some(commit)
        );
    }

    #[test]
    fn elsewhere_the_path_is_the_key() {
        let (home, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::create_dir_all(home.path().join("ideas/new one")).unwrap();
        assert_eq!(
            key(home.path(), &home.path().join("ideas/new one")),
            "home:ideas/new one"
        );
        assert_eq!(key(home.path(), home.path()), "home:");
        let path = paths::portable(Style::HERE, &outside.path().to_string_lossy());
        assert_eq!(
            key(home.path(), outside.path()),
            format!("device:{}:{path}", device().short())
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_link_to_a_checkout_is_that_checkout() {
        let home = tempfile::tempdir().unwrap();
        let repo = repository(
            &home.path().join("disk/api"),
            Some("https://github.com/acme/api"),
        );
        std::fs::create_dir(repo.join("web")).unwrap();
        std::os::unix::fs::symlink(&repo, home.path().join("api")).unwrap();
        std::os::unix::fs::symlink(repo.join("web"), home.path().join("web")).unwrap();
        assert_eq!(
            key(home.path(), &home.path().join("api")),
            "git:github.com/acme/api"
        );
        assert_eq!(
            key(home.path(), &home.path().join("web")),
            "git:github.com/acme/api#web"
        );
    }

    #[test]
    fn worktrees_share_a_key_and_submodules_have_their_own() {
        let home = tempfile::tempdir().unwrap();
        let library = repository(
            &home.path().join("library"),
            Some("https://github.com/acme/library"),
        );
        commit(&library, "library");
        let repo = repository(
            &home.path().join("api"),
            Some("https://github.com/acme/api"),
        );
        commit(&repo, "first");
        git(&repo, &["worktree", "add", "-q", "../api-fix"]);
        git(
            &repo,
            &[
                "-c",
                "protocol.file.allow=always",
                "submodule",
                "add",
                "-q",
                &library.to_string_lossy(),
                "lib",
            ],
        );
        git(
            &repo.join("lib"),
            &[
                "remote",
                "set-url",
                "origin",
                "https://github.com/acme/library",
            ],
        );
        assert_eq!(
            key(home.path(), &home.path().join("api-fix")),
            "git:github.com/acme/api"
        );
        assert_eq!(
            key(home.path(), &repo.join("lib")),
            "git:github.com/acme/library"
        );
    }

    #[test]
    fn another_repository_in_the_same_place_has_its_own_oldest_commit() {
        let home = tempfile::tempdir().unwrap();
        let (dir, identifier) = (home.path().join("api"), Identifier::default());
        let mut commits = Vec::new();
        for (name, born) in [("first", 1), ("second", 2)] {
            let repo = repository(&dir, None);
            commit(&repo, name);
            // Not every file system reports the creation time.
            let checkout = Checkout {
                born: Some(born),
                ..checkout::read_checkout(&repo).unwrap()
            };
            let found = identifier.root_commit(&checkout);
            assert_eq!(found, checkout::root_commit(&checkout), "{name}");
            assert_eq!(identifier.root_commit(&checkout), found);
            commits.extend(found);
            std::fs::rename(repo.join(".git"), home.path().join(name)).unwrap();
        }
        assert_ne!(commits[0], commits[1]);
    }

    #[test]
    fn a_vanished_directory_is_looked_at_once_for_all_of_its_sessions() {
        let (home, identifier) = (tempfile::tempdir().unwrap(), Identifier::default());
        let repo = repository(
            &home.path().join("api"),
            Some("https://github.com/acme/api"),
        );
        let listed = repo.join(".git/worktrees/fix");
        std::fs::create_dir_all(&listed).unwrap();
        let gone = home.path().join("api-fix");
        std::fs::write(listed.join("gitdir"), gone.join(".git").to_str().unwrap()).unwrap();
        let evidence = Evidence {
            cwd: &gone,
            also: &[],
            url: None,
            branch: None,
            commit: None,
            updated: None,
        };
        let of = |known: &[&Path]| {
            let known = known.iter().map(|dir| dir.to_path_buf()).collect();
            identifier
                .identify_session(home.path(), &device(), evidence, &known)
                .key
                .to_string()
        };
        assert_eq!(of(&[]), "git:github.com/acme/api");
        std::fs::remove_dir_all(&listed).unwrap();
        assert_eq!(of(&[]), "git:github.com/acme/api");
        assert_eq!(of(&[&repo]), "home:api-fix", "what is known now is more");
    }

    fn session_in(home: &Path, cwd: &Path, url: Option<&str>) -> String {
        let evidence = Evidence {
            cwd,
            also: &[],
            url,
            branch: None,
            commit: None,
            updated: None,
        };
        let (identifier, known) = (Identifier::default(), BTreeSet::new());
        let project = identifier.identify_session(home, &device(), evidence, &known);
        project.key.to_string()
    }

    /// The directory of the worktree was taken for one inside of the repository.
    #[test]
    fn a_removed_worktree_inside_of_its_checkout_was_the_repositorys_root() {
        let home = tempfile::tempdir().unwrap();
        let url = "https://github.com/acme/api";
        let repo = repository(&home.path().join("api"), Some(url));
        let listed = repo.join(".git/worktrees/docs");
        std::fs::create_dir_all(&listed).unwrap();
        let tree = repo.join("trees/docs");
        std::fs::write(listed.join("gitdir"), tree.join(".git").to_str().unwrap()).unwrap();
        let key = |dir: &Path| session_in(home.path(), dir, None);
        assert_eq!(key(&tree), "git:github.com/acme/api");
        assert_eq!(
            key(&tree.join("web/src")),
            "git:github.com/acme/api#web/src"
        );
        assert_eq!(
            key(&repo.join("trees/other")),
            "git:github.com/acme/api#trees/other"
        );
        // A container of worktrees, from whose list git has removed it.
        let container = home.path().join("container");
        std::fs::create_dir(&container).unwrap();
        git(&container, &["init", "-q", "--bare", ".bare"]);
        std::fs::write(container.join(".git"), "gitdir: ./.bare\n").unwrap();
        git(&container, &["remote", "add", "origin", url]);
        assert_eq!(key(&container.join("docs")), "git:github.com/acme/api");
    }

    /// The directory holds a child of the starter now, which has the starter as a second remote.
    #[test]
    fn a_url_in_the_records_outvotes_a_second_remote_of_another_name() {
        let home = tempfile::tempdir().unwrap();
        let shop = repository(&home.path().join("x"), Some("https://h.example/acme/shop"));
        let starter = "https://h.example/acme/starter";
        git(&shop, &["remote", "add", "upstream", starter]);
        let fork = "https://h.example/other/shop";
        git(&shop, &["remote", "add", "fork", fork]);
        let key = |url: &str| session_in(home.path(), &shop, Some(url));
        assert_eq!(key(starter), "git:h.example/acme/starter");
        assert_eq!(key(fork), "git:h.example/acme/shop");
    }

    /// At the first import, a session of the starter was taken for one of the child that was cloned
    /// into its directory since.
    #[test]
    fn a_commit_says_nothing_of_a_checkout_that_is_younger_than_the_session() {
        let home = tempfile::tempdir().unwrap();
        let shop = repository(&home.path().join("x"), Some("https://h.example/acme/shop"));
        commit(&shop, "the starter's first");
        let of_starter = commit(&shop, "the starter's second");
        let key = |updated: Option<i64>| {
            let evidence = Evidence {
                cwd: &shop,
                also: &[],
                url: Some("https://h.example/acme/starter"),
                branch: None,
                commit: Some(&of_starter),
                updated: updated.map(Millis),
            };
            let identifier = Identifier::default();
            let known = BTreeSet::new();
            identifier
                .identify_session(home.path(), &device(), evidence, &known)
                .key
                .to_string()
        };
        // The repository was renamed while the session was in it, or nobody knows.
        for updated in [Some(i64::MAX), None] {
            assert_eq!(key(updated), "git:h.example/acme/shop");
        }
        if checkout::read_checkout(&shop).unwrap().born.is_some() {
            assert_eq!(key(Some(0)), "git:h.example/acme/starter");
        }
    }

    #[test]
    fn a_fork_keeps_its_key_and_is_told_with_all_remotes() {
        let named = |key: &str, remotes: &[&str]| Project {
            remotes: remotes.iter().map(|remote| (*remote).to_owned()).collect(),
            at: Some("api".into()),
            ..Project::new(ProjectKey::new(key))
        };
        let before = named("git:h/acme/api", &[]);
        let now = || named("git:h/me/api", &["h/me/api", "h/acme/api"]);
        let corrected = |is_known: bool| corrected(&before, now(), Path::new("/"), |_| is_known);
        assert_eq!(
            corrected(true),
            named("git:h/acme/api", &["h/me/api", "h/acme/api"])
        );
        assert_eq!(
            corrected(false),
            before,
            "another repository in the same place"
        );
        // Under a new name it is what its first remote is, whatever the old one is kept as.
        let renamed = named("git:h/acme/shop", &["h/acme/shop", "h/acme/api"]);
        let of = |is_known: bool| {
            super::corrected(&before, renamed.clone(), Path::new("/"), |_| is_known)
        };
        let now_known = Project {
            formerly: vec!["h/acme/api".into()],
            ..renamed.clone()
        };
        assert_eq!((of(true), of(false)), (now_known, before.clone()));
    }

    #[test]
    fn former_remotes_are_remembered_until_they_are_taken_back() {
        let mut project = Project {
            at: Some("api".into()),
            ..Project::new(ProjectKey::new("git:h/acme/a#web"))
        };
        let mut set = |remote: &str| {
            let now = Project {
                at: Some("api".into()),
                ..Project::new(ProjectKey::new(format!("git:{remote}#web")))
            };
            project = super::corrected(&project, now, Path::new("/"), |_| true);
            project.formerly.join(" ")
        };
        assert_eq!(set("h/acme/b"), "h/acme/a");
        assert_eq!(set("h/acme/c"), "h/acme/a h/acme/b");
        assert_eq!(set("h/acme/c"), "h/acme/a h/acme/b");
        assert_eq!(set("h/acme/b"), "h/acme/a", "the last one was a mistake");
        assert_eq!(set("h/acme/a"), "");
        for number in 0..2 * MOST_REMOTES {
            set(&format!("h/acme/{number}"));
        }
        assert_eq!(project.formerly.len(), MOST_REMOTES);
    }

    #[test]
    fn a_typed_key_is_the_one_that_is_meant() {
        for (typed, key) in [
            ("git:GitHub.com/Acme/API.git", "git:github.com/acme/api"),
            ("git:github.com/acme/api/", "git:github.com/acme/api"),
            ("git:git@github.com:acme/api.git", "git:github.com/acme/api"),
            ("git:GitHub.com:Acme/API", "git:github.com/acme/api"),
            ("git:me@github.com:443/acme/api", "git:github.com/acme/api"),
            ("git:https://github.com/acme/api", "git:github.com/acme/api"),
            (
                "git:ssh://git@h.example:7999/a/b.git/#web",
                "git:h.example/a/b#web",
            ),
            ("git:2001:db8::1/repo", "git:2001:db8::1/repo"),
            (
                "git:[2001:DB8:0::1]:22/repo.git#web",
                "git:2001:db8::1/repo#web",
            ),
            (
                "git:github.com/acme/api#Web/",
                "git:github.com/acme/api#Web",
            ),
            ("home:code/Secret/", "home:code/Secret"),
            ("home:", "home:"),
            ("root:abc", "root:abc"),
            ("device:X:/etc", "device:X:/etc"),
            ("git:", "git:"),
        ] {
            assert_eq!(typed_key(typed).as_str(), key, "{typed}");
        }
    }

    /// Every directory became a part of the user's settings, which no other device had there.
    #[test]
    fn a_home_that_is_a_repository_takes_no_other_directory_in() {
        let home = tempfile::tempdir().unwrap();
        repository(home.path(), Some("https://github.com/me/dotfiles"));
        for dir in ["ideas/x", ".config/nvim"] {
            std::fs::create_dir_all(home.path().join(dir)).unwrap();
        }
        let key = |dir: &str| key(home.path(), &home.path().join(dir));
        assert_eq!(key("ideas/x"), "home:ideas/x");
        assert_eq!(key(""), "git:github.com/me/dotfiles");
        assert_eq!(key(".config/nvim"), "git:github.com/me/dotfiles");
        assert_eq!(key("ideas/gone"), "home:ideas/gone");
    }

    #[test]
    fn a_repository_is_recognised_however_it_lies_on_the_disk() {
        let home = tempfile::tempdir().unwrap();
        let url = "https://github.com/acme/api";
        let key = |dir: &Path| key(home.path(), dir);
        // Its directory lies elsewhere.
        let apart = home.path().join("apart");
        std::fs::create_dir(&apart).unwrap();
        let git_dir = home.path().join("git-dirs/api");
        std::fs::create_dir_all(git_dir.parent().unwrap()).unwrap();
        let elsewhere = format!("--separate-git-dir={}", git_dir.display());
        git(&apart, &["init", "-q", &elsewhere]);
        git(&apart, &["remote", "add", "github", url]);
        assert_eq!(key(&apart), "git:github.com/acme/api");
        // A tool that was started inside of the repository's directory, and in a name with a sign of
        // keys.
        let repo = repository(&home.path().join("api"), Some(url));
        assert_eq!(key(&repo.join(".git/hooks")), "git:github.com/acme/api");
        assert_eq!(key(&repo.join("c#/x")), "git:github.com/acme/api#c#/x");
        let typed = typed_key("git:GitHub.com/acme/api#c#/x");
        assert_eq!(typed.as_str(), "git:github.com/acme/api#c#/x");
        // To push to is not to be.
        let local = repository(&home.path().join("local"), None);
        git(&local, &["config", "remote.x.pushurl", url]);
        let first = commit(&local, "first");
        assert_eq!(key(&local), format!("root:{first}"));
    }

    #[test]
    fn the_answer_is_kept_for_a_moment() {
        let home = tempfile::tempdir().unwrap();
        let repo = repository(
            &home.path().join("api"),
            Some("https://github.com/acme/api"),
        );
        let identifier = Identifier::default();
        let first = identifier.identify(home.path(), &device(), &repo);
        git(
            &repo,
            &[
                "remote",
                "set-url",
                "origin",
                "https://github.com/acme/other",
            ],
        );
        assert_eq!(identifier.identify(home.path(), &device(), &repo), first);
        assert_ne!(key(home.path(), &repo), first.key.to_string());
    }
}
