// The subset of Markdown that transcripts use, as a tree of plain values. The tree cannot contain
// HTML: text that looks like HTML stays text.

export type Inline =
  | { kind: "text"; text: string }
  | { kind: "code"; text: string }
  | { kind: "strong" | "emphasis"; inside: Inline[] }
  | { kind: "link"; address: string; inside: Inline[] };

export type Block =
  | { kind: "paragraph"; inside: Inline[] }
  | { kind: "heading"; level: number; inside: Inline[] }
  | { kind: "code"; language: string; text: string }
  | { kind: "quote"; blocks: Block[] }
  | { kind: "list"; ordered: boolean; start: number; items: Inline[][] }
  | { kind: "table"; head: Inline[][]; rows: Inline[][][] }
  | { kind: "rule" };

const FENCE = /^ {0,3}(`{3,}|~{3,})\s*([\w+#.-]*)/;
const HEADING = /^ {0,3}(#{1,6})\s+(.+?)\s*#*$/;
const RULE = /^ {0,3}([-*_])(\s*\1){2,}\s*$/;
const ITEM = /^(\s{0,8})([-*+]|\d{1,9}[.)])\s+(.*)$/;
const DIVIDER = /^\s*\|?\s*:?-{2,}:?\s*(\|\s*:?-{2,}:?\s*)*\|?\s*$/;
/** Quotes within quotes are followed this far. */
const DEEPEST = 6;

export function markdown(text: string, depth = 0): Block[] {
  const lines = text.replace(/\r\n?/g, "\n").split("\n");
  const blocks: Block[] = [];
  let at = 0;
  let paragraph: string[] = [];
  const flush = () => {
    if (paragraph.length > 0) blocks.push({ kind: "paragraph", inside: inline(paragraph.join("\n")) });
    paragraph = [];
  };
  while (at < lines.length) {
    const line = lines[at]!;
    const fence = FENCE.exec(line);
    if (fence) {
      flush();
      const end = endOfFence(lines, at + 1, fence[1]!);
      blocks.push({ kind: "code", language: fence[2]!, text: lines.slice(at + 1, end).join("\n") });
      at = end + 1;
      continue;
    }
    const heading = HEADING.exec(line);
    if (heading) {
      flush();
      blocks.push({ kind: "heading", level: heading[1]!.length, inside: inline(heading[2]!) });
    } else if (RULE.test(line)) {
      flush();
      blocks.push({ kind: "rule" });
    } else if (/^ {0,3}>/.test(line) && depth < DEEPEST) {
      flush();
      const end = endWhile(lines, at, (candidate) => /^ {0,3}>/.test(candidate));
      const inner = lines.slice(at, end).map((quoted) => quoted.replace(/^ {0,3}> ?/, ""));
      blocks.push({ kind: "quote", blocks: markdown(inner.join("\n"), depth + 1) });
      at = end;
      continue;
    } else if (ITEM.test(line) && (paragraph.length === 0 || /^\s{0,8}([-*+]|1[.)])/.test(line))) {
      flush();
      at = list(lines, at, blocks);
      continue;
    } else if (line.includes("|") && DIVIDER.test(lines[at + 1] ?? "") && paragraph.length === 0) {
      const end = endWhile(lines, at + 2, (candidate) => candidate.includes("|") && candidate.trim() !== "");
      const rows = lines.slice(at + 2, end).map(cells);
      blocks.push({ kind: "table", head: cells(line), rows });
      at = end;
      continue;
    } else if (line.trim() === "") flush();
    else paragraph.push(line);
    at += 1;
  }
  flush();
  return blocks;
}

function endOfFence(lines: string[], from: number, fence: string): number {
  const closing = new RegExp(`^ {0,3}${fence[0] === "~" ? "~" : "`"}{${fence.length},}\\s*$`);
  const found = lines.findIndex((line, at) => at >= from && closing.test(line));
  return found < 0 ? lines.length : found;
}

function endWhile(lines: string[], from: number, fits: (line: string) => boolean): number {
  let at = from;
  while (at < lines.length && fits(lines[at]!)) at += 1;
  return at;
}

/** Lists are shown flat: what is nested is indented text of its item's line. */
function list(lines: string[], from: number, blocks: Block[]): number {
  const ordered = /\d/.test(ITEM.exec(lines[from]!)![2]!);
  const start = ordered ? Number.parseInt(ITEM.exec(lines[from]!)![2]!, 10) : 1;
  const items: string[] = [];
  let at = from;
  while (at < lines.length) {
    const item = ITEM.exec(lines[at]!);
    if (item) {
      const nested = item[1]!.length >= 2 && items.length > 0;
      if (nested) items[items.length - 1] += `\n${item[2]} ${item[3]}`;
      else if (/\d/.test(item[2]!) !== ordered) break;
      else items.push(item[3]!);
    } else if (/^\s{2,}\S/.test(lines[at]!) && !FENCE.test(lines[at]!))
      items[items.length - 1] += `\n${lines[at]!.trim()}`;
    else break;
    at += 1;
  }
  blocks.push({ kind: "list", ordered, start, items: items.map(inline) });
  return at;
}

function cells(line: string): Inline[][] {
  const bare = line.trim().replace(/^\|/, "").replace(/\|$/, "");
  return bare.split(/(?<!\\)\|/).map((cell) => inline(cell.trim()));
}

const ADDRESS = /^https?:\/\/[^\s<>"']+/;

/** Only addresses that a browser may be asked to open. */
export function safeAddress(address: string): string | null {
  try {
    const url = new URL(address);
    return url.protocol === "https:" || url.protocol === "http:" || url.protocol === "mailto:" ? url.href : null;
  } catch {
    return null;
  }
}

export function inline(text: string, depth = 0): Inline[] {
  const found: Inline[] = [];
  let plain = "";
  const flush = () => {
    if (plain) found.push({ kind: "text", text: plain });
    plain = "";
  };
  let at = 0;
  while (at < text.length) {
    const token = depth < DEEPEST ? tokenAt(text, at, depth) : null;
    if (token) {
      flush();
      found.push(token.found);
      at = token.end;
    } else if (text[at] === "\\" && /[\\`*_[\]()#>|~-]/.test(text[at + 1] ?? "")) {
      plain += text[at + 1];
      at += 2;
    } else {
      plain += text[at];
      at += 1;
    }
  }
  flush();
  return found;
}

