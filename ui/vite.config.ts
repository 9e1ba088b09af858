// How the page is built and its pure parts are tested. JSX is compiled by Vite itself; no plugin is needed.
import { readFileSync } from "node:fs";
import { defineConfig } from "vitest/config";

/** The shell's content security policy: the browser tests run under the same one. */
const tauri = JSON.parse(readFileSync(new URL("../tauri.conf.json", import.meta.url), "utf8"));
const policy: string = tauri.app.security.csp;

export default defineConfig({
  // Relative, so that the page works under whatever address the webview gives it.
  base: "./",
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    target: "es2022",
    // The content security policy allows scripts of our own origin only: nothing is put inline.
    assetsInlineLimit: 0,
    modulePreload: false,
    chunkSizeWarningLimit: 600,
  },
  server: { host: "127.0.0.1", port: 5173, strictPort: true },
  preview: {
    host: "127.0.0.1",
    port: 4173,
    strictPort: true,
    headers: { "Content-Security-Policy": policy },
  },
  test: { include: ["tests/unit/**/*.test.ts"], environment: "node" },
});
