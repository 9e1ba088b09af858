// Your devices: pairing requests, paired devices and their progress, this one's code, another's.
import { useEffect, useMemo, useState } from "preact/hooks";
import type { Approval, PairedDevice } from "../backend/types";
import { size } from "../lib/format";
import { Button, Failed, FirstFocus, Refused, Section, Skeleton, Submit, Time } from "../parts/common";
import { Icon } from "../parts/icon";
import { AskingQuestion, bareAddress, PairPath, Pending } from "../parts/pairing";
import { Follow, Proposals, RevokedDevices, RevokeQuestion } from "../parts/trust";
import { useAnswer, useDoing, useNow, useShared } from "../state";
import { words } from "../words";

interface ViewProps {
  /** Of an opened link: it is filled in, never sent automatically. */
  code: string;
  /** A link leads to the ways to pair. */
  adds: boolean;
  /** Grows whenever a link leads here. */
  visit: number;
}

export function DevicesView({ code, adds: isWanted, visit }: ViewProps) {
  const { revision, picture } = useShared();
  // Devices on the same network come and go without an event: the list is refreshed with every tick
  // of the clock.
  const now = useNow();
  const asked = useAnswer({ cmd: "devices" }, revision * 1e9 + (Math.floor(now / 5000) % 1e9));
  const exchanged = useExchanged(revision);
  const say = words.devices;
  const answer = asked.answer;
  const paired = answer?.paired.filter((one) => one.state === "paired") ?? [];
  const isAdding = code !== "" || (answer !== undefined && paired.length === 0);
  const [adds, setAdds] = useState<boolean | null>(null);
  useEffect(() => {
    if (picture || isWanted) setAdds(true);
  }, [picture, isWanted, visit]);
  const isOpen = adds ?? (isAdding || (answer?.nearby.length ?? 0) > 0);
  return (
    <div class="page wide">
      <header class="headline">
        <h1>{words.views.devices}</h1>
        {answer && (
          <Button icon="devices" expanded={isOpen} onClick={() => setAdds(!isOpen)}>
            {words.palette.actions.pair}
          </Button>
        )}
      </header>
      {asked.phase === "failed" && <Failed refusal={asked.refusal} again={asked.again} />}
      {answer && (
        <ul class="asking-list">
          <Pending devices={answer.paired} changed={asked.again} />
          {answer.asking.map((one) => (
            <AskingQuestion key={one.id} device={one} done={asked.again} />
          ))}
        </ul>
      )}
      {answer && answer.more_asking > 0 && <p class="dim more-asking">{say.moreAsking(answer.more_asking)}</p>}
      {answer && isOpen && <PairPath answer={answer} changed={asked.again} given={code} />}
      <Section title={say.title}>
        {asked.phase === "loading" && <Skeleton rows={3} label={say.loading} tall />}
        {answer && paired.length === 0 && (
          <p class="none">
            {say.alone}. {say.aloneWhy}
          </p>
        )}
        <ul class="cards">
          {paired.map((one) => (
            <Paired
              key={one.id}
              device={one}
              exchanged={exchanged.get(one.name) ?? null}
              approval={answer?.approvals.find((approval) => approval.id === one.id)}
              changed={asked.again}
            />
          ))}
        </ul>
        <Proposals devices={answer?.proposed ?? []} changed={asked.again} />
      </Section>
      <RevokedDevices devices={answer?.revoked ?? []} changed={asked.again} />
    </div>
  );
}

/** When something of each device arrived last, by the device's name. */
function useExchanged(revision: number): ReadonlyMap<string, string> {
  const { answer } = useAnswer({ cmd: "history", session: null }, revision);
  return useMemo(() => {
    const last = new Map<string, string>();
    for (const { what, device, at } of answer ?? []) {
      if (what === "arrived" && at > (last.get(device) ?? "")) last.set(device, at);
    }
    return last;
  }, [answer]);
}

interface PairedProps {
  device: PairedDevice;
  /** When something of the device arrived last. */
  exchanged: string | null;
  approval: Approval | undefined;
  changed: () => void;
}

