//! A world in which a course of happenings takes place: engines, tools and the network, and a
//! record of everything any tool ever wrote.

use super::clients::{Scene, Window};
use super::forget::settle_quickly;
use super::happening::{Crash, Happening, Heard, Kind, What};
use super::shape::Shapes;
use crate::stories::world::{Device, START, World, tree};
use session_roam_core::api::{Done, Request, Side, SplitRow};
use session_roam_core::engine::event::Event;
use session_roam_core::session::{Millis, SessionId};
use session_roam_core::syncthing::Notice;
use session_roam_core::tools::{self, Found, Tool, Which};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

const NAMES: [&str; 5] = ["desk", "lap", "box", "nas", "old"];
const REMOTE: &str = "git@github.com:acme/api.git";
/// Between two happenings.
const STEP_MS: i64 = 7_000;

/// A line that some tool wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    pub session: String,
    /// The line is part of the conversation.
    pub says: bool,
}

pub struct Play {
    pub world: World,
    pub places: Vec<PathBuf>,
    pub tools: Vec<(Kind, Arc<dyn Tool>)>,
    begun: usize,
    /// How often each device's tools wrote.
    writes: Vec<usize>,
    windows: Vec<Window>,
    /// The files of open sessions as their tools last wrote them.
    guarded: BTreeMap<(usize, String), BTreeMap<PathBuf, Vec<u8>>>,
    /// Every whole line ever written, without the session's own id.
    pub said: BTreeMap<Vec<u8>, Said>,
    /// Sessions whose own tool removed lines.
    cut: BTreeSet<String>,
    /// Devices and the sessions that the user deleted there.
    deleted: BTreeSet<(usize, String)>,
    /// Forks, and the sessions they came from.
    parents: BTreeMap<String, String>,
    /// Sessions with a branch that the user put away.
    pub put_away: BTreeSet<String>,
    /// Sessions with two branches that the user joined into one.
    pub joined: BTreeSet<String>,
    /// A session was forgotten.
    pub forgot: bool,
    /// Devices and the keys of sessions that they have removed.
    pub gone: BTreeSet<(usize, String)>,
    /// Keys of the sessions that are forgotten in the end.
    pub forgotten: BTreeSet<String>,
    /// Arrivals not yet announced.
    bag: Vec<(usize, Notice)>,
    skew: Vec<i64>,
    /// The user decided which devices are trusted.
    pub trusted: bool,
    /// One side ended a pairing.
    pub unpaired: bool,
    ticks: i64,
    shapes: Shapes,
    pub visited: Vec<u64>,
}

impl Play {
    /// Devices that know each other, and a session of each tool on all of them.
    pub fn begin(root: &Path, n_devices: usize) -> Self {
        let mut world = World::asleep_at(root, &NAMES[..n_devices]);
        let place = |at: usize| world.devices[at].project(&format!("api-{at}"), REMOTE);
        let places = (0..n_devices).map(place).collect();
        world
            .devices
            .iter()
            .for_each(|device| settle_quickly(&device.roam));
        world.devices.iter_mut().for_each(Device::start);
        acquaint(&mut world);
        let kinds = [Kind::Claude, Kind::Codex];
        let mut play = Self {
            world,
            places,
            tools: kinds.into_iter().zip(tools::all(&[])).collect(),
            begun: 0,
            writes: vec![0; n_devices],
            windows: Vec::new(),
            guarded: BTreeMap::new(),
            said: BTreeMap::new(),
            cut: BTreeSet::new(),
            deleted: BTreeSet::new(),
            parents: BTreeMap::new(),
            put_away: BTreeSet::new(),
            joined: BTreeSet::new(),
            forgot: false,
            gone: BTreeSet::new(),
            forgotten: BTreeSet::new(),
            bag: Vec::new(),
            skew: vec![0; n_devices],
            trusted: false,
            unpaired: false,
            ticks: 0,
            shapes: Shapes::default(),
            visited: Vec::new(),
        };
        for kind in kinds {
            play.start_session(0, kind, Heard::Done);
        }
        play.world.deliver();
        play
    }

