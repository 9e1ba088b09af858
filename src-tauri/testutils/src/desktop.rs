//! A desktop of a test's own: an X server, a session bus without any system service, a HOME, and
//! the tray app. Nothing here touches the desktop of the user who runs the tests, and tests run in
//! parallel.

pub mod browser;
pub mod panel;

use crate::isolation::wait_for;
use crate::programs::{built, target_dir};
use serde::de::DeserializeOwned;
use serde_json::Value;
use session_roam_core::api::{AskingDevice, Device, Devices, Request, Status, socket};
use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Once;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

/// Far longer than any step takes: this limit finds steps that never finish.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Ports below the system's ephemeral range. Each test has a network namespace to itself.
static NEXT_PORT: AtomicU16 = AtomicU16::new(22301);

pub struct Desktop {
    pub name: String,
    pub home: PathBuf,
    pub roam_home: PathBuf,
    pub bus_address: String,
    pub display: String,
    root: tempfile::TempDir,
    // Dropped in this order.
    app: Option<Child>,
    bus: Child,
    xvfb: Child,
}

impl Desktop {
    pub fn new(name: &str) -> Self {
        let root = tempfile::tempdir().expect("a directory");
        let (home, roam_home) = (root.path().join("home"), root.path().join("roam"));
        for dir in [
            &home,
            &roam_home,
            &root.path().join("run"),
            &root.path().join("tmp"),
        ] {
            fs::create_dir_all(dir).expect("a directory");
            fs::set_permissions(dir, fs::Permissions::from_mode(0o700)).expect("our own directory");
        }
        let (xvfb, display) = x_server();
        let (bus, bus_address) = session_bus(root.path());
        let desktop = Self {
            name: name.into(),
            home,
            roam_home,
            bus_address,
            display,
            root,
            app: None,
            bus,
            xvfb,
        };
        desktop.write_config();
        desktop
    }

    /// The user has completed the first steps.
    pub fn not_new(self) -> Self {
        fs::write(self.roam_home.join("first-run-done"), "").expect("a marker");
        self
    }

    fn write_config(&self) {
        let syncthing =
            std::env::var("SESSION_ROAM_TEST_SYNCTHING").map(|path| format!("binary = {path:?}\n"));
        let config = format!(
            "name = {:?}\n\n[network]\nglobal_discovery = false\nlocal_discovery = false\nrelays = false\n\
             listen = [\"tcp://127.0.0.1:{}\"]\n\n[syncthing]\n{}\n[projects]\nsearch = [{:?}]\n",
            self.name,
            NEXT_PORT.fetch_add(1, Ordering::Relaxed),
            syncthing.unwrap_or_default(),
            self.home.join("code"),
        );
        fs::write(self.roam_home.join("config.toml"), config).expect("config.toml");
    }

