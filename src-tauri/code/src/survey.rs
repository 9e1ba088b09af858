//! How much a checkout differs from its last commit: what a recording would take along, counted and not
//! read. Writes nothing but its own scratch directory.

use crate::checkout::{Checkout, Lock, Result};
use crate::names::unsafe_path;
use crate::record::Limits;
use crate::scratch::Scratch;
use crate::secrets::is_secret_name;
use crate::status::{Cache, Status};
use crate::store::Store;
use std::collections::BTreeSet;

/// The changed files of a checkout that may go along.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// Changed, staged, untracked and deleted files.
    pub files: u64,
    /// Their bytes on disk; a deleted file has none.
    pub bytes: u64,
}

/// Counts the changes of a checkout. Files that would stay behind by their name or size do not count;
/// contents are not read. Refuses where [`record`](crate::record()) would refuse before it reads.
pub fn survey(checkout: &Checkout, store: &Store, limits: &Limits) -> Result<Survey> {
    checkout.refuse_unfinished(Lock::Free)?;
    let head = checkout.head()?;
    let scratch = Scratch::new(checkout, store, head.commit.as_ref())?;
    scratch.copy_index("index")?;
    let status = Status::read(&scratch, "index", Cache::None)?;
    let paths: BTreeSet<_> = status.paths().collect();
    let mut survey = Survey::default();
    for path in paths {
        if unsafe_path(path).is_some() || is_secret_name(&path.to_string()) {
            continue;
        }
        let file = path.below(&checkout.root);
        let metadata = file.and_then(|file| file.symlink_metadata().ok());
        let bytes = match metadata {
            Some(metadata) if metadata.is_dir() => continue,
            Some(metadata) => metadata.len(),
            None => 0,
        };
        if bytes <= limits.file {
            survey.files += 1;
            survey.bytes += bytes;
        }
    }
    Ok(survey)
}
