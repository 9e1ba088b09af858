// State shared by all views: the backend, the latest status, the clock, and requests with a state
// for each phase.
import { createContext } from "preact";
import { useCallback, useContext, useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { asRefusal, type Backend, type Refusal } from "./backend/backend";
import type { Answer, Command, Done, Request, Status, ToolRow } from "./backend/types";
import { words } from "./words";

/** Takes back what a message is about, and says what it did. */
export interface Undo {
  act: () => Promise<Done>;
  /** The last moment, in milliseconds since 1970. */
  until: number;
}

export interface Shared {
  backend: Backend;
  /** `null` until the first status arrives. */
  status: Status | null;
  /** Why there is no status, if the engine does not answer. */
  lost: Refusal | null;
  /** Why every request but the status is refused, if so. */
  refused: Refusal | null;
  /** Requests everything again. */
  reload: () => void;
  /** Grows whenever lists may have changed. */
  revision: number;
  /** How often the user did what may change everything. */
  reloads: number;
  /** Tools by id: their names come from the engine. */
  tools: ReadonlyMap<string, ToolRow>;
  /** Asks to open an address, after showing it. */
  openLink: (address: string) => void;
  /** A picture that was dropped on the window and not read yet, and that it is being read. */
  picture: Blob | null;
  pictureTaken: () => void;
  /** Shows a message to everybody, including screen readers. */
  tell: (text: string, undo?: Undo) => void;
  /** Opens the sheet of all keys. */
  showKeys: () => void;
}

export const SharedContext = createContext<Shared | null>(null);

export function useShared(): Shared {
  const shared = useContext(SharedContext);
  if (!shared) throw new Error("drawn outside of the app");
  return shared;
}

export type Asked<T> =
  | { phase: "loading"; answer: undefined; refusal: undefined }
  | { phase: "ready"; answer: T; refusal: undefined }
  | { phase: "failed"; answer: T | undefined; refusal: Refusal };

/** An answer, requested again whenever the request or `revision` changes; the old one stays until the new one arrives.
 * One that is on its way still counts, and is requested again afterwards: answers may take longer than changes. Without
 * a request nothing is asked. */
export function useAnswer<C extends Command>(
  request: Request<C> | null,
  revision = 0,
): Asked<Answer<C>> & { again: () => void } {
  const { backend } = useShared();
  const key = JSON.stringify(request);
  const [state, setState] = useState<{ key: string; asked: Asked<Answer<C>> }>({ key, asked: LOADING });
  const [turn, setTurn] = useState(0);
  const underway = useRef<{ key: string; isLate: boolean } | null>(null);
  useEffect(() => {
    if (underway.current?.key === key) {
      underway.current.isLate = true;
      return;
    }
    underway.current = null;
    if (request === null) return;
    const own = { key, isLate: false };
    underway.current = own;
    const hear = (next: (before: Answer<C> | undefined) => Asked<Answer<C>>) => {
      if (underway.current !== own) return;
      setState((before) => ({ key, asked: next(before.key === key ? before.asked.answer : undefined) }));
      if (own.isLate) return ask();
      underway.current = null;
    };
    const ask = () => {
      own.isLate = false;
      backend.roam(request).then(
        (answer) => hear(() => ({ phase: "ready", answer, refusal: undefined })),
        (thrown) => {
          const refusal = asRefusal(thrown, words.failed.unknown);
          hear((answer) => ({ phase: "failed", answer, refusal }));
        },
      );
    };
    ask();
  }, [backend, key, revision, turn]);
  useEffect(
    () => () => {
      underway.current = null;
    },
    [],
  );
  const again = useCallback(() => setTurn((before) => before + 1), []);
  const asked = state.key === key ? state.asked : (LOADING as Asked<Answer<C>>);
  return useMemo(() => ({ ...asked, again }), [asked, again]);
}

const LOADING = { phase: "loading", answer: undefined, refusal: undefined } as const;

/** An action: busy while it runs, then its error, if any. */
export function useDoing(): {
  busy: boolean;
  refusal: Refusal | null;
  clear: () => void;
  act: <T>(work: () => Promise<T>) => Promise<T | undefined>;
} {
  const [busy, setBusy] = useState(false);
  const [refusal, setRefusal] = useState<Refusal | null>(null);
  const act = useCallback(async <T>(work: () => Promise<T>) => {
    setBusy(true);
    setRefusal(null);
    try {
      return await work();
    } catch (thrown) {
      setRefusal(asRefusal(thrown, words.failed.unknown));
      return undefined;
    } finally {
      setBusy(false);
    }
  }, []);
  const clear = useCallback(() => setRefusal(null), []);
  return { busy, refusal, clear, act };
}

/** The latest value, updated at most once per `rest`: for large answers. */
export function useRested<T>(value: T, rest: number): T {
  const [taken, setTaken] = useState(value);
  const latest = useRef(value);
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  latest.current = value;
  useEffect(() => {
    if (value === taken || timer.current) return;
    timer.current = setTimeout(() => {
      timer.current = undefined;
      setTaken(() => latest.current);
    }, rest);
  }, [value, taken, rest]);
  useEffect(() => () => clearTimeout(timer.current), []);
  return taken;
}

const TICK = 5_000;
const clocks = new Set<(now: number) => void>();
let ticking: ReturnType<typeof setInterval> | undefined;

/** The current time, updated every few seconds, so that displayed ages grow. All views share one
 * clock. */
export function useNow(): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    clocks.add(setNow);
    ticking ??= setInterval(() => {
      const present = Date.now();
      for (const hear of clocks) hear(present);
    }, TICK);
    return () => {
      clocks.delete(setNow);
      if (clocks.size > 0) return;
      clearInterval(ticking);
      ticking = undefined;
    };
  }, []);
  return now;
}

