// The split window: two columns aligned by turn, the common part folded to one row, the decision
// below.
import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks";
import { asRefusal, type Refusal } from "../backend/backend";
import type { Action, Diff, DiffCommon, DiffWords, Message, Side } from "../backend/types";
import { projectName, stretch } from "../lib/format";
import { MESSAGES } from "../lib/paged";
import { PAGE, Pages } from "../lib/pages";
import { Button, Empty, Failed, FirstFocus, IconButton, Skeleton } from "../parts/common";
import { Decision, type DecisionProps } from "../parts/decision";
import { Dialog } from "../parts/dialog";
import { DiffRowView, type RowPart } from "../parts/diff-row";
import { Icon } from "../parts/icon";
import { Ruler } from "../parts/ruler";
import { estimate, OneMessage, usePaged } from "../parts/transcript";
import { type Scroller, Virtual } from "../parts/virtual";
import { go, link } from "../route";
import { useAnswer, useDoing, useKeys, useShared } from "../state";
import { words } from "../words";

export function SplitView({ session, alone }: { session: string; alone: boolean }) {
  const { backend, revision, tools, tell } = useShared();
  const [branch, setBranch] = useState<string | null>(null);
  const [turn, setTurn] = useState(0);
  const first = useAnswer({ cmd: "diff", session, branch, from: 0, rows: PAGE, choices: false }, turn);
  const splits = useAnswer({ cmd: "splits" }, turn * 100_000 + revision);
  const { busy, refusal, act, clear } = useDoing();
  const [decided, setDecided] = useState<string | null>(null);
  const [help, setHelp] = useState(false);
  const say = words.split;

  const undo = async () => {
    const done = await act(() => backend.roam({ cmd: "undo", session }));
    if (!done) return;
    setDecided(null);
    setTurn((before) => before + 1);
    tell(say.undone);
  };
  const take = async (choice: Action, active: Side | null) => {
    const done = await act(() => backend.roam({ cmd: "resolve", session, choice, branch, active }));
    if (done) setDecided(done.message || say.decided);
  };
  useKeys({ "Mod+z": () => void undo(), "?": () => setHelp(true) });

  const diff = first.answer;
  const split = splits.answer?.find((one) => one.session === session);
  // Decided on another device meanwhile: the split was listed before and is not any more.
  const listedIn = useRef(-1);
  if (split) listedIn.current = turn;
  const isSettled = listedIn.current === turn && splits.phase === "ready" && !split && decided === null;
  const isGone = isSettled || (first.phase === "failed" && first.refusal.code === "no_split");
  return (
    <div class="split">
      <header class="split-head">
        {!alone && <IconButton icon="back" name={say.back} onClick={() => go("splits")} />}
        <div class="split-title">
          <h1 dir="auto">{diff ? diff.title || words.session.untitled : say.loading}</h1>
          <p class="dim" dir="auto">
            {diff ? (
              <>
                {tools.get(diff.tool)?.name ?? diff.tool}
                {split ? ` · ${projectName(split.project)}` : ""} · {say.commonThen(diff.prefix.messages)}{" "}
                {say.legend(diff.stats, diff.left.device, diff.right.device)}
              </>
            ) : (
              " "
            )}
          </p>
        </div>
        {split && split.branches.length > 2 && (
          <select
            class="select"
            aria-label={say.branch}
            value={branch ?? split.branches[1]!.branch}
            onChange={(event) => setBranch(event.currentTarget.value)}
          >
            {split.branches.slice(1).map((one) => (
              <option key={one.branch} value={one.branch}>
                {one.device}
              </option>
            ))}
          </select>
        )}
        <IconButton icon="keys" name={say.help} onClick={() => setHelp(true)} />
      </header>
      {first.phase === "loading" && <Skeleton rows={6} label={say.loading} tall />}
      {isGone && (
        <Empty icon="done" title={say.gone} why={say.goneWhy}>
          <Button icon="undo" busy={busy} onClick={() => void undo()}>
            {words.splits.undoLast}
          </Button>
          <a class="button" href={link("sessions", session)}>
            {say.toSession}
          </a>
        </Empty>
      )}
      {first.phase === "failed" && !isGone && <Failed refusal={first.refusal} again={first.again} />}
      {diff && !isGone && <Comparison key={`${branch}/${turn}`} first={diff} branch={branch} />}
      {diff &&
        !isGone &&
        (decided === null ? (
          <Offered
            session={session}
            branch={branch}
            turn={turn}
            left={diff.left.device}
            right={diff.right.device}
            now={
              diff.class === "C"
                ? say.nowAsk(diff.left.device, diff.right.device)
                : say.nowBoth(diff.left.device, diff.right.device, diff.title || words.session.untitled)
            }
            busy={busy}
            refusal={refusal}
            take={(choice, active) => void take(choice, active)}
          />
        ) : (
          <Decided
            message={decided}
            busy={busy}
            refusal={refusal}
            clear={clear}
            undo={() => void undo()}
            session={session}
          />
        ))}
      {help && (
        <Dialog title={say.help} close={() => setHelp(false)}>
          <dl class="keys">
            {say.keys.map(([key, what]) => (
              <div key={key}>
                <dt>
                  <kbd>{key}</kbd>
                </dt>
                <dd>{what}</dd>
              </div>
            ))}
          </dl>
        </Dialog>
      )}
    </div>
  );
}

