// Pairing: the own code as picture and text; another device's code as text or picture, and its
// effect; pairing requests; the six digits.
import { useEffect, useRef, useState } from "preact/hooks";
import { Refusal } from "../backend/backend";
import type { AskingDevice, Code, NearbyDevice, PairedDevice, Pairing } from "../backend/types";
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

interface OtherCodeProps {
  asked: (pairing: Pairing) => void;
  given?: string;
  nearby?: NearbyDevice[];
  /** Why there are none; shown only with the list itself. */
  nearbyOff?: string | null;
}

export function OtherCode({ asked, given = "", nearby, nearbyOff = null }: OtherCodeProps) {
  const { backend, picture, pictureTaken } = useShared();
  const { busy, refusal, act, clear } = useDoing();
  const [code, setCode] = useState(given);
  const [isReading, setReading] = useState(false);
  const [isFilming, setFilming] = useState(false);
  const chooser = useRef<HTMLInputElement>(null);
  const say = words.devices;
  const [read, setRead] = useState<Code | null>(null);
  const picked = nearby?.find((one) => one.id === code.trim());

  const pick = (id: string) => {
    enter(id);
    clear();
  };
  const enter = (text: string) => {
    setCode(text);
    setRead(null);
  };
  /** Reading a code sends nothing: its effect is shown first. */
  const look = async (text: string) => {
    const found = await act(() => backend.roam({ cmd: "read_code", code: text.trim() }));
    if (found) setRead(found);
  };
  const pair = async (follow: boolean) => {
    const pairing = await act(async () => {
      const begun = await backend.roam({ cmd: "pair", code: code.trim() });
      if (follow) await backend.roam({ cmd: "follow", id: begun.id, on: true });
      return begun;
    });
    if (!pairing) return;
    enter("");
    asked(pairing);
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

  return (
    <form
      class="other-code"
      aria-label={say.add}
      onSubmit={(event) => {
        event.preventDefault();
        if (code.trim()) void look(code);
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
        onInput={(event) => {
          enter(event.currentTarget.value);
          clear();
        }}
        onKeyDown={(event) => {
          if (event.key === "Enter") {
            event.preventDefault();
            if (code.trim()) void look(code);
          }
        }}
      />
      {read && (
        <Meant
          code={read}
          how={code.trim().startsWith("session-roam://") ? "link" : read.proves ? "code" : "nearby"}
          busy={busy}
          pair={(follow) => void pair(follow)}
          cancel={() => setRead(null)}
        />
      )}
      <div class="row-of-buttons">
        {!read && (
          <Submit busy={busy} blocked={code.trim() === "" ? say.codeFirst : undefined}>
            {say.ask}
          </Submit>
        )}
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
            clear();
          }}
        />
      )}
      <p class="dim drop-hint" role="status">
        {isReading ? say.reading : say.drop}
      </p>
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
      <Refused refusal={refusal} clear={clear} />
      {nearby && <Nearby devices={nearby} off={nearbyOff} picked={picked?.id ?? null} pick={pick} />}
    </form>
  );
}

/** Whether a QR code's text is accepted. */
function isCode(text: string): boolean {
  return text.startsWith("session-roam:") || /^([A-Z2-7]{7}-){7}/.test(text);
}

interface NearbyProps {
  devices: NearbyDevice[];
  off: string | null;
  picked: string | null;
  pick: (id: string) => void;
}

function Nearby({ devices, off, picked, pick }: NearbyProps) {
  const say = words.devices;
  return (
    <fieldset class="nearby">
      <legend>{say.near}</legend>
      {off !== null ? (
        <p class="dim">
          {say.nearOff(off)} <a href={link("settings")}>{say.nearSwitch}</a>
        </p>
      ) : devices.length === 0 ? (
        <p class="dim">{say.nearNone}</p>
      ) : (
        <p class="dim">{say.nearWhy}</p>
      )}
      {devices.map((one) => (
        <label key={one.id} class="nearby-device">
          <input type="radio" name="nearby" checked={picked === one.id} onChange={() => pick(one.id)} />
          <span class="nearby-name" dir="auto" title={one.addresses.join(", ")}>
            {say.nearby(one.name ?? one.id.slice(0, 7))}
          </span>
        </label>
      ))}
    </fieldset>
  );
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
    <label class="small">
      <input type="checkbox" checked={props.on} onChange={(event) => props.set(event.currentTarget.checked)} />{" "}
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

/** The question on both sides: do both screens show the same? */
export function DigitsQuestion({ device, done }: { device: PairedDevice; done: () => void }) {
  const { backend, tell } = useShared();
  const { busy, refusal, act, clear } = useDoing();
  const say = words.devices;
  const { id, name, digits } = device;
  const match = async () => {
    const pairing = await act(() => backend.roam({ cmd: "accept", id, digits }));
    if (!pairing) return;
    tell(say.paired(pairing.name));
    done();
  };
  const differ = async () => {
    if (!(await act(() => backend.roam({ cmd: "unpair", id })))) return;
    tell(say.differed);
    done();
  };
  return (
    <li class="asking" aria-label={say.comparing(name)}>
      <Icon name="devices" size={20} />
      <div class="asking-text">
        <p>
          <strong dir="auto">{say.comparing(name)}</strong>
        </p>
        <p class="digits-line">
          <Digits digits={digits} /> <span>{say.comparingWhy}</span>
        </p>
        <Refused refusal={refusal} clear={clear} />
      </div>
      <div class="row-of-buttons">
        <Button kind="main" busy={busy} onClick={() => void match()}>
          {say.match}
        </Button>
        <Button busy={busy} onClick={() => void differ()}>
          {say.differ}
        </Button>
      </div>
    </li>
  );
}
