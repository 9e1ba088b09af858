//! One session under work: what all work on it needs, as one value.

use super::context::Context;
use super::record::SessionRecord;
use crate::session::SessionKey;

/// A session that is read.
#[derive(Clone, Copy)]
pub struct Session<'a> {
    pub context: &'a Context,
    pub key: &'a SessionKey,
    pub record: &'a SessionRecord,
}

impl<'a> Session<'a> {
    pub const fn new(context: &'a Context, key: &'a SessionKey, record: &'a SessionRecord) -> Self {
        Self {
            context,
            key,
            record,
        }
    }

    pub const fn parts(self) -> (&'a Context, &'a SessionKey, &'a SessionRecord) {
        (self.context, self.key, self.record)
    }
}

/// A session whose record changes.
pub struct SessionMut<'a> {
    pub context: &'a Context,
    pub key: &'a SessionKey,
    pub record: &'a mut SessionRecord,
}

impl<'a> SessionMut<'a> {
    pub const fn new(
        context: &'a Context,
        key: &'a SessionKey,
        record: &'a mut SessionRecord,
    ) -> Self {
        Self {
            context,
            key,
            record,
        }
    }

    pub const fn parts(self) -> (&'a Context, &'a SessionKey, &'a mut SessionRecord) {
        (self.context, self.key, self.record)
    }
}
