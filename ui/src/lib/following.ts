// What a status that came means for the window: whether it is drawn, and whether lists may have changed. Statuses come
// all the time while a session is open or much is being synced; most of them change nothing that a list shows.
import type { Status } from "../backend/types";

/** Status events come in bursts; lists are refreshed at most this often. */
const REST = 1500;

export interface Followed {
  /** Another status than before. */
  shown: (status: Status) => void;
  /** Lists may have changed. The first status says nothing of that: each view has just asked for its own. */
  changed: () => void;
}

export function following(followed: Followed, rest = REST): { hear: (next: Status) => void; stop: () => void } {
  let last = { all: "", listed: "" };
  let resting: ReturnType<typeof setTimeout> | undefined;
  const hear = (next: Status) => {
    const before = last;
    last = { all: JSON.stringify(withoutClock(next)), listed: JSON.stringify(listed(next)) };
    if (last.all !== before.all) followed.shown(next);
    if (before.all === "" || last.listed === before.listed) return;
    resting ??= setTimeout(() => {
      resting = undefined;
      followed.changed();
    }, rest);
  };
  return { hear, stop: () => clearTimeout(resting) };
}

/** What grows or passes although nothing happens is no other status; the shell compares in the same way
 * (`Status::without_clock`). */
function withoutClock(status: Status): Status {
  const live = status.live.map((one) => (one.here ? { ...one, seen: "" } : one));
  return { ...status, cycle_ms: 0, live };
}

/** The part of a status whose change may mean that a list is another. How far something is does not. */
function listed(status: Status) {
  const { moving: _, conversation_import: read, ...others } = withoutClock(status);
  const live = others.live.map((one) => ({ ...one, seen: "" }));
  return { ...others, live, ended: read && { done: read.done, failed: read.failed } };
}
