//! Union and projection: from the journals of three devices to tries, and from there to the bytes
//! of files. In the same run, the cost of simpler work on the same bytes.

use crate::made::{Device, IMPORT, Made, Shape, reader, split_session};
use crate::{middle, say_speed};
use session_roam_core::merge::substitute;
use session_roam_core::reconcile::ingest::ingest;
use session_roam_core::reconcile::record::Dependents;
use session_roam_core::reconcile::session::SessionMut;
use session_roam_core::reconcile::split::{BranchLayout, branch_layout};
use session_roam_core::reconcile::{Context, SessionRecord};
use session_roam_core::session::{ChainId, DocKind, Edge, Line, Trie};
use std::hint::black_box;
use std::io::{Read, Write};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A session's runs of lines, chained.
type Runs = Vec<(Edge, Vec<Line>)>;

const ROUNDS: usize = 3;
/// As many as the engine has.
const WORKERS: usize = 4;
/// A frame of live work: the usual size of a tool's write.
const LIVE: usize = 6_000;

pub fn measure(place: &Path) {
    let devices = Device::three();
    let sets = [
        ("40 sessions, imported", 40, 2_500_000, IMPORT),
        ("20 sessions, written live", 20, 1_500_000, LIVE),
        ("1 session, imported", 1, 100_000_000, IMPORT),
        ("1 session, written live", 1, 30_000_000, LIVE),
    ];
    for (at, (name, sessions, bytes, frame)) in sets.into_iter().enumerate() {
        let context = reader(&place.join(at.to_string()), &devices);
        let shape = |seed: usize| {
            if seed.is_multiple_of(2) {
                Shape::Claude
            } else {
                Shape::Codex
            }
        };
        let made: Vec<Made> = (0..sessions)
            .map(|seed| {
                split_session(
                    &context,
                    &devices,
                    shape(seed),
                    seed as u64 + 1,
                    bytes,
                    frame,
                )
            })
            .collect();
        of_set(name, &context, &made);
        if at == 0 {
            plainer(&place.join("plain"), &made);
            parts(&context, &made);
        }
        std::fs::remove_dir_all(place.join(at.to_string())).expect("its directory");
    }
}

fn of_set(name: &str, context: &Context, made: &[Made]) {
    let total: u64 = made.iter().map(|made| made.bytes).sum();
    let afresh = || drop(std::fs::remove_dir_all(context.vault.kept.root()));
    let mut records = Vec::new();
    let took = middle(ROUNDS, afresh, |()| {
        records = made.iter().map(|made| union(context, made)).collect()
    });
    say_speed(
        &format!("union, {name}, {:.0} MB", total as f64 / 1e6),
        total,
        took,
    );
    if 1 < made.len() {
        let took = middle(ROUNDS, afresh, |()| side_by_side(context, made));
        say_speed(&format!("union, {name}, side by side"), total, took);
    }
    let layout: Vec<(SessionRecord, BranchLayout)> = made
        .iter()
        .zip(records)
        .map(|(made, mut record)| {
            let layout = branch_layout(
                SessionMut::new(context, &made.key, &mut record),
                &Dependents::default(),
            )
            .expect("journals can be read");
            assert_eq!(
                layout.forks.len(),
                2,
                "a session that went three ways has two forks"
            );
            (record, layout)
        })
        .collect();
    let mut bytes = 0;
    let took = middle(
        ROUNDS,
        || (),
        |()| {
            bytes = made
                .iter()
                .zip(&layout)
                .map(|(made, (record, layout))| project(context, made, record, layout))
                .sum();
        },
    );
    say_speed(
        &format!("projection, {name}, {:.0} MB", bytes as f64 / 1e6),
        bytes,
        took,
    );
}

/// Reads the sessions as the engine does: each is read by one of its workers.
fn side_by_side(context: &Context, made: &[Made]) {
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some(made) = made.get(next.fetch_add(1, Ordering::Relaxed)) {
            black_box(union(context, made));
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(work);
        }
    });
}

/// Reads a session from all its journals, like the product when they arrive.
fn union(context: &Context, made: &Made) -> SessionRecord {
    let mut record = SessionRecord::default();
    let done = ingest(context, &mut record, &made.dirs).expect("journals can be read");
    assert!(done.problems.is_empty(), "{:?}", done.problems);
    let held: u64 = record
        .docs
        .values()
        .flat_map(|doc| doc.trie.edges())
        .map(|edge| edge.bytes)
        .sum();
    assert_eq!(held, made.bytes, "every line is there once");
    record
}

