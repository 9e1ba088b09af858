//! Paths as text in each system's style, so that all three can be tested on one. Touches no disk.

/// The system that the paths belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// `/`, case-sensitive.
    Unix,
    /// `/`, case-insensitive (the default of APFS and HFS+).
    Mac,
    /// `\` or `/`, drive letters and UNC, case-insensitive.
    Windows,
}

impl Style {
    pub const HERE: Self = if cfg!(windows) {
        Self::Windows
    } else if cfg!(target_os = "macos") {
        Self::Mac
    } else {
        Self::Unix
    };

    fn same(self, one: &str, two: &str) -> bool {
        match self {
            Self::Unix => one == two,
            Self::Mac | Self::Windows => one.to_lowercase() == two.to_lowercase(),
        }
    }
}

/// The part of `path` below `home`, `/`-separated and empty for home itself; `None` outside home.
pub fn below(style: Style, home: &str, path: &str) -> Option<String> {
    let (home, path) = (portable(style, home), portable(style, path));
    let mut rest = path.split('/');
    for part in home.split('/') {
        if !style.same(part, rest.next()?) {
            return None;
        }
    }
    Some(rest.collect::<Vec<_>>().join("/"))
}

/// The canonical spelling of a path: `/`-separated, no `.` and no doubled or trailing `/`, an
/// upper-case drive letter, no `\\?\`. A lone `/` becomes empty. `..` is kept: only the disk knows
/// where it leads.
pub fn portable(style: Style, path: &str) -> String {
    if style != Style::Windows {
        return tidy(path);
    }
    let slashed = path.replace('\\', "/");
    let plain = match slashed.strip_prefix("//?/") {
        Some(rest)
            if rest
                .get(..4)
                .is_some_and(|unc| unc.eq_ignore_ascii_case("UNC/")) =>
        {
            format!("//{}", &rest[4..])
        }
        Some(rest) => rest.to_owned(),
        None => slashed,
    };
    if let Some(share) = plain.strip_prefix("//") {
        return format!("/{}", tidy(&format!("/{share}")));
    }
    let mut path = tidy(&plain);
    if path.as_bytes().get(1) == Some(&b':') {
        path[..1].make_ascii_uppercase();
    }
    path
}

fn tidy(path: &str) -> String {
    let parts = path
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".")
        .collect::<Vec<_>>()
        .join("/");
    if path.starts_with('/') && !parts.is_empty() {
        format!("/{parts}")
    } else {
        parts
    }
}

/// Whether a `/`-separated path from another device stays below its parent directory on every
/// system.
pub fn stays_below(rest: &str) -> bool {
    rest.is_empty()
        || !rest.contains(['\\', ':', '\0'])
            && rest
                .split('/')
                .all(|part| !part.is_empty() && part != "." && part != "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn below_home_in_every_style() {
        let rows = [
            (Style::Unix, "/home/x", "/home/x/code/api", Some("code/api")),
            (Style::Unix, "/home/x/", "/home/x", Some("")),
            (Style::Unix, "/home/x", "/home/X/code", None),
            (Style::Unix, "/home/x", "/home/xy/code", None),
            (Style::Unix, "/home/x", "/srv", None),
            (Style::Unix, "/home/x", "/home/x/a\\b", Some("a\\b")),
            (
                Style::Mac,
                "/Users/x",
                "/users/X/Code/API",
                Some("Code/API"),
            ),
            (
                Style::Windows,
                r"C:\Users\x",
                r"c:\users\X\code\api",
                Some("code/api"),
            ),
            (
                Style::Windows,
                r"C:\Users\x",
                "C:/Users/x/code",
                Some("code"),
            ),
            (
                Style::Windows,
                r"C:\Users\x",
                r"\\?\C:\Users\x\code",
                Some("code"),
            ),
            (Style::Windows, r"C:\Users\x", r"D:\Users\x\code", None),
            (
                Style::Windows,
                r"\\server\home\x",
                r"\\SERVER\home\x\code",
                Some("code"),
            ),
            (
                Style::Windows,
                r"\\server\home\x",
                r"\\?\UNC\server\home\x\code",
                Some("code"),
            ),
        ];
        for (style, home, path, rest) in rows {
            assert_eq!(
                below(style, home, path).as_deref(),
                rest,
                "{style:?} {home} {path}"
            );
        }
    }

    #[test]
    fn one_spelling_for_each_path() {
        let rows = [
            (Style::Windows, r"c:\Users\x\code\", "C:/Users/x/code"),
            (Style::Windows, r"C:\", "C:"),
            (Style::Windows, r"\\server\share\x", "//server/share/x"),
            (Style::Windows, r"\\?\UNC\server\share", "//server/share"),
            (Style::Unix, "/srv//api/./x/", "/srv/api/x"),
            (Style::Unix, "/", ""),
            (Style::Unix, r"/srv/a\b", r"/srv/a\b"),
        ];
        for (style, path, portable_path) in rows {
            assert_eq!(portable(style, path), portable_path, "{style:?} {path}");
        }
    }

    #[test]
    fn a_key_of_another_device_does_not_climb() {
        for good in ["", "a", "a/b c/d..e", ".config/x"] {
            assert!(stays_below(good), "{good}");
        }
        for bad in [
            "..", "a/../b", "/etc", "a//b", "a/", "./a", r"a\..\b", "C:", "a:stream", "a\0",
        ] {
            assert!(!stays_below(bad), "{bad}");
        }
    }
}
