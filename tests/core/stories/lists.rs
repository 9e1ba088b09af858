//! Sessions that a tool rewrites each time: of two versions the one that continues the other is
//! used, otherwise both are kept.

use super::world::World;
use session_roam_core::api::{Diff, DiffCommon, Done, PartBody, Request};
use std::path::PathBuf;

/// A custom tool that rewrites its sessions, as lists; desk and lap continue one while
/// disconnected, and meet.
struct Lists {
    world: World,
    cwd: String,
    paths: [PathBuf; 2],
}

const LIST: &str = "list-1";

impl Lists {
    fn met(first: &str, second: &str) -> Self {
        let (mut world, here, _) = World::pair_of_devices();
        for device in &mut world.devices {
            session_roam_core::settings::change(&device.roam, |document| {
                let text = "[[custom]]\nid = \"mine\"\nroot = \"~/.mine\"\nsessions = \"{session}.json\"\nkind = \"snapshot\"\n\
                            cwd_field = \"cwd\"\n";
                let custom: toml_edit::DocumentMut = text.parse().expect("toml");
                document["custom"] = custom["custom"].clone();
            })
            .expect("settings");
            device.start();
        }
        let paths = [0, 1].map(|at| world.devices[at].home.join(format!(".mine/{LIST}.json")));
        let cwd = serde_json::to_string(&here.to_string_lossy()).expect("text");
        let mut lists = Self { world, cwd, paths };
        lists.put(0, "[1,2]");
        lists.world.deliver();
        assert_eq!(lists.said(), ["[1,2]", "[1,2]"]);
        lists.world.part(0, 1);
        lists.put(0, first);
        lists.world.devices[1].set_clock(super::world::START + 1000);
        lists.put(1, second);
        lists.world.meet(0, 1);
        lists
    }

    fn whole(&self, list: &str) -> String {
        format!("{{\"cwd\":{},\"messages\":{list}}}", self.cwd)
    }

    fn put(&mut self, at: usize, list: &str) {
        let text = if list.starts_with('[') {
            self.whole(list)
        } else {
            list.to_owned()
        };
        self.world.devices[at].put(&self.paths[at], text);
    }

    fn said_in(&self, name: &str) -> [String; 2] {
        let begin = self.whole("");
        let begin = begin.trim_end_matches('}');
        self.paths.clone().map(|path| {
            let text = std::fs::read_to_string(path.with_file_name(format!("{name}.json")))
                .unwrap_or_default();
            text.strip_prefix(begin)
                .and_then(|rest| rest.strip_suffix('}'))
                .map(str::to_owned)
                .unwrap_or(text)
        })
    }

    fn said(&self) -> [String; 2] {
        self.said_in(LIST)
    }
}

#[test]
fn of_two_lists_the_one_that_went_on_is_taken_without_a_word() {
    for (first, second) in [
        ("[1,2]", "[1,2,3]"),
        ("[1,2,3]", "[1,2,3,4]"),
        ("[1, 2, 3]", "[1,2,3]"),
    ] {
        let mut lists = Lists::met(first, second);
        let [one, other] = lists.said();
        assert_eq!(one, other, "{first} and {second}");
        assert!(
            one == second || (one == first && first.len() > second.len()),
            "{one}"
        );
        for device in &mut lists.world.devices {
            let status = device.status();
            assert_eq!(
                (status.splits, status.held, status.problems),
                (0, vec![], vec![]),
                "on {}",
                device.name
            );
        }
    }
}

#[test]
fn two_lists_that_went_two_ways_are_two_sessions() {
    let mut lists = Lists::met("[1,2,\"desk\"]", "[1,2,\"lap in list-1\"]");
    let split = lists.world.devices[1]
        .splits()
        .into_iter()
        .next()
        .expect("a split");
    assert_eq!((split.tier.as_str(), split.branches.len()), ("B", 2));
    let fork = &split.branches[1].session;
    assert_eq!(lists.said(), ["[1,2,\"desk\"]", "[1,2,\"desk\"]"]);
    let beside = format!("[1,2,\"lap in {fork}\"]");
    assert_eq!(lists.said_in(fork), [beside.clone(), beside]);
    let request = Request::Resolve {
        session: LIST.into(),
        choice: "keep-right".into(),
        branch: None,
        beside: None,
        active: None,
    };
    let _: Done = lists.world.devices[0].ask(request);
    lists.world.devices[0].settle();
    lists.world.deliver();
    assert_eq!(
        lists.said(),
        ["[1,2,\"lap in list-1\"]", "[1,2,\"lap in list-1\"]"]
    );
    assert_eq!(lists.said_in(fork), ["", ""], "it left the stores");
}

#[test]
fn what_cannot_be_compared_is_asked() {
    let mut lists = Lists::met("\u{1}binary", "\u{2}binary");
    assert_eq!(
        lists.world.devices[0]
            .splits()
            .first()
            .map(|split| split.tier.as_str()),
        Some("C")
    );
    assert_eq!(
        lists.said(),
        ["\u{1}binary", "\u{2}binary"],
        "nothing is written"
    );
}

