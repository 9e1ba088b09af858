//! "Continue from here": a new session of the same tool with the beginning of another one, written
//! into this device's store. The adapter then finds it there like any session that was begun here;
//! the other session is untouched. What another device's lines steer is written in neutral form.

use super::Engine;
use super::resuming::{directory, no_place};
use crate::api::answer::{Work, value};
use crate::api::types::{ApiError, Forked};
use crate::merge::prefix;
use crate::merge::transcript::{messages, said_in};
use crate::merge::{fork_id, renew, substitute, substituted};
use crate::reconcile::context::Context;
use crate::reconcile::record::{DocState, SessionRecord};
use crate::reconcile::session::Session;
use crate::reconcile::steering::{is_own, neutral, written};
use crate::session::chain::lines_of;
use crate::session::problem::with_causes;
use crate::session::trie::Line;
use crate::session::{ChainId, DocKind, DocName, Edge, ProblemCode, Remedy, SessionId, SessionKey};
use crate::tools::stores::Near;
use crate::tools::{Beginning, Change, Checkout, DocWrite, Tool, WriteError};
use crate::views::export::{bytes_of, end_of, reading};
use crate::views::transcript::Reading;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A session to fork, and where.
struct Wanted {
    context: Arc<Context>,
    tool: Arc<dyn Tool>,
    key: SessionKey,
    session: SessionId,
    record: SessionRecord,
    title: String,
    cwd: PathBuf,
    /// The number of the message in the transcript.
    at: u64,
}

/// A doc of the new session.
struct Doc {
    name: DocName,
    at: String,
    bytes: Vec<u8>,
}

impl Engine {
    /// `at`: the number of a message, as `Show` counts them.
    pub(super) fn fork_at(
        &self,
        text: &str,
        at: u64,
        dir: Option<PathBuf>,
    ) -> Result<Work, ApiError> {
        let (key, row, record) = self.find(text)?;
        let tool = self.adapter(&key)?;
        let context = self.context.clone();
        Ok(Box::new(move || {
            let dir = dir.filter(|dir| dir.is_absolute() && dir.is_dir());
            let Some(cwd) = dir.or_else(|| directory(&context, &record)) else {
                return Err(no_place(&row));
            };
            let wanted = Wanted {
                context,
                tool,
                key,
                session: SessionId::new(row.session),
                record,
                title: row.title,
                cwd,
                at,
            };
            value(wanted.fork()?)
        }))
    }
}

/// The lines of the shown branch of a session's main doc up to a message, those that belong to no message
/// behind it included: where each of them ends.
pub(super) struct Moment {
    ends: HashMap<ChainId, u64>,
}

impl Moment {
    fn of(log: &[u8]) -> Self {
        let lines = Line::chained(ChainId::log_start(), log, |_| true);
        let ends = lines.into_iter().map(|line| (line.tip, line.end));
        Self {
            ends: ends.collect(),
        }
    }

    /// The bytes up to the end of a line; `None` if the line comes later, or is of another branch.
    pub fn bytes_until(&self, tip: ChainId) -> Option<u64> {
        self.ends.get(&tip).copied()
    }
}

/// What a fork at message `at` would have of the session.
pub(super) fn moment(
    context: &Arc<Context>,
    key: &SessionKey,
    record: &SessionRecord,
    title: &str,
    at: u64,
) -> Result<Moment, ApiError> {
    let unknown = || {
        let message = "The messages of this session cannot be distinguished on this device.";
        ApiError::new(ProblemCode::NotForkable, message, "")
    };
    let tool = context.tools.get(&key.tool).cloned().ok_or_else(unknown)?;
    let wanted = Wanted {
        context: context.clone(),
        tool,
        key: key.clone(),
        session: record.session.clone().ok_or_else(unknown)?,
        record: record.clone(),
        title: title.to_owned(),
        cwd: PathBuf::new(),
        at,
    };
    let reading = reading(Session::new(context, key, record)).ok_or_else(unknown)?;
    // A document has no beginning in bytes.
    if reading.state.kind != DocKind::Log {
        return Err(unknown());
    }
    let (_, _, kept) = wanted.beginning(&reading)?;
    let log = bytes_of(context, record, reading.doc, reading.state)?;
    let rest = log.get(kept.len()..).unwrap_or_default();
    let is_note = |line: &&[u8]| {
        let mut n_messages = 0;
        messages(line, reading.reader(), |_| n_messages += 1);
        n_messages == 0
    };
    let notes = lines_of(rest).take_while(is_note);
    let bytes = kept.len() + notes.map(<[u8]>::len).sum::<usize>();
    Ok(Moment::of(log.get(..bytes).unwrap_or_default()))
}

