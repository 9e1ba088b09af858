//! The user's projects: which there are, where each lies here, which of them stay on this device.

use super::Engine;
use super::code::{is_code_on, repository};
use super::event::{DirectorySeen, Event};
use super::stores::Occasion;
use crate::api::answer::{Answer, Reply, Work, done, is_listed, settings_error, value};
use crate::api::types::{ApiError, ProjectRow};
use crate::projects;
use crate::projects::places::Lesson;
use crate::reconcile::context::{Context, is_covered};
use crate::reconcile::record::SessionRecord;
use crate::session::{HistoryKind, ProblemCode, Project, ProjectKey, Reason, Remedy};
use crate::settings::Code;
use crate::state::{Happening, State, StateError};
use similar::TextDiff;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The prefixes of project keys.
const KINDS: [&str; 4] = ["git:", "root:", "home:", "device:"];
/// The most projects to suggest; the most similar ones to the given text.
const MOST_SUGGESTED: usize = 3;

impl Engine {
    /// The user's projects. The sessions are read and the disk is checked for their directories
    /// beside the loop.
    pub(super) fn projects(&self) -> Work {
        let (context, code) = (self.context.clone(), self.settings.code.clone());
        let state = self.state.path().to_owned();
        Box::new(move || {
            let rows = project_rows(&State::beside(&state)?, &context, &code)?;
            let (home, device) = (&context.machine.home, &context.device);
            let places = context.places();
            let placed = |(mut row, project): (ProjectRow, Option<Project>)| {
                if let Some(project) = project {
                    row.places = places.of(&project.key);
                    row.places.extend(places.find(home, device, &project));
                    row.places.sort();
                    row.places.dedup();
                }
                row
            };
            value(rows.into_iter().map(placed).collect::<Vec<_>>())
        })
    }

    /// Asks the disk about a directory beside the loop: it may be on a mount that does not answer.
    pub(super) fn see_directory(&mut self, said: String, dir: PathBuf, reply: Reply) {
        let context = self.context.clone();
        self.jobs.spawn_for_event(Box::new(move || {
            let is_there = dir.is_absolute() && dir.is_dir();
            let seen = DirectorySeen {
                remote: is_there.then(|| remote_of(&context, &dir)).flatten(),
                has_inside: is_there && has_inside(&dir, &said),
                said,
                dir,
                is_there,
            };
            Event::DirectorySeen(Box::new(seen), reply)
        }));
    }

    /// Sets a project's directory on this device; its sessions that wait for a place, or were
    /// written elsewhere, move there.
    pub(super) fn map(&mut self, seen: &DirectorySeen) -> Answer {
        let dir = seen.dir.as_path();
        if !seen.is_there {
            return Err(ApiError::new(
                ProblemCode::NoSuchDirectory,
                format!("{} is not a directory on this device.", dir.display()),
                "Give the folder of the checkout.",
            ));
        }
        let key = self.meant_project(&seen.said, Some(seen))?;
        let other = seen.remote.as_ref().filter(|remote| {
            let repository = key.as_str().split('#').next().unwrap_or_default();
            !repository.starts_with("git:") || repository != remote.as_str()
        });
        let text = key.to_string();
        self.settings = crate::settings::change(&self.home, |document| {
            document["projects"]["map"][&text] =
                toml_edit::value(dir.to_string_lossy().into_owned());
        })
        .map_err(settings_error)?;
        self.place(&key, dir.to_path_buf())?;
        self.retry_everywhere(&[Reason::NoPlace, Reason::PlaceRefused]);
        self.schedule_project(&key)?;
        self.check_places()?;
        let but = other.map(|remote| {
            let remote = remote.trim_start_matches("git:");
            format!(" It is a checkout of {remote}; sessions of {key} are written there because you say so.")
        });
        done(format!(
            "{key} is in {} on this device.{}",
            dir.display(),
            but.unwrap_or_default()
        ))
    }

