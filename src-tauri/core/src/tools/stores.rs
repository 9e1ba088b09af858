//! All stores of one tool, presented as one. Most tools let a variable move their store, and people
//! use it to keep two stores (work and private, a trial). Each store is the tool's adapter on a
//! machine whose variable points to that store.
//!
//! Each adapter declares its variable and the marks of a store ([`Tool::moved`]). Stores are found
//! in `tools/seek.rs`. Knows no engine: the stores and their switches are set from outside.

use super::{
    About, Checkout, Found, Launch, Listing, Machine, Reading, Resumable, Root, Tool, Touched,
    Twin, Watermark, Which, WriteError, Written,
};
use crate::adapter::Moved;
use crate::session::{DocName, Problem, ProblemCode, Remedy, SessionId};
use std::collections::{BTreeSet, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

/// A directory that is one of a tool's stores.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreAt {
    pub dir: PathBuf,
    pub on: bool,
}

struct Placed {
    store: StoreAt,
    machine: Machine,
    roots: Vec<PathBuf>,
}

impl Placed {
    fn holds(&self, path: &Path) -> bool {
        self.roots.iter().any(|root| path.starts_with(root))
    }

    /// A mount point without its disk is empty; a store in which no tool ran yet has no roots, but the
    /// user's settings, say.
    fn is_there(&self) -> bool {
        let mut entries = std::fs::read_dir(&self.store.dir).into_iter().flatten();
        self.roots.iter().any(|root| root.exists()) || entries.next().is_some()
    }
}

/// What a session that is in no store belongs to: it is written into the same store.
#[derive(Clone, Debug, Default)]
pub struct Near {
    /// Where its main doc was last.
    pub path: Option<PathBuf>,
    /// Sessions that it continues or needs, the more important first.
    pub sessions: Vec<SessionId>,
}

/// The place of a path among a tool's stores.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whereabouts {
    /// In a store that is in use and exists.
    Used,
    /// In a store that is switched off.
    Off(PathBuf),
    /// In a store whose directory does not exist.
    Gone(PathBuf),
    /// In no known store.
    Unknown,
}

/// A tool with all of its stores.
pub struct Everywhere {
    tool: Arc<dyn Tool>,
    moved: Moved,
    placed: RwLock<Arc<Vec<Placed>>>,
}

impl Everywhere {
    /// The tool with the store in this machine's variables, and the usual store if it exists.
    pub fn new(tool: Arc<dyn Tool>, moved: Moved, machine: &Machine) -> Self {
        let this = Self {
            tool,
            moved,
            placed: RwLock::default(),
        };
        let dirs = this
            .said_by(machine)
            .into_iter()
            .map(|dir| StoreAt { dir, on: true })
            .collect();
        this.set(machine, dirs);
        this
    }

    pub fn moved(&self) -> Moved {
        self.moved
    }

    /// The stores according to the machine's own variables. New sessions go to the first.
    pub fn said_by(&self, machine: &Machine) -> Vec<PathBuf> {
        let usual = self.moved.usual_in(&machine.home);
        let set = machine
            .var(self.moved.var)
            .map(str::trim)
            .map(PathBuf::from)
            .filter(|dir| dir.is_absolute());
        match set {
            Some(dir) if dir == usual || !self.moved.is_store(&usual) => vec![dir],
            Some(dir) => vec![dir, usual],
            None => vec![usual],
        }
    }

