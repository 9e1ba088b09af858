// A session's further actions and past: saving as a document, its history, undoing decisions.
import { useState } from "preact/hooks";
import type { Exported, HistoryRow, SessionRow } from "../backend/types";
import { size } from "../lib/format";
import { happening } from "../lib/happening";
import { useAnswer, useDoing, useShared } from "../state";
import { words } from "../words";
import { Button, CopyButton, Failed, Refused, Skeleton, Time } from "./common";
import { Dialog } from "./dialog";
import { Forget } from "./forget-question";
import { useUndo } from "./undo";

interface MoreProps {
  row: Pick<SessionRow, "session" | "title">;
  changed: () => void;
  close: () => void;
  forgotten: () => void;
}

export function More({ row, changed, close, forgotten }: MoreProps) {
  return (
    <Dialog title={row.title || words.session.untitled} close={close}>
      <Export session={row.session} />
      <History session={row.session} changed={changed} />
      <Forget session={row.session} forgotten={forgotten} />
    </Dialog>
  );
}

/** Saving a session as a document, by itself. */
export function ExportQuestion({ row, close }: Pick<MoreProps, "row" | "close">) {
  return (
    <Dialog title={row.title || words.session.untitled} close={close}>
      <Export session={row.session} />
    </Dialog>
  );
}

const FORMATS = ["markdown", "html", "json", "open", "native"] as const;

function Export({ session }: { session: string }) {
  const { backend } = useShared();
  const { busy, refusal, act, clear } = useDoing();
  const [format, setFormat] = useState<(typeof FORMATS)[number]>("markdown");
  const [saved, setSaved] = useState<Exported | null>(null);
  const say = words.more;
  const save = async () => {
    setSaved(null);
    const dir = await act(() => backend.roam({ cmd: "choose_directory", title: say.chooseTitle }));
    if (!dir) return;
    const done = await act(() => backend.roam({ cmd: "export", session, format, dir }));
    if (done) setSaved(done);
  };
  return (
    <section class="more-part">
      <h3>{say.export}</h3>
      <fieldset class="formats">
        <legend class="visually-hidden">{say.format}</legend>
        {FORMATS.map((one) => (
          <label key={one}>
            <input type="radio" name="format" checked={format === one} onChange={() => setFormat(one)} />
            <span>
              {say.formats[one][0]} <span class="dim">{say.formats[one][1]}</span>
            </span>
          </label>
        ))}
      </fieldset>
      <div class="row-of-buttons">
        <Button icon="save" busy={busy} onClick={() => void save()}>
          {say.save}
        </Button>
      </div>
      <Refused refusal={refusal} clear={clear} />
      {saved && (
        <div role="status">
          <p>{say.saved(saved.files.length)}</p>
          {saved.files.slice(0, 1).map((file) => (
            <p key={file} class="saved-file">
              <code dir="ltr">{file}</code>{" "}
              <CopyButton text={file} copied={words.transcript.copied} kind="quiet">
                {say.copyPath}
              </CopyButton>
            </p>
          ))}
        </div>
      )}
    </section>
  );
}

function History({ session, changed }: { session: string; changed: () => void }) {
  const { tell, revision } = useShared();
  const asked = useAnswer({ cmd: "history", session }, revision);
  const last = useUndo(session, revision);
  const say = words.more;
  const undo = async () => {
    const done = await last.undo();
    if (!done) return;
    tell(done.message);
    asked.again();
    changed();
  };
  const rows = asked.answer ?? [];
  return (
    <section class="more-part">
      <h3>{say.history}</h3>
      {asked.phase === "loading" && <Skeleton rows={3} label={words.loading} />}
      {asked.phase === "failed" && !asked.answer && <Failed refusal={asked.refusal} again={asked.again} />}
      {asked.answer && rows.length === 0 && <p class="none">{say.nothing}</p>}
      {last.label && (
        <div class="row-of-buttons">
          <Button icon="undo" busy={last.busy} onClick={() => void undo()}>
            {last.label}
          </Button>
        </div>
      )}
      <Refused refusal={last.refusal} clear={last.clear} />
      <ol class="happenings">
        {rows.slice(0, 60).map((row, at) => (
          <li key={at}>
            <span class="happening-when">
              <Time at={row.at} />
            </span>
            <span dir="auto">{happened(row)}</span>
            {row.bytes > 0 && <span class="dim number">{size(row.bytes)}</span>}
          </li>
        ))}
      </ol>
    </section>
  );
}

function happened(row: HistoryRow): string {
  return `${happening(row)} · ${row.device}`;
}
