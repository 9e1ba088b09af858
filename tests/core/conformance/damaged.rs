//! Field 12: records that a strict parser refuses are shown as far as possible, for every tool;
//! where nothing of a record can be read, its size is shown. The records are planted in each tool's
//! fixtures.

use super::cases::{Case, cases};
use super::{Device, content_of, only_session};
use session_roam_core::merge::transcript::{self, said_in};
use session_roam_core::session::chain::lines_of;
use session_roam_core::session::{DocKind, records};

/// The shown content of a main doc: the text of each message, in order.
fn shown(case: &Case, kind: DocKind, content: &[u8]) -> Vec<String> {
    let about = case.tool.about();
    let records = match about
        .records
        .or((kind == DocKind::Snapshot).then_some(transcript::records))
    {
        Some(records) => records(content),
        None => lines_of(content)
            .flat_map(records::records)
            .map(|record| record.value)
            .collect(),
    };
    records
        .iter()
        .filter_map(|record| said_in(record, about.read_message))
        .map(|said| said.text())
        .collect()
}

/// The line, or the document, with a first member that a strict parser refuses.
fn with_member(object: &[u8], value: &[u8]) -> Vec<u8> {
    assert_eq!(object.first(), Some(&b'{'));
    [b"{\"damaged\":", value, b",", &object[1..]].concat()
}

const REFUSED: [(&str, &[u8]); 4] = [
    ("surrogate", br#""x\ud83d""#),
    ("utf8", b"\"x\xff\""),
    ("nul", b"\"x\0\0y\""),
    ("nan", b"NaN"),
];

fn unreadable(bytes: usize) -> String {
    format!("unreadable record, {bytes} bytes")
}

#[test]
fn damaged_lines_are_shown_as_far_as_they_can_be() {
    let mut n_cases = 0;
    for case in cases() {
        let device = Device::of(&case);
        let found = only_session(&case, &device.machine);
        let content = content_of(&case, &device.machine, &found);
        if found.docs[0].kind != DocKind::Log || case.tool.about().records.is_some() {
            continue;
        }
        let show = |content: &[u8]| shown(&case, DocKind::Log, content);
        let Some(line) =
            lines_of(&content).find(|line| line.ends_with(b"}\n") && show(line).len() == 1)
        else {
            continue;
        };
        n_cases += 1;
        let (record, text) = (line.trim_ascii_end(), show(line).remove(0));
        let rows: [(&str, Vec<u8>, Vec<String>); 7] = [
            (
                "two",
                [record, record].concat(),
                vec![text.clone(), text.clone()],
            ),
            (
                "after_a_block_of_nul",
                [&[0; 512][..], record].concat(),
                vec![unreadable(512), text.clone()],
            ),
            ("only_nul", vec![0; 4096], vec![unreadable(4096)]),
            ("no_json", b"not json at all".to_vec(), vec![unreadable(15)]),
            ("its_first_bytes", record[..4].to_vec(), vec![unreadable(4)]),
            (
                "first_bytes_then_whole",
                [&record[..4], record].concat(),
                vec![unreadable(4), text.clone()],
            ),
            (
                "mark",
                [b"\xef\xbb\xbf", record, b"\r"].concat(),
                vec![text.clone()],
            ),
        ];
        for (rule, line, wanted) in rows {
            assert_eq!(
                show(&[&line[..], b"\n"].concat()),
                wanted,
                "{}: {rule}",
                case.name
            );
        }
        for (rule, value) in REFUSED {
            assert_eq!(
                show(&with_member(line, value)),
                std::slice::from_ref(&text),
                "{}: {rule}",
                case.name
            );
        }
        // Wherever the record is cut, something of it is shown.
        for cut in 1..record.len() {
            assert_eq!(show(&record[..cut]).len(), 1, "{}: cut at {cut}", case.name);
        }
        // Nothing else of the session changes.
        let content = &content[..content
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1)];
        let before = show(content);
        let planted = [content, b"\0\0\0\n"].concat();
        assert_eq!(
            show(&planted),
            [&before[..], &[unreadable(3)]].concat(),
            "{}",
            case.name
        );
    }
    assert!(n_cases >= 4, "{n_cases}");
}

#[test]
fn damaged_documents_are_shown_as_far_as_they_can_be() {
    let mut n_cases = 0;
    for case in cases() {
        let device = Device::of(&case);
        let found = only_session(&case, &device.machine);
        let (kind, content) = (
            found.docs[0].kind,
            content_of(&case, &device.machine, &found),
        );
        if kind == DocKind::Log && case.tool.about().records.is_none() {
            continue;
        }
        let show = |content: &[u8]| shown(&case, kind, content);
        let whole = show(&content);
        if whole.is_empty() || case.expect["opaque"] == true {
            continue; // nothing is read in these documents, so nothing in them is damaged
        }
        n_cases += 1;
        if content.first() == Some(&b'{') {
            for (rule, value) in REFUSED {
                assert_eq!(
                    show(&with_member(&content, value)),
                    whole,
                    "{}: {rule}",
                    case.name
                );
            }
        }
        assert_eq!(show(&[0; 4096]), [unreadable(4096)], "{}", case.name);
        // Cut off: everything that was complete before the cut is there.
        for cut in (1..=10).map(|tenth| content.len() * tenth / 10) {
            assert!(
                !show(&content[..cut]).is_empty(),
                "{}: cut at {cut}",
                case.name
            );
        }
    }
    assert!(n_cases >= 6, "{n_cases}");
}