    /// Uses these stores from now on, and returns whether anything changed. A directory is left out
    /// if it is already in the list under another name, or because another variable decides.
    pub fn set(&self, machine: &Machine, stores: Vec<StoreAt>) -> bool {
        let usual = self.moved.usual_in(&machine.home);
        let mut taken = BTreeSet::new();
        let mut placed: Vec<Placed> = Vec::new();
        for store in stores {
            let mut machine = machine.clone();
            let named = machine.var(self.moved.var).map(PathBuf::from) == Some(store.dir.clone());
            match store.dir == usual && !named {
                true => drop(machine.vars.remove(self.moved.var)),
                false => {
                    machine.vars.insert(
                        self.moved.var.into(),
                        store.dir.to_string_lossy().into_owned(),
                    );
                }
            }
            let roots: Vec<PathBuf> = self
                .tool
                .roots(&machine)
                .into_iter()
                .map(|root| root.path)
                .collect();
            let real = roots
                .first()
                .map(|root| std::fs::canonicalize(root).unwrap_or_else(|_| root.clone()));
            if taken.insert(real.clone()) {
                placed.push(Placed {
                    store,
                    machine,
                    roots,
                });
            }
        }
        let mut known = self.placed.write().unwrap_or_else(PoisonError::into_inner);
        let stores = |placed: &[Placed]| {
            placed
                .iter()
                .map(|placed| placed.store.clone())
                .collect::<Vec<_>>()
        };
        let changed = stores(&known) != stores(&placed);
        *known = Arc::new(placed);
        changed
    }

    pub fn stores(&self) -> Vec<StoreAt> {
        self.placed()
            .iter()
            .map(|placed| placed.store.clone())
            .collect()
    }

    /// One store as a separate machine, so that it can be listed alone.
    pub fn alone(&self, dir: &Path) -> Option<Machine> {
        self.placed()
            .iter()
            .find(|placed| placed.store.dir == dir)
            .map(|placed| placed.machine.clone())
    }

    pub fn tool(&self) -> &Arc<dyn Tool> {
        &self.tool
    }

    pub fn whereabouts(&self, path: &Path) -> Whereabouts {
        let placed = self.placed();
        let Some(placed) = placed.iter().find(|placed| placed.holds(path)) else {
            return Whereabouts::Unknown;
        };
        match (placed.store.on, placed.is_there()) {
            (false, _) => Whereabouts::Off(placed.store.dir.clone()),
            (true, false) => Whereabouts::Gone(placed.store.dir.clone()),
            (true, true) => Whereabouts::Used,
        }
    }

