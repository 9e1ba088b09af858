//! A session from the vault: to view, as a document, in the open format, or as the tool's own files,
//! byte for byte.

mod html;
mod open;

use super::transcript::{Names, Reading};
use crate::api::answer::{no_part, unreadable};
use crate::api::types::{
    ApiError, DocPage, ExportFormat, Exported, Message, Occurrences, PartBody, SessionRow, Shown,
    ShownDoc,
};
use crate::merge::{Decided, branches, divide};
use crate::reconcile::context::Context;
use crate::reconcile::record::{DocState, SessionRecord};
use crate::reconcile::session::Session;
use crate::session::{ChainId, DocKind, DocName, Edge, ProblemCode, Role, harmless, harmless_line};
use crate::vault::journal_reader::JournalReader;
use std::path::{Path, PathBuf};

/// A doc's newest live end; of a split doc, the end that is in this device's store.
pub fn end_of<'a>(
    record: &SessionRecord,
    name: &DocName,
    state: &'a DocState,
) -> Option<(ChainId, Vec<&'a Edge>)> {
    let ends = divide::ends(
        &state.trie,
        &branches(&state.trie),
        &Decided::of(&record.choices, name),
    );
    let tips = if ends.heads.is_empty() {
        ends.away
    } else {
        ends.heads
    };
    let here = state
        .local
        .as_ref()
        .map(|local| local.tip)
        .filter(|tip| tips.contains(tip));
    let newest = tips.iter().max_by_key(|tip| {
        state
            .trie
            .path(**tip)
            .and_then(|path| path.last().map(|edge| edge.at))
    });
    let tip = here.or(newest.copied())?;
    Some((tip, state.trie.path(tip)?))
}

/// A doc's bytes at that end.
pub fn bytes_of(
    context: &Context,
    record: &SessionRecord,
    name: &DocName,
    state: &DocState,
) -> Result<Vec<u8>, ApiError> {
    let Some((_, path)) = end_of(record, name, state) else {
        return Ok(Vec::new());
    };
    // A line's content matters to a plan, not to a reader.
    let journal_reader = JournalReader::new(&context.vault, &record.journals, name, |_| true);
    journal_reader
        .content(state.kind, &path)
        .map_err(|error| unreadable(&error))
}

/// Which messages to return: all of them whole, or a page with long bodies cut.
#[derive(Clone, Copy)]
pub enum Wanted {
    All,
    Page { from: u64, rows: u64 },
}

pub fn show(
    session: Session<'_>,
    row: SessionRow,
    names: &Names,
    wanted: Wanted,
) -> Result<Shown, ApiError> {
    let (context, key, record) = session.parts();
    let docs = record.docs.iter().map(|(name, state)| {
        let tip = state
            .local
            .as_ref()
            .map(|local| local.tip)
            .or_else(|| state.trie.heads().first().copied())
            .unwrap_or(state.trie.start());
        let (lines, bytes) = state.trie.size(tip);
        ShownDoc {
            doc: name.to_string(),
            kind: match state.kind {
                DocKind::Log => "log".into(),
                DocKind::Snapshot => "snapshot".into(),
            },
            bytes: if state.kind == DocKind::Log {
                bytes
            } else {
                state.bytes()
            },
            lines,
            tip: tip.to_hex(),
            path: state
                .local
                .as_ref()
                .filter(|local| local.there)
                .map(|local| local.path.clone()),
        }
    });
    let (total, messages) = match reading(session) {
        Some(reading) => read_messages(&reading, names, wanted)?,
        None => (0, Vec::new()),
    };
    let cwd = record
        .cards
        .get(&context.short)
        .or_else(|| record.cards.values().next())
        .and_then(|device_card| device_card.card.cwd.clone())
        .map(PathBuf::from);
    let from = if let Wanted::Page { from, .. } = wanted {
        from
    } else {
        0
    };
    Ok(Shown {
        row,
        cwd,
        docs: docs.collect(),
        total,
        from,
        forks: record
            .main()
            .and_then(|main| record.docs.get_key_value(main))
            .is_some_and(|(main, state)| context.forks(&key.tool, main, state.kind)),
        own_title: record
            .own_title()
            .filter(|own| Some(*own) != record.title())
            .map(str::to_owned),
        parts: Vec::new(),
        messages,
    })
}

/// A page of one of the session's docs: the transcript of a sub-agent. A doc that the session does
/// not have is empty.
pub fn doc_page(
    session: Session<'_>,
    names: &Names,
    (doc, from, rows): (&str, u64, u64),
) -> Result<DocPage, ApiError> {
    let Some(reading) = reading_of_log(session, doc) else {
        return Ok(DocPage::default());
    };
    let (total, messages) = read_messages(&reading, names, Wanted::Page { from, rows })?;
    Ok(DocPage {
        total,
        from,
        messages,
    })
}

