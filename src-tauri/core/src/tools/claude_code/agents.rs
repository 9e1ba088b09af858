//! Subagents in the layout of before they had a directory of their own: `agent-*.jsonl` beside the
//! transcripts. Whose they are stands in them, so those of a slug directory are found together.

use super::{BESIDE, entries, is_file};
use crate::formats::files;
use crate::formats::jsonl::{self, is_uuid, text};
use crate::formats::listed::Listed;
use crate::session::{DocName, SessionId};
use std::cell::Cell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The bytes read to find the owner of an old `agent-*.jsonl`.
const FIRST_LINE: u64 = 64 * 1024;
/// The limit of remembered directories.
const MOST: usize = 4096;

pub(super) struct OldAgent {
    pub(super) path: PathBuf,
    pub(super) name: String,
    pub(super) owner: SessionId,
}

#[derive(Default)]
pub(super) struct Agents {
    listed: Listed<Vec<OldAgent>>,
    known: Mutex<Known>,
}

/// What the directories held when they were listed last.
#[derive(Default)]
struct Known {
    by_dir: HashMap<PathBuf, Arc<Vec<OldAgent>>>,
    /// Counts the calls of [`Agents::forget`]. A listing that began before the last call may lack the
    /// agent that the call was about.
    forgotten: u64,
}

impl Agents {
    /// The agents that lie in a slug directory now.
    pub(super) fn of(&self, dir: &Path) -> Arc<Vec<OldAgent>> {
        let forgotten = self.known().forgotten;
        let all_named = Cell::new(true);
        let agents = self.listed.of(dir, || {
            let (found, all) = old_agents(dir);
            all_named.set(all);
            (found, all)
        });
        let mut known = self.known();
        if MOST <= known.by_dir.len() {
            known.by_dir.clear();
        }
        match all_named.get() && known.forgotten == forgotten {
            true => drop(known.by_dir.insert(dir.to_owned(), agents.clone())),
            false => drop(known.by_dir.remove(dir)),
        }
        agents
    }

    /// The agents that a slug directory had at its last listing, unless [`Agents::forget`] was called
    /// since. So a session that arrives does not list the whole directory again.
    pub(super) fn known_of(&self, dir: &Path) -> Arc<Vec<OldAgent>> {
        let known = self.known().by_dir.get(dir).cloned();
        known.unwrap_or_else(|| self.of(dir))
    }

    /// An agent was written, changed or removed.
    pub(super) fn forget(&self) {
        let mut known = self.known();
        known.by_dir.clear();
        known.forgotten += 1;
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Before subagents had a directory of their own, they were stored beside the transcripts.
pub(super) fn is_old_agent(name: &str) -> bool {
    name.starts_with("agent-") && name.ends_with(".jsonl") && !files::is_foreign_name(name)
}

/// Whether a doc is an agent in the old layout.
pub(super) fn is_beside(doc: &DocName) -> bool {
    let rest = doc.as_str().strip_prefix(BESIDE);
    rest.is_some_and(|rest| rest.starts_with("agents/"))
}

/// Also returns whether every agent names its owner. One that has just started may do so later.
fn old_agents(slug_dir: &Path) -> (Vec<OldAgent>, bool) {
    let agents = entries(slug_dir).filter(|(path, name)| is_old_agent(name) && is_file(path));
    let (mut found, mut all) = (Vec::new(), true);
    for (path, name) in agents {
        match agent_owner(&path) {
            Some(owner) => found.push(OldAgent { owner, path, name }),
            None => all = false,
        }
    }
    (found, all)
}

pub(super) fn agent_owner(path: &Path) -> Option<SessionId> {
    let first = jsonl::read_first(path, FIRST_LINE).ok()??;
    text(&first, "sessionId")
        .filter(|id| is_uuid(id))
        .map(SessionId::new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const OWNER: &str = "5e1f0c3a-0000-4000-8000-000000000001";

    fn add(dir: &Path, number: u32) {
        let line = format!("{{\"sessionId\":\"{OWNER}\"}}\n");
        fs::write(dir.join(format!("agent-{number}.jsonl")), line).unwrap();
    }

    #[test]
    fn a_directory_is_not_listed_for_each_session_in_it() {
        let dir = tempfile::tempdir().unwrap();
        let (dir, agents) = (dir.path(), Agents::default());
        add(dir, 1);
        assert_eq!(agents.known_of(dir).len(), 1);
        add(dir, 2);
        assert_eq!(agents.known_of(dir).len(), 1, "it is not listed again");
        assert_eq!(agents.of(dir).len(), 2);
        assert_eq!(agents.known_of(dir).len(), 2);
        add(dir, 3);
        agents.forget();
        assert_eq!(
            agents.known_of(dir).len(),
            3,
            "the directory is listed again"
        );
    }

    #[test]
    fn an_agent_that_does_not_name_its_owner_yet_is_looked_for_again() {
        let dir = tempfile::tempdir().unwrap();
        let (dir, agents) = (dir.path(), Agents::default());
        fs::write(dir.join("agent-1.jsonl"), "").unwrap();
        assert!(agents.known_of(dir).is_empty());
        add(dir, 1);
        assert_eq!(agents.known_of(dir).len(), 1);
    }
}
