//! What is found and what is not, through the public face of the index.

use jiff::Zoned;
use proptest::prelude::*;
use session_roam_search::{FindError, Found, Index, Message, Opened, Question, Role, Session};
use std::collections::BTreeSet;
use tempfile::TempDir;

const DAY: i64 = 86_400;

fn now() -> Zoned {
    "2026-11-29T12:00:00Z[UTC]".parse().expect("a time")
}

fn ask<'a>(text: &'a str, limit: usize, now: &Zoned) -> Question<'a> {
    Question {
        text,
        limit,
        now: now.clone(),
        names: &[],
        only: None,
    }
}

struct Desk {
    dir: TempDir,
    index: Index,
}

impl Desk {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let (index, opened) = Index::open(&dir.path().join("search"), "one").expect("opens");
        assert_eq!(opened, Opened::Empty);
        Self { dir, index }
    }

    fn session(&self, key: &str, title: &str, days_ago: i64, messages: &[(Role, &str)]) {
        let messages: Vec<_> = messages
            .iter()
            .map(|(role, text)| (*role, *text, "desk", ""))
            .collect();
        self.session_of(key, title, days_ago, &messages);
    }

    fn session_of(
        &self,
        key: &str,
        title: &str,
        days_ago: i64,
        messages: &[(Role, &str, &str, &str)],
    ) {
        let at = now().timestamp().as_second() - days_ago * DAY;
        let mut batch = self.index.batch().expect("a batch");
        let session = Session {
            key: key.into(),
            id: key.into(),
            tool: "claude-code".into(),
            project: "git.example/acme/shop".into(),
            title: title.into(),
            updated: at,
            split: key.starts_with("split"),
            devices: messages.iter().map(|one| one.2.into()).collect(),
            note: format!("note of {key}"),
        };
        batch.set_session(&session).expect("added");
        for (number, (role, text, device, files)) in messages.iter().enumerate() {
            let message = Message {
                run: 7,
                number: number as u64,
                device,
                at,
                text,
                role: Some(*role),
                files,
            };
            batch.add(key, &message).expect("added");
        }
        batch.commit().expect("committed");
    }

    fn has_left_the_disk(&self, word: &str) {
        self.index.rest().expect("rests");
        for file in std::fs::read_dir(self.dir.path().join("search")).expect("a directory") {
            let path = file.expect("a file").path();
            let bytes = std::fs::read(&path).expect("readable");
            let mut windows = bytes.windows(word.len());
            let is_there = windows.any(|window| window == word.as_bytes());
            assert!(!is_there, "{}", path.display());
        }
    }

    fn find(&self, words: &str) -> Found {
        self.index
            .find(&ask(words, 20, &now()))
            .expect("understood")
    }

    fn keys(&self, words: &str) -> Vec<String> {
        let hits = self.find(words).hits.into_iter();
        hits.map(|hit| hit.session.key).collect()
    }
}

fn described(key: &str, title: &str) -> Session {
    Session {
        key: key.into(),
        id: key.into(),
        tool: "claude-code".into(),
        project: "git.example/acme/shop".into(),
        title: title.into(),
        updated: now().timestamp().as_second(),
        split: false,
        devices: vec!["desk".into()],
        note: String::new(),
    }
}

fn said(text: &str) -> Message<'_> {
    Message {
        run: 7,
        number: 0,
        device: "desk",
        at: now().timestamp().as_second(),
        text,
        role: Some(Role::User),
        files: "",
    }
}

use Role::{Assistant, Tool, User};

#[test]
fn words_phrases_and_beginnings_find_their_message() {
    let desk = Desk::new();
    desk.session(
        "a",
        "Retry logic",
        1,
        &[
            (User, "the payment gateway drops connections"),
            (Assistant, "I will add a retry with backoff"),
        ],
    );
    desk.session("b", "Other", 1, &[(User, "gateway of the payment office")]);
    assert_eq!(desk.keys("backoff"), ["a"]);
    assert_eq!(desk.keys("\"payment gateway\""), ["a"]);
    assert_eq!(desk.keys("connec* gateway "), ["a"]);
    assert_eq!(desk.keys("conn"), ["a"]);
    assert_eq!(desk.keys("gateway -office"), ["a"]);
    let found = desk.find("backoff");
    let snippet = &found.hits[0].snippets[0];
    assert_eq!((snippet.run, snippet.number), (7, 1));
    assert_eq!(snippet.text, "I will add a retry with backoff");
    assert_eq!(&snippet.text[snippet.marks[0].clone()], "backoff");
}

