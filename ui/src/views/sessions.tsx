// All sessions: searched and filtered as the user types, 50,000 rows without a pause, the
// transcript beside the list.

import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks";
import { asRefusal } from "../backend/backend";
import type { LiveSession, SessionRow, Shown } from "../backend/types";
import { useDeferred } from "../lib/deferred";
import { month, projectName, size } from "../lib/format";
import { isNumber, isText, isTexts, keep, kept, oneOf, useKept } from "../lib/kept";
import { listAll } from "../lib/listing";
import { isZoom, NORMAL } from "../lib/look";
import { MESSAGES } from "../lib/paged";
import {
  comparing,
  EVERYTHING,
  type Filter,
  type Group,
  grouped,
  isEverything,
  isFilter,
  laidOut,
  matching,
  merged,
  ORDERS,
  type Order,
  type Prepared,
  prepare,
  STATES,
  type StateFilter,
  stateCounts,
  unprepared,
  values,
} from "../lib/search";
import { each, inSlices, sorted } from "../lib/slices";
import { still } from "../lib/still";
import { Button, Empty, Failed, IconButton, Refused, Skeleton, Time, ToolSign } from "../parts/common";
import { FoundInMessages } from "../parts/found";
import { Icon, type IconName } from "../parts/icon";
import { ImportButtons } from "../parts/importing";
import { Menu, type MenuItem } from "../parts/menu";
import { More } from "../parts/more";
import { RenameQuestion } from "../parts/rename-question";
import { ResumeQuestion } from "../parts/resume-question";
import { Transcript } from "../parts/transcript";
import { type Scroller, Virtual } from "../parts/virtual";
import { go, link, settle } from "../route";
import { type Asked, letterOf, useAnswer, useDoing, useKeys, useNow, useRested, useShared } from "../state";
import { words } from "../words";

/** The whole list may be megabytes (17 MB for 50,000): the latest sessions are shown first, and the
 * whole list is refreshed at most this often. Of a long one only the latest are; the whole of it
 * follows now and then. */
const FIRST = 200;
const REST = 5_000;
const LONG_REST = 300_000;
const LONG = 5_000;
/** The heights of a row and of a heading in sessions.css, in rem: the size of the text is the user's choice. */
const ROW = 3.25;
const HEADING = 1.75;
/** So long a place in the list is not written down while it changes. */
const SETTLED_MS = 300;

const STATE_ICONS: Record<SessionRow["state"], IconName | null> = {
  here: null,
  waiting: "clock",
  elsewhere: "laptop",
  split: "splits",
  held: "held",
};

const isOrder = oneOf(...ORDERS);

/** The user's pins, on this device. */
function usePins(): { pinned: ReadonlySet<string>; turn: (session: string) => void } {
  const [pins, setPins] = useKept<string[]>("device", "pins", NO_PINS, isTexts);
  const pinned = useMemo(() => new Set(pins), [pins]);
  const turn = useCallback(
    (session: string) =>
      setPins(pins.includes(session) ? pins.filter((one) => one !== session) : [session, ...pins].slice(0, MOST_PINS)),
    [pins, setPins],
  );
  return { pinned, turn };
}

/** The list of all sessions, read again whenever `revision` changes; the old one stays until then. */
function useAllSessions(revision: number): Asked<SessionRow[]> & { again: () => void } {
  const { backend } = useShared();
  const [asked, setAsked] = useState<Asked<SessionRow[]>>(LOADING);
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    let isCurrent = true;
    const ask = (after: string | undefined, limit: number) =>
      backend.roam({ cmd: "sessions", filter: after === undefined ? { limit } : { limit, after } });
    listAll(ask, () => isCurrent).then(
      (answer) => answer && setAsked({ phase: "ready", answer, refusal: undefined }),
      (thrown) => {
        if (!isCurrent) return;
        const refusal = asRefusal(thrown, words.failed.unknown);
        setAsked((before) => ({ phase: "failed", answer: before.answer, refusal }));
      },
    );
    return () => {
      isCurrent = false;
    };
  }, [backend, revision, turn]);
  const again = useCallback(() => setTurn((before) => before + 1), []);
  return useMemo(() => ({ ...asked, again }), [asked, again]);
}

