//! A file that one holder at a time has locked, of all processes of this machine.

use std::fs::{File, TryLockError};
use std::path::Path;

/// Released when it is dropped, and by the system when the process ends.
#[derive(Debug)]
pub struct HeldLock(File);

impl HeldLock {
    /// Locks a file, which is made if it is not there; `WouldBlock` if somebody else holds it.
    pub fn try_hold(path: &Path) -> Result<Self, TryLockError> {
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path)
            .map_err(TryLockError::Error)?;
        file.try_lock()?;
        Ok(Self(file))
    }
}

impl Drop for HeldLock {
    /// A program that is being started has the open files of this one for a moment, and with them the
    /// lock: closing the file alone would leave it held until then.
    fn drop(&mut self) {
        let _ = self.0.unlock(); // The file is closed in any case.
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_that_is_given_back_is_free_at_once_though_another_has_the_file() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("lock");
        let held = HeldLock::try_hold(&path).expect("free");
        let is_held = matches!(HeldLock::try_hold(&path), Err(TryLockError::WouldBlock));
        assert!(is_held);
        // As a child has it between fork and exec.
        let inherited = held.0.try_clone().expect("a second handle");
        drop(held);
        HeldLock::try_hold(&path).expect("free again");
        drop(inherited);
    }
}
