//! Reports where files of the tools' stores changed. Events carry no truth: lost, doubled and
//! self-made events do no harm, because the engine scans for itself. Reads no file's content.
//!
//! One thread owns the watches; it sleeps until the system reports something or the poll is due.

mod attach;
mod batch;

use crate::adapter::Root;
use crate::session::Problem;
use attach::{Attachments, Outcome};
use batch::Batch;
use notify::event::{CreateKind, EventKind, ModifyKind, RenameMode};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WatchEvent {
    /// These paths changed, appeared or vanished; each once, in order, and in the form of the
    /// roots.
    Touched(Vec<PathBuf>),
    /// More changes than can be listed.
    ScanAll,
    /// Time for a scan by stat alone, in case an event was lost.
    Poll,
    /// Reported once until it is over. Watching continues where possible, and polls are more
    /// frequent.
    Problem(Problem),
    /// The problem with this code is over.
    Recovered { code: &'static str },
}

/// The delays of the watch.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// A batch is sent when no event came for this long …
    pub window: Duration,
    /// … or, if its first event came after a rest, for this long: a tool writes the lines of one
    /// step within a few milliseconds …
    pub first_window: Duration,
    /// … or this long after its first event.
    pub ceiling: Duration,
    /// The time without an event that counts as a rest. Within this time of a scan, Syncthing
    /// sends nothing more, so haste would only cost.
    pub rest: Duration,
    pub poll: Duration,
    /// The poll interval while not everything can be watched.
    pub poll_blind: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        let ms = Duration::from_millis;
        Self {
            window: ms(20),
            first_window: ms(8),
            ceiling: ms(60),
            rest: ms(250),
            poll: Duration::from_secs(30),
            poll_blind: Duration::from_secs(2),
        }
    }
}

/// Watches until it is stopped or dropped.
pub struct Watch {
    tx: Sender<Signal>,
    thread: Option<JoinHandle<()>>,
}

enum Signal {
    Disk(notify::Result<notify::Event>),
    Roots(Vec<Root>),
    Stop,
}

type Watcher = Box<dyn notify::Watcher + Send>;

impl Watch {
    /// Starts to watch and returns at once. Each root is reported as touched as soon as its watch
    /// exists, so that no change is lost between a first scan and the first event. `notify` is
    /// called on the watching thread.
    pub fn start(
        roots: Vec<Root>,
        notify: impl Fn(WatchEvent) + Send + Sync + 'static,
        pace: Pace,
    ) -> Self {
        Self::start_with(roots, notify, pace, system_watcher)
    }

    fn start_with(
        roots: Vec<Root>,
        notify: impl Fn(WatchEvent) + Send + Sync + 'static,
        pace: Pace,
        make: impl FnOnce(Sender<Signal>) -> notify::Result<Watcher> + Send + 'static,
    ) -> Self {
        let (tx, rx) = channel();
        let for_watcher = tx.clone();
        let thread = std::thread::spawn(move || {
            Loop::new(make(for_watcher), Box::new(notify), pace).run(roots, &rx)
        });
        Self {
            tx,
            thread: Some(thread),
        }
    }

    /// Replaces the watched directories.
    pub fn update(&self, roots: Vec<Root>) {
        // Fails only after the end.
        let _ = self.tx.send(Signal::Roots(roots));
    }

    /// Stops watching; no event comes after this returns.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        let _ = self.tx.send(Signal::Stop);
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != std::thread::current().id()
        {
            // A panic in the callback has already been printed.
            let _ = thread.join();
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.end();
    }
}

fn system_watcher(tx: Sender<Signal>) -> notify::Result<Watcher> {
    let handler = move |event: notify::Result<notify::Event>| {
        // Reading opens and closes files too, including this program's own reading.
        let is_reading = matches!(&event, Ok(event) if matches!(event.kind, EventKind::Access(_)) && !event.need_rescan());
        if !is_reading {
            let _ = tx.send(Signal::Disk(event));
        }
    };
    let config = notify::Config::default().with_follow_symlinks(false);
    Ok(Box::new(
        <notify::RecommendedWatcher as notify::Watcher>::new(handler, config)?,
    ))
}

