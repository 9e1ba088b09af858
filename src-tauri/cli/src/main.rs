//! `roam`: parses arguments, sends a request to the engine, prints its answer as text or JSON. Only
//! formats the answers: all facts come over the control socket.

mod acp;
mod args;
mod ask;
mod code;
mod confirm;
mod forget;
mod import;
mod mcp;
mod out;
mod pair;
mod remedy;
mod render;
mod resume;
mod revoke;
mod run;
mod when;

use args::{
    Active, AppAction, Args, CodeAction, Command, McpAction, McpOptions, ProjectAction, ToolAction,
};
use ask::Engine;
use clap::{CommandFactory, Parser};
use data_encoding::BASE64;
use out::Output;
use render::View;
use session_roam_core::api::{
    self, ApiError, Check, Device, Doctor, ExportFormat, Request, SessionFilter, Side, Status,
};
use session_roam_core::daemon;
use session_roam_core::session::{ProblemCode, Remedy};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// The result of a command.
type Outcome = Result<Output, ApiError>;

fn main() -> ExitCode {
    session_roam_core::memory::hold_little();
    // clap exits with 2 on wrong usage and 0 after --help.
    let args = Args::parse();
    let json = args.json;
    match dispatch(args).and_then(|output| out::print(&output, json)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            out::print_error(&error, json);
            ExitCode::FAILURE
        }
    }
}

