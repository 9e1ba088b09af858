//! The rules of the plan as a table: one row a rule, the row's name is the rule.

use super::plan::{DocView, Guards, LocalTip, SessionView, Step, Verdict, plan};
use crate::session::{
    Chain, ChainId, DocKind, DocName, Edge, Hlc, Lane, Line, Millis, Replaced, Source, Spot, Tips, Trie,
};
use std::path::PathBuf;

/// Edges are never split in these tries: each run is told from one node to another.
struct Whole;

impl Tips for Whole {
    type Error = std::convert::Infallible;

    fn tips(&self, edge: &Edge) -> Result<Vec<Line>, Self::Error> {
        Ok(vec![Line { tip: edge.tip, end: edge.bytes, says: 0 < edge.said }])
    }
}

/// A doc of the session: its history as runs of one line or generation each, and what the store holds of it.
struct Doc {
    name: DocName,
    kind: DocKind,
    trie: Trie,
    local: Option<ChainId>,
    base: Option<ChainId>,
}

impl Doc {
    fn log(name: &str) -> Self {
        Self::of(name, DocKind::Log, ChainId::log_start())
    }

    fn snapshot(name: &str) -> Self {
        Self::of(name, DocKind::Snapshot, ChainId::snapshot_start())
    }

    fn of(name: &str, kind: DocKind, start: ChainId) -> Self {
        Self { name: DocName::new(name), kind, trie: Trie::new(start), local: None, base: None }
    }

    /// The node after these words, one word a line, from the start.
    fn node(&self, words: &str) -> ChainId {
        words.split_whitespace().fold(self.trie.start(), |tip, word| tip.then(format!("{word}\n").as_bytes()))
    }

    /// Some device has gone this way. A word that begins with `_` is only noted, not said.
    fn went(mut self, words: &str) -> Self {
        let mut after = self.trie.start();
        for word in words.split_whitespace() {
            let line = format!("{word}\n");
            let mut chain = Chain::from(after);
            chain.feed(line.as_bytes());
            let source = Source {
                device: "DESK".into(),
                lane: Lane::Live,
                spot: Spot { segment: 1, offset: 0, line: 0 },
                first: 0,
                end: 1,
                skip: 0,
            };
            let bytes = line.len() as u64;
            let says = !word.starts_with('_');
            let edge =
                Edge { after, tip: chain.tip, lines: 1, bytes, said: u64::from(says), source, at: Hlc::default() };
            let Ok(()) = self.trie.insert(edge, &[Line { tip: chain.tip, end: bytes, says }], None, &Whole);
            after = chain.tip;
        }
        self
    }

    /// Its author took it from one state to another that is no continuation.
    fn rewrote(mut self, from: &str, to: &str) -> Self {
        let (old, new) = (self.node(from), self.node(to));
        let at = Hlc { wall: Millis(0), count: self.trie.replaced().len() as u32 };
        let Ok(()) = self.trie.replace(Replaced { device: "DESK".into(), old, new, at }, &Whole);
        self
    }

    /// The store holds this.
    fn here(mut self, words: &str) -> Self {
        self.local = Some(self.node(words));
        self.base = self.local;
        self
    }

    /// The store held this when we last looked, and holds nothing now.
    fn gone(mut self, words: &str) -> Self {
        self.base = Some(self.node(words));
        self
    }
}

fn free() -> Guards {
    Guards { place: Some(PathBuf::from("/x")), tool_on: true, ..Guards::default() }
}

/// The first doc is the main one.
fn decide(docs: &[Doc], guards: Guards) -> Verdict {
    let views = docs.iter().enumerate().map(|(at, doc)| DocView {
        name: &doc.name,
        kind: doc.kind,
        main: at == 0,
        trie: &doc.trie,
        local: doc.local.map(|tip| LocalTip { tip }),
        base: doc.base,
    });
    plan(&SessionView { docs: views.collect(), guards })
}

/// A verdict in short: what is to be done, and with which docs.
fn short(verdict: &Verdict) -> String {
    let steps = |steps: &[Step]| -> String {
        let each = steps.iter().map(|step| match step {
            Step::Create { doc, .. } => format!("create {doc}"),
            Step::Append { doc, .. } => format!("append {doc}"),
            Step::Replace { doc, .. } => format!("replace {doc}"),
        });
        each.collect::<Vec<_>>().join(", ")
    };
    match verdict {
        Verdict::Here => "here".into(),
        Verdict::Elsewhere { .. } => "elsewhere".into(),
        Verdict::Checkout(list) => steps(list),
        Verdict::Waiting { code, steps: list, .. } => format!("wait {code}: {}", steps(list)),
        Verdict::Split { doc, tips, .. } => format!("split {doc} in {}", tips.len()),
        Verdict::Held { code, steps: list, .. } => format!("hold {code}: {}", steps(list)),
        Verdict::Arriving => "arriving".into(),
    }
}

fn log() -> Doc {
    Doc::log("main")
}

fn side() -> Doc {
    Doc::snapshot("side")
}

