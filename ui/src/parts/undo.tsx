// The last decision: what it was, and taking it back. Nothing is offered where nothing was decided.
import { Refusal } from "../backend/backend";
import { useAnswer, useDoing, useShared } from "../state";
import { words } from "../words";

/** `session`: of this session; `null`: the last one of all. `revision` grows when the answer may be another. */
export function useUndo(session: string | null, revision: number) {
  const { backend } = useShared();
  const asked = useAnswer({ cmd: "undoable", session }, revision);
  const { busy, refusal, clear, act } = useDoing();
  const last = asked.answer ?? null;
  const undo = async () => {
    if (!last) return undefined;
    const done = await act(async () => {
      // Another window, another device or the tool may have done something since: only what was offered is taken back.
      const now = await backend.roam({ cmd: "undoable", session });
      if (JSON.stringify(now) !== JSON.stringify(last))
        throw new Refusal({ code: "undo_changed", ...words.splits.undoChanged });
      return backend.roam({ cmd: "undo", session });
    });
    asked.again();
    return done && { ...done, kind: last.kind };
  };
  return { label: last && words.splits.undo(last), busy, refusal, clear, undo };
}
