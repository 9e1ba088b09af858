// The current state, in order of importance: the summary, decisions, waiting sessions, live
// sessions, recent arrivals.
import { useState } from "preact/hooks";
import type { Devices, HistoryRow, SessionRow, Status } from "../backend/types";
import { clock, projectName, size } from "../lib/format";
import { headline } from "../lib/headline";
import { Button, Failed, Refused, Section, Skeleton, Time, ToolSign } from "../parts/common";
import { Icon } from "../parts/icon";
import { Remedies } from "../parts/remedies";
import { ResumeQuestion } from "../parts/resume-question";
import { go, link } from "../route";
import { useAnswer, useDoing, useShared } from "../state";
import { words } from "../words";

const MOST = 5;
const DAY = 24 * 3600 * 1000;

export function Overview({ devices }: { devices: Devices | null }) {
  const { backend, status, lost, reload } = useShared();
  const { busy, refusal, act, clear } = useDoing();
  const say = words.overview;
  const now = headline(status, devices, lost !== null);
  const isPaused = status?.engine === "paused";
  return (
    <div class="page">
      <header class="headline">
        <div role="status">
          <h1 class={`tone-${now.tone}`}>{now.what}</h1>
          <p class="dim">{now.why || " "}</p>
        </div>
        <div class="row-of-buttons">
          {isPaused ? (
            <Button
              kind="main"
              icon="play"
              busy={busy}
              onClick={() => void act(() => backend.roam({ cmd: "continue" }))}
            >
              {say.continue}
            </Button>
          ) : (
            <Button icon="devices" onClick={() => go("devices")}>
              {say.pair}
            </Button>
          )}
        </div>
      </header>
      <Refused refusal={refusal} clear={clear} />
      {status?.engine === "importing" && <ImportBar status={status} />}
      {lost && <Failed refusal={lost} again={reload} title={words.failed.engine} />}
      {status && <Blocks status={status} devices={devices} />}
      {!status && !lost && <Skeleton rows={8} label={words.headline.loading} />}
    </div>
  );
}

function ImportBar({ status }: { status: Status }) {
  const { import_done: done, import_total: total } = status.moving;
  return (
    <progress class="bar" max={Math.max(total, 1)} value={done} aria-label={words.headline.importing(done, total)} />
  );
}

function Blocks({ status, devices }: { status: Status; devices: Devices | null }) {
  const say = words.overview;
  const about = useAnswer({ cmd: "about" });
  const noTray = about.answer?.no_tray ?? null;
  return (
    <>
      <NeedsYou status={status} devices={devices} />
      {(status.problems.length > 0 || noTray) && (
        <Section title={say.problems}>
          <ul class="lines">
            {noTray && (
              <li class="line">
                <Icon name="info" />
                <p class="line-text" dir="auto">
                  {noTray}
                </p>
              </li>
            )}
            {status.problems.map((problem, at) => (
              <li key={at} class="line">
                <Icon name="info" />
                <p class="line-text" dir="auto">
                  {problem.message}{" "}
                  {problem.code === "app_asks" ? (
                    <a href={link("tools")}>{words.apps.decide}</a>
                  ) : (
                    <span class="dim">{problem.hint}</span>
                  )}
                </p>
                <Remedies remedies={problem.actions} about={problem.message} />
              </li>
            ))}
          </ul>
        </Section>
      )}
      <Waiting status={status} />
      <Section title={say.live}>
        {status.live.length === 0 && <p class="none">{say.nothingLive}</p>}
        <ul class="lines">
          {status.live.map((one) => (
            <li key={one.session + one.device} class="line">
              <Icon name="live" />
              <p class="line-text" dir="auto">
                <span class="strong">{one.here ? say.here : one.device}</span> · <ToolName tool={one.tool} /> ·{" "}
                {projectName(one.project)} ·{" "}
                <a href={link("sessions", one.session)}>{one.title || words.session.untitled}</a>
              </p>
              <Time at={one.seen} />
            </li>
          ))}
        </ul>
      </Section>
      <Recent />
    </>
  );
}

function ToolName({ tool }: { tool: string }) {
  return <>{useShared().tools.get(tool)?.name ?? tool}</>;
}

