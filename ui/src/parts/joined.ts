// Calls and their results, shown together: which results belong to the calls of a message, and which of its parts are
// shown elsewhere. A transcript and both columns of a comparison use the same.
import { useMemo, useRef } from "preact/hooks";
import type { Message, PartBody } from "../backend/types";
import { type Pairs, partsOfResult } from "../lib/pairs";
import type { Answer } from "./message";

/** What a message shows of others, and what others show of it. */
export interface Joined {
  answers: ReadonlyMap<number, Answer>;
  elsewhere: ReadonlySet<number>;
  /** Everything in the message is shown with a call before it. */
  isElsewhere: boolean;
}

/** A value, and what it was made of: as long as that is the same, so is the value. */
export interface Keyed<T> {
  key: unknown[];
  value: T;
}

export function joined(
  at: number,
  get: (at: number) => Pick<Message, "parts"> | undefined,
  pairs: Pairs,
  part: (message: number, part: number) => Promise<PartBody>,
): Keyed<Joined> {
  const message = get(at);
  const answers = new Map<number, Answer>();
  const elsewhere = new Set<number>();
  const isElsewhere = pairs.isElsewhere(at);
  const key: unknown[] = [message?.parts, isElsewhere];
  for (const number of message?.parts.keys() ?? []) {
    const result = pairs.resultOf(at, number);
    const answered = result && get(result.message);
    if (result && answered) {
      key.push(number, answered.parts);
      answers.set(number, {
        parts: partsOfResult(answered, result.part),
        whole: (one) => part(result.message, one),
      });
    }
    if (pairs.callOf(at, number)) {
      key.push(`-${number}`);
      elsewhere.add(number);
    }
  }
  return { key, value: { answers, elsewhere, isElsewhere } };
}

/** Rows that are kept; more are forgotten at once. */
const MOST_KEPT = 2_000;

/** Each value is made once for these inputs, and is the one from before if nothing changed in it: rows that it is given
 * to are not drawn again. */
export function useKeyed<K, T>(make: (at: K) => Keyed<T>, inputs: readonly unknown[]): (at: K) => T {
  const known = useRef(new Map<K, Keyed<T>>());
  return useMemo(() => {
    const fresh = new Set<K>();
    return (at) => {
      const before = known.current.get(at);
      if (before && fresh.has(at)) return before.value;
      if (known.current.size > MOST_KEPT) {
        known.current.clear();
        fresh.clear();
      }
      fresh.add(at);
      const made = make(at);
      const isSame = before?.key.length === made.key.length && made.key.every((value, n) => value === before.key[n]);
      if (isSame) return before.value;
      known.current.set(at, made);
      return made.value;
    };
  }, inputs);
}
