import { describe, expect, test } from "vitest";
import * as format from "../src/format";

describe("percent", () => {
  test.each([
    [0, "0 %"],
    [1, "100 %"],
    [0.4287, "42.9 %"],
    [0.0001, "<0.1 %"],
    [0.99996, "99.9 %"],
    [null, "–"],
    [Number.NaN, "–"],
  ])("%s is written %s", (ratio, text) => expect(format.percent(ratio)).toBe(text));
});

describe("change", () => {
  test.each([
    [104.2, 100, "+4.2 %"],
    [99.7, 100, "−0.3 %"],
    [100, 100, "±0 %"],
    [100.04, 100, "±0 %"],
    [2_500, 100, "+2,400 %"],
    [5, 0, null],
    [null, 5, null],
  ])("%s after %s is %s", (now, before, text) => expect(format.change(now, before)).toBe(text));
});

describe("duration", () => {
  test.each([
    [0, "0 s"],
    [40, "0.1 s"],
    [420, "0.4 s"],
    [59_600, "1 min"],
    [192_000, "3 min 12 s"],
    [3_600_000, "1 h"],
    [3_659_000, "1 h"],
    [604_800_000, "7 d"],
    [187_200_000, "2 d 4 h"],
    [null, "–"],
  ])("%s ms is %s", (ms, text) => expect(format.duration(ms)).toBe(text));
});

test("an axis has round percentages", () => {
  expect([0, 0.2, 0.025, 0.15].map(format.axisPercent)).toEqual(["0 %", "20 %", "2.5 %", "15 %"]);
});

test("counts have thousands, and no number is a dash", () => {
  expect(format.count(1_234_567)).toBe("1,234,567");
  expect(format.count(undefined)).toBe("–");
  expect(format.shortCount(12_345)).toBe("12.3K");
  expect(format.plural(1, "person", "persons")).toBe("1 person");
  expect(format.plural(0, "person", "persons")).toBe("0 persons");
});

test("dates are not shifted by any zone", () => {
  expect(format.day("2026-11-01")).toBe("1 Nov");
  expect(format.day("2026-11-23", "weekday")).toBe("Mon 23 Nov");
  expect(format.day("2026-01-01", "year")).toBe("1 Jan 2026");
});

test("instants are written in the project's zone; an unknown zone does not break the page", () => {
  expect(format.clock("2026-11-23T23:30:05Z", "Europe/Berlin")).toBe("00:30:05");
  expect(format.hour("2026-11-23T23:30:05Z", "Asia/Tokyo")).toBe("08:30");
  expect(format.clock("2026-11-23T23:30:05Z", "Mars/Olympus")).toMatch(/^\d\d:\d\d:\d\d$/);
});

test("how long ago grows coarser", () => {
  const now = Date.parse("2026-11-23T12:00:00Z");
  const ago = (seconds: number) => format.ago(new Date(now - seconds * 1_000).toISOString(), now, "UTC");
  expect([ago(2), ago(42), ago(300), ago(7_300)]).toEqual(["just now", "42 s ago", "5 min ago", "2 h ago"]);
  expect(ago(100_000)).toContain("22 Nov");
});

test("dates, minutes and differences", () => {
  expect(format.date("2026-11-22T23:30:00Z", "Europe/Berlin")).toBe("23 Nov 2026");
  expect(format.minute("2026-11-22T23:30:00Z", "Europe/Berlin")).toBe("23 Nov, 00:30");
  expect(format.dayOf("2026-11-22T23:00:00Z", "Europe/Berlin", true)).toBe("Mon 23 Nov");
  expect([format.signed(3), format.signed(-1_200), format.signed(0)]).toEqual(["+3", "−1,200", "0"]);
});

test("measured numbers keep what they need", () => {
  expect([0, 12, 12.345, 12_345.67, 0.071_29, -0.5].map(format.number)).toEqual(["0", "12", "12.35", "12,346", "0.0713", "−0.5"]);
  expect([null, undefined, Number.NaN].map(format.number)).toEqual(["–", "–", "–"]);
});
