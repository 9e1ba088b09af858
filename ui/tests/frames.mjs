// Which tasks of the page take longer than 50 ms of the processor's time, in the longest lists there are: a figure that
// other programs on the machine hardly change. Not a test: `npm run build:fake && npx vite preview --outDir dist-fake`,
// then `npm run frames [-- ADDRESS [CASE]]`.
import { existsSync } from "node:fs";
import { chromium } from "@playwright/test";

const [base = "http://127.0.0.1:4173", only = ""] = process.argv.slice(2);
const system = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const executablePath = system.find((path) => path && existsSync(path));
const MARK = "frames-of-this-page";
const session = (n) => `5e551000-0000-4000-8000-${String(n).padStart(12, "0")}`;
const settled = (page) => page.evaluate(() => globalThis.fake.settled());

/** Scrolls by a number of pixels, or by a share of the whole, with a frame between two steps. */
const scroll = (page, list, steps, by) =>
  page
    .locator(list)
    .first()
    .evaluate(
      async (element, [steps, by]) => {
        element.scrollTop = 0;
        for (let step = 0; step < steps; step++) {
          element.scrollTop += by || element.scrollHeight / steps;
          await new Promise((done) => requestAnimationFrame(done));
        }
      },
      [steps, by],
    );
const [READER, SPLIT, LIST] = ["[role=feed]", "[role=grid]", ".session-list"];
const type = async (page, text) => {
  for (const key of text) {
    await page.keyboard.press(key);
    await page.waitForTimeout(120);
  }
};

const CASES = [
  ["reader: opened", "huge", `sessions/${session(0)}`, null],
  ["reader: scrolled through", "huge", `sessions/${session(0)}`, (page) => scroll(page, READER, 240, 0)],
  ["reader: read on", "huge", `sessions/${session(0)}`, (page) => scroll(page, READER, 300, 120)],
  [
    "reader: grows",
    "huge",
    `sessions/${session(0)}`,
    async (page) => {
      for (let n = 0; n < 5; n++) {
        await page.evaluate(() => globalThis.fake.grow(3));
        await page.waitForTimeout(1_700);
      }
    },
  ],
  ["split: opened", "big-split", `splits/${session(2)}`, null],
  ["split: scrolled through", "big-split", `splits/${session(2)}`, (page) => scroll(page, SPLIT, 240, 0)],
  ["split: read on", "big-split", `splits/${session(2)}`, (page) => scroll(page, SPLIT, 300, 120)],
  ["split: by time and back", "big-split", `splits/${session(2)}`, (page) => type(page, "tttt")],
  ["list: opened", "many", "sessions", null],
  ["list: scrolled through", "many", "sessions", (page) => scroll(page, LIST, 240, 0)],
  [
    "list: searched",
    "many",
    "sessions",
    async (page) => {
      await page.getByRole("searchbox").focus();
      await type(page, "lexer (31");
      await page.waitForTimeout(500);
    },
  ],
];

const browser = await chromium.launch({ ...(executablePath ? { executablePath } : {}), args: ["--no-sandbox"] });
for (const [name, state, route, act] of CASES.filter(([name]) => name.startsWith(only))) {
  const page = await browser.newPage({ viewport: { width: 960, height: 640 } });
  const tracing = await browser.newBrowserCDPSession();
  const events = [];
  tracing.on("Tracing.dataCollected", ({ value }) => events.push(...value));
  const start = () =>
    tracing.send("Tracing.start", {
      traceConfig: { includedCategories: ["toplevel", "blink.user_timing"] },
      transferMode: "ReportEvents",
    });
  const open = async () => {
    await page.goto(`${base}/?state=${state}&delay=0#/${route}`);
    await page.locator("#app > *").first().waitFor({ state: "attached" });
    await settled(page);
  };
  if (act) await open();
  await start();
  await (act ? act(page) : open());
  await page.evaluate((mark) => performance.mark(mark), MARK);
  const ended = new Promise((done) => tracing.once("Tracing.tracingComplete", done));
  await tracing.send("Tracing.end");
  await ended;
  // The browser has pages of its own: the mark says which thread is this page's.
  const own = events.find((one) => one.name === MARK);
  const tasks = events
    .filter((one) => one.tdur && one.name.endsWith("RunTask") && one.pid === own.pid && one.tid === own.tid)
    .map((one) => one.tdur / 1_000);
  const long = tasks.filter((ms) => ms > 50).map((ms) => `${ms.toFixed(0)} ms`);
  const worst = Math.max(0, ...tasks).toFixed(0);
  console.log(`${name.padEnd(26)} longest ${worst.padStart(4)} ms; over 50 ms: ${long.join(", ") || "none"}`);
  await page.close();
  await tracing.detach();
}
await browser.close();
