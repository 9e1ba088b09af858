//! What is written into a store, and what is refused.

use super::super::blobs::{self, hex_of};
use super::super::document::{self, Blob, Fields};
use super::super::tests::{ID, Place, blob, changed, document_of, golden, refusal};
use super::super::*;
use crate::adapter::{Stamp, WriteError};
use crate::formats::vscode::System;
use crate::merge::fork;
use crate::merge::snapshots::Judged;
use crate::session::SessionId;
use rusqlite::Connection;
use serde_json::{Value, json};
use std::fs;

#[test]
fn a_new_chat_has_the_tables_of_cursor_and_the_settings_of_this_device() {
    let (document, place) = (golden(), Place::new());
    let chat = place.write(ID, &document).expect("written");
    assert_eq!(list(&place.root()), std::slice::from_ref(&chat));
    assert_eq!(
        chat.bucket,
        bucket_of(&physical(&place.cwd()), System::HERE)
    );
    let again = document_of(&chat);
    let (was, now) = [&document, &again]
        .map(|bytes| Document::parse(bytes).expect("a document"))
        .into();
    assert_eq!(was.blobs, now.blobs);
    assert_eq!(now.chat["cwd"], physical(&place.cwd()));
    assert_eq!(
        (&now.chat["title"], &now.chat["updatedAtMs"]),
        (&json!("Notes"), &json!(7))
    );
    let steering = META_OF_DEVICE.map(|name| now.meta.get(name).cloned());
    let null = || Some(json!(null));
    let usual = [
        null(),
        null(),
        Some(json!(false)),
        null(),
        Some(json!("default")),
    ];
    assert_eq!(steering, usual);
    let connection = Connection::open(&chat.store).expect("open");
    let value = |sql: &str| {
        connection.query_row(sql, [], |row| {
            row.get_ref(0).map(|value| match value {
                rusqlite::types::ValueRef::Integer(number) => number.to_string(),
                other => other.as_str().unwrap_or_default().to_owned(),
            })
        })
    };
    let rows = [
        ("PRAGMA journal_mode", "wal"),
        ("PRAGMA user_version", "1"),
        (
            "SELECT group_concat(DISTINCT typeof(data)) FROM blobs",
            "blob",
        ),
    ];
    for (sql, wanted) in rows {
        assert_eq!(value(sql).expect(sql), wanted, "{sql}");
    }
    // Nothing of ours is left beside it.
    let names: Vec<_> = fs::read_dir(place.root())
        .expect("dir")
        .flatten()
        .map(|it| it.file_name())
        .collect();
    assert_eq!(names, [chat.bucket.as_str()]);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let dir = chat.store.parent().expect("dir");
        assert_eq!(dir.metadata().expect("dir").permissions().mode() & 0o77, 0);
    }
}

#[test]
fn a_chat_that_is_here_gets_what_it_lacks_and_keeps_what_is_its_own() {
    let (whole, place) = (golden(), Place::new());
    // Here the chat is at its first turn, has blobs of its own, and rows in another order.
    let first_root = "1fb9f52a84c8dae453dd54b31c1146b0c35591bd3e80a819ce925fd8f2f80d29";
    let own = blob(b"own");
    let chat = place.chat(&format!(
        "DELETE FROM blobs WHERE rowid > 16;
         INSERT OR REPLACE INTO blobs SELECT id, data FROM blobs WHERE rowid = 3;
         INSERT INTO blobs VALUES ('{}', X'6F776E');",
        hex_of(&own.id)
    ));
    let connection = Connection::open(&chat.store).expect("open");
    let stored: String = connection
        .query_row("SELECT value FROM meta", [], |row| row.get(0))
        .expect("meta");
    let mut meta: Fields = serde_json::from_slice(
        &data_encoding::HEXLOWER
            .decode(stored.as_bytes())
            .expect("hex"),
    )
    .expect("JSON");
    let key = meta["blobEncryptionKey"].clone();
    meta.insert("latestRootBlobId".into(), first_root.into());
    meta.insert("mode".into(), "plan".into());
    meta.insert("approvalMode".into(), "allowlist".into());
    meta.insert("lastDebugServerPort".into(), 4711.into());
    meta.insert("unheardOf".into(), true.into());
    connection
        .execute(
            "UPDATE meta SET value = ?1",
            [data_encoding::HEXLOWER.encode(document::object(&meta).as_bytes())],
        )
        .expect("meta");
    drop(connection);
    let chat = place.write(ID, &whole).expect("written");
    let now = Document::parse(&document_of(&chat)).expect("a document");
    let (mut ids, wanted) = (
        now.blobs.clone(),
        Document::parse(&whole).expect("a document"),
    );
    ids.retain(|blob| *blob != own);
    assert_eq!(ids, wanted.blobs, "the same blobs in the same order");
    assert!(now.blobs.contains(&own), "and the own one is still there");
    assert_eq!(now.root_id(), wanted.root_id());
    let connection = Connection::open(&chat.store).expect("open");
    let stored: String = connection
        .query_row("SELECT value FROM meta", [], |row| row.get(0))
        .expect("meta");
    let meta: Fields = serde_json::from_slice(
        &data_encoding::HEXLOWER
            .decode(stored.as_bytes())
            .expect("hex"),
    )
    .expect("JSON");
    let kept = [
        "blobEncryptionKey",
        "mode",
        "approvalMode",
        "lastDebugServerPort",
        "unheardOf",
    ]
    .map(|name| meta[name].clone());
    assert_eq!(
        kept,
        [
            key,
            json!("plan"),
            json!("allowlist"),
            json!(4711),
            json!(true)
        ]
    );
    let card: Fields =
        serde_json::from_slice(&fs::read(chat.store.with_file_name(SIDECAR)).expect("card"))
            .expect("JSON");
    assert_eq!(
        (&card["later"], &card["cwd"]),
        (&json!("kept"), &json!(place.cwd()))
    );
    // Twice is once.
    drop(connection);
    let before = document_of(&chat);
    let again = place.write(ID, &whole).expect("written");
    assert_eq!(document_of(&again), before);
}

