//! Tools with several stores: the known stores, saved independently of the engine's environment and
//! switched on and off one by one. A session in a store that is off or absent is not deleted.

use super::Engine;
use super::event::Event;
use super::stores::Occasion;
use crate::adapter::Moved;
use crate::api::answer::{Answer, done};

use crate::api::types::ApiError;
use crate::projects::places::expand;
use crate::session::{Problem, ProblemCode, Reason, Remedy, SessionKey, ToolId};
use crate::state::StateError;
use crate::tools::Tool;
use crate::tools::seek::{Sought, seek};
use crate::tools::stores::{StoreAt, Whereabouts};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

/// The most stores of one tool, more than anybody keeps. Beyond that, missing stores make room; a
/// store without room is reported.
const MOST: usize = 32;
const NOTE: &str = "stores";

/// A store that was used or found once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    pub dir: PathBuf,
    /// How it was found, in words.
    pub from: String,
}

pub type Remembered = BTreeMap<ToolId, Vec<Known>>;

impl Engine {
    /// Loads the saved stores, then adds those of this environment, then those found by a search.
    pub(super) fn remember_stores(&mut self) -> Result<(), StateError> {
        self.known_stores = self.state.note(NOTE)?.unwrap_or_default();
        let machine = self.context.machine.clone();
        for (id, stores) in &self.context.stores.clone() {
            for dir in stores.said_by(&machine) {
                self.know(id, dir, "this environment");
            }
            let named = self
                .settings
                .tools
                .get(id.as_str())
                .map(|tool| tool.stores.clone())
                .unwrap_or_default();
            for dir in named {
                self.know(id, expand(&machine.home, &dir), "config.toml");
            }
        }
        let all = self.moved();
        let found = seek(
            &machine,
            &all.iter().map(|(_, moved)| *moved).collect::<Vec<_>>(),
        );
        for ((id, _), found) in all.iter().zip(found) {
            found
                .into_iter()
                .for_each(|sought| self.know(id, sought.dir, &sought.from));
        }
        self.use_stores().map(drop)
    }

    fn moved(&self) -> Vec<(ToolId, Moved)> {
        self.context
            .stores
            .iter()
            .map(|(id, stores)| (id.clone(), stores.moved()))
            .collect()
    }

    fn know(&mut self, tool: &ToolId, dir: PathBuf, from: &str) {
        let known = self.known_stores.entry(tool.clone()).or_default();
        if known.iter().any(|known| known.dir == dir) {
            return;
        }
        let is_full = |known: &[Known]| MOST <= known.len();
        if is_full(known) {
            self.drop_dead_stores(tool);
        }
        let known = self.known_stores.entry(tool.clone()).or_default();
        let refused = is_full(known).then(|| dir.clone());
        if refused.is_none() {
            known.push(Known {
                dir,
                from: from.into(),
            });
        }
        let topic = format!("stores full {tool}");
        let problem = refused.map(|dir| {
            let message = format!("{} is not read: {MOST} stores of {tool} are known already.", dir.display());
            let hint = "Remove the directories of stores that you do not use any more; their places become free.";
            Problem::new(ProblemCode::StoresFull, message, hint)
        });
        self.set_problem(&topic, problem);
    }

    /// Makes room: forgets stores that are gone, hold no session and were neither named nor
    /// switched by anybody. Programs that make a store for a moment leave many.
    fn drop_dead_stores(&mut self, tool: &ToolId) {
        let Some(stores) = self.context.stores.get(tool).cloned() else {
            return;
        };
        let (moved, machine) = (stores.moved(), self.context.machine.clone());
        let set = self
            .settings
            .tools
            .get(tool.as_str())
            .cloned()
            .unwrap_or_default();
        let mut named: BTreeSet<PathBuf> = set
            .off
            .iter()
            .chain(&set.stores)
            .map(|dir| expand(&machine.home, dir))
            .collect();
        named.extend(stores.said_by(&machine));
        named.insert(moved.usual_in(&machine.home));
        let known = self.known_stores.get(tool).cloned().unwrap_or_default();
        let dead = known.into_iter().map(|known| known.dir);
        let dead: Vec<PathBuf> = dead
            .filter(|dir| !named.contains(dir) && !moved.is_store(dir))
            .collect();
        // Finding which of them hold sessions reads all of the tool's sessions: once, until others
        // are dead.
        if dead.is_empty() || self.dead_stores.get(tool) == Some(&dead) {
            return;
        }
        let Ok(rows) = self.state.rows(Some(tool.as_str())) else {
            return;
        };
        let holds = |dir: &Path| {
            rows.iter()
                .any(|(_, row)| row.path.as_ref().is_some_and(|path| path.starts_with(dir)))
        };
        let (held, empty): (Vec<PathBuf>, Vec<PathBuf>) =
            dead.into_iter().partition(|dir| holds(dir));
        // The stores found first go first; half of the places are enough room for a while.
        let gone: BTreeSet<PathBuf> = empty.into_iter().take(MOST / 2).collect();
        self.dead_stores.insert(tool.clone(), held);
        self.known_stores
            .entry(tool.clone())
            .or_default()
            .retain(|known| !gone.contains(&known.dir));
    }

