// UI tests in a real browser against the built page with the stand-in. Where Playwright's own Chromium cannot be
// had, the system's is used: CHROMIUM=/usr/bin/chromium, or what is found there.
import { existsSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { defineConfig } from "@playwright/test";

const system = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const executablePath = system.find((path) => path && existsSync(path));

/** A port that nothing uses, chosen once: workers read this file, too. A server that an earlier run left behind, or
 * another run beside this one, is not in the way. */
process.env.UI_TEST_PORT ??= await new Promise<string>((done) => {
  const server = createServer().listen(0, "127.0.0.1", () => {
    const { port } = server.address() as AddressInfo;
    server.close(() => done(String(port)));
  });
});
const port = process.env.UI_TEST_PORT;

export default defineConfig({
  testDir: "tests/e2e",
  // A browser for each core of the smallest machines this runs on, and the tests of one file beside each other.
  workers: 2,
  fullyParallel: true,
  // A busy machine takes its time: these limits end what hangs, and judge nothing.
  timeout: 180_000,
  expect: { timeout: 20_000, toPass: { intervals: [50] } },
  // The last lines of a long log name each failure with its cause.
  reporter: [["list"], ["./tests/summary.ts"]],
  use: {
    actionTimeout: 20_000,
    baseURL: `http://127.0.0.1:${port}`,
    viewport: { width: 960, height: 640 },
    locale: "en-GB",
    timezoneId: "UTC",
    launchOptions: { ...(executablePath ? { executablePath } : {}), args: ["--no-sandbox"] },
  },
  webServer: {
    command: `npm run build:fake && npx vite preview --outDir dist-fake --port ${port}`,
    url: `http://127.0.0.1:${port}`,
    // Always a build of its own: one that runs already may be of yesterday.
    reuseExistingServer: false,
    timeout: 300_000,
  },
});
