// How grave a problem is, and who ends a wait, by their codes. What can be done about them comes with them.
import { BLOCKING, CHOSEN, ENDED_BY_USER } from "../backend/engine";
import type { Problem, ProblemCode, Status, Waiting } from "../backend/types";

/** Nothing is recorded or sent while the problem lasts. */
export function isBlocking(code: ProblemCode): boolean {
  return BLOCKING.includes(code);
}

const isOfSyncthing = (one: Problem) => one.code.startsWith("syncthing_");

/** Why nothing is recorded or sent. What is wrong with Syncthing comes last: without it, changes are still saved here. */
function blocking(status: Status): Problem | undefined {
  const all = status.problems.filter((one) => isBlocking(one.code));
  return all.find((one) => !isOfSyncthing(one)) ?? all[0];
}

export function stopOf(status: Status): Stop {
  const problem = blocking(status);
  switch (status.syncthing.state) {
    case "missing":
      return { syncthing: problem && !isOfSyncthing(problem) ? null : "missing", problem };
    case "failed":
    case "stopped":
      return { syncthing: "failed", problem };
    default:
      return { syncthing: null, problem };
  }
}

/** The headline says it already: as what it is about, or as its reason. */
export function isTold(status: Status, problem: Problem): boolean {
  if (status.engine === "stopped") return problem === status.problems[0];
  const stop = stopOf(status);
  return problem === stop.problem || (stop.syncthing !== null && isOfSyncthing(problem));
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
