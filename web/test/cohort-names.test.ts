import { expect, test } from "vitest";
import { cohortName, nameCohorts } from "../src/cohorts/names";
import { idsOfRows, proposedName, wholeList } from "../src/cohorts/whole-list";
import { propertyWords, ruleWords, valueWords, type Rule } from "../src/filter-query";
import { trendRows, trendWords } from "../src/trend-rows";
import { usualTrend } from "../src/trend-query";
import type { TrendReport } from "../src/api";

const rule = (name: string, op: Rule["op"]): Rule => ({ of: "cohort", name, op, values: [], nested: null });

test("a cohort is called by its name as soon as that is known", () => {
  expect(ruleWords(rule("c-1", "in"))).toBe("is in a cohort");
  expect(propertyWords({ of: "cohort", name: "c-1" })).toBe("cohort");
  expect(valueWords({ of: "cohort", name: "c-1" }, "not in")).toBe("not in the cohort");
  nameCohorts([{ id: "c-1", name: "Regulars" }]);
  expect(cohortName("c-1")).toBe("Regulars");
  expect(ruleWords(rule("c-1", "in"))).toBe("is in Regulars");
  expect(ruleWords(rule("c-1", "not_in"))).toBe("is not in Regulars");
  expect(propertyWords({ of: "cohort", name: "c-1" })).toBe("Regulars");
  expect(valueWords({ of: "cohort", name: "c-1" }, "not in")).toBe("not in Regulars");
});

test("values of properties stay what they are", () => {
  expect(valueWords({ of: "event", name: "in" }, "in")).toBe("in");
  expect(valueWords(null, "in")).toBe("in");
  // The rest is not a member's value.
  expect(valueWords({ of: "cohort", name: "c-1" }, "Other")).toBe("Other");
});

test("a trend by cohort says which", () => {
  nameCohorts([{ id: "c-2", name: "Buyers" }]);
  const question = { ...usualTrend([{ event: "view" }]), breakdown: [{ cohort: "c-2" }, { property: "plan" }] };
  expect(trendWords(question)).toBe("view by Buyers and plan");
  const group = (values: string[]) => ({ letter: "A", event: "view", measure: "count", total: 1, points: [], group: { kind: "value", values } });
  const report = { interval: "day", series: [group(["in", "pro"]), group(["not in", "in"])] } as unknown as TrendReport;
  const rows = trendRows(report, question, "2026-11-23T00:00:00Z");
  expect(rows.map((row) => row.label)).toEqual(["in Buyers · pro", "not in Buyers · in"]);
  // What was chosen stays chosen when the name comes.
  expect(rows[0]!.key).toBe("A:value:in · pro");
});

test("a list is read page by page, to its end or to the ceiling", async () => {
  const all = Array.from({ length: 7 }, (_, index) => `u-${index}`);
  const page = async (cursor: string | null) => {
    const from = Number(cursor ?? 0);
    return { rows: all.slice(from, from + 3), next: from + 3 < all.length ? `${from + 3}` : null };
  };
  expect(await wholeList(page)).toEqual({ rows: all, cut: false });
  expect(await wholeList(page, 2)).toEqual({ rows: all.slice(0, 6), cut: true });
});

test("ids are taken once, and people without one are counted", () => {
  expect(idsOfRows({ rows: ["a", null, "b", "a", "", undefined], cut: false })).toEqual({ ids: ["a", "b"], unnamed: 3, cut: false });
});

test("the proposed name is one that the API takes", () => {
  expect(proposedName(" Left after\n1. view ")).toBe("Left after 1. view");
  expect([...proposedName("ä".repeat(200))]).toHaveLength(100);
});
