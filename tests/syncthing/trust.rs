//! What another user of the machine gets from the Syncthing child: nothing. Checked with real user
//! ids where the tests run as root, as in CI; elsewhere with the file modes on which the system
//! relies.

use super::{Device, binary, free_port, pair, wait_until};
use serde_json::json;
use session_roam_core::session::ProblemCode;
use session_roam_core::syncthing::{Notice, Transport};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Ends a program that a test started, whatever happens to the test.
pub struct Ends(pub Child);

impl Drop for Ends {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Does `work` with the rights of the user nobody; `None` where this process cannot become another
/// user. On Linux each thread has its own user, so no second program is needed.
#[cfg(target_os = "linux")]
fn as_nobody<T: Send>(work: impl FnOnce() -> T + Send) -> Option<T> {
    const NOBODY: libc::c_long = 65_534;
    std::thread::scope(|scope| {
        let attack = scope.spawn(|| {
            // SAFETY: plain system calls with numbers; they change only this thread, which ends
            // below.
            let became = unsafe {
                libc::syscall(libc::SYS_setgroups, 0, std::ptr::null::<libc::gid_t>()) == 0
                    && libc::syscall(libc::SYS_setresgid, NOBODY, NOBODY, NOBODY) == 0
                    && libc::syscall(libc::SYS_setresuid, NOBODY, NOBODY, NOBODY) == 0
            };
            // SAFETY: geteuid cannot fail.
            let root = unsafe { libc::geteuid() } == 0;
            (became && !root).then(work)
        });
        let gained = attack.join().expect("the attack ends");
        assert!(
            gained.is_some() || !may_change_user(),
            "root did not become another user"
        );
        gained
    })
}

#[cfg(not(target_os = "linux"))]
fn as_nobody<T: Send>(_work: impl FnOnce() -> T + Send) -> Option<T> {
    None
}

/// Whether this is root, and not only root of a namespace that has no other user.
#[cfg(target_os = "linux")]
fn may_change_user() -> bool {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let users: u64 = map
        .split_whitespace()
        .nth(2)
        .and_then(|count| count.parse().ok())
        .unwrap_or(0);
    // SAFETY: geteuid cannot fail.
    unsafe { libc::geteuid() == 0 && 65_534 < users }
}

/// The ports that a process listens on, found through its sockets.
#[cfg(target_os = "linux")]
fn listeners(pid: u32) -> Vec<u16> {
    let held = fs::read_dir(format!("/proc/{pid}/fd"))
        .expect("descriptors")
        .flatten();
    let held: Vec<String> = held
        .filter_map(|fd| {
            Some(
                fs::read_link(fd.path())
                    .ok()?
                    .to_string_lossy()
                    .into_owned(),
            )
        })
        .collect();
    let mut ports = Vec::new();
    for table in ["tcp", "tcp6"] {
        let text = fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default();
        for fields in text
            .lines()
            .skip(1)
            .map(|line| line.split_whitespace().collect::<Vec<_>>())
        {
            if fields[3] == "0A" && held.contains(&format!("socket:[{}]", fields[9])) {
                let port = fields[1].rsplit(':').next().expect("a port");
                ports.push(u16::from_str_radix(port, 16).expect("a port"));
            }
        }
    }
    ports
}

#[cfg(not(target_os = "linux"))]
fn listeners(_pid: u32) -> Vec<u16> {
    Vec::new()
}

/// A server's response to a request for the path `path`.
fn ask(mut stream: impl Read + Write, path: &str, headers: &str) -> String {
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n");
    let mut answer = Vec::new();
    if stream.write_all(request.as_bytes()).is_ok() {
        let _ = stream.take(1024 * 1024).read_to_end(&mut answer);
    }
    String::from_utf8_lossy(&answer).into_owned()
}

fn dial(port: u16) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    Ok(stream)
}

