// The list of all sessions, page by page: one long answer would stop the window while it is read.
import type { SessionRow } from "../backend/types";

/** Sessions of a page. */
export const LISTED = 2_000;

/** Asks for the sessions that follow this one; without one, for the first. */
export type AskPage = (after: string | undefined, limit: number) => Promise<SessionRow[]>;

/** All sessions. A session that moves to the top meanwhile may come twice, and counts once. Ends without an answer when
 * `isWanted` says so. */
export async function listAll(ask: AskPage, isWanted: () => boolean): Promise<SessionRow[] | null> {
  const all: SessionRow[] = [];
  const known = new Set<string>();
  for (;;) {
    const page = await ask(all.at(-1)?.session, LISTED);
    if (!isWanted()) return null;
    const before = all.length;
    for (const row of page) {
      const key = `${row.tool} ${row.session}`;
      if (known.has(key)) continue;
      known.add(key);
      all.push(row);
    }
    // A page that brings nothing new is the end, too: an order that changes must not go round for ever.
    if (page.length < LISTED || all.length === before) return all;
  }
}
