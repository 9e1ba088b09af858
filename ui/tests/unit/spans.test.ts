// Word spans: nothing of a text is lost or doubled, whatever spans come.
import { describe, expect, it } from "vitest";
import type { Span } from "../../src/backend/types";
import { commonStart, excerpt, pieces } from "../../src/lib/spans";

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

describe("excerpt", () => {
  const long = `${"before ".repeat(80)}HERE${" after".repeat(80)}`;
  const at = long.indexOf("HERE");

  it("shows the same neighbourhood on both sides, whatever they share or not", () => {
    const one = excerpt(pieces(long, [span(at, at + 4)], true), at);
    const other = excerpt(pieces(long.replace("HERE", ""), [], false), at);
    expect(whole(one.pieces)).toContain("HERE");
    expect(whole(one.pieces).slice(0, 40)).toBe(whole(other.pieces).slice(0, 40));
    expect([one.cutBefore, one.cutAfter]).toEqual([true, true]);
  });

  it("leaves a short text whole", () => {
    const short = excerpt(pieces("only this", [span(0, 4)], true), 0);
    expect(short).toEqual({ pieces: pieces("only this", [span(0, 4)], true), cutBefore: false, cutAfter: false });
  });

  it("never begins after the change", () => {
    const words = `${"x".repeat(400)}CHANGE`;
    expect(whole(excerpt(pieces(words, [span(400, 406)], true), 400).pieces)).toContain("CHANGE");
  });
});

it("texts begin alike up to their first different letter", () => {
  expect(commonStart("mutex", "music")).toBe(2);
  expect(commonStart("", "a")).toBe(0);
  expect(commonStart("same", "same")).toBe(4);
});
