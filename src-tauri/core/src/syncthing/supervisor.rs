//! Keeps one Syncthing running: prepares its home, starts it, waits for it to end, reacts to the
//! reason. For Linux the supervisor's thread is the child's parent, so the thread lives until the
//! child has ended. Asks the daemon only whether it is the right one.

use super::child::{self, Cause, Running};
use super::child_error::ChildError;
use super::config_file::{self, Gui};
use super::door;
use super::home::{self, ChildConfig, Identity, Reach};
use super::link::Link;
use super::orders::Order;
use super::program::{self, Binary};
use super::rest::Rest;
use super::{Notice, SyncthingState};
use crate::held_lock::HeldLock;
use crate::session::{DeviceId, Problem, ProblemCode, Remedy};
use crate::settings;
use serde_json::Value;
use std::collections::VecDeque;
use std::net::UdpSocket;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

const CRASH_WINDOW: Duration = Duration::from_secs(600);
const MAX_CRASHES: usize = 5;
/// How long to wait for an answer: Syncthing first migrates a database of millions of files.
const START_PATIENCE: Duration = Duration::from_secs(900);

pub enum Signal {
    /// The run with this number closed its output.
    Exited(u64),
    /// The event stream broke although the link is up.
    Lost,
    /// The user asks for a retry now.
    Retry,
    /// How devices are found and reached was changed.
    Network,
    Stop(Sender<()>),
}

/// How one run went.
enum Outcome {
    Stopped(Sender<()>),
    /// Start again at once.
    Again,
    Crashed(String),
    Failed(ChildError),
    Told(Problem),
}

pub struct Supervisor {
    pub config: ChildConfig,
    pub link: Arc<Link>,
    pub inbox: Receiver<Signal>,
    pub signals: Sender<Signal>,
    pub orders: Sender<Order>,
    /// How devices are to be found and reached. A running child that was started otherwise is
    /// started anew: its settings hold from its first moment.
    network: Arc<Mutex<settings::Network>>,
    lock: Option<HeldLock>,
    run: u64,
    crashes: VecDeque<Instant>,
    at_once: VecDeque<Instant>,
}

impl Supervisor {
    pub fn new(
        config: ChildConfig,
        link: Arc<Link>,
        inbox: Receiver<Signal>,
        signals: Sender<Signal>,
        orders: Sender<Order>,
    ) -> Self {
        let network = Arc::new(Mutex::new(config.network.clone()));
        Self {
            network,
            config,
            link,
            inbox,
            signals,
            orders,
            lock: None,
            run: 0,
            crashes: VecDeque::new(),
            at_once: VecDeque::new(),
        }
    }

    pub fn network(&self) -> Arc<Mutex<settings::Network>> {
        Arc::clone(&self.network)
    }

