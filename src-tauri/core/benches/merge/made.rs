//! Made-up sessions and the journals that three devices would have of them. Contains nobody's real
//! text.

use session_roam_core::reconcile::{Context, Shared, SystemClock};
use session_roam_core::session::device_id::device_id_of_cert;
use session_roam_core::session::{
    Chain, ChainId, DeviceId, DocName, Hlc, Lane, Millis, Project, ProjectKey, SessionId,
    SessionKey, ToolId,
};
use session_roam_core::tools::{self, Machine};
use session_roam_core::vault::journal::SEGMENT_BYTES;
use session_roam_core::vault::keys::DeviceKey;
use session_roam_core::vault::{
    Entry, Frame, Journal, Owner, Segment, SessionCard, Vault, VaultPath, frame, segment_name,
};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// 2026-10-20T08:00:00Z: the same on every day.
const BEGIN_MS: i64 = 1_792_483_200_000;
/// A frame of a first import.
pub const IMPORT: usize = 1 << 20;

/// Pseudo-random numbers, the same for the same seed (SplitMix64, public domain).
pub struct Dice(pub u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }

    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A record's size: 740 B in the middle, 3.5 KB at the 90th percentile, one in 20,000 above 100
    /// KB (figures published for one user's store of 1,065 transcripts in 2026).
    fn record_size(&mut self) -> usize {
        if self.below(20_000) == 0 {
            return 120_000 + self.below(500_000) as usize;
        }
        let (radius, angle) = (self.unit().max(1e-12), self.unit());
        let gauss = (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos();
        (740.0 * (1.2125 * gauss).exp()) as usize
    }

    pub fn uuid(&mut self) -> String {
        let (high, low) = (self.next(), self.next());
        let (first, second, third) = (high >> 32, high >> 16 & 0xffff, high & 0xfff);
        format!(
            "{first:08x}-{second:04x}-4{third:03x}-{:04x}-{:012x}",
            0x8000 | low >> 50,
            low & 0xffff_ffff_ffff
        )
    }
}

/// The tool whose line format a session has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shape {
    Claude,
    Codex,
}

/// Writes a session's lines in order.
pub struct Writer {
    pub shape: Shape,
    pub id: String,
    parent: String,
    now_ms: i64,
    pub dice: Dice,
    /// Sessions quote the same files again and again, which makes them small in a journal.
    seen: String,
}

const WORDS: &str = "the of a to in file session fn let mut self match error result parse lexer config thread pool token span \
test fails because returns option string index buffer stream reader writer append journal merge branch tip node edge \
queue lock shared state value path root device folder scan should would could change again still works looks run \
src/session.rs src/main.rs tests/merge.rs cargo check clippy warning expected actual left right panicked at unwrap \
größer naïve 設定 → impl struct enum pub mod use crate super where async await vec map filter collect iter next";

impl Writer {
    pub fn new(shape: Shape, seed: u64) -> Self {
        let mut dice = Dice(seed);
        let id = dice.uuid();
        Self {
            shape,
            id,
            parent: dice.uuid(),
            now_ms: BEGIN_MS,
            dice,
            seen: String::new(),
        }
    }

