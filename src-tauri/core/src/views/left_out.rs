//! Entries in the tools' stores that do not sync, found by comparing the stores with the adapters'
//! listings. Each entry has a reason in words, so that nothing is skipped silently.
//!
//! Files that a tool keeps beside its sessions (indexes, caches, locks) are not sessions and are
//! not counted.

use crate::api::types::{LeftOut, LeftOutReason};
use crate::opener;
use crate::reconcile::context::Context;
use crate::session::copies::{Copied, copy_of};
use crate::session::{DocKind, Millis};
use crate::tools::{self, Root, Which};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How deep directories below a store's root are walked; no adapter goes deeper.
const DEEPEST: usize = 12;
/// More entries than any store has; a store behind a link loop ends here.
const MOST: usize = 2_000_000;

/// Everything that is left out of the stores of the tools that are on.
pub fn left_out(context: &Context) -> Vec<LeftOut> {
    let off = context.shared().tools_off.clone();
    let mut all = Vec::new();
    for (id, tool) in context.tools.iter().filter(|(id, _)| !off.contains(*id)) {
        let listing = tool.sessions(&context.machine, Which::All);
        let conflict_copies = tool
            .sessions(&context.machine, Which::ConflictCopies)
            .conflict_copies;
        let docs: BTreeSet<PathBuf> = listing
            .found
            .iter()
            .flat_map(|found| &found.docs)
            .map(|doc| doc.path.clone())
            .collect();
        let mains: Vec<&Path> = listing
            .found
            .iter()
            .filter_map(|found| Some(found.docs.first()?.path.as_path()))
            .collect();
        let logs = listing.found.iter().flat_map(|found| &found.docs);
        let logs = logs
            .filter(|doc| doc.kind == DocKind::Log && doc.place.ends_with(".jsonl"))
            .map(|doc| doc.path.clone())
            .collect();
        let mut walk = Walk {
            logs,
            now: context.clock.now(),
            tool: id.to_string(),
            known: conflict_copies
                .into_iter()
                .map(|conflict_copy| conflict_copy.path)
                .collect(),
            beside: mains
                .iter()
                .filter_map(|main| Some(main.parent()?.to_path_buf()))
                .collect(),
            docs,
            n_entries: 0,
            found: &mut all,
        };
        for root in tool
            .roots(&context.machine)
            .into_iter()
            .filter(|root| root.store)
        {
            walk.root(&root);
        }
    }
    all
}

struct Walk<'a> {
    tool: String,
    docs: BTreeSet<PathBuf>,
    /// Those that end with a line end.
    logs: BTreeSet<PathBuf>,
    now: Millis,
    /// Conflict copies, which another check lists.
    known: BTreeSet<PathBuf>,
    /// Directories in which main docs lie.
    beside: BTreeSet<PathBuf>,
    n_entries: usize,
    found: &'a mut Vec<LeftOut>,
}

