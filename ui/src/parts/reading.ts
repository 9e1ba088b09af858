// What the parts of a transcript know of the reader around them.
import { type ComponentChildren, createContext } from "preact";

/** The directory in which the session runs: paths inside are shown without it. */
export const Directory = createContext("");

/** Draws the transcript of a sub-agent, by its doc; `null` where it is not read. */
export const SubAgents = createContext<((doc: string) => ComponentChildren) | null>(null);

/** Something was found in this part: it is not clipped before it. */
export const Unclipped = createContext(false);

/** What is unfolded, so that it is still so when its row comes back into sight. */
export const Unfolded = createContext<Set<string> | null>(null);

/** The place of a message or a part in the transcript: what is unfolded is known by it. */
export const PlaceKey = createContext("");
