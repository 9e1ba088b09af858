// What is shown of a message's parts.
import { describe, expect, it } from "vitest";
import { tokens } from "../../src/lib/code";
import { clip, readable, section } from "../../src/lib/turns";

describe("section", () => {
  it("says how much of a part has not come", () => {
    expect(section({ kind: "text", bytes: 9, text: "Grüße" })).toEqual({ kind: "text", text: "Grüße", rest: 2 });
    expect(section({ kind: "thinking", bytes: 3, text: "Hm." })).toEqual({ kind: "thinking", text: "Hm.", rest: 0 });
  });

  it("knows a call by its name and target, and a result that failed", () => {
    const call = section({ kind: "tool_use", bytes: 2, text: "{}", name: "Edit", target: "src/a.rs" });
    expect(call).toEqual({ kind: "call", name: "Edit", target: "src/a.rs", input: "{}", bytes: 2, rest: 0 });
    const failed = section({ kind: "tool_result", bytes: 2, text: "no", is_error: true });
    expect(failed).toMatchObject({ kind: "result", isError: true });
  });

  it("takes what it does not know as text, and a picture elsewhere as one of no size", () => {
    expect(section({ kind: "citation", bytes: 1, text: "x" }).kind).toBe("text");
    expect(section({ kind: "image", bytes: 40, text: "" })).toEqual({ kind: "image", bytes: 0 });
  });
});

describe("readable", () => {
  it("shows fields by name, with their line ends", () => {
    const input = JSON.stringify({ file_path: "a.rs", new_string: "one\ntwo", n: 3 });
    expect(readable(input).text).toBe("file_path: a.rs\nnew_string:\n  one\n  two\nn: 3");
  });

  it("leaves what was cut as it is, and knows a patch", () => {
    expect(readable('{"a": "b').text).toBe('{"a": "b');
    expect(readable("*** Begin Patch\n+x").language).toBe("diff");
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
