//! The rules of the repository that no compiler checks: layers, names, sizes, openings. Reads files
//! as text, on purpose: a rule that needs a parser is too clever for its reader.

use crate::proc;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Allowed uses between the core's modules. A module may use itself; anything else is forbidden.
const LAYERS: &[(&str, &[&str])] = &[
    ("parallel", &[]),
    ("memory", &[]),
    ("timing", &[]),
    ("session", &[]),
    // Opens hostile files: vault and tools both need it, and neither may use the other.
    ("opener", &[]),
    ("held_lock", &[]),
    ("merge", &["session", "parallel"]),
    // A format of its own: the engine writes it, an adapter reads it.
    ("open", &["session", "merge"]),
    // The contract of an adapter; of formats what its types are made of.
    ("adapter", &["session", "merge", "formats", "opener"]),
    // Of the contract the definition of a write.
    ("formats", &["session", "adapter", "parallel", "opener"]),
    (
        "tools",
        &[
            "session",
            "merge",
            "open",
            "adapter",
            "formats",
            "parallel",
            "opener",
            "held_lock",
        ],
    ),
    ("projects", &["session", "merge", "opener"]),
    (
        "vault",
        &["session", "merge", "parallel", "opener", "timing"],
    ),
    ("state", &["session", "merge"]),
    ("watch", &["session", "adapter", "timing"]), // it watches a tool's `Root`
    ("settings", &["tools"]),                     // config.toml defines the user's own tools
    ("syncthing", &["session", "settings", "timing", "held_lock"]),
    // Requests and answers as plain data, and the socket that carries them.
    (
        "api",
        &[
            "session",
            "merge",
            "tools",
            "syncthing",
            "state",
            "settings",
            "timing",
        ],
    ),
];

/// The upper modules: each may use what is in `BELOW` and the ones before it here.
const UPPER: &[&str] = &["reconcile", "views", "engine", "daemon"];
const BELOW: &[&str] = &[
    "session",
    "merge",
    "open",
    "adapter",
    "tools",
    "projects",
    "vault",
    "state",
    "watch",
    "syncthing",
    "settings",
    "parallel",
    "opener",
    "held_lock",
    "timing",
    "api",
];

/// Whether a module may use another one; `None` for a module that has no place in the layers.
fn may_use(module: &str, used: &str) -> Option<bool> {
    if let Some((_, allowed)) = LAYERS.iter().find(|(name, _)| *name == module) {
        return Some(used == module || allowed.contains(&used));
    }
    let at = UPPER.iter().position(|name| *name == module)?;
    // The process returns memory to the system.
    let is_memory = (module, used) == ("daemon", "memory");
    Some(is_memory || BELOW.contains(&used) || UPPER[..=at].contains(&used))
}

/// A tool is named in its own folder, below core/src/tools, and nowhere else in the core.
const VENDORS: &[&str] = &["claude", "anthropic", "openai"];
/// Files that may name a tool anyway, with the reason.
const MAY_NAME_TOOLS: &[(&str, &str)] = &[(
    "src-tauri/core/src/settings.rs",
    "the example in the commented config.toml",
)];

/// The most lines of a product file.
const LONGEST: usize = 1000;
/// The most lines of a test file: a row of stories that share a beginning.
const LONGEST_TEST: usize = 1200;
const TESTS: &str = "tests/";
/// Files that may be longer, because they are tables.
const TABLES: &[&str] = &[];

pub fn run() -> Result<()> {
    let root = proc::root();
    let sources = sources(&root)?;
    let mut broken = Vec::new();
    for source in &sources {
        broken.extend(opening(source));
        broken.extend(length(source));
        broken.extend(mounts(source));
        broken.extend(layer(source));
        broken.extend(raw_reading(source));
        broken.extend(shell_names(source));
        broken.extend(tool_names(source, &tool_names_known(&sources)));
    }
    broken.extend(named_in_page(&root, &sources));
    broken.extend(unmapped(&root, &sources));
    broken.extend(licences(&root));
    broken.extend(addresses(&root));
    broken.extend(generated(&root));
    for workflow in ["ci.yml", "bundle.yml"] {
        let text =
            fs::read_to_string(root.join(".github/workflows").join(workflow)).unwrap_or_default();
        broken.extend(
            unpinned(&text)
                .into_iter()
                .map(|action| format!("{workflow}: {action} is not pinned")),
        );
    }
    match broken.as_slice() {
        [] => {
            println!("{} source files keep the rules.", sources.len());
            Ok(())
        }
        broken => bail!("{} rules broken:\n  {}", broken.len(), broken.join("\n  ")),
    }
}

