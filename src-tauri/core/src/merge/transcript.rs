//! Extracts readable messages from the raw lines of any tool that writes JSON. Tolerant and for
//! display only: no merge depends on it. Formats particular to a tool are read in its adapter, with
//! the parts from here.

use crate::session::chain::lines_of;
use crate::session::{Role, gap, records};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::borrow::Cow;

/// Finds the message in a record; `None` for a record that is no message. A result without pieces
/// is no message either, but a note: its model gives the answers after it, its tokens belong to the
/// answer before it.
pub type MessageReader = for<'a> fn(&'a Value) -> Option<ParsedMessage<'a>>;

/// Longer targets of a call are cut: a command may be a whole script.
const TARGET: usize = 300;

/// A message among a log's records.
#[derive(Clone, Debug, PartialEq)]
pub struct ParsedMessage<'a> {
    pub role: Role,
    /// The time as the tool wrote it.
    pub at: Option<&'a str>,
    /// The record's own id, if it has one.
    pub id: Option<&'a str>,
    pub pieces: Vec<Piece<'a>>,
    /// The model that answered, and what the answer cost, if the record says so.
    pub model: Option<&'a str>,
    pub tokens: Option<Tokens>,
}

/// Tokens of one answer of the model. A tool that writes an answer as several records repeats them
/// with each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct Tokens {
    /// What the model read, with all that came from a cache.
    pub input: u64,
    pub output: u64,
}

/// One complete part of a message.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Piece<'a> {
    /// `text`, `thinking`, `tool_use`, `tool_result`, `image`, `compaction`, or the tool's own
    /// kind.
    pub kind: &'a str,
    /// The text, the thought, a tool's input or result; for an image, its base64 bytes or its
    /// address.
    pub body: Cow<'a, str>,
    /// The tool that was called.
    pub name: Option<&'a str>,
    /// The target of the call in one line: a file, a command.
    pub target: Option<String>,
    /// The id that a call and its result share.
    pub call_id: Option<&'a str>,
    pub is_error: bool,
    /// The media type of an image whose bytes are included.
    pub media: Option<&'a str>,
    /// The doc of the session that may hold the transcript of the sub-agent that the call ran: a name
    /// as the record has it.
    pub doc: Option<String>,
}

/// A piece as listed: the beginning of its body, and its length.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct Part {
    pub kind: String,
    /// Length of the whole body.
    pub bytes: u64,
    /// The beginning of the body; empty for an image.
    pub text: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub target: Option<String>,
    /// The id that a call and its result share, if the tool writes one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub call_id: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_error: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub media: Option<String>,
    /// The doc of the session with the transcript of the sub-agent that the call ran; for
    /// `show_doc`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub doc: Option<String>,
}

impl<'a> ParsedMessage<'a> {
    /// A message of these pieces, with the record's own time and id.
    pub fn of(record: &'a Value, role: Role, pieces: Vec<Piece<'a>>) -> Option<Self> {
        let text_at = |name: &str| record.get(name).and_then(Value::as_str);
        let found = Self {
            role,
            at: text_at("timestamp"),
            id: text_at("uuid"),
            pieces,
            model: model_in(record),
            tokens: tokens_in(record),
        };
        (!found.pieces.is_empty()).then_some(found)
    }

    /// What a record that is no message says about the answers around it.
    pub fn note(model: Option<&'a str>, tokens: Option<Tokens>) -> Self {
        Self {
            role: Role::System,
            at: None,
            id: None,
            pieces: Vec::new(),
            model,
            tokens,
        }
    }

    pub fn is_note(&self) -> bool {
        self.pieces.is_empty()
    }

    /// The first characters of [`Self::text`].
    pub fn beginning(&self, most: usize) -> String {
        let (mut text, mut left) = (String::new(), most);
        for words in self.pieces.iter().map(Piece::words) {
            if words.is_empty() {
                continue;
            }
            if !text.is_empty() && 0 < left {
                text.push('\n');
                left -= 1;
            }
            let end = words
                .char_indices()
                .nth(left)
                .map_or(words.len(), |(end, _)| end);
            let shown = &words[..end];
            text.push_str(shown);
            left -= shown.chars().count();
            if left == 0 {
                break;
            }
        }
        text
    }

