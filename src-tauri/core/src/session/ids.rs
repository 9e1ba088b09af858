//! Ids as types, so that a session id is never mistaken for a project key.

use serde::{Deserialize, Serialize};
use std::fmt;
use unicode_normalization::UnicodeNormalization;

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id!(
    /// An AI coding tool, like `claude-code`.
    ToolId
);
text_id!(
    /// The tool's own id of a conversation, mostly a UUID.
    SessionId
);
text_id!(
    /// A doc within its session, `/`-separated, the same on every device: `transcript.jsonl`,
    /// `subagents/agent-1.jsonl`.
    DocName
);
/// A codebase, the same on every device: `git:github.com/acme/api`,
/// `git:github.com/acme/mono#packages/web`, `root:<commit>`, `home:notes/ideas`,
/// `device:<DEVICE>:/srv/x`.
///
/// Its letters are composed (NFC), whatever wrote it: some disks return names in parts that others
/// keep as typed, and both are one name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct ProjectKey(String);

text_id!(
    /// A device: its Syncthing device ID in canonical form, eight groups of seven with dashes.
    /// Created by `syncthing::device_id`, which checks it.
    DeviceId
);

impl DeviceId {
    /// The first two groups without the dash: 70 bits, the device's name in paths and folder ids.
    pub fn short(&self) -> String {
        self.0.chars().filter(|c| *c != '-').take(14).collect()
    }
}

/// A session's key in the engine: the tool and a hash of the session id, safe as a file name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SessionKey {
    pub tool: ToolId,
    pub hash: String,
}

impl SessionKey {
    pub fn new(tool: &ToolId, session: &SessionId) -> Self {
        Self {
            tool: tool.clone(),
            hash: name_hash("session", &format!("{tool}\n{session}")),
        }
    }
}

impl fmt::Display for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.tool, self.hash)
    }
}

impl ProjectKey {
    pub fn new(text: impl Into<String>) -> Self {
        Self(composed(text.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The project's directory name in the vault.
    pub fn hash(&self) -> String {
        name_hash("project", &self.0)
    }
}

impl From<String> for ProjectKey {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<ProjectKey> for String {
    fn from(key: ProjectKey) -> Self {
        key.0
    }
}

impl fmt::Display for ProjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text with composed letters (NFC): `é` and `e` with an accent behind it are one letter.
pub fn composed(text: String) -> String {
    match text.is_ascii() {
        true => text,
        false => text.nfc().collect(),
    }
}

/// 26 lower-case base32 characters (130 bits) of BLAKE3: safe as a name on every file system.
pub fn name_hash(kind: &str, text: &str) -> String {
    let hash = blake3::derive_key(&format!("session-roam v1 name {kind}"), text.as_bytes());
    let mut name = data_encoding::BASE32_NOPAD.encode(&hash).to_lowercase();
    name.truncate(26);
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_the_same_however_its_letters_were_composed() {
        let read: ProjectKey = serde_json::from_str("\"home:cafe\u{301}\"").expect("a key");
        assert_eq!(read, ProjectKey::new("home:caf\u{e9}"));
        let written = serde_json::to_string(&read).expect("JSON");
        assert_eq!(written, "\"home:caf\u{e9}\"");
    }
}
