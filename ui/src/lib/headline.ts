// The whole state in one sentence. Pure: a function of the latest status and the devices' names.
import type { Devices, SplitRow, Status } from "../backend/types";
import { words } from "../words";
import { isIncomplete, stopOf, waits } from "./actions";

export type Tone = "calm" | "moving" | "attention" | "off" | "trouble";

export interface Headline {
  tone: Tone;
  /** One or two words for the sidebar. */
  short: string;
  what: string;
  why: string;
}

interface Known {
  /** Every request is refused, and why. */
  refused?: string | null;
  /** The splits by name, where they are loaded. */
  splits?: readonly SplitRow[];
}

export function headline(
  status: Status | null,
  devices: Devices | null,
  lost = false,
  { refused = null, splits = [] }: Known = {},
): Headline {
  const say = words.headline;
  const state = words.state;
  const make = (tone: Tone, short: string, what: string, why = ""): Headline => ({ tone, short, what, why });
  if (lost) return make("trouble", state.lost, say.lost, say.lostWhy);
  if (!status) return make("off", state.unknown, say.loading);
  const names = devices?.paired.filter((one) => one.connected).map((one) => one.name) ?? [];
  const away = devices?.paired.filter((one) => !one.connected && one.confirmed).map((one) => one.name) ?? [];
  const { moving, syncthing } = status;

  if (status.engine === "stopped") {
    const why = status.problems[0];
    if (why?.code === "engine_unreachable") return make("trouble", state.lost, say.lost, say.lostWhy);
    return make("trouble", state.stopped, say.stopped, why && `${why.message} ${why.hint}`.trim());
  }
  if (status.engine === "stopping") return make("off", state.stopped, say.stopping);
  if (refused !== null) return make("trouble", state.trouble, say.refused, refused);
  if (status.engine === "paused") return make("off", state.paused, say.paused, say.pausedWhy);
  const stop = stopOf(status);
  if (stop.syncthing === "missing") return make("trouble", state.trouble, say.missing, say.missingWhy);
  if (stop.syncthing === "failed")
    return make(
      "trouble",
      state.trouble,
      say.failed,
      stop.problem ? `${stop.problem.message} ${stop.problem.hint}` : (syncthing.message ?? ""),
    );
  if (stop.problem) return make("trouble", state.trouble, stop.problem.message, stop.problem.hint);
  if (status.engine === "importing")
    return make("moving", state.importing, say.importing(moving.import_done, moving.import_total), say.importingWhy);
  const items = attention(status, devices, splits);
  if (items.length > 0)
    return make(
      "attention",
      state.attention,
      items.length === 1 ? items[0]! : say.attention(items.length),
      names.length > 0 ? say.attentionRest(names) : "",
    );
  const n = status.problems.filter((one) => isIncomplete(one.code)).length;
  if (n > 0) return make("attention", state.problem, say.problems(n));
  if (syncthing.state !== "running") return make("moving", state.starting, say.starting);
  if (status.paired === 0) return make("calm", state.alone, say.alone, say.aloneWhy);
  if (status.connected === 0)
    return make("off", state.offline, away.length > 0 ? say.offline(away) : state.offline, say.offlineWhy);
  if (moving.out_bytes + moving.in_bytes > 0)
    return make("moving", state.moving, say.moving(moving.out_bytes, moving.in_bytes));
  const what = away.length > 0 ? say.inStepPartly(names, away) : say.inStep(names);
  return make("calm", state.inStep, names.length > 0 ? what : say.inStep([`${status.connected}`]));
}

/** Each item that needs the user, as a sentence. */
export function attention(status: Status, devices: Devices | null, splits: readonly SplitRow[] = []): string[] {
  const say = words.headline;
  const proved = devices?.asking.filter((one) => one.has_code) ?? [];
  return [
    ...proved.map((one) => say.asks(one.name)),
    ...status.held.map((one) => one.message),
    ...Array.from({ length: status.splits }, (_, at) => {
      const split = splits[at];
      return split ? say.split(split.title || words.session.untitled, split.branches.length) : say.oneSplit;
    }),
    ...waits(status).user.map(({ listed: [one], n }) =>
      n > 1 ? say.wait(n, one!.why) : say.waits(one!.title || words.session.untitled, one!.why),
    ),
  ];
}
