import { describe, expect, test } from "vitest";
import * as trend from "../src/trend-query";

const through = (question: trend.TrendQuestion) =>
  trend.trendFromUrl(new URLSearchParams(new URLSearchParams(trend.trendToUrl(question)).toString()));
const range = { from: "2026-10-25", to: "2026-11-24" };

describe("the address", () => {
  test("holds the whole question", () => {
    const question: trend.TrendQuestion = {
      series: [
        { events: ["purchase", "größe & co"], measure: "sum", of: { property: "$amount" }, filter: { or: [{ property: "plan" }, { person: "x", op: "is_set" }] } },
        { event: "page_view", measure: "persons", rolling_days: 7 },
      ],
      filter: { property: "$country", op: "in", value: ["DE", "FR"] as never },
      breakdown: [{ property: "$device" }, { person: "plan" }],
      breakdown_limit: 25,
      formula: "A / B * 100",
      interval: "week",
      week_start: "sunday",
      compare: true,
    };
    expect(through(question)).toEqual(question);
  });

  test("is short for plain events, and empty for nothing", () => {
    const question = trend.usualTrend([{ event: "a" }, { event: "b", measure: "count" }]);
    expect(trend.trendToUrl(question)).toEqual([["event", "a"], ["event", "b"]]);
    expect(through(question)).toEqual(trend.usualTrend([{ event: "a" }, { event: "b" }]));
    expect(trend.trendToUrl(trend.usualTrend())).toEqual([]);
  });

  test("is as usual where it says nothing that is understood", () => {
    const odd = new URLSearchParams("series={&filter=3&top=1.5&interval=year&week_start=toString&compare=yes");
    expect(trend.trendFromUrl(odd)).toEqual(trend.usualTrend());
    expect(trend.chartFromUrl(new URLSearchParams("chart=pie"))).toBe("line");
  });
});

test("a series keeps what its new measure can use, and drops the rest", () => {
  const sum = trend.withMeasure({ event: "a", measure: "count" }, "sum");
  expect(sum).toEqual({ event: "a", measure: "sum", of: { property: "" } });
  expect(trend.withMeasure({ ...sum, of: { property: "x" } }, "p90").of).toEqual({ property: "x" });
  expect(trend.withMeasure({ event: "a", measure: "persons", rolling_days: 7 }, "count")).toEqual({ event: "a", measure: "count" });
  expect(trend.withEvents({ event: "a", measure: "count" }, ["a", "b"])).toEqual({ events: ["a", "b"], measure: "count" });
  expect(trend.withEvents({ events: ["a", "b"] }, ["b"])).toEqual({ event: "b" });
});

test("what is not yet a question is not asked", () => {
  const about = (change: Partial<trend.TrendQuestion>) => trend.complaintAbout({ ...trend.usualTrend([{ event: "a" }]), ...change });
  expect(about({})).toBeNull();
  expect(about({ series: [] })).toContain("event");
  expect(about({ series: [{ event: "a" }, { events: ["b", " "] }] })).toContain("B");
  expect(about({ series: [{ event: "a", measure: "avg", of: { property: "" } }] })).toContain("property");
  expect(about({ breakdown: [{ person: "" }] })).toContain("property");
});

test("the body says what was chosen and leaves the rest to the API", () => {
  const question = trend.usualTrend([{ event: "a" }]);
  expect(trend.trendBody(question, range)).toEqual({ kind: "trends", series: [{ event: "a" }], interval: "day", ...range });
  const full = trend.trendBody({ ...question, breakdown: [{ property: "x" }], interval: "week", formula: " A ", compare: true }, range);
  expect(full).toMatchObject({ breakdown: [{ property: "x" }], breakdown_limit: 5, week_start: "monday", formula: "A", compare: "previous" });
});

test("a refusal stands beside its field", () => {
  const faults = ["/series/1/of", "/series/10/of", "/formula", "/seriesx"].map((pointer) => ({ pointer, code: "x", detail: "" }));
  expect(trend.faultsAt(faults, "/series/1").map((fault) => fault.pointer)).toEqual(["/series/1/of"]);
  expect(trend.faultsAt(faults, "/formula", "/series/10").map((fault) => fault.pointer)).toEqual(["/series/10/of", "/formula"]);
});
