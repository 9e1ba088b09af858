//! How large anything may be that comes from another device, always by its unpacked size. What our recorder writes stays
//! far below each of them, so whatever is beyond is nobody's session. docs/journal-format.md has them as a table.

/// A frame's JSON lines. The recorder takes one line or one snapshot of at most 128 MiB; quoted, it is longer.
pub const FRAME: u64 = 160 << 20;
/// A frame as it is stored and as it is unpacked, together: both are in memory at the same time.
pub const FRAME_BOTH: u64 = 184 << 20;
/// A segment file or an unpacked frame beyond this is read while no other one is, whichever session it belongs to: what
/// all workers hold together stays bounded.
pub const READ_ALONE: u64 = 16 << 20;
/// The window that zstd may ask for where a frame is unpacked piece by piece: 8 MiB; our writer's is 2 MiB.
pub const WINDOW_LOG: u32 = 23;
/// The head of a frame, and its seal in version 1.
pub const HEAD: usize = 64 << 10;
pub const SEAL: usize = 1 << 10;
/// Entries of one frame.
pub const ENTRIES: usize = 1 << 16;
/// All entries of a frame but the largest one: the recorder ends a frame when it holds 1 MiB.
pub const OTHERS: usize = 8 << 20;
/// Lines of logs in one frame: the recorder cuts at 1 MiB, which is as many lines at most, and one entry more.
pub const LINES: usize = 1 << 21;
/// Frames read at once, and bytes they unpack to; one larger frame is read alone.
pub const BATCH_FRAMES: usize = 256;
pub const BATCH_BYTES: u64 = 8 << 20;
/// Lines of new frames that are held at once before they go into their tries; the last frame may exceed it.
pub const PASS_LINES: usize = 1 << 19;
/// Lines of a frame that are chained beside others; a longer one is alone.
pub const ASIDE_LINES: usize = 1 << 16;
/// No frame begins behind this in a segment: a writer begins a new one there.
pub const SEGMENT: u64 = 1 << 20;
/// What is read of a segment: the frames that begin in it, the last one of any size.
pub const SEGMENT_FILE: u64 = SEGMENT + FRAME_BOTH;
/// Names in one directory of the vault.
pub const NAMES: usize = 100_000;
/// Bytes of frames beside a journal that are taken in at once.
pub const STRANDS: usize = 32 << 20;
/// `device.json`.
pub const PRESENCE: u64 = 4 << 20;
/// The content of a snapshot: what the recorder takes.
pub const CONTENT: u64 = 128 << 20;
/// One record of a log, in however many pieces.
pub const RECORD: u64 = 1 << 30;
/// Pieces of one record, and the bytes of each.
pub const PIECES: u32 = 1 << 12;
pub const PIECE: u64 = 1 << 20;
/// A doc's name, an author's place for it or directory: longer than any path that a system takes.
pub const PATH: usize = 4096;
/// The id of a session or a tool.
pub const ID: usize = 256;
/// Docs of one session.
pub const DOCS: usize = 10_000;
/// Texts for people: a title, a project's name. What is longer is shown shortened.
pub const TITLE: usize = 300;
/// A project's names, and ids that a session requires.
pub const NAMED: usize = 64;
/// Devices and open sessions in `device.json`, each list.
pub const KNOWN: usize = 256;

/// A text for people, shortened to what is shown of it; the bytes in the journal stay.
pub fn shown(text: &str) -> String {
    match text.char_indices().nth(TITLE) {
        None => text.to_owned(),
        Some(_) => {
            let end = text
                .char_indices()
                .nth(TITLE - 1)
                .map_or(text.len(), |(end, _)| end);
            format!("{}…", &text[..end])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_shortened_once() {
        let long = "ä".repeat(100_000);
        assert_eq!(shown(&long).chars().count(), TITLE);
        assert_eq!(shown(&shown(&long)), shown(&long));
        let fits = "ä".repeat(TITLE);
        assert_eq!(shown(&fits), fits);
    }
}
