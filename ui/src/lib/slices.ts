// Long work in slices, so that no frame waits for it: 50,000 rows are prepared and sorted while the
// list can be used.

/** Shorter than a frame, with room for drawing. */
const SLICE_MS = 8;
/** So many steps between two looks at the clock. */
export const STEPS = 256;

/** Runs `steps` until it ends, in slices. The returned function ends it early. */
export function inSlices(steps: Generator<void, void>, now: () => number = () => performance.now()): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const run = () => {
    const end = now() + SLICE_MS;
    do if (steps.next().done) return;
    while (now() < end);
    timer = setTimeout(run, 0);
  };
  run();
  return () => clearTimeout(timer);
}

/** Calls `step` for each number below `n`. */
export function* each(n: number, step: (at: number) => void): Generator<void, void> {
  for (let at = 0; at < n; at++) {
    step(at);
    if (at % STEPS === STEPS - 1) yield;
  }
}

/** Sorts `order` in place. Stable, like `Array.sort`, but with pauses. */
export function* sorted(order: Uint32Array, compare: (one: number, other: number) => number): Generator<void, void> {
  let from: Uint32Array<ArrayBufferLike> = order;
  let to: Uint32Array<ArrayBufferLike> = new Uint32Array(order.length);
  let steps = 0;
  for (let width = 1; width < order.length; width *= 2) {
    for (let start = 0; start < order.length; start += 2 * width) {
      const middle = Math.min(start + width, order.length);
      const end = Math.min(start + 2 * width, order.length);
      let left = start;
      let right = middle;
      for (let at = start; at < end; at++) {
        const takesLeft = left < middle && (right >= end || compare(from[left]!, from[right]!) <= 0);
        to[at] = takesLeft ? from[left++]! : from[right++]!;
        steps += 1;
        if (steps % STEPS === 0) yield;
      }
    }
    [from, to] = [to, from];
  }
  if (from !== order) order.set(from);
}
