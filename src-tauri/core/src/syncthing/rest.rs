//! A small client for Syncthing's REST interface on a Unix socket or on loopback. Knows how to send
//! a request and what an answer's status means for the connection; interprets no answers.

use serde_json::Value;
use std::fmt::Write as _;
use std::time::Duration;

/// The prefix of a Unix socket address, here and in `roam-child.json`.
pub const SOCKET: &str = "unix:";

/// Ordinary requests are answered in milliseconds; no answer after this long means a stuck daemon.
const PATIENCE: Duration = Duration::from_secs(20);
/// A scan answers when it is done: the first scan of a large folder on a slow disk takes long.
const SCAN_PATIENCE: Duration = Duration::from_secs(600);
const MAX_ANSWER: u64 = 256 * 1024 * 1024;

/// One Syncthing's REST interface. Cheap to clone; clones share their connections.
#[derive(Clone, Debug)]
pub struct Rest {
    agent: ureq::Agent,
    base: String,
    key: String,
}

#[derive(Debug, thiserror::Error)]
pub enum RestError {
    /// Nobody listens, or the connection broke: worth a retry.
    #[error("Syncthing did not answer {path}")]
    Unreachable {
        path: String,
        #[source]
        source: ureq::Error,
    },
    /// Syncthing refused, in its own words.
    #[error("Syncthing answered {path} with {status}: {text}")]
    Refused {
        path: String,
        status: u16,
        text: String,
    },
    #[error("Syncthing's answer to {path} is not what was expected")]
    Answer {
        path: String,
        #[source]
        source: serde_json::Error,
    },
}

impl RestError {
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            Self::Unreachable { .. } | Self::Answer { .. } => None,
        }
    }
}

#[derive(Clone, Copy)]
enum Method {
    Get,
    Post,
    Patch,
    Delete,
}

impl Rest {
    /// `address` is `unix:/path`, `127.0.0.1:8384` or `http://127.0.0.1:8384`.
    pub fn new(address: &str, key: &str) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            // A proxy of the environment must never see requests that carry the key of a loopback
            // service.
            .proxy(None)
            .max_redirects(0)
            // Syncthing closes a connection 15 s after its last request.
            .max_idle_age(Duration::from_secs(8))
            .build();
        #[cfg(unix)]
        if let Some(path) = address.strip_prefix(SOCKET) {
            let agent = super::rest_socket::agent(config, path.into());
            return Self {
                agent,
                base: "http://localhost".into(),
                key: key.to_owned(),
            };
        }
        let address = address.trim_end_matches('/');
        let base = if address.contains("://") {
            address.to_owned()
        } else {
            format!("http://{address}")
        };
        Self {
            agent: config.into(),
            base,
            key: key.to_owned(),
        }
    }

    pub fn get(&self, path: &str) -> Result<Value, RestError> {
        self.json(Method::Get, path, None, PATIENCE)
    }

    /// A request that may stay open for `open` before Syncthing answers.
    pub fn get_long(&self, path: &str, open: Duration) -> Result<Value, RestError> {
        self.json(Method::Get, path, None, open + Duration::from_secs(15))
    }

    pub fn post(&self, path: &str, body: Option<&Value>) -> Result<(), RestError> {
        self.text(Method::Post, path, body, PATIENCE).map(drop)
    }

    pub fn patch(&self, path: &str, body: &Value) -> Result<(), RestError> {
        self.text(Method::Patch, path, Some(body), PATIENCE)
            .map(drop)
    }

    pub fn delete(&self, path: &str) -> Result<(), RestError> {
        self.text(Method::Delete, path, None, PATIENCE).map(drop)
    }

    /// Scans the given paths, or the whole folder without any; returns when the scan is done.
    pub fn scan(&self, folder: &str, paths: &[&str]) -> Result<(), RestError> {
        self.scan_within(folder, paths, SCAN_PATIENCE)
    }

    /// As [`Rest::scan`], and an error when it takes longer than `patience`.
    pub fn scan_within(
        &self,
        folder: &str,
        paths: &[&str],
        patience: Duration,
    ) -> Result<(), RestError> {
        let query = paths.iter().map(|path| ("sub", *path));
        let path = with_query(
            "/rest/db/scan",
            std::iter::once(("folder", folder)).chain(query),
        );
        self.text(Method::Post, &path, None, patience).map(drop)
    }

    /// Whether Syncthing answers and accepts our key.
    pub fn ping(&self, patience: Duration) -> Result<(), RestError> {
        self.text(Method::Get, "/rest/system/ping", None, patience)
            .map(drop)
    }

    fn json(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        patience: Duration,
    ) -> Result<Value, RestError> {
        let text = self.text(method, path, body, patience)?;
        serde_json::from_str(&text).map_err(|source| RestError::Answer {
            path: without_query(path),
            source,
        })
    }

    fn text(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        patience: Duration,
    ) -> Result<String, RestError> {
        let (status, text) = match self.send(method, path, body, patience) {
            // The daemon closed a kept connection at the very moment we used it. All our requests
            // may be repeated.
            Err(ureq::Error::Io(_)) => self.send(method, path, body, patience),
            answer => answer,
        }
        .map_err(|source| RestError::Unreachable {
            path: without_query(path),
            source,
        })?;
        if (200..300).contains(&status) {
            return Ok(text);
        }
        Err(RestError::Refused {
            path: without_query(path),
            status,
            text: text.trim().to_owned(),
        })
    }

    fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        patience: Duration,
    ) -> Result<(u16, String), ureq::Error> {
        let url = format!("{}{path}", self.base);
        let mut answer = match method {
            Method::Get => self.ready(self.agent.get(url), patience).call(),
            Method::Delete => self.ready(self.agent.delete(url), patience).call(),
            Method::Post => finish(self.ready(self.agent.post(url), patience), body),
            Method::Patch => finish(self.ready(self.agent.patch(url), patience), body),
        }?;
        let text = answer
            .body_mut()
            .with_config()
            .limit(MAX_ANSWER)
            .read_to_string()?;
        Ok((answer.status().as_u16(), text))
    }

    fn ready<B>(
        &self,
        request: ureq::RequestBuilder<B>,
        patience: Duration,
    ) -> ureq::RequestBuilder<B> {
        request
            .header("X-API-Key", &self.key)
            .config()
            .timeout_global(Some(patience))
            .build()
    }
}

