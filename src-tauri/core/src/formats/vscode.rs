//! The places where VS Code and the editors derived from it store the state of a window: the user
//! directory on each system, and the workspace that opens a directory. The callers know which
//! editors exist.
//!
//! A workspace's id is a hash over its path and the directory's inode (Linux) or time of birth
//! (macOS, Windows; VS Code's `workspaces.ts`, read 2026-11-23). The id is therefore never synced,
//! and never computed here: after a wrong guess the editor would never read that place, and
//! creating the database is the editor's job. To get a workspace for a directory, the user opens
//! the directory once in the editor. `workspace.json` then names it.

use super::running::Running;
use crate::adapter::Machine;
use crate::opener;
use serde_json::Value;
use std::fs;
use std::path::{Component, Path, PathBuf};

/// The systems, which differ in file locations and in the form of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum System {
    Linux,
    Mac,
    Windows,
}

impl System {
    pub const HERE: Self = match () {
        () if cfg!(windows) => Self::Windows,
        () if cfg!(target_os = "macos") => Self::Mac,
        () => Self::Linux,
    };
}

/// One editor of the family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Editor {
    /// The vendor's spelling, which is also the name of the bundle on macOS.
    pub name: &'static str,
    /// The settings directory: `Code`.
    pub folder: &'static str,
    /// The editor's programs, by the names that [`Running::name`] gives.
    pub programs: &'static [&'static str],
    /// The terminal command that opens a directory in the editor.
    pub command: &'static str,
}

impl Editor {
    pub const CODE: Self = Self {
        name: "Visual Studio Code",
        folder: "Code",
        programs: &["code"],
        command: "code",
    };
    pub const CODE_INSIDERS: Self = Self {
        name: "Visual Studio Code - Insiders",
        folder: "Code - Insiders",
        programs: &["code-insiders", "code - insiders"],
        command: "code-insiders",
    };
    pub const CODIUM: Self = Self {
        name: "VSCodium",
        folder: "VSCodium",
        programs: &["codium", "vscodium"],
        command: "codium",
    };
    pub const CODIUM_INSIDERS: Self = Self {
        name: "VSCodium - Insiders",
        folder: "VSCodium - Insiders",
        programs: &["codium-insiders", "vscodium - insiders"],
        command: "codium-insiders",
    };

    /// `…/Code/User`: the settings and the storage of all windows.
    pub fn user_dir(&self, system: System, machine: &Machine) -> PathBuf {
        let configs = match system {
            System::Linux => machine
                .var("XDG_CONFIG_HOME")
                .map_or_else(|| machine.home.join(".config"), PathBuf::from),
            System::Mac => machine.home.join("Library/Application Support"),
            System::Windows => machine.var("APPDATA").map_or_else(
                || machine.home.join("AppData").join("Roaming"),
                PathBuf::from,
            ),
        };
        configs.join(self.folder).join("User")
    }

    /// Whether a process is this editor or one of its helpers. On macOS all of them are in the
    /// editor's bundle, under names that other programs also have.
    pub fn is(&self, running: &Running) -> bool {
        let exe = running.exe.to_string_lossy().replace('\\', "/");
        exe.contains(&format!("/{}.app/Contents/", self.name))
            || self.programs.contains(&running.name().as_str())
    }
}

/// The target whose window state is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opens {
    Folder(PathBuf),
    /// A `.code-workspace` file, which names several folders.
    File(PathBuf),
    /// A directory of another machine (`vscode-remote://…`), or anything else that is no path.
    Elsewhere(String),
}

impl Opens {
    /// The directories on this machine that it opens. The first one represents it.
    pub fn directories(&self, user_dir: &Path) -> Vec<PathBuf> {
        match self {
            Self::Folder(folder) => vec![folder.clone()],
            Self::File(file) => directories_of(file, user_dir),
            Self::Elsewhere(_) => Vec::new(),
        }
    }
}

