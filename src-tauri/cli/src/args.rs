//! The arguments of every command. Their texts are what `--help` says.

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use session_roam_core::api;
use std::path::PathBuf;

/// Your AI coding sessions on all your devices.
#[derive(Parser)]
#[command(
    name = "roam",
    version,
    max_term_width = 100,
    after_help = "A SESSION is its id or the start of it, as `roam sessions` shows it, or a part of its title that no other session has."
)]
pub struct Args {
    #[command(subcommand)]
    pub command: Command,
    /// Answer in JSON, with stable field names
    #[arg(long, global = true)]
    pub json: bool,
    /// The directory of config, state and vault [default: SESSION_ROAM_HOME, else the system's place for data]
    #[arg(long, global = true, value_name = "DIR")]
    pub home: Option<PathBuf>,
}

#[derive(Subcommand)]
pub enum Command {
    /// Run the engine in the foreground until Ctrl-C
    Run,
    /// Show the state, what waits and why
    Status,
    /// Check everything, and explain each session that does not sync
    Doctor {
        /// Import the conflict copies that another sync program made in the tools' stores
        #[arg(long)]
        take_in: bool,
        /// Show how long each stage of the latest changes took on this device
        #[arg(long, conflicts_with = "take_in")]
        timing: bool,
    },
    /// Show this device: name, id, code and QR
    Device {
        /// Create a new identity with new keys: for a device that was copied or restored from a backup. Stop the engine first
        #[arg(long)]
        new_identity: bool,
    },
    /// List the devices that are paired, ask or are proposed
    Devices,
    /// Pair with another device of yours
    Pair(Pair),
    /// Rename this device, another one as shown here, or a session on all devices
    ///
    /// What is renamed is a device's name or id, or else a session. An empty title restores the one that the session has
    /// in its tool, which keeps its own title in any case.
    #[command(
        override_usage = "roam rename NAME\n       roam rename DEVICE NAME\n       roam rename SESSION TITLE"
    )]
    Rename {
        /// The new name; before it, the device or the session to rename if it is not this device
        #[arg(required = true, num_args = 1..=2, value_name = "NAME")]
        names: Vec<String>,
    },
    /// Approve a device that is proposed or was revoked
    Approve {
        /// A device's name, its id or the start of it
        id: String,
    },
    /// Revoke a device everywhere: your devices stop syncing with it
    Revoke {
        /// A device's name, its id or the start of it
        id: String,
        /// Also remove what it wrote since then: a time like 2026-11-28T17:00:00Z
        #[arg(long, value_name = "TIME")]
        since: Option<String>,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Also approve here every device that you approve on that device
    Follow {
        /// A device's name, its id or the start of it
        id: String,
        /// Stop doing so; devices approved there are only proposed from then on
        #[arg(long)]
        stop: bool,
    },
    /// Stop syncing between this device and another one; your other devices still sync with both
    Unpair {
        /// A device's name, its id or the start of it
        id: String,
    },
    /// List the tools, or switch one on or off on this device
    Tools {
        #[command(subcommand)]
        action: Option<ToolAction>,
    },
    /// List the projects, say where one is, or stop syncing one
    Projects {
        #[command(subcommand)]
        action: Option<ProjectAction>,
    },
    /// List the sessions of all devices, the latest first
    Sessions {
        /// Only this tool's
        #[arg(long)]
        tool: Option<String>,
        /// Only this project's: its key or a name of it
        #[arg(long)]
        project: Option<String>,
        /// Only those this device added to
        #[arg(long)]
        device: Option<String>,
        /// Only the latest so many
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
        limit: Option<u64>,
        /// Only those that come after this session in the list, for the next page
        #[arg(long, value_name = "SESSION")]
        after: Option<String>,
    },
    /// Find sessions of all devices by their words
    ///
    /// Words are looked for in messages, titles, and names of files; all of them must be in the session. "A phrase" in
    /// quotation marks is found as it is, begin* finds every word that begins so, and -word leaves out sessions with it
    /// (quote all words, or put -- before them).
    /// Parts of identifiers and paths are words, too. A typing error is forgiven if nothing has the word itself.
    ///
    ///   tool:codex project:shop device:laptop role:user file:main.rs is:split
    ///   after:2026-11-01 before:yesterday after:3d (hours h, days d, weeks w, months m, years y)
    #[command(verbatim_doc_comment)]
    Search {
        /// The words; put quotation marks for a phrase between single ones: '"a phrase"'
        #[arg(required = true, value_name = "WORDS")]
        words: Vec<String>,
        /// At most so many sessions, 200 at most
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
        limit: Option<u64>,
    },
    /// Read a session
    Show {
        session: String,
        /// The first message to show
        #[arg(long, default_value_t = 0)]
        from: u64,
        /// How many messages, long ones cut; without it, all of them whole
        #[arg(long)]
        rows: Option<u64>,
        /// Print one part of this message, whole: its text, or the bytes of a picture
        #[arg(long, value_name = "N", conflicts_with_all = ["from", "rows"])]
        message: Option<u64>,
        /// Which part of it
        #[arg(long, default_value_t = 0, requires = "message")]
        part: u64,
    },
    /// Let an AI tool read your sessions: a server of the Model Context Protocol on stdin and stdout
    Mcp(Mcp),
    /// Show your sessions in an editor: an agent of the Agent Client Protocol on stdin and stdout
    Acp,
    /// Continue a session in its tool, in the right directory
    Resume {
        session: String,
        /// Print the command instead of running it
        #[arg(long)]
        print: bool,
        /// Take over the uncommitted changes of the device that continued it last, without asking
        #[arg(long, conflicts_with = "without_code")]
        with_code: bool,
        /// Leave the files as they are, without asking
        #[arg(long)]
        without_code: bool,
    },
    /// Begin a new session with another one's messages up to one of them
    Fork {
        session: String,
        /// The last message to keep, by its number in `roam show`
        #[arg(long, value_name = "N")]
        at: u64,
        /// Take over the code of that moment as well
        #[arg(long)]
        with_code: bool,
    },
    /// Say whether uncommitted changes go along with sessions, and show what was recorded
    Code {
        #[command(subcommand)]
        action: Option<CodeAction>,
    },
    /// List the sessions that have two versions
    Splits,
    /// Decide about a session that has two versions
    Resolve {
        session: String,
        choice: Resolution,
        /// The branch that is meant, where there are several: the start of its id, its session or its device
        #[arg(long)]
        branch: Option<String>,
        /// The branch that was compared with it, if that is not the session's own: the one not kept is put away
        #[arg(long, requires = "branch")]
        beside: Option<String>,
        /// Where one session of both branches continues
        #[arg(long)]
        active: Option<Active>,
    },
    /// Undo a decision about a split, a move to another directory, forgetting a session or taking code over: a
    /// session's last one, or the last of all
    Undo {
        session: Option<String>,
        /// Take code back although files were changed since: none of them is lost, and the answer says where they are
        #[arg(long, requires = "session")]
        set_aside: bool,
    },
    /// Show the two versions of a session side by side, or what another device made of a session that is held
    Diff {
        session: String,
        /// The branch to show beside the first one, where there are several
        #[arg(long)]
        branch: Option<String>,
        /// The branch to show in place of the session's own
        #[arg(long, requires = "branch")]
        beside: Option<String>,
        /// The first row to show
        #[arg(long, default_value_t = 0)]
        from: u64,
        /// How many rows
        #[arg(long, default_value_t = 200)]
        rows: u64,
    },
    /// Preview pending changes
    Plan,
    /// Show the history of all sessions or of one
    History { session: Option<String> },
    /// Write a session as a document, as JSON, in the open format or as the tool's own files
    Export {
        session: String,
        /// As Markdown, if nothing is said
        format: Option<Format>,
        /// The same, by name
        #[arg(long = "format", value_name = "FORMAT", conflicts_with = "format")]
        named_format: Option<Format>,
        /// The directory to write to; without it, the text is printed
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// Import exported conversations: of ChatGPT, of Claude.ai, in the open format, or transcripts in Markdown
    Import {
        /// An export's zip as it was downloaded, its conversations.json, a session in the open format, a transcript, or a directory
        #[arg(value_name = "FILE", required = true)]
        paths: Vec<PathBuf>,
    },
    /// List the apps that keep sessions here or ask to, and decide about them
    Apps {
        #[command(subcommand)]
        action: Option<AppAction>,
    },
    /// List the journal files that hold a session
    Journal { session: String },
    /// Restore a session that was deleted from this device's store
    Restore { session: String },
    /// Remove a session everywhere: from every device, its vault and the tool's store
    Forget {
        #[arg(required_unless_present = "list")]
        session: Option<String>,
        /// You have read what it means: do not ask
        #[arg(long)]
        yes: bool,
        /// List the sessions that were forgotten, with what each device did about it
        #[arg(long, conflicts_with_all = ["session", "yes"])]
        list: bool,
    },
    /// Confirm what needs your decision
    Release {
        /// What `roam status` names
        what: String,
    },
    /// Send and receive nothing for a while; what you do is still recorded
    Pause {
        /// End the pause by itself after this time: 45m, 2h, 1h30m
        #[arg(long = "for", value_name = "TIME", value_parser = lasting)]
        lasts: Option<jiff::SignedDuration>,
    },
    /// Continue after a pause
    Continue,
    /// Stop the engine
    Stop,
    /// Print the completion script of a shell
    Completions { shell: Shell },
}

/// What can be done about a split; left is the branch that keeps the session's id.
#[derive(Clone, Copy, ValueEnum)]
pub enum Resolution {
    /// Each branch is a session of its own
    KeepBoth,
    /// The left branch continues; the other one stays in the vault
    KeepLeft,
    /// The right branch continues; the other one stays in the vault
    KeepRight,
    /// The right branch's turns after those of the left one: the model sees both
    Stitch,
    /// One session that holds both, of which one is active
    Branches,
}

impl Resolution {
    /// Its name on the command line, which is the one the engine knows.
    pub fn name(self) -> String {
        self.to_possible_value()
            .expect("no choice is hidden")
            .get_name()
            .to_owned()
    }
}

#[derive(Clone, Copy, ValueEnum)]
pub enum Active {
    Left,
    Right,
}

#[derive(ClapArgs)]
pub struct Pair {
    /// The other device's code, as `roam device` shows it there; with its plain device ID digits are compared instead
    #[arg(required_unless_present_any = ["accept", "dismiss"], conflicts_with_all = ["accept", "dismiss"])]
    pub code: Option<String>,
    /// Accept a device that has this one's code, is proposed, or shows the same digits: its whole ID
    #[arg(long, value_name = "ID", conflicts_with = "dismiss")]
    pub accept: Option<String>,
    /// Refuse a device that asks
    #[arg(long, value_name = "ID")]
    pub dismiss: Option<String>,
    /// The six digits that the other screen shows
    #[arg(
        long,
        value_name = "DIGITS",
        requires = "accept",
        conflicts_with = "code"
    )]
    pub digits: Option<String>,
    /// Also approve here every device that you approve on that device
    #[arg(long, conflicts_with = "dismiss")]
    pub follow: bool,
    /// Do not ask; without a code, digits still have to be compared
    #[arg(long)]
    pub yes: bool,
}

