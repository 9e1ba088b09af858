//! Whole devices in one process: real engines, real adapters, real vaults on disk; a clock that
//! stands still, jobs that run and a transport that delivers only when the story says. Knows no
//! assertions.

use super::wire::{Fake, Ledger, Wire};
use data_encoding::BASE64;
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::EncodePrivateKey;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use serde::de::DeserializeOwned;
use session_roam_core::api::{self, Request, SessionFilter, SessionRow, SplitRow, Status};
use session_roam_core::daemon::host::shared;
use session_roam_core::engine::devices::{DeviceRegistry, Former};
use session_roam_core::engine::event::{Event, Jobs, events_of};
use session_roam_core::engine::queue::ReconcileRequest;
use session_roam_core::engine::{Engine, Parts};
use session_roam_core::reconcile::{Clock, Context, Job, Sizes, reconcile};
use session_roam_core::session::device_id::device_id_of_cert;
use session_roam_core::session::{DeviceId, Lane, Millis, SessionId, SessionKey};
use session_roam_core::settings;
use session_roam_core::state::State;
use session_roam_core::syncthing::{Identity, Notice, Transport};
use session_roam_core::tools::{self, Machine, Root, Running, Tool, Which, claude_code};
use session_roam_core::vault::Vault;
use session_roam_core::vault::card::Card;
use session_roam_core::vault::keys::DeviceKey;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Where every story begins: 2026-11-23T10:00:00Z.
pub const START: i64 = 1_795_428_000_000;
pub const DAY: i64 = 24 * 60 * 60 * 1000;
/// Sessions at rest need only a few turns; a session that echoes never comes to rest.
const MOST_TURNS: usize = 200;

/// A clock that stands still until it is set.
pub struct SetClock {
    wall: AtomicI64,
    /// What has passed on the clock that nobody sets.
    passed: AtomicU64,
    begun: Instant,
}

impl SetClock {
    fn new() -> Self {
        Self {
            wall: AtomicI64::new(START),
            passed: AtomicU64::default(),
            begun: Instant::now(),
        }
    }
}

impl Clock for SetClock {
    fn now(&self) -> Millis {
        Millis(self.wall.load(Ordering::Relaxed))
    }

    fn steady(&self) -> Instant {
        self.begun + Duration::from_millis(self.passed.load(Ordering::Relaxed))
    }
}

enum Work {
    Reconcile(Box<Job>),
    Beside(Box<dyn FnOnce() -> Vec<Event> + Send>),
    Aside(Box<dyn FnOnce() + Send>),
}

#[derive(Clone, Default)]
struct Inline(Arc<Mutex<VecDeque<Work>>>);

impl Inline {
    fn push(&self, work: Work) {
        self.0.lock().expect("one thread").push_back(work);
    }
}

impl Jobs for Inline {
    fn start(&self, job: Job) {
        self.push(Work::Reconcile(Box::new(job)));
    }

    fn spawn(&self, work: Box<dyn FnOnce() + Send>) {
        self.push(Work::Aside(work));
    }

    /// In a story, time passes only with the next poll.
    fn after(&self, _after: std::time::Duration, _event: Event) {}

    fn spawn_for_events(&self, work: Box<dyn FnOnce() -> Vec<Event> + Send>) {
        self.push(Work::Beside(work));
    }
}

pub struct Device {
    pub name: String,
    pub id: DeviceId,
    identity: Identity,
    /// The user's home directory.
    pub home: PathBuf,
    /// SESSION_ROAM_HOME.
    pub roam: PathBuf,
    pub clock: Arc<SetClock>,
    pub wire: Arc<Mutex<Wire>>,
    /// The running programs, besides the engine.
    pub apps: Arc<Mutex<Vec<Running>>>,
    /// The environment variables, as this device's tools see them.
    pub vars: BTreeMap<String, String>,
    /// Tools beyond those of the product and the user's own.
    pub more_tools: Vec<Arc<dyn Tool>>,
    /// How large a record may be.
    pub sizes: Sizes,
    jobs: Inline,
    /// The sessions that were reconciled since the engine's start.
    pub reconciled: Vec<SessionKey>,
    running: Option<(Engine, Arc<Context>)>,
}

