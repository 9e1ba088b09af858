//! Canvases of a conversation: documents that ChatGPT writes beside it, with calls of `canmore.create_textdoc` and
//! `canmore.update_textdoc`. An export has the calls, and in the answers to them each canvas's id, not its content. The
//! content is made of the calls, as far as their patterns are plain text; one that is a regular expression is shown
//! as it is.
//!
//! Arguments of the calls as the tool's description has them, read in public places on 2026-11-29: `name`, `type`
//! (`document` or `code/<language>`) and `content`; `updates` of `pattern`, `multiple` and `replacement`.

use crate::merge::transcript::Piece;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

const CREATE: &str = "canmore.create_textdoc";
const UPDATE: &str = "canmore.update_textdoc";
/// Patterns by which a canvas is rewritten whole.
const WHOLE: [&str; 6] = [".*", "(?s).*", "^.*$", "(?s)^.*$", "[\\s\\S]*", "[\\s\\S]+"];
/// The bytes that are searched, and those that are shown, in all canvases of a conversation: a call of some bytes may
/// ask for any number of replacements.
const MOST_WORK: usize = 256 << 20;
const MOST_SHOWN: usize = 64 << 20;

/// The canvases of a conversation, while its messages are gone through.
#[derive(Default)]
pub(super) struct Canvases {
    by_id: BTreeMap<String, Canvas>,
    work: usize,
}

struct Canvas {
    title: String,
    kind: String,
    /// `None`: a change could not be applied.
    content: Option<String>,
    /// The record of the last change, if that change does not show the whole content.
    partly: Option<usize>,
}

impl Canvases {
    /// What a message does to a canvas, for its record `at`; `None` if it is no such call. `answer` is the tool's.
    /// A message of another branch (without `at`) changes no canvas of the branch that is shown.
    pub fn call(
        &mut self,
        message: &Map<String, Value>,
        answer: Option<&Value>,
        at: Option<usize>,
    ) -> Option<Value> {
        let recipient = message.get("recipient")?.as_str()?;
        if recipient != CREATE && recipient != UPDATE {
            return None;
        }
        let content = message.get("content")?;
        let text = content.get("text").or_else(|| content.pointer("/parts/0"));
        let call: Value = serde_json::from_str(text?.as_str()?).ok()?;
        let told = answer.and_then(|answer| answer.pointer("/metadata/canvas"));
        match recipient {
            CREATE => self.create(&call, told, at),
            _ => self.update(&call, told, at),
        }
    }

    fn create(&mut self, call: &Value, told: Option<&Value>, at: Option<usize>) -> Option<Value> {
        let canvas = Canvas {
            title: text(call, "name"),
            kind: text(call, "type"),
            content: Some(call.get("content")?.as_str()?.to_owned()),
            partly: None,
        };
        let shown = json!({
            "title": canvas.title, "kind": canvas.kind, "content": canvas.content,
        });
        if at.is_some() {
            self.by_id.insert(id(told), canvas);
        }
        Some(shown)
    }

    fn update(&mut self, call: &Value, told: Option<&Value>, at: Option<usize>) -> Option<Value> {
        let updates = call.get("updates")?.as_array()?;
        let whole = rewritten(updates);
        let known = self.by_id.get_mut(&id(told));
        let (title, kind) = match (&known, told) {
            (Some(canvas), _) => (canvas.title.clone(), canvas.kind.clone()),
            (None, Some(told)) => (text(told, "title"), text(told, "textdoc_type")),
            (None, None) => Default::default(),
        };
        if let (Some(canvas), Some(at)) = (known, at) {
            canvas.partly = whole.is_none().then_some(at);
            canvas.content = match whole {
                Some(whole) => Some(whole.to_owned()),
                None => (canvas.content.take())
                    .and_then(|content| applied(content, updates, &mut self.work)),
            };
        }
        Some(match whole {
            Some(content) => json!({ "title": title, "kind": kind, "content": content }),
            None => json!({ "title": title, "kind": kind, "updates": updates }),
        })
    }

    /// The content of each canvas whose last change does not show it, with the record of that change.
    pub fn finals(self) -> Vec<(usize, String)> {
        let mut left = MOST_SHOWN;
        let finals = self.by_id.into_values();
        finals
            .filter_map(|canvas| canvas.partly.zip(canvas.content))
            .filter(|(_, content)| {
                let fits = content.len() <= left;
                left -= if fits { content.len() } else { 0 };
                fits
            })
            .collect()
    }
}

