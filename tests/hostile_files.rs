//! Vault files made to exhaust, block or deceive their reader: frames that unpack to more than they
//! should, links, FIFOs, files exchanged while they are read. Each file is read below the vault as
//! the engine reads it, while the memory of the whole process is counted.

use session_roam_core::session::{
    Chain, ChainId, DocName, Hlc, Lane, ProjectKey, SessionId, SessionKey, ToolId,
    device_id::device_id_of_cert,
};
use session_roam_core::vault::frame::{self, Head};
use session_roam_core::vault::keys::DeviceKey;
use session_roam_core::vault::{Entry, Fault, Frame, Journal, Owner, Vault, VaultPath};
use std::alloc::{GlobalAlloc, Layout, System};
use std::fs;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

// ---- memory ----

struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

fn grew(by: usize) {
    let now = NOW.fetch_add(by, Ordering::Relaxed) + by;
    PEAK.fetch_max(now, Ordering::Relaxed);
}

// SAFETY: every call goes to the system allocator; only the sizes are counted as well.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        grew(layout.size());
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        NOW.fetch_sub(layout.size(), Ordering::Relaxed);
        grew(size);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// One test at a time: the count is for the whole process.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// 200 MB for any input, minus the window that zstd may allocate outside this count.
const MOST: usize = 200_000_000 - (8 << 20);

/// Does `work` and returns its peak memory.
fn peak_of<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = NOW.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    let done = work();
    (done, PEAK.load(Ordering::Relaxed).saturating_sub(before))
}

// ---- a device whose journals are read ----

struct Desk {
    _home: tempfile::TempDir,
    vault: Vault,
    key: DeviceKey,
    owner: Owner,
    dir: String,
}

fn tool() -> ToolId {
    ToolId::new("x")
}

fn session() -> SessionId {
    SessionId::new("s")
}

impl Desk {
    fn new() -> Self {
        let home = tempfile::tempdir().expect("home");
        let key = DeviceKey::from_secret(&[7; 32]);
        let device = device_id_of_cert(b"desk");
        let session_key = SessionKey::new(&tool(), &session());
        let dir = VaultPath::journal_dir(
            &device.short(),
            Lane::Priority,
            &session_key,
            &ProjectKey::new("p"),
        );
        let owner = Owner {
            device,
            key: key.public(),
        };
        let desk = Self {
            vault: Vault::at(home.path()),
            _home: home,
            key,
            owner,
            dir,
        };
        fs::create_dir_all(desk.vault.file(&desk.dir)).expect("dir");
        desk
    }

    fn segment(&self) -> PathBuf {
        self.vault.file(&format!("{}/0001.jsonl.zst", self.dir))
    }

    fn journal(&self) -> Journal {
        Journal::new(&self.owner.device.short(), Lane::Priority, self.dir.clone())
    }

    fn head(&self, version: u32) -> Head {
        let head = self.journal().next_head(
            &self.owner.device,
            "desk",
            &tool(),
            &session(),
            Hlc::default(),
        );
        Head { v: version, ..head }
    }

    /// The first frame of the journal, signed by the desk.
    fn frame(&self, version: u32, entries: &[Entry]) -> Vec<u8> {
        frame::render(&self.head(version), entries, |message| {
            self.key.sign(message).to_vec()
        })
        .0
    }

    fn put(&self, bytes: &[u8]) {
        fs::write(self.segment(), bytes).expect("written");
    }

    /// The accepted frames, and the fault of the rest.
    fn read(&self) -> (Journal, Vec<usize>) {
        let (mut journal, mut seen) = (self.journal(), Vec::new());
        let each = |_: &mut Journal, frame: &Frame, (), _, _| seen.push(frame.entries.len());
        journal
            .read_new(&self.vault, &self.owner, &mut None, |_| (), each)
            .expect("read");
        (journal, seen)
    }

