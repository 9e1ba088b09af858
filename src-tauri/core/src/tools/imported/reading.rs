//! Imports what the user names: an export of a service (a zip, a `conversations.json`, or a directory with one), or
//! transcripts in Markdown. Each conversation becomes a file of its own, or adds to the one that an earlier import
//! made.
//!
//! An export may be anything: conversations are read one at a time, each up to a limit, and one that cannot be read
//! does not stop the others.

use super::documents::is_document;
use super::keeping::{Import, IsHere, New};
use super::members::Members;
use super::pictures::{Beside, Inside, Pictures, base, files};
use super::progress::{ImportError, Imported, MOST_NAMES, Progress};
use super::{Conversation, Service};
use crate::held_lock::HeldLock;
use crate::open::{self, OpenSession};
use crate::opener;
use crate::session::problem::with_causes;
use crate::session::{SessionId, ToolId, harmless_line};
use crate::tools::{chatgpt, claude_ai, open_format};
use serde::Deserializer;
use serde::de::{SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;
use std::cell::Cell;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Seek};
use std::path::{Path, PathBuf};

/// The bytes of one conversation.
const LARGEST: u64 = 64 << 20;
/// The bytes of all that is unpacked in one import: what the largest accounts have, many times over.
const MOST_BYTES: u64 = 64 << 30;
/// The bytes of a header of the open format.
const LONGEST_HEADER: u64 = 4 << 20;
/// Held by the import that runs; a second one would not see what the first one writes.
const LOCK: &str = "import.lock";
/// What some editors put before a text: the byte order mark in UTF-8.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// Imports files and directories into session-roam's directory `data`. One that cannot be read does not stop the
/// others; an error is returned if it is the only one. `is_here` says whether a session is on this device itself.
pub fn import(
    paths: &[PathBuf],
    data: &Path,
    progress: &Progress,
    is_here: &IsHere<'_>,
) -> Result<Imported, ImportError> {
    let _lock = lock(data)?;
    let mut import = Import {
        data,
        is_here,
        done: Imported::default(),
        progress,
    };
    for path in paths {
        let imported = import.path(path);
        if progress.is_cancelled() {
            import.done.is_cancelled = true;
            break;
        }
        match imported {
            Ok(()) => {}
            Err(error) if paths.len() == 1 => return Err(error),
            Err(error) => {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                import.leave_out(name, with_causes(&error));
            }
        }
    }
    Ok(import.done)
}

