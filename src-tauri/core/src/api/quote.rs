//! Commands as one would type them: `cd DIR && PROGRAM ARGS`, quoted for the shell of the system.

use super::types::Resume;

/// The command line that does what `roam resume` does, for this system's shell.
pub fn command_line(resume: &Resume) -> String {
    if cfg!(windows) { for_cmd(resume) } else { for_sh(resume) }
}

pub fn for_sh(resume: &Resume) -> String {
    let mut words = Vec::new();
    if !resume.env.is_empty() || !resume.unset.is_empty() {
        words.push("env".to_owned());
        words.extend(resume.unset.iter().map(|name| format!("-u {}", sh(name))));
        words.extend(resume.env.iter().map(|(name, value)| sh(&format!("{name}={value}"))));
    }
    words.extend(resume.argv.iter().map(|word| sh(word)));
    format!("cd {} && {}", sh(&resume.cwd.to_string_lossy()), words.join(" "))
}

pub fn for_cmd(resume: &Resume) -> String {
    let mut steps = vec![format!("cd /d {}", cmd(&resume.cwd.to_string_lossy()))];
    steps.extend(resume.unset.iter().map(|name| format!("set \"{name}=\"")));
    steps.extend(resume.env.iter().map(|(name, value)| format!("set \"{name}={value}\"")));
    steps.push(resume.argv.iter().map(|word| cmd(word)).collect::<Vec<_>>().join(" "));
    steps.join(" && ")
}

/// Single quotes protect all but themselves.
pub fn sh(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

fn cmd(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@+,\\".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("\"{}\"", word.replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Resume {
        Resume {
            argv: vec!["tool".into(), "--resume".into(), "it's here".into(), String::new()],
            cwd: "/home/mia/my code".into(),
            env: [("CONFIG".to_owned(), "a b".to_owned())].into(),
            unset: vec!["INSIDE".into()],
            notes: Vec::new(),
            remarks: Vec::new(),
        }
    }

    #[test]
    fn a_posix_shell_gets_every_word_whole() {
        assert_eq!(
            for_sh(&sample()),
            r#"cd '/home/mia/my code' && env -u INSIDE 'CONFIG=a b' tool --resume 'it'\''s here' ''"#
        );
        let plain = Resume { env: Default::default(), unset: Vec::new(), cwd: "/srv/api".into(), ..sample() };
        assert_eq!(for_sh(&plain), r#"cd /srv/api && tool --resume 'it'\''s here' ''"#);
    }

    #[cfg(unix)]
    #[test]
    fn sh_itself_reads_back_what_was_quoted() {
        for word in ["", "a b", "$HOME `id` \\", "it's", "\"x\"", "a\nb", "ü*?[~"] {
            let output =
                std::process::Command::new("sh").arg("-c").arg(format!("printf %s {}", sh(word))).output().expect("sh");
            assert_eq!(String::from_utf8_lossy(&output.stdout), word);
        }
    }

    #[test]
    fn cmd_changes_the_drive_too() {
        let resume = Resume { cwd: "D:\\my code".into(), argv: vec!["tool".into(), "x y".into()], ..sample() };
        assert_eq!(for_cmd(&resume), r#"cd /d "D:\my code" && set "INSIDE=" && set "CONFIG=a b" && tool "x y""#);
    }
}
