//! Third-party code in our programs, with its licences: their terms require notices wherever the
//! programs are distributed. Read from the sources that were built, so always up to date.

use super::target::Target;
use crate::proc;
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Our programs in a package.
const PROGRAMS: &[&str] = &["session-roam", "session-roam-cli"];

/// A third-party component: its name with the version, its declared licence, and the location of
/// its files.
struct Part {
    name: String,
    licence: String,
    dir: PathBuf,
}

pub fn notices(target: &Target) -> Result<String> {
    let mut parts = crates(target)?;
    parts.extend(scripts()?);
    parts.sort_by(|left, right| left.name.cmp(&right.name));
    let texts = parts
        .iter()
        .map(|part| (part.name.as_str(), texts(&part.dir)))
        .collect::<Vec<_>>();
    let mut by_text: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, found) in &texts {
        for text in found {
            by_text.entry(text.trim()).or_default().push(name);
        }
    }
    Ok(render(&parts, &by_text))
}

fn render(parts: &[Part], by_text: &BTreeMap<&str, Vec<&str>>) -> String {
    let mut page =
        String::from("session-roam contains the work of others, under these licences:\n\n");
    for part in parts {
        page.push_str(&format!("  {}: {}\n", part.name, part.licence));
    }
    for (text, names) in by_text {
        page.push_str(&format!(
            "\n{}\n{}:\n\n{text}\n",
            "-".repeat(100),
            names.join(", ")
        ));
    }
    page
}

/// Every crate linked into our programs. Build-only crates are not distributed.
fn crates(target: &Target) -> Result<Vec<Part>> {
    let words = [
        "metadata",
        "--format-version",
        "1",
        "--locked",
        "--filter-platform",
        &target.triple,
    ];
    let metadata: Value = serde_json::from_str(&proc::output(proc::cargo().args(words))?)
        .context("cargo metadata is not JSON")?;
    let by_id = |list: &'static str| -> Result<BTreeMap<String, Value>> {
        let list = if list == "nodes" {
            &metadata["resolve"]["nodes"]
        } else {
            &metadata["packages"]
        };
        let list = list
            .as_array()
            .context("cargo metadata lacks its packages")?;
        Ok(list
            .iter()
            .map(|it| (it["id"].as_str().unwrap_or_default().to_owned(), it.clone()))
            .collect())
    };
    let (packages, nodes) = (by_id("packages")?, by_id("nodes")?);
    let ours = packages.iter().filter(|(_, it)| {
        PROGRAMS.iter().any(|name| it["name"] == *name) && it["source"].is_null()
    });
    let mut todo: Vec<String> = ours.map(|(id, _)| id.clone()).collect();
    if todo.len() != PROGRAMS.len() {
        bail!("of our programs cargo knows {todo:?}");
    }
    let mut seen = BTreeSet::new();
    while let Some(id) = todo.pop() {
        if !seen.insert(id.clone()) {
            continue;
        }
        let linked = nodes[&id]["deps"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|dep| is_linked(dep));
        todo.extend(
            linked
                .filter_map(|dep| dep["pkg"].as_str())
                .map(str::to_owned),
        );
    }
    let others = seen
        .iter()
        .map(|id| &packages[id])
        .filter(|it| !it["source"].is_null());
    Ok(others.map(part).collect())
}

fn is_linked(dep: &Value) -> bool {
    dep["dep_kinds"]
        .as_array()
        .into_iter()
        .flatten()
        .any(|kind| kind["kind"].is_null())
}

fn part(package: &Value) -> Part {
    let text = |name: &str| package[name].as_str().unwrap_or_default();
    Part {
        name: format!("{} {}", text("name"), text("version")),
        licence: package["license"]
            .as_str()
            .unwrap_or("see its text")
            .to_owned(),
        dir: Path::new(text("manifest_path"))
            .parent()
            .unwrap_or(Path::new(""))
            .to_owned(),
    }
}

/// The components of the window's page.
fn scripts() -> Result<Vec<Part>> {
    let modules = proc::root().join("ui/node_modules");
    let mut todo = dependencies(&proc::root().join("ui/package.json"))?;
    let mut found: BTreeMap<String, Part> = BTreeMap::new();
    while let Some(name) = todo.pop() {
        if found.contains_key(&name) {
            continue;
        }
        let dir = modules.join(&name);
        let package = read_json(&dir.join("package.json"))?;
        todo.extend(dependencies(&dir.join("package.json"))?);
        let text = |field: &str| package[field].as_str().unwrap_or_default();
        let part = Part {
            name: format!("{name} {}", text("version")),
            licence: text("license").to_owned(),
            dir,
        };
        found.insert(name, part);
    }
    Ok(found.into_values().collect())
}

fn dependencies(package: &Path) -> Result<Vec<String>> {
    let package = read_json(package)?;
    Ok(package["dependencies"]
        .as_object()
        .map(|names| names.keys().cloned().collect())
        .unwrap_or_default())
}

fn read_json(file: &Path) -> Result<Value> {
    let text =
        fs::read_to_string(file).with_context(|| format!("could not read {}", file.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is not JSON", file.display()))
}

/// The texts in a package whose file names are usual for licences.
fn texts(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path());
    let mut files: Vec<PathBuf> = entries
        .filter(|file| file.is_file() && is_licence(file))
        .collect();
    files.sort();
    files
        .iter()
        .filter_map(|file| fs::read_to_string(file).ok())
        .collect()
}

fn is_licence(file: &Path) -> bool {
    let name = file
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .to_lowercase();
    ["licen", "copying", "copyright", "notice", "unlicense"]
        .iter()
        .any(|word| name.starts_with(word))
        && !name.ends_with(".rs")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_linked_is_named_with_its_licence_and_what_only_builds_is_not() {
        let target = Target::here().unwrap();
        let crates = crates(&target).unwrap();
        let of = |name: &str| {
            crates
                .iter()
                .find(|part| part.name.split(' ').next() == Some(name))
        };
        let serde = of("serde").unwrap();
        assert!(
            serde.licence.contains("MIT")
                && texts(&serde.dir)
                    .iter()
                    .any(|text| text.contains("Permission is hereby granted"))
        );
        assert!(
            of("proptest").is_none() && of("cc").is_none() && of("session-roam-core").is_none()
        );
    }

    #[test]
    fn a_text_that_many_share_is_there_once() {
        let parts = ["a 1", "b 2"].map(|name| Part {
            name: name.into(),
            licence: "MIT".into(),
            dir: PathBuf::new(),
        });
        let page = render(&parts, &[("The text.", vec!["a 1", "b 2"])].into());
        assert_eq!(page.matches("The text.").count(), 1);
        assert!(
            page.contains("a 1, b 2:\n") && page.contains("  b 2: MIT\n"),
            "{page}"
        );
    }
}