    fn placed(&self) -> Arc<Vec<Placed>> {
        self.placed
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The store that has the session, or what it belongs to; otherwise the store for new sessions.
    fn home_of(
        &self,
        placed: &[Placed],
        session: &SessionId,
        path: Option<&Path>,
        near: &Near,
    ) -> Option<usize> {
        let on = || {
            placed
                .iter()
                .enumerate()
                .filter(|(_, placed)| placed.store.on)
        };
        if let (1, Some((at, _))) = (on().count(), on().next()) {
            return Some(at);
        }
        let at = |path: &Path| on().find(|(_, placed)| placed.holds(path));
        let has = |placed: &Placed, session: &SessionId| {
            let listed = self.tool.sessions(&placed.machine, Which::One(session));
            listed.found.iter().any(|found| found.session == *session)
        };
        let of = |session: &SessionId| on().find(|(_, placed)| has(placed, session));
        let there = || on().find(|(_, placed)| placed.is_there());
        path.and_then(at)
            .or_else(|| of(session))
            .or_else(|| near.path.as_deref().and_then(at))
            .or_else(|| near.sessions.iter().find_map(of))
            .or_else(there)
            .or_else(|| on().next())
            .map(|(at, _)| at)
    }

    /// Writes a session; one that is in no store is written where what it belongs to is.
    pub fn write_near(
        &self,
        machine: &Machine,
        checkout: &Checkout<'_>,
        near: &Near,
    ) -> Result<Written, WriteError> {
        let placed = self.placed();
        let path = checkout.docs.iter().find_map(|doc| doc.change.path());
        let at = self
            .home_of(&placed, checkout.session, path, near)
            .and_then(|at| placed.get(at));
        if let Some(dir) = at.and_then(|at| self.vanished(&placed, at)) {
            return Err(WriteError::Gone(dir));
        }
        self.tool
            .write(at.map_or(machine, |placed| &placed.machine), checkout)
    }

    /// The directory of a store that does not exist. If its disk is absent, its mount point must not
    /// become a new store. The usual store, and one that is the only known one, is created.
    fn vanished(&self, placed: &[Placed], at: &Placed) -> Option<PathBuf> {
        let is_usual = self.moved.usual_in(&at.machine.home) == at.store.dir;
        let is_gone = 1 < placed.len() && !is_usual && !at.is_there();
        is_gone.then(|| at.store.dir.clone())
    }

    /// Adds the listing of another store. Of a session in two stores the longer one counts, and a
    /// problem is reported. The same files reached in two ways count once.
    fn join(&self, listing: &mut Listing, other: Listing) {
        let known: HashMap<SessionId, usize> = listing
            .found
            .iter()
            .enumerate()
            .map(|(at, found)| (found.session.clone(), at))
            .collect();
        for found in other.found {
            let Some(at) = known.get(&found.session).copied() else {
                listing.found.push(found);
                continue;
            };
            let (Some(one), Some(two)) = (listing.found[at].docs.first(), found.docs.first())
            else {
                continue;
            };
            if std::fs::canonicalize(&one.path).ok() == std::fs::canonicalize(&two.path).ok() {
                continue;
            }
            listing.problems.push(
                Problem::new(
                    ProblemCode::DuplicateSession,
                    format!(
                        "Session {} is in two stores of {}: {} and {}. The longer one counts.",
                        found.session,
                        self.tool.about().name,
                        one.path.display(),
                        two.path.display()
                    ),
                    "Move one of the two files away, or switch one of the stores off.",
                )
                .offer(Remedy::OpenTools),
            );
            let is_longer = one.stamp.len < two.stamp.len;
            let shorter = if is_longer {
                std::mem::replace(&mut listing.found[at], found)
            } else {
                found
            };
            let Found { session, docs, .. } = shorter;
            listing.twins.push(Twin { session, docs });
        }
        listing.twins.extend(other.twins);
        listing.problems.extend(other.problems);
        listing.conflict_copies.extend(other.conflict_copies);
        listing.unknown = listing.unknown.take().or(other.unknown);
        if let Some(watermark) = other.watermark {
            listing.watermark.get_or_insert_default().join(watermark);
        }
    }
}

impl Tool for Everywhere {
    fn about(&self) -> About {
        self.tool.about()
    }

    fn roots(&self, _machine: &Machine) -> Vec<Root> {
        let mut roots: Vec<Root> = Vec::new();
        for placed in self.placed().iter().filter(|placed| placed.store.on) {
            let new = self
                .tool
                .roots(&placed.machine)
                .into_iter()
                .filter(|root| !roots.contains(root));
            roots.extend(new.collect::<Vec<_>>());
        }
        roots
    }

    fn touched(&self, _machine: &Machine, path: &Path) -> Touched {
        let placed = self.placed();
        let touched = placed
            .iter()
            .filter(|placed| placed.store.on)
            .map(|placed| self.tool.touched(&placed.machine, path));
        touched
            .into_iter()
            .find(|touched| *touched != Touched::Nothing)
            .unwrap_or(Touched::Nothing)
    }

    fn sessions(&self, _machine: &Machine, which: Which<'_>) -> Listing {
        let placed = self.placed();
        let mut listings = placed
            .iter()
            .filter(|placed| placed.store.on)
            .map(|placed| self.tool.sessions(&placed.machine, which));
        let mut all = listings.next().unwrap_or_default();
        listings.for_each(|other| self.join(&mut all, other));
        all
    }

    fn changes(&self, _machine: &Machine, since: &Watermark) -> Option<Listing> {
        let placed = self.placed();
        let mut all = Listing::default();
        for placed in placed.iter().filter(|placed| placed.store.on) {
            let changes = self.tool.changes(&placed.machine, since)?;
            self.join(&mut all, changes);
        }
        Some(all)
    }

