//! The rules of the plan as a table: one row per rule, named after the rule.

use super::choice::{Action, Choice, ChoiceId, Chosen, Decided, Made};
use super::divide::{First, Firsts};
use super::plan::{DocView, Guards, Obstacle, SessionView, Step, Verdict, branches, plan};
use super::settle::{DocEnds, Settled, fork_targets, left_over, settle};
use crate::session::{
    Chain, ChainId, DocKind, DocName, Edge, Hlc, Lane, Line, LineSource, Millis, Replaced, Source,
    Spot, Trie,
};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// Edges are never split in these tries: each run goes from one node to another.
struct Whole;

impl LineSource for Whole {
    type Error = std::convert::Infallible;

    fn tips(&self, edge: &Edge) -> Result<Vec<Line>, Self::Error> {
        Ok(vec![Line {
            tip: edge.tip,
            end: edge.bytes,
            is_message: 0 < edge.message_lines,
        }])
    }
}

/// A doc of the session: its history as runs of one line or generation, and its content in the
/// store.
struct Doc {
    name: DocName,
    kind: DocKind,
    trie: Trie,
    local: Option<ChainId>,
    base: Option<ChainId>,
    /// Lines count as recorded in the order given.
    firsts: Firsts,
    choices: Vec<Chosen>,
    takes_back: bool,
}

impl Doc {
    fn log(name: &str) -> Self {
        Self::of(name, DocKind::Log, ChainId::log_start())
    }

    fn snapshot(name: &str) -> Self {
        Self::of(name, DocKind::Snapshot, ChainId::snapshot_start())
    }

    fn of(name: &str, kind: DocKind, start: ChainId) -> Self {
        Self {
            name: DocName::new(name),
            kind,
            trie: Trie::new(start),
            local: None,
            base: None,
            firsts: Firsts::new(),
            choices: Vec::new(),
            takes_back: false,
        }
    }

    /// The node after these words, one word per line, from the start.
    fn node(&self, words: &str) -> ChainId {
        words
            .split_whitespace()
            .fold(self.trie.start(), |tip, word| {
                tip.then(format!("{word}\n").as_bytes())
            })
    }

    /// Some device wrote these lines. A word that begins with `_` is a record but no message.
    fn went(mut self, words: &str) -> Self {
        let mut after = self.trie.start();
        for word in words.split_whitespace() {
            let line = format!("{word}\n");
            let mut chain = Chain::from(after);
            chain.feed(line.as_bytes());
            let source = Source {
                device: "DESK".into(),
                lane: Lane::Priority,
                spot: Spot {
                    segment: 1,
                    offset: 0,
                    line: 0,
                },
                first: 0,
                end: 1,
                skip: 0,
                relayed: false,
            };
            let bytes = line.len() as u64;
            let is_message = !word.starts_with('_');
            let edge = Edge {
                after,
                tip: chain.tip,
                lines: 1,
                bytes,
                message_lines: u64::from(is_message),
                source,
                at: Hlc::default(),
            };
            let Ok(()) = self.trie.insert(
                edge,
                &[Line {
                    tip: chain.tip,
                    end: bytes,
                    is_message,
                }],
                None,
                &Whole,
            );
            let at = Hlc {
                wall: Millis(0),
                count: self.firsts.len() as u32,
            };
            let first = First {
                at,
                device: words.into(),
                name: String::new(),
            };
            self.firsts.entry(chain.tip).or_insert(first);
            after = chain.tip;
        }
        self
    }

    /// The user decided: the trunk, the branches put away, the first lines kept.
    fn decided(mut self, trunk: &str, away: &[&str], seen: &[&str]) -> Self {
        let choice = Choice {
            trunk: (!trunk.is_empty()).then(|| self.node(trunk)),
            away: away.iter().map(|words| self.node(words)).collect(),
            seen: seen.iter().map(|words| self.node(words)).collect(),
            ..Choice::about(self.name.clone(), Action::KeepBoth)
        };
        self.choices.push(Chosen {
            id: self.next_id(),
            choice,
        });
        self
    }

