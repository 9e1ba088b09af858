//! The transport on real Syncthings, on loopback only, each with a home of its own. The binary is
//! SESSION_ROAM_TEST_SYNCTHING, otherwise `syncthing` on PATH; 1.19 and 1.29 are Debian's versions.
//! Unix only: the tests kill processes with `kill`.
#![cfg(unix)]

mod trust;

use session_roam_core::session::{DeviceId, Lane};
use session_roam_core::settings::Network;
use session_roam_core::syncthing::{
    Asking, ChildConfig, Notice, SyncthingState, SyncthingTransport, Transport, Wanted,
    WantedDevice, WantedFolder, ensure_identity, folder_id,
};
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(90);

/// A device: its home, its transport and all notices of the transport so far.
struct Device {
    name: &'static str,
    dir: Arc<tempfile::TempDir>,
    config: ChildConfig,
    id: DeviceId,
    transport: SyncthingTransport,
    told: Arc<Told>,
}

#[derive(Default)]
struct Told {
    notices: Mutex<Vec<(Instant, Notice)>>,
    more: Condvar,
}

impl Told {
    fn push(&self, notice: Notice) {
        self.notices
            .lock()
            .expect("notices")
            .push((Instant::now(), notice));
        self.more.notify_all();
    }

    fn len(&self) -> usize {
        self.notices.lock().expect("notices").len()
    }

    /// Waits for a notice after the first `from`.
    fn wait<T>(
        &self,
        what: &str,
        from: usize,
        find: impl Fn(&Notice) -> Option<T>,
    ) -> (Instant, T) {
        let end = Instant::now() + SOON;
        let mut notices = self.notices.lock().expect("notices");
        loop {
            if let Some(found) = notices
                .iter()
                .skip(from)
                .find_map(|(at, notice)| Some((*at, find(notice)?)))
            {
                return found;
            }
            let left = end.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero(),
                "waited for {what}, was told {:#?}",
                notices
                    .iter()
                    .skip(from)
                    .map(|(_, notice)| notice)
                    .collect::<Vec<_>>()
            );
            notices = self.more.wait_timeout(notices, left).expect("notices").0;
        }
    }
}

#[allow(clippy::disallowed_methods)] // a test is a shell of its own
fn binary() -> PathBuf {
    let named = std::env::var_os("SESSION_ROAM_TEST_SYNCTHING").map(PathBuf::from);
    let on_path = || {
        std::env::split_paths(&std::env::var_os("PATH")?)
            .map(|dir| dir.join("syncthing"))
            .find(|path| path.is_file())
    };
    named.or_else(on_path).expect(
        "these tests need a Syncthing: install it, or name one in SESSION_ROAM_TEST_SYNCTHING",
    )
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("a free port")
        .port()
}

fn config_in(dir: &Path, name: &str, port: u16) -> ChildConfig {
    ChildConfig {
        home: dir.join("syncthing"),
        binary: Some(binary()),
        network: Network {
            global_discovery: false,
            local_discovery: false,
            relays: false,
            listen: vec![format!("tcp://127.0.0.1:{port}")],
        },
        device_name: name.into(),
        external: None,
    }
}

fn start_transport(config: &ChildConfig) -> (SyncthingTransport, Arc<Told>) {
    let told = Arc::new(Told::default());
    let teller = Arc::clone(&told);
    (
        SyncthingTransport::start(config.clone(), move |notice| teller.push(notice)),
        told,
    )
}

impl Device {
    fn start(name: &'static str) -> Self {
        let dir = tempfile::tempdir().expect("tempdir");
        let config = config_in(dir.path(), name, free_port());
        Self::start_with(name, Arc::new(dir), config)
    }

    fn start_with(name: &'static str, dir: Arc<tempfile::TempDir>, config: ChildConfig) -> Self {
        let id = ensure_identity(&config).expect("identity").device_id;
        let (transport, told) = start_transport(&config);
        Self {
            name,
            dir,
            config,
            id,
            transport,
            told,
        }
    }

