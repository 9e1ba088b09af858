// Importing conversations: what can be chosen, dropped, followed and cancelled, and what is said of the result.
import { expect, type Page, test } from "@playwright/test";
import { asked, expectAccessible, expectCalm, expectNoSidewaysScroll, open } from "./open";

type Drag = { kind: string; is_picture?: boolean; data?: string; error?: object };

const drag = (page: Page, what: Drag) =>
  page.evaluate((what) => {
    const { fake } = globalThis as unknown as { fake: { drag(drag: unknown): void } };
    fake.drag(what);
  }, what);

for (const [route, state] of [
  ["tools", "quiet"],
  ["sessions", "empty"],
] as const) {
  test(`conversations are imported from ${route}, followed and cancelled`, async ({ page }) => {
    await open(page, route, { state });
    await page.getByRole("button", { name: "Import conversations…", exact: true }).click();
    const strip = page.getByRole("region", { name: "Import of conversations" });
    await expect(strip).toContainText("Importing chatgpt-export.zip 71 conversations · 62.4 MB of 187 MB");
    await expect(strip.getByRole("progressbar")).toBeVisible();
    await expectAccessible(page);
    // It is seen wherever one goes.
    await page.getByRole("link", { name: "Overview" }).click();
    await expect(strip).toBeVisible();
    await strip.getByRole("button", { name: "Cancel import" }).click();
    await expect(strip).toContainText(
      "The import of chatgpt-export.zip was canceled. What was already imported stays.",
    );
    await strip.getByRole("button", { name: "Dismiss" }).click();
    await expect(strip).toHaveCount(0);
    expect(await asked(page, "choose_import")).toEqual([
      {
        cmd: "choose_import",
        title: "Choose an export (zip or conversations.json), sessions in the open format or transcripts",
        directory: false,
      },
    ]);
    expect(await asked(page, "import")).toEqual([]);
    expectCalm(page);
  });
}

test("a tool whose conversations are on a service's servers says so, and where to import them", async ({ page }) => {
  await open(page, "tools", { state: "quiet" });
  const card = page.getByRole("listitem").filter({ has: page.getByRole("heading", { name: "Chat Service" }) });
  await expect(card).toContainText("Nothing imported yet");
  await expect(card).toContainText("keeps its conversations on its servers, those of its desktop app too");
  await expect(card).toContainText(
    "Supported versions: exports of 2023 to 2026, from public descriptions read on 2026-11-29",
  );
  await expect(card).toContainText("Its sessions sync and can be read on your other devices.");
  await card.getByRole("button", { name: "Import a folder of Chat Service…" }).click();
  await expect(page.getByRole("region", { name: "Import of conversations" })).toContainText("Importing history");
});

test("the result is told in words, with what was left out and why", async ({ page }) => {
  await open(page, "sessions", { state: "import-done" });
  const strip = page.getByRole("region", { name: "Import of conversations" });
  await expect(strip).toContainText("212 conversations of Chat Service: 200 new, 10 with more messages, 2 unchanged.");
  await strip.getByText("14 not imported").click();
  await expect(strip).toContainText("README.md: nobody speaks in it");
  await expect(strip).toContainText("and 12 more");
  await expectAccessible(page);
  await expectNoSidewaysScroll(page);
  await strip.getByRole("button", { name: "Show sessions" }).click();
  await expect(page).toHaveURL(/#\/sessions$/);
});

test("an import that failed says what to do", async ({ page }) => {
  await open(page, "overview", { state: "import-failed" });
  const strip = page.getByRole("region", { name: "Import of conversations" });
  await expect(strip).toContainText("Not imported: holiday.zip and 2 more.");
  await expect(strip).toContainText("neither conversations.json nor transcripts in Markdown.");
  await expect(strip).toContainText("Give the zip as it was downloaded");
  await expectAccessible(page);
});

test("files dragged over the window show where they go; a refusal is told", async ({ page }) => {
  await open(page, "overview", { state: "quiet" });
  await drag(page, { kind: "over", is_picture: false });
  await expect(page.getByText("Drop to import conversations")).toBeVisible();
  await expectAccessible(page);
  await drag(page, { kind: "gone" });
  await expect(page.getByText("Drop to import conversations")).toHaveCount(0);
  await drag(page, {
    kind: "refused",
    error: { code: "import_running", message: "Another import runs already.", hint: "Wait until it ends." },
  });
  await expect(page.locator(".told")).toContainText("Another import runs already. Wait until it ends.");
  expectCalm(page);
});

test("nothing of the page can be dragged, and what a browser drops is not opened", async ({ page }) => {
  await open(page, "sessions", { state: "quiet" });
  const prevented = await page.evaluate(() =>
    ["dragstart", "dragover", "drop"].map((kind) => {
      const event = new DragEvent(kind, { bubbles: true, cancelable: true });
      document.querySelector("a")!.dispatchEvent(event);
      return event.defaultPrevented;
    }),
  );
  expect(prevented).toEqual([true, true, true]);
});

for (const [width, height] of [
  [720, 520],
  [480, 320],
] as const) {
  test(`${width} × ${height}: an import leaves room for the view`, async ({ page }) => {
    await page.setViewportSize({ width, height });
    for (const state of ["import-runs", "import-done", "import-failed"]) {
      for (const route of ["overview", "tools", "sessions"]) {
        await open(page, route, { state });
        await expect(page.getByRole("region", { name: "Import of conversations" })).toBeVisible();
        await expectNoSidewaysScroll(page);
        await expectAccessible(page);
        const main = await page.locator("main").boundingBox();
        expect(main!.height).toBeGreaterThan(100);
      }
    }
  });
}
