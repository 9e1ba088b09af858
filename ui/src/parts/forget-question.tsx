// Removes a session everywhere: one question that states what is removed, where, and until when
// undo is possible.
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { ForgetPreview } from "../backend/types";
import { listed } from "../lib/format";
import { useAnswer, useDoing, useShared } from "../state";
import { words } from "../words";
import { Button, Failed, Refused, Skeleton } from "./common";

export function Forget({ session, forgotten }: { session: string; forgotten: () => void }) {
  const [asking, setAsking] = useState(false);
  const say = words.forget;
  return (
    <section class="more-part">
      <h3>{say.title}</h3>
      {asking ? (
        <Question session={session} forgotten={forgotten} close={() => setAsking(false)} />
      ) : (
        <>
          <p class="dim">{say.intro}</p>
          <div class="row-of-buttons">
            <Button icon="close" onClick={() => setAsking(true)}>
              {say.ask}
            </Button>
          </div>
        </>
      )}
    </section>
  );
}

interface QuestionProps {
  session: string;
  forgotten: () => void;
  close: () => void;
}

function Question({ session, forgotten, close }: QuestionProps) {
  const { backend, tell } = useShared();
  const asked = useAnswer({ cmd: "forget_preview", session });
  const { busy, refusal, act } = useDoing();
  const say = words.forget;
  const box = useRef<HTMLDivElement>(null);
  // Low windows have it below what is in sight.
  useLayoutEffect(() => box.current?.scrollIntoView({ block: "end" }), [asked.phase]);
  const forget = async () => {
    const rows = await act(() => backend.roam({ cmd: "forget", session }));
    if (!rows) return;
    const until = Math.min(...rows.flatMap((row) => (row.undo_until ? [Date.parse(row.undo_until)] : [])));
    const takeBack = { act: () => backend.roam({ cmd: "undo", session }), until };
    tell(say.done, Number.isFinite(until) ? takeBack : undefined);
    forgotten();
  };
  return (
    <div ref={box} role="group" aria-label={say.title} class="forget-question">
      {asked.phase === "loading" && <Skeleton rows={3} label={words.loading} />}
      {asked.phase === "failed" && <Failed refusal={asked.refusal} again={asked.again} />}
      {asked.answer && <Consequences preview={asked.answer} />}
      <Refused refusal={refusal} />
      <div class="row-of-buttons end">
        <Button onClick={close}>{say.keep}</Button>
        {asked.answer && (
          <Button kind="danger" busy={busy} onClick={() => void forget()}>
            {say.forget}
          </Button>
        )}
      </div>
    </div>
  );
}

function Consequences({ preview }: { preview: ForgetPreview }) {
  const say = words.forget;
  const [first, ...versions] = preview.sessions;
  return (
    <ul class="consequences">
      {versions.length > 0 && <li>{say.versions(versions.length, first?.title ?? "")}</li>}
      <li>{say.where(listed(preview.devices))}</li>
      {preview.cannot_be_told.length > 0 && <li>{say.cannotBeTold(listed(preview.cannot_be_told))}</li>}
      <li>{say.beside}</li>
      <li>{say.minutes(preview.minutes)}</li>
    </ul>
  );
}
