//! Sessions of any app, which it keeps here by itself, through the socket (docs/api.md). The store
//! is session-roam's own: `<session-roam's directory>/apps`, laid out as `shelf.rs` says. As a tool
//! it is like any other: logs of JSON lines, which are recorded, merged, found and forgotten like
//! all sessions.
//!
//! Each line is an entry of its own, known by its `uuid` if it has one. So two branches are one log
//! without a question: what only the second has comes after the first (`joining.rs`).
//!
//! A file from another device is written only where its own first line says it belongs.

pub mod disk;
pub mod joining;
pub mod names;
pub mod pages;
pub mod shelf;
#[cfg(test)]
mod tests;

use super::{
    About, Bytes, Change, Checkout, ConflictCopy, Content, DocWrite, Facts, Found, FoundDoc, Joins,
    Launch, Level, Listing, Machine, Reading, Resumable, Root, Steering, Tool, Touched, Which,
    WriteError, Written,
};
use crate::adapter::Opens;
use crate::formats::files::{self, GuestWrite};
use crate::formats::jsonl::{self, text};
use crate::merge::transcript::read_message;
use crate::opener;
use crate::session::{DocKind, DocName, SessionId, ToolId, copied_from};
use crate::tools::Stamp;
use names::{AppName, Header, LONGEST_HEADER, is_header, is_id, part_hash};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The id of the tool that all apps' sessions belong to.
pub const TOOL: &str = "apps";
const MAIN: &str = "session.jsonl";
const PARTS: &str = "parts/";
const HEAD: u64 = 64 * 1024;
const TAIL: u64 = 64 * 1024;
/// Fields of entries that name a session, the first found counts; the last entry with it wins.
const TITLES: [&str; 4] = ["customTitle", "title", "aiTitle", "summary"];

pub struct AppSessions;

/// The place of a doc below the store: the app, the session's id, and a part's file if it is one.
struct Place {
    app: AppName,
    id: String,
    part: Option<String>,
}

impl Place {
    fn parse(names: &[&str]) -> Option<Self> {
        let (app, id, part) = match names {
            [app, main] => (app, main.strip_suffix(".jsonl")?, None),
            [app, id, part] => (app, *id, Some(part.strip_suffix(".jsonl")?)),
            _ => return None,
        };
        let fits = is_id(id) && part.is_none_or(is_id);
        fits.then_some(Self {
            app: AppName::new(app).ok()?,
            id: id.to_owned(),
            part: part.map(str::to_owned),
        })
    }

    fn doc(&self) -> DocName {
        match &self.part {
            None => DocName::new(MAIN),
            Some(part) => DocName::new(format!("{PARTS}{part}.jsonl")),
        }
    }

    fn place(&self) -> String {
        match &self.part {
            None => format!("{}/{}.jsonl", self.app, self.id),
            Some(part) => format!("{}/{}/{part}.jsonl", self.app, self.id),
        }
    }

    /// Whether a file with this first line belongs here.
    fn fits(&self, header: &Header) -> bool {
        let part = header.subpath.as_deref().map(part_hash);
        header.app == self.app && header.id == self.id && part == self.part
    }

    fn found(&self, root: &Path) -> Option<FoundDoc> {
        let path = files::below(root, &self.place()).ok()?;
        Some(FoundDoc {
            name: self.doc(),
            kind: DocKind::Log,
            place: self.place(),
            stamp: Stamp::of(&path).ok()?,
            path,
        })
    }
}

/// The docs of the session with this id, the main one first; `None` without it.
fn docs(root: &Path, app: &AppName, id: &str) -> Option<Vec<FoundDoc>> {
    let place = |part| Place {
        app: app.clone(),
        id: id.to_owned(),
        part,
    };
    let mut docs = vec![place(None).found(root)?];
    let dir = root.join(app.as_str()).join(id);
    if files::is_own_dir(root, &dir) {
        let names = files::names_in(&dir, |kind| kind.is_file()).into_iter();
        let parts = names.filter_map(|name| Some(name.strip_suffix(".jsonl")?.to_owned()));
        docs.extend(
            parts
                .filter(|part| is_id(part))
                .filter_map(|part| place(Some(part)).found(root)),
        );
    }
    Some(docs)
}

fn apps(root: &Path) -> Vec<AppName> {
    let names = files::names_in(root, std::fs::FileType::is_dir).into_iter();
    names.filter_map(|name| AppName::new(&name).ok()).collect()
}

