// Which result answers which call: by their ids, else by their order, whatever page comes first.
import { describe, expect, it } from "vitest";
import type { Message, Part, Role } from "../../src/backend/types";
import { firstAfter, nth } from "../../src/lib/occurrences";
import { Pairs, partsOfResult } from "../../src/lib/pairs";

const call = (id?: string): Part => ({ kind: "tool_use", bytes: 0, text: "", ...(id ? { call_id: id } : {}) });
const result = (id?: string): Part => ({ kind: "tool_result", bytes: 0, text: "", ...(id ? { call_id: id } : {}) });
const text: Part = { kind: "text", bytes: 1, text: "x" };
const image: Part = { kind: "image", bytes: 1, text: "" };
const said = (role: Role, ...parts: Part[]): Message => ({ role, text: "", at: null, device: null, parts });

function pairsOf(all: (Message | undefined)[]): Pairs {
  const pairs = new Pairs((at) => all[at]);
  pairs.add(
    0,
    all.map((one) => one ?? said("system")),
  );
  return pairs;
}

describe("by id", () => {
  it("calls beside each other have each its own result, in any order", () => {
    const pairs = pairsOf([
      said("assistant", text, call("a"), call("b")),
      said("tool", result("b")),
      said("tool", result("a"), image),
    ]);
    expect(pairs.resultOf(0, 1)).toEqual({ message: 2, part: 0 });
    expect(pairs.resultOf(0, 2)).toEqual({ message: 1, part: 0 });
    expect(pairs.callOf(2, 0)).toEqual({ message: 0, part: 1 });
    // A picture after a result belongs to it.
    expect(pairs.callOf(2, 1)).toEqual({ message: 0, part: 1 });
    expect([pairs.isElsewhere(0), pairs.isElsewhere(1), pairs.isElsewhere(2)]).toEqual([false, true, true]);
  });

  it("is found once both pages are there, whichever comes first", () => {
    const all: Message[] = [said("assistant", call("a"))];
    all[5_000] = said("tool", result("a"));
    const pairs = new Pairs((at) => all[at]);
    pairs.add(5_000, [all[5_000]!]);
    expect(pairs.callOf(5_000, 0)).toBeUndefined();
    pairs.add(0, [all[0]!]);
    expect(pairs.callOf(5_000, 0)).toEqual({ message: 0, part: 0 });
    expect(pairs.resultOf(0, 0)).toEqual({ message: 5_000, part: 0 });
  });

  it("a second result, a second call and a result before its call stand alone", () => {
    const pairs = pairsOf([
      said("tool", result("z")),
      said("assistant", call("a"), call("a"), call("z")),
      said("tool", result("a"), result("a")),
    ]);
    expect(pairs.resultOf(1, 0)).toEqual({ message: 2, part: 0 });
    expect(pairs.resultOf(1, 1)).toBeUndefined();
    expect(pairs.callOf(2, 1)).toBeUndefined();
    expect([pairs.callOf(0, 0), pairs.resultOf(1, 2)]).toEqual([undefined, undefined]);
    expect(pairs.isElsewhere(2)).toBe(false);
  });
});

describe("by order", () => {
  it("a result right after its call in one message is its result", () => {
    const pairs = pairsOf([said("assistant", call(), result(), text, call(), result())]);
    expect(pairs.resultOf(0, 0)).toEqual({ message: 0, part: 1 });
    expect(pairs.callOf(0, 4)).toEqual({ message: 0, part: 3 });
    // What is shown within the message is no reason to hide the message.
    expect(pairs.isElsewhere(0)).toBe(false);
  });

  it("results of the next messages answer in turn, until somebody asks anew", () => {
    const pairs = pairsOf([
      said("assistant", call(), call()),
      said("tool", result()),
      said("tool", result()),
      said("assistant", call()),
      said("user", text),
      said("tool", result()),
    ]);
    expect([pairs.resultOf(0, 0)?.message, pairs.resultOf(0, 1)?.message]).toEqual([1, 2]);
    expect([pairs.resultOf(3, 0), pairs.callOf(5, 0)]).toEqual([undefined, undefined]);
  });

  it("a page that is missing ends the search", () => {
    const all = [said("assistant", call()), undefined, said("tool", result())];
    expect(pairsOf(all).callOf(2, 0)).toBeUndefined();
  });
});

it("the parts of a result are it and its pictures", () => {
  const message = said("tool", result("a"), image, image, result("b"), image);
  expect(partsOfResult(message, 0).map(([at]) => at)).toEqual([0, 1, 2]);
  expect(partsOfResult(message, 3).map(([at]) => at)).toEqual([3, 4]);
});

it("occurrences are counted through the parts that have them", () => {
  const found = {
    total: 6,
    places: [
      { message: 2, part: 0, n: 3 },
      { message: 2, part: 1, n: 1 },
      { message: 9, part: 0, n: 2 },
    ],
  };
  expect([firstAfter(found, 0), firstAfter(found, 3), firstAfter(found, 99)]).toEqual([1, 5, 1]);
  expect(firstAfter({ total: 0, places: [] }, 0)).toBe(0);
  expect([nth(found, 2), nth(found, 3), nth(found, 5)]).toEqual([
    { message: 2, part: 0, nth: 2 },
    { message: 2, part: 1, nth: 0 },
    { message: 9, part: 0, nth: 1 },
  ]);
  expect(nth(found, 6)).toBeNull();
});
