// Markdown of transcripts: what it becomes, and that nothing in it can become more than text.
import { describe, expect, it } from "vitest";
import { type Block, type Inline, inline, markdown, safeAddress } from "../../src/lib/markdown";

function textOf(parts: Inline[]): string {
  return parts.map((part) => ("text" in part ? part.text : textOf(part.inside))).join("");
}

function allText(blocks: Block[]): string {
  return blocks
    .map((block) => {
      switch (block.kind) {
        case "code":
          return block.text;
        case "rule":
          return "";
        case "quote":
          return allText(block.blocks);
        case "list":
          return block.items.map(textOf).join("\n");
        case "table":
          return [block.head, ...block.rows].map((row) => row.map(textOf).join(" ")).join("\n");
        default:
          return textOf(block.inside);
      }
    })
    .join("\n");
}

function links(blocks: Block[]): string[] {
  return [...JSON.stringify(blocks).matchAll(/"address":"([^"]*)"/g)].map((hit) => hit[1]!);
}

describe("blocks", () => {
  it("are told apart", () => {
    const kinds = markdown(
      "# Title\n\nA paragraph\nof two lines.\n\n- one\n- two\n\n1. first\n2. second\n\n> quoted\n\n---\n\n```rust\nlet a = 1;\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |",
    ).map((block) => block.kind);
    expect(kinds).toEqual(["heading", "paragraph", "list", "list", "quote", "rule", "code", "table"]);
  });

  it("keep code as it is", () => {
    const code = 'fn main() {\n\n    // # not a title\n    println!("**");\n}';
    expect(markdown(`\`\`\`rust\n${code}\n\`\`\``)).toEqual([{ kind: "code", language: "rust", text: code }]);
    expect(markdown("```\nnever closed\nmore")).toEqual([{ kind: "code", language: "", text: "never closed\nmore" }]);
  });

  it("number a list from where it starts", () => {
    expect(markdown("3. three\n4. four")[0]).toMatchObject({ kind: "list", ordered: true, start: 3 });
  });
});

describe("inline", () => {
  it("marks code, strength and emphasis, and leaves names with underscores alone", () => {
    expect(inline("`a_b` **very** *so* snake_case_name 2 * 3 * 4").map((part) => part.kind)).toEqual([
      "code",
      "text",
      "strong",
      "text",
      "emphasis",
      "text",
    ]);
    expect(textOf(inline("snake_case_name 2 * 3 * 4"))).toBe("snake_case_name 2 * 3 * 4");
  });

  it("finds addresses and leaves the stop behind them alone", () => {
    expect(inline("See https://example.org/a?b=1.")).toEqual([
      { kind: "text", text: "See " },
      {
        kind: "link",
        address: "https://example.org/a?b=1",
        inside: [{ kind: "text", text: "https://example.org/a?b=1" }],
      },
      { kind: "text", text: "." },
    ]);
  });
});

describe("nothing but text comes of", () => {
  const hostile = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<iframe src='https://example.org'></iframe>",
    "[click](javascript:alert(1))",
    "[click](JaVaScRiPt:alert(1))",
    "[click](data:text/html;base64,PHNjcmlwdD4=)",
    "[click](file:///etc/passwd)",
    "[click](vbscript:x)",
    "[click](\u0001javascript:alert(1))",
    "![image](https://example.org/track.png)",
    '<a href="javascript:alert(1)">x</a>',
    "javascript:alert(1)",
    "`<b>`**<i>**",
  ];
  for (const text of hostile) {
    it(JSON.stringify(text), () => {
      const blocks = markdown(text);
      for (const address of links(blocks)) expect(address).toMatch(/^(https?|mailto):/);
      // No kind of value holds HTML: what looks like it is found again as text.
      const shown = allText(blocks);
      for (const tag of text.match(/<\/?[a-z]+/gi) ?? []) expect(shown).toContain(tag);
    });
  }

  it("addresses of other kinds", () => {
    expect(safeAddress("https://example.org")).toBe("https://example.org/");
    for (const bad of ["javascript:alert(1)", "data:text/html,x", "file:///x", "//example.org", "x", ""])
      expect(safeAddress(bad)).toBeNull();
  });
});

it("comes to an end with long and with spiteful texts, and loses none of them", () => {
  const spiteful = ["[", "|", "(", "<"].map((letter) => `x${letter.repeat(20_000)}`);
  for (const text of spiteful) expect(allText(markdown(text))).toBe(text);
  for (const text of [
    "`".repeat(20_001),
    ">".repeat(5000),
    "- ".repeat(20_000),
    "*".repeat(20_000),
    "_a ".repeat(9000),
  ])
    markdown(text);
  expect(markdown("A paragraph with `code` and **strength**.\n\n".repeat(2000))).toHaveLength(2000);
});
