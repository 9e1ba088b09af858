// How grave a problem is, and who ends a wait, by their codes. What can be done about them comes with them.
import { BLOCKING } from "../backend/engine";
import type { ProblemCode, Status, Waiting } from "../backend/types";

/** Waits that somebody has to end; all others pass by themselves. */
const ENDED_BY_USER = new Set(["no_place", "place_refused", "unwritable", "tool_off", "store_gone", "unknown_shape"]);

/** Nothing is recorded or sent while the problem lasts. */
export function isBlocking(code: ProblemCode): boolean {
  return BLOCKING.includes(code);
}

type Kind = Pick<Waiting, "code" | "tool">;

const isUsers = (one: Kind) => ENDED_BY_USER.has(one.code ?? "");

/** Waits apart by who ends them; of very many only some are listed. */
export function waits(status: Status): { user: Waiting[]; passing: Waiting[]; nPassing: number } {
  return {
    user: status.waiting.filter(isUsers),
    passing: status.waiting.filter((one) => !isUsers(one)),
    nPassing: countWaits(status, (one) => !isUsers(one)),
  };
}

/** How many sessions wait, those that the status does not list included. */
export function countWaits(status: Status, is: (one: Kind) => boolean): number {
  const counted = status.waiting_counts.filter(is).reduce((sum, one) => sum + one.sessions, 0);
  return Math.max(counted, status.waiting.filter(is).length);
}