impl Walk<'_> {
    fn root(&mut self, root: &Root) {
        let path = &root.path;
        let is_link = fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink());
        let is_followed = || tools::followed(path.parent().unwrap_or(path), path).is_some();
        // An adapter may have a rule of its own.
        let is_read = || {
            let mut from = self.docs.range(path.clone()..);
            from.next().is_some_and(|doc| doc.starts_with(path))
        };
        match root.deep {
            _ if is_link && !is_followed() && !is_read() => self.add_link(path),
            true => self.dir(path, path, 0),
            false => self.shallow(path),
        }
    }

    fn dir(&mut self, root: &Path, dir: &Path, depth: usize) {
        if depth > DEEPEST {
            return self.add(
                dir,
                LeftOutReason::TooDeep,
                "It is nested deeper than any tool stores a session.",
            );
        }
        let entries = match fs::read_dir(dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return,
            Err(error) => {
                return self.add(
                    dir,
                    LeftOutReason::Unreadable,
                    &format!("It cannot be read: {error}."),
                );
            }
        };
        for entry in entries.flatten() {
            self.n_entries += 1;
            let (Ok(kind), path) = (entry.file_type(), entry.path()) else {
                continue;
            };
            if self.n_entries > MOST {
                return;
            }
            if kind.is_symlink() {
                self.link(root, &path, depth);
            } else if kind.is_dir() {
                self.dir(root, &path, depth + 1);
            } else {
                self.file(&path, kind.is_file(), &entry.file_name());
            }
        }
    }

    /// Walks a directory in which only the files are the tool's sessions.
    fn shallow(&mut self, root: &Path) {
        for entry in fs::read_dir(root).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_file()) {
                self.file(&entry.path(), true, &entry.file_name());
            }
        }
    }

    fn link(&mut self, root: &Path, link: &Path, depth: usize) {
        // A second link to the same directory adds nothing to the first.
        if tools::followed(root, link).is_some() {
            return self.dir(root, link, depth + 1);
        }
        self.add_link(link);
    }

    fn add_link(&mut self, link: &Path) {
        let to = fs::read_link(link)
            .map(|to| to.display().to_string())
            .unwrap_or_default();
        self.add(
            link,
            LeftOutReason::Link,
            &format!(
                "It is a link to {to}. Links to directories of your own outside of the store are followed, no others."
            ),
        );
    }

    fn file(&mut self, path: &Path, regular: bool, name: &OsStr) {
        if self.docs.contains(path) {
            return self.doc(path);
        }
        if self.known.contains(path) {
            return;
        }
        let Some(name) = name.to_str() else {
            return self.add(path, LeftOutReason::Name, "Its name is not text.");
        };
        let beside = |other: &str| opener::is_there(&path.with_file_name(other));
        if let Some(Copied { original, by }) = copy_of(name, beside) {
            return self.add(
                path,
                LeftOutReason::Copy,
                &format!("It is a copy of {original} that {by} made of a conflict."),
            );
        }
        if tools::is_foreign_name(name) && !is_saved_log(name) {
            return;
        }
        if let Some(original) = name
            .strip_prefix('.')
            .and_then(|name| name.strip_suffix(".icloud"))
        {
            return self.add(
                path,
                LeftOutReason::NotDownloaded,
                &format!("It is a placeholder for {original}, which is only in iCloud."),
            );
        }
        let parent_has_sessions = path
            .parent()
            .is_some_and(|parent| self.beside.contains(parent));
        let like_a_log = [".jsonl", ".jsonl.zst"]
            .iter()
            .any(|ending| name.ends_with(ending));
        if !regular && (like_a_log || parent_has_sessions) {
            self.add(path, LeftOutReason::Kind, "It is not a regular file.");
        } else if like_a_log || is_saved_log(name) {
            self.add(
                path,
                LeftOutReason::Name,
                "Its name is not one that the tool gives a session.",
            );
        }
    }

    /// A listed file is carried as far as it can be read and its lines are finished.
    fn doc(&mut self, path: &Path) {
        match opener::file(path) {
            Ok(mut file) if self.logs.contains(path) => {
                if let Ok(Some(bytes)) = unfinished(&mut file, self.now) {
                    self.add(
                        path,
                        LeftOutReason::Unfinished,
                        &format!(
                            "Its last line has no line end, so {bytes} of it do not sync yet."
                        ),
                    );
                }
            }
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => self.add(
                path,
                LeftOutReason::Unreadable,
                "Its permissions do not let you read it.",
            ),
            Ok(_) | Err(_) => {}
        }
    }

    fn add(&mut self, path: &Path, code: LeftOutReason, why: &str) {
        self.found.push(LeftOut {
            tool: self.tool.clone(),
            path: path.to_path_buf(),
            code,
            why: why.into(),
        });
    }
}

/// How many bytes the unfinished last line of a log has, in words, if nothing was written for a
/// while.
fn unfinished(file: &mut File, now: Millis) -> io::Result<Option<String>> {
    const QUIET: Duration = Duration::from_secs(60);
    const BLOCK: u64 = 64 * 1024;
    let metadata = file.metadata()?;
    let (len, written) = (metadata.len(), Millis::from_system(metadata.modified()?));
    let mut line = 0;
    while line < len {
        let block = BLOCK.min(len - line);
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(len - line - block))?;
        file.take(block).read_to_end(&mut bytes)?;
        match bytes.iter().rposition(|byte| *byte == b'\n') {
            Some(at) => {
                line += (bytes.len() - at - 1) as u64;
                break;
            }
            None => line += block,
        }
    }
    let is_quiet = u128::try_from(now.0.saturating_sub(written.0))
        .is_ok_and(|quiet| QUIET.as_millis() <= quiet);
    Ok((0 < line && is_quiet).then(|| match line {
        1 => "1 byte".to_owned(),
        line => format!("{line} bytes"),
    }))
}

/// Whether a log was put aside under its own name with another ending, as people, editors and sync
/// programs do, or has its own ending in other letters. Locks and partial files do not count.
fn is_saved_log(name: &str) -> bool {
    let ends = ["~", ".conflict"];
    let ending = ends.iter().find_map(|ending| name.strip_suffix(ending));
    let name = ending.unwrap_or(name);
    !tools::is_foreign_name(name) && name.to_ascii_lowercase().contains(".jsonl")
}

#[cfg(test)]
mod tests {
    use super::is_saved_log;

    #[test]
    fn a_log_under_another_ending_is_told_and_debris_is_not() {
        let told = [
            "a.jsonl.bak",
            "a.jsonl~",
            "a.jsonl.conflict",
            "a.jsonl.conflict.1700000000",
            "a.jsonl.1",
            "a.jsonl.2026-11-23",
            "a.jsonl.gz",
            "a.JSONL",
            "a.jsonl (1)",
        ];
        let debris = [
            ".a.jsonl.swp",
            "a.jsonl.tmp.1234",
            "a.jsonl.lock",
            "a.jsonl.part",
            "a.jsonl.lock~",
            ".roam-a.jsonl",
            "~syncthing~a.jsonl.tmp",
            ".DS_Store",
            "notes.txt~",
        ];
        for name in told {
            assert!(is_saved_log(name), "{name}");
        }
        for name in debris {
            assert!(!is_saved_log(name), "{name}");
        }
    }
}
