// Text of a transcript, drawn from the tree of lib/markdown: elements only, never HTML from
// outside.
import { useContext, useMemo, useState } from "preact/hooks";
import { printed } from "../lib/ansi";
import { size } from "../lib/format";
import { type Block, type Inline, inline, markdown } from "../lib/markdown";
import { clip } from "../lib/turns";
import { useShared } from "../state";
import { words } from "../words";
import { CopyButton } from "./common";
import { Icon } from "./icon";
import { Coloured, useTokens } from "./lines";
import { Unclipped } from "./reading";

/** Longer texts are clipped, with their size; each press of the button shows this much more. */
const FIRST_TEXT = 12_000;
const FIRST_CODE = 6_000;
const MORE = 60_000;
/** Of a part in which something was found, this much is shown at once. */
const FOUND = 400_000;

/** A text, and a button for what is left of it. */
function useClipped(text: string, first: number) {
  const [asked, setAsked] = useState(first);
  const most = Math.max(asked, useContext(Unclipped) ? FOUND : 0);
  const { text: shown, rest } = useMemo(() => clip(text, most), [text, most]);
  return { shown, more: rest > 0 && <More rest={rest} onClick={() => setAsked(most + MORE)} /> };
}

/** `whole`: the user has asked for more already. */
export function Rich({ text, whole = false }: { text: string; whole?: boolean }) {
  const { shown, more } = useClipped(text, whole ? MORE : FIRST_TEXT);
  const blocks = useMemo(() => markdown(shown), [shown]);
  return (
    <div class="rich" dir="auto">
      <Blocks blocks={blocks} />
      {more}
    </div>
  );
}

export function More({ rest, onClick }: { rest: number; onClick: () => void }) {
  return (
    <button type="button" class="more" onClick={onClick}>
      {words.transcript.showAll(size(rest))}
    </button>
  );
}

function Blocks({ blocks }: { blocks: Block[] }) {
  return blocks.map((block, at) => <OneBlock key={at} block={block} />);
}

function OneBlock({ block }: { block: Block }) {
  switch (block.kind) {
    case "paragraph":
      return (
        <p dir="auto">
          <Inlines inside={block.inside} />
        </p>
      );
    case "heading":
      // Headings of a transcript are not headings of the window.
      return (
        <p class={`heading h${block.level}`} dir="auto">
          <Inlines inside={block.inside} />
        </p>
      );
    case "code":
      return <Code text={block.text} language={block.language} />;
    case "quote":
      return (
        <blockquote>
          <Blocks blocks={block.blocks} />
        </blockquote>
      );
    case "rule":
      return <hr />;
    case "list": {
      const items = block.items.map((item, at) => (
        <li key={at} dir="auto" class={item.checked === null ? undefined : "task"}>
          {item.checked !== null && <TaskMark isDone={item.checked} />}
          <Blocks blocks={item.blocks} />
        </li>
      ));
      return block.ordered ? <ol start={block.start}>{items}</ol> : <ul>{items}</ul>;
    }
    case "table":
      return <Table table={block} />;
  }
}

function TaskMark({ isDone }: { isDone: boolean }) {
  return (
    <span class="task-mark">
      <Icon name={isDone ? "done" : "open"} size={14} />
      <span class="visually-hidden">{words.transcript.taskStates[isDone ? "done" : "open"]}: </span>
    </span>
  );
}

function Table({ table }: { table: Extract<Block, { kind: "table" }> }) {
  const side = (at: number) => table.align[at] && `align-${table.align[at]}`;
  return (
    <div class="table-scroll" tabIndex={0} role="group" aria-label={words.transcript.result}>
      <table>
        <thead>
          <tr>
            {table.head.map((cell, at) => (
              <th key={at} scope="col" class={side(at) ?? undefined}>
                <Inlines inside={cell} />
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {table.rows.map((row, at) => (
            <tr key={at}>
              {row.map((cell, col) => (
                <td key={col} class={side(col) ?? undefined}>
                  <Inlines inside={cell} />
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Inlines({ inside }: { inside: Inline[] }) {
  return inside.map((piece, at) => <OneInline key={at} piece={piece} />);
}

function OneInline({ piece }: { piece: Inline }) {
  switch (piece.kind) {
    case "text":
      return <>{piece.text}</>;
    case "code":
      return <code dir="ltr">{piece.text}</code>;
    case "strong":
      return (
        <strong>
          <Inlines inside={piece.inside} />
        </strong>
      );
    case "emphasis":
      return (
        <em>
          <Inlines inside={piece.inside} />
        </em>
      );
    case "strike":
      return (
        <s>
          <Inlines inside={piece.inside} />
        </s>
      );
    case "break":
      return <br />;
    case "link":
      return <Linked piece={piece} />;
  }
}

function Linked({ piece }: { piece: Extract<Inline, { kind: "link" }> }) {
  const { openLink } = useShared();
  const { address, target } = piece;
  if (!address) {
    return (
      <span class="relative-link" title={target}>
        <Inlines inside={piece.inside} />
      </span>
    );
  }
  return (
    <button type="button" class="link" role="link" title={address} onClick={() => openLink(address)}>
      <Inlines inside={piece.inside} />
    </button>
  );
}

/** Text of one line with code and emphasis, without blocks: consequences, reasons, hints. */
export function Line({ text }: { text: string }) {
  return <Inlines inside={useMemo(() => inline(text), [text])} />;
}

export function Code({ text, language, name }: { text: string; language: string; name?: string }) {
  const { shown, more } = useClipped(text, FIRST_CODE);
  const coloured = useTokens(shown, language);
  const label = name ?? (language || words.transcript.code);
  return (
    <figure class="code">
      <figcaption>
        <span>{label}</span>
        <CopyButton text={text} copied={words.transcript.copied} kind="quiet">
          {words.transcript.copy}
        </CopyButton>
      </figcaption>
      <pre tabIndex={0} dir="ltr" role="group" aria-label={label}>
        <code>
          <Coloured tokens={coloured} />
        </code>
      </pre>
      {more}
    </figure>
  );
}

/** What a command printed, in its colours. */
export function Output({ text, whole = false }: { text: string; whole?: boolean }) {
  const { shown, more } = useClipped(text, whole ? MORE : FIRST_CODE);
  const pieces = useMemo(() => printed(shown), [shown]);
  return (
    <div class="output">
      <pre tabIndex={0} dir="ltr" role="group" aria-label={words.transcript.output}>
        {pieces.map((piece, at) =>
          piece.styles.length === 0 ? (
            piece.text
          ) : (
            <span key={at} class={piece.styles.map((style) => `ansi-${style}`).join(" ")}>
              {piece.text}
            </span>
          ),
        )}
      </pre>
      {more}
    </div>
  );
}
