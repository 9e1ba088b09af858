// A session from beginning to end: only the messages in sight are requested and drawn, however long
// the session is. It opens at its end and follows what is added.
import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks";
import { asRefusal, type Refusal } from "../backend/backend";
import type { DocPage, Message, Part, PartBody, Shown } from "../backend/types";
import { callOf, within } from "../lib/calls";
import { clock, day, exact, isSameDay, size } from "../lib/format";
import { mark, rangesIn, unmark } from "../lib/marks";
import type { Found } from "../lib/occurrences";
import { MESSAGES, Paged } from "../lib/paged";
import { Pairs } from "../lib/pairs";
import { still } from "../lib/still";
import { markdownOf, plainOf, safeLine, type Turn, turnAt } from "../lib/turns";
import { useAnswer, useKeys, useShared } from "../state";
import { words } from "../words";
import { copyText, Empty, Failed, IconButton, Skeleton, SteeringMark } from "./common";
import { ReaderBar, useFinding } from "./find";
import { ForkQuestion } from "./fork-question";
import { Icon } from "./icon";
import { type Joined, joined, type Keyed, useKeyed } from "./joined";
import { Menu, type MenuItem } from "./menu";
import { Body } from "./message";
import { ExportQuestion } from "./more";
import { Directory, PlaceKey, SubAgents, Unfolded } from "./reading";
import { type Scroller, Virtual } from "./virtual";

/** Rows above the message to which a link leads, in pixels. */
const LED_TO = 80;
/** Calls and results this near to the rows in sight are loaded with them. */
const NEAR = 12;

interface TranscriptProps {
  /** The session as it was opened, with its first messages. */
  first: Shown;
  /** The session as it is now. */
  shown: Shown;
  message?: number | null;
  /** Grows whenever a link leads to the message, to the same one again too. */
  visit?: number;
}

export function Transcript({ first, shown, message = null, visit = 0 }: TranscriptProps) {
  if (shown.total === 0) return <Empty icon="sessions" title={words.transcript.empty} why={shown.why ?? ""} />;
  return <Reader key={shown.session} first={first} shown={shown} message={message} visit={visit} />;
}

type ReaderProps = Required<TranscriptProps>;

