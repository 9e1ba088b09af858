//! What a reconcile decides about a session that another device began: whether to write it into the
//! store, what stands against that, and what it reports. One decision each; whole stories are in
//! tests/core/stories.

use super::*;
use session_roam_core::merge::{Step, Verdict};
use session_roam_core::reconcile::resolve::Decision;
use session_roam_core::session::{HistoryKind, Reason, SplitState};
use session_roam_core::vault::VaultPath;
use std::fs;
use std::time::{Duration, SystemTime};

/// Two devices that approved each other; both have a checkout of the project.
struct Pair {
    here: Device,
    there: Device,
}

pub(super) const PROJECT: &str = "git:github.com/acme/api";

impl Pair {
    /// A session of `here` with two messages, which `there` has received and not reconciled.
    fn new() -> Self {
        let [mut here, there] = [HERE, THERE].map(|who| Device::of(who, &[HERE, THERE]));
        append(&transcript(&here), &said(&here.checkout(), "one"));
        append(&transcript(&here), &said(&here.checkout(), "two"));
        assert_eq!(standing(&here.reconcile("claude-code", CLAUDE)).0, "here");
        let pair = Self { here, there };
        let checkout = pair.there.checkout();
        Arc::make_mut(&mut pair.there.context.change().places)
            .map(&ProjectKey::new(PROJECT), checkout);
        pair.deliver();
        pair
    }

    /// The same after `there` has written it into its store.
    fn synced() -> Self {
        let mut pair = Self::new();
        let effects = pair.there.reconciled_with(&pair.here);
        assert_eq!(standing(&effects), ("here", None));
        assert_eq!(pair.stored_there(), pair.stored_here());
        pair
    }

    /// `here` records what its tool wrote, and `there` receives it.
    fn record_and_deliver(&mut self) {
        self.here.reconcile("claude-code", CLAUDE);
        self.deliver();
    }

    fn deliver(&self) {
        copy_folder(&self.here, &self.there);
    }

    fn stored_here(&self) -> String {
        fs::read_to_string(transcript(&self.here)).expect("it began here")
    }

    fn stored_there(&self) -> String {
        fs::read_to_string(transcript(&self.there)).unwrap_or_default()
    }
}

impl Device {
    /// A reconcile that knows of the other device's journal.
    fn reconciled_with(&mut self, other: &Device) -> Effects {
        let effects = reconcile(&self.context, self.job_with(other));
        self.record = effects.record.clone();
        effects
    }

    fn job_with(&self, other: &Device) -> Job {
        let job = self.job("claude-code", CLAUDE);
        let (short, lane) = (other.context.short.clone(), Lane::Priority);
        let dir = VaultPath::journal_dir(&short, lane, &job.key, &ProjectKey::new(PROJECT));
        Job {
            dirs: vec![(short, lane, dir)],
            ..job
        }
    }

    fn wait(&self, time: Duration) {
        let millis = i64::try_from(time.as_millis()).expect("a short time");
        self.clock.0.fetch_add(millis, Ordering::Relaxed);
    }
}

/// Where Claude Code keeps the session on a device.
fn transcript(device: &Device) -> PathBuf {
    let dashes = |letter: char| {
        if letter.is_ascii_alphanumeric() {
            letter
        } else {
            '-'
        }
    };
    let cwd = device.checkout().to_string_lossy().into_owned();
    let slug: String = cwd.chars().map(dashes).collect();
    device.store(&format!(".claude/projects/{slug}/{CLAUDE}.jsonl"))
}

fn standing(effects: &Effects) -> (&'static str, Option<Reason>) {
    (effects.row.state.as_str(), effects.row.reason)
}

/// Brings what a device signed to another one, as Syncthing does.
pub(super) fn copy_folder(from: &Device, to: &Device) {
    let mut dirs = vec![from.context.vault.root().join(&from.context.short)];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).expect("a folder of the vault").flatten() {
            let path = entry.path();
            if path.is_dir() {
                dirs.push(path);
                continue;
            }
            let below = path.strip_prefix(from.context.vault.root()).expect("in it");
            let target = to.context.vault.root().join(below);
            fs::create_dir_all(target.parent().expect("parent")).expect("dirs");
            fs::copy(&path, target).expect("delivered");
        }
    }
}

