// What a tool call does, told from the shape of its input: an edit, a command, a list of tasks. No
// tool is named here; a shape that is not known is shown as tidy JSON.
import { type Change, isPatch, joined, ofBlocks, ofEdit, ofNew, ofPatch } from "./changes";

export interface Task {
  text: string;
  state: "done" | "doing" | "open" | "dropped";
}

export type Call =
  | { kind: "change"; changes: Change[] }
  | { kind: "command"; command: string; directory: string; about: string }
  | { kind: "read"; path: string; from: number }
  | { kind: "tasks"; tasks: Task[]; note: string }
  | { kind: "agent"; prompt: string; about: string }
  | { kind: "plan"; text: string }
  | { kind: "search"; fields: [name: string, value: string][] }
  | { kind: "other"; text: string; isJson: boolean };

type Fields = Record<string, unknown>;

/** Longer inputs are not taken apart. */
const LONGEST = 4 << 20;
const MOST_ITEMS = 500;
/** Deeper values are not taken apart. */
const DEEPEST = 200;

export function callOf(name: string, input: string): Call {
  if (isPatch(input)) return { kind: "change", changes: ofPatch(input) };
  const fields = fieldsOf(input);
  if (!fields) return { kind: "other", text: input, isJson: false };
  return (
    changed(name, fields) ??
    tasks(fields) ??
    command(name, fields) ??
    agent(name, fields) ??
    plan(name, fields) ??
    read(name, fields) ??
    searched(name, fields) ?? { kind: "other", text: tidy(fields) ?? input, isJson: true }
  );
}

/** A call whose row has the numbers of its lines, so that its whole input is needed. */
export function isChange(name: string, input: string): boolean {
  const keys =
    /"(old_?str(?:ing)?|old_?text|new_?str(?:ing)?|edits|replacements|patch|patch_?text|file_?text|diff)"\s*:/i;
  return isPatch(input) || keys.test(input) || WRITES.test(name);
}

const WRITES = /write|create_?file|edit|replace|patch/i;
const READS = /^(?:fs_?)?(?:read|view|cat|open)(?:_?(?:file|many_files|notebook))?s?$|read_?file|view_?file/i;
const SEARCHES = /grep|glob|search|find|list|fetch|^ls$/i;
const AGENTS = /agent|task|delegate|subtask/i;

/** The first of these fields, whatever its spelling: `old_string`, `oldString`. */
function field(fields: Fields, ...names: string[]): unknown {
  for (const name of names) {
    for (const [key, value] of Object.entries(fields)) {
      if (value !== undefined && value !== null && key.replace(/[_-]/g, "").toLowerCase() === name) return value;
    }
  }
  return undefined;
}

function text(fields: Fields, ...names: string[]): string | undefined {
  const value = field(fields, ...names);
  return typeof value === "string" ? value : undefined;
}

function list(fields: Fields, ...names: string[]): Fields[] | undefined {
  const value = field(fields, ...names);
  const isList = Array.isArray(value) && value.length > 0 && value.every((one) => one && typeof one === "object");
  return isList ? (value.slice(0, MOST_ITEMS) as Fields[]) : undefined;
}

const PATHS = ["filepath", "path", "notebookpath", "targetfile", "relativeworkspacepath", "filename", "file", "uri"];
const OLD = ["oldstring", "oldstr", "oldtext", "oldsource", "search"];
const NEW = ["newstring", "newstr", "newtext", "newsource", "replace", "replacement"];

function changed(name: string, fields: Fields): Call | undefined {
  const path = text(fields, ...PATHS) ?? "";
  const patch = text(fields, "patchtext", "patch", "diff", "input");
  if (patch !== undefined) {
    const blocks = ofBlocks(path, patch);
    if (blocks) return { kind: "change", changes: [blocks] };
    const files = isPatch(patch) ? ofPatch(patch, path) : [];
    if (files.length > 0) return { kind: "change", changes: files };
  }
  const several = list(fields, "edits", "replacements", "changes");
  if (several?.some((edit) => text(edit, ...NEW) !== undefined)) {
    const byPath = new Map<string, Change[]>();
    for (const edit of several) {
      const own = text(edit, ...PATHS) ?? path;
      const made = edited(own, edit);
      if (made) byPath.set(own, [...(byPath.get(own) ?? []), made]);
    }
    return { kind: "change", changes: [...byPath].map(([own, changes]) => joined(own, changes)) };
  }
  const one = path ? edited(path, fields) : undefined;
  if (one) return { kind: "change", changes: [one] };
  const written = text(fields, "content", "filetext", "contents", "code", "text");
  if (path && written !== undefined && (WRITES.test(name) || field(fields, "filetext") !== undefined)) {
    return { kind: "change", changes: [ofNew(path, written)] };
  }
  return undefined;
}

