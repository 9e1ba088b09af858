//! The managed Syncthing's config.xml. Before each start it is rewritten from the last arrangement
//! and the settings: foreign entries do not survive a start. Foreign entries are collected for the
//! report. Knows the file; knows no daemon.

use super::arrange;
use super::arranged::Made;
use super::child_error::ChildError;
use super::home::{self, ChildConfig};
use super::names::{ITS_OWN, device_name, folder_name, setting_name};
use crate::session::DeviceId;
use crate::settings;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::net::TcpListener;
use std::path::Path;

const DEFAULT_PORT: u16 = 22_000;
/// Every later version understands and upgrades version 35 (Syncthing 1.19 is at 36).
const OLDEST_FORMAT: u32 = 35;
/// Writes config.xml; returns the foreign entries of the previous file, safe to display.
pub fn write(config: &ChildConfig, own: &DeviceId, gui: &Gui) -> Result<Vec<String>, ChildError> {
    let path = config.home.join("config.xml");
    let before = fs::read_to_string(&path).unwrap_or_default();
    let good =
        fs::read_to_string(config.home.join("last-good").join("config.xml")).unwrap_or_default();
    let made = Made::load(&config.home);
    let listen = listen_addresses(&config.network, Some(&before));
    let text = render(&made, config, own, gui, &listen, format_of(&before));
    home::write_private(&path, text.as_bytes())?;
    home::keep_good(&config.home, "config.xml")?;
    Ok(foreign(&before, &good, &made, own))
}

/// The format version of a config: from a newer version than its own, Syncthing sees that it is too
/// old.
fn format_of(text: &str) -> u32 {
    let version = text
        .split_once("<configuration version=\"")
        .and_then(|(_, rest)| rest.split('"').next()?.parse().ok());
    version.unwrap_or(OLDEST_FORMAT)
}

fn render(
    made: &Made,
    config: &ChildConfig,
    own: &DeviceId,
    gui: &Gui,
    listen: &[String],
    format: u32,
) -> String {
    let discovery = config.network.global_discovery || config.network.local_discovery;
    let mut text = format!("<configuration version=\"{format}\">\n");
    if let Some(wanted) = &made.wanted {
        // A folder that was not made yet is arranged later: Syncthing would call it lost.
        let folders = wanted
            .folders
            .iter()
            .filter(|folder| made.folders.get(&folder.id) == Some(&folder.path));
        for folder in folders {
            let body = arrange::folder_body(folder, wanted, own, false);
            element(&mut text, 1, "folder", &body);
        }
        for device in wanted.devices.iter().filter(|device| device.id != *own) {
            element(
                &mut text,
                1,
                "device",
                &arrange::device_body(device, wanted.paused, discovery),
            );
        }
    }
    let us = json!({ "deviceID": own, "name": config.device_name, "addresses": ["dynamic"] });
    element(&mut text, 1, "device", &us);
    text.push_str(&gui.element());
    element(&mut text, 1, "options", &options(&config.network, listen));
    text + "</configuration>\n"
}

/// The element names in config.xml are those of Syncthing's REST interface (1.19 to 2.1).
fn element(text: &mut String, depth: usize, tag: &str, body: &Value) {
    let indent = "    ".repeat(depth);
    let fields = || body.as_object().into_iter().flatten();
    let plain = |value: &Value| {
        escape(
            value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned)
                .as_str(),
        )
    };
    text.push_str(&format!("{indent}<{tag}"));
    for (name, value) in fields().filter(|(name, _)| is_attribute(tag, name)) {
        text.push_str(&format!(
            " {}=\"{}\"",
            if name == "deviceID" { "id" } else { name },
            plain(value)
        ));
    }
    text.push_str(">\n");
    for (name, value) in fields().filter(|(name, _)| !is_attribute(tag, name)) {
        match value {
            Value::Array(list) => {
                for item in list {
                    match item {
                        Value::Object(_) => element(text, depth + 1, one_of(name), item),
                        plain_item => {
                            let name = one_of(name);
                            text.push_str(&format!(
                                "{indent}    <{name}>{}</{name}>\n",
                                plain(plain_item)
                            ));
                        }
                    }
                }
            }
            // The defaults of a structure are the values that we pin.
            Value::Object(_) => {}
            value => text.push_str(&format!("{indent}    <{name}>{}</{name}>\n", plain(value))),
        }
    }
    text.push_str(&format!("{indent}</{tag}>\n"));
}

