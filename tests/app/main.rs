//! The tray app itself, on a desktop of each test's own: the icon's menu is read and clicked over
//! D-Bus, notifications are received and clicked, the app is started a second time, and the real
//! window is driven through its own webview's driver. Two apps with real Syncthings go from pairing
//! to a resolved split.
//!
//! Needs on this machine: Xvfb, dbus-daemon, dunst, WebKitWebDriver, xwininfo, import, git,
//! syncthing, unshare, ip.

// Panels, buses and the driver are specific to Linux; the app is the same elsewhere.
#![cfg(target_os = "linux")]

mod drag;
mod dunst;
mod pictures;
mod sessions;
mod talk;

use dunst::Dunst;
use serde_json::json;
use session_roam_core::api::{Device, Devices, Request, SplitRow};
use session_roam_testutils::desktop::browser::Browser;
use session_roam_testutils::desktop::panel::Panel;
use session_roam_testutils::desktop::{Desktop, PATIENCE};
use session_roam_testutils::isolation::{alone, wait_for};
use sessions::{Checkout, Session};
use std::fs;

#[test]
fn the_menu_says_how_it_is_and_does_what_it_says() {
    alone(|| {
        let mut desktop = Desktop::new("desk").not_new();
        let panel = Panel::new(&desktop);
        desktop.start(&["--hidden"]);
        let menu = panel.wait_menu("No other device is paired");
        assert_eq!(
            menu,
            [
                "(No other device is paired)",
                "---",
                "Pair a device…",
                "---",
                "Open session-roam",
                "Search…",
                "Pause",
                "    For an hour",
                "    Until tomorrow",
                "    Until I continue",
                "Quit"
            ]
        );
        assert_eq!(desktop.windows(), [""; 0], "--hidden shows none");
        let idle = panel.icon();

        panel.click("For an hour");
        panel.wait_menu("(Paused until ");
        let status = desktop.status().expect("a status");
        assert!(status.paused_until.is_some());
        panel.click("Continue");
        panel.click("Until I continue");
        panel.wait_menu("(Paused)");
        assert_eq!(
            desktop.status().expect("a status").engine.as_str(),
            "paused"
        );
        assert_ne!(panel.icon(), idle, "the icon says it, too");
        assert_eq!(panel.tooltip().as_deref(), Ok("session-roam: Paused"));
        panel.click("Continue");
        panel.wait_menu("No other device is paired");
        assert_eq!(
            desktop.status().expect("a status").engine.as_str(),
            "running"
        );

        panel.click("Open session-roam");
        desktop.wait_windows(1);
        // A click right after the window is gone, before the toolkit has noticed, opens a window,
        // too.
        for _ in 0..8 {
            desktop.close_window();
            desktop.wait_windows(0);
            panel.click("Open session-roam");
            desktop.wait_windows(1);
        }
        panel.click("Quit");
        desktop.ended();
        assert!(desktop.status().is_err(), "the engine ended with it");
    });
}

#[test]
fn the_windows_have_a_process_of_their_own_that_neither_outlives_them_nor_the_tray() {
    alone(|| {
        let mut desktop = Desktop::new("desk").not_new();
        let panel = Panel::new(&desktop);
        desktop.start(&["--hidden"]);
        panel.wait_menu("Open session-roam");
        assert_eq!(desktop.window_process(), None, "none without a window");
        let opened = |but: Option<u32>| {
            panel.click("Open session-roam");
            desktop.wait_windows(1);
            let process = desktop.window_process().expect("a process");
            assert_ne!(Some(process), but);
            process
        };
        let gone = || {
            desktop.wait_windows(0);
            wait_for(
                "the process of the window to end",
                PATIENCE,
                || match desktop.window_process() {
                    None => Ok(()),
                    Some(process) => Err(format!("{process} runs")),
                },
            );
        };
        let first = opened(None);
        desktop.close_window();
        gone();
        let second = opened(Some(first));
        desktop.kill(second);
        gone();
        opened(Some(second));
        desktop.kill(desktop.pid());
        desktop.wait_windows(0);
    });
}

