// Buttons that do something about a problem, where the problem is shown.
import { useState } from "preact/hooks";
import type { Held, SessionRow } from "../backend/types";
import { projectName } from "../lib/format";
import { go } from "../route";
import { useAnswer, useDoing, useShared } from "../state";
import { words } from "../words";
import { Button, Refused, Skeleton, Time } from "./common";
import { Dialog } from "./dialog";
import { Remedies } from "./remedies";

/** What a guard holds: what it is about, and both ways out. */
export function HeldActs({ held }: { held: Held }) {
  const { backend, tell } = useShared();
  const { busy, refusal, act, clear } = useDoing();
  const [asks, setAsks] = useState(false);
  const isEmptied = held.code === "tool_emptied";
  const say = words.overview;
  const release = async () => {
    const done = await act(() => backend.roam({ cmd: "release", what: held.what }));
    setAsks(false);
    if (done) tell(done.message);
  };
  const session = held.what.startsWith("session:") ? held.what.slice("session:".length) : null;
  const label = say.release[held.code];
  return (
    <>
      {isEmptied && <Restore what={held.what} busy={busy} act={act} />}
      {session && held.code === "rewritten" && (
        <Button name={say.actName(say.look, held.message)} onClick={() => go("splits", session)}>
          {say.look}
        </Button>
      )}
      {session && held.code !== "rewritten" && (
        <Button name={say.actName(say.show, held.message)} onClick={() => go("sessions", session)}>
          {say.show}
        </Button>
      )}
      {held.code === "vault_lost" && <Remedies remedies={held.actions} about={held.message} />}
      {label && (
        <Button
          busy={busy}
          name={say.actName(label, held.message)}
          onClick={() => (isEmptied ? setAsks(true) : void release())}
        >
          {label}
        </Button>
      )}
      <Refused refusal={refusal} clear={clear} />
      {asks && <Deleted what={held.what} busy={busy} confirm={() => void release()} close={() => setAsks(false)} />}
    </>
  );
}

function Restore({ what, busy, act }: { what: string; busy: boolean; act: ReturnType<typeof useDoing>["act"] }) {
  const { backend, tell } = useShared();
  const rows = useAnswer({ cmd: "vanished", what });
  const label = words.overview.restore(rows.answer?.length ?? 0);
  const restore = async () => {
    const done = await act(() => backend.roam({ cmd: "restore", session: what }));
    if (done) tell(done.message);
  };
  return (
    <Button kind="main" busy={busy} onClick={() => void restore()}>
      {label}
    </Button>
  );
}

/** The sessions by name, before the user says that they were meant to go. */
function Deleted({
  what,
  busy,
  confirm,
  close,
}: {
  what: string;
  busy: boolean;
  confirm: () => void;
  close: () => void;
}) {
  const rows = useAnswer({ cmd: "vanished", what });
  const say = words.overview.deleted;
  return (
    <Dialog title={say.title} close={close}>
      <p>{say.what}</p>
      {!rows.answer && <Skeleton rows={4} label={say.loading} />}
      <ul class="vanished" tabIndex={0} aria-label={say.title}>
        {rows.answer?.map((row: SessionRow) => (
          <li key={row.session} dir="auto">
            <span class="strong">{row.title || words.session.untitled}</span>{" "}
            <span class="dim">
              {projectName(row.project)} · <Time at={row.updated} />
            </span>
          </li>
        ))}
      </ul>
      <div class="row-of-buttons end">
        <Button onClick={close}>{say.cancel}</Button>
        <Button kind="danger" busy={busy} onClick={confirm}>
          {say.confirm}
        </Button>
      </div>
    </Dialog>
  );
}
