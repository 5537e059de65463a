import { expect, test } from "vitest";
import type { IdName, MergePreview } from "../src/api-identity";
import { called, changedDays, pairOf } from "../src/people/merge";

const ids: IdName[] = [{ user: "ann" }, { device: "phone" }, { device: "tablet" }];
const fields = { own: 0, apart: 1, kind: "user" as const, other: " bob " };

test("two ids are one pair, where something can be said of them", () => {
  expect(pairOf(ids, "merge", fields)).toEqual({ from: { user: "ann" }, into: { user: "bob" } });
  expect(pairOf(ids, "merge", { ...fields, kind: "device" })).toEqual({ from: { user: "ann" }, into: { device: "bob" } });
  expect(pairOf(ids, "unmerge", fields)).toEqual({ from: { user: "ann" }, into: { device: "phone" } });
});

test("nobody, the same id and two devices are no pair", () => {
  expect(pairOf(ids, "merge", { ...fields, other: " " })).toBeNull();
  expect(pairOf(ids, "merge", { ...fields, other: "ann" })).toBeNull();
  expect(pairOf(ids, "merge", { ...fields, own: 1, kind: "device" })).toBeNull();
  expect(pairOf(ids, "unmerge", { ...fields, own: 1, apart: 2 })).toBeNull();
  expect(pairOf([], "merge", fields)).toBeNull();
});

test("days that stay as they are are not shown", () => {
  const numbers = (dau: number) => ({ persons: 2, funnel: null, days: [{ date: "2026-11-22", dau: 3 }, { date: "2026-11-23", dau }] });
  const preview: MergePreview = { persons: { before: [], after: [] }, before: numbers(5), after: numbers(4) };
  expect(changedDays(preview)).toEqual([{ date: "2026-11-23", before: 5, after: 4 }]);
});

test("a device is called so", () => {
  expect(ids.map(called)).toEqual(["ann", "phone (device)", "tablet (device)"]);
});