/// One part of one message of such a doc, whole.
pub fn doc_part(
    session: Session<'_>,
    (doc, message, part): (&str, u64, u64),
) -> Result<PartBody, ApiError> {
    let reading = reading_of_log(session, doc).ok_or_else(|| no_part(message, part))?;
    reading.part(&*reading.index(false)?, message, part)
}

/// `None` for a doc that is no log: nothing else beside the conversation has messages.
fn reading_of_log<'a>(session: Session<'a>, doc: &str) -> Option<Reading<'a>> {
    let reading = reading_of(session, &DocName::new(doc))?;
    (reading.state.kind == DocKind::Log).then_some(reading)
}

/// The conversation.
pub(crate) fn reading<'a>(session: Session<'a>) -> Option<Reading<'a>> {
    reading_of(session, session.record.main()?)
}

fn reading_of<'a>(session: Session<'a>, doc: &DocName) -> Option<Reading<'a>> {
    let (context, key, record) = session.parts();
    let (doc, state) = record.docs.get_key_value(doc)?;
    let (tip, path) = end_of(record, doc, state)?;
    Some(Reading {
        context,
        key,
        record,
        doc,
        state,
        tip,
        path,
    })
}

fn read_messages(
    reading: &Reading<'_>,
    names: &Names,
    wanted: Wanted,
) -> Result<(u64, Vec<Message>), ApiError> {
    match wanted {
        Wanted::Page { from, rows } => {
            let index = reading.index(from == 0)?;
            Ok((index.total(), reading.page(&index, from, rows, names)?))
        }
        Wanted::All => {
            let messages = reading.all(names)?;
            Ok((messages.len() as u64, messages))
        }
    }
}

/// One part of one message, whole.
pub fn part(session: Session<'_>, message: u64, part: u64) -> Result<PartBody, ApiError> {
    let reading = reading(session).ok_or_else(|| no_part(message, part))?;
    reading.part(&*reading.index(false)?, message, part)
}

/// Where the session has a text.
pub fn find(session: Session<'_>, text: &str) -> Result<Occurrences, ApiError> {
    match reading(session) {
        Some(reading) => reading.find(&*reading.index(false)?, text),
        None => Ok(Occurrences::default()),
    }
}

pub fn export(
    session: Session<'_>,
    row: SessionRow,
    names: &Names,
    (format, dir): (ExportFormat, Option<&Path>),
) -> Result<Exported, ApiError> {
    let Session {
        context, record, ..
    } = session;
    match format {
        ExportFormat::Native => native(context, record, &row, dir),
        ExportFormat::Json => {
            let shown = show(session, row.clone(), names, Wanted::All)?;
            let text = serde_json::to_string_pretty(&shown).map_err(|error| unreadable(&error))?;
            text_or_file(text, &format!("{}.json", row.session), dir)
        }
        ExportFormat::Markdown => {
            let shown = show(session, row.clone(), names, Wanted::All)?;
            text_or_file(markdown(&shown), &format!("{}.md", row.session), dir)
        }
        ExportFormat::Html => {
            let text = html::page(session, &row, names)?;
            text_or_file(text, &format!("{}.html", row.session), dir)
        }
        ExportFormat::Open => {
            let text = open::lines(session, &row, names)?;
            text_or_file(text, &format!("{}.open.jsonl", row.session), dir)
        }
    }
}

/// The name of a session's project as people use it.
fn project_of(record: &SessionRecord, row: &SessionRow) -> String {
    let names = record.origin().map(|card| card.project.names.as_slice());
    let name = names.and_then(|names| names.first());
    name.cloned().unwrap_or_else(|| {
        let key = row.project.rsplit([':', '/']).next();
        key.unwrap_or_default().to_owned()
    })
}

/// Every text of the session has a fence of its own, longer than any in it: nothing in it runs,
/// links anywhere or looks like a heading of the export.
fn markdown(shown: &Shown) -> String {
    let row = &shown.row;
    let [title, tool, project] = [&row.title, &row.tool, &row.project].map(|text| escaped(text));
    let mut text = format!(
        "# {title}\n\n{tool} · {project} · {}\n",
        escaped(&row.updated)
    );
    for message in &shown.messages {
        let who = match message.role {
            Role::User => "You",
            Role::Assistant => "Assistant",
            Role::Tool => "Tool",
            Role::Steering => "Changed",
            _ => "System",
        };
        let device = message
            .device
            .as_deref()
            .map(|device| format!(" · {}", escaped(device)))
            .unwrap_or_default();
        text.push_str(&format!(
            "\n## {who}{device}\n\n{}",
            fenced(message.text.trim_end())
        ));
    }
    text
}

