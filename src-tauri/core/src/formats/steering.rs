//! Steering settings in a JSON line, found by name and renamed without changing the line's length.
//! A tool does not know the new name, and every other byte keeps its place. Knows no tool and no
//! author.
//!
//! The scanner reads the raw bytes, so that no setting is hidden by duplicate names, by escapes in
//! a name, or by text that only some parsers accept.

use serde::{Deserialize, Serialize};
use std::ops::Range;

/// One setting that a record makes for its tool.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Steer {
    /// The tool's name for the setting: `approval_policy`.
    pub name: String,
    /// The written value, shortened.
    pub value: String,
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
#[derive(Clone, Copy, Debug, Default)]
pub struct Marks {
    /// Places of a record's kind, with the values that steer.
    pub kinds: &'static [(&'static [&'static str], &'static [&'static str])],
    /// Members whose name is changed.
    pub names: &'static [&'static str],
    /// Kinds of records (`/type`) that are conversation. Names in them are content.
    pub content: &'static [&'static str],
    /// The members of a steering record that are shown.
    pub shown: &'static [&'static str],
}

/// Longer values are cut.
const SHOWN: usize = 120;

impl Marks {
    /// The renames in the line; empty for a line that steers nothing.
    pub fn edits(&self, line: &[u8]) -> Vec<Edit> {
        if !self.may_concern(line) {
            return Vec::new();
        }
        let members = members(line);
        let kinds: Vec<String> = members
            .iter()
            .filter(|member| member.place == "/type")
            .map(|m| m.text(line))
            .collect();
        let is_content = !kinds.is_empty()
            && kinds
                .iter()
                .all(|kind| self.content.contains(&kind.as_str()));
        let mut edits = Vec::new();
        for member in &members {
            let steers = |(places, words): &(&[&str], &[&str])| {
                places.contains(&member.place.as_str())
                    && words.contains(&member.text(line).as_str())
            };
            if self.kinds.iter().any(steers) {
                edits.push(renamed(line, member.value.clone()));
            }
            if !is_content
                && let Some(name) = member
                    .name
                    .clone()
                    .filter(|_| self.names.iter().any(|at| member.is_at(at)))
            {
                edits.push(renamed(line, name));
            }
        }
        edits.sort_by_key(|edit| edit.at);
        edits.dedup();
        edits
    }

    /// The settings in the line, if the line steers.
    pub fn sets(&self, line: &[u8]) -> Vec<Steer> {
        if self.edits(line).is_empty() {
            return Vec::new();
        }
        let shown = |member: &Member| {
            let name = member.place.rsplit('/').next().unwrap_or_default();
            self.shown.iter().any(|at| member.is_at(at)).then(|| Steer {
                name: name.into(),
                value: member.shown(line),
            })
        };
        let mut found: Vec<Steer> = members(line).iter().filter_map(shown).collect();
        found.sort();
        found.dedup();
        found
    }

    /// A cheap test, since nearly all lines steer nothing: finds a word as a whole string, or an
    /// escaped character that needs no escape.
    pub fn may_concern(&self, line: &[u8]) -> bool {
        let names = self
            .names
            .iter()
            .map(|at| at.rsplit('/').next().unwrap_or_default());
        let mut words = names.chain(
            self.kinds
                .iter()
                .flat_map(|(_, words)| words.iter().copied()),
        );
        let is_string = |word: &str| {
            let found = memchr::memmem::find_iter(line, word.as_bytes());
            { found }.any(|at| {
                0 < at && line[at - 1] == b'"' && line.get(at + word.len()) == Some(&b'"')
            })
        };
        let mut escapes = memchr::memmem::find_iter(line, b"\\u00");
        escapes.any(|at| {
            line.get(at + 4)
                .is_some_and(|digit| (b'2'..=b'7').contains(digit))
        }) || words.any(is_string)
    }
}

