//! What filters ask of sessions and messages.

use crate::Role;
use crate::query::Filter;
use crate::schema::of_who;
use crate::table::{Known, Table};
use std::sync::Arc;
use tantivy::SegmentReader;
use tantivy::columnar::{ColumnValues, StrColumn};

/// The columns of one segment.
pub struct Columns {
    who: Arc<dyn ColumnValues<u64>>,
    at: tantivy::columnar::Column<i64>,
    /// Which devices of this segment the question names, and which devices it may read.
    devices: Option<(StrColumn, Vec<Device>)>,
}

#[derive(Clone, Copy)]
struct Device {
    fits: bool,
    is_allowed: bool,
}

impl Columns {
    pub fn of(segment: &SegmentReader, filter: &Filter) -> tantivy::Result<Self> {
        let columns = segment.fast_fields();
        let devices = match filter.has_devices() {
            true => columns.str("device")?,
            false => None,
        };
        let devices = devices.map(|column| {
            let names = (0..column.num_terms() as u64).map(|ord| {
                let mut name = String::new();
                // An unreadable name is no device's.
                let _ = column.ord_to_str(ord, &mut name);
                Device {
                    fits: filter.devices.fits(|value| is_like(&name, value)),
                    is_allowed: filter.allows(&name),
                }
            });
            let known = names.collect();
            (column, known)
        });
        Ok(Self {
            who: columns.u64("who")?.first_or_default_col(u64::MAX),
            at: columns.i64("at")?,
            devices,
        })
    }

    pub fn who(&self, doc: u32) -> (u32, u64) {
        of_who(self.who.get_val(doc))
    }

    pub fn time_of(&self, doc: u32) -> i64 {
        self.at.first(doc).unwrap_or(0)
    }

    pub fn fits(&self, doc: u32, role: u64, filter: &Filter) -> bool {
        let is_among = |roles: &[Role]| roles.iter().any(|one| *one as u64 == role);
        let is_role =
            (filter.roles.is_empty() || is_among(&filter.roles)) && !is_among(&filter.no_roles);
        let is_in_time = !filter.has_times() || {
            let at = self.time_of(doc);
            filter.after.is_none_or(|after| after <= at)
                && filter.before.is_none_or(|before| at < before && at != 0)
        };
        is_role && is_in_time && self.is_device(doc, |device| device.fits)
    }

    /// Whether the question may read this message.
    pub fn is_allowed(&self, doc: u32) -> bool {
        self.is_device(doc, |device| device.is_allowed)
    }

    fn is_device(&self, doc: u32, is: impl Fn(Device) -> bool) -> bool {
        let Some((column, known)) = &self.devices else {
            return true;
        };
        let ord = column.term_ords(doc).next();
        ord.is_some_and(|ord| known.get(ord as usize).copied().is_some_and(is))
    }
}

/// The devices that a value of `device:` means; the value itself if it is no name.
pub fn named(value: &str, names: &[(String, String)]) -> Vec<String> {
    let meant = names.iter().filter(|(name, _)| is_like(name, value));
    let mut devices: Vec<String> = meant.map(|(_, device)| device.to_lowercase()).collect();
    if devices.is_empty() {
        devices.push(value.to_owned());
    }
    devices
}

/// Whether a session fits, its devices and times aside.
pub fn fits(filter: &Filter, row: &Known<'_>) -> bool {
    filter.tools.fits(|value| is_like(row.tool, value))
        && filter.projects.fits(|value| is_like(row.project, value))
        && filter.split.is_none_or(|split| split == row.split)
}

pub fn fits_devices(filter: &Filter, row: &Known<'_>) -> bool {
    let is = |value: &str| row.devices.lines().any(|name| is_like(name, value));
    filter.devices.fits(is)
        && (filter.only.is_none() || row.devices.lines().any(|name| filter.allows(name)))
}

/// A sentence for each value of a filter, as it was typed, that no session has, whatever else was
/// asked.
pub fn unknown(filter: &Filter, names: &[(String, String)], table: &Table) -> Vec<String> {
    let is_nowhere = |has: &dyn Fn(&Known<'_>) -> bool| !table.rows().any(|(_, row)| has(&row));
    let tools = filter.tools.any.iter();
    let tools = tools.filter(|value| is_nowhere(&|row| is_like(row.tool, value)));
    let projects = filter.projects.any.iter();
    let projects = projects.filter(|value| is_nowhere(&|row| is_like(row.project, value)));
    let devices = filter.devices.any.iter().filter(|value| {
        let meant = named(value, names);
        let is = |name: &str| meant.iter().any(|device| is_like(name, device));
        is_nowhere(&|row| row.devices.lines().any(is))
    });
    let fields = tools
        .map(|value| ("of a tool", value))
        .chain(projects.map(|value| ("in a project", value)))
        .chain(devices.map(|value| ("from a device", value)));
    fields
        .map(|(what, value)| format!("No session is {what} called “{value}”."))
        .collect()
}

/// Whether a name has a lower-case text in it; spaces and dashes do not matter.
fn is_like(name: &str, wanted: &str) -> bool {
    let plain = |text: &str| -> String {
        let letters = text
            .chars()
            .filter(|letter| !matches!(letter, ' ' | '-' | '_'));
        letters.flat_map(char::to_lowercase).collect()
    };
    plain(name).contains(&plain(wanted))
}

/// The text of a message in a column; empty if the column cannot be read.
pub fn text_at(column: &Option<StrColumn>, doc: u32) -> String {
    let mut text = String::new();
    if let Some(column) = column
        && let Some(ord) = column.term_ords(doc).next()
    {
        let _ = column.ord_to_str(ord, &mut text);
    }
    text
}
