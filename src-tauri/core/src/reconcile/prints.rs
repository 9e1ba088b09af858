//! Numbers that distinguish the states of a session's files, in the store and in the vault, without
//! reading them.

use super::context::Context;
use super::record::SessionRecord;
use crate::opener::Listed;
use crate::tools::Found;
use crate::vault::segment_name;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Distinguishes the states of a session's files in the store.
pub fn fingerprint(found: &Found) -> u64 {
    let mut hasher = DefaultHasher::new();
    for doc in &found.docs {
        (
            doc.name.as_str(),
            &doc.path,
            doc.stamp.len,
            doc.stamp.mtime_ns,
            doc.stamp.ctime_ns,
            doc.stamp.inode,
        )
            .hash(&mut hasher);
    }
    hasher.finish()
}

/// Distinguishes the states of one journal directory. Those of a session are added up, so their
/// order does not matter.
pub fn journal_print(dir: &str, listed: &[Listed]) -> u64 {
    let of_file = |file: &Listed| {
        let mut hasher = DefaultHasher::new();
        (dir, &file.name, file.len, file.mark).hash(&mut hasher);
        hasher.finish()
    };
    listed.iter().map(of_file).fold(0, u64::wrapping_add)
}

/// A session's journals as they are now, if they hold nothing but what was accepted. Frames that
/// are appended while this looks make the sizes differ.
pub fn vault_print(context: &Context, record: &SessionRecord) -> Option<u64> {
    let mut print = 0_u64;
    for journal in record.journals.values() {
        let listed = context.vault.list(&journal.dir).ok()?;
        for file in &listed {
            let name = file.name.to_str()?;
            let is_accepted = journal
                .segments
                .iter()
                .any(|segment| segment.bytes == file.len && segment_name(segment.number) == name);
            if !is_accepted {
                return None;
            }
        }
        print = print.wrapping_add(journal_print(&journal.dir, &listed));
    }
    Some(print)
}
