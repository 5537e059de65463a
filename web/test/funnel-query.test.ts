import { expect, test } from "vitest";
import * as filter from "../src/filter-query";
import * as funnel from "../src/funnel/query";
import { toQuestion } from "../src/funnel/question";

const steps = (...names: string[]): funnel.FunnelQuery => ({ ...funnel.emptyFunnel(), steps: names.map((name) => funnel.emptyStep(name)) });
const where = (name: string): filter.Filter => ({ join: "and", rules: [{ ...filter.emptyRule(), name, values: ["x"] }] });

test("what is missing is said, at its field", () => {
  const query = steps("", " ", "c");
  query.exclusions = [funnel.emptyExclusion()];
  expect(funnel.faultsOf(query).map((fault) => fault.pointer)).toEqual(["/steps/0/event", "/steps/1/event", "/exclusions/0/event"]);
  query.steps = [funnel.emptyStep("a"), funnel.emptyStep("", "b")];
  query.exclusions = [];
  expect(funnel.faultsOf(query)).toEqual([]);
  query.window = { value: 367, unit: "d" };
  query.maxGap = { value: 1.5, unit: "h" };
  expect(funnel.faultsOf(query)).toEqual([
    { pointer: "/window", detail: "At most 366 days." },
    { pointer: "/max_gap", detail: "A whole number, at least 1." },
  ]);
  query.window = null;
  query.maxGap = { value: Number.NaN, unit: "h" };
  expect(funnel.faultsOf(query).map((fault) => fault.pointer)).toEqual(["/max_gap"]);
});

test("blanks and repetitions are not asked; the same event with another filter is no repetition", () => {
  const query = steps("b", "c");
  query.steps[0]!.any = [
    { event: " a ", filter: filter.everything() },
    { event: "a", filter: filter.everything() },
    { event: "a", filter: where("plan") },
    { event: "", filter: filter.everything() },
  ];
  query.exclusions = [{ ...funnel.emptyExclusion(), events: ["x", " x", ""] }];
  query.hold = [{ of: "event", name: " " }];
  query.breakdown = { of: "person", name: "" };
  const tidy = funnel.tidied(query);
  expect(tidy.steps[0]!.any.map((match) => [match.event, match.filter.rules.length])).toEqual([["a", 0], ["a", 1]]);
  expect(tidy.exclusions[0]!.events).toEqual(["x"]);
  expect([tidy.hold, tidy.breakdown]).toEqual([[], null]);
  expect(funnel.tidied(steps("", "")).steps.map((step) => step.any.length)).toEqual([1, 1]);
});

test("steps move within the list, and its ends are never optional", () => {
  const query = steps("a", "b", "c");
  query.steps[1]!.optional = true;
  const names = (moved: funnel.FunnelQuery) => moved.steps.map((step) => funnel.stepName(step) + (step.optional ? "?" : ""));
  expect(names(funnel.moveStep(query, 0, -1))).toEqual(["a", "b?", "c"]);
  expect(names(funnel.moveStep(query, 1, 1))).toEqual(["a", "c", "b"]);
});

test("without a step, exclusions and attribution go on meaning the same steps", () => {
  const query = steps("a", "b", "c", "d");
  query.exclusions = [
    { ...funnel.emptyExclusion(), after: 3, before: 4 },
    { ...funnel.emptyExclusion(), after: 1, before: 2 },
    funnel.emptyExclusion(),
  ];
  query.attribution = "step:4";
  const less = funnel.withoutStep(query, 1);
  expect(less.steps.map(funnel.stepName)).toEqual(["a", "c", "d"]);
  expect(less.exclusions.map(({ after, before }) => [after, before])).toEqual([[2, 3], [1, 2], [1, null]]);
  expect(less.attribution).toBe("step:3");
});

test("lengths of time", () => {
  for (const text of ["30s", "7d", "2w", "1mo"]) expect(funnel.lengthText(funnel.parseLength(text)!)).toBe(text);
  for (const text of ["", "7", "0d", "d7", "-3h", "1.5h", "7y", null]) expect(funnel.parseLength(text)).toBeNull();
  expect(funnel.lengthMs({ value: 1, unit: "mo" })).toBe(30 * 86_400_000);
});

test("a preset sets what it names, and ours brings the usual back", () => {
  const query = { ...steps("a", "b"), order: "strict" as const };
  const posthog = funnel.withPreset(query, "posthog");
  expect(posthog).toMatchObject({ tieMs: 1, window: { value: 14, unit: "d" }, onExclusion: "drop", order: "strict", preset: "posthog" });
  expect(funnel.withPreset(posthog, null)).toEqual(query);
});

test("the question takes each step's shortest form", () => {
  const query = steps("a", "b", "c");
  query.steps[1]!.any.push({ event: "b2", filter: filter.everything() });
  query.steps[2] = { any: [{ event: "c", filter: where("plan") }, { event: "d", filter: filter.everything() }], name: "paid", optional: false };
  expect(toQuestion(query).steps).toEqual([
    { event: "a" },
    { events: ["b", "b2"] },
    { any_of: [{ event: "c", filter: { property: "plan", op: "is", value: "x" } }, { event: "d" }], name: "paid" },
  ]);
});

test("what the editor shows is what is asked, even where a preset would fill it in", () => {
  const query = { ...funnel.withPreset(steps("a", "b"), "posthog"), tieMs: 0, window: null };
  query.exclusions = [{ ...funnel.emptyExclusion(), events: ["x"], before: 2 }];
  expect(toQuestion(query)).toMatchObject({
    preset: "posthog",
    tie_ms: 0,
    window: "session",
    on_exclusion: "drop",
    exclusions: [{ event: "x", before: 2 }],
  });
  // Without exclusions both are the same, and a sweep takes one only.
  expect(toQuestion({ ...query, exclusions: [] }).on_exclusion).toBe("stop");
});

test("faults belong to their field and those below it", () => {
  const faults = [{ pointer: "/steps/1/filter/value", detail: "a" }, { pointer: "/steps/10", detail: "b" }, { pointer: "/steps/1", detail: "c" }];
  expect(funnel.faultsAt(faults, "/steps/1").map((fault) => fault.detail)).toEqual(["a", "c"]);
});
