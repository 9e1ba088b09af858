//! `roam acp`: an agent of the Agent Client Protocol on stdin and stdout, which lists the sessions of all devices in an
//! editor and shows them. It runs no model and continues nothing: it says with which command the tool does. Starts no
//! engine.

use crate::ask::Engine;
use crate::mcp::{protocol, runtime};
use crate::out::Output;
use crate::remedy::advice;
use agent_client_protocol::schema::ProtocolVersion;
use agent_client_protocol::v1::schema::{
    AgentCapabilities, ContentBlock, ContentChunk, Implementation, InitializeRequest,
    InitializeResponse, ListSessionsRequest, ListSessionsResponse, LoadSessionRequest,
    LoadSessionResponse, Meta, NewSessionRequest, NewSessionResponse, PromptRequest,
    PromptResponse, SessionCapabilities, SessionId, SessionInfo, SessionListCapabilities,
    SessionNotification, SessionUpdate, StopReason, ToolCall, ToolCallContent, ToolCallStatus,
};
use agent_client_protocol::v1::{ConnectionTo, Responder, schema};
use agent_client_protocol::{Agent, Client, Error, JsonRpcResponse, Stdio, on_receive_request};
use serde_json::json;
use session_roam_core::api::quote::{command_line, word};
use session_roam_core::api::{
    ApiError, Message, Part, ProjectRow, Request, Resume, SessionFilter, SessionRow, Shown,
};
use session_roam_core::merge::transcript::beginning;
use session_roam_core::session::ProblemCode;
use session_roam_core::session::{Role, harmless, harmless_line};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Sessions in one answer.
const SESSIONS: usize = 100;
/// Messages asked of the engine at once.
const PAGE: u64 = 100;
/// Bytes of a title and of the text of a message.
const TITLE: usize = 200;
const TEXT: usize = 8 << 10;
/// The id of a session that an editor opens without choosing one.
const EMPTY: &str = "session-roam:new";

pub fn serve(home: &Path) -> Result<Output, ApiError> {
    let runtime = runtime()?;
    let served = runtime.block_on(agent(home.to_owned()));
    runtime.shutdown_background();
    served
        .map(|()| Output::Nothing)
        .map_err(|error| protocol(&error.message))
}

async fn agent(home: PathBuf) -> Result<(), Error> {
    let (of_list, of_load, of_prompt) = (home.clone(), home.clone(), home);
    Agent
        .v1()
        .name("session-roam")
        .on_receive_request(
            async move |_: InitializeRequest, responder, _| responder.respond(introduction()),
            on_receive_request!(),
        )
        .on_receive_request(
            async move |_: NewSessionRequest, responder, _| {
                responder.respond(NewSessionResponse::new(EMPTY))
            },
            on_receive_request!(),
        )
        .on_receive_request(
            async move |request: ListSessionsRequest,
                        responder,
                        connection: ConnectionTo<Client>| {
                let home = of_list.clone();
                aside(&connection, responder, move || list(&home, &request))
            },
            on_receive_request!(),
        )
        .on_receive_request(
            async move |request: LoadSessionRequest,
                        responder,
                        connection: ConnectionTo<Client>| {
                let (home, to) = (of_load.clone(), connection.clone());
                aside(&connection, responder, move || {
                    load(&home, &request.session_id, &to)
                })
            },
            on_receive_request!(),
        )
        .on_receive_request(
            async move |request: PromptRequest, responder, connection: ConnectionTo<Client>| {
                let (home, to) = (of_prompt.clone(), connection.clone());
                aside(&connection, responder, move || {
                    prompt(&home, &request.session_id, &to)
                })
            },
            on_receive_request!(),
        )
        .connect_to(Stdio::new())
        .await
}