const LOADING: Asked<SessionRow[]> = { phase: "loading", answer: undefined, refusal: undefined };

const NO_PINS: string[] = [];
const MOST_PINS = 200;

/** The rows with their words, in order. The former ones stay until the next are ready: preparing
 * 50,000 takes longer than a frame. */
function usePrepared(all: readonly SessionRow[], toolName: (tool: string) => string, order: Order) {
  const [ready, setReady] = useState<{ prepared: Prepared; places: Uint32Array; order: Order } | null>(null);
  const last = useRef<{ prepared: Prepared; toolName: (tool: string) => string } | null>(null);
  useEffect(() => {
    const known = last.current?.prepared.rows === all && last.current.toolName === toolName ? last.current : null;
    const prepared = known?.prepared ?? unprepared(all);
    const places = Uint32Array.from(all.keys());
    function* steps() {
      const before = last.current?.toolName === toolName ? last.current.prepared : null;
      if (!known) yield* each(all.length, (at) => prepare(prepared, at, toolName, before));
      last.current = { prepared, toolName };
      yield* sorted(places, comparing(prepared, order));
      setReady({ prepared, places, order });
    }
    return inSlices(steps());
  }, [all, toolName, order]);
  return ready;
}

interface ViewProps {
  open: string | null;
  message: number | null;
  /** Grows whenever a link leads here. */
  visit: number;
  /** The link asks to resume the open session. */
  resumes: boolean;
  /** The search field has the focus. */
  search: boolean;
}

