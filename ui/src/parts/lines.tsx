// Lines of a file or of a change, with a column for their numbers or marks. Long ones are clipped
// until the user asks for more.
import { useContext, useEffect, useMemo, useState } from "preact/hooks";
import type { Change, Line } from "../lib/changes";
import {
  byLines,
  isHighlighterLoaded,
  keptTokens,
  knownTokens,
  languageOfPath,
  loadHighlighter,
  plainTokens,
  type Token,
} from "../lib/code";
import { size } from "../lib/format";
import { inTurn } from "../lib/turn-taking";
import { words } from "../words";
import { Unclipped } from "./reading";

const FIRST_LINES = 120;
const MORE_LINES = 800;
const LONGEST_LINE = 2_000;
/** Of a part in which something was found, this much is shown at once. */
const FOUND_LINES = 4_000;

/** Draws again once the highlighter is there. */
function useHighlighter(): boolean {
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

/** A code's tokens. It is plain at first: finding its tokens takes longer than drawing it, and waits its turn. */
export function useTokens(code: string, language: string): Token[] {
  const isLoaded = useHighlighter();
  const [found, setFound] = useState<{ code: string; language: string } | null>(null);
  const isKnown = language === "" || (isLoaded && knownTokens(code, language) !== undefined);
  useEffect(() => {
    if (isKnown || !isLoaded) return;
    return inTurn(() => {
      keptTokens(code, language);
      setFound({ code, language });
    });
  }, [code, language, isLoaded, isKnown]);
  return useMemo(
    () => (isLoaded && knownTokens(code, language)) || plainTokens(code),
    [code, language, isLoaded, found],
  );
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
  const shown = rows.length <= n + 20 ? rows : rows.slice(0, n);
  const code = useMemo(() => shown.map((row) => row.text.slice(0, LONGEST_LINE)).join("\n"), [shown.length, rows]);
  const all = useTokens(code, languageOfPath(path));
  const coloured = useMemo(() => byLines(all), [all]);
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
