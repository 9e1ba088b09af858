//! Frames that a journal's owner signed beside the accepted ones: conflict copies, and the
//! continuation that a second machine with the same key (a clone, a home restored from a backup)
//! wrote after an accepted frame. Finds such frames and keeps them; the engine decides about their
//! lines.

use super::envelope::Sealed;
use super::frame::{self, Frame, FrameHash};
use super::journal::{Fault, Owner};
use super::{Journal, JournalError, Vault, VaultPath, limits};
use crate::opener::{self, Kind};
use crate::session::{SessionId, ToolId, copied_from};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

/// The extension of kept equivocated frames. It differs from a segment's: these files are never
/// restored into the vault.
const ENDING: &str = "frames";

/// The frames found beside a journal.
#[derive(Debug, Default)]
pub struct EquivocatedFrames {
    /// Frames that were never accepted and follow an accepted one or one another; each after the
    /// one it follows.
    pub frames: Vec<Frame>,
    /// The journal, and the number of the first accepted frame that an equivocated frame would
    /// replace: it and the accepted ones after it are the rivals.
    pub rivals: Option<(Journal, u64)>,
    /// Every file in the journal's directory is accepted or listed here; none is forged or damaged.
    pub whole: bool,
    /// Segments whose files in the vault now hold such frames.
    pub segments: BTreeSet<u32>,
}

impl EquivocatedFrames {
    /// Whether the fault is explained by another machine with the same key alone, so that nothing
    /// has to be fetched again.
    pub fn explains(&self, fault: &Fault) -> bool {
        match fault {
            Fault::Changed { segment } | Fault::Forged { segment, .. } => {
                self.whole && self.segments.contains(segment)
            }
            Fault::Newer { .. } => false,
        }
    }
}

impl VaultPath {
    /// Parses the path of a segment's conflict copy, as a lane folder reports it, and returns the
    /// path of that segment.
    pub fn parse_copy(device: &str, lane: crate::session::Lane, in_lane: &str) -> Option<Self> {
        let (dir, name) = in_lane.rsplit_once(['/', '\\'])?;
        Self::parse(device, lane, &format!("{dir}/{}", copied_from(name)?))
    }
}

/// Whether the journal has conflict copies or kept equivocated frames.
pub fn has_copies(vault: &Vault, journal: &Journal) -> bool {
    files(vault, journal).is_ok_and(|files| files.iter().any(|beside| beside.segment().is_none()))
}

/// Finds all frames beside the accepted ones and keeps them before returning: the next version from
/// another device may replace their file.
pub fn gather(
    vault: &Vault,
    journal: &Journal,
    owner: &Owner,
    session: &(ToolId, SessionId),
) -> Result<EquivocatedFrames, JournalError> {
    let marked = vault.quarantine.mark(&journal.device, &journal.dir);
    marked.map_err(|source| JournalError::Io {
        path: vault.file(&journal.dir),
        source,
    })?;
    let accepted = accepted_hashes(vault, journal)?;
    let genesis = frame::genesis(&owner.device, journal.lane, &session.0, &session.1);
    let mut next: HashMap<FrameHash, u64> = [(genesis, 0)].into();
    next.extend(accepted.iter().cloned().zip(1..));
    let mut read = Read {
        whole: true,
        frames: Vec::new(),
        size: 0,
    };
    let mut places: HashMap<FrameHash, BTreeSet<u32>> = HashMap::new();
    for beside in files(vault, journal)? {
        let before = read.frames.len();
        read.file(vault, &beside, owner, |hash| next.contains_key(hash))?;
        read.frames[before..].iter().for_each(|(frame, _)| {
            let head = &frame.head;
            let fits = (&head.device, head.lane, &head.tool, &head.session)
                == (&owner.device, journal.lane, &session.0, &session.1);
            read.whole &= fits;
            if let (true, Some(number)) = (fits, beside.segment()) {
                places.entry(frame.hash.clone()).or_default().insert(number);
            }
        });
        let fits =
            |frame: &Frame| (&frame.head.device, frame.head.lane) == (&owner.device, journal.lane);
        let same =
            |frame: &Frame| (&frame.head.tool, &frame.head.session) == (&session.0, &session.1);
        read.frames.retain(|(frame, _)| fits(frame) && same(frame));
    }
    let mut waiting = read.frames;
    let (mut found, mut seen) = (Vec::new(), HashSet::new());
    loop {
        let before = waiting.len();
        let mut later = Vec::new();
        for (frame, bytes) in waiting {
            if !seen.contains(&frame.hash) && next.get(&frame.head.prev) == Some(&frame.head.n) {
                seen.insert(frame.hash.clone());
                next.insert(frame.hash.clone(), frame.head.n + 1);
                found.push((frame, bytes));
            } else if !seen.contains(&frame.hash) {
                later.push((frame, bytes));
            }
        }
        waiting = later;
        if waiting.len() == before || waiting.is_empty() {
            break;
        }
    }
    let whole = read.whole && waiting.is_empty();
    keep(vault, journal, &found)?;
    let frames: Vec<Frame> = found.into_iter().map(|(frame, _)| frame).collect();
    let known: HashSet<&FrameHash> = accepted.iter().collect();
    let roots = frames
        .iter()
        .filter(|frame| frame.head.n == 0 || known.contains(&frame.head.prev));
    let first = roots.map(|frame| frame.head.n).min();
    let rivals = first.map(|first| (journal.clone(), first));
    let segments = frames
        .iter()
        .filter_map(|frame| places.get(&frame.hash))
        .flatten()
        .copied()
        .collect();
    Ok(EquivocatedFrames {
        frames,
        rivals,
        whole,
        segments,
    })
}

