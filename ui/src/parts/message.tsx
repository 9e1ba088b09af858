// One message: text as written; a call with its result as one line that unfolds; thinking and
// images folded. A long part contains its beginning; the rest, and every picture, is requested when
// it is unfolded.
import { useContext, useEffect, useMemo, useState } from "preact/hooks";
import { asRefusal, type Refusal } from "../backend/backend";
import type { Part, PartBody } from "../backend/types";
import { size } from "../lib/format";
import { Pairs, partsOfResult } from "../lib/pairs";
import { section } from "../lib/turns";
import { words } from "../words";
import { CallRow } from "./call";
import { Fold } from "./fold";
import { Icon } from "./icon";
import { PlaceKey, Unclipped } from "./reading";
import { More, Output, Rich } from "./rich";

/** Fetches one whole part, by its number. */
export type Whole = (part: number) => Promise<PartBody>;

/** Parts of a message with their numbers, and how to fetch each: the result of a call. */
export interface Answer {
  parts: [number, Part][];
  whole: Whole;
}

interface BodyProps {
  parts: Part[];
  whole: Whole;
  /** The results of the message's calls, by the number of the call's part. */
  answers?: ReadonlyMap<number, Answer> | undefined;
  /** The numbers of parts that are shown with the call that they answer. */
  elsewhere?: ReadonlySet<number> | undefined;
  /** The part in which something was found, which is unfolded. */
  found?: number | null | undefined;
}

/** More parts than a message of a person or a model has. */
const MOST_PARTS = 60;

export function Body({ parts, whole, answers, elsewhere, found = null }: BodyProps) {
  const [most, setMost] = useState(MOST_PARTS);
  const place = useContext(PlaceKey);
  const own = useMemo(() => (answers ? null : answersWithin(parts, whole)), [answers, parts, whole]);
  const shown = found !== null && most <= found ? parts.slice(0, found + 1) : parts.slice(0, most);
  const results = answers ?? own!.answers;
  const skipped = elsewhere ?? own?.elsewhere;
  return (
    <div class="body">
      {shown.map((part, at) =>
        skipped?.has(at) ? null : (
          <div key={at} data-part={at} class="part">
            <PlaceKey.Provider value={`${place}/${at}`}>
              <Unclipped.Provider value={at === found}>
                <OnePart part={part} whole={() => whole(at)} answer={results.get(at)} isFound={at === found} />
              </Unclipped.Provider>
            </PlaceKey.Provider>
          </div>
        ),
      )}
      {shown.length < parts.length && (
        <button type="button" class="more" onClick={() => setMost(most + MOST_PARTS)}>
          {words.transcript.moreParts(parts.length - shown.length)}
        </button>
      )}
    </div>
  );
}

/** The calls that are answered in the same message. */
function answersWithin(parts: Part[], whole: Whole) {
  const answers = new Map<number, Answer>();
  const elsewhere = new Set<number>();
  if (!parts.some((part) => part.kind === "tool_use")) return { answers, elsewhere };
  const message = { role: "assistant" as const, text: "", at: null, device: null, parts };
  const pairs = new Pairs((at) => (at === 0 ? message : undefined));
  pairs.add(0, [message]);
  for (const at of parts.keys()) {
    const result = pairs.resultOf(0, at);
    if (!result) continue;
    const found = partsOfResult(message, result.part);
    answers.set(at, { parts: found, whole });
    for (const [number] of found) elsewhere.add(number);
  }
  return { answers, elsewhere };
}

export interface Fetched {
  body: PartBody | undefined;
  refusal: Refusal | undefined;
  fetch: () => void;
}

export function useWhole(whole: () => Promise<PartBody>): Fetched {
  const [body, setBody] = useState<PartBody>();
  const [refusal, setRefusal] = useState<Refusal>();
  const fetch = () => {
    if (body) return;
    setRefusal(undefined);
    whole().then(setBody, (thrown) => setRefusal(asRefusal(thrown, words.failed.unknown)));
  };
  return { body, refusal, fetch };
}

interface PartProps {
  part: Part;
  whole: () => Promise<PartBody>;
  answer?: Answer | undefined;
  isFound?: boolean;
}

export function OnePart({ part, whole, answer, isFound = false }: PartProps) {
  if (part.kind === "tool_use") return <CallRow part={part} whole={whole} answer={answer} isFound={isFound} />;
  return <Said part={part} whole={whole} isFound={isFound} />;
}

function Said({ part, whole, isFound }: { part: Part; whole: () => Promise<PartBody>; isFound: boolean }) {
  const fetched = useWhole(whole);
  const shown = section(part);
  const text = fetched.body?.text;
  useEffect(() => {
    if (isFound && shown.kind !== "image" && shown.rest > 0) fetched.fetch();
  }, [isFound]);
  if (shown.kind === "image") return <Picture part={part} fetched={fetched} />;
  const rest = fetched.body ? (fetched.body.whole ? 0 : fetched.body.bytes) : shown.rest;
  const more = <Rest rest={rest} fetched={fetched} />;
  // A call is drawn by its own part.
  if (shown.kind === "call") return null;
  const rich = <Rich text={text ?? shown.text} whole={text !== undefined} />;
  switch (shown.kind) {
    case "text":
      return (
        <>
          {rich}
          {more}
        </>
      );
    case "thinking":
      return (
        <Fold icon="thinking" name={words.transcript.thinking} note={firstLine(shown.text)} forced={isFound}>
          {rich}
          {more}
        </Fold>
      );
    case "compaction":
      return shown.text ? (
        <Fold
          icon="compaction"
          name={words.transcript.compaction}
          note={words.transcript.compactionWhy}
          forced={isFound}
        >
          {rich}
          {more}
        </Fold>
      ) : (
        <p class="call">
          <Icon name="compaction" size={14} />
          <span class="call-name">{words.transcript.compaction}</span>
          <span class="dim">{words.transcript.compactionWhy}</span>
        </p>
      );
    case "result":
      return (
        <Fold
          icon={shown.isError ? "alert" : "terminal"}
          name={shown.isError ? words.transcript.failed : words.transcript.result}
          note={firstLine(shown.text)}
          aside={<span class="fold-size">{size(shown.bytes)}</span>}
          forced={isFound}
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
export function Rest({ rest, fetched }: { rest: number; fetched: Fetched }) {
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

export function Picture({ part, fetched, forced }: { part: Part; fetched: Fetched; forced?: boolean }) {
  const { body, refusal } = fetched;
  const say = words.transcript;
  return (
    <Fold
      icon="image"
      name={say.image}
      note={part.media ?? say.elsewhere}
      aside={part.media && <span class="fold-size">{size(part.bytes)}</span>}
      forced={forced === true}
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

export function firstLine(text: string): string {
  return text.trimStart().split("\n", 1)[0]!.slice(0, 160);
}
