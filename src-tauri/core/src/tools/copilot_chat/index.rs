//! The list of chats in an editor's state database. An entry is added or changed; all others keep
//! every byte.

use super::*;
use crate::formats::rows::Rows;

/// A missing index counts as empty, as in VS Code.
const EMPTY: &[u8] = br#"{"version":1,"entries":{}}"#;

/// The list of chats, with every entry as written.
#[derive(Debug)]
pub(super) struct Index {
    pub(super) was: Option<Stored>,
    pub(super) entries: Rows,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum IndexError {
    #[error(transparent)]
    Database(#[from] StateDbError),
    #[error("{} has a list of chats of version {version}, which is not known", .path.display())]
    Version { path: PathBuf, version: String },
    #[error("the list of chats in {} is damaged ({what})", .path.display())]
    Damaged { path: PathBuf, what: String },
}

impl Index {
    pub(super) fn read(path: &Path) -> Result<Self, IndexError> {
        let was = state_db::get(path, INDEX)?;
        let bytes = was.as_ref().map(Stored::bytes);
        let bytes = bytes.filter(|bytes| !bytes.is_empty()).unwrap_or(EMPTY);
        let damaged = |what: String| IndexError::Damaged {
            path: path.into(),
            what,
        };
        let fields: BTreeMap<String, &RawValue> =
            serde_json::from_slice(bytes).map_err(|error| damaged(error.to_string()))?;
        match fields.get("version").map(|version| version.get()) {
            Some("1") => {}
            other => {
                let version = other.unwrap_or("nothing").to_owned();
                return Err(IndexError::Version {
                    path: path.into(),
                    version,
                });
            }
        }
        let text = String::from_utf8_lossy(bytes).into_owned();
        let entries = Rows::of_object(text, "entries");
        let entries = entries.ok_or_else(|| damaged("it has no entries".into()))?;
        if let Some((id, _)) = entries.iter().find(|(_, entry)| !is_entry(entry)) {
            let what = format!("VS Code does not accept the entry of \"{id}\"");
            return Err(damaged(what));
        }
        Ok(Self { was, entries })
    }

    /// The stored form, with the entry of one chat replaced or removed.
    pub(super) fn with(&self, session: &SessionId, entry: Option<Value>) -> Stored {
        let text = match entry {
            Some(entry) => self.entries.with(session.as_str(), &entry.to_string()),
            None => self.entries.without(session.as_str()),
        };
        match &self.was {
            Some(was) => was.with_text(text),
            None => Stored::Text(text),
        }
    }
}

/// Whether VS Code accepts an entry. One invalid entry makes VS Code discard all of them.
pub(super) fn is_entry(entry: &str) -> bool {
    let Ok(entry) = serde_json::from_str::<Value>(entry) else {
        return false;
    };
    let is = |name: &str, fits: fn(&Value) -> bool| entry.get(name).is_some_and(fits);
    is("sessionId", Value::is_string)
        && is("title", Value::is_string)
        && is("lastMessageDate", Value::is_number)
}

/// A chat's entry as VS Code would make it, based on its present entry.
pub(super) fn entry(session: &SessionId, state: &Value, now: Option<&str>) -> Value {
    let last = requests(state).last();
    let created = number(state, "creationDate");
    let started = last.and_then(|last| number(last, "timestamp"));
    let date = updated(state).map(|at| at.0).unwrap_or_default();
    let mut entry: Map<String, Value> = now
        .and_then(|now| serde_json::from_str(now).ok())
        .unwrap_or_default();
    let mut set = |name: &str, value: Value| drop(entry.insert(name.into(), value));
    set("sessionId", json!(session));
    set(
        "title",
        json!(title(state).unwrap_or_else(|| "New Chat".into())),
    );
    set("lastMessageDate", json!(started.unwrap_or(date)));
    set(
        "timing",
        json!({ "created": created, "lastRequestStarted": started, "lastRequestEnded": date }),
    );
    set("isEmpty", json!(requests(state).is_empty()));
    let fresh = [
        (
            "initialLocation",
            state
                .get("initialLocation")
                .cloned()
                .unwrap_or_else(|| json!("panel")),
        ),
        ("hasPendingEdits", json!(false)),
        ("isExternal", json!(false)),
        // The response is complete.
        ("lastResponseState", json!(1)),
    ];
    for (name, value) in fresh {
        entry.entry(name).or_insert(value);
    }
    Value::Object(entry)
}

pub(super) struct IndexChange {
    pub(super) old: Option<Stored>,
    pub(super) new: Option<Stored>,
}

impl IndexChange {
    pub(super) fn plan(
        place: &Place,
        session: &SessionId,
        state: Option<&Value>,
    ) -> Result<Self, WriteError> {
        let index = Index::read(&place.state_db).map_err(|error| refused(place, &error))?;
        let now = index.entries.row(session.as_str());
        let new = match state {
            None if now.is_none() => index.was.clone(),
            state => Some(index.with(session, state.map(|state| entry(session, state, now)))),
        };
        Ok(Self {
            old: index.was,
            new,
        })
    }

    pub(super) fn apply(&self, place: &Place, now: Millis) -> Result<(), WriteError> {
        if self.old == self.new {
            return Ok(());
        }
        keep(place, self.old.as_ref(), now)?;
        let put = state_db::put(&place.state_db, INDEX, self.old.as_ref(), self.new.as_ref());
        put.map_err(|error| match error {
            StateDbError::Changed { path, .. } => WriteError::Changed(path),
            error => refused(place, &error.into()),
        })
    }

    /// Restores the index after the file could not be written. Later changes by others stay.
    pub(super) fn revert(&self, place: &Place) {
        if self.old != self.new {
            // An entry without a file does no harm: the next attempt writes both.
            drop(state_db::put(
                &place.state_db,
                INDEX,
                self.new.as_ref(),
                self.old.as_ref(),
            ));
        }
    }
}

pub(super) fn refused(place: &Place, error: &IndexError) -> WriteError {
    let name = place.editor.name;
    match error {
        IndexError::Database(StateDbError::Absent(_)) => WriteError::Refused(format!(
            "{error}; open the folder once in {name}, and quit it again"
        )),
        _ => WriteError::Refused(format!("{error}; nothing was written")),
    }
}

/// Keeps the index as it was before the first change of the day.
pub(super) fn keep(place: &Place, old: Option<&Stored>, now: Millis) -> Result<(), WriteError> {
    let Some(old) = old else { return Ok(()) };
    let dir = place.state_db.parent().unwrap_or(&place.user);
    let stem = dir.join(".roam-chat-index");
    files::keep_of_the_day(&place.user, &stem, old.bytes(), KEPT, now)
}
