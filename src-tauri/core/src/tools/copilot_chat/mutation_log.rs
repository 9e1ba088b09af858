//! A document stored as a log of its changes, one JSON object a line: the whole document, a value
//! set at a path, a list cut and extended, a value deleted (`objectMutationLog` of VS Code, as of
//! September 2026).
//!
//! Paths are positions, so a line has a meaning only after the lines before it. A line that does
//! not apply spoils all that follow: VS Code reads nothing of such a log. The replay is therefore
//! strict, and an error contains the line number.

use crate::session::chain::lines_of;
use crate::session::records;
use serde::Deserialize;
use serde_json::Value;

/// The document that results from the log.
#[derive(Debug, Default)]
pub struct Replay {
    state: Option<Value>,
    lines: usize,
}

/// A log that cannot be replayed to its end.
#[derive(Debug, thiserror::Error)]
#[error("line {line} {why}")]
pub struct Broken {
    /// Counted from 1.
    pub line: usize,
    pub why: Why,
    /// The document after the preceding lines.
    pub before: Option<Value>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    #[error("is not finished")]
    Torn,
    #[error("is not JSON")]
    NotJson,
    #[error("is no change of a known kind")]
    Unknown,
    #[error("changes a document that no line before it begins")]
    NoDocument,
    #[error("changes something that is not there")]
    NoSuchPlace,
}

#[derive(Deserialize)]
struct Line {
    kind: u8,
    k: Option<Vec<Step>>,
    #[serde(default, deserialize_with = "there")]
    v: Option<Value>,
    i: Option<usize>,
}

/// A written `null` is a value.
fn there<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// One step of a path: the name of a field or the number of an element.
#[derive(Deserialize)]
#[serde(untagged)]
enum Step {
    Element(usize),
    Field(String),
}

/// Replays a whole log. Empty lines have no effect; an empty log is not a document.
pub fn replay(log: &[u8]) -> Result<Value, Broken> {
    let mut replay = Replay::default();
    for line in log.split_inclusive(|byte| *byte == b'\n') {
        if let Err(why) = replay.apply_line(line) {
            return Err(Broken {
                line: replay.lines,
                why,
                before: replay.state,
            });
        }
    }
    let lines = replay.lines;
    replay.state.ok_or(Broken {
        line: lines + 1,
        why: Why::NoDocument,
        before: None,
    })
}

/// The document as far as it can be shown. Lines with damaged strings are applied; lines that do
/// not apply are skipped, and their lengths are returned.
pub fn replay_leniently(log: &[u8]) -> (Option<Value>, Vec<u64>) {
    let (mut replay, mut unread) = (Replay::default(), Vec::new());
    for line in lines_of(log) {
        for record in records::records(line) {
            let change = records::damage(&record.value)
                .is_none()
                .then(|| serde_json::from_value(record.value));
            let applied = change
                .and_then(Result::ok)
                .is_some_and(|change| replay.apply(change).is_ok());
            if !applied {
                unread.push(record.range.len() as u64);
            }
        }
    }
    (replay.state, unread)
}

impl Replay {
    /// Applies the next line, including its line feed. After an error the document is unchanged.
    fn apply_line(&mut self, line: &[u8]) -> Result<(), Why> {
        self.lines += 1;
        let whole = line.strip_suffix(b"\n").ok_or(Why::Torn)?;
        if whole.is_empty() {
            return Ok(());
        }
        // Distinguishes a damaged file from a newer program's, which is JSON but not a change.
        let line: Line = serde_json::from_slice(whole).map_err(|error| match error.is_data() {
            true => Why::Unknown,
            false => Why::NotJson,
        })?;
        self.apply(line)
    }

    fn apply(&mut self, line: Line) -> Result<(), Why> {
        match (line.kind, line.k, line.v) {
            (0, None, Some(document)) => self.state = Some(document),
            (1, Some(path), Some(value)) => *self.place(&path)? = value,
            // JSON has no "undefined": setting a value to it omits the value.
            (1 | 3, Some(path), None) => self.delete(&path)?,
            (2, Some(path), values) => self.push(&path, line.i, values)?,
            _ => return Err(Why::Unknown),
        }
        Ok(())
    }

