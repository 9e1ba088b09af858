// Apps that ask to keep their sessions here: seen at once, decided under Tools.
import { expect, test } from "@playwright/test";
import { asked, expectAccessible, expectCalm, expectNoSidewaysScroll, open } from "./open";

test("an app that asks is seen on the overview and allowed under Tools", async ({ page }) => {
  await open(page, "overview", { state: "problems" });
  await expect(page.getByText("The app “notes” asks to keep its sessions here.")).toBeVisible();
  await page.getByRole("link", { name: "Decide under Tools" }).click();
  const apps = page.getByRole("region", { name: "Apps", exact: true });
  await expect(apps.getByRole("listitem")).toContainText([
    "agent-desk allowed",
    "notes asks to keep its sessions here",
    "old-notes refused; what it kept stays",
  ]);
  await expectAccessible(page);
  await expectNoSidewaysScroll(page);
  await apps.getByRole("button", { name: "Allow notes" }).click();
  await expect(apps.getByRole("listitem").nth(1)).toContainText("notes allowed");
  await apps.getByRole("button", { name: "Refuse agent-desk" }).click();
  await expect(apps.getByRole("listitem").first()).toContainText("refused");
  await apps.getByRole("button", { name: "Let old-notes ask again" }).click();
  await expect(apps.getByRole("listitem")).toHaveCount(2);
  expect(await asked(page, "app_allow")).toEqual([{ cmd: "app_allow", app: "notes" }]);
  await page.getByRole("link", { name: "Overview" }).click();
  await expect(page.getByText("asks to keep its sessions here")).toHaveCount(0);
  expectCalm(page);
});

test("without apps nothing is said of them", async ({ page }) => {
  await open(page, "tools", { state: "quiet" });
  await expect(page.getByRole("heading", { name: "Tools", level: 1 })).toBeVisible();
  await expect(page.getByRole("region", { name: "Apps", exact: true })).toHaveCount(0);
});