    /// The whole message as one text; calls and images become a word in brackets.
    pub fn text(&self) -> String {
        self.pieces
            .iter()
            .map(Piece::words)
            .filter(|text| !text.is_empty())
            .collect::<Vec<_>>()
            .join("\n")
    }
}

impl<'a> Piece<'a> {
    pub fn new(kind: &'a str, body: impl Into<Cow<'a, str>>) -> Self {
        Self {
            kind,
            body: body.into(),
            ..Self::default()
        }
    }

    /// A call of a tool with this input.
    pub fn call(name: &'a str, input: impl Into<Cow<'a, str>>, target: Option<&str>) -> Self {
        Self {
            name: Some(name),
            target: target.and_then(one_line),
            ..Self::new("tool_use", input)
        }
    }

    /// The same piece with the id that a call and its result share.
    pub fn with_call_id(self, call_id: Option<&'a str>) -> Self {
        Self {
            call_id: call_id.filter(|id| !id.is_empty()),
            ..self
        }
    }

    /// An image given as `data:image/png;base64,…`, or by an address, which is not fetched.
    pub fn image_at(address: &'a str) -> Self {
        let inline = address
            .strip_prefix("data:")
            .and_then(|rest| rest.split_once(";base64,"));
        match inline {
            Some((media, data)) => Self {
                media: Some(media),
                ..Self::new("image", data)
            },
            None => Self::new("image", address),
        }
    }

    /// Size of the body in bytes; for an image, of the picture itself.
    pub fn bytes(&self) -> u64 {
        let length = self.body.len() as u64;
        if self.media.is_none() {
            return length;
        }
        let padding = self
            .body
            .bytes()
            .rev()
            .take(2)
            .filter(|byte| *byte == b'=')
            .count() as u64;
        (length / 4 * 3).saturating_sub(padding)
    }

    /// The beginning of the body, at most `most` bytes.
    pub fn part(&self, most: usize) -> Part {
        let shown = if self.kind == "image" {
            ""
        } else {
            beginning(&self.body, most)
        };
        Part {
            kind: self.kind.to_owned(),
            bytes: self.bytes(),
            text: shown.to_owned(),
            name: self.name.map(str::to_owned),
            target: self.target.clone(),
            call_id: self.call_id.map(str::to_owned),
            is_error: self.is_error,
            media: self.media.map(str::to_owned),
            doc: self.doc.clone(),
        }
    }

    fn words(&self) -> Cow<'_, str> {
        match (self.kind, self.name, &self.target) {
            ("tool_use", name, Some(target)) => {
                format!("[{}] {target}", name.unwrap_or("tool")).into()
            }
            ("tool_use", name, None) => format!("[{}]", name.unwrap_or("tool")).into(),
            ("image", ..) => "[image]".into(),
            _ => Cow::Borrowed(&self.body),
        }
    }
}

/// The first bytes of a text, without cutting a character.
pub fn beginning(text: &str, most: usize) -> &str {
    let mut end = most.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// The first line of a text that is not empty.
fn one_line(text: &str) -> Option<String> {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty())?;
    Some(beginning(line, TARGET).to_owned())
}

/// The message in a record of the shapes that most tools share.
pub fn read_message(record: &Value) -> Option<ParsedMessage<'_>> {
    // The message is the record itself, or wrapped as `message` or `payload`.
    let inner = record
        .get("message")
        .or_else(|| record.get("payload"))
        .unwrap_or(record);
    let pieces = pieces_of(inner.get("content")?);
    let answers = pieces.iter().any(|piece| piece.kind == "tool_result");
    let role = match inner.get("role").and_then(Value::as_str)? {
        _ if answers => Role::Tool,
        "user" | "human" => Role::User,
        "assistant" | "model" => Role::Assistant,
        "tool" | "function" => Role::Tool,
        _ => Role::System,
    };
    ParsedMessage::of(record, role, pieces)
}

/// A record, or the message in it: the two places of a model and of tokens.
fn with_inner(record: &Value) -> impl Iterator<Item = &Value> {
    let inner = ["message", "info"]
        .into_iter()
        .filter_map(|name| record.get(name));
    inner.chain([record])
}