#[test]
fn an_engine_that_runs_already_is_used_and_left_running() {
    alone(|| {
        let mut desktop = Desktop::new("desk").not_new();
        let panel = Panel::new(&desktop);
        let other = session_roam_core::daemon::host::start(&desktop.roam_home)
            .expect("an engine as `roam run` starts it");
        desktop.start(&["--hidden"]);
        panel.click("Until I continue");
        panel.wait_menu("Paused");
        panel.click("Quit");
        desktop.ended();
        assert_eq!(
            desktop.status().expect("it still answers").engine.as_str(),
            "paused"
        );

        desktop.start(&["--hidden"]);
        panel.wait_menu("Paused");
        other.stop_handle().stop();
        other.wait().expect("it ends well");
        panel.click("Start again");
        panel.wait_menu("Paused");
        panel.click("Continue");
        panel.wait_menu("No other device is paired");
        panel.click("Quit");
        desktop.ended();
    });
}

#[test]
fn what_is_worth_telling_reaches_a_real_notification_daemon_and_a_click_on_it_opens_the_window() {
    alone(|| {
        let (mut desk, mut laptop) = (
            Desktop::new("desk").not_new(),
            Desktop::new("laptop").not_new(),
        );
        let here = Checkout::make(&desk.home.join("code/api"));
        let there = here.clone_to(&laptop.home.join("code/backend"));
        let (desk_panel, laptop_panel) = (Panel::new(&desk), Panel::new(&laptop));
        let (on_desk, on_laptop) = (Dunst::start(&desk), Dunst::start(&laptop));
        for desktop in [&mut desk, &mut laptop] {
            desktop.start(&["--hidden"]);
            desktop.wait_running();
        }
        desk_panel.wait_menu("No other device is paired");
        assert!(
            on_desk.all().is_empty(),
            "a start is no news: {:?}",
            on_desk.all()
        );

        let device = |desktop: &Desktop| desktop.ask::<Device>(&Request::Device).expect("a device");
        let _asked: serde_json::Value = laptop
            .ask(&Request::Pair {
                code: device(&desk).code,
            })
            .expect("it asks");
        on_desk.wait_shown();
        desk_panel.wait_menu("laptop has your code…");
        desk.picture("asked");
        on_desk.click();
        desk.wait_windows(1);
        assert_eq!(on_desk.all(), ["laptop has your code"], "told once");
        desk.close_window();
        desk.wait_windows(0);
        let _: serde_json::Value = desk
            .ask(&Request::Accept {
                id: device(&laptop).id,
                digits: None,
            })
            .expect("it is accepted");

        let session = Session::begin(&desk, &here, "Fix the login race", 4);
        let arrived = session.in_home(&laptop, &there);
        wait_same("the session to arrive", &session, &arrived);
        on_laptop.wait("Session from desk is ready");

        // The session is open in the tool here: new messages from the other device wait, and the
        // user is notified.
        let open = arrived.open_in_tool(&laptop);
        session.say("user", "And the tests?");
        on_laptop.wait("“Fix the login race” is waiting");
        fs::remove_file(open).expect("closed");
        wait_same("what waited", &session, &arrived);

        for panel in [&desk_panel, &laptop_panel] {
            panel.click("Until I continue");
            panel.wait_menu("Paused");
        }
        session.say("assistant", "On desk: a mutex around the token store.");
        arrived.say(
            "assistant",
            "On the laptop: a queue in front of the token store.",
        );
        for panel in [&desk_panel, &laptop_panel] {
            panel.click("Continue");
        }
        on_desk.wait("A session has two versions");
        on_laptop.wait("A session has two versions");
        for (panel, desktop) in [(&desk_panel, &mut desk), (&laptop_panel, &mut laptop)] {
            panel.click("Quit");
            desktop.ended();
        }
    });
}

#[test]
fn without_a_panel_the_window_opens_and_says_why() {
    alone(|| {
        let mut desktop = Desktop::new("desk").not_new();
        desktop.start(&["--hidden"]);
        desktop.wait_windows(1);
        let log = desktop.log_text();
        assert!(log.contains("shows no icons of programs"), "{log}");
        // A panel that starts later gets the icon, too.
        let panel = Panel::new(&desktop);
        panel.click("Quit");
        desktop.ended();
    });
}

