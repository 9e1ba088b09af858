//! The control socket: one JSON request a line, one JSON answer a line, `{"ok":…}` or `{"err":…}`.
//!
//! On Unix a socket file `<home>/roam.sock` (0600, in a private directory of the user's); if that
//! path is too long for the system, `<home>/roam.sock` is a symbolic link to a short one. On
//! Windows a named pipe that only its owner may open; `<home>/roam.sock` is a text file with its
//! path, which nobody can know before the engine has started. Does not interpret requests, and does
//! not prevent a second engine: the home's lock does.

use super::{ApiError, Request};
use crate::session::{ProblemCode, Remedy};
use interprocess::local_socket::{Listener, ListenerOptions, Stream, prelude::*};
use serde_json::{Value, json};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The longest request line. The longest legitimate request is an app's batch of entries, whose text is escaped twice.
const MAX_REQUEST: u64 = 24 * 1024 * 1024;
/// The most connections at once. The tray, a few terminals and a script need fewer than ten.
const MAX_CONNECTIONS: usize = 64;
/// How long [`Server::stop`] waits for answers that are being written.
const LAST_ANSWERS: Duration = Duration::from_secs(2);

/// Answers requests; called from many threads at once.
pub type Handler = Arc<dyn Fn(Request) -> Result<Value, ApiError> + Send + Sync>;

/// The listening end. Dropping it stops the server.
pub struct Server {
    shared: Arc<Shared>,
    home: std::path::PathBuf,
    accepting: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    handler: Handler,
    stopping: AtomicBool,
    connections: AtomicUsize,
    /// Accepted requests whose answer is not written yet.
    answering: AtomicUsize,
}

/// Listens on the socket of `home`, which must exist. The socket file of a dead engine is replaced;
/// one with a running engine is left alone and the error is `AddrInUse`.
pub fn serve(home: &Path, handler: Handler) -> io::Result<Server> {
    let listener = place::listen(home)?;
    let shared = Arc::new(Shared {
        handler,
        stopping: AtomicBool::new(false),
        connections: AtomicUsize::new(0),
        answering: AtomicUsize::new(0),
    });
    let accepting = std::thread::Builder::new()
        .name("roam-socket".into())
        .spawn({
            let shared = shared.clone();
            move || accept(&listener, &shared)
        })?;
    Ok(Server {
        shared,
        home: home.to_owned(),
        accepting: Mutex::new(Some(accepting)),
    })
}

