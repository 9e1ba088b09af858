// A session's title: the user's own, on all devices, or the one that its tool gave it.
import { useState } from "preact/hooks";
import type { Shown } from "../backend/types";
import { useDoing, useShared } from "../state";
import { words } from "../words";
import { Button, Refused, Submit } from "./common";
import { Dialog } from "./dialog";

const LONGEST = 200;

interface RenameProps {
  shown: Pick<Shown, "session" | "tool" | "title" | "own_title">;
  close: () => void;
  renamed: () => void;
}

export function RenameQuestion({ shown, close, renamed }: RenameProps) {
  const { backend, tools, tell } = useShared();
  const { busy, refusal, act, clear } = useDoing();
  const [title, setTitle] = useState(shown.title);
  const say = words.rename;
  const rename = async (to: string) => {
    const done = await act(() => backend.roam({ cmd: "rename_session", session: shown.session, title: to }));
    if (!done) return;
    tell(done.message);
    renamed();
    close();
  };
  return (
    <Dialog title={say.title} close={close}>
      <form
        class="rename"
        onSubmit={(event) => {
          event.preventDefault();
          void rename(title);
        }}
      >
        <label for="session-title" class="visually-hidden">
          {say.field}
        </label>
        <input
          id="session-title"
          class="field wide"
          data-first
          dir="auto"
          maxLength={LONGEST}
          value={title}
          onInput={(event) => setTitle(event.currentTarget.value)}
        />
        <p class="dim">{say.why(tools.get(shown.tool)?.name ?? shown.tool)}</p>
        <Refused refusal={refusal} clear={clear} />
        <div class="row-of-buttons">
          <Submit busy={busy} blocked={title.trim() === "" ? say.titleFirst : undefined}>
            {say.rename}
          </Submit>
          {shown.own_title !== undefined && (
            <Button icon="undo" busy={busy} onClick={() => void rename("")}>
              {say.restore(shown.own_title)}
            </Button>
          )}
          <Button onClick={close}>{say.cancel}</Button>
        </div>
      </form>
    </Dialog>
  );
}
