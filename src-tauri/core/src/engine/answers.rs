//! Every command and its answer. The loop gives short answers; those that read whole sessions run
//! beside it.

mod imports;
mod splits;
mod status;
mod tools;

use super::Engine;
use super::event::Event;
use super::network::PRESENCE_STALE;
use super::queue::ReconcileRequest;
use super::stores::Occasion;
use crate::api::answer::{Answer, Reply, Work, done, is_listed, settings_error, value};
use crate::api::types::*;
use crate::api::types::{EngineState, HoldReason, SegmentState, StepKind};
use crate::merge::{Action, ChoiceId, Decided, Obstacle, Step, Verdict};
use crate::reconcile::choices::no_split;
use crate::reconcile::context::Shared;
use crate::reconcile::record::SessionRecord;
use crate::reconcile::resolve::{Decision, ToUndo, kept_device, to_undo};
use crate::reconcile::session::Session;
use crate::reconcile::{Job, reconcile};
use crate::session::{
    Millis, Problem, ProblemCode, Reason, Remedy, SessionId, SessionKey, SessionState, SplitState,
    Tier, ToolId,
};
use crate::state::{Row, State, StateError};
use crate::syncthing::pairing;
use crate::timing;
use crate::vault::presence;
use crate::views::export::Wanted;
use crate::views::transcript::authors::{self, Parent};
use crate::views::transcript::{Before, Names};
use crate::views::{compare, doctor, export};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::ControlFlow;
use std::path::PathBuf;

/// Why a session is held until the user releases it.
pub(super) const HELD: [(Reason, HoldReason); 2] = [
    (Reason::Rewritten, HoldReason::Rewritten),
    (Reason::Steered, HoldReason::Steered),
];

/// What `roam release` lets go of a session that is held, if that is up to the user.
pub(super) fn held_by(row: &Row) -> Option<HoldReason> {
    let by = HELD.iter().find(|(reason, _)| row.reason == Some(*reason));
    by.map(|(_, hold)| *hold)
}

impl Engine {
    pub(super) fn answer(&mut self, request: Request, reply: Reply) {
        if request == Request::TakeIn {
            return self.import_copies(reply);
        }
        if Self::is_of_app(&request) {
            return self.answer_app(request, reply);
        }
        if let Request::CodeApply {
            session,
            snapshot,
            stay,
        } = request
        {
            return self.apply_code(&session, snapshot, stay, reply);
        }
        if let Request::Fork {
            session,
            at,
            dir: Some(dir),
        } = request
        {
            return self.fork_in(&session, at, dir, reply);
        }
        if let Request::Undo { session } = &request
            && let Some(applied) = self.code_to_undo(session.as_deref())
        {
            return self.undo_code(applied, reply);
        }
        let request = match request {
            Request::UndoSettingAside { session } => {
                return self.undo_code_aside(&session, reply);
            }
            Request::CodeForget { project } => {
                return self.forget_recorded(project.as_deref(), reply);
            }
            Request::ProjectMap { key, dir } => return self.see_directory(key, dir, reply),
            Request::Unpair { id } => return self.unpair(&id, reply),
            Request::Revoke { id, since, dry } => {
                return self.count_frames(&id, since.as_deref(), dry, reply);
            }
            request => request,
        };
        match self.reply(request) {
            Ok(Later::Now(answer)) => reply(Ok(answer)),
            Ok(Later::Aside(work)) => {
                self.jobs.spawn_for_event(Box::new(move || {
                    reply(work());
                    Event::Answered
                }));
            }
            Ok(Later::Decide(key, decision)) => self.decide(key, decision, reply),
            Err(error) => reply(Err(error)),
        }
    }

