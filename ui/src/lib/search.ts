// Searches sessions: every typed word must occur somewhere in a row. Groups and sorts what was
// found. Pure, but for the clock that the caller gives.
import type { SessionRow } from "../backend/types";
import { projectName } from "./format";

export const STATES = ["open", "split", "waiting", "held", "elsewhere", "pinned"] as const;
export type StateFilter = (typeof STATES)[number];

export interface Filter {
  text: string;
  tool: string;
  project: string;
  device: string;
  state: StateFilter | "";
}

export const EVERYTHING: Filter = { text: "", tool: "", project: "", device: "", state: "" };

export function isFilter(value: unknown): value is Filter {
  if (typeof value !== "object" || value === null) return false;
  const { state } = value as Filter;
  const texts = ["text", "tool", "project", "device"] as const;
  return texts.every((name) => typeof (value as Filter)[name] === "string") && (state === "" || STATES.includes(state));
}

export const isEverything = (filter: Filter): boolean => Object.values(filter).every((value) => value === "");

export const ORDERS = ["recent", "title", "size"] as const;
export type Order = (typeof ORDERS)[number];

/** What a search needs of each row, computed once: every key press searches 50,000 rows. */
export interface Prepared {
  rows: readonly SessionRow[];
  /** The row's words in lower case. */
  hay: string[];
  /** The title in lower case, and when it was last changed, in milliseconds. */
  titles: string[];
  times: Float64Array;
  /** Where each session is. */
  at: Map<string, number>;
  /** How often each tool, project, device and state occurs. */
  tools: Counts;
  projects: Counts;
  devices: Counts;
  states: Counts;
}

type Counts = Map<string, number>;

export function unprepared(rows: readonly SessionRow[]): Prepared {
  return {
    rows,
    hay: new Array(rows.length),
    titles: new Array(rows.length),
    times: new Float64Array(rows.length),
    at: new Map(),
    tools: new Map(),
    projects: new Map(),
    devices: new Map(),
    states: new Map(),
  };
}

const count = (counts: Counts, value: string) => counts.set(value, (counts.get(value) ?? 0) + 1);

/** `before` is what was prepared of an earlier list: unchanged rows are taken from it. */
export function prepare(
  into: Prepared,
  at: number,
  toolName: (tool: string) => string,
  before: Prepared | null = null,
): void {
  const row = into.rows[at]!;
  const known = before?.at.get(row.session);
  if (before && known !== undefined && before.rows[known] === row) {
    into.titles[at] = before.titles[known]!;
    into.times[at] = before.times[known]!;
    into.hay[at] = before.hay[known]!;
  } else {
    into.titles[at] = row.title.toLowerCase();
    into.times[at] = Date.parse(row.updated) || 0;
    const rest = `${projectName(row.project)}\n${row.devices.join(" ")}\n${toolName(row.tool)}\n${row.session}`;
    into.hay[at] = `${into.titles[at]}\n${rest.toLowerCase()}`;
  }
  into.at.set(row.session, at);
  count(into.tools, row.tool);
  count(into.projects, row.project);
  for (const device of row.devices) count(into.devices, device);
  count(into.states, row.state);
}

/** Compares two rows by number; rows without a title come last, equal rows stay in their order. */
export function comparing(prepared: Prepared, order: Order): (one: number, other: number) => number {
  const { rows, titles, times } = prepared;
  if (order === "size") return (one, other) => rows[other]!.bytes - rows[one]!.bytes;
  if (order === "recent") return (one, other) => times[other]! - times[one]!;
  return (one, other) => {
    const [a, b] = [titles[one]!, titles[other]!];
    if (a === b) return 0;
    if (a === "" || b === "") return a === "" ? 1 : -1;
    return a < b ? -1 : 1;
  };
}

/** The sessions that a state's filter is about, where the row itself does not state it. */
export interface Marks {
  open: ReadonlySet<string>;
  pinned: ReadonlySet<string>;
}

function isInState(row: SessionRow, state: StateFilter | "", marks: Marks): boolean {
  if (state === "") return true;
  if (state === "open" || state === "pinned") return marks[state].has(row.session);
  return row.state === state;
}

/** The numbers of the rows that fit, in the order given. */
export function matching(prepared: Prepared, order: Uint32Array, filter: Filter, marks: Marks): number[] {
  const wanted = filter.text.toLowerCase().split(/\s+/).filter(Boolean);
  const found: number[] = [];
  for (const at of order) {
    const row = prepared.rows[at]!;
    if (filter.tool && row.tool !== filter.tool) continue;
    if (filter.project && row.project !== filter.project) continue;
    if (filter.device && !row.devices.includes(filter.device)) continue;
    if (!isInState(row, filter.state, marks)) continue;
    const hay = prepared.hay[at]!;
    if (wanted.every((word) => hay.includes(word))) found.push(at);
  }
  return found;
}

