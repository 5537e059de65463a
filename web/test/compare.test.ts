import { expect, test } from "vitest";
import type { ActiveUsersReport } from "../src/api";
import { figures } from "../src/compare";
import { addDays } from "../src/range";

/** Days from `from`, with the given DAU; WAU and MAU grow by one a day; the last day is open when asked. */
function report(from: string, dau: number[], open: boolean, mau = 1_000): ActiveUsersReport {
  const days = dau.map((value, index) => ({
    date: addDays(from, index),
    dau: value,
    wau: mau / 2 + index,
    mau: mau + index,
    stickiness: null,
    final: !(open && index === dau.length - 1),
  }));
  const complete = days.filter((day) => day.final);
  const mean = complete.length ? complete.reduce((sum, day) => sum + day.dau, 0) / complete.length : null;
  const last = complete[complete.length - 1];
  const ratio = mean !== null && last ? mean / last.mau : null;
  return { days, weeks: [], months: [], summary: { active: 0, complete_days: complete.length, mean_dau: mean, mau: last?.mau ?? null, ratio } };
}

const RANGE = { from: "2026-11-17", to: "2026-11-24" };
const previous = report("2026-11-10", [50, 50, 50, 50, 50, 50, 999], false, 900);

test("an open day is shown, but compared are complete days with the same days of the week before", () => {
  const shown = figures(report("2026-11-17", [55, 55, 55, 55, 55, 55, 4], true), previous, RANGE)!;
  expect(shown.dau).toEqual({ value: "4", delta: "+10.0 %", against: "daily mean vs 7 days before", note: "today so far" });
  expect(shown.mau.value).toBe("1,006");
  // 1,005 on the last complete day against 905 a week earlier.
  expect(shown.mau.delta).toBe("+11.0 %");
  expect(shown.stickiness).toMatchObject({ value: "5.5 %", delta: "−0.1 pts" });
});

test("a project that was not there yet is not compared", () => {
  const young = report("2026-11-10", [0, 0, 0, 1, 2, 3, 4], false, 0);
  const shown = figures(report("2026-11-17", [9, 9, 9, 9, 9, 9, 9], false), young, RANGE)!;
  expect([shown.dau.delta, shown.wau.delta, shown.mau.delta, shown.stickiness.delta]).toEqual([null, null, null, null]);
});

test("two days against two other weekdays say nothing about the daily mean", () => {
  const shown = figures(report("2026-11-21", [20, 20], false), report("2026-11-19", [50, 50], false), {
    from: "2026-11-21",
    to: "2026-11-23",
  })!;
  expect(shown.dau.delta).toBeNull();
  expect(shown.mau.delta).not.toBeNull();
});

test("only an open day: no ratio, no comparison, no crash", () => {
  const shown = figures(report("2026-11-23", [4], true), null, { from: "2026-11-23", to: "2026-11-24" })!;
  expect(shown.dau.value).toBe("4");
  expect(shown.stickiness).toMatchObject({ value: "–", note: "needs a complete day" });
  expect(figures({ ...report("2026-11-23", [], false) }, null, RANGE)).toBeNull();
});
