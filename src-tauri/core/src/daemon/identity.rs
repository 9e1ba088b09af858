//! `roam device --new-identity`: a copied device, or one restored from a backup, becomes a device
//! of its own. Works on a home on which no engine runs.

use super::host;
use crate::api::types::{ApiError, Done};
use crate::engine::devices::{DeviceRegistry, Former};
use crate::reconcile::context::{Clock, SystemClock};
use crate::session::problem::with_causes;
use crate::session::{ProblemCode, Remedy};
use crate::settings;
use crate::syncthing::{self, ensure_identity};
use std::path::{Path, PathBuf};

/// Sets the old keys aside and makes new ones. The sessions, the state and the vault stay. The next
/// start records under the new identity what this device wrote under the old one.
pub fn new_identity(home: &Path) -> Result<Done, ApiError> {
    let home = &std::path::absolute(home).map_err(|error| unusable(home, &error))?;
    let _lock = host::lock(home).map_err(|error| match error.code.as_str() {
        "already_running" => ApiError {
            hint: "Stop it first.".into(),
            actions: vec![Remedy::StopEngine],
            ..error
        },
        _ => error,
    })?;
    let settings = settings::load(home).map_err(|error| {
        ApiError::new(
            ProblemCode::Settings,
            with_causes(&error),
            "Fix config.toml, then try again.",
        )
        .offer(Remedy::OpenSettings)
    })?;
    let child = host::child_config(home, &settings);
    if child.external.is_some() {
        return Err(ApiError::new(
            ProblemCode::ExternalSyncthing,
            "This device's identity is that of the Syncthing of your own that config.toml names.",
            "Give that Syncthing new keys, or remove “address” under [syncthing] in config.toml.",
        )
        .offer(Remedy::OpenSettings));
    }
    let failed = |error: syncthing::ChildError| {
        let problem = error.problem();
        ApiError::from(problem)
    };
    let Some(was) = syncthing::present_identity(&child).map_err(failed)? else {
        return Err(ApiError::new(
            ProblemCode::NoIdentity,
            format!(
                "session-roam never ran on {}: there is no identity yet.",
                home.display()
            ),
            "The first start creates one.",
        )
        .offer(Remedy::StartEngine));
    };
    // Saved first: from now on the old identity's journals count as ours to pass on, even after a
    // crash.
    let mut registry = DeviceRegistry::load(home).map_err(|error| unusable(home, &error))?;
    let until = SystemClock.now();
    registry.leave_identity(
        Former {
            id: was.clone(),
            until,
        },
        &child.device_name,
    );
    registry
        .save(home)
        .map_err(|error| unusable(home, &error))?;
    let aside = free_dir(&home.join("former"), &was.short());
    syncthing::set_identity_aside(&child, &was, &aside).map_err(failed)?;
    let key = home.join("keys").join("device.key");
    match std::fs::rename(&key, aside.join("device.key")) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(unusable(&key, &error));
        }
        _ => {}
    }
    let identity = ensure_identity(&child).map_err(failed)?;
    Ok(Done::new(format!(
        "This device is now {}; it was {was}. All of its sessions are still here. Start it, then accept it on each of the \
         other devices, as when pairing. The old keys are in {}.",
        identity.device_id,
        aside.display()
    ))
    .offer(Remedy::StartEngine))
}

fn free_dir(parent: &Path, name: &str) -> PathBuf {
    let numbered = |number: u32| {
        parent.join(if number == 0 {
            name.to_owned()
        } else {
            format!("{name}.{number}")
        })
    };
    (0..)
        .map(numbered)
        .find(|path| !path.exists())
        .unwrap_or_else(|| parent.join(name))
}

fn unusable(path: &Path, error: &std::io::Error) -> ApiError {
    ApiError::new(
        ProblemCode::HomeUnusable,
        format!("{} cannot be used: {error}.", path.display()),
        "Free up disk space or fix its permissions, then try again.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_home_that_never_ran_has_no_identity_to_change() {
        let home = tempfile::tempdir().expect("home");
        assert_eq!(
            new_identity(home.path()).expect_err("none").code.as_str(),
            "no_identity"
        );
    }

    #[test]
    fn nothing_changes_while_an_engine_runs() {
        let home = tempfile::tempdir().expect("home");
        let _engine = host::lock(home.path()).expect("lock");
        let error = new_identity(home.path()).expect_err("running");
        assert_eq!(error.code.as_str(), "already_running");
        assert_eq!(error.actions, [Remedy::StopEngine]);
    }

    #[test]
    fn the_old_keys_are_set_aside_and_new_ones_made() {
        let home = tempfile::tempdir().expect("home");
        let child =
            host::child_config(home.path(), &settings::load(home.path()).expect("settings"));
        // Without Syncthing no keys can be made.
        let Ok(before) = ensure_identity(&child) else {
            return;
        };
        let key = crate::vault::keys::DeviceKey::load_or_create(home.path()).expect("key");
        let said = new_identity(home.path()).expect("a new identity").message;
        let after = ensure_identity(&child).expect("identity");
        assert_ne!(before.device_id, after.device_id);
        assert!(
            said.contains(after.device_id.as_str()) && said.contains(before.device_id.as_str()),
            "{said}"
        );
        let aside = home.path().join("former").join(before.device_id.short());
        for name in [
            "device.key",
            "syncthing/cert.pem",
            "syncthing/key.pem",
            "syncthing.device",
        ] {
            assert!(aside.join(name).exists(), "{name}");
        }
        let registry = DeviceRegistry::load(home.path()).expect("book");
        assert_eq!(
            registry
                .former
                .iter()
                .map(|former| &former.id)
                .collect::<Vec<_>>(),
            [&before.device_id]
        );
        let new_key = crate::vault::keys::DeviceKey::load_or_create(home.path()).expect("key");
        assert_ne!(key.public(), new_key.public());
    }
}
