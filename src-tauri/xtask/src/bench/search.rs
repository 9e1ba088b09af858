//! `cargo xtask bench search`: what an index of very many sessions costs, measured inside the search
//! crate, and how good its answers are, beside other programs that search sessions.

use super::{Row, Verdict, bench_dir, machine, write_section};
use crate::corpus::{self, Size};
use crate::proc;
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Instant;

const SESSIONS: &str = "src-tauri/search/tests/quality/sessions.txt";
const QUESTIONS: &str = "src-tauri/search/tests/quality/questions.txt";

pub fn run(args: &[&str]) -> Result<()> {
    let (write, rest): (Vec<&str>, Vec<&str>) = args.iter().partition(|arg| **arg == "--write");
    let size = Size {
        sessions: 50_000,
        megabytes: 3_500,
        ..Size::default()
    };
    let size = corpus::size(&rest, size)?;
    let load = machine::load();
    let place = tempfile::Builder::new()
        .prefix("rb")
        .tempdir_in(bench_dir()?)
        .context("could not make a directory")?;
    // Twice: what it costs to make, and what it costs to have, in a process that made nothing.
    let made = figures(&place.path().join("search"), &size)?;
    let had = figures(&place.path().join("search"), &size)?;
    let others: Vec<(&Other, PathBuf)> = { OTHERS.iter() }
        .filter_map(|other| Some((other, proc::find(other.name)?)))
        .collect();
    let mut rows = cost_rows(&made, &had, &costs_of(&others, place.path())?);
    rows.extend(quality_rows(&others, place.path())?);
    write_section(
        "Search",
        "search",
        &rows,
        place.path(),
        load,
        NOTES,
        !write.is_empty(),
    )
}

const NOTES: &str = "\
The corpus is made up: texts and sizes as `cargo xtask corpus` has them, of which 680 bytes a record are JSON around the \
text; “MB of sessions” counts both. Words are drawn by Zipf's law over 60,000, so half of the questions ask for a word \
that a twentieth of all messages has. Questions are of one to three words, beginnings, phrases, identifiers, filters; each \
is asked in one process, for 20 sessions with their lines; its time is CPU time. Memory is that of a process with nothing but the \
index; mapped files are not counted. Other programs read a corpus of 500 sessions and 50 MB, as transcripts, with their own \
command, whose time is by the clock: they find and parse files, which is not in the time beside it. The quality set has invented sessions and questions in `src-tauri/search/tests/quality`; \
other programs are asked those without fields, with one process for each question.\n";

type Figures = BTreeMap<String, f64>;

fn figures(dir: &Path, size: &Size) -> Result<Figures> {
    let mut command = proc::cargo();
    command
        .args(["bench", "--quiet", "-p", "session-roam-search", "--bench"])
        .args(["figures", "--"])
        .arg(dir)
        .arg(size.sessions.to_string())
        .arg(size.megabytes.to_string());
    Ok(read_figures(&proc::output(&mut command)?))
}

/// `name value`, one a line.
fn read_figures(text: &str) -> Figures {
    let figure = |line: &str| {
        let (name, value) = line.split_once(' ')?;
        Some((name.to_owned(), value.parse().ok()?))
    };
    text.lines().filter_map(figure).collect()
}

