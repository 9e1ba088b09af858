// Where rows are when each has a height of its own.
import { describe, expect, it } from "vitest";
import { Heights, inSight, toReveal } from "../../src/lib/heights";

/** The same, slowly and obviously. */
function slowOffset(heights: number[], row: number): number {
  return heights.slice(0, row).reduce((sum, height) => sum + height, 0);
}

function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1103515245 + 12345) % 2147483648;
    return state / 2147483648;
  };
}

describe("heights", () => {
  it("agree with adding one by one, after any changes", () => {
    const next = random(7);
    for (const n of [0, 1, 2, 3, 17, 64, 257]) {
      const plain = Array.from({ length: n }, () => 20 + Math.floor(next() * 80));
      const heights = new Heights(n, (row) => plain[row]!);
      for (let change = 0; change < 60 && n > 0; change++) {
        const row = Math.floor(next() * n);
        const height = Math.floor(next() * 200) + 1;
        expect(heights.set(row, height)).toBe(height - plain[row]!);
        plain[row] = height;
      }
      const total = slowOffset(plain, n);
      expect(heights.total).toBe(total);
      for (let row = 0; row <= n; row++) expect(heights.offset(row)).toBe(slowOffset(plain, row));
      for (let probe = 0; probe < 100 && n > 0; probe++) {
        const offset = next() * total;
        const row = heights.rowAt(offset);
        expect(heights.offset(row)).toBeLessThanOrEqual(offset);
        expect(heights.offset(row + 1)).toBeGreaterThan(offset);
      }
    }
  });

  it("find the first and last row for offsets outside", () => {
    const heights = new Heights(10, () => 30);
    expect(heights.rowAt(-50)).toBe(0);
    expect(heights.rowAt(1e9)).toBe(9);
  });

  it("draw what is in sight and a few around it, and no more", () => {
    const heights = new Heights(50_000, () => 52);
    expect(inSight(heights, 0, 600, 5)).toEqual({ from: 0, to: 17 });
    const middle = inSight(heights, 1_000_000, 600, 5);
    expect(middle.to - middle.from).toBeLessThan(30);
    expect(middle.from * 52).toBeLessThan(1_000_000);
    expect(inSight(heights, heights.total - 600, 600, 5).to).toBe(50_000);
    expect(inSight(new Heights(0, () => 1), 0, 600, 5)).toEqual({ from: 0, to: 0 });
  });

  it("reveal a row with the least movement", () => {
    const heights = new Heights(100, () => 50);
    expect(toReveal(heights, 3, 100, 400)).toBe(100); // in sight already
    expect(toReveal(heights, 0, 100, 400)).toBe(0); // above
    expect(toReveal(heights, 20, 100, 400)).toBe(650); // below: its lower edge at the view's
    heights.set(20, 900);
    expect(toReveal(heights, 20, 100, 400)).toBe(1000); // higher than the view: its beginning counts
  });
});
