//! The cases in `fixtures/tools/<tool>/<case>/`: a session of a tool, as it lies in a home
//! directory.
//!
//! A case holds `home/` (a home directory with a store) and `expect.json` (the content of the
//! records). A tool described by the user also has `custom.toml`. Where a tool must have created
//! something before anything is written, `there/` holds the initial content of the other home. In
//! both, the directories `{config}` and `{data}` are this system's for application data, a file
//! `x.sql` becomes the SQLite database `x` (in which `packed'…'` is the bytes that zstd makes of a text), and in
//! `x.in` the words `{home-uri}` and `{cwd-uri}` are filled in.
//!
//! `expect.json` may also state:
//! - `index`: which files are a tool's index, by parts of their names; they change with a session
//! - `append`: how the log continues: the rest of a last line, then more lines
//! - `replace`: the content that may replace a doc
//! - `move_on`, `delete`: SQL by which rows of a database are continued or deleted
//! - `delete_file`: deleting the session deletes its database
//! - `no_steering`: no program opens the session, so nothing in it steers one
//! - `opaque`: only the tool can read its docs
//! - `program`: the program, with its arguments, that has the session open while it runs
//! - `argv`: the command for a tool that opens no session by its id

use serde_json::Value;
use session_roam_core::formats::vscode::{self, System};
use session_roam_core::session::DocKind;
use session_roam_core::tools::{self, Found, FoundDoc, Stamp, Tool, custom};
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub struct Case {
    pub name: String,
    pub tool: Arc<dyn Tool>,
    pub expect: Value,
    pub home: PathBuf,
    pub there: PathBuf,
}

impl Case {
    pub fn is_index(&self, path: &Path) -> bool {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let parts = self.expect["index"].as_array();
        parts
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .any(|part| name.contains(part))
    }

    /// All files below a directory except those of a tool's index.
    pub fn tree(&self, dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
        tree(dir)
            .into_iter()
            .filter(|(path, _)| !self.is_index(path))
            .collect()
    }

    /// A changed main doc, in a form that its tool accepts.
    pub fn another(&self, main: &FoundDoc, content: &[u8]) -> Vec<u8> {
        let said = self.expect["replace"]
            .as_str()
            .map(|text| text.as_bytes().to_vec());
        said.unwrap_or_else(|| match main.kind {
            DocKind::Log => b"{\"new\":1}\n".to_vec(),
            // Nothing is appended to a document; as text it becomes another one.
            DocKind::Snapshot => [content, b"\n"].concat(),
        })
    }

    /// Continues the session as its tool does.
    pub fn move_on(&self, main: &FoundDoc) {
        if let Some(sql) = self.expect["move_on"].as_str() {
            let database = rusqlite::Connection::open(&main.path).expect("database");
            return database.execute_batch(sql).expect("sql");
        }
        fs::OpenOptions::new()
            .append(true)
            .open(&main.path)
            .expect("open")
            .write_all(b"{}\n")
            .expect("append");
    }

    /// The tool deletes the session.
    pub fn delete(&self, found: &Found) {
        if let Some(sql) = self.expect["delete"].as_str() {
            let database = rusqlite::Connection::open(&found.docs[0].path).expect("database");
            return database.execute_batch(sql).expect("sql");
        }
        if self.expect["delete_file"] == true {
            return fs::remove_file(&found.docs[0].path).expect("remove");
        }
        for doc in found
            .docs
            .iter()
            .filter(|doc| Stamp::of(&doc.path).is_ok_and(|stamp| stamp == doc.stamp))
        {
            fs::remove_file(&doc.path).expect("remove");
        }
    }

    #[cfg(unix)] // where an inode shows that a file was not replaced
    pub fn text(&self, pointer: &str, or: &str) -> Vec<u8> {
        self.expect
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or(or)
            .as_bytes()
            .to_vec()
    }
}

