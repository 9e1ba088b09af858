//! Commits that would go along because the other side lacks them: their messages and every file that they
//! changed are searched for secrets first, since a commit goes as a whole or not at all.

use crate::checkout::{Checkout, CodeError, Head, Lock, Result};
use crate::git::{self, Bounds, Input};
use crate::names::{ObjectId, RepoPath, leads_out, unsafe_path};
use crate::objects::{Entry, Mode, Node, Reader};
use crate::record::{Limits, Snapshot, adds_filter, is_attributes, parents, record, record_at};
use crate::scratch::{Scratch, Sees};
use crate::secrets::{find_secret, is_secret_name, rules_version};
use crate::state::{LeftOut, Reason, Side};
use crate::store::Store;
use std::collections::BTreeSet;
use std::time::Duration;

/// The most files of commits that are named as reasons.
const MOST_NAMED: usize = 20;
const BOUNDS: Bounds = Bounds {
    bytes: 1 << 30,
    time: Duration::from_secs(600),
};

/// Records the checkout as [`record`] does, for somebody who has `published`: where commits that are
/// not in `published` changed a file that must not leave, no such commit goes along. The state is then
/// made on the published commit, with the work since as changes of the index, and names these files.
///
/// Refuses if that is not possible: nothing is published, or a merge is in progress.
pub fn record_for(
    checkout: &Checkout,
    store: &Store,
    limits: &Limits,
    published: impl FnOnce(&[ObjectId]) -> Result<Vec<ObjectId>>,
) -> Result<(Snapshot, Vec<ObjectId>)> {
    let snapshot = record(checkout, store, limits)?;
    refuse_secret_message(checkout, &snapshot)?;
    let commits = parents(&snapshot.state);
    let base = published(&commits)?;
    let found = search(checkout, store, limits, &commits, &base)?;
    let Some(first) = found.first() else {
        return Ok((snapshot, base));
    };
    let ([base], None) = (base.as_slice(), &snapshot.state.operation) else {
        return Err(CodeError::refused(format!(
            "{} {}, and without these commits the state has nothing to be made on (push what may \
             be seen, or take the file out of the commits).",
            first.path, first.reason
        )));
    };
    let head = Head {
        commit: Some(base.clone()),
        branch: snapshot.state.branch.clone(),
    };
    let snapshot = record_at(checkout, store, limits, Lock::Free, head, found)?;
    Ok((snapshot, vec![base.clone()]))
}

/// The message of a merge in progress goes along whole. Only here: what another device sent is taken back
/// whatever it says.
fn refuse_secret_message(checkout: &Checkout, snapshot: &Snapshot) -> Result<()> {
    const NAME: &str = "MERGE_MSG";
    let operation = snapshot.state.operation.as_ref();
    let message = operation.and_then(|it| RepoPath::parse(&it.message));
    let message = message.as_ref().map_or(&b""[..], RepoPath::as_bytes);
    match find_secret(&RepoPath::new(NAME), message, b"") {
        None => Ok(()),
        Some(rule) => Err(CodeError::refused(format!(
            "{} has something that looks like a secret ({rule}).",
            checkout.git_dir.join(NAME).display()
        ))),
    }
}

/// What must not leave in the commits that `base` lacks, by path; none if all of them may go. The same
/// commits are searched once.
fn search(
    checkout: &Checkout,
    store: &Store,
    limits: &Limits,
    commits: &[ObjectId],
    base: &[ObjectId],
) -> Result<BTreeSet<LeftOut>> {
    // What was found clean was compared with what the other side had then.
    let key = std::iter::once(rules_version())
        .chain(base.iter().map(ToString::to_string))
        .collect::<Vec<String>>()
        .join(" ");
    let searched = store.searched(&key);
    if commits
        .iter()
        .all(|commit| base.contains(commit) || searched.contains(commit))
    {
        return Ok(BTreeSet::new());
    }
    let scratch = Scratch::new(checkout, store, None)?;
    let mut reader = Reader::start(&scratch)?;
    let mut known = Vec::new();
    for commit in base {
        known.push(reader.commit(commit)?.tree);
    }
    let mut taken = Vec::new();
    for commit in commits {
        taken.push(reader.commit(commit)?.tree);
    }
    let mut searching = Searching {
        checkout,
        limits,
        known,
        taken,
        reader,
    };
    let mut found = BTreeSet::new();
    let excluded = base.iter().chain(&searched);
    let list = lacking(&scratch, commits, excluded)?;
    for id in String::from_utf8_lossy(&list).lines() {
        let id = ObjectId::parse(id).ok_or_else(unreadable)?;
        if found.len() < MOST_NAMED
            && let Some(rule) = searching.in_message(&id)?
        {
            found.insert(LeftOut {
                path: RepoPath::new(format!("message of commit {}", &id.as_str()[..7])),
                side: Side::Index,
                reason: Reason::InCommit(Box::new(Reason::SecretContent(rule))),
            });
        }
    }
    for (path, entry) in changed(&scratch, &list)? {
        if let Some(reason) = searching.reason(&path, &entry)? {
            let reason = Reason::InCommit(Box::new(reason));
            let side = Side::Index;
            found.insert(LeftOut { path, side, reason });
        }
        if MOST_NAMED <= found.len() {
            break;
        }
    }
    if found.is_empty() {
        store.note_searched(&key, commits)?;
    }
    Ok(found)
}

