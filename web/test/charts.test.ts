import { describe, expect, test } from "vitest";
import * as series from "../src/charts/series";
import { LEAST_PX, pointAt, reach, stack, tallest } from "../src/charts/stack";

describe("open points", () => {
  test("the dashed part begins at the last final point", () => {
    expect(series.splitOpen([1, 2, 3, 4], [true, true, false, false])).toEqual({
      solid: [1, 2, null, null],
      dashed: [null, 2, 3, 4],
    });
    expect(series.openPoints([true, true, false, false])).toEqual([2, 3]);
  });
  test("nothing is dashed when all is final, nothing solid when all is open", () => {
    expect(series.splitOpen([1, 2], [true, true]).dashed).toEqual([null, null]);
    expect(series.splitOpen([1, 2], [false, false])).toEqual({ solid: [null, null], dashed: [1, 2] });
  });
});

describe("axes", () => {
  test.each([
    [0, [0, 0.2, 0.4, 0.6, 0.8, 1]],
    [4, [0, 1, 2, 3, 4, 5]],
    [11_921, [0, 5_000, 10_000, 15_000]],
    [0.15, [0, 0.05, 0.1, 0.15, 0.2]],
    [970, [0, 200, 400, 600, 800, 1_000]],
  ])("up to %s", (largest, marks) => expect(series.axisMarks(largest)).toEqual(marks));

  test("marks always reach past the largest value, in at most six numbers", () => {
    for (let value = 1e-4; value < 1e9; value *= 1.37) {
      const marks = series.axisMarks(value);
      expect(marks[marks.length - 1]).toBeGreaterThan(value);
      expect(marks.length).toBeLessThanOrEqual(6);
      expect(marks.length).toBeGreaterThanOrEqual(3);
    }
  });

  test.each([
    [0, -40, [-50, -40, -30, -20, -10, 0]],
    [600, -700, [-1_000, -500, 0, 500, 1_000]],
    [3, -0.5, [-1, 0, 1, 2, 3, 4]],
  ])("up to %s and down to %s", (largest, smallest, marks) => expect(series.axisMarks(largest, smallest)).toEqual(marks));

  test("a share's axis ends at all of it", () => {
    expect(series.axisMarks(1, 0, 1)).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1]);
    expect(series.axisMarks(0.999, 0, 1).at(-1)).toBe(1);
    expect(series.axisMarks(0.3, 0, 1).at(-1)).toBeGreaterThan(0.3);
  });

  test("labels are few, evenly spaced, and the newest point has one", () => {
    expect(series.tickPoints(30, 10)).toEqual([2, 5, 8, 11, 14, 17, 20, 23, 26, 29]);
    expect(series.tickPoints(1, 5)).toEqual([0]);
    expect(series.tickPoints(0, 5)).toEqual([]);
    for (const points of [7, 31, 90, 366, 1_000]) expect(series.tickPoints(points, 8).length).toBeLessThanOrEqual(8);
  });
});

test("a funnel's bars are shares of the first step", () => {
  expect(series.funnelBars([{ reached: 200 }, { reached: 50 }, { reached: 0 }])).toEqual([
    { left: 1, before: 1, through: 1 },
    { left: 0.25, before: 1, through: 0.25 },
    { left: 0, before: 0.25, through: 0 },
  ]);
  expect(series.funnelBars([{ reached: 0 }, { reached: 0 }])).toEqual([
    { left: 0, before: 0, through: 0 },
    { left: 0, before: 0, through: 0 },
  ]);
});

test("who passes an optional step by is still there after it", () => {
  const steps = [{ reached: 200 }, { reached: 20, optional: true }, { reached: 100 }];
  expect(series.funnelBars(steps)).toEqual([
    { left: 1, before: 1, through: 1 },
    { left: 0.1, before: 1, through: 1 },
    { left: 0.5, before: 1, through: 0.5 },
  ]);
});

test("a chart is summed up in words", () => {
  const lines: series.Line[] = [
    { name: "Daily", color: 1, values: [3, null, 9, 5] },
    { name: "Weekly", color: 2, values: [null, null, null, null] },
  ];
  expect(series.summary("Active users", lines, ["1 Nov", "2 Nov", "3 Nov", "4 Nov"], String)).toBe(
    "Active users, 1 Nov to 4 Nov: Daily from 3 to 9, last 5; Weekly has no values.",
  );
});

describe("stacked bars", () => {
  const lines: series.Line[] = [
    { name: "Stored", color: 1, values: [60, 0, 100] },
    { name: "Rejected", color: 2, values: [40, 0, 0] },
  ];
  test("parts stand on each other, to scale, and nothing is drawn for nothing", () => {
    expect(tallest(lines)).toBe(100);
    const pieces = stack(lines, 300, 100, 100);
    expect(pieces.map((one) => [one.point, one.color, one.y, one.height])).toEqual([
      [0, 1, 40, 60],
      [0, 2, 0, 40],
      [2, 1, 0, 100],
    ]);
    expect(pieces[2]!.x).toBeGreaterThan(200);
    expect(pieces[2]!.x + pieces[2]!.width).toBeLessThanOrEqual(300);
  });
  test("one rejected event among a million is still seen, and no bar leaves the plot", () => {
    const rare: series.Line[] = [
      { name: "Stored", color: 1, values: [1_000_000] },
      { name: "Rejected", color: 2, values: [1] },
    ];
    expect(stack(rare, 100, 200, 2_000_000)[1]!.height).toBe(LEAST_PX);
    expect(stack(rare, 100, 200, 1_000_000).every((one) => one.y >= 0)).toBe(true);
  });
  test("the pointer finds its bar", () => {
    expect([0, 99, 100, 299, 300].map((x) => pointAt(x, 300, 3))).toEqual([0, 0, 1, 2, 2]);
    expect([pointAt(-1, 300, 3), pointAt(301, 300, 3), pointAt(5, 300, 0)]).toEqual([null, null, null]);
  });
});

test("negative values hang below the ground, which stands where the axis has its 0", () => {
  const lines: series.Line[] = [
    { name: "new", color: 1, values: [30] },
    { name: "dormant", color: 6, values: [-20] },
  ];
  expect(reach(lines)).toEqual({ up: 30, down: 20 });
  const [up, down] = stack(lines, 10, 100, 60, -40);
  expect([up!.y, up!.height]).toEqual([30, 30]);
  expect([down!.y, down!.height]).toEqual([60, 20]);
});

test("one bar alone is no wall", () => {
  const [bar] = stack([{ name: "a", color: 1, values: [1] }], 600, 100, 1);
  expect([bar!.x, bar!.width]).toEqual([264, 72]);
});