    /// Lines up to a total of about `bytes`.
    pub fn lines(&mut self, bytes: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes + (1 << 16));
        while out.len() < bytes {
            let size = self.dice.record_size();
            self.line(&mut out, size);
        }
        out
    }

    /// One line of about `size` bytes.
    pub fn line(&mut self, out: &mut Vec<u8>, size: usize) {
        self.now_ms += 200 + self.dice.below(40_000) as i64;
        let at = Millis(self.now_ms).rfc3339();
        let (user, noted) = (self.dice.below(3) == 0, self.dice.below(100) < 6);
        let around = if self.shape == Shape::Claude {
            420
        } else {
            180
        };
        let text = self.text(size.saturating_sub(around).max(24));
        let uuid = self.dice.uuid();
        let line = match self.shape {
            Shape::Claude if noted => {
                format!(
                    "{{\"type\":\"last-prompt\",\"lastPrompt\":\"{:.60}\",\"sessionId\":\"{}\"}}\n",
                    "go on", self.id
                )
            }
            Shape::Claude => {
                let (role, content) = if user {
                    (
                        "user",
                        format!(
                            "[{{\"tool_use_id\":\"toolu_{:.8}\",\"type\":\"tool_result\",\"content\":\"{text}\"}}]",
                            uuid
                        ),
                    )
                } else {
                    (
                        "assistant",
                        format!(
                            "[{{\"type\":\"text\",\"text\":\"{text}\"}}],\"usage\":{{\"input_tokens\":3}}"
                        ),
                    )
                };
                let parent = std::mem::replace(&mut self.parent, uuid.clone());
                format!(
                    "{{\"parentUuid\":\"{parent}\",\"isSidechain\":false,\"userType\":\"external\",\"cwd\":\"/home/ada/code/parser\",\"sessionId\":\"{}\",\"version\":\"2.1.330\",\"gitBranch\":\"main\",\"type\":\"{role}\",\"message\":{{\"role\":\"{role}\",\"content\":{content}}},\"uuid\":\"{uuid}\",\"timestamp\":\"{at}\"}}\n",
                    self.id
                )
            }
            Shape::Codex if noted => format!(
                "{{\"timestamp\":\"{at}\",\"type\":\"event_msg\",\"payload\":{{\"type\":\"token_count\",\"info\":null}}}}\n"
            ),
            Shape::Codex if user => format!(
                "{{\"timestamp\":\"{at}\",\"type\":\"response_item\",\"payload\":{{\"type\":\"function_call_output\",\"call_id\":\"call_{:.8}\",\"output\":\"{text}\"}}}}\n",
                uuid
            ),
            Shape::Codex => format!(
                "{{\"timestamp\":\"{at}\",\"type\":\"response_item\",\"payload\":{{\"type\":\"message\",\"role\":\"assistant\",\"content\":[{{\"type\":\"output_text\",\"text\":\"{text}\"}}]}}}}\n"
            ),
        };
        out.extend_from_slice(line.as_bytes());
    }

    /// Text in JSON's form, with line ends and quotes escaped.
    fn text(&mut self, size: usize) -> String {
        let words: Vec<&str> = WORDS.split_whitespace().collect();
        let mut text = String::with_capacity(size + 32);
        if self.dice.below(10) < 4 && 2 * size < self.seen.len() {
            let from = self.dice.below((self.seen.len() - size) as u64) as usize;
            let from = (from..)
                .find(|at| self.seen.is_char_boundary(*at))
                .unwrap_or_default();
            let to = (from + size..)
                .find(|at| self.seen.len() <= *at || self.seen.is_char_boundary(*at));
            text.push_str(
                &self.seen[from..to.unwrap_or(self.seen.len()).min(self.seen.len())]
                    .replace('\\', " "),
            );
            text = text.replace('"', " ");
        }
        while text.len() < size {
            let skewed = self
                .dice
                .below(words.len() as u64)
                .min(self.dice.below(words.len() as u64));
            text.push_str(words[skewed as usize]);
            match self.dice.below(24) {
                0 => text.push_str("\\n    "),
                1 => text.push_str(&format!(" \\\"{:x}\\\" ", self.dice.below(1 << 28))),
                2 => text.push_str(&format!("_{}(", self.dice.below(5000))),
                _ => text.push(' '),
            }
        }
        if self.seen.len() < 4 << 20 {
            self.seen.push_str(&text);
        }
        text
    }
}

/// A device that writes journals; its vault contains what a reader has of it.
pub struct Device {
    pub name: &'static str,
    pub id: DeviceId,
    pub key: DeviceKey,
}

