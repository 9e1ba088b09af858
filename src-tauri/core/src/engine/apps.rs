//! The store for apps: who may use it, and its requests. The loop checks the permission; the files
//! are read and written beside it. Knows nothing of how they are laid out.

mod grants;

use super::Engine;
use super::event::{Deletion, Event};
use crate::api::answer::{Answer, Reply, Work, done, value};
use crate::api::types::{
    ApiError, AppAppended, AppDeleted, AppPage, AppRow, AppSession, AppState, Request,
};
use crate::session::problem::with_causes;
use crate::session::{Problem, ProblemCode, Remedy, SessionId, SessionKey, ToolId};
use crate::settings;
use crate::tools::apps::TOOL;
use crate::tools::apps::names::{self, AppKey, AppName, NameError};
use crate::tools::apps::shelf::{self, Quota, Shelf, ShelfError};
use grants::{Grants, TokenHash};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// Apps that ask at once. More are refused without a question to the user.
const MOST_ASKING: usize = 16;
const MB: u64 = 1 << 20;
/// Entries of one request.
const MOST_ENTRIES: usize = 10_000;

/// Who may use the store, and who asks.
pub struct Apps {
    shelf: Arc<Shelf>,
    /// The error is why no app is allowed.
    grants: Result<Grants, String>,
    /// The tokens with which apps ask since the start, by name. Two under one name are two programs.
    asking: BTreeMap<AppName, Vec<TokenHash>>,
}

impl Apps {
    pub fn at(home: &std::path::Path, data: &std::path::Path) -> Self {
        Self {
            shelf: Arc::new(Shelf::at(shelf::root(data))),
            grants: Grants::load(home).map_err(|error| error.to_string()),
            asking: BTreeMap::new(),
        }
    }

    fn grants(&mut self) -> Result<&mut Grants, ApiError> {
        self.grants.as_mut().map_err(|error| {
            ApiError::new(
                ProblemCode::AppsUnreadable,
                format!("apps.json cannot be read: {error}. No app is allowed until it can."),
                "Repair the file, or move it away and allow your apps again.",
            )
        })
    }
}

/// An allowed request: what it does to the files, its answer, and what the loop has to know.
type Act = Box<dyn FnOnce(&Arc<Shelf>, Reply) -> Event + Send>;

impl Engine {
    /// Whether the request is one of an app's.
    pub(super) fn is_of_app(request: &Request) -> bool {
        matches!(
            request,
            Request::AppAppend { .. }
                | Request::AppLoad { .. }
                | Request::AppList { .. }
                | Request::AppDelete { .. }
                | Request::AppSubkeys { .. }
        )
    }

    /// Answers an app beside the loop. What it changed is looked at at once.
    pub(super) fn answer_app(&mut self, request: Request, reply: Reply) {
        match self.allowed_act(request) {
            Err(error) => reply(Err(error)),
            Ok(act) => {
                let shelf = self.apps.shelf.clone();
                self.jobs
                    .spawn_for_event(Box::new(move || act(&shelf, reply)));
            }
        }
    }