/// A Rust file: its path from the root with `/`, and its text.
struct Source {
    path: String,
    text: String,
}

fn sources(root: &Path) -> Result<Vec<Source>> {
    let mut files = Vec::new();
    for dir in ["src-tauri", "tests"] {
        collect(&root.join(dir), &mut files)?;
    }
    files.sort();
    files
        .into_iter()
        .map(|file| Source::read(root, &file))
        .collect()
}

/// Adds every Rust source below `dir`.
pub fn collect(dir: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let Ok(entries) = fs::read_dir(dir) else {
        return Ok(());
    };
    for entry in entries {
        let path = entry
            .with_context(|| format!("could not read {}", dir.display()))?
            .path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        match () {
            () if path.is_dir() && !["target", "node_modules"].contains(&name.as_str()) => {
                collect(&path, files)?
            }
            () if name.ends_with(".rs") => files.push(path),
            () => {}
        }
    }
    Ok(())
}

impl Source {
    fn read(root: &Path, file: &Path) -> Result<Self> {
        let text = fs::read_to_string(file)
            .with_context(|| format!("could not read {}", file.display()))?;
        let path = file
            .strip_prefix(root)
            .unwrap_or(file)
            .to_string_lossy()
            .replace('\\', "/");
        Ok(Self { path, text })
    }

    /// Lines of code with their numbers: without comments and the tests at the end of a file.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let is_test = |next: Option<&str>| next.is_some_and(|next| next.starts_with("mod tests"));
        let next = self.text.lines().skip(1).map(Some).chain([None]);
        let lines = self.text.lines().zip(next).enumerate();
        lines
            .take_while(move |(_, (line, next))| line.trim() != "#[cfg(test)]" || !is_test(*next))
            .map(|(idx, (line, _))| (idx + 1, line))
            .map(|(number, line)| (number, line.split("//").next().unwrap_or_default()))
    }

    /// The file's module of the core.
    fn core_module(&self) -> Option<&str> {
        let inside = self.path.strip_prefix("src-tauri/core/src/")?;
        Some(
            inside
                .split('/')
                .next()
                .unwrap_or(inside)
                .trim_end_matches(".rs"),
        )
    }
}

fn opening(source: &Source) -> Option<String> {
    let opens = source
        .text
        .trim_start_matches('\u{feff}')
        .starts_with("//!");
    (!opens).then(|| {
        format!(
            "{}: opens without `//!` that says what it is for",
            source.path
        )
    })
}

fn length(source: &Source) -> Option<String> {
    let n_lines = source.text.lines().count();
    let most = if source.path.starts_with(TESTS) {
        LONGEST_TEST
    } else {
        LONGEST
    };
    let fine = n_lines <= most || TABLES.contains(&source.path.as_str());
    (!fine).then(|| {
        format!(
            "{}: {n_lines} lines; split it ({most} at most, unless it is a table)",
            source.path
        )
    })
}

/// A file that several tests mount is compiled for each of them, and each allows dead code.
fn mounts(source: &Source) -> Vec<String> {
    let hits = source
        .text
        .lines()
        .enumerate()
        .filter(|(_, line)| line.trim_start().starts_with("#[path"));
    hits.map(|(idx, _)| {
        format!(
            "{}:{}: mounts a file by its path; what tests share is in src-tauri/testutils",
            source.path,
            idx + 1
        )
    })
    .collect()
}

fn layer(source: &Source) -> Vec<String> {
    let Some(module) = source.core_module() else {
        return Vec::new();
    };
    if module == "lib" {
        return Vec::new();
    }
    if may_use(module, module).is_none() {
        return vec![format!(
            "{}: the module `{module}` has no place in the layers (tidy.rs)",
            source.path
        )];
    };
    let uses = source.code().flat_map(|(number, line)| {
        used_modules(line)
            .into_iter()
            .map(move |used| (number, line, used))
    });
    uses.filter(|(_, line, used)| may_use(module, used) != Some(true) || is_socket(module, line))
        .map(|(number, _, used)| {
            format!("{}:{number}: `{module}` may not use `{used}`", source.path)
        })
        .collect()
}