struct Searching<'a> {
    checkout: &'a Checkout,
    limits: &'a Limits,
    /// The trees of commits that the other side has.
    known: Vec<ObjectId>,
    /// The trees that the state would be made on.
    taken: Vec<ObjectId>,
    reader: Reader,
}

/// A version of a file.
type Version = (RepoPath, Entry);

impl Searching<'_> {
    /// A secret in the message of a commit.
    fn in_message(&mut self, commit: &ObjectId) -> Result<Option<String>> {
        let text = self.reader.whole(commit, "commit")?;
        let message = text.windows(2).position(|pair| pair == b"\n\n");
        let message = message.map_or(&text[..], |at| &text[at..]);
        Ok(find_secret(&RepoPath::new("message"), message, b""))
    }

    fn reason(&mut self, path: &RepoPath, entry: &Entry) -> Result<Option<Reason>> {
        let Entry { mode, id } = entry;
        let at_path = self.known_at(path)?;
        if at_path.contains(id) {
            return Ok(None);
        }
        let is_refused = self.is_compared(path, entry)?;
        if is_refused && unsafe_path(path).is_some() {
            return Ok(Some(Reason::UnsafePath));
        }
        if is_secret_name(&path.to_string()) {
            return Ok(Some(Reason::SecretName));
        }
        let Some(object) = self.reader.read(id, self.limits.file)? else {
            return Err(CodeError::refused(format!(
                "The content of {path} is not in this repository (a partial clone?)."
            )));
        };
        // What was not searched does not leave.
        let Some(content) = object.content else {
            return Ok(Some(Reason::TooLarge));
        };
        let mut known = Vec::new();
        for id in at_path {
            let object = self.reader.read(&id, self.limits.file)?;
            known.extend(object.and_then(|object| object.content).unwrap_or_default());
        }
        if is_refused && *mode == Mode::Link && leads_out(path, &content) {
            return Ok(Some(Reason::LeadsOut));
        }
        if is_refused && is_attributes(path) && adds_filter(&content, &known) {
            return Ok(Some(Reason::FilterRule));
        }
        Ok(find_secret(path, &content, &known).map(Reason::SecretContent))
    }

    /// Whether the other side compares this version with what it has, and refuses what differs and is not
    /// safe. With nothing published it is asked: it may have these commits by other ways.
    fn is_compared(&mut self, path: &RepoPath, entry: &Entry) -> Result<bool> {
        if self.known.is_empty() {
            return Ok(false);
        }
        for tree in &self.taken {
            let node = self.reader.entry(tree, path, self.checkout.format)?;
            if node == Some(Node::Leaf(entry.clone())) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn known_at(&mut self, path: &RepoPath) -> Result<Vec<ObjectId>> {
        let mut ids = Vec::new();
        for tree in &self.known {
            let node = self.reader.entry(tree, path, self.checkout.format)?;
            if let Some(Node::Leaf(entry)) = node
                && entry.mode != Mode::Submodule
            {
                ids.push(entry.id);
            }
        }
        Ok(ids)
    }
}

/// The commits that the other side lacks, one a line.
fn lacking<'o>(
    scratch: &Scratch,
    commits: &[ObjectId],
    excluded: impl Iterator<Item = &'o ObjectId>,
) -> Result<Vec<u8>> {
    let mut input = String::new();
    for commit in commits {
        input.push_str(&format!("{commit}\n"));
    }
    for commit in excluded {
        input.push_str(&format!("^{commit}\n"));
    }
    let mut command = scratch.command(Sees::All);
    command.args(["rev-list", "--ignore-missing", "--stdin"]);
    Ok(git::run(command, Input::Bytes(input.as_bytes()), BOUNDS)?)
}

fn unreadable() -> CodeError {
    CodeError::refused("The commits that go along could not be read.")
}

/// Every version of a file that these commits made, and at which path.
fn changed(scratch: &Scratch, list: &[u8]) -> Result<Vec<Version>> {
    let mut command = scratch.command(Sees::All);
    command.args(["diff-tree", "--stdin", "--root", "-r", "-m", "-z"]);
    command.args(["--raw", "--no-renames", "--no-abbrev", "--no-commit-id"]);
    let text = git::run(command, Input::Bytes(list), BOUNDS)?;
    let mut words = text.split(|byte| *byte == 0);
    let mut changed = BTreeSet::new();
    while let Some(word) = words.next() {
        // `:MODE MODE ID ID STATUS`, then the path.
        let Some(entry) = word.strip_prefix(b":") else {
            continue;
        };
        let path = RepoPath::new(words.next().ok_or_else(unreadable)?);
        let parts: Vec<&[u8]> = entry.split(|byte| *byte == b' ').collect();
        let [_, mode, _, id, _] = *parts.as_slice() else {
            return Err(unreadable());
        };
        match Mode::parse(mode) {
            Some(Mode::Submodule) => {}
            Some(mode) => {
                let id = ObjectId::parse_bytes(id).ok_or_else(unreadable)?;
                changed.insert((path, mode, id));
            }
            None if mode == b"000000" => {}
            None => return Err(unreadable()),
        }
    }
    let versions = changed.into_iter();
    let versions = versions.map(|(path, mode, id)| (path, Entry { mode, id }));
    Ok(versions.collect())
}