/// Copies a fixture's directory into a home and fills in what differs between systems and homes.
pub fn fill(from: &Path, to: &Path, home: &Path, cwd: &Path) {
    fs::create_dir_all(to).expect("dir");
    for path in sorted(from) {
        let name = path
            .file_name()
            .expect("name")
            .to_string_lossy()
            .into_owned();
        if path.is_dir() {
            let (config, data) = match System::HERE {
                System::Linux => (".config", ".local/share"),
                System::Mac => ("Library/Application Support", "Library/Application Support"),
                System::Windows => ("AppData/Roaming", "AppData/Local"),
            };
            let name = match name.as_str() {
                "{config}" => config,
                "{data}" => data,
                name => name,
            };
            fill(&path, &to.join(name), home, cwd);
        } else if let Some(name) = name.strip_suffix(".sql") {
            let sql = packed(&fs::read_to_string(&path).expect("sql"));
            let database = rusqlite::Connection::open(to.join(name)).expect("database");
            database.execute_batch(&sql).expect("sql");
        } else if let Some(name) = name.strip_suffix(".in") {
            let uri = |path: &Path| vscode::uri_of(&path.to_string_lossy(), System::HERE);
            let text = fs::read_to_string(&path).expect("text");
            let text = text
                .replace("{home-uri}", &uri(home))
                .replace("{cwd-uri}", &uri(cwd));
            fs::write(to.join(name), text).expect("write");
        } else {
            fs::copy(&path, to.join(&name)).expect("copy");
        }
    }
}

/// SQL in which each text `packed'…'` is the bytes that zstd makes of it.
pub fn packed(sql: &str) -> String {
    // A quote within a text is written twice.
    let sql = sql.replace("''", "\0");
    let mut parts = sql.split("packed'");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (text, rest) = part.split_once('\'').expect("the text ends");
        let text = text.replace('\0', "'");
        let bytes = zstd::encode_all(text.as_bytes(), 3).expect("zstd");
        let bytes = bytes.iter().map(|byte| format!("{byte:02x}"));
        out.push_str(&format!("x'{}'{rest}", bytes.collect::<String>()));
    }
    out.replace('\0', "''")
}

/// A directory with the programs that stand in for tools whose store no other program may change.
pub fn stand_ins(dir: &Path) -> PathBuf {
    let bin = dir.join("bin");
    fs::create_dir_all(&bin).expect("dir");
    let program = Path::new(env!("CARGO_BIN_EXE_opencode-stand-in"));
    let name = format!("opencode{}", std::env::consts::EXE_SUFFIX);
    let there = bin.join(name);
    // On another file system a link: a copy could not be started while a child of another test still
    // has the handle it was written with.
    #[cfg(unix)]
    let made =
        fs::hard_link(program, &there).or_else(|_| std::os::unix::fs::symlink(program, &there));
    #[cfg(not(unix))]
    let made = fs::hard_link(program, &there).or_else(|_| fs::copy(program, &there).map(drop));
    made.expect("a program");
    bin
}

/// Puts the directory into a repository with a commit.
pub fn plant_commit(dir: &Path) {
    let heads = dir.join(".git/refs/heads");
    fs::create_dir_all(&heads).expect("dir");
    fs::write(dir.join(".git/HEAD"), "ref: refs/heads/main\n").expect("write");
    fs::write(
        heads.join("main"),
        "c01199a62a2582ccc1ee894291e5dd5dc3bce730\n",
    )
    .expect("write");
}

pub fn cases() -> Vec<Case> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/tools");
    let mut cases = Vec::new();
    for tool_dir in sorted(&fixtures) {
        for case in sorted(&tool_dir) {
            let text = |name: &str| fs::read_to_string(case.join(name)).ok();
            let tool_name = tool_dir
                .file_name()
                .expect("name")
                .to_string_lossy()
                .into_owned();
            let definition: Option<custom::Definition> =
                text("custom.toml").map(|text| toml::from_str(&text).expect("custom.toml"));
            let id = definition
                .as_ref()
                .map_or(tool_name.clone(), |definition| definition.id.clone());
            let all = tools::all(definition.as_slice());
            cases.push(Case {
                name: format!(
                    "{tool_name}/{}",
                    case.file_name().expect("name").to_string_lossy()
                ),
                tool: all
                    .into_iter()
                    .find(|tool| tool.about().tool.as_str() == id)
                    .expect("a tool of that name"),
                expect: serde_json::from_str(&text("expect.json").expect("expect.json"))
                    .expect("json"),
                home: case.join("home"),
                there: case.join("there"),
            });
        }
    }
    assert!(cases.len() >= 8, "fixtures are missing");
    cases
}

pub fn sorted(dir: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = fs::read_dir(dir)
        .expect("dir")
        .map(|entry| entry.expect("entry").path())
        .collect();
    paths.sort();
    paths
}

/// All files below a directory with their bytes.
pub fn tree(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for path in sorted(dir) {
        if path.is_dir() {
            files.extend(tree(&path));
        } else {
            files.insert(path.clone(), fs::read(&path).expect("read"));
        }
    }
    files
}
