//! The device list on disk: each device's statements in a journal of its own, read and appended by
//! the loop. `merge::device_list` decides what the statements mean; knows nothing of folders and
//! tools.

use super::Engine;
use super::vault_walk::restore_lost;
use crate::api::types::ApiError;
use crate::merge::device_list::Heads;
use crate::merge::{Claims, DeviceList, Stated, Statement, Statements};
use crate::reconcile::context::Context;
use crate::reconcile::ingest::fault_problem;
use crate::session::{
    DeviceId, Hlc, Lane, Problem, ProblemCode, ProjectKey, SessionId, SessionKey, ToolId,
};
use crate::syncthing::device_id;
use crate::vault::{Entry, Fault, Frame, Journal, JournalError, VaultPath, frame};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

/// The list's journal is named like a session of a tool, but is none.
pub const TOOL: &str = "session-roam";
const SESSION: &str = "devices";
const PROJECT: &str = "session-roam";

/// The state's note of how far each list was read.
const NOTE: &str = "device lists";

/// The statements about devices that are read of one device.
const MOST_ABOUT_DEVICES: usize = 100_000;
/// The statements about sessions that are read of one device: several for each session that it
/// forgets, since its own receipts are among them. Later ones are left out and do not keep what it
/// states about devices from being read.
const MOST_ABOUT_SESSIONS: usize = 250_000;

/// All lists that were read, and the resulting list for this device.
#[derive(Debug, Default)]
pub struct Lists {
    authors: BTreeMap<String, Author>,
    pub now: DeviceList,
    /// What all folded statements about each session come to.
    claims: BTreeMap<SessionKey, Claims>,
    /// Accepted statements about sessions that are not folded yet, each with its author.
    new: Vec<(DeviceId, Stated)>,
    /// Statements about devices were accepted that are not folded yet.
    is_new_about_devices: bool,
    /// Accepted statements that the state does not have, by their author's short id.
    unsaved: Vec<(String, Stated)>,
    /// Sessions about which statements were folded.
    pub changed: BTreeSet<SessionKey>,
    /// Nothing was loaded at the start: the state was lost, or this is the first start.
    pub fresh: bool,
}

/// One device's list, as far as it was accepted.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Author {
    device: DeviceId,
    journal: Journal,
    /// The statements about devices. They are saved one by one; a version before saved all here.
    #[serde(default, skip_serializing)]
    statements: Vec<Stated>,
    #[serde(skip)]
    about_sessions: Vec<Stated>,
    /// Statements about sessions that were left out.
    #[serde(default, skip_serializing_if = "is_zero")]
    left_out: u64,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Author {
    fn new(device: &DeviceId) -> Self {
        let journal = Journal::new(&device.short(), Lane::Priority, dir(&device.short()));
        Self {
            device: device.clone(),
            journal,
            statements: Vec::new(),
            about_sessions: Vec::new(),
            left_out: 0,
        }
    }

    /// Takes the statements of a frame; returns whether that is all that a list may hold.
    fn add_statements(&mut self, frame: &Frame) -> bool {
        let mut arrived = Arrived::after(self);
        arrived.take(frame);
        let is_full = arrived.is_full();
        self.add(&arrived);
        is_full
    }

    fn add(&mut self, arrived: &Arrived) {
        arrived.stated.iter().for_each(|stated| self.hold(stated));
        self.left_out += arrived.left_out;
        self.journal.skipped |= arrived.skipped;
    }

    fn hold(&mut self, stated: &Stated) {
        match is_about_session(stated) {
            true => self.about_sessions.push(stated.clone()),
            false => self.statements.push(stated.clone()),
        }
    }

    fn is_full(&self) -> bool {
        MOST_ABOUT_DEVICES <= self.statements.len()
    }
}

/// The statements of new frames of a list, as far as there is room.
struct Arrived {
    stated: Vec<Stated>,
    /// How many the list has, with these.
    about_devices: usize,
    about_sessions: usize,
    left_out: u64,
    /// There were entries of a kind that this version does not know.
    skipped: bool,
}

