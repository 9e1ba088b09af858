//! How large anything may be that comes from another device, always by its unpacked size. What our recorder writes stays
//! far below each of them, so whatever is beyond is nobody's session. docs/journal-format.md has them as a table.

/// A frame's JSON lines. The recorder takes one line or one snapshot of at most 128 MiB; quoted, it is longer.
pub const FRAME: u64 = 160 << 20;
/// A frame as it is stored and as it is unpacked, together: both are in memory at the same time.
pub const FRAME_BOTH: u64 = 184 << 20;
/// The window that zstd may ask for where a frame is unpacked piece by piece: 8 MiB; our writer's is 2 MiB.
pub const WINDOW_LOG: u32 = 23;
/// The head of a frame, and its seal in version 1.
pub const HEAD: usize = 64 << 10;
pub const SEAL: usize = 1 << 10;
/// Entries of one frame.
pub const ENTRIES: usize = 1 << 16;
/// Lines of logs in one frame: the recorder cuts at 1 MiB, which is as many lines at most, and one entry more.
pub const LINES: usize = 1 << 21;
/// Frames read at once, and bytes they unpack to; one larger frame is read alone.
pub const BATCH_FRAMES: usize = 256;
pub const BATCH_BYTES: u64 = 8 << 20;
/// No frame begins behind this in a segment: a writer begins a new one there.
pub const SEGMENT: u64 = 1 << 20;
/// What is read of a segment: the frames that begin in it, the last one of any size.
pub const SEGMENT_FILE: u64 = SEGMENT + FRAME_BOTH;
/// Names in one directory of the vault.
pub const NAMES: usize = 100_000;
/// Bytes of frames beside a journal that are taken in at once.
pub const STRANDS: usize = 32 << 20;
/// `device.json`.
pub const HELLO: u64 = 4 << 20;
