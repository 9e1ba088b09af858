//! The tray app. Until it has its tray and its window it runs the engine, like `roam run`. Holds no truth about
//! sessions of its own.

use session_roam_core::api::home;
use session_roam_core::api::host;

fn main() -> anyhow::Result<()> {
    #[allow(clippy::disallowed_methods)] // a shell is where the environment is looked at
    let chosen = std::env::var_os("SESSION_ROAM_HOME").map(std::path::PathBuf::from);
    let default = || home::home(home::Os::here(), |name| std::env::var_os(name));
    let Some(home) = chosen.or_else(default) else {
        anyhow::bail!("There is no home directory. Set SESSION_ROAM_HOME.")
    };
    let running = host::start(&home).map_err(|error| anyhow::anyhow!("{} {}", error.message, error.hint))?;
    eprintln!("session-roam runs. `roam status` says more, `roam stop` ends it.");
    running.wait().map_err(|error| anyhow::anyhow!("{}", error.message))
}
