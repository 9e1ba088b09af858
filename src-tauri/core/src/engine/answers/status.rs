//! The answer to `status`: what the engine does, and what waits for whom.

use super::*;
use crate::engine::importing::Importing;
use crate::state::StateCount;

/// Some sessions in one state, and how many there are.
type Newest = (Vec<(SessionKey, Row)>, Vec<StateCount>);

/// The most sessions in one state that a status lists.
const MOST_LISTED: usize = 100;

impl Engine {
    pub(super) fn status(&self) -> Result<Status, ApiError> {
        let (waits, counts) = self.newest_in(SessionState::Waiting)?;
        let (stopped, stopped_counts) = self.newest_in(SessionState::Held)?;
        let importing = self.queue.importing();
        let engine = match (self.is_stopping, self.context.shared().paused, importing) {
            (true, _, _) => EngineState::Stopping,
            (_, true, _) => EngineState::Paused,
            (_, _, true) => EngineState::Importing,
            _ => EngineState::Running,
        };
        let mut held: Vec<Held> = self.held.values().cloned().collect();
        held.extend(
            stopped
                .iter()
                .filter_map(|(_, row)| Some((row, held_by(row)?)))
                .map(|(row, code)| Held {
                    what: format!("session:{}", row.session),
                    code,
                    message: format!("“{}”: {}", row.title, row.why),
                    hint: row.hint.clone(),
                    actions: crate::engine::remedies::of_hold(
                        code,
                        &format!("session:{}", row.session),
                        None,
                    ),
                }),
        );
        let of = |counts: &[StateCount], reason: Reason| {
            let counts = counts.iter().filter(|count| count.reason == Some(reason));
            counts.map(|count| count.sessions).sum::<u64>()
        };
        let rewritten = of(&stopped_counts, Reason::Rewritten) + of(&counts, Reason::TakenBack);
        if rewritten > self.settings.guard.max_rewritten as u64 {
            held.push(Held {
                what: "rewritten".into(),
                code: HoldReason::MassChange,
                message: format!("{rewritten} sessions were rewritten or shortened on other devices at once. Nothing of it is written here."),
                hint: "Check the other device first.".into(), actions: crate::engine::remedies::of_hold(HoldReason::MassChange, "rewritten", None),
            });
        }
        Ok(Status {
            engine,
            paused_until: self.paused_until.map(Millis::rfc3339),
            syncthing: self.syncthing.clone(),
            moving: Moving {
                import_done: if importing { self.import.done } else { 0 },
                import_total: if importing { self.import.total } else { 0 },
                import_bytes: if importing { self.import.bytes } else { 0 },
                queued: (self.queue.len() + self.listings.n_first()) as u64,
                out_bytes: self
                    .peer_state
                    .peers
                    .iter()
                    .filter(|peer| peer.connected)
                    .map(|peer| peer.need_bytes)
                    .sum(),
                in_bytes: self.incoming,
            },
            waiting: waits.iter().map(waiting).collect(),
            waiting_counts: counts
                .into_iter()
                .map(|count| WaitingCount {
                    code: count.reason,
                    tool: count.tool.to_string(),
                    sessions: count.sessions,
                })
                .collect(),
            held,
            splits: self.state.open_splits()?,
            live: self.live_sessions(),
            problems: self.problems(),
            sessions: self.listed_sessions()?,
            device: self.name.clone(),
            paired: self.lists.now.approved.len() as u64,
            connected: self
                .peer_state
                .peers
                .iter()
                .filter(|peer| peer.connected)
                .count() as u64,
            cycle_ms: self.cycle_ms.ceil() as u64,
            happenings: self.state.happenings()?,
            conversation_import: self.importing.as_ref().map(Importing::shown),
            code_question: self.code_question(),
            asking: self.peer_state.asking.len() as u64 + self.peer_state.more_asking,
        })
    }

    /// How many sessions the list has.
    fn listed_sessions(&self) -> Result<u64, ApiError> {
        let in_no_list = self.state.nameless()? + self.state.parts()?.len() as u64;
        Ok(self.state.count()?.saturating_sub(in_no_list))
    }

    /// The newest sessions in a state, some for each reason, and how many there are. A status is
    /// asked for all the time, so its cost does not depend on that number.
    fn newest_in(&self, state: SessionState) -> Result<Newest, ApiError> {
        let counts = self.state.counts(state)?;
        let mut reasons: Vec<Option<Reason>> = counts.iter().map(|count| count.reason).collect();
        reasons.sort_by_key(|reason| {
            (
                reason.is_none_or(|reason| !reason.is_ended_by_user()),
                *reason,
            )
        });
        reasons.dedup();
        let mut rows = Vec::new();
        for (at, reason) in reasons.iter().enumerate() {
            let (left, others) = (MOST_LISTED - rows.len(), reasons.len() - at);
            // What one reason leaves is for the next ones.
            let share = u32::try_from(left.div_ceil(others)).unwrap_or(u32::MAX);
            rows.extend(self.state.newest_with(state, *reason, share)?);
        }
        Ok((rows, counts))
    }

    pub(in crate::engine) fn live_sessions(&self) -> Vec<LiveSession> {
        let now = self.context.clock.now();
        let here = self.open_sessions.keys().filter_map(|key| {
            let row = self.state.row(key).ok().flatten()?;
            let (tool, device) = (key.tool.to_string(), self.name.clone());
            Some(LiveSession {
                session: row.session,
                tool,
                title: row.title,
                project: row.project,
                device,
                here: true,
                seen: now.rfc3339(),
            })
        });
        let heard = |short: &String| {
            self.peer_state
                .heard
                .get(short)
                .copied()
                .unwrap_or_default()
        };
        let presences = self.peer_state.presences.iter();
        let presences = presences
            .filter(|(_, presence)| self.lists.now.approved.contains_key(&presence.card.device))
            .map(|(short, presence)| (presence, heard(short)));
        let elsewhere = presences
            .filter(|(_, heard)| self.is_fresh(*heard))
            .flat_map(|(presence, heard)| {
                let is_shown = |open: &&presence::Open| {
                    let key =
                        SessionKey::new(&ToolId::new(&open.tool), &SessionId::new(&open.session));
                    !self.forgetting.hides(&key)
                };
                presence
                    .live
                    .iter()
                    .filter(is_shown)
                    .map(move |open| LiveSession {
                        session: open.session.clone(),
                        tool: open.tool.clone(),
                        title: open.title.clone(),
                        project: open.project.clone(),
                        device: self.context.shared().name_of(&presence.card.device.short()),
                        here: false,
                        seen: heard.rfc3339(),
                    })
            });
        here.chain(elsewhere).collect()
    }

    /// A presence is believed for a limited time only, by this device's clock.
    pub(super) fn is_fresh(&self, heard: Millis) -> bool {
        self.context
            .clock
            .now()
            .0
            .saturating_sub(heard.0)
            .unsigned_abs()
            <= PRESENCE_STALE.as_millis() as u64
    }
}
