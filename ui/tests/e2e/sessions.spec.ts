// The list of sessions, the transcript, going on with one: by keyboard, with 50,000 rows, with hostile text.
import AxeBuilder from "@axe-core/playwright";
import { expect, test } from "@playwright/test";
import { asked, downTo, expectAccessible, expectCalm, inWorld, open, session, settled } from "./open";

test("by keyboard alone: search, mark, read, resume, go back", async ({ page }) => {
  await open(page, "sessions");
  const list = page.getByRole("listbox", { name: "Sessions" });
  await expect(page.getByText("48 sessions")).toBeVisible();
  await page.keyboard.press("/");
  await expect(page.getByRole("searchbox")).toBeFocused();
  await page.keyboard.type("rate limits");
  await expect(page.getByText("3 of 48 sessions")).toBeVisible();
  await page.keyboard.press("ArrowDown");
  await expect(list).toBeFocused();
  await page.keyboard.press("ArrowDown");
  await expect(list.getByRole("option", { selected: true })).toContainText("Rate limits per tenant (2)");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { name: "Rate limits per tenant (2)" })).toBeVisible();
  await page.keyboard.press("r");
  const dialog = page.getByRole("dialog");
  await expect(dialog).toContainText("--resume");
  await expectAccessible(page);
  await page.keyboard.press("Escape");
  await expect(dialog).toHaveCount(0);
  await page.keyboard.press("Escape");
  await expect(list).toBeFocused();
  await expect(page).toHaveURL(/#\/sessions$/);
  expectCalm(page);
});

test("filters by tool, project and device, and says when nothing is left", async ({ page }) => {
  await open(page, "sessions");
  await page.getByLabel("Tool").selectOption("codex");
  await page.getByLabel("Device").selectOption("laptop");
  await expect(page.getByRole("listbox").getByRole("option").first()).toContainText("laptop");
  await page.getByRole("searchbox").fill("no such session");
  await expect(page.getByText("No title matches")).toBeVisible();
  await page.getByRole("button", { name: "Clear filters" }).click();
  await expect(page.getByText("48 sessions")).toBeVisible();
});

test("50,000 rows: few are drawn, the last is one key away, the search finds one of them", async ({ page }) => {
  await open(page, "sessions", { state: "many" });
  const options = page.getByRole("listbox").getByRole("option");
  const list = page.getByRole("listbox", { name: "Sessions" });
  await expect(page.getByText("50,000 sessions", { exact: true })).toBeVisible();
  await list.focus();
  await page.keyboard.press("End");
  await expect(list.getByRole("option", { selected: true })).toHaveAttribute("aria-posinset", "50000");
  await expect(list.getByRole("option", { selected: true })).toBeInViewport();
  const drawn = await page.locator(".session-row").count();
  expect(drawn).toBeLessThan(60);
  await page.getByRole("searchbox").fill("lexer (3125)");
  await expect(options).toHaveCount(1);
  expectCalm(page);
});

test("a transcript shows text, folds the rest, and runs nothing in it", async ({ page }) => {
  let said = "";
  page.on("dialog", (dialog) => {
    said = dialog.message();
    void dialog.dismiss();
  });
  await open(page, `sessions/${session(0)}`);
  const feed = page.getByRole("feed");
  await expect(feed.locator("article").first()).toBeVisible();
  await feed.evaluate((element) => element.scrollTo(0, 0));
  await expect(feed.locator("pre code").first()).toContainText("pub fn refresh");
  const thinking = feed.locator("details").first();
  await expect(thinking).not.toHaveAttribute("open");
  await thinking.locator("summary").click();
  await expect(thinking).toContainText("Let me look at both.");
  await feed.focus();
  const hostile = feed.getByText("<script>alert('never run')</script>").first();
  await downTo(page, hostile);
  expect(await page.locator("#app script").count()).toBe(0);
  expect(said).toBe("");
});

test("a link is opened only after its address was shown", async ({ page }) => {
  await open(page, `sessions/${session(0)}`);
  await page.getByRole("link", { name: "the standard's section on refreshing" }).first().click();
  const dialog = page.getByRole("dialog");
  await expect(dialog).toContainText("https://www.rfc-editor.org/rfc/rfc6749#section-6");
  expect(await asked(page, "open_link")).toEqual([]);
  await expectAccessible(page);
  await dialog.getByRole("button", { name: "Open in browser" }).click();
  await expect(dialog).toHaveCount(0);
  expect(await asked(page, "open_link")).toEqual([
    { cmd: "open_link", url: "https://www.rfc-editor.org/rfc/rfc6749#section-6" },
  ]);
});

