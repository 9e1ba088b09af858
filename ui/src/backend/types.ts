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
  /** Until when it can be used; another is shown before that. */
  code_until: string;
  addresses: string[];
}

/** What a pairing code says. */
export interface Code {
  id: string;
  name: string;
  /** It carries a secret; without one, digits are compared. */
  proves: boolean;
  /** That device proved to know this one's code: pairing lets it in. */
  has_code: boolean;
  paired: boolean;
}

export interface Devices {
  paired: PairedDevice[];
  asking: AskingDevice[];
  /** Others that ask without a proof and are not listed. */
  more_asking: number;
  proposed: ProposedDevice[];
  nearby: NearbyDevice[];
  /** Why nobody is heard on this network, where that is so. */
  nearby_off: string | null;
  /** What the device list says of the devices that are approved here. */
  approvals: Approval[];
  /** Devices that were put out. */
  revoked: RevokedDevice[];
}

export interface Approval {
  id: string;
  /** What is approved on that device is approved here, too. */
  follow: boolean;
  /** The device with which the approval came. */
  via: string | null;
}

export interface RevokedDevice {
  id: string;
  name: string;
  by: string[];
  at: string;
  since: string | null;
  not_heard: string[];
}

export interface RevokeAnswer {
  id: string;
  name: string;
  done: boolean;
  journals: number;
  cut: number;
  not_heard: string[];
}

/** Heard on the same network. That proves nothing: digits are compared with it. */
export interface NearbyDevice {
  id: string;
  name: string | null;
  addresses: string[];
}

export interface PairedDevice {
  id: string;
  name: string;
  connected: boolean;
  last_seen: string | null;
  addresses: string[];
  /** Six digits while they are compared and both screens show them. */
  digits: string;
  /** The pairing is complete on this side; before that nothing is shared. */
  confirmed: boolean;
  state: "paired" | "asked" | "comparing" | "ended";
  in_step: number;
}

export interface AskingDevice {
  id: string;
  /** It chose the name itself. */
  name: string;
  address: string;
  /** It proved that this device's code was entered on it. */
  has_code: boolean;
  /** It asks to compare digits. */
  compares: boolean;
}

export interface ProposedDevice {
  id: string;
  name: string;
  by: string;
}

export interface Pairing {
  id: string;
  name: string;
  digits: string;
  state: "asked" | "comparing" | "paired" | "already_paired";
}

export type Level = "see" | "carry" | "resume" | "merge";

export interface ToolRow {
  tool: string;
  name: string;
  level: Level;
  reason: string;
  versions: string;
  /** Its store has a shape that is not known: nothing is written there. */
  lowered: boolean;
  found: boolean;
  on: boolean;
  roots: string[];
  sessions: number;
  bytes: number;
  /** Each of its stores, of a tool that may have several. */
  stores: StoreRow[];
}