impl Server {
    /// Accepts no more requests, finishes the answers being written (2 s at most) and removes the
    /// socket file. The second call does nothing. Not to be called from a handler, which would wait
    /// for itself.
    pub fn stop(&self) {
        let accepting = self
            .accepting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some(accepting) = accepting else { return };
        self.shared.stopping.store(true, Ordering::SeqCst);
        // `accept` has no time limit; a connection of our own wakes it. Otherwise the thread cannot
        // end.
        if place::connect(&self.home).is_ok() {
            let _ = accepting.join();
        }
        place::clear(&self.home);
        let until = Instant::now() + LAST_ANSWERS;
        while 0 < self.shared.answering.load(Ordering::SeqCst) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

fn accept(listener: &Listener, shared: &Arc<Shared>) {
    while !shared.stopping.load(Ordering::SeqCst) {
        match listener.accept() {
            Ok(_) if shared.stopping.load(Ordering::SeqCst) => return,
            Ok(stream) => serve_connection(stream, shared),
            // Usually out of file descriptors: others are released soon, and spinning would not
            // help.
            Err(_) => std::thread::sleep(Duration::from_millis(50)),
        }
    }
}

fn serve_connection(stream: Stream, shared: &Arc<Shared>) {
    if MAX_CONNECTIONS <= shared.connections.fetch_add(1, Ordering::SeqCst) {
        shared.connections.fetch_sub(1, Ordering::SeqCst);
        let busy = ApiError::new(
            ProblemCode::Busy,
            "Too many programs are connected to session-roam at once.",
            "Try again in a moment.",
        )
        .offer(Remedy::Retry);
        let _ = answer(&mut &stream, &Err(busy));
        return;
    }
    let thread = std::thread::Builder::new().name("roam-request".into());
    let started = thread.spawn({
        let shared = shared.clone();
        move || {
            // A broken connection is the client's concern, and visible to the client.
            let _ = converse(&stream, &shared);
            shared.connections.fetch_sub(1, Ordering::SeqCst);
        }
    });
    if started.is_err() {
        shared.connections.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Answers line after line until the client disconnects. An incomplete line is not a request.
fn converse(stream: &Stream, shared: &Shared) -> io::Result<()> {
    let mut lines = BufReader::new(stream);
    let mut line = Vec::new();
    loop {
        line.clear();
        (&mut lines)
            .take(MAX_REQUEST + 1)
            .read_until(b'\n', &mut line)?;
        if MAX_REQUEST < line.len() as u64 {
            let hint = format!("A request has at most {MAX_REQUEST} bytes.");
            return answer(
                &mut &*stream,
                &Err(ApiError::new(
                    ProblemCode::BadRequest,
                    "The request is too long.",
                    hint,
                )),
            );
        }
        if !line.ends_with(b"\n") {
            return Ok(());
        }
        if shared.stopping.load(Ordering::SeqCst) {
            return answer(&mut &*stream, &Err(not_running()));
        }
        shared.answering.fetch_add(1, Ordering::SeqCst);
        let answered = answer(&mut &*stream, &respond(&line, shared));
        shared.answering.fetch_sub(1, Ordering::SeqCst);
        answered?;
    }
}

fn respond(line: &[u8], shared: &Shared) -> Result<Value, ApiError> {
    let request = serde_json::from_slice(line).map_err(|error| {
        ApiError::new(
            ProblemCode::BadRequest,
            format!("session-roam does not know this request: {error}."),
            "The two programs may be of different versions: restart session-roam.",
        )
    })?;
    // A panic would leave the caller waiting for a line that never comes.
    std::panic::catch_unwind(AssertUnwindSafe(|| (shared.handler)(request))).unwrap_or_else(|_| {
        Err(ApiError::new(
            ProblemCode::Internal,
            "session-roam failed on this request.",
            "Please report it with the log file.",
        )
        .offer(Remedy::OpenLogs))
    })
}

fn answer(out: &mut impl Write, answer: &Result<Value, ApiError>) -> io::Result<()> {
    let mut line = serde_json::to_vec(&match answer {
        Ok(value) => json!({ "ok": value }),
        Err(error) => json!({ "err": error }),
    })?;
    line.push(b'\n');
    out.write_all(&line)
}

/// A connection to the engine of a home, for successive requests.
pub struct Client {
    stream: BufReader<Stream>,
}

impl Client {
    /// `engine_not_running` if there is no answer.
    pub fn connect(home: &Path) -> Result<Self, ApiError> {
        let stream = place::connect(home).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => not_running(),
            _ => ApiError::new(
                ProblemCode::EngineUnreachable,
                format!(
                    "Could not connect to session-roam on {}: {error}.",
                    home.display()
                ),
                "It answers only the user who started it.",
            ),
        })?;
        Ok(Self {
            stream: BufReader::new(stream),
        })
    }

    /// Sends a request and waits for its answer without a time limit.
    pub fn ask(&mut self, request: &Request) -> Result<Value, ApiError> {
        let mut line = serde_json::to_vec(request).map_err(|error| broken(&error))?;
        line.push(b'\n');
        self.stream
            .get_mut()
            .write_all(&line)
            .map_err(|error| broken(&error))?;
        line.clear();
        self.stream
            .read_until(b'\n', &mut line)
            .map_err(|error| broken(&error))?;
        if line.is_empty() {
            return Err(broken(&"it hung up"));
        }
        match serde_json::from_slice(&line).map_err(|error| broken(&error))? {
            Answer::Ok(value) => Ok(value),
            Answer::Err(error) => Err(error),
        }
    }
}

/// Sends one request to the engine of `home`.
pub fn call(home: &Path, request: &Request) -> Result<Value, ApiError> {
    Client::connect(home)?.ask(request)
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "lowercase")]
enum Answer {
    Ok(Value),
    Err(ApiError),
}

fn not_running() -> ApiError {
    ApiError::new(
        ProblemCode::EngineNotRunning,
        "session-roam is not running on this device.",
        "",
    )
    .offer(Remedy::StartEngine)
}

fn broken(error: &dyn std::fmt::Display) -> ApiError {
    ApiError::new(
        ProblemCode::EngineGone,
        format!("session-roam ended before it answered: {error}."),
        "",
    )
    .offer(Remedy::Retry)
    .offer(Remedy::OpenStatus)
}

/// Unix: a socket file.
#[cfg(unix)]
mod place {
    use super::*;
    use interprocess::local_socket::GenericFilePath;
    use std::fs;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
    use std::path::PathBuf;