/// The directories that a workspace file names. The place of a file that cannot be read stands for
/// them, unless the editor keeps the file itself because the user has not saved it anywhere.
pub fn directories_of(file: &Path, user_dir: &Path) -> Vec<PathBuf> {
    /// Of more folders the first ones count.
    const MOST: usize = 64;
    let unsaved = user_dir.parent().map(|data| data.join("Workspaces"));
    let place = || {
        let parent = file.parent().map(Path::to_path_buf);
        parent.filter(|_| !unsaved.is_some_and(|unsaved| file.starts_with(unsaved)))
    };
    let folders = folders_in(file);
    let mut folders = folders.unwrap_or_else(|| place().into_iter().collect());
    folders.truncate(MOST);
    folders
}

/// `folders` in a workspace file: `path`, relative to the file or absolute, or `uri`.
fn folders_in(file: &Path) -> Option<Vec<PathBuf>> {
    const LARGEST: u64 = 1 << 20;
    let text = opener::read_text(file, LARGEST).ok()?;
    let said: Value = serde_json::from_str(&plain_json(&text)).ok()?;
    let folders = said.get("folders")?.as_array()?.iter();
    let folder = |folder: &Value| {
        let text = |name: &str| folder.get(name).and_then(Value::as_str);
        let path = match text("path") {
            Some(path) => plain(&file.parent()?.join(path)),
            None => PathBuf::from(path_of(text("uri")?, System::HERE)?),
        };
        path.is_absolute().then_some(path)
    };
    Some(folders.filter_map(folder).collect())
}

/// A path without `.` and `..`, by its names alone.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(plain.pop()),
            part => plain.push(part),
        }
    }
    plain
}

/// JSON as these editors write it without what JSON itself does not have: comments, and commas
/// behind the last element.
fn plain_json(text: &str) -> String {
    let mut rest = text.trim_start_matches('\u{feff}');
    let (mut plain, mut comma) = (String::with_capacity(rest.len()), false);
    while let Some(letter) = rest.chars().next() {
        let end = |of: &str, from: usize| rest[from..].find(of).map(|at| from + at + of.len());
        let (len, is_comment) = match letter {
            '"' => (string_len(rest), false),
            '/' if rest.starts_with("//") => (end("\n", 2).unwrap_or(rest.len()), true),
            '/' if rest.starts_with("/*") => (end("*/", 2).unwrap_or(rest.len()), true),
            _ => (letter.len_utf8(), false),
        };
        let (part, after) = rest.split_at(len);
        rest = after;
        if is_comment || letter.is_whitespace() {
            continue;
        }
        if std::mem::replace(&mut comma, letter == ',') && !"]}".contains(letter) {
            plain.push(',');
        }
        if letter != ',' {
            plain.push_str(part);
        }
    }
    plain
}

/// The length of the string with which a text begins.
fn string_len(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            b'"' if !is_escaped => return at + 1,
            byte => is_escaped = byte == b'\\' && !is_escaped,
        }
    }
    text.len()
}

/// `workspaceStorage/<id>`: an editor's storage for one folder or workspace file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workspace {
    pub dir: PathBuf,
    pub opens: Opens,
}

impl Workspace {
    /// `None` if the directory does not name its folder or workspace file.
    pub fn read(dir: &Path) -> Option<Self> {
        const LARGEST: u64 = 64 << 10;
        let path = dir.join("workspace.json");
        let text = opener::read(&path, LARGEST).ok()?;
        Some(Self {
            dir: dir.to_path_buf(),
            opens: opens(&text, System::HERE)?,
        })
    }

    pub fn state_db(&self) -> PathBuf {
        self.dir.join("state.vscdb")
    }
}

/// The workspaces that a directory represents: folders before workspace files, the last used first.
/// Several spellings of one path have several workspaces.
pub fn workspaces_of(user_dir: &Path, directory: &Path) -> Vec<Workspace> {
    let real = fs::canonicalize(directory).ok();
    let is_it = |opens: &Opens| {
        opens.directories(user_dir).first().is_some_and(|other| {
            other == directory || (real.is_some() && fs::canonicalize(other).ok() == real)
        })
    };
    let found = workspace_dirs(user_dir)
        .into_iter()
        .filter_map(|dir| Workspace::read(&dir));
    let mut found: Vec<Workspace> = found.filter(|workspace| is_it(&workspace.opens)).collect();
    let used = |workspace: &Workspace| {
        fs::metadata(workspace.state_db())
            .and_then(|metadata| metadata.modified())
            .ok()
    };
    found.sort_by_key(|workspace| {
        (
            matches!(workspace.opens, Opens::Folder(_)),
            used(workspace),
            workspace.dir.clone(),
        )
    });
    found.reverse();
    found
}

