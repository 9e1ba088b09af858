//! Requests about forgotten sessions: which go, which devices know, what can be undone.

use super::*;
use crate::api::types::ReceiptState;
use crate::engine::stores::Occasion;
use crate::engine::vault_walk::{Lanes, Since};
use crate::session::{ProblemCode, Remedy};

impl Engine {
    /// The session, the versions of it that became sessions of their own, and the sub-agents of each.
    pub(super) fn forget_group(&self, text: &str) -> Result<Vec<(SessionKey, Row)>, ApiError> {
        let (key, row, record) = self.find(text)?;
        if let Some(parent) = parent_of(&record, &key)
            && let Some(parent) = self.state.row(&parent)?
        {
            let message = format!(
                "“{}” is a version of “{}”, and what was said in it is in the history of that session, too.",
                row.title, parent.title
            );
            let hint = "Forget both together.";
            return Err(ApiError::new(ProblemCode::IsVersion, message, hint).offer(
                Remedy::Forget {
                    session: parent.session,
                },
            ));
        }
        let mut group = vec![(key.clone(), row)];
        let mut records = vec![(key, record)];
        while let Some((key, record)) = records.pop() {
            let family = self.family(&key.tool, &record)?.into_keys();
            let forks = family.map(|session| SessionKey::new(&key.tool, &session));
            let parts = self.state.parts_of(&key)?.into_iter().map(|(part, _)| part);
            for other in forks.chain(parts) {
                let known = group.iter().any(|(known, _)| *known == other);
                if let (false, Some(row)) = (known, self.state.row(&other)?) {
                    group.push((other.clone(), row));
                    let record = self.state.record(&other)?.unwrap_or_default();
                    records.push((other, record));
                }
            }
        }
        self.refuse_needed(&group)?;
        Ok(group)
    }

    /// Another session may open only with this one in the store: both would be lost.
    pub(super) fn refuse_needed(&self, group: &[(SessionKey, Row)]) -> Result<(), ApiError> {
        let Some((_, Row { title, .. })) = group.first() else {
            return Ok(());
        };
        let is_in =
            |session: &SessionId| group.iter().any(|(_, row)| row.session == session.as_str());
        let mut needing: Vec<Row> = Vec::new();
        for (key, of) in group {
            for (other, row) in self.state.depending(&of.session)? {
                let is_known = needing.iter().any(|known| known.session == row.session);
                if other.tool != key.tool || is_known || is_in(&SessionId::new(&row.session)) {
                    continue;
                }
                let record: SessionRecord = self.state.record(&other)?.unwrap_or_default();
                let is_needed = record.origin().is_some_and(|card| {
                    card.requires
                        .iter()
                        .chain(card.base.as_ref().map(|base| &base.session))
                        .any(is_in)
                });
                if is_needed {
                    needing.push(row);
                }
            }
        }
        needing.sort_by_key(|row| std::cmp::Reverse(row.updated));
        let Some(one) = needing.first() else {
            return Ok(());
        };
        let names: Vec<String> = needing
            .iter()
            .map(|row| format!("“{}” ({})", row.title, row.session))
            .collect();
        let message = format!(
            "{} opens only as long as “{title}” is there.",
            names.join(", ")
        );
        let hint = "Forget that session first.";
        Err(
            ApiError::new(ProblemCode::Needed, message, hint).offer(Remedy::Forget {
                session: one.session.clone(),
            }),
        )
    }

    pub(in crate::engine) fn forget_preview(&self, text: &str) -> Answer {
        let group = self.forget_group(text)?;
        let shared = self.context.shared();
        let name = |id: &DeviceId| shared.name_of(&id.short());
        let devices =
            std::iter::once(self.name.clone()).chain(self.lists.now.approved.keys().map(name));
        let sessions = group
            .iter()
            .map(|(key, row)| self.session_row(key, row))
            .collect();
        value(ForgetPreview {
            sessions,
            devices: devices.collect(),
            cannot_be_told: self.cannot_be_told().iter().map(name).collect(),
            minutes: self.settings.guard.forget_after,
        })
    }

    pub(super) fn cannot_be_told(&self) -> BTreeSet<DeviceId> {
        let now = &self.lists.now;
        let away = now
            .revoked
            .keys()
            .chain(&now.unapproved)
            .filter(|id| !now.approved.contains_key(*id));
        away.cloned().collect()
    }