impl Device {
    fn new(root: &Path, number: u8, name: &str) -> Self {
        let dir = root.join(format!("{number}"));
        // Each machine has another user name.
        let home = dir.join(format!("home/user-{name}"));
        let roam = dir.join("roam");
        fs::create_dir_all(home.join("code")).expect("home");
        fs::create_dir_all(&roam).expect("roam");
        let identity = identity(number);
        let search = home.join("code").to_string_lossy().into_owned();
        settings::change(&roam, |document| {
            document["projects"]["search"] =
                toml_edit::value(toml_edit::Array::from_iter([search]));
            // An index costs a story more than the rest of it; see `searches`.
            document["search"]["on"] = toml_edit::value(false);
        })
        .expect("settings");
        Self {
            name: name.into(),
            id: identity.device_id.clone(),
            identity,
            home,
            roam,
            clock: Arc::new(SetClock::new()),
            wire: Arc::default(),
            apps: Arc::default(),
            vars: BTreeMap::new(),
            more_tools: Vec::new(),
            sizes: Sizes::default(),
            jobs: Inline::default(),
            reconciled: Vec::new(),
            running: None,
        }
    }

    pub fn short(&self) -> String {
        self.id.short()
    }

    /// Starts again with search switched on.
    pub fn searches(&mut self) {
        settings::change(&self.roam, |document| {
            document["search"]["on"] = toml_edit::value(true);
        })
        .expect("settings");
        self.start();
    }

    pub fn machine(&self) -> Machine {
        Machine {
            apps: self.apps.clone(),
            vars: self.vars.clone(),
            ..Machine::at(&self.home)
        }
    }

    pub fn vault(&self) -> Vault {
        Vault::at(&self.roam)
    }

    // ---- life ----

    /// Starts the engine with what is on disk, as after a reboot.
    pub fn start(&mut self) {
        self.begin();
        self.settle();
    }

    /// Starts the engine, without the work that follows.
    pub fn begin(&mut self) {
        self.stop();
        let settings = settings::load(&self.roam).expect("settings");
        let (state, _) = State::open(&self.roam).expect("state");
        let key = DeviceKey::load_or_create(&self.roam).expect("key");
        let card = Card::make(
            &self.identity.cert_pem,
            &self.identity.key_pem,
            &key,
            self.clock.now(),
        )
        .expect("card");
        let registry = DeviceRegistry::load(&self.roam).expect("book");
        let (vault, machine) = (self.vault(), self.machine());
        let name = if settings.name.is_empty() {
            self.name.clone()
        } else {
            settings.name.clone()
        };
        let shared = shared(
            &settings,
            &state,
            &registry,
            &self.identity,
            &key,
            &name,
            &machine,
        );
        let mut tools = tools::all(&settings.custom);
        tools.extend(self.more_tools.iter().cloned());
        let mut context = Context::new(
            vault,
            self.id.clone(),
            key,
            machine,
            tools,
            self.clock.clone(),
            shared,
        );
        context.sizes = self.sizes;
        let context = Arc::new(context);
        self.wire.lock().expect("one thread").started();
        self.jobs = Inline::default();
        self.reconciled.clear();
        let mut engine = Engine::new(Parts {
            home: self.roam.clone(),
            settings,
            name,
            context: context.clone(),
            card,
            state,
            transport: Box::new(Fake(self.wire.clone())),
            jobs: Box::new(self.jobs.clone()),
            registry,
        });
        engine.wake();
        self.running = Some((engine, context));
    }

    /// Ends the process between two of its steps: it sends and writes nothing any more.
    pub fn stop(&mut self) {
        self.running = None;
        self.jobs.0.lock().expect("one thread").clear();
    }

    /// Announces files of an own folder, as the engine does.
    pub fn announce(&self, lane: Lane, paths: Vec<String>) {
        Fake(self.wire.clone()).announce(lane, paths);
    }

    pub fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// Time passes until the clock shows this; backwards it is set.
    pub fn set_clock(&self, millis: i64) {
        let passed = u64::try_from(millis - self.clock_now()).unwrap_or(0);
        self.clock.passed.fetch_add(passed, Ordering::Relaxed);
        self.correct_clock(millis);
    }

