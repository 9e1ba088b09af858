// Pairing in every way it can be done, renaming, parting; tools, projects, settings, the first three steps.
import { expect, test } from "@playwright/test";
import { asked, expectAccessible, expectCalm, inWorld, open, settled } from "./open";

const CODE =
  "session-roam:1?id=ABCDEFG-ABCDEFG-ABCDEFG-ABCDEFG-ABCDEFG-ABCDEFG-ABCDEFG-ABCDEFG&name=tablet&key=MFRGGZDFMZTWQ2LKNNWG23TPOA";

test("a device that has the code is let in by keyboard", async ({ page }) => {
  await open(page, "devices", { state: "asking" });
  await expect(page.getByText("tablet has this device's code.")).toBeVisible();
  await expect(page.getByText("3 more devices ask without this device's code.")).toBeVisible();
  await expectAccessible(page);
  await page.getByRole("button", { name: "Accept" }).focus();
  await page.keyboard.press("Enter");
  await expect(page.getByText("tablet is paired.")).toBeVisible();
  await expect(page.getByRole("button", { name: "Unpair tablet…" })).toBeVisible();
  expectCalm(page);
});

test("a device without the code is compared, and paired only after its digits match", async ({ page }) => {
  await open(page, "devices", { state: "asking" });
  const stranger = page.getByRole("listitem", { name: "A device that calls itself tablet asks to pair." });
  await expect(stranger.getByRole("button", { name: "Accept" })).toHaveCount(0);
  await stranger.getByRole("button", { name: "Compare digits" }).click();
  expect(await asked(page, "accept")).toEqual([]);
  await expect(page.getByRole("img", { name: "Six digits: 4 8 3 9 1 7" })).toBeVisible();
  await expectAccessible(page);
  await page.getByRole("button", { name: "They match" }).click();
  // The digits stay until the other device has confirmed, too.
  const pending = page.getByRole("listitem", { name: "Request sent to tablet." });
  await expect(pending).toContainText("Confirm on tablet if it shows the same digits.");
  await expect(pending.getByRole("img", { name: "Six digits: 4 8 3 9 1 7" })).toBeVisible();
  await expectAccessible(page);
  await expect(page.getByText("tablet is paired.")).toBeVisible();
  await expect(pending).toHaveCount(0);
  expect(await asked(page, "accept")).toMatchObject([{ digits: "483917" }]);
  expectCalm(page);
});

test("digits that differ end the attempt", async ({ page }) => {
  await open(page, "devices", { state: "asking" });
  await page.getByRole("button", { name: "Compare digits" }).click();
  await page.getByRole("button", { name: "They differ" }).click();
  await expect(page.getByText("The digits differ, so nothing was shared.")).toBeVisible();
  expect(await asked(page, "accept")).toEqual([]);
  expect(await asked(page, "unpair")).toHaveLength(1);
});

test("a device that is not mine is refused", async ({ page }) => {
  await open(page, "devices", { state: "asking" });
  await page.getByRole("button", { name: "Not my device" }).first().click();
  await expect(page.getByText("tablet has this device's code.")).toHaveCount(0);
  expect(await asked(page, "accept")).toEqual([]);
  expect(await asked(page, "dismiss")).toHaveLength(1);
});

test("a code is pasted; what is wrong with it is said where it was", async ({ page }) => {
  await open(page, "devices", { state: "alone" });
  const field = page.getByLabel("Code of the other device");
  await expect(page.getByRole("button", { name: "Continue" })).toHaveAccessibleDescription("Paste its code first.");
  await field.press("Enter");
  expect(await asked(page, "pair")).toEqual([]);
  await field.fill("nonsense");
  await field.press("Enter");
  await expect(page.getByRole("alert")).toContainText("This is not a pairing code");
  await expectAccessible(page);
  await field.fill(CODE);
  await page.getByRole("button", { name: "Continue" }).click();
  await expect(page.getByText("This is the code of tablet.")).toBeVisible();
  await expect(page.getByText("the sessions of all tools and projects")).toBeVisible();
  expect(await asked(page, "pair")).toEqual([]);
  await expectAccessible(page);
  await page.getByRole("checkbox", { name: "Also approve here every device that I approve on tablet" }).check();
  await page.getByRole("button", { name: "Pair with tablet" }).click();
  const pending = page.getByRole("listitem", { name: "Request sent to tablet." });
  await expect(pending).toContainText("On tablet, choose “Accept”. Nothing is shared before that.");
  expect(await asked(page, "follow")).toHaveLength(1);
  await expectAccessible(page);
  await pending.getByRole("button", { name: "Cancel pairing with tablet" }).click();
  await expect(pending).toHaveCount(0);
  expect(await asked(page, "unpair")).toHaveLength(1);
});

