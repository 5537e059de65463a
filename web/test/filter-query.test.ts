import { expect, test } from "vitest";
import * as filter from "../src/filter-query";

const rule = (change: Partial<filter.Rule>): filter.Rule => ({ ...filter.emptyRule(), name: "plan", values: ["pro"], ...change });
const through = (one: filter.Filter) => filter.filterFromApi(JSON.parse(JSON.stringify(filter.filterToApi(one))));

test("every test survives the API's form", () => {
  for (const op of Object.keys(filter.OPS) as filter.Op[]) {
    for (const of of ["event", "person"] as const) {
      const one: filter.Filter = { join: "and", rules: [rule({ op, of, values: filter.valuesFor(op, ["1", "2"]) })] };
      expect(through(one)).toEqual(one);
    }
  }
});

test("one rule stands alone, several in their group, none is no filter", () => {
  const one = { property: "plan", op: "is", value: "pro" };
  expect(filter.filterToApi({ join: "or", rules: [] })).toBeNull();
  expect(filter.filterToApi({ join: "or", rules: [rule({})] })).toEqual(one);
  const two: filter.Filter = { join: "or", rules: [rule({}), rule({ of: "name", name: "", op: "starts_with", values: ["sign"] })] };
  expect(filter.filterToApi(two)).toEqual({ or: [one, { event_name: true, op: "starts_with", value: "sign" }] });
  expect(through(two)).toEqual(two);
});

test("values of an address are read as texts: the API compares canonical texts", () => {
  expect(filter.filterFromApi({ property: "n", value: 1.5 })?.rules[0]?.values).toEqual(["1.5"]);
  expect(filter.filterFromApi({ property: "n", op: "between", value: [1, 2] })?.rules[0]?.values).toEqual(["1", "2"]);
  expect(filter.filterFromApi({ person: "paid", value: true })?.rules[0]).toMatchObject({ of: "person", values: ["true"] });
  expect(filter.filterFromApi({ property: "n", op: "is_set" })?.rules[0]?.values).toEqual([]);
});

test("a nested group is kept as it came", () => {
  const nested = { and: [{ property: "a", op: "is", value: "1" }, { or: [{ person: "b", op: "is_set" }, { person: "c", op: "is_set" }] }] };
  const read = filter.filterFromApi(nested)!;
  expect(read.rules.map((one) => one.of)).toEqual(["event", "nested"]);
  expect(filter.filterToApi(read)).toEqual(nested);
});

test("what is no filter is none", () => {
  for (const odd of [null, 7, "x", [], {}, { property: 3 }, { property: "a", op: "almost" }, { and: [{}] }]) {
    expect(filter.filterFromApi(odd)).toBeNull();
  }
});

test("another test keeps the values that fit it", () => {
  expect(filter.valuesFor("between", ["1"])).toEqual(["1", ""]);
  expect(filter.valuesFor("in", ["a", ""])).toEqual(["a"]);
  expect(filter.valuesFor("is", ["a", "b"])).toEqual(["a"]);
  expect(filter.valuesFor("is_set", ["a"])).toEqual([]);
});

test("the API's pointers find the rule", () => {
  const two: filter.Filter = { join: "or", rules: [rule({}), rule({})] };
  expect(filter.rulePointer(two, 1)).toBe("/or/1");
  expect(filter.rulePointer({ ...two, rules: [rule({})] }, 0)).toBe("");
});

test("rules that nobody began are not asked", () => {
  const given: filter.Filter = { join: "and", rules: [filter.emptyRule(), rule({ name: " plan " })] };
  expect(filter.written(given).rules.map((one) => one.name)).toEqual(["plan"]);
});

test("a filter in words", () => {
  const two: filter.Filter = {
    join: "or",
    rules: [rule({ op: "not_in", values: ["a", "b"] }), rule({ of: "person", name: "age", op: "between", values: ["18", "30"] })],
  };
  expect(filter.filterWords(two)).toBe("plan is none of a, b or person's age between 18 and 30");
  expect(filter.filterWords({ join: "and", rules: [rule({ op: "is_set", values: [] })] })).toBe("plan is set");
});
