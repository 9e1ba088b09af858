//! A synthetic store of Claude Code sessions, the same for the same seed. Sizes follow one real
//! user's store: 1,065 transcripts, 543 MB, records of 740 B in the middle, 3.5 KB at the 90th
//! percentile, 691 KB at most, and a text that gzip makes about four times smaller (figures
//! published for such a store in 2026). Contains nobody's real text.

use crate::proc;
use anyhow::{Context, Result, bail};
use std::fs;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The size of a corpus.
#[derive(Clone, Debug, PartialEq)]
pub struct Size {
    pub sessions: usize,
    pub megabytes: u64,
    pub seed: u64,
}

impl Default for Size {
    fn default() -> Self {
        Self {
            sessions: 1065,
            megabytes: 543,
            seed: 1,
        }
    }
}

/// A corpus that was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Made {
    pub sessions: usize,
    pub bytes: u64,
    /// The checkouts of the sessions.
    pub projects: Vec<PathBuf>,
}

const PROJECTS: usize = 20;
const LARGEST_SHARE: f64 = 0.06; // of the total, for one session
const SMALLEST: u64 = 2_000;
/// 2026-10-20T08:00:00Z: a corpus is the same on every day.
const BEGIN_MS: u64 = 1_792_483_200_000;

pub fn run(args: &[&str]) -> Result<()> {
    let (home, size) = parse(args)?;
    let start = std::time::Instant::now();
    let made = write(&home, &size)?;
    println!(
        "{} sessions, {:.1} MB in {} ({:.1} s)",
        made.sessions,
        made.bytes as f64 / 1e6,
        store(&home).display(),
        start.elapsed().as_secs_f64()
    );
    Ok(())
}

fn parse(args: &[&str]) -> Result<(PathBuf, Size)> {
    let [home, rest @ ..] = args else {
        bail!("say where: cargo xtask corpus DIR [--sessions N] [--mb N] [--seed N]")
    };
    if home.starts_with('-') {
        bail!("{home} is no directory: cargo xtask corpus DIR [--sessions N] [--mb N] [--seed N]")
    }
    let size = size(rest, Size::default())?;
    Ok((std::path::absolute(home)?, size))
}

/// `--sessions N --mb N --seed N`; missing values are taken from `size`.
pub fn size(words: &[&str], mut size: Size) -> Result<Size> {
    for pair in words.chunks(2) {
        let [name, value] = pair else {
            bail!("{} needs a number", pair[0])
        };
        let number: u64 = value
            .parse()
            .with_context(|| format!("{name} needs a number, not {value}"))?;
        match *name {
            "--sessions" => size.sessions = usize::try_from(number)?,
            "--mb" => size.megabytes = number,
            "--seed" => size.seed = number,
            _ => bail!("there is no option {name}"),
        }
    }
    Ok(size)
}

/// Writes the store and its projects below `home`. Existing files are overwritten.
pub fn write(home: &Path, size: &Size) -> Result<Made> {
    let mut dice = Dice::new(size.seed);
    let vocabulary = Vocabulary::new(&mut dice);
    let projects = (0..PROJECTS)
        .map(|idx| make_project(home, idx, &vocabulary))
        .collect::<Result<Vec<_>>>()?;
    let mut made = Made::default();
    for bytes in session_sizes(&mut dice, size) {
        let project = &projects[dice.skewed(projects.len())];
        let mut session =
            Session::new(project, BEGIN_MS + dice.below(31 * 86_400_000), dice.next());
        made.bytes += session.write(home, bytes, &vocabulary)?;
        made.sessions += 1;
    }
    Ok(Made { projects, ..made })
}

/// Creates the same projects' checkouts on another device, below `dir`.
pub fn make_other_checkouts(projects: &[PathBuf], dir: &Path) -> Result<Vec<PathBuf>> {
    let make = |project: &PathBuf| {
        let name = project.file_name().context("a checkout has a name")?;
        let other = dir.join(name);
        make_checkout(&other, &remote(&name.to_string_lossy()))?;
        Ok(other)
    };
    projects.iter().map(make).collect()
}

fn remote(name: &str) -> String {
    format!("https://git.example/acme/{name}.git")
}