/// The value at the end of a path of names. As `Value::pointer`, without a copy of each name.
fn value_at<'v>(value: &'v Value, path: &[&str]) -> Option<&'v Value> {
    path.iter().try_fold(value, |value, name| value.get(*name))
}

/// A name in angle brackets is a tool's own: an answer that no model gave.
fn model_in(record: &Value) -> Option<&str> {
    const NAMES: [&[&str]; 4] = [
        &["model"],
        &["modelID"],
        &["modelInfo", "id"],
        &["modelInfo", "modelId"],
    ];
    with_inner(record)
        .find_map(|place| {
            NAMES
                .iter()
                .find_map(|name| value_at(place, name)?.as_str())
        })
        .filter(|model| !model.is_empty() && !model.starts_with('<'))
}

/// `usage` as the model's interface counts it, `tokens` with the sums of a cache apart, or the sums
/// of an answer as a whole.
fn tokens_in(record: &Value) -> Option<Tokens> {
    /// A member, and what it says was read and written.
    type Counts = (
        &'static str,
        &'static [&'static [&'static str]],
        &'static [&'static str],
    );
    const COUNTS: [Counts; 4] = [
        (
            "usage",
            &[
                &["input_tokens"],
                &["cache_creation_input_tokens"],
                &["cache_read_input_tokens"],
            ],
            &["output_tokens"],
        ),
        (
            "tokens",
            &[&["input"], &["cache", "read"], &["cache", "write"]],
            &["output", "reasoning"],
        ),
        ("metrics", &[&["inputTokens"]], &["outputTokens"]),
        ("tokenCount", &[&["inputTokens"]], &["outputTokens"]),
    ];
    with_inner(record).find_map(|place| {
        let (mut input, mut output) = (0_u64, 0_u64);
        for (name, read, written) in COUNTS {
            let Some(counts) = place.get(name) else {
                continue;
            };
            let number =
                |path: &[&str]| value_at(counts, path).and_then(Value::as_u64).unwrap_or(0);
            input = { read.iter() }.fold(input, |sum, path| sum.saturating_add(number(path)));
            output =
                { written.iter() }.fold(output, |sum, name| sum.saturating_add(number(&[name])));
        }
        (0 < input || 0 < output).then_some(Tokens { input, output })
    })
}

/// The pieces of a message's content; empty pieces are left out.
pub fn pieces_of(content: &Value) -> Vec<Piece<'_>> {
    let mut found = Vec::new();
    match content {
        Value::String(text) => found.push(Piece::new("text", text.as_str())),
        Value::Array(parts) => parts.iter().for_each(|part| push_piece(part, &mut found)),
        _ => {}
    }
    // Calls and results without text are kept: they are events too.
    found
        .retain(|piece| !piece.body.is_empty() || matches!(piece.kind, "tool_use" | "tool_result"));
    found
}

fn push_piece<'a>(part: &'a Value, found: &mut Vec<Piece<'a>>) {
    let field = |name: &str| part.get(name).and_then(Value::as_str);
    match field("type") {
        Some("tool_use") => found.push(call_of(part)),
        Some("tool_result") => push_result(part, found),
        Some("image" | "input_image" | "image_url") => found.extend(image_of(part)),
        Some("text" | "input_text" | "output_text") | None => {
            found.extend(field("text").map(|text| Piece::new("text", text)));
        }
        Some("thinking") => {
            found.extend(field("thinking").map(|text| Piece::new("thinking", text)))
        }
        Some(other) => found.extend(field("text").map(|text| Piece::new(other, text))),
    }
}

fn call_of(part: &Value) -> Piece<'_> {
    let text = |name: &str| part.get(name).and_then(Value::as_str);
    let name = text("name").unwrap_or("tool");
    let call = match part.get("input") {
        Some(input) => Piece::call(name, input.to_string(), target_in(input).as_deref()),
        None => Piece::call(name, "", None),
    };
    call.with_call_id(text("id"))
}