test("the QR of this device is read back from a picture of it", async ({ page }) => {
  await open(page, "devices", { state: "alone" });
  const qr = page.getByRole("img", { name: "QR code of desk" });
  await expect(qr).toBeVisible();
  const picture = await qr.screenshot();
  await page.locator("input[type=file]").setInputFiles({ name: "qr.png", mimeType: "image/png", buffer: picture });
  const code = await page.getByRole("group", { name: "Code of this device" }).textContent();
  await expect(page.locator("textarea")).toHaveValue(code ?? "");
  await page.getByRole("button", { name: "Continue" }).click();
  await expect(page.getByRole("alert")).toContainText("This is this device's own code.");
});

test("a screenshot of the whole window is dropped and its QR found; a picture without one says so", async ({
  page,
}) => {
  await open(page, "devices", { state: "alone" });
  await page.getByRole("img", { name: "QR code of desk" }).scrollIntoViewIfNeeded();
  const picture = (await page.screenshot()).toString("base64");
  const drop = (data: string) =>
    page.evaluate((data) => {
      const { fake } = globalThis as unknown as { fake: { drag(drag: object): void } };
      fake.drag({ kind: "picture", data });
    }, data);
  // Wherever it is dropped, it is read where devices are paired.
  await page.getByRole("link", { name: "Overview" }).click();
  await drop(picture);
  await expect(page.locator("textarea")).toHaveValue(/^session-roam:1\?id=/);
  await open(page, "devices", { state: "busy" });
  await page.evaluate(() => scrollTo(0, 0));
  await drop((await page.locator(".sidebar").screenshot()).toString("base64"));
  await expect(page.getByRole("alert")).toContainText("No QR code was found in this picture.");
});

test("a device known to others gets nothing until it is approved here with one click", async ({ page }) => {
  await open(page, "devices", { state: "asking" });
  await expect(page.getByText("This device does not sync with them until you approve them here.")).toBeVisible();
  await page.getByRole("button", { name: "Approve studio-mini" }).click();
  await expect(page.getByRole("heading", { name: "studio-mini" })).toBeVisible();
  expect(await asked(page, "approve")).toHaveLength(1);
  await page.getByRole("checkbox", { name: "Also approve here every device that I approve on studio-mini" }).click();
  expect(await asked(page, "follow")).toHaveLength(1);
});

test("a device is revoked after its consequences were shown, and can come back", async ({ page }) => {
  await open(page, "devices");
  await page.getByRole("button", { name: "Revoke studio" }).click();
  await expect(page.getByText("Each of your devices stops syncing with studio")).toBeVisible();
  await expectAccessible(page);
  await page.getByRole("button", { name: "Revoke studio" }).click();
  await expect(page.getByRole("heading", { name: "studio", exact: true })).toHaveCount(0);
  await expect(page.getByText("revoked on desk")).toBeVisible();
  await page.getByRole("button", { name: "Approve studio again" }).click();
  await expect(page.getByRole("heading", { name: "studio", exact: true })).toBeVisible();
  await open(page, "devices", { state: "revoked" });
  await expect(page.getByText("Do not know it yet: laptop.")).toBeVisible();
  await expectAccessible(page);
});

test("what a lost device wrote since a time is taken out, after it was said of how many sessions", async ({ page }) => {
  await open(page, "devices");
  await page.getByRole("button", { name: "Revoke studio" }).click();
  await page.getByRole("checkbox", { name: /lost or stolen/ }).check();
  const since = page.getByLabel("Since", { exact: true });
  await since.fill("2035-01-01T00:00");
  await expect(page.getByRole("status").getByText("Enter a date and time in the past.")).toBeVisible();
  await page.getByRole("button", { name: "Revoke studio" }).click({ force: true });
  expect((await asked(page, "revoke")).every((request) => request.dry === true)).toBe(true);
  await since.fill("2026-01-02T03:04");
  await expect(page.getByText("is removed from 3 sessions on all your devices")).toBeVisible();
  await expectAccessible(page);
  await page.getByRole("button", { name: "Revoke studio" }).click();
  await expect(page.getByText("What it wrote later was removed.")).toBeVisible();
  const told = (await asked(page, "revoke")).at(-1);
  const local = await page.evaluate(() => new Date("2026-01-02T03:04").toISOString());
  expect(told).toMatchObject({ dry: false, since: local });
});

