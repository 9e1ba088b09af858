// Sizes, ages, names.
import { describe, expect, it } from "vitest";
import {
  ago,
  clockOn,
  count,
  day,
  digitGroups,
  isSameDay,
  listed,
  plural,
  projectName,
  shortened,
  size,
  stretch,
} from "../../src/lib/format";

const NOW = Date.parse("2026-11-23T12:00:00Z");
const past = (seconds: number) => new Date(NOW - seconds * 1000).toISOString();

describe("format", () => {
  it("says sizes short", () => {
    expect([0, 999, 14_300, 1_240_000, 182_400_000, 3_600_000_000].map(size)).toEqual([
      "0 B",
      "999 B",
      "14 KB",
      "1.2 MB",
      "182 MB",
      "3.6 GB",
    ]);
  });

  it("says ages short, and nothing for what is no time", () => {
    expect([1, 12, 340, 7300, 100_000, 260_000].map((seconds) => ago(past(seconds), NOW))).toEqual([
      "now",
      "12 s ago",
      "5 min ago",
      "2 h ago",
      "yesterday",
      "3 days ago",
    ]);
    expect(ago(past(40 * 86_400), NOW, "en-GB")).toBe("14 Oct");
    expect(ago(past(400 * 86_400), NOW)).toMatch(/2025/);
    expect(ago(past(-90), NOW)).toBe("now"); // another device's clock goes ahead
    expect([ago(null, NOW), ago("yesterday-ish", NOW)]).toEqual(["", ""]);
  });

  it("says yesterday of yesterday only", () => {
    const monday = new Date(2026, 10, 23, 9).getTime();
    const at = (day: number, hour: number) => ago(new Date(2026, 10, day, hour).toISOString(), monday);
    expect([at(22, 10), at(22, 1), at(21, 20), at(17, 10)]).toEqual([
      "23 h ago",
      "yesterday",
      "2 days ago",
      "6 days ago",
    ]);
    expect(at(16, 8)).toMatch(/16/);
  });

  it("says the day where it is not today", () => {
    const now = new Date(2026, 10, 23, 9).getTime();
    const at = (day: number, year = 2026) => new Date(year, 10, day, 8, 5).toISOString();
    expect([clockOn(at(23), now, "en-GB"), clockOn(at(21), now, "en-GB"), clockOn(null, now)]).toEqual([
      "08:05",
      "21 Nov, 08:05",
      "",
    ]);
    expect([day(at(21), now, "en-GB"), day(at(21, 2025), now, "en-GB")]).toEqual([
      "Saturday 21 November",
      "Friday, 21 November 2025",
    ]);
    expect([isSameDay(at(21), at(21)), isSameDay(at(21), at(22)), isSameDay(null, at(22))]).toEqual([
      true,
      false,
      true,
    ]);
  });

  it("counts", () => {
    expect([count(20_000), plural(1, "session", "sessions"), plural(0, "session", "sessions")]).toEqual([
      "20,000",
      "1 session",
      "0 sessions",
    ]);
  });

  it("lists names as people do", () => {
    expect(
      [[], ["desk"], ["desk", "laptop"], ["a", "b", "c"], ["a", "b", "c", "d"]].map((names) => listed(names)),
    ).toEqual(["", "desk", "desk and laptop", "a, b and c", "a, b and 2 more"]);
    expect(shortened("x".repeat(100), 21)).toBe(`${"x".repeat(10)}…${"x".repeat(10)}`);
  });

  it("calls projects by their short name", () => {
    expect(["git:github.com/acme/api", "home:notes/ideas", "git:host/one", "odd"].map(projectName)).toEqual([
      "acme/api",
      "notes/ideas",
      "host/one",
      "odd",
    ]);
  });

  it("says a stretch of time with its days where they differ", () => {
    expect(stretch("2026-11-23T10:12:00", "2026-11-23T10:31:00", "en-GB")).toBe("10:12–10:31");
    expect(stretch("2026-11-22T23:50:00", "2026-11-23T00:10:00", "en-GB")).toBe("22 Nov, 23:50 – 23 Nov, 00:10");
    expect([stretch(null, null), stretch("2026-11-23T10:12:00", null, "en-GB")]).toEqual(["", "10:12"]);
  });

  it("groups digits", () => {
    expect(digitGroups("483 917")).toEqual(["483", "917"]);
  });
});
