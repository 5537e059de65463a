/** The web overview's question and its numbers, apart from the page, so that they can be tested. */
import type { VisitFigures, WebReport } from "../api";
import type { components } from "../api.gen";
import { largest, type Line } from "../charts/series";
import * as format from "../format";
import { days, intervalFor, type DateRange } from "../range";

type Schemas = components["schemas"];
export type Dimension = Schemas["Dimension"];
export type WebBody = Schemas["WebQuery"];
export type Table = Schemas["WebTable"];
export type Row = Schemas["WebRow"];

/** What the tables are called, and what a missing value of theirs is. */
export const DIMENSIONS: Record<Dimension, { name: string; none: string }> = {
  source: { name: "Sources", none: "Direct / None" },
  referrer: { name: "Referrers", none: "Direct / None" },
  medium: { name: "Mediums", none: "(none)" },
  campaign: { name: "Campaigns", none: "(none)" },
  page: { name: "Top pages", none: "(no path)" },
  entry_page: { name: "Entry pages", none: "(no path)" },
  exit_page: { name: "Exit pages", none: "(no path)" },
  host: { name: "Hosts", none: "(none)" },
  country: { name: "Countries", none: "(unknown)" },
  region: { name: "Regions", none: "(unknown)" },
  city: { name: "Cities", none: "(unknown)" },
  device: { name: "Devices", none: "(unknown)" },
  browser: { name: "Browsers", none: "(unknown)" },
  os: { name: "Systems", none: "(unknown)" },
};

/** A filter in words: `Source is …`. */
export const ONE: Record<Dimension, string> = {
  source: "Source",
  referrer: "Referrer",
  medium: "Medium",
  campaign: "Campaign",
  page: "Page",
  entry_page: "Entry page",
  exit_page: "Exit page",
  host: "Host",
  country: "Country",
  region: "Region",
  city: "City",
  device: "Device",
  browser: "Browser",
  os: "System",
};

/** The cards below the chart, and the tables that each of them holds. */
export const CARDS: { title: string; tables: Dimension[] }[] = [
  { title: "Sources", tables: ["source", "campaign", "medium"] },
  { title: "Pages", tables: ["page", "entry_page", "exit_page"] },
  { title: "Locations", tables: ["country"] },
  { title: "Devices", tables: ["device", "browser", "os"] },
];

/** The visits that have a value; null: they lack one. */
export interface Only {
  by: Dimension;
  value: string | null;
}

/** How the address writes a missing value: an empty one is no value. */
export function onlyFromUrl(query: URLSearchParams): Only[] {
  const found: Only[] = [];
  for (const [name, value] of query) {
    if (!Object.hasOwn(DIMENSIONS, name)) continue;
    if (!found.some((one) => one.by === name && one.value === (value || null))) found.push({ by: name as Dimension, value: value || null });
  }
  return found.slice(0, 10);
}

/** The address's parameters with a value added, or taken away where it stands already. */
export function toggled(query: URLSearchParams, { by, value }: Only): string {
  const rest = [...query].filter(([name, other]) => name !== by || (other || null) !== value);
  if (rest.length === [...query].length) rest.push([by, value ?? ""]);
  return new URLSearchParams(rest).toString();
}

/** Several values of one table: any of them will do. */
export function webBody(range: DateRange, only: Only[]): WebBody {
  const tables = CARDS.flatMap((card) => card.tables);
  const by = [...new Set(only.map((one) => one.by))];
  return {
    from: range.from,
    to: range.to,
    interval: intervalFor(range),
    compare: "previous",
    tables,
    ...(by.length > 0 ? { only: by.map((name) => ({ by: name, values: only.filter((one) => one.by === name).map((one) => one.value) })) } : {}),
  };
}

/** The question in a line. */
export const webWords = (only: Only[]): string => ["Visits", ...only.map(({ by, value }) => `${ONE[by]} is ${valueName(by, value)}`)].join(", ");