    fn wait_up(&self, from: usize) -> u32 {
        self.told
            .wait("Up", from, |notice| match notice {
                Notice::Up { pid, .. } => Some(*pid),
                _ => None,
            })
            .1
    }

    fn address(&self) -> String {
        self.config.network.listen[0].clone()
    }

    fn live(&self, owner: &Self) -> PathBuf {
        self.dir
            .path()
            .join("vault")
            .join(owner.id.short())
            .join("live")
    }

    fn as_wanted(&self) -> WantedDevice {
        WantedDevice {
            id: self.id.clone(),
            name: self.name.into(),
            addresses: vec![self.address()],
        }
    }

    /// Pairs with `friends` and shares the live folders of `owners` with them.
    fn wanted(&self, friends: &[&Self], owners: &[&Self]) -> Wanted {
        let shared_with: Vec<DeviceId> = friends.iter().map(|friend| friend.id.clone()).collect();
        let folder = |owner: &&Self| WantedFolder {
            id: folder_id(Lane::Priority, &owner.id.short()),
            path: self.live(owner),
            own: owner.id == self.id,
            shared_with: shared_with.clone(),
            ignores: Vec::new(),
        };
        Wanted {
            devices: friends.iter().map(|friend| friend.as_wanted()).collect(),
            folders: owners.iter().map(folder).collect(),
            paused: false,
        }
    }

    fn write(&self, path: &str, text: &str) {
        let file = self.live(self).join(path);
        fs::create_dir_all(file.parent().expect("parent")).expect("directory");
        let next = file.with_extension("sr-tmp");
        fs::write(&next, text).expect("write");
        fs::rename(&next, &file).expect("rename");
    }

    fn write_and_announce(&self, path: &str, text: &str) {
        self.write(path, text);
        self.transport.announce(Lane::Priority, vec![path.into()]);
    }

    fn wait_arrived(&self, owner: &Self, path: &str, from: usize) -> Instant {
        self.told
            .wait(
                &format!("{path} of {} at {}", owner.name, self.name),
                from,
                |notice| match notice {
                    Notice::Arrived {
                        owner: whose,
                        lane: Lane::Priority,
                        paths,
                    } if *whose == owner.id.short() => {
                        paths.iter().any(|known| known == path).then_some(())
                    }
                    _ => None,
                },
            )
            .0
    }

    fn wait_connected(&self, other: &Self) {
        self.told.wait(
            &format!("{} connected to {}", self.name, other.name),
            0,
            |notice| match notice {
                Notice::Peers(peers) => peers
                    .iter()
                    .any(|peer| peer.id == other.id && peer.connected)
                    .then_some(()),
                _ => None,
            },
        );
    }

    fn wait_trouble(&self, code: &str, from: usize) -> String {
        self.told
            .wait(code, from, |notice| match notice {
                Notice::Trouble {
                    problem: Some(problem),
                    ..
                } if problem.code.as_str() == code => Some(problem.hint.clone()),
                _ => None,
            })
            .1
    }
}

fn wait_down(told: &Told, code: &str) -> String {
    told.wait(code, 0, |notice| match notice {
        Notice::Down {
            problem: Some(problem),
            ..
        } if problem.code.as_str() == code => Some(problem.hint.clone()),
        _ => None,
    })
    .1
}

