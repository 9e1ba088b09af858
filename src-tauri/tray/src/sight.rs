//! What the tray knows at one moment: the engine's answers as values. Menu, icon and news are
//! functions of this value.

use session_roam_core::api::{
    ApiError, Devices, EngineState, SessionRow, SplitRow, Status, SyncthingState, SyncthingStatus,
};
use session_roam_core::session::{Problem, ProblemCode};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sight {
    pub status: Status,
    pub devices: Devices,
    /// The newest sessions that other devices added to.
    pub recent: Vec<SessionRow>,
    pub splits: Vec<SplitRow>,
}

impl Sight {
    /// No engine answers: it has ended, or could not start.
    pub fn stopped(why: Option<&ApiError>) -> Self {
        let problems = why.cloned().map(Problem::from).into_iter().collect();
        let syncthing = SyncthingStatus {
            state: SyncthingState::Stopped,
            ..SyncthingStatus::default()
        };
        Self {
            status: Status {
                engine: EngineState::Stopped,
                syncthing,
                problems,
                ..Status::default()
            },
            ..Self::default()
        }
    }

    /// The engine gave this error instead of its status. That none runs is the state itself, and no reason for it.
    pub fn unanswered(error: &ApiError) -> Self {
        Self::stopped(Some(error).filter(|error| error.code != ProblemCode::EngineNotRunning))
    }

    pub fn is_stopped(&self) -> bool {
        matches!(
            self.status.engine,
            EngineState::Stopped | EngineState::Stopping
        )
    }

    pub fn is_importing(&self) -> bool {
        self.status.engine == EngineState::Importing
    }

    /// Why nothing is recorded or sent although the engine runs. What is wrong with Syncthing comes last: without it,
    /// changes are still saved here.
    pub fn blocking(&self) -> Option<&Problem> {
        let problems = self.status.problems.iter();
        problems
            .filter(|one| !self.is_stopped() && one.code.is_blocking())
            .min_by_key(|one| one.code.is_of_syncthing())
    }

    /// Why something is not up to date although syncing continues.
    pub fn problems(&self) -> impl Iterator<Item = &Problem> {
        let is_running = !self.is_stopped();
        let problems = self.status.problems.iter();
        problems.filter(move |one| is_running && one.code.is_incomplete())
    }

    /// Items that need the user's decision.
    pub fn needs(&self) -> u64 {
        let proved = self
            .devices
            .asking
            .iter()
            .filter(|asking| asking.has_code)
            .count();
        self.status.splits + (self.status.held.len() + proved) as u64 + self.status.n_to_end()
    }

    /// Devices that ask without this device's code. Anybody on the network can ask.
    pub fn strangers(&self) -> u64 {
        let listed = self
            .devices
            .asking
            .iter()
            .filter(|asking| !asking.has_code)
            .count() as u64;
        listed + self.devices.more_asking
    }

    /// The session is open on another device right now.
    pub fn live_elsewhere(&self, session: &str) -> bool {
        self.status
            .live
            .iter()
            .any(|live| !live.here && live.session == session)
    }

    /// The device that spoke last in a session; a row lists its devices in the order of their first
    /// messages.
    pub fn other_device<'a>(&'a self, row: &'a SessionRow) -> &'a str {
        row.devices
            .iter()
            .rev()
            .find(|name| **name != self.status.device)
            .map_or("another device", String::as_str)
    }
}

/// Whether KDE's settings have a dark window background, which KDE's panel follows.
pub fn is_dark_scheme(kdeglobals: &str) -> bool {
    let section = kdeglobals.split("\n[").find(|section| {
        section
            .trim_start_matches('[')
            .starts_with("Colors:Window]")
    });
    let colour = section.and_then(|section| {
        section
            .lines()
            .find_map(|line| line.strip_prefix("BackgroundNormal="))
    });
    let parts = colour
        .unwrap_or_default()
        .split(',')
        .filter_map(|part| part.trim().parse::<u32>().ok());
    // No colours at all: KDE's own default, which is light.
    let (sum, n_parts) = parts.fold((0, 0), |(sum, n_parts), part| (sum + part, n_parts + 1));
    0 < n_parts && sum < 128 * n_parts
}
