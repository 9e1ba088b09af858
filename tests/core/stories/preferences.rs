//! What the user prefers: kept in config.toml beside the user's own lines, and applied at once.

use super::talk::{id, turn};
use super::wire::locked;
use super::world::World;
use serde_json::json;
use session_roam_core::api::{
    Done, Network, NotificationsChange, Preferences, PreferencesChange, Request, Space,
};
use session_roam_core::settings;

#[test]
fn preferences_are_kept_in_config_toml_and_programs_are_names() {
    let mut world = World::devices(["desk"]);
    let desk = &mut world.devices[0];
    let before: Preferences = desk.ask(Request::Preferences);
    assert!(before.notifications.arrived && before.terminal.is_empty());
    let _: Done = desk.ask(set(PreferencesChange {
        notifications: NotificationsChange {
            arrived: Some(false),
            ..NotificationsChange::default()
        },
        ..with_terminal("kitty")
    }));
    let now: Preferences = desk.ask(Request::Preferences);
    assert!(!now.notifications.arrived && now.notifications.held);
    assert_eq!(now.terminal, "kitty");
    let read = settings::load(&desk.roam).expect("config.toml");
    assert!(!read.notifications.arrived && read.notifications.held);
    assert_eq!(read.programs.terminal, "kitty");
    for program in [
        "/tmp/x",
        "xterm -e rm",
        "../x",
        "-x",
        "a\nb",
        &"x".repeat(65),
    ] {
        let refused = desk
            .try_ask(set(with_terminal(program)))
            .expect_err("no name");
        assert_eq!(refused.code.as_str(), "bad_program", "{program}");
    }
    let read = settings::load(&desk.roam).expect("config.toml");
    assert_eq!(read.programs.terminal, "kitty");
}

fn set(preferences: PreferencesChange) -> Request {
    Request::PreferencesSet { preferences }
}

fn with_terminal(name: &str) -> PreferencesChange {
    PreferencesChange {
        terminal: Some(name.into()),
        ..PreferencesChange::default()
    }
}

#[test]
fn a_changed_preference_leaves_what_the_user_wrote_in_the_file_meanwhile() {
    let mut world = World::devices(["desk"]);
    let desk = &mut world.devices[0];
    let _: Preferences = desk.ask(Request::Preferences);
    let file = desk.roam.join("config.toml");
    settings::change(&desk.roam, |document| {
        document["programs"]["terminal"] = toml_edit::value("st");
    })
    .expect("written");
    assert_eq!(desk.ask::<Preferences>(Request::Preferences).terminal, "st");
    let change =
        json!({"cmd": "preferences_set", "preferences": {"notifications": {"held": false}}});
    let _: Done = desk.ask(serde_json::from_value(change).expect("a request"));
    let read = settings::load(&desk.roam).expect("config.toml");
    assert_eq!(read.programs.terminal, "st");
    assert!(!read.notifications.held && read.notifications.arrived);
    std::fs::write(&file, "terminal = 1").expect("written");
    let refused = desk.try_ask(Request::Preferences).expect_err("unreadable");
    assert_eq!(refused.code.as_str(), "settings");
}

#[test]
fn a_changed_network_reaches_the_transport_at_once_and_is_kept() {
    let mut world = World::devices(["desk"]);
    let before: Network = world.devices[0].ask(Request::Network);
    let set = |network| Request::NetworkSet { network };
    let _: Done = world.devices[0].ask(set(before));
    assert_eq!(locked(&world.devices[0]).network, None, "nothing changed");
    let anywhere = Network {
        local_discovery: true,
        global_discovery: true,
        relays: true,
    };
    let _: Done = world.devices[0].ask(set(anywhere));
    let told = locked(&world.devices[0]).network.clone().expect("told");
    assert!(told.global_discovery && told.relays && told.local_discovery);
    assert_eq!(world.devices[0].ask::<Network>(Request::Network), anywhere);
    let home = &world.devices[0].roam;
    assert_eq!(settings::load(home).expect("config.toml").network, told);
}

#[test]
fn the_space_is_that_of_all_known_journals() {
    let (mut world, here, _) = World::pair_of_devices();
    let empty: Space = world.devices[0].ask(Request::Space);
    assert_eq!((empty.total, empty.devices.len()), (0, 0));
    let path = world.devices[0].transcript(&here, &id(1));
    world.devices[0].say(&path, turn(&here, &id(1), "one"));
    world.deliver();
    for device in &mut world.devices {
        let space: Space = device.ask(Request::Space);
        assert_eq!(space.devices.len(), 1);
        assert_eq!(space.devices[0].device, "desk");
        assert!(0 < space.total);
        assert_eq!(space.total, space.devices[0].bytes);
    }
}
