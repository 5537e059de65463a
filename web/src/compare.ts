/**
 * The overview's figures and what they are compared with. A comparison appears only where it is fair: complete days
 * with complete days, and only when the project already had people at the beginning of the earlier period.
 */
import type { ActiveUsersReport } from "./api";
import * as format from "./format";
import { addDays, days, type DateRange } from "./range";

export interface Figure {
  value: string;
  /** A signed percentage, with what it is measured against. */
  delta: string | null;
  against: string;
  note: string | null;
}

export interface Figures {
  dau: Figure;
  wau: Figure;
  mau: Figure;
  stickiness: Figure;
}

export function figures(report: ActiveUsersReport, previous: ActiveUsersReport | null, range: DateRange): Figures | null {
  const last = report.days[report.days.length - 1];
  if (!last) return null;
  const length = days(range);
  const against = `vs ${format.plural(length, "day")} before`;

  // Each complete day and its counterpart; when any is missing, or the project was not there yet, there is none.
  const complete = report.days.filter((day) => day.final);
  const earlier = new Map(previous?.days.filter((day) => day.final).map((day) => [day.date, day]));
  const pairs = complete.flatMap((day) => earlier.get(addDays(day.date, -length)) ?? []);
  const began = (previous?.days[0]?.mau ?? 0) > 0;
  const fair = began && complete.length > 0 && pairs.length === complete.length;
  const end = fair ? { now: complete[complete.length - 1]!, before: pairs[pairs.length - 1]! } : null;
  // Daily means only over whole weeks or more: two days of one kind against two of another say nothing.
  const whole = fair && length >= 7;
  const meanBefore = whole ? pairs.reduce((sum, day) => sum + day.dau, 0) / pairs.length : null;
  const ratio = report.summary.ratio ?? null;
  const ratioBefore = meanBefore !== null && end && end.before.mau > 0 ? meanBefore / end.before.mau : null;

  return {
    dau: {
      value: format.count(last.dau),
      delta: format.change(report.summary.mean_dau, meanBefore),
      against: `daily mean ${against}`,
      note: last.final ? null : "today so far",
    },
    wau: { value: format.count(last.wau), delta: end && format.change(end.now.wau, end.before.wau), against, note: null },
    mau: { value: format.count(last.mau), delta: end && format.change(end.now.mau, end.before.mau), against, note: null },
    stickiness: {
      value: format.percent(ratio),
      delta: ratio !== null && ratioBefore !== null ? points(ratio - ratioBefore) : null,
      against,
      note: ratio === null ? "needs a complete day" : null,
    },
  };
}

// A ratio changes by percentage points: a percentage of a percentage misleads.
function points(difference: number): string {
  const size = Math.abs(difference * 100).toFixed(1);
  if (Number(size) === 0) return "±0 pts";
  return `${difference > 0 ? "+" : "−"}${size} pts`;
}
