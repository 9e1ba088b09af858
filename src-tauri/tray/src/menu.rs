//! The tray's menu and icon: a pure function from the tray's knowledge to a plain tree. Knows no
//! toolkit.

use crate::news::strangers_ask;
use crate::sight::Sight;
use jiff::{ToSpan, Zoned};
use session_roam_core::api::{EngineState, PairedDevice, SessionRow};
use session_roam_core::session::{Millis, ProblemCode, SessionState, harmless_line};

/// The most sessions of other devices that the menu offers, how many of them in the menu itself, and lines of one kind
/// there; the window has them all.
const MOST_SESSIONS: usize = 8;
const MOST_ARRIVALS: usize = 3;
const MOST_LINES: usize = 4;
const LONGEST_TITLE: usize = 48;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// Text without an action.
    Said(String),
    Act(Action, String),
    Sub(String, Vec<Item>),
    Line,
}

impl Item {
    /// Without control or hidden characters in the text. Names and titles come from other devices.
    fn harmless(self) -> Self {
        match self {
            Self::Said(label) => Self::Said(harmless_line(&label)),
            Self::Act(action, label) => Self::Act(action, harmless_line(&label)),
            Self::Sub(label, items) => Self::Sub(
                harmless_line(&label),
                items.into_iter().map(Self::harmless).collect(),
            ),
            Self::Line => Self::Line,
        }
    }
}

/// The action of a click.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Opens the window at an address within it.
    Open(String),
    /// Opens a split in a window of its own.
    Compare(String),
    Resume(String),
    Pause(Pause),
    Continue,
    Start,
    Quit,
}

impl Action {
    /// The menu item's id: the toolkit returns it on a click.
    pub fn id(&self) -> String {
        match self {
            Self::Open(place) => format!("open:{place}"),
            Self::Compare(session) => format!("compare:{session}"),
            Self::Resume(session) => format!("resume:{session}"),
            Self::Pause(Pause::Hour) => "pause:hour".into(),
            Self::Pause(Pause::Tomorrow) => "pause:tomorrow".into(),
            Self::Pause(Pause::Open) => "pause".into(),
            Self::Continue => "continue".into(),
            Self::Start => "start".into(),
            Self::Quit => "quit".into(),
        }
    }

    pub fn parse(id: &str) -> Option<Self> {
        let (word, rest) = id.split_once(':').unwrap_or((id, ""));
        Some(match word {
            "open" => Self::Open(rest.into()),
            "compare" => Self::Compare(rest.into()),
            "resume" => Self::Resume(rest.into()),
            "pause" => Self::Pause(match rest {
                "hour" => Pause::Hour,
                "tomorrow" => Pause::Tomorrow,
                _ => Pause::Open,
            }),
            "continue" => Self::Continue,
            "start" => Self::Start,
            "quit" => Self::Quit,
            _ => return None,
        })
    }
}

/// How long a pause lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pause {
    Hour,
    Tomorrow,
    /// Until somebody ends it.
    Open,
}

impl Pause {
    /// The hour at which "tomorrow" begins. Before `NIGHT_ENDS`, tomorrow is what follows this night.
    const MORNING: i8 = 8;
    const NIGHT_ENDS: i8 = 4;

    pub fn until(self, now: &Zoned) -> Option<Millis> {
        let end = match self {
            Self::Hour => now.checked_add(1.hour()),
            Self::Tomorrow => {
                let night = now.hour() < Self::NIGHT_ENDS;
                let day = if night {
                    Ok(now.date())
                } else {
                    now.date().tomorrow()
                };
                day.and_then(|day| {
                    day.at(Self::MORNING, 0, 0, 0)
                        .to_zoned(now.time_zone().clone())
                })
            }
            Self::Open => return None,
        };
        end.ok().map(|end| Millis(end.timestamp().as_millisecond()))
    }
}

/// Every row of a menu, from the top: its kind, and its text. A menu of which only texts changed is
/// updated in place: somebody may be looking at it.
pub fn rows(items: &[Item]) -> Vec<(String, &str)> {
    items.iter().fold(Vec::new(), |mut rows, item| {
        match item {
            Item::Line => rows.push(("line".into(), "")),
            Item::Said(label) => rows.push(("said".into(), label)),
            Item::Act(action, label) => rows.push((action.id(), label)),
            Item::Sub(label, items) => {
                rows.push((format!("sub of {}", items.len()), label));
                rows.extend(self::rows(items));
            }
        }
        rows
    })
}

