//! What the tray app costs: time from its start to the icon and to the first text in its window,
//! memory before a window opened, with one and after it was closed, and CPU use while nothing
//! happens; with `hidden MINUTES`, its memory while it runs hidden and sessions are written.
//! Prints, asserts nothing; `cargo xtask bench app` and `cargo xtask bench hidden`.

#![cfg_attr(not(target_os = "linux"), allow(unused))]

#[cfg(target_os = "linux")]
mod traffic;

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("These figures are taken on Linux, where a display of one's own can be had.");
}

#[cfg(target_os = "linux")]
fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().position(|word| word == "hidden") {
        None => figures::take(),
        Some(at) => figures::run_hidden(
            words
                .get(at + 1)
                .and_then(|minutes| minutes.parse().ok())
                .expect("hidden MINUTES"),
        ),
    }
}

#[cfg(target_os = "linux")]
mod figures {
    use crate::traffic::Traffic;
    use session_roam_testutils::desktop::browser::Browser;
    use session_roam_testutils::desktop::panel::Panel;
    use session_roam_testutils::desktop::{Desktop, PATIENCE, pair};
    use session_roam_testutils::isolation::wait_for;
    use std::collections::BTreeMap;
    use std::fs;
    use std::thread::sleep;
    use std::time::{Duration, Instant};

    /// Long enough for all work left over from a start to finish.
    const SETTLED: Duration = Duration::from_secs(8);
    const IDLE: Duration = Duration::from_secs(20);

    pub fn take() {
        println!("| what | figure |\n|---|---|");
        let mut desktop = Desktop::new("desk").not_new();
        let panel = Panel::new(&desktop);
        let start = Instant::now();
        desktop.start(&["--hidden"]);
        panel.wait_menu("Quit");
        println!(
            "| start to the icon with its whole menu | {} ms |",
            start.elapsed().as_millis()
        );
        desktop.wait_running();
        sleep(SETTLED);
        let pid = desktop.pid();
        told("no window made yet", pid);
        idle("no window", pid);
        for time in ["first", "second"] {
            panel.click("Open session-roam");
            desktop.wait_windows(1);
            sleep(SETTLED);
            told(&format!("window open, {time} time"), pid);
            if time == "first" {
                idle("window open", pid);
            }
            desktop.close_window();
            desktop.wait_windows(0);
            sleep(SETTLED);
            told(&format!("window closed again, {time} time"), pid);
        }
        panel.click("Quit");
        desktop.ended();

        let start = Instant::now();
        let browser = Browser::open(&desktop, &[]);
        browser.wait_text("No other device is paired");
        println!(
            "| start to the state in words in the window, seen from outside | {} ms |",
            start.elapsed().as_millis()
        );
        let paint = "return performance.getEntriesByType('paint').at(-1)?.startTime ?? null";
        println!(
            "| of that, page to first paint | {} ms |",
            browser
                .run(paint, serde_json::json!([]))
                .unwrap_or_default()
        );
        panel.click("Quit");
    }

    /// How often each of the two devices writes a line.
    const PACE: Duration = Duration::from_millis(500);
    /// The state that growth is counted from: the first sessions have gone over.
    const WARM: Duration = Duration::from_secs(60);

