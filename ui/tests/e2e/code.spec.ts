// Another device's uncommitted changes: shown before a session is resumed, taken over if wanted.
import { expect, test } from "@playwright/test";
import { asked, expectAccessible, expectCalm, expectNoSidewaysScroll, inWorld, open, session } from "./open";

const resume = async (page: import("@playwright/test").Page, n: number) => {
  await open(page, `sessions/${session(n)}`);
  await page.getByRole("button", { name: "Resume", exact: true }).first().click();
  const dialog = page.getByRole("dialog");
  await expect(dialog).toContainText("working tree are not here");
  return dialog;
};

test("files are listed with their differences, and nothing is taken over unasked", async ({ page }) => {
  const dialog = await resume(page, 0);
  await expect(dialog).toContainText("4 files of");
  await expect(dialog).toContainText("Programs may run or obey it");
  await dialog.getByText("src/session.rs").click();
  await expect(dialog.getByRole("group", { name: "src/session.rs" })).toContainText("self.refreshing.lock()");
  await dialog.getByText("1 file stayed on").click();
  await expect(dialog).toContainText(".env has the name of a file with credentials");
  await expectAccessible(page);
  await page.screenshot({ path: test.info().outputPath("offer.png") });
  await dialog.getByRole("button", { name: /^Resume/ }).click();
  await expect(page.getByText("Started in a terminal.")).toBeVisible();
  expect(await asked(page, "code_apply")).toEqual([]);
  expectCalm(page);
});

test("what is wanted is taken over before the tool starts", async ({ page }) => {
  const dialog = await resume(page, 0);
  await dialog.getByRole("switch").click();
  await expect(dialog.getByRole("switch")).toHaveAttribute("aria-checked", "true");
  await dialog.getByRole("button", { name: /^Resume/ }).click();
  await expect(page.getByText("Started in a terminal.")).toBeVisible();
  expect(await asked(page, "code_apply")).toHaveLength(1);
  expect(await asked(page, "start_tool")).toHaveLength(1);
  expectCalm(page);
});

test("a project's changes are switched on and off", async ({ page }) => {
  await open(page, "projects");
  const switches = page.getByRole("switch", { name: /^Let uncommitted changes of/ });
  await expect(switches.and(page.locator("[aria-checked=true]"))).toHaveCount(1);
  await expect(switches.first()).toHaveAttribute("aria-checked", "true");
  await switches.first().click();
  await expect(switches.first()).toHaveAttribute("aria-checked", "false");
  expect(await asked(page, "code_switch")).toHaveLength(1);
  await expectAccessible(page);
  await page.screenshot({ path: test.info().outputPath("projects.png") });
  expectCalm(page);
});

test("a project with changes is asked about in one line, and the answer ends the question", async ({ page }) => {
  for (const [button, on] of [
    ["Take them along: acme/api", true],
    ["Leave them here: acme/api", false],
  ] as const) {
    await open(page, "overview", { state: "code-asked" });
    const question = page.getByText("Take uncommitted changes of acme/api along with its sessions?");
    await expect(question).toHaveCount(1);
    await expect(page.locator(".line", { has: question })).toContainText("Now 3 files");
    // What another device's changes did here is in the activity.
    await expect(page.locator(".activity")).toContainText("3 files applied · laptop");
    await expectAccessible(page);
    await expectNoSidewaysScroll(page);
    await page.screenshot({ path: test.info().outputPath(`question-${on}.png`) });
    await page.getByRole("button", { name: button }).click();
    await expect(question).toHaveCount(0);
    expect(await asked(page, "code_switch")).toMatchObject([{ project: "git:github.com/acme/api", on }]);
    expectCalm(page);
  }
});

test("what was recorded can be removed when a project is switched off", async ({ page }) => {
  await open(page, "projects");
  const remove = page.getByRole("button", { name: /^Remove what was recorded/ });
  await expect(remove).toHaveCount(0);
  await page
    .getByRole("switch", { name: /^Let uncommitted changes of/ })
    .first()
    .click();
  await remove.click();
  await expect(remove).toHaveCount(0);
  expect(await asked(page, "code_forget")).toHaveLength(1);
  await expectAccessible(page);
  expectCalm(page);
});

test("files that were taken over are given back from the message", async ({ page }) => {
  const dialog = await resume(page, 0);
  await dialog.getByRole("switch").click();
  await dialog.getByRole("button", { name: /^Resume/ }).click();
  const told = page.locator(".told");
  await expect(told).toContainText(/4 files of .* working tree are now in .*Started in a terminal\./);
  await told.getByRole("button", { name: "Undo" }).click();
  await expect(told).toContainText("were taken back");
  expectCalm(page);
});

test("an offer that could not be looked for is no offer that is not there", async ({ page }) => {
  for (const [button, start] of [
    ["Resume", /^Resume/],
    ["Continue from here", "Continue from here"],
  ] as const) {
    await open(page, `sessions/${session(0)}/1`);
    await inWorld(page, (fake) =>
      fake.refuse("code_offer", { code: "busy", message: "Too much at once.", hint: "", actions: [] }),
    );
    if (button === "Resume") await page.getByRole("button", { name: "Resume", exact: true }).first().click();
    else {
      const message = page.getByRole("feed").locator("[aria-posinset='2']");
      await message.hover();
      await message.getByRole("button", { name: "Message actions" }).click();
      await page.getByRole("menuitem", { name: button }).click();
    }
    const dialog = page.getByRole("dialog");
    await expect(dialog).toContainText("Whether another device has uncommitted changes is not known");
    await expect(dialog.getByRole("button", { name: start })).toBeVisible();
    await inWorld(page, (fake) => fake.refuse("code_offer", null));
    await dialog.getByRole("button", { name: "Retry" }).click();
    await expect(dialog).toContainText("working tree are not here");
  }
});
