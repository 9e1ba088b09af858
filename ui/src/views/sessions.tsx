// All sessions: searched and filtered as the user types, 50,000 rows without a pause, the
// transcript beside the list.

import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { SessionRow } from "../backend/types";
import { useDeferred } from "../lib/deferred";
import { projectName, size } from "../lib/format";
import { MESSAGES } from "../lib/paged";
import { EVERYTHING, type Filter, haystack, matching, values } from "../lib/search";
import { still } from "../lib/still";
import { Button, Empty, Failed, IconButton, Refused, Skeleton, Time, ToolSign } from "../parts/common";
import { FoundInMessages } from "../parts/found";
import { Icon, type IconName } from "../parts/icon";
import { ImportButtons } from "../parts/importing";
import { More } from "../parts/more";
import { ResumeQuestion } from "../parts/resume-question";
import { Transcript } from "../parts/transcript";
import { type Scroller, Virtual } from "../parts/virtual";
import { go, link } from "../route";
import { useAnswer, useDoing, useKeys, useRested, useShared } from "../state";
import { words } from "../words";

/** The whole list may be megabytes (17 MB for 50,000): the latest sessions are shown first, and the
 * whole list is refreshed at most this often, a long one less often. */
const FIRST = 200;
const REST = 5_000;
const LONG_REST = 30_000;
const LONG = 5_000;
/** The height of a row in base.css. */
const ROW = 52;

const STATE_ICONS: Record<SessionRow["state"], IconName | null> = {
  here: null,
  waiting: "clock",
  elsewhere: "laptop",
  split: "splits",
  held: "held",
};

