//! Rows with ids in a JSON text: the elements of a list, each with its id in a field, or the fields
//! of an object, named by the ids. One row is inserted, changed or removed; all others keep every
//! byte. Knows no tool.

use super::fields;
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::ops::Range;

/// The rows of a text, as written.
#[derive(Clone, Debug)]
pub struct Rows {
    text: String,
    rows: Vec<Row>,
    /// The inside of the list or object.
    inside: Range<usize>,
    are_fields: bool,
}

#[derive(Clone, Debug)]
struct Row {
    /// `None` for an element without an id.
    id: Option<String>,
    /// The row with its name, if it is a field.
    whole: Range<usize>,
    value: Range<usize>,
}

impl Rows {
    /// The elements of a list, whose ids are in the field `id`. `None` if the text is not a list.
    pub fn of_list(text: String, id: &str) -> Option<Self> {
        let values: Vec<&RawValue> = serde_json::from_str(&text).ok()?;
        let row = |value: &&RawValue| {
            let range = range(&text, value.get());
            Row {
                id: fields::text(value.get().as_bytes(), id),
                whole: range.clone(),
                value: range,
            }
        };
        let rows = values.iter().map(row).collect();
        let inside = text.find('[')? + 1..text.rfind(']')?;
        Some(Self {
            text,
            rows,
            inside,
            are_fields: false,
        })
    }

    /// The fields of the object that is the text's outermost field `name`. `None` if the text has no
    /// such object. Of two fields with one name, the last counts.
    pub fn of_object(text: String, name: &str) -> Option<Self> {
        let object = fields::get(text.as_bytes(), name)?;
        let values: BTreeMap<String, &RawValue> = serde_json::from_str(object).ok()?;
        let outside = range(&text, object);
        let inside = outside.start + 1..outside.end - 1;
        let values = values.into_iter();
        let mut values: Vec<_> = values
            .map(|(id, value)| (range(&text, value.get()), id))
            .collect();
        values.sort_by_key(|(value, _)| value.start);
        let mut rows: Vec<Row> = Vec::new();
        for (value, id) in values {
            let gap = rows.last().map_or(inside.start, |row| row.value.end);
            let start = gap + text[gap..].find('"')?;
            rows.push(Row {
                id: Some(id),
                whole: start..value.end,
                value,
            });
        }
        Some(Self {
            text,
            rows,
            inside,
            are_fields: true,
        })
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// All rows that have an id, as written.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let rows = self.rows.iter();
        rows.filter_map(|row| Some((row.id.as_deref()?, &self.text[row.value.clone()])))
    }

    /// The row with that id, as written.
    pub fn row(&self, id: &str) -> Option<&str> {
        Some(&self.text[self.rows[self.position(id)?].value.clone()])
    }

    fn position(&self, id: &str) -> Option<usize> {
        let mut rows = self.rows.iter();
        rows.position(|row| row.id.as_deref() == Some(id))
    }

    /// The text with this row in place of the one with that id, or after all others.
    pub fn with(&self, id: &str, row: &str) -> String {
        if let Some(at) = self.position(id) {
            return self.spliced(self.rows[at].value.clone(), row);
        }
        let name = match self.are_fields {
            true => format!("{}:", Value::from(id)),
            false => String::new(),
        };
        match self.rows.last() {
            Some(last) => {
                let end = last.whole.end;
                self.spliced(end..end, &format!(",{name}{row}"))
            }
            None => {
                let start = self.inside.start;
                self.spliced(start..start, &format!("{name}{row}"))
            }
        }
    }

    /// The text without the row with that id.
    pub fn without(&self, id: &str) -> String {
        let Some(at) = self.position(id) else {
            return self.text.clone();
        };
        let (row, before) = (&self.rows[at].whole, at.checked_sub(1));
        let before = before.map(|before| &self.rows[before].whole);
        let gone = match (self.rows.get(at + 1), before) {
            (Some(next), _) => row.start..next.whole.start,
            (None, Some(before)) => before.end..row.end,
            (None, None) => row.clone(),
        };
        self.spliced(gone, "")
    }

