//! Fingerprints in little memory.

use crate::session::{SessionKey, ToolId};
use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};

/// The fingerprint of each session's files in the store, by the hash of its key: a few bytes for each
/// of very many sessions. Two keys with one hash, whose fingerprints differ, count as changed.
#[derive(Default)]
pub(super) struct Prints(BTreeMap<ToolId, HashMap<u64, u64>>);

impl Prints {
    pub(super) fn get(&self, key: &SessionKey) -> Option<u64> {
        self.0.get(&key.tool)?.get(&hash_of(key)).copied()
    }

    /// Returns the former fingerprint.
    pub(super) fn insert(&mut self, key: &SessionKey, print: u64) -> Option<u64> {
        if !self.0.contains_key(&key.tool) {
            self.0.insert(key.tool.clone(), HashMap::new());
        }
        self.0.get_mut(&key.tool)?.insert(hash_of(key), print)
    }

    pub(super) fn remove(&mut self, key: &SessionKey) {
        if let Some(of_tool) = self.0.get_mut(&key.tool) {
            of_tool.remove(&hash_of(key));
        }
    }

    pub(super) fn forget_tool(&mut self, tool: &ToolId) {
        self.0.remove(tool);
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

fn hash_of(key: &SessionKey) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash.hash(&mut hasher);
    hasher.finish()
}
