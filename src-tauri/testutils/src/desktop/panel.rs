//! The desktop's panel, as the tray app sees it: a small service on its bus. The menu is read and
//! clicked as a panel does (com.canonical.dbusmenu).

use super::{Desktop, PATIENCE};
use crate::isolation::wait_for;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use zbus::blocking::Connection;
use zbus::blocking::connection::Builder;
use zbus::zvariant::{ObjectPath, OwnedValue, Value};

const MENU: &str = "com.canonical.dbusmenu";

pub struct Panel {
    bus: Connection,
    icons: Arc<Mutex<Vec<(String, String)>>>,
}

/// Where icons register themselves.
struct Watcher(Arc<Mutex<Vec<(String, String)>>>);

#[zbus::interface(name = "org.kde.StatusNotifierWatcher")]
impl Watcher {
    fn register_status_notifier_item(
        &self,
        service: &str,
        #[zbus(header)] header: zbus::message::Header<'_>,
    ) {
        // The name of a service; some programs send a path of their own instead.
        let sender = header.sender().map(ToString::to_string).unwrap_or_default();
        let icon = if service.starts_with('/') {
            (sender, service.to_owned())
        } else {
            (service.to_owned(), "/StatusNotifierItem".to_owned())
        };
        self.0.lock().expect("icons").push(icon);
    }

    fn register_status_notifier_host(&self, _service: &str) {}

    #[zbus(property)]
    fn registered_status_notifier_items(&self) -> Vec<String> {
        self.0
            .lock()
            .expect("icons")
            .iter()
            .map(|(bus, path)| format!("{bus}{path}"))
            .collect()
    }

    #[zbus(property)]
    fn is_status_notifier_host_registered(&self) -> bool {
        true
    }

    #[zbus(property)]
    fn protocol_version(&self) -> i32 {
        0
    }
}

impl Panel {
    pub fn new(desktop: &Desktop) -> Self {
        let icons = Arc::new(Mutex::new(Vec::new()));
        let bus = Builder::address(desktop.bus_address.as_str())
            .and_then(|builder| builder.name("org.kde.StatusNotifierWatcher"))
            .and_then(|builder| builder.serve_at("/StatusNotifierWatcher", Watcher(icons.clone())))
            .and_then(|builder| builder.build())
            .expect("a watcher on the bus");
        Self { bus, icons }
    }

    /// The menu as lines of text; disabled items are in brackets, items of a submenu are indented.
    pub fn menu(&self) -> Result<Vec<String>, String> {
        Ok(self.items()?.into_iter().map(|item| item.line).collect())
    }

    pub fn wait_menu(&self, line: &str) -> Vec<String> {
        wait_for(&format!("“{line}” in the menu"), PATIENCE, || {
            let menu = self.menu()?;
            if menu.iter().any(|item| item.contains(line)) {
                Ok(menu)
            } else {
                Err(format!("{menu:#?}"))
            }
        })
    }

    /// Reads the menu and clicks; repeats both when the menu is redrawn in between.
    pub fn click(&self, line: &str) {
        wait_for(
            &format!("a click on “{line}” in the menu"),
            PATIENCE,
            || {
                let items = self.items()?;
                let item = items
                    .iter()
                    .find(|item| item.line.contains(line))
                    .ok_or_else(|| format!("{items:#?}"))?;
                let (bus, menu) = self.place()?;
                let event = (item.id, "clicked", Value::from(0i32), 0u32);
                let clicked = self.bus.call_method(
                    Some(bus.as_str()),
                    menu.as_str(),
                    Some(MENU),
                    "Event",
                    &event,
                );
                clicked.map(drop).map_err(|error| error.to_string())
            },
        );
    }

    /// The icon as the panel draws it: width, height and pixels.
    pub fn icon(&self) -> Vec<(i32, i32, Vec<u8>)> {
        let value = self.property("IconPixmap").expect("the icon");
        value.try_into().expect("pictures")
    }

    /// The tooltip's title.
    #[allow(dead_code)] // not all tests look at it
    pub fn tooltip(&self) -> Result<String, String> {
        type Tooltip = (String, Vec<(i32, i32, Vec<u8>)>, String, String);
        let (_icon, _pictures, title, _text) =
            Tooltip::try_from(Value::from(self.property("ToolTip")?))
                .map_err(|error| error.to_string())?;
        Ok(title)
    }

    fn property(&self, name: &str) -> Result<OwnedValue, String> {
        let (bus, path) = self
            .icons
            .lock()
            .expect("icons")
            .last()
            .cloned()
            .ok_or("no icon yet")?;
        let answer = self.bus.call_method(
            Some(bus.as_str()),
            path.as_str(),
            Some("org.freedesktop.DBus.Properties"),
            "Get",
            &("org.kde.StatusNotifierItem", name),
        );
        answer
            .and_then(|answer| answer.body().deserialize())
            .map_err(|error| error.to_string())
    }

    /// The service and where its menu is.
    fn place(&self) -> Result<(String, String), String> {
        let menu = ObjectPath::try_from(Value::from(self.property("Menu")?))
            .map_err(|error| error.to_string())?
            .to_string();
        let icons = self.icons.lock().expect("icons");
        let (bus, _) = icons.last().ok_or("no icon yet")?;
        Ok((bus.clone(), menu))
    }

    fn items(&self) -> Result<Vec<Shown>, String> {
        let (bus, menu) = self.place()?;
        let all = (0i32, -1i32, Vec::<&str>::new());
        let answer = self.bus.call_method(
            Some(bus.as_str()),
            menu.as_str(),
            Some(MENU),
            "GetLayout",
            &all,
        );
        let answer = answer.map_err(|error| error.to_string())?;
        let body = answer.body();
        let (_revision, root): (u32, Node) =
            body.deserialize().map_err(|error| error.to_string())?;
        let mut items = Vec::new();
        read(root.2, 0, &mut items);
        Ok(items)
    }
}

type Node = (i32, HashMap<String, OwnedValue>, Vec<OwnedValue>);

#[derive(Debug)]
struct Shown {
    id: i32,
    line: String,
}

fn read(nodes: Vec<OwnedValue>, depth: usize, items: &mut Vec<Shown>) {
    for node in nodes {
        let (id, facts, below) = Node::try_from(Value::from(node)).expect("a node of a menu");
        let text = facts
            .get("label")
            .and_then(|label| label.downcast_ref::<&str>().ok())
            .unwrap_or("---");
        let is_dead = facts
            .get("enabled")
            .is_some_and(|on| on.downcast_ref::<bool>() == Ok(false));
        // An underscore marks an access key; two of them stand for a literal one.
        let text = text
            .replace("__", "\u{0}")
            .replace('_', "")
            .replace('\u{0}', "_");
        let line = if is_dead { format!("({text})") } else { text };
        items.push(Shown {
            id,
            line: format!("{}{line}", "    ".repeat(depth)),
        });
        read(below, depth + 1, items);
    }
}
