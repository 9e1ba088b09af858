//! The device list: folds the statements of devices about each other into who is approved and who
//! is revoked on this device. Pure: the answer does not depend on the order of statements or on how
//! often they arrive. Knows no files and no clock.

use crate::session::{DeviceId, Hlc, Millis, SessionKey};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Numbers of frames by journal. A journal is named by its directory below the device's:
/// `<lane>/<tool>/<project>/<session>`.
pub type Heads = BTreeMap<String, u64>;

/// One statement of a device about another device or about a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum Statement {
    /// Let the device in.
    Approve {
        device: DeviceId,
        name: String,
        /// The revocations that the user saw and overruled: author, and the frame of its list that
        /// holds the revocation.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        over: BTreeMap<DeviceId, u64>,
    },
    /// Stop syncing with the device here. Other devices are not affected.
    Unapprove {
        device: DeviceId,
    },
    /// Revoke the device everywhere.
    Revoke {
        device: DeviceId,
        name: String,
        /// How much of each of the device's journals the author had accepted.
        heads: Heads,
        /// Lines that the device wrote after this time are taken out of the sessions.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<Millis>,
        /// With `since`: how many frames of each journal stay; none of an unnamed journal.
        #[serde(default, skip_serializing_if = "Heads::is_empty")]
        cut: Heads,
    },
    /// How much of a device's journals the author had accepted when it stopped reading them.
    Heads {
        device: DeviceId,
        heads: Heads,
    },
    /// Approve here every device that this device approves.
    Follow {
        device: DeviceId,
    },
    Unfollow {
        device: DeviceId,
    },
    /// Remove the session everywhere.
    Forget {
        session: SessionKey,
    },
    /// Undo a `Forget` that nobody has carried out.
    ForgetUndone {
        session: SessionKey,
    },
    /// The receipt: the author has removed the session from its vault, and from its store unless
    /// `left` gives a reason.
    Forgotten {
        session: SessionKey,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        left: Option<Left>,
    },
}

/// Why a forgotten session is still in a tool's store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Left {
    /// The session is open and will be removed when it is closed.
    Open,
    /// The tool lets no other program remove the session.
    Tool,
    /// The store could not be read or written; removal is tried again.
    Failed,
    /// The session was removed, and the tool's store may still have parts of it: the tool does not
    /// say whose they are.
    Parts,
    /// A reason that this version does not know.
    #[serde(other)]
    Other,
}

impl Left {
    /// Whether the session itself is in the store, and not only parts of it.
    pub fn is_in_store(self) -> bool {
        self != Self::Parts
    }
}

/// A statement and its place: the frame of its author's list, and the entry in the frame.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stated {
    pub frame: u64,
    pub entry: u32,
    pub at: Hlc,
    pub statement: Statement,
}

/// The accepted statements, by author.
pub type Statements = BTreeMap<DeviceId, Vec<Stated>>;

/// How many devices one device can approve for those that follow it.
pub const MOST_FOLLOWED: usize = 64;

