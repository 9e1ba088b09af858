// A long list of which only the rows in sight are drawn. Rows may have any height: they are
// measured when drawn, and a height change above the view does not move the text being read.
import type { ComponentChildren, Ref } from "preact";
import { useEffect, useImperativeHandle, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { Heights, inSight, toReveal } from "../lib/heights";

export interface Scroller {
  reveal(row: number, margin?: number): void;
  /** Scrolls a row to the top. */
  top(row: number): void;
  /** Scrolls to the end, and stays there as the list grows. */
  end(): void;
  isAtEnd(): boolean;
  /** The first row in sight. */
  first(): number;
  /** Moves the view, as a user does. */
  scrollBy(pixels: number): void;
  element(): HTMLElement | null;
  focus(): void;
  /** The view's position in the list, as shares of the whole. */
  view(): { from: number; to: number };
  heights: Heights;
}

/** Nearer to the end than this is at the end. */
const NEAR_END = 32;

interface VirtualProps {
  n: number;
  /** A new list starts at its top; the same list keeps its position. */
  list: string;
  /** The list starts at its end, and stays there as it grows while its end is in sight. */
  atEnd?: boolean;
  estimate: (row: number) => number;
  row: (row: number) => ComponentChildren;
  /** Every row has exactly the estimated height: nothing is measured. */
  fixed?: boolean;
  /** Changes whenever estimates do, although it is the same list. */
  shape?: unknown;
  /** Where the first list begins, as soon as it is long enough. */
  start?: number;
  onTop?: (top: number) => void;
  around?: number;
  api?: Ref<Scroller>;
  onSight?: (from: number, to: number) => void;
  onScroll?: () => void;
  head?: ComponentChildren;
  class?: string;
  attributes?: Record<string, unknown>;
  bodyRole?: "presentation" | "rowgroup";
}

export function Virtual({
  n,
  list,
  estimate,
  row,
  fixed = false,
  atEnd = false,
  shape,
  start = 0,
  onTop,
  around = 6,
  api,
  onSight,
  onScroll,
  head,
  attributes,
  bodyRole = "presentation",
  ...rest
}: VirtualProps) {
  const box = useRef<HTMLDivElement>(null);
  const body = useRef<HTMLDivElement>(null);
  const headBox = useRef<HTMLDivElement>(null);
  // A list that grew keeps what was measured.
  const known = useRef<{ list: string; shape: typeof shape; heights: Heights } | null>(null);
  const heights = useMemo(() => {
    const before = known.current?.list === list && known.current.shape === shape ? known.current.heights : null;
    const made = new Heights(n, (at) => (before && at < before.n ? before.height(at) : estimate(at)));
    known.current = { list, shape, heights: made };
    return made;
  }, [n, list, shape]);
  const [view, setView] = useState({ top: 0, height: 600 });
  const [, setMeasured] = useState(0);
  const sight = inSight(heights, view.top, view.height, around);

  const read = () => {
    const element = box.current;
    if (!element) return;
    const headHeight = headBox.current?.offsetHeight ?? 0;
    releaseIfScrolled(element);
    follow(element);
    const next = { top: element.scrollTop, height: element.clientHeight - headHeight };
    setView((before) => (before.top === next.top && before.height === next.height ? before : next));
    onScroll?.();
    if (waitsFor.current === 0) onTop?.(element.scrollTop);
  };

  // The place to begin at, until the list reached it or the user scrolled.
  const waitsFor = useRef(start);
  const begin = (element: HTMLElement) => {
    if (waitsFor.current === 0) return;
    element.scrollTop = waitsFor.current;
    if (waitsFor.current <= element.scrollTop + 1) waitsFor.current = 0;
  };
  const settle = () => {
    waitsFor.current = 0;
  };
  useLayoutEffect(() => {
    const element = box.current!;
    element.scrollTop = atEnd ? element.scrollHeight : 0;
    if (!atEnd) begin(element);
    put.current = element.scrollTop;
    ends.current = atEnd;
    read();
    const observer = new ResizeObserver(read);
    observer.observe(element);
    return () => observer.disconnect();
  }, [list]);
  // After the list was put to its top: otherwise one that is long enough at once would stay there.
  useLayoutEffect(() => {
    if (box.current) begin(box.current);
  }, [heights]);

  // Rows around a revealed one are measured only after the scroll to it. The row stays in sight
  // until anything else scrolls the view away from where it was put.
  const revealed = useRef<{ at: number; margin: number } | null>(null);
  const put = useRef(0);
  // The end is left by moving away from it, not by a list that grows below it.
  const ends = useRef(atEnd);
  const seen = useRef(0);
  // A row that the user opens is read from its beginning, also at the end of the list.
  const clicked = useRef<number | null>(null);
  useEffect(() => {
    const note = (event: MouseEvent) => {
      const found = (event.target as Element).closest<HTMLElement>(".virtual-row");
      clicked.current = found ? Number(found.dataset.row) : null;
    };
    const element = box.current!;
    element.addEventListener("click", note);
    return () => element.removeEventListener("click", note);
  }, []);
  const follow = (element: HTMLElement) => {
    const left = element.scrollHeight - element.clientHeight - element.scrollTop;
    if (left < NEAR_END) ends.current = atEnd && revealed.current === null;
    else if (element.scrollTop < seen.current - 1) ends.current = false;
    seen.current = element.scrollTop;
  };
  const scrollTo = (element: HTMLElement, top: number) => {
    if (top !== element.scrollTop) element.scrollTop = top;
    put.current = element.scrollTop;
  };
  const releaseIfScrolled = (element: HTMLElement) => {
    // When a list becomes shorter, its view moves to the end.
    const isAtEnd = element.scrollHeight - element.clientHeight - 1 <= element.scrollTop;
    const isCut = element.scrollTop < put.current && isAtEnd;
    if (1 < Math.abs(element.scrollTop - put.current) && !isCut) revealed.current = null;
  };
  const keepRevealed = (element: HTMLElement) => {
    if (!revealed.current) return;
    const height = element.clientHeight - (headBox.current?.offsetHeight ?? 0);
    const { at, margin } = revealed.current;
    scrollTo(element, toReveal(heights, at, element.scrollTop, height, margin));
  };

  // Measures the drawn rows. A changed height above the view moves the view along.
  const measure = () => {
    const element = box.current;
    if (fixed || !body.current || !element) return;
    releaseIfScrolled(element);
    follow(element);
    const firstSeen = heights.rowAt(element.scrollTop);
    let moved = 0;
    let changed = false;
    for (const child of body.current.children) {
      const at = Number((child as HTMLElement).dataset.row);
      const by = heights.set(at, (child as HTMLElement).getBoundingClientRect().height);
      if (by !== 0) changed = true;
      if (0 < by && at === clicked.current) {
        ends.current = false;
        clicked.current = null;
      }
      if (at < firstSeen) moved += by;
    }
    if (moved !== 0) scrollTo(element, element.scrollTop + moved);
    keepRevealed(element);
    if (ends.current) scrollTo(element, element.scrollHeight - element.clientHeight);
    seen.current = element.scrollTop;
    // The rows to draw follow at once: until the scroll event, those at the far end would be dropped.
    const top = element.scrollTop;
    setView((before) => (before.top === top ? before : { ...before, top }));
    if (changed) setMeasured((before) => before + 1);
  };
  const measureLatest = useRef(measure);
  measureLatest.current = measure;
  useLayoutEffect(() => measure());
  useEffect(() => {
    if (fixed) return;
    const observer = new ResizeObserver(() => measureLatest.current());
    for (const child of body.current?.children ?? []) observer.observe(child);
    return () => observer.disconnect();
  }, [sight.from, sight.to, heights, fixed]);

  useEffect(() => onSight?.(sight.from, sight.to), [sight.from, sight.to, list]);

  useImperativeHandle(
    api ?? null,
    () => ({
      heights,
      reveal(at, margin = 0) {
        if (!box.current) return;
        ends.current = false;
        settle();
        revealed.current = { at, margin };
        keepRevealed(box.current);
      },
      top(at) {
        revealed.current = null;
        ends.current = false;
        if (box.current) box.current.scrollTop = heights.offset(at);
      },
      end() {
        revealed.current = null;
        ends.current = true;
        if (box.current) box.current.scrollTop = box.current.scrollHeight;
      },
      isAtEnd: () => ends.current,
      first: () => heights.rowAt((box.current?.scrollTop ?? 0) + 1),
      scrollBy(pixels) {
        revealed.current = null;
        ends.current = false;
        if (box.current) box.current.scrollTop += pixels;
      },
      element: () => box.current,
      focus: () => box.current?.focus({ preventScroll: true }),
      view() {
        const total = Math.max(1, heights.total);
        const top = box.current?.scrollTop ?? 0;
        return { from: top / total, to: Math.min(1, (top + (box.current?.clientHeight ?? 0)) / total) };
      },
    }),
    [heights],
  );

  const rows = [];
  for (let at = sight.from; at < sight.to; at++) {
    rows.push(
      <div key={at} data-row={at} role="presentation" class="virtual-row">
        {row(at)}
      </div>,
    );
  }
  return (
    <div
      ref={box}
      class={`virtual ${rest.class ?? ""}`}
      tabIndex={0}
      onScroll={read}
      onWheel={settle}
      onPointerDown={settle}
      {...attributes}
    >
      {head && (
        <div ref={headBox} class="virtual-head" role={bodyRole}>
          {head}
        </div>
      )}
      <div class="virtual-all" role="presentation" style={{ height: `${heights.total}px` }}>
        <div
          ref={body}
          class="virtual-some"
          role={bodyRole}
          style={{ transform: `translateY(${heights.offset(sight.from)}px)` }}
        >
          {rows}
        </div>
      </div>
    </div>
  );
}
