// Pairing: the own code as picture and text; another device's code as text or picture; the six digits.
import { useEffect, useRef, useState } from "preact/hooks";
import { Refusal } from "../backend/backend";
import type { Pairing } from "../backend/types";
import { readQr } from "../lib/picture";
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

export function OtherCode({ asked, given = "" }: { asked: (pairing: Pairing) => void; given?: string }) {
  const { backend } = useShared();
  const { busy, refusal, act, clear } = useDoing();
  const [code, setCode] = useState(given);
  const [isOver, setOver] = useState(false);
  const [isReading, setReading] = useState(false);
  const chooser = useRef<HTMLInputElement>(null);
  const say = words.devices;

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
      if (!read.startsWith("session-roam:") && !/^([A-Z2-7]{7}-){7}/.test(read))
        throw new Refusal({ code: "not_ours", message: say.notOurs, hint: "" });
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
      <div class="row-of-buttons">
        <Submit busy={busy} blocked={code.trim() === "" ? say.codeFirst : undefined}>
          {say.ask}
        </Submit>
        <Button icon="qr" busy={busy} onClick={() => chooser.current?.click()}>
          {say.picture}
        </Button>
      </div>
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
    </form>
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
