//! Segments damaged by a crash or disk, or written by another version.

use super::*;
use crate::merge::Title;
use crate::session::{ProjectKey, SessionKey};
use crate::vault::VaultPath;
use crate::vault::keys::DeviceKey;
use std::io::Write;

struct Desk {
    _dir: tempfile::TempDir,
    vault: Vault,
    key: DeviceKey,
    owner: Owner,
    tool: ToolId,
    session: SessionId,
    dir: String,
}

impl Desk {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("tempdir");
        let key = DeviceKey::from_secret(&[7; 32]);
        let device = crate::session::device_id::device_id_of_cert(b"desk");
        let (tool, session) = (ToolId::new("x"), SessionId::new("s"));
        let session_key = SessionKey::new(&tool, &session);
        let dir_name = VaultPath::journal_dir(
            &device.short(),
            Lane::Priority,
            &session_key,
            &ProjectKey::new("p"),
        );
        let owner = Owner {
            device,
            key: key.public(),
        };
        Self {
            vault: Vault::at(dir.path()),
            _dir: dir,
            key,
            owner,
            tool,
            session,
            dir: dir_name,
        }
    }

    fn journal(&self) -> Journal {
        Journal::new(&self.owner.device.short(), Lane::Priority, self.dir.clone())
    }

    fn append(&self, journal: &mut Journal) -> Result<(u32, u64), JournalError> {
        self.append_entries(journal, vec![Entry::Unknown(r#"{"k":"x"}"#.into())])
    }

    fn append_entries(
        &self,
        journal: &mut Journal,
        entries: Vec<Entry>,
    ) -> Result<(u32, u64), JournalError> {
        let head = journal.next_head(
            &self.owner.device,
            "desk",
            &self.tool,
            &self.session,
            Hlc::default(),
        );
        let (bytes, hash) =
            frame::render(&head, &entries, |message| self.key.sign(message).to_vec());
        journal.append(&self.vault, &bytes, &Frame::own(head, entries, hash))
    }

    fn read(&self) -> Journal {
        let mut journal = self.journal();
        journal
            .read_new(
                &self.vault,
                &self.owner,
                &mut None,
                |_| (),
                |_, _, _, _, _| (),
            )
            .expect("read");
        journal
    }

    fn segment(&self, number: u32) -> PathBuf {
        self.vault
            .file(&format!("{}/{}", self.dir, segment_name(number)))
    }

    fn damage(&self, number: u32, garbage: &[u8]) {
        let mut file = std::fs::OpenOptions::new()
            .append(true)
            .open(self.segment(number))
            .expect("open");
        file.write_all(garbage).expect("write");
    }
}

#[test]
fn what_a_crash_left_at_the_end_of_a_segment_stops_nobody() {
    let mut torn = zstd::bulk::compress(&[b'x'; 5000], 3).expect("compress");
    torn.truncate(torn.len() / 2);
    // Half a frame, and what some file systems make of it: zeros.
    for garbage in [&torn[..], &[0; 512]] {
        let desk = Desk::new();
        let mut journal = desk.journal();
        desk.append(&mut journal).expect("first");
        desk.damage(1, garbage);
        assert_eq!(desk.append(&mut journal).expect("second"), (2, 0));
        let read = desk.read();
        assert_eq!((read.frames, read.fault), (2, None));
    }
}

#[test]
fn a_refused_piece_is_told_as_long_as_nothing_goes_on_behind_it() {
    let desk = Desk::new();
    let mut journal = desk.journal();
    desk.append(&mut journal).expect("first");
    desk.damage(1, &[0; 512]);
    assert!(matches!(
        desk.read().fault,
        Some(Fault::Forged { segment: 1, .. })
    ));
    // A segment that does not continue the journal changes nothing.
    std::fs::write(desk.segment(2), b"garbage").expect("write");
    let read = desk.read();
    assert_eq!(read.frames, 1);
    assert!(matches!(read.fault, Some(Fault::Forged { segment: 1, .. })));
}

#[test]
fn a_segment_that_is_there_is_never_written_into() {
    let desk = Desk::new();
    let mut journal = desk.journal();
    desk.append(&mut journal).expect("first");
    desk.damage(1, &[0; 512]);
    std::fs::write(desk.segment(2), b"not known to the journal").expect("write");
    assert_eq!(desk.append(&mut journal).expect("second"), (3, 0));
    assert_eq!(
        std::fs::read(desk.segment(2)).expect("read"),
        b"not known to the journal"
    );
    assert_eq!(desk.read().frames, 2);
}

#[test]
fn a_damaged_segment_does_not_stop_what_comes_after_it() {
    type Damage = fn(&Desk);
    let cut: Damage = |desk| {
        let file = std::fs::OpenOptions::new()
            .write(true)
            .open(desk.segment(1))
            .expect("open");
        file.set_len(10).expect("cut");
    };
    let lost: Damage = |desk| {
        std::fs::remove_file(desk.segment(1)).expect("remove");
        std::fs::remove_dir_all(desk.vault.kept.root()).expect("remove");
    };
    for damage in [cut, lost] {
        let desk = Desk::new();
        let mut journal = desk.journal();
        desk.append(&mut journal).expect("first");
        let mut reader = desk.read();
        damage(&desk);
        assert_eq!(desk.append(&mut journal).expect("second"), (2, 0));
        reader
            .read_new(
                &desk.vault,
                &desk.owner,
                &mut None,
                |_| (),
                |_, _, _, _, _| (),
            )
            .expect("read");
        assert_eq!(
            (reader.frames, reader.fault),
            (2, Some(Fault::Changed { segment: 1 }))
        );
    }
}

#[test]
fn what_an_older_version_skipped_is_found_once() {
    let desk = Desk::new();
    let mut journal = desk.journal();
    desk.append(&mut journal).expect("first");
    let skipped = |journal: &Journal| journal.skipped(&desk.vault).expect("read");
    assert!(!journal.is_outdated() && skipped(&journal) == Skipped::Nothing);
    // Its entry is of a kind that no version knows yet.
    journal.reads = 1;
    assert!(journal.is_outdated() && skipped(&journal) == Skipped::StillUnknown);
    let looked_through = journal.clone().looked_through(Skipped::StillUnknown);
    assert!(!looked_through.is_outdated());
    assert!(
        looked_through.skipped,
        "the version that knows it looks again"
    );
    let title = Entry::Title(Title::default());
    desk.append_entries(&mut journal, vec![title])
        .expect("a title");
    assert_eq!(skipped(&journal), Skipped::Known);
    let again = journal.uncounted();
    assert_eq!((again.frames, again.is_outdated()), (2, false));
    assert_eq!(skipped(&again), Skipped::Nothing);
}

#[test]
fn a_journal_that_a_newer_version_continued_is_left_alone() {
    let desk = Desk::new();
    let mut journal = desk.journal();
    desk.append(&mut journal).expect("first");
    journal.fault = Some(Fault::Newer { version: 2 });
    assert!(matches!(
        desk.append(&mut journal),
        Err(JournalError::Newer { version: 2, .. })
    ));
}

/// A decision that was answered with an error took effect later: its frame was whole.
#[test]
fn a_frame_without_its_safety_copy_is_taken_out_again() {
    let desk = Desk::new();
    let copies = desk.vault.kept.file(&desk.dir);
    let in_the_way = || {
        std::fs::create_dir_all(copies.parent().expect("parent")).expect("dir");
        std::fs::write(&copies, "a file in place of the directory").expect("write");
    };
    let mut journal = desk.journal();
    in_the_way();
    assert!(desk.append(&mut journal).is_err());
    assert_eq!((journal.frames, desk.segment(1).exists()), (0, false));
    std::fs::remove_file(&copies).expect("repaired");
    assert_eq!(desk.append(&mut journal).expect("first"), (1, 0));
    std::fs::remove_dir_all(&copies).expect("lost");
    in_the_way();
    assert!(desk.append(&mut journal).is_err());
    assert_eq!(journal.frames, 1);
    std::fs::remove_file(&copies).expect("repaired");
    assert_eq!(desk.read().frames, 1, "nobody finds it later");
    assert_eq!(desk.append(&mut journal).expect("second").0, 1);
}

/// Syncthing took the file along while its owner wrote, or the owner's disk was full.
#[test]
fn a_torn_end_that_its_owner_cut_off_does_not_stop_the_reading() {
    let desk = Desk::new();
    let mut journal = desk.journal();
    desk.append(&mut journal).expect("first");
    let mut noise = [0; 4096];
    blake3::Hasher::new().finalize_xof().fill(&mut noise);
    let long = format!(r#"{{"k":"{}"}}"#, data_encoding::BASE64.encode(&noise));
    let long = vec![Entry::Unknown(long.as_str().into())];
    let torn = desk.append_entries(&mut journal.clone(), long);
    torn.expect("a long frame");
    let mut torn = std::fs::read(desk.segment(1)).expect("read");
    torn.pop();
    super::append::cut_back(
        &File::options()
            .write(true)
            .open(desk.segment(1))
            .expect("open"),
        &desk.segment(1),
        journal.bytes(),
    );
    desk.append(&mut journal).expect("second");
    let whole = std::fs::read(desk.segment(1)).expect("read");
    assert!(whole.len() < torn.len());
    // Another device, with safety copies of its own.
    let other = Desk::new();
    let mut reader = other.journal();
    for (bytes, frames) in [(torn, 1), (whole, 2)] {
        let path = other.segment(1);
        std::fs::create_dir_all(path.parent().expect("parent")).expect("dir");
        let _ = std::fs::remove_file(&path);
        std::fs::write(path, bytes).expect("it arrives");
        let read = reader.read_new(
            &other.vault,
            &other.owner,
            &mut None,
            |_| (),
            |_, _, _, _, _| (),
        );
        read.expect("read");
        assert_eq!((reader.frames, &reader.fault), (frames, &None));
        let accepted = reader.accepted(&other.vault).expect("accepted");
        assert_eq!(accepted.len() as u64, frames);
    }
}
