// Buttons that do something about what a guard holds, where it is shown.
import { useState } from "preact/hooks";
import type { Held, Remedy, SessionRow } from "../backend/types";
import { projectName } from "../lib/format";
import { useAnswer, useDoing, useShared } from "../state";
import { words } from "../words";
import { Button, Failed, Refused, Skeleton, Time } from "./common";
import { Dialog } from "./dialog";
import { Remedies } from "./remedies";

/** What lets go of a hold has its own button, and a question before it. */
const ACCEPTS: Remedy["do"][] = ["accept_deletion", "accept_rewrite", "accept_lines", "accept_forget"];
const OWN: Remedy["do"][] = [...ACCEPTS, "restore_sessions"];

/** What a guard holds: what it is about, and both ways out. */
export function HeldActs({ held }: { held: Held }) {
  const { backend, tell } = useShared();
  const { busy, refusal, act, clear } = useDoing();
  const [asks, setAsks] = useState(false);
  const say = words.overview;
  const question = say.questions[held.code];
  const release = async () => {
    const done = await act(() => backend.roam({ cmd: "release", what: held.what }));
    setAsks(false);
    if (done) tell(done.message);
  };
  const label = say.release[held.code];
  return (
    <>
      <div class="row-of-buttons">
        {held.code === "tool_emptied" && <Restore what={held.what} busy={busy} act={act} />}
        <Remedies remedies={held.actions.filter((one) => !OWN.includes(one.do))} about={held.message} />
        {label && (
          <Button
            busy={busy}
            name={say.actName(label, held.message)}
            onClick={() => (question ? setAsks(true) : void release())}
          >
            {label}
          </Button>
        )}
      </div>
      <Refused refusal={refusal} clear={clear} />
      {asks && question && (
        <Releasing
          what={held.what}
          say={question}
          busy={busy}
          confirm={() => void release()}
          close={() => setAsks(false)}
        />
      )}
    </>
  );
}

function Restore({ what, busy, act }: { what: string; busy: boolean; act: ReturnType<typeof useDoing>["act"] }) {
  const { backend, revision, tell } = useShared();
  const rows = useAnswer({ cmd: "vanished", what }, revision);
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

interface ReleasingProps {
  what: string;
  say: { title: string; what: string; confirm: string };
  busy: boolean;
  confirm: () => void;
  close: () => void;
}

/** The sessions by name, before the user lets go of them. Nobody confirms a list that is not there. */
function Releasing({ what, say, busy, confirm, close }: ReleasingProps) {
  const { revision } = useShared();
  const asked = useAnswer({ cmd: "vanished", what }, revision);
  const { listing } = words.overview;
  const blocked = asked.phase === "ready" ? undefined : asked.phase === "loading" ? listing.loading : listing.failed;
  return (
    <Dialog title={say.title} close={close}>
      <p>{say.what}</p>
      {asked.phase === "loading" && <Skeleton rows={4} label={listing.loading} />}
      {asked.phase === "failed" && <Failed refusal={asked.refusal} again={asked.again} title={listing.failed} />}
      {asked.answer && (
        <ul class="vanished" tabIndex={0} aria-label={listing.label(asked.answer.length)}>
          {asked.answer.map((row: SessionRow) => (
            <li key={row.session} dir="auto">
              <span class="strong">{row.title || words.session.untitled}</span>{" "}
              <span class="dim">
                {projectName(row.project)} · <Time at={row.updated} />
              </span>
            </li>
          ))}
        </ul>
      )}
      <div class="row-of-buttons end">
        <Button onClick={close}>{listing.cancel}</Button>
        <Button kind="danger" busy={busy} blocked={blocked} onClick={confirm}>
          {say.confirm}
        </Button>
      </div>
    </Dialog>
  );
}