test("a device nearby is picked, and compared only after it was said what that does", async ({ page }) => {
  await open(page, "devices", { state: "asking" });
  const near = page.getByRole("region", { name: "On this network" });
  await expect(near.getByRole("button")).toHaveCount(2);
  // Syncthing tells no names: one without is called by the beginning of its ID.
  await near.getByRole("button", { name: /^Pair with [A-Z2-7]{7}$/ }).click();
  await expect(page.getByText("Nothing is shared before you have compared them")).toBeVisible();
  expect(await asked(page, "pair")).toEqual([]);
  await expectAccessible(page);
  await page.getByRole("button", { name: "Compare digits with tablet" }).click();
  await expect(page.getByRole("listitem", { name: "Request sent to tablet." })).toContainText(
    "On tablet, choose “Compare digits” beside this device's request.",
  );
});

test("why nobody is nearby is said in words", async ({ page }) => {
  await open(page, "devices", { state: "alone" });
  await expect(page.getByText("No other device found yet.")).toBeVisible();
  await open(page, "devices", { state: "missing" });
  await page.getByRole("button", { name: "Pair a device" }).click();
  const near = page.getByRole("region", { name: "On this network" });
  await expect(near).toContainText("Syncthing, which finds them, does not run. Pairing by code works anyway.");
});

test("the camera reads a code, and lets go of it", async ({ page }) => {
  await open(page, "devices", { state: "alone" });
  const picture = (await page.getByRole("img", { name: "QR code of desk" }).screenshot()).toString("base64");
  await page.evaluate(async (data) => {
    const image = new Image();
    image.src = `data:image/png;base64,${data}`;
    await image.decode();
    const canvas = document.createElement("canvas");
    Object.assign(canvas, { width: 640, height: 480 });
    const brush = canvas.getContext("2d")!;
    const draw = () => {
      brush.fillStyle = "#fff";
      brush.fillRect(0, 0, 640, 480);
      brush.drawImage(image, 120, 40, 400, 400);
    };
    setInterval(draw, 50);
    draw();
    const stream = canvas.captureStream(20);
    Object.assign(globalThis, { stream });
    navigator.mediaDevices.getUserMedia = async () => stream;
  }, picture);
  await page.getByRole("button", { name: "Use camera" }).click();
  await expect(page.locator("textarea")).toHaveValue(/^session-roam:1\?id=/);
  await expect(page.locator("video")).toHaveCount(0);
  // The page draws first and lets go then.
  const states = () =>
    page.evaluate(() =>
      (globalThis as unknown as { stream: MediaStream }).stream.getTracks().map((track) => track.readyState),
    );
  await expect.poll(states).toEqual(["ended"]);
  expectCalm(page);
});

test("without a camera it says what to do instead", async ({ page }) => {
  await page.addInitScript(() => Object.defineProperty(navigator, "mediaDevices", { value: undefined }));
  await open(page, "devices", { state: "alone" });
  await page.getByRole("button", { name: "Use camera" }).click();
  await expect(page.getByText("This window cannot use a camera.")).toBeVisible();
  await page.getByRole("button", { name: "Stop camera" }).click();
  await expect(page.getByText("This window cannot use a camera.")).toHaveCount(0);
  expectCalm(page);
});

test("each store of a tool has its own switch", async ({ page }) => {
  await open(page, "tools", { state: "busy" });
  const stores = page.getByRole("region", { name: "2 stores on this device" });
  await expect(stores).toContainText("4 sessions");
  await expect(stores).toContainText("found through ~/.bashrc");
  const work = stores.getByRole("switch", { name: "Sync sessions in /home/mara/.claude-work" });
  await work.click();
  await expect(work).not.toBeChecked();
  await expect(page.getByRole("switch", { name: "Sync Claude Code" })).toBeChecked();
  await expectAccessible(page);
  expectCalm(page);
});

