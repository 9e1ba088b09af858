//! A question as people type it: words, "phrases", prefix*, -without, and `field:value`.

use crate::tokens::{For, LONGEST, Pieces};
use crate::{Role, dates};
use jiff::Zoned;

/// A part of a question that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct QueryError {
    /// Where it is in the question, in bytes.
    pub at: usize,
    pub len: usize,
    /// What is wrong and what would be right, in sentences.
    pub message: String,
}

/// The wanted words, and as many unwanted ones, at most: each has one of 32 bits.
pub const MOST_WORDS: usize = 16;
const LONGEST_QUESTION: usize = 2_000;

/// What is looked for in messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// The terms, in a row: several for `snake_case` and phrases.
    pub parts: Vec<String>,
    /// The terms with identifiers left whole, where that differs: `HttpServer` is one.
    pub undivided: Vec<String>,
    /// The terms as one, where it is one identifier.
    pub whole: Option<String>,
    /// The last part is the beginning of a word.
    pub prefix: bool,
    /// It ends in `*`: not only because it is the last one.
    pub asks_prefix: bool,
    /// In quotation marks: exactly that.
    pub exact: bool,
    /// Only in names of files.
    pub file: bool,
    /// Sessions with it are not wanted.
    pub not: bool,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Query {
    pub words: Vec<Word>,
    pub filter: Filter,
    pub notices: Vec<String>,
}

/// Each list: one of them. Negative ones: none of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    pub tools: Wanted,
    pub projects: Wanted,
    pub devices: Wanted,
    pub roles: Vec<Role>,
    pub no_roles: Vec<Role>,
    pub after: Option<i64>,
    pub before: Option<i64>,
    pub split: Option<bool>,
    /// The only devices whose messages may be read.
    pub only: Option<Vec<String>>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wanted {
    pub any: Vec<String>,
    pub none: Vec<String>,
}

impl Word {
    /// What counts as the word: its terms in a row, in each way to divide its identifiers.
    pub fn rows(&self) -> impl Iterator<Item = &[String]> {
        let all = [self.parts.as_slice(), self.undivided.as_slice()];
        all.into_iter().filter(|row| !row.is_empty())
    }
}

impl Filter {
    pub fn has_times(&self) -> bool {
        self.after.is_some() || self.before.is_some()
    }

    pub fn has_devices(&self) -> bool {
        !self.devices.is_empty() || self.only.is_some()
    }

    /// Whether messages of a device may be read.
    pub fn allows(&self, device: &str) -> bool {
        let only = self.only.as_ref();
        only.is_none_or(|only| only.iter().any(|name| name == device))
    }

    pub fn has_roles(&self) -> bool {
        !self.roles.is_empty() || !self.no_roles.is_empty()
    }
}

impl Wanted {
    pub fn is_empty(&self) -> bool {
        self.any.is_empty() && self.none.is_empty()
    }

    /// Whether a text is wanted, by the function that compares it, lower case, with a value.
    pub fn fits(&self, is: impl Fn(&str) -> bool) -> bool {
        (self.any.is_empty() || self.any.iter().any(|value| is(value)))
            && !self.none.iter().any(|value| is(value))
    }
}

/// One word as typed.
struct Typed<'a> {
    at: usize,
    not: bool,
    field: Option<&'a str>,
    value: &'a str,
    quoted: bool,
}

const FIELDS: &str = "tool, project, device, role, file, before, after and is";

impl Query {
    pub fn parse(text: &str, now: &Zoned) -> Result<Self, QueryError> {
        let (typed_text, mut query) = (text, Self::default());
        let text = crate::schema::beginning(text, LONGEST_QUESTION);
        let mut ends_in_a_word = false;
        for typed in typed(text) {
            ends_in_a_word = typed.field.is_none() && !text.ends_with(char::is_whitespace);
            query.add(&typed, text, now)?;
        }
        if let Some(last) = query.words.last_mut().filter(|_| ends_in_a_word)
            && !last.exact
            && !last.not
        {
            // It may not be typed to its end yet.
            last.prefix = true;
        }
        if text.len() < typed_text.trim_end().len() {
            let notice = format!(
                "This is longer than {LONGEST_QUESTION} bytes; the rest of it is not looked at."
            );
            query.notices.push(notice);
        }
        query.limit_words();
        Ok(query)
    }

    /// Unwanted words have a limit of their own: without one, sessions with it would be found.
    fn limit_words(&mut self) {
        let (mut n_wanted, mut n_unwanted) = (0, 0);
        self.words.retain(|word| {
            let count = if word.not {
                &mut n_unwanted
            } else {
                &mut n_wanted
            };
            *count += 1;
            *count <= MOST_WORDS
        });
        let limits = [
            (n_wanted, "are looked for"),
            (n_unwanted, "with “-” are left out"),
        ];
        for (_, what) in limits.iter().filter(|(count, _)| MOST_WORDS < *count) {
            let notice = format!("Only the first {MOST_WORDS} words {what}.");
            self.notices.push(notice);
        }
    }