impl Device {
    /// Three devices, the one whose journals are read last first: it begins the sessions, so that
    /// all lines of the others must wait for its beginning.
    pub fn three() -> [Self; 3] {
        let mut devices = ["desk", "laptop", "server"].map(|name| Self {
            name,
            id: device_id_of_cert(name.as_bytes()),
            key: DeviceKey::from_secret(blake3::hash(name.as_bytes()).as_bytes()),
        });
        devices.sort_by_key(|device| std::cmp::Reverse(device.id.short()));
        devices
    }
}

/// The lines that a device recorded after a chain id, in frames of about this size.
pub struct Written<'a> {
    pub device: &'a Device,
    pub after: ChainId,
    pub bytes: &'a [u8],
    pub frame: usize,
    /// Minutes after the beginning.
    pub minute: i64,
}

pub type Dirs = Vec<(String, Lane, String)>;

/// A session as stored in the vault.
#[derive(Clone)]
pub struct Made {
    pub key: SessionKey,
    pub dirs: Dirs,
    pub doc: DocName,
    /// Bytes of lines, each counted once.
    pub bytes: u64,
    /// The lines of every device as plain bytes.
    pub plain: Vec<Vec<u8>>,
}

/// The context of a fourth device, which only reads.
pub fn reader(home: &Path, devices: &[Device]) -> Context {
    let (id, key) = (
        device_id_of_cert(b"reader"),
        DeviceKey::from_secret(&[9; 32]),
    );
    let mut shared = Shared::default();
    for (id, public, name) in devices
        .iter()
        .map(|d| (&d.id, d.key.public(), d.name))
        .chain([(&id, key.public(), "reader")])
    {
        shared.owners.insert(
            id.short(),
            Owner {
                device: id.clone(),
                key: public,
            },
        );
        shared.names.insert(id.short(), name.into());
    }
    let machine = Machine::at(home.join("home"));
    Context::new(
        Vault::at(home),
        id,
        key,
        machine,
        tools::all(&[]),
        Arc::new(SystemClock),
        shared,
    )
}

/// The chain id of the last line.
pub fn tip_of(after: ChainId, bytes: &[u8]) -> ChainId {
    let mut chain = Chain::from(after);
    chain.feed(bytes);
    chain.tip
}

/// The last line end before `at`.
pub fn line_end(bytes: &[u8], at: usize) -> usize {
    bytes[..at]
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |end| end + 1)
}

pub fn key_of(shape: Shape, id: &str) -> (SessionKey, SessionId, DocName) {
    let (tool, doc) = match shape {
        Shape::Claude => ("claude-code", format!("{id}.jsonl")),
        Shape::Codex => ("codex", format!("rollout-2026-10-20T08-00-00-{id}.jsonl")),
    };
    let id = SessionId::new(id);
    (
        SessionKey::new(&ToolId::new(tool), &id),
        id,
        DocName::new(doc),
    )
}

