import { expect, test } from "vitest";
import * as range from "../src/range";

const TODAY = "2026-11-23";
const url = (text: string) => range.rangeFromUrl(new URLSearchParams(text), TODAY);

test("today is the project's day, not the browser's", () => {
  const late = Date.parse("2026-11-23T23:30:00Z");
  expect(range.today("Asia/Tokyo", late)).toBe("2026-11-24");
  expect(range.today("America/New_York", late)).toBe("2026-11-23");
  expect(range.today("Mars/Olympus", late)).toBe("2026-11-23");
});

test("the last 7 days include today and end before tomorrow", () => {
  expect(url("range=1d")).toEqual({ from: "2026-11-23", to: "2026-11-24", preset: "1d" });
  expect(url("range=12m")).toEqual({ from: "2025-11-24", to: "2026-11-24", preset: "12m" });
  expect(url("range=toString")).toEqual(url(""));
  expect(url("range=7d")).toEqual({ from: "2026-11-17", to: "2026-11-24", preset: "7d" });
});

test("without or with a broken wish: the last 30 days", () => {
  const usual = { from: "2026-10-25", to: "2026-11-24", preset: "30d" };
  for (const text of ["", "range=5y", "from=2026-11-05", "from=2026-02-30&to=2026-03-05", "from=2026-11-05&to=2026-11-05"]) {
    expect(url(text)).toEqual(usual);
  }
});

test("a picked range survives the URL", () => {
  const picked = range.pickedRange("2026-11-03", "2026-11-01");
  expect(picked).toEqual({ from: "2026-11-01", to: "2026-11-04" });
  expect(url(new URLSearchParams(range.rangeToUrl(picked)).toString())).toEqual(picked);
});

test("more than 366 days are cut to the newest 366", () => {
  const picked = range.pickedRange("2020-01-01", "2026-01-01");
  expect(range.days(picked)).toBe(366);
  expect(picked.to).toBe("2026-01-02");
});

test("the previous range is as long and ends where this one begins", () => {
  const previous = range.previousRange({ from: "2026-03-20", to: "2026-04-03" });
  expect(previous).toEqual({ from: "2026-03-06", to: "2026-03-20" });
});

test("hours for two days, weeks beyond a quarter", () => {
  expect(range.intervalFor({ from: "2026-11-20", to: "2026-11-22" })).toBe("hour");
  expect(range.intervalFor(range.presetRange("90d", TODAY))).toBe("day");
  expect(range.intervalFor(range.pickedRange("2026-01-01", TODAY))).toBe("week");
});
