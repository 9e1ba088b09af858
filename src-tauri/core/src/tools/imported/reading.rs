//! Reads what a service exported: a zip, a `conversations.json`, or a directory with one. Each
//! conversation becomes a file of its own, or adds to the one that an earlier export made.
//!
//! An export may be anything: conversations are read one at a time, each up to a limit, and one
//! that cannot be read does not stop the others.

use super::{Conversation, dir, is_id};
use crate::opener;
use crate::tools::{chatgpt, claude_ai};
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek, Write};
use std::path::{Path, PathBuf};

/// The bytes of one conversation, and of its pictures.
const LARGEST: u64 = 64 << 20;
/// The bytes of one picture.
const LARGEST_PICTURE: u64 = 16 << 20;
/// The names in an archive or a directory that are looked at.
const MOST_NAMES: usize = 200_000;

/// What an import did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Imported {
    /// How many conversations are new, by the tool's id.
    pub new: BTreeMap<String, u64>,
    /// How many got more messages.
    pub grown: BTreeMap<String, u64>,
    /// How many were there already.
    pub known: BTreeMap<String, u64>,
    /// Why conversations were left out.
    pub left_out: Vec<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error("{} cannot be read", .path.display())]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{} is no zip archive that can be read", .path.display())]
    Zip {
        path: PathBuf,
        #[source]
        source: zip::result::ZipError,
    },
    #[error("{} has no conversations.json", .0.display())]
    NoConversations(PathBuf),
    #[error("{what} is no list of conversations: {why}")]
    Shape { what: String, why: String },
}

/// Imports an export into session-roam's directory `data`. Calls `progress` with the number
/// of conversations read so far.
pub fn import(
    path: &Path,
    data: &Path,
    progress: &mut dyn FnMut(u64),
) -> Result<Imported, ImportError> {
    let failed = |source| ImportError::Io {
        path: path.to_path_buf(),
        source,
    };
    let mut import = Import {
        data,
        done: Imported::default(),
        n_read: 0,
        progress,
    };
    // The user named it, so a link is followed, once.
    let path = &fs::canonicalize(path).map_err(failed)?;
    if path.is_dir() {
        import.directory(path)?;
        return Ok(import.done);
    }
    let mut file = opener::file(path).map_err(failed)?;
    let mut start = [0; 4];
    let n_read = file.read(&mut start).map_err(failed)?;
    file.rewind().map_err(failed)?;
    if start[..n_read].starts_with(b"PK") {
        import.archive(path, file)?;
    } else {
        let mut pictures = Beside::at(path.parent().unwrap_or(Path::new("")));
        import.list(&path.display().to_string(), file, &mut pictures)?;
    }
    Ok(import.done)
}