impl Arrived {
    fn after(author: &Author) -> Self {
        Self {
            stated: Vec::new(),
            about_devices: author.statements.len(),
            about_sessions: author.about_sessions.len(),
            left_out: 0,
            skipped: false,
        }
    }

    fn take(&mut self, frame: &Frame) {
        for (entry, said) in frame.entries.iter().enumerate() {
            match said {
                Entry::Device(statement) if is_sound(statement) && self.has_room(statement) => {
                    self.stated.push(Stated {
                        frame: frame.head.n,
                        entry: entry as u32,
                        at: frame.head.at,
                        statement: statement.clone(),
                    });
                }
                Entry::Unknown(_) => self.skipped = true,
                _ => {}
            }
        }
    }

    fn has_room(&mut self, statement: &Statement) -> bool {
        if statement.session().is_none() {
            self.about_devices += 1;
            return true;
        }
        let has_room = self.about_sessions < MOST_ABOUT_SESSIONS;
        match has_room {
            true => self.about_sessions += 1,
            false => self.left_out += 1,
        }
        has_room
    }

    fn is_full(&self) -> bool {
        MOST_ABOUT_DEVICES <= self.about_devices
    }
}

fn is_about_session(stated: &Stated) -> bool {
    stated.statement.session().is_some()
}

/// Statements of a device about sessions have no effect on this one any more.
fn too_many(name: &str) -> Problem {
    Problem::new(
        ProblemCode::ListUnusable,
        format!(
            "{name} has forgotten so many sessions that this device takes no more of its requests to forget one."
        ),
        "What it approves and revokes still counts. Forget sessions on another device.",
    )
}

/// Names in a statement become directories and folders: real device IDs only.
fn is_sound(statement: &Statement) -> bool {
    let is_id = |id: &DeviceId| device_id::parse(id.as_str()).is_ok_and(|parsed| parsed == *id);
    // The list's own journal cannot be forgotten.
    let is_session = |key: &SessionKey| VaultPath::is_key(key) && !is_list(key);
    statement.device().is_none_or(is_id) && statement.session().is_none_or(is_session)
}

fn key() -> SessionKey {
    SessionKey::new(&ToolId::new(TOOL), &SessionId::new(SESSION))
}

pub fn is_list(key: &SessionKey) -> bool {
    key.tool.as_str() == TOOL
}

fn dir(short: &str) -> String {
    VaultPath::journal_dir(short, Lane::Priority, &key(), &ProjectKey::new(PROJECT))
}

/// The list's journal as heads name it: below the device's directory.
pub fn in_heads() -> String {
    dir("").trim_start_matches('/').to_owned()
}

fn unusable(error: &JournalError) -> Problem {
    Problem::new(
        ProblemCode::ListUnusable,
        format!(
            "The device list could not be read or written: {}",
            crate::session::problem::with_causes(error)
        ),
        "Check the disk and the permissions of the vault folder.",
    )
}

pub(super) fn problem(error: ApiError) -> Problem {
    Problem::from(error)
}

impl Lists {
    /// Whether this device has stated what it accepted of another one since it let that one in.
    pub fn has_stated_heads(&self, short: &str, device: &DeviceId) -> bool {
        let about = self
            .own_statements(short)
            .iter()
            .rev()
            .filter(|stated| stated.statement.device() == Some(device));
        let is_heads =
            |said: &Statement| matches!(said, Statement::Heads { .. } | Statement::Revoke { .. });
        about
            .map(|stated| &stated.statement)
            .take_while(|said| !matches!(said, Statement::Approve { .. }))
            .any(is_heads)
    }

    /// Whether this device put another one out and has stated since what it accepted of it.
    pub fn has_counted(&self, short: &str, device: &DeviceId) -> bool {
        let about = { self.own_statements(short).iter().rev() }
            .filter(|stated| stated.statement.device() == Some(device));
        let mut is_stated = false;
        for stated in about {
            match stated.statement {
                Statement::Revoke { .. } => return true,
                Statement::Unapprove { .. } => return is_stated,
                Statement::Approve { .. } => return false,
                Statement::Heads { .. } => is_stated = true,
                _ => {}
            }
        }
        false
    }