    /// The clock is set, while no time passes.
    pub fn correct_clock(&self, millis: i64) {
        self.clock.wall.store(millis, Ordering::Relaxed);
    }

    pub fn clock_now(&self) -> i64 {
        self.clock.now().0
    }

    // ---- events ----

    /// Handles one event, without its consequences.
    pub fn tell(&mut self, event: Event) {
        if let Some((engine, _)) = &mut self.running {
            engine.handle(event);
        }
    }

    /// What was asked last is done first: workers run side by side.
    #[cfg(unix)] // what needs it runs programs
    pub fn turn_work_around(&mut self) {
        let mut jobs = self.jobs.0.lock().expect("one thread");
        jobs.make_contiguous().reverse();
    }

    /// The directories to watch, if others than before.
    pub fn changed_roots(&mut self) -> Option<Vec<Root>> {
        self.running
            .as_mut()
            .and_then(|(engine, _)| engine.changed_roots())
    }

    /// How many rows and records of sessions the loop has read from the state.
    pub fn n_read(&self) -> u64 {
        self.running.as_ref().expect("an engine").0.n_read()
    }

    /// How many sessions wait for a reconcile, and stores for their first listing.
    pub fn queued(&mut self) -> u64 {
        let (answer, answered) = std::sync::mpsc::channel();
        self.tell(Event::Request(
            Request::Status,
            Box::new(move |result| drop(answer.send(result))),
        ));
        let status = answered.try_recv().expect("an answer").expect("a status");
        let status: Status = serde_json::from_value(status).expect("the answer's type");
        status.moving.queued
    }

    /// Does one piece of waiting work; returns whether there was any.
    pub fn work(&mut self) -> bool {
        let Some((_, context)) = &self.running else {
            return false;
        };
        let work = self.jobs.0.lock().expect("one thread").pop_front();
        match work {
            None => return false,
            Some(Work::Aside(work)) => work(),
            Some(Work::Beside(work)) => {
                events_of(work)
                    .into_iter()
                    .for_each(|event| self.tell(event));
            }
            Some(Work::Reconcile(job)) => {
                self.reconciled.push(job.key.clone());
                let effects = reconcile(context, *job);
                self.tell(Event::Reconciled(Box::new(effects)));
            }
        }
        true
    }

    /// As [`Device::work`]; a panic of the loop does not end the engine, as in the product.
    pub fn work_despite_panics(&mut self) -> bool {
        let worked = catch_unwind(AssertUnwindSafe(|| self.work()));
        worked.unwrap_or_else(|_| {
            let (engine, _) = self.running.as_mut().expect("an engine");
            engine.after_panic()
        })
    }

    /// Reconciles a session as a worker does, and dies before the loop gets the result.
    pub fn look_and_die(&mut self) {
        let work = self.jobs.0.lock().expect("one thread").pop_front();
        match (work, &self.running) {
            (Some(Work::Reconcile(job)), Some((_, context))) => drop(reconcile(context, *job)),
            (Some(Work::Beside(work)), Some(_)) => drop(work()),
            _ => {}
        }
        self.stop();
    }

    /// Works until a file is gone from a store, and dies before the loop gets the result.
    pub fn die_once_gone(&mut self, file: &Path) {
        while file.exists() {
            let work = self.jobs.0.lock().expect("one thread").pop_front();
            match (work.expect("work that removes it"), &self.running) {
                (Work::Reconcile(job), Some((_, context))) => {
                    let effects = reconcile(context, *job);
                    if file.exists() {
                        self.tell(Event::Reconciled(Box::new(effects)));
                    }
                }
                (other, _) => {
                    let mut jobs = self.jobs.0.lock().expect("one thread");
                    jobs.push_front(other);
                    drop(jobs);
                    self.work();
                }
            }
        }
        self.stop();
    }

    /// The next session's worker panics: the loop hears of that alone.
    pub fn panic_at_work(&mut self) {
        let mut jobs = self.jobs.0.lock().expect("one thread");
        let is_job = |work: &Work| matches!(work, Work::Reconcile(_));
        let at = jobs
            .iter()
            .position(is_job)
            .expect("a session to reconcile");
        let work = jobs.remove(at);
        drop(jobs);
        if let Some(Work::Reconcile(job)) = work {
            let again = Box::new(ReconcileRequest::again(&job));
            self.tell(Event::Panicked(job.key, again));
        }
    }

