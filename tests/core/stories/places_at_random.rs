//! Checkouts at random: cloned from starters, renamed, moved, removed, replaced by another clone,
//! given other remotes, forked, while sessions go two ways, are decided about and forgotten, devices
//! are apart, revoked and approved again. The starter itself is checked out, too. The laws: a
//! session, or a branch that became one, is never in the store of a repository whose first remote is
//! neither the session's, now or while its author's checkout had that one, nor a fork of it; and on
//! every device that has its repository it can be resumed there.
//!
//! Not a part of the simulation: that one ends with every session on every device, and here a
//! session of a repository that a device does not have waits for ever. No state file is lost: for
//! which directory session-roam wrote a session is known from there alone.

use super::simulation::dice::Dice;
use super::simulation::play::acquaint;
use super::simulation::settle_quickly;
use super::talk::{id, turn};
use super::world::{Device, World, copy_tree};
use session_roam_core::api::{Request, Resume, Side};
use session_roam_core::session::SessionState;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The last one is the starter that the others were made from.
const REPOSITORIES: usize = 4;
const STARTER: &str = "git@github.com:acme/starter.git";
const SESSIONS: usize = 5;
const STEPS: usize = 60;
const PAIRS: [(usize, usize); 3] = [(0, 1), (0, 2), (1, 2)];

#[derive(Clone, Copy, Debug)]
enum Step {
    Clone,
    Begin,
    GoOn,
    Move,
    Remove,
    /// Another repository in the place of one.
    Exchange,
    /// The repository was renamed by its host.
    Rename,
    /// A second remote, which all of them share.
    Upstream,
    /// A second remote which is another one of them.
    Second,
    /// The user's own fork becomes the first remote.
    Fork,
    Restart,
    Look,
    Part,
    Meet,
    /// The user decides about a session that went two ways.
    Decide,
    Forget,
    /// A device is put out, until all rest the next time.
    Revoke,
}

const STEPS_BY_WEIGHT: [(usize, Step); 17] = [
    (5, Step::Clone),
    (5, Step::Begin),
    (6, Step::GoOn),
    (3, Step::Move),
    (2, Step::Remove),
    (2, Step::Exchange),
    (1, Step::Rename),
    (2, Step::Upstream),
    (1, Step::Second),
    (1, Step::Fork),
    (2, Step::Restart),
    (4, Step::Look),
    (3, Step::Part),
    (3, Step::Meet),
    (1, Step::Decide),
    (1, Step::Forget),
    (1, Step::Revoke),
];

struct Play {
    world: World,
    dice: Dice,
    starter: tempfile::TempDir,
    /// By device, the directories with checkouts.
    checkouts: Vec<Vec<PathBuf>>,
    /// By number, the device that began the session.
    began: Vec<usize>,
    /// By session, all keys that its project ever had.
    called: BTreeMap<String, BTreeSet<String>>,
    n_names: usize,
    n_renamed: usize,
    /// The user put a device out.
    revoked: bool,
    told: Vec<String>,
}

fn url(repository: usize) -> String {
    match repository + 1 {
        REPOSITORIES => STARTER.into(),
        _ => format!("git@github.com:acme/r{repository}.git"),
    }
}

/// The keys of a checkout's remotes, as git reports them, `origin` first.
fn remotes(dir: &Path) -> Vec<String> {
    let config = fs::read_to_string(dir.join(".git/config")).unwrap_or_default();
    let urls = config
        .lines()
        .filter_map(|line| line.trim().strip_prefix("url = git@github.com:"));
    urls.map(|path| format!("git:github.com/{}", path.trim_end_matches(".git")))
        .collect()
}

/// Whether a checkout may have a session: a fork has the name of what it was forked from.
fn is_its(dir: &Path, own: &str) -> bool {
    let name = |key: &str| key.rsplit('/').next().map(str::to_owned);
    let origin = remotes(dir).into_iter().next();
    origin.is_some_and(|origin| name(&origin) == name(own))
}

/// Whether a checkout is certainly the session's.
fn has_it(dir: &Path, own: &str) -> bool {
    is_its(dir, own) && remotes(dir).iter().any(|remote| remote == own)
}