/// The folded device list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeviceList {
    pub approved: BTreeMap<DeviceId, Approved>,
    pub revoked: BTreeMap<DeviceId, Revoked>,
    /// Devices once approved here, now neither approved nor revoked: their accepted frames stay.
    pub stopped: BTreeMap<DeviceId, Heads>,
    /// Devices whose approval this device withdrew, so that nobody proposes them again.
    pub unapproved: BTreeSet<DeviceId>,
    pub followed: BTreeSet<DeviceId>,
    /// Sessions that are to be removed, or already are.
    pub forgotten: BTreeMap<SessionKey, Forgotten>,
    /// Whose statements about sessions count, and how many frames of that device's list.
    pub heard: BTreeMap<DeviceId, u64>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approved {
    pub name: String,
    /// The followed device that approved this one; `None` if this device did.
    pub via: Option<DeviceId>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Revoked {
    pub name: String,
    /// Who revoked the device, with the frame and the time of the statement.
    pub by: BTreeMap<DeviceId, (u64, Hlc)>,
    /// How many frames of each of its journals are accepted: the most that a device which is not
    /// revoked has accepted. None of an unnamed journal.
    pub heads: Heads,
    /// How many frames count after a revocation with `since`; none of an unnamed journal.
    pub cut: Option<Heads>,
    /// The earliest `since`.
    pub since: Option<Millis>,
}

/// What all statements about one session come to. They may be added one by one, those of an author in
/// their order.
#[derive(Clone, Debug, Default)]
pub struct Claims {
    pub forgotten: Forgotten,
    /// The last request to forget it, or to undo that.
    last: Option<(Hlc, DeviceId, bool)>,
    carried_out: bool,
}

impl Claims {
    pub fn add(&mut self, own: &DeviceId, author: &DeviceId, stated: &Stated) {
        let forgets = match stated.statement {
            Statement::Forgotten { left, .. } => {
                let receipt = Receipt {
                    at: stated.at,
                    left,
                };
                self.forgotten.receipts.insert(author.clone(), receipt);
                self.carried_out |= author == own;
                return;
            }
            Statement::Forget { .. } => {
                self.forgotten.by.insert(author.clone(), stated.at);
                true
            }
            _ => false,
        };
        let request = Some((stated.at, author.clone(), forgets));
        self.last = self.last.take().max(request);
    }

    /// A session that this device has removed stays removed, whoever requested the removal and
    /// whatever became of that device.
    pub fn is_forgotten(&self) -> bool {
        self.carried_out || self.last.as_ref().is_some_and(|(.., forgets)| *forgets)
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Who requested the removal, and when.
    pub by: BTreeMap<DeviceId, Hlc>,
    /// Devices that have carried out the removal, each with its last statement.
    pub receipts: BTreeMap<DeviceId, Receipt>,
}

/// A device's statement about a session that it had to forget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    pub at: Hlc,
    pub left: Option<Left>,
}

impl Statement {
    /// The device that the statement is about.
    pub fn device(&self) -> Option<&DeviceId> {
        match self {
            Self::Approve { device, .. }
            | Self::Unapprove { device }
            | Self::Revoke { device, .. }
            | Self::Heads { device, .. }
            | Self::Follow { device }
            | Self::Unfollow { device } => Some(device),
            Self::Forget { .. } | Self::ForgetUndone { .. } | Self::Forgotten { .. } => None,
        }
    }

    /// The session that the statement is about.
    pub fn session(&self) -> Option<&SessionKey> {
        match self {
            Self::Forget { session }
            | Self::ForgetUndone { session }
            | Self::Forgotten { session, .. } => Some(session),
            _ => None,
        }
    }

    fn is_standing(&self) -> bool {
        matches!(
            self,
            Self::Approve { .. } | Self::Unapprove { .. } | Self::Revoke { .. }
        )
    }
}

impl Revoked {
    /// How many frames of the journal `<lane>/<tool>/<project>/<session>` count.
    pub fn counted(&self, journal: &str) -> u64 {
        let accepted = self.heads.get(journal).copied().unwrap_or(0);
        self.cut.as_ref().map_or(accepted, |cut| {
            accepted.min(cut.get(journal).copied().unwrap_or(0))
        })
    }
}

/// One author's statements, the last of each kind.
#[derive(Default)]
struct Voice<'a> {
    /// By device: the author's last approve, unapprove or revoke.
    standing: BTreeMap<&'a DeviceId, &'a Stated>,
    follows: BTreeMap<&'a DeviceId, bool>,
    /// All numbers of accepted frames that the author stated, those of its revocations included.
    heads: Vec<(&'a DeviceId, &'a Heads)>,
    sessions: Vec<(&'a SessionKey, &'a Stated)>,
}