    /// `sun_path` holds 104 bytes on macOS and the BSDs, 108 on Linux, with the final NUL.
    const LONGEST: usize = 100;

    pub fn listen(home: &Path) -> io::Result<Listener> {
        let entry = home.join("roam.sock");
        fs::set_permissions(home, fs::Permissions::from_mode(0o700))?;
        if connect(home).is_ok() {
            return Err(io::Error::new(
                io::ErrorKind::AddrInUse,
                format!("an engine answers at {}", entry.display()),
            ));
        }
        clear(home);
        let socket = if entry.as_os_str().as_bytes().len() <= LONGEST {
            entry.clone()
        } else {
            short(home)?
        };
        if socket != entry {
            let _ = fs::remove_file(&socket);
            std::os::unix::fs::symlink(&socket, &entry)?;
        }
        let name = socket.as_path().to_fs_name::<GenericFilePath>()?;
        let listener = ListenerOptions::new()
            .name(name)
            .reclaim_name(false)
            .create_sync()?;
        // Between the two calls the private directory keeps other users out.
        fs::set_permissions(&socket, fs::Permissions::from_mode(0o600))?;
        Ok(listener)
    }

    pub fn connect(home: &Path) -> io::Result<Stream> {
        let entry = home.join("roam.sock");
        let socket = match fs::read_link(&entry) {
            Ok(target) => {
                // Shared directories are cleaned up; another user may have put a socket where ours
                // was.
                check_private(target.parent().unwrap_or(Path::new("/")))?;
                target
            }
            Err(_) if entry.as_os_str().as_bytes().len() <= LONGEST => entry,
            Err(_) => return Err(io::ErrorKind::NotFound.into()),
        };
        Stream::connect(socket.as_path().to_fs_name::<GenericFilePath>()?)
    }

    /// Removes the socket file and the target of its link.
    pub fn clear(home: &Path) {
        let entry = home.join("roam.sock");
        if let Ok(target) = fs::read_link(&entry)
            && target
                .parent()
                .is_some_and(|dir| check_private(dir).is_ok())
        {
            let _ = fs::remove_file(target);
        }
        let _ = fs::remove_file(entry);
    }

    /// A short path for the socket of `home`, in a private directory of the user's.
    #[allow(clippy::disallowed_methods)] // both ends are on the same machine
    fn short(home: &Path) -> io::Result<PathBuf> {
        let whole = fs::canonicalize(home)?;
        let mut hash = crate::session::ids::name_hash("socket", &whole.to_string_lossy());
        hash.truncate(16);
        let base = std::env::var_os("XDG_RUNTIME_DIR")
            .map(PathBuf::from)
            .filter(|dir| {
                dir.is_absolute() && dir.is_dir() && dir.as_os_str().as_bytes().len() <= 60
            })
            .unwrap_or_else(std::env::temp_dir);
        // SAFETY: `geteuid` has no arguments, changes nothing and cannot fail.
        let dir = base.join(format!("session-roam-{}", unsafe { libc::geteuid() }));
        match fs::DirBuilder::new().mode(0o700).create(&dir) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => check_private(&dir)?,
        }
        Ok(dir.join(format!("{hash}.sock")))
    }

    fn check_private(dir: &Path) -> io::Result<()> {
        let facts = fs::symlink_metadata(dir)?;
        // SAFETY: as above.
        if facts.is_dir() && facts.uid() == unsafe { libc::geteuid() } && facts.mode() & 0o077 == 0
        {
            return Ok(());
        }
        Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!("{} is not this user's alone", dir.display()),
        ))
    }
}

/// Windows: a named pipe, which vanishes with its process.
#[cfg(windows)]
mod place {
    use super::*;
    use interprocess::local_socket::GenericNamespaced;
    use interprocess::os::windows::local_socket::ListenerOptionsExt;
    use interprocess::os::windows::security_descriptor::SecurityDescriptor;

    /// Full access for the pipe's owner and nobody else; `P` blocks inherited rights. Without this
    /// descriptor everyone may read a named pipe ("Named Pipe Security and Access Rights", Windows
    /// documentation).
    const OWNER_ONLY: &str = "D:P(A;;GA;;;OW)";