fn conflict_copies(root: &Path) -> Vec<ConflictCopy> {
    let mut found = Vec::new();
    let mut dirs: Vec<PathBuf> = Vec::new();
    for app in apps(root) {
        let dir = root.join(app.as_str());
        let parts = files::names_in(&dir, std::fs::FileType::is_dir).into_iter();
        dirs.extend(parts.filter(|name| is_id(name)).map(|name| dir.join(name)));
        dirs.push(dir);
    }
    for dir in dirs {
        for name in files::names_in(&dir, |kind| kind.is_file()) {
            let (path, Some(original)) = (dir.join(&name), copied_from(&name)) else {
                continue;
            };
            let Some(names) = files::names_below(root, &dir.join(original)) else {
                continue;
            };
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let (Some(place), Ok(stamp)) = (Place::parse(&names), Stamp::of(&path)) else {
                continue;
            };
            found.push(ConflictCopy {
                session: SessionId::new(place.id.as_str()),
                doc: place.doc(),
                kind: DocKind::Log,
                main: place.part.is_none(),
                place: place.place(),
                path,
                stamp,
                open_in: None,
            });
        }
    }
    found
}

impl Tool for AppSessions {
    fn about(&self) -> About {
        About {
            tool: ToolId::new(TOOL),
            name: "Apps".into(),
            level: Level::Carry,
            reason: "An app saves and loads its sessions itself, after you allowed it. If two devices add to one \
                     at the same time, it has the entries of both."
                .into(),
            versions: "session-roam's own store (2026-11-29), docs/api.md".into(),
            denied: &[],
            is_message: |line| !is_header(line.trim_ascii_end()),
            read_message,
            joins: Joins {
                stitch: Some(joining::stitch),
                unasked: true,
                ..Joins::default()
            },
            steering: Steering {
                words: "nothing: what an app's entries mean to it is not known, and they arrive as they are",
                ..Steering::default()
            },
            ..About::default()
        }
    }

    fn roots(&self, machine: &Machine) -> Vec<Root> {
        vec![Root {
            path: shelf::root(&machine.data),
            deep: true,
            store: true,
        }]
    }

    fn touched(&self, machine: &Machine, path: &Path) -> Touched {
        let Some(names) = files::names_below(&shelf::root(&machine.data), path) else {
            return Touched::Nothing;
        };
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        match (Place::parse(&names), names.as_slice()) {
            (Some(place), _) => Touched::Session(SessionId::new(place.id)),
            (None, [] | [_]) => Touched::Everything,
            (None, [_, id]) if is_id(id) => Touched::Session(SessionId::new(*id)),
            _ => Touched::Nothing,
        }
    }

    fn sessions(&self, machine: &Machine, which: Which<'_>) -> Listing {
        let root = shelf::root(&machine.data);
        let mut listing = Listing::default();
        if let Which::ConflictCopies = which {
            listing.conflict_copies = conflict_copies(&root);
            return listing;
        }
        for app in apps(&root) {
            let ids: Vec<String> = match which {
                Which::One(session) if !is_id(session.as_str()) => Vec::new(),
                Which::One(session) => vec![session.to_string()],
                _ => {
                    let names = files::names_in(&root.join(app.as_str()), |kind| kind.is_file());
                    let ids = names.iter().filter_map(|name| name.strip_suffix(".jsonl"));
                    ids.filter(|id| is_id(id)).map(str::to_owned).collect()
                }
            };
            listing.found.extend(ids.into_iter().filter_map(|id| {
                let docs = docs(&root, &app, &id)?;
                Some(Found {
                    session: SessionId::new(id),
                    docs,
                    open_in: None,
                })
            }));
        }
        // An id follows from its app's name, so another app with it is a file that somebody placed.
        listing.keep_one_of_each();
        listing
    }

