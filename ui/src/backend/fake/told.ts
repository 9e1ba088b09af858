// What the fake tells is what a real engine told: recorded.json is written by `cargo xtask docs`
// (tests/core/stories/recorded.rs). Only names and numbers are replaced.
import { Refusal } from "../backend";
import type { ApiError, Choice, CodeQuestion, Done, Held, HistoryRow, ProblemCode, Reason, Waiting } from "../types";
import json from "./recorded.json";

interface Recorded {
  /** Of a split between desk and lap. */
  choices: Choice[];
  resolved: Record<Choice["id"], Done>;
  undone: Record<Choice["id"], Done>;
  /** Of the versions of lap and box, beside desk's, which has the session. */
  beside: { choices: Choice[]; resolved: Partial<Record<Choice["id"], Done>> };
  waiting: Partial<Record<Reason, Pick<Waiting, "why" | "hint" | "actions">>>;
  held: Held[];
  refused: Partial<Record<ProblemCode, ApiError>>;
  /** Uncommitted changes, of desk on lap: the question and its answers, what was taken over, why an undo is refused. */
  code: { question: CodeQuestion; on: Done; off: Done; forgotten: Done; applied: HistoryRow; blocked: ApiError };
}

const recorded = json as unknown as Recorded;

function named(text: string, left: string, right: string): string {
  return text.replace(/\b(desk|lap)\b/g, (name) => (name === "desk" ? left : right));
}

export function choices(left: string, right: string): Choice[] {
  return recorded.choices.map((choice) => ({
    ...choice,
    consequence: named(choice.consequence, left, right),
  }));
}

export function resolved(id: Choice["id"], left: string, right: string): string {
  return named(recorded.resolved[id].message, left, right);
}

function namedBeside(text: string, left: string, right: string): string {
  return text.replace(/\b(lap|box)\b/g, (name) => (name === "lap" ? left : right));
}

export function choicesBeside(left: string, right: string): Choice[] {
  return recorded.beside.choices.map((choice) => ({
    ...choice,
    consequence: namedBeside(choice.consequence, left, right),
  }));
}

export function resolvedBeside(id: Choice["id"], left: string, right: string): string {
  return namedBeside(recorded.beside.resolved[id]?.message ?? "", left, right);
}

export function undone(id: Choice["id"]): string {
  return recorded.undone[id].message;
}

/** Why a session waits, if a story of the engine reached that. */
export function waits(reason: Reason, project: string): Pick<Waiting, "why" | "hint" | "actions"> | undefined {
  const told = recorded.waiting[reason];
  if (!told) return undefined;
  const actions = told.actions.map((one) => ("project" in one ? { ...one, project } : one));
  const name = project.split("/").slice(-2).join("/");
  return { ...told, why: told.why.replace(/acme\/(api|web)/, name), actions };
}

/** A tool whose sessions vanished. */
export function emptied(n: number): Held {
  const held = recorded.held[0]!;
  return { ...held, message: held.message.replace(/^\d+/, String(n)) };
}

/** Refuses as the engine does; what the user had named was “nope”. */
export function refuse(code: ProblemCode, name = ""): never {
  const told = recorded.refused[code];
  if (!told) throw new Error(`The recording has no ${code}.`);
  throw new Refusal({ ...told, message: told.message.replace("nope", name) });
}

/** What was recorded of uncommitted changes. */
export const code: Readonly<Recorded["code"]> = recorded.code;