fn lock(data: &Path) -> Result<HeldLock, ImportError> {
    let dir = data.join("imported");
    let path = dir.join(LOCK);
    let failed = |source| ImportError::Data {
        path: path.clone(),
        source,
    };
    fs::create_dir_all(&dir).map_err(failed)?;
    HeldLock::try_hold(&path).map_err(|error| match error {
        fs::TryLockError::WouldBlock => ImportError::Running,
        fs::TryLockError::Error(source) => failed(source),
    })
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

/// Whether a file begins with a header of the open format. Afterwards it is read from its start.
fn is_open_format(file: &mut File) -> io::Result<bool> {
    let mut line = Vec::new();
    let mut source = BufReader::new(&mut *file).take(LONGEST_HEADER);
    source.read_until(b'\n', &mut line)?;
    file.rewind()?;
    Ok(open::is_header(&line))
}

impl Import<'_> {
    fn path(&mut self, path: &Path) -> Result<(), ImportError> {
        let failed = |source| ImportError::Io {
            path: path.to_path_buf(),
            source,
        };
        // The user named it, so a link is followed, once.
        let path = &fs::canonicalize(path).map_err(failed)?;
        if path.is_dir() {
            return self.directory(path);
        }
        let mut file = opener::file(path).map_err(failed)?;
        let mut start = [0; 64];
        let n_read = file.read(&mut start).map_err(failed)?;
        file.rewind().map_err(failed)?;
        if start.starts_with(b"{") && is_open_format(&mut file).map_err(failed)? {
            return self.open_format(path, &file);
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let start = &start[..n_read];
        let start = start.strip_prefix(MARK).unwrap_or(start).trim_ascii_start();
        let is_json = start.starts_with(b"[") || start.starts_with(b"{") || name.ends_with(".json");
        if start.starts_with(b"PK") {
            self.archive(path, file)
        } else if is_json && !is_document(&name) {
            self.progress.expect(file.metadata().map_err(failed)?.len());
            let mut pictures = Beside::at(path.parent().unwrap_or(Path::new("")));
            self.list(&path.display().to_string(), file, &mut pictures)
        } else if is_document(&name) {
            self.document(path, &file)
        } else {
            Err(ImportError::NoText(path.clone()))
        }
    }

    /// Imports a session in the open format.
    fn open_format(&mut self, path: &Path, file: &File) -> Result<(), ImportError> {
        let failed = |source| ImportError::Io {
            path: path.to_path_buf(),
            source,
        };
        let refused = |line, why| ImportError::OpenFormat {
            path: path.to_path_buf(),
            line,
            why,
        };
        let len = file.metadata().map_err(failed)?.len();
        if LARGEST < len {
            return Err(refused(
                1,
                format!("the file is larger than {} MiB", LARGEST >> 20),
            ));
        }
        self.progress.expect(len);
        let bytes = opener::all_of(file, LARGEST).map_err(failed)?;
        let session = open::read(&bytes).map_err(|error| refused(error.line, error.why))?;
        self.progress.read(bytes.len() as u64);
        self.progress.next();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if let Err(why) = self.open_session(&session) {
            self.leave_out(name, why);
        }
        Ok(())
    }

    fn open_session(&mut self, session: &OpenSession) -> Result<(), String> {
        let text = |name: &str| session.header.get(name).and_then(Value::as_str);
        let tool = ToolId::new(text("tool").unwrap_or_default());
        let native = SessionId::new(text("id").unwrap_or_default());
        if (self.is_here)(&tool, &native) {
            return Err(format!(
                "the session itself is on this device, and a copy would be there twice: {}",
                harmless_line(native.as_str())
            ));
        }
        let (id, content) = open_format::kept(session).ok_or("it begins nowhere")?;
        self.keep(New {
            tool: open_format::ID,
            id: &id,
            content,
            joined: open_format::SERVICE.joined,
            is_known: open_format::is_known,
        })
    }

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
            return match self.documents(path)? {
                true => Ok(()),
                false => Err(ImportError::NoConversations(path.to_path_buf())),
            };
        }
        let mut opened = Vec::with_capacity(lists.len());
        for name in lists {
            let file = opener::file(&path.join(&name)).map_err(failed)?;
            self.progress.expect(file.metadata().map_err(failed)?.len());
            opened.push((name, file));
        }
        for (name, file) in opened {
            let what = path.join(name).display().to_string();
            self.list(&what, file, &mut pictures)?;
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
        let mut names: Vec<String> = names.map(std::borrow::Cow::into_owned).collect();
        names.sort();
        let found: Vec<&String> = names.iter().filter(|name| is_list(base(name))).collect();
        if found.is_empty() {
            return match self.archived(&mut lists, &names) {
                true => Ok(()),
                false => Err(ImportError::NoConversations(path.to_path_buf())),
            };
        }
        for name in &found {
            self.progress
                .expect(lists.by_name(name).map_err(failed)?.size());
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
        let mut source = BufReader::new(Bounded {
            source,
            left: &left,
            progress: self.progress,
        });
        // What cannot be read is reported as the list is.
        if source.fill_buf().is_ok_and(|start| start.starts_with(MARK)) {
            source.consume(MARK.len());
        }
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
        self.progress.next();
        let members = Members::of(raw).unwrap_or_default();
        if let Err(why) = self.conversation(raw, &members, pictures) {
            let name = ["title", "name"].iter().find_map(|name| members.text(name));
            let name = name.as_deref().unwrap_or("a conversation without a title");
            self.leave_out(name, why);
        }
    }

    fn conversation(
        &mut self,
        raw: &RawValue,
        members: &Members,
        pictures: &mut dyn Pictures,
    ) -> Result<(), String> {
        let begins = |name: &str, with: char| {
            let member = members.get(name);
            member.is_some_and(|member| member.get().starts_with(with))
        };
        let (service, id): (&Service, _) = match () {
            () if begins("mapping", '{') => {
                let id = members.text("conversation_id");
                (&chatgpt::SERVICE, id.or_else(|| members.text("id")))
            }
            () if begins("chat_messages", '[') => (&claude_ai::SERVICE, members.text("uuid")),
            () => return Err("it is of no known service".into()),
        };
        let new = Conversation {
            conversation: raw.to_owned(),
            files: files(members, pictures),
        };
        self.keep(New {
            tool: service.id,
            id: id.as_deref().unwrap_or_default(),
            content: new.render(),
            joined: service.joined,
            is_known: |_, _| false,
        })
    }
}

/// Ends with an error where one conversation is too long.
struct Bounded<'a, R> {
    source: R,
    left: &'a Cell<u64>,
    progress: &'a Progress,
}

impl<R: Read> Read for Bounded<'_, R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.progress.is_cancelled() {
            return Err(io::Error::other("the import was cancelled"));
        }
        let n_read = self.source.read(out)?;
        self.progress.read(n_read as u64);
        if MOST_BYTES < self.progress.seen().bytes {
            return Err(io::Error::other("there is too much in it"));
        }
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
