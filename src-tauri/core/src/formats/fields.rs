//! Fields of a JSON document, changed in its text. All other bytes stay as they are.

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::ops::Range;

/// The range of a field's value; `None` if the field is missing. `field` is the name of an outermost
/// field, or a JSON pointer (`/a/b`) through objects only. An error: the fields on the way cannot be
/// read, although another parser may find the field among them.
fn place(document: &str, field: &str) -> Result<Option<Range<usize>>, serde_json::Error> {
    let names = match field.strip_prefix('/') {
        Some(pointer) => pointer
            .split('/')
            .map(|name| name.replace("~1", "/").replace("~0", "~"))
            .collect(),
        None => vec![field.to_owned()],
    };
    let mut value: &RawValue = serde_json::from_str(document)?;
    for name in names {
        if !value.get().starts_with('{') {
            return Ok(None);
        }
        let mut fields: BTreeMap<String, &RawValue> = serde_json::from_str(value.get())?;
        match fields.remove(&name) {
            Some(inner) => value = inner,
            None => return Ok(None),
        }
    }
    // The value borrows from the document's own text.
    let start = value.get().as_ptr() as usize - document.as_ptr() as usize;
    Ok(Some(start..start + value.get().len()))
}

/// The raw text of a field's value; `None` if the field is missing or the document is not JSON.
pub fn get<'d>(document: &'d [u8], field: &str) -> Option<&'d str> {
    let document = std::str::from_utf8(document).ok()?;
    Some(&document[place(document, field).ok()??])
}

/// The string in a field.
pub fn text(document: &[u8], field: &str) -> Option<String> {
    serde_json::from_str(get(document, field)?).ok()
}

/// Replaces the values of existing fields (with JSON values). Missing fields are not added. `None` if
/// the fields cannot be read: a tool whose parser is more lenient would find the old values there.
pub fn with(document: &[u8], values: &[(&str, &str)]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(document).ok()?;
    // A file that was never filled has no fields.
    if text.trim().is_empty() {
        return Some(document.to_vec());
    }
    let mut places = Vec::new();
    for (field, value) in values {
        places.extend(place(text, field).ok()?.map(|place| (place, *value)));
    }
    places.sort_by_key(|(place, _)| place.start);
    let (mut out, mut done) = (String::with_capacity(text.len()), 0);
    for (place, value) in places {
        // A field nested in a value already replaced is gone.
        if done <= place.start {
            out.push_str(&text[done..place.start]);
            out.push_str(value);
            done = place.end;
        }
    }
    out.push_str(&text[done..]);
    Some(out.into_bytes())
}

/// The document with the values of `other` in these fields, where both documents have them. A
/// document whose fields cannot be read stays as it is.
pub fn with_those_of(document: &[u8], fields: &[&str], other: &[u8]) -> Vec<u8> {
    let values: Vec<_> = fields
        .iter()
        .filter_map(|field| Some((*field, get(other, field)?)))
        .collect();
    with(document, &values).unwrap_or_else(|| document.to_vec())
}

/// The fields of a document in which each device has its own values.
#[derive(Clone, Copy, Debug)]
pub struct OwnFields {
    /// Names of outermost fields, or JSON pointers.
    pub named: &'static [&'static str],
    /// If given, all outermost fields but these are each device's own, too.
    pub known: Option<&'static [&'static str]>,
}

impl OwnFields {
    pub fn is_empty(&self) -> bool {
        self.named.is_empty() && self.known.is_none()
    }

    /// A document of the store as it is recorded, where `recorded` is what was recorded last: its
    /// values in these fields stay. An own field that was not recorded yet is.
    pub fn as_recorded(&self, document: &[u8], recorded: &[u8]) -> Vec<u8> {
        let Some(known) = self.known else {
            return with_those_of(document, self.named, recorded);
        };
        let is_unknown = |name: &str| !known.contains(&name);
        let written = with_own(recorded, document, is_unknown);
        let written = written.map(|written| with_those_of(&written, self.named, document));
        if written.as_deref() == Some(document) {
            return recorded.to_vec();
        }
        let document = with_those_of(document, self.named, recorded);
        with_all_of(&document, recorded, &is_unknown).unwrap_or(document)
    }
}