    /// Reads the journal, refuses it, and stays within the memory limit.
    fn refuses(&self, what: &str) {
        let ((journal, seen), peak) = peak_of(|| self.read());
        assert_eq!(seen, [0; 0], "{what}");
        assert!(
            matches!(journal.fault, Some(Fault::Forged { .. })),
            "{what}: {:?}",
            journal.fault
        );
        assert!(peak < MOST, "{what}: {peak} bytes");
    }
}

fn lines(bytes: Vec<u8>) -> Entry {
    let mut chain = Chain::start();
    chain.feed(&bytes);
    let (doc, after) = (DocName::new("main"), ChainId::log_start());
    Entry::Lines {
        doc,
        at: "main".into(),
        after,
        tip: chain.tip,
        replaces: None,
        bytes,
    }
}

/// A zstd frame of `len` bytes `x`, in blocks of 128 KiB of one byte: 4 bytes stand for each.
fn bomb(len: u64, says_its_size: bool) -> Vec<u8> {
    const BLOCK: u64 = 128 << 10;
    let mut bytes = 0xFD2F_B528u32.to_le_bytes().to_vec();
    // A window of 1 MiB; the size of the content in 8 bytes, or not stated.
    bytes.extend(if says_its_size {
        [0b1100_0000, 10 << 3]
    } else {
        [0, 10 << 3]
    });
    if says_its_size {
        bytes.extend(len.to_le_bytes());
    }
    let blocks = len.div_ceil(BLOCK);
    for number in 0..blocks {
        let size = BLOCK.min(len - number * BLOCK);
        let last = u64::from(number + 1 == blocks);
        bytes.extend(&(size << 3 | 1 << 1 | last).to_le_bytes()[..3]);
        bytes.push(b'x');
    }
    bytes
}

/// A frame of version 2 as the page describes it, around any bytes.
fn envelope(desk: &Desk, packed: &[u8], unpacked: u32, sign: bool) -> Vec<u8> {
    let head = desk.head(2);
    let mut bytes = 0x184D_2A5Bu32.to_le_bytes().to_vec();
    bytes.extend(148u32.to_le_bytes());
    bytes.extend(b"SRJ\x02");
    bytes.extend((packed.len() as u32).to_le_bytes());
    bytes.extend(unpacked.to_le_bytes());
    bytes.extend(0u64.to_le_bytes());
    bytes.extend(
        data_encoding::HEXLOWER
            .decode(head.prev.0.as_bytes())
            .expect("hexadecimal"),
    );
    let mut hasher = blake3::Hasher::new_derive_key("session-roam v2 frame");
    let hash = hasher.update(&bytes[8..]).update(packed).finalize();
    bytes.extend(hash.as_bytes());
    let signature = desk
        .key
        .sign(format!("session-roam v2 frame\n{}", hash.to_hex()).as_bytes());
    bytes.extend(if sign { signature } else { [0; 64] });
    bytes.extend(packed);
    bytes
}

const LIMIT: u64 = 160 << 20;

/// F9: fourteen frames of 900 MiB in 410 KB, without a signature.
#[test]
fn a_frame_that_nobody_signed_is_not_unpacked() {
    let _alone = alone();
    for says_its_size in [true, false] {
        let desk = Desk::new();
        desk.put(&bomb(900 << 20, says_its_size).repeat(14));
        desk.refuses("fourteen frames of 900 MiB");
    }
    let desk = Desk::new();
    let packed = bomb(LIMIT, true);
    desk.put(&envelope(&desk, &packed, LIMIT as u32, false));
    let ((journal, _), peak) = peak_of(|| desk.read());
    assert!(
        matches!(&journal.fault, Some(Fault::Forged { why, .. }) if why.contains("signature")),
        "{journal:?}"
    );
    assert!(
        peak < 8 << 20,
        "nothing of it was given to zstd: {peak} bytes"
    );
}

