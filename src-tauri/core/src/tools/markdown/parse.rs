//! A text taken apart into messages. Takes any text and never fails: what has no speaker is one message.

use super::speakers::{Mark, Style, mark};
use crate::session::{Millis, Role};

/// The lines at the beginning in which a file says what it was made of.
const HEAD: usize = 40;
/// The lines of front matter.
const MOST_FRONT: usize = 200;

/// The sites whose links name a conversation, and the paths that do.
const SITES: [&str; 9] = [
    "chatgpt.com",
    "chat.openai.com",
    "claude.ai",
    "gemini.google.com",
    "aistudio.google.com",
    "copilot.microsoft.com",
    "grok.com",
    "perplexity.ai",
    "chat.deepseek.com",
];
const PATHS: [&str; 6] = ["/c/", "/chat/", "/share/", "/app/", "/search/", "/a/"];

#[derive(Debug, Default)]
pub(super) struct Parsed {
    pub title: Option<String>,
    pub updated: Option<Millis>,
    /// The conversation's id, as the file states it.
    pub id: Option<String>,
    pub messages: Vec<Message>,
    /// The first message is what stands before the first speaker.
    pub has_preamble: bool,
    /// Two parties speak in it.
    pub has_speakers: bool,
    /// It says that it was made of a conversation.
    pub has_origin: bool,
}

#[derive(Debug, PartialEq)]
pub(super) struct Message {
    pub role: Role,
    /// The speaker as the file names it.
    pub speaker: String,
    pub time: Option<Millis>,
    pub text: String,
}

pub(super) fn parse(text: &str) -> Parsed {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines: Vec<&str> = text.lines().collect();
    let mut parsed = Parsed::default();
    let start = front_matter(&lines, &mut parsed);
    let is_code = code(&lines);
    let head = &lines[start..lines.len().min(start + HEAD)];
    let how = origin(head, &mut parsed);
    let marks = match how {
        Some(Origin::ClaudeCode) => glyphs(&lines, start),
        Some(Origin::Aider) => aider(&lines, start),
        _ => chosen(marks(&lines, &is_code, start), how.is_some()),
    };
    parsed.has_origin |= how.is_some();
    parsed.has_speakers = !marks.is_empty();
    let end = marks.first().map_or(lines.len(), |(line, _)| *line);
    let before = preamble(&lines[start..end], &mut parsed.title, !marks.is_empty());
    parsed.has_preamble = before.is_some() && !marks.is_empty();
    parsed.messages.extend(before);
    for (at, (line, mark)) in marks.iter().enumerate() {
        let end = marks.get(at + 1).map_or(lines.len(), |(next, _)| *next);
        parsed.messages.extend(message(mark, &lines[line + 1..end]));
    }
    let last = parsed
        .messages
        .iter()
        .filter_map(|message| message.time)
        .max();
    parsed.updated = last.max(parsed.updated);
    parsed
}

/// Reads `key: value` lines between `---`; returns the first line behind them.
fn front_matter(lines: &[&str], parsed: &mut Parsed) -> usize {
    if lines.first().is_none_or(|line| line.trim_end() != "---") {
        return 0;
    }
    let is_end = |line: &&&str| matches!(line.trim_end(), "---" | "...");
    let Some(n_lines) = lines
        .iter()
        .skip(1)
        .take(MOST_FRONT)
        .position(|line| is_end(&line))
    else {
        return 0;
    };
    for line in &lines[1..=n_lines] {
        let Some((key, value)) = line.split_once(':') else {
            continue;
        };
        let value = value.trim().trim_matches(['"', '\'']);
        match key.trim().to_ascii_lowercase().replace('-', "_").as_str() {
            _ if value.is_empty() => {}
            "title" => parsed.title = Some(value.to_owned()),
            "date" | "created" | "created_at" | "create_time" | "updated" | "updated_at"
            | "update_time" => {
                parsed.updated = time_in(value).max(parsed.updated);
            }
            "conversation_id" | "session_id" | "sessionid" | "chat_id" => {
                parsed.id = Some(value.to_owned());
                parsed.has_origin = true;
            }
            "source" | "url" | "link" => {
                if let Some(id) = linked(value) {
                    parsed.id.get_or_insert(id);
                    parsed.has_origin = true;
                }
            }
            _ => {}
        }
    }
    n_lines + 2
}