    /// Keeps a project's sessions on this device, or lets them sync again, even before there are
    /// any.
    pub(super) fn exclude(&mut self, said: &str, excluded: bool) -> Answer {
        let key = self.excluded_as(said)?;
        let mut keys = self.settings.projects.exclude.clone();
        keys.retain(|known| projects::typed_key(known) != key);
        let mut along = Vec::new();
        let rows = project_rows(&self.state, &self.context, &self.settings.code)?;
        if excluded {
            keys.push(key.to_string());
        } else {
            // Other names of the same checkouts, which were added when its remote was changed.
            let names = self.context.places().other_names(&key);
            let is_other = |known: &mut String| names.contains(&projects::typed_key(known));
            along = keys.extract_if(.., is_other).collect();
            if let Some(by) = self.still_excluded(&key, &keys, &rows) {
                return Err(by);
            }
        }
        self.set_excluded(&keys)?;
        self.seen.clear();
        self.publish_presence();
        self.list_all(Occasion::Change);
        self.retry_everywhere(&[Reason::Excluded]);
        done(match excluded {
            true => self.no_longer_leaves(&key, rows),
            false => included(&key, &along),
        })
    }

    fn set_excluded(&mut self, keys: &[String]) -> Result<(), ApiError> {
        let array: toml_edit::Array = keys.iter().map(String::as_str).collect();
        self.settings = crate::settings::change(&self.home, |document| {
            document["projects"]["exclude"] = toml_edit::value(array)
        })
        .map_err(settings_error)?;
        self.context.change().excluded = keys.iter().map(|key| projects::typed_key(key)).collect();
        Ok(())
    }

    /// The checkout of an excluded repository has another remote now: that is excluded, too, for
    /// every other clone of it and for the time after this device's state was lost.
    pub(super) fn exclude_renamed(&mut self, lesson: &Lesson) {
        let mut was = lesson.formerly(&self.context.places()).into_iter();
        let (by, is_known) = {
            let shared = self.context.shared();
            let by = was.find_map(|key| shared.exclusion(&Project::new(key)).cloned());
            (by, shared.is_excluded(&lesson.project))
        };
        let (Some(by), false) = (by, is_known) else {
            return;
        };
        let key = match by.as_str().split_once('#') {
            Some(_) => lesson.project.key.as_str(),
            None => repository(lesson.project.key.as_str()),
        };
        // What already syncs from elsewhere goes on: of this checkout, the directory is remembered.
        if self.state.has_project(key).unwrap_or_default() {
            return;
        }
        let mut keys = self.settings.projects.exclude.clone();
        keys.push(key.to_owned());
        // Where the settings cannot be written, the directory is remembered all the same.
        drop(self.set_excluded(&keys));
        let told = self.state.add_history(&Happening {
            at: self.context.clock.now(),
            device: self.context.short.clone(),
            kind: HistoryKind::Excluded,
            doc: key.to_owned(),
            ..Happening::default()
        });
        // The list of projects shows the exclusion, too.
        drop(told);
    }

    fn no_longer_leaves(
        &self,
        key: &ProjectKey,
        rows: Vec<(ProjectRow, Option<Project>)>,
    ) -> String {
        let is_of = |(row, project): &(ProjectRow, Option<Project>)| match project {
            Some(project) => is_covered(project, key),
            None => is_covered(&Project::new(ProjectKey::new(row.key.as_str())), key),
        };
        let mut message = format!(
            "Sessions of {key} no longer leave this device. Copies on other devices stay there."
        );
        if !rows.iter().any(is_of) && !self.context.places().is_known(key) {
            let names = |(row, _): (ProjectRow, _)| (row.key, row.names.into_iter().collect());
            let like = suggested(key.as_str(), &rows.into_iter().map(names).collect());
            message += " No session of it is known yet.";
            message += &like.map_or_else(String::new, |like| format!(" {like}"));
        }
        message
    }

    /// What is a part of something excluded, or another name of it, stays excluded.
    fn still_excluded(
        &self,
        key: &ProjectKey,
        excluded: &[String],
        rows: &[(ProjectRow, Option<Project>)],
    ) -> Option<ApiError> {
        let mut known = rows.iter().filter(|(row, _)| row.key == key.as_str());
        let project = known.find_map(|(_, project)| project.clone());
        let mut names = vec![project.unwrap_or_else(|| Project::new(key.clone()))];
        let places = self.context.places();
        names.extend(places.other_names(key).into_iter().map(Project::new));
        let mut excluded = excluded.iter().map(|key| projects::typed_key(key));
        let by = excluded.find(|by| names.iter().any(|name| is_covered(name, by)))?;
        let error = ApiError::new(
            ProblemCode::NotCarried,
            format!("{key} still stays on this device, because {by} is excluded."),
            format!("Include {by} first, if all of it may sync."),
        );
        Some(error.offer(Remedy::IncludeProject {
            project: by.to_string(),
        }))
    }

