//! Runs the engine on its threads: one loop, a few workers, the watches, the child, the socket. One
//! per home.

use crate::api::socket::{self, Handler, Server};
use crate::api::{ApiError, Request};
use crate::engine::devices::DeviceRegistry;
use crate::engine::event::{Event, Jobs, events_of};
use crate::engine::queue::{Queue, ReconcileRequest};
use crate::engine::{Engine, Parts};
use crate::held_lock::HeldLock;
use crate::reconcile::context::{Context, Shared, SystemClock};
use crate::reconcile::{Job, reconcile};
use crate::session::problem::with_causes;
use crate::session::{ProblemCode, Remedy, ToolId, decent_name};
use crate::settings::{self, Settings};
use crate::state::State;
use crate::syncthing::{ChildConfig, Identity, SyncthingTransport, ensure_identity};
use crate::timing;
use crate::tools::{self, Machine};
use crate::vault::card::Card;
use crate::vault::keys::DeviceKey;
use crate::vault::{Owner, Vault};
use crate::watch::{Pace, Watch, WatchEvent};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long a process that is to end waits for its engine. Stopping Syncthing takes 10 s at most,
/// the last answers 2 s.
pub const STOP_PATIENCE: Duration = Duration::from_secs(30);
/// Names a Syncthing program that takes precedence.
const SYNCTHING_VARIABLE: &str = "SESSION_ROAM_SYNCTHING";

/// The running engine. Dropping the host leaves the engine running; `wait` returns when it ends.
pub struct Host {
    inbox: Sender<Event>,
    stage: Arc<Mutex<Stage>>,
    thread: JoinHandle<()>,
    // Held as long as the engine lives: the system releases it even after a crash.
    _lock: HeldLock,
}

/// Asks the engine to end in good order; may be called repeatedly and from anywhere.
#[derive(Clone)]
pub struct StopHandle {
    inbox: Sender<Event>,
    stage: Arc<Mutex<Stage>>,
}

/// What the engine's thread does. It names what a stop waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    Running,
    StoppingWatch,
    StoppingSyncthing,
    FinishingAnswers,
    ClosingFiles,
    Ended,
}

impl Stage {
    /// What is not finished yet, as the subject or object of a sentence.
    pub fn words(self) -> &'static str {
        match self {
            Self::Running => "the work on a session",
            Self::StoppingWatch => "the file watch",
            Self::StoppingSyncthing => "Syncthing",
            Self::FinishingAnswers => "answers to other programs",
            Self::ClosingFiles => "closing the state and the search index",
            Self::Ended => "nothing",
        }
    }
}

impl StopHandle {
    pub fn stop(&self) {
        // If the loop is already gone, the engine has stopped.
        let _ = self.inbox.send(Event::Stop);
    }

    /// What the engine's thread does now.
    pub fn stage(&self) -> Stage {
        *self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As [`StopHandle::stop`], for a process that is to end: if the engine has not ended after
    /// `patience`, `late` is called with what is not finished, on a thread of its own. The process
    /// may be ended then: each write is safe against that, and the next start goes on.
    pub fn stop_within(&self, patience: Duration, late: impl FnOnce(Stage) + Send + 'static) {
        self.stop();
        let handle = self.clone();
        std::thread::spawn(move || {
            std::thread::sleep(patience);
            let stage = handle.stage();
            if stage != Stage::Ended {
                late(stage);
            }
        });
    }
}

impl Host {
    pub fn stop_handle(&self) -> StopHandle {
        StopHandle {
            inbox: self.inbox.clone(),
            stage: self.stage.clone(),
        }
    }

