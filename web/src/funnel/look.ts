/** What the funnel page shows of an answer, and its form in the address. */
import type { components } from "../api.gen";
import type { DateRange } from "../range";
import { days } from "../range";
import { parseLength, lengthText, type FunnelQuery } from "./query";
import { toQuestion, withBreakdown, type FunnelQuestion } from "./question";
import { REASONS, type Reason } from "./words";

type Schemas = components["schemas"];
export type Interval = Schemas["Interval"];
export type WeekStart = Schemas["WeekStart"];

export const VIEWS = {
  steps: "Steps",
  trend: "Trend",
  time: "Time to convert",
  sweep: "Window",
  breakdown: "Breakdown",
  why: "Why not",
} as const;
export type View = keyof typeof VIEWS;

export const INTERVALS: Partial<Record<Interval, string>> = { hour: "Hours", day: "Days", week: "Weeks", month: "Months" };

export const WEEK_STARTS: Record<WeekStart, string> = { monday: "from Monday", sunday: "from Sunday", saturday: "from Saturday" };

/**
 * Which people are listed: of those who came to a step (from 1) all of them, those who left there, or those who did not
 * come to the last; of these only those who left for one reason.
 */
export interface People {
  step: number;
  outcome: Schemas["ActorOutcome"];
  reason?: Schemas["Reason"];
}

export interface Look {
  view: View;
  /** Width of a point of the trend; null: what suits the dates. */
  interval: Interval | null;
  weekStart: WeekStart;
  /** Between which steps times are taken; null: from the first, to the last. */
  timeFrom: number | null;
  timeTo: number | null;
  /** Windows of the sweep; none: the usual ones. */
  windows: string[];
  people: People | null;
}

export const MAX_WINDOWS = 50;

/** What is compared when nobody chose: close enough for a curve. The funnel's own window comes in between. */
const WINDOWS = "10s 30s 1m 2m 5m 10m 15m 30m 1h 2h 3h 6h 12h 1d 2d 3d 5d 7d 10d 14d 21d 30d".split(" ");

export function lookFromUrl(query: URLSearchParams): Look {
  const view = query.get("view");
  const interval = query.get("interval");
  const weekStart = query.get("week_start");
  const people = /^(\d{1,2})-(converted|dropped|not_converted)(?:-([a-z_]+))?$/.exec(query.get("people") ?? "");
  const step = (name: string) => (/^\d{1,2}$/.test(query.get(name) ?? "") ? Number(query.get(name)) : null);
  return {
    view: view !== null && Object.hasOwn(VIEWS, view) ? (view as View) : "steps",
    interval: interval !== null && Object.hasOwn(INTERVALS, interval) ? (interval as Interval) : null,
    weekStart: weekStart !== null && Object.hasOwn(WEEK_STARTS, weekStart) ? (weekStart as WeekStart) : "monday",
    timeFrom: step("time_from"),
    timeTo: step("time_to"),
    windows: parseWindows(query.get("windows") ?? ""),
    people: people
      ? {
          step: Number(people[1]),
          outcome: people[2] as People["outcome"],
          ...(people[3] && Object.hasOwn(REASONS, people[3]) ? { reason: people[3] as Reason } : {}),
        }
      : null,
  };
}

/** Parameters of what is not as at first. */
export function lookToUrl(look: Look): [name: string, value: string][] {
  const parameters: [string, string | null][] = [
    ["view", look.view === "steps" ? null : look.view],
    ["interval", look.interval],
    ["week_start", look.weekStart === "monday" ? null : look.weekStart],
    ["time_from", look.timeFrom === null ? null : String(look.timeFrom)],
    ["time_to", look.timeTo === null ? null : String(look.timeTo)],
    ["windows", look.windows.join(",") || null],
    ["people", look.people && [look.people.step, look.people.outcome, look.people.reason].filter(Boolean).join("-")],
  ];
  return parameters.filter((one): one is [string, string] => one[1] !== null);
}