/** One of a tool's stores. */
export interface StoreRow {
  /** What the tool's variable says for it. */
  dir: string;
  on: boolean;
  found: boolean;
  /** How it was found, in words. */
  from: string;
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
  /** Messages in all; `messages` are a page of them that begins with number `from`. */
  total: number;
  from: number;
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

/** `steering`: no message; a record changed what the tool may do. */
export type Role = "user" | "assistant" | "tool" | "system" | "steering";

/** What a message is made of: `text`, `thinking`, `tool_use`, `tool_result`, `image`, `compaction`, or a tool's own word. */
export interface Part {
  kind: string;
  /** Of all of it; `text` is its beginning. */
  bytes: number;
  text: string;
  name?: string;
  target?: string;
  is_error?: boolean;
  media?: string;
}

/** One part, whole. */
export interface PartBody {
  kind: string;
  bytes: number;
  text: string;
  media: string | null;
  /** A picture in base64, where it can be shown. */
  data: string | null;
  whole: boolean;
}

export interface Message {
  role: Role;
  text: string;
  at: string | null;
  device: string | null;
  parts: Part[];
}

export interface Resume {
  argv: string[];
  cwd: string;
  env: Record<string, string>;
  unset: string[];
  notes: string[];
  /** The same with codes. */
  remarks: { code: string; message: string }[];
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
  title: string;
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
  /** What its records changed of what the tool may do, the first 20; where choices were asked for. */
  changes: { device: string | null; text: string }[];
  /** All of those changes. */
  n_changes: number;
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
  /** Kinds and sizes. */
  parts: [string, number][];
  /** The same with names and beginnings; empty where it is text alone. */
  pieces: Part[];
  /** The device that wrote it, by name. */
  device?: string;
}

/** What both have in common, a page of it. */
export interface DiffCommon {
  total: number;
  from: number;
  messages: Message[];
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

/** What forgetting a session would mean: the session first, then its versions. */
export interface ForgetPreview {
  sessions: SessionRow[];
  devices: string[];
  cannot_be_told: string[];
  minutes: number;
}

export interface ForgottenRow {
  key: string;
  tool: string;
  /** On the device that forgot it, as long as it can be taken back. */
  session?: string;
  title?: string;
  by: string[];
  at: string;
  undo_until?: string;
  held: boolean;
  receipts: ReceiptRow[];
}

export interface ReceiptRow {
  device: string;
  state: "removed" | "in_store" | "removing" | "waiting" | "held" | "cannot_be_told";
  why?: string;
  at?: string;
}

export interface HistoryRow {
  at: string;
  device: string;
  what: string;
  title: string;
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

export interface Doctor {
  checks: { name: string; state: "ok" | "note" | "problem"; message: string; hint: string }[];
  not_carried: Waiting[];
  tools: ToolRow[];
  copies: CopyRow[];
  /** What lies in the tools' stores and is not carried, the first of each reason. */
  left_out: LeftOut[];
}

export interface LeftOut {
  tool: string;
  path: string;
  code: "link" | "name" | "kind" | "too_deep" | "unreadable" | "copy" | "not_downloaded" | string;
  why: string;
}

/** A conflict copy that another way of syncing left in a tool's store. */
export interface CopyRow {
  tool: string;
  session: string;
  path: string;
  lines: number;
  new: number;
  /** By whom the session is open: the copy is not taken in meanwhile. */
  open: string | null;
}

export interface TakenIn {
  taken: { tool: string; session: string; path: string; to: string; lines: number }[];
  left: { tool: string; session: string; path: string; why: string }[];
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
  read_code: [{ code: string }, Code];
  pair: [{ code: string }, Pairing];
  accept: [{ id: string; digits?: string }, Pairing];
  dismiss: [{ id: string }, Done];
  rename: [{ id: string | null; name: string }, Done];
  approve: [{ id: string }, Done];
  revoke: [{ id: string; since: string | null; dry: boolean }, RevokeAnswer];
  follow: [{ id: string; on: boolean }, Done];
  unpair: [{ id: string }, Done];
  tools: [Record<never, never>, ToolRow[]];
  tool_switch: [{ tool: string; on: boolean }, Done];
  store_switch: [{ tool: string; dir: string; on: boolean }, Done];
  projects: [Record<never, never>, ProjectRow[]];
  project_map: [{ key: string; dir: string }, Done];
  project_exclude: [{ key: string; excluded: boolean }, Done];
  sessions: [{ filter: { tool?: string; project?: string; device?: string; limit?: number } }, SessionRow[]];
  show: [{ session: string; from: number; rows: number }, Shown];
  show_part: [{ session: string; message: number; part: number }, PartBody];
  resume: [{ session: string }, Resume];
  splits: [Record<never, never>, SplitRow[]];
  resolve: [{ session: string; choice: ChoiceId; branch: string | null; active: Side | null }, Done];
  undo: [{ session: string | null }, Done];
  diff: [{ session: string; branch: string | null; from: number; rows: number; choices: boolean }, Diff];
  diff_words: [{ session: string; branch: string | null; row: number }, DiffWords];
  diff_part: [{ session: string; branch: string | null; row: number; side: Side; part: number }, PartBody];
  diff_common: [{ session: string; branch: string | null; from: number; rows: number }, DiffCommon];
  diff_common_part: [{ session: string; branch: string | null; message: number; part: number }, PartBody];
  doctor: [Record<never, never>, Doctor];
  take_in: [Record<never, never>, TakenIn];
  plan: [Record<never, never>, StepRow[]];
  history: [{ session: string | null }, HistoryRow[]];
  export: [{ session: string; format: "markdown" | "json" | "native"; dir: string | null }, Exported];
  restore: [{ session: string }, Done];
  forget_preview: [{ session: string }, ForgetPreview];
  forget: [{ session: string }, ForgottenRow[]];
  forgotten: [Record<never, never>, ForgottenRow[]];
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
