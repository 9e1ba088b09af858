// Your devices: pairing requests, paired devices and their progress, this one's code, another's.
import { useState } from "preact/hooks";
import type { Approval, PairedDevice, Pairing } from "../backend/types";
import { Button, Empty, Failed, FirstFocus, Refused, Section, Skeleton, Submit, Time } from "../parts/common";
import { Icon } from "../parts/icon";
import { AskingQuestion, DigitsQuestion, OtherCode, OwnCode } from "../parts/pairing";
import { Follow, Proposals, RevokedDevices, RevokeQuestion } from "../parts/trust";
import { useAnswer, useDoing, useNow, useShared } from "../state";
import { words } from "../words";

/** `code` comes from an opened link: it is filled in, never sent automatically. */
export function DevicesView({ code }: { code: string }) {
  const { revision } = useShared();
  // Devices on the same network come and go without an event: the list is refreshed with every tick
  // of the clock.
  const now = useNow();
  const asked = useAnswer({ cmd: "devices" }, revision * 1e9 + (Math.floor(now / 5000) % 1e9));
  const [sent, setSent] = useState<Pairing | null>(null);
  const say = words.devices;
  const answer = asked.answer;
  const compared = answer?.paired.filter((one) => !one.confirmed && one.digits !== "") ?? [];
  return (
    <div class="page wide">
      <h1>{words.views.devices}</h1>
      {asked.phase === "failed" && <Failed refusal={asked.refusal} again={asked.again} />}
      {answer && (answer.asking.length > 0 || compared.length > 0) && (
        <ul class="asking-list">
          {compared.map((one) => (
            <DigitsQuestion key={one.id} device={one} done={asked.again} />
          ))}
          {answer.asking.map((one) => (
            <AskingQuestion key={one.id} device={one} done={asked.again} />
          ))}
        </ul>
      )}
      {answer && answer.more_asking > 0 && <p class="dim">{say.moreAsking(answer.more_asking)}</p>}
      {sent && (
        <div class="notice pairing-sent" role="status">
          <Icon name={sent.state === "asked" || sent.state === "comparing" ? "clock" : "check"} size={16} />
          <p>
            <strong dir="auto">
              {{
                asked: say.asked,
                comparing: say.begun,
                paired: say.paired,
                already_paired: say.already,
              }[sent.state](sent.name)}
            </strong>{" "}
            {sent.state === "asked" && say.askedWhy}
            {sent.state === "comparing" && say.comparingWait(sent.name)}
          </p>
        </div>
      )}
      <Section title={say.title}>
        {asked.phase === "loading" && <Skeleton rows={3} label={say.loading} tall />}
        {answer?.paired.length === 0 && <Empty icon="devices" title={say.alone} why={say.aloneWhy} />}
        <ul class="cards">
          {answer?.paired.map((one) => (
            <Paired
              key={one.id}
              device={one}
              approval={answer.approvals.find((approval) => approval.id === one.id)}
              changed={asked.again}
            />
          ))}
        </ul>
      </Section>
      <div class="two-columns">
        <Section title={say.own}>
          <OwnCode />
        </Section>
        <Section title={say.add}>
          <OtherCode
            key={code}
            given={code}
            nearby={answer?.nearby ?? []}
            nearbyOff={answer?.nearby_off ?? null}
            asked={(pairing) => {
              setSent(pairing);
              asked.again();
            }}
          />
          <Proposals devices={answer?.proposed ?? []} changed={asked.again} />
        </Section>
      </div>
      <RevokedDevices devices={answer?.revoked ?? []} changed={asked.again} />
    </div>
  );
}

function Paired(props: { device: PairedDevice; approval: Approval | undefined; changed: () => void }) {
  const { device, approval, changed } = props;
  const { backend } = useShared();
  const { busy, refusal, act, clear } = useDoing();
  const [asks, setAsks] = useState<"rename" | "unpair" | "revoke" | null>(null);
  const [name, setName] = useState(device.name);
  const say = words.devices;
  const rename = async () => {
    if (await act(() => backend.roam({ cmd: "rename", id: device.id, name: name.trim() }))) {
      setAsks(null);
      changed();
    }
  };
  const unpair = async () => {
    if (await act(() => backend.roam({ cmd: "unpair", id: device.id }))) changed();
  };
  const state = !device.confirmed ? "unconfirmed" : device.connected ? "connected" : "away";
  return (
    <li class="card">
      <Icon name="laptop" size={20} />
      <div class="card-body">
        <h3 dir="auto">{device.name}</h3>
        <p class={`device-state ${state}`}>
          <Icon name={state === "connected" ? "done" : state === "away" ? "offline" : "clock"} size={14} />
          {state === "connected" && say.connected}
          {state === "unconfirmed" && device.state !== "paired" && say.unconfirmed[device.state]}
          {state === "away" &&
            (device.last_seen ? (
              <span>
                {say.away("")}
                <Time at={device.last_seen} />
              </span>
            ) : (
              say.never
            ))}
          {device.confirmed && <span class="dim">· {say.inStep(device.in_step)}</span>}
        </p>
        {device.state === "asked" && <p>{say.askedWhy}</p>}
        {device.state === "comparing" && device.digits === "" && <p dir="auto">{say.comparingWait(device.name)}</p>}
        {device.confirmed && device.in_step < 100 && (
          <progress class="bar" max={100} value={device.in_step} aria-label={say.inStepName(device.name)} />
        )}
        <p class="dim small">
          {say.address}{" "}
          {device.addresses.length > 0
            ? device.addresses.map((one) => (
                <code key={one} dir="ltr">
                  {one}
                </code>
              ))
            : say.noAddress}
        </p>
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
          <Button kind="quiet" icon="pencil" name={say.renameName(device.name)} onClick={() => setAsks("rename")}>
            {say.rename}
          </Button>
          {device.confirmed ? (
            <Button kind="quiet" icon="unplug" name={say.unpairName(device.name)} onClick={() => setAsks("unpair")}>
              {say.unpair}
            </Button>
          ) : (
            <Button kind="quiet" icon="close" name={say.takeBackName(device.name)} onClick={() => void unpair()}>
              {say.takeBack}
            </Button>
          )}
          {device.confirmed && (
            <Button
              kind="quiet"
              icon="unplug"
              name={words.trust.revokeName(device.name)}
              onClick={() => setAsks("revoke")}
            >
              {words.trust.revoke}
            </Button>
          )}
        </div>
      )}
    </li>
  );
}