    fn allowed_act(&mut self, request: Request) -> Result<Act, ApiError> {
        Ok(match request {
            Request::AppAppend {
                app,
                token,
                project,
                session,
                subpath,
                entries,
            } => {
                let (app, key) = (self.allowed(&app, &token)?, key(project, session, subpath)?);
                if MOST_ENTRIES < entries.len() {
                    return Err(too_many());
                }
                let quota = self.quota();
                Box::new(
                    move |shelf, reply| match shelf.append(&app, &key, &entries, quota) {
                        Err(error) => answered(reply, Err(refused(&error)), Vec::new()),
                        Ok((appended, path)) => {
                            let (added, known) = (appended.added, appended.known);
                            let changed = if added == 0 { Vec::new() } else { vec![path] };
                            answered(reply, value(AppAppended { added, known }), changed)
                        }
                    },
                )
            }
            Request::AppLoad {
                app,
                token,
                project,
                session,
                subpath,
                from,
            } => {
                let (app, key) = (self.allowed(&app, &token)?, key(project, session, subpath)?);
                reading(move |shelf| {
                    let page = shelf
                        .load(&app, &key, from.as_deref())
                        .map_err(|error| refused(&error))?;
                    value(page.map_or_else(AppPage::default, |page| AppPage {
                        entries: Some(page.entries),
                        next: page.next,
                    }))
                })
            }
            Request::AppList {
                app,
                token,
                project,
            } => {
                let app = self.allowed(&app, &token)?;
                names::checked("project", &project).map_err(|error| bad_name(&error))?;
                reading(move |shelf| {
                    let sessions = shelf
                        .list(&app, &project)
                        .map_err(|error| refused(&error))?;
                    let row = |one: shelf::Listing| AppSession {
                        session: one.session,
                        mtime: one.mtime_ms,
                    };
                    value(sessions.into_iter().map(row).collect::<Vec<_>>())
                })
            }
            Request::AppSubkeys {
                app,
                token,
                project,
                session,
            } => {
                let (app, key) = (self.allowed(&app, &token)?, key(project, session, None)?);
                reading(move |shelf| {
                    value(shelf.subkeys(&app, &key).map_err(|error| refused(&error))?)
                })
            }
            Request::AppDelete {
                app,
                token,
                project,
                session,
                subpath,
            } => {
                let (app, key) = (self.allowed(&app, &token)?, key(project, session, subpath)?);
                Box::new(move |shelf, reply| {
                    let id = shelf.id_for_deletion(&app, &key);
                    let shelf = shelf.clone();
                    let work = Box::new(move || match shelf.delete(&app, &key) {
                        Err(error) => answered(reply, Err(refused(&error)), Vec::new()),
                        Ok(changed) => {
                            let deleted = !changed.is_empty();
                            answered(reply, value(AppDeleted { deleted }), changed)
                        }
                    });
                    Event::AppDeletes(Box::new(Deletion { id, work }))
                })
            }
            _ => {
                return Err(ApiError::new(
                    ProblemCode::Internal,
                    "No app's request.",
                    "Please report it.",
                ));
            }
        })
    }

    /// What an app deletes on purpose has not vanished: no guard holds the store for it.
    pub(super) fn delete_for_app(&mut self, deletion: Deletion) {
        let tool = ToolId::new(TOOL);
        if let Some(id) = deletion.id {
            let key = SessionKey::new(&tool, &SessionId::new(id));
            self.context.change().here.remove(&key);
            self.seen.remove(&key);
        }
        self.jobs.spawn_for_event(deletion.work);
    }

    /// The app, if the user allowed it with this token. Otherwise it asks.
    fn allowed(&mut self, app: &str, token: &str) -> Result<AppName, ApiError> {
        let app = AppName::new(app).map_err(|error| bad_name(&error))?;
        let token = TokenHash::of(token).ok_or_else(|| {
            ApiError::new(
                ProblemCode::BadToken,
                "An app's token is 64 random hexadecimal digits.",
                "Make one once, for instance with openssl rand -hex 32, and keep it where only your app reads it.",
            )
        })?;
        match self.apps.grants()?.get(&app) {
            Some(grant) if grant.fits(&token) => return Ok(app),
            Some(grant) if !grant.is_allowed() => {
                return Err(ApiError::new(
                    ProblemCode::AppDenied,
                    format!("The user does not allow “{app}” to keep sessions here."),
                    format!("`roam apps remove {app}` takes that back; then it may ask again."),
                )
                .offer(Remedy::RemoveApp {
                    app: app.to_string(),
                }));
            }
            _ => {}
        }
        self.ask_for(&app, token)?;
        Err(ApiError::new(
            ProblemCode::AppNotAllowed,
            format!("“{app}” is not allowed to keep sessions here yet."),
            // An app shows its user this text and nothing else, so it names the command.
            format!("Allow it with `roam apps allow {app}`, then try again."),
        )
        .offer(Remedy::AllowApp {
            app: app.to_string(),
        }))
    }

