//! The answers of every command: separate plain types, so that engine changes do not affect
//! scripts. Field names are stable (docs/cli.md); fields are added, never removed.

pub use super::apps::{AppAppended, AppDeleted, AppPage, AppRow, AppSession, AppState};
pub use super::code::{
    CodeApplied, CodeChange, CodeDiff, CodeFile, CodeLeftOut, CodeOffer, CodeQuestion, CodeRow,
    CodeSession, CodeState, CodeStatus,
};
pub use super::devices::{
    Approval, AskingDevice, Code, Device, Devices, NearbyDevice, PairedDevice, PairedState,
    Pairing, PairingState, ProposedDevice, RevokeAnswer, RevokedDevice, Route,
};
pub use super::doctor::{
    CopyRow, LeftOut, LeftOutReason, LeftRow, StageTimes, TakenIn, TakenRow, Timing,
};
pub use super::forgotten::{ForgetPreview, ForgottenRow, ReceiptRow, ReceiptState};
pub use super::preferences::{
    DeviceSpace, Network, NotificationKinds, NotificationsChange, Preferences, PreferencesChange,
    Space,
};
pub use super::request::{ExportFormat, Request, SessionFilter, Side};
pub use super::search::{Indexing, Marked, Search, SearchHit, SearchSnippet};
pub use super::session_row::SessionRow;
pub use super::shown::{
    DocPage, FilePlace, Message, OccurrencePlace, Occurrences, PartBody, Shown, ShownDoc,
};
pub use crate::merge::Action;
pub use crate::merge::diff::{Kind, Msg, Span};
pub use crate::merge::transcript::{Part, Tokens};
use crate::session::states::words;
use crate::session::{HistoryKind, Problem, ProblemCode, Reason, Remedy, Tier, remedy};
pub use crate::syncthing::SyncthingState;
pub use crate::tools::Level;
pub use crate::tools::imported::progress::{Imported, NotImported};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A failed command. `code` is stable; `message` says what failed, `hint` what to do next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
#[error("{message}")]
pub struct ApiError {
    pub code: ProblemCode,
    pub message: String,
    /// Without commands and buttons.
    pub hint: String,
    /// What the user can do about it.
    #[serde(default, deserialize_with = "remedy::known")]
    pub actions: Vec<Remedy>,
}

impl ApiError {
    pub fn new(code: ProblemCode, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Problem::new(code, message, hint).into()
    }

    pub fn offer(mut self, remedy: Remedy) -> Self {
        self.actions.push(remedy);
        self
    }
}

impl From<Problem> for ApiError {
    fn from(problem: Problem) -> Self {
        let Problem {
            code,
            message,
            hint,
            actions,
        } = problem;
        Self {
            code,
            message,
            hint,
            actions,
        }
    }
}

impl From<ApiError> for Problem {
    fn from(error: ApiError) -> Self {
        let ApiError {
            code,
            message,
            hint,
            actions,
        } = error;
        Self {
            code,
            message,
            hint,
            actions,
        }
    }
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
    /// What `roam plan` would do about a session.
    StepKind {
        Record,
        /// Write into the tool's store.
        Checkout,
        /// Wait for a reason to pass.
        Wait,
        /// Ask the user about a split.
        Split,
        /// Wait for the user's word.
        Hold,
    }
}

words! {
    /// What a check of `roam doctor` found.
    CheckState {
        Ok,
        Note,
        Problem,
    }
}

