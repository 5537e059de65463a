/** The question of the trends page, its form in the address, and the body that the API gets. */
import type { components } from "./api.gen";
import { intervalFor, type DateRange } from "./range";

type Schemas = components["schemas"];
export type Series = Schemas["SeriesQuery"];
export type Property = Schemas["PropertyQuery"];
export type FilterQuery = Schemas["FilterQuery"];
export type Measure = Schemas["Measure"];
export type Interval = Schemas["Interval"];
export type WeekStart = Schemas["WeekStart"];
type TrendsQuery = Schemas["TrendsQuery"];

export interface TrendQuestion {
  series: Series[];
  filter?: FilterQuery;
  breakdown: Property[];
  breakdown_limit: number;
  formula: string;
  /** Null: what suits the dates. */
  interval: Interval | null;
  week_start: WeekStart;
  compare: boolean;
}

export const MEASURES: Record<Measure, string> = {
  count: "Events",
  persons: "Persons",
  per_person: "Events per person",
  sum: "Sum of",
  avg: "Average of",
  min: "Minimum of",
  max: "Maximum of",
  p50: "Median of",
  p90: "90th percentile of",
  p95: "95th percentile of",
  p99: "99th percentile of",
};
export const INTERVALS: Record<Interval, string> = { minute: "Minute", hour: "Hour", day: "Day", week: "Week", month: "Month" };
export const WEEK_STARTS: Record<WeekStart, string> = { monday: "Monday", sunday: "Sunday", saturday: "Saturday" };
export const CHARTS = { line: "Lines", bars: "Bars", table: "Table", number: "Number" } as const;
export type Chart = keyof typeof CHARTS;

export const MAX_SERIES = 20;
export const MAX_ALTERNATIVES = 10;
export const MAX_BREAKDOWN = 3;
/** As many values as a chart has colours for; the API's own usual is 25. */
export const USUAL_LIMIT = 5;
export const LIMITS = [5, 10, 25, 50, 100, 200];

export const usualTrend = (series: Series[] = []): TrendQuestion => ({
  series,
  breakdown: [],
  breakdown_limit: USUAL_LIMIT,
  formula: "",
  interval: null,
  week_start: "monday",
  compare: false,
});

/** `A`, `B`, …: what formulas call a series. */
export const letter = (index: number): string => String.fromCharCode(65 + index);

/** Whether a measure is of a numeric property. */
export const isOfNumber = (measure: Measure | undefined): boolean =>
  measure !== undefined && measure !== "count" && measure !== "persons" && measure !== "per_person";

/** All events of a series. */
export const eventsOf = (series: Series): string[] => series.events ?? (series.event == null ? [] : [series.event]);

/** The series with these events: one is `event`, several are `events`. */
export function withEvents(series: Series, names: string[]): Series {
  const rest = { ...series };
  delete rest.event;
  delete rest.events;
  return names.length > 1 ? { events: names, ...rest } : { event: names[0] ?? "", ...rest };
}

/** The series with another measure: what the new one has no use for goes. */
export function withMeasure({ of, cumulative, rolling_days, ...rest }: Series, measure: Measure): Series {
  const next: Series = { ...rest, measure };
  if (isOfNumber(measure)) next.of = of ?? { property: "" };
  if (measure === "persons") Object.assign(next, cumulative ? { cumulative } : rolling_days ? { rolling_days } : {});
  return next;
}

/** Whether a property says which it is. */
export const isNamed = (property: Property): boolean => nameOf(property).trim() !== "";

/** The property of an address whose values are counted instead of persons. */
export function groupFromUrl(query: URLSearchParams): Property | undefined {
  const given = parsed(query.get("group"));
  if (typeof given !== "object" || given === null) return undefined;
  const named = (["property", "person", "cohort"] as const).find((of) => typeof (given as Property)[of] === "string");
  return named && { [named]: (given as Property)[named] };
}

const nameOf = (property: Property | null | undefined): string => property?.property ?? property?.person ?? property?.cohort ?? "";

/** What keeps the question from being asked, in words; null when it can be. The server has the last word. */
export function complaintAbout(question: TrendQuestion): string | null {
  if (question.series.length === 0) return "Choose an event.";
  for (const [index, series] of question.series.entries()) {
    if (eventsOf(series).some((event) => !event.trim())) return `Series ${letter(index)} has no event yet.`;
    if (isOfNumber(series.measure) && !nameOf(series.of).trim()) return `Of which property is ${letter(index)}?`;
  }
  if (question.breakdown.some((property) => !nameOf(property).trim())) return "By which property is it broken down?";
  return null;
}

