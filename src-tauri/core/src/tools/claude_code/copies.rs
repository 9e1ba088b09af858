//! The file copies for /rewind that a transcript names: of which of them the original is known, and
//! whether it is a secret.

use super::FoundDoc;
use super::recent::Recent;
use super::steering::tracked;
use crate::formats::guarded;
use crate::opener;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, Read, Seek};

#[derive(Default)]
pub(super) struct Copies {
    recent: Recent<SeenCopies>,
}

/// A transcript is read to its end once; later reads continue from there as long as it is among the
/// ones read last.
#[derive(Default)]
struct SeenCopies {
    inode: u64,
    read: u64,
    is_secret: IsSecret,
}

/// By the names of copies, whether they are copies of secrets.
pub(super) type IsSecret = BTreeMap<String, bool>;

impl Copies {
    /// Passes to `look` the copies that a transcript names.
    pub(super) fn named_in<T>(
        &self,
        main: &FoundDoc,
        look: impl FnOnce(&IsSecret) -> T,
    ) -> io::Result<T> {
        let before = self.recent.take(&main.path);
        let goes_on =
            |seen: &SeenCopies| seen.inode == main.stamp.inode && seen.read <= main.stamp.len;
        let mut seen = before.filter(goes_on).unwrap_or_else(|| SeenCopies {
            inode: main.stamp.inode,
            ..SeenCopies::default()
        });
        seen.read_on(opener::file(&main.path)?)?;
        let looked = look(&seen.is_secret);
        self.recent.put(&main.path, seen);
        Ok(looked)
    }
}

impl SeenCopies {
    fn read_on(&mut self, mut file: File) -> io::Result<()> {
        const MOST: u64 = 1 << 20;
        let end = file.seek(io::SeekFrom::End(0))?;
        file.seek(io::SeekFrom::Start(self.read))?;
        let ahead = end.saturating_sub(self.read).clamp(1, MOST) as usize;
        let mut reader = io::BufReader::with_capacity(ahead, file);
        let mut line = Vec::new();
        while let Some(read) = next_line(&mut reader, &mut line)? {
            self.read += read;
            for file in tracked(&line) {
                if let Some(copy) = file.copy {
                    *self.is_secret.entry(copy).or_default() |= guarded::is_secret(&file.path);
                }
            }
        }
        Ok(())
    }
}

/// Reads the next whole line and returns its length. A line longer than any that names copies is
/// dropped: copies whose original no line names stay on this device.
fn next_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<Option<u64>> {
    const LONGEST: u64 = 16 << 20;
    line.clear();
    let mut read = 0;
    loop {
        let more = reader.by_ref().take(LONGEST).read_until(b'\n', line)? as u64;
        read += more;
        if more == 0 {
            return Ok(None);
        }
        let is_whole = line.ends_with(b"\n");
        if LONGEST <= read {
            line.clear();
        }
        if is_whole {
            return Ok(Some(read));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::{DocKind, DocName};
    use crate::tools::Stamp;
    use std::io::Write;
    use std::path::Path;

    fn at(path: &Path) -> FoundDoc {
        FoundDoc {
            name: DocName::new("transcript.jsonl"),
            kind: DocKind::Log,
            place: String::new(),
            path: path.to_owned(),
            stamp: Stamp::of(path).expect("file"),
        }
    }

    fn named(path: &str, copy: &str) -> String {
        format!(r#"{{"trackedFileBackups":{{"{path}":{{"backupFileName":"{copy}"}}}}}}"#) + "\n"
    }

    fn found(copies: &Copies, path: &Path) -> Vec<(String, bool)> {
        let found = copies.named_in(&at(path), |known| known.clone().into_iter().collect());
        found.expect("read")
    }

    #[test]
    fn the_copies_of_a_transcript_are_the_same_after_many_others_were_read() {
        let dir = tempfile::tempdir().unwrap();
        let (copies, first) = (Copies::default(), dir.path().join("first.jsonl"));
        std::fs::write(&first, named("a.rs", "one@v1")).unwrap();
        assert_eq!(found(&copies, &first), [("one@v1".into(), false)]);
        for n in 0..100 {
            let path = dir.path().join(format!("{n}.jsonl"));
            std::fs::write(&path, named(".env", "two@v1")).unwrap();
            assert_eq!(found(&copies, &path), [("two@v1".into(), true)]);
        }
        assert!(copies.recent.take(&first).is_none());
        let mut more = std::fs::OpenOptions::new()
            .append(true)
            .open(&first)
            .unwrap();
        more.write_all(named(".env", "three@v1").as_bytes())
            .unwrap();
        let all = [("one@v1".into(), false), ("three@v1".into(), true)];
        assert_eq!(found(&copies, &first), all);
        assert_eq!(found(&copies, &first), all);
    }
}
