//! How Syncthing names a conflict copy. Pure names: who finds one, and what becomes of it, is told elsewhere.

/// Between a name and its ending. Syncthing takes what is behind the last dot for the ending, so `0001.jsonl.zst` becomes
/// `0001.jsonl.sync-conflict-20261123-101500-ABCDEFG.zst` (seen with 1.19.2 and 1.29.5, 2026-11-23).
const MARK: &str = ".sync-conflict-";
/// `20261123-101500-ABCDEFG`.
const STAMP: usize = 23;

/// The name a conflict copy was made from; `None` for every other name.
pub fn copied_from(name: &str) -> Option<String> {
    let (start, rest) = name.split_once(MARK)?;
    let (stamp, ending) = rest.split_at_checked(STAMP)?;
    let fits = stamp.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    (fits && (ending.is_empty() || ending.starts_with('.'))).then(|| format!("{start}{ending}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_conflict_copies() {
        let table = [
            ("0001.jsonl.sync-conflict-20261123-101500-ABCDEFG.zst", Some("0001.jsonl.zst")),
            ("0001.sync-conflict-20261123-101500-ABCDEFG.jsonl.zst", Some("0001.jsonl.zst")),
            ("a.sync-conflict-20261123-101500-ABCDEFG.jsonl", Some("a.jsonl")),
            ("noending.sync-conflict-20261123-101500-ABCDEFG", Some("noending")),
            ("0001.jsonl.zst", None),
            ("a.sync-conflict-x.jsonl", None),
            ("a.sync-conflict-20261123-101500-ABCDEFGH.jsonl", None),
            ("a.sync-conflict-2026/../../101500-ABCDEF.jsonl", None),
        ];
        for (name, wanted) in table {
            assert_eq!(copied_from(name).as_deref(), wanted, "{name}");
        }
    }
}
