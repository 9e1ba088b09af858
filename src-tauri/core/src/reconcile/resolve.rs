//! The user's decision about a split, written into this device's journal: an entry that every
//! device folds alike, and the lines that some decisions add. Only the plan that follows removes
//! anything.

use super::choices::{
    Right, about_beside, continued, join, no_split, pick, pick_beside, refused, trunk_author,
};
use super::context::Context;
use super::record::{Dependents, MovedFrom, SessionRecord, Withdrawal};
use super::recorder::{RecordError, Recorded, Recorder};
use super::split::{BranchLayout, author, branch_layout};
use super::withdrawn;
use crate::api::types::{ApiError, Done, Side};
use crate::merge::{
    Action, Choice, ChoiceId, Chosen, Decided, Made, Split, Title, substitute, substituted,
};
use crate::reconcile::session::{Session, SessionMut};
use crate::session::{
    ChainId, DocKind, DocName, Hlc, Lane, ProblemCode, Remedy, SessionId, SessionKey,
};
use crate::vault::{Entry, JournalError, SessionCard};
use std::collections::BTreeMap;
use std::io;

/// Something to be decided.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    Choose {
        action: Action,
        /// Which of several branches: the start of its id, its session or its device.
        branch: Option<String>,
        /// The version that was compared with it, if that is not the session's own.
        beside: Option<String>,
        /// The side on which a session of both branches continues.
        active: Side,
    },
    /// Undoes the decision that counts.
    Undo,
    /// Gives the session a title; an empty one is the tool's own.
    Rename { title: String },
    /// Carries out, in a fork, a decision about its parent.
    Follow {
        id: ChoiceId,
        choice: Box<Choice>,
        away: bool,
    },
}

impl Decision {
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Choose { action, .. } => action.as_str(),
            Self::Follow { choice, .. } => choice.action.as_str(),
            Self::Undo => Action::Undo.as_str(),
            Self::Rename { .. } => "rename",
        }
    }
}

type Family = BTreeMap<SessionId, SessionRecord>;

/// Carries a decision out as far as this device's journal goes.
pub fn decide(
    session: SessionMut<'_>,
    layout: &BranchLayout,
    family: &mut Family,
    decision: &Decision,
) -> Result<(Done, Recorded), ApiError> {
    let (context, key, record) = session.parts();
    match decision {
        Decision::Choose {
            action,
            branch,
            beside,
            active,
        } => {
            let split = layout
                .settled
                .split
                .clone()
                .ok_or_else(|| no_split(record))?;
            let (branch, beside) = (branch.as_deref(), beside.as_deref());
            let (action, chosen) = match beside {
                None => (*action, pick(layout, &split, branch, *action)?),
                Some(beside) => pick_beside(layout, &split, (branch, beside), *action)?,
            };
            let chose = choose(
                SessionMut::new(context, key, record),
                &split,
                &chosen,
                family,
                action,
                *active,
            );
            match beside {
                None => chose,
                Some(_) => chose.map(|(done, recorded)| {
                    let message = about_beside(&record.docs[&split.doc], action, &chosen);
                    (Done { message, ..done }, recorded)
                }),
            }
        }
        Decision::Undo => undo(SessionMut::new(context, key, record)),
        Decision::Rename { title } => rename(SessionMut::new(context, key, record), title),
        Decision::Follow { id, choice, away } => {
            follow(SessionMut::new(context, key, record), id, choice, *away)
        }
    }
}

/// The tool's store is not touched: it keeps its own title.
fn rename(session: SessionMut<'_>, title: &str) -> Result<(Done, Recorded), ApiError> {
    let (context, key, record) = session.parts();
    let title = Title::new(title, &record.titles);
    let message = match title.title.as_str() {
        "" => "The session has its tool's title again.".into(),
        title => format!("Renamed to “{title}”."),
    };
    if record.session.is_none() || record.latest().is_none() {
        return Err(ApiError::new(
            ProblemCode::NotHere,
            "This session is not recorded yet, so it cannot be renamed.",
            "Wait until it is.",
        ));
    }
    let mut recorder = recorder(context, key, record)?;
    write_entry(record, &mut recorder, Entry::Title(title))?;
    Ok((Done::new(message), recorder.done))
}

