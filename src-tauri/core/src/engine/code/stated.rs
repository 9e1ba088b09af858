//! Commits that the other devices say they have. Where no remote has any, nothing else tells what need not
//! be sent. What a device says counts by its signature, and for nothing but the size of what it gets.

use super::recording::{Wanted, session_dirs};
use crate::vault::Owner;
use crate::vault::snapshot_file;
use session_roam_code::{Checkout, CodeError, ObjectId};

/// The nearest commits below `commits`, themselves included, that every other device has, by the state that
/// it recorded last of this project. None if one of them never recorded any: it may lack all commits.
pub fn had_by_all(
    wanted: &Wanted,
    checkout: &Checkout,
    commits: &[ObjectId],
) -> Result<Vec<ObjectId>, CodeError> {
    let mut had = match wanted.others.is_empty() {
        true => Vec::new(),
        false => commits.to_vec(),
    };
    for (short, owner) in &wanted.others {
        let stated = owner
            .as_ref()
            .and_then(|owner| head_of(wanted, short, owner));
        had = match stated {
            Some(head) if !had.is_empty() => checkout.had_with(&[head], &had)?,
            Some(_) | None => return Ok(Vec::new()),
        };
    }
    Ok(had)
}

/// The commit that was checked out when the device recorded something of the project last.
fn head_of(wanted: &Wanted, short: &str, owner: &Owner) -> Option<ObjectId> {
    const PROJECT: usize = 3;
    let vault = &wanted.context.vault;
    let project = wanted.files.split('/').nth(PROJECT);
    let dirs = session_dirs(vault, short).ok()?.into_iter();
    let of_project = dirs.filter(|dir| dir.split('/').nth(PROJECT) == project);
    let latest = of_project.filter_map(|dir| {
        let (number, _) = *snapshot_file::list(vault, &dir).ok()?.last()?;
        snapshot_file::describe(vault, owner, &dir, number).ok()
    });
    let last = latest.max_by_key(|described| described.at)?;
    ObjectId::parse(&last.description.head?)
}