    fn reply(&mut self, request: Request) -> Result<Later, ApiError> {
        let answer = match request {
            Request::Status => value(self.status()?),
            Request::Doctor => return self.doctor().map(Later::Aside),
            Request::Timing => value(Timing::of(&timing::figures())),
            Request::TakeIn => unreachable!("answered when all of it is done"),
            Request::ProjectMap { .. }
            | Request::Unpair { .. }
            | Request::Revoke { .. }
            | Request::UndoSettingAside { .. }
            | Request::CodeForget { .. } => {
                unreachable!("answered when the disk has answered")
            }
            Request::Device => value(self.device()?),
            Request::Devices => value(self.devices()),
            Request::ReadCode { code } => self.read_code(&code),
            Request::Pair { code } => self.pair(&code),
            Request::Accept { id, digits } => self.accept(&id, digits.as_deref()),
            Request::Dismiss { id } => self.dismiss(&id),
            Request::Rename { id, name } => self.rename(id.as_deref(), &name),
            Request::Approve { id } => self.approve(&id),
            Request::Follow { id, on } => self.follow(&id, on),
            Request::Tools => {
                let stores = self.stores();
                return Ok(Later::Aside(Box::new(move || value(stores.rows()))));
            }
            Request::ToolSwitch { tool, on } => self.switch(&tool, on),
            Request::StoreSwitch { tool, dir, on } => self.switch_store(&tool, &dir, on),
            Request::StoresSaid { vars } => self.said_stores(&vars),
            Request::Projects => return Ok(Later::Aside(self.projects())),
            Request::Import { paths } => self.import(paths),
            Request::ImportCancel => self.cancel_import(),
            Request::ImportDismiss => self.dismiss_import(),
            Request::ProjectExclude { key, excluded } => self.exclude(&key, excluded),
            Request::CodeStatus => return Ok(Later::Aside(self.code_status())),
            Request::CodeSwitch { project, on } => self.switch_code(project.as_deref(), on),
            Request::CodeOffer { session, at } => {
                return self.code_offer(&session, at).map(Later::Aside);
            }
            Request::CodeDiff {
                session,
                snapshot,
                path,
            } => return self.code_diff(&session, snapshot, path).map(Later::Aside),
            Request::CodeApply { .. } => unreachable!("answered when the session is in its place"),
            Request::Sessions { filter } => return self.sessions(filter).map(Later::Aside),
            Request::Search {
                words,
                limit,
                devices,
            } => {
                return self.search_words(words, limit, devices).map(Later::Aside);
            }
            Request::Show {
                session,
                from,
                rows,
            } => {
                let wanted = rows.map_or(Wanted::All, |rows| Wanted::Page { from, rows });
                return self.show(&session, wanted).map(Later::Aside);
            }
            Request::ShowPart {
                session,
                message,
                part,
            } => {
                return self.show_part(&session, message, part).map(Later::Aside);
            }
            Request::ShowDoc {
                session,
                doc,
                from,
                rows,
            } => return self.show_doc(&session, doc, (from, rows)).map(Later::Aside),
            Request::ShowDocPart {
                session,
                doc,
                message,
                part,
            } => {
                let place = (doc, message, part);
                return self.show_doc_part(&session, place).map(Later::Aside);
            }
            Request::Find { session, text } => {
                return self.find_text(&session, text).map(Later::Aside);
            }
            Request::FilePlace { session, path } => {
                return self.file_place(&session, path).map(Later::Aside);
            }
            Request::Resume { session } => return self.resume(&session).map(Later::Aside),
            Request::Splits => return self.splits().map(Later::Aside),
            Request::Resolve {
                session,
                choice,
                branch,
                beside,
                active,
            } => {
                return self
                    .resolve(&session, &choice, [branch, beside], active)
                    .map(|(key, what)| Later::Decide(key, what));
            }
            Request::Undo { session: None } if self.is_cut_last()? => self.undo_cut(),
            Request::Undo { session } => {
                let last = self.last_decision()?.map(|(id, _)| id.at);
                if let Some(message) = self.undo_forget(session.as_deref(), last)? {
                    return done(message).map(Later::Now);
                }
                return self
                    .undo(session.as_deref())
                    .map(|key| Later::Decide(key, Decision::Undo));
            }
            Request::Undoable { session } => value(self.undoable(session.as_deref())?),
            Request::Diff {
                session,
                branch,
                beside,
                from,
                rows,
                choices,
                bodies,
            } => {
                let (page, wanted) = ((from, rows), compare::Wanted::of(beside, branch));
                let work = self.compared(&session, move |compare| {
                    compare.diff(&wanted, page, choices, bodies)
                });
                return work.map(Later::Aside);
            }
            Request::DiffWords {
                session,
                branch,
                beside,
                row,
            } => {
                let wanted = compare::Wanted::of(beside, branch);
                let work = self.compared(&session, move |compare| compare.words(&wanted, row));
                return work.map(Later::Aside);
            }
            Request::DiffPart {
                session,
                branch,
                beside,
                row,
                side,
                part,
            } => {
                let wanted = compare::Wanted::of(beside, branch);
                let work = self.compared(&session, move |compare| {
                    compare.part(&wanted, row, side, part)
                });
                return work.map(Later::Aside);
            }
            Request::DiffCommon {
                session,
                branch,
                beside,
                from,
                rows,
            } => {
                let wanted = compare::Wanted::of(beside, branch);
                return self
                    .diff_common(&session, wanted, from, rows)
                    .map(Later::Aside);
            }
            Request::DiffCommonPart {
                session,
                branch,
                beside,
                message,
                part,
            } => {
                let wanted = compare::Wanted::of(beside, branch);
                let ask = move |compare: &compare::Compare<'_>| {
                    compare.common_part(&wanted, message, part)
                };
                return self.compared(&session, ask).map(Later::Aside);
            }
            Request::Plan => return self.plan().map(Later::Aside),
            Request::History { session } => self.history(session.as_deref()),
            Request::Export {
                session,
                format,
                dir,
            } => return self.export(&session, format, dir).map(Later::Aside),
            Request::Journal { session } => self.journal(&session),
            Request::Vanished { what } => value(self.held_sessions(&what)?),
            Request::Restore { session } => self.restore(&session),
            Request::Fork { session, at, dir } => {
                return self.fork_at(&session, at, dir).map(Later::Aside);
            }
            Request::RenameSession { session, title } => {
                let (key, ..) = self.find(&session)?;
                return Ok(Later::Decide(key, Decision::Rename { title }));
            }
            Request::ForgetPreview { session } => self.forget_preview(&session),
            Request::Forget { session } => self.forget_session(&session),
            Request::Forgotten => self.forgotten(),
            Request::Release { what } => self.release(&what),
            Request::Preferences => self.preferences(),
            Request::PreferencesSet { preferences } => self.set_preferences(&preferences),
            Request::Network => value(self.network()),
            Request::NetworkSet { network } => self.set_network(network),
            Request::Space => return Ok(Later::Aside(self.space())),
            Request::Pause { until } => self.pause(until.as_deref()),
            Request::Continue => self.go_on(),
            Request::Apps => return self.list_apps().map(Later::Aside),
            Request::AppAllow { app } => self.allow_app(&app),
            Request::AppDeny { app } => self.deny_app(&app),
            Request::AppRemove { app } => self.remove_app(&app),
            Request::AppAppend { .. }
            | Request::AppLoad { .. }
            | Request::AppList { .. }
            | Request::AppDelete { .. }
            | Request::AppSubkeys { .. } => unreachable!("answered beside the loop"),
            Request::Stop => {
                self.is_stopping = true;
                done("Stopping.")
            }
        };
        answer.map(Later::Now)
    }

    fn device(&mut self) -> Result<Device, ApiError> {
        let addresses = self.syncthing.addresses.clone();
        let (key, until) = self
            .secrets
            .shown(self.context.clock.now())
            .map_err(super::attempts::no_randomness)?;
        let code = pairing::Code {
            id: self.context.device.clone(),
            name: self.name.clone(),
            addresses: addresses.clone(),
            key: Some(key),
        };
        Ok(Device {
            id: self.context.device.to_string(),
            name: self.name.clone(),
            code: pairing::render(&code),
            code_until: until.rfc3339(),
            addresses,
        })
    }

    fn switch(&mut self, tool: &str, on: bool) -> Answer {
        let id = ToolId::new(tool);
        let Some(adapter) = self.context.tools.get(&id).cloned() else {
            let known: Vec<&str> = self.context.tools.keys().map(ToolId::as_str).collect();
            return Err(ApiError::new(
                ProblemCode::UnknownTool,
                format!("There is no tool “{tool}”."),
                format!("One of: {}.", known.join(", ")),
            ));
        };
        self.settings = crate::settings::change(&self.home, |document| {
            document["tools"][tool]["on"] = toml_edit::value(on)
        })
        .map_err(settings_error)?;
        {
            let mut shared = self.context.change();
            if on {
                shared.tools_off.remove(&id)
            } else {
                shared.tools_off.insert(id.clone())
            };
        }
        self.arrange();
        self.watch_others();
        if on {
            self.seen.forget_tool(&id);
            self.list_all(Occasion::Change);
            self.retry(&id, Reason::ToolOff);
        } else {
            self.open_sessions.retain(|key, _| key.tool != id);
            self.publish_presence();
        }
        let name = adapter.about().name;
        done(if on {
            format!("Sessions of {name} sync.")
        } else {
            format!(
                "Sessions of {name} no longer sync on this device. What is in the vault stays there."
            )
        })
    }

    /// The list is read beside the loop, from the state's file: up to its limit if it has one.
    fn sessions(&self, filter: SessionFilter) -> Result<Work, ApiError> {
        let after = match &filter.after {
            Some(text) => {
                let (key, row, _) = self.find(text)?;
                Some((row.updated, key))
            }
            None => None,
        };
        let (context, path) = (self.context.clone(), self.state.path().to_owned());
        Ok(Box::new(move || {
            let state = State::beside(&path)?;
            let limit = filter.limit.and_then(|limit| usize::try_from(limit).ok());
            let limit = limit.unwrap_or(usize::MAX);
            let parts = state.parts()?;
            let mut listed = Vec::new();
            let mut add = |key: &SessionKey, row: &Row| {
                if limit <= listed.len() {
                    return ControlFlow::Break(());
                }
                let shared = context.shared();
                let is_listed = is_listed(row) && !parts.contains(&key.to_string());
                let row = is_listed.then(|| session_row(&shared, key, row));
                listed.extend(row.filter(|row| fits(&filter, row)));
                ControlFlow::Continue(())
            };
            let rows = match (filter.newest_of_others, &after, filter.limit) {
                (Some(newest), ..) => state.newest_of_others(&context.short, newest)?,
                // Most of the table is read: faster in its own order, and sorted then.
                (None, None, None) => state.rows(filter.tool.as_deref())?,
                (None, after, _) => {
                    let after = after.as_ref().map(|(updated, key)| (*updated, key));
                    state.each_from(after, |key, row| add(&key, &row))?;
                    Vec::new()
                }
            };
            let _ = rows.iter().try_for_each(|(key, row)| add(key, row));
            value(listed)
        }))
    }

    pub(super) fn session_row(&self, key: &SessionKey, row: &Row) -> SessionRow {
        session_row(&self.context.shared(), key, row)
    }

    /// The one session whose id starts with this text; if there is none, the one with this title, or
    /// with the text in its title.
    pub(super) fn find(&self, text: &str) -> Result<(SessionKey, Row, SessionRecord), ApiError> {
        let mut found = match text.is_empty() {
            true => Vec::new(),
            false => self.state.find(text)?,
        };
        let is_id = !found.is_empty();
        if !is_id && !text.trim().is_empty() {
            found = self.state.titled(text.trim(), SIMILAR + 1)?;
        }
        let mut exact = found.iter().filter(|(_, row)| match is_id {
            true => row.session == text,
            false => row.title.to_lowercase() == text.trim().to_lowercase(),
        });
        let one = match (exact.next(), found.as_slice()) {
            (Some(one), _) if exact.next().is_none() => one,
            (None, [one]) => one,
            (_, []) => {
                let message = format!("No session is called “{text}”.");
                let error = ApiError::new(ProblemCode::UnknownSession, message, "");
                return Err(error.offer(Remedy::OpenSessions));
            }
            _ => return Err(ambiguous(text, &found, is_id)),
        };
        let record = self.state.record(&one.0)?.unwrap_or_default();
        Ok((one.0.clone(), one.1.clone(), record))
    }

    fn show(&self, text: &str, wanted: Wanted) -> Result<Work, ApiError> {
        let (key, row, record) = self.find(text)?;
        let (context, shown) = (self.context.clone(), self.session_row(&key, &row));
        let names = self.names(&key, &record)?;
        let parts = self.state.parts_of(&key)?;
        Ok(Box::new(move || {
            let session = Session::new(&context, &key, &record);
            let mut shown = export::show(session, shown, &names(), wanted)?;
            let shared = context.shared();
            let rows = parts
                .iter()
                .map(|(key, row)| session_row(&shared, key, row));
            shown.parts = rows.collect();
            value(shown)
        }))
    }

    /// The devices of a session by short id, and who wrote what it has from its parent: finding
    /// that reads journals, so it runs beside the loop.
    fn names(
        &self,
        key: &SessionKey,
        record: &SessionRecord,
    ) -> Result<impl FnOnce() -> Names + Send + use<>, ApiError> {
        let parent = Parent::of((key, record), |parent| self.state.record(parent))?;
        let forks = self.joined_forks(key, record)?;
        let joined = match authors::joined(record).is_empty() {
            true => None,
            false => Some((key.clone(), record.clone())),
        };
        let others = { forks.iter() }.map(|(_, record)| record);
        let devices = others
            .chain(parent.record())
            .chain([record])
            .flat_map(SessionRecord::devices);
        let devices: BTreeSet<String> = devices.map(str::to_owned).collect();
        let context = self.context.clone();
        Ok(move || {
            let before = parent.before(&context);
            let copied = joined.map_or_else(HashMap::new, |(key, record)| {
                authors::copied(&context, (&key, &record), &forks)
            });
            let shared = context.shared();
            Names {
                names: devices
                    .into_iter()
                    .map(|short| (short.clone(), shared.name_of(&short)))
                    .collect(),
                before,
                copied,
            }
        })
    }

    /// The branches that became sessions of their own and that a decision took back into this one;
    /// none where no decision joined branches.
    pub(super) fn joined_forks(
        &self,
        key: &SessionKey,
        record: &SessionRecord,
    ) -> Result<Vec<(SessionKey, SessionRecord)>, StateError> {
        let mut forks = Vec::new();
        if authors::joined(record).is_empty() {
            return Ok(forks);
        }
        let named = record.choices.iter().flat_map(|one| &one.choice.forks);
        for fork in named.collect::<BTreeSet<_>>() {
            let key = SessionKey::new(&key.tool, fork);
            forks.extend(self.state.record(&key)?.map(|record| (key, record)));
        }
        Ok(forks)
    }

    fn show_part(&self, text: &str, message: u64, part: u64) -> Result<Work, ApiError> {
        let (key, _, record) = self.find(text)?;
        let context = self.context.clone();
        Ok(Box::new(move || {
            value(export::part(
                Session::new(&context, &key, &record),
                message,
                part,
            )?)
        }))
    }

    fn show_doc(&self, text: &str, doc: String, page: (u64, u64)) -> Result<Work, ApiError> {
        let (key, _, record) = self.find(text)?;
        let (context, names) = (self.context.clone(), self.device_names(&record));
        Ok(Box::new(move || {
            let wanted = (doc.as_str(), page.0, page.1);
            let session = Session::new(&context, &key, &record);
            value(export::doc_page(session, &names, wanted)?)
        }))
    }

    fn show_doc_part(
        &self,
        text: &str,
        (doc, message, part): (String, u64, u64),
    ) -> Result<Work, ApiError> {
        let (key, _, record) = self.find(text)?;
        let context = self.context.clone();
        Ok(Box::new(move || {
            let place = (doc.as_str(), message, part);
            let session = Session::new(&context, &key, &record);
            value(export::doc_part(session, place)?)
        }))
    }

    /// The devices that added to a session, by short id.
    fn device_names(&self, record: &SessionRecord) -> Names {
        let shared = self.context.shared();
        let name = |short: &str| (short.to_owned(), shared.name_of(short));
        Names {
            names: record.devices().into_iter().map(name).collect(),
            before: Before::Nothing,
            copied: HashMap::new(),
        }
    }

    fn find_text(&self, session: &str, text: String) -> Result<Work, ApiError> {
        let (key, _, record) = self.find(session)?;
        let context = self.context.clone();
        Ok(Box::new(move || {
            value(export::find(Session::new(&context, &key, &record), &text)?)
        }))
    }

    fn export(
        &self,
        text: &str,
        format: ExportFormat,
        dir: Option<PathBuf>,
    ) -> Result<Work, ApiError> {
        let (key, row, record) = self.find(text)?;
        let (context, shown, names) = (
            self.context.clone(),
            self.session_row(&key, &row),
            self.names(&key, &record)?,
        );
        let export = move || {
            export::export(
                Session::new(&context, &key, &record),
                shown,
                &names(),
                (format, dir.as_deref()),
            )
        };
        Ok(Box::new(move || value(export()?)))
    }

    /// What would be written, session by session: reconciles without writing.
    fn plan(&mut self) -> Result<Work, ApiError> {
        let mut jobs: Vec<Job> = Vec::new();
        for (key, row) in self.state.rows(None)? {
            if row.state != SessionState::Here && row.reason != Some(Reason::DeletedHere) {
                jobs.push(self.job(&key, &mut ReconcileRequest::default(), true)?);
            }
        }
        let context = self.context.clone();
        Ok(Box::new(move || {
            let rows: Vec<StepRow> = jobs
                .into_iter()
                .flat_map(|job| steps_of(&reconcile(&context, job)))
                .collect();
            value(rows)
        }))
    }

    fn history(&self, session: Option<&str>) -> Answer {
        let key = session
            .map(|text| self.find(text))
            .transpose()?
            .map(|(key, ..)| key.to_string());
        let shared = self.context.shared();
        let rows = self
            .state
            .history(key.as_deref(), 500)?
            .into_iter()
            .map(|happening| HistoryRow {
                at: happening.at.rfc3339(),
                device: shared.name_of(&happening.device),
                what: happening.kind,
                title: happening.title,
                session: happening.session,
                tool: happening.tool,
                doc: happening.doc,
                bytes: happening.bytes,
                lines: if happening.kind.counts_files() {
                    0
                } else {
                    happening.lines
                },
                files: if happening.kind.counts_files() {
                    happening.lines
                } else {
                    0
                },
            });
        value(rows.collect::<Vec<_>>())
    }

    fn journal(&self, text: &str) -> Answer {
        let (_, _, record) = self.find(text)?;
        let shared = self.context.shared();
        let mut rows = Vec::new();
        for journal in record.journals.values() {
            let lines: u64 = record
                .docs
                .values()
                .flat_map(|doc| doc.trie.edges())
                .filter(|edge| {
                    edge.source.device == journal.device && edge.source.lane == journal.lane
                })
                .map(|edge| edge.lines)
                .sum();
            for segment in &journal.segments {
                let path = self.context.vault.file(&format!(
                    "{}/{}",
                    journal.dir,
                    crate::vault::segment_name(segment.number)
                ));
                let size = std::fs::metadata(&path).map(|meta| meta.len()).unwrap_or(0);
                let state = match &journal.fault {
                    Some(_) => SegmentState::Quarantined,
                    None if size == segment.bytes => SegmentState::Whole,
                    None => SegmentState::Torn,
                };
                rows.push(SegmentRow {
                    device: shared.name_of(&journal.device),
                    lane: journal.lane.as_str().into(),
                    path,
                    bytes: segment.bytes,
                    frames: journal.frames,
                    lines,
                    state,
                });
            }
        }
        value(rows)
    }

    fn doctor(&self) -> Result<Work, ApiError> {
        let (status, stores) = (self.status()?, self.stores());
        let gone = self.forgetting.gone.clone();
        let path = self.state.path().to_owned();
        let devices: BTreeSet<String> = self
            .registry
            .paired
            .iter()
            .map(|paired| paired.name.clone())
            .collect();
        Ok(Box::new(move || {
            let mut not_carried = Vec::new();
            State::beside(&path)?.each_from(None, |key, row| {
                // The check of the stores explains an unfinished file.
                if !is_carried(&row) && !row.is_unfinished() {
                    not_carried.push(waiting(&(key, row)));
                }
                ControlFlow::Continue(())
            })?;
            value(doctor::doctor(
                &stores.context,
                &status,
                stores.rows(),
                not_carried,
                &devices,
                &stores.forgotten(&gone),
            ))
        }))
    }

    /// The problems, each once: a store and a session in it may report the same.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems: Vec<Problem> = Vec::new();
        for problem in self.problems.values() {
            if !problems.contains(problem) {
                problems.push(problem.clone());
            }
        }
        problems
    }
}