fn fenced(text: &str) -> String {
    let text = harmless(text);
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(3.max(longest + 1));
    format!("{fence}text\n{text}\n{fence}\n")
}

/// One line in which nothing is Markdown.
fn escaped(text: &str) -> String {
    let escape = |c: char| {
        if c.is_ascii_punctuation() {
            vec!['\\', c]
        } else {
            vec![c]
        }
    };
    harmless_line(text).chars().flat_map(escape).collect()
}

fn text_or_file(text: String, name: &str, dir: Option<&Path>) -> Result<Exported, ApiError> {
    let Some(dir) = dir else {
        return Ok(Exported {
            files: Vec::new(),
            text: Some(text),
        });
    };
    let path = write(dir, &safe(name), text.as_bytes())?;
    Ok(Exported {
        files: vec![path],
        text: None,
    })
}

fn native(
    context: &Context,
    record: &SessionRecord,
    row: &SessionRow,
    dir: Option<&Path>,
) -> Result<Exported, ApiError> {
    let Some(dir) = dir else {
        return Err(ApiError::new(
            ProblemCode::NoDirectory,
            "A native export consists of several files.",
            "Choose a folder for them.",
        ));
    };
    let below = dir.join(safe(&row.session));
    let mut files = Vec::new();
    for (name, state) in &record.docs {
        let place: PathBuf = name.as_str().split('/').map(safe).collect();
        let place = place.to_string_lossy();
        files.push(match state.kind {
            DocKind::Log => write_log(context, record, (name, state), &below, &place)?,
            DocKind::Snapshot => write(&below, &place, &bytes_of(context, record, name, state)?)?,
        });
    }
    Ok(Exported { files, text: None })
}

/// Writes a log entry by entry: it may be larger than memory.
fn write_log(
    context: &Context,
    record: &SessionRecord,
    (name, state): (&DocName, &DocState),
    dir: &Path,
    place: &str,
) -> Result<PathBuf, ApiError> {
    let path = write(dir, place, &[])?;
    let Some((_, edges)) = end_of(record, name, state) else {
        return Ok(path);
    };
    let journal_reader = JournalReader::new(&context.vault, &record.journals, name, |_| true);
    let file = std::fs::File::options()
        .append(true)
        .open(&path)
        .map_err(|error| unreadable(&error))?;
    let mut out = std::io::BufWriter::new(file);
    edges
        .iter()
        .try_for_each(|edge| journal_reader.write_lines(edge, &mut out))
        .map_err(|error| unreadable(&error))?;
    std::io::Write::flush(&mut out).map_err(|error| unreadable(&error))?;
    Ok(path)
}

/// A name that stays in its directory on every system.
fn safe(name: &str) -> String {
    let plain: String = name
        .chars()
        .map(|c| {
            if c.is_alphanumeric() || "-_. @".contains(c) {
                c
            } else {
                '_'
            }
        })
        .collect();
    if plain.chars().all(|c| c == '.') {
        "_".into()
    } else {
        plain
    }
}

fn write(dir: &Path, name: &str, bytes: &[u8]) -> Result<PathBuf, ApiError> {
    let path = dir.join(name);
    let parent = path.parent().unwrap_or(dir);
    std::fs::create_dir_all(parent)
        .and_then(|()| std::fs::write(&path, bytes))
        .map_err(|error| {
            ApiError::new(
                ProblemCode::Unwritable,
                format!("{} could not be written: {error}.", path.display()),
                "Choose another folder.",
            )
        })?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// F11: a transcript's HTML, links and headings acted as the export's own.
        #[test]
        fn no_text_leaves_its_fence(text in "(`{1,5}|~~~|<script>|\\[x\\]\\(javascript:1\\)|## You|\n|a|\u{202e}){0,12}") {
            let fenced = fenced(&text);
            let mut lines = fenced.lines();
            let fence = lines.next().unwrap().trim_end_matches("text").to_owned();
            let body: Vec<&str> = lines.collect();
            let (last, body) = body.split_last().unwrap();
            prop_assert_eq!(*last, &fence);
            prop_assert!(body.iter().all(|line| !line.contains(&fence)));
            let escaped = escaped(&text);
            let hidden = escaped.contains(['\n', '\u{202e}']);
            prop_assert!(!hidden);
            prop_assert!(!escaped.replace("\\<", "").contains('<') && !escaped.replace("\\[", "").contains('['));
        }
    }
}
