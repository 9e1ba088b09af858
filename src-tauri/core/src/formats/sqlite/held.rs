//! For tests: another process that has a database open, with rows that are only in its log.

use rusqlite::Connection;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

const DATABASE: &str = "SESSION_ROAM_HOLDS_OPEN";
const STATEMENTS: &str = "SESSION_ROAM_HOLDS_SQL";

/// The other process. It runs until [`Held::end`].
pub struct Held {
    child: Child,
    /// Kept open, because the process writes to it.
    _said: BufReader<ChildStdout>,
}

/// Starts this test program as a process that executes `sql` and then holds the database open. What
/// it writes stays in the write-ahead log.
pub fn hold(path: &Path, sql: &str) -> Held {
    let mut child = Command::new(std::env::current_exe().expect("this program"))
        .args([
            "--exact",
            "--nocapture",
            "formats::sqlite::held::another_process_holds_a_database_open",
        ])
        .env(DATABASE, path)
        .env(STATEMENTS, sql)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("start");
    let mut said = BufReader::new(child.stdout.take().expect("piped"));
    let mut line = String::new();
    while !line.contains("holding") {
        line.clear();
        let read = said.read_line(&mut line).expect("read");
        assert_ne!(read, 0, "it ended before it held anything");
    }
    Held { child, _said: said }
}

impl Held {
    /// Ends the process as a crash would: nothing is moved into the main file.
    pub fn end(mut self) {
        let mut stdin = self.child.stdin.take().expect("piped");
        stdin.write_all(b"\n").expect("told");
        self.child.wait().expect("ended");
    }
}

/// The other process.
#[test]
#[allow(clippy::disallowed_methods)] // a test is a shell of its own
fn another_process_holds_a_database_open() {
    let (Ok(path), Ok(sql)) = (std::env::var(DATABASE), std::env::var(STATEMENTS)) else {
        return;
    };
    let connection = Connection::open(path).expect("open");
    let log = "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0;";
    let held = connection.execute_batch(&format!("{log}{sql}"));
    held.expect("write");
    println!("holding");
    std::io::stdin()
        .read_line(&mut String::new())
        .expect("told to end");
    std::process::exit(0);
}
