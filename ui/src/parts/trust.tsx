// Approving and revoking devices: approving a proposal, following a device, revoking one and
// undoing it.
import { useEffect, useState } from "preact/hooks";
import { asRefusal, Refusal } from "../backend/backend";
import type { Approval, PairedDevice, ProposedDevice, RevokeAnswer, RevokedDevice } from "../backend/types";
import { fieldOf, instantOf } from "../lib/format";
import { useDoing, useShared } from "../state";
import { words } from "../words";
import { Button, Failed, Refused, Section } from "./common";
import { Icon } from "./icon";

const say = words.trust;

/** A device that another device of yours approves: one click approves it here, too. */
export function Proposals({ devices, changed }: { devices: ProposedDevice[]; changed: () => void }) {
  const { backend } = useShared();
  const { busy, refusal, act, clear } = useDoing();
  if (devices.length === 0) return null;
  const approve = async (id: string) => {
    if (await act(() => backend.roam({ cmd: "approve", id }))) changed();
  };
  return (
    <>
      <h3>{say.proposed}</h3>
      <p class="dim small">{say.proposedWhy}</p>
      <ul class="lines">
        {devices.map((one) => (
          <li key={one.id} class="line">
            <Icon name="laptop" />
            <p class="line-text" dir="auto">
              {one.name} <span class="dim">{say.knownBy(one.by)}</span>
            </p>
            <Button busy={busy} name={say.approveName(one.name)} onClick={() => void approve(one.id)}>
              {say.approve}
            </Button>
          </li>
        ))}
      </ul>
      <Refused refusal={refusal} clear={clear} />
    </>
  );
}

/** Whether approvals given on that device apply here. */
export function Follow(props: { device: PairedDevice; approval: Approval; changed: () => void }) {
  const { device, approval, changed } = props;
  const { backend } = useShared();
  const { busy, refusal, act, clear } = useDoing();
  const follow = async (on: boolean) => {
    if (await act(() => backend.roam({ cmd: "follow", id: device.id, on }))) changed();
  };
  return (
    <>
      {approval.via !== null && (
        <p class="dim small" dir="auto">
          {say.via(approval.via)}
        </p>
      )}
      <label class="small tick">
        <input
          type="checkbox"
          aria-label={say.follow(device.name)}
          checked={approval.follow}
          disabled={busy}
          onChange={(event) => void follow(event.currentTarget.checked)}
        />
        <span dir="auto">{say.follow(device.name)}</span>
      </label>
      <Refused refusal={refusal} clear={clear} />
    </>
  );
}

/** The question before a device is revoked, with the effect. */
export function RevokeQuestion(props: { device: PairedDevice; cancel: () => void; changed: () => void }) {
  const { device, cancel, changed } = props;
  const { backend } = useShared();
  const { busy, refusal, act, clear } = useDoing();
  const [field, setField] = useState<string | null>(null);
  const since = field === null ? null : instantOf(field, Date.now());
  const unclear = field !== null && since === null;
  const [would, setWould] = useState<RevokeAnswer | Refusal | null>(null);
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    let open = true;
    setWould(null);
    const hear = (answer: RevokeAnswer | Refusal) => open && setWould(answer);
    const ask = () =>
      backend
        .roam({ cmd: "revoke", id: device.id, since, dry: true })
        .then(hear, (thrown) => hear(asRefusal(thrown, words.failed.unknown)));
    // The answer requires reading all journals of the device, so not every key press requests one.
    const soon = unclear ? 0 : window.setTimeout(ask, since === null ? 0 : 300);
    return () => {
      open = false;
      window.clearTimeout(soon);
    };
  }, [device.id, since, unclear, turn]);
  const failed = would instanceof Refusal ? would : null;
  const known = would instanceof Refusal ? null : would;
  // What is removed from all devices is said before.
  const unknown = since !== null && known === null ? (failed ? say.notCounted : say.counting) : undefined;
  const blocked = unclear ? say.noTime : unknown;
  const revoke = async () => {
    if (await act(() => backend.roam({ cmd: "revoke", id: device.id, since, dry: false }))) changed();
  };
  return (
    <div class="consequence">
      <p dir="auto">
        {say.revokeWhy(device.name)} {field === null && say.stays}
      </p>
      {known && known.not_heard.length > 0 && <p dir="auto">{say.until(device.name, known.not_heard)}</p>}
      <label class="tick">
        <input
          type="checkbox"
          checked={field !== null}
          onChange={(event) => setField(event.currentTarget.checked ? fieldOf(new Date()) : null)}
        />
        <span>{say.lost}</span>
      </label>
      {field !== null && (
        <>
          <label class="since">
            {say.lostSince}
            <input
              class="field"
              type="datetime-local"
              placeholder="2026-11-28T17:00"
              max={fieldOf(new Date())}
              value={field}
              aria-invalid={unclear}
              onInput={(event) => setField(event.currentTarget.value)}
            />
          </label>
          <p role="status">
            {unclear ? say.noTime : known ? say.cut(device.name, known.cut) : !failed && say.counting}
          </p>
        </>
      )}
      {failed && <Failed refusal={failed} again={() => setTurn(turn + 1)} title={say.notCounted} />}
      <div class="row-of-buttons">
        <Button kind="danger" busy={busy} blocked={blocked} onClick={() => void revoke()}>
          {say.revokeYes(device.name)}
        </Button>
        <Button onClick={cancel}>{say.cancel}</Button>
      </div>
      <Refused refusal={refusal} clear={clear} />
    </div>
  );
}

/** Revoked devices, and the devices that have not received the revocation yet. */
export function RevokedDevices({ devices, changed }: { devices: RevokedDevice[]; changed: () => void }) {
  const { backend } = useShared();
  const { busy, refusal, act, clear } = useDoing();
  if (devices.length === 0) return null;
  const approve = async (id: string) => {
    if (await act(() => backend.roam({ cmd: "approve", id }))) changed();
  };
  return (
    <Section title={say.revoked}>
      <ul class="lines">
        {devices.map((one) => (
          <li key={one.id} class="line">
            <Icon name="laptop" />
            <p class="line-text" dir="auto">
              {one.name} <span class="dim">{say.revokedOn(one.by)}</span>
              <span class="dim block">
                {one.not_heard.length > 0 ? say.notHeard(one.not_heard) : say.allHeard}
                {one.since !== null && ` ${say.takenOut}`}
              </span>
            </p>
            <Button busy={busy} name={say.againName(one.name)} onClick={() => void approve(one.id)}>
              {say.again}
            </Button>
          </li>
        ))}
      </ul>
      <Refused refusal={refusal} clear={clear} />
    </Section>
  );
}