fn remote_section(name: &str, url: &str) -> String {
    format!("[remote \"{name}\"]\n\turl = {url}\n")
}

impl Play {
    fn new(seed: u64) -> Self {
        let starter = tempfile::tempdir().expect("tempdir");
        super::places::starter(starter.path());
        let mut world = World::asleep(["desk", "lap", "vm"]);
        for device in &mut world.devices {
            settle_quickly(&device.roam);
            device.start();
        }
        for (one, other) in PAIRS {
            world.pair(one, other);
        }
        let checkouts = vec![Vec::new(); 3];
        Self {
            world,
            dice: Dice::new(seed),
            starter,
            checkouts,
            began: Vec::new(),
            called: BTreeMap::new(),
            n_names: 0,
            n_renamed: 0,
            revoked: false,
            told: Vec::new(),
        }
    }

    fn clone_at(&mut self, dir: &Path, repository: usize) {
        copy_tree(self.starter.path(), dir);
        let config = dir.join(".git/config");
        let text = fs::read_to_string(&config).expect("config")
            + &remote_section("origin", &url(repository));
        fs::write(config, text).expect("config");
    }

    fn new_dir(&mut self, device: usize) -> PathBuf {
        self.n_names += 1;
        let below = ["code", "code/deep", "code/more"][self.dice.below(3)];
        self.world.devices[device]
            .home
            .join(below)
            .join(format!("w{}", self.n_names))
    }

    fn checkout(&mut self, device: usize) -> Option<usize> {
        let n = self.checkouts[device].len();
        (0 < n).then(|| self.dice.below(n))
    }

    fn step(&mut self, step: Step) {
        let device = self.dice.below(3);
        let repository = self.dice.below(REPOSITORIES);
        self.told
            .push(format!("{step:?} on {device}, r{repository}"));
        match step {
            Step::Clone => {
                if self.checkouts[device].len() < 4 {
                    let dir = self.new_dir(device);
                    self.clone_at(&dir, repository);
                    self.checkouts[device].push(dir);
                }
            }
            Step::Begin => {
                let Some(at) = self.checkout(device) else {
                    return;
                };
                if self.began.len() < SESSIONS {
                    let (dir, session) = (self.checkouts[device][at].clone(), id(self.began.len()));
                    let path = self.world.devices[device].transcript(&dir, &session);
                    self.world.devices[device].say(&path, turn(&dir, &session, "begun"));
                    self.began.push(device);
                    self.told.push(format!(
                        "session {} in {}",
                        self.began.len() - 1,
                        dir.display()
                    ));
                }
            }
            Step::GoOn => {
                let session = id(self.dice.below(self.began.len()));
                let device = &mut self.world.devices[device];
                let resume = device.try_ask(Request::Resume {
                    session: session.clone(),
                });
                let resume = resume
                    .ok()
                    .and_then(|resume| serde_json::from_value::<Resume>(resume).ok());
                if let (Some(resume), Some(path)) = (resume, device.place_of(&session)) {
                    device.say(&path, turn(&resume.cwd, &session, "more"));
                }
            }
            Step::Move => {
                let Some(at) = self.checkout(device) else {
                    return;
                };
                let (from, to) = (self.checkouts[device][at].clone(), self.new_dir(device));
                fs::create_dir_all(to.parent().expect("parent")).expect("dir");
                fs::rename(from, &to).expect("rename");
                self.checkouts[device][at] = to;
            }
            Step::Remove => {
                let Some(at) = self.checkout(device) else {
                    return;
                };
                fs::remove_dir_all(self.checkouts[device].remove(at)).expect("remove");
            }
            Step::Exchange => {
                let Some(at) = self.checkout(device) else {
                    return;
                };
                let dir = self.checkouts[device][at].clone();
                fs::remove_dir_all(&dir).expect("remove");
                self.clone_at(&dir, repository);
            }
            Step::Rename => {
                let Some(at) = self.checkout(device) else {
                    return;
                };
                self.n_renamed += 1;
                let config = self.checkouts[device][at].join(".git/config");
                let text = fs::read_to_string(&config).expect("config");
                let renamed = format!("url = git@github.com:acme/renamed{}.git", self.n_renamed);
                let mut is_origin = false;
                let lines = text.lines().map(|line| {
                    is_origin = line.contains("\"origin\"") || is_origin && !line.starts_with('[');
                    match is_origin && line.contains("url = ") && !line.contains("starter") {
                        true => format!("\t{renamed}\n"),
                        false => format!("{line}\n"),
                    }
                });
                fs::write(config, lines.collect::<String>()).expect("config");
            }
            Step::Upstream => self.add_remote(device, "upstream", STARTER),
            Step::Second => self.add_remote(device, "second", &url(repository)),
            Step::Fork => {
                let Some(at) = self.checkout(device) else {
                    return;
                };
                let config = self.checkouts[device][at].join(".git/config");
                let text = fs::read_to_string(&config).expect("config");
                let origin = remotes(&self.checkouts[device][at]).into_iter().next();
                let name = origin.and_then(|key| Some(key.rsplit('/').next()?.to_owned()));
                let (Some(name), false) = (name, text.contains("\"forked\"")) else {
                    return;
                };
                let fork = remote_section("origin", &format!("git@github.com:me/{name}.git"));
                // The sections stay in one order, so that the first remote is the first one here.
                let text = text.replacen(
                    "[remote \"origin\"]",
                    &format!("{fork}[remote \"forked\"]"),
                    1,
                );
                fs::write(config, text).expect("config");
            }
            Step::Restart => self.world.devices[device].start(),
            Step::Look => self.world.devices[device].poll(),
            Step::Part => {
                let (one, other) = PAIRS[self.dice.below(PAIRS.len())];
                self.world.part(one, other);
            }
            Step::Meet => self.all_meet(),
            Step::Decide => self.decide(device),
            Step::Forget => {
                let session = id(self.dice.below(self.began.len()));
                drop(self.world.devices[device].try_ask(Request::Forget { session }));
            }
            Step::Revoke => self.revoke(device),
        }
        self.world.deliver();
        self.observe();
        // Changes on disk are seen by the next poll of all devices.
        if self.dice.below(2) == 0 {
            self.world.devices.iter_mut().for_each(Device::poll);
            self.world.deliver();
            self.observe();
            self.is_nowhere_wrong();
        }
    }

