// What is open while it changes elsewhere: a session that grows, shrinks, is written anew or renamed; a split of which
// one side goes on.
import { expect, type Page, test } from "@playwright/test";
import { asked, expectAccessible, expectCalm, inWorld, open, session, settled } from "./open";

const READER = `sessions/${session(0)}`;
const SPLIT = `splits/${session(2)}`;
const feed = (page: Page) => page.getByRole("feed");
const message = (page: Page, n: number) => feed(page).locator(`[aria-posinset='${n}']`);

test("a session that became shorter ends where it ends now", async ({ page }) => {
  await open(page, READER, { state: "transcript" });
  await expect(message(page, 6000)).toBeInViewport();
  await inWorld(page, (fake) => fake.shrink(221));
  await expect(message(page, 5779)).toBeInViewport();
  await expect(message(page, 5779)).toHaveAttribute("aria-setsize", "5779");
  await expect(page.locator(".reading-title")).toContainText("5,779 messages");
  await settled(page);
  await expect(feed(page).locator(".waiting")).toHaveCount(0);
  expectCalm(page);
});

test("a place in a session is kept while its end goes", async ({ page }) => {
  await open(page, `${READER}/3001`, { state: "transcript" });
  await expect(message(page, 3002)).toBeInViewport();
  const top = await feed(page).evaluate((one) => one.scrollTop);
  await inWorld(page, (fake) => fake.shrink(500));
  await expect(message(page, 3002)).toHaveAttribute("aria-setsize", "5500");
  await settled(page);
  expect(await feed(page).evaluate((one) => one.scrollTop)).toBe(top);
});

test("another version that was kept elsewhere is read anew, and not mixed with the one before", async ({ page }) => {
  await open(page, `${READER}/5860`, { state: "transcript" });
  await expect(message(page, 5861)).toBeInViewport();
  await expect(message(page, 5861)).not.toContainText("Written anew");
  await inWorld(page, (fake) => {
    fake.rewrite(5850);
    fake.grow(20);
  });
  await expect(message(page, 5861)).toContainText("Written anew: message 5860.");
  await expect(message(page, 5861)).toHaveAttribute("aria-setsize", "6020");
  expectCalm(page);
});

test("a session that has only begun fills while it is open", async ({ page }) => {
  await open(page, "overview");
  await inWorld(page, (fake) => fake.shrink(28));
  await page.evaluate((place) => {
    location.hash = `#/${place}`;
  }, READER);
  await expect(page.getByText("This session has no messages yet.")).toBeVisible();
  await inWorld(page, (fake) => fake.grow(4));
  await expect(message(page, 4)).toBeVisible();
  await expect(page.getByText("This session has no messages yet.")).toHaveCount(0);
});

test("the last message is shown although the engine answers late", async ({ page }) => {
  await open(page, READER);
  await expect(message(page, 28)).toBeInViewport();
  const shows = async () => (await asked(page, "show")).length;
  const before = await shows();
  await inWorld(page, (fake) => {
    fake.slow(6_000);
    fake.grow(2);
  });
  await expect.poll(shows).toBe(before + 1);
  // The turn ends while the answer is on its way; nothing happens afterwards.
  await inWorld(page, (fake) => fake.grow(2));
  await expect(message(page, 32)).toBeInViewport({ timeout: 60_000 });
});

test("what is said above the messages is what the list says: title, state, what can be done", async ({ page }) => {
  await open(page, READER);
  const head = page.locator(".reading-head");
  await expect(message(page, 28)).toBeInViewport();
  await expect(head.getByRole("link", { name: "Compare versions" })).toHaveCount(0);
  await inWorld(page, (fake) => {
    Object.assign(fake.world.sessions[0], { state: "split", title: "Another title", why: "Two versions." });
    fake.grow(1);
  });
  await expect(head.getByRole("heading")).toHaveText("Another title");
  await expect(head).toContainText("29 messages");
  await expect(head.getByRole("link", { name: "Compare versions" })).toBeVisible();
  await expect(page.locator(".notice")).toContainText("Two versions.");
  await inWorld(page, (fake) => {
    Object.assign(fake.world.sessions[0], { state: "here", why: undefined });
    fake.world.status.happenings += 1;
    fake.tell();
  });
  await expect(head.getByRole("link", { name: "Compare versions" })).toHaveCount(0);
  await expect(page.locator(".notice")).toHaveCount(0);
  await expectAccessible(page);
});