function Reader({ first: opened, shown, message, visit }: ReaderProps) {
  const { backend, tell } = useShared();
  const { session } = shown;
  const ask = useCallback(
    async (from: number) => (await backend.roam({ cmd: "show", session, from, rows: MESSAGES })).messages,
    [backend, session],
  );
  const part = useCallback(
    (message: number, part: number) => backend.roam({ cmd: "show_part", session, message, part }),
    [backend, session],
  );
  const first = useRef(opened).current;
  const { pages, pairs, version, trouble, again } = usePaged(first.total, first.messages, ask);
  const scroller = useRef<Scroller>(null);
  const { total } = shown;
  useFollowing(first, shown, pages);
  const [isAtEnd, setAtEnd] = useState(message === null);
  const seen = useRef(total);
  seen.current = isAtEnd ? total : Math.min(seen.current, total);
  const field = useRef<HTMLInputElement>(null);
  const finding = useFinding(session, stateOf(shown), () => scroller.current?.first() ?? 0);
  const now = finding.now && pages.get(finding.now.message) ? homeOf(pairs, finding.now) : finding.now;
  const target = message === null ? null : homeOf(pairs, { message, part: 0, nth: 0 });
  const [own, setOwn] = useState<number | null>(null);
  const [menu, setMenu] = useState<{ at: number; x: number; y: number } | null>(null);
  const [fork, setFork] = useState<number | null>(null);
  const [isExporting, setExporting] = useState(false);

  useEffect(() => {
    if (target && target.message < total) scroller.current?.reveal(target.message, LED_TO);
  }, [target?.message, visit]);

  useFoundMarks(scroller, finding.sought, now, version);
  const jump = useOwnMessages(scroller, pages, setOwn);
  const focusFeed = () => scroller.current?.focus();
  useKeys({
    "Mod+f": () => {
      field.current?.focus();
      field.current?.select();
    },
    "[": () => jump(-1),
    "]": () => jump(1),
    // Brackets need AltGr on many keyboards; these keys are on all of them.
    "Alt+ArrowUp": () => jump(-1),
    "Alt+ArrowDown": () => jump(1),
  });
  useEffect(() => {
    // Outside of the window's own keys, the browser's search would find only what is drawn.
    const hear = (event: KeyboardEvent) => {
      if (event.key !== "F3") return;
      event.preventDefault();
      finding.step(event.shiftKey ? -1 : 1);
    };
    addEventListener("keydown", hear);
    return () => removeEventListener("keydown", hear);
  }, [finding.step]);

  const openMenu = useCallback((at: number, x: number, y: number) => setMenu({ at, x, y }), []);
  const failed = (thrown: unknown) => {
    const refusal = asRefusal(thrown, words.failed.unknown);
    tell(`${refusal.message} ${refusal.hint}`.trim());
  };
  const copy = async (at: number, form: (parts: Part[], bodies: string[]) => string) => {
    const parts = pages.get(at)?.parts ?? [];
    try {
      const bodies = await Promise.all(
        parts.map(async (one, number): Promise<Pick<PartBody, "text" | "whole">> => {
          if (one.kind === "image" || one.text.length >= one.bytes) return { text: one.text, whole: true };
          return part(at, number);
        }),
      );
      const text = form(
        parts,
        bodies.map((one) => one.text),
      );
      if (!(await copyText(text))) return tell(words.failed.copy);
      const isWhole = bodies.every((one) => one.whole);
      tell(isWhole ? words.transcript.messageCopied : words.transcript.messageCopiedCut(size(text.length)));
    } catch (thrown) {
      failed(thrown);
    }
  };
  const openFile = async (path: string) => {
    try {
      tell((await backend.roam({ cmd: "open_file", session, path })).message);
    } catch (thrown) {
      failed(thrown);
    }
  };
  const say = words.transcript;
  const items = (at: number): MenuItem[] => [
    { icon: "copy", name: say.copyText, act: () => void copy(at, plainOf) },
    { icon: "copy", name: say.copyMarkdown, act: () => void copy(at, markdownOf) },
    ...(shown.forks ? [{ icon: "splits" as const, name: words.fork.open, act: () => setFork(at) }] : []),
    ...filesOf(pages.get(at)?.parts ?? []).map((path) => ({
      icon: "file" as const,
      name: say.openFile(safeLine(within(shown.cwd ?? "", path))),
      act: () => void openFile(path),
    })),
    { icon: "save", name: say.exportSession, act: () => setExporting(true) },
  ];
  const unfolded = useRef(new Set<string>());
  const drawAgent = useCallback((doc: string) => <Agent session={session} doc={doc} />, [session]);
  const rows = useRows(pages, pairs, part, version);
  return (
    <Unfolded.Provider value={unfolded.current}>
      <SubAgents.Provider value={drawAgent}>
        <Directory.Provider value={shown.cwd ?? ""}>
          <div class="reader">
            {trouble && <Failed refusal={trouble} again={again} />}
            <ReaderBar finding={finding} field={field} leave={focusFeed} own={jump} />
            <Virtual
              class="transcript"
              n={total}
              list={session}
              atEnd
              api={scroller}
              around={2}
              estimate={(at) => estimate(pages.get(at))}
              onSight={(from, to) => pages.want(from - NEAR, to + NEAR)}
              onScroll={() => setAtEnd(scroller.current?.isAtEnd() ?? true)}
              attributes={{ role: "feed", "aria-label": say.label, "aria-busy": "false" }}
              row={(at) => (
                <OneMessage
                  message={pages.get(at)}
                  before={pages.get(at - 1)}
                  at={at}
                  of={total}
                  part={part}
                  menu={openMenu}
                  isLed={at === target?.message || at === own || at === now?.message}
                  found={
                    now?.message === at ? now.part : target?.inResult && target.message === at ? target.part : null
                  }
                  {...rows(at)}
                />
              )}
            />
            {!isAtEnd && (
              <button type="button" class="to-end" onClick={() => scroller.current?.end()}>
                <Icon name="end" size={14} />
                {say.newMessages(total - seen.current)}
              </button>
            )}
            <p class="visually-hidden" role="status">
              {!isAtEnd && total > seen.current ? say.newMessages(total - seen.current) : ""}
            </p>
            {menu && <Menu label={say.menu} items={items(menu.at)} x={menu.x} y={menu.y} close={() => setMenu(null)} />}
            {fork !== null && <ForkQuestion session={session} at={fork} close={() => setFork(null)} />}
            {isExporting && <ExportQuestion row={shown} close={() => setExporting(false)} />}
          </div>
        </Directory.Provider>
      </SubAgents.Provider>
    </Unfolded.Provider>
  );
}

/** Files that a menu offers to open. */
const MOST_FILES = 4;

/** The files that a message's calls read or change. */
function filesOf(parts: readonly Part[]): string[] {
  const files = parts.flatMap((part) => {
    if (part.kind !== "tool_use") return [];
    const call = callOf(part.name ?? "tool", part.text);
    if (call.kind === "read") return [call.path];
    return call.kind === "change" ? call.changes.map((change) => change.path) : [];
  });
  return [...new Set(files.filter((file) => file !== ""))].slice(0, MOST_FILES);
}

