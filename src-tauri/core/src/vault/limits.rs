//! Size limits for everything from another device, always for the unpacked size. Output of this
//! program's recorder stays far below each limit, so anything beyond is no genuine session.
//! docs/journal-format.md has them as a table.

/// A frame's JSON lines. The recorder takes a line or snapshot of at most 128 MiB; quoting adds
/// bytes.
pub const FRAME: u64 = 160 << 20;
/// The stored and the unpacked form of a frame together: both are in memory at the same time.
pub const FRAME_BOTH: u64 = 184 << 20;
/// A segment file or an unpacked frame beyond this size is read while no other one is, whichever
/// session it belongs to. This bounds the memory of all workers together.
pub const READ_ALONE: u64 = 16 << 20;
/// The largest zstd window allowed where a frame is unpacked in chunks: 8 MiB; this program writes
/// with 2 MiB.
pub const WINDOW_LOG: u32 = 23;
/// The head of a frame, and its seal in version 1.
pub const HEAD: usize = 64 << 10;
pub const SEAL: usize = 1 << 10;
/// Entries of one frame.
pub const ENTRIES: usize = 1 << 16;
/// All entries of a frame but the largest one: the recorder ends a frame when it holds 1 MiB.
pub const OTHERS: usize = 8 << 20;
/// The content of one entry: the recorder writes up to 1 MiB of lines, or one larger line.
pub const ENTRY: usize = (CONTENT + SEGMENT) as usize;
/// The bytes of a frame's lines of logs, and the ids that they get, together.
pub const LINES_AND_IDS: usize = ENTRY + (3 << 20);
/// Lines of logs in one frame: the recorder cuts at 1 MiB, at most as many lines, plus one entry.
pub const LINES: usize = 1 << 21;
/// Frames read at once, and the bytes they unpack to; a single larger frame is read alone.
pub const BATCH_FRAMES: usize = 256;
pub const BATCH_BYTES: u64 = 8 << 20;
/// Lines of new frames held at once before they are inserted into their tries; the last frame may
/// exceed the limit.
pub const PASS_LINES: usize = 1 << 19;
/// Lines of a frame that are chained in parallel; a longer frame is chained alone.
pub const ASIDE_LINES: usize = 1 << 16;
/// No frame begins beyond this offset in a segment: the writer starts a new one there.
pub const SEGMENT: u64 = 1 << 20;
/// The readable part of a segment: the frames that begin in it, the last one of any size.
pub const SEGMENT_FILE: u64 = SEGMENT + FRAME_BOTH;
/// Names in one directory of the vault.
pub const NAMES: usize = 100_000;
/// Bytes of equivocated frames that are ingested at once.
pub const EQUIVOCATED: usize = 32 << 20;
/// `device.json`.
pub const PRESENCE: u64 = 4 << 20;
/// The content of a snapshot: the recorder's limit.
pub const CONTENT: u64 = 128 << 20;
/// One record of a log, in any number of pieces.
pub const RECORD: u64 = 1 << 30;
/// Pieces of one record, and the bytes of each.
pub const PIECES: u32 = 1 << 12;
pub const PIECE: u64 = 1 << 20;
/// A doc's name, its author's place or directory: longer than any path that a system accepts.
pub const PATH: usize = 4096;
/// The id of a session or a tool.
pub const ID: usize = 256;
/// Docs of one session.
pub const DOCS: usize = 10_000;
/// Texts for people: a title, a project's name. Longer texts are shown shortened.
pub const TITLE: usize = 300;
/// A project's names, and the ids that a session requires.
pub const NAMED: usize = 64;
/// Devices and open sessions in `device.json`, each list.
pub const KNOWN: usize = 256;

/// Shortens a text for display; the bytes in the journal stay.
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
