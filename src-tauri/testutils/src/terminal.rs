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

    /// Types a line. Text that arrives in one piece with its Enter counts as pasted, where Enter
    /// means a new line.
    pub fn enter(&mut self, line: &str) {
        self.press(line);
        sleep(Duration::from_millis(700));
        self.press("\r");
    }

    /// Leaves the tool as its user does, and waits until its process has ended.
    pub fn leave(mut self) {
        self.enter("/exit");
        let child = &mut self.child;
        wait_for(
            "the tool to leave its terminal after /exit",
            PATIENCE,
            || match child.try_wait() {
                Ok(Some(_)) => Ok(()),
                other => Err(format!("{other:?}")),
            },
        );
    }

    fn press(&mut self, keys: &str) {
        self.keyboard
            .write_all(keys.as_bytes())
            .and_then(|()| self.keyboard.flush())
            .expect("the terminal is open");
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

fn tail(text: &str) -> String {
    let skipped = text.chars().count().saturating_sub(1500);
    text.chars().skip(skipped).collect()
}
