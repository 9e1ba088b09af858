//! What an index of many sessions costs. `cargo bench -p session-roam-search --bench figures -- DIR
//! SESSIONS MEGABYTES` prints one `name value` a line; an index that is there is measured again.
//! Texts and sizes are distributed as in `cargo xtask corpus`: records of 740 bytes in the middle,
//! of which 680 are JSON around the text.

use jiff::{Timestamp, Zoned, tz::TimeZone};
use session_roam_search::{Index, Message, Opened, Question, Role, Session};
use std::path::Path;
use std::time::Instant;

const WRAPPING: usize = 680;

fn main() {
    let args: Vec<String> = std::env::args().filter(|arg| arg != "--bench").collect();
    let [_, dir, sessions, megabytes] = args.as_slice() else {
        // `cargo test --benches` runs this without arguments.
        return;
    };
    let (sessions, megabytes): (u64, u64) = (
        sessions.parse().expect("a number of sessions"),
        megabytes.parse().expect("a number of megabytes"),
    );
    let (index, opened) = Index::open(Path::new(dir), "figures").expect("opens");
    let vocabulary = Vocabulary::new();
    if opened == Opened::Empty {
        fill(&index, &vocabulary, sessions, megabytes * 1_000_000);
    }
    drop(index);
    let start = Instant::now();
    let (index, _) = Index::open(Path::new(dir), "figures").expect("opens");
    println!("open_ms {:.1}", ms(start));
    println!("sessions {}", index.sessions());
    println!("index_mb {:.1}", index.bytes() as f64 / 1e6);
    print_memory("rest");
    measure(&index, &vocabulary);
    print_memory("asked");
    arrive(&index);
    print_memory("written");
    index.rest().expect("rests");
    print_memory("rest_again");
}

fn ms(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1e3
}

/// CPU time of this thread, which other work on the machine does not lengthen; on Windows the clock.
#[cfg(unix)]
fn cpu_ms() -> f64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the clock exists on all systems of this benchmark, and `time` is a whole timespec.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6
}

#[cfg(not(unix))]
fn cpu_ms() -> f64 {
    static BEGIN: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);
    ms(*BEGIN)
}

/// Anonymous and file-backed memory of this process, on Linux.
fn print_memory(when: &str) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    for (field, name) in [("RssAnon:", "anon"), ("RssFile:", "file")] {
        let line = status.lines().find(|line| line.starts_with(field));
        let kb = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
        println!("memory_{when}_{name}_mb {:.1}", kb.unwrap_or(0.0) / 1e3);
    }
}

fn fill(index: &Index, vocabulary: &Vocabulary, sessions: u64, bytes: u64) {
    let mut dice = Dice(88_172_645_463_325_252);
    let weights: Vec<f64> = (0..sessions).map(|_| (1.5 * dice.gauss()).exp()).collect();
    let total: f64 = weights.iter().sum();
    let (mut raw, mut text_bytes, mut messages, mut busy) = (0u64, 0u64, 0u64, 0.0);
    let mut text = String::new();
    for (number, chunk) in weights.chunks(200).enumerate() {
        let mut made: Vec<(String, Vec<Said>)> = Vec::new();
        for (idx, weight) in chunk.iter().enumerate() {
            let key = format!("claude-code/{:032x}", number * 200 + idx);
            let wanted = ((weight / total * bytes as f64) as u64).max(2_000);
            let (mut written, mut all) = (0, Vec::new());
            while written < wanted {
                let size = (740.0 * (1.2125 * dice.gauss()).exp()) as usize;
                let size = size.saturating_sub(WRAPPING).clamp(24, 690_000);
                text.clear();
                let (role, file) = vocabulary.message(&mut dice, size, &mut text);
                written += (text.len() + WRAPPING) as u64;
                text_bytes += text.len() as u64;
                all.push((role, text.clone(), file));
            }
            raw += written;
            messages += all.len() as u64;
            made.push((key, all));
        }
        let start = Instant::now();
        let mut batch = index.batch().expect("a batch");
        for (key, all) in &made {
            let at = 1_764_000_000 - (number as i64) * 86_400;
            let title: String = all[0].1.chars().take(60).collect();
            let session = Session {
                key: key.clone(),
                tool: "claude-code".into(),
                project: format!("git.example/acme/{}", number % 40),
                title,
                updated: at,
                devices: vec!["desk".into()],
                ..Session::default()
            };
            batch.set_session(&session).expect("added");
            for (number, (role, text, file)) in all.iter().enumerate() {
                let message = Message {
                    run: 1,
                    number: number as u64,
                    device: "desk",
                    at,
                    text,
                    role: Some(*role),
                    files: file,
                };
                batch.add(key, &message).expect("added");
            }
        }
        batch.commit().expect("committed");
        busy += start.elapsed().as_secs_f64();
    }
    let start = Instant::now();
    index.rest().expect("rests");
    busy += start.elapsed().as_secs_f64();
    println!("messages {messages}");
    println!("raw_mb {:.1}", raw as f64 / 1e6);
    println!("text_mb {:.1}", text_bytes as f64 / 1e6);
    println!("fill_s {busy:.1}");
    println!("raw_mb_per_s {:.1}", raw as f64 / 1e6 / busy);
    println!("text_mb_per_s {:.1}", text_bytes as f64 / 1e6 / busy);
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

/// What people type: one to three words, rare and common ones, prefixes, phrases, identifiers.
fn measure(index: &Index, vocabulary: &Vocabulary) {
    let at = Timestamp::from_second(1_764_000_000).expect("a time");
    let now: Zoned = at.to_zoned(TimeZone::UTC);
    let mut dice = Dice(4_101_842_887_655_102_017);
    for round in ["cold", "warm"] {
        let mut all = Vec::new();
        for kind in [
            "word",
            "words",
            "three",
            "prefix",
            "phrase",
            "filter",
            "identifier",
            "typo",
        ] {
            let mut times = Vec::new();
            for _ in 0..50 {
                let mut word = || vocabulary.word(&mut dice).to_owned();
                let question = match kind {
                    "word" => word() + " ",
                    "words" => format!("{} {} ", word(), word()),
                    "three" => format!("{} {} {} ", word(), word(), word()),
                    "prefix" => word().chars().take(3).collect(),
                    "phrase" => format!("\"{} {}\"", word(), word()),
                    "filter" => format!("{} project:acme/7 after:2025-06-01", word()),
                    "identifier" => format!("{}_{} ", word(), word()),
                    _ => {
                        let mut word = word();
                        word.insert(word.len() / 2, 'q');
                        word + " "
                    }
                };
                let start = cpu_ms();
                let found = index.find(&ask(&question, 20, &now)).expect("understood");
                times.push(cpu_ms() - start);
                std::hint::black_box(found);
            }
            print_times(&format!("{round}_{kind}"), &mut times);
            if kind != "typo" {
                all.extend(times);
            }
        }
        print_times(&format!("{round}_all"), &mut all);
    }
}

fn print_times(name: &str, times: &mut [f64]) {
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    println!("query_{name}_p50_ms {:.2}", at(0.5));
    println!("query_{name}_p95_ms {:.2}", at(0.95));
}

/// From a message's arrival until a question finds it.
fn arrive(index: &Index) {
    let at = Timestamp::from_second(1_764_000_000).expect("a time");
    let now: Zoned = at.to_zoned(TimeZone::UTC);
    let mut times = Vec::new();
    for number in 0..40 {
        let (text, start) = (format!("arrival{number}x"), Instant::now());
        let mut batch = index.batch().expect("a batch");
        let session = Session {
            key: "claude-code/new".into(),
            ..Session::default()
        };
        batch.set_session(&session).expect("added");
        let message = Message {
            text: &text,
            role: Some(Role::User),
            ..Message::default()
        };
        batch.add("claude-code/new", &message).expect("added");
        batch.commit().expect("committed");
        assert_eq!(
            index.find(&ask(&text, 5, &now)).expect("understood").total,
            1
        );
        times.push(ms(start));
    }
    print_times("arrival", &mut times);
}

struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    fn gauss(&mut self) -> f64 {
        let (one, other) = (self.share().max(1e-12), self.share());
        (-2.0 * one.ln()).sqrt() * (std::f64::consts::TAU * other).cos()
    }
}

