//! Everything that neither carries changes nor manages the process: arranging, peers, pairing
//! requests, folders in trouble. One thread with one inbox wakes for an order, for a deadline, or
//! every few seconds to detect that the machine slept. While nothing happens, no request is sent to
//! Syncthing.

mod peers;

use self::peers::{Greeting, Newcomer, first_pause};
use super::arrange::{self, Place};
use super::arranged::Made;
use super::home::{self, ChildConfig};
use super::link::{Link, Up};
use super::orders::{Arrangement, Event, Order};
use super::rest::{RestError, with_query};
use super::scan::Scan;
use super::{Asking, Nearby, Notice, Peer, Wanted, asking, nearby, parse_folder_id};
use crate::session::problem::with_causes;
use crate::session::{DeviceId, Lane, Millis, Problem, ProblemCode, Remedy};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant, SystemTime};

const TICK: Duration = Duration::from_secs(5);
/// If the clock jumps further than this between two ticks, the machine slept.
const SLEPT: Duration = Duration::from_secs(30);
/// How long a folder may be idle although it needs data: 2.1.3 forgets a folder whose temporary
/// file it could not create.
const STALLED: Duration = Duration::from_secs(30);
const LOOK_PAUSE: Duration = Duration::from_secs(1);
/// Pause before a folder that Syncthing stopped is checked again. Doubles after each check without
/// effect.
const ERROR_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_ERROR_PAUSE: Duration = Duration::from_secs(60);
const CONFIG_PAUSE: Duration = Duration::from_millis(100);
/// A config change by somebody else is reported for this long.
const FOREIGN_SHOWN: Duration = Duration::from_secs(24 * 60 * 60);
/// A crowd of pairing requests too large to list is reported for this long.
const STRANGERS_SHOWN: Duration = Duration::from_secs(600);
const MOST_FOREIGN: usize = 8;

pub struct Worker {
    link: Arc<Link>,
    config: ChildConfig,
    scanners: [Sender<Scan>; 3],
    wanted: Option<Wanted>,
    /// The number of the arrangement that is wanted.
    n_wanted: u64,
    /// What is arranged in this run of Syncthing.
    arranged: Option<Wanted>,
    arrange_due: Option<Instant>,
    /// Delay between a config change and the check. Grows while every check finds something to
    /// change.
    config_pause: Duration,
    /// A config change is the only reason for the next arranging.
    config_due: bool,
    /// Foreign entries that were found, and when the last one was found.
    foreign: BTreeSet<String>,
    foreign_since: Option<Instant>,
    peers_due: Option<Instant>,
    completion_due: bool,
    asking_due: Option<Instant>,
    /// When pairing requests were last fetched.
    asked: Option<Instant>,
    /// The number of unlisted pairing requests, and the time of the last one.
    strangers: (usize, Option<Instant>),
    nearby_due: bool,
    ports_due: Option<Instant>,
    folders: BTreeMap<String, Folder>,
    newcomers: BTreeMap<DeviceId, Newcomer>,
    greetings: BTreeMap<DeviceId, Greeting>,
    /// Devices for which a connect event arrived and no disconnect event yet.
    online: BTreeSet<DeviceId>,
    completion: BTreeMap<(DeviceId, String), (u64, u64)>,
    peers: Vec<Peer>,
    asking: Vec<Asking>,
    nearby: Vec<Nearby>,
    troubles: BTreeMap<String, Problem>,
    incoming: u64,
}

/// State of a folder that needs attention.
#[derive(Default)]
struct Folder {
    due: Option<Instant>,
    need_bytes: u64,
    stalled_since: Option<Instant>,
    changed_since: Option<Instant>,
    told_changed: bool,
    lost: bool,
    /// Pause before Syncthing, which stopped this folder because of an error, is asked to check
    /// again.
    error_pause: Option<Duration>,
}

