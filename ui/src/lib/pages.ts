// The rows of a split, page by page: rows in sight first, then the rest in order, so that the
// overview beside the columns becomes complete. There is one request at a time.
import type { Diff, DiffRow, RowKind } from "../backend/types";

export const PAGE = 200;

export class Pages {
  readonly kinds: (RowKind | undefined)[];
  private readonly rows: (DiffRow | undefined)[];
  private wanted: number[] = [];
  private readonly asked = new Set<number>();
  private busy = false;
  private stopped = false;

  constructor(
    first: Diff,
    private readonly ask: (from: number) => Promise<Diff>,
    private readonly changed: (from: number) => void,
    private readonly failed: (thrown: unknown) => void,
  ) {
    this.kinds = new Array(first.total);
    this.rows = new Array(first.total);
    this.take(first);
    this.asked.add(0);
  }

  row(i: number): DiffRow | undefined {
    return this.rows[i];
  }

  get total(): number {
    return this.rows.length;
  }

  get whole(): boolean {
    return this.asked.size >= Math.ceil(this.total / PAGE) && !this.busy;
  }

  /** Requests the rows in sight before all others. */
  want(from: number, to: number): void {
    const pages: number[] = [];
    for (let page = Math.floor(from / PAGE); page <= Math.floor(Math.max(from, to - 1) / PAGE); page++) {
      if (page * PAGE < this.total && !this.asked.has(page)) pages.push(page);
    }
    this.wanted = pages;
    void this.work();
  }

  /** The next row after or before `from` that is not the same on both sides; searches only loaded
   * rows. */
  next(from: number, by: 1 | -1): number | null {
    let i = from + by;
    // Adjacent differing rows are one difference: leave the stretch first.
    while (i >= 0 && i < this.total && this.differs(i) && this.differs(i - by)) i += by;
    while (i >= 0 && i < this.total && !this.differs(i)) i += by;
    if (i < 0 || i >= this.total) return null;
    // Going back ends at the first row of the stretch.
    if (by < 0) while (i > 0 && this.differs(i - 1)) i -= 1;
    return i;
  }

  stop(): void {
    this.stopped = true;
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
  }

  private nextPage(): number | undefined {
    const wanted = this.wanted.find((page) => !this.asked.has(page));
    if (wanted !== undefined) return wanted;
    for (let page = 0; page * PAGE < this.total; page++) if (!this.asked.has(page)) return page;
    return undefined;
  }

  private async work(): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    for (let page = this.nextPage(); page !== undefined && !this.stopped; page = this.nextPage()) {
      this.asked.add(page);
      try {
        this.take(await this.ask(page * PAGE));
      } catch (thrown) {
        this.asked.delete(page);
        this.failed(thrown);
        break;
      }
      if (!this.stopped) this.changed(page * PAGE);
    }
    this.busy = false;
  }
}
