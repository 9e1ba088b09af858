// Which result answers which call, across messages and pages: by the id that both have, else by
// their order.
import type { Message, Part } from "../backend/types";

export interface Place {
  message: number;
  part: number;
}

/** The fields of a message by which a call and its result are matched. */
export type Said = Pick<Message, "role" | "parts">;

type Get = (at: number) => Said | undefined;

/** Without ids, a result is sought this far from its call. */
const FAR = 60;

export class Pairs {
  private readonly calls = new Map<string, Place>();
  private readonly results = new Map<string, Place>();
  /** By message: its parts with their counterparts, where there are no ids. */
  private readonly near = new Map<number, Map<number, Place>>();

  constructor(private readonly get: Get) {}

  /** The messages are others now: they are added again. */
  clear(): void {
    for (const known of [this.calls, this.results, this.near]) known.clear();
  }

  /** A page has arrived, or changed. */
  add(from: number, messages: readonly Said[]): void {
    for (const [n, message] of messages.entries()) {
      for (const [part, { kind, call_id }] of message.parts.entries()) {
        if (call_id === undefined) continue;
        const known = kind === "tool_use" ? this.calls : kind === "tool_result" ? this.results : null;
        const place = { message: from + n, part };
        const before = known?.get(call_id);
        // The first one counts, in whatever order pages arrive.
        if (known && (!before || isBefore(place, before))) known.set(call_id, place);
      }
    }
    this.near.clear();
  }

  resultOf(message: number, part: number): Place | undefined {
    const call = this.get(message)?.parts[part];
    if (call?.kind !== "tool_use") return undefined;
    if (call.call_id === undefined) return this.byOrder(message, part);
    const result = this.results.get(call.call_id);
    return result && this.isPair(call.call_id, { message, part }, result) ? result : undefined;
  }

  /** The call that a part answers; pictures after a result belong to the result. */
  callOf(message: number, part: number): Place | undefined {
    const parts = this.get(message)?.parts;
    if (!parts) return undefined;
    let at = part;
    while (at > 0 && parts[at]!.kind === "image") at -= 1;
    const result = parts[at]!;
    if (result.kind !== "tool_result") return undefined;
    if (result.call_id === undefined) return this.byOrder(message, at);
    const call = this.calls.get(result.call_id);
    return call && this.isPair(result.call_id, call, { message, part: at }) ? call : undefined;
  }

  /** The row in which a part is shown: its call's, if it is a result. */
  home(message: number, part: number): Place {
    return this.callOf(message, part) ?? { message, part };
  }

  /** Everything in the message is shown in rows before it. */
  isElsewhere(message: number): boolean {
    const parts = this.get(message)?.parts ?? [];
    return (
      parts.length > 0 &&
      parts.every((_, part) => {
        const call = this.callOf(message, part);
        return call !== undefined && call.message < message;
      })
    );
  }

  private isPair(id: string, call: Place, result: Place): boolean {
    const [first, answer] = [this.calls.get(id), this.results.get(id)];
    return isSame(first, call) && isSame(answer, result) && isBefore(call, result);
  }

  private byOrder(message: number, part: number): Place | undefined {
    let found = this.near.get(message);
    if (!found) {
      this.follow(message);
      found = this.near.get(message);
    }
    return found?.get(part);
  }

  /** Follows the calls from the last prompt before the message to the next one. */
  private follow(message: number): void {
    let start = message;
    while (start > 0 && message - start < FAR && this.get(start)?.role !== "user" && this.get(start - 1)) start -= 1;
    const waiting: Place[] = [];
    for (let at = start; at <= message + FAR; at++) {
      const said = this.get(at);
      if (!said || (at > message && said.role === "user")) break;
      if (said.role === "user") waiting.length = 0;
      for (const [part, { kind, call_id }] of said.parts.entries()) {
        if (call_id !== undefined) continue;
        if (kind === "tool_use") waiting.push({ message: at, part });
        if (kind !== "tool_result") continue;
        const last = waiting.at(-1);
        const isNext = last && last.message === at && last.part === part - 1;
        const call = isNext ? waiting.pop() : waiting.shift();
        if (!call) continue;
        this.note(call, { message: at, part });
        this.note({ message: at, part }, call);
      }
    }
    if (!this.near.has(message)) this.near.set(message, new Map());
  }

  private note(one: Place, other: Place): void {
    const known = this.near.get(one.message) ?? new Map<number, Place>();
    this.near.set(one.message, known.set(one.part, other));
  }
}

/** The result and its pictures: the parts of a message that belong to one call. */
export function partsOfResult(message: Pick<Message, "parts">, part: number): [number, Part][] {
  const found: [number, Part][] = [[part, message.parts[part]!]];
  for (let at = part + 1; message.parts[at]?.kind === "image"; at++) found.push([at, message.parts[at]!]);
  return found;
}

function isBefore(one: Place, other: Place): boolean {
  return one.message < other.message || (one.message === other.message && one.part < other.part);
}

function isSame(one: Place | undefined, other: Place): boolean {
  return one?.message === other.message && one.part === other.part;
}