/// Creates a checkout of its own with a remote, so that it is recognised anywhere.
pub fn make_checkout(dir: &Path, remote: &str) -> Result<()> {
    fs::create_dir_all(dir).with_context(|| format!("could not make {}", dir.display()))?;
    if !dir.join(".git").exists() {
        proc::output(
            Command::new("git")
                .args(["init", "--quiet"])
                .current_dir(dir),
        )?;
        proc::output(
            Command::new("git")
                .args(["remote", "add", "origin", remote])
                .current_dir(dir),
        )?;
    }
    Ok(())
}

fn make_project(home: &Path, idx: usize, vocabulary: &Vocabulary) -> Result<PathBuf> {
    let name = format!(
        "{}-{}",
        vocabulary.base(idx * 3 + 1),
        vocabulary.base(idx * 5 + 40)
    );
    let dir = home.join("code").join(&name);
    make_checkout(&dir, &remote(&name))?;
    Ok(dir)
}

/// Log-normal sizes, scaled to the total.
fn session_sizes(dice: &mut Dice, size: &Size) -> Vec<u64> {
    let weights: Vec<f64> = (0..size.sessions)
        .map(|_| (1.5 * dice.gauss()).exp())
        .collect();
    let total: f64 = weights.iter().sum();
    let bytes = size.megabytes as f64 * 1e6;
    let mut sizes: Vec<u64> = weights
        .iter()
        .map(|weight| (((weight / total).min(LARGEST_SHARE) * bytes) as u64).max(SMALLEST))
        .collect();
    // The difference caused by the bounds goes to the sessions in the middle.
    let missing = (bytes as u64).saturating_sub(sizes.iter().sum());
    let share = missing / (sizes.len() as u64).max(1);
    sizes.iter_mut().for_each(|bytes| *bytes += share);
    sizes
}

/// The directory where Claude Code keeps its transcripts.
pub fn store(home: &Path) -> PathBuf {
    home.join(".claude").join("projects")
}

/// A session being written; it can continue after its file was closed.
pub struct Session {
    pub id: String,
    cwd: String,
    project: PathBuf,
    parent: Option<String>,
    now_ms: u64,
    dice: Dice,
    /// Text that was read or printed before; sessions quote the same files again and again.
    seen: String,
}

impl Session {
    pub fn new(project: &Path, begin_ms: u64, seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let id = dice.uuid();
        // Windows' separators would need escaping in JSON.
        let cwd = project.display().to_string().replace('\\', "\\\\");
        Self {
            id,
            cwd,
            project: project.to_path_buf(),
            parent: None,
            now_ms: begin_ms,
            dice,
            seen: String::new(),
        }
    }

    /// Its transcript in a store, if its project were at `project`.
    pub fn path_for(&self, home: &Path, project: &Path) -> PathBuf {
        store(home)
            .join(slug(project))
            .join(format!("{}.jsonl", self.id))
    }

    pub fn path(&self, home: &Path) -> PathBuf {
        self.path_for(home, &self.project)
    }

    /// Writes the transcript from its beginning until it has about `bytes`; returns its size.
    pub fn write(&mut self, home: &Path, bytes: u64, vocabulary: &Vocabulary) -> Result<u64> {
        let path = self.path(home);
        let dir = path.parent().context("a transcript lies in a directory")?;
        fs::create_dir_all(dir).with_context(|| format!("could not make {}", dir.display()))?;
        let file = fs::File::create(&path)
            .with_context(|| format!("could not write {}", path.display()))?;
        let mut out = BufWriter::with_capacity(1 << 18, file);
        let mut line = String::new();
        let mut written = 0;
        while written < bytes {
            line.clear();
            self.record(&mut line, vocabulary);
            out.write_all(line.as_bytes())
                .with_context(|| format!("could not write {}", path.display()))?;
            written += line.len() as u64;
        }
        out.flush()
            .with_context(|| format!("could not write {}", path.display()))?;
        Ok(written)
    }

