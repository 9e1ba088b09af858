//! Object ids and paths in a repository: bytes of any kind, as text where text is needed. Decides
//! which paths may be written on any system. Knows no repository.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::path::{Path, PathBuf};
use unicode_normalization::UnicodeNormalization;

/// The id of a git object, SHA-1 or SHA-256, in lower-case hexadecimal digits.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId(String);

impl ObjectId {
    /// `None` if it is not an id.
    pub fn parse(text: &str) -> Option<Self> {
        let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let fits = matches!(text.len(), 40 | 64) && text.bytes().all(is_hex);
        fits.then(|| Self(text.to_owned()))
    }

    pub(crate) fn parse_bytes(bytes: &[u8]) -> Option<Self> {
        Self::parse(std::str::from_utf8(bytes).ok()?)
    }

    pub(crate) fn from_raw(raw: &[u8]) -> Self {
        Self(raw.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn is_null(&self) -> bool {
        self.0.bytes().all(|byte| byte == b'0')
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for ObjectId {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for ObjectId {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("not an object id"))
    }
}

/// A path in a repository: bytes of any kind, with `/` between components. In JSON, and shown to
/// people, `%` and every byte that is not printable UTF-8 is written `%XX`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RepoPath(Vec<u8>);

impl RepoPath {
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub fn components(&self) -> impl Iterator<Item = &[u8]> {
        self.0.split(|byte| *byte == b'/')
    }

    pub fn file_name(&self) -> &[u8] {
        self.components().last().unwrap_or_default()
    }

    /// The directories that the path lies in, outermost first.
    pub(crate) fn parents(&self) -> Vec<Self> {
        let ends = self.0.iter().enumerate().filter(|(_, byte)| **byte == b'/');
        ends.map(|(at, _)| Self::new(&self.0[..at])).collect()
    }

    /// `None` if this system cannot have a file of that name.
    pub fn below(&self, root: &Path) -> Option<PathBuf> {
        Some(root.join(to_path(&self.0)?))
    }

    /// The inverse of `Display`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = Vec::with_capacity(text.len());
        let mut rest = text.as_bytes();
        while let Some((first, tail)) = rest.split_first() {
            rest = tail;
            if *first != b'%' {
                bytes.push(*first);
                continue;
            }
            let digits = std::str::from_utf8(rest.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &rest[2..];
        }
        Some(Self(bytes))
    }
}

#[cfg(unix)]
fn to_path(bytes: &[u8]) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStrExt;
    Some(PathBuf::from(std::ffi::OsStr::from_bytes(bytes)))
}

#[cfg(not(unix))]
fn to_path(bytes: &[u8]) -> Option<PathBuf> {
    std::str::from_utf8(bytes).ok().map(PathBuf::from)
}

#[cfg(unix)]
pub(crate) fn path_bytes(path: &Path) -> Vec<u8> {
    use std::os::unix::ffi::OsStrExt;
    path.as_os_str().as_bytes().to_vec()
}

#[cfg(not(unix))]
pub(crate) fn path_bytes(path: &Path) -> Vec<u8> {
    path.to_string_lossy().replace('\\', "/").into_bytes()
}

impl fmt::Display for RepoPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for letter in chunk.valid().chars() {
                match letter == '%' || letter.is_control() {
                    true => {
                        let mut bytes = [0; 4];
                        for byte in letter.encode_utf8(&mut bytes).bytes() {
                            write!(f, "%{byte:02X}")?;
                        }
                    }
                    false => write!(f, "{letter}")?,
                }
            }
            for byte in chunk.invalid() {
                write!(f, "%{byte:02X}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for RepoPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Serialize for RepoPath {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RepoPath {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("not a path"))
    }
}

/// The longest path, and the most directories in it.
const LONGEST: usize = 4096;
const DEEPEST: usize = 128;

/// Why a path from elsewhere must not be written, on whatever system; `None` if it may be.
pub(crate) fn unsafe_path(path: &RepoPath) -> Option<&'static str> {
    if path.as_bytes().is_empty() || LONGEST < path.as_bytes().len() {
        return Some("its path is empty or too long");
    }
    if DEEPEST < path.components().count() {
        return Some("its path is too deep");
    }
    path.components().find_map(unsafe_component)
}

fn unsafe_component(name: &[u8]) -> Option<&'static str> {
    if name.is_empty() || name == b"." || name == b".." || name.contains(&0) {
        return Some("its path leads elsewhere");
    }
    if is_dot_git(name) {
        return Some("it lies in the directory of git");
    }
    if cfg!(windows) {
        return unsafe_on_windows(name);
    }
    None
}

/// `.git` in any letter case, with characters that HFS+ ignores, or as NTFS reads it: its short
/// names, trailing dots and spaces, streams, and after a backslash.
fn is_dot_git(name: &[u8]) -> bool {
    let text: String = String::from_utf8_lossy(name)
        .nfkc()
        .filter(|letter| !is_ignored_by_hfs(*letter))
        .flat_map(char::to_lowercase)
        .collect();
    text.split('\\').any(|part| {
        let part = part.split(':').next().unwrap_or(part);
        let part = part.trim_end_matches(['.', ' ']);
        part == ".git" || is_short_git(part)
    })
}