export function SessionsView({ open, message, visit, resumes, search }: ViewProps) {
  const { revision, tools, status } = useShared();
  const [isLong, setLong] = useState(false);
  const latest = useAnswer({ cmd: "sessions", filter: { limit: FIRST } }, useRested(isLong ? revision : 0, REST));
  const asked = useAllSessions(useRested(revision, isLong ? LONG_REST : REST));
  useEffect(() => setLong((asked.answer?.length ?? 0) > LONG), [asked.answer]);
  const [filter, setFilter] = useKept<Filter>("page", "sessions.filter", EVERYTHING, isFilter);
  const [order, setOrder] = useKept<Order>("device", "sessions.order", "recent", isOrder);
  const [marked, setMarked] = useState(() => open ?? kept("page", "sessions.marked", "", isText));
  useEffect(() => keep("page", "sessions.marked", marked), [marked]);
  const [resuming, setResuming] = useState<SessionRow | null>(null);
  const [menu, setMenu] = useState<{ row: SessionRow; x: number; y: number } | null>(null);
  const [renaming, setRenaming] = useState<SessionRow | null>(null);
  const [more, setMore] = useState<SessionRow | null>(null);
  const field = useRef<HTMLInputElement>(null);
  const list = useRef<Scroller>(null);
  const say = words.sessions;
  const all = useMemo(() => {
    const [whole, newest] = [asked.answer, latest.answer];
    return whole && newest && isLong ? merged(whole, newest, FIRST) : (whole ?? newest ?? NONE);
  }, [asked.answer, latest.answer, isLong]);
  const toolName = useCallback((tool: string) => tools.get(tool)?.name ?? tool, [tools]);
  const ready = usePrepared(all, toolName, order);
  const { pinned, turn } = usePins();
  const open_ids = status?.live.map((one) => one.session).join() ?? "";
  const marks = useMemo(() => ({ open: new Set(open_ids.split(",")), pinned }), [open_ids, pinned]);
  const wanted = useDeferred(filter);
  const found = useMemo(
    () => (ready ? matching(ready.prepared, ready.places, wanted, marks) : []),
    [ready, wanted, marks],
  );
  const today = new Date(useNow()).setHours(0, 0, 0, 0);
  const { rows, groups } = useMemo(
    () =>
      ready
        ? grouped(ready.prepared, found, ready.order, pinned, today, { ...say.groups, month })
        : { rows: NO_ROWS, groups: NO_GROUPS },
    [ready, found, pinned, today],
  );
  const { items, itemOf } = useMemo(() => laidOut(rows.length, groups), [rows, groups]);
  const rowAt = (n: number): SessionRow | undefined => ready?.prepared.rows[rows[n] ?? -1];
  const at = useMemo(() => rows.findIndex((n) => ready?.prepared.rows[n]?.session === marked), [ready, rows, marked]);
  const choices = useMemo(() => ready && choicesOf(ready.prepared), [ready]);
  const counts = useMemo(() => ready && stateCounts(ready.prepared, marks), [ready, marks]);
  // Heights are those of the text: another size is another shape of the same list.
  const [zoom] = useKept("device", "zoom", NORMAL, isZoom);
  const unit = useMemo(rem, [zoom]);
  const shape = useMemo(() => ({ items, unit }), [items, unit]);
  const place = useKeptPlace(list);

  useEffect(() => {
    if (open) setMarked(open);
  }, [open]);
  useEffect(() => {
    if (search) field.current?.focus();
  }, [search]);
  // A session that was opened from elsewhere is brought into sight, once the list has it.
  const toReveal = useRef(open);
  useEffect(() => {
    toReveal.current = open;
  }, [open]);
  useEffect(() => {
    if (!toReveal.current || toReveal.current !== marked || at < 0) return;
    toReveal.current = null;
    list.current?.reveal(itemOf[at]!);
  }, [marked, at, itemOf]);
  const mark = useCallback(
    (to: number) => {
      const n = Math.max(0, Math.min(to, rows.length - 1));
      const row = ready?.prepared.rows[rows[n] ?? -1];
      if (!row) return;
      setMarked(row.session);
      // The heading above the first row of a group belongs to it.
      list.current?.reveal(itemOf[n]!, n === 0 ? 2 * HEADING * rem() : 0);
    },
    [ready, rows, itemOf],
  );
  const close = () => {
    go("sessions");
    list.current?.focus();
  };
  /** The selected session, or the open one if a filter hides it. */
  const chosen = () => rowAt(at) ?? all.find((row) => row.session === open);
  const toResume = useRef<string | null>(null);
  useEffect(() => {
    toResume.current = resumes ? open : null;
  }, [open, resumes, visit]);
  useEffect(() => {
    const row = toResume.current && all.find((one) => one.session === toResume.current);
    if (!row) return;
    toResume.current = null;
    settle("sessions", row.session);
    setResuming(row);
  }, [all, open, resumes, visit]);
  useKeys({
    "/": () => field.current?.focus(),
    r: () => {
      const row = chosen();
      if (row) setResuming(row);
    },
    p: () => {
      const row = chosen();
      if (row) turn(row.session);
    },
    Escape: () => {
      if (open) close();
    },
  });

  const onKey = (event: KeyboardEvent) => {
    const page = 10;
    const moves: Record<string, number> = {
      ArrowDown: at + 1,
      ArrowUp: at - 1,
      PageDown: at + page,
      PageUp: at - page,
      Home: 0,
      End: rows.length - 1,
      j: at + 1,
      k: at - 1,
    };
    const to = moves[letterOf(event)];
    const row = rowAt(at);
    if (to !== undefined && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      mark(to);
    } else if (event.key === "Enter" && row) {
      event.preventDefault();
      go("sessions", row.session);
    }
  };

  /** By the mouse at its place; by the keyboard below the selected row. */
  const openMenu = (event: MouseEvent) => {
    const hit = (event.target as Element).closest("[role=option]");
    const line = hit ?? document.getElementById(`session-${marked}`);
    const row = all.find((one) => line?.id === `session-${one.session}`);
    if (!line || !row || event.shiftKey) return;
    event.preventDefault();
    setMarked(row.session);
    const box = line.getBoundingClientRect();
    setMenu(hit ? { row, x: event.clientX, y: event.clientY } : { row, x: box.left + unit, y: box.bottom });
  };
  const itemsOf = (row: SessionRow): MenuItem[] => [
    { icon: "sessions", name: say.show, act: () => go("sessions", row.session) },
    { icon: "play", name: say.resume, act: () => setResuming(row) },
    ...(row.state === "split"
      ? [{ icon: "splits" as const, name: words.splits.compare, act: () => go("splits", row.session) }]
      : []),
    { icon: "pin", name: pinned.has(row.session) ? say.unpin : say.pin, act: () => turn(row.session) },
    { icon: "pencil", name: say.rename, act: () => setRenaming(row) },
    { icon: "more", name: say.more, act: () => setMore(row) },
  ];

  const draw = (item: number) => {
    const n = items[item]!;
    if (n < 0) return <Heading group={groups[-1 - n]!} />;
    const row = rowAt(n)!;
    return (
      <Row
        row={row}
        n={n}
        of={rows.length}
        isMarked={n === at}
        isOpen={row.session === open}
        live={status?.live.find((one) => one.session === row.session)}
        isPinned={pinned.has(row.session)}
        pin={turn}
        toolName={toolName(row.tool)}
      />
    );
  };
  // Without any session there is nothing to search, and nothing beside it.
  const isBare = all.length === 0 && asked.phase !== "loading";
  const set = (change: Partial<Filter>) => setFilter({ ...filter, ...change });
  const fits = useMemo(() => {
    if (!ready || wanted.state === "") return undefined;
    const ids = new Set(
      matching(ready.prepared, ready.places, { ...wanted, text: "" }, marks).map(
        (n) => ready.prepared.rows[n]!.session,
      ),
    );
    return (session: string) => ids.has(session);
  }, [ready, wanted, marks]);

  return (
    <div class={open ? "sessions open" : isBare ? "sessions bare" : "sessions"}>
      <h1 class="visually-hidden">{words.views.sessions}</h1>
      <section class="list-side" aria-label={say.list}>
        <search class="filters">
          <label class="search-field">
            <Icon name="search" size={14} />
            <input
              ref={field}
              type="search"
              aria-label={say.search}
              placeholder={say.searchHint}
              value={filter.text}
              onInput={(event) => set({ text: event.currentTarget.value })}
              onKeyDown={(event) => {
                if (event.key === "ArrowDown" || event.key === "Enter") {
                  event.preventDefault();
                  mark(Math.max(at, 0));
                  list.current?.focus();
                }
                if (event.key === "Escape") {
                  set({ text: "" });
                  list.current?.focus();
                }
              }}
            />
            <kbd aria-hidden="true">/</kbd>
          </label>
          <div class="selects">
            <Select
              name={say.tool}
              all={say.allTools}
              value={filter.tool}
              values={choices?.tool ?? []}
              label={toolName}
              onChange={(tool) => set({ tool })}
            />
            <Select
              name={say.project}
              all={say.allProjects}
              value={filter.project}
              values={choices?.project ?? []}
              label={projectName}
              onChange={(project) => set({ project })}
            />
            <Select
              name={say.device}
              all={say.allDevices}
              value={filter.device}
              values={choices?.device ?? []}
              label={(device) => device}
              onChange={(device) => set({ device })}
            />
          </div>
          {counts && <States counts={counts} chosen={filter.state} choose={(state) => set({ state })} />}
          <div class="shown">
            <p role="status">{asked.answer ? say.shown(rows.length, all.length) : " "}</p>
            {!isEverything(filter) && (
              <button type="button" class="link" onClick={() => setFilter(EVERYTHING)}>
                {say.clear}
              </button>
            )}
            <span class="spring" />
            <select
              class="select order"
              aria-label={say.order}
              value={order}
              onChange={(event) => setOrder(event.currentTarget.value as Order)}
            >
              {ORDERS.map((one) => (
                <option key={one} value={one}>
                  {say.orders[one]}
                </option>
              ))}
            </select>
          </div>
        </search>
        <FoundInMessages filter={filter} fits={fits} />
        {asked.phase === "failed" && !asked.answer && <Failed refusal={asked.refusal} again={asked.again} />}
        {((asked.phase === "loading" && all.length === 0) || (all.length > 0 && !ready)) && (
          <Skeleton rows={9} label={say.loading} />
        )}
        {asked.answer && all.length === 0 && (
          <Empty icon="sessions" title={say.none} why={say.noneWhy}>
            <ImportButtons plain />
          </Empty>
        )}
        {ready && all.length > 0 && rows.length === 0 && (
          <Empty icon="search" title={say.noneFound} why={say.noneFoundWhy} />
        )}
        {rows.length > 0 && (
          <Virtual
            class="session-list"
            n={items.length}
            list={`${ready?.order} ${JSON.stringify(wanted)}`}
            shape={shape}
            estimate={(item) => (items[item]! < 0 ? HEADING : ROW) * unit}
            fixed
            api={list}
            start={place.start}
            onTop={place.changed}
            attributes={{
              role: "listbox",
              "aria-label": say.list,
              "aria-activedescendant": at >= 0 ? `session-${marked}` : undefined,
              onKeyDown: onKey,
              onContextMenu: openMenu,
              onFocus: () => at < 0 && setMarked(rowAt(0)?.session ?? ""),
            }}
            row={draw}
          />
        )}
        {menu && <Menu label={say.menu} items={itemsOf(menu.row)} x={menu.x} y={menu.y} close={() => setMenu(null)} />}
      </section>
      <section class="read-side" aria-label={words.transcript.label}>
        {open ? (
          <Reading
            key={open}
            session={open}
            message={message}
            visit={visit}
            close={close}
            resume={setResuming}
            isPinned={pinned.has(open)}
            pin={() => turn(open)}
          />
        ) : (
          all.length > 0 && <Empty icon="sessions" title={say.choose} why={say.chooseWhy} />
        )}
      </section>
      {resuming && <ResumeQuestion row={resuming} close={() => setResuming(null)} />}
      {renaming && <RenameQuestion shown={renaming} close={() => setRenaming(null)} renamed={asked.again} />}
      {more && <More row={more} changed={asked.again} close={() => setMore(null)} forgotten={asked.again} />}
    </div>
  );
}

