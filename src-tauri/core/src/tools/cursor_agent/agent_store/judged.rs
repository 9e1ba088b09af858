//! Which of two documents of one chat includes the other.

use super::blobs::{BlobId, Root};
use super::document::{Document, Fields, root_in};
use crate::merge::snapshots::Judged;
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::BTreeSet;

#[derive(Deserialize)]
struct Outline<'a> {
    #[serde(borrow)]
    blobs: Vec<Named<'a>>,
    meta: Fields,
}

#[derive(Deserialize)]
struct Named<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
}

/// Whether one document includes the other: blobs are never deleted and named by their content, so the ids decide.
/// With the same blobs on both sides, the chat that ends later does.
pub fn judge(first: &[u8], second: &[u8]) -> Judged {
    if first == second {
        return Judged::Same;
    }
    let (Some(ours), Some(theirs)) = (outline(first), outline(second)) else {
        return Judged::Both;
    };
    let ids = |outline: &Outline<'_>| -> BTreeSet<String> {
        let ids = outline.blobs.iter();
        ids.map(|blob| blob.id.clone().into_owned()).collect()
    };
    let (our_ids, their_ids) = (ids(&ours), ids(&theirs));
    match (
        our_ids.is_superset(&their_ids),
        their_ids.is_superset(&our_ids),
    ) {
        (true, false) => Judged::First,
        (false, true) => Judged::Second,
        (false, false) => Judged::Both,
        (true, true) => judge_ends(&ours.meta, &theirs.meta, first),
    }
}

fn judge_ends(ours: &Fields, theirs: &Fields, bytes: &[u8]) -> Judged {
    let (Some(our_end), Some(their_end)) = (root_in(ours), root_in(theirs)) else {
        return Judged::Both;
    };
    if our_end == their_end {
        return Judged::Same;
    }
    let Ok(document) = Document::parse(bytes) else {
        return Judged::Both;
    };
    let root = |id| {
        let blob = document.blobs.iter().find(|blob| blob.id == id)?;
        Root::parse(&blob.data)
    };
    match (root(our_end), root(their_end)) {
        (Some(ours), Some(theirs)) if begins_alike(&ours.messages, &theirs.messages) => {
            Judged::longer(ours.messages.len(), theirs.messages.len())
        }
        _ => Judged::Both,
    }
}

fn begins_alike(one: &[BlobId], other: &[BlobId]) -> bool {
    one.iter().zip(other).all(|(one, other)| one == other)
}

fn outline(bytes: &[u8]) -> Option<Outline<'_>> {
    serde_json::from_slice(bytes).ok()
}
