//! Fields of a JSON document, changed in its text. All other bytes stay as they are.

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
