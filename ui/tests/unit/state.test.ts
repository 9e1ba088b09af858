// Routes, and finding sessions.
import { expect, it } from "vitest";
import { link, parseRoute } from "../../src/route";

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
