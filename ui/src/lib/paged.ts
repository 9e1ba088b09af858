// A long list loaded page by page as it comes into sight: messages of a transcript. There is one
// request at a time; rows in sight now are requested before rows that were in sight a moment ago.

export const MESSAGES = 100;

interface Hearer<T> {
  /** A page arrived. */
  changed: () => void;
  failed: (thrown: unknown) => void;
  taken?: (from: number, items: T[]) => void;
  /** Items are gone or others now; those that stay are passed to `taken` again. */
  renewed?: () => void;
}

export class Paged<T> {
  private items: (T | undefined)[];
  private readonly asked = new Set<number>();
  /** Who waits for a page outside of the rows in sight. */
  private readonly waiting = new Map<number, (() => void)[]>();
  private wanted: number[] = [];
  /** Pages that tell whether the list is still the one that was loaded; from the given item on they may be others
   * anyway. */
  private readonly doubted = new Map<number, number>();
  /** How often the list changed. */
  private changes = 0;
  private busy = false;
  private inFlight: number | undefined;
  private stopped = false;

  constructor(
    public total: number,
    first: T[],
    private readonly ask: (from: number) => Promise<T[]>,
    private readonly hearer: Hearer<T>,
  ) {
    this.items = new Array(total);
    this.asked.add(0);
    this.take(0, first);
  }

  get(at: number): T | undefined {
    return this.items[at];
  }

  want(from: number, to: number): void {
    this.wanted = [];
    for (let page = pageOf(from); page <= pageOf(to - 1); page++) this.wanted.push(page);
    void this.work();
  }

  /** Loads the page of an item; the item may still be missing after a failure. */
  load(at: number): Promise<void> {
    const page = pageOf(at);
    const isAnswered = this.asked.has(page) && this.inFlight !== page;
    if (this.items[at] !== undefined || isAnswered || this.stopped) return Promise.resolve();
    return new Promise((resolve) => {
      this.waiting.set(page, [...(this.waiting.get(page) ?? []), resolve]);
      void this.work();
    });
  }

  /** Requests again what failed. */
  retry(): void {
    void this.work();
  }

  /** The list has changed and has this many items now. Mostly its end did: the last pages that are known are requested
   * again, and if they have other items than before, so may all others. The last item itself may grow in place. */
  follow(total: number): void {
    const [before, shared] = [this.total, Math.min(this.total, total)];
    for (const page of [...this.asked]) if (page >= pageOf(shared - 1)) this.asked.delete(page);
    // One page with something to compare is enough; the last one may have nothing but the last item.
    for (let page = pageOf(shared - 1), rest = 1; page >= 0 && rest > 0; page--) {
      if (this.items[page * MESSAGES] === undefined) continue;
      this.doubt(page, shared - 1);
      rest -= page * MESSAGES < shared - 1 ? 1 : 0;
    }
    this.total = total;
    this.items.length = total;
    this.changes += 1;
    if (total < before) this.renew();
    for (const page of [...this.waiting.keys()]) if (page * MESSAGES >= total) this.answer(page);
    void this.work();
  }

  stop(): void {
    this.stopped = true;
    for (const page of [...this.waiting.keys()]) this.answer(page);
  }

  private answer(page: number): void {
    const waiting = this.waiting.get(page) ?? [];
    this.waiting.delete(page);
    for (const resolve of waiting) resolve();
  }

  private doubt(page: number, end: number): void {
    this.doubted.set(page, Math.min(end, this.doubted.get(page) ?? end));
    this.asked.delete(page);
  }

  private take(page: number, items: T[]): void {
    const from = page * MESSAGES;
    const end = this.doubted.get(page);
    this.doubted.delete(page);
    if (end !== undefined && !this.isContinued(from, end, items)) {
      this.items = new Array(this.total);
      this.asked.clear();
      this.doubted.clear();
      this.asked.add(page);
      this.renew();
    }
    for (const [n, item] of items.entries()) if (from + n < this.total) this.items[from + n] = item;
    this.hearer.taken?.(from, items);
  }

  private isContinued(from: number, end: number, items: readonly T[]): boolean {
    for (let at = from; at < Math.min(end, from + MESSAGES); at++) {
      const [before, now] = [this.items[at], items[at - from]];
      if (before !== undefined && JSON.stringify(before) !== JSON.stringify(now)) return false;
    }
    return true;
  }

  private renew(): void {
    this.hearer.renewed?.();
    for (let from = 0; from < this.total; from += MESSAGES) {
      const items = this.items.slice(from, from + MESSAGES).filter((item) => item !== undefined);
      if (items.length > 0) this.hearer.taken?.(from, items);
    }
  }

  private async work(): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    const next = () =>
      [...this.doubted.keys(), ...this.wanted, ...this.waiting.keys()].find(
        (page) => !this.asked.has(page) && page * MESSAGES < this.total,
      );
    for (let page = next(); page !== undefined && !this.stopped; page = next()) {
      this.asked.add(page);
      this.inFlight = page;
      const changes = this.changes;
      try {
        const items = await this.ask(page * MESSAGES);
        const end = this.doubted.get(page);
        this.take(page, items);
        // Whether it is of before or after the change is not known.
        if (changes !== this.changes) this.doubt(page, end ?? this.total - 1);
      } catch (thrown) {
        this.asked.delete(page);
        this.answer(page);
        if (!this.stopped) this.hearer.failed(thrown);
        break;
      }
      this.inFlight = undefined;
      this.answer(page);
      if (!this.stopped) this.hearer.changed();
    }
    this.busy = false;
    this.inFlight = undefined;
  }
}

function pageOf(at: number): number {
  return Math.floor(Math.max(0, at) / MESSAGES);
}
