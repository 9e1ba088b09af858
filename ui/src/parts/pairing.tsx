// Pairing: the own code as picture and text; another device's code as text or picture, and its
// effect; pairing requests; the six digits.
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { Refusal } from "../backend/backend";
import type { AskingDevice, Code, Devices, NearbyDevice, PairedDevice } from "../backend/types";
import { clock } from "../lib/format";
import { film, readQr } from "../lib/picture";
import { link } from "../route";
import { useAnswer, useDoing, useNow, useShared } from "../state";
import { words } from "../words";
import { Button, CopyButton, Failed, FirstFocus, Refused, Skeleton, Submit } from "./common";
import { Digits } from "./digits";
import { Icon } from "./icon";
import { Qr } from "./qr";

export function OwnCode() {
  const { revision } = useShared();
  // The code's secret is renewed while it is shown.
  const now = useNow();
  const asked = useAnswer({ cmd: "device" }, revision * 1e9 + (Math.floor(now / 30_000) % 1e9));
  const say = words.devices;
  if (asked.phase === "failed" && !asked.answer) return <Failed refusal={asked.refusal} again={asked.again} />;
  if (!asked.answer) return <Skeleton rows={3} label={say.loading} tall />;
  const { name, code, code_until } = asked.answer;
  return (
    <div class="own-code">
      <Qr text={code} name={say.qr(name)} />
      <div class="own-code-text">
        <p class="strong" dir="auto">
          {name}
        </p>
        <p class="dim">
          {say.ownWhy} {say.ownUntil(clock(code_until))}
        </p>
        <p class="code-text" dir="ltr" tabIndex={0} role="group" aria-label={say.ownCode}>
          {code}
        </p>
        <CopyButton text={code} copied={say.copied}>
          {say.copyCode}
        </CopyButton>
      </div>
    </div>
  );
}

/** One attempt to pair: a code is read, its effect is shown, and only then something is sent. */
function useAttempt(sent: () => void) {
  const { backend } = useShared();
  const { busy, refusal, act, clear } = useDoing();
  const [read, setRead] = useState<{ code: Code; from: string } | null>(null);
  const cancel = useCallback(() => setRead(null), []);
  /** Reading a code sends nothing. */
  const look = async (text: string) => {
    const code = await act(() => backend.roam({ cmd: "read_code", code: text.trim() }));
    setRead(code ? { code, from: text.trim() } : null);
  };
  const pair = async (follow: boolean) => {
    if (!read) return;
    const begun = await act(async () => {
      const pairing = await backend.roam({ cmd: "pair", code: read.from });
      if (follow) await backend.roam({ cmd: "follow", id: pairing.id, on: true });
      return pairing;
    });
    if (!begun) return;
    setRead(null);
    sent();
  };
  return { busy, refusal, clear, act, read, look, pair, cancel };
}

interface PathProps {
  answer: Devices | undefined;
  changed: () => void;
  given?: string;
}

/** The ways to pair, the easiest one first: a device nearby, a code from there, this device's code
 * given to the other one. */
export function PairPath({ answer, changed, given = "" }: PathProps) {
  const say = words.devices;
  return (
    <div class="pair-path">
      <Nearby
        devices={answer?.nearby ?? []}
        off={answer?.nearby_off ?? null}
        known={answer !== undefined}
        sent={changed}
      />
      <p class="dim pair-or">{say.oneDirection}</p>
      <div class="two-columns">
        <section aria-labelledby="pair-other">
          <h2 id="pair-other">{say.add}</h2>
          <OtherCode key={given} given={given} sent={changed} />
        </section>
        <section aria-labelledby="pair-own">
          <h2 id="pair-own">{say.own}</h2>
          <OwnCode />
        </section>
      </div>
    </div>
  );
}