#[derive(ClapArgs)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Mcp {
    #[command(subcommand)]
    pub action: Option<McpAction>,
    #[command(flatten)]
    pub options: McpOptions,
}

#[derive(ClapArgs)]
pub struct McpOptions {
    /// Return only what this device wrote
    #[arg(long, conflicts_with = "device")]
    pub only_own: bool,
    /// Return only what this device wrote, by its name; may be given several times
    #[arg(long, value_name = "NAME")]
    pub device: Vec<String>,
    /// Also offer what adds something to this device's stores: a new session from a message, a deleted session restored
    #[arg(long)]
    pub allow_write: bool,
}

#[derive(Subcommand)]
pub enum McpAction {
    /// Add the server to a tool's configuration, after showing the change
    Install {
        /// The tool's id, as `roam tools` shows it
        client: String,
        #[command(flatten)]
        options: McpOptions,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Subcommand)]
pub enum ToolAction {
    /// Sync a tool's sessions
    On {
        tool: String,
        /// Only those of this store: a directory that `roam tools` lists, or one of your own
        #[arg(long, value_name = "DIR")]
        store: Option<PathBuf>,
    },
    /// Stop syncing a tool's sessions on this device
    Off {
        tool: String,
        /// Only those of this store
        #[arg(long, value_name = "DIR")]
        store: Option<PathBuf>,
    },
}

