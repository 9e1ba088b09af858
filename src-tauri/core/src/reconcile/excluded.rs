//! Which sessions stay on this device because the user excluded their project. An exclusion holds
//! whatever the project is called by now: its remote was changed, another device has another name
//! for it, its directory became a repository or is gone.

use super::context::Context;
use super::record::SessionRecord;
use super::recorder::project_of;
use super::session::Session;
use crate::projects::path_key;
use crate::session::Project;
use crate::tools::Facts;
use std::path::Path;

/// What the tool's store says of a session now.
#[derive(Clone, Copy)]
pub struct Now<'a> {
    pub project: &'a Project,
    pub cwd: Option<&'a str>,
}

/// Whether a session is of an excluded project by what its cards say. Reads no disk.
pub fn is_excluded_by_card(context: &Context, record: &SessionRecord) -> bool {
    let shared = context.shared();
    // A project that this device excluded stays out, whatever name another device gives it.
    let own = record.cards.get(&context.short).map(|said| &said.card);
    let mut cards = [record.origin(), own].into_iter().flatten();
    cards.any(|card| shared.is_excluded(&card.project))
}

/// Whether a session is of an excluded project by what its cards, its store and the disk say.
pub fn is_excluded(context: &Context, record: &SessionRecord, now: Option<Now<'_>>) -> bool {
    if context.shared().excluded.is_empty() {
        return false;
    }
    if is_excluded_by_card(context, record)
        || now.is_some_and(|now| context.shared().is_excluded(now.project))
    {
        return true;
    }
    // The directory in a session of another device means nothing on this one.
    let is_own = record.origin().is_none() || context.began(record);
    let own = record.cards.get(&context.short);
    let cwd = now
        .and_then(|now| now.cwd)
        .or_else(|| own.and_then(|device_card| device_card.card.cwd.as_deref()));
    cwd.filter(|_| is_own)
        .is_some_and(|cwd| is_excluded_dir(context, Path::new(cwd)))
}

/// Whether a file with another session's id, with these facts, is of an excluded project.
pub fn is_excluded_alone(session: Session<'_>, facts: &Facts) -> bool {
    let (context, key, _) = session.parts();
    let record = SessionRecord::default();
    let project = project_of(Session::new(context, key, &record), facts);
    let now = Now {
        project: &project,
        cwd: facts.cwd.as_deref(),
    };
    is_excluded(context, &record, Some(now))
}

/// Whether a directory is excluded by what it is or was: a repository that had another remote, or a
/// plain directory that became a repository.
fn is_excluded_dir(context: &Context, cwd: &Path) -> bool {
    let (home, device) = (&context.machine.home, &context.device);
    let around = context.identifier.around(cwd);
    let is_inside = |dir: &Path| {
        let checkout = around.as_ref().map(|(checkout, _)| checkout);
        checkout.is_some_and(|checkout| dir.starts_with(&checkout.work_tree))
    };
    let dirs = cwd
        .ancestors()
        .take_while(|dir| *dir == cwd || is_inside(dir));
    let dirs: Vec<_> = dirs.map(|dir| path_key(home, device, dir)).collect();
    let now = context.identifier.identify(home, device, cwd);
    let places = context.places();
    let before = around
        .iter()
        .flat_map(|(checkout, sub)| places.known_as(checkout, sub));
    let shared = context.shared();
    shared.is_excluded(&now)
        || before.map(Project::new).any(|was| shared.is_excluded(&was))
        || dirs.into_iter().any(|key| {
            shared.excluded.contains(&key)
                || places.began_in(&key) && shared.is_excluded(&Project::new(key))
        })
}
