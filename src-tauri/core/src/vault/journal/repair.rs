//! Segments that no longer hold what was accepted of them, put back from the safety copy.

use super::{Journal, read_accepted};
use crate::vault::Vault;

impl Journal {
    /// Puts the safety copy in the place of each segment whose accepted bytes are gone or changed.
    /// Returns the numbers of those that are whole again. Only for the own journal: everybody else
    /// waits for the owner.
    pub fn repair(&self, vault: &Vault) -> Vec<u32> {
        let damaged = self.segments.iter().filter(|segment| {
            let relative = self.relative(segment.number);
            !matches!(read_accepted(vault.open(&relative), segment), Ok(Some(_)))
        });
        let repaired = damaged.filter(|segment| {
            let relative = self.relative(segment.number);
            let has_all = matches!(
                read_accepted(vault.kept.open(&relative), segment),
                Ok(Some(_))
            );
            has_all
                && vault
                    .kept
                    .put_back(&relative, &vault.file(&relative))
                    .is_ok()
        });
        repaired.map(|segment| segment.number).collect()
    }
}
