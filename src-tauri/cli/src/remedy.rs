//! What the user can do about a message, as the command that does it.

use session_roam_core::session::Remedy;

/// A hint with the commands for its remedies, in one line.
pub fn advice(hint: &str, remedies: &[Remedy]) -> String {
    let commands = remedies.iter().filter_map(command);
    let all: Vec<String> = Some(hint.to_owned())
        .filter(|hint| !hint.is_empty())
        .into_iter()
        .chain(commands)
        .collect();
    all.join(" ")
}

/// `None` if there is no command for it beyond what the hint says.
fn command(remedy: &Remedy) -> Option<String> {
    let line = match remedy {
        Remedy::StartEngine => "Start it with `roam run`, or open the tray app.".into(),
        Remedy::StopEngine => "Stop it with `roam stop`.".into(),
        Remedy::Retry => "Try again.".into(),
        Remedy::ContinueSyncing => "Continue with `roam continue`.".into(),
        Remedy::LocateSyncthing => {
            "Name the program to use under [syncthing] binary in config.toml.".into()
        }
        // The hint names config.toml.
        Remedy::OpenSettings => return None,
        Remedy::OpenLogs => "The log files are in the folder `logs` of the data folder.".into(),
        Remedy::OpenStatus => "See `roam status`.".into(),
        Remedy::OpenSessions => "`roam sessions` lists the sessions.".into(),
        Remedy::OpenSplits => "`roam splits` lists the sessions with two versions.".into(),
        Remedy::OpenDevices => "`roam devices` lists the devices.".into(),
        Remedy::OpenProjects => "`roam projects` lists the projects.".into(),
        Remedy::OpenTools => "`roam tools` lists the tools and their stores.".into(),
        Remedy::OpenDiagnostics => "`roam doctor` says more.".into(),
        Remedy::OpenForgotten => "`roam forget --list` shows what became of it.".into(),
        Remedy::OpenSession { session } => {
            format!("`roam show {}` shows it.", plain(session, "SESSION"))
        }
        Remedy::OpenHistory { session } => {
            format!(
                "`roam history {}` lists its decisions.",
                plain(session, "SESSION")
            )
        }
        Remedy::OpenJournal { session } => {
            format!(
                "`roam journal {}` lists its journals.",
                plain(session, "SESSION")
            )
        }
        Remedy::ChooseFolder { project } => format!(
            "Say where it is with `roam projects map {} DIR`.",
            plain(project, "PROJECT")
        ),
        Remedy::IncludeProject { project } => format!(
            "Include it with `roam projects exclude {} --off`.",
            plain(project, "PROJECT")
        ),
        Remedy::SwitchToolOn { tool } => {
            format!("Switch it on with `roam tools on {}`.", plain(tool, "TOOL"))
        }
        Remedy::SwitchStoreOn { tool, dir } => format!(
            "Switch it on with `roam tools on {} --store {}`.",
            plain(tool, "TOOL"),
            plain(&dir.to_string_lossy(), "DIR")
        ),
        Remedy::SwitchStoreOff { tool, dir } => format!(
            "Switch it off with `roam tools off {} --store {}`.",
            plain(tool, "TOOL"),
            plain(&dir.to_string_lossy(), "DIR")
        ),
        Remedy::Compare { session } => {
            format!("See both with `roam diff {}`.", plain(session, "SESSION"))
        }
        Remedy::Undo { session: None } => "`roam undo` undoes the last decision.".into(),
        Remedy::Undo {
            session: Some(session),
        } => format!("Undo it with `roam undo {}`.", plain(session, "SESSION")),
        Remedy::UndoSettingAside { session } => format!(
            "`roam undo {} --set-aside` undoes it nonetheless, and nothing of these is lost.",
            plain(session, "SESSION")
        ),
        Remedy::RestoreSession { session } => {
            format!(
                "Restore it with `roam restore {}`.",
                plain(session, "SESSION")
            )
        }
        Remedy::RestoreSessions { tool } => {
            format!(
                "Restore them with `roam restore tool:{}`.",
                plain(tool, "TOOL")
            )
        }
        Remedy::ResumeSession { session } => {
            format!(
                "Continue it with `roam resume {}`.",
                plain(session, "SESSION")
            )
        }
        Remedy::ExportSession { session } => format!(
            "`roam export {} native --out DIR` saves it.",
            plain(session, "SESSION")
        ),
        Remedy::AcceptDeletion { what } => {
            format!(
                "If you deleted them, confirm with `roam release {}`.",
                plain(what, "WHAT")
            )
        }
        Remedy::AcceptRewrite { what } => format!(
            "Take the other device's version with `roam release {}`.",
            plain(what, "WHAT")
        ),
        Remedy::AcceptLines { what } => {
            format!(
                "Accept the lines with `roam release {}`.",
                plain(what, "WHAT")
            )
        }
        Remedy::AcceptForget { what } => {
            format!(
                "To accept it, confirm with `roam release {}`.",
                plain(what, "WHAT")
            )
        }
        Remedy::ReadJournal { what } => {
            format!("Read it again with `roam release {}`.", plain(what, "WHAT"))
        }
        Remedy::Forget { session } => {
            format!(
                "Forget it with `roam forget {}`.",
                plain(session, "SESSION")
            )
        }
        Remedy::ShowCode => "`roam device` shows a device's code.".into(),
        Remedy::Pair => "Pair with `roam pair CODE`.".into(),
        Remedy::CompareDigits { id } => {
            format!("Compare digits with `roam pair {}`.", plain(id, "ID"))
        }
        Remedy::Approve { id } => format!("Approve it with `roam approve {}`.", plain(id, "ID")),
        Remedy::RevokeDevice => "Revoke a device everywhere with `roam revoke ID`.".into(),
        Remedy::CancelPairing => "Cancel one with `roam unpair ID`.".into(),
        Remedy::NewIdentity => "Create a new identity with `roam device --new-identity`.".into(),
        Remedy::AllowApp { app } => {
            format!("Allow it with `roam apps allow {}`.", plain(app, "APP"))
        }
        Remedy::DenyApp { app } => {
            format!("Refuse it with `roam apps deny {}`.", plain(app, "APP"))
        }
        Remedy::RemoveApp { app } => {
            format!(
                "Remove the decision with `roam apps remove {}`.",
                plain(app, "APP")
            )
        }
        Remedy::OpenApps => "`roam apps` lists the apps.".into(),
        Remedy::ImportCopies => "Import them with `roam doctor --take-in`.".into(),
    };
    Some(line)
}

