import { expect, test } from "vitest";
import * as funnel from "../src/funnel-query";

const through = (query: funnel.FunnelQuery) =>
  funnel.funnelFromUrl(new URLSearchParams(new URLSearchParams(funnel.funnelToUrl(query)).toString()));

test("a question survives the URL, whatever its events are called", () => {
  const query: funnel.FunnelQuery = {
    steps: [["view"], ["add to cart", "buy&now"], ['["odd"]'], ["a|b,c=d"], ["[half"], ["größe 👟"]],
    window: { value: 30, unit: "m" },
  };
  expect(through(query)).toEqual(query);
});

test("plain steps stay readable in the address", () => {
  const query: funnel.FunnelQuery = { steps: [["view"], ["buy"]], window: { value: 7, unit: "d" } };
  expect(funnel.funnelToUrl(query)).toEqual([["step", "view"], ["step", "buy"], ["window", "7d"]]);
});

test("no steps, no question; one step gets a second, empty one; a 21st is dropped", () => {
  expect(funnel.funnelFromUrl(new URLSearchParams("window=7d"))).toBeNull();
  expect(funnel.funnelFromUrl(new URLSearchParams("step=a"))?.steps).toEqual([["a"], [""]]);
  const many = new URLSearchParams(Array.from({ length: 21 }, (_, index) => ["step", `e${index}`]));
  expect(funnel.funnelFromUrl(many)?.steps).toHaveLength(20);
});

test("an unreadable window is the usual week", () => {
  for (const text of ["", "7", "0d", "d7", "-3h", "7w", "1.5h"]) expect(funnel.parseWindow(text)).toBeNull();
  expect(funnel.funnelFromUrl(new URLSearchParams("step=a&step=b&window=soon"))?.window).toEqual({ value: 7, unit: "d" });
});

test("what is missing is said", () => {
  const query = funnel.emptyFunnel();
  expect(funnel.problemOf(query)).toBe("Choose an event for step 1.");
  query.steps = [["a"], [" "]];
  expect(funnel.problemOf(query)).toBe("Choose an event for step 2.");
  query.steps = [["a"], ["", "b"]];
  expect(funnel.problemOf(query)).toBeNull();
  query.window = { value: 367, unit: "d" };
  expect(funnel.problemOf(query)).toContain("366 days");
  query.window = { value: 1.5, unit: "d" };
  expect(funnel.problemOf(query)).toContain("whole number");
});

test("blanks and repetitions are not asked", () => {
  expect(funnel.stepsToAsk({ steps: [[" a ", "a", ""], ["b"]], window: { value: 1, unit: "h" } })).toEqual([["a"], ["b"]]);
});

test("steps move within the list", () => {
  expect(funnel.moveStep([["a"], ["b"], ["c"]], 0, 1)).toEqual([["b"], ["a"], ["c"]]);
  expect(funnel.moveStep([["a"], ["b"]], 0, -1)).toEqual([["a"], ["b"]]);
  expect(funnel.moveStep([["a"], ["b"]], 1, 1)).toEqual([["a"], ["b"]]);
});