fn wait_until(what: &str, mut there: impl FnMut() -> bool) {
    let end = Instant::now() + SOON;
    while !there() {
        assert!(Instant::now() < end, "waited until {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn wait_content(path: &Path, text: &str) {
    let end = Instant::now() + SOON;
    while fs::read_to_string(path).ok().as_deref() != Some(text) {
        assert!(
            Instant::now() < end,
            "waited for {text:?} in {}, there is {:?}",
            path.display(),
            fs::read_to_string(path)
        );
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn pair(a: &Device, b: &Device) {
    a.transport.arrange(a.wanted(&[b], &[a, b]));
    b.transport.arrange(b.wanted(&[a], &[a, b]));
    a.wait_connected(b);
    b.wait_connected(a);
}

fn kill_9(pid: u32) {
    assert!(
        Command::new("kill")
            .args(["-9", &pid.to_string()])
            .status()
            .expect("kill")
            .success()
    );
}

fn is_running(pid: u32) -> bool {
    Command::new("kill")
        .args(["-0", &pid.to_string()])
        .stderr(std::process::Stdio::null())
        .status()
        .expect("kill")
        .success()
}

fn report(what: &str, mut times: Vec<Duration>) {
    times.sort();
    let milliseconds = |at: usize| times[at].as_secs_f64() * 1000.0;
    println!(
        "{what}: p50 {:.1} ms, p95 {:.1} ms, max {:.1} ms (n = {})",
        milliseconds(times.len() / 2),
        milliseconds(times.len() * 95 / 100),
        milliseconds(times.len() - 1),
        times.len()
    );
}

#[test]
fn a_changed_network_holds_at_once_and_only_syncthing_is_started_anew() {
    let a = Device::start("desk");
    let first = a.wait_up(0);
    let from = a.told.len();
    let mut network = a.config.network.clone();
    let port = free_port();
    network.listen = vec![format!("tcp://127.0.0.1:{port}")];
    a.transport.set_network(network);
    let second = a.wait_up(from);
    assert_ne!(first, second);
    wait_until("the first run has ended", || !is_running(first));
    let config = fs::read_to_string(a.config.home.join("config.xml")).expect("config.xml");
    assert!(config.contains(&format!("tcp://127.0.0.1:{port}")));
    a.transport.stop();
}

#[test]
fn a_device_that_was_renamed_asks_by_its_new_name() {
    let (a, b) = (Device::start("desk"), Device::start("lap"));
    a.wait_up(0);
    b.wait_up(0);
    a.transport.set_announced_name("study".into());
    a.transport.arrange(a.wanted(&[&b], &[&a, &b]));
    b.told.wait("study asking", 0, |notice| {
        matches!(notice, Notice::Asking(asking) if asking.iter().any(|asking| asking.id == a.id && asking.name == "study"))
            .then_some(())
    });
}

#[test]
fn two_devices_pair_after_both_said_yes_and_what_one_writes_arrives_at_once() {
    let (a, b) = (Device::start("desk"), Device::start("lap"));
    a.wait_up(0);
    b.wait_up(0);
    let begun = Instant::now();
    a.transport.arrange(a.wanted(&[&b], &[&a, &b]));
    let asking: Asking = b
        .told
        .wait("desk asking", 0, |notice| match notice {
            Notice::Asking(asking) => asking.iter().find(|asking| asking.id == a.id).cloned(),
            _ => None,
        })
        .1;
    assert_eq!(asking.name, "desk");
    println!("asking seen after {:?}", begun.elapsed());
    let accepted = Instant::now();
    b.transport.arrange(b.wanted(&[&a], &[&a, &b]));
    a.wait_connected(&b);
    b.wait_connected(&a);
    println!(
        "connected {:?} after the second side said yes",
        accepted.elapsed()
    );
    b.told.wait("nobody asking any more", 0, |notice| {
        matches!(notice, Notice::Asking(asking) if asking.is_empty()).then_some(())
    });

    a.write_and_announce("codex/first.jsonl.zst", "0");
    b.wait_arrived(&a, "codex/first.jsonl.zst", 0);
    std::thread::sleep(Duration::from_millis(400));
    let (mut visible, mut told) = (Vec::new(), Vec::new());
    for n in 0..20 {
        let (path, text) = (format!("codex/{n}.jsonl.zst"), format!("line {n}"));
        a.write(&path, &text);
        let (from, begun) = (b.told.len(), Instant::now());
        a.transport.announce(Lane::Priority, vec![path.clone()]);
        wait_content(&b.live(&a).join(&path), &text);
        visible.push(begun.elapsed());
        told.push(b.wait_arrived(&a, &path, from).duration_since(begun));
        std::thread::sleep(Duration::from_millis(300 + 37 * (n % 5)));
    }
    report("announce to bytes at the other", visible);
    report("announce to Notice::Arrived", told);

    // What is announced last is what tells the other device.
    a.write_and_announce("goodbye", "goodbye");
    a.transport
        .wait_for_delivery(b.id.clone(), Duration::from_secs(60));
    let begun = Instant::now();
    a.told.wait("Parted", 0, |notice| {
        matches!(notice, Notice::Delivered { device } if *device == b.id).then_some(())
    });
    let last = fs::read_to_string(b.live(&a).join("goodbye"));
    assert_eq!(last.expect("it arrived before they parted"), "goodbye");
    assert!(
        begun.elapsed() < Duration::from_secs(60),
        "the other has everything, so the grace is not used up"
    );
}

#[test]
fn what_is_written_after_a_device_was_put_out_does_not_reach_it() {
    let (a, b, c) = (
        Device::start("desk"),
        Device::start("lap"),
        Device::start("lost"),
    );
    let all = [&a, &b, &c];
    for device in all {
        device.wait_up(0);
    }
    let without = |one: &Device| -> Vec<&Device> {
        { all.iter().copied() }
            .filter(|other| other.id != one.id)
            .collect()
    };
    for device in all {
        let first = device
            .transport
            .arrange(device.wanted(&without(device), &all));
        assert_eq!(first, None, "nobody received anything before");
    }
    a.write_and_announce("codex/before.jsonl.zst", "before");
    for other in [&b, &c] {
        other.wait_arrived(&a, "codex/before.jsonl.zst", 0);
    }

    let put_out = |device: &Device, other: &Device| {
        let arrangement = device.transport.arrange(device.wanted(&[other], &[&a, &b]));
        arrangement.expect("a device shall no longer receive")
    };
    let wait_withdrawn = |device: &Device, withdrawal| {
        device.told.wait("Withdrawn", 0, |notice| {
            matches!(notice, Notice::Withdrawn { arrangement } if withdrawal <= *arrangement)
                .then_some(())
        });
    };
    // The second device would pass on what the first one writes.
    wait_withdrawn(&b, put_out(&b, &a));
    let withdrawal = put_out(&a, &b);
    a.write_and_announce("codex/after.jsonl.zst", "after");
    b.wait_arrived(&a, "codex/after.jsonl.zst", 0);
    wait_withdrawn(&a, withdrawal);
    let after = c.live(&a).join("codex/after.jsonl.zst");
    assert!(!after.exists(), "the device that was put out received it");
}

#[test]
fn a_pairing_whose_first_dial_was_refused_connects_soon() {
    let a = Device::start("desk");
    let dir = Arc::new(tempfile::tempdir().expect("tempdir"));
    let config = config_in(dir.path(), "lap", free_port());
    let late = ensure_identity(&config).expect("identity").device_id;
    a.wait_up(0);
    let device = WantedDevice {
        id: late,
        name: "lap".into(),
        addresses: config.network.listen.clone(),
    };
    a.transport.arrange(Wanted {
        devices: vec![device],
        ..a.wanted(&[], &[&a])
    });
    std::thread::sleep(Duration::from_secs(2));
    // The late device has no address of the first: only the first can dial.
    let b = Device::start_with("lap", dir, config);
    b.wait_up(0);
    let begun = Instant::now();
    let mut wanted = b.wanted(&[&a], &[&a]);
    wanted.devices[0].addresses = vec!["tcp://127.0.0.1:9".into()];
    b.transport.arrange(wanted);
    b.wait_connected(&a);
    println!("connected {:?} after a refused first dial", begun.elapsed());
}

#[test]
fn a_third_device_receives_the_first_ones_files_through_the_second() {
    let (a, b, c) = (
        Device::start("desk"),
        Device::start("lap"),
        Device::start("server"),
    );
    a.transport.arrange(a.wanted(&[&b], &[&a, &b, &c]));
    b.transport.arrange(b.wanted(&[&a, &c], &[&a, &b, &c]));
    c.transport.arrange(c.wanted(&[&b], &[&a, &b, &c]));
    for (one, other) in [(&a, &b), (&b, &a), (&b, &c), (&c, &b)] {
        one.wait_connected(other);
    }
    a.write_and_announce("codex/first", "first");
    wait_content(&c.live(&a).join("codex/first"), "first");
    std::thread::sleep(Duration::from_millis(400));
    let mut times = Vec::new();
    for n in 0..8 {
        let (path, from) = (format!("codex/{n}"), c.told.len());
        let begun = Instant::now();
        a.write_and_announce(&path, "through b");
        times.push(c.wait_arrived(&a, &path, from).duration_since(begun));
        assert_eq!(
            fs::read_to_string(c.live(&a).join(&path)).expect("arrived"),
            "through b"
        );
        std::thread::sleep(Duration::from_millis(350));
    }
    report("two hops, write to Notice::Arrived", times);
}

#[test]
fn a_killed_syncthing_is_started_again_and_nothing_announced_is_lost() {
    let (a, b) = (Device::start("desk"), Device::start("lap"));
    let pid = a.wait_up(0);
    pair(&a, &b);
    let from = a.told.len();
    let begun = Instant::now();
    kill_9(pid);
    a.write_and_announce("codex/while-down", "still here");
    let again = a.wait_up(from);
    println!("running again {:?} after kill -9", begun.elapsed());
    assert_ne!(pid, again);
    wait_content(&b.live(&a).join("codex/while-down"), "still here");
    println!("delivered {:?} after kill -9", begun.elapsed());
    b.wait_arrived(&a, "codex/while-down", 0);
}

#[test]
fn a_corrupted_database_is_rebuilt() {
    let (a, b) = (Device::start("desk"), Device::start("lap"));
    pair(&a, &b);
    a.write_and_announce("codex/before", "before");
    wait_content(&b.live(&a).join("codex/before"), "before");
    let (dir, config) = (Arc::clone(&a.dir), a.config.clone());
    drop(a);
    for name in ["index-v2", "index-v0.14.0.db"] {
        for entry in fs::read_dir(config.home.join(name)).into_iter().flatten() {
            fs::write(entry.expect("entry").path(), [0xa5; 5000]).expect("garble");
        }
    }
    let a = Device::start_with("desk", dir, config);
    a.wait_up(0);
    a.transport.arrange(a.wanted(&[&b], &[&a, &b]));
    a.write_and_announce("codex/after", "after");
    wait_content(&b.live(&a).join("codex/after"), "after");
    assert_eq!(
        fs::read_to_string(b.live(&a).join("codex/before")).expect("kept"),
        "before"
    );
}

#[test]
fn a_broken_config_is_replaced_by_the_last_good_one() {
    let a = Device::start("desk");
    a.wait_up(0);
    let (dir, config, id) = (Arc::clone(&a.dir), a.config.clone(), a.id.clone());
    drop(a);
    let path = config.home.join("config.xml");
    let whole = fs::read(&path).expect("config");
    fs::write(&path, &whole[..whole.len() / 2]).expect("cut off");
    let a = Device::start_with("desk", dir, config);
    a.wait_up(0);
    assert_eq!(a.id, id);
}

#[test]
fn a_taken_port_is_told_and_its_end_too() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("bind");
    let dir = Arc::new(tempfile::tempdir().expect("tempdir"));
    let config = config_in(
        dir.path(),
        "desk",
        taken.local_addr().expect("address").port(),
    );
    let a = Device::start_with("desk", dir, config);
    a.wait_up(0);
    assert!(a.wait_trouble("port_in_use", 0).contains("listen"));
}

#[test]
fn a_second_engine_on_one_home_is_told_and_does_no_harm() {
    let a = Device::start("desk");
    let pid = a.wait_up(0);
    let (_second, told) = start_transport(&a.config);
    assert!(wait_down(&told, "home_in_use").contains("SESSION_ROAM_HOME"));
    assert!(is_running(pid));
}

#[test]
fn an_orphan_of_a_crash_makes_way() {
    let a = Device::start("desk");
    a.wait_up(0);
    let (dir, config) = (Arc::clone(&a.dir), a.config.clone());
    drop(a);
    let (socket, key) = (config.home.join("rest.sock"), "orphan-key");
    let orphan = Command::new(binary())
        .args([
            "serve",
            "--no-browser",
            "--no-restart",
            &format!("--gui-address=unix://{}", socket.display()),
            &format!("--home={}", config.home.display()),
        ])
        .envs([
            ("STMONITORED", "yes"),
            ("STNOUPGRADE", "1"),
            ("STGUIAPIKEY", key),
        ])
        .stdout(std::process::Stdio::null())
        .spawn();
    let mut orphan = trust::Ends(orphan.expect("orphan"));
    wait_until("the orphan listens", || {
        std::os::unix::net::UnixStream::connect(&socket).is_ok()
    });
    fs::write(
        config.home.join("roam-child.json"),
        format!(
            r#"{{"pid":{},"address":"unix:{}","key":"{key}"}}"#,
            orphan.0.id(),
            socket.display()
        ),
    )
    .expect("reach");
    let a = Device::start_with("desk", dir, config);
    assert_ne!(a.wait_up(0), orphan.0.id());
    assert!(
        orphan.0.wait().expect("the orphan ends").success(),
        "it was asked to end, not killed"
    );
}

#[test]
fn a_device_that_would_be_another_one_does_not_start() {
    let a = Device::start("desk");
    a.wait_up(0);
    let (_dir, config) = (Arc::clone(&a.dir), a.config.clone());
    drop(a);
    let other = Device::start("other");
    for name in ["cert.pem", "key.pem"] {
        fs::copy(other.config.home.join(name), config.home.join(name)).expect("copy");
    }
    let (_transport, told) = start_transport(&config);
    assert!(wait_down(&told, "device_id_changed").contains("cert.pem"));
    assert!(
        !config.home.join("roam-child.json").exists(),
        "nothing was started"
    );
}

#[test]
fn a_missing_binary_is_told() {
    let dir = tempfile::tempdir().expect("tempdir");
    let config = ChildConfig {
        binary: Some(dir.path().join("none")),
        ..config_in(dir.path(), "desk", free_port())
    };
    let (_transport, told) = start_transport(&config);
    assert!(wait_down(&told, "syncthing_missing").contains("config.toml"));
}

#[test]
fn a_changed_replica_is_told_and_brought_back() {
    let (a, b) = (Device::start("desk"), Device::start("lap"));
    pair(&a, &b);
    a.write_and_announce("codex/one", "genuine");
    let replica = b.live(&a).join("codex/one");
    wait_content(&replica, "genuine");
    // Only a change later than the file's own time counts as one.
    std::thread::sleep(Duration::from_millis(1100));
    fs::write(&replica, "forged!").expect("forge");
    let begun = Instant::now();
    let folder = folder_id(Lane::Priority, &a.id.short());
    b.told.wait("Tampered", 0, |notice| match notice {
        Notice::Tampered {
            folder: which,
            paths,
        } if *which == folder => paths.iter().any(|path| path == "codex/one").then_some(()),
        _ => None,
    });
    println!("tampering told after {:?}", begun.elapsed());
    b.transport.revert(folder.clone());
    wait_content(&replica, "genuine");
    assert_eq!(
        fs::read_to_string(a.live(&a).join("codex/one")).expect("the owner's"),
        "genuine"
    );
    let aside = fs::read_dir(b.config.home.join("set-aside"))
        .expect("set aside")
        .next()
        .expect("one")
        .expect("entry")
        .path();
    assert_eq!(
        fs::read_to_string(aside.join("codex/one")).expect("kept"),
        "forged!"
    );
}

#[test]
fn a_lost_folder_is_told_and_not_made_anew() {
    let a = Device::start("desk");
    a.wait_up(0);
    a.transport.arrange(a.wanted(&[], &[&a]));
    a.write_and_announce("codex/one", "1");
    let folder = a.live(&a);
    let end = Instant::now() + SOON;
    while !folder.join(".stfolder").exists() || !folder.join("codex/one").exists() {
        assert!(Instant::now() < end);
        std::thread::sleep(Duration::from_millis(5));
    }
    std::thread::sleep(Duration::from_millis(500));
    fs::remove_dir_all(&folder).expect("lose it");
    a.transport.arrange(a.wanted(&[], &[&a]));
    a.told.wait("FolderLost", 0, |notice| {
        matches!(notice, Notice::FolderLost { .. }).then_some(())
    });
    assert!(!folder.exists());
    fs::create_dir_all(folder.join(".stfolder")).expect("bring it back");
    let from = a.told.len();
    a.transport.arrange(a.wanted(&[], &[&a]));
    std::thread::sleep(Duration::from_secs(1));
    fs::remove_dir_all(&folder).expect("lose it again");
    a.transport.arrange(a.wanted(&[], &[&a]));
    a.told.wait("FolderLost again", from, |notice| {
        matches!(notice, Notice::FolderLost { .. }).then_some(())
    });
}

#[test]
fn paused_devices_exchange_nothing_until_they_go_on() {
    let (a, b) = (Device::start("desk"), Device::start("lap"));
    pair(&a, &b);
    let from = a.told.len();
    a.transport.arrange(Wanted {
        paused: true,
        ..a.wanted(&[&b], &[&a, &b])
    });
    a.told.wait("disconnected", from, |notice| {
        matches!(notice, Notice::Peers(peers) if peers.iter().all(|peer| !peer.connected))
            .then_some(())
    });
    a.write_and_announce("codex/one", "1");
    std::thread::sleep(Duration::from_millis(1500));
    assert!(!b.live(&a).join("codex/one").exists());
    let begun = Instant::now();
    a.transport.arrange(a.wanted(&[&b], &[&a, &b]));
    wait_content(&b.live(&a).join("codex/one"), "1");
    println!("arrived {:?} after going on", begun.elapsed());
    a.transport.resumed_from_sleep();
    a.write_and_announce("codex/two", "2");
    wait_content(&b.live(&a).join("codex/two"), "2");
}

#[test]
fn parting_from_a_device_that_is_away_ends_with_the_grace() {
    let a = Device::start("desk");
    let dir = tempfile::tempdir().expect("tempdir");
    let away = ensure_identity(&config_in(dir.path(), "away", free_port()))
        .expect("identity")
        .device_id;
    a.wait_up(0);
    let begun = Instant::now();
    a.transport
        .wait_for_delivery(away.clone(), Duration::from_millis(700));
    a.told.wait("Parted", 0, |notice| {
        matches!(notice, Notice::Delivered { device } if *device == away).then_some(())
    });
    assert!(Duration::from_millis(700) <= begun.elapsed());
}

#[test]
fn a_syncthing_of_the_users_own_is_used_and_left_running() {
    let (host, b) = (Device::start("desk"), Device::start("lap"));
    let pid = host.wait_up(0);
    let reach: serde_json::Value =
        serde_json::from_slice(&fs::read(host.config.home.join("roam-child.json")).expect("reach"))
            .expect("json");
    let text = |name: &str| reach[name].as_str().expect(name).to_owned();
    let dir = Arc::new(tempfile::tempdir().expect("tempdir"));
    let config = ChildConfig {
        external: Some((text("address"), text("key"))),
        binary: None,
        ..config_in(
            dir.path(),
            "desk",
            host.address()
                .rsplit(':')
                .next()
                .expect("port")
                .parse()
                .expect("port"),
        )
    };
    let (transport, told) = start_transport(&config);
    let guest = Device {
        name: "desk",
        dir,
        config,
        id: host.id.clone(),
        transport,
        told,
    };
    pair(&guest, &b);
    guest.write_and_announce("codex/one", "by the user's own");
    wait_content(&b.live(&guest).join("codex/one"), "by the user's own");
    drop(guest);
    assert!(is_running(pid));
}

#[test]
fn stopping_leaves_no_process_behind() {
    let a = Device::start("desk");
    let pid = a.wait_up(0);
    let begun = Instant::now();
    a.transport.stop();
    println!("stopped in {:?}", begun.elapsed());
    assert!(!is_running(pid));
    a.told.wait("stopped", 0, |notice| {
        matches!(
            notice,
            Notice::Down {
                state: SyncthingState::Stopped,
                problem: None
            }
        )
        .then_some(())
    });
}
