//! Docs that share a place with those of other sessions, a plan for instance: each belongs to at
//! most one session of this device. Otherwise another device that knows such a name could name the
//! doc in a session of its own, and read and replace this device's doc through that session. The
//! adapter knows which docs these are, and which records name them.

use super::context::Context;
use super::record::SessionRecord;
use super::steering::{each_steered, is_own};
use crate::reconcile::session::Session;
use crate::session::chain::lines_of;
use crate::session::{DocName, SessionKey};
use crate::tools::{Found, FoundDoc, SharedDocs};
use crate::vault::JournalError;

/// Limits the docs in the store to the session's. Of shared ones: those that it has had here, and
/// free ones that only this device named or that its journals brought. Returns those that it now
/// holds.
pub fn claim(session: Session<'_>, found: &mut Found) -> Result<Vec<DocName>, JournalError> {
    let (context, key, record) = session.parts();
    let Some(shared) = shared_docs(context, key) else {
        return Ok(Vec::new());
    };
    let Some(main) = found.docs.first().map(|main| main.name.clone()) else {
        return Ok(Vec::new());
    };
    let claimant = Claimant {
        context,
        key,
        record,
        shared,
        main: &main,
    };
    let mut own = Vec::new();
    for doc in found.docs.iter().filter(|doc| (shared.is_one)(&doc.name)) {
        let holder = context.holders().of(key, &doc.name).cloned();
        let may_claim = match &holder {
            Some(holder) => holder == key,
            None => claimant.may_claim(doc)?,
        };
        if may_claim {
            let mut holders = context.holders();
            holders.claim(key, &doc.name);
            if !holders.is_anothers(key, &doc.name) {
                own.push(doc.name.clone());
            }
        }
    }
    found
        .docs
        .retain(|doc| !(shared.is_one)(&doc.name) || own.contains(&doc.name));
    Ok(own)
}

pub fn shared_docs(context: &Context, key: &SessionKey) -> Option<SharedDocs> {
    context.tools.get(&key.tool)?.about().shared
}

/// A session that names docs which no session of this device has yet.
struct Claimant<'a> {
    context: &'a Context,
    key: &'a SessionKey,
    record: &'a SessionRecord,
    shared: SharedDocs,
    main: &'a DocName,
}

impl Claimant<'_> {
    /// Whether a doc that no session has yet belongs to this one.
    fn may_claim(&self, doc: &FoundDoc) -> Result<bool, JournalError> {
        let was_here = self
            .record
            .docs
            .get(&doc.name)
            .is_some_and(|state| state.local.is_some());
        Ok(was_here || !self.is_named_elsewhere(&doc.name)? || self.is_recorded(doc)?)
    }

    /// Whether another device's record names the doc. A record too large to hold counts as naming
    /// it.
    fn is_named_elsewhere(&self, doc: &DocName) -> Result<bool, JournalError> {
        let Self {
            context,
            key,
            record,
            shared,
            main,
        } = self;
        let Some(state) = record.docs.get(main) else {
            return Ok(false);
        };
        let journal_reader = context.journal_reader(&key.tool, &record.journals, main);
        let mut is_named = false;
        for edge in state
            .trie
            .edges()
            .iter()
            .filter(|edge| !is_own(context, record, edge))
        {
            each_steered(
                context,
                &key.tool,
                &journal_reader,
                edge,
                |lines, is_raw| {
                    is_named |= is_raw || lines_of(lines).any(|line| (shared.names)(doc, line));
                },
            )?;
            if is_named {
                break;
            }
        }
        Ok(is_named)
    }

    /// Whether the journals of the session have the file's content.
    fn is_recorded(&self, doc: &FoundDoc) -> Result<bool, JournalError> {
        let Some(state) = self.record.docs.get(&doc.name) else {
            return Ok(false);
        };
        let Ok(content) = crate::opener::read(&doc.path, crate::opener::MOST) else {
            return Ok(false);
        };
        let journal_reader =
            self.context
                .journal_reader(&self.key.tool, &self.record.journals, &doc.name);
        for tip in state.trie.heads() {
            if journal_reader.content(state.kind, &state.trie.path(tip).unwrap_or_default())?
                == content
            {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
