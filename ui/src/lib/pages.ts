// The rows of a split, page by page: rows in sight first and with their bodies, then the rest in order with their
// beginnings only, so that the overview beside the columns becomes complete. There is one request at a time.
import type { Diff, DiffRow, RowKind, Side } from "../backend/types";
import { Pairs, type Said } from "./pairs";

/** Rows of a page without bodies. */
export const PAGE = 200;
/** Rows of a page with bodies. */
export const BODIES = 40;
/** Pages of bodies that are kept; the oldest is dropped first. */
const KEPT = 50;
/** What a side has in a row that is the other side's only. */
const NOBODY: Said = { role: "system", parts: [] };
const SIDES = ["left", "right"] as const;

/** What a comparison was made of. Answers of another one number other rows: a side went on, or was decided about. */
export function madeOf({ left, right, total }: Diff): string {
  return [left.branch, left.messages, right.branch, right.messages, total].join(" ");
}

/** The sides that are not what they were. */
export function movedSides(before: Diff, now: Diff): Side[] {
  return SIDES.filter(
    (side) => before[side].branch !== now[side].branch || before[side].messages !== now[side].messages,
  );
}

interface Hearer {
  changed: (from: number, n: number) => void;
  failed: (thrown: unknown) => void;
  /** An answer is of another comparison; nothing more is requested. */
  moved: () => void;
}

export class Pages {
  readonly kinds: (RowKind | undefined)[];
  /** Which result answers which call, on each side; places are rows. */
  readonly pairs: Readonly<Record<Side, Pairs>> = {
    left: new Pairs((i) => this.said("left", i)),
    right: new Pairs((i) => this.said("right", i)),
  };
  private readonly rows: (DiffRow | undefined)[];
  private readonly bodies = new Map<number, DiffRow[]>();
  private readonly asked = new Set<number>();
  private wanted: number[] = [];
  private busy = false;
  private stopped = false;
  private readonly made: string;

  constructor(
    first: Diff,
    private readonly ask: (from: number, rows: number, bodies: boolean) => Promise<Diff>,
    private readonly hearer: Hearer,
    /** Of the comparison before, of which most is the same: shown until it is known better. */
    private former?: Pages,
  ) {
    if (former) former.former = undefined;
    this.made = madeOf(first);
    this.kinds = new Array(first.total);
    this.rows = new Array(first.total);
    this.take(first);
    this.asked.add(0);
  }

  row(i: number): DiffRow | undefined {
    const [body, light] = [this.bodies.get(Math.floor(i / BODIES))?.[i % BODIES], this.rows[i]];
    return body ?? this.formerRow(i) ?? light;
  }

  /** The row of the comparison before, unless another one is known to be there now. */
  private formerRow(i: number): DiffRow | undefined {
    const [former, light] = [this.former?.row(i), this.rows[i]];
    return former && (!light || isSame(light, former)) ? former : undefined;
  }

  /** A row without its bodies. */
  light(i: number): DiffRow | undefined {
    return this.rows[i];
  }

  /** The parts of a side's message; none if the row is the other side's only. */
  said(side: Side, i: number): Said | undefined {
    const row = this.row(i);
    if (!row) return undefined;
    const message = row[side];
    return message ? { role: message.role, parts: message.pieces } : NOBODY;
  }

  /** A side's message consists of results that are shown with their calls. A result that differs although its call is
   * the same stays in sight: it is what the two versions differ in. */
  isElsewhere(side: Side, i: number): boolean {
    const pairs = this.pairs[side];
    if (!pairs.isElsewhere(i)) return false;
    const isSame = this.kinds[i] === "same";
    const parts = this.said(side, i)?.parts ?? [];
    return parts.every((_, part) => {
      const call = pairs.callOf(i, part);
      return call !== undefined && (this.kinds[call.message] === "same") === isSame;
    });
  }

  /** Nothing of the row is left to show. */
  isHidden(i: number): boolean {
    const row = this.rows[i];
    if (!row || (row.left === null && row.right === null)) return false;
    return SIDES.every((side) => row[side] === null || this.isElsewhere(side, i));
  }