test("the check-up says what was found, what would be written, and takes copies in", async ({ page }) => {
  await open(page, "settings", { state: "problems" });
  expect(await asked(page, "doctor")).toEqual([]);
  await page.getByRole("button", { name: "Run diagnostics" }).click();
  await expect(page.getByText("2 conflict copies made by another sync program")).toBeVisible();
  await expect(page.getByText("12 lines missing in the session")).toBeVisible();
  await page.getByText("stores that do not sync").click();
  await expect(page.getByText(/It is a link to \/mnt\/disk\/old/)).toBeVisible();
  await expectAccessible(page);
  await page.getByRole("button", { name: "Import" }).click();
  await expect(page.getByText("1 copy was imported.")).toBeVisible();
  await expect(page.getByText(/Not imported: .*Claude Code has it open/)).toBeVisible();
  await page.getByRole("button", { name: "Preview pending changes" }).click();
  await expect(page.getByText("No pending changes.")).toBeVisible();
  await open(page, "settings", { state: "waiting" });
  await page.getByRole("button", { name: "Preview pending changes" }).click();
  await expect(page.getByRole("region", { name: "Pending changes" })).toContainText("wait · add to transcript");
  await page.getByRole("button", { name: "Run diagnostics" }).click();
  await page.getByText("5 sessions do not sync").click();
  await expect(page.getByRole("button", { name: "Sync this tool: Codex" })).toBeVisible();
  await expectAccessible(page);
  expectCalm(page);
});

test("renaming and parting, the consequence first", async ({ page }) => {
  await open(page, "devices");
  await page.getByRole("button", { name: "Rename laptop" }).click();
  await expect(page.getByLabel("New name")).toBeFocused();
  await page.keyboard.type("travel");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { name: "travel" })).toBeVisible();
  // The keyboard goes back to where it was when a question is left or answered.
  await page.getByRole("button", { name: "Rename studio" }).press("Enter");
  await page.keyboard.press("Escape");
  await expect(page.getByRole("button", { name: "Rename studio" })).toBeFocused();
  await page.getByRole("button", { name: "Unpair studio…" }).press("Enter");
  expect(await asked(page, "unpair")).toEqual([]);
  await expect(page.getByText("studio will stop syncing with this device.")).toBeVisible();
  await expectAccessible(page);
  await page.getByRole("button", { name: "Unpair studio", exact: true }).press("Enter");
  await expect(page.getByRole("heading", { name: "studio" })).toHaveCount(0);
  expect(await page.evaluate(() => document.activeElement !== document.body)).toBe(true);
});

test("the first three steps, and leaving them out", async ({ page }) => {
  await open(page, "overview", { state: "first" });
  await expect(page.getByRole("navigation")).toHaveCount(0);
  await page.getByRole("checkbox", { name: /Codex/ }).uncheck();
  expect(await asked(page, "tool_switch")).toEqual([{ cmd: "tool_switch", tool: "codex", on: false }]);
  await expect(page.getByRole("status").filter({ hasText: "will sync" })).toHaveText(
    "31 sessions of 1 tool will sync · 182 MB",
  );
  await page.getByRole("button", { name: "Continue" }).click();
  await expect(page.getByText("Sessions go only to devices you pair.")).toBeVisible();
  await expect(page.getByRole("heading", { level: 1 })).toBeFocused();
  await expect(page.getByRole("radio", { name: /Only on my network/ })).toBeChecked();
  await page.getByRole("radio", { name: /Anywhere/ }).check();
  expect(await asked(page, "network_set")).toEqual([
    { cmd: "network_set", network: { local_discovery: true, global_discovery: true, relays: true } },
  ]);
  await page.getByRole("switch", { name: "Start when I log in" }).click();
  expect(await asked(page, "switch")).toEqual([{ cmd: "switch", name: "autostart", on: false }]);
  await expectAccessible(page);
  await expect(page.getByRole("button", { name: "Skip", exact: true })).toHaveCount(0);
  await page.getByRole("button", { name: "Continue" }).click();
  await expect(page.getByRole("img", { name: "QR code of desk" })).toBeVisible();
  await expectAccessible(page);
  await page.getByRole("button", { name: "Finish" }).click();
  await expect(page.getByRole("navigation")).toBeVisible();
  await open(page, "overview", { state: "first" });
  await page.getByRole("button", { name: "Skip setup" }).click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("No other device is paired.");
});

