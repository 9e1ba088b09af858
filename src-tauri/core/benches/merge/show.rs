//! Opening a transcript of 50 MB: the first page, a later one, one part. Timed like the engine's
//! answer: the record read from the state, a page read, as JSON.

use crate::made::{Device, IMPORT, Shape, Writer, Written, key_of, reader, write_journals};
use crate::{Took, middle, say_time};
use session_roam_core::api::SessionRow;
use session_roam_core::reconcile::ingest::ingest;
use session_roam_core::reconcile::session::Session;
use session_roam_core::reconcile::{Context, SessionRecord};
use session_roam_core::session::{ChainId, SessionKey};
use session_roam_core::views::export::{Wanted, part, show};
use session_roam_core::views::transcript::Names;
use std::hint::black_box;
use std::path::Path;

const BYTES: usize = 50_000_000;
const PAGE: u64 = 100;

pub fn measure(place: &Path) {
    let devices = Device::three();
    for shape in [Shape::Claude, Shape::Codex] {
        let home = place.join(format!("show-{shape:?}"));
        let context = reader(&home, &devices);
        let mut writer = Writer::new(shape, 78);
        let bytes = writer.lines(BYTES);
        let ids = key_of(shape, &writer.id);
        let written = Written {
            device: &devices[0],
            after: ChainId::log_start(),
            bytes: &bytes,
            frame: IMPORT,
            minute: 0,
        };
        let dirs = write_journals(&context.vault, &ids, &[written]);
        let mut record = SessionRecord::default();
        ingest(&context, &mut record, &dirs).expect("journals can be read");
        let record = serde_json::to_string(&record).expect("plain data");
        of_session(
            &format!("{shape:?}, {:.0} MB", bytes.len() as f64 / 1e6),
            &context,
            &ids.0,
            &record,
        );
        std::fs::remove_dir_all(home).expect("its directory");
    }
}

fn of_session(name: &str, context: &Context, key: &SessionKey, record: &str) {
    let read = || serde_json::from_str::<SessionRecord>(record).expect("as it was written");
    let page = |from: u64| {
        let wanted = Wanted::Page { from, rows: PAGE };
        let shown = show(
            Session::new(context, key, &read()),
            row(),
            &Names::default(),
            wanted,
        )
        .expect("a page");
        assert!(!shown.messages.is_empty(), "there are messages at {from}");
        black_box(serde_json::to_string(&shown).expect("plain data"));
        shown.total
    };
    let first = middle(3, || context.transcripts().clear(), |()| _ = page(0));
    say_time(&format!("show, {name}: first page"), first);
    let total = page(0);
    say_time(
        &format!("show, {name}: first page again"),
        Took::of(|| _ = page(0)),
    );
    let later = (1..20)
        .map(|at| Took::of(|| _ = page(at * total / 21)))
        .max_by_key(|took| took.clock);
    say_time(
        &format!("show, {name}: slowest of 19 later pages"),
        later.expect("there are some"),
    );
    let one = |at: u64| {
        Took::of(|| {
            drop(black_box(
                part(Session::new(context, key, &read()), at * total / 21, 0).expect("a part"),
            ))
        })
    };
    let slowest = (1..20)
        .map(one)
        .max_by_key(|took| took.clock)
        .expect("there are some");
    say_time(&format!("show, {name}: slowest of 19 parts"), slowest);
}

fn row() -> SessionRow {
    let text = String::new;
    SessionRow {
        session: text(),
        tool: text(),
        project: text(),
        title: text(),
        updated: text(),
        bytes: 0,
        devices: Vec::new(),
        state: session_roam_core::session::SessionState::Here,
        path: None,
        why: None,
    }
}