    /// What this device stated about other devices.
    pub fn own_statements(&self, short: &str) -> &[Stated] {
        self.authors
            .get(short)
            .map_or(&[][..], |author| &author.statements)
    }

    fn about_devices(&self) -> Statements {
        self.authors
            .values()
            .map(|author| (author.device.clone(), author.statements.clone()))
            .collect()
    }

    /// Whether other devices read what this one would state about sessions.
    fn has_room(&self, short: &str, statements: &[Statement]) -> bool {
        let more = { statements.iter() }
            .filter(|said| said.session().is_some())
            .count();
        let stated = self
            .authors
            .get(short)
            .map_or(0, |author| author.about_sessions.len());
        more == 0 || stated + more <= MOST_ABOUT_SESSIONS
    }

    /// Frames read of a device's list.
    pub fn frames(&self, short: &str) -> u64 {
        self.authors
            .get(short)
            .map_or(0, |author| author.journal.frames)
    }

    pub fn journal(&self, short: &str) -> Option<&Journal> {
        self.authors.get(short).map(|author| &author.journal)
    }

    /// How far every list was read, by short id.
    pub fn heard(&self) -> BTreeMap<String, u64> {
        self.authors
            .iter()
            .map(|(short, author)| (short.clone(), author.journal.frames))
            .collect()
    }

    /// Takes the statements that an older version accepted and skipped; returns whose they are.
    fn reread_skipped(&mut self, context: &Context) -> BTreeSet<String> {
        let mut taken = BTreeSet::new();
        let outdated =
            { self.authors.iter_mut() }.filter(|(_, author)| author.journal.is_outdated());
        for (short, author) in outdated {
            let mut again = Author {
                journal: author.journal.uncounted(),
                ..Author::new(&author.device)
            };
            let read = author.journal.each_accepted(&context.vault, |frame| {
                match again.add_statements(&frame) {
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(()),
                }
            });
            // What cannot be read now stays known as it was, and is tried again at the next start.
            if read.is_ok() {
                *author = again;
                taken.insert(short.clone());
            }
        }
        taken
    }

    /// Folds all statements anew.
    fn fold(&mut self, own: &DeviceId) {
        self.is_new_about_devices = false;
        self.changed
            .extend(std::mem::take(&mut self.now).forgotten.into_keys());
        self.now = DeviceList::of(own, &self.about_devices(), &in_heads());
        self.fold_sessions(own);
    }

    fn fold_sessions(&mut self, own: &DeviceId) {
        (self.claims, self.new) = Default::default();
        self.now.forgotten = BTreeMap::new();
        let authors = std::mem::take(&mut self.authors);
        for author in authors.values() {
            for stated in &author.about_sessions {
                self.claim(own, &author.device, stated);
            }
        }
        self.authors = authors;
    }

    /// Folds the new statements; returns the list before if some of them are about devices. Those
    /// about sessions cost nothing for the sessions that were forgotten before, unless others count.
    fn fold_new(&mut self, own: &DeviceId) -> Option<DeviceList> {
        let mut before = None;
        if std::mem::take(&mut self.is_new_about_devices) {
            let now = DeviceList::of(own, &self.about_devices(), &in_heads());
            let mut former = std::mem::replace(&mut self.now, now);
            let forgotten = std::mem::take(&mut former.forgotten);
            if former.heard == self.now.heard {
                self.now.forgotten = forgotten;
            } else {
                self.changed.extend(forgotten.into_keys());
                self.fold_sessions(own);
            }
            before = Some(former);
        }
        for (author, stated) in std::mem::take(&mut self.new) {
            self.claim(own, &author, &stated);
        }
        before
    }