function tokenAt(text: string, at: number, depth: number): { found: Inline; end: number } | null {
  const letter = text[at];
  if (letter === "`") return codeAt(text, at);
  if (letter === "*" || letter === "_") return emphasisAt(text, at, depth);
  if (letter === "[") return linkAt(text, at, depth);
  if (letter === "h" && !/\w/.test(text[at - 1] ?? "")) return addressAt(text, at);
  return null;
}

function codeAt(text: string, at: number): { found: Inline; end: number } | null {
  let ticks = 0;
  while (text[at + ticks] === "`") ticks += 1;
  const end = text.indexOf("`".repeat(ticks), at + ticks);
  if (end < 0) return null;
  return { found: { kind: "code", text: text.slice(at + ticks, end).trim() }, end: end + ticks };
}

function emphasisAt(text: string, at: number, depth: number): { found: Inline; end: number } | null {
  const letter = text[at]!;
  const mark = text[at + 1] === letter ? letter + letter : letter;
  // An underscore inside a word is part of a name.
  if (letter === "_" && /\w/.test(text[at - 1] ?? "")) return null;
  if (/\s/.test(text[at + mark.length] ?? " ")) return null;
  const end = text.indexOf(mark, at + mark.length + 1);
  if (end < 0 || /\s/.test(text[end - 1]!) || text.slice(at, end).includes("\n\n")) return null;
  if (letter === "_" && /\w/.test(text[end + mark.length] ?? "")) return null;
  const inside = inline(text.slice(at + mark.length, end), depth + 1);
  return { found: { kind: mark.length === 2 ? "strong" : "emphasis", inside }, end: end + mark.length };
}

function linkAt(text: string, at: number, depth: number): { found: Inline; end: number } | null {
  const shape = /^\[([^\]\n]{1,500})\]\(\s*<?([^\s)>]{1,2000})>?(?:\s+"[^"]*")?\s*\)/.exec(text.slice(at, at + 2600));
  const address = shape && safeAddress(shape[2]!);
  if (!address) return null;
  return { found: { kind: "link", address, inside: inline(shape[1]!, depth + 1) }, end: at + shape[0].length };
}

function addressAt(text: string, at: number): { found: Inline; end: number } | null {
  const shape = ADDRESS.exec(text.slice(at, at + 2000));
  const bare = shape?.[0].replace(/[.,;:!?)\]*_]+$/, "");
  const address = bare && safeAddress(bare);
  if (!address) return null;
  return { found: { kind: "link", address, inside: [{ kind: "text", text: bare }] }, end: at + bare.length };
}
