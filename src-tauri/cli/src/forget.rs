//! Forgetting a session: one question that explains everything, then the receipts.

use crate::ask::Engine;
use crate::confirm::confirm;
use crate::out::Output;
use crate::render::{View, forgotten};
use session_roam_core::api::{ApiError, ForgetPreview, Request};
use session_roam_core::session::{ProblemCode, Remedy};

pub fn forget(
    engine: &mut Engine,
    session: String,
    yes: bool,
    view: &View,
) -> Result<Output, ApiError> {
    let preview: ForgetPreview = engine
        .ask(&Request::ForgetPreview {
            session: session.clone(),
        })?
        .as_type()?;
    if !yes {
        crate::out::note(&forgotten::consequences(&preview));
        let hint = "Read `roam forget --help`, then confirm with --yes.";
        if !confirm(&forgotten::question(&preview), hint)? {
            return Err(
                ApiError::new(ProblemCode::NotForgotten, "Nothing was forgotten.", "")
                    .offer(Remedy::OpenSessions),
            );
        }
    }
    // By its whole id: a new session may begin with the same characters by now.
    let session = preview
        .sessions
        .first()
        .map_or(session, |first| first.session.clone());
    engine
        .ask(&Request::Forget { session })?
        .show(|rows: Vec<_>| forgotten::rows(&rows, view))
}

pub fn list(engine: &mut Engine, view: &View) -> Result<Output, ApiError> {
    engine
        .ask(&Request::Forgotten)?
        .show(|rows: Vec<_>| forgotten::rows(&rows, view))
}
