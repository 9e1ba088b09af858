//! A screen in memory with a message bus of its own, so that the app can be displayed without a
//! desktop and never touches the desktop of whoever runs this. Knows nothing of the app.

use crate::proc;
use anyhow::{Context, Result, bail};
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A page with letters and lines has more colours; a blank window, or one with an error, has a
/// handful.
const FEWEST_COLOURS: u32 = 60;

/// Screen and bus end when the value is dropped.
pub struct Screen {
    /// Like `:7`.
    pub display: String,
    dir: PathBuf,
    children: Vec<Child>,
}

impl Screen {
    /// `dir` gets the bus's socket; `user` may connect to it.
    pub fn start(size: &str, dir: &Path, user: u32) -> Result<Self> {
        let mut server = Command::new("Xvfb")
            .args([
                "-displayfd",
                "1",
                "-screen",
                "0",
                &format!("{size}x24"),
                "-nolisten",
                "tcp",
                "-ac",
                "-noreset",
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("could not start Xvfb")?;
        let number = first_line(&mut server).context("Xvfb says no display")?;
        let mut screen = Self {
            display: format!(":{number}"),
            dir: dir.to_owned(),
            children: vec![server],
        };
        screen.start_bus(user)?;
        Ok(screen)
    }

    fn start_bus(&mut self, user: u32) -> Result<()> {
        let (config, socket) = (self.dir.join("bus.conf"), self.dir.join("bus"));
        fs::write(&config, bus_config(&socket))
            .with_context(|| format!("could not write {}", config.display()))?;
        let mut bus = Command::new("dbus-daemon")
            .arg(format!("--config-file={}", config.display()))
            .args(["--nofork", "--nopidfile", "--print-address=1"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("could not start dbus-daemon")?;
        let said = first_line(&mut bus);
        self.children.push(bus);
        said.context("dbus-daemon says no address")?;
        chown(&socket, Some(user), Some(user)).context("could not hand over the bus's socket")
    }

    /// The bus's address where `dir` is named `name`.
    pub fn bus_inside(&self, name: &str) -> String {
        format!("unix:path={name}/bus")
    }

    /// Saves the whole current screen as PNG.
    pub fn photograph(&self, to: &Path) -> Result<()> {
        let dir = to.parent().context("a picture lies in a directory")?;
        fs::create_dir_all(dir).with_context(|| format!("could not make {}", dir.display()))?;
        let import = proc::find("import").context("ImageMagick's import is missing")?;
        let mut command = Command::new(import);
        command
            .args(["-window", "root"])
            .arg(to)
            .env("DISPLAY", &self.display);
        proc::output(&mut command).map(drop)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        for child in self.children.iter_mut().rev() {
            proc::stop(child, Duration::from_secs(2));
        }
    }
}

/// The bus starts no system services: a test starts the services that it needs.
fn bus_config(socket: &Path) -> String {
    format!(
        "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\" \
         \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n\
         <busconfig><type>session</type><listen>unix:path={}</listen><auth>EXTERNAL</auth>\
         <policy context=\"default\"><allow user=\"*\"/><allow own=\"*\"/><allow send_destination=\"*\"/>\
         <allow eavesdrop=\"false\"/></policy></busconfig>\n",
        socket.display()
    )
}

fn first_line(child: &mut Child) -> Option<String> {
    let mut line = String::new();
    BufReader::new(child.stdout.take()?)
        .read_line(&mut line)
        .ok()?;
    Some(line.trim().to_owned()).filter(|line| !line.is_empty())
}

/// Whether there is more to see than an empty window.
pub fn is_painted(picture: &Path) -> Result<bool> {
    let identify = proc::find("identify").context("ImageMagick's identify is missing")?;
    let said = proc::output(Command::new(identify).args(["-format", "%k"]).arg(picture))?;
    Ok(FEWEST_COLOURS <= said.trim().parse().context("identify counts no colours")?)
}

/// Repeats `ask` until the answer is yes.
pub fn until(what: &str, patience: Duration, mut ask: impl FnMut() -> Result<bool>) -> Result<()> {
    let end = Instant::now() + patience;
    while !ask()? {
        if end < Instant::now() {
            bail!("{what}: not within {} s", patience.as_secs());
        }
        std::thread::sleep(Duration::from_millis(300));
    }
    Ok(())
}
