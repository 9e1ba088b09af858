// Searches sessions: every typed word must occur somewhere in a row.
import type { SessionRow } from "../backend/types";
import { projectName } from "./format";

export interface Filter {
  text: string;
  tool: string;
  project: string;
  device: string;
}

export const EVERYTHING: Filter = { text: "", tool: "", project: "", device: "" };

/** A row's words in lower case, computed once: every key press searches 50,000 rows. */
export function haystack(row: SessionRow, toolName: string): string {
  return `${row.title}\n${projectName(row.project)}\n${row.devices.join(" ")}\n${toolName}\n${row.session}`.toLowerCase();
}

export function matching(rows: readonly SessionRow[], hay: readonly string[], filter: Filter): SessionRow[] {
  const wanted = filter.text.toLowerCase().split(/\s+/).filter(Boolean);
  return rows.filter(
    (row, at) =>
      (!filter.tool || row.tool === filter.tool) &&
      (!filter.project || row.project === filter.project) &&
      (!filter.device || row.devices.includes(filter.device)) &&
      wanted.every((word) => hay[at]!.includes(word)),
  );
}

/** The different values of a column, most frequent first. */
export function values(rows: readonly SessionRow[], of: (row: SessionRow) => readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const row of rows) for (const value of of(row)) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].sort((one, other) => other[1] - one[1] || one[0].localeCompare(other[0])).map(([value]) => value);
}