#[test]
fn what_the_docs_say() {
    let rows: Vec<(&str, Vec<Doc>, &str)> = vec![
        ("nothing_known_is_arriving", vec![log()], "arriving"),
        ("equal_is_here", vec![log().went("a b").here("a b")], "here"),
        ("opening_it_elsewhere_is_no_split", vec![log().went("a b").went("a _open").here("a b")], "here"),
        (
            "what_opening_noted_gives_way_to_words",
            vec![log().went("a b").went("a _open").here("a _open")],
            "replace main",
        ),
        ("words_on_both_sides_are_a_split", vec![log().went("a b").went("a _open c").here("a b")], "split main in 2"),
        (
            "taken_back_and_restored_is_here",
            vec![log().went("a b").rewrote("a b", "a").rewrote("a", "a b").here("a b")],
            "here",
        ),
        ("new_elsewhere_is_created", vec![log().went("a b")], "create main"),
        ("longer_elsewhere_is_appended", vec![log().went("a b c").here("a")], "append main"),
        ("nothing_but_the_start_here_is_appended", vec![log().went("a").here("")], "append main"),
        ("both_went_on_is_a_split", vec![log().went("a b").went("a c").here("a b")], "split main in 2"),
        ("three_ways_are_three", vec![log().went("a b").went("a c").went("d")], "split main in 3"),
        (
            "a_split_in_a_side_doc_is_one",
            vec![log().went("a").here("a"), side().went("x y").went("x z")],
            "split side in 2",
        ),
        (
            "rewritten_by_its_author_here_is_no_split",
            vec![log().went("a b").went("a c").rewrote("a b", "a c").here("a c")],
            "here",
        ),
        (
            "rewritten_elsewhere_is_held",
            vec![log().went("a b").went("a c").rewrote("a b", "a c").here("a b")],
            "hold rewritten: replace main",
        ),
        (
            "shortened_elsewhere_is_held",
            vec![log().went("a b c").rewrote("a b c", "a").here("a b c")],
            "hold rewritten: replace main",
        ),
        ("rewritten_and_not_here_is_created", vec![log().went("a b").went("a c").rewrote("a b", "a c")], "create main"),
        (
            "a_snapshots_next_generation_is_no_rewrite",
            vec![log().went("a").here("a"), side().went("x y").here("x")],
            "replace side",
        ),
        (
            "a_snapshot_taken_back_is_held",
            vec![log().went("a").here("a"), side().went("x y").rewrote("x y", "x").here("x y")],
            "hold rewritten: replace side",
        ),
        ("a_new_side_doc_is_created", vec![log().went("a").here("a"), side().went("x")], "create side"),
        ("deleted_here_stays_deleted", vec![log().went("a b").gone("a b")], "elsewhere"),
        ("deleted_here_and_gone_on_elsewhere_comes_back", vec![log().went("a b c").gone("a b")], "create main"),
        ("a_deleted_side_doc_stays_deleted", vec![log().went("a").here("a"), side().went("x").gone("x")], "here"),
        (
            "a_session_that_comes_back_brings_its_side_docs",
            vec![log().went("a b").gone("a"), side().went("x").gone("x")],
            "create main, create side",
        ),
        ("all_deleted_here_stays_deleted", vec![log().went("a").gone("a"), side().went("x").gone("x")], "elsewhere"),
    ];
    for (rule, docs, wanted) in rows {
        assert_eq!(short(&decide(&docs, free())), wanted, "{rule}");
    }
}

#[test]
fn what_stands_against_writing() {
    let change = |edit: fn(&mut Guards)| {
        let mut guards = free();
        edit(&mut guards);
        guards
    };
    let new = || vec![log().went("a")];
    let more = || vec![log().went("a b").here("a")];
    let rewritten = || vec![log().went("a b").went("a c").rewrote("a b", "a c").here("a b")];
    let equal = || vec![log().went("a").here("a")];
    let rows: Vec<(&str, Vec<Doc>, Guards, &str)> = vec![
        ("a_tool_that_is_off_waits", more(), change(|guards| guards.tool_on = false), "wait tool_off: append main"),
        ("an_excluded_project_waits", more(), change(|guards| guards.excluded = true), "wait excluded: append main"),
        ("an_emptied_store_is_held", new(), change(|guards| guards.tool_held = true), "hold tool_emptied: create main"),
        ("no_place_waits", new(), change(|guards| guards.place = None), "wait no_place: create main"),
        ("what_is_here_needs_no_place", more(), change(|guards| guards.place = None), "append main"),
        (
            "a_missing_parent_waits",
            new(),
            change(|guards| guards.missing_parents = vec!["p".into()]),
            "wait parent: create main",
        ),
        ("an_open_session_waits", more(), change(|guards| guards.live = Some("x".into())), "wait live: append main"),
        ("nothing_to_write_waits_for_nothing", equal(), change(|guards| guards.live = Some("x".into())), "here"),
        ("nothing_to_write_needs_no_place", equal(), Guards::default(), "here"),
        ("a_released_rewrite_is_written", rewritten(), change(|guards| guards.rewrite_released = true), "replace main"),
        (
            "a_released_rewrite_still_waits_for_the_tool",
            rewritten(),
            change(|guards| (guards.rewrite_released, guards.live) = (true, Some("x".into()))),
            "wait live: replace main",
        ),
        (
            "a_rewrite_is_held_even_while_the_session_is_open",
            rewritten(),
            change(|guards| guards.live = Some("x".into())),
            "hold rewritten: replace main",
        ),
        (
            "an_excluded_project_waits_whatever_else_holds_it",
            rewritten(),
            change(|guards| (guards.excluded, guards.tool_held) = (true, true)),
            "wait excluded: replace main",
        ),
    ];
    for (rule, docs, guards, wanted) in rows {
        assert_eq!(short(&decide(&docs, guards)), wanted, "{rule}");
    }
}

#[test]
fn steps_say_from_where_to_where() {
    let doc = log().went("a b c").here("a");
    let (from, to) = (doc.node("a"), doc.node("a b c"));
    let wanted = Verdict::Checkout(vec![Step::Append { doc: DocName::new("main"), from, to }]);
    assert_eq!(decide(&[doc], free()), wanted);
}
