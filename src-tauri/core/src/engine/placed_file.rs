//! Where a file that a session speaks of is on this device. The path comes from the session's
//! records, so any device may have written it: it is compared as text, and only a regular file
//! inside the session's own checkout is named. Opens nothing for the user.

use super::Engine;
use super::resuming::no_place;
use crate::api::answer::{Work, value};
use crate::api::types::{ApiError, FilePlace};
use crate::opener;
use crate::projects::paths::{Style, below, portable, stays_below};
use crate::reconcile::context::Context;
use crate::reconcile::record::SessionRecord;
use crate::session::{ProblemCode, harmless_line};
use std::path::PathBuf;

/// Longer than any path that a system accepts.
const LONGEST: usize = 4096;

impl Engine {
    pub(super) fn file_place(&self, session: &str, path: String) -> Result<Work, ApiError> {
        let (_, row, record) = self.find(session)?;
        let context = self.context.clone();
        // The disk is asked beside the loop: a directory may be on a mount that does not answer.
        Ok(Box::new(move || {
            let dir = checkout(&context, &record).ok_or_else(|| no_place(&row))?;
            let dirs = [dir.to_string_lossy().into_owned()];
            let of_devices = record
                .cards
                .values()
                .filter_map(|device_card| device_card.card.cwd.clone());
            let roots: Vec<String> = dirs.into_iter().chain(of_devices).collect();
            let relative = relative(&path, &roots).ok_or_else(|| outside(&path))?;
            let file = opener::file_below(&dir, &relative);
            file.map_err(|_| not_there(&relative))?;
            value(FilePlace {
                path: dir.join(relative),
            })
        }))
    }
}

/// The session's directory on this device, if it is one of a project: never the home directory.
fn checkout(context: &Context, record: &SessionRecord) -> Option<PathBuf> {
    let own = || {
        let card = record.origin().filter(|_| context.began(record))?;
        card.cwd.clone().map(PathBuf::from)
    };
    let known = [
        record.pinned.as_ref().map(|pinned| pinned.dir.clone()),
        own(),
        record.checkout_dir.clone(),
        context.place(record).ok(),
    ];
    let is_project = |dir: &PathBuf| dir.is_dir() && !context.machine.home.starts_with(dir);
    known.into_iter().flatten().find(is_project)
}

/// The path below the session's directory, `/`-separated: of a relative path, or of an absolute one
/// below the directory that the session has on one of the devices.
fn relative(path: &str, roots: &[String]) -> Option<String> {
    if path.len() > LONGEST || path.contains(|c: char| c.is_control()) {
        return None;
    }
    let style = style_of(path);
    let rest = match is_absolute(path) {
        true => roots
            .iter()
            .filter(|root| is_absolute(root) && style_of(root) == style)
            .find_map(|root| below(style, root, path))?,
        false => portable(style, path),
    };
    (!rest.is_empty() && stays_below(&rest)).then_some(rest)
}

fn is_absolute(path: &str) -> bool {
    path.starts_with(['/', '\\']) || is_on_drive(path)
}

fn is_on_drive(path: &str) -> bool {
    let bytes = path.as_bytes();
    bytes.first().is_some_and(u8::is_ascii_alphabetic) && bytes.get(1) == Some(&b':')
}

/// The style in which a path is written, whatever system reads it.
fn style_of(path: &str) -> Style {
    match is_on_drive(path)
        || path.starts_with('\\')
        || (!path.contains('/') && path.contains('\\'))
    {
        true => Style::Windows,
        false => Style::Unix,
    }
}

fn outside(path: &str) -> ApiError {
    ApiError::new(
        ProblemCode::NotOurs,
        format!("{} is not in this session's folder.", harmless_line(path)),
        "Only files in the session's own folder are opened from here.",
    )
}

fn not_there(relative: &str) -> ApiError {
    ApiError::new(
        ProblemCode::NotOpened,
        format!(
            "There is no file {} on this device.",
            harmless_line(relative)
        ),
        "It may be new on another device, or it was moved or removed.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_any_device_leads_below_the_checkout_or_nowhere() {
        let roots =
            ["/home/ada/code/api", r"C:\Users\ada\api", "/Users/ada/api"].map(str::to_owned);
        let rows = [
            ("src/main.rs", Some("src/main.rs")),
            ("./src/main.rs", Some("src/main.rs")),
            ("/home/ada/code/api/src/main.rs", Some("src/main.rs")),
            (r"C:\Users\ada\api\src\main.rs", Some("src/main.rs")),
            (r"c:\users\ADA\api\src\main.rs", Some("src/main.rs")),
            (r"src\main.rs", Some("src/main.rs")),
            ("/Users/ada/api/a b/ü.md", Some("a b/ü.md")),
            // Elsewhere, and what only looks as if it were inside.
            ("/home/ada/code/api", None),
            ("/home/ada/code/api2/x", None),
            ("/etc/passwd", None),
            ("../x", None),
            ("src/../../x", None),
            ("/home/ada/code/api/../x", None),
            (r"src\..\..\x", None),
            (r"\\host\share\x", None),
            (r"C:x", None),
            ("", None),
            ("src/\u{0}x", None),
            ("a\nb", None),
        ];
        for (path, expected) in rows {
            assert_eq!(relative(path, &roots).as_deref(), expected, "{path:?}");
        }
        assert_eq!(relative(&"x/".repeat(4096), &roots), None);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_in_the_checkout_is_not_followed() {
        use std::fs;
        let dir = tempfile::tempdir().expect("a directory");
        let (checkout, outside) = (dir.path().join("api"), dir.path().join("secret"));
        fs::create_dir(&checkout).expect("a checkout");
        fs::create_dir(&outside).expect("a directory");
        fs::write(outside.join("key"), "x").expect("a file");
        std::os::unix::fs::symlink(&outside, checkout.join("linked")).expect("a link");
        std::os::unix::fs::symlink(outside.join("key"), checkout.join("key")).expect("a link");
        assert!(opener::file_below(&checkout, "linked/key").is_err());
        assert!(opener::file_below(&checkout, "key").is_err());
    }
}