/// Somebody clicks Quit and starts the app again before it has ended.
#[test]
fn a_start_while_the_app_quits_is_not_lost() {
    alone(|| {
        let mut desktop = Desktop::new("desk").not_new();
        let panel = Panel::new(&desktop);
        desktop.start(&["--hidden"]);
        panel.wait_menu("No other device is paired");
        panel.click("Quit");
        desktop.start_second(&["--hidden"]);
        desktop.ended();
        panel.wait_menu("No other device is paired");
        panel.click("Quit");
        wait_for("the engine to end", PATIENCE, || {
            desktop
                .status()
                .map_or(Ok(()), |status| Err(status.engine.to_string()))
        });
    });
}

#[test]
fn the_tray_loads_no_toolkit_and_ends_with_its_display() {
    alone(|| {
        let mut desktop = Desktop::new("desk").not_new();
        let panel = Panel::new(&desktop);
        desktop.start(&["--hidden"]);
        panel.wait_menu("No other device is paired");
        let loaded = fs::read_to_string(format!("/proc/{}/maps", desktop.pid())).expect("maps");
        for library in ["webkit", "javascriptcore", "libgtk", "libX11"] {
            assert!(!loaded.contains(library), "{library} is loaded: {loaded}");
        }
        desktop.end_display();
        desktop.ended();
        assert!(desktop.status().is_err(), "the engine ended with it");
        assert!(desktop.log_text().contains("ended"), "in good order");
    });
}

#[test]
fn without_a_display_it_says_what_to_do() {
    alone(|| {
        let desktop = Desktop::new("desk");
        for display in ["", ":4711"] {
            let ended = desktop
                .command(Desktop::binary())
                .env("DISPLAY", display)
                .output()
                .expect("it starts");
            let told = String::from_utf8_lossy(&ended.stderr).into_owned();
            let is_clear = told.contains("`roam run` runs the engine without one");
            assert!(!ended.status.success() && is_clear, "{display}: {told}");
        }
    });
}

#[test]
fn a_second_start_and_a_link_go_to_the_first() {
    alone(|| {
        let desktop = Desktop::new("desk").not_new();
        let panel = Panel::new(&desktop);
        let browser = Browser::open(&desktop, &[]);
        browser.wait_text("No other device is paired");
        desktop.start_second(&[]);
        assert_eq!(
            desktop.windows().len(),
            1,
            "one window, brought to the front"
        );
        let id = "ABCDEFG-ABCDEFG-ABCDEFG-ABCDEFG-ABCDEFG-ABCDEFG-ABCDEFG-ABCDEFG";
        desktop.start_second(&[&format!("session-roam://pair?id={id}&name=my%20laptop")]);
        let wanted = format!("session-roam://pair?id={id}&name=my%20laptop");
        wait_for("the code to be filled in", PATIENCE, || {
            let filled = browser.run(
                "return document.querySelector('#other-code')?.value ?? null",
                json!([]),
            )?;
            if filled == wanted.as_str() {
                Ok(())
            } else {
                Err(format!("{filled}. {}", browser.text()))
            }
        });
        desktop.picture("link");
        let devices: Devices = desktop.ask(&Request::Devices).expect("devices");
        assert!(devices.paired.is_empty(), "nothing was sent: {devices:?}");
        panel.click("Quit");
    });
}