/** A view's keys, active as soon as it is drawn and while nothing is being typed. */
export function useKeys(keys: Record<string, (event: KeyboardEvent) => void>): void {
  const latest = useRef(keys);
  latest.current = keys;
  useLayoutEffect(() => {
    const hear = (event: KeyboardEvent) => {
      const target = event.target as HTMLElement | null;
      const typing = target?.closest("input, textarea, select, [contenteditable]") != null;
      if (typing || document.querySelector("dialog[open]")) return;
      const name = keyName(event);
      const act = latest.current[name];
      if (act) {
        event.preventDefault();
        act(event);
      }
    };
    addEventListener("keydown", hear);
    return () => removeEventListener("keydown", hear);
  }, []);
}

/** What a key is called, as far as names need. */
export type Pressed = Pick<KeyboardEvent, "key" | "code" | "ctrlKey" | "metaKey" | "altKey"> & {
  getModifierState: (key: "AltGraph") => boolean;
};

/** A key with what is held beside it; AltGr only makes another letter of a key. */
export function keyName(event: Pressed): string {
  if (event.getModifierState("AltGraph")) return event.key;
  const held = `${event.ctrlKey || event.metaKey ? "Mod+" : ""}${event.altKey ? "Alt+" : ""}`;
  return `${held}${letterOf(event)}`;
}

const SIGNS: Record<string, string> = { BracketLeft: "[", BracketRight: "]", Slash: "/", Minus: "-", Equal: "=" };

/** The letter that a key has; with a layout of another script, the one that it has on a Latin keyboard. */
export function letterOf({ key, code }: Pick<Pressed, "key" | "code">): string {
  if (key.length !== 1 || key <= "~" || /\p{Script=Latin}/u.test(key)) return key;
  const letter = code.startsWith("Key") ? code.slice(3) : "";
  return SIGNS[code] ?? ((key === key.toLowerCase() ? letter.toLowerCase() : letter) || key);
}

/** Keys of the whole window, active while something is typed, too; `Digit1` names the key of the
 * figure wherever it needs Shift. */
export function useGlobalKeys(keys: Record<string, () => void>): void {
  const latest = useRef(keys);
  latest.current = keys;
  useLayoutEffect(() => {
    const hear = (event: KeyboardEvent) => {
      if (!(event.ctrlKey || event.metaKey) || event.altKey || document.querySelector("dialog[open]:not(.palette)"))
        return;
      const act = latest.current[letterOf(event).toLowerCase()] ?? latest.current[event.code];
      if (!act) return;
      event.preventDefault();
      act();
    };
    addEventListener("keydown", hear);
    return () => removeEventListener("keydown", hear);
  }, []);
}
