// Invented devices, sessions and states for a plain browser: one world for each value of `?state=`.
// Everything is derived from numbers, so that pictures and tests are reproducible.
import type {
  About,
  Action,
  ApiError,
  AppRow,
  Command,
  ConversationImport,
  Devices,
  Doctor,
  ForgottenRow,
  HistoryKind,
  HistoryRow,
  Imported,
  LiveSession,
  Network,
  PairedDevice,
  Preferences,
  ProjectRow,
  Reason,
  SessionRow,
  SplitRow,
  Status,
  StoreRow,
  ToolRow,
  Waiting,
} from "../types";

import { choices, code, emptied, waits } from "./told";

export const STATES = [
  "busy",
  "quiet",
  "alone",
  "first",
  "moving",
  "importing",
  "paused",
  "offline",
  "missing",
  "failed",
  "stopped",
  "broken",
  "chosen",
  "crowd",
  "waiting",
  "held",
  "problems",
  "asking",
  "revoked",
  "pairing",
  "many",
  "long",
  "rtl",
  "big-split",
  "choose",
  "several",
  "transcript",
  "reader",
  "huge",
  "loading",
  "refused",
  "lost",
  "empty",
  "code-asked",
  "import-runs",
  "import-done",
  "import-failed",
] as const;
export type StateName = (typeof STATES)[number];

export interface World {
  name: StateName;
  now: number;
  status: Status;
  about: About;
  own: { id: string; name: string };
  devices: Devices;
  tools: ToolRow[];
  apps: AppRow[];
  projects: ProjectRow[];
  sessions: SessionRow[];
  splits: SplitRow[];
  /** With the device whose version was kept. */
  decided: { split: SplitRow; choice: Action; kept: string | null }[];
  history: HistoryRow[];
  /** With the session, as long as undo is possible. */
  /** Messages that were added since the page was opened. */
  added: number;
  /** Messages from this one on were written anew. */
  rewritten: number | null;
  /** Messages that were added to the version of a split beside the session's own. */
  continued: number;
  /** Commands that are refused, and how. */
  refusals: Map<Command, ApiError>;
  /** Sessions whose code was taken over. */
  applied: Set<string>;
  forgotten: { row: SessionRow | null; forgotten: ForgottenRow }[];
  doctor: Doctor;
  preferences: Preferences;
  network: Network;
}

const TITLES = [
  "Fix login race",
  "Make the importer resumable",
  "Why is the cache cold after a deploy?",
  "Types for the billing webhooks",
  "Dark mode for the settings page",
  "Flaky test in queue_spec",
  "Explain the lexer to me",
  "Split the monolith's user module",
  "Upgrade to the new router",
  "Rate limits per tenant",
  "Notes on the storage format",
  "Shrink the container image",
  "A smaller bundle for the landing page",
  "Rename Account to Workspace everywhere",
  "Profile the slow report",
  "Retry with jitter",
];
const RTL_TITLES = [
  "תיקון מרוץ בכניסה למערכת",
  "لماذا ذاكرة التخزين المؤقت باردة بعد النشر؟",
  "הסבר על ה־lexer",
  "تحديث إلى `router` الجديد",
];
const PROJECTS = [
  "git:github.com/acme/api",
  "git:github.com/acme/web",
  "git:gitlab.com/rivers/flow",
  "home:notes/ideas",
  "git:github.com/acme/infra",
];
const DEVICES = ["desk", "laptop", "studio"];
const LONG = "a-very-long-name-that-nobody-would-choose-but-somebody-has-because-a-script-made-it-".repeat(3);

