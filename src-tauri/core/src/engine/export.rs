//! A session out of the vault: to look at, as Markdown, as JSON, or as the tool's own files, byte for byte.

use super::context::Context;
use super::record::{DocState, SessionRecord};
use crate::api::types::{ApiError, ExportFormat, Exported, Message, SessionRow, Shown, ShownDoc};
use crate::merge::transcript::messages;
use crate::merge::{Decided, branches, divide};
use crate::session::{DocKind, DocName};
use crate::vault::journal::Shelf;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub fn unreadable(error: &dyn std::error::Error) -> ApiError {
    ApiError::new(
        "unreadable",
        super::look::with_causes(error),
        "Check the disk and the permissions of the vault folder.",
    )
}

/// A doc's bytes at its newest live end; of a split doc, the end that is in this device's store.
pub fn bytes_of(
    context: &Context,
    record: &SessionRecord,
    name: &DocName,
    state: &DocState,
) -> Result<Vec<u8>, ApiError> {
    let ends = divide::ends(&state.trie, &branches(&state.trie), &Decided::of(&record.choices, name));
    let tips = if ends.live.is_empty() { ends.away } else { ends.live };
    let here = state.local.as_ref().map(|local| local.tip).filter(|tip| tips.contains(tip));
    let newest = tips.iter().max_by_key(|tip| state.trie.path(**tip).and_then(|path| path.last().map(|edge| edge.at)));
    let Some(path) = here.or(newest.copied()).and_then(|tip| state.trie.path(tip)) else { return Ok(Vec::new()) };
    // What a line says matters to a plan, not to a reader.
    let shelf = Shelf::new(&context.vault, &record.journals, name, |_| true);
    shelf.content(state.kind, &path).map_err(|error| unreadable(&error))
}

pub fn show(
    context: &Context,
    record: &SessionRecord,
    row: SessionRow,
    names: &BTreeMap<String, String>,
) -> Result<Shown, ApiError> {
    let docs = record.docs.iter().map(|(name, state)| {
        let tip = state
            .local
            .as_ref()
            .map(|local| local.tip)
            .or_else(|| state.trie.live_tips().first().copied())
            .unwrap_or(state.trie.start());
        let (lines, bytes) = state.trie.size(tip);
        ShownDoc {
            doc: name.to_string(),
            kind: match state.kind {
                DocKind::Log => "log".into(),
                DocKind::Snapshot => "snapshot".into(),
            },
            bytes: if state.kind == DocKind::Log { bytes } else { state.bytes() },
            lines,
            tip: tip.to_hex(),
            path: state.local.as_ref().filter(|local| local.there).map(|local| local.path.clone()),
        }
    });
    let messages = read_messages(context, record, names)?;
    let cwd = record
        .cards
        .get(&context.short)
        .or_else(|| record.cards.values().next())
        .and_then(|said| said.card.cwd.clone())
        .map(PathBuf::from);
    Ok(Shown { row, cwd, docs: docs.collect(), messages })
}

fn read_messages(
    context: &Context,
    record: &SessionRecord,
    names: &BTreeMap<String, String>,
) -> Result<Vec<Message>, ApiError> {
    let Some((name, state)) = record.main().and_then(|main| record.docs.get_key_value(main)) else {
        return Ok(Vec::new());
    };
    // Where one device is the only author, it is the author of every message.
    let only = if names.len() == 1 { names.values().next().cloned() } else { None };
    let found = messages(&bytes_of(context, record, name, state)?).into_iter();
    Ok(found
        .map(|said| Message { role: said.role.into(), text: said.text, at: said.at, device: only.clone() })
        .collect())
}

pub fn export(
    context: &Context,
    record: &SessionRecord,
    row: SessionRow,
    format: ExportFormat,
    dir: Option<&Path>,
) -> Result<Exported, ApiError> {
    match format {
        ExportFormat::Native => native(context, record, &row, dir),
        ExportFormat::Json => {
            let shown = show(context, record, row.clone(), &BTreeMap::new())?;
            let text = serde_json::to_string_pretty(&shown).map_err(|error| unreadable(&error))?;
            text_or_file(text, &format!("{}.json", row.session), dir)
        }
        ExportFormat::Markdown => {
            let shown = show(context, record, row.clone(), &BTreeMap::new())?;
            text_or_file(markdown(&shown), &format!("{}.md", row.session), dir)
        }
    }
}

fn markdown(shown: &Shown) -> String {
    let mut text =
        format!("# {}\n\n{} · {} · {}\n", shown.row.title, shown.row.tool, shown.row.project, shown.row.updated);
    for message in &shown.messages {
        let who = match message.role.as_str() {
            "user" => "You",
            "assistant" => "Assistant",
            "tool" => "Tool",
            _ => "System",
        };
        text.push_str(&format!("\n## {who}\n\n{}\n", message.text.trim_end()));
    }
    text
}

fn text_or_file(text: String, name: &str, dir: Option<&Path>) -> Result<Exported, ApiError> {
    let Some(dir) = dir else { return Ok(Exported { files: Vec::new(), text: Some(text) }) };
    let path = write(dir, &safe(name), text.as_bytes())?;
    Ok(Exported { files: vec![path], text: None })
}

fn native(
    context: &Context,
    record: &SessionRecord,
    row: &SessionRow,
    dir: Option<&Path>,
) -> Result<Exported, ApiError> {
    let Some(dir) = dir else {
        return Err(ApiError::new("no_directory", "A native export is several files.", "Say where to with --out DIR."));
    };
    let below = dir.join(safe(&row.session));
    let mut files = Vec::new();
    for (name, state) in &record.docs {
        let place: PathBuf = name.as_str().split('/').map(safe).collect();
        files.push(write(&below, &place.to_string_lossy(), &bytes_of(context, record, name, state)?)?);
    }
    Ok(Exported { files, text: None })
}

/// A name that stays in its directory on every system.
fn safe(name: &str) -> String {
    let plain: String =
        name.chars().map(|c| if c.is_alphanumeric() || "-_. @".contains(c) { c } else { '_' }).collect();
    if plain.chars().all(|c| c == '.') { "_".into() } else { plain }
}

fn write(dir: &Path, name: &str, bytes: &[u8]) -> Result<PathBuf, ApiError> {
    let path = dir.join(name);
    let parent = path.parent().unwrap_or(dir);
    std::fs::create_dir_all(parent).and_then(|()| std::fs::write(&path, bytes)).map_err(|error| {
        ApiError::new(
            "unwritable",
            format!("{} could not be written: {error}.", path.display()),
            "Choose another directory with --out.",
        )
    })?;
    Ok(path)
}
