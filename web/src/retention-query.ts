/** The question of the retention page, its form in the URL, and how its table is labelled and shaded. */
import type { RetentionReport } from "./api";
import * as format from "./format";

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

export interface RetentionQuery {
  /** The event that starts; empty: any activity. */
  start: string;
  /** The event that returns; empty: any activity. */
  returns: string;
  unit: Unit;
  rule: keyof typeof RULES;
  clock: keyof typeof CLOCKS;
  entry: keyof typeof ENTRIES;
  /** Returns that a period needs. */
  minimum: number;
}

export const MAX_MINIMUM = 1_000;

/** What is asked when nobody chose anything: who comes back at all, week by week. */
export function usualQuestion(): RetentionQuery {
  return {
    start: "",
    returns: "",
    unit: "week",
    rule: "on",
    clock: "calendar",
    entry: "first_in_range",
    minimum: 1,
  };
}

/** The question of a URL; what it does not say, or says in words of its own, is the usual. */
export function retentionFromUrl(query: URLSearchParams): RetentionQuery {
  const usual = usualQuestion();
  const choice = <T extends string>(name: string, all: Record<T, string>, otherwise: T): T => {
    const chosen = query.get(name);
    return chosen !== null && Object.hasOwn(all, chosen) ? (chosen as T) : otherwise;
  };
  const minimum = Number(query.get("minimum") ?? usual.minimum);
  return {
    start: query.get("start") ?? usual.start,
    returns: query.get("return") ?? usual.returns,
    unit: choice("unit", UNITS, usual.unit),
    rule: choice("rule", RULES, usual.rule),
    clock: choice("clock", CLOCKS, usual.clock),
    entry: choice("entry", ENTRIES, usual.entry),
    minimum: isMinimum(minimum) ? minimum : usual.minimum,
  };
}

/** Parameters of what is not as usual. */
export function retentionToUrl(question: RetentionQuery): [name: string, value: string][] {
  const usual = usualQuestion();
  const parameters: [string, string, string][] = [
    ["start", question.start.trim(), usual.start],
    ["return", question.returns.trim(), usual.returns],
    ["unit", question.unit, usual.unit],
    ["rule", question.rule, usual.rule],
    ["clock", question.clock, usual.clock],
    ["entry", question.entry, usual.entry],
    ["minimum", String(question.minimum), String(usual.minimum)],
  ];
  return parameters.filter(([, value, otherwise]) => value !== otherwise).map(([name, value]) => [name, value]);
}

/** What keeps the question from being asked, in words; null when it can be. */
export function problemOf(question: RetentionQuery): string | null {
  return isMinimum(question.minimum) ? null : `Times is a whole number from 1 to ${format.count(MAX_MINIMUM)}.`;
}

function isMinimum(value: number): boolean {
  return Number.isInteger(value) && value >= 1 && value <= MAX_MINIMUM;
}

/** How a start or a return is called. */
export function eventName(event: string): string {
  return event.trim() || "any activity";
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
