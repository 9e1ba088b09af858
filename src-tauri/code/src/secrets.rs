//! Which files look like secrets: by name, with a list of our own, and by content, with the rules of
//! gitleaks as that project maintains them (`rules/gitleaks.toml`, MIT licence, commit b58d3f1 of
//! 2026-07-22, unchanged) and with those that it lacks (`rules/own.toml`). Knows no repository.

use crate::names::RepoPath;
use aho_corasick::AhoCorasick;
use regex::bytes::{Regex, RegexBuilder};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::{LazyLock, OnceLock};

/// The allowlist of the first is for the rules of all.
const RULES: [&str; 2] = [
    include_str!("../rules/gitleaks.toml"),
    include_str!("../rules/own.toml"),
];

/// Names of files and directories that hold credentials, in lower case.
const NAMES: [&str; 42] = [
    ".aws",
    ".azure",
    ".boto",
    ".credentials.json",
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
    ".terraformrc",
    ".vault-token",
    ".yarnrc.yml",
    "_netrc",
    "application_default_credentials.json",
    "auth.json",
    "credentials",
    "credentials.json",
    "credentials.tfrc.json",
    "credentials.toml",
    "kubeconfig",
    "local.settings.json",
    "nuget.config",
    "oauth_creds.json",
    "rclone.conf",
    "secrets.json",
    "secrets.toml",
    "secrets.yaml",
    "secrets.yml",
    "service-account.json",
    "serviceaccountkey.json",
    "terraform.rc",
    "wp-config.php",
];
/// Endings of such names.
const ENDINGS: [&str; 16] = [
    ".age",
    ".asc",
    ".gpg",
    ".jks",
    ".kdbx",
    ".key",
    ".keystore",
    ".ovpn",
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

/// So many bytes tell how a text is written.
const BEGINNING: usize = 4 << 10;

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
    let (content, known) = (&*readable(content), &*readable(known));
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

/// Text of two bytes a letter as one of one byte, with which the rules can be compared: PowerShell
/// writes the former. What is no ASCII is a space then.
fn readable(content: &[u8]) -> Cow<'_, [u8]> {
    let beginning = &content[..content.len().min(BEGINNING)];
    let zeros = |first: usize| {
        let bytes = beginning.iter().skip(first).step_by(2);
        bytes.filter(|byte| **byte == 0).count()
    };
    let most = beginning.len() / 4;
    let letter_first = match beginning {
        [0xFF, 0xFE, ..] => true,
        [0xFE, 0xFF, ..] => false,
        _ if beginning.len() < 8 => return Cow::Borrowed(content),
        _ if most < zeros(1) && zeros(0) == 0 => true,
        _ if most < zeros(0) && zeros(1) == 0 => false,
        _ => return Cow::Borrowed(content),
    };
    let pairs = content.chunks_exact(2);
    let letter = |pair: &[u8]| {
        let (letter, rest) = match letter_first {
            true => (pair[0], pair[1]),
            false => (pair[1], pair[0]),
        };
        if rest == 0 && letter.is_ascii() {
            letter
        } else {
            b' '
        }
    };
    Cow::Owned(pairs.map(letter).collect())
}

/// Changes with the rules: what was searched, or recorded, with others counts for less.
pub fn rules_version() -> String {
    let mut hasher = blake3::Hasher::new();
    let lists = [&NAMES[..], &ENDINGS, &BEGINNINGS, &SAMPLES];
    for text in lists.into_iter().flatten().chain(&RULES) {
        hasher.update(text.as_bytes()).update(b"\0");
    }
    hasher.finalize().to_hex()[..32].to_owned()
}

