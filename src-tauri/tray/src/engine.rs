//! The engine of this home. One runs per home: the tray app starts it, or uses one that runs
//! already (a `roam run` in a terminal or a service). Both are asked over the control socket, so
//! there is one way to ask.

use crate::sight::Sight;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use session_roam_core::api::{ApiError, Request, Status, socket};
use session_roam_core::daemon::host::{self, Stage, StopHandle};
use session_roam_core::session::{ProblemCode, Remedy};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

/// How the engine stands, as far as the tray app knows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Takes a moment; requests wait.
    Starting,
    Ours,
    /// Belongs to another program and outlives us.
    Theirs,
    Failed(ApiError),
    Ended,
}

/// Asks an engine, wherever it runs.
pub struct Caller {
    home: PathBuf,
    standing: Mutex<Standing>,
    changed: Condvar,
    patience: Duration,
    /// A status that did not come in time.
    unanswered: Mutex<Option<Receiver<Result<Value, ApiError>>>>,
}

/// How long an engine may take for its status. A busy one takes milliseconds, on a machine that swaps, seconds.
const PATIENCE: Duration = Duration::from_secs(15);

impl Caller {
    pub fn new(home: PathBuf, standing: Standing) -> Self {
        Self {
            home,
            standing: Mutex::new(standing),
            changed: Condvar::new(),
            patience: PATIENCE,
            unanswered: Mutex::default(),
        }
    }

    pub fn home(&self) -> &Path {
        &self.home
    }

    /// Waits this long for a status, instead of `PATIENCE`.
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    pub fn ask(&self, request: &Request) -> Result<Value, ApiError> {
        self.ready()?;
        socket::call(&self.home, request)
    }

    /// An engine that could not start is not asked.
    fn ready(&self) -> Result<(), ApiError> {
        match &*self.settled() {
            Standing::Failed(error) => Err(error.clone()),
            Standing::Starting | Standing::Ours | Standing::Theirs | Standing::Ended => Ok(()),
        }
    }

    /// The answer as a typed value; the window gets the raw answer.
    pub fn know<T: serde::de::DeserializeOwned>(&self, request: &Request) -> Result<T, ApiError> {
        typed(self.ask(request)?)
    }

    /// The status, within a time limit: an engine that hangs is reported, not waited for. At most one request is
    /// unanswered; its answer, however late, is the next one's.
    pub fn status(&self) -> Result<Status, ApiError> {
        self.ready()?;
        let mut unanswered = lock(&self.unanswered);
        let answer = unanswered.take().unwrap_or_else(|| {
            let (send, answer) = channel();
            let home = self.home.clone();
            std::thread::spawn(move || send.send(socket::call(&home, &Request::Status)));
            answer
        });
        match answer.recv_timeout(self.patience) {
            Ok(status) => typed(status?),
            Err(RecvTimeoutError::Timeout) => {
                *unanswered = Some(answer);
                Err(hangs())
            }
            // Its thread panicked.
            Err(RecvTimeoutError::Disconnected) => Err(hangs()),
        }
    }

    /// The status as a window shows it. If the engine does not answer, the status says so.
    pub fn shown_status(&self) -> Status {
        self.status()
            .unwrap_or_else(|error| Sight::unanswered(&error).status)
    }

    pub fn standing(&self) -> Standing {
        self.lock().clone()
    }

    pub fn set(&self, standing: Standing) {
        *self.lock() = standing;
        self.changed.notify_all();
    }

