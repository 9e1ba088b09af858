//! Files that programs obey unasked, known by their names: a list for code that another device
//! recorded, and for copies of files that it kept. Knows no program.
//!
//! Nearly all obeyed files have a dot name (`.git`, `.github`, `.vscode`, `.idea`, `.husky`,
//! `.devcontainer`, `.envrc`, `.mcp.json`, `.npmrc`, `.gitattributes`, settings of shells and tools
//! that do not exist yet). All dot names count, because a list would always be one name behind.
//! Obeyed names without a dot are listed: run or read by git, hook managers, environment loaders,
//! coding agents, and by the usual command that builds or tests a project.

/// In lower case.
const NAMES: [&str; 96] = [
    "agents.local.md",
    "agents.md",
    "agents.override.md",
    "azure-pipelines.yml",
    "build.clj",
    "build.gradle",
    "build.gradle.kts",
    "build.rs",
    "build.sbt",
    "build.xml",
    "build.zig",
    "cargo.toml",
    "claude.local.md",
    "claude.md",
    "cmakelists.txt",
    "cmakepresets.json",
    "cmakeuserpresets.json",
    "compose.yaml",
    "compose.yml",
    "composer.json",
    "conanfile.py",
    "conftest.py",
    "conventions.md",
    "crush.md",
    "default.nix",
    "deno.json",
    "deno.jsonc",
    "deps.edn",
    "docker-compose.override.yml",
    "docker-compose.yaml",
    "docker-compose.yml",
    "dockerfile",
    "flake.nix",
    "gemfile",
    "gemini.md",
    "git-hooks",
    "githooks",
    "gnumakefile",
    "gradle-wrapper.jar",
    "gradle-wrapper.properties",
    "gradle.properties",
    "gradlew",
    "gradlew.bat",
    "gruntfile.js",
    "gulpfile.js",
    "gulpfile.mjs",
    "gulpfile.ts",
    "hooks",
    "husky",
    "jenkinsfile",
    "justfile",
    "lefthook-local.toml",
    "lefthook-local.yaml",
    "lefthook-local.yml",
    "lefthook.toml",
    "lefthook.yaml",
    "lefthook.yml",
    "makefile",
    "meson.build",
    "mise.local.toml",
    "mise.toml",
    "mix.exs",
    "module.bazel",
    "mvnw",
    "mvnw.cmd",
    "noxfile.py",
    "opencode.json",
    "opencode.jsonc",
    "package.json",
    "package.swift",
    "podfile",
    "pom.xml",
    "procfile",
    "project.clj",
    "pyproject.toml",
    "pytest.ini",
    "qwen.md",
    "rakefile",
    "rebar.config",
    "sconstruct",
    "settings.gradle",
    "settings.gradle.kts",
    "setup.cfg",
    "setup.py",
    "shell.nix",
    "sitecustomize.py",
    "snakefile",
    "taskfile.yaml",
    "taskfile.yml",
    "tasks.py",
    "tox.ini",
    "usercustomize.py",
    "vagrantfile",
    "warp.md",
    "workspace.bazel",
    "wscript",
];

/// Endings of such names, in lower case: settings of build tools and of their plugins.
const ENDINGS: [&str; 21] = [
    ".bazel",
    ".bzl",
    ".cmake",
    ".code-workspace",
    ".config.cjs",
    ".config.cts",
    ".config.js",
    ".config.mjs",
    ".config.mts",
    ".config.ts",
    ".csproj",
    ".fsproj",
    ".gemspec",
    ".gradle",
    ".gradle.kts",
    ".mk",
    ".podspec",
    ".props",
    ".pth",
    ".targets",
    ".vcxproj",
];

/// Whether a program may obey a file or directory of this name, and so everything below it. Names
/// that a file system maps to such a name count, too: other cases, dots and spaces at the end.
pub fn is_obeyed_name(name: &[u8]) -> bool {
    let name = String::from_utf8_lossy(name);
    let name = name.trim_end_matches(['.', ' ']).to_lowercase();
    name.starts_with('.')
        || NAMES.contains(&name.as_str())
        || ENDINGS.iter().any(|ending| name.ends_with(ending))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_programs_obey_is_known_by_its_name() {
        assert!(NAMES.is_sorted() && NAMES.iter().all(|name| *name == name.to_lowercase()));
        for name in [
            "settings.gradle",
            "App.csproj",
            "vite.config.ts",
            "pyproject.toml",
            "CMakeLists.txt",
            "Package.swift",
            "Directory.Build.props",
            "Cargo.toml",
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
            "config.ts",
            "Cargo.lock",
            "~a",
            "\u{fffd}",
        ] {
            assert!(!is_obeyed_name(name.as_bytes()), "{name}");
        }
        assert!(!is_obeyed_name(b"a\xff"));
    }
}
