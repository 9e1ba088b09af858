// What is undone is what the button says, and what came of it is said.
import { expect, type Page, test } from "@playwright/test";
import { asked, expectAccessible, expectCalm, inWorld, NOW, open, session, settled } from "./open";

async function forget(page: Page): Promise<void> {
  await page.getByRole("button", { name: "More" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("button", { name: "Forget everywhere…" }).click();
  await dialog.getByRole("button", { name: "Forget everywhere", exact: true }).click();
  await expect(page.getByText("Session forgotten.")).toBeVisible();
}

const told = (page: Page) => page.locator(".told-box");

test("a forgotten session is back after the message's Undo, which says so", async ({ page }) => {
  await open(page, `sessions/${session(0)}`);
  await forget(page);
  await told(page).getByRole("button", { name: "Undo" }).click();
  await expect(told(page)).toContainText("“Fix login race” is no longer forgotten.");
  await expect(page.getByText("48 sessions")).toBeVisible();
  await expectAccessible(page);
  expectCalm(page);
});

test("an undo that is refused says why", async ({ page }) => {
  await open(page, `sessions/${session(0)}`);
  await forget(page);
  const error = { code: "engine_not_running", message: "session-roam is not running.", hint: "Start it.", actions: [] };
  await inWorld(page, (fake, error) => fake.refuse("undo", error as never), error);
  await told(page).getByRole("button", { name: "Undo" }).click();
  await expect(told(page)).toContainText("session-roam is not running. Start it.");
  await expect(told(page).getByRole("button", { name: "Undo" })).toHaveCount(0);
});

test("Undo is offered no longer than it is possible", async ({ page }) => {
  await open(page, `sessions/${session(0)}`);
  await inWorld(
    page,
    (fake, now) => {
      fake.world.now = (now as number) - 600_000 + 4_000;
    },
    NOW,
  );
  await forget(page);
  await expect(told(page).getByRole("button", { name: "Undo" })).toBeVisible();
  await expect(told(page)).toHaveCount(0);
  expect(await asked(page, "undo")).toEqual([]);
});

test("in a comparison nothing is undone that no button names", async ({ page }) => {
  await open(page, `splits/${session(2)}`);
  await inWorld(
    page,
    (fake, id) => {
      fake.world.applied.add(id);
      fake.world.status.happenings += 1;
      fake.tell();
    },
    session(2),
  );
  const offers = async () => (await asked(page, "undoable")).length;
  const before = await offers();
  await expect.poll(offers).toBeGreaterThan(before);
  await settled(page);
  await page.keyboard.press("Control+z");
  await settled(page);
  expect(await asked(page, "undo")).toEqual([]);
});

test("a session's history names what Undo takes back, and its message says what it did", async ({ page }) => {
  await open(page, `sessions/${session(2)}`);
  await inWorld(page, (fake, id) => fake.world.applied.add(id), session(2));
  await page.getByRole("button", { name: "More" }).click();
  const dialog = page.getByRole("dialog");
  const undo = dialog.getByRole("button", { name: /^Undo: .*laptop/ });
  await expect(undo).toBeVisible();
  await expect(dialog.getByRole("button", { name: /^Undo/ })).toHaveCount(1);
  await expectAccessible(page);
  await page.screenshot({ path: test.info().outputPath("history.png") });
  await undo.click();
  await expect(page.getByText("4 files of laptop's working tree were taken back.")).toBeVisible();
  await expect(dialog.getByRole("button", { name: /^Undo/ })).toHaveCount(0);
});

test("what became another undo meanwhile is not done", async ({ page }) => {
  await open(page, `splits/${session(2)}`);
  await page.getByRole("button", { name: "Keep both" }).click();
  await page.getByRole("button", { name: "Keep both" }).first().click();
  const undo = page.getByRole("button", { name: "Undo: kept both versions of “Fix login race”" });
  await expect(undo).toBeVisible();
  await inWorld(page, (fake) => {
    fake.world.decided[0].choice = "keep-left";
    fake.world.decided[0].kept = "desk";
  });
  await undo.click();
  await expect(page.getByRole("alert")).toContainText("Something else would be undone now.");
  expect(await asked(page, "undo")).toEqual([]);
  await expect(page.getByRole("button", { name: "Undo: kept desk's version of “Fix login race”" })).toBeVisible();
});