fn kinds(effects: &Effects) -> Vec<HistoryKind> {
    { effects.happenings.iter() }.map(|it| it.kind).collect()
}

#[test]
fn a_session_of_another_device_is_written_into_the_store_of_its_project() {
    let mut pair = Pair::new();
    let effects = pair.there.reconciled_with(&pair.here);
    assert_eq!(standing(&effects), ("here", None));
    assert_eq!(pair.stored_there(), pair.stored_here());
    let kinds = kinds(&effects);
    assert_eq!(kinds, [HistoryKind::Arrived, HistoryKind::CheckedOut]);
    let (project, dir) = effects.placed.as_ref().expect("it was placed");
    assert_eq!(
        (project.key.as_str(), dir),
        (PROJECT, &pair.there.checkout())
    );
}

#[test]
fn a_second_reconcile_of_the_same_changes_nothing_and_reports_nothing() {
    let mut pair = Pair::synced();
    let vault = pair.there.vault();
    let effects = pair.there.reconciled_with(&pair.here);
    assert_eq!(
        (standing(&effects), kinds(&effects)),
        (("here", None), vec![])
    );
    assert_eq!(
        pair.there.vault(),
        vault,
        "what was received is not recorded again"
    );
}

#[test]
fn a_reconcile_that_only_decides_leaves_the_store_alone() {
    let pair = Pair::new();
    let job = Job {
        dry: true,
        ..pair.there.job_with(&pair.here)
    };
    let effects = reconcile(&pair.there.context, job);
    assert!(
        matches!(&effects.verdict, Verdict::Checkout(steps) if matches!(steps[..], [Step::Create { .. }])),
        "{:?}",
        effects.verdict
    );
    assert_eq!(pair.stored_there(), "");
}

/// Each reason that stands against writing, alone; without it the session is written.
#[test]
fn what_stands_against_writing_is_stated_and_nothing_is_written() {
    type Against = fn(&mut Shared);
    let for_it = |shared: &mut Shared, checkout| {
        shared.paused = false;
        shared.excluded.clear();
        shared.tools_off.clear();
        shared.tools_held.clear();
        Arc::make_mut(&mut shared.places).map(&ProjectKey::new(PROJECT), checkout);
    };
    let rows: [(&str, Reason, Against); 5] = [
        ("waiting", Reason::Paused, |shared| shared.paused = true),
        ("waiting", Reason::ToolOff, |shared| {
            shared.tools_off.insert(ToolId::new("claude-code"));
        }),
        ("waiting", Reason::Excluded, |shared| {
            shared.excluded.insert(ProjectKey::new(PROJECT));
        }),
        ("held", Reason::ToolEmptied, |shared| {
            shared.tools_held.insert(ToolId::new("claude-code"));
        }),
        ("waiting", Reason::NoPlace, |shared| {
            Arc::make_mut(&mut shared.places).unmap(&ProjectKey::new(PROJECT));
        }),
    ];
    for (state, reason, against) in rows {
        let mut pair = Pair::new();
        against(&mut pair.there.context.change());
        let effects = pair.there.reconciled_with(&pair.here);
        assert_eq!(standing(&effects), (state, Some(reason)));
        assert_eq!(pair.stored_there(), "", "{reason:?}");
        assert!(!effects.row.why.is_empty(), "{reason:?} is explained");

        let checkout = pair.there.checkout();
        for_it(&mut pair.there.context.change(), checkout);
        let effects = pair.there.reconciled_with(&pair.here);
        assert_eq!(standing(&effects), ("here", None), "after {reason:?}");
        assert_eq!(pair.stored_there(), pair.stored_here());
    }
}

#[test]
fn what_another_device_appends_is_appended() {
    let mut pair = Pair::synced();
    append(
        &transcript(&pair.here),
        &said(&pair.here.checkout(), "three"),
    );
    pair.record_and_deliver();
    let effects = pair.there.reconciled_with(&pair.here);
    assert_eq!(standing(&effects), ("here", None));
    assert_eq!(pair.stored_there(), pair.stored_here());
}