#[test]
fn words_in_different_messages_find_their_session() {
    let desk = Desk::new();
    desk.session("a", "", 1, &[(User, "alpha"), (Assistant, "omega")]);
    desk.session("b", "", 1, &[(User, "alpha")]);
    assert_eq!(desk.keys("alpha omega "), ["a"]);
    assert_eq!(desk.find("alpha omega ").hits[0].snippets.len(), 2);
}

#[test]
fn identifiers_and_paths_are_found_by_their_parts_and_whole() {
    let desk = Desk::new();
    desk.session_of(
        "a",
        "",
        1,
        &[
            (
                Assistant,
                "SessionRecord::is_branch calls fork_id",
                "desk",
                "",
            ),
            (Tool, "edited", "desk", "src/engine/record.rs"),
        ],
    );
    for words in [
        "SessionRecord ",
        "session ",
        "record ",
        "sessionrecord ",
        "is_branch ",
        "branch ",
        "fork_id ",
        "record.rs ",
        "src/engine/record.rs ",
        "engine/record ",
        "file:record.rs",
        "file:engine",
        "is_branch",
        "sessionrec",
    ] {
        assert_eq!(desk.keys(words), ["a"], "{words}");
    }
    assert!(desk.keys("\"branch fork\" ").is_empty());
    assert!(desk.keys("file:missing").is_empty());
}

/// A tool, project or device that no session has finds nothing, and that is said.
#[test]
fn a_filter_that_no_session_fits_is_named() {
    let desk = Desk::new();
    desk.session("a", "", 1, &[(User, "database migration failed")]);
    for (typed, notice) in [
        (
            "tool:nosuch database ",
            "No session is of a tool called “nosuch”.",
        ),
        (
            "project:nosuch",
            "No session is in a project called “nosuch”.",
        ),
        (
            "device:nosuch database ",
            "No session is from a device called “nosuch”.",
        ),
    ] {
        let found = desk.find(typed);
        assert!(found.hits.is_empty(), "{typed}");
        assert_eq!(found.notices, [notice], "{typed}");
    }
    // Without the word, the filters fit.
    let found = desk.find("tool:claude qqqqqq ");
    assert!(found.hits.is_empty() && found.notices.is_empty());
}

/// The index knows devices by their ids; people by their names.
#[test]
fn a_device_without_sessions_is_named_as_it_was_typed() {
    let desk = Desk::new();
    desk.session_of("a", "", 1, &[(User, "database", "j3erlcg", "")]);
    let names = [
        ("desk".to_owned(), "J3ERLCG".to_owned()),
        ("laptop".to_owned(), "Q7OLGGA".to_owned()),
    ];
    let find = |words: &str| {
        let question = Question {
            names: &names,
            ..ask(words, 20, &now())
        };
        desk.index.find(&question).expect("understood")
    };
    assert_eq!(
        find("device:laptop database ").notices,
        ["No session is from a device called “laptop”."]
    );
    assert_eq!(find("device:desk database ").total, 1);
    assert!(find("device:desk nowhere ").notices.is_empty());
}

#[test]
fn unwanted_words_count_behind_any_number_of_wanted_ones() {
    let desk = Desk::new();
    let words: Vec<String> = (0..20).map(|number| format!("word{number}")).collect();
    let wanted = words.join(" ");
    desk.session("plain", "", 1, &[(User, &wanted)]);
    desk.session("refund", "", 1, &[(User, &format!("{wanted} refund"))]);
    let found = desk.find(&format!("{wanted} -refund "));
    assert_eq!(found.total, 1);
    assert_eq!(found.hits[0].session.key, "plain");
    assert_eq!(
        found.notices,
        ["Only the first 16 words are looked for."],
        "one unwanted word is no more than may be"
    );
    let unwanted: String = (0..20).map(|number| format!("-none{number} ")).collect();
    assert_eq!(
        desk.find(&format!("word0 {unwanted}")).notices,
        ["Only the first 16 words with “-” are left out."]
    );
}

