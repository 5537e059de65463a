import { expect, test } from "vitest";
import type { RetentionReport } from "../src/api";
import * as retention from "../src/retention-query";

const through = (query: retention.RetentionQuery) =>
  retention.retentionFromUrl(new URLSearchParams(new URLSearchParams(retention.retentionToUrl(query)).toString()));

test("a question survives the URL, and the usual one leaves no trace", () => {
  const query: retention.RetentionQuery = {
    start: { events: ["sign up & go", "b"], filter: { property: "plan", op: "is_set" } },
    returns: { events: ["größe 👟"] },
    unit: "day",
    rule: "streak",
    clock: "rolling",
    entry: "recurring",
    minimum: 3,
    periods: null,
    brackets: [0, 1, 3, 7],
    week_start: "sunday",
    group: { person: "company" },
    breakdown: { person: "plan" },
    breakdown_limit: 25,
    filter: { and: [{ property: "$os" }, { event_name: true }] },
  };
  expect(through(query)).toEqual(query);
  const periods = { ...query, brackets: null, periods: 30, breakdown: { property: "a=b" } };
  expect(through(periods)).toEqual(periods);
  expect(retention.retentionToUrl(retention.usualQuestion())).toEqual([]);
  expect(through(retention.usualQuestion())).toEqual(retention.usualQuestion());
});

test("what an address says in words of its own is as usual", () => {
  const odd = new URLSearchParams("unit=year&rule=toString&clock=&entry=never&minimum=1.5&periods=99&top=0&week_start=tuesday&filter=%7B&start=");
  expect(retention.retentionFromUrl(odd)).toEqual(retention.usualQuestion());
});

test("only a whole number of returns can be asked for", () => {
  const asked = (minimum: number) => retention.problemOf({ ...retention.usualQuestion(), minimum });
  expect(asked(1)).toBeNull();
  expect(asked(1_000)).toBeNull();
  for (const minimum of [0, 1.5, 1_001, Number.NaN]) expect(asked(minimum)).toContain("1 to 1,000");
});

test("brackets are edges that grow", () => {
  const asked = (text: string) => retention.problemOf({ ...retention.usualQuestion(), brackets: retention.bracketsOf(text) });
  expect(retention.bracketsOf("0, 1;3  7 x 1.5")).toEqual([0, 1, 3, 7]);
  expect(asked("0,1,3")).toBeNull();
  for (const text of ["", "3", "0,3,3", "3,1"]) expect(asked(text)).toContain("greater than the one before");
});

test("periods are as many as the unit allows, a split needs a property", () => {
  const usual = retention.usualQuestion();
  expect(retention.problemOf({ ...usual, unit: "month", periods: 24 })).toBeNull();
  expect(retention.problemOf({ ...usual, unit: "month", periods: 25 })).toContain("1 to 24 months");
  expect(retention.problemOf({ ...usual, breakdown: { person: "" } })).toContain("property");
});

test("the body is the API's question: brackets or periods, a week's start for weeks alone", () => {
  const range = { from: "2026-10-01", to: "2026-11-01" };
  const usual = retention.usualQuestion();
  expect(retention.retentionBody(usual, range)).toEqual({
    kind: "retention", start: {}, return: {}, unit: "week", rule: "on", clock: "calendar", entry: "first_in_range", minimum: 1, week_start: "monday", ...range,
  });
  const body = retention.retentionBody(
    { ...usual, unit: "day", start: { events: ["a"] }, returns: { events: ["b", "", "c"] }, brackets: [0, 1, 7], periods: 9, group: { property: "g" }, breakdown: { property: "plan" } },
    range,
  );
  expect(body).toMatchObject({ start: { event: "a" }, return: { events: ["b", "c"] }, brackets: [0, 1, 7], group: { property: "g" }, breakdown: [{ property: "plan" }], breakdown_limit: 5 });
  expect(body).not.toHaveProperty("periods");
  expect(body).not.toHaveProperty("week_start");
});

test("curves leave out what is still counted, and tell a value from the rest of that name", () => {
  const cell = (rate: number | null, complete = true) => ({ retained: 1, rate, complete });
  const report = {
    unit: "week",
    columns: [{ from: 0, to: 1 }, { from: 1, to: 2 }],
    mean: [{ size: 2, retained: 2, rate: 1 }, { size: 0, retained: 0 }],
    cohorts: [
      { start: "2026-11-08T23:00:00Z", date: "2026-11-09", size: 2, cells: [cell(1), cell(0.5)] },
      { start: "2026-11-15T23:00:00Z", date: "2026-11-16", size: 2, cells: [cell(1), cell(0.1, false)] },
    ],
  } as unknown as RetentionReport;
  expect(retention.curves(report, "UTC").map(({ name, values }) => [name, values])).toEqual([["Mean", [1, null]], ["9 Nov", [1, 0.5]]]);
  const mean = [{ size: 1, retained: 1, rate: 1 }];
  const split = { ...report, breakdown: [{ value: "Other", mean }, { value: "Other", mean }] } as unknown as RetentionReport;
  expect(retention.curves(split, "UTC").map((line) => line.name)).toEqual(["Other", "Other (rest)"]);
});

test("columns and rows are called by their periods", () => {
  expect(retention.columnLabel("week", { from: 0, to: 1 })).toBe("Week 0");
  expect(retention.columnLabel("day", { from: 3, to: 7 })).toBe("Days 3–6");
  const cohort = { start: "2026-11-15T23:00:00Z", date: "2026-11-16", size: 1, partial: false, complete: true, cells: [] };
  expect(retention.cohortLabel("week", cohort, "UTC")).toBe("16 Nov");
  expect(retention.cohortLabel("day", cohort, "UTC")).toMatch(/^Mon,? 16 Nov$/);
  expect(retention.cohortLabel("month", { ...cohort, date: "2026-11-01" }, "UTC")).toBe("Nov 2026");
  const { date: _, ...hour } = cohort;
  expect(retention.cohortLabel("hour", hour, "Asia/Kathmandu")).toBe("16 Nov, 04:45");
});

test("a shade grows with its rate and leaves the ink readable", () => {
  expect(retention.shade(null)).toBe(0);
  expect(retention.shade(0)).toBe(0);
  const shades = [0.001, 0.1, 0.5, 1, 2].map(retention.shade);
  expect(shades).toEqual([...shades].sort((a, b) => a - b));
  expect(shades[0]).toBeGreaterThan(0);
  expect(shades.at(-1)).toBe(46);
});

test("the headline is the first mean behind the start that is known", () => {
  const report = {
    unit: "week",
    columns: [{ from: 0, to: 1 }, { from: 1, to: 2 }, { from: 2, to: 3 }],
    mean: [{ size: 5, retained: 5, rate: 1 }, { size: 4, retained: 1, rate: 0.25 }, { size: 0, retained: 0, rate: null }],
  } as RetentionReport;
  expect(retention.headline(report)).toEqual({ label: "Week 1", rate: 0.25 });
  expect(retention.headline({ ...report, mean: report.mean.map((mean) => ({ ...mean, rate: null })) })).toBeNull();
});