/// What wrote the file.
enum Origin {
    SpecStory,
    /// A service's page, or an export that says so.
    Exported,
    ClaudeCode,
    Aider,
}

fn origin(head: &[&str], parsed: &mut Parsed) -> Option<Origin> {
    for line in head {
        if line.starts_with("# aider chat started at") {
            parsed.updated = time_in(line);
            return Some(Origin::Aider);
        }
        // `▐▛███▜▌   Claude Code v2.0.31`, in a box in older versions.
        if line.contains("Claude Code v") && !line.is_ascii() {
            return Some(Origin::ClaudeCode);
        }
        let comment = line.trim().strip_prefix("<!--");
        let session = comment.and_then(|comment| comment.split_once(" Session "));
        if let Some(id) = session.and_then(|(_, rest)| uuid(rest)) {
            parsed.id = Some(id);
            return Some(Origin::SpecStory);
        }
        if comment.is_some_and(|comment| comment.contains("SpecStory")) {
            parsed.has_origin = true;
        }
        let lower = line.to_ascii_lowercase();
        if lower.starts_with("_exported on ") || lower.starts_with("**exported:**") {
            parsed.has_origin = true;
        }
        let names_link = ["**link", "link:", "source:", "url:", "[view", "> from:"];
        if names_link.iter().any(|start| lower.starts_with(start))
            && let Some(id) = linked(line)
        {
            parsed.id.get_or_insert(id);
            parsed.has_origin = true;
        }
    }
    parsed.has_origin.then_some(Origin::Exported)
}

/// The id in a link to a conversation of a service.
fn linked(text: &str) -> Option<String> {
    let site = SITES.iter().find_map(|site| {
        let at = text.find(site)?;
        Some(&text[at + site.len()..])
    })?;
    let path = PATHS
        .iter()
        .filter_map(|path| site.find(path).map(|at| &site[at + path.len()..]))
        .next()?;
    let end =
        path.find(|letter: char| !letter.is_ascii_alphanumeric() && !matches!(letter, '-' | '_'));
    let id = &path[..end.unwrap_or(path.len())];
    (8..=100).contains(&id.len()).then(|| id.to_owned())
}

fn uuid(text: &str) -> Option<String> {
    let is_part = |letter: char| letter.is_ascii_hexdigit() || letter == '-';
    let words = text.split(|letter: char| !is_part(letter));
    words
        .map(str::to_owned)
        .find(|word| word.len() == 36 && word.matches('-').count() == 4)
}

/// Whether each line is in a fenced code block, or one of its fences. An opening fence without a closing one does not
/// count: it would swallow all messages behind it.
fn code(lines: &[&str]) -> Vec<bool> {
    // The longest closing fence behind each line, of backticks and of tildes.
    let mut behind = vec![[0; 2]; lines.len() + 1];
    for (at, line) in lines.iter().enumerate().rev() {
        behind[at] = behind[at + 1];
        if let Some((kind, len, "")) = fence(line) {
            behind[at][kind] = behind[at][kind].max(len);
        }
    }
    let mut open: Option<(usize, usize)> = None;
    let mut is_code = Vec::with_capacity(lines.len());
    for (at, line) in lines.iter().enumerate() {
        match (open, fence(line)) {
            (Some((kind, len)), Some((of, closing, ""))) if of == kind && len <= closing => {
                open = None;
                is_code.push(true);
            }
            (Some(_), _) => is_code.push(true),
            (None, Some((kind, len, _))) if len <= behind[at + 1][kind] => {
                open = Some((kind, len));
                is_code.push(true);
            }
            (None, _) => is_code.push(false),
        }
    }
    is_code
}