fn cost_rows(made: &Figures, had: &Figures, others: &[Costs]) -> Vec<Row> {
    let of = |figures: &Figures, name: &str| figures.get(name).copied().unwrap_or(f64::NAN);
    let share = |of_what: &str| 100.0 * of(made, "index_mb") / of(made, of_what);
    let speed = of(made, "raw_mb_per_s");
    let (p50, p95) = (
        of(had, "query_warm_all_p50_ms"),
        of(had, "query_warm_all_p95_ms"),
    );
    let memory = of(had, "memory_rest_anon_mb");
    let row = |promise: String, budget: &str, measured: String, verdict| Row {
        promise,
        budget: budget.into(),
        measured,
        beside: String::new(),
        verdict,
    };
    let beside = |what: fn(&Costs) -> String| {
        let all: Vec<String> = others.iter().map(what).collect();
        all.join("; ")
    };
    let arrival = of(had, "query_arrival_p95_ms");
    let mut rows = vec![
        row(
            format!(
                "making the index of {:.0} sessions, {:.0} MB",
                of(had, "sessions"),
                of(made, "raw_mb")
            ),
            "≥ 50 MB/s",
            format!(
                "{speed:.0} MB/s of sessions, {:.0} MB/s of text",
                of(made, "text_mb_per_s")
            ),
            Verdict::of(50.0 <= speed),
        ),
        row(
            "size of the index".into(),
            "≤ 25 % of the text",
            format!(
                "{:.1} % of the sessions, {:.1} % of their text",
                share("raw_mb"),
                share("text_mb")
            ),
            Verdict::of(share("text_mb") <= 25.0),
        ),
        row(
            "a question".into(),
            "p50 < 5 ms, p95 < 20 ms",
            format!("p50 {p50:.1} ms, p95 {p95:.1} ms"),
            Verdict::of(p50 < 5.0 && p95 < 20.0),
        ),
        row(
            "a new message, from its arrival at the index until it is found".into(),
            "< 1 s",
            format!("p95 {arrival:.0} ms"),
            Verdict::of(arrival < 1_000.0),
        ),
        row(
            "memory at rest".into(),
            "< 80 MB",
            format!("{memory:.0} MB"),
            Verdict::of(memory < 80.0),
        ),
        row(
            "opening the index at a start, beside the loop".into(),
            "–",
            format!("{:.0} ms", of(had, "open_ms")),
            Verdict::None,
        ),
    ];
    rows[0].beside = beside(|other| {
        format!(
            "{}: {:.1} MB/s of sessions",
            other.version, other.made_mb_per_s
        )
    });
    rows[1].beside =
        beside(|other| format!("{}: {:.1} % of the sessions", other.version, other.share));
    rows
}

// ---- other programs ----

/// Another program that searches sessions, and how it is asked.
struct Other {
    name: &'static str,
    version: &'static [&'static str],
    /// Reads all transcripts of its home.
    make: &'static [&'static str],
    /// Before and after the words.
    search: [&'static [&'static str]; 2],
    /// What each of its ways to search is called, and asked for with.
    modes: &'static [(&'static str, &'static [&'static str])],
    /// The member of an answer that has the hits.
    hits: &'static str,
    /// Ends what it leaves running.
    end: &'static [&'static str],
}

/// agentsview 0.46 was run; cass 0.7 is asked as its README says.
static OTHERS: [Other; 2] = [
    Other {
        name: "agentsview",
        version: &["version"],
        make: &["sync"],
        search: [&["session", "search"], &["--json", "--include-one-shot"]],
        modes: &[
            ("its full-text mode", &["--fts"]),
            ("its default mode", &[]),
        ],
        hits: "matches",
        end: &["daemon", "stop"],
    },
    Other {
        name: "cass",
        version: &["--version"],
        make: &["index", "--full", "--json"],
        search: [&["search"], &["--robot", "--limit", "20"]],
        modes: &[
            ("its lexical mode", &["--mode", "lexical"]),
            ("its default mode", &[]),
        ],
        hits: "hits",
        end: &[],
    },
];

impl Other {
    fn ask(&self, program: &Path, home: &Path, args: &[&str]) -> Result<Output> {
        let mut command = Command::new(program);
        command.args(args).env("HOME", home).current_dir(home);
        for name in ["XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"] {
            command.env_remove(name);
        }
        proc::captured(&mut command)
    }

    fn version(&self, program: &Path, home: &Path) -> Result<String> {
        let told = self.ask(program, home, self.version)?;
        let told = String::from_utf8_lossy(&told.stdout).into_owned();
        Ok(told.lines().next().unwrap_or(self.name).trim().to_owned())
    }

    fn end(&self, program: &Path, home: &Path) -> Result<()> {
        match self.end {
            [] => Ok(()),
            end => self.ask(program, home, end).map(drop),
        }
    }
}

/// What an index costs with another program.
struct Costs {
    version: String,
    made_mb_per_s: f64,
    /// Percent of the sessions.
    share: f64,
}

fn costs_of(others: &[(&Other, PathBuf)], place: &Path) -> Result<Vec<Costs>> {
    let size = Size {
        sessions: 500,
        megabytes: 50,
        ..Size::default()
    };
    let mut all = Vec::new();
    for (other, program) in others {
        let home = place.join(format!("{} costs", other.name));
        corpus::write(&home, &size)?;
        let version = other.version(program, &home)?;
        let before = bytes_below(&home);
        let start = Instant::now();
        other.ask(program, &home, other.make)?;
        let took = start.elapsed().as_secs_f64();
        let made = bytes_below(&home).saturating_sub(before) as f64;
        other.end(program, &home)?;
        let sessions = bytes_below(&corpus::store(&home)) as f64;
        all.push(Costs {
            version,
            made_mb_per_s: sessions / 1e6 / took,
            share: 100.0 * made / sessions,
        });
    }
    Ok(all)
}

