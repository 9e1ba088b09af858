// A message cut into what it is made of. The engine joins the texts of a message's parts with line ends and says how
// many bytes each has; where it does not say, tool calls and images are known by the line that stands for them.
import type { Parts, Role } from "../backend/types";

export type Section =
  | { kind: "text" | "thinking"; text: string }
  | { kind: "call"; name: string; target: string }
  | { kind: "result"; text: string; bytes: number }
  | { kind: "image"; bytes: number };

const CALL = /^\[([A-Za-z][\w.:-]{0,80})\](?:\s+(.{1,300}))?$/;

export function sections(role: Role, text: string, parts: Parts | undefined): Section[] {
  const cut = parts && parts.length > 0 ? byParts(text, parts) : null;
  if (cut) return cut.flatMap(([kind, piece, bytes]) => section(role, kind, piece, bytes));
  return role === "tool" ? [{ kind: "result", text, bytes: utf8(text) }] : byLines(text);
}

function section(role: Role, kind: string, text: string, bytes: number): Section[] {
  switch (kind) {
    case "thinking":
    case "reasoning":
      return text.trim() ? [{ kind: "thinking", text }] : [];
    case "tool_use": {
      const call = CALL.exec(text.trim());
      return [{ kind: "call", name: call?.[1] ?? text, target: call?.[2] ?? "" }];
    }
    case "tool_result":
      return [{ kind: "result", text, bytes }];
    case "image":
      return [{ kind: "image", bytes }];
    default:
      if (!text.trim()) return [];
      return role === "tool" ? [{ kind: "result", text, bytes }] : byLines(text);
  }
}

/** `null` where the sizes do not add up to the text: it was clipped, or is of another kind. */
function byParts(text: string, parts: Parts): [string, string, number][] | null {
  const bytes = new TextEncoder().encode(text);
  const decoder = new TextDecoder();
  const found: [string, string, number][] = [];
  let at = 0;
  for (const [kind, length] of parts) {
    if (length === 0) continue;
    if (at + length > bytes.length) return null;
    found.push([kind, decoder.decode(bytes.subarray(at, at + length)), length]);
    at += length + 1; // the line end between two parts
  }
  return at - 1 === bytes.length ? found : null;
}

function byLines(text: string): Section[] {
  const found: Section[] = [];
  let plain: string[] = [];
  let fenced = false;
  const flush = () => {
    if (plain.join("").trim()) found.push({ kind: "text", text: plain.join("\n") });
    plain = [];
  };
  for (const line of text.split("\n")) {
    if (/^\s*(```|~~~)/.test(line)) fenced = !fenced;
    const call = fenced ? null : CALL.exec(line);
    if (call?.[1] === "image") {
      flush();
      found.push({ kind: "image", bytes: 0 });
    } else if (call) {
      flush();
      found.push({ kind: "call", name: call[1]!, target: call[2] ?? "" });
    } else plain.push(line);
  }
  flush();
  return found;
}

function utf8(text: string): number {
  return new TextEncoder().encode(text).length;
}

/** The beginning of a long text, cut at a line end where one is near. */
export function clip(text: string, most: number): { text: string; rest: number } {
  if (text.length <= most) return { text, rest: 0 };
  const line = text.lastIndexOf("\n", most);
  let end = line > most * 0.6 ? line : most;
  // A pair of surrogates is one letter.
  if (end > 0 && /[\ud800-\udbff]/.test(text[end - 1]!)) end -= 1;
  return { text: text.slice(0, end), rest: utf8(text.slice(end)) };
}
