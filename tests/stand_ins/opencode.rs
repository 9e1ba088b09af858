//! Stands in for OpenCode where its adapter is tested without it: `export`, `import` and `session
//! delete`, as seen with 1.18.33 (2026-11-23). tests/real/opencode.rs runs the same against the
//! real one, which keeps this program faithful.
//!
//! The relevant behaviour: an import binds the session to the directory it runs in, adds missing
//! rows, changes nothing else, and writes the keys of the rows it accepted in another order.

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::{Map, Value, json};
use std::path::Path;
use std::process::ExitCode;

const TABLES: &str = "
    create table if not exists session (id text primary key, project_id text not null, parent_id text, slug text not null,
        directory text not null, path text, title text not null, version text not null, metadata text, permission text,
        agent text, model text, revert text, share_url text, workspace_id text, time_created integer not null, time_updated integer not null);
    create table if not exists message (id text primary key, session_id text not null, time_created integer not null,
        time_updated integer not null, data text not null);
    create table if not exists part (id text primary key, message_id text not null, session_id text not null,
        time_created integer not null, time_updated integer not null, data text not null);";

type Failed = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words[..] {
        ["export", session] => export(session),
        ["import", file] => import(Path::new(file)),
        ["session", "delete", session] => delete(session),
        _ => Err(format!("unknown command: {words:?}").into()),
    };
    match done {
        Ok(said) => {
            println!("{said}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("\u{1b}[91m\u{1b}[1mError: \u{1b}[0m{error}");
            ExitCode::FAILURE
        }
    }
}

#[allow(clippy::disallowed_methods)] // a program of its own, with an environment made for it
fn database() -> Result<Connection, Failed> {
    let file = std::env::var("OPENCODE_DB")?;
    std::fs::create_dir_all(Path::new(&file).parent().ok_or("a directory")?)?;
    let connection = Connection::open(file)?;
    connection.execute_batch(TABLES)?;
    Ok(connection)
}

fn export(session: &str) -> Result<String, Failed> {
    eprintln!("Exporting session: {session}");
    let database = database()?;
    let row = database.query_row("select * from session where id = ?1", [session], |row| {
        Ok(info(row))
    });
    let info = row
        .optional()?
        .ok_or(format!("Session not found: {session}"))??;
    let query = "select id, data from message where session_id = ?1 order by time_created, id";
    let mut messages = Vec::new();
    for (id, data) in rows(&database, query, session)? {
        let query = "select id, data from part where message_id = ?1 order by id";
        let parts = rows(&database, query, &id)?.into_iter();
        let with_ids = |(part, data): (String, Value)| {
            with(
                data,
                json!({ "id": part, "sessionID": session, "messageID": id }),
            )
        };
        let parts: Vec<Value> = parts.map(with_ids).collect();
        messages.push(json!({ "info": with(data, json!({ "id": id, "sessionID": session })), "parts": parts }));
    }
    Ok(serde_json::to_string_pretty(
        &json!({ "info": info, "messages": messages }),
    )?)
}

fn rows(database: &Connection, query: &str, about: &str) -> Result<Vec<(String, Value)>, Failed> {
    let mut query = database.prepare(query)?;
    let found = query.query_map([about], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
    })?;
    found
        .map(|row| {
            row.map_err(Failed::from)
                .and_then(|(id, data)| Ok((id, serde_json::from_str(&data)?)))
        })
        .collect()
}

fn info(row: &Row<'_>) -> Result<Value, Failed> {
    let mut info = Map::new();
    for (key, column) in [
        ("id", "id"),
        ("slug", "slug"),
        ("projectID", "project_id"),
        ("directory", "directory"),
        ("path", "path"),
        ("parentID", "parent_id"),
        ("title", "title"),
        ("agent", "agent"),
        ("version", "version"),
        ("workspaceID", "workspace_id"),
    ] {
        let text: Option<String> = row.get(column)?;
        info.extend(text.map(|text| (key.to_owned(), Value::from(text))));
    }
    let shared: Option<String> = row.get("share_url")?;
    info.extend(shared.map(|url| ("share".to_owned(), json!({ "url": url }))));
    for column in ["model", "permission", "metadata", "revert"] {
        let text: Option<String> = row.get(column)?;
        if let Some(text) = text {
            info.insert(column.to_owned(), serde_json::from_str(&text)?);
        }
    }
    let (created, updated): (i64, i64) = (row.get("time_created")?, row.get("time_updated")?);
    info.insert(
        "time".to_owned(),
        json!({ "created": created, "updated": updated }),
    );
    info.insert("cost".to_owned(), json!(0));
    Ok(Value::Object(info))
}

fn with(data: Value, more: Value) -> Value {
    match (data, more) {
        (Value::Object(mut data), Value::Object(more)) => {
            data.extend(more);
            Value::Object(data)
        }
        (data, _) => data,
    }
}

fn import(file: &Path) -> Result<String, Failed> {
    let text =
        std::fs::read_to_string(file).map_err(|_| format!("File not found: {}", file.display()))?;
    let whole: Value = serde_json::from_str(&text)?;
    let database = database()?;
    let cwd = std::env::current_dir()?;
    let project = project(&cwd);
    let info = &whole["info"];
    let text = |name: &str| info[name].as_str();
    let wanted = |name: &str| text(name).ok_or(format!("Missing key\n  at [\"{name}\"]"));
    let value = |name: &str| info.get(name).map(Value::to_string);
    let id = wanted("id")?;
    let updated = info["time"]["updated"]
        .as_i64()
        .ok_or("Missing key\n  at [\"time\"][\"updated\"]")?;
    database.execute(
        "insert into session (id, project_id, parent_id, slug, directory, path, title, version, metadata, permission, agent, \
         model, time_created, time_updated, revert, share_url, workspace_id) \
         values (?1, ?2, ?3, ?4, ?5, '', ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16) \
         on conflict (id) do update set project_id = ?2, directory = ?5",
        params![
            id,
            project,
            text("parentID"),
            wanted("slug")?,
            cwd.to_string_lossy(),
            wanted("title")?,
            wanted("version")?,
            value("metadata"),
            value("permission"),
            text("agent"),
            value("model"),
            info["time"]["created"].as_i64(),
            updated,
            value("revert"),
            info["share"]["url"].as_str(),
            text("workspaceID"),
        ],
    )?;
    for message in whole["messages"]
        .as_array()
        .ok_or("Missing key\n  at [\"messages\"]")?
    {
        let created = message["info"]["time"]["created"].as_i64();
        let (message_id, data) = taken(&message["info"])?;
        database.execute(
            "insert into message values (?1, ?2, ?3, 7, ?4) on conflict do nothing",
            params![message_id, id, created, data],
        )?;
        for part in message["parts"].as_array().into_iter().flatten() {
            let (part_id, data) = taken(part)?;
            database.execute(
                "insert into part values (?1, ?2, ?3, 7, 7, ?4) on conflict do nothing",
                params![part_id, message_id, id, data],
            )?;
        }
    }
    Ok(format!("Imported session: {id}"))
}

/// A row without the ids that are columns.
fn taken(value: &Value) -> Result<(String, String), Failed> {
    let mut fields = value.as_object().cloned().ok_or("no object")?;
    let id = fields
        .remove("id")
        .and_then(|id| id.as_str().map(str::to_owned))
        .ok_or("Missing key\n  at [\"id\"]")?;
    fields.remove("sessionID");
    fields.remove("messageID");
    // Known keys come in the tool's own order.
    let turned: Vec<String> = fields
        .iter()
        .rev()
        .map(|(name, value)| format!("{}:{value}", Value::from(name.as_str())))
        .collect();
    Ok((id, format!("{{{}}}", turned.join(","))))
}

/// The commit at a repository's branch stands in for its first one.
fn project(cwd: &Path) -> String {
    let git = cwd
        .ancestors()
        .map(|dir| dir.join(".git"))
        .find(|git| git.is_dir());
    let commit = git.and_then(|git| std::fs::read_to_string(git.join("refs/heads/main")).ok());
    commit.map_or_else(|| "global".to_owned(), |commit| commit.trim().to_owned())
}

fn delete(session: &str) -> Result<String, Failed> {
    let database = database()?;
    for table in ["part", "message"] {
        database.execute(
            &format!("delete from {table} where session_id = ?1"),
            [session],
        )?;
    }
    let gone = database.execute(
        "delete from session where id = ?1 or parent_id = ?1",
        [session],
    )?;
    if gone == 0 {
        Err(format!("Session not found: {session}").into())
    } else {
        Ok(format!("Session {session} deleted"))
    }
}
