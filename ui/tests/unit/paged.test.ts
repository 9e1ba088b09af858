// A transcript page by page: what is in sight is asked for, once, and a failure is told and can be tried again.
import { expect, it } from "vitest";
import { MESSAGES, Paged } from "../../src/lib/paged";

const page = (from: number, total: number) =>
  Array.from({ length: Math.min(MESSAGES, total - from) }, (_, n) => from + n);
const settled = () => new Promise((done) => setTimeout(done, 0));

it("asks for what is in sight only, each page once", async () => {
  const asked: number[] = [];
  const total = MESSAGES * 9 + 5;
  const ask = async (from: number) => {
    asked.push(from);
    return page(from, total);
  };
  const pages = new Paged(total, page(0, total), ask, { changed: () => {}, failed: () => {} });
  pages.want(0, 20);
  await settled();
  expect(asked).toEqual([]);
  pages.want(MESSAGES * 5 - 3, MESSAGES * 5 + 3);
  pages.want(MESSAGES * 9, total);
  await settled();
  pages.want(MESSAGES * 9, total + 50);
  await settled();
  expect(asked).toEqual([MESSAGES * 4, MESSAGES * 9]);
  expect([pages.get(MESSAGES * 9 + 4), pages.get(MESSAGES * 2), pages.get(3)]).toEqual([total - 1, undefined, 3]);
});

it("tells a failure and asks again when it is wanted again", async () => {
  let fails = true;
  const failed: unknown[] = [];
  let changed = 0;
  const ask = async (from: number) => {
    if (fails) throw new Error("no");
    return page(from, 250);
  };
  const pages = new Paged(250, page(0, 250), ask, {
    changed: () => {
      changed += 1;
    },
    failed: (thrown) => failed.push(thrown),
  });
  pages.want(120, 130);
  await settled();
  expect([failed.length, changed]).toEqual([1, 0]);
  fails = false;
  pages.retry();
  await settled();
  expect([pages.get(125), changed]).toEqual([125, 1]);
});

/** A list that changes, the pages of it, what was asked for, and how often what is known was dropped. */
function changing(items: string[]) {
  const list = { items, asked: [] as number[], renewed: 0, taken: [] as number[] };
  const ask = async (from: number) => {
    list.asked.push(from / MESSAGES);
    const answer = list.items.slice(from, from + MESSAGES);
    await settled();
    return answer;
  };
  const pages = new Paged(items.length, items.slice(0, MESSAGES), ask, {
    changed: () => {},
    failed: () => {},
    taken: (from) => list.taken.push(from / MESSAGES),
    renewed: () => {
      list.renewed += 1;
    },
  });
  const shown = async (from: number, to: number) => {
    pages.want(from, to);
    for (let n = 0; n < 12; n++) await settled();
    return Array.from({ length: to - from }, (_, n) => pages.get(from + n));
  };
  const change = async (next: string[]) => {
    list.items = next;
    list.asked = [];
    pages.follow(next.length);
    for (let n = 0; n < 12; n++) await settled();
  };
  return { list, pages, shown, change };
}

const lines = (n: number, of = "a", from = 0) => Array.from({ length: n }, (_, at) => `${of}${from + at}`);

it("a list that grows keeps what is known, and its last item may change in place", async () => {
  const { list, pages, shown, change } = changing(lines(250));
  await shown(0, 250);
  await change([...lines(249), "longer", ...lines(3, "b")]);
  expect([list.asked, list.renewed]).toEqual([[2], 0]);
  expect([pages.get(249), pages.get(251), pages.total]).toEqual(["longer", "b1", 253]);
});

it("a list that becomes shorter loses its end, and nothing else", async () => {
  const { list, pages, shown, change } = changing(lines(250));
  await shown(0, 250);
  await change(lines(180));
  expect([pages.total, pages.get(180), pages.get(179), pages.get(20)]).toEqual([180, undefined, "a179", "a20"]);
  // What points at an item that is gone is made anew, from what stays.
  expect(list.renewed).toBe(1);
  expect(list.taken.slice(-3)).toEqual([0, 1, 1]);
  await change(lines(190));
  expect(await shown(150, 190)).toEqual(lines(40, "a", 150));
});

it.each([
  ["longer", 260],
  ["as long", 240],
  ["shorter", 200],
])("a list of others from the 150th on is read anew, though it is %s", async (_, n) => {
  const { list, shown, change } = changing(lines(240));
  await shown(0, 240);
  const next = [...lines(150), ...lines(n - 150, "b", 150)];
  await change(next);
  expect(list.renewed).toBeGreaterThan(0);
  expect(await shown(0, n)).toEqual(next);
});

it("another list is noticed where nothing but the last item stood on the last page", async () => {
  const { shown, change } = changing(lines(201));
  await shown(0, 201);
  const next = [...lines(150), ...lines(70, "b", 150)];
  await change(next);
  expect(await shown(0, 220)).toEqual(next);
});

it("what begins empty fills", async () => {
  const { pages, shown, change } = changing([]);
  await shown(0, 10);
  await change(lines(4));
  expect([pages.total, pages.get(3)]).toEqual([4, "a3"]);
});

it("an answer that was on its way while the list changed is asked for again", async () => {
  const { list, pages, shown } = changing(lines(150));
  pages.want(100, 150);
  list.items = [...lines(120), ...lines(60, "b", 120)];
  pages.follow(180);
  for (let n = 0; n < 12; n++) await settled();
  expect(await shown(100, 180)).toEqual(list.items.slice(100));
});

it("who waits for an item that is gone waits no longer", async () => {
  const { list, pages } = changing(lines(500));
  const waiting = pages.load(450);
  list.items = lines(120);
  pages.follow(120);
  await waiting;
  expect(pages.get(450)).toBeUndefined();
});
