//! Rows of several versions of the app, and what is made of them.

use super::*;
use serde_json::json;
use std::fs;
use std::sync::Arc;
use tempfile::TempDir;

const ID: &str = "11111111-1111-4111-8111-111111111111";
const OWN: &str = "77777777-7777-4777-8777-777777777777";

struct Home {
    tool: ClaudeDesktop,
    machine: Machine,
    dir: PathBuf,
    main: PathBuf,
    cwd: PathBuf,
    apps: Arc<Mutex<Vec<crate::formats::running::Running>>>,
    _temp: TempDir,
}

impl Home {
    /// A home in which one of the possible data directories exists, with rows.
    fn with(root: usize, rows: &[(&str, Value)]) -> Self {
        let temp = tempfile::tempdir().unwrap();
        let apps = Arc::<Mutex<Vec<_>>>::default();
        let machine = Machine {
            apps: apps.clone(),
            ..Machine::at(temp.path())
        };
        let root = places::roots(System::HERE, &machine).swap_remove(root);
        let dir = root.join(rows::FOLDER).join("account/organisation");
        let main = temp
            .path()
            .join(format!(".claude/projects/-code/{ID}.jsonl"));
        let cwd = temp.path().join("code");
        for dir in [&dir, main.parent().unwrap(), &cwd] {
            fs::create_dir_all(dir).unwrap();
        }
        for (name, row) in rows {
            fs::write(dir.join(name), row.to_string()).unwrap();
        }
        let line = json!({
            "type": "user", "entrypoint": "claude-desktop", "timestamp": "2026-11-23T09:00:00.000Z",
        });
        fs::write(&main, format!("{{\"type\":\"mode\"}}\n{line}\n")).unwrap();
        Self {
            tool: ClaudeDesktop::default(),
            machine,
            dir,
            main,
            cwd,
            apps,
            _temp: temp,
        }
    }

    fn enter_as(&self, id: &str, title: Option<&str>) -> Result<Entered, WriteError> {
        let entry = Entry {
            session: &SessionId::new(id),
            main: &self.main,
            cwd: &self.cwd,
            title,
            updated: Millis(1_795_500_000_000),
            now: Millis(1_795_600_000_000),
            made_for: None,
        };
        self.tool.enter(&self.machine, &entry)
    }

    fn enter(&self) -> Entered {
        self.enter_as(ID, Some("Fix it")).unwrap()
    }

    fn made(&self) -> Value {
        let bytes = fs::read(self.dir.join(format!("local_{ID}.json"))).unwrap();
        serde_json::from_slice(&bytes).unwrap()
    }
}

fn own_name() -> String {
    format!("local_{OWN}.json")
}

/// The first rows (spring 2026), those of July, and those of October.
fn eras() -> Vec<Value> {
    let first = json!({
        "sessionId": format!("local_{OWN}"), "cliSessionId": OWN, "cwd": "/code", "originCwd": "/code",
        "createdAt": 1, "lastActivityAt": 2, "model": "m", "isArchived": false, "title": "T",
    });
    let with = |base: &Value, more: Value| {
        let mut row = base.clone();
        row.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        row
    };
    let july = with(
        &first,
        json!({ "effort": "high", "permissionMode": "bypassPermissions", "spawnSeed": "s", "titleSource": "auto",
            "remoteMcpServersConfig": [{ "token": "planted" }], "enabledMcpTools": { "planted": true } }),
    );
    let october = with(
        &july,
        json!({ "completedTurns": null, "toolSurfaceSnapshot": { "planted": [1.5] }, "priorCliSessionIds": [],
            "bridgeSessionIds": ["planted"], "emailAddress": "planted", "sshConfig": null,
            "createdAt": 1.5, "lastActivityAt": 1_795_000_000_000.5 }),
    );
    vec![first, july, october]
}

#[test]
fn a_row_of_every_era_is_an_example_and_lends_only_model_and_effort() {
    for (root, own) in [0, 1]
        .into_iter()
        .flat_map(|root| eras().into_iter().map(move |own| (root, own)))
    {
        let home = Home::with(root, &[(&own_name(), own.clone())]);
        assert_eq!(home.tool.access(&home.machine), Access::Open);
        assert_eq!((home.enter(), home.enter()), (Entered::Made, Entered::Made));
        let made = home.made();
        assert_eq!(made["model"], own["model"]);
        assert_eq!(made.get("effort"), own.get("effort"));
        let text = made.to_string();
        assert!(
            !text.contains("planted") && !text.contains("bypass"),
            "{text}"
        );
        let keys: Vec<&str> = made
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        for key in &keys {
            let allowed = [
                "sessionId",
                "cliSessionId",
                "cwd",
                "originCwd",
                "createdAt",
                "lastActivityAt",
                "model",
                "effort",
                "isArchived",
                "title",
                "permissionMode",
                "sessionPermissionUpdates",
                "alwaysAllowedReasons",
                "indexedAt",
                "adoptedFromOtherSurface",
            ];
            assert!(allowed.contains(key), "{key}");
        }
        assert_eq!(made["permissionMode"], "default");
        assert_eq!(home.tool.n_entries(&home.machine), 2);
        let names = fs::read_dir(&home.dir).unwrap().count();
        assert_eq!(names, 2, "nothing else is left there");
    }
}

