// The requests and answers of the engine, as in src-tauri/core/src/api/types.rs, and those of the
// window's shell. Written by hand until they are generated; names and shapes are those of
// docs/cli.md.

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
  /** The code's expiry; a new code is shown before that. */
  code_until: string;
  addresses: string[];
}

/** The contents of a pairing code. */
export interface Code {
  id: string;
  name: string;
  /** The code carries a secret; without one, digits are compared. */
  proves: boolean;
  /** The other device proved to know this device's code: pairing lets the other device in. */
  has_code: boolean;
  paired: boolean;
}

export interface Devices {
  paired: PairedDevice[];
  asking: AskingDevice[];
  /** The number of unlisted pairing requests without a proof. */
  more_asking: number;
  proposed: ProposedDevice[];
  nearby: NearbyDevice[];
  /** Why no devices can be discovered on this network, if so. */
  nearby_off: string | null;
  /** What the device list records of the devices approved here. */
  approvals: Approval[];
  /** Revoked devices. */
  revoked: RevokedDevice[];
}

export interface Approval {
  id: string;
  /** Approvals given on that device apply here, too. */
  follow: boolean;
  /** The device that forwarded the approval. */
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

/** Discovered on the same network. This proves nothing, so digits are compared. */
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
  /** Six digits while both screens show them for comparison. */
  digits: string;
  /** The pairing is complete on this side; nothing is shared before that. */
  confirmed: boolean;
  state: "paired" | "asked" | "comparing" | "ended";
  in_step: number;
}

export interface AskingDevice {
  id: string;
  /** Chosen by the device itself. */
  name: string;
  address: string;
  /** The device proved that this device's code was entered on it. */
  has_code: boolean;
  /** The device asks to compare digits. */
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
  /** The tool's store has an unknown shape: nothing is written there. */
  lowered: boolean;
  found: boolean;
  on: boolean;
  roots: string[];
  sessions: number;
  bytes: number;
  /** All stores of a tool that may have several. */
  stores: StoreRow[];
}

/** One of a tool's stores. */
export interface StoreRow {
  /** The value of the tool's variable for this store. */
  dir: string;
  on: boolean;
  found: boolean;
  /** How the store was found, as text. */
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
  /** The number of all messages; `messages` is a page that starts at message `from`. */
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

/** A part of a message: `text`, `thinking`, `tool_use`, `tool_result`, `image`, `compaction`, or a
 * tool's own kind. */
export interface Part {
  kind: string;
  /** The size of the whole part; `text` is its beginning. */
  bytes: number;
  text: string;
  name?: string;
  target?: string;
  is_error?: boolean;
  media?: string;
}

/** One whole part. */
export interface PartBody {
  kind: string;
  bytes: number;
  text: string;
  media: string | null;
  /** A picture in base64, if it can be displayed. */
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
  /** The notes with codes. */
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
  /** Changes of what the tool may do, the first 20; only if choices were requested. */
  changes: { device: string | null; text: string }[];
  /** The number of all changes. */
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
  /** The parts with names and beginnings; empty for text alone. */
  pieces: Part[];
  /** The name of the device that wrote the message. */
  device?: string;
}

/** A page of the common part of both sides. */
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

/** A part of a text that is on one side only, or on both; in UTF-16 units. */
export interface Span {
  left: boolean;
  from: number;
  to: number;
  changed: boolean;
}

/** The effect of forgetting a session: the session first, then its versions. */
export interface ForgetPreview {
  sessions: SessionRow[];
  devices: string[];
  cannot_be_told: string[];
  minutes: number;
}

export interface ForgottenRow {
  key: string;
  tool: string;
  /** On the device that forgot the session, as long as undo is possible. */
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
  /** Paths in the tools' stores that do not sync, the first ones of each reason. */
  left_out: LeftOut[];
}

export interface LeftOut {
  tool: string;
  path: string;
  code: "link" | "name" | "kind" | "too_deep" | "unreadable" | "copy" | "not_downloaded" | string;
  why: string;
}

/** A conflict copy that another sync tool left in a tool's store. */
export interface CopyRow {
  tool: string;
  session: string;
  path: string;
  lines: number;
  new: number;
  /** Who has the session open: the copy is not ingested meanwhile. */
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

/** What the window's shell reports about itself and this installation. */
export interface About {
  version: string;
  /** The data folder, the log folder and the settings file. */
  home: string;
  logs: string;
  settings: string;
  /** The Syncthing in use. */
  syncthing: string;
  /** `null` if the system has no such switch. */
  autostart: boolean | null;
  global_discovery: boolean;
  local_discovery: boolean;
  relays: boolean;
  /** Nobody has completed the first three steps yet. */
  first_run: boolean;
  /** Why there is no icon in the panel, if so. */
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
  /** Starts the session's tool in a terminal, like `roam resume`. */
  start_tool: [{ session: string }, Done];
}

export type Command = keyof Answers;
export type Request<C extends Command = Command> = { [K in C]: { cmd: K } & Answers[K][0] }[C];
export type Answer<C extends Command> = Answers[C][1];
