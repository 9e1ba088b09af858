import { expect, it } from "vitest";
import type { Diff } from "../../src/backend/types";
import { toldApart } from "../../src/lib/sides";

function names(left: string, right: string): string[] {
  const diff = { left: { device: left, records: 1 }, right: { device: right, records: 2 } } as unknown as Diff;
  const told = toldApart(diff);
  expect([told.left.records, told.right.records]).toEqual([1, 2]);
  return [told.left.device, told.right.device];
}

it("two versions of one device have names of their own", () => {
  expect(names("desk", "laptop")).toEqual(["desk", "laptop"]);
  expect(names("desk", "desk")).toEqual(["desk (first)", "desk (second)"]);
});
