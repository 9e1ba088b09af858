//! The answers of every command: plain types of their own, so that the engine can change and scripts need not.
//! Field names are a promise (docs/cli.md); fields are added, never taken away.

pub use super::devices::{
    Approval, AskingDevice, Code, Device, Devices, NearbyDevice, PairedDevice, Pairing,
    ProposedDevice, RevokeAnswer, RevokedDevice,
};
pub use super::forgotten::{ForgetPreview, ForgottenRow, ReceiptRow};
pub use crate::merge::diff::{Kind, Msg, Span};
pub use crate::merge::transcript::Part;
use crate::session::states::words;
use crate::session::{HistoryKind, Problem, Reason, SessionState, Tier};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A command that could not be done. `code` is stable; `message` says what, `hint` what to do next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    pub code: String,
    pub message: String,
    pub hint: String,
}

impl ApiError {
    pub fn new(code: &str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            message: message.into(),
            hint: hint.into(),
        }
    }
}

/// Every command there is. One list: the socket, the tray app and the command line all speak it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "cmd", rename_all = "snake_case")]
pub enum Request {
    Status,
    Doctor,
    /// Takes in the conflict copies that another way of syncing left in the tools' stores.
    TakeIn,
    Device,
    Devices,
    /// Reads a pairing code, without doing anything with it.
    ReadCode {
        code: String,
    },
    /// Asks the device of a code to pair. A link or a plain Syncthing device ID begins to compare digits with it instead.
    Pair {
        code: String,
    },
    /// Says yes to a device that knows this device's code, is proposed, or showed the same digits. `id` is its whole id
    /// or its code.
    Accept {
        id: String,
        /// The digits on its screen, where they are what proves it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        digits: Option<String>,
    },
    /// Says no to a device that asks.
    Dismiss {
        id: String,
    },
    /// Renames this device, or another one as it is shown here.
    Rename {
        id: Option<String>,
        name: String,
    },
    /// Lets in a device that was proposed or revoked.
    Approve {
        id: String,
    },
    /// Puts a device out everywhere. `since` (RFC 3339) takes out what it wrote later, too; `dry` only says what it means.
    Revoke {
        id: String,
        #[serde(default)]
        since: Option<String>,
        #[serde(default)]
        dry: bool,
    },
    /// Whether to approve here whatever that device approves.
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
    /// Switches one of a tool's stores.
    StoreSwitch {
        tool: String,
        dir: PathBuf,
        on: bool,
    },
    /// The variables of the asking shell that move tools' stores.
    StoresSaid {
        vars: BTreeMap<String, String>,
    },
    Projects,
    ProjectMap {
        key: String,
        dir: PathBuf,
    },
    ProjectExclude {
        key: String,
        excluded: bool,
    },
    Sessions {
        #[serde(default)]
        filter: SessionFilter,
    },
    Show {
        session: String,
        /// The first message of the page.
        #[serde(default)]
        from: u64,
        /// So many messages, long bodies cut; without it all of them, whole.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rows: Option<u64>,
    },
    /// One part of one message of it, whole.
    ShowPart {
        session: String,
        message: u64,
        part: u64,
    },
    /// Where and how to go on with a session.
    Resume {
        session: String,
    },
    Splits,
    /// Decides about a split.
    Resolve {
        session: String,
        /// `keep-both`, `keep-left`, `keep-right`, `stitch`, `branches`.
        choice: String,
        /// Which branch beside the first one, where there are several: the start of its id, its session or its device.
        branch: Option<String>,
        /// Where one session of both branches goes on.
        active: Option<Side>,
    },
    /// Takes a decision back: the session's last one, or the last one of all.
    Undo {
        session: Option<String>,
    },
    /// Two branches of a split side by side: rows `from` to `from + rows`.
    Diff {
        session: String,
        /// As in `Resolve`.
        #[serde(default)]
        branch: Option<String>,
        #[serde(default)]
        from: u64,
        #[serde(default = "a_page")]
        rows: u64,
        /// What may be decided comes with the first page. To know that, both branches are read whole: a window asks for
        /// it once its rows are there.
        #[serde(default = "yes")]
        choices: bool,
    },
    /// Which words differ in a row of it.
    DiffWords {
        session: String,
        #[serde(default)]
        branch: Option<String>,
        row: u64,
    },
    /// One part of a row's message, whole.
    DiffPart {
        session: String,
        #[serde(default)]
        branch: Option<String>,
        row: u64,
        side: Side,
        part: u64,
    },
    /// What the two have in common: messages `from` to `from + rows`.
    DiffCommon {
        session: String,
        #[serde(default)]
        branch: Option<String>,
        #[serde(default)]
        from: u64,
        #[serde(default = "a_page")]
        rows: u64,
    },
    /// One part of a message of that, whole.
    DiffCommonPart {
        session: String,
        #[serde(default)]
        branch: Option<String>,
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
    /// Brings a session back that was deleted from this device's store.
    Restore {
        session: String,
    },
    /// What forgetting the session would mean; changes nothing.
    ForgetPreview {
        session: String,
    },
    /// Removes the session everywhere, once the time to take it back is over. The user has been asked.
    Forget {
        session: String,
    },
    /// Sessions that were forgotten, with a receipt for each device.
    Forgotten,
    /// Lets what a guard held go through: the user has seen it.
    Release {
        what: String,
    },
    Pause,
    Continue,
    Stop,
}

impl Request {
    /// All of a session.
    pub fn show(session: impl Into<String>) -> Self {
        Self::Show {
            session: session.into(),
            from: 0,
            rows: None,
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionFilter {
    pub tool: Option<String>,
    pub project: Option<String>,
    pub device: Option<String>,
    /// The latest so many; 50,000 sessions are 17 MB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// Only so many of the newest that another device added to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest_of_others: Option<u32>,
}

/// A side of a split: left is the branch that keeps the session's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    Left,
    Right,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExportFormat {
    Markdown,
    Json,
    Native,
}

words! {
    /// What the engine does.
    #[derive(Default)]
    EngineState {
        Running,
        /// The user paused everything.
        Paused,
        /// The first import is under way.
        Importing,
        Stopping,
        /// No engine runs on this home.
        #[default]
        Stopped,
    }
}

words! {
    /// Why something needs the user's word before it continues.
    HoldReason {
        /// Many sessions vanished from a tool's store at once.
        ToolEmptied,
        /// Many sessions were rewritten or shortened elsewhere at once.
        MassChange,
        /// Another device rewrote or shortened a session.
        Rewritten,
        /// Another device changed only what a tool may do.
        Steered,
        /// The vault is gone.
        VaultLost,
        /// Another device forgot more sessions than it may in a day.
        MassForget,
        /// Another device forgot sessions that others on this device need to open.
        Needed,
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Status {
    pub engine: EngineState,
    pub syncthing: SyncthingStatus,
    /// What is on its way right now.
    pub moving: Moving,
    pub waiting: Vec<Waiting>,
    pub held: Vec<Held>,
    /// How many sessions went two ways.
    pub splits: u64,
    /// Sessions that are open on a device at this moment.
    pub live: Vec<LiveSession>,
    pub problems: Vec<Problem>,
    pub sessions: u64,
    pub device: String,
    pub paired: u64,
    pub connected: u64,
    /// How long the last look at everything took in which nothing had changed; 0 before the first.
    #[serde(default)]
    pub cycle_ms: u64,
    /// Grows with all that is recorded, arrives or is written: lists are worth asking for again.
    #[serde(default)]
    pub happenings: u64,
    /// How many devices ask to pair.
    #[serde(default)]
    pub asking: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SyncthingStatus {
    /// `starting`, `running`, `restarting`, `missing`, `failed`, `stopped`.
    pub state: String,
    pub version: Option<String>,
    /// The program that runs, unless it is a Syncthing of the user's own.
    pub program: Option<PathBuf>,
    pub pid: Option<u32>,
    pub addresses: Vec<String>,
    /// Why, where it does not run.
    pub message: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Moving {
    /// Sessions of the first import: done and all. Both 0 when there is none.
    pub import_done: u64,
    pub import_total: u64,
    pub import_bytes: u64,
    /// Sessions queued to be looked at.
    pub queued: u64,
    /// Bytes other devices still need from here, and we from them.
    pub out_bytes: u64,
    pub in_bytes: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Waiting {
    pub session: String,
    pub tool: String,
    pub title: String,
    pub project: String,
    pub code: Option<Reason>,
    pub why: String,
    pub hint: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Held {
    /// What to give to `roam release`.
    pub what: String,
    pub code: HoldReason,
    pub message: String,
    pub hint: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LiveSession {
    pub session: String,
    pub tool: String,
    pub title: String,
    pub project: String,
    /// The device it is open on, by name.
    pub device: String,
    pub here: bool,
    /// RFC 3339: when that was last heard.
    pub seen: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ToolRow {
    pub tool: String,
    pub name: String,
    /// `see`, `carry`, `resume`, `merge`.
    pub level: String,
    /// Why it is below `merge`, or what to know.
    pub reason: String,
    /// The versions whose shapes are known, in words.
    #[serde(default)]
    pub versions: String,
    /// Its store here has a shape that is not known: `level` is lower than it would be, and nothing is written.
    #[serde(default)]
    pub lowered: bool,
    /// Its store exists on this device.
    pub found: bool,
    pub on: bool,
    pub roots: Vec<PathBuf>,
    pub sessions: u64,
    pub bytes: u64,
    /// Each of its stores, of a tool that may have several.
    #[serde(default)]
    pub stores: Vec<StoreRow>,
}

/// One of a tool's stores.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StoreRow {
    /// What the tool's variable says for it.
    pub dir: PathBuf,
    pub on: bool,
    /// It exists now.
    pub found: bool,
    /// How it was found, in words.
    pub from: String,
    pub sessions: u64,
    pub bytes: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProjectRow {
    pub key: String,
    /// Names it goes by: the directory's and the remote's.
    pub names: Vec<String>,
    pub places: Vec<PathBuf>,
    pub sessions: u64,
    pub excluded: bool,
    pub tools: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionRow {
    pub session: String,
    pub tool: String,
    pub project: String,
    pub title: String,
    /// RFC 3339.
    pub updated: String,
    pub bytes: u64,
    /// Names of the devices that added to it.
    pub devices: Vec<String>,
    pub state: SessionState,
    /// The main doc in this device's store.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// Why it is not `here`, or what of it is not carried, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// `roam show`: a session with its docs and its messages.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shown {
    #[serde(flatten)]
    pub row: SessionRow,
    pub cwd: Option<PathBuf>,
    pub docs: Vec<ShownDoc>,
    /// All messages, of which `messages` may be a page that begins with the message `from`.
    #[serde(default)]
    pub total: u64,
    #[serde(default)]
    pub from: u64,
    pub messages: Vec<Message>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ShownDoc {
    pub doc: String,
    pub kind: String,
    pub bytes: u64,
    pub lines: u64,
    /// The chain id of its tip: equal on two devices means equal bytes.
    pub tip: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// `user`, `assistant`, `tool`, `system`; `steering` where a record changed what the tool may do.
    pub role: String,
    pub text: String,
    pub at: Option<String>,
    pub device: Option<String>,
    /// What it is made of.
    #[serde(default)]
    pub parts: Vec<Part>,
}

/// One part of a message, whole.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PartBody {
    pub kind: String,
    pub bytes: u64,
    /// Empty for a picture.
    pub text: String,
    /// Of a picture: what it is, and its bytes in base64 where it can be shown.
    pub media: Option<String>,
    pub data: Option<String>,
    /// False where it is too long to be handed out, or no picture that can be shown safely.
    pub whole: bool,
}

/// `roam resume --print`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Resume {
    pub argv: Vec<String>,
    pub cwd: PathBuf,
    pub env: BTreeMap<String, String>,
    pub unset: Vec<String>,
    /// Commands that must succeed first, in the same directory and environment.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub before: Vec<Vec<String>>,
    /// What to know before going on: "live on desk, 12 s ago".
    pub notes: Vec<String>,
    /// The same with codes.
    #[serde(default)]
    pub remarks: Vec<Remark>,
}

/// Something to know before going on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Remark {
    /// `open_here`, `live`, `split`, `waiting`, `held`, `first` (a command of the tool that comes first); about the checkout: `branch`, `commit_missing`,
    /// `commit_beside`, `changed`.
    pub code: String,
    pub message: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SplitRow {
    pub session: String,
    pub tool: String,
    pub title: String,
    pub project: String,
    pub tier: Tier,
    pub reason: String,
    pub branches: Vec<BranchRow>,
    pub choices: Vec<Choice>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BranchRow {
    /// The chain id of its tip, in the doc that went two ways.
    pub branch: String,
    /// The session that holds it in the tool: the session itself, or a fork. Empty until the user has chosen (tier C).
    pub session: String,
    /// That session's title.
    pub title: String,
    pub device: String,
    pub updated: String,
    /// Records after the common part.
    pub records: u64,
    pub here: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Choice {
    pub id: String,
    pub enabled: bool,
    pub consequence: String,
}

fn a_page() -> u64 {
    200
}

fn yes() -> bool {
    true
}

/// The two branches of a split, aligned. `rows` is one page of `total`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Diff {
    pub session: String,
    pub tool: String,
    pub title: String,
    /// The doc that went two ways.
    pub doc: String,
    pub class: Tier,
    pub reason: String,
    pub left: DiffSide,
    pub right: DiffSide,
    pub prefix: DiffPrefix,
    pub stats: DiffStats,
    pub total: u64,
    pub rows: Vec<DiffRow>,
    /// Where they were asked for.
    pub choices: Vec<Choice>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DiffSide {
    pub device: String,
    /// The chain id of its tip.
    pub branch: String,
    /// After the common part.
    pub records: u64,
    pub bytes: u64,
    pub messages: u64,
    pub first: Option<String>,
    pub last: Option<String>,
    /// What its records changed of what the tool may do, in their order, the first [`MOST_CHANGES`] of them; empty unless
    /// choices were asked for.
    #[serde(default)]
    pub changes: Vec<SteeringRow>,
    /// All of those changes.
    #[serde(default)]
    pub n_changes: u64,
}

/// More changes of what the tool may do than these are counted and not named.
pub const MOST_CHANGES: usize = 20;

/// A record that changed what the tool may do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SteeringRow {
    /// The device that wrote it, by name; `None` where that is not known.
    pub device: Option<String>,
    /// For instance `approval policy → never`, at most 200 characters.
    pub text: String,
}

/// What both sides have in common before they part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DiffPrefix {
    pub records: u64,
    pub messages: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DiffStats {
    pub same: u64,
    pub changed: u64,
    pub left: u64,
    pub right: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DiffRow {
    pub i: u64,
    /// `same`, `changed`, `left`, `right`.
    pub kind: Kind,
    pub left: Option<Msg>,
    pub right: Option<Msg>,
    /// How much the two have in common, 0 to 1.
    pub alike: f32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DiffWords {
    pub left: String,
    pub right: String,
    /// Empty where the texts are too long to compare.
    pub spans: Vec<Span>,
}

/// What both sides have in common, a page of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DiffCommon {
    /// All messages of it.
    pub total: u64,
    pub from: u64,
    pub messages: Vec<Message>,
}

/// One thing the engine would do, or waits to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepRow {
    pub session: String,
    pub tool: String,
    pub title: String,
    /// `record`, `checkout`, `wait`, `split`, `hold`.
    pub step: String,
    pub what: String,
    pub bytes: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HistoryRow {
    pub at: String,
    pub device: String,
    /// The session's, as it is now.
    #[serde(default)]
    pub title: String,
    pub what: HistoryKind,
    pub session: String,
    pub tool: String,
    pub doc: String,
    pub bytes: u64,
    pub lines: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Exported {
    /// The files written, or the text itself where no directory was given.
    pub files: Vec<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// A journal segment of a session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SegmentRow {
    pub device: String,
    pub lane: String,
    pub path: PathBuf,
    pub bytes: u64,
    pub frames: u64,
    pub lines: u64,
    /// `whole`, `torn`, `quarantined`.
    pub state: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Check {
    pub name: String,
    /// `ok`, `note`, `problem`.
    pub state: String,
    pub message: String,
    pub hint: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Doctor {
    pub checks: Vec<Check>,
    /// Each session that is not carried, and why.
    pub not_carried: Vec<Waiting>,
    /// Tool, level and the versions known.
    pub tools: Vec<ToolRow>,
    /// Conflict copies of sessions in the tools' stores.
    #[serde(default)]
    pub copies: Vec<CopyRow>,
    /// What lies in the tools' stores and is not carried, the first of each reason; the check `left out` counts them all.
    #[serde(default)]
    pub left_out: Vec<LeftOut>,
}

/// A path in a tool's store that is not carried.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LeftOut {
    pub tool: String,
    pub path: PathBuf,
    /// `link`, `name`, `kind`, `too_deep`, `unreadable`, `copy`, `not_downloaded`.
    pub code: String,
    pub why: String,
}

/// A conflict copy in a tool's store.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CopyRow {
    pub tool: String,
    pub session: String,
    pub path: PathBuf,
    pub lines: u64,
    /// Lines that the session's own file does not have.
    pub new: u64,
    /// The session is open, by whom; the copy is not taken in meanwhile.
    pub open: Option<String>,
}

/// What became of the conflict copies.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TakenIn {
    pub taken: Vec<TakenRow>,
    pub left: Vec<LeftRow>,
}

/// A copy whose lines are in the vault; it was moved.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TakenRow {
    pub tool: String,
    pub session: String,
    /// Where it lay, and where it is now.
    pub path: PathBuf,
    pub to: PathBuf,
    /// Lines that were in no journal before.
    pub lines: u64,
}

/// A copy that stays where it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LeftRow {
    pub tool: String,
    pub session: String,
    pub path: PathBuf,
    pub why: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Done {
    pub done: bool,
    pub message: String,
}
