//! Imports what the user names: an export of a service (a zip, a `conversations.json`, or a directory with one),
//! transcripts in Markdown, or a directory or a zip with both. Each conversation becomes a file of its own, or adds to the one that an earlier import
//! made.
//!
//! An export may be anything: conversations are read one at a time, each up to a limit, and one that cannot be read
//! does not stop the others.

use super::below::{base, below, is_list};
use super::documents::is_document;
use super::elements::{Element, Elements, MARK};
use super::keeping::{Import, IsHere, New, TOO_MUCH, spend};
use super::members::Members;
use super::pictures::{Beside, Inside, Names, Pictures, files};
use super::progress::{ImportError, Imported, MOST_NAMES, Progress};
use super::{Conversation, Service};
use crate::held_lock::HeldLock;
use crate::open::{self, OpenSession};
use crate::opener;
use crate::session::problem::with_causes;
use crate::session::records;
use crate::session::{SessionId, ToolId, harmless_line};
use crate::tools::{chatgpt, claude_ai, open_format};
use serde_json::Value;
use serde_json::value::RawValue;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Seek};
use std::path::{Path, PathBuf};

/// The bytes of one conversation.
const LARGEST: u64 = 64 << 20;
/// The bytes of all that is unpacked in one import: what the largest accounts have, many times over.
const MOST_BYTES: u64 = 64 << 30;
/// The bytes that an archive is unpacked to, as a multiple of its own: exports and transcripts have ten to thirty times
/// as many. An archive of any size has [`LARGEST`].
const MOST_TIMES: u64 = 100;
/// The bytes of a header of the open format.
const LONGEST_HEADER: u64 = 4 << 20;
/// Held by the import that runs; a second one would not see what the first one writes.
const LOCK: &str = "import.lock";

