//! Writes the decided steps into the tool's store.

use super::*;
use crate::session::problem::sentence;

impl Reconciler<'_> {
    pub(super) fn write(&mut self) {
        let _timed = Stage::Written.begin();
        let Verdict::Checkout(mut steps) = self.verdict.clone() else {
            return;
        };
        let Some(session) = self.job.record.session.clone() else {
            return;
        };
        // A fork may name the doc, too: the doc stays when the session leaves the store.
        steps.retain(|step| !matches!(step, Step::Remove { doc, .. } if self.is_shared(doc)));
        let place = self.place();
        let mut written = self.apply(&session, &place, &steps);
        if let Err(WriteError::Torn(_)) = written
            // Half a line that will not be completed any more.
            && self.is_quiet_since(Duration::from_secs(10))
        {
            steps.iter_mut().for_each(Step::make_whole);
            put_back(&mut self.job.record, &steps);
            written = self.apply(&session, &place, &steps);
        }
        match written {
            Ok(done) => self.written(done, &steps, place),
            Err(WriteError::Changed(path)) => {
                self.again = true;
                if self.creates_main(&steps)
                    && let Err(error) = make_way(self.context, &self.job.key, &session, &path)
                {
                    self.not_recorded(&error);
                }
            }
            Err(error) => self.verdict = Verdict::Waiting(obstacle(error, steps)),
        }
    }

    fn apply(
        &mut self,
        session: &SessionId,
        place: &Path,
        steps: &[Step],
    ) -> Result<Vec<(DocName, u64, u64)>, WriteError> {
        let rebound = self.parent_elsewhere();
        let Job { key, record, .. } = &mut self.job;
        apply(self.context, key, session, record, place, steps, rebound)
    }

    /// The link to the session that holds the beginning of this one here, if it is not the one that
    /// the record names.
    fn parent_elsewhere(&self) -> Option<ParentLink> {
        let base = self.job.record.origin()?.base.clone()?;
        let now = self.holder.clone()?;
        (now != base.session).then_some(ParentLink { base, now })
    }

    /// Whether the doc lies in a directory shared by several sessions.
    fn is_shared(&self, doc: &DocName) -> bool {
        shared_docs(self.context, &self.job.key).is_some_and(|shared| (shared.is_one)(doc))
    }

    fn creates_main(&self, steps: &[Step]) -> bool {
        let main = self.job.record.main();
        steps
            .iter()
            .any(|step| matches!(step, Step::Create { doc, .. } if Some(doc) == main))
    }

    /// Notes what was written, and for which directory.
    fn written(&mut self, done: Vec<(DocName, u64, u64)>, steps: &[Step], place: PathBuf) {
        let away = matches!(steps.first(), Some(Step::Remove { .. }));
        self.moved = away && !self.layout.settled.away;
        let what = match away {
            true if self.moved => HistoryKind::Moved,
            true => HistoryKind::TakenOut,
            false => HistoryKind::CheckedOut,
        };
        for (doc, bytes, lines) in done {
            if self.is_shared(&doc) {
                self.context.holders().claim(&self.job.key, &doc);
                self.holds.push(doc.clone());
            }
            let device = self.context.short.clone();
            self.happened(what, &device, &doc, bytes, lines);
        }
        self.job.record.released = false;
        self.note_withdrawal(steps);
        if self.creates_main(steps) {
            let record = &mut self.job.record;
            let project = record.origin().map(|card| card.project.clone());
            let is_pinned = record
                .pinned
                .as_ref()
                .is_some_and(|pinned| pinned.dir != place);
            self.placed = project
                .filter(|_| !is_pinned)
                .map(|project| (project, place.clone()));
            record.checkout_dir = Some(place);
        } else if self.moved {
            self.leave_place();
        }
        self.verdict = if away { Verdict::Away } else { Verdict::Here };
    }

    /// Notes that the session left its directory for its project's.
    pub(super) fn leave_place(&mut self) {
        let at = self.context.tick();
        let left = self.job.record.checkout_dir.take();
        // Nothing goes back into a worktree that was removed.
        let is_with_code = self.context.is_with_code(&self.job.record);
        let left = left.filter(|dir| dir.is_dir() && !is_with_code);
        self.job.record.moved_from = left.map(|dir| MovedFrom { dir, at });
    }

    /// Delays a write to a file that was just written: not every version of a tool reports that it
    /// has a session open, and an open file must not be taken away.
    pub(super) fn wait_until_quiet(&mut self) {
        const SETTLED: Duration = Duration::from_secs(5);
        let Verdict::Checkout(steps) = &self.verdict else {
            return;
        };
        let takes_away = |step: &Step| matches!(step, Step::Replace { .. } | Step::Remove { .. });
        if steps.iter().any(takes_away) && !self.is_quiet_since(SETTLED) {
            let why = "It was written a moment ago.".into();
            let hint = "It continues within seconds.".into();
            self.verdict = Verdict::Waiting(Obstacle {
                reason: Reason::JustWritten,
                why,
                hint,
                steps: steps.clone(),
            });
        }
    }

    /// Whether nobody has written into the session's logs for this long.
    pub(super) fn is_quiet_since(&self, long: Duration) -> bool {
        let now = self.context.clock.now().0;
        let logs = self
            .job
            .record
            .docs
            .values()
            .filter(|state| state.kind == DocKind::Log);
        let local = logs
            .filter_map(|state| state.local.as_ref())
            .filter(|local| local.there && !local.ours);
        local
            .map(|local| local.stamp.mtime_ns / 1_000_000)
            .all(|at| long.as_millis() as u64 <= now.abs_diff(at))
    }
}

/// Why the steps wait after a write that failed.
fn obstacle(error: WriteError, steps: Vec<Step>) -> Obstacle {
    let reason = match error {
        WriteError::Open(_) => Reason::Live,
        _ => Reason::Unwritable,
    };
    let hint = match error {
        WriteError::Open(_) => "It continues when the session is closed.",
        WriteError::Torn(_) => "It continues when nothing writes there any more.",
        WriteError::Gone(_) => {
            "Restore the directory, or switch another store on; session-roam will try again."
        }
        WriteError::Refused(_) => "Move away what is in its way; session-roam will try again.",
        WriteError::Changed(_) | WriteError::Io { .. } => {
            "Make room or repair the permissions of the tool's store; session-roam will try again."
        }
    };
    let why = match error {
        WriteError::Open(why) => why,
        WriteError::Torn(path) => format!("{} ends in an unfinished line.", path.display()),
        error => sentence(&error),
    };
    Obstacle {
        reason,
        why,
        hint: hint.into(),
        steps,
    }
}