/** The different values of a column, most frequent first. */
export function values(counts: Counts): string[] {
  return [...counts].sort((one, other) => other[1] - one[1] || one[0].localeCompare(other[0])).map(([value]) => value);
}

/** How many sessions each state's filter would leave. */
export function stateCounts(prepared: Prepared, marks: Marks): Record<StateFilter, number> {
  const listed = (ids: ReadonlySet<string>) => [...ids].filter((id) => prepared.at.has(id)).length;
  const counts = { open: listed(marks.open), pinned: listed(marks.pinned) };
  const of = (state: SessionRow["state"]) => prepared.states.get(state) ?? 0;
  return { ...counts, split: of("split"), waiting: of("waiting"), held: of("held"), elsewhere: of("elsewhere") };
}

/** The whole list with its newest rows as they are now. What is missing among the newest was
 * removed. Rows that did not change stay the same objects. */
export function merged(whole: readonly SessionRow[], newest: readonly SessionRow[], limit: number): SessionRow[] {
  const ids = new Set(newest.map((row) => row.session));
  const oldest = newest.length < limit ? "" : (newest.at(-1)?.updated ?? "");
  return [...newest, ...whole.filter((row) => row.updated <= oldest && !ids.has(row.session))];
}

/** A heading in the list, and how many rows follow it. */
export interface Group {
  title: string;
  n: number;
}

export interface GroupWords {
  pinned: string;
  today: string;
  yesterday: string;
  week: string;
  rest: string;
  month: (time: number, sameYear: boolean) => string;
}

/** Pinned rows first; then, if they are in order of time, by the day, the week or the month they
 * fall in, in this device's time zone. */
export function grouped(
  prepared: Prepared,
  found: readonly number[],
  order: Order,
  pinned: ReadonlySet<string>,
  now: number,
  say: GroupWords,
): { rows: number[]; groups: Group[] } {
  const isPinned = (at: number) => pinned.size > 0 && pinned.has(prepared.rows[at]!.session);
  const first = pinned.size > 0 ? found.filter(isPinned) : [];
  const others = first.length > 0 ? found.filter((at) => !isPinned(at)) : found;
  const groups: Group[] = first.length > 0 ? [{ title: say.pinned, n: first.length }] : [];
  if (order !== "recent") {
    if (first.length > 0 && others.length > 0) groups.push({ title: say.rest, n: others.length });
    return { rows: [...first, ...others], groups };
  }
  let until = Number.POSITIVE_INFINITY;
  let from = Number.POSITIVE_INFINITY;
  for (const at of others) {
    const time = prepared.times[at]!;
    // Most rows fall in the group of the row before.
    if (from <= time && time < until) {
      groups.at(-1)!.n += 1;
      continue;
    }
    const span = spanOf(time, now, say);
    [from, until] = [span.from, span.until];
    const last = groups.at(-1);
    if (last?.title === span.title) last.n += 1;
    else groups.push({ title: span.title, n: 1 });
  }
  return { rows: [...first, ...others], groups };
}

function spanOf(time: number, now: number, say: GroupWords): { title: string; from: number; until: number } {
  const today = new Date(now);
  const day = (back: number) => new Date(today.getFullYear(), today.getMonth(), today.getDate() - back).getTime();
  // Weeks begin on Monday.
  const week = day((today.getDay() + 6) % 7);
  if (day(0) <= time) return { title: say.today, from: day(0), until: Number.POSITIVE_INFINITY };
  if (day(1) <= time) return { title: say.yesterday, from: day(1), until: day(0) };
  if (week <= time) return { title: say.week, from: week, until: day(1) };
  const at = new Date(time);
  const from = new Date(at.getFullYear(), at.getMonth(), 1).getTime();
  const next = new Date(at.getFullYear(), at.getMonth() + 1, 1).getTime();
  return {
    title: say.month(time, at.getFullYear() === today.getFullYear()),
    from,
    until: Math.min(next, week, day(1)),
  };
}

/** Where headings and rows are in a list that has both. Headings are negative: −1 is the first. */
export function laidOut(n: number, groups: readonly Group[]): { items: Int32Array; itemOf: Int32Array } {
  const items = new Int32Array(n + groups.length);
  const itemOf = new Int32Array(n);
  let [item, row] = [0, 0];
  for (const [number, group] of groups.entries()) {
    items[item++] = -1 - number;
    for (const end = row + group.n; row < end; row++) {
      itemOf[row] = item;
      items[item++] = row;
    }
  }
  for (; row < n; row++) {
    itemOf[row] = item;
    items[item++] = row;
  }
  return { items, itemOf };
}
