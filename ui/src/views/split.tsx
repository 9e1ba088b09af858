// The split window: two columns aligned by turn, or all messages by time; the common part folded to one row; the
// decision below.
import { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { asRefusal, Refusal } from "../backend/backend";
import type {
  Action,
  BranchRow,
  Diff,
  DiffCommon,
  DiffRow,
  DiffWords,
  Message,
  Msg,
  RowKind,
  Side,
  SplitRow,
} from "../backend/types";
import { byTime, type Entry } from "../lib/by-time";
import { ago, projectName, shortened, stretch } from "../lib/format";
import { oneOf, useKept } from "../lib/kept";
import { MESSAGES } from "../lib/paged";
import { madeOf, movedSides, PAGE, Pages } from "../lib/pages";
import { toldApart } from "../lib/sides";
import { each, inSlices } from "../lib/slices";
import { Button, Empty, FirstFocus, IconButton, Refused, Skeleton } from "../parts/common";
import { Decision, type DecisionProps } from "../parts/decision";
import { DiffRowView, EntryView, isFollowing, type RowPart } from "../parts/diff-row";
import { Icon } from "../parts/icon";
import { type Joined, joined, useKeyed } from "../parts/joined";
import { Unfolded } from "../parts/reading";
import { Ruler } from "../parts/ruler";
import { estimate, OneMessage, usePaged, useRows } from "../parts/transcript";
import { Trouble } from "../parts/trouble";
import { useUndo } from "../parts/undo";
import { type Scroller, Virtual } from "../parts/virtual";
import { go, link } from "../route";
import { useAnswer, useDoing, useKeys, useNow, useRested, useShared } from "../state";
import { words } from "../words";

const ORDERS = ["turns", "time"] as const;
type Order = (typeof ORDERS)[number];
const isOrder = oneOf<Order>(...ORDERS);

export function SplitView({ session, alone }: { session: string; alone: boolean }) {
  const { backend, revision, tools, tell, showKeys } = useShared();
  const [pair, setPair] = useState<Pair>(OWN);
  const { branch, beside } = pair;
  const [turn, setTurn] = useState(0);
  const compareAgain = useCallback(() => setTurn((before) => before + 1), []);
  const [order, setOrder] = useKept<Order>("device", "split.order", "turns", isOrder);
  const request = { cmd: "diff", session, ...pair, from: 0, rows: PAGE, choices: false, bodies: false } as const;
  const first = useAnswer(request, turn);
  const splits = useAnswer({ cmd: "splits" }, turn * 100_000 + revision);
  const { busy, refusal, act } = useDoing();
  const [decided, setDecided] = useState<string | null>(null);
  // Other versions are another comparison; the same ones that went on are not.
  const [chosen, setChosen] = useState(0);
  const choose = (next: Pair) => {
    setPair(next);
    setChosen(chosen + 1);
  };
  const last = useUndo(session, turn * 200_000 + revision * 2 + (decided === null ? 0 : 1));
  const say = words.split;
  const diff = useMemo(() => first.answer && toldApart(first.answer), [first.answer]);
  const split = splits.answer?.find((one) => one.session === session);
  useFollowedPair(split, pair, setPair);
  const moved = useMoved(session, pair, decided === null ? diff : undefined, compareAgain);
  // Nothing is written before the user chooses which version has the session.
  const isAsked = diff?.class === "C";

  const undo = async () => {
    const done = await last.undo();
    if (!done) return;
    setDecided(null);
    compareAgain();
    tell(done.kind === "choice" ? say.undone : done.message);
  };
  const take = async (choice: Action, active: Side | null) => {
    // What is put away is what was shown, and nothing that came since.
    const away = choice === "keep-left" ? "right" : choice === "keep-right" ? "left" : null;
    if (away && diff) {
      const now = await act(() => moved.ask());
      if (!now) return;
      if (movedSides(diff, now).includes(away)) {
        tell(say.movedMeanwhile(diff[away].device));
        return compareAgain();
      }
    }
    const other = beside === null ? {} : { beside };
    const done = await act(() => backend.roam({ cmd: "resolve", session, choice, branch, ...other, active }));
    if (!done) return;
    const message = diff && beside === null && say.decided[choice]?.(diff.left.device, diff.right.device);
    setDecided(message || done.message);
  };
  const accept = async () => {
    const done = await act(() => backend.roam({ cmd: "release", what: `session:${session}` }));
    if (done) setDecided(done.message);
  };
  // Decided on another device meanwhile: the split was listed before and is not any more.
  const listedIn = useRef(-1);
  if (split) listedIn.current = turn;
  const isSettled = listedIn.current === turn && splits.phase === "ready" && !split && decided === null;
  const isGone = isSettled || (first.phase === "failed" && first.refusal.code === "no_split");
  // A chosen version that went on has another name; it is followed as soon as the list is there.
  const isFollowed = first.phase === "failed" && first.refusal.code === "unknown_branch" && pair !== OWN;
  const isFailed = first.phase === "failed" && !isGone && !isFollowed;
  useKeys({
    // Only what a button names is undone.
    "Mod+z": () => {
      if (decided !== null || isGone) void undo();
    },
    t: () => setOrder(order === "turns" ? "time" : "turns"),
  });

  const known = diff ?? split;
  const title = known
    ? known.title || words.session.untitled
    : isGone
      ? words.views.splits
      : isFailed
        ? say.failedTitle
        : say.loading;
  return (
    <div class="split">
      <header class="split-head">
        {!alone && <IconButton icon="back" name={say.back} onClick={() => go("splits")} />}
        <div class="split-title">
          <h1 dir="auto" title={title}>
            {title}
          </h1>
          <p class="dim" dir="auto">
            {known ? shortened(tools.get(known.tool)?.name ?? known.tool, 48) : " "}
            {split ? ` · ${projectName(split.project)}` : ""}
          </p>
        </div>
        {diff && !isGone && <Orders order={order} choose={setOrder} />}
        <IconButton icon="keys" name={say.help} onClick={showKeys} />
      </header>
      {split && split.branches.length > 2 && !isGone && <Versions split={split} pair={pair} choose={choose} />}
      {(first.phase === "loading" || (isFollowed && !diff)) && <Skeleton rows={6} label={say.loading} tall />}
      {isGone && (
        <Empty icon="done" title={say.gone} why={say.goneWhy}>
          {last.label && (
            <Button icon="undo" busy={last.busy} onClick={() => void undo()}>
              {last.label}
            </Button>
          )}
          <a class="button" href={link("sessions", session)}>
            {say.toSession}
          </a>
        </Empty>
      )}
      {isFailed && <Trouble title={say.failed} refusal={first.refusal} again={first.again} />}
      {diff && !isGone && moved.now && decided === null && (
        <p class="comparison-note" role="status" dir="auto">
          <Icon name="live" size={12} /> {say.moved(movedSides(diff, moved.now).map((side) => diff[side].device))}
          <Button kind="quiet" onClick={compareAgain}>
            {say.compareAgain}
          </Button>
        </p>
      )}
      {diff && !isGone && (
        <Comparison
          key={chosen}
          first={diff}
          pair={pair}
          order={order}
          isStale={moved.now !== null}
          moved={compareAgain}
        />
      )}
      {diff && !isGone && decided === null && beside !== null && isAsked && (
        <footer class="decision">
          <p class="now" dir="auto">
            {say.onlyCompared(diff.left.device, diff.right.device)}
          </p>
          <div class="row-of-buttons">
            {[beside, branch].map((one, at) => (
              <Button key={one} onClick={() => choose({ beside: null, branch: one })}>
                {say.toDecide(
                  split?.branches[0]?.device ?? words.overview.here,
                  at === 0 ? diff.left.device : diff.right.device,
                )}
              </Button>
            ))}
          </div>
        </footer>
      )}
      {diff?.rewrite && !isGone && decided === null && (
        <footer class="decision">
          <p class="now" dir="auto">
            {say.rewritten(diff.left.device, diff.right.device)}
          </p>
          <Refused refusal={refusal} />
          <div class="row-of-buttons">
            <Button busy={busy} onClick={() => void accept()}>
              {say.acceptRewrite(diff.right.device)}
            </Button>
            <a class="button" href={link("sessions", session)}>
              {say.toSession}
            </a>
          </div>
        </footer>
      )}
      {diff &&
        !isGone &&
        (decided !== null || !(diff.rewrite || (beside !== null && isAsked))) &&
        (decided === null ? (
          <Offered
            session={session}
            pair={pair}
            turn={turn}
            left={diff.left}
            right={diff.right}
            title={diff.title || words.session.untitled}
            tool={shortened(tools.get(diff.tool)?.name ?? diff.tool, 36)}
            common={diff.prefix.messages}
            isOpen={isAsked}
            isBeside={beside !== null}
            others={othersOf(split, diff)}
            now={
              beside !== null
                ? say.nowBeside(diff.left.device, diff.right.device)
                : isAsked
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
            label={last.label}
            busy={last.busy}
            refusal={last.refusal}
            clear={last.clear}
            undo={() => void undo()}
            session={session}
          />
        ))}
    </div>
  );
}

/** How often a comparison is looked at again, and how long a side must rest before it is compared again by itself. */
const LOOK_REST = 3_000;
const LONG_LOOK_REST = 30_000;
const LONG_SIDES = 20_000_000;

/** The comparison as it is now, where a side went on since it was shown. One that rests is compared again. */
function useMoved(session: string, pair: Pair, shown: Diff | undefined, compareAgain: () => void) {
  const { backend, revision } = useShared();
  const isLong = (shown ? shown.left.bytes + shown.right.bytes : 0) > LONG_SIDES;
  const pace = isLong ? LONG_LOOK_REST : LOOK_REST;
  const rested = useRested(revision, pace);
  const [now, setNow] = useState<{ shown: Diff; now: Diff } | null>(null);
  const ask = useCallback(
    () => backend.roam({ cmd: "diff", session, ...pair, from: 0, rows: 0, choices: false, bodies: false }),
    [backend, session, pair],
  );
  // Other refusals are shown with what is asked for next.
  const isRenamed = (thrown: unknown) => {
    if (asRefusal(thrown, "").code === "unknown_branch") compareAgain();
  };
  const looked = useRef(rested);
  useEffect(() => {
    if (!shown || rested === looked.current) return;
    looked.current = rested;
    const hear = (now: Diff) => setNow(madeOf(now) === madeOf(shown) ? null : { shown, now });
    ask().then(hear, isRenamed);
  }, [rested, shown, ask]);
  const moved = now !== null && now.shown === shown ? now.now : null;
  useEffect(() => {
    if (!moved || !shown) return;
    const hear = (next: Diff) => {
      if (madeOf(next) === madeOf(moved)) compareAgain();
      else setNow({ shown, now: next });
    };
    const timer = setTimeout(() => ask().then(hear, isRenamed), pace);
    return () => clearTimeout(timer);
  }, [moved, shown, ask, pace, compareAgain]);
  return { now: moved, ask };
}

/** A version that goes on has another end, and is named by it: the chosen ones are followed by their device and their
 * session. */
function useFollowedPair(split: SplitRow | undefined, pair: Pair, choose: (pair: Pair) => void): void {
  const known = useRef(new Map<string, BranchRow>());
  useEffect(() => {
    if (!split) return;
    const find = (branch: string | null) => {
      if (branch === null || split.branches.some((one) => one.branch === branch)) return branch;
      const before = known.current.get(branch);
      const is = (one: BranchRow) => one.device === before?.device && one.session === before.session;
      return split.branches.find(is)?.branch ?? null;
    };
    const next = { branch: find(pair.branch), beside: find(pair.beside) };
    for (const one of split.branches) known.current.set(one.branch, one);
    const isLost = (pair.branch !== null && next.branch === null) || (pair.beside !== null && next.beside === null);
    if (isLost) choose(OWN);
    else if (next.branch !== pair.branch || next.beside !== pair.beside) choose(next);
  }, [split, pair, choose]);
}

/** The devices whose versions are not compared now. */
function othersOf(split: SplitRow | undefined, diff: Diff): string[] {
  const compared = [diff.left.branch, diff.right.branch];
  const others = split?.branches.filter((one) => !compared.includes(one.branch)) ?? [];
  return others.map((one) => one.device);
}

function Orders({ order, choose }: { order: Order; choose: (order: Order) => void }) {
  const say = words.split;
  return (
    <fieldset class="segments">
      <legend class="visually-hidden">{say.order}</legend>
      {ORDERS.map((one) => (
        <label key={one} class="segment">
          <input type="radio" name="order" checked={order === one} onChange={() => choose(one)} />
          <span>{say.orders[one]}</span>
        </label>
      ))}
    </fieldset>
  );
}

/** Which two versions are compared; without `beside`, the session's own is the left one. */
interface Pair {
  branch: string | null;
  beside: string | null;
}

const OWN: Pair = { branch: null, beside: null };

/** With three versions and more: which two are compared, by device and time. */
function Versions({ split, pair, choose }: { split: SplitRow; pair: Pair; choose: (pair: Pair) => void }) {
  const now = useNow();
  const { branches } = split;
  const say = words.split;
  const [own] = branches;
  const chosen = [pair.beside ?? own?.branch, pair.branch ?? branches[1]?.branch];
  const pick = (at: 0 | 1, branch: string) => {
    const next = [...chosen];
    // The one that is taken from the other side leaves its own there.
    if (next[1 - at] === branch) next[1 - at] = chosen[at];
    next[at] = branch;
    // The session's own version stands left, wherever it was chosen.
    const [left, right] = next[1] === own?.branch ? [next[1], next[0]] : next;
    choose({ beside: left === own?.branch ? null : (left ?? null), branch: right ?? null });
  };
  const one = (at: 0 | 1, name: string) => (
    <select
      class="select"
      aria-label={name}
      value={chosen[at]}
      onChange={(event) => pick(at, event.currentTarget.value)}
    >
      {branches.map((branch: BranchRow) => (
        <option key={branch.branch} value={branch.branch}>
          {`${shortened(branch.device, 36)} · ${ago(branch.updated, now)}`}
        </option>
      ))}
    </select>
  );
  return (
    <div class="versions" role="group" aria-label={say.compare}>
      <span class="dim">{say.compare}</span>
      {one(0, say.first)}
      <span class="versions-other">
        <span class="dim">{say.with}</span>
        {one(1, say.second)}
      </span>
    </div>
  );
}

/** The choices are known later than the rows: whether two branches can be joined requires reading
 * both whole. */
function Offered({
  session,
  pair,
  turn,
  ...rest
}: { session: string; pair: Pair; turn: number } & Omit<DecisionProps, "choices" | "sides">) {
  const request = { cmd: "diff", session, ...pair, from: 0, rows: 0, choices: true, bodies: false } as const;
  const asked = useAnswer(request, turn);
  if (asked.phase === "failed") {
    return (
      <footer class="decision">
        <Trouble title={words.split.failedChoices} refusal={asked.refusal} again={asked.again} />
      </footer>
    );
  }
  const told = asked.answer && toldApart(asked.answer);
  const sides = told ? [told.left, told.right] : [];
  return <Decision choices={asked.answer?.choices ?? null} sides={sides} {...rest} />;
}

function Decided({
  message,
  label,
  busy,
  refusal,
  clear,
  undo,
  session,
}: {
  message: string;
  label: string | null;
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
      <Refused refusal={refusal} clear={clear} />
      <FirstFocus class="row-of-buttons" key={String(label !== null)}>
        {label && (
          <Button icon="undo" busy={busy} onClick={undo}>
            {label}
          </Button>
        )}
        <a class="button" href={link("sessions", session)}>
          {words.split.toSession}
        </a>
      </FirstFocus>
    </footer>
  );
}

const NONE: Message[] = [];

interface ComparisonProps {
  first: Diff;
  pair: Pair;
  order: Order;
  /** A side went on: what is shown stays, and nothing more of it is requested. */
  isStale: boolean;
  moved: () => void;
}

/** Row 0 represents the common part, which unfolds below it; the other rows follow. */
function Comparison({ first, pair, order, isStale, moved }: ComparisonProps) {
  const { backend, tell } = useShared();
  const [known, setKnown] = useState(0);
  const [trouble, setTrouble] = useState<Refusal | null>(null);
  const [mark, setMark] = useState(-1);
  const [sight, setSight] = useState({ from: 0, to: 1 });
  const scroller = useRef<Scroller>(null);
  const { session } = first;
  const say = words.split;

  const later = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const resting = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const draw = useCallback(() => {
    clearTimeout(later.current);
    later.current = undefined;
    setKnown((before) => before + 1);
  }, []);
  const inSight = useRef<(row: number) => boolean>(() => true);
  const made = madeOf(first);
  const former = useRef<Pages | undefined>(undefined);
  const pages = useMemo(() => {
    const ask = (from: number, rows: number, bodies: boolean) =>
      backend.roam({ cmd: "diff", session, ...pair, from, rows, choices: false, bodies });
    const hearer = {
      changed: (from: number, n: number) => {
        let isSeen = false;
        for (let row = from; row < from + n && !isSeen; row++) isSeen = inSight.current(row);
        // A page out of sight only changes the overview, which may wait a little.
        if (isSeen) draw();
        else later.current ??= setTimeout(draw, 250);
      },
      failed: (thrown: unknown) => {
        const refusal = asRefusal(thrown, words.failed.unknown);
        if (refusal.code === "unknown_branch") moved();
        else setTrouble(refusal);
      },
      moved,
    };
    former.current = new Pages(first, ask, hearer, former.current);
    return former.current;
  }, [made, pair]);
  useEffect(() => {
    if (isStale) pages.stop();
    else pages.resume();
  }, [pages, isStale, first]);
  useEffect(() => {
    pages.want(wanted(sight.from, Math.max(sight.to, 1)));
    return () => {
      pages.stop();
      clearTimeout(later.current);
      clearTimeout(resting.current);
    };
  }, [pages]);
  const entries = useEntries(pages, order);
  const n = entries ? entries.length : pages.total;
  const rowOf = (at: number) => (entries ? (entries[at]?.row ?? 0) : at);
  inSight.current = (row) => {
    if (!entries) return row < sight.to && sight.from <= row;
    return entries.slice(sight.from, sight.to).some((entry) => entry.row === row);
  };
  const said = useWords(session, pair, pages, order === "turns" && !isStale ? sight : NOTHING, known);
  const common = useCommon(session, pair, (thrown) => setTrouble(thrown));
  // Rows have other numbers now.
  const stale = useRef(isStale);
  stale.current = isStale;
  // The number of rows above those of the comparison.
  const before = 1 + common.n;
  const part = useCallback<RowPart>(
    (row, side, number) =>
      stale.current
        ? Promise.reject(new Refusal({ code: "moved", ...say.partMoved }))
        : backend.roam({ cmd: "diff_part", session, ...pair, row, side, part: number }),
    [backend, session, pair],
  );
  const cell = useKeyed<string, Joined>(
    (place) => {
      const side = place.startsWith("left") ? "left" : "right";
      const made = joined(
        Number(place.slice(side.length)),
        (row) => pages.said(side, row),
        pages.pairs[side],
        (row, number) => part(row, side, number),
      );
      // A result that is shown in a row of its own is not missing there.
      const isElsewhere = made.value.isElsewhere && pages.isElsewhere(side, Number(place.slice(side.length)));
      const elsewhere = made.value.isElsewhere && !isElsewhere ? NOWHERE : made.value.elsewhere;
      return { key: [...made.key, isElsewhere], value: { ...made.value, isElsewhere, elsewhere } };
    },
    [pages, part, known],
  );
  const wanted = (from: number, to: number) => {
    const rows: number[] = [];
    for (let at = Math.max(0, from); at < Math.min(to, n); at++) rows.push(rowOf(at), ...pages.resultsOf(rowOf(at)));
    return rows;
  };

  const rowsAbove = useRef(before);
  rowsAbove.current = before;
  const reveal = useCallback((row: number) => {
    setMark(row);
    scroller.current?.reveal(row + rowsAbove.current, 80);
    scroller.current?.focus();
  }, []);
  useEffect(() => setMark(-1), [order]);
  const kinds = useMemo(() => (entries ? kindsOf(entries, pages.kinds) : pages.kinds), [entries, pages]);
  const next = (from: number, by: 1 | -1): number | null => {
    if (!entries) return pages.next(from, by);
    for (let at = from + by; 0 <= at && at < entries.length; at += by) if (isHandover(entries, at)) return at;
    return null;
  };
  const step = (by: 1 | -1) => {
    const from = mark < 0 && by > 0 ? sight.from - 1 : mark;
    const to = next(Math.max(-1, from), by);
    if (to !== null) reveal(to);
    else tell(!pages.whole && by > 0 ? say.loadingRows : by > 0 ? say.noNext : say.noPrevious);
  };
  const move = (to: number) => {
    const by = to < mark || to >= n ? -1 : 1;
    let at = Math.max(0, Math.min(to, n - 1));
    while (!entries && 0 <= at && at < n && pages.isHidden(at)) at += by;
    if (0 <= at && at < n) reveal(at);
  };
  useKeys({ n: () => step(1), p: () => step(-1) });
  const onKey = (event: KeyboardEvent) => {
    if (event.target !== event.currentTarget || event.ctrlKey || event.metaKey || event.altKey) return;
    const moves: Record<string, number> = {
      ArrowDown: mark + 1,
      ArrowUp: mark - 1,
      Home: 0,
      End: n - 1,
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
      toggleFolds(document.getElementById(`diff-${mark}`));
    }
  };

  const devices = useMemo(() => ({ left: first.left.device, right: first.right.device }), [first]);
  const column = (side: Side) => {
    const one = first[side];
    return (
      <div role="columnheader" class={`column-head ${side}`}>
        <span class="strong" dir="auto" title={one.device}>
          {shortened(one.device, 48)}
        </span>
        <span class="dim">
          {stretch(one.first, one.last)} · {say.turns(one.turns, one.messages)}
        </span>
      </div>
    );
  };
  const oneRow = (at: number) => {
    const entry = entries?.[at];
    const row = pages.row(rowOf(at));
    if (!row) return <WaitingRow />;
    const isWhole = pages.hasBody(row.i);
    const above = at > 0 ? pages.light(rowOf(at - 1)) : undefined;
    if (entries && entry)
      return (
        <EntryView
          row={row}
          side={entry.side}
          at={at}
          devices={devices}
          isWhole={isWhole}
          isMarked={at === mark}
          mark={setMark}
          part={part}
          before={before}
          joined={cell(`${entry.side === "right" ? "right" : "left"}${row.i}`)}
          isHandover={isHandover(entries, at)}
          follows={!isHandover(entries, at) && isFollowing(of(row, entry.side), of(above, entries[at - 1]?.side))}
        />
      );
    if (pages.isHidden(row.i)) return <span hidden />;
    const isStart = row.turn > 0 && pages.light(row.i - 1)?.turn !== row.turn;
    return (
      <DiffRowView
        row={row}
        devices={devices}
        said={said.get(row.i)}
        isWhole={isWhole}
        isStart={isStart}
        leftFollows={!isStart && isFollowing(row.left, above?.left)}
        rightFollows={!isStart && isFollowing(row.right, above?.right)}
        isMarked={row.i === mark}
        mark={setMark}
        part={part}
        before={before}
        left={cell(`left${row.i}`)}
        right={cell(`right${row.i}`)}
      />
    );
  };
  const isWaiting = order === "time" && !entries;
  const unfolded = useRef(new Set<string>());
  return (
    <Unfolded.Provider value={unfolded.current}>
      <div class="comparison">
        {trouble && (
          <Trouble
            title={say.failedRows}
            refusal={trouble}
            again={() => {
              setTrouble(null);
              pages.want(wanted(sight.from, sight.to));
              common.retry();
            }}
          />
        )}
        {isWaiting && (
          <p class="comparison-note dim" role="status">
            {say.loadingAll}
          </p>
        )}
        <Virtual
          class="diff"
          n={n + before}
          list={`${session} ${entries ? "time" : "turns"}`}
          api={scroller}
          around={4}
          estimate={(at) =>
            at === 0
              ? 36
              : at < before
                ? estimate(common.get(at - 1))
                : estimateRow(pages, rowOf(at - before), !entries)
          }
          onSight={(from, to) => {
            const rows = { from: Math.max(0, from - before), to: Math.max(0, to - before) };
            setSight(rows);
            if (from < before) common.want(from - 1, Math.min(to, before) - 1);
            if (to <= before) return;
            // What only flies by is not read: its bodies are not fetched.
            clearTimeout(resting.current);
            resting.current = setTimeout(() => pages.want(wanted(rows.from, rows.to)), RESTING);
          }}
          bodyRole="rowgroup"
          head={
            <div role="row" class={entries ? "diff-head one" : "diff-head"} aria-rowindex={1}>
              {column("left")}
              {column("right")}
            </div>
          }
          attributes={{
            role: "grid",
            "aria-label": entries ? say.entries : say.rows,
            "aria-rowcount": n + before + 1,
            "aria-colcount": 2,
            "aria-activedescendant": mark >= 0 ? `diff-${mark}` : undefined,
            onKeyDown: onKey,
          }}
          row={(at) => {
            if (at === 0) return <Common first={first} isOpen={common.isOpen} toggle={common.toggle} />;
            if (before <= at) return oneRow(at - before);
            return (
              <div role="row" class="diff-row unfolded" aria-rowindex={at + 2}>
                <div role="gridcell" aria-colspan={2} class="common-message">
                  <OneMessage
                    message={common.get(at - 1)}
                    before={common.get(at - 2)}
                    at={at - 1}
                    of={common.n}
                    part={common.part}
                    {...common.rows(at - 1)}
                  />
                </div>
              </div>
            );
          }}
        />
        <Ruler kinds={kinds} known={known} sight={sight} jump={(row) => scroller.current?.top(row + before)} />
      </div>
    </Unfolded.Provider>
  );
}

const NOTHING = { from: 0, to: 0 };
const NOWHERE: ReadonlySet<number> = new Set();
/** Milliseconds that rows stay in sight before their bodies are fetched. */
const RESTING = 60;

/** All messages by time, as soon as all rows are known. */
function useEntries(pages: Pages, order: Order): Entry[] | null {
  const isReady = order === "time" && pages.whole;
  const [found, setFound] = useState<{ pages: Pages; entries: Entry[] } | null>(null);
  const isFound = found?.pages === pages;
  // Before the next frame if there is little to order.
  useLayoutEffect(() => {
    if (!isReady || isFound) return;
    function* steps() {
      const rows: DiffRow[] = [];
      for (let row = 0; row < pages.total; row++) {
        const light = pages.light(row);
        if (light) rows.push(light);
      }
      const all = yield* byTime(rows);
      const entries: Entry[] = [];
      yield* each(all.length, (at) => {
        const entry = all[at]!;
        if (!pages.isElsewhere(entry.side === "right" ? "right" : "left", entry.row)) entries.push(entry);
      });
      setFound({ pages, entries });
    }
    return inSlices(steps());
  }, [pages, isReady, isFound]);
  return isReady && isFound ? found.entries : null;
}

function isHandover(entries: readonly Entry[], at: number): boolean {
  return at === 0 || entries[at - 1]?.side !== entries[at]?.side;
}

function of(row: DiffRow | undefined, side: Side | "both" | undefined): Msg | null {
  return row?.[side === "right" ? "right" : "left"] ?? null;
}

/** The kinds of the entries, for the overview: on which side each message is. */
function kindsOf(entries: readonly Entry[], kinds: readonly (RowKind | undefined)[]): (RowKind | undefined)[] {
  return entries.map(({ row, side }) => (side === "both" ? kinds[row] : side));
}

/** Opens everything that is folded in a row, or closes it if all is open. */
function toggleFolds(row: HTMLElement | null): void {
  const folds = [...(row?.querySelectorAll("details") ?? [])];
  const isAnyClosed = folds.some((fold) => !fold.open);
  for (const fold of folds) fold.open = isAnyClosed;
}

function WaitingRow() {
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
}

/** The messages of the common part, once they are unfolded. */
function useCommon(session: string, pair: Pair, failed: (refusal: Refusal) => void) {
  const { backend } = useShared();
  const [first, setFirst] = useState<DiffCommon | null>(null);
  const [isOpen, setOpen] = useState(false);
  const ask = useCallback(
    async (from: number) =>
      (await backend.roam({ cmd: "diff_common", session, ...pair, from, rows: MESSAGES })).messages,
    [backend, session, pair],
  );
  const part = useCallback(
    (message: number, part: number) => backend.roam({ cmd: "diff_common_part", session, ...pair, message, part }),
    [backend, session, pair],
  );
  const { pages, pairs, version, trouble, again } = usePaged(first?.total ?? 0, first?.messages ?? NONE, ask);
  const rows = useRows(pages, pairs, part, version);
  useEffect(() => {
    if (trouble) failed(trouble);
  }, [trouble]);
  const begin = () => {
    const request = { cmd: "diff_common", session, ...pair, from: 0, rows: MESSAGES } as const;
    backend.roam(request).then(setFirst, (thrown) => failed(asRefusal(thrown, words.failed.unknown)));
  };
  const toggle = () => {
    setOpen(!isOpen);
    if (!isOpen && !first) begin();
  };
  const retry = () => {
    if (first) again();
    else if (isOpen) begin();
  };
  const n = isOpen ? (first?.total ?? 0) : 0;
  return { n, isOpen, toggle, retry, part, rows, get: (at: number) => pages.get(at), want: pages.want.bind(pages) };
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

/** Accurate enough that the scroll bar does not jump. */
function estimateRow(pages: Pages, i: number, isRow: boolean): number {
  const row = pages.row(i);
  if (!row) return 96;
  if (isRow && pages.isHidden(i)) return 0;
  const one = (message: DiffRow["left"]) => {
    if (!message) return 0;
    const bytes = message.parts.reduce((sum, [kind, bytes]) => sum + (kind === "text" ? Math.min(bytes, 8192) : 0), 0);
    return 52 + Math.ceil(bytes / 52) * 21 + message.parts.filter(([kind]) => kind !== "text").length * 30;
  };
  return Math.max(one(row.left), one(row.right));
}

/** Words of changed rows in sight; one request at a time, nearest first. */
function useWords(
  session: string,
  pair: Pair,
  pages: Pages,
  sight: { from: number; to: number },
  known: number,
): ReadonlyMap<number, DiffWords> {
  const { backend } = useShared();
  const [said, setSaid] = useState<{ pages: Pages; rows: ReadonlyMap<number, DiffWords> }>({ pages, rows: NO_WORDS });
  const asked = useRef({ pages, rows: new Set<number>() });
  if (asked.current.pages !== pages) asked.current = { pages, rows: new Set() };
  useEffect(() => {
    let current = true;
    const wanted: number[] = [];
    for (let row = sight.from; row < sight.to; row++) {
      if (pages.kinds[row] === "changed" && !asked.current.rows.has(row)) wanted.push(row);
    }
    if (wanted.length === 0) return;
    const timer = setTimeout(async () => {
      for (const row of wanted) {
        if (!current) return;
        asked.current.rows.add(row);
        try {
          const answer = await backend.roam({ cmd: "diff_words", session, ...pair, row });
          setSaid((before) => ({ pages, rows: new Map(before.pages === pages ? before.rows : []).set(row, answer) }));
        } catch {
          // The row keeps its text without marks; coming back to it repeats the request.
          asked.current.rows.delete(row);
          return;
        }
      }
    }, 60);
    return () => {
      current = false;
      clearTimeout(timer);
    };
  }, [session, pair, pages, sight.from, sight.to, known]);
  return said.pages === pages ? said.rows : NO_WORDS;
}

const NO_WORDS: ReadonlyMap<number, DiffWords> = new Map();
