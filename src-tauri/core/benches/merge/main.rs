//! The cost of merging, comparing and reading, on made-up sessions: `cargo xtask bench merge` makes
//! a table of it. Prints a JSON line for each figure: `{"what", "value", "cpu", "unit"}`; no figure
//! is a failure.

mod diff;
mod made;
mod show;
mod union;

use std::time::{Duration, Instant};

fn main() {
    // As the engine does at its start: how large blocks are allocated is a part of the cost.
    session_roam_core::memory::hold_little();
    // Cargo's own argument for every benchmark; a filter after `--` selects some of them.
    let filter = std::env::args().skip(1).find(|arg| !arg.starts_with("--"));
    let place = tempfile::Builder::new()
        .prefix("rm")
        .tempdir_in(env!("CARGO_TARGET_TMPDIR"))
        .expect("a directory");
    let wanted = |name: &str| filter.as_deref().is_none_or(|filter| filter == name);
    if wanted("union") {
        union::measure(place.path());
    }
    if wanted("show") {
        show::measure(place.path());
    }
    if wanted("diff") {
        diff::measure(place.path());
    }
}

/// By the clock, and of all cores together: a busy machine stretches the clock time and hardly the
/// CPU time.
#[derive(Clone, Copy, Default, PartialEq, PartialOrd)]
struct Took {
    clock: Duration,
    cpu: Duration,
}

impl Took {
    fn of(work: impl FnOnce()) -> Self {
        let (begun, cpu) = (Instant::now(), cpu_time());
        work();
        Self {
            clock: begun.elapsed(),
            cpu: cpu_time().saturating_sub(cpu),
        }
    }
}

#[cfg(unix)]
fn cpu_time() -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the call writes into `time` and nowhere else.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Not measured here: only the clock counts.
#[cfg(not(unix))]
fn cpu_time() -> Duration {
    Duration::ZERO
}

/// Prints a throughput in xtask's format.
fn say_speed(what: &str, bytes: u64, took: Took) {
    let speed = |time: Duration| bytes as f64 / 1e6 / time.as_secs_f64().max(1e-9);
    say(what, "MB/s", speed(took.clock), speed(took.cpu));
}

fn say_time(what: &str, took: Took) {
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    say(what, "ms", ms(took.clock), ms(took.cpu));
}

fn say(what: &str, unit: &str, value: f64, cpu: f64) {
    println!(
        "{}",
        serde_json::json!({ "what": what, "value": value, "cpu": cpu, "unit": unit })
    );
}

/// The median time of `rounds`. `prepare` is not timed.
fn middle<T>(rounds: usize, mut prepare: impl FnMut() -> T, mut work: impl FnMut(T)) -> Took {
    let once = |_| {
        let prepared = prepare();
        Took::of(|| work(prepared))
    };
    let mut times: Vec<Took> = (0..rounds).map(once).collect();
    times.sort_by_key(|took| took.clock);
    times[rounds / 2]
}
