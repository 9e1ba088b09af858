//! Sends our changes: the announced paths of one lane become scans of exactly these paths. The
//! first scan starts at once, further ones at most four times a second: Syncthing pauses 250 ms
//! between two index updates, so more scans would only cost (measured with 1.29.5 and 2.1.3,
//! 2026-11-23). Announced paths are kept until a scan of them succeeded.
//! Syncthing sends nothing that it has not scanned, so while somebody who may no longer receive is
//! still known to it, nothing is scanned.

use super::folder_id;
use super::link::Link;
use crate::session::Lane;
use crate::timing::Stage;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};
use tracing::Span;

const PAUSE: Duration = Duration::from_millis(250);
const MAX_RETRY: Duration = Duration::from_secs(5);
/// Paths in one request: its URL must stay far below the megabyte that Syncthing reads.
const MAX_PATHS: usize = 200;

pub enum Scan {
    Paths(Vec<String>),
    /// Everything: after a start, and when the folder was created.
    All,
}

/// The paths still to be scanned.
#[derive(Default)]
struct Pending {
    paths: BTreeSet<String>,
    all: bool,
    /// Lasts from the first announcement of named paths until they are scanned.
    timed: Option<Span>,
}

impl Pending {
    fn add(&mut self, scan: Scan) {
        match scan {
            Scan::Paths(paths) => {
                self.timed.get_or_insert_with(|| Stage::Scanned.begin());
                self.paths.extend(paths);
            }
            Scan::All => self.all = true,
        }
    }

    fn is_empty(&self) -> bool {
        self.paths.is_empty() && !self.all
    }

    /// The next request: named paths first, because the full scan may take long.
    fn next(&mut self) -> Vec<String> {
        let batch: Vec<String> = self.paths.iter().take(MAX_PATHS).cloned().collect();
        for path in &batch {
            self.paths.remove(path);
        }
        self.all &= !batch.is_empty();
        batch
    }

    /// Puts the paths of a failed request back.
    fn put_back(&mut self, batch: Vec<String>) {
        self.all |= batch.is_empty();
        self.paths.extend(batch);
    }
}

/// Runs as long as the transport; ends when the inbox closes or the link ends.
pub fn run(lane: Lane, inbox: &Receiver<Scan>, link: &Arc<Link>) {
    let mut pending = Pending::default();
    let mut retry = Duration::ZERO;
    loop {
        if pending.is_empty() {
            match inbox.recv() {
                Ok(scan) => pending.add(scan),
                Err(_) => return,
            }
        }
        let Some(up) = link.wait_to_send() else {
            return;
        };
        while let Ok(scan) = inbox.try_recv() {
            pending.add(scan);
        }
        let begun = Instant::now();
        let batch = pending.next();
        let paths: Vec<&str> = batch.iter().map(String::as_str).collect();
        let timed = pending.timed.take();
        let pause = match up.rest.scan(&folder_id(lane, &up.own.short()), &paths) {
            Ok(()) => {
                drop(timed);
                retry = Duration::ZERO;
                PAUSE.saturating_sub(begun.elapsed())
            }
            Err(_) => {
                // The folder is not made yet or in trouble, or Syncthing is down: reported
                // elsewhere, retried here.
                pending.put_back(batch);
                pending.timed = timed.or(pending.timed.take());
                retry = (retry * 2).clamp(Duration::from_millis(100), MAX_RETRY);
                retry
            }
        };
        if !gather(inbox, &mut pending, pause) {
            return;
        }
    }
}

/// Collects the paths announced during the pause. A request to scan everything ends the pause: the
/// folder itself changed.
fn gather(inbox: &Receiver<Scan>, pending: &mut Pending, pause: Duration) -> bool {
    let end = Instant::now() + pause;
    loop {
        match inbox.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(Scan::All) => {
                pending.all = true;
                return true;
            }
            Ok(scan) => pending.add(scan),
            Err(RecvTimeoutError::Timeout) => return true,
            Err(RecvTimeoutError::Disconnected) => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_paths_go_before_everything_and_nothing_is_lost() {
        let mut pending = Pending::default();
        pending.add(Scan::All);
        pending.add(Scan::Paths(
            (0..MAX_PATHS + 1).map(|n| format!("{n:04}")).collect(),
        ));
        let first = pending.next();
        assert_eq!((first.len(), pending.all), (MAX_PATHS, true));
        pending.put_back(first);
        assert_eq!(pending.paths.len(), MAX_PATHS + 1);
        assert_eq!(pending.next().len(), MAX_PATHS);
        assert_eq!(pending.next(), ["0200"]);
        assert_eq!(pending.next(), [""; 0]);
        assert!(pending.is_empty());
        pending.put_back(Vec::new());
        assert!(pending.all, "a failed full scan is tried again");
    }
}
