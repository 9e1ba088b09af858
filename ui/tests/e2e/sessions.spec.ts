// The list of sessions, the transcript, going on with one: by keyboard, with 50,000 rows, with hostile text.
import AxeBuilder from "@axe-core/playwright";
import { expect, test } from "@playwright/test";
import { asked, expectAccessible, expectCalm, open, session } from "./open";

test("by keyboard alone: search, mark, read, resume, go back", async ({ page }) => {
  await open(page, "sessions");
  const list = page.getByRole("listbox", { name: "Sessions" });
  await expect(page.getByText("48 sessions")).toBeVisible();
  await page.keyboard.press("/");
  await expect(page.getByRole("searchbox")).toBeFocused();
  await page.keyboard.type("rate limits");
  await expect(page.getByText("3 of 48 sessions")).toBeVisible();
  await page.keyboard.press("ArrowDown");
  await expect(list).toBeFocused();
  await page.keyboard.press("ArrowDown");
  await expect(list.getByRole("option", { selected: true })).toContainText("Rate limits per tenant (2)");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { name: "Rate limits per tenant (2)" })).toBeVisible();
  await page.keyboard.press("r");
  const dialog = page.getByRole("dialog");
  await expect(dialog).toContainText("--resume");
  await expectAccessible(page);
  await page.keyboard.press("Escape");
  await expect(dialog).toHaveCount(0);
  await page.keyboard.press("Escape");
  await expect(list).toBeFocused();
  await expect(page).toHaveURL(/#\/sessions$/);
  expectCalm(page);
});

test("filters by tool, project and device, and says when nothing is left", async ({ page }) => {
  await open(page, "sessions");
  await page.getByLabel("Tool").selectOption("codex");
  await page.getByLabel("Device").selectOption("laptop");
  await expect(page.getByRole("listbox").getByRole("option").first()).toContainText("laptop");
  await page.getByRole("searchbox").fill("no such session");
  await expect(page.getByText("Nothing matches")).toBeVisible();
  await page.getByRole("button", { name: "Clear search and filters" }).click();
  await expect(page.getByText("48 sessions")).toBeVisible();
});

test("50,000 rows: few are drawn, the last is one key away, the search finds one of them", async ({ page }) => {
  await open(page, "sessions", { state: "many" });
  const options = page.getByRole("listbox").getByRole("option");
  const list = page.getByRole("listbox", { name: "Sessions" });
  await list.focus();
  await page.keyboard.press("End");
  await expect(list.getByRole("option", { selected: true })).toHaveAttribute("aria-posinset", "50000");
  await expect(list.getByRole("option", { selected: true })).toBeInViewport();
  const drawn = await page.locator(".session-row").count();
  expect(drawn).toBeLessThan(60);
  await page.getByRole("searchbox").fill("lexer (3125)");
  await expect(options).toHaveCount(1);
  expectCalm(page);
});

test("a transcript shows text, folds the rest, and runs nothing in it", async ({ page }) => {
  let said = "";
  page.on("dialog", (dialog) => {
    said = dialog.message();
    void dialog.dismiss();
  });
  await open(page, `sessions/${session(0)}`);
  const feed = page.getByRole("feed");
  await expect(feed.locator("pre code").first()).toContainText("pub fn refresh");
  const thinking = feed.locator("details").first();
  await expect(thinking).not.toHaveAttribute("open");
  await thinking.locator("summary").click();
  await expect(thinking).toContainText("Let me look at both.");
  await feed.focus();
  const hostile = feed.getByText("<script>alert('never run')</script>").first();
  await expect(async () => {
    await page.keyboard.press("PageDown");
    await expect(hostile).toBeVisible({ timeout: 400 });
  }).toPass();
  expect(await page.locator("#app script").count()).toBe(0);
  expect(said).toBe("");
});

test("a link is opened only after its address was shown", async ({ page }) => {
  await open(page, `sessions/${session(0)}`);
  await page.getByRole("link", { name: "the standard's section on refreshing" }).first().click();
  const dialog = page.getByRole("dialog");
  await expect(dialog).toContainText("https://www.rfc-editor.org/rfc/rfc6749#section-6");
  expect(await asked(page, "open_link")).toEqual([]);
  await expectAccessible(page);
  await dialog.getByRole("button", { name: "Open in the browser" }).click();
  await expect(dialog).toHaveCount(0);
  expect(await asked(page, "open_link")).toEqual([
    { cmd: "open_link", url: "https://www.rfc-editor.org/rfc/rfc6749#section-6" },
  ]);
});

test("6,000 messages: few are drawn, and reading on stays where it is", async ({ page }) => {
  await open(page, `sessions/${session(0)}`, { state: "transcript" });
  const feed = page.getByRole("feed");
  await expect(feed.locator("article").first()).toBeVisible();
  await feed.evaluate((element) => element.scrollTo(0, element.scrollHeight / 2));
  await page.waitForTimeout(400);
  expect(await feed.locator("article").count()).toBeLessThan(60);
  // Scrolling upwards over rows never measured: what is read moves by what was scrolled, not by what was guessed.
  const moved = await feed.evaluate(async (element) => {
    const frame = () => new Promise((done) => requestAnimationFrame(done));
    const jumps: number[] = [];
    for (let step = 0; step < 40; step++) {
      const box = element.getBoundingClientRect();
      const seen = [...element.querySelectorAll("article")].find(
        (one) => one.getBoundingClientRect().top > box.top + 60,
      )!;
      const top = seen.getBoundingClientRect().top;
      element.scrollTop -= 50;
      await frame();
      await frame();
      jumps.push(Math.abs(seen.getBoundingClientRect().top - top - 50));
    }
    return Math.max(...jumps);
  });
  expect(moved).toBeLessThan(3);
  expectCalm(page);
});

test("resuming says what must be known, and why it cannot be where it cannot", async ({ page }) => {
  await open(page, `sessions/${session(0)}`);
  await page.getByRole("button", { name: "Resume", exact: true }).click();
  await expect(page.getByRole("dialog")).toContainText("It is live on laptop, 12 s ago.");
  await page.getByRole("button", { name: "Start it all the same" }).click();
  await expect(page.getByText("Started in a terminal.")).toBeVisible();
  expect(await asked(page, "start_tool")).toEqual([{ cmd: "start_tool", session: session(0) }]);
  await open(page, `sessions/${session(11)}`);
  await page.getByRole("button", { name: "Resume", exact: true }).click();
  await expect(page.getByRole("dialog")).toContainText("Its tool is not on this device.");
});

test("a session that is not here is brought back", async ({ page }) => {
  await open(page, `sessions/${session(11)}`);
  await page.getByRole("button", { name: "Bring it back" }).click();
  await expect(page.getByText("is back in this device's store.")).toBeVisible();
  await expect(page.getByRole("button", { name: "Bring it back" })).toHaveCount(0);
});

test("what was said has the higher contrast, light and dark, here and in a split", async ({ page }) => {
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme });
    for (const [route, text] of [
      [`sessions/${session(0)}`, ".rich"],
      [`splits/${session(2)}`, ".marked-text"],
    ] as const) {
      await open(page, route);
      await page.locator(text).first().waitFor();
      const axe = new AxeBuilder({ page }).include(text).withRules(["color-contrast-enhanced"]);
      const { violations, passes } = await axe.analyze();
      expect(violations.flatMap(({ nodes }) => nodes.map((node) => node.html))).toEqual([]);
      expect(passes.length).toBeGreaterThan(0);
    }
  }
});