function OtherCode({ sent, given }: { sent: () => void; given: string }) {
  const { picture, pictureTaken } = useShared();
  const [code, setCode] = useState(given);
  const [isReading, setReading] = useState(false);
  const [isFilming, setFilming] = useState(false);
  const chooser = useRef<HTMLInputElement>(null);
  const say = words.devices;
  const attempt = useAttempt(() => {
    setCode("");
    sent();
  });
  const { busy, read, act } = attempt;

  const enter = (text: string) => {
    setCode(text);
    attempt.cancel();
    attempt.clear();
  };
  const take = async (picture: Blob | null | undefined) => {
    if (!picture) return;
    setReading(true);
    const text = await act(async () => {
      const read = await readQr(picture).catch(() => null);
      if (!read) throw new Refusal({ code: "no_qr", message: say.noQr, hint: "" });
      if (!isCode(read)) throw new Refusal({ code: "not_ours", message: say.notOurs, hint: "" });
      return read;
    });
    setReading(false);
    if (text) enter(text);
  };
  const takeLatest = useRef(take);
  takeLatest.current = take;
  useEffect(() => {
    const paste = (event: ClipboardEvent) => {
      const file = [...(event.clipboardData?.files ?? [])].find((one) => one.type.startsWith("image/"));
      if (file) {
        event.preventDefault();
        void takeLatest.current(file);
      }
    };
    addEventListener("paste", paste);
    return () => removeEventListener("paste", paste);
  }, []);

  useEffect(() => {
    if (!picture) return;
    pictureTaken();
    void takeLatest.current(picture);
  }, [picture, pictureTaken]);

  const look = () => code.trim() && void attempt.look(code);
  return (
    <form
      class="other-code"
      aria-label={say.add}
      onSubmit={(event) => {
        event.preventDefault();
        look();
      }}
    >
      <label for="other-code">{say.paste}</label>
      <textarea
        id="other-code"
        class="field mono"
        rows={3}
        dir="ltr"
        spellcheck={false}
        placeholder={say.pasteHint}
        value={code}
        onInput={(event) => enter(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === "Enter") {
            event.preventDefault();
            look();
          }
        }}
      />
      {read && (
        <Meant
          code={read.code}
          how={read.from.startsWith("session-roam://") ? "link" : read.code.proves ? "code" : "nearby"}
          busy={busy}
          pair={(follow) => void attempt.pair(follow)}
          cancel={attempt.cancel}
        />
      )}
      <div class="row-of-buttons">
        {!read && (
          <Submit busy={busy} blocked={code.trim() === "" ? say.codeFirst : undefined}>
            {say.ask}
          </Submit>
        )}
      </div>
      <p class="dim drop-hint" role="status">
        {isReading ? say.reading : say.drop}
      </p>
      <div class="row-of-buttons">
        <Button icon="qr" busy={busy} onClick={() => chooser.current?.click()}>
          {say.picture}
        </Button>
        <Button icon="camera" busy={busy} pressed={isFilming} onClick={() => setFilming(!isFilming)}>
          {isFilming ? say.cameraStop : say.camera}
        </Button>
      </div>
      {isFilming && (
        <Camera
          found={(text) => {
            setFilming(false);
            enter(text);
          }}
        />
      )}
      <input
        ref={chooser}
        type="file"
        accept="image/*"
        class="visually-hidden"
        tabIndex={-1}
        aria-label={say.picture}
        onChange={(event) => {
          void take(event.currentTarget.files?.[0]);
          event.currentTarget.value = "";
        }}
      />
      <Refused refusal={attempt.refusal} clear={attempt.clear} />
    </form>
  );
}

/** Whether a QR code's text is accepted. */
function isCode(text: string): boolean {
  return text.startsWith("session-roam:") || /^([A-Z2-7]{7}-){7}/.test(text);
}

interface NearbyProps {
  devices: NearbyDevice[];
  /** Why there are none. */
  off: string | null;
  known: boolean;
  sent: () => void;
}

/** Devices on the same network: the shortest way, with digits to compare. */
function Nearby({ devices, off, known, sent }: NearbyProps) {
  const say = words.devices;
  const attempt = useAttempt(sent);
  return (
    <section class="nearby" aria-labelledby="nearby">
      <h2 id="nearby">{say.near}</h2>
      {off !== null ? (
        <p class="dim">
          {say.nearOff(off)} <a href={link("settings")}>{say.nearSwitch}</a>
        </p>
      ) : (
        <p class="dim">{devices.length > 0 ? say.nearWhy : known ? say.nearNone : words.loading}</p>
      )}
      <ul>
        {devices.map((one) => {
          const name = one.name ?? one.id.slice(0, 7);
          return (
            <li key={one.id} class="line">
              <Icon name="laptop" />
              <div class="line-text">
                <span dir="auto">{name}</span>{" "}
                <span class="dim" dir="ltr">
                  {one.addresses.map(bareAddress).join(", ")}
                </span>
                {attempt.read?.from === one.id && (
                  <Meant
                    code={attempt.read.code}
                    how="nearby"
                    busy={attempt.busy}
                    pair={(follow) => void attempt.pair(follow)}
                    cancel={attempt.cancel}
                  />
                )}
              </div>
              {attempt.read?.from !== one.id && (
                <Button busy={attempt.busy} name={say.pickName(name)} onClick={() => void attempt.look(one.id)}>
                  {say.pick}
                </Button>
              )}
            </li>
          );
        })}
      </ul>
      <Refused refusal={attempt.refusal} clear={attempt.clear} />
    </section>
  );
}