/// Writes the devices' records of a session into a vault, like their engines.
pub fn write_journals(
    vault: &Vault,
    (key, id, doc): &(SessionKey, SessionId, DocName),
    written: &[Written<'_>],
) -> Dirs {
    let mut journals: BTreeMap<String, (Journal, u32)> = BTreeMap::new();
    for run in written {
        let short = run.device.id.short();
        let dir = VaultPath::journal_dir(
            &short,
            Lane::Priority,
            key,
            &ProjectKey::new("git:example/parser"),
        );
        let (journal, number) = journals
            .entry(short.clone())
            .or_insert_with(|| (Journal::new(&short, Lane::Priority, dir), 0));
        let (mut after, mut rest) = (run.after, run.bytes);
        let mut at = Hlc {
            wall: Millis(BEGIN_MS + run.minute * 60_000),
            count: 0,
        };
        while !rest.is_empty() {
            let least = run.frame.min(rest.len());
            let end = least
                + rest[least - 1..]
                    .iter()
                    .position(|byte| *byte == b'\n')
                    .unwrap_or_default();
            let (piece, later) = rest.split_at(end);
            let tip = tip_of(after, piece);
            let lines = Entry::Lines {
                doc: doc.clone(),
                at: String::new(),
                after,
                tip,
                replaces: None,
                bytes: piece.to_vec(),
            };
            let about = (journal.frames == 0).then(|| Entry::About(card(doc)));
            append(
                vault,
                journal,
                number,
                run.device,
                (key, id),
                about.into_iter().chain([lines]).collect(),
                at,
            );
            (after, rest) = (tip, later);
            at.count += 1;
        }
    }
    journals
        .into_values()
        .map(|(journal, _)| (journal.device, journal.lane, journal.dir))
        .collect()
}

/// Does not sync each frame to disk, which a benchmark of reading need not wait for.
fn append(
    vault: &Vault,
    journal: &mut Journal,
    number: &mut u32,
    device: &Device,
    (key, id): (&SessionKey, &SessionId),
    entries: Vec<Entry>,
    at: Hlc,
) {
    let head = journal.next_head(&device.id, device.name, &key.tool, id, at);
    let (bytes, hash) = frame::render(&head, &entries, |message| device.key.sign(message).to_vec());
    if journal
        .segments
        .last()
        .is_none_or(|last| SEGMENT_BYTES <= last.bytes)
    {
        *number += 1;
        journal.segments.push(Segment {
            number: *number,
            bytes: 0,
            check: String::new(),
        });
    }
    let path = vault.file(&format!("{}/{}", journal.dir, segment_name(*number)));
    std::fs::create_dir_all(path.parent().expect("a segment lies in a directory"))
        .expect("a directory");
    let mut file = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .expect("a segment");
    std::io::Write::write_all(&mut file, &bytes).expect("a frame");
    journal.segments.last_mut().expect("pushed above").bytes += bytes.len() as u64;
    journal.frames += 1;
    journal.last = Some(Frame::own(head, entries, hash).hash);
}

fn card(doc: &DocName) -> SessionCard {
    SessionCard {
        project: Project {
            names: vec!["parser".into()],
            ..Project::new(ProjectKey::new("git:example/parser"))
        },
        cwd: Some("/home/ada/code/parser".into()),
        title: Some("The parser".into()),
        updated: Millis(BEGIN_MS),
        version: None,
        requires: Vec::new(),
        part_of: None,
        main: doc.clone(),
        base: None,
        fork: None,
    }
}

/// A session of about `bytes` that one device began and two others continued, each in its own way;
/// `frame` is the size of a frame.
pub fn split_session(
    context: &Context,
    devices: &[Device; 3],
    shape: Shape,
    seed: u64,
    bytes: usize,
    frame: usize,
) -> Made {
    let mut writer = Writer::new(shape, seed);
    let begun = writer.lines(bytes * 7 / 10);
    let (first, second) = (
        writer.lines(bytes * 15 / 100),
        writer.lines(bytes * 15 / 100),
    );
    let ids = key_of(shape, &writer.id);
    let start = ChainId::log_start();
    let parting = tip_of(start, &begun[..line_end(&begun, begun.len() * 9 / 10)]);
    let written = [
        Written {
            device: &devices[0],
            after: start,
            bytes: &begun,
            frame,
            minute: 0,
        },
        Written {
            device: &devices[1],
            after: parting,
            bytes: &first,
            frame,
            minute: 60,
        },
        Written {
            device: &devices[2],
            after: parting,
            bytes: &second,
            frame,
            minute: 90,
        },
    ];
    let dirs = write_journals(&context.vault, &ids, &written);
    let bytes = (begun.len() + first.len() + second.len()) as u64;
    let (key, _, doc) = ids;
    Made {
        key,
        dirs,
        doc,
        bytes,
        plain: vec![begun, first, second],
    }
}