/// The control for the refusals: a frame that is sealed here by hand, as the page describes, is
/// accepted.
#[test]
fn a_frame_sealed_as_the_page_says_is_accepted() {
    let _alone = alone();
    let desk = Desk::new();
    let head = serde_json::to_string(&desk.head(2)).expect("JSON");
    let lines = format!("{{\"k\":\"head\",{}\n{{\"k\":\"poem\"}}\n", &head[1..]);
    let packed = zstd::bulk::compress(lines.as_bytes(), 3).expect("zstd");
    let bytes = envelope(&desk, &packed, lines.len() as u32, true);
    desk.put(&bytes);
    let (journal, seen) = desk.read();
    assert_eq!((journal.fault, seen), (None, vec![1]));
    assert_eq!(
        zstd::decode_all(&bytes[..]).expect("zstdcat passes over the header"),
        lines.as_bytes()
    );
}

/// F9: an owner that is itself hostile.
#[test]
fn a_signed_frame_unpacks_to_no_more_than_it_says_and_no_frame_says_more_than_the_limit() {
    let _alone = alone();
    for (what, unpacked, says) in [
        ("more than it says", LIMIT, 1 << 20),
        ("less than it says", 1 << 20, LIMIT),
        ("more than the limit", 900 << 20, 900 << 20),
        ("the limit, and no JSON", LIMIT, LIMIT),
        ("one line of no end", (1 << 20) + 7, (1 << 20) + 7),
    ] {
        let desk = Desk::new();
        desk.put(&envelope(&desk, &bomb(unpacked, true), says as u32, true));
        desk.refuses(what);
    }
    for version in [1, 2] {
        for (what, entries) in [
            (
                "too many entries",
                vec![Entry::Unknown(r#"{"k":"x"}"#.into()); (1 << 16) + 1],
            ),
            ("too many lines", vec![lines(vec![b'\n'; (1 << 21) + 1])]),
            (
                "too many lines for their bytes",
                vec![lines([&[b'x'; 39][..], b"\n"].concat().repeat(1 << 21))],
            ),
            (
                "a longer entry than any recorder's",
                vec![lines([vec![b'x'; 130 << 20], vec![b'\n']].concat())],
            ),
            (
                "two large entries",
                vec![lines([vec![b'x'; 9 << 20], vec![b'\n']].concat()); 2],
            ),
        ] {
            let desk = Desk::new();
            desk.put(&desk.frame(version, &entries));
            drop(entries);
            desk.refuses(&format!("{what} in version {version}"));
        }
    }
}

/// F9: input within the limits is read within the memory limit, whatever it contains.
#[test]
fn a_frame_as_large_as_any_may_be_is_read_within_200_megabytes() {
    let _alone = alone();
    let noise = |len: usize| {
        let mut bytes = vec![0; len];
        blake3::Hasher::new().finalize_xof().fill(&mut bytes);
        bytes.push(b'\n');
        bytes
    };
    let quotes = |len: usize| [vec![b'"'; len], vec![b'\n']].concat();
    for (version, what, entry) in [
        (2, "quotes only", lines(quotes((79 << 20) + 500))),
        (
            1,
            "one long text",
            lines([vec![b'x'; (128 << 20) + 500], vec![b'\n']].concat()),
        ),
        (2, "noise", lines(noise(78 << 20))),
        (2, "as many lines as may be", lines(vec![b'\n'; 1 << 21])),
    ] {
        {
            let desk = Desk::new();
            let (Entry::Lines { bytes, .. }, entry) = (entry.clone(), entry) else {
                panic!("lines")
            };
            let expected = blake3::hash(&bytes);
            drop(bytes);
            desk.put(&desk.frame(version, &[entry]));
            let mut found = None;
            let (journal, peak) = peak_of(|| {
                let mut journal = desk.journal();
                let each = |_: &mut Journal, frame: &Frame, (), _, _| {
                    let [Entry::Lines { bytes, .. }] = &frame.entries[..] else {
                        panic!("lines")
                    };
                    found = Some(blake3::hash(bytes));
                };
                journal
                    .read_new(&desk.vault, &desk.owner, &mut None, |_| (), each)
                    .expect("read");
                journal
            });
            assert_eq!(
                (journal.fault, journal.frames),
                (None, 1),
                "{what} in version {version}"
            );
            assert_eq!(found, Some(expected), "{what} in version {version}");
            assert!(peak < MOST, "{what} in version {version}: {peak} bytes");
            println!("{what} in version {version}: {} MB", peak / 1_000_000);
        }
    }
}

/// F9: as many workers as the engine has read a frame of the largest size at the same moment.
#[test]
fn large_frames_are_read_one_at_a_time() {
    let _alone = alone();
    let desk = Desk::new();
    let frame = desk.frame(
        2,
        &[lines([vec![b'"'; (79 << 20) + 500], vec![b'\n']].concat())],
    );
    desk.put(&frame);
    drop(frame);
    let (read, peak) = peak_of(|| {
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..4).map(|_| scope.spawn(|| desk.read().1)).collect();
            workers
                .into_iter()
                .map(|worker| worker.join().expect("read"))
                .collect::<Vec<_>>()
        })
    });
    assert_eq!(read, vec![vec![1]; 4]);
    assert!(peak < MOST, "{peak} bytes");
    println!("four at once: {} MB", peak / 1_000_000);
}

