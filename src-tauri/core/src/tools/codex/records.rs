//! What the records of a rollout say: its thread and that thread's parent, prompts, messages.

use super::*;

/// The payload of a `session_meta` record. In the oldest rollouts it is itself the first line.
pub(super) fn session_meta(record: &Value) -> Option<&Value> {
    match record.get("type").and_then(Value::as_str) {
        Some("session_meta") => record.get("payload"),
        None if record.get("id").is_some() && record.get("timestamp").is_some() => Some(record),
        _ => None,
    }
}

/// A fork contains no history, only an offset into its parent's file. Without the parent, the fork
/// does not open.
pub(super) fn parent(meta: &Value) -> Option<SessionId> {
    text(meta.get("history_base")?, "thread_id")
        .filter(|id| is_uuid(id))
        .map(SessionId::new)
}

/// The thread for which a thread works as a sub-agent. It opens without that thread.
pub(super) fn part_of(meta: &Value, found: &jsonl::Outlines) -> Option<SessionId> {
    let source = meta.get("source").and_then(|source| source.get("subagent"));
    if source.is_none() && text(meta, "thread_source").as_deref() != Some("subagent") {
        return None;
    }
    // Deeper than an outline goes.
    let spawned_by = || {
        let whole = found.first_records("\"thread_spawn\"").next()?;
        let spawn = session_meta(&whole)?.pointer("/source/subagent/thread_spawn")?;
        text(spawn, "parent_thread_id")
    };
    let whole = text(meta, "parent_thread_id").or_else(spawned_by);
    whole.filter(|id| is_uuid(id)).map(SessionId::new)
}

/// A fork's reference to its parent in its first record: the place of the id in the file, and the
/// length of the parent's file that belongs to the fork.
pub(super) fn base_of(meta: &Value, file: &mut dyn ReadSeek) -> Option<ForkBase> {
    let session = parent(meta)?;
    let end = meta.get("history_base")?.get("end_byte_offset")?.as_u64()?;
    let mut head = Vec::new();
    file.take(HEAD).read_to_end(&mut head).ok()?;
    let line = &head[..memmem::find(&head, b"\n").unwrap_or(head.len())];
    let base = memmem::find(line, b"\"history_base\"")?;
    let at = base + memmem::find(&line[base..], format!("\"{session}\"").as_bytes())? + 1;
    Some(ForkBase {
        session,
        offset: at as u64,
        end,
    })
}

/// The user's typed text, without instructions and surroundings inserted by Codex.
pub(super) fn prompt(record: &Value) -> Option<&str> {
    let is =
        |value: &Value, key: &str, want: &str| value.get(key).and_then(Value::as_str) == Some(want);
    let item = if is(record, "type", "response_item") {
        record.get("payload")?
    } else {
        record
    };
    if !is(item, "type", "message") || !is(item, "role", "user") {
        return None;
    }
    // A picture stands between two texts with its tags, before the prompt.
    jsonl::texts_of(item.get("content")?).find_map(typed)
}

/// What the user typed in a text of a prompt. The IDE extension and the desktop app put what is open,
/// or what was dropped, before it, and a heading between the two.
pub(super) fn typed(text: &str) -> Option<&str> {
    const HEADINGS: [&str; 2] = ["## My request for Codex:", "## My request:"];
    const WRAPPERS: [&str; 4] = [
        "<",
        "# AGENTS.md instructions",
        "# Context from my IDE setup:",
        "# Files mentioned by the user:",
    ];
    let text = text.trim_start();
    let mut parts = HEADINGS
        .iter()
        .filter_map(|heading| text.split_once(heading));
    let text = match parts.next().filter(|_| text.starts_with('#')) {
        Some((_, typed)) => typed.trim_start(),
        None => text,
    };
    let is_wrapper = WRAPPERS.iter().any(|wrapper| text.starts_with(wrapper));
    (!text.is_empty() && !is_wrapper).then_some(text)
}

pub(super) fn title(found: &jsonl::Outlines) -> Option<String> {
    let mut records = found.first_records("");
    records.find_map(|record| jsonl::title_of(prompt(&record)?))
}