/** The transcript of a sub-agent, where its call is. */
function Agent({ session, doc }: { session: string; doc: string }) {
  const asked = useAnswer({ cmd: "show_doc", session, doc, from: 0, rows: MESSAGES });
  if (asked.phase === "failed") return <Failed refusal={asked.refusal} again={asked.again} />;
  const first = asked.answer;
  if (!first) return <Skeleton rows={2} label={words.transcript.loading} />;
  if (first.total === 0) return <p class="dim">{words.transcript.agentEmpty}</p>;
  return <AgentMessages session={session} doc={doc} first={first} />;
}

/** Messages of a sub-agent that are drawn at once. */
const AGENT_PAGE = 30;

function AgentMessages({ session, doc, first }: { session: string; doc: string; first: DocPage }) {
  const { backend } = useShared();
  const [most, setMost] = useState(AGENT_PAGE);
  const n = Math.min(most, first.total);
  const ask = useCallback(
    async (from: number) => (await backend.roam({ cmd: "show_doc", session, doc, from, rows: MESSAGES })).messages,
    [backend, session, doc],
  );
  const part = useCallback(
    (message: number, part: number) => backend.roam({ cmd: "show_doc_part", session, doc, message, part }),
    [backend, session, doc],
  );
  const { pages, pairs, version, trouble, again } = usePaged(first.total, first.messages, ask);
  const rows = useRows(pages, pairs, part, version);
  // What is unfolded inside is not what has the same number outside.
  const unfolded = useRef(new Set<string>());
  useEffect(() => pages.want(0, n + NEAR), [pages, n]);
  return (
    <Unfolded.Provider value={unfolded.current}>
      <div class="agent-transcript">
        {trouble && <Failed refusal={trouble} again={again} />}
        {Array.from({ length: n }, (_, at) => (
          <OneMessage
            key={at}
            message={pages.get(at)}
            before={pages.get(at - 1)}
            at={at}
            of={first.total}
            part={part}
            {...rows(at)}
          />
        ))}
        {n < first.total && (
          <button type="button" class="more" onClick={() => setMost(most + AGENT_PAGE)}>
            {words.transcript.agentMore(first.total - n)}
          </button>
        )}
      </div>
    </Unfolded.Provider>
  );
}

/** Where an occurrence is shown: with its call, if it is in a result. */
interface Home extends Found {
  /** The occurrence is in the result of the call. */
  inResult: boolean;
}

function homeOf(pairs: Pairs, found: Found): Home {
  const call = pairs.callOf(found.message, found.part);
  return call ? { ...call, nth: found.nth, inResult: true } : { ...found, inResult: false };
}

/** What tells one state of a session from the next. */
function stateOf({ total, updated, docs }: Shown): string {
  return [total, updated, docs.find((one) => one.doc === "main")?.tip].join(" ");
}

/** The pages follow the session: it may have become longer, shorter, or another one. */
function useFollowing(first: Shown, shown: Shown, pages: Paged<Message>): void {
  const latest = useRef(stateOf(first));
  const now = stateOf(shown);
  useEffect(() => {
    if (latest.current === now) return;
    latest.current = now;
    pages.follow(shown.total);
  }, [now, pages]);
}

/** Marks what was found in the rows that are drawn, and brings the current place into sight. */
function useFoundMarks(
  scroller: { current: Scroller | null },
  sought: string | null,
  now: Found | Home | null,
  version: number,
): void {
  const pending = useRef(false);
  const latest = useRef(now);
  latest.current = now;
  const key = now ? `${now.message}/${now.part}/${now.nth}/${sought}` : "";
  useEffect(() => {
    pending.current = key !== "";
    if (now) scroller.current?.reveal(now.message, LED_TO);
  }, [key]);
  useEffect(() => {
    const list = scroller.current?.element();
    if (!sought || !list) return unmark();
    let frame = 0;
    const draw = () => {
      frame = 0;
      const bodies = [...list.querySelectorAll(".body")];
      const all = bodies.flatMap((body) => rangesIn(body, sought));
      const current = latest.current && rangeOf(list, latest.current, sought);
      mark(all, current);
      if (!current || !pending.current) return;
      pending.current = false;
      bringIntoSight(scroller.current!, list, current);
    };
    const later = () => {
      frame ||= requestAnimationFrame(draw);
    };
    const observer = new MutationObserver(later);
    observer.observe(list, { childList: true, subtree: true, characterData: true });
    // Who scrolls is not pulled back.
    const release = () => {
      pending.current = false;
    };
    list.addEventListener("wheel", release, { passive: true });
    list.addEventListener("pointerdown", release, { passive: true });
    later();
    return () => {
      cancelAnimationFrame(frame);
      observer.disconnect();
      list.removeEventListener("wheel", release);
      list.removeEventListener("pointerdown", release);
      unmark();
    };
  }, [sought, key, version]);
}