    fn claim(&mut self, own: &DeviceId, author: &DeviceId, stated: &Stated) {
        let Some(session) = stated.statement.session() else {
            return;
        };
        if !self.now.hears(author, stated) {
            return;
        }
        let claims = self.claims.entry(session.clone()).or_default();
        claims.add(own, author, stated);
        match claims.is_forgotten() {
            true => {
                let forgotten = claims.forgotten.clone();
                self.now.forgotten.insert(session.clone(), forgotten);
            }
            false => {
                self.now.forgotten.remove(session);
            }
        }
        self.changed.insert(session.clone());
    }

    /// Adds accepted statements, which are then to be folded and saved.
    fn accept(&mut self, short: &str, arrived: Arrived) {
        let Some(author) = self.authors.get_mut(short) else {
            return;
        };
        author.add(&arrived);
        for stated in arrived.stated {
            match is_about_session(&stated) {
                true => self.new.push((author.device.clone(), stated.clone())),
                false => self.is_new_about_devices = true,
            }
            self.unsaved.push((short.to_owned(), stated));
        }
    }

    fn read(&mut self, context: &Context, short: &str) -> Result<bool, JournalError> {
        let Some(owner) = context.shared().owners.get(short).cloned() else {
            return Ok(false);
        };
        let author = self
            .authors
            .entry(short.to_owned())
            .or_insert_with(|| Author::new(&owner.device));
        if author.device != owner.device || author.is_full() {
            return Ok(false);
        }
        let limits = context
            .shared()
            .limits
            .get(short)
            .map(|heads| heads.get(&in_heads()).copied().unwrap_or(0));
        let before = author.journal.frames;
        let mut arrived = Arrived::after(author);
        let mut journal = author.journal.clone();
        journal.limit = limits;
        let (mut about, mut is_full) = (Some((ToolId::new(TOOL), SessionId::new(SESSION))), false);
        // One frame at a time: whatever else its author put into it is dropped at once.
        journal.read_while(
            &context.vault,
            &owner,
            &mut about,
            |_| (),
            |_, frame, (), _, _| {
                context.saw(frame.head.at);
                arrived.take(frame);
                is_full = arrived.is_full();
                match is_full {
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(()),
                }
            },
        )?;
        if is_full {
            journal.fault = journal.fault.or(Some(Fault::Forged {
                segment: 0,
                offset: 0,
                why: format!("it holds more than {MOST_ABOUT_DEVICES} statements about devices"),
            }));
        }
        author.journal = journal;
        let is_news = before != author.journal.frames;
        self.accept(short, arrived);
        Ok(is_news)
    }

    /// Revocations that would lapse with these statements because their authors no longer count,
    /// repeated as this device's own: a revoked device stays out until the user lets it in.
    /// What the author of a lapsed revocation had stated of accepted frames lapses with it.
    fn upheld(&self, own: &DeviceId, statements: &[Statement]) -> Vec<Statement> {
        // Who counts depends on statements about devices alone.
        if statements.iter().all(|said| said.session().is_some()) {
            return Vec::new();
        }
        let after = self.folded_with(own, statements);
        let lets_in = |device: &DeviceId| {
            let approves = |said: &Statement| {
                matches!(said, Statement::Approve { .. }) && said.device() == Some(device)
            };
            statements.iter().any(approves)
        };
        let lapsed = self
            .now
            .revoked
            .iter()
            .filter(|(device, _)| !after.revoked.contains_key(device));
        let upheld = lapsed
            .filter(|(device, _)| !lets_in(device))
            .map(|(device, revoked)| Statement::Revoke {
                device: device.clone(),
                name: revoked.name.clone(),
                heads: Heads::new(),
                since: revoked.since,
                cut: revoked.cut.clone().unwrap_or_default(),
            });
        let mut upheld: Vec<Statement> = upheld.collect();
        let stated: Vec<Statement> = statements.iter().chain(&upheld).cloned().collect();
        let after = self.folded_with(own, &stated);
        for statement in &mut upheld {
            if let Statement::Revoke { device, heads, .. } = statement {
                let revoked = after.revoked.get(device);
                *heads = revoked.map_or_else(Heads::new, |revoked| revoked.heads.clone());
            }
        }
        upheld
    }

