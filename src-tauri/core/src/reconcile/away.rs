//! A session in a store that is not read now.

use super::context::Context;
use super::record::SessionRecord;

use crate::session::Reason;
use crate::session::ToolId;
use crate::tools::stores::Whereabouts;

/// Why a session's files are not read though they were in a store here: a code, why, and what to
/// do.
pub fn away(
    context: &Context,
    tool: &ToolId,
    record: &SessionRecord,
) -> Option<(Reason, String, String)> {
    let local = record
        .main_doc()?
        .local
        .as_ref()
        .filter(|local| local.there)?;
    let several = context
        .stores
        .get(tool)
        .is_some_and(|stores| stores.stores().len() > 1);
    match context.whereabouts(tool, &local.path) {
        Whereabouts::Off(dir) => Some((
            Reason::StoreOff,
            format!(
                "It is in {}, which is switched off on this device.",
                dir.display()
            ),
            "Switch the store on to sync it.".into(),
        )),
        Whereabouts::Gone(dir) if several => Some((
            Reason::StoreGone,
            format!("It is in {}, which was not found.", dir.display()),
            "Restore the directory; session-roam finds the session within a minute.".into(),
        )),
        _ => None,
    }
}
