//! Finds the code that another device recorded for a session, verifies it, compares it with the
//! checkout here, applies it and takes it back. Runs beside the loop. Everything that is read here
//! was written by another device: a file counts by its owner's signature, a pack by the quarantine.

use super::super::fork_at::moment;
use super::super::resuming::author;
use super::event::{
    Applied, TakenBack, is_record_of, left_out, may_succeed_later, no_code, refused,
};
use super::recording::bound_store;
use super::restart;
use crate::api::types::{ApiError, CodeApplied, CodeChange, CodeFile, CodeOffer, CodeState};
use crate::projects::checkout::without_verbatim;
use crate::reconcile::context::Context;
use crate::reconcile::record::SessionRecord;
use crate::session::{ProblemCode, Remedy, SessionId, SessionKey, harmless_line, visible};
use crate::vault::Owner;
use crate::vault::snapshot_file::objects_dir;
use crate::vault::snapshot_file::{self, Described, SnapshotFileError};
use session_roam_code::{
    ChangeKind, Checkout, CodeError, Comparison, FileChange, Git, Limits, Manifest, ObjectId,
    PackLimits, Plan, Received, RepoPath, Store, Undo, apply, compare, diff_text, is_verified,
    receive, recover, undo_setting_aside, undos,
};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The latest files of a device that are looked at.
const MOST_FILES: usize = 400;
/// The most packs that build on each other.
const LONGEST_CHAIN: usize = 64;
/// The most files that are named.
const MOST_NAMED: usize = 500;
/// The longest difference that is shown.
const MOST_TEXT: u64 = 256 << 10;

/// A session whose code is asked for.
pub struct Asked {
    pub context: Arc<Context>,
    pub key: SessionKey,
    pub title: String,
    pub record: SessionRecord,
    /// The session's directory here.
    pub dir: PathBuf,
    pub store: PathBuf,
    /// The devices that are believed, by short id.
    pub owners: BTreeMap<String, Owner>,
    /// Which snapshots were applied where.
    pub applied: Vec<(PathBuf, String)>,
    /// An undo needs objects of the store.
    pub is_needed: bool,
}

/// What applying did.
pub enum Done {
    Changed {
        applied: Box<Applied>,
        done: CodeApplied,
    },
    Nothing(CodeApplied),
}

/// A file of a device, verified as far as its first frame.
struct Candidate {
    short: String,
    dir: String,
    described: Described,
}

/// How far a snapshot and all that it builds on is here.
enum Reached {
    There,
    Arriving,
    Lacking(Vec<ObjectId>),
}

/// The checkout here, and where snapshots are kept.
struct Here {
    checkout: Checkout,
    store: Store,
}

impl Asked {
    pub fn offer(&self, at: Option<u64>) -> Result<CodeOffer, ApiError> {
        let candidate = match at {
            None => self.newest_of_others(),
            Some(at) => self.at_message(at)?,
        };
        let Some(candidate) = candidate else {
            return Ok(CodeOffer::default());
        };
        let here = self.here().map_err(|error| refused(&error))?;
        let offer = self.offered(&here, &candidate);
        let offer = offer.map_err(|error| refused(&error))?;
        Ok(match at {
            None => offer,
            // What came after that moment is not asked for.
            Some(_) => CodeOffer { since: 0, ..offer },
        })
    }

    fn offered(&self, here: &Here, candidate: &Candidate) -> Result<CodeOffer, CodeError> {
        let is_author = author(&self.record) == Some(candidate.short.as_str());
        let offer = CodeOffer {
            snapshot: candidate.described.description.snapshot.clone(),
            device: self.context.shared().name_of(&candidate.short),
            at: candidate.described.at.wall.rfc3339(),
            is_last: is_author,
            since: match is_author {
                true => self.messages_since(candidate),
                false => 0,
            },
            dir: Some(here.checkout.root().to_owned()),
            ..CodeOffer::default()
        };
        match self.reach(here, candidate) {
            Ok(Reached::There) => {}
            Ok(Reached::Arriving) => {
                return Ok(CodeOffer {
                    state: CodeState::Arriving,
                    why: "It has not arrived whole yet.".into(),
                    ..offer
                });
            }
            Ok(Reached::Lacking(commits)) => return Ok(lacking(offer, &commits)),
            Err(error @ CodeError::Refused(_)) => {
                return Ok(CodeOffer {
                    state: CodeState::Refused,
                    why: refused(&error).message,
                    ..offer
                });
            }
            Err(other) => return Err(other),
        }
        let comparison = self.compared(here, &offer.snapshot, candidate)?;
        Ok(shown(offer, &comparison))
    }