impl Worker {
    pub fn new(link: Arc<Link>, config: ChildConfig, scanners: [Sender<Scan>; 3]) -> Self {
        Self {
            link,
            config,
            scanners,
            wanted: None,
            n_wanted: 0,
            arranged: None,
            arrange_due: None,
            config_pause: CONFIG_PAUSE,
            config_due: false,
            foreign: BTreeSet::new(),
            foreign_since: None,
            peers_due: None,
            completion_due: false,
            asking_due: None,
            asked: None,
            strangers: (0, None),
            nearby_due: false,
            ports_due: None,
            folders: BTreeMap::new(),
            newcomers: BTreeMap::new(),
            greetings: BTreeMap::new(),
            online: BTreeSet::new(),
            completion: BTreeMap::new(),
            peers: Vec::new(),
            asking: Vec::new(),
            nearby: Vec::new(),
            troubles: BTreeMap::new(),
            incoming: 0,
        }
    }

    /// Runs as long as the transport.
    pub fn run(mut self, inbox: &Receiver<Order>) {
        loop {
            let wait = self
                .next_due()
                .saturating_duration_since(Instant::now())
                .min(TICK);
            #[allow(clippy::disallowed_methods)]
            // The two clocks differ by the time that the machine slept.
            let (monotonic, wall) = (Instant::now(), SystemTime::now());
            match inbox.recv_timeout(wait) {
                Ok(order) => self.handle_order(order),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            while let Ok(order) = inbox.try_recv() {
                self.handle_order(order);
            }
            if self.link.has_ended() {
                return;
            }
            if slept(
                monotonic.elapsed(),
                wall.elapsed().unwrap_or_default(),
                wait,
            ) {
                self.redial_all();
            }
            self.do_due();
        }
    }

    fn next_due(&self) -> Instant {
        let far = Instant::now() + TICK;
        if self.link.up().is_none() {
            return far;
        }
        let folders = self.folders.values().filter_map(|folder| folder.due);
        let newcomers = self.newcomers.values().map(|newcomer| newcomer.next);
        let greetings = self.greetings.values().map(|greeting| greeting.next);
        let single = [
            self.arrange_due,
            self.peers_due,
            self.ports_due,
            self.asking_due,
        ];
        single
            .into_iter()
            .flatten()
            .chain(folders)
            .chain(newcomers)
            .chain(greetings)
            .min()
            .unwrap_or(far)
    }

    fn handle_order(&mut self, order: Order) {
        let now = Instant::now();
        match order {
            Order::Up => {
                self.arrange_now();
                self.ports_due = Some(now);
                self.arranged = None;
                self.online.clear();
                self.scan_all(None);
                self.look_at_all_again();
            }
            Order::Resync => self.look_at_all_again(),
            Order::Event(event) => self.handle_event(event),
            Order::Arrange(Arrangement { n, wanted }) => {
                // If Syncthing is down, it starts with this. Before the first start there is no home.
                if self.config.home.is_dir()
                    && let Err(error) = Made::keep_wanted(&self.config.home, &wanted)
                {
                    self.not_arranged(with_causes(&error));
                }
                (self.wanted, self.n_wanted) = (Some(wanted), n);
                self.arrange_now();
            }
            Order::Foreign(found) => self.report_foreign(found),
            Order::Called(name) => {
                self.config.device_name = name;
                self.arrange_now();
            }
            Order::Network(network) => self.config.network = network,
            Order::GreetAgain(devices) => self.greet_again(devices),
            Order::Dismiss(device) => {
                if let Some(up) = self.link.up() {
                    let _ = up.rest.delete(&with_query(
                        "/rest/cluster/pending/devices",
                        [("device", device.as_str())],
                    ));
                }
                self.asking_due = Some(Instant::now());
            }
            Order::Revert(folder) => self.revert(folder),
            Order::Part { device, grace } => self.part(device, grace),
            Order::LookAround => self.nearby_due = true,
            Order::Woke => self.redial_all(),
        }
    }

    fn handle_event(&mut self, event: Event) {
        let now = Instant::now();
        match event {
            // The event stream reported arrivals to the engine directly.
            Event::Finished { .. } => {}
            Event::Connected { device, announced } => {
                self.link.tell(Notice::Greeted {
                    device: device.clone(),
                    announced,
                });
                self.online.insert(device);
                self.peers_came_or_went();
            }
            Event::Disconnected(device) => {
                self.online.remove(&device);
                self.peers_came_or_went();
            }
            // The first request is handled now, a crowd once a second.
            Event::Asking => {
                let due = self
                    .asked
                    .map_or(now, |asked| (asked + LOOK_PAUSE).max(now));
                self.asking_due.get_or_insert(due);
            }
            Event::Heard => self.nearby_due = true,
            Event::Completion {
                folder,
                device,
                global_bytes,
                need_bytes,
            } => {
                self.completion
                    .insert((device, folder), (global_bytes, need_bytes));
                self.peers_due
                    .get_or_insert(now + Duration::from_millis(100));
            }
            Event::State { folder, to, error } => self.folder_state(folder, &to, &error),
            Event::FolderErrors { folder, errors } => self.folder_errors(&folder, &errors),
            Event::LocalChange { folder } => self.look_soon(&folder),
            Event::Config => {
                self.config_due |= self.arrange_due.is_none();
                self.arrange_due.get_or_insert(now + self.config_pause);
            }
            Event::Listen => self.ports_due = Some(now + Duration::from_millis(500)),
        }
    }

    fn peers_came_or_went(&mut self) {
        self.peers_due = Some(Instant::now());
        self.completion_due = true;
        self.look_at_foreign_soon();
    }

    fn do_due(&mut self) {
        let Some(up) = self.link.up() else { return };
        if take_due(&mut self.arrange_due) {
            self.arrange(&up);
        }
        if take_due(&mut self.asking_due) {
            self.ask_who_asks(&up);
        }
        if std::mem::take(&mut self.nearby_due) {
            self.ask_who_is_near(&up);
        }
        if std::mem::take(&mut self.completion_due) {
            self.ask_completion(&up);
        }
        if take_due(&mut self.peers_due) {
            self.ask_peers(&up);
        }
        if take_due(&mut self.ports_due) {
            self.check_ports(&up);
        }
        let now = Instant::now();
        let due: Vec<String> = self
            .folders
            .iter()
            .filter(|(_, folder)| folder.due.is_some_and(|due| due <= now))
            .map(|(id, _)| id.clone())
            .collect();
        for folder in due {
            self.look_at(&up, &folder);
        }
        self.redial_newcomers(&up);
        self.redial_for_greetings(&up);
    }

    fn look_at_all_again(&mut self) {
        self.peers_due = Some(Instant::now());
        self.completion_due = true;
        self.asking_due = Some(Instant::now());
        self.nearby_due = true;
        self.look_at_foreign_soon();
    }

    fn arrange_now(&mut self) {
        self.arrange_due = Some(Instant::now());
        self.config_due = false;
    }

    fn arrange(&mut self, up: &Up) {
        let Some(wanted) = self.wanted.clone() else {
            return;
        };
        let place = Place {
            home: &self.config.home,
            name: &self.config.device_name,
            discovery: self.config.network.global_discovery || self.config.network.local_discovery,
            external: self.config.external.is_some(),
        };
        let arranged = match arrange::apply(up, &wanted, self.arranged.as_ref(), &place) {
            Ok(arranged) => arranged,
            Err(error) => {
                if self.link.is_current(up) {
                    self.not_arranged(with_causes(&error));
                    self.arrange_due = Some(Instant::now() + Duration::from_secs(2));
                }
                return;
            }
        };
        if self.link.is_current(up) {
            self.link.arranged(self.n_wanted);
        }
        self.trouble("arrange", None);
        self.config_pause = match arranged.changed {
            true => (2 * self.config_pause).min(Duration::from_secs(60)),
            false => CONFIG_PAUSE,
        };
        let news = !arranged.new_devices.is_empty()
            || !arranged.new_folders.is_empty()
            || !arranged.lost.is_empty();
        let looked_only = std::mem::take(&mut self.config_due);
        let quiet = looked_only
            && !arranged.changed
            && !news
            && !self.folders.values().any(|folder| folder.lost);
        self.report_foreign(arranged.foreign.into_iter().collect());
        if arranged.restart {
            // Only a restart resets the interface.
            let _ = up.rest.post("/rest/system/restart", None);
        }
        if self.config.external.is_none() {
            let _ = home::keep_good(&self.config.home, "config.xml");
        }
        if quiet {
            return;
        }
        self.arranged = Some(wanted.clone());
        let now = Instant::now();
        for device in arranged.new_devices {
            let pause = first_pause(&up.own, &device);
            self.newcomers.insert(
                device,
                Newcomer {
                    added: now,
                    next: now + pause,
                    pause,
                },
            );
        }
        self.newcomers
            .retain(|id, _| !wanted.paused && wanted.devices.iter().any(|device| device.id == *id));
        self.folders
            .retain(|id, _| wanted.folders.iter().any(|folder| folder.id == *id));
        self.found_again(up, &arranged.lost);
        for (folder, message) in arranged.lost {
            self.lost(&folder, message);
        }
        self.welcome_folders(up, &arranged.new_folders);
        self.look_at_all_again();
    }

    fn not_arranged(&mut self, message: String) {
        let hint = "session-roam will try again.";
        let problem = Problem::new(ProblemCode::SyncthingRefused, message, hint);
        self.trouble("arrange", Some(problem));
    }

    /// Somebody with the user's rights used Syncthing's interface or its config.
    fn report_foreign(&mut self, found: Vec<String>) {
        if !found.is_empty() {
            self.foreign.extend(found);
            self.foreign_since = Some(Instant::now());
            self.trouble("foreign", Some(foreign_problem(&self.foreign)));
        } else if self
            .foreign_since
            .is_some_and(|since| FOREIGN_SHOWN < since.elapsed())
        {
            self.foreign.clear();
            self.foreign_since = None;
            self.trouble("foreign", None);
        }
    }

    fn welcome_folders(&mut self, up: &Up, new: &[String]) {
        let own = up.own.short();
        for (lane, owner) in new.iter().filter_map(|id| parse_folder_id(id)) {
            if owner == own {
                self.scan_all(Some(lane));
            } else {
                self.link.tell(Notice::Arrived {
                    owner: owner.to_owned(),
                    lane,
                    paths: Vec::new(),
                });
            }
        }
    }

    /// A lost folder that is back stays in error until it is scanned.
    fn found_again(&mut self, up: &Up, lost: &[(String, String)]) {
        for (id, folder) in &mut self.folders {
            if folder.lost && !lost.iter().any(|(other, _)| other == id) {
                folder.lost = false;
                check_again(up, id);
            }
        }
    }

    fn scan_all(&self, lane: Option<Lane>) {
        for (scanner, known) in self.scanners.iter().zip(Lane::ALL) {
            if lane.is_none_or(|lane| lane == known) {
                let _ = scanner.send(Scan::All);
            }
        }
    }

    // Peers and pairing.

    fn ask_who_asks(&mut self, up: &Up) {
        let Ok(pending) = up.rest.get("/rest/cluster/pending/devices") else {
            return;
        };
        self.asked = Some(Instant::now());
        let wanted = self
            .wanted
            .as_ref()
            .map_or(&[][..], |wanted| &wanted.devices);
        let (asking, others) =
            asking::parse(&pending, |id| wanted.iter().any(|device| device.id == *id));
        for id in &others {
            let _ = up.rest.delete(&with_query(
                "/rest/cluster/pending/devices",
                [("device", id.as_str())],
            ));
        }
        self.count_strangers(others.len());
        if asking != self.asking {
            self.asking.clone_from(&asking);
            self.link.tell(Notice::Asking(asking));
        }
    }

    /// Counts the pairing requests that are not listed.
    fn count_strangers(&mut self, n_more: usize) {
        if 0 < n_more {
            self.strangers = (self.strangers.0 + n_more, Some(Instant::now()));
            self.trouble("strangers", Some(strangers_problem(self.strangers.0)));
        } else if self
            .strangers
            .1
            .is_some_and(|since| STRANGERS_SHOWN < since.elapsed())
        {
            self.strangers = (0, None);
            self.trouble("strangers", None);
        }
    }

    fn ask_who_is_near(&mut self, up: &Up) {
        let Ok(said) = up.rest.get("/rest/system/discovery") else {
            return;
        };
        let wanted = self
            .wanted
            .as_ref()
            .map_or(&[][..], |wanted| &wanted.devices);
        let near = nearby::parse(&said, |id| {
            *id == up.own || wanted.iter().any(|device| device.id == *id)
        });
        if near != self.nearby {
            self.nearby.clone_from(&near);
            self.link.tell(Notice::Nearby(near));
        }
    }

    // Folders.

    fn look_soon(&mut self, folder: &str) {
        let folder = self.folders.entry(folder.to_owned()).or_default();
        let soon = Instant::now() + LOOK_PAUSE;
        folder.due = Some(folder.due.map_or(soon, |due| due.min(soon)));
    }

    fn look_at_foreign_soon(&mut self) {
        let foreign = self
            .wanted
            .iter()
            .flat_map(|wanted| &wanted.folders)
            .filter(|folder| !folder.own);
        for id in foreign.map(|folder| folder.id.clone()).collect::<Vec<_>>() {
            self.look_soon(&id);
        }
    }

    fn folder_state(&mut self, folder: String, to: &str, error: &str) {
        let own = self.path_of(&folder).is_some_and(|(_, own)| own);
        if to == "error" {
            match self
                .path_of(&folder)
                .and_then(|(path, _)| arrange::missing(&path))
            {
                Some(message) => self.lost(&folder, message),
                None => {
                    self.trouble(&topic(&folder), Some(folder_problem(&folder, error)));
                    self.look_soon(&folder);
                }
            }
        } else if !own || self.troubles.contains_key(&topic(&folder)) {
            self.look_soon(&folder);
        }
    }

    fn folder_errors(&mut self, folder: &str, errors: &[String]) {
        // The event lists all errors of the folder: a reported error that is not listed is over.
        let is_over = |known: &Problem| {
            [ProblemCode::DiskFull, ProblemCode::FolderErrors].contains(&known.code)
        };
        match errors.iter().find(|error| !waits_for_a_device(error)) {
            Some(first) => self.trouble(&topic(folder), Some(folder_problem(folder, first))),
            None if self.troubles.get(&topic(folder)).is_some_and(is_over) => {
                self.trouble(&topic(folder), None)
            }
            None => {}
        }
        self.look_soon(folder);
    }

    fn lost(&mut self, folder: &str, message: String) {
        let known = self.folders.entry(folder.to_owned()).or_default();
        if !std::mem::replace(&mut known.lost, true) {
            self.link.tell(Notice::FolderLost {
                folder: folder.to_owned(),
                message,
            });
        }
    }

    fn look_at(&mut self, up: &Up, id: &str) {
        let Some((path, own)) = self.path_of(id) else {
            self.folders.remove(id);
            return;
        };
        let status = up
            .rest
            .get(&with_query("/rest/db/status", [("folder", id)]));
        let connected = self.peers.iter().any(|peer| peer.connected);
        let now = Instant::now();
        let folder = self.folders.entry(id.to_owned()).or_default();
        folder.due = None;
        let Ok(status) = status else { return };
        let state = status["state"].as_str().unwrap_or_default().to_owned();
        let idle = state == "idle";
        folder.need_bytes = if own { 0 } else { number(&status, "needBytes") };
        let needs = !own
            && 0 < number(&status, "needTotalItems")
                .max(number(&status, "needFiles") + number(&status, "needDeletes"));
        let n_errors = number(&status, "errors").max(number(&status, "pullErrors"));
        // Without a peer the owner's files are unknown; a database being rebuilt would look
        // changed.
        let changed = !own && idle && connected && 0 < n_changed_here(&status);
        folder.changed_since = changed.then(|| folder.changed_since.unwrap_or(now));
        folder.told_changed &= 0 < n_changed_here(&status);
        let tell_changed = folder
            .changed_since
            .is_some_and(|since| since + LOOK_PAUSE <= now)
            && !folder.told_changed;
        folder.stalled_since =
            (needs && idle && connected).then(|| folder.stalled_since.unwrap_or(now));
        let stalled = folder
            .stalled_since
            .is_some_and(|since| since + STALLED <= now);
        let pause = folder
            .error_pause
            .map_or(ERROR_PAUSE, |pause| (2 * pause).min(LONGEST_ERROR_PAUSE));
        folder.error_pause = (state == "error" && !folder.lost).then_some(pause);
        folder.due = if let Some(pause) = folder.error_pause {
            check_again(up, id);
            Some(now + pause)
        } else if state == "syncing" || changed && !folder.told_changed {
            Some(now + LOOK_PAUSE)
        } else {
            // Everything else that the folder does ends with an event.
            (needs && connected || 0 < n_errors).then_some(now + STALLED)
        };
        if tell_changed {
            self.tell_changed(up, id);
        }
        if stalled {
            self.wake_folder(up, id, &path);
        } else if idle && !needs && n_errors == 0 {
            self.trouble(&topic(id), None);
        }
        let incoming = self.folders.values().map(|folder| folder.need_bytes).sum();
        if incoming != std::mem::replace(&mut self.incoming, incoming) {
            self.link.tell(Notice::Incoming { bytes: incoming });
        }
    }

    fn tell_changed(&mut self, up: &Up, id: &str) {
        if let Some(folder) = self.folders.get_mut(id) {
            folder.told_changed = true;
        }
        let paths = changed_here(up, id).unwrap_or_default();
        self.link.tell(Notice::Tampered {
            folder: id.to_owned(),
            paths,
        });
    }

    /// Finds out why a folder is idle although it needs data, and makes Syncthing retry: 2.1.3
    /// gives up silently when it cannot write.
    fn wake_folder(&mut self, up: &Up, id: &str, path: &Path) {
        let problem = match check_writable(path) {
            Err(error) => Problem::new(
                ProblemCode::FolderUnwritable,
                format!("{} cannot be written to: {error}.", path.display()),
                "Make it yours and writable; what is missing then arrives.",
            ),
            Ok(()) => Problem::new(
                ProblemCode::FolderStalled,
                format!("Syncthing waits for files of {id} that no connected device sends."),
                "session-roam tries again every 30 seconds, and when the device that has these files is online.",
            ),
        };
        self.trouble(&topic(id), Some(problem));
        if let Some(folder) = self.folders.get_mut(id) {
            folder.stalled_since = None;
        }
        for paused in [true, false] {
            let _ = up.rest.patch(
                &format!("/rest/config/folders/{id}"),
                &json!({ "paused": paused }),
            );
        }
    }

    /// Reverting deletes files that exist only here. A copy is kept aside first, in case it is the
    /// last.
    fn revert(&mut self, id: String) {
        let (Some(up), Some((path, false))) = (self.link.up(), self.path_of(&id)) else {
            return;
        };
        if let Some(folder) = self.folders.get_mut(&id) {
            folder.told_changed = false;
            folder.changed_since = None;
        }
        self.look_soon(&id);
        #[allow(clippy::disallowed_methods)] // a name for the user
        let aside = self
            .config
            .home
            .join("set-aside")
            .join(format!("{id}-{}", Millis::from_system(SystemTime::now()).0));
        std::thread::spawn(move || {
            for changed in changed_here(&up, &id).unwrap_or_default() {
                set_aside(&path, &aside, &changed);
            }
            let _ = up.rest.post(
                &with_query("/rest/db/revert", [("folder", id.as_str())]),
                None,
            );
        });
    }

    fn path_of(&self, id: &str) -> Option<(std::path::PathBuf, bool)> {
        let mut folders = self.wanted.iter().flat_map(|wanted| &wanted.folders);
        folders
            .find(|folder| folder.id == id)
            .map(|folder| (folder.path.clone(), folder.own))
    }

    // Problems.

    fn check_ports(&mut self, up: &Up) {
        let Ok(status) = up.rest.get("/rest/system/status") else {
            return;
        };
        let failed = status["connectionServiceStatus"]
            .as_object()
            .into_iter()
            .flatten()
            .find_map(|(address, listener)| {
                let error = listener["error"]
                    .as_str()
                    .filter(|error| !error.is_empty())?;
                address
                    .starts_with("tcp")
                    .then(|| (address.clone(), error.to_owned()))
            });
        if let Some((address, _)) = &failed {
            self.ports_due = Some(Instant::now() + STALLED);
            if is_free(address) {
                listen_again(up);
            }
        }
        self.trouble("port", failed.map(|(address, error)| {
            let code = if is_taken(&error) { ProblemCode::PortInUse } else { ProblemCode::ListenFailed };
            Problem::new(code, format!("Syncthing cannot listen on {address}: {error}."), "Stop the program that uses this port, or choose another under [network] listen in config.toml. This device can still connect to others.").offer(Remedy::OpenSettings)
        }));
    }

    fn trouble(&mut self, topic: &str, problem: Option<Problem>) {
        let before = match problem.clone() {
            Some(problem) => self.troubles.insert(topic.to_owned(), problem),
            None => self.troubles.remove(topic),
        };
        if before != problem {
            self.link.tell(Notice::Trouble {
                topic: topic.to_owned(),
                problem,
            });
        }
    }
}

/// Makes Syncthing check the health of a folder that it stopped. On its own Syncthing does so only
/// at the next full scan or pull, which may be an hour away (1.19.2, 2026-11-29: a disk with free
/// space again was not checked for 150 s).
fn check_again(up: &Up, folder: &str) {
    let (rest, folder) = (up.rest.clone(), folder.to_owned());
    std::thread::spawn(move || rest.scan(&folder, &[]));
}

/// Whether we could listen on this address, which must contain a port number.
fn is_free(address: &str) -> bool {
    let host_port = address.split_once("://").map_or("", |(_, rest)| rest);
    let bind = match host_port.strip_prefix(':') {
        Some(port) => format!("0.0.0.0:{port}"),
        None => host_port.to_owned(),
    };
    std::net::TcpListener::bind(bind).is_ok()
}

/// Syncthing retries a failed listener only after ten minutes (1.19.2, 2026-11-23). Removing and
/// restoring its addresses triggers a retry at once.
fn listen_again(up: &Up) {
    const OPTIONS: &str = "/rest/config/options";
    let Ok(options) = up.rest.get(OPTIONS) else {
        return;
    };
    // An empty list would mean the default addresses.
    for addresses in [
        json!(["tcp://127.0.0.1:0"]),
        options["listenAddresses"].clone(),
    ] {
        let _ = up
            .rest
            .patch(OPTIONS, &json!({ "listenAddresses": addresses }));
    }
}

fn take_due(due: &mut Option<Instant>) -> bool {
    due.take_if(|due| *due <= Instant::now()).is_some()
}

/// The monotonic clocks of Linux and macOS stand still while the machine sleeps; Windows' runs on.
fn slept(monotonic: Duration, wall: Duration, wait: Duration) -> bool {
    monotonic + SLEPT < wall || wait + SLEPT < monotonic
}

fn is_taken(error: &str) -> bool {
    error.contains("address already in use") || error.contains("Only one usage")
}

fn topic(folder: &str) -> String {
    format!("folder:{folder}")
}

/// Whether `error` only says that the device that has a file is not connected, answered that it has
/// this version no longer, or was still writing the file. This is normal for devices that come and
/// go and for files that are replaced. A connected device that does not send is detected by
/// `look_at` (wording of Syncthing's `lib/model/folder_sendrecv.go`, the same since 0.14: only what
/// another device answered to a request is a `pull:`; this disk's own errors have other names).
fn waits_for_a_device(error: &str) -> bool {
    const WORDS: [&str; 4] = [
        "syncing: pull: ",
        "no connected device has the required version",
        "peers who had this file went away",
        "modified but not rescanned",
    ];
    WORDS.iter().any(|words| error.contains(words))
}

fn folder_problem(folder: &str, error: &str) -> Problem {
    let full = error.contains("insufficient space") || error.contains("no space");
    let (code, hint) = match full {
        true => (
            ProblemCode::DiskFull,
            "Free up disk space; session-roam then continues.",
        ),
        false => (ProblemCode::FolderErrors, "session-roam will try again."),
    };
    Problem::new(
        code,
        format!(
            "Syncthing has trouble with {folder}: {}.",
            error.trim_end_matches(['.', '\n', ' '])
        ),
        hint,
    )
    .offer(Remedy::OpenDiagnostics)
}

fn strangers_problem(n_more: usize) -> Problem {
    Problem::new(
        ProblemCode::ManyStrangers,
        format!(
            "{n_more} more unknown devices asked to pair; the newest {} are listed.",
            asking::MOST
        ),
        "Accept only a device that you are setting up right now. Without local discovery fewer devices find this one.",
    )
}

fn foreign_problem(found: &BTreeSet<String>) -> Problem {
    let mut names: Vec<&str> = found
        .iter()
        .take(MOST_FOREIGN)
        .map(String::as_str)
        .collect();
    let more = format!("{} more", found.len().saturating_sub(MOST_FOREIGN));
    if MOST_FOREIGN < found.len() {
        names.push(&more);
    }
    Problem::new(
        ProblemCode::SyncthingForeign,
        format!(
            "Another program changed the Syncthing that belongs to session-roam. Removed: {}.",
            names.join(", ")
        ),
        "No file was touched. The change was made with your user's rights: find the program that did it.",
    )
}

fn number(status: &Value, name: &str) -> u64 {
    status[name].as_u64().unwrap_or_default()
}

fn n_changed_here(status: &Value) -> u64 {
    let parts = ["Files", "Deletes", "Directories", "Symlinks"]
        .map(|kind| number(status, &format!("receiveOnlyChanged{kind}")));
    number(status, "receiveOnlyTotalItems").max(parts.iter().sum())
}

fn changed_here(up: &Up, folder: &str) -> Result<Vec<String>, RestError> {
    let said = up.rest.get(&with_query(
        "/rest/db/localchanged",
        [("folder", folder), ("perpage", "1000")],
    ))?;
    let files = said["files"].as_array().into_iter().flatten();
    Ok(files
        .filter_map(|file| file["name"].as_str())
        .map(|name| name.replace('\\', "/"))
        .collect())
}

fn set_aside(folder: &Path, aside: &Path, relative: &str) {
    let (from, to) = (folder.join(relative), aside.join(relative));
    let inside = Path::new(relative)
        .components()
        .all(|part| matches!(part, std::path::Component::Normal(_)));
    if inside && fs::symlink_metadata(&from).is_ok_and(|found| found.is_file()) {
        let _ = to.parent().map(fs::create_dir_all);
        let _ = fs::copy(&from, &to);
    }
}

/// Tests by writing: permissions alone do not show it (read-only mounts, quotas, ACLs).
fn check_writable(path: &Path) -> std::io::Result<()> {
    // Names of this form are never replicated.
    let probe = path.join(".syncthing.roam-probe.tmp");
    fs::write(&probe, b"?")?;
    fs::remove_file(&probe)
}

#[cfg(test)]
mod tests;
