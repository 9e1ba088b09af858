//! The line recorded in place of one that is too large to sync. Everything before and after syncs,
//! and readers see what is missing.

use serde_json::Value;

const KIND: &str = "session-roam-gap";

/// The replacement for a line of this size and hash. Every tool sees an unknown record.
pub fn line(bytes: u64, hash: &blake3::Hash) -> Vec<u8> {
    format!(
        "{{\"type\":\"{KIND}\",\"bytes\":{bytes},\"blake3\":\"{}\"}}\n",
        hash.to_hex()
    )
    .into_bytes()
}

/// The size of the record that this one replaces; `None` for any other record.
pub fn bytes_of(record: &Value) -> Option<u64> {
    let fields = record.as_object().filter(|fields| fields.len() == 3)?;
    fields.get("blake3")?.as_str()?;
    fields
        .get("bytes")?
        .as_u64()
        .filter(|_| fields.get("type").and_then(Value::as_str) == Some(KIND))
}

/// Whether some of these lines may be gaps. Cheap, with false positives.
pub fn may_be_in(lines: &[u8]) -> bool {
    memchr::memmem::find(lines, KIND.as_bytes()).is_some()
}

/// Whether a line replaces another one.
pub fn is_gap(line: &[u8]) -> bool {
    line.len() < 256 && serde_json::from_slice(line).is_ok_and(|record| bytes_of(&record).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_says_what_is_missing() {
        let line = line(5 << 30, &blake3::hash(b"x"));
        assert!(may_be_in(&line) && is_gap(&line));
        assert_eq!(
            bytes_of(&serde_json::from_slice(&line).expect("JSON")),
            Some(5 << 30)
        );
        assert!(!is_gap(
            b"{\"type\":\"session-roam-gap\",\"bytes\":1,\"blake3\":\"x\",\"message\":{}}\n"
        ));
    }
}