    /// How many messages of the session are here that came after a state was recorded.
    fn messages_since(&self, candidate: &Candidate) -> u64 {
        let tip = candidate.described.description.tip;
        let name = self.record.main();
        let state = name.and_then(|name| self.record.docs.get(name));
        let (Some(name), Some(state)) = (name, state) else {
            return 0;
        };
        let end = state.local.as_ref().map(|local| local.tip);
        let Some(end) = end.filter(|end| *end != tip) else {
            return 0;
        };
        let lines = self
            .context
            .journal_reader(&self.key.tool, &self.record.journals, name);
        let mut trie = state.trie.clone();
        match trie.ensure_node(tip, &lines) {
            Ok(true) => trie.messages_between(tip, end),
            Ok(false) | Err(_) => 0,
        }
    }

    /// The difference of one file as text, and whether there is more.
    pub fn diff(&self, snapshot: &str, path: &str) -> Result<(String, bool), ApiError> {
        let candidate = self.named(snapshot)?;
        let work = || {
            let here = self.here()?;
            let comparison = self.compared_if_there(&here, &candidate)?;
            let path = RepoPath::parse(path);
            let file = comparison
                .files
                .iter()
                .find(|file| Some(&file.path) == path.as_ref());
            let Some(file) = file else {
                return Err(CodeError::Refused("This file does not differ.".into()));
            };
            let Here { checkout, store } = &here;
            diff_text(checkout, store, &comparison, &file.path, MOST_TEXT)
        };
        let text = work().map_err(|error| refused(&error))?;
        let is_cut = MOST_TEXT <= text.len() as u64;
        Ok((visible(&text), is_cut))
    }

    /// `stay`: the session does not move with the code.
    pub fn apply(&self, snapshot: &str, stay: bool) -> Result<Done, ApiError> {
        let candidate = self.named(snapshot)?;
        self.applied(&candidate, stay)
            .map_err(|error| refused(&error))
    }

    fn applied(&self, candidate: &Candidate, stay: bool) -> Result<Done, CodeError> {
        let here = self.here()?;
        let recovered = recover(&here.checkout)?;
        let comparison = self.compared_if_there(&here, candidate)?;
        let Here { checkout, store } = &here;
        let device = self.context.shared().name_of(&candidate.short);
        let n_files = comparison.files.len() as u64;
        let root = checkout.root().to_owned();
        let session = self.record.session.clone();
        let mut applied = Box::new(Applied {
            key: self.key.clone(),
            session: session.unwrap_or_else(|| SessionId::new(self.key.hash.clone())),
            title: self.title.clone(),
            device: device.clone(),
            short: candidate.short.clone(),
            files: n_files,
            at: self.context.tick(),
            snapshot: comparison.target.id.to_string(),
            root: root.clone(),
            number: 0,
            place: root.clone(),
            before: (!stay).then(|| self.dir.clone()),
            fork: None,
            is_first_kept: false,
            needs_no_store: true,
        });
        restart::note(&self.store, &applied)?;
        let done = apply(checkout, store, &comparison, &Limits::default());
        if !matches!(done, Ok(Some(_))) {
            restart::note_done(&self.store);
        }
        let Some(undo) = done? else {
            return Ok(Done::Nothing(CodeApplied {
                dir: self.dir.clone(),
                worktree: false,
                files: 0,
                message: format!("The checkout is as {device}'s was."),
            }));
        };
        applied.number = undo.number;
        applied.place = undo.worktree.clone().unwrap_or_else(|| root.clone());
        let dir = match &undo.worktree {
            Some(worktree) => self.below(&root, worktree),
            None => self.came(&root, &root).unwrap_or_else(|| self.dir.clone()),
        };
        let (files, are) = match n_files {
            1 => ("1 file".to_owned(), "is"),
            n => (format!("{n} files"), "are"),
        };
        let message = match &undo.worktree {
            Some(worktree) => format!(
                "{device}'s working tree is in {}, beside this checkout.",
                worktree.display()
            ),
            None => format!(
                "{files} of {device}'s working tree {are} now in {}.",
                root.display()
            ),
        };
        let message = recovered.kept.iter().fold(message, |message, kept| {
            format!(
                "{message} What was in the way of an undo that had stopped half-way is in {}.",
                kept.display()
            )
        });
        let done = CodeApplied {
            worktree: applied.is_worktree(),
            dir,
            files: n_files,
            message,
        };
        Ok(Done::Changed { applied, done })
    }

