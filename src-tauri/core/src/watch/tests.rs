//! Real files and the system's own watcher; a fake only where the system would have to be broken.

use super::*;
use crate::session::ProblemCode;
use std::io::Write;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};

/// Long enough for a busy machine, and far below the poll, which these tests switch off.
const PATIENCE: Duration = Duration::from_secs(5);

fn no_poll() -> Pace {
    Pace {
        poll: Duration::from_secs(3600),
        poll_blind: Duration::from_secs(3600),
        ..Pace::default()
    }
}

fn deep(path: &Path) -> Root {
    Root {
        path: path.to_owned(),
        deep: true,
        store: true,
    }
}

struct Seen {
    watch: Watch,
    events: mpsc::Receiver<WatchEvent>,
}

impl Seen {
    fn start(roots: Vec<Root>) -> Self {
        let (tx, events) = mpsc::channel();
        Self {
            watch: Watch::start(roots, move |event| drop(tx.send(event)), no_poll()),
            events,
        }
    }

    /// Watches `root` and consumes its first report.
    fn on(root: &Path) -> Self {
        let seen = Self::start(vec![deep(root)]);
        seen.until(root);
        seen
    }

    /// Waits until `path` is reported; returns how many paths were reported until then.
    fn until(&self, path: &Path) -> usize {
        let mut n_paths = 0;
        loop {
            match self.events.recv_timeout(PATIENCE) {
                Ok(WatchEvent::Touched(paths)) => {
                    n_paths += paths.len();
                    if paths.iter().any(|touched| touched == path) {
                        return n_paths;
                    }
                }
                Ok(WatchEvent::ScanAll) => (),
                other => panic!("{} was not reported: {other:?}", path.display()),
            }
        }
    }

    fn quiet(&self, time: Duration) {
        let event = self.events.recv_timeout(time);
        assert!(event.is_err(), "{event:?}");
    }
}

fn append(path: &Path, text: &str) {
    let mut file = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

#[test]
fn an_append_is_reported() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("session.jsonl");
    append(&file, "1\n");
    let seen = Seen::on(dir.path());
    append(&file, "2\n");
    seen.until(&file);
}

#[test]
fn reading_is_not_reported() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("session.jsonl");
    append(&file, "1\n");
    let seen = Seen::on(dir.path());
    assert_eq!(std::fs::read(&file).unwrap(), b"1\n");
    seen.quiet(Duration::from_millis(150));
}

#[test]
fn a_burst_becomes_few_batches_of_single_paths() {
    let dir = tempfile::tempdir().unwrap();
    let (file, last) = (dir.path().join("session.jsonl"), dir.path().join("last"));
    let seen = Seen::on(dir.path());
    let start = Instant::now();
    (0..1000).for_each(|_| append(&file, "line\n"));
    append(&last, "");
    let n_paths = seen.until(&last);
    let n_batches = 2 + start.elapsed().as_millis() as usize / 20;
    assert!(n_paths <= 2 * n_batches, "{n_paths} paths for 1000 appends");
}

#[test]
fn a_root_that_appears_later_is_watched() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join(".tool/store/sessions");
    let seen = Seen::start(vec![deep(&root)]);
    std::thread::sleep(Duration::from_millis(50));
    std::fs::create_dir_all(&root).unwrap();
    append(&root.join("early"), "1\n");
    seen.until(&root);
    append(&root.join("late"), "1\n");
    seen.until(&root.join("late"));
}

#[test]
fn a_root_that_is_deleted_and_made_again_is_watched_again() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("store");
    for _ in 0..3 {
        std::fs::create_dir_all(&root).unwrap();
    }
    let seen = Seen::on(&root);
    for name in ["one", "two", "three"] {
        std::fs::remove_dir_all(&root).unwrap();
        std::fs::create_dir(&root).unwrap();
        let path = root.join(name);
        // Until the watch exists again, only the root is reported; afterwards each append is.
        let start = Instant::now();
        loop {
            append(&path, "1\n");
            match seen.events.recv_timeout(Duration::from_millis(100)) {
                Ok(WatchEvent::Touched(paths)) if paths.contains(&path) => break,
                _ => assert!(start.elapsed() < PATIENCE, "{name} was not reported"),
            }
        }
    }
}

#[test]
fn files_in_brand_new_nested_directories_are_not_missed() {
    let dir = tempfile::tempdir().unwrap();
    let seen = Seen::on(dir.path());
    for round in 0..50 {
        let nested = dir.path().join(format!("project-{round}/a/b/c"));
        std::fs::create_dir_all(&nested).unwrap();
        append(&nested.join("session.jsonl"), "1\n");
        seen.until(&nested.join("session.jsonl"));
    }
}

