// Forgotten sessions, and the result on each device.
import type { ForgottenRow, ReceiptRow } from "../backend/types";
import { listed } from "../lib/format";
import { useAnswer, useDoing, useShared } from "../state";
import { words } from "../words";
import { Button, Failed, Refused, Skeleton, Time } from "./common";

export function Forgotten() {
  const { backend, revision, tell, tools } = useShared();
  const asked = useAnswer({ cmd: "forgotten" }, revision);
  const { busy, refusal, act, clear } = useDoing();
  const say = words.forget;
  const takeBack = async (session: string) => {
    const done = await act(() => backend.roam({ cmd: "undo", session }));
    if (!done) return;
    tell(done.message);
    asked.again();
  };
  const name = (row: ForgottenRow) => (row.title ? `“${row.title}”` : say.one(tools.get(row.tool)?.name ?? row.tool));
  return (
    <>
      {asked.phase === "loading" && <Skeleton rows={2} label={words.loading} />}
      {asked.phase === "failed" && !asked.answer && <Failed refusal={asked.refusal} again={asked.again} />}
      <Refused refusal={refusal} clear={clear} />
      {asked.answer?.length === 0 && <p class="none">{say.none}</p>}
      <ul class="settings-list">
        {(asked.answer ?? []).map((row) => (
          <li class="setting" key={row.key}>
            <div>
              <h3 dir="auto">{name(row)}</h3>
              <p class="dim">
                {say.by(listed(row.by))} · <Time at={row.at} />
              </p>
              <ul class="receipts">
                {row.receipts.map((receipt) => (
                  <li key={receipt.device}>
                    <span dir="auto">{receipt.device}</span>: {state(receipt)}
                  </li>
                ))}
              </ul>
            </div>
            {row.session && row.undo_until && (
              <Button icon="undo" busy={busy} onClick={() => void takeBack(row.session as string)}>
                {say.takeBack}
              </Button>
            )}
          </li>
        ))}
      </ul>
    </>
  );
}

function state(receipt: ReceiptRow): string {
  const text = words.forget.states[receipt.state] ?? receipt.state;
  return receipt.why ? `${text}. ${receipt.why}` : text;
}
