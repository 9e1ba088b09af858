// A new session from the beginning of another one, by pointing at a message.
import { expect, test } from "@playwright/test";
import { asked, expectAccessible, expectCalm, open, session } from "./open";

test("a session is continued from a message as a new one, which is then open", async ({ page }) => {
  await open(page, `sessions/${session(0)}`);
  const messages = page.getByRole("feed").locator("article");
  await expect(messages.nth(1)).toBeVisible();
  await messages.nth(1).hover();
  const button = messages.nth(1).getByRole("button", { name: "Continue from here" });
  await expect(button).toBeVisible();
  await page.screenshot({ path: test.info().outputPath("pointed-at.png") });
  await button.click();
  const dialog = page.getByRole("dialog");
  await expect(dialog).toContainText("This session stays as it is, on every device.");
  expect(await asked(page, "fork")).toEqual([]);
  await expectAccessible(page);
  await page.screenshot({ path: test.info().outputPath("question.png") });
  await dialog.getByRole("button", { name: "Continue from here" }).click();
  await expect(page.getByText("New session:")).toBeVisible();
  await expect(page.locator(".reading-title h2")).toContainText("(from message 2)");
  expect(await asked(page, "fork")).toHaveLength(1);
  expectCalm(page);
});

test("the keyboard reaches the same", async ({ page }) => {
  await open(page, `sessions/${session(0)}`);
  const first = page.getByRole("feed").locator("article").first();
  await expect(first).toBeVisible();
  await first.getByRole("button", { name: "Continue from here" }).focus();
  await page.keyboard.press("Enter");
  await expect(page.getByRole("dialog")).toContainText("Continue from this message?");
  await page.keyboard.press("Escape");
  await expect(page.getByRole("dialog")).toHaveCount(0);
  await expect(first.getByRole("button", { name: "Continue from here" })).toBeFocused();
});
