// What the palette offers for the words typed so far. Pure.
import type { IconName } from "../parts/icon";

export interface Command {
  id: string;
  title: string;
  /** What else it is found by; shown beside the title. */
  about: string;
  icon: IconName;
  /** The keys that do the same. */
  keys?: string;
  run: () => void;
}

/** The commands that have every word, those first whose title begins with the first word. */
export function fitting(all: readonly Command[], text: string): Command[] {
  const wanted = text.toLowerCase().split(/\s+/).filter(Boolean);
  if (wanted.length === 0) return [...all];
  const fits = all.filter((one) => {
    const hay = `${one.title} ${one.about}`.toLowerCase();
    return wanted.every((word) => hay.includes(word));
  });
  const begins = (one: Command) => Number(one.title.toLowerCase().startsWith(wanted[0]!));
  return fits.sort((one, other) => begins(other) - begins(one));
}
