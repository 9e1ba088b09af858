//! `roam mcp install`: adds the server to a tool's configuration, by the tool's own command or in its documented file.
//! Shows the change first. Knows no tool: each adapter states how.

use super::Options;
use crate::ask::Answer;
use crate::confirm::confirm;
use crate::out::{self, Output};
use crate::resume::find_on_path;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use session_roam_core::adapter::{Change, McpConfig, Stamp};
use session_roam_core::api::{ApiError, quote};
use session_roam_core::formats::{fields, files};
use session_roam_core::opener;
use session_roam_core::session::ProblemCode;
use session_roam_core::tools;
use std::path::Path;
use std::process::Command;

/// The server's name in configurations.
const SERVER: &str = "session-roam";
/// No one writes a larger configuration by hand.
const MOST: u64 = 4 << 20;

/// What was done, for `--json`.
#[derive(Debug, Serialize, Deserialize)]
struct Installed {
    client: String,
    /// What was run or written, in words.
    change: String,
    undo: String,
    done: bool,
}

/// The command line that clients start.
pub struct Line(Vec<String>);

impl Line {
    /// `home` only if it is not the one that `roam` finds by itself.
    pub fn of(home: Option<&Path>, options: &Options) -> Result<Self, ApiError> {
        let program = std::env::current_exe().map_err(|error| {
            let message = format!("The path of this program is not known: {error}.");
            ApiError::new(ProblemCode::BadPath, message, "Start it by its whole path.")
        })?;
        let mut line = vec![in_utf8(&program)?];
        if let Some(home) = home {
            line.extend(["--home".to_owned(), in_utf8(home)?]);
        }
        line.push("mcp".into());
        line.extend(options.arguments());
        Ok(Self(line))
    }

    fn json(&self) -> Value {
        json!({ "command": self.0[0], "args": self.0[1..] })
    }
}

pub fn install(client: &str, line: &Line, yes: bool) -> Result<Output, ApiError> {
    let known = tools::all(&[]);
    let known = known.iter().filter_map(|tool| {
        let about = tool.about();
        Some((about.tool.to_string(), about.name, tool.mcp_config()?))
    });
    let known: Vec<_> = known.collect();
    let Some((_, name, config)) = known.iter().find(|(id, _, _)| id == client) else {
        let ids: Vec<&str> = known.iter().map(|(id, _, _)| id.as_str()).collect();
        let message = format!("How to add a server to {client:?} is not known.");
        let hint = format!(
            "Known: {}. In any other client add this server, which speaks on stdin and stdout: {}",
            ids.join(", "),
            line.json()
        );
        return Err(ApiError::new(ProblemCode::UnknownClient, message, hint));
    };
    let done = match *config {
        McpConfig::Command { add, remove } => by_command(name, (add, remove), line, yes)?,
        McpConfig::Json { file, servers } => in_file(name, (file, servers), line, yes)?,
    };
    Answer::of(&done).show(|done: Installed| match done.done {
        true => format!("Done: {}\nTo undo it: {}\n", done.change, done.undo),
        false => "Nothing was changed.\n".to_owned(),
    })
}

/// Shows the change and asks.
fn agreed(change: &str, undo: &str, yes: bool) -> Result<bool, ApiError> {
    out::note(&format!("{change}\nTo undo it: {undo}"));
    match yes {
        true => Ok(true),
        false => confirm("Make this change?", "`--yes` makes it without asking."),
    }
}

type Commands = (&'static [&'static str], &'static [&'static str]);

fn by_command(
    name: &str,
    (add, remove): Commands,
    line: &Line,
    yes: bool,
) -> Result<Installed, ApiError> {
    let words: Vec<String> = add
        .iter()
        .map(|word| (*word).to_owned())
        .chain([SERVER.to_owned(), "--".to_owned()])
        .chain(line.0.iter().cloned())
        .collect();
    let shown: Vec<String> = words.iter().map(|word| quote::word(word)).collect();
    let change = format!("{name} adds the server {SERVER} by `{}`.", shown.join(" "));
    let undo = format!("`{} {SERVER}`", remove.join(" "));
    let program = find_on_path(&words[0]).ok_or_else(|| {
        let message = format!("{} is not installed here, or not on PATH.", words[0]);
        ApiError::new(
            ProblemCode::ToolNotFound,
            message,
            format!("Where it is, run: {}", shown.join(" ")),
        )
    })?;
    let done = agreed(&change, &undo, yes)?;
    if done {
        run(&program, &words, &undo)?;
    }
    Ok(Installed {
        client: name.to_owned(),
        change,
        undo,
        done,
    })
}

