//! The only place that runs `git`. Inspecting a checkout runs no program that its repository names:
//! no hook, no monitor, no filter, no helper; and fetches nothing. The output of `git` is read up
//! to a limit.

use std::ffi::OsStr;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Listing the names of settings reads a few small files.
const CONFIG: Duration = Duration::from_secs(2);

/// Settings with which `git` would start a program, or look beyond this checkout.
const SETTINGS: [&str; 12] = [
    "core.fsmonitor=false",
    if cfg!(windows) {
        "core.hooksPath=NUL"
    } else {
        "core.hooksPath=/dev/null"
    },
    "core.sshCommand=false",
    "core.askPass=",
    "core.gitProxy=",
    "core.alternateRefsCommand=",
    "core.pager=cat",
    "credential.helper=",
    "diff.external=",
    "status.submoduleSummary=false",
    "submodule.recurse=false",
    "safe.bareRepository=explicit",
];

/// `git` in a checkout, for commands that read no file of the work tree. The command does not
/// prompt, fetch or lock, and ignores variables of the calling process (a hook sets `GIT_DIR`).
pub(super) fn command(work_tree: &Path) -> Command {
    let mut git = quiet_git(work_tree);
    for setting in SETTINGS {
        git.args(["-c", setting]);
    }
    git
}

/// The same for commands that read files: the repository's content filters are switched off. `None`
/// if the settings cannot be read, or if a filter's name prevents switching it off.
pub(super) fn command_without_filters(work_tree: &Path) -> Option<Command> {
    let filters = filters(work_tree)?;
    let mut git = command(work_tree);
    for filter in filters {
        for (setting, value) in [
            ("clean", ""),
            ("smudge", ""),
            ("process", ""),
            ("required", "false"),
        ] {
            git.arg("-c")
                .arg(format!("filter.{filter}.{setting}={value}"));
        }
    }
    Some(git)
}

/// The names of all filters in any configuration file, including included ones.
fn filters(work_tree: &Path) -> Option<Vec<String>> {
    let mut git = command(work_tree);
    git.args(["config", "--null", "--name-only", "--list"]);
    let listed = output_within(git, CONFIG)?;
    let names = listed
        .split('\0')
        .filter_map(|name| name.strip_prefix("filter."));
    let mut filters: Vec<String> = names
        .filter_map(|name| name.rsplit_once('.'))
        .map(|(filter, _)| filter.to_owned())
        .collect();
    filters.sort();
    filters.dedup();
    // `-c NAME=VALUE` ends the name at the first `=`.
    let can_be_set = |filter: &String| !filter.contains(['=', '\n', '\u{fffd}']);
    filters.iter().all(can_be_set).then_some(filters)
}

fn quiet_git(work_tree: &Path) -> Command {
    let mut git = Command::new("git");
    for (name, _) in std::env::vars_os() {
        if name
            .to_string_lossy()
            .to_ascii_uppercase()
            .starts_with("GIT_")
        {
            git.env_remove(name);
        }
    }
    git.arg("--no-optional-locks").arg("-C").arg(work_tree);
    let variables = [
        ("LC_ALL", "C"),
        ("GIT_TERMINAL_PROMPT", "0"),
        ("GIT_NO_LAZY_FETCH", "1"),
        ("GIT_NO_REPLACE_OBJECTS", "1"),
        // Older versions fetch missing objects despite the variable above, unless no protocol is
        // allowed.
        ("GIT_ALLOW_PROTOCOL", "none"),
    ];
    for (name, value) in variables {
        git.env(name, OsStr::new(value));
    }
    without_window(&mut git);
    git
}

#[cfg(windows)]
fn without_window(command: &mut Command) {
    use std::os::windows::process::CommandExt;
    const CREATE_NO_WINDOW: u32 = 0x0800_0000;
    command.creation_flags(CREATE_NO_WINDOW);
}

#[cfg(not(windows))]
fn without_window(_command: &mut Command) {}

/// The output of a command that succeeds within the limit; otherwise the command is killed.
pub(super) fn output_within(mut command: Command, limit: Duration) -> Option<String> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let stdout = child.stdout.take()?;
    let (tx, rx) = std::sync::mpsc::channel();
    // Not joined: if a grandchild keeps the pipe open, only the reader waits for it.
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        // No genuine repository has more roots than fit into this.
        let read = stdout.take(1 << 20).read_to_end(&mut bytes);
        // Nobody receives this after the limit.
        let _ = tx.send(
            read.ok()
                .map(|_| String::from_utf8_lossy(&bytes).into_owned()),
        );
    });
    let text = rx.recv_timeout(limit).ok().flatten();
    if text.is_none() {
        // Fails only if the command has ended meanwhile.
        let _ = child.kill();
    }
    let status = child.wait().ok()?;
    text.filter(|_| status.success())
}

