//! Something wrong that is reported while the engine continues.

use super::remedy::{self, Remedy};
use super::states::words;
use serde::{Deserialize, Serialize};

words! {
    /// What a problem or a failed request is, for scripts and the window. docs/cli.md explains each code.
    ProblemCode {
        AlreadyRunning,
        Ambiguous,
        AmbiguousApp,
        AmbiguousBranch,
        AmbiguousDevice,
        AmbiguousSession,
        AppAsks,
        AppDenied,
        AppNotAllowed,
        AppQuota,
        AppsUnreadable,
        AppsUnwritable,
        Autostart,
        BadAnswer,
        BadArguments,
        BadCode,
        BadEntry,
        BadLink,
        BadName,
        BadPath,
        BadProgram,
        BadRequest,
        BadSearch,
        BadTime,
        BadToken,
        Busy,
        CardRefused,
        ChoiceRefused,
        CodeRefused,
        CopiesWithheld,
        CustomTool,
        DatabaseRebuilt,
        DeviceCloned,
        DeviceIdChanged,
        DeviceLeft,
        DeviceRevoked,
        DevicesUnwritable,
        DigitsDiffer,
        DigitsNeeded,
        DiskFull,
        DuplicateSession,
        EngineGone,
        EngineNotRunning,
        EngineUnreachable,
        EntryRefused,
        ExternalSyncthing,
        FolderErrors,
        FolderStalled,
        FolderTampered,
        FolderUnwritable,
        ForgettingUnwritable,
        Forgotten,
        FrameRefused,
        HomeCloned,
        HomeInUse,
        HomeNotPrivate,
        HomeUnusable,
        IdNeeded,
        ImportRunning,
        ImportUnreadable,
        IndexUnreadable,
        Internal,
        IsHere,
        IsVersion,
        JournalChanged,
        JournalNewer,
        JournalSetAside,
        JournalUnreadable,
        LeftOut,
        ListUnusable,
        ListenFailed,
        Live,
        ManyStrangers,
        NameClash,
        NameTaken,
        Needed,
        NeedsYes,
        NoBoundary,
        NoCode,
        NoDirectory,
        NoHome,
        NoIdentity,
        NoPart,
        NoPlace,
        NoProgram,
        NoRandomness,
        NoRemote,
        NoRow,
        NoSplit,
        NoSuchDirectory,
        NoSuchProject,
        NoTerminal,
        NotAsking,
        NotAtRest,
        NotCarried,
        NotChosen,
        NotForgotten,
        NotForkable,
        NotHeld,
        NotHere,
        NotOpened,
        NotOurs,
        NotPaired,
        NotProved,
        NotRecorded,
        NotRevoked,
        NotSearched,
        NothingToUndo,
        OneBranch,
        Output,
        OwnCode,
        OwnJournalChanged,
        OwnSyncthing,
        PortInUse,
        Protocol,
        PutAway,
        QuarantineUnwritable,
        RecordLeftOut,
        SearchIndex,
        SearchNotReady,
        SearchOff,
        SessionDamaged,
        SessionUnreadable,
        Settings,
        Signals,
        Socket,
        StalePage,
        StateUnwritable,
        Stopping,
        StoreFailed,
        StoreGone,
        StoresFull,
        SyncthingCrashes,
        SyncthingDowngraded,
        SyncthingForeign,
        SyncthingHome,
        SyncthingLocked,
        SyncthingMissing,
        SyncthingRefused,
        SyncthingTooOld,
        SyncthingWrongBinary,
        TakingIn,
        TooDeep,
        TooLarge,
        TooManyAttempts,
        TooManyPairings,
        ToolNotFound,
        ToolNotStarted,
        ToolProgramMissing,
        ToolRefused,
        TwinNotRecorded,
        UnknownApp,
        UnknownBranch,
        UnknownChoice,
        UnknownClient,
        UnknownDevice,
        UnknownMessage,
        UnknownSession,
        UnknownShape,
        UnknownTool,
        Unreadable,
        Unwritable,
        VaultLost,
        VaultRestored,
        VaultUnwritable,
        WatchFailed,
        WatchLimit,
        /// A code of another version of session-roam.
        #[serde(other)]
        Other,
    }
}

impl ProblemCode {
    /// Nothing is recorded or sent while a problem of one of these kinds lasts. The window's list is made from this one.
    pub const BLOCKING: [Self; 13] = [
        Self::DevicesUnwritable,
        Self::DiskFull,
        Self::FolderUnwritable,
        Self::Internal,
        Self::QuarantineUnwritable,
        Self::StateUnwritable,
        Self::SyncthingCrashes,
        Self::SyncthingDowngraded,
        Self::SyncthingForeign,
        Self::SyncthingLocked,
        Self::SyncthingMissing,
        Self::SyncthingRefused,
        Self::VaultUnwritable,
    ];

    /// Something could not be recorded, read or sent while everything else goes on: nothing is called
    /// up to date as long as there is such a problem.
    pub const INCOMPLETE: [Self; 8] = [
        Self::DeviceCloned,
        Self::FolderErrors,
        Self::FolderStalled,
        Self::JournalSetAside,
        Self::JournalUnreadable,
        Self::NotRecorded,
        Self::SessionUnreadable,
        Self::TwinNotRecorded,
    ];

    pub fn is_incomplete(self) -> bool {
        Self::INCOMPLETE.contains(&self)
    }

    pub fn is_blocking(self) -> bool {
        Self::BLOCKING.contains(&self)
    }

    /// What is wrong is Syncthing: nothing is sent, but changes are saved here.
    pub fn is_of_syncthing(self) -> bool {
        self.as_str().starts_with("syncthing_")
    }
}

/// A problem in the user's words. Scripts and the window match on `code`; the texts may change.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
pub struct Problem {
    /// Stable, like `journal_changed`.
    pub code: ProblemCode,
    /// A full sentence: what is wrong and where.
    pub message: String,
    /// What to do next, without commands and buttons.
    pub hint: String,
    /// What the user can do about it.
    #[serde(default, deserialize_with = "remedy::known")]
    pub actions: Vec<Remedy>,
}

impl Problem {
    pub fn new(code: ProblemCode, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            hint: hint.into(),
            actions: Vec::new(),
        }
    }

    pub fn offer(mut self, remedy: Remedy) -> Self {
        self.actions.push(remedy);
        self
    }
}

/// An error with all its causes, as a sentence of its own.
pub fn sentence(error: &dyn std::error::Error) -> String {
    let mut text = with_causes(error);
    let begins_with_word = text.split(' ').next().is_some_and(|word| {
        let is_lower = |c: char| c.is_ascii_lowercase();
        word.chars().all(is_lower)
    });
    if let (true, Some(first)) = (begins_with_word, text.get_mut(..1)) {
        first.make_ascii_uppercase();
    }
    text
}

/// An error with all its causes, in one sentence.
pub fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text.push_str(": ");
        text.push_str(&next.to_string());
        cause = next.source();
    }
    text.push('.');
    text
}
