// The window's location: the part of the address after `#`. `#/split/…` is a split in a window of
// its own.
import { useEffect, useState } from "preact/hooks";

export const VIEWS = ["overview", "sessions", "splits", "devices", "tools", "projects", "settings"] as const;
export type View = (typeof VIEWS)[number];

export interface Route {
  view: View;
  /** The session that is open in the view. */
  session: string | null;
  /** The view is drawn without the frame. */
  alone: boolean;
}

export function parseRoute(hash: string): Route {
  const [name = "", session = ""] = hash.replace(/^#\/?/, "").split("/");
  const alone = name === "split";
  const view = alone ? "splits" : (VIEWS.find((known) => known === name) ?? "overview");
  return { view, session: session ? safeDecode(session) : null, alone: alone && session !== "" };
}

function safeDecode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export function link(view: View, session?: string): string {
  return session ? `#/${view}/${encodeURIComponent(session)}` : `#/${view}`;
}

export function go(view: View, session?: string): void {
  location.hash = link(view, session);
}

export function useRoute(): Route {
  const [route, setRoute] = useState(() => parseRoute(location.hash));
  useEffect(() => {
    const hear = () => setRoute(parseRoute(location.hash));
    addEventListener("hashchange", hear);
    return () => removeEventListener("hashchange", hear);
  }, []);
  return route;
}
