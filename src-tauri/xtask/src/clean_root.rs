//! `cargo xtask test-deb`: tests the package in a clean Debian 12. It is installed with only its
//! own dependencies, started as a plain user on a screen in memory, queried by `roam`,
//! photographed, and removed again. Needs root, because it makes a whole system below a temporary
//! directory; touches nothing outside it, and uses the network for packages only.

use crate::screen::{self, Screen};
use crate::setup::{self, Need};
use crate::{bundle, proc};
use anyhow::{Context, Result, bail};
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const TO_TEST: &[Need] = &[
    Need {
        package: "debootstrap",
        there: || proc::find("debootstrap").is_some(),
        why: "makes a clean Debian to install into",
        elsewhere: "debootstrap (Debian and Ubuntu only)",
    },
    Need {
        package: "debian-archive-keyring",
        there: || Path::new("/usr/share/keyrings/debian-archive-keyring.gpg").exists(),
        why: "vouches for what debootstrap fetches",
        elsewhere: "Debian's archive keys",
    },
];

/// A directory with a prepared clean Debian 12: it is copied, which is faster than making one.
const VARIABLE: &str = "SESSION_ROAM_CLEAN_ROOT";
const USER: &str = "ada";
const USER_ID: u32 = 1000;
/// What lies in /usr/bin.
const PROGRAMS: [&str; 4] = [
    "session-roam",
    "session-roam-window",
    "session-roam-syncthing",
    "roam",
];
const DATA: &str = "home/ada/.local/share/session-roam";

pub fn run(args: &[&str]) -> Result<()> {
    if !proc::output(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0") {
        bail!(
            "this makes a whole system below a temporary directory, which needs root: sudo cargo xtask test-deb"
        );
    }
    let deb = match args {
        [] => newest_deb()?,
        [deb] => PathBuf::from(deb),
        _ => bail!("usage: cargo xtask test-deb [FILE.deb]"),
    };
    setup::install(TO_TEST)?;
    setup::to_test_app()?;
    let place = tempfile::Builder::new()
        .prefix("roam-deb")
        .tempdir()
        .context("could not make a temporary directory")?;
    let clean = Clean {
        root: place.path().join("root"),
    };
    step("a clean Debian 12", || clean.make())?;
    step("apt-get install", || clean.install(&deb))?;
    step("what is installed", || clean.check_files())?;
    step("a plain user starts it", || clean.check_start())?;
    step("apt-get remove, purge", || clean.check_removal())?;
    println!("{} can be installed, started and removed.", deb.display());
    Ok(())
}

fn newest_deb() -> Result<PathBuf> {
    let dir = bundle::dir()?;
    let names = bundle::manifest::packages(&dir).unwrap_or_default();
    let deb = names.into_iter().find(|name| name.ends_with(".deb"));
    Ok(dir.join(deb.context("there is no package yet: cargo xtask bundle")?))
}

/// Prints the step's name, and how long it took.
fn step(name: &str, act: impl FnOnce() -> Result<()>) -> Result<()> {
    println!("\n== {name}");
    let start = Instant::now();
    act().with_context(|| name.to_owned())?;
    println!("ok  {:6.1} s  {name}", start.elapsed().as_secs_f64());
    Ok(())
}

/// A system of its own below `root`.
struct Clean {
    root: PathBuf,
}

impl Clean {
    fn make(&self) -> Result<()> {
        match std::env::var_os(VARIABLE) {
            Some(made) => proc::run(Command::new("cp").arg("-a").arg(made).arg(&self.root))?,
            None => proc::run_with_retry(|| {
                let mut command = Command::new("debootstrap");
                command
                    .args(["--variant=minbase", "--include=ca-certificates", "bookworm"])
                    .arg(&self.root);
                command.arg(setup::debian_mirror()).stdout(Stdio::null());
                command
            })?,
        }
        self.same_network()?;
        // Packages' scripts must not start services: there is no init here.
        self.write("usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n", 0o755)?;
        proc::run(&mut self.as_root(&[
            "useradd",
            "--create-home",
            "--uid",
            &USER_ID.to_string(),
            USER,
        ]))
    }

