//! Finds stores that a variable has moved: in the environment of this user's running programs, in
//! the start-up files of shells, and beside the usual directory.
//!
//! Only reads. Found stores are shown to the user, who can switch each of them off.

use super::Machine;
use crate::adapter::Moved;
use crate::opener;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A found store, and its source as shown to the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sought {
    pub dir: PathBuf,
    pub from: String,
}

/// Files below the home directory in which people set variables permanently.
const PROFILES: [&str; 21] = [
    ".profile",
    ".bashrc",
    ".bash_profile",
    ".bash_login",
    ".bash_aliases",
    ".zshrc",
    ".zshenv",
    ".zprofile",
    ".zlogin",
    ".envrc",
    ".config/zsh/.zshrc",
    ".config/zsh/.zshenv",
    ".config/zsh/.zprofile",
    ".config/fish/config.fish",
    ".config/fish/fish_variables",
    ".config/nushell/env.nu",
    ".config/nushell/config.nu",
    ".config/powershell/Microsoft.PowerShell_profile.ps1",
    "Documents/PowerShell/Microsoft.PowerShell_profile.ps1",
    "Documents/WindowsPowerShell/Microsoft.PowerShell_profile.ps1",
    ".pam_environment",
];

/// Directories below the home directory whose files all set variables.
const PROFILE_DIRS: [&str; 4] = [
    ".config/environment.d",
    ".config/fish/conf.d",
    ".config/fish/functions",
    ".bashrc.d",
];

/// All stores that can be found now, by variable. One pass over the machine serves all tools.
pub fn seek(machine: &Machine, all: &[Moved]) -> Vec<Vec<Sought>> {
    let running = machine
        .apps
        .environments(&all.iter().map(|moved| moved.var).collect::<BTreeSet<_>>());
    let own = |vars: &std::collections::BTreeMap<String, String>| {
        let home = ["HOME", "USERPROFILE"]
            .iter()
            .find_map(|name| vars.get(*name));
        home.is_some_and(|home| is_same(Path::new(home), &machine.home))
    };
    let running: Vec<_> = running.into_iter().filter(own).collect();
    let profiles = profiles(&machine.home);
    all.iter()
        .map(|moved| {
            let mut found: Vec<Sought> = Vec::new();
            let mut add = |dir: PathBuf, from: &str| {
                if dir.is_absolute()
                    && moved.is_store(&dir)
                    && !found.iter().any(|known| known.dir == dir)
                {
                    found.push(Sought {
                        dir,
                        from: from.into(),
                    });
                }
            };
            for vars in &running {
                if let Some(value) = vars.get(moved.var) {
                    add(PathBuf::from(value.trim()), "a running program");
                }
            }
            for (name, text) in &profiles {
                for dir in values_in(text, moved.var, machine) {
                    add(dir, name);
                }
            }
            for dir in beside(moved, &machine.home) {
                add(dir, "its name");
            }
            found
        })
        .collect()
}

fn is_same(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    one == other || real(one) == real(other)
}

fn profiles(home: &Path) -> Vec<(String, String)> {
    let in_dirs = PROFILE_DIRS.iter().flat_map(|dir| {
        let listed = opener::list_below(home, dir, 100).unwrap_or_default();
        listed
            .into_iter()
            .filter_map(move |listed| Some(format!("{dir}/{}", listed.name.into_string().ok()?)))
    });
    let names = PROFILES
        .iter()
        .map(|name| (*name).to_owned())
        .chain(in_dirs);
    names
        .filter_map(|name| {
            let text = opener::read_text_behind_links(&home.join(&name), opener::SMALL).ok()?;
            Some((format!("~/{name}"), text))
        })
        .collect()
}

/// The values that a shell's file gives a variable: `export V=x`, `set -gx V x`, `$env:V = "x"`,
/// `V=x program` in an alias, `SETUVAR --export V:x`. Values computed by a command are left out.
fn values_in(text: &str, var: &str, machine: &Machine) -> Vec<PathBuf> {
    let lines = text
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'));
    lines
        .flat_map(|line| {
            line.match_indices(var)
                .filter_map(|(at, _)| value_at(line, at, var, machine))
        })
        .collect()
}

fn value_at(line: &str, at: usize, var: &str, machine: &Machine) -> Option<PathBuf> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if line[..at].chars().next_back().is_some_and(is_word) {
        return None;
    }
    let rest = &line[at + var.len()..];
    if let (true, Some(value)) = (line.starts_with("SETUVAR "), rest.strip_prefix(':')) {
        return expanded(&unescaped(value)?, machine);
    }
    let is_fish = line[..at].split_whitespace().any(|word| word == "set");
    let rest = match rest.trim_start().strip_prefix('=') {
        Some(rest) => rest.trim_start(),
        None if is_fish && rest.starts_with(' ') => rest.trim_start(),
        None => return None,
    };
    let value = match rest.chars().next()? {
        quote @ ('"' | '\'') => rest[1..].split(quote).next()?,
        _ => rest
            .split(|c: char| c.is_whitespace() || ";\"'&|)".contains(c))
            .next()?,
    };
    expanded(value, machine)
}

/// A value in the file in which fish keeps variables: a letter that is no word's is `\x2e`.
fn unescaped(value: &str) -> Option<String> {
    let mut parts = value.trim_end().split("\\x");
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(part.get(..2)?, 16).ok()?);
        bytes.extend(part[2..].bytes());
    }
    String::from_utf8(bytes).ok()
}

