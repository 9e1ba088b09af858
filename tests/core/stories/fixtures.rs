//! Every fixture of every tool between two whole engines: the session arrives, has the same content
//! there as here, is not recorded again when it came, and stays there when the tool here deletes
//! it.

use super::talk::neutral;
use super::world::{Device, World};
use crate::conformance::cases::{Case, cases, fill, plant_commit, stand_ins};
use session_roam_core::api::Request;
use session_roam_core::session::{DocKind, DocName};
use session_roam_core::tools::{Content, Found, Machine, Which};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

pub struct Story {
    pub case: Case,
    pub world: World,
    pub session: String,
}

/// Stops a device and gives it the case's tool and the files that the case has for it.
pub fn furnish(device: &mut Device, case: &Case, from: &Path, cwd: &Path) {
    device.stop();
    let bin = stand_ins(&device.roam);
    device
        .vars
        .insert("PATH".into(), bin.to_string_lossy().into_owned());
    device.more_tools = vec![case.tool.clone()];
    plant_commit(cwd);
    if from.is_dir() {
        fill(from, &device.home.clone(), &device.home, cwd);
    }
}

impl Story {
    pub fn begin(case: Case) -> Self {
        let (mut world, here, there) = World::pair_of_devices();
        for (device, (from, cwd)) in world
            .devices
            .iter_mut()
            .zip([(&case.home, &here), (&case.there, &there)])
        {
            furnish(device, &case, from, cwd);
        }
        world.devices.iter_mut().for_each(|device| device.start());
        let found = found(&case, &world.devices[0].machine()).expect("the fixture's session");
        let mut story = Self {
            session: found.session.to_string(),
            case,
            world,
        };
        story.world.deliver();
        story.give_place(there);
        story
    }

    /// The directory of a fixture exists on no device: the other one gets its own directory for the
    /// project.
    pub fn give_place(&mut self, dir: PathBuf) {
        let device = &mut self.world.devices[1];
        if device.waits_for(&self.session).as_deref() == Some("no_place") {
            let key = device.row(&self.session).expect("a row").project;
            let _: serde_json::Value = device.ask(Request::ProjectMap { key, dir });
        }
        self.world.deliver();
    }

    pub fn contents(&self, at: usize) -> BTreeMap<DocName, Vec<u8>> {
        let machine = self.world.devices[at].machine();
        let Some(found) = found(&self.case, &machine) else {
            return BTreeMap::new();
        };
        let reading = self.case.tool.read(&machine, &found).expect("read");
        let docs = found
            .docs
            .into_iter()
            .zip(reading.docs.iter().map(bytes_of));
        // A log in its neutral form is the same on both.
        let log = |bytes| neutral(&whole(bytes));
        docs.map(|(doc, bytes)| {
            (
                doc.name,
                if doc.kind == DocKind::Log {
                    log(bytes)
                } else {
                    bytes
                },
            )
        })
        .collect()
    }

    fn assert_same(&self, when: &str) {
        let [mut here, mut there] = [0, 1].map(|at| self.contents(at));
        // Docs withheld from the other device's tool, and docs that do not leave their device.
        let named = ["withheld", "secret"].map(|list| {
            self.case.expect[list]
                .as_array()
                .cloned()
                .unwrap_or_default()
        });
        here.retain(|doc, _| !named.concat().iter().any(|name| name == doc.as_str()));
        for (doc, bytes) in &mut there {
            let own = self.case.tool.about().own_fields(doc);
            *bytes = own.as_recorded(bytes, here.get(doc).map_or(&[][..], Vec::as_slice));
        }
        assert!(
            !here.is_empty() && here == there,
            "{}: {when}",
            self.case.name
        );
    }

    fn state(&mut self, at: usize) -> String {
        self.world.devices[at].state_of(&self.session)
    }
}

pub fn found(case: &Case, machine: &Machine) -> Option<Found> {
    let first = case
        .tool
        .sessions(machine, Which::All)
        .found
        .into_iter()
        .next()?;
    case.tool
        .sessions(machine, Which::One(&first.session))
        .found
        .into_iter()
        .next()
}

fn bytes_of(content: &Content) -> Vec<u8> {
    let mut bytes = Vec::new();
    content
        .open()
        .expect("open")
        .read_to_end(&mut bytes)
        .expect("read");
    bytes
}

/// A line that is still being written waits for its end.
fn whole(mut lines: Vec<u8>) -> Vec<u8> {
    lines.truncate(
        lines
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |end| end + 1),
    );
    lines
}

#[test]
fn every_tools_sessions_arrive_whole_and_stay_when_they_are_deleted_elsewhere() {
    for case in cases() {
        let mut story = Story::begin(case);
        let name = story.case.name.clone();
        if !story.case.expect["requires"].is_null() {
            let waits = story.world.devices[1].waits_for(&story.session);
            assert_eq!(
                waits.as_deref(),
                Some("parent"),
                "{name}: it needs another one first"
            );
            continue;
        }
        assert_eq!(
            story.state(1),
            "here",
            "{name}: {:?}",
            story.world.devices[1].status().waiting
        );
        story.assert_same("it arrived");
        let journals = |story: &Story| {
            story
                .world
                .devices
                .iter()
                .map(|device| super::world::tree(device.vault().root()).len())
                .sum::<usize>()
        };
        let before = journals(&story);
        story
            .world
            .devices
            .iter_mut()
            .for_each(|device| device.start());
        story.world.deliver();
        assert_eq!(journals(&story), before, "{name}: what came is no news");

        let there = story.contents(1);
        let gone = found(&story.case, &story.world.devices[0].machine()).expect("it is here");
        story.case.delete(&gone);
        for at in [0, 1, 0] {
            story.world.devices[at].poll();
            story.world.deliver();
        }
        assert_eq!(
            story.contents(0),
            BTreeMap::new(),
            "{name}: it stays deleted here"
        );
        assert!(story.contents(1) == there, "{name}: and stays whole there");
    }
}
