//! The beginning of a conversation, up to one of its messages, from which a tool can continue: no
//! call of a tool is cut from its result. Pure.

use super::transcript::{MessageReader, said_in};
use crate::session::chain::lines_of;
use crate::session::{Role, records};
use serde_json::Value;
use std::collections::BTreeSet;

/// The beginning of a log or of a document's records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix {
    /// Its length: bytes of a log, or records.
    pub end: usize,
    /// The number of its messages.
    pub messages: usize,
}

/// Records nested deeper are not searched for calls.
const DEEPEST: u8 = 12;

/// The beginning of a log with its first `wanted` messages; with more if a call would be cut from
/// its result, and with fewer if the call never got one. `trails` says whether a line belongs to
/// the message before it. `None` if there are fewer messages, or if nothing is left.
pub fn of_log(
    log: &[u8],
    wanted: usize,
    reader: MessageReader,
    trails: fn(&[u8]) -> bool,
) -> Option<Prefix> {
    let mut end = 0;
    let mut lines = lines_of(log).peekable();
    let steps = std::iter::from_fn(|| {
        let line = lines.next()?;
        end += line.len();
        let records = records::records(line)
            .into_iter()
            .map(|record| record.value)
            .collect();
        let trailed = lines.peek().is_some_and(|next| trails(next));
        Some(Step {
            records,
            end,
            trailed,
        })
    });
    of_steps(steps, wanted, reader)
}

/// The same of a document's records.
pub fn of_records(records: &[Value], wanted: usize, reader: MessageReader) -> Option<Prefix> {
    let step = |(at, record): (usize, &Value)| Step {
        records: vec![record.clone()],
        end: at + 1,
        trailed: false,
    };
    of_steps(records.iter().enumerate().map(step), wanted, reader)
}

/// What a conversation can be cut after: a line, or a record of a document.
struct Step {
    records: Vec<Value>,
    end: usize,
    /// The next one belongs to it.
    trailed: bool,
}

fn of_steps(
    steps: impl Iterator<Item = Step>,
    wanted: usize,
    reader: MessageReader,
) -> Option<Prefix> {
    let (mut open, mut messages) = (BTreeSet::new(), 0);
    // The last place at which no call was open.
    let mut whole = None;
    for step in steps {
        let said: Vec<_> = step
            .records
            .iter()
            .filter_map(|record| said_in(record, reader))
            .collect();
        let is_prompt = said.iter().any(|said| {
            said.role == Role::User && said.pieces.iter().any(|piece| piece.kind == "text")
        });
        if wanted <= messages && is_prompt {
            break;
        }
        messages += said.len();
        step.records
            .iter()
            .for_each(|record| note_calls(record, DEEPEST, &mut open));
        if !open.is_empty() || messages == 0 {
            continue;
        }
        whole = Some(Prefix {
            end: step.end,
            messages,
        });
        if wanted <= messages && !step.trailed {
            return whole;
        }
    }
    whole.filter(|_| wanted <= messages)
}

/// Notes the calls that a record makes, and takes out those that it answers.
fn note_calls(value: &Value, depth: u8, open: &mut BTreeSet<String>) {
    let Some(depth) = depth.checked_sub(1) else {
        return;
    };
    match value {
        Value::Array(values) => values
            .iter()
            .for_each(|value| note_calls(value, depth, open)),
        Value::Object(fields) => {
            let text = |name: &str| fields.get(name).and_then(Value::as_str);
            let id = |names: [&str; 3]| names.into_iter().find_map(text).map(str::to_owned);
            let kind = text("type").unwrap_or_default();
            if kind.ends_with("_output") || kind.ends_with("tool_result") {
                if let Some(id) = id(["tool_use_id", "call_id", "toolCallId"]) {
                    open.remove(&id);
                }
            } else if [
                "tool_use",
                "function_call",
                "custom_tool_call",
                "local_shell_call",
                "tool_call",
            ]
            .contains(&kind)
            {
                open.extend(id(["call_id", "toolCallId", "id"]));
            }
            fields
                .values()
                .for_each(|value| note_calls(value, depth, open));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merge::transcript::read_message;
    use serde_json::json;

    fn line(kind: &str, content: Value) -> String {
        format!(
            "{}\n",
            json!({ "type": kind, "message": { "role": kind, "content": content } })
        )
    }

    fn call(id: &str) -> String {
        line(
            "assistant",
            json!([{ "type": "tool_use", "id": id, "name": "Bash", "input": {} }]),
        )
    }

    fn result(id: &str) -> String {
        line(
            "user",
            json!([{ "type": "tool_result", "tool_use_id": id, "content": "done" }]),
        )
    }

    fn cut(lines: &[String], wanted: usize) -> Option<usize> {
        let log = lines.concat();
        let prefix = of_log(log.as_bytes(), wanted, read_message, |line| {
            line.starts_with(b"{\"note\"")
        })?;
        let mut end = 0;
        let ends = lines.iter().map(|line| {
            end += line.len();
            end
        });
        let n = ends
            .collect::<Vec<_>>()
            .iter()
            .position(|end| *end == prefix.end);
        Some(n.expect("at the end of a line") + 1)
    }

    #[test]
    fn a_prefix_ends_where_the_tool_can_go_on() {
        let (ask, answer, note) = (
            line("user", json!("hello")),
            line("assistant", json!("hi")),
            "{\"note\":1}\n".to_owned(),
        );
        let talk = [
            ask.clone(),
            answer.clone(),
            note.clone(),
            ask.clone(),
            answer.clone(),
        ];
        let ends: Vec<_> = (1..=5).map(|wanted| cut(&talk, wanted)).collect();
        assert_eq!(ends, [Some(1), Some(3), Some(4), Some(5), None]);

        let calls = [
            ask.clone(),
            call("a"),
            call("b"),
            result("b"),
            note.clone(),
            result("a"),
            answer.clone(),
        ];
        let ends: Vec<_> = (1..=6).map(|wanted| cut(&calls, wanted)).collect();
        assert_eq!(
            ends,
            [Some(1), Some(6), Some(6), Some(6), Some(6), Some(7)],
            "calls keep their results"
        );

        let stopped = [ask.clone(), answer.clone(), call("a"), ask.clone(), answer];
        let ends: Vec<_> = (1..=5).map(|wanted| cut(&stopped, wanted)).collect();
        assert_eq!(
            ends[..3],
            [Some(1), Some(2), Some(2)],
            "a call without a result is left out"
        );
        assert_eq!(cut(&[note, call("a")], 1), None, "nothing is left");
        assert_eq!(cut(&[], 1), None);
    }
}
