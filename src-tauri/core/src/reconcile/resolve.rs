//! The user's decision about a split, written into this device's journal: an entry that every
//! device folds alike, and the lines that some decisions add. Only the plan that follows removes
//! anything.

use super::context::{Context, Refusals};
use super::record::{Dependents, DocState, MovedFrom, SessionRecord, Withdrawal};
use super::recorder::{RecordError, Recorded, Recorder};
use super::split::{BranchLayout, ForkPlan, author, branch_layout};
use super::withdrawn;
use crate::api::types::{ApiError, Choice as Offered, Done, Side};
use crate::merge::{
    Action, Choice, ChoiceId, Chosen, Decided, Fork, Made, Split, Title, consequence, substitute,
    substituted,
};
use crate::reconcile::session::{Session, SessionMut};
use crate::session::{
    ChainId, DocKind, DocName, Hlc, Lane, ProblemCode, Remedy, SessionId, SessionKey,
};
use crate::tools::{Join, Sides};
use crate::vault::limits;
use crate::vault::{Entry, JournalError, SessionCard};
use std::borrow::Cow;
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

pub fn no_split(record: &SessionRecord) -> ApiError {
    if let Some(fork) = record.origin().and_then(|card| card.fork.as_ref()) {
        return ApiError::new(
            ProblemCode::NoSplit,
            "This session is a version of another one and has no versions itself.",
            "",
        )
        .offer(Remedy::Compare {
            session: fork.session.to_string(),
        });
    }
    ApiError::new(
        ProblemCode::NoSplit,
        "There is nothing to decide about this session.",
        "",
    )
    .offer(Remedy::OpenSplits)
    .offer(Remedy::Undo { session: None })
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

/// A branch beside the trunk, and its session if it has one.
pub struct Right {
    pub fork: Fork,
    pub plan: Option<ForkPlan>,
}

/// The branches that the user means.
pub fn pick(
    layout: &BranchLayout,
    split: &Split,
    wanted: Option<&str>,
    action: Action,
) -> Result<Vec<Right>, ApiError> {
    let all = split.divided.forks.iter().map(|fork| Right {
        fork: fork.clone(),
        plan: layout
            .forks
            .iter()
            .find(|plan| plan.first_line == fork.first_line)
            .cloned(),
    });
    let fits = |right: &Right| {
        let Some(wanted) = wanted else { return true };
        let named = |plan: &ForkPlan| {
            plan.session.as_str().starts_with(wanted) || plan.from.eq_ignore_ascii_case(wanted)
        };
        right.fork.tip.to_hex().starts_with(wanted) || right.plan.as_ref().is_some_and(named)
    };
    let found: Vec<Right> = all.filter(fits).collect();
    match found.len() {
        0 => Err(ApiError::new(
            ProblemCode::UnknownBranch,
            format!(
                "This session has no version “{}”.",
                wanted.unwrap_or_default()
            ),
            "Give the start of a version's ID.",
        )
        .offer(Remedy::OpenSplits)),
        1 => Ok(found),
        _ if action == Action::KeepBoth => Ok(found),
        many => Err(ApiError::new(
            ProblemCode::AmbiguousBranch,
            format!("There are {many} other versions."),
            "Say which one.",
        )
        .offer(Remedy::OpenSplits)),
    }
}

/// What a decision about two branches beside the session's own means: the one that is not kept is
/// put away, and the session stays as it is.
fn pick_beside(
    layout: &BranchLayout,
    split: &Split,
    (right, left): (Option<&str>, &str),
    action: Action,
) -> Result<(Action, Vec<Right>), ApiError> {
    if split.ask {
        return Err(refused(action, BESIDE_ASKED));
    }
    let one = |wanted| pick(layout, split, wanted, Action::KeepLeft);
    match action {
        Action::KeepBoth => {
            let mut both = one(Some(left))?;
            both.extend(one(right)?);
            Ok((action, both))
        }
        Action::KeepLeft => Ok((Action::KeepLeft, one(right)?)),
        Action::KeepRight => Ok((Action::KeepLeft, one(Some(left))?)),
        _ => Err(refused(action, BESIDE)),
    }
}

/// What was done about two branches beside the session's own.
fn about_beside(state: &DocState, action: Action, chosen: &[Right]) -> String {
    let names: Vec<String> = chosen
        .iter()
        .map(|right| author(state, right.fork.first_line))
        .collect();
    match (action, names.as_slice()) {
        (Action::KeepBoth, [left, right]) => {
            format!("Kept both: {left}'s and {right}'s version, each as a session of its own.")
        }
        (_, names) => format!(
            "{}'s version was put away. It is saved and can be restored.",
            names.first().map_or("The other device", String::as_str)
        ),
    }
}

/// Why nothing is decided about two such versions while no version holds the session.
const BESIDE_ASKED: &str = "first decide which version keeps the session";
/// Why two versions that are both beside the session's own are not joined.
const BESIDE: &str = "only the session's own version can be joined with another one";

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

/// The lines added to a fork since it left its parent, with the parent's id.
pub fn continued(
    context: &Context,
    key: &SessionKey,
    fork: &mut SessionRecord,
    plan: &ForkPlan,
    tip: ChainId,
) -> Result<Option<Vec<u8>>, JournalError> {
    let layout = branch_layout(SessionMut::new(context, key, fork), &Dependents::default())?;
    let name = plan.name(&plan.doc);
    let Some(imaged) = fork.image.get(&name).filter(|imaged| imaged.of == tip) else {
        return Ok(None);
    };
    let (Some(state), Some(end)) = (fork.docs.get(&name), layout.settled.targets.get(&name)) else {
        return Ok(None);
    };
    let Some(path) = state
        .trie
        .path_between(imaged.tip, *end)
        .filter(|path| !path.is_empty())
    else {
        return Ok(None);
    };
    if state.kind != DocKind::Log {
        return Ok(None);
    }
    let mut bytes = context
        .journal_reader(&key.tool, &fork.journals, &name)
        .content(state.kind, &path)?;
    substitute(&mut bytes, &plan.session, &plan.of);
    Ok(Some(bytes))
}

/// An end, and the lines to come after it.
type Grown<'a> = (ChainId, &'a [u8]);