/// The document in which the outermost fields that `is_own` picks are those of `there`: others of
/// that kind are left out. `None` if its fields cannot be read.
pub fn with_own(document: &[u8], there: &[u8], is_own: impl Fn(&str) -> bool) -> Option<Vec<u8>> {
    let own = std::str::from_utf8(there).ok().and_then(members);
    let own = own.unwrap_or_default();
    let is_there = |name: &str| own.iter().any(|(own, _)| own == name);
    let text = std::str::from_utf8(document).ok()?;
    let (mut out, mut done) = (text[..text.find('{')? + 1].to_owned(), text.find('{')? + 1);
    let mut is_first = true;
    for (name, value) in members(text)? {
        let end = end_in(text, value);
        let member = &text[done..end];
        done = end;
        if is_own(&name) && !is_there(&name) {
            continue;
        }
        let alone = member.trim_start().strip_prefix(',');
        out.push_str(alone.filter(|_| is_first).unwrap_or(member));
        is_first = false;
    }
    out.push_str(&text[done..]);
    with_all_of(out.as_bytes(), there, &is_own)
}

/// The document with all of the outermost fields of `other` that `is_one` picks: in the places of its
/// own ones, or at its end. `None` if its fields cannot be read.
fn with_all_of(document: &[u8], other: &[u8], is_one: &dyn Fn(&str) -> bool) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(document).ok()?;
    let mut others: BTreeMap<String, &RawValue> = BTreeMap::new();
    let read = std::str::from_utf8(other).ok().and_then(members);
    others.extend(read.unwrap_or_default());
    others.retain(|name, _| is_one(name));
    let (mut out, mut done, members) = (String::new(), text.find('{')? + 1, members(text)?);
    out.push_str(&text[..done]);
    for (name, value) in &members {
        let end = end_in(text, value);
        let value = value.get();
        out.push_str(&text[done..end - value.len()]);
        out.push_str(others.get(name).map_or(value, |other| other.get()));
        done = end;
    }
    let is_missing = |name: &String| members.iter().all(|(known, _)| known != name);
    let mut is_first = members.is_empty();
    for (name, value) in others.iter().filter(|(name, _)| is_missing(name)) {
        let comma = if is_first { "" } else { "," };
        is_first = false;
        out.push_str(&format!(
            "{comma}{}:{}",
            Value::from(name.as_str()),
            value.get()
        ));
    }
    out.push_str(&text[done..]);
    Some(out.into_bytes())
}

/// Where the text of a value ends in the text that it was read from.
fn end_in(text: &str, value: &RawValue) -> usize {
    value.get().as_ptr() as usize - text.as_ptr() as usize + value.get().len()
}

/// The members of an object in their order, each as often as it is there. `None` for anything else.
fn members(text: &str) -> Option<Vec<(String, &RawValue)>> {
    serde_json::from_str(text)
        .ok()
        .map(|Members(members)| members)
}

