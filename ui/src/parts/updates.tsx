// Whether there is a newer version: asked when the user clicks, and at no other time.
import { useState } from "preact/hooks";
import type { Newest } from "../backend/types";
import { useDoing, useShared } from "../state";
import { words } from "../words";
import { Button, Refused } from "./common";

export function Updates({ releases }: { releases: string | null }) {
  const { backend, openLink } = useShared();
  const { busy, refusal, act, clear } = useDoing();
  const [newest, setNewest] = useState<Newest | null>(null);
  const say = words.settings.updates;
  if (releases === null) return <p class="dim">{say.noAddress}</p>;
  const ask = async () => {
    const answer = await act(() => backend.roam({ cmd: "ask_newest" }));
    if (answer) setNewest(answer);
  };
  return (
    <>
      <p class="dim">{say.why(releases)}</p>
      <p role="status">{newest ? (newest.is_newer ? say.newer(newest.version) : say.latest) : ""}</p>
      <Refused refusal={refusal} clear={clear} />
      <div class="row-of-buttons">
        <Button busy={busy} onClick={() => void ask()}>
          {say.ask}
        </Button>
        {newest?.is_newer && <Button onClick={() => openLink(releases)}>{say.open}</Button>}
      </div>
    </>
  );
}
