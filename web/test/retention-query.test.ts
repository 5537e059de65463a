import { expect, test } from "vitest";
import type { RetentionReport } from "../src/api";
import * as retention from "../src/retention-query";

const through = (query: retention.RetentionQuery) =>
  retention.retentionFromUrl(new URLSearchParams(new URLSearchParams(retention.retentionToUrl(query)).toString()));

test("a question survives the URL, and the usual one leaves no trace", () => {
  const query: retention.RetentionQuery = {
    start: "sign up & go",
    returns: "größe 👟",
    unit: "day",
    rule: "streak",
    clock: "rolling",
    entry: "recurring",
    minimum: 3,
  };
  expect(through(query)).toEqual(query);
  expect(retention.retentionToUrl(retention.usualQuestion())).toEqual([]);
  expect(through(retention.usualQuestion())).toEqual(retention.usualQuestion());
});

test("what an address says in words of its own is as usual", () => {
  const odd = new URLSearchParams("unit=year&rule=toString&clock=&entry=never&minimum=1.5");
  expect(retention.retentionFromUrl(odd)).toEqual(retention.usualQuestion());
});

test("only a whole number of returns can be asked for", () => {
  const asked = (minimum: number) => retention.problemOf({ ...retention.usualQuestion(), minimum });
  expect(asked(1)).toBeNull();
  expect(asked(1_000)).toBeNull();
  for (const minimum of [0, 1.5, 1_001, Number.NaN]) expect(asked(minimum)).toContain("1 to 1,000");
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