/// Renders the session's file and those of its forks; returns their size in bytes.
fn project(context: &Context, made: &Made, record: &SessionRecord, layout: &BranchLayout) -> u64 {
    let state = &record.docs[&made.doc];
    let journal_reader = context.journal_reader(&made.key.tool, &record.journals, &made.doc);
    let content = |tip: ChainId| {
        let path = state.trie.path(tip).expect("an end of the trie");
        journal_reader
            .content(DocKind::Log, &path)
            .expect("journals can be read")
    };
    let mut bytes = black_box(content(layout.settled.targets[&made.doc])).len() as u64;
    for fork in &layout.forks {
        let mut text = content(fork.targets[&made.doc]);
        substitute(&mut text, &fork.of, &fork.session);
        bytes += black_box(text).len() as u64;
    }
    bytes
}

/// The parts of the union, one after the other: chaining alone, inserting lines that are chained
/// already.
fn parts(context: &Context, made: &[Made]) {
    let total: u64 = made.iter().map(|made| made.bytes).sum();
    let took = middle(
        ROUNDS,
        || (),
        |()| {
            for made in made {
                let is_message = context.is_message(&made.key.tool);
                made.plain.iter().for_each(|bytes| {
                    drop(black_box(Line::chained(
                        ChainId::log_start(),
                        bytes,
                        is_message,
                    )))
                });
            }
        },
    );
    say_speed(
        "of it: chaining lines and telling words from notes",
        total,
        took,
    );
    let runs: Vec<(SessionRecord, Runs)> = made.iter().map(|made| chained(context, made)).collect();
    let took = middle(
        ROUNDS,
        || (),
        |()| {
            for (made, (record, runs)) in made.iter().zip(&runs) {
                let mut trie = Trie::new(ChainId::log_start());
                let journal_reader =
                    context.journal_reader(&made.key.tool, &record.journals, &made.doc);
                for (edge, tips) in runs {
                    trie.insert(edge.clone(), tips, None, &journal_reader)
                        .expect("journals can be read");
                }
                black_box(trie);
            }
        },
    );
    say_speed("of it: inserting lines that are chained", total, took);
}

/// The runs of a session's trie, chained: the input of an insertion.
fn chained(context: &Context, made: &Made) -> (SessionRecord, Vec<(Edge, Vec<Line>)>) {
    let record = union(context, made);
    let journal_reader = context.journal_reader(&made.key.tool, &record.journals, &made.doc);
    let edges = record.docs[&made.doc].trie.edges();
    let runs = edges.iter().map(|edge| {
        let tips = session_roam_core::session::LineSource::tips(&journal_reader, edge)
            .expect("journals can be read");
        (edge.clone(), tips)
    });
    let runs = runs.collect();
    drop(journal_reader);
    (record, runs)
}

/// Copying, hashing, and a merge that parses and sorts: every line to a value, by its time.
fn plainer(place: &Path, made: &[Made]) {
    std::fs::create_dir_all(place).expect("a directory");
    let total: u64 = made.iter().map(|made| made.bytes).sum();
    let files: Vec<_> = made
        .iter()
        .flat_map(|made| &made.plain)
        .enumerate()
        .collect();
    let path = |at: usize| place.join(at.to_string());
    for (at, bytes) in &files {
        std::fs::write(path(*at), bytes).expect("a file");
    }
    let took = middle(
        ROUNDS,
        || (),
        |()| {
            for (at, _) in &files {
                let mut bytes = Vec::new();
                std::fs::File::open(path(*at))
                    .and_then(|mut file| file.read_to_end(&mut bytes))
                    .expect("a file");
                let copy = std::fs::File::create(place.join("copy"));
                copy.and_then(|mut file| file.write_all(&bytes))
                    .expect("a copy");
            }
        },
    );
    say_speed("beside: read and write the files", total, took);
    let took = middle(
        ROUNDS,
        || (),
        |()| {
            files.iter().for_each(|(_, bytes)| {
                black_box(blake3::hash(bytes));
            })
        },
    );
    say_speed("beside: BLAKE3 of the files", total, took);
    let took = middle(
        ROUNDS,
        || (),
        |()| {
            for made in made {
                let lines = made
                    .plain
                    .iter()
                    .flat_map(|bytes| bytes.split(|byte| *byte == b'\n'));
                let mut values: Vec<serde_json::Value> = lines
                    .filter_map(|line| serde_json::from_slice(line).ok())
                    .collect();
                values.sort_by(|one, other| {
                    one["timestamp"].as_str().cmp(&other["timestamp"].as_str())
                });
                black_box(values);
            }
        },
    );
    say_speed("beside: parse all lines and sort them by time", total, took);
}