#[test]
fn a_question_that_is_cut_is_said_to_be() {
    let desk = Desk::new();
    desk.session("a", "", 1, &[(User, "database")]);
    let long = format!("database {} -database", "device:desk ".repeat(200));
    assert_eq!(
        desk.find(&long).notices,
        ["This is longer than 2000 bytes; the rest of it is not looked at."]
    );
    let spaces = format!("database {}", " ".repeat(3_000));
    assert!(desk.find(&spaces).notices.is_empty());
}

#[test]
fn typing_errors_are_forgiven_and_said() {
    let desk = Desk::new();
    desk.session("a", "", 1, &[(User, "database migration failed")]);
    for typed in ["databse ", "dtaabase ", "migartion ", "migrtaion failed "] {
        let found = desk.find(typed);
        assert_eq!(found.hits.len(), 1, "{typed}");
        assert_eq!(found.notices.len(), 1, "{typed}: {:?}", found.notices);
    }
    assert!(desk.keys("\"databse\"").is_empty());
    assert!(desk.keys("qqqqqq ").is_empty());
}

#[test]
fn filters_keep_what_they_name() {
    let desk = Desk::new();
    desk.session_of("old", "", 30, &[(User, "needle", "lap", "")]);
    desk.session_of("split-1", "", 2, &[(Assistant, "needle", "desk", "")]);
    for (words, keys) in [
        ("needle device:lap", vec!["old"]),
        ("needle -device:lap", vec!["split-1"]),
        ("needle role:user", vec!["old"]),
        ("needle role:assistant", vec!["split-1"]),
        ("needle after:2026-11-20", vec!["split-1"]),
        ("needle before:7d", vec!["old"]),
        ("needle is:split", vec!["split-1"]),
        ("needle tool:claude project:shop", vec!["old", "split-1"]),
        ("needle tool:codex", vec![]),
        ("needle -project:acme", vec![]),
        ("device:lap", vec!["old"]),
        ("project:acme/shop", vec!["split-1", "old"]),
        ("needle -role:user", vec!["split-1"]),
        ("needle -role:user -role:tool", vec!["split-1"]),
        ("needle -role:user -role:assistant", vec![]),
        ("needle -after:2026-11-20", vec!["old"]),
        ("needle -before:2026-11-20", vec!["split-1"]),
        ("needle -since:2026-11-20 -until:2026-01-01", vec!["old"]),
    ] {
        assert_eq!(desk.keys(words), keys, "{words}");
    }
}

/// Neither that such a message is there nor that it is not can be learnt.
#[test]
fn of_devices_that_are_left_out_nothing_counts() {
    let desk = Desk::new();
    desk.session_of(
        "both",
        "zebra",
        1,
        &[
            (User, "shared words", "desk", ""),
            (Assistant, "secret pearls", "desk 2", ""),
            (Assistant, "secret rubies", "", ""),
        ],
    );
    desk.session_of("other", "", 1, &[(User, "shared", "desk 2", "")]);
    let only = ["desk".to_owned()];
    let found = |words: &str| -> Found {
        let question = Question {
            only: Some(&only),
            ..ask(words, 20, &now())
        };
        desk.index.find(&question).expect("understood")
    };
    for (words, total) in [
        ("shared ", 1),
        ("shared words ", 1),
        ("pearls ", 0),
        ("rubies ", 0),
        ("zebra ", 0),
        ("shared device:2 ", 0),
        ("shared device:desk device:2 ", 1),
        ("shared -pearls ", 1),
        ("shared -zebra ", 1),
        ("-pearls ", 1),
        ("-words ", 0),
        ("pearsl ", 0),
        ("device:2 ", 1),
        ("device:nosuch ", 0),
    ] {
        let found = found(words);
        assert_eq!((found.total, found.notices), (total, vec![]), "{words}");
    }
    // As if the second word were nowhere.
    for words in ["shared pearls ", "shared nowhere "] {
        assert_eq!(found(words).total, 1, "{words}");
        assert_eq!(found(words).hits[0].snippets.len(), 1, "{words}");
    }
}

