// Importing conversations: choosing what, how far it is, what came of it, and the place to drop files on.
import type { ConversationImport, Imported } from "../backend/types";
import { size } from "../lib/format";
import { go } from "../route";
import { useDoing, useShared } from "../state";
import { words } from "../words";
import { Button, IconButton, Refused } from "./common";
import { Icon } from "./icon";

/** Files, or a folder: no system's dialog offers both at once. */
export function ImportButtons({ plain = false, of }: { plain?: boolean; of?: string }) {
  const { backend, reload } = useShared();
  const { busy, refusal, act, clear } = useDoing();
  const say = words.importing;
  const choose = async (directory: boolean) => {
    const title = directory ? say.chooseFolder : say.chooseFiles;
    const begun = await act(() => backend.roam({ cmd: "choose_import", title, directory }));
    if (begun) reload();
  };
  return (
    <>
      <div class="row-of-buttons">
        <Button
          kind={plain ? "plain" : "main"}
          icon="import"
          busy={busy}
          name={of && say.filesOf(of)}
          onClick={() => void choose(false)}
        >
          {say.files}
        </Button>
        <Button icon="folder" busy={busy} name={of && say.folderOf(of)} onClick={() => void choose(true)}>
          {say.folder}
        </Button>
      </div>
      <Refused refusal={refusal} clear={clear} />
    </>
  );
}

/** Above every view, as long as an import runs and until its result was seen. */
export function ImportStrip({ shown }: { shown: ConversationImport }) {
  const { backend, reload } = useShared();
  const { busy, refusal, act, clear } = useDoing();
  const say = words.importing;
  const isRunning = !shown.done && !shown.failed;
  const end = async (cmd: "import_cancel" | "import_dismiss") => {
    await act(() => backend.roam({ cmd }));
    reload();
  };
  return (
    <section class={shown.failed ? "import-strip failed-import" : "import-strip"} aria-label={say.title}>
      <Icon name={shown.failed ? "warning" : shown.done ? "check" : "import"} />
      <div class="import-body" role="status">
        {isRunning && <Running shown={shown} />}
        {shown.done && <Done done={shown.done} name={say.of(shown.name, shown.others)} />}
        {shown.failed && (
          <p dir="auto">
            <strong>{say.failed(say.of(shown.name, shown.others))}</strong> {shown.failed.message}.{" "}
            <span class="dim">{shown.failed.hint}</span>
          </p>
        )}
        <Refused refusal={refusal} clear={clear} />
      </div>
      {isRunning && (
        <Button busy={busy} onClick={() => void end("import_cancel")}>
          {say.cancel}
        </Button>
      )}
      {shown.done && <Button onClick={() => go("sessions")}>{say.show}</Button>}
      {!isRunning && <IconButton icon="close" name={words.failed.dismiss} onClick={() => void end("import_dismiss")} />}
    </section>
  );
}

function Running({ shown }: { shown: ConversationImport }) {
  const say = words.importing;
  return (
    <>
      <p dir="auto">
        {say.running(say.of(shown.name, shown.others))}{" "}
        <span class="dim number">{say.soFar(shown.conversations, size(shown.bytes), size(shown.total))}</span>
      </p>
      <progress class="bar" max={Math.max(shown.total, 1)} value={shown.bytes} aria-label={say.title} />
    </>
  );
}

function Done({ done, name }: { done: Imported; name: string }) {
  const { tools } = useShared();
  const say = words.importing;
  const ids = [...new Set([done.new, done.grown, done.known].flatMap(Object.keys))];
  const sentences = ids.map((id) =>
    say.result(tools.get(id)?.name ?? id, done.new[id] ?? 0, done.grown[id] ?? 0, done.known[id] ?? 0),
  );
  return (
    <>
      <p dir="auto">
        <strong>{done.is_cancelled ? say.cancelled(name) : say.done(name)}</strong>{" "}
        {sentences.length > 0 ? sentences.join(" ") : say.nothing}
      </p>
      {done.n_left_out > 0 && (
        <details class="fold">
          <summary>
            <Icon name="right" size={12} />
            {say.leftOut(done.n_left_out)}
          </summary>
          {/* The list scrolls, so the keyboard has to reach it. */}
          <ul class="plain-list left-out" tabIndex={0} aria-label={say.leftOut(done.n_left_out)}>
            {done.left_out.map((one, at) => (
              <li key={at} dir="auto">
                <code dir="auto">{one.name}</code>: {one.why}
              </li>
            ))}
            {done.left_out.length < done.n_left_out && <li>{say.more(done.n_left_out - done.left_out.length)}</li>}
          </ul>
        </details>
      )}
    </>
  );
}

/** Covers the window while files are dragged over it. */
export function DropPlace({ isPicture }: { isPicture: boolean }) {
  const say = words.importing;
  return (
    <div class="drop-place" aria-hidden="true">
      <div>
        <Icon name={isPicture ? "qr" : "import"} size={28} />
        <p class="strong">{isPicture ? say.dropPicture : say.drop}</p>
        <p>{isPicture ? say.dropPictureWhy : say.dropWhy}</p>
      </div>
    </div>
  );
}