fn is_attribute(tag: &str, name: &str) -> bool {
    const OF_FOLDERS: [&str; 8] = [
        "id",
        "label",
        "path",
        "type",
        "rescanIntervalS",
        "fsWatcherEnabled",
        "fsWatcherDelayS",
        "ignorePerms",
    ];
    const OF_DEVICES: [&str; 4] = ["deviceID", "name", "introducer", "introducedBy"];
    tag == "folder" && OF_FOLDERS.contains(&name) || tag == "device" && OF_DEVICES.contains(&name)
}

/// `addresses` is a list of `address`, `devices` one of `device`.
fn one_of(name: &str) -> &str {
    name.strip_suffix("es")
        .filter(|one| one.ends_with("ss"))
        .or_else(|| name.strip_suffix('s'))
        .unwrap_or(name)
}

/// Settings that must hold from the daemon's first moment: where it listens, and with whom it may
/// communicate.
fn options(network: &settings::Network, listen: &[String]) -> Value {
    let outside = network.global_discovery || network.relays;
    json!({
        "listenAddresses": listen,
        "globalAnnounceEnabled": network.global_discovery,
        "localAnnounceEnabled": network.local_discovery,
        "relaysEnabled": network.relays,
        // Port mapping and STUN contact the router and public servers: needed only to be found from
        // outside.
        "natEnabled": outside,
        "stunKeepaliveStartS": if outside { 180 } else { 0 },
        "startBrowser": false,
        "urAccepted": -1,
        "autoUpgradeIntervalH": 0,
        "crashReportingEnabled": false,
        "releasesURL": "",
        "reconnectionIntervalS": 5,
        "progressUpdateIntervalS": -1,
        // Its low priority costs tail latency and has no noticeable benefit.
        "setLowPriority": false,
    })
}

/// Entries of a config that are not ours, with their names and paths.
fn foreign(before: &str, good: &str, made: &Made, own: &DeviceId) -> Vec<String> {
    let mut found = BTreeSet::new();
    for folder in elements(before, "folder").filter(|folder| !attribute(folder, "id").is_empty()) {
        let (id, path) = (attribute(folder, "id"), attribute(folder, "path"));
        if made
            .folders
            .get(&id)
            .is_none_or(|known| known != Path::new(&path))
        {
            found.insert(folder_name(&id, &path));
        }
    }
    let devices = elements(before, "device")
        .map(|device| attribute(device, "id"))
        .filter(|id| !id.is_empty());
    for id in devices.filter(|id| id != own.as_str()) {
        if !made.has_device(&DeviceId::new(id.as_str())) {
            found.insert(device_name(&id));
        }
    }
    for part in ["options", "gui", "ldap"] {
        let (then, now) = (settings_of(good, part), settings_of(before, part));
        for (tag, value) in then.iter().filter(|(tag, _)| !ITS_OWN.contains(tag)) {
            if now.get(tag).is_some_and(|now| now != value) {
                found.insert(setting_name(part, tag));
            }
        }
    }
    found.into_iter().collect()
}

/// The contents of all start tags with this name.
fn elements<'a>(text: &'a str, tag: &str) -> impl Iterator<Item = &'a str> {
    let start = format!("<{tag} ");
    text.match_indices(&start)
        .map(|(at, found)| {
            text[at + found.len()..]
                .split('>')
                .next()
                .unwrap_or_default()
        })
        .collect::<Vec<_>>()
        .into_iter()
}

fn attribute(tag: &str, name: &str) -> String {
    let start = format!(" {name}=\"");
    let text = format!(" {tag}");
    let value = text
        .split_once(&start)
        .and_then(|(_, rest)| rest.split('"').next())
        .unwrap_or_default();
    let unescaped = value
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&#34;", "\"")
        .replace("&#39;", "'");
    unescaped.replace("&amp;", "&")
}