/// The hashes of the accepted frames, in order; unpacks none of them.
fn accepted_hashes(vault: &Vault, journal: &Journal) -> Result<Vec<FrameHash>, JournalError> {
    let mut hashes = Vec::new();
    for segment in &journal.segments {
        let bytes = journal.accepted_bytes(vault, segment)?;
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let Some(Ok(len)) = frame::frame_len(rest) else {
                return Err(JournalError::Lost {
                    dir: journal.dir.clone(),
                });
            };
            let sealed = Sealed::read(&rest[..len]).map_err(|source| JournalError::Frame {
                dir: journal.dir.clone(),
                source,
            })?;
            hashes.push(sealed.hash);
            rest = &rest[len..];
        }
    }
    Ok(hashes)
}

struct Read {
    whole: bool,
    frames: Vec<(Frame, Vec<u8>)>,
    /// Bytes taken by the frames.
    size: usize,
}

impl Read {
    /// Reads the frames of a file that the owner signed and that are not `known`; unpacks no
    /// others.
    fn file(
        &mut self,
        vault: &Vault,
        beside: &Beside,
        owner: &Owner,
        known: impl Fn(&FrameHash) -> bool,
    ) -> Result<(), JournalError> {
        let bytes = match beside
            .open(vault)
            .and_then(|file| opener::all_of(&file, limits::SEGMENT_FILE))
        {
            Ok(bytes) => bytes,
            // The file is being replaced at this moment; the event of its arrival is still to come.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) if opener::refusal(&error).is_some() => {
                self.whole = false;
                return Ok(());
            }
            Err(source) => {
                return Err(JournalError::Io {
                    path: beside.relative.clone().into(),
                    source,
                });
            }
        };
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let len = match frame::frame_len(rest) {
                // Torn: still arriving, or abandoned by its writer in a crash.
                None => return Ok(()),
                Some(Ok(len)) => len,
                Some(Err(_)) => {
                    self.whole = false;
                    return Ok(());
                }
            };
            let (piece, after) = rest.split_at(len);
            rest = after;
            match Sealed::read(piece) {
                Ok(sealed) if known(&sealed.hash) => {}
                Ok(sealed)
                    if self.size < limits::EQUIVOCATED && sealed.is_signed_by(&owner.key) =>
                {
                    match sealed.parse() {
                        Ok(frame) => {
                            self.size += len + frame.size();
                            self.frames.push((frame, piece.to_vec()));
                        }
                        Err(_) => self.whole = false,
                    }
                }
                _ => self.whole = false,
            }
        }
        Ok(())
    }
}

/// A file that may hold frames of a journal.
struct Beside {
    /// Below the vault, or below the safety copies.
    relative: String,
    kept: bool,
}

impl Beside {
    fn open(&self, vault: &Vault) -> io::Result<File> {
        if self.kept {
            vault.kept.open(&self.relative)
        } else {
            vault.open(&self.relative)
        }
    }