    /// The list as it would be with these statements in the next frame of this device's own.
    fn folded_with(&self, own: &DeviceId, statements: &[Statement]) -> DeviceList {
        let mut all = self.about_devices();
        let ours = all.entry(own.clone()).or_default();
        let next = { ours.iter() }.map(|stated| stated.frame + 1).max();
        let frame = next.unwrap_or(0);
        let stated = { statements.iter().enumerate() }.map(|(entry, statement)| Stated {
            frame,
            entry: entry as u32,
            at: Hlc::default(),
            statement: statement.clone(),
        });
        ours.extend(stated);
        DeviceList::of(own, &all, &in_heads())
    }

    fn append(
        &mut self,
        context: &Context,
        statements: Vec<Statement>,
    ) -> Result<String, JournalError> {
        let author = self
            .authors
            .entry(context.short.clone())
            .or_insert_with(|| Author::new(&context.device));
        let (tool, session) = (ToolId::new(TOOL), SessionId::new(SESSION));
        let name = context.shared().name_of(&context.short);
        let head =
            author
                .journal
                .next_head(&context.device, &name, &tool, &session, context.tick());
        let entries: Vec<Entry> = statements.into_iter().map(Entry::Device).collect();
        let (bytes, hash) = frame::render(&head, &entries, |message| {
            context.key.sign(message).to_vec()
        });
        let written = Frame::own(head, entries, hash);
        let (segment, _) = author.journal.append(&context.vault, &bytes, &written)?;
        let path = author.journal.in_lane(segment);
        let mut arrived = Arrived::after(author);
        arrived.take(&written);
        self.accept(&context.short, arrived);
        Ok(path)
    }

    /// Takes the saved statements. Returns whose were saved by an earlier version, all in one note.
    fn load(
        &mut self,
        known: BTreeMap<String, Author>,
        stated: Vec<(String, Stated)>,
    ) -> BTreeSet<String> {
        let mut earlier = BTreeSet::new();
        self.authors = known;
        for (short, author) in &mut self.authors {
            let former = std::mem::take(&mut author.statements);
            if !former.is_empty() {
                earlier.insert(short.clone());
            }
            former.iter().for_each(|stated| author.hold(stated));
        }
        for (short, stated) in &stated {
            if let Some(author) = self.authors.get_mut(short)
                && !earlier.contains(short)
            {
                author.hold(stated);
            }
        }
        earlier
    }
}

impl Engine {
    /// Restores this device's own list from the safety copy, before it is read. Returns how many
    /// files were gone, and how many of them are back.
    pub(super) fn restore_own_list(&self) -> (u32, u32) {
        restore_lost(&self.context.vault, &dir(&self.context.short))
    }

    /// Loads what the state has and reads this device's own list to its end.
    pub(super) fn open_lists(&mut self) {
        // Without the statements, the lists are read again.
        let stated = self.state.stated().ok().flatten();
        let known = stated.and_then(|stated| Some((self.state.note(NOTE).ok()??, stated)));
        self.lists = Lists {
            fresh: known.is_none(),
            ..Lists::default()
        };
        let (known, stated) = known.unwrap_or_default();
        let mut whole = self.lists.load(known, stated);
        let context = self.context.clone();
        whole.extend(self.lists.reread_skipped(&context));
        if !whole.is_empty() {
            self.save_lists(&whole);
        }
        // What was known is not news: a device that was let in before is not let in again.
        self.lists.fold(&self.context.device);
        let short = self.context.short.clone();
        self.read_list(&short);
        self.lists.fold(&self.context.device);
        self.enforce(&DeviceList::default());
        self.approve_as_before();
    }