test("6,000 messages: few are drawn, and reading on stays where it is", async ({ page }) => {
  await open(page, `sessions/${session(0)}`, { state: "transcript" });
  const feed = page.getByRole("feed");
  await expect(feed.locator("article").first()).toBeVisible();
  await feed.evaluate((element) => element.scrollTo(0, element.scrollHeight / 2));
  await settled(page);
  await expect(feed.locator("article.waiting")).toHaveCount(0);
  expect(await feed.locator("article").count()).toBeLessThan(60);
  // Scrolling upwards over rows never measured: what is read moves by what was scrolled, not by what was guessed.
  const moved = await feed.evaluate(async (element) => {
    const frame = () => new Promise((done) => requestAnimationFrame(done));
    const jumps: number[] = [];
    for (let step = 0; step < 40; step++) {
      const box = element.getBoundingClientRect();
      const seen = [...element.querySelectorAll("article")].find(
        (one) => one.getBoundingClientRect().top > box.top + 60,
      )!;
      const top = seen.getBoundingClientRect().top;
      element.scrollTop -= 50;
      await frame();
      await frame();
      jumps.push(Math.abs(seen.getBoundingClientRect().top - top - 50));
    }
    return Math.max(...jumps);
  });
  expect(moved).toBeLessThan(3);
  expectCalm(page);
});

test("resuming says what must be known, and why it cannot be where it cannot", async ({ page }) => {
  await open(page, `sessions/${session(0)}`);
  await page.getByRole("button", { name: "Resume", exact: true }).click();
  await expect(page.getByRole("dialog")).toContainText("It was open on laptop 12 s ago.");
  await page.getByRole("button", { name: "Resume anyway" }).click();
  await expect(page.getByText("Started in a terminal.")).toBeVisible();
  expect(await asked(page, "start_tool")).toEqual([{ cmd: "start_tool", session: session(0) }]);
  await open(page, `sessions/${session(11)}`);
  await page.getByRole("button", { name: "Resume", exact: true }).click();
  await expect(page.getByRole("dialog")).toContainText("Its tool is not on this device.");
});

test("the checkout here is compared with what the session knew, before it goes on", async ({ page }) => {
  await open(page, `sessions/${session(4)}`);
  await page.getByRole("button", { name: "Resume", exact: true }).click();
  const dialog = page.getByRole("dialog");
  await expect(dialog).toContainText("The session was on branch fix/login, this checkout is on main.");
  await expect(dialog).toContainText("commit 3f2c1aa, which is not here yet: fetch first");
  await expect(dialog).toContainText("This checkout has 3 changed files.");
  await expectAccessible(page);
  await page.getByRole("button", { name: "Resume anyway" }).click();
  await expect(page.getByText("Started in a terminal.")).toBeVisible();
});

test("calls, long results and pictures are asked for when they are unfolded, and not before", async ({ page }) => {
  await open(page, `sessions/${session(0)}`);
  const feed = page.getByRole("feed");
  await feed.evaluate((element) => element.scrollTo(0, 0));
  const call = feed.locator("details").filter({ hasText: "src/session.rs" }).first();
  await expect(call.locator("summary")).toContainText("Read");
  await call.locator("summary").click();
  await expect(call.locator(".code-line").nth(1)).toContainText("slot: Mutex<Slot>,");
  await call.locator("summary").click();
  const long = feed.locator("details").filter({ hasText: "cargo test auth" }).first();
  await long.locator("summary").click();
  await expect(long).toContainText("test auth::case_0 ... ok");
  expect(await asked(page, "show_part")).toEqual([]);
  await expect(long).not.toContainText("test auth::case_899 ... ok");
  await long.getByRole("button", { name: /Show .* more/ }).click();
  await long.getByRole("button", { name: /Show .* more/ }).click();
  await expect(long).toContainText("test auth::case_899 ... ok");
  await long.locator("summary").click();
  await feed.focus();
  const image = feed.locator("details").filter({ hasText: "image/png" });
  await downTo(page, image);
  await image.locator("summary").click();
  const picture = image.getByRole("img", { name: /^Image of/ });
  await expect(picture).toBeVisible();
  await expect.poll(() => picture.evaluate((element: HTMLImageElement) => element.naturalWidth)).toBe(96);
  // A drawing may hold programs: it is named, and not drawn.
  const drawing = feed.locator("details").filter({ hasText: "image/svg+xml" });
  await drawing.locator("summary").click();
  await expect(drawing).toContainText("cannot be shown here");
  expect(await asked(page, "show_part")).toHaveLength(3);
  await expectAccessible(page);
  expectCalm(page);
});