#[test]
fn unwanted_words_leave_their_sessions_out() {
    let desk = Desk::new();
    desk.session_of(
        "both",
        "",
        3,
        &[
            (User, "alpha beta", "desk", ""),
            (Assistant, "a refund", "lap", ""),
        ],
    );
    desk.session("plain", "", 2, &[(User, "alpha beta text")]);
    desk.session("titled", "The refund", 1, &[(User, "alpha")]);
    for (words, keys) in [
        ("-refund", vec!["plain"]),
        ("tool:claude -refund", vec!["plain"]),
        ("-refund tool:codex", vec![]),
        ("-\"alpha beta\"", vec!["titled"]),
        ("-alpha", vec![]),
        ("-nothing", vec!["titled", "plain", "both"]),
        // Whoever wrote the word, and whatever else is asked for.
        ("alpha role:user -refund", vec!["plain"]),
        ("alpha device:desk -refund", vec!["plain"]),
    ] {
        let mut found = desk.keys(words);
        let mut keys: Vec<String> = keys.into_iter().map(str::to_owned).collect();
        if words.starts_with("alpha") {
            found.sort();
            keys.sort();
        }
        assert_eq!(found, keys, "{words}");
    }
    // No session has both words as they are: similar ones count, but not as unwanted ones.
    desk.session("p", "", 1, &[(User, "gamma colour text")]);
    desk.session("q", "", 1, &[(User, "color")]);
    assert_eq!(desk.keys("gamma color -test "), ["p"]);
}

#[test]
fn what_cannot_be_understood_is_said_with_its_place() {
    let desk = Desk::new();
    for (words, at, part) in [
        ("x after:someday", 2, "no date"),
        ("role:nobody x", 0, "no role"),
        ("is:strange", 0, "is:split"),
    ] {
        match desk.index.find(&ask(words, 5, &now())) {
            Err(FindError::Query(error)) => {
                assert_eq!(error.at, at, "{words}");
                assert!(error.message.contains(part), "{words}: {error}");
            }
            other => panic!("{words}: {other:?}"),
        }
    }
    desk.session(
        "a",
        "",
        1,
        &[(User, "fruit: apple std::env http://x.example")],
    );
    assert_eq!(desk.find("fruit:apple ").notices.len(), 1);
    for words in [
        "fruit:apple ",
        "std::env ",
        "http://x.example ",
        "\"fruit apple",
        "tool: apple ",
    ] {
        assert_eq!(desk.keys(words), ["a"], "{words}");
    }
}

#[test]
fn own_words_titles_and_recent_work_come_first() {
    let desk = Desk::new();
    desk.session("output", "", 1, &[(Tool, "quaternion")]);
    desk.session("model", "", 1, &[(Assistant, "quaternion")]);
    desk.session("user", "", 1, &[(User, "quaternion")]);
    assert_eq!(desk.keys("quaternion "), ["user", "model", "output"]);
    desk.session("then", "", 300, &[(User, "spline")]);
    desk.session("lately", "", 2, &[(User, "spline")]);
    assert_eq!(desk.keys("spline "), ["lately", "then"]);
    desk.session("said", "", 1, &[(User, "kernel"), (User, "b")]);
    desk.session(
        "titled",
        "Kernel panic",
        1,
        &[(User, "kernel"), (User, "b")],
    );
    let found = desk.find("kernel ");
    assert_eq!(found.hits[0].session.key, "titled");
    let mark = found.hits[0].title_marks[0].clone();
    assert_eq!((mark.start, mark.end), (0, 6));
}

#[test]
fn text_without_spaces_between_words_is_found() {
    let desk = Desk::new();
    desk.session("a", "", 1, &[(User, "全文検索の索引を作る")]);
    for words in ["検索", "索引 ", "全文検索 ", "る ", "文"] {
        assert_eq!(desk.keys(words), ["a"], "{words}");
    }
    assert!(desk.keys("検引 ").is_empty());
    desk.session("b", "", 1, &[(User, "Größe der Änderung, naïve café")]);
    for words in ["große ", "GROSSE ", "anderung ", "cafe ", "naive "] {
        assert_eq!(desk.keys(words), ["b"], "{words}");
    }
}

