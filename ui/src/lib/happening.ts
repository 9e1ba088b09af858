// A row of the history in words.
import type { HistoryRow } from "../backend/types";
import { words } from "../words";
import { plural } from "./format";

export function happening(row: HistoryRow): string {
  const what = words.overview.happenings[row.what];
  if (row.what === "excluded") return `${what}: ${row.doc}`;
  return row.files > 0 ? `${plural(row.files, "file", "files")} ${what}` : what;
}
