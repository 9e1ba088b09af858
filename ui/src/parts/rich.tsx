// Text of a transcript, drawn from the tree of lib/markdown: elements only, never HTML from
// outside.
import { Fragment } from "preact";
import { useMemo, useState } from "preact/hooks";
import { tokens } from "../lib/code";
import { size } from "../lib/format";
import { type Block, type Inline, inline, markdown } from "../lib/markdown";
import { clip } from "../lib/turns";
import { useShared } from "../state";
import { words } from "../words";
import { CopyButton } from "./common";

/** Longer texts are clipped, with their size, until the user expands them. */
const MOST_TEXT = 12_000;
const MOST_CODE = 6_000;

/** `whole`: the user has expanded the text already. */
export function Rich({ text, whole: asked = false }: { text: string; whole?: boolean }) {
  const [whole, setWhole] = useState(false);
  const { text: shown, rest } = clip(text, whole || asked ? Number.POSITIVE_INFINITY : MOST_TEXT);
  const blocks = useMemo(() => markdown(shown), [shown]);
  return (
    <div class="rich" dir="auto">
      <Blocks blocks={blocks} />
      {rest > 0 && <More rest={rest} onClick={() => setWhole(true)} />}
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
        <li key={at} dir="auto">
          <Inlines inside={item} />
        </li>
      ));
      return block.ordered ? <ol start={block.start}>{items}</ol> : <ul>{items}</ul>;
    }
    case "table":
      return (
        <div class="table-scroll" tabIndex={0} role="group" aria-label={words.transcript.result}>
          <table>
            <thead>
              <tr>
                {block.head.map((cell, at) => (
                  <th key={at} scope="col">
                    <Inlines inside={cell} />
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {block.rows.map((row, at) => (
                <tr key={at}>
                  {row.map((cell, col) => (
                    <td key={col}>
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
}

function Inlines({ inside }: { inside: Inline[] }) {
  return inside.map((piece, at) => <OneInline key={at} piece={piece} />);
}

function OneInline({ piece }: { piece: Inline }) {
  const { openLink } = useShared();
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
    case "link":
      return (
        <button type="button" class="link" role="link" title={piece.address} onClick={() => openLink(piece.address)}>
          <Inlines inside={piece.inside} />
        </button>
      );
  }
}

/** Text of one line with code and emphasis, without blocks: consequences, reasons, hints. */
export function Line({ text }: { text: string }) {
  return <Inlines inside={useMemo(() => inline(text), [text])} />;
}

export function Code({ text, language }: { text: string; language: string }) {
  const [whole, setWhole] = useState(false);
  const { text: shown, rest } = clip(text, whole ? Number.POSITIVE_INFINITY : MOST_CODE);
  const coloured = useMemo(() => tokens(shown, language), [shown, language]);
  return (
    <figure class="code">
      <figcaption>
        <span>{language || words.transcript.code}</span>
        <CopyButton text={text} copied={words.transcript.copied} kind="quiet">
          {words.transcript.copy}
        </CopyButton>
      </figcaption>
      <pre tabIndex={0} dir="ltr" role="group" aria-label={language || words.transcript.code}>
        <code>
          {coloured.map((token, at) =>
            token.kind === "plain" ? (
              <Fragment key={at}>{token.text}</Fragment>
            ) : (
              <span key={at} class={`t-${token.kind}`}>
                {token.text}
              </span>
            ),
          )}
        </code>
      </pre>
      {rest > 0 && <More rest={rest} onClick={() => setWhole(true)} />}
    </figure>
  );
}

/** Unformatted output, clipped, with its size. */
export function Output({ text, whole: asked = false }: { text: string; whole?: boolean }) {
  const [whole, setWhole] = useState(false);
  const { text: shown, rest } = clip(text, whole || asked ? Number.POSITIVE_INFINITY : MOST_CODE);
  return (
    <div class="output">
      <pre tabIndex={0} dir="ltr" role="group" aria-label={words.transcript.result}>
        {shown}
      </pre>
      {rest > 0 && <More rest={rest} onClick={() => setWhole(true)} />}
    </div>
  );
}