#[test]
fn what_two_lists_begin_with_is_folded_and_can_be_read() {
    let said = |words: &str| {
        format!(
            "[1,2,{{\"role\":\"user\",\"content\":\"both say this\"}},{{\"role\":\"user\",\"content\":\"{words}\"}}]"
        )
    };
    let mut lists = Lists::met(&said("left"), &said("right"));
    let device = &mut lists.world.devices[0];
    let diff: Diff = device.ask(Request::Diff {
        session: LIST.into(),
        branch: None,
        beside: None,
        from: 0,
        rows: 10,
        choices: false,
        bodies: false,
    });
    assert_eq!(
        (diff.prefix.messages, diff.total, diff.rows.len()),
        (1, 1, 1),
        "{diff:?}"
    );
    let common: DiffCommon = device.ask(Request::DiffCommon {
        session: LIST.into(),
        branch: None,
        beside: None,
        from: 0,
        rows: 10,
    });
    assert_eq!((common.total, common.messages.len()), (1, 1));
    assert_eq!(common.messages[0].text, "both say this");
    let part = Request::DiffCommonPart {
        session: LIST.into(),
        branch: None,
        beside: None,
        message: 0,
        part: 0,
    };
    assert_eq!(device.ask::<PartBody>(part).text, "both say this");
    let beyond = Request::DiffCommonPart {
        session: LIST.into(),
        branch: None,
        beside: None,
        message: 1,
        part: 0,
    };
    assert_eq!(
        device
            .try_ask(beyond)
            .expect_err("no such part")
            .code
            .as_str(),
        "no_part"
    );
}

/// A tool that was ended while it wrote left an empty or half a file, which replaced the whole one
/// on every other device.
#[test]
fn a_file_that_was_emptied_or_cut_off_replaces_no_whole_one() {
    use super::journals::recorded_lines;
    let mut lists = Lists::met("[1,2]", "[1,2,3]");
    assert_eq!(lists.said(), ["[1,2,3]", "[1,2,3]"]);
    lists.put(0, "[1,2,3,4]");
    lists.world.deliver();
    let before = recorded_lines(&lists.world.devices[1], LIST);
    lists.put(1, "");
    lists.world.deliver();
    assert_eq!(recorded_lines(&lists.world.devices[1], LIST), before);
    assert_eq!(lists.said()[0], "[1,2,3,4]");
    assert_eq!(lists.world.devices[0].status().held, []);
    let whole = lists.whole("[1,2,3,4,5]");
    lists.put(1, &whole[..whole.len() - 3]);
    lists.world.deliver();
    assert_eq!(lists.said()[0], "[1,2,3,4]");
    assert_eq!(lists.world.devices[0].status().held.len(), 1);
    // The tool writes its file again: nothing was lost, and nobody is asked any more.
    lists.put(1, "[1,2,3,4,5]");
    lists.world.deliver();
    assert_eq!(lists.said(), ["[1,2,3,4,5]", "[1,2,3,4,5]"]);
    for device in &mut lists.world.devices {
        assert_eq!(device.status().held, [], "{}", device.name);
    }
}

/// The emptied file stood in the way of what another device went on with.
#[test]
fn a_file_that_was_emptied_comes_back_with_the_next_words() {
    let mut lists = Lists::met("[1,2]", "[1,2,3]");
    lists.put(1, "");
    lists.world.deliver();
    lists.put(0, "[1,2,3,4]");
    lists.world.deliver();
    assert_eq!(lists.said(), ["[1,2,3,4]", "[1,2,3,4]"]);
}

/// The same of a log, which was never written again either.
#[test]
fn a_log_that_was_emptied_comes_back_with_the_next_words() {
    use super::talk::{ONE, TWO, item, meta, turn};
    let (mut world, here, _) = World::pair_of_devices();
    let paths = [
        world.devices[0].transcript(&here, ONE),
        world.devices[0].rollout(TWO),
    ];
    let said = |text: &str| [turn(&here, ONE, text), item(text)];
    let begun = [turn(&here, ONE, "one"), meta(&here, TWO) + &item("one")];
    for (path, begun) in paths.iter().zip(&begun) {
        world.devices[0].say(path, begun);
    }
    world.deliver();
    for session in [ONE, TWO] {
        let placed = world.devices[1].place_of(session).expect("placed");
        world.devices[1].put(&placed, "");
    }
    for (path, text) in paths.iter().zip(said("two")) {
        world.devices[0].say(path, text);
    }
    world.deliver();
    for (session, path) in [ONE, TWO].into_iter().zip(&paths) {
        let placed = world.devices[1].place_of(session).expect("placed");
        let [desk, lap] = [path, &placed].map(|path| std::fs::read_to_string(path).expect("text"));
        assert_eq!(desk, lap);
    }
}
