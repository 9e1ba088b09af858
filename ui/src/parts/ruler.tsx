// The whole comparison beside the columns at a glance: where the two versions differ, and where the
// view is. A picture only: the text above the columns states the same, and the keys n and p move
// between differences.
import { useEffect, useRef } from "preact/hooks";
import type { RowKind } from "../backend/types";

interface RulerProps {
  kinds: readonly (RowKind | undefined)[];
  /** Grows when more kinds are known. */
  known: number;
  sight: { from: number; to: number };
  jump: (row: number) => void;
}

export function Ruler({ kinds, known, sight, jump }: RulerProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const draw = () => canvas.current && paint(canvas.current, kinds);
  const latest = useRef(draw);
  latest.current = draw;
  useEffect(() => {
    draw();
  }, [kinds, known]);
  useEffect(() => {
    const again = () => latest.current();
    const observer = new ResizeObserver(again);
    if (canvas.current) observer.observe(canvas.current);
    const dark = matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", again);
    return () => {
      observer.disconnect();
      dark.removeEventListener("change", again);
    };
  }, []);
  const at = (event: PointerEvent) => {
    const box = canvas.current!.getBoundingClientRect();
    const row = Math.floor(((event.clientY - box.top) / box.height) * kinds.length);
    jump(Math.max(0, Math.min(kinds.length - 1, row)));
  };
  const n = Math.max(1, kinds.length);
  return (
    <div
      class="ruler"
      aria-hidden="true"
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        at(event);
      }}
      onPointerMove={(event) => event.buttons === 1 && at(event)}
    >
      <canvas ref={canvas} />
      {/* Only this moves while scrolling; the marks are painted when more of them are known. */}
      <div
        class="ruler-view"
        style={{ top: `${(sight.from / n) * 100}%`, height: `${((sight.to - sight.from) / n) * 100}%` }}
      />
    </div>
  );
}

const KINDS: readonly RowKind[] = ["changed", "beside", "left", "right"];

function paint(canvas: HTMLCanvasElement, kinds: readonly (RowKind | undefined)[]): void {
  const scale = globalThis.devicePixelRatio || 1;
  const width = Math.round(canvas.clientWidth * scale);
  const height = Math.round(canvas.clientHeight * scale);
  const brush = canvas.getContext("2d");
  if (width === 0 || height === 0 || !brush) return;
  canvas.width = width;
  canvas.height = height;
  const style = getComputedStyle(canvas);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  const colours = { left: colour("--ruler-left"), right: colour("--ruler-right"), changed: colour("--ruler-changed") };
  const all = width - 2 * scale;
  const n = Math.max(1, kinds.length);
  const half = Math.floor(width / 2);
  const high = Math.max(Math.ceil(height / n) - (height / n > 4 ? scale : 0), scale);
  const painted = new Set<number>();
  kinds.forEach((kind, i) => {
    if (kind === undefined || kind === "same") return;
    const y = Math.floor((i / n) * height);
    // Many rows share one line of the screen: each kind is painted there once.
    const mark = y * KINDS.length + KINDS.indexOf(kind);
    if (painted.has(mark)) return;
    painted.add(mark);
    if (kind === "changed") {
      brush.fillStyle = colours.changed;
      brush.fillRect(scale, y, all, high);
      return;
    }
    for (const side of ["left", "right"] as const) {
      if (kind !== "beside" && kind !== side) continue;
      brush.fillStyle = colours[side];
      brush.fillRect(side === "right" ? half : scale, y, half - scale, high);
    }
  });
}