export function makeWorld(name: StateName, now: number): World {
  const at = (seconds: number) => new Date(now - seconds * 1000).toISOString();
  const long = name === "long";
  const own = { id: deviceId(1), name: long ? `desk ${LONG}` : "desk" };
  const world: World = {
    name,
    now,
    own,
    status: baseStatus(own.name, at),
    about: {
      version: "0.1.0",
      home: "/home/mara/.local/share/session-roam",
      logs: "/home/mara/.local/share/session-roam/logs",
      settings: "/home/mara/.local/share/session-roam/config.toml",
      syncthing: "/usr/bin/session-roam-syncthing (v1.29.5)",
      autostart: true,
      global_discovery: true,
      local_discovery: true,
      relays: false,
      first_run: name === "first",
      no_tray: null,
      releases: null,
    },
    devices: baseDevices(at),
    tools: baseTools(),
    apps: [],
    projects: baseProjects(long),
    sessions: sessions(name, name === "many" ? 50_000 : 48, at),
    splits: [],
    decided: [],
    history: history(at),
    applied: new Set(),
    added: 0,
    rewritten: null,
    continued: 0,
    refusals: new Map(),
    forgotten: [
      {
        row: null,
        forgotten: {
          key: "codex/bbbb",
          tool: "codex",
          by: ["desk"],
          at: at(3 * 24 * 60),
          held: false,
          receipts: [
            { device: "desk", state: "removed", at: at(3 * 24 * 60) },
            { device: "laptop", state: "waiting", why: "It has not received this yet." },
          ],
        },
      },
    ],
    preferences: {
      notifications: { pairing: true, versions: true, held: true, waiting: true, arrived: false },
      terminal: "",
      editor: "",
    },
    network: { local_discovery: true, global_discovery: false, relays: false },
    doctor: { checks: checks(), not_carried: [], tools: [], copies: [], left_out: [] },
  };
  shape[name]?.(world, at);
  world.status.splits = world.splits.length;
  world.status.sessions = world.sessions.length;
  return world;
}

type At = (seconds: number) => string;

function baseStatus(device: string, _at: At): Status {
  return {
    engine: "running",
    device,
    sessions: 48,
    paired: 2,
    connected: 2,
    cycle_ms: 14,
    happenings: 4711,
    asking: 0,
    splits: 0,
    syncthing: {
      state: "running",
      version: "v1.29.5",
      program: "/usr/bin/syncthing",
      pid: 4242,
      addresses: ["tcp://192.168.1.20:22000"],
      message: null,
    },
    moving: { import_done: 0, import_total: 0, import_bytes: 0, queued: 0, out_bytes: 0, in_bytes: 0 },
    waiting: [],
    waiting_counts: [],
    held: [],
    live: [],
    problems: [],
    conversation_import: null,
  };
}

/** An import of conversations that is a third through. */
export const importing = (name: string): ConversationImport => ({
  name,
  others: 0,
  conversations: 71,
  bytes: 62_400_000,
  total: 187_200_000,
  done: null,
  failed: null,
});

export const imported = (): Imported => ({
  new: { "chat-service": 200 },
  grown: { "chat-service": 10 },
  known: { "chat-service": 2 },
  left_out: [
    { name: "README.md", why: "nobody speaks in it; import the file by itself to keep it as a document" },
    { name: "notes/2025 – größe.md", why: "it is no text in UTF-8" },
  ],
  n_left_out: 14,
  is_cancelled: false,
});

const live = (at: At, device = "laptop", seconds = 12): LiveSession => ({
  session: sessionId(0),
  tool: "claude-code",
  title: TITLES[0]!,
  project: PROJECTS[0]!,
  device,
  here: false,
  seen: at(seconds),
});

const waitingRow = (n: number, code: Reason, why: string, hint: string): Waiting => ({
  session: sessionId(n),
  tool: n % 2 ? "codex" : "claude-code",
  title: TITLES[n % TITLES.length]!,
  project: PROJECTS[n % PROJECTS.length]!,
  code,
  why,
  hint,
  actions:
    code === "unwritable"
      ? [{ do: "open_logs" }]
      : code === "tool_off"
        ? [{ do: "switch_tool_on", tool: n % 2 ? "codex" : "claude-code" }]
        : [],
  // What a story of the engine reached is told as there.
  ...waits(code, PROJECTS[n % PROJECTS.length]!),
});

/** A device that was asked to pair and has not accepted yet. */
export function tablet(): PairedDevice {
  return {
    id: deviceId(6),
    name: "tablet",
    connected: false,
    last_seen: null,
    addresses: [],
    digits: "",
    confirmed: false,
    state: "asked",
    in_step: 0,
    outstanding: 0,
    route: null,
    version: null,
  };
}

const twoWait = () => [
  waitingRow(3, "live", "Codex has it open on this device.", "It continues when the session is closed."),
  waitingRow(
    7,
    "no_place",
    "There is no checkout of rivers/flow on this device yet.",
    "Clone it, or choose its folder.",
  ),
];