    /// The session's directory in a worktree: it may be below the checkout's top.
    fn below(&self, root: &Path, worktree: &Path) -> PathBuf {
        let real = self.dir.canonicalize().map(without_verbatim);
        let dir = real.unwrap_or_else(|_| self.dir.clone());
        if let Some(came) = self.came(root, worktree) {
            return came;
        }
        let below = dir.strip_prefix(root).ok();
        let below = below.filter(|below| !below.as_os_str().is_empty());
        below
            .map(|below| worktree.join(below))
            .filter(|dir| dir.is_dir())
            .unwrap_or_else(|| worktree.to_owned())
    }

    /// The directory inside the project that the session is about, if it was not here before the code and
    /// is below `top` now. No link leads to it, and no part of its name hides it.
    fn came(&self, root: &Path, top: &Path) -> Option<PathBuf> {
        let key = self.record.origin()?.project.key.as_str();
        let (_, inside) = key.split_once('#')?;
        let is_hidden = inside.split('/').any(|part| part.starts_with('.'));
        let is_at_top = self.dir.canonicalize().map(without_verbatim).ok()? == *root;
        let dir = top.join(inside);
        let real = dir.canonicalize().map(without_verbatim).ok()?;
        let is_plain = !is_hidden && is_at_top && real == dir && real.is_dir();
        is_plain.then_some(dir)
    }

    fn here(&self) -> Result<Here, CodeError> {
        let git = Git::find()?;
        bound_store(&self.store, self.is_needed)?;
        Ok(Here {
            checkout: Checkout::open(&git, &self.dir)?,
            store: Store::open(&self.store)?,
        })
    }

    fn compared_if_there(
        &self,
        here: &Here,
        candidate: &Candidate,
    ) -> Result<Comparison, CodeError> {
        match self.reach(here, candidate)? {
            Reached::There => {
                let snapshot = &candidate.described.description.snapshot;
                self.compared(here, snapshot, candidate)
            }
            Reached::Arriving => Err(CodeError::Refused("It has not arrived whole yet.".into())),
            Reached::Lacking(commits) => Err(CodeError::Refused(
                lacking(CodeOffer::default(), &commits).why,
            )),
        }
    }

    fn compared(
        &self,
        here: &Here,
        snapshot: &str,
        candidate: &Candidate,
    ) -> Result<Comparison, CodeError> {
        let id = object_id(snapshot)?;
        let known = self.known(&here.checkout, candidate);
        compare(&here.checkout, &here.store, &id, &known, &Limits::default())
    }

    /// The states that are nobody's own work here: those that were applied in this checkout, and the
    /// last one of this device on which the other one says that it built.
    fn known(&self, checkout: &Checkout, candidate: &Candidate) -> Vec<ObjectId> {
        let applied = self.applied.iter();
        let applied = applied.filter(|(place, _)| place == checkout.root());
        let mut known: Vec<ObjectId> = applied.filter_map(|(_, id)| ObjectId::parse(id)).collect();
        let seen = &candidate.described.description.seen;
        let own = self.dirs().into_iter();
        let own = own.filter(|(short, _)| *short == self.context.short);
        let own = own.filter_map(|(short, dir)| self.newest(&short, &dir));
        let own = own.map(|own| own.described.description.snapshot);
        known.extend(
            own.filter(|id| seen.contains(id))
                .filter_map(|id| ObjectId::parse(&id)),
        );
        known
    }

