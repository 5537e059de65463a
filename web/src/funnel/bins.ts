/** The arithmetic of the histogram of times. */
import type { components } from "../api.gen";
import * as format from "../format";

export type TimeReport = components["schemas"]["TimeReport"];
export type TimeBin = components["schemas"]["TimeBin"];

/** `40 s to 45 s`; the last one has both its ends. */
export function binWords(bin: TimeBin): string {
  return bin.from_ms === bin.to_ms ? format.duration(bin.from_ms) : `${format.duration(bin.from_ms)} to ${format.duration(bin.to_ms)}`;
}

/** Where a time stands between the lowest and the highest edge (0..1). */
export function placeOfTime(bins: TimeBin[], ms: number): number {
  const [low, high] = [bins[0]?.from_ms ?? 0, bins[bins.length - 1]?.to_ms ?? 0];
  return high > low ? Math.min(1, Math.max(0, (ms - low) / (high - low))) : 0.5;
}

/** What the report says in numbers, in the order of their size. */
export function measures(report: TimeReport): { name: string; ms: number | null }[] {
  return [
    { name: "Median", ms: report.median_ms ?? null },
    { name: "Mean", ms: report.mean_ms ?? null },
    { name: "75 % within", ms: report.p75_ms ?? null },
    { name: "90 % within", ms: report.p90_ms ?? null },
    { name: "95 % within", ms: report.p95_ms ?? null },
  ];
}