#[test]
fn hostile_text_does_no_harm_in_results() {
    let desk = Desk::new();
    let huge = format!("{} needle {}", "x".repeat(100_000), "y ".repeat(400_000));
    desk.session(
        "a",
        "needle \u{1b}]0;owned\u{7}",
        1,
        &[
            (User, "a\u{1b}[2Jb needle \u{202e}evil\u{200b} \r\n\0 end"),
            (Tool, &huge),
            (User, &"needle".repeat(5_000)),
        ],
    );
    for words in [
        "needle ",
        "\u{1b}[2J needle ",
        "\0",
        "-",
        "\"",
        "*",
        ":",
        "-\"",
        "e",
    ] {
        let found = desk.find(words);
        for hit in &found.hits {
            let texts = hit.snippets.iter().map(|one| one.text.as_str());
            for text in texts.chain([hit.session.title.as_str()]) {
                assert!(!text.chars().any(char::is_control), "{words:?}: {text:?}");
                assert!(!text.contains('\u{202e}'), "{words:?}: {text:?}");
                assert!(text.len() < 300, "{words:?}: {}", text.len());
            }
        }
    }
    assert_eq!(desk.keys("needle "), ["a"]);
    let long = "w ".repeat(100_000) + &"(\"".repeat(1_000);
    desk.find(&long);
}

#[test]
fn what_is_removed_leaves_the_disk() {
    let desk = Desk::new();
    desk.session("a", "", 1, &[(User, "keepthisone")]);
    desk.session("b", "", 1, &[(User, "secretpassphrase")]);
    let mut batch = desk.index.batch().expect("a batch");
    batch.remove_session("b");
    assert!(
        desk.keys("secretpassphrase").is_empty(),
        "before the commit"
    );
    batch.commit().expect("committed");
    assert!(desk.keys("secretpassphrase").is_empty());
    assert_eq!(desk.keys("keepthisone"), ["a"]);
    desk.has_left_the_disk("secretpassphrase");
}

#[test]
fn what_is_removed_has_no_segment_written_anew_that_does_not_hold_it() {
    let desk = Desk::new();
    let of = |dir: &Desk| -> std::collections::BTreeSet<String> {
        std::fs::read_dir(dir.dir.path().join("search"))
            .expect("a directory")
            .map(|file| {
                file.expect("a file")
                    .file_name()
                    .to_string_lossy()
                    .into_owned()
            })
            .filter(|name| name.ends_with(".idx"))
            .collect()
    };
    // Segments of which so little is removed that they are not joined for that.
    for number in 0..4 {
        let mut batch = desk.index.batch().expect("a batch");
        let kept = (0..10).map(|n| format!("kept{number}x{n}"));
        for key in kept.chain([format!("changed{number}")]) {
            batch.set_session(&described(&key, "")).expect("added");
            let text = match key.as_str() {
                "kept2x7" => "quietsecretpassword".to_owned(),
                _ => format!("word{key}"),
            };
            batch.add(&key, &said(&text)).expect("added");
        }
        batch.commit().expect("committed");
    }
    let mut batch = desk.index.batch().expect("a batch");
    for number in 0..4 {
        let session = described(&format!("changed{number}"), "anothertitle");
        batch.set_session(&session).expect("added");
    }
    batch.commit().expect("committed");
    let before = of(&desk);
    assert_eq!(before.len(), 5);
    let mut batch = desk.index.batch().expect("a batch");
    batch.remove_session("kept2x7");
    batch.commit().expect("committed");
    let after = of(&desk);
    assert_eq!(
        before.intersection(&after).count(),
        4,
        "{before:?} {after:?}"
    );
    desk.has_left_the_disk("quietsecretpassword");
    assert_eq!(desk.keys("wordkept2x8"), ["kept2x8"]);
}

/// As with a revocation that takes out a part of what a device wrote.
#[test]
fn what_is_taken_out_of_a_hidden_session_leaves_the_disk() {
    let desk = Desk::new();
    let (all, rest) = ([(User, "keepthisone"), (User, "takenoutlater")], 1);
    desk.session("a", "", 1, &all);
    desk.index.hide("a");
    let mut batch = desk.index.batch().expect("a batch");
    batch.remove_messages("a");
    batch.commit().expect("committed");
    desk.session("a", "", 1, &all[..rest]);
    assert_eq!(desk.keys("keepthisone"), ["a"]);
    assert!(desk.keys("takenoutlater").is_empty());
    desk.has_left_the_disk("takenoutlater");
}

