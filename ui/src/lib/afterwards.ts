// What a decision about a split leaves in the tool and in the vault. Pure: the engine carries the decision out on every
// device alike, and this says so before it does.
import type { Action, Side } from "../backend/types";

/** A session in the tool: the common part, then what these sides added, in this order. */
export interface Remaining {
  /** The session itself, or the one that the second version became. */
  is: "session" | "fork";
  versions: Side[];
}

export interface Afterwards {
  tool: Remaining[];
  /** What leaves the tool and stays in the vault. */
  vault: Side[];
}

/** `active`: the side after which a session of both versions continues. */
export function afterwards(choice: Action, active: Side): Afterwards {
  const session = (...versions: Side[]): Remaining => ({ is: "session", versions });
  switch (choice) {
    case "keep-left":
      return { tool: [session("left")], vault: ["right"] };
    case "keep-right":
      return { tool: [session("right")], vault: ["left"] };
    case "stitch":
      return { tool: [session("left", "right")], vault: [] };
    case "branches":
      return { tool: [active === "left" ? session("right", "left") : session("left", "right")], vault: [] };
    default:
      return { tool: [session("left"), { is: "fork", versions: ["right"] }], vault: [] };
  }
}
