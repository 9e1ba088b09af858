// The requests and answers of the engine, as in src-tauri/core/src/api/types.rs, and what only the window's shell can
// do. Written by hand until they are generated; names and shapes are those of docs/cli.md.

export interface ApiError {
  code: string;
  message: string;
  hint: string;
}

export interface Status {
  engine: "running" | "paused" | "importing" | "stopping" | "stopped";
  device: string;
  sessions: number;
  paired: number;
  connected: number;
  cycle_ms: number;
  happenings: number;
  asking: number;
  splits: number;
  syncthing: {
    state: "starting" | "running" | "restarting" | "missing" | "failed" | "stopped";
    version: string | null;
    pid: number | null;
    addresses: string[];
    message: string | null;
  };
  moving: {
    import_done: number;
    import_total: number;
    import_bytes: number;
    queued: number;
    out_bytes: number;
    in_bytes: number;
  };
  waiting: Waiting[];
  held: Held[];
  live: LiveSession[];
  problems: Problem[];
}

export interface Waiting {
  session: string;
  tool: string;
  title: string;
  project: string;
  code: string;
  why: string;
  hint: string;
}

export interface Held {
  what: string;
  code: string;
  message: string;
  hint: string;
}

export interface LiveSession {
  session: string;
  tool: string;
  title: string;
  project: string;
  device: string;
  here: boolean;
  seen: string;
}

export interface Problem {
  code: string;
  message: string;
  hint: string;
}

export interface Device {
  id: string;
  name: string;
  code: string;
  addresses: string[];
}

export interface Devices {
  paired: PairedDevice[];
  asking: AskingDevice[];
  proposed: ProposedDevice[];
}

export interface PairedDevice {
  id: string;
  name: string;
  connected: boolean;
  last_seen: string | null;
  addresses: string[];
  digits: string;
  confirmed: boolean;
  in_step: number;
}

export interface AskingDevice {
  id: string;
  name: string;
  digits: string;
  address: string;
}

export interface ProposedDevice {
  id: string;
  name: string;
  by: string;
  digits: string;
}

export interface Pairing {
  id: string;
  name: string;
  digits: string;
  state: "asked" | "paired" | "already_paired";
}

export type Level = "see" | "carry" | "resume" | "merge";

export interface ToolRow {
  tool: string;
  name: string;
  level: Level;
  reason: string;
  found: boolean;
  on: boolean;
  roots: string[];
  sessions: number;
  bytes: number;
}

export interface ProjectRow {
  key: string;
  names: string[];
  places: string[];
  sessions: number;
  excluded: boolean;
  tools: string[];
}

export type SessionState = "here" | "waiting" | "elsewhere" | "split" | "held";

export interface SessionRow {
  session: string;
  tool: string;
  project: string;
  title: string;
  updated: string;
  bytes: number;
  devices: string[];
  state: SessionState;
  path?: string;
  why?: string;
}

export interface Shown extends SessionRow {
  cwd: string | null;
  docs: ShownDoc[];
  messages: Message[];
}

export interface ShownDoc {
  doc: string;
  kind: string;
  bytes: number;
  lines: number;
  tip: string;
  path?: string;
}

export type Role = "user" | "assistant" | "tool" | "system";

/** What a message is made of: kind (`text`, `thinking`, `tool_use`, `tool_result`, `image`, …) and size in bytes. */
export type Parts = [string, number][];

export interface Message {
  role: Role;
  text: string;
  at: string | null;
  device: string | null;
  /** Not sent yet by every engine: without it thinking cannot be told from text. */
  parts?: Parts;
}

export interface Resume {
  argv: string[];
  cwd: string;
  env: Record<string, string>;
  unset: string[];
  notes: string[];
}

export interface SplitRow {
  session: string;
  tool: string;
  title: string;
  project: string;
  tier: "A" | "B" | "C";
  reason: string;
  branches: BranchRow[];
  choices: Choice[];
}

export interface BranchRow {
  branch: string;
  session: string;
  device: string;
  updated: string;
  records: number;
  here: boolean;
}

export type ChoiceId = "keep-both" | "keep-left" | "keep-right" | "stitch" | "branches";
export type Side = "left" | "right";

export interface Choice {
  id: ChoiceId;
  enabled: boolean;
  consequence: string;
}