fn bytes_below(dir: &Path) -> u64 {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let bytes = entries.map(|entry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => bytes_below(&entry.path()),
        _ => entry.metadata().map_or(0, |meta| meta.len()),
    });
    bytes.sum()
}

// ---- quality ----

fn quality_rows(others: &[(&Other, PathBuf)], place: &Path) -> Result<Vec<Row>> {
    let mut command = proc::cargo();
    command.args([
        "test",
        "--quiet",
        "-p",
        "session-roam-search",
        "--test",
        "quality",
    ]);
    command.args(["--", "--nocapture"]);
    let ours = read_figures(&proc::output(&mut command)?);
    let of = |name: &str| ours.get(name).copied().unwrap_or(f64::NAN);
    let mut rows = Vec::new();
    let mut row = |promise: String, measured: String, beside: String| {
        rows.push(Row {
            promise,
            budget: "–".into(),
            measured,
            beside,
            verdict: Verdict::None,
        });
    };
    row(
        format!("{:.0} questions with known answers", of("questions")),
        format!("hit@1 {:.3}, recall@5 {:.3}", of("hit@1"), of("recall@5")),
        String::new(),
    );
    let mut beside = Vec::new();
    for other in &OTHERS {
        let known = others.iter().find(|(known, _)| known.name == other.name);
        beside.push(match known {
            None => format!("{} is not on PATH", other.name),
            Some((_, program)) => quality_of(other, program, &place.join(other.name))?,
        });
    }
    row(
        format!("{:.0} of them without fields", of("plain_questions")),
        format!(
            "hit@1 {:.3}, recall@5 {:.3}",
            of("plain_hit@1"),
            of("plain_recall@5")
        ),
        beside.join("; "),
    );
    Ok(rows)
}

fn questions() -> Result<Vec<(String, String)>> {
    let text = fs::read_to_string(proc::root().join(QUESTIONS)).context(QUESTIONS)?;
    let pairs = text.lines().filter_map(|line| line.split_once(" => "));
    let has_field = |words: &str| {
        let fields = ["project:", "file:", "role:", "before:", "after:"];
        fields.iter().any(|field| words.contains(field))
    };
    let plain = pairs.filter(|(words, _)| !has_field(words));
    Ok(plain
        .map(|(words, key)| (words.to_owned(), key.to_owned()))
        .collect())
}

/// Asks another program the questions, over the same sessions as transcripts of Claude Code in a
/// home of its own.
fn quality_of(other: &Other, program: &Path, home: &Path) -> Result<String> {
    let ids = write_transcripts(home)?;
    let version = other.version(program, home)?;
    other.ask(program, home, other.make)?;
    let questions = questions()?;
    let mut told = Vec::new();
    for (name, mode) in other.modes {
        let (mut first, mut among_five, mut times) = (0, 0, Vec::new());
        for (words, key) in &questions {
            let [before, after] = other.search;
            let words = [words.as_str()];
            let args: Vec<&str> = [before, &words[..], after, *mode].concat();
            let start = Instant::now();
            let answer = other.ask(program, home, &args)?;
            times.push(start.elapsed().as_secs_f64() * 1e3);
            let answer: Value = serde_json::from_slice(&answer.stdout).unwrap_or_default();
            let found = found_in(&answer[other.hits], &ids);
            first += usize::from(found.first() == Some(&key));
            among_five += usize::from(found.iter().take(5).any(|one| *one == key));
        }
        times.sort_by(f64::total_cmp);
        let share = |n: usize| n as f64 / questions.len() as f64;
        told.push(format!(
            "{name}: hit@1 {:.3}, recall@5 {:.3}, {:.0} ms the command",
            share(first),
            share(among_five),
            times[times.len() / 2]
        ));
    }
    // It would serve a home that is gone.
    other.end(program, home)?;
    Ok(format!("{version}, {}", told.join("; ")))
}

