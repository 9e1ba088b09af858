//! A git directory of our own for one piece of work: no refs, no hooks, a configuration that names
//! no program, and objects that stay in it. It sees the user's objects only where they are read,
//! because `git` changes the time of an object that it would write and finds.

use crate::checkout::{Checkout, CodeError, Format, Result};
use crate::git::{self, Bounds, Conversation, Input};
use crate::names::{ObjectId, path_bytes};
use crate::store::Store;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Which objects a command sees beside those of the scratch directory.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sees {
    /// For commands that write objects.
    Nothing,
    /// For commands that read: those of the store and of the user's repository.
    All,
}

pub(crate) struct Scratch<'a> {
    dir: tempfile::TempDir,
    pub checkout: &'a Checkout,
    pub store: &'a Store,
}

impl<'a> Scratch<'a> {
    pub fn new(checkout: &'a Checkout, store: &'a Store, head: Option<&ObjectId>) -> Result<Self> {
        let dir = store.temporary("scratch-")?;
        let scratch = Self {
            dir,
            checkout,
            store,
        };
        for name in ["objects/pack", "refs", "info"] {
            let path = scratch.path(name);
            fs::create_dir_all(&path).map_err(CodeError::io(&path))?;
        }
        let unborn = || "ref: refs/heads/none\n".to_owned();
        let head = head.map_or_else(unborn, |id| format!("{id}\n"));
        scratch.write("HEAD", head.as_bytes())?;
        scratch.write("config", &scratch.configuration())?;
        for (from, name) in [
            (&checkout.common_dir, "info/exclude"),
            (&checkout.common_dir, "info/attributes"),
            (&checkout.git_dir, "info/sparse-checkout"),
            (&checkout.common_dir, "shallow"),
        ] {
            copy_if_there(&from.join(name), &scratch.path(name))?;
        }
        Ok(scratch)
    }

