// Reading a session: calls in their own forms, finding, own messages, what is added meanwhile, the menu of a message.
import AxeBuilder from "@axe-core/playwright";
import { expect, type Locator, type Page, test } from "@playwright/test";
import { asked, downTo, expectAccessible, expectCalm, expectNoSidewaysScroll, open, session, settled } from "./open";

const READER = `sessions/${session(0)}`;

async function read(page: Page, state = "reader"): Promise<Locator> {
  await open(page, READER, { state });
  const feed = page.getByRole("feed");
  await expect(feed.locator("article").first()).toBeVisible();
  return feed;
}

async function toTop(feed: Locator): Promise<void> {
  await expect(async () => {
    await feed.evaluate((element) => element.scrollTo(0, 0));
    await settled(feed.page());
    await expect(feed.locator("[aria-posinset='1']")).toBeInViewport({ timeout: 300 });
  }).toPass();
  await expect(feed.locator("[data-row='30']")).toHaveCount(0);
}

/** The row of a call, brought into sight. */
async function row(page: Page, feed: Locator, name: string): Promise<Locator> {
  const found = feed
    .locator(".call-row")
    .filter({ has: page.locator(".fold-name", { hasText: new RegExp(`^${name}$`) }) });
  await toTop(feed);
  while ((await found.count()) === 0) {
    await feed.evaluate((element) => element.scrollBy(0, 300));
    await settled(page);
  }
  return found.first();
}

test("a path that is too long for its row keeps its end, which names the file", async ({ page }) => {
  const feed = await read(page);
  const note = (await row(page, feed, "Edit")).locator(".fold-note");
  // A short one begins where others begin.
  const begin = await note.evaluate((element) => {
    const [row, path] = [element, element.firstElementChild as Element].map((one) => one.getBoundingClientRect());
    return (path?.left ?? 0) - (row?.left ?? 0);
  });
  expect(Math.abs(begin)).toBeLessThan(2);
  const edges = await note.evaluate((element) => {
    (element as HTMLElement).style.flex = "none";
    (element as HTMLElement).style.width = "5rem";
    const [row, path] = [element, element.firstElementChild as Element].map((one) => one.getBoundingClientRect());
    return { lost: (row?.left ?? 0) - (path?.left ?? 0), after: (row?.right ?? 0) - (path?.right ?? 0) };
  });
  expect(edges.lost).toBeGreaterThan(0);
  expect(Math.abs(edges.after)).toBeLessThan(2);
});

test("each call is one row with its target and outcome, and its own form inside", async ({ page }) => {
  const feed = await read(page);
  const unfolded = async (name: string) => {
    const found = await row(page, feed, name);
    await found.locator("summary").first().click();
    return found;
  };
  const tasks = await unfolded("TodoWrite");
  await expect(tasks.locator("summary")).toContainText("1 of 4 done");
  await expect(tasks.locator(".tasks li")).toHaveText([
    /Done: Read/,
    /In progress: Lock/,
    /To do: Run/,
    /Dropped: Rewrite/,
  ]);

  const file = await unfolded("Read");
  await expect(file.locator("summary")).toContainText("src/session.rs");
  await expect(file.locator(".code-line")).toHaveCount(48);
  await expect(file.locator(".gutter").nth(3)).toHaveAttribute("data-n", "4");

  const edit = await unfolded("Edit");
  await expect(edit.locator("summary")).toContainText("5 lines added, 4 lines removed");
  await expect(edit.locator(".code-line.removed").first()).toContainText("let slot = self.slot.get();");
  await expect(edit.locator(".code-line.added .t-keyword").first()).toBeVisible();

  const command = await unfolded("Bash");
  await expect(command.locator("summary")).toContainText("Exit code 101");
  await expect(command.locator(".ansi-fg-red").first()).toHaveText("FAILED");
  await expect(command).toContainText("Downloading 100 %");
  await expect(command).not.toContainText("Downloading 12 %");

  const patch = await unfolded("apply_patch");
  await expect(patch.locator("summary")).toContainText("src/queue.rs +2");
  await expect(patch.locator(".change-name")).toHaveText([
    /Edited src\/queue\.rs/,
    /Created tests\/queue\.rs/,
    /Deleted/,
  ]);

  const agent = await unfolded("Task");
  await expect(agent.locator(".rich strong").first()).toHaveText("without");
  await expect(agent.locator(".rich li")).toHaveCount(2);

  const other = await unfolded("mcp__browser__screenshot");
  await expect(other.locator(".t-attr").first()).toHaveText('"url"');
  await expect(other.getByRole("img", { name: /^Image of/ })).toBeVisible();

  await expect(await row(page, feed, "WebFetch")).toContainText("Failed");
  // No result stands alone.
  await expect(feed.locator(".fold-name", { hasText: /^Result$/ })).toHaveCount(0);
  await expectAccessible(page);
  expectCalm(page);
});