test("a transcript comes page by page", async ({ page }) => {
  await open(page, `sessions/${session(0)}`, { state: "transcript" });
  const feed = page.getByRole("feed");
  await expect(feed.locator("article").first()).toBeVisible();
  await expect(feed.locator("article[aria-posinset='6000']")).toBeVisible();
  await expect(feed.locator("article.waiting")).toHaveCount(0);
  expect((await asked(page, "show")).map((request) => request.from)).toEqual([0, 5900]);
  await feed.evaluate((element) => element.scrollTo(0, 0));
  await expect(feed.locator("article[aria-posinset='1']")).toBeVisible();
  const pages = (await asked(page, "show")).map((request) => request.from);
  expect(pages).toContain(5900);
  expect(pages.length).toBeLessThan(6);
});

test("a session is saved, its history read, and its last decision taken back", async ({ page }) => {
  await open(page, `splits/${session(2)}`);
  await page.getByRole("button", { name: "Keep desk's version" }).click();
  await page.getByRole("button", { name: "Continue with desk's version" }).click();
  await page.getByRole("link", { name: "Open session" }).click();
  await page.getByRole("button", { name: "More" }).click();
  const dialog = page.getByRole("dialog");
  await expect(dialog).toContainText("kept one version, the other is in the vault · desk");
  await expectAccessible(page);
  await dialog.getByRole("radio", { name: /Data/ }).check();
  await dialog.getByRole("button", { name: "Choose folder and save" }).click();
  await expect(dialog).toContainText(`/home/mara/code/flow/${session(2)}.json`);
  expect(await asked(page, "export")).toMatchObject([{ format: "json", dir: "/home/mara/code/flow" }]);
  await dialog.getByRole("button", { name: "Undo" }).click();
  await expect(dialog).toContainText("decision undone");
  await expect(dialog.getByRole("button", { name: "Undo" })).toHaveCount(0);
  await page.keyboard.press("Escape");
  await expect(page.getByRole("button", { name: "More" })).toBeFocused();
  expectCalm(page);
});

test("a session that is not here is brought back", async ({ page }) => {
  await open(page, `sessions/${session(11)}`);
  await page.getByRole("button", { name: "Restore" }).click();
  await expect(page.getByText("is back in this device's store.")).toBeVisible();
  await expect(page.getByRole("button", { name: "Restore" })).toHaveCount(0);
});

test("what was said has the higher contrast, light and dark, here and in a split", async ({ page }) => {
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme });
    for (const [route, text] of [
      [`sessions/${session(0)}`, ".rich"],
      [`splits/${session(2)}`, ".cell-body .rich"],
    ] as const) {
      await open(page, route);
      await page.locator(text).first().waitFor();
      const axe = new AxeBuilder({ page }).include(text).withRules(["color-contrast-enhanced"]);
      const { violations, passes } = await axe.analyze();
      expect(violations.flatMap(({ nodes }) => nodes.map((node) => node.html))).toEqual([]);
      expect(passes.length).toBeGreaterThan(0);
    }
  }
});

test("a transcript says which device wrote what, and what it changed of how the tool works", async ({ page }) => {
  await open(page, `sessions/${session(1)}`);
  const mark = page.getByText("laptop changed: approval policy → never");
  await page.mouse.move(700, 400);
  while (!(await mark.isVisible())) {
    await page.mouse.wheel(0, -600);
    await settled(page);
  }
  await expect(page.getByText("On laptop", { exact: true })).toBeAttached();
  await expectAccessible(page);
  expectCalm(page);
});

test("groups by day; the order, words and filters stay when another view was open, and over a reload", async ({
  page,
}) => {
  await open(page, "sessions");
  const list = page.getByRole("listbox", { name: "Sessions" });
  await expect(list.getByText("Today", { exact: true })).toBeVisible();
  await expect(list.getByText("Yesterday", { exact: true })).toBeVisible();
  await page.getByRole("searchbox").fill("race");
  await page.getByLabel("Tool").selectOption("claude-code");
  await expect(page.getByText("2 of 48 sessions")).toBeVisible();
  await page.getByLabel("Sort by").selectOption("title");
  const kept = async () => {
    await expect(page.getByRole("searchbox")).toHaveValue("race");
    await expect(page.getByLabel("Tool")).toHaveValue("claude-code");
    await expect(page.getByLabel("Sort by")).toHaveValue("title");
    await expect(page.getByText("2 of 48 sessions")).toBeVisible();
  };
  await page.keyboard.press("Control+1");
  await page.keyboard.press("Control+2");
  await kept();
  await page.reload();
  await kept();
  await page.getByRole("button", { name: "Clear filters" }).click();
  await expect(list.getByRole("option").first()).toContainText("A smaller bundle for the landing page");
  await expect(list.getByText("Today", { exact: true })).toHaveCount(0);
  expectCalm(page);
});

