//! Where a session began: the device that recorded the first line of its main doc. A card's claim
//! and its author's time decide nothing: any device may claim either.
//!
//! A first line may be in several journals: the same store was copied to two machines before they
//! met, every device recorded the same fork, a device republished what it found, or a device is
//! malicious. Of the devices that recorded it, this device comes first, then those that have it in
//! their own store, then those that republished it. A copied store names directories that its new
//! device never had, so of devices that have it in their store, one that knows a repository comes
//! before one that knows a path only; so it does before this device where the session's directory
//! is missing here. Among equals a hash of the session and the device decides, the same on every
//! device and beyond any author's choice.

use super::context::{Context, Shared};
use super::record::{Origin, Root, Roots, SessionRecord};
use crate::projects::places::is_repository;
use crate::session::{ChainId, DocName, Hlc, SessionId, ToolId};
use crate::vault::piece::Piece;
use crate::vault::{Entry, JournalError, SessionCard};
use std::collections::BTreeSet;
use std::path::Path;

/// How good a claim is; less is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Claim {
    Own,
    /// In the store of another device, which knows the session's repository.
    StoredInRepository,
    /// In this device's store, where the session's directory is missing and no repository is known.
    OwnWithoutDirectory,
    Stored,
    PassedOn,
    /// The author recorded no first line: the device that did has not arrived yet.
    Unfounded,
    /// The card names a main doc that the tool does not have as such.
    Impossible,
}

/// Notes that `device` recorded a first line of a doc.
pub fn note(roots: &mut Roots, device: &str, root: Root) {
    let known = roots.entry(device.to_owned()).or_insert(root);
    known.stored |= root.stored;
    known.at = known.at.min(root.at);
}

/// Determines where the session began, after its journals were read. Reads them again for a record
/// of an older version; afterwards the roots are kept up to date line by line.
pub fn find_origin(
    context: &Context,
    tool: &ToolId,
    record: &mut SessionRecord,
) -> Result<(), JournalError> {
    if 1 < record.cards.len() {
        let mains: BTreeSet<DocName> = record
            .cards
            .values()
            .map(|device_card| device_card.card.main.clone())
            .collect();
        for main in mains {
            if record
                .docs
                .get(&main)
                .is_some_and(|state| state.roots.is_none())
            {
                let roots = find(context, tool, record, &main)?;
                record.docs.get_mut(&main).expect("looked up above").roots = Some(roots);
            }
        }
    }
    let adapter = context.tools.get(tool);
    let is_main = |doc: &DocName| adapter.is_none_or(|adapter| adapter.is_main(doc));
    let is_missing = |dir: &Path| !dir.is_dir();
    record.origin = choose(
        record,
        &context.short,
        &context.shared(),
        (is_main, is_missing),
    );
    Ok(())
}

/// This device's card of a session that was in its own store from the first line on, also if
/// another device knows more of the session's project.
pub fn own_card<'r>(context: &Context, record: &'r SessionRecord) -> Option<&'r SessionCard> {
    if context.began(record) {
        return record.origin();
    }
    let card = &record.cards.get(&context.short)?.card;
    let roots = record.docs.get(&card.main)?.roots.as_ref()?;
    let is_stored = roots.get(&context.short).is_some_and(|root| root.stored);
    (is_stored && card.fork.is_none()).then_some(card)
}

fn choose(
    record: &SessionRecord,
    own: &str,
    shared: &Shared,
    (is_main, is_missing): (impl Fn(&DocName) -> bool, impl Fn(&Path) -> bool),
) -> Option<Origin> {
    let alone = record.cards.len() == 1;
    let is_own = |device: &str, at: Hlc| {
        device == own
            || shared
                .former
                .get(device)
                .is_some_and(|until| at.wall <= *until)
    };
    let is_adrift = |card: &SessionCard| {
        let dir = card.cwd.as_deref().map(Path::new);
        !is_repository(&card.project.key) && dir.is_some_and(&is_missing)
    };
    let claim = |device: &str, card: &SessionCard| {
        let main = &card.main;
        let state = record.docs.get(main);
        let root = state
            .and_then(|state| state.roots.as_ref())
            .and_then(|roots| roots.get(device));
        match root {
            Some(root) if root.stored && is_own(device, root.at) => match is_adrift(card) {
                true => Claim::OwnWithoutDirectory,
                false => Claim::Own,
            },
            // Before a second device recorded a card, roots need not be known.
            None if alone
                && state.is_some_and(|state| state.roots.is_none())
                && is_own(device, Hlc::default()) =>
            {
                Claim::Own
            }
            _ if !is_main(main) => Claim::Impossible,
            Some(root) if root.stored => match is_repository(&card.project.key) {
                true => Claim::StoredInRepository,
                false => Claim::Stored,
            },
            Some(_) => Claim::PassedOn,
            None => Claim::Unfounded,
        }
    };
    let claims = record
        .cards
        .iter()
        .map(|(device, said)| (claim(device, &said.card), device));
    let lot = |device: &str| lot(record.session.as_ref(), device);
    let (claim, device) =
        claims.min_by_key(|(claim, device)| (*claim, lot(device), device.as_str()))?;
    Some(Origin {
        device: device.clone(),
        here: matches!(claim, Claim::Own | Claim::OwnWithoutDirectory),
    })
}

