// Word spans: nothing of a text is lost or doubled, whatever spans come.
import { describe, expect, it } from "vitest";
import type { Span } from "../../src/backend/types";
import { changedWords, isPlain, pieces } from "../../src/lib/spans";

const span = (from: number, to: number, changed = true, left = true): Span => ({ left, from, to, changed });
const whole = (found: { text: string }[]) => found.map((piece) => piece.text).join("");

describe("pieces", () => {
  it("cut a text where it changed", () => {
    const text = "try the mutex first";
    expect(pieces(text, [span(0, 8, false), span(8, 13), span(13, 19, false)], true)).toEqual([
      { text: "try the ", changed: false },
      { text: "mutex", changed: true },
      { text: " first", changed: false },
    ]);
  });

  it("take one side's spans only", () => {
    expect(pieces("abc", [span(0, 3, true, false)], true)).toEqual([{ text: "abc", changed: false }]);
  });

  it("keep the text whole for spans that overlap, turn round, or lie outside", () => {
    const text = "a 😀 text with two letters of one code";
    const odd = [span(3, 900), span(2, 9), span(9, 4), span(-5, 1), span(500, 600), span(4, 6)];
    expect(whole(pieces(text, odd, true))).toBe(text);
    expect(whole(pieces("", odd, true))).toBe("");
    expect(pieces(text, [], true)).toEqual([{ text, changed: false }]);
  });

  it("join neighbours that changed", () => {
    expect(pieces("abcd", [span(0, 2), span(2, 3)], true)).toEqual([
      { text: "abc", changed: true },
      { text: "d", changed: false },
    ]);
  });
});

describe("changed words on the screen", () => {
  const source = "**Fix** the `lock` in [session](src/a.rs), then the queue";
  const at = (word: string) => source.indexOf(word);
  const spans = ["lock", "queue"].map((word) => span(at(word), at(word) + word.length));
  const marked = (drawn: string[]) =>
    changedWords(source, spans, true, drawn).map(({ text, from, to }) => drawn[text]!.slice(from, to));

  it("are found without the signs of Markdown", () => {
    expect(marked(["Fix", " the ", "lock", " in ", "session", ", then the queue"])).toEqual(["lock", "queue"]);
  });

  it("are not looked for among words that the text does not have", () => {
    expect(marked(["Copy", "Fix", " the ", "lock", " and more of it ", "queue"])).toEqual(["lock", "queue"]);
    expect(marked([])).toEqual([]);
    expect(changedWords("", spans, true, ["anything"])).toEqual([]);
  });

  it("are one mark if they are neighbours", () => {
    const two = changedWords("a b c d", [span(2, 3), span(4, 5)], true, ["a b c d"]);
    expect(two).toEqual([{ text: 0, from: 2, to: 5 }]);
  });
});

it("a text is plain if Markdown would draw it the same", () => {
  expect(isPlain("Try the mutex first, then the queue.")).toBe(true);
  for (const text of ["a `b`", "**a**", "| a | b |", "- a", "1. a", "# a", "one\n\ntwo"])
    expect(isPlain(text)).toBe(false);
});
