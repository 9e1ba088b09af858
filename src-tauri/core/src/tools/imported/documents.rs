//! Markdown transcripts of an import: single files, those below a directory, those in an archive. What a transcript
//! is, `markdown` decides.

use super::keeping::{Import, New, TOO_MUCH, spend};
use super::progress::ImportError;
use crate::opener;
use crate::session::Millis;
use crate::tools::markdown::{self, Beginning, Document, Place};
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

/// The bytes of one file.
const LARGEST: u64 = 16 << 20;

/// A file that was found while looking for transcripts has to be one. A file that the user named is imported in any case.
#[derive(Clone, Copy, PartialEq)]
enum Chosen {
    Found,
    Named,
}

pub(super) fn is_document(name: &str) -> bool {
    let ending = name
        .rsplit_once('.')
        .map(|(_, ending)| ending.to_ascii_lowercase());
    matches!(ending.as_deref(), Some("md" | "markdown" | "txt"))
}

impl Import<'_> {
    pub(super) fn document(&mut self, path: &Path, file: &File) -> Result<(), ImportError> {
        let failed = |source| ImportError::Io {
            path: path.to_path_buf(),
            source,
        };
        let metadata = file.metadata().map_err(failed)?;
        if LARGEST < metadata.len() {
            return Err(ImportError::TooLarge {
                path: path.to_path_buf(),
                most: LARGEST,
            });
        }
        self.progress.expect(metadata.len());
        let bytes = opener::all_of(file, LARGEST).map_err(failed)?;
        let name = |path: Option<&Path>| Some(path?.file_name()?.to_string_lossy().into_owned());
        let (dir, name) = (name(path.parent()), name(Some(path)));
        let place = Place {
            dir: dir.as_deref().unwrap_or_default(),
            name: name.as_deref().unwrap_or_default(),
        };
        let modified = metadata.modified().ok().map(Millis::from_system);
        if std::str::from_utf8(&bytes).is_err() {
            return Err(ImportError::NoText(path.to_path_buf()));
        }
        self.text(bytes, place, modified, Chosen::Named)
            .unwrap_or_else(|why| self.leave_out(place.name, why));
        Ok(())
    }

    /// Imports transcripts below a directory.
    pub(super) fn documents(&mut self, root: &Path, files: &[(String, u64)]) {
        let above = root
            .file_name()
            .map(|name| name.to_string_lossy().into_owned());
        let above = above.unwrap_or_default();
        for (relative, _) in files {
            if self.progress.is_cancelled() {
                break;
            }
            let place = place(relative, &above);
            let read = opener::file_below(root, relative).and_then(|file| {
                let modified = file.metadata()?.modified().ok().map(Millis::from_system);
                Ok((opener::all_of(&file, LARGEST)?, modified))
            });
            let done = match read {
                Ok((bytes, modified)) => self.text(bytes, place, modified, Chosen::Found),
                Err(error) => Err(format!("it cannot be read: {error}")),
            };
            done.unwrap_or_else(|why| self.leave_out(relative, why));
        }
    }

    /// Imports the transcripts of an archive.
    pub(super) fn archived(
        &mut self,
        archive: &mut zip::ZipArchive<BufReader<File>>,
        names: &[&String],
    ) {
        for name in names {
            if let Ok(entry) = archive.by_name(name) {
                self.progress.expect(entry.size().min(LARGEST));
            }
        }
        for name in names {
            if self.progress.is_cancelled() {
                break;
            }
            if self.left.get() == 0 {
                let why = format!("{TOO_MUCH}; this file and those behind it were not read");
                self.leave_out(name.as_str(), why);
                break;
            }
            let done = match unpacked(archive, name) {
                Ok(bytes) => self.text(bytes, place(name, ""), None, Chosen::Found),
                Err(error) => Err(format!("it cannot be read: {error}")),
            };
            done.unwrap_or_else(|why| self.leave_out(name.as_str(), why));
        }
    }

    fn text(
        &mut self,
        bytes: Vec<u8>,
        place: Place<'_>,
        modified: Option<Millis>,
        chosen: Chosen,
    ) -> Result<(), String> {
        self.progress.read(bytes.len() as u64);
        spend(self.left, bytes.len() as u64)?;
        let text = String::from_utf8(bytes).map_err(|_| "it is no text in UTF-8")?;
        let found = markdown::document(&text, place, modified).ok_or("it is empty")?;
        if !found.is_transcript && chosen == Chosen::Found {
            return Err("nobody speaks in it (like “## User” or “**Assistant:**”); import the file by itself to keep \
                        it as a document"
                .into());
        }
        self.progress.next();
        let id = self.id_of(&found);
        self.keep(New {
            tool: markdown::ID,
            id: &id,
            content: found.content,
            joined: markdown::SERVICE.joined,
            is_known: markdown::is_known,
        })
    }

    /// The id under which a transcript's conversation is kept: another file of it may have had only its beginning,
    /// or already more.
    fn id_of(&mut self, found: &Document) -> String {
        let kept = match &found.beginning {
            Beginning::Fixed => None,
            Beginning::One => self.kept(markdown::ID, &found.id),
            Beginning::Two { one, second } => {
                let is_kept = self.kept(markdown::ID, &found.id).is_some();
                let begun = self.content(markdown::ID, one).filter(|_| !is_kept);
                let is_begun = begun.is_some_and(|begun| markdown::may_follow(&begun, second));
                is_begun.then_some(one.as_str())
            }
        };
        kept.unwrap_or(&found.id).to_owned()
    }
}

fn unpacked(archive: &mut zip::ZipArchive<BufReader<File>>, name: &str) -> io::Result<Vec<u8>> {
    let entry = archive.by_name(name).map_err(io::Error::other)?;
    let mut bytes = Vec::new();
    entry.take(LARGEST + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 <= LARGEST {
        true => Ok(bytes),
        false => Err(opener::Refused::Large(LARGEST).into()),
    }
}

/// Where a file is, by its path below a directory of the name `above`.
fn place<'a>(relative: &'a str, above: &'a str) -> Place<'a> {
    let (dirs, name) = relative.rsplit_once('/').unwrap_or((above, relative));
    Place {
        dir: dirs.rsplit('/').next().unwrap_or(dirs),
        name,
    }
}