fn run(program: &Path, words: &[String], undo: &str) -> Result<(), ApiError> {
    let failed = |told: String| {
        let hint = format!("Is the server there already? Remove it first: {undo}");
        ApiError::new(
            ProblemCode::ToolRefused,
            format!("`{}` did not succeed: {told}", words[..3].join(" ")),
            hint,
        )
    };
    let ended = Command::new(program)
        .args(&words[1..])
        .output()
        .map_err(|error| failed(error.to_string()))?;
    match ended.status.success() {
        true => Ok(()),
        false => Err(failed(
            String::from_utf8_lossy(&ended.stderr).trim().to_owned(),
        )),
    }
}

fn in_file(
    name: &str,
    (file, servers): (&str, &str),
    line: &Line,
    yes: bool,
) -> Result<Installed, ApiError> {
    let home = std::env::home_dir().ok_or_else(|| {
        ApiError::new(
            ProblemCode::NoHome,
            "This user's home directory is not known.",
            "Set HOME.",
        )
    })?;
    let path = file
        .split('/')
        .fold(home.clone(), |path, part| path.join(part));
    let entry = line.json();
    let by_hand = |why: String| {
        let hint = format!(
            "Add this to `{servers}` in it by hand: {}",
            json!({ SERVER: entry })
        );
        ApiError::new(ProblemCode::Unwritable, why, hint)
    };
    let before = read(&path).map_err(by_hand)?;
    let text = before.as_ref().map_or("{}\n", |(text, _)| text.as_str());
    let after = with_server(text, servers, &entry).ok_or_else(|| {
        by_hand(format!(
            "{} is not plain JSON with an object in `{servers}`.",
            path.display()
        ))
    })?;
    let change = format!(
        "{name} gets the server {SERVER} in `{servers}` of {}: {entry}. Everything else in that file stays as it is.",
        path.display()
    );
    let undo = match fields::get(text.as_bytes(), &format!("/{servers}/{SERVER}")) {
        Some(old) => format!(
            "set `{SERVER}` in `{servers}` of {} to {old}",
            path.display()
        ),
        None => format!("remove `{SERVER}` from `{servers}` in {}", path.display()),
    };
    let done = agreed(&change, &undo, yes)?;
    if done {
        write(&home, &path, before.map(|(_, stamp)| stamp), &after).map_err(by_hand)?;
    }
    Ok(Installed {
        client: name.to_owned(),
        change,
        undo,
        done,
    })
}

/// The document with its stamp; `None` if there is no such file.
fn read(path: &Path) -> Result<Option<(String, Stamp)>, String> {
    let stamp = match Stamp::of(path) {
        Ok(stamp) => stamp,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("{} was not read: {error}.", path.display())),
    };
    let bytes = opener::read(path, MOST)
        .map_err(|error| format!("{} was not read: {error}.", path.display()))?;
    let text = String::from_utf8(bytes).map_err(|_| format!("{} is not UTF-8.", path.display()))?;
    let text = if text.trim().is_empty() {
        "{}\n".to_owned()
    } else {
        text
    };
    Ok(Some((text, stamp)))
}

/// Atomic, only if the file is still what was read, and never through a link.
fn write(home: &Path, path: &Path, was: Option<Stamp>, text: &str) -> Result<(), String> {
    let bytes = text.as_bytes().to_vec();
    let change = match was {
        None => Change::Create(&bytes),
        Some(was) => Change::Replace {
            path,
            was,
            bytes: &bytes,
        },
    };
    files::write_as_guest(home, path, &change, crate::when::now())
        .map(drop)
        .map_err(|error| format!("{} was not written: {error}.", path.display()))
}