test("what was unfolded is still so when it comes back into sight", async ({ page }) => {
  const feed = await read(page, "huge");
  await feed.evaluate((element) => element.scrollTo(0, 0));
  const edit = feed.locator("[data-row='2'] .call-row, [data-row='1'] .call-row").first();
  await edit.locator("summary").click();
  await expect(edit).toHaveAttribute("open");
  await feed.evaluate((element) => element.scrollTo(0, element.scrollHeight / 2));
  await expect(edit).toHaveCount(0);
  await feed.evaluate((element) => element.scrollTo(0, 0));
  await expect(edit).toHaveAttribute("open");
});

test("opens at its end, follows what is added, and leaves who reads elsewhere in place", async ({ page }) => {
  const feed = await read(page);
  await expect(feed.locator("[aria-posinset='37']")).toBeInViewport();
  const grow = (n: number) =>
    page.evaluate((by) => (globalThis as unknown as { fake: { grow: (n: number) => void } }).fake.grow(by), n);
  await grow(1);
  await expect(feed.locator("[aria-posinset='38']")).toBeInViewport();
  const button = page.getByRole("button", { name: "Jump to the end" });
  await expect(button).toHaveCount(0);
  await feed.hover();
  await page.mouse.wheel(0, -3_000);
  await expect(button).toBeVisible();
  const first = feed.locator("article").first();
  const before = { row: await first.getAttribute("aria-posinset"), top: await feed.evaluate((one) => one.scrollTop) };
  await grow(3);
  await page.getByRole("button", { name: "3 new messages" }).click({ trial: true });
  expect(await first.getAttribute("aria-posinset")).toBe(before.row);
  expect(await feed.evaluate((one) => one.scrollTop)).toBe(before.top);
  await page.getByRole("button", { name: "3 new messages" }).click();
  await expect(feed.locator("[aria-posinset='41']")).toBeInViewport();
  await expect(page.locator(".to-end")).toHaveCount(0);
  await expectAccessible(page);
  expectCalm(page);
});

test("what is unfolded at the end of the list is read from its beginning", async ({ page }) => {
  // What is unfolded is higher than the view.
  await page.setViewportSize({ width: 960, height: 220 });
  const feed = await read(page, "huge");
  const folded = feed.locator(".fold:not([open]) > summary");
  await expect(folded.last()).toBeAttached();
  const last = await folded.last().elementHandle();
  await last!.evaluate((element) => (element as HTMLElement).click());
  await settled(page);
  expect(await last!.evaluate((element) => (element.parentElement as HTMLDetailsElement).open)).toBe(true);
  const { top, height } = await last!.evaluate((element) => element.parentElement!.getBoundingClientRect());
  expect(height).toBeGreaterThan(await feed.evaluate((element) => element.clientHeight));
  const box = await feed.evaluate((element) => element.getBoundingClientRect().top);
  expect(top).toBeGreaterThanOrEqual(box - 1);
});

