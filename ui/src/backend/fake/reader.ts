// A conversation with calls of every kind, in the shapes that tools write.
import type { Part, Role, Tokens } from "../types";

/** A part with its whole body, as the engine finds it. */
export interface Piece extends Omit<Part, "text" | "bytes"> {
  body: string;
  /** A picture's bytes in base64. */
  data?: string;
}

export interface Said {
  role: Role;
  pieces: Piece[];
  model?: string;
  tokens?: Tokens;
}

export const text = (body: string): Piece => ({ kind: "text", body });
export const thinking = (body: string): Piece => ({ kind: "thinking", body });
export const result = (body: string, is_error = false): Piece => ({ kind: "tool_result", body, is_error });
export const call = (name: string, input: Record<string, unknown> | string): Piece => {
  const body = typeof input === "string" ? input : JSON.stringify(input);
  const first = typeof input === "string" ? input : Object.values(input)[0];
  return {
    kind: "tool_use",
    body,
    name,
    ...(typeof first === "string" ? { target: first.split("\n")[0]!.slice(0, 300) } : {}),
  };
};
export const picture = (media: string, data: string): Piece => ({ kind: "image", body: "", media, data });

export function wordsOf({ pieces }: Said): string {
  const one = (piece: Piece) =>
    piece.kind === "tool_use" ? `[${piece.name}] ${piece.target}` : piece.kind === "image" ? "[image]" : piece.body;
  return pieces.map(one).join("\n");
}

/** A few bars: small, but visible. */
export const PICTURE =
  "iVBORw0KGgoAAAANSUhEUgAAAGAAAAAwCAIAAABhdOiYAAAAfElEQVR42u3QwQnAIBAEQKuznNSZhgSfqcAgInK5DOxzOW6ntNblJQUBIECAAAECBChQ6nWPAggQIECAAAUfBggQIEAZgGbuAPoa0K4OIECAAAECdP4hQIAAAcoAtKsD6BRQ1g4gQIAAAYoM9OfxgAABAgQIECBAgAAtdx4/nCpzHil/OAAAAABJRU5ErkJggg==";

const OLD = `pub fn refresh(&self, token: &Token) -> Result<Token, Error> {
    let slot = self.slot.get();
    if slot.is_fresh() {
        return Ok(slot.token());
    }
    self.ask_server(token, 30)
}`;
const NEW = `pub fn refresh(&self, token: &Token) -> Result<Token, Error> {
    // One refresh at a time: the second caller takes the first one's token.
    let mut slot = self.slot.lock()?;
    if let Some(fresh) = slot.fresh(token) {
        return Ok(fresh.clone());
    }
    slot.replace(self.ask_server(token, 30)?)
}`;
const FILE = Array.from({ length: 48 }, (_, n) => {
  const lines = [
    "use std::sync::Mutex;",
    "",
    "/// A login with its token.",
    "pub struct Session {",
    "    slot: Mutex<Slot>,",
    "}",
  ];
  return `${String(n + 1).padStart(6)}→${lines[n] ?? `// line ${n + 1} of the module "session"`}`;
}).join("\n");
const TESTS = `\u001b[1m\u001b[32m   Compiling\u001b[0m api v0.3.1 (/home/mara/code/api)
\u001b[1m\u001b[32m    Finished\u001b[0m \`test\` profile in 4.12s
\u001b[1m\u001b[32m     Running\u001b[0m unittests src/lib.rs

running 4 tests
test auth::refresh_twice ... \u001b[32mok\u001b[0m
test auth::two_tabs ... \u001b[31mFAILED\u001b[0m
test auth::expired ... \u001b[32mok\u001b[0m
test auth::slow_server ... \u001b[33mignored\u001b[0m

failures:
    auth::two_tabs: \u001b[1;31massertion failed\u001b[0m: \u001b[36mleft\u001b[0m == \u001b[36mright\u001b[0m

test result: \u001b[31mFAILED\u001b[0m. 2 passed; 1 failed; 1 ignored
\u001b[2K\rDownloading 12 %\rDownloading 57 %\rDownloading 100 %
\u001b[38;5;208mwarning\u001b[0m: unused variable \`old\``;
const PATCH = `*** Begin Patch
*** Update File: src/queue.rs
@@ impl Queue
 pub fn push(&mut self, write: Write) {
-    self.writes.push(write);
+    if !self.writes.contains(&write) {
+        self.writes.push(write);
+    }
 }
*** Add File: tests/queue.rs
+use api::Queue;
+
+#[test]
+fn a_write_is_queued_once() {
+    let mut queue = Queue::default();
+    queue.push("a".into());
+    queue.push("a".into());
+    assert_eq!(queue.len(), 1);
+}
*** Delete File: src/old_queue.rs
*** End Patch`;
const UNIFIED = `diff --git a/docs/auth.md b/docs/auth.md
--- a/docs/auth.md
+++ b/docs/auth.md
@@ -12,6 +12,7 @@ ## Tokens
 A token is valid for one hour.
 
-Each tab refreshes its own token.
+All tabs share one token. The first tab that finds it expired
+refreshes it; the others wait.
 
 ## Errors`;
