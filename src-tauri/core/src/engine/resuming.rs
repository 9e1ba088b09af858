//! Resuming a session: how its tool is started on it, and what to know before. The repository state
//! in the session's own records is compared with the checkout here.

use super::Engine;
use crate::api::answer::{Work, value};
use crate::api::quote;
use crate::api::types::{ApiError, Remark, RemarkCode, Resume};
use crate::projects::places::is_repository;
use crate::projects::standing::{Commit, standing, whereabouts};
use crate::reconcile::context::Context;
use crate::reconcile::origin::own_card;
use crate::reconcile::record::{Registered, SessionRecord};
use crate::session::{Millis, ProblemCode, Reason, Remedy, SessionId, SessionKey, SessionState};
use crate::state::Row;
use crate::tools::{Launch, Opens, Repository, Resumable, Tool, Which};
use std::path::{Path, PathBuf};
use std::sync::Arc;

impl Engine {
    pub(super) fn resume(&self, text: &str) -> Result<Work, ApiError> {
        let (key, row, record) = self.find(text)?;
        let tool = self.adapter(&key)?;
        // Its tool would be started in the directory that it is leaving.
        if self.queue.is_moving(&key) {
            let message = format!("“{}” is moving to another directory.", row.title);
            let error = ApiError::new(ProblemCode::NotHere, message, "Try again in a moment.");
            return Err(error.offer(Remedy::Retry));
        }
        if !record.is_here() || row.reason == Some(Reason::Arriving) {
            let why = if row.why.is_empty() {
                "It is not in this device's store.".to_owned()
            } else {
                row.why.clone()
            };
            let mut error = ApiError::new(
                ProblemCode::NotHere,
                format!(
                    "“{}” cannot be resumed on this device yet. {why}",
                    row.title
                ),
                row.hint.clone(),
            );
            error.actions = super::remedies::of_row(&key, &row);
            if error.actions.is_empty() {
                error.actions.push(Remedy::OpenStatus);
            }
            return Err(error);
        }
        let session = record
            .session
            .clone()
            .unwrap_or_else(|| SessionId::new(row.session.clone()));
        let mut remarks = self.told_of(&key, &row);
        let context = self.context.clone();
        let roots = self.settings.projects.search.clone();
        // The disk is asked beside the loop: a directory may be on a mount that does not answer.
        Ok(Box::new(move || {
            let cwd = known(&context, &record)
                .or_else(|| searched(&context, &record, &roots))
                .or_else(|| nearest(&context, &record));
            let Some(cwd) = cwd else {
                return Err(no_place(&row));
            };
            let was = match own_card(&context, &record) {
                Some(card) => card.cwd.clone(),
                None => { record.checkout_dir.as_ref() }.map(|dir| dir.display().to_string()),
            };
            if let Some(was) = was.filter(|was| !Path::new(was).is_dir()) {
                let what = format!(
                    "Its directory {was} is gone; it opens in {}.",
                    cwd.display()
                );
                remarks.push(remark(RemarkCode::DirectoryGone, what));
            }
            remarks.extend(opens_elsewhere(
                &context,
                &record,
                (&key, &row),
                (&session, &cwd),
            ));
            let launch = tool.resume(
                &context.machine,
                &Resumable {
                    session: &session,
                    cwd: &cwd,
                },
            );
            if launch.opens == Opens::Nothing {
                let about = tool.about();
                let message = format!(
                    "No program on this device opens a session of {}.",
                    about.name
                );
                return Err(ApiError::new(ProblemCode::NoProgram, message, about.reason));
            }
            let elsewhere = author(&record).is_some_and(|device| device != context.short);
            let noted = noted(&context, &*tool, &session).unwrap_or_default();
            remarks.extend(about_checkout(&launch.cwd, &noted, elsewhere));
            remarks.extend(launch.before.iter().map(|command| first(command)));
            let notes = remarks
                .iter()
                .map(|remark| remark.message.clone())
                .collect();
            let (argv, window) = (launch.argv(), launch.is_app());
            let Launch {
                cwd,
                env,
                unset,
                before,
                ..
            } = launch;
            value(Resume {
                argv,
                window,
                cwd,
                env,
                unset,
                before,
                notes,
                remarks,
            })
        }))
    }

