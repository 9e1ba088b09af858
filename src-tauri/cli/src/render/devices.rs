//! This device, the others, and pairing.

use super::table::{Column, table};
use super::{View, wrap};
use crate::when::ago;
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;
use session_roam_core::api::quote::word;
use session_roam_core::api::{Device, Devices, PairedDevice, Pairing};

pub fn this_device(device: &Device) -> String {
    let mut out = format!("{}\n\n", device.name);
    if let Some(qr) = qr(&device.code) {
        out.push_str(&format!("{qr}\n\n"));
    }
    out.push_str(&format!("Id    {}\n", device.id));
    for (idx, address) in device.addresses.iter().enumerate() {
        out.push_str(&format!("{}  {address}\n", if idx == 0 { "At  " } else { "    " }));
    }
    out.push_str(&format!("\nOn your other device:\n  roam pair {}\n", word(&device.code)));
    out
}

/// Half blocks, light on dark as terminals mostly are: readers want dark modules on light, so the light ones are
/// drawn. `None` for a code too long for any QR.
fn qr(code: &str) -> Option<String> {
    let qr = QrCode::with_error_correction_level(code, qrcode::EcLevel::L).ok()?;
    Some(qr.render::<Dense1x2>().dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build())
}

pub fn devices(devices: &Devices, view: &View) -> String {
    let mut out = String::new();
    for device in &devices.asking {
        out.push_str(&wrap(
            &format!("{} asks to pair. Both screens must show {}.", device.name, spaced(&device.digits)),
            0,
            view,
        ));
        out.push_str(&format!(
            "  They match:  roam pair --accept {}\n  Not mine:    roam pair --dismiss {}\n\n",
            word(&device.name),
            word(&device.name)
        ));
    }
    for device in &devices.proposed {
        let sentence =
            format!("{} is paired with {}. Its screen must show {}.", device.name, device.by, spaced(&device.digits));
        out.push_str(&wrap(&sentence, 0, view));
        out.push_str(&format!("  Pair here too:  roam pair --accept {}\n\n", word(&device.name)));
    }
    for device in &devices.nearby {
        let name = device.name.clone().unwrap_or_else(|| device.id.chars().take(7).collect());
        let digits = spaced(&device.digits);
        let sentence = format!("{name} is on this network. Its `roam devices` must show {digits} for this device.");
        out.push_str(&wrap(&sentence, 0, view));
        out.push_str(&format!("  It does:  roam pair {}\n\n", device.id));
    }
    if devices.paired.is_empty() {
        out.push_str("Not paired with any device yet.\n  `roam device` shows this device's code; give it to `roam pair CODE` on the other.\n");
        return out;
    }
    let lines: Vec<_> = devices
        .paired
        .iter()
        .map(|device| {
            [device.name.clone(), connection(device, view), in_step(device), device.id.chars().take(7).collect()]
        })
        .collect();
    out.push_str(&table(
        [Column::Text("Device"), Column::Gives("State"), Column::Number("In step"), Column::Text("Id")],
        &lines,
        view,
    ));
    out
}

fn connection(device: &PairedDevice, view: &View) -> String {
    match (&device.last_seen, device.connected) {
        _ if !device.confirmed => format!("has to say yes; its screen must show {}", spaced(&device.digits)),
        (_, true) => "connected".into(),
        (Some(seen), false) => format!("last seen {}", ago(seen, view.now)),
        (None, false) => "not seen yet".into(),
    }
}

fn in_step(device: &PairedDevice) -> String {
    // 99.99 is not all of it.
    if device.confirmed { format!("{} %", device.in_step.floor()) } else { String::new() }
}

/// What came of `pair` and `pair --accept`.
pub fn pairing(pairing: &Pairing, here: &str) -> String {
    let (name, digits) = (&pairing.name, spaced(&pairing.digits));
    match pairing.state.as_str() {
        "paired" => format!("Paired with {name}. Your sessions roam between the two now.\n"),
        "already_paired" => format!("{name} is paired with this device already.\n"),
        _ => format!(
            "{name} has to say yes now. Its screen must show {digits}.\n  There:          roam pair --accept {}\n  Take it back:   roam unpair {}\n",
            word(here),
            word(name)
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
        assert_eq!(qr.lines().map(|line| line.chars().count()).max(), Some(first.chars().count()));
    }

    #[test]
    fn a_code_too_long_for_a_qr_is_still_shown_as_text() {
        let device = Device { id: "X".into(), name: "desk".into(), code: "c".repeat(4000), addresses: Vec::new() };
        assert!(this_device(&device).contains(&device.code));
    }
}
