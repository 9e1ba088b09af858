//! Fields of a JSON document, changed in its text. All other bytes stay as they are.

use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::ops::Range;

/// The range of a field's value. `field` is the name of an outermost field, or a JSON pointer
/// (`/a/b`) through objects only.
fn place(document: &str, field: &str) -> Option<Range<usize>> {
    let names = match field.strip_prefix('/') {
        Some(pointer) => pointer
            .split('/')
            .map(|name| name.replace("~1", "/").replace("~0", "~"))
            .collect(),
        None => vec![field.to_owned()],
    };
    let mut value: &RawValue = serde_json::from_str(document).ok()?;
    for name in names {
        let mut fields: BTreeMap<String, &RawValue> = serde_json::from_str(value.get()).ok()?;
        value = fields.remove(&name)?;
    }
    // The value borrows from the document's own text.
    let start = value.get().as_ptr() as usize - document.as_ptr() as usize;
    Some(start..start + value.get().len())
}

/// The raw text of a field's value; `None` if the field is missing or the document is not JSON.
pub fn get<'d>(document: &'d [u8], field: &str) -> Option<&'d str> {
    let document = std::str::from_utf8(document).ok()?;
    Some(&document[place(document, field)?])
}

/// The string in a field.
pub fn text(document: &[u8], field: &str) -> Option<String> {
    serde_json::from_str(get(document, field)?).ok()
}

/// Replaces the values of existing fields (with JSON values). Missing fields are not added.
pub fn with(document: &[u8], values: &[(&str, &str)]) -> Vec<u8> {
    let Ok(text) = std::str::from_utf8(document) else {
        return document.to_vec();
    };
    let mut places: Vec<_> = values
        .iter()
        .filter_map(|(field, value)| Some((place(text, field)?, *value)))
        .collect();
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
    out.into_bytes()
}

/// The document with the values of `other` in these fields, where both documents have them.
pub fn with_those_of(document: &[u8], fields: &[&str], other: &[u8]) -> Vec<u8> {
    let values: Vec<_> = fields
        .iter()
        .filter_map(|field| Some((*field, get(other, field)?)))
        .collect();
    with(document, &values)
}

#[cfg(test)]
mod tests {
    use super::*;

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
        );
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
            with(b"{\"a\":{\"b\":1}}", &[("/a/b", "2"), ("a", "{}")]),
            b"{\"a\":{}}"
        );
    }

    #[test]
    fn what_is_no_document_stays_as_it_is() {
        for odd in [&b"\xff"[..], b"[1]", b"{\"p\":", b"", b"{\"p\":1,\"p\""] {
            assert_eq!(with(odd, &[("p", "2")]), odd);
        }
    }

    #[test]
    fn fields_are_put_back_as_they_were() {
        let theirs = b"{\"p\":\"C:\\u005cx\",\"n\":[1]}";
        let ours = with(theirs, &[("p", "\"/home/y\"")]);
        assert_eq!(with_those_of(&ours, &["p", "q"], theirs), theirs);
    }
}
