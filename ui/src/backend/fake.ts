// The fake backend for a plain browser: `?state=…` selects the world, `&delay=…` the milliseconds
// that an answer takes. Decisions, pairing and undo happen within the page, so that every path can
// be tried; a reload resets everything.

import { isBlocking } from "../lib/actions";
import { type Backend, type Drag, type Notice, Refusal } from "./backend";
import { CODE_DIFFS, codeOffer } from "./fake/code";
import { diff, diffPart, diffWords, rewriteOf } from "./fake/split";
import { agentPage, agentPart, length, occurrences, transcript, transcriptPart } from "./fake/talk";
import { code, resolved, resolvedBeside, refuse as told, undone } from "./fake/told";
import { deviceId, imported, importing, makeWorld, STATES, type StateName, tablet, type World } from "./fake/world";
import type {
  Action,
  Answers,
  ApiError,
  Command,
  Done,
  ForgottenRow,
  HistoryKind,
  PairedDevice,
  ProblemCode,
  Remark,
  Remedy,
  Request,
  SessionRow,
  Status,
  Undoable,
} from "./types";

type Handlers = { [C in Command]: (request: Answers[C][0]) => Answers[C][1] };

const ENDINGS = { markdown: "md", html: "html", json: "json", open: "open.jsonl", native: "jsonl" };

/** What the shell answers itself. */
const OF_SHELL: Command[] = [
  "about",
  "switch",
  "first_run_done",
  "open_link",
  "open_path",
  "ask_newest",
  "restart",
  "choose_directory",
  "close_window",
  "start_engine",
  "new_identity",
  "choose_syncthing",
];

const NOT_RUNNING: ApiError = {
  code: "engine_not_running",
  message: "session-roam is not running on this device.",
  hint: "",
  actions: [{ do: "start_engine" }],
};

export function fake(query: URLSearchParams): Backend {
  const asked = query.get("state") ?? "busy";
  const name: StateName = STATES.find((known) => known === asked) ?? "busy";
  // A fixed time makes pictures and tests reproducible.
  const world = makeWorld(name, Number(query.get("now")) || Date.now());
  let delay = Number(query.get("delay") ?? 30);
  const hearers = new Set<(status: Status) => void>();
  const noticed = new Set<(notice: Notice) => void>();
  const dragged = new Set<(drag: Drag) => void>();
  const tell = () => {
    world.status.splits = world.splits.length;
    for (const hear of hearers) hear(structuredClone(world.status));
  };
  const handlers = answers(world, tell);
  const log: Request[] = [];
  /** Requests that will be answered and were not yet. */
  let open = 0;
  Object.assign(globalThis, {
    fake: {
      world,
      log,
      tell,
      /** Resolves when nothing is requested any more and every answer is drawn. */
      settled: async () => {
        const drawn = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
        for (let quiet = 0; quiet < 2; ) {
          await drawn();
          quiet = open === 0 ? quiet + 1 : 0;
        }
      },
      /** The session is continued: this many messages more. */
      grow: (n: number) => {
        world.added += n;
        world.status.happenings += n;
        tell();
      },
      /** The session loses its last messages: the other device's tool took them back. */
      shrink: (n: number) => {
        world.added -= n;
        world.status.happenings += n;
        tell();
      },
      /** The session has other messages from this one on: another version was kept. */
      rewrite: (from: number) => {
        world.rewritten = from;
        world.status.happenings += 1;
        tell();
      },
      /** One side of every split goes on: this many messages more. */
      goOn: (n: number) => {
        world.continued += n;
        world.status.happenings += n;
        tell();
      },
      /** How long every answer takes from now on. */
      slow: (milliseconds: number) => {
        delay = milliseconds;
      },
      /** The command is refused from now on; without an error it is answered again. */
      refuse: (cmd: Command, error: ApiError | null) => {
        if (error) world.refusals.set(cmd, error);
        else world.refusals.delete(cmd);
      },
      notice: (notice: Notice) => {
        for (const hear of noticed) hear(notice);
      },
      drag: (drag: Drag) => {
        for (const hear of dragged) hear(drag);
      },
    },
  });
  return {
    async roam(request) {
      log.push(request as Request);
      const { cmd, ...rest } = request;
      if (name === "loading" && cmd !== "about") await new Promise(() => {});
      open += 1;
      await new Promise((done) => setTimeout(done, delay));
      // Whoever waits for the answer may request more before it counts as settled.
      open -= 1;
      if (name === "refused" && cmd !== "status" && cmd !== "about") {
        throw new Refusal({
          code: "state_unwritable",
          message: "session-roam's own files cannot be read: permission denied.",
          hint: "Free up disk space or fix its permissions.",
        });
      }
      // Without an engine, the shell says so as a status, and refuses what only an engine can answer.
      if (world.status.engine === "stopped" && cmd !== "status" && !OF_SHELL.includes(cmd)) {
        const [why] = world.status.problems;
        throw new Refusal(why ?? NOT_RUNNING);
      }
      const refused = world.refusals.get(cmd);
      if (refused) throw new Refusal(refused);
      const answer = (handlers[cmd] as (request: unknown) => unknown)(rest);
      return structuredClone(answer) as never;
    },
    onStatus(hear) {
      hearers.add(hear);
      return () => hearers.delete(hear);
    },
    onNotice(hear) {
      noticed.add(hear);
      return () => noticed.delete(hear);
    },
    onDrag(hear) {
      dragged.add(hear);
      return () => dragged.delete(hear);
    },
  };
}