  /** The rows with the results of a row's calls. */
  resultsOf(i: number): number[] {
    const rows = SIDES.flatMap((side) =>
      (this.said(side, i)?.parts ?? []).map((_, part) => this.pairs[side].resultOf(i, part)?.message),
    );
    return rows.filter((row) => row !== undefined && row !== i) as number[];
  }

  /** Whether the row's messages are there, not only their beginnings. */
  hasBody(i: number): boolean {
    if (this.bodies.has(Math.floor(i / BODIES))) return true;
    return this.formerRow(i) !== undefined && this.former?.hasBody(i) === true;
  }

  get total(): number {
    return this.rows.length;
  }

  get whole(): boolean {
    return this.asked.size >= Math.ceil(this.total / PAGE) && !this.busy;
  }

  /** Requests these rows before all others. */
  want(rows: Iterable<number>): void {
    const pages = new Set<number>();
    for (const row of rows) if (0 <= row && row < this.total) pages.add(Math.floor(row / BODIES));
    this.wanted = [...pages];
    void this.work();
  }

  /** The next place after or before `from` where the two sides differ: a turn, or the first row that differs after
   * some that do not. Searches only loaded rows. */
  next(from: number, by: 1 | -1): number | null {
    for (let i = from + by; 0 <= i && i < this.total; i += by) if (this.isPlace(i)) return i;
    return null;
  }

  stop(): void {
    this.stopped = true;
  }

  resume(): void {
    if (!this.stopped) return;
    this.stopped = false;
    void this.work();
  }

  private isPlace(i: number): boolean {
    return this.isStart(i) && !this.isHidden(i);
  }

  private isStart(i: number): boolean {
    return this.differs(i) && (!this.differs(i - 1) || this.rows[i]?.turn !== this.rows[i - 1]?.turn);
  }

  private differs(i: number): boolean {
    const kind = this.kinds[i];
    return kind !== undefined && kind !== "same";
  }

  private take(page: Diff): void {
    for (const row of page.rows) {
      this.rows[row.i] = row;
      this.kinds[row.i] = row.kind;
    }
    this.pair(page.rows);
  }

  private pair(rows: readonly DiffRow[]): void {
    const [first] = rows;
    if (!first) return;
    for (const side of SIDES) {
      const said = rows.map((row) => this.said(side, row.i) ?? NOBODY);
      this.pairs[side].add(first.i, said);
    }
  }

  private keep(page: number, rows: DiffRow[]): void {
    this.bodies.delete(page);
    this.bodies.set(page, rows);
    this.pair(rows);
    const [oldest] = this.bodies.keys();
    if (this.bodies.size > KEPT && oldest !== undefined) this.bodies.delete(oldest);
  }

  private nextPage(): { from: number; rows: number; bodies: boolean } | undefined {
    const wanted = this.wanted.find((page) => !this.bodies.has(page));
    if (wanted !== undefined) return { from: wanted * BODIES, rows: BODIES, bodies: true };
    for (let page = 0; page * PAGE < this.total; page++)
      if (!this.asked.has(page)) return { from: page * PAGE, rows: PAGE, bodies: false };
    return undefined;
  }

  private async work(): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    for (let page = this.nextPage(); page !== undefined && !this.stopped; page = this.nextPage()) {
      const { from, rows, bodies } = page;
      if (!bodies) this.asked.add(from / PAGE);
      try {
        const answer = await this.ask(from, rows, bodies);
        if (madeOf(answer) !== this.made) {
          if (!this.stopped) this.hearer.moved();
          this.stop();
          break;
        }
        if (bodies) this.keep(from / BODIES, answer.rows);
        else this.take(answer);
      } catch (thrown) {
        if (!bodies) this.asked.delete(from / PAGE);
        if (!this.stopped) this.hearer.failed(thrown);
        break;
      }
      if (!this.stopped) this.hearer.changed(from, rows);
    }
    this.busy = false;
  }
}

function isSame(one: DiffRow, other: DiffRow): boolean {
  return one.kind === other.kind && SIDES.every((side) => one[side]?.key === other[side]?.key);
}
