//! Verifies a pack from another device in a quarantine: a directory of ours, from which objects go
//! into the store when everything is as it must be. Nothing enters the user's repository here.

use crate::checkout::{Checkout, CodeError, Format, Result};
use crate::git::{self, Bounds, GitError, Input};
use crate::measure::{PackLimits, measure};
use crate::names::{ObjectId, RepoPath, folded, leads_out, unsafe_path};
use crate::objects::{Entry, Mode, Reader};
use crate::own::{Tips, excluded, own_tree};
use crate::pack::summary;
use crate::record::{Snapshot, adds_filter, filtered_in, is_attributes, read_snapshot, recorded};
use crate::scratch::{Scratch, Sees};
use crate::state::Manifest;
use crate::store::Store;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::path::Path;
use std::time::Duration;

/// What became of a pack.
#[derive(Debug)]
pub enum Received {
    /// It is in the store.
    Verified(Box<Snapshot>),
    /// It builds on commits or snapshots that are not here: a pack against fewer of them is needed.
    Lacking(Vec<ObjectId>),
}

const TIME: Duration = Duration::from_secs(600);
const LARGEST_LINK: u64 = 4096;
const LARGEST_ATTRIBUTES: u64 = 1 << 20;

/// Verifies a pack and puts its objects into the store. Refuses, with the reason in words, a pack
/// that is not exactly what the manifest says or that holds anything that must not be applied.
pub fn receive(
    checkout: &Checkout,
    store: &Store,
    manifest: &Manifest,
    pack: &Path,
    limits: &PackLimits,
) -> Result<Received> {
    if manifest.object_format != checkout.format.as_str() {
        return Err(CodeError::refused(format!(
            "The other repository names its objects by {}, this one by {}.",
            manifest.object_format,
            checkout.format.as_str()
        )));
    }
    let scratch = Scratch::new(checkout, store, None)?;
    let mut reader = Reader::start(&scratch)?;
    let lacking = lacking(&mut reader, manifest)?;
    if !lacking.is_empty() {
        return Ok(Received::Lacking(lacking));
    }
    let refused = |why: &dyn std::fmt::Display| {
        CodeError::refused(format!("The pack of the other device is refused: {why}."))
    };
    let id_len = checkout.format.raw_len();
    let n_objects = measure(pack, id_len, limits).map_err(|excess| refused(&excess))?;
    if summary(pack, n_objects)? != manifest.pack {
        return Err(refused(&"it is not the one that the manifest names"));
    }
    unpack(&scratch, pack, limits).map_err(|error| refused(&error))?;
    // Of another start: what was not there a moment ago may be remembered as missing.
    let mut reader = Reader::start(&scratch)?;
    let snapshot = read_snapshot(&mut reader, &manifest.snapshot, checkout)?;
    let says = (
        &manifest.working_tree,
        &manifest.index,
        &manifest.stages,
        &manifest.state,
    );
    let is = (
        &snapshot.working_tree,
        &snapshot.index,
        &snapshot.stages,
        &snapshot.state,
    );
    if says != is {
        return Err(refused(&"its manifest says something else"));
    }
    connected(&scratch, manifest).map_err(|_| refused(&"objects are missing in it"))?;
    check_new_trees(&scratch, &mut reader, manifest).map_err(|error| refused(&error))?;
    check_trees(&scratch, &mut reader, &snapshot, limits)?;
    scratch.keep_objects(|_| false)?;
    store.note_verified(&snapshot.id)?;
    Ok(Received::Verified(Box::new(snapshot)))
}

/// Whether a snapshot of another device was verified here and is in the store still. That its commit is there
/// says less: a pack brings the history of its snapshot, and one of these commits may look like a snapshot.
pub fn is_verified(checkout: &Checkout, store: &Store, id: &ObjectId) -> Result<bool> {
    Ok(store.verified().contains(id) && recorded(checkout, store, id)?.is_some())
}

