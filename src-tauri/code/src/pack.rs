//! A snapshot as a pack: the objects that the other side does not have, as differences from those
//! that it has, and the manifest that goes with them. Nothing goes over a network here.

use crate::checkout::{Checkout, CodeError, Result};
use crate::git::{self, Bounds, GitError, Input};
use crate::names::ObjectId;
use crate::objects::Reader;
use crate::record::{Snapshot, parents, read_snapshot, recorded};
use crate::scratch::{Scratch, Sees};
use crate::state::{Manifest, PackSummary, VERSION};
use crate::store::Store;
use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

/// What the other side has. Nothing is known to be there if both lists are empty: then the pack is
/// complete.
#[derive(Clone, Debug, Default)]
pub struct Have {
    /// Commits, with everything that they are made on. Those that are not here are ignored.
    pub commits: Vec<ObjectId>,
    /// Snapshots that were received there.
    pub snapshots: Vec<ObjectId>,
}

/// A pack in a file that is removed when this is dropped.
#[derive(Debug)]
pub struct Packed {
    pub manifest: Manifest,
    file: tempfile::NamedTempFile,
}

/// The length of a chunk.
const CHUNK: u64 = 1 << 20;
const TIME: Duration = Duration::from_secs(1800);

impl Packed {
    /// The file that holds the pack.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// A chunk of the pack; `None` after the last.
    pub fn chunk(&self, idx: u64) -> Result<Option<Vec<u8>>> {
        use std::io::{Seek, SeekFrom};
        let path = self.path();
        let read = || {
            let mut file = fs::File::open(path)?;
            file.seek(SeekFrom::Start(idx.saturating_mul(CHUNK)))?;
            let mut chunk = Vec::new();
            file.take(CHUNK).read_to_end(&mut chunk)?;
            Ok((!chunk.is_empty()).then_some(chunk))
        };
        read().map_err(CodeError::io(path))
    }
}

/// Packs what `have` lacks of a recorded snapshot. The same snapshot, `have` and version of git
/// give the same bytes. `most` is how many bytes the pack may have; refuses if it would have more.
pub fn pack(
    checkout: &Checkout,
    store: &Store,
    snapshot: &ObjectId,
    have: &Have,
    most: u64,
) -> Result<Packed> {
    packed_within(checkout, store, snapshot, have, most)?.ok_or_else(|| too_large(most))
}

/// As [`pack`], but a complete pack that would be too large is made for those who have the commits that
/// the snapshot is made on: in a repository whose history is larger than `most`, others get nothing.
pub fn pack_or_without_history(
    checkout: &Checkout,
    store: &Store,
    snapshot: &ObjectId,
    have: &Have,
    most: u64,
) -> Result<Packed> {
    let whole = packed_within(checkout, store, snapshot, have, most)?;
    if let Some(whole) = whole {
        return Ok(whole);
    }
    let recorded = recorded(checkout, store, snapshot)?.ok_or_else(|| too_large(most))?;
    let commits = parents(&recorded.state);
    match have.commits.is_empty() && !commits.is_empty() {
        true => {
            let snapshots = have.snapshots.clone();
            pack(
                checkout,
                store,
                snapshot,
                &Have { commits, snapshots },
                most,
            )
        }
        false => Err(too_large(most)),
    }
}

fn too_large(most: u64) -> CodeError {
    CodeError::refused(format!(
        "The changes need a pack of more than {most} bytes, and no larger one is sent."
    ))
}

/// `None` if the pack would have more bytes.
fn packed_within(
    checkout: &Checkout,
    store: &Store,
    snapshot: &ObjectId,
    have: &Have,
    most: u64,
) -> Result<Option<Packed>> {
    let scratch = Scratch::new(checkout, store, None)?;
    let mut reader = Reader::start(&scratch)?;
    let snapshot = read_snapshot(&mut reader, snapshot, checkout)?;
    let mut against = Against::default();
    for commit in &have.commits {
        let object = reader.read(commit, 0)?;
        if object.is_some_and(|object| object.kind == "commit") {
            against.commits.insert(commit.clone());
        }
    }
    for id in &have.snapshots {
        if reader.read(id, 0)?.is_some() {
            let known = read_snapshot(&mut reader, id, checkout)?;
            against.trees.push(known.working_tree);
            against.trees.push(known.index);
            against.snapshots.insert(id.clone());
        }
    }
    let list = listed(&scratch, &snapshot, &against)?;
    refuse_shallow(&scratch, &list)?;
    let n_objects = list.len() as u64;
    let file = match write_pack(&scratch, &list, &against, most) {
        Err(CodeError::Git(GitError::TooMuchOutput(_))) => return Ok(None),
        other => other?,
    };
    let pack = summary(file.path(), n_objects)?;
    Ok(Some(Packed {
        manifest: Manifest {
            version: VERSION,
            object_format: checkout.format.as_str().to_owned(),
            snapshot: snapshot.id,
            working_tree: snapshot.working_tree,
            index: snapshot.index,
            stages: snapshot.stages,
            state: snapshot.state,
            against_commits: against.commits.into_iter().collect(),
            against_snapshots: against.snapshots.into_iter().collect(),
            pack,
        },
        file,
    }))
}