/// Whether a word is written with capitals or without decides nothing.
#[test]
fn capitals_inside_words_do_not_matter_in_rows() {
    let desk = Desk::new();
    desk.session_of(
        "a",
        "",
        1,
        &[
            (User, "the GitHub token of github.com expired", "desk", ""),
            (Tool, "read", "desk", "src/PayService.rs"),
        ],
    );
    desk.session_of(
        "b",
        "",
        1,
        &[
            (User, "my github token and GitHub.com", "desk", ""),
            (Tool, "read", "desk", "src/payservice.rs"),
        ],
    );
    for words in [
        "\"github token\"",
        "\"GitHub token\"",
        "\"GITHUB TOKEN\"",
        "github.com",
        "GitHub.com ",
        "file:payservice.rs",
        "file:PayService.rs",
        "file:src/PayServ",
        "file:src/payserv",
        "src/payservice.rs ",
    ] {
        let mut keys = desk.keys(words);
        keys.sort();
        assert_eq!(keys, ["a", "b"], "{words}");
    }
    for (words, key) in [("\"the GitHub token\"", "a"), ("\"my GitHub token\"", "b")] {
        assert_eq!(desk.keys(words), [key], "{words}");
        let lower = words.to_lowercase();
        assert_eq!(desk.keys(&lower), [key], "{lower}");
        let snippet = desk.find(words).hits[0].snippets[0].clone();
        let mark = &snippet.text[snippet.marks[0].clone()];
        assert_eq!(format!("\"{}\"", mark.to_lowercase()), lower);
    }
    assert_eq!(desk.keys("token -\"the github token\" "), ["b"]);
    assert!(desk.keys("\"git token\"").is_empty());
}

/// What went wrong is at the end of an output.
#[test]
fn the_line_that_fits_is_shown_from_the_end_of_an_output_too() {
    let desk = Desk::new();
    let output = format!(
        "{}\nerror: paymentgateway refused é",
        "compiling é ".repeat(70)
    );
    desk.session("a", "", 1, &[(Tool, &output)]);
    let snippet = desk.find("paymentgateway ").hits[0].snippets[0].clone();
    let mark = &snippet.text[snippet.marks[0].clone()];
    assert_eq!(mark, "paymentgateway");
}

/// As macOS has it in the names of files.
#[test]
fn decomposed_text_is_the_same_text() {
    let desk = Desk::new();
    desk.session(
        "a",
        "",
        1,
        &[(
            User,
            "カ\u{3099}イト\u{3099} \u{1112}\u{1161}\u{11AB}\u{1100}\u{116E}\u{11A8}",
        )],
    );
    desk.session("b", "", 1, &[(User, "ガイド 한국 ｶﾞｲﾄﾞ")]);
    for words in [
        "ガイド ",
        "カ\u{3099}イト\u{3099} ",
        "ｶﾞｲﾄﾞ ",
        "한국 ",
        "\u{1112}\u{1161}\u{11AB} ",
    ] {
        let mut keys = desk.keys(words);
        keys.sort();
        assert_eq!(keys, ["a", "b"], "{words}");
    }
    assert!(desk.keys("カイ ").is_empty());
}

#[test]
fn a_sign_that_is_not_looked_for_is_named() {
    let desk = Desk::new();
    desk.session("a", "", 1, &[(User, "launch 🚀 now")]);
    for words in ["🚀", "!=", "file:🚀", "\"==>\""] {
        let found = desk.find(words);
        assert!(found.hits.is_empty(), "{words}");
        assert_eq!(found.notices.len(), 1, "{words}");
        assert!(found.notices[0].contains("no letter or digit"), "{words}");
    }
    assert_eq!(desk.keys("launch 🚀"), ["a"]);
    for words in ["-", "\"", "*", "launch -"] {
        assert!(desk.find(words).notices.is_empty(), "{words}");
    }
}

#[test]
fn a_hidden_session_comes_back_with_its_messages_when_it_is_described_again() {
    let desk = Desk::new();
    desk.session("a", "", 1, &[(User, "hidden treasure")]);
    desk.session("b", "", 1, &[(User, "open treasure")]);
    desk.index.hide("a");
    assert_eq!(desk.keys("treasure "), ["b"]);
    assert_eq!(desk.index.sessions(), 1);
    desk.session("a", "", 1, &[]);
    let mut keys = desk.keys("treasure ");
    keys.sort();
    assert_eq!(keys, ["a", "b"]);
}

