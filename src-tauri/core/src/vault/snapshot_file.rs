//! The file of one recorded state of a checkout: a description, a manifest and a pack, in a chain of
//! signed frames of its own, so that older files can go while later ones stay. Knows neither git nor
//! what a manifest says.

use super::envelope::{Sealed, claimed};
use super::frame::{self, Entry, Frame, FrameError};
use super::head::Head;
use super::keys::DeviceKey;
use super::{Owner, Vault, VaultPath};
use crate::opener::{self, Kind};
use crate::session::{ChainId, DeviceId, Hlc, Lane, SessionId, SessionKey, ToolId};
use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

const ENDING: &str = ".code.zst";
/// The largest file that is read, and the largest manifest and pack together that are written.
const LARGEST: u64 = 160 << 20;
pub const LARGEST_CONTENT: u64 = 96 << 20;
/// The first frame holds the description alone.
const FIRST: u64 = 64 << 10;
/// Bytes of an entry, and entries of a frame: an entry stays below 1 MiB and a frame below 8 MiB, as
/// every reader of frames wants it.
const PIECE: usize = 512 << 10;
const PIECES: usize = 8;
/// The most that a frame with pieces unpacks to: the base64 of its pieces, and a little.
const LARGEST_FRAME: u64 = 8 << 20;
/// The most states that a description names.
const SEEN: usize = 64;

/// The directory of the git objects of a session's snapshots on this device.
pub fn objects_dir(home: &Path, key: &SessionKey) -> PathBuf {
    home.join("code").join(key.tool.as_str()).join(&key.hash)
}

/// No tool has a name like this.
pub const KEPT_INDEXES: &str = ".indexes";

/// The directory of indexes that the next recordings of checkouts build on. Nothing is lost with it.
pub fn kept_indexes(home: &Path) -> PathBuf {
    home.join("code").join(KEPT_INDEXES)
}

/// What a file says about itself, in its first frame.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "k", rename = "code")]
pub struct Description {
    /// The number in the file's name.
    pub number: u32,
    /// The id of the snapshot.
    pub snapshot: String,
    /// The number of the file on whose snapshot the pack builds; `None` if it builds on none.
    pub after: Option<u32>,
    /// Snapshots of other devices that were applied in this checkout before.
    #[serde(default)]
    pub seen: Vec<String>,
    /// The commit that was checked out: the device's repository has it. Missing in files of earlier
    /// versions, and before the first commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<String>,
    /// The end of the session's main doc at that time.
    pub tip: ChainId,
    /// The version of the rules for secrets that were in effect; empty in files of earlier versions.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub rules: String,
    /// The lengths in bytes.
    pub manifest: u64,
    pub pack: u64,
}

/// A piece of the manifest, or of the pack behind it.
#[derive(Serialize, Deserialize)]
#[serde(tag = "k", rename = "code-piece")]
struct PieceLine {
    base64: String,
}

/// A file that was read and verified as far as its first frame.
#[derive(Clone, Debug, PartialEq)]
pub struct Described {
    pub description: Description,
    pub at: Hlc,
    /// The session, as its author names it.
    pub session: SessionId,
}