#[test]
fn the_window_asks_the_shell_its_one_question_and_nothing_else() {
    alone(|| {
        let desktop = Desktop::new("desk");
        let _panel = Panel::new(&desktop);
        let browser = Browser::open(&desktop, &[]);
        browser.wait_text("Choose your tools");
        desktop.picture("first-run");

        let invoke = "const done = arguments[arguments.length - 1];
            window.__TAURI_INTERNALS__.invoke(arguments[0], arguments[1]).then((value) => done({ value }), (error) => done({ refused: String(error?.message ?? error) }));";
        for command in [
            "plugin:dialog|open",
            "plugin:opener|open_url",
            "plugin:event|emit",
            "plugin:window|close",
            "plugin:autostart|enable",
        ] {
            let answer = browser
                .run_async(invoke, json!([command, {}]))
                .expect("an answer");
            assert!(
                answer["refused"]
                    .as_str()
                    .is_some_and(|error| error.contains("not allowed")),
                "{command}: {answer}"
            );
        }
        // Answered at once: with a picture, or, without a camera, with a refusal that the page words.
        let capture = "const done = arguments[arguments.length - 1];
            navigator.mediaDevices.getUserMedia({ video: true }).then(() => done('a picture'), (error) => done(error.name));";
        let answer = browser.run_async(capture, json!([])).expect("an answer");
        assert!(
            ["a picture", "NotFoundError", "OverconstrainedError"]
                .iter()
                .any(|known| answer == *known),
            "{answer}"
        );
        let refused = browser.run_async(
            invoke,
            json!(["roam", { "request": { "cmd": "open_link", "url": "file:///etc/passwd" } }]),
        );
        assert!(
            refused
                .as_ref()
                .is_ok_and(|answer| answer["refused"] == "This is not the address of a web page."),
            "{refused:?}"
        );
        let refused = browser.run_async(
            invoke,
            json!(["roam", { "request": { "cmd": "open_path", "path": "/etc" } }]),
        );
        assert!(
            refused.as_ref().is_ok_and(|answer| answer["refused"]
                .as_str()
                .is_some_and(|error| error.contains("not one of"))),
            "{refused:?}"
        );

        // A file is imported because the user chose it, never because the page names it.
        let export = desktop.home.join("conversations.json");
        fs::write(&export, "[]").expect("written");
        let refused = browser.run_async(
            invoke,
            json!(["roam", { "request": { "cmd": "import", "paths": [export] } }]),
        );
        assert!(
            refused.as_ref().is_ok_and(|answer| answer["refused"]
                .as_str()
                .is_some_and(|error| error.contains("you choose or drop"))),
            "{refused:?}"
        );
        let status = desktop.status().expect("a status");
        assert_eq!(status.conversation_import, None);

        let switch = |name: &str| {
            let request = json!({ "request": { "cmd": "switch", "name": name, "on": true } });
            let answer = browser
                .run_async(invoke, json!(["roam", request]))
                .expect("an answer");
            assert_eq!(answer["value"]["done"], true, "{name}: {answer}");
        };
        switch("autostart");
        let entry = desktop.home.join(".config/autostart/session-roam.desktop");
        let entry = fs::read_to_string(entry).expect("a desktop file");
        assert!(entry.contains("--hidden"), "{entry}");
        switch("local_discovery");
        let config =
            fs::read_to_string(desktop.roam_home.join("config.toml")).expect("config.toml");
        assert!(config.contains("local_discovery = true"), "{config}");
        desktop.wait_running();

        let inline = "const script = document.createElement('script');
            script.textContent = 'window.injected = true'; document.body.append(script); script.remove();
            return [window.injected ?? null, typeof window.__TAURI__]";
        assert_eq!(
            browser.run(inline, json!([])).expect("a page"),
            json!([null, "undefined"])
        );
        let away = "location.href = 'https://example.org/'; return null";
        browser.run(away, json!([])).expect("a page");
        browser.wait_text("Choose your tools");
    });
}

