// One message: text as written, tool calls as one line, thinking, results and images folded. A long
// part contains its beginning; the rest, and every picture, is requested when it is unfolded.
import { useState } from "preact/hooks";
import { asRefusal, type Refusal } from "../backend/backend";
import type { Part, PartBody } from "../backend/types";
import { size } from "../lib/format";
import { readable, section } from "../lib/turns";
import { words } from "../words";
import { Icon, type IconName } from "./icon";
import { Code, More, Output, Rich } from "./rich";

/** Fetches one whole part, by its number. */
export type Whole = (part: number) => Promise<PartBody>;

export function Body({ parts, whole }: { parts: Part[]; whole: Whole }) {
  return (
    <div class="body">
      {parts.map((part, at) => (
        <OnePart key={at} part={part} whole={() => whole(at)} />
      ))}
    </div>
  );
}

interface Fetched {
  body: PartBody | undefined;
  refusal: Refusal | undefined;
  fetch: () => void;
}

function useWhole(whole: () => Promise<PartBody>): Fetched {
  const [body, setBody] = useState<PartBody>();
  const [refusal, setRefusal] = useState<Refusal>();
  const fetch = () => {
    if (body) return;
    setRefusal(undefined);
    whole().then(setBody, (thrown) => setRefusal(asRefusal(thrown, words.failed.unknown)));
  };
  return { body, refusal, fetch };
}

function OnePart({ part, whole }: { part: Part; whole: () => Promise<PartBody> }) {
  const fetched = useWhole(whole);
  const shown = section(part);
  if (shown.kind === "image") return <Picture part={part} fetched={fetched} />;
  const text = fetched.body?.text;
  const rest = fetched.body ? (fetched.body.whole ? 0 : fetched.body.bytes) : shown.rest;
  const more = <Rest rest={rest} fetched={fetched} />;
  switch (shown.kind) {
    case "text":
      return (
        <>
          <Rich text={text ?? shown.text} whole={text !== undefined} />
          {more}
        </>
      );
    case "thinking":
      return (
        <Fold icon="thinking" name={words.transcript.thinking} note={firstLine(shown.text)}>
          <Rich text={text ?? shown.text} whole={text !== undefined} />
          {more}
        </Fold>
      );
    case "compaction":
      return shown.text ? (
        <Fold icon="compaction" name={words.transcript.compaction} note={words.transcript.compactionWhy}>
          <Rich text={text ?? shown.text} whole={text !== undefined} />
          {more}
        </Fold>
      ) : (
        <p class="call">
          <Icon name="compaction" size={14} />
          <span class="call-name">{words.transcript.compaction}</span>
          <span class="dim">{words.transcript.compactionWhy}</span>
        </p>
      );
    case "call":
      return (
        <Fold icon="tools" name={shown.name} note={shown.target} code aside={shown.bytes > 0 ? size(shown.bytes) : ""}>
          <Code {...readable(text ?? shown.input)} />
          {more}
        </Fold>
      );
    case "result":
      return (
        <Fold
          icon={shown.isError ? "alert" : "terminal"}
          name={shown.isError ? words.transcript.failed : words.transcript.result}
          note={firstLine(shown.text)}
          aside={size(shown.bytes)}
        >
          {shown.bytes === 0 ? (
            <p class="dim">{words.transcript.silent}</p>
          ) : (
            <Output text={text ?? shown.text} whole={text !== undefined} />
          )}
          {more}
        </Fold>
      );
  }
}

/** The size of what has not arrived yet, or never will. */
function Rest({ rest, fetched }: { rest: number; fetched: Fetched }) {
  if (fetched.refusal) {
    return (
      <p class="dim" role="alert">
        {fetched.refusal.message}
      </p>
    );
  }
  if (rest === 0) return null;
  if (fetched.body) return <p class="dim">{words.transcript.tooLong(size(rest))}</p>;
  return <More rest={rest} onClick={fetched.fetch} />;
}

function Picture({ part, fetched }: { part: Part; fetched: Fetched }) {
  const { body, refusal } = fetched;
  const say = words.transcript;
  return (
    <Fold
      icon="image"
      name={say.image}
      note={part.media ?? say.elsewhere}
      aside={part.media ? size(part.bytes) : ""}
      opened={fetched.fetch}
    >
      {body?.data && body.media ? (
        <img class="picture" src={`data:${body.media};base64,${body.data}`} alt={say.picture(size(part.bytes))} />
      ) : (
        <p class="dim" role="status">
          {refusal
            ? refusal.message
            : !body
              ? words.loading
              : body.media
                ? say.notShown(body.media, size(body.bytes))
                : body.text || say.elsewhere}
        </p>
      )}
    </Fold>
  );
}

function Fold({
  icon,
  name,
  note,
  aside = "",
  code = false,
  opened,
  children,
}: {
  icon: IconName;
  name: string;
  note: string;
  aside?: string;
  /** The note is a file or a command. */
  code?: boolean;
  opened?: () => void;
  children: preact.ComponentChildren;
}) {
  const [isOpen, setOpen] = useState(false);
  return (
    <details
      class="fold"
      onToggle={(event) => {
        setOpen(event.currentTarget.open);
        if (event.currentTarget.open) opened?.();
      }}
    >
      <summary>
        <Icon name="right" size={12} />
        <Icon name={icon} size={14} />
        <span class="fold-name">{name}</span>
        {code ? (
          <code class="fold-note" dir="ltr">
            {note}
          </code>
        ) : (
          <span class="fold-note" dir="auto">
            {note}
          </span>
        )}
        {aside && <span class="fold-size">{aside}</span>}
      </summary>
      {isOpen && children}
    </details>
  );
}

export function firstLine(text: string): string {
  return text.trimStart().split("\n", 1)[0]!.slice(0, 160);
}