impl Wanted {
    fn fork(&self) -> Result<Forked, ApiError> {
        let reading = reading(Session::new(&self.context, &self.key, &self.record));
        let reading = reading
            .filter(|reading| {
                self.context
                    .forks(&self.key.tool, reading.doc, reading.state.kind)
            })
            .ok_or_else(|| self.not_forkable())?;
        let (total, messages, content) = self.beginning(&reading)?;
        let session = self.new_id();
        let title = format!("{} (from message {})", self.title, self.at);
        let mut docs = self.beside(&reading, &session)?;
        docs.push(self.main(&reading, content, &session, &title));
        self.name_in(&mut docs, &title);
        self.write(&session, &docs)?;
        Ok(Forked {
            session: session.to_string(),
            tool: self.key.tool.to_string(),
            title,
            messages: messages as u64,
            total,
        })
    }

    fn not_forkable(&self) -> ApiError {
        ApiError::new(
            ProblemCode::NotForkable,
            format!(
                "A session of {} cannot be continued from one of its messages here.",
                self.tool.about().name
            ),
            "Resume it, and go back in the tool itself if it can.",
        )
    }

    /// The number of the session's messages, and the beginning up to the wanted one: how many
    /// messages it has, and its content.
    fn beginning(&self, reading: &Reading<'_>) -> Result<(u64, usize, Vec<u8>), ApiError> {
        let index = reading.index(true)?;
        let messages = usize::try_from(self.at)
            .ok()
            .and_then(|at| index.messages_until(at));
        let Some(messages) = messages else {
            return Err(ApiError::new(
                ProblemCode::UnknownMessage,
                format!("“{}” has no message {}.", self.title, self.at),
                "Messages are numbered from 0.",
            )
            .offer(Remedy::OpenSession {
                session: self.session.to_string(),
            }));
        };
        let mut content = bytes_of(&self.context, &self.record, reading.doc, reading.state)?;
        let joins = self.tool.about().joins;
        let cut = match joins.beginning {
            Some(beginning) => self.cut(&content, messages, reading, &beginning)?,
            None => {
                let trails = joins.trails.unwrap_or(|_| false);
                let prefix = prefix::of_log(&content, messages, reading.reader(), trails);
                prefix.map(|prefix| {
                    content.truncate(prefix.end);
                    (prefix.messages, content)
                })
            }
        };
        let (messages, content) = cut.ok_or_else(|| {
            ApiError::new(
                ProblemCode::NoBoundary,
                "Before this message there is only a tool call without a result.",
                "Choose a later message.",
            )
        })?;
        Ok((index.authors().len() as u64, messages, content))
    }

    /// The beginning of a document, and how many messages it has. What the adapter cut is read
    /// again: it must be the same records, and nothing else.
    fn cut(
        &self,
        content: &[u8],
        messages: usize,
        reading: &Reading<'_>,
        beginning: &Beginning,
    ) -> Result<Option<(usize, Vec<u8>)>, ApiError> {
        let reader = reading.reader();
        let records = self.context.records(&self.key.tool, reading.state.kind);
        let records = records.ok_or_else(|| self.not_forkable())?;
        let all = records(content);
        let Some(prefix) = prefix::of_records(&all, messages, reader) else {
            return Ok(None);
        };
        let cut = (beginning.cut)(content, prefix.end).ok_or_else(|| self.not_forkable())?;
        let kept = records(&cut);
        if kept.len() < prefix.end || !all.starts_with(&kept) {
            return Err(self.not_forkable());
        }
        let said = kept.iter().filter_map(|record| said_in(record, reader));
        Ok(Some((said.count(), cut)))
    }

    /// Different at each time, so that a session can be continued twice from one message.
    fn new_id(&self) -> SessionId {
        let (short, now) = (&self.context.short, self.context.clock.now().0);
        let seed = format!("{short} {now} {}", self.at);
        fork_id(&self.session, ChainId::log_start().then(seed.as_bytes()))
    }