#[test]
fn a_tree_that_is_moved_in_is_reported_and_watched() {
    let dir = tempfile::tempdir().unwrap();
    let (root, tree) = (dir.path().join("root"), dir.path().join("tree"));
    std::fs::create_dir(&root).unwrap();
    std::fs::create_dir_all(tree.join("deep")).unwrap();
    append(&tree.join("deep/file"), "1\n");
    let seen = Seen::on(&root);
    std::fs::rename(&tree, root.join("tree")).unwrap();
    seen.until(&root.join("tree/deep/file"));
    append(&root.join("tree/deep/later"), "1\n");
    seen.until(&root.join("tree/deep/later"));
}

#[cfg(unix)]
#[test]
fn a_root_behind_a_link_is_reported_as_it_was_given() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("disk")).unwrap();
    let root = dir.path().join("link");
    std::os::unix::fs::symlink(dir.path().join("disk"), &root).unwrap();
    let seen = Seen::on(&root);
    append(&dir.path().join("disk/file"), "1\n");
    seen.until(&root.join("file"));
}

#[test]
fn a_shallow_root_reports_its_own_entries_alone() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("below")).unwrap();
    let seen = Seen::start(vec![Root {
        path: dir.path().to_owned(),
        deep: false,
        store: false,
    }]);
    seen.until(dir.path());
    append(&dir.path().join("below/file"), "1\n");
    seen.quiet(Duration::from_millis(150));
    append(&dir.path().join("pid.json"), "1\n");
    seen.until(&dir.path().join("pid.json"));
}

#[test]
fn other_roots_can_be_given_at_any_time() {
    let dir = tempfile::tempdir().unwrap();
    let (old, new) = (dir.path().join("old"), dir.path().join("new"));
    [&old, &new]
        .into_iter()
        .for_each(|root| std::fs::create_dir(root).unwrap());
    let seen = Seen::on(&old);
    seen.watch.update(vec![deep(&new)]);
    seen.until(&new);
    append(&old.join("file"), "1\n");
    seen.quiet(Duration::from_millis(150));
    append(&new.join("file"), "1\n");
    seen.until(&new.join("file"));
}

#[test]
fn a_deep_root_below_a_shallow_one_and_an_absent_one_beside_it_stay_deep() {
    let dir = tempfile::tempdir().unwrap();
    let (root, absent) = (
        dir.path().join("store"),
        dir.path().join("store/absent/later"),
    );
    std::fs::create_dir(&root).unwrap();
    let shallow = Root {
        path: dir.path().to_owned(),
        deep: false,
        store: false,
    };
    let seen = Seen::start(vec![shallow, deep(&absent), deep(&root)]);
    seen.until(&root);
    std::fs::create_dir_all(&absent).unwrap();
    append(&absent.join("file"), "1\n");
    seen.until(&absent.join("file"));
    append(&absent.join("file"), "2\n");
    seen.until(&absent.join("file"));
}

#[test]
fn nothing_is_reported_after_stop() {
    let dir = tempfile::tempdir().unwrap();
    let Seen { watch, events } = Seen::on(dir.path());
    append(&dir.path().join("file"), "1\n");
    watch.stop();
    // The callback, and with it the sender, ended with the joined thread.
    assert!(events.iter().count() <= 1);
}

/// Refuses deep watches with `error` while `refusals` last, and keeps the channel for events.
struct Refusing {
    refusals: Arc<AtomicUsize>,
    kind: fn() -> notify::ErrorKind,
}

impl notify::Watcher for Refusing {
    fn new<F: notify::EventHandler>(_handler: F, _config: notify::Config) -> notify::Result<Self> {
        Err(notify::Error::generic("made by hand"))
    }
    fn watch(&mut self, _path: &Path, _mode: notify::RecursiveMode) -> notify::Result<()> {
        match self
            .refusals
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                left.checked_sub(1)
            }) {
            Ok(_) => Err(notify::Error::new((self.kind)())),
            Err(_) => Ok(()),
        }
    }
    fn unwatch(&mut self, _path: &Path) -> notify::Result<()> {
        Ok(())
    }
    fn kind() -> notify::WatcherKind {
        notify::WatcherKind::NullWatcher
    }
}

