// How the page is built and its pure parts are tested. JSX is compiled by Vite itself; no plugin is needed.
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

/** The shell's content security policy: the browser tests run under the same one. */
const tauri = JSON.parse(readFileSync(new URL("../tauri.conf.json", import.meta.url), "utf8"));
const policy: string = tauri.app.security.csp;

/** What the window loads before it shows anything, in gzip: 200 KB is read and compiled in a moment on any machine. */
const MOST_FIRST = 200_000;

/** Refuses a page whose entry has grown beyond that. What is loaded later does not count. */
function firstLoad(): Plugin {
  return {
    name: "first-load",
    generateBundle(_, bundle) {
      const first = new Set(
        Object.keys(bundle).filter((name) => {
          const one = bundle[name];
          return one?.type === "chunk" && one.isEntry;
        }),
      );
      for (const name of first) {
        const one = bundle[name];
        if (one?.type === "chunk") for (const other of one.imports) first.add(other);
      }
      const size = [...first].reduce((sum, name) => {
        const one = bundle[name];
        return sum + (one?.type === "chunk" ? gzipSync(one.code).length : 0);
      }, 0);
      if (size === 0 || MOST_FIRST < size)
        this.error(`The first load is ${size} bytes in gzip; ${MOST_FIRST} at most.`);
    },
  };
}

export default defineConfig({
  plugins: [firstLoad()],
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
