//! Forgotten sessions: the effect of forgetting one, and the result on each device.

use super::{View, and, plural, project, wrap};
use crate::when::{ago, left};
use session_roam_core::api::quote::word;
use session_roam_core::api::{ForgetPreview, ForgottenRow, ReceiptRow};
use session_roam_core::session::Millis;

/// The question; [`consequences`] is printed above it.
pub fn question(preview: &ForgetPreview) -> String {
    match (
        preview.sessions.first(),
        preview.sessions.len() as u64 - u64::from(!preview.sessions.is_empty()),
    ) {
        (None, _) => "Forget it everywhere?".into(),
        (Some(session), 0) => format!("Forget “{}” everywhere?", session.title),
        (Some(session), n) => format!(
            "Forget “{}” and {} of it everywhere?",
            session.title,
            plural(n, "version")
        ),
    }
}

pub fn consequences(preview: &ForgetPreview) -> String {
    let mut text = String::new();
    for session in &preview.sessions {
        let project = project(&session.project);
        text.push_str(&format!(
            "“{}”, {} in {project} ({})\n",
            session.title, session.tool, session.session
        ));
    }
    text.push_str(&format!(
        "It is removed from {}: from session-roam and from the tool's own store, with everything added there until \
         then. An offline device removes it when it is online again.\n",
        and(&preview.devices)
    ));
    if !preview.cannot_be_told.is_empty() {
        text.push_str(&format!(
            "{} cannot be reached and may keep it.\n",
            and(&preview.cannot_be_told)
        ));
    }
    text.push_str("What a tool stores outside its sessions stays, such as its prompt history.\n");
    text.push_str(&match preview.minutes {
        0 => "This cannot be undone.".to_owned(),
        n => format!(
            "You can undo this for {} with `roam undo{}`. After that it is permanent.",
            plural(n, "minute"),
            preview
                .sessions
                .first()
                .map_or_else(String::new, |one| format!(" {}", word(&one.session)))
        ),
    });
    text
}

pub fn rows(rows: &[ForgottenRow], view: &View) -> String {
    if rows.is_empty() {
        return "No forgotten sessions.\n".into();
    }
    let mut out = String::new();
    for row in rows {
        let name = row
            .title
            .as_ref()
            .map_or_else(|| row.key.clone(), |title| format!("“{title}”"));
        let by = if row.by.is_empty() {
            String::new()
        } else {
            format!(" on {}", and(&row.by))
        };
        out.push_str(&wrap(
            &format!("{name}: forgotten {}{by}", ago(&row.at, view.now)),
            0,
            view,
        ));
        if let Some(until) = &row.undo_until {
            let undo = match &row.session {
                Some(session) => format!("`roam undo {}`", word(session)),
                None => "`roam undo`".to_owned(),
            };
            let is_over = Millis::parse(until).is_some_and(|until| until <= view.now);
            let text = match is_over {
                true => format!("no device has removed it yet; {undo} may still undo it"),
                false => format!(
                    "no device has removed it yet; {undo} undoes it for another {}",
                    left(until, view.now)
                ),
            };
            out.push_str(&wrap(&text, 2, view));
        }
        for receipt in &row.receipts {
            out.push_str(&wrap(
                &format!("{}: {}", receipt.device, state(receipt)),
                2,
                view,
            ));
        }
    }
    out
}

fn state(receipt: &ReceiptRow) -> String {
    let state = match receipt.state.as_str() {
        "removed" => "removed",
        "in_store" => "removed from session-roam, not from the tool",
        "removing" => "being removed",
        "waiting" => "waiting",
        "held" => "held, see `roam status`",
        "cannot_be_told" => "cannot be reached",
        other => other,
    };
    receipt
        .why
        .as_ref()
        .map_or_else(|| state.to_owned(), |why| format!("{state}. {why}"))
}