    /// Plays one happening. The error states what must not be the case afterwards.
    pub fn happen(&mut self, happening: Happening) -> Result<(), String> {
        self.ticks += 1;
        self.set_clocks();
        self.act(happening);
        let open: Vec<(usize, String)> = self
            .windows
            .iter()
            .map(|window| (window.device, window.session.clone()))
            .collect();
        self.visited
            .push(self.shapes.of(&self.world.devices, &open));
        self.nobody_deals_with_who_is_out()?;
        self.nothing_forgotten_returns()?;
        self.open_sessions_are_untouched()
    }

    fn act(&mut self, happening: Happening) {
        let n = self.world.devices.len();
        match happening {
            Happening::Begin {
                device,
                kind,
                heard,
            } => self.start_session(device % n, kind, heard),
            Happening::Open {
                device,
                session,
                notes,
                heard,
            } => self.open(device % n, session, notes, heard),
            Happening::Write {
                device,
                session,
                what,
                heard,
            } => self.write(device % n, session, what, heard),
            Happening::Close {
                device,
                window,
                dies,
                heard,
            } => self.close(device % n, window, dies, heard),
            Happening::Cut {
                device,
                session,
                lines,
            } => self.cut_lines(device % n, session, lines),
            Happening::Delete {
                device,
                session,
                all,
            } => self.delete(device % n, session, all),
            Happening::Restore { device, session } => self.restore(device % n, session),
            Happening::Resolve {
                device,
                split,
                choice,
                branch,
            } => self.resolve(device % n, split, choice, branch),
            Happening::Forget { device, session } => self.forget(device % n, session),
            Happening::Undo { device } => {
                if self.world.devices[device % n].is_running() {
                    drop(self.world.devices[device % n].try_ask(Request::Undo { session: None }));
                }
            }
            Happening::Work { device, pieces } => {
                let device = &mut self.world.devices[device % n];
                for _ in 0..pieces {
                    device.work();
                }
            }
            Happening::Poll { device } => self.world.devices[device % n].poll(),
            Happening::Crash { device, how } => self.crash(device % n, how),
            Happening::Switch { device } => match &mut self.world.devices[device % n] {
                device if device.is_running() => device.stop(),
                device => device.start(),
            },
            Happening::Clock { device, minutes } => {
                self.skew[device % n] = minutes * 60_000;
                self.set_clocks();
            }
            Happening::Trust { device, of, how } => self.trust(device % n, of, how),
            Happening::Part { way } => {
                let (one, other) = self.way(way);
                self.world.part(one, other);
            }
            Happening::Meet { way } => {
                let (one, other) = self.way(way);
                self.world.reach.insert((one.min(other), one.max(other)));
            }
            Happening::Carry { way, pick } => self.carry(way, pick),
            Happening::Tell { which, again } => self.tell(which, again),
            Happening::Deliver => self.world.deliver(),
        }
    }

    // ---- the network ----

    fn way(&self, way: usize) -> (usize, usize) {
        let n = self.world.devices.len();
        let ways: Vec<_> = (0..n)
            .flat_map(|one| (0..n).map(move |other| (one, other)))
            .collect();
        let ways: Vec<_> = ways
            .into_iter()
            .filter(|(one, other)| one != other)
            .collect();
        ways[way % ways.len()]
    }

    fn carry(&mut self, way: usize, pick: u8) {
        let (from, to) = self.way(way);
        if !self.world.reach.contains(&(from.min(to), from.max(to))) {
            return;
        }
        let picked =
            |path: &str| pick >> (blake3::hash(path.as_bytes()).as_bytes()[0] % 8) & 1 == 1;
        let notices = self
            .world
            .ledger
            .carry(&self.world.devices, from, to, picked);
        self.bag
            .extend(notices.into_iter().map(|notice| (to, notice)));
    }