/** The choices are known later than the rows: whether two branches can be joined requires reading
 * both whole. */
function Offered({
  session,
  branch,
  turn,
  ...rest
}: { session: string; branch: string | null; turn: number } & Omit<DecisionProps, "choices" | "sides">) {
  const asked = useAnswer({ cmd: "diff", session, branch, from: 0, rows: 0, choices: true }, turn);
  if (asked.phase === "failed") {
    return (
      <footer class="decision">
        <Failed refusal={asked.refusal} again={asked.again} />
      </footer>
    );
  }
  const sides = asked.answer ? [asked.answer.left, asked.answer.right] : [];
  return <Decision choices={asked.answer?.choices ?? null} sides={sides} {...rest} />;
}

function Decided({
  message,
  busy,
  refusal,
  clear,
  undo,
  session,
}: {
  message: string;
  busy: boolean;
  refusal: Refusal | null;
  clear: () => void;
  undo: () => void;
  session: string;
}) {
  return (
    <footer class="decision decided">
      <p class="now" role="status" dir="auto">
        <Icon name="check" size={16} /> {message}
      </p>
      {refusal && <Failed refusal={refusal} again={clear} />}
      <FirstFocus class="row-of-buttons">
        <Button icon="undo" busy={busy} onClick={undo}>
          {words.split.undo}
        </Button>
        <a class="button" href={link("sessions", session)}>
          {words.split.toSession}
        </a>
      </FirstFocus>
    </footer>
  );
}

const NONE: Message[] = [];

