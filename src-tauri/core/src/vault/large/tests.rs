//! A content that is read in parts is what the usual parser reads; bytes are freed in their order.

use super::*;
use crate::vault::frame::{Entry, entry_of, parse_entry};
use proptest::prelude::*;

/// The entry in a line, fed in pieces of these sizes. `begin` sees the first part of the line only.
fn fed(line: &[u8], first: usize, sizes: &[usize]) -> Result<Entry, FrameError> {
    let (start, mut rest) = line.split_at(first.min(line.len()));
    let mut large = Large::begin(start.to_vec(), rest.len())?;
    for size in sizes.iter().cycle() {
        let (part, after) = rest.split_at((*size).min(rest.len()));
        if part.is_empty() {
            break;
        }
        rest = after;
        if let Some(behind) = large.feed(part)? {
            assert_eq!((behind, rest), (&b""[..], &b""[..]));
            return large.entry().and_then(entry_of);
        }
    }
    Err(FrameError::Shape)
}

fn line(content: &str, is_text: bool) -> String {
    let id = format!("{:064x}", 7);
    let name = if is_text { "text" } else { "base64" };
    format!(
        "{{\"k\":\"whole\",\"doc\":\"a \\\"b\\\" c\",\"at\":\"\",\"after\":\"{id}\",\"tip\":\"{id}\",\
         \"head\":3,\"tail\":4,\"{name}\":\"{content}\"}}\n"
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// However a content is divided, it is read as the usual parser reads it, and refused alike.
    #[test]
    fn a_content_is_read_in_parts_as_at_once(
        text in r#"([ab"ü🦀]|\\["\\/ntrbfu0]|\\u(00e9|d83d\\ude00|d800|dc00|zz)|[=+/]|\x01){0,12}"#,
        is_text in any::<bool>(),
        cut in 1usize..40,
        sizes in prop::collection::vec(1usize..9, 1..5),
    ) {
        let line = line(&text, is_text);
        let content = line.len() - "\"}\n".len() - text.len();
        let first = content + cut.min(text.len());
        let parts = fed(line.as_bytes(), first, &sizes).ok();
        prop_assert_eq!(parts, parse_entry(line.as_bytes()).ok());
    }
}

#[test]
fn what_is_freed_is_read_first() {
    let all: Vec<u8> = (0..5 * CHUNK + 17).map(|n| (n % 251) as u8).collect();
    for (offset, len) in [(0, 1), (3, CHUNK), (100, 4 * CHUNK), (17, 5 * CHUNK)] {
        let mut bytes = all.clone();
        let mut freed = Freed::take(&mut bytes, offset, len);
        freed.skip(1);
        let mut read = Vec::new();
        freed.read_to_end(&mut read).expect("read");
        assert!(read == all[offset + 1..offset + len], "{offset} {len}");
        assert_eq!(bytes, all[..offset]);
    }
}