    /// The name is drawn by lot at each start: whoever could foresee it could make the pipe first,
    /// and would be taken for the engine. What a killed engine left is removed before that, as its
    /// name was visible to everybody.
    pub fn listen(home: &Path) -> io::Result<Listener> {
        clear(home);
        let mut lot = [0; 16];
        getrandom::fill(&mut lot).map_err(io::Error::other)?;
        let name = pipe_file::name(&lot);
        let descriptor = widestring::U16CString::from_str(OWNER_ONLY).map_err(io::Error::other)?;
        let listener = ListenerOptions::new()
            .name(name.as_str().to_ns_name::<GenericNamespaced>()?)
            .security_descriptor(SecurityDescriptor::deserialize(&descriptor)?)
            .create_sync()?;
        std::fs::write(home.join("roam.sock"), pipe_file::text(&name))?;
        Ok(listener)
    }

    pub fn connect(home: &Path) -> io::Result<Stream> {
        let mut text = String::new();
        let file = std::fs::File::open(home.join("roam.sock"))?;
        file.take(128).read_to_string(&mut text)?;
        let name = pipe_file::read(&text).ok_or(io::ErrorKind::InvalidData)?;
        Stream::connect(name.to_ns_name::<GenericNamespaced>()?)
    }

    pub fn clear(home: &Path) {
        let _ = std::fs::remove_file(home.join("roam.sock"));
    }
}

/// What `roam.sock` says on Windows: the path of the engine's pipe.
#[cfg(any(windows, test))]
mod pipe_file {
    const BEFORE: &str = r"\\.\pipe\";
    const OURS: &str = "session-roam-";

    /// The name of a pipe, drawn by this lot.
    pub fn name(lot: &[u8; 16]) -> String {
        format!("{OURS}{:032x}", u128::from_be_bytes(*lot))
    }

    pub fn text(name: &str) -> String {
        format!("{BEFORE}{name}")
    }