fn dispatch(args: Args) -> Outcome {
    if let Command::Completions { shell } = args.command {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut Args::command(), "roam", &mut script);
        return Ok(Output::Raw(script));
    }
    let said = said_home(args.home.as_deref())?;
    let home = home(args.home)?;
    match args.command {
        Command::Mcp(what) => return mcp(what, &home, said.as_deref()),
        Command::Acp => return acp::serve(&home),
        _ => {}
    }
    if let Command::Run = args.command {
        return run::run(&home, args.json);
    }
    if let Command::Device { new_identity: true } = args.command {
        let done = daemon::identity::new_identity(&home)?;
        return ask::Answer::of(&done).show(ask::done);
    }
    if let Command::Import { paths } = &args.command {
        return import::import(paths, &home, args.json);
    }
    let mut engine = Engine::at(&home);
    let view = View::here();
    match args.command {
        Command::Run
        | Command::Completions { .. }
        | Command::Import { .. }
        | Command::Mcp(_)
        | Command::Acp => unreachable!("dispatched above"),
        Command::Status => status(&mut engine, &view),
        Command::Doctor { timing: true, .. } => engine
            .ask(&Request::Timing)?
            .show(|timing| render::status::timing(&timing, &view)),
        Command::Doctor { take_in: true, .. } => engine
            .ask(&Request::TakeIn)?
            .show(|taken| render::copies::taken_in(&taken, &view)),
        Command::Doctor { .. } => doctor(&mut engine, &view),
        Command::Device { .. } => with_addresses(&mut engine)?
            .show(|device: Device| render::devices::this_device(&device)),
        Command::Devices => engine
            .ask(&Request::Devices)?
            .show(|devices| render::devices::devices(&devices, &view)),
        Command::Pair(what) => pair::pair(&mut engine, what),
        Command::Rename { names } => rename(&mut engine, names),
        Command::Approve { id } => engine.done(&Request::Approve { id }),
        Command::Revoke { id, since, yes } => revoke::revoke(&mut engine, id, since, yes),
        Command::Follow { id, stop } => engine.done(&Request::Follow { id, on: !stop }),
        Command::Unpair { id } => engine.done(&Request::Unpair { id }),
        Command::Tools { action: None } => {
            resume::tell_stores(&mut engine);
            engine
                .ask(&Request::Tools)?
                .show(|rows: Vec<_>| render::tables::tools(&rows, &view))
        }
        Command::Tools {
            action: Some(action),
        } => {
            let (tool, store, on) = match action {
                ToolAction::On { tool, store } => (tool, store, true),
                ToolAction::Off { tool, store } => (tool, store, false),
            };
            match store {
                Some(dir) => engine.done(&Request::StoreSwitch {
                    tool,
                    dir: absolute(&dir)?,
                    on,
                }),
                None => engine.done(&Request::ToolSwitch { tool, on }),
            }
        }
        Command::Projects { action: None } => engine
            .ask(&Request::Projects)?
            .show(|rows: Vec<_>| render::tables::projects(&rows, &view)),
        Command::Projects {
            action: Some(ProjectAction::Map { what }),
        } => {
            let (key, dir) = match what.as_slice() {
                [key, dir, ..] => (key.clone(), Path::new(dir)),
                rest => (String::new(), rest.first().map_or(Path::new(""), Path::new)),
            };
            engine.done(&Request::ProjectMap {
                key,
                dir: absolute(dir)?,
            })
        }
        Command::Projects {
            action: Some(ProjectAction::Exclude { key, off }),
        } => engine.done(&Request::ProjectExclude {
            key,
            excluded: !off,
        }),
        Command::Apps { action: None } => engine
            .ask(&Request::Apps)?
            .show(|rows: Vec<_>| render::tables::apps(&rows, &view)),
        Command::Apps {
            action: Some(action),
        } => engine.done(&match action {
            AppAction::Allow { app } => Request::AppAllow { app },
            AppAction::Deny { app } => Request::AppDeny { app },
            AppAction::Remove { app } => Request::AppRemove { app },
        }),
        Command::Sessions {
            tool,
            project,
            device,
            limit,
            after,
        } => {
            let filter = SessionFilter {
                tool,
                project,
                device,
                limit,
                newest_of_others: None,
                after,
            };
            let filtered = filter != SessionFilter::default();
            let answer = engine.ask(&Request::Sessions { filter })?;
            answer.show(|rows: Vec<_>| render::tables::sessions(&rows, filtered, &view))
        }
        Command::Search { words, limit } => {
            // The last word is complete, unlike in a window's field.
            let words = words.join(" ") + " ";
            let devices = None;
            let answer = engine.ask(&Request::Search {
                words,
                limit,
                devices,
            })?;
            answer.show(|found| render::search::found(&found, &view))
        }
        Command::Show {
            session,
            message: Some(message),
            part,
            ..
        } => part_of(&mut engine, session, message, part),
        Command::Show {
            session,
            from,
            rows,
            ..
        } => {
            // `--from` without a number of rows means all further rows.
            let rows = rows.or((from > 0).then_some(u64::MAX));
            let answer = engine.ask(&Request::Show {
                session,
                from,
                rows,
            })?;
            answer.show(|shown| render::session::shown(&shown, &view))
        }
        Command::Resume {
            session,
            print,
            with_code,
            without_code,
        } => {
            let asked = code::Wish::of(with_code, without_code);
            resume::resume(&mut engine, session, print || args.json, asked)
        }
        Command::Fork {
            session,
            at,
            with_code,
        } => {
            let dir = match with_code {
                true => Some(code::of_moment(&mut engine, &session, at)?),
                false => {
                    code::say_of_moment(&mut engine, &session, at);
                    None
                }
            };
            engine
                .ask(&Request::Fork { session, at, dir })?
                .show(|forked| render::session::forked(&forked))
        }
        Command::Code { action } => match action {
            None | Some(CodeAction::Status) => engine
                .ask(&Request::CodeStatus)?
                .show(|status| render::code::status(&status)),
            Some(CodeAction::On { project }) => {
                engine.done(&Request::CodeSwitch { project, on: true })
            }
            Some(CodeAction::Off { project, forget }) => {
                let off = Request::CodeSwitch {
                    project: project.clone(),
                    on: false,
                };
                let switched = engine.done(&off)?;
                match forget {
                    true => engine.done(&Request::CodeForget { project }),
                    false => Ok(switched),
                }
            }
        },
        Command::Splits => engine
            .ask(&Request::Splits)?
            .show(|rows: Vec<_>| render::session::splits(&rows, &view)),
        Command::Resolve {
            session,
            choice,
            branch,
            beside,
            active,
        } => {
            let active = active.map(|side| match side {
                Active::Left => Side::Left,
                Active::Right => Side::Right,
            });
            engine.done(&Request::Resolve {
                session,
                choice: choice.name(),
                branch,
                beside,
                active,
            })
        }
        Command::Undo {
            session: Some(session),
            set_aside: true,
        } => engine.done(&Request::UndoSettingAside { session }),
        Command::Undo { session, .. } => engine.done(&Request::Undo { session }),
        Command::Diff {
            session,
            branch,
            beside,
            from,
            rows,
        } => {
            let request = Request::Diff {
                session,
                branch,
                from,
                rows,
                choices: from == 0,
                beside,
                bodies: false,
            };
            engine
                .ask(&request)?
                .show(|diff| render::diff::diff(&diff, &view))
        }
        Command::Plan => engine
            .ask(&Request::Plan)?
            .show(|rows: Vec<_>| render::tables::plan(&rows, &view)),
        Command::History { session } => engine
            .ask(&Request::History { session })?
            .show(|rows: Vec<_>| render::tables::history(&rows, &view)),
        Command::Export {
            session,
            format,
            named_format,
            out,
        } => {
            let format = format.or(named_format).unwrap_or(args::Format::Markdown);
            export(&mut engine, session, format.into(), out)
        }
        Command::Journal { session } => engine
            .ask(&Request::Journal { session })?
            .show(|rows: Vec<_>| render::tables::journal(&rows, &view)),
        Command::Restore { session } => engine.done(&Request::Restore { session }),
        Command::Forget { list: true, .. } => forget::list(&mut engine, &view),
        Command::Forget { session, yes, .. } => {
            forget::forget(&mut engine, session.unwrap_or_default(), yes, &view)
        }
        Command::Release { what } => engine.done(&Request::Release { what }),
        Command::Pause { lasts } => {
            let end = |lasts| jiff::Timestamp::now().checked_add(lasts).ok();
            let until = lasts.and_then(end).map(|end| end.to_string());
            engine.done(&Request::Pause { until })
        }
        Command::Continue => engine.done(&Request::Continue),
        Command::Stop => engine.done(&Request::Stop),
    }
}

