// Forgetting a session: asked once, in words that say all of it; taken back; the receipts.
import { expect, test } from "@playwright/test";
import { asked, expectAccessible, expectCalm, open, session } from "./open";

test("a session is forgotten after one question, and that can be taken back", async ({ page }) => {
  await open(page, `sessions/${session(0)}`);
  // The heading has the title once the transcript is there.
  await expect(page.getByRole("feed").locator("article").first()).toBeVisible();
  const title = (await page.locator(".reading-title h2").textContent()) ?? "";
  await page.getByRole("button", { name: "More" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("button", { name: "Forget everywhere…" }).click();
  await expect(dialog).toContainText("It is removed from desk");
  await expect(dialog).toContainText("You can undo this for 10 minutes. After that it is permanent.");
  expect(await asked(page, "forget")).toEqual([]);
  await expectAccessible(page);
  await page.screenshot({ path: test.info().outputPath("question.png") });
  await dialog.getByRole("button", { name: "Keep it" }).click();
  await dialog.getByRole("button", { name: "Forget everywhere…" }).click();
  await dialog.getByRole("button", { name: "Forget everywhere", exact: true }).click();
  await expect(page.getByText("47 sessions")).toBeVisible();
  await expect(dialog).toHaveCount(0);

  await page.goto(`${page.url().split("#")[0]}#/settings`);
  await expect(page.getByText(`“${title}”`)).toBeVisible();
  await expect(page.getByText("laptop: waiting. It has not received this yet.")).toBeVisible();
  await expectAccessible(page);
  await page.screenshot({ path: test.info().outputPath("receipts.png"), fullPage: true });
  await page.getByRole("region", { name: "Forgotten sessions" }).getByRole("button", { name: "Undo" }).click();
  await expect(page.getByText(`“${title}” is no longer forgotten.`)).toBeVisible();
  expectCalm(page);
});
