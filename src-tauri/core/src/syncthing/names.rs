//! How entries of Syncthing's configuration are named to the user.

use crate::session::decent_name;

/// Options that Syncthing changes itself.
pub const ITS_OWN: [&str; 4] = [
    "unackedNotificationID",
    "unackedNotificationIDs",
    "urSeen",
    "urUniqueId",
];

pub fn folder_name(id: &str, path: &str) -> String {
    format!("the folder {} at {}", decent_name(id), decent_name(path))
}

pub fn device_name(id: &str) -> String {
    format!("the device {}", decent_name(id))
}

pub fn setting_name(part: &str, name: &str) -> String {
    format!("the setting {}.{}", decent_name(part), decent_name(name))
}
