import { expect, test } from "vitest";
import * as active from "../src/active/query";

const through = (question: active.ActiveQuestion) =>
  active.activeFromUrl(new URLSearchParams(new URLSearchParams(active.activeToUrl(question)).toString()));

test("the question survives the address, and the usual one leaves no trace", () => {
  const question: active.ActiveQuestion = { event: "größe & co", exact: true, week_start: "saturday", filter: { property: "plan", op: "is_set" }, group: { property: "$groups.company" } };
  expect(through(question)).toEqual(question);
  const usual = active.activeFromUrl(new URLSearchParams("filter=%7B&week_start=x&exact=1&group=%22x%22"));
  expect(usual).toEqual({ event: "", exact: false, week_start: "monday" });
  expect(active.activeToUrl(usual)).toEqual([]);
});

test("any activity is asked without an event", () => {
  expect(active.activityOf({ event: " " })).toEqual({});
  expect(active.activityOf({ event: "a", filter: { property: "p" } })).toEqual({ event: "a", filter: { property: "p" } });
});

test("a group is asked for once it is named", () => {
  expect(active.activityOf({ event: "", group: { property: "p" } })).toEqual({ group: { property: "p" } });
  expect(active.problemOf({ event: "", group: { property: " " } })).toMatch(/property/);
  expect([active.problemOf({ event: "" }), active.problemOf({ event: "", group: { person: "p" } })]).toEqual([null, null]);
  expect([active.whom({ event: "" }), active.whom({ event: "", group: { property: "p" } })]).toEqual(["persons", "groups"]);
});

test("a lifecycle has as many intervals as a person can take in", () => {
  expect(active.lifecycleFor({ from: "2026-11-01", to: "2026-12-01" })).toBe("day");
  expect(active.lifecycleFor({ from: "2026-08-26", to: "2026-11-24" })).toBe("week");
  expect(active.lifecycleFor({ from: "2025-11-24", to: "2026-11-24" })).toBe("month");
});

test("a choice of the address is one of those there are", () => {
  const of = (text: string) => active.choiceOf(new URLSearchParams(text), "windows", active.WINDOWS, "rolling");
  expect(of("windows=ratio")).toBe("ratio");
  for (const text of ["", "windows=", "windows=toString"]) expect(of(text)).toBe("rolling");
});