    /// The segment's number, if the file is a segment itself.
    fn segment(&self) -> Option<u32> {
        segment_number(Path::new(&self.relative)).filter(|_| !self.kept)
    }
}

/// All files that may hold frames of this journal: segments, conflict copies, kept frames.
fn files(vault: &Vault, journal: &Journal) -> Result<Vec<Beside>, JournalError> {
    let mut found = Vec::new();
    for kept in [false, true] {
        let listed = if kept {
            vault.kept.list(&journal.dir)
        } else {
            vault.list(&journal.dir)
        };
        let listed = match listed {
            // Reading the journal reports a link in place of its directory.
            Err(error) if opener::refusal(&error).is_some() => Vec::new(),
            listed => listed.map_err(|source| JournalError::Io {
                path: journal.dir.clone().into(),
                source,
            })?,
        };
        for listed in listed
            .into_iter()
            .filter(|listed| listed.kind == Kind::File)
        {
            let name = listed.name.to_string_lossy().into_owned();
            let wanted = match kept {
                true => name.ends_with(&format!(".{ENDING}")),
                false => {
                    is_segment(Path::new(&name))
                        || copied_from(&name).is_some_and(|name| is_segment(Path::new(&name)))
                }
            };
            if wanted {
                found.push(Beside {
                    relative: format!("{}/{name}", journal.dir),
                    kept,
                });
            }
        }
    }
    Ok(found)
}

fn is_segment(path: &Path) -> bool {
    segment_number(path).is_some()
}

fn segment_number(path: &Path) -> Option<u32> {
    let name = path.file_name()?.to_str()?;
    let number = name
        .strip_suffix(".jsonl.zst")
        .filter(|number| number.bytes().all(|byte| byte.is_ascii_digit()))?;
    number.parse().ok()
}

/// Keeps new frames in a file of their own, named after the first one.
fn keep(vault: &Vault, journal: &Journal, frames: &[(Frame, Vec<u8>)]) -> Result<(), JournalError> {
    let dir = vault.kept.file(&journal.dir);
    let io = |path: &Path| {
        let path = path.to_path_buf();
        move |source| JournalError::Io { path, source }
    };
    let mut known = HashSet::new();
    for beside in files(vault, journal)?.iter().filter(|beside| beside.kept) {
        let bytes = beside
            .open(vault)
            .and_then(|file| opener::all_of(&file, limits::SEGMENT_FILE));
        let bytes = bytes.map_err(io(Path::new(&beside.relative)))?;
        let mut rest = &bytes[..];
        while let Some(Ok(len)) = frame::frame_len(rest) {
            known.extend(Sealed::read(&rest[..len]).map(|sealed| sealed.hash));
            rest = &rest[len..];
        }
    }
    let new: Vec<&(Frame, Vec<u8>)> = frames
        .iter()
        .filter(|(frame, _)| !known.contains(&frame.hash))
        .collect();
    let Some((first, _)) = new.first() else {
        return Ok(());
    };
    let path = dir.join(format!(
        "{}.{ENDING}",
        &first.hash.0[..16.min(first.hash.0.len())]
    ));
    let next = path.with_extension("next");
    std::fs::create_dir_all(&dir).map_err(io(&dir))?;
    let mut file = std::fs::File::create(&next).map_err(io(&next))?;
    new.iter()
        .try_for_each(|(_, bytes)| file.write_all(bytes))
        .map_err(io(&next))?;
    file.sync_all().map_err(io(&next))?;
    drop(file);
    std::fs::rename(&next, &path).map_err(io(&path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Lane;

    #[test]
    fn a_conflict_copy_belongs_to_the_journal_it_lies_beside() {
        let name = "0001.jsonl.sync-conflict-20261123-101500-ABCDEFG.zst";
        let parse =
            |dir: &str| VaultPath::parse_copy("ABCDEFG", Lane::Priority, &format!("{dir}/{name}"));
        let path = parse("tool/project/session").expect("a copy");
        assert_eq!(
            (path.segment, path.dir().as_str()),
            (1, "ABCDEFG/live/tool/project/session")
        );
        assert_eq!(
            (parse("a/../b"), parse("project/session"), parse(".")),
            (None, None, None)
        );
    }
}
