// Invented conversations of any length; fake/split.ts has those that went apart.
import type { DocPage, Message, Occurrences, Part, PartBody } from "../types";
import {
  agentAt,
  call,
  PICTURE,
  type Piece,
  picture,
  READER,
  result,
  type Said,
  text,
  thinking,
  wordsOf as words,
} from "./reader";
import type { World } from "./world";

const ASKS = [
  "The login test fails every other run. Can you find out why?",
  "Try the mutex first, then the queue.",
  "Run the tests.",
  "Does that also hold when two tabs refresh at the same moment?",
  "Write down what we learnt in docs/auth.md.",
];

const ANSWERS = [
  `I read \`src/session.rs\` and found it. **Two requests refresh the same token**, and the second one overwrites the first.

The order of events:

1. Tab A reads the token, sees that it expired, asks for a new one.
2. Tab B does the same *before* A has written.
3. B's answer arrives last and A's token is already invalid.

\`\`\`rust
pub fn refresh(&self, token: &Token) -> Result<Token, Error> {
    // One refresh at a time: the second caller waits and takes the first one's token.
    let mut slot = self.slot.lock()?;
    match slot.fresh(token) {
        Some(fresh) => Ok(fresh.clone()),
        None => slot.replace(self.ask_server(token, 30)?),
    }
}
\`\`\`

See [the standard's section on refreshing](https://www.rfc-editor.org/rfc/rfc6749#section-6) for why the server may refuse the older one.`,
  `I would rather start from the queue:

- it already orders writes
- \`Queue::push\` is the only place that touches the store
- no lock is held while the network is slow

| way | lines changed | holds a lock |
|---|---|---|
| mutex | 14 | while asking |
| queue | 41 | never |

> The mutex is smaller, the queue is safer when the server takes its time.`,
  "All 214 tests pass, twenty runs in a row. <script>alert('never run')</script> was in a fixture and stays text.",
];

const RESULT = Array.from({ length: 90 }, (_, n) => `test auth::case_${n} ... ok`).join("\n");

export const bytes = (body: string) => new TextEncoder().encode(body).length;

function cut(body: string, most: number): string {
  return bytes(body) <= most ? body : new TextDecoder().decode(new TextEncoder().encode(body).subarray(0, most));
}

export function partOf({ body, data, ...rest }: Piece, most?: number): Part {
  const length = rest.kind === "text" ? 8192 : 2048;
  return { ...rest, bytes: data ? (data.length / 4) * 3 : bytes(body), text: data ? "" : cut(body, most ?? length) };
}

export function wholeOf({ body, data, kind, media }: Piece): PartBody {
  const shown = data && media !== "image/svg+xml" ? data : null;
  return {
    kind,
    bytes: data ? (data.length / 4) * 3 : bytes(body),
    text: body,
    media: media ?? null,
    data: shown,
    whole: !data || shown !== null,
  };
}

/** Longer than the text that a page contains. */
const LONG_RESULT = Array.from({ length: 900 }, (_, n) => `test auth::case_${n} ... ok`).join("\n");

/** The number of messages when the page was opened. */
function opened(world: World): number {
  const lengths: Partial<Record<World["name"], number>> = { transcript: 6_000, huge: 20_000, reader: READER.length };
  return lengths[world.name] ?? 28;
}

export function length(world: World): number {
  return Math.max(0, opened(world) + world.added);
}

/** The laptop took over at the half, and soon after it worked with other approvals. */
const STEERING = 3;

