// Messages cut into what they are made of.
import { describe, expect, it } from "vitest";
import { tokens } from "../../src/lib/code";
import { clip, sections } from "../../src/lib/turns";

const bytes = (text: string) => new TextEncoder().encode(text).length;

describe("sections", () => {
  it("follow the parts' sizes, in bytes", () => {
    const pieces: [string, string][] = [
      ["thinking", "Grüße 😀?"],
      ["text", "Here."],
      ["tool_use", "[Edit]"],
    ];
    const text = pieces.map(([, piece]) => piece).join("\n");
    const found = sections(
      "assistant",
      text,
      pieces.map(([kind, piece]) => [kind, bytes(piece)]),
    );
    expect(found).toEqual([
      { kind: "thinking", text: "Grüße 😀?" },
      { kind: "text", text: "Here." },
      { kind: "call", name: "Edit", target: "" },
    ]);
  });

  it("pass over empty parts", () => {
    expect(
      sections("assistant", "Hi", [
        ["thinking", 0],
        ["text", 2],
      ]),
    ).toEqual([{ kind: "text", text: "Hi" }]);
  });

  it("fall back to lines where the sizes do not fit: a text that was clipped", () => {
    const found = sections("assistant", "Look\n[Read]\n[image]\n```\n[Edit]\n```", [["text", 900]]);
    expect(found.map((section) => section.kind)).toEqual(["text", "call", "image", "text"]);
  });

  it("fold all that a tool answered", () => {
    expect(sections("tool", "ok\n[Read]", undefined)).toEqual([{ kind: "result", text: "ok\n[Read]", bytes: 9 }]);
  });
});

describe("clip", () => {
  it("cuts at a line end and says what is left", () => {
    const text = `${"a".repeat(80)}\n${"b".repeat(80)}`;
    expect(clip(text, 100)).toEqual({ text: "a".repeat(80), rest: 81 });
    expect(clip("short", 100)).toEqual({ text: "short", rest: 0 });
  });

  it("never cuts a letter of two units", () => {
    const { text, rest } = clip("😀".repeat(50), 51);
    expect(text).toBe("😀".repeat(25));
    expect(rest).toBe(100);
  });
});

describe("code", () => {
  const samples = [
    ["rust", "let a = \"x // no\"; // yes\n'a' 12_000u64 /* b"],
    ["py", "# c\nx = 'it''s' if not y else 3.5"],
    ["", '`$a` \\ " open'],
    ["diff", "+a\n-b\n c\n"],
  ] as const;
  it("is coloured without losing a letter", () => {
    for (const [language, code] of samples) {
      expect(
        tokens(code, language)
          .map((token) => token.text)
          .join(""),
      ).toBe(code);
    }
  });

  it("knows comments from strings", () => {
    expect(tokens(samples[0][1], "rust").map((token) => token.kind)).toContain("comment");
    expect(tokens('"// no"', "rust")).toEqual([{ kind: "string", text: '"// no"' }]);
  });
});
