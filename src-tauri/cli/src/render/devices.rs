//! This device, the others, and pairing.

use super::table::{Column, table};
use super::{View, plural, wrap};
use crate::when::ago;
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;
use session_roam_core::api::quote::word;
use session_roam_core::api::{AskingDevice, Device, Devices, PairedDevice, Pairing, RevokeAnswer};

pub fn this_device(device: &Device) -> String {
    let mut out = format!("{}\n\n", device.name);
    if let Some(qr) = qr(&device.code) {
        out.push_str(&format!("{qr}\n\n"));
    }
    out.push_str(&format!("Id    {}\n", device.id));
    for (idx, address) in device.addresses.iter().enumerate() {
        out.push_str(&format!(
            "{}  {address}\n",
            if idx == 0 { "At  " } else { "    " }
        ));
    }
    if device.addresses.is_empty() {
        out.push_str("At    no address yet: Syncthing is not running, or there is no network. Devices on the same network\n      still find this one; for others run this again.\n");
    }
    out.push_str(&format!(
        "\nOn your other device:\n  roam pair {}\n",
        word(&device.code)
    ));
    out.push_str(
        "The code is valid for one pairing, for ten minutes. Do not show it to anyone else.\n",
    );
    out
}

/// Half blocks, light on dark as in most terminals: readers expect dark modules on light, so the
/// light ones are drawn. `None` if the code is too long for any QR code.
fn qr(code: &str) -> Option<String> {
    let qr = QrCode::with_error_correction_level(code, qrcode::EcLevel::L).ok()?;
    Some(
        qr.render::<Dense1x2>()
            .dark_color(Dense1x2::Light)
            .light_color(Dense1x2::Dark)
            .build(),
    )
}

pub fn devices(devices: &Devices, view: &View) -> String {
    let mut out = String::new();
    for device in &devices.asking {
        out.push_str(&asking(device, view));
    }
    if 0 < devices.more_asking {
        let more = plural(devices.more_asking, "more device");
        out.push_str(&wrap(
            &format!("And {more} without this device's code. You can ignore them."),
            0,
            view,
        ));
        out.push('\n');
    }
    for device in devices.paired.iter().filter(|device| !device.confirmed) {
        out.push_str(&under_way(device, view));
    }
    for device in &devices.proposed {
        out.push_str(&wrap(
            &format!("{} is paired with {}.", device.name, device.by),
            0,
            view,
        ));
        out.push_str(&format!("  Pair here too:  roam approve {}\n\n", device.id));
    }
    for device in &devices.nearby {
        let name = device
            .name
            .clone()
            .unwrap_or_else(|| device.id.chars().take(7).collect());
        out.push_str(&wrap(&format!("{name} is on this network."), 0, view));
        out.push_str(&format!("  Compare digits:  roam pair {}\n\n", device.id));
    }
    if devices.paired.is_empty() {
        out.push_str("Not paired with any device yet.\n  `roam device` shows this device's code; give it to `roam pair CODE` on the other.\n");
        return out;
    }
    let lines: Vec<_> = devices
        .paired
        .iter()
        .map(|device| {
            [
                device.name.clone(),
                connection(device, view),
                in_step(device),
                device.id.chars().take(7).collect(),
            ]
        })
        .collect();
    out.push_str(&table(
        [
            Column::Text("Device"),
            Column::Gives("State"),
            Column::Number("Synced"),
            Column::Text("Id"),
        ],
        &lines,
        view,
    ));
    out.push_str(&listed(devices, view));
    out
}

/// The parts of the device list besides the paired devices: followed devices, approvals from
/// others, revoked devices.
fn listed(devices: &Devices, view: &View) -> String {
    let mut out = String::new();
    let name = |id: &str| {
        let paired = devices.paired.iter().find(|paired| paired.id == id);
        paired.map_or_else(
            || id.chars().take(7).collect(),
            |paired| paired.name.clone(),
        )
    };
    for approval in &devices.approvals {
        let name = name(&approval.id);
        if approval.follow {
            out.push_str(&wrap(
                &format!("Devices that you approve on {name} are approved here, too."),
                0,
                view,
            ));
        }
        if let Some(via) = &approval.via {
            out.push_str(&wrap(
                &format!("{name} is approved here because you approved it on {via}."),
                0,
                view,
            ));
        }
    }
    for device in &devices.revoked {
        let mut sentence = format!("{} was revoked on {}.", device.name, device.by.join(", "));
        if let Some(since) = &device.since {
            sentence.push_str(&format!(" What it wrote since {since} is removed."));
        }
        if !device.not_heard.is_empty() {
            sentence.push_str(&format!(
                " Do not know it yet: {}.",
                device.not_heard.join(", ")
            ));
        }
        out.push_str(&wrap(&sentence, 0, view));
        out.push_str(&format!("  Approve again:  roam approve {}\n", device.id));
    }
    if out.is_empty() {
        out
    } else {
        format!("\n{out}")
    }
}

/// The effect of revoking a device, shown before it is done.
pub fn revoke_question(would: &RevokeAnswer) -> String {
    let mut text = format!(
        "Each of your devices stops syncing with {0} as soon as it learns of this. {0} keeps what it has.",
        would.name
    );
    if would.cut > 0 {
        text.push_str(&format!(
            " What it wrote since then is removed from {}.",
            plural(would.cut, "session")
        ));
    }
    if !would.not_heard.is_empty() {
        text.push_str(&format!(
            " These devices sync with {} until they learn of it: {}.",
            would.name,
            would.not_heard.join(", ")
        ));
    }
    text
}

