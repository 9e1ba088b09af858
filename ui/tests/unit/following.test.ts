// What a status that came leads to: a drawing, and a request of every list.
import { expect, it } from "vitest";
import { makeWorld } from "../../src/backend/fake/world";
import type { Status } from "../../src/backend/types";
import { following } from "../../src/lib/following";

const NOW = Date.parse("2026-11-23T12:00:00Z");
const settled = () => new Promise((done) => setTimeout(done, 5));

function heard() {
  const seen = { shown: 0, changed: 0 };
  const { hear } = following(
    {
      shown: () => {
        seen.shown += 1;
      },
      changed: () => {
        seen.changed += 1;
      },
    },
    0,
  );
  const { status } = makeWorld("quiet", NOW);
  const open = { session: "a", tool: "codex", title: "Fix it", project: "git:example/api", device: "desk" };
  status.live = [{ ...open, here: true, seen: new Date(NOW).toISOString() }];
  hear(status);
  return { seen, hear: (change: Partial<Status>) => hear(Object.assign(status, change)), status };
}

it("time that passes while a session is open here is no news", async () => {
  const { seen, hear, status } = heard();
  for (let n = 1; n <= 10; n += 1) {
    const at = new Date(NOW + n * 400).toISOString();
    hear({ cycle_ms: n, live: status.live.map((one) => ({ ...one, seen: at })) });
    await settled();
  }
  expect(seen).toEqual({ shown: 1, changed: 0 });
});

it("how far something is is shown, and no list is asked for", async () => {
  const { seen, hear, status } = heard();
  const read = { name: "export.zip", others: 0, bytes: 0, total: 9, done: null, failed: null };
  for (let n = 1; n <= 5; n += 1) {
    hear({ moving: { ...status.moving, queued: n }, conversation_import: { ...read, conversations: n } });
    await settled();
  }
  // That an import has begun is news.
  expect(seen).toEqual({ shown: 6, changed: 1 });
});

it.each([
  { happenings: 1_000_000 },
  { splits: 77 },
  { held: [{ what: "tool:x", code: "tool_emptied", message: "", hint: "", actions: [] }] },
  { waiting_counts: [{ code: "no_place", tool: "codex", sessions: 77 }] },
  { problems: [{ code: "disk_full", message: "The disk is full.", hint: "", actions: [] }] },
  { asking: 77 },
  { engine: "paused" },
] as Partial<Status>[])("what may change a list asks for it once: %j", async (change) => {
  const { seen, hear } = heard();
  hear(change);
  await settled();
  hear({});
  await settled();
  expect(seen).toEqual({ shown: 2, changed: 1 });
});