/// The rests of the trunk and of a branch, read before.
type Rests<'a> = Option<(&'a [u8], &'a [u8])>;

/// The content of two branches: the common part, and the rest of each.
fn contents<'r>(
    session: Session<'_>,
    doc: &DocName,
    [first, second]: [ChainId; 2],
    rests: Rests<'r>,
) -> Result<[Cow<'r, [u8]>; 3], JournalError> {
    let (context, key, record) = session.parts();
    let state = &record.docs[doc];
    let meet = state.trie.meet(first, second);
    let journal_reader = context.journal_reader(&key.tool, &record.journals, doc);
    let content = |from: ChainId, to: ChainId| {
        journal_reader.content(
            DocKind::Log,
            &state.trie.path_between(from, to).unwrap_or_default(),
        )
    };
    let common = content(state.trie.start(), meet)?;
    let (first, second) = match rests {
        Some((first, second)) => (first.into(), second.into()),
        None => (content(meet, first)?.into(), content(meet, second)?.into()),
    };
    Ok([common.into(), first, second])
}

/// How the tool's format joins two branches, or why it does not.
fn join_of(session: Session<'_>, doc: &DocName, action: Action) -> Result<Join, String> {
    let (context, key, record) = session.parts();
    let joins = context.joins(&key.tool);
    let join = if action == Action::Stitch {
        joins.stitch
    } else {
        joins.branches
    };
    let edges = record.docs.get(doc).map(|state| state.trie.edges());
    let bytes: u64 = edges.into_iter().flatten().map(|edge| edge.bytes).sum();
    match join.ok_or("the tool's format does not allow it")? {
        // Both branches are in memory while they are joined.
        _ if limits::CONTENT < bytes => Err(format!(
            "the session is too large: {} MB",
            bytes / 1_000_000
        )),
        _ if (Some(doc) != record.main() && !joins.unasked)
            || record.docs[doc].kind != DocKind::Log =>
        {
            Err("only the conversation itself can be joined".into())
        }
        join => Ok(join),
    }
}