/// What a stranger does with a port: requests the page, keeps the cookie and requests the config.
fn attack_port(port: u16) -> Vec<String> {
    let mut gained = Vec::new();
    let page = dial(port)
        .map(|stream| ask(stream, "/", ""))
        .unwrap_or_default();
    let cookies = page.lines().filter_map(|line| {
        line.split_once(": ")
            .filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie"))
    });
    let mut headers = String::new();
    for cookie in cookies.filter_map(|(_, value)| value.split(';').next()) {
        let (name, value) = cookie.split_once('=').unwrap_or((cookie, ""));
        headers.push_str(&format!("Cookie: {cookie}\r\nX-{name}: {value}\r\n"));
    }
    for path in [
        "/rest/system/config",
        "/rest/config/folders",
        "/rest/system/status",
    ] {
        let answer = dial(port)
            .map(|stream| ask(stream, path, &headers))
            .unwrap_or_default();
        if answer.starts_with("HTTP/1.1 200") {
            gained.push(format!("{path} at port {port} with {headers:?}"));
        }
    }
    gained
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        .mode()
        & 0o777
}

fn reach(home: &Path) -> serde_json::Value {
    serde_json::from_slice(&fs::read(home.join("roam-child.json")).expect("how to reach it"))
        .expect("JSON")
}

/// F1: Syncthing's REST interface is full power over the user's files, and any local user got it
/// through the loopback port: the page gave out a cookie, and the cookie was the key.
#[test]
fn another_user_of_the_machine_gets_nothing_from_the_child() {
    let device = Device::start("desk");
    let pid = device.wait_up(0);
    let home = device.config.home.clone();
    // The home alone must keep others out, not the directory that contains the test.
    fs::set_permissions(device.dir.path(), fs::Permissions::from_mode(0o755)).expect("mode");
    let address = reach(&home)["address"]
        .as_str()
        .expect("an address")
        .to_owned();
    let sync_port: u16 = device
        .address()
        .rsplit(':')
        .next()
        .and_then(|port| port.parse().ok())
        .expect("a port");
    let ports = listeners(pid);

    let gained = as_nobody(|| {
        let mut gained: Vec<String> = ports.iter().flat_map(|port| attack_port(*port)).collect();
        let socket = PathBuf::from(address.trim_start_matches("unix:"));
        if UnixStream::connect(&socket).is_ok() {
            gained.push(format!("a connection to {}", socket.display()));
        }
        for name in ["config.xml", "roam-child.json", "key.pem", "rest.sock"] {
            if fs::metadata(home.join(name)).is_ok() {
                gained.push(format!("{name} of the home"));
            }
        }
        gained
    });
    assert_eq!(gained.unwrap_or_default(), Vec::<String>::new());

    let socket = Path::new(
        address
            .strip_prefix("unix:")
            .expect("REST listens on a Unix socket"),
    );
    assert!(
        ports.iter().all(|port| *port == sync_port),
        "{ports:?} instead of {sync_port} alone"
    );
    assert_eq!(
        (mode(&home), mode(socket.parent().expect("directory"))),
        (0o700, 0o700)
    );
    assert_eq!(
        mode(socket) & 0o077,
        0,
        "the socket alone would keep them out, too"
    );
    assert!(
        UnixStream::connect(socket).is_ok(),
        "its own user gets there"
    );
}

