// Markdown of transcripts: what it becomes, and that nothing in it can become more than text.
import { describe, expect, it } from "vitest";
import { type Block, type Inline, inline, markdown, safeAddress } from "../../src/lib/markdown";

function textOf(parts: Inline[]): string {
  return parts
    .map((part) => (part.kind === "break" ? "\n" : "text" in part ? part.text : textOf(part.inside)))
    .join("");
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
          return block.items.map((item) => allText(item.blocks)).join("\n");
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
        target: "https://example.org/a?b=1",
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

describe("what models write", () => {
  it("has lists in lists, code in lists and tasks", () => {
    const [list] = markdown("1. one\n   - nested\n\n     ```rust\n     let a = 1;\n     ```\n2. two");
    expect(list).toMatchObject({ kind: "list", ordered: true });
    const inner = list?.kind === "list" ? list.items[0]!.blocks : [];
    expect(inner.map((block) => block.kind)).toEqual(["paragraph", "list"]);
    const nested = inner[1]?.kind === "list" ? inner[1].items[0]!.blocks : [];
    expect(nested.at(-1)).toEqual({ kind: "code", language: "rust", text: "let a = 1;" });
    const [tasks] = markdown("- [x] done\n- [ ] open\n- none");
    expect(tasks?.kind === "list" && tasks.items.map((item) => item.checked)).toEqual([true, false, null]);
    expect(allText([tasks!])).toBe("done\nopen\nnone");
  });

  it("has headings underlined, text struck out and tables with sides", () => {
    expect(markdown("Title\n=====\ntext")[0]).toMatchObject({ kind: "heading", level: 1 });
    expect(inline("~~old~~ new")[0]).toEqual({ kind: "strike", inside: [{ kind: "text", text: "old" }] });
    const [table] = markdown("| a | b | c |\n|:--|--:|:-:|\n| 1 | 2 | 3 |");
    expect(table?.kind === "table" && table.align).toEqual(["left", "right", "center"]);
  });

  it("links to files of the project, which are not opened", () => {
    expect(inline("[it](src/session.rs#L12)")).toEqual([
      { kind: "link", address: null, target: "src/session.rs#L12", inside: [{ kind: "text", text: "it" }] },
    ]);
    for (const other of ["//evil.example/x", "C:\\x", "javascript:alert(1)"]) {
      expect(inline(`[it](${other})`).every((part) => part.kind === "text")).toBe(true);
    }
  });

  it("has letters written as entities, but not in code", () => {
    expect(textOf(inline("a &lt;b&gt; &amp; c&nbsp;d"))).toBe("a <b> & c d");
    expect(inline("`&lt;`")).toEqual([{ kind: "code", text: "&lt;" }]);
  });
});

describe("a spiteful text", () => {
  const bombs: Record<string, string> = {
    "nested quotes": ">".repeat(50_000),
    "nested quotes apart": "> ".repeat(25_000),
    "quotes over many lines": Array.from({ length: 400 }, (_, n) => `${"> ".repeat(n)}a`).join("\n"),
    "nested lists": "- ".repeat(10_000),
    "indented lists": Array.from({ length: 240 }, (_, n) => `${"  ".repeat(n)}- a`).join("\n"),
    "tabbed lists": Array.from({ length: 500 }, (_, n) => `${"\t".repeat(n)}- a`).join("\n"),
    brackets: "[".repeat(50_000),
    "brackets and parentheses": "[a](".repeat(10_000),
    "brackets with spaces": "[ ".repeat(20_000),
    images: "![".repeat(20_000),
    stars: "*".repeat(50_000),
    "stars and letters": "*a ".repeat(15_000),
    "stars and letters, closed": "*a**b*".repeat(7_500),
    underscores: "_a ".repeat(15_000),
    tildes: "~a ".repeat(15_000),
    ticks: "`".repeat(50_000),
    "ticks of all lengths": Array.from({ length: 400 }, (_, n) => `${"`".repeat(n)} a`).join(""),
    pipes: `x${"|".repeat(50_000)}`,
    "less than": "<".repeat(50_000),
    "open tags": "<a ".repeat(15_000),
    "open comments": "<!-- ".repeat(10_000),
    backslashes: "\\".repeat(50_000),
    "a giant table": `|a|b|\n|-|-|\n${"|1|2|\n".repeat(7_500)}`,
    "a wide table": `${"|a".repeat(2_000)}|\n${"|-".repeat(2_000)}|\n${"|1".repeat(2_000)}|`,
    "one huge line": "word ".repeat(12_000),
    "a huge word": "x".repeat(59_500),
    addresses: "http://a.b/".repeat(5_000),
    "mail addresses": "a@b.".repeat(12_500),
    definitions: "[a]: b\n".repeat(7_500),
    references: "[a][b]".repeat(9_000),
    spaces: " ".repeat(59_500),
    "lines with spaces": " \n".repeat(25_000),
    entities: "&lt;".repeat(14_500),
    bidi: "\u202e\u2066".repeat(25_000),
  };
  for (const [name, text] of Object.entries(bombs)) {
    it(`with ${name} comes to an end, and becomes few nodes`, () => {
      const blocks = markdown(text);
      // A limit of the runner, not of a clock: a text that takes seconds would end the test.
      expect(nodes(blocks)).toBeLessThan(30_000);
    }, 4_000);
  }

  it("is shown whole", () => {
    const spiteful = ["[", "|", "(", "<"].map((letter) => `x${letter.repeat(20_000)}`);
    for (const text of spiteful) expect(allText(markdown(text))).toBe(text);
    expect(allText(markdown(">".repeat(100_000)))).toHaveLength(100_000);
    expect(markdown("A paragraph with `code` and **strength**.\n\n".repeat(1_000))).toHaveLength(1_000);
  });
});

function nodes(value: unknown): number {
  if (!value || typeof value !== "object") return 0;
  return 1 + Object.values(value).reduce((sum: number, one) => sum + nodes(one), 0);
}