/// Files below these paths may read files that somebody else put there.
const HOSTILE: &[&str] = &[
    "src-tauri/core/src/vault/",
    "src-tauri/core/src/tools/",
    "src-tauri/core/src/formats/",
];
/// Calls that follow links, wait for a FIFO or read without end; `opener` does not.
const RAW: &[&str] = &[
    "fs::read(",
    "fs::read_to_string(",
    "File::open(",
    "fs::copy(",
    "fs::metadata(",
];
/// Files that may use these calls, with the reason.
const MAY_READ_RAW: &[(&str, &str)] = &[
    (
        "src-tauri/core/src/vault/keys.rs",
        "the device's own key, in its own 0700 directory",
    ),
    (
        "src-tauri/core/src/tools/apps/disk.rs",
        "syncs a directory of session-roam's own store",
    ),
    (
        "src-tauri/core/src/formats/process.rs",
        "what the system says in /proc",
    ),
    (
        "src-tauri/core/src/formats/listed.rs",
        "when a directory changed last",
    ),
    (
        "src-tauri/core/src/formats/files.rs",
        "the permissions of a file that was just looked at",
    ),
    (
        "src-tauri/core/src/formats/vscode.rs",
        "when an editor's database was used last; it is not opened",
    ),
];

fn raw_reading(source: &Source) -> Vec<String> {
    let below = !source.path.ends_with("/tests.rs")
        && HOSTILE.iter().any(|dir| source.path.starts_with(dir));
    if !below || MAY_READ_RAW.iter().any(|(path, _)| *path == source.path) {
        return Vec::new();
    }
    let raw = |line: &str| RAW.iter().find(|call| line.contains(**call)).copied();
    let found = source
        .code()
        .filter_map(|(number, line)| raw(line).map(|call| (number, call)));
    found
        .map(|(number, call)| {
            format!(
                "{}:{number}: {call}…) reads raw; use crate::opener",
                source.path
            )
        })
        .collect()
}

/// The socket, which is the process's: whatever runs in it answers in the api's plain types.
fn is_socket(module: &str, line: &str) -> bool {
    !matches!(module, "api" | "daemon") && line.contains("crate::api::socket")
}

/// The first segments after each `crate::` of a line, with braces expanded.
fn used_modules(line: &str) -> Vec<String> {
    let mut found = Vec::new();
    for rest in line.split("crate::").skip(1) {
        match rest.strip_prefix('{') {
            Some(group) => found.extend(top_level_names(group)),
            None => found.extend(first_name(rest)),
        }
    }
    found
}

fn top_level_names(group: &str) -> Vec<String> {
    let mut depth = 0;
    let mut names = Vec::new();
    let mut start = 0;
    for (at, letter) in group.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => {
                names.extend(first_name(&group[start..at]));
                return names;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                names.extend(first_name(&group[start..at]));
                start = at + 1;
            }
            _ => {}
        }
    }
    names.extend(first_name(&group[start..]));
    names
}

/// A module's name is lower case; a type at the crate's root is not a module.
fn first_name(path: &str) -> Option<String> {
    let path = path.trim_start();
    let name: String = path
        .chars()
        .take_while(|letter| letter.is_ascii_alphanumeric() || *letter == '_')
        .collect();
    name.starts_with(|letter: char| letter.is_ascii_lowercase())
        .then_some(name)
}

fn shell_names(source: &Source) -> Vec<String> {
    let is_tray = source.path.starts_with("src-tauri/src/") || source.path == "src-tauri/build.rs";
    let is_core = source.core_module().is_some();
    let banned: &[&str] = match () {
        () if is_tray || source.path.starts_with("src-tauri/xtask/") => &[],
        () if is_core => &["tauri::", "tauri_", "clap::", "indicatif::"],
        () => &["tauri::", "tauri_"],
    };
    let hits = source.code().flat_map(|(number, line)| {
        banned
            .iter()
            .filter(|name| line.contains(**name))
            .map(move |name| (number, name))
    });
    hits.map(|(number, name)| format!("{}:{number}: `{name}` belongs to a shell", source.path))
        .collect()
}

