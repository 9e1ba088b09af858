// A row of the comparison: the left and the right message, with differing words marked if both
// exist.
import { useMemo } from "preact/hooks";
import type { DiffRow, DiffWords, Msg, Part, PartBody, Side } from "../backend/types";
import { clock, exact, size } from "../lib/format";
import { commonStart, excerpt, pieces } from "../lib/spans";
import { still } from "../lib/still";
import { utf8 } from "../lib/turns";
import { words } from "../words";
import { Body } from "./message";

/** Kinds of parts with a drawing of their own; others are markers: a fork, a torn end. */
const KNOWN = new Set(["text", "thinking", "reasoning", "tool_use", "tool_result", "image", "compaction"]);

/** Fetches one whole part of a row's message. */
export type RowPart = (row: number, side: Side, part: number) => Promise<PartBody>;

interface RowProps {
  row: DiffRow;
  devices: { left: string; right: string };
  said: DiffWords | undefined;
  isOpen: boolean;
  isMarked: boolean;
  toggle: (row: number) => void;
  mark: (row: number) => void;
  part: RowPart;
  /** Rows above the first one. */
  before: number;
}

export const DiffRowView = still(DrawnRow);

function DrawnRow({ row, devices, said, isOpen, isMarked, toggle, mark, part, before }: RowProps) {
  const cell = (side: Side) => (
    <Cell
      row={row}
      side={side}
      device={devices[side]}
      other={devices[side === "left" ? "right" : "left"]}
      said={said}
      isOpen={isOpen}
      toggle={() => toggle(row.i)}
      part={part}
    />
  );
  return (
    <div
      id={`diff-${row.i}`}
      role="row"
      aria-rowindex={row.i + before + 2}
      aria-selected={isMarked}
      class={`diff-row kind-${row.kind}${isMarked ? " marked" : ""}`}
      onClick={(event) => {
        if (!(event.target as HTMLElement).closest("button, a, summary, pre")) mark(row.i);
      }}
    >
      {cell("left")}
      {cell("right")}
    </div>
  );
}

interface CellProps {
  row: DiffRow;
  side: Side;
  device: string;
  other: string;
  said: DiffWords | undefined;
  isOpen: boolean;
  toggle: () => void;
  part: RowPart;
}

function Cell({ row, side, device, other, said, isOpen, toggle, part }: CellProps) {
  const message = row[side];
  if (!message) {
    return (
      <div role="gridcell" class="cell gap">
        <span class="visually-hidden">{words.split.notThere(device)}</span>
      </div>
    );
  }
  const label =
    row.kind === "same" ? "" : row.kind === "changed" ? words.split.kinds.changed : words.split.only(device);
  // Calls, results and pictures unfold by themselves; the difference between two of them is shown
  // on request.
  const folds = message.pieces.length > 0;
  const isCut = folds ? row.kind === "changed" : message.preview.length >= 200;
  return (
    <div role="gridcell" class={`cell ${side} role-${message.role}`}>
      <p class="cell-head">
        <span class="speaker-name">{words.transcript.roles[message.role]}</span>
        {message.device && message.device !== device && (
          <span class="marker" dir="auto">
            {words.transcript.on(message.device)}
          </span>
        )}
        {message.at && (
          <time dateTime={message.at} title={exact(message.at)}>
            {clock(message.at)}
          </time>
        )}
        {markers(message).map((name) => (
          <span key={name} class="marker">
            {name.replaceAll("_", " ")}
          </span>
        ))}
        {label && (
          <span class="kind-word">
            {label}
            <span class="visually-hidden">, {words.split.notThere(other)}</span>
          </span>
        )}
      </p>
      <Text row={row} side={side} message={message} said={said} isOpen={isOpen} part={part} />
      {isCut && (
        <button type="button" class="more" aria-expanded={isOpen} onClick={toggle}>
          {isOpen ? words.split.fold : folds ? words.split.marked : `${words.split.open} · ${size(total(message))}`}
        </button>
      )}
    </div>
  );
}

function Text({
  row,
  side,
  message,
  said,
  isOpen,
  part,
}: {
  row: DiffRow;
  side: Side;
  message: Msg;
  said: DiffWords | undefined;
  isOpen: boolean;
  part: RowPart;
}) {
  const whole = said?.[side];
  const ask = (number: number) => part(row.i, side, number);
  if (message.pieces.length > 0 && !(isOpen && said && said.spans.length > 0)) {
    return (
      <>
        {isOpen && said?.spans.length === 0 && <p class="dim small">{words.split.tooLong}</p>}
        <Body parts={message.pieces} whole={ask} />
      </>
    );
  }
  if (row.kind === "changed" && said && said.spans.length > 0 && whole) {
    return <Marked text={whole} said={said} side={side} isOpen={isOpen} />;
  }
  if (isOpen) {
    if (whole === undefined) return <p class="dim">{words.split.loadingRows}</p>;
    return (
      <>
        {row.kind === "changed" && said?.spans.length === 0 && <p class="dim small">{words.split.tooLong}</p>}
        <Body parts={[plain(whole)]} whole={ask} />
      </>
    );
  }
  const isWhole = message.preview.length < 200;
  return <Body parts={[plain(isWhole ? message.preview : `${message.preview} …`)]} whole={ask} />;
}

function plain(text: string): Part {
  return { kind: "text", bytes: utf8(text), text };
}

function Marked({ text, said, side, isOpen }: { text: string; said: DiffWords; side: Side; isOpen: boolean }) {
  const shown = useMemo(() => {
    const all = pieces(text, said.spans, side === "left");
    if (isOpen) return { pieces: all, cutBefore: false, cutAfter: false };
    return excerpt(all, commonStart(said.left, said.right));
  }, [text, said, side, isOpen]);
  const Mark = side === "left" ? "del" : "ins";
  return (
    <p class="marked-text" dir="auto">
      {shown.cutBefore && "… "}
      {shown.pieces.map((piece, at) =>
        piece.changed ? <Mark key={at}>{piece.text}</Mark> : <span key={at}>{piece.text}</span>,
      )}
      {shown.cutAfter && " …"}
    </p>
  );
}

function markers(message: Msg): string[] {
  return [...new Set(message.parts.map(([kind]) => kind).filter((kind) => !KNOWN.has(kind)))];
}

function total(message: Msg): number {
  return message.parts.reduce((sum, [, bytes]) => sum + bytes, 0);
}
