// A row of the comparison: what both devices have at one place of one turn. Messages are drawn like in a transcript; the
// words that differ are marked where a message has another one of its kind beside it.
import type { RefObject } from "preact";
import { useLayoutEffect, useMemo, useRef } from "preact/hooks";
import type { DiffRow, DiffWords, Msg, PartBody, Side } from "../backend/types";
import { clockOn, exact } from "../lib/format";
import { changedWords, isPlain, pieces } from "../lib/spans";
import { still } from "../lib/still";
import { words } from "../words";
import type { Joined } from "./joined";
import { Body } from "./message";
import { PlaceKey } from "./reading";

/** Kinds of parts with a drawing of their own; others are markers: a fork, a torn end. */
const KNOWN = new Set(["text", "thinking", "reasoning", "tool_use", "tool_result", "image", "compaction"]);

/** Fetches one whole part of a row's message. */
export type RowPart = (row: number, side: Side, part: number) => Promise<PartBody>;

interface RowProps {
  row: DiffRow;
  devices: { left: string; right: string };
  said: DiffWords | undefined;
  /** The messages are there, not only their beginnings. */
  isWhole: boolean;
  /** The row begins a turn. */
  isStart: boolean;
  /** The message goes on with what the one above it in its column began. */
  leftFollows: boolean;
  rightFollows: boolean;
  isMarked: boolean;
  mark: (row: number) => void;
  part: RowPart;
  /** Rows above the first one. */
  before: number;
  left: Joined;
  right: Joined;
}

export const DiffRowView = still(DrawnRow);