#[derive(Default)]
struct Against {
    commits: BTreeSet<ObjectId>,
    snapshots: BTreeSet<ObjectId>,
    /// Trees of the snapshots that objects may be packed as differences from.
    trees: Vec<ObjectId>,
}

struct Listed {
    id: ObjectId,
    /// Its path in the checkout: objects are compared with those of the same name.
    name: Vec<u8>,
}

fn listed(scratch: &Scratch, snapshot: &Snapshot, against: &Against) -> Result<Vec<Listed>> {
    let mut input = format!("{}\n", snapshot.id);
    for id in against.commits.iter().chain(&against.snapshots) {
        // The tree as well: of commits that the snapshot is not made on, git leaves out no objects.
        input.push_str(&format!("^{id}\n^{id}^{{tree}}\n"));
    }
    let mut command = scratch.command(Sees::All);
    command.args(["rev-list", "--objects", "--stdin"]);
    let bounds = Bounds {
        bytes: 1 << 30,
        time: TIME,
    };
    let text = git::run(command, Input::Bytes(input.as_bytes()), bounds)?;
    let odd = || CodeError::refused("The objects of the snapshot could not be listed.");
    let lines = text
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let (id, name) = match line.iter().position(|byte| *byte == b' ') {
                Some(at) => (&line[..at], &line[at + 1..]),
                None => (line, &b""[..]),
            };
            Ok(Listed {
                id: ObjectId::parse_bytes(id).ok_or_else(odd)?,
                name: in_checkout(name).to_vec(),
            })
        })
        .collect()
}

/// A path without the part of the snapshot that it is in. The top directory has no name, as that of a
/// commit has none: they are compared with each other.
fn in_checkout(name: &[u8]) -> &[u8] {
    let parts = ["working-tree", "index", "stage-1", "stage-2", "stage-3"];
    let below = |part: &&str| {
        let rest = name.strip_prefix(part.as_bytes())?;
        match rest.is_empty() {
            true => Some(rest),
            false => rest.strip_prefix(b"/"),
        }
    };
    parts.iter().find_map(below).unwrap_or(name)
}

/// A shallow repository has commits without what they are made on: nobody else may get them.
fn refuse_shallow(scratch: &Scratch, list: &[Listed]) -> Result<()> {
    let path = scratch.path("shallow");
    let Ok(text) = fs::read_to_string(path) else {
        return Ok(());
    };
    let ends: BTreeSet<&str> = text.lines().collect();
    match list.iter().any(|listed| ends.contains(listed.id.as_str())) {
        true => Err(CodeError::refused(
            "This repository is a shallow clone, and the other device lacks commits that are not \
             in it (`git fetch --unshallow` brings them).",
        )),
        false => Ok(()),
    }
}

fn write_pack(
    scratch: &Scratch,
    list: &[Listed],
    against: &Against,
    most: u64,
) -> Result<tempfile::NamedTempFile> {
    let mut input = Vec::new();
    for id in against.commits.iter().chain(&against.trees) {
        input.extend_from_slice(format!("-{id}\n").as_bytes());
    }
    for listed in list {
        input.extend_from_slice(listed.id.as_str().as_bytes());
        input.push(b' ');
        input.extend_from_slice(&listed.name);
        input.push(b'\n');
    }
    let dir = scratch.store.objects();
    let file = tempfile::Builder::new()
        .prefix("tmp_out_")
        .tempfile_in(&dir);
    let file = file.map_err(CodeError::io(&dir))?;
    let mut command = scratch.command(Sees::All);
    command.args(["pack-objects", "--quiet", "--stdout", "--delta-base-offset"]);
    command.args(["--threads=1", "--window=10", "--depth=50"]);
    // What the user's packs hold as differences depends on their history. A whole history would
    // take too long without them.
    if !against.commits.is_empty() {
        command.arg("--no-reuse-delta");
    }
    let mut output = file.reopen().map_err(CodeError::io(file.path()))?;
    let bounds = Bounds {
        bytes: most,
        time: TIME,
    };
    git::run_into(command, Input::Bytes(&input), &mut output, bounds)?;
    Ok(file)
}

/// Reads a pack once, for its length and the hashes of its chunks.
pub(crate) fn summary(path: &Path, objects: u64) -> Result<PackSummary> {
    let mut file = fs::File::open(path).map_err(CodeError::io(path))?;
    let (mut bytes, mut chunks) = (0, Vec::new());
    loop {
        let mut chunk = Vec::new();
        let read = file.by_ref().take(CHUNK).read_to_end(&mut chunk);
        read.map_err(CodeError::io(path))?;
        if chunk.is_empty() {
            break;
        }
        bytes += chunk.len() as u64;
        chunks.push(blake3::hash(&chunk).to_hex().to_string());
    }
    Ok(PackSummary {
        bytes,
        objects,
        chunk_bytes: CHUNK,
        chunks,
    })
}
