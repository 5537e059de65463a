import { expect, test } from "vitest";
import type { SavedQuestion } from "../src/api-saved";
import { peopleWords } from "../src/people/question";
import { pathsCounted, topSteps, type PathsReport } from "../src/paths/query";
import { datesWords, homeOf, isChanged, opening, savedRange } from "../src/saved/stored";
import { headline, webWords, type VisitsReport } from "../src/web/query";

const node = (label: string) => ({ label, kind: "node" });
const report = (mode: "after" | "before"): PathsReport =>
  ({
    mode,
    counted: "persons",
    paths: 9,
    positions: [{ nodes: [node("view"), node("cart")] }, { nodes: [node("cart"), node("view")] }, { nodes: [node("view")] }],
    edges: [
      { position: 1, from: 0, to: 0, count: 4 },
      { position: 1, from: 1, to: 1, count: 5 },
      { position: 2, from: 0, to: 0, count: 2 },
    ],
  }) as unknown as PathsReport;

test("the same step at several positions is one, and backward paths are told forward", () => {
  expect(topSteps(report("after"), 9)).toEqual([
    { from: "cart", to: "view", count: 7 },
    { from: "view", to: "cart", count: 4 },
  ]);
  expect(topSteps(report("before"), 1)).toEqual([{ from: "view", to: "cart", count: 7 }]);
  expect(pathsCounted(report("after"))).toBe("9 people");
});

const people: SavedQuestion = { kind: "question", name: "Known", description: "", question: { kind: "persons", search: "ada" }, range: null, display: { page: "people", address: "search=ada" } };

test("a question about no dates has none", () => {
  expect(savedRange(null)).toBeNull();
  expect(isChanged(people, "search=ada", null)).toBe(false);
  expect(isChanged(people, "search=bob", null)).toBe(true);
  expect([datesWords(people), datesWords(people, { last_days: 7 })]).toEqual([null, null]);
  expect(opening("x", people)).toEqual([["search", "ada"], ["saved", "x"]]);
  expect(homeOf({ ...people, display: {} })).toBe("people");
  expect(datesWords({ ...people, question: { kind: "web" } }, { last_days: 7 })).toBe("last 7 days");
});

test("questions in a line", () => {
  expect(peopleWords({ search: " ada ", order: "id", columns: null, filter: { person: "plan", op: "is", value: "pro" } })).toBe("People: “ada”, person's plan is pro");
  expect(peopleWords({ search: "", order: "id", columns: null })).toBe("All people");
  expect(webWords([{ by: "source", value: null }])).toBe("Visits, Source is Direct / None");
});

test("a headline without dates still says against what", () => {
  const total = { visitors: 4, sessions: 4, views: 8, views_per_session: 2, bounces: 1, bounce_rate: 0.25, mean_duration_ms: 1000, median_duration_ms: 900 };
  const visits = { interval: "day", points: [], total, previous: { total: { ...total, visitors: 2 } } } as unknown as VisitsReport;
  expect(headline(visits, null)[0]).toMatchObject({ metric: "visitors", value: "4", delta: "+100 %", against: "vs the time before" });
});
