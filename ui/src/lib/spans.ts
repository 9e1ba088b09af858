// Splits a text where it differs from another one. Spans come from outside and may not fit.
import type { Span } from "../backend/types";

export interface Piece {
  text: string;
  changed: boolean;
}

/** The pieces of one side's text, in order and complete, without duplicates. */
export function pieces(text: string, spans: readonly Span[], left: boolean): Piece[] {
  const changed = spans
    .filter((span) => span.left === left && span.changed && span.from < span.to)
    .sort((one, other) => one.from - other.from);
  const found: Piece[] = [];
  let at = 0;
  for (const span of changed) {
    const from = Math.min(Math.max(span.from, at), text.length);
    const to = Math.min(span.to, text.length);
    if (to <= from) continue;
    if (from > at) found.push({ text: text.slice(at, from), changed: false });
    const last = found.at(-1);
    if (last?.changed) last.text += text.slice(from, to);
    else found.push({ text: text.slice(from, to), changed: true });
    at = to;
  }
  if (at < text.length) found.push({ text: text.slice(at), changed: false });
  return found;
}

/** The length of a changed text that is shown before it is opened, and the part of it before the
 * change. */
const EXCERPT = 240;
const BEFORE = 80;

/** The surroundings of `change`, the same on both sides, so that they can be compared at a glance;
 * starts at a word. */
export function excerpt(
  all: readonly Piece[],
  change: number,
): { pieces: Piece[]; cutBefore: boolean; cutAfter: boolean } {
  const text = all.map((piece) => piece.text).join("");
  let from = change <= EXCERPT / 2 ? 0 : change - BEFORE;
  const word = from === 0 ? 0 : text.slice(from, Math.min(from + 70, change)).search(/\s\S/);
  if (word >= 0 && from > 0) from += word + 1;
  const to = from + EXCERPT;
  const found: Piece[] = [];
  let at = 0;
  for (const piece of all) {
    const part = piece.text.slice(Math.max(0, from - at), Math.max(0, to - at));
    if (part) found.push({ text: part, changed: piece.changed });
    at += piece.text.length;
  }
  return { pieces: found, cutBefore: from > 0, cutAfter: to < text.length };
}

/** The length of the common beginning of two texts. */
export function commonStart(one: string, other: string): number {
  let at = 0;
  while (at < one.length && one[at] === other[at]) at += 1;
  return at;
}
