//! Where the chats lie, and in which state: by name and stat alone.

use super::reading::SIDECAR;
use crate::adapter::{Machine, Stamp};
use crate::formats::files;
use crate::formats::vscode::System;
use crate::session::Millis;
use data_encoding::HEXLOWER;
use md5::{Digest, Md5};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

pub const STORE: &str = "store.db";

/// One chat in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chat {
    pub id: String,
    /// The directory between `chats` and the chat's: what a project is called there.
    pub bucket: String,
    /// The database.
    pub store: PathBuf,
    pub stamp: Stamp,
}

/// The directory `chats`: `$CURSOR_CONFIG_DIR`, else `$XDG_CONFIG_HOME/cursor`, else `~/.cursor` (Cursor's command line
/// 2026.09.26, read in public descriptions 2026-11-29).
pub fn chats_dir(machine: &Machine) -> PathBuf {
    let config = machine
        .var("CURSOR_CONFIG_DIR")
        .map(|dir| PathBuf::from(dir.trim()));
    let xdg = machine
        .var("XDG_CONFIG_HOME")
        .map(|dir| Path::new(dir.trim()).join("cursor"));
    let config = config.filter(|dir| dir.is_absolute());
    let xdg = xdg.filter(|dir| dir.is_absolute());
    config
        .or(xdg)
        .unwrap_or_else(|| machine.home.join(".cursor"))
        .join("chats")
}

/// The chats below `root`, by name and stat.
pub fn list(root: &Path) -> Vec<Chat> {
    let buckets = buckets(root).into_iter();
    buckets.flat_map(|bucket| chats_in(root, bucket)).collect()
}

/// The chat with this id. Looks into every project's directory, not at every chat.
pub fn find(root: &Path, id: &str) -> Option<Chat> {
    if !is_id(id) {
        return None;
    }
    buckets(root)
        .into_iter()
        .find_map(|bucket| chat_at(root, &bucket, id.to_owned()))
}

/// The id of the chat to which a changed path belongs; `None` for any other path.
pub fn chat_of(root: &Path, path: &Path) -> Option<String> {
    match files::names_below(root, path)?.as_slice() {
        [bucket, id, _] | [bucket, id] if is_bucket(bucket) && is_id(id) => Some(id.clone()),
        _ => None,
    }
}

fn buckets(root: &Path) -> Vec<String> {
    let dirs = files::names_in(root, |kind| kind.is_dir() || kind.is_symlink());
    let is_one = |name: &String| is_bucket(name) && files::is_own_dir(root, &root.join(name));
    dirs.into_iter().filter(is_one).collect()
}

fn chats_in(root: &Path, bucket: String) -> impl Iterator<Item = Chat> {
    let names = files::names_in(&root.join(&bucket), fs::FileType::is_dir).into_iter();
    names
        .filter(|name| is_id(name))
        .filter_map(move |id| chat_at(root, &bucket, id))
}

fn chat_at(root: &Path, bucket: &str, id: String) -> Option<Chat> {
    let store = root.join(bucket).join(&id).join(STORE);
    let stamp = stamp(&store).ok()?;
    let bucket = bucket.to_owned();
    Some(Chat {
        id,
        bucket,
        store,
        stamp,
    })
}

pub fn is_bucket(name: &str) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f');
    name.len() == 32 && name.bytes().all(is_digit)
}

/// Ids become names of directories and arguments on a command line: nothing else may pass as one.
pub fn is_id(id: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=100).contains(&id.len()) && id.bytes().all(plain) && !id.starts_with('-')
}

/// Changes with the database, its log and `meta.json`, and differs from the stamp of each.
pub fn stamp(store: &Path) -> io::Result<Stamp> {
    let own = Stamp::of(store)?;
    // Reading the database leaves an empty log, and gives an existing one a new change time if root reads.
    let log = Stamp::of(&store.with_file_name("store.db-wal")).ok();
    let log = log.filter(|stamp| stamp.len != 0).map(|stamp| Stamp {
        ctime_ns: 0,
        ..stamp
    });
    let all = [
        Some(own),
        log,
        Stamp::of(&store.with_file_name(SIDECAR)).ok(),
    ];
    let there = all.iter().flatten();
    let len = there.clone().map(|stamp| stamp.len).sum();
    Ok(Stamp {
        mtime_ns: there.map(|stamp| stamp.mtime_ns).max().unwrap_or(0),
        inode: own.inode,
        ..Stamp::made(len, Millis(0), format!("{all:?}").as_bytes())
    })
}

/// The name of a project's directory: MD5 of its path, as Node's `path.resolve` spells it on that system.
pub fn bucket_of(cwd: &str, system: System) -> String {
    HEXLOWER.encode(&Md5::digest(resolved(cwd, system).as_bytes()))
}

/// The directory in which this device keeps the chats of `cwd`, else the one that Cursor would make. Cursor takes the
/// working directory of its process, in which links are resolved; a drive's letter has both cases.
pub fn bucket_for(root: &Path, cwd: &Path) -> String {
    let known = spellings(cwd).map(|path| bucket_of(&path, System::HERE));
    known
        .iter()
        .find(|bucket| root.join(bucket).is_dir())
        .unwrap_or(&known[0])
        .clone()
}

/// Whether chats of this directory lie in this bucket.
pub fn is_bucket_of(bucket: &str, cwd: &Path) -> bool {
    spellings(cwd)
        .iter()
        .any(|path| bucket_of(path, System::HERE) == bucket)
}

/// The path with its links resolved, as a process in that directory sees it.
pub fn physical(cwd: &Path) -> String {
    let real = fs::canonicalize(cwd).unwrap_or_else(|_| cwd.to_path_buf());
    let real = real.to_string_lossy();
    match real.strip_prefix("\\\\?\\UNC\\") {
        Some(rest) => format!("\\\\{rest}"),
        None => real.strip_prefix("\\\\?\\").unwrap_or(&real).to_owned(),
    }
}

fn spellings(cwd: &Path) -> [String; 3] {
    let (real, given) = (physical(cwd), cwd.to_string_lossy().into_owned());
    let other = match real.as_bytes() {
        [drive, b':', ..] if drive.is_ascii_uppercase() => {
            format!("{}{}", real[..1].to_ascii_lowercase(), &real[1..])
        }
        [_, b':', ..] => format!("{}{}", real[..1].to_ascii_uppercase(), &real[1..]),
        _ => given.clone(),
    };
    [real, given, other]
}

/// An absolute path as Node's `path.resolve` spells it.
fn resolved(path: &str, system: System) -> String {
    let windows = system == System::Windows;
    let is_separator = |c: char| c == '/' || (windows && c == '\\');
    let (root, rest) = match path.as_bytes() {
        [_, b':', ..] if windows => (format!("{}\\", &path[..2]), &path[2..]),
        _ if windows && (path.starts_with("\\\\") || path.starts_with("//")) => {
            let mut parts = path[2..].splitn(3, is_separator);
            let mut part = || parts.next().unwrap_or_default();
            (
                format!("\\\\{}\\{}\\", part(), part()),
                parts.next().unwrap_or_default(),
            )
        }
        _ => ("/".to_owned(), path),
    };
    let mut names: Vec<&str> = Vec::new();
    for name in rest.split(is_separator) {
        match name {
            "" | "." => {}
            ".." => drop(names.pop()),
            name => names.push(name),
        }
    }
    format!("{root}{}", names.join(if windows { "\\" } else { "/" }))
}
