//! `roam run`: the engine in the foreground, until it is stopped.

use crate::out::{self, Output};
use crate::render::plural;
use crate::render::size;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use session_roam_core::api::socket::Client;
use session_roam_core::api::{ApiError, EngineState, Request, Status};
use session_roam_core::daemon::host::{self, Stage};
use session_roam_core::session::ProblemCode;
use std::io::IsTerminal;
use std::path::Path;
use std::time::{Duration, Instant};

/// Two signals within this time mean "now".
const IMPATIENCE: Duration = Duration::from_secs(5);
/// How often the first import's progress is read, and how often it is printed without a terminal.
const LOOK: Duration = Duration::from_millis(200);
const SAY: Duration = Duration::from_secs(10);
/// An import that has not begun by then is not needed.
const NO_IMPORT: Duration = Duration::from_secs(15);

pub fn run(home: &Path, as_json: bool) -> Result<Output, ApiError> {
    let host = host::start(home)?;
    let mut stops = Stops::default();
    let stop_handle = host.stop_handle();
    let stop = move || stop_handle.stop_within(host::STOP_PATIENCE, end_late);
    on_signals(move || stops.next(Instant::now(), &stop)).map_err(|error| {
        ApiError::new(
            ProblemCode::Signals,
            format!("Could not listen for Ctrl-C: {error}."),
            "Please report it.",
        )
    })?;
    if as_json {
        out::print(
            &Output::Raw(
                format!("{}\n", json!({ "engine": "running", "home": home })).into_bytes(),
            ),
            true,
        )?;
    }
    if !as_json {
        let home = home.to_owned();
        // The progress display ends with the process, whatever it is doing.
        std::thread::spawn(move || {
            watch(&home, std::io::stderr().is_terminal().then(bar), out::note)
        });
    }
    host.wait()?;
    if !as_json {
        out::note("Stopped.");
    }
    Ok(Output::Nothing)
}

/// Whatever the engine still waits for: the next start finds it.
fn end_late(stage: Stage) {
    out::note(&format!(
        "Stopped without waiting longer for {}. The next start continues from there.",
        stage.words()
    ));
    std::process::exit(0);
}

/// The meaning of a signal, by the time of the previous one.
#[derive(Default)]
struct Stops {
    last: Option<Instant>,
}

impl Stops {
    fn next(&mut self, now: Instant, stop: impl FnOnce()) {
        if self.is_impatient(now) {
            // 128 + SIGINT, as in a shell.
            std::process::exit(130);
        }
        out::note("Stopping after the current work. Press Ctrl-C again to stop at once.");
        stop();
    }

    fn is_impatient(&mut self, now: Instant) -> bool {
        self.last
            .replace(now)
            .is_some_and(|last| now.duration_since(last) < IMPATIENCE)
    }
}

#[cfg(unix)]
fn on_signals(mut act: impl FnMut() + Send + 'static) -> std::io::Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    let heard = [SIGINT, SIGTERM, SIGHUP]
        .into_iter()
        .filter(|signal| !is_ignored(*signal));
    let mut signals = signal_hook::iterator::Signals::new(heard)?;
    std::thread::Builder::new()
        .name("roam-signals".into())
        .spawn(move || signals.forever().for_each(|_| act()))?;
    Ok(())
}

/// Whoever started us wants the signal ignored, like `nohup` with SIGHUP.
#[cfg(unix)]
fn is_ignored(signal: i32) -> bool {
    let mut now = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: without a new action nothing is changed; `now` is ours and is written before it is
    // read.
    unsafe {
        libc::sigaction(signal, std::ptr::null(), now.as_mut_ptr()) == 0
            && now.assume_init().sa_sigaction == libc::SIG_IGN
    }
}

/// On Windows signal-hook cannot wait for Ctrl-C; it only offers a flag.
#[cfg(not(unix))]
fn on_signals(mut act: impl FnMut() + Send + 'static) -> std::io::Result<()> {
    use signal_hook::consts::{SIGINT, SIGTERM};
    use std::sync::atomic::{AtomicBool, Ordering};
    let came = std::sync::Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(SIGINT, came.clone())?;
    signal_hook::flag::register(SIGTERM, came.clone())?;
    std::thread::Builder::new()
        .name("roam-signals".into())
        .spawn(move || {
            loop {
                std::thread::sleep(Duration::from_millis(200));
                if came.swap(false, Ordering::SeqCst) {
                    act();
                }
            }
        })?;
    Ok(())
}

