//! Which files look like secrets: by name, with a list of our own, and by content, with the rules of
//! gitleaks as that project maintains them (`rules/gitleaks.toml`, MIT licence, commit b58d3f1 of
//! 2026-07-22, unchanged). Knows no repository.

use crate::names::RepoPath;
use aho_corasick::AhoCorasick;
use regex::bytes::{Regex, RegexBuilder};
use std::collections::BTreeSet;
use std::sync::{LazyLock, OnceLock};

const RULES: &str = include_str!("../rules/gitleaks.toml");

/// Names of files and directories that hold credentials, in lower case.
const NAMES: [&str; 33] = [
    ".aws",
    ".azure",
    ".boto",
    ".dev.vars",
    ".docker",
    ".dockercfg",
    ".envrc",
    ".git-credentials",
    ".gnupg",
    ".htpasswd",
    ".kube",
    ".my.cnf",
    ".netrc",
    ".npmrc",
    ".pgpass",
    ".pypirc",
    ".s3cfg",
    ".ssh",
    ".vault-token",
    ".yarnrc.yml",
    "_netrc",
    "auth.json",
    "credentials",
    "credentials.json",
    "credentials.toml",
    "kubeconfig",
    "local.settings.json",
    "nuget.config",
    "secrets.json",
    "secrets.toml",
    "secrets.yaml",
    "secrets.yml",
    "service-account.json",
];
/// Endings of such names.
const ENDINGS: [&str; 15] = [
    ".age",
    ".asc",
    ".gpg",
    ".jks",
    ".kdbx",
    ".key",
    ".keystore",
    ".p12",
    ".pem",
    ".pfx",
    ".ppk",
    ".tfstate",
    ".tfstate.backup",
    ".tfvars",
    ".tfvars.json",
];
/// Files of variables by how their names begin.
const BEGINNINGS: [&str; 3] = [".env.", ".env-", ".env_"];
/// What follows in names of files that show what such a file looks like.
const SAMPLES: [&str; 4] = ["example", "sample", "template", "dist"];

/// A finding: the rule's name, and what it found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    pub rule: String,
    pub secret: Vec<u8>,
}

/// Whether a file of this name holds credentials; `path` is in the form of any system.
pub fn is_secret_name(path: &str) -> bool {
    let path = path.to_lowercase();
    path.split(['/', '\\']).any(|name| {
        let mut endings = BEGINNINGS.iter().filter_map(|it| name.strip_prefix(it));
        let is_listed = endings.any(|ending| !SAMPLES.contains(&ending));
        let env = is_listed || name.ends_with(".env");
        let key = name.starts_with("id_") && !name.ends_with(".pub") && !name[3..].contains('.');
        env || key || NAMES.contains(&name) || ENDINGS.iter().any(|ending| name.ends_with(ending))
    })
}

/// The first secret in `content` that is not in `known` too. `known` is what was committed at that
/// path: a line that everybody has is no reason to hold a change of the file back.
pub(crate) fn find_secret(path: &RepoPath, content: &[u8], known: &[u8]) -> Option<String> {
    let rules = &*LOADED;
    let has = |finding: &Finding| {
        !finding.secret.is_empty()
            && known
                .windows(finding.secret.len())
                .any(|part| part == finding.secret)
    };
    let name = String::from_utf8_lossy(path.as_bytes()).into_owned();
    let found = rules
        .candidates(content)
        .into_iter()
        .flat_map(|idx| rules.rules[idx].findings(&rules.allowed, &name, content))
        .filter(|finding| !has(finding));
    // The rule that says most: several find the same token.
    let found = found.min_by_key(|finding| finding.rule.starts_with("generic-"));
    found.map(|finding| finding.rule)
}

/// Changes with the rules: what was searched, or recorded, with others counts for less.
pub fn rules_version() -> String {
    let mut hasher = blake3::Hasher::new();
    let lists = [&NAMES[..], &ENDINGS, &BEGINNINGS, &SAMPLES];
    for text in lists.into_iter().flatten().chain([&RULES]) {
        hasher.update(text.as_bytes()).update(b"\0");
    }
    hasher.finalize().to_hex()[..32].to_owned()
}

static LOADED: LazyLock<Rules> = LazyLock::new(|| {
    Rules::parse(RULES).expect("the rules are part of the program and a test reads them")
});

struct Rules {
    allowed: Allowed,
    rules: Vec<Rule>,
    keywords: AhoCorasick,
    /// The rule of each keyword.
    rule_of: Vec<usize>,
    /// Rules without keywords.
    always: Vec<usize>,
}

struct Rule {
    id: String,
    source: String,
    /// Compiled when one of its keywords is found first: most never are.
    regex: OnceLock<Option<Regex>>,
    path: Option<Regex>,
    entropy: f64,
    group: Option<usize>,
    allowed: Vec<Allowed>,
}

#[derive(Default)]
struct Allowed {
    paths: Vec<Regex>,
    regexes: Vec<Regex>,
    target: Target,
    words: Option<AhoCorasick>,
    all: bool,
}