#[test]
fn files_dropped_on_the_window_are_imported_and_a_picture_is_read_for_its_code() {
    alone(|| {
        let desktop = Desktop::new("desk").not_new();
        let panel = Panel::new(&desktop);
        let browser = Browser::open(&desktop, &[]);
        browser.wait_text("No other device is paired");
        desktop.wait_running();

        let talks = desktop.home.join("Gespräche 日本");
        fs::create_dir_all(&talks).expect("created");
        let talk = "# Cats\n\n## User\n\nName a cat.\n\n## Assistant\n\nMiso.\n";
        fs::write(talks.join("cats.md"), talk).expect("written");
        fs::write(talks.join("README.md"), "Words.").expect("written");
        let export = desktop.home.join("conversations.json");
        let conversation = json!([{ "uuid": "0b7c1d2e-3f40-4a51-9b62-c7d8e9fa0b1c", "name": "Name a dog",
            "updated_at": "2026-05-01T10:01:00Z", "chat_messages": [{ "uuid": "m1", "text": "hi",
            "sender": "human", "created_at": "2026-05-01T10:00:00Z" }] }]);
        fs::write(&export, conversation.to_string()).expect("written");

        drag::drop_files(&desktop, &[&talks, &export], || {
            browser.wait_text("Drop to import conversations");
            desktop.picture("dragged");
        });
        browser.wait_text("1 conversation of Markdown transcripts: 1 new");
        let text = browser.wait_text("1 conversation of Claude.ai: 1 new");
        assert!(text.contains("1 not imported"), "{text}");
        assert!(!text.contains("Drop to import"), "{text}");
        desktop.picture("imported");
        browser.click("Show sessions");
        browser.wait_text("Cats");
        browser.wait_text("Name a dog");
        browser.click("Dismiss");

        // What is no export is refused in words, and the page stays where it is.
        let holiday = desktop.home.join("holiday.zip");
        fs::write(&holiday, "PK nothing").expect("written");
        drag::drop_files(&desktop, &[&holiday], || ());
        browser.wait_text("is no zip archive that can be read");
        browser.click("Dismiss");

        // A picture of another device's code is read where devices are paired.
        wait_for("the code to be filled in", PATIENCE, || {
            browser.click_on("nav a", "Devices");
            browser.wait_text("addr=tcp://127.0.0.1");
            let code = browser.read(".code-text");
            // The screen may lag behind the page: such a picture has no code on it.
            desktop.picture("code");
            browser.click_on("nav a", "Overview");
            let picture = desktop.screenshot("code");
            drag::drop_files(&desktop, &[&picture], || {
                browser.wait_text("Drop to read a pairing code");
            });
            let filled = wait_for("the picture to be read", PATIENCE, || {
                let filled = browser.run(
                    "return document.querySelector('#other-code')?.value ?? null",
                    json!([]),
                )?;
                let is_refused = browser.text().contains("No QR code was found");
                match filled == code.as_str() || is_refused {
                    true => Ok(filled),
                    false => Err(format!("{filled}. {}", browser.text())),
                }
            });
            match filled == code.as_str() {
                true => Ok(()),
                false => Err(browser.text()),
            }
        });
        panel.click("Quit");
    });
}

#[test]
fn the_first_steps_are_gone_through_once_and_nothing_goes_wrong_in_the_page() {
    alone(|| {
        let mut desktop = Desktop::new("desk");
        let panel = Panel::new(&desktop);
        {
            let browser = Browser::open(&desktop, &[]);
            browser.wait_text("Choose your tools");
            let listen = "window.faults = []; addEventListener('error', (event) => faults.push(String(event.message)));
                addEventListener('unhandledrejection', (event) => faults.push(String(event.reason)));
                addEventListener('securitypolicyviolation', (event) => faults.push(event.violatedDirective + ' ' + event.blockedURI));
                for (const kind of ['error', 'warn']) { console[kind] = (...said) => faults.push(said.join(' ')); } return null";
            browser.run(listen, json!([])).expect("a page");
            browser.click("Continue");
            browser.click("Continue");
            desktop.picture("first-run-pair");
            browser.click("Finish");
            for view in [
                "Sessions", "Splits", "Devices", "Tools", "Projects", "Settings", "Overview",
            ] {
                browser.click_on("nav a", view);
                browser.settle();
                desktop.picture(&format!("view-{}", view.to_lowercase()));
            }
            assert_eq!(
                browser
                    .run("return window.faults", json!([]))
                    .expect("a page"),
                json!([])
            );
            panel.click("Quit");
            wait_for("the engine to end", PATIENCE, || {
                if desktop.status().is_err() {
                    Ok(())
                } else {
                    Err("runs".into())
                }
            });
        }
        desktop.start(&["--hidden"]);
        panel.click("Open session-roam");
        desktop.wait_windows(1);
        panel.click("Quit");
        desktop.ended();
    });
}