const BLOCKS = `------- SEARCH
timeout = 5
=======
timeout = 30
+++++++ REPLACE`;
const MARKDOWN = `## What I found

The test races because **two requests refresh one token**. Setext headings and nested lists work:

Order of events
---------------

1. Tab A reads the token:
   - it is expired,
   - so A asks for a new one
     \`\`\`rust
     let token = self.ask_server(old, 30)?;
     \`\`\`
2. Tab B does the same *before* A has written.
3. ~~B waits.~~ B does **not** wait.

- [x] Find the race
- [ ] Fix it in [\`src/session.rs\`](src/session.rs)
- [ ] Write down [the standard's section](https://www.rfc-editor.org/rfc/rfc6749#section-6)

| Way   | Lines | Holds a lock |
| :---- | ----: | :----------: |
| mutex |    14 | while asking |
| queue |    41 |    never     |

> The mutex is smaller.
>
> > The queue is safer.`;

let ids = 0;
const asked = (name: string, input: Record<string, unknown> | string): Piece => {
  ids += 1;
  return { ...call(name, input), call_id: `call-${ids}` };
};
const answer = (n: number, body: string, is_error = false, doc?: string): Piece => ({
  ...result(body, is_error),
  call_id: `call-${n}`,
  ...(doc ? { doc } : {}),
});
/** The transcript of the sub-agent that one of the calls runs. */
const AGENT_DOC = "subagents/agent-a1b2.jsonl";
const MODEL = "claude-opus-4-5-20251101";
const said = (pieces: Piece[], tokens?: [number, number], model = MODEL): Said => ({
  role: "assistant",
  pieces,
  model,
  ...(tokens ? { tokens: { input: tokens[0], output: tokens[1] } } : {}),
});
const user = (...pieces: Piece[]): Said => ({ role: "user", pieces });
const tool = (...pieces: Piece[]): Said => ({ role: "tool", pieces });

