//! The conditions that hold in a world that has come to rest, whatever happened before.

use super::play::{Play, is_torn, nameless};
use crate::stories::journals::journals;
use crate::stories::talk::{neutral, whole};
use session_roam_core::api::SplitRow;
use session_roam_core::session::{SessionState, Tier};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

/// Descriptions of everything that is wrong.
pub fn wrongs(play: &mut Play) -> Vec<String> {
    let mut wrongs = play.all_forgot_the_same();
    wrongs.extend(lines_missing_in_vaults(play));
    let standings = standings(play);
    wrongs.extend(disagreements(play, &standings));
    wrongs.extend(unlike_docs(play, &standings));
    wrongs.extend(unreadable_lines(play, &standings));
    for device in &mut play.world.devices {
        let problems = device.status().problems;
        wrongs.extend(
            problems
                .iter()
                .map(|problem| format!("{} has a problem: {}", device.name, problem.message)),
        );
    }
    wrongs
}

/// The state of each session, by device.
type Standings = Vec<BTreeMap<String, String>>;

/// A half line of a dead process that is not the beginning of what came from elsewhere: the engine
/// leaves the file alone until a tool has opened it.
const TORN: &str = "torn";

fn standings(play: &mut Play) -> Standings {
    let mut standings = Standings::new();
    for at in 0..play.world.devices.len() {
        let rows = play.world.devices[at].sessions();
        let torn: Vec<String> = play
            .present(at)
            .iter()
            .filter(|(_, found)| is_torn(found))
            .map(|(_, found)| found.session.to_string())
            .collect();
        let state = |session: &str, state: SessionState| {
            let waits = state == SessionState::Waiting && torn.iter().any(|torn| torn == session);
            if waits {
                TORN.to_owned()
            } else {
                state.to_string()
            }
        };
        standings.push(
            rows.into_iter()
                .map(|row| (row.session.clone(), state(&row.session, row.state)))
                .collect(),
        );
    }
    standings
}

/// A session's docs as far as they may sync: of a log its whole lines.
fn docs(play: &Play, device: usize, session: &str) -> BTreeMap<String, Vec<u8>> {
    let docs = play.world.devices[device].docs(session).into_iter();
    docs.map(|(name, bytes)| (name.clone(), neutral(&whole(&name, &bytes))))
        .collect()
}

fn lines_missing_in_vaults(play: &Play) -> Vec<String> {
    let mut wrongs = Vec::new();
    for device in &play.world.devices {
        let mut known = BTreeSet::new();
        for journal in journals(device) {
            for (_, bytes) in journal.additions() {
                let lines = bytes.split_inclusive(|byte| *byte == b'\n');
                known.extend(lines.map(|line| nameless(line, journal.session())));
            }
        }
        let lost = play
            .said
            .iter()
            .filter(|(line, said)| !known.contains(*line) && !play.is_forgotten(&said.session));
        wrongs.extend(lost.map(|(line, said)| {
            format!(
                "the vault of {} lacks a line of {}: {}",
                device.name,
                said.session,
                line.escape_ascii()
            )
        }));
    }
    wrongs
}

fn disagreements(play: &mut Play, standings: &Standings) -> Vec<String> {
    let mut wrongs = Vec::new();
    let splits: Vec<Vec<SplitRow>> = play
        .world
        .devices
        .iter_mut()
        .map(|device| device.splits())
        .collect();
    splits.iter().for_each(|splits| play.note_forks(splits));
    let listed: Vec<_> = splits.iter().map(|splits| listed(play, splits)).collect();
    for (at, device) in play.world.devices.iter().enumerate().skip(1) {
        let first = &play.world.devices[0].name;
        if listed[at] != listed[0] {
            wrongs.push(format!(
                "{} lists other splits than {first}: {:?} and {:?}",
                device.name, listed[at], listed[0]
            ));
        }
        let own_way = |session: &str| {
            let torn = |on: &usize| {
                standings[*on]
                    .get(session)
                    .is_some_and(|state| state == TORN)
            };
            let deleted = |on: &usize| play.has_deleted(*on, session);
            play.is_cut(session) || [0, at].iter().any(|on| torn(on) || deleted(on))
        };
        let all: BTreeSet<&String> = standings[0].keys().chain(standings[at].keys()).collect();
        for session in all {
            let (one, other) = (standings[0].get(session), standings[at].get(session));
            if one != other && !own_way(session) {
                wrongs.push(format!(
                    "{session} is {one:?} on {first} and {other:?} on {}",
                    device.name
                ));
            }
        }
    }
    wrongs
}

/// Each split with its tier and its branches: id, session, records.
type Ledger = BTreeMap<String, (Tier, Vec<(String, String, u64)>)>;