    fn ask_for(&mut self, app: &AppName, token: TokenHash) -> Result<(), ApiError> {
        let asking = self.apps.asking.values().map(Vec::len).sum::<usize>();
        let tokens = self.apps.asking.entry(app.clone()).or_default();
        if !tokens.contains(&token) {
            if MOST_ASKING <= asking {
                self.apps.asking.retain(|_, tokens| !tokens.is_empty());
                return Err(ApiError::new(
                    ProblemCode::AppNotAllowed,
                    "Too many apps ask at once.",
                    "Decide about those that ask, then try again.",
                )
                .offer(Remedy::OpenApps));
            }
            tokens.push(token);
        }
        self.report_asking(app);
        Ok(())
    }

    fn report_asking(&mut self, app: &AppName) {
        let asking = self.apps.asking.get(app).map_or(0, Vec::len);
        let is_known = self
            .apps
            .grants()
            .is_ok_and(|grants| grants.get(app).is_some());
        let message = match (asking, is_known) {
            (0, _) => None,
            (1, false) => Some(format!("The app “{app}” asks to keep its sessions here.")),
            (1, true) => Some(format!(
                "An app that calls itself “{app}” asks with another token than the one that you allowed."
            )),
            (many, _) => Some(format!(
                "{many} programs ask to keep sessions here, each as “{app}”."
            )),
        };
        let problem = message.map(|message| {
            Problem::new(
                ProblemCode::AppAsks,
                message,
                "Allow it only if you started it.",
            )
            .offer(Remedy::AllowApp {
                app: app.to_string(),
            })
            .offer(Remedy::DenyApp {
                app: app.to_string(),
            })
        });
        self.set_problem(&format!("app {app}"), problem);
    }

    /// All apps that are allowed, asking or refused.
    pub(super) fn list_apps(&mut self) -> Result<Work, ApiError> {
        let mut rows: BTreeMap<AppName, AppRow> = BTreeMap::new();
        for (app, grant) in self.apps.grants()?.iter() {
            let state = if grant.is_allowed() {
                AppState::Allowed
            } else {
                AppState::Denied
            };
            let row = AppRow {
                app: app.to_string(),
                state,
                since: Some(grant.since.clone()),
                ..AppRow::default()
            };
            rows.insert(app.clone(), row);
        }
        for (app, tokens) in &self.apps.asking {
            let row = rows.entry(app.clone()).or_insert_with(|| AppRow {
                app: app.to_string(),
                state: AppState::Asking,
                ..AppRow::default()
            });
            row.asking = tokens.len() as u64;
        }
        let shelf = self.apps.shelf.clone();
        Ok(Box::new(move || {
            let measured = rows.into_iter().map(|(app, row)| {
                let usage = shelf.usage(&app);
                AppRow {
                    sessions: usage.sessions,
                    bytes: usage.bytes,
                    ..row
                }
            });
            value(measured.collect::<Vec<_>>())
        }))
    }

    /// Allows the app that asks under this name, if it is one.
    pub(super) fn allow_app(&mut self, app: &str) -> Answer {
        let app = AppName::new(app).map_err(|error| bad_name(&error))?;
        let token =
            match self.apps.asking.get(&app).map(Vec::as_slice) {
                Some([token]) => *token,
                Some([_, ..]) => {
                    return Err(ApiError::new(
                    ProblemCode::AmbiguousApp,
                    format!(
                        "More than one program asks as “{app}”, and which one you mean cannot be \
                         known."
                    ),
                    "Refuse it, remove that decision, then start only the one that you mean.",
                )
                .offer(Remedy::DenyApp { app: app.to_string() }));
                }
                _ => {
                    return Err(ApiError::new(
                        ProblemCode::UnknownApp,
                        format!("No app asks as “{app}”."),
                        "Start the app: its first request asks.",
                    )
                    .offer(Remedy::OpenApps));
                }
            };
        let now = self.context.clock.now().rfc3339();
        self.apps
            .grants()?
            .decide(&app, Some(&token), now)
            .map_err(|error| unsaved(&error))?;
        self.decided(&app);
        done(format!(
            "“{app}” keeps its sessions here now. It sees its own only."
        ))
    }