/** Row 0 represents the common part, which unfolds below it; the other rows follow. */
function Comparison({ first, branch }: { first: Diff; branch: string | null }) {
  const { backend, tell } = useShared();
  const [known, setKnown] = useState(0);
  const [trouble, setTrouble] = useState<Refusal | null>(null);
  const [mark, setMark] = useState(-1);
  const [open, setOpen] = useState<ReadonlySet<number>>(new Set());
  const [sight, setSight] = useState({ from: 0, to: 1 });
  const scroller = useRef<Scroller>(null);
  const { session } = first;
  const say = words.split;

  const latestSight = useRef(sight);
  latestSight.current = sight;
  const later = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const draw = useCallback(() => {
    clearTimeout(later.current);
    later.current = undefined;
    setKnown((before) => before + 1);
  }, []);
  const pages = useMemo(() => {
    const ask = (from: number) => backend.roam({ cmd: "diff", session, branch, from, rows: PAGE, choices: false });
    return new Pages(
      first,
      ask,
      (from) => {
        const inSight = from < latestSight.current.to && from + PAGE > latestSight.current.from;
        // A page out of sight only changes the overview, which may wait a little.
        if (inSight) draw();
        else later.current ??= setTimeout(draw, 250);
      },
      (thrown) => setTrouble(asRefusal(thrown, words.failed.unknown)),
    );
  }, []);
  useEffect(() => {
    pages.want(0, PAGE);
    return () => {
      pages.stop();
      clearTimeout(later.current);
    };
  }, [pages]);
  const said = useWords(session, branch, pages, sight, open, known);
  const common = useCommon(session, branch, (thrown) => setTrouble(thrown));
  // The number of rows above those of the comparison.
  const before = 1 + common.n;
  const part = useCallback<RowPart>(
    (row, side, number) => backend.roam({ cmd: "diff_part", session, branch, row, side, part: number }),
    [backend, session, branch],
  );

  const above = useRef(before);
  above.current = before;
  const reveal = useCallback((row: number) => {
    setMark(row);
    scroller.current?.reveal(row + above.current, 80);
    scroller.current?.focus();
  }, []);
  const step = (by: 1 | -1) => {
    const from = mark < 0 && by > 0 ? sight.from - 2 : mark;
    const next = mark < 0 && by > 0 && pages.kinds[0] !== "same" ? 0 : pages.next(from, by);
    if (next !== null) reveal(next);
    else tell(!pages.whole && by > 0 ? say.loadingRows : by > 0 ? say.noNext : say.noPrevious);
  };
  const move = (to: number) => reveal(Math.max(0, Math.min(to, pages.total - 1)));
  const toggle = useCallback(
    (row: number) =>
      setOpen((before) => {
        const next = new Set(before);
        if (!next.delete(row)) next.add(row);
        return next;
      }),
    [],
  );
  useKeys({ n: () => step(1), p: () => step(-1) });
  const onKey = (event: KeyboardEvent) => {
    if (event.target !== event.currentTarget || event.ctrlKey || event.metaKey || event.altKey) return;
    const moves: Record<string, number> = {
      ArrowDown: mark + 1,
      ArrowUp: mark - 1,
      Home: 0,
      End: pages.total - 1,
      PageDown: mark + 8,
      PageUp: mark - 8,
    };
    const to = moves[event.key];
    if (to !== undefined) {
      event.preventDefault();
      move(to);
    }
    if (event.key === "Enter" && mark >= 0) {
      event.preventDefault();
      toggle(mark);
    }
  };

  const devices = useMemo(() => ({ left: first.left.device, right: first.right.device }), [first]);
  const column = (side: Side) => {
    const one = first[side];
    return (
      <div role="columnheader" class={`column-head ${side}`}>
        <span class="strong" dir="auto">
          {one.device}
        </span>
        <span class="dim">
          {stretch(one.first, one.last)} · {say.turns(one.messages)}
        </span>
      </div>
    );
  };
  return (
    <div class="comparison">
      {trouble && (
        <Failed
          refusal={trouble}
          again={() => {
            setTrouble(null);
            pages.want(sight.from, sight.to);
          }}
        />
      )}
      <Virtual
        class="diff"
        n={pages.total + before}
        list={session}
        api={scroller}
        estimate={(at) => (at > 0 && at < before ? estimate(common.get(at - 1)) : estimateRow(at - common.n, pages))}
        onSight={(from, to) => {
          const rows = { from: Math.max(0, from - before), to: Math.max(0, to - before) };
          setSight(rows);
          if (from < before) common.want(from - 1, Math.min(to, before) - 1);
          if (to > before) pages.want(rows.from, rows.to);
        }}
        bodyRole="rowgroup"
        head={
          <div role="row" class="diff-head" aria-rowindex={1}>
            {column("left")}
            {column("right")}
          </div>
        }
        attributes={{
          role: "grid",
          "aria-label": say.rows,
          "aria-rowcount": pages.total + before + 1,
          "aria-colcount": 2,
          "aria-activedescendant": mark >= 0 ? `diff-${mark}` : undefined,
          onKeyDown: onKey,
        }}
        row={(at) => {
          if (at === 0) return <Common first={first} isOpen={common.isOpen} toggle={common.toggle} />;
          if (at < before) {
            return (
              <div role="row" class="diff-row common said" aria-rowindex={at + 2}>
                <div role="gridcell" aria-colspan={2} class="common-message">
                  <OneMessage
                    message={common.get(at - 1)}
                    before={common.get(at - 2)}
                    at={at - 1}
                    of={common.n}
                    part={common.part}
                  />
                </div>
              </div>
            );
          }
          const row = pages.row(at - before);
          if (!row)
            return (
              <div class="diff-row waiting" role="row">
                <div role="gridcell" class="cell">
                  <span class="bone" />
                </div>
                <div role="gridcell" class="cell">
                  <span class="bone" />
                </div>
              </div>
            );
          return (
            <DiffRowView
              row={row}
              devices={devices}
              said={said.get(row.i)}
              isOpen={open.has(row.i)}
              isMarked={row.i === mark}
              toggle={toggle}
              mark={setMark}
              part={part}
              before={before}
            />
          );
        }}
      />
      <Ruler kinds={pages.kinds} known={known} sight={sight} jump={(row) => scroller.current?.top(row + before)} />
    </div>
  );
}

