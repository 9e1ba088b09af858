//! Steering settings of Claude Code in a transcript, and the file copies that `/rewind` may
//! restore.

use crate::formats::steering::{self, Marks};
use crate::formats::words::Words;
use crate::formats::{fields, guarded};
use crate::session::DocName;
use crate::session::chain::lines_of;
use crate::tools::{Restores, Steer, Steering};
use std::path::Path;
use std::sync::{LazyLock, OnceLock};

/// The settings for a session in its transcript. On resume 2.1.330 takes the session's mode
/// (`acceptEdits`, `auto`, `dontAsk`, `plan`; not `bypassPermissions`) from the last
/// `permission-mode` record, whatever `permissions.defaultMode` in the settings is. A record of an
/// unknown kind is skipped, and the settings count (seen 2026-11-28). The other kinds here are
/// those that the tool's loader keeps, last one wins, and that name an agent, a mode, a directory,
/// a channel to elsewhere or code to load. Records that only restrict (`isolation-latch`,
/// `session-owner`, `history-suppression`, `memory-mode`) stay as they are.
pub(super) static MARKS: Marks = Marks {
    kinds: &[(
        &["/type"],
        &[
            "agent-setting",
            "artifact-autoreact-ledger",
            "artifact-comment-monitor",
            "bridge-session",
            "dev-mods",
            "hybrid-organization",
            "mode",
            "observer-ref",
            "permission-mode",
            "relocated",
            "repl-mode",
            "worktree-state",
        ],
    )],
    names: &[
        "/permissionMode",
        "/permissionDecision",
        "/hooks",
        "/mcpServers",
        "/allowedTools",
    ],
    content: &[],
    shown: &[
        "/permissionMode",
        "/mode",
        "/replMode",
        "/agentSetting",
        "/worktreeSession/worktreePath",
        "/relocatedCwd",
        "/folder",
        "/bridgeSessionId",
    ],
    words: OnceLock::new(),
};

/// `MARKS`, plus the records that name files to restore.
static WITH_COPIES: Marks = Marks {
    kinds: &[(&["/type"], &["file-history-delta", "file-history-snapshot"])],
    names: &[],
    content: &[],
    shown: &[],
    words: OnceLock::new(),
};

pub(super) const STEERING: Steering = Steering {
    sets: |doc, content| match is_agents_card(doc) {
        true => {
            let set = |(name, neutral): (&&str, &&str)| {
                let value = fields::get(content, name).filter(|value| value != neutral)?;
                Some(Steer {
                    name: (*name).into(),
                    value: value.into(),
                })
            };
            AGENTS_OWN
                .iter()
                .zip(&AGENTS_NEUTRAL)
                .filter_map(set)
                .collect()
        }
        false => MARKS.sets(content),
    },
    usual: |steer| match steer.name.as_str() {
        "mode" => ["default", "normal"].contains(&steer.value.as_str()),
        "permissionMode" => ["default", "plan"].contains(&steer.value.as_str()),
        "replMode" => steer.value == "false",
        // Written at each connection to the vendor's app, which is this device's own in any case.
        "bridgeSessionId" => true,
        _ => false,
    },
    neutral: |_, line, cwd| {
        let mut edits = MARKS.edits(line);
        let is_refused = || {
            cwd.as_os_str().is_empty()
                || tracked(line)
                    .iter()
                    .any(|path| refused(&path.path, cwd).is_some())
        };
        if may_track(line) && is_refused() {
            edits.extend(WITH_COPIES.edits(line));
        }
        edits
    },
    concerns: |part| MARKS.may_concern(part) || may_track(part),
    restores: Some(Restores {
        is_one: |doc| doc.as_str().starts_with(COPIES),
        refused: copies_refused,
    }),
    words: "permission mode, mode, agent, worktree and moved directory, monitors and channels, what a subagent may do, its worktree and fields of it that only a later version knows; copies of \
            files for /rewind where one of them lies outside of the checkout or is obeyed by programs: a hook, a setting, a build script, \
            instructions for an agent",
};

/// The prefix of docs that hold copies of earlier file contents.
pub(super) const COPIES: &str = "beside/file-history/";

/// What a subagent's card says about its permissions and the directory in which it goes on, and the
/// neutral values for another device's.
pub(super) const AGENTS_OWN: [&str; 2] = ["permissionMode", "worktreePath"];
pub(super) const AGENTS_NEUTRAL: [&str; 2] = ["\"default\"", "null"];

/// The fields of a subagent's card (2.1.330). Any other may steer the subagent: each device has its
/// own.
const AGENTS_FIELDS: [&str; 7] = [
    "agentType",
    "description",
    "parentAgentId",
    "permissionMode",
    "spawnDepth",
    "toolUseId",
    "worktreePath",
];

pub(super) fn is_agents_card(doc: &DocName) -> bool {
    doc.as_str().starts_with("subagents/") && doc.as_str().ends_with(".meta.json")
}

pub(super) fn device_fields(doc: &DocName) -> &'static [&'static str] {
    if is_agents_card(doc) {
        &AGENTS_OWN
    } else {
        &[]
    }
}

pub(super) fn known_fields(doc: &DocName) -> Option<&'static [&'static str]> {
    is_agents_card(doc).then_some(&AGENTS_FIELDS)
}

/// A file tracked in a transcript, and the name of its copy.
pub(super) struct TrackedFile {
    pub(super) path: String,
    pub(super) copy: Option<String>,
}

/// Whether the line may name files to restore, as the lines that concern `WITH_COPIES` may.
fn may_track(line: &[u8]) -> bool {
    static WORDS: LazyLock<Words> = LazyLock::new(|| {
        Words::new(["trackedFileBackups", "trackingPath", "file-history-", "\\u"])
    });
    WORDS.is_in(line)
}

/// The files that a record names. `--rewind-files` of 2.1.330 joins a relative path to the
/// session's directory and uses an absolute one as it is (seen 2026-11-28).
pub(super) fn tracked(line: &[u8]) -> Vec<TrackedFile> {
    if !may_track(line) {
        return Vec::new();
    }
    let copy = |value: &[u8]| fields::text(value, "backupFileName");
    let mut found: Vec<TrackedFile> = steering::members_of(line, "trackedFileBackups")
        .into_iter()
        .map(|(path, value)| TrackedFile {
            path,
            copy: copy(value),
        })
        .collect();
    let copy = fields::text(line, "/backup/backupFileName");
    found.extend(
        steering::texts(line, "trackingPath")
            .into_iter()
            .map(|path| TrackedFile {
                path,
                copy: copy.clone(),
            }),
    );
    found
}

fn refused(path: &str, cwd: &Path) -> Option<&'static str> {
    guarded::refused(path, cwd)
}

/// Why another device's copies are not given to the tool. One forbidden file is enough, because the
/// same copy may stand for several files.
fn copies_refused(main: &[u8], cwd: &Path) -> Option<String> {
    let mut files = lines_of(main).flat_map(tracked);
    files.find_map(|file| Some(format!("{} {}", file.path, refused(&file.path, cwd)?)))
}