words! {
    /// What a segment file of a journal is.
    SegmentState {
        Whole,
        /// Its end has not arrived.
        Torn,
        /// Refused: it fails its hash, chain or signature.
        Quarantined,
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
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct Status {
    pub engine: EngineState,
    /// When a pause ends by itself (RFC 3339); none while nothing is paused, or for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused_until: Option<String>,
    pub syncthing: SyncthingStatus,
    /// What is being synced right now.
    pub moving: Moving,
    /// Those that the user can do something about first, at most 100; `waiting_counts` has all.
    pub waiting: Vec<Waiting>,
    /// How many sessions wait, by reason and tool.
    #[serde(default)]
    pub waiting_counts: Vec<WaitingCount>,
    /// At most 100 sessions, the latest first, and everything else that is held.
    pub held: Vec<Held>,
    /// The number of split sessions.
    pub splits: u64,
    /// Sessions that are open on a device right now.
    pub live: Vec<LiveSession>,
    pub problems: Vec<Problem>,
    pub sessions: u64,
    pub device: String,
    pub paired: u64,
    pub connected: u64,
    /// Duration of the last full scan that found no change; 0 before the first.
    #[serde(default)]
    pub cycle_ms: u64,
    /// Grows with every record, arrival or write: lists should be refreshed.
    #[serde(default)]
    pub happenings: u64,
    /// The number of pairing requests.
    #[serde(default)]
    pub asking: u64,
    /// The import of conversations that runs, or how the last one ended.
    #[serde(default)]
    pub conversation_import: Option<ConversationImport>,
    /// The one question about uncommitted changes that is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub code_question: Option<CodeQuestion>,
}

/// An import of exported conversations. It has ended when there is `done` or `failed`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct ConversationImport {
    /// The name of the first file or directory, and the number of the others.
    pub name: String,
    pub others: u64,
    /// Conversations read so far.
    pub conversations: u64,
    /// Bytes read so far, unpacked, and how many there are.
    pub bytes: u64,
    pub total: u64,
    pub done: Option<Imported>,
    pub failed: Option<ApiError>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct SyncthingStatus {
    pub state: SyncthingState,
    pub version: Option<String>,
    /// The program that runs, unless the Syncthing is the user's own.
    pub program: Option<PathBuf>,
    pub pid: Option<u32>,
    pub addresses: Vec<String>,
    /// The reason, if Syncthing does not run.
    pub message: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct Moving {
    /// Sessions of the first import: done and total. Both 0 if there is none.
    pub import_done: u64,
    pub import_total: u64,
    pub import_bytes: u64,
    /// Sessions in the queue.
    pub queued: u64,
    /// Bytes that other devices still need from here, and that this device needs from them.
    pub out_bytes: u64,
    pub in_bytes: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct Waiting {
    pub session: String,
    pub tool: String,
    pub title: String,
    pub project: String,
    pub code: Option<Reason>,
    pub why: String,
    pub hint: String,
    /// What the user can do about it.
    #[serde(default, deserialize_with = "remedy::known")]
    pub actions: Vec<Remedy>,
}

/// How many sessions of a tool wait for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct WaitingCount {
    pub code: Option<Reason>,
    pub tool: String,
    pub sessions: u64,
}

impl Status {
    /// The status without what passes although nothing happens: two such ones that are equal show the same. The window
    /// compares in the same way (ui/src/lib/following.ts).
    pub fn without_clock(&self) -> Self {
        let mut status = Self {
            cycle_ms: 0,
            ..self.clone()
        };
        for open in status.live.iter_mut().filter(|open| open.here) {
            open.seen.clear();
        }
        status
    }

    /// How many sessions wait, those that are not listed included.
    pub fn n_waiting(&self) -> u64 {
        let counted = self.waiting_counts.iter().map(|count| count.sessions).sum();
        // An older engine lists all and counts none.
        u64::max(counted, self.waiting.len() as u64)
    }

    /// How many things end the waits that somebody has to end: one choice of a directory, however many sessions wait
    /// for it. The window counts in the same way (ui/src/lib/actions.ts).
    pub fn n_to_end(&self) -> u64 {
        let mut ends: Vec<(Option<Reason>, &str, &[Remedy])> = Vec::new();
        for wait in &self.waiting {
            let end = (wait.code, wait.why.as_str(), wait.actions.as_slice());
            if wait.code.is_some_and(Reason::is_ended_by_user) && !ends.contains(&end) {
                ends.push(end);
            }
        }
        ends.len() as u64
    }

    /// How many sessions wait for this reason.
    pub fn n_waiting_for(&self, code: Option<Reason>) -> u64 {
        let counts = self.waiting_counts.iter();
        let counted = counts
            .filter(|count| count.code == code)
            .map(|count| count.sessions)
            .sum();
        let listed = self.waiting.iter().filter(|wait| wait.code == code).count() as u64;
        u64::max(counted, listed)
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct Held {
    /// The argument for `roam release`.
    pub what: String,
    pub code: HoldReason,
    pub message: String,
    pub hint: String,
    /// What the user can do about it.
    #[serde(default, deserialize_with = "remedy::known")]
    pub actions: Vec<Remedy>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct LiveSession {
    pub session: String,
    pub tool: String,
    pub title: String,
    pub project: String,
    /// The name of the device on which the session is open.
    pub device: String,
    pub here: bool,
    /// RFC 3339: the time of the last such report.
    pub seen: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct ToolRow {
    pub tool: String,
    pub name: String,
    pub level: Level,
    /// What the level means, in a sentence.
    #[serde(default)]
    pub meaning: String,
    /// Why the level is below `merge`, or a remark.
    pub reason: String,
    /// The versions whose shapes are known, as text.
    #[serde(default)]
    pub versions: String,
    /// The store here has an unknown shape: `level` is lowered, and nothing is written.
    #[serde(default)]
    pub lowered: bool,
    /// Its sessions come here by an import alone.
    #[serde(default)]
    pub imported: bool,
    /// The tool's store exists on this device.
    pub found: bool,
    pub on: bool,
    pub roots: Vec<PathBuf>,
    pub sessions: u64,
    pub bytes: u64,
    /// All stores of a tool that may have several.
    #[serde(default)]
    pub stores: Vec<StoreRow>,
}

/// One of a tool's stores.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct StoreRow {
    /// The value of the tool's variable for this store.
    pub dir: PathBuf,
    pub on: bool,
    /// The store exists now.
    pub found: bool,
    /// How the store was found, as text.
    pub from: String,
    pub sessions: u64,
    pub bytes: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct ProjectRow {
    pub key: String,
    /// The project's names: the directory's and the remote's.
    pub names: Vec<String>,
    pub places: Vec<PathBuf>,
    pub sessions: u64,
    pub excluded: bool,
    /// What is excluded, if that is not the project itself: something around it, or another name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub excluded_by: Option<String>,
    pub tools: Vec<String>,
    /// Whether its uncommitted changes go along with its sessions from this device.
    #[serde(default)]
    pub code: bool,
}

/// A session that continues another one from one of its messages.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct Forked {
    /// The new session's id.
    pub session: String,
    pub tool: String,
    pub title: String,
    /// The number of its messages: more than asked for if a call would have been cut from its
    /// result, fewer if the call has none.
    pub messages: u64,
    /// The number of messages of the other session.
    pub total: u64,
}

/// `roam resume --print`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct Resume {
    pub argv: Vec<String>,
    /// The command shows a window of its own and needs no terminal.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub window: bool,
    pub cwd: PathBuf,
    pub env: BTreeMap<String, String>,
    pub unset: Vec<String>,
    /// Commands that must succeed first, in the same directory and environment.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub before: Vec<Vec<String>>,
    /// Notes before resuming: "live on desk, 12 s ago".
    pub notes: Vec<String>,
    /// The notes with codes.
    #[serde(default)]
    pub remarks: Vec<Remark>,
}

words! {
    /// What a note before resuming is about.
    RemarkCode {
        /// The session is open on this device.
        OpenHere,
        /// The session is open on another device.
        Live,
        /// The session's directory is gone; it opens in another one.
        DirectoryGone,
        /// The session has two versions.
        Split,
        /// The session waits for something.
        Waiting,
        /// The session is held until the user decides.
        Held,
        /// The session is not yet in the list of another program.
        Unlisted,
        /// The session opens in another tool.
        App,
        /// A command of the tool comes first.
        First,
        /// This checkout is on another branch than the session noted.
        Branch,
        /// The commit that the session noted has to be fetched.
        CommitMissing,
        /// The commit that the session noted is on another line of history.
        CommitBeside,
        /// This checkout has changed files, and another device spoke last.
        Changed,
    }
}

/// A note before resuming.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct Remark {
    pub code: RemarkCode,
    pub message: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
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
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct BranchRow {
    /// The chain id of its tip, in the doc that diverged.
    pub branch: String,
    /// The session that holds the branch in the tool: the session itself, or a fork. Empty until
    /// the user has chosen (tier C).
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
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct Choice {
    pub id: Action,
    pub enabled: bool,
    pub consequence: String,
}

/// What the next undo would undo.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct Undoable {
    pub kind: UndoKind,
    /// Empty if it concerns more than one session.
    pub session: String,
    pub title: String,
    /// The decision, if it is one.
    pub choice: Option<Action>,
    /// The name of the device whose version was kept, or that was revoked.
    pub device: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum UndoKind {
    /// A decision about a split.
    Choice,
    /// A revocation that took out what the device wrote.
    Revoked,
    /// A session that was forgotten.
    Forgotten,
    /// Following a device that took back its own lines.
    TakenBack,
    /// A session that moved to its project's directory.
    Moved,
    /// Another device's code that was applied.
    Code,
}

/// The two branches of a split, aligned. `rows` is one page of `total`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct Diff {
    pub session: String,
    pub tool: String,
    pub title: String,
    /// The doc that diverged.
    pub doc: String,
    pub class: Tier,
    pub reason: String,
    pub left: DiffSide,
    pub right: DiffSide,
    /// No split, but a change by another device that is held: what is here stands left, what the
    /// other device made of it right. `Release` accepts it.
    #[serde(default)]
    pub rewrite: bool,
    pub prefix: DiffPrefix,
    pub stats: DiffStats,
    pub total: u64,
    pub rows: Vec<DiffRow>,
    /// Only if requested.
    pub choices: Vec<Choice>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct DiffSide {
    pub device: String,
    /// The chain id of its tip.
    pub branch: String,
    /// After the common part.
    pub records: u64,
    pub bytes: u64,
    pub messages: u64,
    /// Messages of the user.
    #[serde(default)]
    pub turns: u64,
    pub first: Option<String>,
    pub last: Option<String>,
    /// Changes of what the tool may do, in the order of the records, the first [`MOST_CHANGES`];
    /// empty unless choices were requested.
    #[serde(default)]
    pub changes: Vec<SteeringRow>,
    /// The number of all changes.
    #[serde(default)]
    pub n_changes: u64,
}

/// The most changes of what the tool may do that are listed; the rest are only counted.
pub const MOST_CHANGES: usize = 20;

/// A record that changed what the tool may do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct SteeringRow {
    /// The name of the device that wrote the record; `None` if unknown.
    pub device: Option<String>,
    /// For instance `approval policy → never`, at most 200 characters.
    pub text: String,
}

/// The common part of both sides before the fork point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct DiffPrefix {
    pub records: u64,
    pub messages: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct DiffStats {
    pub same: u64,
    pub changed: u64,
    /// Messages that are on this side only.
    pub left: u64,
    pub right: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct DiffRow {
    pub i: u64,
    /// `same`, `changed`, `beside`, `left`, `right`.
    pub kind: Kind,
    pub left: Option<Msg>,
    pub right: Option<Msg>,
    /// How similar the two are, 0 to 1.
    pub alike: f32,
    /// The turn after the common part, from 1; 0 continues the last common turn. A turn begins with
    /// a message of the user.
    #[serde(default)]
    pub turn: u64,
    /// The other side has no such turn.
    #[serde(default)]
    pub alone: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct DiffWords {
    pub left: String,
    pub right: String,
    /// Empty if the texts are too long to compare.
    pub spans: Vec<Span>,
}

/// A page of the common part of both sides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct DiffCommon {
    /// The number of all its messages.
    pub total: u64,
    pub from: u64,
    pub messages: Vec<Message>,
}

/// A step that the engine would take, or that is waiting.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct StepRow {
    pub session: String,
    pub tool: String,
    pub title: String,
    pub step: StepKind,
    pub what: String,
    pub bytes: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct HistoryRow {
    pub at: String,
    pub device: String,
    /// The session's current title.
    #[serde(default)]
    pub title: String,
    pub what: HistoryKind,
    pub session: String,
    pub tool: String,
    pub doc: String,
    pub bytes: u64,
    pub lines: u64,
    /// How many files changed, where code was applied or taken back.
    #[serde(default)]
    pub files: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct Exported {
    /// The written files, or the text itself if no directory was given.
    pub files: Vec<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub text: Option<String>,
}

/// A journal segment of a session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct SegmentRow {
    pub device: String,
    pub lane: String,
    pub path: PathBuf,
    pub bytes: u64,
    pub frames: u64,
    pub lines: u64,
    pub state: SegmentState,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct Check {
    pub name: String,
    pub state: CheckState,
    pub message: String,
    pub hint: String,
    /// What the user can do about it.
    #[serde(default, deserialize_with = "remedy::known")]
    pub actions: Vec<Remedy>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct Doctor {
    pub checks: Vec<Check>,
    /// Each session that does not sync, and the reason.
    pub not_carried: Vec<Waiting>,
    /// Tool, level and the known versions.
    pub tools: Vec<ToolRow>,
    /// Conflict copies of sessions in the tools' stores.
    #[serde(default)]
    pub copies: Vec<CopyRow>,
    /// Paths in the tools' stores that do not sync, the first ones of each reason; the check `left
    /// out` counts them all.
    #[serde(default)]
    pub left_out: Vec<LeftOut>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct Done {
    pub done: bool,
    pub message: String,
    /// What the user can do next.
    #[serde(
        default,
        deserialize_with = "remedy::known",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[cfg_attr(test, ts(optional, as = "Option<Vec<Remedy>>"))]
    pub actions: Vec<Remedy>,
}

impl Done {
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            done: true,
            message: message.into(),
            actions: Vec::new(),
        }
    }

    pub fn offer(mut self, remedy: Remedy) -> Self {
        self.actions.push(remedy);
        self
    }
}