/// Splits with their tiers and branches. Sessions whose own tool removed lines are left out: there
/// devices may differ.
fn listed(play: &Play, splits: &[SplitRow]) -> Ledger {
    let splits = splits.iter().filter(|split| !play.is_cut(&split.session));
    let branches = |split: &SplitRow| {
        let branches = split.branches.iter();
        branches
            .map(|branch| {
                (
                    branch.session.clone(),
                    branch.branch.clone(),
                    branch.records,
                )
            })
            .collect()
    };
    splits
        .map(|split| (split.session.clone(), (split.tier, branches(split))))
        .collect()
}

/// Sessions that are here on two devices with different content.
fn unlike_docs(play: &Play, standings: &Standings) -> Vec<String> {
    let mut wrongs = Vec::new();
    let mut seen: BTreeMap<String, (usize, BTreeMap<String, Vec<u8>>)> = BTreeMap::new();
    for (at, standing) in standings.iter().enumerate() {
        for (session, state) in standing {
            // Where a tool removed lines, nothing is written until the user decides: each device
            // has its own lines.
            let comparable = state == "here" || (state == "split" && !play.is_cut(session));
            let docs = docs(play, at, session);
            if state == "here" && docs.is_empty() {
                wrongs.push(format!(
                    "{session} is said to be here on {} and is not",
                    play.world.devices[at].name
                ));
            }
            if !comparable || docs.is_empty() {
                continue;
            }
            match seen.get(session) {
                Some((first, known)) if *known != docs => {
                    let names = [*first, at].map(|at| play.world.devices[at].name.clone());
                    wrongs.push(format!(
                        "{session} differs: {names:?}\n{}",
                        compared(known, &docs)
                    ));
                }
                Some(_) => {}
                None => drop(seen.insert(session.clone(), (at, docs))),
            }
        }
    }
    wrongs
}

fn compared(one: &BTreeMap<String, Vec<u8>>, other: &BTreeMap<String, Vec<u8>>) -> String {
    let names: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    let unlike = names
        .into_iter()
        .filter(|name| one.get(*name) != other.get(*name));
    let shown = |docs: &BTreeMap<String, Vec<u8>>, name: &String| {
        docs.get(name).map_or_else(
            || "nothing".into(),
            |bytes| String::from_utf8_lossy(bytes).into_owned(),
        )
    };
    unlike
        .map(|name| {
            format!(
                "  {name}:\n{}\n  and\n{}\n",
                shown(one, name),
                shown(other, name)
            )
        })
        .collect()
}

/// Lines of the conversation that are in no session of a device's store, although nothing explains
/// it. Joined branches have other lines, but their words are there.
fn unreadable_lines(play: &Play, standings: &Standings) -> Vec<String> {
    let mut wrongs = Vec::new();
    for (at, device) in play.world.devices.iter().enumerate() {
        let (mut readable, mut words) = (BTreeSet::new(), BTreeSet::new());
        for (_, found) in play.present(at) {
            for doc in &found.docs {
                let bytes = fs::read(&doc.path).expect("doc");
                let lines = bytes.split_inclusive(|byte| *byte == b'\n');
                readable.extend(lines.map(|line| nameless(line, found.session.as_str())));
            }
        }
        words.extend(readable.iter().filter_map(|line| word(line)));
        for (line, said) in play
            .said
            .iter()
            .filter(|(line, said)| said.says && !readable.contains(*line))
        {
            let is_joined = play.joined.contains(&play.root(&said.session));
            // A subagent's messages stay beside the branch that was joined, and so in the vault.
            let beside = String::from_utf8_lossy(line).contains("\"isSidechain\":true");
            let is_told =
                is_joined && (beside || word(line).is_none_or(|word| words.contains(&word)));
            if !is_told && !is_excused(play, standings, at, &said.session) {
                let (name, line) = (&device.name, line.escape_ascii());
                wrongs.push(format!(
                    "a line of {} can be read in no session on {name}: {line}",
                    said.session
                ));
            }
        }
    }
    wrongs
}

/// The word that occurs only in this line: `d1w7`. A line that a dead process left may end before
/// it.
fn word(line: &[u8]) -> Option<String> {
    let digits = |bytes: &[u8]| {
        bytes
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count()
    };
    (0..line.len()).find_map(|at| {
        let rest = line[at..].strip_prefix(b"d")?;
        let device = digits(rest);
        let number = digits(rest.get(device..)?.strip_prefix(b"w")?);
        let whole = 0 < device && 0 < number;
        whole.then(|| String::from_utf8_lossy(&line[at..at + 2 + device + number]).into_owned())
    })
}

fn is_excused(play: &Play, standings: &Standings, device: usize, session: &str) -> bool {
    if play.is_forgotten(session) {
        return true;
    }
    let root = play.root(session);
    let waits = standings[device]
        .iter()
        .any(|(other, state)| state == TORN && play.root(other) == root);
    waits
        || play.is_cut(session)
        || play.put_away.contains(&root)
        || play.has_deleted(device, session)
}