    /// The target of a path. The last step may lead to a field or element that does not exist yet.
    fn place(&mut self, path: &[Step]) -> Result<&mut Value, Why> {
        let (last, way) = path.split_last().ok_or(Why::Unknown)?;
        match (self.walk(way)?, last) {
            (Value::Object(fields), Step::Field(name)) => {
                Ok(fields.entry(name.clone()).or_insert(Value::Null))
            }
            (Value::Array(elements), Step::Element(at)) => {
                if *at == elements.len() {
                    elements.push(Value::Null);
                }
                elements.get_mut(*at).ok_or(Why::NoSuchPlace)
            }
            _ => Err(Why::NoSuchPlace),
        }
    }

    /// Cuts a list at `from`, if given, and appends values. A missing list counts as empty.
    fn push(
        &mut self,
        path: &[Step],
        from: Option<usize>,
        values: Option<Value>,
    ) -> Result<(), Why> {
        let new = match values {
            None => Vec::new(),
            Some(Value::Array(values)) => values,
            Some(_) => return Err(Why::Unknown),
        };
        // Checked before anything is created, so that an error leaves nothing behind.
        let len = match self.walk(path) {
            Ok(Value::Array(elements)) => elements.len(),
            Ok(Value::Null) | Err(Why::NoSuchPlace) => 0,
            Ok(_) => return Err(Why::NoSuchPlace),
            Err(why) => return Err(why),
        };
        if from.is_some_and(|from| len < from) {
            return Err(Why::NoSuchPlace);
        }
        match self.place(path)? {
            Value::Array(elements) => {
                elements.truncate(from.unwrap_or(len));
                elements.extend(new);
            }
            nothing => *nothing = Value::Array(new),
        }
        Ok(())
    }

    fn delete(&mut self, path: &[Step]) -> Result<(), Why> {
        let (last, way) = path.split_last().ok_or(Why::Unknown)?;
        match (self.walk(way)?, last) {
            (Value::Object(fields), Step::Field(name)) => drop(fields.remove(name)),
            // A deleted element leaves its place empty, as in JavaScript.
            (Value::Array(elements), Step::Element(at)) => {
                *elements.get_mut(*at).ok_or(Why::NoSuchPlace)? = Value::Null;
            }
            _ => return Err(Why::NoSuchPlace),
        }
        Ok(())
    }

    fn walk(&mut self, way: &[Step]) -> Result<&mut Value, Why> {
        let mut value = self.state.as_mut().ok_or(Why::NoDocument)?;
        for step in way {
            value = match (value, step) {
                (Value::Object(fields), Step::Field(name)) => fields.get_mut(name),
                (Value::Array(elements), Step::Element(at)) => elements.get_mut(*at),
                _ => None,
            }
            .ok_or(Why::NoSuchPlace)?;
        }
        Ok(value)
    }
}

/// The line that sets one of the document's outermost fields.
pub fn set_line(field: &str, value: &Value) -> Vec<u8> {
    let mut line = serde_json::json!({ "kind": 1, "k": [field], "v": value })
        .to_string()
        .into_bytes();
    line.push(b'\n');
    line
}

/// The part that a line changes, as far as it can be determined without the lines before it.
#[derive(Debug, PartialEq, Eq)]
pub enum Concerns {
    /// The whole document.
    Everything,
    /// An outermost field, or something below it.
    Field(String),
    /// Not a line of such a log.
    Unknown,
}

pub fn concerns(line: &[u8]) -> Concerns {
    #[derive(Deserialize)]
    struct Head {
        kind: u8,
        #[serde(default)]
        k: Vec<Step>,
    }
    match serde_json::from_slice::<Head>(line) {
        Ok(Head { kind: 0, .. }) => Concerns::Everything,
        Ok(Head { kind: 1..=3, mut k }) if !k.is_empty() => match k.swap_remove(0) {
            Step::Field(name) => Concerns::Field(name),
            Step::Element(_) => Concerns::Unknown,
        },
        _ => Concerns::Unknown,
    }
}

