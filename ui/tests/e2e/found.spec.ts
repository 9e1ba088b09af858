// Words in messages: found while they are typed, and the line leads to its message.
import { expect, test } from "@playwright/test";
import { asked, expectAccessible, expectCalm, open } from "./open";

test("a line of a message is found while its words are typed, and leads there", async ({ page }) => {
  await open(page, "sessions");
  await page.keyboard.press("/");
  await page.getByRole("searchbox").fill("refresh token");
  const found = page.getByRole("region", { name: "In messages" });
  const line = found.getByRole("link");
  await expect(line).toContainText("Two requests refresh the same token");
  await expect(line.locator("mark")).toHaveText("token");
  await expectAccessible(page);
  await page.screenshot({ path: test.info().outputPath("found.png") });
  await line.click();
  const led = page.locator("article.led");
  await expect(led).toBeInViewport();
  await expect(led).toHaveAttribute("aria-posinset", "13");
  await page.screenshot({ path: test.info().outputPath("led-to.png") });
  await page.getByRole("searchbox").fill("");
  await expect(found).toHaveCount(0);
  expectCalm(page);
});

test("a filter is part of the question, and one letter asks nothing", async ({ page }) => {
  await open(page, "sessions");
  await page.getByRole("searchbox").fill("t");
  await page.getByLabel("Device", { exact: true }).selectOption("laptop");
  await page.getByRole("searchbox").fill("token");
  await expect(page.getByRole("region", { name: "In messages" })).toBeVisible();
  const questions = (await asked(page, "search")) as { words: string }[];
  expect(questions.at(-1)?.words).toBe("token device:laptop");
  expect(questions.every(({ words }) => words.includes("token"))).toBe(true);
});