    fn next_id(&self) -> ChoiceId {
        ChoiceId {
            at: Hlc {
                wall: Millis(1),
                count: self.choices.len() as u32,
            },
            device: "DESK".into(),
        }
    }

    /// A decision that added lines, then undone.
    fn made_and_taken_back(mut self, from: &str, to: &str) -> Self {
        let made = vec![Made {
            from: self.node(from),
            tip: self.node(to),
        }];
        let about = |action| Choice::about(self.name.clone(), action);
        let (stitched, undone) = (
            Choice {
                made,
                ..about(Action::Stitch)
            },
            about(Action::Undo),
        );
        let id = self.next_id();
        self.choices.push(Chosen {
            id: id.clone(),
            choice: stitched,
        });
        self.choices.push(Chosen {
            id: self.next_id(),
            choice: Choice {
                undoes: Some(id),
                ..undone
            },
        });
        self
    }

    /// The author replaced one state by another that does not continue it.
    fn rewrote(mut self, from: &str, to: &str) -> Self {
        let (old, new) = (self.node(from), self.node(to));
        let at = Hlc {
            wall: Millis(0),
            count: self.trie.replaced().len() as u32,
        };
        let Ok(()) = self.trie.replace(
            Replaced {
                device: "DESK".into(),
                old,
                new,
                at,
            },
            &Whole,
        );
        self
    }

    /// The store holds these words.
    fn here(mut self, words: &str) -> Self {
        self.local = Some(self.node(words));
        self.base = self.local;
        self
    }

    /// What counts lacks messages of others.
    fn taking_back(mut self) -> Self {
        self.takes_back = true;
        self
    }

    /// The store held these words at the last scan and is empty now.
    fn gone(mut self, words: &str) -> Self {
        self.base = Some(self.node(words));
        self
    }
}

fn free() -> Guards {
    Guards {
        place: Some(PathBuf::from("/x")),
        tool_on: true,
        ..Guards::default()
    }
}

/// The first doc is the main one.
fn decide(docs: &[Doc], guards: Guards) -> Verdict {
    let settled = settled(docs);
    let views = docs.iter().enumerate().map(|(at, doc)| DocView {
        name: &doc.name,
        kind: doc.kind,
        main: at == 0,
        trie: &doc.trie,
        local: doc.local,
        base: doc.base,
        stale: false,
        drops_messages_of_others: doc.takes_back,
        kept: {
            let taken_back = Decided::of(&doc.choices, &doc.name).undone_lines;
            doc.trie
                .heads()
                .into_iter()
                .chain(taken_back.iter().map(|made| made.tip))
                .collect()
        },
    });
    plan(&SessionView {
        docs: views.collect(),
        settled: &settled,
        guards,
    })
}

fn settled(docs: &[Doc]) -> Settled {
    settle(&doc_ends(docs))
}

fn doc_ends(docs: &[Doc]) -> Vec<DocEnds<'_>> {
    let ends = docs.iter().enumerate().map(|(at, doc)| DocEnds {
        name: &doc.name,
        kind: doc.kind,
        main: at == 0,
        trie: &doc.trie,
        tips: branches(&doc.trie),
        firsts: &doc.firsts,
        decided: Decided::of(&doc.choices, &doc.name),
        opaque: false,
        apart: false,
    });
    ends.collect()
}

/// The ends of a doc in the session, its forks, and the forks of what is left over; the last alone.
fn in_sessions(docs: &[Doc], of: &Doc) -> (BTreeSet<ChainId>, Vec<ChainId>) {
    let ends = doc_ends(docs);
    let settled = settle(&ends);
    let split = settled.split.iter();
    let forks: Vec<BTreeMap<DocName, ChainId>> = split
        .flat_map(|split| split.divided.forks.iter().map(|fork| (&split.doc, fork)))
        .map(|(doc, fork)| fork_targets(&ends, doc, fork))
        .collect();
    let sessions: Vec<_> = forks.iter().chain([&settled.targets]).collect();
    let left = left_over(&ends, &sessions);
    let left = left.into_iter().filter(|(doc, _)| *doc == of.name);
    let left: Vec<ChainId> = left.map(|(_, fork)| fork.tip).collect();
    let all = sessions.iter().filter_map(|ends| ends.get(&of.name));
    (all.chain(&left).copied().collect(), left)
}

