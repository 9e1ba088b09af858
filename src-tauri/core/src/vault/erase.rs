//! Removes a session's journals of all devices, and their safety copies. Knows directories only;
//! the engine decides who may request a removal and what becomes of the tools' stores.

use super::Vault;
use crate::session::{Lane, SessionKey};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

/// So many sessions are looked for by name; of more, the directory is listed.
const FEW: usize = 4;

/// The result of a removal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Erased {
    /// Removed files and directories of this device's own folders, as named in the lane's folder:
    /// Syncthing replicates their removal.
    pub own: Vec<(Lane, String)>,
    /// Whether anything existed.
    pub any: bool,
}

impl Vault {
    /// Removes the session from the vault and from the safety copies. A second call finds nothing
    /// to do; after a crash it removes the rest. The safety copies go first: the next start would
    /// restore the own folder from them.
    pub fn erase(&self, own: &str, key: &SessionKey) -> io::Result<Erased> {
        let mut erased = Erased::default();
        for (_, _, dir) in dirs_of(self.kept.root(), key) {
            erased.any = true;
            remove(&dir)?;
        }
        for (device, lane, dir) in dirs_of(self.root(), key) {
            erased.any = true;
            let files = if device == own {
                files_in(&dir)
            } else {
                Vec::new()
            };
            remove(&dir)?;
            if device == own {
                let root = self.lane_dir(own, lane);
                let named = |path: &Path| {
                    path.strip_prefix(&root)
                        .ok()
                        .map(|path| (lane, slashed(path)))
                };
                erased
                    .own
                    .extend(files.iter().chain([&dir]).filter_map(|path| named(path)));
            }
        }
        erased.any |= self.erase_remains(key)?;
        Ok(erased)
    }

    /// Whether a journal of the session or a safety copy of one exists.
    pub fn holds(&self, key: &SessionKey) -> bool {
        !self.held(&[key.clone()].into()).is_empty()
    }

    /// The sessions of which a journal or a safety copy of one exists. However many they are, no
    /// directory is listed more than once.
    pub fn held(&self, keys: &BTreeSet<SessionKey>) -> BTreeSet<SessionKey> {
        self.held_by(keys, &mut entries_in)
    }

    fn held_by(
        &self,
        keys: &BTreeSet<SessionKey>,
        list: &mut dyn FnMut(&Path) -> Vec<PathBuf>,
    ) -> BTreeSet<SessionKey> {
        let mut by_tool: BTreeMap<&str, BTreeMap<&str, &SessionKey>> = BTreeMap::new();
        // A key that is no directory's name leads nowhere.
        for key in keys.iter().filter(|key| super::VaultPath::is_key(key)) {
            let of_tool = by_tool.entry(key.tool.as_str()).or_default();
            of_tool.insert(&key.hash, key);
        }
        let mut held = BTreeSet::new();
        for root in [self.kept.root(), self.root()] {
            if by_tool.is_empty() {
                break;
            }
            for device in list(root).into_iter().filter(|dir| is_dir(dir)) {
                for (lane, (tool, keys)) in { Lane::ALL.into_iter() }
                    .flat_map(|lane| by_tool.iter().map(move |keys| (lane, keys)))
                {
                    let tool = device.join(lane.as_str()).join(tool);
                    for project in list(&tool).into_iter().filter(|dir| is_dir(dir)) {
                        held.extend(held_in(&project, keys, list));
                    }
                }
            }
        }
        held
    }

    fn erase_remains(&self, key: &SessionKey) -> io::Result<bool> {
        let (dir, start) = (
            self.remains().join(key.tool.as_str()),
            format!("{}.", key.hash),
        );
        let mut any = false;
        for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with(&start) {
                std::fs::remove_file(entry.path())?;
                any = true;
            }
        }
        Ok(any)
    }
}

/// The session's directories below `<root>/<device>/<lane>/<tool>/<project>`. Links do not count.
fn dirs_of(root: &Path, key: &SessionKey) -> Vec<(String, Lane, PathBuf)> {
    let mut found = Vec::new();
    for device in dirs_in(root) {
        for lane in Lane::ALL {
            let tool = device.join(lane.as_str()).join(key.tool.as_str());
            let dirs = dirs_in(&tool)
                .into_iter()
                .map(|project| project.join(&key.hash))
                .filter(|dir| is_dir(dir));
            let name = device
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            found.extend(dirs.map(|dir| (name.clone(), lane, dir)));
        }
    }
    found
}

