// A split, page by page: what is in sight first, everything in the end, and where the next difference is.
import { expect, it } from "vitest";
import type { Diff, RowKind } from "../../src/backend/types";
import { PAGE, Pages } from "../../src/lib/pages";

function page(kinds: RowKind[], from: number): Diff {
  const rows = kinds
    .slice(from, from + PAGE)
    .map((kind, n) => ({ i: from + n, kind, left: null, right: null, alike: 0 }));
  return { total: kinds.length, rows } as unknown as Diff;
}

async function loaded(kinds: RowKind[]): Promise<Pages> {
  const pages = new Pages(
    page(kinds, 0),
    async (from) => page(kinds, from),
    () => {},
    () => {},
  );
  pages.want(0, 1);
  while (!pages.whole) await new Promise((done) => setTimeout(done, 0));
  return pages;
}

const same = (n: number): RowKind[] => Array.from({ length: n }, () => "same");

it("asks for what is in sight before the rest, each page once, one at a time", async () => {
  const asked: number[] = [];
  let under = 0;
  const kinds = same(PAGE * 10);
  const pages = new Pages(
    page(kinds, 0),
    async (from) => {
      under += 1;
      expect(under).toBe(1);
      asked.push(from / PAGE);
      await new Promise((done) => setTimeout(done, 1));
      under -= 1;
      return page(kinds, from);
    },
    () => {},
    () => {},
  );
  pages.want(PAGE * 7 + 3, PAGE * 8 + 9);
  while (!pages.whole) await new Promise((done) => setTimeout(done, 1));
  expect(asked.slice(0, 2)).toEqual([7, 8]);
  expect([...asked].sort((one, other) => one - other)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
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
    async (from) => {
      if (refuse) throw new Error("gone");
      return page(kinds, from);
    },
    () => {},
    (thrown) => failures.push(thrown),
  );
  pages.want(PAGE, PAGE + 1);
  await new Promise((done) => setTimeout(done, 5));
  expect(failures).toHaveLength(1);
  refuse = false;
  pages.want(PAGE, PAGE + 1);
  while (!pages.whole) await new Promise((done) => setTimeout(done, 1));
  expect(pages.row(PAGE * 3 - 1)?.i).toBe(PAGE * 3 - 1);
});