/// The members of all objects of that name, at any depth, with their values.
pub fn members_of<'l>(line: &'l [u8], object: &str) -> Vec<(String, &'l [u8])> {
    let of = |member: &Member| {
        let (around, name) = member.place.rsplit_once('/')?;
        let is_member = member.name.is_some() && around.rsplit('/').next() == Some(object);
        is_member.then(|| {
            (
                name.replace("~1", "/").replace("~0", "~"),
                &line[member.value.clone()],
            )
        })
    };
    members(line).iter().filter_map(of).collect()
}

/// The range of the value at a place; the last if there are several.
pub fn value_of(line: &[u8], place: &str) -> Option<Range<usize>> {
    members(line)
        .into_iter()
        .rfind(|member| member.place == place)
        .map(|member| member.value)
}

/// The strings in all members of that name, at any depth.
pub fn texts(line: &[u8], name: &str) -> Vec<String> {
    let text = |member: &Member| {
        let value = &line[member.value.clone()];
        (member.name.is_some()
            && member.place.rsplit('/').next() == Some(name)
            && value.first() == Some(&b'"'))
        .then(|| decoded(value))
    };
    members(line).iter().filter_map(text).collect()
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
    place: String,
    /// The token with the name; `None` for an element.
    name: Option<Range<usize>>,
    value: Range<usize>,
}

impl Member {
    fn is_at(&self, place: &str) -> bool {
        match place.strip_prefix("//") {
            Some(name) => self.place.rsplit('/').next() == Some(name),
            None => self.place == place,
        }
    }

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
        let value = &line[self.value.clone()];
        let text = if value.first() == Some(&b'"') {
            decoded(value)
        } else {
            String::from_utf8_lossy(value).into_owned()
        };
        text.chars().take(SHOWN).collect()
    }
}

/// All members and elements, ordered by their end.
fn members(line: &[u8]) -> Vec<Member> {
    let mut found = Vec::new();
    let mut open: Vec<Open> = Vec::new();
    let (mut at, mut name): (usize, Option<Range<usize>>) = (0, None);
    while at < line.len() {
        let start = at;
        match line[at] {
            b'{' | b'[' => {
                let place = place_of(&open, line, name.as_ref());
                open.push(Open {
                    start,
                    place,
                    name: name.take(),
                    is_list: line[at] == b'[',
                });
                at += 1;
            }
            b'}' | b']' => {
                at += 1;
                if let Some(Open {
                    start,
                    place,
                    name: named,
                    ..
                }) = open.pop()
                {
                    found.push(Member {
                        place,
                        name: named,
                        value: start..at,
                    });
                }
                name = None;
            }
            b'"' => {
                at = string_end(line, at);
                let is_name =
                    next(line, at) == Some(b':') && open.last().is_some_and(|open| !open.is_list);
                if is_name && name.is_none() {
                    name = Some(start..at);
                } else {
                    found.push(Member {
                        place: place_of(&open, line, name.as_ref()),
                        name: name.take(),
                        value: start..at,
                    });
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
                found.push(Member {
                    place: place_of(&open, line, name.as_ref()),
                    name: name.take(),
                    value: start..at,
                });
            }
        }
    }
    found
}

struct Open {
    start: usize,
    place: String,
    name: Option<Range<usize>>,
    is_list: bool,
}

fn place_of(open: &[Open], line: &[u8], name: Option<&Range<usize>>) -> String {
    let Some(around) = open.last() else {
        return String::new();
    };
    match name {
        // As in a JSON pointer.
        Some(name) => {
            format!(
                "{}/{}",
                around.place,
                decoded(&line[name.clone()])
                    .replace('~', "~0")
                    .replace('/', "~1")
            )
        }
        None => format!("{}/*", around.place),
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

    const MARKS: Marks = Marks {
        kinds: &[(&["/type", "/payload/type", "/payload/*"], &["settings"])],
        names: &["/mode", "//policy", "/payload/provider"],
        content: &["item"],
        shown: &["//policy", "/mode"],
    };

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