    fn add(&mut self, typed: &Typed<'_>, text: &str, now: &Zoned) -> Result<(), QueryError> {
        let Some(field) = typed.field else {
            let word = word(typed.value, typed);
            if word.is_none() {
                self.no_word(typed.value);
            }
            self.words.extend(word);
            return Ok(());
        };
        let value = typed.value.to_lowercase();
        let wrong = |message: String| {
            Err(QueryError {
                at: typed.at,
                len: text.len().min(typed.at + field.len() + 1 + value.len()) - typed.at,
                message,
            })
        };
        let name = field.to_ascii_lowercase();
        if value.is_empty() && is_field(&name) {
            self.notices
                .push(format!("After “{name}:” a value is missing."));
            return Ok(());
        }
        match name.as_str() {
            "tool" => push(&mut self.filter.tools, typed.not, value),
            "project" => push(&mut self.filter.projects, typed.not, value),
            "device" => push(&mut self.filter.devices, typed.not, value),
            "file" => match word(typed.value, typed) {
                None => self.no_word(typed.value),
                Some(word) => self.words.push(Word {
                    file: true,
                    prefix: word.prefix || !typed.quoted,
                    ..word
                }),
            },
            "role" => match value.as_str() {
                "user" | "me" => self.role(Role::User, typed.not),
                "assistant" | "model" => self.role(Role::Assistant, typed.not),
                "tool" => self.role(Role::Tool, typed.not),
                _ => {
                    return wrong(format!(
                        "There is no role “{value}”: write user, assistant or tool."
                    ));
                }
            },
            "after" | "before" | "since" | "until" => {
                let Some(at) = dates::parse(&value, now) else {
                    return wrong(format!(
                        "“{value}” is no date: write for example {name}:2026-11-01, {name}:yesterday or {name}:3d."
                    ));
                };
                // What is not after a time is before it.
                match matches!(name.as_str(), "after" | "since") != typed.not {
                    true => self.filter.after = Some(at),
                    false => self.filter.before = Some(at),
                }
            }
            "is" if value == "split" => self.filter.split = Some(!typed.not),
            "is" => return wrong(format!("“is:{value}” means nothing: write is:split.")),
            _ => self.unknown(typed, field),
        }
        Ok(())
    }

    /// Signs and pictures are not in the index.
    fn no_word(&mut self, value: &str) {
        if value.contains(|sign: char| !sign.is_whitespace() && !"-*\"".contains(sign)) {
            let notice = format!("“{value}” has no letter or digit, so it is not looked for.");
            self.notices.push(notice);
        }
    }

    /// An unknown field is words: `std::env`, `http://…`, `TODO:`.
    fn unknown(&mut self, typed: &Typed<'_>, field: &str) {
        let is_name = field.len() <= 20 && field.bytes().all(|byte| byte.is_ascii_lowercase());
        if is_name && !typed.value.is_empty() && !typed.value.starts_with([':', '/']) {
            self.notices.push(format!(
                "“{field}:” is looked for as a word; the fields are {FIELDS}."
            ));
        }
        let both = format!("{field} {}", typed.value);
        self.words.extend(word(&both, typed));
    }

    fn role(&mut self, role: Role, not: bool) {
        match not {
            true => self.filter.no_roles.push(role),
            false => self.filter.roles.push(role),
        }
    }
}

fn is_field(name: &str) -> bool {
    matches!(
        name,
        "tool"
            | "project"
            | "device"
            | "role"
            | "file"
            | "before"
            | "after"
            | "since"
            | "until"
            | "is"
    )
}

fn push(wanted: &mut Wanted, not: bool, value: String) {
    match not {
        true => wanted.none.push(value),
        false => wanted.any.push(value),
    }
}

/// The word or phrase in a text, if there are letters in it.
fn word(text: &str, typed: &Typed<'_>) -> Option<Word> {
    let pieces = Pieces::of(text, For::Question);
    let parts: Vec<String> = pieces.texts().map(|(_, text)| text.to_owned()).collect();
    let undivided = Pieces::of(text, For::Undivided);
    let undivided = undivided.texts().map(|(_, text)| text.to_owned());
    let undivided: Vec<String> = undivided.collect();
    let one = !text.contains(char::is_whitespace) && text.is_ascii();
    let whole = (1 < parts.len() && one && !typed.quoted)
        .then(|| parts.concat())
        .filter(|whole| whole.len() <= LONGEST);
    let asks_prefix = !typed.quoted && text.ends_with('*');
    let is_one_letter = parts.len() == 1 && parts[0].chars().count() == 1 && !parts[0].is_ascii();
    (!parts.is_empty()).then_some(Word {
        whole,
        prefix: is_one_letter || asks_prefix,
        asks_prefix: is_one_letter || asks_prefix,
        exact: typed.quoted,
        file: false,
        not: typed.not,
        undivided: match undivided == parts {
            true => Vec::new(),
            false => undivided,
        },
        parts,
    })
}

/// Splits at spaces outside quotation marks. A missing last mark counts as there.
fn typed(text: &str) -> Vec<Typed<'_>> {
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some(start) = text[at..].find(|letter: char| !letter.is_whitespace()) {
        let start = at + start;
        let rest = &text[start..];
        let not = rest.starts_with('-') && rest[1..].starts_with(|next: char| is_begin(next));
        let body = start + usize::from(not);
        let (field, value_at) = field_of(text, body);
        let quoted = text[value_at..].starts_with('"');
        let (value, end) = match quoted {
            true => {
                let inside = value_at + 1;
                let len = text[inside..].find('"');
                let close = len.map_or(text.len(), |len| inside + len);
                (&text[inside..close], (close + 1).min(text.len()))
            }
            false => {
                let len = text[value_at..].find(char::is_whitespace);
                let end = len.map_or(text.len(), |len| value_at + len);
                (&text[value_at..end], end)
            }
        };
        found.push(Typed {
            at: start,
            not,
            field,
            value,
            quoted,
        });
        at = end;
    }
    found
}

fn is_begin(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '"'
}

fn field_of(text: &str, at: usize) -> (Option<&str>, usize) {
    let rest = &text[at..];
    let len = rest
        .find(|letter: char| !letter.is_ascii_alphabetic())
        .unwrap_or(rest.len());
    match 0 < len && rest[len..].starts_with(':') {
        true => (Some(&rest[..len]), at + len + 1),
        false => (None, at),
    }
}
