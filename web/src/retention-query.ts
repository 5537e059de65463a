/** The question of the retention page, its form in the URL, and how its table is labelled and shaded. */
import type { components } from "./api.gen";
import type { RetentionReport } from "./api";
import type { Line } from "./charts/series";
import { propertyFromApi, valueWords } from "./filter-query";
import * as format from "./format";
import type { DateRange } from "./range";
import { groupFromUrl, isNamed, parsed, type FilterQuery, type Property, type WeekStart, WEEK_STARTS } from "./trend-query";

type RetentionBody = Extract<components["schemas"]["Question"], { kind: "retention" }>;

export const UNITS = { day: "Days", week: "Weeks", month: "Months", hour: "Hours" } as const;
export const RULES = {
  on: "Came back in that period",
  on_or_after: "In that period or later",
  streak: "In every period so far",
} as const;
export const CLOCKS = { calendar: "Calendar", rolling: "From each person's start" } as const;
export const ENTRIES = {
  first_in_range: "First time in these dates",
  first_ever: "First time ever",
  recurring: "First time in each period",
} as const;

export type Unit = keyof typeof UNITS;

/** What starts, or what counts as coming back. */
export interface Selection {
  /** Any of these; none: any activity. */
  events: string[];
  filter?: FilterQuery;
}

export interface RetentionQuery {
  start: Selection;
  returns: Selection;
  unit: Unit;
  rule: keyof typeof RULES;
  clock: keyof typeof CLOCKS;
  entry: keyof typeof ENTRIES;
  /** Returns that a period needs. */
  minimum: number;
  /** The last period; null: as the API has it for the unit. */
  periods: number | null;
  /** Edges of groups of periods, instead of `periods`. */
  brackets: number[] | null;
  week_start: WeekStart;
  /** Whose values are counted instead of persons. */
  group?: Property;
  breakdown: Property | null;
  breakdown_limit: number;
  /** What every event has to pass. */
  filter?: FilterQuery;
}

export const MAX_MINIMUM = 1_000;
/** The most periods of a unit, and how many there are when nobody says. */
export const PERIODS: Record<Unit, { usual: number; most: number }> = {
  hour: { usual: 24, most: 168 },
  day: { usual: 14, most: 90 },
  week: { usual: 8, most: 53 },
  month: { usual: 6, most: 24 },
};
export const USUAL_BRACKETS: Record<Unit, number[]> = {
  hour: [0, 1, 6, 12, 24],
  day: [0, 1, 3, 7, 14],
  week: [0, 1, 2, 4, 8],
  month: [0, 1, 3, 6],
};
export const USUAL_LIMIT = 5;
export const VIEWS = { table: "Table", curves: "Curves" } as const;
export type View = keyof typeof VIEWS;

/** What is asked when nobody chose anything: who comes back at all, week by week. */
export function usualQuestion(): RetentionQuery {
  return {
    start: { events: [] },
    returns: { events: [] },
    unit: "week",
    rule: "on",
    clock: "calendar",
    entry: "first_in_range",
    minimum: 1,
    periods: null,
    brackets: null,
    week_start: "monday",
    breakdown: null,
    breakdown_limit: USUAL_LIMIT,
  };
}

/** The question of a URL; what it does not say, or says in words of its own, is the usual. */
export function retentionFromUrl(query: URLSearchParams): RetentionQuery {
  const usual = usualQuestion();
  const choice = <T extends string>(name: string, all: Record<T, string>, otherwise: T): T => {
    const chosen = query.get(name);
    return chosen !== null && Object.hasOwn(all, chosen) ? (chosen as T) : otherwise;
  };
  const whole = (name: string, most: number): number | null => {
    const value = query.get(name);
    return value !== null && isWhole(Number(value), most) ? Number(value) : null;
  };
  const filter = (name: string): { filter?: FilterQuery } => {
    const given = parsed(query.get(name));
    return typeof given === "object" && given !== null ? { filter: given as FilterQuery } : {};
  };
  const selection = (name: string): Selection => ({ events: query.getAll(name).filter(Boolean), ...filter(`${name}_filter`) });
  const unit = choice("unit", UNITS, usual.unit);
  const group = groupFromUrl(query);
  const [by, person, cohort] = [query.get("by"), query.get("by_person"), query.get("by_cohort")];
  return {
    start: selection("start"),
    returns: selection("return"),
    unit,
    rule: choice("rule", RULES, usual.rule),
    clock: choice("clock", CLOCKS, usual.clock),
    entry: choice("entry", ENTRIES, usual.entry),
    minimum: whole("minimum", MAX_MINIMUM) ?? usual.minimum,
    periods: whole("periods", PERIODS[unit].most),
    brackets: query.has("brackets") ? bracketsOf(query.get("brackets")!) : null,
    week_start: choice("week_start", WEEK_STARTS, usual.week_start),
    breakdown: by !== null ? { property: by } : person !== null ? { person } : cohort !== null ? { cohort } : null,
    breakdown_limit: whole("top", 200) ?? usual.breakdown_limit,
    ...(group ? { group } : {}),
    ...filter("filter"),
  };
}