/// What the pack builds on and is not here.
fn lacking(reader: &mut Reader, manifest: &Manifest) -> Result<Vec<ObjectId>> {
    let mut lacking = Vec::new();
    for id in manifest
        .against_commits
        .iter()
        .chain(&manifest.against_snapshots)
    {
        let object = reader.read(id, 0)?;
        if object.is_none_or(|object| object.kind != "commit") {
            lacking.push(id.clone());
        }
    }
    Ok(lacking)
}

/// Every object is unpacked, named by its content and checked as `git fsck` does.
fn unpack(
    scratch: &Scratch,
    pack: &Path,
    limits: &PackLimits,
) -> std::result::Result<(), GitError> {
    let file = File::open(pack)?;
    let mut command = scratch.command(Sees::All);
    command.args([
        "index-pack",
        "--strict",
        "--fix-thin",
        "--stdin",
        "--threads=1",
    ]);
    command.arg(format!("--max-input-size={}", limits.bytes));
    git::run(command, Input::File(file), Bounds::within(TIME)).map(drop)
}

/// Whether everything that the snapshot needs is there.
fn connected(scratch: &Scratch, manifest: &Manifest) -> Result<()> {
    list_new(scratch, manifest, &["--quiet"]).map(drop)
}

/// Objects that the snapshot needs and that neither the user's own commits have nor snapshots that were
/// verified before. What else the pack says that it builds on came with other packs.
fn list_new(scratch: &Scratch, manifest: &Manifest, args: &[&str]) -> Result<Vec<u8>> {
    let mut input = excluded(scratch.checkout, Tips::Refs)?;
    let verified = scratch.store.verified();
    let against = manifest.against_snapshots.iter();
    for id in against.filter(|id| verified.contains(id)) {
        input.push_str(&format!("^{id}\n"));
    }
    input.push_str(&format!("{}\n", manifest.snapshot));
    let mut command = scratch.command(Sees::All);
    command
        .args(["rev-list", "--objects", "--stdin"])
        .args(args);
    let bounds = Bounds {
        bytes: 1 << 30,
        time: TIME,
    };
    Ok(git::run(command, Input::Bytes(input.as_bytes()), bounds)?)
}

/// Reads every new tree as it is: `git` shows an odd mode as the nearest one that it knows.
fn check_new_trees(scratch: &Scratch, reader: &mut Reader, manifest: &Manifest) -> Result<()> {
    let args = ["--no-object-names", "--filter=blob:none"];
    let list = list_new(scratch, manifest, &args)?;
    for id in String::from_utf8_lossy(&list).lines() {
        let id = ObjectId::parse(id).ok_or_else(|| GitError::Unexpected("rev-list".into()))?;
        reader.check_tree(&id, scratch.checkout.format)?;
    }
    Ok(())
}

/// The files of a tree. Reads no further than the limit, so that a tree that contains itself many
/// times costs no more than one that does not.
pub(crate) fn files_of(
    scratch: &Scratch,
    tree: &ObjectId,
    most: usize,
) -> Result<BTreeMap<RepoPath, Entry>> {
    let refused = |why: &str| CodeError::refused(format!("The tree {tree} is refused: {why}."));
    let mut command = scratch.command(Sees::All);
    command.args(["ls-tree", "-r", "-z", "--full-tree", tree.as_str()]);
    let bounds = Bounds {
        bytes: most as u64 * 256,
        time: TIME,
    };
    let list = match git::run(command, Input::Nothing, bounds) {
        Err(GitError::TooMuchOutput(_)) => return Err(refused("it has too many files")),
        other => other?,
    };
    let mut files = BTreeMap::new();
    for line in list
        .split(|byte| *byte == 0)
        .filter(|line| !line.is_empty())
    {
        let (path, entry) = parse_tree(line).ok_or_else(|| refused("an entry has an odd mode"))?;
        files.insert(path, entry);
    }
    match files.len() <= most {
        true => Ok(files),
        false => Err(refused("it has too many files")),
    }
}