/** The differences of each state from `quiet`. */
const shape: Partial<Record<StateName, (world: World, at: At) => void>> = {
  busy(world, at) {
    world.status.live = [live(at)];
    world.splits = [split(2, at)];
    world.status.waiting = twoWait();
  },
  alone(world) {
    world.devices = {
      paired: [],
      asking: [],
      more_asking: 0,
      proposed: [],
      nearby: [],
      nearby_off: null,
      approvals: [],
      revoked: [],
    };
    Object.assign(world.status, { paired: 0, connected: 0 });
    world.history = world.history.filter((row) => row.device === "desk");
  },
  first(world, at) {
    shape.alone?.(world, at);
  },
  moving(world) {
    Object.assign(world.status.moving, { queued: 3, out_bytes: 18_400_000, in_bytes: 2_300_000 });
    Object.assign(world.devices.paired[0]!, { in_step: 87.4, outstanding: 18_400_000 });
  },
  importing(world) {
    world.status.engine = "importing";
    Object.assign(world.status.moving, {
      import_done: 412,
      import_total: 1065,
      import_bytes: 210_000_000,
      queued: 653,
    });
  },
  paused(world) {
    world.status.engine = "paused";
  },
  offline(world, at) {
    world.status.connected = 0;
    for (const [n, device] of world.devices.paired.entries()) {
      device.connected = false;
      Object.assign(device, { route: null, version: null, outstanding: 1_200_000 });
      device.last_seen = at(5400 + n * 90_000);
      device.in_step = 96.2;
    }
  },
  missing(world) {
    world.devices.nearby_off = "Syncthing, which finds them, does not run.";
    Object.assign(world.status.syncthing, {
      state: "missing",
      version: null,
      pid: null,
      message: "No Syncthing was found beside roam or on PATH.",
    });
    Object.assign(world.status, { connected: 0 });
    world.status.problems = [
      {
        code: "syncthing_missing",
        message: "No Syncthing was found.",
        hint: "Install it (Debian: apt install syncthing; elsewhere: syncthing.net/downloads).",
        actions: [{ do: "locate_syncthing" }, { do: "retry" }],
      },
    ];
  },
  failed(world) {
    Object.assign(world.status.syncthing, {
      state: "failed",
      pid: null,
      message: "Syncthing ended five times within a minute: the disk is full.",
    });
    Object.assign(world.status, { connected: 0 });
    world.status.problems = [
      {
        code: "disk_full",
        message: "Syncthing has trouble with the vault: no space left on device.",
        hint: "Free up disk space; session-roam then continues.",
        actions: [{ do: "open_diagnostics" }],
      },
    ];
  },
  stopped(world) {
    world.status.engine = "stopped";
    Object.assign(world.status, { connected: 0 });
    Object.assign(world.status.syncthing, { state: "stopped", pid: null });
  },
  lost(world) {
    shape.stopped?.(world, String);
    world.status.problems = [
      {
        code: "engine_unreachable",
        message: "session-roam runs, but does not answer.",
        hint: "Nothing recorded is lost. If it does not answer soon, restart it.",
        actions: [{ do: "retry" }, { do: "open_logs" }],
      },
    ];
  },
  broken(world) {
    shape.stopped?.(world, String);
    world.status.problems = [
      {
        code: "settings",
        message: "/home/mara/.local/share/session-roam/config.toml is not valid: expected `=` in line 4.",
        hint: "Fix config.toml.",
        actions: [{ do: "open_settings" }],
      },
    ];
  },
  chosen(world) {
    world.status.waiting = [
      waitingRow(2, "excluded", "", ""),
      waitingRow(7, "excluded", "", ""),
      {
        ...waitingRow(5, "store_off", "The store /home/mara/.codex-work is switched off on this device.", ""),
        actions: [{ do: "open_tools" }],
      },
    ];
  },
  crowd(world) {
    const place = (n: number) => waitingRow(n, "no_place", "", "");
    world.status.waiting = [
      ...[2, 7, 12, 17].map(place),
      place(3),
      waitingRow(9, "tool_off", "This tool is switched off on this device.", ""),
    ];
    world.status.waiting_counts = [
      { code: "no_place", tool: "claude-code", sessions: 3 },
      { code: "no_place", tool: "codex", sessions: 2 },
      { code: "tool_off", tool: "codex", sessions: 240 },
    ];
  },
  waiting(world) {
    world.status.waiting = [
      ...twoWait(),
      waitingRow(
        8,
        "unwritable",
        "Codex's store cannot be written: permission denied.",
        "Make ~/.codex/sessions writable for you.",
      ),
      waitingRow(9, "tool_off", "This tool is switched off on this device.", ""),
      waitingRow(
        10,
        "parent",
        "It continues “Rate limits per tenant”, which is not here yet.",
        "It continues once that has arrived: connect the device that has it.",
      ),
    ];
  },
  held(world) {
    world.status.held = [
      emptied(31),
      {
        what: `session:${sessionId(4)}`,
        code: "rewritten",
        message: `“${TITLES[4]}”: laptop rewrote the session. This device keeps what it has until you accept it.`,
        hint: "Check the session on laptop first.",
        actions: [
          { do: "compare", session: sessionId(4) },
          { do: "accept_rewrite", what: `session:${sessionId(4)}` },
        ],
      },
      {
        what: "rewritten",
        code: "mass_change",
        message: "24 sessions were rewritten or shortened on other devices at once. Nothing of it is written here.",
        hint: "Check the other device first.",
        actions: [{ do: "open_sessions" }, { do: "accept_rewrite", what: "rewritten" }],
      },
      {
        what: "forgotten",
        code: "mass_forget",
        message:
          "12 sessions were forgotten on laptop. Nothing was removed here yet. That is more than another device may do without your confirmation here.",
        hint: "If it was not you, revoke that device: someone else may have it.",
        actions: [{ do: "revoke_device" }, { do: "accept_forget", what: "forgotten" }],
      },
    ];
  },
  problems(world, at) {
    world.doctor.copies = [
      {
        tool: "codex",
        session: sessionId(1),
        path: "/home/mara/.codex/sessions/2026/11/20/rollout-x.sync-conflict-20261120-101500-ABCDEFG.jsonl",
        lines: 84,
        new: 12,
        open: null,
      },
      {
        tool: "claude-code",
        session: sessionId(0),
        path: "/home/mara/.claude/projects/-code-api/x.sync-conflict-20261121-101500-ABCDEFG.jsonl",
        lines: 12,
        new: 0,
        open: "Claude Code has it open (process 4711)",
      },
    ];
    world.doctor.left_out = [
      {
        tool: "claude-code",
        path: "/home/mara/.claude/projects/-code-old",
        code: "link",
        why: "It is a link to /mnt/disk/old. Links to directories of your own outside of the store are followed, no others.",
      },
    ];
    world.about.no_tray =
      "This desktop shows no icons in its panel, so the window opens instead. Closing it does not end session-roam.";
    world.status.problems = [
      {
        code: "watch_limit",
        message:
          "The system's limit of file watches is reached, so not everything below /home/mara/.claude can be watched; session-roam checks it every few seconds instead.",
        hint: "Raise it with sysctl: fs.inotify.max_user_watches=524288 and fs.inotify.max_user_instances=1024; write the same into /etc/sysctl.d/ to keep it.",
        actions: [],
      },
      {
        code: "too_large",
        message: "One piece of “Profile the slow report” is over 128 MiB and stays on this device.",
        hint: "This part stays on this device; the rest of the session syncs.",
        actions: [],
      },
      {
        code: "syncthing_crashes",
        message: "Syncthing stopped 3 times within ten minutes, last with: panic.",
        hint: "Its log is syncthing.log. It is started again in ten minutes, or when session-roam restarts.",
        actions: [{ do: "open_logs" }],
      },
      {
        code: "app_asks",
        message: "The app “notes” asks to keep its sessions here.",
        hint: "If you started it, allow it; if not, refuse it.",
        actions: [],
      },
    ];
    world.apps = [
      { app: "agent-desk", state: "allowed", since: at(300_000), asking: 0, sessions: 212, bytes: 48_211_000 },
      { app: "notes", state: "asking", since: null, asking: 1, sessions: 0, bytes: 0 },
      { app: "old-notes", state: "denied", since: at(4_000), asking: 0, sessions: 3, bytes: 9_120 },
    ];
  },
  asking(world) {
    world.devices.nearby = [
      { id: deviceId(6), name: null, addresses: ["tcp://192.168.1.40:22000"] },
      { id: deviceId(7), name: "old laptop", addresses: [] },
    ];
    world.devices.asking = [
      { id: deviceId(4), name: "tablet", address: "192.168.1.31", has_code: true, compares: false },
      { id: deviceId(8), name: "tablet", address: "192.168.1.66", has_code: false, compares: true },
    ];
    world.devices.more_asking = 3;
    world.devices.proposed = [{ id: deviceId(5), name: "studio-mini", by: "laptop" }];
  },
  revoked(world, at) {
    world.devices.revoked = [
      {
        id: deviceId(8),
        name: "old laptop",
        by: [world.own.name],
        at: at(3600),
        since: null,
        not_heard: world.devices.paired.slice(0, 1).map((one) => one.name),
      },
    ];
  },
  pairing(world) {
    world.devices.paired.push(tablet());
    world.status.paired = 3;
  },
  long(world, at) {
    for (const device of world.devices.paired) device.name = `${device.name} ${LONG}`;
    world.devices.asking = [
      { id: deviceId(4), name: `tablet ${LONG}`, address: "fe80::1ff:fe23:4567:890a", has_code: true, compares: false },
    ];
    for (const tool of world.tools) tool.name = `${tool.name} ${LONG}`;
    const one = split(2, at);
    one.title = `Fix ${LONG}`;
    one.branches[1]!.device = `laptop ${LONG}`;
    world.splits = [one];
    world.status.live = [{ ...live(at), device: `laptop ${LONG}`, title: `Fix ${LONG}` }];
    world.status.waiting = [{ ...waitingRow(3, "live", `Codex has it open: ${LONG}`, LONG), title: `Fix ${LONG}` }];
    world.status.held = [
      {
        what: "session:x",
        code: "rewritten",
        message: `laptop ${LONG} rewrote 24 sessions at once.`,
        hint: LONG,
        actions: [{ do: "accept_rewrite", what: "session:x" }],
      },
    ];
  },
  rtl(world, at) {
    const one = split(0, at);
    one.title = RTL_TITLES[0]!;
    world.splits = [one];
    world.status.live = [{ ...live(at), title: RTL_TITLES[1]! }];
  },
  "big-split"(world, at) {
    world.splits = [split(2, at, 11_400)];
  },
  choose(world, at) {
    const one = split(2, at);
    Object.assign(one, {
      tier: "C",
      reason: "One device rewrote this session while another one continued it.",
    });
    one.branches[1]!.session = "";
    one.choices = one.choices.map((choice) =>
      choice.id === "stitch" || choice.id === "branches"
        ? { ...choice, enabled: false, consequence: "Not possible here: the tool's format does not allow it." }
        : choice,
    );
    world.splits = [one];
  },
  several(world, at) {
    const one = split(2, at);
    one.branches.push({
      branch: "c9d1",
      session: sessionId(902),
      title: `${TITLES[0]} (from studio)`,
      device: "studio",
      updated: at(1000),
      records: 3,
      here: false,
    });
    world.splits = [one, { ...split(5, at), title: TITLES[5]!, tool: "codex" }];
  },
  "code-asked"(world, at) {
    const { project, files, bytes } = code.question;
    world.status.code_question = { project, files, bytes };
    world.history.unshift({ ...code.applied, at: at(20), device: "laptop" });
  },
  "import-runs"(world) {
    world.status.conversation_import = importing("chatgpt-export.zip");
  },
  "import-done"(world) {
    world.status.conversation_import = { ...importing("chatgpt-export.zip"), done: imported() };
  },
  "import-failed"(world) {
    world.status.conversation_import = {
      ...importing("holiday.zip"),
      others: 2,
      failed: {
        code: "import_unreadable",
        message: "holiday.zip has neither conversations.json nor transcripts in Markdown",
        hint: "Give the zip as it was downloaded, its conversations.json, a Markdown transcript, or a directory with them.",
        actions: [],
      },
    };
  },
  empty(world, at) {
    shape.alone?.(world, at);
    Object.assign(world, { sessions: [], projects: [], history: [] });
    for (const tool of world.tools) Object.assign(tool, { sessions: 0, bytes: 0, found: false });
  },
};

