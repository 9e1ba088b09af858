// A split, page by page: what is in sight first, everything in the end, and where the next difference is.
import { expect, it } from "vitest";
import type { Diff, RowKind } from "../../src/backend/types";
import { BODIES, madeOf, movedSides, PAGE, Pages } from "../../src/lib/pages";

const calm = { changed: () => {}, failed: () => {}, moved: () => {} };
const SIDES = { left: { branch: "a", messages: 9 }, right: { branch: "b", messages: 7 } };

function page(kinds: RowKind[], from: number, n = PAGE, turns: number[] = []): Diff {
  const rows = kinds
    .slice(from, from + n)
    .map((kind, at) => ({ i: from + at, kind, left: null, right: null, alike: 0, turn: turns[from + at] ?? 0 }));
  return { ...SIDES, total: kinds.length, rows } as unknown as Diff;
}

async function loaded(kinds: RowKind[], turns: number[] = []): Promise<Pages> {
  const pages = new Pages(page(kinds, 0, PAGE, turns), async (from, n) => page(kinds, from, n, turns), calm);
  pages.want([0]);
  while (!pages.whole) await new Promise((done) => setTimeout(done, 0));
  return pages;
}

const same = (n: number): RowKind[] => Array.from({ length: n }, () => "same");

it("asks for what is in sight before the rest, each page once, one at a time", async () => {
  const asked: [from: number, bodies: boolean][] = [];
  let under = 0;
  const kinds = same(PAGE * 10);
  const pages = new Pages(
    page(kinds, 0),
    async (from, n, bodies) => {
      under += 1;
      expect(under).toBe(1);
      expect(n).toBe(bodies ? BODIES : PAGE);
      asked.push([from, bodies]);
      await new Promise((done) => setTimeout(done, 1));
      under -= 1;
      return page(kinds, from, n);
    },
    calm,
  );
  pages.want([PAGE * 7 + 3, PAGE * 7 + 4, PAGE * 8]);
  while (!pages.whole) await new Promise((done) => setTimeout(done, 1));
  expect(asked.slice(0, 2)).toEqual([
    [PAGE * 7, true],
    [PAGE * 8, true],
  ]);
  const rest = asked.slice(2).map(([from, bodies]) => (bodies ? -1 : from / PAGE));
  expect(rest).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
  expect([pages.hasBody(PAGE * 7), pages.hasBody(PAGE * 7 + BODIES)]).toEqual([true, false]);
});

it("keeps the bodies of what was read last only", async () => {
  const kinds = same(BODIES * 60);
  const pages = await loaded(kinds);
  for (let at = 0; at < 60; at++) {
    pages.want([at * BODIES]);
    while (!pages.hasBody(at * BODIES)) await new Promise((done) => setTimeout(done, 0));
  }
  expect([pages.hasBody(0), pages.hasBody(BODIES * 59)]).toEqual([false, true]);
  expect(pages.row(0)?.i).toBe(0);
});

it("goes from turn to turn, and over what is the same", async () => {
  const kinds: RowKind[] = ["changed", "beside", "left", "beside", "beside", "same", "same", "right"];
  const pages = await loaded(kinds, [1, 1, 1, 2, 2, 3, 3, 3]);
  expect(pages.next(-1, 1)).toBe(0);
  expect(pages.next(0, 1)).toBe(3);
  expect(pages.next(3, 1)).toBe(7);
  expect(pages.next(7, -1)).toBe(3);
});

it("goes from difference to difference, a stretch at a time", async () => {
  const kinds: RowKind[] = [...same(3), "left", "left", "changed", ...same(400), "right", ...same(5)];
  const pages = await loaded(kinds);
  expect(pages.next(-1, 1)).toBe(3);
  expect(pages.next(3, 1)).toBe(406);
  expect(pages.next(406, 1)).toBeNull();
  expect(pages.next(406, -1)).toBe(3);
  expect(pages.next(3, -1)).toBeNull();
});

it("tells of a page that could not be had, and asks again", async () => {
  const kinds = same(PAGE * 3);
  let refuse = true;
  const failures: unknown[] = [];
  const pages = new Pages(
    page(kinds, 0),
    async (from, n) => {
      if (refuse) throw new Error("gone");
      return page(kinds, from, n);
    },
    { ...calm, failed: (thrown) => failures.push(thrown) },
  );
  pages.want([PAGE]);
  await new Promise((done) => setTimeout(done, 5));
  expect(failures).toHaveLength(1);
  refuse = false;
  pages.want([PAGE]);
  while (!pages.whole) await new Promise((done) => setTimeout(done, 1));
  expect(pages.row(PAGE * 3 - 1)?.i).toBe(PAGE * 3 - 1);
});

