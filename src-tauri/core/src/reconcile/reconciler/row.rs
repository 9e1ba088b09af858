//! A session's row in the lists: how the session stands after a reconcile, and why.

use crate::merge::Verdict;
use crate::reconcile::record::SessionRecord;
use crate::reconcile::split::BranchLayout;
use crate::session::{Reason, SessionKey, SessionState, SplitState};
use crate::state::Row;

/// A split needs no hint: its remedy compares the versions.
const SEE_SPLITS: &str = "";
const PUT_AWAY: &str = "It was put away when its split was decided; the vault keeps it.";

pub fn row(
    record: &SessionRecord,
    key: &SessionKey,
    verdict: &Verdict,
    layout: &BranchLayout,
) -> Row {
    let latest = record.latest();
    let (mut state, mut reason, mut why, mut hint) = words(verdict, record.is_here());
    let open = layout
        .settled
        .split
        .as_ref()
        .filter(|split| split.is_open());
    if let (Some(split), SessionState::Here | SessionState::Elsewhere) = (open, state) {
        (state, reason) = (SessionState::Split, Some(Reason::Split));
        (why, hint) = (split.reason.clone(), SEE_SPLITS.into());
    }
    if let ((1.., here), None, SessionState::Here | SessionState::Elsewhere) =
        (record.left_out(), reason, state)
    {
        let on = if here {
            "in this device's store"
        } else {
            "on the device that wrote it"
        };
        (reason, why) = (
            Some(Reason::LeftOut),
            format!("A record of more than 1 GB is {on} only."),
        );
        hint = "Everything before and after it is on every device.".into();
    }
    let last = record
        .docs
        .values()
        .map(|doc| doc.said.wall)
        .max()
        .unwrap_or_default();
    Row {
        session: record
            .session
            .as_ref()
            .map_or_else(|| key.hash.clone(), |session| session.to_string()),
        project: record
            .origin()
            .map(|card| card.project.key.to_string())
            .unwrap_or_default(),
        title: latest
            .and_then(|card| card.title.clone())
            .unwrap_or_else(|| "Untitled".into()),
        updated: latest.map_or(last, |card| card.updated),
        bytes: record.bytes(),
        state,
        reason,
        why,
        hint,
        split: match open {
            Some(split) => SplitState::Open(split.tier()),
            None if layout.settled.split.is_some()
                || !record.choices.is_empty()
                || !record.taken_back.is_empty() =>
            {
                SplitState::Decided
            }
            None => SplitState::None,
        },
        needs: record
            .origin()
            .and_then(|card| card.base.as_ref())
            .map_or_else(Vec::new, |base| {
                let now = record
                    .rebound
                    .as_ref()
                    .map_or(&base.session, |rebound| &rebound.now);
                vec![base.session.to_string(), now.to_string()]
            }),
        devices: record.devices().into_iter().map(str::to_owned).collect(),
        path: record
            .main_doc()
            .and_then(|doc| doc.local.as_ref())
            .filter(|local| local.there)
            .map(|local| local.path.clone()),
    }
}

/// State, reason, and both in words: why, and what to do.
type Standing = (SessionState, Option<Reason>, String, String);

fn words(verdict: &Verdict, here: bool) -> Standing {
    let elsewhere = |reason, why: &str, hint: &str| {
        (
            SessionState::Elsewhere,
            Some(reason),
            why.to_owned(),
            hint.to_owned(),
        )
    };
    match verdict {
        Verdict::Here | Verdict::Checkout(_) => {
            let state = if here {
                SessionState::Here
            } else {
                SessionState::Elsewhere
            };
            (state, None, String::new(), String::new())
        }
        Verdict::Elsewhere { why } => elsewhere(Reason::DeletedHere, why, ""),
        Verdict::Arriving => elsewhere(Reason::Arriving, "Parts of it have not arrived yet.", ""),
        Verdict::Waiting {
            code, why, hint, ..
        } => (
            SessionState::Waiting,
            Some(*code),
            why.clone(),
            hint.clone(),
        ),
        Verdict::Ask(split) => (
            SessionState::Split,
            Some(Reason::Split),
            split.reason.clone(),
            SEE_SPLITS.into(),
        ),
        Verdict::Away => elsewhere(Reason::PutAway, PUT_AWAY, ""),
        Verdict::Held {
            code, why, hint, ..
        } => (SessionState::Held, Some(*code), why.clone(), hint.clone()),
    }
}