export function split(n: number, at: At, records = 9): SplitRow {
  const [left, right] = ["desk", "laptop"];
  return {
    session: sessionId(n),
    tool: "claude-code",
    title: n === 2 ? TITLES[0]! : TITLES[n % TITLES.length]!,
    project: PROJECTS[0]!,
    tier: "B",
    reason: "Two devices continued from the same point.",
    branches: [
      {
        branch: "a1f0",
        session: sessionId(n),
        title: TITLES[0]!,
        device: left,
        updated: at(3000),
        records,
        here: true,
      },
      {
        branch: "b7e2",
        session: sessionId(900 + n),
        title: `${TITLES[0]} (from ${right})`,
        device: right,
        updated: at(1900),
        records: Math.max(4, Math.round(records * 0.8)),
        here: true,
      },
    ],
    choices: choices(left, right),
  };
}

function checks(): Doctor["checks"] {
  return [
    { name: "vault", state: "ok", message: "The vault in /home/mara/vault is writable.", hint: "", actions: [] },
    { name: "syncthing", state: "ok", message: "Syncthing v1.29.5 runs: /usr/bin/syncthing", hint: "", actions: [] },
    {
      name: "tool codex",
      state: "note",
      message: "Codex is switched off on this device.",
      hint: "",
      actions: [{ do: "switch_tool_on", tool: "codex" }],
    },
  ];
}