/// Whose words, the words, and a file.
type Said = (Role, String, String);

/// Words by Zipf's law: of 60,000, the first dozen are a third of all text.
struct Vocabulary {
    words: Vec<String>,
}

impl Vocabulary {
    fn new() -> Self {
        let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
        let word = |idx: usize, dice: &mut Dice| {
            let syllables = match idx {
                0..200 => 1,
                200..4_000 => 2,
                _ => 3,
            };
            let mut word = String::new();
            for _ in 0..syllables {
                let part = [
                    "ba", "con", "de", "fi", "gor", "hu", "jin", "ka", "lem", "mo", "nu", "pre",
                    "qui", "re", "sta", "ter", "un", "va", "wi", "xe",
                ];
                word.push_str(part[dice.below(20) as usize]);
                if dice.below(3) == 0 {
                    word.push(['s', 't', 'n', 'r', 'd'][dice.below(5) as usize]);
                }
            }
            word
        };
        let words = (0..60_000).map(|idx| word(idx, &mut dice)).collect();
        Self { words }
    }

    fn word(&self, dice: &mut Dice) -> &str {
        let rank = (self.words.len() as f64).powf(dice.share()) as usize;
        &self.words[rank.min(self.words.len() - 1)]
    }

    fn message(&self, dice: &mut Dice, size: usize, text: &mut String) -> (Role, String) {
        let mut file = String::new();
        let role = match dice.below(94) {
            0..8 => {
                self.prose(dice, size.min(4_000), text);
                Role::User
            }
            8..25 => {
                self.prose(dice, size / 2, text);
                self.code(dice, size / 2, text);
                Role::Assistant
            }
            25..38 => {
                self.prose(dice, size, text);
                Role::Tool
            }
            _ => {
                file = format!("src/{}/{}.rs", self.word(dice), self.word(dice));
                self.code(dice, size, text);
                Role::Tool
            }
        };
        (role, file)
    }

    fn prose(&self, dice: &mut Dice, size: usize, text: &mut String) {
        let end = text.len() + size;
        while text.len() < end {
            text.push_str(self.word(dice));
            text.push_str(if dice.below(12) == 0 { ". " } else { " " });
        }
    }

    fn code(&self, dice: &mut Dice, size: usize, text: &mut String) {
        let end = text.len() + size;
        while text.len() < end {
            let words: Vec<&str> = (0..3).map(|_| self.word(dice)).collect();
            let [one, other, third] = words[..] else {
                continue;
            };
            let line = match dice.below(4) {
                0 => format!(
                    "    let {one}_{other} = self.{third}({});\n",
                    dice.below(100)
                ),
                1 => format!("    if {one}.{other}() {{ return {third}; }}\n"),
                2 => format!("use crate::{one}::{other}::{third};\n"),
                _ => format!("    // {one} {other} {third}\n"),
            };
            text.push_str(&line);
        }
    }
}
