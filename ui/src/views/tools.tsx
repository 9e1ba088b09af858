// Which tools sync, the level of each, and why a step waits.
import type { Level, ToolRow } from "../backend/types";
import { countWaits } from "../lib/actions";
import { size } from "../lib/format";
import { Apps } from "../parts/apps";
import { Empty, Failed, Refused, Section, Skeleton, Switch, ToolSign } from "../parts/common";
import { Icon } from "../parts/icon";
import { ImportButtons } from "../parts/importing";
import { Line } from "../parts/rich";
import { link } from "../route";
import { useAnswer, useDoing, useRested, useShared } from "../state";
import { words } from "../words";

/** An editor has a directory for each folder that was ever opened in it. */
const SHOWN_ROOTS = 4;
const LEVELS: Level[] = ["see", "carry", "resume", "merge"];
/** To answer, the engine lists every store. */
const REST = 30_000;

export function ToolsView() {
  const { revision, reloads } = useShared();
  const asked = useAnswer({ cmd: "tools" }, reloads * 1e9 + useRested(revision, REST));
  const say = words.tools;
  const here = asked.answer?.filter(isHere) ?? [];
  const others = asked.answer?.filter((row) => !isHere(row)) ?? [];
  const cards = (rows: ToolRow[]) => (
    <ul class="cards">
      {rows.map((row) => (
        <Tool key={row.tool} row={row} changed={asked.again} />
      ))}
    </ul>
  );
  return (
    <div class="page">
      <h1>{words.views.tools}</h1>
      <p class="intro">{say.intro}</p>
      <Apps />
      {asked.phase === "failed" && <Failed refusal={asked.refusal} again={asked.again} />}
      {asked.phase === "loading" && <Skeleton rows={4} label={say.loading} tall />}
      {asked.answer?.length === 0 && <Empty icon="tools" title={say.none} why={say.noneWhy} />}
      {here.length > 0 && cards(here)}
      {others.length > 0 && (
        <details class="fold other-tools" open={here.length === 0}>
          <summary>
            <Icon name="right" size={12} />
            {say.others(others.length)}
          </summary>
          {cards(others)}
        </details>
      )}
      <Section title={words.importing.head}>
        <p class="dim">{words.importing.intro}</p>
        <ImportButtons plain />
      </Section>
    </div>
  );
}

/** Whether the tool is on this device. What is imported can be imported anywhere. */
function isHere(row: ToolRow): boolean {
  return row.imported || row.found;
}

function Tool({ row, changed }: { row: ToolRow; changed: () => void }) {
  const { backend, status } = useShared();
  const { busy, refusal, act, clear } = useDoing();
  const say = words.tools;
  const waiting = status?.waiting.filter((one) => one.tool === row.tool) ?? [];
  const nWaiting = status ? countWaits(status, (one) => one.tool === row.tool) : 0;
  const turn = async (on: boolean) => {
    await act(() => backend.roam({ cmd: "tool_switch", tool: row.tool, on }));
    changed();
  };
  return (
    <li class="card tool">
      <ToolSign name={row.name} />
      <div class="card-body">
        <h2 dir="auto">{row.name}</h2>
        <p class="dim">
          {row.found && !(row.imported && row.sessions === 0)
            ? `${say.sessions(row.sessions)} · ${size(row.bytes)}`
            : row.imported
              ? say.nothingImported
              : `${say.notFound}. ${say.notFoundWhy}`}
        </p>
        <Ladder level={row.level} meaning={row.meaning} />
        {row.reason && (
          <p class="reason">
            <Icon name="info" size={14} />{" "}
            <span>
              <Line text={row.reason} />
            </span>
          </p>
        )}
        {row.versions && (
          <p class="dim">
            {say.versions} {row.versions}.
          </p>
        )}
        {row.imported && <ImportButtons plain of={row.name} />}
        {nWaiting > 0 && (
          <details class="fold">
            <summary>
              <Icon name="right" size={12} />
              <Icon name="clock" size={14} />
              {say.waiting(nWaiting)}
            </summary>
            <ul class="plain-list">
              {waiting.slice(0, 50).map((one) => (
                <li key={one.session}>
                  <a href={link("sessions", one.session)}>{one.title || words.session.untitled}</a>: {one.why}{" "}
                  <span class="dim">{one.hint}</span>
                </li>
              ))}
            </ul>
          </details>
        )}
        {row.stores.length > 1 && <Stores row={row} changed={changed} />}
        {row.found && !row.imported && row.stores.length < 2 && row.roots.length > 0 && (
          <p class="dim">
            {say.where}{" "}
            {row.roots.slice(0, SHOWN_ROOTS).map((root) => (
              <code key={root} class="block" dir="ltr">
                {root}
              </code>
            ))}
            {SHOWN_ROOTS < row.roots.length && say.moreRoots(row.roots.length - SHOWN_ROOTS)}
          </p>
        )}
        <Refused refusal={refusal} clear={clear} />
      </div>
      <Switch
        on={row.on}
        busy={busy}
        name={say.switchName(row.name)}
        words={[say.on, say.off]}
        onChange={(on) => void turn(on)}
      />
    </li>
  );
}

/** The stores of a tool that has several, each with its switch. */
function Stores({ row, changed }: { row: ToolRow; changed: () => void }) {
  const { backend } = useShared();
  const { busy, refusal, act, clear } = useDoing();
  const say = words.tools;
  const turn = async (dir: string, on: boolean) => {
    await act(() => backend.roam({ cmd: "store_switch", tool: row.tool, dir, on }));
    changed();
  };
  return (
    <section class="stores" aria-label={say.stores(row.stores.length)}>
      <ul class="plain-list">
        {row.stores.map((store) => (
          <li key={store.dir} class="store">
            <p class="dim">
              <code class="block" dir="ltr">
                {store.dir}
              </code>
              {store.found ? `${say.sessions(store.sessions)} · ${size(store.bytes)}` : say.storeGone}
              {store.from && ` · ${say.storeFrom(store.from)}`}
            </p>
            <Switch
              on={store.on}
              busy={busy}
              name={say.storeName(store.dir)}
              words={[say.on, say.off]}
              onChange={(on) => void turn(store.dir, on)}
            />
          </li>
        ))}
      </ul>
      <Refused refusal={refusal} clear={clear} />
    </section>
  );
}

/** The four levels as a ladder with the reached ones filled; the text states the same. */
function Ladder({ level, meaning }: { level: Level; meaning: string }) {
  const reached = LEVELS.indexOf(level);
  return (
    <p class="ladder" role="img" aria-label={`${words.tools.level}: ${words.tools.levels[level]}. ${meaning}`}>
      <span class="rungs">
        {LEVELS.map((step, at) => (
          <span key={step} class={at <= reached ? "rung reached" : "rung"} aria-hidden="true">
            {words.tools.levels[step]}
          </span>
        ))}
      </span>
      <span class="ladder-why" aria-hidden="true">
        {meaning}
      </span>
    </p>
  );
}
