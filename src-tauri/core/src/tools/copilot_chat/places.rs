//! Where chats lie in the editors' folders, and which of several files of a chat counts.

use super::*;

/// A directory of chats, with the database that lists them.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) editor: Editor,
    /// The user directory, which no write leaves.
    pub(super) user: PathBuf,
    pub(super) sessions: PathBuf,
    pub(super) state_db: PathBuf,
    pub(super) opens: Window,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Window {
    Workspace(Opens),
    /// Its `workspace.json` does not name a folder or file.
    Unknown,
    /// No folder is open in it.
    Empty,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Log,
    Document,
}

impl Kind {
    pub(super) fn of(doc: &DocWrite<'_>) -> Result<Self, WriteError> {
        match doc.name.as_str() {
            LOG => Ok(Self::Log),
            DOCUMENT => Ok(Self::Document),
            other => Err(WriteError::Refused(format!(
                "\"{other}\" is not one of a chat's files"
            ))),
        }
    }

    pub(super) fn ending(self) -> &'static str {
        match self {
            Self::Log => "jsonl",
            Self::Document => "json",
        }
    }
}

impl Place {
    pub(super) fn of_workspace(editor: &Editor, user: &Path, dir: &Path) -> Self {
        Self {
            editor: *editor,
            user: user.into(),
            sessions: dir.join(SESSIONS),
            state_db: dir.join("state.vscdb"),
            opens: Workspace::read(dir).map_or(Window::Unknown, |workspace| {
                Window::Workspace(workspace.opens)
            }),
        }
    }

    pub(super) fn of_empty_windows(editor: &Editor, user: &Path, storage: &Path) -> Self {
        let (sessions, state_db) = (storage.join(EMPTY_WINDOW), storage.join("state.vscdb"));
        Self {
            editor: *editor,
            user: user.into(),
            sessions,
            state_db,
            opens: Window::Empty,
        }
    }

    pub(super) fn directories(&self, machine: &Machine) -> Vec<PathBuf> {
        match &self.opens {
            Window::Workspace(opens) => opens.directories(&self.user),
            Window::Empty => vec![machine.home.clone()],
            Window::Unknown => Vec::new(),
        }
    }

    pub(super) fn file(&self, session: &SessionId, kind: Kind) -> PathBuf {
        self.sessions.join(format!("{session}.{}", kind.ending()))
    }

    pub(super) fn open_in(&self, running: &[Running]) -> Option<String> {
        let process = running.iter().find(|running| self.editor.is(running))?;
        let (name, pid) = (self.editor.name, process.pid);
        Some(format!(
            "{name} is running (process {pid}) and holds the list of {NAME}; it waits until {name} has quit"
        ))
    }
}

pub(super) fn places_of(editor: &Editor, user: &Path) -> Vec<Place> {
    let mut places: Vec<Place> = workspace_dirs(user)
        .iter()
        .map(|dir| Place::of_workspace(editor, user, dir))
        .collect();
    let profiles = fs::read_dir(user.join("profiles"))
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path());
    let mut homes: Vec<PathBuf> = profiles.collect();
    homes.sort();
    homes.insert(0, user.to_path_buf());
    let storages = homes.into_iter().map(|home| home.join("globalStorage"));
    places.extend(storages.map(|storage| Place::of_empty_windows(editor, user, &storage)));
    places
}

pub(super) fn places(machine: &Machine) -> Vec<Place> {
    let each = |editor: &Editor| {
        let user = editor.user_dir(System::HERE, machine);
        if user.is_dir() {
            places_of(editor, &user)
        } else {
            Vec::new()
        }
    };
    EDITORS.iter().flat_map(each).collect()
}

pub(super) fn place_of(machine: &Machine, file: &Path) -> Option<Place> {
    let dir = file.parent()?;
    let editor = EDITORS
        .iter()
        .find(|editor| dir.starts_with(editor.user_dir(System::HERE, machine)))?;
    let user = editor.user_dir(System::HERE, machine);
    match dir.file_name()?.to_str()? {
        EMPTY_WINDOW => Some(Place::of_empty_windows(editor, &user, dir.parent()?)),
        _ => Some(Place::of_workspace(editor, &user, dir.parent()?)),
    }
}

pub(super) fn parsed(name: &str) -> Touched {
    parse(name).map_or(Touched::Nothing, |(session, _)| Touched::Session(session))
}

pub(super) fn parse(name: &str) -> Option<(SessionId, Kind)> {
    let (id, ending) = name.split_once('.')?;
    let kind = [Kind::Log, Kind::Document]
        .into_iter()
        .find(|kind| kind.ending() == ending)?;
    is_uuid(id).then(|| (SessionId::new(id), kind))
}

/// A file's place below the directory of all editors.
pub(super) fn place_below_editors(machine: &Machine, editor: &Editor, path: &Path) -> String {
    let user = editor.user_dir(System::HERE, machine);
    let root = user.parent().and_then(Path::parent).unwrap_or(&user);
    let below = path.strip_prefix(root).unwrap_or(path);
    below
        .components()
        .map(|part| part.as_os_str().to_string_lossy())
        .collect::<Vec<_>>()
        .join("/")
}