    // ---- the files ----

    /// Each device's directory of files for this session.
    fn dirs(&self) -> BTreeSet<(String, String)> {
        let journals = self.record.journals.values();
        let dir = |dir: &str| snapshot_file::dir_beside(dir);
        let dirs =
            journals.filter_map(|journal| Some((journal.device.clone(), dir(&journal.dir)?)));
        dirs.filter(|(short, _)| self.owners.contains_key(short))
            .collect()
    }

    /// The numbers of the latest files in a directory, the latest first.
    fn numbers(&self, dir: &str) -> impl Iterator<Item = u32> + use<> {
        let files = snapshot_file::list(&self.context.vault, dir).unwrap_or_default();
        let numbers = files.into_iter().rev().map(|(number, _)| number);
        numbers.take(MOST_FILES)
    }

    /// A file that is refused or not there counts as none.
    fn candidate(&self, short: &str, dir: &str, number: u32) -> Option<Candidate> {
        let owner = self.owners.get(short)?;
        let described = snapshot_file::describe(&self.context.vault, owner, dir, number).ok()?;
        Some(Candidate {
            short: short.to_owned(),
            dir: dir.to_owned(),
            described,
        })
    }

    fn newest(&self, short: &str, dir: &str) -> Option<Candidate> {
        self.numbers(dir)
            .find_map(|number| self.candidate(short, dir, number))
    }

    fn newest_of_others(&self) -> Option<Candidate> {
        let others = self.dirs().into_iter();
        let others = others.filter(|(short, _)| *short != self.context.short);
        others
            .filter_map(|(short, dir)| self.newest(&short, &dir))
            .max_by_key(|candidate| candidate.described.at)
    }

    fn all(&self) -> impl Iterator<Item = Candidate> + '_ {
        self.dirs().into_iter().flat_map(move |(short, dir)| {
            let numbers = self.numbers(&dir);
            numbers.filter_map(move |number| self.candidate(&short, &dir, number))
        })
    }

    /// The last state that was recorded before the message after message `at`.
    fn at_message(&self, at: u64) -> Result<Option<Candidate>, ApiError> {
        let moment = moment(&self.context, &self.key, &self.record, &self.title, at)?;
        let place = |candidate: &Candidate| moment.bytes_until(candidate.described.description.tip);
        let candidates = self.all();
        let placed = candidates.filter_map(|candidate| Some((place(&candidate)?, candidate)));
        let last = placed.max_by_key(|(bytes, candidate)| (*bytes, candidate.described.at));
        Ok(last.map(|(_, candidate)| candidate))
    }

    fn named(&self, snapshot: &str) -> Result<Candidate, ApiError> {
        let mut all = self.all();
        let found = all.find(|it| it.described.description.snapshot == snapshot);
        found.ok_or_else(|| no_code(format!("No code “{}” is here.", harmless_line(snapshot))))
    }

    /// Verifies a snapshot and all that it builds on, as far as that is not in the store yet.
    fn reach(&self, here: &Here, candidate: &Candidate) -> Result<Reached, CodeError> {
        let Candidate { short, dir, .. } = candidate;
        let mut missing = Vec::new();
        let mut next = candidate.described.description.clone();
        loop {
            if is_verified(&here.checkout, &here.store, &object_id(&next.snapshot)?)? {
                break;
            }
            missing.push(next.number);
            if LONGEST_CHAIN < missing.len() {
                return Err(CodeError::Refused(
                    "It builds on too many others.".to_owned(),
                ));
            }
            let Some(after) = next.after else { break };
            match self.candidate(short, dir, after) {
                Some(before) => next = before.described.description,
                None => return Ok(Reached::Arriving),
            }
        }
        for number in missing.into_iter().rev() {
            match self.received(here, candidate, number)? {
                Reached::There => {}
                other => return Ok(other),
            }
        }
        Ok(Reached::There)
    }

    fn received(
        &self,
        here: &Here,
        candidate: &Candidate,
        number: u32,
    ) -> Result<Reached, CodeError> {
        let Candidate { short, dir, .. } = candidate;
        let io = |source| CodeError::Io {
            path: self.store.clone(),
            source,
        };
        let name = self.context.shared().name_of(short);
        let said = |why: &dyn std::fmt::Display| {
            CodeError::Refused(format!("The code of {name} is refused: {why}."))
        };
        let owner = self.owners.get(short);
        let owner = owner.ok_or_else(|| said(&"the device is not known"))?;
        let mut pack = tempfile::NamedTempFile::new_in(&self.store).map_err(io)?;
        let read = snapshot_file::read(&self.context.vault, owner, dir, number, &mut pack);
        let (described, manifest) = match read {
            Err(SnapshotFileError::Torn) => return Ok(Reached::Arriving),
            other => other.map_err(|error| said(&error))?,
        };
        let manifest: Manifest = serde_json::from_slice(&manifest)
            .map_err(|_| said(&"its manifest is not one of this version"))?;
        if manifest.snapshot.as_str() != described.description.snapshot {
            return Err(said(&"its manifest names another state"));
        }
        let limits = PackLimits {
            bytes: snapshot_file::LARGEST_CONTENT,
            ..PackLimits::default()
        };
        let Here { checkout, store } = here;
        Ok(
            match receive(checkout, store, &manifest, pack.path(), &limits)? {
                Received::Verified(_) => Reached::There,
                Received::Lacking(ids) => Reached::Lacking(ids),
            },
        )
    }
}

