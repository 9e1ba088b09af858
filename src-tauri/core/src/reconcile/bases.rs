//! Sessions whose beginning lies in another session's file (forks made by a tool itself): which
//! session holds that beginning here, after the other one split.

use super::context::Context;
use super::record::{Dependent, Dependents, DocState, ParentLink, SessionRecord};
use super::split::{ForkPlan, branch_layout, first_line};
use crate::merge::{branches, fork_id};
use crate::reconcile::session::{Session, SessionMut};
use crate::session::{ChainId, DocName, ForkBase, SessionId, SessionKey};
use crate::tools::ReadSeek;
use crate::vault::JournalError;
use std::io::{Read, SeekFrom};

/// The file's present reference, if it differs from the recorded one.
pub fn rebound_in(base: &ForkBase, file: &mut dyn ReadSeek) -> Option<ParentLink> {
    let mut id = Vec::new();
    file.seek(SeekFrom::Start(base.offset)).ok()?;
    file.take(base.session.as_str().len() as u64)
        .read_to_end(&mut id)
        .ok()?;
    let now = String::from_utf8(id)
        .ok()
        .filter(|id| id.len() == base.session.as_str().len())?;
    let shaped = now
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    (shaped && now != base.session.as_str()).then(|| ParentLink {
        base: base.clone(),
        now: SessionId::new(now),
    })
}

impl Dependent {
    pub fn of(record: &SessionRecord) -> Option<Self> {
        Some(Self {
            base: record.origin()?.base.clone()?,
            device: record.began_on()?.to_owned(),
        })
    }

    /// The end of the branch that the session began on: the branch its device wrote at that place.
    pub fn begun_on(&self, state: &DocState) -> Option<ChainId> {
        let wrote = |tip: ChainId| {
            let mut end = 0;
            state.trie.path(tip).into_iter().flatten().find_map(|edge| {
                end += edge.bytes;
                (self.base.end <= end).then(|| edge.source.device == self.device)
            })
        };
        let reaching = branches(&state.trie)
            .into_iter()
            .filter_map(|tip| Some((wrote(tip)?, tip)));
        reaching
            .max_by_key(|(wrote, tip)| (*wrote, std::cmp::Reverse(*tip)))
            .map(|(_, tip)| tip)
    }

    /// Where the session's branch leaves the path to `target`; `None` if its beginning is on that
    /// path.
    pub fn fork_point(&self, state: &DocState, target: ChainId) -> Option<(ChainId, ChainId)> {
        let tip = self.begun_on(state)?;
        let meet = state.trie.meet(target, tip);
        (state.trie.size(meet).1 < self.base.end).then_some((meet, tip))
    }

    /// Whether the session's beginning also lies on the path to `end`.
    pub fn lies_on(&self, state: &DocState, end: ChainId) -> bool {
        let tip = self.begun_on(state);
        tip.is_some_and(|tip| self.base.end <= state.trie.size(state.trie.meet(end, tip)).1)
    }
}

/// The session that holds the child's beginning on this device: the parent, or a fork of the
/// parent. `None` while too little of the parent is known.
pub fn holder(
    context: &Context,
    key: &SessionKey,
    parent: &SessionRecord,
    child: &Dependent,
) -> Result<Option<SessionId>, JournalError> {
    let mut parent = parent.clone();
    let layout = branch_layout(
        SessionMut::new(context, key, &mut parent),
        &Dependents::default(),
    )?;
    let main: Option<DocName> = parent.main().cloned();
    let target = main
        .as_ref()
        .and_then(|main| layout.settled.targets.get(main))
        .copied();
    let asked = layout.settled.split.is_some_and(|split| split.ask);
    let (Some(main), Some(target), false) = (main, target, asked) else {
        return Ok(None);
    };
    let Some((meet, tip)) = child.fork_point(&parent.docs[&main], target) else {
        return Ok(Some(child.base.session.clone()));
    };
    // Of branches that share lines after leaving the trunk, the first has the name of the first
    // such line.
    let on_it = |plan: &&ForkPlan| {
        plan.doc == main
            && plan
                .targets
                .get(&main)
                .is_some_and(|end| child.lies_on(&parent.docs[&main], *end))
    };
    if let Some(plan) = layout.forks.iter().find(on_it) {
        return Ok(Some(plan.session.clone()));
    }
    let first_line = first_line(Session::new(context, key, &parent), &main, meet, tip)?;
    Ok(first_line.map(|first_line| fork_id(&child.base.session, first_line)))
}