#[test]
fn an_index_is_as_it_was_left_or_empty() {
    let desk = Desk::new();
    desk.session("a", "", 1, &[(User, "something")]);
    let Desk { dir, index } = desk;
    drop(index);
    let at = dir.path().join("search");
    let open = |name: &str| Index::open(&at, name).expect("opens");
    let (index, opened) = open("one");
    assert_eq!((opened, index.sessions()), (Opened::AsItWas, 1));
    assert_eq!(
        index.note("a").expect("readable").as_deref(),
        Some("note of a")
    );
    assert_eq!(
        index
            .find(&ask("something", 5, &now()))
            .expect("found")
            .total,
        1
    );
    drop(index);
    let (index, opened) = open("another");
    assert_eq!((opened, index.sessions()), (Opened::Empty, 0));
    drop(index);
    std::fs::write(at.join("meta.json"), "{").expect("written");
    let (index, opened) = open("another");
    assert_eq!(opened, Opened::Empty);
    drop(index);
    std::fs::remove_dir_all(&at).expect("removed");
    assert_eq!(open("another").1, Opened::Empty);
}

#[test]
fn a_batch_that_is_not_committed_has_no_effect() {
    let desk = Desk::new();
    let mut batch = desk.index.batch().expect("a batch");
    let session = Session {
        key: "a".into(),
        title: "lost".into(),
        ..Session::default()
    };
    batch.set_session(&session).expect("added");
    drop(batch);
    desk.session("b", "kept", 1, &[(User, "kept")]);
    assert!(desk.keys("lost ").is_empty());
    assert_eq!(desk.keys("kept "), ["b"]);
}

#[test]
fn messages_of_a_session_that_is_not_described_are_not_kept() {
    let desk = Desk::new();
    desk.session("gone", "", 1, &[(User, "something")]);
    let mut batch = desk.index.batch().expect("a batch");
    batch.remove_session("gone");
    batch.commit().expect("committed");
    for key in ["x", "gone"] {
        let mut batch = desk.index.batch().expect("a batch");
        let message = Message {
            text: "stolen pearls",
            role: Some(User),
            ..Message::default()
        };
        batch.add(key, &message).expect("added");
        batch.commit().expect("committed");
        assert!(!desk.index.has(key), "{key}");
    }
    desk.session("y", "", 1, &[(User, "honest words")]);
    assert!(desk.keys("pearls ").is_empty());
    let Desk { dir, index } = desk;
    drop(index);
    let (index, _) = Index::open(&dir.path().join("search"), "one").expect("opens");
    let desk = Desk { dir, index };
    desk.session("z", "", 1, &[(User, "more words")]);
    assert!(desk.keys("pearls ").is_empty());
    assert_eq!(desk.keys("words ").len(), 2);
}

#[test]
fn an_index_that_is_opened_again_has_the_sessions_it_had() {
    let desk = Desk::new();
    for number in 0..60 {
        // Many segments, texts that repeat, and descriptions that were replaced.
        let key = format!("{}k{}", ["", "split-"][number % 2], number % 40);
        let title = ["Größe", "", "Retry a payment", "検索"][number % 4];
        let text = format!("needle number{number}");
        let devices = ["desk", "lap", "tower"];
        let messages = [
            (User, text.as_str(), devices[number % 3], ""),
            (Tool, "called", devices[number % 2], "src/pay.rs"),
        ];
        desk.session_of(&key, title, number as i64, &messages);
    }
    desk.index.hide("k2");
    let mut batch = desk.index.batch().expect("a batch");
    batch.remove_session("k2");
    batch.commit().expect("committed");
    let words = ["needle ", "project:shop", "device:tower", "is:split"];
    let all = |index: &Index| -> Vec<Found> {
        let found = words.map(|words| index.find(&ask(words, 100, &now())).expect("understood"));
        found.into()
    };
    let before = all(&desk.index);
    assert_eq!(before[0].total, 39);
    let Desk { dir, index } = desk;
    drop(index);
    let (index, opened) = Index::open(&dir.path().join("search"), "one").expect("opens");
    assert_eq!((opened, index.sessions()), (Opened::AsItWas, 39));
    for (one, other) in before.iter().zip(all(&index)) {
        let sessions = |found: &Found| -> Vec<Session> {
            let hits = found.hits.iter();
            let mut sessions: Vec<_> = hits.map(|hit| hit.session.clone()).collect();
            sessions.sort_by(|one, other| one.key.cmp(&other.key));
            sessions
        };
        assert_eq!(sessions(one), sessions(&other));
    }
}