fn text(value: &Value, name: &str) -> String {
    let text = value.get(name).and_then(Value::as_str);
    text.unwrap_or_default().to_owned()
}

/// The canvas's id in the tool's answer.
fn id(told: Option<&Value>) -> String {
    told.map(|told| text(told, "textdoc_id"))
        .unwrap_or_default()
}

/// The content, if one of the updates replaces all of it.
fn rewritten(updates: &[Value]) -> Option<&str> {
    let [update] = updates else {
        return None;
    };
    let pattern = update.get("pattern")?.as_str()?;
    WHOLE
        .contains(&pattern)
        .then(|| update.get("replacement")?.as_str())?
}

/// The content after the updates; `None` if one of them cannot be applied.
fn applied(mut content: String, updates: &[Value], work: &mut usize) -> Option<String> {
    for update in updates {
        let pattern = plain(update.get("pattern")?.as_str()?)?;
        let replacement = update.get("replacement")?.as_str()?;
        // A reference to a group, which a plain pattern does not have, or an escape.
        if replacement.contains('\\') || !content.contains(&pattern) {
            return None;
        }
        let n = match update.get("multiple").and_then(Value::as_bool) {
            Some(true) => content.matches(&pattern).count(),
            _ => 1,
        };
        let len = content
            .len()
            .saturating_add(n.saturating_mul(replacement.len()));
        *work = work.saturating_add(len);
        if MOST_WORK < *work {
            return None;
        }
        content = content.replacen(&pattern, replacement, n);
    }
    Some(content)
}

/// The text that a pattern matches, if it matches just one.
fn plain(pattern: &str) -> Option<String> {
    let mut text = String::with_capacity(pattern.len());
    let mut letters = pattern.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => match letters.next()? {
                'n' => text.push('\n'),
                't' => text.push('\t'),
                escaped if escaped.is_alphanumeric() => return None,
                escaped => text.push(escaped),
            },
            '.' | '^' | '$' | '*' | '+' | '?' | '{' | '}' | '[' | ']' | '|' | '(' | ')' => {
                return None;
            }
            letter => text.push(letter),
        }
    }
    (!text.is_empty()).then_some(text)
}

/// How a record's canvas is shown: the title, the language, and the content or the change.
pub(super) fn pieces(canvas: &Value) -> Vec<Piece<'_>> {
    let text = |name: &str| canvas.get(name).and_then(Value::as_str);
    let title = text("title")
        .filter(|title| !title.is_empty())
        .unwrap_or("without a title");
    let kind = text("kind").unwrap_or_default();
    let language = kind.strip_prefix("code/");
    let mut shown = vec![match language {
        Some(language) => Piece::new("text", format!("Canvas “{title}” ({language}):")),
        None => Piece::new("text", format!("Canvas “{title}”:")),
    }];
    let body = |content: &str| match language {
        Some(language) => Piece::new("text", fenced(content, language)),
        None => Piece::new("text", content.to_owned()),
    };
    shown.extend(text("content").map(body));
    for update in canvas
        .get("updates")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let text = |name: &str| update.get(name).and_then(Value::as_str).unwrap_or_default();
        let change = format!(
            "Changed, where it matches\n\n{}\n\nto\n\n{}",
            fenced(text("pattern"), "regex"),
            fenced(text("replacement"), language.unwrap_or("text"))
        );
        shown.push(Piece::new("text", change));
    }
    if let Some(content) = text("final") {
        shown.push(Piece::new("text", "The whole canvas after all changes:"));
        shown.push(body(content));
    }
    shown
}

/// A code block whose fence nothing in it ends.
fn fenced(text: &str, language: &str) -> String {
    let longest = text
        .split(|letter| letter != '`')
        .map(str::len)
        .max()
        .unwrap_or(0);
    let fence = "`".repeat(3.max(longest + 1));
    let plain = |letter: &char| letter.is_ascii_alphanumeric() || matches!(letter, '+' | '#' | '-');
    let language: String = language.chars().filter(plain).take(20).collect();
    format!(
        "{fence}{language}\n{}\n{fence}",
        text.trim_end_matches('\n')
    )
}
