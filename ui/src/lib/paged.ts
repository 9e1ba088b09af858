// A long list loaded page by page as it comes into sight: messages of a transcript. There is one
// request at a time; rows in sight now are requested before rows that were in sight a moment ago.

export const MESSAGES = 100;

export class Paged<T> {
  private readonly items: (T | undefined)[];
  private readonly asked = new Set<number>([0]);
  private wanted: number[] = [];
  private busy = false;
  private stopped = false;

  constructor(
    readonly total: number,
    first: T[],
    private readonly ask: (from: number) => Promise<T[]>,
    private readonly changed: () => void,
    private readonly failed: (thrown: unknown) => void,
  ) {
    this.items = new Array(total);
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

  stop(): void {
    this.stopped = true;
  }

  private take(page: number, items: T[]): void {
    for (const [n, item] of items.entries()) this.items[page * MESSAGES + n] = item;
  }

  private async work(): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    const next = () => this.wanted.find((page) => !this.asked.has(page));
    for (let page = next(); page !== undefined && !this.stopped; page = next()) {
      this.asked.add(page);
      try {
        this.take(page, await this.ask(page * MESSAGES));
      } catch (thrown) {
        this.asked.delete(page);
        if (!this.stopped) this.failed(thrown);
        break;
      }
      if (!this.stopped) this.changed();
    }
    this.busy = false;
  }
}