    /// Does all waiting work, of which some beside the loop panics instead of coming to its result.
    pub fn settle_without(&mut self, panics: impl Fn(&Event) -> bool) {
        loop {
            let mut jobs = self.jobs.0.lock().expect("one thread");
            let events = match jobs.pop_front() {
                None => return,
                Some(Work::Beside(work)) => {
                    drop(jobs);
                    events_of(work)
                }
                Some(other) => {
                    jobs.push_front(other);
                    drop(jobs);
                    self.work();
                    continue;
                }
            };
            match events.iter().any(&panics) {
                true => self.tell(Event::WorkPanicked),
                false => events.into_iter().for_each(|event| self.tell(event)),
            }
        }
    }

    pub fn context(&self) -> &Context {
        &self.running.as_ref().expect("an engine").1
    }

    /// Has the adapter list a store, and keeps the result from the loop.
    pub fn list_ahead(&mut self, path: &Path) -> Event {
        self.tell(Event::Touched(vec![path.to_path_buf()]));
        loop {
            let mut events = self.work_beside().expect("a listing was begun");
            match events.pop() {
                Some(listed @ Event::Listed(_)) => return listed,
                other => other.into_iter().for_each(|other| self.tell(other)),
            }
        }
    }

    /// Does the next work beside the loop, and keeps its results from it.
    pub fn work_beside(&mut self) -> Option<Vec<Event>> {
        let mut waiting = self.jobs.0.lock().expect("one thread");
        let is_beside = |work: &Work| matches!(work, Work::Beside(_));
        let at = waiting.iter().position(is_beside)?;
        let work = waiting.remove(at);
        drop(waiting);
        match work {
            Some(Work::Beside(work)) => Some(work()),
            _ => None,
        }
    }

    pub fn settle(&mut self) {
        for _ in 0..100_000 {
            if !self.work() {
                return;
            }
        }
        panic!("{} does not come to rest", self.name);
    }

    pub fn handle(&mut self, event: Event) {
        self.tell(event);
        self.settle();
    }

    pub fn notice(&mut self, notice: Notice) {
        self.handle(Event::Transport(notice));
    }

    pub fn touch(&mut self, path: &Path) {
        self.handle(Event::Touched(vec![path.to_path_buf()]));
    }

    pub fn poll(&mut self) {
        self.handle(Event::Poll);
    }

    // ---- questions ----

    pub fn try_ask(&mut self, request: Request) -> Result<serde_json::Value, api::ApiError> {
        let (answer, answered) = std::sync::mpsc::channel();
        self.handle(Event::Request(
            request,
            Box::new(move |result| drop(answer.send(result))),
        ));
        answered.try_recv().expect("an answer")
    }

    pub fn ask<T: DeserializeOwned>(&mut self, request: Request) -> T {
        let value = self
            .try_ask(request)
            .unwrap_or_else(|error| panic!("{error:?}"));
        serde_json::from_value(value).expect("the answer's type")
    }

    pub fn status(&mut self) -> Status {
        self.ask(Request::Status)
    }

    pub fn sessions(&mut self) -> Vec<SessionRow> {
        self.ask(Request::Sessions {
            filter: SessionFilter::default(),
        })
    }

    pub fn row(&mut self, session: &str) -> Option<SessionRow> {
        self.sessions()
            .into_iter()
            .find(|row| row.session == session)
    }

    /// A session's state, or `none`.
    pub fn state_of(&mut self, session: &str) -> String {
        self.row(session)
            .map_or_else(|| "none".into(), |row| row.state.to_string())
    }

    /// Why a session waits, as a code.
    pub fn waits_for(&mut self, session: &str) -> Option<String> {
        self.status()
            .waiting
            .into_iter()
            .find(|waiting| waiting.session == session)
            .and_then(|waiting| waiting.code)
            .map(|code| code.to_string())
    }