export interface Diff {
  session: string;
  tool: string;
  title: string;
  doc: string;
  class: string;
  reason: string;
  left: DiffSide;
  right: DiffSide;
  prefix: { records: number; messages: number };
  stats: { same: number; changed: number; left: number; right: number };
  total: number;
  rows: DiffRow[];
  choices: Choice[];
}

export interface DiffSide {
  device: string;
  branch: string;
  records: number;
  bytes: number;
  messages: number;
  first: string | null;
  last: string | null;
}

export type RowKind = "same" | "changed" | "left" | "right";

export interface DiffRow {
  i: number;
  kind: RowKind;
  left: Msg | null;
  right: Msg | null;
  alike: number;
}

export interface Msg {
  key: string;
  line: number;
  off: number;
  len: number;
  role: Role;
  at: string | null;
  preview: string;
  parts: Parts;
}

export interface DiffWords {
  left: string;
  right: string;
  spans: Span[];
}

/** A stretch of a text that is on one side only, or on both; in UTF-16 units. */
export interface Span {
  left: boolean;
  from: number;
  to: number;
  changed: boolean;
}

export interface HistoryRow {
  at: string;
  device: string;
  what: string;
  session: string;
  tool: string;
  doc: string;
  bytes: number;
  lines: number;
}

export interface StepRow {
  session: string;
  tool: string;
  title: string;
  step: "record" | "checkout" | "wait" | "split" | "hold";
  what: string;
  bytes: number;
}

export interface Exported {
  files: string[];
  text?: string;
}

export interface Done {
  done: boolean;
  message: string;
}

/** What the window's shell says of itself and this installation. */
export interface About {
  version: string;
  /** The data folder, the log folder and the settings file. */
  home: string;
  logs: string;
  settings: string;
  /** The Syncthing that is used. */
  syncthing: string;
  /** `null` where the system has no such switch. */
  autostart: boolean | null;
  global_discovery: boolean;
  local_discovery: boolean;
  relays: boolean;
  /** Nobody has gone through the first three steps yet. */
  first_run: boolean;
  /** Why there is no icon in the panel, where there is none. */
  no_tray: string | null;
}

export type SwitchName = "autostart" | "global_discovery" | "local_discovery" | "relays";

/** Every request with its answer: those of the engine, then those that the shell answers itself. */
export interface Answers {
  status: [Record<never, never>, Status];
  device: [Record<never, never>, Device];
  devices: [Record<never, never>, Devices];
  pair: [{ code: string }, Pairing];
  accept: [{ id: string }, Pairing];
  dismiss: [{ id: string }, Done];
  rename: [{ id: string | null; name: string }, Done];
  unpair: [{ id: string }, Done];
  tools: [Record<never, never>, ToolRow[]];
  tool_switch: [{ tool: string; on: boolean }, Done];
  projects: [Record<never, never>, ProjectRow[]];
  project_map: [{ key: string; dir: string }, Done];
  project_exclude: [{ key: string; excluded: boolean }, Done];
  sessions: [{ filter: { tool?: string; project?: string; device?: string; newest_of_others?: number } }, SessionRow[]];
  show: [{ session: string }, Shown];
  resume: [{ session: string }, Resume];
  splits: [Record<never, never>, SplitRow[]];
  resolve: [{ session: string; choice: ChoiceId; branch: string | null; active: Side | null }, Done];
  undo: [{ session: string | null }, Done];
  diff: [{ session: string; branch: string | null; from: number; rows: number }, Diff];
  diff_words: [{ session: string; branch: string | null; row: number }, DiffWords];
  plan: [Record<never, never>, StepRow[]];
  history: [{ session: string | null }, HistoryRow[]];
  export: [{ session: string; format: "markdown" | "json" | "native"; dir: string | null }, Exported];
  restore: [{ session: string }, Done];
  release: [{ what: string }, Done];
  pause: [Record<never, never>, Done];
  continue: [Record<never, never>, Done];
  // The shell.
  about: [Record<never, never>, About];
  switch: [{ name: SwitchName; on: boolean }, Done];
  first_run_done: [Record<never, never>, Done];
  open_link: [{ url: string }, Done];
  open_path: [{ path: string }, Done];
  choose_directory: [{ title: string }, string | null];
  /** Starts the session's tool in a terminal, as `roam resume` does. */
  start_tool: [{ session: string }, Done];
}

export type Command = keyof Answers;
export type Request<C extends Command = Command> = { [K in C]: { cmd: K } & Answers[K][0] }[C];
export type Answer<C extends Command> = Answers[C][1];
