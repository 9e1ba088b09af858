//! `roam run`: the engine in the foreground, until it is told to stop.

use crate::host;
use crate::out::{self, Output};
use crate::render::plural;
use crate::render::size;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use session_roam_core::api::socket::Client;
use session_roam_core::api::{ApiError, Request, Status};
use std::io::IsTerminal;
use std::path::Path;
use std::time::{Duration, Instant};

/// Two of these within that time mean "now".
const IMPATIENCE: Duration = Duration::from_secs(5);
/// How often the first import's progress is looked at, and how often it is said where there is no terminal.
const LOOK: Duration = Duration::from_millis(200);
const SAY: Duration = Duration::from_secs(10);
/// An import that has not begun by then is not needed.
const NO_IMPORT: Duration = Duration::from_secs(15);

pub fn run(home: &Path, as_json: bool) -> Result<Output, ApiError> {
    let host = host::start(home)?;
    let mut stops = Stops::default();
    let stop_handle = host.stop_handle();
    on_signals(move || stops.next(Instant::now(), || stop_handle.stop()))
        .map_err(|error| ApiError::new("signals", format!("Could not listen for Ctrl-C: {error}."), "This is a fault; please report it."))?;
    if as_json {
        out::print(&Output::Raw(format!("{}\n", json!({ "engine": "running", "home": home })).into_bytes()), true)?;
    }
    if !as_json {
        let home = home.to_owned();
        // Watching is for the eyes only: it ends with the process, whatever it is at.
        std::thread::spawn(move || watch(&home));
    }
    host.wait()?;
    if !as_json {
        out::note("Stopped. Everything is in its place.");
    }
    Ok(Output::Nothing)
}

/// What a signal means, by when the one before it came.
#[derive(Default)]
struct Stops {
    last: Option<Instant>,
}

impl Stops {
    fn next(&mut self, now: Instant, stop: impl FnOnce()) {
        if self.is_impatient(now) {
            // 128 + SIGINT, as a shell has it.
            std::process::exit(130);
        }
        out::note("Stopping; what was begun is finished first. Ctrl-C again stops at once.");
        stop();
    }

    fn is_impatient(&mut self, now: Instant) -> bool {
        self.last.replace(now).is_some_and(|last| now.duration_since(last) < IMPATIENCE)
    }
}

#[cfg(unix)]
fn on_signals(mut act: impl FnMut() + Send + 'static) -> std::io::Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    std::thread::Builder::new().name("roam-signals".into()).spawn(move || signals.forever().for_each(|_| act()))?;
    Ok(())
}

/// Windows has no way to wait for Ctrl-C in signal-hook, only a flag.
#[cfg(not(unix))]
fn on_signals(mut act: impl FnMut() + Send + 'static) -> std::io::Result<()> {
    use signal_hook::consts::{SIGINT, SIGTERM};
    use std::sync::atomic::{AtomicBool, Ordering};
    let came = std::sync::Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(SIGINT, came.clone())?;
    signal_hook::flag::register(SIGTERM, came.clone())?;
    std::thread::Builder::new().name("roam-signals".into()).spawn(move || {
        loop {
            std::thread::sleep(Duration::from_millis(200));
            if came.swap(false, Ordering::SeqCst) {
                act();
            }
        }
    })?;
    Ok(())
}

/// Says that it runs, then how far the first import is: a bar on a terminal, a line now and then elsewhere.
fn watch(home: &Path) {
    let Ok(mut client) = Client::connect(home) else { return };
    let mut look = || client.ask(&Request::Status).ok().and_then(|answer| serde_json::from_value::<Status>(answer).ok());
    let Some(first) = look() else { return };
    out::note(&format!("session-roam runs on {}. Ctrl-C stops it; `roam status` in another terminal says more.", first.device));
    let bar = std::io::stderr().is_terminal().then(bar);
    let mut last_said = None::<Instant>;
    let (start, mut begun) = (Instant::now(), false);
    while let Some(status) = look().filter(|_| begun || start.elapsed() < NO_IMPORT) {
        let moving = &status.moving;
        let importing = status.engine == "importing" || moving.import_done < moving.import_total;
        if begun && !importing {
            if let Some(bar) = &bar {
                bar.finish_and_clear();
            }
            return out::note(&format!("Took in {} ({}).", plural(moving.import_total, "session"), size(moving.import_bytes)));
        }
        begun |= importing;
        match &bar {
            Some(bar) if begun => show_on(bar, &status),
            None if begun && last_said.is_none_or(|said| SAY <= said.elapsed()) => {
                last_said = Some(Instant::now());
                out::note(&crate::render::status::importing(moving));
            }
            _ => {}
        }
        std::thread::sleep(LOOK);
    }
}

fn bar() -> ProgressBar {
    let style = ProgressStyle::with_template("Taking in your sessions  {bar:30}  {pos} of {len}  {msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::new(0).with_style(style);
    bar.set_draw_target(indicatif::ProgressDrawTarget::hidden());
    bar
}

fn show_on(bar: &ProgressBar, status: &Status) {
    if bar.length() == Some(0) {
        bar.set_draw_target(indicatif::ProgressDrawTarget::stderr());
    }
    bar.set_length(status.moving.import_total);
    bar.set_message(size(status.moving.import_bytes));
    bar.set_position(status.moving.import_done);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_second_signal_soon_after_the_first_ends_at_once() {
        let (mut stops, start) = (Stops::default(), Instant::now());
        assert!(!stops.is_impatient(start));
        assert!(!stops.is_impatient(start + Duration::from_secs(6)));
        assert!(stops.is_impatient(start + Duration::from_secs(10)));
    }
}