/// The lines that join two branches, or why that is not sound.
fn join(
    session: Session<'_>,
    doc: &DocName,
    action: Action,
    (first, after_first): Grown<'_>,
    (second, after_second): Grown<'_>,
) -> Result<Vec<u8>, String> {
    let join = join_of(session, doc, action)?;
    let [common, ours, theirs] = contents(session, doc, [first, second], None)
        .map_err(|error| crate::session::problem::with_causes(&error))?;
    let (mut ours, mut theirs) = (ours.into_owned(), theirs.into_owned());
    ours.extend_from_slice(after_first);
    theirs.extend_from_slice(after_second);
    join(&Sides {
        common: &common,
        first: &ours,
        second: &theirs,
    })
}

/// Why the trunk and a branch cannot be joined, in either way.
fn refusals(session: Session<'_>, doc: &DocName, ends: [ChainId; 2], rests: Rests<'_>) -> Refusals {
    let Session { context, .. } = session;
    let joins = [Action::Stitch, Action::Branches].map(|action| join_of(session, doc, action));
    if joins.iter().all(Result::is_err) {
        return joins.map(Result::err);
    }
    let found = context.refusals(ends, || {
        let [common, first, second] = contents(session, doc, ends, rests)?;
        let sides = Sides {
            common: &common,
            first: &first,
            second: &second,
        };
        Ok::<_, JournalError>(joins.map(|join| join.and_then(|join| join(&sides)).err()))
    });
    found.unwrap_or_else(|error| [0, 1].map(|_| Some(crate::session::problem::with_causes(&error))))
}

/// The possible decisions about the trunk and a branch beside it, each with its consequences. Who has
/// read the rests of both before passes them on.
pub fn choices(
    session: Session<'_>,
    split: &Split,
    right: &Fork,
    rests: Rests<'_>,
) -> Vec<Offered> {
    let Session { record, .. } = session;
    let (left_at, right_at) = (
        trunk_author(record, split),
        author(&record.docs[&split.doc], right.first_line),
    );
    let ends = [split.divided.trunk, right.tip];
    let [no_stitch, no_branches] = refusals(session, &split.doc, ends, rests);
    Action::CHOICES
        .map(|action| {
            let consequence = consequence(action, split.ask, &left_at, &right_at);
            let against = match action {
                Action::Stitch => no_stitch.clone(),
                Action::Branches => no_branches.clone(),
                _ => None,
            };
            Offered {
                id: action,
                enabled: against.is_none(),
                consequence: match against {
                    Some(why) => format!("Not possible here: {why}."),
                    None => consequence,
                },
            }
        })
        .into()
}

/// The possible decisions about two branches beside the session's own.
pub fn choices_beside(state: &DocState, left: &Fork, right: &Fork) -> Vec<Offered> {
    let [left, right] = [left, right].map(|fork| author(state, fork.first_line));
    let [kept_left, kept_right, other_left, other_right] = match left == right {
        true => ["The first", "The second", "The first one", "The second one"].map(str::to_owned),
        false => [&left, &right, &left, &right].map(|device| format!("{device}'s")),
    };
    let keep = |kept: &str, other: &str| {
        format!(
            "{kept} version stays a session of its own. {other} leaves the tool and stays in the vault."
        )
    };
    Action::CHOICES
        .map(|id| {
            let consequence = match id {
                Action::KeepBoth => "Both stay, each as a session of its own.".into(),
                Action::KeepLeft => keep(&kept_left, &other_right),
                Action::KeepRight => keep(&kept_right, &other_left),
                _ => format!("Not possible here: {BESIDE}."),
            };
            let enabled = !matches!(id, Action::Stitch | Action::Branches);
            Offered {
                id,
                enabled,
                consequence,
            }
        })
        .into()
}

/// The name of the device whose branch keeps the session's id.
pub fn trunk_author(record: &SessionRecord, split: &Split) -> String {
    let state = &record.docs[&split.doc];
    let first_line =
        crate::merge::first_line_after(&state.trie, split.divided.fork_point, split.divided.trunk);
    first_line.map_or_else(
        || "this session".into(),
        |first_line| author(state, first_line),
    )
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

fn refused(action: Action, why: &str) -> ApiError {
    let what = match action {
        Action::Stitch => "Appending one version to the other",
        Action::Branches => "Putting both versions into one session",
        _ => "This decision",
    };
    let message = format!(
        "{what} is not possible here: {}.",
        why.trim_end_matches('.')
    );
    ApiError::new(ProblemCode::ChoiceRefused, message, "Nothing was changed.")
        .offer(Remedy::OpenSplits)
}