/** The size of 1rem, which is the user's choice. */
const rem = () => Number.parseFloat(getComputedStyle(document.documentElement).fontSize) || 16;

/** Where the list was left: it is there again when the view comes back. */
function useKeptPlace(list: { current: Scroller | null }) {
  const [start] = useState(() => kept("page", "sessions.top", 0, isNumber));
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const top = useRef(start);
  useEffect(
    () => () => {
      clearTimeout(timer.current);
      keep("page", "sessions.top", top.current);
    },
    [list],
  );
  const changed = useCallback((next: number) => {
    top.current = next;
    clearTimeout(timer.current);
    timer.current = setTimeout(() => keep("page", "sessions.top", next), SETTLED_MS);
  }, []);
  return { start, changed };
}

function choicesOf({ tools, projects, devices }: Prepared) {
  return { tool: values(tools), project: values(projects), device: values(devices) };
}

/** The states that some sessions are in; one of them can be chosen. */
function States(props: {
  counts: Record<StateFilter, number>;
  chosen: StateFilter | "";
  choose: (state: StateFilter | "") => void;
}) {
  const shown = STATES.filter((state) => props.counts[state] > 0 || state === props.chosen);
  if (shown.length === 0) return null;
  return (
    <div class="chips" role="group" aria-label={words.sessions.state}>
      {shown.map((state) => (
        <button
          key={state}
          type="button"
          class="chip"
          aria-pressed={state === props.chosen}
          onClick={() => props.choose(state === props.chosen ? "" : state)}
        >
          {words.sessions.states[state]} <span class="chip-n">{props.counts[state].toLocaleString("en")}</span>
        </button>
      ))}
    </div>
  );
}

