// What a call is shown as: told from the shape of its input, in the shapes that tools write.
import { describe, expect, it } from "vitest";
import { type Call, callOf, exitCode, fieldsOf, isChange, numbered, tidied } from "../../src/lib/calls";
import { sums } from "../../src/lib/changes";

const of = (name: string, input: unknown): Call =>
  callOf(name, typeof input === "string" ? input : JSON.stringify(input));

function changed(name: string, input: unknown) {
  const call = of(name, input);
  if (call.kind !== "change") throw new Error(`${name} is ${call.kind}`);
  return { paths: call.changes.map((change) => change.path), ...sums(call.changes) };
}

describe("an edit", () => {
  const one = { paths: ["a.rs"], added: 1, removed: 1 };
  const shapes: [string, string, unknown][] = [
    ["two strings", "Edit", { file_path: "a.rs", old_string: "x", new_string: "y" }],
    ["two strings, camel case", "edit", { filePath: "a.rs", oldString: "x", newString: "y" }],
    ["short names", "strReplace", { path: "a.rs", oldStr: "x", newStr: "y" }],
    ["an editor's command", "str_replace_editor", { command: "str_replace", path: "a.rs", old_str: "x", new_str: "y" }],
    ["texts", "edit", { path: "a.rs", oldText: "x", newText: "y" }],
    ["a list", "MultiEdit", { file_path: "a.rs", edits: [{ old_string: "x", new_string: "y" }] }],
    ["replacements", "multi_replace", { replacements: [{ filePath: "a.rs", oldString: "x", newString: "y" }] }],
    ["blocks", "replace_in_file", { path: "a.rs", diff: "<<<<<<< SEARCH\nx\n=======\ny\n>>>>>>> REPLACE" }],
    ["blocks of dashes", "replace_in_file", { path: "a.rs", diff: "------- SEARCH\nx\n=======\ny\n+++++++ REPLACE\n" }],
    ["a patch", "apply_patch", "*** Begin Patch\n*** Update File: a.rs\n@@\n-x\n+y\n*** End Patch"],
    ["a patch in JSON", "patch", { patchText: "*** Begin Patch\n*** Update File: a.rs\n@@\n-x\n+y\n*** End Patch" }],
    ["a patch as input", "apply_patch", { input: "*** Begin Patch\n*** Update File: a.rs\n-x\n+y\n*** End Patch" }],
    ["a unified diff", "git_apply", { patch: "--- a/a.rs\n+++ b/a.rs\n@@ -1 +1 @@\n-x\n+y\n" }],
  ];
  for (const [name, tool, input] of shapes) {
    it(`of ${name}`, () => {
      expect(changed(tool, input)).toEqual(one);
      expect(isChange(tool, typeof input === "string" ? input : JSON.stringify(input))).toBe(true);
    });
  }

  it("that writes a file counts its lines", () => {
    const whole = { paths: ["a.rs"], added: 2, removed: 0 };
    expect(changed("Write", { file_path: "a.rs", content: "one\ntwo\n" })).toEqual(whole);
    expect(changed("create_file", { filePath: "a.rs", content: "one\ntwo" })).toEqual(whole);
    expect(changed("editor", { command: "create", path: "a.rs", file_text: "one\ntwo\n" })).toEqual(whole);
    expect(changed("fsWrite", { path: "a.rs", text: "one\ntwo\n" })).toEqual(whole);
  });

  it("of several files names each", () => {
    const edits = [
      { path: "a.rs", old_string: "x", new_string: "y" },
      { path: "b.rs", old_string: "", new_string: "y" },
    ];
    expect(changed("multi", { edits })).toEqual({ paths: ["a.rs", "b.rs"], added: 2, removed: 1 });
  });
});

describe("a command", () => {
  const command = (name: string, input: unknown) => {
    const call = of(name, input);
    return call.kind === "command" ? call : call.kind;
  };
  it("is known by its field, without the shell around it", () => {
    expect(command("Bash", { command: "ls -l", description: "List" })).toMatchObject({
      command: "ls -l",
      about: "List",
    });
    expect(command("shell", { command: ["bash", "-lc", "ls | wc"], workdir: "/w" })).toMatchObject({
      command: "ls | wc",
      directory: "/w",
    });
    expect(command("shell", { command: ["git", "commit", "-m", "it's"] })).toMatchObject({
      command: "git commit -m 'it'\\''s'",
    });
    expect(command("exec_command", { cmd: "ls" })).toMatchObject({ command: "ls" });
    expect(command("terminal", { command: "ls", cd: "/w" })).toMatchObject({ directory: "/w" });
  });

  it("is not what an editor's command is", () => {
    expect(command("editor", { command: "view", path: "a.rs" })).not.toMatchObject({ kind: "command" });
  });
});

