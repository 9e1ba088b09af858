//! Lines that say who speaks next: headings, bold lines, quoted and plain ones. Knows one line at a time; which of
//! them are meant is decided in `parse`.

use crate::session::Role;

/// How a line says it. Within one file, one party is marked in one way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Heading(usize),
    Bold,
    Quote,
    Plain,
}

/// A line that may begin a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark<'a> {
    pub style: Style,
    pub role: Role,
    /// The speaker as the line names it.
    pub speaker: &'a str,
    /// What else the line says about the message: a time, a model.
    pub note: &'a str,
    /// The beginning of the message, on the same line.
    pub rest: &'a str,
    /// The line could hardly mean anything else.
    pub is_sure: bool,
}

/// Names of the parties, and whether the name alone is enough.
const SPEAKERS: &[(&str, Role, bool)] = &[
    ("user", Role::User, true),
    ("human", Role::User, true),
    ("you", Role::User, true),
    ("me", Role::User, false),
    ("prompt", Role::User, false),
    ("question", Role::User, false),
    ("assistant", Role::Assistant, true),
    ("ai assistant", Role::Assistant, true),
    ("ai", Role::Assistant, false),
    ("bot", Role::Assistant, false),
    ("agent", Role::Assistant, false),
    ("model", Role::Assistant, false),
    ("response", Role::Assistant, false),
    ("answer", Role::Assistant, false),
    ("reply", Role::Assistant, false),
    ("chatgpt", Role::Assistant, true),
    ("gpt", Role::Assistant, true),
    ("claude", Role::Assistant, true),
    ("claude code", Role::Assistant, true),
    ("gemini", Role::Assistant, true),
    ("github copilot", Role::Assistant, true),
    ("copilot", Role::Assistant, true),
    ("cursor", Role::Assistant, true),
    ("codex", Role::Assistant, true),
    ("grok", Role::Assistant, true),
    ("deepseek", Role::Assistant, true),
    ("mistral", Role::Assistant, true),
    ("le chat", Role::Assistant, true),
    ("perplexity", Role::Assistant, true),
    ("llama", Role::Assistant, true),
    ("qwen", Role::Assistant, true),
    ("kimi", Role::Assistant, true),
    ("system", Role::System, false),
    ("tool", Role::Tool, false),
    ("tool result", Role::Tool, false),
    ("tool output", Role::Tool, false),
    ("function", Role::Tool, false),
];

/// Words that belong to a model's name, like what has a digit.
const MODEL_WORDS: [&str; 9] = [
    "sonnet", "opus", "haiku", "pro", "flash", "mini", "turbo", "plus", "thinking",
];

/// The mark in a line, if it is one.
pub(super) fn mark(line: &str) -> Option<Mark<'_>> {
    // Four spaces make it code.
    let line = line.trim_end();
    let inner = line.trim_start_matches(' ');
    if 3 < line.len() - inner.len() {
        return None;
    }
    match inner.as_bytes().first()? {
        b'#' => heading(inner),
        b'*' | b'_' => bold(inner, Style::Bold),
        b'>' => quoted(inner),
        byte if byte.is_ascii_alphabetic() || !byte.is_ascii() => plain(inner),
        _ => None,
    }
}

fn heading(line: &str) -> Option<Mark<'_>> {
    let content = line.trim_start_matches('#');
    let level = line.len() - content.len();
    let is_heading = level <= 6 && content.starts_with([' ', '\t']);
    let content = content.trim().trim_end_matches('#').trim();
    let style = Style::Heading(level);
    match is_heading {
        true if content.starts_with(['*', '_']) => bold(content, style),
        true => named(content, style),
        false => None,
    }
}

/// `**User**`, `**User:** text`, `**User** (time)`, `_**User (time)**_`.
fn bold(line: &str, style: Style) -> Option<Mark<'_>> {
    let after = line.trim_start_matches(['*', '_']);
    let open = &line[..line.len() - after.len()];
    let is_bold = open.len() <= 3 && (open.contains("**") || open.contains("__"));
    let close: String = open.chars().rev().collect();
    let end = after.find(&close).filter(|_| is_bold)?;
    let mut mark = named(&after[..end], style)?;
    let after = after[end + close.len()..].trim();
    match after.strip_prefix(':') {
        Some(rest) => {
            mark = Mark {
                rest: rest.trim(),
                is_sure: true,
                ..mark
            }
        }
        // The colon is inside.
        None if after.is_empty() || (mark.is_sure && after_colon(line, end + open.len())) => {
            mark.rest = if mark.rest.is_empty() {
                after
            } else {
                mark.rest
            };
        }
        None if after.starts_with(NOTES) => mark.note = after,
        None => return None,
    }
    Some(mark)
}

