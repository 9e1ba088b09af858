//! One instance for each desktop session: the first owns a name on the bus, and receives the arguments of every later start.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;
use zbus::blocking::Connection;
use zbus::blocking::connection::Builder;

// The names of tauri-plugin-single-instance, which earlier versions used: an update is then no second instance.
const NAME: &str = "org.session-roam.tray.SingleInstance";
const PATH: &str = "/org/session_roam/tray/SingleInstance";
const INTERFACE: &str = "org.SingleInstance.DBus";
/// Programs on the bus that hang must not stop the tray.
const ANSWER_PATIENCE: Duration = Duration::from_secs(25);

pub enum Instance {
    /// The bus, if there is one, and the arguments of later starts.
    First(Option<Connection>, Receiver<Vec<String>>),
    /// Another instance runs and has received the arguments.
    Second,
}

struct Starts(Sender<Vec<String>>);

#[zbus::interface(name = "org.SingleInstance.DBus")]
impl Starts {
    /// The first argument is the program.
    fn execute_callback(&self, words: Vec<String>, _directory: String) {
        let _ = self.0.send(words.into_iter().skip(1).collect());
    }
}

/// Without a bus there is no way to find other instances; the engine still runs only once in a home.
pub fn claim() -> Result<Instance, String> {
    let (send, starts) = channel();
    let claimed = Builder::session()
        .and_then(|bus| bus.name(NAME))
        .and_then(|bus| bus.serve_at(PATH, Starts(send)))
        .and_then(|bus| {
            bus.replace_existing_names(false)
                .method_timeout(ANSWER_PATIENCE)
                .build()
        });
    match claimed {
        Ok(bus) => Ok(Instance::First(Some(bus), starts)),
        Err(zbus::Error::NameTaken) => pass_on()
            .map(|()| Instance::Second)
            .map_err(|error| format!("session-roam runs already and does not answer: {error}.")),
        Err(error) => {
            eprintln!("There is no session bus, so there is no icon in the panel: {error}.");
            Ok(Instance::First(None, starts))
        }
    }
}

/// From now on a later start is the first instance.
pub fn give_up(bus: &Connection) {
    // An error means that the bus is gone, and the name with it.
    let _ = bus.release_name(NAME);
}

fn pass_on() -> zbus::Result<()> {
    let words: Vec<String> = std::env::args_os()
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let directory = std::env::current_dir().unwrap_or_default();
    let call = (words, directory.to_string_lossy().into_owned());
    Connection::session()?
        .call_method(Some(NAME), PATH, Some(INTERFACE), "ExecuteCallback", &call)
        .map(drop)
}