/// `MODE KIND ID<tab>PATH`.
fn parse_tree(line: &[u8]) -> Option<(RepoPath, Entry)> {
    let tab = line.iter().position(|byte| *byte == b'\t')?;
    let mut words = line[..tab].split(|byte| *byte == b' ');
    let mode = Mode::parse(words.next()?)?;
    let id = ObjectId::parse_bytes(words.nth(1)?)?;
    Some((RepoPath::new(&line[tab + 1..]), Entry { mode, id }))
}

/// Every path of every tree is one that may be written here, and what is new in them leads nowhere
/// else and starts nothing.
fn check_trees(
    scratch: &Scratch,
    reader: &mut Reader,
    snapshot: &Snapshot,
    limits: &PackLimits,
) -> Result<()> {
    let head = snapshot.state.head.as_ref();
    let own = own_tree(scratch, reader, head, Tips::Refs)?;
    let known = match own == scratch.checkout.format.empty_tree() {
        true => BTreeMap::new(),
        false => files_of(scratch, &own, limits.entries)?,
    };
    // Whoever goes on from a commit that is not the user's own has its files, too.
    let committed = match head {
        Some(head) => Some(reader.commit(head)?.tree),
        None => None,
    };
    let trees = [&snapshot.working_tree, &snapshot.index];
    let trees = trees.into_iter().chain(&snapshot.stages);
    let trees: BTreeSet<&ObjectId> = trees.chain(&committed).filter(|it| **it != own).collect();
    for tree in trees {
        let files = files_of(scratch, tree, limits.entries)?;
        check_names(scratch.checkout, &files, tree == &snapshot.working_tree)?;
        let is_new = |(path, entry): &(&RepoPath, &Entry)| known.get(path) != Some(entry);
        let new: Vec<(&RepoPath, &Entry)> = files.iter().filter(is_new).collect();
        check_sizes(scratch, &new, limits)?;
        for (path, entry) in new {
            check_file(reader, path, entry, known.get(path))?;
        }
        if attributes(&known) != attributes(&files) {
            check_filters(scratch, &own, tree, &files)?;
        }
    }
    Ok(())
}

fn attributes(files: &BTreeMap<RepoPath, Entry>) -> Vec<(&RepoPath, &Entry)> {
    let attributes = files.iter().filter(|(path, _)| is_attributes(path));
    attributes.collect()
}

/// The attributes of a tree put no file under a filter that those of the user's own leave without: a line may
/// name a macro of the repository or of the user, and the loss of a line may do it, too.
fn check_filters(
    scratch: &Scratch,
    own: &ObjectId,
    tree: &ObjectId,
    files: &BTreeMap<RepoPath, Entry>,
) -> Result<()> {
    let filtered_by = |tree: &ObjectId| {
        let index = "attributes.index";
        let command = scratch.command_in(Sees::All, &scratch.checkout.root, index);
        let tree = match *tree == scratch.checkout.format.empty_tree() {
            true => "--empty",
            false => tree.as_str(),
        };
        scratch.run(command, &["read-tree", tree], b"")?;
        filtered_in(scratch, index, files.keys())
    };
    let known = filtered_by(own)?;
    match filtered_by(tree)?.difference(&known).next() {
        None => Ok(()),
        Some(path) => Err(CodeError::refused(format!(
            "{path} is refused: changed attributes put it under a filter."
        ))),
    }
}

