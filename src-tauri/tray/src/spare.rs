//! Releases memory while no window is open: WebKitGTK keeps its network process for the next page
//! (36 MB, seen with 2.50.6, 2026-11-23), and starts another when it is gone.

/// Ends this program's own network process of the web engine. For when no page is shown.
#[cfg(target_os = "linux")]
pub fn end_network_process() {
    /// As truncated by the kernel, after 15 letters.
    const NAME: &str = "WebKitNetworkPr";
    let own = std::process::id();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<libc::pid_t>() else {
            continue;
        };
        let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        if parent_of(&stat, NAME) == Some(own) {
            // SAFETY: a plain call. The process is a child that nobody has waited for yet, so the
            // number is still its own.
            unsafe { libc::kill(pid, libc::SIGTERM) };
        }
    }
}

#[cfg(not(target_os = "linux"))]
pub fn end_network_process() {}

/// The parent of a process with that name, from its line in `/proc/<pid>/stat`: number, name in
/// brackets, state, parent.
#[cfg(target_os = "linux")]
fn parent_of(stat: &str, name: &str) -> Option<u32> {
    let (before, after) = stat.rsplit_once(')')?;
    let (_, found) = before.split_once('(')?;
    after
        .split_whitespace()
        .nth(1)?
        .parse()
        .ok()
        .filter(|_| found == name)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn only_a_child_of_that_name_is_meant() {
        let line = "4711 (WebKitNetworkPr) S 815 4711 815 0 -1 4194304";
        assert_eq!(parent_of(line, "WebKitNetworkPr"), Some(815));
        assert_eq!(parent_of(line, "WebKitWebProces"), None);
        assert_eq!(parent_of("1 (odd ) (name) S 2", "odd ) (name"), Some(2));
        assert_eq!(parent_of("", "x"), None);
    }
}