function Heading({ group }: { group: Group }) {
  return (
    <p class="group-heading" role="presentation">
      {group.title}
    </p>
  );
}

const NO_ROWS: number[] = [];
const NO_GROUPS: Group[] = [];
const NONE: SessionRow[] = [];

function Select(props: {
  name: string;
  all: string;
  value: string;
  values: string[];
  label: (value: string) => string;
  onChange: (value: string) => void;
}) {
  return (
    <select
      class={props.value ? "select set" : "select"}
      aria-label={props.name}
      value={props.value}
      onChange={(event) => props.onChange(event.currentTarget.value)}
    >
      <option value="">{props.all}</option>
      {props.values.map((value) => (
        <option key={value} value={value}>
          {props.label(value)}
        </option>
      ))}
    </select>
  );
}

const Row = still(DrawnRow);

interface RowProps {
  row: SessionRow;
  n: number;
  of: number;
  isMarked: boolean;
  isOpen: boolean;
  live: LiveSession | undefined;
  isPinned: boolean;
  pin: (session: string) => void;
  toolName: string;
}

function DrawnRow({ row, n, of, isMarked, isOpen, live, isPinned, pin, toolName }: RowProps) {
  const icon = STATE_ICONS[row.state];
  return (
    <div
      id={`session-${row.session}`}
      role="option"
      aria-selected={isMarked}
      aria-posinset={n + 1}
      aria-setsize={of}
      class={`session-row${isMarked ? " marked" : ""}${isOpen ? " opened" : ""}${isPinned ? " pinned" : ""}`}
      onClick={() => go("sessions", row.session)}
      title={[row.title, `${projectName(row.project)} · ${row.devices.join(", ")}`, row.why].filter(Boolean).join("\n")}
    >
      <ToolSign name={toolName} />
      <span class="session-line">
        <span class="session-title" dir="auto">
          {row.title || words.sessions.untitled}
        </span>
        <span
          class="pin"
          aria-hidden="true"
          title={isPinned ? words.sessions.unpin : words.sessions.pin}
          onClick={(event) => {
            event.stopPropagation();
            pin(row.session);
          }}
        >
          <Icon name="pin" size={12} />
        </span>
      </span>
      <span class="session-line">
        <span class="session-about">
          <Time at={row.updated} /> · <span dir="auto">{projectName(row.project)}</span> ·{" "}
          <span dir="auto">{row.devices.join(", ")}</span>
        </span>
        {live ? (
          <span class="session-state">
            <Icon name="live" size={12} /> {words.session.live(live.device)}
          </span>
        ) : icon ? (
          <span class={`session-state state-${row.state}`}>
            <Icon name={icon} size={12} /> {words.session.states[row.state]}
          </span>
        ) : (
          <span class="session-state number">{size(row.bytes)}</span>
        )}
      </span>
    </div>
  );
}

