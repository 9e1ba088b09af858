// The split window: decided by keyboard, undone, 20,000 messages scrolled, words that differ.
import { expect, type Page, test } from "@playwright/test";
import { asked, expectAccessible, expectCalm, open, session, settled } from "./open";

const SPLIT = `splits/${session(2)}`;
/** Rows of the invented split. */
const ROWS = 19;

test("turn by turn, each device in its column, and nothing twice", async ({ page }) => {
  await open(page, SPLIT);
  await expect(page.getByRole("columnheader").nth(0)).toContainText("desk09:51–10:15 · 4 turns");
  await expect(page.getByRole("columnheader").nth(1)).toContainText("laptop10:00–10:29 · 2 turns");
  const first = page.locator("#diff-0").getByRole("gridcell");
  await expect(first.nth(0)).toContainText("Try the mutex first.");
  await expect(first.nth(1)).toContainText("Try the mutex first, then the queue, and say what each costs.");
  await expect(first.nth(0)).toContainText("turn 1");
  // A whole table, not a piece of it.
  await expect(page.locator("#diff-4 table")).toBeVisible();
  // Turn 2 of one device stands beside turn 2 of the other; the words that differ are marked.
  const second = page.locator("#diff-5");
  await expect(second).toContainText("turn 2");
  await expect(second.locator("ins")).toHaveText(/with the queue/);
  // Only what the other device has no turn for is hatched.
  await expect(page.locator("#diff-3 .none")).toHaveCount(0);
  await page.getByRole("grid").focus();
  await page.keyboard.press("End");
  const tail = page.locator(".diff-row.alone");
  await expect(tail.first().locator(".cell.none")).toContainText("nothing on laptop");
  await expect(page.locator(".diff-row.alone .cell.right")).toHaveCount(0);
  await expectAccessible(page);
  expectCalm(page);
});

test("changed words of drawn Markdown are marked too", async ({ page }) => {
  await open(page, SPLIT);
  const marked = () =>
    page.evaluate(() => [...(CSS.highlights.get("split-right") ?? [])].map((range) => (range as Range).toString()));
  await page.keyboard.press("n");
  await page.keyboard.press("n");
  await expect.poll(marked).toContain("with the queue too");
});

test("by time: one conversation of both, which stays so in the next split", async ({ page }) => {
  await open(page, SPLIT);
  await page.getByRole("radio", { name: "By time" }).check({ force: true });
  await expect(page.getByRole("grid", { name: "Both versions in the order of time" })).toBeVisible();
  await expect(page.locator("#diff-0")).toContainText("desk");
  const order = await page
    .locator(".diff-row.entry time")
    .evaluateAll((times) => times.map((time) => (time as HTMLTimeElement).dateTime));
  expect(order.length).toBeGreaterThan(5);
  expect(order).toEqual([...order].sort());
  await page.getByRole("grid").focus();
  await page.keyboard.press("n");
  await page.keyboard.press("n");
  await expect(page.locator(".diff-row.marked.handover.right")).toBeInViewport();
  await page.keyboard.press("End");
  // Calls and their results are one row each: none of the messages is a result alone.
  await expect(page.locator(".diff-row.entry").last()).toBeInViewport();
  await expect(page.locator(".diff-row .fold-name", { hasText: /^Result$/ })).toHaveCount(0);
  await expectAccessible(page);
  await page
    .getByRole("link", { name: "All splits" })
    .or(page.getByRole("button", { name: "All splits" }))
    .click();
  await page.getByRole("link", { name: "Compare versions: Fix login race" }).click();
  await expect(page.getByRole("radio", { name: "By time" })).toBeChecked();
  await page.keyboard.press("t");
  await expect(page.getByRole("grid", { name: "The two versions side by side" })).toBeVisible();
  expectCalm(page);
});

