// Photographs every view of the window's page in Chromium, on the stand-in, light and dark, at 100 % and at 200 %.
// node pages.mjs UI_DIR OUT_DIR. What it uses comes from UI_DIR's own node_modules.
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [ui, out] = process.argv.slice(2);
const require = createRequire(join(ui, "package.json"));
const { chromium } = require("@playwright/test");
const { preview } = await import(pathToFileURL(require.resolve("vite")).href);

const NOW = Date.parse("2026-11-23T10:45:00Z");
const session = (n) => `5e551000-0000-4000-8000-${String(n).padStart(12, "0")}`;

/** A picture's name, the state of the stand-in, the view. */
const VIEWS = [
  ["overview", "busy", "overview"],
  ["overview-quiet", "quiet", "overview"],
  ["overview-held", "held", "overview"],
  ["overview-missing", "missing", "overview"],
  ["first-run", "first", "overview"],
  ["sessions", "busy", "sessions"],
  ["transcript", "busy", `sessions/${session(0)}`],
  ["splits", "busy", "splits"],
  ["split", "busy", `splits/${session(2)}`],
  ["split-big", "big-split", `splits/${session(2)}`],
  ["split-choose", "choose", `splits/${session(2)}`],
  ["devices", "busy", "devices"],
  ["devices-asking", "asking", "devices"],
  ["tools", "busy", "tools"],
  ["projects", "busy", "projects"],
  ["settings", "busy", "settings"],
  ["sessions-rtl", "rtl", "sessions"],
];
/** At 200 % the same window has room for half as much. */
const ZOOMS = [
  ["", 1, { width: 960, height: 640 }],
  ["-200", 2, { width: 480, height: 320 }],
];

const system = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const executablePath = system.find((path) => path && existsSync(path));
const server = await preview({ root: ui, build: { outDir: "dist-fake" }, preview: { host: "127.0.0.1", port: 0 } });
const { port } = server.httpServer.address();
const browser = await chromium.launch({ ...(executablePath ? { executablePath } : {}), args: ["--no-sandbox"] });
let wrong = 0;
try {
  for (const colorScheme of ["light", "dark"]) {
    for (const [suffix, deviceScaleFactor, viewport] of ZOOMS) {
      const context = await browser.newContext({
        viewport,
        deviceScaleFactor,
        colorScheme,
        locale: "en-GB",
        timezoneId: "UTC",
        reducedMotion: "reduce",
      });
      const page = await context.newPage();
      page.on("pageerror", (error) => {
        console.error(`${page.url()}: ${error.message}`);
        wrong += 1;
      });
      await page.clock.setFixedTime(NOW);
      for (const [name, state, route] of VIEWS) {
        // A page that is there already would only change its hash and keep its state.
        await page.goto("about:blank");
        await page.goto(`http://127.0.0.1:${port}/?state=${state}&now=${NOW}#/${route}`);
        await page.locator("#app > *").first().waitFor({ state: "attached" });
        await page.waitForFunction(() => !/Loading |Comparing |Asking /.test(document.body.innerText));
        await page.screenshot({ path: join(out, `${name}-${colorScheme}${suffix}.png`) });
      }
      await context.close();
    }
  }
} finally {
  await browser.close();
  await server.close();
}
console.log(`${VIEWS.length * ZOOMS.length * 2} pictures in ${out}`);
process.exit(wrong ? 1 : 0);