#[derive(Debug, thiserror::Error)]
pub enum SnapshotFileError {
    #[error("it could not be read")]
    Io(#[from] io::Error),
    #[error("it has not arrived whole")]
    Torn,
    #[error("a frame of it is refused: {0}")]
    Frame(#[from] FrameError),
    #[error("it is not signed by its device")]
    Signature,
    #[error("it is of another device, session or number than its path says")]
    Elsewhere,
    #[error("it does not hold what its first frame says")]
    Content,
}

type Result<T> = std::result::Result<T, SnapshotFileError>;

/// Whose file it is, and for which session.
#[derive(Clone, Copy, Debug)]
pub struct Author<'a> {
    pub device: &'a DeviceId,
    pub name: &'a str,
    pub key: &'a DeviceKey,
    pub tool: &'a ToolId,
    pub session: &'a SessionId,
}

/// The directory of a session's files: that of a journal of the same device, in the lane for code.
pub fn dir_beside(journal_dir: &str) -> Option<String> {
    let mut parts = journal_dir.splitn(3, '/');
    let (device, _, below) = (parts.next()?, parts.next()?, parts.next()?);
    Some(format!("{device}/{}/{below}", Lane::Code.as_str()))
}

fn file_name(number: u32) -> String {
    format!("{number:04}{ENDING}")
}

/// The path of a file in its lane's folder.
pub fn in_lane(dir: &str, number: u32) -> String {
    let below = dir.splitn(3, '/').nth(2).unwrap_or_default();
    format!("{below}/{}", file_name(number))
}

/// The numbers of the files in a directory, ascending, each with its size.
pub fn list(vault: &Vault, dir: &str) -> io::Result<Vec<(u32, u64)>> {
    let number = |name: &str| -> Option<u32> {
        let digits = name.strip_suffix(ENDING)?;
        let number = digits.parse().ok()?;
        (file_name(number) == name).then_some(number)
    };
    let listed = vault.list(dir)?.into_iter();
    let mut files: Vec<(u32, u64)> = listed
        .filter(|listed| listed.kind == Kind::File)
        .filter_map(|listed| Some((number(listed.name.to_str()?)?, listed.len)))
        .collect();
    files.sort();
    Ok(files)
}

/// The head of a file's first frame.
fn first_head(author: &Author<'_>, at: Hlc) -> Head {
    let Author {
        device,
        name,
        tool,
        session,
        ..
    } = *author;
    Head {
        v: frame::VERSION,
        device: device.clone(),
        lane: Lane::Code,
        tool: tool.clone(),
        session: session.clone(),
        n: 0,
        prev: frame::genesis(device, Lane::Code, tool, session),
        at,
        by: name.to_owned(),
    }
}

/// Writes a file of this device whole, by temp file and rename.
pub fn write(
    vault: &Vault,
    dir: &str,
    author: &Author<'_>,
    at: Hlc,
    description: &Description,
    content: &mut dyn Read,
) -> io::Result<()> {
    let path = vault.file(&format!("{dir}/{}", file_name(description.number)));
    let parent = path.parent().unwrap_or(vault.root());
    std::fs::create_dir_all(parent)?;
    let mut file = tempfile::Builder::new()
        .suffix(".sr-tmp")
        .tempfile_in(parent)?;
    let mut head = first_head(author, at);
    let mut push = |entries: Vec<Entry>| {
        let (bytes, hash) =
            frame::render(&head, &entries, |message| author.key.sign(message).to_vec());
        (head.n, head.prev) = (head.n + 1, hash);
        file.write_all(&bytes)
    };
    push(vec![line(description)?])?;
    loop {
        let mut entries = Vec::new();
        while entries.len() < PIECES {
            let mut piece = Vec::new();
            content.take(PIECE as u64).read_to_end(&mut piece)?;
            if piece.is_empty() {
                break;
            }
            let base64 = BASE64.encode(&piece);
            entries.push(line(&PieceLine { base64 })?);
        }
        match entries.is_empty() {
            true => break,
            false => push(entries)?,
        }
    }
    file.as_file().sync_all()?;
    file.persist(&path).map(drop).map_err(|error| error.error)
}

fn line(line: &impl Serialize) -> io::Result<Entry> {
    let text = serde_json::to_string(line).map_err(io::Error::other)?;
    Ok(Entry::Unknown(text))
}

/// Removes a file of this device.
pub fn remove(vault: &Vault, dir: &str, number: u32) -> io::Result<()> {
    std::fs::remove_file(vault.file(&format!("{dir}/{}", file_name(number))))
}

/// Reads and verifies the first frame of a file.
pub fn describe(vault: &Vault, owner: &Owner, dir: &str, number: u32) -> Result<Described> {
    let mut file = vault.open(&format!("{dir}/{}", file_name(number)))?;
    let bytes = opener::start_of(&mut file, FIRST)?;
    Frames::of(owner, dir, &bytes).first(number)
}

/// Reads and verifies a whole file; returns the manifest and writes the pack.
pub fn read(
    vault: &Vault,
    owner: &Owner,
    dir: &str,
    number: u32,
    pack: &mut dyn Write,
) -> Result<(Described, Vec<u8>)> {
    let file = vault.open(&format!("{dir}/{}", file_name(number)))?;
    let bytes = opener::all_of(&file, LARGEST)?;
    let mut frames = Frames::of(owner, dir, &bytes);
    let described = frames.first(number)?;
    let Description {
        manifest: n_manifest,
        pack: n_pack,
        ..
    } = described.description;
    let total = n_manifest.saturating_add(n_pack);
    if LARGEST_CONTENT < total {
        return Err(FrameError::TooLarge.into());
    }
    let (mut manifest, mut n_read) = (Vec::new(), 0u64);
    while n_read < total {
        for piece in pieces(frames.next(LARGEST_FRAME)?)? {
            n_read += piece.len() as u64;
            let missing = usize::try_from(n_manifest).unwrap_or(usize::MAX) - manifest.len();
            let (one, other) = piece.split_at(missing.min(piece.len()));
            manifest.extend_from_slice(one);
            pack.write_all(other)?;
        }
    }
    match n_read == total && frames.rest.is_empty() {
        true => Ok((described, manifest)),
        false => Err(SnapshotFileError::Content),
    }
}

fn pieces(frame: Frame) -> Result<Vec<Vec<u8>>> {
    let piece = |entry: Entry| match entry {
        Entry::Unknown(text) => {
            let line: PieceLine = serde_json::from_str(&text).ok()?;
            let bytes = BASE64.decode(line.base64.as_bytes()).ok()?;
            (!bytes.is_empty()).then_some(bytes)
        }
        _ => None,
    };
    let pieces: Option<Vec<_>> = frame.entries.into_iter().map(piece).collect();
    pieces
        .filter(|pieces| !pieces.is_empty())
        .ok_or(SnapshotFileError::Content)
}

/// The frames of one file, each verified before it is unpacked.
struct Frames<'a> {
    owner: &'a Owner,
    dir: &'a str,
    rest: &'a [u8],
    n: u64,
    prev: Option<frame::FrameHash>,
    of: Option<(ToolId, SessionId)>,
}

