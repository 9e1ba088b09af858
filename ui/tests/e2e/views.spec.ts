// Every view in every state: it has words, no error, no accessibility violation, and fits its window.
import { expect, test } from "@playwright/test";
import { asked, expectAccessible, expectCalm, expectNoSidewaysScroll, open, session } from "./open";

const SPLIT = `splits/${session(2)}`;

/** State, view, words that must be there. */
const CASES: [state: string, route: string, words: string | RegExp][] = [
  ["busy", "overview", "“Fix login race” was continued on both desk and laptop"],
  ["busy", "sessions", "48 sessions"],
  ["busy", `sessions/${session(0)}`, "The login test fails every other run. Can you find out why?"],
  ["busy", "splits", "1 session has two versions."],
  ["busy", SPLIT, "412 messages in common"],
  ["busy", "devices", "Connected through a relay"],
  ["busy", "tools", "both versions are kept and can be resolved."],
  ["busy", "projects", "Not on this device"],
  ["busy", "settings", "session-roam 0.1.0"],
  ["quiet", "overview", "Up to date with laptop and studio."],
  ["quiet", "splits", "No session has two versions"],
  ["quiet", SPLIT, "This session no longer has two versions"],
  ["alone", "overview", "No other device is paired."],
  ["alone", "devices", "No other device yet"],
  ["empty", "overview", "No activity yet."],
  ["empty", "sessions", "No sessions yet"],
  ["empty", "projects", "No projects yet"],
  ["empty", "tools", "Not on this device"],
  ["first", "overview", "Choose your tools"],
  ["moving", "overview", "Sending 18.4 MB and receiving 2.3 MB."],
  ["moving", "devices", "87% synced"],
  ["importing", "overview", "Reading your sessions: 412 of 1,065."],
  ["paused", "overview", "Syncing is paused."],
  ["offline", "overview", "laptop and studio are offline."],
  ["offline", "devices", "Last seen 1 h ago"],
  ["missing", "overview", "Syncing is off: Syncthing was not found."],
  ["missing", "settings", "Not found"],
  ["failed", "overview", "no space left on device"],
  ["stopped", "overview", "session-roam has stopped."],
  ["waiting", "overview", "Everything else is up to date. 5 sessions are waiting."],
  ["waiting", "tools", "3 sessions are waiting on this device"],
  ["held", "overview", "31 sessions vanished from Claude Code's store at once."],
  ["problems", "overview", /no icons in its panel.*over 128 MiB and stays on this device/s],
  ["asking", "devices", "tablet asks to pair."],
  ["asking", "overview", "tablet has this device's code"],
  ["pairing", "devices", "Request sent to tablet."],
  ["many", "sessions", "50,000 sessions"],
  ["long", "overview", "items need your attention."],
  ["long", "sessions", "48 sessions"],
  ["long", SPLIT, "412 messages in common"],
  ["long", "devices", "Accept"],
  ["long", "projects", "acme/api"],
  ["rtl", "sessions", "תיקון מרוץ בכניסה למערכת"],
  ["rtl", `sessions/${session(0)}`, "בדיקת הכניסה נכשלת"],
  ["rtl", `splits/${session(0)}`, "נסה קודם את"],
  ["choose", SPLIT, "Nothing is written into the tool until you choose"],
  ["several", SPLIT, "studio"],
  ["big-split", SPLIT, "412 messages in common"],
  ["transcript", `sessions/${session(0)}`, "6,000 messages"],
  ["loading", "overview", "Loading status…"],
  ["loading", "sessions", "Loading sessions…"],
  ["loading", SPLIT, "Comparing the two versions…"],
  ["loading", "devices", "Loading devices…"],
  ["loading", "tools", "Looking for tools…"],
  ["loading", "projects", "Loading projects…"],
  ["refused", "sessions", "session-roam's own files cannot be read"],
  ["refused", `sessions/${session(0)}`, "session-roam's own files cannot be read"],
  ["refused", "splits", "This could not be loaded"],
  ["refused", SPLIT, "Try again"],
  ["refused", "devices", "This could not be loaded"],
  ["refused", "tools", "This could not be loaded"],
  ["refused", "projects", "This could not be loaded"],
  ["lost", "overview", "session-roam ended before it answered"],
];