#[derive(Subcommand)]
pub enum AppAction {
    /// Let the app that asks under this name keep sessions here
    Allow { app: String },
    /// Refuse an app; what it kept stays
    Deny { app: String },
    /// Forget the decision: the app has to ask again; what it kept stays
    Remove { app: String },
}

#[derive(Subcommand)]
pub enum ProjectAction {
    /// Say where a project is on this device
    Map {
        /// Which project, and its directory: a key or a name as `roam projects` shows it, or the URL of its repository. Of a
        /// directory alone its own remote counts
        #[arg(value_names = ["PROJECT", "DIR"], num_args = 1..=2, required = true)]
        what: Vec<String>,
    },
    /// Keep a project's sessions on this device
    Exclude {
        /// Its key, a name or the URL of its repository
        key: String,
        /// Sync them again
        #[arg(long)]
        off: bool,
    },
}

#[derive(Subcommand)]
pub enum CodeAction {
    /// Let a project's uncommitted changes go along with its sessions
    On {
        /// Its key, a name or the URL of its repository; without it, those of the chosen projects
        project: Option<String>,
    },
    /// Keep a project's uncommitted changes on this device
    Off {
        /// Its key, a name or the URL of its repository; without it, those of all projects
        project: Option<String>,
        /// Remove what was recorded before as well, here and on the other devices
        #[arg(long)]
        forget: bool,
    },
    /// Show the projects, the space, and the files that stayed here
    Status,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum Format {
    /// A document to read, in Markdown
    Markdown,
    /// A page that stands by itself
    Html,
    /// The messages, for a program
    Json,
    /// The open format: a tree of items with their origin and signatures
    Open,
    /// The tool's own files, byte for byte
    Native,
}

impl From<Format> for api::ExportFormat {
    fn from(format: Format) -> Self {
        match format {
            Format::Markdown => Self::Markdown,
            Format::Html => Self::Html,
            Format::Json => Self::Json,
            Format::Open => Self::Open,
            Format::Native => Self::Native,
        }
    }
}

/// How long a pause lasts: it ends after now, and before the calendar does.
fn lasting(text: &str) -> Result<jiff::SignedDuration, String> {
    let lasts: jiff::SignedDuration = text
        .parse()
        .map_err(|_| "write it like 45m, 2h or 1h30m".to_owned())?;
    let ends = jiff::Timestamp::now().checked_add(lasts);
    match lasts.is_positive() && ends.is_ok() {
        true => Ok(lasts),
        false => Err("a pause has to end after now and before the year 9999".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn a_pause_lasts_some_time() {
        let minutes = |text| lasting(text).map(|lasts| lasts.as_mins());
        assert_eq!(minutes("1h30m"), Ok(90));
        for text in ["0m", "-5m", "9999999999h", "soon", ""] {
            assert!(lasting(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_arguments_are_consistent() {
        Args::command().debug_assert();
    }
}