/// A word that any shell takes as it is, in quotes if it needs them; otherwise the placeholder,
/// since ids and keys come from other devices.
fn plain(text: &str, placeholder: &str) -> String {
    const BARE: &str = ":/._-";
    // Within quotes these and letters of all scripts mean themselves in every shell.
    const QUOTED: &str = " #@+,=~()[]{}";
    let is_bare = |c: char| c.is_ascii_alphanumeric() || BARE.contains(c);
    let is_inert = |c: char| {
        is_bare(c) || c.is_alphanumeric() || QUOTED.contains(c) || (cfg!(windows) && c == '\\')
    };
    // The shells of Windows do not all know the single quote; a backslash before the double one
    // would be taken with it.
    let quote = if cfg!(windows) { '"' } else { '\'' };
    if text.is_empty() || text.starts_with('-') || text.ends_with('\\') {
        placeholder.to_owned()
    } else if text.chars().all(is_bare) {
        text.to_owned()
    } else if text.chars().all(is_inert) && !text.contains("  ") {
        format!("{quote}{text}{quote}")
    } else {
        placeholder.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_is_followed_by_the_commands_of_its_remedies() {
        let choose = |project: &str| {
            let project = project.into();
            advice("Clone it.", &[Remedy::ChooseFolder { project }])
        };
        assert_eq!(
            choose("git:example.org/a"),
            "Clone it. Say where it is with `roam projects map git:example.org/a DIR`."
        );
        let quote = if cfg!(windows) { '"' } else { '\'' };
        for key in ["git:example.org/a#web ui", "home:Arbeit/Größe (neu)"] {
            assert_eq!(
                choose(key),
                format!(
                    "Clone it. Say where it is with `roam projects map {quote}{key}{quote} DIR`."
                )
            );
        }
        for key in [
            "git:x; rm -rf ~",
            "a'b",
            "a\"b",
            "$HOME",
            "%PATH%",
            "a`b",
            "a\nb",
            "a\u{202e}b",
            "a\u{2019}b",
            "a & b",
            "a  b",
            "a\\",
            "-x",
            "",
        ] {
            assert_eq!(
                choose(key),
                "Clone it. Say where it is with `roam projects map PROJECT DIR`.",
                "{key}"
            );
        }
        let session = "0a1b".into();
        assert_eq!(
            advice("", &[Remedy::Compare { session }]),
            "See both with `roam diff 0a1b`."
        );
        assert_eq!(advice("", &[Remedy::OpenSettings]), "");
    }
}
