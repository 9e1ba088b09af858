// A call of a tool and what came of it, in one row: its name, its target, its outcome, the lines it
// changed. Unfolded, each kind has its own form.
import { useContext, useEffect, useMemo, useState } from "preact/hooks";
import type { Part, PartBody } from "../backend/types";
import { hasColours, plainOutput } from "../lib/ansi";
import { type Call, callOf, exitCode, isChange, numbered, type Task, tidied, within } from "../lib/calls";
import { type Change, sums } from "../lib/changes";
import { size } from "../lib/format";
import { safeLine, utf8 } from "../lib/turns";
import { words } from "../words";
import { CopyButton } from "./common";
import { Fold } from "./fold";
import { Icon, type IconName } from "./icon";
import { ChangedLines, FileLines } from "./lines";
import { type Answer, firstLine, Picture, Rest, useWhole } from "./message";
import { Directory, PlaceKey, SubAgents } from "./reading";
import { Code, Output, Rich } from "./rich";

/** A change is read whole for its numbers of lines, up to this size, once it stays in sight. */
const MOST_COUNTED = 256_000;
const STAYS = 150;

const ICONS: Record<Call["kind"], IconName> = {
  change: "pencil",
  command: "terminal",
  read: "file",
  tasks: "tasks",
  agent: "agent",
  plan: "tasks",
  search: "search",
  other: "tools",
};

interface CallProps {
  part: Part;
  whole: () => Promise<PartBody>;
  answer?: Answer | undefined;
  isFound: boolean;
}

export function CallRow({ part, whole, answer, isFound }: CallProps) {
  const input = useWhole(whole);
  const name = part.name ?? "tool";
  const directory = useContext(Directory);
  const drawAgent = useContext(SubAgents);
  const place = useContext(PlaceKey);
  const text = input.body?.text ?? part.text;
  const call = useMemo(() => callOf(name, text), [name, text]);
  const isCut = !input.body && utf8(part.text) < part.bytes;
  useEffect(() => {
    if (!isCut || part.bytes > MOST_COUNTED || !isChange(name, part.text)) return;
    const timer = setTimeout(input.fetch, STAYS);
    return () => clearTimeout(timer);
  }, [isCut, part]);
  const result = answer?.parts[0]?.[1];
  return (
    <Fold
      class="call-row"
      icon={ICONS[call.kind]}
      name={safeLine(name)}
      note={safeLine(within(directory, targetOf(part, call)))}
      code={codeOf(call)}
      aside={<Aside call={call} isCut={isCut} result={result} />}
      forced={isFound}
      opened={() => isCut && part.bytes <= MOST_COUNTED && input.fetch()}
    >
      <div class="call-body">
        <div data-side="input" class="stack">
          <Input call={call} answer={answer} isFound={isFound} />
        </div>
        <Rest
          rest={isCut ? part.bytes - utf8(part.text) : input.body?.whole === false ? part.bytes : 0}
          fetched={input}
        />
        {result?.doc && drawAgent && (
          <PlaceKey.Provider value={`${place}/transcript`}>
            <Fold icon="agent" name={words.transcript.agent} note="">
              {drawAgent(result.doc)}
            </Fold>
          </PlaceKey.Provider>
        )}
        {answer && call.kind !== "read" && (
          <div data-side="result" class="stack">
            <Result call={call} answer={answer} isFound={isFound} />
          </div>
        )}
      </div>
    </Fold>
  );
}

function codeOf(call: Call): "file" | "command" | undefined {
  if (call.kind === "agent" || call.kind === "tasks") return undefined;
  return call.kind === "change" || call.kind === "read" ? "file" : "command";
}

