//! Steering settings in a JSON line, found by name and renamed without changing the line's length.
//! A tool does not know the new name, and every other byte keeps its place. Knows no tool and no
//! author.
//!
//! The scanner reads the raw bytes, so that no setting is hidden by duplicate names, by escapes in
//! a name, or by text that only some parsers accept.

use super::fields;
use super::words::Words;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::OnceLock;

/// One setting that a record makes for its tool.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Steer {
    /// The tool's name for the setting: `approval_policy`.
    pub name: String,
    /// The written value, shortened.
    pub value: String,
}

impl Steer {
    /// The setting in a field of a document, if it is another value than the neutral one. `field` is
    /// a name or a JSON pointer, and its last part is the setting's name.
    pub fn in_document(content: &[u8], field: &str, neutral: &str) -> Option<Self> {
        let value = fields::get(content, field);
        let value = value.filter(|value| *value != "null" && *value != neutral)?;
        Some(Self {
            name: field.rsplit('/').next()?.into(),
            value: value.chars().take(120).collect(),
        })
    }
}

/// Bytes of a line that are replaced by others of the same length. Both are ASCII.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    pub at: usize,
    pub recorded: String,
    pub written: String,
}

/// The line with these edits.
pub fn edited(line: &[u8], edits: &[Edit]) -> Vec<u8> {
    let mut line = line.to_vec();
    for edit in edits {
        line[edit.at..edit.at + edit.written.len()].copy_from_slice(edit.written.as_bytes());
    }
    line
}

/// The names and kinds of records that steer a tool. A place is a JSON pointer, with `*` for each
/// element of a list; `//name` is a member of that name anywhere.
pub struct Marks {
    /// Places of a record's kind, with the values that steer.
    pub kinds: &'static [(&'static [&'static str], &'static [&'static str])],
    /// Members whose name is changed.
    pub names: &'static [&'static str],
    /// Kinds of records (`/type`) that are conversation. Names in them are content.
    pub content: &'static [&'static str],
    /// The members of a steering record that are shown.
    pub shown: &'static [&'static str],
    /// What a line that may steer contains; built at its first use.
    pub words: OnceLock<Words>,
}

/// Longer values are cut.
const SHOWN: usize = 120;
/// Settings of one line that are shown each by itself.
const MOST_SETTINGS: usize = 1000;

impl Marks {
    /// The renames in the line; empty for a line that steers nothing.
    pub fn edits(&self, line: &[u8]) -> Vec<Edit> {
        if !self.may_concern(line) {
            return Vec::new();
        }
        let (mut is_typed, mut is_content) = (false, true);
        visit(line, |place, member| {
            if place == "/type" {
                is_typed = true;
                is_content &= self.content.contains(&member.text(line).as_str());
            }
        });
        is_content &= is_typed;
        let mut edits = Vec::new();
        visit(line, |place, member| {
            let steers = |(places, words): &(&[&str], &[&str])| {
                places.contains(&place) && words.contains(&member.text(line).as_str())
            };
            if self.kinds.iter().any(steers) {
                edits.push(renamed(line, member.value.clone()));
            }
            if !is_content
                && let Some(name) = member
                    .name
                    .clone()
                    .filter(|_| self.names.iter().any(|at| is_at(place, at)))
            {
                edits.push(renamed(line, name));
            }
        });
        edits.sort_by_key(|edit| edit.at);
        edits.dedup();
        edits
    }

    /// The settings in the line, if the line steers. Of a line with more than `MOST_SETTINGS` of
    /// them the rest is one setting of no tool, so that nothing takes it for a usual one.
    pub fn sets(&self, line: &[u8]) -> Vec<Steer> {
        if self.edits(line).is_empty() {
            return Vec::new();
        }
        let mut found = BTreeSet::new();
        visit(line, |place, member| {
            if found.len() <= MOST_SETTINGS && self.shown.iter().any(|at| is_at(place, at)) {
                found.insert(Steer {
                    name: place.rsplit('/').next().unwrap_or_default().into(),
                    value: member.shown(line),
                });
            }
        });
        if MOST_SETTINGS < found.len() {
            found.insert(Steer {
                name: "settings".into(),
                value: format!("more than {MOST_SETTINGS}"),
            });
        }
        found.into_iter().collect()
    }

