// The palette's order, the sizes of text, and what the window keeps.
import { expect, it } from "vitest";
import { type Command, fitting } from "../../src/lib/commands";
import { isText, isTexts, keep, kept, oneOf } from "../../src/lib/kept";
import { isZoom, NORMAL, nextZoom, ZOOMS } from "../../src/lib/look";

const command = (title: string, about = "View"): Command => ({
  ...{ id: title, title, about },
  icon: "info",
  run: () => {},
});

it("the palette finds by every word, and first what begins with the first one", () => {
  const all = [command("Pause syncing", "Action"), command("Sessions"), command("Smaller text", "Action")];
  const found = (text: string) => fitting(all, text).map((one) => one.title);
  expect(found("")).toHaveLength(3);
  expect(found("s")).toEqual(["Sessions", "Smaller text", "Pause syncing"]);
  expect(found("TEXT action")).toEqual(["Smaller text"]);
  expect(found("text view")).toEqual([]);
});

it("the text grows and shrinks by steps, and stops at both ends", () => {
  expect(nextZoom(NORMAL, 1)).toBe(110);
  expect(nextZoom(NORMAL, -1)).toBe(90);
  expect(nextZoom(ZOOMS[0], -1)).toBe(ZOOMS[0]);
  expect(nextZoom(200, 1)).toBe(200);
  expect(isZoom(105)).toBe(false);
  expect(isZoom("100")).toBe(false);
});

it("what was kept is taken only if it is what it should be", () => {
  keep("device", "k", ["a"]);
  expect(kept("device", "k", [], isTexts)).toEqual(["a"]);
  expect(kept("device", "k", "none", isText)).toBe("none");
  expect(kept("device", "never", "none", isText)).toBe("none");
  expect(["light", "LIGHT", null].map(oneOf("light", "dark"))).toEqual([true, false, false]);
});
