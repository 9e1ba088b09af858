//! Journals read by hand: every frame's hash, signature and position in its chain is checked here,
//! independently of the product's reader.

use super::world::Device;
use session_roam_core::session::{DocName, Lane};
use session_roam_core::vault::envelope::Sealed;
use session_roam_core::vault::frame::{frame_len, genesis};
use session_roam_core::vault::{Entry, Frame, presence};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The tool whose only session is a device's list.
const LIST: &str = "session-roam";

/// A journal as stored in a vault: all whole frames, in order.
pub struct Journal {
    pub owner: String,
    pub lane: Lane,
    pub frames: Vec<Frame>,
}

impl Journal {
    pub fn session(&self) -> &str {
        self.frames[0].head.session.as_str()
    }

    /// The content that each entry adds, in order.
    pub fn additions(&self) -> impl Iterator<Item = (&DocName, &[u8])> {
        self.frames
            .iter()
            .flat_map(|frame| &frame.entries)
            .filter_map(|entry| match entry {
                Entry::Lines { doc, bytes, .. } | Entry::Whole { doc, bytes, .. } => {
                    Some((doc, bytes.as_slice()))
                }
                Entry::Piece(_)
                | Entry::About(_)
                | Entry::Choice(_)
                | Entry::Device(_)
                | Entry::Title(_)
                | Entry::Unknown(_) => None,
            })
    }
}

/// Every journal in a device's vault, its own and the replicas; panics if one does not verify.
pub fn journals(device: &Device) -> Vec<Journal> {
    let vault = device.vault();
    let mut found = Vec::new();
    for owner in names(vault.root()) {
        let live = vault.lane_dir(&owner, Lane::Priority);
        let Ok((said, key)) = presence::read(&live, &owner) else {
            continue;
        };
        for lane in Lane::WITH_JOURNALS {
            for dir in session_dirs(&vault.lane_dir(&owner, lane)) {
                let frames = read(&dir, &key);
                let Some(first) = frames.first() else {
                    continue;
                };
                let mut prev = genesis(
                    &said.card.device,
                    lane,
                    &first.head.tool,
                    &first.head.session,
                );
                for (number, frame) in frames.iter().enumerate() {
                    assert_eq!(
                        frame.head.n,
                        number as u64,
                        "{}: no frame is missing or doubled",
                        dir.display()
                    );
                    assert_eq!(
                        frame.head.prev,
                        prev,
                        "{}: each follows the one before",
                        dir.display()
                    );
                    prev = frame.hash.clone();
                }
                found.push(Journal {
                    owner: owner.clone(),
                    lane,
                    frames,
                });
            }
        }
    }
    found
}

/// The device's own journals, from its own vault.
pub fn own_journals(device: &Device) -> Vec<Journal> {
    journals(device)
        .into_iter()
        .filter(|journal| journal.owner == device.short())
        .collect()
}

/// How often each line was recorded by any device, as far as `device` knows.
pub fn recorded_lines(device: &Device, session: &str) -> BTreeMap<Vec<u8>, usize> {
    let mut lines = BTreeMap::new();
    for journal in journals(device)
        .iter()
        .filter(|journal| journal.session() == session)
    {
        for (_, bytes) in journal.additions() {
            bytes
                .split_inclusive(|byte| *byte == b'\n')
                .for_each(|line| *lines.entry(line.to_vec()).or_insert(0) += 1);
        }
    }
    lines
}

/// Number of frames in the journals that a device wrote.
pub fn own_frames(device: &Device) -> usize {
    own_journals(device)
        .iter()
        .map(|journal| journal.frames.len())
        .sum()
}

/// The segment files of a device's own journals of a session, oldest first.
pub fn segments(device: &Device, owner: &Device) -> Vec<PathBuf> {
    let vault = device.vault();
    let lanes = Lane::WITH_JOURNALS.map(|lane| vault.lane_dir(&owner.short(), lane));
    lanes
        .iter()
        .flat_map(|lane| session_dirs(lane))
        .flat_map(|dir| segment_files(&dir))
        .collect()
}

fn read(dir: &Path, key: &[u8; 32]) -> Vec<Frame> {
    let mut frames = Vec::new();
    for path in segment_files(dir) {
        let bytes = fs::read(&path).expect("segment");
        let mut rest = &bytes[..];
        while let Some(len) = frame_len(rest) {
            let len = len.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let sealed = Sealed::read(&rest[..len])
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            assert!(
                sealed.is_signed_by(key),
                "{}: signed by its owner",
                path.display()
            );
            let frame = sealed
                .parse()
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            frames.push(frame);
            rest = &rest[len..];
        }
    }
    frames
}

fn segment_files(dir: &Path) -> Vec<PathBuf> {
    let names = names(dir)
        .into_iter()
        .filter(|name| name.ends_with(".jsonl.zst") && !name.contains(".sync-conflict-"));
    names.map(|name| dir.join(name)).collect()
}

/// The directories of sessions' journals, without the device list's.
fn session_dirs(lane: &Path) -> Vec<PathBuf> {
    let tools = names(lane).into_iter().filter(|tool| tool != LIST);
    two_below(tools.map(|tool| lane.join(tool)).collect())
}

/// The directories of these tools' journals: each is in one of its project.
fn two_below(mut dirs: Vec<PathBuf>) -> Vec<PathBuf> {
    for _ in 0..2 {
        dirs = dirs
            .iter()
            .flat_map(|dir| names(dir).into_iter().map(move |name| dir.join(name)))
            .collect();
    }
    dirs
}

/// The frames of a device's own list.
pub fn list_frames(device: &Device) -> Vec<Frame> {
    let owner = device.short();
    let live = device.vault().lane_dir(&owner, Lane::Priority);
    let (_, key) = presence::read(&live, &owner).expect("its presence");
    let dirs = two_below(vec![live.join(LIST)]);
    dirs.iter().flat_map(|dir| read(dir, &key)).collect()
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.retain(|name| !name.starts_with('.'));
    names.sort();
    names
}