    /// A program as this desktop's user would start it, with nothing else in its environment.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .current_dir(&self.home)
            .env("HOME", &self.home)
            .env(
                "PATH",
                format!(
                    "{}:{}",
                    self.bin().display(),
                    std::env::var("PATH").expect("there is a PATH")
                ),
            )
            .env("SHELL", "/bin/sh")
            .env("LANG", "C.UTF-8")
            .env("TMPDIR", self.root.path().join("tmp"))
            .env("DISPLAY", &self.display)
            .env("DBUS_SESSION_BUS_ADDRESS", &self.bus_address)
            .env("XDG_RUNTIME_DIR", self.root.path().join("run"))
            .env("NO_AT_BRIDGE", "1") // no screen reader bridge: there is no bus for it
            .env("SESSION_ROAM_HOME", &self.roam_home)
            .stdin(Stdio::null());
        command
    }

    /// Programs of this desktop, found before the system's.
    fn bin(&self) -> PathBuf {
        self.root.path().join("bin")
    }

    /// A terminal that shows nothing and writes down which command it was to run, and where.
    pub fn put_terminal(&self) -> PathBuf {
        let (program, told) = (
            self.bin().join("x-terminal-emulator"),
            self.root.path().join("terminal"),
        );
        fs::create_dir_all(self.bin()).expect("a directory");
        let text = format!(
            "#!/bin/sh\nprintf '%s\\n' \"$PWD\" \"$@\" > {0}.new && mv {0}.new {0}\n",
            told.display()
        );
        fs::write(&program, text).expect("a terminal");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).expect("our own file");
        told
    }

    /// The tray app under test; `SESSION_ROAM_BIN` names an installed one.
    pub fn binary() -> PathBuf {
        std::env::var_os("SESSION_ROAM_BIN").map_or_else(|| built("session-roam"), Into::into)
    }

    pub fn start(&mut self, words: &[&str]) {
        let mut command = self.command(Self::binary());
        let log = self.log();
        command
            .args(words)
            .stdout(log.try_clone().expect("a log"))
            .stderr(log);
        self.app = Some(command.spawn().expect("the tray app starts"));
    }

    pub fn log(&self) -> fs::File {
        fs::File::options()
            .create(true)
            .append(true)
            .open(self.root.path().join("app.log"))
            .expect("a log")
    }

    /// Starts the app a second time beside the running one, and waits for the second process to
    /// end.
    pub fn start_second(&self, words: &[&str]) {
        let mut second = self
            .command(Self::binary())
            .args(words)
            .stderr(self.log())
            .spawn()
            .expect("it starts");
        let ended = wait_for("the second start to end", PATIENCE, || {
            second.try_wait().ok().flatten().ok_or("runs".into())
        });
        assert!(ended.success(), "{ended}");
    }

    pub fn pid(&self) -> u32 {
        self.app.as_ref().expect("it was started").id()
    }

    /// The process of the windows, if there is one.
    pub fn window_process(&self) -> Option<u32> {
        // Listed for the thread that started it, which may have been any.
        let tasks = fs::read_dir(format!("/proc/{}/task", self.pid()));
        let tasks = tasks.expect("its threads").flatten();
        let lists = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
        let pids: Vec<u32> = lists
            .collect::<String>()
            .split_whitespace()
            .filter_map(|pid| pid.parse().ok())
            .collect();
        pids.into_iter().find(|pid| {
            let program = fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
            program.ends_with("session-roam-window")
        })
    }

    /// Ends a process without any warning.
    pub fn kill(&self, pid: u32) {
        let killed = Command::new("kill")
            .args(["-KILL", &pid.to_string()])
            .status();
        assert!(killed.expect("kill").success());
    }

    /// The desktop session ends.
    pub fn end_display(&mut self) {
        let killed = self.xvfb.kill().and_then(|()| self.xvfb.wait());
        killed.expect("the X server ends");
    }

    /// Waits for the tray app to end by itself.
    pub fn ended(&mut self) {
        let mut app = self.app.take().expect("it was started");
        let status = wait_for("the tray app to end", PATIENCE, || {
            app.try_wait().ok().flatten().ok_or("it runs".into())
        });
        assert!(status.success(), "{status}. {}", self.log_text());
    }

    pub fn ask<T: DeserializeOwned>(&self, request: &Request) -> Result<T, String> {
        let answer = socket::call(&self.roam_home, request).map_err(|error| error.to_string())?;
        serde_json::from_value(answer).map_err(|error| error.to_string())
    }

    pub fn status(&self) -> Result<Status, String> {
        self.ask(&Request::Status)
    }

    pub fn wait_running(&self) {
        wait_for(
            &format!("the engine of {} and its Syncthing to run", self.name),
            PATIENCE,
            || {
                let status = self.status()?;
                let is_up = status.engine.as_str() == "running"
                    && status.syncthing.state.as_str() == "running";
                if is_up {
                    Ok(())
                } else {
                    Err(format!("{status:?}"))
                }
            },
        );
    }

    /// Titles of the visible windows.
    pub fn windows(&self) -> Vec<String> {
        self.window_rows()
            .into_iter()
            .map(|(_, title)| title)
            .collect()
    }

    /// `0x200003 "session-roam": ("session-roam" "Session-roam")  960x640+0+0  +0+0`; helper
    /// windows of the toolkit are small. A window that disappears while `xwininfo` lists makes it
    /// fail halfway; then it runs again.
    fn window_rows(&self) -> Vec<(std::ffi::c_ulong, String)> {
        let tree = wait_for("a list of the windows", PATIENCE, || {
            let listed = self
                .command("xwininfo")
                .args(["-root", "-tree"])
                .output()
                .expect("xwininfo (x11-utils)");
            match listed.status.success() {
                true => Ok(String::from_utf8_lossy(&listed.stdout).into_owned()),
                false => Err(String::from_utf8_lossy(&listed.stderr).into_owned()),
            }
        });
        let row = |line: &str| {
            let (id, rest) = line.trim().strip_prefix("0x")?.split_once(' ')?;
            let width: u32 = rest
                .split(')')
                .nth(1)?
                .trim()
                .split('x')
                .next()?
                .parse()
                .ok()?;
            let title = rest.split('"').nth(1)?.to_owned();
            let is_ours = rest.contains("(\"session-roam\"") && 300 < width;
            is_ours.then(|| Some((std::ffi::c_ulong::from_str_radix(id, 16).ok()?, title)))?
        };
        tree.lines()
            .filter_map(row)
            .filter(|(id, _)| self.can_be_seen(*id))
            .collect()
    }

    /// The list includes windows that exist and are not shown yet; nobody could click on anything
    /// in them.
    fn can_be_seen(&self, window: std::ffi::c_ulong) -> bool {
        let asked = self
            .command("xwininfo")
            .args(["-id", &window.to_string()])
            .output()
            .expect("xwininfo (x11-utils)");
        String::from_utf8_lossy(&asked.stdout).contains("Map State: IsViewable")
    }

    /// The id of the window, in the form that X's tools accept.
    pub fn window_id(&self) -> std::ffi::c_ulong {
        self.window_rows().into_iter().next().expect("a window").0
    }

    pub fn wait_windows(&self, n_windows: usize) {
        wait_for(&format!("{n_windows} windows"), PATIENCE, || {
            match self.windows() {
                windows if windows.len() == n_windows => Ok(()),
                windows => Err(format!("{windows:?}. {}", self.log_text())),
            }
        });
    }

    /// Closes the window as its close button does: the window is asked to close, not destroyed.
    pub fn close_window(&self) {
        ask_to_close(&self.display, self.window_id());
    }

    /// A picture of the whole screen, kept for inspection.
    pub fn picture(&self, name: &str) {
        let file = self.screenshot(name);
        fs::create_dir_all(screenshots()).expect("a directory");
        wait_for("a picture with something on it", PATIENCE, || {
            let taken = self
                .command("import")
                .args(["-window", "root"])
                .arg(&file)
                .status();
            assert!(
                taken.expect("import (imagemagick)").success(),
                "{}",
                file.display()
            );
            match fs::metadata(&file).map(|facts| facts.len()) {
                Ok(3000..) => Ok(()),
                size => Err(format!("{size:?} bytes")),
            }
        });
    }

    /// Where that picture is.
    pub fn screenshot(&self, name: &str) -> PathBuf {
        screenshots().join(format!("{name}-{}.png", self.name))
    }

    pub fn log_text(&self) -> String {
        let mut text = String::new();
        for file in [
            self.root.path().join("app.log"),
            self.roam_home.join("logs/tray.log"),
        ] {
            text += &fs::read_to_string(file).unwrap_or_default();
        }
        text
    }
}