    /// One record with its line end: a message by `role`, `user` or `assistant`. `text` contains
    /// nothing that JSON escapes.
    pub fn said(&mut self, role: &str, text: &str) -> String {
        let content = match role {
            "assistant" => format!(r#"[{{"type":"text","text":"{text}"}}]"#),
            _ => format!("\"{text}\""),
        };
        let message = match role {
            "assistant" => {
                format!(
                    r#"{{"id":"msg_{}","type":"message","role":"assistant","model":"model-of-the-demo","content":{content},"stop_reason":"end_turn"}}"#,
                    self.dice.hex(12)
                )
            }
            _ => format!(r#"{{"role":"{role}","content":{content}}}"#),
        };
        let mut line = String::new();
        self.open(&mut line, role);
        line.push_str(&message);
        self.close(&mut line);
        line
    }

    fn record(&mut self, line: &mut String, vocabulary: &Vocabulary) {
        let size = (740.0 * (1.2125 * self.dice.gauss()).exp()) as usize;
        let size = if self.dice.below(20_000) == 0 {
            400_000 + self.dice.below(280_000) as usize
        } else {
            size
        };
        let content = size.saturating_sub(680).clamp(24, 690_000);
        match self.dice.below(100) {
            0..6 => return self.metadata(line, vocabulary),
            6..14 => self.prompt(line, content, vocabulary),
            14..31 => self.answer(line, content, vocabulary),
            31..44 => self.thought(line, content, vocabulary),
            44..71 => self.call(line, content, vocabulary),
            _ => self.result(line, content, vocabulary),
        }
        self.close(line);
    }

    /// The fields of a record before its message: its parent and its session.
    fn open(&mut self, line: &mut String, role: &str) {
        match &self.parent {
            Some(parent) => push(line, &["{\"parentUuid\":\"", parent, "\""]),
            None => line.push_str("{\"parentUuid\":null"),
        }
        push(
            line,
            &[
                ",\"isSidechain\":false,\"userType\":\"external\",\"cwd\":\"",
                &self.cwd,
                "\",\"sessionId\":\"",
                &self.id,
            ],
        );
        push(
            line,
            &[
                "\",\"version\":\"2.1.330\",\"gitBranch\":\"main\",\"type\":\"",
                role,
                "\",\"message\":",
            ],
        );
    }

    fn close(&mut self, line: &mut String) {
        let uuid = self.dice.uuid();
        self.now_ms += 200 + self.dice.below(40_000);
        push(
            line,
            &[
                ",\"uuid\":\"",
                &uuid,
                "\",\"timestamp\":\"",
                &rfc3339(self.now_ms),
                "\"}\n",
            ],
        );
        self.parent = Some(uuid);
    }

    fn metadata(&mut self, line: &mut String, vocabulary: &Vocabulary) {
        line.push_str("{\"type\":\"last-prompt\",\"lastPrompt\":\"");
        vocabulary.prose(&mut self.dice, line, 60);
        push(
            line,
            &[
                "\",\"leafUuid\":\"",
                self.parent.as_deref().unwrap_or_default(),
                "\",\"sessionId\":\"",
                &self.id,
                "\"}\n",
            ],
        );
    }

    fn prompt(&mut self, line: &mut String, size: usize, vocabulary: &Vocabulary) {
        self.open(line, "user");
        line.push_str("{\"role\":\"user\",\"content\":\"");
        vocabulary.prose(&mut self.dice, line, size.min(4_000));
        line.push_str("\"}");
    }

    fn open_assistant(&mut self, line: &mut String, kind: &str) {
        self.open(line, "assistant");
        let id = self.dice.hex(12);
        push(
            line,
            &[
                "{\"id\":\"msg_",
                &id,
                "\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"a-model-1\",\"content\":[{\"type\":\"",
                kind,
                "\",",
            ],
        );
    }

    fn close_assistant(&mut self, line: &mut String) {
        let (fresh, out) = (
            self.dice.below(90_000).to_string(),
            self.dice.below(4_000).to_string(),
        );
        push(
            line,
            &[
                "}],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{\"input_tokens\":3,\"cache_read_input_tokens\":",
                &fresh,
                ",\"output_tokens\":",
                &out,
                ",\"service_tier\":\"standard\"}}",
            ],
        );
    }

    fn answer(&mut self, line: &mut String, size: usize, vocabulary: &Vocabulary) {
        self.open_assistant(line, "text");
        line.push_str("\"text\":\"");
        vocabulary.prose(&mut self.dice, line, size / 2);
        line.push_str("\\n\\n```\\n");
        vocabulary.code(&mut self.dice, line, size / 2);
        line.push_str("\\n```\"");
        self.close_assistant(line);
    }

    fn thought(&mut self, line: &mut String, size: usize, vocabulary: &Vocabulary) {
        self.open_assistant(line, "thinking");
        line.push_str("\"thinking\":\"");
        vocabulary.prose(&mut self.dice, line, size * 3 / 4);
        line.push_str("\",\"signature\":\"");
        self.dice.base64(line, (size / 4).clamp(40, 600));
        line.push('"');
        self.close_assistant(line);
    }

    fn call(&mut self, line: &mut String, size: usize, vocabulary: &Vocabulary) {
        self.open_assistant(line, "tool_use");
        let id = self.dice.hex(12);
        push(
            line,
            &[
                "\"id\":\"toolu_",
                &id,
                "\",\"name\":\"Edit\",\"input\":{\"file_path\":\"",
                &self.cwd,
                "/src/",
                vocabulary.word(&mut self.dice),
                ".rs\",\"old_string\":\"",
            ],
        );
        let old = self.text(size / 2, vocabulary);
        push(line, &[&old, "\",\"new_string\":\""]);
        // An edit's new text is the old text with a few more lines.
        line.push_str(&old);
        vocabulary.code(&mut self.dice, line, size / 6);
        line.push_str("\",\"replace_all\":false}");
        self.close_assistant(line);
    }

    fn result(&mut self, line: &mut String, size: usize, vocabulary: &Vocabulary) {
        self.open(line, "user");
        let id = self.dice.hex(12);
        push(
            line,
            &[
                "{\"role\":\"user\",\"content\":[{\"tool_use_id\":\"toolu_",
                &id,
                "\",\"type\":\"tool_result\",\"content\":\"",
            ],
        );
        // The tool keeps short output twice, once for the model and once for the screen.
        let text = self.text(if size < 8_000 { size / 2 } else { size }, vocabulary);
        push(line, &[&text, "\"}]}"]);
        if size < 8_000 {
            push(
                line,
                &[
                    ",\"toolUseResult\":{\"stdout\":\"",
                    &text,
                    "\",\"stderr\":\"\",\"interrupted\":false}",
                ],
            );
        }
    }

    /// An excerpt of earlier text, from the beginning of a line.
    fn quote(&mut self, text: &mut String, size: usize) {
        let bound = |at: usize| {
            (at..=self.seen.len())
                .find(|at| self.seen.is_char_boundary(*at))
                .unwrap_or(self.seen.len())
        };
        let from = bound(self.dice.below((self.seen.len() - size) as u64) as usize);
        let Some(line) = self.seen[from..].find("\\n") else {
            return;
        };
        let to = bound((from + line + size).min(self.seen.len()));
        // Half an escape would break the record.
        text.push_str(self.seen[from + line..to].trim_end_matches('\\'));
    }

    /// Code, a listing or a diff, sometimes with earlier text.
    fn text(&mut self, size: usize, vocabulary: &Vocabulary) -> String {
        let mut text = String::with_capacity(size + 64);
        match self.dice.below(10) {
            0..3 if size < self.seen.len() => self.quote(&mut text, size),
            0..6 => vocabulary.code(&mut self.dice, &mut text, size),
            6..8 => vocabulary.listing(&mut self.dice, &mut text, &self.cwd, size),
            _ => vocabulary.diff(&mut self.dice, &mut text, size),
        }
        if self.seen.len() < 400_000 {
            self.seen.push_str(&text);
        }
        text
    }
}

/// The directory name of a project in the store, seen with 2.1.330: everything but letters and
/// digits becomes `-`.
pub fn slug(project: &Path) -> String {
    let text = project.display().to_string();
    text.encode_utf16()
        .map(|unit| {
            u8::try_from(unit)
                .ok()
                .filter(u8::is_ascii_alphanumeric)
                .map_or('-', char::from)
        })
        .collect()
}

fn push(line: &mut String, parts: &[&str]) {
    parts.iter().for_each(|part| line.push_str(part));
}

/// RFC 3339 with milliseconds, UTC.
pub fn rfc3339(ms: u64) -> String {
    let (days, rest) = (ms / 86_400_000, ms % 86_400_000);
    let (year, month, day) = civil(days);
    let (hours, minutes, seconds) = (rest / 3_600_000, rest / 60_000 % 60, rest / 1000 % 60);
    format!(
        "{year:04}-{month:02}-{day:02}T{hours:02}:{minutes:02}:{seconds:02}.{:03}Z",
        rest % 1000
    )
}

/// Year, month and day for a number of days since 1970-01-01, computed in years that begin in
/// March.
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 {
        march_month + 3
    } else {
        march_month - 9
    };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

/// Words by frequency: the n-th word is n times less frequent than the first.
pub struct Vocabulary {
    words: Vec<String>,
    /// Indices into `words`, drawn uniformly.
    table: Vec<u16>,
}

const BASE: &str = "the of to and a in is it that for on with as this be are not from at or an if but by we can use file test error line \
function value type code data so then when name path call return string list read write add run set get new make need \
change fix check build session token user request response server client config option default result module struct \
field index buffer cache queue lock thread event handler parser reader writer stream socket timeout retry merge branch \
commit patch diff record journal entry device project folder update remove insert delete query table column row key \
hash sign verify encode decode format version release feature flag state status message channel worker task loop batch \
page view model route filter sort limit offset cursor schema migration column-wise because before after while until \
should would could might every other first last next previous empty missing invalid expected actual instead rather same \
already still again only also just now here there where which what how why does did done has have had was were will \
café naïve größer 設定 → …";

impl Vocabulary {
    pub fn new(dice: &mut Dice) -> Self {
        let base: Vec<&str> = BASE.split_whitespace().collect();
        let mut words: Vec<String> = base.iter().map(|word| (*word).to_owned()).collect();
        while words.len() < 6000 {
            let (left, right) = (
                base[dice.below(base.len() as u64) as usize],
                base[dice.below(base.len() as u64) as usize],
            );
            words.push(match dice.below(4) {
                0 => format!("{left}_{right}"),
                1 => format!("{left}{}", capital(right)),
                2 => format!("{left}.{right}"),
                _ => format!("{}{}", capital(left), capital(right)),
            });
        }
        let mut table = Vec::new();
        for idx in 0..words.len() {
            let times = (20_000 / (idx + 12)).max(1);
            table.extend(std::iter::repeat_n(
                u16::try_from(idx).expect("6000 words"),
                times,
            ));
        }
        Self { words, table }
    }

    fn base(&self, idx: usize) -> &str {
        let plain =
            |word: &&String| 4 <= word.len() && word.bytes().all(|byte| byte.is_ascii_lowercase());
        self.words
            .iter()
            .filter(plain)
            .nth(idx % 150)
            .map_or("project", String::as_str)
    }

    fn word(&self, dice: &mut Dice) -> &str {
        &self.words[usize::from(self.table[dice.below(self.table.len() as u64) as usize])]
    }

    fn prose(&self, dice: &mut Dice, out: &mut String, size: usize) {
        let end = out.len() + size;
        while out.len() < end {
            out.push_str(self.word(dice));
            out.push_str(if dice.below(14) == 0 { ". " } else { " " });
        }
        out.push('.');
    }

    fn code(&self, dice: &mut Dice, out: &mut String, size: usize) {
        let end = out.len() + size;
        while out.len() < end {
            let indent = ["\\n    ", "\\n        ", "\\n            "][dice.below(3) as usize];
            let (name, callee, argument) = (self.word(dice), self.word(dice), self.word(dice));
            match dice.below(6) {
                0 => push(
                    out,
                    &[indent, "let ", name, " = ", callee, "(", argument, ")?;"],
                ),
                1 => push(
                    out,
                    &[
                        indent,
                        "if ",
                        name,
                        " == ",
                        callee,
                        " {",
                        indent,
                        "    return ",
                        argument,
                        ";",
                        indent,
                        "}",
                    ],
                ),
                2 => push(
                    out,
                    &[
                        indent,
                        "fn ",
                        name,
                        "(",
                        argument,
                        ": &",
                        callee,
                        ") -> Result<",
                        callee,
                        "> {",
                    ],
                ),
                3 => push(
                    out,
                    &[
                        indent,
                        "// ",
                        name,
                        " ",
                        callee,
                        " ",
                        argument,
                        " ",
                        self.word(dice),
                    ],
                ),
                4 => push(
                    out,
                    &[indent, "assert_eq!(", name, ", \\\"", argument, "\\\");"],
                ),
                _ => push(
                    out,
                    &[
                        indent,
                        "self.",
                        name,
                        ".",
                        callee,
                        "(|",
                        argument,
                        "| ",
                        argument,
                        ".",
                        self.word(dice),
                        "());",
                    ],
                ),
            }
        }
    }

    fn listing(&self, dice: &mut Dice, out: &mut String, cwd: &str, size: usize) {
        let end = out.len() + size;
        while out.len() < end {
            let number = dice.below(2000).to_string();
            push(
                out,
                &[
                    cwd,
                    "/src/",
                    self.word(dice),
                    "/",
                    self.word(dice),
                    ".rs:",
                    &number,
                    ": ",
                ],
            );
            push(out, &[self.word(dice), " ", self.word(dice), "\\n"]);
        }
    }

    fn diff(&self, dice: &mut Dice, out: &mut String, size: usize) {
        let end = out.len() + size;
        let at = dice.below(900).to_string();
        push(out, &["@@ -", &at, ",9 +", &at, ",11 @@"]);
        while out.len() < end {
            let sign = ["\\n ", "\\n-", "\\n+"][dice.below(3) as usize];
            out.push_str(sign);
            self.code_words(dice, out);
        }
    }

    fn code_words(&self, dice: &mut Dice, out: &mut String) {
        push(
            out,
            &[
                "    ",
                self.word(dice),
                ".",
                self.word(dice),
                "(",
                self.word(dice),
                ", ",
                self.word(dice),
                ");",
            ],
        );
    }
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

/// Pseudo-random numbers, the same for the same seed (SplitMix64, public domain).
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }

    /// An index that is more often small than large.
    fn skewed(&mut self, n: usize) -> usize {
        self.below(n as u64).min(self.below(n as u64)) as usize
    }

    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    fn gauss(&mut self) -> f64 {
        let (radius, angle) = (self.unit().max(1e-12), self.unit());
        (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
    }

    fn uuid(&mut self) -> String {
        let (high, low) = (self.next(), self.next());
        let (first, second, third) = (high >> 32, high >> 16 & 0xffff, high & 0xfff);
        format!(
            "{first:08x}-{second:04x}-4{third:03x}-{:04x}-{:012x}",
            0x8000 | low >> 50,
            low & 0xffff_ffff_ffff
        )
    }

    fn hex(&mut self, n_bytes: usize) -> String {
        (0..n_bytes)
            .map(|_| format!("{:02x}", self.below(256)))
            .collect()
    }

    fn base64(&mut self, out: &mut String, n_letters: usize) {
        const LETTERS: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        for _ in 0..n_letters {
            out.push(char::from(LETTERS[self.below(64) as usize]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all_text(home: &Path) -> Vec<(String, String)> {
        let mut files = Vec::new();
        for project in fs::read_dir(store(home)).unwrap() {
            for file in fs::read_dir(project.unwrap().path()).unwrap() {
                let path = file.unwrap().path();
                files.push((
                    path.file_name().unwrap().to_string_lossy().into_owned(),
                    fs::read_to_string(path).unwrap(),
                ));
            }
        }
        files.sort();
        files
    }

    #[test]
    fn every_line_of_a_corpus_is_a_record_and_its_size_is_what_was_asked() {
        let home = tempfile::tempdir().unwrap();
        let made = write(
            home.path(),
            &Size {
                sessions: 12,
                megabytes: 3,
                seed: 7,
            },
        )
        .unwrap();
        assert_eq!(made.sessions, 12);
        assert!(
            2_500_000 < made.bytes && made.bytes < 6_000_000,
            "{}",
            made.bytes
        );
        for (name, text) in all_text(home.path()) {
            for line in text.lines() {
                let record: serde_json::Value = serde_json::from_str(line)
                    .unwrap_or_else(|error| panic!("{name}: {error}: {line}"));
                assert_eq!(
                    record["sessionId"].as_str().unwrap(),
                    name.trim_end_matches(".jsonl")
                );
            }
        }
    }

    #[test]
    fn the_same_seed_makes_the_same_sessions() {
        let home = tempfile::tempdir().unwrap();
        let size = Size {
            sessions: 3,
            megabytes: 1,
            seed: 5,
        };
        write(home.path(), &size).unwrap();
        let first = all_text(home.path());
        write(home.path(), &size).unwrap();
        assert_eq!(first, all_text(home.path()));
    }

    #[test]
    fn times_are_written_as_the_calendar_has_them() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(BEGIN_MS), "2026-10-20T08:00:00.000Z");
        assert_eq!(rfc3339(1_709_164_799_999), "2024-02-28T23:59:59.999Z");
        assert_eq!(rfc3339(1_709_164_800_000), "2024-02-29T00:00:00.000Z");
    }
}