    fn observe(&mut self) {
        for device in &mut self.world.devices {
            for row in device.sessions() {
                let own = row.project.split('#').next().unwrap_or_default();
                let called = self.called.entry(row.session).or_default();
                called.insert(own.to_owned());
            }
        }
    }

    /// Whether a checkout may have a session of a project: also by a name that the project had
    /// before. A branch has the former names of the session that it left.
    fn is_its(&self, dir: &Path, own: &str) -> bool {
        let with_own = self.called.values().filter(|called| called.contains(own));
        is_its(dir, own) || with_own.flatten().any(|name| is_its(dir, name))
    }

    fn add_remote(&mut self, device: usize, name: &str, url: &str) {
        let Some(at) = self.checkout(device) else {
            return;
        };
        let config = self.checkouts[device][at].join(".git/config");
        let text = fs::read_to_string(&config).expect("config");
        if !text.contains(name) && !text.contains(url) {
            fs::write(config, text + &remote_section(name, url)).expect("config");
        }
    }

    fn all_meet(&mut self) {
        for (one, other) in PAIRS {
            self.world.meet(one, other);
        }
    }

    /// A choice that is not offered is refused, which changes nothing.
    fn decide(&mut self, device: usize) {
        let choice = ["keep-both", "keep-left", "keep-right", "stitch"][self.dice.below(4)];
        let device = &mut self.world.devices[device];
        if let Some(split) = device.splits().first() {
            drop(device.try_ask(Request::Resolve {
                session: split.session.clone(),
                choice: choice.into(),
                branch: split.branches.last().map(|branch| branch.branch.clone()),
                beside: None,
                active: Some(Side::Left),
            }));
        }
    }

    fn revoke(&mut self, device: usize) {
        let of = (device + 1 + self.dice.below(2)) % 3;
        let id = self.world.devices[of].id.to_string();
        let request = Request::Revoke {
            id,
            since: None,
            dry: false,
        };
        self.revoked |= self.world.devices[device].try_ask(request).is_ok();
    }