/// Pairs as two people with two screens would: the code of one is entered on the other, and the
/// first approves it.
pub fn pair(one: &Desktop, other: &Desktop) {
    let device = |desktop: &Desktop| desktop.ask::<Device>(&Request::Device).expect("a device");
    let (code, id) = (device(one).code, device(other).id);
    let _asked: Value = other.ask(&Request::Pair { code }).expect("it asks");
    wait_for("the other device to ask", PATIENCE, || {
        let devices: Devices = one.ask(&Request::Devices)?;
        let proved = |asking: &AskingDevice| asking.id == id && asking.has_code;
        match devices.asking.iter().any(proved) {
            true => Ok(()),
            false => Err(format!("{devices:?}")),
        }
    });
    let _paired: Value = one
        .ask(&Request::Accept { id, digits: None })
        .expect("a yes");
}

impl Drop for Desktop {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("=== {}\n{}", self.name, self.log_text());
            let _ = self
                .command("import")
                .args(["-window", "root"])
                .arg(screenshots().join(format!("failed-{}.png", self.name)))
                .status();
        }
        for child in self.app.iter_mut() {
            let _ = Command::new("kill")
                .args(["-TERM", &child.id().to_string()])
                .status();
            for _ in 0..500 {
                if matches!(child.try_wait(), Ok(Some(_))) {
                    break;
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        for child in self.app.iter_mut().chain([&mut self.bus, &mut self.xvfb]) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn screenshots() -> PathBuf {
    target_dir().join("screenshots")
}

/// The server chooses its own display number and prints it. It finds a free one by sockets, which
/// network namespaces do not share, and also creates a file, so the directory of these files is
/// made the test's own.
fn x_server() -> (Child, String) {
    static OWN_SOCKETS: Once = Once::new();
    // A benchmark runs by itself, without a namespace.
    let is_alone = std::env::var_os("SESSION_ROAM_TEST_ALONE").is_some();
    OWN_SOCKETS.call_once(|| {
        if !is_alone {
            return;
        }
        fs::create_dir_all("/tmp/.X11-unix").expect("a directory for sockets");
        let words = ["-t", "tmpfs", "-o", "mode=1777", "tmpfs", "/tmp/.X11-unix"];
        assert!(
            Command::new("mount")
                .args(words)
                .status()
                .expect("mount")
                .success()
        );
    });
    let words = [
        "-displayfd",
        "1",
        "-screen",
        "0",
        "1280x800x24",
        "-nolisten",
        "tcp",
    ];
    // The lock file is shared by all tests: another one may be at the same number at this moment.
    wait_for("an X server", PATIENCE, || {
        let xvfb = Command::new("Xvfb")
            .args(words)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut xvfb = xvfb.map_err(|error| format!("Xvfb: {error}"))?;
        let number = first_line(xvfb.stdout.take().expect("piped"));
        if number.is_empty() {
            let _ = xvfb.wait();
            return Err("Xvfb ended at its start".into());
        }
        Ok((xvfb, format!(":{number}")))
    })
}

/// WM_DELETE_WINDOW, as a window manager sends it.
fn ask_to_close(display: &str, window: std::ffi::c_ulong) {
    use x11_dl::xlib::{
        ClientMessage, ClientMessageData, CurrentTime, XClientMessageEvent, XEvent, Xlib,
    };
    let xlib = Xlib::open().expect("libX11");
    let display = std::ffi::CString::new(display).expect("a display's name");
    // SAFETY: the names are C strings, the event is complete, and the connection is used by nobody
    // else and then closed.
    unsafe {
        let server = (xlib.XOpenDisplay)(display.as_ptr());
        assert!(!server.is_null(), "the X server answers");
        let atom = |name: &std::ffi::CStr| (xlib.XInternAtom)(server, name.as_ptr(), 0);
        let mut data = ClientMessageData::new();
        data.set_long(0, atom(c"WM_DELETE_WINDOW") as std::ffi::c_long);
        data.set_long(1, CurrentTime as std::ffi::c_long);
        let message = XClientMessageEvent {
            type_: ClientMessage,
            serial: 0,
            send_event: 1,
            display: server,
            window,
            message_type: atom(c"WM_PROTOCOLS"),
            format: 32,
            data,
        };
        (xlib.XSendEvent)(
            server,
            window,
            0,
            0,
            &mut XEvent {
                client_message: message,
            },
        );
        (xlib.XCloseDisplay)(server);
    }
}

fn session_bus(root: &Path) -> (Child, String) {
    let config = root.join("bus.conf");
    let text = format!(
        "<busconfig><type>session</type><listen>unix:path={}</listen><auth>EXTERNAL</auth>\
         <policy context=\"default\"><allow send_destination=\"*\" eavesdrop=\"true\"/><allow eavesdrop=\"true\"/>\
         <allow own=\"*\"/></policy></busconfig>",
        root.join("bus").display()
    );
    fs::write(&config, text).expect("bus.conf");
    let config = format!("--config-file={}", config.display());
    let words = [config.as_str(), "--nofork", "--print-address=1"];
    let bus = Command::new("dbus-daemon")
        .args(words)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let mut bus = bus.expect("dbus-daemon");
    let address = first_line(bus.stdout.take().expect("piped"));
    assert!(!address.is_empty(), "dbus-daemon did not start");
    (bus, address)
}

fn first_line(output: impl Read) -> String {
    let mut line = String::new();
    let _ = BufReader::new(output).read_line(&mut line);
    line.trim().to_owned()
}