fn finish(
    request: ureq::RequestBuilder<ureq::typestate::WithBody>,
    body: Option<&Value>,
) -> Result<ureq::http::Response<ureq::Body>, ureq::Error> {
    match body {
        Some(body) => request.send_json(body),
        None => request.send_empty(),
    }
}

/// `path?key=value&…`, all values percent-encoded.
pub fn with_query<'a>(path: &str, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut text = path.to_owned();
    for (key, value) in pairs {
        text.push(if text.contains('?') { '&' } else { '?' });
        text.push_str(key);
        text = with_escapes(&(text + "="), value, b"-._~");
    }
    text
}

/// Appends `value` to `start`, percent-encoding all but letters, digits and `plain`.
pub fn with_escapes(start: &str, value: &str, plain: &[u8]) -> String {
    let mut text = start.to_owned();
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || plain.contains(&byte) {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

/// Error texts name the call, not hundreds of file names.
fn without_query(path: &str) -> String {
    path.split('?').next().unwrap_or(path).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    /// Answers each connection with the next text and returns the requests.
    fn answer_with(answers: Vec<&'static str>) -> (String, std::thread::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
        let address = listener.local_addr().expect("address").to_string();
        let server = std::thread::spawn(move || {
            let mut asked = Vec::new();
            for answer in answers {
                let (mut stream, _) = listener.accept().expect("accept");
                let mut buffer = [0; 4096];
                let n_bytes = stream.read(&mut buffer).expect("read");
                asked.push(String::from_utf8_lossy(&buffer[..n_bytes]).into_owned());
                stream.write_all(answer.as_bytes()).expect("write");
            }
            asked
        });
        (address, server)
    }

    #[test]
    fn the_key_goes_along_and_values_are_encoded() {
        let (address, server) = answer_with(vec![
            "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        ]);
        Rest::new(&address, "secret")
            .scan("roam-live-X", &["a/b c", "ü"])
            .expect("scan");
        let asked = server.join().expect("server").remove(0);
        assert!(
            asked.starts_with(
                "POST /rest/db/scan?folder=roam-live-X&sub=a%2Fb%20c&sub=%C3%BC HTTP/1.1"
            ),
            "{asked}"
        );
        assert!(
            asked.to_lowercase().contains("x-api-key: secret"),
            "{asked}"
        );
    }

    #[test]
    fn a_refusal_keeps_its_status_and_syncthings_own_words() {
        let (address, _server) = answer_with(vec![
            "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 22\r\nconnection: close\r\n\r\nfolder marker missing\n",
        ]);
        let error = Rest::new(&address, "k").scan("f", &[]).expect_err("500");
        assert_eq!(error.status(), Some(500));
        assert_eq!(
            error.to_string(),
            "Syncthing answered /rest/db/scan with 500: folder marker missing"
        );
    }

    #[test]
    fn nobody_there_is_told_apart_from_a_refusal() {
        let free = TcpListener::bind("127.0.0.1:0")
            .expect("bind")
            .local_addr()
            .expect("address");
        let error = Rest::new(&free.to_string(), "k")
            .get("/rest/system/status")
            .expect_err("nobody");
        assert!(matches!(error, RestError::Unreachable { .. }) && error.status().is_none());
    }
}
