// The keys of the whole window: the palette, views, the sheet, text size, and focus that is never lost.
import { expect, type Page, test } from "@playwright/test";
import { asked, expectAccessible, expectCalm, expectNoSidewaysScroll, open, session, settled } from "./open";

const focused = (page: Page) => page.evaluate(() => document.activeElement?.tagName);

test("Ctrl K goes to views, does things, and finds sessions by title", async ({ page }) => {
  await open(page, "overview");
  await page.keyboard.press("Control+k");
  const field = page.getByRole("combobox", { name: "View, action or session" });
  await expect(field).toBeFocused();
  await expect(page.getByRole("option", { selected: true })).toContainText("Overview");
  await expectAccessible(page);
  await page.keyboard.type("proj");
  await expect(page.getByRole("option", { selected: true })).toContainText("Projects");
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/#\/projects$/);
  await page.keyboard.press("Control+k");
  await page.keyboard.type("rate limits (3)");
  await expect(page.getByRole("option")).toHaveCount(1);
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { name: "Rate limits per tenant (3)" })).toBeVisible();
  await page.keyboard.press("Control+k");
  await page.keyboard.type("pause");
  await page.keyboard.press("Enter");
  expect(await asked(page, "pause")).toHaveLength(1);
  await page.keyboard.press("Control+k");
  await page.keyboard.type("no such thing");
  await expect(page.getByText("Nothing matches.")).toBeVisible();
  await expectAccessible(page);
  await page.keyboard.press("Escape");
  await expect(field).toHaveCount(0);
  expectCalm(page);
});

test("the arrows go round in the palette, and a click does the same", async ({ page }) => {
  await open(page, "overview");
  await page.keyboard.press("Control+k");
  await expect(page.getByRole("option", { name: /Fix login race/ })).toBeAttached();
  await page.keyboard.press("ArrowUp");
  await expect(page.getByRole("option", { selected: true })).toBeInViewport();
  await page.keyboard.press("ArrowDown");
  await expect(page.getByRole("option", { selected: true })).toContainText("Overview");
  await page.getByRole("option", { name: /Theme: dark/ }).click();
  expect(await page.evaluate(() => document.documentElement.style.colorScheme)).toBe("dark");
  await page.reload();
  await page.getByRole("heading", { level: 1 }).waitFor();
  expect(await page.evaluate(() => document.documentElement.style.colorScheme)).toBe("dark");
  await expectAccessible(page);
});

test("Ctrl 1 to 7 are the views, also while something is typed", async ({ page }) => {
  await open(page, "overview");
  const views = ["overview", "sessions", "splits", "devices", "tools", "projects", "settings"];
  for (const [at, view] of views.entries()) {
    await page.keyboard.press(`Control+${at + 1}`);
    await expect(page).toHaveURL(new RegExp(`#/${view}$`));
  }
  await page.keyboard.press("Control+2");
  await page.getByRole("searchbox").focus();
  await page.keyboard.press("Control+7");
  await expect(page).toHaveURL(/settings/);
  expectCalm(page);
});

test("? shows every key on one sheet, and focus goes back", async ({ page }) => {
  await open(page, "sessions");
  const list = page.getByRole("listbox", { name: "Sessions" });
  await list.focus();
  await page.keyboard.press("?");
  const sheet = page.getByRole("dialog", { name: "Keyboard shortcuts" });
  await expect(sheet).toContainText("larger, smaller, normal text");
  await expectAccessible(page);
  await page.keyboard.press("Escape");
  await expect(list).toBeFocused();
  await page.keyboard.press("Control+w");
  expect(await asked(page, "close_window")).toHaveLength(1);
});

test("the text grows, stays so over a reload, and the layout folds with it", async ({ page }) => {
  await open(page, "devices");
  for (let step = 0; step < 6; step++) await page.keyboard.press("Control+=");
  const size = () => page.evaluate(() => getComputedStyle(document.documentElement).fontSize);
  expect(await size()).toBe("32px");
  for (const route of ["overview", "sessions", "devices", "tools", "projects", "settings"]) {
    await page.evaluate((hash) => {
      location.hash = `#/${hash}`;
    }, route);
    await settled(page);
    await expectNoSidewaysScroll(page);
    await expectAccessible(page);
  }
  await page.reload();
  await page.getByRole("navigation").waitFor();
  expect(await size()).toBe("32px");
  await page.keyboard.press("Control+0");
  expect(await size()).toBe("16px");
});

test("a list that is open grows with its text", async ({ page }) => {
  await open(page, "sessions");
  const list = page.getByRole("listbox", { name: "Sessions" });
  await list.focus();
  for (let step = 0; step < 8; step++) await page.keyboard.press("Control+=");
  await settled(page);
  const row = await list
    .getByRole("option")
    .first()
    .evaluate((one) => one.getBoundingClientRect().height);
  expect(await list.evaluate((one) => one.scrollHeight)).toBeGreaterThanOrEqual(48 * row);
  await page.keyboard.press("End");
  const last = list.getByRole("option", { selected: true });
  await expect(last).toHaveAttribute("aria-posinset", "48");
  await expect(last).toBeInViewport({ ratio: 0.9 });
});

test("letters work with a layout of another script", async ({ page }) => {
  await open(page, "sessions");
  const press = (key: string, code: string, ctrlKey: boolean) =>
    page.evaluate(
      (init) => {
        document.activeElement?.dispatchEvent(
          new KeyboardEvent("keydown", { ...init, bubbles: true, cancelable: true }),
        );
      },
      { key, code, ctrlKey },
    );
  const list = page.getByRole("listbox", { name: "Sessions" });
  await list.focus();
  await press("о", "KeyJ", false);
  await expect(list.getByRole("option", { selected: true })).toHaveAttribute("aria-posinset", "2");
  await press("л", "KeyK", true);
  await expect(page.getByRole("combobox", { name: "View, action or session" })).toBeFocused();
  await page.keyboard.press("Escape");
  await expect(list).toBeFocused();
});

test("a dialog begins at its main action: r and Enter resume", async ({ page }) => {
  await open(page, "sessions");
  await page.getByRole("listbox", { name: "Sessions" }).focus();
  await page.keyboard.press("r");
  await expect(page.getByRole("dialog").locator(".button.main")).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(page.getByText("Started in a terminal.")).toBeVisible();
  expect(await asked(page, "start_tool")).toEqual([{ cmd: "start_tool", session: session(0) }]);
});

test("the focus is never lost to the page: after a release, an undo, an answer", async ({ page }) => {
  await open(page, "overview", { state: "held" });
  const release = page.locator(".line, .held, li").getByRole("button").first();
  await release.focus();
  await page.keyboard.press("Enter");
  await settled(page);
  expect(await focused(page)).not.toBe("BODY");
  await open(page, "devices", { state: "asking" });
  await page.getByRole("button", { name: "Not my device" }).first().press("Enter");
  await expect(page.getByText("tablet has this device's code.")).toHaveCount(0);
  expect(await focused(page)).not.toBe("BODY");
});