pub(super) fn named(rollout: &mut dyn ReadSeek) -> Option<String> {
    title(&jsonl::read_outlines(rollout, HEAD, TAIL, |_| true).ok()?)
}

pub(super) fn updated(ends: &jsonl::Ends) -> Option<Millis> {
    ends.backwards()
        .find_map(|record| Millis::parse(record.get("timestamp")?.as_str()?))
}

/// Whether a line is part of the conversation. An unreadable line may be. Settings, limits and
/// surroundings are written when a thread is opened (kinds seen with 0.169.0, 2026-11-23).
pub(super) fn is_message(line: &[u8]) -> bool {
    #[derive(serde::Deserialize)]
    struct Payload<'a> {
        #[serde(rename = "type", borrow)]
        kind: Option<std::borrow::Cow<'a, str>>,
    }
    #[derive(serde::Deserialize)]
    struct Record<'a> {
        #[serde(rename = "type", borrow)]
        kind: std::borrow::Cow<'a, str>,
        #[serde(borrow)]
        payload: Payload<'a>,
    }
    // Most lines are items of the conversation, which begin like this: told without parsing them.
    if is_item(line) {
        return true;
    }
    match serde_json::from_slice::<Record<'_>>(line) {
        Ok(record) => !matches!(
            (record.kind.as_ref(), record.payload.kind.as_deref()),
            (
                "session_meta" | "turn_context" | "world_state" | "token_usage_record",
                _
            ) | ("event_msg", Some("thread_settings_applied" | "token_count"))
        ),
        Err(_) => true,
    }
}

/// Whether a line begins with the time and the type of an item of the conversation, as Codex writes
/// it. Such a line is a message whatever follows: one that cannot be read may be one, too.
pub(super) fn is_item(line: &[u8]) -> bool {
    let Some(rest) = line.strip_prefix(b"{\"timestamp\":\"") else {
        return false;
    };
    let end = memchr::memchr2(b'"', b'\\', rest);
    end.is_some_and(|end| rest[end..].starts_with(b"\",\"type\":\"response_item\""))
}

/// `git` of a `session_meta`, as of the start or the last resume of the thread.
pub(super) fn repository(meta: &Value) -> Option<Repository> {
    let git = meta.get("git")?;
    let word = |name: &str| text(git, name).filter(|word| !word.is_empty());
    let found = Repository {
        url: word("repository_url"),
        branch: word("branch"),
        commit: word("commit_hash"),
    };
    (found != Repository::default()).then_some(found)
}

/// The tokens of the answer before a `token_count` event. What came from a cache is part of the
/// input, what was thought part of the output (0.13x, 2026-11-23).
pub(super) fn tokens_of(event: &Value) -> Option<Tokens> {
    let payload = event.get("payload")?;
    let is_count = payload.get("type").and_then(Value::as_str) == Some("token_count");
    let usage = payload.get("info")?.get("last_token_usage")?;
    let number = |name: &str| usage.get(name).and_then(Value::as_u64);
    let (input, output) = (number("input_tokens"), number("output_tokens"));
    (is_count && (input.is_some() || output.is_some())).then(|| Tokens {
        input: input.unwrap_or(0),
        output: output.unwrap_or(0),
    })
}

