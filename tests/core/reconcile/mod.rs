//! Reconciles single sessions in real stores and real vaults, without an engine and without a network.

mod generated;
mod two_devices;

use session_roam_core::reconcile::{
    Clock, Context, Effects, Job, SessionRecord, Shared, reconcile,
};
use session_roam_core::session::{
    Lane, Millis, ProblemCode, ProjectKey, SessionId, SessionKey, ToolId,
};
use session_roam_core::syncthing::device_id::from_cert_der;
use session_roam_core::tools::{self, Machine};
use session_roam_core::vault::keys::DeviceKey;
use session_roam_core::vault::{Owner, Vault};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

const CLAUDE: &str = "11111111-2222-4333-8444-555555555555";
const CODEX: &str = "01999999-2222-7333-8444-555555555555";

/// Noon, until the test moves it.
struct TestClock(AtomicI64);

const NOON: i64 = 1_795_000_000_000;

impl Clock for TestClock {
    fn now(&self) -> Millis {
        Millis(self.0.load(Ordering::Relaxed))
    }
}

/// A device with one checkout of `acme/api`.
struct Device {
    dir: tempfile::TempDir,
    context: Context,
    clock: Arc<TestClock>,
    record: SessionRecord,
}

/// A device's certificate and its secret.
type Identity = (&'static [u8], u8);

const HERE: Identity = (b"here", 7);
const THERE: Identity = (b"there", 8);

impl Device {
    fn new() -> Self {
        Self::of(HERE, &[HERE])
    }

    /// A device that approved these.
    fn of((certificate, secret): Identity, approved: &[Identity]) -> Self {
        let dir = tempfile::tempdir().expect("tempdir");
        let home = dir.path().join("home");
        let git = home.join("api/.git");
        std::fs::create_dir_all(&git).expect("dirs");
        std::fs::write(git.join("HEAD"), "ref: refs/heads/main\n").expect("head");
        std::fs::write(
            git.join("config"),
            "[remote \"origin\"]\n\turl = git@github.com:acme/api.git\n",
        )
        .expect("config");
        let key_of = |secret| DeviceKey::from_secret(&[secret; 32]);
        let owner = |(certificate, secret): &Identity| Owner {
            device: from_cert_der(certificate),
            key: key_of(*secret).public(),
        };
        let owners = approved.iter().map(owner);
        let shared = Shared {
            owners: owners.map(|owner| (owner.device.short(), owner)).collect(),
            max_rewritten: 3,
            ..Shared::default()
        };
        let (id, key) = (from_cert_der(certificate), key_of(secret));
        let clock = Arc::new(TestClock(AtomicI64::new(NOON)));
        let machine = Machine::at(home);
        let vault = Vault::at(&dir.path().join("roam"));
        let context = Context::new(
            vault,
            id,
            key,
            machine,
            tools::all(&[]),
            clock.clone(),
            shared,
        );
        Self {
            dir,
            context,
            clock,
            record: SessionRecord::default(),
        }
    }

    fn checkout(&self) -> PathBuf {
        self.context.machine.home.join("api")
    }

    fn store(&self, relative: &str) -> PathBuf {
        let path = self.context.machine.home.join(relative);
        std::fs::create_dir_all(path.parent().expect("parent")).expect("dirs");
        path
    }

    fn reconcile(&mut self, tool: &str, session: &str) -> Effects {
        let effects = self.try_look(tool, session, false);
        self.record = effects.record.clone();
        effects
    }

    /// A reconcile whose outcome is discarded; a dry one only decides.
    fn try_look(&self, tool: &str, session: &str, dry: bool) -> Effects {
        let job = Job {
            dry,
            ..self.job(tool, session)
        };
        reconcile(&self.context, job)
    }

    fn job(&self, tool: &str, session: &str) -> Job {
        let (tool, session) = (ToolId::new(tool), SessionId::new(session));
        Job {
            key: SessionKey::new(&tool, &session),
            session: Some(session),
            record: self.record.clone(),
            dirs: Vec::new(),
            lane: Lane::Priority,
            deep: false,
            dry: false,
            parent: None,
            decisions: Vec::new(),
            family: Default::default(),
            base: None,
            dependents: Default::default(),
            take_in: None,
            pin: None,
        }
    }

    /// The whole content of the vault, unpacked.
    fn vault(&self) -> String {
        let (mut dirs, mut text) = (vec![self.context.vault.root().to_path_buf()], String::new());
        while let Some(dir) = dirs.pop() {
            for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
                match entry.path() {
                    path if path.is_dir() => dirs.push(path),
                    path => text += &unpacked(&path),
                }
            }
        }
        text
    }
}

