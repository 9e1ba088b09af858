//! The two sides of a split: 20,000 messages, 50 MB, three kinds of common content. Timed like the
//! engine's answer: the record read from the state, compared, as JSON.

use crate::made::{
    Device, IMPORT, Shape, Writer, Written, key_of, line_end, reader, tip_of, write_journals,
};
use crate::{Took, middle, say_time};
use session_roam_core::reconcile::ingest::ingest;
use session_roam_core::reconcile::record::Dependents;
use session_roam_core::reconcile::session::SessionMut;
use session_roam_core::reconcile::split::branch_layout;
use session_roam_core::reconcile::{Context, SessionRecord};
use session_roam_core::session::{ChainId, SessionKey};
use session_roam_core::state::Row;
use session_roam_core::views::compare::{Compare, Wanted};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::Path;

const LINES: usize = 20_000;
/// Bytes of a line, so that both sides together have 50 MB.
const LINE: usize = 1_250;
const PAGE: u64 = 100;

pub fn measure(place: &Path) {
    let devices = Device::three();
    for shape in [Shape::Claude, Shape::Codex] {
        for (at, (name, right)) in [
            ("1 line in 50 edited", edited as fn(&[u8]) -> Vec<u8>),
            ("nothing in common", other),
            ("18,000 lines the same, 2,000 others", later),
        ]
        .into_iter()
        .enumerate()
        {
            let home = place.join(format!("diff-{shape:?}-{at}"));
            let context = reader(&home, &devices);
            let mut writer = Writer::new(shape, 77);
            let common = writer.lines(200_000);
            let left = lines(&mut writer, LINES);
            let right = right(&left);
            let ids = key_of(shape, &writer.id);
            let parting = tip_of(ChainId::log_start(), &common);
            let written = [
                Written {
                    device: &devices[0],
                    after: ChainId::log_start(),
                    bytes: &common,
                    frame: IMPORT,
                    minute: 0,
                },
                Written {
                    device: &devices[0],
                    after: parting,
                    bytes: &left,
                    frame: IMPORT,
                    minute: 1,
                },
                Written {
                    device: &devices[1],
                    after: parting,
                    bytes: &right,
                    frame: IMPORT,
                    minute: 2,
                },
            ];
            let dirs = write_journals(&context.vault, &ids, &written);
            let mut record = SessionRecord::default();
            ingest(&context, &mut record, &dirs).expect("journals can be read");
            // As left by the reconcile that notices a split.
            branch_layout(
                SessionMut::new(&context, &ids.0, &mut record),
                &Dependents::default(),
            )
            .expect("journals can be read");
            let record = serde_json::to_string(&record).expect("plain data");
            let megabytes = (left.len() + right.len()) as f64 / 1e6;
            of_pair(
                &format!("{shape:?}, {name}, {megabytes:.0} MB"),
                &context,
                &ids.0,
                &record,
            );
            std::fs::remove_dir_all(home).expect("its directory");
        }
    }
}

/// About `n` lines of similar size.
fn lines(writer: &mut Writer, n: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(n * LINE * 2);
    for _ in 0..n {
        let size = LINE / 4 + writer.dice.below(LINE as u64 * 3 / 2) as usize;
        writer.line(&mut out, size);
    }
    out
}

/// Every fiftieth line is replaced by a similar one, as after an edit.
fn edited(left: &[u8]) -> Vec<u8> {
    let line = |(at, line): (usize, &[u8])| match at % 50 {
        7 => String::from_utf8_lossy(line)
            .replace(" the ", " this ")
            .replace("\"uuid\":\"", "\"uuid\":\"e")
            .into_bytes(),
        _ => line.to_vec(),
    };
    // The first line differs, so that the two diverge before all lines.
    let mut right = Writer::new(Shape::Claude, 5).lines(500);
    right.extend(
        left.split_inclusive(|byte| *byte == b'\n')
            .enumerate()
            .flat_map(line),
    );
    right
}

fn other(left: &[u8]) -> Vec<u8> {
    let shape = if left.starts_with(b"{\"timestamp\"") {
        Shape::Codex
    } else {
        Shape::Claude
    };
    lines(&mut Writer::new(shape, 99), LINES)
}

/// The same conversation with a different end and a different beginning.
fn later(left: &[u8]) -> Vec<u8> {
    let mut right = Writer::new(Shape::Claude, 5).lines(500);
    right.extend_from_slice(&left[..line_end(left, left.len() * 9 / 10)]);
    right.extend(lines(&mut Writer::new(Shape::Claude, 6), LINES / 10));
    right
}

fn of_pair(name: &str, context: &Context, key: &SessionKey, record: &str) {
    let ask = |work: &dyn Fn(&Compare<'_>)| {
        Took::of(|| {
            let record: SessionRecord = serde_json::from_str(record).expect("as it was written");
            let row = Row {
                session: key.hash.clone(),
                ..Row::default()
            };
            let compare = Compare::new(context, key.clone(), row, record, BTreeMap::new());
            work(
                &compare
                    .expect("journals can be read")
                    .expect("it went two ways"),
            );
        })
    };
    let slowest = |times: &mut dyn Iterator<Item = Took>| {
        times.max_by_key(|took| took.clock).expect("there are some")
    };
    let page = |from: u64| {
        ask(&|compare| {
            let page = compare
                .diff(&Wanted::default(), (from, PAGE), false, false)
                .expect("a page");
            assert!(!page.rows.is_empty(), "there are rows at {from}");
            black_box(serde_json::to_string(&page).expect("plain data"));
        })
    };
    let forget = || *context.compared() = None;
    let first = middle(3, forget, |()| {
        page(0);
    });
    say_time(&format!("diff, {name}: first page"), first);
    say_time(&format!("diff, {name}: first page again"), page(0));
    let offered = ask(&|compare| {
        assert!(
            !compare
                .diff(&Wanted::default(), (0, 0), true, false)
                .expect("a page")
                .choices
                .is_empty(),
            "there is something to decide"
        );
    });
    say_time(&format!("diff, {name}: what may be decided"), offered);
    let total = Cell::new(0);
    ask(&|compare| {
        total.set(
            compare
                .diff(&Wanted::default(), (0, 1), false, false)
                .expect("a page")
                .total,
        )
    });
    let total = total.get();
    let later = slowest(&mut (1..20).map(|at| page(at * total / 21)));
    say_time(&format!("diff, {name}: slowest of 19 later pages"), later);
    let words = |at: u64| {
        ask(&|compare| {
            drop(black_box(
                compare
                    .words(&Wanted::default(), at * total / 21)
                    .expect("words"),
            ))
        })
    };
    say_time(
        &format!("diff, {name}: slowest words of 19 rows"),
        slowest(&mut (1..20).map(words)),
    );
}
