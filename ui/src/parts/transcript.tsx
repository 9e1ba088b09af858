// A session read from beginning to end: only the messages in sight are drawn, however long it is.
import { useRef } from "preact/hooks";
import type { Message, Shown } from "../backend/types";
import { clock, exact } from "../lib/format";
import { still } from "../lib/still";
import { words } from "../words";
import { Empty } from "./common";
import { Icon } from "./icon";
import { Body } from "./message";
import { type Scroller, Virtual } from "./virtual";

export function Transcript({ shown }: { shown: Shown }) {
  const scroller = useRef<Scroller>(null);
  const { messages } = shown;
  if (messages.length === 0) return <Empty icon="sessions" title={words.transcript.empty} why={shown.why ?? ""} />;
  return (
    <Virtual
      class="transcript"
      n={messages.length}
      list={shown.session}
      api={scroller}
      around={4}
      estimate={(at) => estimate(messages[at]!)}
      attributes={{ role: "feed", "aria-label": words.transcript.label, "aria-busy": "false" }}
      row={(at) => <OneMessage message={messages[at]!} before={messages[at - 1]} at={at} of={messages.length} />}
    />
  );
}

/** Close enough that the scroll bar does not jump: lines of about 80 letters, folded things as one line. */
export function estimate(message: Pick<Message, "role" | "text">): number {
  if (message.role === "tool") return 34;
  return 46 + Math.ceil(Math.min(message.text.length, 12_000) / 85) * 21;
}

const OneMessage = still(DrawnMessage);

function DrawnMessage({
  message,
  before,
  at,
  of,
}: {
  message: Message;
  before: Message | undefined;
  at: number;
  of: number;
}) {
  const turn = !before || speaker(before) !== speaker(message) || before.device !== message.device;
  const moved = message.device && before?.device !== message.device;
  return (
    <article
      class={`message ${message.role}${turn ? " turn" : ""}`}
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
        <Body role={message.role} text={message.text} parts={message.parts} />
      </div>
    </article>
  );
}

/** What a tool answered belongs to the turn of whoever called it. */
function speaker(message: Message): Message["role"] {
  return message.role === "tool" ? "assistant" : message.role;
}