impl<'a> Voice<'a> {
    /// A statement of a device about itself means nothing: a revoked device would state how many of
    /// its own frames count.
    fn of(author: &DeviceId, statements: &'a [Stated]) -> Self {
        let about_others = { statements.iter() }.filter(|stated| {
            stated
                .statement
                .device()
                .is_none_or(|device| device != author)
        });
        let mut ordered: Vec<&Stated> = about_others.collect();
        ordered.sort_by_key(|stated| (stated.frame, stated.entry));
        let mut voice = Self::default();
        for stated in ordered {
            if let Statement::Revoke { device, heads, .. } = &stated.statement {
                voice.heads.push((device, heads));
            }
            match &stated.statement {
                Statement::Follow { device } => drop(voice.follows.insert(device, true)),
                Statement::Unfollow { device } => drop(voice.follows.insert(device, false)),
                Statement::Heads { device, heads } => voice.heads.push((device, heads)),
                statement if statement.is_standing() => {
                    voice
                        .standing
                        .extend(statement.device().map(|device| (device, stated)));
                }
                statement => voice
                    .sessions
                    .extend(statement.session().map(|session| (session, stated))),
            }
        }
        voice
    }

    fn approves(&self) -> impl Iterator<Item = (&'a DeviceId, &'a str)> {
        self.standing
            .iter()
            .filter_map(|(device, stated)| match &stated.statement {
                Statement::Approve { name, .. } => Some((*device, name.as_str())),
                _ => None,
            })
    }
}

impl DeviceList {
    /// Folds statements into the list for the device `own`. `list` is the name of the list's own
    /// journal in heads.
    ///
    /// A device is approved by this device's own last statement, or by the last statement of a
    /// device that this one follows and approves itself (one level). The last statement of this
    /// device or of any device trusted here may revoke. This device's own approval overrules only
    /// the revocations that it names. Revoked beats approved.
    pub fn of(own: &DeviceId, statements: &Statements, list: &str) -> Self {
        let voices: BTreeMap<&DeviceId, Voice<'_>> = statements
            .iter()
            .map(|(author, stated)| (author, Voice::of(author, stated)))
            .collect();
        let silent = Voice::default();
        let ours = voices.get(own).unwrap_or(&silent);
        let direct: BTreeMap<&DeviceId, &str> = ours
            .approves()
            .filter(|(device, _)| *device != own)
            .collect();
        let followed: BTreeSet<&DeviceId> = direct
            .keys()
            .copied()
            .filter(|device| ours.follows.get(device).is_some_and(|follows| *follows))
            .collect();
        // This device's own statements take precedence over those of followed devices.
        let via: Vec<(&DeviceId, &DeviceId, &str)> = followed
            .iter()
            .filter_map(|followed| Some((*followed, voices.get(followed)?)))
            .flat_map(|(followed, voice)| {
                let approves = voice.approves().take(MOST_FOLLOWED);
                approves.map(move |(device, name)| (followed, device, name))
            })
            .filter(|(_, device, _)| *device != own && !ours.standing.contains_key(device))
            .collect();
        // A device that was ever trusted here may revoke: otherwise the faster of two devices
        // silences the other.
        let trusted: BTreeSet<&DeviceId> = direct
            .keys()
            .copied()
            .chain(via.iter().map(|(_, device, _)| *device))
            .chain([own])
            .collect();
        let heard = || {
            trusted
                .iter()
                .filter_map(|author| Some((*author, voices.get(author)?)))
        };
        let mut revoked = revoked(own, ours, heard());
        state_heads(&mut revoked, heard());
        let mut approved = BTreeMap::new();
        for (device, name) in &direct {
            approved.insert(
                (*device).clone(),
                Approved {
                    name: (*name).to_owned(),
                    via: None,
                },
            );
        }
        for (followed, device, name) in via
            .iter()
            .filter(|(followed, ..)| !revoked.contains_key(*followed))
        {
            let via = Approved {
                name: (*name).to_owned(),
                via: Some((*followed).clone()),
            };
            approved.entry((*device).clone()).or_insert(via);
        }
        approved.retain(|device, _| !revoked.contains_key(device));
        let mut stopped: BTreeMap<DeviceId, Heads> = BTreeMap::new();
        let gone =
            |device: &DeviceId| !approved.contains_key(device) && !revoked.contains_key(device);
        for (device, heads) in ours.heads.iter().filter(|(device, _)| gone(device)) {
            raise(stopped.entry((*device).clone()).or_default(), heads);
        }
        let counted = |author: &DeviceId| {
            let cut = revoked.get(author).and_then(|revoked| revoked.cut.as_ref());
            cut.map_or(u64::MAX, |cut| cut.get(list).copied().unwrap_or(0))
        };
        let counts: BTreeMap<DeviceId, u64> = { trusted.iter() }
            .map(|author| ((*author).clone(), counted(author)))
            .collect();
        let unapproved = ours
            .standing
            .iter()
            .filter(|(_, stated)| matches!(stated.statement, Statement::Unapprove { .. }));
        Self {
            unapproved: unapproved.map(|(device, _)| (*device).clone()).collect(),
            followed: followed.into_iter().cloned().collect(),
            forgotten: forgotten(own, heard(), &counts),
            heard: counts,
            approved,
            revoked,
            stopped,
        }
    }

