// What the window keeps: until it is closed (search words, filters, places in lists), or between
// starts (pins, order, size, theme). Nothing of it leaves this device. A webview without storage
// keeps it as long as the page is open.
import { useCallback, useEffect, useState } from "preact/hooks";

type Length = "page" | "device";

const unstored = new Map<string, string>();
const hearers = new Set<(key: string) => void>();

function storage(length: Length): Storage | null {
  try {
    return length === "page" ? sessionStorage : localStorage;
  } catch {
    return null;
  }
}

/** The kept value; `initial` if there is none, or one that `accept` refuses. */
export function kept<T>(length: Length, key: string, initial: T, accept: (value: unknown) => value is T): T {
  try {
    const text = storage(length)?.getItem(key) ?? unstored.get(key);
    const value: unknown = text ? JSON.parse(text) : undefined;
    return accept(value) ? value : initial;
  } catch {
    return initial;
  }
}

export function keep(length: Length, key: string, value: unknown): void {
  const text = JSON.stringify(value);
  unstored.set(key, text);
  try {
    storage(length)?.setItem(key, text);
  } catch {
    // A full or forbidden store: the page's own memory has it.
  }
  for (const hear of hearers) hear(key);
}

/** A kept value as state. All parts that use the same key agree, in other windows too. */
export function useKept<T>(
  length: Length,
  key: string,
  initial: T,
  accept: (value: unknown) => value is T,
): [T, (value: T) => void] {
  const [value, setValue] = useState(() => kept(length, key, initial, accept));
  useEffect(() => {
    const read = (changed: string | null) => {
      if (changed === key) setValue(kept(length, key, initial, accept));
    };
    const elsewhere = (event: StorageEvent) => read(event.key);
    hearers.add(read);
    addEventListener("storage", elsewhere);
    return () => {
      hearers.delete(read);
      removeEventListener("storage", elsewhere);
    };
  }, [length, key]);
  const set = useCallback((next: T) => keep(length, key, next), [length, key]);
  return [value, set];
}

export const isText = (value: unknown): value is string => typeof value === "string";
export const isNumber = (value: unknown): value is number => typeof value === "number" && Number.isFinite(value);
export const isTexts = (value: unknown): value is string[] => Array.isArray(value) && value.every(isText);

/** One of a few texts. */
export function oneOf<T extends string>(...all: readonly T[]): (value: unknown) => value is T {
  return (value): value is T => (all as readonly unknown[]).includes(value);
}
