// A new session from the beginning of another one, up to a message.
import { useState } from "preact/hooks";
import { go } from "../route";
import { useAnswer, useDoing, useShared } from "../state";
import { words } from "../words";
import { CodeAsked, isOffered, useTakingOver } from "./code-offer";
import { Button, Refused } from "./common";
import { Dialog } from "./dialog";

/** The engine finds the new session in the tool's store within this time. */
const TRIES = 20;
const BETWEEN_MS = 150;

export function ForkQuestion({ session, at, close }: { session: string; at: number; close: () => void }) {
  const { backend, tell } = useShared();
  const { busy, refusal, act } = useDoing();
  const offered = useAnswer({ cmd: "code_offer", session, at });
  const [wanted, setWanted] = useState(false);
  const takeOver = useTakingOver();
  const say = words.fork;
  const fork = async () => {
    const offer = offered.answer;
    let report = tell as (text: string) => void;
    const forked = await act(async () => {
      const applied = wanted && offer && isOffered(offer) ? await takeOver(session, offer.snapshot, true) : undefined;
      if (applied) {
        report = applied.told;
        report("");
        setWanted(false);
      }
      const made = await backend.roam({ cmd: "fork", session, at, ...(applied ? { dir: applied.dir } : {}) });
      for (let tried = 0; tried < TRIES; tried++) {
        try {
          await backend.roam({ cmd: "show", session: made.session, from: 0, rows: 1 });
          break;
        } catch {
          await new Promise((done) => setTimeout(done, BETWEEN_MS));
        }
      }
      return made;
    });
    if (!forked) return;
    close();
    report(say.made(forked.title));
    go("sessions", forked.session);
  };
  return (
    <Dialog title={say.title} close={close}>
      <p>{say.what}</p>
      <p class="dim">{say.calls}</p>
      <CodeAsked session={session} asked={offered} wanted={wanted} want={setWanted} isFork />
      <Refused refusal={refusal} />
      <div class="row-of-buttons end">
        <Button onClick={close}>{say.cancel}</Button>
        <Button kind="main" icon="splits" busy={busy} onClick={() => void fork()}>
          {say.start}
        </Button>
      </div>
    </Dialog>
  );
}