/// The message in a record: items of the conversation, which are bare in the oldest rollouts, and
/// compactions (the kinds of 0.169.0, 2026-11-23). Events repeat the text of items.
pub(super) fn read_message<'a>(record: &'a Value) -> Option<ParsedMessage<'a>> {
    let item = match record.get("type").and_then(Value::as_str) {
        Some("response_item") => record.get("payload")?,
        Some("compacted") => {
            let words = record
                .get("payload")?
                .get("message")
                .and_then(Value::as_str)
                .unwrap_or_default();
            return ParsedMessage::of(record, Role::System, vec![Piece::new("compaction", words)]);
        }
        Some("turn_context") => {
            let model = record
                .get("payload")
                .and_then(|payload| payload.get("model"));
            let model = model.and_then(Value::as_str);
            return model.map(|model| ParsedMessage::note(Some(model), None));
        }
        Some("event_msg") => {
            return Some(ParsedMessage::note(None, Some(tokens_of(record)?)));
        }
        _ if record.get("payload").is_some() => return None,
        _ => record,
    };
    let field = |name: &str| item.get(name).and_then(Value::as_str);
    let call_id = field("call_id").or_else(|| field("id"));
    let called = |piece: Piece<'a>| {
        ParsedMessage::of(record, Role::Assistant, vec![piece.with_call_id(call_id)])
    };
    match field("type")? {
        "function_call" => {
            let input = field("arguments").unwrap_or_default();
            let about = serde_json::from_str::<Value>(input)
                .ok()
                .and_then(|input| about_call(&input));
            called(Piece::call(
                field("name").unwrap_or("tool"),
                input,
                about.as_deref(),
            ))
        }
        "custom_tool_call" => {
            let input = field("input").unwrap_or_default();
            called(Piece::call(
                field("name").unwrap_or("tool"),
                input,
                patched_file(input).or(Some(input)),
            ))
        }
        "local_shell_call" | "web_search_call" => {
            let action = item.get("action")?;
            let name = field("type")?.trim_end_matches("_call");
            called(Piece::call(
                name,
                action.to_string(),
                about_call(action).as_deref(),
            ))
        }
        "function_call_output" | "custom_tool_call_output" => {
            let mut pieces = result_of(item.get("output")?);
            if let Some(result) = pieces.first_mut() {
                result.call_id = call_id;
            }
            ParsedMessage::of(record, Role::Tool, pieces)
        }
        "reasoning" => {
            let parts = |name: &str| item.get(name).map(pieces_of).unwrap_or_default();
            let thoughts: Vec<_> = parts("summary")
                .into_iter()
                .chain(parts("content"))
                .collect();
            let words = thoughts
                .iter()
                .map(|piece| &*piece.body)
                .collect::<Vec<_>>()
                .join("\n\n");
            (!words.is_empty()).then(|| {
                ParsedMessage::of(record, Role::Assistant, vec![Piece::new("thinking", words)])
            })?
        }
        _ => transcript::read_message(record),
    }
}

/// A command without its shell wrapper.
pub(super) fn about_call(input: &Value) -> Option<String> {
    let words = input.get("command").and_then(Value::as_array);
    if let Some([_, Value::String(flag), Value::String(script)]) = words.map(Vec::as_slice)
        && (flag == "-lc" || flag == "-c")
    {
        return Some(script.clone());
    }
    target_in(input).map(std::borrow::Cow::into_owned)
}

/// The first file of a patch.
pub(super) fn patched_file(patch: &str) -> Option<&str> {
    const MARKS: [&str; 3] = ["*** Update File: ", "*** Add File: ", "*** Delete File: "];
    patch
        .lines()
        .find_map(|line| MARKS.iter().find_map(|mark| line.strip_prefix(mark)))
}

/// Plain text, JSON with `metadata.exit_code` around the text, or a list of parts.
pub(super) fn result_of(output: &Value) -> Vec<Piece<'_>> {
    let plain = match output {
        Value::String(text) => text,
        Value::Object(fields) if fields.get("content").is_some_and(Value::is_string) => {
            let failed = fields.get("success").and_then(Value::as_bool) == Some(false);
            let words = fields["content"].as_str().unwrap_or_default();
            return vec![Piece {
                is_error: failed,
                ..Piece::new("tool_result", words)
            }];
        }
        parts => {
            let (images, texts): (Vec<_>, Vec<_>) = pieces_of(parts)
                .into_iter()
                .partition(|piece| piece.kind == "image");
            let words = texts
                .iter()
                .map(|piece| &*piece.body)
                .collect::<Vec<_>>()
                .join("\n");
            return std::iter::once(Piece::new("tool_result", words))
                .chain(images)
                .collect();
        }
    };
    if let Ok(Value::Object(mut wrapped)) = serde_json::from_str(plain)
        && let (Some(Value::String(words)), Some(exit)) = (
            wrapped.remove("output"),
            wrapped
                .get("metadata")
                .and_then(|metadata| metadata.get("exit_code")),
        )
    {
        return vec![Piece {
            is_error: exit.as_i64() != Some(0),
            ..Piece::new("tool_result", words)
        }];
    }
    vec![Piece::new("tool_result", plain.as_str())]
}