    fn spliced(&self, range: Range<usize>, new: &str) -> String {
        let (before, after) = (&self.text[..range.start], &self.text[range.end..]);
        format!("{before}{new}{after}")
    }
}

/// The range of a part of a text.
fn range(text: &str, part: &str) -> Range<usize> {
    let start = part.as_ptr() as usize - text.as_ptr() as usize;
    start..start + part.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_rows_of_a_list_keep_every_byte() {
        let parse = |text: &str| Rows::of_list(text.to_owned(), "id").expect("a list");
        let (one, two, three) = (
            r#"{"id":"1","n":1.50}"#,
            r#"{ "id" : "2" }"#,
            r#"{"id":"3"}"#,
        );
        let rows = parse(&format!("[ {one},\n {two} ,{three} ]\n"));
        assert_eq!((rows.row("2"), rows.row("4")), (Some(two), None));
        assert_eq!(
            rows.with("2", "{}"),
            format!("[ {one},\n {{}} ,{three} ]\n")
        );
        assert_eq!(
            rows.with("4", "{}"),
            format!("[ {one},\n {two} ,{three},{{}} ]\n")
        );
        assert_eq!(rows.without("1"), format!("[ {two} ,{three} ]\n"));
        assert_eq!(rows.without("2"), format!("[ {one},\n {three} ]\n"));
        assert_eq!(rows.without("3"), format!("[ {one},\n {two} ]\n"));
        assert_eq!(rows.without("4"), rows.text);
        assert_eq!(parse(" [ ] ").with("1", one), format!(" [{one} ] "));
        assert_eq!(parse(&format!("[{one}]")).without("1"), "[]");
        let odd = parse(r#"[1, {"id": 2}, null, {"id":"5"}]"#);
        assert_eq!((odd.row("5"), odd.row("2")), (Some(r#"{"id":"5"}"#), None));
        for broken in ["", "{}", "[", "null", r#"[{"id":"1"}"#] {
            assert!(Rows::of_list(broken.to_owned(), "id").is_none(), "{broken}");
        }
    }

    #[test]
    fn other_fields_of_an_object_keep_every_byte() {
        let parse = |text: &str| Rows::of_object(text.to_owned(), "rows").expect("an object");
        let (one, two) = (r#""a\"}" : {"n":1.50}"#, r#""b":[ 1 ]"#);
        let rows = parse(&format!(
            "{{ \"v\":1, \"rows\" : {{ {one} ,\n {two} }},\"x\":0 }}"
        ));
        let text = |inside: &str| format!("{{ \"v\":1, \"rows\" : {{{inside}}},\"x\":0 }}");
        assert_eq!((rows.row("b"), rows.row("c")), (Some("[ 1 ]"), None));
        let ids: Vec<&str> = rows.iter().map(|(id, _)| id).collect();
        assert_eq!(ids, ["a\"}", "b"]);
        assert_eq!(
            rows.with("a\"}", "0"),
            text(&format!(" \"a\\\"}}\" : 0 ,\n {two} "))
        );
        assert_eq!(
            rows.with("c\"", "{}"),
            text(&format!(" {one} ,\n {two},\"c\\\"\":{{}} "))
        );
        assert_eq!(rows.without("a\"}"), text(&format!(" {two} ")));
        assert_eq!(rows.without("b"), text(&format!(" {one} ")));
        assert_eq!(rows.without("c"), rows.text());
        assert_eq!(
            parse(r#"{"rows":{}}"#).with("a", "1"),
            r#"{"rows":{"a":1}}"#
        );
        assert_eq!(parse(r#"{"rows":{"a":1}}"#).without("a"), r#"{"rows":{}}"#);
        for broken in ["", "[]", "{}", r#"{"rows":[]}"#, r#"{"rows":{"a":}}"#] {
            assert!(
                Rows::of_object(broken.to_owned(), "rows").is_none(),
                "{broken}"
            );
        }
    }
}