test("by keyboard alone: the first three steps, to a session that is resumed", async ({ page }) => {
  await open(page, "overview", { state: "first" });
  const tabTo = async (name: RegExp) => {
    const named = () =>
      page.evaluate(() => {
        const one = document.activeElement as HTMLElement | null;
        // Between the last and the first element the page itself has the focus, and every word is in it.
        if (!one || one === document.body) return "";
        const label = one instanceof HTMLInputElement ? one.labels?.[0]?.textContent : undefined;
        return one.getAttribute("aria-label") ?? label ?? one.textContent ?? "";
      });
    for (let press = 0; press < 40; press++) {
      await page.keyboard.press("Tab");
      if (name.test((await named()).trim())) return;
    }
    throw new Error(`Tab does not reach ${name}`);
  };
  await tabTo(/Codex/);
  await page.keyboard.press("Space");
  expect(await asked(page, "tool_switch")).toHaveLength(1);
  await tabTo(/^Continue$/);
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { level: 1 })).toBeFocused();
  await tabTo(/Only on my network/);
  await page.keyboard.press("ArrowDown");
  await expect(page.getByRole("radio", { name: /Anywhere/ })).toBeChecked();
  await tabTo(/^Continue$/);
  await page.keyboard.press("Enter");
  await expect(page.getByRole("img", { name: "QR code of desk" })).toBeVisible();
  await tabTo(/^Finish$/);
  await page.keyboard.press("Enter");
  await expect(page.getByRole("navigation")).toBeVisible();
  await page.keyboard.press("Control+2");
  const list = page.getByRole("listbox", { name: "Sessions" });
  await expect(list).toBeVisible();
  await tabTo(/^Sessions$/);
  await page.keyboard.press("/");
  await page.keyboard.press("ArrowDown");
  await expect(list).toBeFocused();
  await page.keyboard.press("r");
  await expect(page.getByRole("dialog").locator(".button.main")).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(page.getByText("Started in a terminal.")).toBeVisible();
  expect(await asked(page, "start_tool")).toHaveLength(1);
  expectCalm(page);
});

test("a problem's button does what it says, or leads to where that is done", async ({ page }) => {
  await open(page, "overview", { state: "quiet" });
  await inWorld(page, (fake) => {
    fake.world.status.problems = [
      {
        code: "device_cloned",
        message: "Another machine uses this device's identity.",
        hint: "Nothing is lost.",
        actions: [{ do: "new_identity" }],
      },
      {
        code: "left_out",
        message: "Some files do not sync.",
        hint: "",
        actions: [{ do: "open_diagnostics" }, { do: "open_forgotten" }],
      },
    ];
    fake.tell();
  });
  await page.getByRole("button", { name: /^New identity…: / }).click();
  const dialog = page.getByRole("dialog");
  await expect(dialog).toContainText("No session is lost.");
  expect(await asked(page, "new_identity")).toEqual([]);
  await expectAccessible(page);
  await page.screenshot({ path: test.info().outputPath("identity.png") });
  await dialog.getByRole("button", { name: "Create new identity" }).click();
  await expect(dialog).toHaveCount(0);
  expect(await asked(page, "new_identity")).toHaveLength(1);
  for (const [button, heading] of [
    [/^Show diagnostics: /, "Diagnostics"],
    [/^Show forgotten sessions: /, "Forgotten sessions"],
  ] as const) {
    await page.evaluate(() => {
      location.hash = "#/overview";
    });
    await page.getByRole("button", { name: button }).click();
    await expect(page.getByRole("heading", { name: heading })).toBeFocused();
    await expect(page.getByRole("heading", { name: heading })).toBeInViewport();
  }
  expectCalm(page);
});