    /// A cheap test, since nearly all lines steer nothing: finds a word as a whole string, or an
    /// escaped character that needs no escape.
    pub fn may_concern(&self, line: &[u8]) -> bool {
        self.words
            .get_or_init(|| Words::new(self.quoted().chain(escapes())))
            .is_in(line)
    }

    /// The names and the steering values, each as a whole string.
    fn quoted(&self) -> impl Iterator<Item = String> {
        let names = { self.names.iter() }.map(|at| at.rsplit('/').next().unwrap_or_default());
        let values = self.kinds.iter().flat_map(|(_, words)| *words);
        names
            .chain(values.copied())
            .map(|word| format!("\"{word}\""))
    }
}

/// How the escapes of characters begin that need none: `\u002` to `\u007`.
fn escapes() -> impl Iterator<Item = String> {
    (2..=7).map(|digit| format!("\\u00{digit}"))
}

/// The members of all objects of that name, at any depth, with their values.
pub fn members_of<'l>(line: &'l [u8], object: &str) -> Vec<(String, &'l [u8])> {
    let mut found = Vec::new();
    visit(line, |place, member| {
        if let Some((around, name)) = place.rsplit_once('/')
            && member.name.is_some()
            && around.rsplit('/').next() == Some(object)
        {
            let name = name.replace("~1", "/").replace("~0", "~");
            found.push((name, &line[member.value.clone()]));
        }
    });
    found
}

/// The range of the value at a place; the last if there are several.
pub fn value_of(line: &[u8], place: &str) -> Option<Range<usize>> {
    let mut last = None;
    visit(line, |at, member| {
        if at == place {
            last = Some(member.value.clone());
        }
    });
    last
}

/// The strings in all members of that name, at any depth.
pub fn texts(line: &[u8], name: &str) -> Vec<String> {
    let mut found = Vec::new();
    visit(line, |place, member| {
        let value = &line[member.value.clone()];
        if member.name.is_some()
            && place.rsplit('/').next() == Some(name)
            && value.first() == Some(&b'"')
        {
            found.push(decoded(value));
        }
    });
    found
}

/// Replaces the first letter of a string token. A token with escapes is replaced completely.
fn renamed(line: &[u8], token: Range<usize>) -> Edit {
    let inside = token.start + 1..token.end - 1;
    let recorded = String::from_utf8_lossy(&line[inside.clone()]).into_owned();
    let written = match recorded.contains('\\') {
        true => "~".repeat(recorded.len()),
        false => format!("~{}", recorded.chars().skip(1).collect::<String>()),
    };
    Edit {
        at: inside.start,
        recorded,
        written,
    }
}

/// A member of an object, or an element of a list.
struct Member {
    /// The token with the name; `None` for an element.
    name: Option<Range<usize>>,
    value: Range<usize>,
}

fn is_at(place: &str, wanted: &str) -> bool {
    match wanted.strip_prefix("//") {
        Some(name) => place.rsplit('/').next() == Some(name),
        None => place == wanted,
    }
}

impl Member {
    /// The text of a string; empty for any other value.
    fn text(&self, line: &[u8]) -> String {
        let value = &line[self.value.clone()];
        if value.first() == Some(&b'"') && value.len() < 256 {
            decoded(value)
        } else {
            String::new()
        }
    }

    fn shown(&self, line: &[u8]) -> String {
        // No character takes more than twelve bytes: an escaped surrogate pair.
        let value = &line[self.value.clone()];
        let value = &value[..value.len().min(SHOWN * 12 + 2)];
        let text = if value.first() == Some(&b'"') {
            decoded(value)
        } else {
            String::from_utf8_lossy(value).into_owned()
        };
        text.chars().take(SHOWN).collect()
    }
}

/// Containers nested deeper are visited by their name alone, when they open, and what is in them
/// has the place of the deepest container above it: such a line costs no more memory than others.
/// No program writes one.
const DEEPEST: usize = 1000;

