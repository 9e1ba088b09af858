// What the window asks and hears, whoever answers: the engine through the shell, or a stand-in in a plain browser.
import type { Answer, ApiError, Command, Request, Status } from "./types";

/** Something worth telling that is not part of the state: the shell shows it as a notification too. */
export interface Notice {
  title: string;
  body: string;
}

export interface Backend {
  /** Asks; throws a `Refusal` where the answer is an error. */
  roam<C extends Command>(request: Request<C>): Promise<Answer<C>>;
  /** Calls back with each whole new status. Returns how to stop. */
  onStatus(hear: (status: Status) => void): () => void;
  onNotice(hear: (notice: Notice) => void): () => void;
}

/** An error of the engine: stable code, what, and what to do. */
export class Refusal extends Error {
  readonly code: string;
  readonly hint: string;

  constructor(error: ApiError) {
    super(error.message);
    this.code = error.code;
    this.hint = error.hint;
  }
}

/** Whatever was thrown, as something that can be shown. */
export function asRefusal(thrown: unknown, fallback: string): Refusal {
  if (thrown instanceof Refusal) return thrown;
  if (isApiError(thrown)) return new Refusal(thrown);
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new Refusal({ code: "internal", message: fallback, hint: message });
}

function isApiError(thrown: unknown): thrown is ApiError {
  return typeof thrown === "object" && thrown !== null && "code" in thrown && "message" in thrown && "hint" in thrown;
}
