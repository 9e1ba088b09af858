//! Reading objects, and writing trees and commits, without an index: a change of three files reads
//! and writes the directories of these files only.

use crate::checkout::{CodeError, Format, Result};
use crate::git::{Conversation, GitError};
use crate::names::{ObjectId, RepoPath};
use crate::scratch::{Scratch, Sees};
use std::collections::BTreeMap;
use std::io::{BufRead, Read, Write};

/// The kind and permissions of an entry of a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    File,
    Executable,
    Link,
    /// A commit of another repository.
    Submodule,
}

impl Mode {
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        match text {
            b"100644" | b"100664" => Some(Self::File),
            b"100755" => Some(Self::Executable),
            b"120000" => Some(Self::Link),
            b"160000" => Some(Self::Submodule),
            _ => None,
        }
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::File => "100644",
            Self::Executable => "100755",
            Self::Link => "120000",
            Self::Submodule => "160000",
        }
    }
}

/// What a path holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub mode: Mode,
    pub id: ObjectId,
}

/// Reads objects by id.
pub(crate) struct Reader {
    conversation: Conversation,
}

/// An object that was read: its content if that is within the limit asked for.
pub(crate) struct Object {
    pub kind: String,
    pub content: Option<Vec<u8>>,
}

const NAME: &str = "cat-file";
/// The largest tree of one directory, and the largest commit.
const LARGEST: u64 = 64 << 20;

impl Reader {
    pub fn start(scratch: &Scratch) -> Result<Self> {
        let conversation = scratch.converse(Sees::All, &[NAME, "--batch"])?;
        Ok(Self { conversation })
    }

    /// `None` if there is no such object.
    pub fn read(&mut self, id: &ObjectId, limit: u64) -> Result<Option<Object>> {
        let Conversation { input, output, .. } = &mut self.conversation;
        let mut line = String::new();
        input
            .write_all(format!("{id}\n").as_bytes())
            .and_then(|()| input.flush())
            .and_then(|()| output.read_line(&mut line))
            .map_err(GitError::Io)?;
        let words: Vec<&str> = line.trim_end().split(' ').collect();
        let (kind, size) = match words.as_slice() {
            [_, "missing"] => return Ok(None),
            [_, kind, size] => (*kind, size.parse::<u64>().ok()),
            _ => ("", None),
        };
        let size = size.ok_or_else(|| GitError::Unexpected(NAME.into()))?;
        let mut whole = output.by_ref().take(size + 1);
        let content = match size <= limit {
            true => {
                let mut content = Vec::with_capacity(size as usize + 1);
                whole.read_to_end(&mut content).map_err(GitError::Io)?;
                content.pop();
                (content.len() as u64 == size)
                    .then_some(Some(content))
                    .ok_or_else(|| GitError::Unexpected(NAME.into()))?
            }
            false => {
                std::io::copy(&mut whole, &mut std::io::sink()).map_err(GitError::Io)?;
                None
            }
        };
        Ok(Some(Object {
            kind: kind.to_owned(),
            content,
        }))
    }

    /// An object that must be there, of a kind, whole.
    pub fn whole(&mut self, id: &ObjectId, kind: &str) -> Result<Vec<u8>> {
        match self.read(id, LARGEST)? {
            Some(Object {
                kind: found,
                content: Some(content),
                ..
            }) if found == kind => Ok(content),
            Some(_) => Err(CodeError::refused(format!(
                "The object {id} is not a {kind} or is too large."
            ))),
            None => Err(CodeError::refused(format!(
                "The object {id} is not in this repository (a partial clone?)."
            ))),
        }
    }

    /// Whether an object, if it is a tree, has nothing in it but entries of known modes.
    pub fn check_tree(&mut self, id: &ObjectId, format: Format) -> Result<()> {
        let odd = || CodeError::refused(format!("The tree {id} has an entry of unknown kind."));
        match self.read(id, LARGEST)? {
            Some(object) if object.kind == "tree" => {
                let content = object.content.ok_or_else(odd)?;
                Tree::parse(&content, format).map(drop).ok_or_else(odd)
            }
            Some(_) => Ok(()),
            None => Err(odd()),
        }
    }