/// The document with the server in its field `servers`; `None` if the document or that field is not a
/// JSON object.
fn with_server(document: &str, servers: &str, entry: &Value) -> Option<String> {
    let all: Value = serde_json::from_str(document).ok()?;
    let entry = indented(entry);
    let Some(there) = all.as_object()?.get(servers) else {
        let member = format!(
            "{}: {{\n    {}: {entry}\n  }}",
            json!(servers),
            json!(SERVER)
        );
        return with_member(document, "  ", &member);
    };
    let pointer = format!("/{servers}/{SERVER}");
    let there = there.as_object()?;
    if there.contains_key(SERVER) {
        let out = fields::with(document.as_bytes(), &[(&pointer, &entry)])?;
        return String::from_utf8(out).ok();
    }
    let raw = fields::get(document.as_bytes(), servers)?;
    let raw = with_member(raw, "    ", &format!("{}: {entry}", json!(SERVER)))?;
    let out = fields::with(document.as_bytes(), &[(servers, &raw)])?;
    String::from_utf8(out).ok()
}

/// The object with one more member, the first.
fn with_member(object: &str, indent: &str, member: &str) -> Option<String> {
    let (before, rest) = object.split_once('{')?;
    let end = match rest.trim_start().starts_with('}') {
        true => format!("\n{}{}", &indent[2..], rest.trim_start()),
        false => format!(",{rest}"),
    };
    Some(format!("{before}{{\n{indent}{member}{end}"))
}

fn indented(entry: &Value) -> String {
    let text = serde_json::to_string_pretty(entry).expect("its keys are text");
    text.replace('\n', "\n    ")
}

fn in_utf8(path: &Path) -> Result<String, ApiError> {
    path.to_str().map(str::to_owned).ok_or_else(|| {
        let message = format!("{} cannot be written into a configuration.", path.display());
        ApiError::new(ProblemCode::BadPath, message, "Use a path in UTF-8.")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line() -> Line {
        Line(
            ["/usr/bin/roam", "mcp", "--only-own"]
                .map(str::to_owned)
                .to_vec(),
        )
    }

    fn added(document: &str) -> Option<String> {
        let out = with_server(document, "mcpServers", &line().json())?;
        let value: Value = serde_json::from_str(&out).expect("JSON");
        assert_eq!(value["mcpServers"][SERVER], line().json(), "{out}");
        Some(out)
    }

    #[test]
    fn the_rest_of_the_document_stays_byte_for_byte() {
        let other = "\"other\" : {\"command\":\"x\",\"n\":1.50}";
        let document =
            format!("{{ \"theme\":\"dark\",\n\"mcpServers\": {{{other}}}, \"z\":[1, 2]}}\n");
        let out = added(&document).expect("added");
        assert!(
            out.starts_with("{ \"theme\":\"dark\",\n\"mcpServers\": {"),
            "{out}"
        );
        assert!(
            out.ends_with(&format!(",{other}}}, \"z\":[1, 2]}}\n")),
            "{out}"
        );
        assert_eq!(added(&out).as_deref(), Some(out.as_str()), "twice is once");
    }

    #[test]
    fn the_field_is_made_where_it_is_missing() {
        for document in [
            "{}\n",
            "{\"a\":1}",
            "{ \"mcpServers\": {} }",
            "{\"mcpServers\":{\"session-roam\":1}}",
        ] {
            added(document).expect(document);
        }
    }

    #[test]
    fn what_is_no_plain_document_is_left_alone() {
        for document in [
            "",
            "[]",
            "{\"mcpServers\":[]}",
            "{\"a\":1,}",
            "// x\n{}",
            "{\"mcpServers\":",
        ] {
            assert_eq!(
                with_server(document, "mcpServers", &line().json()),
                None,
                "{document}"
            );
        }
    }

    #[test]
    fn every_option_is_in_the_command_line() {
        let options = Options {
            only_own: false,
            devices: vec!["desk".into(), "my laptop".into()],
            allow_write: true,
        };
        let line = Line::of(Some(Path::new("/x y")), &options)
            .expect("a line")
            .0;
        assert_eq!(
            line[1..],
            [
                "--home",
                "/x y",
                "mcp",
                "--device=desk",
                "--device=my laptop",
                "--allow-write"
            ]
        );
    }
}