/// `conversations.json`, or one of several: `conversations-003.json`.
fn is_list(name: &str) -> bool {
    let stem = name
        .strip_suffix(".json")
        .and_then(|name| name.strip_prefix("conversations"));
    stem.is_some_and(|rest| {
        let number = rest.strip_prefix(['-', '_']).unwrap_or(rest);
        number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// Finds the pictures of an export.
trait Pictures {
    /// The bytes of the picture whose file's name begins with `name`.
    fn read(&mut self, name: &str) -> Option<Vec<u8>>;
}

/// Pictures in a directory.
struct Beside {
    dir: PathBuf,
    names: Vec<String>,
}

impl Beside {
    fn at(dir: &Path) -> Self {
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
struct Inside<'a> {
    archive: &'a mut zip::ZipArchive<BufReader<File>>,
    names: Vec<String>,
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
fn base(path: &str) -> &str {
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

struct Import<'a> {
    data: &'a Path,
    done: Imported,
    n_read: u64,
    progress: &'a mut dyn FnMut(u64),
}

impl Import<'_> {
    fn directory(&mut self, path: &Path) -> Result<(), ImportError> {
        let failed = |source| ImportError::Io {
            path: path.to_path_buf(),
            source,
        };
        fs::read_dir(path).map_err(failed)?;
        let mut pictures = Beside::at(path);
        let lists = pictures.names.iter().filter(|name| is_list(name));
        let mut lists: Vec<String> = lists.cloned().collect();
        lists.sort();
        if lists.is_empty() {
            return Err(ImportError::NoConversations(path.to_path_buf()));
        }
        for name in lists {
            let file = path.join(&name);
            let opened = opener::file(&file).map_err(failed)?;
            self.list(&file.display().to_string(), opened, &mut pictures)?;
        }
        Ok(())
    }

    fn archive(&mut self, path: &Path, file: File) -> Result<(), ImportError> {
        let failed = |source| ImportError::Zip {
            path: path.to_path_buf(),
            source,
        };
        let mut lists = zip::ZipArchive::new(BufReader::new(file)).map_err(failed)?;
        let names = lists.file_names().take(MOST_NAMES).flatten();
        let names: Vec<String> = names.map(std::borrow::Cow::into_owned).collect();
        let mut found: Vec<&String> = names.iter().filter(|name| is_list(base(name))).collect();
        found.sort();
        if found.is_empty() {
            return Err(ImportError::NoConversations(path.to_path_buf()));
        }
        // Pictures are read while a list is open: a second reader has a place of its own.
        let beside = opener::file(path).map_err(|source| ImportError::Io {
            path: path.to_path_buf(),
            source,
        })?;
        let mut archive = zip::ZipArchive::new(BufReader::new(beside)).map_err(failed)?;
        let mut pictures = Inside {
            archive: &mut archive,
            names: names.clone(),
        };
        for name in found {
            let entry = lists.by_name(name).map_err(failed)?;
            self.list(
                &format!("{name} in {}", path.display()),
                entry,
                &mut pictures,
            )?;
        }
        Ok(())
    }

    /// Reads a list of conversations, one at a time.
    fn list(
        &mut self,
        what: &str,
        source: impl Read,
        pictures: &mut dyn Pictures,
    ) -> Result<(), ImportError> {
        let left = Cell::new(LARGEST);
        let source = BufReader::new(Bounded {
            source,
            left: &left,
        });
        let mut reader = serde_json::Deserializer::from_reader(source);
        let each = Each {
            left: &left,
            each: &mut |conversation| self.take(&conversation, pictures),
        };
        reader
            .deserialize_seq(each)
            .map_err(|error| ImportError::Shape {
                what: what.to_owned(),
                why: error.to_string(),
            })
    }

    fn take(&mut self, raw: &RawValue, pictures: &mut dyn Pictures) {
        self.n_read += 1;
        (self.progress)(self.n_read);
        let value: Value = serde_json::from_str(raw.get()).unwrap_or_default();
        if let Err(why) = self.keep(raw, &value, pictures) {
            let name = ["title", "name"]
                .iter()
                .find_map(|name| value.get(*name)?.as_str());
            let name = name.unwrap_or("a conversation without a title");
            self.done.left_out.push(format!("{name}: {why}"));
        }
    }

    fn keep(
        &mut self,
        raw: &RawValue,
        value: &Value,
        pictures: &mut dyn Pictures,
    ) -> Result<(), String> {
        let text = |name: &str| value.get(name).and_then(Value::as_str);
        let (tool, id, joined): (_, _, crate::adapter::Union) = match value {
            _ if value.get("mapping").is_some_and(Value::is_object) => {
                let id = text("conversation_id").or_else(|| text("id"));
                (chatgpt::ID, id, chatgpt::joined)
            }
            _ if value.get("chat_messages").is_some_and(Value::is_array) => {
                (claude_ai::ID, text("uuid"), claude_ai::joined)
            }
            _ => return Err("it is of no known service".into()),
        };
        let id = id
            .filter(|id| is_id(id))
            .ok_or("it has no id that can be used")?;
        let new = Conversation {
            conversation: raw.to_owned(),
            files: files(value, pictures),
        };
        let (new, dir) = (new.render(), dir(self.data, tool));
        let file = dir.join(format!("{id}.json"));
        let (bytes, counted) = match opener::read(&file, opener::MOST) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => (new, &mut self.done.new),
            Err(error) => return Err(format!("{} cannot be read: {error}", file.display())),
            Ok(old) if old == new => (old, &mut self.done.known),
            Ok(old) => {
                let both = joined(&old, &new).ok_or("it does not fit what was imported before")?;
                match both == old {
                    true => (old, &mut self.done.known),
                    false => (both, &mut self.done.grown),
                }
            }
        };
        *counted.entry(tool.to_owned()).or_default() += 1;
        write(&dir, &file, &bytes).map_err(|error| format!("{}: {error}", file.display()))
    }
}

/// The pictures that a conversation names, as `data:` addresses.
fn files(conversation: &Value, pictures: &mut dyn Pictures) -> BTreeMap<String, String> {
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

/// Writes a file so that it is there whole or as it was.
fn write(dir: &Path, file: &Path, bytes: &[u8]) -> io::Result<()> {
    if opener::read(file, opener::MOST).is_ok_and(|there| there == bytes) {
        return Ok(());
    }
    fs::create_dir_all(dir)?;
    let mut new = tempfile::Builder::new()
        .prefix(".roam-")
        .suffix(".tmp")
        .tempfile_in(dir)?;
    new.write_all(bytes)?;
    new.as_file().sync_all()?;
    new.persist(file).map_err(|error| error.error)?;
    Ok(())
}

/// Ends with an error where one conversation is too long.
struct Bounded<'a, R> {
    source: R,
    left: &'a Cell<u64>,
}

impl<R: Read> Read for Bounded<'_, R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let n_read = self.source.read(out)?;
        match self.left.get().checked_sub(n_read as u64) {
            Some(left) => self.left.set(left),
            None => return Err(io::Error::other("a conversation is too large")),
        }
        Ok(n_read)
    }
}

/// The elements of a list, each given away before the next is read.
struct Each<'a> {
    left: &'a Cell<u64>,
    each: &'a mut dyn FnMut(Box<RawValue>),
}

impl<'de> Visitor<'de> for Each<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of conversations")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(conversation) = list.next_element::<Box<RawValue>>()? {
            self.left.set(LARGEST);
            (self.each)(conversation);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
