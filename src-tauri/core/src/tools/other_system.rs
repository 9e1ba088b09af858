//! Stores on the other side of the Windows Subsystem for Linux: those of Windows as seen from Linux
//! below `/mnt/c/Users`, and those of a distribution as seen from Windows below `\\wsl.localhost`.
//! They are reported but not used. The paths in such a store are the other system's, its running
//! programs cannot be seen from here, and database locks do not work across the boundary
//! (Microsoft's page on WSL file systems, 2026-11-29, advises against mixing both). A session-roam
//! on the other side syncs these stores, as on any other device.

use crate::adapter::Moved;
use crate::opener;
use std::path::{Path, PathBuf};
#[cfg(windows)]
use std::process::{Command, Stdio};

/// A home directory of the other system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherHome {
    /// The displayed name of the system: “Windows”, or the name of the distribution.
    pub system: String,
    pub dir: PathBuf,
}

/// At most this many users, distributions or drives are read.
const MOST: usize = 100;

/// Homes of the system that is the guest or host of this one. Starts no stopped distribution.
pub fn homes() -> Vec<OtherHome> {
    #[cfg(target_os = "linux")]
    {
        let kernel =
            opener::read_text_behind_links(Path::new("/proc/sys/kernel/osrelease"), opener::SMALL);
        if !kernel.is_ok_and(|kernel| is_wsl(&kernel)) {
            return Vec::new();
        }
        let conf = opener::read_text_behind_links(Path::new("/etc/wsl.conf"), opener::SMALL)
            .unwrap_or_default();
        windows_homes(&automount_root(&conf))
    }
    #[cfg(windows)]
    {
        let distributions = running_distributions();
        distributions
            .iter()
            .flat_map(|name| linux_homes(name, Path::new(&format!(r"\\wsl.localhost\{name}"))))
            .collect()
    }
    #[cfg(not(any(target_os = "linux", windows)))]
    Vec::new()
}

/// The stores of one tool in those homes, each with its system.
pub fn stores(homes: &[OtherHome], moved: &Moved) -> Vec<(String, PathBuf)> {
    let stores = homes
        .iter()
        .map(|home| (home.system.clone(), moved.usual_in(&home.dir)));
    stores.filter(|(_, dir)| moved.is_store(dir)).collect()
}

/// The kernel release of both generations of WSL contains "Microsoft".
#[cfg_attr(not(target_os = "linux"), allow(dead_code))] // tested on all systems
fn is_wsl(kernel: &str) -> bool {
    kernel.to_lowercase().contains("microsoft")
}

/// The mount point of drives: `root` in the section `automount` of `/etc/wsl.conf`, else `/mnt/`.
#[cfg_attr(not(target_os = "linux"), allow(dead_code))]
fn automount_root(conf: &str) -> PathBuf {
    let mut section = "";
    for line in conf.lines().map(str::trim) {
        if let Some(name) = line
            .strip_prefix('[')
            .and_then(|line| line.strip_suffix(']'))
        {
            section = name.trim();
        } else if let (true, Some((key, value))) = (
            section.eq_ignore_ascii_case("automount"),
            line.split_once('='),
        ) && key.trim().eq_ignore_ascii_case("root")
        {
            return PathBuf::from(value.trim().trim_matches(['"', '\'']));
        }
    }
    PathBuf::from("/mnt")
}

/// `root/c/Users/*` on each drive, without the accounts that belong to no person.
#[cfg_attr(not(target_os = "linux"), allow(dead_code))]
fn windows_homes(root: &Path) -> Vec<OtherHome> {
    let users = dirs_in(root)
        .into_iter()
        .filter(|drive| drive.len() == 1)
        .map(|drive| root.join(drive).join("Users"));
    let nobodys = ["Public", "Default", "Default User", "All Users"];
    users
        .flat_map(|users| {
            dirs_in(&users)
                .into_iter()
                .map(move |name| (users.join(&name), name))
        })
        .filter(|(_, name)| !nobodys.contains(&name.as_str()))
        .map(|(dir, _)| OtherHome {
            system: "Windows".into(),
            dir,
        })
        .collect()
}

/// `home/*` and `root` of a distribution.
#[cfg_attr(not(windows), allow(dead_code))]
fn linux_homes(distribution: &str, root: &Path) -> Vec<OtherHome> {
    let home = root.join("home");
    let dirs = dirs_in(&home)
        .into_iter()
        .map(|name| home.join(name))
        .chain([root.join("root")]);
    dirs.map(|dir| OtherHome {
        system: distribution.to_owned(),
        dir,
    })
    .collect()
}

