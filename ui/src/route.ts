// The window's location: the part of the address after `#`. `#/split/…` is a split in a window of
// its own.
import { useEffect, useState } from "preact/hooks";

export const VIEWS = ["overview", "sessions", "splits", "devices", "tools", "projects", "settings"] as const;
export type View = (typeof VIEWS)[number];

export interface Route {
  view: View;
  /** The session that is open in the view. */
  session: string | null;
  /** The message of the session to which the view leads. */
  message: number | null;
  /** The question before the session is resumed is open. */
  resumes: boolean;
  /** The view begins with its search field. */
  search: boolean;
  /** The view is drawn without the frame. */
  alone: boolean;
}

export function parseRoute(hash: string): Route {
  const [name = "", session = "", number = ""] = hash.replace(/^#\/?/, "").split("/");
  const alone = name === "split";
  const search = name === "search";
  const view = alone ? "splits" : search ? "sessions" : (VIEWS.find((known) => known === name) ?? "overview");
  const message = /^\d{1,9}$/.test(number) ? Number(number) : null;
  const resumes = view === "sessions" && session !== "" && number === "resume";
  return {
    ...{ view, session: session ? safeDecode(session) : null, message, resumes, search },
    alone: alone && session !== "",
  };
}

function safeDecode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export function link(view: View, session?: string, message?: number): string {
  const place = session ? `#/${view}/${encodeURIComponent(session)}` : `#/${view}`;
  return message === undefined ? place : `${place}/${message}`;
}

/** Of the devices: the ways to pair one. No code of a device looks like this. */
export const ADD = "add";

/** Of the settings: a part of the view to which a link leads. */
export type SettingsPart = "forgotten" | "diagnostics";

/** What the address asked for is done: a reload does not ask again. */
export function settle(view: View, session: string): void {
  history.replaceState(null, "", link(view, session));
}

export function go(view: View, session?: string): void {
  const place = link(view, session);
  if (location.hash === place) dispatchEvent(new Event("hashchange"));
  location.hash = place;
}

/** `visit` grows whenever a link is followed, to where the window is already too. */
export function useRoute(): Route & { visit: number } {
  const [route, setRoute] = useState(() => ({ ...parseRoute(location.hash), visit: 0 }));
  useEffect(() => {
    const hear = () => setRoute((before) => ({ ...parseRoute(location.hash), visit: before.visit + 1 }));
    const click = (event: MouseEvent) => {
      const link = (event.target as Element).closest("a");
      if (link?.hash && link.href === location.href) hear();
    };
    addEventListener("hashchange", hear);
    addEventListener("click", click);
    return () => {
      removeEventListener("hashchange", hear);
      removeEventListener("click", click);
    };
  }, []);
  return route;
}