fn unpacked(path: &Path) -> String {
    let bytes = zstd::stream::decode_all(std::fs::File::open(path).expect("open")).expect("zstd");
    String::from_utf8_lossy(&bytes).into_owned()
}

fn append(path: &Path, text: &str) {
    use std::io::Write;
    let mut file = std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)
        .expect("open");
    file.write_all(text.as_bytes()).expect("write");
}

fn queued(words: &str) -> String {
    format!(
        "{{\"type\":\"queue-operation\",\"operation\":\"enqueue\",\"sessionId\":\"{CLAUDE}\",\"content\":\"{words}\"}}\n"
    )
}

fn said(cwd: &Path, words: &str) -> String {
    let cwd = serde_json::to_string(&cwd.to_string_lossy()).expect("text");
    format!(
        "{{\"type\":\"user\",\"message\":{{\"role\":\"user\",\"content\":\"{words}\"}},\"cwd\":{cwd},\"sessionId\":\"{CLAUDE}\"}}\n"
    )
}

#[test]
fn what_the_tool_writes_before_it_names_the_directory_waits_for_it() {
    let mut device = Device::new();
    let transcript = device.store(&format!(".claude/projects/-x/{CLAUDE}.jsonl"));
    append(&transcript, &queued("a prompt"));
    device.reconcile("claude-code", CLAUDE);
    assert_eq!(device.vault(), "");
    append(&transcript, &said(&device.checkout(), "an answer"));
    device.reconcile("claude-code", CLAUDE);
    let origin = device.record.origin().expect("a card").clone();
    assert_eq!(origin.project.key.as_str(), "git:github.com/acme/api");
    assert!(device.vault().contains("a prompt") && device.vault().contains("an answer"));
}

#[test]
fn nothing_of_an_excluded_project_is_recorded_before_the_directory_is_known() {
    let mut device = Device::new();
    device
        .context
        .change()
        .excluded
        .insert(ProjectKey::new("git:github.com/acme/api"));
    let transcript = device.store(&format!(".claude/projects/-x/{CLAUDE}.jsonl"));
    append(&transcript, &queued("secret prompt"));
    device.reconcile("claude-code", CLAUDE);
    append(&transcript, &said(&device.checkout(), "secret answer"));
    device.reconcile("claude-code", CLAUDE);
    assert_eq!(device.vault(), "");
}

