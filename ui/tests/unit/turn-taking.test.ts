// Work that may wait: one piece in each task, the last one first.
import { expect, it } from "vitest";
import { inTurn } from "../../src/lib/turn-taking";

const task = () => new Promise((done) => setTimeout(done, 0));

it("does one piece in a task, the last one first, and none that was given up", async () => {
  const done: string[] = [];
  const add = (name: string) => inTurn(() => done.push(name));
  add("first");
  const giveUp = add("given up");
  add("last");
  giveUp();
  expect(done).toEqual([]);
  await task();
  expect(done).toEqual(["last"]);
  await task();
  expect(done).toEqual(["last", "first"]);
  add("later");
  await task();
  expect(done).toEqual(["last", "first", "later"]);
});
