//! Commands in the form one would type: `cd DIR && PROGRAM ARGS`, quoted for the system's shell.
//! The words may come from another device: in any shell, each pasted word stays one word.

use super::types::Resume;

/// The command line that is equivalent to `roam resume`, for this system's shell.
pub fn command_line(resume: &Resume) -> String {
    if cfg!(windows) {
        for_cmd(resume)
    } else {
        for_sh(resume)
    }
}

/// Quotes one word of a command that is shown for pasting.
pub fn word(text: &str) -> String {
    if cfg!(windows) {
        for_any_on_windows(text)
    } else {
        sh(text)
    }
}

pub fn for_sh(resume: &Resume) -> String {
    let mut env = Vec::new();
    if !resume.env.is_empty() || !resume.unset.is_empty() {
        env.push("env".to_owned());
        env.extend(resume.unset.iter().map(|name| format!("-u {}", sh(name))));
        env.extend(
            resume
                .env
                .iter()
                .map(|(name, value)| sh(&format!("{name}={value}"))),
        );
    }
    let command = |argv: &Vec<String>| {
        let words = env.iter().cloned().chain(argv.iter().map(|word| sh(word)));
        words.collect::<Vec<_>>().join(" ")
    };
    let commands = resume.before.iter().chain([&resume.argv]).map(command);
    format!(
        "cd {} && {}",
        sh(&resume.cwd.to_string_lossy()),
        commands.collect::<Vec<_>>().join(" && ")
    )
}

pub fn for_cmd(resume: &Resume) -> String {
    let set = |text: String| {
        format!(
            "set {}",
            if is_plain_for_cmd(&text) {
                format!("\"{text}\"")
            } else {
                carets(&format!("\"{text}\""))
            }
        )
    };
    let mut steps = vec![format!("cd /d {}", cmd(&resume.cwd.to_string_lossy()))];
    steps.extend(resume.unset.iter().map(|name| set(format!("{name}="))));
    steps.extend(
        resume
            .env
            .iter()
            .map(|(name, value)| set(format!("{name}={value}"))),
    );
    let command = |argv: &Vec<String>| {
        argv.iter()
            .map(|word| cmd(word))
            .collect::<Vec<_>>()
            .join(" ")
    };
    steps.extend(resume.before.iter().chain([&resume.argv]).map(command));
    steps.join(" && ")
}

pub fn for_powershell(resume: &Resume) -> String {
    let mut steps = vec![format!(
        "Set-Location -LiteralPath {}",
        powershell(&resume.cwd.to_string_lossy())
    )];
    let variable = |name: &str| powershell(&format!("Env:{name}"));
    steps.extend(resume.unset.iter().map(|name| {
        format!(
            "Remove-Item -ErrorAction Ignore -LiteralPath {}",
            variable(name)
        )
    }));
    steps.extend(resume.env.iter().map(|(name, value)| {
        format!(
            "Set-Item -LiteralPath {} {}",
            variable(name),
            powershell(value)
        )
    }));
    let command = |argv: &Vec<String>| {
        format!(
            "& {}",
            argv.iter()
                .map(|word| powershell(word))
                .collect::<Vec<_>>()
                .join(" ")
        )
    };
    steps.extend(resume.before.iter().chain([&resume.argv]).map(command));
    steps.join("; ")
}

/// For sh, bash, zsh and fish alike. Single quotes protect everything but the single quote and, in
/// fish, the backslash. Both are put in double quotes, where the four shells agree.
pub fn sh(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@+,".contains(c);
    // zsh expands a leading `=` to a command's path.
    if word.starts_with(plain) && word.chars().all(|c| plain(c) || c == '=') {
        return word.to_owned();
    }
    let mut quoted = String::new();
    let mut rest = word;
    while let Some(at) = rest.find(['\'', '\\']) {
        let (before, special) = (&rest[..at], &rest[at..=at]);
        if !before.is_empty() {
            quoted.push_str(&format!("'{before}'"));
        }
        quoted.push_str(if special == "'" { "\"'\"" } else { "\"\\\\\"" });
        rest = &rest[at + 1..];
    }
    if !rest.is_empty() || quoted.is_empty() {
        quoted.push_str(&format!("'{rest}'"));
    }
    quoted
}

/// For cmd.exe, typed at its prompt: first quotes the word as programs parse arguments, then puts a
/// caret before every character special to cmd, including the quotes, so that cmd never sees a
/// quoted string.
pub fn cmd(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@+,\\".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    let argument = argument(word);
    if is_plain_for_cmd(word) {
        argument
    } else {
        carets(&argument)
    }
}

/// Whether no character is special to cmd inside quotes.
fn is_plain_for_cmd(text: &str) -> bool {
    !text.contains([
        '"', '%', '!', '^', '&', '|', '<', '>', '(', ')', '\n', '\r', '\0',
    ])
}

