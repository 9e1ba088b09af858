// The whole state in one sentence. Pure: a function of the latest status and the devices' names.
import type { Devices, Status } from "../backend/types";
import { words } from "../words";

export type Tone = "calm" | "moving" | "attention" | "off" | "trouble";

export interface Headline {
  tone: Tone;
  /** One or two words for the sidebar. */
  short: string;
  what: string;
  why: string;
}

export function headline(status: Status | null, devices: Devices | null, lost = false): Headline {
  const say = words.headline;
  const state = words.state;
  const make = (tone: Tone, short: string, what: string, why = ""): Headline => ({ tone, short, what, why });
  if (lost) return make("trouble", state.lost, say.lost, say.lostWhy);
  if (!status) return make("off", state.unknown, say.loading);
  const names = devices?.paired.filter((one) => one.connected).map((one) => one.name) ?? [];
  const away = devices?.paired.filter((one) => !one.connected && one.confirmed).map((one) => one.name) ?? [];
  const needs = status.splits + status.held.length + (devices?.asking.filter((one) => one.has_code).length ?? 0);
  const { moving, syncthing } = status;

  if (status.engine === "stopped") return make("off", state.stopped, say.stopped);
  if (status.engine === "stopping") return make("off", state.stopped, say.stopping);
  if (status.engine === "paused") return make("off", state.paused, say.paused, say.pausedWhy);
  if (syncthing.state === "missing") return make("trouble", state.trouble, say.missing, syncthing.message ?? "");
  if (syncthing.state === "failed" || syncthing.state === "stopped")
    return make("trouble", state.trouble, say.failed, syncthing.message ?? "");
  if (status.engine === "importing")
    return make("moving", state.importing, say.importing(moving.import_done, moving.import_total), say.importingWhy);
  if (needs > 0)
    return make("attention", state.attention, say.attention(needs), names.length > 0 ? say.attentionRest(names) : "");
  if (syncthing.state !== "running") return make("moving", state.starting, say.starting);
  if (status.paired === 0) return make("calm", state.alone, say.alone, say.aloneWhy);
  if (status.connected === 0)
    return make("off", state.offline, away.length > 0 ? say.offline(away) : state.offline, say.offlineWhy);
  if (moving.out_bytes + moving.in_bytes > 0)
    return make("moving", state.moving, say.moving(moving.out_bytes, moving.in_bytes));
  if (status.waiting.length > 0) return make("calm", state.inStep, say.waiting(status.waiting.length));
  const what = away.length > 0 ? say.inStepPartly(names, away) : say.inStep(names);
  return make("calm", state.inStep, names.length > 0 ? what : say.inStep([`${status.connected}`]));
}
