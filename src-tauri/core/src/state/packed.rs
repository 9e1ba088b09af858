//! A session's record as the state keeps it: JSON, packed with the words that all records have.
//! A usual record of 2.3 KB takes 0.6 KB, so it is a part of a page instead of two.

use serde::Serialize;
use serde::de::DeserializeOwned;
use std::cell::RefCell;
use std::sync::LazyLock;
use zstd::bulk::{Compressor, Decompressor};
use zstd::dict::{DecoderDictionary, EncoderDictionary};

/// A record, ready to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packed(Vec<u8>);

/// The first byte: which words the rest was packed with.
const WORDS_1: u8 = 1;
/// Never changed, because packed records refer to it: other words get another number.
const WORDS: &str = include_str!("words-1.txt");
/// Fast, and hardly larger than with a higher one.
const LEVEL: i32 = 1;
/// A record that claims to be larger is damaged.
const MOST_BYTES: u64 = 1 << 30;

static PACKING: LazyLock<EncoderDictionary<'static>> =
    LazyLock::new(|| EncoderDictionary::copy(WORDS.as_bytes(), LEVEL));
static UNPACKING: LazyLock<DecoderDictionary<'static>> =
    LazyLock::new(|| DecoderDictionary::copy(WORDS.as_bytes()));

thread_local! {
    static PACK: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
    static UNPACK: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// Packs a record for storage; called beside the loop when there are many records.
pub fn pack<T: Serialize>(record: &T) -> Packed {
    Packed::of(&serde_json::to_vec(record).expect("a record is plain data"))
}

impl Packed {
    /// A record that was rendered as JSON.
    pub(super) fn of(json: &[u8]) -> Self {
        let packed = PACK.with_borrow_mut(|kept| {
            let packer = match kept {
                Some(packer) => packer,
                None => kept.insert(Compressor::with_prepared_dictionary(&PACKING)?),
            };
            packer.compress(json)
        });
        let mut bytes = packed.expect("memory to memory, any input compresses");
        bytes.insert(0, WORDS_1);
        Self(bytes)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// A stored record, if this version can read it.
pub(super) fn unpack<T: DeserializeOwned>(stored: &[u8]) -> Option<T> {
    let packed = stored.strip_prefix(&[WORDS_1])?;
    let len = zstd::zstd_safe::get_frame_content_size(packed).ok()??;
    let len = usize::try_from(Some(len).filter(|len| *len <= MOST_BYTES)?).ok()?;
    let json = UNPACK.with_borrow_mut(|kept| {
        let unpacker = match kept {
            Some(unpacker) => unpacker,
            None => kept.insert(Decompressor::with_prepared_dictionary(&UNPACKING)?),
        };
        unpacker.decompress(packed, len)
    });
    serde_json::from_slice(&json.ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_the_same_when_it_is_unpacked() {
        let long = "a".repeat(3_000_000);
        for text in ["", "plum", "{\"session\":\"\"}", "\u{10ffff}", &long] {
            let packed = pack(&text);
            assert_eq!(unpack::<String>(packed.bytes()).as_deref(), Some(text));
            assert_eq!(packed, pack(&text), "the same record has the same bytes");
        }
    }

    #[test]
    fn what_is_damaged_or_of_a_later_version_is_no_record() {
        let packed = pack(&"plum");
        let mut later = packed.bytes().to_vec();
        later[0] = 2;
        let cut = &packed.bytes()[..packed.bytes().len() - 1];
        for stored in [&[][..], &[WORDS_1], b"\"plum\"", &later, cut] {
            assert_eq!(unpack::<String>(stored), None, "{stored:?}");
        }
    }

    /// Packed with the words of `words-1.txt` on 2026-11-30.
    #[test]
    fn what_an_earlier_version_packed_is_still_read() {
        let packed = "0128b52ffd20448d000028706c756d2203008f785ab6b670abcb40";
        let packed = data_encoding::HEXLOWER
            .decode(packed.as_bytes())
            .expect("hex");
        let record: serde_json::Value = unpack(&packed).expect("a record");
        assert_eq!(record["own_tip"], "plum");
    }
}