/** A comparison of rows, as `kind: left | right`; `c1` is a call, `r1` its result, anything else a text. */
function compared(lines: string[]): Pages {
  const message = (said: string) => {
    if (said === "-") return null;
    const id = said.slice(1);
    const kind = said.startsWith("c") ? "tool_use" : said.startsWith("r") ? "tool_result" : "text";
    const ids = kind === "text" ? {} : { call_id: id };
    const role = kind === "tool_result" ? "tool" : "assistant";
    return { role, pieces: kind === "text" ? [] : [{ kind, text: said, bytes: 2, ...ids }] };
  };
  const rows = lines.map((line, i) => {
    const [kind, left, right] = line.split(" ");
    return { i, kind, left: message(left!), right: message(right!), alike: 0, turn: 1, alone: false };
  });
  const first = { ...SIDES, total: rows.length, rows } as unknown as Diff;
  return new Pages(first, async () => first, calm);
}

it("hides a row in which both sides have only results that are shown with their calls", () => {
  const pages = compared(["changed c1 c2", "changed r1 r2", "left c3 -", "left r3 -", "right - c4", "right - text"]);
  expect([0, 1, 2, 3, 4, 5].filter((row) => pages.isHidden(row))).toEqual([1, 3]);
  expect(pages.resultsOf(0)).toEqual([1, 1]);
  expect(pages.pairs.right.resultOf(0, 0)).toEqual({ message: 1, part: 0 });
});

it("keeps a row while one side still has something to show in it", () => {
  const pages = compared(["beside c1 text", "beside r1 text"]);
  expect(pages.isHidden(1)).toBe(false);
  expect([pages.isElsewhere("left", 1), pages.isElsewhere("right", 1)]).toEqual([true, false]);
});

it("keeps the row of a result that differs although its call is the same", () => {
  const pages = compared(["same c1 c1", "changed r1 r1", "same c2 c2", "same r2 r2"]);
  expect([0, 1, 2, 3].filter((row) => pages.isHidden(row))).toEqual([3]);
});

it("goes from difference to difference without stopping at hidden rows", () => {
  const pages = compared(["same text text", "left c1 -", "same text text", "left r1 -", "right - text"]);
  expect(pages.next(1, 1)).toBe(null);
  expect(compared(["left c1 -", "same text text", "right - text"]).next(0, 1)).toBe(2);
});

it("takes no page of another comparison: a side went on meanwhile", async () => {
  const kinds = same(PAGE * 3);
  const first = page(kinds, 0);
  let moved = 0;
  const ask = async (from: number, n: number) => ({
    ...page(kinds, from, n),
    ...(from >= PAGE ? { right: { branch: "c", messages: 8 } } : {}),
  });
  const pages = new Pages(first, ask as never, { ...calm, moved: () => (moved += 1) });
  pages.want([PAGE]);
  await new Promise((done) => setTimeout(done, 5));
  expect([moved, pages.row(PAGE)]).toEqual([1, undefined]);
  pages.want([PAGE * 2]);
  await new Promise((done) => setTimeout(done, 5));
  expect(moved).toBe(1);
  const next = { ...first, right: { branch: "b", messages: 8 } } as Diff;
  expect([movedSides(first, next), movedSides(first, first)]).toEqual([["right"], []]);
  expect(madeOf(next)).not.toBe(madeOf(first));
});

it("shows the rows of the comparison before until they are known better", async () => {
  const message = (key: string) => ({ key, pieces: [], parts: [] });
  const row = (i: number, key: string) => ({ i, kind: "left", left: message(key), right: null, alike: 0, turn: 1 });
  const made = (rows: unknown[]) => ({ ...SIDES, total: PAGE + 2, rows }) as unknown as Diff;
  const rows = Array.from({ length: PAGE + 2 }, (_, i) => row(i, `k${i}`));
  const before = new Pages(made(rows), async () => made([]), calm);
  const first = [row(0, "k0"), row(1, "other"), ...rows.slice(2, PAGE)];
  const now = new Pages(made(first), async () => made([]), calm, before);
  expect([0, 1, PAGE + 1].map((i) => now.row(i)?.left?.key)).toEqual(["k0", "other", `k${PAGE + 1}`]);
});
