// Edits and patches as rows of added, removed and unchanged lines.
import { structuredPatch } from "diff";

export interface Line {
  kind: "same" | "added" | "removed" | "gap";
  text: string;
  /** The line's number before and after, where it is known. */
  before?: number;
  after?: number;
}

export interface Change {
  path: string;
  /** For a file that was moved: its new path. */
  to?: string;
  action: "edit" | "create" | "delete";
  lines: Line[];
  added: number;
  removed: number;
}

const CONTEXT = 3;
/** Beyond this an edit is shown as all old lines, then all new ones. */
const MOST_EDITS = 1_500;
/** More files of one patch are not told apart. */
const MOST_FILES = 200;

/** A replaced text. Line numbers are those within the text, so none are given. */
export function ofEdit(path: string, before: string, after: string): Change {
  if (before === "") return ofNew(path, after, "edit");
  const patch = structuredPatch("", "", ended(before), ended(after), "", "", {
    context: CONTEXT,
    maxEditLength: MOST_EDITS,
    timeout: 60,
  });
  const lines: Line[] = [];
  if (!patch) {
    lines.push(...rows(before, "removed"), ...rows(after, "added"));
  } else if (patch.hunks.length === 0) {
    lines.push(...rows(before, "same"));
  }
  for (const hunk of patch?.hunks ?? []) {
    if (lines.length > 0) lines.push({ kind: "gap", text: "" });
    for (const line of hunk.lines) pushLine(lines, line);
  }
  return counted({ path, action: "edit", lines });
}

/** A file written whole. */
export function ofNew(path: string, text: string, action: "edit" | "create" = "create"): Change {
  return counted({ path, action, lines: rows(text, "added") });
}

/** Several edits of one file as one change. */
export function joined(path: string, changes: Change[]): Change {
  const lines = changes.flatMap((change, at) =>
    at === 0 ? change.lines : [{ kind: "gap" as const, text: "" }, ...change.lines],
  );
  return counted({ path, action: "edit", lines });
}

export function isPatch(text: string): boolean {
  return /^\s*\*\*\* Begin Patch|^diff --git |^--- \S[^\n]*\n\+\+\+ |^@@ -\d/m.test(text.slice(0, 4_000));
}

/** The files of a patch: the form with `*** Update File: `, or a unified diff. */
export function ofPatch(text: string, path = ""): Change[] {
  return (/^\s*\*\*\* Begin Patch|^\*\*\* (?:Add|Update|Delete) File: /m.test(text) ? ofMarked : ofUnified)(text, path);
}

function ofMarked(text: string): Change[] {
  const found: Change[] = [];
  let change: Omit<Change, "added" | "removed"> | null = null;
  const flush = () => {
    if (change && found.length < MOST_FILES) found.push(counted(change));
  };
  for (const line of text.split("\n")) {
    const file = /^\*\*\* (Add|Update|Delete) File: (.*)$/.exec(line);
    if (file) {
      flush();
      const action = file[1] === "Add" ? "create" : file[1] === "Delete" ? "delete" : "edit";
      change = { path: file[2]!.trim(), action, lines: [] };
    } else if (!change || /^\*\*\* (Begin|End) Patch|^\*\*\* End of File/.test(line)) {
    } else if (line.startsWith("*** Move to: ")) change.to = line.slice(13).trim();
    else if (line.startsWith("@@")) {
      const place = line.slice(2).trim();
      if (change.lines.length > 0 || place) change.lines.push({ kind: "gap", text: place });
    } else pushLine(change.lines, line);
  }
  flush();
  return found;
}

