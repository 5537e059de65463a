import { expect, test } from "vitest";
import type { VisitFigures, WebReport } from "../src/api";
import { headline, lines, metricFromUrl, onlyFromUrl, toggled, valueName, webBody } from "../src/web/query";

const range = { from: "2026-11-01", to: "2026-11-08" };
const figures = (sessions: number, bounce_rate: number): VisitFigures => ({
  visitors: sessions - 1, sessions, views: sessions * 3, views_per_session: 3, bounces: Math.round(sessions * bounce_rate), bounce_rate,
  mean_duration_ms: 61_000, median_duration_ms: 12_000,
});
const report: WebReport = {
  interval: "day",
  bounce: "one page view and under 10 seconds",
  page_views: ["page_view"],
  total: figures(120, 0.3),
  previous: { from: "2026-10-25T00:00:00Z", to: "2026-11-01T00:00:00Z", until: "2026-11-01T00:00:00Z", total: figures(100, 0.4) },
  points: [
    { start: "2026-11-01T00:00:00Z", date: "2026-11-01", partial: false, final: true, ...figures(10, 0.5), previous: figures(8, 0.25) },
    { start: "2026-11-02T00:00:00Z", date: "2026-11-02", partial: false, final: false, ...figures(2, 0) },
  ],
  tables: [],
};

test("the address is the filter, and the same row again takes it away", () => {
  const query = new URLSearchParams("range=7d&source=search.example&source=&page=%2Fa&chart=bounce&step=x");
  const only = onlyFromUrl(query);
  expect(only).toEqual([{ by: "source", value: "search.example" }, { by: "source", value: null }, { by: "page", value: "/a" }]);
  const without = toggled(query, { by: "source", value: null });
  expect(onlyFromUrl(new URLSearchParams(without))).toEqual([only[0], only[2]]);
  expect(new URLSearchParams(without).get("range")).toBe("7d");
  expect(onlyFromUrl(new URLSearchParams(toggled(new URLSearchParams(without), { by: "source", value: null })))).toHaveLength(3);
});

test("several values of one table are one filter, any of which will do", () => {
  const body = webBody(range, [{ by: "source", value: "a" }, { by: "page", value: "/" }, { by: "source", value: null }]);
  expect(body.only).toEqual([{ by: "source", values: ["a", null] }, { by: "page", values: ["/"] }]);
  expect(webBody(range, [])).not.toHaveProperty("only");
});

test("fewer bounces are good, fewer visits are not", () => {
  const found = Object.fromEntries(headline(report, range).map((figure) => [figure.metric, figure]));
  expect(found.visits).toMatchObject({ value: "120", delta: "+20.0 %", good: true, against: "vs 7 days before" });
  expect(found.bounce).toMatchObject({ value: "30.0 %", delta: "−25.0 %", good: true });
  expect(found.duration).toMatchObject({ value: "1 min 1 s", delta: "±0 %" });
  const nothing = { ...report, previous: { ...report.previous!, total: { ...figures(0, 0), bounce_rate: null } } };
  expect(headline(nothing, range).every((figure) => figure.delta === null)).toBe(true);
});

test("what had not begun has no value, what has no counterpart no pale one", () => {
  const [line, ghost] = lines(report, "visits", "2026-11-01T12:00:00Z");
  expect([line!.values, ghost!.values]).toEqual([[10, null], [8, null]]);
  expect(lines({ ...report, points: report.points.slice(1) }, "visits", "2026-11-03T00:00:00Z")).toHaveLength(1);
});

test("values read as people read them", () => {
  expect(valueName("source", null)).toBe("Direct / None");
  expect(valueName("country", "DE")).toBe("Germany");
  expect(valueName("device", "mobile")).toBe("Mobile");
  expect(valueName("entry_page", "/a")).toBe("/a");
  expect(metricFromUrl(new URLSearchParams("chart=moon"))).toBe("visitors");
});