/// Calls `each` with the place of every member and element, ordered by their end. Holds one place at
/// a time: the places of nested containers together are as long as the square of their number.
fn visit(line: &[u8], mut each: impl FnMut(&str, &Member)) {
    let mut path = Path::default();
    let (mut at, mut name): (usize, Option<Range<usize>>) = (0, None);
    while at < line.len() {
        let start = at;
        match line[at] {
            b'{' | b'[' => {
                at += 1;
                let member = Member {
                    name: name.take(),
                    value: start..at,
                };
                let is_list = line[start] == b'[';
                if !path.open(line, &member, is_list) {
                    path.visit(line, member, &mut each);
                }
            }
            b'}' | b']' => {
                at += 1;
                path.close(at, &mut each);
                name = None;
            }
            b'"' => {
                at = string_end(line, at);
                if name.is_none() && next(line, at) == Some(b':') && path.is_in_object() {
                    name = Some(start..at);
                } else {
                    let name = name.take();
                    let value = start..at;
                    path.visit(line, Member { name, value }, &mut each);
                }
            }
            byte if byte.is_ascii_whitespace() || matches!(byte, b':' | b',') || byte == 0 => {
                at += 1
            }
            _ => {
                let rest = line[at..]
                    .iter()
                    .position(|byte| b",:{}[]\" \t\r\n".contains(byte));
                at = rest.map_or(line.len(), |rest| at + rest.max(1));
                let name = name.take();
                let value = start..at;
                path.visit(line, Member { name, value }, &mut each);
            }
        }
    }
}

/// The containers around a value.
#[derive(Default)]
struct Path {
    /// The place of the innermost container, as a JSON pointer.
    place: String,
    open: Vec<Open>,
    /// How many containers below `DEEPEST` are open.
    deeper: usize,
}

struct Open {
    start: usize,
    name: Option<Range<usize>>,
    is_list: bool,
    /// The length of the container's place.
    len: usize,
}

impl Path {
    /// Whether a string before a colon is a name here. Deeper than `DEEPEST` it always is.
    fn is_in_object(&self) -> bool {
        0 < self.deeper || self.open.last().is_some_and(|open| !open.is_list)
    }

    /// Enters a container; returns whether its end will be visited.
    fn open(&mut self, line: &[u8], member: &Member, is_list: bool) -> bool {
        if self.open.len() == DEEPEST {
            self.deeper += 1;
            return false;
        }
        self.enter(line, member.name.as_ref());
        self.open.push(Open {
            start: member.value.start,
            name: member.name.clone(),
            is_list,
            len: self.place.len(),
        });
        true
    }

    /// Leaves the innermost container, which ends at `end`.
    fn close(&mut self, end: usize, each: &mut impl FnMut(&str, &Member)) {
        if 0 < self.deeper {
            self.deeper -= 1;
            return;
        }
        let Some(open) = self.open.pop() else {
            return;
        };
        let value = open.start..end;
        let name = open.name;
        each(&self.place, &Member { name, value });
        self.leave();
    }

    fn visit(&mut self, line: &[u8], member: Member, each: &mut impl FnMut(&str, &Member)) {
        self.enter(line, member.name.as_ref());
        each(&self.place, &member);
        self.leave();
    }

    fn enter(&mut self, line: &[u8], name: Option<&Range<usize>>) {
        if self.open.is_empty() {
            return;
        }
        self.place.push('/');
        match name {
            // As in a JSON pointer.
            Some(name) => {
                let name = decoded(&line[name.clone()]);
                self.place
                    .push_str(&name.replace('~', "~0").replace('/', "~1"));
            }
            None => self.place.push('*'),
        }
    }

    fn leave(&mut self) {
        self.place
            .truncate(self.open.last().map_or(0, |open| open.len));
    }
}