#[cfg(all(test, unix))]
mod tests {
    use super::super::checkout::testing::{commit, git as plain_git, repository};
    use super::super::standing::{standing, whereabouts};
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    /// A repository with a file for each of two filters, one of them set in an included file, and a
    /// program in every setting that can name one.
    fn planted(dir: &Path) -> (std::path::PathBuf, std::path::PathBuf, String) {
        let ran = dir.join("ran");
        let program = dir.join("program");
        std::fs::write(
            &program,
            format!("#!/bin/sh\necho \"$0 $*\" >>'{}'\ncat\n", ran.display()),
        )
        .expect("a directory of the test");
        std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755))
            .expect("a directory of the test");
        let library = repository(&dir.join("library"), None);
        std::fs::write(library.join("a"), "1").expect("a directory of the test");
        plain_git(&library, &["add", "a"]);
        commit(&library, "library");
        let repo = repository(&dir.join("repo"), None);
        std::fs::write(
            repo.join(".gitattributes"),
            "a filter=x diff=x\nb filter=y\nc filter=p\n",
        )
        .expect("a directory of the test");
        for file in ["a", "b", "c"] {
            std::fs::write(repo.join(file), "1").expect("a directory of the test");
        }
        plain_git(&repo, &["add", "."]);
        let library = library.to_string_lossy().into_owned();
        plain_git(
            &repo,
            &[
                "-c",
                "protocol.file.allow=always",
                "submodule",
                "add",
                "-q",
                &library,
                "lib",
            ],
        );
        let first = commit(&repo, "first");
        let program = program.display().to_string();
        let included = dir.join("included");
        std::fs::write(
            &included,
            format!("[filter \"y\"]\n\tclean = {program} included\n\trequired = true\n"),
        )
        .expect("a directory of the test");
        for (name, value) in [
            ("include.path", included.display().to_string()),
            ("filter.x.clean", format!("{program} clean")),
            ("filter.x.smudge", format!("{program} smudge")),
            ("filter.x.required", "true".into()),
            ("filter.p.process", format!("{program} process")),
            ("core.fsmonitor", program.clone()),
            ("core.sshCommand", program.clone()),
            ("core.pager", program.clone()),
            ("core.hooksPath", dir.join("hooks").display().to_string()),
            ("diff.external", program.clone()),
            ("diff.x.textconv", program.clone()),
            ("diff.x.command", program.clone()),
            ("status.submoduleSummary", "true".into()),
        ] {
            plain_git(&repo, &["config", name, &value]);
        }
        let lib = repo.join("lib");
        plain_git(
            &lib,
            &["config", "filter.z.clean", &format!("{program} submodule")],
        );
        plain_git(&lib, &["config", "core.fsmonitor", &program]);
        std::fs::create_dir_all(dir.join("hooks")).expect("a directory of the test");
        std::fs::copy(dir.join("program"), dir.join("hooks/post-index-change"))
            .expect("a directory of the test");
        // Same length, different bytes: only the content shows the change.
        for file in ["a", "b", "c", "lib/a"] {
            std::fs::write(repo.join(file), "2").expect("a directory of the test");
        }
        std::fs::write(lib.join(".gitattributes"), "a filter=z\n")
            .expect("a directory of the test");
        let _ = std::fs::remove_file(&ran);
        (repo, ran, first)
    }

    /// F11: `git status` ran a repository's filters.
    #[test]
    fn no_program_of_a_repository_runs_because_it_is_looked_at() {
        let dir = tempfile::tempdir().unwrap();
        let (repo, ran, first) = planted(dir.path());
        let found = standing(&repo).expect("a checkout");
        assert_eq!(
            (found.branch.as_deref(), found.changed),
            (Some("main"), Some(3))
        );
        assert_eq!(
            whereabouts(&repo, &first),
            Some(super::super::standing::Commit::Below)
        );
        let checkout = super::super::checkout::read_checkout(&repo).expect("a checkout");
        assert_eq!(super::super::checkout::root_commit(&checkout), Some(first));
        assert_eq!(std::fs::read_to_string(&ran).unwrap_or_default(), "");
        // Each of these would run.
        plain_git(&repo, &["config", "filter.p.process", ""]);
        plain_git(&repo, &["status"]);
        let told = std::fs::read_to_string(&ran).unwrap_or_default();
        for program in ["clean", "included", "submodule"] {
            assert!(
                told.contains(program),
                "{program} is none that would run: {told}"
            );
        }
    }

    #[test]
    fn a_filter_that_cannot_be_switched_off_is_not_asked() {
        let dir = tempfile::tempdir().unwrap();
        let (repo, ran, _) = planted(dir.path());
        std::fs::write(repo.join(".gitattributes"), "a filter=x=y\n").unwrap();
        let config = repo.join(".git/config");
        let text = std::fs::read_to_string(&config).unwrap();
        let program = dir.path().join("program").display().to_string();
        std::fs::write(
            &config,
            format!("{text}[filter \"x=y\"]\n\tclean = {program} clean\n"),
        )
        .unwrap();
        let found = standing(&repo).expect("a checkout");
        assert_eq!(
            (found.branch.as_deref(), found.changed),
            (Some("main"), None)
        );
        assert!(!ran.exists());
    }

    #[test]
    fn a_command_that_hangs_is_ended() {
        let mut sleep = Command::new("sleep");
        sleep.arg("60");
        let start = std::time::Instant::now();
        assert_eq!(output_within(sleep, Duration::from_millis(50)), None);
        assert!(start.elapsed() < Duration::from_secs(30));
    }
}