/** The address: one event after another where that says it all, else the API's own words as JSON. */
export function trendToUrl(question: TrendQuestion): [name: string, value: string][] {
  const usual = usualTrend();
  const plain = question.series.every((one) => Object.keys(one).every((key) => key === "event" || (key === "measure" && one.measure === "count")));
  const parameters: [string, string][] = plain
    ? question.series.map((one) => ["event", one.event ?? ""])
    : [["series", JSON.stringify(question.series)]];
  if (question.filter) parameters.push(["filter", JSON.stringify(question.filter)]);
  for (const property of question.breakdown) {
    if (property.cohort != null) parameters.push(["by_cohort", property.cohort]);
    else parameters.push(property.person == null ? ["by", property.property ?? ""] : ["by_person", property.person]);
  }
  if (question.breakdown_limit !== usual.breakdown_limit) parameters.push(["top", `${question.breakdown_limit}`]);
  if (question.formula.trim()) parameters.push(["formula", question.formula.trim()]);
  if (question.interval) parameters.push(["interval", question.interval]);
  if (question.week_start !== usual.week_start) parameters.push(["week_start", question.week_start]);
  if (question.compare) parameters.push(["compare", "previous"]);
  return parameters;
}

export function trendFromUrl(query: URLSearchParams): TrendQuestion {
  const written = parsed(query.get("series"));
  const series = Array.isArray(written)
    ? written.filter(isObject).slice(0, MAX_SERIES)
    : query.getAll("event").slice(0, MAX_SERIES).map((event) => ({ event }));
  const filter = parsed(query.get("filter"));
  const top = Number(query.get("top"));
  const interval = query.get("interval");
  const week = query.get("week_start");
  const question: TrendQuestion = {
    ...usualTrend(series as Series[]),
    breakdown: [...query]
      .flatMap(([name, value]): Property[] => {
        if (name === "by_cohort") return [{ cohort: value }];
        return name === "by" ? [{ property: value }] : name === "by_person" ? [{ person: value }] : [];
      })
      .slice(0, MAX_BREAKDOWN),
    formula: query.get("formula") ?? "",
    interval: interval !== null && Object.hasOwn(INTERVALS, interval) ? (interval as Interval) : null,
    week_start: week !== null && Object.hasOwn(WEEK_STARTS, week) ? (week as WeekStart) : "monday",
    compare: query.get("compare") === "previous",
  };
  if (isObject(filter)) question.filter = filter as FilterQuery;
  if (Number.isInteger(top) && top >= 1 && top <= 200) question.breakdown_limit = top;
  return question;
}

/** The body of the question, as the API takes it. */
export function trendBody(question: TrendQuestion, range: DateRange): TrendsQuery & { kind: "trends" } {
  const interval = question.interval ?? intervalFor(range);
  return {
    kind: "trends",
    series: question.series,
    ...(question.filter ? { filter: question.filter } : {}),
    ...(question.breakdown.length > 0 ? { breakdown: question.breakdown, breakdown_limit: question.breakdown_limit } : {}),
    ...(question.formula.trim() ? { formula: question.formula.trim() } : {}),
    ...(question.compare ? { compare: "previous" as const } : {}),
    interval,
    ...(interval === "week" ? { week_start: question.week_start } : {}),
    from: range.from,
    to: range.to,
  };
}

export function chartFromUrl(query: URLSearchParams): Chart {
  const chart = query.get("chart");
  return chart !== null && Object.hasOwn(CHARTS, chart) ? (chart as Chart) : "line";
}

const isObject = (value: unknown): value is object => typeof value === "object" && value !== null && !Array.isArray(value);

/** JSON of an address: people may have broken it. */
export function parsed(text: string | null): unknown {
  if (text === null) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A field that the API refused, by JSON pointer. */
export interface Fault {
  pointer: string;
  code: string;
  detail: string;
}

/** What was refused of these fields, and below them. */
export function faultsAt(faults: Fault[], ...pointers: string[]): Fault[] {
  return faults.filter((fault) => pointers.some((one) => fault.pointer === one || fault.pointer.startsWith(`${one}/`)));
}
