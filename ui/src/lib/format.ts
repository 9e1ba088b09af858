// Numbers and times in readable form. Pure: the current time is always an argument.

const UNITS = ["B", "KB", "MB", "GB", "TB"];

/** 14 KB, 1.2 MB. Whole numbers up to KB, one decimal for short numbers above. */
export function size(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const text = unit < 2 || value >= 100 ? String(Math.round(value)) : value.toFixed(1);
  return `${text} ${UNITS[unit]}`;
}

export function count(n: number): string {
  return n.toLocaleString("en");
}

/** 950, 12.4K, 3.1M: for numbers of which the order matters. */
export function short(n: number): string {
  if (n < 1_000) return String(n);
  const [value, unit] = n < 999_950 ? [n / 1_000, "K"] : [n / 1_000_000, "M"];
  return `${value < 99.95 ? value.toFixed(1).replace(/\.0$/, "") : Math.round(value)}${unit}`;
}

export function plural(n: number, one: string, many: string): string {
  return `${count(n)} ${n === 1 ? one : many}`;
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** "12 s ago", "5 min ago", "yesterday", "14 Mar". */
export function ago(at: string | null, now: number, locale?: string): string {
  const then = at === null ? Number.NaN : Date.parse(at);
  if (Number.isNaN(then)) return "";
  const gone = Math.max(0, now - then);
  if (gone < 5_000) return "now";
  if (gone < MINUTE) return `${Math.floor(gone / 1000)} s ago`;
  if (gone < HOUR) return `${Math.floor(gone / MINUTE)} min ago`;
  if (gone < DAY) return `${Math.floor(gone / HOUR)} h ago`;
  // By the calendar, as lists are grouped.
  const days = daysBetween(then, now);
  if (days <= 1) return "yesterday";
  if (days < 7) return `${days} days ago`;
  return date(then, now, locale);
}

function daysBetween(then: number, now: number): number {
  const midnight = (time: number) => new Date(time).setHours(0, 0, 0, 0);
  return Math.round((midnight(now) - midnight(then)) / DAY);
}

/** Whether two moments are on the same day; one without a time is on any. */
export function isSameDay(one: string | null, other: string | null): boolean {
  if (!one || !other) return true;
  return new Date(one).toDateString() === new Date(other).toDateString();
}

/** "Monday, 23 November", with the year if it is not this one's. */
export function day(at: string, now: number, locale?: string): string {
  const then = Date.parse(at);
  if (Number.isNaN(then)) return "";
  const options = { weekday: "long", day: "numeric", month: "long" } as const;
  return new Date(then).getFullYear() === new Date(now).getFullYear()
    ? formatOf("weekday", options, locale).format(then)
    : formatOf("weekday and year", { ...options, year: "numeric" }, locale).format(then);
}

/** 10:12 today; "21 Nov, 10:12" on any other day. */
export function clockOn(at: string | null, now: number, locale?: string): string {
  const time = clock(at, locale);
  return at === null || time === "" || daysBetween(Date.parse(at), now) === 0
    ? time
    : `${date(Date.parse(at), now, locale)}, ${time}`;
}

function date(then: number, now: number, locale: string | undefined): string {
  const sameYear = new Date(then).getFullYear() === new Date(now).getFullYear();
  const options = { day: "numeric", month: "short" } as const;
  return sameYear
    ? formatOf("day", options, locale).format(then)
    : formatOf("year", { ...options, year: "numeric" }, locale).format(then);
}

const formats = new Map<string, Intl.DateTimeFormat>();

/** Making a format takes a thousand times as long as using it. */
function formatOf(kind: string, options: Intl.DateTimeFormatOptions, locale: string | undefined): Intl.DateTimeFormat {
  const key = `${kind} ${locale}`;
  const known = formats.get(key) ?? new Intl.DateTimeFormat(locale, options);
  formats.set(key, known);
  return known;
}

/** "March", "December 2025". */
export function month(time: number, sameYear: boolean, locale?: string): string {
  return sameYear
    ? formatOf("month", { month: "long" }, locale).format(time)
    : formatOf("month and year", { month: "long", year: "numeric" }, locale).format(time);
}

/** The exact time, for a hover text, as the system writes it. */
export function exact(at: string | null, locale?: string): string {
  const then = at === null ? Number.NaN : Date.parse(at);
  if (Number.isNaN(then)) return "";
  return formatOf("exact", { dateStyle: "full", timeStyle: "medium" }, locale).format(then);
}

/** 10:12, as the system writes it. */
export function clock(at: string | null, locale?: string): string {
  const then = at === null ? Number.NaN : Date.parse(at);
  if (Number.isNaN(then)) return "";
  return formatOf("clock", { hour: "2-digit", minute: "2-digit" }, locale).format(then);
}

/** 10:12–10:31; with the date if the days differ. */
export function stretch(first: string | null, last: string | null, locale?: string): string {
  const time = (at: string | null) => clock(at, locale);
  if (!first || !last) return time(first ?? last);
  const day = (at: string) => formatOf("day", { day: "numeric", month: "short" }, locale).format(Date.parse(at));
  if (day(first) !== day(last)) return `${day(first)}, ${time(first)} – ${day(last)}, ${time(last)}`;
  return time(first) === time(last) ? time(first) : `${time(first)}–${time(last)}`;
}

/** "desk", "desk and laptop", "desk, laptop and 2 more". */
export function listed(all: readonly string[], most = 2): string {
  const names = all.map((name) => shortened(name, 36));
  if (names.length <= 1) return names[0] ?? "";
  const shown = names.length > most + 1 ? names.slice(0, most) : names.slice(0, -1);
  const rest = names.length - shown.length;
  return `${shown.join(", ")} and ${rest === 1 ? names.at(-1) : `${rest} more`}`;
}

/** A long name in a sentence, shortened in the middle: both ends distinguish names. */
export function shortened(name: string, most: number): string {
  const letters = [...name];
  if (letters.length <= most) return name;
  const half = Math.floor((most - 1) / 2);
  return `${letters.slice(0, half).join("")}…${letters.slice(-half).join("")}`;
}

/** A project's short name rather than its key. */
export function projectName(key: string): string {
  const bare = key.replace(/^[a-z]+:/, "");
  const parts = bare.split("/").filter(Boolean);
  return key.startsWith("git:") && parts.length > 2 ? parts.slice(1).join("/") : bare || key;
}

/** 483917 → "483 917". */
export function digitGroups(digits: string): [string, string] {
  const bare = digits.replace(/\D/g, "");
  return [bare.slice(0, 3), bare.slice(3)];
}

/** A time as the value of a `datetime-local` field: `2026-11-28T17:00`, in this device's time
 * zone. */
export function fieldOf(time: Date): string {
  const two = (n: number) => String(n).padStart(2, "0");
  const day = [time.getFullYear(), two(time.getMonth() + 1), two(time.getDate())].join("-");
  return `${day}T${two(time.getHours())}:${two(time.getMinutes())}`;
}

/** The instant in such a field, if it is not after `now`. A web view without this field type shows
 * a line of text. */
export function instantOf(field: string, now: number): string | null {
  const text = field.trim().replace(" ", "T");
  const instant = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?$/.test(text) ? new Date(text).getTime() : Number.NaN;
  return instant <= now ? new Date(instant).toISOString() : null;
}
