//! The checkouts that this device knows, as adapters get them. Knows neither projects nor sessions.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

/// Directories of this device in which its own sessions ran, or that its user named. All copies of
/// the value show the same ones.
#[derive(Clone, Debug, Default)]
pub struct Checkouts(Arc<RwLock<Arc<Vec<PathBuf>>>>);

impl Checkouts {
    pub fn get(&self) -> Arc<Vec<PathBuf>> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.clone()
    }

    /// Uses these directories from now on.
    pub fn set(&self, dirs: Vec<PathBuf>) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if **known != dirs {
            *known = Arc::new(dirs);
        }
    }
}