/** Parameters of what is not as usual. */
export function retentionToUrl(question: RetentionQuery): [name: string, value: string][] {
  const usual = usualQuestion();
  const selection = (name: string, { events, filter }: Selection): [string, string][] => [
    ...events.filter((event) => event.trim()).map((event): [string, string] => [name, event.trim()]),
    ...(filter ? [[`${name}_filter`, JSON.stringify(filter)] as [string, string]] : []),
  ];
  const { breakdown } = question;
  const parameters: [string, string, string][] = [
    ["unit", question.unit, usual.unit],
    ["rule", question.rule, usual.rule],
    ["clock", question.clock, usual.clock],
    ["entry", question.entry, usual.entry],
    ["minimum", `${question.minimum}`, `${usual.minimum}`],
    ["periods", question.brackets ? "" : `${question.periods ?? ""}`, ""],
    ["brackets", question.brackets?.join(",") ?? "", ""],
    ["week_start", question.week_start, usual.week_start],
    ["by", breakdown?.property ?? "", ""],
    ["by_person", breakdown?.person ?? "", ""],
    ["by_cohort", breakdown?.cohort ?? "", ""],
    ["top", `${question.breakdown_limit}`, `${usual.breakdown_limit}`],
    ["group", question.group ? JSON.stringify(question.group) : "", ""],
    ["filter", question.filter ? JSON.stringify(question.filter) : "", ""],
  ];
  return [
    ...selection("start", question.start),
    ...selection("return", question.returns),
    ...parameters.filter(([, value, otherwise]) => value !== otherwise).map(([name, value]): [string, string] => [name, value]),
  ];
}

/** What keeps the question from being asked, in words; null when it can be. The server has the last word. */
export function problemOf(question: RetentionQuery): string | null {
  if (!isWhole(question.minimum, MAX_MINIMUM)) return `Times is a whole number from 1 to ${format.count(MAX_MINIMUM)}.`;
  const { most } = PERIODS[question.unit];
  if (question.periods !== null && !isWhole(question.periods, most)) return `There are 1 to ${most} ${UNITS[question.unit].toLowerCase()}.`;
  const edges = question.brackets;
  if (edges && (edges.length < 2 || edges.some((edge, index) => index > 0 && edge <= edges[index - 1]!))) {
    return "Brackets are two or more edges, each greater than the one before: 0, 1, 3, 7.";
  }
  if (question.group && !isNamed(question.group)) return "Of which property are the values counted?";
  if (question.breakdown && !(question.breakdown.property ?? question.breakdown.person ?? question.breakdown.cohort)) return "By which property is it split?";
  return null;
}

function isWhole(value: number, most: number): boolean {
  return Number.isInteger(value) && value >= 1 && value <= most;
}

/** Edges as a person writes them: `0, 1, 3, 7`. */
export function bracketsOf(text: string): number[] {
  return text.split(/[\s,;]+/).filter((part) => /^\d{1,3}$/.test(part)).map(Number);
}

