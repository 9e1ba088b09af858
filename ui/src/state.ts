// What all views share: the backend, the latest status, the clock, and asking with a state for each phase of it.
import { createContext } from "preact";
import { useCallback, useContext, useEffect, useMemo, useRef, useState } from "preact/hooks";
import { asRefusal, type Backend, type Refusal } from "./backend/backend";
import type { Answer, Command, Request, Status, ToolRow } from "./backend/types";
import { words } from "./words";

export interface Shared {
  backend: Backend;
  /** `null` until the first one came. */
  status: Status | null;
  /** Why there is none, where the engine does not answer. */
  lost: Refusal | null;
  /** Asks for everything again. */
  reload: () => void;
  /** Grows whenever something changed that lists may want to show. */
  revision: number;
  /** Tools by id: their names come from the engine. */
  tools: ReadonlyMap<string, ToolRow>;
  /** Asks for an address to be opened, after showing it. */
  openLink: (address: string) => void;
  /** Says something to everybody, screen readers too. */
  tell: (text: string, undo?: () => void) => void;
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

/** An answer, asked again whenever the request or `revision` changes; the old one stays while the new one is on its way. */
export function useAnswer<C extends Command>(
  request: Request<C>,
  revision = 0,
): Asked<Answer<C>> & { again: () => void } {
  const { backend } = useShared();
  const key = JSON.stringify(request);
  const [state, setState] = useState<{ key: string; asked: Asked<Answer<C>> }>({ key, asked: LOADING });
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    let current = true;
    backend.roam(request).then(
      (answer) => current && setState({ key, asked: { phase: "ready", answer, refusal: undefined } }),
      (thrown) => {
        if (!current) return;
        const refusal = asRefusal(thrown, words.failed.unknown);
        setState((before) => ({
          key,
          asked: { phase: "failed", answer: before.key === key ? before.asked.answer : undefined, refusal },
        }));
      },
    );
    return () => {
      current = false;
    };
  }, [backend, key, revision, turn]);
  const again = useCallback(() => setTurn((before) => before + 1), []);
  const asked = state.key === key ? state.asked : (LOADING as Asked<Answer<C>>);
  return useMemo(() => ({ ...asked, again }), [asked, again]);
}

const LOADING = { phase: "loading", answer: undefined, refusal: undefined } as const;

/** Doing something: busy meanwhile, the refusal afterwards where there is one. */
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

/** The latest value, taken over at most every so often: for answers that are large. */
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

/** The present, a new one every few seconds: ages on the screen grow by themselves. One clock ticks for all. */
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

/** Keys of a view, heard while nothing is being typed. */
export function useKeys(keys: Record<string, (event: KeyboardEvent) => void>): void {
  const latest = useRef(keys);
  latest.current = keys;
  useEffect(() => {
    const hear = (event: KeyboardEvent) => {
      const target = event.target as HTMLElement | null;
      const typing = target?.closest("input, textarea, select, [contenteditable]") != null;
      if (typing || event.altKey || document.querySelector("dialog[open]")) return;
      const name = (event.ctrlKey || event.metaKey ? "Mod+" : "") + event.key;
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