test("finds in the whole session: counted, from one to the next, inside of what is folded", async ({ page }) => {
  const feed = await read(page);
  await feed.focus();
  await page.keyboard.press("Control+f");
  const field = page.getByRole("textbox", { name: "Find in this session" });
  await expect(field).toBeFocused();
  await page.keyboard.type("two_tabs");
  await expect(page.getByText("1 of 2")).toBeVisible();
  // Both are in a folded command's output, far above.
  const command = feed.locator(".call-row[open]").filter({ hasText: "cargo test auth" });
  await expect(command.getByText("auth::two_tabs").first()).toBeInViewport();
  const marked = () =>
    page.evaluate(() => {
      const { highlights } = CSS as unknown as { highlights: Map<string, Set<Range>> };
      const texts = (name: string) => [...(highlights.get(name) ?? [])].map((range) => range.toString());
      return { all: texts("found"), now: texts("found-now") };
    });
  await expect.poll(marked).toEqual({ all: ["two_tabs", "two_tabs"], now: ["two_tabs"] });
  await page.keyboard.press("Enter");
  await expect(page.getByText("2 of 2")).toBeVisible();
  await page.keyboard.press("Enter");
  await expect(page.getByText("1 of 2")).toBeVisible();
  await page.keyboard.press("Shift+Enter");
  await expect(page.getByText("2 of 2")).toBeVisible();
  await expectAccessible(page);
  await field.fill("nothing like it");
  await expect(page.getByText("No matches")).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(feed).toBeFocused();
  await expect.poll(marked).toEqual({ all: [], now: [] });
  expectCalm(page);
});

test("finds what no page has loaded yet, in 20,000 messages", async ({ page }) => {
  const feed = await read(page, "huge");
  await feed.focus();
  await page.keyboard.press("Control+f");
  await expect(page.getByRole("textbox", { name: "Find in this session" })).toBeFocused();
  await page.keyboard.type("Write down");
  const count = page.locator(".found-count");
  await expect(count).toContainText(/of \d/);
  for (let step = 0; step < 40; step++) await page.keyboard.press("Shift+Enter");
  await expect
    .poll(() =>
      feed.evaluate((element) => {
        const { highlights } = CSS as unknown as { highlights: Map<string, Set<Range>> };
        const [range] = [...(highlights.get("found-now") ?? [])];
        const [box, at] = [element.getBoundingClientRect(), range?.getBoundingClientRect()];
        return at !== undefined && box.top <= at.top && at.bottom <= box.bottom;
      }),
    )
    .toBe(true);
  expect((await asked(page, "show")).length).toBeLessThan(60);
  expectCalm(page);
});

test("keys go between the user's own messages, through pages not loaded yet", async ({ page }) => {
  const feed = await read(page);
  await feed.focus();
  const at = (text: string) => expect(feed.locator("article.user").filter({ hasText: text })).toBeFocused();
  await page.keyboard.press("[");
  await at("Does that also hold");
  await page.keyboard.press("Alt+ArrowUp");
  await at("Try it with the queue");
  await page.keyboard.press("[");
  await at("The login test fails");
  await page.keyboard.press("[");
  await expect(page.getByText("No earlier message of yours.")).toBeVisible();
  await page.keyboard.press("Alt+ArrowDown");
  await at("Try it with the queue");
  await page.getByRole("button", { name: /^Your next message/ }).click();
  await at("Does that also hold");
  // A bracket that is typed with AltGr, as Windows tells it.
  await page.evaluate(() => {
    const typed = { key: "[", ctrlKey: true, altKey: true, modifierAltGraph: true, bubbles: true };
    document.activeElement!.dispatchEvent(new KeyboardEvent("keydown", typed));
  });
  await at("Try it with the queue");
  expectCalm(page);
});