fn dirs_in(dir: &Path) -> Vec<String> {
    let listed = opener::list_below(dir, "", MOST)
        .unwrap_or_default()
        .into_iter();
    listed
        .filter(|one| one.kind == opener::Kind::Dir)
        .filter_map(|one| one.name.into_string().ok())
        .collect()
}

/// Accessing a path in a distribution starts it; listing the distributions does not.
#[cfg(windows)]
fn running_distributions() -> Vec<String> {
    use std::os::windows::process::CommandExt;
    const CREATE_NO_WINDOW: u32 = 0x0800_0000;
    let mut wsl = Command::new("wsl.exe");
    wsl.args(["--list", "--running", "--quiet"])
        .stdin(Stdio::null())
        .creation_flags(CREATE_NO_WINDOW);
    match wsl.output() {
        Ok(output) if output.status.success() => names_of(&output.stdout),
        _ => Vec::new(),
    }
}

/// The lines printed by `wsl.exe`: UTF-16, little-endian. Names that would lead elsewhere in a path
/// are left out.
#[cfg_attr(not(windows), allow(dead_code))]
fn names_of(printed: &[u8]) -> Vec<String> {
    let units: Vec<u16> = printed
        .as_chunks::<2>()
        .0
        .iter()
        .map(|pair| u16::from_le_bytes(*pair))
        .collect();
    let text = String::from_utf16_lossy(&units);
    let names = text
        .lines()
        .map(|line| line.trim_matches(['\u{feff}', '\0', ' ', '\r']));
    let is_plain = |name: &&str| {
        !name.is_empty() && *name != ".." && !name.contains(['/', '\\', ':', '\u{fffd}'])
    };
    names
        .filter(is_plain)
        .take(MOST)
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const MOVED: Moved = Moved {
        var: "TOOL_DIR",
        usual: ".tool",
        marks: &["chats"],
    };

    #[test]
    fn kernels_of_wsl_are_known_by_their_release() {
        assert!(is_wsl("5.15.153.1-microsoft-standard-WSL2\n"));
        assert!(is_wsl("4.4.0-19041-Microsoft\n"));
        assert!(!is_wsl("6.1.0-30-amd64\n"));
    }

    #[test]
    fn drives_are_where_the_configuration_says() {
        assert_eq!(automount_root(""), Path::new("/mnt"));
        assert_eq!(
            automount_root("[automount]\nenabled = true\nroot = /windows/\n"),
            Path::new("/windows/")
        );
        assert_eq!(
            automount_root("[ Automount ]\nRoot=\"/\"\n"),
            Path::new("/")
        );
        assert_eq!(
            automount_root("[network]\nroot = /elsewhere\n[automount]\n"),
            Path::new("/mnt")
        );
    }

    #[test]
    fn stores_of_windows_users_are_found_and_those_of_nobody_are_not() {
        let mnt = tempfile::tempdir().expect("dir");
        for dir in [
            "c/Users/Ada Lovelace/.tool/chats",
            "c/Users/Public/.tool/chats",
            "c/Users/bob/.tool", // without what marks a store
            "d/Users/ada/.tool/chats",
            "wslg/Users/ada/.tool/chats", // no drive
        ] {
            fs::create_dir_all(mnt.path().join(dir)).expect("dir");
        }
        let homes = windows_homes(mnt.path());
        let found = stores(&homes, &MOVED);
        let at = |user: &str| ("Windows".to_owned(), mnt.path().join(user).join(".tool"));
        assert_eq!(found, [at("c/Users/Ada Lovelace"), at("d/Users/ada")]);
    }

    #[test]
    fn stores_of_a_distribution_are_found_with_roots() {
        let root = tempfile::tempdir().expect("dir");
        for dir in ["home/ada/.tool/chats", "root/.tool/chats", "home/bob"] {
            fs::create_dir_all(root.path().join(dir)).expect("dir");
        }
        let found = stores(&linux_homes("Ubuntu-24.04", root.path()), &MOVED);
        let at = |home: &str| {
            (
                "Ubuntu-24.04".to_owned(),
                root.path().join(home).join(".tool"),
            )
        };
        assert_eq!(found, [at("home/ada"), at("root")]);
    }

    #[test]
    fn the_list_of_distributions_is_read_as_wsl_prints_it() {
        let printed = |text: &str| {
            text.encode_utf16()
                .flat_map(u16::to_le_bytes)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            names_of(&printed("Ubuntu-24.04\r\nDebian\r\n\r\n")),
            ["Ubuntu-24.04", "Debian"]
        );
        assert_eq!(
            names_of(&printed("\u{feff}My Linux\r\n..\r\nC:\\x\r\n")),
            ["My Linux"]
        );
        assert_eq!(names_of(&[0x41]), [""; 0]);
    }
}