#[test]
fn a_store_that_changed_or_is_being_written_is_left_alone() {
    let (document, place) = (golden(), Place::new());
    let chat = place.chat("");
    let before = document_of(&chat);
    let (root, cwd) = (place.root(), place.cwd());
    let was = |stamp: Stamp| Target {
        root: &root,
        id: ID,
        cwd: &cwd,
        was: Some((&chat.store, stamp)),
    };
    let old = write(&was(Stamp::default()), &document);
    assert!(matches!(old, Err(WriteError::Changed(_))), "{old:?}");
    let twice = write(
        &Target {
            was: None,
            ..was(chat.stamp)
        },
        &document,
    );
    assert!(matches!(twice, Err(WriteError::Changed(_))), "{twice:?}");
    let other = Connection::open(&chat.store).expect("open");
    other.execute_batch("BEGIN IMMEDIATE").expect("lock");
    let busy = write(&was(chat.stamp), &document);
    assert!(matches!(busy, Err(WriteError::Changed(_))), "{busy:?}");
    other.execute_batch("ROLLBACK").expect("unlock");
    assert_eq!(document_of(&chat), before);
    assert_eq!(find(&root, ID), Some(chat), "reading is no change");
}

#[test]
fn a_document_that_lies_is_refused() {
    let (document, place) = (golden(), Place::new());
    let text = String::from_utf8(document.clone()).expect("text");
    let with = |name: &str, value: Value| {
        changed(&document, |it| drop(it.meta.insert(name.into(), value)))
    };
    let without = |wanted: &dyn Fn(&Blob) -> bool| {
        changed(&document, |it| it.blobs.retain(|blob| !wanted(blob)))
    };
    let root = Document::parse(&document)
        .expect("a document")
        .root()
        .expect("a root");
    let end = Document::parse(&document).expect("a document").root_id();
    let turn = root.turns[0];
    let step = blobs::parts_of_turn(
        &Document::parse(&document)
            .expect("a document")
            .blobs
            .iter()
            .find(|blob| blob.id == turn)
            .expect("turn")
            .data,
    )
    .expect("parts")[1];
    let rows: [(Vec<u8>, &str); 15] = [
        (
            text.replace("note 1", "note 9").into_bytes(),
            "other bytes than its id",
        ),
        (
            text.replace("base64\":\"", "base64\":\"AAAA").into_bytes(),
            "other bytes than its id",
        ),
        (
            text.replace("\"base64\"", "\"hidden\"").into_bytes(),
            "is not a blob",
        ),
        (
            text.replacen("\"id\":\"", "\"id\":\"../", 1).into_bytes(),
            "is not a blob",
        ),
        (b"{\"blobs\":7}".to_vec(), "no chat of Cursor"),
        (b"not JSON".to_vec(), "no chat of Cursor"),
        (without(&|blob| Some(blob.id) == end), "is missing"),
        (without(&|blob| blob.id == root.messages[3]), "is missing"),
        (without(&|blob| blob.id == turn), "is missing"),
        (without(&|blob| blob.id == step), "is missing"),
        (
            with("latestRootBlobId", json!("")),
            "the end of the conversation is missing",
        ),
        (with("allowEverything", json!(true)), "may be a permission"),
        (with("createdAt", json!("now")), "\"createdAt\" has a value"),
        (
            with("subagentInfo", json!({ "parentAgentId": "p" })),
            "\"subagentInfo\" has a value",
        ),
        (with("agentId", json!("another")), "another chat"),
    ];
    for (document, why) in rows {
        let told = refusal(place.write(ID, &document));
        assert!(told.contains(why), "{told}\n{why}");
    }
    for id in ["../../x", "", "-rf", "a/b", "a\\b", "x.y"] {
        let named = with("agentId", json!(id));
        assert!(
            refusal(place.write(id, &named)).contains("another chat"),
            "{id}"
        );
    }
    let strange = changed(&document, |it| {
        drop(it.chat.insert("schemaVersion".into(), json!(2)))
    });
    assert!(refusal(place.write(ID, &strange)).contains("schemaVersion"));
    assert!(!place.root().exists(), "nothing was begun");
}

