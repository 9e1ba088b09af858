//! Conversations that a service exported, imported once and kept beside the vault: the store that
//! the adapters of such services share. The conversations are read, exported and synced; no
//! program opens them. What differs between the services is in [`Service`].
//!
//! `<session-roam's directory>/imported/<tool>/<id>.json`, a file for each conversation: an object
//! with `conversation`, the service's own JSON, and `files`, the pictures that belong to it, as
//! `data:` addresses by their names.

mod below;
mod compared;
mod documents;
mod elements;
mod keeping;
pub(super) mod members;
mod pictures;
pub mod progress;
pub mod reading;

pub(super) use compared::Compared;
pub use keeping::IsHere;

use self::members::Members;
use super::{
    About, Checkout, Content, Facts, Found, Joins, Launch, Level, Listing, Machine, Reading,
    Records, Resumable, Root, Steering, Tool, Touched, Union, Which, WriteError, Written,
};
use crate::adapter::Opens;
use crate::formats::file_store::{DocFile, FileStore};
use crate::merge::snapshots::Judged;
use crate::merge::transcript::{self, MessageReader};
use crate::opener;
use crate::session::records::{self, Damage};
use crate::session::{DocName, Millis, ToolId};
use crate::tools::OpenLines;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

pub const MAIN: &str = "conversation.json";

const DOCS: [DocFile<'_>; 1] = [DocFile::snapshot(MAIN, "{session}.json")];

/// An imported conversation.
#[derive(Debug, Serialize, Deserialize)]
pub struct Conversation {
    /// The service's own JSON.
    pub conversation: Box<RawValue>,
    /// Pictures by the names that the conversation uses, as `data:` addresses.
    #[serde(default)]
    pub files: BTreeMap<String, String>,
}

impl Conversation {
    pub fn parse(content: &[u8]) -> Option<Self> {
        serde_json::from_slice(content).ok()
    }

    pub fn render(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec(self).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }
}

/// One record for each of a conversation's messages, and one for what is damaged. `fields` are the
/// names of a message's id and time.
pub(super) fn message_records(
    content: &[u8],
    messages: fn(&Value) -> &[Value],
    [id, time]: [&str; 2],
    said: MessageReader,
) -> Vec<Value> {
    let (conversation, _, damage) = opened(content);
    let record = |message: &Value| json!({ "uuid": message.get(id), "timestamp": message.get(time), "message": message });
    let mut found: Vec<Value> = messages(&conversation).iter().map(record).collect();
    let is_all = found.iter().all(|record| said(record).is_none());
    found.extend(damage.and_then(|damage| transcript::missing(damage, is_all)));
    found
}

/// A conversation and its pictures as far as they can be read, and what is missing.
pub(super) fn opened(content: &[u8]) -> (Value, Value, Option<Damage>) {
    let (mut whole, damage) = records::document(content);
    let mut field = |name: &str| whole.get_mut(name).map(Value::take).unwrap_or_default();
    (field("conversation"), field("files"), damage)
}

/// The directory of a service's conversations.
pub fn dir(data: &Path, tool: &str) -> PathBuf {
    data.join("imported").join(tool)
}

/// An id that is a file's name on every system.
pub fn is_id(id: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    // Other files of an export have names without digits.
    let has_digit = id.bytes().any(|byte| byte.is_ascii_digit());
    (8..=100).contains(&id.len()) && id.bytes().all(plain) && has_digit
}

/// A kind of imported conversations: what its form is. All of them are kept, listed and written
/// alike.
pub struct Service {
    pub id: &'static str,
    /// The vendor's spelling.
    pub name: &'static str,
    pub reason: &'static str,
    pub versions: &'static str,
    /// The other files of an export.
    pub denied: &'static [&'static str],
    pub read_message: MessageReader,
    pub records: Records,
    /// The title and the time of the last change.
    pub facts: fn(&Members) -> (Option<String>, Option<Millis>),
    pub judge: fn(&DocName, &[u8], &[u8]) -> Judged,
    pub joined: Union,
    /// How a content becomes the lines of the open format, if that is what it is.
    pub open_format: Option<OpenLines>,
}

impl Service {
    fn store(&self, machine: &Machine) -> FileStore<'_> {
        FileStore::new(self.name, dir(&machine.data, self.id), &DOCS, is_id)
    }
}

impl Tool for Service {
    fn about(&self) -> About {
        About {
            tool: ToolId::new(self.id),
            name: self.name.into(),
            level: Level::Carry,
            reason: self.reason.into(),
            versions: self.versions.into(),
            denied: self.denied,
            read_message: self.read_message,
            records: Some(self.records),
            joins: Joins {
                judge: Some(self.judge),
                union: Some(self.joined),
                ..Joins::default()
            },
            steering: Steering {
                words: "nothing: no program opens an imported conversation",
                ..Steering::default()
            },
            ..About::default()
        }
    }

    fn is_imported(&self) -> bool {
        true
    }

    fn open_format(&self) -> Option<OpenLines> {
        self.open_format
    }

    fn roots(&self, machine: &Machine) -> Vec<Root> {
        vec![Root {
            path: dir(&machine.data, self.id),
            deep: false,
            store: true,
        }]
    }

    fn touched(&self, machine: &Machine, path: &Path) -> Touched {
        self.store(machine).touched(path)
    }

    fn sessions(&self, machine: &Machine, which: Which<'_>) -> Listing {
        self.store(machine).list(which, &|_| None)
    }

    fn read(&self, machine: &Machine, found: &Found) -> io::Result<Reading> {
        let main = found.main()?;
        let content = opener::read(&main.path, opener::MOST)?;
        let members = Conversation::parse(&content)
            .and_then(|conversation| Members::of(&conversation.conversation));
        let (title, updated) = members.as_ref().map(self.facts).unwrap_or_default();
        let facts = Facts {
            // A service knows no directory.
            cwd: machine.home.to_str().map(str::to_owned),
            title,
            updated: updated.or(Some(main.stamp.modified())),
            ..Facts::default()
        };
        Ok(Reading {
            facts,
            docs: vec![Content::Bytes(content.into())],
            ..Reading::default()
        })
    }

    fn write(&self, machine: &Machine, checkout: &Checkout<'_>) -> Result<Written, WriteError> {
        let store = self.store(machine);
        let new = store.in_group(checkout.session, "");
        store.write(checkout, new, &|_, _| Ok(None), &|| Ok(()))
    }

    /// No program opens an imported conversation.
    fn resume(&self, _machine: &Machine, session: &Resumable<'_>) -> Launch {
        Launch::of(Opens::Nothing, session.cwd)
    }

    fn is_main(&self, doc: &DocName) -> bool {
        doc.as_str() == MAIN
    }
}