for (const [state, n, top] of [
  ["busy", "48 sessions", 700],
  ["many", "50,000 sessions", 1_000_000],
] as const) {
  test(`${n}: the place in the list stays when another view was open`, async ({ page }) => {
    await open(page, "sessions", { state });
    await expect(page.getByText(n, { exact: true })).toBeVisible();
    const list = page.getByRole("listbox", { name: "Sessions" });
    await list.evaluate((element, top) => element.scrollTo(0, top), top);
    const place = () => list.evaluate((element) => element.scrollTop);
    const kept = () => page.evaluate(() => sessionStorage.getItem("sessions.top"));
    await expect.poll(kept).toBe(String(top));
    await page.keyboard.press("Control+1");
    await expect(list).toHaveCount(0);
    await page.keyboard.press("Control+2");
    await expect(page.getByText(n, { exact: true })).toBeVisible();
    await expect.poll(place).toBe(top);
    await page.reload();
    await expect.poll(place).toBe(top);
  });
}

test("states are chips with counts, and pinned sessions come first", async ({ page }) => {
  await open(page, "sessions");
  const list = page.getByRole("listbox", { name: "Sessions" });
  const states = page.getByRole("group", { name: "State" });
  await states.getByRole("button", { name: "Two versions 1" }).click();
  await expect(page.getByText("1 of 48 sessions")).toBeVisible();
  await states.getByRole("button", { name: "Open now 1" }).click();
  await expect(list.getByRole("option")).toContainText(["Fix login race"]);
  await states.getByRole("button", { name: "Open now 1" }).click();
  await expect(page.getByText("48 sessions", { exact: true })).toBeVisible();
  await list.focus();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("p");
  await expect(list.getByText("Pinned", { exact: true })).toBeVisible();
  await expect(list.getByRole("option").first()).toContainText("Make the importer resumable");
  await expectAccessible(page);
  await page.reload();
  await expect(list.getByRole("option").first()).toContainText("Make the importer resumable");
  await page.getByRole("button", { name: "Pinned 1" }).click();
  await expect(list.getByRole("option")).toHaveCount(1);
  await page.keyboard.press("p");
  await expect(page.getByText("No title matches")).toBeVisible();
  expectCalm(page);
});

test("a title has the whole width of its row, whatever the state beside it", async ({ page }) => {
  await open(page, "sessions");
  const [row, title] = ["", ".session-title"].map((inner) =>
    page.locator(`#session-${session(2)} ${inner}`.trim()).boundingBox(),
  );
  expect((await title)!.width).toBeGreaterThan((await row)!.width * 0.7);
});

test("a session is renamed on all devices, and gets its tool's title again", async ({ page }) => {
  await open(page, `sessions/${session(2)}`);
  const head = page.locator(".reading-head h2");
  const own = (await head.textContent())!;
  await page.keyboard.press("F2");
  const dialog = page.getByRole("dialog", { name: "Rename this session" });
  await expect(dialog.getByLabel("Title")).toBeFocused();
  await expectAccessible(page);
  await dialog.getByLabel("Title").fill("  ");
  await expect(dialog.getByRole("button", { name: "Rename" })).toHaveAttribute("aria-disabled", "true");
  await dialog.getByLabel("Title").fill("The login race");
  await page.keyboard.press("Enter");
  await expect(head).toHaveText("The login race");
  await expect(page.getByRole("listbox").getByRole("option", { name: /The login race/ })).toBeVisible();
  expect(await asked(page, "rename_session")).toMatchObject([{ session: session(2), title: "The login race" }]);
  await page.getByRole("button", { name: "Rename…" }).click();
  await dialog.getByRole("button", { name: `Use “${own}” again` }).click();
  await expect(head).toHaveText(own);
  expectCalm(page);
});

test("a long list is asked for page by page", async ({ page }) => {
  await open(page, "sessions", { state: "many" });
  await expect(page.getByText("50,000 sessions")).toBeVisible();
  const pages = (await asked(page, "sessions")) as { filter: { limit: number } }[];
  expect(pages.length).toBeGreaterThan(20);
  expect(Math.max(...pages.map((one) => one.filter.limit))).toBe(2_000);
  expectCalm(page);
});