    /// Has the adapters use the known stores; returns the tools for which that changed anything.
    fn use_stores(&mut self) -> Result<Vec<ToolId>, StateError> {
        let machine = self.context.machine.clone();
        let mut changed = Vec::new();
        for (id, stores) in &self.context.stores.clone() {
            let off = self.stores_off(id);
            let known = self.known_stores.get(id).cloned().unwrap_or_default();
            let usual = stores.moved().usual_in(&machine.home);
            // The usual directory counts as a store once something is in it, or if there is no
            // other.
            let is_one = |known: &Known| known.dir != usual || stores.moved().is_store(&usual);
            let mut used: Vec<Known> = known
                .iter()
                .filter(|known| is_one(known))
                .cloned()
                .collect();
            if used.is_empty() {
                used = known;
            }
            let used = used
                .into_iter()
                .map(|known| StoreAt {
                    on: !off.contains(&known.dir),
                    dir: known.dir,
                })
                .collect();
            if stores.set(&machine, used) {
                changed.push(id.clone());
            }
        }
        if self.state.note::<Remembered>(NOTE)?.unwrap_or_default() != self.known_stores {
            self.state.put_note(NOTE, &self.known_stores)?;
        }
        Ok(changed)
    }

    fn stores_off(&self, tool: &ToolId) -> BTreeSet<PathBuf> {
        let off = self
            .settings
            .tools
            .get(tool.as_str())
            .map(|tool| tool.off.clone())
            .unwrap_or_default();
        off.iter()
            .map(|dir| expand(&self.context.machine.home, dir))
            .collect()
    }

    /// Searches for stores beside the loop.
    pub(super) fn seek_stores(&mut self) {
        let (machine, all) = (self.context.machine.clone(), self.moved());
        self.jobs.spawn_for_event(Box::new(move || {
            let found = seek(
                &machine,
                &all.iter().map(|(_, moved)| *moved).collect::<Vec<_>>(),
            );
            Event::StoresFound(all.into_iter().map(|(id, _)| id).zip(found).collect())
        }));
    }

    pub(super) fn stores_found(
        &mut self,
        found: BTreeMap<ToolId, Vec<Sought>>,
    ) -> Result<(), StateError> {
        for (id, found) in found {
            self.set_problem(&format!("stores full {id}"), None);
            found
                .into_iter()
                .for_each(|sought| self.know(&id, sought.dir, &sought.from));
        }
        self.list_changed_stores()
    }

    fn list_changed_stores(&mut self) -> Result<(), StateError> {
        let off = self.context.shared().tools_off.clone();
        let changed = self.use_stores()?;
        let on = changed.iter().filter(|id| !off.contains(*id));
        on.for_each(|id| self.list(id, Occasion::Change));
        Ok(())
    }

    /// Adds the stores that the variables of the requester's shell name: those are in use.
    pub(super) fn said_stores(&mut self, vars: &BTreeMap<String, String>) -> Answer {
        for (id, moved) in self.moved() {
            let dir = vars
                .get(moved.var)
                .map(|dir| PathBuf::from(dir.trim()))
                .filter(|dir| dir.is_absolute());
            if let Some(dir) = dir.filter(|dir| moved.is_store(dir)) {
                self.know(&id, dir, "your shell");
            }
        }
        self.list_changed_stores()?;
        done("The stores are known.")
    }