/// The directory was asked for its project, and recording asked the session: what only the records
/// or git's list told of an excluded project was recorded.
#[test]
fn nothing_of_an_excluded_project_is_recorded_when_its_directory_is_gone_or_another() {
    let home = |device: &Device| device.context.machine.home.clone();
    let url = "\"git\":{\"repository_url\":\"git@github.com:acme/api.git\"},\"cwd\":";
    let rollout_in = |device: &Device, cwd: &Path| {
        let (own, cwd) = (device.checkout(), serde_json::to_string(cwd).expect("text"));
        let own = serde_json::to_string(&own).expect("text");
        let text = rollout(device).replacen(&own, &cwd, 1);
        let name = format!(".codex/sessions/2026/11/23/rollout-2026-11-23T11-16-34-{CODEX}.jsonl");
        append(&device.store(&name), &text.replacen("\"cwd\":", url, 1));
    };
    let gone = |device: &Device| {
        rollout_in(device, &home(device).join(".codex/worktrees/ab12/api"));
        ("codex", CODEX)
    };
    let listed = |device: &Device| {
        let entry = device.store("api/.git/worktrees/fix/gitdir");
        let tree = home(device).join("api-fix");
        std::fs::write(entry, tree.join(".git").to_string_lossy().as_bytes()).expect("entry");
        let transcript = device.store(&format!(".claude/projects/-x/{CLAUDE}.jsonl"));
        append(&transcript, &said(&tree, "secret"));
        ("claude-code", CLAUDE)
    };
    let replaced = |device: &Device| {
        let head = device.store("site/.git/HEAD");
        std::fs::write(head, "ref: refs/heads/main\n").expect("head");
        let config = "[remote \"origin\"]\n\turl = git@github.com:acme/site.git\n";
        std::fs::write(device.store("site/.git/config"), config).expect("config");
        rollout_in(device, &home(device).join("site"));
        ("codex", CODEX)
    };
    type Wrote<'a> = &'a dyn Fn(&Device) -> (&'static str, &'static str);
    let ways: [(&str, Wrote<'_>); 3] = [
        ("gone", &gone),
        ("listed", &listed),
        ("replaced", &replaced),
    ];
    for (name, wrote) in ways {
        for is_excluded in [true, false] {
            let mut device = Device::new();
            if is_excluded {
                let key = ProjectKey::new("git:github.com/acme/api");
                device.context.change().excluded.insert(key);
            }
            let (tool, session) = wrote(&device);
            for _ in 0..2 {
                device.reconcile(tool, session);
            }
            assert_eq!(device.vault().is_empty(), is_excluded, "{name}");
            let project = device
                .record
                .origin()
                .map(|card| card.project.key.to_string());
            let own = (!is_excluded).then(|| "git:github.com/acme/api".to_owned());
            assert_eq!(project, own, "{name}");
        }
    }
}

#[test]
fn a_directory_named_far_inside_a_long_transcript_is_found() {
    let mut device = Device::new();
    let transcript = device.store(&format!(".claude/projects/-x/{CLAUDE}.jsonl"));
    append(&transcript, &queued(&"x".repeat(300 << 10)));
    append(&transcript, &said(&device.checkout(), "here"));
    append(&transcript, &queued(&"y".repeat(300 << 10)));
    device.reconcile("claude-code", CLAUDE);
    assert_eq!(
        device.record.origin().expect("a card").project.key.as_str(),
        "git:github.com/acme/api"
    );
}

fn rollout(device: &Device) -> String {
    let cwd = serde_json::to_string(&device.checkout().to_string_lossy()).expect("text");
    let meta = format!(
        "{{\"type\":\"session_meta\",\"payload\":{{\"id\":\"{CODEX}\",\"timestamp\":\"2026-11-23T11:16:34.000Z\",\"cwd\":{cwd}}}}}\n"
    );
    let line = "{\"type\":\"response_item\",\"payload\":{\"type\":\"message\",\"role\":\"user\",\"content\":[]}}\n";
    meta + &line.repeat(100)
}

#[test]
fn a_thread_that_the_tool_compressed_is_the_same_thread() {
    let mut device = Device::new();
    let name = format!(".codex/sessions/2026/11/23/rollout-2026-11-23T11-16-34-{CODEX}.jsonl");
    let (plain, text) = (device.store(&name), rollout(&device));
    append(&plain, &text);
    device.reconcile("codex", CODEX);
    let before = device.record.docs.clone();
    std::fs::write(
        device.store(&format!("{name}.zst")),
        zstd::encode_all(text.as_bytes(), 3).expect("zstd"),
    )
    .expect("write");
    std::fs::remove_file(&plain).expect("remove");
    let effects = device.reconcile("codex", CODEX);
    for (doc, state) in &device.record.docs {
        assert_eq!(state.trie, before[doc].trie);
    }
    assert_eq!(effects.row.state.as_str(), "here");
    assert_eq!(device.record.bytes(), text.len() as u64);
}

#[test]
fn what_was_read_when_the_safety_copy_failed_is_read_again() {
    let mut device = Device::new();
    let transcript = device.store(&format!(".claude/projects/-x/{CLAUDE}.jsonl"));
    append(&transcript, &said(&device.checkout(), "one"));
    device.reconcile("claude-code", CLAUDE);
    append(&transcript, &said(&device.checkout(), "two"));
    let before = device.record.clone();
    device.reconcile("claude-code", CLAUDE);
    let whole = device.record.clone();
    // The state is lost after the journal was written, and the safety copy cannot be made at first.
    let (kept, aside) = (
        device.dir.path().join("roam/kept"),
        device.dir.path().join("aside"),
    );
    std::fs::rename(&kept, &aside).expect("rename");
    std::fs::write(&kept, "a file where a directory should be").expect("write");
    device.record = before;
    let effects = device.reconcile("claude-code", CLAUDE);
    assert!(
        effects
            .problems
            .iter()
            .any(|problem| problem.code == ProblemCode::JournalUnreadable),
        "{:?}",
        effects.problems
    );
    std::fs::remove_file(&kept).expect("remove");
    std::fs::rename(&aside, &kept).expect("rename");
    device.reconcile("claude-code", CLAUDE);
    assert_eq!(device.record.bytes(), whole.bytes());
    assert_eq!(
        device
            .record
            .journals
            .values()
            .map(|journal| journal.frames)
            .sum::<u64>(),
        2
    );
}

#[test]
fn a_plan_writes_nothing_not_even_a_journal() {
    let mut device = Device::new();
    let transcript = device.store(&format!(".claude/projects/-x/{CLAUDE}.jsonl"));
    append(&transcript, &said(&device.checkout(), "one"));
    device.reconcile("claude-code", CLAUDE);
    let before = device.vault();
    append(&transcript, &said(&device.checkout(), "two"));
    device.try_look("claude-code", CLAUDE, true);
    assert_eq!(device.vault(), before);
    device.reconcile("claude-code", CLAUDE);
    assert!(device.vault().contains("two"));
}

#[test]
fn what_is_too_large_for_one_piece_is_told_and_the_rest_is_recorded() {
    let mut device = Device::new();
    let transcript = device.store(&format!(".claude/projects/-x/{CLAUDE}.jsonl"));
    append(&transcript, &said(&device.checkout(), "one"));
    let huge = device.store(&format!(
        ".claude/projects/-x/{CLAUDE}/tool-results/huge.txt"
    ));
    std::fs::File::create(huge)
        .expect("create")
        .set_len((128 << 20) + 1)
        .expect("a sparse file");
    let effects = device.reconcile("claude-code", CLAUDE);
    assert_eq!(
        effects
            .problems
            .iter()
            .map(|problem| problem.code.as_str())
            .collect::<Vec<_>>(),
        ["too_large"]
    );
    assert!(device.vault().contains("one"));
}

#[test]
fn a_file_that_is_emptied_and_comes_back_is_what_it_was() {
    let mut device = Device::new();
    let transcript = device.store(&format!(".claude/projects/-x/{CLAUDE}.jsonl"));
    let whole = [
        said(&device.checkout(), "one"),
        said(&device.checkout(), "two"),
    ]
    .concat();
    append(&transcript, &whole);
    device.reconcile("claude-code", CLAUDE);
    let vault = device.vault();
    std::fs::write(&transcript, "").expect("emptied");
    device.reconcile("claude-code", CLAUDE);
    std::fs::write(&transcript, &whole).expect("back");
    let effects = device.reconcile("claude-code", CLAUDE);
    assert_eq!(
        (effects.row.state.as_str(), device.vault()),
        ("here", vault)
    );
}

#[test]
fn a_log_that_goes_back_to_an_earlier_state_counts_as_that_state() {
    let mut device = Device::new();
    let transcript = device.store(&format!(".claude/projects/-x/{CLAUDE}.jsonl"));
    let (one, two) = (
        said(&device.checkout(), "one"),
        said(&device.checkout(), "two"),
    );
    let three = said(&device.checkout(), "three");
    let states = [
        [one.clone(), two.clone()].concat(),
        [one.clone(), three].concat(),
        [one.clone(), two].concat(),
        one,
    ];
    for state in states.iter().chain([&states[0]]) {
        std::fs::write(&transcript, state).expect("rewritten");
        let effects = device.reconcile("claude-code", CLAUDE);
        let main = device.record.main_doc().expect("a doc");
        let (tips, local) = (main.trie.heads(), main.local.as_ref().expect("a file"));
        assert_eq!(
            (effects.row.state.as_str(), tips),
            ("here", vec![local.tip]),
            "at {state}"
        );
    }
}
