//! Resolves a remote's URL as this user's Git and SSH do: `url.<base>.insteadOf` of the user's and
//! the system's Git configuration, and `HostName` of that of SSH. The files are read, but neither
//! program is run: `Match exec` would run a command.

use super::config::{self, Setting};
use super::remote;
use crate::opener;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Maximum depth of files that include files.
const DEEPEST: usize = 4;
/// Maximum number of files in `~/.ssh` for one pattern.
const MOST_INCLUDED: usize = 100;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Aliases {
    /// Prefixes of URLs and their replacements.
    rewrites: Vec<(String, String)>,
    /// Patterns of host names and the host they stand for; the first match counts, as in OpenSSH.
    hosts: Vec<(Vec<String>, String)>,
}

/// The user whose aliases are read: a home directory and the environment. None until the engine's
/// host sets it.
struct Source {
    home: PathBuf,
    vars: BTreeMap<String, String>,
    read: Option<(Instant, Arc<Aliases>)>,
}

static SOURCE: Mutex<Option<Source>> = Mutex::new(None);

/// Resolves remotes from now on for the user with this home directory and environment.
pub fn understand_as(home: &Path, vars: &BTreeMap<String, String>) {
    let source = Source {
        home: home.to_owned(),
        vars: vars.clone(),
        read: None,
    };
    *SOURCE.lock().unwrap_or_else(PoisonError::into_inner) = Some(source);
}

impl Aliases {
    /// The aliases of the current user, read again when they are a minute old.
    pub fn own() -> Arc<Self> {
        const FRESH: Duration = Duration::from_secs(60);
        let mut source = SOURCE.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(source) = source.as_mut() else {
            return Arc::default();
        };
        if let Some((_, aliases)) = source.read.as_ref().filter(|(at, _)| at.elapsed() < FRESH) {
            return aliases.clone();
        }
        let var = |name: &str| {
            source
                .vars
                .get(name)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        };
        let aliases = Arc::new(Self::read(&source.home, Path::new("/etc"), var));
        source.read = Some((Instant::now(), aliases.clone()));
        aliases
    }

    /// Reads the aliases of a home directory, and those of all users below `etc`.
    pub fn read(home: &Path, etc: &Path, var: impl Fn(&str) -> Option<PathBuf>) -> Self {
        let mut settings = Settings::default();
        if var("GIT_CONFIG_NOSYSTEM").is_none() {
            let file = var("GIT_CONFIG_SYSTEM").unwrap_or_else(|| etc.join("gitconfig"));
            git_settings(home, &file, 0, &mut settings);
        }
        match var("GIT_CONFIG_GLOBAL") {
            Some(file) => git_settings(home, &file, 0, &mut settings),
            None => {
                let xdg = var("XDG_CONFIG_HOME").unwrap_or_else(|| home.join(".config"));
                git_settings(home, &xdg.join("git/config"), 0, &mut settings);
                git_settings(home, &home.join(".gitconfig"), 0, &mut settings);
            }
        }
        let mut aliases = Self {
            rewrites: settings.rewrites(),
            hosts: Vec::new(),
        };
        for (dir, name) in [
            (home.join(".ssh"), "config"),
            (etc.join("ssh"), "ssh_config"),
        ] {
            aliases.read_ssh(home, &dir, &dir.join(name), 0);
        }
        aliases
    }

    /// Resolves a remote's URL; `own` are the settings of the repository itself. A URL with a full
    /// host name means that host on every device, even if a mirror or a tunnel is the way to it.
    pub fn meant(&self, url: &str, own: &[Setting]) -> String {
        let key = remote::normalise(url);
        let in_full =
            key.is_some_and(|key| key.split('/').next().is_some_and(|host| host.contains('.')));
        let own = if in_full { Vec::new() } else { rewrites(own) };
        let fitting = own
            .iter()
            .chain(&self.rewrites)
            .filter(|(instead, _)| !in_full && url.starts_with(instead.as_str()));
        let longest = fitting.max_by_key(|(instead, _)| instead.len());
        let url = longest.map_or_else(
            || url.to_owned(),
            |(instead, base)| format!("{base}{}", &url[instead.len()..]),
        );
        match host_within(&url).and_then(|(from, to)| Some((from, to, self.host(&url[from..to])?)))
        {
            Some((from, to, host)) => format!("{}{host}{}", &url[..from], &url[to..]),
            None => url,
        }
    }

