// The current state, in order of importance: the one thing in the headline, what needs the user with its buttons, then
// what happens, and what happened.
import { useState } from "preact/hooks";
import type { Devices, HistoryRow, Remedy, SessionRow, Status } from "../backend/types";
import { type Group, isBlocking, isTold, stopOf, waits } from "../lib/actions";
import { projectName, shortened, size } from "../lib/format";
import { happening } from "../lib/happening";
import { attention, headline } from "../lib/headline";
import { HeldActs } from "../parts/acting";
import { CodeQuestion } from "../parts/code-question";
import { Button, Refused, Section, Skeleton, Time, ToolSign } from "../parts/common";
import { Icon } from "../parts/icon";
import { Remedies } from "../parts/remedies";
import { ResumeQuestion } from "../parts/resume-question";
import { Trouble } from "../parts/trouble";
import { ADD, go, link } from "../route";
import { useAnswer, useDoing, useShared } from "../state";
import { words } from "../words";

const MOST = 5;
const DAY = 24 * 3600 * 1000;

export function Overview({ devices }: { devices: Devices | null }) {
  const { backend, status, lost, reload, revision, refused } = useShared();
  const { busy, refusal, act, clear } = useDoing();
  const splits = useAnswer({ cmd: "splits" }, revision * 10_000 + (status?.splits ?? 0));
  const say = words.overview;
  const rows = status && status.splits > 0 ? (splits.answer ?? []) : [];
  const now = headline(status, devices, lost !== null, {
    refused: refused && `${refused.message} ${refused.hint}`,
    splits: rows,
  });
  const todo = status ? remediesNow(status, refused !== null) : [];
  const restart = async () => {
    const done = await act(() => backend.roam({ cmd: "restart" }));
    if (done) reload();
  };
  return (
    <div class="page">
      <header class="headline">
        <div role="status">
          <h1 class={`tone-${now.tone}`} dir="auto">
            {now.what}
          </h1>
          <p class="dim" dir="auto">
            {now.why || " "}
          </p>
        </div>
        <div class="row-of-buttons">
          {status?.engine === "paused" ? (
            <Button
              kind="main"
              icon="play"
              busy={busy}
              onClick={() => void act(() => backend.roam({ cmd: "continue" }))}
            >
              {say.continue}
            </Button>
          ) : todo.length > 0 ? (
            <Remedies remedies={todo} about={now.what} again={() => void restart()} main />
          ) : (
            status && (
              <Button icon="devices" onClick={() => go("devices", ADD)}>
                {say.pair}
              </Button>
            )
          )}
        </div>
      </header>
      <Refused refusal={refusal} clear={clear} />
      {status?.engine === "importing" && <ImportBar status={status} />}
      {lost && <Trouble refusal={lost} again={reload} title={words.failed.engine} />}
      {status && !refused && <Blocks status={status} devices={devices} splits={rows} />}
      {!status && !lost && <Skeleton rows={8} label={words.headline.loading} />}
    </div>
  );
}

/** What to do about the state as a whole: the headline's own buttons. */
function remediesNow(status: Status, isRefused: boolean): Remedy[] {
  if (status.engine === "stopped") {
    const [why] = status.problems;
    // One that hangs does not start: it is restarted.
    if (why?.code === "engine_unreachable") return [{ do: "retry" }, { do: "open_logs" }];
    // What kept it from starting comes first: until that is repaired, it does not start.
    return together(why?.actions, [{ do: "start_engine" }, { do: "open_logs" }]);
  }
  if (isRefused) return [{ do: "retry" }, { do: "open_logs" }];
  if (status.engine !== "running" && status.engine !== "importing") return [];
  const stop = stopOf(status);
  switch (stop.syncthing) {
    case "missing":
      return [{ do: "locate_syncthing" }, { do: "retry" }];
    case "failed":
      return together([{ do: "retry" }], stop.problem?.actions, [{ do: "open_logs" }]);
  }
  return stop.problem?.actions ?? [];
}

/** Each kind once, in this order. */
function together(...lists: (Remedy[] | undefined)[]): Remedy[] {
  const all = lists.flatMap((list) => list ?? []);
  return all.filter((one, at) => all.findIndex((other) => other.do === one.do) === at);
}

function ImportBar({ status }: { status: Status }) {
  const { import_done: done, import_total: total } = status.moving;
  return (
    <progress class="bar" max={Math.max(total, 1)} value={done} aria-label={words.headline.importing(done, total)} />
  );
}

interface BlocksProps {
  status: Status;
  devices: Devices | null;
  splits: Parameters<typeof attention>[2] & object;
}

