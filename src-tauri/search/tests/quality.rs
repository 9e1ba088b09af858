//! Questions with known answers over invented sessions: prints how many are answered by the first
//! session and by one of the first five, and which are not.

use jiff::Zoned;
use session_roam_search::{Index, Message, Question, Role, Session};
use std::path::Path;

struct Told {
    key: String,
    days_ago: i64,
    project: String,
    title: String,
    messages: Vec<(Role, String, String)>,
}

fn sessions() -> Vec<Told> {
    let mut all: Vec<Told> = Vec::new();
    let mut file = String::new();
    for line in include_str!("quality/sessions.txt").lines() {
        let (kind, rest) = line.split_once(' ').unwrap_or((line, ""));
        let mut message = |role| {
            let last = all.last_mut().expect("a session before its messages");
            let file = std::mem::take(&mut file);
            last.messages.push((role, rest.to_owned(), file));
        };
        match kind {
            "==" => {
                let mut words = rest.splitn(4, ' ').map(str::to_owned);
                let mut word = || words.next().expect("four words");
                all.push(Told {
                    key: word(),
                    days_ago: word().parse().expect("a number of days"),
                    project: word(),
                    title: word(),
                    messages: Vec::new(),
                });
            }
            "u" => message(Role::User),
            "a" => message(Role::Assistant),
            "t" => message(Role::Tool),
            "f" => file = rest.to_owned(),
            _ => {}
        }
    }
    all
}

fn questions() -> Vec<(&'static str, &'static str)> {
    let lines = include_str!("quality/questions.txt").lines();
    lines.filter_map(|line| line.split_once(" => ")).collect()
}

fn fill(dir: &Path, now: i64) -> Index {
    let (index, _) = Index::open(dir, "quality").expect("opens");
    let mut batch = index.batch().expect("a batch");
    for told in sessions() {
        let at = now - told.days_ago * 86_400;
        let session = Session {
            key: told.key.clone(),
            id: told.key.clone(),
            tool: "claude-code".into(),
            project: format!("git:git.example/acme/{}", told.project),
            title: told.title,
            updated: at,
            ..Session::default()
        };
        batch.set_session(&session).expect("added");
        for (number, (role, text, file)) in told.messages.iter().enumerate() {
            let message = Message {
                number: number as u64,
                at,
                text,
                role: Some(*role),
                files: file,
                ..Message::default()
            };
            batch.add(&told.key, &message).expect("added");
        }
    }
    batch.commit().expect("committed");
    index
}

#[test]
fn most_questions_are_answered_by_the_first_session() {
    let dir = tempfile::tempdir().expect("a directory");
    let now: Zoned = "2026-11-29T12:00:00Z[UTC]".parse().expect("a time");
    let index = fill(&dir.path().join("search"), now.timestamp().as_second());
    let questions = questions();
    assert!(150 <= questions.len(), "{}", questions.len());
    let (mut first, mut among_five) = (0, 0);
    let (mut plain, mut plain_first, mut plain_among_five) = (0, 0, 0);
    for (words, key) in &questions {
        // As `roam search` asks, and as the window's field does.
        for text in [format!("{words} "), (*words).to_owned()] {
            let question = Question {
                text: &text,
                limit: 5,
                now: now.clone(),
                names: &[],
                only: None,
            };
            let found = index.find(&question).expect("understood");
            let keys: Vec<&str> = found.hits.iter().map(|hit| &*hit.session.key).collect();
            let rank = keys.iter().position(|found| found == key);
            let fields = ["project:", "file:", "role:", "before:", "after:"];
            if text.ends_with(' ') && !fields.iter().any(|field| text.contains(field)) {
                plain += 1;
                plain_first += usize::from(rank == Some(0));
                plain_among_five += usize::from(rank.is_some());
            }
            match rank {
                Some(0) => (first, among_five) = (first + 1, among_five + 1),
                Some(rank) => {
                    among_five += 1;
                    println!("rank {}: {text:?} wants {key}, got {}", rank + 1, keys[0]);
                }
                None => println!("missed: {text:?} wants {key}, got {keys:?}"),
            }
        }
    }
    let share = |n: usize| n as f64 / (2 * questions.len()) as f64;
    println!("questions {}", questions.len());
    println!("hit@1 {:.3}", share(first));
    println!("recall@5 {:.3}", share(among_five));
    println!("plain_questions {plain}");
    println!("plain_hit@1 {:.3}", plain_first as f64 / plain as f64);
    println!(
        "plain_recall@5 {:.3}",
        plain_among_five as f64 / plain as f64
    );
    assert!(0.95 <= share(first), "hit@1 {:.3}", share(first));
    assert!(
        0.99 <= share(among_five),
        "recall@5 {:.3}",
        share(among_five)
    );
}