/// The icon's meaning; the menu's first line states it in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Icon {
    Idle,
    Moving,
    Attention,
    Paused,
    Off,
}

pub fn icon(sight: &Sight) -> Icon {
    let (status, transport) = (&sight.status, sight.status.syncthing.state.as_str());
    match () {
        () if sight.is_stopped() => Icon::Off,
        () if status.engine == EngineState::Paused => Icon::Paused,
        () if matches!(transport, "missing" | "failed" | "stopped")
            || sight.blocking().is_some()
            || 0 < sight.needs()
            || sight.problems().next().is_some() =>
        {
            Icon::Attention
        }
        () if sight.is_importing() || 0 < status.moving.out_bytes + status.moving.in_bytes => {
            Icon::Moving
        }
        () => Icon::Idle,
    }
}

pub fn menu(sight: &Sight, now: &Zoned) -> Vec<Item> {
    let mut groups = vec![
        state(sight, now),
        needs(sight),
        devices(sight, Millis(now.timestamp().as_millisecond())),
        sessions(sight),
        deeds(sight),
    ];
    groups.retain(|group| !group.is_empty());
    groups
        .join(&Item::Line)
        .into_iter()
        .map(Item::harmless)
        .collect()
}

/// The state in a sentence, and the reason.
fn state(sight: &Sight, now: &Zoned) -> Vec<Item> {
    let (what, why) = words(sight, now);
    [what, why]
        .into_iter()
        .filter(|text| !text.is_empty())
        .map(|text| Item::Said(short(&text, 80)))
        .collect()
}

/// The state in one line: what the icon's tooltip says.
pub fn tooltip(sight: &Sight, now: &Zoned) -> String {
    format!(
        "session-roam: {}",
        short(&harmless_line(&words(sight, now).0), 80)
    )
}

/// The same order as in the window's headline (ui/src/lib/headline.ts).
fn words(sight: &Sight, now: &Zoned) -> (String, String) {
    let status = &sight.status;
    let said = |what: &str| (what.to_owned(), String::new());
    let blocking = sight.blocking();
    let because = match blocking {
        Some(problem) => format!("{} {}", problem.message, problem.hint),
        None => status.syncthing.message.clone().unwrap_or_default(),
    };
    let connected: Vec<&str> = sight
        .devices
        .paired
        .iter()
        .filter(|one| one.connected)
        .map(|one| one.name.as_str())
        .collect();
    let moving = &status.moving;
    match (status.engine.as_str(), status.syncthing.state.as_str()) {
        ("stopped", _) => {
            let why = status.problems.first();
            let hangs = why.is_some_and(|why| why.code == ProblemCode::EngineUnreachable);
            let what = match hangs {
                true => "session-roam is not responding",
                false => "Stopped. Nothing is recorded or synced.",
            };
            (
                what.into(),
                why.map_or_else(String::new, |why| why.message.clone()),
            )
        }
        ("stopping", _) => said("Finishing open work, then stopping"),
        ("paused", _) => (
            match status
                .paused_until
                .as_deref()
                .and_then(|end| clock(end, now))
            {
                Some(end) => format!("Paused until {end}"),
                None => "Paused".into(),
            },
            "Nothing is sent, received or written.".into(),
        ),
        (_, "missing") if blocking.is_none_or(|problem| problem.code.is_of_syncthing()) => {
            said("Syncing is off: Syncthing was not found")
        }
        (_, "failed" | "stopped") => ("Syncing stopped unexpectedly".into(), because),
        _ if blocking.is_some() => (
            blocking.map_or_else(String::new, |problem| problem.message.clone()),
            blocking.map_or_else(String::new, |problem| problem.hint.clone()),
        ),
        ("importing", _) => (
            format!(
                "Reading your sessions: {} of {}",
                moving.import_done, moving.import_total
            ),
            String::new(),
        ),
        _ if 0 < sight.needs() => (
            plural(
                sight.needs(),
                "item needs your attention",
                "items need your attention",
            ),
            String::new(),
        ),
        _ if sight.problems().next().is_some() => problems(sight),
        (_, "starting" | "restarting") => said("Starting Syncthing"),
        _ if status.paired == 0 => said("No other device is paired"),
        _ if status.connected == 0 => said("No other device is online"),
        _ if 0 < moving.out_bytes + moving.in_bytes => {
            (moved(moving.out_bytes, moving.in_bytes), String::new())
        }
        _ => (
            format!("Up to date with {}", listed(&connected)),
            String::new(),
        ),
    }
}

