//! What may be decided about a split: which versions there are to choose from, which joins are sound,
//! and why others are not offered. Decides and writes nothing.

use super::context::{Context, Refusals};
use super::record::{Dependents, DocState, SessionRecord};
use super::split::{BranchLayout, ForkPlan, author, branch_layout};
use crate::api::types::{ApiError, Choice as Offered};
use crate::merge::{Action, Fork, Split, consequence, substitute};
use crate::reconcile::session::{Session, SessionMut};
use crate::session::{ChainId, DocKind, DocName, ProblemCode, Remedy, SessionKey};
use crate::tools::{Join, Sides};
use crate::vault::{JournalError, limits};
use std::borrow::Cow;

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
pub(super) fn pick_beside(
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
pub(super) fn about_beside(state: &DocState, action: Action, chosen: &[Right]) -> String {
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
pub(super) fn join(
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

pub(super) fn refused(action: Action, why: &str) -> ApiError {
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