#[test]
fn from_the_first_steps_to_a_resumed_session_and_from_a_split_to_a_decision_and_back() {
    alone(|| {
        let (desk, laptop) = (Desktop::new("desk").not_new(), Desktop::new("laptop"));
        let here = Checkout::make(&desk.home.join("code/api"));
        let there = here.clone_to(&laptop.home.join("code/backend"));
        let (desk_panel, laptop_panel) = (Panel::new(&desk), Panel::new(&laptop));
        let terminal = laptop.put_terminal();
        let (on_desk, on_laptop) = (Browser::open(&desk, &[]), Browser::open(&laptop, &[]));
        desk.wait_running();
        laptop.wait_running();

        // Pairing: the code is read from one screen and typed into the other, whose first steps
        // lead there.
        on_laptop.wait_text("Choose your tools");
        laptop.picture("first-1-tools");
        on_laptop.click("Continue");
        on_laptop.wait_text("Only on my network");
        laptop.picture("first-2-reach");
        on_laptop.click("Continue");
        on_desk.click_on("nav a", "Devices");
        on_desk.wait_text("addr=tcp://127.0.0.1");
        let code = on_desk.read(".code-text");
        desk.picture("pairing-1-code");
        on_laptop.type_into("Code of the other device", &code);
        on_laptop.click_on("form.other-code button[type=submit]", "");
        laptop.picture("pairing-2-named");
        on_laptop.click("Pair with desk");
        on_desk.wait_text("laptop has this device's code");
        desk.picture("pairing-3-asked");
        laptop.picture("pairing-3-asked");
        on_desk.click("Accept");
        for (panel, other) in [(&desk_panel, "laptop"), (&laptop_panel, "desk")] {
            panel.wait_menu(&format!("Up to date with {other}"));
            panel.wait_menu(&format!("{other} · connected"));
        }
        desk.picture("pairing-4-paired");
        laptop.picture("pairing-4-paired");
        on_laptop.click("Finish");

        // A session syncs.
        let session = Session::begin(&desk, &here, "Fix the login race", 4);
        let arrived = session.in_home(&laptop, &there);
        wait_same("the session to arrive", &session, &arrived);
        on_laptop.click_on("nav a", "Sessions");
        on_laptop.wait_text("Fix the login race");
        laptop.picture("roaming-1-listed");
        // From the window and from the tray menu into the terminal, with the tool's own command,
        // in this device's checkout.
        let resumed = || {
            let ran = wait_for("the terminal", PATIENCE, || {
                fs::read_to_string(&terminal).map_err(|error| error.to_string())
            });
            let words: Vec<&str> = ran.lines().collect();
            assert_eq!(words[..4], [there.dir(), "-e", "/bin/sh", "-ic"], "{ran}");
            let told = format!("--resume {}", sessions::ID);
            assert!(words[4].contains(&told), "{ran}");
            fs::remove_file(&terminal).expect("it ran once");
        };
        on_laptop.click_on("[role=option]", "Fix the login race");
        on_laptop.click("Resume");
        on_laptop.wait_text("Ready to resume.");
        laptop.picture("roaming-2-resume");
        on_laptop.click_on("dialog .button.main", "");
        on_laptop.wait_text("Started in a terminal.");
        resumed();
        laptop_panel.click("“Fix the login race” · from desk");
        resumed();

        // Both devices continue while sync is paused.
        desk_panel.click("Until I continue");
        laptop_panel.click("Until I continue");
        desk_panel.wait_menu("Paused");
        laptop_panel.wait_menu("Paused");
        session.say("assistant", "On desk: a mutex around the token store.");
        arrived.say(
            "assistant",
            "On the laptop: a queue in front of the token store.",
        );
        let (left, right) = (session.bytes(), arrived.bytes());
        desk_panel.click("Continue");
        laptop_panel.click("Continue");
        let split = wait_for("the split to be seen on both", PATIENCE, || {
            let [here, there] =
                [&desk, &laptop].map(|desktop| desktop.ask::<Vec<SplitRow>>(&Request::Splits));
            match (here?.as_slice(), there?.as_slice()) {
                ([one], [other]) if one.branches.len() == 2 && other.branches.len() == 2 => {
                    Ok(one.clone())
                }
                (here, there) => Err(format!("{here:?} {there:?}")),
            }
        });
        desk_panel.wait_menu("Compare versions of “Fix the login race”…");
        // A window in the foreground shows the notice itself. The split opens in a window of its
        // own.
        on_laptop.wait_text("A session has two versions");
        laptop_panel.click("Compare versions of “Fix the login race”…");
        laptop.wait_windows(2);

        // Resolved by clicks: the version shown on the left of desk's screen stays.
        on_desk.click_on("nav a", "Splits");
        on_desk.click("Compare versions");
        on_desk.wait_text("a mutex around the token store");
        on_desk.wait_text("a queue in front of the token store");
        desk.picture("split-1-compared");
        let kept = if split.branches[0].device == "desk" {
            &left
        } else {
            &right
        };
        let [both_on_desk, both_on_laptop] = [&session, &arrived].map(|store| {
            wait_for("both versions in one store", PATIENCE, || {
                match store.store() {
                    names if names.len() == 2 => Ok(names),
                    names => Err(format!("{names:?}")),
                }
            })
        });
        on_desk.click_on("[data-choice=keep-left]", "");
        on_desk.read(".considered");
        desk.picture("split-2-considered");
        laptop.picture("split-2-window");
        on_desk.click_on(".considered button", "");
        let wait_splits = |wanted: u64| {
            for desktop in [&desk, &laptop] {
                let what = format!("{wanted} splits to decide on {}", desktop.name);
                wait_for(&what, PATIENCE, || match desktop.status()?.splits {
                    n_splits if n_splits == wanted => Ok(()),
                    n_splits => Err(format!("{n_splits} splits")),
                });
            }
        };
        let kept_everywhere = || {
            for (place, store) in [("desk", &session), ("the laptop", &arrived)] {
                wait_for(
                    &format!("the kept branch to be what {place}'s tool has, alone"),
                    PATIENCE,
                    || {
                        let names = store.store();
                        if store.bytes() == *kept && names.len() == 1 {
                            Ok(())
                        } else {
                            Err(format!("{names:?}"))
                        }
                    },
                );
            }
        };
        wait_splits(0);
        kept_everywhere();
        // Undone from the same view: both versions are in both stores again, under the names that
        // they had. Then it is decided in the same way once more.
        desk.picture("split-3-decided");
        on_desk.click_on(".decided button", "");
        wait_splits(1);
        for (place, store, before) in [
            ("desk", &session, &both_on_desk),
            ("the laptop", &arrived, &both_on_laptop),
        ] {
            let what = format!("both versions to be back in {place}'s store");
            wait_for(&what, PATIENCE, || match store.store() {
                names if names == *before => Ok(()),
                names => Err(format!("{names:?}, not {before:?}")),
            });
        }
        on_desk.wait_text("a mutex around the token store");
        desk.picture("split-4-undone");
        on_desk.click_on("[data-choice=keep-left]", "");
        on_desk.read(".considered");
        on_desk.click_on(".considered button", "");
        wait_splits(0);
        kept_everywhere();
        on_desk.click_on("nav a", "Overview");
        on_desk.wait_text("Up to date with laptop");
        desk.picture("split-5-resolved");
        laptop.picture("split-5-resolved");
        desk_panel.click("Quit");
        laptop_panel.click("Quit");
        for desktop in [&desk, &laptop] {
            wait_for("the engine to end", PATIENCE, || {
                if desktop.status().is_err() {
                    Ok(())
                } else {
                    Err("runs".into())
                }
            });
        }
    });
}

fn wait_same(what: &str, one: &Session, other: &Session) {
    wait_for(what, PATIENCE, || match other.try_bytes() {
        Some(bytes) if bytes == one.bytes() => Ok(()),
        other => Err(format!("{:?} bytes", other.map(|bytes| bytes.len()))),
    });
}