fn problems(sight: &Sight) -> (String, String) {
    match sight.problems().collect::<Vec<_>>().as_slice() {
        [problem] => (problem.message.clone(), problem.hint.clone()),
        many => (
            plural(many.len() as u64, "problem", "problems"),
            String::new(),
        ),
    }
}

fn moved(out: u64, inn: u64) -> String {
    match (out, inn) {
        (0, inn) => format!("Receiving {} from your other devices", size(inn)),
        (out, 0) => format!("Sending {} to your other devices", size(out)),
        (out, inn) => format!("Sending {} and receiving {}", size(out), size(inn)),
    }
}

fn needs(sight: &Sight) -> Vec<Item> {
    let (status, mut items) = (&sight.status, Vec::new());
    if sight.blocking().or(sight.problems().next()).is_some() {
        items.push(open("#/overview", "Show what to do…".into()));
    }
    for device in sight
        .devices
        .asking
        .iter()
        .filter(|device| device.has_code)
        .take(MOST_LINES)
    {
        items.push(open("#/devices", format!("{} has your code…", device.name)));
    }
    if 0 < sight.strangers() {
        items.push(open(
            "#/devices",
            format!("{}…", strangers_ask(sight.strangers())),
        ));
    }
    match sight.splits.as_slice() {
        [one] if status.splits == 1 => {
            items.push(Item::Act(
                Action::Compare(one.session.clone()),
                format!("Compare versions of {}…", quoted(&one.title)),
            ));
        }
        _ if 0 < status.splits => {
            items.push(open(
                "#/splits",
                format!(
                    "{}…",
                    plural(
                        status.splits,
                        "session has two versions",
                        "sessions have two versions"
                    )
                ),
            ));
        }
        _ => {}
    }
    for held in status.held.iter().take(MOST_LINES) {
        items.push(open(
            "#/overview",
            format!("Needs a decision: {}", short(&held.message, 60)),
        ));
    }
    match status.waiting.as_slice() {
        [] => {}
        [one] => items.push(open(
            "#/overview",
            format!("{} is waiting: {}", quoted(&one.title), short(&one.why, 60)),
        )),
        _ => items.push(open(
            "#/overview",
            format!("{} sessions are waiting", status.n_waiting()),
        )),
    }
    items
}

fn devices(sight: &Sight, now: Millis) -> Vec<Item> {
    if sight.is_stopped() {
        return Vec::new();
    }
    let paired = &sight.devices.paired;
    let mut items: Vec<Item> = paired
        .iter()
        .take(MOST_LINES)
        .map(|one| open("#/devices", device(one, now)))
        .collect();
    if MOST_LINES < paired.len() {
        items.push(open("#/devices", format!("All {} devices…", paired.len())));
    }
    if paired.is_empty() {
        items.push(open("#/devices", "Pair a device…".into()));
    }
    items
}

fn device(device: &PairedDevice, now: Millis) -> String {
    let state = match (
        device.connected,
        device.confirmed,
        device.last_seen.as_deref().and_then(Millis::parse),
    ) {
        (true, _, _) => "connected".into(),
        (false, false, _) => "waiting for it to accept".into(),
        (false, true, Some(seen)) => format!("last seen {}", age(seen, now)),
        (false, true, None) => "not seen yet".into(),
    };
    format!("{} · {state}", device.name)
}

fn sessions(sight: &Sight) -> Vec<Item> {
    if sight.is_stopped() {
        return Vec::new();
    }
    let elsewhere = sight
        .status
        .live
        .iter()
        .filter(|live| !live.here)
        .take(MOST_LINES);
    let mut items: Vec<Item> = elsewhere
        .map(|live| {
            open(
                &place("sessions", &live.session),
                format!("Open on {}: {}", live.device, quoted(&live.title)),
            )
        })
        .collect();
    let mut rows = sight
        .recent
        .iter()
        .take(MOST_SESSIONS)
        .map(|row| resume(sight, row));
    items.extend(rows.by_ref().take(MOST_ARRIVALS));
    let more: Vec<Item> = rows.collect();
    match (sight.recent.is_empty(), more.is_empty()) {
        (true, _) => {}
        (false, true) => items.push(open("#/sessions", "All sessions…".into())),
        (false, false) => {
            let rest = [Item::Line, open("#/sessions", "All sessions…".into())];
            items.push(Item::Sub(
                "More sessions".into(),
                more.into_iter().chain(rest).collect(),
            ));
        }
    }
    items
}