test("by keyboard alone: from turn to turn, decide, undo", async ({ page }) => {
  await open(page, SPLIT);
  const grid = page.getByRole("grid");
  await expect(grid).toContainText("412 messages in common");
  await page.keyboard.press("n");
  await expect(grid).toBeFocused();
  await expect(page.locator(".diff-row.marked")).toHaveAttribute("id", "diff-0");
  await page.keyboard.press("n");
  await expect(page.locator(".diff-row.marked")).toHaveAttribute("id", "diff-5");
  await expect(page.locator(".diff-row.marked")).toBeInViewport();
  await page.keyboard.press("p");
  await expect(page.locator(".diff-row.marked")).toHaveAttribute("id", "diff-0");
  await page.keyboard.press("p");
  await expect(page.getByText("No further difference above.")).toBeVisible();
  // What a side changed of what the tool may do stands where one of them is chosen.
  await expect(page.getByText("laptop changed: permission mode → acceptEdits")).toBeVisible();
  // The choice shows what it leaves before it is taken.
  const only = page.getByRole("button", { name: "Keep laptop's version" });
  await only.focus();
  await page.keyboard.press("Enter");
  const preview = page.locator(".preview");
  await expect(preview).toContainText("412 messages in common, then laptop's 2 turns (11 messages)");
  await expect(preview).toContainText("desk's 4 turns (16 messages). Undo brings them back.");
  expect(await asked(page, "resolve")).toEqual([]);
  await expect(page.getByRole("button", { name: "Continue with laptop's version" })).toBeFocused();
  await expectAccessible(page);
  await page.keyboard.press("Escape");
  await expect(only).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(page.getByRole("button", { name: "Continue with laptop's version" })).toBeFocused();
  await page.keyboard.press("Enter");
  const undo = page.getByRole("button", { name: "Undo: kept laptop's version of “Fix login race”" });
  await expect(undo).toBeFocused();
  expect(await asked(page, "resolve")).toEqual([
    { cmd: "resolve", session: session(2), choice: "keep-right", branch: null, active: null },
  ]);
  await expectAccessible(page);
  await page.keyboard.press("Control+z");
  await expect(page.getByText("Undone. Both versions are back.")).toBeVisible();
  await expect(page.getByRole("button", { name: "Keep both" })).toBeVisible();
  expect(await asked(page, "undo")).toEqual([{ cmd: "undo", session: session(2) }]);
  expectCalm(page);
});

test("what both have in common unfolds in place, page by page, and looks like messages", async ({ page }) => {
  await open(page, SPLIT);
  const grid = page.getByRole("grid");
  const unfold = page.getByRole("button", { name: "Show", exact: true });
  await expect(unfold).toHaveAttribute("aria-expanded", "false");
  await unfold.click();
  await expect(grid).toContainText("The login test fails every other run.");
  await expect(grid).toHaveAttribute("aria-rowcount", String(1 + 1 + 412 + ROWS));
  expect((await asked(page, "diff_common")).map((request) => request.from)).toEqual([0]);
  const look = (element: Element) => {
    const { color, fontSize } = getComputedStyle(element);
    return `${color} ${fontSize}`;
  };
  const common = await page.locator(".common-message .rich").first().evaluate(look);
  expect(common).toBe(await page.locator("h1").evaluate((element) => `${getComputedStyle(element).color} 13.5008px`));
  await page.keyboard.press("n");
  await expect(page.locator("#diff-0")).toBeInViewport();
  await expect.poll(async () => (await asked(page, "diff_common")).map((request) => request.from)).toContain(400);
  await expectAccessible(page);
  await grid.evaluate((element) => element.scrollTo(0, 0));
  await page.getByRole("button", { name: "Hide", exact: true }).click();
  await expect(grid).toHaveAttribute("aria-rowcount", String(1 + 1 + ROWS));
  expectCalm(page);
});

test("a call in a row unfolds like one in a transcript, by mouse and by Enter", async ({ page }) => {
  await open(page, SPLIT);
  const row = page.locator("#diff-1");
  const call = row.locator("details", { hasText: "Edit" });
  await call.locator("summary").click();
  await expect(call).toContainText("self.slot.lock()");
  await call.locator("summary").click();
  await page.keyboard.press("n");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await expect(row.locator("details[open]")).toHaveCount(2);
  await page.keyboard.press("Enter");
  await expect(row.locator("details[open]")).toHaveCount(0);
  expectCalm(page);
});

