//! Where an import puts a conversation: into a file of its own, or into the one that an earlier import made.

use super::progress::{Imported, NotImported, Progress};
use super::{dir, is_id};
use crate::adapter::Union;
use crate::formats::files;
use crate::merge::transcript::beginning;
use crate::opener;
use crate::session::harmless::harmless_line;
use crate::session::{SessionId, ToolId};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;

/// What was left out is named up to this number, and counted beyond it.
const MOST_NAMED: usize = 100;
/// Why no more of an import is read.
pub(super) const TOO_MUCH: &str = "there is too much in it";
/// The bytes of a name or a reason that are reported.
const LONGEST_NAME: usize = 500;

/// Whether a session of a tool is on this device itself, from whatever device.
pub type IsHere<'a> = dyn Fn(&ToolId, &SessionId) -> bool + Sync + 'a;

/// An import under way.
pub(super) struct Import<'a> {
    /// session-roam's own directory.
    pub data: &'a Path,
    pub is_here: &'a IsHere<'a>,
    pub done: Imported,
    pub progress: &'a Progress,
    /// The bytes that may still be unpacked.
    pub left: &'a Cell<u64>,
    /// The ids of the conversations that are kept, by tool, as far as they were asked for.
    pub ids: BTreeMap<&'static str, BTreeSet<String>>,
}

/// Takes bytes from those that may still be unpacked; the error is the reason in words.
pub(super) fn spend(left: &Cell<u64>, bytes: u64) -> Result<(), &'static str> {
    let rest = left.get().checked_sub(bytes);
    left.set(rest.unwrap_or(0));
    rest.map(drop).ok_or(TOO_MUCH)
}

/// A conversation to be kept.
pub(super) struct New<'a> {
    pub tool: &'a str,
    pub id: &'a str,
    /// As [`super::Conversation::render`] made it.
    pub content: Vec<u8>,
    pub joined: Union,
    /// Whether a content has nothing that the one of an earlier import lacks.
    pub is_known: fn(old: &[u8], new: &[u8]) -> bool,
}

impl Import<'_> {
    /// Keeps a conversation; the error is the reason in words why it is left out.
    pub fn keep(&mut self, new: New<'_>) -> Result<(), String> {
        if !is_id(new.id) {
            return Err("it has no id that can be used".into());
        }
        let dir = dir(self.data, new.tool);
        let file = dir.join(format!("{}.json", new.id));
        let (bytes, counted) = match opener::read(&file, opener::MOST) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                (new.content, &mut self.done.new)
            }
            Err(error) => return Err(format!("{} cannot be read: {error}", file.display())),
            Ok(old) if old == new.content || (new.is_known)(&old, &new.content) => {
                (old, &mut self.done.known)
            }
            Ok(old) => {
                let both = (new.joined)(&old, &new.content)
                    .ok_or("it does not fit what was imported before")?;
                match both == old {
                    true => (old, &mut self.done.known),
                    false => (both, &mut self.done.grown),
                }
            }
        };
        write(&dir, &file, &bytes).map_err(|error| format!("{}: {error}", file.display()))?;
        if let Some(ids) = self.ids.get_mut(new.tool) {
            ids.insert(new.id.to_owned());
        }
        *counted.entry(new.tool.to_owned()).or_default() += 1;
        Ok(())
    }

    /// The first id of a tool's kept conversations that begins with `start`, in alphabetical order.
    pub fn kept(&mut self, tool: &'static str, start: &str) -> Option<&str> {
        let dir = dir(self.data, tool);
        let ids = self.ids.entry(tool).or_insert_with(|| {
            let files = fs::read_dir(dir).into_iter().flatten().flatten();
            let names = files.filter_map(|file| file.file_name().into_string().ok());
            names
                .filter_map(|name| Some(name.strip_suffix(".json")?.to_owned()))
                .collect()
        });
        let id = ids.range(start.to_owned()..).next()?;
        id.starts_with(start).then_some(id)
    }

    /// What is kept of a conversation.
    pub fn content(&self, tool: &str, id: &str) -> Option<Vec<u8>> {
        let file = dir(self.data, tool).join(format!("{id}.json"));
        opener::read(&file, opener::MOST).ok()
    }

    /// Reports a conversation or a file that is not imported. Its name may be anything.
    pub fn leave_out(&mut self, name: impl AsRef<str>, why: impl AsRef<str>) {
        self.done.n_left_out += 1;
        if self.done.left_out.len() < MOST_NAMED {
            let (name, why) = (harmless_line(name.as_ref()), harmless_line(why.as_ref()));
            self.done.left_out.push(NotImported {
                name: beginning(&name, LONGEST_NAME).to_owned(),
                why: beginning(&why, LONGEST_NAME).to_owned(),
            });
        }
    }
}

/// Writes a file so that it is there whole or as it was.
fn write(dir: &Path, file: &Path, bytes: &[u8]) -> io::Result<()> {
    if opener::read(file, opener::MOST).is_ok_and(|there| there == bytes) {
        return Ok(());
    }
    fs::create_dir_all(dir)?;
    let new = files::unnamed(dir, bytes)?;
    new.persist(file).map_err(|error| error.error)?;
    Ok(())
}
