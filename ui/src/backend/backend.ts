// The window's requests and events, whoever answers: the engine through the shell, or a fake in a
// plain browser.
import type { Answer, ApiError, Command, ProblemCode, Remedy, Request, Status } from "./types";

/** News that is not part of the state: the shell also shows it as a notification. */
export interface Notice {
  title: string;
  body: string;
}

/** What the user drags over the window, as the shell reports it: real files, whose paths the page does not learn. */
export type Drag =
  | { kind: "over"; is_picture: boolean }
  | { kind: "gone" }
  /** What was dropped could not be imported. */
  | { kind: "refused"; error: ApiError }
  /** A picture was dropped; its bytes in base64. Everything else the engine imports. */
  | { kind: "picture"; data: string };

export interface Backend {
  /** Sends a request; throws a `Refusal` if the answer is an error. */
  roam<C extends Command>(request: Request<C>): Promise<Answer<C>>;
  /** Calls back with each whole new status. Returns a function that stops the calls. */
  onStatus(hear: (status: Status) => void): () => void;
  onNotice(hear: (notice: Notice) => void): () => void;
  onDrag(hear: (drag: Drag) => void): () => void;
}

/** What the window itself refuses. */
type OwnCode = "no_qr" | "undo_changed" | "moved";

/** An error of the engine: stable code, what failed, and what the user can do. */
export class Refusal extends Error {
  readonly code: ProblemCode | OwnCode;
  readonly hint: string;
  readonly actions: Remedy[];

  constructor(error: Omit<ApiError, "code" | "actions"> & { code: ProblemCode | OwnCode; actions?: Remedy[] }) {
    super(error.message);
    this.code = error.code;
    this.hint = error.hint;
    this.actions = error.actions ?? [];
  }
}

/** Converts any thrown value to one that can be displayed. */
export function asRefusal(thrown: unknown, fallback: string): Refusal {
  if (thrown instanceof Refusal) return thrown;
  if (isApiError(thrown)) return new Refusal(thrown);
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new Refusal({ code: "internal", message: fallback, hint: message });
}

function isApiError(thrown: unknown): thrown is ApiError {
  return typeof thrown === "object" && thrown !== null && "code" in thrown && "message" in thrown && "hint" in thrown;
}