    pub(in crate::engine) fn forget_session(&mut self, text: &str) -> Answer {
        let group = self.forget_group(text)?;
        let at = self.context.clock.now();
        let minutes = i64::try_from(self.settings.guard.forget_after).unwrap_or(i64::MAX);
        let due = Millis(at.0.saturating_add(minutes.saturating_mul(60_000)));
        let sessions = group.iter().map(|(key, row)| AskedSession {
            key: key.clone(),
            session: row.session.clone(),
            title: row.title.clone(),
        });
        self.forgetting.asked.0.push(AskedOnce {
            at,
            due,
            anew: None,
            since: Some(self.context.clock.steady()),
            sessions: sessions.collect(),
        });
        if let Err(error) = self.save_asked() {
            self.forgetting.asked.0.pop();
            self.forgetting.note_asked();
            return Err(error);
        }
        for (key, _) in &group {
            self.hide(key);
            self.happened(HistoryKind::Forgotten, key)?;
        }
        self.publish_presence();
        self.forget_due();
        let keys: BTreeSet<&SessionKey> = group.iter().map(|(key, _)| key).collect();
        value(self.forgotten_rows_of(Some(&keys)))
    }

    /// The request to forget that an undo would withdraw.
    fn forget_to_undo(&self, text: Option<&str>, before: Option<Hlc>) -> Option<usize> {
        let is_it = |asked: &AskedOnce| match text {
            Some(text) => asked
                .sessions
                .iter()
                .any(|asked| !text.is_empty() && asked.session.starts_with(text)),
            None => before.is_none_or(|before| before.wall <= asked.at),
        };
        self.forgetting.asked.0.iter().rposition(is_it)
    }

    /// When the last forget was asked for that an undo would withdraw.
    pub(in crate::engine) fn last_forgotten(&self) -> Option<Millis> {
        self.forgetting.asked.0.iter().map(|asked| asked.at).max()
    }

    /// The id and title of the session whose forgetting an undo would withdraw.
    pub(in crate::engine) fn forgotten_to_undo(
        &self,
        text: Option<&str>,
        before: Option<Hlc>,
    ) -> Option<(String, String)> {
        let asked = &self.forgetting.asked.0[self.forget_to_undo(text, before)?];
        let first = asked.sessions.first()?;
        Some((first.session.clone(), first.title.clone()))
    }

    /// Undoes the last forget, or that of a session, before any device knows; `None` if there is
    /// none.
    pub(in crate::engine) fn undo_forget(
        &mut self,
        text: Option<&str>,
        before: Option<Hlc>,
    ) -> Result<Option<String>, ApiError> {
        let Some(at) = self.forget_to_undo(text, before) else {
            return Ok(None);
        };
        let taken = self.forgetting.asked.0.remove(at);
        if let Err(error) = self.save_asked() {
            self.forgetting.asked.0.insert(at, taken);
            self.forgetting.note_asked();
            return Err(error);
        }
        for asked in &taken.sessions {
            self.state.show(&asked.key)?;
            if self
                .state
                .row(&asked.key)?
                .is_some_and(|row| row.path.is_some() && !row.is_unfinished())
            {
                let session = SessionId::new(&asked.session);
                self.note_here(&asked.key, Some(&session), true);
            }
            self.schedule(asked.key.clone(), ReconcileRequest::default());
            self.happened(HistoryKind::Undo, &asked.key)?;
        }
        // Picks up what arrived or was written meanwhile.
        self.walk_vault(Lanes::All, Since::LastRead);
        self.list_all(Occasion::Change);
        let title = taken
            .sessions
            .first()
            .map(|asked| asked.title.clone())
            .unwrap_or_default();
        Ok(Some(format!(
            "“{title}” is no longer forgotten. Nothing was removed from any device."
        )))
    }

    pub(in crate::engine) fn forgotten(&self) -> Answer {
        value(self.forgotten_rows())
    }

    pub(super) fn forgotten_rows(&self) -> Vec<ForgottenRow> {
        self.forgotten_rows_of(None)
    }