    /// Whether a statement about a session counts.
    pub fn hears(&self, author: &DeviceId, stated: &Stated) -> bool {
        { self.heard.get(author) }.is_some_and(|counted| stated.frame < *counted)
    }

    /// The `over` of a new approval: the revocations that the approval overrules.
    pub fn overruled(&self, device: &DeviceId) -> BTreeMap<DeviceId, u64> {
        let by = self
            .revoked
            .get(device)
            .into_iter()
            .flat_map(|revoked| &revoked.by);
        by.map(|(author, (frame, _))| (author.clone(), *frame))
            .collect()
    }
}

fn raise(heads: &mut Heads, more: &Heads) {
    for (journal, frames) in more {
        let known = heads.entry(journal.clone()).or_default();
        *known = (*known).max(*frames);
    }
}

/// What any device accepted of a revoked one counts, unless that device is revoked itself: an
/// accomplice would state that more was accepted. What the others had accepted on its statement
/// they state themselves.
fn state_heads<'a>(
    revoked: &mut BTreeMap<DeviceId, Revoked>,
    heard: impl Iterator<Item = (&'a DeviceId, &'a Voice<'a>)>,
) {
    let heard: Vec<_> = heard
        .filter(|(author, _)| !revoked.contains_key(*author))
        .collect();
    for (device, heads) in heard.iter().flat_map(|(_, voice)| &voice.heads) {
        if let Some(entry) = revoked.get_mut(*device) {
            raise(&mut entry.heads, heads);
        }
    }
}

/// The revocations that count, without heads.
fn revoked<'a>(
    own: &DeviceId,
    ours: &Voice<'_>,
    heard: impl Iterator<Item = (&'a DeviceId, &'a Voice<'a>)>,
) -> BTreeMap<DeviceId, Revoked> {
    let mut all: BTreeMap<DeviceId, Revoked> = BTreeMap::new();
    for (author, voice) in heard {
        for (device, stated) in &voice.standing {
            let Statement::Revoke {
                name, since, cut, ..
            } = &stated.statement
            else {
                continue;
            };
            let overruled = match ours.standing.get(device).map(|stated| &stated.statement) {
                Some(Statement::Approve { over, .. }) => {
                    over.get(author).is_some_and(|frame| stated.frame <= *frame)
                }
                _ => false,
            };
            if overruled || *device == own {
                continue;
            }
            let entry = all.entry((*device).clone()).or_default();
            entry.name = entry.name.clone().max(name.clone());
            entry.by.insert(author.clone(), (stated.frame, stated.at));
            let Some(since) = since else { continue };
            entry.since = Some(entry.since.map_or(*since, |known| known.min(*since)));
            entry.cut = Some(match entry.cut.take() {
                None => cut.clone(),
                // No frame of a journal stays if one of the revocations does not name it.
                Some(known) => known
                    .into_iter()
                    .filter_map(|(journal, frames)| {
                        Some((frames.min(*cut.get(&journal)?), journal))
                    })
                    .map(|(frames, journal)| (journal, frames))
                    .collect(),
            });
        }
    }
    all
}

