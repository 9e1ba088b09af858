// A text cut where it differs from another one. Spans come from outside and are not trusted to fit.
import type { Span } from "../backend/types";

export interface Piece {
  text: string;
  changed: boolean;
}

/** The pieces of one side's text, in order, nothing missing and nothing twice. */
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