test("a session of the list has a menu, by mouse and by keyboard", async ({ page }) => {
  await open(page, "sessions");
  const list = page.getByRole("listbox", { name: "Sessions" });
  const menu = page.getByRole("menu", { name: "Session actions" });
  const third = list.getByRole("option").nth(2);
  const title = await third.locator(".session-title").innerText();
  await third.click({ button: "right" });
  await expect(menu.getByRole("menuitem")).toContainText([
    "Open session",
    "Resume…",
    "Pin to the top",
    "Rename…",
    "Save a copy, history, forget…",
  ]);
  await expect(list.getByRole("option", { selected: true })).toContainText(title);
  await expectAccessible(page);
  await menu.getByRole("menuitem", { name: "Pin to the top" }).click();
  await expect(list.getByRole("option").first()).toContainText(title);

  await list.focus();
  await page.keyboard.press("Home");
  await page.keyboard.press("Shift+F10");
  await expect(menu.getByRole("menuitem", { name: "Open session" })).toBeFocused();
  await page.keyboard.press("End");
  await page.keyboard.press("ArrowUp");
  await page.keyboard.press("Enter");
  const dialog = page.getByRole("dialog", { name: "Rename" });
  await expect(dialog.getByRole("textbox")).toHaveValue(title);
  await page.keyboard.press("Escape");
  await expect(list).toBeFocused();

  // What two devices continued can be compared from here.
  await page.getByRole("button", { name: /Two versions/ }).click();
  await list.getByRole("option").first().click({ button: "right" });
  await menu.getByRole("menuitem", { name: "Compare versions" }).click();
  await expect(page).toHaveURL(/#\/splits\//);
  expectCalm(page);
});

test("a link from the tray asks before it resumes, once", async ({ page }) => {
  await open(page, `sessions/${session(0)}/resume`);
  const dialog = page.getByRole("dialog", { name: "Resume “Fix login race”" });
  await expect(dialog).toContainText("Before you continue");
  await dialog.getByRole("button", { name: "Cancel" }).click();
  await expect(page).toHaveURL(new RegExp(`#/sessions/${session(0)}$`));
  await page.evaluate((id) => {
    location.hash = `#/sessions/${id}/resume`;
  }, session(0));
  await expect(dialog).toBeVisible();
});

test("R and P work on the open session that a filter hides", async ({ page }) => {
  await open(page, `sessions/${session(0)}`);
  await page.getByRole("searchbox", { name: "Search sessions" }).fill("importer");
  await expect(page.getByRole("option", { name: /Fix login race/ })).toHaveCount(0);
  await page.getByRole("searchbox", { name: "Search sessions" }).blur();
  await page.keyboard.press("r");
  await expect(page.getByRole("dialog", { name: "Resume “Fix login race”" })).toBeVisible();
});

test("a search that failed does not say that there is nothing", async ({ page }) => {
  await open(page, `sessions/${session(0)}`);
  await inWorld(page, (fake) =>
    fake.refuse("find", { code: "busy", message: "Too much at once.", hint: "Try again.", actions: [] }),
  );
  await page.getByRole("textbox", { name: "Find in this session" }).fill("token");
  await expect(page.getByText("Search failed")).toBeVisible();
  await expect(page.getByText("No matches")).toHaveCount(0);
  await expect(page.locator(".told")).toContainText("Too much at once. Try again.");
});

test("a command is copied from a dialog also where the page has no clipboard, or says that it is not", async ({
  page,
}) => {
  await page.addInitScript(() => {
    Object.defineProperty(navigator, "clipboard", { value: { writeText: () => Promise.reject(new Error("no")) } });
  });
  await open(page, `sessions/${session(0)}/resume`);
  await page.evaluate(() => {
    document.addEventListener("copy", () => {
      document.body.dataset.copied = document.getSelection()?.toString() ?? "";
    });
  });
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("button", { name: "Copy command" }).click();
  await expect(dialog.getByRole("status").filter({ hasText: "Copied." })).toBeVisible();
  await expect(page.locator("body")).toHaveAttribute("data-copied", /claude --resume/);
  await page.evaluate(() => {
    document.execCommand = () => false;
  });
  await dialog.getByRole("button", { name: "Copy command" }).click();
  await expect(dialog.getByText("Not copied.")).toBeVisible();
});