    fn configuration(&self) -> Vec<u8> {
        let mut text = b"[core]\n".to_vec();
        let mut set = |name: &str, value: &[u8]| {
            text.extend_from_slice(format!("\t{name} = ").as_bytes());
            text.extend_from_slice(&quoted(value));
            text.push(b'\n');
        };
        set("repositoryFormatVersion", b"1");
        set("bare", b"false");
        set("safecrlf", b"false");
        set("fsmonitor", b"false");
        set("untrackedCache", b"false");
        set("bigFileThreshold", b"1g");
        set("fsyncMethod", b"batch");
        set("fsync", b"none");
        for (name, value) in &self.checkout.settings {
            set(name.trim_start_matches("core."), value.as_bytes());
        }
        // Also where the system or the user has none: never the file of this process' environment.
        let file = |path: &Option<PathBuf>| {
            let nowhere = if cfg!(windows) { "NUL" } else { "/dev/null" };
            path_bytes(path.as_deref().unwrap_or(Path::new(nowhere)))
        };
        set("excludesFile", &file(&self.checkout.excludes_file));
        set("attributesFile", &file(&self.checkout.attributes_file));
        text.extend_from_slice(
            b"[index]\n\tsparse = false\n\tthreads = true\n[gc]\n\tauto = 0\n\
              [status]\n\tshowUntrackedFiles = all\n\trenames = false\n\
              [advice]\n\tstatusHints = false\n\
              [pack]\n\tthreads = 1\n\tcompression = 6\n[diff]\n\trenames = false\n",
        );
        if self.checkout.format == Format::Sha256 {
            text.extend_from_slice(b"[extensions]\n\tobjectFormat = sha256\n");
        }
        text
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn write(&self, name: &str, text: &[u8]) -> Result<()> {
        let path = self.path(name);
        fs::write(&path, text).map_err(CodeError::io(&path))
    }

    /// `git` with this directory as its repository and no working tree but one given later.
    pub fn command(&self, sees: Sees) -> Command {
        let mut command = self.checkout.git.closed();
        command.current_dir(self.dir.path());
        command.env("GIT_DIR", self.dir.path());
        command.env("GIT_OBJECT_DIRECTORY", self.path("objects"));
        if sees == Sees::All {
            let others = [self.store.objects(), self.checkout.objects.clone()];
            let separator = if cfg!(windows) { ";" } else { ":" };
            let [store, repository] = others.map(|path| listed(&path));
            let mut list = store;
            list.push(separator);
            list.push(repository);
            command.env("GIT_ALTERNATE_OBJECT_DIRECTORIES", list);
        }
        command
    }

    /// The same in a working tree, with an index of this directory.
    pub fn command_in(&self, sees: Sees, work_tree: &Path, index: &str) -> Command {
        let mut command = self.command(sees);
        command.current_dir(work_tree);
        command.env("GIT_WORK_TREE", work_tree);
        command.env("GIT_INDEX_FILE", self.path(index));
        command
    }

    pub fn run(&self, mut command: Command, args: &[&str], input: &[u8]) -> Result<Vec<u8>> {
        command.args(args);
        Ok(git::run(command, Input::Bytes(input), Bounds::default())?)
    }

    pub fn converse(&self, sees: Sees, args: &[&str]) -> Result<Conversation> {
        let mut command = self.command(sees);
        command.args(args);
        Ok(Conversation::start(command, Duration::from_secs(600))?)
    }

    /// Copies the user's index, with its time: entries that changed in the moment in which the index
    /// was written are recognised by it.
    pub fn copy_index(&self, name: &str) -> Result<bool> {
        let is_there = copy_if_there(&self.checkout.index, &self.path(name))?;
        let git_dir = &self.checkout.git_dir;
        for entry in fs::read_dir(git_dir)
            .map_err(CodeError::io(git_dir))?
            .flatten()
        {
            let shared = entry.file_name();
            if is_shared_index(&shared) {
                copy_if_there(&entry.path(), &self.dir.path().join(&shared))?;
            }
        }
        Ok(is_there)
    }

    /// Whether the copied index is one part of two.
    pub fn has_shared_index(&self) -> bool {
        let entries = fs::read_dir(self.dir.path()).into_iter().flatten();
        let mut names = entries.flatten().map(|entry| entry.file_name());
        names.any(|name| is_shared_index(&name))
    }

    /// Moves what was written here into the store.
    pub fn keep_objects(&self, is_kept: impl Fn(&str) -> bool) -> Result<()> {
        self.store.take_objects(&self.path("objects"), is_kept)
    }
}

fn is_shared_index(name: &std::ffi::OsStr) -> bool {
    name.to_string_lossy().starts_with("sharedindex.")
}

/// Copies a file with its modification time; `false` if the file does not exist.
pub(crate) fn copy_if_there(from: &Path, to: &Path) -> Result<bool> {
    let mut source = match fs::File::open(from) {
        Ok(source) => source,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(CodeError::io(from)(error)),
    };
    let mut copy = || {
        let mut target = fs::File::create(to)?;
        std::io::copy(&mut source, &mut target)?;
        let modified = source.metadata()?.modified()?;
        target.set_modified(modified)
    };
    copy().map_err(CodeError::io(from))?;
    Ok(true)
}

/// A path in the list of object directories; quoted where it has separators.
#[cfg(unix)]
fn listed(path: &Path) -> OsString {
    use std::os::unix::ffi::OsStringExt;
    let bytes = path_bytes(path);
    OsString::from_vec(match bytes.iter().any(|byte| b":\"\n".contains(byte)) {
        true => quoted(&bytes),
        false => bytes,
    })
}

#[cfg(not(unix))]
fn listed(path: &Path) -> OsString {
    path.as_os_str().to_owned()
}

fn quoted(value: &[u8]) -> Vec<u8> {
    let mut text = vec![b'"'];
    for byte in value {
        match byte {
            b'\n' => text.extend_from_slice(b"\\n"),
            b'"' | b'\\' => text.extend_from_slice(&[b'\\', *byte]),
            byte => text.push(*byte),
        }
    }
    text.push(b'"');
    text
}