    /// Approves devices that were paired before the list existed: no device is paired anew.
    fn approve_as_before(&mut self) {
        let stated = self.lists.own_statements(&self.context.short);
        let is_new = |id: &DeviceId| {
            !stated
                .iter()
                .any(|stated| stated.statement.device() == Some(id))
        };
        let paired = self.registry.complete().filter(|paired| is_new(&paired.id));
        let approve = paired.map(|paired| Statement::Approve {
            device: paired.id.clone(),
            name: paired.name.clone(),
            over: BTreeMap::new(),
        });
        let statements: Vec<Statement> = approve.collect();
        if let Err(error) = self.declare(statements) {
            self.set_problem("list own", Some(problem(error)));
        }
    }

    /// Lets a device in and overrules all its revocations that are known here.
    pub(super) fn declare_approved(
        &mut self,
        device: &DeviceId,
        name: &str,
    ) -> Result<(), ApiError> {
        let over = self.lists.now.overruled(device);
        let known = self
            .lists
            .now
            .approved
            .get(device)
            .is_some_and(|approved| approved.via.is_none());
        if known && over.is_empty() {
            return Ok(());
        }
        self.declare(vec![Statement::Approve {
            device: device.clone(),
            name: name.to_owned(),
            over,
        }])
    }

    /// Reads what is new in a device's list.
    pub(super) fn read_list(&mut self, short: &str) {
        let topic = format!("list {short}");
        match self.lists.read(&self.context, short) {
            Ok(news) => {
                let name = self.context.shared().name_of(short);
                let author = self.lists.authors.get(short);
                let problem = author.and_then(|author| match &author.journal.fault {
                    Some(fault) => Some(fault_problem(fault, &name)),
                    None => (0 < author.left_out).then(|| too_many(&name)),
                });
                self.set_problem(&topic, problem);
                if news {
                    self.lists_changed();
                }
            }
            Err(error) => self.set_problem(&topic, Some(unusable(&error))),
        }
    }

    /// Appends statements to this device's own list, in one frame, and carries out what follows.
    pub(super) fn declare(&mut self, mut statements: Vec<Statement>) -> Result<(), ApiError> {
        if statements.is_empty() {
            return Ok(());
        }
        let context = self.context.clone();
        if !self.lists.has_room(&context.short, &statements) {
            let name = context.shared().name_of(&context.short);
            return Err(too_many(&name).into());
        }
        statements.extend(self.lists.upheld(&context.device, &statements));
        let path = self.lists.append(&context, statements).map_err(|error| {
            let problem = unusable(&error);
            ApiError::from(problem)
        })?;
        self.transport.announce(Lane::Priority, vec![path]);
        self.lists_changed();
        Ok(())
    }

    fn lists_changed(&mut self) {
        let before = self.lists.fold_new(&self.context.device);
        self.save_lists(&BTreeSet::new());
        if let Some(before) = before {
            self.enforce(&before);
            if let Err(error) = self.follow_list(&before) {
                self.unwritable(&error);
            }
        } else {
            // Each presence states how far the lists were read.
            self.publish_presence();
        }
        self.forget_stated();
    }