describe("a list of tasks", () => {
  const tasks = (name: string, input: unknown) => {
    const call = of(name, input);
    return call.kind === "tasks" ? call.tasks.map((task) => `${task.state} ${task.text}`) : call.kind;
  };
  it("has the state of each", () => {
    const todos = [
      { content: "a", status: "completed" },
      { content: "b", status: "in_progress" },
      { content: "c", status: "pending" },
      { content: "d", status: "cancelled" },
    ];
    const states = ["done a", "doing b", "open c", "dropped d"];
    expect(tasks("TodoWrite", { todos })).toEqual(states);
    expect(tasks("update_plan", { plan: todos.map(({ content, status }) => ({ step: content, status })) })).toEqual(
      states,
    );
    const list = [
      { id: 1, title: "a", status: "not-started" },
      { id: 2, title: "b", status: "in-progress" },
    ];
    expect(tasks("manage_todo_list", { operation: "write", todoList: list })).toEqual(["open a", "doing b"]);
    expect(tasks("focus", { task_progress: "- [x] a\n- [ ] b" })).toEqual(["done a", "open b"]);
  });
});

describe("others", () => {
  it("are told by their shape", () => {
    expect(of("Read", { file_path: "a.rs", offset: 40 })).toEqual({ kind: "read", path: "a.rs", from: 40 });
    expect(of("read_file", { path: "a.rs" })).toEqual({ kind: "read", path: "a.rs", from: 1 });
    expect(of("view", { filePath: "a.rs", offset: -1 })).toEqual({ kind: "read", path: "a.rs", from: 1 });
    expect(of("Task", { description: "Look", prompt: "Do it", subagent_type: "Explore" })).toEqual({
      kind: "agent",
      prompt: "Do it",
      about: "Explore · Look",
    });
    expect(of("ExitPlanMode", { plan: "# Plan" })).toEqual({ kind: "plan", text: "# Plan" });
    expect(of("Grep", { pattern: "x", "-n": true })).toEqual({
      kind: "search",
      fields: [
        ["pattern", "x"],
        ["-n", "true"],
      ],
    });
    expect(of("mcp__a__b", { deep: { n: 1 } })).toEqual({
      kind: "other",
      text: '{\n  "deep": {\n    "n": 1\n  }\n}',
      isJson: true,
    });
    expect(of("x", "not JSON")).toEqual({ kind: "other", text: "not JSON", isJson: false });
    expect(of("x", "[1]").kind).toBe("other");
  });

  it("of spiteful shapes are shown, whatever they hold", () => {
    const hostile: unknown[] = [
      { command: {} },
      { command: [[], null] },
      { edits: [null] },
      { edits: [{ new_string: 4 }] },
      { todos: [{}] },
      { todos: "x".repeat(9_000) },
      { file_path: 3, old_string: null },
      { __proto__: { command: "x" } },
      { constructor: "x", toString: "y" },
      null,
    ];
    for (const input of hostile) expect(of("Edit", input).kind).toBeTruthy();
    for (const text of ["{".repeat(50_000), `{"a":${"[".repeat(50_000)}`, `{"a":"${"\\".repeat(50_001)}`]) {
      expect(callOf("Edit", text).kind).toBe("other");
    }
  });
});

it("an input that was cut is read as far as it goes", () => {
  const whole = JSON.stringify({ file_path: "a.rs", old_string: 'say "hi"\n\u00e9', list: [1, { deep: "x" }], n: 12 });
  for (let at = 1; at <= whole.length; at++) {
    const fields = fieldsOf(whole.slice(0, at));
    if (at > 20) expect(fields, whole.slice(0, at)).toMatchObject({ file_path: expect.stringMatching(/^a/) });
  }
  expect(fieldsOf('{"a":"\\u00')).toEqual({ a: "" });
  expect(fieldsOf('{"a":"\\\\')).toEqual({ a: "\\" });
});

it("the exit code is read in the forms that tools write", () => {
  const forms: [string, number | null][] = [
    ["Exit code 101\nboom", 101],
    ["Exit code: 0\nWall time: 1 s\nOutput:\nok", 0],
    ["Chunk ID: 1\nProcess exited with code 2\nOutput:", 2],
    ["<exit_code>1</exit_code>", 1],
    ["Process exited with 3\n", 3],
    ["exit_code: 4", 4],
    ["it will exit with style", null],
    ["#!/bin/sh\nexit 1", null],
    ["exit 1", null],
    ["", null],
  ];
  for (const [text, code] of forms) expect(exitCode(text), text).toBe(code);
});

it("a file that was read has its lines numbered", () => {
  expect(numbered("    12→one\n    13→\n    14→two\n\n<system-reminder>x</system-reminder>", 1)).toEqual({
    lines: [
      { n: 12, text: "one" },
      { n: 13, text: "" },
      { n: 14, text: "two" },
    ],
    rest: "<system-reminder>x</system-reminder>",
  });
  expect(numbered("<file>\n00001| one\n00002| two\n</file>", 1).lines).toEqual([
    { n: 1, text: "one" },
    { n: 2, text: "two" },
  ]);
  expect(numbered("one\ntwo\n", 7).lines).toEqual([
    { n: 7, text: "one" },
    { n: 8, text: "two" },
  ]);
});

it("JSON is tidy, and everything else stays as it is", () => {
  expect(tidied('{"a":[1]}')).toBe('{\n  "a": [\n    1\n  ]\n}');
  for (const text of ["", "a", "[", "12", "null", "{x"]) expect(tidied(text)).toBeNull();
});
