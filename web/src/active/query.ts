/** The question of the page about active users: whose activity counts, and how its parts are shown. */
import type { components } from "../api.gen";
import { days, type DateRange } from "../range";
import { groupFromUrl, isNamed, parsed, type Property } from "../trend-query";

type Schemas = components["schemas"];
export type WeekStart = Schemas["WeekStart"];
export type LifecycleInterval = Schemas["LifecycleInterval"];

/** Which events make a person active. */
export interface Activity {
  /** Empty: any event that counts as activity. */
  event: string;
  filter?: Schemas["FilterQuery"];
  /** Whose values are counted instead of persons. */
  group?: Property;
}

export interface ActiveQuestion extends Activity {
  exact: boolean;
  week_start: WeekStart;
}

export const WINDOWS = { rolling: "Rolling", weeks: "Weeks", months: "Months", ratio: "Ratio" } as const;
export type Window = keyof typeof WINDOWS;
export const INTERVALS: Record<LifecycleInterval, string> = { day: "Days", week: "Weeks", month: "Months" };
export const BARS = { exactly: "Exactly", at_least: "At least" } as const;
export type Bars = keyof typeof BARS;

const WEEK_STARTS: readonly string[] = ["monday", "sunday", "saturday"] satisfies WeekStart[];

export function activeFromUrl(query: URLSearchParams): ActiveQuestion {
  const filter = parsed(query.get("filter"));
  const group = groupFromUrl(query);
  const week = query.get("week_start") ?? "";
  return {
    event: query.get("event") ?? "",
    exact: query.get("exact") === "true",
    week_start: WEEK_STARTS.includes(week) ? (week as WeekStart) : "monday",
    ...(typeof filter === "object" && filter !== null ? { filter: filter as Schemas["FilterQuery"] } : {}),
    ...(group ? { group } : {}),
  };
}

export function activeToUrl(question: ActiveQuestion): [name: string, value: string][] {
  const parameters: [string, string][] = [];
  if (question.event.trim()) parameters.push(["event", question.event.trim()]);
  if (question.filter) parameters.push(["filter", JSON.stringify(question.filter)]);
  if (question.group) parameters.push(["group", JSON.stringify(question.group)]);
  if (question.exact) parameters.push(["exact", "true"]);
  if (question.week_start !== "monday") parameters.push(["week_start", question.week_start]);
  return parameters;
}

/** The part of the API's questions that says whose activity counts. */
export function activityOf({ event, filter, group }: Activity): Partial<Activity> {
  return { ...(event.trim() ? { event: event.trim() } : {}), ...(filter ? { filter } : {}), ...(group ? { group } : {}) };
}

/** What keeps the question from being asked, in words; null when it can be. */
export const problemOf = ({ group }: Activity): string | null => (group && !isNamed(group) ? "Of which property are the values counted?" : null);

/** What is counted, in words. */
export const whom = ({ group }: Activity): string => (group ? "groups" : "persons");

/** Intervals of a lifecycle that a person can take in. */
export function lifecycleFor(range: DateRange): LifecycleInterval {
  const length = days(range);
  if (length <= 45) return "day";
  return length <= 200 ? "week" : "month";
}

/** A choice of the address, or the usual. */
export function choiceOf<All extends Record<string, string>>(query: URLSearchParams, name: string, all: All, usual: keyof All & string): keyof All & string {
  const chosen = query.get(name);
  return chosen !== null && Object.hasOwn(all, chosen) ? chosen : usual;
}