    /// The key of a project to exclude, which may be one that nobody knows yet.
    fn excluded_as(&self, said: &str) -> Result<ProjectKey, ApiError> {
        let is_scp = said
            .split_once(':')
            .is_some_and(|(user, _)| user.contains('@') && !user.contains('/'));
        let is_url = is_scp || said.contains("://");
        let by_url = is_url.then(|| projects::meant(said));
        if let Some(remote) = by_url.flatten() {
            return Ok(ProjectKey::new(format!("git:{remote}")));
        }
        let known = &self.settings.projects.exclude;
        let is_key = KINDS.iter().any(|kind| said.starts_with(kind));
        match is_key || known.iter().any(|known| known == said) {
            true => Ok(projects::typed_key(said)),
            false => self.meant_project(said, None),
        }
    }

    /// The project that the user means: by its key, the URL of its repository, one of its names,
    /// or, if the text is empty, the directory's own remote.
    pub(super) fn meant_project(
        &self,
        said: &str,
        seen: Option<&DirectorySeen>,
    ) -> Result<ProjectKey, ApiError> {
        let own = seen.and_then(|seen| seen.remote.clone());
        let known = self.project_names()?;
        if said.is_empty() {
            return own.map(ProjectKey::new).ok_or_else(|| {
                let dir = seen.map_or_else(|| Path::new(""), |seen| &seen.dir);
                let message = format!(
                    "{} has no remote by which its project is recognised.",
                    dir.display()
                );
                unknown(ProblemCode::NoRemote, message, "", &known)
            });
        }
        let repository = |key: &str| key.split('#').next().unwrap_or_default().to_owned();
        let is_key = KINDS.iter().any(|kind| said.starts_with(kind));
        let typed = is_key.then(|| projects::typed_key(said).to_string());
        let by_url = projects::meant(said).map(|remote| format!("git:{remote}"));
        for key in [Some(said.to_owned()), typed, by_url].into_iter().flatten() {
            let is_inside = key.contains('#');
            let is_known = known.keys().any(|other| {
                let rest = other.strip_prefix(key.as_str());
                rest.is_some_and(|rest| rest.is_empty() || is_inside && rest.starts_with('/'))
            });
            // A directory inside that no session has must exist.
            let is_there = !is_inside || seen.is_none_or(|seen| seen.has_inside);
            let mut repositories = known.keys().chain(&own);
            let is_of_known = repositories.any(|other| repository(other) == repository(&key));
            if is_known || is_there && is_of_known {
                return Ok(ProjectKey::new(key));
            }
        }
        let lower = said.to_lowercase();
        let named =
            |names: &BTreeSet<String>| names.iter().any(|name| name.to_lowercase() == lower);
        let found: Vec<&String> = known
            .iter()
            .filter(|(_, names)| named(names))
            .map(|(key, _)| key)
            .collect();
        match found.as_slice() {
            [] => Err(unknown(
                ProblemCode::NoSuchProject,
                format!("No project is called {said}."),
                said,
                &known,
            )),
            [key] => Ok(ProjectKey::new(key.as_str())),
            several => Err(ApiError::new(
                ProblemCode::Ambiguous,
                format!("{} projects are called {said}.", several.len()),
                format!(
                    "Say which: {}.",
                    listed(several.iter().map(|key| key.as_str()))
                ),
            )),
        }
    }

    /// Every known key with its names, which include the last parts of the key.
    fn project_names(&self) -> Result<BTreeMap<String, BTreeSet<String>>, ApiError> {
        let mut known: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (row, _) in project_rows(&self.state, &self.context, &self.settings.code)? {
            known.entry(row.key).or_default().extend(row.names);
        }
        for key in self
            .settings
            .projects
            .map
            .keys()
            .chain(&self.settings.projects.exclude)
        {
            known.entry(key.clone()).or_default();
        }
        for (key, names) in &mut known {
            let path = key.split_once(':').map_or(key.as_str(), |(_, path)| path);
            let (path, sub) = path.split_once('#').unwrap_or((path, ""));
            let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
            for from in parts.len().saturating_sub(3)..parts.len() {
                let name = parts[from..].join("/");
                names.insert(if sub.is_empty() {
                    name
                } else {
                    format!("{name}/{sub}")
                });
            }
        }
        Ok(known)
    }
}

