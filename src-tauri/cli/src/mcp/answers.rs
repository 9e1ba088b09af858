//! The answers of the tools: requests to the engine, and what comes back as a quotation. Knows nothing of the protocol.

use super::pages::{Head, about, heading, hits, rows, transcript};
use super::quotation::{MOST, Quotation, time};
use super::scope::{Allowed, Scope};
use crate::ask::Engine;
use serde::Deserialize;
use session_roam_core::api::quote::command_line;
use session_roam_core::api::{
    ApiError, Done, Forked, PartBody, Request, Resume, Search as Found, SessionFilter, SessionRow,
    Shown, Status,
};
use session_roam_core::session::ProblemCode;

/// Sessions in one answer, unless asked for fewer or more.
const SESSIONS: u64 = 20;
const MOST_SESSIONS: u64 = 100;
/// Messages in one answer, as far as they fit.
const MESSAGES: u64 = 20;
const MOST_MESSAGES: u64 = 100;
type Told = Result<String, ApiError>;

/// What a call works with: one connection to the engine, and what may be returned.
pub struct Desk<'a> {
    pub engine: Engine,
    pub allowed: &'a Allowed,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Search {
    words: String,
    limit: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct List {
    tool: Option<String>,
    project: Option<String>,
    device: Option<String>,
    #[serde(default)]
    from: u64,
    limit: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Read {
    session: String,
    from: Option<u64>,
    last: Option<u64>,
    messages: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReadPart {
    session: String,
    message: u64,
    #[serde(default)]
    part: u64,
    #[serde(default)]
    offset: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OneSession {
    session: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fork {
    session: String,
    message: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

impl Desk<'_> {
    fn scope(&mut self) -> Result<Scope, ApiError> {
        Scope::now(self.allowed, &mut self.engine)
    }

    /// Asks the engine's index, of what is limited only for messages that may be returned: that a
    /// session fits would tell the words of the others.
    pub fn search(&mut self, ask: Search) -> Told {
        if ask.words.trim().is_empty() {
            return Err(bad_arguments("`words` is empty."));
        }
        let scope = self.scope()?;
        let limit = ask.limit.unwrap_or(SESSIONS).min(MOST_SESSIONS);
        let request = Request::Search {
            // The last word is complete, unlike in a window's field.
            words: ask.words + " ",
            limit: Some(limit),
            devices: scope.names(),
        };
        let found: Found = self.engine.ask(&request)?.as_type()?;
        Ok(hits(&found, limit, &scope))
    }

    pub fn list(&mut self, ask: List) -> Told {
        let scope = self.scope()?;
        let limit = ask.limit.unwrap_or(SESSIONS).min(MOST_SESSIONS);
        // A limited server filters here; one more session than asked for says whether there are more.
        let enough = ask.from.saturating_add(limit).saturating_add(1);
        let mut found = self.sessions(SessionFilter {
            tool: ask.tool,
            project: ask.project,
            device: ask.device,
            limit: (!scope.is_limited()).then_some(enough),
            newest_of_others: None,
            after: None,
        })?;
        found.retain(|row| scope.has_part_of(row));
        Ok(rows(
            &heads(&found),
            ask.from,
            limit,
            &scope,
            "are listed, the latest first",
        ))
    }

    pub fn open(&mut self, _: Nothing) -> Told {
        let scope = self.scope()?;
        let status: Status = self.engine.ask(&Request::Status)?.as_type()?;
        let live = status.live.iter();
        let live: Vec<_> = live
            .filter(|open| scope.has_device(Some(&open.device)))
            .collect();
        let mut quotation = Quotation::new();
        quotation.say(&format!(
            "Sessions that are open in their tools now: {}.",
            live.len()
        ));
        for open in live.iter().take(MOST_SESSIONS as usize) {
            let seen = time(Some(&open.seen));
            let device = scope.device(Some(&open.device));
            quotation.say(&format!("Open on {device}, last reported {seen}:"));
            quotation.label("id", &open.session);
            quotation.label("tool", &open.tool);
            quotation.label("project", &open.project);
            if !scope.is_limited() {
                quotation.label("title", &open.title);
            }
        }
        Ok(quotation.finish())
    }

    pub fn read(&mut self, ask: Read) -> Told {
        let scope = self.scope()?;
        let first = self.page(&ask.session, 0, 0)?;
        self.must_have_part_of(&first.row, &scope)?;
        let wanted = ask.messages.or(ask.last).unwrap_or(MESSAGES);
        let wanted = wanted.clamp(1, MOST_MESSAGES);
        let from = match (ask.from, ask.last) {
            (Some(_), Some(_)) => return Err(bad_arguments("Give `from` or `last`, not both.")),
            (_, Some(last)) => first.total.saturating_sub(last),
            (from, None) => from.unwrap_or(0),
        };
        let shown = self.page(&ask.session, from, wanted)?;
        let mut quotation = Quotation::new();
        about(&mut quotation, &Head::from(&shown.row), &scope);
        let next = transcript(&mut quotation, &shown, &scope);
        quotation.say(&match next {
            _ if shown.messages.is_empty() => {
                format!("There is no message {from}; the session has {} messages.", shown.total)
            }
            next if next < shown.total => format!(
                "End of this page: messages {from} to {} of {}. The next page begins with from={next}.",
                next - 1,
                shown.total
            ),
            next => format!("End of the session: messages {from} to {} of {next}.", next - 1),
        });
        Ok(quotation.finish())
    }

    pub fn read_part(&mut self, ask: ReadPart) -> Told {
        let scope = self.scope()?;
        let shown = self.page(&ask.session, ask.message, 1)?;
        let Some(message) = shown
            .messages
            .first()
            .filter(|found| scope.has_message(found))
        else {
            return Err(match scope.is_limited() {
                true => left_out(&format!("message {}", ask.message)),
                false => no_message(ask.message, shown.total),
            });
        };
        let request = Request::ShowPart {
            session: ask.session,
            message: ask.message,
            part: ask.part,
        };
        let body: PartBody = self.engine.ask(&request)?.as_type()?;
        if body.media.is_some() {
            let hint = "`roam show SESSION --message N --part N > FILE` writes it to a file.";
            return Err(ApiError::new(
                ProblemCode::NoPart,
                "That part is an image.",
                hint,
            ));
        }
        let Some(rest) = body.text.get(ask.offset..) else {
            return Err(bad_arguments(
                "`offset` is not where a character of that part begins.",
            ));
        };
        let mut quotation = Quotation::new();
        quotation.say(&heading(ask.message, message, &scope));
        let most = quotation.room().saturating_sub(300);
        let end = ask.offset + quotation.quote(rest, most);
        quotation.say(&match end < body.text.len() {
            true => format!(
                "Bytes {} to {end} of {}. Read on with offset={end}.",
                ask.offset, body.bytes
            ),
            false if body.whole => "End of this part.".to_owned(),
            false => "The rest of this part is too long to be returned.".to_owned(),
        });
        Ok(quotation.finish())
    }

    pub fn resume(&mut self, ask: OneSession) -> Told {
        let scope = self.scope()?;
        if scope.is_limited() {
            let row = self.page(&ask.session, 0, 0)?.row;
            self.must_have_part_of(&row, &scope)?;
        }
        let request = Request::Resume {
            session: ask.session,
        };
        let resume: Resume = self.engine.ask(&request)?.as_type()?;
        let mut quotation = Quotation::new();
        quotation.say(
            "To continue the session in its tool, the user runs the following in a terminal of their own. \
             Show it to the user; do not run it.",
        );
        quotation.quote(&command_line(&resume), MOST / 2);
        if !resume.notes.is_empty() {
            quotation.say("What to know before:");
        }
        for note in resume.notes.iter().take(20) {
            quotation.label("note", note);
        }
        Ok(quotation.finish())
    }

    /// With `restore`, the only changes that the server makes, and only if it was started for that. Both add.
    pub fn fork(&mut self, ask: Fork) -> Told {
        let scope = self.scope()?;
        let row = self.page(&ask.session, 0, 0)?.row;
        // The new session begins with the messages of whoever added to this one.
        if !scope.has_all_of(&row.devices) {
            return Err(left_out("all of that session"));
        }
        let request = Request::Fork {
            session: ask.session,
            at: ask.message,
            dir: None,
        };
        let forked: Forked = self.engine.ask(&request)?.as_type()?;
        let mut quotation = Quotation::new();
        quotation.say(&format!(
            "Done: a new session in this device's store with the first {} of {} messages.",
            forked.messages, forked.total
        ));
        quotation.label("id", &forked.session);
        quotation.label("tool", &forked.tool);
        quotation.label("title", &forked.title);
        Ok(quotation.finish())
    }

    pub fn restore(&mut self, ask: OneSession) -> Told {
        let scope = self.scope()?;
        let row = self.page(&ask.session, 0, 0)?.row;
        self.must_have_part_of(&row, &scope)?;
        let request = Request::Restore {
            session: ask.session,
        };
        let done: Done = self.engine.ask(&request)?.as_type()?;
        let mut quotation = Quotation::new();
        quotation.say("Done.");
        quotation.label(
            "session-roam",
            &crate::remedy::advice(&done.message, &done.actions),
        );
        Ok(quotation.finish())
    }

    fn sessions(&mut self, filter: SessionFilter) -> Result<Vec<SessionRow>, ApiError> {
        self.engine.ask(&Request::Sessions { filter })?.as_type()
    }

    fn page(&mut self, session: &str, from: u64, rows: u64) -> Result<Shown, ApiError> {
        let request = Request::Show {
            session: session.to_owned(),
            from,
            rows: Some(rows),
        };
        self.engine.ask(&request)?.as_type()
    }

    fn must_have_part_of(&self, row: &SessionRow, scope: &Scope) -> Result<(), ApiError> {
        match scope.has_part_of(row) {
            true => Ok(()),
            false => Err(left_out("that session")),
        }
    }
}

fn heads(found: &[SessionRow]) -> Vec<Head<'_>> {
    found.iter().map(Head::from).collect()
}

pub fn bad_arguments(message: &str) -> ApiError {
    ApiError::new(
        ProblemCode::BadArguments,
        message,
        "The tool's schema names its arguments.",
    )
}

fn no_message(message: u64, total: u64) -> ApiError {
    let text = format!("There is no message {message}: the session has {total}.");
    ApiError::new(ProblemCode::NoPart, text, "Messages are numbered from 0.")
}

fn left_out(what: &str) -> ApiError {
    ApiError::new(
        ProblemCode::LeftOut,
        format!(
            "This server does not return {what}: it is not there, or of a device that was left out."
        ),
        "`roam mcp` was started with --only-own or --device.",
    )
}
