// Lines of a file or of a change, with a column for their numbers or marks. Long ones are clipped
// until the user asks for more.
import { useContext, useEffect, useMemo, useState } from "preact/hooks";
import type { Change, Line } from "../lib/changes";
import { isHighlighterLoaded, languageOfPath, lineTokens, loadHighlighter, type Token } from "../lib/code";
import { size } from "../lib/format";
import { words } from "../words";
import { Unclipped } from "./reading";

const FIRST_LINES = 120;
const MORE_LINES = 800;
const LONGEST_LINE = 2_000;
/** Of a part in which something was found, this much is shown at once. */
const FOUND_LINES = 4_000;

/** Draws again once the highlighter is there. */
export function useHighlighter(): boolean {
  const [isLoaded, setLoaded] = useState(isHighlighterLoaded);
  useEffect(() => {
    let current = true;
    if (!isLoaded) void loadHighlighter().then(() => current && setLoaded(true));
    return () => {
      current = false;
    };
  }, []);
  return isLoaded;
}

export function Coloured({ tokens }: { tokens: Token[] }) {
  return tokens.map((token, at) =>
    token.kind ? (
      <span key={at} class={`t-${token.kind}`}>
        {token.text}
      </span>
    ) : (
      token.text
    ),
  );
}

interface Row {
  kind: Line["kind"];
  gutter: string;
  text: string;
}

interface LinesProps {
  rows: Row[];
  path: string;
  label: string;
}

function Lines({ rows, path, label }: LinesProps) {
  const [asked, setAsked] = useState(FIRST_LINES);
  const n = Math.max(asked, useContext(Unclipped) ? FOUND_LINES : 0);
  const isLoaded = useHighlighter();
  const shown = rows.length <= n + 20 ? rows : rows.slice(0, n);
  const coloured = useMemo(() => {
    const clipped = shown.map((row) => row.text.slice(0, LONGEST_LINE));
    return lineTokens(clipped.join("\n"), languageOfPath(path));
  }, [shown.length, rows, path, isLoaded]);
  const isNumbered = rows.some((row) => row.gutter !== "");
  return (
    <div class="lines">
      <pre class={isNumbered ? "numbered" : ""} tabIndex={0} dir="ltr" role="group" aria-label={label}>
        {shown.map((row, at) => (
          <span key={at} class={`code-line ${row.kind}`}>
            {isNumbered && <span class="gutter" data-n={row.gutter} aria-hidden="true" />}
            <span class="mark" aria-hidden="true" data-mark={MARKS[row.kind]} />
            {(row.kind === "added" || row.kind === "removed") && (
              <span class="visually-hidden">{words.transcript.lineKinds[row.kind]} </span>
            )}
            <code>
              {row.kind === "gap" ? row.text : <Coloured tokens={coloured[at] ?? []} />}
              {row.text.length > LONGEST_LINE && (
                <span class="dim">{words.transcript.longLine(size(row.text.length - LONGEST_LINE))}</span>
              )}
              {"\n"}
            </code>
          </span>
        ))}
      </pre>
      {shown.length < rows.length && (
        <button type="button" class="more" onClick={() => setAsked(n + MORE_LINES)}>
          {words.transcript.moreLines(rows.length - shown.length)}
        </button>
      )}
    </div>
  );
}

const MARKS: Record<Line["kind"], string> = { added: "+", removed: "−", same: "", gap: "⋯" };

export function ChangedLines({ change }: { change: Change }) {
  const rows = useMemo(() => {
    const hasNumbers = change.lines.some((line) => line.kind === "same" && line.after !== undefined);
    const isNew = change.lines.every((line) => line.kind === "added");
    const number = (line: Line) => (hasNumbers || isNew ? (line.after ?? line.before ?? "") : "");
    return change.lines.map((line) => ({ kind: line.kind, text: line.text, gutter: String(number(line)) }));
  }, [change]);
  return <Lines rows={rows} path={change.to ?? change.path} label={change.path || words.transcript.code} />;
}

export function FileLines({ lines, path }: { lines: { n: number; text: string }[]; path: string }) {
  const rows = useMemo(
    () => lines.map((line) => ({ kind: "same" as const, text: line.text, gutter: String(line.n) })),
    [lines],
  );
  return <Lines rows={rows} path={path} label={path || words.transcript.result} />;
}
