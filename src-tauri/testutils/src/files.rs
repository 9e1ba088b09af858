//! Small functions about files and repositories that every test here needs.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub fn files_below(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let below = |path: PathBuf| {
        if path.is_dir() && !path.is_symlink() {
            files_below(&path)
        } else {
            vec![path]
        }
    };
    entries.flat_map(|entry| below(entry.path())).collect()
}

pub fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("a file is in a directory")).expect("a directory");
    fs::write(path, text).expect("a file");
}

/// The files below `dir` that contain `word`, looking inside zstd files.
pub fn files_with(dir: &Path, word: &str) -> Vec<PathBuf> {
    let has_word = |file: &Path| {
        contents(file)
            .windows(word.len())
            .any(|window| window == word.as_bytes())
    };
    let mut files = files_below(dir);
    files.retain(|file| file.is_file() && has_word(file));
    files
}

fn contents(file: &Path) -> Vec<u8> {
    let raw = fs::read(file).unwrap_or_default();
    if file.extension().is_none_or(|extension| extension != "zst") {
        return raw;
    }
    let mut content = Vec::new();
    let mut decoder = zstd::Decoder::new(raw.as_slice()).expect("a zstd decoder");
    // Everything decoded before a torn last frame counts.
    let _ = decoder.read_to_end(&mut content);
    content
}

/// git in a directory of a user whose HOME is `home`: no settings of whoever runs the tests.
pub fn git(home: &Path, dir: &Path, words: &[&str]) {
    let ended = Command::new("git")
        .args(words)
        .current_dir(dir)
        .env("HOME", home)
        .stdin(Stdio::null())
        .status();
    assert!(ended.expect("git").success(), "git {words:?}");
}

/// Makes an empty repository with this remote.
pub fn init_repository(home: &Path, dir: &Path, remote: &str) {
    fs::create_dir_all(dir).expect("a checkout");
    git(home, dir, &["init", "--quiet", "--initial-branch=main"]);
    git(home, dir, &["remote", "add", "origin", remote]);
}
