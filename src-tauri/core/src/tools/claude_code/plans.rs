//! Plan files: `plans/<name>.md`, and `plans/<name>-agent-<id>.md` of sub-agents. Which session they belong to its records
//! say, which have the plan's name as `slug` from when there is one (2.1.330, 2026-11-28). A directory of the user's own that
//! the setting `plansDirectory` names is part of the checkout and no part of a session.

use super::entries;
use crate::formats::jsonl::{self, text};
use crate::formats::listed::Listed;
use crate::opener;
use crate::session::SessionId;
use crate::tools::{Stamp, Touched};
use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Of a transcript so much is looked at, at either end: every record of a conversation says the name.
const LOOKED_AT: u64 = 64 * 1024;

/// By transcript: whose it is, how it was when it was looked at, and the name that it said.
type Known = HashMap<PathBuf, (SessionId, Stamp, Option<String>)>;

#[derive(Default)]
pub(super) struct Plans {
    listed: Listed<BTreeSet<String>>,
    known: Mutex<Known>,
}

impl Plans {
    /// The plan files of a session. Where there are no plans, nothing is read.
    pub(super) fn of(&self, dir: &Path, session: &SessionId, main: &Path, stamp: Stamp) -> Vec<(PathBuf, String)> {
        let names = self.listed.of(dir, || (entries(dir).map(|(_, name)| name).collect(), true));
        if names.is_empty() {
            return Vec::new();
        }
        let Some(plan) = self.name_in(session, main, stamp) else { return Vec::new() };
        let from = names.range(plan.clone()..).take_while(|name| name.starts_with(&plan));
        from.filter(|name| is_of(name, &plan)).map(|name| (dir.join(name), name.clone())).collect()
    }

    /// Which session's plan it is. Of one that no session has named yet its session is looked at when it does.
    pub(super) fn touched(&self, name: &str) -> Touched {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let says_it = |plan: &Option<String>| plan.as_ref().is_some_and(|plan| is_of(name, plan));
        let mut sessions = known.values().filter(|(_, _, plan)| says_it(plan)).map(|(session, ..)| session);
        match (sessions.next(), sessions.next()) {
            (None, _) => Touched::Nothing,
            (Some(session), None) => Touched::Session(session.clone()),
            (Some(_), Some(_)) => Touched::Everything,
        }
    }

    fn name_in(&self, session: &SessionId, main: &Path, stamp: Stamp) -> Option<String> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, _, name)) = known.get(main).filter(|(_, seen, _)| *seen == stamp) {
            return name.clone();
        }
        let name = read_name(main);
        known.insert(main.to_owned(), (session.clone(), stamp, name.clone()));
        name
    }
}

fn read_name(main: &Path) -> Option<String> {
    let ends = jsonl::read_ends(&mut opener::file(main).ok()?, LOOKED_AT, LOOKED_AT).ok()?;
    ends.backwards().find_map(|record| text(record, "slug")).filter(|name| is_name(name))
}

fn is_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !name.is_empty() && name.len() <= 128 && name.bytes().all(is_plain) && !name.starts_with('-')
}

fn is_of(file: &str, plan: &str) -> bool {
    let rest = file.strip_prefix(plan).and_then(|rest| rest.strip_suffix(".md"));
    rest.is_some_and(|rest| rest.is_empty() || rest.strip_prefix("-agent-").is_some_and(is_name))
}

/// Whether a name from elsewhere is one that a plan file has.
pub(super) fn is_plan(file: &str) -> bool {
    file.strip_suffix(".md").is_some_and(is_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_plans_that_a_session_names_are_its_own() {
        for (file, is) in [
            ("calm-wise-otter.md", true),
            ("calm-wise-otter-agent-a1b2.md", true),
            ("calm-wise-otter-2.md", false),
            ("calm-wise-otters.md", false),
            ("calm-wise-otter.md.bak", false),
            ("calm-wise-otter-agent-.md", false),
        ] {
            assert_eq!(is_of(file, "calm-wise-otter"), is, "{file}");
        }
        for name in ["../settings.md", ".md", "CLAUDE.md", "a/b.md", "-x.md", "x.json", "x..md"] {
            assert!(!is_plan(name), "{name}");
        }
        assert!(is_plan("calm-wise-otter-agent-a1b2.md"));
    }
}