fn tool_names_known(sources: &[Source]) -> Vec<String> {
    let files = sources
        .iter()
        .filter_map(|source| source.path.strip_prefix("src-tauri/core/src/tools/"));
    let stems = files
        .filter_map(|file| file.split('/').next())
        .map(|name| name.trim_end_matches(".rs"));
    // Markdown and the open format are formats before they are kinds of conversations; the apps' store is
    // session-roam's own.
    const SHARED: [&str; 9] = [
        "mod",
        "apps",
        "custom",
        "imported",
        "markdown",
        "open_format",
        "other_system",
        "seek",
        "stores",
    ];
    let own = stems.filter(|stem| !SHARED.contains(stem));
    own.flat_map(|stem| [stem.to_owned(), stem.replace('_', "-")])
        .chain(VENDORS.iter().map(|name| (*name).to_owned()))
        .collect()
}

fn tool_names(source: &Source, names: &[String]) -> Vec<String> {
    let excused = MAY_NAME_TOOLS.iter().any(|(path, _)| *path == source.path);
    if excused || source.core_module().is_none_or(|module| module == "tools") {
        return Vec::new();
    }
    // Words of Rust and of English in which a tool's name is found.
    const OTHERS: [&str; 2] = ["io::cursor", "ized"];
    let is_named = |line: &str| {
        let line = line.to_lowercase();
        let line = OTHERS
            .iter()
            .fold(line, |line, word| line.replace(word, ""));
        names.iter().any(|name| line.contains(name))
    };
    let hits = source.code().filter(|(_, line)| is_named(line));
    hits.map(|(number, _)| {
        format!(
            "{}:{number}: names a tool; only its own folder below tools/ may",
            source.path
        )
    })
    .collect()
}

/// The page that names every product file.
const MAP: &str = "docs/architecture.md";
/// The pages whose names of files, tests and items must exist.
const PAGES: &[&str] = &[MAP, "docs/glossary.md"];

/// Files, tests and items named in these pages must exist.
fn named_in_page(root: &Path, sources: &[Source]) -> Vec<String> {
    let mut broken = Vec::new();
    for page in PAGES {
        let text = fs::read_to_string(root.join(page)).unwrap_or_default();
        let missing = missing_names(&text, sources).into_iter();
        broken.extend(missing.map(|name| format!("{page}: names `{name}`, which is not there")));
        broken.extend(text.is_empty().then(|| format!("{page}: missing")));
    }
    broken
}

/// Product files without a row of the code map.
fn unmapped(root: &Path, sources: &[Source]) -> Vec<String> {
    let page = fs::read_to_string(root.join(MAP)).unwrap_or_default();
    let missing = without_row(&page, sources).into_iter();
    missing
        .map(|path| format!("{path}: has no row in the code map of {MAP}"))
        .collect()
}

/// Product files that the first cell of no row names, by themselves or by their directory. A
/// module's `mod.rs` and a crate's root may do without.
fn without_row<'a>(page: &str, sources: &'a [Source]) -> Vec<&'a str> {
    let first_cells = page
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split(" |").next())
        .filter(|cell| cell.split_whitespace().all(|word| word.starts_with('`')));
    let named: Vec<&str> = first_cells
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .collect();
    let in_core = |path: &'a str| path.strip_prefix("src-tauri/core/src/").unwrap_or(path);
    let has_row = |path: &str| {
        named
            .iter()
            .any(|name| *name == path || (name.ends_with('/') && path.starts_with(name)))
    };
    let is_product = |path: &str| {
        const CRATES: [&str; 6] = ["core/", "search/", "code/", "cli/", "tray/", ""];
        let is_root = ["/mod.rs", "/lib.rs", "/main.rs"]
            .iter()
            .any(|root| path.ends_with(root));
        !is_root
            && CRATES
                .iter()
                .any(|name| path.starts_with(&format!("src-tauri/{name}src/")))
    };
    let tests = test_modules(sources);
    let is_test = |path: &str| {
        tests.iter().any(|module| {
            path.strip_prefix(module.as_str())
                .is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
        })
    };
    sources
        .iter()
        .map(|source| source.path.as_str())
        .filter(|path| is_product(path) && !is_test(path) && !has_row(in_core(path)))
        .collect()
}

