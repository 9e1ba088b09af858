//! The sessions as rows: what lists, filters and counts read without a session's record.

use super::{State, StateError, hash_of, statements};
use crate::session::{Millis, Reason, SessionKey, SessionState, SplitState, ToolId};
use rusqlite::{OptionalExtension, params};
use std::ops::ControlFlow;
use std::path::PathBuf;

/// The columns of a session that lists and filters need without reading its record.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    pub session: String,
    pub project: String,
    pub title: String,
    pub updated: Millis,
    pub bytes: u64,
    pub state: SessionState,
    pub reason: Option<Reason>,
    pub why: String,
    pub hint: String,
    pub split: SplitState,
    /// The session that holds this one's beginning: as recorded, as its file here states, and as it
    /// should state; empty if the session stands alone.
    pub needs: Vec<String>,
    /// Short ids of the devices that have a journal of the session.
    pub devices: Vec<String>,
    pub path: Option<PathBuf>,
}

impl Row {
    /// Whether there is nothing of the session but a file here without a complete record.
    pub fn is_unfinished(&self) -> bool {
        self.reason == Some(Reason::Arriving) && self.path.is_some() && self.devices.is_empty()
    }
}

/// How many sessions of a tool are in one state for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateCount {
    pub reason: Option<Reason>,
    pub tool: ToolId,
    pub sessions: u64,
}

impl State {
    /// All sessions, newest first, of one tool or of all.
    pub fn rows(&self, tool: Option<&str>) -> Result<Vec<(SessionKey, Row)>, StateError> {
        match tool {
            Some(tool) => self.select(statements::ROWS_OF_TOOL, [tool]),
            None => self.select(statements::ROWS, []),
        }
    }

    /// Calls `each` with one session after the other, newest first, until it breaks off: from the
    /// beginning, or those that come after a session of this time and key.
    pub fn each_from(
        &self,
        after: Option<(Millis, &SessionKey)>,
        mut each: impl FnMut(SessionKey, Row) -> ControlFlow<()>,
    ) -> Result<(), StateError> {
        let (updated, key) = match after {
            Some((updated, key)) => (updated.0, key.to_string()),
            None => (i64::MAX, String::new()),
        };
        let mut read = || -> rusqlite::Result<()> {
            let mut query = self.db.prepare_cached(statements::PAGE)?;
            let mut rows = query.query(params![updated, key])?;
            while let Some(row) = rows.next()? {
                let (key, row) = read_row(row)?;
                self.count_read(1);
                if each(key, row).is_break() {
                    break;
                }
            }
            Ok(())
        };
        read().map_err(|source| self.error(source))
    }

    /// The newest sessions to which another device than `own` added.
    pub fn newest_of_others(
        &self,
        own: &str,
        limit: u32,
    ) -> Result<Vec<(SessionKey, Row)>, StateError> {
        let mut found = Vec::new();
        // There are few distinct lists of devices, however many sessions there are.
        for devices in self.each_text(statements::NEXT_DEVICES, |last| params_of([last]))? {
            if devices != own {
                found.extend(self.select(statements::NEWEST_OF_DEVICES, params![devices, limit])?);
            }
        }
        found.sort_by(|(key, row), (other_key, other)| {
            other
                .updated
                .cmp(&row.updated)
                .then_with(|| key.to_string().cmp(&other_key.to_string()))
        });
        found.truncate(limit as usize);
        Ok(found)
    }

    /// The sessions of which a device has a journal. The cost depends on the result.
    pub fn of_device(&self, short: &str) -> Result<Vec<(SessionKey, Row)>, StateError> {
        let mut found = Vec::new();
        for devices in self.each_text(statements::NEXT_DEVICES, |last| params_of([last]))? {
            if list(&devices, ',').iter().any(|device| device == short) {
                found.extend(self.select(statements::NEWEST_OF_DEVICES, params![devices, -1])?);
            }
        }
        Ok(found)
    }

    /// The sessions whose id starts with `prefix`.
    pub fn find(&self, prefix: &str) -> Result<Vec<(SessionKey, Row)>, StateError> {
        self.select(
            statements::STARTING,
            [prefix, &format!("{prefix}{}", char::MAX)],
        )
    }