function targetOf(part: Part, call: Call): string {
  switch (call.kind) {
    case "change": {
      const [first, ...others] = call.changes;
      const path = first?.path || part.target || "";
      return others.length > 0 ? `${path} +${others.length}` : path;
    }
    case "command":
      return firstLine(call.command);
    case "tasks":
      return words.transcript.tasks(call.tasks.filter((task) => task.state === "done").length, call.tasks.length);
    case "agent":
      return call.about || firstLine(call.prompt);
    case "plan":
      return firstLine(call.text).replace(/^#+ /, "");
    case "search":
      return part.target ?? call.fields[0]?.[1] ?? "";
    default:
      return part.target ?? "";
  }
}

/** What came of the call: a word for everybody, and a colour. */
function Aside({ call, isCut, result }: { call: Call; isCut: boolean; result: Part | undefined }) {
  const say = words.transcript;
  // A file that is read may say anything.
  const code = result && call.kind === "command" && result.is_error !== false ? exitCode(result.text) : null;
  const isFailed = result?.is_error === true || (code !== null && code !== 0);
  const changed = call.kind === "change" ? sums(call.changes) : null;
  return (
    <span class="call-aside">
      {changed && !isCut && (
        <span class="changes">
          <span class="visually-hidden">{say.changes(changed.added, changed.removed)}</span>
          {changed.added > 0 && (
            <span class="plus" aria-hidden="true">
              +{changed.added}
            </span>
          )}
          {changed.removed > 0 && (
            <span class="minus" aria-hidden="true">
              −{changed.removed}
            </span>
          )}
        </span>
      )}
      {isFailed ? (
        <span class="outcome bad">
          <Icon name="alert" size={12} /> {code !== null && code !== 0 ? say.exit(code) : say.outcomes.failed}
        </span>
      ) : (
        <span class={result ? "outcome ok" : "outcome none"} title={result ? say.outcomes.ok : say.outcomes.none}>
          <Icon name={result ? "check" : "clock"} size={12} />
          <span class="visually-hidden">{result ? say.outcomes.ok : say.outcomes.none}</span>
        </span>
      )}
    </span>
  );
}

function Input({ call, answer, isFound }: { call: Call; answer: Answer | undefined; isFound: boolean }) {
  switch (call.kind) {
    case "change":
      return call.changes.map((change, at) => <OneChange key={at} change={change} />);
    case "command":
      return (
        <>
          {(call.about || call.directory) && (
            <p class="dim small" dir="auto">
              {call.about} {call.directory && <code dir="ltr">{words.transcript.inDirectory(call.directory)}</code>}
            </p>
          )}
          <Code text={call.command} language="bash" name={words.transcript.input} />
        </>
      );
    case "read":
      return answer ? (
        <div data-side="result" class="stack">
          <ReadFile path={call.path} from={call.from} answer={answer} isFound={isFound} />
        </div>
      ) : null;
    case "tasks":
      return <Tasks tasks={call.tasks} note={call.note} />;
    case "agent":
      return (
        <section class="labelled">
          <p class="part-label">{words.transcript.prompt}</p>
          <Rich text={call.prompt} />
        </section>
      );
    case "plan":
      return <Rich text={call.text} />;
    case "search":
      return (
        <dl class="fields">
          {call.fields.map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>
                <code dir="ltr">{value}</code>
              </dd>
            </div>
          ))}
        </dl>
      );
    case "other":
      return call.text ? (
        <Code text={call.text} language={call.isJson ? "json" : ""} name={words.transcript.input} />
      ) : null;
  }
}

function OneChange({ change }: { change: Change }) {
  const say = words.transcript;
  const directory = useContext(Directory);
  const patch = () =>
    change.lines
      .filter((line) => line.kind !== "gap")
      .map((line) => `${line.kind === "added" ? "+" : line.kind === "removed" ? "-" : " "}${line.text}`)
      .join("\n");
  return (
    <figure class="code change">
      <figcaption>
        <span class="change-name">
          {say.actions[change.action]} <code dir="ltr">{safeLine(within(directory, change.path))}</code>
          {change.to && <> {say.moved(change.to)}</>}
        </span>
        {change.lines.length > 0 && (
          <CopyButton text={patch()} copied={say.copied} kind="quiet">
            {say.copy}
          </CopyButton>
        )}
      </figcaption>
      {change.lines.length > 0 && <ChangedLines change={change} />}
    </figure>
  );
}