fn push_result<'a>(part: &'a Value, found: &mut Vec<Piece<'a>>) {
    let is_error = part
        .get("is_error")
        .and_then(Value::as_bool)
        .unwrap_or(false);
    let inside = part.get("content").map(pieces_of).unwrap_or_default();
    let (images, texts): (Vec<_>, Vec<_>) =
        inside.into_iter().partition(|piece| piece.kind == "image");
    let body = match <[Piece<'a>; 1]>::try_from(texts) {
        Ok([only]) => only.body,
        Err(texts) => texts
            .iter()
            .map(|piece| &*piece.body)
            .collect::<Vec<_>>()
            .join("\n")
            .into(),
    };
    found.push(Piece {
        is_error,
        call_id: part.get("tool_use_id").and_then(Value::as_str),
        ..Piece::new("tool_result", body)
    });
    found.extend(images);
}

/// `{"source": {"type": "base64", "media_type", "data"}}`, `{"image_url": "data:…"}` or
/// `{"image_url": {"url"}}`.
fn image_of(part: &Value) -> Option<Piece<'_>> {
    if let Some(source) = part.get("source") {
        let text = |name: &str| source.get(name).and_then(Value::as_str);
        return Some(match text("data") {
            Some(data) => Piece {
                media: text("media_type").or(Some("image/png")),
                ..Piece::new("image", data)
            },
            None => Piece::new("image", text("url")?),
        });
    }
    let address = part.get("image_url")?;
    Some(Piece::image_at(
        address.as_str().or_else(|| address.get("url")?.as_str())?,
    ))
}

/// What a call is about: the file, the command, the search words.
pub fn target_in(input: &Value) -> Option<Cow<'_, str>> {
    const NAMES: [&str; 13] = [
        "file_path",
        "path",
        "notebook_path",
        "filename",
        "command",
        "cmd",
        "pattern",
        "query",
        "url",
        "skill",
        "description",
        "prompt",
        "subject",
    ];
    NAMES.iter().find_map(|name| match input.get(name)? {
        Value::String(text) => Some(Cow::Borrowed(text.as_str())),
        Value::Array(words) => {
            let words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
            (!words.is_empty()).then(|| words.join(" ").into())
        }
        _ => None,
    })
}

/// The message in a record, without notes.
pub fn said_in(record: &Value, reader: MessageReader) -> Option<ParsedMessage<'_>> {
    read_in(record, reader).filter(|said| !said.is_note())
}

/// The message or the note in a record found by [`records`]. A damaged record is shown as far as possible and
/// marked as damaged; no record vanishes.
///
/// [`records`]: crate::session::records
pub fn read_in(record: &Value, reader: MessageReader) -> Option<ParsedMessage<'_>> {
    if let Some(bytes) = gap::bytes_of(record) {
        let words = format!(
            "record of {bytes} bytes, too large to sync; it is on the device that wrote it"
        );
        return Some(ParsedMessage {
            role: Role::System,
            at: None,
            id: None,
            pieces: vec![Piece::new("text", words)],
            model: None,
            tokens: None,
        });
    }
    let Some(records::Damage { bytes, lost }) = records::damage(record) else {
        return reader(record);
    };
    match reader(record).filter(|said| !said.is_note()) {
        Some(mut said) => {
            said.pieces.extend((0 < lost).then(|| unreadable(lost)));
            Some(said)
        }
        None => Some(ParsedMessage {
            role: Role::System,
            at: None,
            id: None,
            pieces: vec![unreadable(bytes)],
            model: None,
            tokens: None,
        }),
    }
}

fn unreadable(bytes: u64) -> Piece<'static> {
    Piece::new("text", format!("unreadable record, {bytes} bytes"))
}

