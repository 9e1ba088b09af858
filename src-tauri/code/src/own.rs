//! Which commits are the user's own: those to which a ref of the repository leads. That a commit exists
//! says nothing: what other devices sent is in the store, and applying brings it into the repository.

use crate::checkout::{Checkout, Result};
use crate::git::{self, Bounds, Input};
use crate::names::ObjectId;
use crate::objects::Reader;
use crate::scratch::{Scratch, Sees};
use std::time::Duration;

const BOUNDS: Bounds = Bounds {
    bytes: 256 << 20,
    time: Duration::from_secs(120),
};

/// What the user's own commits are reached from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tips {
    /// A worktree that was made for a snapshot has a commit of another device as its `HEAD`, which makes
    /// that commit nobody's own.
    Refs,
    /// What the user has before them counts, too.
    RefsAndHead,
}

/// Commits beside the user's own.
pub(crate) struct Foreign {
    /// How many of them are not the user's own.
    pub count: u64,
    /// The nearest commits below them that are.
    nearest: Vec<ObjectId>,
}

/// The tips of the user's own commits, as `rev-list` reads what to exclude.
pub(crate) fn excluded(checkout: &Checkout, tips: Tips) -> Result<String> {
    let mut command = checkout.git.in_repository(&checkout.root);
    command.args(["for-each-ref", "--format=^%(objectname)"]);
    let refs = git::run(command, Input::Nothing, BOUNDS)?;
    let mut excluded = String::from_utf8_lossy(&refs).into_owned();
    if tips == Tips::RefsAndHead
        && let Some(head) = checkout.head()?.commit
    {
        excluded.push_str(&format!("^{head}\n"));
    }
    Ok(excluded)
}

/// These commits, and all that they are made on, beside the user's own.
pub(crate) fn foreign(scratch: &Scratch, commits: &[ObjectId], tips: Tips) -> Result<Foreign> {
    let mut input = excluded(scratch.checkout, tips)?;
    for commit in commits {
        input.push_str(&format!("{commit}\n"));
    }
    let mut command = scratch.command(Sees::All);
    command.args(["rev-list", "--ignore-missing", "--boundary", "--stdin"]);
    let text = git::run(command, Input::Bytes(input.as_bytes()), BOUNDS)?;
    let text = String::from_utf8_lossy(&text);
    let nearest = text.lines().filter_map(|line| line.strip_prefix('-'));
    Ok(Foreign {
        count: text.lines().filter(|line| !line.starts_with('-')).count() as u64,
        nearest: nearest.filter_map(ObjectId::parse).collect(),
    })
}

/// The tree of a commit if it is the user's own; otherwise that of the nearest own one below it, or else of
/// what is checked out.
pub(crate) fn own_tree(
    scratch: &Scratch,
    reader: &mut Reader,
    commit: Option<&ObjectId>,
    tips: Tips,
) -> Result<ObjectId> {
    let checkout = scratch.checkout;
    let Some(commit) = commit else {
        return Ok(checkout.format.empty_tree());
    };
    let foreign = foreign(scratch, std::slice::from_ref(commit), tips)?;
    let head = checkout.head()?.commit;
    let base = match foreign.nearest.as_slice() {
        _ if foreign.count == 0 => Some(commit.clone()),
        [] => head,
        nearest => match head.filter(|head| nearest.contains(head)) {
            Some(head) => Some(head),
            None => newest(scratch, nearest)?,
        },
    };
    match base {
        Some(base) => Ok(reader.commit(&base)?.tree),
        None => Ok(checkout.format.empty_tree()),
    }
}

/// The commit with the latest date.
fn newest(scratch: &Scratch, commits: &[ObjectId]) -> Result<Option<ObjectId>> {
    let input: String = commits.iter().map(|id| format!("{id}\n")).collect();
    let args = ["rev-list", "--no-walk", "--max-count=1", "--stdin"];
    let text = scratch.run(scratch.command(Sees::All), &args, input.as_bytes())?;
    Ok(ObjectId::parse(String::from_utf8_lossy(&text).trim()))
}
