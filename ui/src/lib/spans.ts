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

const WORD = /[\p{L}\p{N}_]+/gu;
/** Words of the source that have no place in the drawn text, at most, before one that has. */
const AHEAD = 60;

/** A stretch of one of the drawn texts. */
export interface Stretch {
  text: number;
  from: number;
  to: number;
}

/** Where the changed words of a text stand in what was drawn of it: `drawn` are the texts on the screen in order,
 * without the signs of Markdown. */
export function changedWords(
  source: string,
  spans: readonly Span[],
  left: boolean,
  drawn: readonly string[],
): Stretch[] {
  const words: { word: string; changed: boolean }[] = [];
  for (const piece of pieces(source, spans, left))
    for (const [word] of piece.text.matchAll(WORD)) words.push({ word, changed: piece.changed });
  const found: Stretch[] = [];
  let next = 0;
  drawn.forEach((text, number) => {
    for (const match of text.matchAll(WORD)) {
      const ahead = words.slice(next, next + AHEAD).findIndex(({ word }) => word === match[0]);
      if (ahead < 0) continue;
      const { changed } = words[next + ahead]!;
      next += ahead + 1;
      if (!changed) continue;
      const [from, to] = [match.index, match.index + match[0].length];
      const last = found.at(-1);
      // The space between two changed words is marked too.
      if (last?.text === number && !WORD_BETWEEN.test(text.slice(last.to, from))) last.to = to;
      else found.push({ text: number, from, to });
    }
  });
  return found;
}

const WORD_BETWEEN = /[\p{L}\p{N}_]/u;

/** Whether a text reads the same with and without Markdown. */
export function isPlain(text: string): boolean {
  return !/[*_`~|[\]<>#\\]|^\s*([-+]|\d+[.)])\s|\n/m.test(text.trim());
}
