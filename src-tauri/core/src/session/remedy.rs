//! What the user can do about a message. A message names no command and no button: the command line
//! words a remedy as its command, the window as a button.

use serde::{Deserialize, Deserializer, Serialize};
use std::path::PathBuf;

/// Something that the user can do about a message.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS, schemars::JsonSchema))]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Remedy {
    StartEngine,
    StopEngine,
    Retry,
    /// Ends a pause.
    ContinueSyncing,
    /// Says which Syncthing program to use.
    LocateSyncthing,
    OpenLogs,
    /// config.toml.
    OpenSettings,
    OpenStatus,
    OpenSessions,
    OpenSplits,
    OpenDevices,
    OpenProjects,
    OpenTools,
    OpenDiagnostics,
    OpenForgotten,
    OpenSession {
        session: String,
    },
    OpenHistory {
        session: String,
    },
    OpenJournal {
        session: String,
    },
    /// Says where a project is on this device.
    ChooseFolder {
        project: String,
    },
    /// Ends the exclusion of a project.
    IncludeProject {
        project: String,
    },
    SwitchToolOn {
        tool: String,
    },
    SwitchStoreOn {
        tool: String,
        dir: PathBuf,
    },
    SwitchStoreOff {
        tool: String,
        dir: PathBuf,
    },
    /// Compares the versions of a split session.
    Compare {
        session: String,
    },
    /// Undoes the session's last decision, or the last one of all.
    Undo {
        session: Option<String>,
    },
    /// Takes applied code back and keeps what was changed since elsewhere.
    UndoSettingAside {
        session: String,
    },
    RestoreSession {
        session: String,
    },
    /// Puts the sessions back that vanished from a tool's store.
    RestoreSessions {
        tool: String,
    },
    ResumeSession {
        session: String,
    },
    ExportSession {
        session: String,
    },
    /// The user deleted the sessions that vanished. `what` is the argument of `Release`, as below.
    AcceptDeletion {
        what: String,
    },
    /// Takes the other device's version.
    AcceptRewrite {
        what: String,
    },
    /// Takes lines that only change settings, without applying them.
    AcceptLines {
        what: String,
    },
    /// Lets another device forget sessions.
    AcceptForget {
        what: String,
    },
    /// Reads a journal again that was set aside.
    ReadJournal {
        what: String,
    },
    Forget {
        session: String,
    },
    /// This device's code, for the other device.
    ShowCode,
    /// Enters the other device's code.
    Pair,
    CompareDigits {
        id: String,
    },
    Approve {
        id: String,
    },
    RevokeDevice,
    CancelPairing,
    NewIdentity,
    AllowApp {
        app: String,
    },
    DenyApp {
        app: String,
    },
    /// Forgets the decision about an app.
    RemoveApp {
        app: String,
    },
    OpenApps,

    ImportCopies,
}

/// Remedies of another version that this one does not know are left out.
pub fn known<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Remedy>, D::Error> {
    let values = Vec::<serde_json::Value>::deserialize(from)?;
    Ok(values
        .into_iter()
        .filter_map(|value| serde_json::from_value(value).ok())
        .collect())
}

#[cfg(test)]
mod tests {
    use crate::session::{Problem, ProblemCode, Remedy};

    #[test]
    fn what_another_version_offers_is_left_out_and_its_codes_are_read() {
        let text = r#"{"code":"made_up_later","message":"M.","hint":"","actions":[{"do":"fly"},{"do":"undo","session":null}]}"#;
        let read: Problem = serde_json::from_str(text).expect("readable");
        assert_eq!(read.code, ProblemCode::Other);
        assert_eq!(read.actions, [Remedy::Undo { session: None }]);
    }
}
