// UI tests in a real browser against the built page with the stand-in. Where Playwright's own Chromium cannot be
// had, the system's is used: CHROMIUM=/usr/bin/chromium, or what is found there.
import { existsSync } from "node:fs";
import { defineConfig } from "@playwright/test";

const system = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const executablePath = system.find((path) => path && existsSync(path));

export default defineConfig({
  testDir: "tests/e2e",
  // One browser at a time: the machines this runs on have two cores.
  workers: 1,
  timeout: 45_000,
  reporter: [["list"]],
  use: {
    actionTimeout: 5_000,
    baseURL: "http://127.0.0.1:4173",
    viewport: { width: 960, height: 640 },
    locale: "en-GB",
    timezoneId: "UTC",
    launchOptions: { ...(executablePath ? { executablePath } : {}), args: ["--no-sandbox"] },
  },
  webServer: {
    command: "npm run build:fake && npx vite preview --outDir dist-fake",
    url: "http://127.0.0.1:4173",
    // Always a build of its own: one that runs already may be of yesterday.
    reuseExistingServer: false,
    timeout: 120_000,
  },
});