/// Decides between equal claims: a device cannot choose its value without becoming another device.
fn lot(session: Option<&SessionId>, device: &str) -> [u8; 32] {
    let session = session.map(SessionId::as_str).unwrap_or_default();
    blake3::derive_key(
        "session-roam v1 origin",
        format!("{session}\n{device}").as_bytes(),
    )
}

/// Finds who recorded a first line of the doc; reads all journals.
fn find(
    context: &Context,
    tool: &ToolId,
    record: &SessionRecord,
    name: &DocName,
) -> Result<Roots, JournalError> {
    let journal_reader = context.journal_reader(tool, &record.journals, name);
    let starts = [ChainId::log_start(), ChainId::snapshot_start()];
    let mut roots = Roots::new();
    for journal in record.journals.values() {
        journal_reader.scan(journal, |head, entry| {
            let (doc, at, after, replaces, is_empty) = match entry {
                Entry::Lines {
                    doc,
                    at,
                    after,
                    replaces,
                    bytes,
                    ..
                } => (doc, at, after, *replaces, bytes.is_empty()),
                Entry::Whole { doc, at, after, .. } => (doc, at, after, None, false),
                Entry::Piece(Piece {
                    doc,
                    at,
                    after,
                    replaces,
                    ..
                }) => (doc, at, after, *replaces, false),
                _ => return,
            };
            if doc == name && starts.contains(after) && replaces.is_none() && !is_empty {
                note(
                    &mut roots,
                    &journal.device,
                    Root {
                        stored: !at.is_empty(),
                        at: head.at,
                    },
                );
            }
        })?;
    }
    Ok(roots)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reconcile::record::DeviceCard;
    use crate::reconcile::record::DocState;
    use crate::session::{DocKind, Millis, Project, ProjectKey};
    use crate::vault::SessionCard;
    use proptest::prelude::*;

    const MAIN: &str = "transcript.jsonl";

    fn at(wall: i64) -> Hlc {
        Hlc {
            wall: Millis(wall),
            count: 0,
        }
    }

    fn card(main: &str, project: &str) -> SessionCard {
        SessionCard {
            project: Project::new(ProjectKey::new(project)),
            cwd: None,
            title: None,
            updated: Millis(0),
            version: None,
            requires: Vec::new(),
            part_of: None,
            main: DocName::new(main),
            base: None,
            fork: None,
        }
    }

    /// Devices, each with its main doc, the time of its card, and how it recorded that doc's first
    /// line.
    fn record(session: &str, devices: &[(&str, &str, i64, Option<bool>)]) -> SessionRecord {
        let mut record = SessionRecord {
            session: Some(SessionId::new(session)),
            ..SessionRecord::default()
        };
        for (device, main, when, stored) in devices {
            record.cards.insert(
                (*device).into(),
                DeviceCard {
                    at: at(*when),
                    card: card(main, device),
                },
            );
            let state = DocState::new(DocKind::Log, String::new());
            let state = record.docs.entry(DocName::new(*main)).or_insert(state);
            if let Some(stored) = *stored {
                let roots = state.roots.get_or_insert_default();
                note(
                    roots,
                    device,
                    Root {
                        stored,
                        at: at(*when),
                    },
                );
            }
        }
        record
    }

    fn began(record: &SessionRecord, own: &str, former: &[(&str, i64)]) -> (String, bool) {
        began_with(record, own, former, |_| false)
    }

    fn began_with(
        record: &SessionRecord,
        own: &str,
        former: &[(&str, i64)],
        is_missing: fn(&Path) -> bool,
    ) -> (String, bool) {
        let former = former
            .iter()
            .map(|(short, until)| ((*short).to_owned(), Millis(*until)))
            .collect();
        let shared = Shared {
            former,
            ..Shared::default()
        };
        let is_main = |doc: &DocName| doc.as_str() == MAIN;
        let origin = choose(record, own, &shared, (is_main, is_missing)).expect("a card");
        (origin.device, origin.here)
    }

    /// F8: the origin was whoever claimed the smallest time.
    #[test]
    fn a_claim_is_as_good_as_what_its_author_recorded() {
        let (yes, passed, no) = (Some(true), Some(false), None);
        type Case = (
            &'static str,
            Vec<(&'static str, &'static str, i64, Option<bool>)>,
            (&'static str, bool),
        );
        let cases: Vec<Case> = vec![
            (
                "an earlier time is no claim",
                vec![("own", MAIN, 9, yes), ("mal", MAIN, 1, no)],
                ("own", true),
            ),
            (
                "nor is it between two others",
                vec![("desk", MAIN, 9, yes), ("mal", MAIN, 1, no)],
                ("desk", false),
            ),
            (
                "this device comes before a copy",
                vec![("own", MAIN, 9, yes), ("mal", MAIN, 1, yes)],
                ("own", true),
            ),
            (
                "who passed it on comes last",
                vec![("desk", MAIN, 9, yes), ("mal", MAIN, 1, passed)],
                ("desk", false),
            ),
            (
                "also this device",
                vec![("desk", MAIN, 9, yes), ("own", MAIN, 1, passed)],
                ("desk", false),
            ),
            (
                "another main doc is none",
                vec![("desk", MAIN, 9, yes), ("mal", "x.jsonl", 1, yes)],
                ("desk", false),
            ),
            (
                "not even without a rival's lines",
                vec![("desk", MAIN, 9, no), ("mal", "x.jsonl", 1, yes)],
                ("desk", false),
            ),
            (
                "until they arrive, any card",
                vec![("desk", MAIN, 9, no)],
                ("desk", false),
            ),
        ];
        for (what, devices, expected) in cases {
            let (device, here) = began(&record("s", &devices), "own", &[]);
            assert_eq!((device.as_str(), here), expected, "{what}");
        }
    }

    /// Of a session that two devices have in their stores, the copy's device decided in half of the
    /// sessions, and its directories are another machine's.
    #[test]
    fn a_repository_says_more_of_a_session_than_a_directory_that_may_be_another_machines() {
        let mut record = record(
            "s",
            &[("own", MAIN, 1, Some(true)), ("desk", MAIN, 1, Some(true))],
        );
        let mut knows = |device: &str, key: &str| {
            let card = &mut record.cards.get_mut(device).expect("a card").card;
            card.project = Project::new(ProjectKey::new(key));
            card.cwd = Some("/home/ada/code/api".into());
        };
        knows("own", "device:OWN:/home/ada/code/api");
        knows("desk", "git:h/acme/api");
        let third = (0..16).map(|number| {
            let session = Some(SessionId::new(format!("session {number}")));
            let record = SessionRecord {
                session,
                ..record.clone()
            };
            began(&record, "third", &[])
        });
        let mut third = third.collect::<Vec<_>>();
        third.dedup();
        assert_eq!(third, [("desk".to_owned(), false)]);
        let here = |record: &SessionRecord, is_missing| began_with(record, "own", &[], is_missing);
        assert_eq!(here(&record, |_| false), ("own".into(), true));
        assert_eq!(here(&record, |_| true), ("desk".into(), false));
        // Another device's path is worth no more than this one's.
        let mut knows = |device: &str, key: &str| {
            let card = &mut record.cards.get_mut(device).expect("a card").card;
            card.project = Project::new(ProjectKey::new(key));
        };
        knows("desk", "home:code/api");
        assert_eq!(here(&record, |_| true), ("own".into(), true));
        let card = &mut record.cards.get_mut("own").expect("a card").card;
        card.project = Project::new(ProjectKey::new("git:h/me/api"));
        let card = &mut record.cards.get_mut("desk").expect("a card").card;
        card.project = Project::new(ProjectKey::new("git:h/acme/api"));
        assert_eq!(here(&record, |_| true), ("own".into(), true));
    }

    #[test]
    fn what_this_device_recorded_under_a_former_identity_is_its_own_until_it_gave_that_up() {
        let devices = [
            ("was", MAIN, 5, Some(true)),
            ("mal", MAIN, 1, Some(true)),
            ("own", MAIN, 9, Some(false)),
        ];
        let record = record("s", &devices);
        assert_eq!(began(&record, "own", &[("was", 7)]), ("was".into(), true));
        assert!(!began(&record, "own", &[("was", 3)]).1);
    }

    proptest! {
        #[test]
        fn no_claimed_time_and_no_order_decides_between_others(
            session in "[a-z]{1,8}",
            mut devices in prop::collection::btree_map("[a-z]{4}", any::<(u8, i64, i64)>(), 1..6)
        ) {
            devices.remove("own");
            prop_assume!(!devices.is_empty());
            let made = |second: bool| {
                let all: Vec<_> = devices.iter().map(|(device, (kind, one, two))| {
                    let stored = [None, Some(false), Some(true)][usize::from(kind % 3)];
                    (device.as_str(), if kind % 5 == 0 { "x" } else { MAIN }, if second { *two } else { *one }, stored)
                }).collect();
                record(&session, &all)
            };
            prop_assert_eq!(began(&made(false), "own", &[]), began(&made(true), "own", &[]));
        }
    }
}
