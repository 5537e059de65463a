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
  const complete = report.days.filter((day) => day.final);
  const lastComplete = complete[complete.length - 1];
  const fair = previous !== null && (previous.days[0]?.mau ?? 0) > 0;
  const earlier = lastComplete && fair ? previous.days.find((day) => day.date === addDays(lastComplete.date, -length)) : null;
  const open = last.final ? null : "so far, still counting";
  const apart = `vs ${format.plural(length, "day")} earlier`;

  const rolling = (kind: "wau" | "mau"): Figure => ({
    value: format.count(last[kind]),
    delta: lastComplete && earlier?.final ? format.change(lastComplete[kind], earlier[kind]) : null,
    against: apart,
    note: open,
  });
  const before = fair ? previous.summary : null;
  const now = report.summary.ratio;
  const then = before?.ratio;

  return {
    dau: {
      value: format.count(last.dau),
      delta: format.change(report.summary.mean_dau, before?.mean_dau),
      against: `on average vs the ${format.plural(length, "day")} before`,
      note: open,
    },
    wau: rolling("wau"),
    mau: rolling("mau"),
    stickiness: {
      value: format.percent(now),
      delta: now != null && then != null ? points(now - then) : null,
      against: apart,
      note: now == null ? "needs a complete day" : null,
    },
  };
}

// A ratio changes by percentage points: a percentage of a percentage misleads.
function points(difference: number): string {
  const size = Math.abs(difference * 100).toFixed(1);
  if (Number(size) === 0) return "±0 pts";
  return `${difference > 0 ? "+" : "−"}${size} pts`;
}