/// The first step of a change's path, if the step is a name.
pub fn first_step(path: &[u8]) -> Option<String> {
    match serde_json::from_slice::<Vec<Step>>(path)
        .ok()?
        .into_iter()
        .next()?
    {
        Step::Field(name) => Some(name),
        Step::Element(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn log(lines: &[Value]) -> Vec<u8> {
        lines
            .iter()
            .flat_map(|line| format!("{line}\n").into_bytes())
            .collect()
    }

    fn initial(document: &Value) -> Value {
        json!({ "kind": 0, "v": document })
    }

    #[test]
    fn each_kind_of_change_does_what_it_says() {
        let begun =
            json!({ "title": "a", "requests": [{ "n": 1 }, { "n": 2 }, { "n": 3 }], "gone": 1 });
        let rows = [
            (
                "all of it again",
                json!({ "kind": 0, "v": [1] }),
                json!([1]),
            ),
            (
                "a field",
                json!({ "kind": 1, "k": ["title"], "v": "b" }),
                json!({ "title": "b", "requests": begun["requests"], "gone": 1 }),
            ),
            (
                "null is a value",
                json!({ "kind": 1, "k": ["title"], "v": null }),
                json!({ "title": null, "requests": begun["requests"], "gone": 1 }),
            ),
            (
                "a new field in an element",
                json!({ "kind": 1, "k": ["requests", 1, "m"], "v": [] }),
                json!({ "title": "a", "requests": [{ "n": 1 }, { "n": 2, "m": [] }, { "n": 3 }], "gone": 1 }),
            ),
            (
                "cut and gone on with",
                json!({ "kind": 2, "k": ["requests"], "v": [4], "i": 1 }),
                json!({ "title": "a", "requests": [{ "n": 1 }, 4], "gone": 1 }),
            ),
            (
                "gone on with",
                json!({ "kind": 2, "k": ["requests"], "v": [4] }),
                json!({ "title": "a", "requests": [{ "n": 1 }, { "n": 2 }, { "n": 3 }, 4], "gone": 1 }),
            ),
            (
                "only cut",
                json!({ "kind": 2, "k": ["requests"], "i": 0 }),
                json!({ "title": "a", "requests": [], "gone": 1 }),
            ),
            (
                "a list that was not there",
                json!({ "kind": 2, "k": ["requests", 0, "response"], "v": ["x"] }),
                json!({ "title": "a", "requests": [{ "n": 1, "response": ["x"] }, { "n": 2 }, { "n": 3 }], "gone": 1 }),
            ),
            (
                "deleted",
                json!({ "kind": 3, "k": ["gone"] }),
                json!({ "title": "a", "requests": begun["requests"] }),
            ),
            (
                "deleted by having no value",
                json!({ "kind": 1, "k": ["gone"] }),
                json!({ "title": "a", "requests": begun["requests"] }),
            ),
        ];
        for (rule, line, wanted) in rows {
            assert_eq!(
                replay(&log(&[initial(&begun), line])).expect(rule),
                wanted,
                "{rule}"
            );
        }
    }

    #[test]
    fn a_line_that_does_not_apply_is_named_and_what_precedes_stays() {
        let begun = json!({ "requests": [1], "title": "a" });
        let rows = [
            (
                "no JSON",
                "{\"kind\":1,\"k\":[\"ti\n".to_owned(),
                Why::NotJson,
            ),
            (
                "unfinished",
                "{\"kind\":1,\"k\":[\"title\"],\"v\":\"b\"}".into(),
                Why::Torn,
            ),
            (
                "a kind from later",
                "{\"kind\":4,\"k\":[\"title\"]}\n".into(),
                Why::Unknown,
            ),
            ("no object", "[1]\n".into(), Why::Unknown),
            ("no path", "{\"kind\":1,\"v\":1}\n".into(), Why::Unknown),
            (
                "an empty path",
                "{\"kind\":1,\"k\":[],\"v\":1}\n".into(),
                Why::Unknown,
            ),
            (
                "a negative element",
                "{\"kind\":1,\"k\":[\"requests\",-1],\"v\":1}\n".into(),
                Why::Unknown,
            ),
            (
                "an element too far",
                "{\"kind\":1,\"k\":[\"requests\",2],\"v\":1}\n".into(),
                Why::NoSuchPlace,
            ),
            (
                "a field of a number",
                "{\"kind\":1,\"k\":[\"requests\",0,\"a\"],\"v\":1}\n".into(),
                Why::NoSuchPlace,
            ),
            (
                "through what is not there",
                "{\"kind\":1,\"k\":[\"a\",\"b\"],\"v\":1}\n".into(),
                Why::NoSuchPlace,
            ),
            (
                "cut behind its end",
                "{\"kind\":2,\"k\":[\"requests\"],\"i\":2}\n".into(),
                Why::NoSuchPlace,
            ),
            (
                "cut what is not there",
                "{\"kind\":2,\"k\":[\"new\"],\"i\":1}\n".into(),
                Why::NoSuchPlace,
            ),
            (
                "cut what is no list",
                "{\"kind\":2,\"k\":[\"title\"],\"v\":[]}\n".into(),
                Why::NoSuchPlace,
            ),
            (
                "an element deleted that is not there",
                "{\"kind\":3,\"k\":[\"requests\",1]}\n".into(),
                Why::NoSuchPlace,
            ),
        ];
        for (rule, line, wanted) in rows {
            let bytes = [log(&[initial(&begun)]), b"\n".to_vec(), line.into_bytes()].concat();
            let broken = replay(&bytes).expect_err(rule);
            assert_eq!((broken.line, broken.why), (3, wanted), "{rule}");
            assert_eq!(broken.before.as_ref(), Some(&begun), "{rule}");
        }
    }

    #[test]
    fn without_a_beginning_there_is_no_document() {
        let broken = |bytes: &[u8]| {
            replay(bytes)
                .map_err(|broken| (broken.line, broken.why))
                .expect_err("broken")
        };
        assert_eq!(broken(b""), (1, Why::NoDocument));
        assert_eq!(
            broken(b"{\"kind\":1,\"k\":[\"a\"],\"v\":1}\n"),
            (1, Why::NoDocument)
        );
        assert_eq!(broken(b"{\"kind\":0,\"v\":"), (1, Why::Torn));
    }

    #[test]
    fn what_a_line_concerns_is_told_without_the_others() {
        let field = |name: &str| Concerns::Field(name.into());
        assert_eq!(concerns(b"{\"kind\":0,\"v\":{}}\n"), Concerns::Everything);
        assert_eq!(
            concerns(&set_line("customTitle", &json!("x"))),
            field("customTitle")
        );
        assert_eq!(
            concerns(b"{\"kind\":2,\"k\":[\"requests\",0,\"response\"],\"v\":[1]}\n"),
            field("requests")
        );
        assert_eq!(
            concerns(b"{\"kind\":2,\"k\":[0],\"v\":[1]}\n"),
            Concerns::Unknown
        );
        assert_eq!(concerns(b"{\"kind\":9,\"k\":[\"a\"]}\n"), Concerns::Unknown);
        assert_eq!(concerns(b"{\"ki"), Concerns::Unknown);
    }

    /// A change that applies to a document of two lists and a text.
    #[derive(Clone, Debug)]
    enum Turn {
        Push(usize, Vec<String>, Option<prop::sample::Index>),
        Element(usize, prop::sample::Index, String),
        Text(Option<String>),
        All,
    }

    fn turns() -> impl Strategy<Value = Vec<Turn>> {
        let turn = prop_oneof![
            (
                0..2_usize,
                prop::collection::vec(".{0,4}", 0..3),
                any::<Option<prop::sample::Index>>()
            )
                .prop_map(|(list, values, cut)| Turn::Push(list, values, cut)),
            (0..2_usize, any::<prop::sample::Index>(), ".{0,4}")
                .prop_map(|(list, at, text)| Turn::Element(list, at, text)),
            any::<Option<String>>().prop_map(Turn::Text),
            Just(Turn::All),
        ];
        prop::collection::vec(turn, 0..20)
    }

    /// The document after the turns, and a log with the same changes. Both are made here,
    /// independently of each other.
    fn played(turns: &[Turn]) -> (Value, Vec<u8>) {
        let (mut lists, mut text) = ([Vec::<String>::new(), Vec::new()], None::<String>);
        let document = |lists: &[Vec<String>; 2], text: &Option<String>| {
            let mut document = json!({ "0": lists[0], "1": lists[1] });
            if let Some(text) = text {
                document["text"] = json!(text);
            }
            document
        };
        let mut lines = vec![initial(&document(&lists, &text))];
        for turn in turns {
            lines.push(match turn {
                Turn::Push(list, values, cut) => {
                    let cut = cut.map(|cut| cut.index(lists[*list].len() + 1));
                    lists[*list].truncate(cut.unwrap_or(usize::MAX));
                    lists[*list].extend(values.clone());
                    match cut {
                        Some(cut) => {
                            json!({ "kind": 2, "k": [list.to_string()], "v": values, "i": cut })
                        }
                        None => json!({ "kind": 2, "k": [list.to_string()], "v": values }),
                    }
                }
                Turn::Element(list, _, _) if lists[*list].is_empty() => {
                    initial(&document(&lists, &text))
                }
                Turn::Element(list, at, value) => {
                    let at = at.index(lists[*list].len());
                    lists[*list][at] = value.clone();
                    json!({ "kind": 1, "k": [list.to_string(), at], "v": value })
                }
                Turn::Text(None) => {
                    text = None;
                    json!({ "kind": 3, "k": ["text"] })
                }
                Turn::Text(new) => {
                    text.clone_from(new);
                    json!({ "kind": 1, "k": ["text"], "v": new })
                }
                Turn::All => initial(&document(&lists, &text)),
            });
        }
        (document(&lists, &text), log(&lines))
    }

    proptest! {
        #[test]
        fn a_log_says_what_its_compaction_says(turns in turns()) {
            let (document, bytes) = played(&turns);
            let replayed = replay(&bytes).expect("a log");
            prop_assert_eq!(&replayed, &document);
            prop_assert_eq!(replay(&log(&[initial(&replayed)])).expect("a compaction"), document);
        }

        #[test]
        fn a_log_goes_on_from_its_compaction_at_any_line(turns in turns(), cut in any::<prop::sample::Index>()) {
            let (document, bytes) = played(&turns);
            let ends: Vec<usize> = memchr::memchr_iter(b'\n', &bytes).map(|end| end + 1).collect();
            let (before, after) = bytes.split_at(ends[cut.index(ends.len())]);
            let middle = replay(before).expect("a log");
            prop_assert_eq!(replay(&[log(&[initial(&middle)]), after.to_vec()].concat()).expect("a log"), document);
        }

        #[test]
        fn a_log_cut_anywhere_is_whole_lines_or_broken(turns in turns(), cut in any::<prop::sample::Index>()) {
            let (_, bytes) = played(&turns);
            let cut = cut.index(bytes.len()) + 1;
            match replay(&bytes[..cut]) {
                Ok(_) => prop_assert_eq!(bytes[cut - 1], b'\n'),
                Err(broken) => {
                    prop_assert_eq!(broken.why, Why::Torn);
                    let whole = bytes[..cut].iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
                    prop_assert_eq!(broken.before, replay(&bytes[..whole]).ok());
                }
            }
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            drop(replay(&bytes));
            drop(concerns(&bytes));
        }
    }
}
