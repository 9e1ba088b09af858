// Begins: chooses who answers and draws the window. In the shell's webview that is the shell, else the stand-in.
import { render } from "preact";
import { App } from "./app";
import type { Backend } from "./backend/backend";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/views.css";
import "./styles/split.css";

async function chosen(): Promise<Backend> {
  if ("__TAURI_INTERNALS__" in globalThis) return (await import("./backend/tauri")).tauri;
  return (await import("./backend/fake")).fake(new URLSearchParams(location.search));
}

const place = document.querySelector("#app");
if (place) void chosen().then((backend) => render(<App backend={backend} />, place));
