//! `cargo xtask measure [DIR]`: how large, how dense and how entangled the core's code is, as the rows of the table in
//! docs/architecture.md. Relies on rustfmt: a function ends at the first `}` with the indentation of its `fn`. Tests,
//! comments and blank lines do not count.

use crate::{proc, tidy};
use anyhow::Result;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Functions with more parameters than this are counted.
const PARAMETERS: usize = 5;

struct Source {
    /// Names from the crate's root: `engine`, `reconcile`, `store`.
    module: Vec<String>,
    /// Lines of code.
    lines: Vec<String>,
}

#[derive(Default)]
struct Functions {
    lines: Vec<usize>,
    tokens: Vec<usize>,
    n_wide: usize,
}

pub fn run(args: &[&str]) -> Result<()> {
    let root = match args {
        [dir] => PathBuf::from(dir),
        _ => proc::root(),
    };
    let sources = sources(&root)?;
    let mut functions = Functions::default();
    sources.iter().for_each(|source| functions.add(source));
    let mut files: Vec<usize> = sources.iter().map(|source| source.lines.len()).collect();
    let n_lines: usize = files.iter().sum();
    let n_tokens: usize = sources
        .iter()
        .flat_map(|source| &source.lines)
        .map(|line| tokens(line))
        .sum();
    let n_functions = functions.lines.len();
    let share = 100.0 * functions.n_wide as f64 / n_functions.max(1) as f64;
    let cycles = cycles(&sources);
    println!("| measure | value |\n|---|---|");
    println!("| files, lines of code | {}, {n_lines} |", sources.len());
    println!(
        "| lines of a file, median and p95 | {} |",
        middle(&mut files)
    );
    println!(
        "| lines of a function, median and p95 | {} |",
        middle(&mut functions.lines)
    );
    println!(
        "| tokens of a function, median and p95 | {} |",
        middle(&mut functions.tokens)
    );
    println!(
        "| tokens a line | {:.1} |",
        n_tokens as f64 / n_lines.max(1) as f64
    );
    println!(
        "| functions with more than {PARAMETERS} parameters | {} of {n_functions} ({share:.1} %) |",
        functions.n_wide
    );
    println!(
        "| import cycles between files: how many, files in the largest | {}, {} |",
        cycles.len(),
        cycles.first().map_or(0, Vec::len)
    );
    let adapters: Vec<String> = adapters(&sources)
        .into_iter()
        .map(|(tool, n_lines)| format!("{tool} {n_lines}"))
        .collect();
    println!("| lines of each adapter | {} |", adapters.join(", "));
    Ok(())
}

/// The core's files below the root of a checkout, without tests.
fn sources(root: &Path) -> Result<Vec<Source>> {
    let src = root.join("src-tauri/core/src");
    let mut files = Vec::new();
    tidy::collect(&src, &mut files)?;
    files.sort();
    files.retain(|file| !is_test(file));
    files.into_iter().map(|file| read(&src, file)).collect()
}

fn read(src: &Path, path: PathBuf) -> Result<Source> {
    let below = path.strip_prefix(src)?.with_extension("");
    let names = below.iter().map(|name| name.to_string_lossy().into_owned());
    let module = names
        .filter(|name| name != "mod" && name != "lib")
        .collect();
    let lines = code(&fs::read_to_string(&path)?);
    Ok(Source { module, lines })
}

/// A file that is compiled for tests only, by the names that are usual here.
fn is_test(path: &Path) -> bool {
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    name == "tests" || name == "laws" || name == "bindings" || name.ends_with("_rules")
}

/// The lines of code before the unit tests, without comments.
fn code(text: &str) -> Vec<String> {
    let text = text
        .split("\n#[cfg(test)]\nmod tests {")
        .next()
        .unwrap_or_default();
    let lines = text.lines().filter(|line| {
        let line = line.trim_start();
        !line.is_empty() && !line.starts_with("//")
    });
    lines.map(str::to_owned).collect()
}

/// Words, numbers, texts and marks, each as one.
fn tokens(line: &str) -> usize {
    let mut letters = line.chars().peekable();
    let mut n_tokens = 0;
    while let Some(letter) = letters.next() {
        if letter.is_whitespace() {
            continue;
        }
        n_tokens += 1;
        if letter == '"' {
            while let Some(inner) = letters.next() {
                match inner {
                    '\\' => drop(letters.next()),
                    '"' => break,
                    _ => {}
                }
            }
        } else if letter.is_alphanumeric() || letter == '_' {
            while letters
                .next_if(|next| next.is_alphanumeric() || *next == '_')
                .is_some()
            {}
        }
    }
    n_tokens
}