    fn wanted_network(&self) -> settings::Network {
        let network = self.network.lock();
        network.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Runs as long as the transport.
    pub fn run(mut self) {
        let mut state = SyncthingState::Starting;
        loop {
            self.down(state, None);
            let outcome = match self.config.external.clone() {
                Some((address, key)) => self.run_external(&address, &key),
                None => self.run_child(),
            };
            self.link.disconnect();
            let pause = match outcome {
                Outcome::Stopped(done) => return self.finish(&done),
                Outcome::Again => {
                    state = SyncthingState::Restarting;
                    self.pause_at_once()
                }
                Outcome::Crashed(words) => {
                    state = SyncthingState::Restarting;
                    self.pause_after_crash(&words)
                }
                Outcome::Told(problem) => {
                    self.down(SyncthingState::Failed, Some(problem));
                    Some(Duration::from_secs(60))
                }
                Outcome::Failed(error) => {
                    self.down(error.state(), Some(error.problem()));
                    (!error.is_final()).then_some(Duration::from_secs(10))
                }
            };
            if let Some(done) = self.wait(pause) {
                return self.finish(&done);
            }
        }
    }

    /// Releases the home before it reports the end: the next transport may start at that moment.
    fn finish(self, done: &Sender<()>) {
        drop(self.lock);
        let _ = done.send(());
    }

    fn down(&self, state: SyncthingState, problem: Option<Problem>) {
        self.link.tell(Notice::Down { state, problem });
    }

    /// A program that keeps asking for a restart is slowed down like a crash.
    fn pause_at_once(&mut self) -> Option<Duration> {
        let recent = remember(&mut self.at_once);
        Some(if recent <= MAX_CRASHES {
            Duration::from_millis(20)
        } else {
            Duration::from_secs(30)
        })
    }

    fn pause_after_crash(&mut self, words: &str) -> Option<Duration> {
        let recent = remember(&mut self.crashes);
        if recent < MAX_CRASHES {
            self.down(SyncthingState::Restarting, None);
            return Some(Duration::from_secs(1 << (recent - 1)).min(Duration::from_secs(60)));
        }
        let log = self.config.home.join("syncthing.log");
        self.down(
            SyncthingState::Failed,
            Some(Problem::new(
                ProblemCode::SyncthingCrashes,
                format!("Syncthing stopped {recent} times within ten minutes, last with: {words}."),
                format!( "Its log is {}. It is started again in ten minutes, or when session-roam restarts.", log.display() ), ).offer(Remedy::OpenLogs)),
        );
        Some(CRASH_WINDOW)
    }

    /// Waits for `pause`, or for ever; returns the sender if the transport must end.
    fn wait(&self, pause: Option<Duration>) -> Option<Sender<()>> {
        let end = pause.map(|pause| Instant::now() + pause);
        loop {
            let left = end.map_or(CRASH_WINDOW, |end| {
                end.saturating_duration_since(Instant::now())
            });
            match self.inbox.recv_timeout(left) {
                Ok(Signal::Stop(done)) => return Some(done),
                Ok(Signal::Retry) => return None,
                Ok(Signal::Exited(_) | Signal::Lost | Signal::Network) => {}
                Err(RecvTimeoutError::Timeout) if end.is_some() => return None,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Some(std::sync::mpsc::channel().0),
            }
        }
    }

    fn run_child(&mut self) -> Outcome {
        let (binary, identity, mut running) = match self.start() {
            Ok(started) => started,
            Err(error) => return Outcome::Failed(error),
        };
        match self.wait_ready(&mut running) {
            Ok(()) => {}
            Err(Some(done)) => return stop(&mut running, &self.config, done),
            Err(None) => return self.react(&mut running),
        }
        let status = match running.rest.get("/rest/system/status") {
            Ok(status) => status,
            Err(_) => return self.react(&mut running),
        };
        let is = status["myID"].as_str().unwrap_or_default().to_owned();
        if is != identity.device_id.as_str() {
            running.kill();
            return Outcome::Failed(ChildError::DeviceIdChanged {
                was: identity.device_id,
                is,
                home: self.config.home.clone(),
            });
        }
        let Ok(config) = running.rest.get("/rest/config") else {
            return self.react(&mut running);
        };
        let (version, program) = (binary.version.text, Some(binary.path));
        self.up(
            running.rest.clone(),
            identity.device_id,
            Some(config),
            version,
            program,
            running.pid(),
        );
        self.watch(&mut running)
    }

    /// Settles everything that must hold before the daemon's first moment, then starts the daemon.
    fn start(&mut self) -> Result<(Binary, Identity, Running), ChildError> {
        self.config.network = self.wanted_network();
        home::make_home(&self.config.home)?;
        if self.lock.is_none() {
            self.lock = Some(home::lock_home(&self.config.home)?);
        }
        let identity = home::ensure_identity(&self.config)?;
        let binary = program::find_binary(self.config.binary.as_deref())?;
        end_orphan(&self.config, &identity.device_id);
        let failed = |source| ChildError::Io {
            path: self.config.home.clone(),
            source,
        };
        let door = door::open(&self.config.home).map_err(failed)?;
        let gui = Gui::new(door.configured())?;
        let foreign = config_file::write(&self.config, &identity.device_id, &gui)?;
        if !foreign.is_empty() {
            let _ = self.orders.send(Order::Foreign(foreign));
        }
        self.run += 1;
        let (signals, run) = (self.signals.clone(), self.run);
        let running = child::spawn(&binary, &self.config.home, door, &gui.key, move || {
            let _ = signals.send(Signal::Exited(run));
        })?;
        Ok((binary, identity, running))
    }

    /// `Err(None)` if the process ended on its own.
    fn wait_ready(&self, running: &mut Running) -> Result<(), Option<Sender<()>>> {
        let end = Instant::now() + START_PATIENCE;
        while Instant::now() < end {
            match self.inbox.try_recv() {
                Ok(Signal::Stop(done)) => return Err(Some(done)),
                Ok(Signal::Exited(run)) if run == self.run => return Err(None),
                Ok(_) | Err(TryRecvError::Empty | TryRecvError::Disconnected) => {}
            }
            if running.exited().is_some() {
                return Err(None);
            }
            if running.rest.ping(Duration::from_secs(5)).is_ok() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        running.kill();
        Err(None)
    }

    fn up(
        &self,
        rest: Rest,
        own: DeviceId,
        config: Option<Value>,
        version: String,
        program: Option<PathBuf>,
        pid: u32,
    ) {
        let addresses = reachable_addresses(&rest);
        self.link.connect(rest, own, config);
        self.link.tell(Notice::Up {
            version,
            program,
            pid,
            addresses,
        });
        let _ = self.orders.send(Order::Up);
    }

    /// Waits for the end of a run; sends no requests meanwhile.
    fn watch(&self, running: &mut Running) -> Outcome {
        loop {
            if self.wanted_network() != self.config.network {
                self.link.disconnect();
                running.end();
                return Outcome::Again;
            }
            match self.inbox.recv() {
                Ok(Signal::Stop(done)) => {
                    self.link.disconnect();
                    return stop(running, &self.config, done);
                }
                Ok(Signal::Exited(run)) if run == self.run => {
                    self.link.disconnect();
                    return self.react(running);
                }
                Ok(Signal::Lost) if is_stuck(running) => {
                    running.kill();
                    self.link.disconnect();
                    return Outcome::Crashed("it no longer answered".into());
                }
                Ok(_) => {}
                Err(_) => return stop(running, &self.config, std::sync::mpsc::channel().0),
            }
        }
    }

    fn react(&self, running: &mut Running) -> Outcome {
        let (cause, words) = running.cause();
        let tried = || {
            self.at_once
                .iter()
                .filter(|at| at.elapsed() < CRASH_WINDOW)
                .count()
        };
        match cause {
            Cause::Restart | Cause::RestPortTaken => Outcome::Again,
            Cause::Database if tried() < 3 => match home::set_database_aside(&self.config.home) {
                Ok(()) => {
                    self.link.tell(Notice::Trouble {
                        topic: "database".into(),
                        problem: Some(Problem::new(
                            ProblemCode::DatabaseRebuilt,
                            format!("Syncthing could not open its database and starts with a new one: {words}."),
                            "Nothing needs to be done: it is rebuilt from the files and the other devices.",
                        )),
                    });
                    Outcome::Again
                }
                Err(error) => Outcome::Failed(error),
            },
            Cause::Config if tried() < 3 => match home::set_config_aside(&self.config.home) {
                Ok(()) => Outcome::Again,
                Err(error) => Outcome::Failed(error),
            },
            Cause::DiskFull => Outcome::Failed(ChildError::Io {
                path: self.config.home.clone(),
                source: std::io::ErrorKind::StorageFull.into(),
            }),
            Cause::ConfigTooNew => Outcome::Told(
                Problem::new(
                    ProblemCode::SyncthingDowngraded,
                    format!("This Syncthing is older than the one that ran before: {words}."),
                    "Install the newer Syncthing again, or name it under [syncthing] binary in \
                 config.toml.",
                )
                .offer(Remedy::LocateSyncthing),
            ),
            // The orphan of a crash needs a second to release the home.
            Cause::Locked if tried() < 4 => {
                std::thread::sleep(Duration::from_secs(1));
                Outcome::Again
            }
            Cause::Locked => Outcome::Told(Problem::new(
                ProblemCode::SyncthingLocked,
                format!("Another Syncthing uses {}.", self.config.home.display()),
                "Stop that Syncthing; session-roam tries again every minute.",
            )),
            Cause::Database | Cause::Config | Cause::Crash => Outcome::Crashed(words),
        }
    }

    /// A Syncthing of the user's own: used, never started or ended.
    fn run_external(&mut self, address: &str, key: &str) -> Outcome {
        let rest = Rest::new(address, key);
        let failed = |source| {
            Outcome::Failed(ChildError::External {
                address: address.to_owned(),
                source,
            })
        };
        if let Err(error) = home::make_home(&self.config.home) {
            return Outcome::Failed(error);
        }
        let (status, version) = match (
            rest.get("/rest/system/status"),
            rest.get("/rest/system/version"),
        ) {
            (Ok(status), Ok(version)) => (status, version),
            (Err(source), _) | (_, Err(source)) => return failed(source),
        };
        let version = version["version"].as_str().unwrap_or_default().to_owned();
        let own = DeviceId::new(status["myID"].as_str().unwrap_or_default());
        self.up(rest.clone(), own, None, version, None, 0);
        loop {
            match self.inbox.recv() {
                Ok(Signal::Stop(done)) => return Outcome::Stopped(done),
                Ok(Signal::Lost) => {
                    if let Err(source) = rest.ping(Duration::from_secs(10)) {
                        return failed(source);
                    }
                }
                Ok(_) => {}
                Err(_) => return Outcome::Stopped(std::sync::mpsc::channel().0),
            }
        }
    }
}

fn stop(running: &mut Running, config: &ChildConfig, done: Sender<()>) -> Outcome {
    running.end();
    Reach::forget(&config.home);
    Outcome::Stopped(done)
}

/// Records one more event and returns the number of events within the window.
fn remember(times: &mut VecDeque<Instant>) -> usize {
    times.push_back(Instant::now());
    while times
        .front()
        .is_some_and(|first| CRASH_WINDOW < first.elapsed())
    {
        times.pop_front();
    }
    times.len()
}

fn is_stuck(running: &mut Running) -> bool {
    running.exited().is_none()
        && (0..3).all(|_| {
            running.rest.ping(Duration::from_secs(10)).is_err() && running.exited().is_none()
        })
}

/// Ends a daemon that outlived a crashed engine. We hold the home's lock, so nobody else owns the
/// daemon. It is ended through its own interface with its own key, never by process id, which may
/// be another program's by now.
pub(super) fn end_orphan(config: &ChildConfig, own: &DeviceId) {
    let Some(reach) = Reach::load(&config.home) else {
        return;
    };
    let rest = Rest::new(&reach.address, &reach.key);
    let is_ours = rest.ping(Duration::from_secs(2)).is_ok()
        && rest
            .get("/rest/system/status")
            .is_ok_and(|status| status["myID"] == own.as_str());
    if is_ours && rest.post("/rest/system/shutdown", None).is_ok() {
        let end = Instant::now() + Duration::from_secs(10);
        while Instant::now() < end && rest.ping(Duration::from_secs(1)).is_ok() {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    #[cfg(unix)]
    door::remove_stale(&reach.address);
    Reach::forget(&config.home);
}

/// Addresses at which others can reach us. Listeners start a moment after the REST interface.
fn reachable_addresses(rest: &Rest) -> Vec<String> {
    let end = Instant::now() + Duration::from_secs(2);
    loop {
        let status = rest.get("/rest/system/status").unwrap_or_default();
        let addresses = addresses_of(&status, local_host().as_deref());
        let failed = status["connectionServiceStatus"]
            .as_object()
            .is_some_and(|all| all.values().any(|listener| listener["error"].is_string()));
        if !addresses.is_empty() || failed || end <= Instant::now() {
            return addresses;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn addresses_of(status: &Value, local: Option<&str>) -> Vec<String> {
    let mut addresses = Vec::new();
    for (listener, said) in status["connectionServiceStatus"]
        .as_object()
        .into_iter()
        .flatten()
    {
        if !listener.starts_with("tcp") || said["error"].is_string() {
            continue;
        }
        let lan = said["lanAddresses"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str);
        for address in lan.filter(|address| address.starts_with("tcp")) {
            let named = local.map(|host| {
                address
                    .replace("://0.0.0.0:", &format!("://{host}:"))
                    .replace("://[::]:", &format!("://{host}:"))
            });
            let address = named.unwrap_or_else(|| address.to_owned());
            if !address.contains("://0.0.0.0:")
                && !address.contains("://[::]:")
                && !address.contains("://:")
                && !addresses.contains(&address)
            {
                addresses.push(address);
            }
        }
    }
    addresses
}

/// The address of the outgoing interface. Connecting a UDP socket sends nothing; it only looks up a
/// route.
fn local_host() -> Option<String> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    Some(socket.local_addr().ok()?.ip().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn crashes_slow_it_down_and_the_fifth_is_told() {
        let (told, notices) = std::sync::mpsc::channel();
        let link = Arc::new(Link::new(move |notice| {
            told.send(notice).expect("test listens")
        }));
        let ((signals, inbox), (orders, _orders)) =
            (std::sync::mpsc::channel(), std::sync::mpsc::channel());
        let config = ChildConfig {
            home: "/h".into(),
            binary: None,
            network: Default::default(),
            device_name: String::new(),
            external: None,
        };
        let mut supervisor = Supervisor::new(config, link, inbox, signals, orders);
        let pauses: Vec<u64> = (0..5)
            .filter_map(|_| supervisor.pause_after_crash("boom"))
            .map(|pause| pause.as_secs())
            .collect();
        assert_eq!(pauses, [1, 2, 4, 8, 600]);
        let codes: Vec<_> = notices
            .try_iter()
            .filter_map(|notice| match notice {
                Notice::Down {
                    state: SyncthingState::Failed,
                    problem,
                } => problem.map(|problem| problem.code),
                _ => None,
            })
            .collect();
        assert_eq!(codes, [ProblemCode::SyncthingCrashes]);
    }

    #[test]
    fn addresses_for_the_code_are_ones_that_can_be_dialled() {
        let status = json!({"connectionServiceStatus": {
            "tcp://0.0.0.0:22000": {"error": null, "lanAddresses": ["tcp://0.0.0.0:22000", "tcp://192.168.1.4:22000"]},
            "tcp://127.0.0.1:1": {"error": "bind: address already in use", "lanAddresses": ["tcp://127.0.0.1:1"]},
            "quic://0.0.0.0:22000": {"error": null, "lanAddresses": ["quic://0.0.0.0:22000"]},
        }});
        assert_eq!(
            addresses_of(&status, Some("192.168.1.4")),
            ["tcp://192.168.1.4:22000"]
        );
        assert_eq!(addresses_of(&status, None), ["tcp://192.168.1.4:22000"]);
    }
}