struct Loop {
    notify: Box<dyn Fn(WatchEvent) + Send + Sync>,
    pace: Pace,
    attachments: Attachments,
    batch: Batch,
    next_poll: Instant,
    /// The code of the reported problem that is not over.
    told: Option<&'static str>,
}

impl Loop {
    fn new(
        watcher: notify::Result<Watcher>,
        notify: Box<dyn Fn(WatchEvent) + Send + Sync>,
        pace: Pace,
    ) -> Self {
        let attachments = Attachments::new(watcher);
        Self {
            notify,
            pace,
            attachments,
            batch: Batch::default(),
            next_poll: Instant::now() + pace.poll,
            told: None,
        }
    }

    fn run(mut self, roots: Vec<Root>, rx: &Receiver<Signal>) {
        self.attachments.set_roots(roots);
        self.attach();
        loop {
            let due = self
                .batch
                .due(&self.pace)
                .map_or(self.next_poll, |due| due.min(self.next_poll));
            match rx.recv_timeout(due.saturating_duration_since(Instant::now())) {
                Ok(Signal::Disk(event)) => self.at_disk(event),
                Ok(Signal::Roots(roots)) => {
                    self.attachments.set_roots(roots);
                    self.attach();
                }
                Ok(Signal::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => (),
            }
            self.at_time(Instant::now());
        }
    }

    fn at_time(&mut self, now: Instant) {
        if self.batch.due(&self.pace).is_some_and(|due| due <= now)
            && let Some(event) = self.batch.take(now)
        {
            (self.notify)(event);
        }
        if self.next_poll <= now {
            self.attachments.check();
            self.attach();
            (self.notify)(WatchEvent::Poll);
            self.next_poll = now
                + if self.told.is_some() {
                    self.pace.poll_blind
                } else {
                    self.pace.poll
                };
        }
    }

    fn at_disk(&mut self, event: notify::Result<notify::Event>) {
        let now = Instant::now();
        let event = match event {
            Ok(event) => event,
            Err(error) => {
                self.attachments.failed(&error);
                self.batch.everything(now);
                return self.attach();
            }
        };
        if event.need_rescan() {
            self.batch.everything(now);
        }
        let mut structure_changed = false;
        for path in &event.paths {
            structure_changed |= self.attachments.is_structural(path, vanishes(event.kind));
            if let Some(path) = self.attachments.as_given(path) {
                self.batch
                    .touch(path, may_be_new_directory(event.kind), now);
            }
        }
        if structure_changed {
            self.attach();
        }
    }

    /// Updates the watches to match the roots and reports the result.
    fn attach(&mut self) {
        let now = Instant::now();
        let Outcome { attached, problem } = self.attachments.apply(now);
        for root in attached {
            self.batch.touch(root, false, now);
        }
        match (self.told, problem) {
            (None, Some((code, problem))) => {
                self.told = Some(code);
                self.next_poll = self.next_poll.min(now + self.pace.poll_blind);
                (self.notify)(WatchEvent::Problem(problem));
            }
            (Some(code), None) => {
                self.told = None;
                (self.notify)(WatchEvent::Recovered { code });
            }
            _ => (),
        }
    }
}

fn vanishes(kind: EventKind) -> bool {
    matches!(
        kind,
        EventKind::Remove(_)
            | EventKind::Modify(ModifyKind::Name(
                RenameMode::From | RenameMode::Any | RenameMode::Both
            ))
    )
}

/// Files may have been created in a new directory before its watch, so its content must be listed.
fn may_be_new_directory(kind: EventKind) -> bool {
    match kind {
        EventKind::Create(CreateKind::File) => false,
        EventKind::Create(_) => true,
        EventKind::Modify(ModifyKind::Name(mode)) => mode != RenameMode::From,
        _ => false,
    }
}

#[cfg(test)]
mod tests;