/// A pack counts each object once; written, it takes its space at every path. One copy is bounded by what the
/// pack may hold, or is the user's own.
fn check_sizes(scratch: &Scratch, new: &[(&RepoPath, &Entry)], limits: &PackLimits) -> Result<()> {
    let blobs = new
        .iter()
        .filter(|(_, entry)| entry.mode != Mode::Submodule);
    let mut times: BTreeMap<&ObjectId, u64> = BTreeMap::new();
    for (_, entry) in blobs {
        *times.entry(&entry.id).or_default() += 1;
    }
    if times.is_empty() {
        return Ok(());
    }
    let ids: String = times.keys().map(|id| format!("{id}\n")).collect();
    let args = ["cat-file", "--batch-check=%(objectsize)"];
    let sizes = scratch.run(scratch.command(Sees::All), &args, ids.as_bytes())?;
    let sizes = String::from_utf8_lossy(&sizes);
    let mut total = 0u64;
    for (size, times) in sizes.lines().zip(times.values()) {
        // What is missing (a partial clone) cannot be written.
        let size = size.parse::<u64>().unwrap_or(0);
        total = total.saturating_add(size.saturating_mul(*times - 1));
    }
    match total <= limits.written {
        true => Ok(()),
        false => Err(CodeError::refused(
            "The code of the other device is refused: the copies of its files are too large together.",
        )),
    }
}

fn check_names(
    checkout: &Checkout,
    files: &BTreeMap<RepoPath, Entry>,
    is_written: bool,
) -> Result<()> {
    let mut names: HashMap<String, &RepoPath> = HashMap::new();
    let mut last: &[u8] = b"";
    for path in files.keys() {
        if let Some(why) = unsafe_path(path) {
            return Err(CodeError::refused(format!("{path} is refused: {why}.")));
        }
        if path.below(&checkout.root).is_none() {
            return Err(CodeError::refused(format!(
                "{path} is refused: its name is not valid on this system."
            )));
        }
        if !is_written {
            continue;
        }
        // A directory comes once for each of its files.
        let is_new = |name: &RepoPath| {
            let below = last.strip_prefix(name.as_bytes());
            below.is_none_or(|below| !below.starts_with(b"/"))
        };
        for name in with_directories(path).filter(is_new) {
            let other = names.entry(folded(&name)).or_insert(path);
            let shares = other.as_bytes().starts_with(name.as_bytes());
            if !shares && checkout.ignores_case_at(&name) {
                return Err(CodeError::refused(format!(
                    "{path} and {other} are one file on this system."
                )));
            }
        }
        last = path.as_bytes();
    }
    Ok(())
}

/// A path and the directories that it lies in.
fn with_directories(path: &RepoPath) -> impl Iterator<Item = RepoPath> + '_ {
    let bytes = path.as_bytes();
    let ends = bytes
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b'/')
        .map(|(at, _)| at)
        .chain([bytes.len()]);
    ends.map(|end| RepoPath::new(&bytes[..end]))
}

/// A file that is not what the user's own commit has at its path.
fn check_file(
    reader: &mut Reader,
    path: &RepoPath,
    entry: &Entry,
    old: Option<&Entry>,
) -> Result<()> {
    if entry.mode == Mode::Link {
        let target = reader.blob(&entry.id, LARGEST_LINK)?;
        if leads_out(path, &target) {
            return Err(CodeError::refused(format!(
                "{path} is refused: it is a link that leads out of the checkout."
            )));
        }
    }
    // Links to them would be read as well.
    if is_attributes(path) {
        let content = reader.blob(&entry.id, LARGEST_ATTRIBUTES)?;
        let known = match old {
            Some(old) => reader.blob(&old.id, LARGEST_ATTRIBUTES)?,
            None => Vec::new(),
        };
        if entry.mode == Mode::Link || adds_filter(&content, &known) {
            return Err(CodeError::refused(format!(
                "{path} is refused: it puts files under a filter."
            )));
        }
    }
    Ok(())
}

impl Format {
    /// The id of the blob without bytes.
    pub(crate) fn empty_blob(self) -> ObjectId {
        let id = match self {
            Self::Sha1 => "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391",
            Self::Sha256 => "473a0f4c3be8a93681a267e3b1e9a7dcda1185436fe141f7749120a303721813",
        };
        ObjectId::parse(id).expect("both are ids")
    }

    /// The id of the tree without files.
    pub(crate) fn empty_tree(self) -> ObjectId {
        let id = match self {
            Self::Sha1 => "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
            Self::Sha256 => "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321",
        };
        ObjectId::parse(id).expect("both are ids")
    }
}
