//! A session in the open format: generated from the transcript as the adapter reads it, with the
//! hash of each native record and the seal of the frame that holds it. All branches that live are
//! in it; what they share is in it once, because equal content has equal ids.

use super::{bytes_of, end_of, project_of};
use crate::api::types::{ApiError, SessionRow};
use crate::merge::{Decided, branches, divide};
use crate::open::{
    Calls, Device, Entry, FORMAT, Harness, Header, Item, Line, Native, PAYLOAD, Seal,
};
use crate::reconcile::session::Session;
use crate::session::{ChainId, Millis, harmless_json};
use crate::views::transcript::{Names, Reading, Shown, Walked, steering};
use data_encoding::BASE64;
use std::collections::{BTreeSet, HashSet};

pub(super) fn lines(
    session: Session<'_>,
    row: &SessionRow,
    names: &Names,
) -> Result<String, ApiError> {
    if let Some(kept) = kept(session)? {
        return Ok(kept);
    }
    let mut view = View {
        names,
        known: HashSet::new(),
        devices: BTreeSet::new(),
        lines: String::new(),
    };
    for reading in branches_of(session) {
        view.branch(&reading)?;
    }
    let mut text = String::new();
    push(
        &mut text,
        &Line::Session(header(session, row, &view.devices)),
    );
    text.push_str(&view.lines);
    Ok(text)
}

/// A session that came in the open format is exported as it came.
fn kept(session: Session<'_>) -> Result<Option<String>, ApiError> {
    let (context, key, record) = session.parts();
    let lines = context
        .tools
        .get(&key.tool)
        .and_then(|tool| tool.open_format());
    let main = record
        .main()
        .and_then(|main| record.docs.get_key_value(main));
    let (Some(lines), Some((main, state))) = (lines, main) else {
        return Ok(None);
    };
    let lines = lines(&bytes_of(context, record, main, state)?);
    Ok(lines.and_then(|lines| String::from_utf8(lines).ok()))
}

/// The branches of the main doc; the one that is shown comes last.
fn branches_of<'a>(session: Session<'a>) -> Vec<Reading<'a>> {
    let (context, key, record) = session.parts();
    let found = record
        .main()
        .and_then(|main| record.docs.get_key_value(main));
    let Some((doc, state)) = found else {
        return Vec::new();
    };
    let Some((shown, _)) = end_of(record, doc, state) else {
        return Vec::new();
    };
    let decided = Decided::of(&record.choices, doc);
    let mut tips = divide::ends(&state.trie, &branches(&state.trie), &decided).heads;
    tips.retain(|tip| *tip != shown);
    tips.push(shown);
    let reading = |tip: ChainId| {
        Some(Reading {
            context,
            key,
            record,
            doc,
            state,
            tip,
            path: state.trie.path(tip)?,
        })
    };
    tips.into_iter().filter_map(reading).collect()
}

fn header(session: Session<'_>, row: &SessionRow, devices: &BTreeSet<String>) -> Header {
    let (context, key, record) = session.parts();
    let shared = context.shared();
    let device = |id: &String| Device {
        id: id.clone(),
        name: shared.name_of(id),
        key: shared.owners.get(id).map(|owner| BASE64.encode(&owner.key)),
    };
    let name = context.tools.get(&key.tool).map(|tool| tool.about().name);
    Header {
        format: FORMAT.into(),
        payload: PAYLOAD.into(),
        id: row.session.clone(),
        tool: key.tool.to_string(),
        harness: Harness {
            name: name.unwrap_or_else(|| key.tool.to_string()),
            version: record.latest().and_then(|card| card.version.clone()),
        },
        title: row.title.clone(),
        project: project_of(record, row),
        updated_at: row.updated.clone(),
        devices: devices.iter().map(device).collect(),
    }
}

/// The view, as far as it is written.
struct View<'a> {
    names: &'a Names,
    /// The ids of the entries written.
    known: HashSet<String>,
    devices: BTreeSet<String>,
    lines: String,
}

impl View<'_> {
    fn branch(&mut self, reading: &Reading<'_>) -> Result<(), ApiError> {
        let (mut calls, mut parent) = (Calls::default(), None);
        reading.walk(|walked| {
            let (items, native) = made_of(reading, walked, &mut calls);
            let names = self.names;
            let device = names.author(&walked.shown, walked.device, walked.number);
            let seal = walked.sealed.map(|(edge, seal)| Seal {
                device: edge.source.device.clone(),
                version: seal.version,
                lane: edge.source.lane.as_str().into(),
                frame: seal.n,
                hash: seal.hash.0.clone(),
                signature: BASE64.encode(&seal.signature),
            });
            for item in items {
                let entry = Entry {
                    id: String::new(),
                    parent: parent.take(),
                    ts: time_of(walked),
                    item,
                    native: native.clone(),
                    device: device.clone(),
                    seal: seal.clone(),
                }
                .sealed_with_id();
                parent = Some(entry.id.clone());
                self.add(entry);
            }
            Ok(())
        })
    }

    fn add(&mut self, entry: Entry) {
        if !self.known.insert(entry.id.clone()) {
            return;
        }
        let seal = entry.seal.as_ref().map(|seal| &seal.device);
        for device in entry.device.iter().chain(seal) {
            if !self.devices.contains(device) {
                self.devices.insert(device.clone());
            }
        }
        push(&mut self.lines, &Line::Item(entry));
    }
}

fn made_of(
    reading: &Reading<'_>,
    walked: &Walked<'_, '_>,
    calls: &mut Calls,
) -> (Vec<Item>, Native) {
    let (items, id) = match walked.shown {
        Shown::Message(said) => (calls.items(said), said.id),
        Shown::Changed(words) => (calls.items(&steering(words)), None),
    };
    let native = Native {
        doc: reading.doc.to_string(),
        record: walked.record,
        hash: walked.source.hash(),
        id: id.map(str::to_owned),
    };
    (items, native)
}

/// The time that the record states, if it is one.
fn time_of(walked: &Walked<'_, '_>) -> Option<String> {
    let Shown::Message(said) = walked.shown else {
        return None;
    };
    said.at
        .filter(|at| Millis::parse(at).is_some())
        .map(str::to_owned)
}

/// Nothing in a line acts on a terminal: hidden characters are escaped.
fn push(text: &mut String, line: &Line) {
    // Texts and whole numbers: this cannot fail.
    text.push_str(&harmless_json(
        &serde_json::to_string(line).unwrap_or_default(),
    ));
    text.push('\n');
}