fn refusing(
    root: &Path,
    refusals: usize,
    kind: fn() -> notify::ErrorKind,
) -> (Watch, mpsc::Receiver<WatchEvent>, Sender<Signal>) {
    let (tx, events) = mpsc::channel();
    let pace = Pace {
        poll: Duration::from_secs(3600),
        poll_blind: Duration::from_millis(30),
        ..Pace::default()
    };
    let inbox = Arc::new(Mutex::new(None));
    let keep = Arc::clone(&inbox);
    let watcher = Refusing {
        refusals: Arc::new(AtomicUsize::new(refusals)),
        kind,
    };
    let watch = Watch::start_with(
        vec![deep(root)],
        move |event| drop(tx.send(event)),
        pace,
        move |signals| {
            *keep.lock().unwrap() = Some(signals);
            Ok(Box::new(watcher))
        },
    );
    let signals = loop {
        match inbox.lock().unwrap().take() {
            Some(signals) => break signals,
            None => std::thread::yield_now(),
        }
    };
    (watch, events, signals)
}

fn problem(events: &mpsc::Receiver<WatchEvent>) -> Problem {
    match events.recv_timeout(PATIENCE) {
        Ok(WatchEvent::Problem(problem)) => problem,
        other => panic!("{other:?}"),
    }
}

fn next_but_touched(events: &mpsc::Receiver<WatchEvent>) -> WatchEvent {
    loop {
        match events.recv_timeout(PATIENCE).unwrap() {
            WatchEvent::Touched(_) => (),
            other => return other,
        }
    }
}

#[test]
fn exhausted_watches_are_told_once_and_the_poll_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let (watch, events, _signals) = refusing(dir.path(), 1, || notify::ErrorKind::MaxFilesWatch);
    let told = problem(&events);
    assert_eq!(told.code, ProblemCode::WatchLimit);
    assert!(
        told.hint.contains("fs.inotify.max_user_watches"),
        "{}",
        told.hint
    );
    assert_eq!(
        [(); 3].map(|()| next_but_touched(&events)),
        [WatchEvent::Poll, WatchEvent::Poll, WatchEvent::Poll]
    );
    // The watches are set up again, and now there is room.
    watch.update(vec![deep(dir.path())]);
    let over = (0..50)
        .map(|_| next_but_touched(&events))
        .find(|event| *event != WatchEvent::Poll);
    assert_eq!(
        over,
        Some(WatchEvent::Recovered {
            code: "watch_limit"
        })
    );
}

#[test]
fn watches_that_run_out_later_are_told_too() {
    let dir = tempfile::tempdir().unwrap();
    let (_watch, events, signals) = refusing(dir.path(), 0, || notify::ErrorKind::MaxFilesWatch);
    assert_eq!(
        events.recv_timeout(PATIENCE),
        Ok(WatchEvent::Touched(vec![dir.path().to_owned()]))
    );
    let error = notify::Error::new(notify::ErrorKind::MaxFilesWatch)
        .add_path(dir.path().canonicalize().unwrap().join("new"));
    signals.send(Signal::Disk(Err(error))).unwrap();
    assert_eq!(problem(&events).code, ProblemCode::WatchLimit);
    let rest = [next_but_touched(&events), next_but_touched(&events)];
    assert!(
        rest.contains(&WatchEvent::ScanAll) && rest.contains(&WatchEvent::Poll),
        "{rest:?}"
    );
}

#[test]
fn a_directory_that_may_not_be_read_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let denied = || notify::ErrorKind::Io(std::io::ErrorKind::PermissionDenied.into());
    let (_watch, events, _signals) = refusing(dir.path(), 1, denied);
    assert_eq!(problem(&events).code, ProblemCode::WatchFailed);
}

#[test]
fn a_walk_that_met_a_vanishing_directory_is_repeated() {
    let dir = tempfile::tempdir().unwrap();
    let (_watch, events, _signals) = refusing(dir.path(), 2, || notify::ErrorKind::PathNotFound);
    assert_eq!(
        events.recv_timeout(PATIENCE),
        Ok(WatchEvent::Touched(vec![dir.path().to_owned()]))
    );
}

#[test]
fn an_overflow_means_look_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let (_watch, events, signals) = refusing(dir.path(), 0, || notify::ErrorKind::PathNotFound);
    assert_eq!(
        events.recv_timeout(PATIENCE),
        Ok(WatchEvent::Touched(vec![dir.path().to_owned()]))
    );
    let overflow =
        notify::Event::new(notify::EventKind::Other).set_flag(notify::event::Flag::Rescan);
    signals.send(Signal::Disk(Ok(overflow))).unwrap();
    assert_eq!(events.recv_timeout(PATIENCE), Ok(WatchEvent::ScanAll));
}
