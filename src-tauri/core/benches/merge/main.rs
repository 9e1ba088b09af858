//! What merging and comparing cost, on made-up sessions: `cargo xtask bench merge` makes a table of it. Prints a JSON
//! line for each figure: `{"what", "value", "unit", "beside"}`; fails because of none of them.

mod diff;
mod made;
mod union;

use std::time::{Duration, Instant};

fn main() {
    // Cargo's own argument for every benchmark; a filter after `--` chooses some of them.
    let filter = std::env::args().skip(1).find(|arg| !arg.starts_with("--"));
    let place = tempfile::Builder::new().prefix("rm").tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
    let wanted = |name: &str| filter.as_deref().is_none_or(|filter| filter == name);
    if wanted("union") {
        union::measure(place.path());
    }
    if wanted("diff") {
        diff::measure(place.path());
    }
}

/// A figure, as xtask reads it.
fn say(what: &str, value: f64, unit: &str) {
    println!("{}", serde_json::json!({ "what": what, "value": value, "unit": unit }));
}

/// The time in the middle of `rounds`. `prepare` is not timed.
fn middle<T>(rounds: usize, mut prepare: impl FnMut() -> T, mut work: impl FnMut(T)) -> Duration {
    let mut times: Vec<Duration> = (0..rounds)
        .map(|_| {
            let prepared = prepare();
            let begun = Instant::now();
            work(prepared);
            begun.elapsed()
        })
        .collect();
    times.sort();
    times[rounds / 2]
}

fn mb_per_s(bytes: u64, took: Duration) -> f64 {
    bytes as f64 / 1e6 / took.as_secs_f64()
}
