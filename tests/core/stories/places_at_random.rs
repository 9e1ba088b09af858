//! Checkouts at random: cloned from starters, renamed, moved, removed, replaced by another clone,
//! given other remotes. The laws: a session is never in the store of a repository that has a remote
//! other than the session's; and on every device that has its repository it can be resumed there.

use super::simulation::dice::Dice;
use super::talk::{id, turn};
use super::world::{Device, World, copy_tree};
use session_roam_core::api::{Request, Resume};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const REPOSITORIES: usize = 3;
const SESSIONS: usize = 5;
const STEPS: usize = 40;

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
    Restart,
    Look,
}

const STEPS_BY_WEIGHT: [(usize, Step); 10] = [
    (5, Step::Clone),
    (5, Step::Begin),
    (6, Step::GoOn),
    (3, Step::Move),
    (2, Step::Remove),
    (2, Step::Exchange),
    (1, Step::Rename),
    (1, Step::Upstream),
    (2, Step::Restart),
    (4, Step::Look),
];

struct Play {
    world: World,
    dice: Dice,
    starter: tempfile::TempDir,
    /// By device, the directories with checkouts.
    checkouts: Vec<Vec<PathBuf>>,
    /// By number, the device that began the session.
    began: Vec<usize>,
    n_names: usize,
    n_renamed: usize,
    told: Vec<String>,
}

fn url(repository: usize) -> String {
    format!("git@github.com:acme/r{repository}.git")
}

/// The keys of a checkout's remotes, as git reports them.
fn remotes(dir: &Path) -> BTreeSet<String> {
    let config = fs::read_to_string(dir.join(".git/config")).unwrap_or_default();
    let urls = config
        .lines()
        .filter_map(|line| line.trim().strip_prefix("url = git@github.com:"));
    urls.map(|path| format!("git:github.com/{}", path.trim_end_matches(".git")))
        .collect()
}

fn remote_section(name: &str, url: &str) -> String {
    format!("[remote \"{name}\"]\n\turl = {url}\n")
}

impl Play {
    fn new(seed: u64) -> Self {
        let starter = tempfile::tempdir().expect("tempdir");
        super::places::starter(starter.path());
        let mut world = World::devices(["desk", "lap", "vm"]);
        for (one, other) in [(0, 1), (0, 2), (1, 2)] {
            world.pair(one, other);
        }
        let checkouts = vec![Vec::new(); 3];
        Self {
            world,
            dice: Dice::new(seed),
            starter,
            checkouts,
            began: Vec::new(),
            n_names: 0,
            n_renamed: 0,
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
                let lines = text.lines().map(|line| {
                    match line.contains("url = ") && !line.contains("starter") {
                        true => format!("\t{renamed}\n"),
                        false => format!("{line}\n"),
                    }
                });
                fs::write(config, lines.collect::<String>()).expect("config");
            }
            Step::Upstream => {
                let Some(at) = self.checkout(device) else {
                    return;
                };
                let config = self.checkouts[device][at].join(".git/config");
                let text = fs::read_to_string(&config).expect("config");
                if !text.contains("upstream") {
                    let more = remote_section("upstream", "git@github.com:acme/starter.git");
                    fs::write(config, text + &more).expect("config");
                }
            }
            Step::Restart => self.world.devices[device].start(),
            Step::Look => self.world.devices[device].poll(),
        }
        self.world.deliver();
        // Changes on disk are seen by the next poll of all devices.
        if self.dice.below(2) == 0 {
            self.world.devices.iter_mut().for_each(Device::poll);
            self.world.deliver();
            self.is_nowhere_wrong();
        }
    }

    /// A search for checkouts runs every few seconds; a restarted device has not searched yet.
    fn settle(&mut self) {
        for _ in 0..2 {
            self.world.devices.iter_mut().for_each(Device::start);
            self.world.deliver();
            self.world.devices.iter_mut().for_each(Device::poll);
            self.world.deliver();
        }
    }

    /// The first law, for sessions that session-roam placed: what a tool wrote stays where it wrote
    /// it.
    fn is_nowhere_wrong(&mut self) {
        for (number, began) in self.began.clone().into_iter().enumerate() {
            let session = id(number);
            for at in (0..3).filter(|at| *at != began) {
                let device = &mut self.world.devices[at];
                let Some(path) = device.place_of(&session) else {
                    continue;
                };
                let key = device
                    .row(&session)
                    .map(|row| row.project)
                    .unwrap_or_default();
                for dir in &self.checkouts[at] {
                    if path.parent() == Some(device.slug_dir(dir).as_path()) {
                        let there = remotes(dir);
                        let own = key.split('#').next().unwrap_or_default();
                        assert!(
                            there.contains(own),
                            "session {number} of {own} is on device {at} in {}, which is {there:?}\n{}",
                            dir.display(),
                            self.told.join("\n")
                        );
                    }
                }
            }
        }
    }

    /// The second law.
    fn is_reachable(&mut self) {
        for number in 0..self.began.len() {
            let session = id(number);
            for at in 0..3 {
                let device = &mut self.world.devices[at];
                let Some(row) = device.row(&session) else {
                    continue;
                };
                let own = row.project.split('#').next().unwrap_or_default().to_owned();
                let has_it = self.checkouts[at]
                    .iter()
                    .any(|dir| remotes(dir).contains(&own));
                if !has_it {
                    continue;
                }
                let said = device.try_ask(Request::Resume {
                    session: session.clone(),
                });
                let resume: Resume = match said.map(serde_json::from_value) {
                    Ok(Ok(resume)) => resume,
                    other => panic!(
                        "session {number} of {own} on {at}: {other:?}\n{:?}\n{}",
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
                if self.began[number] != at {
                    let is_its = within.is_some_and(|dir| remotes(dir).contains(&own));
                    assert!(
                        is_its,
                        "session {number} of {own} on {at} in {:?}\n{}",
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