function baseDevices(at: At): Devices {
  return {
    paired: [
      {
        id: deviceId(2),
        name: "laptop",
        connected: true,
        last_seen: at(3),
        addresses: ["tcp://192.168.1.24:22000"],
        digits: "",
        confirmed: true,
        state: "paired",
        in_step: 100,
        outstanding: 0,
        route: "lan",
        version: "v1.29.5",
      },
      {
        id: deviceId(3),
        name: "studio",
        connected: true,
        last_seen: at(5),
        addresses: ["quic://10.0.3.7:22000"],
        digits: "",
        confirmed: true,
        state: "paired",
        in_step: 100,
        outstanding: 0,
        route: "relay",
        version: "v2.0.3",
      },
    ],
    asking: [],
    more_asking: 0,
    proposed: [],
    nearby: [],
    nearby_off: null,
    approvals: [2, 3].map((n) => ({ id: deviceId(n), follow: false, via: null })),
    revoked: [],
  };
}

function stores(): StoreRow[] {
  const store = { on: true, found: true, from: "", sessions: 27, bytes: 81_000_000 };
  return [
    { ...store, dir: "/home/mara/.claude" },
    { ...store, dir: "/home/mara/.claude-work", from: "~/.bashrc", sessions: 4, bytes: 3_200_000 },
  ];
}