    fn open_sessions(&self, _machine: &Machine) -> Option<Vec<Found>> {
        let placed = self.placed();
        let on = placed.iter().filter(|placed| placed.store.on);
        let open = on.map(|placed| self.tool.open_sessions(&placed.machine));
        Some(
            open.collect::<Option<Vec<_>>>()?
                .into_iter()
                .flatten()
                .collect(),
        )
    }

    fn read(&self, machine: &Machine, found: &Found) -> io::Result<Reading> {
        let placed = self.placed();
        let path = found.docs.first().map(|doc| doc.path.as_path());
        let at = path
            .and_then(|path| placed.iter().find(|placed| placed.holds(path)))
            .or_else(|| placed.first());
        self.tool
            .read(at.map_or(machine, |placed| &placed.machine), found)
    }

    fn write(&self, machine: &Machine, checkout: &Checkout<'_>) -> Result<Written, WriteError> {
        self.write_near(machine, checkout, &Near::default())
    }

    fn resume(&self, machine: &Machine, session: &Resumable<'_>) -> Launch {
        let placed = self.placed();
        let at = self
            .home_of(&placed, session.session, None, &Near::default())
            .and_then(|at| placed.get(at));
        let Some(at) = at else {
            return self.tool.resume(machine, session);
        };
        let mut launch = self.tool.resume(&at.machine, session);
        if placed.len() > 1 {
            // The shell that starts the tool may name another store.
            let var = self.moved.var.to_owned();
            match at.machine.var(self.moved.var) {
                Some(dir) => {
                    launch.env.entry(var).or_insert_with(|| dir.to_owned());
                }
                None => launch.unset.push(var),
            }
        }
        launch
    }

    fn is_main(&self, doc: &DocName) -> bool {
        self.tool.is_main(doc)
    }

    fn moved(&self) -> Option<Moved> {
        Some(self.moved)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Millis;

    /// The mount point of an absent disk became a store, which hid behind the disk later.
    #[test]
    fn nothing_is_written_where_a_store_of_several_does_not_exist() {
        let home = tempfile::tempdir().expect("dir");
        let machine = Machine::at(home.path());
        let several = crate::tools::all(&[])
            .into_iter()
            .filter_map(|tool| Some((tool.clone(), tool.moved()?)));
        let mut n_tools = 0;
        for (tool, moved) in several {
            let stores = Everywhere::new(tool, moved, &machine);
            let (usual, away) = (
                moved.usual_in(home.path()),
                home.path().join("mnt/usb/store"),
            );
            let session = SessionId::new("11111111-2222-4333-8444-555555555555");
            let written = |at: &[(&Path, bool)]| {
                let at = at.iter().map(|(dir, on)| StoreAt {
                    dir: dir.to_path_buf(),
                    on: *on,
                });
                stores.set(&machine, at.collect());
                let checkout = Checkout {
                    session: &session,
                    cwd: home.path(),
                    updated: Millis(0),
                    now: Millis(0),
                    forgets: false,
                    docs: Vec::new(),
                };
                match stores.write(&machine, &checkout) {
                    Err(WriteError::Gone(dir)) => Some(dir),
                    _ => None,
                }
            };
            let name = stores.about().name;
            let gone = written(&[(&usual, false), (&away, true)]);
            assert_eq!(gone.as_ref(), Some(&away), "{name}: off and away");
            assert_eq!(
                written(&[(&away, false), (&usual, true)]),
                None,
                "{name}: usual"
            );
            assert_eq!(written(&[(&away, true)]), None, "{name}: the only one");
            let placed = stores.placed();
            let root = placed[0].roots.first().expect("a root");
            std::fs::create_dir_all(root).expect("dir");
            let back = written(&[(&usual, false), (&away, true)]);
            assert_eq!(back, None, "{name}: back");
            std::fs::remove_dir_all(home.path().join("mnt")).expect("remove");
            n_tools += 1;
        }
        assert!(0 < n_tools);
    }
}
