// The split window: decided by keyboard, undone, 20,000 messages scrolled, words that differ.
import { expect, type Page, test } from "@playwright/test";
import { asked, expectAccessible, expectCalm, open, session } from "./open";

const SPLIT = `splits/${session(2)}`;

test("by keyboard alone: from difference to difference, decide, undo", async ({ page }) => {
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
  await expect(page.getByText("No more differences above.")).toBeVisible();
  // What a side changed of what the tool may do stands where one of them is chosen.
  await expect(page.getByText("laptop changed: permission mode → acceptEdits")).toBeVisible();
  // The choice says what follows before it is taken.
  const only = page.getByRole("button", { name: "Keep laptop's version" });
  await only.focus();
  await page.keyboard.press("Enter");
  await expect(
    page.getByText("The session continues as on laptop. What desk added leaves the tool and stays in the vault."),
  ).toBeVisible();
  expect(await asked(page, "resolve")).toEqual([]);
  await expect(page.getByRole("button", { name: "Continue with laptop's version" })).toBeFocused();
  await expectAccessible(page);
  await page.keyboard.press("Escape");
  await expect(only).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(page.getByRole("button", { name: "Continue with laptop's version" })).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(page.getByRole("button", { name: "Undo" })).toBeFocused();
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

test("marks the words that differ, and shows all of a message when asked", async ({ page }) => {
  await open(page, SPLIT);
  await expect(page.locator("ins").first()).toHaveText(/then the queue, and say what each costs/);
  await expect(page.locator("#diff-0 del")).toHaveCount(0);
  const more = page
    .locator("#diff-1")
    .getByRole("button", { name: /Show all/ })
    .first();
  await more.click();
  await expect(page.locator("#diff-1")).toContainText("it already orders writes");
  await page
    .locator("#diff-1")
    .getByRole("button", { name: /Show less/ })
    .first()
    .click();
  await expect(page.locator("#diff-1")).not.toContainText("it already orders writes");
});

test("what both have in common unfolds in place, page by page, and keys still go from difference to difference", async ({
  page,
}) => {
  await open(page, SPLIT);
  const grid = page.getByRole("grid");
  const unfold = page.getByRole("button", { name: "Show them" });
  await expect(unfold).toHaveAttribute("aria-expanded", "false");
  await unfold.click();
  await expect(grid).toContainText("The login test fails every other run.");
  await expect(grid).toHaveAttribute("aria-rowcount", String(1 + 1 + 412 + 11));
  expect((await asked(page, "diff_common")).map((request) => request.from)).toEqual([0]);
  await page.keyboard.press("n");
  await expect(page.locator("#diff-0")).toBeInViewport();
  await expect.poll(async () => (await asked(page, "diff_common")).map((request) => request.from)).toContain(400);
  await expectAccessible(page);
  await grid.evaluate((element) => element.scrollTo(0, 0));
  await page.getByRole("button", { name: "Hide them" }).click();
  await expect(grid).toHaveAttribute("aria-rowcount", String(1 + 1 + 11));
  expectCalm(page);
});

test("a call in a row unfolds like one in a transcript", async ({ page }) => {
  await open(page, SPLIT);
  const row = page.locator("#diff-2");
  await expect(row.locator("summary")).toContainText("Edit");
  await row.locator("summary").click();
  await expect(row.locator(".code-line.added")).toContainText("b");
  const result = page.locator("#diff-3 details").first();
  await result.locator("summary").click();
  await result.getByRole("button", { name: /Show .* more/ }).click();
  await expect(result).toContainText("test auth::case_9 ... ok");
  expect(await asked(page, "diff_part")).toMatchObject([{ row: 3, part: 0 }]);
  expectCalm(page);
});

test("one session of both goes on where it is told to", async ({ page }) => {
  await open(page, SPLIT);
  await page.getByRole("button", { name: "Put both into one session" }).click();
  await page.getByRole("radio", { name: "desk" }).check();
  await page.getByRole("button", { name: "Combine both versions" }).click();
  await expect(page.getByRole("button", { name: "Undo" })).toBeVisible();
  expect(await asked(page, "resolve")).toMatchObject([{ choice: "branches", active: "left" }]);
});

test("a choice that is not possible says why and cannot be taken", async ({ page }) => {
  await open(page, SPLIT, { state: "choose" });
  await page.getByRole("button", { name: "Append laptop's turns after desk's" }).click();
  await expect(page.locator(".considered")).toContainText("Not possible here: the tool's format does not allow it.");
  await expect(page.getByRole("button", { name: "Append laptop's turns", exact: true })).toHaveCount(0);
});

test("several branches are compared one by one", async ({ page }) => {
  await open(page, SPLIT, { state: "several" });
  await page.getByLabel("Compare with").selectOption("c9d1");
  await expect(page.getByRole("columnheader").nth(1)).toContainText("studio");
  await page.getByRole("button", { name: "Keep studio's version" }).click();
  await page.getByRole("button", { name: "Continue with studio's version" }).click();
  await expect(page.getByRole("button", { name: "Undo" })).toBeVisible();
  expect(await asked(page, "resolve")).toMatchObject([{ choice: "keep-right", branch: "c9d1" }]);
});

async function pages(page: Page): Promise<Record<string, unknown>[]> {
  return (await asked(page, "diff")).filter((request) => request.rows !== 0);
}

test("20,000 messages: pages as they come into sight, few rows drawn, no jump while scrolling", async ({ page }) => {
  test.setTimeout(120_000);
  await open(page, SPLIT, { state: "big-split" });
  const grid = page.getByRole("grid");
  await expect(page.locator("#diff-0")).toBeVisible();
  const started = Date.now();
  const result = await grid.evaluate(async (element) => {
    const frame = () => new Promise((done) => requestAnimationFrame(done));
    const frames: number[] = [];
    let most = 0;
    let last = performance.now();
    for (let step = 0; step < 120; step++) {
      element.scrollTop += element.scrollHeight / 120;
      await frame();
      const now = performance.now();
      frames.push(now - last);
      last = now;
      most = Math.max(most, element.querySelectorAll(".diff-row").length);
    }
    frames.sort((one, other) => one - other);
    return { most, median: frames[60]!, worst: frames.at(-1)! };
  });
  console.log(
    `20,000 rows scrolled through in ${Date.now() - started} ms; frames: median ${result.median.toFixed(1)} ms, worst ${result.worst.toFixed(1)} ms; at most ${result.most} rows drawn`,
  );
  expect(result.most).toBeLessThan(80);
  await grid.focus();
  await page.keyboard.press("End");
  await expect(page.locator("#diff-19999")).toBeInViewport();
  await expect(page.locator("#diff-19999")).not.toHaveClass(/waiting/);
  await page.keyboard.press("p");
  await expect(page.locator(".diff-row.marked")).toBeInViewport();
  // Every page was asked for once, the one in sight before those that were not; what may be decided, when rows were there.
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
  await page.waitForTimeout(500);
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

test("the last decision of all can be taken back from the list", async ({ page }) => {
  await open(page, SPLIT);
  await page.getByRole("button", { name: "Keep both" }).click();
  await page.locator(".considered").getByRole("button", { name: "Keep both" }).click();
  await expect(page.getByRole("button", { name: "Undo" })).toBeVisible();
  await page.getByRole("link", { name: "Splits" }).click();
  await expect(page.getByText("No session has two versions")).toBeVisible();
  await page.getByRole("button", { name: "Undo the last decision" }).click();
  await expect(page.getByRole("link", { name: "Compare versions: Fix login race" })).toBeVisible();
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
