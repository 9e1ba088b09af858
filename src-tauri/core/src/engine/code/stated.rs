//! Commits that the other devices say they have. Where no remote has any, nothing else tells what need not
//! be sent. What a device says counts by its signature, and for nothing but the size of what it gets.

use crate::opener::Kind;
use crate::session::Lane;
use crate::vault::{Owner, Vault, snapshot_file};
use session_roam_code::{Checkout, CodeError, ObjectId};
use std::collections::BTreeMap;

/// The other approved devices, and what they recorded of a project.
pub struct Others<'a> {
    pub vault: &'a Vault,
    /// By short id, with their keys as far as those are known.
    pub owners: &'a BTreeMap<String, Option<Owner>>,
    /// The directory of this device's files of a session of the project, below the vault.
    pub files: &'a str,
}

impl Others<'_> {
    /// The nearest commits below `commits`, themselves included, that every other device has, by the
    /// state that it recorded last of this project. None if one of them never recorded any: it may
    /// lack all commits.
    pub fn had_by_all(
        &self,
        checkout: &Checkout,
        commits: &[ObjectId],
    ) -> Result<Vec<ObjectId>, CodeError> {
        let mut had = match self.owners.is_empty() {
            true => Vec::new(),
            false => commits.to_vec(),
        };
        for (short, owner) in self.owners {
            let stated = owner.as_ref().and_then(|owner| self.head_of(short, owner));
            had = match stated {
                Some(head) if !had.is_empty() => checkout.had_with(&[head], &had)?,
                Some(_) | None => return Ok(Vec::new()),
            };
        }
        Ok(had)
    }

    /// The commit that was checked out when the device recorded something of the project last.
    fn head_of(&self, short: &str, owner: &Owner) -> Option<ObjectId> {
        const PROJECT: usize = 3;
        let project = self.files.split('/').nth(PROJECT);
        let dirs = session_dirs(self.vault, short).ok()?.into_iter();
        let of_project = dirs.filter(|dir| dir.split('/').nth(PROJECT) == project);
        let latest = of_project.filter_map(|dir| {
            let (number, _) = *snapshot_file::list(self.vault, &dir).ok()?.last()?;
            snapshot_file::describe(self.vault, owner, &dir, number).ok()
        });
        let last = latest.max_by_key(|described| described.at)?;
        ObjectId::parse(&last.description.head?)
    }
}

/// The directories of a device's states, one for each session, below the vault.
pub fn session_dirs(vault: &Vault, short: &str) -> std::io::Result<Vec<String>> {
    let mut dirs = vec![format!("{short}/{}", Lane::Code.as_str())];
    for _ in 0..3 {
        let mut below = Vec::new();
        for dir in dirs {
            let listed = vault.list(&dir)?.into_iter();
            let listed = listed.filter(|listed| listed.kind == Kind::Dir);
            let names = listed.filter_map(|listed| listed.name.into_string().ok());
            below.extend(names.map(|name| format!("{dir}/{name}")));
        }
        dirs = below;
    }
    Ok(dirs)
}