impl Functions {
    fn add(&mut self, source: &Source) {
        for (at, line) in source.lines.iter().enumerate() {
            let indent = line.len() - line.trim_start().len();
            let Some(name_at) = begins_function(line) else {
                continue;
            };
            let ends = |line: &&String| line.starts_with(&format!("{}}}", " ".repeat(indent)));
            let end = match line.ends_with('}') || line.ends_with(';') {
                true => at,
                false => match source.lines[at..].iter().position(|line| ends(&line)) {
                    Some(n_lines) => at + n_lines,
                    None => continue,
                },
            };
            let body = &source.lines[at..=end];
            self.lines.push(body.len());
            self.tokens.push(body.iter().map(|line| tokens(line)).sum());
            let signature = body.concat();
            if PARAMETERS < parameters(&signature[name_at..]) {
                self.n_wide += 1;
            }
        }
    }
}

/// Where the function's name begins in a line that declares one.
fn begins_function(line: &str) -> Option<usize> {
    let at = line.find("fn ")?;
    let before = line[..at].trim();
    let words = ["pub", "const", "async", "unsafe", "extern"];
    let is_declared = before
        .split_whitespace()
        .all(|word| words.iter().any(|known| word.starts_with(known)));
    is_declared.then_some(at + 3)
}

/// Parameters besides `self` of a signature that begins with the function's name.
fn parameters(signature: &str) -> usize {
    let Some(open) = after_generics(signature) else {
        return 0;
    };
    let (mut depth, mut n_parameters, mut is_empty) = (0i32, 0, true);
    let mut before = ' ';
    for letter in signature[open..].chars() {
        match letter {
            '(' | '[' | '{' | '<' => depth += 1,
            '>' if before != '-' => depth -= 1,
            ')' | ']' | '}' => {
                depth -= 1;
                if depth == 0 {
                    n_parameters += usize::from(!is_empty);
                    break;
                }
            }
            ',' if depth == 1 => {
                n_parameters += usize::from(!is_empty);
                is_empty = true;
            }
            letter if depth == 1 && !letter.is_whitespace() => is_empty = false,
            _ => {}
        }
        before = letter;
    }
    let first = signature[open + 1..].trim_start();
    let takes_self = ["self", "&self", "&mut self", "mut self"]
        .iter()
        .any(|own| first.starts_with(own));
    n_parameters - usize::from(takes_self)
}

/// Where the parameters open, behind the name and its generics.
fn after_generics(signature: &str) -> Option<usize> {
    let (mut depth, mut before) = (0i32, ' ');
    for (at, letter) in signature.char_indices() {
        match letter {
            '<' => depth += 1,
            '>' if before != '-' => depth -= 1,
            '(' if depth == 0 => return Some(at),
            _ => {}
        }
        before = letter;
    }
    None
}

/// Median and 95th percentile.
fn middle(values: &mut [usize]) -> String {
    values.sort_unstable();
    let at = |share: usize| values.get(values.len() * share / 100).copied().unwrap_or(0);
    format!("{}, {}", at(50), at(95))
}

/// The adapters with their lines: the files and folders of `tools/` that implement a store.
fn adapters(sources: &[Source]) -> BTreeMap<String, usize> {
    let mut adapters = BTreeMap::new();
    for source in sources
        .iter()
        .filter(|source| source.module.first().is_some_and(|first| first == "tools"))
    {
        if let Some(tool) = source.module.get(1) {
            *adapters.entry(tool.clone()).or_default() += source.lines.len();
        }
    }
    adapters
}

/// All groups of files that name each other in a circle, the largest first. A module and those
/// inside of it count as one direction: the inner ones use the outer one.
fn cycles(sources: &[Source]) -> Vec<Vec<String>> {
    let by_module: BTreeMap<&[String], usize> = sources
        .iter()
        .enumerate()
        .map(|(at, source)| (source.module.as_slice(), at))
        .collect();
    let uses: Vec<BTreeSet<usize>> = sources
        .iter()
        .enumerate()
        .map(|(at, source)| {
            let used = imports(source).into_iter().filter_map(|names| {
                // The longest path that is a module: the rest are items in it.
                (1..=names.len())
                    .rev()
                    .find_map(|n| by_module.get(&names[..n]).copied())
            });
            let is_inside = |other: &usize| source.module.starts_with(&sources[*other].module);
            used.filter(|other| *other != at && !is_inside(other))
                .collect()
        })
        .collect();
    let mut reached: Vec<BTreeSet<usize>> = Vec::new();
    for at in 0..sources.len() {
        let (mut seen, mut open) = (BTreeSet::new(), vec![at]);
        while let Some(next) = open.pop() {
            open.extend(uses[next].iter().filter(|other| seen.insert(**other)));
        }
        reached.push(seen);
    }
    let mut groups = BTreeSet::new();
    for at in 0..sources.len() {
        let group: BTreeSet<usize> = reached[at]
            .iter()
            .copied()
            .filter(|other| reached[*other].contains(&at))
            .collect();
        if 1 < group.len() {
            groups.insert(group);
        }
    }
    let names = |group: BTreeSet<usize>| group.into_iter().map(|at| sources[at].module.join("/"));
    let mut groups: Vec<Vec<String>> = groups
        .into_iter()
        .map(|group| names(group).collect())
        .collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.len()));
    groups
}