    /// What a tree has at a path.
    pub fn entry(
        &mut self,
        tree: &ObjectId,
        path: &RepoPath,
        format: Format,
    ) -> Result<Option<Node>> {
        let mut node = Node::Tree(tree.clone());
        for name in path.components() {
            let Node::Tree(id) = &node else {
                return Ok(None);
            };
            match self.tree(id, format)?.0.remove(name) {
                Some(next) => node = next,
                None => return Ok(None),
            }
        }
        Ok(Some(node))
    }

    pub fn blob(&mut self, id: &ObjectId, limit: u64) -> Result<Vec<u8>> {
        let object = self.read(id, limit)?;
        object
            .filter(|object| object.kind == "blob")
            .and_then(|object| object.content)
            .ok_or_else(|| CodeError::refused(format!("The object {id} is missing or too large.")))
    }

    pub fn commit(&mut self, id: &ObjectId) -> Result<Commit> {
        let text = self.whole(id, "commit")?;
        Commit::parse(&text)
            .ok_or_else(|| CodeError::refused(format!("The commit {id} cannot be read.")))
    }

    pub fn tree(&mut self, id: &ObjectId, format: Format) -> Result<Tree> {
        let bytes = self.whole(id, "tree")?;
        Tree::parse(&bytes, format)
            .ok_or_else(|| CodeError::refused(format!("The tree {id} cannot be read.")))
    }
}

/// The header of a commit, as far as it matters here.
#[derive(Debug)]
pub(crate) struct Commit {
    pub tree: ObjectId,
    pub parents: Vec<ObjectId>,
}

impl Commit {
    fn parse(text: &[u8]) -> Option<Self> {
        let mut lines = text.split(|byte| *byte == b'\n');
        let tree = ObjectId::parse_bytes(lines.next()?.strip_prefix(b"tree ")?)?;
        let parents = lines.map_while(|line| line.strip_prefix(b"parent "));
        Some(Self {
            tree,
            parents: parents.map(ObjectId::parse_bytes).collect::<Option<_>>()?,
        })
    }
}

/// One directory: names, and what each is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tree(pub BTreeMap<Vec<u8>, Node>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    Tree(ObjectId),
    Leaf(Entry),
}

impl Tree {
    fn parse(mut bytes: &[u8], format: Format) -> Option<Self> {
        let mut nodes = BTreeMap::new();
        while !bytes.is_empty() {
            let space = bytes.iter().position(|byte| *byte == b' ')?;
            let end = bytes.iter().position(|byte| *byte == 0)?;
            let (mode, name) = (bytes.get(..space)?, bytes.get(space + 1..end)?);
            let id = ObjectId::from_raw(bytes.get(end + 1..end + 1 + format.raw_len())?);
            let node = match mode {
                b"40000" | b"040000" => Node::Tree(id),
                mode => Node::Leaf(Entry {
                    mode: Mode::parse(mode)?,
                    id,
                }),
            };
            nodes.insert(name.to_vec(), node);
            bytes = &bytes[end + 1 + format.raw_len()..];
        }
        Some(Self(nodes))
    }
}

/// Writes trees; an object is written whether the user's repository has it or not.
pub(crate) struct TreeWriter {
    conversation: Conversation,
}

impl TreeWriter {
    pub fn start(scratch: &Scratch) -> Result<Self> {
        let args = ["mktree", "-z", "--missing", "--batch"];
        let conversation = scratch.converse(Sees::Nothing, &args)?;
        Ok(Self { conversation })
    }