/// The modules that only tests compile, as paths without `.rs`.
fn test_modules(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources {
        let stem = source.path.trim_end_matches(".rs");
        let (dir, name) = stem.rsplit_once('/').unwrap_or(("", stem));
        let inside = match name {
            "mod" | "lib" | "main" => dir,
            _ => stem,
        };
        let after_cfg = source.text.split("#[cfg(test)]").skip(1);
        let modules = after_cfg.filter_map(|text| {
            let line = text.trim_start().lines().next()?;
            line.rsplit_once("mod ")?.1.strip_suffix(';')
        });
        found.extend(modules.map(|module| format!("{inside}/{module}")));
    }
    found
}

/// Words in backticks that look like a file of ours, like the path of an item or, as a sentence,
/// like a test, and do not exist.
fn missing_names(text: &str, sources: &[Source]) -> Vec<String> {
    let words = text.split('`').skip(1).step_by(2);
    let is_file = |word: &&str| word.ends_with(".rs") && !word.contains([' ', '{']);
    let is_test = |word: &&str| {
        word.matches('_').count() >= 3
            && word
                .chars()
                .all(|letter| letter.is_ascii_lowercase() || letter == '_')
    };
    let file_exists = |name: &str| {
        sources
            .iter()
            .any(|source| [name, &format!("src-tauri/core/src/{name}")].contains(&&*source.path))
    };
    let test_exists = |name: &str| {
        sources
            .iter()
            .any(|source| source.text.contains(&format!("fn {name}(")))
    };
    words
        .filter(|word| {
            (is_file(word) && !file_exists(word))
                || (is_test(word) && !test_exists(word))
                || item_path(word).is_some_and(|(owner, item)| !item_exists(owner, item, sources))
        })
        .map(str::to_owned)
        .collect()
}

/// `module::Item` or `Type::member`, in its two parts.
fn item_path(word: &str) -> Option<(&str, &str)> {
    let (owner, item) = word.rsplit_once("::")?;
    let is_name = |name: &str| {
        name.starts_with(|letter: char| letter.is_ascii_alphabetic())
            && name
                .chars()
                .all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
    };
    (owner.split("::").all(is_name) && is_name(item)).then_some((owner, item))
}

/// Whether a module of this name declares the item, or a file that speaks of the type the member.
fn item_exists(owner: &str, item: &str, sources: &[Source]) -> bool {
    let (file, dir) = {
        let module = owner.replace("::", "/");
        (format!("/{module}.rs"), format!("/{module}/"))
    };
    let is_module = owner.starts_with(|letter: char| letter.is_ascii_lowercase());
    let is_owner = |source: &Source| match is_module {
        true => source.path.ends_with(&file) || source.path.contains(&dir),
        false => {
            let name = owner.rsplit("::").next().unwrap_or(owner);
            ["struct", "enum", "trait", "impl", "for"]
                .iter()
                .any(|word| has_word_after(&source.text, word, name))
        }
    };
    let declares = |source: &Source| {
        const KINDS: [&str; 7] = ["struct", "enum", "trait", "fn", "type", "const", "mod"];
        let text = &source.text;
        KINDS.iter().any(|kind| has_word_after(text, kind, item)) || has_member(text, item)
    };
    sources
        .iter()
        .filter(|source| is_owner(source))
        .any(declares)
}

/// Whether the text has the name as a whole word behind this word.
fn has_word_after(text: &str, word: &str, name: &str) -> bool {
    let joined = format!("{word} {name}");
    let ends =
        |rest: &str| !rest.starts_with(|next: char| next.is_ascii_alphanumeric() || next == '_');
    text.match_indices(&joined)
        .any(|(at, _)| ends(&text[at + joined.len()..]))
}

/// Whether a line begins with a field, a variant or a macro's type of this name.
fn has_member(text: &str, name: &str) -> bool {
    let rest = |line: &str| {
        let line = line.trim_start().trim_start_matches("pub ");
        line.strip_prefix(name)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with([':', ',', '(', ' ']))
    };
    text.lines().any(rest)
}

fn licences(root: &Path) -> Vec<String> {
    let missing = ["LICENSE", "LICENSE-MIT", "LICENSE-APACHE", "README.md"]
        .into_iter()
        .filter(|name| !root.join(name).is_file());
    missing.map(|name| format!("{name}: missing")).collect()
}

