// Invented conversations: a transcript, and two branches side by side, of any length.
import type { Diff, DiffRow, DiffWords, Message, Msg, Parts, Role, RowKind, Span, SplitRow } from "../types";
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

const joined = (pieces: [string, string][]): { text: string; parts: Parts } => {
  const encoder = new TextEncoder();
  return {
    text: pieces.map(([, text]) => text).join("\n"),
    parts: pieces.map(([kind, text]) => [kind, encoder.encode(text).length]),
  };
};

export function transcript(world: World, n = world.name === "transcript" ? 6_000 : 28): Message[] {
  const rtl = world.name === "rtl";
  return Array.from({ length: n }, (_, i): Message => {
    const at = new Date(world.now - (n - i) * 45_000).toISOString();
    const device = i < n / 2 ? "desk" : "laptop";
    const step = i % 7;
    const base = { at, device };
    if (step === 0)
      return {
        ...base,
        role: "user",
        ...joined([
          [
            "text",
            rtl
              ? "בדיקת הכניסה נכשלת כל פעם שנייה. אפשר למצוא למה? `src/session.rs`"
              : ASKS[Math.floor(i / 7) % ASKS.length]!,
          ],
        ]),
      };
    if (step === 1)
      return {
        ...base,
        role: "assistant",
        ...joined([
          [
            "thinking",
            "The test is flaky, so something races. Login writes the token twice: once on refresh, once on redirect. Let me look at both.",
          ],
          ["text", "I will look at where the token is written."],
          ["tool_use", "[Read]"],
        ]),
      };
    if (step === 2)
      return {
        ...base,
        role: "tool",
        ...joined([["tool_result", `pub struct Session {\n    slot: Mutex<Slot>,\n}\n${"// …\n".repeat(30)}`]]),
      };
    if (step === 3)
      return {
        ...base,
        role: "assistant",
        ...joined([
          ["tool_use", "[Edit]"],
          ["tool_use", "[Bash]"],
        ]),
      };
    if (step === 4) return { ...base, role: "tool", ...joined([["tool_result", RESULT]]) };
    if (step === 5 && i === 12)
      return {
        ...base,
        role: "user",
        ...joined([
          ["text", "This is what I see:"],
          ["image", "[image]"],
        ]),
      };
    return {
      ...base,
      role: "assistant",
      ...joined([
        [
          "text",
          rtl
            ? "قرأت `src/session.rs` ووجدت السبب. **طلبان يجددان الرمز نفسه** والثاني يكتب فوق الأول."
            : ANSWERS[Math.floor(i / 7) % ANSWERS.length]!,
        ],
      ]),
    };
  });
}

const ROLES: Role[] = ["user", "assistant", "assistant", "tool", "assistant"];

function message(
  world: World,
  side: "left" | "right",
  i: number,
  kind: RowKind,
): { role: Role; text: string; parts: Parts } {
  const role = ROLES[i % ROLES.length]!;
  const tail = kind === "changed" && side === "right" ? ", then the queue, and say what each costs" : "";
  const rtl = world.name === "rtl" && i % 2 === 0 ? "נסה קודם את ה־mutex ואז את התור. " : "";
  if (role === "user")
    return {
      role,
      ...joined([
        [
          "text",
          `${rtl}${ASKS[(i * 3 + (side === "left" || kind === "same" || kind === "changed" ? 0 : 2)) % ASKS.length]!.replace(/[.?]$/, "")}${tail}.`,
        ],
      ]),
    };
  if (role === "tool") return { role, ...joined([["tool_result", RESULT.slice(0, 400 + ((i * 97) % 1800))]]) };
  if (i % 5 === 2)
    return {
      role,
      ...joined([
        ["text", kind === "changed" && side === "right" ? "Now the change in both files." : "Now the change."],
        ["tool_use", side === "left" || kind === "same" ? "[Edit]" : "[Read]"],
      ]),
    };
  const text = ANSWERS[(i + (side === "right" && kind !== "same" ? 1 : 0)) % ANSWERS.length]!;
  return {
    role,
    ...joined([
      [
        "text",
        kind === "changed"
          ? `${ANSWERS[i % ANSWERS.length]}${side === "right" ? "\n\nI also wrote a test for it." : ""}`
          : text,
      ],
    ]),
  };
}

