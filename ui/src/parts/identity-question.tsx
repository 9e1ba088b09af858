// A copied device becomes one of its own: asked once, with what follows from it.
import { useDoing, useShared } from "../state";
import { words } from "../words";
import { Button, Refused } from "./common";
import { Dialog } from "./dialog";

export function IdentityQuestion({ close }: { close: () => void }) {
  const { backend, tell } = useShared();
  const { busy, refusal, act } = useDoing();
  const say = words.identity;
  const make = async () => {
    const done = await act(() => backend.roam({ cmd: "new_identity" }));
    if (!done) return;
    tell(done.message);
    close();
  };
  return (
    <Dialog title={say.title} close={close}>
      <p>{say.when}</p>
      <p>{say.what}</p>
      <Refused refusal={refusal} />
      <div class="row-of-buttons end">
        <Button onClick={close}>{say.cancel}</Button>
        <Button kind="danger" busy={busy} onClick={() => void make()}>
          {say.make}
        </Button>
      </div>
    </Dialog>
  );
}
