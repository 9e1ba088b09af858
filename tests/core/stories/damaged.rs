//! Field 12: records that a strict parser refuses sync like all others, and are shown and counted
//! on every device.

use super::splits::Parted;
use super::talk::{ONE, assert_carried, turn};
use super::world::World;
use session_roam_core::api::{Diff, ExportFormat, Exported, PartBody, Request, Shown, Side};
use std::path::Path;

/// Turns that no strict parser accepts, each with the texts shown of it.
fn damaged(cwd: &Path) -> Vec<(Vec<u8>, Vec<String>)> {
    let line = |text: &str| turn(cwd, ONE, text).trim_end().as_bytes().to_vec();
    let surrogate = turn(cwd, ONE, "half of")
        .replace("half of", r"half of \ud83d")
        .trim_end()
        .as_bytes()
        .to_vec();
    let binary = [
        &line("binary")[..line("binary").len() - 3],
        b" \xff\xfe",
        b"\"}}",
    ]
    .concat();
    let cut = line("cut off here")[..line("cut off here").len() - 8].to_vec();
    let unreadable = |bytes: usize| format!("unreadable record, {bytes} bytes");
    vec![
        (surrogate, vec!["half of \u{fffd}".into()]),
        (binary, vec!["binary \u{fffd}\u{fffd}".into()]),
        (
            [line("left"), line("right")].concat(),
            vec!["left".into(), "right".into()],
        ),
        (
            [vec![0; 512], line("after the power cut")].concat(),
            vec![unreadable(512), "after the power cut".into()],
        ),
        (cut, vec!["cut off".into()]),
        (vec![0; 4096], vec![unreadable(4096)]),
        (b"Killed: 9".to_vec(), vec![unreadable(9)]),
    ]
}

fn log(lines: &[(Vec<u8>, Vec<String>)]) -> Vec<u8> {
    lines
        .iter()
        .flat_map(|(line, _)| [&line[..], b"\n"].concat())
        .collect()
}

fn words(lines: &[(Vec<u8>, Vec<String>)]) -> Vec<String> {
    lines.iter().flat_map(|(_, words)| words.clone()).collect()
}

#[test]
fn damaged_records_are_shown_on_both_devices_and_in_exports() {
    let (mut world, here, _) = World::pair_of_devices();
    let path = world.devices[0].transcript(&here, ONE);
    let lines = damaged(&here);
    world.devices[0].say(&path, turn(&here, ONE, "hello"));
    world.devices[0].say(&path, log(&lines));
    world.deliver();
    assert_carried(&world.devices[0], &world.devices[1], ONE);
    let wanted = [vec!["hello".to_owned()], words(&lines)].concat();
    for device in &mut world.devices {
        let all: Shown = device.ask(Request::show(ONE));
        assert_eq!(
            all.messages
                .iter()
                .map(|message| message.text.clone())
                .collect::<Vec<_>>(),
            wanted
        );
        let mut paged = Vec::new();
        for from in 0..wanted.len() as u64 {
            let page: Shown = device.ask(Request::Show {
                session: ONE.into(),
                from,
                rows: Some(1),
            });
            assert_eq!((page.total, page.messages.len()), (wanted.len() as u64, 1));
            paged.push(page.messages[0].text.clone());
        }
        assert_eq!(paged, wanted);
        let last = wanted.len() as u64 - 1;
        let part: PartBody = device.ask(Request::ShowPart {
            session: ONE.into(),
            message: last,
            part: 0,
        });
        assert_eq!(part.text, wanted[last as usize]);
        for format in [ExportFormat::Markdown, ExportFormat::Json] {
            let exported: Exported = device.ask(Request::Export {
                session: ONE.into(),
                format,
                dir: None,
            });
            let text = exported.text.expect("a text");
            assert!(
                wanted.iter().all(|words| text.contains(words.as_str())),
                "{text}"
            );
        }
    }
}

#[test]
fn damaged_records_of_a_branch_are_counted_and_compared() {
    let mut parted = Parted::claude();
    let lines = damaged(&parted.here);
    let path = parted.world.devices[0].place_of(ONE).expect("placed");
    parted.world.devices[0].say(&path, log(&lines));
    let mut parted = parted.met();
    for device in &mut parted.world.devices {
        let diff: Diff = device.ask(Request::Diff {
            session: ONE.into(),
            branch: None,
            beside: None,
            from: 0,
            rows: 100,
            choices: false,
            bodies: false,
        });
        let wanted = [vec!["from desk".to_owned()], words(&lines)].concat();
        assert_eq!(diff.left.messages, wanted.len() as u64);
        let shown = diff
            .rows
            .iter()
            .filter_map(|row| row.left.as_ref())
            .map(|message| message.preview.clone());
        assert_eq!(shown.collect::<Vec<_>>(), wanted);
        for row in diff.rows.iter().filter(|row| row.left.is_some()) {
            let ask = Request::DiffPart {
                session: ONE.into(),
                branch: None,
                beside: None,
                row: row.i,
                side: Side::Left,
                part: 0,
            };
            let part: PartBody = device.ask(ask);
            assert_eq!(part.text, row.left.as_ref().expect("left").preview);
        }
    }
}