/** The body of the question, as the API takes it. */
export function retentionBody(question: RetentionQuery, range: DateRange): RetentionBody {
  const selection = ({ events, filter }: Selection) => {
    const names = events.map((event) => event.trim()).filter(Boolean);
    return {
      ...(names.length === 1 ? { event: names[0]! } : names.length > 1 ? { events: names } : {}),
      ...(filter ? { filter } : {}),
    };
  };
  return {
    kind: "retention",
    start: selection(question.start),
    return: selection(question.returns),
    unit: question.unit,
    rule: question.rule,
    clock: question.clock,
    entry: question.entry,
    minimum: question.minimum,
    ...(question.brackets ? { brackets: question.brackets } : question.periods ? { periods: question.periods } : {}),
    ...(question.unit === "week" ? { week_start: question.week_start } : {}),
    ...(question.group ? { group: question.group } : {}),
    ...(question.breakdown ? { breakdown: [question.breakdown], breakdown_limit: question.breakdown_limit } : {}),
    ...(question.filter ? { filter: question.filter } : {}),
    from: range.from,
    to: range.to,
  };
}

/** How a start or a return is called. */
export function selectionName({ events, filter }: Selection): string {
  const names = events.filter((event) => event.trim()).join(" or ") || "any activity";
  return filter ? `${names} that passes its filter` : names;
}

const ONE: Record<Unit, string> = { hour: "Hour", day: "Day", week: "Week", month: "Month" };

/** A column's heading: `Week 1`, `Days 3–6`. */
export function columnLabel(unit: Unit, { from, to }: RetentionReport["columns"][number]): string {
  return to - from === 1 ? `${ONE[unit]} ${from}` : `${ONE[unit]}s ${from}–${to - 1}`;
}

/** A row's heading: its first day, its month, its hour. */
export function cohortLabel(unit: Unit, cohort: RetentionReport["cohorts"][number], zone: string): string {
  if (!cohort.date) return format.minute(cohort.start, zone);
  if (unit === "month") return format.day(cohort.date, "year").replace(/^\d+ /, "");
  return format.day(cohort.date, unit === "day" ? "weekday" : "short");
}

/** How much of the accent's colour a cell has, in percent: none for nobody, and never so much that ink would not read. */
export function shade(rate: number | null | undefined): number {
  if (rate == null || rate <= 0) return 0;
  return Math.round(6 + 40 * Math.min(1, rate));
}

/** The average that a person looks for first: of the first column behind the start whose mean is known. */
export function headline(report: RetentionReport): { label: string; rate: number } | null {
  const at = report.mean.findIndex((mean, index) => report.columns[index]!.from > 0 && mean.rate != null);
  if (at < 0) return null;
  return { label: columnLabel(report.unit, report.columns[at]!), rate: report.mean[at]!.rate! };
}

/** The report with the values of its breakdown as people read them. */
export function worded(report: RetentionReport, breakdown: Property | null): RetentionReport {
  const property = propertyFromApi(breakdown);
  if (property?.of !== "cohort" || !report.breakdown) return report;
  return { ...report, breakdown: report.breakdown.map((split) => ({ ...split, value: valueWords(property, split.value) })) };
}

/**
 * Retention as curves over the columns: the means of the breakdown's values, or the mean and the newest cohorts. Only
 * complete cells: what is still counted would look like a fall.
 */
export function curves(report: RetentionReport, zone: string): Line[] {
  const most = 8;
  const mean = (of: RetentionReport["mean"]) => of.map((cell) => cell.rate ?? null);
  if (report.breakdown) {
    const splits = report.breakdown.slice(0, most);
    // A value may be called as the rest is.
    return splits.map((split, index) => ({
      name: splits.findIndex((one) => one.value === split.value) === index ? split.value : `${split.value} (rest)`,
      color: (index + 1) as Line["color"],
      values: mean(split.mean),
    }));
  }
  const told = report.cohorts.filter((cohort) => cohort.size > 0 && cohort.cells.some((cell, index) => cell.complete && report.columns[index]!.from > 0));
  return [
    { name: "Mean", color: 1, values: mean(report.mean) },
    ...told.slice(1 - most).map((cohort, index): Line => ({
      name: cohortLabel(report.unit, cohort, zone),
      color: (index + 2) as Line["color"],
      values: cohort.cells.map((cell) => (cell.complete ? (cell.rate ?? null) : null)),
      ghost: true,
    })),
  ];
}
