/**
 * How numbers, rates, durations and moments are written. Rates leave the server as numbers; rounding happens here
 * and nowhere else. All functions are pure: the locale, the zone and "now" are arguments or fixed.
 */

const LOCALE = "en-US";
const whole = new Intl.NumberFormat(LOCALE, { maximumFractionDigits: 0 });
const compact = new Intl.NumberFormat(LOCALE, { notation: "compact", maximumFractionDigits: 1 });

/** What stands where there is no number (a rate over nothing). */
export const NONE = "–";

/** A count in full: `12,345`. */
export function count(value: number | null | undefined): string {
  return value == null ? NONE : whole.format(value);
}

/** A measured number: `12,345`, `103.03`, `0.0713`; whole numbers without decimals. */
export function number(value: number | null | undefined): string {
  if (value == null || !Number.isFinite(value)) return NONE;
  const size = Math.abs(value);
  const digits = size >= 1 || size === 0 ? { maximumFractionDigits: size >= 10_000 ? 0 : 2 } : { maximumSignificantDigits: 3 };
  return new Intl.NumberFormat(LOCALE, digits).format(value).replace("-", "−");
}

/** A difference of counts with its sign: `+3`, `−12`, `0`. */
export function signed(value: number): string {
  return value === 0 ? "0" : `${value > 0 ? "+" : "−"}${whole.format(Math.abs(value))}`;
}

/** A count where there is little room: `950`, `12.3K`. */
export function shortCount(value: number): string {
  return compact.format(value);
}

/** A ratio (0..1) as a percentage with one decimal: `42.9 %`, `<0.1 %` for what is tiny but not nothing. */
export function percent(ratio: number | null | undefined): string {
  if (ratio == null || !Number.isFinite(ratio)) return NONE;
  const value = ratio * 100;
  if (value > 0 && value < 0.05) return "<0.1 %";
  // 99.96 % must not be shown as 100 %: somebody did drop off.
  if (value > 99.9 && value < 100) return "99.9 %";
  return `${value === 100 || value === 0 ? value.toFixed(0) : value.toFixed(1)} %`;
}

/** A ratio on an axis, without decimals that say nothing: `20 %`, `2.5 %`. */
export function axisPercent(ratio: number): string {
  return `${Number((ratio * 100).toFixed(2))} %`;
}

/** A relative change as a signed percentage: `+4.2 %`, `−0.3 %`; null when there is nothing to compare with. */
export function change(now: number | null | undefined, before: number | null | undefined): string | null {
  if (now == null || before == null || before === 0) return null;
  const value = ((now - before) / before) * 100;
  const size = Math.abs(value) >= 100 ? whole.format(Math.abs(value)) : Math.abs(value).toFixed(1);
  if (Number(size.replace(/,/g, "")) === 0) return "±0 %";
  return `${value > 0 ? "+" : "−"}${size} %`;
}

const UNITS: [size: number, name: string][] = [
  [86_400_000, "d"],
  [3_600_000, "h"],
  [60_000, "min"],
  [1_000, "s"],
];

/** A duration in its two largest units: `2 d 4 h`, `3 min 12 s`, `40 s`, `0.4 s`. */
export function duration(ms: number | null | undefined): string {
  if (ms == null || !Number.isFinite(ms)) return NONE;
  if (ms < 1_000) return ms <= 0 ? "0 s" : `${Math.max(0.1, ms / 1_000).toFixed(1)} s`;
  let rest = Math.round(ms / 1_000) * 1_000;
  for (const [index, [size, name]] of UNITS.entries()) {
    if (rest < size) continue;
    const big = Math.floor(rest / size);
    rest -= big * size;
    const next = UNITS[index + 1];
    const small = next ? Math.floor(rest / next[0]) : 0;
    return next && small > 0 ? `${big} ${name} ${small} ${next[1]}` : `${big} ${name}`;
  }
  return "0 s";
}

/** A calendar date (`2026-11-23`) as `Mon, 23 Nov`; with the year on demand. Dates have no zone. */
export function day(date: string, parts: "short" | "weekday" | "year" = "short"): string {
  const options: Intl.DateTimeFormatOptions = { timeZone: "UTC", day: "numeric", month: "short" };
  if (parts === "weekday") options.weekday = "short";
  if (parts === "year") options.year = "numeric";
  return new Intl.DateTimeFormat("en-GB", options).format(Date.parse(`${date}T00:00:00Z`));
}

/** The month of a calendar date: `Nov 2026`. */
export function month(date: string): string {
  return new Intl.DateTimeFormat("en-GB", { timeZone: "UTC", month: "short", year: "numeric" }).format(Date.parse(`${date}T00:00:00Z`));
}

/** An instant as wall-clock time in a zone: `14:03:12`. */
export function clock(instant: string | number, zone: string): string {
  return new Intl.DateTimeFormat("en-GB", { ...zoned(zone), timeStyle: "medium" }).format(new Date(instant));
}

/** An instant as date and time in a zone: `23 Nov, 14:03:12`. */
export function moment(instant: string | number, zone: string): string {
  return new Intl.DateTimeFormat("en-GB", {
    ...zoned(zone),
    day: "numeric",
    month: "short",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
  }).format(new Date(instant));
}

/** The hour of an instant in a zone: `14:00`. */
export function hour(instant: string, zone: string): string {
  return new Intl.DateTimeFormat("en-GB", { ...zoned(zone), hour: "2-digit", minute: "2-digit" }).format(
    new Date(instant),
  );
}

/** Date, hour and minute of an instant in a zone: `23 Nov, 14:03`. */
export function minute(instant: string, zone: string): string {
  return new Intl.DateTimeFormat("en-GB", {
    ...zoned(zone),
    day: "numeric",
    month: "short",
    hour: "2-digit",
    minute: "2-digit",
  }).format(new Date(instant));
}

/** The day in which an instant lies in a zone: `23 Nov`, `Mon 23 Nov`. */
export function dayOf(instant: string, zone: string, withWeekday = false): string {
  const options: Intl.DateTimeFormatOptions = { ...zoned(zone), day: "numeric", month: "short" };
  if (withWeekday) options.weekday = "short";
  return new Intl.DateTimeFormat("en-GB", options).format(new Date(instant));
}

/** The date of an instant in a zone, with its year: `23 Nov 2026`. */
export function date(instant: string | number, zone: string): string {
  return new Intl.DateTimeFormat("en-GB", { ...zoned(zone), day: "numeric", month: "short", year: "numeric" }).format(
    new Date(instant),
  );
}

/** How long ago, for people: `just now`, `4 min ago`, `3 h ago`, then the date. */
export function ago(instant: string, nowMs: number, zone: string): string {
  const seconds = Math.round((nowMs - Date.parse(instant)) / 1_000);
  if (seconds < 5) return "just now";
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3_600)} h ago`;
  return minute(instant, zone);
}

/** A relative standard error as people read it: `± 0.8 %`. */
export function standardError(error: number): string {
  return `± ${(error * 100).toFixed(1)} %`;
}

/** `1 person`, `2 persons`. */
export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** An unknown zone name would throw: then the browser's own zone is used. */
function zoned(zone: string): { timeZone?: string } {
  try {
    new Intl.DateTimeFormat(LOCALE, { timeZone: zone });
    return { timeZone: zone };
  } catch {
    return {};
  }
}
