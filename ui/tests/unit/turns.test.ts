// What is shown of a message's parts.
import { describe, expect, it } from "vitest";
import type { Message, Part } from "../../src/backend/types";
import { byLines, languageOfPath, loadHighlighter, tokens } from "../../src/lib/code";
import { clip, markdownOf, plainOf, safeLine, section, turnAt } from "../../src/lib/turns";

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
    ["nothing known", "let a"],
    ["toString", "let a"],
  ] as const;
  const textOf = (found: { text: string }[]) => found.map((token) => token.text).join("");

  it("is plain until its colours are loaded, and loses no letter with them", async () => {
    for (const [language, code] of samples) expect(tokens(code, language)).toEqual([{ kind: "", text: code }]);
    await loadHighlighter();
    for (const [language, code] of samples) {
      expect(textOf(tokens(code, language))).toBe(code);
      expect(byLines(tokens(code, language)).map(textOf).join("\n")).toBe(code);
    }
    expect(tokens(samples[0][1], "Rust").map((token) => token.kind)).toContain("comment");
    expect(tokens('"// no"', "rust")).toEqual([{ kind: "string", text: '"// no"' }]);
  });

  it("is plain where it is too long for a grammar", async () => {
    await loadHighlighter();
    for (const code of ["let a;\n".repeat(9_000), `let a = ${"1".repeat(5_000)}`, "(".repeat(3_900)]) {
      expect(textOf(tokens(code, "js"))).toBe(code);
    }
    expect(tokens("x".repeat(50_000), "js")).toHaveLength(1);
  });

  it("has the language of its file", () => {
    const named = ["src/a.rs", "C:\\x\\B.TSX", "Makefile", "a/Dockerfile.dev", ".env", "README", "a.b/c"];
    expect(named.map(languageOfPath)).toEqual(["rs", "tsx", "bash", "bash", "env", "", ""]);
  });
});

describe("a turn", () => {
  const message = (role: Message["role"], tokens?: Message["tokens"], device = "desk"): Message => ({
    ...{ role, text: "", at: null, device, parts: [] },
    ...(tokens ? { model: "m-1", tokens } : {}),
  });
  const turnOf = (all: Message[], at: number) => turnAt(at, (one) => all[one]);

  it("adds the tokens of its answers up, each once", () => {
    const all = [
      message("user"),
      message("assistant", { input: 100, output: 3 }),
      message("assistant", { input: 100, output: 9 }),
      message("tool"),
      message("assistant", { input: 140, output: 5 }),
      message("user"),
      message("assistant", { input: 150, output: 1 }),
    ];
    expect(turnOf(all, 1)).toEqual({ model: "m-1", input: 140, output: 14 });
    expect(turnOf(all, 6)).toEqual({ model: "m-1", input: 150, output: 1 });
    expect([turnOf(all, 0), turnOf(all, 2), turnOf(all, 3)]).toEqual([null, null, null]);
  });

  it("ends where another device goes on", () => {
    const all = [
      message("assistant", { input: 1, output: 1 }),
      message("assistant", { input: 2, output: 2 }, "laptop"),
    ];
    expect(turnOf(all, 0)?.output).toBe(1);
    expect(turnOf(all, 1)?.output).toBe(2);
  });
});

describe("copying", () => {
  const parts: Part[] = [
    { kind: "text", bytes: 2, text: "Hi" },
    { kind: "tool_use", bytes: 3, text: "ls", name: "run", target: "ls" },
    { kind: "tool_result", bytes: 7, text: "```\nx" },
    { kind: "image", bytes: 4, text: "", media: "image/png" },
  ];
  const bodies = parts.map((part) => part.text);
  it("gives text with a line for each call", () => {
    expect(plainOf(parts, bodies)).toBe("Hi\n\n[run] ls\n\n```\nx\n\n[image]");
  });

  it("gives Markdown whose fences nothing inside ends", () => {
    expect(markdownOf(parts, bodies)).toBe("Hi\n\n**run**\n\n```\nls\n```\n\n````\n```\nx\n````\n\n*[image]*");
  });
});

it("a line that turns its direction around is seen to do so", () => {
  expect(safeLine("a\u202egpj.exe\nb\u0007")).toBe("a\ufffdgpj.exe b ");
});