/// The settings of one section, one a line as Syncthing writes them; all values of a list.
fn settings_of<'a>(text: &'a str, part: &str) -> BTreeMap<&'a str, Vec<&'a str>> {
    let mut settings: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let inside = text
        .split_once(&format!("<{part}"))
        .and_then(|(_, rest)| rest.split(&format!("</{part}>")).next());
    let mut lines = inside.unwrap_or_default().lines();
    let start = lines.next().unwrap_or_default();
    for name in ["enabled", "tls", "debugging"] {
        if let Some((_, value)) = start.split_once(&format!(" {name}=\"")) {
            settings
                .entry(name)
                .or_default()
                .extend(value.split('"').next());
        }
    }
    for line in lines.map(str::trim) {
        if let Some((tag, value)) = line.strip_prefix('<').and_then(|line| line.split_once('>')) {
            settings.entry(tag).or_default().push(value);
        }
    }
    settings
}

/// Access to the REST interface: none without the key. Beside a key Syncthing gives a session to
/// every browser that requests its page, unless there is a user with a password. Nobody is meant to
/// log in, so no password exists: the hash is random.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gui {
    pub address: String,
    pub key: String,
    pub user: String,
    /// In the format of bcrypt.
    pub hash: String,
}

impl Gui {
    pub fn new(address: &str) -> Result<Self, ChildError> {
        let hash = data_encoding::BASE64_NOPAD
            .encode(&random::<40>()?)
            .replace('+', ".");
        Ok(Self {
            address: address.to_owned(),
            key: data_encoding::HEXLOWER.encode(&random::<32>()?),
            user: data_encoding::HEXLOWER.encode(&random::<16>()?),
            hash: format!("$2a$10${}", &hash[..53]),
        })
    }

    fn element(&self) -> String {
        let Self {
            address,
            key,
            user,
            hash,
        } = self;
        let lines = [
            ("user", user),
            ("password", hash),
            ("address", address),
            ("apikey", key),
        ];
        let lines = lines
            .map(|(tag, value)| format!("        <{tag}>{}</{tag}>\n", escape(value)))
            .concat();
        format!(
            "    <gui enabled=\"true\" tls=\"false\" debugging=\"false\" sendBasicAuthPrompt=\"false\">\n        \
             <unixSocketPermissions>0600</unixSocketPermissions>\n{lines}    </gui>\n"
        )
    }
}

fn random<const N: usize>() -> Result<[u8; N], ChildError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| ChildError::Io {
        path: "the system's random numbers".into(),
        source: io::Error::other(error),
    })?;
    Ok(bytes)
}

fn escape(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control())
        .fold(String::new(), |mut escaped, c| {
            match c {
                '&' => escaped.push_str("&amp;"),
                '<' => escaped.push_str("&lt;"),
                '>' => escaped.push_str("&gt;"),
                '"' => escaped.push_str("&#34;"),
                other => escaped.push(other),
            }
            escaped
        })
}

