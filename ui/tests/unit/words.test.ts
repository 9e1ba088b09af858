// Nothing that the window shows names a command of the command line, or a side.
import { expect, test } from "vitest";
import recorded from "../../src/backend/fake/recorded.json";
import { words } from "../../src/words";

/** Every text of the words, with functions called with made-up names. */
function* texts(value: unknown, path: string): Generator<[string, string]> {
  if (typeof value === "string") yield [path, value];
  else if (typeof value === "function") {
    const call = value as (...args: unknown[]) => unknown;
    for (const args of [
      ["desk", "laptop", "title"],
      [3, 1, 2],
      [["desk", "laptop"], ["studio"]],
      ["title", ["desk", "laptop"]],
      [{ same: 1, changed: 2, left: 3, right: 4, done: 1, total: 2 }, "desk", "laptop"],
      [true],
    ]) {
      try {
        yield* texts(call(...args), `${path}()`);
      } catch {
        // These are not the arguments that it takes.
      }
    }
  } else if (typeof value === "object" && value !== null)
    for (const [key, one] of Object.entries(value)) yield* texts(one, `${path}.${key}`);
}

const all = [...texts(words, "words")];

test("every text is looked at", () => {
  const functions = (value: unknown, path: string): string[] =>
    typeof value === "function"
      ? [path]
      : typeof value === "object" && value !== null
        ? Object.entries(value).flatMap(([key, one]) => functions(one, `${path}.${key}`))
        : [];
  const isReached = (path: string) => all.some(([reached]) => reached.startsWith(`${path}()`));
  expect(functions(words, "words").filter((path) => !isReached(path))).toEqual([]);
  expect(all.length).toBeGreaterThan(400);
});

test("no text has a backtick, a command or a side", () => {
  const bad = all.filter(([, text]) => /`|(?<!session-)\broam\b|\b(left|right)\b/i.test(text));
  expect(bad).toEqual([]);
});

/** What the engine says where the window shows it, as its stories recorded it. */
function* recordedTexts(value: unknown, path = "recorded"): Generator<[string, string]> {
  if (typeof value === "string") yield [path, value];
  else if (typeof value === "object" && value !== null)
    for (const [key, one] of Object.entries(value)) yield* recordedTexts(one, `${path}.${key}`);
}

test("no message of the engine that the window shows names a command", () => {
  const said = [...recordedTexts(recorded)].filter(([path]) => /\.(message|hint|why|consequence)$/.test(path));
  expect(said.length).toBeGreaterThan(40);
  expect(said.filter(([, text]) => /`|(?<!session-)\broam\b(?!\/)/.test(text))).toEqual([]);
});

test("no text speaks the dialect of before", () => {
  const dialect =
    /two ways|went on|goes on|off the air|\broams?\b(?!:)|in step|goes? over|\bstays here\b|take (it|them) (in|back)|part with/i;
  const engine = [...recordedTexts(recorded)].filter(([path]) => /\.(message|hint|why|consequence|reason)$/.test(path));
  expect([...all, ...engine].filter(([, text]) => dialect.test(text.replace("session-roam", "")))).toEqual([]);
});
