//! Random stories of three devices that talk, part, meet, forget and die. Whatever happens, no line is lost, none is
//! overwritten, and all know the same in the end.

use crate::journals::journals;
use crate::talk::{ONE, TWO, is_held, item, meta, turn};
use crate::world::{World, cases};
use proptest::collection::vec;
use proptest::prelude::*;
use session_roam_core::engine::event::Event;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

#[derive(Clone, Debug)]
enum Happening {
    /// Somebody goes on with a session, if it is there; the engine hears of it or not yet.
    Talk {
        device: usize,
        session: usize,
        heard: bool,
    },
    /// Some of the files travel one way.
    Travel {
        way: usize,
        pick: u8,
    },
    Meet {
        way: usize,
    },
    Part {
        way: usize,
    },
    Deliver,
    Poll {
        device: usize,
    },
    Restart {
        device: usize,
    },
    /// One worker looks and dies.
    Die {
        device: usize,
    },
    Forget {
        device: usize,
    },
    Clock {
        device: usize,
        minutes: i64,
    },
}

fn happenings() -> impl Strategy<Value = Vec<Happening>> {
    let device = 0..3usize;
    let one = prop_oneof![
        8 => (device.clone(), 0..2usize, any::<bool>()).prop_map(|(device, session, heard)| Happening::Talk { device, session, heard }),
        6 => (0..6usize, any::<u8>()).prop_map(|(way, pick)| Happening::Travel { way, pick }),
        3 => Just(Happening::Deliver),
        2 => (0..3usize).prop_map(|way| Happening::Meet { way }),
        2 => (0..3usize).prop_map(|way| Happening::Part { way }),
        2 => device.clone().prop_map(|device| Happening::Poll { device }),
        1 => device.clone().prop_map(|device| Happening::Restart { device }),
        1 => device.clone().prop_map(|device| Happening::Die { device }),
        1 => device.clone().prop_map(|device| Happening::Forget { device }),
        1 => (device, -100_000..100_000i64).prop_map(|(device, minutes)| Happening::Clock { device, minutes }),
    ];
    vec(one, 1..50)
}

struct Chance {
    world: World,
    places: [PathBuf; 3],
    said: BTreeSet<Vec<u8>>,
    /// What each session's file was on each device when its tool had last written it.
    written: BTreeMap<(usize, &'static str), Vec<u8>>,
}

const WAYS: [(usize, usize); 3] = [(0, 1), (1, 2), (0, 2)];

impl Chance {
    fn new() -> Self {
        let mut world = World::devices(["desk", "lap", "box"]);
        WAYS.iter().for_each(|(one, other)| world.pair(*one, *other));
        let places = [0, 1, 2].map(|at| world.devices[at].project(&format!("api-{at}"), "git@github.com:acme/api.git"));
        let mut chance = Self { world, places, said: BTreeSet::new(), written: BTreeMap::new() };
        let paths = [chance.world.devices[0].transcript(&chance.places[0], ONE), chance.world.devices[0].rollout(TWO)];
        let lines = [turn(&chance.places[0], ONE, "begin"), meta(&chance.places[0], TWO)];
        for ((path, line), session) in paths.iter().zip(lines).zip([ONE, TWO]) {
            chance.say(0, session, path.clone(), &line, true);
        }
        chance.world.deliver();
        chance
    }

    fn say(&mut self, device: usize, session: &'static str, path: PathBuf, line: &str, heard: bool) {
        self.world.devices[device].append(&path, line.as_bytes());
        self.said.insert(line.as_bytes().to_vec());
        self.written.insert((device, session), fs::read(&path).expect("doc"));
        if heard {
            self.world.devices[device].touch(&path);
        }
    }

    fn happen(&mut self, number: usize, happening: Happening) {
        match happening {
            Happening::Talk { device, session, heard } => {
                let id = [ONE, TWO][session];
                let Some(path) = self.world.devices[device].place_of(id) else { return };
                let text = format!("{number} on {device}");
                let line = if session == 0 { turn(&self.places[device], ONE, &text) } else { item(&text) };
                self.say(device, id, path, &line, heard);
            }
            Happening::Travel { way, pick } => {
                let (one, other) = WAYS[way % 3];
                let (from, to) = if way < 3 { (one, other) } else { (other, one) };
                if !self.world.reach.contains(&(one, other)) {
                    return;
                }
                let picked = |path: &str| pick >> (blake3::hash(path.as_bytes()).as_bytes()[0] % 8) & 1 == 1;
                let notices = self.world.ledger.carry(&self.world.devices, from, to, picked);
                for notice in notices.into_iter().rev() {
                    self.world.devices[to].notice(notice);
                }
            }
            Happening::Meet { way } => drop(self.world.reach.insert(WAYS[way])),
            Happening::Part { way } => drop(self.world.reach.remove(&WAYS[way])),
            Happening::Deliver => self.world.deliver(),
            Happening::Poll { device } => self.world.devices[device].poll(),
            Happening::Restart { device } => self.world.devices[device].start(),
            Happening::Die { device } => {
                self.world.devices[device].tell(Event::LookAtAll);
                self.world.devices[device].look_and_die();
                self.world.devices[device].start();
            }
            Happening::Forget { device } => {
                self.world.devices[device].stop();
                drop(fs::remove_file(self.world.devices[device].roam.join("state.sqlite")));
                self.world.devices[device].start();
            }
            Happening::Clock { device, minutes } => {
                self.world.devices[device].set_clock(crate::world::START + minutes * 60_000);
            }
        }
    }

    fn finish(&mut self) {
        self.world.reach.extend(WAYS);
        for _ in 0..2 {
            self.world.devices.iter_mut().for_each(crate::world::Device::poll);
            self.world.deliver();
        }
    }

    fn check(&mut self) {
        for ((device, session), bytes) in &self.written {
            let device = &mut self.world.devices[*device];
            assert!(is_held(device, session, bytes), "{session} on {} was overwritten", device.name);
        }
        let mut tips = BTreeSet::new();
        for device in &mut self.world.devices {
            let mut known = BTreeSet::new();
            for journal in journals(device) {
                for (_, bytes) in journal.additions() {
                    known.extend(bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec));
                }
            }
            let lost: Vec<_> = self.said.difference(&known).collect();
            assert!(lost.is_empty(), "{} lost {} lines", device.name, lost.len());
            assert_eq!(device.status().problems, [], "on {}", device.name);
            let mut branches: Vec<_> = device.splits().into_iter().flat_map(|split| split.branches).collect();
            branches.sort_by(|one, other| one.branch.cmp(&other.branch));
            tips.insert(branches.into_iter().map(|branch| (branch.branch, branch.records)).collect::<Vec<_>>());
        }
        assert_eq!(tips.len(), 1, "all list the same splits: {tips:?}");
    }
}

proptest! {
    #![proptest_config(cases(48))]

    #[test]
    fn r1_r2_r15_whatever_happens_no_line_is_lost_and_all_agree(happenings in happenings()) {
        let mut chance = Chance::new();
        for (number, happening) in happenings.into_iter().enumerate() {
            chance.happen(number, happening);
        }
        chance.finish();
        chance.check();
    }
}
