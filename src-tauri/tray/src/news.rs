//! Decides what is worth a notification: a function of the previous and the current state. Quiet by
//! design: nothing on the first call, nothing twice, many of a kind as one, nothing that the user
//! did here.

use crate::menu::{Action, listed, place, plural, quoted, short};
use crate::sight::Sight;
use session_roam_core::api::{SessionRow, Waiting};
use session_roam_core::session::{Reason, SessionState, harmless_line};
use session_roam_core::settings::Notifications;

/// How many of the newest sessions of other devices are requested.
pub const NEWEST: u32 = 12;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct News {
    pub kind: Kind,
    pub title: String,
    pub body: String,
    /// The action of a click.
    pub click: Action,
}

/// What a notification is about; the user can switch each kind off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Pairing,
    Versions,
    Held,
    Waiting,
    Arrived,
}

impl Kind {
    pub fn is_wanted(self, settings: &Notifications) -> bool {
        match self {
            Self::Pairing => settings.pairing,
            Self::Versions => settings.versions,
            Self::Held => settings.held,
            Self::Waiting => settings.waiting,
            Self::Arrived => settings.arrived,
        }
    }
}

impl News {
    /// Removes control and hidden characters, and markup from the body: some desktops parse the
    /// body as HTML, others show `&lt;` literally, so such characters are replaced with similar
    /// ones.
    fn harmless(self) -> Self {
        let plain = |c| match c {
            '<' => '‹',
            '>' => '›',
            '&' => '＆',
            c => c,
        };
        let body = harmless_line(&self.body).chars().map(plain).collect();
        Self {
            title: harmless_line(&self.title),
            body,
            click: self.click,
            kind: self.kind,
        }
    }
}

/// Remembers the previous state, and the ready sessions that were not reported yet.
#[derive(Debug, Default)]
pub struct Desk {
    before: Option<Sight>,
    ready: Vec<Ready>,
}

#[derive(Debug)]
struct Ready {
    session: String,
    title: String,
    device: String,
}

impl Desk {
    pub fn hear(&mut self, now: &Sight) -> Vec<News> {
        let before = self.before.replace(now.clone());
        let Some(before) = before else {
            return Vec::new();
        };
        let blocked = blocked(&before, now).map(News::harmless);
        if [&before, now].map(|one| one.is_stopped() || one.is_importing()) != [false; 2] {
            return blocked.into_iter().collect();
        }
        self.ready
            .retain(|ready| !now.live_elsewhere(&ready.session));
        self.ready.extend(newly_ready(&before, now));
        let ready = self.tell_ready(now);
        let waits = waits(&before, now);
        let news = asking(&before, now)
            .into_iter()
            .chain(splits(&before, now))
            .chain(held(&before, now))
            .chain(waits)
            .chain(ready)
            .map(News::harmless);
        blocked.into_iter().chain(news).collect()
    }

    /// Sessions arrive in batches: a whole batch is reported as one, once it is complete.
    fn tell_ready(&mut self, now: &Sight) -> Option<News> {
        if 0 < now.status.moving.queued || 0 < now.status.moving.in_bytes {
            return None;
        }
        let mut ready = std::mem::take(&mut self.ready);
        let first = ready.pop()?;
        if ready.is_empty() {
            let title = format!("Session from {} is ready", first.device);
            return Some(News {
                kind: Kind::Arrived,
                title,
                body: quoted(&first.title),
                click: Action::Open(place("sessions", &first.session)),
            });
        }
        let one_device = ready.iter().all(|other| other.device == first.device);
        let from = if one_device {
            first.device
        } else {
            "your devices".into()
        };
        let title = format!("{} sessions from {from} are ready", ready.len() + 1);
        Some(News {
            kind: Kind::Arrived,
            title,
            body: format!("{} and more", quoted(&first.title)),
            click: Action::Open("#/sessions".into()),
        })
    }
}

/// Sessions that can now be resumed here and could not before, because they were not here or still
/// open elsewhere.
fn newly_ready(before: &Sight, now: &Sight) -> Vec<Ready> {
    let is_full = before.recent.len() as u32 == NEWEST;
    let oldest = before
        .recent
        .last()
        .filter(|_| is_full)
        .map_or("", |row| row.updated.as_str());
    let could_before = |row: &SessionRow| match before
        .recent
        .iter()
        .find(|known| known.session == row.session)
    {
        Some(known) => {
            matches!(known.state.as_str(), "here" | "split") && !before.live_elsewhere(&row.session)
        }
        // Not in the list before: new, or moved up because another one left the list.
        None => row.updated.as_str() <= oldest,
    };
    let can_now =
        |row: &SessionRow| row.state == SessionState::Here && !now.live_elsewhere(&row.session);
    let is_split = |row: &SessionRow| {
        now.splits.iter().any(|split| {
            split
                .branches
                .iter()
                .any(|branch| branch.session == row.session)
        })
    };
    let ready = now
        .recent
        .iter()
        .filter(|row| can_now(row) && !could_before(row) && !is_split(row));
    ready
        .map(|row| Ready {
            session: row.session.clone(),
            title: row.title.clone(),
            device: now.other_device(row).to_owned(),
        })
        .collect()
}

