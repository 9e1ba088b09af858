//! A tool in a terminal, as its user runs it: started with exactly the command that resumes it,
//! read and typed into.

use crate::device::{Device, Resume};
use crate::isolation::wait_for;
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(150);

/// How long an Enter may be without effect before it is pressed again.
const AGAIN: Duration = Duration::from_secs(8);

/// A running tool with a terminal of its own (made by `script`), and everything it drew there.
pub struct Terminal {
    child: Child,
    keyboard: ChildStdin,
    screen: PathBuf,
}

impl Terminal {
    pub fn open(device: &Device, resume: &Resume) -> Self {
        let screen = device.scratch().join(format!("{}.screen", device.name));
        let words: Vec<String> = resume
            .argv
            .iter()
            .map(|word| format!("'{}'", word.replace('\'', r"'\''")))
            .collect();
        // In a terminal without a size the tools draw nothing.
        let line = format!("stty cols 150 rows 45; exec {}", words.join(" "));
        let screen_name = screen.to_str().expect("a plain name");
        let mut command = device.command("script", &["-qefc", &line, screen_name]);
        command
            .current_dir(&resume.cwd)
            .envs(&resume.env)
            .stdin(Stdio::piped())
            .stdout(Stdio::null());
        for name in &resume.unset {
            command.env_remove(name);
        }
        let mut child = command.spawn().expect("script (util-linux) starts");
        let keyboard = child.stdin.take().expect("piped above");
        Self {
            child,
            keyboard,
            screen,
        }
    }

    /// Waits until `word`, which has no spaces, has been drawn and the tool has stopped drawing.
    pub fn wait_for(&self, word: &str) {
        wait_for(&format!("{word:?} on the screen"), PATIENCE, || {
            let before = self.drawn();
            sleep(Duration::from_millis(700));
            let done = before.contains(word) && before.len() == self.drawn().len();
            if done {
                Ok(())
            } else {
                Err(format!("drawn: {:?}", tail(&before)))
            }
        });
    }

    /// Types a line, and does what its user would until `ask` has an answer: on a busy machine a
    /// tool draws its prompt before it reads keys, and takes an Enter that it reads late as part of
    /// the text.
    pub fn enter<T>(
        &mut self,
        line: &str,
        what: &str,
        mut ask: impl FnMut() -> Result<T, String>,
    ) -> T {
        let (mut drawn, mut presses) = (self.type_line(line), 1);
        let begun = Instant::now();
        wait_for(what, PATIENCE, || {
            let answer = ask();
            if answer.is_err() && AGAIN * presses < begun.elapsed() {
                presses += 1;
                match self.drawn().len() == drawn {
                    true => drawn = self.type_line(line),
                    false => self.press("\r"),
                }
            }
            answer
        })
    }

    /// Returns how much was drawn before. Text that arrives in one piece with its Enter counts as
    /// pasted, where Enter means a new line.
    fn type_line(&mut self, line: &str) -> usize {
        let drawn = self.drawn().len();
        self.press(line);
        sleep(Duration::from_millis(700));
        self.press("\r");
        drawn
    }

    /// Leaves the tool as its user does, and waits until its process has ended.
    pub fn leave(mut self) {
        let pid = self.child.id();
        let has_ended = || {
            has_ended(pid)
                .then_some(())
                .ok_or_else(|| "it runs".to_owned())
        };
        self.enter(
            "/exit",
            "the tool to leave its terminal after /exit",
            has_ended,
        );
    }

    /// A tool that has ended reads nothing; what is awaited then shows it.
    fn press(&mut self, keys: &str) {
        let pressed = self.keyboard.write_all(keys.as_bytes());
        let _ = pressed.and_then(|()| self.keyboard.flush());
    }

    fn drawn(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.screen).unwrap_or_default()).into_owned()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(None)) {
            return;
        }
        // `script` passes the hang-up on to the tool; a tool that ignores it loses its terminal.
        let _ = Command::new("kill")
            .args(["-TERM", &self.child.id().to_string()])
            .status();
        let start = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) && start.elapsed() < Duration::from_secs(5)
        {
            sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether the process is gone, or waits only for its parent to take note.
fn has_ended(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat
        .rsplit_once(") ")
        .and_then(|(_, rest)| rest.chars().next());
    state.is_none_or(|state| state == 'Z')
}

fn tail(text: &str) -> String {
    let skipped = text.chars().count().saturating_sub(1500);
    text.chars().skip(skipped).collect()
}