#[test]
fn a_session_that_is_open_in_its_tool_waits_and_continues_when_it_is_closed() {
    let mut pair = Pair::synced();
    // This test's process stands for the tool.
    let pid = std::process::id();
    let open = pair.there.store(&format!(".claude/sessions/{pid}.json"));
    let text = format!("{{\"pid\":{pid},\"sessionId\":\"{CLAUDE}\",\"status\":\"idle\"}}");
    fs::write(&open, text).expect("a mark");
    append(
        &transcript(&pair.here),
        &said(&pair.here.checkout(), "three"),
    );
    pair.record_and_deliver();
    let before = pair.stored_there();
    let effects = pair.there.reconciled_with(&pair.here);
    assert_eq!(standing(&effects), ("waiting", Some(Reason::Live)));
    assert_eq!(pair.stored_there(), before);
    fs::remove_file(open).expect("closed");
    let effects = pair.there.reconciled_with(&pair.here);
    assert_eq!(standing(&effects), ("here", None));
    assert_eq!(pair.stored_there(), pair.stored_here());
}

/// The author may withdraw its own lines: others follow after a few seconds, unless it withdraws in
/// more sessions than the user allows.
#[test]
fn an_end_that_its_author_withdrew_is_withdrawn_after_a_few_seconds() {
    let mut pair = Pair::synced();
    let before = pair.stored_there();
    let shorter = said(&pair.here.checkout(), "one");
    fs::write(transcript(&pair.here), &shorter).expect("shortened");
    pair.record_and_deliver();
    let effects = pair.there.reconciled_with(&pair.here);
    assert_eq!(standing(&effects), ("waiting", Some(Reason::TakenBack)));
    assert_eq!(pair.stored_there(), before);
    pair.there.wait(Duration::from_secs(6));
    let effects = pair.there.reconciled_with(&pair.here);
    assert_eq!(standing(&effects), ("here", None));
    assert_eq!(pair.stored_there(), pair.stored_here());
    assert!(kinds(&effects).contains(&HistoryKind::TakenBack));
    assert!(pair.there.vault().contains("two"), "the vault keeps it");
}

#[test]
fn a_withdrawal_beyond_what_the_user_allows_is_held() {
    let mut pair = Pair::synced();
    pair.there.context.change().max_rewritten = 0;
    let before = pair.stored_there();
    let shorter = said(&pair.here.checkout(), "one");
    fs::write(transcript(&pair.here), &shorter).expect("shortened");
    pair.record_and_deliver();
    for _ in 0..2 {
        let effects = pair.there.reconciled_with(&pair.here);
        assert_eq!(standing(&effects), ("held", Some(Reason::Rewritten)));
        assert_eq!(pair.stored_there(), before);
        pair.there.wait(Duration::from_secs(60));
    }
}

/// Not every version of a tool says that it has a session open.
#[test]
fn a_file_that_the_tool_wrote_a_moment_ago_is_not_rewritten_yet() {
    let mut pair = Pair::synced();
    pair.there.wait(Duration::from_secs(3600));
    // Written anew with the same lines: the file is the tool's now.
    let file = transcript(&pair.there);
    let stamp = |millis: i64| {
        let millis = u64::try_from(millis).expect("after 1970");
        let file = fs::File::options().append(true).open(&file).expect("there");
        let at = SystemTime::UNIX_EPOCH + Duration::from_millis(millis);
        file.set_modified(at).expect("its time");
    };
    fs::write(&file, pair.stored_there()).expect("written anew");
    stamp(pair.there.clock.now().0);
    let shorter = said(&pair.here.checkout(), "one");
    fs::write(transcript(&pair.here), &shorter).expect("shortened");
    pair.record_and_deliver();
    pair.there.record.released = true;
    let before = pair.stored_there();
    let effects = pair.there.reconciled_with(&pair.here);
    assert_eq!(standing(&effects), ("waiting", Some(Reason::JustWritten)));
    assert_eq!(pair.stored_there(), before);
    pair.there.wait(Duration::from_secs(6));
    let effects = pair.there.reconciled_with(&pair.here);
    assert_eq!(standing(&effects), ("here", None));
    assert_eq!(pair.stored_there(), pair.stored_here());
}

#[test]
fn a_session_deleted_here_comes_back_only_when_another_device_continues_it() {
    let mut pair = Pair::synced();
    fs::remove_file(transcript(&pair.there)).expect("deleted");
    let effects = pair.there.reconciled_with(&pair.here);
    assert_eq!(standing(&effects), ("elsewhere", Some(Reason::DeletedHere)));
    append(
        &transcript(&pair.here),
        &said(&pair.here.checkout(), "three"),
    );
    pair.record_and_deliver();
    let effects = pair.there.reconciled_with(&pair.here);
    assert_eq!(standing(&effects), ("here", None));
    assert_eq!(pair.stored_there(), pair.stored_here());
}

