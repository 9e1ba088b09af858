// Edits and patches as lines: what is added and removed, counted, and bounded.
import { describe, expect, it } from "vitest";
import { isPatch, ofBlocks, ofEdit, ofNew, ofPatch } from "../../src/lib/changes";

const drawn = (lines: { kind: string; text: string }[]) =>
  lines.map((line) => `${{ added: "+", removed: "-", same: " ", gap: "@" }[line.kind]}${line.text}`);

describe("an edit", () => {
  it("keeps what both texts share", () => {
    const change = ofEdit("a.rs", "one\ntwo\nthree", "one\n2\nthree\nfour");
    expect(drawn(change.lines)).toEqual([" one", "-two", "+2", " three", "+four"]);
    expect(change).toMatchObject({ added: 2, removed: 1 });
  });

  it("of far lines leaves out what lies between", () => {
    const before = Array.from({ length: 40 }, (_, n) => `line ${n}`);
    const after = before.map((line, n) => (n === 2 || n === 37 ? `${line}!` : line));
    const change = ofEdit("a", before.join("\n"), after.join("\n"));
    expect(change).toMatchObject({ added: 2, removed: 2 });
    expect(change.lines.filter((line) => line.kind === "gap")).toHaveLength(1);
    expect(change.lines.length).toBeLessThan(20);
  });

  it("that changes nothing shows the text", () => {
    expect(ofEdit("a", "x\n", "x")).toMatchObject({ added: 0, removed: 0, lines: [{ kind: "same", text: "x" }] });
  });

  it("of two long texts that share nothing comes to an end", () => {
    const text = (letter: string) => Array.from({ length: 20_000 }, (_, n) => `${letter}${n}`).join("\n");
    expect(ofEdit("a", text("x"), text("y"))).toMatchObject({ added: 20_000, removed: 20_000 });
    expect(ofEdit("a", "x".repeat(1_000_000), "y".repeat(1_000_000))).toMatchObject({ added: 1, removed: 1 });
  });

  it("writes a new file", () => {
    expect(ofNew("a", "one\ntwo\n")).toMatchObject({ action: "create", added: 2, removed: 0 });
  });
});

describe("a patch", () => {
  it("of marked files has what was done to each", () => {
    const patch =
      "*** Begin Patch\n*** Update File: a.rs\n*** Move to: b.rs\n@@ fn main\n keep\n-old\n+new\n*** Add File: c.rs\n+x\n*** Delete File: d.rs\n*** End Patch";
    expect(isPatch(patch)).toBe(true);
    const [moved, made, gone] = ofPatch(patch);
    expect(moved).toMatchObject({ path: "a.rs", to: "b.rs", action: "edit", added: 1, removed: 1 });
    expect(drawn(moved!.lines)).toEqual(["@fn main", " keep", "-old", "+new"]);
    expect(made).toMatchObject({ path: "c.rs", action: "create", added: 1 });
    expect(gone).toMatchObject({ path: "d.rs", action: "delete", lines: [] });
  });

  it("of hunks has the numbers of its lines", () => {
    const patch =
      "diff --git a/a b/a\nindex 1..2\n--- a/a\n+++ b/a\n@@ -3,3 +3,3 @@ fn x\n keep\n--- old\n+++ new\n end\ndiff --git a/n b/n\nnew file mode 100644\n--- /dev/null\n+++ b/n\n@@ -0,0 +1 @@\n+one\n\\ No newline at end of file\n";
    const [changed, made] = ofPatch(patch);
    // Lines that look like headers are lines of the hunk.
    expect(changed!.lines.slice(1)).toEqual([
      { kind: "same", text: "keep", before: 3, after: 3 },
      { kind: "removed", text: "-- old", before: 4 },
      { kind: "added", text: "++ new", after: 4 },
      { kind: "same", text: "end", before: 5, after: 5 },
    ]);
    expect(made).toMatchObject({ path: "n", action: "create", added: 1, removed: 0 });
  });

  it("that is none becomes nothing, and a spiteful one few files", () => {
    expect(ofPatch("hello\nworld")).toEqual([]);
    expect(ofPatch("diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n".repeat(5_000)).length).toBeLessThan(
      500,
    );
    const many = `*** Begin Patch\n${"*** Delete File: x\n".repeat(9_000)}`;
    expect(ofPatch(many).length).toBeLessThan(500);
    expect(isPatch("a".repeat(1_000_000))).toBe(false);
  });
});

it("blocks to search and replace are edits, with any fences", () => {
  const text =
    "<<<<<<< SEARCH\na\nb\n=======\na\nc\n>>>>>>> REPLACE\n\n<<<<<<< SEARCH\n=======\nnew\n>>>>>>> REPLACE\n";
  expect(ofBlocks("x", text)).toMatchObject({ path: "x", added: 2, removed: 1 });
  expect(ofBlocks("x", "nothing")).toBeNull();
  expect(ofBlocks("x", "<<<<<<< SEARCH\n".repeat(9_000))).toBeNull();
});
