/**
 * The dates that a page looks at. In the program and in the API a range is half-open, `[from, to)`, over local dates
 * of the project's zone; people read and pick both ends inclusively.
 */

/** `2026-11-23`: a date of the project's calendar, without a zone. */
export type LocalDate = string;

/** Half-open range of local dates. `preset` is set when the range moves along with today. */
export interface DateRange {
  from: LocalDate;
  to: LocalDate;
  preset?: Preset;
}

/** Ranges that end with today, by their number of days. */
export const PRESETS = { "1d": 1, "7d": 7, "30d": 30, "90d": 90, "12m": 365 } as const;
export type Preset = keyof typeof PRESETS;

/** The longest range that the API answers. */
export const MAX_DAYS = 366;

const DAY_MS = 86_400_000;
const DATE = /^\d{4}-\d{2}-\d{2}$/;

/** Whether the text is a date of the calendar (`2026-02-30` is not). */
export function isDate(text: string | null | undefined): text is LocalDate {
  if (!text || !DATE.test(text)) return false;
  const ms = Date.parse(`${text}T00:00:00Z`);
  return !Number.isNaN(ms) && new Date(ms).toISOString().slice(0, 10) === text;
}

/** The date `days` later (or earlier, when negative). Calendar arithmetic: no clock change can bend it. */
export function addDays(date: LocalDate, days: number): LocalDate {
  return new Date(Date.parse(`${date}T00:00:00Z`) + days * DAY_MS).toISOString().slice(0, 10);
}

/** How many dates lie in a range. */
export function days(range: Pick<DateRange, "from" | "to">): number {
  return Math.round((Date.parse(`${range.to}T00:00:00Z`) - Date.parse(`${range.from}T00:00:00Z`)) / DAY_MS);
}

/** Today's date in a zone. */
export function today(zone: string, nowMs: number): LocalDate {
  try {
    return new Intl.DateTimeFormat("en-CA", { timeZone: zone }).format(nowMs);
  } catch {
    return new Date(nowMs).toISOString().slice(0, 10);
  }
}

/** The last days up to and with today. */
export function presetRange(preset: Preset, todayIs: LocalDate): DateRange {
  const to = addDays(todayIs, 1);
  return { from: addDays(to, -PRESETS[preset]), to, preset };
}

/** Both ends as people pick them, put in order and cut to what the API answers. */
export function pickedRange(first: LocalDate, last: LocalDate): DateRange {
  const [a, b] = first <= last ? [first, last] : [last, first];
  const to = addDays(b, 1);
  const earliest = addDays(to, -MAX_DAYS);
  return { from: a < earliest ? earliest : a, to };
}

/** The range that a URL asks for: `range=7d`, or `from` and `to` (half-open); otherwise the last 30 days. */
export function rangeFromUrl(query: URLSearchParams, todayIs: LocalDate): DateRange {
  const preset = query.get("range");
  if (preset && Object.hasOwn(PRESETS, preset)) return presetRange(preset as Preset, todayIs);
  const from = query.get("from");
  const to = query.get("to");
  if (isDate(from) && isDate(to) && from < to) return pickedRange(from, addDays(to, -1));
  return presetRange("30d", todayIs);
}

/** The range as query parameters; the default leaves no trace. */
export function rangeToUrl(range: DateRange): Record<string, string> {
  if (range.preset === "30d") return {};
  if (range.preset) return { range: range.preset };
  return { from: range.from, to: range.to };
}

/** As many dates immediately before. */
export function previousRange(range: DateRange): DateRange {
  return { from: addDays(range.from, -days(range)), to: range.from };
}

/** Points that a person can take in: hours for a day or two, weeks beyond a quarter. */
export function intervalFor(range: DateRange): "hour" | "day" | "week" {
  const length = days(range);
  if (length <= 2) return "hour";
  return length <= 100 ? "day" : "week";
}