function saidAt(world: World, i: number): Said {
  if (world.rewritten !== null && world.rewritten <= i) {
    return { role: i % 2 === 0 ? "user" : "assistant", pieces: [text(`Written anew: message ${i}.`)] };
  }
  if (world.name === "reader") return readerAt(READER, i);
  if (world.name === "huge") return readerAt(HUGE, i);
  if (i === Math.floor(opened(world) / 2) + STEERING) {
    return { role: "steering", pieces: [text("approval policy → never")] };
  }
  const rtl = world.name === "rtl";
  const turn = Math.floor(i / 7);
  switch (i % 7) {
    case 0:
      return {
        role: "user",
        pieces: [
          text(rtl ? "בדיקת הכניסה נכשלת כל פעם שנייה. אפשר למצוא למה? `src/session.rs`" : ASKS[turn % ASKS.length]!),
        ],
      };
    case 1:
      return {
        role: "assistant",
        pieces: [
          thinking(
            "The test is flaky, so something races. Login writes the token twice: once on refresh, once on redirect. Let me look at both.",
          ),
          text("I will look at where the token is written."),
          call("Read", { file_path: "src/session.rs" }),
        ],
      };
    case 2:
      return {
        role: "tool",
        pieces: [result(`pub struct Session {\n    slot: Mutex<Slot>,\n}\n${"// …\n".repeat(30)}`)],
      };
    case 3:
      return {
        role: "assistant",
        pieces: [
          {
            ...call("Edit", {
              file_path: "src/session.rs",
              old_string: "let slot = self.slot.get();",
              new_string: "let mut slot = self.slot.lock()?;\nlet fresh = slot.fresh(token);",
            }),
            call_id: `edit-${turn}`,
          },
          { ...call("Bash", { command: "cargo test auth", timeout: 60 }), call_id: `bash-${turn}` },
        ],
      };
    case 4:
      return {
        role: "tool",
        pieces: [
          { ...result("The file src/session.rs has been updated."), call_id: `edit-${turn}` },
          { ...result(turn === 0 ? LONG_RESULT : RESULT, turn % 3 === 1), call_id: `bash-${turn}` },
        ],
      };
    case 5:
      if (i === 12) {
        return {
          role: "user",
          pieces: [text("This is what I see:"), picture("image/png", PICTURE), picture("image/svg+xml", "PHN2Zy8+")],
        };
      }
      if (turn % 4 === 3) {
        return {
          role: "system",
          pieces: [{ kind: "compaction", body: "The login test races: two refreshes of one token. Fixed by a lock." }],
        };
      }
  }
  return {
    role: "assistant",
    pieces: [
      text(
        rtl
          ? "قرأت `src/session.rs` ووجدت السبب. **طلبان يجددان الرمز نفسه** والثاني يكتب فوق الأول."
          : ANSWERS[turn % ANSWERS.length]!,
      ),
    ],
  };
}

/** The same conversation in long messages: 20,000 of them are 100 MB. */
const HUGE = READER.map((said) => ({
  ...said,
  pieces: said.pieces.map((piece) => {
    const length = piece.kind === "text" ? 6_000 : piece.kind === "tool_result" ? 12_000 : 0;
    return { ...piece, body: piece.body && `${piece.body}\n\n`.repeat(Math.ceil(length / piece.body.length) || 1) };
  }),
}));

/** The conversation with all kinds of calls, again and again; each time with ids of its own. */
function readerAt(conversation: Said[], i: number): Said {
  const [round, at] = [Math.floor(i / conversation.length), i % conversation.length];
  const said = conversation[at]!;
  const own = (piece: Piece): Piece => (piece.call_id ? { ...piece, call_id: `${piece.call_id}-${round}` } : piece);
  return { ...said, pieces: said.pieces.map(own) };
}

/** As the engine counts them: in whole bodies, whatever the case. */
export function occurrences(world: World, text: string): Occurrences {
  const needle = text.toLowerCase();
  const found: Occurrences = { total: 0, places: [] };
  if (!needle) return found;
  // What repeats is counted once: the engine's time is not the page's.
  const counts = new Map<string, number>();
  const count = (body: string) => {
    const n = counts.get(body) ?? body.toLowerCase().split(needle).length - 1;
    counts.set(body, n);
    return n;
  };
  for (let message = 0; message < length(world); message++) {
    for (const [part, piece] of saidAt(world, message).pieces.entries()) {
      const n = piece.kind === "image" ? 0 : count(piece.body);
      found.total += n;
      if (n > 0 && found.places.length < 10_000) found.places.push({ message, part, n });
    }
  }
  return found;
}

export function transcript(
  world: World,
  from: number,
  rows: number,
  n = length(world),
  first = opened(world),
): Message[] {
  return Array.from({ length: Math.max(0, Math.min(rows, n - from)) }, (_, at): Message => {
    const i = from + at;
    const said = saidAt(world, i);
    return {
      role: said.role,
      text: words(said).slice(0, 8192),
      at: new Date(world.now - (first - i) * 45_000).toISOString(),
      device: i < first / 2 ? "desk" : "laptop",
      ...(said.model ? { model: said.model } : {}),
      ...(said.tokens ? { tokens: said.tokens } : {}),
      parts: said.pieces.map((piece) => partOf(piece)),
    };
  });
}

/** A page of a sub-agent's transcript. */
export function agentPage(world: World, doc: string, from: number, rows: number): DocPage {
  const all = agentAt(doc);
  const messages = all.slice(from, from + rows).map(
    (said, n): Message => ({
      role: said.role,
      text: words(said),
      at: new Date(world.now - (all.length - from - n) * 9_000).toISOString(),
      device: "laptop",
      ...(said.model ? { model: said.model } : {}),
      ...(said.tokens ? { tokens: said.tokens } : {}),
      parts: said.pieces.map((piece) => partOf(piece)),
    }),
  );
  return { total: all.length, from, messages };
}

export function agentPart(doc: string, message: number, part: number): PartBody | undefined {
  const piece = agentAt(doc)[message]?.pieces[part];
  return piece && wholeOf(piece);
}

export function transcriptPart(world: World, message: number, part: number): PartBody | undefined {
  const piece = saidAt(world, message).pieces[part];
  return piece && wholeOf(piece);
}
