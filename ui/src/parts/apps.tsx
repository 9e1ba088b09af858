// The apps that keep sessions of their own here, or ask to: allowing, refusing, and asking again.
import type { AppRow } from "../backend/types";
import { size } from "../lib/format";
import { useAnswer, useDoing, useShared } from "../state";
import { words } from "../words";
import { Button, Refused, Section } from "./common";

/** Nothing, until an app asks. */
export function Apps() {
  const { status } = useShared();
  // Whoever asks is a problem until it is decided, so the list is asked for again when those change.
  const asking = status?.problems.filter((one) => one.code === "app_asks").length;
  const asked = useAnswer({ cmd: "apps" }, asking);
  if (!asked.answer?.length) return null;
  return (
    <Section title={words.apps.head}>
      <p class="dim">{words.apps.intro}</p>
      <ul class="lines">
        {asked.answer.map((row) => (
          <App key={row.app} row={row} changed={asked.again} />
        ))}
      </ul>
    </Section>
  );
}

function App({ row, changed }: { row: AppRow; changed: () => void }) {
  const { backend, reload } = useShared();
  const { busy, refusal, act, clear } = useDoing();
  const say = words.apps;
  const decide = async (cmd: "app_allow" | "app_deny" | "app_remove") => {
    await act(() => backend.roam({ cmd, app: row.app }));
    changed();
    reload();
  };
  return (
    <li class="line app">
      <div class="line-text">
        <strong>{row.app}</strong> <span class="dim">{say.states(row.state, row.asking)}</span>
        {row.sessions > 0 && <p class="dim">{`${say.sessions(row.sessions)} · ${size(row.bytes)}`}</p>}
        <Refused refusal={refusal} clear={clear} />
      </div>
      <div class="row-of-buttons">
        {row.asking > 0 && (
          <Button busy={busy} name={say.allowName(row.app)} onClick={() => void decide("app_allow")}>
            {say.allow}
          </Button>
        )}
        {row.state !== "denied" && (
          <Button kind="quiet" busy={busy} name={say.denyName(row.app)} onClick={() => void decide("app_deny")}>
            {say.deny}
          </Button>
        )}
        {row.state === "denied" && (
          <Button kind="quiet" busy={busy} name={say.againName(row.app)} onClick={() => void decide("app_remove")}>
            {say.again}
          </Button>
        )}
      </div>
    </li>
  );
}