/// The docs' branches in short: trunk, then each fork with its first line; `?` after an open one.
fn stands(docs: &[Doc]) -> String {
    let Settled {
        targets,
        split,
        away,
    } = settled(docs);
    let main = &docs[0];
    let words = |id: ChainId| {
        let mut way: Vec<String> = Vec::new();
        for edge in main.trie.path(id).unwrap_or_default() {
            let word = ('a'..='z')
                .find(|word| edge.after.then(format!("{word}\n").as_bytes()) == edge.tip);
            way.extend(word.map(String::from));
        }
        way.join("")
    };
    if away {
        return "away".into();
    }
    let trunk = targets
        .get(&main.name)
        .map(|trunk| words(*trunk))
        .unwrap_or_default();
    let forks = split
        .iter()
        .flat_map(|split| &split.divided.forks)
        .map(|fork| {
            let open = if fork.open { "?" } else { "" };
            format!(" {}({}){open}", words(fork.tip), words(fork.first_line))
        });
    trunk + &forks.collect::<String>()
}

#[test]
fn which_branch_keeps_the_id() {
    let rows: Vec<(&str, Doc, &str)> = vec![
        (
            "what_was_made_of_nothing_is_left_alone",
            log().went("a b").made_and_taken_back("x y", "a b"),
            "ab",
        ),
        (
            "what_was_made_in_a_circle_comes_to_an_end",
            log()
                .went("a b")
                .made_and_taken_back("a b", "a")
                .made_and_taken_back("a", "a b"),
            "a",
        ),
        ("one_way_has_no_forks", log().went("a b"), "ab"),
        (
            "what_was_recorded_first_keeps_the_id",
            log().went("a b").went("a c"),
            "ab ac(ac)?",
        ),
        (
            "whatever_the_order_of_the_ids",
            log().went("a c").went("a b"),
            "ac ab(ab)?",
        ),
        (
            "however_long_it_grows",
            log().went("a b").went("a c d e"),
            "ab acde(ac)?",
        ),
        (
            "three_ways_give_two_forks",
            log().went("a b").went("a c").went("a d"),
            "ab ac(ac)? ad(ad)?",
        ),
        (
            "a_branch_of_a_branch_is_a_fork_of_its_own",
            log().went("a b").went("a c d").went("a c e"),
            "ab acd(ac)? ace(ace)?",
        ),
        (
            "and_stays_that_when_the_other_is_put_away",
            log()
                .went("a b")
                .went("a c d")
                .went("a c e")
                .decided("a b", &["a c d"], &[]),
            "ab ace(ace)?",
        ),
        (
            "also_when_it_is_the_trunk_that_is_put_away",
            log()
                .went("a b c")
                .went("a b d")
                .went("a e")
                .decided("a e", &["a b c"], &[]),
            "ae abd(abd)?",
        ),
        (
            "a_branch_of_the_trunk_too",
            log().went("a b c").went("a b d").went("a e"),
            "abc abd(abd)? ae(ae)?",
        ),
        (
            "kept_both_is_decided",
            log().went("a b").went("a c").decided("a b", &[], &["a c"]),
            "ab ac(ac)",
        ),
        (
            "and_stays_so_when_it_grows",
            log()
                .went("a b")
                .went("a c d")
                .decided("a b", &[], &["a c"]),
            "ab acd(ac)",
        ),
        (
            "a_new_one_is_open",
            log()
                .went("a b")
                .went("a c")
                .went("a d")
                .decided("", &[], &["a c"]),
            "ab ac(ac) ad(ad)?",
        ),
        (
            "the_chosen_one_goes_on",
            log().went("a b").went("a c").decided("a c", &["a b"], &[]),
            "ac",
        ),
        (
            "also_when_it_grew",
            log()
                .went("a b")
                .went("a c d")
                .decided("a c", &["a b"], &[]),
            "acd",
        ),
        (
            "one_put_away_that_grows_is_there_again",
            log()
                .went("a b c")
                .went("a d")
                .decided("a d", &["a b"], &[]),
            "ad abc(ab)?",
        ),
        (
            "opening_it_is_not_growing",
            log()
                .went("a b _o")
                .went("a d")
                .decided("a d", &["a b"], &[]),
            "ad",
        ),
        (
            "all_put_away_is_away",
            log().went("a b").decided("", &["a b"], &[]),
            "away",
        ),
        (
            "what_was_stitched_and_undone_is_apart_again",
            log()
                .went("a b")
                .went("a c")
                .went("a b d")
                .made_and_taken_back("a b", "a b d"),
            "ab ac(ac)?",
        ),
        (
            "unless_somebody_went_on_from_it",
            log()
                .went("a b")
                .went("a c")
                .went("a b d e")
                .made_and_taken_back("a b", "a b d"),
            "abde ac(ac)?",
        ),
    ];
    for (rule, doc, wanted) in rows {
        assert_eq!(stands(&[doc]), wanted, "{rule}");
    }
}