test("tools are switched, projects found and kept back", async ({ page }) => {
  await open(page, "tools");
  const roams = page.getByRole("switch", { name: "Sync Codex" });
  await expect(roams).toBeChecked();
  await roams.focus();
  await page.keyboard.press("Space");
  await expect(roams).not.toBeChecked();
  await open(page, "projects");
  await page.getByRole("button", { name: "Enter the path of rivers/flow" }).click();
  await expect(page.getByLabel("Folder on this device")).toBeFocused();
  await page.keyboard.type("nowhere");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("alert")).toContainText("nowhere is not a directory on this device.");
  await expectAccessible(page);
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Choose the folder of rivers/flow" }).click();
  await expect(page.getByText("9 sessions are being written there.")).toBeVisible();
  expect((await asked(page, "project_map")).at(-1)).toMatchObject({ dir: "/home/mara/code/flow" });
  await page.getByRole("switch", { name: "Sync sessions of acme/web" }).click();
  await expect(page.getByRole("switch", { name: "Sync sessions of acme/web" })).not.toBeChecked();
});

test("settings are switched and this device renamed", async ({ page }) => {
  await open(page, "settings");
  await page.getByText("Details", { exact: true }).click();
  const relays = page.getByRole("switch", { name: "Relays" });
  await relays.click();
  await expect(relays).toBeChecked();
  await expect(page.getByRole("radio", { name: /^Custom/ })).toBeChecked();
  const arrived = page.getByRole("switch", { name: "Sessions from other devices are ready" });
  await arrived.click();
  await expect(arrived).toBeChecked();
  await page.getByLabel("Terminal", { exact: true }).selectOption("kitty");
  await page.getByLabel("Text editor", { exact: true }).selectOption("zed");
  // Each says what was changed here, and nothing else.
  expect((await asked(page, "preferences_set")).map((one) => one.preferences)).toEqual([
    { notifications: { arrived: true } },
    { terminal: "kitty" },
    { editor: "zed" },
  ]);
  await settled(page);
  await expect(page.getByLabel("Terminal", { exact: true })).toHaveValue("kitty");
  // The user wrote it into the file meanwhile.
  await inWorld(page, (fake) => {
    fake.world.preferences.terminal = "st";
  });
  await arrived.click();
  await expect(page.getByLabel("Terminal", { exact: true })).toHaveValue("st");
  await expect(arrived).not.toBeChecked();
  await expect(page.getByText("This build has no address to ask for newer versions.")).toBeVisible();
  await page.getByRole("button", { name: "Show report" }).click();
  const report = page.getByRole("group", { name: "Report" });
  await expect(report).toContainText("session-roam 0.1.0");
  await expect(report).not.toContainText(/mara|acme|laptop/);
  await expectAccessible(page);
  await page.getByLabel("Name of this device").fill("workbench");
  await page.getByRole("button", { name: "Save name" }).click();
  await expect(page.getByRole("button", { name: "Save name" })).toHaveCount(0);
  await expect(page.getByLabel("Name of this device")).toHaveValue("workbench");
  await page.getByRole("button", { name: "Open: Logs" }).click();
  expect(await asked(page, "open_path")).toMatchObject([{ path: /logs$/ }].map(() => ({ cmd: "open_path" })));
  await page.getByRole("button", { name: "Pause" }).click();
  await expect(page.getByRole("button", { name: "Continue" })).toBeVisible();
});

test("the whole window is walked by Tab, every stop is seen, and none is a trap", async ({ page }) => {
  for (const route of ["overview", "devices", "tools", "projects", "settings"]) {
    await open(page, route, { state: "busy" });
    const stops: string[] = [];
    for (let press = 0; press < 60; press++) {
      await page.keyboard.press("Tab");
      const stop = await page.evaluate(() => {
        const element = document.activeElement as HTMLElement;
        if (element === document.body) return "body";
        const style = getComputedStyle(element);
        const shown = style.outlineStyle !== "none" && Number.parseFloat(style.outlineWidth) > 0;
        const wrapped = element.closest(".search-field") !== null;
        const name = element.getAttribute("aria-label") ?? element.textContent?.trim() ?? "";
        return `${shown || wrapped ? "" : "UNSEEN "}${name === "" && !element.id ? "UNNAMED " : ""}${element.tagName} ${name}`.trim();
      });
      if (stop === "body") break;
      stops.push(stop);
    }
    expect(stops.length).toBeGreaterThan(8);
    expect(stops.filter((stop) => /UNSEEN|UNNAMED/.test(stop))).toEqual([]);
  }
});

