//! Records that do not fit into one frame are recorded in pieces.

use super::*;

/// Lines that go into one entry.
pub(super) struct Piece {
    pub(super) lines: usize,
    pub(super) tip: ChainId,
    /// Their byte range, counted like the ends of the lines they come from.
    pub(super) from: u64,
    pub(super) to: u64,
}

/// The lines from number `at` on that fit into `room` bytes: at least one, and none larger than
/// `whole` after the first. The error is the size of a line that no frame can hold.
pub(super) fn next_piece(lines: &[Line], at: usize, room: u64, whole: u64) -> Result<Piece, u64> {
    let from = at.checked_sub(1).map_or(0, |before| lines[before].end);
    let starts = std::iter::once(from).chain(lines[at..].iter().map(|line| line.end));
    let fits = |(line, start): &(&Line, u64)| line.end - from <= room && line.end - start <= whole;
    let fit = lines[at..]
        .iter()
        .zip(starts)
        .take_while(fits)
        .count()
        .max(1);
    let Line { tip, end: to, .. } = lines[at + fit - 1];
    if MOST_BYTES < to - from {
        Err(to - from)
    } else {
        Ok(Piece {
            lines: fit,
            tip,
            from,
            to,
        })
    }
}

/// One line in pieces of about the same size, none of which ends within a character. `read` returns
/// a range of its bytes.
pub(super) fn in_pieces<E>(
    head: &piece::Piece,
    most: u64,
    mut read: impl FnMut(Range<u64>) -> Result<Vec<u8>, E>,
    mut each: impl FnMut(piece::Piece) -> Result<(), E>,
) -> Result<(), E> {
    // Leaves room for characters that do not fit at the end of each piece.
    let of = head.size.div_ceil(most.saturating_sub(8).max(1)).max(2);
    let mut from = 0;
    for n in 0..of {
        let is_last = n + 1 == of;
        let to = head.size * (n + 1) / of;
        let mut bytes = read(from..to)?;
        let is_cut = |bytes: &[u8]| bytes.last().is_some_and(|last| 0x80 <= *last);
        for _ in 0..4 {
            if !is_last && is_cut(&bytes) {
                bytes.pop();
            }
        }
        from += bytes.len() as u64;
        each(piece::Piece {
            n: n as u32,
            of: of as u32,
            bytes,
            ..head.clone()
        })?;
    }
    Ok(())
}