fn after_colon(line: &str, end: usize) -> bool {
    line[..end].trim_end().ends_with(':')
}

fn quoted(line: &str) -> Option<Mark<'_>> {
    let content = line.strip_prefix('>')?.trim();
    let mark = match content.starts_with(['*', '_']) {
        true => bold(content, Style::Quote)?,
        false => named(content, Style::Quote)?,
    };
    let lower = content.to_ascii_lowercase();
    let is_meant =
        lower.ends_with(':') || lower.contains(" said") || content.starts_with(['*', '_']);
    (is_meant && mark.rest.is_empty()).then_some(mark)
}

fn plain(line: &str) -> Option<Mark<'_>> {
    let mark = named(line, Style::Plain)?;
    // Only `User:`; what stands before the colon is the name alone.
    let before = line.split(':').next()?;
    let is_short = before.len() < 40 && before.len() < line.len();
    (is_short && mark.is_sure && mark.note.is_empty()).then_some(mark)
}

/// What may follow a speaker's name besides a colon.
const NOTES: [char; 8] = ['(', '[', '-', '–', '—', '·', '|', '@'];

/// A text that begins with a speaker's name: emoji before it, and a time or a model after it, do not matter.
fn named(text: &str, style: Style) -> Option<Mark<'_>> {
    let text = text.trim_start_matches(|letter: char| !letter.is_alphanumeric());
    let (name, role, is_known) = SPEAKERS
        .iter()
        .filter(|(name, ..)| begins_with(text, name))
        .max_by_key(|(name, ..)| name.len())?;
    let mut end = name.len();
    if is_product(name) {
        end += model(&text[end..]);
    }
    let mut tail = text[end..].trim_start();
    let mut is_sure = *is_known;
    if begins_with(tail, "said") {
        (tail, is_sure) = (tail["said".len()..].trim_start(), true);
    }
    let (mut note, mut rest) = ("", "");
    if let Some(after) = tail.strip_prefix(':') {
        (rest, is_sure) = (after.trim(), true);
    } else if tail.starts_with(NOTES) || tail.starts_with(|letter: char| letter.is_ascii_digit()) {
        let is_closed = tail.starts_with('(').then(|| tail.find("):")).flatten();
        match is_closed {
            Some(at) => (note, rest, is_sure) = (&tail[..=at], tail[at + 2..].trim(), true),
            None => note = tail.trim_end_matches(':'),
        }
        is_sure &= note.starts_with(['(', '[', '·'])
            || note.starts_with(|letter: char| letter.is_ascii_digit());
    } else if !tail.is_empty() {
        return None;
    }
    Some(Mark {
        style,
        role: *role,
        speaker: &text[..end],
        note,
        rest,
        is_sure,
    })
}

/// Whether a text begins with this word, in any case.
fn begins_with(text: &str, word: &str) -> bool {
    let start = text.get(..word.len());
    let next = || text[word.len()..].chars().next();
    start.is_some_and(|start| start.eq_ignore_ascii_case(word))
        && next().is_none_or(|next| {
            !next.is_alphanumeric() && !matches!(next, '_' | '\'' | '’' | '/' | '.')
        })
}

/// Whether a version may follow the name.
fn is_product(name: &str) -> bool {
    !matches!(
        name,
        "user"
            | "human"
            | "you"
            | "me"
            | "prompt"
            | "question"
            | "system"
            | "tool"
            | "function"
            | "answer"
    )
}

/// The length of a model's name that follows a product's, like ` Sonnet 4.5` or `-4o`.
fn model(text: &str) -> usize {
    let mut end = 0;
    for _ in 0..4 {
        let word = text[end..].strip_prefix([' ', '-']).unwrap_or_default();
        let len = word
            .find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '.')
            .unwrap_or(word.len());
        let word = word[..len].trim_end_matches('.');
        let is_date = word.len() == 4 && word.bytes().all(|byte| byte.is_ascii_digit());
        let is_version = word.bytes().any(|byte| byte.is_ascii_digit()) && !is_date;
        if !is_version && !MODEL_WORDS.contains(&word.to_ascii_lowercase().as_str()) {
            break;
        }
        end += 1 + word.len();
    }
    end
}
