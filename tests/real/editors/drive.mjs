// Sits down at a VS Code in a browser, as its user would: node drive.mjs FILE, a file with one JSON value:
//   {url, folder, profile, storage, pictures, name, index, steps}
// `index` is the text of the list of chats that VS Code is to find at its start, or null; `storage` its directory
// `workspaceStorage`. Each step is
//   {do: "list", title} | {do: "open", title} | {do: "allow", level} | {do: "ask", prompt}.
// One line of JSON comes back: {steps: [...], index}, the list as VS Code left it.
//
// The web build keeps in the browser's IndexedDB what a desktop's VS Code keeps in `state.vscdb`: the same keys, the
// same values. This script carries the list of chats from and to there; the test carries it to `state.vscdb`.
import { existsSync, mkdirSync, readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const { chromium } = createRequire(join(process.env.EDITORS, "package.json"))("playwright-core");
const wanted = JSON.parse(readFileSync(process.argv[2], "utf8"));
const LIST = "chat.ChatSessionStore.index";
const PATIENCE = 60_000;

/** Reads the list of chats from the workspace's database, after writing it if there is something to write. */
const list = (page, text) =>
  page.evaluate(
    async ([key, text]) => {
      const names = (await indexedDB.databases()).map((database) => database.name);
      const name = names.find((name) => /^vscode-web-state-db-(?!global)/.test(name));
      if (!name) return null;
      const done = (request) =>
        new Promise((resolve, reject) => {
          request.onsuccess = () => resolve(request.result);
          request.onerror = () => reject(request.error);
        });
      const database = await done(indexedDB.open(name));
      const store = () => database.transaction("ItemTable", "readwrite").objectStore("ItemTable");
      if (text !== null) await done(store().put(text, key));
      const found = await done(store().get(key));
      database.close();
      return found ?? null;
    },
    [LIST, text],
  );

/** Whether a chat's file has the text. */
const saved = (text) => {
  const files = readdirSync(wanted.storage, { recursive: true }).filter((name) => /chatSessions\/.*\.jsonl$/.test(name));
  return files.some((name) => readFileSync(join(wanted.storage, name), "utf8").includes(text));
};

class Sitting {
  constructor(page) {
    this.page = page;
    this.pictures = 0;
  }

  async begin() {
    const { page } = this;
    await page.goto(`${wanted.url}/?folder=${encodeURIComponent(wanted.folder)}`, { waitUntil: "domcontentloaded" });
    await this.input().waitFor({ timeout: PATIENCE });
    // The participant and its model are there.
    await page.locator(".interactive-input-part").getByText("Probe").first().waitFor({ timeout: PATIENCE });
  }

  input() {
    return this.page.locator(".interactive-input-part .monaco-editor").first();
  }

  async command(words) {
    await this.page.keyboard.press("F1");
    const box = this.page.locator(".quick-input-widget input").first();
    await box.waitFor();
    await box.fill(`>${words}`);
    await this.page.locator(".quick-input-list .monaco-list-row").filter({ hasText: words }).first().click();
    await this.page.waitForTimeout(500); // it fades
  }

  /** Shows the list of chats, and gives the button above it. */
  async sidebar() {
    const button = this.page.getByRole("button", { name: "New Session" });
    const is_open = await button.waitFor({ timeout: 2000 }).then(() => true, () => false);
    if (!is_open) await this.command("Show Agent Sessions Sidebar");
    await button.waitFor({ timeout: PATIENCE });
    return button;
  }

  async list({ title }) {
    await this.sidebar();
    const rows = this.row(title);
    await rows.first().waitFor({ timeout: 15_000 }).catch(() => {});
    return { listed: await rows.count() };
  }

  row(title) {
    return this.page.locator(".agent-session-item, .agent-session-title").getByText(title, { exact: true });
  }

  async open({ title }) {
    await this.row(title).first().click();
    await this.turns().first().waitFor({ timeout: PATIENCE });
    await this.page.waitForTimeout(1500); // the rest is drawn
    return this.state();
  }

  turns() {
    return this.page.locator(".interactive-session .interactive-item-container");
  }

  async state() {
    const shown = await this.turns().allInnerTexts();
    const level = await this.page.locator(".interactive-session .chat-secondary-toolbar").first().innerText();
    return { shown, level };
  }

  async allow({ level }) {
    await this.page.locator(".chat-secondary-toolbar").getByText("permissions", { exact: false }).first().click();
    await this.page.locator(".action-widget").getByText(level).first().click();
    const dialog = this.page.locator(".monaco-dialog-box");
    if (await dialog.waitFor({ timeout: 3000 }).then(() => true, () => false)) {
      await dialog.getByRole("button", { name: "Enable" }).click();
    }
    return this.state();
  }

  async ask({ prompt }) {
    await this.input().click();
    await this.page.keyboard.type(prompt);
    await this.page.keyboard.press("Enter");
    const answer = this.turns().filter({ hasText: `Answer to: ${prompt}` }).filter({ hasText: "-END" }).last();
    await answer.waitFor({ timeout: PATIENCE });
    const [, given] = /GIVEN-(\S+)-END/.exec(await answer.innerText());
    return { ...(await this.state()), given: JSON.parse(Buffer.from(given, "base64").toString()) };
  }

  /** Leaves the chat, upon which VS Code saves it, and waits until the last prompt and its answer are in a file. */
  async leave() {
    const asked = wanted.steps.filter((step) => step.do === "ask").at(-1);
    if (!asked) return;
    await (await this.sidebar()).click();
    const until = Date.now() + PATIENCE;
    while (!saved(`Answer to: ${asked.prompt}`)) {
      if (until < Date.now()) throw new Error(`VS Code did not save the answer to "${asked.prompt}"`);
      await this.page.waitForTimeout(200);
    }
  }

  async picture(what) {
    this.pictures += 1;
    await this.page.screenshot({ path: join(wanted.pictures, `${wanted.name}-${this.pictures}-${what}.png`) });
  }
}

const system = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const context = await chromium.launchPersistentContext(wanted.profile, {
  executablePath: system.find((path) => path && existsSync(path)),
  args: ["--no-sandbox", "--disable-gpu"],
  viewport: { width: 1400, height: 900 },
  locale: "en-GB",
  timezoneId: "UTC",
});
mkdirSync(wanted.pictures, { recursive: true });
const page = context.pages()[0];
const sitting = new Sitting(page);
const answer = { steps: [] };
try {
  // A page of the same origin that is not the workbench: nothing else has the database open.
  await page.goto(`${wanted.url}/healthz`);
  if (wanted.index !== null) await list(page, wanted.index);
  await sitting.begin();
  for (const step of wanted.steps) {
    answer.steps.push(await sitting[step.do](step));
    await sitting.picture(step.do);
  }
  await sitting.leave();
  await page.waitForTimeout(1500); // VS Code saves the list of chats
  await page.goto(`${wanted.url}/healthz`);
  answer.index = await list(page, null);
} catch (error) {
  await sitting.picture("failed");
  throw error;
} finally {
  await context.close();
}
console.log(JSON.stringify(answer));