fn forgotten<'a>(
    own: &DeviceId,
    heard: impl Iterator<Item = (&'a DeviceId, &'a Voice<'a>)>,
    counts: &BTreeMap<DeviceId, u64>,
) -> BTreeMap<SessionKey, Forgotten> {
    let mut all: BTreeMap<&SessionKey, Claims> = BTreeMap::new();
    for (author, voice) in heard {
        let counted = counts.get(author).copied().unwrap_or(0);
        let stated = voice.sessions.iter();
        for (session, stated) in stated.filter(|(_, stated)| stated.frame < counted) {
            all.entry(session).or_default().add(own, author, stated);
        }
    }
    all.into_iter()
        .filter(|(_, claims)| claims.is_forgotten())
        .map(|(session, claims)| (session.clone(), claims.forgotten))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::{SessionId, ToolId};
    use proptest::prelude::*;

    const LIST: &str = "live/session-roam/p/s";

    fn id(n: usize) -> DeviceId {
        DeviceId::new(format!("DEVICE{n}"))
    }

    /// Statements of device 0 (own), 1, 2 and 3, one per frame.
    fn of(lists: &[&[Statement]]) -> Statements {
        let list = |stated: &&[Statement]| {
            let stated = stated.iter().enumerate().map(|(frame, statement)| Stated {
                frame: frame as u64,
                entry: 0,
                at: Hlc {
                    wall: Millis(frame as i64),
                    count: 0,
                },
                statement: statement.clone(),
            });
            stated.collect()
        };
        lists
            .iter()
            .enumerate()
            .map(|(author, stated)| (id(author), list(stated)))
            .collect()
    }

    fn fold(lists: &[&[Statement]]) -> DeviceList {
        DeviceList::of(&id(0), &of(lists), LIST)
    }

    fn approve(n: usize) -> Statement {
        Statement::Approve {
            device: id(n),
            name: format!("{n}"),
            over: BTreeMap::new(),
        }
    }

    fn overrule(n: usize, author: usize, frame: u64) -> Statement {
        Statement::Approve {
            device: id(n),
            name: format!("{n}"),
            over: [(id(author), frame)].into(),
        }
    }

    fn revoke(n: usize, heads: &[(&str, u64)]) -> Statement {
        let heads = heads
            .iter()
            .map(|(journal, frames)| ((*journal).to_owned(), *frames))
            .collect();
        Statement::Revoke {
            device: id(n),
            name: format!("{n}"),
            heads,
            since: None,
            cut: Heads::new(),
        }
    }

    fn follow(n: usize) -> Statement {
        Statement::Follow { device: id(n) }
    }

    fn approved(list: &DeviceList) -> Vec<usize> {
        (0..5)
            .filter(|n| list.approved.contains_key(&id(*n)))
            .collect()
    }

    fn revoked(list: &DeviceList) -> Vec<usize> {
        (0..5)
            .filter(|n| list.revoked.contains_key(&id(*n)))
            .collect()
    }

    #[test]
    fn rules() {
        let unapprove = |n| Statement::Unapprove { device: id(n) };
        /// The rule's name; the lists, one per device; who is approved; who is revoked.
        type Rule<'a> = (&'a str, &'a [&'a [Statement]], &'a [usize], &'a [usize]);
        let table: &[Rule] = &[
            ("own_approval_approves", &[&[approve(1)]], &[1], &[]),
            (
                "another_devices_approval_proposes_only",
                &[&[approve(1)], &[approve(2)]],
                &[1],
                &[],
            ),
            (
                "a_followed_devices_approval_approves",
                &[&[approve(1), follow(1)], &[approve(2)]],
                &[1, 2],
                &[],
            ),
            (
                "following_is_one_level",
                &[
                    &[approve(1), follow(1)],
                    &[approve(2), follow(2)],
                    &[approve(3)],
                ],
                &[1, 2],
                &[],
            ),
            (
                "a_device_that_is_not_approved_is_not_followed",
                &[&[follow(1)], &[approve(2)]],
                &[],
                &[],
            ),
            (
                "an_own_unapproval_beats_a_followed_approval",
                &[&[approve(1), follow(1), unapprove(2)], &[approve(2)]],
                &[1],
                &[],
            ),
            (
                "a_revocation_beats_approvals",
                &[&[approve(1), approve(2)], &[revoke(2, &[])]],
                &[1],
                &[2],
            ),
            (
                "a_stranger_revokes_nothing",
                &[&[approve(1)], &[], &[revoke(1, &[])]],
                &[1],
                &[],
            ),
            (
                "own_later_approval_overrules_what_it_names",
                &[
                    &[approve(1), approve(2), overrule(2, 1, 0)],
                    &[revoke(2, &[])],
                ],
                &[1, 2],
                &[],
            ),
            (
                "a_revocation_after_that_counts_again",
                &[
                    &[approve(1), approve(2), overrule(2, 1, 0)],
                    &[revoke(2, &[]), revoke(2, &[])],
                ],
                &[1],
                &[2],
            ),
            (
                "whoever_revoked_may_approve_again",
                &[&[approve(1), approve(2)], &[revoke(2, &[]), approve(2)]],
                &[1, 2],
                &[],
            ),
            (
                "two_that_revoke_each_other_are_both_out",
                &[
                    &[approve(1), approve(2)],
                    &[revoke(2, &[])],
                    &[revoke(1, &[])],
                ],
                &[],
                &[1, 2],
            ),
            (
                "a_revoked_devices_followers_lose_what_it_approved",
                &[&[approve(1), follow(1), revoke(1, &[])], &[approve(2)]],
                &[],
                &[1],
            ),
            (
                "nobody_revokes_this_device_here",
                &[&[approve(1)], &[revoke(0, &[])]],
                &[1],
                &[],
            ),
        ];
        for (rule, lists, in_, out) in table {
            let list = fold(lists);
            assert_eq!(
                (approved(&list), revoked(&list)),
                (in_.to_vec(), out.to_vec()),
                "{rule}"
            );
        }
    }

    #[test]
    fn what_any_survivor_accepted_is_accepted_by_all() {
        let heads = Statement::Heads {
            device: id(2),
            heads: [("live/x".into(), 7)].into(),
        };
        let list = fold(&[
            &[approve(1), approve(3)],
            &[revoke(2, &[("live/x", 5), ("live/y", 1)])],
            &[],
            &[heads],
        ]);
        let revoked = &list.revoked[&id(2)];
        assert_eq!(
            revoked.heads,
            [("live/x".into(), 7), ("live/y".into(), 1)].into()
        );
        assert_eq!(revoked.counted("live/z"), 0);
    }

    #[test]
    fn neither_a_revoked_device_nor_its_accomplice_states_what_counts_of_it() {
        let heads = |n: usize, frames: u64| Statement::Heads {
            device: id(n),
            heads: [("live/x".into(), frames)].into(),
        };
        let desk = [revoke(2, &[("live/x", 5)])];
        let of_two = |lists: &[&[Statement]]| fold(lists).revoked[&id(2)].heads["live/x"];
        let us = [approve(1), approve(2), approve(3)];
        assert_eq!(of_two(&[&us, &desk, &[heads(2, 1000)], &[]]), 5);
        // Device 3 is revoked as well, whatever it stated before or in its own revocation of 2.
        let both = [desk[0].clone(), revoke(3, &[])];
        let accomplice = [heads(2, 1000), revoke(2, &[("live/x", 2000)])];
        assert_eq!(of_two(&[&us, &both, &[], &accomplice]), 5);
        assert_eq!(of_two(&[&us, &desk, &[], &accomplice]), 2000);
    }

    #[test]
    fn a_cut_counts_below_what_is_accepted() {
        let cut = Statement::Revoke {
            device: id(2),
            name: "2".into(),
            heads: [("live/x".into(), 5), ("live/y".into(), 4)].into(),
            since: Some(Millis(3)),
            cut: [("live/x".into(), 2)].into(),
        };
        let list = fold(&[&[cut]]);
        let revoked = &list.revoked[&id(2)];
        assert_eq!(
            (revoked.counted("live/x"), revoked.counted("live/y")),
            (2, 0)
        );
    }

    #[test]
    fn a_session_is_forgotten_until_that_is_undone_and_for_good_once_it_was_carried_out() {
        let session = SessionKey::new(&ToolId::new("t"), &SessionId::new("s"));
        let forget = Statement::Forget {
            session: session.clone(),
        };
        let undone = Statement::ForgetUndone {
            session: session.clone(),
        };
        let receipt = Statement::Forgotten {
            session: session.clone(),
            left: None,
        };
        let forgotten = |lists: &[&[Statement]]| fold(lists).forgotten.contains_key(&session);
        assert!(forgotten(&[&[approve(1)], std::slice::from_ref(&forget)]));
        assert!(
            !forgotten(&[&[], std::slice::from_ref(&forget)]),
            "of a stranger"
        );
        assert!(!forgotten(&[
            &[approve(1)],
            &[forget.clone(), undone.clone()]
        ]));
        assert!(forgotten(&[&[approve(1), receipt], &[forget, undone]]));
    }

    fn statement() -> impl Strategy<Value = Statement> {
        let device = || (0usize..4).prop_map(id);
        prop_oneof![
            3 => (device(), proptest::collection::btree_map(device(), 0u64..6, 0..2))
                .prop_map(|(device, over)| Statement::Approve { device, name: "x".into(), over }),
            1 => device().prop_map(|device| Statement::Unapprove { device }),
            2 => (device(), 0u64..9, proptest::option::of(0u64..9)).prop_map(|(device, frames, cut)| Statement::Revoke {
                device,
                name: "x".into(),
                heads: [("live/x".to_owned(), frames)].into(),
                since: cut.map(|cut| Millis(cut as i64)),
                cut: cut.map(|cut| [("live/x".to_owned(), cut)].into()).unwrap_or_default(),
            }),
            1 => (device(), 0u64..9).prop_map(|(device, frames)| Statement::Heads {
                device,
                heads: [("live/x".to_owned(), frames)].into()
            }),
            2 => device().prop_map(|device| Statement::Follow { device }),
            1 => device().prop_map(|device| Statement::Unfollow { device }),
        ]
    }

    fn lists() -> impl Strategy<Value = Vec<Vec<Statement>>> {
        proptest::collection::vec(proptest::collection::vec(statement(), 0..6), 4)
    }

    fn fold_all(lists: &[Vec<Statement>]) -> DeviceList {
        fold(&lists.iter().map(Vec::as_slice).collect::<Vec<_>>())
    }

    proptest! {
        #[test]
        fn order_and_repetition_do_not_matter(lists in lists(), turn in 0usize..6) {
            let once = of(&lists.iter().map(Vec::as_slice).collect::<Vec<_>>());
            let mut other = once.clone();
            for stated in other.values_mut() {
                let again = stated.clone();
                stated.extend(again);
                let by = turn.min(stated.len());
                stated.rotate_left(by);
            }
            prop_assert_eq!(DeviceList::of(&id(0), &once, LIST), DeviceList::of(&id(0), &other, LIST));
        }

        #[test]
        fn what_nobody_approved_here_is_not_approved(lists in lists()) {
            let list = fold_all(&lists);
            let says = |author: usize, device: &DeviceId| {
                lists[author].iter().any(|said| matches!(said, Statement::Approve { device: about, .. } if about == device))
            };
            for (device, approved) in &list.approved {
                prop_assert!(*device != id(0) && !list.revoked.contains_key(device));
                let by = match &approved.via {
                    None => 0,
                    Some(via) => {
                        prop_assert!(list.followed.contains(via) && list.approved.get(via).is_some_and(|via| via.via.is_none()));
                        (0..4).find(|n| id(*n) == *via).expect("a device")
                    }
                };
                prop_assert!(says(by, device));
            }
        }

        #[test]
        fn a_stranger_changes_nothing(lists in lists(), more in proptest::collection::vec(statement(), 0..6)) {
            let mut other = lists.clone();
            let before = fold_all(&lists);
            // Device 3 was never approved by anybody here.
            let never = !lists[..3].iter().flatten().any(|said| {
                matches!(said, Statement::Approve { device, .. } if *device == id(3))
            });
            other[3].extend(more);
            if never {
                prop_assert_eq!(before, fold_all(&other));
            }
        }

        #[test]
        fn the_heads_of_a_revoked_device_are_those_of_others_that_are_not_revoked(lists in lists()) {
            let list = fold_all(&lists);
            for (device, revoked) in &list.revoked {
                let most = |counts: &dyn Fn(&DeviceId) -> bool| {
                    let authors = (0..4).filter(|n| id(*n) != *device && counts(&id(*n)));
                    let said = authors.flat_map(|n| &lists[n]);
                    let heads = said.filter_map(|said| match said {
                        Statement::Heads { device: about, heads }
                        | Statement::Revoke { device: about, heads, .. } if about == device => {
                            heads.get("live/x").copied()
                        }
                        _ => None,
                    });
                    heads.max().unwrap_or(0)
                };
                let counted = revoked.heads.get("live/x").copied().unwrap_or(0);
                prop_assert!(counted <= most(&|author| !list.revoked.contains_key(author)));
                let is_ours = |author: &DeviceId| {
                    *author == id(0) || list.approved.contains_key(author)
                };
                prop_assert!(most(&is_ours) <= counted);
            }
        }

        #[test]
        fn no_statement_of_a_device_about_itself_changes_the_list(
            lists in lists(), author in 0usize..4, at in 0usize..6, said in statement()
        ) {
            let about_itself = match said {
                Statement::Approve { name, over, .. } => Statement::Approve { device: id(author), name, over },
                Statement::Unapprove { .. } => Statement::Unapprove { device: id(author) },
                Statement::Revoke { name, heads, since, cut, .. } => {
                    Statement::Revoke { device: id(author), name, heads, since, cut }
                }
                Statement::Heads { heads, .. } => Statement::Heads { device: id(author), heads },
                _ => Statement::Follow { device: id(author) },
            };
            // Both lists have a frame there: the numbers of the others are the same.
            let (mut with, mut without) = (lists.clone(), lists);
            let at = at.min(with[author].len());
            with[author].insert(at, about_itself);
            without[author].insert(at, Statement::Unfollow { device: id(4) });
            prop_assert_eq!(fold_all(&with), fold_all(&without));
        }

        #[test]
        fn an_own_revocation_holds_whatever_others_state(lists in lists(), device in 1usize..4) {
            let mut lists = lists;
            lists[0].push(revoke(device, &[]));
            prop_assert!(fold_all(&lists).revoked.contains_key(&id(device)));
        }
    }
}