/// Prints that the engine runs, then the first import's progress: a bar on a terminal, else lines.
fn watch(home: &Path, bar: Option<ProgressBar>, mut say: impl FnMut(&str)) {
    let Ok(mut client) = Client::connect(home) else {
        return;
    };
    let mut look = || {
        client
            .ask(&Request::Status)
            .ok()
            .and_then(|answer| serde_json::from_value::<Status>(answer).ok())
    };
    let Some(first) = look() else { return };
    say(&format!(
        "session-roam runs on {}. Stop it with Ctrl-C; `roam status` in another terminal shows more.",
        first.device
    ));
    let mut last_said = None::<Instant>;
    let (start, mut begun, mut total) = (Instant::now(), false, 0);
    while let Some(status) = look().filter(|_| begun || start.elapsed() < NO_IMPORT) {
        let moving = &status.moving;
        let importing =
            status.engine == EngineState::Importing || moving.import_done < moving.import_total;
        if begun && !importing {
            if let Some(bar) = &bar {
                bar.finish_and_clear();
            }
            return say(&format!("Imported {}.", plural(total, "session")));
        }
        begun |= importing;
        // Afterwards the engine counts none.
        total = total.max(moving.import_total);
        match &bar {
            Some(bar) if begun => show_on(bar, &status),
            None if begun && last_said.is_none_or(|said| SAY <= said.elapsed()) => {
                last_said = Some(Instant::now());
                say(&crate::render::status::importing(moving));
            }
            _ => {}
        }
        std::thread::sleep(LOOK);
    }
}

fn bar() -> ProgressBar {
    let style =
        ProgressStyle::with_template("Importing your sessions  {bar:30}  {pos} of {len}  {msg}")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
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

    #[test]
    fn the_first_import_is_said_in_lines_where_there_is_no_terminal() {
        let home = tempfile::tempdir().expect("home");
        let looks = std::sync::atomic::AtomicU64::new(0);
        let handler = move |_| {
            let done = looks
                .fetch_add(1, std::sync::atomic::Ordering::SeqCst)
                .min(3)
                * 355;
            let mut status = Status {
                engine: EngineState::Running,
                device: "desk".into(),
                ..Status::default()
            };
            if done < 1065 {
                status.engine = EngineState::Importing;
                status.moving.import_total = 1065;
                (status.moving.import_done, status.moving.import_bytes) = (done, done * 510_000);
            }
            Ok(serde_json::to_value(status).expect("a status"))
        };
        let _server =
            session_roam_core::api::socket::serve(home.path(), std::sync::Arc::new(handler))
                .expect("serve");
        let mut said = Vec::new();
        watch(home.path(), None, |line| said.push(line.to_owned()));
        assert_eq!(
            said[1..],
            [
                "Importing your sessions: 355 of 1,065 (181 MB).",
                "Imported 1,065 sessions."
            ]
        );
        assert!(said[0].starts_with("session-roam runs on desk."));
    }

    #[cfg(unix)]
    #[test]
    fn a_signal_acts_unless_it_was_ignored_from_the_start() {
        use signal_hook::consts::{SIGHUP, SIGTERM};
        // SAFETY: this test program needs no SIGHUP.
        unsafe { libc::signal(SIGHUP, libc::SIG_IGN) };
        let (tx, rx) = std::sync::mpsc::channel();
        on_signals(move || tx.send(()).expect("heard")).expect("signals");
        signal_hook::low_level::raise(SIGHUP).expect("raise");
        assert!(rx.recv_timeout(Duration::from_millis(100)).is_err());
        signal_hook::low_level::raise(SIGTERM).expect("raise");
        rx.recv_timeout(Duration::from_secs(10))
            .expect("the signal");
    }
}