fn carets(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            // A caret cannot escape a line end.
            '\n' | '\r' | '\0' => out.push('?'),
            '"' | '%' | '!' | '^' | '&' | '|' | '<' | '>' | '(' | ')' => out.extend(['^', c]),
            c => out.push(c),
        }
    }
    out
}

/// In double quotes as programs on Windows parse them: backslashes are special only before a quote.
fn argument(word: &str) -> String {
    let mut out = String::from("\"");
    let mut backslashes = 0;
    for c in word.chars() {
        match c {
            '\\' => backslashes += 1,
            '"' => {
                out.push_str(&"\\".repeat(2 * backslashes + 1));
                backslashes = 0;
            }
            _ => {
                out.push_str(&"\\".repeat(backslashes));
                backslashes = 0;
            }
        }
        if c != '\\' {
            out.push(c);
        }
    }
    out.push_str(&"\\".repeat(2 * backslashes));
    out.push('"');
    out
}

/// For PowerShell: single quotes protect everything but the five kinds of single quotes.
pub fn powershell(word: &str) -> String {
    let mut out = String::from("'");
    for c in word.chars() {
        if matches!(c, '\'' | '\u{2018}'..='\u{201b}') {
            out.push(c);
        }
        out.push(c);
    }
    out.push('\'');
    out
}

