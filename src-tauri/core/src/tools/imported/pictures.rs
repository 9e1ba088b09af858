//! The pictures of an export, in its directory or its archive, as `data:` addresses. Only what begins like a
//! picture is taken, whatever its name says.

use super::is_id;
use super::members::{Members, value};
use super::progress::MOST_NAMES;
use crate::opener;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

/// The field of a message's part with a picture's address, whose last part is its name.
const POINTER: &str = "asset_pointer";
/// The bytes of all pictures of one conversation.
const LARGEST: u64 = 64 << 20;
/// The bytes of one picture.
const LARGEST_PICTURE: u64 = 16 << 20;

/// Finds the pictures of an export.
pub(super) trait Pictures {
    /// The bytes of the picture whose file's name begins with `name`.
    fn read(&mut self, name: &str) -> Option<Vec<u8>>;
}

/// Pictures in a directory.
pub(super) struct Beside {
    dir: PathBuf,
    pub(super) names: Vec<String>,
}

impl Beside {
    pub(super) fn at(dir: &Path) -> Self {
        let entries = fs::read_dir(dir).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        Self {
            dir: dir.to_path_buf(),
            names: names.take(MOST_NAMES).collect(),
        }
    }
}

impl Pictures for Beside {
    fn read(&mut self, name: &str) -> Option<Vec<u8>> {
        let file = self.names.iter().find(|file| is_of(file, name))?;
        opener::read(&self.dir.join(file), LARGEST_PICTURE).ok()
    }
}

/// Pictures in an archive.
pub(super) struct Inside<'a> {
    pub(super) archive: &'a mut zip::ZipArchive<BufReader<File>>,
    pub(super) names: Vec<String>,
}

impl Pictures for Inside<'_> {
    fn read(&mut self, name: &str) -> Option<Vec<u8>> {
        let path = self.names.iter().find(|path| is_of(base(path), name))?;
        let entry = self.archive.by_name(path).ok()?;
        let mut bytes = Vec::new();
        entry
            .take(LARGEST_PICTURE + 1)
            .read_to_end(&mut bytes)
            .ok()?;
        (bytes.len() as u64 <= LARGEST_PICTURE).then_some(bytes)
    }
}

/// The last part of a path in an archive.
pub(super) fn base(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// `file-abc` is in `file-abc`, `file-abc.png` and `file-abc-holiday.png`.
fn is_of(file: &str, name: &str) -> bool {
    let rest = file.strip_prefix(name);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '.', '_']))
}

/// The media type of a picture that may be shown, by its first bytes.
fn media_type(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0x89, b'P', b'N', b'G', ..] => Some("image/png"),
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [b'G', b'I', b'F', b'8', ..] => Some("image/gif"),
        [
            b'R',
            b'I',
            b'F',
            b'F',
            _,
            _,
            _,
            _,
            b'W',
            b'E',
            b'B',
            b'P',
            ..,
        ] => Some("image/webp"),
        _ => None,
    }
}

/// The pictures that a conversation names, as `data:` addresses.
pub(super) fn files(
    conversation: &Members,
    pictures: &mut dyn Pictures,
) -> BTreeMap<String, String> {
    let (mut found, mut left) = (BTreeMap::new(), LARGEST);
    let nodes = conversation.object("mapping").unwrap_or_default();
    // One message at a time: a whole conversation may have more values than are held.
    for (_, node) in nodes
        .iter()
        .filter(|(_, node)| node.get().contains(POINTER))
    {
        for name in names_in(&value(node)) {
            if found.contains_key(&name) {
                continue;
            }
            let picture = pictures.read(&name).and_then(|bytes| address(&bytes));
            if let Some(picture) = picture.filter(|picture| picture.len() as u64 <= left) {
                left -= picture.len() as u64;
                found.insert(name, picture);
            }
        }
    }
    found
}

/// A picture as a `data:` address.
fn address(bytes: &[u8]) -> Option<String> {
    let media = media_type(bytes)?;
    let data = data_encoding::BASE64.encode(bytes);
    Some(format!("data:{media};base64,{data}"))
}

/// The names of the pictures in a message.
fn names_in(message: &Value) -> Vec<String> {
    let (mut names, mut open) = (Vec::new(), vec![message]);
    while let Some(value) = open.pop() {
        match value {
            Value::Array(values) => open.extend(values),
            Value::Object(fields) => {
                let name = fields.get(POINTER).and_then(Value::as_str).map(base);
                names.extend(name.filter(|name| is_id(name)).map(str::to_owned));
                open.extend(fields.values());
            }
            _ => {}
        }
    }
    names
}