    fn approve_all(&mut self) {
        const ROUNDS: usize = 4;
        for _ in 0..ROUNDS {
            for (at, of) in PAIRS
                .into_iter()
                .flat_map(|(one, other)| [(one, other), (other, one)])
            {
                let id = self.world.devices[of].id.to_string();
                drop(self.world.devices[at].try_ask(Request::Approve { id }));
            }
            self.world.deliver();
            acquaint(&mut self.world);
        }
    }

    /// Everybody meets, and time passes. A search for checkouts runs every few seconds; a restarted
    /// device has not searched yet.
    fn settle(&mut self) {
        self.all_meet();
        if std::mem::take(&mut self.revoked) {
            self.approve_all();
        }
        for device in &self.world.devices {
            device.set_clock(device.clock_now() + 60_000);
        }
        for _ in 0..2 {
            self.world.devices.iter_mut().for_each(Device::start);
            self.world.deliver();
            self.world.devices.iter_mut().for_each(Device::poll);
            self.world.deliver();
            self.observe();
        }
    }

    /// The first law, for sessions that session-roam placed: what a tool wrote stays where it wrote
    /// it.
    fn is_nowhere_wrong(&mut self) {
        for at in 0..self.world.devices.len() {
            for row in self.world.devices[at].sessions() {
                if self.began_on(&row.session) == Some(at) {
                    continue;
                }
                let device = &self.world.devices[at];
                let Some(path) = device.place_of(&row.session) else {
                    continue;
                };
                let own = row.project.split('#').next().unwrap_or_default();
                for dir in &self.checkouts[at] {
                    if path.parent() == Some(device.slug_dir(dir).as_path()) {
                        let there = remotes(dir);
                        assert!(
                            self.is_its(dir, own),
                            "{} of {own} is on device {at} in {}, which is {there:?}\n{}",
                            row.session,
                            dir.display(),
                            self.told.join("\n")
                        );
                    }
                }
            }
        }
    }

    /// The device on which a session began; `None` for a branch that became one.
    fn began_on(&self, session: &str) -> Option<usize> {
        let number = (0..self.began.len()).find(|number| id(*number) == session)?;
        Some(self.began[number])
    }

    /// The second law.
    fn is_reachable(&mut self) {
        for at in 0..self.world.devices.len() {
            for row in self.world.devices[at].sessions() {
                let session = row.session;
                let began = self.began_on(&session);
                let device = &mut self.world.devices[at];
                let own = row.project.split('#').next().unwrap_or_default().to_owned();
                let is_here = self.checkouts[at].iter().any(|dir| has_it(dir, &own));
                // What the user put away is in no store.
                if !is_here || row.state == SessionState::Elsewhere {
                    continue;
                }
                let said = device.try_ask(Request::Resume {
                    session: session.clone(),
                });
                let resume: Resume = match said.map(serde_json::from_value) {
                    Ok(Ok(resume)) => resume,
                    other => panic!(
                        "{session} of {own} on {at}: {other:?}\n{:?}\n{}",
                        self.checkouts[at]
                            .iter()
                            .map(|dir| (dir, remotes(dir)))
                            .collect::<Vec<_>>(),
                        self.told.join("\n")
                    ),
                };
                let within = self.checkouts[at]
                    .iter()
                    .find(|dir| resume.cwd.starts_with(dir));
                // On its first device a session opens where the tool has it, as long as that
                // directory exists.
                if began != Some(at) {
                    assert!(
                        within.is_some_and(|dir| self.is_its(dir, &own)),
                        "{session} of {own} on {at} in {:?}\n{}",
                        resume.cwd,
                        self.told.join("\n")
                    );
                }
            }
        }
    }
}

#[test]
fn no_session_is_ever_in_another_repository_and_each_is_reachable_where_its_own_is() {
    for seed in 0..24 {
        let mut play = Play::new(seed);
        play.told.push(format!("seed {seed}"));
        for number in 0..STEPS {
            let step = play.dice.weighted(&STEPS_BY_WEIGHT);
            play.step(step);
            if number % 20 == 19 {
                play.settle();
                play.is_nowhere_wrong();
                play.is_reachable();
            }
        }
    }
}
