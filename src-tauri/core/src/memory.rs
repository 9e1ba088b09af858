//! How the C library's allocator treats what is freed in the programs that run all day. Knows
//! nothing of what is allocated.

/// Keeps the allocator from holding what is not in use. Called once, first in a program's `main`.
///
/// By default glibc has an arena for each of 16 threads and returns the end of none, and it raises
/// the size from which a block is returned by itself up to 32 MB with each large block that is
/// freed. The search index starts a thread for each batch: the engine held 377 MB for 21 MB in use
/// after 20,000 sessions were imported and indexed, the tray 134 MB after four sessions
/// (2026-11-30).
pub fn hold_little() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    for (what, value) in [
        (libc::M_ARENA_MAX, 2),
        (libc::M_TRIM_THRESHOLD, 4 << 20),
        (libc::M_MMAP_THRESHOLD, 1 << 20),
    ] {
        // SAFETY: mallopt(3) changes only how later calls allocate. A value that it refuses leaves
        // the default.
        unsafe { libc::mallopt(what, value) };
    }
}
