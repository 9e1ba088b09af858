//! What a start finds beside the loop, before anything is reconciled: which journals and sessions
//! changed while the engine was off. The loop takes it over in slices, so that it is never busy for
//! long, however many sessions there are.

use super::Engine;
use super::code::repository;
use super::event::Event;
use super::queue::ReconcileRequest;
use super::seen::Known;
use super::vault_walk::{self, Lanes, Since, restore_lost};
use super::walked::{Once, Started, Walk, WalkedDir};
use crate::projects::places::is_repository;
use crate::reconcile::context::Context;
use crate::reconcile::record::SessionRecord;
use crate::session::{ProjectKey, SessionKey};
use crate::state::{Row, State, StateError};
use crate::vault::{READS, VaultPath};
use serde::Deserialize;
use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;

/// The note of the set of entry kinds with which all journals were read.
const KINDS_READ: &str = "entry kinds";
/// The note that the sessions were looked at of which an older version did not find the origin or
/// its directory.
const ORIGINS: &str = "origins";
/// The note that the sessions were looked at that an older version put into a directory by weaker
/// evidence.
const PLACED: &str = "placed by remote";

/// What a start does beside the loop.
pub(super) struct StartLook {
    context: Arc<Context>,
    /// The state's file.
    state: PathBuf,
    once: Once,
    /// Own segments that were lost before this, and how many of them are back.
    restored: (u32, u32),
    /// The last session of each project is asked for.
    wants_last: bool,
}

impl Engine {
    /// Begins to look for what changed while the engine was off. Until that is known, no session is
    /// reconciled and no store is listed.
    pub(super) fn look_at_start(&self, once: Once, restored: (u32, u32)) {
        let look = StartLook {
            once,
            context: self.context.clone(),
            state: self.state.path().to_owned(),
            restored,
            wants_last: !self.settings.code.projects.is_empty(),
        };
        self.jobs.spawn_for_event(Box::new(move || {
            // Without a result nothing would ever be reconciled; without numbers everything is.
            let walk = match catch_unwind(AssertUnwindSafe(|| look.run())) {
                Ok((journals, started)) => Walk::ended(journals, Some(started)),
                Err(_) => {
                    let started = Started {
                        restored: look.restored,
                        ..Started::default()
                    };
                    Walk::after_panic(&look.context.vault, started)
                }
            };
            Event::VaultWalked(Box::new(walk))
        }));
    }

    pub(super) fn once(&self) -> Result<Once, StateError> {
        let mut once = Once {
            former: Vec::new(),
            origins: self.state.note::<bool>(ORIGINS)?.is_none(),
            outdated: self.state.note::<u32>(KINDS_READ)? != Some(READS),
            placed: self.state.note::<bool>(PLACED)?.is_none(),
        };
        let former: Vec<String> = self.context.shared().former.keys().cloned().collect();
        for short in former {
            if self.state.note::<bool>(&passed_on(&short))?.is_none() {
                once.former.push(short);
            }
        }
        Ok(once)
    }

    /// Takes over the next sessions of what a start found; after the last one, stores are listed and
    /// sessions reconciled.
    pub(super) fn schedule_start_findings(
        &mut self,
        mut started: Started,
    ) -> Result<(), StateError> {
        let n = started.due.len().min(self.context.sizes.slice);
        for key in started.due.drain(..n) {
            self.schedule(key, ReconcileRequest::default());
        }
        if !started.due.is_empty() {
            self.continue_with(Event::VaultWalked(Box::new(Walk::ended(
                VecDeque::new(),
                Some(started),
            ))));
            return Ok(());
        }
        self.accept_prints(started.seen);
        self.freed_much();
        self.is_starting = false;
        self.report_restored(started.restored);
        self.listings.is_reading_again = started.once.outdated;
        self.begin_first_listings();
        if let Some(error) = started.error {
            return Err(error);
        }
        self.record_last(started.last)?;
        self.note_once(&started.once, &started.passed_on)
    }

    /// A panic interrupted the taking over of what a start found. The stores are listed without it;
    /// journals that changed are looked for once more.
    pub(super) fn give_up_start(&mut self) {
        if std::mem::take(&mut self.is_starting) {
            self.begin_first_listings();
            self.walk_vault(Lanes::All, Since::LastRead);
        }
    }

    fn note_once(&self, once: &Once, passed: &[String]) -> Result<(), StateError> {
        for (name, is_done) in [(ORIGINS, once.origins), (PLACED, once.placed)] {
            if is_done {
                self.state.put_note(name, &true)?;
            }
        }
        let mut passed = passed.iter();
        passed.try_for_each(|short| self.state.put_note(&passed_on(short), &true))
    }

