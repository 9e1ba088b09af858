// How grave a problem is, and who ends a wait, by their codes. What can be done about them comes with them.
import { BLOCKING, CHOSEN, ENDED_BY_USER, INCOMPLETE } from "../backend/engine";
import type { Problem, ProblemCode, Status, Waiting } from "../backend/types";

/** Nothing is recorded or sent while the problem lasts. */
export function isBlocking(code: ProblemCode): boolean {
  return BLOCKING.includes(code);
}

/** Something is not up to date while the problem lasts, and everything else goes on. */
export function isIncomplete(code: ProblemCode): boolean {
  return INCOMPLETE.includes(code);
}

const isOfSyncthing = (one: Problem) => one.code.startsWith("syncthing_");

/** Why nothing is recorded or sent. What is wrong with Syncthing comes last: without it, changes are still saved here. */
function blocking(status: Status): Problem | undefined {
  const all = status.problems.filter((one) => isBlocking(one.code));
  return all.find((one) => !isOfSyncthing(one)) ?? all[0];
}

/** What stops everything: Syncthing's state, a problem, or a problem as the reason of that state. */
export interface Stop {
  syncthing: "missing" | "failed" | null;
  problem: Problem | undefined;
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
type Who = "user" | "choice" | "passing";

function endedBy({ code }: Kind): Who {
  if (code && ENDED_BY_USER.includes(code)) return "user";
  return code && CHOSEN.includes(code) ? "choice" : "passing";
}

/** Sessions that wait for the same: one act ends all of these waits. */
export interface Group {
  key: string;
  /** The listed ones; of very many only some are. */
  listed: Waiting[];
  /** How many there are, as far as that is known. */
  n: number;
}

/** Waits apart by who ends them, and together by what ends them. The tray counts in the same way (`Status::n_to_end`). */
export function waits(status: Status): Record<Who, Group[]> & { nPassing: number; nChosen: number } {
  const of = (who: Who) => grouped(status, (one) => endedBy(one) === who);
  return {
    user: of("user"),
    choice: of("choice"),
    passing: of("passing"),
    nPassing: countWaits(status, (one) => endedBy(one) === "passing"),
    nChosen: countWaits(status, (one) => endedBy(one) === "choice"),
  };
}

function grouped(status: Status, is: (one: Kind) => boolean): Group[] {
  const groups = new Map<string, Group>();
  for (const one of status.waiting.filter(is)) {
    const key = JSON.stringify([one.code, one.why, one.actions]);
    const group = groups.get(key) ?? { key, listed: [], n: 0 };
    groups.set(key, group);
    group.listed.push(one);
    group.n += 1;
  }
  const all = [...groups.values()];
  // Counts are by reason and tool. They say how many a group has where no other one shares these.
  for (const group of all) {
    const { code } = group.listed[0]!;
    const sharing = all.filter((other) => other.listed[0]!.code === code);
    const tools = new Set(group.listed.map((one) => one.tool));
    const isAlone = sharing.length === 1;
    const isOfItsTools = sharing.every((other) => other === group || !other.listed.some((one) => tools.has(one.tool)));
    if (isAlone) group.n = countWaits(status, (one) => one.code === code);
    else if (isOfItsTools) group.n = countWaits(status, (one) => one.code === code && tools.has(one.tool));
  }
  return all;
}

/** How many sessions wait, those that the status does not list included. */
export function countWaits(status: Status, is: (one: Kind) => boolean): number {
  const counted = status.waiting_counts.filter(is).reduce((sum, one) => sum + one.sessions, 0);
  return Math.max(counted, status.waiting.filter(is).length);
}
