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
  const pages = new Paged(
    total,
    page(0, total),
    ask,
    () => {},
    () => {},
  );
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
  const pages = new Paged(
    250,
    page(0, 250),
    ask,
    () => {
      changed += 1;
    },
    (thrown) => failed.push(thrown),
  );
  pages.want(120, 130);
  await settled();
  expect([failed.length, changed]).toEqual([1, 0]);
  fails = false;
  pages.want(120, 130);
  await settled();
  expect([pages.get(125), changed]).toEqual([125, 1]);
});
