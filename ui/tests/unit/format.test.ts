// Sizes, ages, names.
import { describe, expect, it } from "vitest";
import { ago, count, digitGroups, listed, plural, projectName, shortened, size, stretch } from "../../src/lib/format";

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