/// An immediate answer, or the work that finds it.
enum Later {
    Now(Value),
    Aside(Work),
    /// The session's next reconcile answers.
    Decide(SessionKey, Decision),
}

/// Whether all of the session is in the store here; a split one, if both branches are sessions
/// there.
fn is_carried(row: &Row) -> bool {
    row.state == SessionState::Here
        || (row.state == SessionState::Split && row.split == SplitState::Open(Tier::B))
}

fn session_row(shared: &Shared, key: &SessionKey, row: &Row) -> SessionRow {
    let devices = row.devices.iter().map(String::as_str);
    SessionRow {
        session: row.session.clone(),
        tool: key.tool.to_string(),
        project: row.project.clone(),
        title: row.title.clone(),
        updated: row.updated.rfc3339(),
        bytes: row.bytes,
        devices: devices.map(|short| shared.name_of(short)).collect(),
        state: row.state,
        path: row.path.clone(),
        why: (!row.why.is_empty()).then(|| row.why.clone()),
    }
}

fn fits(filter: &SessionFilter, row: &SessionRow) -> bool {
    let tool = filter.tool.as_ref().is_none_or(|tool| row.tool == *tool);
    let project = filter
        .project
        .as_ref()
        .is_none_or(|project| row.project.contains(project.as_str()));
    let is_it = |device: &String| {
        row.devices
            .iter()
            .any(|name| name.eq_ignore_ascii_case(device))
    };
    tool && project && filter.device.as_ref().is_none_or(is_it)
}