/// The branch that was recorded first keeps the id; the other one is left to a session of its own.
#[test]
fn two_continuations_are_a_split_with_one_fork_and_no_line_is_lost() {
    let mut pair = Pair::synced();
    append(
        &transcript(&pair.here),
        &said(&pair.here.checkout(), "at home"),
    );
    pair.here.reconcile("claude-code", CLAUDE);
    pair.there.wait(Duration::from_secs(60));
    append(
        &transcript(&pair.there),
        &said(&pair.there.checkout(), "on the train"),
    );
    pair.there.reconcile("claude-code", CLAUDE);
    pair.deliver();
    copy_folder(&pair.there, &pair.here);
    for effects in [
        pair.there.reconciled_with(&pair.here),
        pair.here.reconciled_with(&pair.there),
    ] {
        assert!(
            matches!(effects.row.split, SplitState::Open(_)),
            "{:?}",
            effects.row
        );
        assert_eq!(effects.layout.forks.len(), 1);
    }
    for device in [&pair.here, &pair.there] {
        let vault = device.vault();
        assert!(vault.contains("at home") && vault.contains("on the train"));
    }
}

#[test]
fn whoever_decided_gets_an_answer_even_if_the_journals_cannot_be_read() {
    let mut pair = Pair::new();
    let before = pair.here.record.clone();
    let three = said(&pair.here.checkout(), "three");
    append(&transcript(&pair.here), &three);
    pair.here.reconcile("claude-code", CLAUDE);
    // The state is lost, and where the safety copies are made there is a file.
    let kept = pair.here.dir.path().join("roam/kept");
    fs::remove_dir_all(&kept).expect("removed");
    fs::write(&kept, "a file where a directory should be").expect("write");
    let job = Job {
        record: before,
        decisions: vec![(5, Decision::Undo)],
        ..pair.here.job("claude-code", CLAUDE)
    };
    let effects = reconcile(&pair.here.context, job);
    let codes: Vec<_> = effects.problems.iter().map(|it| it.code).collect();
    assert_eq!(codes, [ProblemCode::JournalUnreadable]);
    let [(5, Err(refused))] = &effects.answers[..] else {
        panic!("{:?}", effects.answers)
    };
    assert_eq!(refused.code, ProblemCode::NotRecorded);
    assert!(!refused.actions.is_empty(), "{refused:?}");
}

/// The session left its directory before anything noted where the user wants it: to an engine that was
/// killed then, it was deleted.
#[test]
fn where_a_session_is_wanted_is_saved_before_it_leaves_its_place() {
    let mut pair = Pair::synced();
    let (old, wanted) = (transcript(&pair.there), pair.there.dir.path().join("tree"));
    fs::create_dir_all(&wanted).expect("a directory");
    let job = Job {
        pin: Some(wanted.clone()),
        ..pair.there.job_with(&pair.here)
    };
    let effects = reconcile(&pair.there.context, job);
    assert!(effects.again && old.exists(), "it moves with the next one");
    pair.there.record = effects.record;
    // An engine that is killed before it wrote the session to its new place.
    fs::remove_file(&old).expect("taken out");
    let effects = pair.there.reconciled_with(&pair.here);
    assert_eq!(standing(&effects), ("here", None));
    assert_eq!(effects.record.checkout_dir, Some(wanted));
    assert!(!old.exists());
}

/// The next start compares only what is not known to be complete.
#[test]
fn only_a_session_without_anything_left_to_do_is_remembered_as_seen() {
    let mut pair = Pair::synced();
    assert!(pair.there.reconciled_with(&pair.here).seen.is_some());
    append(
        &transcript(&pair.here),
        &said(&pair.here.checkout(), "three"),
    );
    pair.record_and_deliver();
    pair.there.context.change().paused = true;
    assert!(pair.there.reconciled_with(&pair.here).seen.is_none());
    pair.there.context.change().paused = false;
    // What was just written is compared once more.
    pair.there.reconciled_with(&pair.here);
    assert!(pair.there.reconciled_with(&pair.here).seen.is_some());
}