/// A fence: backticks (0) or tildes (1), how many, and what follows.
fn fence(line: &str) -> Option<(usize, usize, &str)> {
    let inner = line.trim_start_matches(' ');
    if 3 < line.len() - inner.len() {
        return None;
    }
    ['`', '~']
        .into_iter()
        .enumerate()
        .find_map(|(kind, letter)| {
            let rest = inner.trim_start_matches(letter);
            let len = inner.len() - rest.len();
            let is_fence = 3 <= len && !(letter == '`' && rest.contains('`'));
            is_fence.then(|| (kind, len, rest.trim()))
        })
}

type Marks<'a> = Vec<(usize, Mark<'a>)>;

fn marks<'a>(lines: &[&'a str], is_code: &[bool], start: usize) -> Marks<'a> {
    let lines = lines.iter().enumerate().skip(start);
    lines
        .filter(|(at, _)| !is_code[*at])
        .filter_map(|(at, line)| Some((at, mark(line)?)))
        .collect()
}

/// The marks that are meant. Each party is marked in one way throughout; what looks like a mark in another way is
/// part of a message. Two parties must speak, or the file must say what it was made of.
fn chosen(mut marks: Marks<'_>, has_origin: bool) -> Marks<'_> {
    let styles = |marks: &Marks<'_>, role: Role| -> Vec<Style> {
        let mut found = Vec::new();
        let of_role = marks.iter().filter(|(_, mark)| mark.role == role);
        for (_, mark) in of_role {
            if !found.contains(&mark.style) {
                found.push(mark.style);
            }
        }
        found
    };
    let (users, others) = (styles(&marks, Role::User), styles(&marks, Role::Assistant));
    let strong = |styles: &[Style]| styles.iter().copied().find(|style| *style != Style::Plain);
    let both = users.iter().copied().filter(|style| others.contains(style));
    let both: Vec<Style> = both.collect();
    let pair = match (strong(&both), strong(&users), strong(&others)) {
        (Some(style), ..) => (style, style),
        (None, Some(user), Some(other)) => (user, other),
        (None, user, other) => match both.first() {
            Some(plain) => (*plain, *plain),
            None => match user.or(other).filter(|_| has_origin) {
                Some(only) => (only, only),
                None => return Vec::new(),
            },
        },
    };
    marks.retain(|(_, mark)| match mark.role {
        Role::User => mark.style == pair.0,
        Role::Assistant => mark.style == pair.1,
        _ => mark.style == pair.0 || mark.style == pair.1,
    });
    let n = |role: Role, sure: bool| {
        let of_role = marks.iter().filter(|(_, mark)| mark.role == role);
        of_role.filter(|(_, mark)| mark.is_sure || !sure).count()
    };
    // “## User” and “## Model” are also chapters of a document.
    let is_sure = 0 < n(Role::User, true) && 0 < n(Role::Assistant, true);
    let is_dialogue = 2 <= n(Role::User, false) && 2 <= n(Role::Assistant, false);
    match has_origin || is_sure || is_dialogue {
        true => marks,
        false => Vec::new(),
    }
}

/// What `/export` of Claude Code writes: `> ` or `❯ ` before a prompt, `● ` or `⏺ ` before an answer or a call.
fn glyphs<'a>(lines: &[&'a str], start: usize) -> Marks<'a> {
    let mut marks = Marks::new();
    let mut was_prompt = false;
    for (at, line) in lines.iter().enumerate().skip(start) {
        let prompt = ["> ", "❯ "]
            .iter()
            .find_map(|glyph| line.strip_prefix(glyph));
        let answer = ["● ", "⏺ "]
            .iter()
            .find_map(|glyph| line.strip_prefix(glyph));
        let found = match (prompt, answer) {
            (Some(rest), _) if !was_prompt => Some((Role::User, rest)),
            (_, Some(rest)) => Some((Role::Assistant, rest)),
            _ => None,
        };
        marks.extend(found.map(|(role, rest)| (at, of_role(role, rest))));
        was_prompt = prompt.is_some();
    }
    marks
}