/// Mapped files count as memory of the process, however little of them is needed.
#[cfg(target_os = "linux")]
#[test]
fn at_rest_no_file_is_mapped_and_a_question_is_answered() {
    let desk = Desk::new();
    let dir = desk.dir.path().join("search");
    let is_mapped = || {
        let maps = std::fs::read_to_string("/proc/self/maps").expect("readable");
        maps.contains(dir.to_str().expect("a plain path"))
    };
    desk.session("a", "", 1, &[(User, "something")]);
    assert_eq!(desk.keys("something "), ["a"]);
    assert!(is_mapped());
    desk.index.rest().expect("rests");
    assert!(!is_mapped());
    assert_eq!(desk.keys("something "), ["a"]);
    assert!(!desk.index.unmap_if_unused(), "it was just asked");
    assert!(is_mapped());
    assert!(desk.index.unmap_if_unused());
    assert!(!is_mapped());
    assert!(!desk.index.unmap_if_unused());
    desk.session("b", "", 1, &[(User, "something")]);
    assert_eq!(desk.keys("something ").len(), 2);
    let Desk { dir: place, index } = desk;
    drop(index);
    let (index, _) = Index::open(&dir, "one").expect("opens");
    assert!(!is_mapped(), "after a start");
    assert_eq!(index.sessions(), 2);
    drop(place);
}

#[derive(Clone, Debug)]
enum Act {
    Add(u8, Vec<String>),
    Remove(u8),
    Anew(u8, Vec<String>),
}

fn act() -> impl Strategy<Value = Act> {
    let text = || prop::collection::vec("[a-zA-ZäßÉ0-9_./ 検索語한]{1,24}", 1..4);
    prop_oneof![
        4 => (0..6u8, text()).prop_map(|(key, texts)| Act::Add(key, texts)),
        1 => (0..6u8).prop_map(Act::Remove),
        1 => (0..6u8, text()).prop_map(|(key, texts)| Act::Anew(key, texts)),
    ]
}

fn describe(batch: &mut session_roam_search::Batch<'_>, key: &str, texts: &[String]) {
    let session = Session {
        key: key.into(),
        ..Session::default()
    };
    batch.set_session(&session).expect("added");
    for (number, text) in texts.iter().enumerate() {
        let role = Role::ALL[number % 3];
        let message = Message {
            number: number as u64,
            text,
            role: Some(role),
            ..Message::default()
        };
        batch.add(key, &message).expect("added");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_message_is_found_by_each_of_its_words_and_a_removed_one_never(
        acts in prop::collection::vec(act(), 1..12)
    ) {
        let desk = Desk::new();
        let mut model: std::collections::BTreeMap<String, Vec<String>> = Default::default();
        for act in acts {
            let mut batch = desk.index.batch().expect("a batch");
            match act {
                Act::Add(key, texts) => {
                    let key = format!("k{key}");
                    describe(&mut batch, &key, &texts);
                    model.entry(key).or_default().extend(texts);
                }
                Act::Anew(key, texts) => {
                    let key = format!("k{key}");
                    batch.remove_messages(&key);
                    describe(&mut batch, &key, &texts);
                    model.insert(key, texts);
                }
                Act::Remove(key) => {
                    batch.remove_session(&format!("k{key}"));
                    model.remove(&format!("k{key}"));
                }
            }
            batch.commit().expect("committed");
        }
        let words = |text: &str| -> Vec<String> {
            let words = text.split(|letter: char| !letter.is_alphanumeric());
            words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
        };
        let all: BTreeSet<String> = model.values().flatten().flat_map(|text| words(text)).collect();
        prop_assert_eq!(desk.index.sessions(), model.len());
        for word in all {
            let keys: BTreeSet<String> = desk.keys(&format!("\"{word}\"")).into_iter().collect();
            for (key, texts) in &model {
                if texts.iter().any(|text| words(text).contains(&word)) {
                    prop_assert!(keys.contains(key), "{} in {}: {:?}", word, key, texts);
                }
            }
            prop_assert!(keys.iter().all(|key| model.contains_key(key)));
        }
    }
}
