// Two devices that continued one session apart, as real ones do: other questions, other answers, calls, edits and results
// of their own, and one of them longer. Rows are made by the engine's rule: turn k beside turn k.
import { Refusal } from "../backend";
import type { Diff, DiffRow, DiffWords, Msg, PartBody, Request, RowKind, Side, Span, SplitRow } from "../types";
import { call, result, type Said, text, thinking, wordsOf as words } from "./reader";
import { bytes, partOf, wholeOf } from "./talk";
import { choicesBeside } from "./told";
import { split, type World } from "./world";

const you = (body: string): Said => ({ role: "user", pieces: [text(body)] });
const says = (...pieces: Said["pieces"]): Said => ({ role: "assistant", pieces });
const answers = (body: string, isError = false): Said => ({ role: "tool", pieces: [result(body, isError)] });

const PATCH = `*** Begin Patch
*** Update File: src/queue.rs
@@ impl Queue
-    pub fn push(&mut self, write: Write) {
-        self.writes.push(write);
+    pub fn push(&mut self, write: Write) -> Ticket {
+        let ticket = self.next();
+        self.writes.push((ticket, write));
+        ticket
     }
*** End Patch`;

/** What desk went on with. */
const DESK: Said[] = [
  you("Try the mutex first."),
  says(
    thinking("A lock around the refresh is the smallest change. Where is the slot read?"),
    text("I take the lock around the whole refresh, so that the second caller waits for the first one's token."),
    call("Edit", {
      file_path: "src/session.rs",
      old_string: "    let slot = self.slot.get();\n    slot.replace(self.ask_server(token, 30)?)",
      new_string:
        "    let mut slot = self.slot.lock()?;\n    match slot.fresh(token) {\n        Some(fresh) => Ok(fresh.clone()),\n        None => slot.replace(self.ask_server(token, 30)?),\n    }",
    }),
  ),
  answers("The file src/session.rs has been updated."),
  says(
    text(`Done. What changed:

1. \`refresh\` takes the lock before it looks at the slot.
2. The second caller finds the first one's token and returns it.
3. Nobody asks the server twice.

\`\`\`rust
let mut slot = self.slot.lock()?;
\`\`\``),
  ),
  you("Run the tests, twenty times in a row."),
  says(call("Bash", { command: "for i in $(seq 20); do cargo test auth -q || break; done", timeout: 600 })),
  answers(Array.from({ length: 20 }, () => "running 214 tests\ntest result: ok. 214 passed; 0 failed").join("\n")),
  says(text("All 214 tests pass, **twenty runs in a row**.")),
  you("Write down what we learnt in docs/auth.md."),
  says(
    call("Write", {
      file_path: "docs/auth.md",
      content:
        "# Refreshing a token\n\nOne refresh at a time: the second caller waits and takes the first one's token.\n",
    }),
  ),
  answers("The file docs/auth.md has been written."),
  says(text("`docs/auth.md` now says why there is one refresh at a time, with the order of events that broke it.")),
  you("Commit it."),
  says(call("Bash", { command: "git commit -am 'Refresh a token once'" })),
  answers("[fix/login 3f2c1aa] Refresh a token once\n 3 files changed, 21 insertions(+), 4 deletions(-)"),
  says(text("Committed as `3f2c1aa`.")),
];

