import { expect, test } from "vitest";
import type { TrendReport } from "../src/api";
import { usualTrend } from "../src/trend-query";
import * as rows from "../src/trend-rows";

const point = (count: number, value?: number | null) => ({ start: "2026-11-22T23:00:00Z", date: "2026-11-23", count, value, partial: false, final: false });
const series = (letter: string, measure: string, group: string | null, kind: string, total: number, value: number | null) => ({
  event: "e", letter, measure, total, value, points: [point(total, value)], ...(group === null ? {} : { group: { kind, values: [group] } }),
});
const NOW = "2026-11-23T12:00:00Z";
const report = (parts: object): TrendReport => ({ interval: "day", series: [], formula: [], ...parts }) as unknown as TrendReport;

test("counts are their events, measures are their values over the whole range", () => {
  const question = usualTrend([{ event: "e" }, { event: "e", measure: "avg", of: { property: "p" } }]);
  const found = rows.trendRows(report({ series: [series("A", "count", null, "", 7, null), series("B", "avg", null, "", 7, 2.5)] }), question, NOW);
  expect(found.map(({ name, value, values }) => [name, value, values])).toEqual([["e", 7, [7]], ["e, average of p", 2.5, [2.5]]]);
  expect(found.every((row) => row.before === null)).toBe(true);
});

test("what had not begun when it was counted has no values yet", () => {
  const one = series("A", "count", null, "", 7, null);
  const later = { ...point(0), start: "2026-11-23T23:00:00Z" };
  const parts = { series: [{ ...one, points: [...one.points, later] }], formula: [{ points: [7, 0], value: 7 }] };
  const found = rows.trendRows(report(parts), { ...usualTrend([{ event: "e" }]), formula: "A" }, NOW);
  expect(found.map((row) => row.values)).toEqual([[7, null], [7, null]]);
});

test("labels are apart, whatever events and values are called", () => {
  const twice = rows.trendRows(report({ series: [series("A", "count", null, "", 1, null), series("B", "count", null, "", 2, null)] }), usualTrend([{ event: "e" }, { event: "e" }]), NOW);
  expect(twice.map((row) => row.label)).toEqual(["A · e", "B · e"]);
  const other = rows.trendRows(report({ series: [series("A", "count", "Other", "value", 3, null), series("A", "count", "Other", "other", 1, null)] }), usualTrend([{ event: "e" }]), NOW);
  expect(new Set(other.map((row) => row.label)).size).toBe(2);
  expect(new Set(other.map((row) => row.key)).size).toBe(2);
  expect(other.map((row) => row.rest)).toEqual([false, true]);
});

test("a formula is what the chart shows first; its series stay in the table", () => {
  const question = { ...usualTrend([{ event: "a" }, { event: "b" }]), formula: "A / B" };
  const found = rows.trendRows(
    report({ series: [series("A", "count", null, "", 1, null), series("B", "count", null, "", 0, null)], formula: [{ points: [null], value: null }] }),
    question,
    NOW,
  );
  expect(found.map((row) => row.letter)).toEqual(["A", "B", "="]);
  expect(rows.firstShown(found)).toEqual([found[2]!.key]);
  expect(rows.firstShown(found.slice(0, 2))).toEqual([found[0]!.key, found[1]!.key]);
});

test("the range before is a pale line of the same colour, no longer than the range", () => {
  const one = { ...series("A", "count", null, "", 5, null), previous: { total: 4, points: [{ start: "", count: 4 }, { start: "", count: 9 }] } };
  const [row] = rows.trendRows(report({ series: [one], previous: { from: "", to: "", until: "" } }), usualTrend([{ event: "e" }]), NOW);
  expect(row).toMatchObject({ value: 5, valueBefore: 4, before: [4] });
  expect(rows.trendLines([row!], [null, row!.key], true)).toEqual([
    { name: "e", color: 2, values: [5] },
    { name: "e, before", color: 2, values: [4], ghost: true, of: "e" },
  ]);
  expect(rows.trendLines([row!], [row!.key], false)).toHaveLength(1);
});

test("a question is a line of words", () => {
  expect(rows.trendWords(usualTrend())).toBe("Choose an event");
  const question = { ...usualTrend([{ event: "a", measure: "persons" as const, rolling_days: 7 }, { events: ["b", "c"] }]), formula: "A / B", breakdown: [{ person: "plan" }] };
  expect(rows.trendWords(question)).toBe("A / B: a, persons of 7 days; b or c by plan");
});

test("points are called by their interval, in the project's zone", () => {
  const named = (interval: string) => rows.pointNames(report({ interval, series: [series("A", "count", null, "", 1, null)] }), "Europe/Berlin");
  expect(named("day")).toEqual({ labels: ["23 Nov"], titles: [expect.stringMatching(/^Mon,? 23 Nov$/)], final: [false] });
  expect(named("month").labels).toEqual(["Nov 2026"]);
  expect(named("week").titles[0]).toMatch(/^Week of Mon/);
  expect(named("hour").labels).toEqual(["00:00"]);
});
