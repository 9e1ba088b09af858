//! Where the engine comes in: the one place that `run` starts it from.

use session_roam_core::api::ApiError;
use std::path::Path;

/// The running engine.
pub struct Host;

impl Host {
    pub fn stop_handle(&self) -> StopHandle {
        StopHandle
    }

    /// Returns when the engine has ended in good order.
    pub fn wait(self) -> Result<(), ApiError> {
        Ok(())
    }
}

#[derive(Clone)]
pub struct StopHandle;

impl StopHandle {
    pub fn stop(&self) {}
}

pub fn start(home: &Path) -> Result<Host, ApiError> {
    std::fs::create_dir_all(home).map_err(|error| ApiError::new("home_unusable", format!("Could not make {}: {error}.", home.display()), "Choose another directory with --home."))?;
    Err(ApiError::new("engine_missing", "This build of roam has no engine in it.", "Use a complete build."))
}
