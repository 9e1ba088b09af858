//! JSON in the one text that is hashed (RFC 8785): keys in the order of their UTF-16, no spaces,
//! whole numbers only. Every language writes the same.

use serde_json::Value;
use sha2::{Digest, Sha256};

/// Numbers beyond this are not the same in every language.
const LARGEST: u64 = 1 << 53;

/// The canonical text; `None` if a number in it is not whole or too large.
pub fn canonical(value: &Value) -> Option<String> {
    let mut out = String::new();
    put(value, &mut out, true)?;
    Some(out)
}

fn put(value: &Value, out: &mut String, strict: bool) -> Option<()> {
    match value {
        Value::Number(number) if strict => {
            let is_plain = number.as_u64().is_some_and(|n| n < LARGEST)
                || number.as_i64().is_some_and(|n| n.unsigned_abs() < LARGEST);
            is_plain.then(|| out.push_str(&number.to_string()))?;
        }
        Value::Array(elements) => {
            out.push('[');
            for (at, element) in elements.iter().enumerate() {
                out.push_str(if at == 0 { "" } else { "," });
                put(element, out, strict)?;
            }
            out.push(']');
        }
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by(|one, other| one.0.encode_utf16().cmp(other.0.encode_utf16()));
            out.push('{');
            for (at, (name, field)) in fields.into_iter().enumerate() {
                out.push_str(if at == 0 { "" } else { "," });
                out.push_str(&Value::from(name.as_str()).to_string());
                out.push(':');
                put(field, out, strict)?;
            }
            out.push('}');
        }
        plain => out.push_str(&plain.to_string()),
    }
    Some(())
}

/// `sha256:` and the hash in lower-case hexadecimal digits.
pub fn hash_of_bytes(bytes: &[u8]) -> String {
    named(&Sha256::digest(bytes))
}

/// The hash of a tool's record. Its numbers stand as they were read.
pub fn hash_of_value(value: &Value) -> String {
    let mut text = String::new();
    put(value, &mut text, false);
    hash_of_bytes(text.as_bytes())
}

/// A digest as the format names it.
pub fn named(digest: &[u8]) -> String {
    format!("sha256:{}", data_encoding::HEXLOWER.encode(digest))
}
