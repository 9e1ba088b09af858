//! `cargo xtask bench packages`: the size of the packages in target/bundle, and of their contents.

use super::{Row, Verdict, write_section};
use crate::{bundle, proc};
use anyhow::{Context, Result, bail};
use std::fs;
use std::process::Command;

pub fn run(args: &[&str]) -> Result<()> {
    let write = match args {
        [] => false,
        ["--write"] => true,
        _ => bail!("there is no option {}", args.join(" ")),
    };
    let dir = bundle::dir()?;
    let mut rows = Vec::new();
    for name in bundle::manifest::packages(&dir)? {
        let file = dir.join(&name);
        let bytes = fs::metadata(&file)
            .with_context(|| format!("could not look at {}", file.display()))?
            .len();
        let inside = match name.ends_with(".deb") {
            true => contents(&proc::output(
                Command::new("dpkg-deb").arg("--contents").arg(&file),
            )?),
            false => String::new(),
        };
        rows.push(Row {
            promise: name,
            budget: "–".into(),
            measured: megabytes(bytes),
            beside: inside,
            verdict: Verdict::None,
        });
    }
    write_section("Packages", "packages", &rows, &dir, None, NOTES, write)
}

const NOTES: &str = "\
Made by `cargo xtask bundle` before. Beside a package: what is installed of it. Every package carries a Syncthing; without
`--pinned` it is the one of the machine above. App and engine keep the names of their functions, for back-traces.
";

/// The installed size, and its largest parts. dpkg-deb lists in tar's format: mode, owner, size,
/// date, time, path.
fn contents(list: &str) -> String {
    let mut parts: Vec<(u64, &str)> = list
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let size = words.nth(2)?.parse().ok()?;
            Some((size, words.nth(2)?.trim_start_matches("./")))
        })
        .collect();
    parts.sort_by_key(|(size, _)| std::cmp::Reverse(*size));
    let all: u64 = parts.iter().map(|(size, _)| size).sum();
    let large = parts.iter().filter(|(size, _)| all < size * 50);
    let named: Vec<String> = large
        .map(|(size, path)| format!("`{path}` {}", megabytes(*size)))
        .collect();
    format!("{} installed: {}", megabytes(all), named.join(", "))
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::contents;

    #[test]
    fn the_parts_that_count_are_named_the_largest_first() {
        let list = "drwxr-xr-x 0/0 0 2026-11-23 17:00 usr/\n\
                    -rwxr-xr-x 0/0 8000000 2026-11-23 17:00 usr/bin/roam\n\
                    -rw-r--r-- 0/0 1000 2026-11-23 17:00 usr/share/a\n\
                    -rwxr-xr-x 0/0 21000000 2026-11-23 17:00 ./usr/bin/session-roam\n";
        assert_eq!(
            contents(list),
            "29.0 MB installed: `usr/bin/session-roam` 21.0 MB, `usr/bin/roam` 8.0 MB"
        );
    }
}
