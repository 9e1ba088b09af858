// The positions of a long list's rows with different heights: a Fenwick tree over measured heights,
// with an estimate for rows not measured yet. Offset, row at an offset and a changed height all
// take O(log n).

export class Heights {
  private readonly tree: Float64Array;
  private readonly own: Float64Array;
  private readonly top: number;
  total = 0;

  constructor(
    readonly n: number,
    estimate: (row: number) => number,
  ) {
    this.own = new Float64Array(n);
    this.tree = new Float64Array(n + 1);
    for (let row = 0; row < n; row++) {
      const height = estimate(row);
      this.own[row] = height;
      this.tree[row + 1] = height;
      this.total += height;
    }
    for (let at = 1; at <= n; at++) {
      const up = at + (at & -at);
      if (up <= n) this.tree[up] = this.tree[up]! + this.tree[at]!;
    }
    this.top = n === 0 ? 0 : 2 ** Math.floor(Math.log2(n));
  }

  height(row: number): number {
    return this.own[row] ?? 0;
  }

  /** Stores a measured height; returns the difference from the previous one. */
  set(row: number, height: number): number {
    if (row < 0 || row >= this.n) return 0;
    const by = height - this.own[row]!;
    if (by === 0) return 0;
    this.own[row] = height;
    this.total += by;
    for (let at = row + 1; at <= this.n; at += at & -at) this.tree[at] = this.tree[at]! + by;
    return by;
  }

  /** The offset of a row's upper edge. */
  offset(row: number): number {
    let sum = 0;
    for (let at = Math.min(row, this.n); at > 0; at -= at & -at) sum += this.tree[at]!;
    return sum;
  }

  /** The row that covers an offset; the first or last one outside. */
  rowAt(offset: number): number {
    let at = 0;
    let rest = offset;
    for (let step = this.top; step > 0; step >>= 1) {
      const next = at + step;
      if (next <= this.n && this.tree[next]! <= rest) {
        at = next;
        rest -= this.tree[next]!;
      }
    }
    return Math.max(0, Math.min(at, this.n - 1));
  }
}

/** The rows to draw: those in sight and a few around them. `to` is exclusive. */
export function inSight(heights: Heights, top: number, view: number, around: number): { from: number; to: number } {
  if (heights.n === 0) return { from: 0, to: 0 };
  const first = heights.rowAt(Math.max(0, top));
  const last = heights.rowAt(Math.max(0, top + view));
  return { from: beyond(heights, first, around, -1), to: beyond(heights, last, around, 1) + 1 };
}

/** Rows without a height are not counted, but not without end either. */
const MOST_EMPTY = 200;

function beyond(heights: Heights, row: number, around: number, by: 1 | -1): number {
  let at = row;
  let left = around;
  for (let n = 0; left > 0 && n < MOST_EMPTY && 0 <= at + by && at + by < heights.n; n++) {
    at += by;
    if (heights.height(at) > 0) left -= 1;
  }
  return at;
}

/** The scroll position that brings a row into sight with the least movement. */
export function toReveal(heights: Heights, row: number, top: number, view: number, margin = 0): number {
  const start = heights.offset(row);
  const end = start + heights.height(row);
  if (start - margin < top) return Math.max(0, start - margin);
  if (end + margin > top + view) return Math.min(start - margin, end + margin - view);
  return top;
}
