// The names of the two sides of a comparison.
import type { Diff } from "../backend/types";
import { words } from "../words";

/** Two versions of one device are its first and its second. */
export function toldApart(diff: Diff): Diff {
  const { left, right } = diff;
  if (left.device !== right.device) return diff;
  const [first, second] = words.split.ofOne(left.device);
  return { ...diff, left: { ...left, device: first }, right: { ...right, device: second } };
}
