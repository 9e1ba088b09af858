//! What a click in the menu or on a notification does. Never blocks: the click may come from an event loop.

use crate::{App, quit, window_process};
use session_roam_core::api::{CodeOffer, Request, Resume};
use session_roam_core::session::Millis;
use session_roam_tray::engine::Standing;
use session_roam_tray::menu::{Action, question};
use session_roam_tray::terminal;
use std::sync::Arc;

pub fn act(app: &Arc<App>, action: Action) {
    match action {
        Action::Open(place) => window_process::open(app, &place),
        Action::Compare(session) => window_process::compare(app, &session),
        Action::Resume(session) => resume(app, session),
        Action::Pause(pause) => {
            let until = pause.until(&jiff::Zoned::now()).map(Millis::rfc3339);
            ask(app, Request::Pause { until });
        }
        Action::Continue => ask(app, Request::Continue),
        Action::Start => start(app),
        Action::Quit => quit(app),
    }
}

/// One that runs and does not answer is started anew.
fn start(app: &Arc<App>) {
    let app = app.clone();
    std::thread::spawn(move || match app.engine.standing() {
        Standing::Ours => app.engine.restart(),
        _ => app.engine.start_again(),
    });
}

fn ask(app: &Arc<App>, request: Request) {
    let app = app.clone();
    std::thread::spawn(move || {
        if let Err(error) = app.engine.ask(&request) {
            app.note(&format!("{}: {} {}", error.code, error.message, error.hint));
        }
        app.look_again();
    });
}

/// Straight into the terminal if nothing is to be said or asked before; otherwise the window asks.
fn resume(app: &Arc<App>, session: String) {
    let app = app.clone();
    std::thread::spawn(move || {
        let engine = &app.engine;
        let how = engine.know::<Resume>(&Request::Resume {
            session: session.clone(),
        });
        let offer = engine.know::<CodeOffer>(&Request::CodeOffer {
            session: session.clone(),
            at: None,
        });
        let started = match (&how, &offer) {
            (Ok(how), Ok(offer)) if !terminal::asks_first(how, offer) => {
                terminal::start(how, engine.home()).is_ok()
            }
            _ => false,
        };
        if !started {
            window_process::open(&app, &question(&session));
        }
    });
}
