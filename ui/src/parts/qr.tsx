// A QR code drawn as one path, black on white in every theme, as readers expect.
import { generate } from "lean-qr";
import { useMemo } from "preact/hooks";

const QUIET = 4;

export function Qr({ text, name }: { text: string; name: string }) {
  const { path, side } = useMemo(() => {
    const bitmap = generate(text);
    let drawn = "";
    for (let y = 0; y < bitmap.size; y++) {
      for (let x = 0; x < bitmap.size; x++) {
        if (!bitmap.get(x, y)) continue;
        const start = x;
        while (x + 1 < bitmap.size && bitmap.get(x + 1, y)) x += 1;
        drawn += `M${start + QUIET} ${y + QUIET}h${x - start + 1}v1h-${x - start + 1}z`;
      }
    }
    return { path: drawn, side: bitmap.size + 2 * QUIET };
  }, [text]);
  return (
    <svg class="qr" viewBox={`0 0 ${side} ${side}`} role="img" aria-label={name} shape-rendering="crispEdges">
      <rect width={side} height={side} fill="#fff" />
      <path d={path} fill="#000" />
    </svg>
  );
}