    /// Notes that all journals were read again. After a crash before that the next start schedules
    /// their sessions again.
    pub(super) fn note_kinds_read(&mut self) -> Result<(), StateError> {
        if self.listings.is_reading_again && self.queue.is_empty() {
            self.state.put_note(KINDS_READ, &READS)?;
            self.listings.is_reading_again = false;
        }
        Ok(())
    }

    /// Has the loop continue with `event` after what waits already.
    pub(super) fn continue_with(&self, event: Event) {
        self.jobs.spawn_for_event(Box::new(move || event));
    }
}

fn passed_on(short: &str) -> String {
    format!("passed on {short}")
}

impl StartLook {
    fn run(&self) -> (VecDeque<VaultPath>, Started) {
        let own = self.context.short.clone();
        let (lost, restored) = restore_lost(&self.context.vault, &own);
        let mut started = Started {
            restored: (self.restored.0 + lost, self.restored.1 + restored),
            once: self.once.clone(),
            ..Started::default()
        };
        let read = State::beside(&self.state).and_then(|state| {
            let known = (state.segments()?, Known::of(state.seen()?));
            self.look_through(&state, &mut started)?;
            Ok(known)
        });
        // What is not known counts as changed.
        let (segments, mut known) = read.unwrap_or_else(|error| {
            // Asked again at the next start.
            started.once = Once::default();
            started.error = Some(error);
            Default::default()
        });
        let mut journals = VecDeque::new();
        vault_walk::each_dir(&self.context.vault, &Lanes::All, |dir: WalkedDir<'_>| {
            dir.changed(&segments, &mut journals);
            known.found(&dir);
        });
        started.seen = known.unchanged();
        (journals, started)
    }

    /// Finds the sessions that have to be reconciled once, and those that an end of the engine may
    /// have interrupted.
    fn look_through(&self, state: &State, started: &mut Started) -> Result<(), StateError> {
        // The engine may have ended before a branch became a fork or a decision was followed.
        let split = state.with_split()?;
        started.due.extend(split.into_iter().map(|(key, _)| key));
        let once = &self.once;
        let reads_records = once.outdated || !once.former.is_empty();
        if !self.wants_last && !reads_records && !once.origins && !once.placed {
            return Ok(());
        }
        let mut last: BTreeMap<String, SessionKey> = BTreeMap::new();
        let mut left: BTreeMap<&str, bool> = BTreeMap::new();
        for short in &once.former {
            left.insert(short, false);
        }
        for (key, row) in state.rows(None)? {
            // Newest first.
            if self.wants_last {
                let project = repository(&row.project).to_owned();
                last.entry(project).or_insert_with(|| key.clone());
            }
            let mut is_due = once.origins && is_of_unknown_origin(&row)
                || once.placed && self.may_be_misplaced(&row);
            if once.outdated {
                is_due |= state
                    .record::<Read>(&key)?
                    .is_some_and(|read| read.is_outdated());
            }
            if !once.former.is_empty() {
                let record: SessionRecord = state.record(&key)?.unwrap_or_default();
                for (short, left) in &mut left {
                    let has_more = is_left(&record, short);
                    *left |= has_more;
                    is_due |= has_more;
                }
            }
            if is_due {
                started.due.push_back(key);
            }
        }
        started.last = last.into_values().collect();
        let done = left.into_iter().filter(|(_, left)| !left);
        started.passed_on = done.map(|(short, _)| short.to_owned()).collect();
        Ok(())
    }

    fn may_be_misplaced(&self, row: &Row) -> bool {
        row.path.is_some() && row.devices != [self.context.short.as_str()]
    }
}

fn is_of_unknown_origin(row: &Row) -> bool {
    1 < row.devices.len() || !is_repository(&ProjectKey::new(row.project.as_str()))
}

/// Whether something that was written under a former identity is not republished yet.
fn is_left(record: &SessionRecord, short: &str) -> bool {
    let mut journals = record.journals.iter();
    journals.any(|(name, journal)| journal.device == short && !record.republished.contains(name))
}

/// The part of a session's record that says how its journals were read.
#[derive(Deserialize)]
struct Read {
    journals: BTreeMap<String, ReadBy>,
}

#[derive(Deserialize)]
struct ReadBy {
    #[serde(default)]
    reads: u32,
}

impl Read {
    fn is_outdated(&self) -> bool {
        self.journals.values().any(|journal| journal.reads < READS)
    }
}
