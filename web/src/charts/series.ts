/** The arithmetic of the charts, apart from drawing, so that it can be tested. */
import type { FunnelStepReport } from "../api";

/** One line: its name, its colour of the palette (6 is the neutral one), one value per point. */
export interface Line {
  name: string;
  color: 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8;
  values: (number | null)[];
  /** What it is compared with: drawn pale, and never as open. */
  ghost?: boolean;
  /** The line that it accompanies: it comes and goes with it, and needs no place in the legend. */
  of?: string;
}

/**
 * Splits a line where its values are still open: what is final is drawn solid; from the last final point on, what may
 * still change is drawn dashed. Both parts share that point, so that the line does not break.
 */
export function splitOpen(
  values: (number | null)[],
  final: boolean[],
): { solid: (number | null)[]; dashed: (number | null)[] } {
  const open = (index: number) => final[index] === false;
  return {
    solid: values.map((value, index) => (open(index) ? null : value)),
    dashed: values.map((value, index) => (open(index) || (index + 1 < values.length && open(index + 1)) ? value : null)),
  };
}

/** Which points open values stand at: they get a hollow mark. */
export function openPoints(final: boolean[]): number[] {
  return final.flatMap((isFinal, index) => (isFinal ? [] : [index]));
}

/** Points that carry a label on the x axis: evenly spaced, ending with the newest, at most `most`. */
export function tickPoints(points: number, most: number): number[] {
  if (points <= 0 || most <= 0) return [];
  const steps = [1, 2, 3, 4, 5, 7, 10, 14, 15, 21, 28, 30, 60, 90];
  const needed = points / most;
  const step = steps.find((size) => size >= needed) ?? Math.ceil(needed / 30) * 30;
  const ticks: number[] = [];
  for (let index = points - 1; index >= 0; index -= step) ticks.unshift(index);
  return ticks;
}

/**
 * The marks of a y axis that holds 0: three to five steps of 1, 2 or 5 times a power of ten, past `largest`, and past
 * `smallest` where that is negative. Never past `most`: a share has no more than 1.
 */
export function axisMarks(largest: number, smallest = 0, most = Number.POSITIVE_INFINITY): number[] {
  const bottom = Math.min(0, smallest) * 1.03;
  const top = largest > 0 ? Math.max(largest, Math.min(largest * 1.03, most)) : bottom < 0 ? 0 : 1;
  const span = top - bottom;
  const power = 10 ** Math.floor(Math.log10(span));
  const step = [0.1, 0.2, 0.5, 1, 2, 5].map((size) => size * power).find((size) => span / size <= 5) ?? power * 10;
  const [first, last] = [Math.floor(bottom / step + 1e-9), Math.ceil(top / step - 1e-9)];
  // Rounded, because 3 × 0.1 is not 0.3.
  return Array.from({ length: last - first + 1 }, (_, index) => Number(((first + index) * step).toPrecision(12)));
}

/** The smallest value below 0, else 0. */
export function smallest(lines: Line[]): number {
  return lines.reduce((least, line) => line.values.reduce<number>((low, value) => Math.min(low, value ?? 0), least), 0);
}

/** The largest value of several lines, 0 when there is none. */
export function largest(lines: Line[]): number {
  return lines.reduce((most, line) => line.values.reduce<number>((top, value) => Math.max(top, value ?? 0), most), 0);
}

/**
 * A bar of the funnel: what of the first step is left, and what the mandatory step before still had (both 0..1). Those
 * who pass an optional step by go `through` all the same.
 */
export interface FunnelBar {
  left: number;
  before: number;
  through: number;
}

export function funnelBars(steps: Pick<FunnelStepReport, "reached" | "optional">[]): FunnelBar[] {
  const first = steps[0]?.reached ?? 0;
  const share = (reached: number) => (first > 0 ? Math.min(1, reached / first) : 0);
  let before = first;
  return steps.map((step) => {
    const bar = { left: share(step.reached), before: share(before), through: share(step.optional ? before : step.reached) };
    if (!step.optional) before = step.reached;
    return bar;
  });
}

/** What a line chart shows, in a sentence, for those who do not see it. */
export function summary(title: string, lines: Line[], titles: string[], write: (value: number) => string): string {
  if (titles.length === 0) return `${title}: no points.`;
  const parts = lines.map((line) => {
    const known = line.values.filter((value): value is number => value !== null);
    if (known.length === 0) return `${line.name} has no values`;
    const last = known[known.length - 1]!;
    return `${line.name} from ${write(Math.min(...known))} to ${write(Math.max(...known))}, last ${write(last)}`;
  });
  return `${title}, ${titles[0]} to ${titles[titles.length - 1]}: ${parts.join("; ")}.`;
}