    pub fn splits(&mut self) -> Vec<SplitRow> {
        self.ask(Request::Splits)
    }

    pub fn problems(&mut self) -> Vec<String> {
        self.status()
            .problems
            .into_iter()
            .map(|problem| problem.code.to_string())
            .collect()
    }

    pub fn has_problem(&mut self, code: &str) -> bool {
        self.problems().iter().any(|known| known == code)
    }

    // ---- projects and stores ----

    /// A checkout below `~/code`, as git leaves it, with its remote.
    pub fn project(&self, dir: &str, remote: &str) -> PathBuf {
        let work_tree = self.home.join("code").join(dir);
        let git = work_tree.join(".git");
        for part in ["objects", "refs/heads"] {
            fs::create_dir_all(git.join(part)).expect("git");
        }
        fs::write(git.join("HEAD"), "ref: refs/heads/main\n").expect("HEAD");
        let config = format!("[core]\n\tbare = false\n[remote \"origin\"]\n\turl = {remote}\n");
        fs::write(git.join("config"), config).expect("config");
        work_tree
    }

    pub fn claude(&self) -> PathBuf {
        self.home.join(".claude")
    }

    pub fn slug_dir(&self, cwd: &Path) -> PathBuf {
        self.claude()
            .join("projects")
            .join(claude_code::slug(&cwd.to_string_lossy()))
    }

    pub fn transcript(&self, cwd: &Path, session: &str) -> PathBuf {
        self.slug_dir(cwd).join(format!("{session}.jsonl"))
    }

    pub fn rollout(&self, session: &str) -> PathBuf {
        self.home.join(format!(
            ".codex/sessions/2026/11/23/rollout-2026-11-23T09-00-00-{session}.jsonl"
        ))
    }

    /// The tool appends; the engine is not notified.
    pub fn append(&self, path: &Path, bytes: &[u8]) {
        fs::create_dir_all(path.parent().expect("parent")).expect("dir");
        let mut file = fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(path)
            .expect("open");
        file.write_all(bytes).expect("append");
    }

    /// The tool appends, and the engine is notified.
    pub fn say(&mut self, path: &Path, bytes: impl AsRef<[u8]>) {
        self.append(path, bytes.as_ref());
        self.touch(path);
    }

    /// The tool rewrites a file, and the engine is notified.
    pub fn put(&mut self, path: &Path, bytes: impl AsRef<[u8]>) {
        fs::create_dir_all(path.parent().expect("parent")).expect("dir");
        fs::write(path, bytes).expect("write");
        self.touch(path);
    }

    /// The docs of a session in this device's store, wherever they are.
    pub fn docs(&self, session: &str) -> BTreeMap<String, Vec<u8>> {
        let session = SessionId::new(session);
        let mut docs = BTreeMap::new();
        for tool in tools::all(&[]) {
            let listing = tool.sessions(&self.machine(), Which::One(&session));
            for doc in listing.found.into_iter().flat_map(|found| found.docs) {
                docs.insert(doc.name.to_string(), fs::read(&doc.path).expect("doc"));
            }
        }
        docs
    }

    /// The path of a session's main doc in this device's store.
    pub fn place_of(&self, session: &str) -> Option<PathBuf> {
        let id = SessionId::new(session);
        let found = |tool: Arc<dyn Tool>| {
            tool.sessions(&self.machine(), Which::One(&id))
                .found
                .into_iter()
                .next()
        };
        tools::all(&[])
            .into_iter()
            .find_map(found)
            .map(|found| found.docs[0].path.clone())
    }

    /// All files below the tools' stores, with their bytes.
    pub fn stores(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = tree(&self.claude());
        files.extend(tree(&self.home.join(".codex")));
        files
    }
}

/// Copies files with their times, and directories with all their content.
pub fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("dir");
    for entry in fs::read_dir(from).into_iter().flatten().flatten() {
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        match path.is_dir() {
            true => copy_tree(&path, &target),
            false => drop(fs::copy(&path, &target).expect("copy")),
        }
    }
}

/// All files below a directory.
pub fn tree(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files.extend(tree(&path));
        } else {
            files.insert(path.clone(), fs::read(&path).expect("read"));
        }
    }
    files
}