export function SessionsView({
  open,
  message,
  search,
}: {
  open: string | null;
  message: number | null;
  search: boolean;
}) {
  const { revision, tools } = useShared();
  const latest = useAnswer({ cmd: "sessions", filter: { limit: FIRST } });
  const [isLong, setLong] = useState(false);
  const asked = useAnswer({ cmd: "sessions", filter: {} }, useRested(revision, isLong ? LONG_REST : REST));
  useEffect(() => setLong((asked.answer?.length ?? 0) > LONG), [asked.answer]);
  const [filter, setFilter] = useState<Filter>(EVERYTHING);
  const [marked, setMarked] = useState<string | null>(open);
  const [resuming, setResuming] = useState<SessionRow | null>(null);
  const field = useRef<HTMLInputElement>(null);
  const list = useRef<Scroller>(null);
  const say = words.sessions;
  const all = asked.answer ?? latest.answer ?? NONE;
  const hay = useMemo(() => all.map((row) => haystack(row, tools.get(row.tool)?.name ?? row.tool)), [all, tools]);
  const wanted = useDeferred(filter);
  const rows = useMemo(() => matching(all, hay, wanted), [all, hay, wanted]);
  const at = useMemo(() => rows.findIndex((row) => row.session === marked), [rows, marked]);
  const choices = useMemo(
    () => ({
      tool: values(all, (row) => [row.tool]),
      project: values(all, (row) => [row.project]),
      device: values(all, (row) => row.devices),
    }),
    [all],
  );

  useEffect(() => {
    if (open) setMarked(open);
  }, [open]);
  useEffect(() => {
    if (search) field.current?.focus();
  }, [search]);
  const mark = useCallback(
    (to: number) => {
      const row = rows[Math.max(0, Math.min(to, rows.length - 1))];
      if (!row) return;
      setMarked(row.session);
      list.current?.reveal(rows.indexOf(row));
    },
    [rows],
  );
  const close = () => {
    go("sessions");
    list.current?.focus();
  };
  useKeys({
    "/": () => field.current?.focus(),
    r: () => {
      const row = rows[at];
      if (row) setResuming(row);
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
    const to = moves[event.key];
    if (to !== undefined && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      mark(to);
    } else if (event.key === "Enter" && rows[at]) {
      event.preventDefault();
      go("sessions", rows[at].session);
    }
  };

  const isFiltered = filter.text !== "" || filter.tool !== "" || filter.project !== "" || filter.device !== "";
  return (
    <div class={open ? "sessions open" : "sessions"}>
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
              onInput={(event) => setFilter({ ...filter, text: event.currentTarget.value })}
              onKeyDown={(event) => {
                if (event.key === "ArrowDown" || event.key === "Enter") {
                  event.preventDefault();
                  mark(Math.max(at, 0));
                  list.current?.focus();
                }
                if (event.key === "Escape") {
                  setFilter({ ...filter, text: "" });
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
              values={choices.tool}
              label={(tool) => tools.get(tool)?.name ?? tool}
              onChange={(tool) => setFilter({ ...filter, tool })}
            />
            <Select
              name={say.project}
              all={say.allProjects}
              value={filter.project}
              values={choices.project}
              label={projectName}
              onChange={(project) => setFilter({ ...filter, project })}
            />
            <Select
              name={say.device}
              all={say.allDevices}
              value={filter.device}
              values={choices.device}
              label={(device) => device}
              onChange={(device) => setFilter({ ...filter, device })}
            />
          </div>
          <p class="shown" role="status">
            {asked.answer ? say.shown(rows.length, all.length) : " "}
            {isFiltered && (
              <button type="button" class="link" onClick={() => setFilter(EVERYTHING)}>
                {say.clear}
              </button>
            )}
          </p>
        </search>
        <FoundInMessages filter={filter} />
        {asked.phase === "failed" && !asked.answer && <Failed refusal={asked.refusal} again={asked.again} />}
        {asked.phase === "loading" && all.length === 0 && <Skeleton rows={9} label={say.loading} />}
        {asked.answer && all.length === 0 && (
          <Empty icon="sessions" title={say.none} why={say.noneWhy}>
            <ImportButtons plain />
          </Empty>
        )}
        {all.length > 0 && rows.length === 0 && <Empty icon="search" title={say.noneFound} why={say.noneFoundWhy} />}
        {rows.length > 0 && (
          <Virtual
            class="session-list"
            n={rows.length}
            list={`${JSON.stringify(wanted)}`}
            estimate={() => ROW}
            fixed
            api={list}
            attributes={{
              role: "listbox",
              "aria-label": say.list,
              "aria-activedescendant": at >= 0 ? `session-${rows[at]!.session}` : undefined,
              onKeyDown: onKey,
              onFocus: () => at < 0 && setMarked(rows[0]!.session),
            }}
            row={(n) => (
              <Row
                row={rows[n]!}
                n={n}
                of={rows.length}
                isMarked={n === at}
                isOpen={rows[n]!.session === open}
                toolName={tools.get(rows[n]!.tool)?.name ?? rows[n]!.tool}
              />
            )}
          />
        )}
      </section>
      <section class="read-side" aria-label={words.transcript.label}>
        {open ? (
          <Reading key={open} session={open} message={message} close={close} resume={setResuming} />
        ) : (
          all.length > 0 && <Empty icon="sessions" title={say.choose} why={say.chooseWhy} />
        )}
      </section>
      {resuming && <ResumeQuestion row={resuming} close={() => setResuming(null)} />}
    </div>
  );
}

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

function DrawnRow({
  row,
  n,
  of,
  isMarked,
  isOpen,
  toolName,
}: {
  row: SessionRow;
  n: number;
  of: number;
  isMarked: boolean;
  isOpen: boolean;
  toolName: string;
}) {
  const { status } = useShared();
  const live = status?.live.find((one) => one.session === row.session);
  const icon = STATE_ICONS[row.state];
  return (
    <div
      id={`session-${row.session}`}
      role="option"
      aria-selected={isMarked}
      aria-posinset={n + 1}
      aria-setsize={of}
      class={`session-row${isMarked ? " marked" : ""}${isOpen ? " opened" : ""}`}
      onClick={() => go("sessions", row.session)}
      title={row.why}
    >
      <ToolSign name={toolName} />
      <span class="session-title" dir="auto">
        {row.title || words.session.untitled}
      </span>
      <span class="session-age">
        <Time at={row.updated} />
      </span>
      <span class="session-about" dir="auto">
        {projectName(row.project)} · {row.devices.join(", ")}
      </span>
      <span class={`session-state state-${row.state}`}>
        {live ? (
          <>
            <Icon name="live" size={12} /> {words.session.live(live.device)}
          </>
        ) : (
          icon && (
            <>
              <Icon name={icon} size={12} /> {words.session.states[row.state]}
            </>
          )
        )}
      </span>
    </div>
  );
}

function Reading({
  session,
  message,
  close,
  resume,
}: {
  session: string;
  message: number | null;
  close: () => void;
  resume: (row: SessionRow) => void;
}) {
  const { backend, tools, tell } = useShared();
  const asked = useAnswer({ cmd: "show", session, from: 0, rows: MESSAGES });
  const { busy, refusal, act, clear } = useDoing();
  const [more, setMore] = useState(false);
  const shown = asked.answer;
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
      <Refused refusal={refusal} clear={clear} />
      {asked.phase === "loading" && <Skeleton rows={7} label={words.transcript.loading} tall />}
      {asked.phase === "failed" && <Failed refusal={asked.refusal} again={asked.again} />}
      {shown && <Transcript shown={shown} message={message} />}
      {shown && more && <More row={shown} changed={asked.again} close={() => setMore(false)} forgotten={close} />}
    </>
  );
}
