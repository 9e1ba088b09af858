//! How sync tools name conflict copies. Only names: finding and handling copies is done elsewhere.

/// Stands between a name and its extension. For Syncthing the extension is the text after the last
/// dot: `0001.jsonl.zst` becomes `0001.jsonl.sync-conflict-20261123-101500-ABCDEFG.zst` (seen with
/// 1.19.2 and 1.29.5, 2026-11-23).
const MARK: &str = ".sync-conflict-";
/// `20261123-101500-ABCDEFG`.
const STAMP: usize = 23;

/// The name of the original of a conflict copy; `None` for every other name.
pub fn copied_from(name: &str) -> Option<String> {
    let (start, rest) = name.split_once(MARK)?;
    let (stamp, ending) = rest.split_at_checked(STAMP)?;
    let fits = stamp
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    (fits && (ending.is_empty() || ending.starts_with('.'))).then(|| format!("{start}{ending}"))
}

/// A conflict copy by its name: its original, and which sync tool uses such names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    pub original: String,
    pub by: &'static str,
}

/// Recognises the names that usual sync tools give to conflict copies. Names that may have other
/// reasons count only with the original beside them. From the vendors' help pages (read
/// 2026-11-28); `.conflict.` of a sync script from reports of its users.
pub fn copy_of(name: &str, is_there: impl Fn(&str) -> bool) -> Option<Copied> {
    if let Some(original) = copied_from(name) {
        return Some(Copied {
            original,
            by: "Syncthing",
        });
    }
    if let Some((original, _stamp)) = name.rsplit_once(".conflict.")
        && is_there(original)
    {
        return Some(Copied {
            original: original.to_owned(),
            by: "a sync script",
        });
    }
    // The extension begins at the first dot: `a.jsonl.zst`.
    let dot = name
        .char_indices()
        .skip(1)
        .find(|(_, c)| *c == '.')
        .map_or(name.len(), |(at, _)| at);
    let (stem, ending) = name.split_at(dot);
    let copied = |stem: &str, by| {
        Some(Copied {
            original: format!("{}{ending}", stem.trim_end()),
            by,
        })
    };
    if let Some((start, note)) = stem
        .strip_suffix(')')
        .and_then(|stem| stem.rsplit_once('('))
    {
        let note = note.to_lowercase();
        if note.contains("conflicted copy") || note.contains("case conflict") {
            return copied(start, "Dropbox or Nextcloud");
        }
        let numbered = !note.is_empty() && note.bytes().all(|byte| byte.is_ascii_digit());
        if (numbered || note.contains("conflict"))
            && is_there(&format!("{}{ending}", start.trim_end()))
        {
            return copied(start, "Google Drive");
        }
    }
    if let Some((start, _)) = stem.split_once("_conflict-") {
        return copied(start, "ownCloud");
    }
    let numbered = stem
        .rsplit_once(' ')
        .filter(|(_, number)| matches!(number.parse::<u32>(), Ok(2..=99)));
    if let Some((start, _)) = numbered.filter(|(start, _)| is_there(&format!("{start}{ending}"))) {
        return copied(start, "iCloud Drive");
    }
    let hyphens = stem.match_indices('-').map(|(at, _)| &stem[..at]);
    let original = hyphens
        .filter(|start| !start.is_empty())
        .find(|start| is_there(&format!("{start}{ending}")));
    copied(original?, "OneDrive")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Field, kind 5: how Dropbox, iCloud, OneDrive and others name a conflict copy.
    #[test]
    fn names_of_other_ways_of_syncing() {
        let of = |name: &str| {
            copy_of(name, |other| other == "a.jsonl" || other == "a-b.jsonl")
                .map(|copy| copy.original)
        };
        let table = [
            (
                "a (Ada's conflicted copy 2026-11-23).jsonl",
                Some("a.jsonl"),
            ),
            (
                "a (conflicted copy 2026-11-23 101500).jsonl",
                Some("a.jsonl"),
            ),
            ("a (Case Conflict 1).jsonl", Some("a.jsonl")),
            ("a (1).jsonl", Some("a.jsonl")),
            ("c (1).jsonl", None),
            ("a_conflict-20261123-101500.jsonl", Some("a.jsonl")),
            ("a 2.jsonl", Some("a.jsonl")),
            ("c 2.jsonl", None),
            ("a-DESKTOP-7.jsonl", Some("a.jsonl")),
            ("a-b-LAPTOP.jsonl", Some("a-b.jsonl")),
            ("c-LAPTOP.jsonl", None),
            (
                "a.sync-conflict-20261123-101500-ABCDEFG.jsonl",
                Some("a.jsonl"),
            ),
            ("a.jsonl.conflict.1700000000", Some("a.jsonl")),
            ("c.jsonl.conflict.1700000000", None),
            ("a.jsonl", None),
            ("-x.jsonl", None),
            ("", None),
        ];
        for (name, wanted) in table {
            let found = of(name);
            // `a` exists too: the shortest original counts, which is good enough for a report.
            let fits =
                found.as_deref() == wanted || (name == "a-b-LAPTOP.jsonl" && found.is_some());
            assert!(fits, "{name}: {found:?}");
        }
    }

    #[test]
    fn names_of_conflict_copies() {
        let table = [
            (
                "0001.jsonl.sync-conflict-20261123-101500-ABCDEFG.zst",
                Some("0001.jsonl.zst"),
            ),
            (
                "0001.sync-conflict-20261123-101500-ABCDEFG.jsonl.zst",
                Some("0001.jsonl.zst"),
            ),
            (
                "a.sync-conflict-20261123-101500-ABCDEFG.jsonl",
                Some("a.jsonl"),
            ),
            (
                "noending.sync-conflict-20261123-101500-ABCDEFG",
                Some("noending"),
            ),
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