#[test]
fn a_fork_changes_the_id_and_no_blob() {
    let place = Place::new();
    let chat = place.chat("");
    // The chat's id in a blob, in text and in bytes.
    let named =
        blob(format!("{{\"role\":\"user\",\"content\":\"see {ID} and {ID}-x\"}}").as_bytes());
    let document = changed(&document_of(&chat), |it| it.blobs.push(named.clone()));
    let fork = SessionId::new("7d4e9a10-5c3b-4f2a-9e61-ffffffffffff");
    let mut forked = document.clone();
    fork::substitute(&mut forked, &SessionId::new(ID), &fork);
    assert_ne!(forked, document);
    let made = place.write(fork.as_str(), &forked).expect("written");
    let there =
        Document::parse(&read(&made.store, fork.as_str()).expect("read").document).expect("whole");
    assert!(there.blobs.contains(&named));
    assert_eq!(there.meta["agentId"], fork.as_str());
    assert_eq!(list(&place.root()).len(), 2);
}

#[test]
fn the_longer_chat_is_the_one_with_more_blobs_or_a_later_end() {
    let long = golden();
    let root = Document::parse(&long)
        .expect("a document")
        .root()
        .expect("a root");
    let added = |text: &[u8]| changed(&long, |it| it.blobs.push(blob(text)));
    let (one, other) = (added(b"one"), added(b"other"));
    assert_eq!(judge(&long, &long), Judged::Same);
    assert_eq!(
        (judge(&one, &long), judge(&long, &one)),
        (Judged::First, Judged::Second)
    );
    assert_eq!(judge(&one, &other), Judged::Both);
    assert_eq!(judge(&one, b"{}"), Judged::Both);
    let turned = changed(&long, |it| it.blobs.reverse());
    assert_eq!(
        judge(&turned, &long),
        Judged::Same,
        "the order is not content"
    );
    // With the same blobs, the end decides: the first turn's root has fewer messages.
    let earlier = changed(&long, |it| {
        let first = it.blobs.iter().find(|blob| {
            blobs::Root::parse(&blob.data)
                .is_some_and(|it| it.turns.len() == 1 && it.messages.len() < root.messages.len())
        });
        let id = hex_of(&first.expect("the first turn's root").id);
        it.meta.insert("latestRootBlobId".into(), id.into());
    });
    assert_eq!(
        (judge(&long, &earlier), judge(&earlier, &long)),
        (Judged::First, Judged::Second)
    );
}

#[test]
fn a_chat_is_put_away_whole_or_not_at_all() {
    let place = Place::new();
    let chat = place.chat("");
    let old = remove(&place.root(), &chat.store, Stamp::default());
    assert!(matches!(old, Err(WriteError::Changed(_))), "{old:?}");
    let notes = chat.store.with_file_name("notes.txt");
    fs::write(&notes, "mine").expect("notes");
    let strange = remove(&place.root(), &chat.store, chat.stamp);
    assert!(
        matches!(&strange, Err(WriteError::Refused(why)) if why.contains("notes.txt")),
        "{strange:?}"
    );
    fs::remove_file(notes).expect("remove");
    remove(&place.root(), &chat.store, chat.stamp).expect("put away");
    assert_eq!(list(&place.root()), []);
    assert!(!chat.store.parent().expect("dir").exists());
}