/// A device's Syncthing certificate: a committed one with the device's own key. Neither Syncthing
/// nor the card checks its signature; the device ID is the hash of the whole certificate.
fn identity(number: u8) -> Identity {
    let pem = include_str!("../../../src-tauri/core/src/vault/testdata/ed25519-cert.pem");
    let base64: String = pem
        .lines()
        .filter(|line| !line.starts_with("-----"))
        .collect();
    let mut der = BASE64.decode(base64.as_bytes()).expect("base64");
    // AlgorithmIdentifier id-Ed25519, then a bit string of 32 bytes (RFC 8410).
    const ED25519: [u8; 8] = [0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
    let at = der
        .windows(8)
        .position(|window| window == ED25519)
        .expect("an Ed25519 key")
        + 8;
    let key = SigningKey::from_bytes(&[number + 1; 32]);
    der[at..at + 32].copy_from_slice(key.verifying_key().as_bytes());
    let body = BASE64.encode(&der);
    let lines: Vec<&str> = (0..body.len())
        .step_by(64)
        .map(|at| &body[at..(at + 64).min(body.len())])
        .collect();
    Identity {
        device_id: device_id_of_cert(&der),
        cert_pem: format!(
            "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
            lines.join("\n")
        ),
        key_pem: key.to_pkcs8_pem(LineEnding::LF).expect("pem").to_string(),
    }
}

/// In memory where the system offers it: each story syncs a thousand small files to disk.
pub fn quick_dir() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .expect("tempdir")
}

/// The number of random stories in a run: `few`, or PROPTEST_CASES.
pub fn cases(few: u32) -> proptest::test_runner::Config {
    use proptest::test_runner::Config;
    const DEFAULT: u32 = 256;
    let said = Config::default().cases;
    Config {
        cases: if said == DEFAULT { few } else { said },
        failure_persistence: None,
        ..Config::default()
    }
}

pub struct World {
    pub devices: Vec<Device>,
    pub ledger: Ledger,
    /// Pairs of devices that can reach each other, the lesser first.
    pub reach: BTreeSet<(usize, usize)>,
    _dir: Option<tempfile::TempDir>,
}

impl World {
    /// Sets the clocks of all devices, in milliseconds.
    pub fn set_clocks(&self, millis: i64) {
        self.devices
            .iter()
            .for_each(|device| device.set_clock(millis));
    }

    /// Devices of these names, started, unknown to each other, each within reach of all others.
    pub fn devices<const N: usize>(names: [&str; N]) -> Self {
        let mut world = Self::asleep(names);
        world.devices.iter_mut().for_each(Device::start);
        world
    }

    /// The same, before session-roam first started on them.
    pub fn asleep<const N: usize>(names: [&str; N]) -> Self {
        Self::asleep_in(quick_dir(), names)
    }

    fn asleep_in<const N: usize>(dir: tempfile::TempDir, names: [&str; N]) -> Self {
        // Links are resolved, as the tools name directories; on Windows that would be the verbatim
        // form, which the tools do not use.
        let root = if cfg!(windows) {
            dir.path().into()
        } else {
            dir.path().canonicalize().expect("tempdir")
        };
        Self {
            _dir: Some(dir),
            ..Self::asleep_at(&root, &names)
        }
    }

    /// The same in a directory that the caller creates and removes.
    pub fn asleep_at(root: &Path, names: &[&str]) -> Self {
        let devices: Vec<Device> = names
            .iter()
            .enumerate()
            .map(|(at, name)| Device::new(root, at as u8, name))
            .collect();
        let n = devices.len();
        let all = (0..n).flat_map(|one| (one + 1..n).map(move |other| (one, other)));
        Self {
            devices,
            ledger: Ledger::default(),
            reach: all.collect(),
            _dir: None,
        }
    }

    /// Two paired devices with a checkout of one project each, at different paths: world and both
    /// paths.
    pub fn pair_of_devices() -> (Self, PathBuf, PathBuf) {
        Self::pair_in(quick_dir())
    }

    /// The same with room for large sessions.
    pub fn roomy_pair_of_devices() -> (Self, PathBuf, PathBuf) {
        Self::pair_in(tempfile::tempdir().expect("tempdir"))
    }