    /// How the engine stands once its start is over.
    pub fn settled(&self) -> MutexGuard<'_, Standing> {
        self.wait_while(|standing| matches!(standing, Standing::Starting))
    }

    fn wait_while(&self, wait: impl Fn(&Standing) -> bool) -> MutexGuard<'_, Standing> {
        let waited = self
            .changed
            .wait_while(self.lock(), |standing| wait(standing));
        waited.unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, Standing> {
        lock(&self.standing)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn typed<T: serde::de::DeserializeOwned>(answer: Value) -> Result<T, ApiError> {
    serde_json::from_value(answer).map_err(|error| {
        let hint = "Is the engine that runs of the same version as this app?";
        ApiError::new(
            ProblemCode::Internal,
            format!("The engine's answer is not understood: {error}."),
            hint,
        )
    })
}

fn hangs() -> ApiError {
    ApiError::new(
        ProblemCode::EngineUnreachable,
        "session-roam runs, but does not answer.",
        "Nothing recorded is lost. If it does not answer soon, restart it.",
    )
    .offer(Remedy::Retry)
    .offer(Remedy::OpenLogs)
}

type Heard = Box<dyn Fn(&Standing) + Send + Sync>;

/// The engine as the tray runs it.
pub struct Engine {
    caller: Caller,
    stop: Mutex<Option<StopHandle>>,
    heard: OnceLock<Heard>,
}

impl std::ops::Deref for Engine {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.caller
    }
}

impl Engine {
    pub fn start(home: PathBuf) -> Arc<Self> {
        let engine = Arc::new(Self {
            caller: Caller::new(home, Standing::Ended),
            stop: Mutex::default(),
            heard: OnceLock::new(),
        });
        engine.start_again();
        engine
    }

    /// From now on `hear` is told of each change.
    pub fn on_change(&self, hear: impl Fn(&Standing) + Send + Sync + 'static) {
        let _ = self.heard.set(Box::new(hear));
    }

    /// Starts the engine if none runs. Returns at once; the engine starts, runs and ends on a
    /// thread of its own.
    pub fn start_again(self: &Arc<Self>) {
        {
            let mut standing = self.lock();
            if matches!(*standing, Standing::Starting | Standing::Ours) {
                return;
            }
            *standing = Standing::Starting;
        }
        self.tell(&Standing::Starting);
        let engine = self.clone();
        std::thread::spawn(move || engine.run());
    }

    fn run(&self) {
        let ended = match host::start(&self.home) {
            Ok(host) => {
                *self.handle() = Some(host.stop_handle());
                self.become_now(Standing::Ours);
                let ended = host.wait();
                *self.handle() = None;
                ended.map_or_else(Standing::Failed, |()| Standing::Ended)
            }
            Err(error) if error.code == ProblemCode::AlreadyRunning => Standing::Theirs,
            Err(error) => Standing::Failed(error),
        };
        self.become_now(ended);
    }

    /// Stops our own engine in good order and waits until it has ended.
    pub fn stop(&self) {
        drop(self.settled());
        if let Some(handle) = &*self.handle() {
            handle.stop();
        }
        drop(self.wait_while(|standing| matches!(standing, Standing::Ours)));
    }

    /// What our own engine does now; one that is starting counts as running.
    pub fn stage(&self) -> Stage {
        self.handle()
            .as_ref()
            .map_or(Stage::Running, StopHandle::stage)
    }

    /// For settings that are read at the start. An engine that is not ours keeps running.
    pub fn restart(self: &Arc<Self>) {
        self.restart_after(|_| ());
    }

    /// Does what no engine may run for, and starts it again, whatever came of it. An engine that is not ours keeps
    /// running, and nothing is done.
    pub fn restart_after<T>(self: &Arc<Self>, work: impl FnOnce(&Path) -> T) -> Option<T> {
        if matches!(*self.settled(), Standing::Theirs) {
            return None;
        }
        self.stop();
        let done = work(self.home());
        self.start_again();
        Some(done)
    }

    fn become_now(&self, standing: Standing) {
        self.set(standing.clone());
        self.tell(&standing);
    }

    fn tell(&self, standing: &Standing) {
        if let Some(hear) = self.heard.get() {
            hear(standing);
        }
    }

    fn handle(&self) -> MutexGuard<'_, Option<StopHandle>> {
        lock(&self.stop)
    }
}
