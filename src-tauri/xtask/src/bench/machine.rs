//! The machine in one line, so that figures can be compared elsewhere.

use crate::corpus;
use crate::proc;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

pub fn describe(place: &Path) -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let now_ms = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| time.as_millis() as u64);
    let parts = [
        field("/proc/cpuinfo", "model name").unwrap_or_else(|| std::env::consts::ARCH.into()),
        format!("{cores} cores"),
        field("/proc/meminfo", "MemTotal")
            .and_then(|text| gigabytes(&text))
            .unwrap_or_default(),
        format!("{} {}", std::env::consts::OS, kernel()),
        file_system(place),
        said(Command::new("syncthing").arg("--version"), 2),
        format!(
            "commit {}",
            said(
                Command::new("git")
                    .args(["rev-parse", "--short", "HEAD"])
                    .current_dir(proc::root()),
                1
            )
        ),
        corpus::rfc3339(now_ms)[..10].to_owned(),
    ];
    let parts: Vec<_> = parts
        .into_iter()
        .filter(|part| !part.trim().is_empty())
        .collect();
    format!("Machine: {}.", parts.join(" · "))
}

/// The kernel's version without what its builder added.
fn kernel() -> String {
    let text = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    text.trim().split('-').next().unwrap_or_default().to_owned()
}

fn field(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn gigabytes(kilobytes: &str) -> Option<String> {
    let number: f64 = kilobytes.split_whitespace().next()?.parse().ok()?;
    Some(format!("{:.0} GB of memory", number / 1024.0 / 1024.0))
}

/// The file system type of the longest mount point above `place`.
fn file_system(place: &Path) -> String {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let kinds = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        Some((words.next()?, words.next()?))
    });
    let above = kinds.filter(|(point, _)| place.starts_with(point));
    above
        .max_by_key(|(point, _)| point.len())
        .map(|(_, kind)| kind.to_owned())
        .unwrap_or_default()
}

/// The first words of a command's output.
fn said(command: &mut Command, n_words: usize) -> String {
    let text = proc::output(command).unwrap_or_default();
    text.split_whitespace()
        .take(n_words)
        .collect::<Vec<_>>()
        .join(" ")
}

/// How many programs wanted a core during the last minute; `None` if the system has no such figure.
pub fn load() -> Option<f64> {
    fs::read_to_string("/proc/loadavg")
        .ok()?
        .split(' ')
        .next()?
        .parse()
        .ok()
}
