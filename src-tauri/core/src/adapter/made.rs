//! Bytes made in memory, shared without a copy: a tool's document may have more than a hundred
//! megabytes.

use std::ops::Deref;
use std::sync::Arc;

/// The bytes; a clone shares them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made(Arc<Vec<u8>>);

impl Made {
    /// The bytes for changing; copied only if somebody else holds them.
    pub fn into_vec(self) -> Vec<u8> {
        Arc::unwrap_or_clone(self.0)
    }
}

impl From<Vec<u8>> for Made {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Arc::new(bytes))
    }
}

impl From<&[u8]> for Made {
    fn from(bytes: &[u8]) -> Self {
        bytes.to_vec().into()
    }
}

impl Deref for Made {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<[u8]> for Made {
    fn as_ref(&self) -> &[u8] {
        self
    }
}
