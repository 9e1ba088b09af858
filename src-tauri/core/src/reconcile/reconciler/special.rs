//! Parts of a reconcile that most sessions never need: a second file with the session's id,
//! conflict copies, copies of files that are kept from the tool, and lines that another device
//! withdrew.

use super::Reconciler;
use crate::api::types::TakenIn;
use crate::merge::{Guards, Obstacle, Step, Verdict};
use crate::reconcile::excluded::{Now, is_excluded, is_excluded_alone};
use crate::reconcile::record::{SessionRecord, Withdrawal};
use crate::reconcile::session::{Session, SessionMut};
use crate::reconcile::shared_docs::shared_docs;
use crate::reconcile::steering::withhold;
use crate::reconcile::takein::{TakeInError, import_copy};
use crate::reconcile::twins::record_twin;
use crate::reconcile::withdrawals::Answer;
use crate::reconcile::withdrawn;
use crate::session::{DocName, HistoryKind, Problem, ProblemCode, Reason};
use crate::tools::{ConflictCopy, Facts, FoundDoc, Tool, Twin, ignores_case, is_plain};
use crate::vault::JournalError;
use std::collections::BTreeSet;
use std::path::Path;

impl Reconciler<'_> {
    /// Records other files with the session's id as branches; only then is the user advised to move
    /// one away.
    pub(super) fn record_twins(&mut self, tool: &dyn Tool, twins: &[Twin], advice: Vec<Problem>) {
        let mut all = true;
        // A session without any recorded line has nothing that a twin could stand beside.
        let is_known = self.job.record.origin().is_some();
        let session = self.job.record.session.clone();
        for twin in twins
            .iter()
            .filter(|twin| is_known && Some(&twin.session) == session.as_ref())
        {
            let twin = &self.alone(twin);
            // The twin may belong to another project than the session.
            let (context, key) = (self.context, &self.job.key);
            let excluded = |record: &SessionRecord, facts: &Facts| {
                is_excluded(context, record, None)
                    || is_excluded_alone(Session::new(context, key, record), facts)
            };
            let session = (&self.job.key, &mut self.job.record);
            match record_twin(self.context, tool, session, twin, excluded, self.job.lane) {
                Ok(recorded) => self.recorded(HistoryKind::Recorded, recorded),
                Err(error) => {
                    all = false;
                    self.again |= matches!(error, TakeInError::Moving);
                    let hint = "Leave both files where they are until this is solved: what only one of them holds is in \
                                no other place.";
                    self.problem(ProblemCode::TwinNotRecorded, &error, hint);
                }
            }
        }
        if all && is_known {
            let both = |advice: Problem| Problem {
                hint: format!("{} Both are recorded.", advice.hint),
                ..advice
            };
            self.problems.extend(advice.into_iter().map(both));
        }
    }

    /// A second file without the docs that the session has already or that other sessions may have.
    fn alone(&self, twin: &Twin) -> Twin {
        let shared = shared_docs(self.context, &self.job.key);
        let found = self.found.iter().flat_map(|found| &found.docs);
        let known: BTreeSet<&Path> = found.map(|doc| doc.path.as_path()).collect();
        let is_its = |doc: &FoundDoc| {
            let is_shared = shared.is_some_and(|shared| (shared.is_one)(&doc.name));
            !is_shared && !known.contains(doc.path.as_path())
        };
        let mut twin = twin.clone();
        twin.docs.retain(is_its);
        twin
    }

    /// Follows another device's withdrawal of its own lines, unless it withdraws in many sessions
    /// at once.
    pub(super) fn follow_withdrawal(&mut self, mut guards: Guards) {
        let (context, key) = (self.context, self.job.key.clone());
        let author = match &self.verdict {
            Verdict::Held(obstacle) if obstacle.reason == Reason::Rewritten => {
                let session = Session::new(context, &key, &self.job.record);
                withdrawn::author(session, &obstacle.steps).ok().flatten()
            }
            _ => None,
        };
        let Some(author) = author else {
            return context.withdrawals().settled(&key);
        };
        let most = context.shared().max_rewritten;
        let answer = context
            .withdrawals()
            .answer(&key, &author, context.clock.now(), most);
        match (answer, &self.verdict) {
            (Answer::Follow, _) => {
                guards.rewrite_released = true;
                self.verdict = self.planned(guards);
                self.author = Some(author);
            }
            (Answer::Wait, Verdict::Held(held)) => {
                let why = format!(
                    "{} took back what it wrote last.",
                    context.shared().name_of(&author)
                );
                let hint =
                    "This device follows within seconds; the vault keeps what was withdrawn."
                        .into();
                self.verdict = Verdict::Waiting(Obstacle {
                    reason: Reason::TakenBack,
                    why,
                    hint,
                    steps: held.steps.clone(),
                });
            }
            _ => {}
        }
    }

    /// Remembers the steps that withdrew another device's lines, so that the user can undo them.
    pub(super) fn note_withdrawal(&mut self, steps: &[Step]) {
        let Some(author) = self.author.take() else {
            return;
        };
        let now = self.context.clock.now();
        self.context.withdrawals().followed(&self.job.key, now);
        for step in steps {
            let Step::Replace { doc, from, to } = step else {
                continue;
            };
            let trie = &self.job.record.docs[doc].trie;
            let lost = trie
                .path_between(trie.meet(*from, *to), *from)
                .unwrap_or_default();
            let (bytes, lines) = lost.iter().fold((0, 0), |(bytes, lines), edge| {
                (bytes + edge.bytes, lines + edge.lines)
            });
            self.happened(HistoryKind::TakenBack, &author, doc, bytes, lines);
            let back = Withdrawal {
                doc: doc.clone(),
                old: *from,
                new: *to,
                at: self.context.tick(),
            };
            self.job.record.withdrawals.push(back);
        }
    }

    /// A record too large to sync exists in this file alone: nothing overwrites it.
    pub(super) fn spare_gaps(&mut self) {
        let docs = &self.job.record.docs;
        let local_gaps = |doc: &DocName| {
            docs.get(doc)
                .and_then(|state| state.local.as_ref())
                .map_or(0, |local| local.gaps)
        };
        let takes_away = |step: &Step| match step {
            Step::Replace { doc, .. } | Step::Remove { doc, .. } => 0 < local_gaps(doc),
            Step::Create { .. } | Step::Append { .. } => false,
        };
        if let Verdict::Checkout(steps) = &self.verdict
            && steps.iter().any(takes_away)
        {
            let why = "A record in this file is too large to sync and exists nowhere else.".into();
            let hint =
                "Move the file elsewhere if this device is to have the other version.".into();
            self.verdict = Verdict::Waiting(Obstacle {
                reason: Reason::LeftOut,
                why,
                hint,
                steps: steps.clone(),
            });
        }
    }

    /// Reports on every device what is missing.
    pub(super) fn report_gaps(&mut self) {
        let record = &self.job.record;
        let (many, here) = record.left_out();
        if 0 < many {
            let title = record.title().unwrap_or("Untitled");
            let on = if here {
                "this device"
            } else {
                "the device that wrote them"
            };
            self.problems.push(Problem::new(
                ProblemCode::RecordLeftOut,
                format!("“{title}”: {many} records of more than 1 GB do not sync; they are on {on} only."),
                "Everything before and after them is on every device; a note in their place says how large they are.",
            ));
        }
    }

    /// Docs beside the conversation of which no file can be here: this system has no such names, or
    /// another doc has the name already where capitals do not count. They stay in the vault.
    pub(super) fn nameless(&self) -> BTreeSet<&DocName> {
        let record = &self.job.record;
        let main = record.main();
        let is_missing = |name: &DocName| record.docs[name].local.is_none();
        let lower = |name: &DocName| name.as_str().to_lowercase();
        let mut names: Vec<&DocName> = record.docs.keys().collect();
        // What is here keeps its name, and of the others the first one has it.
        names.sort_by_key(|name| (Some(*name) != main, is_missing(name)));
        let mut taken = BTreeSet::new();
        let mut found = BTreeSet::new();
        for name in names {
            let is_taken = !taken.insert(lower(name));
            let is_nameless = Some(name) != main
                && is_missing(name)
                && (!is_plain(name.as_str())
                    || is_taken && ignores_case(&self.context.machine.home));
            if is_nameless {
                found.insert(name);
            }
        }
        found
    }

    /// Reports the docs that stay in the vault for want of a name here.
    pub(super) fn report_nameless(&mut self) {
        // They are written only together with the conversation.
        if self.job.dry || !self.job.record.is_here() {
            return;
        }
        let names: Vec<String> = { self.nameless().into_iter() }
            .map(|name| format!("“{name}”"))
            .collect();
        if names.is_empty() {
            return;
        }
        let title = self.job.record.title().unwrap_or("Untitled");
        self.problems.push(Problem::new(
            ProblemCode::LeftOut,
            format!(
                "“{title}”: no file of this device can have the name of {}.",
                names.join(", ")
            ),
            "Nothing needs to be done: the conversation itself syncs, and the vault keeps the rest.",
        ));
    }

    /// Records conflict copies at the user's request.
    pub(super) fn import_copies(&mut self, tool: &dyn Tool, conflict_copies: &[ConflictCopy]) {
        let mut done = TakenIn::default();
        for conflict_copy in conflict_copies {
            let open_in = self
                .found
                .as_ref()
                .and_then(|found| found.open_in.clone())
                .or(conflict_copy.open_in.clone());
            let conflict_copy = ConflictCopy {
                open_in,
                ..conflict_copy.clone()
            };
            let excluded =
                |record: &SessionRecord, now: Now<'_>| is_excluded(self.context, record, Some(now));
            let session = (&self.job.key, &mut self.job.record);
            match import_copy(
                self.context,
                tool,
                session,
                &conflict_copy,
                excluded,
                self.job.lane,
            ) {
                Ok((recorded, row)) => {
                    self.recorded(HistoryKind::Recorded, recorded);
                    done.taken.push(row);
                }
                Err(error) => done
                    .left
                    .push(error.row(&self.job.key.tool, &conflict_copy)),
            }
        }
        self.taken = Some(done);
    }

    /// Withholds copies of files that the tool could be made to write outside of the checkout; they
    /// stay in the journals.
    pub(super) fn withhold(&mut self) -> Result<(), JournalError> {
        let Verdict::Checkout(steps) = &mut self.verdict else {
            return Ok(());
        };
        let (key, mut steps) = (self.job.key.clone(), std::mem::take(steps));
        let cwd = self.place();
        let main = self.job.record.main().cloned();
        let target = main
            .and_then(|main| self.layout.settled.targets.get(&main))
            .copied();
        let why = withhold(
            SessionMut::new(self.context, &key, &mut self.job.record),
            &mut steps,
            (&cwd, target),
        )?;
        self.verdict = if steps.is_empty() {
            Verdict::Here
        } else {
            Verdict::Checkout(steps)
        };
        if let Some(why) = why {
            let title = self.job.record.title().unwrap_or("Untitled");
            self.problems.push(Problem::new(
                ProblemCode::CopiesWithheld,
                format!("“{title}”: another device's copies of files are kept in the vault and not given to the tool: {why}."),
                "Nothing needs to be done. Restoring an earlier state of these files works on that device only.",
            ));
        }
        Ok(())
    }
}