    /// The newest listed sessions with this text in their title, whatever the case of its ASCII letters.
    pub fn titled(&self, text: &str, limit: u32) -> Result<Vec<(SessionKey, Row)>, StateError> {
        let mut pattern = String::with_capacity(text.len());
        for letter in text.chars() {
            pattern.extend(matches!(letter, '%' | '_' | '\\').then_some('\\'));
            pattern.push(letter);
        }
        self.select(statements::TITLED, params![pattern, limit])
    }

    /// The newest sessions in this state for this reason; none that are simply here.
    pub fn newest_with(
        &self,
        state: SessionState,
        reason: Option<Reason>,
        limit: u32,
    ) -> Result<Vec<(SessionKey, Row)>, StateError> {
        let code = reason.map_or("", Reason::as_str);
        self.select(
            statements::WITH_STATE_AND_CODE,
            params![state.as_str(), code, limit],
        )
    }

    /// How many sessions are in this state, by reason and tool. Nothing is counted: the numbers are
    /// kept with every change.
    pub fn counts(&self, state: SessionState) -> Result<Vec<StateCount>, StateError> {
        let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?));
        let named: Vec<(String, i64)> = self
            .db
            .prepare_cached(statements::COUNTS_BY_STATE)
            .and_then(|mut query| {
                let (from, to) = (format!("{state}/"), format!("{state}0"));
                query.query_map([from, to], read)?.collect()
            })
            .map_err(|source| self.error(source))?;
        let count = |(name, n): (String, i64)| {
            let mut parts = name.splitn(3, '/').skip(1);
            Some(StateCount {
                reason: parts.next()?.parse().ok(),
                tool: ToolId::new(parts.next()?),
                sessions: n.unsigned_abs(),
            })
        };
        Ok(named.into_iter().filter_map(count).collect())
    }

    /// The split sessions, decided or not.
    pub fn with_split(&self) -> Result<Vec<(SessionKey, Row)>, StateError> {
        self.select(statements::WITH_SPLIT, [])
    }

    /// Number of splits that the user has not decided.
    pub fn open_splits(&self) -> Result<u64, StateError> {
        self.number(statements::OPEN_SPLITS, [SplitState::Decided.as_str()])
    }

    /// The sessions whose beginning is in this one.
    pub fn needing(&self, session: &str) -> Result<Vec<(SessionKey, Row)>, StateError> {
        self.select(statements::NEEDING, [session])
    }

    /// The sessions that open only as long as this one is there: their beginning is in it, or their
    /// tool shows them with it.
    pub fn depending(&self, session: &str) -> Result<Vec<(SessionKey, Row)>, StateError> {
        self.select(statements::DEPENDING, [session])
    }

    /// The sessions of a tool with this reason. The cost depends on the number of results only.
    pub fn of_tool_with_reason(
        &self,
        tool: &ToolId,
        reason: Reason,
    ) -> Result<Vec<(SessionKey, Row)>, StateError> {
        let params = [reason.as_str(), tool.as_str()];
        self.select(statements::WITH_CODE_OF_TOOL, params)
    }

    /// The session of a tool with this reason that comes after another one, in the order of the keys.
    pub fn next_of_tool_with_reason(
        &self,
        tool: &ToolId,
        reason: Reason,
        after: &str,
    ) -> Result<Option<(SessionKey, Row)>, StateError> {
        let params = [reason.as_str(), tool.as_str(), after];
        let found = self.select(statements::NEXT_WITH_CODE_OF_TOOL, params)?;
        Ok(found.into_iter().next())
    }

    /// The sessions of a project with this reason. The cost depends on the number of results only.
    pub fn of_project_with_reason(
        &self,
        project: &str,
        reason: Reason,
    ) -> Result<Vec<(SessionKey, Row)>, StateError> {
        self.select(statements::IN_PROJECT, [reason.as_str(), project])
    }

    /// The sessions with this reason. The cost depends on the number of results only.
    pub fn with_reason(&self, reason: Reason) -> Result<Vec<(SessionKey, Row)>, StateError> {
        self.select(statements::WITH_CODE, [reason.as_str()])
    }

    /// The sessions of a project and of directories inside it that do not wait for anything
    /// outside. The cost depends on the result.
    pub fn settled_in_project(&self, project: &str) -> Result<Vec<(SessionKey, Row)>, StateError> {
        let (from, to) = (format!("{project}#"), format!("{project}$"));
        let mut found = Vec::new();
        for code in ["", Reason::Split.as_str(), Reason::Rewritten.as_str()] {
            found.extend(self.select(statements::IN_PROJECT, [code, project])?);
            found.extend(self.select(
                statements::BELOW_PROJECT,
                [code, from.as_str(), to.as_str()],
            )?);
        }
        Ok(found)
    }

    /// One session of each project that has sessions with this reason.
    pub fn one_of_each_project(
        &self,
        reason: Reason,
    ) -> Result<Vec<(SessionKey, Row)>, StateError> {
        let (code, mut found) = (reason.as_str(), Vec::new());
        for project in self.each_text(statements::NEXT_PROJECT, |last| params_of([code, last]))? {
            found.extend(self.select(statements::ONE_OF_PROJECT, [code, project.as_str()])?);
        }
        Ok(found)
    }

    /// Whether any session is of this project. The cost depends on the number of reasons only.
    pub fn has_project(&self, project: &str) -> Result<bool, StateError> {
        let mut codes = self.each_text(statements::NEXT_CODE, |last| params_of([last]))?;
        codes.push(String::new());
        for code in codes {
            let found = self.select(statements::ONE_OF_PROJECT, [code.as_str(), project])?;
            if !found.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub fn row(&self, key: &SessionKey) -> Result<Option<Row>, StateError> {
        Ok(self
            .select(statements::ROW, [key.to_string()])?
            .pop()
            .map(|(_, row)| row))
    }

    /// How many sessions are known.
    pub fn count(&self) -> Result<u64, StateError> {
        self.number(statements::COUNT, [])
    }

    /// Number of sessions that have begun to arrive without a description yet; they are in no list.
    pub fn nameless(&self) -> Result<u64, StateError> {
        self.number(statements::NAMELESS, [])
    }

    pub(super) fn number(
        &self,
        sql: &str,
        params: impl rusqlite::Params,
    ) -> Result<u64, StateError> {
        self.db
            .prepare_cached(sql)
            .and_then(|mut query| query.query_row(params, |row| row.get::<_, i64>(0)))
            .map(i64::unsigned_abs)
            .map_err(|source| self.error(source))
    }

    /// All distinct texts that are not empty, from an index: the statement returns the next one.
    pub(super) fn each_text(
        &self,
        sql: &str,
        params: impl Fn(&str) -> Vec<String>,
    ) -> Result<Vec<String>, StateError> {
        let mut found: Vec<String> = Vec::new();
        loop {
            let params = params(found.last().map_or("", String::as_str));
            let next = self.db.prepare_cached(sql).and_then(|mut query| {
                query
                    .query_row(rusqlite::params_from_iter(params), |row| row.get(0))
                    .optional()
            });
            match next.map_err(|source| self.error(source))? {
                Some(text) => found.push(text),
                None => return Ok(found),
            }
        }
    }

    pub(super) fn select(
        &self,
        sql: &str,
        params: impl rusqlite::Params,
    ) -> Result<Vec<(SessionKey, Row)>, StateError> {
        let found: rusqlite::Result<Vec<_>> = self
            .db
            .prepare_cached(sql)
            .and_then(|mut query| query.query_map(params, read_row)?.collect());
        self.count_read(found.as_ref().map_or(0, Vec::len));
        found.map_err(|source| self.error(source))
    }
}

pub(super) fn read_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<(SessionKey, Row)> {
    let key: String = row.get(0)?;
    let key = SessionKey {
        tool: ToolId::new(row.get::<_, String>(1)?),
        hash: hash_of(&key),
    };
    let found = Row {
        session: row.get(2)?,
        project: row.get(3)?,
        title: row.get(4)?,
        updated: Millis(row.get(5)?),
        bytes: row.get::<_, i64>(6)? as u64,
        // What another version wrote and this one does not know is reconciled anew.
        state: row.get::<_, String>(7)?.parse().unwrap_or_default(),
        reason: row.get::<_, String>(8)?.parse().ok(),
        why: row.get(9)?,
        hint: row.get(10)?,
        split: SplitState::parse(&row.get::<_, String>(11)?),
        needs: list(&row.get::<_, String>(12)?, '\n'),
        devices: list(&row.get::<_, String>(13)?, ','),
        path: row.get::<_, Option<String>>(14)?.map(PathBuf::from),
    };
    Ok((key, found))
}

/// A list as a column keeps it.
pub(super) fn list(text: &str, between: char) -> Vec<String> {
    let parts = text.split(between).filter(|part| !part.is_empty());
    parts.map(str::to_owned).collect()
}

fn params_of<const N: usize>(params: [&str; N]) -> Vec<String> {
    params.map(str::to_owned).into()
}