/// A verdict in short: the steps and their docs.
fn short(verdict: &Verdict) -> String {
    let steps = |steps: &[Step]| -> String {
        let each = steps.iter().map(|step| match step {
            Step::Create { doc, .. } => format!("create {doc}"),
            Step::Append { doc, .. } => format!("append {doc}"),
            Step::Replace { doc, .. } => format!("replace {doc}"),
            Step::Remove { doc, .. } => format!("remove {doc}"),
        });
        each.collect::<Vec<_>>().join(", ")
    };
    match verdict {
        Verdict::Here => "here".into(),
        Verdict::Elsewhere { .. } => "elsewhere".into(),
        Verdict::Checkout(list) => steps(list),
        Verdict::Waiting(Obstacle {
            reason,
            steps: list,
            ..
        }) => format!("wait {reason}: {}", steps(list)),
        Verdict::Ask(split) => format!(
            "ask about {} in {}",
            split.doc,
            split.divided.forks.len() + 1
        ),
        Verdict::Away => "away".into(),
        Verdict::Held(Obstacle {
            reason,
            steps: list,
            ..
        }) => format!("hold {reason}: {}", steps(list)),
        Verdict::Arriving => "arriving".into(),
    }
}

fn log() -> Doc {
    Doc::log("main")
}

fn side() -> Doc {
    Doc::snapshot("side")
}

fn snapshot() -> Doc {
    Doc::snapshot("main")
}

