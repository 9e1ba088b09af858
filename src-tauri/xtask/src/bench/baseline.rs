//! Plain Syncthing as people use it today: one shared folder, its own watcher, default settings
//! except for the addresses, which keep it on this machine.

use super::cost;
use super::history::files_below;
use super::latency::{self, SIZES, Times};
use crate::corpus::{Dice, Session, Vocabulary};
use crate::device::Interrupt;
use crate::proc;
use anyhow::{Context, Result};
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Appends in a series: each takes some eleven seconds.
const ROUNDS: usize = 4;

/// One Syncthing process with its home; ends when dropped.
struct Node {
    home: PathBuf,
    id: String,
    port: u16,
    process: Option<Child>,
}

pub fn measure(place: &Path, interrupt: &Interrupt) -> Result<Vec<Times>> {
    let mut nodes = [
        Node::generate(&place.join("a"))?,
        Node::generate(&place.join("b"))?,
    ];
    let vocabulary = Vocabulary::new(&mut Dice::new(21));
    let mut pairs = Vec::new();
    for (seed, (_, bytes)) in SIZES.iter().enumerate() {
        let mut session = Session::new(
            Path::new("/home/ada/work/parser"),
            1_795_000_000_000,
            seed as u64,
        );
        session.write(&nodes[0].folder(), *bytes, &vocabulary)?;
        pairs.push((
            session.path(&nodes[0].folder()),
            session.path(&nodes[1].folder()),
        ));
    }
    let peers = [nodes[0].address(), nodes[1].address()];
    for node in &mut nodes {
        node.configure(&peers)?;
        node.start()?;
    }
    for pair in &pairs {
        latency::wait_equal(pair, interrupt)?;
    }
    let mut dice = Dice::new(22);
    let line = Session::new(Path::new("/home/ada/work/parser"), 1_795_000_000_000, 9)
        .said("user", &"a line of talk ".repeat(40));
    let mut series = vec![Vec::new(); SIZES.len()];
    for round in 1..=ROUNDS {
        std::thread::sleep(Duration::from_millis(1000 + dice.below(9000)));
        // All sizes at the same moment: they wait for the same timer, and the run stays short.
        let times = latency::append_and_wait(&line, &pairs, interrupt)?;
        println!(
            "round {round}: {}",
            times
                .iter()
                .map(|took| format!("{:.1} s", took.as_secs_f64()))
                .collect::<Vec<_>>()
                .join(", ")
        );
        series
            .iter_mut()
            .zip(times)
            .for_each(|(series, took)| series.push(took));
    }
    for pair in &pairs {
        latency::same_bytes(pair)?;
    }
    Ok(series.into_iter().map(Times::new).collect())
}

/// What a transfer took: seconds by the clock, and CPU seconds of both processes.
pub struct Transfer {
    pub took: f64,
    pub cpu: f64,
}

/// All files of a directory from one Syncthing to another, from their start until all are there.
pub fn transfer(place: &Path, store: &Path, interrupt: &Interrupt) -> Result<Transfer> {
    let mut nodes = [
        Node::generate(&place.join("a"))?,
        Node::generate(&place.join("b"))?,
    ];
    let inside = |node: &Node| node.folder().join("store");
    link_all(store, &inside(&nodes[0]))?;
    let wanted = files_below(&inside(&nodes[0]))?;
    let peers = [nodes[0].address(), nodes[1].address()];
    let start = Instant::now();
    for node in &mut nodes {
        node.configure(&peers)?;
        node.start()?;
    }
    let every = Duration::from_millis(500);
    interrupt.until(
        "the files are there",
        Duration::from_secs(3600),
        every,
        || (files_below(&inside(&nodes[1])).ok()? == wanted).then_some(()),
    )?;
    let took = start.elapsed().as_secs_f64();
    let of = |node: &Node| cost::cpu_seconds(node.process.as_ref()?.id());
    let cpu = nodes.iter().map(|node| of(node).unwrap_or(f64::NAN)).sum();
    Ok(Transfer { took, cpu })
}