#[allow(clippy::too_many_arguments)] // each says a thing of its own
fn choose(
    session: SessionMut<'_>,
    split: &Split,
    chosen: &[Right],
    family: &mut Family,
    action: Action,
    active: Side,
) -> Result<(Done, Recorded), ApiError> {
    let (context, key, record) = session.parts();
    let doc = split.doc.clone();
    let before = Decided::of(&record.choices, &doc).choice().cloned();
    // Builds on the previous decision: lines that it wrote stay, and branches it joined stay put
    // away.
    let mut choice = Choice {
        action,
        ..before.unwrap_or_else(|| Choice::about(doc.clone(), action))
    };
    (choice.undoes, choice.follows) = (None, None);
    let left = split.divided.trunk;
    let left_at = trunk_author(record, split);
    let right_at = author(&record.docs[&doc], chosen[0].fork.first_line);
    let mut recorder = recorder(context, key, record)?;
    if action == Action::KeepBoth {
        choice.trunk = Some(left);
        choice
            .seen
            .extend(chosen.iter().map(|right| right.fork.first_line));
    } else {
        let right = &chosen[0];
        let more = lines_since(context, key, right, family)?;
        let active_left = active == Side::Left && action == Action::Branches;
        // Checked before anything is recorded: a refusal changes nothing.
        let lines = match action {
            Action::KeepLeft | Action::KeepRight => None,
            _ => {
                let (left, right) = ((left, &[][..]), (right.fork.tip, &more[..]));
                let (first, second) = if active_left {
                    (right, left)
                } else {
                    (left, right)
                };
                Some(
                    join(
                        Session::new(context, key, record),
                        &doc,
                        action,
                        first,
                        second,
                    )
                    .map_err(|why| refused(action, &why))?,
                )
            }
        };
        // These lines are republished, whoever wrote them: they come from no store of this device.
        let at = String::new();
        let tip = match more.is_empty() {
            true => right.fork.tip,
            false => recorder
                .text(
                    record,
                    (&doc, &at),
                    right.fork.tip,
                    &mut io::Cursor::new(&more),
                )
                .map_err(|error| unwritten(&error))?,
        };
        if action != Action::KeepLeft {
            bring_back(
                SessionMut::new(context, key, record),
                &mut recorder,
                right,
                family,
            )
            .map_err(|error| unwritten(&error))?;
        }
        choice
            .forks
            .extend(right.plan.iter().map(|plan| plan.session.clone()));
        choice
            .ends
            .extend(seen_end(context, key, right, family).map_err(|error| unwritten(&error))?);
        let (first, second) = if active_left {
            (tip, left)
        } else {
            (left, tip)
        };
        match lines {
            None if action == Action::KeepLeft => {
                (choice.trunk, choice.away) = (Some(left), with(choice.away, tip))
            }
            None => (choice.trunk, choice.away) = (Some(tip), with(choice.away, left)),
            Some(lines) => {
                let end = recorder
                    .text(record, (&doc, &at), first, &mut io::Cursor::new(&lines))
                    .map_err(|error| unwritten(&error))?;
                choice.made.extend((end != first).then_some(Made {
                    from: first,
                    tip: end,
                }));
                (choice.trunk, choice.away) = (Some(end), with(choice.away, second));
            }
        }
    }
    undo_ahead(context, record, &mut recorder, &doc)?;
    write(record, &mut recorder, choice)?;
    let message = chosen_message(action, &left_at, &right_at);
    let done = Done::new(message).offer(Remedy::Undo {
        session: record.session.as_ref().map(ToString::to_string),
    });
    Ok((done, recorder.done))
}

/// Undoes the decisions whose stamps are ahead of this device's clock: the last stamp counts, and
/// stamps from a clock that is days ahead would count for days.
fn undo_ahead(
    context: &Context,
    record: &mut SessionRecord,
    recorder: &mut Recorder<'_>,
    doc: &DocName,
) -> Result<(), ApiError> {
    let standing = Decided::standing(&record.choices, doc).into_iter();
    let ahead = standing.filter(|chosen| context.hlc() < chosen.id.at);
    let ahead: Vec<ChoiceId> = ahead.map(|chosen| chosen.id.clone()).collect();
    for undoes in ahead {
        let undo = Choice {
            undoes: Some(undoes),
            ..Choice::about(doc.clone(), Action::Undo)
        };
        write(record, recorder, undo)?;
    }
    Ok(())
}