const COUNTRIES = typeof Intl.DisplayNames === "function" ? new Intl.DisplayNames("en", { type: "region", fallback: "code" }) : null;

/** A value as people read it. */
export function valueName(by: Dimension, value: string | null | undefined): string {
  if (value == null) return DIMENSIONS[by].none;
  if (by === "country" && /^[A-Z]{2}$/.test(value)) return COUNTRIES?.of(value) ?? value;
  if (by === "device") return value.charAt(0).toUpperCase() + value.slice(1);
  return value;
}

/** The headline's numbers: what the chart can show. */
export const METRICS = {
  visitors: { name: "Visitors", meaning: "distinct persons", of: (f: VisitFigures) => f.visitors, write: format.count, axis: format.shortCount },
  visits: { name: "Visits", meaning: "sessions with a page view", of: (f: VisitFigures) => f.sessions, write: format.count, axis: format.shortCount },
  views: { name: "Page views", meaning: "of all visits", of: (f: VisitFigures) => f.views, write: format.count, axis: format.shortCount },
  per_visit: { name: "Views per visit", meaning: "page views ÷ visits", of: (f: VisitFigures) => f.views_per_session, write: format.number, axis: format.number },
  bounce: { name: "Bounce rate", meaning: "one page view and under 10 seconds", of: (f: VisitFigures) => f.bounce_rate, write: format.percent, axis: format.axisPercent },
  duration: { name: "Visit duration", meaning: "mean of last − first event", of: (f: VisitFigures) => f.mean_duration_ms, write: format.duration, axis: format.duration },
} as const;
export type Metric = keyof typeof METRICS;

/** Which of them an address shows; visitors where it says nothing that we know. */
export function metricFromUrl(query: URLSearchParams): Metric {
  const chosen = query.get("chart");
  return chosen !== null && Object.hasOwn(METRICS, chosen) ? (chosen as Metric) : "visitors";
}

export interface Figure {
  metric: Metric;
  value: string;
  delta: string | null;
  /** Whether the change is one to be glad about. */
  good: boolean;
  against: string;
}

/** What the answers about sites and about sessions share. */
export type VisitsReport = Pick<WebReport, "interval" | "points" | "previous" | "total">;

/** The headline. A project that was not there before has nothing to compare with. */
export function headline(report: VisitsReport, range: DateRange | null): Figure[] {
  const before = report.previous?.total;
  return (Object.keys(METRICS) as Metric[]).map((metric) => {
    const { of, write } = METRICS[metric];
    const delta = before && before.sessions > 0 ? format.change(of(report.total), of(before)) : null;
    return {
      metric,
      value: write(of(report.total) ?? null),
      delta,
      // Fewer bounces are the better ones.
      good: (delta?.startsWith("+") ?? false) !== (metric === "bounce"),
      against: range ? `vs ${format.plural(days(range), "day")} before` : "vs the time before",
    };
  });
}

/** The chart's line and the pale one of the time before. What had not begun by `asOf` has no values yet. */
export function lines(report: VisitsReport, metric: Metric, asOf: string): Line[] {
  const { name, of } = METRICS[metric];
  const begun = (start: string) => Date.parse(start) <= Date.parse(asOf);
  const line: Line = { name, color: 1, values: report.points.map((point) => (begun(point.start) ? (of(point) ?? null) : null)) };
  const before = report.points.map((point) => (point.previous ? (of(point.previous) ?? null) : null));
  const ghost: Line = { name: `${name}, before`, color: 1, values: before, ghost: true, of: name };
  return largest([ghost]) > 0 ? [line, ghost] : [line];
}

/** A point's name on the axis and in words. */
export function pointName(report: VisitsReport, point: WebReport["points"][number], zone: string, long: boolean): string {
  if (report.interval === "hour") return format[long ? "minute" : "hour"](point.start, zone);
  const name = format.day(point.date ?? point.start.slice(0, 10), long ? "weekday" : "short");
  if (!long || report.interval !== "week") return name;
  return `Week of ${name}${point.partial ? " (in part)" : ""}`;
}
