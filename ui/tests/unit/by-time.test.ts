// Both sides in the order of time: everything once, each side in its own order, whatever the clocks say.
import { expect, it } from "vitest";
import type { DiffRow, Msg, RowKind } from "../../src/backend/types";
import { byTime, type Entry } from "../../src/lib/by-time";

const message = (minute: number | null) =>
  ({ at: minute === null ? null : new Date(minute * 60_000).toISOString() }) as Msg;

function rows(of: [left: number | null | undefined, right: number | null | undefined, kind?: RowKind][]): DiffRow[] {
  return of.map(([left, right, kind = "beside"], i) => ({
    i,
    kind,
    left: left === undefined ? null : message(left),
    right: right === undefined ? null : message(right),
    alike: 0,
    turn: 1,
    alone: false,
  }));
}

function ordered(of: DiffRow[]): Entry[] {
  const steps = byTime(of);
  let step = steps.next();
  while (!step.done) step = steps.next();
  return step.value;
}

const short = (of: DiffRow[]) => ordered(of).map(({ row, side }) => `${row}${side[0]}`);

it("puts the earlier message first", () => {
  expect(
    short(
      rows([
        [1, 2],
        [5, 3],
        [6, undefined],
      ]),
    ),
  ).toEqual(["0l", "0r", "1r", "1l", "2l"]);
});

it("keeps what both have where both have it, once", () => {
  expect(
    short(
      rows([
        [9, 1],
        [10, 2, "same"],
        [11, 3],
      ]),
    ),
  ).toEqual(["0r", "0l", "1b", "2r", "2l"]);
});

it("a clock that goes back or is missing does not change the order of a side", () => {
  const random = (n: number) => (n * 7919) % 13;
  for (let seed = 0; seed < 200; seed++) {
    const one = (at: number): number | null | undefined => {
      const of = random(seed * 31 + at * 17);
      return of === 0 ? undefined : of === 1 ? null : of;
    };
    const all = rows(Array.from({ length: 12 }, (_, at) => [one(at), one(at + 50)]));
    const entries = ordered(all);
    for (const side of ["left", "right"] as const) {
      const shown = entries.filter((entry) => entry.side === side).map((entry) => entry.row);
      expect(shown).toEqual(all.filter((row) => row[side]).map((row) => row.i));
    }
  }
});