#[derive(Default, PartialEq)]
enum Target {
    #[default]
    Secret,
    Match,
    Line,
}

impl Rules {
    fn parse(text: &str) -> Option<Self> {
        let table: toml::Table = text.parse().ok()?;
        let allowed = Allowed::parse(table.get("allowlist")?.as_table()?)?;
        let mut rules = Vec::new();
        let (mut words, mut rule_of, mut always) = (Vec::new(), Vec::new(), Vec::new());
        for entry in table.get("rules")?.as_array()? {
            let entry = entry.as_table()?;
            // One rule has a path only: a file that is a key store by its name.
            let source = strings(entry, "regex");
            let keywords = strings(entry, "keywords");
            if keywords.is_empty() {
                always.push(rules.len());
            }
            rule_of.extend(keywords.iter().map(|_| rules.len()));
            words.extend(keywords);
            let lists = entry.get("allowlists").and_then(|lists| lists.as_array());
            let lists = lists
                .into_iter()
                .flatten()
                .filter_map(toml::Value::as_table);
            rules.push(Rule {
                id: entry.get("id")?.as_str()?.to_owned(),
                source: source.into_iter().next().unwrap_or_default(),
                regex: OnceLock::new(),
                path: match strings(entry, "path").first() {
                    Some(path) => Some(compile(path)?),
                    None => None,
                },
                entropy: entry.get("entropy").and_then(number).unwrap_or(0.0),
                group: entry
                    .get("secretGroup")
                    .and_then(toml::Value::as_integer)
                    .and_then(|group| usize::try_from(group).ok()),
                allowed: lists.map(Allowed::parse).collect::<Option<_>>()?,
            });
        }
        let keywords = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .build(&words);
        Some(Self {
            allowed,
            rules,
            keywords: keywords.ok()?,
            rule_of,
            always,
        })
    }

    fn candidates(&self, content: &[u8]) -> BTreeSet<usize> {
        let found = self.keywords.find_overlapping_iter(content);
        let found = found.map(|found| self.rule_of[found.pattern().as_usize()]);
        found.chain(self.always.iter().copied()).collect()
    }
}

impl Allowed {
    fn parse(table: &toml::Table) -> Option<Self> {
        let all = |name| {
            strings(table, name)
                .iter()
                .map(|it| compile(it))
                .collect::<Option<_>>()
        };
        let words = strings(table, "stopwords");
        let builder = || {
            AhoCorasick::builder()
                .ascii_case_insensitive(true)
                .build(&words)
                .ok()
        };
        Some(Self {
            paths: all("paths")?,
            regexes: all("regexes")?,
            target: match strings(table, "regexTarget").first().map(String::as_str) {
                Some("match") => Target::Match,
                Some("line") => Target::Line,
                _ => Target::Secret,
            },
            words: match words.is_empty() {
                true => None,
                false => Some(builder()?),
            },
            all: strings(table, "condition") == ["AND"],
        })
    }

    fn covers(&self, path: &str, found: &Found) -> bool {
        let text = match self.target {
            Target::Secret => found.secret,
            Target::Match => found.whole,
            Target::Line => found.line,
        };
        let any = |list: &[Regex], text: &[u8]| list.iter().any(|regex| regex.is_match(text));
        let mut answers = Vec::new();
        if !self.paths.is_empty() {
            answers.push(any(&self.paths, path.as_bytes()));
        }
        if !self.regexes.is_empty() {
            answers.push(any(&self.regexes, text));
        }
        if let Some(words) = &self.words {
            answers.push(words.is_match(found.secret));
        }
        match self.all {
            true => !answers.is_empty() && answers.iter().all(|it| *it),
            false => answers.iter().any(|it| *it),
        }
    }
}

struct Found<'a> {
    secret: &'a [u8],
    whole: &'a [u8],
    line: &'a [u8],
}

impl Rule {
    fn findings(&self, everywhere: &Allowed, path: &str, content: &[u8]) -> Vec<Finding> {
        if self
            .path
            .as_ref()
            .is_some_and(|regex| !regex.is_match(path.as_bytes()))
        {
            return Vec::new();
        }
        let found = |secret: &[u8]| Finding {
            rule: self.id.clone(),
            secret: secret.to_vec(),
        };
        if self.source.is_empty() {
            return vec![found(b"")];
        }
        let Some(regex) = self.regex.get_or_init(|| compile(&self.source)) else {
            return Vec::new();
        };
        let is_wanted = |it: &Found| {
            self.entropy <= entropy(it.secret)
                && !everywhere.covers(path, it)
                && !self.allowed.iter().any(|list| list.covers(path, it))
        };
        let captures = regex.captures_iter(content);
        let all = captures.filter_map(|captures| {
            let whole = captures.get(0)?;
            let first = || (1..captures.len()).find_map(|idx| captures.get(idx));
            let secret = match self.group {
                Some(group) => captures.get(group),
                None => first(),
            };
            Some(Found {
                secret: secret.unwrap_or(whole).as_bytes(),
                whole: whole.as_bytes(),
                line: line_around(content, whole.range()),
            })
        });
        all.filter(is_wanted).map(|it| found(it.secret)).collect()
    }
}