test("a page that cannot be loaded is asked for once, and Retry asks again", async ({ page }) => {
  await open(page, READER, { state: "transcript" });
  await expect(message(page, 6000)).toBeInViewport();
  await inWorld(page, (fake) => fake.refuse("show", { code: "busy", message: "Not now.", hint: "", actions: [] }));
  const before = (await asked(page, "show")).length;
  await feed(page).evaluate((one) => one.scrollTo(0, 100_000));
  await settled(page);
  await expect(page.getByRole("alert")).toContainText("Not now.");
  await page.keyboard.press("[");
  await page.keyboard.press("Alt+ArrowDown");
  await settled(page);
  // A place, and both jumps from it.
  expect((await asked(page, "show")).length - before).toBeLessThan(8);
  await expect(feed(page).locator(".waiting").first()).toBeVisible();
  await inWorld(page, (fake) => fake.refuse("show", null));
  await page.getByRole("button", { name: "Retry" }).click();
  await settled(page);
  await expect(feed(page).locator(".waiting")).toHaveCount(0);
  await expect(page.getByRole("alert")).toHaveCount(0);
});

test("days are named where they change", async ({ page }) => {
  await open(page, READER, { state: "transcript" });
  await feed(page).evaluate((one) => one.scrollTo(0, 0));
  await expect(page.locator(".day-mark").first()).toHaveText("Friday 20 November");
  await expectAccessible(page);
  await page.screenshot({ path: test.info().outputPath("day.png") });
});

test("a line that was found leads to its message a second time, too", async ({ page }) => {
  await open(page, "sessions");
  await page.getByRole("searchbox").fill("token");
  const line = page.locator(".found-line").first();
  await line.click();
  await expect(message(page, 13)).toBeInViewport();
  await feed(page).evaluate((one) => one.scrollTo(0, one.scrollHeight));
  await expect(message(page, 13)).not.toBeInViewport();
  await line.click();
  await expect(message(page, 13)).toBeInViewport();
});

test("a side that goes on is compared again once it rests, and the place stays", async ({ page }) => {
  await open(page, SPLIT);
  await page.keyboard.press("n");
  await page.keyboard.press("n");
  await expect(page.locator(".diff-row.marked")).toHaveAttribute("id", "diff-5");
  await inWorld(page, (fake) => fake.goOn(2));
  await expect(page.getByText("laptop is still adding to this session.")).toBeVisible();
  // Looked at before it is compared again.
  await inWorld(page, (fake) => fake.slow(8_000));
  await page.screenshot({ path: test.info().outputPath("goes-on.png") });
  await expectAccessible(page);
  await inWorld(page, (fake) => fake.slow(0));
  await expect(page.getByRole("columnheader").nth(1)).toContainText("3 turns");
  await expect(page.getByText("laptop is still adding to this session.")).toHaveCount(0);
  await expect(page.locator(".diff-row.marked")).toHaveAttribute("id", "diff-5");
  await expect(page.locator(".diff-row.marked")).toBeInViewport();
  await expect(page.getByRole("grid")).toBeFocused();
  await expect(page.getByText("And then? (1)")).toHaveCount(1);
  expectCalm(page);
});

test("nothing is put away that was not shown", async ({ page }) => {
  await open(page, SPLIT);
  await page.getByRole("button", { name: "Keep desk's version" }).click();
  await expect(page.locator(".preview")).toContainText("laptop's 2 turns (11 messages)");
  await inWorld(page, (fake) => {
    fake.world.continued = 2;
  });
  await page.getByRole("button", { name: "Continue with desk's version" }).click();
  await expect(page.getByText("laptop continued meanwhile. Nothing was decided")).toBeVisible();
  expect(await asked(page, "resolve")).toEqual([]);
  await expect(page.locator(".preview")).toContainText("laptop's 3 turns (13 messages)");
  await page.getByRole("button", { name: "Continue with desk's version" }).click();
  await expect(page.getByText("Now using desk's version.")).toBeVisible();
  expect(await asked(page, "resolve")).toHaveLength(1);
});

test("of three versions, a chosen one that goes on stays the chosen one", async ({ page }) => {
  await open(page, SPLIT, { state: "several" });
  const second = page.getByLabel("Second version");
  await second.selectOption({ index: 2 });
  await settled(page);
  await expect(page.getByRole("columnheader").nth(1)).toContainText("studio");
  await inWorld(page, (fake) => {
    for (const split of fake.world.splits) if (split.branches[2]) split.branches[2].branch = "feedbeef";
    fake.goOn(1);
  });
  await expect(second).toHaveValue("feedbeef");
  await expect(page.getByRole("columnheader").nth(1)).toContainText("studio");
  await expect(page.getByRole("grid")).toBeVisible();
  await expect(page.getByRole("alert")).toHaveCount(0);
});