/// For cmd or PowerShell, if the shell is unknown: double quotes, without any character that is
/// special to either shell inside them. Such a character is replaced, so that the word is invalid
/// rather than something else.
fn for_any_on_windows(word: &str) -> String {
    let obeyed =
        |c: char| "\"%!$`".contains(c) || c.is_control() || matches!(c, '\u{201c}'..='\u{201e}');
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:+".contains(c);
    if word.starts_with(|c: char| c.is_ascii_alphanumeric()) && word.chars().all(plain) {
        return word.to_owned();
    }
    let shown: String = word
        .chars()
        .map(|c| if obeyed(c) { '?' } else { c })
        .collect();
    // A trailing backslash would escape the quote.
    format!("\"{}\"", shown.trim_end_matches('\\'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample() -> Resume {
        Resume {
            argv: vec![
                "tool".into(),
                "--resume".into(),
                "it's here".into(),
                String::new(),
            ],
            window: false,
            cwd: "/home/mia/my code".into(),
            env: [("CONFIG".to_owned(), "a b".to_owned())].into(),
            unset: vec!["INSIDE".into()],
            before: Vec::new(),
            notes: Vec::new(),
            remarks: Vec::new(),
        }
    }

    #[test]
    fn a_posix_shell_gets_every_word_whole() {
        assert_eq!(
            for_sh(&sample()),
            r#"cd '/home/mia/my code' && env -u INSIDE 'CONFIG=a b' tool --resume 'it'"'"'s here' ''"#
        );
        let plain = Resume {
            env: Default::default(),
            unset: Vec::new(),
            cwd: "/srv/api".into(),
            ..sample()
        };
        assert_eq!(
            for_sh(&plain),
            r#"cd /srv/api && tool --resume 'it'"'"'s here' ''"#
        );
    }

    /// Words with a special meaning in some shell.
    #[cfg(unix)]
    const HOSTILE: [&str; 22] = [
        "",
        "a b",
        "$HOME `id` \\",
        "it's",
        "\"x\"",
        "a\nb",
        "ü*?[~",
        "\\",
        "a\\",
        "\\'",
        "'\\",
        "=ls",
        "~root",
        "%self",
        "a;b",
        "$(id)",
        "!!",
        "{a,b}",
        "#x",
        "a&b|c<d>e",
        "(x)",
        "^x^y",
    ];

    /// F11: a trailing backslash escaped the closing quote in fish.
    #[cfg(unix)]
    #[test]
    fn every_shell_that_is_here_reads_back_what_was_quoted() {
        for shell in ["sh", "dash", "bash", "zsh", "fish"] {
            for word in HOSTILE {
                let script = format!("printf %s {}", sh(word));
                let Ok(output) = std::process::Command::new(shell)
                    .arg("-c")
                    .arg(script)
                    .env("HOME", "/nowhere")
                    .output()
                else {
                    assert_ne!(shell, "sh", "every system has one");
                    continue;
                };
                assert_eq!(String::from_utf8_lossy(&output.stdout), word, "{shell}");
            }
        }
    }

    /// Parses a word like fish, following its manual: `\\` and `\'` in single quotes, `\\`, `\"`,
    /// `\$` in double quotes.
    fn read_by_fish(text: &str) -> Option<String> {
        let (mut out, mut chars) = (String::new(), text.chars().peekable());
        while let Some(c) = chars.next() {
            match c {
                '\'' | '"' => loop {
                    match chars.next()? {
                        end if end == c => break,
                        '\\' if chars.peek().is_some_and(|next| *next == '\\' || *next == c) => {
                            out.push(chars.next()?)
                        }
                        '$' if c == '"' => return None,
                        other => out.push(other),
                    }
                },
                c if c.is_ascii_alphanumeric() || "-_./:@+,=".contains(c) => out.push(c),
                _ => return None,
            }
        }
        Some(out)
    }

    fn read_by_sh(text: &str) -> Option<String> {
        let (mut out, mut chars) = (String::new(), text.chars());
        while let Some(c) = chars.next() {
            match c {
                '\'' => out.extend(chars.by_ref().take_while(|c| *c != '\'')),
                '"' => loop {
                    match chars.next()? {
                        '"' => break,
                        '\\' => out.push(chars.next()?),
                        '$' | '`' => return None,
                        other => out.push(other),
                    }
                },
                c if c.is_ascii_alphanumeric() || "-_./:@+,=".contains(c) => out.push(c),
                _ => return None,
            }
        }
        Some(out)
    }

    fn read_by_powershell(text: &str) -> Option<String> {
        let is_quote = |c: char| matches!(c, '\'' | '\u{2018}'..='\u{201b}');
        let mut chars = text.strip_prefix('\'')?.chars().peekable();
        let mut out = String::new();
        loop {
            match chars.next()? {
                c if is_quote(c) => match chars.next() {
                    Some(second) if is_quote(second) => out.push(second),
                    None => return Some(out),
                    Some(_) => return None,
                },
                c => out.push(c),
            }
        }
    }

    /// The word that a program receives when typed at cmd's prompt; `None` if cmd itself would
    /// interpret a part.
    fn read_by_cmd(text: &str) -> Option<String> {
        let (mut line, mut chars, mut quoted) = (String::new(), text.chars(), false);
        while let Some(c) = chars.next() {
            match c {
                '^' if !quoted => line.push(chars.next()?),
                '%' | '!' | '\n' | '\r' => return None,
                '&' | '|' | '<' | '>' | '(' | ')' if !quoted => return None,
                c => {
                    quoted ^= c == '"';
                    line.push(c);
                }
            }
        }
        let (mut out, mut slashes, mut quoted) = (String::new(), 0, false);
        for c in line.chars() {
            match c {
                '\\' => slashes += 1,
                '"' => {
                    out.push_str(&"\\".repeat(slashes / 2));
                    if slashes % 2 == 1 {
                        out.push('"')
                    } else {
                        quoted = !quoted
                    }
                    slashes = 0;
                }
                ' ' | '\t' if !quoted => return None,
                c => {
                    out.push_str(&"\\".repeat(slashes));
                    slashes = 0;
                    out.push(c);
                }
            }
        }
        out.push_str(&"\\".repeat(slashes));
        Some(out)
    }

    proptest! {
        #[test]
        fn every_word_is_one_word_and_the_same(word in "[a-c'\"\\\\$`%!^&|<>()=~#{}*? ;\u{2018}\u{2019}\u{201b}-]{0,12}") {
            prop_assert_eq!(read_by_sh(&sh(&word)), Some(word.clone()));
            prop_assert_eq!(read_by_fish(&sh(&word)), Some(word.clone()));
            prop_assert_eq!(read_by_powershell(&powershell(&word)), Some(word.clone()));
            prop_assert_eq!(read_by_cmd(&cmd(&word)), Some(word.clone()));
            let any = for_any_on_windows(&word);
            let inside = any.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(&any);
            prop_assert!(!inside.contains(['"', '%', '!', '$', '`']) && !inside.ends_with('\\'));
        }
    }

    #[test]
    fn cmd_changes_the_drive_too() {
        let resume = Resume {
            cwd: "D:\\my code".into(),
            argv: vec!["tool".into(), "x y".into()],
            ..sample()
        };
        assert_eq!(
            for_cmd(&resume),
            r#"cd /d "D:\my code" && set "INSIDE=" && set "CONFIG=a b" && tool "x y""#
        );
        let resume = Resume {
            cwd: "D:\\a&b".into(),
            argv: vec!["tool".into(), "x\" & calc".into()],
            ..sample()
        };
        assert!(
            for_cmd(&resume).ends_with(r#" && tool ^"x\^" ^& calc^""#),
            "{}",
            for_cmd(&resume)
        );
    }

    #[test]
    fn powershell_gets_every_word_whole() {
        assert_eq!(
            for_powershell(&sample()),
            "Set-Location -LiteralPath '/home/mia/my code'; Remove-Item -ErrorAction Ignore -LiteralPath 'Env:INSIDE'; \
             Set-Item -LiteralPath 'Env:CONFIG' 'a b'; & 'tool' '--resume' 'it''s here' ''"
        );
    }
}