function rangeOf(list: Element, now: Found | Home, sought: string): Range | null {
  const part = list.querySelector(`[data-row="${now.message}"] [data-part="${now.part}"]`);
  const side = "inResult" in now && now.inResult ? "result" : "input";
  const root = part?.querySelector(`[data-side="${side}"]`) ?? part;
  if (!root) return null;
  const ranges = rangesIn(root, sought);
  return ranges[Math.min(now.nth, ranges.length - 1)] ?? null;
}

function bringIntoSight(scroller: Scroller, list: Element, range: Range): void {
  const inner = range.startContainer.parentElement?.closest("pre");
  if (inner) {
    const [box, at] = [inner.getBoundingClientRect(), range.getBoundingClientRect()];
    if (at.top < box.top || box.bottom < at.bottom) inner.scrollTop += at.top - box.top - inner.clientHeight / 2;
    if (at.left < box.left || box.right < at.right) inner.scrollLeft += at.left - box.left - inner.clientWidth / 2;
  }
  const [box, at] = [list.getBoundingClientRect(), range.getBoundingClientRect()];
  if (at.top < box.top + 24 || box.bottom - 24 < at.bottom) scroller.scrollBy(at.top - box.top - box.height / 3);
}

/** Goes from one message of the user's to the next, through pages that are not loaded yet. */
function useOwnMessages(
  scroller: { current: Scroller | null },
  pages: Paged<Message>,
  setOwn: (at: number | null) => void,
): (by: 1 | -1) => void {
  const { tell } = useShared();
  const last = useRef<{ at: number; top: number } | null>(null);
  const turn = useRef(0);
  return (by) => {
    const list = scroller.current;
    const element = list?.element();
    if (!list || !element) return;
    turn.current += 1;
    const own = turn.current;
    const go = async () => {
      const stayed = last.current && Math.abs(last.current.top - element.scrollTop) < 4 ? last.current.at : null;
      const here = by < 0 ? (list.isAtEnd() ? pages.total : list.first() + 1) : list.first();
      let at = (stayed ?? here) + by;
      for (; 0 <= at && at < pages.total; at += by) {
        if (!pages.get(at)) await pages.load(at);
        // A page that cannot be loaded is reported above the messages.
        if (own !== turn.current || !pages.get(at)) return;
        if (pages.get(at)?.role === "user") break;
      }
      if (at < 0 || pages.total <= at) {
        tell(by < 0 ? words.transcript.noPreviousOwn : words.transcript.noNextOwn);
        return;
      }
      list.top(at);
      setOwn(at);
      requestAnimationFrame(() => {
        last.current = { at, top: element.scrollTop };
        const row = element.querySelector<HTMLElement>(`[data-row="${at}"] article`);
        row?.focus({ preventScroll: true });
      });
    };
    void go();
  };
}

interface RowParts extends Joined {
  model: string;
  input: number;
  output: number;
}

/** What a row shows of other messages: the results of its calls, the turn that it begins. */
export function useRows(
  pages: Paged<Message>,
  pairs: Pairs,
  part: (message: number, part: number) => Promise<PartBody>,
  version: number,
): (at: number) => RowParts {
  const get = (at: number) => pages.get(at);
  const make = (at: number): Keyed<RowParts> => {
    const { key, value } = joined(at, get, pairs, part);
    const message = get(at);
    const turn: Turn | null = message ? turnAt(at, get) : null;
    const { model = "", input = 0, output = 0 } = turn ?? {};
    return { key: [...key, message, model, input, output], value: { ...value, model, input, output } };
  };
  return useKeyed(make, [pages, pairs, part, version]);
}

/** Pages of messages, redrawn as they arrive, and which result answers which call. */
export function usePaged(total: number, first: Message[], ask: (from: number) => Promise<Message[]>) {
  const [version, setVersion] = useState(0);
  const [trouble, setTrouble] = useState<Refusal | null>(null);
  const { pages, pairs } = useMemo(() => {
    const pairs = new Pairs((at) => known?.get(at));
    let known: Paged<Message> | undefined;
    known = new Paged(total, first, ask, {
      changed: () => setVersion((before) => before + 1),
      failed: (thrown) => setTrouble(asRefusal(thrown, words.failed.unknown)),
      taken: (from, messages) => pairs.add(from, messages),
      renewed: () => pairs.clear(),
    });
    return { pages: known, pairs };
  }, [total, first, ask]);
  useEffect(() => () => pages.stop(), [pages]);
  const again = () => {
    setTrouble(null);
    pages.retry();
  };
  return { pages, pairs, version, trouble, again };
}

