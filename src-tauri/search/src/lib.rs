//! The words of all sessions, found in milliseconds: an index on disk that takes messages and
//! answers questions. It knows no session, journal, device or tool beyond the texts that it is
//! given, and everything in it can be given again: a lost index costs time only.

mod columns;
mod dates;
mod find;
mod index;
mod lookup;
mod query;
mod schema;
mod scores;
mod snippet;
mod table;
mod terms;
mod tokens;

pub use find::FindError;
pub use index::{Batch, Index, IndexError, Opened};
pub use query::QueryError;
pub use schema::{OPEN_TEXT, OUTPUT_TEXT};

use std::ops::Range;

/// Whose text a message is; the user's own words weigh most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    User,
    Assistant,
    /// A call of a tool and its output, a thought, a system message.
    Tool,
}

impl Role {
    pub const ALL: [Self; 3] = [Self::User, Self::Assistant, Self::Tool];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::Tool => "tool",
        }
    }
}

/// One message, as it is added.
#[derive(Clone, Debug, Default)]
pub struct Message<'a> {
    /// Which run of messages of the session it belongs to, and its number there: returned with
    /// hits, and of no meaning here.
    pub run: u64,
    pub number: u64,
    /// The author, as named by `device:`.
    pub device: &'a str,
    /// Seconds since 1970; 0 if unknown.
    pub at: i64,
    /// What was written for people, or an output. Text beyond [`OPEN_TEXT`] bytes is not found, for
    /// [`Role::Tool`] beyond [`OUTPUT_TEXT`] bytes.
    pub text: &'a str,
    pub role: Option<Role>,
    /// The paths that it names, one a line.
    pub files: &'a str,
}

/// What lists show of a session, and what filters ask for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Session {
    /// Its name in this index, at most 200 bytes.
    pub key: String,
    /// Its id, as it is shown.
    pub id: String,
    pub tool: String,
    pub project: String,
    pub title: String,
    /// Seconds since 1970.
    pub updated: i64,
    pub split: bool,
    /// The devices that added to it, as named by `device:`.
    pub devices: Vec<String>,
    /// What the caller wants to read back with [`Index::note`].
    pub note: String,
}

/// A question and what it depends on.
#[derive(Clone, Debug)]
pub struct Question<'a> {
    pub text: &'a str,
    /// The most sessions to return.
    pub limit: usize,
    /// For `after:yesterday`, and for the preference of recent work.
    pub now: jiff::Zoned,
    /// What `device:` may call the devices: a name, and the device as added with messages.
    pub names: &'a [(String, String)],
    /// If given, only messages of these devices count, as added with messages: the answer tells
    /// nothing of any other, and no title.
    pub only: Option<&'a [String]>,
}

/// The answer to a question, best sessions first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    pub hits: Vec<Hit>,
    /// How many sessions match, of which `hits` are the best.
    pub total: usize,
    /// How the question was understood where that may surprise, in full sentences.
    pub notices: Vec<String>,
}

/// One session, with the messages that match best.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit {
    pub session: Session,
    /// The matches in `session.title`.
    pub title_marks: Vec<Range<usize>>,
    pub snippets: Vec<Snippet>,
    pub score: f32,
}

/// A line from a message. Contains no control characters.
#[derive(Clone, Debug, PartialEq)]
pub struct Snippet {
    pub run: u64,
    pub number: u64,
    pub role: Role,
    pub device: String,
    pub at: i64,
    pub text: String,
    /// The matches in `text`, in order, in bytes.
    pub marks: Vec<Range<usize>>,
}