/// The user's own Syncthing usually has the default port: ours then takes the next free one and
/// keeps it.
fn listen_addresses(network: &settings::Network, before: Option<&str>) -> Vec<String> {
    if !network.listen.is_empty() && network.listen != ["default"] {
        return network.listen.clone();
    }
    let used = before.and_then(|text| {
        let port = text
            .split_once("<listenAddress>tcp://0.0.0.0:")?
            .1
            .split_once('<')?
            .0;
        port.parse::<u16>().ok()
    });
    let candidates = used
        .into_iter()
        .chain(std::iter::once(DEFAULT_PORT))
        .chain(DEFAULT_PORT + 1..DEFAULT_PORT + 100);
    match candidates
        .into_iter()
        .find(|port| TcpListener::bind(("0.0.0.0", *port)).is_ok())
    {
        Some(DEFAULT_PORT) | None => vec!["default".into()],
        Some(port) => {
            let mut listen = vec![
                format!("tcp://0.0.0.0:{port}"),
                format!("quic://0.0.0.0:{port}"),
            ];
            if network.relays {
                listen.push("dynamic+https://relays.syncthing.net/endpoint".into());
            }
            listen
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syncthing::device_id::from_cert_der;
    use crate::syncthing::{Wanted, WantedDevice, WantedFolder};

    fn config() -> ChildConfig {
        ChildConfig {
            home: "/nowhere".into(),
            binary: None,
            network: settings::Network {
                local_discovery: false,
                listen: vec!["tcp://127.0.0.1:22101".into()],
                ..Default::default()
            },
            device_name: "Tom & \"Jerry\"".into(),
            external: None,
        }
    }

    fn gui() -> Gui {
        Gui {
            address: "/h/rest.sock".into(),
            key: "key".into(),
            user: "user".into(),
            hash: "$2a$10$hash".into(),
        }
    }

    fn made() -> Made {
        let lap = from_cert_der(b"lap");
        let folder = WantedFolder {
            id: "roam-live-A".into(),
            path: "/v/A & B".into(),
            own: true,
            shared_with: vec![lap.clone()],
            ignores: vec![],
        };
        let device = WantedDevice {
            id: lap.clone(),
            name: "lap".into(),
            addresses: vec!["tcp://127.0.0.1:9".into()],
        };
        Made {
            folders: [(folder.id.clone(), folder.path.clone())].into(),
            devices: [lap].into(),
            wanted: Some(Wanted {
                devices: vec![device],
                folders: vec![folder],
                paused: false,
            }),
        }
    }

    fn rendered(made: &Made) -> String {
        render(
            made,
            &config(),
            &from_cert_der(b"x"),
            &gui(),
            &["tcp://127.0.0.1:22101".into()],
            OLDEST_FORMAT,
        )
    }

    #[test]
    fn a_config_talks_to_nobody_but_as_allowed() {
        let text = rendered(&made());
        for line in [
            "<listenAddress>tcp://127.0.0.1:22101</listenAddress>",
            "<relaysEnabled>false</relaysEnabled>",
            "<apikey>key</apikey>",
            "<password>$2a$10$hash</password>",
            "<address>/h/rest.sock</address>",
            "<urAccepted>-1</urAccepted>",
            "name=\"Tom &amp; &#34;Jerry&#34;\"",
            "path=\"/v/A &amp; B\"",
            "<address>tcp://127.0.0.1:9</address>",
            "<autoAcceptFolders>false</autoAcceptFolders>",
        ] {
            assert_eq!(text.matches(line).count(), 1, "{line} in {text}");
        }
    }

    #[test]
    fn a_config_of_ours_holds_nothing_foreign() {
        let (made, own) = (made(), from_cert_der(b"x"));
        let text = rendered(&made);
        assert_eq!(foreign(&text, &text, &made, &own), Vec::<String>::new());
        assert_eq!(
            foreign(&text[..text.len() / 2], &text, &made, &own),
            Vec::<String>::new(),
            "cut off by a crash"
        );
        assert_eq!(foreign("", &text, &made, &own), Vec::<String>::new());
    }

    /// F1: foreign entries in config.xml are reported, and a start rewrites the file without them.
    #[test]
    fn what_was_planted_in_a_config_is_named() {
        let (made, own, other) = (made(), from_cert_der(b"x"), from_cert_der(b"other"));
        let good = rendered(&made);
        let planted = good
            .replace("path=\"/v/A &amp; B\"", "path=\"/home/u\"")
            .replace("<relaysEnabled>false", "<relaysEnabled>true")
            .replace("tls=\"false\"", "tls=\"true\"")
            .replace("</configuration>", &format!("<device id=\"{other}\" name=\"x\"></device><folder id=\"x\" path=\"/home/u/.ssh\"></folder></configuration>"));
        assert_eq!(
            foreign(&planted, &good, &made, &own),
            [
                device_name(other.as_str()).as_str(),
                "the folder roam-live-A at /home/u",
                "the folder x at /home/u/.ssh",
                "the setting gui.tls",
                "the setting options.relaysEnabled",
            ]
        );
        assert_eq!(rendered(&made), good);
    }

    #[test]
    fn the_format_of_a_config_is_kept() {
        assert_eq!(format_of("<configuration version=\"51\">"), 51);
        assert_eq!(format_of("<configuration"), OLDEST_FORMAT);
    }

    #[test]
    fn a_taken_default_port_is_stepped_around() {
        let network = settings::Network {
            listen: vec!["default".into()],
            ..Default::default()
        };
        let _taken = TcpListener::bind(("0.0.0.0", DEFAULT_PORT));
        let listen = listen_addresses(&network, None);
        assert!(
            listen[0].starts_with("tcp://0.0.0.0:22") && listen[1].starts_with("quic://"),
            "{listen:?}"
        );
    }
}