test("a pairing link gives nothing away: not when it is opened, not by one click", async ({ page }) => {
  const link = CODE.replace("session-roam:1?", "session-roam://pair?");
  await open(page, `devices/${encodeURIComponent(link)}`, { state: "alone" });
  await expect(page.getByLabel("Code of the other device")).toHaveValue(link);
  await page.getByRole("button", { name: "Continue" }).click();
  await expect(page.getByText("Anyone can make such a link")).toBeVisible();
  expect(await asked(page, "pair")).toEqual([]);
  await page.getByRole("button", { name: "Compare digits with tablet" }).click();
  await expect(page.getByRole("listitem", { name: "Request sent to tablet." })).toContainText(
    "choose “Compare digits”",
  );
});

test("a newer version is asked for on a click, and at no other time", async ({ page }) => {
  await open(page, "settings");
  await page.evaluate(() => {
    const { fake } = globalThis as unknown as {
      fake: { world: { about: { releases: string }; status: { happenings: number } }; tell: () => void };
    };
    fake.world.about.releases = "https://releases.example";
    fake.world.status.happenings += 1;
    fake.tell();
  });
  const ask = page.getByRole("button", { name: "Look for a newer version" });
  await expect(ask).toBeVisible();
  expect(await asked(page, "ask_newest")).toEqual([]);
  await ask.click();
  await expect(page.getByText("Version 0.2.0 is available.")).toBeVisible();
  await expectAccessible(page);
  await page.getByRole("button", { name: "Open the download page" }).click();
  await expect(page.getByRole("dialog")).toContainText("https://releases.example");
  expectCalm(page);
});

test("a tool that appears during the first steps is among them", async ({ page }) => {
  await open(page, "overview", { state: "first" });
  const found = await page.getByRole("checkbox").count();
  await inWorld(page, (fake) => {
    // biome-ignore lint/suspicious/noExplicitAny: the page's own world, which has no types here.
    for (const row of fake.world.tools as any[]) row.found = true;
    fake.world.status.happenings += 1;
    fake.tell();
  });
  await expect.poll(() => page.getByRole("checkbox").count()).toBeGreaterThan(found);
});

test("“Pair a device” shows the ways to pair, wherever it is pressed", async ({ page }) => {
  const code = page.getByRole("img", { name: "QR code of desk" });
  await open(page, "devices");
  await expect(page.getByRole("heading", { name: "studio", exact: true })).toBeVisible();
  await expect(code).toHaveCount(0);
  await open(page, "overview", { state: "quiet" });
  await page.getByRole("button", { name: "Pair a device" }).click();
  await expect(code).toBeVisible();
  await page.getByRole("button", { name: "Pair a device" }).click();
  await expect(code).toHaveCount(0);
  await page.keyboard.press("Control+k");
  await page.keyboard.type("Pair a device");
  await page.keyboard.press("Enter");
  await expect(code).toBeVisible();
});

test("a device is renamed from the name that it has now", async ({ page }) => {
  await open(page, "devices");
  await inWorld(page, (fake) => {
    // biome-ignore lint/suspicious/noExplicitAny: the page's own world, which has no types here.
    fake.world.devices.paired.find((one: any) => one.name === "studio").name = "atelier";
    fake.world.status.happenings += 1;
    fake.tell();
  });
  await page.getByRole("button", { name: "Rename atelier" }).click();
  await expect(page.getByLabel("New name")).toHaveValue("atelier");
});

test("a lost device is not revoked before it is known what goes with it", async ({ page }) => {
  await open(page, "devices");
  await page.getByRole("button", { name: "Revoke studio" }).click();
  await inWorld(page, (fake) =>
    fake.refuse("revoke", { code: "busy", message: "Too much at once.", hint: "", actions: [] }),
  );
  await page.getByRole("checkbox", { name: /lost or stolen/ }).check();
  await page.getByLabel("Since", { exact: true }).fill("2026-01-02T03:04");
  await expect(page.getByText("How many sessions this changes is not known")).toBeVisible();
  await expectAccessible(page);
  await inWorld(page, (fake) => fake.refuse("revoke", null));
  await page.getByRole("button", { name: "Revoke studio" }).click({ force: true });
  expect((await asked(page, "revoke")).every((request) => request.dry === true)).toBe(true);
  await page.getByRole("button", { name: "Retry" }).click();
  await expect(page.getByText("is removed from 3 sessions on all your devices")).toBeVisible();
});
