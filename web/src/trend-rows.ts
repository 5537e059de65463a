/** What the trends page shows of an answer: a row for each series and value, in words, with their numbers. */
import type { TrendReport } from "./api";
import type { Line } from "./charts/series";
import { propertyFromApi, propertyWords, valueWords } from "./filter-query";
import * as format from "./format";
import { eventsOf, isOfNumber, MEASURES, type Interval, type Series, type TrendQuestion } from "./trend-query";

export interface TrendRow {
  /** Stays the same while the question does. */
  key: string;
  /** `A`, `B`, …; `=` is the formula. */
  letter: string;
  name: string;
  /** Its name beside others: the letter too, where series share their values. */
  label: string;
  /** One for each point: the measure. */
  values: (number | null)[];
  /** The same of the range before; null when it was not asked for. */
  before: (number | null)[] | null;
  /** The measure over the whole range: never a sum of the points. */
  value: number | null;
  valueBefore: number | null;
  /** Everybody else, or those without a value. */
  rest: boolean;
  /** Whether rows like this one add up: counts and sums do, persons and averages do not. */
  adds: boolean;
}

/** How many lines a chart shows at most: as many as it has colours. */
export const MOST_LINES = 8;

const nullable = (value: number | null | undefined): number | null => value ?? null;

/** A series in words: `purchase, sum of $amount`. */
export function seriesName(series: Series): string {
  if (series.name?.trim()) return series.name.trim();
  const events = eventsOf(series).join(" or ");
  const measure = series.measure ?? "count";
  if (measure === "count") return events;
  const of = series.of?.property ?? series.of?.person ?? "";
  const span = series.cumulative ? ", so far" : series.rolling_days ? ` of ${series.rolling_days} days` : "";
  return `${events}, ${MEASURES[measure].toLowerCase()}${isOfNumber(measure) ? ` ${of}` : span}`;
}

/** Whether a point's time had come. */
export const hasBegun = (point: { start: string }, asOf: string): boolean => Date.parse(point.start) <= Date.parse(asOf);

/** The whole question in a line. */
export function trendWords(question: TrendQuestion): string {
  const series = question.series.map(seriesName).join("; ") || "Choose an event";
  const by = question.breakdown.map((property) => property.property ?? property.person ?? propertyWords({ of: "cohort", name: property.cohort ?? "" })).join(" and ");
  return `${question.formula.trim() ? `${question.formula.trim()}: ` : ""}${series}${by ? ` by ${by}` : ""}`;
}

/** The values of a group as people read them; undefined without one. */
function groupWords(question: TrendQuestion, group: { values: string[] } | null | undefined): string | undefined {
  return group?.values.map((value, index) => valueWords(propertyFromApi(question.breakdown[index]), value)).join(" · ");
}

/** `asOf`: what had not begun by then has no values yet; zeros would look like a fall. */
export function trendRows(report: TrendReport, question: TrendQuestion, asOf: string): TrendRow[] {
  const points = report.series[0]?.points.length ?? 0;
  const begun = report.series[0]?.points.map((point) => hasBegun(point, asOf)) ?? [];
  const several = question.series.length > 1 || question.formula.trim() !== "";
  const rows: TrendRow[] = report.series.map((one) => {
    const group = groupWords(question, one.group);
    const index = one.letter.charCodeAt(0) - 65;
    const series = question.series[index];
    const name = series ? seriesName(series) : one.event;
    const counts = one.measure === "count";
    return {
      // Not its words: a cohort's name comes later than its numbers.
      key: `${one.letter}:${one.group?.kind ?? ""}:${one.group?.values.join(" · ") ?? ""}`,
      letter: one.letter,
      name: group ?? name,
      label: group === undefined ? name : several ? `${one.letter} · ${group}` : group,
      values: one.points.map((point, index) => (!begun[index] ? null : counts ? point.count : nullable(point.value))),
      before: one.previous ? one.previous.points.slice(0, points).map((point) => (point ? (counts ? point.count : nullable(point.value)) : null)) : null,
      value: counts ? one.total : nullable(one.value),
      adds: counts || one.measure === "sum",
      valueBefore: one.previous ? (counts ? one.previous.total : nullable(one.previous.value)) : null,
      rest: one.group !== undefined && one.group !== null && one.group.kind !== "value",
    };
  });
  for (const one of report.formula ?? []) {
    const group = groupWords(question, one.group);
    rows.push({
      key: `=:${one.group?.kind ?? ""}:${one.group?.values.join(" · ") ?? ""}`,
      letter: "=",
      name: group ?? question.formula.trim(),
      label: group ?? question.formula.trim(),
      values: one.points.map((value, index) => (begun[index] ? nullable(value) : null)),
      before: report.previous ? (one.previous ?? []).slice(0, points).map(nullable) : null,
      value: nullable(one.value),
      valueBefore: null,
      adds: false,
      rest: one.group !== undefined && one.group !== null && one.group.kind !== "value",
    });
  }
  return told(rows);
}