// ---- listing ----

/// A chat's files in one directory.
pub(super) struct ChatCopy {
    pub(super) place: Place,
    /// The log comes first.
    pub(super) files: Vec<(Kind, PathBuf, Stamp)>,
}

impl ChatCopy {
    pub(super) fn docs(&self, machine: &Machine) -> Vec<FoundDoc> {
        let doc = |(kind, path, stamp): &(Kind, PathBuf, Stamp)| FoundDoc {
            name: DocName::new(if *kind == Kind::Log { LOG } else { DOCUMENT }),
            kind: if *kind == Kind::Log {
                DocKind::Log
            } else {
                DocKind::Snapshot
            },
            place: place_below_editors(machine, &self.place.editor, path),
            path: path.clone(),
            stamp: *stamp,
        };
        self.files.iter().map(doc).collect()
    }
}

pub(super) fn copies(machine: &Machine, which: Which<'_>) -> BTreeMap<SessionId, Vec<ChatCopy>> {
    let mut found: BTreeMap<SessionId, Vec<ChatCopy>> = BTreeMap::new();
    for place in places(machine) {
        let mut here: BTreeMap<SessionId, Vec<(Kind, PathBuf, Stamp)>> = BTreeMap::new();
        for name in names(&place, which) {
            let (Some((session, kind)), path) = (parse(&name), place.sessions.join(&name)) else {
                continue;
            };
            // Deleted after the directory was listed, or not a regular file.
            if let Ok(stamp) = Stamp::of(&path) {
                here.entry(session).or_default().push((kind, path, stamp));
            }
        }
        for (session, mut files) in here {
            files.sort_by_key(|(kind, ..)| *kind != Kind::Log);
            found.entry(session).or_default().push(ChatCopy {
                place: place.clone(),
                files,
            });
        }
    }
    found
}

pub(super) fn names(place: &Place, which: Which<'_>) -> Vec<String> {
    match which {
        Which::One(session) => [Kind::Log, Kind::Document]
            .map(|kind| format!("{session}.{}", kind.ending()))
            .to_vec(),
        _ => {
            let entries = fs::read_dir(&place.sessions)
                .into_iter()
                .flatten()
                .flatten();
            let mut names: Vec<String> = entries
                .filter_map(|entry| entry.file_name().into_string().ok())
                .collect();
            names.sort();
            names
        }
    }
}

/// When a folder is opened in a window without one, VS Code copies the window's chats and continues
/// the copies, so the copy written last counts. Another copy is reported only if it is longer.
pub(super) fn the_one_that_counts<'c>(
    session: &SessionId,
    copies: &'c mut [ChatCopy],
    problems: &mut Vec<Problem>,
) -> &'c ChatCopy {
    let written = |copy: &ChatCopy| {
        copy.files
            .first()
            .map(|(_, _, stamp)| (stamp.mtime_ns, stamp.len))
    };
    copies.sort_by_key(written);
    let (counts, others) = copies
        .split_last()
        .expect("a session was found by a copy of it");
    let longest = others
        .iter()
        .filter_map(|copy| copy.files.first())
        .max_by_key(|(_, _, stamp)| stamp.len);
    if let (Some((_, other, longer)), Some((_, path, stamp))) = (longest, counts.files.first())
        && stamp.len < longer.len
    {
        let (path, other) = (path.display(), other.display());
        problems.push(Problem::new(
            ProblemCode::DuplicateSession,
            format!(
                "{NAME} has chat {session} twice: {path}, written last, which counts, and {other}, which is longer."
            ),
            "Look at both in VS Code, and delete the one that is not wanted.",
        ));
    }
    counts
}

pub(super) fn conflict_copies(machine: &Machine) -> Vec<ConflictCopy> {
    let running = machine.apps.running();
    let mut conflict_copies = Vec::new();
    for place in places(machine) {
        for name in names(&place, Which::All) {
            let Some((session, kind)) = copied_from(&name).and_then(|name| parse(&name)) else {
                continue;
            };
            let path = place.sessions.join(&name);
            let Ok(stamp) = Stamp::of(&path) else {
                continue;
            };
            let original = place.file(&session, kind);
            let has_log = Stamp::of(&place.file(&session, Kind::Log)).is_ok();
            conflict_copies.push(ConflictCopy {
                doc: DocName::new(if kind == Kind::Log { LOG } else { DOCUMENT }),
                kind: if kind == Kind::Log {
                    DocKind::Log
                } else {
                    DocKind::Snapshot
                },
                main: kind == Kind::Log || !has_log,
                place: place_below_editors(machine, &place.editor, &original),
                open_in: place.open_in(&running),
                session,
                path,
                stamp,
            });
        }
    }
    conflict_copies
}
