// A long list loaded page by page as it comes into sight: messages of a transcript. There is one
// request at a time; rows in sight now are requested before rows that were in sight a moment ago.

export const MESSAGES = 100;

export class Paged<T> {
  private readonly items: (T | undefined)[];
  private readonly asked = new Set<number>();
  /** Who waits for a page outside of the rows in sight. */
  private readonly waiting = new Map<number, (() => void)[]>();
  private wanted: number[] = [];
  private busy = false;
  private inFlight: number | undefined;
  private stopped = false;

  constructor(
    public total: number,
    first: T[],
    private readonly ask: (from: number) => Promise<T[]>,
    private readonly changed: () => void,
    private readonly failed: (thrown: unknown) => void,
    private readonly taken: (from: number, items: T[]) => void = () => {},
  ) {
    this.items = new Array(total);
    this.asked.add(0);
    this.take(0, first);
  }

  get(at: number): T | undefined {
    return this.items[at];
  }

  want(from: number, to: number): void {
    const first = Math.floor(Math.max(0, from) / MESSAGES);
    const last = Math.floor(Math.max(0, to - 1) / MESSAGES);
    this.wanted = [];
    for (let page = first; page <= last && page * MESSAGES < this.total; page++) this.wanted.push(page);
    void this.work();
  }

  /** Loads the page of an item; the item may still be missing after a failure. */
  load(at: number): Promise<void> {
    const page = Math.floor(at / MESSAGES);
    const isAnswered = this.asked.has(page) && this.inFlight !== page;
    if (this.items[at] !== undefined || isAnswered || this.stopped) return Promise.resolve();
    return new Promise((resolve) => {
      this.waiting.set(page, [...(this.waiting.get(page) ?? []), resolve]);
      void this.work();
    });
  }

  /** The list is longer now. Its last page was short, or has changed; it is requested again. */
  grow(total: number): void {
    const last = Math.floor(Math.max(0, this.total - 1) / MESSAGES);
    this.total = total;
    this.items.length = total;
    this.asked.delete(last);
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

  private take(page: number, items: T[]): void {
    for (const [n, item] of items.entries()) {
      if (page * MESSAGES + n < this.total) this.items[page * MESSAGES + n] = item;
    }
    this.taken(page * MESSAGES, items);
  }

  private async work(): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    const next = () => [...this.wanted, ...this.waiting.keys()].find((page) => !this.asked.has(page));
    for (let page = next(); page !== undefined && !this.stopped; page = next()) {
      this.asked.add(page);
      this.inFlight = page;
      try {
        this.take(page, await this.ask(page * MESSAGES));
      } catch (thrown) {
        this.asked.delete(page);
        this.answer(page);
        if (!this.stopped) this.failed(thrown);
        break;
      }
      this.inFlight = undefined;
      this.answer(page);
      if (!this.stopped) this.changed();
    }
    this.busy = false;
    this.inFlight = undefined;
  }
}
