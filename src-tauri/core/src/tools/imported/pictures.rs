//! The pictures of an export, in its directory or its archive, as `data:` addresses. Only what begins like a
//! picture is taken, whatever its name says.

use super::below::{Below, base, below};
use super::is_id;
use super::keeping::spend;
use super::members::{Members, value};
use crate::opener;
use serde_json::Value;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

/// The member of a message part that has the address of a picture. The last path segment is the picture's name.
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

/// Where each file is, by its name without directories.
pub(super) struct Names(BTreeMap<String, String>);

impl Names {
    /// Of several files with one name, the first one counts.
    pub(super) fn of<'a>(paths: impl Iterator<Item = &'a str>) -> Self {
        let mut names = BTreeMap::new();
        for path in paths {
            names
                .entry(base(path).to_owned())
                .or_insert_with(|| path.to_owned());
        }
        Self(names)
    }

    /// The path of a picture: `file-abc` is in `file-abc`, `file-abc.png` or `file-abc-holiday.png`.
    fn find(&self, name: &str) -> Option<&str> {
        let longer = ["-", ".", "_"].map(|next| format!("{name}{next}"));
        let mut longer = longer.into_iter().filter_map(|start| {
            let (file, path) = self.0.range(start.clone()..).next()?;
            file.starts_with(&start).then_some(path)
        });
        let path = self.0.get(name).or_else(|| longer.next());
        path.map(String::as_str)
    }
}

/// Pictures below a directory.
pub(super) struct Beside {
    dir: PathBuf,
    /// `None`: not looked at so far. Few lists of conversations have pictures.
    names: Option<Names>,
}

impl Beside {
    pub(super) fn at(dir: &Path) -> Self {
        Self {
            dir: dir.to_path_buf(),
            names: None,
        }
    }

    /// With what is known to be below the directory.
    pub(super) fn of(dir: &Path, found: &Below) -> Self {
        Self {
            names: Some(Names::of(paths(found))),
            ..Self::at(dir)
        }
    }
}

fn paths(found: &Below) -> impl Iterator<Item = &str> {
    found.files.iter().map(|(path, _)| path.as_str())
}

impl Pictures for Beside {
    fn read(&mut self, name: &str) -> Option<Vec<u8>> {
        let names = self.names.get_or_insert_with(|| {
            // A directory that cannot be listed has no pictures.
            let found = below(&self.dir).unwrap_or_default();
            Names::of(paths(&found))
        });
        let file = opener::file_below(&self.dir, names.find(name)?).ok()?;
        opener::all_of(&file, LARGEST_PICTURE).ok()
    }
}

/// Pictures in an archive.
pub(super) struct Inside<'a> {
    pub(super) archive: &'a mut zip::ZipArchive<BufReader<File>>,
    pub(super) names: Names,
}

impl Pictures for Inside<'_> {
    fn read(&mut self, name: &str) -> Option<Vec<u8>> {
        let entry = self.archive.by_name(self.names.find(name)?).ok()?;
        let mut bytes = Vec::new();
        entry
            .take(LARGEST_PICTURE + 1)
            .read_to_end(&mut bytes)
            .ok()?;
        (bytes.len() as u64 <= LARGEST_PICTURE).then_some(bytes)
    }
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

/// The pictures that a conversation names, as `data:` addresses, as far as `left` bytes may be unpacked.
pub(super) fn files(
    conversation: &Members,
    pictures: &mut dyn Pictures,
    left: &Cell<u64>,
) -> BTreeMap<String, String> {
    let (mut found, mut of_conversation) = (BTreeMap::new(), LARGEST);
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
            let Some(picture) = picture else {
                continue;
            };
            let len = picture.len() as u64;
            // One picture may be in any number of conversations.
            if len <= of_conversation && spend(left, len).is_ok() {
                of_conversation -= len;
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
