//! The programs running on this machine. Some tools keep their store in memory and overwrite the
//! store's files with it, so such a store is written only after the tool has quit.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use sysinfo::{ProcessRefreshKind, ProcessesToUpdate, System, UpdateKind};

/// A process, as far as the operating system reports it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Running {
    pub pid: u32,
    /// The program's file; empty if the system does not report it.
    pub exe: PathBuf,
    /// The process's working directory.
    pub cwd: Option<PathBuf>,
    /// The arguments, beginning with the program's own name.
    pub args: Vec<String>,
    /// Environment variables; empty in the result of [`Apps::running`].
    pub vars: BTreeMap<String, String>,
}

impl Running {
    /// The program's file name without an extension that only some systems have: `code` for
    /// `/usr/share/code/code` and `Code.exe`.
    pub fn name(&self) -> String {
        let name = self
            .exe
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .to_lowercase();
        let name = name.strip_suffix(" (deleted)").unwrap_or(&name);
        name.strip_suffix(".exe").unwrap_or(name).to_owned()
    }
}

/// Lists the running programs.
pub trait Apps: Debug + Send + Sync {
    fn running(&self) -> Vec<Running>;

    /// The environments of this user's programs in which one of these variables is set: these
    /// variables, and the home directory. Programs of other users do not reveal theirs.
    fn environments(&self, names: &BTreeSet<&str>) -> Vec<BTreeMap<String, String>> {
        self.running()
            .into_iter()
            .map(|running| running.vars)
            .filter(|vars| has_one(vars, names))
            .collect()
    }
}

const HOMES: [&str; 2] = ["HOME", "USERPROFILE"];

fn has_one(vars: &BTreeMap<String, String>, names: &BTreeSet<&str>) -> bool {
    names
        .iter()
        .any(|name| vars.get(*name).is_some_and(|value| !value.is_empty()))
}

/// For tests: the list is what runs.
impl Apps for Vec<Running> {
    fn running(&self) -> Vec<Running> {
        self.clone()
    }
}

/// For tests in which a program starts and quits.
impl Apps for Mutex<Vec<Running>> {
    fn running(&self) -> Vec<Running> {
        self.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The real programs. The operating system is asked a few times a second at most, because code that
/// reads many sessions asks for each. No program can start and read its store in that interval.
#[derive(Debug, Default)]
pub struct SystemApps {
    last: Mutex<Option<(Instant, Vec<Running>)>>,
}

const FRESH: Duration = Duration::from_millis(200);

impl Apps for SystemApps {
    fn running(&self) -> Vec<Running> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match last.as_ref() {
            Some((at, running)) if at.elapsed() < FRESH => running.clone(),
            _ => last.insert((Instant::now(), ask())).1.clone(),
        }
    }

    fn environments(&self, names: &BTreeSet<&str>) -> Vec<BTreeMap<String, String>> {
        let wanted = ProcessRefreshKind::nothing()
            .with_environ(UpdateKind::Always)
            .without_tasks();
        let mut system = System::new();
        system.refresh_processes_specifics(ProcessesToUpdate::All, true, wanted);
        let is_wanted = |name: &str| names.contains(name) || HOMES.contains(&name);
        let of = |process: &sysinfo::Process| -> BTreeMap<String, String> {
            let pairs = process
                .environ()
                .iter()
                .filter_map(|pair| pair.to_str()?.split_once('='));
            pairs
                .filter(|(name, _)| is_wanted(name))
                .map(|(name, value)| (name.into(), value.into()))
                .collect()
        };
        let found: BTreeSet<_> = system
            .processes()
            .values()
            .map(of)
            .filter(|vars| has_one(vars, names))
            .collect();
        found.into_iter().collect()
    }
}

fn ask() -> Vec<Running> {
    let wanted = ProcessRefreshKind::nothing()
        .with_exe(UpdateKind::Always)
        .with_cwd(UpdateKind::Always)
        .with_cmd(UpdateKind::Always)
        .without_tasks();
    let mut system = System::new();
    system.refresh_processes_specifics(ProcessesToUpdate::All, true, wanted);
    let running = system.processes().iter().map(|(pid, process)| Running {
        pid: pid.as_u32(),
        exe: process.exe().map(PathBuf::from).unwrap_or_default(),
        cwd: process.cwd().map(PathBuf::from),
        args: process
            .cmd()
            .iter()
            .map(|arg| arg.to_string_lossy().into_owned())
            .collect(),
        vars: BTreeMap::new(),
    });
    running.collect::<BTreeSet<_>>().into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_program_is_among_those_that_run() {
        let own = std::env::current_exe().expect("own program");
        let running = SystemApps::default().running();
        let this = running
            .iter()
            .find(|running| running.pid == std::process::id())
            .expect("this process");
        assert_eq!(this.exe, own);
        assert_eq!(this.cwd.as_deref(), std::env::current_dir().ok().as_deref());
    }

    #[test]
    fn a_program_is_named_alike_on_every_system() {
        let named = |exe: &str| {
            Running {
                exe: exe.into(),
                ..Running::default()
            }
            .name()
        };
        assert_eq!(named("/usr/share/code/code"), "code");
        assert_eq!(
            named("/usr/share/code-insiders/code-insiders (deleted)"),
            "code-insiders"
        );
        assert_eq!(named("Code.exe"), "code");
        assert_eq!(named(""), "");
    }
}