/** And laptop, some minutes later. */
const LAPTOP: Said[] = [
  you("Try the mutex first, then the queue, and say what each costs."),
  says(text("I would rather start from the queue. First, what it does today.")),
  says(call("Read", { file_path: "src/queue.rs" })),
  answers("pub struct Queue {\n    writes: Vec<Write>,\n}\n\nimpl Queue {\n    pub fn push(&mut self, write: Write) {"),
  says(
    text(`Both work. What they cost:

| way | lines changed | holds a lock |
|---|---|---|
| mutex | 14 | while asking the server |
| queue | 41 | never |

> The mutex is smaller, the queue is safer when the server takes its time.`),
  ),
  you("Run the tests, twenty times in a row, with the queue."),
  says(call("apply_patch", { input: PATCH }), call("Bash", { command: "cargo test auth" })),
  answers("test auth::two_tabs ... FAILED\n\nfailures:\n    auth::two_tabs: a ticket was used twice", true),
  says(
    text("One test fails: a ticket is used twice. The counter has to move *before* the write is stored."),
    call("Edit", {
      file_path: "src/queue.rs",
      old_string: "        let ticket = self.next();",
      new_string: "        let ticket = self.next.fetch_add(1, Ordering::Relaxed);",
    }),
  ),
  answers("The file src/queue.rs has been updated."),
  says(text("All 214 tests pass, **twenty runs in a row**, with the queue too.")),
];

/** A third device that had a short look. */
const STUDIO: Said[] = [
  you("Is that the bug of last spring again?"),
  says(call("Bash", { command: "git log --oneline --grep=token -5" })),
  answers("9be01c2 Do not log tokens\n77af310 Refresh tokens a minute early"),
  says(text("No. That one refreshed too early; this one refreshes twice.")),
];

const RTL: Said[] = [
  you("נסה קודם את ה־mutex ואז את התור."),
  says(text("لنبدأ من الصف: هو يرتب الكتابات بالفعل."), call("Read", { file_path: "src/queue.rs" })),
  answers("pub struct Queue {"),
];

/** Turns of five messages, for lengths that no conversation above has. */
function long(side: Side, turns: number): Said[] {
  const one = (turn: number): Said[] => {
    const of = `${turn}, on ${side === "left" ? "desk" : "laptop"}`;
    const isAlike = turn % 9 === 4;
    return [
      you(
        isAlike
          ? `Now the tests of module ${turn}, with names that say what they show${side === "left" ? "." : ", please."}`
          : `${side === "left" ? "Go on with part" : "What is left of part"} ${of}?`,
      ),
      says(text(`I look at part ${of}.`), call("Read", { file_path: `src/part_${turn}.rs` })),
      answers(`pub fn part_${turn}() {}\n${"// …\n".repeat(turn % 30)}`),
      says(
        call("Edit", {
          file_path: `src/part_${turn}.rs`,
          old_string: `let a = ${turn};`,
          new_string: `let a = ${turn + 1};`,
        }),
      ),
      says(
        text(
          `Part ${of}:\n\n- ${"moved it behind the lock, ".repeat(1 + (turn % 5))}\n- \`cargo test\` passes\n\nNext is part ${turn + 1}.`,
        ),
      ),
    ];
  };
  return Array.from({ length: turns }, (_, turn) => one(turn)).flat();
}

interface Row extends Pick<DiffRow, "kind" | "turn" | "alone" | "alike"> {
  left: number | null;
  right: number | null;
}

interface Compared {
  sides: Record<Side, Said[]>;
  times: Record<Side, number[]>;
  turns: Record<Side, number>;
  rows: Row[];
  stats: Diff["stats"];
}

const known = new Map<string, Compared>();

function compared(world: World, own: string, device: string): Compared {
  const key = `${world.name} ${own} ${device} ${world.continued}`;
  const found = known.get(key) ?? compare(world, own, device);
  known.set(key, found);
  return found;
}