    fn pair_in(dir: tempfile::TempDir) -> (Self, PathBuf, PathBuf) {
        let mut world = Self::asleep_in(dir, ["desk", "lap"]);
        world.devices.iter_mut().for_each(Device::start);
        world.pair(0, 1);
        let here = world.devices[0].project("api", "git@github.com:acme/api.git");
        let there = world.devices[1].project("work/acme api", "https://github.com/acme/api");
        (world, here, there)
    }

    /// The code that `other` shows is entered on `one`, and both users confirm.
    pub fn pair(&mut self, one: usize, other: usize) {
        let shown: api::Device = self.devices[other].ask(Request::Device);
        let _: api::Pairing = self.devices[one].ask(Request::Pair { code: shown.code });
        self.deliver();
        let id = self.devices[one].id.to_string();
        let _: api::Pairing = self.devices[other].ask(Request::Accept { id, digits: None });
        self.deliver();
    }

    /// Two devices that only a third one knows approve each other.
    pub fn introduce(&mut self, one: usize, other: usize) {
        for (at, of) in [(one, other), (other, one)] {
            let id = self.devices[of].id.to_string();
            let _: api::Done = self.devices[at].ask(Request::Approve { id });
        }
        self.deliver();
    }

    /// Copies a device with its whole disk, as a virtual machine is copied; returns the copy's
    /// number. The copy is within nobody's reach yet.
    pub fn copy_device(&mut self, of: usize, name: &str) -> usize {
        let (at, root) = (
            self.devices.len(),
            self._dir
                .as_ref()
                .expect("a directory")
                .path()
                .canonicalize()
                .expect("root"),
        );
        let mut copy = Device::new(&root, at as u8, name);
        copy.identity = self.devices[of].identity.clone();
        copy.id = self.devices[of].id.clone();
        fs::remove_dir_all(&copy.home).expect("empty");
        copy_tree(&self.devices[of].home, &copy.home);
        copy_tree(&self.devices[of].roam, &copy.roam);
        copy.set_clock(self.devices[of].clock.now().0);
        self.ledger.copied(of, at);
        self.devices.push(copy);
        self.devices[at].start();
        at
    }

    /// Gives a device a new identity with certificate `number`, as `roam device --new-identity`
    /// does, and starts it.
    pub fn renew(&mut self, at: usize, number: u8) {
        let device = &mut self.devices[at];
        device.stop();
        let mut registry = DeviceRegistry::load(&device.roam).expect("book");
        registry.leave_identity(
            Former {
                id: device.id.clone(),
                until: device.clock.now(),
            },
            &device.name,
        );
        registry.save(&device.roam).expect("book");
        fs::remove_file(device.roam.join("keys/device.key")).expect("key");
        device.identity = identity(number);
        device.id = device.identity.device_id.clone();
        self.ledger.forget(at);
        device.start();
    }

    pub fn part(&mut self, one: usize, other: usize) {
        self.reach.remove(&(one.min(other), one.max(other)));
    }

    pub fn meet(&mut self, one: usize, other: usize) {
        self.reach.insert((one.min(other), one.max(other)));
        self.deliver();
    }

    /// Delivers everything to all devices within reach, until nothing moves any more.
    pub fn deliver(&mut self) {
        for _ in 0..MOST_TURNS {
            if !self.turn() {
                return;
            }
        }
        panic!("the devices never come to rest: somebody echoes");
    }

    fn turn(&mut self) -> bool {
        let mut moved = self.ledger.knock(&mut self.devices, &self.reach);
        for (from, to) in self.ways() {
            let notices = self.ledger.carry(&self.devices, from, to, |_| true);
            moved |= !notices.is_empty();
            notices
                .into_iter()
                .for_each(|notice| self.devices[to].notice(notice));
        }
        moved | self.ledger.farewell(&mut self.devices, &self.reach)
    }

    /// Every direction in which files can be delivered now.
    pub fn ways(&self) -> Vec<(usize, usize)> {
        self.reach
            .iter()
            .flat_map(|(one, other)| [(*one, *other), (*other, *one)])
            .collect()
    }
}
