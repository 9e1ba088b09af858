//! A session's row in the lists: how the session stands after a reconcile, and why.

use crate::adapter::Found;
use crate::merge::{Obstacle, Split, Verdict};
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
    let mut standing = Standing::of(verdict, record.is_here());
    if standing.reason == Some(Reason::PutAway) && record.cut.is_some() && record.choices.is_empty()
    {
        standing.why = CUT.into();
    }
    let open = layout
        .settled
        .split
        .as_ref()
        .filter(|split| split.is_open());
    if let (Some(split), SessionState::Here | SessionState::Elsewhere) = (open, standing.state) {
        standing = Standing::split(split);
    }
    if let ((1.., here), None, SessionState::Here | SessionState::Elsewhere) =
        (record.left_out(), standing.reason, standing.state)
    {
        let on = if here {
            "in this device's store"
        } else {
            "on the device that wrote it"
        };
        standing.reason = Some(Reason::LeftOut);
        standing.why = format!("A record of more than 1 GB is {on} only.");
        standing.hint = "Everything before and after it is on every device.".into();
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
        state: standing.state,
        reason: standing.reason,
        why: standing.why,
        hint: standing.hint,
        split: match open {
            Some(split) => SplitState::Open(split.tier()),
            None if layout.settled.split.is_some()
                || !record.choices.is_empty()
                || !record.withdrawals.is_empty() =>
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

/// How a session stands: its state, the reason, and in words why and what to do.
struct Standing {
    state: SessionState,
    reason: Option<Reason>,
    why: String,
    hint: String,
}

impl Standing {
    fn elsewhere(reason: Reason, why: &str) -> Self {
        Self {
            state: SessionState::Elsewhere,
            reason: Some(reason),
            why: why.to_owned(),
            hint: String::new(),
        }
    }

    fn obstacle(state: SessionState, obstacle: &Obstacle) -> Self {
        Self {
            state,
            reason: Some(obstacle.reason),
            why: obstacle.why.clone(),
            hint: obstacle.hint.clone(),
        }
    }

    fn of(verdict: &Verdict, here: bool) -> Self {
        match verdict {
            Verdict::Here | Verdict::Checkout(_) => Self {
                state: if here {
                    SessionState::Here
                } else {
                    SessionState::Elsewhere
                },
                reason: None,
                why: String::new(),
                hint: String::new(),
            },
            Verdict::Elsewhere { why } => Self::elsewhere(Reason::DeletedHere, why),
            Verdict::Arriving => {
                Self::elsewhere(Reason::Arriving, "Parts of it have not arrived yet.")
            }
            Verdict::Away => Self::elsewhere(Reason::PutAway, PUT_AWAY),
            Verdict::Waiting(obstacle) => Self::obstacle(SessionState::Waiting, obstacle),
            Verdict::Held(obstacle) => Self::obstacle(SessionState::Held, obstacle),
            Verdict::Ask(split) => Self::split(split),
        }
    }

    fn split(split: &Split) -> Self {
        Self {
            state: SessionState::Split,
            reason: Some(Reason::Split),
            why: split.reason.clone(),
            hint: SEE_SPLITS.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::{SessionId, ToolId};

    fn row_of(verdict: &Verdict) -> Row {
        let key = SessionKey::new(&ToolId::new("x"), &SessionId::new("s"));
        let (record, layout) = (SessionRecord::default(), BranchLayout::default());
        row(&record, &key, verdict, &layout)
    }

    #[test]
    fn a_verdict_has_its_state_and_its_reason() {
        let (why, hint) = ("Because.".to_owned(), "Wait.".to_owned());
        let obstacle = |reason| Obstacle {
            reason,
            why: why.clone(),
            hint: hint.clone(),
            steps: Vec::new(),
        };
        let waiting = Verdict::Waiting(obstacle(Reason::Paused));
        let held = Verdict::Held(obstacle(Reason::Rewritten));
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
            let row = row_of(&verdict);
            assert_eq!((row.state, row.reason), (state, reason), "{verdict:?}");
            assert_eq!(row.why.is_empty(), reason.is_none(), "{verdict:?}");
        }
    }

    #[test]
    fn a_session_of_which_only_the_key_is_known_has_a_row() {
        let row = row_of(&Verdict::Arriving);
        assert_eq!(row.title, "Untitled");
        assert!(!row.session.is_empty() && row.project.is_empty());
        assert_eq!((row.path, row.split), (None, SplitState::None));
        assert!(row.needs.is_empty() && row.devices.is_empty());
    }
}
