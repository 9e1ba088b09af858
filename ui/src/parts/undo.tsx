// The last decision: what it was, and taking it back. Nothing is offered where nothing was decided.
import { useAnswer, useDoing, useShared } from "../state";
import { words } from "../words";

/** `session`: of this session; `null`: the last one of all. `revision` grows when the answer may be another. */
export function useUndo(session: string | null, revision: number) {
  const { backend } = useShared();
  const asked = useAnswer({ cmd: "undoable", session }, revision);
  const { busy, refusal, clear, act } = useDoing();
  const last = asked.answer ?? null;
  const undo = async () => {
    const done = last ? await act(() => backend.roam({ cmd: "undo", session })) : undefined;
    if (done) asked.again();
    return done;
  };
  return { label: last && words.splits.undo(last), busy, refusal, clear, undo };
}
