//! Writes the decided steps into the tool's store.

use super::*;
use crate::session::ProblemCode;
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
        let shared = shared_docs(self.context, &self.job.key);
        let is_shared = |doc: &DocName| shared.is_some_and(|shared| (shared.is_one)(doc));
        // A fork may name the doc, too: the doc stays when the session leaves the store.
        steps.retain(|step| !matches!(step, Step::Remove { doc, .. } if is_shared(doc)));
        let place = self.place();
        let main = self.job.record.main().cloned();
        let placed = steps
            .iter()
            .any(|step| matches!(step, Step::Create { doc, .. } if Some(doc) == main.as_ref()));
        let base = self.job.record.origin().and_then(|card| card.base.clone());
        let held_elsewhere = self
            .holder
            .clone()
            .zip(base)
            .filter(|(holder, base)| *holder != base.session);
        let rebound = held_elsewhere.map(|(now, base)| ParentLink { base, now });
        let (key, record) = (self.job.key.clone(), &mut self.job.record);
        let mut written = apply(
            self.context,
            &key,
            &session,
            record,
            &place,
            &steps,
            rebound.clone(),
        );
        if let Err(WriteError::Torn(_)) = written
            // Half a line that will not be completed any more.
            && self.is_quiet_since(Duration::from_secs(10))
        {
            steps.iter_mut().for_each(Step::make_whole);
            put_back(&mut self.job.record, &steps);
            written = apply(
                self.context,
                &key,
                &session,
                &mut self.job.record,
                &place,
                &steps,
                rebound,
            );
        }
        match written {
            Ok(done) => {
                let away = matches!(steps.first(), Some(Step::Remove { .. }));
                self.moved = away && !self.layout.settled.away;
                let what = match away {
                    true if self.moved => HistoryKind::Moved,
                    true => HistoryKind::TakenOut,
                    false => HistoryKind::CheckedOut,
                };
                for (doc, bytes, lines) in done {
                    if is_shared(&doc) {
                        self.context.holders().claim(&self.job.key, &doc);
                        self.holds.push(doc.clone());
                    }
                    let device = self.context.short.clone();
                    self.happened(what, &device, &doc, bytes, lines);
                }
                self.job.record.released = false;
                self.note_taken_back(&steps);
                if placed {
                    let project = self.job.record.origin().map(|card| card.project.clone());
                    let is_projects = self
                        .job
                        .record
                        .pinned
                        .as_ref()
                        .is_none_or(|pinned| pinned.dir != place);
                    self.placed = project
                        .filter(|_| is_projects)
                        .map(|project| (project, place.clone()));
                    self.job.record.checkout_dir = Some(place);
                } else if self.moved {
                    self.leave_place();
                }
                self.verdict = if away { Verdict::Away } else { Verdict::Here };
            }
            Err(WriteError::Changed(path)) => {
                self.again = true;
                let way = if placed {
                    make_way(self.context, &key, &session, &path)
                } else {
                    Ok(false)
                };
                if let Err(error) = way {
                    self.problem(
                        ProblemCode::NotRecorded,
                        &error,
                        "Free up disk space or fix the permissions; session-roam will try again.",
                    );
                }
            }
            Err(WriteError::Live(why)) => {
                let hint = "It continues when the session is closed.".into();
                self.verdict = Verdict::Waiting {
                    code: Reason::Live,
                    why,
                    hint,
                    steps,
                };
            }
            Err(WriteError::Torn(path)) => {
                let why = format!("{} ends in an unfinished line.", path.display());
                let hint = "It continues when nothing writes there any more.".into();
                self.verdict = Verdict::Waiting {
                    code: Reason::Unwritable,
                    why,
                    hint,
                    steps,
                };
            }
            Err(error @ (WriteError::Refused(_) | WriteError::Gone(_))) => {
                let why = sentence(&error);
                let first = match error {
                    WriteError::Gone(_) => "Restore the directory, or switch another store on",
                    _ => "Move away what is in its way",
                };
                let hint = format!("{first}; it is tried again within a minute.");
                self.verdict = Verdict::Waiting {
                    code: Reason::Unwritable,
                    why,
                    hint,
                    steps,
                };
            }
            Err(error) => {
                let why = sentence(&error);
                let hint =
                    "Make room or repair the permissions of the tool's store; session-roam will try again."
                        .into();
                self.verdict = Verdict::Waiting {
                    code: Reason::Unwritable,
                    why,
                    hint,
                    steps,
                };
            }
        }
    }

    /// Notes that the session left its directory for its project's.
    pub(super) fn leave_place(&mut self) {
        let at = self.context.tick();
        let left = self.job.record.checkout_dir.take();
        // Nothing goes back into a worktree that was removed.
        let left = left.filter(|dir| dir.is_dir());
        self.job.record.moved_from = left.map(|dir| MovedFrom { dir, at });
    }

    /// Delays a write to a file that was just written: not every version of a tool reports that it
    /// has a session open, and an open file must not be taken away.
    pub(super) fn let_it_settle(&mut self) {
        const SETTLED: Duration = Duration::from_secs(5);
        let Verdict::Checkout(steps) = &self.verdict else {
            return;
        };
        let takes_away = |step: &Step| matches!(step, Step::Replace { .. } | Step::Remove { .. });
        if steps.iter().any(takes_away) && !self.is_quiet_since(SETTLED) {
            let why = "It was written a moment ago.".into();
            let hint = "It continues within seconds.".into();
            self.verdict = Verdict::Waiting {
                code: Reason::JustWritten,
                why,
                hint,
                steps: steps.clone(),
            };
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