function DrawnRow({ row, isMarked, mark, before, leftFollows, rightFollows, left, right, ...rest }: RowProps) {
  const { isStart } = rest;
  const cell = (side: Side) => (
    <Cell
      row={row}
      side={side}
      follows={side === "left" ? leftFollows : rightFollows}
      joined={side === "left" ? left : right}
      {...rest}
    />
  );
  return (
    <div
      id={`diff-${row.i}`}
      role="row"
      aria-rowindex={row.i + before + 2}
      aria-selected={isMarked}
      class={`diff-row kind-${row.kind}${isStart ? " turn-start" : ""}${row.alone ? " alone" : ""}${isMarked ? " marked" : ""}`}
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
  devices: { left: string; right: string };
  said: DiffWords | undefined;
  isWhole: boolean;
  isStart: boolean;
  follows: boolean;
  joined: Joined;
  part: RowPart;
}

function Cell({ row, side, devices, said, isWhole, isStart, follows, joined, part }: CellProps) {
  const message = row[side];
  if (message && joined.isElsewhere) {
    return (
      <div role="gridcell" class="cell gap">
        <span class="visually-hidden">{words.split.withCall}</span>
      </div>
    );
  }
  if (!message) {
    return (
      <div role="gridcell" class={row.alone ? "cell none" : "cell gap"}>
        <span class="visually-hidden">{words.split.notThere(devices[side])}</span>
      </div>
    );
  }
  const kind = row.kind === "changed" ? words.split.changedWord : row.kind === "same" ? words.split.sameWord : "";
  return (
    <div role="gridcell" class={`cell ${side} role-${message.role}${follows ? " follows" : ""}`}>
      <MessageHead message={message} device={devices[side]} turn={isStart ? row.turn : 0} kind={kind} />
      <Words row={row} side={side} message={message} said={said} isWhole={isWhole} joined={joined} part={part} />
    </div>
  );
}

/** Who says it and when; the device if it is not the column's own. */
function MessageHead({ message, device, turn, kind }: { message: Msg; device: string; turn: number; kind: string }) {
  return (
    <p class="cell-head">
      <span class="speaker-name">{words.transcript.roles[message.role]}</span>
      {turn > 0 && <span>{words.split.turn(turn)}</span>}
      {message.device && message.device !== device && (
        <span class="marker" dir="auto">
          {words.transcript.on(message.device)}
        </span>
      )}
      {message.at && (
        <time dateTime={message.at} title={exact(message.at)}>
          {clockOn(message.at, Date.now())}
        </time>
      )}
      {markers(message).map((name) => (
        <span key={name} class="marker">
          {name.replaceAll("_", " ")}
        </span>
      ))}
      {kind && <span class="kind-word">{kind}</span>}
    </p>
  );
}

interface EntryProps {
  row: DiffRow;
  /** The side whose message it is; `both` if they have it in common. */
  side: Side | "both";
  at: number;
  devices: { left: string; right: string };
  isWhole: boolean;
  isMarked: boolean;
  mark: (at: number) => void;
  part: RowPart;
  before: number;
  /** The device differs from the one above. */
  isHandover: boolean;
  follows: boolean;
  joined: Joined;
}

/** A message in the order of time: the whole width, with its device. */
export const EntryView = still(DrawnEntry);

function DrawnEntry(props: EntryProps) {
  const { row, side, at, devices, isWhole, isMarked, mark, part, before, isHandover, follows, joined } = props;
  const from = side === "both" ? "left" : side;
  const message = row[from];
  if (!message) return null;
  const device = side === "both" ? words.split.onBoth : devices[side];
  return (
    <div
      id={`diff-${at}`}
      role="row"
      aria-rowindex={at + before + 2}
      aria-selected={isMarked}
      class={`diff-row entry ${side}${isHandover ? " handover" : ""}${isMarked ? " marked" : ""}`}
      onClick={(event) => {
        if (!(event.target as HTMLElement).closest("button, a, summary, pre")) mark(at);
      }}
    >
      <div role="gridcell" aria-colspan={2} class={`cell role-${message.role}${follows ? " follows" : ""}`}>
        <p class={isHandover ? "entry-device strong" : "visually-hidden"} dir="auto">
          {device}
        </p>
        <MessageHead message={message} device={devices[from]} turn={0} kind="" />
        <Words row={row} side={from} message={message} said={undefined} isWhole={isWhole} joined={joined} part={part} />
      </div>
    </div>
  );
}

function Words({
  row,
  side,
  message,
  said,
  isWhole,
  joined,
  part,
}: {
  row: DiffRow;
  side: Side;
  message: Msg;
  said: DiffWords | undefined;
  isWhole: boolean;
  joined: Joined;
  part: RowPart;
}) {
  const box = useRef<HTMLDivElement>(null);
  const shown = row.kind === "changed" && said && said.spans.length > 0 ? said : undefined;
  useMarks(box, shown, side, isWhole);
  const whole = shown?.[side];
  if (shown && whole !== undefined && message.parts.every(([kind]) => kind === "text") && isPlain(whole)) {
    return <Marked text={whole} said={shown} side={side} />;
  }
  // What flies by is not read: its beginning is enough, and quickly drawn.
  if (!isWhole)
    return (
      <p class="cell-body beginning" dir="auto">
        {message.preview}
      </p>
    );
  return (
    <div ref={box} class="cell-body">
      <PlaceKey.Provider value={`${side}${row.i}`}>
        <Body
          parts={message.pieces}
          whole={(number) => part(row.i, side, number)}
          answers={joined.answers}
          elsewhere={joined.elsewhere}
        />
      </PlaceKey.Provider>
    </div>
  );
}

function Marked({ text, said, side }: { text: string; said: DiffWords; side: Side }) {
  const shown = useMemo(() => pieces(text, said.spans, side === "left"), [text, said, side]);
  const Mark = side === "left" ? "del" : "ins";
  return (
    <p class="marked-text cell-body" dir="auto">
      {shown.map((piece, at) =>
        piece.changed ? <Mark key={at}>{piece.text}</Mark> : <span key={at}>{piece.text}</span>,
      )}
    </p>
  );
}

/** Marks the changed words of drawn Markdown. The page's own marks are used, since the elements belong to the part that
 * draws them; a web view without them shows the text unmarked. */
function useMarks(
  box: RefObject<HTMLDivElement | null>,
  said: DiffWords | undefined,
  side: Side,
  isWhole: boolean,
): void {
  useLayoutEffect(() => {
    const element = box.current;
    if (!element || !said || typeof CSS === "undefined" || !("highlights" in CSS)) return;
    const nodes = textNodes(element);
    const marks = highlight(`split-${side}`);
    const ranges = changedWords(
      said[side],
      said.spans,
      side === "left",
      nodes.map((node) => node.data),
    ).map(({ text, from, to }) => {
      const range = new Range();
      range.setStart(nodes[text]!, from);
      range.setEnd(nodes[text]!, to);
      return range;
    });
    for (const range of ranges) marks.add(range);
    return () => {
      for (const range of ranges) marks.delete(range);
    };
  }, [said, side, isWhole]);
}

function highlight(name: string): Highlight {
  const known = CSS.highlights.get(name) ?? new Highlight();
  CSS.highlights.set(name, known);
  return known;
}

/** The message's own words: not those of buttons and folded parts. */
function textNodes(element: HTMLElement): Text[] {
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_TEXT, (node) => {
    if (node instanceof Element)
      return node.matches("button:not(.link), details, figcaption, summary")
        ? NodeFilter.FILTER_REJECT
        : NodeFilter.FILTER_SKIP;
    return NodeFilter.FILTER_ACCEPT;
  });
  const found: Text[] = [];
  for (let node = walker.nextNode(); node; node = walker.nextNode()) found.push(node as Text);
  return found;
}

/** Whether a message goes on with what the one before it began: a tool's result belongs to its caller. */
export function isFollowing(message: Msg | null | undefined, before: Msg | null | undefined): boolean {
  const speaker = (one: Msg) => (one.role === "tool" ? "assistant" : one.role);
  if (!message || markers(message).length > 0) return false;
  return (
    message.role === "tool" ||
    (before != null && speaker(before) === speaker(message) && before.device === message.device)
  );
}

function markers(message: Msg): string[] {
  return [...new Set(message.parts.map(([kind]) => kind).filter((kind) => !KNOWN.has(kind)))];
}
