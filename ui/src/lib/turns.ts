// The displayed form of a part, and the clipping of long texts.
import type { Message, Part } from "../backend/types";

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

/** Marks of direction inside a line: by them a name could read as another one. */
const DIRECTION = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** A name, a path or a command in one line, as it is: nothing in it changes its direction. */
export function safeLine(text: string): string {
  return text
    .slice(0, 400)
    .replace(DIRECTION, "\ufffd")
    .replace(/\p{Cc}+/gu, " ");
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

/** What a run of messages of one speaker had: its model, and the tokens of its answers. */
export interface Turn {
  model: string;
  /** What the model read for its last answer. */
  input: number;
  output: number;
}

/** Longer turns are not added up. */
const LONGEST_TURN = 400;

/** The turn that a message begins; `null` if it begins none. */
export function turnAt(at: number, get: (at: number) => Message | undefined): Turn | null {
  const first = get(at);
  if (!first || !isOfModel(first) || isSameTurn(get(at - 1), first)) return null;
  const turn: Turn = { model: "", input: 0, output: 0 };
  let last = { input: -1, output: 0 };
  for (let next = at; next < at + LONGEST_TURN; next++) {
    const message = get(next);
    if (!message || (next > at && !isSameTurn(get(next - 1), message))) break;
    turn.model ||= message.model ?? "";
    const { tokens } = message;
    if (!tokens) continue;
    // Some tools write an answer as several records, each with the tokens of the whole so far.
    const known = last.input === tokens.input ? last.output : 0;
    turn.output += Math.max(0, tokens.output - known);
    turn.input = tokens.input;
    last = { input: tokens.input, output: Math.max(tokens.output, known) };
  }
  return turn;
}

function isOfModel(message: Message): boolean {
  return message.role === "assistant" || message.role === "tool";
}

function isSameTurn(before: Message | undefined, message: Message): boolean {
  return before !== undefined && isOfModel(before) && isOfModel(message) && before.device === message.device;
}

/** A message as text: what was written, and a line for each call. */
export function plainOf(parts: readonly Part[], bodies: readonly string[]): string {
  const one = (part: Part, at: number) => {
    if (part.kind === "image") return "[image]";
    if (part.kind === "tool_use") return `[${part.name ?? "tool"}] ${part.target ?? ""}`.trim();
    return bodies[at] ?? part.text;
  };
  return parts.map(one).join("\n\n").trim();
}

/** A message as Markdown: texts as written, calls and results in fences that nothing in them ends. */
export function markdownOf(parts: readonly Part[], bodies: readonly string[]): string {
  const one = (part: Part, at: number) => {
    const body = bodies[at] ?? part.text;
    switch (part.kind) {
      case "text":
        return body;
      case "image":
        return "*[image]*";
      case "tool_use":
        return `**${part.name ?? "tool"}**\n\n${fenced(body)}`;
      case "tool_result":
        return fenced(body);
      default:
        return body.replace(/^/gm, "> ");
    }
  };
  return parts.map(one).join("\n\n").trim();
}

function fenced(text: string): string {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map((run) => run[0].length));
  const fence = "`".repeat(longest + 1);
  return `${fence}\n${text.replace(/\n$/, "")}\n${fence}`;
}