    /// Returns when the engine has ended in good order.
    pub fn wait(self) -> Result<(), ApiError> {
        self.thread.join().map_err(|_| {
            ApiError::new(
                ProblemCode::Internal,
                "session-roam ended unexpectedly.",
                "Please report it with the log file.",
            )
            .offer(Remedy::OpenLogs)
        })
    }
}

/// The tools' environment, as this process sees it; `data` is session-roam's own directory.
#[allow(clippy::disallowed_methods)] // the one place that reads the environment
pub fn machine(data: &Path) -> Machine {
    let vars: std::collections::BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let home = std::env::home_dir().unwrap_or_default();
    Machine {
        data: data.to_owned(),
        home,
        vars,
        apps: std::sync::Arc::new(crate::tools::SystemApps::default()),
    }
}

/// Starts the engine of this home.
pub fn start(home: &Path) -> Result<Host, ApiError> {
    let home_error = |error: std::io::Error| {
        ApiError::new(
            ProblemCode::HomeUnusable,
            format!("{} cannot be used: {error}.", home.display()),
            "Free up disk space or fix its permissions, or choose another data folder.",
        )
    };
    timing::collect();
    make_private(home).map_err(home_error)?;
    let home = &std::path::absolute(home).map_err(home_error)?;
    let lock = lock(home)?;
    let settings = settings::load(home).map_err(|error| {
        ApiError::new(
            ProblemCode::Settings,
            with_causes(&error),
            "Fix config.toml, or move it away to start with a new one.",
        )
        .offer(Remedy::OpenSettings)
    })?;
    let name = device_name(&settings);
    let child = child_config(home, &settings);
    let identity = ensure_identity(&child).map_err(|error| {
        let problem = error.problem();
        ApiError::from(problem)
    })?;
    let (inbox, events) = channel();
    let parts = parts(home, settings, name, &identity, child, &inbox)?;
    let server = serve(home, &inbox)?;
    let stage = Arc::new(Mutex::new(Stage::Running));
    let thread = std::thread::Builder::new()
        .name("roam-engine".into())
        .spawn({
            let (inbox, stage) = (inbox.clone(), stage.clone());
            let enter = move |next| *stage.lock().unwrap_or_else(PoisonError::into_inner) = next;
            move || run(parts, &events, &inbox, &server, &enter)
        });
    let thread = thread.map_err(|error| {
        ApiError::new(
            ProblemCode::Internal,
            format!("No thread could be started: {error}."),
            "Close some programs and try again.",
        )
        .offer(Remedy::Retry)
    })?;
    Ok(Host {
        inbox,
        stage,
        thread,
        _lock: lock,
    })
}

pub(super) fn child_config(home: &Path, settings: &Settings) -> ChildConfig {
    ChildConfig {
        home: home.join("syncthing"),
        binary: chosen_syncthing(machine(home).vars.get(SYNCTHING_VARIABLE), settings),
        network: settings.network.clone(),
        device_name: device_name(settings),
        external: settings
            .syncthing
            .address
            .clone()
            .zip(settings.syncthing.api_key.clone()),
    }
}

/// The variable takes precedence over config.toml: whoever sets it means this one start.
fn chosen_syncthing(variable: Option<&String>, settings: &Settings) -> Option<PathBuf> {
    variable
        .filter(|path| !path.is_empty())
        .map(PathBuf::from)
        .or_else(|| settings.syncthing.binary.clone())
}

fn make_private(dir: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(dir)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

/// Two engines would write one journal; the second one gets an error.
pub(super) fn lock(home: &Path) -> Result<HeldLock, ApiError> {
    let path = home.join("engine.lock");
    let unusable = |error: &dyn std::fmt::Display| {
        ApiError::new(
            ProblemCode::HomeUnusable,
            format!("{} cannot be used: {error}.", path.display()),
            "Fix the permissions of the directory.",
        )
    };
    match HeldLock::try_hold(&path) {
        Ok(lock) => Ok(lock),
        Err(std::fs::TryLockError::WouldBlock) => Err(ApiError::new(
            ProblemCode::AlreadyRunning,
            format!("session-roam is already running on {}.", home.display()),
            "",
        )
        .offer(Remedy::OpenStatus)
        .offer(Remedy::StopEngine)),
        Err(std::fs::TryLockError::Error(error)) => Err(unusable(&error)),
    }
}

#[allow(clippy::disallowed_methods)] // the host's name, on Windows
fn device_name(settings: &Settings) -> String {
    let wanted = decent_name(&settings.name);
    if !wanted.is_empty() {
        return wanted;
    }
    let file = std::fs::read_to_string("/etc/hostname").ok();
    #[cfg(unix)]
    let system = {
        let mut buffer = [0u8; 256];
        // SAFETY: the buffer has the given length, and gethostname writes no further.
        let answer = unsafe { libc::gethostname(buffer.as_mut_ptr().cast(), buffer.len() - 1) };
        (answer == 0).then(|| {
            String::from_utf8_lossy(&buffer)
                .trim_end_matches('\0')
                .to_owned()
        })
    };
    #[cfg(not(unix))]
    let system = std::env::var("COMPUTERNAME").ok();
    let name = system.or(file).unwrap_or_default();
    let name = name.trim().split('.').next().unwrap_or_default();
    if name.is_empty() {
        "This device".into()
    } else {
        name.to_owned()
    }
}

fn parts(
    home: &Path,
    settings: Settings,
    name: String,
    identity: &Identity,
    child: ChildConfig,
    inbox: &Sender<Event>,
) -> Result<Parts, ApiError> {
    let broken = |what: &str, error: &dyn std::error::Error| {
        ApiError::new(
            ProblemCode::HomeUnusable,
            format!("{what}: {}", with_causes(error)),
            "Fix the directory, or choose another data folder.",
        )
    };
    let (state, _) = State::open(home).map_err(|error| {
        ApiError::new(
            ProblemCode::StateUnwritable,
            format!("The state: {}", with_causes(&error)),
            error.hint(),
        )
        .offer(Remedy::Retry)
    })?;
    let key =
        DeviceKey::load_or_create(home).map_err(|error| broken("This device's key", &error))?;
    let clock = Arc::new(SystemClock);
    let now = crate::reconcile::Clock::now(clock.as_ref());
    let card = Card::make(&identity.cert_pem, &identity.key_pem, &key, now)
        .map_err(|error| broken("This device's card", &error))?;
    let registry = DeviceRegistry::load(home).map_err(|error| broken("devices.json", &error))?;
    let vault = Vault::at(home);
    make_private(vault.root()).map_err(|error| broken("The vault", &error))?;
    let machine = machine(home);
    crate::projects::understand_as(&machine.home, &machine.vars);
    let shared = shared(
        &settings, &state, &registry, identity, &key, &name, &machine,
    );
    let tools = tools::all(&settings.custom);
    let context = Arc::new(Context::new(
        vault,
        identity.device_id.clone(),
        key,
        machine,
        tools,
        clock,
        shared,
    ));
    let transport = SyncthingTransport::start(child, {
        let inbox = Mutex::new(inbox.clone());
        move |notice| {
            let _ = inbox
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .send(Event::Transport(notice));
        }
    });
    let jobs = Workers::start(&context, inbox);
    Ok(Parts {
        home: home.to_path_buf(),
        settings,
        name,
        context,
        card,
        state,
        transport: Box::new(transport),
        jobs: Box::new(jobs),
        registry,
    })
}

/// The settings and the state at the start.
pub fn shared(
    settings: &Settings,
    state: &State,
    registry: &DeviceRegistry,
    identity: &Identity,
    key: &DeviceKey,
    name: &str,
    machine: &Machine,
) -> Shared {
    let mut places: crate::projects::Places =
        state.note("places").ok().flatten().unwrap_or_default();
    for (key, dir) in &settings.projects.map {
        places.map(
            &crate::projects::typed_key(key),
            crate::projects::places::expand(&machine.home, dir),
        );
    }
    let short = identity.device_id.short();
    let mut names: std::collections::BTreeMap<String, String> = registry
        .paired
        .iter()
        .map(|paired| {
            (
                paired.id.short(),
                registry
                    .names
                    .get(paired.id.as_str())
                    .unwrap_or(&paired.name)
                    .clone(),
            )
        })
        .collect();
    names.insert(short.clone(), name.to_owned());
    Shared {
        owners: [(
            short,
            Owner {
                device: identity.device_id.clone(),
                key: key.public(),
            },
        )]
        .into(),
        names,
        places: places.into(),
        excluded: settings
            .projects
            .exclude
            .iter()
            .map(|key| crate::projects::typed_key(key))
            .collect(),
        former: registry.former_of(&identity.device_id),
        tools_off: settings
            .tools
            .iter()
            .filter(|(_, tool)| !tool.on)
            .map(|(id, _)| ToolId::new(id))
            .collect(),
        max_rewritten: settings.guard.max_rewritten,
        carry_secret_copies: settings.guard.carry_secret_copies,
        ..Shared::default()
    }
}

fn serve(home: &Path, inbox: &Sender<Event>) -> Result<Server, ApiError> {
    let inbox = Mutex::new(inbox.clone());
    let handler: Handler = Arc::new(move |request: Request| {
        let (answer, answered) = channel();
        let reply = Box::new(move |result| {
            let _ = answer.send(result);
        });
        let gone = || {
            ApiError::new(ProblemCode::Stopping, "session-roam is stopping.", "")
                .offer(Remedy::StartEngine)
        };
        inbox
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .send(Event::Request(request, reply))
            .map_err(|_| gone())?;
        answered.recv().map_err(|_| gone())?
    });
    socket::serve(home, handler).map_err(|error| {
        ApiError::new(
            ProblemCode::Socket,
            format!(
                "The control socket in {} could not be opened: {error}.",
                home.display()
            ),
            "Fix the permissions of the directory, or choose another data folder.",
        )
    })
}

fn run(
    parts: Parts,
    events: &Receiver<Event>,
    inbox: &Sender<Event>,
    server: &Server,
    enter: &dyn Fn(Stage),
) {
    let mut engine = Engine::new(parts);
    engine.wake();
    // The directories come with the first listings.
    let watch = Watch::start(Vec::new(), watched(inbox), Pace::default());
    while let Ok(event) = events.recv() {
        // A fault in handling one event must not end the engine: a later scan finds the unfinished
        // work.
        let handled = catch_unwind(AssertUnwindSafe(|| engine.handle(event)));
        let handled = handled.or_else(|_| catch_unwind(AssertUnwindSafe(|| engine.after_panic())));
        if !handled.unwrap_or(true) {
            break;
        }
        if let Some(roots) = engine.changed_roots() {
            watch.update(roots);
        }
    }
    enter(Stage::StoppingWatch);
    watch.stop();
    enter(Stage::StoppingSyncthing);
    engine.end();
    enter(Stage::FinishingAnswers);
    server.stop();
    enter(Stage::ClosingFiles);
    drop(engine);
    enter(Stage::Ended);
}

fn watched(inbox: &Sender<Event>) -> impl Fn(WatchEvent) + Send + Sync + 'static {
    let inbox = Mutex::new(inbox.clone());
    move |event| {
        let event = match event {
            WatchEvent::Touched(paths) => Event::Touched(paths),
            WatchEvent::ScanAll => Event::ScanAll,
            WatchEvent::Poll => Event::Poll,
            WatchEvent::Problem(problem) => Event::Watch(Some(problem)),
            WatchEvent::Recovered { .. } => Event::Watch(None),
        };
        let _ = inbox
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .send(event);
    }
}

/// A few threads that reconcile sessions, one session each at a time.
struct Workers {
    jobs: Sender<Box<dyn FnOnce() + Send>>,
    context: Arc<Context>,
    inbox: Sender<Event>,
}

impl Workers {
    fn start(context: &Arc<Context>, inbox: &Sender<Event>) -> Self {
        let (jobs, work) = channel::<Box<dyn FnOnce() + Send>>();
        let work = Arc::new(Mutex::new(work));
        for number in 0..Queue::WORKERS {
            let work = work.clone();
            let run = move || {
                loop {
                    let next = work.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    match next {
                        Ok(job) => job(),
                        Err(_) => return,
                    }
                }
            };
            // With fewer workers the engine is slower, with none it does nothing: the first one
            // must start.
            let started = std::thread::Builder::new()
                .name(format!("roam-worker-{number}"))
                .spawn(run);
            assert!(started.is_ok() || number > 0, "no thread could be started");
        }
        Self {
            jobs,
            context: context.clone(),
            inbox: inbox.clone(),
        }
    }
}

impl Jobs for Workers {
    fn start(&self, job: Job) {
        let (context, inbox, key) = (self.context.clone(), self.inbox.clone(), job.key.clone());
        let again = Box::new(ReconcileRequest::again(&job));
        let work = move || {
            let ended = catch_unwind(AssertUnwindSafe(|| reconcile(&context, job)));
            let event = match ended {
                Ok(effects) => Event::Reconciled(Box::new(effects)),
                Err(_) => Event::Panicked(key, again),
            };
            let _ = inbox.send(event);
        };
        let _ = self.jobs.send(Box::new(work));
    }

