import { expect, test } from "vitest";
import { lookFromUrl, lookToUrl } from "../src/schema/address";
import { sampleWords, typesOf } from "../src/schema/words";

test("what a page of names shows is its address, and what is usual is not written", () => {
  const usual = lookFromUrl(new URLSearchParams());
  expect(usual).toEqual({ view: "events", order: "", search: "", hidden: false, open: null });
  expect(Object.values(lookToUrl(usual))).toEqual([null, null, null, null, null]);
  const look = { view: "persons", order: "name", search: "plan", hidden: true, open: "company" } as const;
  const written = Object.entries(lookToUrl(look)) as [string, string][];
  expect(lookFromUrl(new URLSearchParams(written))).toEqual(look);
});

test("an order that a list does not have, and a list that there is not, are the usual ones", () => {
  expect(lookFromUrl(new URLSearchParams("view=groups&order=share")).order).toBe("");
  expect(lookFromUrl(new URLSearchParams("view=groups")).view).toBe("events");
  expect(lookFromUrl(new URLSearchParams("view=properties&order=volume")).order).toBe("");
});

test("types and samples in words", () => {
  expect(typesOf(["string", "number"])).toBe("text, number");
  expect(typesOf([])).toBe("–");
  expect(sampleWords({ events: 10_000, of: 48_211, sampled: true })).toBe("Shares and values of the newest 10,000 events, of 48,211.");
  expect(sampleWords({ events: 1, of: 1, sampled: false })).toBe("Shares and values of all 1 event.");
  expect(sampleWords({ events: 0, of: 0, sampled: false })).toBe("There was nothing to count in.");
});
