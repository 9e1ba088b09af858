//! Follows the engine: reads its status and passes it to the window, the panel and the
//! notifications. Keeps nothing else.

use crate::App;
use crate::desktop::Shown;
use session_roam_core::api::{Request, SessionFilter};
use session_roam_core::settings;
use session_roam_tray::engine::Engine;
use session_roam_tray::link::ToWindow;
use session_roam_tray::menu;
use session_roam_tray::news::{Desk, NEWEST, News};
use session_roam_tray::sight::Sight;
use std::sync::Arc;
use std::time::Duration;

/// A window is watched; a menu is opened now and then, and actions in it show at once.
const PACE_SEEN: Duration = Duration::from_millis(400);
const PACE_UNSEEN: Duration = Duration::from_secs(2);

pub fn start(app: &Arc<App>) {
    let app = app.clone();
    std::thread::spawn(move || follow(&app));
}

fn follow(app: &Arc<App>) {
    let (mut desk, mut last) = (Desk::default(), Sight::default());
    loop {
        let sight = look(&app.engine, &last);
        if sight.status.without_clock() != last.status.without_clock() {
            app.windows.tell(ToWindow::Status {
                status: Box::new(sight.status.clone()),
            });
        }
        for news in desk.hear(&sight) {
            tell(app, &news);
        }
        let now = jiff::Zoned::now();
        let shown = Shown {
            items: menu::menu(&sight, &now),
            icon: menu::icon(&sight),
            tooltip: menu::tooltip(&sight, &now),
        };
        app.desktop.show(app, shown);
        last = sight;
        app.rest(match app.windows.is_open() {
            true => PACE_SEEN,
            false => PACE_UNSEEN,
        });
    }
}

/// Lists are requested only after a change, so that nothing is computed while nothing happens.
fn look(engine: &Engine, last: &Sight) -> Sight {
    let status = match engine.status() {
        Ok(status) => status,
        Err(error) => return Sight::unanswered(&error),
    };
    let is_new = last.is_stopped()
        || (status.happenings, status.splits) != (last.status.happenings, last.status.splits);
    let newest = Request::Sessions {
        filter: SessionFilter {
            newest_of_others: Some(NEWEST),
            ..SessionFilter::default()
        },
    };
    Sight {
        devices: engine
            .know(&Request::Devices)
            .unwrap_or_else(|_| last.devices.clone()),
        recent: if is_new {
            engine.know(&newest).unwrap_or_default()
        } else {
            last.recent.clone()
        },
        splits: match status.splits {
            0 => Vec::new(),
            _ if is_new => engine.know(&Request::Splits).unwrap_or_default(),
            _ => last.splits.clone(),
        },
        status,
    }
}

/// The window reports the news, too; if the window has the focus, only the window does.
fn tell(app: &Arc<App>, news: &News) {
    let settings = settings::load(app.engine.home());
    if settings.is_ok_and(|settings| !news.kind.is_wanted(&settings.notifications)) {
        return;
    }
    app.note(&format!("told: {}. {}", news.title, news.body));
    app.windows.tell(ToWindow::Notice {
        title: news.title.clone(),
        body: news.body.clone(),
    });
    if !app.windows.has_focus() {
        app.desktop.tell(app, news);
    }
}
