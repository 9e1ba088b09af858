//! The real window, driven through WebKitWebDriver: what a user sees, clicks and types. The driver
//! starts the tray app.

use super::{Desktop, PATIENCE};
use crate::isolation::wait_for;
use serde_json::{Value, json};
use std::net::TcpListener;
use std::process::{Child, Stdio};
use std::time::Duration;

/// The key under which WebDriver returns elements.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// Finds a control by its name: its text, its label or the text of its label. Exact matches come
/// before partial ones.
const FIND: &str = r#"
    const [selector, name] = arguments;
    const called = (one) => [one.getAttribute("aria-label"), one.innerText, one.placeholder, one.id && document.querySelector(`label[for="${one.id}"]`)?.innerText, one.closest("label")?.innerText]
        .filter(Boolean).map((text) => text.replace(/\s+/g, " ").trim());
    const seen = [...document.querySelectorAll(selector)].filter((one) => one.checkVisibility());
    return seen.find((one) => called(one).includes(name)) ?? seen.find((one) => called(one).some((text) => text.includes(name))) ?? null;
"#;

pub struct Browser {
    agent: ureq::Agent,
    session: String,
    driver: Child,
}

impl Browser {
    /// Starts the tray app of this desktop with its window open.
    pub fn open(desktop: &Desktop, words: &[&str]) -> Self {
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|free| free.local_addr())
            .expect("a free port")
            .port();
        let driver = desktop
            .command("WebKitWebDriver")
            .arg(format!("--port={port}"))
            .env("TAURI_WEBVIEW_AUTOMATION", "true")
            .stdout(desktop.log())
            .stderr(desktop.log())
            .stdin(Stdio::null())
            .spawn()
            .expect("WebKitWebDriver (webkit2gtk-driver)");
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE))
            .build();
        let mut browser = Self {
            agent: config.new_agent(),
            session: format!("http://127.0.0.1:{port}"),
            driver,
        };
        let wanted =
            json!({ "webkitgtk:browserOptions": { "binary": Desktop::binary(), "args": words } });
        let request = json!({ "capabilities": { "alwaysMatch": wanted } });
        let answer = wait_for("the driver and the window", PATIENCE, || {
            browser.try_ask("POST", "/session", &request)
        });
        let id = answer["sessionId"].as_str().expect("a session").to_owned();
        browser.session = format!("{}/session/{id}", browser.session);
        browser
    }

    pub fn click(&self, name: &str) {
        self.click_on(
            "button, a, summary, [role=button], input[type=checkbox], input[type=radio]",
            name,
        );
    }

    /// Finds the element and clicks on it; repeats both when the element is redrawn in between.
    pub fn click_on(&self, selector: &str, name: &str) {
        wait_for(&format!("a click on “{name}”"), PATIENCE, || {
            let element = self.find(selector, name)?;
            self.try_ask("POST", &format!("/element/{element}/click"), &json!({}))
        });
    }

    pub fn type_into(&self, name: &str, text: &str) {
        wait_for(&format!("typing into “{name}”"), PATIENCE, || {
            let element = self.find("input, textarea", name)?;
            self.try_ask(
                "POST",
                &format!("/element/{element}/value"),
                &json!({ "text": text }),
            )
        });
    }

    fn find(&self, selector: &str, name: &str) -> Result<String, String> {
        let found = self.run(FIND, json!([selector, name]))?;
        found[ELEMENT]
            .as_str()
            .map(str::to_owned)
            .ok_or_else(|| format!("not there. {}", self.text()))
    }

    /// All text that can be read in the window.
    pub fn text(&self) -> String {
        let text = self.run("return document.body?.innerText ?? ''", json!([]));
        text.map_or_else(
            |error| error,
            |text| text.as_str().unwrap_or_default().to_owned(),
        )
    }

    pub fn wait_text(&self, wanted: &str) -> String {
        wait_for(&format!("“{wanted}” in the window"), PATIENCE, || {
            let text = self.text();
            if text.contains(wanted) {
                Ok(text)
            } else {
                Err(text)
            }
        })
    }

    /// Waits until nothing is loading any more.
    pub fn settle(&self) {
        wait_for("everything to be loaded", PATIENCE, || {
            match self.run("return document.querySelector('.skeleton')", json!([]))? {
                Value::Null => Ok(()),
                _ => Err(self.text()),
            }
        });
    }

    /// The text of the first element that matches.
    pub fn read(&self, selector: &str) -> String {
        wait_for(&format!("{selector} in the window"), PATIENCE, || {
            let found = self.run(
                "return document.querySelector(arguments[0])?.innerText ?? null",
                json!([selector]),
            )?;
            found
                .as_str()
                .filter(|text| !text.is_empty())
                .map(str::to_owned)
                .ok_or_else(|| self.text())
        })
    }

    /// Runs a script in the page through the driver, to which the page's own policy does not apply.
    pub fn run(&self, script: &str, arguments: Value) -> Result<Value, String> {
        self.try_ask(
            "POST",
            "/execute/sync",
            &json!({ "script": script, "args": arguments }),
        )
    }

    /// Like `run`, but the script calls its last argument with the answer.
    pub fn run_async(&self, script: &str, arguments: Value) -> Result<Value, String> {
        self.try_ask(
            "POST",
            "/execute/async",
            &json!({ "script": script, "args": arguments }),
        )
    }

    fn try_ask(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        let url = format!("{}{path}", self.session);
        let answer = match method {
            "DELETE" => self.agent.delete(&url).call(),
            _ => self.agent.post(&url).send_json(body),
        };
        let mut answer = answer.map_err(|error| error.to_string())?;
        let value: Value = answer
            .body_mut()
            .read_json()
            .map_err(|error| error.to_string())?;
        match value["value"]["error"].as_str() {
            Some(error) => Err(format!("{error}: {}", value["value"]["message"])),
            None => Ok(value["value"].clone()),
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Also ends the app if the test did not.
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(Duration::from_secs(10)))
            .build();
        let _ = config.new_agent().delete(&self.session).call();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