#[test]
fn what_the_docs_say() {
    let rows: Vec<(&str, Vec<Doc>, &str)> = vec![
        ("nothing_known_is_arriving", vec![log()], "arriving"),
        ("equal_is_here", vec![log().went("a b").here("a b")], "here"),
        (
            "opening_it_elsewhere_is_no_split",
            vec![log().went("a b").went("a _open").here("a b")],
            "here",
        ),
        (
            "what_opening_noted_gives_way_to_words",
            vec![log().went("a b").went("a _open").here("a _open")],
            "replace main",
        ),
        (
            "the_branch_recorded_first_stays",
            vec![log().went("a b").went("a _open c").here("a b")],
            "here",
        ),
        (
            "the_other_gives_way_to_it",
            vec![log().went("a b").went("a _open c").here("a _open c")],
            "replace main",
        ),
        (
            "taken_back_and_restored_is_here",
            vec![
                log()
                    .went("a b")
                    .rewrote("a b", "a")
                    .rewrote("a", "a b")
                    .here("a b"),
            ],
            "here",
        ),
        (
            "new_elsewhere_is_created",
            vec![log().went("a b")],
            "create main",
        ),
        (
            "longer_elsewhere_is_appended",
            vec![log().went("a b c").here("a")],
            "append main",
        ),
        (
            "nothing_but_the_start_here_is_appended",
            vec![log().went("a").here("")],
            "append main",
        ),
        (
            "nothing_in_common_is_asked",
            vec![log().went("a b").went("d")],
            "ask about main in 2",
        ),
        (
            "and_done_when_decided",
            vec![log().went("a b").went("d").decided("d", &["a b"], &[])],
            "create main",
        ),
        (
            "a_rewrite_that_somebody_went_on_from_is_asked",
            vec![
                log()
                    .went("a b")
                    .went("a c")
                    .rewrote("a b", "a c")
                    .went("a b d")
                    .here("a b d"),
            ],
            "ask about main in 2",
        ),
        (
            "of_a_side_doc_the_last_one_counts",
            vec![
                log().went("a").here("a"),
                side().went("x y").went("x z").here("x y"),
            ],
            "replace side",
        ),
        (
            "what_was_put_away_leaves_the_store",
            vec![log().went("a").here("a").decided("", &["a"], &[])],
            "remove main",
        ),
        (
            "and_is_away_then",
            vec![log().went("a").decided("", &["a"], &[])],
            "away",
        ),
        (
            "what_was_made_and_taken_back_leaves_without_a_question",
            vec![
                log()
                    .went("a b")
                    .went("a b d")
                    .made_and_taken_back("a b", "a b d")
                    .here("a b d"),
            ],
            "replace main",
        ),
        (
            "rewritten_by_its_author_here_is_no_split",
            vec![
                log()
                    .went("a b")
                    .went("a c")
                    .rewrote("a b", "a c")
                    .here("a c"),
            ],
            "here",
        ),
        (
            "rewritten_elsewhere_is_held",
            vec![
                log()
                    .went("a b")
                    .went("a c")
                    .rewrote("a b", "a c")
                    .here("a b"),
            ],
            "hold rewritten: replace main",
        ),
        (
            "shortened_elsewhere_is_held",
            vec![log().went("a b c").rewrote("a b c", "a").here("a b c")],
            "hold rewritten: replace main",
        ),
        (
            "rewritten_and_not_here_is_created",
            vec![log().went("a b").went("a c").rewrote("a b", "a c")],
            "create main",
        ),
        (
            "a_snapshots_next_generation_is_no_rewrite",
            vec![log().went("a").here("a"), side().went("x y").here("x")],
            "replace side",
        ),
        (
            "a_snapshots_next_generation_that_takes_back_messages_of_others_is_held",
            vec![snapshot().went("x y").here("x").taking_back()],
            "hold rewritten: replace main",
        ),
        (
            "a_snapshot_taken_back_is_held",
            vec![
                log().went("a").here("a"),
                side().went("x y").rewrote("x y", "x").here("x y"),
            ],
            "hold rewritten: replace side",
        ),
        (
            "a_new_side_doc_is_created",
            vec![log().went("a").here("a"), side().went("x")],
            "create side",
        ),
        (
            "deleted_here_stays_deleted",
            vec![log().went("a b").gone("a b")],
            "elsewhere",
        ),
        (
            "deleted_here_and_gone_on_elsewhere_comes_back",
            vec![log().went("a b c").gone("a b")],
            "create main",
        ),
        (
            "a_deleted_side_doc_stays_deleted",
            vec![log().went("a").here("a"), side().went("x").gone("x")],
            "here",
        ),
        (
            "a_session_that_comes_back_brings_its_side_docs",
            vec![log().went("a b").gone("a"), side().went("x").gone("x")],
            "create main, create side",
        ),
        (
            "all_deleted_here_stays_deleted",
            vec![log().went("a").gone("a"), side().went("x").gone("x")],
            "elsewhere",
        ),
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
    let rewritten = || {
        vec![
            log()
                .went("a b")
                .went("a c")
                .rewrote("a b", "a c")
                .here("a b"),
        ]
    };
    let equal = || vec![log().went("a").here("a")];
    let rows: Vec<(&str, Vec<Doc>, Guards, &str)> = vec![
        (
            "a_tool_that_is_off_waits",
            more(),
            change(|guards| guards.tool_on = false),
            "wait tool_off: append main",
        ),
        (
            "an_excluded_project_waits",
            more(),
            change(|guards| guards.excluded = true),
            "wait excluded: append main",
        ),
        (
            "an_emptied_store_is_held",
            new(),
            change(|guards| guards.tool_held = true),
            "hold tool_emptied: create main",
        ),
        (
            "no_place_waits",
            new(),
            change(|guards| guards.place = None),
            "wait no_place: create main",
        ),
        (
            "what_is_here_needs_no_place",
            more(),
            change(|guards| guards.place = None),
            "append main",
        ),
        (
            "a_missing_parent_waits",
            new(),
            change(|guards| guards.missing_parents = vec!["p".into()]),
            "wait parent: create main",
        ),
        (
            "an_open_session_waits",
            more(),
            change(|guards| guards.open_in = Some("x".into())),
            "wait live: append main",
        ),
        (
            "nothing_to_write_waits_for_nothing",
            equal(),
            change(|guards| guards.open_in = Some("x".into())),
            "here",
        ),
        (
            "nothing_to_write_needs_no_place",
            equal(),
            Guards::default(),
            "here",
        ),
        (
            "a_released_rewrite_is_written",
            rewritten(),
            change(|guards| guards.rewrite_released = true),
            "replace main",
        ),
        (
            "a_released_rewrite_still_waits_for_the_tool",
            rewritten(),
            change(|guards| (guards.rewrite_released, guards.open_in) = (true, Some("x".into()))),
            "wait live: replace main",
        ),
        (
            "a_rewrite_is_held_even_while_the_session_is_open",
            rewritten(),
            change(|guards| guards.open_in = Some("x".into())),
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
    let wanted = Verdict::Checkout(vec![Step::Append {
        doc: DocName::new("main"),
        from,
        to,
    }]);
    assert_eq!(decide(&[doc], free()), wanted);
}

/// A doc that these devices continued after a common line, in this order.
fn parted(name: &str, devices: &[&str]) -> Doc {
    devices
        .iter()
        .fold(Doc::log(name).went("common"), |doc, device| {
            doc.went(&format!("common {device}"))
        })
}

#[test]
fn a_branch_beside_of_a_device_that_said_nothing_is_a_session_of_its_own() {
    let left = |docs: [Doc; 2]| {
        let (_, left) = in_sessions(&docs, &docs[1]);
        left
    };
    let agent = |devices: &[&str]| parted("agent", devices);
    let main = || parted("main", &["desk", "lap"]);
    let box_s = agent(&["box"]).node("common box");
    assert_eq!(left([main(), agent(&["desk", "lap"])]), []);
    assert_eq!(left([main(), agent(&["box", "lap"])]), [box_s]);
    assert_eq!(left([main(), agent(&["lap", "box"])]), [], "desk's has it");
    let kept_desk = || main().decided("common desk", &["common lap"], &[]);
    assert_eq!(left([kept_desk(), agent(&["lap", "desk"])]), []);
    assert_eq!(left([kept_desk(), agent(&["box", "lap", "desk"])]), [box_s]);
}

/// Whoever continued the conversation, and whoever continued the docs beside it.
#[test]
fn every_branch_beside_the_conversation_is_in_some_session() {
    let devices = ["desk", "lap", "box"];
    let some = |mask: usize| -> Vec<&str> {
        let here = |(at, _): &(usize, &&str)| mask >> at & 1 == 1;
        let some = devices.iter().enumerate().filter(here);
        some.map(|(_, device)| *device).collect()
    };
    for (main, one, other) in (0..8)
        .flat_map(|main| (0..8).flat_map(move |one| (0..8).map(move |other| (main, one, other))))
    {
        let docs = [
            parted("main", &some(main)),
            parted("one", &some(one)),
            parted("other", &some(other)),
        ];
        for doc in &docs {
            let (all, _) = in_sessions(&docs, doc);
            let tips: BTreeSet<ChainId> = branches(&doc.trie).into_iter().collect();
            assert_eq!(all, tips, "{:?}", [some(main), some(one), some(other)]);
        }
    }
}