/// The sessions of hits, each once: a hit names its session or its file.
fn found_in<'a>(hits: &Value, ids: &'a BTreeMap<String, String>) -> Vec<&'a String> {
    let mut found = Vec::new();
    for hit in hits.as_array().into_iter().flatten() {
        let names = ["session_id", "source_path"].map(|name| hit[name].as_str().unwrap_or(""));
        let is_it = |id: &&String| names.iter().any(|name| name.contains(id.as_str()));
        let key = ids.keys().find(is_it).map(|id| &ids[id]);
        found.extend(key.filter(|key| !found.contains(key)));
    }
    found
}

/// The invented sessions as transcripts; returns their keys by id.
fn write_transcripts(home: &Path) -> Result<BTreeMap<String, String>> {
    let text = fs::read_to_string(proc::root().join(SESSIONS)).context(SESSIONS)?;
    let dir = corpus::store(home).join("-code-shop");
    fs::create_dir_all(&dir).with_context(|| format!("could not make {}", dir.display()))?;
    let (mut ids, mut file) = (BTreeMap::new(), String::new());
    let mut current: Option<(PathBuf, String, String)> = None;
    for line in text.lines() {
        let Some((kind, rest)) = line.split_once(' ') else {
            continue;
        };
        if kind == "==" {
            let id = format!("{:08x}-0000-4000-8000-000000000000", ids.len() + 1);
            let mut words = rest.splitn(4, ' ');
            let key = words.next().unwrap_or_default();
            let title = words.nth(2).unwrap_or_default();
            ids.insert(id.clone(), key.to_owned());
            flush(current.take())?;
            let summary = json!({ "type": "summary", "summary": title, "leafUuid": id });
            current = Some((dir.join(format!("{id}.jsonl")), id, format!("{summary}\n")));
        } else if kind == "f" {
            file = rest.to_owned();
        } else if let (Some((_, id, lines)), "u" | "a" | "t") = (&mut current, kind) {
            let second = lines.lines().count();
            let content = match kind {
                "u" => json!(rest),
                "a" => json!([{ "type": "text", "text": rest }]),
                _ => json!([{ "type": "tool_use", "id": "t", "name": "Edit",
                              "input": { "file_path": file, "note": rest } }]),
            };
            let role = if kind == "u" { "user" } else { "assistant" };
            let record = json!({
                "parentUuid": null, "isSidechain": false, "cwd": "/code/shop", "sessionId": id,
                "type": role, "message": { "role": role, "content": content },
                "uuid": format!("{id}-{second}"),
                "timestamp": format!("2026-11-28T12:00:{second:02}.000Z"),
            });
            lines.push_str(&format!("{record}\n"));
        }
    }
    flush(current)?;
    Ok(ids)
}

fn flush(session: Option<(PathBuf, String, String)>) -> Result<()> {
    match session {
        None => Ok(()),
        Some((path, _, lines)) => {
            fs::write(&path, lines).with_context(|| format!("could not write {}", path.display()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_invented_sessions_become_transcripts_and_every_question_has_its_session() {
        let home = tempfile::tempdir().expect("a directory");
        let ids = write_transcripts(home.path()).expect("written");
        let keys: Vec<&String> = ids.values().collect();
        let questions = questions().expect("questions");
        assert!(150 <= questions.len());
        for (words, key) in &questions {
            assert!(keys.contains(&key), "{words}: {key}");
        }
        let files = fs::read_dir(corpus::store(home.path()).join("-code-shop")).expect("there");
        assert_eq!(files.count(), ids.len());
    }

    #[test]
    fn a_hit_is_that_of_the_session_that_it_or_its_file_is_named_after() {
        let pairs = [("a-1", "one"), ("b-2", "two")];
        let ids = pairs.map(|(id, key)| (id.to_owned(), key.to_owned()));
        let hits = json!([
            { "source_path": "/home/x/b-2.jsonl", "content": "a-1" },
            { "session_id": "claude:a-1" },
            { "session_id": "b-2" },
            { "session_id": "c-3" },
        ]);
        assert_eq!(found_in(&hits, &ids.into()), ["two", "one"]);
    }

    #[test]
    fn figures_are_read_line_by_line() {
        let figures = read_figures("running 1 test\nhit@1 0.97\nindex_mb 12.5\nword\n");
        assert_eq!(figures["hit@1"], 0.97);
        assert_eq!(figures["index_mb"], 12.5);
    }
}
