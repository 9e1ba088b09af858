// Where a text stands in what is drawn, as ranges: what is found is marked without a change to the
// page.

const MOST_RANGES = 2_000;
const MOST_TEXT = 600_000;

interface Piece {
  node: Text;
  from: number;
}

/** Ranges of a text within an element, whatever the case of its letters, in order. */
export function rangesIn(root: Element, sought: string, most = MOST_RANGES): Range[] {
  const pieces: Piece[] = [];
  let text = "";
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node && text.length < MOST_TEXT; node = walker.nextNode()) {
    if ((node.parentElement?.closest(".visually-hidden, button.more") ?? null) !== null) continue;
    pieces.push({ node: node as Text, from: text.length });
    text += (node as Text).data;
  }
  return placesOf(text, sought, most).map((at) => {
    const range = document.createRange();
    const [start, end] = [pieceAt(pieces, at), pieceAt(pieces, at + sought.length - 1)];
    range.setStart(start.node, at - start.from);
    range.setEnd(end.node, at + sought.length - end.from);
    return range;
  });
}

/** The offsets of a text in another one. */
export function placesOf(text: string, sought: string, most = MOST_RANGES): number[] {
  if (!sought) return [];
  const [low, needle] = [text.toLowerCase(), sought.toLowerCase()];
  // Where small letters are longer than capitals, offsets would not fit: letters count as they are.
  const [hay, find] = low.length === text.length && needle.length === sought.length ? [low, needle] : [text, sought];
  const found: number[] = [];
  for (let at = hay.indexOf(find); at >= 0 && found.length < most; at = hay.indexOf(find, at + find.length)) {
    found.push(at);
  }
  return found;
}

function pieceAt(pieces: Piece[], at: number): Piece {
  let [low, high] = [0, pieces.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (pieces[middle]!.from <= at) low = middle;
    else high = middle - 1;
  }
  return pieces[low]!;
}

/** Marks ranges in the page; webviews without such marks show the row alone. */
export function mark(all: Range[], now: Range | null): void {
  const { highlights } = CSS as { highlights?: HighlightRegistry };
  if (!highlights) return;
  highlights.set("found", new Highlight(...all));
  highlights.set("found-now", new Highlight(...(now ? [now] : [])));
}

export function unmark(): void {
  const { highlights } = CSS as { highlights?: HighlightRegistry };
  highlights?.delete("found");
  highlights?.delete("found-now");
}
