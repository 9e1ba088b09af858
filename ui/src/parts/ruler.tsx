// The whole comparison beside the columns, one glance high: where the two versions differ, and where the view is.
// A picture only: the same is said in words above the columns, and n and p go there by key.
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
  const draw = () => {
    if (canvas.current) paint(canvas.current, kinds, sight);
  };
  const latest = useRef(draw);
  latest.current = draw;
  useEffect(draw, [kinds, known, sight.from, sight.to]);
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
    jump(Math.max(0, Math.min(kinds.length - 1, Math.floor(((event.clientY - box.top) / box.height) * kinds.length))));
  };
  return (
    <canvas
      ref={canvas}
      class="ruler"
      aria-hidden="true"
      onPointerDown={(event) => {
        canvas.current?.setPointerCapture(event.pointerId);
        at(event);
      }}
      onPointerMove={(event) => event.buttons === 1 && at(event)}
    />
  );
}

function paint(
  canvas: HTMLCanvasElement,
  kinds: readonly (RowKind | undefined)[],
  sight: { from: number; to: number },
): void {
  const style = getComputedStyle(canvas);
  const scale = globalThis.devicePixelRatio || 1;
  const width = Math.round(canvas.clientWidth * scale);
  const height = Math.round(canvas.clientHeight * scale);
  if (width === 0 || height === 0) return;
  canvas.width = width;
  canvas.height = height;
  const brush = canvas.getContext("2d");
  if (!brush) return;
  const n = Math.max(1, kinds.length);
  const half = Math.floor(width / 2);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  const left = colour("--ruler-left");
  const right = colour("--ruler-right");
  const changed = colour("--ruler-changed");
  const high = Math.max(Math.ceil(height / n) - (height / n > 4 ? scale : 0), scale);
  for (let i = 0; i < n; i++) {
    const kind = kinds[i];
    if (kind === undefined || kind === "same") continue;
    const y = Math.floor((i / n) * height);
    brush.fillStyle = kind === "changed" ? changed : kind === "left" ? left : right;
    brush.fillRect(kind === "right" ? half : scale, y, kind === "changed" ? width - 2 * scale : half - scale, high);
  }
  brush.strokeStyle = colour("--ruler-view");
  brush.lineWidth = scale;
  const top = Math.floor((sight.from / n) * height);
  const bottom = Math.max(top + 4 * scale, Math.ceil((sight.to / n) * height));
  brush.strokeRect(scale / 2, top + scale / 2, width - scale, Math.min(bottom, height) - top - scale);
}
