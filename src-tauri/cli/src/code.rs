//! Taking over the uncommitted changes of another device before a session is resumed or forked.

use crate::ask::Engine;
use crate::{confirm, out, render};
use session_roam_core::api::quote::word;
use session_roam_core::api::{ApiError, CodeApplied, CodeOffer, CodeState, Request};
use session_roam_core::session::{ProblemCode, harmless_line};
use std::path::PathBuf;

/// Whether the user wants the code.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    With,
    Without,
    Ask,
}

impl Wish {
    pub fn of(with: bool, without: bool) -> Self {
        match (with, without) {
            (true, _) => Self::With,
            (false, true) => Self::Without,
            (false, false) => Self::Ask,
        }
    }
}

/// Takes the code over if the user wants that, and asks if `may_ask`; returns whether the session may
/// move: into a worktree, or a directory that comes with the code.
pub fn apply_if_wanted(
    engine: &mut Engine,
    session: &str,
    offer: &CodeOffer,
    wish: Wish,
    may_ask: bool,
) -> Result<bool, ApiError> {
    let is_wanted = match (wish, offer.state) {
        (Wish::Without, _) | (_, CodeState::Same) => false,
        (Wish::With, CodeState::InPlace | CodeState::Worktree) => {
            out::note(&render::code::difference(offer));
            true
        }
        (Wish::With, _) => return Err(not_possible(offer)),
        // Only the code of the device that continued the session last is offered without a wish.
        (Wish::Ask, CodeState::None) => false,
        (Wish::Ask, _) if !offer.is_last => false,
        (Wish::Ask, CodeState::InPlace | CodeState::Worktree) => {
            out::note(&render::code::difference(offer));
            match may_ask && confirm::can_ask() {
                true => confirm::confirm("Take them over?", "")?,
                false => {
                    let session = word(session);
                    let what = format!("`roam resume {session} --with-code` takes them over.");
                    out::note(&what);
                    false
                }
            }
        }
        (Wish::Ask, _) => {
            out::note(&render::code::difference(offer));
            false
        }
    };
    match is_wanted {
        true => apply(engine, session, offer, false)
            .map(|applied| applied.worktree || Some(&applied.dir) != offer.dir.as_ref()),
        false => Ok(false),
    }
}

/// Takes over the code of the moment of a message; returns the directory that has it.
pub fn of_moment(engine: &mut Engine, session: &str, at: u64) -> Result<PathBuf, ApiError> {
    let request = Request::CodeOffer {
        session: session.to_owned(),
        at: Some(at),
    };
    let offer: CodeOffer = engine.ask(&request)?.as_type()?;
    match offer.state {
        CodeState::Same | CodeState::InPlace | CodeState::Worktree => {
            out::note(&render::code::difference(&offer));
            apply(engine, session, &offer, true).map(|applied| applied.dir)
        }
        _ => Err(not_possible(&offer)),
    }
}

/// Says that the code of the moment of a message is there, if it is. Nothing depends on it.
pub fn say_of_moment(engine: &mut Engine, session: &str, at: u64) {
    let request = Request::CodeOffer {
        session: session.to_owned(),
        at: Some(at),
    };
    let offer = engine.ask(&request).and_then(|answer| answer.as_type());
    let Ok(CodeOffer { state, device, .. }) = offer else {
        return;
    };
    if matches!(state, CodeState::InPlace | CodeState::Worktree) {
        let device = harmless_line(&device);
        out::note(&format!(
            "The code that {device} had at this message can be taken over: add --with-code."
        ));
    }
}

fn apply(
    engine: &mut Engine,
    session: &str,
    offer: &CodeOffer,
    stay: bool,
) -> Result<CodeApplied, ApiError> {
    let request = Request::CodeApply {
        session: session.to_owned(),
        snapshot: offer.snapshot.clone(),
        stay,
    };
    let applied: CodeApplied = engine.ask(&request)?.as_type()?;
    out::note(&applied.message);
    Ok(applied)
}

fn not_possible(offer: &CodeOffer) -> ApiError {
    let code = match offer.state {
        CodeState::None => ProblemCode::NoCode,
        _ => ProblemCode::CodeRefused,
    };
    let message = match offer.state {
        CodeState::None => "No device recorded code for this session.".to_owned(),
        _ => render::code::difference(offer),
    };
    ApiError::new(code, message, "Nothing was changed.")
}