/// Calls `each` with every message of a log.
pub fn messages(bytes: &[u8], reader: MessageReader, mut each: impl FnMut(&ParsedMessage<'_>)) {
    for record in lines_of(bytes).flat_map(records::records) {
        said_in(&record.value, reader).iter().for_each(&mut each);
    }
}

/// The records in a document that is rewritten whole: its elements, or those of its longest list.
pub fn records(bytes: &[u8]) -> Vec<Value> {
    let list = |value: Value| match value {
        Value::Array(items) => items,
        _ => Vec::new(),
    };
    let (whole, damage) = records::document(bytes);
    let mut found = match whole {
        Value::Object(fields) => fields
            .into_iter()
            .map(|(_, value)| list(value))
            .max_by_key(Vec::len),
        value => Some(list(value)),
    }
    .unwrap_or_default();
    if let Some(damage) = damage {
        let last = found.pop().map(records::cut_off);
        found.extend(last);
        found.extend(missing(damage, found.is_empty()));
    }
    found
}

/// A placeholder for the missing rest of a document that is truncated or unreadable.
pub fn missing(damage: records::Damage, is_all: bool) -> Option<Value> {
    let bytes = if is_all { damage.bytes } else { damage.lost };
    (0 < bytes).then(|| records::unreadable(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_beginning_of_a_message_is_that_of_its_text() {
        let image = Piece::image_at("x");
        let call = Piece::call("Read", "", Some("a.rs"));
        let text = |words: &'static str| Piece::new("text", words);
        let all = [text("Größe"), text(""), call, image, text("日本")];
        for n in 0..=all.len() {
            let said = ParsedMessage {
                pieces: all[..n].to_vec(),
                ..ParsedMessage::note(None, None)
            };
            for most in 0..40 {
                let wanted: String = said.text().chars().take(most).collect();
                assert_eq!(said.beginning(most), wanted, "{most} of {n} parts");
            }
        }
    }

    #[test]
    fn messages_of_two_shapes_are_read_and_notes_are_passed_over() {
        let log = concat!(
            r#"{"type":"user","uuid":"u1","timestamp":"T","message":{"role":"user","content":"hello"}}"#,
            "\n",
            "not json\n",
            r#"{"type":"last-prompt","lastPrompt":"hello"}"#,
            "\n",
            r#"{"type":"user","message":{"role":"user","content":[{"type":"tool_result","content":"42"}]}}"#,
            "\n",
            r#"{"type":"response_item","payload":{"type":"message","role":"assistant","content":[{"type":"output_text","text":"hi"}]}}"#,
            "\n",
        );
        let mut found = Vec::new();
        messages(log.as_bytes(), read_message, |said| {
            found.push((said.role, said.text(), said.id.map(str::to_owned)))
        });
        let first = (Role::User, "hello".to_owned(), Some("u1".to_owned()));
        let damaged = (Role::System, "unreadable record, 8 bytes".into(), None);
        assert_eq!(
            found,
            [
                first,
                damaged,
                (Role::Tool, "42".into(), None),
                (Role::Assistant, "hi".into(), None)
            ]
        );
    }

    /// Field 12: content that a strict parser refuses was never shown.
    #[test]
    fn a_damaged_record_is_shown_as_far_as_it_can_be() {
        let said_of = |log: &[u8]| {
            let mut found = Vec::new();
            messages(log, read_message, |said| {
                found.push((said.role, said.text()))
            });
            found
        };
        let cut = br#"{"message":{"role":"user","content":"Hello wor"#;
        assert_eq!(said_of(cut), [(Role::User, "Hello wor".to_owned())]);
        let broken = br#"{"message":{"role":"user","content":"Hello" and more"#;
        assert_eq!(
            said_of(broken),
            [(Role::User, "Hello\nunreadable record, 8 bytes".to_owned())]
        );
        assert_eq!(
            said_of(b"{\"message\":{\"ro"),
            [(Role::System, "unreadable record, 15 bytes".to_owned())]
        );
    }

    fn parts(content: &Value, most: usize) -> Vec<Part> {
        pieces_of(content)
            .iter()
            .map(|piece| piece.part(most))
            .collect()
    }

    #[test]
    fn a_message_is_told_apart_into_what_it_is_made_of() {
        let content = json!([
            { "type": "thinking", "thinking": "Hm.", "signature": "x" },
            { "type": "text", "text": "Grüße" },
            { "type": "text", "text": "" },
            { "type": "tool_use", "id": "t", "name": "Edit", "input": { "old_string": "a", "file_path": "src/a.rs" } },
            { "type": "tool_use", "name": "Think" },
        ]);
        let found = parts(&content, 3);
        let short: Vec<_> = found
            .iter()
            .map(|part| (part.kind.as_str(), part.bytes, part.text.as_str()))
            .collect();
        // A cut never splits a character.
        assert_eq!(short[..2], [("thinking", 3, "Hm."), ("text", 7, "Gr")]);
        assert_eq!(
            (found[2].name.as_deref(), found[2].target.as_deref()),
            (Some("Edit"), Some("src/a.rs"))
        );
        assert_eq!((found[2].bytes, found.len()), (41, 4));
        let record = json!({ "role": "assistant", "content": content });
        assert_eq!(
            read_message(&record).expect("a message").text(),
            "Hm.\nGrüße\n[Edit] src/a.rs\n[Think]"
        );
    }

    #[test]
    fn what_a_tool_answered_keeps_its_pictures_apart() {
        let image = json!({ "type": "image", "source": { "type": "base64", "media_type": "image/png", "data": "QUJDRA==" } });
        let content = json!([{ "type": "tool_result", "is_error": true, "content": [
            { "type": "text", "text": "one" }, image, { "type": "text", "text": "two" }] }]);
        let found = parts(&content, 100);
        assert_eq!(
            (found[0].text.as_str(), found[0].is_error, found[0].bytes),
            ("one\ntwo", true, 7)
        );
        assert_eq!(
            (
                found[1].media.as_deref(),
                found[1].bytes,
                found[1].text.as_str()
            ),
            (Some("image/png"), 4, "")
        );
    }

    #[test]
    fn an_empty_answer_of_a_tool_is_still_one() {
        let found = parts(&json!([{ "type": "tool_result", "content": "" }]), 100);
        assert_eq!(
            (found.len(), found[0].bytes, found[0].name.as_deref()),
            (1, 0, None)
        );
    }

    #[test]
    fn a_call_and_its_result_share_an_id() {
        let content = json!([{ "type": "tool_use", "id": "t1", "name": "Read" },
            { "type": "tool_result", "tool_use_id": "t1", "content": "one" }]);
        let found = parts(&content, 100);
        assert_eq!(
            (found[0].call_id.as_deref(), found[1].call_id.as_deref()),
            (Some("t1"), Some("t1"))
        );
    }

    #[test]
    fn the_model_and_the_tokens_of_an_answer_are_read() {
        let of = |record: &Value| {
            let said = read_message(record).expect("a message");
            (said.model.map(str::to_owned), said.tokens)
        };
        let usage = json!({ "input_tokens": 2, "cache_read_input_tokens": 40, "output_tokens": 7 });
        let answer = json!({ "message": { "role": "assistant", "content": "hi", "model": "m-1", "usage": usage } });
        let tokens = Tokens {
            input: 42,
            output: 7,
        };
        assert_eq!(of(&answer), (Some("m-1".into()), Some(tokens)));
        let whole = json!({ "role": "assistant", "content": "hi", "metrics": { "inputTokens": 42, "outputTokens": 7 } });
        assert_eq!(of(&whole), (None, Some(tokens)));
        // An answer that the tool wrote itself, and values that are not numbers.
        let own = json!({ "role": "assistant", "content": "hi", "model": "<synthetic>", "usage": { "output_tokens": -1 } });
        assert_eq!(of(&own), (None, None));
        let endless = json!({ "role": "assistant", "content": "hi",
            "usage": { "input_tokens": u64::MAX, "cache_read_input_tokens": u64::MAX } });
        assert_eq!(of(&endless).1.map(|tokens| tokens.input), Some(u64::MAX));
    }

    #[test]
    fn a_picture_by_address_is_not_followed() {
        let content = json!([{ "type": "input_image", "image_url": "data:image/gif;base64,QUJD" },
            { "type": "image", "source": { "type": "url", "url": "https://x.example/a.png" } }]);
        let found = parts(&content, 100);
        assert_eq!(
            (found[0].media.as_deref(), found[0].bytes),
            (Some("image/gif"), 3)
        );
        assert_eq!(found[1].media, None);
    }

    #[test]
    fn a_command_of_many_lines_is_one_line() {
        let call = call_of(&json!({})).part(9).name;
        assert_eq!(call.as_deref(), Some("tool"));
        let input = json!({ "name": "Bash", "input": { "command": format!("\n  cat <<X\n{}", "y".repeat(900)) } });
        assert_eq!(call_of(&input).target.as_deref(), Some("cat <<X"));
        let long = json!({ "name": "Bash", "input": { "command": ["echo", "ü".repeat(900)] } });
        assert_eq!(call_of(&long).target.map(|target| target.len()), Some(299));
    }
}
