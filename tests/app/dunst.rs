//! A real notification daemon on a test's desktop: dunst, queried and clicked with its own commands
//! over the bus.

use session_roam_testutils::desktop::{Desktop, PATIENCE};
use session_roam_testutils::isolation::wait_for;
use std::collections::HashMap;
use std::fs;
use std::process::{Child, Stdio};
use zbus::blocking::Connection;
use zbus::blocking::connection::Builder;
use zbus::zvariant::OwnedValue;

const PLACE: &str = "/org/freedesktop/Notifications";
const NAME: &str = "org.freedesktop.Notifications";
const COMMANDS: &str = "org.dunstproject.cmd0";
/// Notifications stay until they are clicked or closed.
const CONFIG: &str = "[global]\n    idle_threshold = 0\n[urgency_low]\n    timeout = 0\n[urgency_normal]\n    timeout = 0\n[urgency_critical]\n    timeout = 0\n";

pub struct Dunst {
    bus: Connection,
    program: Child,
}

impl Dunst {
    pub fn start(desktop: &Desktop) -> Self {
        let config = desktop.home.join("dunstrc");
        fs::write(&config, CONFIG).expect("a configuration");
        let mut command = desktop.command("dunst");
        let program = command
            .arg("-conf")
            .arg(config)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let bus = Builder::address(desktop.bus_address.as_str())
            .and_then(Builder::build)
            .expect("the desktop's bus");
        let dunst = Self {
            bus,
            program: program.expect("dunst"),
        };
        wait_for("dunst", PATIENCE, || dunst.shown().map(drop));
        dunst
    }

    /// How many notifications are on the screen.
    fn shown(&self) -> Result<u32, String> {
        let asked = (COMMANDS, "displayedLength");
        let properties = Some("org.freedesktop.DBus.Properties");
        let answer = self
            .bus
            .call_method(Some(NAME), PLACE, properties, "Get", &asked);
        let value: OwnedValue = answer
            .and_then(|answer| answer.body().deserialize())
            .map_err(|error| error.to_string())?;
        value.downcast_ref().map_err(|error| error.to_string())
    }

    fn command(&self, name: &str) {
        self.bus
            .call_method(Some(NAME), PLACE, Some(COMMANDS), name, &())
            .expect("dunst does it");
    }

    /// Clicks on the first notification, which runs its action.
    pub fn click(&self) {
        self.bus
            .call_method(
                Some(NAME),
                PLACE,
                Some(COMMANDS),
                "NotificationAction",
                &0u32,
            )
            .expect("a click");
    }

    /// The titles of all notifications so far, newest first. Afterwards none is shown any more.
    pub fn all(&self) -> Vec<String> {
        self.command("NotificationCloseAll");
        let answer = self.bus.call_method(
            Some(NAME),
            PLACE,
            Some(COMMANDS),
            "NotificationListHistory",
            &(),
        );
        let answer = answer.expect("the history");
        let told: Vec<HashMap<String, OwnedValue>> = answer.body().deserialize().expect("a list");
        let title = |told: &HashMap<String, OwnedValue>| {
            told["summary"].downcast_ref::<String>().expect("a title")
        };
        told.iter().map(title).collect()
    }

    pub fn wait_shown(&self) {
        wait_for("a notification on the screen", PATIENCE, || {
            match self.shown()? {
                0 => Err("there is none".into()),
                _ => Ok(()),
            }
        });
    }

    pub fn wait(&self, title: &str) {
        wait_for(&format!("the notification “{title}”"), PATIENCE, || {
            let all = self.all();
            if all.iter().any(|told| told == title) {
                Ok(())
            } else {
                Err(format!("{all:?}"))
            }
        });
    }
}

impl Drop for Dunst {
    fn drop(&mut self) {
        // It was started here; in any case its display ends with the test.
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}