/// F1, where the system has no Unix sockets: config.xml holds a user with a password that nobody
/// knows, so that no cookie from a loopback port opens anything.
#[test]
fn a_loopback_port_is_of_no_use_to_another_user() {
    let device = Device::start("desk");
    device.wait_up(0);
    let (_dir, config) = (device.dir.clone(), device.config.clone());
    let key = reach(&config.home)["key"]
        .as_str()
        .expect("a key")
        .to_owned();
    drop(device);
    let xml = fs::read_to_string(config.home.join("config.xml")).expect("config.xml");
    let address = xml
        .split_once("<gui ")
        .and_then(|(_, gui)| gui.split_once("<address>")?.1.split_once('<'));
    let address = address.expect("an address").0.to_owned();
    let xml = xml.replace(
        &format!("<address>{address}</address>"),
        "<address>127.0.0.1:0</address>",
    );
    fs::write(config.home.join("config.xml"), xml).expect("config.xml");

    let port = free_port();
    let by_hand = Command::new(binary())
        .args([
            "serve",
            "--no-browser",
            "--no-restart",
            &format!("--gui-address=127.0.0.1:{port}"),
        ])
        .arg(format!("--home={}", config.home.display()))
        .envs([
            ("STMONITORED", "yes"),
            ("STNOUPGRADE", "1"),
            ("HOME", "/nonexistent"),
        ])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map(Ends)
        .expect("Syncthing starts");
    wait_until("it listens", || {
        TcpStream::connect(("127.0.0.1", port)).is_ok()
    });
    let key = format!("X-API-Key: {key}\r\n");
    let ours = dial(port)
        .map(|stream| ask(stream, "/rest/system/status", &key))
        .expect("an answer");
    assert!(ours.starts_with("HTTP/1.1 200"), "{ours}");
    assert_eq!(
        as_nobody(|| attack_port(port)).unwrap_or_else(|| attack_port(port)),
        Vec::<String>::new()
    );
    drop(by_hand);
}

/// A request of the child's own user with the key: the same as by anybody who obtained the key.
fn rest(home: &Path, method: &str, path: &str, body: &serde_json::Value) -> serde_json::Value {
    let reach = reach(home);
    let (address, key) = (
        reach["address"].as_str().expect("an address"),
        reach["key"].as_str().expect("a key"),
    );
    let mut stream = UnixStream::connect(address.trim_start_matches("unix:")).expect("the socket");
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.0\r\nHost: localhost\r\nX-API-Key: {key}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("HTTP");
    assert!(head.contains(" 200 "), "{method} {path}: {answer}");
    serde_json::from_str(body).unwrap_or_default()
}

fn wait_foreign(device: &Device, from: usize, named: &[&str]) {
    let found = |notice: &Notice| match notice {
        Notice::Trouble {
            problem: Some(problem),
            ..
        } if problem.code == ProblemCode::SyncthingForeign => named
            .iter()
            .all(|name| problem.message.contains(name))
            .then_some(()),
        _ => None,
    };
    device
        .told
        .wait(&format!("{named:?} to be reported"), from, found);
}

fn is_clean(home: &Path) -> bool {
    let config = rest(home, "GET", "/rest/config", &serde_json::Value::Null);
    let text = config.to_string();
    config["options"]["maxSendKbps"] == 0
        && config["defaults"]["device"]["autoAcceptFolders"] == false
        && !text.contains("stranger")
        && !text.contains(STRANGER)
        && !text.contains("\"introducer\":true")
}

const STRANGER: &str = "P56IOI7-MZJNU2Y-IQGDREY-DM2MGTI-MGL3BXN-PQ6W5BM-TBBZ4TJ-XZWICQ2";

/// F1: somebody who still reaches the interface leaves nothing behind, and is reported at once.
#[test]
fn what_somebody_adds_to_the_running_child_is_removed_and_reported() {
    let (a, b) = (Device::start("desk"), Device::start("lap"));
    a.wait_up(0);
    b.wait_up(0);
    pair(&a, &b);
    let home = a.config.home.clone();
    let secret = a.dir.path().join("stranger");
    fs::create_dir_all(&secret).expect("directory");
    fs::write(secret.join("id_ed25519"), "secret").expect("file");
    let from = a.told.len();
    rest(
        &home,
        "POST",
        "/rest/config/folders",
        &json!({ "id": "stranger", "path": secret }),
    );
    rest(
        &home,
        "POST",
        "/rest/config/devices",
        &json!({ "deviceID": STRANGER, "name": "stranger" }),
    );
    rest(
        &home,
        "PATCH",
        "/rest/config/options",
        &json!({ "maxSendKbps": 7 }),
    );
    rest(
        &home,
        "PATCH",
        &format!("/rest/config/devices/{}", b.id),
        &json!({ "introducer": true }),
    );
    rest(
        &home,
        "PATCH",
        "/rest/config/defaults/device",
        &json!({ "autoAcceptFolders": true }),
    );
    wait_foreign(
        &a,
        from,
        &[
            "folder stranger",
            STRANGER,
            "maxSendKbps",
            "introducer",
            "autoAcceptFolders",
        ],
    );
    wait_until("all of it is gone", || is_clean(&home));
    assert_eq!(
        fs::read_to_string(secret.join("id_ed25519")).expect("still there"),
        "secret"
    );

    let from = a.told.len();
    b.write_and_announce("after.jsonl", "it still works\n");
    a.wait_arrived(&b, "after.jsonl", from);
}