/** The messages of the common part, once they are unfolded. */
function useCommon(session: string, branch: string | null, failed: (refusal: Refusal) => void) {
  const { backend } = useShared();
  const [first, setFirst] = useState<DiffCommon | null>(null);
  const [isOpen, setOpen] = useState(false);
  const ask = useCallback(
    async (from: number) =>
      (await backend.roam({ cmd: "diff_common", session, branch, from, rows: MESSAGES })).messages,
    [backend, session, branch],
  );
  const part = useCallback(
    (message: number, part: number) => backend.roam({ cmd: "diff_common_part", session, branch, message, part }),
    [backend, session, branch],
  );
  const { pages, trouble } = usePaged(first?.total ?? 0, first?.messages ?? NONE, ask);
  useEffect(() => {
    if (trouble) failed(trouble);
  }, [trouble]);
  const toggle = () => {
    setOpen(!isOpen);
    if (isOpen || first) return;
    const request = { cmd: "diff_common", session, branch, from: 0, rows: MESSAGES } as const;
    backend.roam(request).then(setFirst, (thrown) => failed(asRefusal(thrown, words.failed.unknown)));
  };
  const n = isOpen ? (first?.total ?? 0) : 0;
  return { n, isOpen, toggle, part, get: (at: number) => pages.get(at), want: pages.want.bind(pages) };
}

function Common({ first, isOpen, toggle }: { first: Diff; isOpen: boolean; toggle: () => void }) {
  return (
    <div role="row" class="diff-row common" aria-rowindex={2}>
      <div role="gridcell" aria-colspan={2} class="common-cell">
        <Icon name={isOpen ? "down" : "right"} size={12} />
        {words.split.common(first.prefix.messages)}
        <button type="button" class="link" aria-expanded={isOpen} onClick={toggle}>
          {words.split.readCommon(isOpen)}
        </button>
      </div>
    </div>
  );
}

function estimateRow(at: number, pages: Pages): number {
  if (at === 0) return 36;
  const row = pages.row(at - 1);
  if (!row) return 96;
  const longest = Math.max(row.left?.preview.length ?? 0, row.right?.preview.length ?? 0);
  return 56 + Math.ceil(longest / 48) * 20;
}

/** Words of changed rows in sight and of opened rows; one request at a time, nearest first. */
function useWords(
  session: string,
  branch: string | null,
  pages: Pages,
  sight: { from: number; to: number },
  open: ReadonlySet<number>,
  known: number,
): ReadonlyMap<number, DiffWords> {
  const { backend } = useShared();
  const [said, setSaid] = useState<ReadonlyMap<number, DiffWords>>(new Map());
  const asked = useRef(new Set<number>());
  useEffect(() => {
    let current = true;
    const wanted: number[] = [...open].filter((row) => !asked.current.has(row));
    for (let row = sight.from; row < sight.to; row++) {
      if (pages.kinds[row] === "changed" && !asked.current.has(row)) wanted.push(row);
    }
    if (wanted.length === 0) return;
    const timer = setTimeout(async () => {
      for (const row of wanted) {
        if (!current) return;
        asked.current.add(row);
        try {
          const answer = await backend.roam({ cmd: "diff_words", session, branch, row });
          setSaid((before) => new Map(before).set(row, answer));
        } catch {
          // The row keeps its first letters; opening it again repeats the request.
          asked.current.delete(row);
          return;
        }
      }
    }, 60);
    return () => {
      current = false;
      clearTimeout(timer);
    };
  }, [session, branch, pages, sight.from, sight.to, open, known]);
  return said;
}
