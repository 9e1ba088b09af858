// How the window looks: its colours and the size of its text, as the user chose them. Kept on this
// device; every window of it follows a change at once.
import { isNumber, keep, kept, oneOf } from "./kept";

export const THEMES = ["system", "light", "dark"] as const;
export type Theme = (typeof THEMES)[number];
export const isTheme = oneOf(...THEMES);

/** In percent of the system's size. */
export const ZOOMS = [80, 90, 100, 110, 125, 150, 175, 200] as const;
export const NORMAL = 100;
export const isZoom = (value: unknown): value is number => isNumber(value) && ZOOMS.some((one) => one === value);

/** The next size in a direction; the same at the end. */
export function nextZoom(zoom: number, by: 1 | -1): number {
  const at = ZOOMS.findIndex((one) => one >= zoom);
  return ZOOMS[Math.max(0, Math.min(ZOOMS.length - 1, at + by))] ?? NORMAL;
}

export function zoomBy(by: 1 | -1 | 0): void {
  keep("device", "zoom", by === 0 ? NORMAL : nextZoom(kept("device", "zoom", NORMAL, isZoom), by));
  applyLook();
}

export function setTheme(theme: Theme): void {
  keep("device", "theme", theme);
  applyLook();
}

/** All sizes are in rem and all colours have a light and a dark value: two properties decide both. */
export function applyLook(): void {
  const { style } = document.documentElement;
  const theme = kept("device", "theme", "system", isTheme);
  style.colorScheme = theme === "system" ? "light dark" : theme;
  style.fontSize = `${kept("device", "zoom", NORMAL, isZoom)}%`;
}

/** Applies the look now, and whenever another window changes it. */
export function followLook(): void {
  applyLook();
  addEventListener("storage", applyLook);
}