/// Package sources are configured on the machine, not in the repository.
fn addresses(root: &Path) -> Vec<String> {
    let mut broken = Vec::new();
    for name in [".npmrc", "ui/.npmrc", "tests/real/.npmrc"] {
        broken.extend(
            root.join(name)
                .exists()
                .then(|| format!("{name}: names a registry")),
        );
    }
    for name in ["ui/package-lock.json", "tests/real/package-lock.json"] {
        let text = fs::read_to_string(root.join(name)).unwrap_or_default();
        broken.extend(text.contains("\"resolved\"").then(|| {
            format!("{name}: holds download addresses (npm's omit-lockfile-registry-resolved)")
        }));
    }
    let cargo = fs::read_to_string(root.join(".cargo/config.toml")).unwrap_or_default();
    broken.extend(
        ["[source", "[registr"]
            .iter()
            .any(|word| cargo.contains(word))
            .then(|| ".cargo/config.toml: names a registry".to_owned()),
    );
    broken
}

/// Actions that are not pinned by a whole commit with their version beside it: whoever controls a
/// tag can move it.
fn unpinned(workflow: &str) -> Vec<String> {
    let is_pinned = |action: &str| {
        let (commit, version) = action
            .split_once('@')
            .and_then(|(_, at)| at.split_once(" # v"))
            .unwrap_or_default();
        commit.len() == 40
            && commit.bytes().all(|byte| byte.is_ascii_hexdigit())
            && !version.is_empty()
    };
    let actions = workflow
        .lines()
        .filter_map(|line| line.trim().trim_start_matches("- ").strip_prefix("uses: "));
    actions
        .filter(|action| !is_pinned(action) && !action.starts_with("./"))
        .map(str::to_owned)
        .collect()
}