function Tasks({ tasks, note }: { tasks: Task[]; note: string }) {
  const icons = { done: "done", doing: "doing", open: "open", dropped: "dropped" } as const;
  return (
    <>
      {note && <p dir="auto">{note}</p>}
      <ul class="tasks">
        {tasks.map((task, at) => (
          <li key={at} class={task.state} dir="auto">
            <Icon name={icons[task.state]} size={14} />
            <span>
              <span class="visually-hidden">{words.transcript.taskStates[task.state]}: </span>
              {task.text}
            </span>
          </li>
        ))}
      </ul>
    </>
  );
}

/** The whole of a result, requested by a button. */
function useResult(answer: Answer, isFound: boolean) {
  const [number, part] = answer.parts[0]!;
  const fetched = useWhole(() => answer.whole(number));
  useEffect(() => {
    if (isFound && utf8(part.text) < part.bytes) fetched.fetch();
  }, [isFound]);
  const text = fetched.body?.text ?? part.text;
  const rest = fetched.body ? (fetched.body.whole ? 0 : part.bytes) : Math.max(0, part.bytes - utf8(part.text));
  return { part, text, isWhole: fetched.body !== undefined, more: <Rest rest={rest} fetched={fetched} /> };
}

function ReadFile({ path, from, answer, isFound }: { path: string; from: number; answer: Answer; isFound: boolean }) {
  const { part, text, more } = useResult(answer, isFound);
  const directory = useContext(Directory);
  const read = useMemo(() => numbered(text, from), [text, from]);
  if (part.is_error) return <Result call={null} answer={answer} isFound={isFound} />;
  return (
    <>
      {text && (
        <figure class="code">
          <figcaption>
            <code dir="ltr">{safeLine(within(directory, path))}</code>
            <CopyButton
              text={read.lines.map((line) => line.text).join("\n")}
              copied={words.transcript.copied}
              kind="quiet"
            >
              {words.transcript.copy}
            </CopyButton>
          </figcaption>
          <FileLines lines={read.lines} path={path} />
        </figure>
      )}
      {read.rest && <p class="dim small pre">{read.rest}</p>}
      {more}
      <Pictures answer={answer} />
    </>
  );
}

function Result({ call, answer, isFound }: { call: Call | null; answer: Answer; isFound: boolean }) {
  const { part, text, isWhole, more } = useResult(answer, isFound);
  const [isOpen, setOpen] = useState(false);
  const say = words.transcript;
  const isNoise = (call?.kind === "change" || call?.kind === "tasks") && !part.is_error && !isFound;
  if (isNoise && !isOpen) {
    return part.bytes === 0 ? (
      <Pictures answer={answer} />
    ) : (
      <>
        <button type="button" class="more" onClick={() => setOpen(true)}>
          {say.result} · {size(part.bytes)}
        </button>
        <Pictures answer={answer} />
      </>
    );
  }
  const json = hasColours(text) ? null : tidied(text);
  return (
    <section class={part.is_error ? "labelled bad" : "labelled"}>
      <div class="labelled-head">
        <p class="part-label">{part.is_error ? say.failed : call?.kind === "agent" ? say.answer : say.output}</p>
        {text && (
          <CopyButton text={hasColours(text) ? plainOutput(text) : text} copied={say.copied} kind="quiet">
            {say.copy}
          </CopyButton>
        )}
      </div>
      {part.bytes === 0 ? (
        <p class="dim">{say.silent}</p>
      ) : call?.kind === "agent" ? (
        <Rich text={text} whole={isWhole} />
      ) : json !== null ? (
        <Code text={json} language="json" />
      ) : (
        <Output text={text} whole={isWhole} />
      )}
      {more}
      <Pictures answer={answer} />
    </section>
  );
}

function Pictures({ answer }: { answer: Answer }) {
  return answer.parts
    .slice(1)
    .map(([number, part]) => <OnePicture key={number} part={part} whole={() => answer.whole(number)} />);
}

function OnePicture({ part, whole }: { part: Part; whole: () => Promise<PartBody> }) {
  const fetched = useWhole(whole);
  return <Picture part={part} fetched={fetched} forced />;
}
