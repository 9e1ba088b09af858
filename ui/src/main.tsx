// Chooses the backend and draws the window. In the shell's webview the backend is the shell; in a
// plain browser it is the fake, built in only for work on the window and for its tests.
import { render } from "preact";
import { App } from "./app";
import type { Backend } from "./backend/backend";
import { followLook } from "./lib/look";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/parts.css";
import "./styles/views.css";
import "./styles/sessions.css";
import "./styles/reader.css";
import "./styles/split.css";
import { words } from "./words";

async function chosen(): Promise<Backend | null> {
  if ("__TAURI_INTERNALS__" in globalThis) return (await import("./backend/tauri")).tauri;
  if (import.meta.env.DEV || import.meta.env.MODE === "fake") {
    return (await import("./backend/fake")).fake(new URLSearchParams(location.search));
  }
  return null;
}

followLook();
const place = document.querySelector("#app");
if (place) {
  void chosen().then((backend) => {
    render(backend ? <App backend={backend} /> : <p class="page">{words.failed.outside}</p>, place);
  });
}
