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

/// A long line of `text` in entries.
pub(super) fn long_entries(
    (doc, at): (&DocName, &str),
    (after, line): (ChainId, &Line),
    text: &[u8],
    sizes: &Sizes,
) -> Vec<(Entry, Vec<Line>)> {
    let head = piece::Piece {
        doc: doc.clone(),
        at: at.to_owned(),
        after,
        tip: line.tip,
        replaces: None,
        n: 0,
        of: 0,
        size: text.len() as u64,
        bytes: Vec::new(),
    };
    let mut found = Vec::new();
    let read = |range: Range<u64>| {
        Ok::<_, Infallible>(text[range.start as usize..range.end as usize].to_vec())
    };
    let Ok(()) = in_pieces(&head, sizes.piece, read, |piece| {
        found.push((Entry::Piece(piece), Vec::new()));
        Ok(())
    });
    found
}

/// The new part of `text`, in entries that fit into frames, each with its lines; `lines` are those
/// of all of `text`.
pub(crate) fn entries<'t>(
    (doc, at): (&'t DocName, &'t str),
    lines: &'t [Line],
    (mut next, mut after): Known,
    text: &'t [u8],
    sizes: Sizes,
) -> impl Iterator<Item = Result<(Entry, Vec<Line>), u64>> + 't {
    let mut long = VecDeque::new();
    std::iter::from_fn(move || {
        if let Some(entry) = long.pop_front() {
            return Some(Ok(entry));
        }
        let from = next.checked_sub(1).map_or(0, |before| lines[before].end);
        let line = lines
            .get(next)
            .filter(|line| (sizes.whole + 1..=sizes.record).contains(&(line.end - from)));
        if let Some(line) = line {
            let bytes = &text[from as usize..line.end as usize];
            long.extend(long_entries((doc, at), (after, line), bytes, &sizes));
            (next, after) = (next + 1, line.tip);
            return long.pop_front().map(Ok);
        }
        (next < lines.len()).then(|| {
            let piece = next_piece(lines, next, FRAME_BYTES as u64, sizes.whole)?;
            let (doc, at, bytes) = (
                doc.clone(),
                at.to_owned(),
                text[piece.from as usize..piece.to as usize].to_vec(),
            );
            let entry = Entry::Lines {
                doc,
                at,
                after,
                tip: piece.tip,
                replaces: None,
                bytes,
            };
            let own = &lines[next..next + piece.lines];
            (next, after) = (next + piece.lines, piece.tip);
            Ok((
                entry,
                own.iter()
                    .map(|line| Line {
                        end: line.end - piece.from,
                        ..*line
                    })
                    .collect(),
            ))
        })
    })
}