/// The history file of aider: prompts are `#### ` headings, line by line; answers follow them.
fn aider<'a>(lines: &[&'a str], start: usize) -> Marks<'a> {
    let mut marks = Marks::new();
    let mut before = "";
    for (at, line) in lines.iter().enumerate().skip(start) {
        let prompt = line.strip_prefix("#### ");
        if let Some(rest) = prompt.filter(|_| !before.starts_with("####")) {
            marks.push((at, of_role(Role::User, rest)));
        } else if prompt.is_none() && before.starts_with("####") {
            marks.push((at, of_role(Role::Assistant, line)));
        } else if line.starts_with("# aider chat started at") {
            marks.push((at, of_role(Role::System, line)));
        }
        before = line;
    }
    marks
}

fn of_role(role: Role, rest: &str) -> Mark<'_> {
    Mark {
        style: Style::Plain,
        role,
        speaker: "",
        note: "",
        rest,
        is_sure: true,
    }
}

/// What stands before the first message, besides the title and what only says how the file was made.
fn preamble(lines: &[&str], title: &mut Option<String>, has_speakers: bool) -> Option<Message> {
    let mut kept = Vec::with_capacity(lines.len());
    for line in lines {
        let heading = line.strip_prefix("# ").map(str::trim);
        let is_title = heading.is_some_and(|heading| {
            title
                .get_or_insert_with(|| heading.to_owned())
                .starts_with(heading)
        });
        let is_comment = line.starts_with("<!--") && line.trim_end().ends_with("-->");
        if !(has_speakers && (is_title || is_comment)) {
            kept.push(*line);
        }
    }
    let text = trimmed(&kept);
    (!text.is_empty()).then_some(Message {
        role: Role::System,
        speaker: String::new(),
        time: None,
        text,
    })
}

fn message(mark: &Mark<'_>, lines: &[&str]) -> Option<Message> {
    let mut all = Vec::with_capacity(lines.len() + 1);
    let is_time = mark.rest.len() < 40 && time_in(mark.rest).is_some();
    all.extend(Some(mark.rest).filter(|rest| !rest.is_empty() && !is_time));
    all.extend(lines);
    let text = trimmed(&all);
    (!text.is_empty()).then(|| Message {
        role: mark.role,
        speaker: mark.speaker.to_owned(),
        time: time_in(mark.note).or_else(|| time_in(mark.rest).filter(|_| is_time)),
        text,
    })
}

/// The lines without those at both ends that are empty or separate messages.
fn trimmed(lines: &[&str]) -> String {
    let is_empty = |line: &&str| {
        let line = line.trim();
        let is_rule = 3 <= line.len()
            && ['-', '*', '_']
                .iter()
                .any(|letter| line.chars().all(|one| one == *letter));
        line.is_empty() || is_rule
    };
    let start = lines
        .iter()
        .position(|line| !is_empty(line))
        .unwrap_or(lines.len());
    let end = lines
        .iter()
        .rposition(|line| !is_empty(line))
        .map_or(start, |at| at + 1);
    lines[start..end].join("\n")
}

/// The first time in a text: `2025-10-01`, with a time of the day and a zone if they are there. Without a zone, UTC.
pub(super) fn time_in(text: &str) -> Option<Millis> {
    let bytes = text.as_bytes();
    let is_date = |window: &[u8]| {
        let digits = [0, 1, 2, 3, 5, 6, 8, 9];
        digits.iter().all(|at| window[*at].is_ascii_digit())
            && window[4] == b'-'
            && window[7] == b'-'
    };
    let at = bytes.windows(10).position(is_date)?;
    let (date, rest) = (&text[at..at + 10], &text[at + 10..]);
    let rest = rest.strip_prefix(['T', ' ', '_']).unwrap_or("");
    let is_clock = |letter: char| letter.is_ascii_digit() || matches!(letter, ':' | '.');
    let end = rest
        .find(|letter: char| !is_clock(letter))
        .unwrap_or(rest.len());
    let (clock, after) = rest.split_at(end);
    let after = after.strip_prefix(' ').unwrap_or(after);
    let zone = after
        .get(..6)
        .filter(|zone| zone.starts_with(['+', '-']) && zone.as_bytes()[3] == b':');
    let clock = match clock.matches(':').count() {
        1 => format!("{clock}:00"),
        2 => clock.to_owned(),
        _ => "00:00:00".into(),
    };
    Millis::parse(&format!("{date}T{clock}{}", zone.unwrap_or("Z")))
}
