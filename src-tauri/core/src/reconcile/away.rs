//! A session in a store that is not read now.

use super::context::Context;
use super::record::SessionRecord;
use crate::session::Reason;
use crate::session::ToolId;
use crate::tools::stores::Whereabouts;
use std::fs;
use std::io;
use std::path::Path;

/// Why a session's files are not read though they were in a store here: a code, why, and what to
/// do.
pub fn away(
    context: &Context,
    tool: &ToolId,
    record: &SessionRecord,
) -> Option<(Reason, String, String)> {
    let local = record
        .main_doc()?
        .local
        .as_ref()
        .filter(|local| local.there)?;
    let several = context
        .stores
        .get(tool)
        .is_some_and(|stores| stores.stores().len() > 1);
    match context.whereabouts(tool, &local.path) {
        Whereabouts::Off(dir) => Some((
            Reason::StoreOff,
            format!(
                "It is in {}, which is switched off on this device.",
                dir.display()
            ),
            "Switch the store on to sync it.".into(),
        )),
        Whereabouts::Gone(dir) if several => Some((
            Reason::StoreGone,
            format!("It is in {}, which was not found.", dir.display()),
            "Restore the directory; session-roam finds the session within a minute.".into(),
        )),
        _ => unreachable(&local.path).map(|why| {
            let hint = "Restore it; session-roam finds the session within a minute.";
            (Reason::StoreGone, why, hint.into())
        }),
    }
}

/// Why nobody sees whether a file is there, in a sentence; `None` if it is there or gone.
pub fn unreachable(path: &Path) -> Option<String> {
    use io::ErrorKind::{NotADirectory, NotFound};
    let error = fs::symlink_metadata(path).err()?;
    if !matches!(error.kind(), NotFound | NotADirectory) {
        return Some(format!("{} could not be read: {error}.", path.display()));
    }
    // A link whose disk or directory is away, as a mount point without its disk.
    let is_broken = |dir: &&Path| fs::symlink_metadata(dir).is_ok() && fs::metadata(dir).is_err();
    let link = path.ancestors().skip(1).find(is_broken)?;
    Some(format!(
        "{} leads to a directory that was not found.",
        link.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_file_behind_what_cannot_be_read_is_not_gone() {
        use std::os::unix::fs::symlink;
        let dir = tempfile::tempdir().expect("dir");
        let at = |name: &str| dir.path().join(name);
        fs::create_dir_all(at("away/deep")).expect("dir");
        fs::write(at("away/deep/file"), "").expect("file");
        symlink(at("away"), at("link")).expect("link");
        symlink(at("loop"), at("loop")).expect("link");
        let is_gone = |name: &str| unreachable(&at(name)).is_none();
        assert!(is_gone("link/deep/other") && is_gone("none/file") && is_gone("away/deep/file/x"));
        assert!(!is_gone("loop/file"));
        fs::rename(at("away"), at("elsewhere")).expect("moved");
        assert!(!is_gone("link/deep/file"));
        fs::create_dir(at("away")).expect("dir");
        assert!(is_gone("link/deep/file"));
    }
}