    /// Two paired tray apps without windows; sessions are written on both, and the memory of one is read once a minute.
    pub fn run_hidden(minutes: u64) {
        let (mut desk, mut laptop) = (
            Desktop::new("desk").not_new(),
            Desktop::new("laptop").not_new(),
        );
        let (desk_panel, laptop_panel) = (Panel::new(&desk), Panel::new(&laptop));
        let mut traffic = [Traffic::new(&desk, 1), Traffic::new(&laptop, 2)];
        for desktop in [&mut desk, &mut laptop] {
            desktop.start(&["--hidden"]);
            desktop.wait_running();
        }
        let pid = desk.pid();
        let told = |when: &str, n_sessions: usize| {
            let (all, own) = (rolled_up(pid, "Pss:"), rolled_up(pid, "Pss_Anon:"));
            let (all, own) = (megabytes(all), megabytes(own));
            println!("| {when} | {all:.1} MB | {own:.1} MB | {n_sessions} |");
            all
        };
        println!(
            "| minute | memory (PSS) of the tray app | of it its own data, not files | sessions written |\n|---|---|---|---|"
        );
        sleep(SETTLED);
        told("at rest, not paired", 0);
        pair(&desk, &laptop);
        desk_panel.wait_menu("laptop · connected");
        sleep(SETTLED);
        told("at rest, paired", 0);
        let write = |traffic: &mut [Traffic; 2], how_long: Duration| -> usize {
            let start = Instant::now();
            while start.elapsed() < how_long {
                traffic.iter_mut().for_each(Traffic::say);
                sleep(PACE);
            }
            traffic.iter().map(Traffic::n_sessions).sum()
        };
        let n_sessions = write(&mut traffic, WARM);
        let begin = told("0", n_sessions);
        let mut end = begin;
        for minute in 1..=minutes {
            let n_sessions = write(&mut traffic, Duration::from_secs(60));
            end = told(&minute.to_string(), n_sessions);
        }
        let [from_desk, from_laptop] = &traffic;
        wait_for("all to arrive on both devices", PATIENCE, || {
            from_desk.has_arrived(from_laptop)?;
            from_laptop.has_arrived(from_desk)
        });
        sleep(SETTLED);
        told(
            "afterwards, at rest",
            traffic.iter().map(Traffic::n_sessions).sum(),
        );
        println!(
            "\nIn {minutes} minutes {:+.1} MB; everything arrived on both devices.",
            end - begin
        );
        for (panel, desktop) in [(&desk_panel, &mut desk), (&laptop_panel, &mut laptop)] {
            panel.click("Quit");
            desktop.ended();
        }
    }

    fn megabytes(kib: u64) -> f64 {
        kib as f64 * 1024.0 / 1e6
    }

    /// Proportional set size of the tray app and its child processes, Syncthing listed separately.
    fn told(state: &str, pid: u32) {
        let (mut app, mut web, mut syncthing) = (0, 0, 0);
        for (pid, name) in tree(pid) {
            let whose = match name.as_str() {
                name if name.starts_with("syncthing") => &mut syncthing,
                name if name.starts_with("WebKit") => &mut web,
                _ => &mut app,
            };
            *whose += pss(pid);
        }
        let (all, web, syncthing) = ((app + web) / 1024, web / 1024, syncthing / 1024);
        println!(
            "| memory, {state} | {all} MiB, of it the web engine's own processes {web} MiB; Syncthing {syncthing} MiB |"
        );
    }

    fn idle(state: &str, pid: u32) {
        let ticks = || -> u64 {
            let own = tree(pid)
                .into_iter()
                .filter(|(_, name)| !name.starts_with("syncthing"));
            own.map(|(pid, _)| spent(pid)).sum()
        };
        let before = ticks();
        sleep(IDLE);
        // Every Linux counts a hundred ticks a second.
        let share = (ticks() - before) as f64 / IDLE.as_secs_f64();
        println!("| processor while nothing happens, {state} | {share:.2} % of a core |");
    }

    fn tree(root: u32) -> BTreeMap<u32, String> {
        let all: Vec<(u32, u32, String)> = fs::read_dir("/proc")
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| process(&entry.file_name().to_string_lossy()))
            .collect();
        let mut found: BTreeMap<u32, String> = all
            .iter()
            .filter(|(pid, ..)| *pid == root)
            .map(|(pid, _, name)| (*pid, name.clone()))
            .collect();
        loop {
            let more: Vec<_> = all
                .iter()
                .filter(|(pid, parent, _)| found.contains_key(parent) && !found.contains_key(pid))
                .collect();
            if more.is_empty() {
                return found;
            }
            found.extend(more.into_iter().map(|(pid, _, name)| (*pid, name.clone())));
        }
    }

    fn process(pid: &str) -> Option<(u32, u32, String)> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (name, rest) = stat.split_once('(')?.1.rsplit_once(')')?;
        Some((
            pid.parse().ok()?,
            rest.split_whitespace().nth(1)?.parse().ok()?,
            name.to_owned(),
        ))
    }

    fn spent(pid: u32) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let fields: Vec<u64> = stat
            .rsplit(')')
            .next()
            .unwrap_or_default()
            .split_whitespace()
            .map(|word| word.parse().unwrap_or(0))
            .collect();
        fields.get(11).unwrap_or(&0) + fields.get(12).unwrap_or(&0)
    }

    fn pss(pid: u32) -> u64 {
        rolled_up(pid, "Pss:")
    }

    fn rolled_up(pid: u32, name: &str) -> u64 {
        let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok())
            .unwrap_or(0)
    }
}