function compare(world: World, own: string, device: string): Compared {
  const isBig = world.name === "big-split";
  const isRtl = world.name === "rtl";
  const left = isBig ? long("left", 4_000) : isRtl ? [...RTL, ...DESK] : versionOf(own);
  const more = Array.from({ length: world.continued }, (_, n) =>
    n % 2 === 0 ? you(`And then? (${n + 1})`) : says(text(`Then the queue, step ${n + 1}.`)),
  );
  const right = [...(isBig ? long("right", 3_200) : versionOf(device)), ...more];
  const rows: Row[] = [];
  const turns = [turnsOf(left), turnsOf(right)] as const;
  for (let at = 0; at < Math.max(turns[0].length, turns[1].length); at++) {
    const [ours, theirs] = [turns[0][at] ?? [], turns[1][at] ?? []];
    const alone = ours.length === 0 || theirs.length === 0;
    const place = (one: number | null, other: number | null, alike: number) => {
      const both: RowKind = alike >= 0.5 ? "changed" : "beside";
      const kind = one === null ? "right" : other === null ? "left" : both;
      rows.push({ left: one, right: other, kind, alike, turn: at + 1, alone });
    };
    let next = 0;
    let waiting: number[] = [];
    const beside = (to: number) => {
      for (let n = 0; n < Math.max(waiting.length, to - next); n++)
        place(waiting[n] ?? null, next + n < to ? theirs[next + n]! : null, 0);
      waiting = [];
      next = to;
    };
    for (const one of ours) {
      const found = theirs.findIndex((other, n) => n >= next && inCommon(left[one]!, right[other]!) >= 0.5);
      if (found < 0) {
        waiting.push(one);
        continue;
      }
      beside(found);
      place(one, theirs[found]!, inCommon(left[one]!, right[theirs[found]!]!));
      next = found + 1;
    }
    beside(theirs.length);
  }
  const minutes = (n: number, from: number, to: number) =>
    Array.from({ length: n }, (_, at) => world.now - (from - ((from - to) * at) / Math.max(1, n - 1)) * 60_000);
  const times = { left: minutes(left.length, 54, 30), right: minutes(right.length, 45, device === "studio" ? 40 : 16) };
  const stats = { same: 0, changed: 0, left: 0, right: 0 };
  for (const { kind } of rows) {
    if (kind === "changed" || kind === "same") stats[kind] += 1;
    if (kind !== "right" && kind !== "changed") stats.left += 1;
    if (kind !== "left" && kind !== "changed") stats.right += 1;
  }
  return { sides: { left, right }, times, turns: { left: turns[0].length, right: turns[1].length }, rows, stats };
}

function versionOf(device: string): Said[] {
  return device.startsWith("desk") ? DESK : device === "studio" ? STUDIO : LAPTOP;
}

function turnsOf(side: Said[]): number[][] {
  const turns: number[][] = [];
  side.forEach((said, at) => {
    if (said.role === "user" || turns.length === 0) turns.push([]);
    turns.at(-1)!.push(at);
  });
  return turns;
}

function inCommon(one: Said, other: Said): number {
  if (one.role !== other.role || words(one).slice(0, 8) !== words(other).slice(0, 8)) return 0;
  const set = (said: Said) => new Set(words(said).split(/\s+/));
  const [ours, theirs] = [set(one), set(other)];
  const both = [...ours].filter((word) => theirs.has(word)).length;
  return both / (ours.size + theirs.size - both);
}

function messageOf(found: Compared, side: Side, at: number | null, device: string, bodies: boolean): Msg | null {
  if (at === null) return null;
  const said = found.sides[side][at]!;
  const isText = said.pieces.every((piece) => piece.kind === "text");
  return {
    key: `${side}${at}`,
    line: at,
    off: at * 500,
    len: words(said).length,
    role: said.role,
    at: new Date(found.times[side][at]!).toISOString(),
    preview: words(said).slice(0, 200),
    parts: said.pieces.map((piece) => [piece.kind, bytes(piece.body)]),
    pieces: bodies
      ? said.pieces.map((piece) => partOf(piece))
      : isText
        ? []
        : said.pieces.map((piece) => partOf(piece, 200)),
    device,
  };
}

interface Pair {
  branch: string | null;
  beside: string | null;
}

/** A version is named by its end: one that went on has another name. */
function unknown(): never {
  throw new Refusal({ code: "unknown_branch", message: "This session has no such version.", hint: "", actions: [] });
}

