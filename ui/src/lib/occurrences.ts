// The places where a text occurs, one after the other.
import type { Occurrences } from "../backend/types";

/** One occurrence: a message, its part, and which one within the part. */
export interface Found {
  message: number;
  part: number;
  nth: number;
}

/** Those whose places are known: the list is limited. */
export function reachable(found: Occurrences): number {
  return found.places.reduce((sum, place) => sum + place.n, 0);
}

/** The number, from 1, of the first occurrence in or after a message. */
export function firstAfter(found: Occurrences, message: number): number {
  let n = 1;
  for (const place of found.places) {
    if (place.message >= message) return n;
    n += place.n;
  }
  return found.places.length > 0 ? 1 : 0;
}

export function nth(found: Occurrences, at: number): Found | null {
  let left = at;
  for (const place of found.places) {
    if (left < place.n) return { message: place.message, part: place.part, nth: left };
    left -= place.n;
  }
  return null;
}