    /// Saves how far the lists were read and what is new in them; those of `whole` from the beginning.
    /// What could not be saved is read again at the next start.
    fn save_lists(&mut self, whole: &BTreeSet<String>) {
        let Lists {
            authors, unsaved, ..
        } = &self.lists;
        let place = |stated: &Stated| (stated.frame, stated.entry);
        let saved = self.state.together(|state| {
            for short in whole {
                state.forget_stated(short)?;
                let author = authors.get(short).into_iter();
                let all = author
                    .flat_map(|author| author.statements.iter().chain(&author.about_sessions));
                for stated in all {
                    state.add_stated(short, place(stated), stated)?;
                }
            }
            for (short, stated) in unsaved {
                state.add_stated(short, place(stated), stated)?;
            }
            state.put_note(NOTE, authors)
        });
        if saved.is_ok() {
            self.lists.unsaved.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Millis;

    fn id(n: u8) -> DeviceId {
        crate::session::device_id::device_id_of_cert(&[n])
    }

    fn frame(n: u64, statements: Vec<Statement>) -> Frame {
        let author = Author::new(&id(1));
        let (tool, session) = (ToolId::new(TOOL), SessionId::new(SESSION));
        let at = Hlc::default().tick(Millis(1));
        let mut head = { author.journal }.next_head(&id(1), "desk", &tool, &session, at);
        head.n = n;
        let hash = head.prev.clone();
        Frame::own(
            head,
            statements.into_iter().map(Entry::Device).collect(),
            hash,
        )
    }

    fn revoke(device: &DeviceId, frames: u64) -> Statement {
        Statement::Revoke {
            device: device.clone(),
            name: "lap".into(),
            heads: [("live/x".into(), frames)].into(),
            since: None,
            cut: Heads::new(),
        }
    }

    #[test]
    fn a_device_that_forgot_all_its_sessions_is_still_heard_when_it_revokes_one() {
        let receipt = |n: usize| Statement::Forgotten {
            session: SessionKey::new(&ToolId::new("t"), &SessionId::new(format!("{n}"))),
            left: None,
        };
        let mut desk = Author::new(&id(1));
        let receipts: Vec<Statement> = (0..MOST_ABOUT_SESSIONS + 10).map(receipt).collect();
        assert!(!desk.add_statements(&frame(0, receipts)), "it is read on");
        assert_eq!(
            (desk.about_sessions.len(), desk.left_out),
            (MOST_ABOUT_SESSIONS, 10)
        );
        assert!(!desk.add_statements(&frame(1, vec![revoke(&id(2), 1)])));
        let last = desk.statements.last().map(|stated| &stated.statement);
        assert_eq!(last, Some(&revoke(&id(2), 1)));
        let lists = Lists {
            authors: [(id(1).short(), desk)].into(),
            ..Lists::default()
        };
        assert!(
            !lists.has_room(&id(1).short(), &[receipt(0)]),
            "that would be read nowhere"
        );
        assert!(lists.has_room(&id(1).short(), &[revoke(&id(2), 1)]));
    }

    fn approve(device: &DeviceId) -> Statement {
        Statement::Approve {
            device: device.clone(),
            name: String::new(),
            over: BTreeMap::new(),
        }
    }

    fn session(n: usize) -> SessionKey {
        SessionKey::new(&ToolId::new("t"), &SessionId::new(format!("{n}")))
    }

    /// The lists of this device, [`id`] 1, before anything was stated.
    fn no_lists() -> Lists {
        let mut lists = Lists::default();
        lists.fold(&id(1));
        lists
    }

    /// A device states something in its next frame.
    fn state(lists: &mut Lists, author: &DeviceId, statement: Statement, wall: i64) {
        let author_list = lists.authors.entry(author.short());
        let list = author_list.or_insert_with(|| Author::new(author));
        let mut arrived = Arrived::after(list);
        arrived.stated.push(Stated {
            frame: (arrived.about_devices + arrived.about_sessions) as u64,
            entry: 0,
            at: Hlc::default().tick(Millis(wall)),
            statement,
        });
        lists.accept(&author.short(), arrived);
    }

    #[test]
    fn another_forget_costs_the_same_after_ten_and_after_a_thousand() {
        let forget = |n: usize| Statement::Forget {
            session: session(n),
        };
        let cost = |before: usize| {
            let mut lists = no_lists();
            for n in 0..before {
                state(&mut lists, &id(1), forget(n), 1);
            }
            lists.fold_new(&id(1));
            assert_eq!(lists.now.forgotten.len(), before);
            lists.changed.clear();
            lists.unsaved.clear();
            state(&mut lists, &id(1), forget(before), 1);
            let folded = lists.new.len();
            assert!(
                lists.fold_new(&id(1)).is_none(),
                "no list of devices is made"
            );
            let note = serde_json::to_string(&lists.authors).expect("a note");
            let (rows, looked_at) = (lists.unsaved.len(), lists.changed.len());
            (folded, looked_at, rows, note.len())
        };
        assert_eq!(cost(10), cost(1_000));
        assert_eq!(cost(10).0, 1);
    }

    #[test]
    fn what_a_version_before_saved_in_one_note_is_taken_along() {
        let forget = Statement::Forget {
            session: session(1),
        };
        let mut desk = Author::new(&id(1));
        desk.add_statements(&frame(0, vec![approve(&id(2)), forget]));
        let stated: Vec<Stated> = { desk.statements.iter() }
            .chain(&desk.about_sessions)
            .cloned()
            .collect();
        let mut note = serde_json::to_value(&desk).expect("a note");
        assert!(note.get("statements").is_none());
        note["statements"] = serde_json::to_value(&stated).expect("statements");
        let known: Author = serde_json::from_value(note).expect("as it was");
        let mut lists = Lists::default();
        let short = id(1).short();
        let earlier = lists.load([(short.clone(), known)].into(), Vec::new());
        assert_eq!(earlier, [short.clone()].into());
        lists.fold(&id(1));
        assert!(lists.now.approved.contains_key(&id(2)));
        assert!(lists.now.forgotten.contains_key(&session(1)));
        // Saved one by one, they come to the same.
        let known = serde_json::to_value(&lists.authors).expect("a note");
        let saved = stated.into_iter().map(|stated| (short.clone(), stated));
        let mut again = Lists::default();
        let known = serde_json::from_value(known).expect("as it was");
        assert_eq!(again.load(known, saved.collect()), BTreeSet::new());
        again.fold(&id(1));
        assert_eq!(again.now, lists.now);
    }

    proptest::proptest! {
        #[test]
        fn statements_that_come_one_by_one_are_folded_as_all_at_once(
            said in proptest::collection::vec((1u8..4, 0u8..9, 1u8..4, 0i64..4), 0..24)
        ) {
            let mut lists = no_lists();
            for (author, kind, about, wall) in said {
                let (device, session) = (id(about), session(usize::from(about)));
                let statement = match kind {
                    0 | 1 => approve(&device),
                    2 => revoke(&device, 1),
                    3 => Statement::Revoke {
                        device,
                        name: String::new(),
                        heads: Heads::new(),
                        since: Some(Millis(1)),
                        cut: [(in_heads(), 2)].into(),
                    },
                    4 => Statement::Follow { device },
                    5 => Statement::ForgetUndone { session },
                    6 => Statement::Forgotten { session, left: None },
                    _ => Statement::Forget { session },
                };
                state(&mut lists, &id(author), statement, wall);
                lists.fold_new(&id(1));
                let all = lists.authors.values().map(|author| {
                    let stated = author.statements.iter().chain(&author.about_sessions);
                    (author.device.clone(), stated.cloned().collect())
                });
                let whole = DeviceList::of(&id(1), &all.collect(), &in_heads());
                proptest::prop_assert_eq!(&whole, &lists.now);
            }
        }
    }

    /// An accomplice revokes the lap and states that much of it was accepted; then it is put out
    /// itself.
    #[test]
    fn what_is_upheld_of_a_revocation_is_not_how_much_its_author_had_accepted() {
        let (own, accomplice, lap) = (id(1), id(2), id(3));
        let mut ours = Author::new(&own);
        let heads = Statement::Heads {
            device: lap.clone(),
            heads: [("live/x".into(), 5)].into(),
        };
        ours.add_statements(&frame(0, vec![approve(&accomplice), approve(&lap), heads]));
        let mut theirs = Author::new(&accomplice);
        theirs.add_statements(&frame(0, vec![revoke(&lap, 1000)]));
        let mut lists = Lists {
            authors: [(own.short(), ours), (accomplice.short(), theirs)].into(),
            ..Lists::default()
        };
        lists.fold(&own);
        assert_eq!(lists.now.revoked[&lap].heads["live/x"], 1000);
        let upheld = lists.upheld(&own, &[revoke(&accomplice, 1)]);
        assert_eq!(upheld, [revoke(&lap, 5)]);
    }
}