struct Members<'d>(Vec<(String, &'d RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(All)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: OwnFields = OwnFields {
        named: &["p"],
        known: Some(&["p", "a"]),
    };

    fn own(document: &str, there: &str) -> String {
        let done = with_own(document.as_bytes(), there.as_bytes(), |name| {
            !["p", "a"].contains(&name)
        });
        String::from_utf8(done.expect("an object")).expect("text")
    }

    #[test]
    fn fields_that_nobody_knows_are_each_devices_own() {
        let rows = [
            ("{\"a\":1}", "", "{\"a\":1}"),
            ("{ \"x\": 1, \"a\" : 1 }\n", "", "{ \"a\" : 1 }\n"),
            ("{\"a\":1,\"x\":[1,{}]}", "{}", "{\"a\":1}"),
            ("{\"x\":1,\"y\":2}", "[]", "{}"),
            (
                "{\"a\":1,\"x\":1}",
                "{\"x\":2,\"a\":2}",
                "{\"a\":1,\"x\":2}",
            ),
            ("{\"a\":1}", "{\"y\":{}}", "{\"a\":1,\"y\":{}}"),
            ("{}", "{\"y\":0,\"z\":1}", "{\"y\":0,\"z\":1}"),
            // Whichever of two a parser takes, it is gone.
            ("{\"x\":1,\"a\":1,\"\\u0078\":2}", "", "{\"a\":1}"),
        ];
        for (document, there, wanted) in rows {
            assert_eq!(own(document, there), wanted, "{document} where {there} is");
        }
        for odd in [
            &b"[1]"[..],
            b"",
            b"{\"\\ud800\":0}",
            b"{\"a\":\"\xff\"}",
            b"{\"a\":1,}",
        ] {
            assert_eq!(with_own(odd, b"{}", |_| true), None);
        }
    }

    #[test]
    fn what_is_not_written_is_recorded_all_the_same() {
        let recorded = b"{\"x\":\"theirs\",\"p\":1,\"a\":1}";
        for there in [&b""[..], b"{\"p\":5,\"y\":2}", b"{\"x\":\"ours\"}"] {
            let written = with_own(recorded, there, |name| !["p", "a"].contains(&name));
            let written = with(&written.expect("an object"), &[("p", "7")]).expect("an object");
            assert!(!String::from_utf8_lossy(&written).contains("theirs"));
            assert_eq!(KNOWN.as_recorded(&written, recorded), recorded);
        }
        // What the tool changed here, and what is new in it, is recorded with the rest.
        let changed = KNOWN.as_recorded(b"{\"p\":7,\"a\":2,\"y\":3}", recorded);
        let wanted = "{\"p\":1,\"a\":2,\"y\":3,\"x\":\"theirs\"}";
        assert_eq!(String::from_utf8_lossy(&changed), wanted);
        assert_eq!(KNOWN.as_recorded(b"{\"p\":7}", b""), b"{\"p\":7}");
    }

    const DOCUMENT: &str = "{ \"a\" : 1.50,\n\"p\":\"/home/ä\",\"in\":{\"p\": [1, 2]},\"big\":123456789012345678901 }\n";

    #[test]
    fn only_the_fields_that_are_meant_change() {
        let out = with(
            DOCUMENT.as_bytes(),
            &[
                ("/in/p", "null"),
                ("p", "\"C:\\\\x\""),
                ("missing", "1"),
                ("/in/q", "1"),
            ],
        )
        .expect("a document");
        let wanted = DOCUMENT
            .replace("\"/home/ä\"", "\"C:\\\\x\"")
            .replace("[1, 2]", "null");
        assert_eq!(String::from_utf8(out).expect("text"), wanted);
        assert_eq!(
            get(DOCUMENT.as_bytes(), "big"),
            Some("123456789012345678901")
        );
        assert_eq!(text(DOCUMENT.as_bytes(), "p").as_deref(), Some("/home/ä"));
        assert_eq!(text(DOCUMENT.as_bytes(), "a"), None);
    }

    #[test]
    fn a_field_within_another_is_replaced_with_it() {
        assert_eq!(
            with(b"{\"a\":{\"b\":1}}", &[("/a/b", "2"), ("a", "{}")]).as_deref(),
            Some(&b"{\"a\":{}}"[..])
        );
    }

    /// Other parsers read such documents, so their fields were left with the other device's values.
    #[test]
    fn a_document_whose_fields_cannot_be_read_is_refused() {
        for odd in [
            &b"\xff"[..],
            b"{\"x\":\"\xff\",\"p\":1}",
            b"{\"\\ud800\":0,\"p\":1}",
            b"\xef\xbb\xbf{\"p\":1}",
            b"{\"p\":",
            b"{\"p\":1,\"p\"",
            b"{\"p\":1}x",
        ] {
            assert_eq!(with(odd, &[("p", "2")]), None);
            assert_eq!(with_those_of(odd, &["p"], b"{\"p\":2}"), odd);
        }
        let inside = b"{\"in\":{\"\\ud800\":0,\"p\":1}}";
        assert_eq!(with(inside, &[("/in/p", "2")]), None);
        // Nothing in these is a field of that name, whoever reads them.
        for other in [&b"[1]"[..], b"", b"\n", b"{\"in\":\"\\ud800\"}"] {
            let same = with(other, &[("p", "2"), ("/in/p", "2")]);
            assert_eq!(same.as_deref(), Some(other));
        }
    }

    #[test]
    fn fields_are_put_back_as_they_were() {
        let theirs = b"{\"p\":\"C:\\u005cx\",\"n\":[1]}";
        let ours = with(theirs, &[("p", "\"/home/y\"")]).expect("a document");
        assert_eq!(with_those_of(&ours, &["p", "q"], theirs), theirs);
    }
}
