//! A forgotten session on real `roam`s and real Syncthings: afterwards no file of either home holds
//! a word of it, even where a device was away when it was forgotten. The tools are not needed.

use session_roam_testutils::checks::Place;
use session_roam_testutils::device::{Device, PATIENCE, pair, rows};
use session_roam_testutils::isolation::{alone, wait_for};
use session_roam_testutils::transcripts::{Session, TOOL, projects};
use std::fs;
use std::path::{Path, PathBuf};

const WORD: &str = "plumtreeword";

/// Without a grace period: the time to undo a forget has a story of its own.
fn without_grace(device: &Device) {
    let path = device.roam_home.join("config.toml");
    let text = fs::read_to_string(&path).expect("config.toml");
    fs::write(path, format!("{text}\n[guard]\nforget_after = 0\n")).expect("config.toml");
}

/// Every file below, unpacked if it is a segment, that holds the word or is named after the
/// session's id.
fn holding(dir: &Path, session: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut dirs = vec![dir.to_path_buf()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            let (path, kind) = (entry.path(), entry.file_type());
            if kind.as_ref().is_ok_and(|kind| kind.is_dir()) {
                dirs.push(path);
            } else if kind.is_ok_and(|kind| kind.is_file()) {
                let bytes = fs::read(&path).unwrap_or_default();
                let unpacked = unpacked(&bytes);
                let holds = |word: &str| {
                    [&bytes, &unpacked]
                        .iter()
                        .any(|bytes| contains(bytes, word.as_bytes()))
                };
                if holds(WORD) || holds(session) {
                    found.push(path);
                }
            }
        }
    }
    found.sort();
    found
}

fn contains(bytes: &[u8], word: &[u8]) -> bool {
    bytes.windows(word.len()).any(|window| window == word)
}

fn unpacked(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    // As many frames as can be read: an incomplete file counts, too.
    if let Ok(mut decoder) = zstd::stream::read::Decoder::new(bytes) {
        let _ = std::io::Read::read_to_end(&mut decoder, &mut out);
    }
    out
}

fn all_of(device: &Device, session: &str) -> Vec<PathBuf> {
    [
        holding(&device.roam_home, session),
        holding(&projects(device), session),
    ]
    .concat()
}

fn wait_gone(device: &Device, session: &Session) {
    wait_for(
        &format!("{} to hold nothing of it", device.name),
        PATIENCE,
        || match all_of(device, &session.id) {
            left if left.is_empty() => Ok(()),
            left => Err(format!("{left:?}; {}", device.roam(&["forget", "--list"]))),
        },
    );
}

/// The receipts that `device` knows, by device.
fn states(device: &Device) -> Vec<(String, String)> {
    let listed = device.roam(&["forget", "--list"]);
    let row = rows(&listed).next().expect("a forgotten session");
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let mut states: Vec<_> = rows(&row["receipts"])
        .map(|it| (text(&it["device"]), text(&it["state"])))
        .collect();
    states.sort();
    states
}

fn wait_states(device: &Device, expected: &[(&str, &str)]) {
    let mut expected: Vec<_> = expected
        .iter()
        .map(|(name, state)| ((*name).to_owned(), (*state).to_owned()))
        .collect();
    expected.sort();
    wait_for(
        &format!("{} to know the receipts", device.name),
        PATIENCE,
        || match states(device) {
            states if states == expected => Ok(()),
            states => Err(format!("{states:?}")),
        },
    );
}

#[test]
fn not_a_word_of_a_forgotten_session_is_left_in_any_home() {
    alone(|| {
        let place = Place::empty();
        let [mut desk, mut lap, mut attic] =
            ["desk", "lap", "attic"].map(|name| place.device(name));
        for device in [&mut desk, &mut lap, &mut attic] {
            without_grace(device);
            device.start();
        }
        pair(&desk, &lap);
        pair(&desk, &attic);
        pair(&lap, &attic);
        let session = Session::begin(&desk, 1, 40);
        session.say(WORD);
        let stays = Session::begin(&desk, 2, 3);
        for device in [&lap, &attic] {
            for session in [&session, &stays] {
                wait_for(&format!("{} to have it", device.name), PATIENCE, || {
                    let text = fs::read(session.on(device)).map_err(|error| error.to_string())?;
                    if text == session.bytes() {
                        Ok(())
                    } else {
                        Err(format!("{} bytes", text.len()))
                    }
                });
            }
        }
        session.say_on(&lap, &format!("{WORD} on lap"));
        wait_for("attic to have that, too", PATIENCE, || {
            let text = fs::read_to_string(session.on(&attic)).map_err(|error| error.to_string())?;
            if text.contains("on lap") {
                Ok(())
            } else {
                Err(text)
            }
        });
        assert!(
            [&desk, &lap, &attic]
                .iter()
                .all(|device| !all_of(device, &session.id).is_empty())
        );

        attic.stop();
        session.say_on(&attic, &format!("{WORD} on attic"));
        desk.roam(&["forget", &session.id, "--yes"]);
        wait_gone(&desk, &session);
        wait_gone(&lap, &session);
        wait_states(
            &desk,
            &[
                ("desk", "removed"),
                ("lap", "removed"),
                ("attic", "waiting"),
            ],
        );

        // The attic comes back, records what was said meanwhile, receives the forget, and removes
        // all of it.
        attic.start();
        wait_gone(&attic, &session);
        wait_states(
            &desk,
            &[
                ("desk", "removed"),
                ("lap", "removed"),
                ("attic", "removed"),
            ],
        );
        for device in [&mut desk, &mut lap, &mut attic] {
            device.stop();
            device.start();
        }
        stays.say("after that");
        for device in [&lap, &attic] {
            wait_for(
                &format!("{} to go on with the other", device.name),
                PATIENCE,
                || {
                    let text =
                        fs::read_to_string(stays.on(device)).map_err(|error| error.to_string())?;
                    if text.contains("after that") {
                        Ok(())
                    } else {
                        Err(text)
                    }
                },
            );
        }
        for device in [&desk, &lap, &attic] {
            assert_eq!(
                all_of(device, &session.id),
                Vec::<PathBuf>::new(),
                "nothing returns to {}",
                device.name
            );
            assert!(device.session(TOOL, &session.id).is_err());
            let status = device.roam(&["status"]);
            assert_eq!(
                rows(&status["problems"]).count(),
                0,
                "on {}: {}",
                device.name,
                status["problems"]
            );
        }
        for device in [&mut desk, &mut lap, &mut attic] {
            device.stop();
        }
    });
}