fn line_around(content: &[u8], range: std::ops::Range<usize>) -> &[u8] {
    let is_end = |byte: &u8| *byte == b'\n';
    let start = content[..range.start].iter().rposition(is_end);
    let end = content[range.end..].iter().position(is_end);
    &content[start.map_or(0, |at| at + 1)..end.map_or(content.len(), |at| range.end + at)]
}

/// Shannon's entropy in bits a byte, as gitleaks computes it.
fn entropy(bytes: &[u8]) -> f64 {
    let mut counts = [0u32; 256];
    for byte in bytes {
        counts[usize::from(*byte)] += 1;
    }
    let total = bytes.len() as f64;
    let share = |count: &u32| {
        let share = f64::from(*count) / total;
        -share * share.log2()
    };
    counts.iter().filter(|count| 0 < **count).map(share).sum()
}

fn number(value: &toml::Value) -> Option<f64> {
    value
        .as_float()
        .or_else(|| value.as_integer().map(|number| number as f64))
}

/// A field that is a string or a list of strings.
fn strings(table: &toml::Table, name: &str) -> Vec<String> {
    match table.get(name) {
        Some(toml::Value::String(text)) => vec![text.clone()],
        Some(toml::Value::Array(list)) => {
            let texts = list.iter().filter_map(|it| it.as_str());
            texts.map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}

/// The rules are written for Go, whose letters are ASCII and which takes `{` for itself where it
/// begins no repetition.
fn compile(source: &str) -> Option<Regex> {
    RegexBuilder::new(&escaped_braces(source))
        .unicode(false)
        .size_limit(32 << 20)
        .build()
        .ok()
}

fn escaped_braces(source: &str) -> String {
    let mut text = String::with_capacity(source.len());
    let mut is_escaped = false;
    for (at, letter) in source.char_indices() {
        let is_named = is_escaped && matches!(letter, 'x' | 'p' | 'P');
        if letter == '{'
            && !is_escaped
            && !is_repetition(&source[at + 1..])
            && !text.ends_with("\\x")
        {
            text.push('\\');
        }
        text.push(letter);
        is_escaped = letter == '\\' && !is_escaped && !is_named;
    }
    text
}

fn is_repetition(rest: &str) -> bool {
    let Some((inside, _)) = rest.split_once('}') else {
        return false;
    };
    let (low, high) = inside.split_once(',').unwrap_or((inside, ""));
    !low.is_empty()
        && (low.to_owned() + high)
            .bytes()
            .all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(content: &str, known: &str) -> Option<String> {
        find_secret(
            &RepoPath::new("src/a.rs"),
            content.as_bytes(),
            known.as_bytes(),
        )
    }

    /// Put together here, so that no scanner stops at this file.
    fn token() -> String {
        format!("ghp_{}", "0aB1cD2eF3gH4iJ5kL6mN7oP8qR9sT0uV1wX")
    }

    #[test]
    fn every_rule_of_the_set_compiles() {
        let rules = Rules::parse(RULES).expect("parses");
        assert!(200 < rules.rules.len());
        for rule in &rules.rules {
            assert!(
                rule.source.is_empty() || compile(&rule.source).is_some(),
                "{}",
                rule.id
            );
        }
    }

    #[test]
    fn tokens_and_keys_are_found() {
        assert_eq!(
            find(&format!("let t = \"{}\";", token()), "").as_deref(),
            Some("github-pat")
        );
        let key = format!(
            "-----BEGIN {} KEY-----\n{}\n-----END {} KEY-----\n",
            "RSA PRIVATE",
            "MIIEpAIBAAKCAQEA7bq9".repeat(10),
            "RSA PRIVATE"
        );
        assert_eq!(find(&key, "").as_deref(), Some("private-key"));
        assert_eq!(find("fn main() { let key = map.get(name); }", ""), None);
    }

    #[test]
    fn what_is_committed_already_holds_nothing_back() {
        let text = format!("let t = \"{}\";", token());
        assert_eq!(find(&format!("{text}\nmore"), &text), None);
    }

    #[test]
    fn names_of_secrets_are_known() {
        for name in [
            ".env",
            "a/.ENV.local",
            "id_ed25519",
            "x/server.pem",
            ".aws/config",
            ".env-prod",
            ".env_local",
            ".dev.vars",
            "infra/prod.auto.tfvars",
            "terraform.tfstate.backup",
        ] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in [
            "env.rs",
            ".env.example",
            ".env-sample",
            ".environment",
            "id_ed25519.pub",
            "src/key.rs",
            "main.tf",
        ] {
            assert!(!is_secret_name(name), "{name}");
        }
    }
}