    /// The adapter of a session's tool.
    pub(super) fn adapter(&self, key: &SessionKey) -> Result<Arc<dyn Tool>, ApiError> {
        let tool = self.context.tools.get(&key.tool).cloned();
        tool.ok_or_else(|| {
            ApiError::new(
                ProblemCode::UnknownTool,
                format!("This version does not know {}.", key.tool),
                "Update session-roam.",
            )
        })
    }

    /// Where the session is open, and what it waits for.
    fn told_of(&self, key: &SessionKey, row: &Row) -> Vec<Remark> {
        let now = self.context.clock.now();
        let open = self
            .live_sessions()
            .into_iter()
            .filter(|open| open.session == row.session && open.tool == key.tool.as_str());
        let mut found: Vec<Remark> = open
            .map(|open| match Millis::parse(&open.seen) {
                _ if open.here => remark(RemarkCode::OpenHere, "It is already open on this device."),
                seen => {
                    let ago = seen.map_or(0, |seen| now.0.saturating_sub(seen.0).max(0) / 1000);
                    remark(
                        RemarkCode::Live,
                        format!("It was open on {} {ago} s ago. If you continue here, too, both versions are kept.", open.device),
                    )
                }
            })
            .collect();
        let state = match row.state {
            SessionState::Split => Some(RemarkCode::Split),
            SessionState::Waiting => Some(RemarkCode::Waiting),
            SessionState::Held => Some(RemarkCode::Held),
            SessionState::Here | SessionState::Elsewhere => None,
        };
        if let Some(state) = state {
            found.push(remark(
                state,
                [row.why.as_str(), row.hint.as_str()].join(" ").trim_end(),
            ));
        }
        if row.reason == Some(Reason::Unlisted) {
            found.push(remark(RemarkCode::Unlisted, row.why.as_str()));
        }
        found
    }
}

/// Where to resume, without a search.
pub(super) fn directory(context: &Context, record: &SessionRecord) -> Option<PathBuf> {
    known(context, record).or_else(|| nearest(context, record))
}

/// The directory it began in, the one it was written for, or the project's.
fn known(context: &Context, record: &SessionRecord) -> Option<PathBuf> {
    let pinned = record.pinned.as_ref().map(|pinned| &pinned.dir);
    if let Some(dir) = pinned.filter(|dir| dir.is_dir()) {
        return Some(dir.clone());
    }
    let own = record
        .origin()
        .filter(|_| context.began(record))
        .and_then(|card| card.cwd.clone())
        .map(PathBuf::from);
    own.filter(|cwd| cwd.is_dir())
        .or_else(|| record.checkout_dir.clone().filter(|dir| dir.is_dir()))
        .or_else(|| context.place(record).ok())
}

/// A checkout of the session's repository: its directory may have been renamed or cloned again, or
/// its worktree added elsewhere, since checkouts were last searched for.
fn searched(context: &Context, record: &SessionRecord, roots: &[PathBuf]) -> Option<PathBuf> {
    let project = &record.origin()?.project;
    if !is_repository(&project.key) {
        return None;
    }
    let (home, device) = (&context.machine.home, &context.device);
    let mut places = (*context.places()).clone();
    places.search(home, device, roots, std::slice::from_ref(project));
    match context.began(record) {
        true => places.find(home, device, project),
        false => places.find_for_other(home, device, project).ok(),
    }
}

/// For a directory that was removed: the nearest one above it. Every tool finds a session by its id
/// from there.
fn nearest(context: &Context, record: &SessionRecord) -> Option<PathBuf> {
    let cwd = own_card(context, record)?.cwd.as_ref()?;
    let home = &context.machine.home;
    let exists = |dir: &&Path| dir.is_dir() && dir.starts_with(home);
    let nearest = Path::new(cwd).ancestors().find(exists);
    Some(nearest.unwrap_or(home).to_path_buf())
}

pub(super) fn no_place(row: &Row) -> ApiError {
    ApiError::new(
        ProblemCode::NoPlace,
        format!("No directory on this device is known for “{}”.", row.title),
        "Choose the folder of its project on this device.",
    )
    .offer(Remedy::ChooseFolder {
        project: row.project.clone(),
    })
}