    fn tell(&mut self, which: usize, again: bool) {
        if self.bag.is_empty() {
            return;
        }
        let at = which % self.bag.len();
        let (to, notice) = if again {
            self.bag[at].clone()
        } else {
            self.bag.remove(at)
        };
        self.world.devices[to].notice(notice);
    }

    // ---- the devices ----

    fn set_clocks(&mut self) {
        for (device, skew) in self.world.devices.iter().zip(&self.skew) {
            device.set_clock(START + self.ticks * STEP_MS + skew);
        }
    }

    fn now(&self, device: usize) -> Millis {
        Millis(START + self.ticks * STEP_MS + self.skew[device])
    }

    fn crash(&mut self, at: usize, how: Crash) {
        let device = &mut self.world.devices[at];
        if !device.is_running() {
            return;
        }
        match how {
            Crash::Idle => device.stop(),
            Crash::Looked => {
                device.tell(Event::ScanAll);
                device.look_and_die();
            }
            Crash::Torn(part) => {
                let (before, store) = (segments(device), tree(&device.machine().home));
                device.tell(Event::ScanAll);
                device.look_and_die();
                // Records are synced to the disk before anything in a store is written because of
                // them.
                if tree(&device.machine().home) == store {
                    tear(&before, &segments(device), part);
                }
            }
            Crash::StateLost => {
                device.stop();
                for name in ["state.sqlite", "state.sqlite-wal", "state.sqlite-shm"] {
                    drop(fs::remove_file(device.roam.join(name)));
                }
            }
        }
        device.start();
    }

    // ---- the tools ----

    fn tool(&self, kind: Kind) -> &Arc<dyn Tool> {
        &self
            .tools
            .iter()
            .find(|(known, _)| *known == kind)
            .expect("every kind has a tool")
            .1
    }

    /// The sessions in a device's store, in the order of their ids.
    pub fn present(&self, device: usize) -> Vec<(Kind, Found)> {
        let machine = self.world.devices[device].machine();
        let listed = |(kind, tool): &(Kind, Arc<dyn Tool>)| {
            let found = tool.sessions(&machine, Which::All).found;
            found
                .into_iter()
                .map(|found| (*kind, found))
                .collect::<Vec<_>>()
        };
        let mut present: Vec<_> = self.tools.iter().flat_map(listed).collect();
        present.sort_by(|(_, one), (_, other)| one.session.cmp(&other.session));
        present
    }

    pub fn pick(&self, device: usize, session: usize) -> Option<(Kind, Found)> {
        let mut present = self.present(device);
        let n = present.len();
        (n > 0).then(|| present.swap_remove(session % n))
    }

    fn window(&mut self, device: usize, session: &str) -> Option<&mut Window> {
        self.windows
            .iter_mut()
            .find(|window| window.device == device && window.session == session)
    }

    fn start_session(&mut self, device: usize, kind: Kind, heard: Heard) {
        const MOST: usize = 6;
        if self.begun == MOST {
            return;
        }
        self.begun += 1;
        let session = format!("{:08x}-5e55-4000-8000-{device:012x}", self.begun);
        let path = match kind {
            Kind::Claude => self.world.devices[device].transcript(&self.places[device], &session),
            Kind::Codex => self.world.devices[device].rollout(&session),
        };
        let bytes = self.scene(device, &session, b"", |scene| scene.beginning(kind));
        self.put_down(device, kind, &session, &path, &bytes);
        self.heard(device, path, heard);
    }

    fn open(&mut self, device: usize, session: usize, notes: bool, heard: Heard) {
        let Some((kind, found)) = self.pick(device, session) else {
            return;
        };
        let session = found.session.to_string();
        if self.window(device, &session).is_some() {
            return;
        }
        let window = Window::open(kind, device, &self.world.devices[device].home, &session);
        let sign = window.sign().to_path_buf();
        self.windows.push(window);
        self.guard(device, &found);
        if notes {
            self.note_down(device, kind, &found, What::Note);
        }
        self.heard(device, sign, heard);
    }

