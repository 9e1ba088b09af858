//! Small functions about files that every test here needs.

use std::fs;
use std::path::{Path, PathBuf};

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
