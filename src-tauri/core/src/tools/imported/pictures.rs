//! The pictures of an export, in its directory or its archive, as `data:` addresses. Only what begins like a
//! picture is taken, whatever its name says.

use super::is_id;
use super::progress::MOST_NAMES;
use crate::opener;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

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
pub(super) fn files(conversation: &Value, pictures: &mut dyn Pictures) -> BTreeMap<String, String> {
    let (mut found, mut left) = (BTreeMap::new(), LARGEST);
    let mut open = vec![conversation];
    while let Some(value) = open.pop() {
        match value {
            Value::Array(values) => open.extend(values),
            Value::Object(fields) => {
                let name = fields.get("asset_pointer").and_then(Value::as_str);
                let name = name.map(base);
                if let Some(name) = name.filter(|name| is_id(name) && !found.contains_key(*name)) {
                    let picture = pictures.read(name).and_then(|bytes| {
                        let media = media_type(&bytes)?;
                        let data = data_encoding::BASE64.encode(&bytes);
                        Some(format!("data:{media};base64,{data}"))
                    });
                    let fits = picture.filter(|picture| picture.len() as u64 <= left);
                    if let Some(picture) = fits {
                        left -= picture.len() as u64;
                        found.insert(name.to_owned(), picture);
                    }
                }
                open.extend(fields.values());
            }
            _ => {}
        }
    }
    found
}
