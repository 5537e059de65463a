import { expect, test } from "vitest";
import { emptyRule, everything } from "../src/filter-query";
import { binWords, placeOfTime } from "../src/funnel/bins";
import { emptyFunnel, emptyStep, type FunnelQuery } from "../src/funnel/query";
import * as words from "../src/funnel/words";

const funnel: FunnelQuery = {
  ...emptyFunnel(),
  steps: [emptyStep("view"), emptyStep("buy", "subscribe"), { ...emptyStep("refer"), name: "told a friend" }],
  exclusions: [{ events: ["refund", "cancel"], filter: { join: "and", rules: [{ ...emptyRule(), name: "amount", op: "gt", values: ["10"] }] }, after: 1, before: null }],
  hold: [{ of: "event", name: "cart" }],
};

test("every reason in words", () => {
  const why = (reason: words.Reason, more: Partial<words.WhyNot> = {}) => words.whyWords({ reason, step: 2, ...more }, funnel);
  expect(why("step_missing")).toBe("Did not go on to “buy or subscribe”.");
  expect(why("window_over", { over_by_ms: 7_980_000 })).toBe("Window over: did “buy or subscribe” 2 h 13 min too late.");
  expect(why("gap_over", { over_by_ms: 40_000, step: 3 })).toBe("Pause too long: did “told a friend” 40 s too late.");
  expect(why("excluded", { exclusion: 1 })).toBe("Excluded by “refund or cancel (amount greater than 10)” on the way to “buy or subscribe”.");
  expect(why("killed")).toContain("the order is strict");
  expect(why("outside_range")).toContain("outside the dates");
  expect(why("same_event")).toContain("already counts");
  expect(why("held_differs")).toBe("Did “buy or subscribe” with another cart, or without one.");
  // An answer to another question than the one shown: still words.
  expect(words.whyWords({ reason: "excluded", step: 9, exclusion: 7 }, funnel)).toBe("Excluded by “an excluded event” on the way to step 9.");
});

test("what is counted", () => {
  expect(words.counted(1, "persons")).toBe("1 person");
  expect(words.counted(2_310, "sessions")).toBe("2,310 sessions");
  expect(words.countedTitle("attempts")).toBe("Attempts");
  expect(words.countedNote("persons", funnel)).toBeNull();
  expect(words.countedNote("pairs", funnel)).toContain("cart");
});

test("habits say only what is unusual", () => {
  expect(words.habits({ ...emptyFunnel(), steps: funnel.steps })).toEqual([]);
  expect(
    words.habits({ ...funnel, order: "strict", ignore: ["a"], entity: "group", group: { of: "event", name: "team" }, tieMs: 2_000, maxGap: { value: 1, unit: "h" }, preset: "mixpanel" }),
  ).toEqual(["as Mixpanel counts", "strict order", "at most 1 h between steps", "by team", "same cart", "ties of 2 s", "1 event not seen"]);
});

test("pointers in words", () => {
  expect(words.placeOf("/steps/1/filter/and/0/value")).toBe("Step 2, filter");
  expect(words.placeOf("/steps")).toBe("Steps");
  expect(words.placeOf("/exclusions/0/after")).toBe("Exclusion 1");
  expect(words.placeOf("/max_gap")).toBe("Longest pause");
  expect(words.placeOf("/something/new")).toBe("/something/new");
});

test("differences of rates are points", () => {
  expect(words.points(0.0312)).toBe("+3.1 points");
  expect(words.points(-0.5)).toBe("−50.0 points");
  expect(words.points(0.0001)).toBe("±0 points");
});

test("bins of times", () => {
  expect(binWords({ from_ms: 40_000, to_ms: 45_000, count: 1 })).toBe("40 s to 45 s");
  expect(binWords({ from_ms: 7_000, to_ms: 7_000, count: 2 })).toBe("7 s");
  const bins = [{ from_ms: 10, to_ms: 20, count: 1 }, { from_ms: 20, to_ms: 30, count: 1 }];
  expect([placeOfTime(bins, 10), placeOfTime(bins, 25), placeOfTime(bins, 99)]).toEqual([0, 0.75, 1]);
  expect(placeOfTime([{ from_ms: 7, to_ms: 7, count: 2 }], 7)).toBe(0.5);
});

test("an exclusion without a filter is its events", () => {
  const plain = { ...funnel, exclusions: [{ events: ["refund"], filter: everything(), after: 1, before: null }] };
  expect(words.exclusionWords(plain, 0)).toBe("refund");
});
