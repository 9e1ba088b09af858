//! The time that each stage of a session's way takes on this device, as `roam doctor --timing` shows it.
//!
//! A stage is a span of `tracing` with the target [`TARGET`]; its time is that from the span's
//! creation to its end. A span has no fields, so nothing of a session is in it. Without [`collect`],
//! as in tests, a span costs next to nothing and no time is kept.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use tracing::{Id, Metadata, Span, Subscriber, span::Attributes};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::{LookupSpan, Registry};

const TARGET: &str = "session_roam::timing";
/// The times kept of each stage: the latest ones.
const KEPT: usize = 512;

macro_rules! stages {
    ($($(#[doc = $meaning:literal])+ $stage:ident $name:literal),* $(,)?) => {
        /// The stages, in the order in which a change passes them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Stage { $($(#[doc = $meaning])+ $stage),* }

        impl Stage {
            pub const ALL: &[Self] = &[$(Self::$stage),*];

            /// Begins the stage, which ends when the span is dropped.
            pub fn begin(self) -> Span {
                match self {
                    $(Self::$stage => tracing::info_span!(target: TARGET, $name)),*
                }
            }

            pub fn name(self) -> &'static str {
                match self { $(Self::$stage => $name),* }
            }

            /// What the time includes, in a sentence.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$stage => concat!($($meaning),+).trim_ascii_start()),* }
            }
        }
    };
}

stages! {
    /// From the first file event until the engine hears of the files: more events are gathered.
    Gathered "gathered",
    /// From a request to reconcile a session until a worker is free.
    Queued "queued",
    /// A session is reconciled: all of the following up to `written`.
    Reconcile "reconcile",
    /// New frames in the journals are read and verified.
    Verified "verified",
    /// What the tool wrote is read and recorded.
    Recorded "recorded",
    /// A frame is appended to this device's journal and synced to the disk.
    Appended "appended",
    /// Branches and writes are decided.
    Decided "decided",
    /// The tool's store is written.
    Written "written",
    /// The results are saved in the state database.
    Saved "saved",
    /// From the announcement of journal files until Syncthing has scanned them.
    Scanned "scanned",
    /// From recording on the other device until the frame is verified here, by both devices' clocks.
    UnderWay "under way",
}

/// The latest times of a stage.
#[derive(Debug, Default)]
struct Times {
    /// All times so far, also those no longer kept.
    count: u64,
    latest: VecDeque<Duration>,
}

impl Times {
    fn add(&mut self, time: Duration) {
        self.count += 1;
        if self.latest.len() == KEPT {
            self.latest.pop_front();
        }
        self.latest.push_back(time);
    }
}

/// The time of one stage: percentiles of the latest 512 passes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figures {
    pub stage: Stage,
    /// How often the stage was passed since the engine started.
    pub count: u64,
    pub p50: Duration,
    pub p95: Duration,
    pub max: Duration,
}

/// The times of each stage, in the order of [`Stage::ALL`].
#[derive(Debug, Default)]
struct Collector(Mutex<[Times; Stage::ALL.len()]>);

impl Collector {
    fn times(&self) -> MutexGuard<'_, [Times; Stage::ALL.len()]> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, stage: Stage, time: Duration) {
        self.times()[stage as usize].add(time);
    }

    fn figures(&self) -> Vec<Figures> {
        let times = self.times();
        let of = |(stage, times): (&Stage, &Times)| {
            let mut sorted: Vec<Duration> = times.latest.iter().copied().collect();
            sorted.sort_unstable();
            let last = sorted.len().checked_sub(1)?;
            Some(Figures {
                stage: *stage,
                count: times.count,
                p50: sorted[last / 2],
                p95: sorted[last * 95 / 100],
                max: sorted[last],
            })
        };
        Stage::ALL.iter().zip(&*times).filter_map(of).collect()
    }
}

static COLLECTOR: OnceLock<Collector> = OnceLock::new();

/// Keeps the times of this process' spans from now on.
pub fn collect() {
    let _ = COLLECTOR.set(Collector::default());
    // Another subscriber is there only if a program that embeds the engine has set it.
    let _ = tracing::subscriber::set_global_default(Registry::default().with(Timer));
}

/// Adds a time that no span can measure.
pub fn record(stage: Stage, time: Duration) {
    if let Some(collector) = COLLECTOR.get() {
        collector.add(stage, time);
    }
}

/// The times of the stages that were passed since [`collect`].
pub fn figures() -> Vec<Figures> {
    COLLECTOR.get().map(Collector::figures).unwrap_or_default()
}

/// Times spans; those of other targets are not even created.
struct Timer;

/// When a span was created, and of which stage it is.
struct Began(Stage, Instant);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Timer {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        metadata.target() == TARGET
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let name = attributes.metadata().name();
        let stage = Stage::ALL.iter().find(|stage| stage.name() == name);
        if let (Some(stage), Some(span)) = (stage, context.span(id)) {
            span.extensions_mut().insert(Began(*stage, Instant::now()));
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let span = context.span(&id);
        let extensions = span.as_ref().map(|span| span.extensions());
        if let Some(Began(stage, start)) = extensions.as_ref().and_then(|all| all.get::<Began>()) {
            record(*stage, start.elapsed());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_latest_times_and_the_count_of_all() {
        let collector = Collector::default();
        for ms in 0..600 {
            collector.add(Stage::Queued, Duration::from_millis(ms));
        }
        collector.add(Stage::Written, Duration::from_millis(7));
        let ms = Duration::from_millis;
        let of = |stage, count, p50, p95, max| Figures {
            stage,
            count,
            p50: ms(p50),
            p95: ms(p95),
            max: ms(max),
        };
        let expected = [
            of(Stage::Queued, 600, 343, 573, 599),
            of(Stage::Written, 1, 7, 7, 7),
        ];
        assert_eq!(collector.figures(), expected);
    }

    #[test]
    fn a_span_is_timed_from_its_creation_to_its_end() {
        let _ = COLLECTOR.set(Collector::default());
        let subscriber = Registry::default().with(Timer);
        tracing::subscriber::with_default(subscriber, || {
            let waiting = Stage::Gathered.begin();
            drop(tracing::info_span!("another target"));
            std::thread::sleep(Duration::from_millis(2));
            drop(waiting);
        });
        let figures = figures();
        let found = figures.iter().find(|found| found.stage == Stage::Gathered);
        assert!(found.is_some_and(|found| Duration::from_millis(2) <= found.max));
        assert_eq!(figures.len(), 1, "{figures:?}");
    }

    #[test]
    fn each_stage_has_a_name_of_its_own_and_a_meaning() {
        for (index, stage) in Stage::ALL.iter().enumerate() {
            assert_eq!(*stage as usize, index);
            let same = Stage::ALL
                .iter()
                .filter(|other| other.name() == stage.name());
            assert_eq!(same.count(), 1, "{}", stage.name());
            assert!(stage.meaning().ends_with('.'), "{}", stage.meaning());
        }
    }
}
