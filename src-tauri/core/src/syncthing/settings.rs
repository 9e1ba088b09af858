//! The managed child's settings stay as they were in the first moment of a run, when config.xml had
//! just been written. Any change is changed back and reported. Compares Syncthing's current
//! settings with the earlier ones, so no version's settings need to be known.

use super::arranged::{ArrangeError, Arranged};
use super::link::Up;
use super::names::{ITS_OWN, setting_name};
use serde_json::{Map, Value};

/// `first` is the config of the run's first moment, `now` the current one.
pub fn restore(
    up: &Up,
    first: &Value,
    now: &Value,
    arranged: &mut Arranged,
) -> Result<(), ArrangeError> {
    let options = changed(&first["options"], &now["options"]);
    if !options.is_empty() {
        report("options", &options, arranged);
        up.rest
            .patch("/rest/config/options", &Value::Object(options))?;
    }
    for part in ["folder", "device"] {
        let (first, now) = (&first["defaults"][part], &now["defaults"][part]);
        let defaults = changed(first, now);
        if !defaults.is_empty() {
            report(&format!("defaults.{part}"), &defaults, arranged);
            up.rest
                .patch(&format!("/rest/config/defaults/{part}"), first)?;
        }
    }
    for part in ["gui", "ldap"] {
        let interface = changed(&first[part], &now[part]);
        arranged.restart |= !interface.is_empty();
        report(part, &interface, arranged);
    }
    Ok(())
}

fn report(part: &str, changed: &Map<String, Value>, arranged: &mut Arranged) {
    arranged
        .foreign
        .extend(changed.keys().map(|name| setting_name(part, name)));
    arranged.changed |= !changed.is_empty();
}

/// The settings that differ from the first config, with their first values.
fn changed(first: &Value, now: &Value) -> Map<String, Value> {
    let first = first.as_object().into_iter().flatten();
    first
        .filter(|(name, value)| !ITS_OWN.contains(&name.as_str()) && now[name.as_str()] != **value)
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_syncthing_does_not_change_itself_counts() {
        let first = json!({"relaysEnabled": false, "urSeen": 0, "listenAddresses": ["default"]});
        assert_eq!(changed(&first, &first), Map::new());
        let now =
            json!({"relaysEnabled": true, "urSeen": 3, "listenAddresses": ["default"], "new": 1});
        assert_eq!(
            Value::Object(changed(&first, &now)),
            json!({"relaysEnabled": false})
        );
    }
}
