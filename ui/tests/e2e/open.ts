// What the browser tests share: opening a view in a state, and what must hold wherever one is.
import AxeBuilder from "@axe-core/playwright";
import { expect, type Locator, type Page } from "@playwright/test";

/** A fixed present: what is "12 s ago" stays so. */
export const NOW = Date.parse("2026-11-23T10:45:00Z");

export const session = (n: number) => `5e551000-0000-4000-8000-${String(n).padStart(12, "0")}`;

interface Opened {
  state?: string;
  delay?: number;
}

export async function open(page: Page, route: string, { state = "busy", delay = 0 }: Opened = {}): Promise<void> {
  await page.clock.setFixedTime(NOW);
  const wrong: string[] = [];
  page.on("pageerror", (error) => wrong.push(error.message));
  page.on("console", (message) => message.type() === "error" && wrong.push(message.text()));
  Object.assign(page, { wrong });
  // A page that is there already would only change its hash and keep its state.
  await page.goto("about:blank");
  await page.goto(`/?state=${state}&delay=${delay}&now=${NOW}#/${route}`);
  await page.locator("#app > *").first().waitFor({ state: "attached" });
  // Answers that take their time are for looking at what is there before them.
  if (delay === 0) await settled(page);
}

interface Fake {
  // biome-ignore lint/suspicious/noExplicitAny: the page's own world, which has no types here.
  world: any;
  tell(): void;
  grow(n: number): void;
  shrink(n: number): void;
  rewrite(from: number): void;
  goOn(n: number): void;
  slow(milliseconds: number): void;
  refuse(cmd: string, error: { code: string; message: string; hint: string; actions: [] } | null): void;
}

/** Does something in the fake world of the page. */
export async function inWorld<T>(page: Page, change: (fake: Fake, given: T) => void, given?: T): Promise<void> {
  const fake = await page.evaluateHandle(() => (globalThis as unknown as { fake: Fake }).fake);
  await fake.evaluate(change as (fake: Fake, given: unknown) => void, given);
}

/** Every request is answered, and the answers are drawn: what is pressed now is heard. */
export async function settled(page: Page): Promise<void> {
  await page.evaluate(() => (globalThis as unknown as { fake: { settled(): Promise<void> } }).fake.settled());
}

/** No error was thrown or logged on the page. */
export function expectCalm(page: Page): void {
  expect((page as unknown as { wrong: string[] }).wrong).toEqual([]);
}

export async function expectAccessible(page: Page): Promise<void> {
  const { violations } = await new AxeBuilder({ page })
    .withTags(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"])
    .analyze();
  expect(
    violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html.slice(0, 160)).join(" | ")}`),
  ).toEqual([]);
}

/** Nothing is wider than the window: text wraps or is cut, whatever it is. */
export async function expectNoSidewaysScroll(page: Page): Promise<void> {
  const wide = await page.evaluate(() => {
    const stage = document.querySelector(".stage")!;
    const found = [document.documentElement, stage].filter((one) => one.scrollWidth > one.clientWidth + 1);
    return found.map((one) => `${one.className}: ${one.scrollWidth} in ${one.clientWidth}`);
  });
  expect(wide).toEqual([]);
}

/** The requests the page made, by command. */
export async function asked(page: Page, command: string): Promise<Record<string, unknown>[]> {
  return page.evaluate((name) => {
    const { log } = (globalThis as unknown as { fake: { log: Record<string, unknown>[] } }).fake;
    return log.filter((request) => request.cmd === name);
  }, command);
}

/** Page by page, until it is drawn. Not by keys: the browser goes on scrolling for a while after those. */
export async function downTo(page: Page, found: Locator): Promise<void> {
  while (!(await found.isVisible())) {
    await page
      .getByRole("feed")
      .evaluate((feed) => feed.scrollBy({ top: feed.clientHeight * 0.8, behavior: "instant" }));
    await settled(page);
  }
}
