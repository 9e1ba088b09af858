// A session from beginning to end: only the messages in sight are requested and drawn, however long
// the session is.
import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks";
import { asRefusal, type Refusal } from "../backend/backend";
import type { Message, PartBody, Shown } from "../backend/types";
import { clock, exact } from "../lib/format";
import { MESSAGES, Paged } from "../lib/paged";
import { still } from "../lib/still";
import { useShared } from "../state";
import { words } from "../words";
import { Empty, Failed, IconButton, SteeringMark } from "./common";
import { ForkQuestion } from "./fork-question";
import { Icon } from "./icon";
import { Body } from "./message";
import { type Scroller, Virtual } from "./virtual";

/** Rows above the message to which a link leads, in pixels. */
const LED_TO = 80;

export function Transcript({ shown, message }: { shown: Shown; message?: number | null }) {
  const { backend } = useShared();
  const { session } = shown;
  const ask = useCallback(
    async (from: number) => (await backend.roam({ cmd: "show", session, from, rows: MESSAGES })).messages,
    [backend, session],
  );
  const part = useCallback(
    (message: number, part: number) => backend.roam({ cmd: "show_part", session, message, part }),
    [backend, session],
  );
  const { pages, trouble, again } = usePaged(shown.total, shown.messages, ask);
  const scroller = useRef<Scroller>(null);
  const target = message ?? null;
  useEffect(() => {
    if (target !== null && target < shown.total) scroller.current?.reveal(target, LED_TO);
  }, [target, shown.total]);
  const [fork, setFork] = useState<number | null>(null);
  const forks = shown.forks ? setFork : undefined;
  if (shown.total === 0) return <Empty icon="sessions" title={words.transcript.empty} why={shown.why ?? ""} />;
  return (
    <>
      {trouble && <Failed refusal={trouble} again={again} />}
      <Virtual
        class="transcript"
        n={shown.total}
        list={session}
        api={scroller}
        around={4}
        estimate={(at) => estimate(pages.get(at))}
        onSight={(from, to) => pages.want(from, to)}
        attributes={{ role: "feed", "aria-label": words.transcript.label, "aria-busy": "false" }}
        row={(at) => (
          <OneMessage
            message={pages.get(at)}
            before={pages.get(at - 1)}
            at={at}
            of={shown.total}
            part={part}
            fork={forks}
            led={at === target}
          />
        )}
      />
      {fork !== null && <ForkQuestion session={session} at={fork} close={() => setFork(null)} />}
    </>
  );
}

/** Pages of messages, redrawn as they arrive. */
export function usePaged(total: number, first: Message[], ask: (from: number) => Promise<Message[]>) {
  const [, setDrawn] = useState(0);
  const [trouble, setTrouble] = useState<Refusal | null>(null);
  const pages = useMemo(
    () =>
      new Paged(
        total,
        first,
        ask,
        () => setDrawn((before) => before + 1),
        (thrown) => setTrouble(asRefusal(thrown, words.failed.unknown)),
      ),
    [total, first, ask],
  );
  useEffect(() => () => pages.stop(), [pages]);
  const again = () => {
    setTrouble(null);
    setDrawn((before) => before + 1);
  };
  return { pages, trouble, again };
}

/** Accurate enough that the scroll bar does not jump: lines of about 80 letters, folded parts as
 * one line. */
export function estimate(message: Message | undefined): number {
  if (!message) return 72;
  const lines = (part: Message["parts"][number]) =>
    part.kind === "text" ? 8 + Math.ceil(part.text.length / 85) * 21 : 30;
  return message.parts.reduce((sum, part) => sum + lines(part), message.role === "tool" ? 4 : 30);
}

interface MessageProps {
  message: Message | undefined;
  before: Message | undefined;
  at: number;
  of: number;
  part: (message: number, part: number) => Promise<PartBody>;
  /** Asks whether to continue from a message; without it, that is not possible. */
  fork?: ((at: number) => void) | undefined;
  /** A link led to this message. */
  led?: boolean;
}

export const OneMessage = still(DrawnMessage);

function DrawnMessage({ message, before, at, of, part, fork, led }: MessageProps) {
  if (!message) {
    return (
      <article class="message waiting" aria-posinset={at + 1} aria-setsize={of} aria-label={words.loading}>
        <span class="bone" aria-hidden="true" />
      </article>
    );
  }
  if (message.role === "steering") {
    return (
      <article class="message steering" aria-posinset={at + 1} aria-setsize={of}>
        <SteeringMark text={words.transcript.changed(message.device, message.text)} />
      </article>
    );
  }
  const turn = !before || speaker(before) !== speaker(message) || before.device !== message.device;
  const moved = message.device && before?.device !== message.device;
  return (
    <article
      class={`message ${message.role}${turn ? " turn" : ""}${led ? " led" : ""}`}
      aria-posinset={at + 1}
      aria-setsize={of}
      aria-label={`${words.transcript.roles[message.role]} ${clock(message.at)}`}
    >
      {moved && (
        <p class="device-mark">
          <Icon name="laptop" size={12} />
          <span dir="auto">{words.transcript.on(message.device!)}</span>
        </p>
      )}
      <div class="message-grid">
        <p class="speaker">
          {turn && (
            <>
              <span>{words.transcript.roles[speaker(message)]}</span>
              {message.at && (
                <time dateTime={message.at} title={exact(message.at)}>
                  {clock(message.at)}
                </time>
              )}
            </>
          )}
        </p>
        <Body parts={message.parts} whole={(number) => part(at, number)} />
        {fork && <IconButton icon="splits" name={words.fork.open} class="fork-here" onClick={() => fork(at)} />}
      </div>
    </article>
  );
}

/** A tool's answer belongs to the turn of its caller. */
function speaker(message: Message): Message["role"] {
  return message.role === "tool" ? "assistant" : message.role;
}