#[test]
fn the_newest_row_decides_the_account_and_unreadable_ones_decide_nothing() {
    let old = eras().swap_remove(0);
    let home = Home::with(0, &[(&own_name(), old)]);
    let other = home
        .dir
        .parent()
        .unwrap()
        .parent()
        .unwrap()
        .join("other/org");
    fs::create_dir_all(&other).unwrap();
    let mut newer = eras().swap_remove(2);
    newer["model"] = "newer".into();
    fs::write(other.join(own_name()), newer.to_string()).unwrap();
    for (name, text) in [
        ("local_broken.json", "{\"sessionId\""),
        ("local_list.json", "[]"),
        (
            "local_null.json",
            "{\"sessionId\":null,\"lastActivityAt\":1e300}",
        ),
        ("local_x.json.tmp", "{}"),
    ] {
        fs::write(other.join(name), text).unwrap();
    }
    assert_eq!(home.enter(), Entered::Made);
    let made = fs::read(other.join(format!("local_{ID}.json"))).unwrap();
    let made: Value = serde_json::from_slice(&made).unwrap();
    assert_eq!(made["model"], "newer");
}

#[test]
fn a_session_that_any_row_names_has_one() {
    for field in [
        "cliSessionId",
        "unarchivedCliSessionId",
        "preClearCliSessionId",
        "priorCliSessionIds",
    ] {
        let mut row = eras().swap_remove(1);
        row[field] = match field {
            "priorCliSessionIds" => json!([1, ID.to_uppercase()]),
            _ => ID.into(),
        };
        let home = Home::with(0, &[(&own_name(), row)]);
        assert_eq!(home.enter(), Entered::Settled, "{field}");
    }
}

#[test]
fn rows_are_read_again_only_when_the_app_changed_them() {
    let home = Home::with(0, &[(&own_name(), eras().swap_remove(1))]);
    assert_eq!(home.enter(), Entered::Made);
    // Unnoticed, because nothing in the directory has changed since: the index is kept.
    let own = home.dir.join(own_name());
    let text = fs::read_to_string(&own)
        .unwrap()
        .replace(OWN, "22222222-2222-4222-8222-222222222222");
    fs::write(&own, text).unwrap();
    let second = "22222222-2222-4222-8222-222222222222";
    assert!(!home.tool.index(&installed(&home.machine)).has(second));
    fs::rename(&own, home.dir.join("local_moved.json")).unwrap();
    // Two changes within one tick of the file system's clock have the same time.
    let (dir, epoch) = (fs::File::open(&home.dir).unwrap(), std::time::UNIX_EPOCH);
    dir.set_modified(epoch + std::time::Duration::from_secs(9))
        .unwrap();
    assert!(home.tool.index(&installed(&home.machine)).has(second));
    assert_eq!(home.enter_as(second, None).unwrap(), Entered::Settled);
}

#[test]
fn what_another_device_sends_is_cut_to_size() {
    let home = Home::with(0, &[(&own_name(), eras().swap_remove(1))]);
    let title = format!("a\u{202e}b\n{}", "😀".repeat(300));
    let entered = home.enter_as(ID, Some(&title)).unwrap();
    assert_eq!(entered, Entered::Made);
    let made = home.made();
    let title = made["title"].as_str().unwrap();
    assert!(
        title.encode_utf16().count() <= 200 && title.starts_with("a\u{fffd}b 😀"),
        "{title}"
    );
    assert_eq!(made["createdAt"], 1_795_424_400_000_i64);
    assert_eq!(home.enter_as("../../x", None).unwrap(), Entered::NotIts);
}

#[test]
fn no_row_is_made_while_the_app_runs_or_for_another_store() {
    let home = Home::with(0, &[(&own_name(), eras().swap_remove(1))]);
    home.apps
        .lock()
        .unwrap()
        .push(crate::formats::running::Running {
            pid: 7,
            exe: "/opt/claude-desktop/claude-desktop".into(),
            ..Default::default()
        });
    let Entered::Waits(why) = home.enter() else {
        panic!("it runs");
    };
    assert!(
        why.starts_with("Claude Desktop is running (process 7): "),
        "{why}"
    );
    home.apps.lock().unwrap().clear();
    let other = home.machine.home.join(".claude-work/projects/-code");
    fs::create_dir_all(&other).unwrap();
    let main = other.join(format!("{ID}.jsonl"));
    fs::copy(&home.main, &main).unwrap();
    let home = Home { main, ..home };
    assert_eq!(
        home.enter(),
        Entered::NotIts,
        "the app reads the usual store"
    );
}

#[test]
fn a_row_that_continues_an_earlier_session_stays_when_that_one_is_forgotten() {
    let mut row = eras().swap_remove(1);
    row["cliSessionId"] = ID.into();
    let session = SessionId::new(ID);
    let home = Home::with(0, &[(&own_name(), row.clone())]);
    home.tool
        .remove(&home.machine, &|id| *id == session)
        .unwrap();
    assert_eq!(fs::read_dir(&home.dir).unwrap().count(), 0);
    row["priorCliSessionIds"] = json!([OWN]);
    let home = Home::with(0, &[(&own_name(), row)]);
    home.tool
        .remove(&home.machine, &|id| *id == session)
        .unwrap();
    assert_eq!(fs::read_dir(&home.dir).unwrap().count(), 1);
}