/** Reads `5m, 1h, 7d`; what is no length of time is left out. */
export function parseWindows(text: string): string[] {
  const lengths = text.split(/[\s,;]+/).map(parseLength).filter((length) => length !== null);
  return [...new Set(lengths.map(lengthText))].slice(0, MAX_WINDOWS);
}

/** Points of the trend when nobody chose: hours for few days, weeks beyond a quarter. */
export function intervalOf(look: Look, range: DateRange): Interval {
  if (look.interval) return look.interval;
  const length = days(range);
  if (length <= 2) return "hour";
  return length <= 100 ? "day" : "week";
}

/** Why a view cannot be had of a question; null when it can. The API refuses the same. */
export function refusalOf(view: View, funnel: FunnelQuery): string | null {
  if (view === "why") {
    if (funnel.order === "any") return "In any order no single step is the one that is missing.";
    if (funnel.count === "total") return "Reasons are of persons, not of attempts: count each once.";
  }
  if (view === "sweep") {
    if (funnel.count === "total") return "Windows are compared by persons, not by attempts: count each once.";
    if (funnel.order !== "sequential") return "Windows are compared in sequential order only.";
    if (!funnel.window || funnel.entity === "session") return "Windows are lengths of time: this funnel is counted within sessions.";
    if (funnel.exclusions.length > 0 && funnel.onExclusion === "drop") return "Here exclusions have to end the attempt, not to take the person out.";
  }
  return null;
}

/** The windows of the sweep; the funnel's own is always one of them, so that the curve passes through its number. */
export function windowsOf(funnel: FunnelQuery, look: Look): string[] {
  const chosen = look.windows.length > 0 ? look.windows : WINDOWS;
  const own = funnel.window && lengthText(funnel.window);
  return own && !chosen.includes(own) ? [...chosen.slice(0, MAX_WINDOWS - 1), own] : chosen;
}

/** What is asked for a view. */
export function questionOf(funnel: FunnelQuery, look: Look, range: DateRange): FunnelQuestion {
  const question = toQuestion(funnel);
  switch (look.view) {
    case "steps":
      return question;
    case "trend":
      return { ...question, view: "trend", interval: intervalOf(look, range), week_start: look.weekStart };
    case "time":
      return {
        ...question,
        view: "time",
        ...(look.timeFrom === null ? {} : { time_from: look.timeFrom }),
        ...(look.timeTo === null ? {} : { time_to: look.timeTo }),
      };
    case "sweep":
      return { ...question, view: "sweep", windows: windowsOf(funnel, look) };
    case "breakdown":
      return withBreakdown(question, funnel);
    case "why":
      return { ...question, why_not: true };
  }
}

/** What is asked for a page of people; why they left, where the API can tell. */
export function peopleQuestion(funnel: FunnelQuery, people: People, cursor: string | null, limit: number): FunnelQuestion {
  const why = people.outcome !== "converted" && refusalOf("why", funnel) === null;
  return {
    ...toQuestion(funnel),
    actors: { step: people.step, outcome: people.outcome, ...(why && people.reason ? { reason: people.reason } : {}), limit, ...(cursor ? { cursor } : {}) },
    ...(why ? { why_not: true } : {}),
  };
}

/** How many were kept by each reason from what is listed, the most frequent first: of a step the next mandatory one. */
export function reasonsOf(people: People, steps: { optional: boolean }[], reasons: Schemas["ReasonCount"][]): [Reason, number][] {
  const next = steps.findIndex((step, index) => index >= people.step && !step.optional) + 1;
  const isAsked = (step: number) => (people.outcome === "dropped" ? step === next : step >= next);
  return reasons
    .map((one): [Reason, number] => [one.reason, one.steps.filter((at) => isAsked(at.step)).reduce((sum, at) => sum + at.count, 0)])
    .filter(([, count]) => count > 0)
    .toSorted(([, a], [, b]) => b - a);
}
