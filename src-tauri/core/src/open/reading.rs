//! A file of the open format, from anywhere: read within bounds and verified. A file that is not
//! right in any place is refused as a whole, with the line and the reason.

use super::{FAMILY, FORMAT, Header, Item, Line, Native, Seal, id_of};
use data_encoding::BASE64;
use ed25519_dalek::{Signature, VerifyingKey};
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeSet, HashMap, HashSet};

/// The bytes of one line: a picture and what is around it.
const LONGEST: usize = 32 << 20;
/// The entries of a file.
const MOST_ENTRIES: usize = 1_000_000;
/// Bytes of an id, of a name, of a doc.
const LONGEST_NAME: usize = 4096;
const MOST_DEVICES: usize = 4096;

/// A verified file.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenSession {
    /// As it stands, with what this version does not know.
    pub header: Value,
    pub entries: Vec<Value>,
}

/// What is wrong with a file, and in which line, counted from 1.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("line {line}: {why}")]
pub struct OpenError {
    pub line: usize,
    pub why: String,
}

/// Whether a file that begins with this line is of the open format, of whatever version.
pub fn is_header(line: &[u8]) -> bool {
    let header: Option<Value> = serde_json::from_slice(line).ok();
    let format = header
        .as_ref()
        .and_then(|header| header.get("format")?.as_str());
    format.is_some_and(|format| format.starts_with(FAMILY))
}

/// The format of a file of a version that this session-roam does not know.
pub fn newer_format(file: &[u8]) -> Option<String> {
    let line = file.split(|byte| *byte == b'\n').next()?;
    let header: Value = serde_json::from_slice(line).ok()?;
    let format = header.get("format")?.as_str()?;
    (format.starts_with(FAMILY) && format != FORMAT).then(|| shown(format))
}

/// What has been read of a file.
#[derive(Default)]
struct Reader {
    entries: Vec<Value>,
    ids: HashSet<String>,
    keys: HashMap<String, VerifyingKey>,
    /// Seals that were checked: many entries share one.
    checked: BTreeSet<(String, String, String)>,
}

/// Reads and verifies a whole file.
pub fn read(bytes: &[u8]) -> Result<OpenSession, OpenError> {
    let mut reader = Reader::default();
    let mut header = None;
    let n_lines = bytes.split(|byte| *byte == b'\n').count();
    for (at, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let failed = |why: String| OpenError { line: at + 1, why };
        if line.is_empty() && at + 1 == n_lines {
            continue;
        }
        if LONGEST < line.len() {
            return Err(failed(format!("it is longer than {} MiB", LONGEST >> 20)));
        }
        let value: Value = serde_json::from_slice(line).map_err(|error| {
            failed(match at + 1 == n_lines {
                true => "it is cut off: the file is not whole".into(),
                false => format!("it is no JSON ({error})"),
            })
        })?;
        match header {
            None => header = Some(reader.header(value).map_err(failed)?),
            Some(_) => reader.entry(value).map_err(failed)?,
        }
    }
    let failed = |why: &str| OpenError {
        line: 1,
        why: why.into(),
    };
    let header = header.ok_or_else(|| failed("the file is empty"))?;
    if reader.entries.is_empty() {
        return Err(failed("there is no entry in the file"));
    }
    Ok(OpenSession {
        header,
        entries: reader.entries,
    })
}

impl Reader {
    fn header(&mut self, value: Value) -> Result<Value, String> {
        let format = value.get("format").and_then(Value::as_str);
        match format {
            Some(FORMAT) => {}
            Some(format) if format.starts_with(FAMILY) => {
                return Err(format!("it is of a newer version ({})", shown(format)));
            }
            _ => return Err("it is no header of the open format".into()),
        }
        let Ok(Line::Session(header)) = Line::deserialize(&value) else {
            return Err("its header lacks a field, or a field is of another kind".into());
        };
        self.keys(&header)?;
        Ok(value)
    }