/** tcp://192.168.1.40:22000 → 192.168.1.40 */
export function bareAddress(address: string): string {
  return address.replace(/^\w+:\/\//, "").replace(/:\d+$/, "");
}

/** The camera, until it sees a code of ours. */
function Camera({ found }: { found: (code: string) => void }) {
  const video = useRef<HTMLVideoElement>(null);
  const [trouble, setTrouble] = useState<string | null>(null);
  const say = words.devices;
  const latest = useRef(found);
  latest.current = found;
  useEffect(
    () =>
      film(
        video.current!,
        (text) => {
          if (isCode(text)) latest.current(text);
          else setTrouble(say.notOurs);
        },
        (why) => setTrouble({ none: say.noCamera, denied: say.cameraDenied, missing: say.cameraMissing }[why]),
      ),
    [],
  );
  return (
    <div class="camera">
      <video ref={video} muted playsInline aria-label={say.cameraView} />
      <p class="dim" role="status">
        {trouble ?? say.cameraHint}
      </p>
    </div>
  );
}

interface MeantProps {
  code: Code;
  how: "code" | "link" | "nearby";
  busy: boolean;
  pair: (follow: boolean) => void;
  cancel: () => void;
}

/** The owner of a code and the effect of pairing, before anything is sent. */
function Meant({ code, how, busy, pair, cancel }: MeantProps) {
  const say = words.devices;
  const compares = !code.proves && !code.has_code;
  const [follow, setFollow] = useState(false);
  return (
    <FirstFocus>
      <div class="consequence meant" role="group" aria-label={say.add}>
        <p>
          <strong dir="auto">
            {how === "link" ? say.meantLink(code.name) : how === "code" ? say.meant(code.name) : say.meantNearby}
          </strong>
          {how === "link" && <> {say.linkWhy}</>}
        </p>
        <p class="code-text small" dir="ltr">
          {code.id}
        </p>
        <p>{compares ? say.compareWhy : say.shared(code.name)}</p>
        <FollowChoice name={code.name} on={follow} set={setFollow} />
        <div class="row-of-buttons">
          <Button kind="main" busy={busy} onClick={() => pair(follow)}>
            {compares ? say.compareWith(code.name) : say.pairWith(code.name)}
          </Button>
          <Button onClick={cancel}>{say.cancel}</Button>
        </div>
      </div>
    </FirstFocus>
  );
}

/** Whether approvals given on the device being paired apply here. */
function FollowChoice(props: { name: string; on: boolean; set: (on: boolean) => void }) {
  return (
    <label class="small tick">
      <input type="checkbox" checked={props.on} onChange={(event) => props.set(event.currentTarget.checked)} />
      <span dir="auto">{words.trust.follow(props.name)}</span>
    </label>
  );
}

/** A pairing request: a device with this device's code is let in; with any other, digits are
 * compared first. */
export function AskingQuestion({ device, done }: { device: AskingDevice; done: () => void }) {
  const { backend, tell } = useShared();
  const { busy, refusal, act, clear } = useDoing();
  const say = words.devices;
  const { id, name, has_code: hasCode } = device;
  const [follow, setFollow] = useState(false);
  const letIn = async () => {
    const pairing = await act(async () => {
      const paired = await backend.roam({ cmd: "accept", id });
      if (follow) await backend.roam({ cmd: "follow", id, on: true });
      return paired;
    });
    if (!pairing) return;
    tell(say.paired(pairing.name));
    done();
  };
  const compare = async () => {
    if (await act(() => backend.roam({ cmd: "pair", code: id }))) done();
  };
  const dismiss = async () => {
    if (await act(() => backend.roam({ cmd: "dismiss", id }))) done();
  };
  const title = hasCode ? say.hasCode(name) : say.asking(name);
  return (
    <li class="asking" aria-label={title}>
      <Icon name="devices" size={20} />
      <div class="asking-text">
        <p>
          <strong dir="auto">{title}</strong> {device.address && <span class="dim">{say.askedAt(device.address)}</span>}
        </p>
        <p>{hasCode ? say.hasCodeWhy : say.askingWhy}</p>
        <p class="dim small code-text" dir="ltr">
          {id}
        </p>
        {hasCode && <FollowChoice name={name} on={follow} set={setFollow} />}
        <Refused refusal={refusal} clear={clear} />
      </div>
      <div class="row-of-buttons">
        <Button kind={hasCode ? "main" : undefined} busy={busy} onClick={() => void (hasCode ? letIn() : compare())}>
          {hasCode ? say.letIn : say.compare}
        </Button>
        <Button busy={busy} onClick={() => void dismiss()}>
          {say.notMine}
        </Button>
      </div>
    </li>
  );
}

/** Pairings that are not complete on both sides, until they are, were refused, or are cancelled. */
export function Pending({ devices, changed }: { devices: readonly PairedDevice[]; changed: () => void }) {
  const { tell } = useShared();
  const waiting = devices.filter((one) => one.state !== "paired");
  // A pairing that completes while it is watched is told: the other device's user did it.
  const before = useRef<ReadonlySet<string>>(new Set());
  useEffect(() => {
    for (const one of devices) {
      if (one.state === "paired" && before.current.has(one.id)) tell(words.devices.paired(one.name));
    }
    before.current = new Set(waiting.map((one) => one.id));
  });
  return (
    <>
      {waiting.map((one) => (
        <PendingDevice key={one.id} device={one} changed={changed} />
      ))}
    </>
  );
}

function PendingDevice({ device, changed }: { device: PairedDevice; changed: () => void }) {
  const { backend, tell } = useShared();
  const { busy, refusal, act, clear } = useDoing();
  const say = words.devices;
  const { id, name, digits, state } = device;
  const compares = state === "comparing" && digits !== "";
  const unpair = async (told?: string) => {
    if (!(await act(() => backend.roam({ cmd: "unpair", id })))) return;
    if (told) tell(told);
    changed();
  };
  const match = async () => {
    if (await act(() => backend.roam({ cmd: "accept", id, digits }))) changed();
  };
  const title = state === "ended" ? say.ended(name) : compares ? say.comparing(name) : say.requested(name);
  return (
    <li class={state === "ended" ? "asking ended" : "asking"} aria-label={title}>
      <Icon name={state === "ended" ? "alert" : compares ? "devices" : "clock"} size={20} />
      <div class="asking-text" role="status">
        <p>
          <strong dir="auto">{title}</strong>
        </p>
        {state !== "ended" && <Steps at={compares || state === "confirming" ? 1 : 0} name={name} />}
        {digits !== "" && (
          <p class="digits-line">
            <Digits digits={digits} /> <span>{compares ? say.comparingWhy : say.confirmThere(name)}</span>
          </p>
        )}
        {state === "asked" && <p>{say.askedWhy(name)}</p>}
        {state === "comparing" && digits === "" && <p>{say.comparingWait(name)}</p>}
        {state === "confirming" && digits === "" && <p>{say.connecting(name)}</p>}
        {state === "ended" && <p>{say.endedWhy}</p>}
        <Refused refusal={refusal} clear={clear} />
      </div>
      <div class="row-of-buttons">
        {compares && (
          <>
            <Button kind="main" busy={busy} onClick={() => void match()}>
              {say.match}
            </Button>
            <Button busy={busy} onClick={() => void unpair(say.differed)}>
              {say.differ}
            </Button>
          </>
        )}
        <Button
          kind={compares ? "quiet" : "plain"}
          busy={busy}
          name={say.cancelName(name)}
          onClick={() => void unpair()}
        >
          {state === "ended" ? say.remove : say.cancel}
        </Button>
      </div>
    </li>
  );
}

/** How far a pairing is: sent, confirmed on both devices, paired. */
function Steps({ at, name }: { at: number; name: string }) {
  return (
    <ol class="pair-steps">
      {words.devices.pairSteps(name).map((step, n) => (
        <li key={step} class={n < at ? "past" : undefined} aria-current={n === at ? "step" : undefined}>
          <Icon name={n < at ? "check" : n === at ? "clock" : "right"} size={12} />
          <span dir="auto">{step}</span>
        </li>
      ))}
    </ol>
  );
}