/** What the engine says of each level. */
const MEANINGS: Record<ToolRow["level"], string> = {
  see: "Its sessions are listed, read and searched, on this device only.",
  carry: "Its sessions sync and can be read on your other devices.",
  resume: "Its sessions sync, open in the tool on your other devices and can be continued there.",
  merge:
    "Its sessions continue in the tool on every device. If two devices continue one at the same time, both versions are kept and can be resolved.",
};

function baseTools(): ToolRow[] {
  const row = (
    tool: string,
    name: string,
    level: ToolRow["level"],
    sessions: number,
    bytes: number,
    more: Partial<ToolRow> = {},
  ): ToolRow => ({
    tool,
    name,
    level,
    meaning: MEANINGS[level],
    imported: false,
    versions: "1.2 (2026-11-23)",
    lowered: false,
    reason: "",
    found: sessions > 0,
    on: true,
    roots: [`/home/mara/.${tool.split("-")[0]}`],
    stores: tool === "claude-code" ? stores() : [],
    sessions,
    bytes,
    ...more,
  });
  return [
    row("claude-code", "Claude Code", "merge", 31, 182_400_000),
    row("codex", "Codex", "merge", 14, 64_100_000, {
      reason:
        "After a split was settled by rewriting a thread, Codex's window may show its old turns; the model sees the new ones.",
    }),
    row("notes-chat", "Notes Chat", "carry", 3, 410_000, {
      reason: "A tool of your own, described in config.toml.",
      on: false,
    }),
    row("other-cli", "Other CLI", "see", 0, 0, {
      reason: "Its sessions are listed and read; nothing is written into it.",
    }),
    row("chat-service", "Chat Service", "carry", 0, 0, {
      reason:
        "Chat Service keeps its conversations on its servers, those of its desktop app too, and no program here may write there. Request an export in its settings and import it: its conversations can then be read and exported on all your devices. They continue at chat.example.",
      versions:
        "exports of 2023 to 2026, from public descriptions read on 2026-11-29; no export of a real account was tried",
      imported: true,
    }),
  ];
}