    fn read(&self, machine: &Machine, found: &Found) -> io::Result<Reading> {
        let main = found.main()?;
        let ends = jsonl::read_ends(&mut opener::file(&main.path)?, HEAD, TAIL)?;
        let header = ends
            .head
            .first()
            .and_then(|first| Header::parse(first.to_string().as_bytes()));
        let named = TITLES
            .iter()
            .find_map(|field| ends.backwards().find_map(|entry| text(entry, field)));
        let spoken = || {
            let mut messages = ends.forwards().filter_map(read_message);
            let first = messages.find(|message| message.role == crate::session::Role::User)?;
            jsonl::title_of(&first.text())
        };
        let title = named
            .and_then(|named| jsonl::title_of(&named))
            .or_else(spoken);
        let title = match (header, title) {
            (Some(header), Some(title)) => Some(format!("{}: {title}", header.app)),
            (Some(header), None) => jsonl::title_of(&format!("{}: {}", header.app, header.session)),
            (None, title) => title,
        };
        Ok(Reading {
            facts: Facts {
                // The store is the same wherever the app's own files are.
                cwd: machine.home.to_str().map(str::to_owned),
                title,
                updated: Some(main.stamp.modified()),
                ..Facts::default()
            },
            docs: found
                .docs
                .iter()
                .map(|doc| Content::File(doc.path.clone()))
                .collect(),
            ..Reading::default()
        })
    }

    fn write(&self, machine: &Machine, checkout: &Checkout<'_>) -> Result<Written, WriteError> {
        let root = shelf::root(&machine.data);
        let mut app: Option<AppName> = None;
        let mut writes = Vec::new();
        for doc in &checkout.docs {
            let place = place_of(checkout.session, doc.name, doc.place)?;
            if app.as_ref().is_some_and(|app| *app != place.app) {
                return Err(refused(doc.place));
            }
            let path = files::below(&root, &place.place())?;
            match &doc.change {
                Change::Create(bytes) | Change::Replace { bytes, .. } => {
                    let header = first_line(*bytes, &path)?;
                    if !header.is_some_and(|header| place.fits(&header)) {
                        return Err(refused(doc.place));
                    }
                }
                Change::Append { .. } | Change::Remove { .. } => {}
            }
            // Its app has begun it meanwhile.
            if place.part.is_none() && matches!(doc.change, Change::Create(_)) && path.exists() {
                return Err(WriteError::Changed(path));
            }
            if let Some(planned) = doc.change.path().filter(|planned| *planned != path) {
                return Err(WriteError::Changed(planned.to_path_buf()));
            }
            writes.push(GuestWrite {
                name: doc.name,
                root: &root,
                path,
                change: &doc.change,
            });
            app = Some(place.app);
        }
        let Some(app) = app else {
            return Ok(Written::default());
        };
        let dir = root.join(app.as_str());
        // No app appends between the check of a stamp and the write.
        let failed = |source| WriteError::Io {
            path: dir.clone(),
            source,
        };
        let _lock = disk::lock(&dir).map_err(failed)?;
        let is_removed = |doc: &DocWrite<'_>| {
            doc.name.as_str() == MAIN && matches!(doc.change, Change::Remove { .. })
        };
        if checkout.docs.iter().any(is_removed) {
            // What the app begins under that name from now on is another session.
            disk::mark_deleted(&dir, checkout.session.as_str()).map_err(failed)?;
        }
        files::write_docs(&writes, checkout.updated, &|| Ok(()))
    }

    /// The app itself opens its sessions.
    fn resume(&self, _machine: &Machine, session: &Resumable<'_>) -> Launch {
        Launch::of(Opens::Nothing, session.cwd)
    }

    fn is_main(&self, doc: &DocName) -> bool {
        doc.as_str() == MAIN
    }
}

/// The place of a doc, which another device names.
fn place_of(session: &SessionId, doc: &DocName, at: &str) -> Result<Place, WriteError> {
    let names: Vec<&str> = at.split('/').collect();
    let place = Place::parse(&names).filter(|place| place.id == session.as_str());
    place
        .filter(|place| place.doc() == *doc)
        .ok_or_else(|| refused(at))
}

fn refused(at: &str) -> WriteError {
    WriteError::Refused(format!("\"{at}\" is not where a session of its app lies"))
}

/// The header with which a content begins.
fn first_line(bytes: &dyn Bytes, path: &Path) -> Result<Option<Header>, WriteError> {
    let mut start = Start(Vec::new());
    let written = bytes.write_to(&mut start);
    written.map_err(|source| WriteError::Io {
        path: path.to_path_buf(),
        source,
    })?;
    let end = start.0.iter().position(|byte| *byte == b'\n');
    Ok(end.and_then(|end| Header::parse(&start.0[..end])))
}

/// Keeps the beginning of what is written to it.
struct Start(Vec<u8>);

impl Write for Start {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = LONGEST_HEADER.saturating_sub(self.0.len());
        self.0.extend_from_slice(&bytes[..bytes.len().min(room)]);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