fn chosen_message(action: Action, left: &str, right: &str) -> String {
    match action {
        Action::KeepBoth => {
            format!("Kept both: {left}'s and {right}'s version, each as a session of its own.")
        }
        Action::KeepLeft => {
            format!("Now using {left}'s version. {right}'s version is saved and can be restored.")
        }
        Action::KeepRight => {
            format!("Now using {right}'s version. {left}'s version is saved and can be restored.")
        }
        Action::Stitch => format!("{right}'s turns were appended after {left}'s."),
        _ => format!("The session has both {left}'s and {right}'s version."),
    }
}

fn with(mut ends: Vec<ChainId>, end: ChainId) -> Vec<ChainId> {
    ends.push(end);
    ends
}

/// If the branch was continued as a session of its own: those lines, which return to the parent
/// with the decision.
fn lines_since(
    context: &Context,
    key: &SessionKey,
    right: &Right,
    family: &mut Family,
) -> Result<Vec<u8>, ApiError> {
    let Some((plan, fork)) = right
        .plan
        .as_ref()
        .and_then(|plan| Some((plan, family.get_mut(&plan.session)?)))
    else {
        return Ok(Vec::new());
    };
    let more =
        continued(context, key, fork, plan, right.fork.tip).map_err(|error| unwritten(&error))?;
    Ok(more.unwrap_or_default())
}

/// Where the branch's own session ends, as far as the parent holds its lines after the decision.
fn seen_end(
    context: &Context,
    key: &SessionKey,
    right: &Right,
    family: &mut Family,
) -> Result<Option<ChainId>, JournalError> {
    let Some((plan, fork)) = right
        .plan
        .as_ref()
        .and_then(|plan| Some((plan, family.get_mut(&plan.session)?)))
    else {
        return Ok(None);
    };
    let layout = branch_layout(SessionMut::new(context, key, fork), &Dependents::default())?;
    let Some((main, imaged)) = fork
        .main()
        .and_then(|main| Some((main, fork.image.get(main)?)))
    else {
        return Ok(None);
    };
    let is_level = *main != plan.name(&plan.doc) || imaged.of == right.fork.tip;
    let end = layout
        .settled
        .targets
        .get(main)
        .filter(|end| fork.docs[main].trie.is_ancestor(imaged.tip, **end));
    Ok(Some(
        end.copied().filter(|_| is_level).unwrap_or(imaged.tip),
    ))
}

/// Brings back side docs written since, by agents for instance.
fn bring_back(
    session: SessionMut<'_>,
    recorder: &mut Recorder<'_>,
    right: &Right,
    family: &mut Family,
) -> Result<(), RecordError> {
    let (context, key, record) = session.parts();
    let Some((plan, fork)) = right
        .plan
        .as_ref()
        .and_then(|plan| Some((plan, family.get_mut(&plan.session)?)))
    else {
        return Ok(());
    };
    let layout = branch_layout(SessionMut::new(context, key, fork), &Dependents::default())?;
    let back = |text: &str| substituted(text, &plan.session, &plan.of);
    for (name, to) in layout
        .settled
        .targets
        .iter()
        .filter(|(name, _)| **name != plan.name(&plan.doc))
    {
        let state = &fork.docs[name];
        let known = record
            .docs
            .keys()
            .find(|doc| plan.name(doc) == *name)
            .cloned();
        let (is_new, doc) = (
            known.is_none(),
            known.unwrap_or_else(|| DocName::new(back(name.as_str()))),
        );
        let start = state.trie.start();
        let imaged = fork.image.get(name);
        let (from, after) = imaged.map_or((start, start), |imaged| (imaged.tip, imaged.of));
        let path = match state.kind {
            DocKind::Log => state.trie.path_between(from, *to),
            DocKind::Snapshot => state.trie.path(*to).filter(|_| is_new),
        };
        let Some(path) = path.filter(|path| !path.is_empty()) else {
            continue;
        };
        let mut bytes = context
            .journal_reader(&key.tool, &fork.journals, name)
            .content(state.kind, &path)?;
        substitute(&mut bytes, &plan.session, &plan.of);
        let at = back(&state.at);
        match state.kind {
            DocKind::Log => {
                recorder.text(record, (&doc, &at), after, &mut io::Cursor::new(&bytes))?;
            }
            DocKind::Snapshot => {
                recorder.generation_of(record, (&doc, &at), start, &bytes)?;
            }
        }
    }
    Ok(())
}