static LOADED: LazyLock<Rules> = LazyLock::new(|| {
    Rules::parse(&RULES).expect("the rules are part of the program and a test reads them")
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
    fn parse(texts: &[&str]) -> Option<Self> {
        let tables = texts.iter().map(|text| text.parse().ok());
        let tables = tables.collect::<Option<Vec<toml::Table>>>()?;
        let allowed = Allowed::parse(tables.first()?.get("allowlist")?.as_table()?)?;
        let mut rules = Vec::new();
        let (mut words, mut rule_of, mut always) = (Vec::new(), Vec::new(), Vec::new());
        let lists = tables.iter().map(|table| table.get("rules")?.as_array());
        for entry in lists.collect::<Option<Vec<_>>>()?.into_iter().flatten() {
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
        let rules = Rules::parse(&RULES).expect("parses");
        assert!(220 < rules.rules.len());
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

    /// Forms of keys that the set of gitleaks does not find; made up, and put together here.
    #[test]
    fn keys_that_the_other_set_lacks_are_found() {
        let (hex, mixed) = (
            "0a1b2c3d4e5f60718293a4b5c6d7e8f9",
            "aB3dE5gH7jK9mN1pQ2rS4tU6vW8xY0zA",
        );
        let long = format!("{mixed}{mixed}");
        for (rule, text) in [
            (
                "url-password",
                "DB=postgresql://app:s3cr3tHunter@db.acme.dev/shop".to_owned(),
            ),
            (
                "url-password",
                "mongodb+srv://u:Zk39fh2Q@cluster0.ab1cd.mongodb.net".to_owned(),
            ),
            (
                "url-password",
                "rediss://:q8Wn2LpZ@cache.acme.dev:6380".to_owned(),
            ),
            (
                "url-password",
                format!("https://ci:{mixed}@git.acme.dev/a/b.git"),
            ),
            ("anthropic-token", format!("sk-ant-oat01-{mixed}")),
            ("openrouter-key", format!("sk-or-v1-{hex}{hex}")),
            ("sk-key", format!("key: sk-{hex}\n")),
            ("groq-key", format!("gsk_{long}")),
            ("xai-key", format!("xai-{long}")),
            ("google-client-secret", format!("GOCSPX-{}", &mixed[..28])),
            ("google-token", format!("ya29.{long}")),
            ("google-token", format!("1//0{long}")),
            ("docker-token", format!("dckr_pat_{}", &mixed[..27])),
            ("tailscale-key", format!("tskey-auth-{mixed}")),
            (
                "supabase-key",
                format!("sbp_{}", &format!("{hex}{hex}")[..40]),
            ),
            ("replicate-token", format!("r8_{}x", mixed)),
            ("vercel-token", format!("vercel_blob_rw_{mixed}")),
            (
                "discord-bot-token",
                format!("# my bot\nM{}.Ga1b2C.{mixed}", &mixed[..25]),
            ),
            ("azure-shared-key", format!("x;AccountKey={long}==;y")),
            (
                "putty-key",
                format!("PuTTY-User-Key-File-{}: ssh-ed25519", 3),
            ),
            (
                "jwk-private-key",
                format!("{{\"kty\":\"OKP\",\"d\":\"{mixed}\"}}"),
            ),
        ] {
            let found = find(&text, "");
            assert!(found.is_some(), "{rule}: {text}");
            if !rule.ends_with("-key") {
                assert_eq!(found.as_deref(), Some(rule), "{text}");
            }
        }
        for text in [
            "postgres://postgres:postgres@db:5432/x",
            "postgres://app:hunter22@localhost:5432/x",
            "https://user:hunter22@www.example.com/",
            "redis://:${REDIS_PASSWORD}@cache.acme.dev",
            "git clone ssh://git@github.com:22/a/b",
            "see http://a.b.c:8080/x@y",
            "class=\"sk-circle-fade-dot\"",
            "disk-usage-of-all-the-directories-that-are-there-today",
        ] {
            assert_eq!(find(text, ""), None, "{text}");
        }
    }

    #[test]
    fn text_of_two_bytes_a_letter_is_searched() {
        let text = format!("a=1\r\nTOKEN={}\r\n", token());
        for (marked, little) in [(true, true), (true, false), (false, true), (false, false)] {
            let mark = marked.then_some(0xFEFF);
            let units = mark.into_iter().chain(text.encode_utf16());
            let bytes: Vec<u8> = units
                .flat_map(|unit| match little {
                    true => unit.to_le_bytes(),
                    false => unit.to_be_bytes(),
                })
                .collect();
            let path = RepoPath::new("env.txt");
            assert_eq!(
                find_secret(&path, &bytes, b"").as_deref(),
                Some("github-pat")
            );
            assert_eq!(find_secret(&path, &bytes, &bytes), None);
        }
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
