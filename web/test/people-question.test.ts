import { expect, test } from "vitest";
import { peopleFromUrl, peopleToUrl, toPerson, usualColumns, valueText } from "../src/people/question";

test("a list of people and its address mean the same", () => {
  const address = "search=ada&order=first_seen&filter=%7B%22person%22%3A%22plan%22%2C%22value%22%3A%22club%22%7D&column=plan&column=a+b";
  const question = peopleFromUrl(new URLSearchParams(address));
  expect(question).toEqual({ search: "ada", order: "first_seen", filter: { person: "plan", value: "club" }, columns: ["plan", "a b"] });
  expect(new URLSearchParams(peopleToUrl(question)).toString()).toBe(address);
});

test("an address that says nothing, or nonsense, asks for everybody", () => {
  for (const address of ["", "order=luck&filter=%7B"]) {
    const question = peopleFromUrl(new URLSearchParams(address));
    expect(question).toEqual({ search: "", order: "last_seen", columns: null });
    expect(peopleToUrl(question)).toEqual([]);
  }
});

test("columns are the properties that most have", () => {
  const people = [{ properties: { b: 1, a: 1 } }, { properties: { b: 2 } }, { properties: { c: null, a: 1, b: 3 } }];
  expect(usualColumns(people, 2)).toEqual(["b", "a"]);
});

test("values are one line", () => {
  expect(["x", 5, true, null, undefined, { a: 1 }].map(valueText)).toEqual(["x", "5", "true", "", "", '{"a":1}']);
  expect(toPerson("a", true)).toEqual([["person", "a"], ["fresh", "1"]]);
});
