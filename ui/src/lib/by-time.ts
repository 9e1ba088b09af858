// The messages of both sides in the order of their times, as one conversation. The order within a side never changes,
// whatever its times say. Pure, and in steps: twenty thousand messages take longer than a frame.
import type { DiffRow, Msg, Side } from "../backend/types";
import { STEPS } from "./slices";

/** A message and the row that it is in; `both` if the sides have it in common. */
export interface Entry {
  row: number;
  side: Side | "both";
}

/** Merges the two sides: of the two next messages, the earlier one. A message without a time follows the one before it
 * on its side. */
export function* byTime(rows: readonly DiffRow[]): Generator<void, Entry[]> {
  const left = yield* timed(rows, "left");
  const right = yield* timed(rows, "right");
  const entries: Entry[] = [];
  let [l, r] = [0, 0];
  while (l < left.length || r < right.length) {
    if ((l + r) % STEPS === 0) yield;
    const [one, other] = [left[l], right[r]];
    if (one?.same && other?.row === one.row) {
      entries.push({ row: one.row, side: "both" });
      l += 1;
      r += 1;
      // What both have waits for both.
    } else if (one && (!other || other.same || (!one.same && one.at <= other.at))) {
      entries.push({ row: one.row, side: "left" });
      l += 1;
    } else if (other) {
      entries.push({ row: other.row, side: "right" });
      r += 1;
    }
  }
  return entries;
}

interface Timed {
  row: number;
  at: number;
  same: boolean;
}

function* timed(rows: readonly DiffRow[], side: Side): Generator<void, Timed[]> {
  let at = Number.NEGATIVE_INFINITY;
  const found: Timed[] = [];
  for (const row of rows) {
    if (found.length % STEPS === 0) yield;
    const message: Msg | null = row[side];
    if (!message) continue;
    const own = message.at === null ? Number.NaN : Date.parse(message.at);
    // A clock that went back must not send a message before the one it answers.
    if (own > at) at = own;
    found.push({ row: row.i, at, same: row.kind === "same" });
  }
  return found;
}