test("a link leads to a result inside of its call", async ({ page }) => {
  await open(page, `${READER}/11`, { state: "reader" });
  await expect(page.locator(".message.led").filter({ hasText: "cargo test auth" })).toBeInViewport();
});

test("model and tokens are shown with each turn, the device where it changes", async ({ page }) => {
  const feed = await read(page);
  await feed.evaluate((element) => element.scrollTo(0, 0));
  await expect(feed.locator(".turn-about").first()).toHaveText("claude-opus-4-52.3K tokens");
  await expect(feed.getByText("On desk", { exact: true })).toBeVisible();
});

test("a message is copied, as text and as Markdown, whole", async ({ page, context }) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  const feed = await read(page);
  await toTop(feed);
  const message = feed.locator("article.user").first();
  await message.click({ button: "right", position: { x: 200, y: 20 } });
  const menu = page.getByRole("menu", { name: "Message actions" });
  await expect(menu).toBeVisible();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await expect(page.getByText("Message copied.")).toBeVisible();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toContain("The login test fails every other run.");
  await message.click({ button: "right", position: { x: 200, y: 20 } });
  await menu.getByRole("menuitem", { name: "Export session…" }).click();
  await expect(page.getByRole("dialog")).toContainText("Save");
  await expectAccessible(page);
  expectCalm(page);
});

test("what a sub-agent did is read where it was called, as far as wanted", async ({ page }) => {
  const feed = await read(page);
  await toTop(feed);
  await downTo(page, feed.getByText("Look for other races"));
  await feed.getByText("Look for other races").click();
  await feed.getByText("What the agent did").click();
  const agent = feed.locator(".agent-transcript");
  await expect(agent).toContainText("I search for the slot first.");
  // Of 30 messages, each third is a result, which is shown with its call.
  await expect(agent.locator("article")).toHaveCount(20);
  await agent.getByRole("button", { name: "Show 10 more messages" }).click();
  await expect(agent.locator("article")).toHaveCount(27);
  expect((await asked(page, "show_doc")).length).toBe(1);
  await expectAccessible(page);
  expectCalm(page);
});

test("a file that a call changed is opened in the user's editor", async ({ page }) => {
  const feed = await read(page);
  await toTop(feed);
  const change = feed.locator("article", { hasText: "the slot is read without a lock" });
  await downTo(page, change);
  await change.getByRole("button", { name: "Message actions" }).click();
  await page.getByRole("menuitem", { name: "Open src/session.rs" }).click();
  await expect(page.getByText("Opened in the text editor.")).toBeVisible();
  expect(await asked(page, "open_file")).toMatchObject([{ path: "/home/mara/code/api/src/session.rs" }]);
  expectCalm(page);
});

test("dark, narrow, at 200 % and from right to left, nothing is cut and the contrast is kept", async ({ page }) => {
  for (const [colorScheme, width, height, state] of [
    ["dark", 960, 640, "reader"],
    ["light", 720, 480, "reader"],
    ["light", 480, 320, "reader"],
    ["dark", 720, 480, "rtl"],
  ] as const) {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width, height });
    const feed = await read(page, state);
    const folded = feed.locator(".fold:not([open]) > summary");
    for (let n = 0; n < 12 && (await folded.count()) > 0; n++) {
      await folded.first().click();
      await settled(page);
    }
    await expectNoSidewaysScroll(page);
    await expectAccessible(page);
    const axe = new AxeBuilder({ page }).include(".body").withRules(["color-contrast-enhanced"]);
    axe.exclude(".call-aside").exclude(".more").exclude(".fold > summary").exclude(".dim").exclude(".part-label");
    const { violations } = await axe.analyze();
    expect(violations.flatMap(({ nodes }) => nodes.map((node) => node.html.slice(0, 120)))).toEqual([]);
    await page.screenshot({ path: test.info().outputPath(`${colorScheme}-${width}-${state}.png`) });
    expectCalm(page);
  }
});