/// What an undo would undo.
pub enum ToUndo {
    Moved(MovedFrom),
    TakenBack(Withdrawal),
    Choice(Chosen),
}

/// What was decided last about a session, if anything.
pub fn to_undo(record: &SessionRecord) -> Option<ToUndo> {
    let docs = record.docs.keys();
    let now = docs.filter_map(|doc| Decided::of(&record.choices, doc).now);
    let last = now
        .filter(|chosen| chosen.choice.follows.is_none())
        .max_by(|one, other| one.id.cmp(&other.id));
    let is_last = |at: Hlc| last.is_none_or(|last| last.id.at < at);
    let back = record.withdrawals.last().filter(|back| is_last(back.at));
    let moved = record.moved_from.as_ref().filter(|moved| is_last(moved.at));
    match moved.filter(|moved| back.is_none_or(|back| back.at < moved.at)) {
        Some(moved) => Some(ToUndo::Moved(moved.clone())),
        None => back
            .map(|back| ToUndo::TakenBack(back.clone()))
            .or_else(|| last.map(|last| ToUndo::Choice(last.clone()))),
    }
}

/// The name of the device whose version a decision kept; `None` if it kept more than one.
pub fn kept_device(record: &SessionRecord, choice: &Choice) -> Option<String> {
    if !matches!(choice.action, Action::KeepLeft | Action::KeepRight) {
        return None;
    }
    let (trunk, away) = (choice.trunk?, *choice.away.last()?);
    let state = record.docs.get(&choice.doc)?;
    let first_line =
        crate::merge::first_line_after(&state.trie, state.trie.meet(trunk, away), trunk)?;
    Some(author(state, first_line))
}

fn undo(session: SessionMut<'_>) -> Result<(Done, Recorded), ApiError> {
    let (context, key, record) = session.parts();
    let last = match to_undo(record) {
        Some(ToUndo::Choice(last)) => last,
        Some(ToUndo::Moved(moved)) => {
            return move_back(context, record, moved).map(|done| (done, Recorded::default()));
        }
        Some(ToUndo::TakenBack(back)) => {
            let mut recorder = recorder(context, key, record)?;
            withdrawn::put_back(record, &mut recorder, &back).map_err(|error| unwritten(&error))?;
            let message = "Undone: what another device had withdrawn is in the session again.";
            return Ok((Done::new(message), recorder.done));
        }
        None => {
            return Err(ApiError::new(
                ProblemCode::NothingToUndo,
                "There is no decision about this session to undo.",
                "",
            )
            .offer(Remedy::OpenHistory {
                session: record
                    .session
                    .as_ref()
                    .map_or_else(|| key.hash.clone(), ToString::to_string),
            }));
        }
    };
    let mut recorder = recorder(context, key, record)?;
    let undoes = Some(last.id.clone());
    write(
        record,
        &mut recorder,
        Choice {
            undoes,
            ..Choice::about(last.choice.doc.clone(), Action::Undo)
        },
    )?;
    let message = match last.choice.action {
        Action::KeepBoth => "Undone. You can decide about the versions again.",
        _ => "Undone. Both versions are back.",
    };
    Ok((Done::new(message), recorder.done))
}

/// The next reconcile carries out the move.
fn move_back(
    context: &Context,
    record: &mut SessionRecord,
    moved: MovedFrom,
) -> Result<Done, ApiError> {
    let dir = moved.dir;
    if !dir.is_dir() {
        return Err(ApiError::new(
            ProblemCode::NoSuchDirectory,
            format!(
                "The session moved here from {}, which is gone.",
                dir.display()
            ),
            "Choose another folder for its project.",
        )
        .offer(Remedy::OpenProjects));
    }
    let message = format!(
        "Undone: the session is back in {} and stays there.",
        dir.display()
    );
    context.pin(record, dir);
    let session = record.session.as_ref().map(ToString::to_string);
    Ok(Done::new(message).offer(Remedy::Undo { session }))
}

