// Routes, and what keys are called.
import { expect, it } from "vitest";
import { link, parseRoute } from "../../src/route";
import { keyName } from "../../src/state";

it.each([
  ["л", "KeyK", "Mod+k"],
  ["ל", "KeyK", "Mod+k"],
  ["х", "BracketLeft", "Mod+["],
  ["Л", "KeyK", "Mod+K"],
  // What a Latin layout says counts, wherever the key is.
  ["t", "KeyK", "Mod+t"],
  ["ü", "BracketLeft", "Mod+ü"],
  ["é", "Digit2", "Mod+é"],
  ["ArrowUp", "ArrowUp", "Mod+ArrowUp"],
  ["?", "Digit7", "Mod+?"],
])("the key %s of %s is %s", (key, code, name) => {
  const event = { key, code, ctrlKey: true, metaKey: false, altKey: false, getModifierState: () => false };
  expect(keyName(event)).toBe(name);
  const altGr = { ...event, getModifierState: () => true };
  expect(keyName(altGr)).toBe(key);
});

it("routes survive being written and read, and odd ones lead to the overview", () => {
  expect(parseRoute(link("sessions", "a/b c%"))).toEqual({
    view: "sessions",
    session: "a/b c%",
    message: null,
    resumes: false,
    search: false,
    alone: false,
  });
  expect(parseRoute(link("sessions", "a", 12))).toEqual({
    view: "sessions",
    session: "a",
    message: 12,
    resumes: false,
    search: false,
    alone: false,
  });
  expect(parseRoute("#/sessions/a/-1").message).toBeNull();
  expect(parseRoute("#/sessions/a/resume")).toMatchObject({ session: "a", message: null, resumes: true });
  expect(parseRoute("#/splits/a/resume").resumes).toBe(false);
  expect(parseRoute("#/split/x")).toEqual({
    view: "splits",
    session: "x",
    message: null,
    resumes: false,
    search: false,
    alone: true,
  });
  expect(parseRoute("#/search")).toEqual({
    view: "sessions",
    session: null,
    message: null,
    resumes: false,
    search: true,
    alone: false,
  });
  expect(parseRoute("#/nowhere/%E0%A4%A")).toEqual({
    view: "overview",
    session: "%E0%A4%A",
    message: null,
    resumes: false,
    search: false,
    alone: false,
  });
});
