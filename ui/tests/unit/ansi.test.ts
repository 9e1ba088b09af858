// What a command printed: its colours, and nothing else that a terminal would do.
import { describe, expect, it } from "vitest";
import { plainOutput, printed } from "../../src/lib/ansi";

describe("colours", () => {
  it("are named, and end", () => {
    expect(printed("a \x1b[31mred\x1b[0m b")).toEqual([
      { text: "a ", styles: [] },
      { text: "red", styles: ["fg-red"] },
      { text: " b", styles: [] },
    ]);
    expect(printed("\x1b[1;92mok\x1b[22;39m.")).toEqual([
      { text: "ok", styles: ["fg-green", "bold"] },
      { text: ".", styles: [] },
    ]);
    expect(printed("\x1b[41mx")[0]!.styles).toEqual(["bg-red"]);
    expect(printed("\x1b[7mx")[0]!.styles).toEqual(["fg-black", "bg-white"]);
  });

  it("of larger palettes become the nearest of the window's own", () => {
    const of = (code: string) => printed(`\x1b[${code}mx`)[0]!.styles[0];
    expect([of("38;5;196"), of("38;5;46"), of("38;5;21"), of("38;5;240")]).toEqual([
      "fg-red",
      "fg-green",
      "fg-blue",
      "fg-white",
    ]);
    expect([of("38;2;255;0;0"), of("38;2;10;10;10"), of("38;5;9")]).toEqual(["fg-red", "fg-black", "fg-red"]);
  });

  it("are none where there is nothing to colour", () => {
    expect(printed("plain <b>text</b>")).toEqual([{ text: "plain <b>text</b>", styles: [] }]);
    expect(printed("")).toEqual([{ text: "", styles: [] }]);
  });
});

describe("what a terminal would do", () => {
  it("is left out", () => {
    const hostile: [string, string][] = [
      ["a\x1b[2J\x1b[Hb", "ab"],
      ["a\x1b]0;title\x07b", "ab"],
      ["a\x1b]8;;https://evil.example\x1b\\link\x1b]8;;\x1b\\b", "alinkb"],
      ["a\x1b]52;c;aGk=\x07b", "ab"],
      ["a\x1bPq#0\x1b\\b", "ab"],
      ["a\x1b[?1049hb\x1b(B", "ab"],
      ["a\x07\x08\x00b", "ab"],
      ["a\x1b", "a"],
      ["a\x1b[", "a"],
      ["a\x1b[31", "a31"],
      ["\x9b31mred\x9b0m", "red"],
    ];
    for (const [text, shown] of hostile) expect(plainOutput(text), JSON.stringify(text)).toBe(shown);
    for (const [text] of hostile) expect(plainOutput(text)).not.toMatch(/\p{Cc}/u);
  });

  it("is the last form of a line that was printed over itself", () => {
    expect(plainOutput("10 %\r55 %\r100 %\nnext\r\nend\r")).toBe("100 %\nnext\nend");
  });
});

it("floods become few pieces, and lose no letter", () => {
  const flood = Array.from({ length: 60_000 }, (_, n) => `\x1b[${31 + (n % 6)}mx`).join("");
  const pieces = printed(flood);
  expect(pieces.length).toBeLessThan(4_100);
  expect(pieces.map((piece) => piece.text).join("")).toBe("x".repeat(60_000));
  for (const text of [
    "\x1b[".repeat(100_000),
    "\x1b]".repeat(100_000),
    "\x1b[1;".repeat(50_000),
    "\r".repeat(100_000),
  ]) {
    expect(printed(text).length).toBeLessThan(4_100);
  }
  expect(printed(`\x1b[${"1;".repeat(50_000)}mx`).length).toBeLessThan(10);
  expect(printed("\x1b]0;".padEnd(400_000, "x")).length).toBeLessThan(10);
}, 5_000);
