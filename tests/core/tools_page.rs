//! docs/tools.md is the adapters' own documentation: `cargo xtask docs` writes it, and this test
//! compares it with the code. `UPDATE_DOCS=1` makes the test write it.

use session_roam_core::session::SessionId;
use session_roam_core::tools::{Level, Machine, Resumable, Root, Tool, all, custom};
use std::fmt::Write as _;
use std::path::Path;

/// The source of an adapter's file.
fn source(tool: &str) -> String {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tools");
    let name = tool.replace('-', "_");
    let folder = tools.join(&name).join("mod.rs");
    let file = if folder.is_file() {
        folder
    } else {
        tools.join(name).with_extension("rs")
    };
    std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// The opening comment of a file, as Markdown.
fn opening(text: &str) -> String {
    let lines = text.lines().take_while(|line| line.starts_with("//!"));
    lines
        .map(|line| {
            line.trim_start_matches("//!")
                .strip_prefix(' ')
                .unwrap_or_default()
        })
        .collect::<Vec<_>>()
        .join("\n")
}

/// As on Linux: the page is the same on whichever system it is written.
fn shown(path: &Path) -> String {
    let path = path.to_string_lossy().replace('\\', "/");
    // Zed writes its own name differently on each.
    path.replace("~/Library/Application Support/Zed", "~/.local/share/zed")
        .replace("~/AppData/Local/Zed", "~/.local/share/zed")
        .replace("~/Library/Application Support", "~/.config")
        .replace("~/AppData/Roaming", "~/.config")
}

fn level(level: Level) -> String {
    format!("*{}*: {}", level.as_str(), level.meaning())
}

fn watched(root: &Root) -> String {
    let depth = if root.deep { " and all below" } else { "" };
    let use_ = if root.store {
        "sessions"
    } else {
        "only to see what is open"
    };
    format!("`{}`{depth} ({use_})", shown(&root.path))
}

fn list(names: &[&str]) -> String {
    names
        .iter()
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

fn section(page: &mut String, tool: &dyn Tool, machine: &Machine) {
    let about = tool.about();
    let launch = tool.resume(
        machine,
        &Resumable {
            session: &SessionId::new("SESSION"),
            cwd: Path::new("DIRECTORY"),
        },
    );
    let roots: Vec<String> = tool.roots(machine).iter().map(watched).collect();
    writeln!(
        page,
        "## {} (`{}`)\n\n| | |\n|---|---|",
        about.name, about.tool
    )
    .expect("text");
    writeln!(page, "| level | {} |", level(about.level)).expect("text");
    if !about.reason.is_empty() {
        writeln!(page, "| to know | {} |", about.reason).expect("text");
    }
    writeln!(page, "| known | {} |", about.versions).expect("text");
    writeln!(page, "| read from | {} |", roots.join("<br>")).expect("text");
    if let Some(moved) = tool.moved() {
        writeln!(page, "| store moved by | `{}` |", moved.var).expect("text");
    }
    writeln!(
        page,
        "| resumed by | `{}` |",
        launch.opens.argv(false).join(" ").replace(".cmd ", " ")
    )
    .expect("text");
    if !launch.unset.is_empty() {
        let unset: Vec<&str> = launch.unset.iter().map(String::as_str).collect();
        writeln!(page, "| without the variables | {} |", list(&unset)).expect("text");
    }
    writeln!(
        page,
        "| recorded, and not applied from another device | {} |",
        about.steering.words
    )
    .expect("text");
    writeln!(page, "| never, at any depth | {} |", list(about.denied)).expect("text");
    writeln!(page, "\n{}\n", opening(&source(about.tool.as_str()))).expect("text");
}

fn page() -> String {
    let machine = Machine::at("~");
    let mut page = String::from(
        "# The tools\n\n\
         <!-- Written by `cargo xtask docs` from the adapters in src-tauri/core/src/tools. Change them, not this page. -->\n\n\
         Which tools' sessions roam, where they are read from and what is never touched. `roam tools` says what is found on\n\
         a device and how much it is, `roam tools off TOOL` keeps one off it.\n\
         The levels, each with those before it: {levels}.\n\
         Only what belongs to a session is ever listed; names that must never roam stand above that, whatever a session's\n\
         directory holds or another device says.\n\n\
         A tool may have several stores on a device, where a variable moves its store (the table of each tool names it). All\n\
         that are in use are found, whatever environment session-roam was started in: from the tool's running programs, the\n\
         shells' profiles, directories with the usual names (`~/.claude-work`), and the shell in which `roam` is called.\n\
         `roam tools` lists them, `roam tools off TOOL --store DIR` switches one off, and resuming sets the variable. A store\n\
         that is not there now has lost nothing: its sessions do not count as deleted. What lies in a store and is not\n\
         carried (links out of what is yours, names that the tool does not give, copies made by Dropbox, iCloud or OneDrive,\n\
         what cannot be read) `roam doctor` counts and explains.\n\n\
         Windows and a Linux that runs in it (WSL) are two devices: `roam doctor` names the stores of the other one, which are\n\
         neither read nor written from here. Their paths are the other system's, the programs that run there cannot be seen\n\
         from here, and the locks of a database do not hold across. Install session-roam on both sides and pair them.\n\n\
         **Chat websites and their desktop apps** (ChatGPT, Claude.ai, the chat tab of Claude Desktop) keep their conversations\n\
         on the vendors' servers; on a device there is a cache that only the app can read. An official export is imported\n\
         instead: with *Import conversations* in the window under Tools, by dropping it on the window, or with `roam import`.\n\n\
         The level, its reason and what is known are the same words here, in the window under Tools and in `roam tools`.\n\n",
    );
    let levels = [Level::See, Level::Carry, Level::Resume, Level::Merge];
    page = page.replace(
        "{levels}",
        &levels
            .map(|level| format!("*{}*", level.as_str()))
            .join(" < "),
    );
    for tool in all(&[]) {
        section(&mut page, tool.as_ref(), &machine);
    }
    writeln!(
        page,
        "## A tool of your own\n\n{}\n",
        opening(include_str!("../../src-tauri/core/src/tools/custom.rs"))
    )
    .expect("text");
    writeln!(
        page,
        "Never, whatever the pattern says: {}.",
        list(&custom::DENIED)
    )
    .expect("text");
    page
}

#[test]
fn each_tool_says_what_is_known_of_it_and_why_it_cannot_do_more() {
    for tool in all(&[]) {
        let about = tool.about();
        assert!(about.versions.contains("202"), "{}: no date", about.tool);
        let is_whole = about.level == Level::Merge || !about.reason.is_empty();
        assert!(is_whole, "{}: no reason", about.tool);
    }
}

#[test]
#[allow(clippy::disallowed_methods)] // a test is a shell of its own
fn the_page_is_what_the_adapters_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/tools.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, page()).expect("docs/tools.md can be written");
    }
    let held = std::fs::read_to_string(&path)
        .unwrap_or_default()
        .replace("\r\n", "\n");
    assert!(
        held == page(),
        "docs/tools.md is not what the adapters say; `cargo xtask docs` writes it anew"
    );
}
