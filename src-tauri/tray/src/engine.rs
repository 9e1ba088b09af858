//! The engine of this home. One runs per home: the tray app starts it, or uses one that runs
//! already (a `roam run` in a terminal or a service). Both are asked over the control socket, so
//! there is one way to ask.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use session_roam_core::api::{ApiError, Request, socket};
use session_roam_core::daemon::host::{self, Stage, StopHandle};
use session_roam_core::session::ProblemCode;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

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
}

impl Caller {
    pub fn new(home: PathBuf, standing: Standing) -> Self {
        Self {
            home,
            standing: Mutex::new(standing),
            changed: Condvar::new(),
        }
    }

    pub fn home(&self) -> &Path {
        &self.home
    }

    pub fn ask(&self, request: &Request) -> Result<Value, ApiError> {
        match &*self.settled() {
            Standing::Failed(error) => return Err(error.clone()),
            Standing::Starting | Standing::Ours | Standing::Theirs | Standing::Ended => {}
        }
        socket::call(&self.home, request)
    }

    /// The answer as a typed value; the window gets the raw answer.
    pub fn know<T: serde::de::DeserializeOwned>(&self, request: &Request) -> Result<T, ApiError> {
        serde_json::from_value(self.ask(request)?).map_err(|error| {
            let hint = "Is the engine that runs of the same version as this app?";
            ApiError::new(
                ProblemCode::Internal,
                format!("The engine's answer is not understood: {error}."),
                hint,
            )
        })
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
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
        self.stop.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
