//! Revoking a device, after explaining the effect.

use crate::ask::Engine;
use crate::confirm::confirm;
use crate::out::{Output, note};
use crate::render::devices;
use session_roam_core::api::{ApiError, Request, RevokeAnswer};
use session_roam_core::session::ProblemCode;

pub fn revoke(
    engine: &mut Engine,
    id: String,
    since: Option<String>,
    yes: bool,
) -> Result<Output, ApiError> {
    let mut id = id;
    if !yes {
        let dry = Request::Revoke {
            id,
            since: since.clone(),
            dry: true,
        };
        let would: RevokeAnswer = engine.ask(&dry)?.as_type()?;
        note(&devices::revoke_question(&would));
        if !confirm(
            &format!("Revoke {}?", would.name),
            "Confirm beforehand with --yes.",
        )? {
            return Err(ApiError::new(
                ProblemCode::NotRevoked,
                format!("{} was not revoked.", would.name),
                "Nothing was changed.",
            ));
        }
        id = would.id;
    }
    let answer = engine.ask(&Request::Revoke {
        id,
        since,
        dry: false,
    })?;
    answer.show(|answer: RevokeAnswer| devices::revoked(&answer))
}