/// F9: a link to `/dev/zero` took 4 GB in 11 seconds; a FIFO stopped the loop for good.
#[cfg(unix)]
#[test]
fn a_segment_or_a_device_file_that_is_no_file_is_refused_at_once() {
    use session_roam_core::vault::presence;
    use std::os::unix::fs::symlink;
    let _alone = alone();
    let fifo = |path: &std::path::Path| {
        let path = std::ffi::CString::new(path.as_os_str().as_encoded_bytes()).expect("a path");
        // SAFETY: the path is a C string that lives as long as the call.
        assert_eq!(unsafe { libc::mkfifo(path.as_ptr(), 0o600) }, 0);
    };
    let desk = Desk::new();
    symlink("/dev/zero", desk.segment()).expect("link");
    desk.refuses("a link to /dev/zero");
    fs::remove_file(desk.segment()).expect("remove");
    fifo(&desk.segment());
    desk.refuses("a FIFO");
    fs::remove_file(desk.segment()).expect("remove");
    // A valid segment, behind a link and in a directory that is a link.
    let elsewhere = desk.vault.root().with_file_name("elsewhere");
    fs::create_dir_all(&elsewhere).expect("dir");
    fs::write(
        elsewhere.join("0001.jsonl.zst"),
        desk.frame(2, &[lines(b"{}\n".to_vec())]),
    )
    .expect("written");
    symlink(elsewhere.join("0001.jsonl.zst"), desk.segment()).expect("link");
    desk.refuses("a link to a good segment");
    fs::remove_dir_all(desk.vault.file(&desk.dir)).expect("remove");
    symlink(&elsewhere, desk.vault.file(&desk.dir)).expect("link");
    let mut journal = desk.journal();
    let read = journal.read_new(
        &desk.vault,
        &desk.owner,
        &mut None,
        |_| (),
        |_, _, (), _, _| panic!("accepted"),
    );
    assert!(read.is_err() || journal.fault.is_some());

    let short = desk.owner.device.short();
    let lane = desk.vault.lane_dir(&short, Lane::Priority);
    symlink("/dev/zero", lane.join(presence::FILE)).expect("link");
    let (read, peak) = peak_of(|| presence::read(&lane, &short).map(|_| ()));
    assert!(read.is_err() && peak < 1 << 20, "{peak}");
    fs::remove_file(lane.join(presence::FILE)).expect("remove");
    fifo(&lane.join(presence::FILE));
    assert!(presence::read(&lane, &short).is_err());
}