function kindOf(i: number, total: number, big: boolean): RowKind {
  if (!big)
    return (
      ["changed", "changed", "left", "left", "same", "right", "changed", "left", "right", "left", "left"] as const
    )[i % 11]!;
  if (i < 40 || i > total - 60) return (["changed", "left", "right"] as const)[i % 3]!;
  const wave = Math.floor(i / 37) % 9;
  return wave === 2 ? "left" : wave === 5 ? "right" : wave === 7 && i % 5 !== 0 ? "changed" : "same";
}

export function totalRows(world: World): number {
  return world.name === "big-split" ? 20_000 : 11;
}

function row(world: World, i: number): DiffRow {
  const kind = kindOf(i, totalRows(world), world.name === "big-split");
  const side = (name: "left" | "right"): Msg | null => {
    if (kind !== name && (kind === "left" || kind === "right")) return null;
    const said = message(world, name, i, kind);
    const minutes = (totalRows(world) - i) * (name === "left" ? 1.9 : 2.4);
    return {
      key: `${kind === "same" ? "" : name}${i}`,
      line: i,
      off: i * 500,
      len: said.text.length,
      role: said.role,
      at: new Date(world.now - minutes * 60_000).toISOString(),
      preview: said.text.slice(0, 200),
      parts: said.parts,
    };
  };
  return {
    i,
    kind,
    left: side("left"),
    right: side("right"),
    alike: kind === "same" ? 1 : kind === "changed" ? 0.8 : 0,
  };
}

export function diff(world: World, split: SplitRow, branch: string | null, from: number, rows: number): Diff {
  const total = totalRows(world);
  const right = split.branches.find((one) => one.branch === branch) ?? split.branches[1]!;
  const left = split.branches[0]!;
  const stats = { same: 0, changed: 0, left: 0, right: 0 };
  for (let i = 0; i < total; i++) stats[kindOf(i, total, world.name === "big-split")] += 1;
  const side = (one: typeof left, only: number, minutes: number) => ({
    device: one.device,
    branch: one.branch,
    records: one.records,
    bytes: one.records * 2100,
    messages: stats.same + stats.changed + only,
    first: new Date(world.now - (minutes + 24) * 60_000).toISOString(),
    last: new Date(world.now - minutes * 60_000).toISOString(),
  });
  return {
    session: split.session,
    tool: split.tool,
    title: split.title,
    doc: "main",
    class: split.tier,
    reason: split.reason,
    left: side(left, stats.left, 30),
    right: side(right, stats.right, 16),
    prefix: { records: 840, messages: 412 },
    stats,
    total,
    rows: Array.from({ length: Math.max(0, Math.min(rows, total - from)) }, (_, n) => row(world, from + n)),
    choices: split.choices,
  };
}

/** Words compared from both ends: enough to look real. */
export function diffWords(world: World, i: number): DiffWords {
  const kind = kindOf(i, totalRows(world), world.name === "big-split");
  const left = kind === "right" ? "" : message(world, "left", i, kind).text;
  const right = kind === "left" ? "" : message(world, "right", i, kind).text;
  const spans: Span[] = [];
  if (kind === "changed") {
    let start = 0;
    while (start < left.length && left[start] === right[start]) start += 1;
    let end = 0;
    while (end < left.length - start && end < right.length - start && left.at(-1 - end) === right.at(-1 - end))
      end += 1;
    for (const side of [left, right]) {
      const isLeft = side === left;
      spans.push(
        { left: isLeft, from: 0, to: start, changed: false },
        { left: isLeft, from: start, to: side.length - end, changed: true },
      );
      spans.push({ left: isLeft, from: side.length - end, to: side.length, changed: false });
    }
  }
  return { left, right, spans };
}