/// A session that is not in this device's tool cannot be resumed; the window explains why.
fn resume(sight: &Sight, row: &SessionRow) -> Item {
    let title = quoted(&row.title);
    let why = match row.state {
        SessionState::Here | SessionState::Split => {
            let label = format!("Resume {title} · from {}", sight.other_device(row));
            return Item::Act(Action::Resume(row.session.clone()), label);
        }
        SessionState::Waiting => "waiting",
        SessionState::Held => "needs a decision",
        SessionState::Elsewhere => "not on this device",
    };
    open(
        &place("sessions", &row.session),
        format!("Open {title} · {why}"),
    )
}

fn deeds(sight: &Sight) -> Vec<Item> {
    let mut items = vec![open("", "Open session-roam".into())];
    if !sight.is_stopped() {
        items.push(open("#/search", "Search…".into()));
    }
    match sight.status.engine.as_str() {
        "stopped" => items.push(Item::Act(Action::Start, "Start again".into())),
        "stopping" => {}
        "paused" => items.push(Item::Act(Action::Continue, "Continue".into())),
        _ => {
            let choices = [
                (Pause::Hour, "For an hour"),
                (Pause::Tomorrow, "Until tomorrow"),
                (Pause::Open, "Until I continue"),
            ];
            let choices =
                choices.map(|(pause, label)| Item::Act(Action::Pause(pause), label.into()));
            items.push(Item::Sub("Pause".into(), choices.into()));
        }
    }
    items.push(Item::Act(Action::Quit, "Quit".into()));
    items
}

fn open(place: &str, label: String) -> Item {
    Item::Act(Action::Open(place.into()), label)
}

/// An address within the window. Ids and codes are escaped.
pub fn place(view: &str, what: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    let coded = what.bytes().map(|byte| {
        if plain(byte) {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    });
    format!("#/{view}/{}", coded.collect::<String>())
}

/// The window's question before a session is resumed (ui/src/route.ts).
pub fn question(session: &str) -> String {
    format!("{}/resume", place("sessions", session))
}

/// A pairing link, from the system or a second start: its code is filled in. Nothing is sent before
/// the user agrees. A secret in the link is ignored: whoever opens a link has not seen the other
/// device's screen.
pub fn link(text: &str) -> Option<Action> {
    let code = text.strip_prefix("session-roam:")?;
    // A code that is opened like a link is treated as one.
    let rest = code
        .strip_prefix("//pair")
        .or_else(|| code.strip_prefix('1'))?
        .trim_start_matches(['/', '?']);
    let said: Vec<&str> = rest
        .split('&')
        .filter(|said| !said.starts_with("key="))
        .collect();
    Some(Action::Open(place(
        "devices",
        &format!("session-roam://pair?{}", said.join("&")),
    )))
}

/// A moment within a week in the user's own time, like `14:30` or `Tuesday 08:00`.
fn clock(moment: &str, now: &Zoned) -> Option<String> {
    let moment = Millis::parse(moment)?;
    let there = jiff::Timestamp::from_millisecond(moment.0)
        .ok()?
        .to_zoned(now.time_zone().clone());
    let is_today = there.date() == now.date();
    Some(
        there
            .strftime(if is_today { "%H:%M" } else { "%A %H:%M" })
            .to_string(),
    )
}

/// Coarse on purpose: the menu must not change while it is open.
fn age(then: Millis, now: Millis) -> String {
    match now.0.saturating_sub(then.0) / 60_000 {
        ..2 => "just now".into(),
        minutes @ 2..60 => format!("{} min ago", (minutes / 5 * 5).max(2)),
        minutes @ 60..2880 => format!("{} h ago", minutes / 60),
        minutes => format!("{} days ago", minutes / 1440),
    }
}

pub fn quoted(title: &str) -> String {
    if title.trim().is_empty() {
        "an untitled session".into()
    } else {
        format!("“{}”", short(title, LONGEST_TITLE))
    }
}

/// One line, cut at a whole character.
pub fn short(text: &str, most: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= most {
        return line;
    }
    format!(
        "{}…",
        line.chars().take(most - 1).collect::<String>().trim_end()
    )
}

pub fn plural(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

pub fn listed(names: &[&str]) -> String {
    match names {
        [] => "your other devices".into(),
        [one] => (*one).into(),
        [rest @ .., last] => format!("{} and {last}", rest.join(", ")),
    }
}

fn size(bytes: u64) -> String {
    match bytes {
        ..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{} KB", bytes / 1_000),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}