    /// The name that the file's text has, if it is one of ours.
    pub fn read(text: &str) -> Option<&str> {
        let name = text.strip_prefix(BEFORE)?;
        let lot = name.strip_prefix(OURS)?;
        (lot.len() == 32 && lot.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_has_another_name_each_time_and_only_such_names_are_connected_to() {
        let [one, other] = [pipe_file::name(&[0; 16]), pipe_file::name(&[7; 16])];
        assert_ne!(one, other);
        assert_eq!(pipe_file::read(&pipe_file::text(&one)), Some(one.as_str()));
        for strange in [
            r"\\.\pipe\another",
            r"\\host\pipe\session-roam-00000000000000000000000000000000",
            r"\\.\pipe\session-roam-0000000000000000000000000000000g",
            r"\\.\pipe\session-roam-0",
            "",
        ] {
            assert_eq!(pipe_file::read(strange), None, "{strange}");
        }
    }

    fn echo() -> Handler {
        Arc::new(|request| match request {
            Request::Show { session, .. } if session == "panic" => panic!("asked to"),
            Request::Show { session, .. } => {
                Err(ApiError::new(ProblemCode::UnknownSession, session, "")
                    .offer(Remedy::OpenSessions))
            }
            other => Ok(serde_json::to_value(other).expect("a request")),
        })
    }

    #[test]
    fn several_requests_travel_over_one_connection() {
        let home = tempfile::tempdir().expect("home");
        let server = serve(home.path(), echo()).expect("serve");
        let mut client = Client::connect(home.path()).expect("connect");
        assert_eq!(
            client.ask(&Request::Status).expect("answer"),
            json!({"cmd": "status"})
        );
        let error = client.ask(&Request::show("x\ny")).expect_err("an error");
        assert_eq!(
            (error.code.as_str(), error.message.as_str()),
            ("unknown_session", "x\ny")
        );
        assert_eq!(
            client.ask(&Request::Plan).expect("answer"),
            json!({"cmd": "plan"})
        );
        server.stop();
    }

    #[test]
    fn nobody_there_is_said_so_before_and_after() {
        let home = tempfile::tempdir().expect("home");
        let code = || {
            call(home.path(), &Request::Status)
                .expect_err("nobody")
                .code
                .as_str()
        };
        assert_eq!(code(), "engine_not_running");
        let server = serve(home.path(), echo()).expect("serve");
        call(home.path(), &Request::Status).expect("answer");
        server.stop();
        server.stop();
        assert_eq!(code(), "engine_not_running");
        assert_eq!(
            call(&home.path().join("none"), &Request::Status)
                .expect_err("no home")
                .code
                .as_str(),
            "engine_not_running"
        );
    }

    #[test]
    fn a_panicking_handler_answers_and_the_next_request_is_served() {
        let home = tempfile::tempdir().expect("home");
        let _server = serve(home.path(), echo()).expect("serve");
        let mut client = Client::connect(home.path()).expect("connect");
        assert_eq!(
            client
                .ask(&Request::show("panic"))
                .expect_err("panic")
                .code
                .as_str(),
            "internal"
        );
        client.ask(&Request::Status).expect("answer");
    }

    #[test]
    fn a_second_engine_is_refused_and_the_first_goes_on() {
        let home = tempfile::tempdir().expect("home");
        let _server = serve(home.path(), echo()).expect("serve");
        let second = serve(home.path(), echo()).err().expect("refused");
        #[cfg(unix)]
        assert_eq!(second.kind(), io::ErrorKind::AddrInUse);
        let _ = second;
        call(home.path(), &Request::Status).expect("answer");
    }

    #[cfg(unix)]
    mod unix {
        use super::*;
        use std::os::unix::fs::PermissionsExt;
        use std::os::unix::net::{UnixListener, UnixStream};

        fn raw(home: &Path, bytes: &[u8]) -> String {
            let mut stream = UnixStream::connect(home.join("roam.sock")).expect("connect");
            // The server may close the connection before it has read everything.
            let _ = stream.write_all(bytes);
            let mut line = String::new();
            let _ = BufReader::new(stream).read_line(&mut line);
            line
        }

        #[test]
        fn a_line_of_nonsense_or_a_huge_one_gets_an_answer() {
            let home = tempfile::tempdir().expect("home");
            let _server = serve(home.path(), echo()).expect("serve");
            for bytes in [&b"hello\n"[..], b"{\"cmd\":\"fly\"}\n", b"\xff\n"] {
                assert!(raw(home.path(), bytes).contains("\"bad_request\""));
            }
            assert!(raw(home.path(), &vec![b' '; MAX_REQUEST as usize + 1]).contains("too long"));
            call(home.path(), &Request::Status).expect("answer");
        }

        #[test]
        fn the_socket_is_the_users_alone_and_goes_with_the_engine() {
            let home = tempfile::tempdir().expect("home");
            let server = serve(home.path(), echo()).expect("serve");
            let mode = |path: &Path| {
                std::fs::metadata(path)
                    .expect("metadata")
                    .permissions()
                    .mode()
                    & 0o777
            };
            assert_eq!(mode(&home.path().join("roam.sock")), 0o600);
            assert_eq!(mode(home.path()), 0o700);
            drop(server);
            assert!(!home.path().join("roam.sock").exists());
        }

        #[test]
        fn the_socket_of_a_dead_engine_is_replaced() {
            let home = tempfile::tempdir().expect("home");
            // std leaves the file behind, like a killed engine.
            drop(UnixListener::bind(home.path().join("roam.sock")).expect("bind"));
            assert_eq!(
                call(home.path(), &Request::Status)
                    .expect_err("dead")
                    .code
                    .as_str(),
                "engine_not_running"
            );
            let _server = serve(home.path(), echo()).expect("serve");
            call(home.path(), &Request::Status).expect("answer");
        }

        #[test]
        fn a_home_with_a_long_path_works_too() {
            let root = tempfile::tempdir().expect("root");
            let home = root.path().join("a-rather-long-name".repeat(8));
            std::fs::create_dir(&home).expect("home");
            let server = serve(&home, echo()).expect("serve");
            let target = std::fs::read_link(home.join("roam.sock")).expect("a link");
            call(&home, &Request::Status).expect("answer");
            server.stop();
            assert!(!target.exists() && std::fs::symlink_metadata(home.join("roam.sock")).is_err());
        }

        #[test]
        fn more_connections_than_the_bound_are_told_and_places_come_back() {
            let home = tempfile::tempdir().expect("home");
            let _server = serve(home.path(), echo()).expect("serve");
            let mut held: Vec<_> = (0..MAX_CONNECTIONS)
                .map(|_| Client::connect(home.path()).expect("connect"))
                .collect();
            for client in &mut held {
                client.ask(&Request::Status).expect("answer");
            }
            assert_eq!(
                raw(home.path(), b"").trim().parse::<Value>().expect("json")["err"]["code"],
                "busy"
            );
            drop(held);
            let until = Instant::now() + Duration::from_secs(10);
            while call(home.path(), &Request::Status).is_err() {
                assert!(Instant::now() < until, "the places never came back");
            }
        }
    }
}