    /// The host that an SSH alias stands for. An IP address or this machine is a way, not a name.
    fn host(&self, alias: &str) -> Option<String> {
        let (_, host) = self
            .hosts
            .iter()
            .find(|(patterns, _)| fits(patterns, alias))?;
        let host = host.replace("%h", alias).to_lowercase();
        let is_name = host.contains('.')
            && host.bytes().any(|byte| byte.is_ascii_alphabetic())
            && host
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'))
            && !host.ends_with(".localhost");
        // `github.com-work` is an alias for one of several accounts; a full host name stands for
        // itself.
        let is_alias = !alias.contains('.') || alias.to_lowercase().starts_with(&host);
        (is_name && is_alias).then_some(host)
    }

    /// Reads a file whose `Include` lines are relative to `dir`.
    fn read_ssh(&mut self, home: &Path, dir: &Path, file: &Path, depth: usize) {
        let mut patterns = vec!["*".to_owned()];
        for line in text(file).unwrap_or_default().lines() {
            let line = line.trim();
            let Some(end) = line.find(|letter: char| letter.is_whitespace() || letter == '=')
            else {
                continue;
            };
            let value = line[end..]
                .trim_start_matches(|letter: char| letter.is_whitespace() || letter == '=')
                .trim();
            let words = || {
                value
                    .split_whitespace()
                    .map(|word| word.trim_matches('"').to_owned())
            };
            match line[..end].to_ascii_lowercase().as_str() {
                "host" => patterns = words().collect(),
                "match" => patterns = matched(&words().collect::<Vec<_>>()),
                "hostname" => self
                    .hosts
                    .push((patterns.clone(), value.trim_matches('"').to_owned())),
                "include" if depth < DEEPEST && patterns == ["*"] => {
                    for file in words().flat_map(|word| included(home, dir, &word)) {
                        self.read_ssh(home, dir, &file, depth + 1);
                    }
                }
                _ => {}
            }
        }
    }
}

