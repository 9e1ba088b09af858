//! Kiro's buckets, and what of `session.json` is not written.

use super::*;
use crate::session::Role;
use crate::tools::{Change, DocWrite};

const ID: &str = "sess_02f1c107-37e8-4398-8b95-c3847bf59335";
const LINE: &[u8] =
    b"{\"id\":\"m\",\"timestamp\":\"2026-09-14T08:00:01Z\",\"payload\":{\"type\":\"user\",\"content\":\"hi\"}}\n";

fn card(more: &str) -> Vec<u8> {
    format!(
        "{{\"schemaVersion\":\"1.0.0\",\"id\":\"{ID}\",\"workspacePaths\":[\"/elsewhere\"]{more}}}"
    )
    .into_bytes()
}

fn write(machine: &Machine, cwd: &Path, card: &[u8]) -> Result<Written, WriteError> {
    let (main, lines, name) = (DocName::new(MAIN), LINE.to_vec(), DocName::new(SESSION));
    let card = card.to_vec();
    let docs = vec![
        DocWrite {
            name: &name,
            place: "sessions/ffffffffffffffff/x/session.json",
            change: Change::Create(&card),
        },
        DocWrite {
            name: &main,
            place: "",
            change: Change::Create(&lines),
        },
    ];
    Kiro.write(
        machine,
        &Checkout {
            session: &SessionId::new(ID),
            cwd,
            updated: Millis(0),
            now: Millis(0),
            forgets: false,
            docs,
        },
    )
}

#[test]
fn a_bucket_does_not_depend_on_the_spelling_of_windows_or_the_order_of_paths() {
    assert_eq!(bucket_of(&["/home/ada/code/api"]).len(), 16);
    assert_eq!(bucket_of(&["C:\\Src\\Api"]), bucket_of(&["c:/src/api"]));
    assert_eq!(bucket_of(&["/a", "/b"]), bucket_of(&["/b", "/a"]));
    assert_ne!(bucket_of(&["/a", "/b"]), bucket_of(&["/a/b"]));
    // SHA-256 of “abc”.
    assert_eq!(bucket_of(&["ABC"]), "ba7816bf8f01cfea");
}

#[test]
fn a_session_goes_where_this_device_keeps_those_of_its_directory() {
    let home = tempfile::tempdir().expect("dir");
    let machine = Machine::at(home.path());
    let cwd = home.path().join("a b ä");
    fs::create_dir_all(&cwd).expect("dir");
    let paths = Value::from(vec![cwd.to_str().expect("text")]);
    let other = home
        .path()
        .join(".kiro/sessions/00112233445566aa/sess_11111111-37e8-4398-8b95-c3847bf59335");
    fs::create_dir_all(&other).expect("dir");
    fs::write(
        other.join(SESSION),
        serde_json::json!({ "workspacePaths": paths }).to_string(),
    )
    .expect("card");
    write(&machine, &cwd, &card("")).expect("written");
    let dir = home.path().join(".kiro/sessions/00112233445566aa").join(ID);
    let written: Value =
        serde_json::from_slice(&fs::read(dir.join(SESSION)).expect("card")).expect("JSON");
    assert_eq!(written["workspacePaths"], paths);
    assert_eq!(fs::read(dir.join(MAIN)).expect("lines"), LINE);
}

#[test]
fn what_is_not_known_of_a_session_is_not_written() {
    let home = tempfile::tempdir().expect("dir");
    let machine = Machine::at(home.path());
    for (more, why) in [
        (",\"trustedTools\":[\"*\"]", "a field “trustedTools”"),
        (",\"autonomyMode\":\"autopilot\"", "a field “autonomyMode”"),
        (",\"schemaVersion\":\"1.0.0\"", ""),
    ] {
        let refused = write(&machine, home.path(), &card(more));
        match why {
            "" => drop(refused),
            why => {
                let text = refused.expect_err(more).to_string();
                assert!(text.contains(why), "{text}");
                assert!(!home.path().join(".kiro").exists(), "{more}");
            }
        }
    }
    for odd in [
        &b"[]"[..],
        b"{",
        b"{\"schemaVersion\":\"2.0\",\"workspacePaths\":[]}",
    ] {
        let refused = write(&machine, home.path().join("x").as_path(), odd);
        assert!(matches!(refused, Err(WriteError::Refused(_))));
    }
}

#[test]
fn what_was_said_is_read_from_the_payload() {
    let record =
        |payload: Value| serde_json::json!({ "id": "m", "timestamp": "t", "payload": payload });
    let said = |payload: Value| {
        let record = record(payload);
        let message = shown::read_message(&record)?;
        assert_eq!((message.id, message.at), (Some("m"), Some("t")));
        let piece = &message.pieces[0];
        Some((
            message.role,
            piece.kind.to_owned(),
            piece.body.clone().into_owned(),
            piece.is_error,
        ))
    };
    let json = |text: &str| serde_json::from_str::<Value>(text).expect("JSON");
    for (payload, role, kind, body, is_error) in [
        (
            r#"{"type":"user","content":"hi"}"#,
            Role::User,
            "text",
            "hi",
            false,
        ),
        (
            r#"{"type":"assistant","operationType":"Say","content":"hi"}"#,
            Role::Assistant,
            "text",
            "hi",
            false,
        ),
        (
            r#"{"type":"assistant","operationType":"Reasoning","content":"hm"}"#,
            Role::Assistant,
            "thinking",
            "hm",
            false,
        ),
        (
            r#"{"type":"assistant","operationType":"Summary","content":"so far"}"#,
            Role::Assistant,
            "compaction",
            "so far",
            false,
        ),
        (
            r#"{"type":"tool_call","toolName":"run","args":{"command":"ls"}}"#,
            Role::Assistant,
            "tool_use",
            r#"{"command":"ls"}"#,
            false,
        ),
        (
            r#"{"type":"tool_result","content":"no","isError":true}"#,
            Role::Tool,
            "tool_result",
            "no",
            true,
        ),
        (
            r#"{"type":"sub_agent_complete","response":{"a":1}}"#,
            Role::Tool,
            "tool_result",
            r#"{"a":1}"#,
            false,
        ),
        (
            r#"{"type":"user","content":"","documents":[{"displayName":"a.md"}]}"#,
            Role::User,
            "file",
            "a.md",
            false,
        ),
    ] {
        assert_eq!(
            said(json(payload)),
            Some((role, kind.into(), body.into(), is_error)),
            "{payload}"
        );
    }
    assert_eq!(said(json(r#"{"type":"turn_end"}"#)), None);
    assert!(!shown::is_message(br#"{"payload":{"type":"turn_end"}}"#));
    assert!(shown::is_message(br#"{"payload":{"type":"new"}}"#) && shown::is_message(b"torn"));
}