function edited(path: string, fields: Fields): Change | undefined {
  const before = text(fields, ...OLD);
  const after = text(fields, ...NEW);
  if (after === undefined && before === undefined) return undefined;
  return ofEdit(path, before ?? "", after ?? "");
}

const STATES: Record<string, Task["state"]> = {
  completed: "done",
  complete: "done",
  done: "done",
  inprogress: "doing",
  active: "doing",
  cancelled: "dropped",
  canceled: "dropped",
  deleted: "dropped",
};

function tasks(fields: Fields): Call | undefined {
  const listed = list(fields, "todos", "plan", "todolist", "tasks", "items");
  const note = text(fields, "explanation", "description") ?? "";
  const found = listed?.map((item): Task | undefined => {
    const words = text(item, "content", "step", "title", "text", "description", "task");
    const state = (text(item, "status", "state") ?? "").replace(/[-_ ]/g, "").toLowerCase();
    const isDone = field(item, "completed", "done") === true;
    return words === undefined ? undefined : { text: words, state: STATES[state] ?? (isDone ? "done" : "open") };
  });
  if (found?.every((task) => task !== undefined)) return { kind: "tasks", tasks: found, note };
  const marked = text(fields, "taskprogress", "todos");
  const lines = marked?.split("\n").filter((line) => /^\s*[-*] \[[ xX]\] /.test(line));
  if (!lines?.length || Object.keys(fields).length > 2) return undefined;
  const one = (line: string): Task => ({
    text: line.replace(/^\s*[-*] \[.\] /, ""),
    state: /\[[xX]\]/.test(line) ? "done" : "open",
  });
  return { kind: "tasks", tasks: lines.slice(0, MOST_ITEMS).map(one), note: "" };
}

function command(name: string, fields: Fields): Call | undefined {
  const value = field(fields, "command", "cmd", "script", "commandline", "commands");
  const words = commandText(value);
  // An editor's `command` says what to do with `path`.
  if (words === undefined || (text(fields, "path") !== undefined && /^\w+$/.test(words) && !/bash|shell/i.test(name))) {
    return undefined;
  }
  return {
    kind: "command",
    command: words,
    directory: text(fields, "workdir", "cwd", "directory", "cd") ?? "",
    about: text(fields, "description", "explanation") ?? "",
  };
}

function commandText(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  if (!Array.isArray(value) || value.length === 0) return undefined;
  if (!value.every((word): word is string => typeof word === "string")) {
    const inside = value.map((one) => commandText((one as Fields | null)?.command));
    return inside.every((one) => one !== undefined) ? inside.join("\n") : undefined;
  }
  // `bash -lc SCRIPT` is the script.
  if (value.length === 3 && /^-l?c$/.test(value[1]!)) return value[2];
  return value.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)).join(" ");
}

function agent(name: string, fields: Fields): Call | undefined {
  const prompt = text(fields, "prompt", "message", "instructions", "task");
  if (prompt === undefined) return undefined;
  const kind = text(fields, "subagenttype", "agenttype", "agent", "mode");
  if (kind === undefined && !AGENTS.test(name)) return undefined;
  return { kind: "agent", prompt, about: [kind, text(fields, "description")].filter(Boolean).join(" · ") };
}

function plan(name: string, fields: Fields): Call | undefined {
  const words = text(fields, "plan");
  return words !== undefined && /plan/i.test(name) ? { kind: "plan", text: words } : undefined;
}

function read(name: string, fields: Fields): Call | undefined {
  const path = text(fields, ...PATHS);
  if (path === undefined || !READS.test(name)) return undefined;
  const from = Number(field(fields, "offset", "startline", "line", "startlineonebased") ?? 1);
  return { kind: "read", path, from: Number.isSafeInteger(from) && from > 0 ? from : 1 };
}

function searched(name: string, fields: Fields): Call | undefined {
  if (!SEARCHES.test(name)) return undefined;
  const simple = Object.entries(fields).filter(([, value]) => ["string", "number", "boolean"].includes(typeof value));
  if (simple.length === 0 || simple.length < Object.keys(fields).length) return undefined;
  return { kind: "search", fields: simple.map(([key, value]) => [key, String(value)]) };
}

