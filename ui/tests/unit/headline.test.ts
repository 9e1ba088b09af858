// The one sentence about everything: it names the one thing, and never says that all is well while something is wrong.
import { expect, it } from "vitest";
import { makeWorld, STATES } from "../../src/backend/fake/world";
import { isTold, waits } from "../../src/lib/actions";
import { attention, headline } from "../../src/lib/headline";

const NOW = Date.parse("2026-11-23T12:00:00Z");

it("every state has a sentence of its own kind", () => {
  const said = Object.fromEntries(
    STATES.map((name) => {
      const world = makeWorld(name, NOW);
      return [name, headline(world.status, world.devices, false, { splits: world.splits }).what];
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
    busy: "2 items need your attention.",
    choose: "“Fix login race” has two versions.",
    "big-split": "“Fix login race” has two versions.",
    held: "4 items need your attention.",
    lost: "session-roam is not responding.",
    broken: "session-roam has stopped. Nothing is recorded or synced.",
    chosen: "Up to date with laptop and studio.",
    crowd: "3 items need your attention.",
    waiting: "3 items need your attention.",
    asking: "tablet asks to pair.",
  });
  // A question is no trouble: the window and the tray stay calm.
  expect(said["code-asked"]).toBe(said.quiet);
  expect(headline(null, null).what).not.toBe("");
});

it("three versions are three", () => {
  const world = makeWorld("several", NOW);
  const items = attention(world.status, world.devices, world.splits);
  expect(items).toEqual(["“Fix login race” has 3 versions.", "“Flaky test in queue_spec” has two versions."]);
});

it.each([
  ["state_unwritable", "permission denied"],
  ["disk_full", "The disk is full."],
  ["syncthing_refused", "The disk is full."],
] as const)("is not calm while %s lasts", (code, message) => {
  const world = makeWorld("quiet", NOW);
  world.status.problems = [{ code, message, hint: "", actions: [] }];
  expect(headline(world.status, world.devices)).toMatchObject({ tone: "trouble", what: message });
});

it("is not calm while every request is refused, or a session waits for the user", () => {
  const world = makeWorld("quiet", NOW);
  expect(headline(world.status, world.devices, false, { refused: "permission denied" }).tone).toBe("trouble");
  for (const code of ["unwritable", "tool_off", "no_place"] as const) {
    const [wait] = makeWorld("waiting", NOW).status.waiting;
    world.status.waiting = [{ ...wait!, code }];
    expect(headline(world.status, world.devices).tone).toBe("attention");
  }
});

it.each(["not_recorded", "folder_errors", "device_cloned"] as const)("nothing is up to date while %s lasts", (code) => {
  const world = makeWorld("quiet", NOW);
  world.status.problems = [{ code, message: "It could not be read.", hint: "", actions: [] }];
  expect(headline(world.status, world.devices)).toMatchObject({
    tone: "attention",
    what: "1 problem is listed below.",
  });
  expect(isTold(world.status, world.status.problems[0]!)).toBe(false);
  world.status.problems = [{ code: "left_out", message: "A file is left out.", hint: "", actions: [] }];
  expect(headline(world.status, world.devices).tone).toBe("calm");
});

it("a wait that passes by itself asks for nothing", () => {
  const world = makeWorld("waiting", NOW);
  const { user, passing } = waits(world.status);
  expect([user.length, passing.map(({ listed }) => listed[0]?.code)]).toEqual([3, ["live", "parent"]]);
  world.status.waiting = passing.flatMap(({ listed }) => listed);
  expect(headline(world.status, world.devices).tone).toBe("calm");
});

it("sessions that wait for one act are one item, with all of them counted", () => {
  const world = makeWorld("crowd", NOW);
  const { user } = waits(world.status);
  expect(user.map(({ listed, n }) => [listed[0]?.code, listed.length, n])).toEqual([
    ["no_place", 4, 4],
    ["no_place", 1, 1],
    ["tool_off", 1, 240],
  ]);
  expect(attention(world.status, world.devices).at(-1)).toBe(
    "240 sessions are waiting: This tool is switched off on this device.",
  );
});

it("what the user chose asks for nothing, and is not said to pass by itself", () => {
  const { user, passing, nPassing, choice, nChosen } = waits(makeWorld("chosen", NOW).status);
  expect([user, passing, nPassing]).toEqual([[], [], 0]);
  expect([choice.map(({ n }) => n), nChosen]).toEqual([[2, 1], 3]);
});

it("a record that is too large waits for the user", () => {
  const world = makeWorld("waiting", NOW);
  world.status.waiting = [{ ...world.status.waiting[0]!, code: "left_out" }];
  expect(headline(world.status, world.devices).tone).toBe("attention");
});

it.each(["disk_full", "vault_unwritable", "state_unwritable"] as const)(
  "does not say that changes are saved while Syncthing is missing and there is %s",
  (code) => {
    const world = makeWorld("missing", NOW);
    world.status.problems.push({ code, message: "Nothing can be written.", hint: "", actions: [] });
    expect(headline(world.status, world.devices)).toMatchObject({ tone: "trouble", what: "Nothing can be written." });
    const [missing, other] = world.status.problems;
    expect([isTold(world.status, missing!), isTold(world.status, other!)]).toEqual([false, true]);
  },
);

it("what the headline does not say stays a notice", () => {
  const world = makeWorld("failed", NOW);
  const more = { code: "vault_unwritable", message: "The vault cannot be written.", hint: "", actions: [] } as const;
  world.status.problems.push({ ...more, actions: [] });
  expect(world.status.problems.map((one) => isTold(world.status, one))).toEqual([true, false]);
});