/// Says that a project syncs again, with the other names of it that are no longer excluded either.
fn included(key: &ProjectKey, along: &[String]) -> String {
    match along {
        [] => format!("Sessions of {key} sync."),
        [one] => format!("Sessions of {key} sync, and of {one}, another name of its checkout."),
        several => format!(
            "Sessions of {key} sync, and of {}, other names of its checkouts.",
            several.join(", ")
        ),
    }
}

/// The projects without their places, each as its first session has it.
fn project_rows(
    state: &State,
    context: &Context,
    code: &Code,
) -> Result<Vec<(ProjectRow, Option<Project>)>, StateError> {
    let mut rows: BTreeMap<String, (ProjectRow, Option<Project>)> = BTreeMap::new();
    // Sessions that arrive without a card yet, and parts of others, are in no list.
    let parts = state.parts()?;
    let listed = state.rows(None)?.into_iter();
    let listed = listed.filter(|(key, row)| is_listed(row) && !parts.contains(&key.to_string()));
    for (key, row) in listed {
        let project = ProjectKey::new(row.project.clone());
        let new = || ProjectRow {
            key: row.project.clone(),
            names: Vec::new(),
            places: Vec::new(),
            sessions: 0,
            excluded: false,
            excluded_by: None,
            tools: Vec::new(),
            code: is_code_on(code, &project),
        };
        let (entry, known) = rows
            .entry(row.project.clone())
            .or_insert_with(|| (new(), None));
        entry.sessions += 1;
        if !entry.tools.contains(&key.tool.to_string()) {
            entry.tools.push(key.tool.to_string());
        }
        if entry.names.is_empty() {
            let record: Option<SessionRecord> = state.record(&key)?;
            if let Some(card) = record.as_ref().and_then(SessionRecord::origin) {
                entry.names = card.project.names.clone();
                *known = Some(card.project.clone());
            }
        }
    }
    for (row, known) in rows.values_mut() {
        let shared = context.shared();
        let own = Project::new(ProjectKey::new(row.key.as_str()));
        let by = shared.exclusion(&own);
        let by = by.or_else(|| shared.exclusion(known.as_ref()?)).cloned();
        row.excluded = by.is_some();
        row.excluded_by = by.map(|by| by.to_string()).filter(|by| *by != row.key);
    }
    Ok(rows.into_values().collect())
}

/// The key of the repository that a directory is a checkout of, if it has a remote.
fn remote_of(context: &Context, dir: &Path) -> Option<String> {
    let project = projects::identify(&context.machine.home, &context.device, dir);
    let repository = project.key.as_str().split('#').next()?;
    repository
        .starts_with("git:")
        .then(|| repository.to_owned())
}

/// Whether the checkout around a directory has the one that a key names inside.
fn has_inside(dir: &Path, key: &str) -> bool {
    let Some((_, sub)) = key.split_once('#') else {
        return false;
    };
    let around = projects::checkout::around(dir);
    around.is_some_and(|(checkout, _)| {
        projects::paths::stays_below(sub) && checkout.work_tree.join(sub).is_dir()
    })
}

/// The error if no project fits, with the most similar ones.
fn unknown(
    code: ProblemCode,
    message: String,
    said: &str,
    known: &BTreeMap<String, BTreeSet<String>>,
) -> ApiError {
    let hint = suggested(said, known).unwrap_or_default();
    ApiError::new(code, message, hint).offer(Remedy::OpenProjects)
}

/// A question about the most similar projects.
fn suggested(said: &str, known: &BTreeMap<String, BTreeSet<String>>) -> Option<String> {
    let likeness = |key: &str, names: &BTreeSet<String>| {
        let all = names.iter().map(String::as_str).chain([key]);
        let ratios =
            all.map(|name| TextDiff::from_chars(said.to_lowercase(), name.to_lowercase()).ratio());
        ratios.fold(0.0_f32, f32::max)
    };
    let mut rated: Vec<(f32, &str)> = known
        .iter()
        .map(|(key, names)| (likeness(key, names), key.as_str()))
        .collect();
    rated.retain(|(ratio, _)| said.is_empty() || 0.5 < *ratio);
    rated.sort_by(|(one, key), (other, than)| other.total_cmp(one).then_with(|| key.cmp(than)));
    let likest = rated.iter().map(|(_, key)| *key).take(MOST_SUGGESTED);
    (!rated.is_empty()).then(|| format!("Did you mean {}?", listed(likest)))
}

fn listed<'a>(keys: impl Iterator<Item = &'a str>) -> String {
    keys.map(|key| format!("“{key}”"))
        .collect::<Vec<_>>()
        .join(", ")
}