    /// The rows of these sessions, or of all.
    fn forgotten_rows_of(&self, only: Option<&BTreeSet<&SessionKey>>) -> Vec<ForgottenRow> {
        let mut rows: Vec<(Millis, ForgottenRow)> = Vec::new();
        let is_wanted = |key: &SessionKey| only.is_none_or(|only| only.contains(key));
        for asked in &self.forgetting.asked.0 {
            let sessions = { asked.sessions.iter() }.filter(|session| is_wanted(&session.key));
            rows.extend(sessions.map(|session| (asked.at, self.asked_row(asked, session))));
        }
        let all = &self.lists.now.forgotten;
        let stated: Vec<_> = match only {
            Some(only) => { only.iter() }
                .filter_map(|key| all.get_key_value(*key))
                .collect(),
            None => all.iter().collect(),
        };
        for (key, forgotten) in stated {
            let first = forgotten
                .by
                .values()
                .chain(forgotten.receipts.values().map(|receipt| &receipt.at))
                .min();
            let at = first.map(|at| at.wall).unwrap_or_default();
            let by = forgotten
                .by
                .keys()
                .map(|id| self.context.shared().name_of(&id.short()))
                .collect();
            rows.push((
                at,
                ForgottenRow {
                    key: key.to_string(),
                    tool: key.tool.to_string(),
                    by,
                    at: at.rfc3339(),
                    held: self.forgetting.held.contains(key),
                    receipts: self.receipt_rows(key, &forgotten.receipts),
                    ..ForgottenRow::default()
                },
            ));
        }
        rows.sort_by(|one, other| (other.0, &one.1.key).cmp(&(one.0, &other.1.key)));
        rows.dedup_by(|one, other| one.1.key == other.1.key);
        rows.into_iter().map(|(_, row)| row).collect()
    }

    pub(super) fn asked_row(&self, asked: &AskedOnce, session: &AskedSession) -> ForgottenRow {
        ForgottenRow {
            key: session.key.to_string(),
            tool: session.key.tool.to_string(),
            session: Some(session.session.clone()),
            title: Some(session.title.clone()),
            by: vec![self.name.clone()],
            at: asked.at.rfc3339(),
            undo_until: Some(self.undo_until(asked).rfc3339()),
            ..ForgottenRow::default()
        }
    }

    fn undo_until(&self, asked: &AskedOnce) -> Millis {
        let clock = &self.context.clock;
        let rest = asked.rest(clock.steady()).as_millis() as i64;
        asked.due.max(Millis(clock.now().0.saturating_add(rest)))
    }

    pub(super) fn receipt_rows(
        &self,
        key: &SessionKey,
        receipts: &BTreeMap<DeviceId, Receipt>,
    ) -> Vec<ReceiptRow> {
        let own = &self.context.device;
        let approved = self.lists.now.approved.keys().cloned();
        let mut devices: BTreeSet<DeviceId> = approved.chain(receipts.keys().cloned()).collect();
        devices.remove(own);
        let mut rows = vec![self.receipt_row(key, own, receipts.get(own))];
        rows.extend(
            devices
                .iter()
                .map(|id| self.receipt_row(key, id, receipts.get(id))),
        );
        let away = self
            .cannot_be_told()
            .into_iter()
            .filter(|id| !receipts.contains_key(id));
        rows.extend(away.map(|id| ReceiptRow {
            device: self.context.shared().name_of(&id.short()),
            state: ReceiptState::CannotBeTold,
            why: Some(
                "It is not approved here any more. What it has of this session stays there.".into(),
            ),
            at: None,
        }));
        rows
    }

    pub(super) fn receipt_row(
        &self,
        key: &SessionKey,
        id: &DeviceId,
        receipt: Option<&Receipt>,
    ) -> ReceiptRow {
        let here = *id == self.context.device;
        let (state, why) = match receipt {
            None if here && self.forgetting.held.contains(key) => (ReceiptState::Held, None),
            None if here => (ReceiptState::Removing, None),
            None => (
                ReceiptState::Waiting,
                Some("It has not received this yet.".to_owned()),
            ),
            Some(Receipt { left: None, .. }) => (ReceiptState::Removed, None),
            Some(Receipt {
                left: Some(left), ..
            }) => {
                let own = self.forgetting.left.get(key).filter(|_| here).cloned();
                (
                    ReceiptState::InStore,
                    Some(own.map_or_else(
                        || left_words(*left),
                        |why| format!("{why} {}", left_words(*left)),
                    )),
                )
            }
        };
        ReceiptRow {
            device: if here {
                self.name.clone()
            } else {
                self.context.shared().name_of(&id.short())
            },
            state,
            why,
            at: receipt.map(|receipt| receipt.at.wall.rfc3339()),
        }
    }
}