fn object_id(text: &str) -> Result<ObjectId, CodeError> {
    ObjectId::parse(text).ok_or_else(|| CodeError::Refused("The code has no valid id.".to_owned()))
}

fn lacking(offer: CodeOffer, commits: &[ObjectId]) -> CodeOffer {
    let first = commits.first().map(ObjectId::as_str).unwrap_or_default();
    let short: String = first.chars().take(7).collect();
    CodeOffer {
        state: CodeState::NeedsCommits,
        why: format!("It is made on commit {short}, which is not here yet: fetch first."),
        ..offer
    }
}

fn shown(offer: CodeOffer, comparison: &Comparison) -> CodeOffer {
    let state = &comparison.target.state;
    let branch = state.branch.as_deref();
    let branch = branch.map(|branch| branch.trim_start_matches("refs/heads/"));
    // Whoever looks at the first of them only sees what programs obey.
    let mut files: Vec<&FileChange> = comparison.files.iter().collect();
    files.sort_by_key(|file| !file.is_obeyed);
    let files = files.into_iter().take(MOST_NAMED).map(file);
    let offer = CodeOffer {
        commit: state.head.as_ref().map(ObjectId::to_string),
        branch: branch.map(harmless_line),
        files: files.collect(),
        n_files: comparison.files.len() as u64,
        commits: comparison.commits,
        left_out: left_out(&state.left_out),
        ..offer
    };
    match &comparison.plan {
        Plan::Nothing => CodeOffer {
            state: CodeState::Same,
            ..offer
        },
        Plan::InPlace => CodeOffer {
            state: CodeState::InPlace,
            ..offer
        },
        Plan::NeedsCommits(commits) => lacking(offer, commits),
        Plan::Worktree { path, why } => CodeOffer {
            state: CodeState::Worktree,
            dir: Some(path.clone()),
            why: why.clone(),
            ..offer
        },
        Plan::Refused(why) => CodeOffer {
            state: CodeState::Refused,
            why: why.clone(),
            ..offer
        },
    }
}

fn file(file: &FileChange) -> CodeFile {
    let path = file.path.to_string();
    CodeFile {
        shown: harmless_line(&path),
        path,
        change: match file.kind {
            ChangeKind::Added => CodeChange::Added,
            ChangeKind::Changed => CodeChange::Changed,
            ChangeKind::Deleted => CodeChange::Deleted,
            ChangeKind::Permission => CodeChange::Permission,
            ChangeKind::Kind => CodeChange::Kind,
        },
        obeyed: file.is_obeyed,
    }
}