    fn after(&self, after: Duration, event: Event) {
        self.spawn_for_event(Box::new(move || {
            std::thread::sleep(after);
            event
        }));
    }

    fn spawn_for_events(&self, work: Box<dyn FnOnce() -> Vec<Event> + Send>) {
        let inbox = self.inbox.clone();
        self.spawn(Box::new(move || {
            for event in events_of(work) {
                let _ = inbox.send(event);
            }
        }));
    }

    fn spawn(&self, work: Box<dyn FnOnce() + Send>) {
        let work = Arc::new(Mutex::new(Some(work)));
        let do_it = |work: &Mutex<Option<Box<dyn FnOnce() + Send>>>| {
            let taken = work.lock().unwrap_or_else(PoisonError::into_inner).take();
            taken.into_iter().for_each(|work| work());
        };
        let shared = work.clone();
        let spawned = std::thread::Builder::new()
            .name("roam-answer".into())
            .spawn(move || do_it(&shared));
        // Where the system allows no further thread, work that nobody does would never be answered.
        if spawned.is_err() {
            do_it(&work);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_syncthing_named_for_this_start_goes_before_the_one_in_config_toml() {
        let mut settings = Settings::default();
        let named = "/opt/syncthing".to_owned();
        assert_eq!(chosen_syncthing(None, &settings), None, "it is looked for");
        assert_eq!(chosen_syncthing(Some(&String::new()), &settings), None);
        settings.syncthing.binary = Some("/usr/bin/syncthing".into());
        assert_eq!(
            chosen_syncthing(None, &settings),
            Some("/usr/bin/syncthing".into())
        );
        assert_eq!(
            chosen_syncthing(Some(&named), &settings),
            Some(named.into())
        );
    }

    #[test]
    fn a_stop_that_takes_too_long_says_what_it_waits_for() {
        let (inbox, events) = channel();
        let (late, told) = channel();
        let stop_at = |stage| {
            let late = late.clone();
            let handle = StopHandle {
                inbox: inbox.clone(),
                stage: Arc::new(Mutex::new(stage)),
            };
            handle.stop_within(Duration::ZERO, move |stage| late.send(stage).unwrap());
            assert!(matches!(events.recv(), Ok(Event::Stop)));
        };
        stop_at(Stage::Ended);
        stop_at(Stage::StoppingWatch);
        drop(late);
        assert_eq!(told.iter().collect::<Vec<_>>(), [Stage::StoppingWatch]);
    }
}