fn waiting((key, row): &(SessionKey, Row)) -> Waiting {
    Waiting {
        session: row.session.clone(),
        tool: key.tool.to_string(),
        title: row.title.clone(),
        project: row.project.clone(),
        code: row.reason,
        why: row.why.clone(),
        hint: row.hint.clone(),
        actions: super::remedies::of_row(key, row),
    }
}

fn steps_of(effects: &crate::reconcile::Effects) -> Vec<StepRow> {
    let row = |step: StepKind, what: String, bytes: u64| StepRow {
        session: effects.row.session.clone(),
        tool: effects.key.tool.to_string(),
        title: effects.row.title.clone(),
        step,
        what,
        bytes,
    };
    let describe = |kind: StepKind, steps: &[Step], why: &str| {
        steps
            .iter()
            .map(|step| {
                let size = |tip| {
                    effects
                        .record
                        .docs
                        .get(step.doc())
                        .map_or(0, |state| state.trie.size(tip).1)
                };
                let (verb, bytes) = match step {
                    Step::Create { to, .. } => ("write", size(*to)),
                    Step::Append { from, to, .. } => ("add to", size(*to) - size(*from)),
                    Step::Replace { to, .. } => ("rewrite", size(*to)),
                    Step::Remove { from, .. } => ("take out", size(*from)),
                };
                row(kind, format!("{verb} {}{why}", step.doc()), bytes)
            })
            .collect::<Vec<_>>()
    };
    match &effects.verdict {
        Verdict::Checkout(steps) => describe(StepKind::Checkout, steps, ""),
        Verdict::Waiting(Obstacle { why, steps, .. }) => {
            describe(StepKind::Wait, steps, &format!(": {why}"))
        }
        Verdict::Held(Obstacle { why, steps, .. }) => {
            describe(StepKind::Hold, steps, &format!(": {why}"))
        }
        Verdict::Ask(split) => vec![row(
            StepKind::Split,
            format!("{}: {}", split.doc, split.reason),
            0,
        )],
        Verdict::Here | Verdict::Away | Verdict::Elsewhere { .. } | Verdict::Arriving => Vec::new(),
    }
}

/// Why a tool's sessions are not written here.
fn lowered(unknown: &str) -> String {
    format!(
        "Its store is not read whole: {unknown}. What was read syncs, and nothing is written there until all of it can \
         be read. If this stays, update session-roam."
    )
}

/// The most sessions that are named where a title is meant to be of one.
const SIMILAR: u32 = 5;

fn ambiguous(text: &str, found: &[(SessionKey, Row)], is_id: bool) -> ApiError {
    let (message, hint) = if is_id {
        let message = format!("{} sessions start with “{text}”.", found.len());
        (message, "Give more of the ID.".to_owned())
    } else {
        let named: Vec<String> = { found.iter().take(SIMILAR as usize) }
            .map(|(_, row)| {
                let id: String = row.session.chars().take(8).collect();
                format!("{id} “{}”", row.title)
            })
            .collect();
        let more = match found.len() <= SIMILAR as usize {
            true => "",
            false => ", and more",
        };
        let message = format!(
            "Several sessions are called so: {}{more}.",
            named.join(", ")
        );
        (message, "Give more of the title, or the ID.".to_owned())
    };
    ApiError::new(ProblemCode::AmbiguousSession, message, hint)
}