function ofUnified(text: string, path: string): Change[] {
  const found: Change[] = [];
  let change: Omit<Change, "added" | "removed"> | null = path ? { path, action: "edit", lines: [] } : null;
  let [before, after] = [0, 0];
  // Lines that belong to the hunk still: a removed line may begin with `--`.
  let [oldLeft, newLeft] = [0, 0];
  const flush = () => {
    if (change && (change.lines.length > 0 || change.action !== "edit") && found.length < MOST_FILES) {
      found.push(counted(change));
    }
  };
  for (const line of text.split("\n")) {
    const hunk = /^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@ ?(.*)$/.exec(line);
    if (hunk) {
      change ??= { path, action: "edit", lines: [] };
      [before, after] = [Number(hunk[1]), Number(hunk[3])];
      [oldLeft, newLeft] = [Number(hunk[2] ?? 1), Number(hunk[4] ?? 1)];
      if (change.lines.length > 0 || hunk[5]) change.lines.push({ kind: "gap", text: hunk[5] ?? "" });
    } else if (change && (oldLeft > 0 || newLeft > 0)) {
      if (line.startsWith("\\")) continue;
      const mark = line[0] ?? " ";
      if (mark === "-") {
        change.lines.push({ kind: "removed", text: line.slice(1), before: before++ });
        oldLeft -= 1;
      } else if (mark === "+") {
        change.lines.push({ kind: "added", text: line.slice(1), after: after++ });
        newLeft -= 1;
      } else {
        change.lines.push({ kind: "same", text: line.slice(1), before: before++, after: after++ });
        oldLeft -= 1;
        newLeft -= 1;
      }
    } else if (line.startsWith("diff --git ")) {
      flush();
      change = { path: / b\/(.*)$/.exec(line)?.[1] ?? "", action: "edit", lines: [] };
    } else if (line.startsWith("--- ")) {
      if (!change || change.lines.length > 0) {
        flush();
        change = { path: bare(line.slice(4)), action: "edit", lines: [] };
      }
      if (line.startsWith("--- /dev/null")) change.action = "create";
    } else if (line.startsWith("+++ ") && change) {
      if (line.startsWith("+++ /dev/null")) change.action = "delete";
      else change.path = bare(line.slice(4));
    } else if (line.startsWith("new file") && change) change.action = "create";
    else if (line.startsWith("deleted file") && change) change.action = "delete";
  }
  flush();
  return found;
}

/** Blocks of `SEARCH` and `REPLACE`, with either kind of fences. */
export function ofBlocks(path: string, text: string): Change | null {
  const shape = /^[<-]{3,} ?SEARCH>?[^\n]*\n([\s\S]*?)^={3,}[^\n]*\n([\s\S]*?)^(?:>{3,}|\+{3,}) ?REPLACE[^\n]*$/gm;
  const changes: Change[] = [];
  for (const block of text.matchAll(shape)) {
    changes.push(ofEdit(path, block[1]!.replace(/\n$/, ""), block[2]!.replace(/\n$/, "")));
    if (changes.length === MOST_FILES) break;
  }
  return changes.length > 0 ? joined(path, changes) : null;
}

export function sums(changes: readonly Change[]): { added: number; removed: number } {
  const sum = (name: "added" | "removed") => changes.reduce((all, change) => all + change[name], 0);
  return { added: sum("added"), removed: sum("removed") };
}

function bare(name: string): string {
  return name
    .split("\t")[0]!
    .trim()
    .replace(/^[ab]\//, "");
}

function rows(text: string, kind: Line["kind"]): Line[] {
  return text
    .replace(/\n$/, "")
    .split("\n")
    .map((line, at) => (kind === "added" ? { kind, text: line, after: at + 1 } : { kind, text: line }));
}

function pushLine(lines: Line[], line: string): void {
  if (line.startsWith("\\")) return;
  const kind = line[0] === "+" ? "added" : line[0] === "-" ? "removed" : "same";
  lines.push({ kind, text: line.slice(1) });
}

/** A last line without its end is no difference. */
function ended(text: string): string {
  return text.endsWith("\n") ? text : `${text}\n`;
}

function counted(change: Omit<Change, "added" | "removed">): Change {
  const count = (kind: Line["kind"]) => change.lines.filter((line) => line.kind === kind).length;
  return { ...change, added: count("added"), removed: count("removed") };
}