function pairOf(split: SplitRow, { branch, beside }: Pair) {
  const named = (name: string | null, usual: number) => {
    if (name === null) return split.branches[usual]!;
    return split.branches.find((one) => one.branch === name) ?? unknown();
  };
  return [named(beside, 0), named(branch, 1)] as const;
}

function comparedBy(world: World, split: SplitRow, pair: Pair): Compared {
  const [left, right] = pairOf(split, pair);
  return compared(world, left.device, right.device);
}

export function diff(world: World, split: SplitRow, request: Request<"diff">): Diff {
  const { from, rows, choices: offered, bodies } = request;
  const [left, right] = pairOf(split, request);
  const found = compared(world, left.device, right.device);
  const side = (name: Side, one: typeof left, changes: Diff["left"]["changes"] = []) => {
    const all = found.sides[name];
    return {
      changes: offered ? changes : [],
      n_changes: offered ? changes.length : 0,
      device: one.device,
      branch: one.branch,
      records: one.records,
      bytes: one.records * 2100,
      messages: all.length,
      turns: found.turns[name],
      first: new Date(found.times[name][0]!).toISOString(),
      last: new Date(found.times[name].at(-1)!).toISOString(),
    };
  };
  const changed = right.device === "studio" ? [] : [{ device: right.device, text: "permission mode → acceptEdits" }];
  return {
    session: split.session,
    tool: split.tool,
    title: split.title,
    doc: "main",
    class: split.tier,
    reason: split.reason,
    rewrite: isRewrite(world, split),
    left: side("left", left),
    right: side("right", right, changed),
    prefix: { records: 840, messages: 412 },
    stats: found.stats,
    total: found.rows.length,
    rows: found.rows.slice(from, from + rows).map((row, n) => ({
      ...row,
      i: from + n,
      left: messageOf(found, "left", row.left, left.device, bodies),
      right: messageOf(found, "right", row.right, right.device, bodies),
    })),
    choices: choicesFor(world, split, request),
  };
}

/** A change by another device that is held, compared like two versions. */
export function rewriteOf(world: World, session: string): SplitRow | undefined {
  const row = world.sessions.find((one) => one.session === session);
  const held = world.status.held.find((one) => one.code === "rewritten" && one.what === `session:${session}`);
  return row && held && { ...split(4, () => row.updated), session, title: row.title };
}

function isRewrite(world: World, split: SplitRow): boolean {
  return !world.splits.some((one) => one.session === split.session);
}

function choicesFor(world: World, split: SplitRow, request: Request<"diff">): SplitRow["choices"] {
  const [left, right] = pairOf(split, request);
  if (!request.choices || isRewrite(world, split)) return [];
  return request.beside ? choicesBeside(left.device, right.device) : choicesOf(split, right.device);
}

/** Consequences name the device that is compared. */
function choicesOf(split: SplitRow, device: string): SplitRow["choices"] {
  const usual = split.branches[1]!.device;
  return split.choices.map((one) => ({ ...one, consequence: one.consequence.replaceAll(usual, device) }));
}

export function diffPart(
  world: World,
  split: SplitRow,
  request: Pair & { row: number; side: Side; part: number },
): PartBody | undefined {
  const found = comparedBy(world, split, request);
  const at = found.rows[request.row]?.[request.side] ?? null;
  const piece = at === null ? undefined : found.sides[request.side][at]?.pieces[request.part];
  return piece && wholeOf(piece);
}

/** Words compared from both ends: enough to look real. */
export function diffWords(world: World, split: SplitRow, pair: Pair, row: number): DiffWords {
  const found = comparedBy(world, split, pair);
  const { left: ours = null, right: theirs = null } = found.rows[row] ?? {};
  const left = ours === null ? "" : words(found.sides.left[ours]!);
  const right = theirs === null ? "" : words(found.sides.right[theirs]!);
  const spans: Span[] = [];
  if (found.rows[row]?.kind === "changed") {
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