/// Answers beside the connection's loop, in a thread that may wait for the engine.
fn aside<T: JsonRpcResponse>(
    connection: &ConnectionTo<Client>,
    responder: Responder<T>,
    answer: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<(), Error> {
    connection.spawn(async move {
        let answer = tokio::task::spawn_blocking(answer).await;
        responder.respond_with_result(answer.unwrap_or_else(|_| Err(Error::internal_error())))
    })
}

fn introduction() -> InitializeResponse {
    let sessions = SessionCapabilities::new().list(SessionListCapabilities::new());
    InitializeResponse::new(ProtocolVersion::V1)
        .agent_capabilities(
            AgentCapabilities::new()
                .load_session(true)
                .session_capabilities(sessions),
        )
        .agent_info(Implementation::new(
            "session-roam",
            env!("CARGO_PKG_VERSION"),
        ))
}

/// One page of sessions, the latest first. The cursor is how many were listed before.
fn list(home: &Path, request: &ListSessionsRequest) -> Result<ListSessionsResponse, Error> {
    let from: usize = match &request.cursor {
        Some(cursor) => cursor
            .parse()
            .map_err(|_| invalid("This agent did not issue that cursor."))?,
        None => 0,
    };
    let mut engine = Engine::at(home);
    let places = Places::known(&mut engine)?;
    let enough = from.saturating_add(SESSIONS + 1) as u64;
    let filter = SessionFilter {
        // Which project a directory belongs to is decided here.
        limit: request.cwd.is_none().then_some(enough),
        ..SessionFilter::default()
    };
    let mut rows: Vec<SessionRow> = ask(&mut engine, &Request::Sessions { filter })?;
    if let Some(cwd) = &request.cwd {
        let projects = places.projects_at(cwd);
        rows.retain(|row| projects.contains(row.project.as_str()));
    }
    let page = rows.iter().skip(from).take(SESSIONS);
    let page: Vec<SessionInfo> = page.map(|row| info(row, &places)).collect();
    let next = from.saturating_add(SESSIONS);
    let next = (next < rows.len()).then(|| next.to_string());
    Ok(ListSessionsResponse::new(page).next_cursor(next))
}

fn info(row: &SessionRow, places: &Places) -> SessionInfo {
    let devices: Vec<String> = row
        .devices
        .iter()
        .map(|device| harmless_line(device))
        .collect();
    let more = json!({
        "tool": harmless_line(&row.tool),
        "project": harmless_line(&row.project),
        "devices": devices,
        "state": row.state.as_str(),
    });
    let title = harmless_line(beginning(&row.title, TITLE));
    SessionInfo::new(row.session.clone(), places.of(&row.project))
        .title(title)
        .updated_at(harmless_line(&row.updated))
        .meta(Meta::from_iter([("session-roam".to_owned(), more)]))
}

/// The directories of the projects on this device.
struct Places {
    of_projects: BTreeMap<String, Vec<PathBuf>>,
    /// For a session whose project is not here: the protocol wants a directory.
    otherwise: PathBuf,
}

impl Places {
    fn known(engine: &mut Engine) -> Result<Self, Error> {
        let rows: Vec<ProjectRow> = ask(engine, &Request::Projects)?;
        Ok(Self {
            of_projects: rows.into_iter().map(|row| (row.key, row.places)).collect(),
            otherwise: std::env::home_dir().unwrap_or_else(|| PathBuf::from("/")),
        })
    }

    fn of(&self, project: &str) -> PathBuf {
        let here = self
            .of_projects
            .get(project)
            .and_then(|places| places.first());
        here.unwrap_or(&self.otherwise).clone()
    }

    /// The projects of a directory: those with the deepest place at or above it.
    fn projects_at(&self, dir: &Path) -> BTreeSet<&str> {
        let (mut deepest, mut found) = (0, BTreeSet::new());
        for (project, places) in &self.of_projects {
            for place in places.iter().filter(|place| dir.starts_with(place)) {
                let depth = place.components().count();
                if deepest < depth {
                    (deepest, found) = (depth, BTreeSet::new());
                }
                if depth == deepest {
                    found.insert(project.as_str());
                }
            }
        }
        found
    }
}

/// Replays a session, then says how to continue it.
fn load(
    home: &Path,
    session: &SessionId,
    to: &ConnectionTo<Client>,
) -> Result<LoadSessionResponse, Error> {
    if is_empty(session) {
        return Ok(LoadSessionResponse::new());
    }
    let mut engine = Engine::at(home);
    let mut from = 0;
    loop {
        let request = Request::Show {
            session: session.0.to_string(),
            from,
            rows: Some(PAGE),
        };
        let shown: Shown = ask(&mut engine, &request)?;
        for (number, message) in (from..).zip(&shown.messages) {
            for update in updates(number, message) {
                to.send_notification(SessionNotification::new(session.clone(), update))?;
            }
        }
        from += PAGE;
        if shown.total <= from {
            break;
        }
    }
    let words = how_to_continue(&mut engine, session);
    to.send_notification(SessionNotification::new(session.clone(), says(&words)))?;
    Ok(LoadSessionResponse::new())
}

fn prompt(
    home: &Path,
    session: &SessionId,
    to: &ConnectionTo<Client>,
) -> Result<PromptResponse, Error> {
    let words = match is_empty(session) {
        true => "This agent shows the sessions of all your devices and runs no model. Choose one of them in the editor's list."
            .to_owned(),
        false => how_to_continue(&mut Engine::at(home), session),
    };
    to.send_notification(SessionNotification::new(session.clone(), says(&words)))?;
    Ok(PromptResponse::new(StopReason::EndTurn))
}

fn is_empty(session: &SessionId) -> bool {
    &*session.0 == EMPTY
}

fn how_to_continue(engine: &mut Engine, session: &SessionId) -> String {
    const ONLY: &str = "This is a stored session: session-roam shows it and runs no model.";
    let request = Request::Resume {
        session: session.0.to_string(),
    };
    let resume = engine
        .ask(&request)
        .and_then(|answer| answer.as_type::<Resume>());
    let words = match resume {
        Ok(resume) => {
            let short = word(&session.0);
            let whole = command_line(&resume);
            let notes: String = resume
                .notes
                .iter()
                .map(|note| format!("\n{note}"))
                .collect();
            format!(
                "{ONLY} To continue it, run `roam resume {short}` in a terminal, which is:\n\n    {whole}\n{notes}"
            )
        }
        Err(error) => format!(
            "{ONLY} {} {}",
            error.message,
            advice(&error.hint, &error.actions)
        ),
    };
    harmless(&words)
}

/// A message as the protocol has it: a chunk or a call for each part.
fn updates(number: u64, message: &Message) -> Vec<SessionUpdate> {
    let of_part = |(at, part): (usize, &Part)| match (part.kind.as_str(), message.role) {
        ("thinking", _) => SessionUpdate::AgentThoughtChunk(chunk(&cut(part))),
        ("text" | "compaction", Role::User) => SessionUpdate::UserMessageChunk(chunk(&cut(part))),
        ("text" | "compaction", Role::Assistant) => says(&cut(part)),
        ("image", Role::User) => SessionUpdate::UserMessageChunk(chunk("[picture]")),
        _ => SessionUpdate::ToolCall(call(format!("{number}.{at}"), message.role, part)),
    };
    let found: Vec<SessionUpdate> = message.parts.iter().enumerate().map(of_part).collect();
    match (found.is_empty(), message.role) {
        (false, _) => found,
        (true, Role::User) => vec![SessionUpdate::UserMessageChunk(chunk(&message.text))],
        (true, _) => vec![says(&message.text)],
    }
}

fn says(text: &str) -> SessionUpdate {
    SessionUpdate::AgentMessageChunk(chunk(text))
}

fn chunk(text: &str) -> ContentChunk {
    ContentChunk::new(ContentBlock::from(harmless(beginning(text, TEXT))))
}

/// A call or a result that is over; nothing in it runs.
fn call(id: String, role: Role, part: &Part) -> ToolCall {
    let kind = match part.kind.as_str() {
        // Of the system, or a record that changed what the tool may do.
        "text" => role.as_str(),
        kind => kind,
    };
    let name = part.name.as_deref().unwrap_or(kind);
    let title = match &part.target {
        Some(target) => format!("{name}: {target}"),
        None => name.to_owned(),
    };
    let status = if part.is_error {
        ToolCallStatus::Failed
    } else {
        ToolCallStatus::Completed
    };
    ToolCall::new(id, harmless_line(beginning(&title, TITLE)))
        .status(status)
        .content(vec![ToolCallContent::from(harmless(&cut(part)))])
}

fn cut(part: &Part) -> String {
    match part.bytes.checked_sub(part.text.len() as u64) {
        Some(rest) if 0 < rest && part.kind != "image" => {
            format!("{}\n[{rest} more bytes]", part.text)
        }
        _ => part.text.clone(),
    }
}

fn ask<T: serde::de::DeserializeOwned>(engine: &mut Engine, request: &Request) -> Result<T, Error> {
    engine
        .ask(request)
        .and_then(|answer| answer.as_type())
        .map_err(|error| of_engine(&error))
}

/// The engine's error, in words for the editor's user and with its code for a program.
fn of_engine(error: &ApiError) -> Error {
    let words = harmless_line(&format!(
        "{} {}",
        error.message,
        advice(&error.hint, &error.actions)
    ));
    let found = match error.code {
        ProblemCode::UnknownSession => schema::Error::resource_not_found(None).into(),
        _ => Error::internal_error(),
    };
    let mut found = found.data(json!({ "code": error.code }));
    found.message = words;
    found
}

fn invalid(message: &str) -> Error {
    let mut error = Error::invalid_params();
    error.message = message.to_owned();
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_deepest_place_above_a_directory_counts() {
        let of = |project: &str, place: &str| (project.to_owned(), vec![PathBuf::from(place)]);
        let places = Places {
            of_projects: BTreeMap::from([
                of("home:", "/home/ann"),
                of("git.example/acme/shop", "/home/ann/shop"),
                of("git.example/acme/shop-web", "/home/ann/shop"),
            ]),
            otherwise: PathBuf::from("/"),
        };
        let at = |dir: &str| -> Vec<&str> {
            let found = places.projects_at(Path::new(dir));
            found.into_iter().collect()
        };
        let both = ["git.example/acme/shop", "git.example/acme/shop-web"];
        assert_eq!(at("/home/ann/shop/src"), both);
        assert_eq!(at("/home/ann/shop"), both);
        assert_eq!(at("/home/ann/notes"), ["home:"]);
        assert_eq!(at("/srv"), [""; 0]);
    }
}