fn text(file: &Path) -> Option<String> {
    let bytes = opener::start_of(&mut opener::file_behind_links(file).ok()?, opener::SMALL).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// The hosts that a `Match` is about. Of all conditions, only names and the one that always holds
/// count.
fn matched(conditions: &[String]) -> Vec<String> {
    let words: Vec<&str> = conditions.iter().map(String::as_str).collect();
    match words.as_slice() {
        [all] if all.eq_ignore_ascii_case("all") => vec!["*".to_owned()],
        [kind, hosts]
            if ["host", "originalhost"]
                .iter()
                .any(|known| kind.eq_ignore_ascii_case(known)) =>
        {
            hosts.split(',').map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}

/// Git's settings, and those that it applies in some directories only (`includeIf`).
#[derive(Default)]
struct Settings {
    always: Vec<Setting>,
    sometimes: Vec<Setting>,
}

impl Settings {
    /// A prefix that has one meaning in some directories has it everywhere: it means nothing
    /// elsewhere. One with several meanings has none here.
    fn rewrites(&self) -> Vec<(String, String)> {
        let always = rewrites(&self.always);
        let mut all = rewrites(&self.sometimes);
        let sometimes = all.clone();
        all.retain(|(instead, base)| {
            let mut others = always.iter().chain(&sometimes);
            !others.any(|(other, to)| other == instead && to != base)
        });
        all.extend(always);
        all
    }
}

fn git_settings(home: &Path, file: &Path, depth: usize, settings: &mut Settings) {
    for setting in config::parse(&text(file).unwrap_or_default()) {
        let is_include = setting.name == "path" && depth < DEEPEST;
        let path = || {
            let path = below_home(home, &setting.value);
            file.parent().map_or(path.clone(), |dir| dir.join(path))
        };
        match (setting.section.as_str(), &setting.subsection) {
            ("include", None) if is_include => git_settings(home, &path(), depth + 1, settings),
            ("includeif", Some(_)) if is_include => {
                let mut included = Settings::default();
                git_settings(home, &path(), depth + 1, &mut included);
                settings.sometimes.extend(included.always);
                settings.sometimes.extend(included.sometimes);
            }
            _ => settings.always.push(setting),
        }
    }
}

fn rewrites(settings: &[Setting]) -> Vec<(String, String)> {
    let pairs = settings.iter().filter_map(|setting| {
        let base = setting.of("url", "insteadof")?;
        (!setting.value.is_empty()).then(|| (setting.value.clone(), base.to_owned()))
    });
    pairs.collect()
}

fn below_home(home: &Path, path: &str) -> PathBuf {
    path.strip_prefix("~/")
        .map_or_else(|| PathBuf::from(path), |rest| home.join(rest))
}

/// The files that an SSH `Include` names, relative to `dir`.
fn included(home: &Path, dir: &Path, word: &str) -> Vec<PathBuf> {
    let path = dir.join(below_home(home, word));
    let (Some(dir), Some(name)) = (
        path.parent(),
        path.file_name().and_then(|name| name.to_str()),
    ) else {
        return Vec::new();
    };
    if !name.contains(['*', '?']) {
        return vec![path];
    }
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> = names
        .filter(|found| wildcard(name, found))
        .take(MOST_INCLUDED)
        .collect();
    names.sort();
    names.into_iter().map(|name| dir.join(name)).collect()
}

/// The range of the host in a URL that uses SSH.
fn host_within(url: &str) -> Option<(usize, usize)> {
    let (begin, end) = match url.split_once("://") {
        Some((scheme, rest)) => {
            if !["ssh", "git+ssh", "ssh+git"]
                .iter()
                .any(|known| scheme.eq_ignore_ascii_case(known))
            {
                return None;
            }
            let begin = scheme.len() + 3;
            (begin, begin + rest.find('/')?)
        }
        None => (
            0,
            url.find(':')
                .filter(|colon| 1 < *colon && !url[..*colon].contains(['/', '\\', '[']))?,
        ),
    };
    let from = url[begin..end]
        .rfind('@')
        .map_or(begin, |at| begin + at + 1);
    let to = url[from..end].find(':').map_or(end, |colon| from + colon);
    (from < to).then_some((from, to))
}

/// Whether a host matches a list of patterns, in which `!` excludes.
fn fits(patterns: &[String], host: &str) -> bool {
    let excluded = |pattern: &String| {
        pattern
            .strip_prefix('!')
            .is_some_and(|pattern| wildcard(pattern, host))
    };
    !patterns.iter().any(excluded) && patterns.iter().any(|pattern| wildcard(pattern, host))
}

/// `*` matches any letters, `?` matches one; case-insensitive.
fn wildcard(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (
        pattern.to_lowercase().into_bytes(),
        text.to_lowercase().into_bytes(),
    );
    let (mut at, mut seen, mut star) = (0, 0, None);
    while seen < text.len() {
        if pattern
            .get(at)
            .is_some_and(|byte| *byte == b'?' || *byte == text[seen])
        {
            (at, seen) = (at + 1, seen + 1);
        } else if pattern.get(at) == Some(&b'*') {
            star = Some((at, seen));
            at += 1;
        } else if let Some((star_at, from)) = star {
            (at, seen) = (star_at + 1, from + 1);
            star = Some((star_at, from + 1));
        } else {
            return false;
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::projects::remote::normalise;

    fn aliases(files: &[(&str, &str)]) -> (tempfile::TempDir, Aliases) {
        let home = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = home.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let aliases = Aliases::read(home.path(), &home.path().join("etc"), |_| None);
        (home, aliases)
    }

    fn key(aliases: &Aliases, url: &str) -> Option<String> {
        normalise(&aliases.meant(url, &[]))
    }

    #[test]
    fn one_repository_under_the_names_that_git_and_ssh_give_it() {
        let git = "[url \"https://github.com/\"]\n\tinsteadOf = gh:\n[url \"git@github.com:acme/\"]\n\tinsteadOf = gh:a/\n\
                   [include]\n\tpath = more.gitconfig\n[core]\n\teditor = vi\n\
                   [url \"https://mirror.corp/\"]\n\tinsteadOf = https://mirrored.example/\n";
        let ssh = "Host work github.com-work\n  HostName github.com\n  User git\n\nHost *.corp !no.corp\n\tHostName=%h.example.com\n\
                   Host tunnel\nHostName 127.0.0.1\nHost number\nHostName 140.82.121.3\nMatch exec \"touch /tmp/x\"\nHostName evil.example\n\
                   Match all\nInclude conf.d/*.conf\nHost work\nHostName second.example\n";
        let (_home, aliases) = aliases(&[
            (".gitconfig", git),
            (
                "more.gitconfig",
                "[url \"ssh://git@work/\"]\ninsteadOf = w:\n[include]\npath = more.gitconfig\n",
            ),
            (
                ".config/git/config",
                "[url \"https://gitlab.com/\"]\ninsteadOf = gl:\n",
            ),
            (".ssh/config", ssh),
            (".ssh/conf.d/a.conf", "Host lab\nHostName ssh.github.com\n"),
        ]);
        let same = [
            "gh:acme/api",
            "gh:a/api.git",
            "git@work:acme/api.git",
            "git@github.com-work:acme/api",
            "ssh://git@WORK:22/acme/api",
            "w:acme/api",
            "lab:acme/api",
            "https://github.com/acme/api",
        ];
        for url in same {
            assert_eq!(
                key(&aliases, url).as_deref(),
                Some("github.com/acme/api"),
                "{url}"
            );
        }
        let others = [
            ("gl:acme/api", Some("gitlab.com/acme/api")),
            ("git@x.corp:acme/api", Some("x.corp/acme/api")),
            // A mirror is a way to a host.
            (
                "https://mirrored.example/acme/api",
                Some("mirrored.example/acme/api"),
            ),
            ("git@no.corp:acme/api", Some("no.corp/acme/api")),
            // The way to a host that has a name is not its name.
            ("git@tunnel:acme/api", Some("tunnel/acme/api")),
            ("git@number:acme/api", Some("number/acme/api")),
            // SSH aliases do not apply to URLs that do not use SSH.
            ("https://work/acme/api", Some("work/acme/api")),
            ("work/acme/api", None),
            ("C:/acme/api", None),
        ];
        for (url, found) in others {
            assert_eq!(key(&aliases, url).as_deref(), found, "{url}");
        }
        let own = config::parse("[url \"https://own.example/\"]\ninsteadOf = gh:acme\n");
        assert_eq!(
            aliases.meant("gh:acme/api", &own),
            "https://own.example//api"
        );
    }

    /// A shorthand in a file of another directory, or of all users, was taken for a host.
    #[test]
    fn shorthands_count_wherever_git_and_ssh_are_told_them() {
        let git = "[includeIf \"gitdir:~/work/\"]\n\tpath = .gitconfig-work\n\
                   [includeIf \"gitdir:~/play/\"]\n\tpath = .gitconfig-play\n\
                   [url \"https://github.com/acme/\"]\n\tinsteadOf = sure:\n";
        let work = "[url \"git@github.com:acme/\"]\n\tinsteadOf = acme:\n\tinsteadOf = me:\n\
                    [url \"https://h.example/\"]\n\tinsteadOf = sure:\n[user]\n\tname = x\n";
        let (_home, aliases) = aliases(&[
            (".gitconfig", git),
            (".gitconfig-work", work),
            (
                ".gitconfig-play",
                "[url \"git@github.com:ada/\"]\n\tinsteadOf = me:\n",
            ),
            (
                "etc/gitconfig",
                "[url \"https://github.com/\"]\n\tinsteadOf = gh:\n",
            ),
            (
                ".ssh/config",
                "Match originalhost work,job\nHostName github.com\nMatch host x user y\nHostName github.com\n",
            ),
            (
                "etc/ssh/ssh_config",
                "Include ssh_config.d/*.conf\nHost work\nHostName second.example\n",
            ),
            (
                "etc/ssh/ssh_config.d/a.conf",
                "Host lab\nHostName github.com\n",
            ),
        ]);
        for (url, found) in [
            ("acme:api", "github.com/acme/api"),
            ("gh:acme/api", "github.com/acme/api"),
            ("git@work:acme/api", "github.com/acme/api"),
            ("git@job:acme/api", "github.com/acme/api"),
            ("git@lab:acme/api", "github.com/acme/api"),
            // What the user says of all directories is surer.
            ("sure:api", "github.com/acme/api"),
            // A short form with two meanings is not resolved.
            ("me:api", "me/api"),
            ("git@x:acme/api", "x/acme/api"),
        ] {
            assert_eq!(key(&aliases, url).as_deref(), Some(found), "{url}");
        }
    }

    #[test]
    fn odd_configurations_change_nothing() {
        let (_home, odd) = aliases(&[
            (
                ".gitconfig",
                "[url]\ninsteadOf = x\n[url \"y\"]\ninsteadOf =\n",
            ),
            (".ssh/config", "Host\nHostName\nInclude\n="),
        ]);
        for url in [
            "x:acme/api",
            "",
            ":",
            "@:",
            "ssh://",
            "é:ü",
            "[::1]:x",
            "[u@h:1]:acme/api",
        ] {
            assert_eq!(odd.meant(url, &[]), url);
        }
        let (_home, looped) = aliases(&[(
            ".ssh/config",
            "Include config\nHost ab\nHostName b.example\n",
        )]);
        assert_eq!(looped.meant("ab:x/y", &[]), "b.example:x/y");
    }

    #[test]
    fn wildcards_are_those_of_ssh() {
        for (pattern, text, is) in [
            ("*", "", true),
            ("a*c", "abbc", true),
            ("a*c", "abcd", false),
            ("?", "", false),
            ("*.b*", "x.y.bz", true),
        ] {
            assert_eq!(wildcard(pattern, text), is, "{pattern} {text}");
        }
    }
}
