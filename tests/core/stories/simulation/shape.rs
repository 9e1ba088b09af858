//! The state of a whole world without its texts: on each device, for each session, the known
//! branches, how much each device wrote of them, where the file ends, whether it is open, and the
//! session's state. Worlds that differ only in names, contents and clocks have the same state.

use crate::stories::world::Device;
use rusqlite::{Connection, OpenFlags};
use session_roam_core::reconcile::SessionRecord;
use session_roam_core::session::{ChainId, Trie};
use std::collections::HashMap;
use std::fmt::Write;

/// Reads the state of the engines on disk; asks no engine.
#[derive(Default)]
pub struct Shapes {
    /// By the hash of a record's text: the record's shape, which is expensive to compute.
    known: HashMap<u128, String>,
}

impl Shapes {
    /// A number for the state of the world; `open` lists the sessions that are open on each device.
    pub fn of(&mut self, devices: &[Device], open: &[(usize, String)]) -> u64 {
        let mut text = String::new();
        for (at, device) in devices.iter().enumerate() {
            let _ = write!(text, "[{}", device.is_running());
            for (session, state, code, record) in rows(device) {
                let live = open.iter().any(|(on, id)| *on == at && *id == session);
                let _ = write!(text, "({state} {code} {live} {})", self.record(&record));
            }
        }
        u64::from_le_bytes(
            blake3::hash(text.as_bytes()).as_bytes()[..8]
                .try_into()
                .expect("eight bytes"),
        )
    }

    fn record(&mut self, text: &str) -> &str {
        let key = u128::from_le_bytes(
            blake3::hash(text.as_bytes()).as_bytes()[..16]
                .try_into()
                .expect("sixteen bytes"),
        );
        self.known.entry(key).or_insert_with(|| {
            let record: SessionRecord = serde_json::from_str(text).expect("a record");
            let docs = record.docs.iter().map(|(name, state)| {
                let local = state.local.as_ref().map(|local| (local.tip, local.there));
                // A doc's name may hold the session's id.
                format!(
                    "{} {}",
                    name.as_str().len(),
                    branch(&state.trie, state.trie.start(), local)
                )
            });
            docs.collect()
        })
    }
}

fn rows(device: &Device) -> Vec<(String, String, String, String)> {
    let path = device.roam.join("state.sqlite");
    let Ok(db) = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY) else {
        return Vec::new();
    };
    let Ok(mut query) =
        db.prepare("SELECT session, state, code, record FROM sessions ORDER BY tool, session")
    else {
        return Vec::new();
    };
    let rows = query.query_map([], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
    });
    rows.into_iter().flatten().flatten().collect()
}

/// Everything below a node: authors and numbers of lines, in an order that does not depend on
/// content.
fn branch(trie: &Trie, node: ChainId, local: Option<(ChainId, bool)>) -> String {
    let mut below: Vec<String> = trie
        .edges()
        .iter()
        .filter(|edge| edge.after == node)
        .map(|edge| {
            let author = edge.source.device.get(..2).unwrap_or_default();
            format!(
                "{author}{}.{}{}",
                edge.lines,
                edge.message_lines,
                branch(trie, edge.tip, local)
            )
        })
        .collect();
    below.sort();
    let here = match local {
        Some((tip, there)) if tip == node => {
            if there {
                "!"
            } else {
                "?"
            }
        }
        _ => "",
    };
    let left = if trie.replaced().iter().any(|replaced| replaced.old == node) {
        "-"
    } else {
        ""
    };
    format!("{here}{left}<{}>", below.join(","))
}