export const READER: Said[] = [
  user(text("The login test fails every other run. Find out why, fix it, and tell me what it cost.")),
  said(
    [
      thinking("The test is flaky, so something races. Let me look at where the token is written."),
      text("I will read the module and make a plan first."),
      asked("TodoWrite", {
        todos: [
          { content: "Read the session module", status: "completed", activeForm: "Reading" },
          { content: "Lock the slot while a token is refreshed", status: "in_progress", activeForm: "Locking" },
          { content: "Run the tests twenty times", status: "pending", activeForm: "Running" },
          { content: "Rewrite the whole module", status: "cancelled" },
        ],
      }),
    ],
    [18_200, 310],
  ),
  tool(answer(1, "Todos have been modified successfully.")),
  said([asked("Read", { file_path: "/home/mara/code/api/src/session.rs", offset: 1, limit: 48 })], [18_900, 90]),
  said([asked("Grep", { pattern: "ask_server\\(", path: "src", output_mode: "content", "-n": true })], [18_900, 150]),
  tool(answer(2, FILE)),
  tool(
    answer(
      3,
      "src/session.rs:6:    self.ask_server(token, 30)\nsrc/queue.rs:41:    // ask_server() is called by the session",
    ),
  ),
  said(
    [
      text("Found it: the slot is read without a lock."),
      asked("Edit", {
        file_path: "/home/mara/code/api/src/session.rs",
        old_string: OLD,
        new_string: NEW,
        replace_all: false,
      }),
    ],
    [21_400, 520],
  ),
  tool(answer(4, "The file /home/mara/code/api/src/session.rs has been updated.")),
  said(
    [
      asked("MultiEdit", {
        file_path: "/home/mara/code/api/src/lib.rs",
        edits: [
          { old_string: "mod queue;", new_string: "mod queue;\nmod session;" },
          { old_string: "pub use queue::Queue;", new_string: "pub use queue::Queue;\npub use session::Session;" },
        ],
      }),
      asked("Bash", { command: "cargo test auth -- --nocapture", description: "Run the tests of the login" }),
    ],
    [22_000, 410],
  ),
  tool(answer(5, "Applied 2 edits to /home/mara/code/api/src/lib.rs")),
  tool(answer(6, `Exit code 101\n${TESTS}`, true)),
  said([text(MARKDOWN)], [24_800, 880]),
  user(text("Try it with the queue as well. And here is what I see:"), picture("image/png", PICTURE)),
  said([asked("apply_patch", PATCH)], [31_000, 640], "gpt-5.2-codex"),
  tool(
    answer(
      7,
      "Exit code: 0\nWall time: 0.1 seconds\nOutput:\nSuccess. Updated the following files:\nM src/queue.rs\nA tests/queue.rs\nD src/old_queue.rs",
    ),
  ),
  said(
    [
      asked("shell", {
        command: ["bash", "-lc", "cargo test queue && git diff --stat"],
        workdir: "/home/mara/code/api",
      }),
    ],
    [32_000, 120],
    "gpt-5.2-codex",
  ),
  tool(
    answer(
      8,
      "test a_write_is_queued_once ... ok\n src/queue.rs | 4 +++-\n 3 files changed, 13 insertions(+), 41 deletions(-)",
    ),
  ),
  said(
    [
      asked("update_plan", {
        explanation: "The queue works.",
        plan: [
          { step: "Queue", status: "completed" },
          { step: "Docs", status: "in_progress" },
        ],
      }),
    ],
    [32_500, 60],
    "gpt-5.2-codex",
  ),
  tool(answer(9, "Plan updated")),
  said(
    [
      asked("Write", {
        file_path: "/home/mara/code/api/src/retry.rs",
        content:
          "//! Tries again, later each time.\n\npub fn delay(n: u32) -> u64 {\n    100 * 2_u64.pow(n.min(6))\n}\n",
      }),
    ],
    [33_000, 200],
  ),
  tool(answer(10, "File created successfully at: /home/mara/code/api/src/retry.rs")),
  said([asked("replace_in_file", { path: "config/app.toml", diff: BLOCKS })], [33_400, 80]),
  tool(answer(11, "The content was saved to config/app.toml.")),
  said([asked("git_apply", { patch: UNIFIED })], [33_800, 95]),
  tool(answer(12, "")),
  said(
    [
      asked("Task", {
        description: "Look for other races",
        prompt: "Search the crate for reads of a shared slot **without** a lock. Report files and lines.",
        subagent_type: "Explore",
      }),
    ],
    [34_000, 130],
  ),
  tool(
    answer(
      13,
      "I looked at 14 files.\n\n- `src/cache.rs:88` reads `slot` without a lock.\n- Nothing else.\n\nThe cache is only read, so this is **harmless**.",
      false,
      AGENT_DOC,
    ),
  ),
  said(
    [
      asked("mcp__browser__screenshot", {
        url: "http://localhost:3000/login",
        viewport: { width: 1280, height: 800 },
        full: true,
      }),
    ],
    [35_100, 70],
  ),
  tool(answer(14, '{"title":"Login","errors":[],"timing":{"load":412,"idle":930}}'), picture("image/png", PICTURE)),
  said(
    [asked("WebFetch", { url: "https://www.rfc-editor.org/rfc/rfc6749", prompt: "What does section 6 say?" })],
    [36_000, 75],
  ),
  tool(answer(15, "Request failed with status code 403", true)),
  said(
    [
      asked("ExitPlanMode", {
        plan: "# Plan\n\n1. Keep the lock.\n2. Add the queue **behind a flag**.\n3. Measure for a week.",
      }),
    ],
    [36_400, 150],
  ),
  tool(answer(16, "User has approved your plan.")),
  {
    role: "system",
    pieces: [
      {
        kind: "compaction",
        body: "The login test raced: two refreshes of one token. Fixed by a lock; a queue is behind a flag.",
      },
    ],
  },
  user(text("Does that also hold when two tabs refresh at the same moment?")),
  said(
    [
      text("Yes. The second tab waits for the lock and takes the first one's token. Twenty runs in a row pass."),
      asked("Bash", { command: "for n in $(seq 20); do cargo test -q auth || break; done" }),
    ],
    [12_000, 240],
  ),
];

/** What the sub-agent did, in turn. */
const AGENT: Said[] = [
  user(text("Search the crate for reads of a shared slot **without** a lock. Report files and lines.")),
  said([text("I search for the slot first."), call("Grep", { pattern: "slot\\.", path: "src" })], [8_200, 60]),
  tool(
    result("src/cache.rs:88:    let now = self.slot.get();\nsrc/session.rs:12:    let mut slot = self.slot.lock()?;"),
  ),
  said([call("Read", { file_path: "/home/mara/code/api/src/cache.rs", offset: 80, limit: 12 })], [8_900, 45]),
  tool(result("    80\tpub fn age(&self) -> Age {\n    88\t    let now = self.slot.get();")),
  said([text("`src/cache.rs:88` reads `slot` without a lock. Nothing else.")], [9_400, 90]),
];

export function agentAt(doc: string): Said[] {
  return doc === AGENT_DOC ? Array.from({ length: 40 }, (_, at) => AGENT[at % AGENT.length]!) : [];
}