    /// The network works as on this machine: the same names, the same proxies.
    fn same_network(&self) -> Result<()> {
        let settings = fs::read_dir("/etc/apt/apt.conf.d")
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path());
        let proxies = settings
            .filter(|file| fs::read_to_string(file).is_ok_and(|text| text.contains("Proxy")));
        for file in proxies.chain(["/etc/resolv.conf".into(), "/etc/hosts".into()]) {
            let to = self.root.join(file.strip_prefix("/").unwrap_or(&file));
            let _ = fs::remove_file(&to); // may be a dangling link
            fs::copy(&file, &to).with_context(|| format!("could not copy {}", file.display()))?;
        }
        Ok(())
    }

    fn install(&self, deb: &Path) -> Result<()> {
        fs::copy(deb, self.root.join("tmp/session-roam.deb"))
            .with_context(|| format!("could not copy {}", deb.display()))?;
        proc::run_with_retry(|| self.quiet(&["apt-get", "update", "-q"]))?;
        let words = [
            "apt-get",
            "install",
            "-y",
            "-q",
            "--no-install-recommends",
            "/tmp/session-roam.deb",
        ];
        proc::run_with_retry(|| self.quiet(&words))
    }

    fn check_files(&self) -> Result<()> {
        for program in PROGRAMS {
            let file = self.root.join("usr/bin").join(program);
            let mode = fs::metadata(&file)
                .with_context(|| format!("there is no {program}"))?
                .permissions()
                .mode();
            if mode & 0o7777 != 0o755 {
                bail!("/usr/bin/{program} has mode {mode:o}");
            }
        }
        for name in [
            "usr/share/applications/session-roam.desktop",
            "usr/share/icons/hicolor/scalable/apps/session-roam.svg",
            "usr/share/icons/hicolor/128x128/apps/session-roam.png",
            "usr/share/doc/session-roam/copyright",
            "usr/share/doc/session-roam/THIRD-PARTY.txt",
            "usr/share/doc/session-roam/syncthing/ABOUT.txt",
            "usr/share/doc/session-roam/syncthing/LICENSE.txt",
            "usr/share/bash-completion/completions/roam",
        ] {
            if !self.root.join(name).is_file() {
                bail!("/{name} is missing");
            }
        }
        let licence = fs::read_to_string(
            self.root
                .join("usr/share/doc/session-roam/syncthing/LICENSE.txt"),
        )?;
        if !licence.contains("Mozilla Public License") {
            bail!("what lies beside Syncthing is not its licence");
        }
        let entry = fs::read_to_string(
            self.root
                .join("usr/share/applications/session-roam.desktop"),
        )?;
        for line in [
            "Exec=session-roam %u",
            "MimeType=x-scheme-handler/session-roam;",
            "Name=session-roam",
        ] {
            if !entry.lines().any(|it| it == line) {
                bail!("the desktop entry lacks `{line}`:\n{entry}");
            }
        }
        // The package does not start the app: that is the user's own switch.
        match self
            .root
            .join("etc/xdg/autostart/session-roam.desktop")
            .exists()
        {
            true => bail!("the package forces its start on everybody"),
            false => Ok(()),
        }
    }

    fn check_start(&self) -> Result<()> {
        let shared = self.root.join("tmp/screen");
        fs::create_dir_all(&shared)?;
        fs::set_permissions(&shared, fs::Permissions::from_mode(0o700))?;
        chown(&shared, Some(USER_ID), Some(USER_ID))
            .context("could not hand over the runtime directory")?;
        let screen = Screen::start("1100x760", &shared, USER_ID)?;
        let version = proc::output(&mut self.as_user(&["roam", "--version"], &[]))?;
        if version.trim() != format!("roam {}", env!("CARGO_PKG_VERSION")) {
            bail!("`roam --version` says {version}");
        }
        let bus = screen.bus_inside("/tmp/screen");
        let variables = [
            ("DISPLAY", screen.display.as_str()),
            ("DBUS_SESSION_BUS_ADDRESS", &bus),
            ("XDG_RUNTIME_DIR", "/tmp/screen"),
        ];
        let log = fs::File::create(self.root.join("tmp/session-roam.log"))?;
        let mut command = self.as_user(&["session-roam"], &variables);
        let mut app = Running(
            command
                .stdin(Stdio::null())
                .stdout(log.try_clone()?)
                .stderr(log)
                .spawn()?,
        );
        let looked = self.look(&screen, &mut app);
        if looked.is_err() {
            println!(
                "{}",
                fs::read_to_string(self.root.join("tmp/session-roam.log")).unwrap_or_default()
            );
        }
        looked
    }

    /// What a user sees and what `roam` reports while the app runs.
    fn look(&self, screen: &Screen, app: &mut Running) -> Result<()> {
        let picture = proc::target_dir()?
            .join("screenshots")
            .join("debian-12.png");
        screen::until(
            "the window shows something",
            Duration::from_secs(60),
            || {
                app.check()?;
                screen.photograph(&picture)?;
                screen::is_painted(&picture)
            },
        )?;
        println!("The window: {}", picture.display());
        let pid = app.0.id();
        let ask = |words: &[&str]| -> Result<serde_json::Value> {
            let said = proc::output(&mut self.beside(pid, words))?;
            serde_json::from_str(&said)
                .with_context(|| format!("{words:?} answers no JSON: {said}"))
        };
        let mut status = serde_json::Value::Null;
        screen::until("Syncthing runs", Duration::from_secs(60), || {
            app.check()?;
            status = ask(&["roam", "status", "--json"])?;
            Ok(status["syncthing"]["state"] == "running")
        })?;
        println!(
            "roam status: engine {}, Syncthing {} from {}",
            status["engine"], status["syncthing"]["version"], status["syncthing"]["program"]
        );
        if status["syncthing"]["program"] != "/usr/bin/session-roam-syncthing" {
            bail!(
                "not the Syncthing of the package runs: {}",
                status["syncthing"]
            );
        }
        let doctor = ask(&["roam", "doctor", "--json"])?.to_string();
        if !doctor.contains("/usr/bin/session-roam-syncthing") {
            bail!("`roam doctor` does not name the Syncthing that is used: {doctor}");
        }
        screen.photograph(&picture) // once more, after the checks
    }

    fn check_removal(&self) -> Result<()> {
        let kept = self.root.join(DATA).join("config.toml");
        for word in ["remove", "purge"] {
            let done =
                proc::captured(&mut self.as_root(&["apt-get", word, "-y", "-q", "session-roam"]))?;
            // apt gives dpkg a terminal of its own, and passes the scripts' output there on as its
            // own.
            let said = [done.stdout.as_slice(), &done.stderr]
                .map(String::from_utf8_lossy)
                .concat();
            if !done.status.success() || !said.contains(&format!("/{DATA}")) {
                bail!(
                    "`apt-get {word}` ended with {}, and said of the user's data: {said}",
                    done.status
                );
            }
            if !kept.is_file() {
                bail!("`apt-get {word}` took the user's data away");
            }
            let ours = said
                .lines()
                .skip_while(|line| !line.starts_with("session-roam:"))
                .take(3);
            println!(
                "apt-get {word} said:\n{}",
                ours.collect::<Vec<_>>().join("\n")
            );
        }
        for program in PROGRAMS {
            if self.root.join("usr/bin").join(program).exists() {
                bail!("/usr/bin/{program} is still there");
            }
        }
        Ok(())
    }

    fn write(&self, name: &str, text: &str, mode: u32) -> Result<()> {
        let file = self.root.join(name);
        fs::write(&file, text).with_context(|| format!("could not write {}", file.display()))?;
        fs::set_permissions(&file, fs::Permissions::from_mode(mode))
            .with_context(|| format!("could not set the mode of {name}"))
    }

    /// In a namespace of its own, mounts vanish with the command, whatever happens.
    fn inside(&self, unshare: &[&str], mounts: &str) -> Command {
        let mut command = Command::new("unshare");
        command.args(unshare).args(["--mount", "sh", "-ec"]);
        command
            .arg(format!("{mounts} root=$1; shift; exec chroot \"$@\""))
            .arg("sh")
            .arg(&self.root);
        command
    }

    fn as_root(&self, words: &[&str]) -> Command {
        let mut command = self.inside(&[], PROC_AND_DEV);
        command
            .arg(&self.root)
            .args(["env", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C.UTF-8"])
            .args(words);
        command
    }

    /// Warnings and errors only: hundreds of packages are unpacked.
    fn quiet(&self, words: &[&str]) -> Command {
        let mut command = self.as_root(words);
        command.stdout(Stdio::null());
        command
    }

    /// A plain user, without any network but loopback, at this machine's screen.
    fn as_user(&self, words: &[&str], variables: &[(&str, &str)]) -> Command {
        let mounts = format!(
            "ip link set lo up; {PROC_AND_DEV} mkdir -p \"$1/tmp/.X11-unix\"; mount --bind /tmp/.X11-unix \"$1/tmp/.X11-unix\";"
        );
        let mut command = self.inside(&["--net"], &mounts);
        command
            .arg(format!("--userspec={USER_ID}:{USER_ID}"))
            .arg(&self.root);
        command.args(user_environment(variables)).args(words);
        command
    }

    /// In the app's namespace, so that both have the same loopback.
    fn beside(&self, pid: u32, words: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--net", "--mount", "--target", &pid.to_string(), "chroot"]);
        command
            .arg(format!("--userspec={USER_ID}:{USER_ID}"))
            .arg(&self.root);
        command
            .args(user_environment(&[("XDG_RUNTIME_DIR", "/tmp/screen")]))
            .args(words);
        command
    }
}

const PROC_AND_DEV: &str = "mount --bind /proc \"$1/proc\"; mount --rbind /dev \"$1/dev\";";

fn user_environment(variables: &[(&str, &str)]) -> Vec<String> {
    let fixed = [
        ("HOME", "/home/ada"),
        ("USER", USER),
        ("PATH", "/usr/local/bin:/usr/bin:/bin"),
        ("LC_ALL", "C.UTF-8"),
    ];
    let all = fixed
        .iter()
        .chain(variables)
        .map(|(name, value)| format!("{name}={value}"));
    ["env".to_owned(), "-i".to_owned()]
        .into_iter()
        .chain(all)
        .collect()
}

/// The app; ended when dropped.
struct Running(Child);

impl Running {
    fn check(&mut self) -> Result<()> {
        match self.0.try_wait().context("could not ask for the app")? {
            Some(status) => bail!("session-roam ended with {status}"),
            None => Ok(()),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        proc::stop(&mut self.0, Duration::from_secs(10));
    }
}