fn is_short_git(part: &str) -> bool {
    let number = part
        .strip_prefix("git~")
        .or_else(|| part.strip_prefix(".git~"));
    number.is_some_and(|number| {
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

fn is_ignored_by_hfs(letter: char) -> bool {
    matches!(letter, '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{206a}'..='\u{206f}' | '\u{feff}')
}

fn unsafe_on_windows(name: &[u8]) -> Option<&'static str> {
    let Ok(text) = std::str::from_utf8(name) else {
        return Some("its name is not valid on this system");
    };
    let stem = text.split('.').next().unwrap_or(text).trim_end();
    let stem = stem.to_ascii_lowercase();
    let device = ["con", "prn", "aux", "nul", "conin$", "conout$"].contains(&&*stem)
        || (stem.len() == 4
            && (stem.starts_with("com") || stem.starts_with("lpt"))
            && stem.ends_with(|digit: char| digit.is_ascii_digit()));
    let odd = text.contains(['\\', ':', '*', '?', '"', '<', '>', '|'])
        || text.chars().any(char::is_control)
        || text.ends_with(['.', ' ']);
    (device || odd).then_some("its name is not valid on this system")
}

/// The name by which a file system that ignores case and forms of Unicode finds a path.
pub(crate) fn folded(path: &RepoPath) -> String {
    folded_name(&String::from_utf8_lossy(path.as_bytes()))
}

pub(crate) fn folded_name(name: &str) -> String {
    if name.is_ascii() {
        return name.to_ascii_lowercase();
    }
    // By way of the capital letters: `ß` is `ss` then, and the two forms of `σ` are one.
    name.nfd()
        .filter(|letter| !is_ignored_by_hfs(*letter))
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase)
        .collect()
}

/// Whether a link at `path` leads out of the tree, into the directory of git, or to a place that
/// only one system knows.
pub(crate) fn leads_out(path: &RepoPath, target: &[u8]) -> bool {
    let text = String::from_utf8_lossy(target).replace('\\', "/");
    if text.is_empty() || text.starts_with('/') || text.contains('\0') {
        return true;
    }
    if text.as_bytes().get(1) == Some(&b':') {
        return true;
    }
    // `..` only at the beginning: after the name of another link it would lead from where that link
    // leads, which no comparison of names shows.
    let mut depth = path.components().count() - 1;
    let mut has_descended = false;
    for part in text.split('/') {
        match part {
            "" | "." => {}
            ".." if has_descended || depth == 0 => return true,
            ".." => depth -= 1,
            part if is_dot_git(part.as_bytes()) => return true,
            _ => has_descended = true,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_any_bytes_come_back_from_text() {
        for bytes in [&b"a/b"[..], b"\xff\xfe%41", "ä\n".as_bytes(), b"%", b"a\tb"] {
            let path = RepoPath::new(bytes);
            assert_eq!(RepoPath::parse(&path.to_string()), Some(path));
        }
        assert_eq!(RepoPath::parse("%4"), None);
    }

    #[test]
    fn the_directory_of_git_is_known_in_every_disguise() {
        let disguises = [
            ".git",
            "a/.GIT/hooks/x",
            ".g\u{200c}it/config",
            "git~1/x",
            ".git. ./x",
            ".git::$INDEX_ALLOCATION/x",
            "a/.git\\hooks",
            "x\\.git",
            "..",
            "a/../b",
            "/a",
            "a//b",
            "\u{ff0e}git/config",
        ];
        for path in disguises {
            assert!(unsafe_path(&RepoPath::new(path)).is_some(), "{path}");
        }
        for path in [
            ".github/x",
            ".gitignore",
            "git",
            "a.git/x",
            "git~x",
            ".gitmodules",
        ] {
            assert_eq!(unsafe_path(&RepoPath::new(path)), None, "{path}");
        }
    }

    #[test]
    fn links_that_lead_out_are_known() {
        let path = RepoPath::new("a/b/link");
        for target in [
            "/etc",
            "../../../x",
            "c:/x",
            "../../.git/hooks",
            "..\\..\\..\\x",
            "a/../../../../x",
            "c/../d",
        ] {
            assert!(leads_out(&path, target.as_bytes()), "{target}");
        }
        for target in ["x", "../x", "../../x", "./../b/./c"] {
            assert!(!leads_out(&path, target.as_bytes()), "{target}");
        }
    }

    #[test]
    fn names_that_a_disk_without_letter_case_takes_for_one_are_folded_alike() {
        let folded = |name: &str| folded(&RepoPath::new(name));
        for (one, other) in [
            ("README.md", "readme.MD"),
            ("\u{e9}", "E\u{301}"),
            ("stra\u{df}e", "STRASSE"),
            ("\u{3c3}", "\u{3c2}"),
            ("a\u{200c}b", "ab"),
        ] {
            assert_eq!(folded(one), folded(other));
        }
        assert_ne!(folded("a"), folded("\u{e4}"));
    }

    #[test]
    fn names_of_windows_devices_are_not_valid_there() {
        for name in ["CON", "nul.txt", "com1", "a:b", "a.", "a\\b"] {
            assert!(unsafe_on_windows(name.as_bytes()).is_some(), "{name}");
        }
        assert_eq!(unsafe_on_windows(b"console.rs"), None);
    }
}