fn expanded(value: &str, machine: &Machine) -> Option<PathBuf> {
    let home = &machine.home;
    let xdg = [
        ("XDG_CONFIG_HOME", ".config"),
        ("XDG_DATA_HOME", ".local/share"),
    ];
    for (name, usual) in xdg {
        let written = [
            format!("${name}/"),
            format!("${{{name}}}/"),
            format!("${{{name}:-$HOME/{usual}}}/"),
        ];
        let rest = written
            .iter()
            .find_map(|start| value.strip_prefix(start.as_str()));
        let set = machine
            .var(name)
            .map(PathBuf::from)
            .filter(|dir| dir.is_absolute());
        let dir = set.unwrap_or_else(|| home.join(usual));
        if let Some(rest) = rest {
            return expanded(&dir.join(rest).to_string_lossy(), machine);
        }
    }
    let below = [
        "~/",
        "$HOME/",
        "${HOME}/",
        "$env:USERPROFILE\\",
        "$env:HOME/",
        "%USERPROFILE%\\",
    ];
    let path = match below.iter().find_map(|start| value.strip_prefix(start)) {
        Some(rest) => home.join(rest),
        None => PathBuf::from(value),
    };
    let text = path.to_string_lossy();
    (path.is_absolute() && !text.contains(['$', '`', '%']))
        .then(|| PathBuf::from(text.trim_end_matches('/')))
}

/// Directories beside the usual one whose names begin with its name: `.tool-work` beside `.tool`.
/// Backups are not in use.
fn beside(moved: &Moved, home: &Path) -> Vec<PathBuf> {
    const KEPT: [&str; 8] = [
        "bak", "backup", "old", "copy", "orig", "save", "tmp", "temp",
    ];
    if moved.usual.contains('/') {
        return Vec::new();
    }
    let is_one = |name: &str| {
        let rest = name
            .strip_prefix(moved.usual)
            .filter(|rest| rest.starts_with(['-', '_', '.']));
        rest.is_some_and(|rest| !KEPT.iter().any(|kept| rest.to_lowercase().contains(kept)))
    };
    let listed = opener::list_below(home, "", 10_000)
        .unwrap_or_default()
        .into_iter();
    let names = listed
        .filter(|listed| listed.kind == opener::Kind::Dir)
        .filter_map(|one| one.name.into_string().ok());
    names
        .filter(|name| is_one(name))
        .map(|name| home.join(name))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_shells_write_them() {
        let machine = Machine::at(Path::new("/home/ada"));
        let values = |line: &str| values_in(line, "TOOL_DIR", &machine);
        let work = || vec![PathBuf::from("/home/ada/.tool-work")];
        for line in [
            "export TOOL_DIR=~/.tool-work",
            "  export TOOL_DIR=\"$HOME/.tool-work\"  # mine",
            "TOOL_DIR='/home/ada/.tool-work'",
            "alias tw='TOOL_DIR=~/.tool-work tool'",
            "alias tw=\"TOOL_DIR=${HOME}/.tool-work/ tool\"",
            "tw() { TOOL_DIR=$HOME/.tool-work tool \"$@\"; }",
            "set -gx TOOL_DIR ~/.tool-work",
            "$env:TOOL_DIR = \"/home/ada/.tool-work\"",
            "SETUVAR --export TOOL_DIR:/home/ada/\\x2etool\\x2dwork",
        ] {
            assert_eq!(values(line), work(), "{line}");
        }
        for line in [
            "export TOOL_DIR=\"$XDG_CONFIG_HOME/tool\"",
            "export TOOL_DIR=${XDG_CONFIG_HOME}/tool",
            "export TOOL_DIR=\"${XDG_CONFIG_HOME:-$HOME/.config}/tool\"",
        ] {
            assert_eq!(
                values(line),
                [PathBuf::from("/home/ada/.config/tool")],
                "{line}"
            );
        }
        let mut moved = machine.clone();
        moved.vars.insert("XDG_DATA_HOME".into(), "/data".into());
        let found = values_in("TOOL_DIR=$XDG_DATA_HOME/tool", "TOOL_DIR", &moved);
        assert_eq!(found, [PathBuf::from("/data/tool")]);
        moved
            .vars
            .insert("XDG_DATA_HOME".into(), "$XDG_DATA_HOME/x".into());
        let found = values_in("TOOL_DIR=$XDG_DATA_HOME/tool", "TOOL_DIR", &moved);
        assert_eq!(found, [PathBuf::from("/home/ada/.local/share/tool")]);
        for line in [
            "# export TOOL_DIR=~/.tool-work",
            "export MY_TOOL_DIR=~/.tool-work",
            "export TOOL_DIR=$(mktemp -d)",
            "export TOOL_DIR=$XDG/x",
            "echo $TOOL_DIR",
            "export TOOL_DIR=relative",
            "SETUVAR TOOL_DIR:\\xzz",
            "SETUVAR MY_TOOL_DIR:/home/ada",
            "export TOOL_DIR=",
        ] {
            assert_eq!(values(line), Vec::<PathBuf>::new(), "{line}");
        }
    }

    #[test]
    fn backups_beside_the_usual_store_are_not_in_use() {
        let home = tempfile::tempdir().expect("dir");
        let moved = Moved {
            var: "TOOL_DIR",
            usual: ".tool",
            marks: &["chats"],
        };
        for name in [
            ".tool",
            ".tool-work",
            ".tool_2",
            ".tool.bak",
            ".tool-backup-2026",
            ".tools",
            ".tool-empty",
        ] {
            let below = if name == ".tool-empty" { "" } else { "chats" };
            std::fs::create_dir_all(home.path().join(name).join(below)).expect("dir");
        }
        let found = seek(&Machine::at(home.path()), &[moved]).remove(0);
        let names: Vec<_> = found
            .iter()
            .filter_map(|found| found.dir.file_name()?.to_str())
            .collect();
        assert_eq!(names, [".tool-work", ".tool_2"]);
    }
}
