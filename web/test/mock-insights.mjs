/** Answers of the mock server to questions about activity and trends: believable, never true. */
import * as world from "./mock-world.mjs";

const DAY = 86_400_000;
const LENGTH = { day: 1, week: 7, month: 30 };
const VALUES = ["mobile", "desktop", "tablet", "a value that is much longer than anybody would expect it to be", "Other"];
const LETTERS = "ABCDEFGHIJKLMNOPQRST";
/** What a measure makes of a count. */
const OF = { count: 1, persons: 0.4, per_person: 0, sum: 61.35, avg: 0, min: 0, max: 0, p50: 0, p90: 0, p95: 0, p99: 0 };

const activeUsers = ({ from, to, event }) => {
  const report = world.activeUsers({ from, to }, event === "unheard_of");
  const periods = (size) =>
    report.days.filter((_, index) => index % size === 0).map((day) => {
      const end = new Date(Date.parse(day.date) + size * DAY).toISOString().slice(0, 10);
      return { start: day.date, end, active: size === 7 ? day.wau : day.mau, final: end <= report.days.at(-1).date };
    });
  return { ...report, weeks: periods(7), months: periods(30) };
};

function lifecycle({ interval = "day", event, from, to }) {
  const size = LENGTH[interval];
  const days = world.activeUsers({ from, to }, event === "unheard_of").days;
  const points = days.filter((_, index) => index % size === 0).map((day) => {
    const active = day.dau * Math.sqrt(size);
    return {
      start: day.date,
      end: new Date(Date.parse(day.date) + size * DAY).toISOString().slice(0, 10),
      new: Math.round(active * 0.34),
      returning: Math.round(active * 0.46),
      resurrecting: Math.round(active * 0.2),
      dormant: Math.round(active * (0.4 + 0.1 * world.chance(day.date))),
      final: day.final,
    };
  });
  return { interval, points };
}

function stickiness({ from, to, event }) {
  const days = world.activeUsers({ from, to }, false).days.length;
  const first = event === "unheard_of" ? 0 : 5_700;
  const persons = Array.from({ length: days }, (_, index) => Math.round(first * 0.45 ** index));
  const histogram = persons.map((count, index) => ({ days: index + 1, persons: count, at_least: persons.slice(index).reduce((sum, one) => sum + one, 0) }));
  const all = histogram[0]?.at_least ?? 0;
  const visits = histogram.reduce((sum, bar) => sum + bar.days * bar.persons, 0);
  return { persons: all, mean_days: all ? visits / all : null, days, incomplete_days: ["2026-11-23"], histogram };
}

/** A refusal, when the question is one that the server refuses. */
export function refusal({ formula, series }) {
  if (formula?.includes("?")) return { pointer: "/formula", code: "invalid_formula", detail: `'?' is not expected here` };
  if (series?.some((one) => one.rolling_days === 7)) return { pointer: "/series/0/rolling_days", code: "not_allowed", detail: "rolling persons are counted by the interval `day`" };
  return null;
}

function trends({ series, breakdown, formula, compare, interval, from, to }) {
  const answers = series.flatMap((one, index) => {
    const event = one.event ?? one.events[0];
    const report = world.trends([event], { from, to }, interval === "month" ? "week" : interval === "minute" ? "hour" : interval).series[0];
    const measure = one.measure ?? "count";
    const value = (count) => (measure === "count" ? undefined : OF[measure] === 0 ? 12.3456 + (count % 7) : count * OF[measure]);
    const groups = breakdown ? VALUES : [null];
    return groups.map((group, place) => {
      const share = group ? 0.5 ** (place + 1) : 1;
      const points = report.points.map((point) => {
        const count = Math.round(point.count * share);
        return { ...point, count, value: value(count) };
      });
      const total = points.reduce((sum, point) => sum + point.count, 0);
      const before = points.map((point) => ({ start: point.start, count: Math.round(point.count * 0.87), value: value(Math.round(point.count * 0.87)) }));
      return {
        event, letter: LETTERS[index], measure, total, value: value(total), points,
        ...(group ? { group: { kind: group === "Other" ? "other" : "value", values: [group] } } : {}),
        ...(compare ? { previous: { total: Math.round(total * 0.87), value: value(Math.round(total * 0.87)), points: before } } : {}),
      };
    });
  });
  const formulas = formula
    ? (breakdown ? VALUES : [null]).map((group, place) => ({
        ...(group ? { group: { kind: group === "Other" ? "other" : "value", values: [group] } } : {}),
        value: 0.071_23 * (place + 1),
        points: answers[0].points.map((point) => (point.count === 0 ? null : 0.07 * (place + 1) * (0.9 + 0.2 * world.chance(point.start)))),
        previous: answers[0].points.map(() => 0.065 * (place + 1)),
      }))
    : [];
  const range = { from: `${from}T00:00:00Z`, to: `${to}T00:00:00Z`, until: `${to}T00:00:00Z` };
  return { interval, series: answers, formula: formulas, ...(compare ? { previous: range } : {}) };
}

/** By the kind of the question. */
export const ANSWERS = { active_users: activeUsers, lifecycle, stickiness, trends };
