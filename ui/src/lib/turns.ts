// The displayed form of a part, and the clipping of long texts.
import type { Part } from "../backend/types";

export type Section =
  | { kind: "text" | "thinking" | "compaction"; text: string; rest: number }
  | { kind: "call"; name: string; target: string; input: string; bytes: number; rest: number }
  | { kind: "result"; text: string; bytes: number; isError: boolean; rest: number }
  | { kind: "image"; bytes: number };

/** `rest`: bytes of the part that are not loaded. */
export function section(part: Part): Section {
  const rest = Math.max(0, part.bytes - utf8(part.text));
  switch (part.kind) {
    case "thinking":
    case "reasoning":
      return { kind: "thinking", text: part.text, rest };
    case "tool_use":
      return {
        kind: "call",
        name: part.name ?? "tool",
        target: part.target ?? "",
        input: part.text,
        bytes: part.bytes,
        rest,
      };
    case "tool_result":
      return { kind: "result", text: part.text, bytes: part.bytes, isError: part.is_error === true, rest };
    case "image":
      return { kind: "image", bytes: part.media ? part.bytes : 0 };
    case "compaction":
      return { kind: "compaction", text: part.text, rest };
    default:
      return { kind: "text", text: part.text, rest };
  }
}

/** A tool's input in readable form: JSON with line ends, a patch as a patch, everything else
 * unchanged. */
export function readable(input: string): { text: string; language: string } {
  if (/^\*\*\* Begin Patch|^diff --git |^--- /.test(input)) return { text: input, language: "diff" };
  try {
    const value: unknown = JSON.parse(input);
    if (value && typeof value === "object") return { text: fields(value as Record<string, unknown>), language: "" };
  } catch {
    // Truncated, or not JSON.
  }
  return { text: input, language: "" };
}

function fields(value: Record<string, unknown>): string {
  const one = ([name, field]: [string, unknown]) => {
    const text = typeof field === "string" ? field : JSON.stringify(field, null, 2);
    return text.includes("\n") ? `${name}:\n${text.replace(/^/gm, "  ")}` : `${name}: ${text}`;
  };
  return Object.entries(value).map(one).join("\n");
}

export function utf8(text: string): number {
  return new TextEncoder().encode(text).length;
}

/** The beginning of a long text, cut at a line end if one is near. */
export function clip(text: string, most: number): { text: string; rest: number } {
  if (text.length <= most) return { text, rest: 0 };
  const line = text.lastIndexOf("\n", most);
  let end = line > most * 0.6 ? line : most;
  // A pair of surrogates is one letter.
  if (end > 0 && /[\ud800-\udbff]/.test(text[end - 1]!)) end -= 1;
  return { text: text.slice(0, end), rest: utf8(text.slice(end)) };
}
