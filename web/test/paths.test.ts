import { expect, test } from "vitest";
import { layout } from "../src/paths/layout";
import { complaintOf, nextStep, pathsBody, pathsFromUrl, pathsToUrl, pathsWords, peopleFromUrl, usualPaths, withNode, type PathsQuery, type PathsReport } from "../src/paths/query";

const RANGE = { from: "2026-11-01", to: "2026-12-01" };
const through = (question: PathsQuery) => pathsFromUrl(new URLSearchParams(pathsToUrl(question)));

const FULL: PathsQuery = {
  mode: "between",
  anchor: { of: "event", name: "sign_up" },
  until: { of: "page", name: "/pricing" },
  nodes: "page",
  steps: 7,
  collapse: false,
  count: "total",
  exclude: [{ of: "event", name: "a b" }, { of: "page", name: "/help" }],
  clean: [{ pattern: "/[0-9]+", replace: "/:id" }],
  group: ["/product/*"],
  filter: { property: "plan", op: "is", value: "pro" },
  funnel: null,
};

test("a question goes through its address", () => {
  expect(through(usualPaths())).toEqual(usualPaths());
  expect(pathsToUrl(usualPaths())).toEqual([]);
  expect(through(FULL)).toEqual(FULL);
  expect(through({ ...usualPaths(), exclude: [] }).exclude).toEqual([]);
});

test("a funnel's link goes through its address and says what the paths are", () => {
  const steps = [{ event: "view" }, { event: "help", optional: true }, { event: "buy" }];
  const question: PathsQuery = { ...usualPaths(), funnel: { query: { steps, window: "7d" }, step: 1, outcome: "dropped" } };
  expect(through(question)).toEqual(question);
  expect(nextStep(question.funnel!.query, 1)).toBe(3);
  expect(pathsWords(question)).toBe("Left after view");
  expect(pathsWords({ ...question, funnel: { ...question.funnel!, outcome: "converted" } })).toBe("view → buy");
  const body = pathsBody(question, RANGE);
  expect(body.funnel).toEqual({ query: { steps, window: "7d", ...RANGE }, step: 1, outcome: "dropped" });
  expect([body.mode, body.count, body.from]).toEqual([undefined, undefined, undefined]);
});

test("what an address says in words of its own is the usual", () => {
  const question = pathsFromUrl(new URLSearchParams("mode=x&steps=99&count=y&nodes=&clean=%5B1%5D&funnel=%7B%7D&filter=no"));
  expect(question).toEqual(usualPaths());
  expect(peopleFromUrl(new URLSearchParams("people=%7B%7D"))).toBeNull();
});

test("between takes two anchors", () => {
  expect(complaintOf({ ...usualPaths(), mode: "between" })).toContain("two");
  expect(complaintOf(FULL)).toBeNull();
  expect(complaintOf({ ...FULL, steps: 2 })).toContain("3 positions");
});

test("the body says what the API takes", () => {
  expect(pathsBody(FULL, RANGE)).toEqual({
    kind: "paths", mode: "between", anchor: { event: "sign_up" }, until: { page: "/pricing" }, count: "total", ...RANGE,
    nodes: "page", steps: 7, collapse: false, exclude: [{ event: "a b" }, { page: "/help" }],
    clean: [{ pattern: "/[0-9]+", replace: "/:id" }], group: ["/product/*"], filter: { property: "plan", op: "is", value: "pro" },
  });
});

test("a node leads to paths after it, before it, and without it", () => {
  expect(withNode(FULL, "/a", "before")).toMatchObject({ mode: "before", anchor: { of: "page", name: "/a" }, until: null });
  expect(withNode(FULL, "/a", "exclude").exclude).toHaveLength(3);
});

const node = (label: string, count: number, drop_off = 0) => ({ label, kind: "node" as const, count, drop_off, arrived: 0, beyond: 0 });
const REPORT: Pick<PathsReport, "positions" | "edges" | "paths"> = {
  paths: 10,
  positions: [
    { position: 1, count: 10, nodes: [node("a", 10, 3)] },
    { position: 2, count: 7, nodes: [node("b", 5, 5), node("c", 2, 2)] },
  ],
  edges: [
    { position: 1, from: 0, to: 0, count: 5 },
    { position: 1, from: 0, to: 1, count: 2 },
  ],
};

test("bars are true to their counts, names have room, and what ends is drawn", () => {
  const drawing = layout(REPORT, { width: 400, height: 100 }, false);
  expect(drawing.boxes.map((box) => [box.x, box.height])).toEqual([[0, 100], [200, 50], [200, 20]]);
  const [, b, c] = drawing.boxes;
  expect(c!.y).toBeGreaterThanOrEqual(b!.y + b!.slot);
  expect(drawing.bands.map((band) => band.count)).toEqual([5, 2]);
  expect(drawing.stubs.map((stub) => stub.count)).toEqual([3, 5, 2]);
  expect(drawing.height).toBeGreaterThanOrEqual(100);
});

test("backward the anchor stands at the right", () => {
  const [anchor, before] = layout(REPORT, { width: 400, height: 100 }, true).boxes;
  expect(anchor!.x).toBe(390);
  expect(before!.x).toBe(190);
});

test("an empty graph has nothing to draw", () => {
  expect(layout({ paths: 0, positions: [], edges: [] }, { width: 400, height: 100 }, false).boxes).toEqual([]);
});
