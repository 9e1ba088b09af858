// Every view in every state: it has words, no error, no accessibility violation, and fits its window.
import { expect, test } from "@playwright/test";
import { asked, expectAccessible, expectCalm, expectNoSidewaysScroll, inWorld, open, session } from "./open";

const SPLIT = `splits/${session(2)}`;

/** State, view, words that must be there. */
const CASES: [state: string, route: string, words: string | RegExp][] = [
  ["busy", "overview", "“Fix login race” was continued on both desk and laptop"],
  ["busy", "sessions", "48 sessions"],
  ["busy", `sessions/${session(0)}`, "Does that also hold when two tabs refresh at the same moment?"],
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
  ["failed", "overview", "Syncing stopped unexpectedly."],
  ["stopped", "overview", "session-roam has stopped."],
  ["broken", "overview", "config.toml is not valid"],
  ["chosen", "overview", "3 sessions are not synced by your choice."],
  ["crowd", "overview", "and 239 other sessions"],
  ["waiting", "overview", "2 sessions sync later by themselves."],
  ["waiting", "tools", "3 sessions are waiting on this device"],
  ["held", "overview", "31 sessions vanished from Claude Code's store at once."],
  ["problems", "overview", /no icons in its panel.*over 128 MiB and stays on this device/s],
  ["asking", "devices", "tablet asks to pair."],
  ["asking", "overview", "tablet has this device's code and asks to pair"],
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
  ["refused", "splits", "The splits could not be loaded."],
  ["refused", SPLIT, "The versions could not be compared."],
  ["refused", "devices", "This could not be loaded"],
  ["refused", "tools", "This could not be loaded"],
  ["refused", "projects", "This could not be loaded"],
  ["lost", "overview", "session-roam is not responding."],
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

for (const state of ["busy", "asking", "missing"]) {
  test(`${state}: dark is as readable as light`, async ({ page }) => {
    await page.emulateMedia({ colorScheme: "dark" });
    for (const route of LOOKS.filter((one) => one !== SPLIT || state === "busy")) {
      await open(page, route, { state });
      await expectAccessible(page);
    }
  });
}

for (const [width, height, name] of [
  [720, 480, "720 × 480"],
  [480, 320, "200 % zoom"],
] as const) {
  for (const state of ["busy", "long"]) {
    test(`${name}, ${state}: the sidebar folds to icons and nothing is lost`, async ({ page }) => {
      await page.setViewportSize({ width, height });
      for (const route of LOOKS) {
        await open(page, route, { state });
        await expect(page.getByRole("link", { name: "Overview" })).toBeVisible();
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
  await expect(page.getByText("Up to date with")).toBeVisible();
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

test("sessions that vanished at once are listed, and restored or confirmed", async ({ page }) => {
  await open(page, "overview", { state: "held" });
  await page.getByRole("button", { name: /^I deleted them….*31 sessions vanished/ }).click();
  const dialog = page.getByRole("dialog", { name: "Did you delete these sessions?" });
  await expect(dialog.getByRole("listitem")).toHaveCount(31);
  await expect(dialog).toContainText("Make the importer resumable");
  await expectAccessible(page);
  await dialog.getByRole("button", { name: "Cancel" }).click();
  expect(await asked(page, "release")).toEqual([]);
  await page.getByRole("button", { name: "Restore 31 sessions" }).click();
  await expect(page.getByText("31 sessions vanished from Claude Code")).toHaveCount(0);
  expect(await asked(page, "restore")).toEqual([{ cmd: "restore", session: "tool:claude-code" }]);

  await open(page, "overview", { state: "held" });
  await page.getByRole("button", { name: /^I deleted them….*31 sessions vanished/ }).click();
  await page.getByRole("dialog").getByRole("button", { name: "I deleted them" }).click();
  await expect(page.getByText("31 sessions vanished from Claude Code")).toHaveCount(0);
  expect(await asked(page, "release")).toEqual([{ cmd: "release", what: "tool:claude-code" }]);
});

for (const [button, title, confirm, n, what] of [
  ["Forget them here too…", "Forget these sessions on this device too?", "Forget them", 12, "forgotten"],
  ["Accept the changes…", "Accept the other devices' versions?", "Accept the changes", 24, "rewritten"],
] as const) {
  test(`“${button}” names the sessions first, and waits for the list`, async ({ page }) => {
    await open(page, "overview", { state: "held" });
    const ask = page.getByRole("button", { name: new RegExp(`^${button}`) });
    await inWorld(page, (fake) =>
      fake.refuse("vanished", { code: "busy", message: "Too much at once.", hint: "", actions: [] }),
    );
    await ask.click();
    const dialog = page.getByRole("dialog", { name: title });
    await expect(dialog).toContainText("The list could not be loaded");
    await dialog.getByRole("button", { name: confirm }).click({ force: true });
    expect(await asked(page, "release")).toEqual([]);
    await inWorld(page, (fake) => fake.refuse("vanished", null));
    await dialog.getByRole("button", { name: "Retry" }).click();
    await expect(dialog.getByRole("listitem")).toHaveCount(n);
    await expectAccessible(page);
    await page.screenshot({ path: test.info().outputPath("question.png") });
    await dialog.getByRole("button", { name: confirm }).click();
    await expect(dialog).toHaveCount(0);
    expect(await asked(page, "release")).toEqual([{ cmd: "release", what }]);
  });
}

test("what another device wants to forget leads to the device that may be stolen", async ({ page }) => {
  await open(page, "overview", { state: "held" });
  await page.getByRole("button", { name: /^Show devices: 12 sessions were forgotten/ }).click();
  await expect(page).toHaveURL(/#\/devices/);
});

test("without an engine there is what starts it, and nothing that cannot work", async ({ page }) => {
  await open(page, "overview", { state: "stopped" });
  const head = page.locator(".headline");
  await expect(head.getByRole("button", { name: /^Open logs/ })).toBeVisible();
  await expect(page.getByRole("button", { name: "Pair a device" })).toHaveCount(0);
  await expect(page.getByText("could not be loaded")).toHaveCount(0);
  await head.getByRole("button", { name: /^Start/ }).click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText(/^Up to date/);
  await expect(page.getByRole("region", { name: "Recent sessions" })).toBeVisible();
  expectCalm(page);
});

test("a broken settings file can be opened where it is named", async ({ page }) => {
  await open(page, "overview", { state: "broken" });
  await expect(page.getByText("expected `=` in line 4")).toHaveCount(1);
  await page.getByRole("button", { name: /^Open settings file/ }).click();
  await expect
    .poll(() => asked(page, "open_path"))
    .toEqual([{ cmd: "open_path", path: "/home/mara/.local/share/session-roam/config.toml" }]);
});

test("an engine that hangs is restarted", async ({ page }) => {
  await open(page, "overview", { state: "lost" });
  await page
    .locator(".headline")
    .getByRole("button", { name: /^Retry/ })
    .click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText(/^Up to date/);
  expect(await asked(page, "restart")).toHaveLength(1);
});

test("an answer that never came has its own remedies, and no pairing beside it", async ({ page }) => {
  await open(page, "overview", { state: "quiet" });
  await page.addInitScript(() => {
    const wait = setInterval(() => {
      const { fake } = globalThis as unknown as { fake?: { refuse(cmd: string, error: object): void } };
      if (!fake) return;
      clearInterval(wait);
      fake.refuse("status", {
        code: "engine_not_running",
        message: "session-roam is not running on this device.",
        hint: "",
        actions: [{ do: "start_engine" }, { do: "open_logs" }],
      });
    });
  });
  await open(page, "overview", { state: "quiet", delay: 300 });
  await expect(page.getByRole("alert").getByRole("button", { name: /^Start session-roam/ })).toBeVisible();
  await expect(page.getByRole("button", { name: "Pair a device" })).toHaveCount(0);
});

test("what failed is dismissed, not “retried” by hiding it", async ({ page }) => {
  await open(page, "overview", { state: "paused" });
  await inWorld(page, (fake) =>
    fake.refuse("continue", { code: "busy", message: "Too much at once.", hint: "", actions: [] }),
  );
  await page.getByRole("button", { name: "Continue" }).click();
  const alert = page.getByRole("alert").filter({ hasText: "Too much at once." });
  await expect(alert).toBeVisible();
  await expect(alert.getByRole("button", { name: "Retry" })).toHaveCount(0);
  await alert.getByRole("button", { name: "Dismiss" }).click();
  await expect(alert).toHaveCount(0);
});

test("what is not synced by choice says so, and is taken back there", async ({ page }) => {
  await open(page, "overview", { state: "chosen" });
  await expect(page.getByText("later by")).toHaveCount(0);
  await page.getByText("3 sessions are not synced by your choice.").click();
  await page
    .getByRole("button", { name: /^Sync this project/ })
    .first()
    .click();
  await expect.poll(() => asked(page, "project_exclude")).toMatchObject([{ excluded: false }]);
});

test("a folder is asked for once, however many sessions wait for it", async ({ page }) => {
  await open(page, "overview", { state: "crowd" });
  const needs = page.getByRole("region", { name: "Needs attention" });
  await expect(needs.getByRole("listitem")).toHaveCount(3);
  await expect(needs).toContainText("and 3 other sessions");
  await expect(needs.getByRole("button", { name: /^Choose folder/ })).toHaveCount(2);
});

test("another device's rewrite is accepted, or compared first", async ({ page }) => {
  await open(page, "overview", { state: "held" });
  await page.getByRole("button", { name: /^Compare versions.*laptop rewrote the session/ }).click();
  await expect(page.getByText("laptop changed this session. desk keeps what it has until you accept")).toBeVisible();
  await expect(page.getByRole("columnheader").nth(1)).toContainText("laptop");
  await expectAccessible(page);
  await page.getByRole("button", { name: "Accept laptop's version" }).click();
  expect(await asked(page, "release")).toEqual([{ cmd: "release", what: `session:${session(4)}` }]);
  await expect(page.getByRole("link", { name: "Open session" })).toBeVisible();
  expectCalm(page);
  await open(page, "overview", { state: "held" });
  await page.getByRole("button", { name: /^Accept the other version.*Dark mode/ }).click();
  await expect(page.getByText("laptop rewrote the session")).toHaveCount(0);
  expect(await asked(page, "release")).toEqual([{ cmd: "release", what: `session:${session(4)}` }]);
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("3 items need your attention.");
});

for (const [state, button, request] of [
  ["stopped", "Start", "start_engine"],
  ["failed", "Retry", "restart"],
  ["missing", "Locate Syncthing…", "choose_syncthing"],
] as const) {
  test(`${state}: “${button}” is where the problem is shown`, async ({ page }) => {
    await open(page, "overview", { state });
    await expect(page.locator(".sidebar .state")).toHaveClass(/tone-trouble/);
    await page
      .locator(".headline")
      .getByRole("button", { name: new RegExp(`^${button}`) })
      .click();
    expect(await asked(page, request)).toHaveLength(1);
    await expect(page.locator(".sidebar .state")).not.toHaveClass(/tone-trouble/);
    expectCalm(page);
  });
}

test("logs open from the problem, and a folder is chosen where it is missing", async ({ page }) => {
  await open(page, "overview", { state: "failed" });
  await page.getByRole("button", { name: /^Open logs/ }).click();
  await expect
    .poll(() => asked(page, "open_path"))
    .toEqual([{ cmd: "open_path", path: "/home/mara/.local/share/session-roam/logs" }]);
  await open(page, "overview", { state: "waiting" });
  await page.getByRole("button", { name: /^Choose folder…: Split the monolith/ }).click();
  await expect
    .poll(() => asked(page, "project_map"))
    .toMatchObject([{ key: "git:gitlab.com/rivers/flow", dir: "/home/mara/code/flow" }]);
});

test("nothing is green while everything is refused", async ({ page }) => {
  await open(page, "overview", { state: "refused" });
  await expect(page.locator(".sidebar .state")).toHaveClass(/tone-trouble/);
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Nothing can be read or saved.");
  await expect(page.getByRole("button", { name: /^Retry/ }).first()).toBeVisible();
  await expect(page.getByText("Up to date")).toHaveCount(0);
});

test("a quiet overview has no empty sections, and its sessions open and resume", async ({ page }) => {
  await open(page, "overview", { state: "quiet" });
  await expect(page.getByRole("heading", { level: 2 })).toHaveText(["Arrived", "Recent sessions", "Activity"]);
  await page.getByRole("region", { name: "Recent sessions" }).getByRole("button").first().click();
  await expect(page.getByRole("dialog", { name: "Resume “Fix login race”" })).toBeVisible();
  await page.keyboard.press("Escape");
  await page.getByRole("region", { name: "Recent sessions" }).getByRole("link").first().click();
  await expect(page.getByRole("feed")).toBeVisible();
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
