// What a decision leaves: each version is in the tool or in the vault, never nowhere.
import { describe, expect, it } from "vitest";
import type { Action } from "../../src/backend/types";
import { afterwards } from "../../src/lib/afterwards";

const ALL: Action[] = ["keep-both", "keep-left", "keep-right", "stitch", "branches"];

describe.each(ALL)("%s", (choice) => {
  it.each(["left", "right"] as const)("keeps both versions somewhere, with %s active", (active) => {
    const { tool, vault } = afterwards(choice, active);
    expect([...tool.flatMap((one) => one.versions), ...vault].sort()).toEqual(["left", "right"]);
    expect(tool[0]?.is).toBe("session");
  });
});

it("a session of both ends with the side that is active", () => {
  expect(afterwards("branches", "left").tool[0]?.versions.at(-1)).toBe("left");
  expect(afterwards("branches", "right").tool[0]?.versions.at(-1)).toBe("right");
});