/// Hard links to all files below a directory: the same files without their space.
fn link_all(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("could not make {}", to.display()))?;
    for entry in fs::read_dir(from).with_context(|| format!("could not read {}", from.display()))? {
        let entry = entry?;
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        match entry.file_type()?.is_dir() {
            true => link_all(&path, &target)?,
            false => fs::hard_link(&path, &target)
                .with_context(|| format!("could not link {}", path.display()))?,
        }
    }
    Ok(())
}

impl Node {
    fn generate(home: &Path) -> Result<Self> {
        fs::create_dir_all(home.join("folder/.stfolder"))
            .with_context(|| format!("could not make {}", home.display()))?;
        let mut node = Self {
            home: home.to_path_buf(),
            id: String::new(),
            port: free_port()?,
            process: None,
        };
        proc::output(
            node.syncthing("generate")
                .arg(format!("--home={}", home.display())),
        )?;
        let config = fs::read_to_string(home.join("config.xml"))
            .context("syncthing generate wrote no config.xml")?;
        let (_, rest) = config
            .split_once("<device id=\"")
            .context("config.xml names no device")?;
        node.id = rest.split('"').next().unwrap_or_default().to_owned();
        Ok(node)
    }

    fn folder(&self) -> PathBuf {
        self.home.join("folder")
    }

    fn address(&self) -> (String, u16) {
        (self.id.clone(), self.port)
    }

    /// Settings not listed here are Syncthing's own defaults, added when it starts. All versions
    /// read version 36.
    fn configure(&self, peers: &[(String, u16)]) -> Result<()> {
        let devices: String = peers
            .iter()
            .map(|(id, port)| format!("<device id=\"{id}\" name=\"{port}\" compression=\"metadata\"><address>tcp://127.0.0.1:{port}</address></device>\n"))
            .collect();
        let members: String = peers
            .iter()
            .map(|(id, _)| format!("<device id=\"{id}\"></device>"))
            .collect();
        let config = format!(
            "<configuration version=\"36\">\n\
             <folder id=\"bench\" label=\"bench\" path=\"{}\" type=\"sendreceive\" rescanIntervalS=\"3600\" fsWatcherEnabled=\"true\" fsWatcherDelayS=\"10\">{members}</folder>\n\
             {devices}<gui enabled=\"true\" tls=\"false\"><address>127.0.0.1:{}</address></gui>\n\
             <options><listenAddress>tcp://127.0.0.1:{}</listenAddress>\n\
             <globalAnnounceEnabled>false</globalAnnounceEnabled><localAnnounceEnabled>false</localAnnounceEnabled>\n\
             <relaysEnabled>false</relaysEnabled><natEnabled>false</natEnabled><startBrowser>false</startBrowser>\n\
             <urAccepted>-1</urAccepted><autoUpgradeIntervalH>0</autoUpgradeIntervalH>\n\
             <crashReportingEnabled>false</crashReportingEnabled><stunKeepaliveStartS>0</stunKeepaliveStartS>\n\
             <reconnectionIntervalS>5</reconnectionIntervalS></options>\n</configuration>\n",
            self.folder().display(),
            free_port()?,
            self.port
        );
        fs::write(self.home.join("config.xml"), config).context("could not write config.xml")
    }

    fn start(&mut self) -> Result<()> {
        let log = fs::File::create(self.home.join("syncthing.log"))?;
        let mut command = self.syncthing("serve");
        command
            .args(["--no-browser", "--no-restart"])
            .arg(format!("--home={}", self.home.display()));
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        self.process = Some(command.spawn().context("could not start syncthing")?);
        Ok(())
    }

    fn syncthing(&self, verb: &str) -> Command {
        let mut command = Command::new("syncthing");
        // STMONITORED: one process, so that ending it ends it.
        command
            .arg(verb)
            .env("HOME", &self.home)
            .env("STMONITORED", "yes")
            .env("STNOUPGRADE", "1");
        command
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            proc::stop(&mut process, Duration::from_secs(10));
        }
    }
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