    /// Switches one store of a tool. A store not seen before becomes known.
    pub(super) fn switch_store(&mut self, tool: &str, dir: &Path, on: bool) -> Answer {
        let id = ToolId::new(tool);
        let Some(stores) = self.context.stores.get(&id).cloned() else {
            let many: Vec<&str> = self.context.stores.keys().map(ToolId::as_str).collect();
            let message = format!("“{tool}” is not a tool with several stores.");
            return Err(ApiError::new(
                ProblemCode::UnknownTool,
                message,
                format!("One of: {}.", many.join(", ")),
            ));
        };
        let dir = expand(&self.context.machine.home, dir);
        let is_known = self
            .known_stores
            .get(&id)
            .is_some_and(|known| known.iter().any(|known| known.dir == dir));
        if !is_known && !stores.moved().is_store(&dir) {
            let known = stores.stores();
            let known: Vec<String> = known
                .iter()
                .map(|store| store.dir.display().to_string())
                .collect();
            let name = stores.about().name;
            return Err(ApiError::new(
                ProblemCode::NoSuchDirectory,
                format!("{} is not a store of {name} on this device.", dir.display()),
                format!("Known stores: {}.", known.join(", ")),
            ));
        }
        let text = dir.to_string_lossy().into_owned();
        let home = self.context.machine.home.clone();
        let list = |old: &[PathBuf], add: bool| {
            let others = old.iter().filter(|known| expand(&home, known) != dir);
            let mut all: Vec<String> = others
                .map(|known| known.to_string_lossy().into_owned())
                .collect();
            all.extend(add.then(|| text.clone()));
            all.iter().map(String::as_str).collect::<toml_edit::Array>()
        };
        let old = self.settings.tools.get(tool).cloned().unwrap_or_default();
        let (off, named) = (
            list(&old.off, !on),
            (!is_known).then(|| list(&old.stores, true)),
        );
        self.settings = crate::settings::change(&self.home, |document| {
            document["tools"][tool]["off"] = toml_edit::value(off);
            if let Some(named) = named {
                document["tools"][tool]["stores"] = toml_edit::value(named);
            }
        })
        .map_err(crate::api::answer::settings_error)?;
        self.know(&id, dir.clone(), "config.toml");
        self.use_stores()?;
        if on {
            self.seen.forget_tool(&id);
            self.retry(&id, Reason::StoreOff);
        }
        if !self.context.shared().tools_off.contains(&id) {
            self.list(&id, Occasion::Change);
        }
        done(match on {
            true => format!("The sessions in {} sync.", dir.display()),
            false => {
                format!(
                    "The sessions in {} no longer sync. What is in the vault stays there.",
                    dir.display()
                )
            }
        })
    }

    /// Sorts sessions that a listing lacks: those of a used store are gone; others are in an
    /// unknown state.
    pub(super) fn really_vanished(
        &mut self,
        tool: &ToolId,
        missing: BTreeSet<SessionKey>,
    ) -> Result<BTreeSet<SessionKey>, StateError> {
        if !self.context.stores.contains_key(tool) {
            return Ok(missing);
        }
        let (mut vanished, mut away) = (BTreeSet::new(), BTreeMap::<PathBuf, u64>::new());
        let mut learnt = false;
        // A store that is away is listed repeatedly: each session and each directory is read only
        // once.
        self.missing_paths
            .retain(|key, _| key.tool != *tool || missing.contains(key));
        let mut places: HashMap<PathBuf, Whereabouts> = HashMap::new();
        for key in missing {
            let path = match self.missing_paths.get(&key) {
                Some(path) => path.clone(),
                None => {
                    let path = self.state.row(&key)?.and_then(|row| row.path);
                    self.missing_paths.insert(key.clone(), path.clone());
                    path
                }
            };
            let Some(path) = path else {
                vanished.insert(key);
                continue;
            };
            let dir = path.parent().unwrap_or(&path).to_path_buf();
            let ask = || self.context.whereabouts(tool, &path);
            match places.entry(dir).or_insert_with(ask).clone() {
                Whereabouts::Off(_) => {}
                Whereabouts::Gone(dir) if self.context.stores[tool].stores().len() > 1 => {
                    *away.entry(dir).or_default() += 1
                }
                Whereabouts::Used | Whereabouts::Gone(_) => {
                    vanished.insert(key);
                }
                // Recorded from a store that this environment does not name: an older version knew
                // one at a time.
                Whereabouts::Unknown => match self.store_above(tool, &path) {
                    Some(dir) => {
                        let before = self.known_stores.get(tool).map_or(0, Vec::len);
                        self.know(tool, dir, "sessions recorded from it");
                        learnt |= before < self.known_stores.get(tool).map_or(0, Vec::len);
                    }
                    None => {
                        *away
                            .entry(path.parent().unwrap_or(&path).to_path_buf())
                            .or_default() += 1
                    }
                },
            }
        }
        let problem =
            away.iter().next().map(|(dir, sessions)| {
                let others = if away.len() > 1 {
                    " The same is true of other directories."
                } else {
                    ""
                };
                Problem::new(
                ProblemCode::StoreGone,
                format!(
                    "{} was not found, with {sessions} sessions that were recorded from it. They \
                     do not count as deleted.{others}",
                    dir.display()
                ),
                "Restore the directory, or switch the store off.",
            )
            .offer(Remedy::SwitchStoreOff { tool: tool.to_string(), dir: dir.clone() })
            });
        self.set_problem(&format!("stores {tool}"), problem);
        if learnt {
            self.use_stores()?;
            self.seek_stores();
        }
        Ok(vanished)
    }

    fn store_above(&self, tool: &ToolId, path: &Path) -> Option<PathBuf> {
        let moved = self.context.stores.get(tool)?.moved();
        let above = path
            .ancestors()
            .skip(1)
            .filter(|dir| *dir != self.context.machine.home);
        above
            .take(12)
            .find(|dir| moved.is_store(dir))
            .map(Path::to_path_buf)
    }
}