/// All directories below `workspaceStorage`, in a fixed order.
pub fn workspace_dirs(user_dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(user_dir.join("workspaceStorage"))
        .into_iter()
        .flatten()
        .flatten();
    let is_dir = |entry: &fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_dir());
    let mut dirs: Vec<PathBuf> = entries.filter(is_dir).map(|entry| entry.path()).collect();
    dirs.sort();
    dirs
}

/// The target in a `workspace.json`; some old ones name the file `configuration`.
fn opens(workspace_json: &[u8], system: System) -> Option<Opens> {
    let said: Value = serde_json::from_slice(workspace_json).ok()?;
    let text = |name: &str| said.get(name).and_then(Value::as_str);
    let path = |uri: &str| path_of(uri, system).map(PathBuf::from);
    match (
        text("folder"),
        text("workspace").or_else(|| text("configuration")),
    ) {
        (Some(uri), _) => {
            Some(path(uri).map_or_else(|| Opens::Elsewhere(uri.into()), Opens::Folder))
        }
        (None, Some(uri)) => {
            Some(path(uri).map_or_else(|| Opens::Elsewhere(uri.into()), Opens::File))
        }
        (None, None) => None,
    }
}

/// The path in a `file:` URI, in the system's form; `None` if it is not a file on this machine.
pub fn path_of(uri: &str, system: System) -> Option<String> {
    let (authority, path) = match uri.strip_prefix("file://")?.split_once('/') {
        Some((authority, path)) => (decoded(authority)?, decoded(path)?),
        None => return None,
    };
    match system {
        System::Windows if authority.is_empty() => Some(windows_path(&path)?),
        System::Windows => Some(format!("\\\\{authority}\\{}", path.replace('/', "\\"))),
        _ if authority.is_empty() => Some(format!("/{path}")),
        _ => None,
    }
}

/// `c:/x` as `c:\x`, and a bare drive with its backslash.
fn windows_path(path: &str) -> Option<String> {
    let (drive, rest) = path.split_once(':')?;
    let is_drive = drive.len() == 1 && drive.bytes().all(|byte| byte.is_ascii_alphabetic());
    let rest = if rest.is_empty() { "/" } else { rest };
    (is_drive && rest.starts_with('/')).then(|| format!("{drive}:{}", rest.replace('/', "\\")))
}

/// The `file:` URI of an absolute path, as VS Code writes it: the drive in lower case, all but the
/// plainest characters percent-encoded.
pub fn uri_of(path: &str, system: System) -> String {
    let slashed = if system == System::Windows {
        path.replace('\\', "/")
    } else {
        path.to_owned()
    };
    let (authority, path) = match slashed
        .strip_prefix("//")
        .filter(|_| system == System::Windows)
    {
        Some(unc) => unc
            .split_once('/')
            .map_or((unc, String::new()), |(server, rest)| {
                (server, format!("/{rest}"))
            }),
        None => ("", slashed),
    };
    let path = match path.as_bytes() {
        [drive, b':', ..] => format!("/{}{}", char::from(drive.to_ascii_lowercase()), &path[1..]),
        _ => path,
    };
    format!("file://{}{}", encoded(authority), encoded(&path))
}

fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                out.push(char::from(byte))
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// `None` for percent signs that encode no byte, and for bytes that are not text.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let (byte, after) = match byte {
            b'%' => {
                let digits = after
                    .get(..2)
                    .filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))?;
                (
                    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?,
                    &after[2..],
                )
            }
            byte => (*byte, after),
        };
        bytes.push(byte);
        rest = after;
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const EDITOR: Editor = Editor {
        name: "Some Editor",
        folder: "Some",
        programs: &["some", "some-next"],
        command: "some",
    };

    #[test]
    fn the_user_directory_is_where_each_system_has_it() {
        let mut machine = Machine::at("/home/u");
        let dir = |machine: &Machine, system| {
            EDITOR
                .user_dir(system, machine)
                .to_string_lossy()
                .replace('\\', "/")
        };
        assert_eq!(dir(&machine, System::Linux), "/home/u/.config/Some/User");
        assert_eq!(
            dir(&machine, System::Mac),
            "/home/u/Library/Application Support/Some/User"
        );
        assert_eq!(
            dir(&machine, System::Windows),
            "/home/u/AppData/Roaming/Some/User"
        );
        machine.vars.insert("XDG_CONFIG_HOME".into(), "/cfg".into());
        machine.vars.insert("APPDATA".into(), "D:\\Roaming".into());
        assert_eq!(dir(&machine, System::Linux), "/cfg/Some/User");
        assert_eq!(dir(&machine, System::Windows), "D:/Roaming/Some/User");
    }

    #[test]
    fn an_editor_is_known_by_its_program_on_each_system() {
        let is = |exe: &str| {
            EDITOR.is(&Running {
                exe: exe.into(),
                ..Running::default()
            })
        };
        for exe in [
            "/usr/share/some/some",
            "/opt/some-next (deleted)",
            "/Applications/Some Editor.app/Contents/MacOS/Electron",
            "/Applications/Some Editor.app/Contents/Frameworks/Code Helper.app/Contents/MacOS/Code Helper",
        ] {
            assert!(is(exe), "{exe}");
        }
        for exe in [
            "",
            "/usr/bin/something",
            "/usr/share/some/bin/tunnel",
            "/Applications/Other.app/Contents/MacOS/Electron",
        ] {
            assert!(!is(exe), "{exe}");
        }
        #[cfg(windows)]
        assert!(is("C:\\Programs\\Some\\Some.exe"));
    }

    #[test]
    fn paths_and_uris_are_each_others() {
        let rows = [
            (System::Linux, "/home/u/my api", "file:///home/u/my%20api"),
            (
                System::Linux,
                "/home/zoë/日本",
                "file:///home/zo%C3%AB/%E6%97%A5%E6%9C%AC",
            ),
            (System::Linux, "/a%20b/c#d?e", "file:///a%2520b/c%23d%3Fe"),
            (System::Linux, "/", "file:///"),
            (
                System::Mac,
                "/Users/u/it's (1)",
                "file:///Users/u/it%27s%20%281%29",
            ),
            (
                System::Windows,
                "c:\\Users\\u\\api",
                "file:///c%3A/Users/u/api",
            ),
            (System::Windows, "c:\\", "file:///c%3A/"),
            (
                System::Windows,
                "\\\\wsl.localhost\\Debian\\home",
                "file://wsl.localhost/Debian/home",
            ),
        ];
        for (system, path, uri) in rows {
            assert_eq!(uri_of(path, system), uri);
            assert_eq!(path_of(uri, system).as_deref(), Some(path), "{uri}");
        }
        // Other spellings of the same path.
        assert_eq!(
            path_of("file:///C:/x", System::Windows).as_deref(),
            Some("C:\\x")
        );
        assert_eq!(
            path_of("file:///c%3a", System::Windows).as_deref(),
            Some("c:\\")
        );
        assert_eq!(uri_of("C:\\x", System::Windows), "file:///c%3A/x");
        let foreign = [
            "vscode-remote://ssh-remote%2Bbox/home/u",
            "file://server/x",
            "file:///%zz",
            "file:///%FF",
            "/x",
            "",
        ];
        for uri in foreign {
            assert_eq!(path_of(uri, System::Linux), None, "{uri}");
        }
        assert_eq!(path_of("file:///home/u", System::Windows), None);
    }

    #[test]
    fn a_workspace_says_what_it_opens() {
        let said = |json: &str| opens(json.as_bytes(), System::Linux);
        assert_eq!(
            said(r#"{"folder":"file:///a%20b"}"#),
            Some(Opens::Folder("/a b".into()))
        );
        let file = said(r#"{"workspace":"file:///a/x.code-workspace"}"#).expect("a workspace");
        assert_eq!(file, Opens::File("/a/x.code-workspace".into()));
        assert_eq!(
            said(r#"{"configuration":"file:///a/x.code-workspace"}"#),
            Some(file)
        );
        let remote =
            said(r#"{"folder":"vscode-remote://ssh-remote%2Bbox/home/u"}"#).expect("a workspace");
        assert!(matches!(&remote, Opens::Elsewhere(_)));
        assert!(remote.directories(Path::new("/")).is_empty());
        assert_eq!((said("{}"), said("half {")), (None, None));
    }

    #[test]
    fn a_workspace_file_stands_for_its_folders_wherever_it_is() {
        let dir = tempfile::tempdir().expect("dir");
        let user = dir.path().join("Code/User");
        let (saved, unsaved) = (dir.path().join("all"), dir.path().join("Code/Workspaces/1"));
        for dir in [&user, &saved, &unsaved] {
            fs::create_dir_all(dir).expect("dir");
        }
        let asked = |dir: &Path, text: &str| {
            let file = dir.join("x.code-workspace");
            fs::write(&file, text).expect("write");
            Opens::File(file).directories(&user)
        };
        let root = dir.path();
        let web = uri_of(&root.join("my web").to_string_lossy(), System::HERE);
        let text = format!(
            "\u{feff}// both \"parts\" {{\n{{ /* , */ \"folders\": [ {{ \"path\": \"../api/.\", }}, // [\n {{ \"uri\": \"{web}\" }},
             {{ \"uri\": \"vscode-remote://ssh-remote%2Bbox/home/u\" }}, {{ \"path\": \"a // \\\"b\" }}, ],
             \"settings\": {{ \"x\": \"}}, ]\", }}, }}"
        );
        let named = [
            root.join("api"),
            root.join("my web"),
            saved.join("a // \"b"),
        ];
        assert_eq!(asked(&saved, &text), named);
        let beside = unsaved.with_file_name("api");
        assert_eq!(asked(&unsaved, &text)[0], beside);
        assert_eq!(asked(&saved, "{\"folders\": []}"), [] as [PathBuf; 0]);
        for odd in ["", "{", "[]", "{\"folders\": {}}", "/* {}", "\"\\"] {
            assert_eq!(asked(&saved, odd), std::slice::from_ref(&saved), "{odd}");
            assert_eq!(asked(&unsaved, odd), [] as [PathBuf; 0], "{odd}");
        }
    }

    #[test]
    fn the_workspace_of_a_directory_is_found_and_the_folders_own_comes_first() {
        let dir = tempfile::tempdir().expect("dir");
        let (user, project) = (dir.path().join("User"), dir.path().join("my api"));
        fs::create_dir_all(&project).expect("dir");
        let here = |path: &Path| uri_of(&path.to_string_lossy(), System::HERE);
        let workspace = |id: &str, json: String| {
            let at = user.join("workspaceStorage").join(id);
            fs::create_dir_all(&at).expect("dir");
            fs::write(at.join("workspace.json"), json).expect("write");
            at
        };
        workspace("1", format!("{{\"folder\":\"{}\"}}", here(dir.path())));
        let file = workspace(
            "3",
            format!(
                "{{\"workspace\":\"{}\"}}",
                here(&project.join("x.code-workspace"))
            ),
        );
        let folder = workspace("2", format!("{{\"folder\":\"{}\"}}", here(&project)));
        workspace("4", "half {".into());
        let dirs = |directory: &Path| {
            workspaces_of(&user, directory)
                .into_iter()
                .map(|workspace| workspace.dir)
                .collect::<Vec<_>>()
        };
        assert_eq!(dirs(&project), [folder.clone(), file.clone()]);
        #[cfg(unix)]
        {
            let link = dir.path().join("link");
            std::os::unix::fs::symlink(&project, &link).expect("link");
            assert_eq!(dirs(&link), [folder, file]);
        }
        assert_eq!(dirs(&project.join("gone")), Vec::<PathBuf>::new());
        assert_eq!(workspace_dirs(&user).len(), 4);
        assert_eq!(
            workspace_dirs(&dir.path().join("no editor")),
            Vec::<PathBuf>::new()
        );
    }

    proptest! {
        #[test]
        fn any_path_comes_back_from_its_uri(names in prop::collection::vec("[^/\\\\\0:]{1,12}", 1..5)) {
            let path = format!("/{}", names.join("/"));
            prop_assert_eq!(path_of(&uri_of(&path, System::Linux), System::Linux), Some(path));
            let path = format!("c:\\{}", names.join("\\"));
            prop_assert_eq!(path_of(&uri_of(&path, System::Windows), System::Windows), Some(path));
        }
    }
}
