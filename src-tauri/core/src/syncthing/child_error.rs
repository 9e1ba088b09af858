//! Why the child does not run, and what the user can do about it.

use super::rest::RestError;
use crate::session::problem::with_causes;
use crate::session::{DeviceId, Problem, ProblemCode, Remedy};
use std::io;
use std::path::PathBuf;

pub(super) const OLDEST: (u32, u32) = (1, 19);

#[derive(Debug, thiserror::Error)]
pub enum ChildError {
    #[error("there is no Syncthing at {}", .0.display())]
    NoSuchBinary(PathBuf),
    #[error("Syncthing is not installed")]
    Missing,
    #[error("{} could not be run", .path.display())]
    Run {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{} does not say which Syncthing it is: {text}", .path.display())]
    NotSyncthing { path: PathBuf, text: String },
    #[error("{} is Syncthing {version}, too old to be used", .path.display())]
    TooOld { path: PathBuf, version: String },
    #[error("Syncthing could not make its keys in {}: {text}", .home.display())]
    Generate { home: PathBuf, text: String },
    #[error("could not use {}", .path.display())]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("this device was {was} and would now be {is}")]
    DeviceIdChanged {
        was: DeviceId,
        is: String,
        home: PathBuf,
    },
    #[error("{} was copied from another machine", .home.display())]
    HomeCloned { home: PathBuf, record: PathBuf },
    #[error("other users can enter {}", .0.display())]
    NotPrivate(PathBuf),
    #[error("another session-roam uses {}", .home.display())]
    InUse { home: PathBuf },
    #[error("the Syncthing at {address} cannot be used")]
    External {
        address: String,
        #[source]
        source: RestError,
    },
    #[error("the keys of the Syncthing at {address} cannot be read")]
    ExternalKeys { address: String },
}

impl ChildError {
    /// The name of this error in `Notice::Down`.
    pub fn state(&self) -> super::SyncthingState {
        match self {
            Self::NoSuchBinary(_) | Self::Missing => super::SyncthingState::Missing,
            _ => super::SyncthingState::Failed,
        }
    }

    /// Whether only a person can fix it: a retry would be useless or harmful.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::DeviceIdChanged { .. } | Self::HomeCloned { .. })
    }

    pub fn problem(&self) -> Problem {
        let (code, hint) = match self {
            Self::NoSuchBinary(_) => (
                ProblemCode::SyncthingMissing,
                "Correct “binary” under [syncthing] in config.toml, or remove the line.".into(),
            ),
            Self::Missing => (
                ProblemCode::SyncthingMissing,
                "Install it (Debian: apt install syncthing; elsewhere: \
                 syncthing.net/downloads)."
                    .into(),
            ),
            Self::Run { .. } | Self::NotSyncthing { .. } => (
                ProblemCode::SyncthingWrongBinary,
                "The program named is not a working Syncthing.".into(),
            ),
            Self::TooOld { .. } => (
                ProblemCode::SyncthingTooOld,
                format!("Install Syncthing {}.{} or newer.", OLDEST.0, OLDEST.1),
            ),
            Self::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull => (
                ProblemCode::DiskFull,
                "Free up disk space; session-roam then continues.".into(),
            ),
            Self::Generate { .. } | Self::Io { .. } => (
                ProblemCode::SyncthingHome,
                "Check that the directory is yours and the disk is not full; session-roam will \
                 try again."
                    .into(),
            ),
            Self::DeviceIdChanged { home, .. } => (
                ProblemCode::DeviceIdChanged,
                format!(
                    "Put the old cert.pem and key.pem back into {} from a backup. To continue as \
                     a new device, create a new identity and pair again.",
                    home.display()
                ),
            ),
            Self::HomeCloned { record, .. } => (
                ProblemCode::HomeCloned,
                format!(
                    "Two devices must not share one identity. If the other machine is still in \
                     use, create a new identity here and pair again. If this machine replaces \
                     it, remove {}.",
                    record.display()
                ),
            ),
            Self::NotPrivate(_) => (
                ProblemCode::HomeNotPrivate,
                "Set SESSION_ROAM_HOME to a directory of yours on a file system that keeps file \
                 modes."
                    .into(),
            ),
            Self::InUse { .. } => (
                ProblemCode::HomeInUse,
                "Stop the other one, or set SESSION_ROAM_HOME to another directory.".into(),
            ),
            Self::External { .. } => (
                ProblemCode::ExternalSyncthing,
                "Check address and api_key under [syncthing] in config.toml, and that this \
                 Syncthing runs."
                    .into(),
            ),
            Self::ExternalKeys { .. } => (
                ProblemCode::ExternalSyncthing,
                "It must run on this machine, as your user, with its keys in one of its usual \
                 places."
                    .into(),
            ),
        };
        self.remedies()
            .into_iter()
            .fold(Problem::new(code, with_causes(self), hint), Problem::offer)
    }

    fn remedies(&self) -> Vec<Remedy> {
        match self {
            Self::NoSuchBinary(_)
            | Self::Missing
            | Self::Run { .. }
            | Self::NotSyncthing { .. }
            | Self::TooOld { .. } => vec![Remedy::LocateSyncthing, Remedy::Retry],
            Self::DeviceIdChanged { .. } | Self::HomeCloned { .. } => vec![Remedy::NewIdentity],
            Self::InUse { .. } => vec![Remedy::StopEngine],
            Self::External { .. } | Self::ExternalKeys { .. } => vec![Remedy::OpenSettings],
            Self::Generate { .. } | Self::Io { .. } => vec![Remedy::OpenLogs],
            Self::NotPrivate(_) => Vec::new(),
        }
    }
}
