//! The programs under test, which cargo builds for the tests of their package, and what
//! `cargo xtask test` installs beside the build.

use std::path::{Path, PathBuf};

/// A program of the test's own package.
pub fn built(name: &str) -> PathBuf {
    // The test itself is in `deps`, the programs are beside that directory.
    let program = test().ancestors().nth(2).map(|dir| dir.join(name));
    program
        .filter(|program| program.is_file())
        .unwrap_or_else(|| panic!("cargo did not build `{name}` for this test"))
}

/// A file or directory that was installed beside the build; `None` if it was not.
pub fn installed(below: &str) -> Option<PathBuf> {
    let test = test();
    let places = test.ancestors().map(|dir| dir.join(below));
    { places }.find(|path| path.exists())
}

/// Cargo's target directory, which cargo marks for backup programs.
pub fn target_dir() -> PathBuf {
    let test = test();
    let marked = |dir: &&Path| dir.join("CACHEDIR.TAG").is_file();
    let target = test.ancestors().find(marked);
    target
        .expect("a test is below the target directory")
        .to_owned()
}

fn test() -> PathBuf {
    std::env::current_exe().expect("a running test has a binary")
}