/// Imports files and directories into session-roam's directory `data`. One that cannot be read does not stop the
/// others; an error is returned if it is the only one. `is_here` says whether a session is on this device itself.
pub fn import(
    paths: &[PathBuf],
    data: &Path,
    progress: &Progress,
    is_here: &IsHere<'_>,
) -> Result<Imported, ImportError> {
    let _lock = lock(data)?;
    let left = Cell::new(MOST_BYTES);
    let mut import = Import {
        data,
        left: &left,
        is_here,
        done: Imported::default(),
        progress,
        ids: BTreeMap::new(),
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
            let before = self.n_read();
            let done = self.list(&path.display().to_string(), file, &mut pictures);
            let failed = done.err().map(|error| (name.into_owned(), error));
            self.settle(before, failed.into_iter().collect())
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
            return Err(ImportError::TooLarge {
                path: path.to_path_buf(),
                most: LARGEST,
            });
        }
        self.progress.expect(len);
        let bytes = opener::all_of(file, LARGEST).map_err(failed)?;
        if let Some(format) = open::newer_format(&bytes) {
            return Err(ImportError::NewerOpenFormat {
                path: path.to_path_buf(),
                format,
            });
        }
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

    fn directory(&mut self, root: &Path) -> Result<(), ImportError> {
        let failed = |path: &Path, source| ImportError::Io {
            path: path.to_path_buf(),
            source,
        };
        let found = below(root).map_err(|error| failed(root, error))?;
        let (lists, documents) = (found.named(is_list), found.named(is_document));
        for (_, len) in lists.iter().chain(&documents) {
            self.progress.expect(*len);
        }
        let mut pictures = Beside::of(root, &found);
        for (name, why) in found.left_out {
            self.leave_out(name, why);
        }
        if lists.is_empty() && documents.is_empty() {
            return Err(ImportError::NoConversations(root.to_path_buf()));
        }
        let (before, mut unread) = (self.n_read(), Vec::new());
        for (name, _) in lists {
            let path = root.join(&name);
            let done = match opener::file_below(root, &name) {
                Ok(file) => self.list(&path.display().to_string(), file, &mut pictures),
                Err(error) => Err(failed(&path, error)),
            };
            unread.extend(done.err().map(|error| (name, error)));
        }
        self.documents(root, &documents);
        self.settle(before, unread)
    }

    fn archive(&mut self, path: &Path, file: File) -> Result<(), ImportError> {
        let metadata = file.metadata().map_err(|source| ImportError::Io {
            path: path.to_path_buf(),
            source,
        })?;
        // A few bytes can be packed so that they fill a disk.
        let most = metadata.len().saturating_mul(MOST_TIMES).max(LARGEST);
        let beyond = self.left.get().saturating_sub(most);
        self.left.set(self.left.get() - beyond);
        let done = self.within_archive(path, file);
        self.left.set(self.left.get() + beyond);
        done
    }

    fn within_archive(&mut self, path: &Path, file: File) -> Result<(), ImportError> {
        let failed = |source| ImportError::Zip {
            path: path.to_path_buf(),
            source,
        };
        let mut archive = zip::ZipArchive::new(BufReader::new(file)).map_err(failed)?;
        let names = archive.file_names().take(MOST_NAMES).flatten();
        let mut names: Vec<String> = names.map(std::borrow::Cow::into_owned).collect();
        names.sort();
        let named = |is_kind: fn(&str) -> bool| -> Vec<&String> {
            names.iter().filter(|name| is_kind(base(name))).collect()
        };
        let (lists, documents) = (named(is_list), named(is_document));
        if lists.is_empty() && documents.is_empty() {
            return Err(ImportError::NoConversations(path.to_path_buf()));
        }
        for name in &lists {
            if let Ok(entry) = archive.by_name(name) {
                self.progress.expect(entry.size());
            }
        }
        // Pictures are read while a list is open: a second reader has a place of its own.
        let beside = opener::file(path).map_err(|source| ImportError::Io {
            path: path.to_path_buf(),
            source,
        })?;
        let mut second = zip::ZipArchive::new(BufReader::new(beside)).map_err(failed)?;
        let mut pictures = Inside {
            archive: &mut second,
            names: Names::of(names.iter().map(String::as_str)),
        };
        let (before, mut unread) = (self.n_read(), Vec::new());
        for name in lists {
            let what = format!("{name} in {}", path.display());
            let done = match archive.by_name(name) {
                Ok(entry) => self.list(&what, entry, &mut pictures),
                Err(error) => Err(failed(error)),
            };
            unread.extend(done.err().map(|error| (name.clone(), error)));
        }
        self.archived(&mut archive, &documents);
        self.settle(before, unread)
    }

    /// Imports a list of conversations, one at a time.
    fn list(
        &mut self,
        what: &str,
        source: impl Read,
        pictures: &mut dyn Pictures,
    ) -> Result<(), ImportError> {
        let source = BufReader::new(Bounded {
            source,
            progress: self.progress,
            left: self.left,
        });
        let failed = |error: io::Error| ImportError::Shape {
            what: what.to_owned(),
            why: error.to_string(),
        };
        let mut elements = Elements::of(source, LARGEST).map_err(failed)?;
        while let Some(element) = elements.next().map_err(failed)? {
            self.progress.next();
            let (text, done) = match element {
                Element::Whole(text) => {
                    let done = self.element(&text, pictures);
                    (text, done)
                }
                Element::TooLarge(text) => (
                    text,
                    Err(format!("it is larger than {} MiB", LARGEST >> 20)),
                ),
            };
            if let Err(why) = done {
                self.leave_out(name_of(&text), why);
            }
            // Pictures took the rest.
            if self.left.get() == 0 {
                return Err(failed(io::Error::other(TOO_MUCH)));
            }
        }
        Ok(())
    }

    /// Reports what could not be read beside something else. It is an error if nothing was read since `before`.
    fn settle(
        &mut self,
        before: u64,
        mut failed: Vec<(String, ImportError)>,
    ) -> Result<(), ImportError> {
        if self.progress.is_cancelled() {
            return Ok(());
        }
        if !failed.is_empty() && before == self.n_read() {
            return Err(failed.swap_remove(0).1);
        }
        for (name, error) in failed {
            self.leave_out(name, with_causes(&error));
        }
        Ok(())
    }

    /// How many conversations and files were read, imported or not.
    fn n_read(&self) -> u64 {
        self.progress.seen().conversations + self.done.n_left_out
    }

    fn element(&mut self, text: &str, pictures: &mut dyn Pictures) -> Result<(), String> {
        let raw = RawValue::from_string(text.to_owned());
        let raw = raw.map_err(|error| format!("it is no JSON: {error}"))?;
        let members = Members::of(&raw).unwrap_or_default();
        self.conversation(&raw, &members, pictures)
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
            files: files(members, pictures, self.left),
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

/// The title of a conversation that is not imported, as far as it can be read.
fn name_of(text: &str) -> String {
    let (conversation, _) = records::document(text.as_bytes());
    let text = |name: &&str| conversation.get(*name)?.as_str();
    let name = ["title", "name"].iter().find_map(text);
    name.unwrap_or("a conversation without a title").to_owned()
}

/// Counts what is read. Ends with an error when the import is cancelled or there is too much.
struct Bounded<'a, R> {
    source: R,
    progress: &'a Progress,
    left: &'a Cell<u64>,
}

impl<R: Read> Read for Bounded<'_, R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.progress.is_cancelled() {
            return Err(io::Error::other("the import was cancelled"));
        }
        let n_read = self.source.read(out)?;
        self.progress.read(n_read as u64);
        spend(self.left, n_read as u64).map_err(io::Error::other)?;
        Ok(n_read)
    }
}

#[cfg(test)]
mod tests;
