//! The session that holds each shared doc on this device.

use crate::session::{DocName, SessionKey};
use std::collections::BTreeMap;

/// The session that holds each shared doc on this device.
#[derive(Debug, Default)]
pub struct Holders(BTreeMap<(String, DocName), SessionKey>);

impl Holders {
    pub fn of(&self, key: &SessionKey, doc: &DocName) -> Option<&SessionKey> {
        self.0.get(&(key.tool.to_string(), doc.clone()))
    }

    pub fn is_anothers(&self, key: &SessionKey, doc: &DocName) -> bool {
        self.of(key, doc).is_some_and(|holder| holder != key)
    }

    /// Gives the doc to the session, unless another one holds it.
    pub fn claim(&mut self, key: &SessionKey, doc: &DocName) {
        self.0
            .entry((key.tool.to_string(), doc.clone()))
            .or_insert_with(|| key.clone());
    }

    /// Drops the docs of a forgotten session.
    pub fn forget(&mut self, key: &SessionKey) {
        self.0.retain(|_, holder| holder != key);
    }
}
