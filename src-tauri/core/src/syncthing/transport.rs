//! [`Transport`] with a real Syncthing: a supervisor, a worker, the event stream and a scanner for
//! each lane, each on its own thread. Only these threads wait for Syncthing.

use super::arranged::Made;
use super::home::ChildConfig;
use super::link::Link;
use super::orders::{Arrangement, Order};
use super::scan::{self, Scan};
use super::supervisor::{Signal, Supervisor};
use super::worker::Worker;
use super::{Notice, SyncthingState, Transport, Wanted, events};
use crate::session::{DeviceId, Lane};
use crate::settings;
use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Syncthing needs one second to shut down; after this limit the rest is left to the operating
/// system.
const STOP_PATIENCE: Duration = Duration::from_secs(10);

pub struct SyncthingTransport {
    link: Arc<Link>,
    scanners: [Sender<Scan>; 3],
    orders: Sender<Order>,
    signals: Sender<Signal>,
    network: Arc<Mutex<settings::Network>>,
    /// The last arrangement; at first the one of the run before.
    last: Mutex<Arrangement>,
}

impl SyncthingTransport {
    /// Returns at once; results are reported to `notify`, from several threads.
    pub fn start(config: ChildConfig, notify: impl Fn(Notice) + Send + Sync + 'static) -> Self {
        let link = Arc::new(Link::new(notify));
        let last = Mutex::new(Arrangement {
            n: 0,
            wanted: Made::load(&config.home).wanted.unwrap_or_default(),
        });
        let ((signals, signals_inbox), (orders, orders_inbox)) = (channel(), channel());
        let scanners = Lane::ALL.map(|lane| start_scanner(lane, &link));
        let worker = Worker::new(Arc::clone(&link), config.clone(), scanners.clone());
        let supervisor = Supervisor::new(
            config,
            Arc::clone(&link),
            signals_inbox,
            signals.clone(),
            orders.clone(),
        );
        let network = supervisor.network();
        spawn("syncthing-worker", move || worker.run(&orders_inbox));
        let (events_link, events_orders, events_signals) =
            (Arc::clone(&link), orders.clone(), signals.clone());
        spawn("syncthing-events", move || {
            events::run(&events_link, &events_orders, &|| {
                drop(events_signals.send(Signal::Lost))
            });
        });
        spawn("syncthing", move || supervisor.run());
        Self {
            link,
            scanners,
            orders,
            signals,
            network,
            last,
        }
    }

    /// Restarts Syncthing now, if it was given up or waits for its next try.
    pub fn retry(&self) {
        let _ = self.signals.send(Signal::Retry);
    }

    fn order(&self, order: Order) {
        // The receiver is gone only after the end.
        let _ = self.orders.send(order);
    }
}

fn start_scanner(lane: Lane, link: &Arc<Link>) -> Sender<Scan> {
    let (sender, inbox): (_, Receiver<Scan>) = channel();
    let link = Arc::clone(link);
    spawn("syncthing-scan", move || scan::run(lane, &inbox, &link));
    sender
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
    thread::Builder::new()
        .name(name.into())
        .spawn(work)
        .expect("a machine without room for a thread cannot go on")
}

impl Transport for SyncthingTransport {
    fn announce(&self, lane: Lane, paths: Vec<String>) {
        let scanner = self.scanners.iter().zip(Lane::ALL);
        let scanner = scanner.filter(|(_, known)| *known == lane && !paths.is_empty());
        for (scanner, _) in scanner {
            let _ = scanner.send(Scan::Paths(paths.clone()));
        }
    }

    fn arrange(&self, wanted: Wanted) -> Option<u64> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let next = Arrangement {
            n: last.n + 1,
            wanted,
        };
        let withdrawal = next.wanted.withdraws_from(&last.wanted).then_some(next.n);
        if let Some(n) = withdrawal {
            self.link.withdraw(n);
        }
        last.clone_from(&next);
        self.order(Order::Arrange(next));
        withdrawal
    }

    fn set_announced_name(&self, name: String) {
        self.order(Order::Called(name));
    }

    fn set_network(&self, network: settings::Network) {
        let mut wanted = self.network.lock().unwrap_or_else(PoisonError::into_inner);
        wanted.clone_from(&network);
        drop(wanted);
        self.order(Order::Network(network));
        let _ = self.signals.send(Signal::Network);
    }

    fn reconnect_until_named(&self, devices: BTreeMap<DeviceId, u64>) {
        self.order(Order::GreetAgain(devices));
    }

    fn dismiss(&self, device: DeviceId) {
        self.order(Order::Dismiss(device));
    }

    fn revert(&self, folder: String) {
        self.order(Order::Revert(folder));
    }

    fn wait_for_delivery(&self, device: DeviceId, grace: Duration) {
        self.order(Order::Part { device, grace });
    }

    fn list_nearby(&self) {
        self.order(Order::LookAround);
    }

    fn resumed_from_sleep(&self) {
        self.order(Order::Woke);
    }

    fn stop(&self) {
        if self.link.has_ended() {
            return;
        }
        let (done, wait) = channel();
        let _ = self.signals.send(Signal::Stop(done));
        let _ = wait.recv_timeout(STOP_PATIENCE);
        self.link.tell(Notice::Down {
            state: SyncthingState::Stopped,
            problem: None,
        });
        self.link.end();
    }
}

impl Drop for SyncthingTransport {
    fn drop(&mut self) {
        self.stop();
    }
}