function Paired({ device, exchanged, approval, changed }: PairedProps) {
  const { backend } = useShared();
  const { busy, refusal, act, clear } = useDoing();
  const [asks, setAsks] = useState<"rename" | "unpair" | "revoke" | null>(null);
  const [name, setName] = useState(device.name);
  const say = words.devices;
  // It may have been renamed elsewhere since it was drawn first.
  const askName = () => {
    setName(device.name);
    setAsks("rename");
  };
  const rename = async () => {
    if (await act(() => backend.roam({ cmd: "rename", id: device.id, name: name.trim() }))) {
      setAsks(null);
      changed();
    }
  };
  const unpair = async () => {
    if (await act(() => backend.roam({ cmd: "unpair", id: device.id }))) changed();
  };
  return (
    <li class="card">
      <Icon name="laptop" size={20} />
      <div class="card-body">
        <h3 dir="auto">{device.name}</h3>
        <p class={device.connected ? "device-state connected" : "device-state away"}>
          <Icon name={device.connected ? "done" : "offline"} size={14} />
          {device.connected ? (
            device.route ? (
              say.routes[device.route]
            ) : (
              say.connected
            )
          ) : device.last_seen ? (
            <span>
              {say.away("")}
              <Time at={device.last_seen} />
            </span>
          ) : (
            say.never
          )}
          <span class="dim">· {say.inStep(device.in_step)}</span>
        </p>
        {device.in_step < 100 && (
          <progress class="bar" max={100} value={device.in_step} aria-label={say.inStepName(device.name)} />
        )}
        <dl class="facts">
          {device.outstanding > 0 && (
            <div>
              <dt>{say.outstanding}</dt>
              <dd>{size(device.outstanding)}</dd>
            </div>
          )}
          {exchanged && (
            <div>
              <dt>{say.exchanged}</dt>
              <dd>
                <Time at={exchanged} />
              </dd>
            </div>
          )}
          {device.addresses.length > 0 && (
            <div>
              <dt>{say.address}</dt>
              <dd dir="ltr">{device.addresses.map(bareAddress).join(", ")}</dd>
            </div>
          )}
          {device.version && (
            <div>
              <dt>{say.version}</dt>
              <dd dir="ltr">{device.version}</dd>
            </div>
          )}
        </dl>
        {asks === "rename" && (
          <FirstFocus>
            <form
              class="inline-form"
              onSubmit={(event) => {
                event.preventDefault();
                void rename();
              }}
            >
              <input
                class="field"
                aria-label={say.newName}
                value={name}
                onInput={(event) => setName(event.currentTarget.value)}
                onKeyDown={(event) => event.key === "Escape" && setAsks(null)}
              />
              <Submit busy={busy} blocked={name.trim() === "" ? say.nameFirst : undefined}>
                {say.save}
              </Submit>
              <Button kind="quiet" onClick={() => setAsks(null)}>
                {say.cancel}
              </Button>
            </form>
          </FirstFocus>
        )}
        {approval && <Follow device={device} approval={approval} changed={changed} />}
        {asks === "revoke" && <RevokeQuestion device={device} cancel={() => setAsks(null)} changed={changed} />}
        {asks === "unpair" && (
          <div class="consequence">
            <p dir="auto">{say.unpairWhy(device.name)}</p>
            <div class="row-of-buttons">
              <Button kind="danger" icon="unplug" busy={busy} onClick={() => void unpair()}>
                {say.unpairYes(device.name)}
              </Button>
              <Button onClick={() => setAsks(null)}>{say.cancel}</Button>
            </div>
          </div>
        )}
        <Refused refusal={refusal} clear={clear} />
      </div>
      {asks === null && (
        <div class="row-of-buttons">
          <Button kind="quiet" icon="pencil" name={say.renameName(device.name)} onClick={askName}>
            {say.rename}
          </Button>
          <Button kind="quiet" icon="unplug" name={say.unpairName(device.name)} onClick={() => setAsks("unpair")}>
            {say.unpair}
          </Button>
          <Button
            kind="quiet"
            icon="close"
            name={words.trust.revokeName(device.name)}
            onClick={() => setAsks("revoke")}
          >
            {words.trust.revoke}
          </Button>
        </div>
      )}
    </li>
  );
}
