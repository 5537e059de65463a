import { expect, test } from "vitest";
import { emptyExclusion, emptyFunnel, emptyStep, type FunnelQuery } from "../src/funnel/query";
import * as look from "../src/funnel/look";

const funnel: FunnelQuery = { ...emptyFunnel(), steps: [emptyStep("a"), emptyStep("b")] };
const range = { from: "2026-11-01", to: "2026-12-01" };
const first = look.lookFromUrl(new URLSearchParams());

test("what is shown survives the URL; at first nothing is said", () => {
  const one: look.Look = { view: "time", interval: "week", weekStart: "sunday", timeFrom: 1, timeTo: 3, windows: ["5m", "1d"], people: { step: 2, outcome: "dropped" } };
  expect(look.lookFromUrl(new URLSearchParams(look.lookToUrl(one)))).toEqual(one);
  expect(look.lookToUrl(first)).toEqual([]);
  expect(look.lookFromUrl(new URLSearchParams("view=odd&interval=minute&week_start=friday&people=2&time_from=x"))).toEqual(first);
});

test("windows are read from what people write", () => {
  expect(look.parseWindows("5m, 1h;1d 1d soon")).toEqual(["5m", "1h", "1d"]);
  expect(look.parseWindows(Array.from({ length: 60 }, (_, index) => `${index + 1}m`).join())).toHaveLength(50);
});

test("the curve always passes through the funnel's own window", () => {
  expect(look.windowsOf(funnel, first)).toContain("7d");
  expect(look.windowsOf({ ...funnel, window: { value: 8, unit: "d" } }, { ...first, windows: ["1h"] })).toEqual(["1h", "8d"]);
  const many = Array.from({ length: 50 }, (_, index) => `${index + 1}m`);
  expect(look.windowsOf(funnel, { ...first, windows: many })).toHaveLength(50);
});

test("each view asks for its own", () => {
  const ask = (view: look.View, more: Partial<FunnelQuery> = {}) => look.questionOf({ ...funnel, ...more }, { ...first, view }, range);
  expect(ask("steps").view).toBeUndefined();
  expect(ask("trend")).toMatchObject({ view: "trend", interval: "day" });
  expect(ask("sweep").view).toBe("sweep");
  expect(ask("why").why_not).toBe(true);
  expect(ask("breakdown").breakdown).toBeUndefined();
  const broken = { breakdown: { of: "event" as const, name: "plan" }, attribution: "last", limit: 5 };
  expect(ask("breakdown", broken)).toMatchObject({ breakdown: [{ property: "plan" }], breakdown_limit: 5, attribution: "last" });
  expect(ask("steps", broken).breakdown).toBeUndefined();
});

test("views that a question does not have are said before they are asked", () => {
  expect(look.refusalOf("why", { ...funnel, order: "any" })).toContain("order");
  expect(look.refusalOf("why", { ...funnel, count: "total" })).toContain("once");
  expect(look.refusalOf("sweep", { ...funnel, window: null })).toContain("sessions");
  expect(look.refusalOf("sweep", { ...funnel, onExclusion: "drop" })).toBeNull();
  expect(look.refusalOf("sweep", { ...funnel, onExclusion: "drop", exclusions: [emptyExclusion()] })).toContain("exclusions");
  for (const view of Object.keys(look.VIEWS) as look.View[]) expect(look.refusalOf(view, funnel)).toBeNull();
});

test("people are asked for by reason, and reasons are counted at the step that was not reached", () => {
  const people: look.People = { step: 1, outcome: "not_converted", reason: "window_over" };
  const address = new URLSearchParams(look.lookToUrl({ ...look.lookFromUrl(new URLSearchParams()), people }));
  expect(look.lookFromUrl(address).people).toEqual(people);
  expect(look.lookFromUrl(new URLSearchParams("people=1-dropped-odd")).people).toEqual({ step: 1, outcome: "dropped" });
  expect(look.peopleQuestion(funnel, people, null, 10)).toMatchObject({ why_not: true, actors: { step: 1, outcome: "not_converted", reason: "window_over" } });
  const steps = [false, true, false, false].map((optional) => ({ optional }));
  const reasons = [
    { reason: "step_missing" as const, count: 5, steps: [{ step: 3, count: 1 }, { step: 4, count: 4 }] },
    { reason: "window_over" as const, count: 2, steps: [{ step: 3, count: 2 }] },
  ];
  expect(look.reasonsOf({ step: 1, outcome: "dropped" }, steps, reasons)).toEqual([["window_over", 2], ["step_missing", 1]]);
  expect(look.reasonsOf({ step: 1, outcome: "not_converted" }, steps, reasons)).toEqual([["step_missing", 5], ["window_over", 2]]);
  expect(look.reasonsOf({ step: 3, outcome: "not_converted" }, steps, reasons)).toEqual([["step_missing", 4]]);
});

test("people who left come with their reasons where there are any", () => {
  const left = { step: 1, outcome: "dropped" } as const;
  expect(look.peopleQuestion(funnel, left, null, 100)).toMatchObject({ actors: { step: 1, outcome: "dropped", limit: 100 }, why_not: true });
  expect(look.peopleQuestion({ ...funnel, order: "any" }, left, "x-1", 100)).toMatchObject({ actors: { cursor: "x-1" } });
  expect(look.peopleQuestion({ ...funnel, order: "any" }, left, null, 100).why_not).toBeUndefined();
  expect(look.peopleQuestion(funnel, { step: 2, outcome: "converted" }, null, 100).why_not).toBeUndefined();
});

test("points of the trend suit the dates", () => {
  expect(look.intervalOf(first, { from: "2026-11-01", to: "2026-11-03" })).toBe("hour");
  expect(look.intervalOf(first, range)).toBe("day");
  expect(look.intervalOf(first, { from: "2026-01-01", to: "2026-12-01" })).toBe("week");
  expect(look.intervalOf({ ...first, interval: "month" }, range)).toBe("month");
});
