//! The members of a JSON object, each as its text. What is compared and joined is read; everything
//! else stays byte for byte as a service wrote it. Knows no service.

use crate::session::records;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// The members of an object by name. Of several with one name, the last one counts.
#[derive(Debug, Default, Serialize)]
#[serde(transparent)]
pub struct Members(BTreeMap<String, Box<RawValue>>);

impl Members {
    /// `None` if it is no object whose names can be read.
    pub fn of(object: &RawValue) -> Option<Self> {
        serde_json::from_str(object.get()).ok().map(Self)
    }

    pub fn get(&self, name: &str) -> Option<&RawValue> {
        self.0.get(name).map(AsRef::as_ref)
    }

    /// A member as far as it can be read; `null` if it is missing.
    pub fn value(&self, name: &str) -> Value {
        self.get(name).map(value).unwrap_or_default()
    }

    /// A member that is text.
    pub fn text(&self, name: &str) -> Option<String> {
        let member = self.get(name)?;
        // A list of all messages need not be read to see that it is no text.
        if !member.get().starts_with('"') {
            return None;
        }
        match value(member) {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// The members of a member that is an object.
    pub fn object(&self, name: &str) -> Option<Self> {
        Self::of(self.get(name)?)
    }

    /// The elements of a member that is a list.
    pub fn list(&self, name: &str) -> Option<Vec<Box<RawValue>>> {
        serde_json::from_str(self.get(name)?.get()).ok()
    }

    /// Sets a member to anything that is written as JSON.
    pub fn set(&mut self, name: &str, member: &impl Serialize) -> Option<()> {
        let member = serde_json::value::to_raw_value(member).ok()?;
        self.0.insert(name.to_owned(), member);
        Some(())
    }

    /// The object as text.
    pub fn render(&self) -> Option<Box<RawValue>> {
        serde_json::value::to_raw_value(self).ok()
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &RawValue)> {
        self.0
            .iter()
            .map(|(name, member)| (name.as_str(), &**member))
    }

    pub fn insert(&mut self, name: &str, member: Box<RawValue>) {
        self.0.insert(name.to_owned(), member);
    }

    /// Takes members over, in the place of those with the same names.
    pub fn extend(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A value as far as it can be read: exports have halves of letters, numbers that no number holds,
/// and values nested deeper than a strict parser goes.
pub fn value(text: &RawValue) -> Value {
    records::document(text.get().as_bytes()).0
}

/// A member of an object that is text.
pub fn text(object: &RawValue, name: &str) -> Option<String> {
    match value(object).get_mut(name)?.take() {
        Value::String(text) => Some(text),
        _ => None,
    }
}
