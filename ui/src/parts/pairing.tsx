// Pairing: the own code as picture and text; another device's code as text or picture; the six digits.
import { useEffect, useRef, useState } from "preact/hooks";
import { Refusal } from "../backend/backend";
import type { NearbyDevice, Pairing } from "../backend/types";
import { film, readQr } from "../lib/picture";
import { link } from "../route";
import { useAnswer, useDoing, useShared } from "../state";
import { words } from "../words";
import { Button, CopyButton, Failed, Refused, Skeleton, Submit } from "./common";
import { Digits } from "./digits";
import { Icon } from "./icon";
import { Qr } from "./qr";

export function OwnCode() {
  const { revision } = useShared();
  const asked = useAnswer({ cmd: "device" }, revision);
  const say = words.devices;
  if (asked.phase === "failed" && !asked.answer) return <Failed refusal={asked.refusal} again={asked.again} />;
  if (!asked.answer) return <Skeleton rows={3} label={say.loading} tall />;
  const { name, code } = asked.answer;
  return (
    <div class="own-code">
      <Qr text={code} name={say.qr(name)} />
      <div class="own-code-text">
        <p class="strong" dir="auto">
          {name}
        </p>
        <p class="dim">{say.ownWhy}</p>
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
  /** Why there are none; said only where the list itself is. */
  nearbyOff?: string | null;
}

export function OtherCode({ asked, given = "", nearby, nearbyOff = null }: OtherCodeProps) {
  const { backend } = useShared();
  const { busy, refusal, act, clear } = useDoing();
  const [code, setCode] = useState(given);
  const [isOver, setOver] = useState(false);
  const [isReading, setReading] = useState(false);
  const [isFilming, setFilming] = useState(false);
  const chooser = useRef<HTMLInputElement>(null);
  const say = words.devices;
  // Filled in from the list: nobody has shown this code, so the digits are compared before it is asked.
  const picked = nearby?.find((one) => one.id === code.trim());

  const pick = (id: string) => {
    setCode(id);
    clear();
  };
  const ask = async (text: string) => {
    const pairing = await act(() => backend.roam({ cmd: "pair", code: text.trim() }));
    if (!pairing) return;
    setCode("");
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
    if (text) setCode(text);
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

  return (
    <form
      class={isOver ? "other-code over" : "other-code"}
      aria-label={say.add}
      onSubmit={(event) => {
        event.preventDefault();
        if (code.trim()) void ask(code);
      }}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        event.preventDefault();
        setOver(false);
        void take(event.dataTransfer?.files[0]);
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
          setCode(event.currentTarget.value);
          clear();
        }}
        onKeyDown={(event) => {
          if (event.key === "Enter") {
            event.preventDefault();
            if (code.trim()) void ask(code);
          }
        }}
      />
      {picked && (
        <p class="digits-line" role="status">
          <span>{say.nearCompare}</span> <Digits digits={picked.digits} />
        </p>
      )}
      <div class="row-of-buttons">
        <Submit busy={busy} blocked={code.trim() === "" ? say.codeFirst : undefined}>
          {picked ? say.nearAsk : say.ask}
        </Submit>
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
            setCode(text);
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

/** What a QR code must say to be taken. */
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
          <Digits digits={one.digits} />
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

/** The question on this side: do both screens show the same? */
export function DigitsQuestion({
  id,
  name,
  from,
  digits,
  done,
}: {
  id: string;
  name: string;
  from: string;
  digits: string;
  done: () => void;
}) {
  const { backend, tell } = useShared();
  const { busy, refusal, act, clear } = useDoing();
  const say = words.devices;
  const accept = async () => {
    const pairing = await act(() => backend.roam({ cmd: "accept", id }));
    if (!pairing) return;
    tell(say.paired(pairing.name));
    done();
  };
  const dismiss = async () => {
    if (await act(() => backend.roam({ cmd: "dismiss", id }))) done();
  };
  return (
    <li class="asking" aria-label={say.asking(name)}>
      <Icon name="devices" size={20} />
      <div class="asking-text">
        <p>
          <strong dir="auto">{say.asking(name)}</strong> <span class="dim">{say.askedAt(from)}</span>
        </p>
        <p class="digits-line">
          <span>{say.digits}</span> <Digits digits={digits} />
        </p>
        <Refused refusal={refusal} clear={clear} />
      </div>
      <div class="row-of-buttons">
        <Button kind="main" busy={busy} onClick={() => void accept()}>
          {say.match}
        </Button>
        <Button busy={busy} onClick={() => void dismiss()}>
          {say.notMine}
        </Button>
      </div>
    </li>
  );
}
