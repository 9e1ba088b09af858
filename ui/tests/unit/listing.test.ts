// The list of all sessions, page by page.
import { expect, it } from "vitest";
import type { SessionRow } from "../../src/backend/types";
import { LISTED, listAll } from "../../src/lib/listing";

const row = (n: number) => ({ tool: "t", session: `s${n}` }) as SessionRow;
const rows = (n: number) => Array.from({ length: n }, (_, at) => row(at));

/** A list that answers pages, and what was asked. */
function listed(all: SessionRow[]) {
  const asked: (string | undefined)[] = [];
  const ask = async (after: string | undefined, limit: number) => {
    asked.push(after);
    const from = after === undefined ? 0 : all.findIndex((one) => one.session === after) + 1;
    return all.slice(from, from + limit);
  };
  return { ask, asked };
}

it("asks until a page is not full", async () => {
  const all = rows(LISTED * 2 + 7);
  const { ask, asked } = listed(all);
  expect(await listAll(ask, () => true)).toEqual(all);
  expect(asked).toEqual([undefined, `s${LISTED - 1}`, `s${2 * LISTED - 1}`]);
});

it("a session that moves meanwhile counts once, and an order that turns round ends", async () => {
  const page = rows(LISTED);
  let n = 0;
  const all = await listAll(
    async () => {
      n += 1;
      return page;
    },
    () => true,
  );
  expect(all).toEqual(page);
  expect(n).toBe(2);
});

it("ends when nobody wants the answer any more", async () => {
  const { ask, asked } = listed(rows(LISTED * 5));
  expect(await listAll(ask, () => asked.length < 2)).toBeNull();
  expect(asked.length).toBe(2);
});