/// Whether a fork still has to carry out a decision about its parent.
pub fn has_to_follow(fork: &SessionRecord, id: &ChoiceId, away: bool) -> bool {
    following(fork, id).next().is_some() != away
}

/// The entries by which a fork carries that decision out, without those that were undone.
fn following<'r>(fork: &'r SessionRecord, id: &'r ChoiceId) -> impl Iterator<Item = &'r Chosen> {
    let undone = |id: &ChoiceId| {
        fork.choices
            .iter()
            .any(|chosen| chosen.choice.undoes.as_ref() == Some(id))
    };
    let follows = |choice: &Choice| choice.undoes.is_none() && choice.follows.as_ref() == Some(id);
    fork.choices
        .iter()
        .filter(move |chosen| follows(&chosen.choice) && !undone(&chosen.id))
}

fn follow(
    session: SessionMut<'_>,
    id: &ChoiceId,
    decided: &Choice,
    away: bool,
) -> Result<(Done, Recorded), ApiError> {
    let (context, key, record) = session.parts();
    let done = Done::new(String::new());
    let Some(main) = record
        .main()
        .cloned()
        .filter(|_| has_to_follow(record, id, away))
    else {
        return Ok((done, Recorded::default()));
    };
    let mut recorder = recorder(context, key, record)?;
    if away {
        let away = known_ends(SessionMut::new(context, key, record), &main, &decided.ends)
            .map_err(|error| unwritten(&error))?;
        let follows = Some(id.clone());
        write(
            record,
            &mut recorder,
            Choice {
                away,
                follows,
                ..Choice::about(main, decided.action)
            },
        )?;
    } else {
        let standing: Vec<ChoiceId> = following(record, id)
            .map(|chosen| chosen.id.clone())
            .collect();
        for undoes in standing {
            let (undoes, follows) = (Some(undoes), Some(id.clone()));
            let undo = Choice {
                undoes,
                follows,
                ..Choice::about(main.clone(), Action::Undo)
            };
            write(record, &mut recorder, undo)?;
        }
    }
    Ok((done, recorder.done))
}

/// The ends that belong to this session.
fn known_ends(
    session: SessionMut<'_>,
    main: &DocName,
    ends: &[ChainId],
) -> Result<Vec<ChainId>, JournalError> {
    let (context, key, record) = session.parts();
    let journal_reader = context.journal_reader(&key.tool, &record.journals, main);
    let Some(state) = record.docs.get_mut(main) else {
        return Ok(Vec::new());
    };
    let known = ends
        .iter()
        .filter_map(|end| match state.trie.ensure_node(*end, &journal_reader) {
            Ok(true) => Some(Ok(*end)),
            Ok(false) => None,
            Err(error) => Some(Err(error)),
        });
    known.collect()
}

fn recorder<'a>(
    context: &'a Context,
    key: &'a SessionKey,
    record: &SessionRecord,
) -> Result<Recorder<'a>, ApiError> {
    let own = record
        .cards
        .get(&context.short)
        .map(|device_card| device_card.card.clone());
    let of_others = || {
        record.latest().map(|card| SessionCard {
            cwd: None,
            ..card.clone()
        })
    };
    let (Some(session), Some(card)) = (&record.session, own.or_else(of_others)) else {
        return Err(no_split(record));
    };
    Ok(Recorder::new(
        context,
        key,
        session,
        Lane::Priority,
        record,
        card,
    ))
}

/// Writes a decision as a frame of its own: its stamp is its name.
fn write(
    record: &mut SessionRecord,
    recorder: &mut Recorder<'_>,
    choice: Choice,
) -> Result<(), ApiError> {
    write_entry(record, recorder, Entry::Choice(choice))
}

fn write_entry(
    record: &mut SessionRecord,
    recorder: &mut Recorder<'_>,
    entry: Entry,
) -> Result<(), ApiError> {
    recorder
        .flush(record)
        .and_then(|()| recorder.push(record, entry, Vec::new()))
        .and_then(|()| recorder.flush(record))
        .map_err(|error| unwritten(&error))
}

fn unwritten(error: &dyn std::error::Error) -> ApiError {
    let message = crate::session::problem::with_causes(error);
    ApiError::new(
        ProblemCode::NotRecorded,
        message,
        "Free up disk space or fix its permissions, then try again.",
    )
    .offer(Remedy::Retry)
}
