//! Every view of the real app, light and dark, with invented sessions of two devices, as pictures
//! in `target/screenshots/app`: for the README, and to check the effect of a change. Fails if a
//! view does not show its content.

use super::talk::{ON_LAPTOP, SESSIONS, SPLIT, Talk};
use serde_json::{Value, json};
use session_roam_core::api::Request;
use session_roam_testutils::desktop::browser::Browser;
use session_roam_testutils::desktop::panel::Panel;
use session_roam_testutils::desktop::{Desktop, PATIENCE, pair};
use session_roam_testutils::isolation::{alone, wait_for};
use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn every_view_shows_what_it_is_for_in_light_and_in_dark() {
    alone(|| {
        let (mut desk, laptop) = (
            Desktop::new("desk").not_new(),
            Desktop::new("laptop").not_new(),
        );
        let talks: Vec<Talk> = SESSIONS
            .iter()
            .enumerate()
            .map(|(idx, told)| Talk::begin(&desk, &laptop, idx, told))
            .collect();
        let panel = Panel::new(&laptop);
        desk.start(&["--hidden"]);
        for theme in ["light", "dark"] {
            choose_theme(&laptop.home, theme);
            let browser = Browser::open(&laptop, &[]);
            if theme == "light" {
                desk.wait_running();
                laptop.wait_running();
                pair_and_sync(&desk, &laptop);
                part_ways(&desk, &laptop, &talks[SPLIT]);
            }
            photograph(&browser, &laptop, theme);
            panel.click("Quit");
            wait_for("the engine to end", PATIENCE, || {
                laptop
                    .status()
                    .map_or(Ok(()), |status| Err(status.engine.to_string()))
            });
        }
    });
}

/// Sets the theme in the desktop's own settings; the page follows.
fn choose_theme(home: &Path, theme: &str) {
    let dir = home.join(".config/gtk-3.0");
    fs::create_dir_all(&dir).expect("a directory");
    let dark = u8::from(theme == "dark");
    let text =
        format!("[Settings]\ngtk-application-prefer-dark-theme={dark}\ngtk-theme-name=Adwaita\n");
    fs::write(dir.join("settings.ini"), text).expect("settings.ini");
}

fn pair_and_sync(desk: &Desktop, laptop: &Desktop) {
    pair(desk, laptop);
    wait_for("all sessions to be on laptop", PATIENCE, || {
        let all: Vec<Value> = laptop.ask(&Request::Sessions {
            filter: Default::default(),
        })?;
        if all.len() == SESSIONS.len() {
            Ok(())
        } else {
            Err(format!("{} sessions", all.len()))
        }
    });
}

/// Both devices continue one session while sync is paused.
fn part_ways(desk: &Desktop, laptop: &Desktop, talk: &Talk) {
    wait_for("the session to arrive", PATIENCE, || {
        match talk.is_same_on_both() {
            true => Ok(()),
            false => Err("it differs".into()),
        }
    });
    for desktop in [desk, laptop] {
        let _paused: Value = desktop
            .ask(&Request::Pause { until: None })
            .expect("it pauses");
    }
    talk.part();
    for desktop in [desk, laptop] {
        let _goes_on: Value = desktop.ask(&Request::Continue).expect("it goes on");
    }
    wait_for("the split to be seen", PATIENCE, || {
        match laptop.status()?.splits {
            1 => Ok(()),
            n_splits => Err(format!("{n_splits} splits")),
        }
    });
}

fn photograph(browser: &Browser, laptop: &Desktop, theme: &str) {
    let shot = |name: &str, wanted: &str| {
        browser.wait_text(wanted);
        // Notices of that time cover the view until the user dismisses them.
        let away = "document.querySelector('[aria-label=\"Dismiss\"]')?.click(); return null";
        browser.run(away, json!([])).expect("a page");
        picture(laptop, &format!("{name}-{theme}"));
    };
    let title = SESSIONS[SPLIT].title;
    browser.click_on("nav a", "Overview");
    browser.wait_text(title);
    shot("overview", "from desk, last 24 hours");
    browser.click_on("nav a", "Sessions");
    browser.click_on("[role=option], .row, li a, li button", SESSIONS[0].title);
    shot("sessions", SESSIONS[0].turns[3]);
    browser.click_on("nav a", "Splits");
    shot("splits", title);
    browser.click("Compare versions");
    shot("split", ON_LAPTOP);
    browser.click_on("nav a", "Devices");
    shot("devices", "desk");
    browser.click_on("nav a", "Tools");
    shot("tools", "Claude Code");
    browser.click_on("nav a", "Projects");
    shot("projects", "acme/web");
    browser.click_on("nav a", "Settings");
    shot("settings", "General");
}

/// The window alone, without the desktop.
fn picture(desktop: &Desktop, name: &str) {
    let dir: PathBuf = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .with_file_name("screenshots")
        .join("app");
    fs::create_dir_all(&dir).expect("a directory");
    let file = dir.join(format!("{name}.png"));
    // Two identical frames: the last click has been drawn.
    let mut last = Vec::new();
    let window = desktop.window_id().to_string();
    wait_for(&format!("{name} to hold still"), PATIENCE, || {
        let taken = desktop
            .command("import")
            .args(["-silent", "-window", &window])
            .arg(&file)
            .output();
        let taken = taken.expect("import (imagemagick)");
        assert!(
            taken.status.success(),
            "{name}: {}",
            String::from_utf8_lossy(&taken.stderr)
        );
        let now = fs::read(&file).expect("a picture");
        let is_same = now == last;
        last = now;
        if is_same {
            Ok(())
        } else {
            Err("it changes".into())
        }
    });
    let counted = desktop
        .command("identify")
        .args(["-format", "%k"])
        .arg(&file)
        .output()
        .expect("identify");
    let n_colours: u32 = String::from_utf8_lossy(&counted.stdout)
        .trim()
        .parse()
        .expect("a number");
    assert!(
        60 <= n_colours,
        "{name} is as good as empty: {n_colours} colours"
    );
}