/// The sessions of these that have a directory in this one of a project.
fn held_in(
    project: &Path,
    keys: &BTreeMap<&str, &SessionKey>,
    list: &mut dyn FnMut(&Path) -> Vec<PathBuf>,
) -> Vec<SessionKey> {
    let dirs = match keys.len() <= FEW {
        true => keys.keys().map(|hash| project.join(hash)).collect(),
        false => list(project),
    };
    let key_of = |dir: &PathBuf| keys.get(dir.file_name()?.to_str()?);
    let there = dirs
        .iter()
        .filter_map(|dir| key_of(dir).filter(|_| is_dir(dir)));
    there.map(|key| (*key).clone()).collect()
}

fn is_dir(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|meta| meta.is_dir())
}

fn dirs_in(dir: &Path) -> Vec<PathBuf> {
    let entries = entries_in(dir).into_iter();
    entries.filter(|path| is_dir(path)).collect()
}

/// What is in a directory; nothing if it is a link.
fn entries_in(dir: &Path) -> Vec<PathBuf> {
    let entries = if is_dir(dir) {
        std::fs::read_dir(dir).ok()
    } else {
        None
    };
    let paths = entries
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path());
    paths.collect()
}

fn files_in(dir: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(dir)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .collect()
}

fn slashed(path: &Path) -> String {
    path.to_string_lossy().replace('\\', "/")
}

fn remove(dir: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::{SessionId, ToolId};

    #[test]
    fn a_session_is_removed_from_all_devices_folders_and_copies_and_no_other_is() {
        let home = tempfile::tempdir().expect("tempdir");
        let vault = Vault::at(home.path());
        let key = |id: &str| SessionKey::new(&ToolId::new("tool"), &SessionId::new(id));
        let (gone, stays) = (key("gone"), key("stays"));
        let put = |root: &str, device: &str, lane: &str, key: &SessionKey| {
            let dir = home
                .path()
                .join(format!("{root}/{device}/{lane}/tool/project/{}", key.hash));
            std::fs::create_dir_all(&dir).expect("dir");
            for name in ["0001.jsonl.zst", ".syncthing.0002.jsonl.zst.tmp"] {
                std::fs::write(dir.join(name), b"x").expect("write");
            }
        };
        for (root, device, lane) in [
            ("vault", "OWN", "live"),
            ("vault", "OWN", "bulk"),
            ("vault", "B", "live"),
            ("kept", "OWN", "live"),
            ("kept", "B", "bulk"),
        ] {
            put(root, device, lane, &gone);
            put(root, device, lane, &stays);
        }
        std::fs::create_dir_all(vault.remains().join("tool")).expect("dir");
        std::fs::write(
            vault.remains().join(format!("tool/{}.1.main", gone.hash)),
            b"x",
        )
        .expect("write");
        assert!(vault.holds(&gone));
        let listed = |n: usize| {
            let mut keys: BTreeSet<SessionKey> = (0..n).map(|n| key(&format!("{n}"))).collect();
            keys.insert(gone.clone());
            let mut listed = 0;
            let held = vault.held_by(&keys, &mut |dir| {
                listed += 1;
                entries_in(dir)
            });
            assert_eq!(held, [gone.clone()].into());
            listed
        };
        assert_eq!(listed(10), listed(1_000), "directories");
        let erased = vault.erase("OWN", &gone).expect("erase");
        let dir = format!("tool/project/{}", gone.hash);
        assert!(erased.any && erased.own.contains(&(Lane::Bulk, dir.clone())));
        assert!(
            erased
                .own
                .contains(&(Lane::Priority, format!("{dir}/0001.jsonl.zst")))
        );
        assert_eq!(
            erased.own.len(),
            6,
            "nothing of another device's is announced"
        );
        assert!(!vault.holds(&gone) && vault.holds(&stays));
        assert_eq!(
            vault.erase("OWN", &gone).expect("erase"),
            Erased::default(),
            "twice is once"
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_not_followed() {
        let home = tempfile::tempdir().expect("tempdir");
        let vault = Vault::at(home.path());
        let key = SessionKey::new(&ToolId::new("tool"), &SessionId::new("s"));
        let elsewhere = home.path().join("elsewhere");
        std::fs::create_dir_all(elsewhere.join(&key.hash)).expect("dir");
        std::fs::create_dir_all(home.path().join("vault/B/live/tool")).expect("dir");
        std::os::unix::fs::symlink(&elsewhere, home.path().join("vault/B/live/tool/project"))
            .expect("link");
        vault.erase("OWN", &key).expect("erase");
        assert!(elsewhere.join(&key.hash).exists());
    }
}