/** Accurate enough that the scroll bar does not jump: lines of about 80 letters, folded parts as
 * one line. */
export function estimate(message: Message | undefined): number {
  if (!message) return 72;
  if (message.role === "tool") return 0;
  const lines = (part: Message["parts"][number]) =>
    part.kind === "text" ? 8 + Math.ceil(part.text.length / 85) * 21 : 30;
  return message.parts.reduce((sum, part) => sum + lines(part), 30);
}

interface MessageProps extends Partial<RowParts> {
  message: Message | undefined;
  before: Message | undefined;
  at: number;
  of: number;
  part: (message: number, part: number) => Promise<PartBody>;
  /** Opens the menu of a message; without it, there is none. */
  menu?: (at: number, x: number, y: number) => void;
  /** A link, a search or a key led to this message. */
  isLed?: boolean;
  /** The part in which something was found. */
  found?: number | null;
}

export const OneMessage = still(DrawnMessage);

function DrawnMessage({ message, before, at, of, part, menu, isLed, found, ...row }: MessageProps) {
  if (!message) {
    return (
      <article class="message waiting" aria-posinset={at + 1} aria-setsize={of} aria-label={words.loading}>
        <span class="bone" aria-hidden="true" />
      </article>
    );
  }
  if (row.isElsewhere) return <span hidden />;
  if (message.role === "steering") {
    return (
      <article class="message steering" aria-posinset={at + 1} aria-setsize={of}>
        <SteeringMark text={words.transcript.changed(message.device, message.text)} />
      </article>
    );
  }
  const turn = !before || speaker(before) !== speaker(message) || before.device !== message.device;
  const moved = message.device && before?.device !== message.device;
  const { model = "", input = 0, output = 0 } = row;
  return (
    <article
      class={`message ${message.role}${turn ? " turn" : ""}${isLed ? " led" : ""}`}
      tabIndex={-1}
      aria-posinset={at + 1}
      aria-setsize={of}
      aria-label={`${words.transcript.roles[message.role]} ${clock(message.at)}`}
      onContextMenu={(event) => {
        // A selection, a link and a field have the system's menu.
        const isText = getSelection()?.isCollapsed === false || (event.target as Element).closest("a, input, img");
        if (!menu || isText || event.shiftKey) return;
        event.preventDefault();
        menu(at, event.clientX, event.clientY);
      }}
    >
      {message.at && (at === 0 || (before && !isSameDay(before.at, message.at))) && (
        <p class="day-mark">
          <time dateTime={message.at}>{day(message.at, Date.now())}</time>
        </p>
      )}
      {moved && (
        <p class="device-mark">
          <Icon name="laptop" size={12} />
          <span dir="auto">{words.transcript.on(message.device!)}</span>
        </p>
      )}
      <div class="message-grid">
        <div class="speaker">
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
        </div>
        <div class="said-side">
          {turn && (model || output > 0) && (
            <p class="turn-about">
              {model && (
                <span title={words.transcript.model(model)} dir="auto">
                  {shortModel(model)}
                </span>
              )}
              {output > 0 && (
                <span title={words.transcript.tokens(input, output)}>{words.transcript.tokensShort(output)}</span>
              )}
            </p>
          )}
          <PlaceKey.Provider value={String(at)}>
            <Body
              parts={message.parts}
              whole={(number) => part(at, number)}
              answers={row.answers}
              elsewhere={row.elsewhere}
              found={found}
            />
          </PlaceKey.Provider>
        </div>
        {menu && (
          <IconButton
            icon="more"
            name={words.transcript.menu}
            class="message-menu"
            onClick={(event) => {
              const box = event.currentTarget.getBoundingClientRect();
              menu(at, box.left, box.bottom + 2);
            }}
          />
        )}
      </div>
    </article>
  );
}

/** `claude-opus-4-5-20251101` without its date, and without who offers it. */
function shortModel(model: string): string {
  return model
    .split("/")
    .at(-1)!
    .replace(/-20\d{6}$/, "");
}

/** A tool's answer belongs to the turn of its caller. */
function speaker(message: Message): Message["role"] {
  return message.role === "tool" ? "assistant" : message.role;
}
