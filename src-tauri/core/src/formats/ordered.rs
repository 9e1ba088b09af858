//! JSON in one canonical text: keys sorted, no spaces, all else as written. A tool that stores the
//! same rows in another order of keys is then the same document on every device.

use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// Values nested deeper keep the order of their keys.
const DEEPEST: u8 = 100;

/// A JSON value with the keys of all objects sorted. All else but spaces is kept.
pub fn in_order(value: &RawValue) -> String {
    let mut out = String::with_capacity(value.get().len());
    put_in_order(value, &mut out, (DEEPEST, None));
    out
}

/// Whether a member of an object is left out, by its name and the text of its value.
type IsLeftOut = fn(&str, &str) -> bool;

/// The same without some members, at any depth. Objects whose members cannot be read, or that are
/// nested too deep, are `null`.
pub fn in_order_without(value: &RawValue, is_left_out: IsLeftOut) -> String {
    let mut out = String::with_capacity(value.get().len());
    put_in_order(value, &mut out, (DEEPEST, Some(is_left_out)));
    out
}

fn put_in_order(value: &RawValue, out: &mut String, (depth, is_left_out): (u8, Option<IsLeftOut>)) {
    let text = value.get();
    // What cannot be looked into may have a member that is left out.
    let closed = is_left_out.map_or(text, |_| "null");
    let Some(depth) = depth.checked_sub(1) else {
        return out.push_str(closed);
    };
    let (open, close) = match text.as_bytes().first() {
        Some(b'{') => ('{', '}'),
        Some(b'[') => ('[', ']'),
        _ => return out.push_str(text),
    };
    let Some(mut inside) = inside_of(text) else {
        return out.push_str(closed);
    };
    if let Some(is_left_out) = is_left_out {
        let is_in = |key: &str, value: &RawValue| !is_left_out(key, value.get());
        inside.retain(|(key, value)| key.as_deref().is_none_or(|key| is_in(key, value)));
    }
    out.push(open);
    for (n, (key, value)) in inside.into_iter().enumerate() {
        out.push_str(if n == 0 { "" } else { "," });
        if let Some(key) = key {
            out.push_str(&Value::String(key).to_string());
            out.push(':');
        }
        put_in_order(value, out, (depth, is_left_out));
    }
    out.push(close);
}

/// The elements of a list, or the fields of an object with their names.
fn inside_of(text: &str) -> Option<Vec<(Option<String>, &RawValue)>> {
    if text.starts_with('[') {
        let elements: Vec<&RawValue> = serde_json::from_str(text).ok()?;
        return Some(
            elements
                .into_iter()
                .map(|element| (None, element))
                .collect(),
        );
    }
    Some(
        fields_of(text)?
            .into_iter()
            .map(|(name, value)| (Some(name), value))
            .collect(),
    )
}

pub fn fields_of(text: &str) -> Option<BTreeMap<String, &RawValue>> {
    serde_json::from_str(text).ok()
}

/// An object of these fields, in their order.
pub fn object(fields: &BTreeMap<String, &RawValue>) -> String {
    let fields = fields
        .iter()
        .map(|(name, value)| format!("{}:{}", Value::String(name.clone()), in_order(value)));
    format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
}