    fn write(&mut self, device: usize, session: usize, what: What, heard: Heard) {
        let Some((kind, found)) = self.pick(device, session) else {
            return;
        };
        let path = self.note_down(device, kind, &found, what);
        self.heard(device, path, heard);
    }

    /// Lets the tool write; returns the file.
    fn note_down(&mut self, device: usize, kind: Kind, found: &Found, what: What) -> PathBuf {
        let session = found.session.to_string();
        let main = found.docs[0].path.clone();
        // A subagent's log has a random name; resuming the subagent continues its log.
        let logs = found
            .docs
            .iter()
            .filter(|doc| doc.path.to_string_lossy().contains("agent-log"));
        let known = logs
            .map(|doc| doc.path.clone())
            .next()
            .filter(|_| self.writes[device].is_multiple_of(2));
        let new = format!("subagents/agent-log{device}-{}.jsonl", self.writes[device]);
        let beside = known.unwrap_or_else(|| main.with_extension("").join(new));
        let todos = self.world.devices[device]
            .claude()
            .join(format!("todos/{session}-agent-{session}.json"));
        match (kind, what) {
            (Kind::Claude, What::Subagent) => {
                let bytes = self.scene(device, &session, b"", |scene| scene.subagent());
                self.put_down(device, kind, &session, &beside, &bytes);
                beside
            }
            (Kind::Claude, What::Todos) => {
                let bytes = self.scene(device, &session, b"", |scene| scene.todos());
                fs::create_dir_all(todos.parent().expect("parent")).expect("dir");
                fs::write(&todos, bytes).expect("write");
                self.stamp(&todos);
                self.guard_again(device, &session);
                todos
            }
            _ => {
                let file = fs::read(&main).expect("doc");
                let bytes = self.scene(device, &session, &file, |scene| scene.lines(kind, what));
                let half = if what == What::Half {
                    bytes.len() / 3
                } else {
                    bytes.len()
                };
                self.put_down(device, kind, &session, &main, &bytes[..half]);
                if let Some(window) = self.window(device, &session) {
                    window.rest = bytes[half..].to_vec();
                }
                main
            }
        }
    }