/** How often the head of an open session is read again: of a long one it takes longer. */
const HEAD_REST = 1_000;
const LONG_HEAD_REST = 6_000;
const LONG_SESSION = 20_000_000;

/** What is said of a session beside its messages, as it is now. */
function useHead(first: Shown | undefined): Shown | undefined {
  const { revision } = useShared();
  const rested = useRested(revision, (first?.bytes ?? 0) > LONG_SESSION ? LONG_HEAD_REST : HEAD_REST);
  // The first answer has it already.
  const opened = useRef(rested);
  const request = { cmd: "show", session: first?.session ?? "", from: 0, rows: 0 } as const;
  const next = useAnswer(first && rested !== opened.current ? request : null, rested).answer;
  const known = useRef({ first, next, newest: first });
  if (known.current.first !== first) known.current = { first, next, newest: first };
  if (known.current.next !== next) known.current = { first, next, newest: next };
  return known.current.newest;
}

function Reading({
  session,
  message,
  visit,
  close,
  resume,
  isPinned,
  pin,
}: {
  session: string;
  message: number | null;
  visit: number;
  close: () => void;
  resume: (row: SessionRow) => void;
  isPinned: boolean;
  pin: () => void;
}) {
  const { backend, tools, tell } = useShared();
  const asked = useAnswer({ cmd: "show", session, from: 0, rows: MESSAGES });
  const first = asked.answer;
  const shown = useHead(first);
  const { busy, refusal, act, clear } = useDoing();
  const [more, setMore] = useState(false);
  const [isRenaming, setRenaming] = useState(false);
  useKeys({ F2: () => shown && setRenaming(true) });
  const restore = async () => {
    const done = await act(() => backend.roam({ cmd: "restore", session }));
    if (!done) return;
    tell(done.message);
    asked.again();
  };
  return (
    <>
      <header class="reading-head">
        <IconButton icon="back" name={words.sessions.back} onClick={close} />
        <div class="reading-title">
          <h2 dir="auto">{shown ? shown.title || words.session.untitled : words.transcript.loading}</h2>
          <p class="dim" dir="auto">
            {shown ? (
              <>
                {tools.get(shown.tool)?.name ?? shown.tool} · {projectName(shown.project)} ·{" "}
                {words.transcript.messages(shown.total)} · {size(shown.bytes)}
              </>
            ) : (
              " "
            )}
          </p>
        </div>
        {shown?.state === "split" && (
          <a class="button" href={link("splits", session)}>
            <Icon name="splits" size={14} />
            {words.splits.compare}
          </a>
        )}
        {shown?.state === "elsewhere" && (
          <Button icon="undo" busy={busy} onClick={() => void restore()}>
            {words.sessions.restore}
          </Button>
        )}
        {shown && (
          <IconButton
            icon="pin"
            class={isPinned ? "pinned" : ""}
            name={isPinned ? words.sessions.unpin : words.sessions.pin}
            onClick={pin}
          />
        )}
        {shown && <IconButton icon="pencil" name={words.sessions.rename} onClick={() => setRenaming(true)} />}
        {shown && <IconButton icon="more" name={words.more.open} onClick={() => setMore(true)} />}
        {shown && (
          <Button kind="main" icon="play" onClick={() => resume(shown)}>
            {words.resume.resume}
          </Button>
        )}
      </header>
      {shown?.why && (
        <p class="notice" dir="auto">
          <Icon name={(shown.state !== "here" && STATE_ICONS[shown.state]) || "info"} size={14} />{" "}
          {shown.state !== "here" && `${words.session.states[shown.state]}: `}
          {shown.why}
        </p>
      )}
      {shown?.parts && (
        <p class="notice" dir="auto">
          {words.sessions.agents}{" "}
          {shown.parts.map((part) => (
            <a key={part.session} href={link("sessions", part.session)}>
              {part.title || words.session.untitled}{" "}
            </a>
          ))}
        </p>
      )}
      <Refused refusal={refusal} clear={clear} />
      {asked.phase === "loading" && <Skeleton rows={7} label={words.transcript.loading} tall />}
      {asked.phase === "failed" && <Failed refusal={asked.refusal} again={asked.again} />}
      {first && shown && <Transcript first={first} shown={shown} message={message} visit={visit} />}
      {shown && isRenaming && <RenameQuestion shown={shown} close={() => setRenaming(false)} renamed={asked.again} />}
      {shown && more && <More row={shown} changed={asked.again} close={() => setMore(false)} forgotten={close} />}
    </>
  );
}
