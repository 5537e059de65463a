import { expect, test } from "vitest";
import type { Dashboard, SavedQuestion } from "../src/api-saved";
import { addressOf, homeOf, isChanged, moved, opening, placeOf, rangeParameters, rangeWords, resized, savedRange, without } from "../src/saved/stored";

const question: SavedQuestion = {
  kind: "question",
  name: "Views",
  description: "",
  question: { kind: "trends", events: ["page_view"] },
  range: { last_days: 7 },
  display: { page: "trends", address: "event=page_view&chart=bars" },
};
const board = (...names: string[]): Dashboard => ({ kind: "dashboard", name: "Board", description: "", range: null, tiles: names.map((text) => ({ text, width: 6, height: 4 })) });
const texts = ({ tiles }: Dashboard) => (tiles ?? []).map((tile) => tile.text).join("");

test("a question's address leaves out dates, lists of people and which one it is", () => {
  const query = new URLSearchParams("event=a&range=7d&chart=bars&saved=1&people=1-dropped&from=2026-01-01&to=2026-01-02");
  expect(addressOf(query)).toBe("event=a&chart=bars");
});

test("dates that move along with today are saved as such, and opened as such", () => {
  expect(savedRange({ from: "2026-11-17", to: "2026-11-24", preset: "7d" })).toEqual({ last_days: 7 });
  expect(savedRange({ from: "2026-11-01", to: "2026-11-03" })).toEqual({ from: "2026-11-01", to: "2026-11-03" });
  expect(rangeParameters({ last_days: 365 })).toEqual([["range", "12m"]]);
  expect(rangeParameters({ from: "2026-11-01", to: "2026-11-03" })).toEqual([["from", "2026-11-01"], ["to", "2026-11-03"]]);
  expect(rangeParameters(null)).toEqual([]);
  expect([rangeWords({ last_days: 1 }), rangeWords({ last_days: 30 }), rangeWords(null)]).toEqual(["today", "last 30 days", "its own dates"]);
});

test("opening brings back what was saved, and only then nothing is changed", () => {
  const query = new URLSearchParams(opening("x", question));
  expect(query.toString()).toBe("event=page_view&chart=bars&range=7d&saved=x");
  expect(isChanged(question, addressOf(query), { last_days: 7 })).toBe(false);
  expect(isChanged(question, addressOf(query), { last_days: 30 })).toBe(true);
  expect(isChanged(question, "event=page_view", { last_days: 7 })).toBe(true);
  expect(homeOf({ ...question, display: {} })).toBe("trends");
  expect(homeOf({ ...question, display: { page: "nowhere" }, question: { kind: "conversion", goal: "a" } })).toBe(null);
});

test("tiles move, shrink to one column, grow to twelve, and go", () => {
  expect(texts(moved(board("a", "b", "c"), 2, 0))).toBe("cab");
  expect(texts(moved(board("a", "b", "c"), 0, 9))).toBe("bca");
  expect(texts(moved(board("a", "b", "c"), 7, 0))).toBe("abc");
  expect(texts(without(board("a", "b", "c"), 1))).toBe("ac");
  expect(resized(board("a"), 0, 0, 99).tiles![0]).toMatchObject({ width: 1, height: 12 });
});

test("annotations stand at the points that hold their days", () => {
  const days = ["2026-11-01", "2026-11-02", "2026-11-03"];
  expect(placeOf(days, "2026-11-02", "2026-11-02")).toEqual([1, 1]);
  expect(placeOf(days, "2026-10-20", "2026-11-02")).toEqual([0, 1]);
  expect(placeOf(days, "2026-11-03", "2026-12-24")).toEqual([2, 2]);
  expect(placeOf(days, "2026-11-04", "2026-11-04")).toBe(null);
  expect(placeOf(days, "2026-10-31", "2026-10-31")).toBe(null);
  // A point of a week holds its seven days.
  const weeks = ["2026-11-02", "2026-11-09"];
  expect(placeOf(weeks, "2026-11-15", "2026-11-15")).toEqual([1, 1]);
  expect(placeOf(weeks, "2026-11-16", "2026-11-16")).toBe(null);
  expect(placeOf([], "2026-11-16", "2026-11-16")).toBe(null);
});