/// F1: nothing that was put into config.xml while the child was stopped survives its start.
#[test]
fn what_somebody_puts_into_a_stopped_childs_config_is_removed_and_reported() {
    let (a, b) = (Device::start("desk"), Device::start("lap"));
    a.wait_up(0);
    b.wait_up(0);
    pair(&a, &b);
    b.write_and_announce("before.jsonl", "one\n");
    a.wait_arrived(&b, "before.jsonl", 0);
    let (wanted, name, dir, config) = (
        a.wanted(&[&b], &[&a, &b]),
        a.name,
        a.dir.clone(),
        a.config.clone(),
    );
    drop(a);
    let path = config.home.join("config.xml");
    let planted = fs::read_to_string(&path).expect("config.xml").replace("<maxSendKbps>0<", "<maxSendKbps>7<").replace(
        "</configuration>",
        &format!(
            "    <folder id=\"stranger\" label=\"\" path=\"{0}/stranger\" type=\"sendonly\"></folder>\n    \
                 <device id=\"{STRANGER}\" name=\"stranger\"><address>dynamic</address></device>\n</configuration>",
            dir.path().display()
        ),
    );
    fs::write(&path, planted).expect("config.xml");
    let a = Device::start_with(name, dir, config);
    a.wait_up(0);
    wait_foreign(&a, 0, &["folder stranger", STRANGER]);
    assert!(is_clean(&a.config.home), "from the first moment on");
    a.transport.arrange(wanted);
    let from = a.told.len();
    b.write_and_announce("after.jsonl", "two\n");
    a.wait_arrived(&b, "after.jsonl", from);
}

#[test]
fn what_session_roam_made_itself_is_never_reported_as_foreign() {
    let (a, b) = (Device::start("desk"), Device::start("lap"));
    a.wait_up(0);
    b.wait_up(0);
    pair(&a, &b);
    let (name, dir, config) = (a.name, a.dir.clone(), a.config.clone());
    let mut told = vec![a.told.clone()];
    drop(a);
    let a = Device::start_with(name, dir, config);
    a.wait_up(0);
    pair(&a, &b);
    a.transport.resumed_from_sleep();
    a.transport.set_announced_name("study".into());
    a.transport.arrange(a.wanted(&[&b], &[&a]));
    let from = b.told.len();
    a.write_and_announce("after.jsonl", "two\n");
    b.wait_arrived(&a, "after.jsonl", from);
    a.transport.arrange(a.wanted(&[], &[&a]));
    wait_until("lap is gone", || {
        let devices = rest(
            &a.config.home,
            "GET",
            "/rest/config/devices",
            &serde_json::Value::Null,
        );
        devices.as_array().is_some_and(|devices| devices.len() == 1)
    });
    told.extend([a.told.clone(), b.told.clone()]);
    for told in told {
        let notices = told.notices.lock().expect("notices");
        let foreign = notices
            .iter()
            .find(|(_, notice)| format!("{notice:?}").contains("syncthing_foreign"));
        assert_eq!(foreign, None);
    }
}
