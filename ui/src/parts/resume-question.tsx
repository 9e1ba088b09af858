// Resuming a session: first the notes, then the start. Notes come from the engine.
import { useState } from "preact/hooks";
import type { SessionRow } from "../backend/types";
import { useAnswer, useDoing, useShared } from "../state";
import { words } from "../words";
import { CodeAsked, isOffered, useTakingOver } from "./code-offer";
import { Button, CopyButton, Failed, Refused, Skeleton } from "./common";
import { Dialog } from "./dialog";
import { Icon, type IconName } from "./icon";

/** Notes about the checkout rather than the session. */
const ICONS: Record<string, IconName> = {
  live: "live",
  open_here: "live",
  branch: "projects",
  commit_missing: "projects",
  commit_beside: "projects",
  changed: "pencil",
};

export function ResumeQuestion({ row, close }: { row: Pick<SessionRow, "session" | "title">; close: () => void }) {
  const { backend, tell } = useShared();
  const asked = useAnswer({ cmd: "resume", session: row.session });
  const offered = useAnswer({ cmd: "code_offer", session: row.session });
  const [wanted, setWanted] = useState(false);
  const { busy, refusal, act } = useDoing();
  const takeOver = useTakingOver();
  const say = words.resume;
  const start = async () => {
    const { session } = row;
    const offer = offered.answer;
    let report = tell as (text: string) => void;
    const started = await act(async () => {
      if (wanted && offer && isOffered(offer)) {
        const applied = await takeOver(session, offer.snapshot, false);
        report = applied.told;
        // Said at once: the files are there, whatever becomes of the start.
        report("");
        setWanted(false);
        if (applied.worktree) await moved(() => backend.roam({ cmd: "resume", session }));
      }
      return backend.roam({ cmd: "start_tool", session });
    });
    if (!started) return;
    report(say.started);
    close();
  };
  return (
    <Dialog title={say.title(row.title || words.session.untitled)} close={close}>
      {asked.phase === "loading" && <Skeleton rows={2} label={say.looking} />}
      {asked.phase === "failed" && <Failed refusal={asked.refusal} again={asked.again} title={say.failed} />}
      {asked.phase === "ready" && (
        <>
          {asked.answer.remarks.length > 0 ? (
            <div class="notes">
              <h3>{say.before}</h3>
              <ul>
                {asked.answer.remarks.map(({ code, message }) => (
                  <li key={message}>
                    <Icon name={ICONS[code] ?? "alert"} size={14} /> <span dir="auto">{message}</span>
                  </li>
                ))}
              </ul>
            </div>
          ) : (
            <p class="dim">{say.nothing}</p>
          )}
          <CodeAsked session={row.session} asked={offered} wanted={wanted} want={setWanted} />
          <p class="dim">{say.runs}</p>
          <p class="command" dir="ltr">
            <code>{asked.answer.argv.map(quoted).join(" ")}</code>
            <span class="dim">
              {" "}
              {say.in} {asked.answer.cwd}
            </span>
          </p>
          <Refused refusal={refusal} />
          <div class="row-of-buttons end">
            <CopyButton
              text={`cd ${quoted(asked.answer.cwd)} && ${asked.answer.argv.map(quoted).join(" ")}`}
              copied={say.copied}
              kind="quiet"
            >
              {say.copy}
            </CopyButton>
            <Button onClick={close}>{say.cancel}</Button>
            <Button kind="main" icon="play" busy={busy} onClick={() => void start()}>
              {asked.answer.remarks.length > 0 ? say.startAnyway : say.start}
            </Button>
          </div>
        </>
      )}
    </Dialog>
  );
}

/** A session that moves into a worktree leaves its store for a moment. */
async function moved(ask: () => Promise<unknown>): Promise<void> {
  const [tries, betweenMs] = [50, 200];
  for (let tried = 0; tried < tries; tried++) {
    try {
      await ask();
      return;
    } catch {
      await new Promise((done) => setTimeout(done, betweenMs));
    }
  }
}

function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