fn home(chosen: Option<PathBuf>) -> Result<PathBuf, ApiError> {
    let home = chosen
        .or_else(|| daemon::home::home(daemon::home::Os::here(), |name| std::env::var_os(name)));
    absolute(&home.ok_or_else(|| {
        ApiError::new(
            ProblemCode::NoHome,
            "This user's home directory is not known.",
            "Set SESSION_ROAM_HOME to one of your directories.",
        )
    })?)
}

/// The home as the user named it, by argument or variable.
fn said_home(argument: Option<&Path>) -> Result<Option<PathBuf>, ApiError> {
    let variable = || std::env::var_os("SESSION_ROAM_HOME").filter(|dir| !dir.is_empty());
    let said = argument
        .map(Path::to_owned)
        .or_else(|| variable().map(PathBuf::from));
    said.map(|dir| absolute(&dir)).transpose()
}

fn mcp(what: args::Mcp, home: &Path, said: Option<&Path>) -> Outcome {
    let options = |options: McpOptions| mcp::Options {
        only_own: options.only_own,
        devices: options.device,
        allow_write: options.allow_write,
    };
    match what.action {
        None => mcp::serve(home, &options(what.options)),
        Some(McpAction::Install {
            client,
            options: chosen,
            yes,
        }) => mcp::install::install(
            &client,
            &mcp::install::Line::of(said, &options(chosen))?,
            yes,
        ),
    }
}

/// The engine may run in another directory, so it gets absolute paths.
fn absolute(path: &Path) -> Result<PathBuf, ApiError> {
    std::path::absolute(path).map_err(|error| {
        ApiError::new(
            ProblemCode::BadPath,
            format!("{} is not usable: {error}.", path.display()),
            "Give an absolute path.",
        )
    })
}

/// This device, as soon as its addresses are known: a code without addresses only works on the same
/// network.
fn with_addresses(engine: &mut Engine) -> Result<ask::Answer, ApiError> {
    const AGAIN: Duration = Duration::from_millis(200);
    const MOST: u32 = 50;
    for _ in 1..MOST {
        let answer = engine.ask(&Request::Device)?;
        if answer
            .as_type::<Device>()
            .is_ok_and(|device| !device.addresses.is_empty())
        {
            return Ok(answer);
        }
        std::thread::sleep(AGAIN);
    }
    engine.ask(&Request::Device)
}

