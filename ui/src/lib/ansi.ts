// What a command printed, as pieces of text with the terminal's colours. Everything else that a
// terminal understands is left out: nothing moves, rings, names a window or links.
import Anser from "anser";

export interface Printed {
  text: string;
  /** Names of colours and weights: `fg-red`, `bold`; they are classes of the style sheet. */
  styles: string[];
}

/** More changes of colour than this are noise: the rest is plain. */
const MOST_PIECES = 4_000;

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
const STRINGS = /(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c\n]{0,4096}(?:\x07|\x1b\\|\x9c|(?=\n)|$)/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: sequences other than colours.
const OTHERS = /(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|\x1b[ -/]*[0-~]/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: letters that a page cannot show.
const CONTROLS = /[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f]/g;

export function hasColours(text: string): boolean {
  return text.includes("\x1b") || text.includes("\x9b");
}

export function printed(text: string): Printed[] {
  const clean = overwritten(text.replace(STRINGS, ""));
  if (!hasColours(clean)) return [{ text: clean.replace(CONTROLS, ""), styles: [] }];
  const source = clean.replace(/\x9b/g, "\x1b[").replace(OTHERS, (found) => (isColour(found) ? found : ""));
  const end = endOfPieces(source);
  const found: Printed[] = [];
  for (const entry of Anser.ansiToJson(source.slice(0, end), { json: true, remove_empty: true, use_classes: true })) {
    add(found, entry.content.replace(CONTROLS, ""), stylesOf(entry));
  }
  if (end < source.length) add(found, source.slice(end).replace(OTHERS, "").replace(CONTROLS, ""), []);
  return found;
}

/** What was printed, without colours. */
export function plainOutput(text: string): string {
  return printed(text)
    .map((piece) => piece.text)
    .join("");
}

function add(found: Printed[], text: string, styles: string[]): void {
  const bare = text.replaceAll("\x1b", "");
  if (!bare) return;
  const last = found.at(-1);
  if (last && last.styles.join() === styles.join()) last.text += bare;
  else found.push({ text: bare, styles });
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: the one sequence that is kept.
const COLOUR = /^\x1b\[[\d;]{0,60}m$/;

function isColour(sequence: string): boolean {
  return COLOUR.test(sequence);
}

/** Where the text's changes of colour become too many. */
function endOfPieces(text: string): number {
  let at = -1;
  for (let n = 0; n < MOST_PIECES; n++) {
    at = text.indexOf("\x1b[", at + 1);
    if (at < 0) return text.length;
  }
  return at;
}

/** A line that was printed over itself, as a progress bar, has its last form only. */
function overwritten(text: string): string {
  if (!text.includes("\r")) return text;
  return text
    .split("\n")
    .map((line) => {
      let end = line.length;
      while (line[end - 1] === "\r") end -= 1;
      return line.slice(line.lastIndexOf("\r", end - 1) + 1, end);
    })
    .join("\n");
}

function stylesOf(entry: Anser.AnserJsonEntry): string[] {
  const decorations = new Set<string>(entry.decorations);
  const [fg, bg] = [colour(entry.fg, entry.fg_truecolor), colour(entry.bg, entry.bg_truecolor)];
  const styles: string[] = [];
  if (fg) styles.push(`fg-${fg}`);
  if (bg) styles.push(`bg-${bg}`);
  for (const name of ["bold", "dim", "italic", "underline", "strikethrough"]) {
    if (decorations.has(name)) styles.push(name);
  }
  return styles;
}

const NAMES = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"];

/** One of the eight names: the window's own colours have the contrast that any others may lack. */
function colour(name: string | null, exact: string | null): string | null {
  if (!name) return null;
  const known = NAMES.find((one) => name === `ansi-${one}` || name === `ansi-bright-${one}`);
  if (known) return known;
  const palette = /^ansi-palette-(\d+)$/.exec(name);
  if (palette) return nearest(...fromPalette(Number(palette[1])));
  const parts = /^(\d+), ?(\d+), ?(\d+)$/.exec(exact ?? "");
  return parts ? nearest(Number(parts[1]), Number(parts[2]), Number(parts[3])) : null;
}

function fromPalette(n: number): [number, number, number] {
  if (n >= 232) return [8 + (n - 232) * 10, 8 + (n - 232) * 10, 8 + (n - 232) * 10];
  const cube = Math.max(0, n - 16);
  const level = (value: number) => (value === 0 ? 0 : 55 + value * 40);
  return [level(Math.floor(cube / 36)), level(Math.floor(cube / 6) % 6), level(cube % 6)];
}

function nearest(red: number, green: number, blue: number): string {
  const [most, least] = [Math.max(red, green, blue), Math.min(red, green, blue)];
  if (most - least < 40) return most < 80 ? "black" : "white";
  const middle = (most + least) / 2;
  const bits = (red > middle ? 1 : 0) + (green > middle ? 2 : 0) + (blue > middle ? 4 : 0);
  return NAMES[bits]!;
}
