//! Plan files: `plans/<name>.md`, and `plans/<name>-agent-<id>.md` of sub-agents. A session's
//! records name its plan as `slug` once there is one (2.1.330, 2026-11-28). A user's directory set
//! with `plansDirectory` is part of the checkout, not of a session.

use super::recent::Recent;
use super::{PLANS, entries};
use crate::formats::jsonl::{self, text};
use crate::formats::listed::Listed;
use crate::opener;
use crate::session::{DocName, SessionId};
use crate::tools::{Stamp, Touched};
use std::collections::{BTreeSet, HashMap};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The bytes searched for the name at either end of a transcript. Every record of a conversation
/// has the name.
const SEARCHED: u64 = 64 * 1024;

/// By transcript. Those without a plan are remembered only as long as they are read again and again:
/// nearly all transcripts are.
type Known = HashMap<PathBuf, Named>;

/// The content of a transcript when it was last read.
struct Named {
    session: SessionId,
    stamp: Stamp,
    plan: String,
}

#[derive(Default)]
pub(super) struct Plans {
    listed: Listed<BTreeSet<String>>,
    known: Mutex<Known>,
    without: Recent<Stamp>,
}

impl Plans {
    /// The plan files that one session's records name. Without plan files no transcript is read.
    pub(super) fn of(
        &self,
        dir: &Path,
        session: &SessionId,
        main: &Path,
        stamp: Stamp,
    ) -> Vec<(PathBuf, String)> {
        let names = self.names_in(dir);
        if names.is_empty() {
            return Vec::new();
        }
        if !self.is_known(main, stamp) {
            self.read(session, main, stamp);
        }
        self.known_of(dir, main)
    }

    fn is_known(&self, main: &Path, stamp: Stamp) -> bool {
        let known = self.known().get(main).map(|known| known.stamp);
        let known = known.or_else(|| {
            let without = self.without.take(main)?;
            self.without.put(main, without);
            Some(without)
        });
        known == Some(stamp)
    }

    fn read(&self, session: &SessionId, main: &Path, stamp: Stamp) {
        let Some(plan) = read_name(main) else {
            self.known().remove(main);
            self.without.put(main, stamp);
            return;
        };
        let named = Named {
            session: session.clone(),
            stamp,
            plan,
        };
        self.known().insert(main.to_owned(), named);
    }

    /// The plan files that a transcript named when it was last read. A listing of all sessions
    /// reads no transcripts.
    pub(super) fn known_of(&self, dir: &Path, main: &Path) -> Vec<(PathBuf, String)> {
        let Some(plan) = self.known().get(main).map(|known| known.plan.clone()) else {
            return Vec::new();
        };
        let names = self.names_in(dir);
        let from = names
            .range(plan.clone()..)
            .take_while(|name| name.starts_with(&plan));
        from.filter(|name| is_of(name, &plan))
            .map(|name| (dir.join(name), name.clone()))
            .collect()
    }

    /// Drops the entries of transcripts below `projects` that are gone.
    pub(super) fn retain(&self, projects: &Path, is_there: impl Fn(&SessionId, &Path) -> bool) {
        self.known()
            .retain(|main, known| !main.starts_with(projects) || is_there(&known.session, main));
    }

    /// The session that owns a plan file. A plan that no session has named yet is found when its
    /// session is read.
    pub(super) fn touched(&self, name: &str) -> Touched {
        let known = self.known();
        let mut sessions = known
            .values()
            .filter(|known| is_of(name, &known.plan))
            .map(|known| &known.session);
        match (sessions.next(), sessions.next()) {
            (None, _) => Touched::Nothing,
            (Some(session), None) => Touched::Session(session.clone()),
            (Some(_), Some(_)) => Touched::Everything,
        }
    }

    fn names_in(&self, dir: &Path) -> std::sync::Arc<BTreeSet<String>> {
        self.listed
            .of(dir, || (entries(dir).map(|(_, name)| name).collect(), true))
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The last name in a transcript, at its end or else at its beginning.
fn read_name(main: &Path) -> Option<String> {
    let mut file = opener::file(main).ok()?;
    let len = file.seek(SeekFrom::End(0)).ok()?;
    let mut read = |from: u64| -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(from))?;
        (&mut file).take(SEARCHED).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let end = last_name(&read(len.saturating_sub(SEARCHED)).ok()?);
    end.or_else(|| last_name(&read(0).ok()?))
}

/// Only lines that may contain the name are parsed, because a transcript is read at every start.
fn last_name(bytes: &[u8]) -> Option<String> {
    let lines = bytes.rsplit(|byte| *byte == b'\n');
    lines.filter(|line| may_name(line)).find_map(name_of)
}

fn may_name(line: &[u8]) -> bool {
    memchr::memmem::find(line, b"\"slug\"").is_some()
}

/// The plan that a record names.
fn name_of(line: &[u8]) -> Option<String> {
    jsonl::parse_lines(line)
        .iter()
        .rev()
        .find_map(|record| text(record, "slug"))
        .filter(|name| is_name(name))
}

/// Whether a line of a transcript names the plan stored in a doc.
pub(super) fn names(doc: &DocName, line: &[u8]) -> bool {
    let file = doc.as_str().strip_prefix(PLANS);
    file.is_some_and(|file| may_name(line) && name_of(line).is_some_and(|plan| is_of(file, &plan)))
}

fn is_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !name.is_empty() && name.len() <= 128 && name.bytes().all(is_plain) && !name.starts_with('-')
}

