//! Every command, as it is asked over the socket.

use super::preferences::{Network, PreferencesChange};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Every command. The socket, the tray app and the command line share this list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
#[serde(tag = "cmd", rename_all = "snake_case")]
pub enum Request {
    Status,
    Doctor,
    /// The time of each stage of the latest changes on this device.
    Timing,
    /// Ingests the conflict copies that other sync tools left in the tools' stores.
    TakeIn,
    Device,
    Devices,
    /// Parses a pairing code and does nothing else.
    ReadCode {
        code: String,
    },
    /// Asks the device of a code to pair. A link or a plain Syncthing device ID starts a comparison
    /// of digits instead.
    Pair {
        code: String,
    },
    /// Accepts a device that knows this device's code, is proposed, or showed the same digits. `id`
    /// is its whole id or its code.
    Accept {
        id: String,
        /// The digits on its screen, if the digits are the proof.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        digits: Option<String>,
    },
    /// Refuses a pairing request.
    Dismiss {
        id: String,
    },
    /// Renames this device, or another device as displayed here.
    Rename {
        id: Option<String>,
        name: String,
    },
    /// Approves a device that was proposed or revoked.
    Approve {
        id: String,
    },
    /// Revokes a device everywhere. With `since` (RFC 3339) its later writes are taken out, too;
    /// `dry` is a preview.
    Revoke {
        id: String,
        #[serde(default)]
        since: Option<String>,
        #[serde(default)]
        dry: bool,
    },
    /// Whether approvals given on that device apply here.
    Follow {
        id: String,
        on: bool,
    },
    Unpair {
        id: String,
    },
    Tools,
    ToolSwitch {
        tool: String,
        on: bool,
    },
    /// Turns one of a tool's stores on or off.
    StoreSwitch {
        tool: String,
        dir: PathBuf,
        on: bool,
    },
    /// The variables of the asking shell that move tools' stores.
    StoresSaid {
        vars: BTreeMap<String, String>,
    },
    /// Imports conversations that a service exported, and transcripts; `Status` shows how far it is. The whole paths
    /// of files and directories that the user named.
    Import {
        paths: Vec<PathBuf>,
    },
    ImportCancel,
    /// Takes the result of the last import out of `Status`.
    ImportDismiss,
    Projects,
    ProjectMap {
        key: String,
        dir: PathBuf,
    },
    ProjectExclude {
        key: String,
        excluded: bool,
    },
    /// Which projects' uncommitted changes go along with sessions.
    CodeStatus,
    /// Whether a project's uncommitted changes go along with its sessions; without a project, whether
    /// any do.
    CodeSwitch {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        project: Option<String>,
        on: bool,
    },
    /// Removes what this device recorded of a project's uncommitted changes, or of all projects': here,
    /// and on the other devices.
    CodeForget {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        project: Option<String>,
    },
    /// The code of another device beside the session's checkout here.
    CodeOffer {
        session: String,
        /// The code of the moment of this message, as `Show` counts them; of any device.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        at: Option<u64>,
    },
    /// The difference of one file of an offer.
    CodeDiff {
        session: String,
        snapshot: String,
        path: String,
    },
    /// Applies the code of an offer.
    CodeApply {
        session: String,
        snapshot: String,
        /// The code is for a fork: the session itself moves into no worktree.
        #[serde(default)]
        stay: bool,
    },
    Sessions {
        #[serde(default)]
        filter: SessionFilter,
    },
    /// Finds sessions by words, and by `tool: project: device: role: file: before: after: is:`.
    Search {
        words: String,
        /// The most sessions; 20 without it, 200 at most.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        limit: Option<u64>,
        /// The devices, by name, whose messages alone count; without it all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        devices: Option<Vec<String>>,
    },
    Show {
        session: String,
        /// The first message of the page.
        #[serde(default)]
        from: u64,
        /// The number of messages, with long bodies truncated; without it all messages, whole.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        rows: Option<u64>,
    },
    /// One whole part of one message of a session.
    ShowPart {
        session: String,
        message: u64,
        part: u64,
    },
    /// The transcript of a sub-agent: messages `from` to `from + rows` of the doc that a part names.
    ShowDoc {
        session: String,
        doc: String,
        #[serde(default)]
        from: u64,
        #[serde(default = "a_page")]
        rows: u64,
    },
    /// One whole part of one message of such a transcript.
    ShowDocPart {
        session: String,
        doc: String,
        message: u64,
        part: u64,
    },
    /// Finds a text in a session: in every message, and in each part's whole text.
    Find {
        session: String,
        text: String,
    },
    /// Where a file that a session speaks of is on this device: a regular file in the session's own
    /// checkout.
    FilePlace {
        session: String,
        /// As the session's records have it; of whatever device.
        path: String,
    },
    /// Where and how to resume a session.
    Resume {
        session: String,
    },
    Splits,
    /// Resolves a split.
    Resolve {
        session: String,
        /// `keep-both`, `keep-left`, `keep-right`, `stitch`, `branches`.
        choice: String,
        /// The second branch, if there are several: the start of its id, its session or its device.
        branch: Option<String>,
        /// The branch beside which it stood in `Diff`, if that is not the session's own: of these two,
        /// the one that is not kept is put away.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        beside: Option<String>,
        /// The branch where one session of both branches continues.
        active: Option<Side>,
    },
    /// Undoes a decision: the session's last one, or the last one of all.
    Undo {
        session: Option<String>,
    },
    /// Takes back the code that was applied for a session although files were changed since. What the
    /// code's files have now is kept in another place, and a worktree stays; the answer says where.
    UndoSettingAside {
        session: String,
    },
    /// What `Undo` would undo.
    Undoable {
        session: Option<String>,
    },
    /// Two branches of a split side by side: rows `from` to `from + rows`.
    Diff {
        session: String,
        /// As in `Resolve`.
        #[serde(default)]
        branch: Option<String>,
        /// The branch beside which it stands; without it, the session's own.
        #[serde(default)]
        beside: Option<String>,
        #[serde(default)]
        from: u64,
        #[serde(default = "a_page")]
        rows: u64,
        /// Includes the possible choices with the first page. These require both branches to be
        /// read whole, so a window requests them once its rows are loaded.
        #[serde(default = "yes")]
        choices: bool,
        /// Includes the parts of the messages as far as `show` does, for rows that are in sight.
        #[serde(default)]
        bodies: bool,
    },
    /// The words that differ in a row of the diff.
    DiffWords {
        session: String,
        #[serde(default)]
        branch: Option<String>,
        #[serde(default)]
        beside: Option<String>,
        row: u64,
    },
    /// One whole part of a row's message.
    DiffPart {
        session: String,
        #[serde(default)]
        branch: Option<String>,
        #[serde(default)]
        beside: Option<String>,
        row: u64,
        side: Side,
        part: u64,
    },
    /// The common part of the two branches: messages `from` to `from + rows`.
    DiffCommon {
        session: String,
        #[serde(default)]
        branch: Option<String>,
        #[serde(default)]
        beside: Option<String>,
        #[serde(default)]
        from: u64,
        #[serde(default = "a_page")]
        rows: u64,
    },
    /// One whole part of a message of the common part.
    DiffCommonPart {
        session: String,
        #[serde(default)]
        branch: Option<String>,
        #[serde(default)]
        beside: Option<String>,
        message: u64,
        part: u64,
    },
    Plan,
    History {
        session: Option<String>,
    },
    Export {
        session: String,
        format: ExportFormat,
        dir: Option<PathBuf>,
    },
    Journal {
        session: String,
    },
    /// The sessions that a hold is about: those that vanished at once from the store of a tool, that other devices want
    /// to forget, or that other devices rewrote.
    Vanished {
        what: String,
    },
    /// Restores a session that was deleted from this device's store, or all of `Vanished`.
    Restore {
        session: String,
    },
    /// Begins a new session of the same tool with the messages up to one of this session's,
    /// numbered as in `Show`.
    Fork {
        session: String,
        at: u64,
        /// The directory of the new session; without it, that of the other one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        dir: Option<PathBuf>,
    },
    /// The effect of forgetting the session; changes nothing.
    ForgetPreview {
        session: String,
    },
    /// Gives a session a title of the user's, on all devices; an empty one restores the tool's own.
    RenameSession {
        session: String,
        title: String,
    },
    /// Removes the session everywhere, once the time for undo is over. The user has confirmed it.
    Forget {
        session: String,
    },
    /// Forgotten sessions, with a receipt for each device.
    Forgotten,
    /// Releases what a guard held: the user has seen it.
    Release {
        what: String,
    },
    /// The tray app's preferences.
    Preferences,
    /// Changes some of them.
    PreferencesSet {
        preferences: PreferencesChange,
    },
    /// How devices are found and reached.
    Network,
    /// Changes it, at once: Syncthing is started anew if it must be.
    NetworkSet {
        network: Network,
    },
    /// The space that the vault takes.
    Space,
    /// Sends, receives and writes nothing until `continue`, or until the time `until` (RFC 3339).
    Pause {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        until: Option<String>,
    },
    /// The apps that keep sessions here, ask to, or were refused.
    Apps,
    /// Allows the app that asks under this name.
    AppAllow {
        app: String,
    },
    AppDeny {
        app: String,
    },
    /// Forgets what was decided about an app.
    AppRemove {
        app: String,
    },
    /// An app adds entries to one of its sessions. `token` is the app's own, 64 random hexadecimal
    /// digits; the first request with it asks the user.
    AppAppend {
        app: String,
        token: String,
        project: String,
        session: String,
        /// A part of the session, such as the transcript of a subagent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        subpath: Option<String>,
        /// Each is the text of a JSON object, which is kept as it is.
        entries: Vec<String>,
    },
    /// A page of the entries of an app's session.
    AppLoad {
        app: String,
        token: String,
        project: String,
        session: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        subpath: Option<String>,
        /// The `next` of the page before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        from: Option<String>,
    },
    AppList {
        app: String,
        token: String,
        project: String,
    },
    /// Deletes an app's session with its parts, or one part, from this device's store.
    AppDelete {
        app: String,
        token: String,
        project: String,
        session: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        subpath: Option<String>,
    },
    /// The subpaths of an app's session.
    AppSubkeys {
        app: String,
        token: String,
        project: String,
        session: String,
    },
    Continue,
    Stop,
}

impl Request {
    /// Requests a whole session.
    pub fn show(session: impl Into<String>) -> Self {
        Self::Show {
            session: session.into(),
            from: 0,
            rows: None,
        }
    }
}

fn a_page() -> u64 {
    200
}

fn yes() -> bool {
    true
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
#[cfg_attr(test, ts(optional_fields))]
pub struct SessionFilter {
    pub tool: Option<String>,
    pub project: Option<String>,
    pub device: Option<String>,
    /// The most sessions, latest first; 50,000 sessions are 17 MB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub limit: Option<u64>,
    /// Limits the list to this many of the newest sessions that another device added to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub newest_of_others: Option<u32>,
    /// Begins the list behind this session: the id of the last one of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub after: Option<String>,
}

/// A side of a split: left is the branch that keeps the session's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Side {
    Left,
    Right,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum ExportFormat {
    Markdown,
    /// A page that stands by itself.
    Html,
    Json,
    /// The open format: docs/open-format.md.
    Open,
    Native,
}
