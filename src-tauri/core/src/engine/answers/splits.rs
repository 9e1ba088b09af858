//! Answers about splits: which there are, what was decided last, how two branches compare.

use super::*;
use crate::session::{ProblemCode, Remedy};

impl Engine {
    pub(super) fn splits(&self) -> Result<Work, ApiError> {
        let open = self
            .state
            .with_split()?
            .into_iter()
            .filter(|(_, row)| row.split != SplitState::Decided);
        let sessions: Vec<_> = open
            .map(|(key, row)| {
                let record = self.state.record(&key)?.unwrap_or_default();
                let family = self.family(&key.tool, &record)?;
                Ok((key, row, record, family))
            })
            .collect::<Result<_, StateError>>()?;
        let context = self.context.clone();
        Ok(Box::new(move || {
            let rows = sessions
                .into_iter()
                .filter_map(|(key, row, record, family)| {
                    let compare =
                        compare::Compare::new(&context, key, row, record, family).transpose()?;
                    match compare {
                        Ok(compare) if compare.is_rewrite() => None,
                        compare => Some(compare.and_then(|compare| compare.row())),
                    }
                });
            value(rows.collect::<Result<Vec<SplitRow>, ApiError>>()?)
        }))
    }

    pub(super) fn resolve(
        &self,
        text: &str,
        choice: &str,
        [branch, beside]: [Option<String>; 2],
        active: Option<Side>,
    ) -> Result<(SessionKey, Decision), ApiError> {
        let (key, ..) = self.find(text)?;
        let Some(action) = Action::CHOICES
            .into_iter()
            .find(|action| action.as_str() == choice)
        else {
            let known = Action::CHOICES.map(Action::as_str).join(", ");
            return Err(ApiError::new(
                ProblemCode::UnknownChoice,
                format!("There is no choice “{choice}”."),
                format!("One of: {known}."),
            ));
        };
        Ok((
            key,
            Decision::Choose {
                action,
                branch,
                beside,
                active: active.unwrap_or(Side::Right),
            },
        ))
    }

    /// The session whose decision is to be undone.
    pub(super) fn undo(&self, text: Option<&str>) -> Result<SessionKey, ApiError> {
        if let Some(text) = text {
            let (key, _, record) = self.find(text)?;
            // A decision about the parent puts a fork away.
            let now = record
                .main()
                .and_then(|main| Decided::of(&record.choices, main).choice());
            let follows = now.is_some_and(|choice| choice.follows.is_some());
            let parent = record
                .origin()
                .and_then(|card| card.fork.as_ref())
                .filter(|_| follows);
            return Ok(parent.map_or(key.clone(), |fork| {
                SessionKey::new(&key.tool, &fork.session)
            }));
        }
        let none = || {
            ApiError::new(
                ProblemCode::NothingToUndo,
                "There is no decision to undo.",
                "",
            )
            .offer(Remedy::OpenSplits)
        };
        Ok(self.last_decision()?.ok_or_else(none)?.1)
    }

    /// What `undo` would undo.
    pub(super) fn undoable(&self, text: Option<&str>) -> Result<Option<Undoable>, ApiError> {
        if let Some(applied) = self.code_to_undo(text) {
            return Ok(Some(Undoable {
                kind: UndoKind::Code,
                session: applied.session.to_string(),
                title: applied.title,
                choice: None,
                device: Some(applied.device),
            }));
        }
        let last = self.last_decision()?;
        if text.is_none() && self.is_cut_last()? {
            let revoked = self.last_cut().and_then(|(_, device)| {
                let revoked = self.lists.now.revoked.get(&device)?;
                Some(self.name_of_revoked(&device, revoked))
            });
            return Ok(Some(Undoable {
                kind: UndoKind::Revoked,
                session: String::new(),
                title: String::new(),
                choice: None,
                device: revoked,
            }));
        }
        let before = last.as_ref().map(|(id, _)| id.at);
        if let Some((session, title)) = self.forgotten_to_undo(text, before) {
            return Ok(Some(Undoable {
                kind: UndoKind::Forgotten,
                session,
                title,
                choice: None,
                device: None,
            }));
        }
        let key = match text {
            Some(text) => self.undo(Some(text))?,
            None => match last {
                Some((_, key)) => key,
                None => return Ok(None),
            },
        };
        let record: SessionRecord = self.state.record(&key)?.unwrap_or_default();
        let row = self.state.row(&key)?;
        let (kind, chosen) = match to_undo(&record) {
            Some(ToUndo::Choice(chosen)) => (UndoKind::Choice, Some(chosen)),
            Some(ToUndo::TakenBack(_)) => (UndoKind::TakenBack, None),
            Some(ToUndo::Moved(_)) => (UndoKind::Moved, None),
            None => return Ok(None),
        };
        let choice = chosen.as_ref().map(|chosen| &chosen.choice);
        Ok(Some(Undoable {
            kind,
            session: row
                .as_ref()
                .map(|row| row.session.clone())
                .unwrap_or_default(),
            title: row.map(|row| row.title).unwrap_or_default(),
            choice: choice.map(|choice| choice.action),
            device: choice.and_then(|choice| kept_device(&record, choice)),
        }))
    }

    pub(in crate::engine) fn last_decision(
        &self,
    ) -> Result<Option<(ChoiceId, SessionKey)>, StateError> {
        let mut last: Option<(ChoiceId, SessionKey)> = None;
        for (key, _) in self.state.with_split()? {
            let record: SessionRecord = self.state.record(&key)?.unwrap_or_default();
            let own = record
                .docs
                .keys()
                .filter_map(|doc| Decided::of(&record.choices, doc).now);
            let own = own
                .filter(|chosen| chosen.choice.follows.is_none())
                .map(|chosen| chosen.id.clone())
                .max();
            let followed = record.withdrawals.last().map(|back| ChoiceId {
                at: back.at,
                device: self.context.short.clone(),
            });
            last = last.max(own.max(followed).map(|id| (id, key)));
        }
        Ok(last)
    }

    /// Whether this device's last revocation that took lines out came after the last decision about
    /// a split.
    pub(super) fn is_cut_last(&self) -> Result<bool, StateError> {
        let decided = self.last_decision()?.map(|(id, _)| id.at);
        Ok(self
            .last_cut()
            .is_some_and(|(at, _)| decided.is_none_or(|decided| decided < at)))
    }

    pub(super) fn compare(
        &self,
        text: &str,
    ) -> Result<
        (
            SessionKey,
            Row,
            SessionRecord,
            BTreeMap<SessionId, SessionRecord>,
        ),
        ApiError,
    > {
        let (key, row, record) = self.find(text)?;
        let family = self.family(&key.tool, &record)?;
        Ok((key, row, record, family))
    }

    /// Queries the comparison of a session's branches, beside the loop.
    pub(super) fn compared<T: serde::Serialize>(
        &self,
        text: &str,
        ask: impl FnOnce(&compare::Compare<'_>) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<Work, ApiError> {
        let (context, (key, row, record, family)) = (self.context.clone(), self.compare(text)?);
        let no_split = no_split(&record);
        Ok(Box::new(move || {
            let compare =
                compare::Compare::new(&context, key, row, record, family)?.ok_or(no_split)?;
            value(ask(&compare)?)
        }))
    }

    pub(super) fn diff_common(
        &self,
        text: &str,
        wanted: compare::Wanted,
        from: u64,
        rows: u64,
    ) -> Result<Work, ApiError> {
        let (key, _, record) = self.find(text)?;
        let names = self.names(&key, &record)?;
        self.compared(text, move |compare| {
            compare.common(&wanted, from, rows, &names())
        })
    }
}