impl<'a> Frames<'a> {
    fn of(owner: &'a Owner, dir: &'a str, bytes: &'a [u8]) -> Self {
        Self {
            owner,
            dir,
            rest: bytes,
            n: 0,
            prev: None,
            of: None,
        }
    }

    fn first(&mut self, number: u32) -> Result<Described> {
        let frame = self.next(FIRST)?;
        let [Entry::Unknown(text)] = frame.entries.as_slice() else {
            return Err(SnapshotFileError::Content);
        };
        let description: Description =
            serde_json::from_str(text).map_err(|_| SnapshotFileError::Content)?;
        if description.number != number {
            return Err(SnapshotFileError::Elsewhere);
        }
        let is_before = description.after.is_none_or(|after| after < number);
        if !is_before || SEEN < description.seen.len() {
            return Err(SnapshotFileError::Content);
        }
        Ok(Described {
            description,
            at: frame.head.at,
            session: frame.head.session,
        })
    }

    /// The next frame, if it claims to unpack to no more than `most` bytes. What is written by another
    /// device takes memory only within these bounds.
    fn next(&mut self, most: u64) -> Result<Frame> {
        let len = frame::frame_len(self.rest).ok_or(SnapshotFileError::Torn)??;
        let (bytes, rest) = self.rest.split_at(len);
        if most < claimed(bytes) {
            return Err(FrameError::TooLarge.into());
        }
        let sealed = Sealed::read(bytes)?;
        if !sealed.is_signed_by(&self.owner.key) {
            return Err(SnapshotFileError::Signature);
        }
        let (n, prev) = (sealed.n, sealed.prev.clone());
        let frame = sealed.parse()?;
        let Head {
            device,
            lane,
            tool,
            session,
            ..
        } = &frame.head;
        let start = || frame::genesis(device, Lane::Code, tool, session);
        let follows = (n, &prev) == (self.n, self.prev.as_ref().unwrap_or(&start()));
        let key = crate::session::SessionKey::new(tool, session);
        let path = VaultPath::parse_dir(self.dir);
        let is_place =
            path.is_some_and(|(short, known)| short == self.owner.device.short() && known == key);
        let is_same = self
            .of
            .as_ref()
            .is_none_or(|(one, other)| one == tool && other == session);
        if !follows || !is_place || !is_same || *device != self.owner.device || *lane != Lane::Code
        {
            return Err(SnapshotFileError::Elsewhere);
        }
        (self.n, self.prev, self.rest) = (self.n + 1, Some(frame.hash.clone()), rest);
        self.of = Some((tool.clone(), session.clone()));
        Ok(frame)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::{Millis, SessionKey};
    use std::fs;

    struct Desk {
        _dir: tempfile::TempDir,
        vault: Vault,
        key: DeviceKey,
        owner: Owner,
        dir: String,
    }

    const LONG: usize = 9 * PIECE + 7;

    impl Desk {
        fn new() -> Self {
            let dir = tempfile::tempdir().expect("a directory");
            let key = DeviceKey::from_secret(&[7; 32]);
            let device = crate::session::device_id::device_id_of_cert(b"desk");
            let session = SessionKey::new(&ToolId::new("claude-code"), &SessionId::new("s"));
            Self {
                vault: Vault::at(dir.path()),
                owner: Owner {
                    device: device.clone(),
                    key: key.public(),
                },
                dir: format!(
                    "{}/code/claude-code/project/{}",
                    device.short(),
                    session.hash
                ),
                key,
                _dir: dir,
            }
        }

        fn pack(number: u32) -> Vec<u8> {
            (0..LONG)
                .map(|at| (at as u32 * 31 + number) as u8)
                .collect()
        }

        fn write(&self, number: u32) {
            let pack = Self::pack(number);
            let description = Description {
                number,
                snapshot: "0".repeat(40),
                after: None,
                seen: Vec::new(),
                head: None,
                tip: ChainId::log_start(),
                rules: String::new(),
                manifest: 5,
                pack: pack.len() as u64,
            };
            let author = Author {
                device: &self.owner.device,
                name: "desk",
                key: &self.key,
                tool: &ToolId::new("claude-code"),
                session: &SessionId::new("s"),
            };
            let at = Hlc {
                wall: Millis(1),
                count: 0,
            };
            let mut content = io::Cursor::new(b"hello".to_vec()).chain(io::Cursor::new(pack));
            write(
                &self.vault,
                &self.dir,
                &author,
                at,
                &description,
                &mut content,
            )
            .expect("written");
        }

        fn path(&self, number: u32) -> std::path::PathBuf {
            self.vault
                .file(&format!("{}/{}", self.dir, file_name(number)))
        }

        fn read(&self, number: u32) -> Result<(Vec<u8>, Vec<u8>)> {
            let mut pack = Vec::new();
            let (_, manifest) = read(&self.vault, &self.owner, &self.dir, number, &mut pack)?;
            Ok((manifest, pack))
        }
    }

    #[test]
    fn a_file_comes_back_as_it_was_written_and_is_not_much_larger() {
        let desk = Desk::new();
        desk.write(1);
        desk.write(12);
        let (manifest, pack) = desk.read(12).expect("whole");
        assert_eq!((manifest.as_slice(), pack), (&b"hello"[..], Desk::pack(12)));
        let described = describe(&desk.vault, &desk.owner, &desk.dir, 12).expect("described");
        assert_eq!(described.description.number, 12);
        let numbers: Vec<u32> = list(&desk.vault, &desk.dir)
            .expect("listed")
            .into_iter()
            .map(|(number, _)| number)
            .collect();
        assert_eq!(numbers, [1, 12]);
    }

    /// Zeros pack well: the file is as small as any.
    #[test]
    fn a_first_frame_that_unpacks_to_much_is_refused_before_it_is_unpacked() {
        let desk = Desk::new();
        let author = Author {
            device: &desk.owner.device,
            name: "desk",
            key: &desk.key,
            tool: &ToolId::new("claude-code"),
            session: &SessionId::new("s"),
        };
        let at = Hlc {
            wall: Millis(1),
            count: 0,
        };
        let head = first_head(&author, at);
        let long = line(&"0".repeat(1 << 20)).expect("a line");
        let (bytes, _) = frame::render(&head, &[long], |message| desk.key.sign(message).to_vec());
        assert!((bytes.len() as u64) < FIRST, "{}", bytes.len());
        fs::create_dir_all(desk.path(1).parent().expect("a directory")).expect("made");
        fs::write(desk.path(1), bytes).expect("written");
        let refused = describe(&desk.vault, &desk.owner, &desk.dir, 1);
        assert!(
            matches!(refused, Err(SnapshotFileError::Frame(FrameError::TooLarge))),
            "{refused:?}"
        );
    }

    #[test]
    fn a_byte_that_changed_anywhere_and_a_cut_are_refused() {
        let desk = Desk::new();
        desk.write(1);
        let whole = fs::read(desk.path(1)).expect("bytes");
        let step = whole.len() / 97;
        for at in (0..whole.len()).step_by(step) {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            fs::write(desk.path(1), &bytes).expect("changed");
            assert!(desk.read(1).is_err(), "byte {at}");
            fs::write(desk.path(1), &whole[..at]).expect("cut");
            assert!(desk.read(1).is_err(), "cut at {at}");
        }
        fs::write(desk.path(1), [&whole[..], b"more"].concat()).expect("longer");
        assert!(desk.read(1).is_err());
    }

    #[test]
    fn a_file_under_another_number_session_or_device_is_refused() {
        let desk = Desk::new();
        desk.write(1);
        fs::copy(desk.path(1), desk.path(2)).expect("renamed");
        assert!(matches!(desk.read(2), Err(SnapshotFileError::Elsewhere)));
        let mut other = Desk::new();
        other.dir = desk.dir.replace(&desk.dir[desk.dir.len() - 4..], "aaaa");
        fs::create_dir_all(other.path(1).parent().expect("a directory")).expect("made");
        fs::copy(desk.path(1), other.path(1)).expect("moved");
        assert!(matches!(other.read(1), Err(SnapshotFileError::Elsewhere)));
        let mut stranger = Desk::new();
        stranger.write(1);
        stranger.owner.key = DeviceKey::from_secret(&[8; 32]).public();
        assert!(matches!(
            stranger.read(1),
            Err(SnapshotFileError::Signature)
        ));
    }
}