    fn keys(&mut self, header: &Header) -> Result<(), String> {
        let texts = [&header.id, &header.tool, &header.project, &header.title];
        if MOST_DEVICES < header.devices.len() || texts.iter().any(|text| LONGEST_NAME < text.len())
        {
            return Err("its header is too large".into());
        }
        if header.id.is_empty() || header.tool.is_empty() {
            return Err("its header names no session".into());
        }
        for device in &header.devices {
            let Some(key) = &device.key else { continue };
            let bytes = BASE64.decode(key.as_bytes()).ok();
            let bytes = bytes.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
            let key = bytes.and_then(|bytes| VerifyingKey::from_bytes(&bytes).ok());
            let key =
                key.ok_or_else(|| format!("the key of {} is not a valid key", shown(&device.id)))?;
            self.keys.insert(device.id.clone(), key);
        }
        Ok(())
    }

    fn entry(&mut self, value: Value) -> Result<(), String> {
        if MOST_ENTRIES <= self.entries.len() {
            return Err(format!("there are more than {MOST_ENTRIES} entries"));
        }
        let text = |name: &str| value.get(name).and_then(Value::as_str);
        let id = text("id").ok_or("it has no id")?;
        let expected = id_of(&value).ok_or("it has a number that is not whole or too large")?;
        if id != expected {
            return Err("its id is not the hash of its content: it was changed".into());
        }
        if self.ids.contains(id) {
            return Err("it is in the file twice".into());
        }
        match value.get("parent") {
            Some(Value::Null) => {}
            Some(Value::String(parent)) if self.ids.contains(parent) => {}
            Some(Value::String(_)) => {
                return Err("its parent is not before it: a line is missing".into());
            }
            _ => return Err("it does not say what its parent is".into()),
        }
        self.shape(&value)?;
        self.ids.insert(id.to_owned());
        self.entries.push(value);
        Ok(())
    }

    /// Entries of other types, and items of other writers, are kept as they stand.
    fn shape(&mut self, value: &Value) -> Result<(), String> {
        let kind = value.get("type").and_then(Value::as_str);
        if kind != Some("item") {
            return match kind {
                Some(_) => Ok(()),
                None => Err("it has no type".into()),
            };
        }
        let item = value.get("item").ok_or("it has no item")?;
        Item::parse(item).map_err(|error| format!("its item is not as described: {error}"))?;
        let native = value.get("native").map(Native::deserialize);
        match native {
            Some(Ok(native)) if native.doc.len() <= LONGEST_NAME => {}
            _ => return Err("it does not name the record it was made from".into()),
        }
        match value.get("seal").map(Seal::deserialize) {
            None => Ok(()),
            Some(Ok(seal)) => self.signed(&seal),
            Some(Err(error)) => Err(format!("its seal is not as described: {error}")),
        }
    }

    /// A signature fits the key that the header names. Whether that key is the device's, only a
    /// device that is paired with it knows.
    fn signed(&mut self, seal: &Seal) -> Result<(), String> {
        let Some(key) = self.keys.get(&seal.device) else {
            return Ok(());
        };
        let known = (seal.device.clone(), seal.message(), seal.signature.clone());
        if self.checked.contains(&known) {
            return Ok(());
        }
        let bytes = BASE64.decode(seal.signature.as_bytes()).ok();
        let bytes = bytes.and_then(|bytes| <[u8; 64]>::try_from(bytes).ok());
        let is_signed = bytes.is_some_and(|bytes| {
            key.verify_strict(seal.message().as_bytes(), &Signature::from_bytes(&bytes))
                .is_ok()
        });
        if !is_signed {
            return Err(format!(
                "its signature is not that of {}",
                shown(&seal.device)
            ));
        }
        self.checked.insert(known);
        Ok(())
    }
}

/// The beginning of a text from the file, for a message.
fn shown(text: &str) -> String {
    crate::session::harmless_line(text)
        .chars()
        .take(60)
        .collect()
}