/// The offset after the closing quote. A string without a closing quote ends with the line.
fn string_end(line: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < line.len() {
        match line[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    line.len()
}

fn next(line: &[u8], at: usize) -> Option<u8> {
    line[at.min(line.len())..]
        .iter()
        .copied()
        .find(|byte| !byte.is_ascii_whitespace())
}

/// The text of a string token. Invalid escapes stay as written.
fn decoded(token: &[u8]) -> String {
    let inside = &token[1..token.len().max(2) - 1];
    if !inside.contains(&b'\\') {
        return String::from_utf8_lossy(inside).into_owned();
    }
    let mut units: Vec<u16> = Vec::new();
    let text = String::from_utf8_lossy(inside).into_owned();
    let mut rest = text.chars();
    while let Some(letter) = rest.next() {
        let mut unit = [0; 2];
        if letter != '\\' {
            units.extend_from_slice(letter.encode_utf16(&mut unit));
            continue;
        }
        match rest.next() {
            Some('u') => {
                let digits: String = rest.clone().take(4).collect();
                match u16::from_str_radix(&digits, 16) {
                    Ok(code) if digits.len() == 4 => {
                        units.push(code);
                        rest.nth(3);
                    }
                    _ => units.push(u16::from(b'u')),
                }
            }
            Some(other) => units.extend_from_slice(other.encode_utf16(&mut unit)),
            None => {}
        }
    }
    String::from_utf16_lossy(&units)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    static MARKS: Marks = Marks {
        kinds: &[(&["/type", "/payload/type", "/payload/*"], &["settings"])],
        names: &["/mode", "//policy", "/payload/provider"],
        content: &["item"],
        shown: &["//policy", "/mode"],
        words: OnceLock::new(),
    };

    /// The meaning of `may_concern`, word by word.
    fn concerns(line: &[u8]) -> bool {
        let is_string = |word: &str| {
            memchr::memmem::find_iter(line, word).any(|at| {
                0 < at && line[at - 1] == b'"' && line.get(at + word.len()) == Some(&b'"')
            })
        };
        let mut escapes = memchr::memmem::find_iter(line, b"\\u00");
        ["settings", "mode", "policy", "provider"]
            .into_iter()
            .any(is_string)
            || escapes.any(|at| {
                line.get(at + 4)
                    .is_some_and(|digit| (b'2'..=b'7').contains(digit))
            })
    }

    fn written(line: &str) -> String {
        String::from_utf8(edited(line.as_bytes(), &MARKS.edits(line.as_bytes()))).expect("text")
    }

    #[test]
    fn what_steers_loses_its_name_and_nothing_else_changes() {
        let table = [
            (
                r#"{"type":"settings","x":1}"#,
                r#"{"type":"~ettings","x":1}"#,
            ),
            (
                r#"{ "payload" : { "type" : "settings" } }"#,
                r#"{ "payload" : { "type" : "~ettings" } }"#,
            ),
            (
                r#"{"payload":["settings",{"policy":1}]}"#,
                r#"{"payload":["~ettings",{"~olicy":1}]}"#,
            ),
            (
                r#"{"type":"a","mode":{"x":[1,"}"]},"y":{"mode":1}}"#,
                r#"{"type":"a","~ode":{"x":[1,"}"]},"y":{"mode":1}}"#,
            ),
            (
                r#"{"a":[{"b":{"policy":"never"}}]}"#,
                r#"{"a":[{"b":{"~olicy":"never"}}]}"#,
            ),
            (
                r#"{"payload":{"provider":"p"},"provider":1}"#,
                r#"{"payload":{"~rovider":"p"},"provider":1}"#,
            ),
            (
                r#"{"type":"item","payload":{"policy":"said"}}"#,
                r#"{"type":"item","payload":{"policy":"said"}}"#,
            ),
            (
                r#"{"type":"user","text":"{\"policy\":1} settings"}"#,
                r#"{"type":"user","text":"{\"policy\":1} settings"}"#,
            ),
        ];
        for (line, wanted) in table {
            assert_eq!(written(line), wanted);
        }
    }

    #[test]
    fn nothing_hides_what_steers() {
        let table = [
            // Escapes in a name and in a word.
            (r#"{"\u006dode":1}"#, r#"{"~~~~~~~~~":1}"#),
            (r#"{"type":"\u0073ettings"}"#, r#"{"type":"~~~~~~~~~~~~~"}"#),
            // Duplicate names: some parsers take the first, others the last.
            (r#"{"mode":1,"mode":2}"#, r#"{"~ode":1,"~ode":2}"#),
            (
                r#"{"type":"item","type":"x","policy":1}"#,
                r#"{"type":"item","type":"x","~olicy":1}"#,
            ),
            // A lone surrogate, which some parsers accept; a byte invalid in any encoding; zeros
            // before the object.
            (r#"{"x":"\ud800","mode":1}"#, r#"{"x":"\ud800","~ode":1}"#),
            ("\0\0{\"mode\":1}", "\0\0{\"~ode\":1}"),
            // Not JSON for most parsers.
            (
                r#"{"x":NaN,'y':1,"mode":1,}"#,
                r#"{"x":NaN,'y':1,"~ode":1,}"#,
            ),
        ];
        for (line, wanted) in table {
            assert_eq!(written(line), wanted);
        }
    }

    /// F9: the places of nested containers were held all at once, and a line of 100 KB took 10 GB.
    #[test]
    fn what_is_nested_without_end_hides_nothing_and_is_not_held_at_once() {
        let deep = 1 << 20;
        for [open, close] in [["[", "]"], ["{\"a\":", "}"]] {
            for inside in [r#"{"policy":1}"#, r#"{"\u0070olicy":{"x":1}}"#] {
                let line = format!("{}{inside}{}", open.repeat(deep), close.repeat(deep));
                let edits = MARKS.edits(line.as_bytes());
                assert_eq!(edits.len(), 1, "{open} {inside}");
                assert_eq!(edits[0].at, deep * open.len() + 2);
            }
        }
        // A name behind what is nested without end has its place.
        let deep = "[".repeat(deep) + &"]".repeat(deep);
        assert!(written(&format!(r#"{{"x":{deep},"mode":1}}"#)).ends_with(r#","~ode":1}"#));
    }

    #[test]
    fn settings_without_number_are_not_usual_ones() {
        let many: Vec<String> = (0..5000).map(|n| format!(r#""mode":{n}"#)).collect();
        let sets = MARKS.sets(format!("{{{}}}", many.join(",")).as_bytes());
        assert_eq!(sets.len(), MOST_SETTINGS + 2);
        assert!(sets.iter().any(|steer| steer.name == "settings"));
    }

    #[test]
    fn what_it_sets_is_shown() {
        let line = r#"{"type":"x","mode":"full","a":{"policy":{"never":true}}}"#;
        let sets: Vec<_> = MARKS
            .sets(line.as_bytes())
            .into_iter()
            .map(|steer| (steer.name, steer.value))
            .collect();
        assert_eq!(
            sets,
            [
                ("mode".into(), "full".into()),
                ("policy".into(), "{\"never\":true}".into())
            ]
        );
        assert_eq!(MARKS.sets(br#"{"type":"item","policy":1}"#), []);
    }

    proptest! {
        /// Pieces of lines beside each other: words with and without quotes, escapes with any digit.
        #[test]
        fn one_pass_finds_what_a_search_for_each_word_finds(
            pieces in prop::collection::vec(prop::sample::select(vec![
                "\"", "mode", "\"mode", "policy\"", "\"provider\"", "settings", "\\u00", "\\u002", "\\u007f",
                "\\u001f", "\\u0080", "\\", "2", "model", "\"polic", "{", ":", " some longer text without a word ",
            ]), 0..12),
            odd in prop::collection::vec(any::<u8>(), 0..6),
        ) {
            for line in [pieces.concat().into_bytes(), [&odd[..], pieces.concat().as_bytes(), &odd[..]].concat()] {
                prop_assert_eq!(MARKS.may_concern(&line), concerns(&line));
            }
        }

        #[test]
        fn the_length_stays_and_a_second_time_nothing_is_left(line in "[\\x00-\\x7e]{0,80}", odd in prop::collection::vec(any::<u8>(), 0..40)) {
            for line in [line.into_bytes(), [odd, br#"{"mode":1,"#.to_vec()].concat()] {
                let edits = MARKS.edits(&line);
                let out = edited(&line, &edits);
                prop_assert_eq!(out.len(), line.len());
                prop_assert!(MARKS.edits(&out).is_empty());
                prop_assert!(edits.iter().all(|edit| edit.recorded.len() == edit.written.len()));
            }
        }
    }
}