for (const [state, route, words] of CASES) {
  test(`${state}: ${route.replace(/5e55[\d-]+/, "…")}`, async ({ page }) => {
    await open(page, route, { state });
    await expect(page.locator("body")).toContainText(words);
    await expectAccessible(page);
    await expectNoSidewaysScroll(page);
    expectCalm(page);
  });
}

const LOOKS = ["overview", `sessions/${session(0)}`, "sessions", SPLIT, "devices", "tools", "projects", "settings"];

test("dark is as readable as light", async ({ page }) => {
  test.setTimeout(180_000);
  await page.emulateMedia({ colorScheme: "dark" });
  for (const state of ["busy", "asking", "missing"]) {
    for (const route of LOOKS.filter((one) => one !== SPLIT || state === "busy")) {
      await open(page, route, { state });
      await page.waitForTimeout(300);
      await expectAccessible(page);
    }
  }
});

for (const [width, height, name] of [
  [720, 480, "720 × 480"],
  [480, 320, "200 % zoom"],
] as const) {
  for (const state of ["busy", "long"]) {
    test(`${name}, ${state}: the sidebar folds to icons and nothing is lost`, async ({ page }) => {
      test.setTimeout(120_000);
      await page.setViewportSize({ width, height });
      for (const route of LOOKS) {
        await open(page, route, { state });
        await expect(page.getByRole("link", { name: "Overview" })).toBeVisible();
        await page.waitForTimeout(200);
        await expectNoSidewaysScroll(page);
        await expectAccessible(page);
      }
    });
  }
}

test("what arrives later does not move what stands there already", async ({ page }) => {
  await open(page, "overview", { state: "quiet", delay: 400 });
  const place = () => page.getByRole("button", { name: "Pair a device" }).boundingBox();
  const before = await place();
  await expect(page.getByRole("heading", { level: 1, name: "Up to date" })).toBeVisible();
  expect(await place()).toEqual(before);
});

test("a new status is drawn as it comes", async ({ page }) => {
  await open(page, "overview", { state: "quiet" });
  await expect(page.getByRole("heading", { level: 1 })).toHaveText(/^Up to date/);
  await page.evaluate(() => {
    const { fake } = globalThis as unknown as { fake: { world: { status: { engine: string } }; tell(): void } };
    fake.world.status.engine = "paused";
    fake.tell();
  });
  await expect(page.getByRole("heading", { level: 1 })).toHaveText(/paused/);
  await page.getByRole("button", { name: "Continue" }).click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText(/^Up to date/);
});

test("what a guard held goes on when it was seen", async ({ page }) => {
  await open(page, "overview", { state: "held" });
  await page.getByRole("button", { name: /I deleted them: 31 sessions/ }).click();
  await expect(page.getByText("31 sessions vanished from Claude Code")).toHaveCount(0);
  expect(await asked(page, "release")).toEqual([{ cmd: "release", what: "tool:claude-code" }]);
});

test("a notice is told, and put away", async ({ page }) => {
  await open(page, "overview", { state: "quiet" });
  await page.evaluate(() => {
    const { fake } = globalThis as unknown as { fake: { notice(notice: { title: string; body: string }): void } };
    fake.notice({
      title: "A session has two versions",
      body: "“Fix login race” was continued on both desk and laptop.",
    });
  });
  await expect(page.locator(".told")).toContainText(
    "A session has two versions. “Fix login race” was continued on both desk and laptop.",
  );
  await page.getByRole("button", { name: "Dismiss" }).click();
  await expect(page.locator(".told")).toBeEmpty();
});
