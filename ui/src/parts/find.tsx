// Finding a text in a whole session: the engine says where it stands, the window goes there.
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { asRefusal } from "../backend/backend";
import type { Occurrences } from "../backend/types";
import { type Found, firstAfter, nth, reachable } from "../lib/occurrences";
import { letterOf, useShared } from "../state";
import { ALT, words } from "../words";
import { IconButton } from "./common";
import { Icon } from "./icon";

export interface Finding {
  text: string;
  setText: (text: string) => void;
  busy: boolean;
  /** The search was refused: what there is is not known. */
  failed: boolean;
  /** What was looked for; `null` before the answer. */
  sought: string | null;
  total: number;
  /** From 1; 0 if there is none. */
  at: number;
  now: Found | null;
  step: (by: 1 | -1) => void;
}

const REST = 160;

/** `state` changes with the session, which is then searched again; `from` is the message in sight when the search
 * begins. */
export function useFinding(session: string, state: string, from: () => number): Finding {
  const { backend, tell } = useShared();
  const [text, setText] = useState("");
  const [answer, setAnswer] = useState<{ text: string; found: Occurrences } | null>(null);
  const [at, setAt] = useState(0);
  const [busy, setBusy] = useState(false);
  const [failed, setFailed] = useState(false);
  const turn = useRef(0);
  const shownFor = useRef<string | null>(null);
  useEffect(() => {
    turn.current += 1;
    const own = turn.current;
    if (text.trim() === "") {
      setAnswer(null);
      setBusy(false);
      setFailed(false);
      shownFor.current = null;
      return;
    }
    setBusy(shownFor.current !== text);
    const timer = setTimeout(async () => {
      try {
        const found = await backend.roam({ cmd: "find", session, text });
        if (own !== turn.current) return;
        setAnswer({ text, found });
        setFailed(false);
        // What the user looks at stays the place, if it is the same search.
        const most = reachable(found);
        setAt((before) =>
          shownFor.current === text && before > 0 ? Math.min(before, most) : firstAfter(found, from()),
        );
        shownFor.current = text;
      } catch (thrown) {
        if (own !== turn.current) return;
        // What an earlier text found is no answer to this one.
        if (shownFor.current !== text) setAnswer(null);
        setFailed(true);
        const { message, hint } = asRefusal(thrown, words.failed.unknown);
        tell(`${message} ${hint}`.trim());
      }
      if (own === turn.current) setBusy(false);
    }, REST);
    return () => clearTimeout(timer);
  }, [text, session, state]);
  // Of very many occurrences only the first ones have places.
  const most = answer ? reachable(answer.found) : 0;
  const step = useCallback(
    (by: 1 | -1) => setAt((before) => (most === 0 ? 0 : ((before - 1 + by + most) % most) + 1)),
    [most],
  );
  const now = answer && at > 0 ? nth(answer.found, at - 1) : null;
  return {
    text,
    setText,
    busy,
    failed,
    sought: answer?.text ?? null,
    total: answer?.found.total ?? 0,
    at: most === 0 ? 0 : at,
    now,
    step,
  };
}

interface BarProps {
  finding: Finding;
  field: { current: HTMLInputElement | null };
  leave: () => void;
  own: (by: 1 | -1) => void;
}

export function ReaderBar({ finding, field, leave, own }: BarProps) {
  const say = words.transcript;
  const isOn = finding.text.trim() !== "";
  const clear = () => {
    finding.setText("");
    leave();
  };
  return (
    <div class="reader-bar" role="toolbar" aria-label={say.tools}>
      <search class="search-field find-field">
        <Icon name="search" size={14} />
        <input
          ref={field}
          type="text"
          aria-label={say.find}
          placeholder={say.findHint}
          value={finding.text}
          onInput={(event) => finding.setText(event.currentTarget.value)}
          onKeyDown={(event) => {
            const isFind = (event.ctrlKey || event.metaKey) && letterOf(event).toLowerCase() === "f";
            if (event.key === "Enter") finding.step(event.shiftKey ? -1 : 1);
            else if (event.key === "Escape") clear();
            else if (isFind) event.currentTarget.select();
            else return;
            event.preventDefault();
            event.stopPropagation();
          }}
        />
        {isOn ? (
          <span class="found-count" role="status">
            {finding.busy ? say.finding : finding.failed ? say.findFailed : say.found(finding.at, finding.total)}
          </span>
        ) : (
          <kbd aria-hidden="true">{FIND_KEY}</kbd>
        )}
      </search>
      {isOn && (
        <>
          <IconButton icon="up" name={say.findPrevious} onClick={() => finding.step(-1)} />
          <IconButton icon="down" name={say.findNext} onClick={() => finding.step(1)} />
          <IconButton icon="close" name={say.findClose} onClick={clear} />
        </>
      )}
      <span class="reader-gap" />
      <span class="own-label" aria-hidden="true" title={say.ownMessages}>
        <Icon name="user" size={14} />
        <span>{say.ownMessages}</span>
      </span>
      <IconButton icon="up" name={`${say.previousOwn} (${ALT}+↑)`} onClick={() => own(-1)} />
      <IconButton icon="down" name={`${say.nextOwn} (${ALT}+↓)`} onClick={() => own(1)} />
    </div>
  );
}

const FIND_KEY = /Mac/.test(globalThis.navigator?.platform ?? "") ? "⌘F" : "Ctrl F";