    /// Puts the title into the docs of a tool that has it there.
    fn name_in(&self, docs: &mut [Doc], title: &str) {
        let Some(beginning) = self.tool.about().joins.beginning else {
            return;
        };
        for doc in docs {
            if let Some(named) = (beginning.titled)(&doc.name, &doc.bytes, title) {
                doc.bytes = named;
            }
        }
    }

    /// The docs beside the main one. Those that several sessions share stay where they are, and the
    /// tool would write the user's files from those that it restores.
    fn beside(&self, reading: &Reading<'_>, session: &SessionId) -> Result<Vec<Doc>, ApiError> {
        let (about, of) = (self.tool.about(), &self.session);
        let is_left = |name: &DocName| {
            name == reading.doc
                || about
                    .joins
                    .beginning
                    .is_some_and(|beginning| !(beginning.keeps)(name))
                || about.shared.is_some_and(|shared| (shared.is_one)(name))
                || about
                    .steering
                    .restores
                    .is_some_and(|restores| (restores.is_one)(name))
        };
        let docs = self.record.docs.iter().filter(|(name, _)| !is_left(name));
        let doc = |(name, state): (&DocName, &DocState)| {
            let bytes = bytes_of(&self.context, &self.record, name, state)?;
            let path = end_of(&self.record, name, state).map(|(_, path)| path);
            let mut bytes = self.neutrally((name, state.kind), &path.unwrap_or_default(), bytes);
            substitute(&mut bytes, of, session);
            let own = about
                .joins
                .in_fork
                .and_then(|in_fork| in_fork(name.as_str()));
            let to = own.unwrap_or_else(|| substituted(name.as_str(), of, session));
            let at = substituted(&state.at, of, session).replace(name.as_str(), &to);
            Ok(Doc {
                name: DocName::new(to),
                at,
                bytes,
            })
        };
        docs.map(doc).collect()
    }

    fn main(
        &self,
        reading: &Reading<'_>,
        content: Vec<u8>,
        session: &SessionId,
        title: &str,
    ) -> Doc {
        let joins = self.tool.about().joins;
        let is_log = reading.state.kind == DocKind::Log;
        let mut content = self.neutrally((reading.doc, reading.state.kind), &reading.path, content);
        if let Some(beginning) = joins.beginning {
            let ids = (beginning.ids)(&content);
            let seed = ChainId::log_start().then(session.as_str().as_bytes());
            renew(&mut content, &ids, seed);
        }
        substitute(&mut content, &self.session, session);
        if let Some(line) = joins.title.filter(|_| is_log) {
            content.extend(line(session, title));
        }
        Doc {
            name: reading.doc.clone(),
            at: substituted(&reading.state.at, &self.session, session),
            bytes: content,
        }
    }

    /// The content of a log with the neutral form of what steers, unless all its lines are this
    /// device's: of the new session, all count as its own. What steers in a document is neutral in
    /// each write of the adapter.
    fn neutrally(
        &self,
        (doc, kind): (&DocName, DocKind),
        path: &[&Edge],
        content: Vec<u8>,
    ) -> Vec<u8> {
        let is_own = |edge: &&Edge| is_own(&self.context, &self.record, edge);
        if kind != DocKind::Log || path.iter().all(is_own) {
            return content;
        }
        let (context, tool) = (&self.context, &self.key.tool);
        let changes = neutral(context, tool, doc, &self.cwd, (0, &content));
        written(&content, 0, &changes)
    }

    fn write(&self, session: &SessionId, docs: &[Doc]) -> Result<(), ApiError> {
        let now = self.context.clock.now();
        fn write(doc: &Doc) -> DocWrite<'_> {
            let Doc { name, at, bytes } = doc;
            DocWrite {
                name,
                place: at,
                change: Change::Create(bytes),
            }
        }
        let checkout = Checkout {
            session,
            cwd: Path::new(&self.cwd),
            updated: now,
            now,
            forgets: false,
            docs: docs.iter().map(write).collect(),
        };
        let hint = "Nothing was written; the session is as it was.";
        let near = Near {
            path: self.record.near().path,
            sessions: vec![self.session.clone()],
        };
        self.context
            .write(&self.key.tool, &checkout, &near)
            .map(drop)
            .map_err(|error| match error {
                WriteError::Open(who) => ApiError::new(
                    ProblemCode::Live,
                    format!("{who}."),
                    "Quit it, then try again.",
                )
                .offer(Remedy::Retry),
                error => ApiError::new(ProblemCode::Unwritable, with_causes(&error), hint),
            })
    }
}