/// How the session opens in the tools that list it by an entry made here.
fn opens_elsewhere(
    context: &Context,
    record: &SessionRecord,
    (key, row): (&SessionKey, &Row),
    (session, cwd): (&SessionId, &Path),
) -> Option<Remark> {
    let tools = context.tools.values();
    let mut listing = tools.filter(|tool| {
        let lists = tool.registry().map(|registry| registry.lists());
        lists.as_ref() == Some(&key.tool)
    });
    let is_made = |tool: &&Arc<dyn Tool>| {
        let known = record.registered.get(&tool.about().tool);
        row.reason == Some(Reason::Unlisted) || matches!(known, Some(Registered::Made(_)))
    };
    let tool = listing.find(is_made)?;
    let launch = tool.resume(&context.machine, &Resumable { session, cwd });
    let name = tool.about().name;
    let line = words(&launch.argv());
    Some(remark(
        RemarkCode::App,
        format!("{name} opens it with: {line}"),
    ))
}

/// The command that must run before the tool opens the session.
fn first(command: &[String]) -> Remark {
    let line = words(command);
    remark(
        RemarkCode::First,
        format!("This command runs first, so that the tool opens the session: {line}"),
    )
}

fn words(command: &[String]) -> String {
    let words = command.iter().map(|word| quote::word(word));
    words.collect::<Vec<_>>().join(" ")
}

fn remark(code: RemarkCode, message: impl Into<String>) -> Remark {
    Remark {
        code,
        message: message.into(),
    }
}

/// The device that wrote the last message, by short id.
pub(super) fn author(record: &SessionRecord) -> Option<&str> {
    let state = record.main_doc()?;
    let path = state.trie.path(state.local.as_ref()?.tip)?;
    path.last().map(|edge| edge.source.device.as_str())
}

/// The repository state in the records in the store here.
fn noted(context: &Context, tool: &dyn Tool, session: &SessionId) -> Option<Repository> {
    let found = tool
        .sessions(&context.machine, Which::One(session))
        .found
        .into_iter()
        .next()?;
    tool.read(&context.machine, &found).ok()?.facts.repository
}

/// How the checkout differs from the state that the session recorded. Changed files are reported
/// only when continuing another device's lines: otherwise the user knows of them.
fn about_checkout(cwd: &Path, noted: &Repository, elsewhere: bool) -> Vec<Remark> {
    let Some(here) = standing(cwd) else {
        return Vec::new();
    };
    let short = |hash: &str| hash.chars().take(7).collect::<String>();
    let mut found = Vec::new();
    match (&noted.branch, &here.branch, &here.commit) {
        (Some(then), Some(now), _) if then != now => {
            found.push(remark(
                RemarkCode::Branch,
                format!("The session was on branch {then}, this checkout is on {now}."),
            ));
        }
        (Some(then), None, Some(commit)) => {
            let now = format!("this checkout is on no branch, at commit {}", short(commit));
            found.push(remark(
                RemarkCode::Branch,
                format!("The session was on branch {then}, {now}."),
            ));
        }
        _ => {}
    }
    let at = noted
        .commit
        .as_ref()
        .and_then(|commit| Some((short(commit), whereabouts(cwd, commit)?)));
    match at {
        Some((commit, Commit::Missing)) => {
            let what =
                format!("The session was at commit {commit}, which is not here yet: fetch first.");
            found.push(remark(RemarkCode::CommitMissing, what));
        }
        Some((commit, Commit::Beside)) => {
            let what = format!(
                "The session was at commit {commit}, which is not part of what is checked out here."
            );
            found.push(remark(RemarkCode::CommitBeside, what));
        }
        Some((_, Commit::Below)) | None => {}
    }
    match here.changed.filter(|_| elsewhere) {
        None | Some(0) => {}
        Some(1) => found.push(remark(
            RemarkCode::Changed,
            "This checkout has 1 changed file.",
        )),
        Some(n) => found.push(remark(
            RemarkCode::Changed,
            format!("This checkout has {n} changed files."),
        )),
    }
    found
}
