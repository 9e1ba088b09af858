//! Files that programs obey unasked, known by their names: a list for code that another device
//! recorded, and for copies of files that it kept. Knows no program.
//!
//! Nearly all obeyed files have a dot name (`.git`, `.github`, `.vscode`, `.idea`, `.husky`,
//! `.devcontainer`, `.envrc`, `.mcp.json`, `.npmrc`, `.gitattributes`, settings of shells and tools
//! that do not exist yet). All dot names count, because a list would always be one name behind.
//! Obeyed names without a dot are listed: run or read by git, hook managers, environment loaders,
//! coding agents, and by the usual command that builds or tests a project.

/// In lower case.
const NAMES: [&str; 42] = [
    "agents.local.md",
    "agents.md",
    "agents.override.md",
    "build.gradle",
    "build.gradle.kts",
    "build.rs",
    "claude.local.md",
    "claude.md",
    "conftest.py",
    "conventions.md",
    "crush.md",
    "gemini.md",
    "git-hooks",
    "githooks",
    "gnumakefile",
    "gradlew",
    "gradlew.bat",
    "hooks",
    "husky",
    "justfile",
    "lefthook-local.toml",
    "lefthook-local.yaml",
    "lefthook-local.yml",
    "lefthook.toml",
    "lefthook.yaml",
    "lefthook.yml",
    "makefile",
    "mise.local.toml",
    "mise.toml",
    "mvnw",
    "mvnw.cmd",
    "opencode.json",
    "opencode.jsonc",
    "package.json",
    "qwen.md",
    "rakefile",
    "setup.cfg",
    "setup.py",
    "sitecustomize.py",
    "taskfile.yaml",
    "taskfile.yml",
    "warp.md",
];

/// Whether a program may obey a file or directory of this name, and so everything below it. Names
/// that a file system maps to such a name count, too: other cases, dots and spaces at the end.
pub fn is_obeyed_name(name: &[u8]) -> bool {
    let name = String::from_utf8_lossy(name);
    let name = name.trim_end_matches(['.', ' ']).to_lowercase();
    name.starts_with('.') || NAMES.contains(&name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_programs_obey_is_known_by_its_name() {
        assert!(NAMES.is_sorted() && NAMES.iter().all(|name| *name == name.to_lowercase()));
        for name in [
            ".git",
            ".Claude",
            ".env",
            "HOOKS",
            "Lefthook.yml",
            "lefthook.yml. ",
            "lefthook-local.yml",
            "mise.toml",
            "opencode.json",
            "package.json",
            "Makefile",
            "build.rs",
            "CLAUDE.md",
            "AGENTS.md",
            "GEMINI.md",
            "conftest.py",
            "setup.py",
            "Justfile",
            "ma\u{212a}efile",
        ] {
            assert!(is_obeyed_name(name.as_bytes()), "{name}");
        }
        for name in [
            "README.md",
            "a.rs",
            "x.git",
            "hooks.rs",
            "Cargo.toml",
            "~a",
            "\u{fffd}",
        ] {
            assert!(!is_obeyed_name(name.as_bytes()), "{name}");
        }
        assert!(!is_obeyed_name(b"a\xff"));
    }
}