const CONFIRM_MS = 1500;

/** As the engine's stories recorded it; what no story reached is given here. */
function refuse(code: ProblemCode, message: string, hint: string, actions: Remedy[] = []): never {
  throw new Refusal({ code, message, hint, actions });
}

const done = (message = "Done."): Done => ({ done: true, message });

function answers(world: World, tell: () => void): Handlers {
  const sessionOf = (id: string) =>
    world.sessions.find((row) => row.session === id) ??
    world.sessions.find((row) => row.session.startsWith(id)) ??
    told("unknown_session", id);
  const noApp = () => refuse("app_not_allowed", "The window is no app.", "");
  const noPart = () => refuse("no_part", "There is no such part.", "Messages and parts are numbered from 0.");
  const remember = (what: HistoryKind, session: string, title: string) =>
    world.history.unshift({
      at: new Date(world.now).toISOString(),
      device: world.own.name,
      what,
      title,
      session,
      tool: "claude-code",
      doc: "main",
      bytes: 0,
      lines: 0,
      files: 0,
    });
  const undoableOf = (session: string | null): Undoable | null => {
    const last = world.decided.findLast((one) => session === null || one.split.session === session);
    if (session !== null && world.applied.has(session) && !last) {
      const { title } = sessionOf(session);
      return { kind: "code", session, title, choice: null, device: "laptop" };
    }
    if (!last) return null;
    const { split, choice, kept } = last;
    return { kind: "choice", session: split.session, title: split.title, choice, device: kept };
  };
  const splitOf = (id: string) => world.splits.find((row) => row.session === id) ?? told("no_split");
  const comparedOf = (id: string) =>
    world.splits.find((row) => row.session === id) ?? rewriteOf(world, id) ?? told("no_split");
  /** The tools' own titles of renamed sessions. */
  const ownTitles = new Map<string, string>();
  const after = (change: () => void, message?: string): Done => {
    change();
    tell();
    return done(message);
  };
  /** The engine and its Syncthing run, and the devices that are there are connected. */
  const run = () => {
    world.status.engine = "running";
    Object.assign(world.status.syncthing, { state: "running", message: null });
    world.status.connected = world.devices.paired.filter((one) => one.connected).length;
  };
  const hasSecret = (code: string) => code.startsWith("session-roam:1?") && code.includes("&key=");
  const checkCode = (code: string) => {
    if (!/^session-roam:(1|\/\/pair)\?id=|^([A-Z2-7]{7}-){7}[A-Z2-7]{7}$/.test(code.trim())) told("bad_code");
    if (code.includes(world.own.id)) told("own_code");
  };
  return {
    status: () => world.status,
    about: () => world.about,
    device: () => ({
      ...world.own,
      code: `session-roam:1?id=${world.own.id}&name=${encodeURIComponent(world.own.name)}&addr=tcp%3A%2F%2F192.168.1.20%3A22000&key=MFRGGZDFMZTWQ2LKNNWG23TPOA`,
      code_until: new Date(world.now + 600_000).toISOString(),
      addresses: world.status.syncthing.addresses,
    }),
    devices: () => world.devices,
    read_code: ({ code }) => {
      checkCode(code);
      return { id: deviceId(6), name: "tablet", proves: hasSecret(code), has_code: false, paired: false };
    },
    pair: ({ code }) => {
      checkCode(code);
      const asking = world.devices.asking.find((one) => one.id === code.trim());
      world.devices.asking = world.devices.asking.filter((one) => one !== asking);
      const id = asking?.id ?? deviceId(6);
      const compares = !hasSecret(code);
      if (!world.devices.paired.some((one) => one.id === id)) {
        const state = compares ? ("comparing" as const) : ("asked" as const);
        world.devices.paired.push({ ...tablet(), id, state, digits: asking ? "483917" : "" });
        world.status.paired += 1;
      }
      tell();
      return { id, name: "tablet", digits: "", state: compares ? "comparing" : "asked" };
    },
    accept: ({ id, digits }) => {
      const compared = world.devices.paired.find((one) => one.id === id && !one.confirmed);
      const found =
        [...world.devices.asking, ...world.devices.proposed].find((one) => one.id === id) ??
        compared ??
        told("not_asking", id);
      if (compared && compared.digits !== digits) refuse("digits_differ", "The digits differ.", "Start again.");
      world.devices.asking = world.devices.asking.filter((one) => one !== found);
      world.devices.proposed = world.devices.proposed.filter((one) => one !== found);
      world.devices.paired = world.devices.paired.filter((one) => one !== compared);
      const device: PairedDevice = { ...tablet(), id, name: found.name, confirmed: true, state: "confirming" };
      if (compared) device.digits = compared.digits;
      world.devices.paired.push(device);
      tell();
      // The other device's user confirms a moment later.
      setTimeout(() => {
        const last_seen = new Date(world.now).toISOString();
        Object.assign(device, { state: "paired", digits: "", connected: true, route: "lan", in_step: 12, last_seen });
        Object.assign(world.status, { paired: world.status.paired + 1, connected: world.status.connected + 1 });
        world.status.happenings += 1;
        tell();
      }, CONFIRM_MS);
      return { id, name: found.name, digits: "", state: "paired" };
    },
    dismiss: ({ id }) =>
      after(() => {
        world.devices.asking = world.devices.asking.filter((one) => one.id !== id);
      }),
    rename: ({ id, name }) => {
      if (!name.trim()) refuse("bad_name", "A name needs at least one letter.", "");
      return after(() => {
        const other = world.devices.paired.find((one) => one.id === id);
        if (other) other.name = name;
        else
          Object.assign(world, { own: { ...world.own, name }, status: Object.assign(world.status, { device: name }) });
      });
    },
    approve: ({ id }) => {
      const found =
        [...world.devices.proposed, ...world.devices.revoked].find((one) => one.id === id) ??
        told("unknown_device", id);
      return after(() => {
        world.devices.proposed = world.devices.proposed.filter((one) => one.id !== id);
        world.devices.revoked = world.devices.revoked.filter((one) => one.id !== id);
        world.devices.paired.push({ ...tablet(), id, name: found.name, confirmed: true, state: "paired" });
        world.devices.approvals.push({ id, follow: false, via: null });
        world.status.paired = world.devices.paired.length;
      });
    },
    revoke: ({ id, since, dry }) => {
      const found = world.devices.paired.find((one) => one.id === id) ?? told("unknown_device", id);
      const not_heard = world.devices.paired.filter((one) => one.id !== id && !one.connected).map((one) => one.name);
      if (!dry) {
        world.devices.paired = world.devices.paired.filter((one) => one.id !== id);
        world.devices.approvals = world.devices.approvals.filter((one) => one.id !== id);
        const at = new Date(world.now).toISOString();
        world.devices.revoked.push({ id, name: found.name, by: [world.own.name], at, since, not_heard });
        world.status.paired = world.devices.paired.length;
        tell();
      }
      return { id, name: found.name, done: !dry, journals: 12, cut: since === null ? 0 : 3, not_heard };
    },
    follow: ({ id, on }) =>
      after(() => {
        for (const one of world.devices.approvals) if (one.id === id) one.follow = on;
      }),
    unpair: ({ id }) =>
      after(() => {
        world.devices.paired = world.devices.paired.filter((one) => one.id !== id);
        world.status.paired = world.devices.paired.length;
        world.status.connected = world.devices.paired.filter((one) => one.connected).length;
      }),
    tools: () => world.tools,
    tool_switch: ({ tool, on }) =>
      after(() => {
        for (const row of world.tools) if (row.tool === tool) row.on = on;
      }),
    store_switch: ({ tool, dir, on }) =>
      after(() => {
        const stores = world.tools.find((row) => row.tool === tool)?.stores ?? [];
        for (const store of stores) if (store.dir === dir) store.on = on;
      }),
    apps: () => world.apps,
    app_allow: ({ app }) =>
      after(() => {
        for (const row of world.apps) if (row.app === app) Object.assign(row, { state: "allowed", asking: 0 });
        world.status.problems = world.status.problems.filter((one) => one.code !== "app_asks");
      }),
    app_deny: ({ app }) =>
      after(() => {
        for (const row of world.apps) if (row.app === app) Object.assign(row, { state: "denied", asking: 0 });
        world.status.problems = world.status.problems.filter((one) => one.code !== "app_asks");
      }),
    app_remove: ({ app }) =>
      after(() => {
        world.apps = world.apps.filter((row) => row.app !== app);
      }),
    app_append: () => noApp(),
    app_load: () => noApp(),
    app_list: () => noApp(),
    app_delete: () => noApp(),
    app_subkeys: () => noApp(),
    projects: () => world.projects,
    project_map: ({ key, dir }) => {
      if (!dir.startsWith("/"))
        refuse("no_such_directory", `${dir} is not a directory on this device.`, "Give the folder of the checkout.");
      return after(() => {
        for (const row of world.projects) if (row.key === key) row.places = [dir];
      }, "9 sessions are being written there.");
    },
    project_exclude: ({ key, excluded }) =>
      after(() => {
        for (const row of world.projects) if (row.key === key) row.excluded = excluded;
      }),
    code_status: () => ({
      on: true,
      projects: world.projects
        .filter((row) => row.code)
        .map(({ key }) => ({ project: key, sessions: [], bytes: 48_000 })),
    }),
    code_switch: ({ project, on }) =>
      after(
        () => {
          for (const row of world.projects) if (row.key === project) row.code = on;
          if (world.status.code_question?.project === project) delete world.status.code_question;
        },
        (on ? code.on : code.off).message,
      ),
    code_forget: () => code.forgotten,
    undo_setting_aside: () => told("nothing_to_undo"),
    code_offer: ({ session }) => codeOffer(world, sessionOf(session)),
    code_diff: ({ path }) => ({ text: CODE_DIFFS[path] ?? "", cut: false }),
    code_apply: ({ session }) => {
      const offer = codeOffer(world, sessionOf(session));
      world.applied.add(session);
      return {
        dir: offer.dir ?? "",
        worktree: offer.state === "worktree",
        files: offer.n_files,
        message: `${offer.n_files} files of ${offer.device}'s working tree are now in ${offer.dir}.`,
      };
    },
    sessions: ({ filter: { after, limit = world.sessions.length } }) => {
      const from = after === undefined ? 0 : world.sessions.findIndex((row) => row.session === after) + 1;
      return world.sessions.slice(from, from + limit);
    },
    search: ({ words }) => {
      const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
      const fits = (row: SessionRow) =>
        wanted.every((word) => `${row.title} ${row.project}`.toLowerCase().includes(word));
      const found = wanted.length > 0 ? world.sessions.filter(fits) : [];
      const hit = ({ session, tool, project, title, updated, devices, state }: SessionRow) => ({
        ...{ session, tool, project, title, updated, devices, split: state === "split" },
        marked_title: [{ text: title, hit: false }],
        snippets: [],
      });
      // One of the made-up conversation's own words.
      const said = world.sessions[0];
      if (said && /token/i.test(words))
        return {
          hits: [
            {
              ...hit(said),
              snippets: [
                {
                  message: 12,
                  other_version: false,
                  role: "assistant" as const,
                  ...(said.devices[0] ? { device: said.devices[0] } : {}),
                  at: said.updated,
                  text: [
                    { text: "Two requests refresh the same ", hit: false },
                    { text: "token", hit: true },
                    { text: ", and the second one overwrites the first.", hit: false },
                  ],
                },
              ],
            },
          ],
          total: 1,
          notices: [],
        };
      return { hits: found.slice(0, 20).map(hit), total: found.length, notices: [] };
    },
    show: ({ session, from, rows = length(world) }) => {
      const row = sessionOf(session);
      return {
        ...row,
        cwd: "/home/mara/code/api",
        docs: [
          {
            doc: "main",
            kind: "log",
            bytes: row.bytes,
            lines: 84,
            tip: `a1f0${length(world)}${world.rewritten ?? ""}`,
            ...(row.path ? { path: row.path } : {}),
          },
        ],
        total: length(world),
        from,
        ...(ownTitles.has(row.session) ? { own_title: ownTitles.get(row.session)! } : {}),
        forks: true,
        messages: transcript(world, from, rows),
      };
    },
    show_doc: ({ doc, from, rows }) => agentPage(world, doc, from, rows),
    show_doc_part: ({ doc, message, part }) => agentPart(doc, message, part) ?? noPart(),
    file_place: ({ path }) => ({ path }),
    rename_session: ({ session, title }) => {
      const row = sessionOf(session);
      const own = ownTitles.get(session) ?? row.title;
      const given = title.split(/\s+/).filter(Boolean).join(" ");
      if (given) ownTitles.set(session, own);
      else ownTitles.delete(session);
      return after(
        () => {
          row.title = given || own;
          world.status.happenings += 1;
        },
        given ? `Renamed to “${given}”.` : "The session has its tool's title again.",
      );
    },
    find: ({ text }) => occurrences(world, text),
    show_part: ({ message, part }) => transcriptPart(world, message, part) ?? noPart(),
    fork: ({ session, at }) => {
      const row = sessionOf(session);
      const id = `f0${world.sessions.length}${row.session.slice(4)}`;
      const title = `${row.title} (from message ${at})`;
      world.sessions.unshift({ ...row, session: id, title, state: "here" });
      return { session: id, tool: row.tool, title, messages: at + 1, total: length(world) };
    },
    resume: ({ session }) => {
      const row = sessionOf(session);
      if (row.state === "elsewhere")
        refuse(
          "not_here",
          `“${row.title}” cannot be resumed on this device yet. Its tool is not on this device.`,
          "Install the tool, or read it here.",
        );
      if (row.project.startsWith("git:gitlab"))
        refuse("no_place", "There is no checkout of rivers/flow on this device.", "Choose its folder on this device.", [
          { do: "choose_folder", project: row.project },
        ]);
      const live = world.status.live.some((one) => one.session === session);
      const remarks: Remark[] = [];
      if (live)
        remarks.push({
          code: "live",
          message: "It was open on laptop 12 s ago. If you continue here, too, both versions are kept.",
        });
      if (row.why && (row.state === "waiting" || row.state === "held" || row.state === "split"))
        remarks.push({ code: row.state, message: row.why });
      if (row.devices.length > 1)
        remarks.push(
          { code: "branch", message: "The session was on branch fix/login, this checkout is on main." },
          {
            code: "commit_missing",
            message: "The session was at commit 3f2c1aa, which is not here yet: fetch first.",
          },
          { code: "changed", message: "This checkout has 3 changed files." },
        );
      return {
        argv: ["claude", "--resume", row.session],
        cwd: "/home/mara/code/api",
        env: {},
        unset: ["CLAUDECODE"],
        notes: remarks.map((one) => one.message),
        remarks,
      };
    },
    splits: () => world.splits,
    resolve: ({ session, choice, branch, beside }) => {
      const split = splitOf(session);
      const offered = split.choices.find((one) => one.id === choice);
      if (!offered?.enabled)
        refuse(
          "choice_refused",
          `“${choice}” is not possible here: the tool does not allow it.`,
          "Nothing was changed.",
          [{ do: "open_splits" }],
        );
      const right = split.branches.find((one) => one.branch === branch) ?? split.branches[1]!;
      const left = split.branches.find((one) => one.branch === beside);
      return after(
        () => {
          world.splits = world.splits.filter((one) => one !== split);
          const kept = { "keep-left": split.branches[0]!.device, "keep-right": right.device }[choice] ?? null;
          world.decided.push({ split, choice: choice as Action, kept });
          remember(choice as HistoryKind, split.session, split.title);
        },
        left
          ? resolvedBeside(offered!.id, left.device, right.device)
          : resolved(offered!.id, split.branches[0]!.device, right.device),
      );
    },
    undo: ({ session }) => {
      const taken = world.forgotten.find((one) => one.row?.session === session);
      if (taken?.row) {
        const { row } = taken;
        return after(() => {
          world.forgotten = world.forgotten.filter((one) => one !== taken);
          world.sessions.unshift(row);
          world.status.happenings += 1;
        }, `“${row.title}” is no longer forgotten. Nothing was removed from any device.`);
      }
      if (session !== null && undoableOf(session)?.kind === "code") {
        return after(() => world.applied.delete(session), "4 files of laptop's working tree were taken back.");
      }
      const at = world.decided.findLastIndex((one) => session === null || one.split.session === session);
      if (at < 0) told("nothing_to_undo");
      remember("undo", world.decided[at]!.split.session, world.decided[at]!.split.title);
      return after(
        () => world.splits.push(...world.decided.splice(at, 1).map((one) => one.split)),
        undone("keep-left"),
      );
    },
    undoable: ({ session }) => undoableOf(session),
    diff: (request) => diff(world, comparedOf(request.session), { cmd: "diff", ...request }),
    diff_words: (request) => diffWords(world, comparedOf(request.session), request, request.row),
    diff_part: (request) => diffPart(world, comparedOf(request.session), request) ?? noPart(),
    diff_common: ({ from, rows }) => ({ total: 412, from, messages: transcript(world, from, rows, 412, 412) }),
    diff_common_part: ({ message, part }) => transcriptPart(world, message, part) ?? noPart(),
    doctor: () => ({ ...world.doctor, not_carried: world.status.waiting, tools: world.tools }),
    timing: () => ({ stages: [] }),
    take_in: () => {
      const open = world.doctor.copies.filter((copy) => copy.open);
      const taken = world.doctor.copies.filter((copy) => !copy.open);
      world.doctor.copies = open;
      return {
        taken: taken.map(({ tool, session, path, lines }) => ({ tool, session, path, to: `/roam/${path}`, lines })),
        left: open.map(({ tool, session, path, open: by }) => ({ tool, session, path, why: by ?? "" })),
      };
    },
    plan: () =>
      world.status.waiting.map(({ session, tool, title, why }) => ({
        session,
        tool,
        title,
        step: "wait",
        what: `add to transcript.jsonl: ${why}`,
        bytes: 4_200,
      })),
    history: ({ session }) => world.history.filter((row) => session === null || row.session === session),
    export: ({ session, format, dir }) => ({
      files: dir ? [`${dir}/${session}.${ENDINGS[format]}`] : [],
    }),
    restart: () =>
      after(() => {
        const problems = world.status.engine === "stopped" ? [] : world.status.problems;
        world.status.problems = problems.filter((one) => !isBlocking(one.code));
        run();
      }),
    vanished: ({ what }) => {
      const held = world.status.held.find((one) => one.what === what);
      return held ? world.sessions.slice(0, Number.parseInt(held.message, 10) || 1) : [];
    },
    restore: ({ session }) => {
      if (session.startsWith("tool:"))
        return after(() => {
          world.status.held = world.status.held.filter((one) => one.what !== session);
        }, "31 sessions are put back into this device's store.");
      const row = sessionOf(session);
      return after(() => {
        row.state = "here";
        delete row.why;
      }, `“${row.title}” is back in this device's store.`);
    },
    forget_preview: ({ session }) => {
      const row = sessionOf(session);
      const versions = world.sessions.filter((one) => one.title.startsWith(`${row.title} (from `));
      const devices = [world.own.name, ...world.devices.paired.map((one) => one.name)];
      return { sessions: [row, ...versions], devices, cannot_be_told: [], minutes: 10 };
    },
    forget: ({ session }) => {
      const row = sessionOf(session);
      const at = new Date(world.now);
      const forgotten: ForgottenRow = {
        key: `${row.tool}/x`,
        tool: row.tool,
        session: row.session,
        title: row.title,
        by: [world.own.name],
        at: at.toISOString(),
        undo_until: new Date(world.now + 600_000).toISOString(),
        held: false,
        receipts: [],
      };
      after(() => {
        world.sessions = world.sessions.filter((one) => one.session !== row.session);
        world.forgotten.unshift({ row, forgotten });
        world.status.happenings += 1;
      });
      return [forgotten];
    },
    forgotten: () => world.forgotten.map((one) => one.forgotten),
    release: ({ what }) =>
      after(() => {
        world.status.held = world.status.held.filter((one) => one.what !== what);
      }),
    pause: () =>
      after(() => {
        world.status.engine = "paused";
      }),
    continue: () =>
      after(() => {
        world.status.engine = "running";
      }),
    journal: () => [],
    stop: () =>
      after(() => {
        world.status.engine = "stopping";
      }),
    preferences: () => world.preferences,
    preferences_set: ({ preferences }) =>
      after(() => {
        const notifications = { ...world.preferences.notifications, ...preferences.notifications };
        world.preferences = { ...world.preferences, ...preferences, notifications };
      }),
    network: () => world.network,
    network_set: ({ network }) =>
      after(() => {
        world.network = network;
      }),
    space: () => {
      const devices = [world.own.name, ...world.devices.paired.map((one) => one.name)].map((device, at) => ({
        device,
        bytes: Math.round(182_400_000 / (at + 1) ** 2),
      }));
      return { devices, total: devices.reduce((sum, one) => sum + one.bytes, 0) };
    },
    stores_said: () => after(() => {}),
    switch: ({ name, on }) => after(() => Object.assign(world.about, { [name]: on })),
    first_run_done: () =>
      after(() => {
        world.about.first_run = false;
      }),
    open_link: () => done(),
    open_path: () => done(),
    open_file: ({ path }) => {
      if (path.includes(".."))
        refuse(
          "not_ours",
          `${path} is not in this session's folder.`,
          "Only files in the session's own folder are opened from here.",
        );
      return done("Opened in the text editor.");
    },
    ask_newest: () => (world.about.releases === null ? null : { version: "0.2.0", is_newer: true }),
    choose_directory: () => "/home/mara/code/flow",
    choose_import: ({ directory }) =>
      after(() => {
        world.status.conversation_import = importing(directory ? "history" : "chatgpt-export.zip");
      }),
    // The shell refuses it: only what the user chose or dropped is imported.
    import: () => refuse("not_chosen", "Only files that you choose or drop are imported.", "Drop the export."),
    import_cancel: () =>
      after(() => {
        const now = world.status.conversation_import;
        if (now) now.done = { ...imported(), is_cancelled: true };
      }),
    import_dismiss: () =>
      after(() => {
        world.status.conversation_import = null;
      }),
    close_window: () => done(),
    start_tool: () => done("Started."),
    start_engine: () =>
      after(() => {
        world.status.problems = [];
        run();
      }),
    new_identity: () =>
      after(() => {
        world.own.id = deviceId(9);
        world.status.problems = world.status.problems.filter((one) => one.code !== "device_cloned");
      }, "Creating a new identity…"),
    choose_syncthing: () =>
      after(() => {
        Object.assign(world.status.syncthing, { state: "running", message: null });
        world.status.problems = [];
      }),
  };
}