/// F9: a reader may stop after any frame; no later frame is lost or seen twice.
#[test]
fn reading_goes_on_where_it_was_broken_off() {
    let _alone = alone();
    let desk = Desk::new();
    let (mut head, mut all) = (desk.head(2), Vec::new());
    for number in 0..9 {
        let entries = vec![Entry::Unknown(format!(r#"{{"k":"x","number":{number}}}"#))];
        let (bytes, hash) =
            frame::render(&head, &entries, |message| desk.key.sign(message).to_vec());
        all.extend(bytes);
        (head.n, head.prev) = (head.n + 1, hash);
    }
    desk.put(&all);
    let (mut journal, mut seen) = (desk.journal(), Vec::new());
    for pass in 1..=5u64 {
        let each = |_: &mut Journal, frame: &Frame, (), _, _| {
            seen.push(frame.head.n);
            if frame.head.n % 2 == 1 {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        };
        journal
            .read_while(&desk.vault, &desk.owner, &mut None, |_| (), each)
            .expect("read");
        assert_eq!((journal.frames, &journal.fault), ((2 * pass).min(9), &None));
        assert_eq!(
            journal.accepted(&desk.vault).expect("served").len() as u64,
            journal.frames
        );
    }
    assert_eq!(seen, (0..9).collect::<Vec<_>>());
}

/// F7: another file replaces a segment while it is read, over and over. The kept bytes are the
/// verified ones.
#[test]
fn what_is_kept_was_verified_however_often_the_segment_is_exchanged() {
    use std::sync::atomic::AtomicBool;
    let _alone = alone();
    let desk = Desk::new();
    let good = desk.frame(2, &[lines(b"{\"said\":\"by the desk\"}\n".to_vec())]);
    let mut forged = good.clone();
    let last = forged.len() - 1;
    forged[last] ^= 1;
    let (segment, done) = (desk.segment(), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let other = segment.with_extension("other");
            while !done.load(Ordering::Relaxed) {
                for bytes in [&good, &forged] {
                    fs::write(&other, bytes).expect("written");
                    fs::rename(&other, &segment).expect("renamed");
                }
            }
        });
        let kept = desk
            .vault
            .kept
            .file(&format!("{}/0001.jsonl.zst", desk.dir));
        let (mut accepted, mut wrong) = (0, 0);
        for _ in 0..20_000 {
            let (journal, seen) = desk.read();
            if seen == [1] {
                accepted += 1;
                wrong += u32::from(fs::read(&kept).expect("kept") != good);
                assert_eq!(
                    journal.accepted(&desk.vault).expect("served")[0]
                        .entries
                        .len(),
                    1
                );
            }
            let _ = fs::remove_file(&kept);
            if 100 <= accepted {
                break;
            }
        }
        done.store(true, Ordering::Relaxed);
        assert_eq!(wrong, 0, "of {accepted} that were accepted");
        assert!(accepted > 0);
    });
}

/// F7: the stored checksum is compared on each read; when one of the two copies is damaged, the
/// other is served.
#[test]
fn accepted_bytes_that_are_damaged_are_served_from_where_they_are_whole() {
    let _alone = alone();
    let desk = Desk::new();
    let good = desk.frame(2, &[lines(b"{\"said\":\"by the desk\"}\n".to_vec())]);
    desk.put(&good);
    let (journal, _) = desk.read();
    let kept = desk
        .vault
        .kept
        .file(&format!("{}/0001.jsonl.zst", desk.dir));
    let replace = |path: &PathBuf, bytes: &[u8]| {
        fs::remove_file(path).expect("remove");
        fs::write(path, bytes).expect("write");
    };
    let mut forged = good.clone();
    let last = forged.len() - 1;
    forged[last] ^= 1;
    replace(&kept, &forged);
    assert_eq!(
        journal
            .accepted(&desk.vault)
            .expect("served from the vault")
            .len(),
        1
    );
    assert_eq!(
        fs::read(&kept).expect("kept"),
        good,
        "and the safety copy is whole again"
    );
    replace(&desk.segment(), &forged);
    assert_eq!(
        journal
            .accepted(&desk.vault)
            .expect("served from what is kept")
            .len(),
        1
    );
    replace(&kept, &forged);
    assert!(
        journal.accepted(&desk.vault).is_err(),
        "forged in both places: nothing is served"
    );
}