/** Labels apart: the same event twice, or a value that is called as the rest is. */
function told(rows: TrendRow[]): TrendRow[] {
  const seen = new Set<string>();
  const twice = new Set(rows.map((row) => row.label).filter((label, index, all) => all.indexOf(label) !== index));
  return rows.map((row) => {
    let label = twice.has(row.label) && !row.label.startsWith(`${row.letter} · `) ? `${row.letter} · ${row.label}` : row.label;
    while (seen.has(label)) label += row.rest ? " (rest)" : "′";
    seen.add(label);
    return { ...row, label };
  });
}

/** What a chart shows before anybody chose: the formula where there is one, else everything, as far as colours reach. */
export function firstShown(rows: TrendRow[]): string[] {
  const formula = rows.filter((row) => row.letter === "=");
  return (formula.length > 0 ? formula : rows).slice(0, MOST_LINES).map((row) => row.key);
}

/** Lines of the shown rows; a place in the list is a colour. The range before is a pale line of the same colour. */
export function trendLines(rows: TrendRow[], shown: (string | null)[], withBefore: boolean): Line[] {
  const found = shown.flatMap((key, index) => {
    const row = rows.find((one) => one.key === key);
    return row ? [{ row, color: (index + 1) as Line["color"] }] : [];
  });
  return found.flatMap(({ row, color }) => {
    const line: Line = { name: row.label, color, values: row.values };
    return withBefore && row.before ? [line, { name: `${row.label}, before`, color, values: row.before, ghost: true, of: row.label }] : [line];
  });
}

export interface PointNames {
  /** For the axis. */
  labels: string[];
  /** For everything else. */
  titles: string[];
  final: boolean[];
}

const SHORT_INTERVALS: readonly Interval[] = ["hour", "minute"];

/** The local date of each point; none where points are shorter than a day. */
export function datesOf(report: TrendReport): string[] {
  if (SHORT_INTERVALS.includes(report.interval)) return [];
  return (report.series[0]?.points ?? []).map((point) => point.date ?? point.start.slice(0, 10));
}

export function pointNames(report: TrendReport, zone: string): PointNames {
  const points = report.series[0]?.points ?? [];
  const short = SHORT_INTERVALS.includes(report.interval);
  const spread = points.length > 0 && Date.parse(points[points.length - 1]!.start) - Date.parse(points[0]!.start) > 2 * 86_400_000;
  const label = (point: (typeof points)[number]) => {
    if (short) return spread ? format.dayOf(point.start, zone) : format.hour(point.start, zone);
    const date = point.date ?? point.start.slice(0, 10);
    return report.interval === "month" ? format.month(date) : format.day(date);
  };
  const title = (point: (typeof points)[number]) => {
    if (short) return format.minute(point.start, zone);
    const date = point.date ?? point.start.slice(0, 10);
    const part = point.partial ? " (in part)" : "";
    if (report.interval === "week") return `Week of ${format.day(date, "weekday")}${part}`;
    if (report.interval === "month") return `${format.month(date)}${part}`;
    return format.day(date, "weekday");
  };
  return { labels: points.map(label), titles: points.map(title), final: points.map((point) => point.final) };
}
