//! What the user can do about a session that waits or is held, by the reason alone.

use crate::api::types::HoldReason;
use crate::session::{Reason, Remedy, SessionKey, SplitState, ToolId};
use crate::state::Row;

pub fn of_row(key: &SessionKey, row: &Row) -> Vec<Remedy> {
    row.reason
        .map_or_else(Vec::new, |reason| of_reason(reason, key, row))
}

fn of_reason(reason: Reason, key: &SessionKey, row: &Row) -> Vec<Remedy> {
    let (session, project) = (row.session.clone(), row.project.clone());
    let held = |code| of_hold(code, &format!("session:{}", row.session), Some(&key.tool));
    match reason {
        Reason::NoPlace | Reason::PlaceRefused => vec![Remedy::ChooseFolder { project }],
        Reason::ToolOff => vec![Remedy::SwitchToolOn {
            tool: key.tool.to_string(),
        }],
        Reason::StoreOff | Reason::StoreGone => vec![Remedy::OpenTools],
        Reason::Excluded => vec![Remedy::IncludeProject { project }],
        Reason::Paused => vec![Remedy::ContinueSyncing],
        Reason::Unwritable => vec![Remedy::OpenLogs],
        Reason::Split => vec![Remedy::Compare { session }],
        Reason::DeletedHere => vec![Remedy::RestoreSession { session }],
        // No decision about the session: its device was revoked.
        Reason::PutAway if row.split == SplitState::None => vec![Remedy::OpenDevices],
        Reason::PutAway => vec![Remedy::Undo {
            session: Some(session),
        }],
        Reason::Rewritten => held(HoldReason::Rewritten),
        Reason::Steered => held(HoldReason::Steered),
        Reason::ToolEmptied => of_hold(
            HoldReason::ToolEmptied,
            &format!("tool:{}", key.tool),
            Some(&key.tool),
        ),
        // These pass by themselves.
        Reason::Live
        | Reason::JustWritten
        | Reason::Parent
        | Reason::UnknownShape
        | Reason::TakenBack
        | Reason::LeftOut
        | Reason::Arriving
        | Reason::Unlisted => Vec::new(),
    }
}

/// `what` is what a release names.
pub fn of_hold(code: HoldReason, what: &str, tool: Option<&ToolId>) -> Vec<Remedy> {
    let session = what.strip_prefix("session:").map(str::to_owned);
    let what = what.to_owned();
    let compare = session.clone().map(|session| Remedy::Compare { session });
    let open = session.map(|session| Remedy::OpenSession { session });
    match code {
        HoldReason::ToolEmptied => tool
            .map(|tool| Remedy::RestoreSessions {
                tool: tool.to_string(),
            })
            .into_iter()
            .chain([Remedy::AcceptDeletion { what }])
            .collect(),
        HoldReason::Rewritten => compare
            .into_iter()
            .chain([Remedy::AcceptRewrite { what }])
            .collect(),
        HoldReason::MassChange => vec![Remedy::OpenSessions, Remedy::AcceptRewrite { what }],
        HoldReason::Steered => open
            .into_iter()
            .chain([Remedy::AcceptLines { what }])
            .collect(),
        HoldReason::VaultLost => vec![Remedy::OpenDiagnostics],
        HoldReason::MassForget => vec![Remedy::RevokeDevice, Remedy::AcceptForget { what }],
        HoldReason::Needed => vec![Remedy::AcceptForget { what }],
    }
}
