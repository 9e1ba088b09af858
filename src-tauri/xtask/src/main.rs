//! The repository's own commands: `cargo xtask run|test|bundle|demo|bench|…`. Knows the product
//! only from outside, as the binary `roam` with its documented answers.

mod bench;
mod bundle;
#[cfg(target_os = "linux")]
mod clean_root;
mod corpus;
mod demo;
mod device;
mod editors;
mod fuzz;
mod icons;
mod lab;
mod measure;
mod proc;
mod run;
#[cfg(target_os = "linux")]
mod screen;
mod screenshots;
mod setup;
mod simulate;
mod suite;
mod tidy;
mod unprotect;

use anyhow::{Result, bail};
use std::process::ExitCode;

const HELP: &str = "\
The repository's own commands.

  cargo xtask run [ARGS]     install what is missing, build, start the tray app, or without a display the engine
                             alone; --headless does that everywhere (other ARGS go to what is started)
  cargo xtask test [--quick] everything CI runs; --quick leaves out real Syncthings and real tools
  cargo xtask test --editors chats that go from one real VS Code to another and back; installs it first (900 MB)
  cargo xtask test --older   splits with older versions of the real tools
  cargo xtask test --lab cursor
                             an adapter against a vendor's own storage code, which is installed for that (Linux, macOS)
  cargo xtask simulate [--seeds 10000] [--from N]
                             whole worlds of devices with everything that can happen to them, one for each seed
  cargo xtask fuzz [TARGET] [--seconds 60] [--seed N] [--tool ID]
                             the readers of bytes from elsewhere, fed with damaged ones; all targets one after the other
  cargo xtask unprotect [F1 …]
                             each protection of docs/security.md taken out of a copy: its tests must fail then
  cargo xtask demo           two devices on this machine, a sample session going over, then cleaned up
  cargo xtask bench roam [--write] [--no-corpus] [--no-latency]
                             measure what was promised; --write puts the table into docs/benchmarks.md
  cargo xtask bench scale [--write] [--sessions 1000,10000,50000] [--kb N] [--alone]
                            what grows with the number of sessions, beside plain Syncthing; --alone: one engine
  cargo xtask bench growth  the short form that every test run has: the CPU time of a session among 200 and 2,000
  cargo xtask bench merge [--write]
                             what merging and comparing cost
  cargo xtask bench code [--write]
                             recording a checkout of 100,000 files and 2 GB, beside git
  cargo xtask bench chats [--write]
                             what a large chat and a large state database of VS Code cost
  cargo xtask bench search [--write] [--sessions N] [--mb N]
                             search: speed, size, memory and quality; agentsview and cass beside it if they are on PATH
  cargo xtask bench packages [--write]
                             how large the packages in target/bundle are
  cargo xtask bench app      what the tray app costs: start, first paint, memory, idling (Linux)
  cargo xtask bench hidden [MINUTES]
                             its memory while it runs without a window and sessions are written (Linux)
  cargo xtask bench baseline plain Syncthing alone
  cargo xtask corpus DIR [--sessions N] [--mb N] [--seed N]
                             a made-up store of sessions below DIR as the home directory
  cargo xtask bundle [--pinned] [--target TRIPLE] [--formats deb,rpm]
                             the packages that people install, into target/bundle; --pinned puts the official Syncthing
                             release into them instead of this machine's
  cargo xtask test-deb [FILE.deb]
                             that package (else the one in target/bundle) in a clean Debian 12: installed, started by a
                             plain user, photographed, removed; needs root
  cargo xtask screenshots [pages|app|readme]
                             pictures of every view, light and dark, into target/screenshots
  cargo xtask manifest DIR VERSION URL
                             checksums, and what installed apps learn of a newer version from
  cargo xtask pin-syncthing VERSION | --check
                             the sums of an official Syncthing release, from the list that its project signed
  cargo xtask tidy           the rules of the repository
  cargo xtask measure [DIR]  how large, dense and entangled the core's code is (of the checkout at DIR)
  cargo xtask docs           write what is made from the code (docs/tools.md, engine.ts)
  cargo xtask icons          draw the tray's icons (icons/tray) from their SVG
  cargo xtask setup [test]   install what is missing to run (or to test), or say what to install
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match dispatch(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(args: &[&str]) -> Result<()> {
    match args {
        ["run", rest @ ..] => run::run(rest),
        ["test"] => suite::run(suite::Extent::Everything),
        ["test", "--editors"] => editors::run(),
        ["test", "--older"] => suite::older(),
        ["test", "--quick"] => suite::run(suite::Extent::Quick),
        ["test", "--lab", name] => lab::run(name),
        ["simulate", rest @ ..] => simulate::run(rest),
        ["fuzz", rest @ ..] => fuzz::run(rest),
        ["unprotect", rest @ ..] => unprotect::run(rest),
        ["demo"] => demo::run(),
        ["bench", "baseline"] => bench::baseline_alone(),
        ["bench", "app"] => bench::app(),
        ["bench", "hidden", rest @ ..] => bench::hidden(rest),
        ["bench", "chats", rest @ ..] => bench::chats::run(rest),
        ["bench", "code", rest @ ..] => bench::code::run(rest),
        ["bench", "scale", rest @ ..] => bench::scale(rest),
        ["bench", "growth"] => bench::growth(),
        ["bench", "merge", rest @ ..] => bench::merge::run(rest),
        ["bench", "search", rest @ ..] => bench::search::run(rest),
        ["bench", "packages", rest @ ..] => bench::packages::run(rest),
        ["bench", "roam", rest @ ..] | ["bench", rest @ ..] => bench::run(rest),
        ["corpus", rest @ ..] => corpus::run(rest),
        ["bundle", rest @ ..] => bundle::run(rest),
        ["pin-syncthing", rest @ ..] => bundle::pins::run(rest),
        ["manifest", rest @ ..] => bundle::manifest::run(rest),
        #[cfg(target_os = "linux")]
        ["test-deb", rest @ ..] => clean_root::run(rest),
        ["screenshots", rest @ ..] => screenshots::run(rest),
        ["tidy"] => tidy::run(),
        ["docs"] => suite::write_docs(),
        ["measure", rest @ ..] => measure::run(rest),
        ["icons"] => icons::run(),
        ["setup"] => setup::to_run(),
        ["setup", "test"] => setup::to_test().map(drop),
        [] | ["help" | "--help" | "-h", ..] => {
            print!("{HELP}");
            Ok(())
        }
        _ => bail!("there is no such command: {}\n\n{HELP}", args.join(" ")),
    }
}
