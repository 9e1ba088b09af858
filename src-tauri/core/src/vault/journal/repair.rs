//! Segments that no longer hold what was accepted of them, put back from the safety copy.

use super::{Journal, read_accepted};
use crate::vault::Vault;

impl Journal {
    /// Puts the safety copy in the place of each segment that is gone or was shortened. One with other bytes
    /// may have the frames of a copy of this device, which are gathered and not replaced.
    /// Returns the numbers of those that are whole again. Only for the own journal: everybody else
    /// waits for the owner.
    pub fn repair(&self, vault: &Vault) -> Vec<u32> {
        let damaged = self.segments.iter().filter(|segment| {
            let relative = self.relative(segment.number);
            !matches!(read_accepted(vault.open(&relative), segment), Ok(Some(_)))
        });
        let repaired = damaged.filter(|segment| {
            let relative = self.relative(segment.number);
            let file = vault.file(&relative);
            let has_all = matches!(
                read_accepted(vault.kept.open(&relative), segment),
                Ok(Some(_))
            );
            let is_less = || {
                let is_beginning = vault.kept.is_more_than(&relative, &file);
                !file.exists() || is_beginning.unwrap_or(false)
            };
            has_all && is_less() && vault.kept.put_back(&relative, &file).is_ok()
        });
        repaired.map(|segment| segment.number).collect()
    }
}
