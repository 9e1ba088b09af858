//! A tool of the user's that keeps its sessions in the checkouts. Which checkouts these are is this
//! device's own affair, and nothing in a checkout leads out of it.

use super::talk::{ONE, TWO, turn};
use super::world::{Device, World};
use session_roam_core::api::{Done, Request};
use session_roam_core::settings;
use session_roam_core::tools::custom::CustomTool;
use session_roam_core::tools::{Machine, Tool, Which};
use std::fs;
use std::path::{Path, PathBuf};

struct Story {
    world: World,
    checkouts: [PathBuf; 2],
}

fn chat(checkout: &Path, name: &str) -> PathBuf {
    checkout.join(format!(".mine/chats/{name}.jsonl"))
}

impl Story {
    fn new() -> Self {
        let (mut world, here, there) = World::pair_of_devices();
        for device in &mut world.devices {
            settings::change(&device.roam, |document| {
                let text = "[[custom]]\nid = \"mine\"\nroot = \"{checkout}/.mine\"\nsessions = \"chats/{session}.jsonl\"\n";
                let custom: toml_edit::DocumentMut = text.parse().expect("toml");
                document["custom"] = custom["custom"].clone();
            })
            .expect("settings");
            device.start();
        }
        Self {
            world,
            checkouts: [here, there],
        }
    }

    /// Another tool runs in the device's checkout, which is so known.
    fn works(&mut self, at: usize, session: &str) {
        let cwd = self.checkouts[at].clone();
        let device = &mut self.world.devices[at];
        let line = turn(&cwd, session, "hello");
        device.say(&device.transcript(&cwd, session), line);
    }

    fn says(&mut self, at: usize, name: &str, line: &str) {
        let path = chat(&self.checkouts[at], name);
        self.world.devices[at].say(&path, format!("{line}\n"));
        self.world.deliver();
    }

    fn read(&self, at: usize, name: &str) -> Option<String> {
        fs::read_to_string(chat(&self.checkouts[at], name)).ok()
    }

    fn device(&mut self, at: usize) -> &mut Device {
        &mut self.world.devices[at]
    }
}

#[test]
fn sessions_in_checkouts_at_different_paths_are_the_same_sessions() {
    let mut story = Story::new();
    story.works(0, ONE);
    story.works(1, TWO);
    story.world.deliver();
    story.says(0, "a", "{\"n\":1}");
    assert_eq!(story.read(1, "a").as_deref(), Some("{\"n\":1}\n"));
    story.says(1, "a", "{\"n\":2}");
    assert_eq!(
        story.read(0, "a").as_deref(),
        Some("{\"n\":1}\n{\"n\":2}\n")
    );
    for at in [0, 1] {
        story.device(at).start();
        story.world.deliver();
        let cwd = story.checkouts[at].to_string_lossy().into_owned();
        let row = story.device(at).row("a").expect("a row");
        assert_eq!(
            (row.state.to_string().as_str(), row.tool.as_str()),
            ("here", "mine")
        );
        assert!(story.world.devices[at].home.join(&cwd).is_dir());
    }
    // What is begun on the other device comes, too, and a session that is removed stays away.
    story.says(1, "b", "{\"n\":3}");
    assert_eq!(story.read(0, "b").as_deref(), Some("{\"n\":3}\n"));
    let path = chat(&story.checkouts[0], "b");
    fs::remove_file(&path).expect("remove");
    story.device(0).touch(&path);
    story.world.deliver();
    assert_eq!(story.device(0).state_of("b"), "elsewhere");
    assert_eq!(story.read(1, "b").as_deref(), Some("{\"n\":3}\n"));
}

/// A checkout that was only found on the disk for a session of another device would be named by
/// that device.
#[test]
fn another_device_names_no_checkout_that_is_read_or_written() {
    let mut story = Story::new();
    story.works(0, ONE);
    // There already, and nobody ran a session beside it here.
    let own = chat(&story.checkouts[1], "own");
    fs::create_dir_all(own.parent().expect("parent")).expect("dir");
    fs::write(&own, "{\"mine\":1}\n").expect("write");
    story.world.deliver();
    story.says(0, "a", "{\"n\":1}");
    for _ in 0..3 {
        story.device(1).poll();
        story.world.deliver();
    }
    assert!(
        story.device(1).place_of(ONE).is_some(),
        "its checkout was found"
    );
    assert_eq!(story.read(1, "a"), None);
    assert_eq!(story.device(1).state_of("own"), "none");
    let row = story.device(1).row("a").expect("a row");
    assert_ne!(row.state.to_string(), "here");
    let status = story.device(1).status();
    let waits = status.waiting.iter().find(|waiting| waiting.session == "a");
    let why = &waits.expect("it waits").why;
    assert!(why.contains("roam projects map"), "{why}");

    // The user names it.
    let request = Request::ProjectMap {
        key: "acme/api".into(),
        dir: story.checkouts[1].clone(),
    };
    let _: Done = story.device(1).ask(request);
    story.device(1).poll();
    story.world.deliver();
    assert_eq!(story.read(1, "a").as_deref(), Some("{\"n\":1}\n"));
    assert_eq!(story.device(1).state_of("own"), "here");
}

/// A repository can bring a link, whoever committed it.
#[cfg(unix)]
#[test]
fn no_link_in_a_checkout_is_followed() {
    use std::os::unix::fs::symlink;
    for linked in [".mine", ".mine/chats"] {
        let mut story = Story::new();
        story.works(0, ONE);
        story.works(1, TWO);
        let private = story.world.devices[1].home.join("private");
        fs::create_dir_all(private.join("chats")).expect("dir");
        for dir in [private.clone(), private.join("chats")] {
            fs::write(dir.join("diary.jsonl"), "{}\n").expect("write");
        }
        let link = story.checkouts[1].join(linked);
        fs::create_dir_all(link.parent().expect("parent")).expect("dir");
        symlink(&private, &link).expect("link");
        story.world.deliver();
        story.says(0, "a", "{\"n\":1}");
        story.device(1).poll();
        story.world.deliver();
        assert_eq!(story.device(1).state_of("diary"), "none", "{linked}");
        assert_eq!(story.read(1, "a"), None, "{linked}");
        let at_home = super::world::tree(&private);
        assert_eq!(at_home.len(), 2, "{linked}: {at_home:?}");
        assert_ne!(story.device(1).state_of("a"), "here", "{linked}");
    }
}

/// Instructions for tools have certain names, at any depth.
#[test]
fn no_session_gets_a_name_that_a_tool_obeys() {
    let story = Story::new();
    let text =
        "id = \"notes\"\nroot = \"{checkout}/.notes\"\nsessions = \"{project}/{session}.md\"\n";
    let definition = toml::from_str(text).expect("definition");
    let tool = CustomTool::new(definition).expect("a tool");
    let machine = Machine::at(&story.world.devices[1].home);
    machine.checkouts.set(vec![story.checkouts[1].clone()]);
    for name in [
        "x/CLAUDE.md",
        "x/agents.md",
        ".claude/x.md",
        "hooks/x.md",
        "x/y.md",
    ] {
        let path = story.checkouts[1].join(".notes").join(name);
        fs::create_dir_all(path.parent().expect("parent")).expect("dir");
        fs::write(path, "x\n").expect("write");
    }
    let found = tool.sessions(&machine, Which::All).found;
    let ids: Vec<&str> = found.iter().map(|found| found.session.as_str()).collect();
    assert_eq!(ids, ["y"]);
}