    pub fn write(&mut self, tree: &Tree) -> Result<ObjectId> {
        let mut lines = Vec::new();
        for (name, node) in &tree.0 {
            let (mode, kind, id) = match node {
                Node::Tree(id) => ("040000", "tree", id),
                Node::Leaf(entry) => (entry.mode.as_str(), kind_of(entry.mode), &entry.id),
            };
            lines.extend_from_slice(format!("{mode} {kind} {id}\t").as_bytes());
            lines.extend_from_slice(name);
            lines.push(0);
        }
        lines.push(0);
        let Conversation { input, output, .. } = &mut self.conversation;
        let mut line = String::new();
        input
            .write_all(&lines)
            .and_then(|()| input.flush())
            .and_then(|()| output.read_line(&mut line))
            .map_err(GitError::Io)?;
        ObjectId::parse(line.trim_end()).ok_or_else(|| GitError::Unexpected("mktree".into()).into())
    }
}

fn kind_of(mode: Mode) -> &'static str {
    match mode {
        Mode::Submodule => "commit",
        Mode::File | Mode::Executable | Mode::Link => "blob",
    }
}

/// A path below a directory, and what is there now.
type Step<'a> = (&'a [u8], Option<&'a Entry>);
/// What paths become: an entry, or nothing.
pub(crate) type Changes = BTreeMap<RepoPath, Option<Entry>>;

/// A tree with changes made to it. `base` is the empty tree where it is `None`.
pub(crate) fn edited(
    base: Option<&ObjectId>,
    changes: &Changes,
    format: Format,
    reader: &mut Reader,
    writer: &mut TreeWriter,
) -> Result<ObjectId> {
    if let (Some(base), true) = (base, changes.is_empty()) {
        return Ok(base.clone());
    }
    let changes: Vec<(&[u8], Option<&Entry>)> = changes
        .iter()
        .map(|(path, entry)| (path.as_bytes(), entry.as_ref()))
        .collect();
    let mut editing = Editing {
        format,
        reader,
        writer,
    };
    match editing.directory(base, &changes)? {
        Some(id) => Ok(id),
        None => editing.writer.write(&Tree::default()),
    }
}

struct Editing<'a> {
    format: Format,
    reader: &'a mut Reader,
    writer: &'a mut TreeWriter,
}

impl Editing<'_> {
    /// `None` if nothing is left in the directory.
    fn directory(
        &mut self,
        base: Option<&ObjectId>,
        changes: &[Step<'_>],
    ) -> Result<Option<ObjectId>> {
        let mut tree = match base {
            Some(base) => self.reader.tree(base, self.format)?,
            None => Tree::default(),
        };
        let mut below: BTreeMap<&[u8], Vec<Step<'_>>> = BTreeMap::new();
        let mut added = Vec::new();
        for (path, entry) in changes {
            match path.iter().position(|byte| *byte == b'/') {
                Some(at) => below
                    .entry(&path[..at])
                    .or_default()
                    .push((&path[at + 1..], *entry)),
                // A directory of that name loses its files by changes of their own.
                None => match entry {
                    Some(entry) => added.push((path.to_vec(), (*entry).clone())),
                    None => {
                        if matches!(tree.0.get(*path), Some(Node::Leaf(_))) {
                            tree.0.remove(*path);
                        }
                    }
                },
            }
        }
        for (name, changes) in below {
            let base = match tree.0.get(name) {
                Some(Node::Tree(id)) => Some(id.clone()),
                Some(Node::Leaf(_)) | None => None,
            };
            match self.directory(base.as_ref(), &changes)? {
                Some(id) => drop(tree.0.insert(name.to_vec(), Node::Tree(id))),
                // A file that took the directory's place stays.
                None if base.is_some() => drop(tree.0.remove(name)),
                None => {}
            }
        }
        for (name, entry) in added {
            tree.0.insert(name, Node::Leaf(entry));
        }
        match tree.0.is_empty() {
            true => Ok(None),
            false => self.writer.write(&tree).map(Some),
        }
    }
}