    fn scene<T>(
        &mut self,
        device: usize,
        session: &str,
        file: &[u8],
        make: impl FnOnce(Scene<'_>) -> T,
    ) -> T {
        self.writes[device] += 1;
        let number = (device, self.writes[device]);
        let cwd = self.places[device].to_string_lossy().replace('\\', "\\\\");
        let word = format!("d{device}w{}", number.1);
        make(Scene {
            session,
            cwd: &cwd,
            word,
            number,
            now: self.now(device),
            file,
        })
    }

    /// Appends as the tool does: it finishes its own half line first; after a half line of another
    /// process it begins a new one.
    fn put_down(&mut self, device: usize, kind: Kind, session: &str, path: &Path, bytes: &[u8]) {
        fs::create_dir_all(path.parent().expect("parent")).expect("dir");
        let rest = self
            .window(device, session)
            .map(|window| std::mem::take(&mut window.rest))
            .unwrap_or_default();
        let torn = fs::read(path).is_ok_and(|file| file.last().is_some_and(|byte| *byte != b'\n'));
        let first = if rest.is_empty() && torn {
            b"\n".to_vec()
        } else {
            rest
        };
        let mut file = fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(path)
            .expect("open");
        file.write_all(&[&first, bytes].concat()).expect("append");
        drop(file);
        self.stamp(path);
        self.remember(kind, session, path);
        self.guard_again(device, session);
    }

    /// Distinguishes two writes within one tick of the file system's clock, in the same way in
    /// every run.
    fn stamp(&mut self, path: &Path) {
        self.ticks += 1;
        let at =
            Duration::from_millis((START + self.ticks * STEP_MS) as u64) + Duration::from_micros(1);
        let file = File::options().append(true).open(path).expect("open");
        file.set_modified(SystemTime::UNIX_EPOCH + at)
            .expect("a time");
    }

    fn remember(&mut self, kind: Kind, session: &str, path: &Path) {
        let says = self.tool(kind).about().is_message;
        for line in fs::read(path)
            .expect("doc")
            .split_inclusive(|byte| *byte == b'\n')
        {
            if line.ends_with(b"\n") {
                let said = Said {
                    session: session.to_owned(),
                    says: says(line),
                };
                self.said.entry(nameless(line, session)).or_insert(said);
            }
        }
    }

    fn heard(&mut self, device: usize, path: PathBuf, heard: Heard) {
        let device = &mut self.world.devices[device];
        match heard {
            Heard::Not => {}
            Heard::Queued => device.tell(Event::Touched(vec![path])),
            Heard::Done => device.touch(&path),
        }
    }

    fn close(&mut self, device: usize, which: usize, dies: bool, heard: Heard) {
        let open: Vec<usize> = (0..self.windows.len())
            .filter(|at| self.windows[*at].device == device)
            .collect();
        if open.is_empty() {
            return;
        }
        let at = open[which % open.len()];
        self.close_window(at, dies, heard);
    }

    fn close_window(&mut self, at: usize, dies: bool, heard: Heard) {
        let (device, session) = (self.windows[at].device, self.windows[at].session.clone());
        if !dies && !self.windows[at].rest.is_empty() {
            let (kind, found) = self
                .found(device, &session)
                .expect("an open session is there");
            self.put_down(device, kind, &session, &found.docs[0].path, b"");
        }
        let window = self.windows.remove(at);
        self.guarded.remove(&(device, session));
        let sign = window.sign().to_path_buf();
        window.close(dies);
        self.heard(device, sign, heard);
    }

    fn found(&self, device: usize, session: &str) -> Option<(Kind, Found)> {
        self.present(device)
            .into_iter()
            .find(|(_, found)| found.session.as_str() == session)
    }

    /// Whether the engine has seen all of a session that nobody has open: anything the user removes
    /// now is in the vault.
    fn is_recorded(&mut self, device: usize, found: &Found) -> bool {
        let session = found.session.to_string();
        if self.window(device, &session).is_some() || !self.world.devices[device].is_running() {
            return false;
        }
        self.world.devices[device].touch(&found.docs[0].path);
        self.found(device, &session)
            .is_some_and(|(_, now)| now.docs == found.docs)
    }

    fn cut_lines(&mut self, device: usize, session: usize, lines: usize) {
        let Some((_, found)) = self.pick(device, session) else {
            return;
        };
        let path = found.docs[0].path.clone();
        if !self.is_recorded(device, &found) {
            return;
        }
        let bytes = fs::read(&path).expect("doc");
        let all: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
        if all.len() <= lines + 2 {
            return;
        }
        fs::write(&path, all[..all.len() - lines].concat()).expect("write");
        self.stamp(&path);
        self.cut.insert(found.session.to_string());
        self.world.devices[device].touch(&path);
    }

    fn delete(&mut self, device: usize, session: usize, all: bool) {
        let Some((_, found)) = self.pick(device, session) else {
            return;
        };
        if !self.is_recorded(device, &found) {
            return;
        }
        let gone = if all {
            &found.docs[..]
        } else {
            &found.docs[..1]
        };
        gone.iter()
            .for_each(|doc| fs::remove_file(&doc.path).expect("a doc"));
        self.deleted.insert((device, found.session.to_string()));
        self.world.devices[device].touch(&found.docs[0].path);
    }

    fn restore(&mut self, device: usize, session: usize) {
        if !self.world.devices[device].is_running() {
            return;
        }
        let gone: Vec<String> = self
            .deleted
            .iter()
            .filter(|(on, _)| *on == device)
            .map(|(_, session)| session.clone())
            .collect();
        if let Some(session) = gone.get(session % gone.len().max(1)).cloned() {
            drop(self.world.devices[device].try_ask(Request::Restore { session }));
        }
    }

    // ---- the user's decisions ----

    /// A choice that is not offered is refused, which changes nothing.
    fn resolve(&mut self, device: usize, split: usize, choice: usize, branch: usize) {
        const CHOICES: [&str; 5] = ["keep-both", "keep-left", "keep-right", "stitch", "branches"];
        if !self.world.devices[device].is_running() {
            return;
        }
        let splits = self.world.devices[device].splits();
        let Some(split) = splits.get(split % splits.len().max(1)) else {
            return;
        };
        let others = &split.branches[1..];
        let branch = others
            .get(branch % others.len().max(1))
            .map(|branch| branch.branch.clone());
        let active = Some([Side::Left, Side::Right][choice % 2]);
        let choice = CHOICES[choice % CHOICES.len()];
        self.note_forks(&splits);
        let request = Request::Resolve {
            session: split.session.clone(),
            choice: choice.into(),
            branch,
            beside: None,
            active,
        };
        if self.world.devices[device].try_ask(request).is_ok() {
            let root = self.root(&split.session);
            match choice {
                "keep-both" => {}
                "keep-left" | "keep-right" => drop(self.put_away.insert(root)),
                _ => drop(self.joined.insert(root)),
            }
        }
    }

    pub fn note_forks(&mut self, splits: &[SplitRow]) {
        for split in splits {
            for fork in split
                .branches
                .iter()
                .filter(|branch| !["", &split.session].contains(&branch.session.as_str()))
            {
                self.parents
                    .insert(fork.session.clone(), split.session.clone());
            }
        }
    }

    /// The session's own tool, or that of a session with which it shares lines, removed lines.
    pub fn is_cut(&self, session: &str) -> bool {
        self.cut
            .iter()
            .any(|cut| self.root(cut) == self.root(session))
    }

    /// The user deleted the session here, or one with which it shares lines.
    pub fn has_deleted(&self, device: usize, session: &str) -> bool {
        self.deleted
            .iter()
            .any(|(on, deleted)| *on == device && self.root(deleted) == self.root(session))
    }

    /// The session that a fork, or a fork of a fork, came from.
    pub fn root(&self, session: &str) -> String {
        let mut root = session;
        while let Some(parent) = self.parents.get(root) {
            root = parent;
        }
        root.to_owned()
    }

    // ---- what an engine must leave alone ----

    fn guard(&mut self, device: usize, found: &Found) {
        let files = found
            .docs
            .iter()
            .map(|doc| (doc.path.clone(), fs::read(&doc.path).expect("doc")))
            .collect();
        self.guarded
            .insert((device, found.session.to_string()), files);
    }

    fn guard_again(&mut self, device: usize, session: &str) {
        if self.guarded.contains_key(&(device, session.to_owned()))
            && let Some((_, found)) = self.found(device, session)
        {
            self.guard(device, &found);
        }
    }

    fn open_sessions_are_untouched(&self) -> Result<(), String> {
        for ((device, session), files) in &self.guarded {
            let machine = self.world.devices[*device].machine();
            let id = SessionId::new(session);
            let listed = self
                .tools
                .iter()
                .flat_map(|(_, tool)| tool.sessions(&machine, Which::One(&id)).found);
            let now: BTreeMap<PathBuf, Vec<u8>> = listed
                .flat_map(|found| found.docs)
                .map(|doc| (doc.path.clone(), fs::read(&doc.path).unwrap_or_default()))
                .collect();
            if now != *files {
                return Err(format!(
                    "{} is open on {} and was written to",
                    session, NAMES[*device]
                ));
            }
        }
        Ok(())
    }

    // ---- the end ----

    /// Every window is closed, all devices run and meet, and all arrivals are announced. An error
    /// if they do not come to rest.
    pub fn come_to_rest(&mut self, tools_come_back: bool) -> Result<(), String> {
        while !self.windows.is_empty() {
            self.close_window(0, false, Heard::Not);
        }
        for device in 0..self.world.devices.len() {
            let torn = self
                .present(device)
                .into_iter()
                .filter(|(_, found)| tools_come_back && is_torn(found));
            for (kind, found) in torn.collect::<Vec<_>>() {
                self.note_down(device, kind, &found, What::Turn);
            }
        }
        self.world
            .devices
            .iter_mut()
            .filter(|device| !device.is_running())
            .for_each(Device::start);
        let n = self.world.devices.len();
        self.world
            .reach
            .extend((0..n).flat_map(|one| (one + 1..n).map(move |other| (one, other))));
        for (to, notice) in std::mem::take(&mut self.bag).into_iter().rev() {
            self.world.devices[to].notice(notice);
        }
        self.rest()?;
        self.let_through()
    }

    /// Each user reviews the permissions that other devices' tools recorded, and releases the
    /// lines.
    pub fn let_through(&mut self) -> Result<(), String> {
        let mut asked = false;
        for device in &mut self.world.devices {
            for held in device
                .status()
                .held
                .into_iter()
                .filter(|held| held.code.as_str() == "steered")
            {
                let _: Done = device.ask(Request::Release { what: held.what });
                asked = true;
            }
        }
        if asked { self.rest() } else { Ok(()) }
    }

    /// Time passes until all is quiet.
    pub fn rest(&mut self) -> Result<(), String> {
        // The first poll handles what waited for it; the second handles the consequences on other
        // devices.
        for _ in 0..3 {
            self.ticks += 10;
            self.set_clocks();
            self.world.devices.iter_mut().for_each(Device::poll);
            self.world.deliver();
        }
        let still: Vec<_> = self
            .world
            .devices
            .iter()
            .map(|device| (device.stores(), segments(device)))
            .collect();
        self.world.devices.iter_mut().for_each(Device::poll);
        self.world.deliver();
        for (device, (stores, journals)) in self.world.devices.iter().zip(still) {
            if device.stores() != stores || segments(device) != journals {
                return Err(format!("{} does not come to rest", device.name));
            }
        }
        Ok(())
    }
}

/// A process died in the middle of a line, and no tool has opened the file since.
pub fn is_torn(found: &Found) -> bool {
    fs::read(&found.docs[0].path).is_ok_and(|bytes| bytes.last().is_some_and(|byte| *byte != b'\n'))
}

/// Pairs all devices with each other at once.
pub fn acquaint(world: &mut World) {
    let n = world.devices.len();
    let pairs: Vec<(usize, usize)> = (0..n)
        .flat_map(|one| (one + 1..n).map(move |other| (one, other)))
        .collect();
    pairs
        .into_iter()
        .for_each(|(one, other)| world.pair(one, other));
}

/// A line without its session's id, so that a fork's lines equal those of the session it came from.
pub fn nameless(line: &[u8], session: &str) -> Vec<u8> {
    String::from_utf8_lossy(&crate::stories::talk::neutral(line))
        .replace(session, "§")
        .into_bytes()
}

/// The segments of a device's own journals with their lengths.
fn segments(device: &Device) -> BTreeMap<PathBuf, u64> {
    let paths = crate::stories::journals::segments(device, device);
    paths
        .into_iter()
        .map(|path| {
            (
                path.clone(),
                fs::metadata(&path).map_or(0, |metadata| metadata.len()),
            )
        })
        .collect()
}

/// Only a part of the bytes written since `before` reached the disk.
fn tear(before: &BTreeMap<PathBuf, u64>, after: &BTreeMap<PathBuf, u64>, part: u8) {
    for (path, now) in after {
        let was = before.get(path).copied().unwrap_or(0);
        if was < *now {
            let stays = was + (now - was) * u64::from(part) / 256;
            File::options()
                .write(true)
                .open(path)
                .and_then(|file| file.set_len(stays))
                .expect("cut");
        }
    }
}