function NeedsYou({ status, devices }: { status: Status; devices: Devices | null }) {
  const { revision } = useShared();
  const splits = useAnswer({ cmd: "splits" }, revision * 10_000 + status.splits);
  const say = words.overview;
  const rows = status.splits > 0 ? (splits.answer ?? []) : [];
  const proved = devices?.asking.filter((one) => one.has_code) ?? [];
  // Anybody on the network may ask: such requests share one line, however many there are, and need
  // no decision.
  const strangers = (devices?.asking.length ?? 0) - proved.length + (devices?.more_asking ?? 0);
  const n = status.splits + status.held.length + proved.length;
  return (
    <Section title={say.needsYou} count={n}>
      {n + strangers === 0 && <p class="none">{say.nothingNeeds}</p>}
      <ul class="lines">
        {proved.map((one) => (
          <li key={one.id} class="line">
            <Icon name="devices" />
            <p class="line-text" dir="auto">
              {say.hasCode(one.name)}
            </p>
            <Button onClick={() => go("devices")}>{say.see}</Button>
          </li>
        ))}
        {strangers > 0 && (
          <li class="line">
            <Icon name="devices" />
            <p class="line-text">{say.strangers(strangers)}</p>
            <Button onClick={() => go("devices")}>{say.see}</Button>
          </li>
        )}
        {status.held.map((one) => (
          <li key={one.what} class="line">
            <Icon name="held" />
            <p class="line-text" dir="auto">
              <span class="strong">{one.message}</span> <span class="dim">{one.hint}</span>
            </p>
            <Remedies remedies={one.actions} about={one.message} />
          </li>
        ))}
        {rows.slice(0, MOST).map((split) => (
          <li key={split.session} class="line">
            <Icon name="splits" />
            <p class="line-text" dir="auto">
              {say.wentTwoWays(
                split.title || words.session.untitled,
                split.branches.map((branch) => branch.device),
              )}
            </p>
            <Button onClick={() => go("splits", split.session)} name={`${say.look}: ${split.title}`}>
              {say.look}
            </Button>
          </li>
        ))}
        {rows.length > MOST && (
          <li class="line">
            <a href={link("splits")}>{say.more(rows.length - MOST)}</a>
          </li>
        )}
      </ul>
    </Section>
  );
}

function Waiting({ status }: { status: Status }) {
  const [all, setAll] = useState(false);
  const say = words.overview;
  const rows = all ? status.waiting : status.waiting.slice(0, MOST);
  return (
    <Section title={say.waiting} count={status.waiting.length}>
      {status.waiting.length === 0 && <p class="none">{say.nothingWaits}</p>}
      <ul class="lines">
        {rows.map((one) => (
          <li key={one.session + one.tool} class="line">
            <Icon name="clock" />
            <p class="line-text" dir="auto">
              <span class="strong">{one.why}</span> {one.title || words.session.untitled} · {projectName(one.project)}
              <span class="dim block">{one.hint}</span>
            </p>
            {one.actions.length > 0 ? (
              <Remedies remedies={one.actions} about={one.title || one.why} />
            ) : (
              <Button onClick={() => go("sessions", one.session)} name={`${say.show}: ${one.title}`}>
                {say.show}
              </Button>
            )}
          </li>
        ))}
      </ul>
      {!all && status.waiting.length > MOST && (
        <Button kind="quiet" onClick={() => setAll(true)}>
          {say.more(status.waiting.length - MOST)}
        </Button>
      )}
    </Section>
  );
}

/** Arrivals from other devices in the last day, and everything that happened. */
function Recent() {
  const { revision, status, tools } = useShared();
  const [resuming, setResuming] = useState<Pick<SessionRow, "session" | "title"> | null>(null);
  const history = useAnswer({ cmd: "history", session: null }, revision);
  const say = words.overview;
  if (history.phase === "failed" && !history.answer) return <Failed refusal={history.refusal} again={history.again} />;
  if (!history.answer) return <Skeleton rows={4} />;
  const rows = history.answer;
  const arrived = rows.filter((row) => row.what === "arrived" && Date.now() - Date.parse(row.at) < DAY);
  const from = [...new Set(arrived.map((row) => row.device))];
  return (
    <>
      <Section title={say.arrived}>
        {from.length === 0 && <p class="none">{say.nothingArrived}</p>}
        <ul class="lines">
          {from.map((device) => {
            const theirs = arrived.filter((row) => row.device === device);
            const mine = new Set(theirs.map((row) => row.session));
            const last = theirs[0];
            return (
              <li key={device} class="line">
                <Icon name="forth" />
                <p class="line-text" dir="auto">
                  <span class="strong">{say.fromHere(device, mine.size)}</span>
                  {last && (
                    <>
                      {" "}
                      · <a href={link("sessions", last.session)}>{last.title || words.session.untitled}</a>
                    </>
                  )}
                </p>
                {last && (
                  <Button icon="play" name={words.resume.title(last.title)} onClick={() => setResuming(last)}>
                    {words.resume.resume}
                  </Button>
                )}
              </li>
            );
          })}
        </ul>
      </Section>
      <Section title={say.activity}>
        {rows.length === 0 && <p class="none">{say.nothingHappened}</p>}
        <ol class="activity">
          {rows.slice(0, 12).map((row, at) => (
            <Happening key={at} row={row} tool={tools.get(row.tool)?.name ?? row.tool} own={status?.device ?? ""} />
          ))}
        </ol>
      </Section>
      {resuming && <ResumeQuestion row={resuming} close={() => setResuming(null)} />}
    </>
  );
}

function Happening({ row, tool, own }: { row: HistoryRow; tool: string; own: string }) {
  const what = words.overview.happenings[row.what];
  return (
    <li>
      <time class="mono" dateTime={row.at}>
        {clock(row.at)}
      </time>
      <ToolSign name={tool} />
      <span class="activity-title" dir="auto">
        {row.title || words.session.untitled}
      </span>
      <span class="dim">
        {what}
        {row.device !== own ? ` · ${row.device}` : ""}
      </span>
      <span class="dim number">{size(row.bytes)}</span>
    </li>
  );
}