    pub(super) fn deny_app(&mut self, app: &str) -> Answer {
        let app = AppName::new(app).map_err(|error| bad_name(&error))?;
        let now = self.context.clock.now().rfc3339();
        self.apps
            .grants()?
            .decide(&app, None, now)
            .map_err(|error| unsaved(&error))?;
        self.decided(&app);
        done(format!("“{app}” is refused. What it kept before stays."))
    }

    /// Forgets the decision about an app.
    pub(super) fn remove_app(&mut self, app: &str) -> Answer {
        let app = AppName::new(app).map_err(|error| bad_name(&error))?;
        let is_known = self
            .apps
            .grants()?
            .remove(&app)
            .map_err(|error| unsaved(&error))?;
        let is_asking = self.apps.asking.contains_key(&app);
        self.decided(&app);
        match is_known || is_asking {
            true => done(format!("“{app}” has to ask again. Its sessions stay.")),
            false => Err(ApiError::new(
                ProblemCode::UnknownApp,
                format!("Nothing was decided about “{app}”."),
                "",
            )
            .offer(Remedy::OpenApps)),
        }
    }

    fn decided(&mut self, app: &AppName) {
        self.apps.asking.remove(app);
        self.set_problem(&format!("app {app}"), None);
    }

    fn quota(&self) -> Quota {
        let settings::Apps {
            max_mb,
            max_sessions,
            max_entry_mb,
        } = self.settings.apps;
        Quota {
            bytes: max_mb.saturating_mul(MB),
            sessions: max_sessions,
            entry: max_entry_mb.saturating_mul(MB),
        }
    }
}

fn reading(read: impl FnOnce(&Shelf) -> Answer + Send + 'static) -> Act {
    Box::new(move |shelf, reply| answered(reply, read(shelf), Vec::new()))
}

/// Answers the app, and has what changed looked at.
fn answered(reply: Reply, answer: Answer, changed: Vec<PathBuf>) -> Event {
    reply(answer);
    Event::Touched(changed)
}

fn key(project: String, session: String, subpath: Option<String>) -> Result<AppKey, ApiError> {
    AppKey::new(project, session, subpath).map_err(|error| bad_name(&error))
}

fn bad_name(error: &NameError) -> ApiError {
    ApiError::new(
        ProblemCode::BadName,
        format!("{error}."),
        "Choose another name.",
    )
}

fn too_many() -> ApiError {
    ApiError::new(
        ProblemCode::BadRequest,
        format!("A request has at most {MOST_ENTRIES} entries."),
        "Send them in several requests.",
    )
}

fn unsaved(error: &std::io::Error) -> ApiError {
    ApiError::new(
        ProblemCode::AppsUnwritable,
        format!("apps.json could not be written: {error}."),
        "Free up disk space or fix its permissions.",
    )
}

fn refused(error: &ShelfError) -> ApiError {
    let (code, hint) = match error {
        ShelfError::Entry { .. } => (
            ProblemCode::BadEntry,
            "Send each entry as the text of a JSON object.",
        ),
        ShelfError::EntrySize { .. } => (
            ProblemCode::AppQuota,
            "Divide it, or raise “max_entry_mb” in [apps] of config.toml.",
        ),
        ShelfError::Full { .. } => (
            ProblemCode::AppQuota,
            "Delete what it no longer needs, or raise “max_mb” in [apps] of config.toml.",
        ),
        ShelfError::Many { .. } => (
            ProblemCode::AppQuota,
            "Delete what it no longer needs, or raise “max_sessions” in [apps] of config.toml.",
        ),
        ShelfError::Stale => (
            ProblemCode::StalePage,
            "Load the session from its beginning.",
        ),
        ShelfError::Io { .. } => (
            ProblemCode::StoreFailed,
            "Free up disk space or fix its permissions; then try again.",
        ),
    };
    ApiError::new(code, with_causes(error), hint)
}
