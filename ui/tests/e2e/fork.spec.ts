// A new session from the beginning of another one, by the menu of a message.
import { expect, test } from "@playwright/test";
import { asked, expectAccessible, expectCalm, open, session } from "./open";

test("a session is continued from a message as a new one, which is then open", async ({ page }) => {
  await open(page, `sessions/${session(0)}/1`);
  const message = page.getByRole("feed").locator("[aria-posinset='2']");
  await expect(message).toBeVisible();
  await message.hover();
  const button = message.getByRole("button", { name: "Message actions" });
  await expect(button).toBeVisible();
  await button.click();
  await expect(page.getByRole("menuitem").first()).toBeFocused();
  await expectAccessible(page);
  await page.screenshot({ path: test.info().outputPath("pointed-at.png") });
  await page.getByRole("menuitem", { name: "Continue from here" }).click();
  const dialog = page.getByRole("dialog");
  await expect(dialog).toContainText("This session stays as it is, on every device.");
  expect(await asked(page, "fork")).toEqual([]);
  await expectAccessible(page);
  await page.screenshot({ path: test.info().outputPath("question.png") });
  await dialog.getByRole("button", { name: "Continue from here" }).click();
  await expect(page.getByText("New session:")).toBeVisible();
  await expect(page.locator(".reading-title h2")).toContainText("(from message 1)");
  expect(await asked(page, "fork")).toHaveLength(1);
  expectCalm(page);
});

test("the keyboard reaches the same", async ({ page }) => {
  await open(page, `sessions/${session(0)}/0`);
  const button = page.getByRole("feed").locator("[aria-posinset='1']").getByRole("button", { name: "Message actions" });
  await button.focus();
  await page.keyboard.press("Enter");
  const item = page.getByRole("menuitem", { name: "Continue from here" });
  await expect(item).toBeVisible();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowDown");
  await expect(item).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(page.getByRole("dialog")).toContainText("Continue from this message?");
  await page.keyboard.press("Escape");
  await expect(page.getByRole("dialog")).toHaveCount(0);
  await expect(button).toBeFocused();
  await page.keyboard.press("Enter");
  await page.keyboard.press("Escape");
  await expect(page.getByRole("menu")).toHaveCount(0);
  await expect(button).toBeFocused();
});