/// Each device that has this device's code; the others only as a group: anybody on the network can
/// ask.
fn asking(before: &Sight, now: &Sight) -> Vec<News> {
    let knew = |id: &str| {
        before
            .devices
            .asking
            .iter()
            .any(|known| known.id == id && known.has_code)
    };
    let proved = now
        .devices
        .asking
        .iter()
        .filter(|device| device.has_code && !knew(&device.id))
        .map(|device| News {
            kind: Kind::Pairing,
            title: format!("{} has your code", device.name),
            body: "If it is your device, accept it.".into(),
            click: Action::Open("#/devices".into()),
        });
    let strangers = match (before.strangers(), now.strangers()) {
        (0, n) if 0 < n => Some(News {
            kind: Kind::Pairing,
            title: strangers_ask(n),
            body: "Nothing proves that they are yours. You can ignore them.".into(),
            click: Action::Open("#/devices".into()),
        }),
        _ => None,
    };
    proved.chain(strangers).collect()
}

/// How many devices ask without this device's code.
pub fn strangers_ask(n: u64) -> String {
    if n == 1 {
        "A device asks to pair without your code".into()
    } else {
        format!("{n} devices ask to pair without your code")
    }
}

fn splits(before: &Sight, now: &Sight) -> Option<News> {
    let new: Vec<_> = now
        .splits
        .iter()
        .filter(|split| {
            !before
                .splits
                .iter()
                .any(|known| known.session == split.session)
        })
        .collect();
    let title = "A session has two versions".to_owned();
    match new.as_slice() {
        [] => None,
        [one] => {
            let devices: Vec<&str> = one
                .branches
                .iter()
                .map(|branch| branch.device.as_str())
                .collect();
            let body = format!(
                "{} was continued on {}. Both versions are kept.",
                quoted(&one.title),
                both(&devices)
            );
            Some(News {
                kind: Kind::Versions,
                title,
                body,
                click: Action::Compare(one.session.clone()),
            })
        }
        more => {
            let body = format!("{} sessions. Both versions of each are kept.", more.len());
            Some(News {
                kind: Kind::Versions,
                title: "Sessions have two versions".into(),
                body,
                click: Action::Open("#/splits".into()),
            })
        }
    }
}

/// The devices of a split, as in “both desk and laptop”.
fn both(devices: &[&str]) -> String {
    match devices {
        [one, other] => format!("both {one} and {other}"),
        more => listed(more),
    }
}

/// Something new prevents recording or syncing.
fn blocked(before: &Sight, now: &Sight) -> Option<News> {
    let was_there = |code| before.status.problems.iter().any(|one| one.code == code);
    let problem = now.blocking().filter(|one| !was_there(one.code))?;
    Some(News {
        kind: Kind::Held,
        title: "Not syncing".into(),
        body: short(&format!("{} {}", problem.message, problem.hint), 160),
        click: Action::Open("#/overview".into()),
    })
}

fn held(before: &Sight, now: &Sight) -> Vec<News> {
    let is_new = |what: &str| !before.status.held.iter().any(|known| known.what == what);
    let held = now
        .status
        .held
        .iter()
        .filter(|held| is_new(&held.what))
        .take(2);
    held.map(|held| News {
        kind: Kind::Held,
        title: "Needs your decision".into(),
        body: short(&held.message, 160),
        click: Action::Open("#/overview".into()),
    })
    .collect()
}

/// Whether a wait is worth a notification: the user can end it and did not choose it. A session that
/// is open continues when the user closes it; a record that is left out no click brings along.
fn is_news(reason: Reason) -> bool {
    match reason {
        Reason::Live => true,
        Reason::ToolOff | Reason::LeftOut => false,
        other => other.is_ended_by_user(),
    }
}

fn waits(before: &Sight, now: &Sight) -> Option<News> {
    let was = |wait: &Waiting| {
        before
            .status
            .waiting
            .iter()
            .any(|known| (&known.session, &known.code) == (&wait.session, &wait.code))
    };
    // Of very many that wait only some are listed: another one that is listed is news only if there
    // are more than before.
    let are_more = |wait: &&Waiting| {
        let listed = before
            .status
            .waiting
            .iter()
            .filter(|known| known.code == wait.code);
        let n_before = before.status.n_waiting_for(wait.code);
        n_before == listed.count() as u64 || n_before < now.status.n_waiting_for(wait.code)
    };
    let told = now
        .status
        .waiting
        .iter()
        .filter(|wait| wait.code.is_some_and(is_news) && !was(wait) && are_more(wait));
    let click = Action::Open("#/overview".into());
    match told.collect::<Vec<_>>().as_slice() {
        [] => None,
        [one] => Some(News {
            kind: Kind::Waiting,
            title: format!("{} is waiting", quoted(&one.title)),
            body: short(&one.why, 160),
            click,
        }),
        more => Some(News {
            kind: Kind::Waiting,
            title: plural(
                more.len() as u64,
                "session is waiting",
                "sessions are waiting",
            ),
            body: short(&more[0].why, 160),
            click,
        }),
    }
}
