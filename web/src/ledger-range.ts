/** Which instants the ledger looks at: the last hours or days up to now, or dates of the project's calendar. */
import type { LedgerInterval } from "./api-health";
import { addDays, days, isDate, pickedRange, type LocalDate } from "./range";

const HOUR_MS = 3_600_000;

/** Spans that end now: their hours and how finely they are drawn. From 7 days on they are whole days, today included. */
export const SPANS = {
  "1h": { name: "Last hour", hours: 1, interval: "minute" },
  "24h": { name: "Last 24 hours", hours: 24, interval: "hour" },
  "7d": { name: "Last 7 days", hours: 7 * 24, interval: "hour" },
  "30d": { name: "Last 30 days", hours: 30 * 24, interval: "day" },
  "90d": { name: "Last 90 days", hours: 90 * 24, interval: "day" },
} as const satisfies Record<string, { name: string; hours: number; interval: LedgerInterval }>;
export type Span = keyof typeof SPANS;

/** What is looked at: a span that moves along with now, or dates (half-open). */
export type LedgerRange = { span: Span } | { from: LocalDate; to: LocalDate };

/** More bars than this have no pixel each. (The API itself answers up to 1,500 points.) */
const MOST_BARS = 750;

/** By the address: `span=1h`, or `from` and `to`; `range=7d` of the other pages is understood. Otherwise 24 hours. */
export function ledgerRange(query: URLSearchParams): LedgerRange {
  const span = query.get("span");
  if (span && span in SPANS) return { span: span as Span };
  const [from, to] = [query.get("from"), query.get("to")];
  if (isDate(from) && isDate(to) && from < to) {
    const picked = pickedRange(from, addDays(to, -1));
    return { from: picked.from, to: picked.to };
  }
  const range = query.get("range");
  return { span: range && range in SPANS ? (range as Span) : "24h" };
}

/** The range as parameters of the address; null removes one. The default leaves no trace. */
export function ledgerRangeToUrl(range: LedgerRange): Record<string, string | null> {
  if ("span" in range) return { span: range.span === "24h" ? null : range.span, range: null, from: null, to: null };
  return { span: null, range: null, from: range.from, to: range.to };
}

/** Intervals that draw a range in few enough points, and not in one. */
export function intervals(range: LedgerRange): LedgerInterval[] {
  const hours = "span" in range ? SPANS[range.span].hours : days(range) * 24;
  const points: [LedgerInterval, number][] = [
    ["minute", hours * 60],
    ["hour", hours],
    ["day", hours / 24],
  ];
  return points.filter(([, count]) => count >= 2 && count <= MOST_BARS).map(([name]) => name);
}

/** How finely a range is drawn: as asked if it can be, otherwise as suits it. */
export function ledgerInterval(range: LedgerRange, wanted: string | null): LedgerInterval {
  const possible = intervals(range);
  const found = possible.find((one) => one === wanted);
  if (found) return found;
  if ("span" in range) return SPANS[range.span].interval;
  return days(range) <= 7 ? "hour" : "day";
}

/**
 * The question for the API. Hours end now and begin at a whole interval, so that points are whole; days are dates of the
 * project's calendar, as on the other pages.
 */
export function ledgerQuestion(
  range: LedgerRange,
  interval: LedgerInterval,
  nowMs: number,
  today: LocalDate,
): { from: string; to: string; interval: LedgerInterval } {
  if (!("span" in range)) return { from: range.from, to: range.to, interval };
  const { hours } = SPANS[range.span];
  if (hours > 24) {
    const to = addDays(today, 1);
    return { from: addDays(to, -hours / 24), to, interval };
  }
  const unit = interval === "minute" ? 60_000 : HOUR_MS;
  const end = Math.ceil((nowMs + 1) / unit) * unit;
  return { from: instant(end - hours * HOUR_MS), to: instant(end), interval };
}

const instant = (ms: number) => new Date(ms).toISOString().replace(".000Z", "Z");
