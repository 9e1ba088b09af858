// Shows the target of a transcript's link before anything is opened.
import { useDoing, useShared } from "../state";
import { words } from "../words";
import { Button, CopyButton, Refused } from "./common";
import { Dialog } from "./dialog";

export function LinkQuestion({ address, close }: { address: string; close: () => void }) {
  const { backend } = useShared();
  const { busy, refusal, act } = useDoing();
  const open = () => act(() => backend.roam({ cmd: "open_link", url: address })).then((answer) => answer && close());
  return (
    <Dialog title={words.link.title} close={close}>
      <p class="address" dir="ltr">
        {address}
      </p>
      <Refused refusal={refusal} />
      <div class="row-of-buttons end">
        <CopyButton text={address} copied={words.transcript.copied} kind="quiet">
          {words.link.copy}
        </CopyButton>
        <Button onClick={close}>{words.link.close}</Button>
        <Button kind="main" icon="external" busy={busy} onClick={() => void open()}>
          {words.link.open}
        </Button>
      </div>
    </Dialog>
  );
}
