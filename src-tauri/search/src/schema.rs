//! The fields of the index, and how much of a message goes into it.

use crate::tokens::CodeTokenizer;
use crate::{Message, Role, Session};
use std::borrow::Cow;
use tantivy::schema::{
    FAST, Field, IndexRecordOption, STORED, Schema, TextFieldIndexing, TextOptions,
};
use tantivy::store::{Compressor, ZstdCompressor};
use tantivy::{IndexSettings, TantivyDocument};

/// Raised when the fields or the terms change, or what is written into them: an index of another
/// version is made anew.
pub const VERSION: u32 = 4;

/// How many bytes of what a person or a model wrote are searched.
pub const OPEN_TEXT: usize = 64 << 10;
/// How many bytes of a tool's call or output are searched: mostly files that are on disk anyway.
pub const OUTPUT_TEXT: usize = 1_200;
/// How many bytes are kept for snippets, of the beginning and of the end.
const OPEN_KEPT: [usize; 2] = [4 << 10, 1 << 10];
const OUTPUT_KEPT: [usize; 2] = [300, 300];
const MOST_FILES: usize = 64;
/// Names and titles beyond this are cut.
pub const LONGEST_NAME: usize = 300;

const TOKENIZER: &str = "code";

#[derive(Clone)]
pub struct Fields {
    pub schema: Schema,
    /// `m:KEY` on each message of a session, `s:KEY` on its description, `s` on all descriptions.
    pub key: Field,
    /// What people and models wrote, and titles.
    pub text: Field,
    /// What tools were called with and printed: more text, of less weight.
    pub output: Field,
    pub file: Field,
    /// A session's number and a message's role, in one column: [`who`].
    pub who: Field,
    pub at: Field,
    pub device: Field,
    pub kept: Field,
    pub place: Field,
    pub name: Field,
    pub id: Field,
    pub tool: Field,
    pub project: Field,
    pub title: Field,
    pub devices: Field,
    pub split: Field,
    pub note: Field,
}

/// The role of a description.
pub const TITLE: u64 = 3;

pub fn who(sid: u32, role: u64) -> u64 {
    u64::from(sid) << 2 | role
}

/// The session's number and the role in a value of the column `who`.
pub fn of_who(who: u64) -> (u32, u64) {
    (u32::try_from(who >> 2).unwrap_or(u32::MAX), who & 3)
}

pub fn fields() -> Fields {
    let mut builder = Schema::builder();
    let indexed = |option| {
        let how = TextFieldIndexing::default()
            .set_tokenizer(TOKENIZER)
            .set_index_option(option);
        TextOptions::default().set_indexing_options(how)
    };
    let column = || TextOptions::default().set_fast("raw");
    Fields {
        key: builder.add_text_field(
            "key",
            TextOptions::default().set_indexing_options(
                TextFieldIndexing::default()
                    .set_tokenizer("raw")
                    .set_fieldnorms(false)
                    .set_index_option(IndexRecordOption::Basic),
            ),
        ),
        text: builder.add_text_field("text", indexed(IndexRecordOption::WithFreqsAndPositions)),
        output: builder.add_text_field("output", indexed(IndexRecordOption::WithFreqsAndPositions)),
        file: builder.add_text_field("file", indexed(IndexRecordOption::WithFreqsAndPositions)),
        who: builder.add_u64_field("who", FAST),
        at: builder.add_i64_field("at", FAST),
        device: builder.add_text_field("device", column()),
        kept: builder.add_text_field("kept", STORED),
        place: builder.add_bytes_field("place", STORED),
        name: builder.add_text_field("name", column()),
        id: builder.add_text_field("id", column()),
        tool: builder.add_text_field("tool", column()),
        project: builder.add_text_field("project", column()),
        title: builder.add_text_field("title", column()),
        devices: builder.add_text_field("devices", column()),
        split: builder.add_u64_field("split", FAST),
        note: builder.add_text_field("note", STORED),
        schema: builder.build(),
    }
}

pub fn settings() -> IndexSettings {
    IndexSettings {
        docstore_compression: Compressor::Zstd(ZstdCompressor {
            compression_level: Some(3),
        }),
        docstore_blocksize: 32 << 10,
        ..IndexSettings::default()
    }
}

pub fn register(index: &tantivy::Index) {
    index
        .tokenizers()
        .register(TOKENIZER, CodeTokenizer::default());
}

pub fn message_key(key: &str) -> String {
    format!("m:{key}")
}

pub fn session_key(key: &str) -> String {
    format!("s:{key}")
}

/// The term that all descriptions have.
pub const DESCRIPTIONS: &str = "s";

impl Fields {
    pub fn message(&self, key: &str, sid: u32, message: &Message<'_>) -> TantivyDocument {
        let role = message.role.unwrap_or(Role::Tool);
        let (field, most, kept) = match role {
            Role::Tool => (self.output, OUTPUT_TEXT, OUTPUT_KEPT),
            _ => (self.text, OPEN_TEXT, OPEN_KEPT),
        };
        let mut doc = TantivyDocument::default();
        doc.add_text(self.key, message_key(key));
        doc.add_text(field, beginning(message.text, most));
        for file in message.files.lines().take(MOST_FILES) {
            doc.add_text(self.file, beginning(file, LONGEST_NAME));
        }
        doc.add_u64(self.who, who(sid, role as u64));
        doc.add_i64(self.at, message.at);
        doc.add_text(self.device, beginning(message.device, LONGEST_NAME));
        doc.add_text(self.kept, &*both_ends(message.text, kept));
        let place = [message.run.to_le_bytes(), message.number.to_le_bytes()].concat();
        doc.add_bytes(self.place, &place);
        doc
    }

    pub fn session(&self, sid: u32, session: &Session) -> TantivyDocument {
        let mut doc = TantivyDocument::default();
        doc.add_text(self.key, session_key(&session.key));
        doc.add_text(self.key, DESCRIPTIONS);
        let title = beginning(&session.title, LONGEST_NAME);
        doc.add_text(self.text, title);
        doc.add_text(self.title, title);
        doc.add_u64(self.who, who(sid, TITLE));
        doc.add_i64(self.at, session.updated);
        doc.add_text(self.name, &session.key);
        doc.add_text(self.id, beginning(&session.id, LONGEST_NAME));
        doc.add_text(self.tool, beginning(&session.tool, LONGEST_NAME));
        doc.add_text(self.project, beginning(&session.project, LONGEST_NAME));
        doc.add_text(self.devices, session.devices.join("\n"));
        doc.add_u64(self.split, u64::from(session.split));
        doc.add_text(self.note, &session.note);
        doc
    }
}

/// A text without its middle: what was run is at the beginning of an output, what went wrong at its
/// end.
fn both_ends(text: &str, [first, last]: [usize; 2]) -> Cow<'_, str> {
    if text.len() <= first + last {
        return Cow::Borrowed(text);
    }
    let mut from = text.len() - last;
    while !text.is_char_boundary(from) {
        from += 1;
    }
    Cow::Owned(format!("{}\n…\n{}", beginning(text, first), &text[from..]))
}

/// The first bytes of a text, without cutting a character.
pub fn beginning(text: &str, most: usize) -> &str {
    let mut end = most.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
