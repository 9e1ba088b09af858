//! Writes a rollout into the store.

use super::*;

pub(super) fn write_rollout(
    store: &FileStore<'_>,
    checkout: &Checkout<'_>,
    doc: &DocWrite<'_>,
) -> Result<Written, WriteError> {
    let (base, name, change) = (&*store.root, doc.name, &doc.change);
    let existing = store.one(checkout.session, checkout.forgets)?;
    let existing = existing.map(|at| base.join(at.place));
    match (change, existing) {
        (Change::Create(bytes), None) => {
            let at = place(checkout, doc.place, *bytes);
            write_at(
                base,
                files::below(base, &at)?,
                name,
                change,
                checkout.updated,
            )
        }
        (Change::Create(_), Some(existing)) if is_emptied(&existing) => {
            write_at(base, existing, name, change, checkout.updated)
        }
        (Change::Create(_), Some(existing)) => Err(WriteError::Changed(existing)),
        (change, existing) if change.path().is_some() && existing.as_deref() != change.path() => {
            Err(WriteError::Changed(
                change.path().map(Path::to_path_buf).unwrap_or_default(),
            ))
        }
        (
            Change::Append {
                path,
                was,
                from,
                bytes,
            },
            _,
        ) if is_packed(path) => {
            check_stamp(path, *was)?;
            let old = unpack(path).map_err(|source| WriteError::Io {
                path: path.to_path_buf(),
                source,
            })?;
            let whole = Unpacked::new(path, &old, *from, *bytes)?;
            write_at(
                base,
                path.with_extension(""),
                name,
                &Change::Create(&whole),
                checkout.updated,
            )
        }
        (Change::Replace { path, was, bytes }, _) if is_packed(path) => {
            check_stamp(path, *was)?;
            write_at(
                base,
                path.with_extension(""),
                name,
                &Change::Create(*bytes),
                checkout.updated,
            )
        }
        (
            Change::Append { path, .. }
            | Change::Replace { path, .. }
            | Change::Remove { path, .. },
            _,
        ) => write_at(base, path.to_path_buf(), name, change, checkout.updated),
    }
}

/// Whether a rollout has no content any more: another device's goes into the same file.
fn is_emptied(path: &Path) -> bool {
    !is_packed(path) && Stamp::of(path).is_ok_and(|stamp| stamp.len == 0)
}

pub(super) fn check_stamp(path: &Path, was: crate::tools::Stamp) -> Result<(), WriteError> {
    match Stamp::of(path) {
        Ok(now) if now == was => Ok(()),
        _ => Err(WriteError::Changed(path.to_path_buf())),
    }
}

pub(super) fn write_at(
    base: &Path,
    path: PathBuf,
    name: &DocName,
    change: &Change<'_>,
    updated: Millis,
) -> Result<Written, WriteError> {
    // `sessions` or `archived_sessions`, which the write must not leave.
    let top = path
        .strip_prefix(base)
        .ok()
        .and_then(|relative| relative.components().next());
    let root = match top {
        Some(top) => base.join(top),
        None => {
            return Err(WriteError::Refused(format!(
                "{} is not inside {}",
                path.display(),
                base.display()
            )));
        }
    };
    files::write_docs(
        &[GuestWrite {
            name,
            root: &root,
            path,
            change,
        }],
        updated,
        &|| Ok(()),
    )
}

/// The plain file that continues a compressed rollout, and wins: the old content, then the new.
pub(super) struct Unpacked<'a> {
    pub(super) before: &'a [u8],
    pub(super) after: &'a dyn crate::tools::Bytes,
}

impl<'a> Unpacked<'a> {
    pub(super) fn new(
        path: &Path,
        old: &'a [u8],
        from: u64,
        after: &'a dyn crate::tools::Bytes,
    ) -> Result<Self, WriteError> {
        let from = usize::try_from(from).ok().filter(|from| *from <= old.len());
        let from = from.ok_or_else(|| WriteError::Changed(path.to_path_buf()))?;
        let mut new = Vec::new();
        after.write_to(&mut new).map_err(|source| WriteError::Io {
            path: path.to_path_buf(),
            source,
        })?;
        match new.starts_with(&old[from..]) {
            true => Ok(Self {
                before: &old[..from],
                after,
            }),
            false => Err(WriteError::Torn(path.to_path_buf())),
        }
    }
}

impl crate::tools::Bytes for Unpacked<'_> {
    fn write_to(&self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(self.before)?;
        self.after.write_to(out)
    }
}

/// The place of a new rollout: the author's place if valid, else by the time in the first record,
/// else by the last activity.
pub(super) fn place(
    checkout: &Checkout<'_>,
    author_at: &str,
    bytes: &dyn crate::tools::Bytes,
) -> String {
    if let Some(at) = checked_place(author_at, checkout.session) {
        return at;
    }
    let mut start = Start { bytes: Vec::new() };
    // Stops with an error of its own once enough is read.
    drop(bytes.write_to(&mut start));
    let first = jsonl::parse_lines(&start.bytes)
        .into_iter()
        .find_map(|record| Millis::parse(session_meta(&record)?.get("timestamp")?.as_str()?));
    let time = first.unwrap_or(checkout.updated).rfc3339();
    let name = format!(
        "rollout-{}-{}.jsonl",
        time[..19].replace(':', "-"),
        checkout.session
    );
    let fallback = || format!("archived_sessions/{name}");
    Rollout::parse(&name).map_or_else(fallback, |rollout| rollout.in_sessions())
}

pub(super) fn checked_place(at: &str, session: &SessionId) -> Option<String> {
    let (dir, name) = at.rsplit_once('/')?;
    let rollout = Rollout::parse(name).filter(|rollout| rollout.session == *session)?;
    if dir == "archived_sessions" {
        return Some(format!("{dir}/{}", rollout.plain_name));
    }
    // The directory's date may differ from the name's by a day.
    let date = dir
        .strip_prefix("sessions/")
        .filter(|date| has_shape(date, "dddd/dd/dd"))?;
    let fits = ("01"..="12").contains(&&date[5..7]) && ("01"..="31").contains(&&date[8..10]);
    fits.then(|| format!("{dir}/{}", rollout.plain_name))
}

pub(super) struct Start {
    pub(super) bytes: Vec<u8>,
}

impl Write for Start {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() as u64 > HEAD {
            return Err(io::Error::other("enough"));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
