// Finding sessions, their order, and the headings between them.
import { expect, it } from "vitest";
import { makeWorld } from "../../src/backend/fake/world";
import type { SessionRow } from "../../src/backend/types";
import { month } from "../../src/lib/format";
import {
  comparing,
  EVERYTHING,
  type Filter,
  grouped,
  isFilter,
  laidOut,
  matching,
  merged,
  type Order,
  prepare,
  stateCounts,
  unprepared,
  values,
} from "../../src/lib/search";
import { each, inSlices, sorted } from "../../src/lib/slices";

const NOW = Date.parse("2026-11-26T12:00:00Z");
const NONE = { open: new Set<string>(), pinned: new Set<string>() };
const SAY = { pinned: "Pinned", today: "Today", yesterday: "Yesterday", week: "This week", rest: "All others", month };

function prepared(rows: SessionRow[]) {
  const all = unprepared(rows);
  for (const at of rows.keys()) prepare(all, at, () => "Tool");
  return all;
}

const inOrder = (n: number) => Uint32Array.from({ length: n }, (_, at) => at);

const row = (title: string, updated: string, more: Partial<SessionRow> = {}): SessionRow => ({
  session: title,
  tool: "t",
  project: "git:host/a/b",
  title,
  updated,
  bytes: title.length,
  devices: ["desk"],
  state: "here",
  ...more,
});

it("finds sessions by all words, wherever they stand", () => {
  const { sessions } = makeWorld("many", NOW);
  const all = prepared(sessions);
  const places = inOrder(sessions.length);
  const find = (filter: Partial<Filter>) =>
    matching(all, places, { ...EVERYTHING, ...filter }, NONE).map((at) => sessions[at]!);
  const found = find({ text: "LOGIN desk  api" });
  expect(found.length).toBeGreaterThan(0);
  for (const row of found) {
    expect(row.title.toLowerCase()).toContain("login");
    expect(row.devices).toContain("desk");
    expect(row.project).toContain("acme/api");
  }
  expect(find({ text: "no such word" })).toEqual([]);
  expect(find({})).toHaveLength(50_000);
  expect(find({ state: "split" }).every((row) => row.state === "split")).toBe(true);
  expect(values(all.tools)[0]).toBe("claude-code");
  const counts = stateCounts(all, { open: new Set([sessions[4]!.session, "unknown"]), pinned: new Set() });
  expect(counts).toMatchObject({ open: 1, split: 1, waiting: 2, held: 0, pinned: 0 });
  expect(counts.elsewhere).toBe(find({ state: "elsewhere" }).length);
});

it("open and pinned sessions are found by what is known beside the list", () => {
  const rows = [row("a", "2026-11-26T10:00:00Z"), row("b", "2026-11-26T09:00:00Z")];
  const marks = { open: new Set(["b"]), pinned: new Set(["a"]) };
  const find = (state: Filter["state"]) => matching(prepared(rows), inOrder(2), { ...EVERYTHING, state }, marks);
  expect([find("open"), find("pinned")]).toEqual([[1], [0]]);
});

it("a long sort in slices gives what a sort at once gives", async () => {
  const n = 20_000;
  const random = Array.from({ length: n }, (_, at) => (at * 7919) % 977);
  const order = inOrder(n);
  let pauses = 0;
  for (const _ of sorted(order, (one, other) => random[one]! - random[other]!)) pauses += 1;
  const expected = [...inOrder(n)].sort((one, other) => random[one]! - random[other]!);
  expect([...order]).toEqual(expected);
  expect(pauses).toBeGreaterThan(100);
});

it("work in slices is done whole, or not at all once it is ended", async () => {
  let now = 0;
  const slow = () => (now += 5);
  const run = (seen: number[]) =>
    inSlices(
      each(1000, (at) => seen.push(at)),
      slow,
    );
  const [whole, cut]: [number[], number[]] = [[], []];
  run(whole);
  run(cut)();
  await expect.poll(() => whole.length).toBe(1000);
  expect(cut.length).toBeLessThan(1000);
});

it("sorts by title and size, those without a title last", () => {
  const rows = [row("beta", "x"), row("", "x", { bytes: 9 }), row("Alpha", "x", { bytes: 50 })];
  const all = prepared(rows);
  const by = (order: Order) => [...inOrder(3)].sort(comparing(all, order)).map((at) => rows[at]!.title);
  expect(by("title")).toEqual(["Alpha", "beta", ""]);
  expect(by("size")).toEqual(["Alpha", "", "beta"]);
});

it("groups by day, week and month; pinned sessions come first", () => {
  // A Thursday: the week began on the 23rd.
  const rows = [
    row("now", "2026-11-26T11:00:00Z"),
    row("yesterday", "2026-11-25T11:00:00Z"),
    row("monday", "2026-11-23T11:00:00Z"),
    row("sunday", "2026-11-22T11:00:00Z"),
    row("october", "2026-10-22T11:00:00Z"),
    row("october, too", "2026-10-02T11:00:00Z"),
    row("last year", "2025-10-02T11:00:00Z"),
    row("no time", ""),
  ];
  const all = prepared(rows);
  const places = [...inOrder(rows.length)];
  const { rows: shown, groups } = grouped(all, places, "recent", new Set(["october"]), NOW, SAY);
  expect(groups).toEqual([
    { title: "Pinned", n: 1 },
    { title: "Today", n: 1 },
    { title: "Yesterday", n: 1 },
    { title: "This week", n: 1 },
    { title: "November", n: 1 },
    { title: "October", n: 1 },
    { title: "October 2025", n: 1 },
    { title: "January 1970", n: 1 },
  ]);
  expect(shown[0]).toBe(4);
  expect(grouped(all, places, "title", new Set(), NOW, SAY).groups).toEqual([]);
  const { items, itemOf } = laidOut(shown.length, groups);
  expect([...items].slice(0, 4)).toEqual([-1, 0, -2, 1]);
  expect(itemOf[1]).toBe(3);
  expect(items).toHaveLength(rows.length + groups.length);
});

it("the newest rows of a long list replace, add and remove; all others stay what they are", () => {
  const [a, b, c, d] = ["9", "8", "7", "6"].map((time, at) => row(`s${at}`, time)) as [SessionRow, ...SessionRow[]];
  const changed = { ...c!, title: "changed", updated: "99" };
  const added = row("new", "98");
  const now = merged([a, b!, c!, d!], [changed, added, a], 3);
  expect(now.map((one) => one.session)).toEqual(["s2", "new", "s0", "s1", "s3"]);
  expect(now[4]).toBe(d);
  // b is as new as the newest and missing there.
  expect(merged([a, b!, c!], [a, c!], 2).map((one) => one.session)).toEqual(["s0", "s2"]);
  // Fewer than were asked for: these are all.
  expect(merged([a, b!, c!], [b!], 3)).toEqual([b]);
  const [before, after] = [prepared([a, d!]), unprepared([d!, added])];
  for (const at of [0, 1]) prepare(after, at, () => "another name", before);
  expect(after.hay[0]).toBe(before.hay[1]);
  expect(after.hay[1]).toContain("another name");
});

it("kept filters that are none are refused", () => {
  expect(isFilter({ ...EVERYTHING, state: "split" })).toBe(true);
  expect(isFilter({ ...EVERYTHING, state: "everything" })).toBe(false);
  expect(isFilter({ text: "a" })).toBe(false);
  expect(isFilter(null)).toBe(false);
});