test("one session of both continues where it is told to", async ({ page }) => {
  await open(page, SPLIT);
  await page.getByRole("button", { name: "Both in one session" }).click();
  await page.getByRole("radio", { name: "desk" }).check();
  await expect(page.locator(".preview")).toContainText("laptop's 2 turns (11 messages), then desk's 4 turns");
  await page.getByRole("button", { name: "Put both in one session" }).click();
  await expect(page.getByRole("button", { name: /^Undo: put both versions/ })).toBeVisible();
  expect(await asked(page, "resolve")).toMatchObject([{ choice: "branches", active: "left" }]);
});

test("a choice that is not possible says why and cannot be taken", async ({ page }) => {
  await open(page, SPLIT, { state: "choose" });
  await page.getByRole("button", { name: /Append laptop's turns/ }).click();
  await expect(page.locator(".considered")).toContainText("Not possible here: the tool's format does not allow it.");
  await expect(page.locator(".considered").getByRole("button", { name: /Append/ })).toHaveCount(0);
});

test("where nothing was written yet, each device's own future is shown", async ({ page }) => {
  await open(page, SPLIT, { state: "choose" });
  await page.getByRole("button", { name: "Keep desk's version" }).click();
  const preview = page.locator(".preview > div");
  await expect(preview.nth(0)).toContainText("Claude Code on desk“Fix login race” stays as it is there.");
  await expect(preview.nth(1)).toContainText(
    "Claude Code on laptop“Fix login race”: 412 messages in common, then desk's",
  );
  await expect(preview.nth(2)).toContainText("In the vault onlylaptop's 2 turns");
});

test("of several versions, one is chosen by device and time", async ({ page }) => {
  await open(page, SPLIT, { state: "several" });
  const [first, second] = [page.getByLabel("First version"), page.getByLabel("Second version")];
  await expect(second.locator("option:checked")).toHaveText("laptop · 31 min ago");
  // Any two, by device and time. Of two beside the session's own version, one is put away.
  await first.selectOption({ label: "studio · 16 min ago" });
  await expect(page.getByRole("columnheader").nth(0)).toContainText("studio");
  await expect(page.getByRole("columnheader").nth(1)).toContainText("laptop");
  await expect(page.locator(".decision")).toContainText("studio's and laptop's versions are sessions of their own.");
  await expectAccessible(page);
  await page.getByRole("button", { name: "Keep laptop's version" }).click();
  await expect(page.locator(".considered")).toContainText("studio's leaves the tool and stays in the vault.");
  await page.locator(".considered").getByRole("button", { name: "Keep laptop's version" }).click();
  await expect(page.getByRole("status").filter({ hasText: "studio's version was put away." })).toBeVisible();
  expect(await asked(page, "resolve")).toMatchObject([{ choice: "keep-right", branch: "b7e2", beside: "c9d1" }]);

  await open(page, SPLIT, { state: "several" });
  await first.selectOption({ label: "studio · 16 min ago" });
  await second.selectOption({ label: "desk · 50 min ago" });
  await expect(page.getByRole("columnheader").nth(0)).toContainText("desk");
  await expect(page.getByRole("columnheader").nth(1)).toContainText("studio");
  await page.getByRole("button", { name: "Keep studio's version" }).click();
  await expect(page.locator(".preview")).toContainText("laptop's version stays a session of its own.");
  await page.getByRole("button", { name: "Continue with studio's version" }).click();
  await expect(page.getByRole("button", { name: "Undo: kept studio's version of “Fix login race”" })).toBeVisible();
  expect(await asked(page, "resolve")).toMatchObject([{ choice: "keep-right", branch: "c9d1" }]);
  expectCalm(page);
});

test("long names keep every choice on the screen", async ({ page }) => {
  for (const [width, height] of [
    [960, 640],
    [720, 480],
  ] as const) {
    await page.setViewportSize({ width, height });
    await open(page, SPLIT, { state: "long" });
    const choices = page.locator(".choices .button");
    await expect(choices).toHaveCount(5);
    for (const choice of await choices.all()) {
      await choice.scrollIntoViewIfNeeded();
      await expect(choice).toBeInViewport({ ratio: 1 });
    }
  }
});

test("what failed is one line with a way out, and the title says no more that it compares", async ({ page }) => {
  await open(page, SPLIT, { state: "refused" });
  await expect(page.getByRole("alert")).toContainText("The versions could not be compared.");
  expect((await page.getByRole("alert").boundingBox())!.height).toBeLessThan(80);
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Not compared");
  await page.getByRole("button", { name: "Retry" }).click();
  await expect.poll(async () => (await asked(page, "diff")).length).toBe(2);
});

async function pages(page: Page): Promise<Record<string, unknown>[]> {
  return (await asked(page, "diff")).filter((request) => request.rows === 200);
}

test("20,000 messages: pages as they come into sight, few rows drawn, frames measured", async ({ page }) => {
  await open(page, SPLIT, { state: "big-split" });
  const grid = page.getByRole("grid");
  await expect(page.locator("#diff-0")).toBeVisible();
  const started = Date.now();
  const result = await grid.evaluate(async (element) => {
    const long: number[] = [];
    const observer = new PerformanceObserver((list) => long.push(...list.getEntries().map((entry) => entry.duration)));
    observer.observe({ entryTypes: ["longtask"] });
    const frame = () => new Promise((done) => requestAnimationFrame(done));
    const frames: number[] = [];
    let most = 0;
    let last = performance.now();
    for (let step = 0; step < 240; step++) {
      element.scrollTop += element.scrollHeight / 240;
      await frame();
      const now = performance.now();
      frames.push(now - last);
      last = now;
      most = Math.max(most, element.querySelectorAll(".diff-row").length);
    }
    observer.disconnect();
    frames.sort((one, other) => one - other);
    return { most, median: frames[120]!, worst: frames.at(-1)!, long };
  });
  console.log(
    `20,000 rows scrolled through in ${Date.now() - started} ms; frames: median ${result.median.toFixed(1)} ms, worst ${result.worst.toFixed(1)} ms, ${result.long.length} tasks over 50 ms ${result.long}; at most ${result.most} rows drawn`,
  );
  expect(result.most).toBeLessThan(80);
  await grid.focus();
  await page.keyboard.press("End");
  await expect(page.locator("#diff-19999")).toBeInViewport();
  await expect(page.locator("#diff-19999")).not.toHaveClass(/waiting/);
  await page.keyboard.press("p");
  await expect(page.locator(".diff-row.marked")).toBeInViewport();
  // Every page was asked for once, bodies only where somebody looked; what may be decided, when rows were there.
  await expect.poll(async () => new Set((await pages(page)).map((request) => request.from)).size).toBe(100);
  expect(await pages(page)).toHaveLength(100);
  const offers = (await asked(page, "diff")).map((request) => request.choices);
  expect([offers[0], offers.filter(Boolean).length]).toEqual([false, 1]);
  expectCalm(page);
});

test("scrolling upwards over rows never seen does not move what is read", async ({ page }) => {
  await open(page, SPLIT, { state: "big-split" });
  const grid = page.getByRole("grid");
  await expect(page.locator("#diff-0")).toBeVisible();
  await expect.poll(async () => (await pages(page)).length).toBe(100);
  await grid.focus();
  await page.keyboard.press("End");
  await expect(page.locator("#diff-19999")).toBeInViewport();
  await settled(page);
  const moved = await grid.evaluate(async (element) => {
    const frame = () => new Promise((done) => requestAnimationFrame(done));
    const jumps: number[] = [];
    for (let step = 0; step < 60; step++) {
      const box = element.getBoundingClientRect();
      const seen = [...element.querySelectorAll(".diff-row[id]")].find(
        (one) => one.getBoundingClientRect().top > box.top + 80,
      )!;
      const top = seen.getBoundingClientRect().top;
      element.scrollTop -= 40;
      await frame();
      await frame();
      jumps.push(Math.abs(seen.getBoundingClientRect().top - top - 40));
    }
    return Math.max(...jumps);
  });
  expect(moved).toBeLessThan(3);
});

test("in a window of its own there is nothing but the split", async ({ page }) => {
  await open(page, `split/${session(2)}`);
  await expect(page.getByRole("grid")).toBeVisible();
  await expect(page.getByRole("navigation")).toHaveCount(0);
  await expectAccessible(page);
});

test("the last decision of all can be undone from the list, and only if there is one", async ({ page }) => {
  await open(page, "splits");
  await expect(page.getByRole("link", { name: "Compare versions: Fix login race" })).toBeVisible();
  await expect(page.getByRole("button", { name: /Undo/ })).toHaveCount(0);
  await page.getByRole("link", { name: "Compare versions: Fix login race" }).click();
  await page.getByRole("button", { name: "Keep both" }).click();
  await page.locator(".considered").getByRole("button", { name: "Keep both" }).click();
  await expect(page.getByRole("button", { name: /^Undo:/ })).toBeVisible();
  await page.getByRole("link", { name: "Splits" }).click();
  await expect(page.getByText("No session has two versions")).toBeVisible();
  await page.getByRole("button", { name: "Undo: kept both versions of “Fix login race”" }).click();
  await expect(page.getByRole("link", { name: "Compare versions: Fix login race" })).toBeVisible();
  await expect(page.getByRole("button", { name: /Undo/ })).toHaveCount(0);
});

test("decided on another device meanwhile, it says so", async ({ page }) => {
  await open(page, SPLIT);
  await expect(page.getByRole("grid")).toBeVisible();
  await expect(page.getByText("acme/api")).toBeVisible(); // which the list of splits says
  await page.evaluate(() => {
    const { fake } = globalThis as unknown as { fake: { world: { splits: unknown[] }; tell(): void } };
    fake.world.splits = [];
    fake.tell();
  });
  await expect(page.getByText("This session no longer has two versions")).toBeVisible();
  await expect(page.getByRole("grid")).toHaveCount(0);
  await expectAccessible(page);
});

test("a call and its result are one row, in both columns, by time, and in the common part", async ({ page }) => {
  await open(page, SPLIT);
  const grid = page.getByRole("grid");
  const call = page.locator("#diff-1 .cell.left .call-row", { hasText: "Edit" });
  await expect(call.getByText("Succeeded", { exact: true })).toBeAttached();
  // The row with both results has nothing left to show; the mark goes over it.
  await page.keyboard.press("n");
  await expect(page.locator("#diff-0")).toHaveClass(/marked/);
  const seen: (string | null)[] = [];
  for (let press = 0; press < ROWS; press++) {
    await page.keyboard.press("ArrowDown");
    const marked = await page.locator(".diff-row.marked").getAttribute("id");
    if (marked === seen.at(-1)) break;
    seen.push(marked);
    await expect(page.locator(".diff-row.marked")).not.toBeEmpty();
  }
  expect(seen.length).toBeLessThan(ROWS - 1);
  await grid.evaluate((element) => element.scrollTo(0, 0));
  await page.getByRole("button", { name: "Show", exact: true }).click();
  await settled(page);
  const common = page.locator(".common-message .call-row").first();
  await expect(common.getByText("Succeeded", { exact: true })).toBeAttached();
  await expect(page.locator(".common-message .fold-name", { hasText: /^Result$/ })).toHaveCount(0);
  expectCalm(page);
});

test("? opens the sheet of all keys, which has those of a split", async ({ page }) => {
  await open(page, SPLIT);
  await page.keyboard.press("?");
  const sheet = page.getByRole("dialog", { name: "Keyboard shortcuts" });
  await expect(sheet).toContainText("by turn or by time");
  await page.keyboard.press("Escape");
  await expect(sheet).toHaveCount(0);
  await page.getByRole("button", { name: "Keyboard shortcuts" }).click();
  await expect(sheet).toBeVisible();
});
