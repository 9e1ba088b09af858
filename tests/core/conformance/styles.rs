//! Sessions of devices that write paths in other ways: each fixture as another system's user would
//! have it arrives here, is bound to the directory here, and goes back as it was.

use super::cases::{Case, cases};
use super::{Device, Traveller, only_session, pick_up, put_down, recorded};
use session_roam_core::formats::fields;
use session_roam_core::formats::vscode::{self, System};
use session_roam_core::session::DocName;
use std::collections::BTreeMap;
use std::path::Path;

/// In every path of another device, and nowhere in a fixture.
const USER: &str = "lovelace";

/// How a system writes a user's directory, its URI, and what separates names.
struct Style {
    home: &'static str,
    uri: &'static str,
    separator: &'static str,
}

const STYLES: [Style; 6] = [
    Style {
        home: r"C:\Users\lovelace",
        uri: "file:///c%3A/Users/lovelace",
        separator: r"\",
    },
    Style {
        home: "/Users/lovelace",
        uri: "file:///Users/lovelace",
        separator: "/",
    },
    Style {
        home: "/home/lovelace",
        uri: "file:///home/lovelace",
        separator: "/",
    },
    Style {
        home: r"\\wsl.localhost\Ubuntu\home\lovelace",
        uri: "file://wsl.localhost/Ubuntu/home/lovelace",
        separator: r"\",
    },
    Style {
        home: "/home/lovelace",
        uri: "vscode-remote://wsl%2Bubuntu/home/lovelace",
        separator: "/",
    },
    Style {
        home: "/root/lovelace",
        uri: "vscode-remote://ssh-remote%2Bhost.example/root/lovelace",
        separator: "/",
    },
];

impl Style {
    /// A text in which the directories of a device are those of this style's user.
    fn of(&self, text: &str, device: &Device, recorded: Option<&str>) -> String {
        let dir = format!("{}{}code", self.home, self.separator);
        let recorded = recorded.map(Path::new).filter(|path| path.is_absolute());
        let mut pairs = Vec::new();
        for (path, there, below) in [
            (Some(device.cwd.as_path()), dir.as_str(), "/code"),
            (recorded, dir.as_str(), "/code"),
            (Some(device.machine.home.as_path()), self.home, ""),
        ] {
            let Some(path) = path.and_then(Path::to_str) else {
                continue;
            };
            let uri = format!("{}{below}", self.uri);
            pairs.push((vscode::uri_of(path, System::HERE), uri));
            pairs.push((path.to_owned(), there.to_owned()));
        }
        pairs.iter().fold(text.to_owned(), |text, (path, there)| {
            let text = text.replace(&in_json(path), &in_json(there));
            text.replace(path, &in_json(there))
        })
    }

    /// The session as a device of this style syncs it; `None` if no path is in a text of it.
    fn traveller(&self, case: &Case, device: &Device) -> Option<Traveller> {
        let mut traveller = pick_up(case, &device.machine);
        let recorded = case.expect["cwd"].as_str();
        let mut is_other = false;
        for (_, _, _, bytes) in &mut traveller.docs {
            if let Ok(text) = std::str::from_utf8(bytes) {
                let other = self.of(text, device, recorded);
                is_other |= other != text;
                *bytes = other.into_bytes();
            }
        }
        is_other.then_some(traveller)
    }
}

/// A text as JSON has it between quotation marks.
fn in_json(text: &str) -> String {
    let quoted = serde_json::to_string(text).expect("a text");
    quoted[1..quoted.len() - 1].to_owned()
}

#[test]
fn a_session_of_a_system_with_other_paths_is_bound_to_the_directory_here() {
    let mut bound = BTreeMap::new();
    for case in cases() {
        for style in &STYLES {
            let (here, there) = (Device::of(&case), Device::other_for(&case));
            let name = format!("{} from {}", case.name, style.uri);
            let Some(traveller) = style.traveller(&case, &here) else {
                continue;
            };
            put_down(&case, &there, &traveller).unwrap_or_else(|error| panic!("{name}: {error}"));
            let arrived = pick_up(&case, &there.machine);
            let authors: BTreeMap<&DocName, &Vec<u8>> =
                traveller.docs.iter().map(|doc| (&doc.0, &doc.3)).collect();
            for (doc, _, _, bytes) in &arrived.docs {
                let sent = authors[doc];
                assert!(
                    recorded(&case, doc, bytes, sent) == **sent,
                    "{name}: {doc} goes back as it was:\n{}\n{}",
                    String::from_utf8_lossy(&recorded(&case, doc, bytes, sent)),
                    String::from_utf8_lossy(sent)
                );
                for field in (case.tool.about().device_fields)(doc) {
                    let text = fields::text(bytes, field).unwrap_or_default();
                    assert!(!text.contains(USER), "{name}: {field} of {doc} is {text}");
                    if fields::text(sent, field).is_some_and(|text| text.contains(USER)) {
                        *bound.entry(case.name.clone()).or_insert(0) += 1;
                    }
                }
            }
            let found = only_session(&case, &there.machine);
            let reading = case.tool.read(&there.machine, &found).expect("read");
            let cwd = reading.facts.cwd.unwrap_or_default();
            println!("{name}: {cwd}");
        }
    }
    println!("{bound:?}");
    assert!(6 <= bound.len(), "{bound:?}");
}