/// No file that .gitignore calls generated may be in git. Without git nothing is checked.
fn generated(root: &Path) -> Vec<String> {
    let tracked = proc::output(Command::new("git").current_dir(root).args([
        "ls-files",
        "-ci",
        "--exclude-standard",
    ]))
    .unwrap_or_default();
    tracked
        .lines()
        .map(|path| format!("{path}: generated, yet in git"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(path: &str, text: &str) -> Source {
        Source {
            path: path.into(),
            text: text.into(),
        }
    }

    #[test]
    fn the_repository_keeps_its_rules() {
        run().unwrap();
    }

    #[test]
    fn a_lower_layer_may_not_reach_up() {
        let up = source(
            "src-tauri/core/src/vault/mod.rs",
            "//! x\nuse crate::{engine::Plan, session::{Line, Tip}};\n",
        );
        assert_eq!(
            layer(&up),
            ["src-tauri/core/src/vault/mod.rs:2: `vault` may not use `engine`"]
        );
        let socket = source(
            "src-tauri/core/src/engine/plan.rs",
            "//! x\nuse crate::{vault, session::{Line, Tip}};\nuse crate::api::socket::Server;\n",
        );
        assert_eq!(
            layer(&socket),
            ["src-tauri/core/src/engine/plan.rs:3: `engine` may not use `api`"],
            "the process answers, not the engine"
        );
        let types = source(
            "src-tauri/core/src/engine/plan.rs",
            "//! x\nuse crate::api::types::Status;\n",
        );
        assert!(layer(&types).is_empty());
    }

    #[test]
    fn a_path_inside_an_expression_counts_and_comments_and_tests_do_not() {
        let inside = source(
            "src-tauri/core/src/merge/mod.rs",
            "//! x\nfn f() { crate::state::open() }\n",
        );
        assert_eq!(layer(&inside).len(), 1);
        let fine =
            "//! crate::state\n// crate::state\n#[cfg(test)]\nmod tests { use crate::state; }\n";
        assert!(layer(&source("src-tauri/core/src/merge/mod.rs", fine)).is_empty());
    }

    /// F11: an action was pinned by a tag.
    #[test]
    fn every_action_is_pinned_by_its_commit() {
        let commit = "91bf2b620e09e18d6eb78b92e7861937469acedb";
        let text =
            format!("  - uses: a/b@{commit} # v2.0.17\n  - uses: a/b@v2\n    uses: a/b@{commit}\n");
        assert_eq!(
            unpinned(&text),
            ["a/b@v2".to_owned(), format!("a/b@{commit}")]
        );
    }

    #[test]
    fn a_tool_is_named_in_its_own_file_only() {
        let names = ["codex".to_owned()];
        assert_eq!(
            tool_names(
                &source(
                    "src-tauri/core/src/engine/mod.rs",
                    "//! x\nlet store = \".codex\";\n"
                ),
                &names
            )
            .len(),
            1
        );
        assert!(
            tool_names(
                &source(
                    "src-tauri/core/src/tools/codex/mod.rs",
                    "//! x\nlet store = \".codex\";\n"
                ),
                &names
            )
            .is_empty()
        );
    }

    #[test]
    fn what_the_architecture_page_names_exists() {
        let sources = [
            source(
                "src-tauri/core/src/vault/frame.rs",
                "//! x\nfn a_torn_frame_waits() {}\n",
            ),
            source("tests/cli.rs", "//! x\n"),
        ];
        let fine = "`vault/frame.rs` `tests/cli.rs` `a_torn_frame_waits` `first_edge` `LAYERS`";
        assert_eq!(missing_names(fine, &sources), [""; 0]);
        assert_eq!(
            missing_names("`vault/card.rs` and `a_torn_frame_is_read`", &sources),
            ["vault/card.rs", "a_torn_frame_is_read"]
        );
    }

    #[test]
    fn what_the_pages_name_by_a_path_exists() {
        let sources = [
            source(
                "src-tauri/core/src/reconcile/split.rs",
                "//! x\npub struct BranchLayout {\n    pub trunk: Tip,\n}\nfn is_split() {}\n",
            ),
            source(
                "src-tauri/core/src/engine/mod.rs",
                "//! x\npub struct Engine {\n}\n",
            ),
        ];
        let fine = "`reconcile::split::BranchLayout` `split::is_split` `BranchLayout::trunk`";
        assert_eq!(missing_names(fine, &sources), [""; 0]);
        let wrong = "`engine::split::BranchLayout` `BranchLayout::is` `Engine::trunk`";
        assert_eq!(
            missing_names(wrong, &sources),
            [
                "engine::split::BranchLayout",
                "BranchLayout::is",
                "Engine::trunk"
            ]
        );
    }

    #[test]
    fn a_product_file_has_a_row_of_the_code_map() {
        let page = "| file | what |\n| `vault/frame.rs` `src-tauri/cli/src/render/` | one write |\nIn `vault/head.rs` is …";
        let sources = [
            source(
                "src-tauri/core/src/vault/mod.rs",
                "//! x\n#[cfg(test)]\nmod tests;\n",
            ),
            source("src-tauri/core/src/vault/tests.rs", "//! x\n"),
            source(
                "src-tauri/core/src/vault/frame.rs",
                "//! x\n#[cfg(test)]\nmod laws;\n",
            ),
            source("src-tauri/core/src/vault/frame/laws.rs", "//! x\n"),
            source("src-tauri/core/src/vault/head.rs", "//! x\n"),
            source("src-tauri/cli/src/render/table.rs", "//! x\n"),
            source("src-tauri/xtask/src/main.rs", "//! x\n"),
        ];
        assert_eq!(
            without_row(page, &sources),
            ["src-tauri/core/src/vault/head.rs"]
        );
    }

    #[test]
    fn a_file_says_what_it_is_for_and_stays_readable() {
        assert!(opening(&source("a.rs", "use std::fs;\n")).is_some());
        assert!(length(&source("a.rs", &"//!\n".repeat(LONGEST + 1))).is_some());
        assert!(length(&source("a.rs", &"//!\n".repeat(LONGEST))).is_none());
    }

    #[test]
    fn a_file_is_no_part_of_two_programs() {
        let text = "//! x\n#[path = \"real/device.rs\"]\nmod device;\n";
        let broken = mounts(&source("tests/faults.rs", text));
        assert!(broken[0].starts_with("tests/faults.rs:2: "), "{broken:?}");
        assert_eq!(
            mounts(&source("tests/cli.rs", "//! x\nmod device;\n")),
            [""; 0]
        );
    }

    #[test]
    fn the_window_is_for_the_tray_alone() {
        let text = "//! x\nuse tauri::Manager;\n";
        assert_eq!(
            shell_names(&source("src-tauri/core/src/api/mod.rs", text)).len(),
            1
        );
        assert_eq!(
            shell_names(&source("src-tauri/cli/src/main.rs", text)).len(),
            1
        );
        assert!(shell_names(&source("src-tauri/src/desktop/elsewhere.rs", text)).is_empty());
    }
}