/// A stopped engine is an answer here, not a failure.
fn status(engine: &mut Engine, view: &View) -> Outcome {
    let (answer, devices) = match engine.ask(&Request::Status) {
        Err(error) if error.code == ProblemCode::EngineNotRunning => {
            let syncthing = api::SyncthingStatus {
                state: session_roam_core::api::SyncthingState::Stopped,
                ..Default::default()
            };
            (
                ask::Answer::of(&Status {
                    engine: session_roam_core::api::EngineState::Stopped,
                    syncthing,
                    ..Status::default()
                }),
                api::Devices::default(),
            )
        }
        // The sentence names the devices; status only counts them.
        other => (other?, engine.ask(&Request::Devices)?.as_type()?),
    };
    answer.show(|status: Status| render::status::status(&status, &devices, view))
}

fn doctor(engine: &mut Engine, view: &View) -> Outcome {
    let answer = match engine.ask(&Request::Doctor) {
        Err(error) if error.code == ProblemCode::EngineNotRunning => {
            let check = Check {
                name: "engine".into(),
                state: session_roam_core::api::CheckState::Problem,
                message: error.message,
                hint: error.hint,
                actions: error.actions,
            };
            ask::Answer::of(&Doctor {
                checks: vec![check],
                ..Doctor::default()
            })
        }
        other => other?,
    };
    answer.show(|doctor: Doctor| render::status::doctor(&doctor, view))
}

/// A device comes first: a session's id is hardly ever the name of one.
fn rename(engine: &mut Engine, mut names: Vec<String>) -> Outcome {
    let name = names.pop().unwrap_or_default();
    let Some(which) = names.pop() else {
        return engine.done(&Request::Rename { id: None, name });
    };
    let device = engine.ask(&Request::Rename {
        id: Some(which.clone()),
        name: name.clone(),
    });
    match device {
        Err(error) if error.code == ProblemCode::UnknownDevice => {
            engine.done(&Request::RenameSession {
                session: which,
                title: name,
            })
        }
        device => device?.show(ask::done),
    }
}

/// The text of a part, unchanged; for a picture its bytes, so that they can be written to a file.
fn part_of(engine: &mut Engine, session: String, message: u64, part: u64) -> Outcome {
    let answer = engine.ask(&Request::ShowPart {
        session: session.clone(),
        message,
        part,
    })?;
    let body: api::PartBody = answer.as_type()?;
    let bytes = match (&body.media, &body.data) {
        (Some(media), None) => {
            let message = format!(
                "An image of type {media} and {} bytes is not shown.",
                body.bytes
            );
            return Err(ApiError::new(ProblemCode::NoPart, message, "")
                .offer(Remedy::ExportSession { session }));
        }
        (_, Some(data)) => BASE64.decode(data.as_bytes()).map_err(|error| {
            let message = format!("The engine's answer is not base64: {error}.");
            ApiError::new(ProblemCode::Internal, message, "")
        })?,
        (None, None) => body.text.into_bytes(),
    };
    Ok(Output::Answer {
        json: answer.into_json(),
        bytes,
    })
}

/// Without `--out` the text itself is written to the output, byte for byte as in a file.
fn export(
    engine: &mut Engine,
    session: String,
    format: ExportFormat,
    dir: Option<PathBuf>,
) -> Outcome {
    let dir = dir.map(|dir| absolute(&dir)).transpose()?;
    let answer = engine.ask(&Request::Export {
        session,
        format,
        dir,
    })?;
    let exported: api::Exported = answer.as_type()?;
    Ok(match exported.text {
        Some(text) => Output::Answer {
            json: answer.into_json(),
            bytes: text.into_bytes(),
        },
        None => answer.show(|exported: api::Exported| {
            exported
                .files
                .iter()
                .map(|file| format!("{}\n", file.display()))
                .collect()
        })?,
    })
}