/** The fields of an input; of one that was cut, those before the cut. */
export function fieldsOf(input: string): Fields | null {
  if (input.length > LONGEST || !/^\s*\{/.test(input)) return null;
  const value =
    parsed(input) ??
    closed(input)
      .map(parsed)
      .find((one) => one !== null);
  return value && typeof value === "object" && !Array.isArray(value) ? (value as Fields) : null;
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return null;
  }
}

/** JSON that was cut, closed at its end, in the ways in which it may be meant. */
function closed(json: string): string[] {
  const open: string[] = [];
  let inString = false;
  for (let at = 0; at < json.length; at++) {
    const letter = json[at]!;
    if (inString) {
      if (letter === "\\") at += 1;
      else if (letter === '"') inString = false;
    } else if (letter === '"') inString = true;
    else if (letter === "{") open.push("}");
    else if (letter === "[") open.push("]");
    else if (letter === "}" || letter === "]") open.pop();
    if (open.length > DEEPEST) return [];
  }
  const ends = open.reverse().join("");
  if (inString) {
    // A cut escape is left out.
    const whole = json.replace(/\\(?:u[\da-f]{0,3})?$/i, (cut, at: number) => (isEscaped(json, at) ? cut : ""));
    return [`${whole}"${ends}`, `${whole}":null${ends}`];
  }
  const bare = json.slice(-1_000).trim() === "" ? "" : json.trimEnd();
  return [bare, `${bare}null`, `${bare}:null`, bare.replace(/,$/, ""), bare.replace(/[\w.+-]{1,30}$/, "null")].map(
    (one) => `${one}${ends}`,
  );
}

function isEscaped(json: string, at: number): boolean {
  let n = 0;
  while (json[at - 1 - n] === "\\") n += 1;
  return n % 2 === 1;
}

function tidy(value: unknown): string | null {
  try {
    return JSON.stringify(value, null, 2);
  } catch {
    // Deeper than can be followed.
    return null;
  }
}

/** JSON with line ends, if it is JSON. */
export function tidied(source: string): string | null {
  if (source.length > 200_000 || !/^\s*[{[]/.test(source)) return null;
  const value = parsed(source);
  return value && typeof value === "object" ? tidy(value) : null;
}

/** The exit code that a result names, in the forms that tools write. */
export function exitCode(result: string): number | null {
  const head = result.slice(0, 400);
  const found =
    /^(?:Process )?exit(?:ed)?(?: with)?(?: code|_code):? (-?\d{1,6})\b/im.exec(head) ??
    /^(?:Process )?exited with:? (-?\d{1,6})\b/im.exec(head) ??
    /<exit_code>(-?\d{1,6})</.exec(head) ??
    /^Exit Code: (-?\d{1,6})\s*$/m.exec(result.slice(-200));
  return found ? Number(found[1]) : null;
}

export interface NumberedLine {
  n: number;
  text: string;
}

/** A file as it was read: the numbers that tools write before each line, or counted from `from`. */
export function numbered(result: string, from: number): { lines: NumberedLine[]; rest: string } {
  const wrapped = /<(?:content|file)[^>]*>\n?([\s\S]*?)\n?<\/(?:content|file)>/.exec(result);
  const body = (wrapped?.[1] ?? result).replace(/\n$/, "");
  const lines: NumberedLine[] = [];
  const rest: string[] = [];
  const all = body.split("\n");
  const shape = /^\s*(\d{1,7})(?:→|\t|: ?|\| ?)(.*)$/;
  const shaped = all.slice(0, 40).filter((line) => shape.test(line)).length;
  const isNumbered = shaped > 0 && shaped >= Math.min(all.length, 40) * 0.6;
  for (const [at, line] of all.entries()) {
    if (!isNumbered) lines.push({ n: from + at, text: line });
    else {
      const found = shape.exec(line);
      if (found) lines.push({ n: Number(found[1]), text: found[2]! });
      else if (line.trim()) rest.push(line);
    }
  }
  return { lines, rest: rest.join("\n") };
}

/** A path without the directory in which the session runs. */
export function within(directory: string, path: string): string {
  const isInside = directory !== "" && path.startsWith(directory) && /[\\/]/.test(path[directory.length] ?? "");
  return isInside ? path.slice(directory.length + 1) : path;
}
