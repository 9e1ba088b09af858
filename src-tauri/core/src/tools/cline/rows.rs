//! A JSON list of rows with ids, one file for many sessions. A row is inserted, changed or removed;
//! all others keep every byte.

use crate::formats::fields;
use crate::opener;
use crate::tools::Stamp;
use serde_json::value::RawValue;
use std::io;
use std::ops::Range;
use std::path::Path;

/// The list as written.
pub struct Rows {
    /// `None` if the file does not exist.
    pub stamp: Option<Stamp>,
    pub text: String,
    rows: Vec<(Option<String>, Range<usize>)>,
}

impl Rows {
    /// An error explains why the file is not a list.
    pub fn at(path: &Path) -> Result<Self, String> {
        let stamp = match Stamp::of(path) {
            Ok(stamp) => stamp,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::none()),
            Err(error) => return Err(format!("{} can't be read: {error}", path.display())),
        };
        let text = opener::read_text(path, opener::MOST)
            .map_err(|error| format!("{} can't be read: {error}", path.display()))?;
        Self::parse(text, Some(stamp)).ok_or_else(|| format!("{} is no list", path.display()))
    }

    fn none() -> Self {
        Self {
            stamp: None,
            text: "[]".into(),
            rows: Vec::new(),
        }
    }

    /// `None` if the text is not a list.
    pub fn parse(text: String, stamp: Option<Stamp>) -> Option<Self> {
        let values: Vec<&RawValue> = serde_json::from_str(&text).ok()?;
        let rows = values.iter().map(|value| {
            // Each value borrows from the text.
            let start = value.get().as_ptr() as usize - text.as_ptr() as usize;
            (id_of(value.get()), start..start + value.get().len())
        });
        let rows = rows.collect();
        Some(Self { stamp, text, rows })
    }

    fn position(&self, id: &str) -> Option<usize> {
        self.rows
            .iter()
            .position(|(row, _)| row.as_deref() == Some(id))
    }

    /// The row with that `id`, as written.
    pub fn row(&self, id: &str) -> Option<&str> {
        Some(&self.text[self.rows[self.position(id)?].1.clone()])
    }

    /// The list with this row in place of the one with that `id`, or after all others.
    pub fn with(&self, id: &str, row: &str) -> String {
        let (range, new) = match (self.position(id), self.rows.last()) {
            (Some(at), _) => (self.rows[at].1.clone(), row.to_owned()),
            (None, Some((_, last))) => (last.end..last.end, format!(",{row}")),
            (None, None) => {
                let inside = self.text.find('[').map_or(0, |at| at + 1);
                (inside..inside, row.to_owned())
            }
        };
        format!(
            "{}{new}{}",
            &self.text[..range.start],
            &self.text[range.end..]
        )
    }

    /// The list without the row with that `id`.
    pub fn without(&self, id: &str) -> String {
        let Some(at) = self.position(id) else {
            return self.text.clone();
        };
        let gone = match (
            self.rows.get(at + 1),
            at.checked_sub(1).and_then(|before| self.rows.get(before)),
        ) {
            (Some((_, next)), _) => self.rows[at].1.start..next.start,
            (None, Some((_, before))) => before.end..self.rows[at].1.end,
            (None, None) => self.rows[at].1.clone(),
        };
        format!("{}{}", &self.text[..gone.start], &self.text[gone.end..])
    }
}

/// The string in a row's `id`.
pub fn id_of(row: &str) -> Option<String> {
    fields::text(row.as_bytes(), "id")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_rows_keep_every_byte() {
        let parse = |text: &str| Rows::parse(text.to_owned(), None).expect("a list");
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
            assert!(Rows::parse(broken.to_owned(), None).is_none(), "{broken}");
        }
    }
}