/** Sections without content are left out: a quiet overview is short. */
function Blocks({ status, devices, splits }: BlocksProps) {
  const say = words.overview;
  const about = useAnswer({ cmd: "about" });
  const noTray = about.answer?.no_tray ?? null;
  // What the headline says already is not said again.
  const problems = status.problems.filter((one) => !isTold(status, one));
  const { passing, nPassing, choice, nChosen } = waits(status);
  return (
    <>
      <NeedsAttention status={status} devices={devices} splits={splits} />
      {status.code_question && <CodeQuestion asked={status.code_question} />}
      {(problems.length > 0 || noTray) && (
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
            {problems.map((problem, at) => (
              <li key={at} class="line acted">
                <Icon name={isBlocking(problem.code) ? "alert" : "info"} />
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
      <Quiet groups={passing} n={nPassing} title={say.passing(nPassing)} />
      <Quiet groups={choice} n={nChosen} title={say.chosen(nChosen)} />
      {status.live.length > 0 && (
        <Section title={say.live}>
          <ul class="lines">
            {status.live.map((one) => (
              <li key={one.session + one.device} class="line">
                <Icon name="live" />
                <p class="line-text" dir="auto">
                  <span class="strong">{one.here ? say.here : one.device}</span> · <ToolName tool={one.tool} /> ·{" "}
                  {projectName(one.project)} ·{" "}
                  <a href={link("sessions", one.session)}>{one.title || words.session.untitled}</a>
                </p>
                {!one.here && <Time at={one.seen} />}
              </li>
            ))}
          </ul>
        </Section>
      )}
      <Recent />
    </>
  );
}

function ToolName({ tool }: { tool: string }) {
  return <>{useShared().tools.get(tool)?.name ?? tool}</>;
}

function NeedsAttention({ status, devices, splits }: BlocksProps) {
  const [all, setAll] = useState(false);
  const say = words.overview;
  const proved = devices?.asking.filter((one) => one.has_code) ?? [];
  // Anybody on the network may ask: such requests share one line, however many there are, and need
  // no decision.
  const strangers = (devices?.asking.length ?? 0) - proved.length + (devices?.more_asking ?? 0);
  const n = attention(status, devices).length;
  const mine = waits(status).user;
  if (n + strangers === 0) return null;
  return (
    <Section title={say.needsYou} count={n}>
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
        {status.held.map((one) => (
          <li key={one.what} class="line acted">
            <Icon name="held" />
            <p class="line-text" dir="auto">
              <span class="strong">{one.message}</span> <span class="dim">{one.hint}</span>
            </p>
            <HeldActs held={one} />
          </li>
        ))}
        {splits.slice(0, MOST).map((split) => (
          <li key={split.session} class="line">
            <Icon name="splits" />
            <p class="line-text" dir="auto">
              {say.twoVersions(
                split.title || words.session.untitled,
                split.branches.map((branch) => shortened(branch.device, 36)),
              )}
            </p>
            <Button kind="main" onClick={() => go("splits", split.session)} name={`${say.look}: ${split.title}`}>
              {say.look}
            </Button>
          </li>
        ))}
        {splits.length > MOST && (
          <li class="line">
            <a href={link("splits")}>{say.more(splits.length - MOST)}</a>
          </li>
        )}
        {(all ? mine : mine.slice(0, MOST)).map((one) => (
          <Wait key={one.key} group={one} />
        ))}
        {!all && mine.length > MOST && (
          <li class="line">
            <Button kind="quiet" onClick={() => setAll(true)}>
              {say.more(mine.length - MOST)}
            </Button>
          </li>
        )}
        {strangers > 0 && (
          <li class="line">
            <Icon name="devices" />
            <p class="line-text">{say.strangers(strangers)}</p>
            <Button onClick={() => go("devices")}>{say.see}</Button>
          </li>
        )}
      </ul>
    </Section>
  );
}

/** Sessions that wait for the user, with what ends it. */
function Wait({ group }: { group: Group }) {
  const { why, hint, actions } = group.listed[0]!;
  return (
    <li class="line acted">
      <Icon name="clock" />
      <p class="line-text" dir="auto">
        <Waiters group={group} />
        <span class="block">
          {why} <span class="dim">{hint}</span>
        </span>
      </p>
      <Remedies remedies={actions} about={group.listed[0]!.title || words.session.untitled} />
    </li>
  );
}

/** The newest session of a group, and how many more there are. */
function Waiters({ group: { listed, n } }: { group: Group }) {
  const { session, title, project } = listed[0]!;
  const isOneProject = listed.every((one) => one.project === project);
  return (
    <>
      <a class="strong" href={link("sessions", session)}>
        {title || words.session.untitled}
      </a>{" "}
      {n > 1 && <span>{words.overview.others(n - 1)} </span>}
      {isOneProject && <span class="dim">· {projectName(project)}</span>}
    </>
  );
}

/** Waits that need nobody: one quiet line, with the reasons on request. */
function Quiet({ groups, n, title }: { groups: Group[]; n: number; title: string }) {
  const say = words.overview;
  if (n === 0) return null;
  const shown = groups.slice(0, 50);
  const rest = n - shown.reduce((sum, one) => sum + one.n, 0);
  return (
    <details class="passing">
      <summary>
        <Icon name="clock" size={14} />
        <span>{title}</span> <span class="link">{say.why}</span>
      </summary>
      <ul class="lines">
        {shown.map((one) => {
          const { why, hint, actions, title } = one.listed[0]!;
          return (
            <li key={one.key} class="line acted">
              <p class="line-text" dir="auto">
                <Waiters group={one} />{" "}
                <span class="dim">
                  · {why} {hint}
                </span>
              </p>
              <Remedies remedies={actions} about={title || words.session.untitled} />
            </li>
          );
        })}
        {rest > 0 && <li class="line dim">{say.more(rest)}</li>}
      </ul>
    </details>
  );
}

/** Arrivals from other devices in the last day, the latest sessions, and what happened. */
function Recent() {
  const { revision, status, tools } = useShared();
  const [resuming, setResuming] = useState<Pick<SessionRow, "session" | "title"> | null>(null);
  const history = useAnswer({ cmd: "history", session: null }, revision);
  const recent = useAnswer({ cmd: "sessions", filter: { limit: MOST } }, revision);
  const say = words.overview;
  if (history.phase === "failed" && !history.answer)
    return <Trouble title={say.failed} refusal={history.refusal} again={history.again} />;
  if (!history.answer || recent.phase === "loading") return <Skeleton rows={4} />;
  const rows = history.answer;
  const sessions = recent.answer?.slice(0, MOST) ?? [];
  // The newest comes first: what was removed from the tool since cannot be resumed from here.
  const removed = new Set<string>();
  const arrived = rows.filter((row) => {
    if (row.what === "taken_out") removed.add(row.session);
    return row.what === "arrived" && !removed.has(row.session) && Date.now() - Date.parse(row.at) < DAY;
  });
  const from = [...new Set(arrived.map((row) => row.device))];
  return (
    <>
      {from.length > 0 && (
        <Section title={say.arrived}>
          <ul class="lines">
            {from.map((device) => {
              const theirs = arrived.filter((row) => row.device === device);
              const n = new Set(theirs.map((row) => row.session)).size;
              const last = theirs[0];
              return (
                <li key={device} class="line">
                  <Icon name="forth" />
                  <p class="line-text" dir="auto">
                    <span class="strong">{say.fromHere(device, n)}</span>
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
      )}
      {sessions.length > 0 && (
        <Section title={say.recent}>
          <ul class="lines">
            {sessions.map((row) => (
              <li key={row.session} class="line">
                <ToolSign name={tools.get(row.tool)?.name ?? row.tool} />
                <p class="line-text" dir="auto">
                  <a href={link("sessions", row.session)}>{row.title || words.session.untitled}</a>{" "}
                  <span class="dim">
                    · {projectName(row.project)} · {row.devices.map((one) => shortened(one, 24)).join(", ")} ·{" "}
                    <Time at={row.updated} />
                  </span>
                </p>
                <Button
                  icon="play"
                  name={words.resume.title(row.title || words.session.untitled)}
                  onClick={() => setResuming(row)}
                >
                  {words.resume.resume}
                </Button>
              </li>
            ))}
          </ul>
        </Section>
      )}
      {rows.length === 0 && sessions.length === 0 && <p class="none">{say.nothingHappened}</p>}
      {rows.length > 0 && (
        <Section title={say.activity}>
          <ol class="activity">
            {rows.slice(0, 12).map((row, at) => (
              <Happening key={at} row={row} tool={tools.get(row.tool)?.name ?? row.tool} own={status?.device ?? ""} />
            ))}
          </ol>
        </Section>
      )}
      {resuming && <ResumeQuestion row={resuming} close={() => setResuming(null)} />}
    </>
  );
}

function Happening({ row, tool, own }: { row: HistoryRow; tool: string; own: string }) {
  return (
    <li>
      <Time at={row.at} />
      <ToolSign name={tool} />
      <span class="activity-title" dir="auto">
        {row.title || words.session.untitled}
      </span>
      <span class="dim">
        {happening(row)}
        {row.device !== own ? ` · ${row.device}` : ""}
      </span>
      <span class="dim number">{size(row.bytes)}</span>
    </li>
  );
}
