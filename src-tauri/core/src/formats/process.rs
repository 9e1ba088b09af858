//! Whether a process is alive, according to the operating system. Never signals or ends a process.

/// True if a process with this number runs now (which may be a later process with the same number).
#[cfg(unix)]
pub fn is_alive(pid: u32) -> bool {
    let Ok(pid) = libc::pid_t::try_from(pid) else {
        return false;
    };
    if pid <= 0 {
        return false;
    }
    // SAFETY: signal 0 delivers nothing; it only asks whether the process exists.
    let asked = unsafe { libc::kill(pid, 0) };
    // A process of another user answers "not permitted", so it is alive.
    asked == 0 || std::io::Error::last_os_error().raw_os_error() == Some(libc::EPERM)
}

#[cfg(windows)]
pub fn is_alive(pid: u32) -> bool {
    use windows_sys::Win32::Foundation::{CloseHandle, ERROR_ACCESS_DENIED, STILL_ACTIVE};
    use windows_sys::Win32::System::Threading::{
        GetExitCodeProcess, OpenProcess, PROCESS_QUERY_LIMITED_INFORMATION,
    };
    // SAFETY: plain calls with valid arguments; the handle is closed below.
    let process = unsafe { OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, 0, pid) };
    if process.is_null() {
        return std::io::Error::last_os_error().raw_os_error() == Some(ERROR_ACCESS_DENIED as i32);
    }
    let mut code = 0;
    // SAFETY: `process` is an open handle and `code` outlives the call.
    let known = unsafe { GetExitCodeProcess(process, &mut code) };
    // SAFETY: opened above, closed once.
    unsafe { CloseHandle(process) };
    known != 0 && code == STILL_ACTIVE as u32
}

/// The start of a process in clock ticks since boot. Distinguishes a process from a later one with
/// the same number.
#[cfg(target_os = "linux")]
pub fn start_ticks(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the program's name in brackets, and may contain spaces and brackets.
    let after_name = &stat[stat.rfind(')')? + 1..];
    after_name.split_ascii_whitespace().nth(19)?.parse().ok()
}

#[cfg(not(target_os = "linux"))]
pub fn start_ticks(_pid: u32) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    #[test]
    fn this_process_is_alive_and_an_impossible_one_is_not() {
        assert!(super::is_alive(std::process::id()));
        assert!(!super::is_alive(u32::MAX - 1));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_has_a_start() {
        assert!(super::start_ticks(std::process::id()).is_some());
    }
}
