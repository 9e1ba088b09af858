//! A log record larger than a frame may be. It is recorded in consecutive pieces of one journal,
//! and counts once all pieces are present and match the chain id they claim. Readers never hold it
//! whole.

use super::limits;
use crate::session::{ChainId, DocName, Spot};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A piece of one line; the last piece includes the line end.
#[derive(Clone, Debug, PartialEq)]
pub struct Piece {
    pub doc: DocName,
    pub at: String,
    /// `after`, `tip` and `replaces` are those of the whole record.
    pub after: ChainId,
    pub tip: ChainId,
    pub replaces: Option<ChainId>,
    /// The piece's number, from 0; `of` is the number of pieces.
    pub n: u32,
    pub of: u32,
    /// Bytes of the whole record.
    pub size: u64,
    pub bytes: Vec<u8>,
}

/// A record of which some pieces are accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open {
    /// Place of the first piece, and that entry's number among the entries of its doc.
    pub spot: Spot,
    pub first: u64,
    pub at: String,
    pub after: ChainId,
    pub tip: ChainId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<ChainId>,
    of: u32,
    pub size: u64,
    next: u32,
    bytes: u64,
}

/// The result of adding a piece.
#[derive(Debug, PartialEq)]
pub enum Added {
    /// More pieces are to come.
    More,
    /// The record is complete.
    All(Open),
    /// The piece does not follow, or exceeds the limits of a record.
    Refused,
}

/// Takes the next piece of a doc. A first piece starts again: the writer abandoned earlier ones.
pub fn add(open: &mut BTreeMap<DocName, Open>, piece: &Piece, spot: Spot, number: u64) -> Added {
    let before = open.remove(&piece.doc);
    let len = piece.bytes.len() as u64;
    let is_last = piece.n + 1 == piece.of;
    let end = memchr::memchr(b'\n', &piece.bytes);
    let is_of_one_line = if is_last {
        end.is_some_and(|end| end as u64 + 1 == len)
    } else {
        end.is_none()
    };
    let fits = (2..=limits::PIECES).contains(&piece.of)
        && piece.n < piece.of
        && (1..=limits::PIECE).contains(&len)
        && piece.size <= limits::RECORD;
    if !fits || !is_of_one_line {
        return Added::Refused;
    }
    let begun = match before {
        _ if piece.n == 0 => Open {
            spot,
            first: number,
            at: piece.at.clone(),
            after: piece.after,
            tip: piece.tip,
            replaces: piece.replaces,
            of: piece.of,
            size: piece.size,
            next: 0,
            bytes: 0,
        },
        Some(open) => open,
        None => return Added::Refused,
    };
    let same = (begun.after, begun.tip, begun.of, begun.size)
        == (piece.after, piece.tip, piece.of, piece.size);
    let bytes = begun.bytes + len;
    if !same
        || begun.next != piece.n
        || begun.first + u64::from(piece.n) != number
        || begun.size < bytes
    {
        return Added::Refused;
    }
    let grown = Open {
        next: piece.n + 1,
        bytes,
        ..begun
    };
    match (grown.next == grown.of, grown.bytes == grown.size) {
        (true, true) => Added::All(grown),
        (true, false) => Added::Refused,
        (false, _) => {
            open.insert(piece.doc.clone(), grown);
            Added::More
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(n: u32, of: u32, size: u64, bytes: &[u8]) -> Piece {
        let (doc, at) = (DocName::new("doc"), "at".to_owned());
        let after = ChainId::log_start();
        Piece {
            doc,
            at,
            after,
            tip: after.then(b"x"),
            replaces: None,
            n,
            of,
            size,
            bytes: bytes.to_vec(),
        }
    }

    fn spot() -> Spot {
        Spot {
            segment: 1,
            offset: 0,
            line: 0,
        }
    }

    fn fold(pieces: &[Piece]) -> Vec<Added> {
        let mut open = BTreeMap::new();
        pieces
            .iter()
            .enumerate()
            .map(|(number, piece)| add(&mut open, piece, spot(), number as u64))
            .collect()
    }

    #[test]
    fn a_record_is_all_of_its_pieces_in_order() {
        let all = [
            piece(0, 3, 6, b"ab"),
            piece(1, 3, 6, b"cd"),
            piece(2, 3, 6, b"e\n"),
        ];
        let done = fold(&all);
        assert!(
            matches!(
                done[..],
                [
                    Added::More,
                    Added::More,
                    Added::All(Open {
                        first: 0,
                        size: 6,
                        ..
                    })
                ]
            ),
            "{done:?}"
        );
        // Abandoned, and started again.
        let again = [&all[..2], &all[..]].concat();
        assert!(matches!(fold(&again)[4], Added::All(Open { first: 2, .. })));
    }

    #[test]
    fn what_is_no_piece_of_one_record_is_refused() {
        let first = || piece(0, 2, 4, b"ab");
        let second = || piece(1, 2, 4, b"c\n");
        let others = [
            piece(1, 3, 4, b"c\n"),   // of another number
            piece(1, 2, 5, b"c\n"),   // of another size
            piece(1, 2, 4, b"cd"),    // no line
            piece(1, 2, 4, b"\n\n"),  // two lines
            piece(1, 2, 4, b"\n"),    // too short
            piece(1, 2, 4, b"cde\n"), // too long
            piece(2, 2, 4, b"c\n"),   // beyond the last
            Piece {
                tip: ChainId::log_start(),
                ..second()
            }, // of another record
        ];
        assert!(matches!(fold(&[first(), second()])[1], Added::All(_)));
        for other in others {
            assert_eq!(
                fold(&[first(), other.clone()])[1],
                Added::Refused,
                "{other:?}"
            );
        }
        assert_eq!(fold(&[second()]), [Added::Refused]);
        let odd = [
            piece(0, 1, 2, b"a\n"),
            piece(0, limits::PIECES + 1, 9, b"a"),
            piece(0, 2, limits::RECORD + 1, b"a"),
            piece(0, 2, 9, b""),
            piece(
                0,
                2,
                limits::RECORD,
                &vec![b'a'; limits::PIECE as usize + 1],
            ),
        ];
        for odd in odd {
            assert_eq!(fold(&[odd]), [Added::Refused]);
        }
    }
}
