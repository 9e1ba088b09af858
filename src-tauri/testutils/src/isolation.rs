//! Runs a test where only this machine's loopback can be reached, and waits for things with a
//! deadline.
//!
//! The real tools phone home when they can. In a network namespace with nothing but `lo`, a test
//! shows that everything it needs is on this machine, and no request of a test run ever leaves it.
//! A test has its own mount namespace as well, so its mounts are visible to nobody else.

use std::any::type_name_of_val;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Tells the process that it runs inside.
const ALONE: &str = "SESSION_ROAM_TEST_ALONE";

/// What `timeout` (coreutils) exits with when it ended the program.
const OUT_OF_TIME: i32 = 124;

/// One test that never ends must not keep the others from reporting. Far longer than any takes.
const LONGEST: Duration = Duration::from_secs(15 * 60);

/// Runs this same test again in network and mount namespaces of its own, and passes on the result.
///
/// `test` is a closure written inside the test function: the function's name is read from its type.
pub fn alone(test: impl FnOnce()) {
    if std::env::var_os(ALONE).is_some() {
        assert!(only_loopback(), "this process reaches more than loopback");
        return test();
    }
    let path = type_name_of_val(&test).trim_end_matches("::{{closure}}");
    let name = path.split_once("::").map_or(path, |(_crate, name)| name);
    let namespace = if is_root() { "-nm" } else { "-rnm" };
    let output = Command::new("unshare")
        .args([
            namespace,
            "sh",
            "-c",
            // A shell without job control has its background jobs ignore SIGINT, and so would `roam`.
            "ip link set lo up && exec env --default-signal=INT,TERM,HUP timeout \"$@\"",
            "sh",
        ])
        .arg(LONGEST.as_secs().to_string())
        .arg(std::env::current_exe().expect("a running test has a binary"))
        .args(["--exact", name, "--nocapture"])
        .env(ALONE, "1")
        .output()
        .expect("unshare (util-linux) starts");
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(
        output.status.code() != Some(OUT_OF_TIME),
        "{name} did not end within {} minutes.",
        LONGEST.as_secs() / 60
    );
    assert!(
        output.status.success(),
        "{name} failed in its namespaces ({}). If `unshare` was not permitted: on Ubuntu 24.04 and newer \
         `sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0` permits it.",
        output.status
    );
    // `--exact` with an unknown name runs no test and reports success.
    assert!(
        said.contains("1 passed"),
        "{name} was not run in its namespaces."
    );
}

/// Whether all routes are over `lo`. Kernels may put unused tunnel devices into every namespace, so
/// routes are a better sign than the list of interfaces.
fn only_loopback() -> bool {
    let v4 = fs::read_to_string("/proc/net/route").unwrap_or_default();
    let v6 = fs::read_to_string("/proc/net/ipv6_route").unwrap_or_default();
    v4.lines().skip(1).all(|route| route.starts_with("lo\t"))
        && v6.lines().all(|route| route.ends_with(" lo"))
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

/// Asks until there is an answer; panics with what was awaited, for how long, and the last reason
/// for failure.
pub fn wait_for<T>(what: &str, limit: Duration, mut ask: impl FnMut() -> Result<T, String>) -> T {
    let start = Instant::now();
    loop {
        let why_not = match ask() {
            Ok(answer) => return answer,
            Err(why_not) => why_not,
        };
        assert!(
            start.elapsed() < limit,
            "waited {} s for {what}. Last seen: {why_not}",
            limit.as_secs()
        );
        sleep(Duration::from_millis(25));
    }
}

/// How a program ended, with its output.
pub struct Ended {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    pub fn told(&self) -> String {
        format!(
            "{}\n--- stdout\n{}\n--- stderr\n{}",
            self.status, self.stdout, self.stderr
        )
    }
}

/// Runs a program to its end, or kills it at the limit and panics. Its output goes to files in
/// `scratch`: a pipe that a grandchild keeps open would block this function for as long as the
/// grandchild lives.
pub fn run_within(limit: Duration, mut command: Command, scratch: &Path) -> Ended {
    let outputs = tempfile::tempdir_in(scratch).expect("a directory for the output");
    let (stdout, stderr) = (outputs.path().join("stdout"), outputs.path().join("stderr"));
    let create = |path| fs::File::create(path).expect("a file for the output");
    command
        .stdin(Stdio::null())
        .stdout(create(&stdout))
        .stderr(create(&stderr));
    let mut child = command
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?} did not start: {error}"));
    let read = |path| String::from_utf8_lossy(&fs::read(path).expect("the output")).into_owned();
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("a child can be waited for") {
            return Ended {
                status,
                stdout: read(&stdout),
                stderr: read(&stderr),
            };
        }
        if start.elapsed() > limit {
            let _ = child.kill();
            let _ = child.wait();
            panic!(
                "{command:?} did not end in {} s.\n{}\n{}",
                limit.as_secs(),
                read(&stdout),
                read(&stderr)
            );
        }
        sleep(Duration::from_millis(10));
    }
}
