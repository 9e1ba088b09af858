//! Which files a tool may restore from another device's records, and which names hold secrets.
//! Paths are text from any operating system. Knows no tool.
//!
//! A file may be restored if it lies inside the checkout and no program obeys the file unasked. The
//! names of obeyed files are those that are marked in code of another device.

use session_roam_code::is_obeyed_name;
use std::path::Path;

/// Why a file must not be restored from another device's record; `None` if it may be. `path` is
/// relative to `cwd` or absolute, in the form of any system.
pub fn refused(path: &str, cwd: &Path) -> Option<&'static str> {
    let below = match below(path, cwd) {
        Some(below) => below,
        None => return Some("is outside of this checkout"),
    };
    let names: Vec<&str> = below.split(['/', '\\']).collect();
    if names.iter().any(|name| name.is_empty() || is_odd(name)) {
        return Some("is no plain path");
    }
    if names.contains(&"..") || names.contains(&".") {
        return Some("is outside of this checkout");
    }
    let is_obeyed = |name: &&str| is_obeyed_name(name.as_bytes());
    if names.iter().any(is_obeyed) {
        return Some("is obeyed by programs");
    }
    leads_out(&names, cwd).then_some("leads out of this checkout by a link")
}

/// The path below `cwd`; `None` for an absolute path elsewhere.
fn below<'p>(path: &'p str, cwd: &Path) -> Option<&'p str> {
    let is_absolute = path.starts_with(['/', '\\', '~']) || path.as_bytes().get(1) == Some(&b':');
    if !is_absolute {
        return Some(path);
    }
    let cwd = cwd.to_str().filter(|cwd| !cwd.is_empty())?;
    path.strip_prefix(cwd.trim_end_matches(['/', '\\']))?
        .strip_prefix(['/', '\\'])
}

/// Names that some file system maps to another name: streams, short names, invisible characters.
fn is_odd(name: &str) -> bool {
    let unseen = |letter: char| {
        letter.is_control()
            || matches!(letter, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}')
    };
    let short = |name: &str| {
        let rest = name.split_once('~').map(|(_, rest)| rest);
        rest.is_some_and(|rest| rest.starts_with(|letter: char| letter.is_ascii_digit()))
    };
    name.contains(':') || name.chars().any(unseen) || short(name)
}

/// Whether a link on the way, or the file itself, leads elsewhere.
fn leads_out(names: &[&str], cwd: &Path) -> bool {
    let mut at = cwd.to_path_buf();
    names.iter().any(|name| {
        at.push(name);
        std::fs::symlink_metadata(&at)
            .is_ok_and(|metadata| !metadata.is_dir() && !metadata.is_file())
    })
}

/// Whether a file of this name holds credentials. A copy of such a file leaves the device only if
/// the user wants that.
pub fn is_secret(path: &str) -> bool {
    session_roam_code::is_secret_name(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_files_inside_the_checkout_may_be_restored() {
        let dir = tempfile::tempdir().expect("a directory");
        let cwd = dir.path();
        let inside = format!("{}/src/a.rs", cwd.display());
        for path in [
            "src/a.rs",
            "README.md",
            "a b/ü.txt",
            "src\\a.rs",
            "x.git/a",
            "src/~a",
            inside.as_str(),
        ] {
            assert_eq!(refused(path, cwd), None, "{path}");
        }
        for path in [
            "/home/ada/.bashrc",
            "/etc/cron.d/x",
            "C:\\x",
            "c:/x",
            "\\\\host\\share\\x",
            "~/x",
            "../x",
            "a/../../x",
            "a\\..\\..\\x",
            "./x",
            "a//b",
            "",
            "a\0b",
            "x:stream",
            "GIT~1/config",
            "gi\u{200c}t",
            "\u{200c}.git/config",
        ] {
            assert!(refused(path, cwd).is_some(), "{path:?}");
            assert!(refused(path, Path::new("")).is_some(), "{path:?}");
        }
        for path in [
            ".git/hooks/pre-commit",
            "sub/.GIT/config",
            ".Claude/settings.json",
            ".codex/config.toml",
            ".vscode/tasks.json",
            ".cursor/mcp.json",
            ".envrc",
            ".mcp.json",
            ".husky/pre-commit",
            ".github/workflows/ci.yml",
            "HOOKS/pre-push",
            "githooks/x",
            "Lefthook.yml",
            "mise.toml",
            "opencode.json",
            "package.json",
            "CLAUDE.md",
            "docs/AGENTS.md",
            "conftest.py",
            "lefthook.yml. ",
            ".env",
            "a/.x",
        ] {
            assert_eq!(refused(path, cwd), Some("is obeyed by programs"), "{path}");
        }
        assert_eq!(
            refused(&format!("{}x/a", cwd.display()), cwd),
            Some("is outside of this checkout")
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_link_does_not_lead_out() {
        let (dir, away) = (
            tempfile::tempdir().expect("a directory"),
            tempfile::tempdir().expect("a directory"),
        );
        std::os::unix::fs::symlink(away.path(), dir.path().join("out")).expect("a link");
        std::os::unix::fs::symlink(away.path().join("file"), dir.path().join("file"))
            .expect("a link");
        for path in ["out/x", "file", "out"] {
            assert!(refused(path, dir.path()).is_some(), "{path}");
        }
    }

    #[test]
    fn what_holds_secrets_is_known_by_its_name() {
        for path in [
            ".env",
            "app/.env.local",
            "prod.env",
            "/home/ada/.ssh/config",
            "id_ed25519",
            "keys/ID_RSA",
            "tls/server.key",
            "a.PEM",
            "C:\\x\\.npmrc",
            ".netrc",
            ".aws/credentials",
            "x.p12",
            ".git-credentials",
        ] {
            assert!(is_secret(path), "{path}");
        }
        for path in [
            "src/env.rs",
            "environment.ts",
            "id_rsa.pub",
            "src/id_card.rs",
            "keys.rs",
            "README.md",
            "credentials.rs",
        ] {
            assert!(!is_secret(path), "{path}");
        }
    }
}