/// Takes applied code back. `aside`: files that were changed since are no obstacle, and are kept. `later`:
/// what was applied in the same checkout since, of whatever session.
pub fn undo(
    home: &Path,
    applied: &Applied,
    later: Option<&Applied>,
    aside: bool,
) -> Result<TakenBack, ApiError> {
    taken_back(home, applied, later, aside).map_err(|error| {
        let said = refused(&error);
        let (message, session) = (said.message, applied.session.to_string());
        let about = format!("“{}”: {message}", harmless_line(&applied.title));
        match error {
            CodeError::ChangedSince(_) => {
                let hint = match applied.is_worktree() {
                    true => "Nothing was changed. The worktree can stay, and the session go back without it.",
                    false => "Nothing was changed. To undo something else, name its session.",
                };
                ApiError::new(ProblemCode::CodeRefused, about, hint)
                    .offer(Remedy::UndoSettingAside { session })
            }
            _ => {
                let refused = ApiError::new(ProblemCode::CodeRefused, about, said.hint);
                let later = later.map(|later| later.session.to_string());
                match (may_succeed_later(&error), later) {
                    (true, _) => refused.offer(Remedy::Retry),
                    (false, Some(session)) => refused.offer(Remedy::Undo {
                        session: Some(session),
                    }),
                    (false, None) => refused,
                }
            }
        }
    })
}

fn taken_back(
    home: &Path,
    applied: &Applied,
    later: Option<&Applied>,
    aside: bool,
) -> Result<TakenBack, CodeError> {
    let git = Git::find()?;
    let gone = |words: String| TakenBack::Gone(refused(&CodeError::Refused(words)));
    // Its disk may be connected again later: the undo stays.
    let away = || CodeError::Busy(format!("{} is not there now.", applied.root.display()));
    if !applied.root.is_dir() {
        return match aside {
            true => Ok(gone(format!(
                "{} is not there. What was taken over in it is no longer offered to be undone. If it was moved, \
                 the files of before are in .git/session-roam/undo of its new place.",
                applied.root.display()
            ))),
            false => Err(away()),
        };
    }
    let checkout = Checkout::open(&git, &applied.root)?;
    if checkout.root() != applied.root {
        return Err(away());
    }
    let recovered = recover(&checkout)?;
    let there = undos(&checkout)?;
    let is_there = |applied: &Applied| there.iter().any(|undo| is_record_of(undo, applied));
    if let Some(later) = later.filter(|later| is_there(later)) {
        return Err(CodeError::Refused(format!(
            "The code of {} for “{}” was applied in {} since; take that back first.",
            later.device,
            harmless_line(&later.title),
            applied.root.display()
        )));
    }
    if !is_there(applied) {
        // An undo that had stopped half-way is finished now.
        if restart::is_among(&recovered, applied) {
            let kept = recovered.kept.into_iter().next();
            return Ok(kept.map_or(TakenBack::Done, TakenBack::Kept));
        }
        return Ok(gone("This was taken back already.".into()));
    }
    let dir = objects_dir(home, &applied.key);
    let store = Store::open(&dir)?;
    let undo = Undo {
        number: applied.number,
        snapshot: object_id(&applied.snapshot)?,
        worktree: Some(applied.place.clone()).filter(|_| applied.is_worktree()),
    };
    let limits = Limits::default();
    restart::note_undoing(&dir, applied)?;
    let kept = match aside {
        true => undo_setting_aside(&checkout, &store, &undo, &limits),
        false => session_roam_code::undo(&checkout, &store, &undo, &limits),
    };
    // Otherwise the loop takes the note away when it has noted the rest.
    if kept.is_err() {
        restart::undoing_done(&dir);
    }
    let kept = kept?;
    Ok(kept.map_or(TakenBack::Done, TakenBack::Kept))
}
