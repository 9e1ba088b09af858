// The one sentence about everything, routes, and finding sessions.
import { expect, it } from "vitest";
import { makeWorld, STATES } from "../../src/backend/fake/world";
import { headline } from "../../src/lib/headline";
import { link, parseRoute } from "../../src/route";

const NOW = Date.parse("2026-11-23T12:00:00Z");

it("every state has a sentence of its own kind", () => {
  const said = Object.fromEntries(
    STATES.map((name) => {
      const world = makeWorld(name, NOW);
      return [name, headline(world.status, world.devices).what];
    }),
  );
  expect(said).toMatchObject({
    quiet: "Up to date with laptop and studio.",
    alone: "No other device is paired.",
    moving: "Sending 18.4 MB and receiving 2.3 MB.",
    importing: "Reading your sessions: 412 of 1,065.",
    paused: "Syncing is paused.",
    offline: "laptop and studio are offline.",
    missing: "Syncing is off: Syncthing was not found.",
    failed: "Syncing stopped unexpectedly.",
    stopped: "session-roam has stopped. Nothing is recorded or synced.",
    busy: "1 item needs your attention.",
    held: "2 items need your attention.",
    waiting: "Everything else is up to date. 5 sessions are waiting.",
    asking: "1 item needs your attention.",
  });
  expect(headline(null, null).what).not.toBe("");
});

it("routes survive being written and read, and odd ones lead to the overview", () => {
  expect(parseRoute(link("sessions", "a/b c%"))).toEqual({
    view: "sessions",
    session: "a/b c%",
    message: null,
    search: false,
    alone: false,
  });
  expect(parseRoute(link("sessions", "a", 12))).toEqual({
    view: "sessions",
    session: "a",
    message: 12,
    search: false,
    alone: false,
  });
  expect(parseRoute("#/sessions/a/-1").message).toBeNull();
  expect(parseRoute("#/split/x")).toEqual({ view: "splits", session: "x", message: null, search: false, alone: true });
  expect(parseRoute("#/search")).toEqual({
    view: "sessions",
    session: null,
    message: null,
    search: true,
    alone: false,
  });
  expect(parseRoute("#/nowhere/%E0%A4%A")).toEqual({
    view: "overview",
    session: "%E0%A4%A",
    message: null,
    search: false,
    alone: false,
  });
});
