//! Files of one session joined, in any order and from any side.

use super::*;
use crate::merge::snapshots::Judged;
use crate::open::{Entry, Item, Native};
use proptest::prelude::*;
use std::collections::BTreeSet;

/// A tree whose entry `at` hangs below the entry that `parents[at]` names.
fn tree(parents: &[usize]) -> Vec<Value> {
    let mut entries: Vec<Entry> = Vec::new();
    for (at, parent) in parents.iter().enumerate() {
        let parent = at
            .checked_sub(1)
            .map(|most| entries[parent % (most + 1)].id.clone());
        entries.push(
            Entry {
                id: String::new(),
                parent,
                ts: None,
                item: Item::Compaction {
                    text: format!("entry {at}"),
                },
                native: Native {
                    doc: "d".into(),
                    record: at as u64,
                    hash: "sha256:00".into(),
                    id: None,
                },
                device: None,
                seal: None,
            }
            .sealed_with_id(),
        );
    }
    let line = |entry: Entry| {
        let mut value = serde_json::to_value(entry).expect("JSON");
        value["type"] = "item".into();
        value
    };
    entries.into_iter().map(line).collect()
}

fn content(updated: u32, entries: &[&Value]) -> Vec<u8> {
    let header = json!({ "tool": "t", "id": "s", "title": "T", "devices": [],
                         "updated_at": format!("2026-11-29T10:00:{updated:02}Z") });
    let conversation = json!({ "header": header, "entries": entries });
    Conversation {
        conversation: RawValue::from_string(conversation.to_string()).expect("JSON"),
        files: BTreeMap::new(),
    }
    .render()
}

fn ids(content: &[u8]) -> Vec<String> {
    let (conversation, ..) = crate::tools::imported::opened(content);
    let entries = conversation["entries"].as_array().expect("entries");
    let id = |entry: &Value| entry["id"].as_str().expect("an id").to_owned();
    entries.iter().map(id).collect()
}

proptest! {
    /// Whatever two files of a tree have, joined they have all of it, the same from either side, and
    /// no entry stands before its parent.
    #[test]
    fn two_files_of_one_tree_join_to_all_of_it(
        parents in prop::collection::vec(0..20usize, 1..20),
        masks in prop::collection::vec((any::<bool>(), any::<bool>()), 20),
    ) {
        let all = tree(&parents);
        // A file has the parents of what it has.
        let mut has = [vec![false; all.len()], vec![false; all.len()]];
        for (side, has) in has.iter_mut().enumerate() {
            for at in (0..all.len()).rev() {
                let wanted = if side == 0 { masks[at].0 } else { masks[at].1 };
                if (wanted || at == 0) && !has[at] {
                    let mut up = Some(at);
                    while let Some(at) = up {
                        has[at] = true;
                        up = all.iter().position(|entry| entry["id"] == all[at]["parent"]);
                    }
                }
            }
        }
        let side = |has: &[bool]| all.iter().zip(has).filter(|(_, has)| **has).map(|(entry, _)| entry).collect::<Vec<_>>();
        let (one, other) = (content(1, &side(&has[0])), content(2, &side(&has[1])));
        let joined = messages::joined(&one, &other).expect("joined");
        prop_assert_eq!(&joined, &messages::joined(&other, &one).expect("joined"));
        let found = ids(&joined);
        let expected: BTreeSet<String> = ids(&one).into_iter().chain(ids(&other)).collect();
        prop_assert_eq!(found.iter().cloned().collect::<BTreeSet<_>>(), expected);
        let (conversation, ..) = crate::tools::imported::opened(&joined);
        let mut seen: BTreeSet<String> = BTreeSet::new();
        for entry in conversation["entries"].as_array().expect("entries") {
            if let Some(parent) = entry["parent"].as_str() {
                prop_assert!(seen.contains(parent));
            }
            prop_assert!(seen.insert(entry["id"].as_str().expect("an id").to_owned()));
        }
        prop_assert!(is_known(&joined, &one) && is_known(&joined, &other));
        prop_assert!(matches!(messages::judge(&joined, &one), Judged::First | Judged::Same));
    }
}

#[test]
fn a_session_that_only_claims_an_id_is_another_one() {
    let entries = tree(&[0, 0]);
    let session = |entries: &[Value]| OpenSession {
        header: json!({ "tool": "t", "id": "s" }),
        entries: entries.to_vec(),
    };
    let (whole, begun) = (kept(&session(&entries)), kept(&session(&entries[..1])));
    let id = |kept: Option<(String, Vec<u8>)>| kept.expect("kept").0;
    let whole = id(whole);
    assert_eq!(whole, id(begun));
    assert!(crate::tools::imported::is_id(&whole));
    let mut other = entries[0].clone();
    other["item"]["text"] = "another beginning".into();
    other["id"] = crate::open::id_of(&other).expect("an id").into();
    assert_ne!(whole, id(kept(&session(&[other]))));
}
