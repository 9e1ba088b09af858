//! A session's row in the lists: how the session stands after a reconcile, and why.

use crate::adapter::Found;
use crate::merge::Verdict;
use crate::reconcile::record::SessionRecord;
use crate::reconcile::split::BranchLayout;
use crate::session::{Reason, SessionKey, SessionState, SplitState};
use crate::state::Row;

/// A split needs no hint: its remedy compares the versions.
const SEE_SPLITS: &str = "";
const PUT_AWAY: &str = "It was put away when its split was decided; the vault keeps it.";
const CUT: &str = "The device that wrote it was revoked, and what it wrote is removed from the sessions; the vault keeps it.";

pub fn row(
    record: &SessionRecord,
    key: &SessionKey,
    verdict: &Verdict,
    layout: &BranchLayout,
) -> Row {
    let latest = record.latest();
    let (mut state, mut reason, mut why, mut hint) = words(verdict, record.is_here());
    if reason == Some(Reason::PutAway) && record.cut.is_some() && record.choices.is_empty() {
        why = CUT.into();
    }
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
        title: record.title().unwrap_or("Untitled").to_owned(),
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

/// Nobody recorded anything of the session, because its file in this device's store has no complete
/// record yet.
pub fn unfinished(row: &mut Row, found: &Found) {
    row.session = found.session.to_string();
    row.path = found.main().ok().map(|main| main.path.clone());
    row.why = "Its file on this device has no complete record yet.".into();
    row.hint = "It syncs as soon as its tool has written one.".into();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::{SessionId, ToolId};

    fn standing(verdict: &Verdict) -> Row {
        let key = SessionKey::new(&ToolId::new("x"), &SessionId::new("s"));
        let (record, layout) = (SessionRecord::default(), BranchLayout::default());
        row(&record, &key, verdict, &layout)
    }

    #[test]
    fn a_verdict_has_its_state_and_its_reason() {
        let (why, hint) = ("Because.".to_owned(), "Wait.".to_owned());
        let waiting = Verdict::Waiting {
            code: Reason::Paused,
            why: why.clone(),
            hint: hint.clone(),
            steps: Vec::new(),
        };
        let held = Verdict::Held {
            code: Reason::Rewritten,
            why: why.clone(),
            hint,
            steps: Vec::new(),
        };
        // Without a file here, "equal" means that the store has no part of it.
        let rows = [
            (Verdict::Here, SessionState::Elsewhere, None),
            (Verdict::Checkout(Vec::new()), SessionState::Elsewhere, None),
            (
                Verdict::Elsewhere { why },
                SessionState::Elsewhere,
                Some(Reason::DeletedHere),
            ),
            (
                Verdict::Arriving,
                SessionState::Elsewhere,
                Some(Reason::Arriving),
            ),
            (
                Verdict::Away,
                SessionState::Elsewhere,
                Some(Reason::PutAway),
            ),
            (waiting, SessionState::Waiting, Some(Reason::Paused)),
            (held, SessionState::Held, Some(Reason::Rewritten)),
        ];
        for (verdict, state, reason) in rows {
            let row = standing(&verdict);
            assert_eq!((row.state, row.reason), (state, reason), "{verdict:?}");
            assert_eq!(row.why.is_empty(), reason.is_none(), "{verdict:?}");
        }
    }

    #[test]
    fn a_session_of_which_only_the_key_is_known_has_a_row() {
        let row = standing(&Verdict::Arriving);
        assert_eq!(row.title, "Untitled");
        assert!(!row.session.is_empty() && row.project.is_empty());
        assert_eq!((row.path, row.split), (None, SplitState::None));
        assert!(row.needs.is_empty() && row.devices.is_empty());
    }
}