/// The result of `revoke`.
pub fn revoked(answer: &RevokeAnswer) -> String {
    let mut out = format!("{} is revoked. ", answer.name);
    out.push_str(&match answer.cut {
        0 => "What was received from it stays.\n".to_owned(),
        n => format!(
            "What it wrote since then is removed from {}; what was received before stays.\n",
            plural(n, "session")
        ),
    });
    if answer.not_heard.is_empty() {
        out.push_str("All your devices know it.\n");
    } else {
        out.push_str(&format!(
            "Do not know it yet: {}. `roam devices` shows when they do.\n",
            answer.not_heard.join(", ")
        ));
    }
    out.push_str(&format!("  Approve again:  roam approve {}\n", answer.id));
    out
}

/// A pairing request, with or without proof that the device knows this device's code.
fn asking(device: &AskingDevice, view: &View) -> String {
    let name = &device.name;
    let (sentence, label, command) = match (device.has_code, device.compares) {
        (true, _) => (
            format!("{name} has this device's code. Is it yours?"),
            "Accept:",
            "roam pair --accept",
        ),
        (false, true) => (
            format!(
                "A device that calls itself {name} asks to pair without this device's code. Nothing proves that it is yours."
            ),
            "Compare digits:",
            "roam pair",
        ),
        (false, false) => (
            format!(
                "A device that calls itself {name} asks to pair. Nothing proves that it is yours: give it this device's code (`roam device`), or compare digits."
            ),
            "Compare digits:",
            "roam pair",
        ),
    };
    let mut out = wrap(&sentence, 0, view);
    out.push_str(&format!(
        "  {label:<17}{command} {}\n  Not my device:   roam pair --dismiss {}\n\n",
        device.id, device.id
    ));
    out
}

/// A pairing that still needs a confirmation on one of the two sides.
fn under_way(device: &PairedDevice, view: &View) -> String {
    let (name, id) = (&device.name, &device.id);
    let mut out;
    match device.state.as_str() {
        "comparing" if !device.digits.is_empty() => {
            out = wrap(
                &format!("Does {name} show {}?", spaced(&device.digits)),
                0,
                view,
            );
            out.push_str(&format!(
                "  They match:   roam pair --accept {id}\n  They differ:  roam unpair {id}\n\n"
            ));
        }
        "comparing" => {
            out = wrap(
                &format!(
                    "Waiting for {name} to show its digits. Enter this device's ID there: roam pair ID"
                ),
                0,
                view,
            );
            out.push_str(&format!("  Cancel:  roam unpair {id}\n\n"));
        }
        "ended" => {
            out = wrap(
                &format!("Pairing with {name} ended. Start again with its code, or remove it."),
                0,
                view,
            );
            out.push_str(&format!("  Remove:  roam unpair {id}\n\n"));
        }
        _ => {
            out = wrap(
                &format!("Waiting for {name}: accept this device there."),
                0,
                view,
            );
            out.push_str(&format!("  Cancel:  roam unpair {id}\n\n"));
        }
    }
    out
}

fn connection(device: &PairedDevice, view: &View) -> String {
    match (&device.last_seen, device.connected) {
        _ if !device.confirmed => "not paired yet".into(),
        (_, true) => "connected".into(),
        (Some(seen), false) => format!("last seen {}", ago(seen, view.now)),
        (None, false) => "not seen yet".into(),
    }
}

fn in_step(device: &PairedDevice) -> String {
    // 99.99 must not be shown as complete.
    if device.confirmed {
        format!("{}%", device.in_step.floor())
    } else {
        String::new()
    }
}

/// The result of `pair` and `pair --accept`.
pub fn pairing(pairing: &Pairing, here: &Device) -> String {
    let (name, id) = (&pairing.name, &pairing.id);
    match pairing.state.as_str() {
        "paired" => format!("Paired with {name}. Your sessions now sync between both.\n"),
        "approved" => format!(
            "{name} is approved here. Sessions sync as soon as {name} approves this device, too.\n  There:  roam approve {}\n",
            here.id
        ),
        "already_paired" => format!("{name} is already paired with this device.\n"),
        "comparing" if !pairing.digits.is_empty() => format!(
            "Does {name} show {}?\n  They match:   roam pair --accept {id}\n  They differ:  roam unpair {id}\n",
            spaced(&pairing.digits)
        ),
        "comparing" => format!(
            "Nothing is shared yet: both screens must show the same six digits.\n  There:         roam pair {}\n  Then on both:  roam devices\n  Cancel:        roam unpair {id}\n",
            here.id
        ),
        _ => format!(
            "Request sent. Nothing is shared before {name} accepts.\n  There:   roam pair --accept {}\n  Cancel:  roam unpair {id}\n",
            here.id
        ),
    }
}

/// Six digits in two groups, as they are read aloud.
pub fn spaced(digits: &str) -> String {
    let digits: String = digits.chars().filter(|c| !c.is_whitespace()).collect();
    match digits.split_at_checked(3) {
        Some((first, last)) if last.len() == 3 => format!("{first} {last}"),
        _ => digits,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_read_in_two_groups() {
        assert_eq!(spaced("483917"), "483 917");
        assert_eq!(spaced("483 917"), "483 917");
        assert_eq!(spaced(""), "");
    }

    #[test]
    fn the_qr_has_a_light_border_for_the_reader() {
        let qr = qr("session-roam:1?id=X").expect("a code");
        let first = qr.lines().next().expect("a line");
        assert!(first.chars().all(|c| c == '█'), "{qr}");
        assert_eq!(
            qr.lines().map(|line| line.chars().count()).max(),
            Some(first.chars().count())
        );
    }

    #[test]
    fn a_code_too_long_for_a_qr_is_still_shown_as_text() {
        let device = Device {
            id: "X".into(),
            name: "desk".into(),
            code: "c".repeat(4000),
            code_until: String::new(),
            addresses: Vec::new(),
        };
        assert!(this_device(&device).contains(&device.code));
    }
}