/// The modules and items that a file names by their path, in `use` lines and in between, from the
/// crate's root.
fn imports(source: &Source) -> Vec<Vec<String>> {
    let text = source.lines.join("\n");
    let mut found = Vec::new();
    for root in ["crate::", "super::"] {
        for (at, _) in text.match_indices(root) {
            // Of `super::super::a`, the first one counts. `$crate::` belongs to whoever uses the
            // macro.
            if text[..at].ends_with(|c: char| c.is_alphanumeric() || "_:$".contains(c)) {
                continue;
            }
            let (mut base, mut rest) = match root {
                "crate::" => (&[][..], &text[at..]),
                _ => (&source.module[..], &text[at..]),
            };
            rest = rest.strip_prefix("crate::").unwrap_or(rest);
            while let Some(inner) = rest.strip_prefix("super::") {
                base = base.split_last().map_or(&[][..], |(_, above)| above);
                rest = inner;
            }
            spread(base, path_of(rest), &mut found);
        }
    }
    found
}

/// The path with which `text` begins: `a::{b, c::d}` or `a::b::c`.
fn path_of(text: &str) -> &str {
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        match c {
            '{' if text[..at].ends_with("::") || 0 < depth => depth += 1,
            '}' if 1 < depth => depth -= 1,
            '}' if depth == 1 => return &text[..=at],
            _ if 0 < depth || c.is_alphanumeric() || c == '_' || c == ':' => {}
            _ => return &text[..at],
        }
    }
    text
}

/// `a::{b, c::d}` below `base`, as paths.
fn spread(base: &[String], text: &str, found: &mut Vec<Vec<String>>) {
    let text = text.trim();
    let Some(open) = text.find('{') else {
        let names = text.split("::").map(|name| {
            name.split(" as ")
                .next()
                .unwrap_or_default()
                .trim()
                .to_owned()
        });
        found.push(base.iter().cloned().chain(names).collect());
        return;
    };
    let head = text[..open]
        .trim_end_matches("::")
        .split("::")
        .filter(|name| !name.is_empty());
    let base: Vec<String> = base
        .iter()
        .cloned()
        .chain(head.map(str::to_owned))
        .collect();
    let (mut depth, mut from) = (0, open + 1);
    for (at, letter) in text[open..]
        .char_indices()
        .map(|(at, letter)| (at + open, letter))
    {
        match letter {
            '{' => depth += 1,
            ',' | '}' if depth == 1 => {
                if !text[from..at].trim().is_empty() {
                    spread(&base, &text[from..at], found);
                }
                from = at + 1;
                depth -= i32::from(letter == '}');
            }
            '}' => depth -= 1,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_counted_without_self_and_whatever_is_in_them() {
        let rows = [
            ("none()", 0),
            ("own(&self)", 0),
            ("own(&mut self, one: u8)", 1),
            ("tuple((a, b): (u8, u8), list: &[u8]) -> Vec<u8>", 2),
            (
                "generic<F: Fn(u8, u8) -> u8>(f: F, map: BTreeMap<u8, u8>,) where F: Copy {",
                2,
            ),
        ];
        for (signature, wanted) in rows {
            assert_eq!(parameters(signature), wanted, "{signature}");
        }
    }

    #[test]
    fn a_function_is_what_lies_between_its_fn_and_its_brace() {
        let lines = code(
            "//! x\nfn one() {\n    // why\n    two();\n}\n\nimpl A {\n    pub fn two(&self, a: u8, b: u8, c: u8, d: u8, e: u8, f: u8) {}\n}\n",
        );
        let source = Source {
            module: vec!["a".into()],
            lines,
        };
        let mut functions = Functions::default();
        functions.add(&source);
        assert_eq!((functions.lines, functions.n_wide), (vec![3, 1], 1));
        assert_eq!(tokens(r#"    say("a \" b", 12);"#), 7);
    }

    #[test]
    fn files_that_use_each_other_are_a_cycle() {
        let source = |module: &[&str], text: &str| Source {
            module: module.iter().map(ToString::to_string).collect(),
            lines: code(text),
        };
        let sources = [
            source(&["a", "one"], "use super::two::{self, Two};\n"),
            source(&["a", "two"], "use crate::b::{Three, inner::Four};\n"),
            source(&["b"], "use crate::a::one;\n"),
            source(&["b", "inner"], "use super::Three;\n"),
        ];
        assert_eq!(cycles(&sources), [["a/one", "a/two", "b"]]);
        let sources = [
            source(
                &["a", "one"],
                "fn f() { super::two::g(); let _ = $crate::b::X; }\n",
            ),
            source(&["a", "two"], "fn g() -> crate::a::one::One { todo!() }\n"),
            source(&["b"], "use super::a::{one::{One, Two}, two};\n"),
        ];
        assert_eq!(cycles(&sources), [["a/one", "a/two"]]);
    }

    #[test]
    fn no_files_of_the_core_name_each_other_in_a_circle() {
        let sources = sources(&proc::root()).expect("sources");
        assert!(100 < sources.len());
        assert_eq!(cycles(&sources), [[""; 0]; 0]);
    }
}