function baseProjects(long: boolean): ProjectRow[] {
  const places = ["/home/mara/code/api", "/home/mara/code/web", "", "/home/mara/notes/ideas", "/home/mara/code/infra"];
  return PROJECTS.map((key, n) => ({
    key,
    names: [long && n === 0 ? LONG : (key.split("/").at(-1) ?? key)],
    places: places[n] ? (n === 0 ? [places[n]!, "/home/mara/code/api-hotfix"] : [places[n]!]) : [],
    sessions: [18, 12, 9, 5, 4][n]!,
    excluded: n === 3,
    code: n === 0,
    tools: n % 2 ? ["codex"] : ["claude-code", "codex"],
  }));
}

function sessions(name: StateName, n: number, at: At): SessionRow[] {
  const ages = [12, 340, 3000, 4100, 9000, 16_000, 30_000, 61_000, 90_000, 130_000];
  return Array.from({ length: n }, (_, i): SessionRow => {
    const title =
      name === "rtl"
        ? RTL_TITLES[i % RTL_TITLES.length]!
        : name === "long" && i % 2 === 0
          ? `${TITLES[i % TITLES.length]} ${LONG}`
          : TITLES[i % TITLES.length]!;
    const state = i === 2 ? "split" : i === 3 || i === 7 ? "waiting" : i % 23 === 11 ? "elsewhere" : "here";
    return {
      session: sessionId(i),
      tool: i % 3 === 1 ? "codex" : i % 17 === 5 ? "notes-chat" : "claude-code",
      project: PROJECTS[(i * 7) % PROJECTS.length]!,
      title: i === 14 ? "" : i >= TITLES.length ? `${title} (${1 + Math.floor(i / TITLES.length)})` : title,
      updated: at(ages[i] ?? 130_000 + (i - 9) * 4000),
      bytes: 4_000 + ((i * 7919) % 900_000) + (i % 9 === 0 ? 12_000_000 : 0),
      devices: i % 4 === 0 ? ["desk", "laptop"] : [DEVICES[i % 3]!],
      state,
      ...(state === "here" ? { path: `/home/mara/.claude/projects/-code-api/${sessionId(i)}.jsonl` } : {}),
      ...(state === "waiting" ? { why: "Codex has it open on this device." } : {}),
      ...(state === "elsewhere" ? { why: "Its tool is not on this device." } : {}),
      ...(state === "split" ? { why: "desk and laptop continued it before they were connected." } : {}),
    };
  });
}

function history(at: At): HistoryRow[] {
  const whats: HistoryKind[] = ["recorded", "arrived", "checked_out", "recorded", "arrived", "recorded"];
  return Array.from({ length: 24 }, (_, i) => ({
    at: at(40 + i * i * 190),
    device: whats[i % 6] === "recorded" ? "desk" : i % 5 === 4 ? "studio" : "laptop",
    what: whats[i % 6]!,
    title: TITLES[i % 12]!,
    session: sessionId(i % 12),
    tool: (i % 12) % 3 === 1 ? "codex" : "claude-code",
    doc: "main",
    bytes: 900 + ((i * 6007) % 60_000),
    lines: 1 + (i % 30),
    files: 0,
  }));
}

export function sessionId(n: number): string {
  return `5e551000-0000-4000-8000-${String(n).padStart(12, "0")}`;
}

/** Eight groups of seven, as Syncthing writes them. */
export function deviceId(n: number): string {
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  return Array.from({ length: 8 }, (_, group) =>
    Array.from({ length: 7 }, (_, at) => letters[(n * 11 + group * 5 + at * at * 3) % 32]).join(""),
  ).join("-");
}
