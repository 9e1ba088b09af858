//! Vaults that an earlier engine wrote (`tests/fixtures/vaults/<date>/<tool>/<case>`), read by the
//! current engine: a device without a state of its own, and another one that gets the vaults from
//! it, have every session as it was then. Beside each vault is the content of the other device's
//! tool at the time of writing, as a map from doc to text (Base64 for binary content).
//! What was applied then and is not any more was taken out of these maps: checkpoints of Cline, the
//! states of the working tree that messages of OpenCode name, and what is not known in the card of a
//! sub-agent of Claude Code.
//!
//! Whenever the written format changes, the engine before that change adds a directory:
//! `WRITE_VAULTS=2026-11-29 cargo test -p session-roam-core --test core -- vaults_of_before`.

use super::fixtures::{Story, furnish};
use super::world::{World, copy_tree};
use crate::conformance::cases::{Case, cases};
use data_encoding::BASE64;
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::EncodePrivateKey;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use session_roam_core::api::{Request, Shown};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const DOCS: &str = "docs.json";

fn vaults() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/vaults")
}

/// Two paired devices that never ran before, the first with the key that signed the fixtures and
/// with a vault, if there is one.
fn devices(case: &Case, vault: Option<&Path>) -> (World, PathBuf) {
    let mut world = World::asleep(["desk", "lap"]);
    let desk = &world.devices[0];
    let key = SigningKey::from_bytes(&[7; 32])
        .to_pkcs8_pem(LineEnding::LF)
        .expect("a key");
    fs::create_dir_all(desk.roam.join("keys")).expect("directory");
    fs::write(desk.roam.join("keys/device.key"), key.as_bytes()).expect("written");
    if let Some(vault) = vault {
        copy_tree(vault, desk.vault().root());
    }
    let here = desk.project("api", "git@github.com:acme/api.git");
    let there = world.devices[1].project("work/acme api", "https://github.com/acme/api");
    furnish(&mut world.devices[1], case, &case.there, &there);
    if vault.is_none() {
        furnish(&mut world.devices[0], case, &case.home, &here);
    } else {
        world.devices[0].more_tools = vec![case.tool.clone()];
    }
    world.devices.iter_mut().for_each(|device| device.start());
    world.pair(0, 1);
    (world, there)
}

/// A doc without the directory of this run.
fn text(bytes: Vec<u8>, home: &Path) -> String {
    match String::from_utf8(bytes) {
        Ok(text) => text.replace(&*home.to_string_lossy(), "{home}"),
        Err(error) => format!("base64:{}", BASE64.encode(error.as_bytes())),
    }
}

/// The second device's content of the session, once it knows the project's directory there.
fn held(world: World, there: PathBuf, case: Case, session: &str) -> BTreeMap<String, String> {
    let mut story = Story {
        case,
        world,
        session: session.into(),
    };
    story.world.deliver();
    story.give_place(there);
    let home = story.world.devices[1].home.clone();
    story
        .contents(1)
        .into_iter()
        .map(|(doc, bytes)| (doc.to_string(), text(bytes, &home)))
        .collect()
}

fn write(date: &str) {
    for case in cases() {
        if !case.expect["requires"].is_null() {
            continue;
        }
        let dir = vaults().join(date).join(&case.name);
        let (mut world, there) = devices(&case, None);
        let name = case.name.clone();
        let session = world.devices[0].sessions()[0].session.clone();
        let vault = world.devices[0].vault().root().to_owned();
        world.deliver();
        let short = world.devices[0].short();
        copy_tree(&vault.join(&short), &dir.join("vault").join(&short));
        let docs = held(world, there, case, &session);
        assert!(!docs.is_empty(), "{name}");
        let all = serde_json::json!({ "session": session, "docs": docs });
        fs::write(
            dir.join(DOCS),
            serde_json::to_string_pretty(&all).expect("JSON") + "\n",
        )
        .expect("written");
    }
}

#[test]
fn vaults_of_before_are_read_as_they_were_written() {
    #[allow(clippy::disallowed_methods)] // given by the caller
    if let Ok(date) = std::env::var("WRITE_VAULTS") {
        write(&date);
    }
    let mut n_read = 0;
    for date in fs::read_dir(vaults())
        .expect("the fixtures")
        .map(|entry| entry.expect("an entry").path())
    {
        for case in cases() {
            let dir = date.join(&case.name);
            let Ok(written) = fs::read(dir.join(DOCS)) else {
                continue;
            };
            let written: serde_json::Value = serde_json::from_slice(&written).expect("JSON");
            let name = format!("{} of {}", case.name, date.display());
            let session = written["session"].as_str().expect("a session").to_owned();
            let (mut world, there) = devices(&case, Some(&dir.join("vault")));
            world.deliver();
            for at in [0, 1] {
                assert_eq!(
                    world.devices[at].problems(),
                    Vec::<String>::new(),
                    "{name}: device {at}"
                );
            }
            let shown: Shown = world.devices[0].ask(Request::show(&session));
            assert!(
                !shown.docs.is_empty(),
                "{name}: the device that wrote it shows it"
            );
            let docs = held(world, there, case, &session);
            for (doc, text) in written["docs"].as_object().expect("docs") {
                assert!(
                    docs.get(doc).is_some_and(|held| text == held),
                    "{name}: {doc} is not what it was"
                );
            }
            assert_eq!(
                docs.len(),
                written["docs"].as_object().map_or(0, |docs| docs.len()),
                "{name}"
            );
            n_read += 1;
        }
    }
    assert!(10 < n_read, "{n_read} cases were read");
}