fn is_of(file: &str, plan: &str) -> bool {
    let rest = file
        .strip_prefix(plan)
        .and_then(|rest| rest.strip_suffix(".md"));
    rest.is_some_and(|rest| rest.is_empty() || rest.strip_prefix("-agent-").is_some_and(is_name))
}

/// Whether a name from another device is a valid name of a plan file.
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
        for name in [
            "../settings.md",
            ".md",
            "CLAUDE.md",
            "a/b.md",
            "-x.md",
            "x.json",
            "x..md",
        ] {
            assert!(!is_plan(name), "{name}");
        }
        assert!(is_plan("calm-wise-otter-agent-a1b2.md"));
    }

    #[test]
    fn a_transcript_is_read_for_its_own_session_alone_and_dropped_when_it_is_gone() {
        let home = tempfile::tempdir().unwrap();
        let (dir, main) = (
            home.path().join("plans"),
            home.path().join("projects/x/one.jsonl"),
        );
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::create_dir_all(main.parent().unwrap()).unwrap();
        std::fs::write(dir.join("bold-red-fox.md"), "Plan.").unwrap();
        let nested = r#"{"toolUseResult":{"slug":"another"}}"#;
        let long = format!("{{\"text\":\"{}\"}}", "x".repeat(100_000));
        std::fs::write(
            &main,
            format!("{{\"slug\":\"bold-red-fox\"}}\n{nested}\n{long}\n"),
        )
        .unwrap();
        let (plans, session) = (Plans::default(), SessionId::new("one"));
        assert_eq!(plans.known_of(&dir, &main), []);
        assert_eq!(plans.touched("bold-red-fox.md"), Touched::Nothing);
        let stamp = Stamp {
            len: 1,
            ..Stamp::default()
        };
        assert_eq!(plans.of(&dir, &session, &main, stamp).len(), 1);
        assert_eq!(plans.known_of(&dir, &main).len(), 1);
        assert_eq!(plans.touched("bold-red-fox.md"), Touched::Session(session));
        std::fs::write(&main, "{}\n").unwrap();
        assert_eq!(
            plans.of(&dir, &SessionId::new("one"), &main, stamp).len(),
            1,
            "it is not read again"
        );
        plans.retain(&home.path().join("elsewhere"), |_, _| false);
        assert_eq!(plans.known_of(&dir, &main).len(), 1);
        plans.retain(&home.path().join("projects"), |_, _| false);
        assert_eq!(plans.known_of(&dir, &main), []);
    }

    #[test]
    fn of_transcripts_without_a_plan_only_the_ones_read_last_are_remembered() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("plans");
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join("bold-red-fox.md"), "Plan.").unwrap();
        let (plans, stamp) = (Plans::default(), Stamp::default());
        let at = |n: usize| {
            (
                SessionId::new(format!("s{n}")),
                home.path().join(n.to_string()),
            )
        };
        for n in 0..200 {
            let (session, main) = at(n);
            std::fs::write(&main, "{}\n").unwrap();
            assert_eq!(plans.of(&dir, &session, &main, stamp), []);
            std::fs::write(&main, "{\"slug\":\"bold-red-fox\"}\n").unwrap();
            assert_eq!(
                plans.of(&dir, &session, &main, stamp),
                [],
                "it is not read again"
            );
        }
        assert_eq!(plans.known().len(), 0);
        let ((first, main), changed) = (at(0), Stamp { len: 1, ..stamp });
        assert_eq!(
            plans.of(&dir, &first, &main, stamp).len(),
            1,
            "it was forgotten"
        );
        std::fs::write(&main, "{}\n").unwrap();
        assert_eq!(plans.of(&dir, &first, &main, changed), []);
        assert_eq!(plans.touched("bold-red-fox.md"), Touched::Nothing);
    }
}
