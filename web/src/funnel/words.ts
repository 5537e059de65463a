/** What the fields and the answers of a funnel are called, in words. */
import type { components } from "../api.gen";
import * as format from "../format";
import { filterWords, propertyWords } from "../filter-query";
import {
  emptyFunnel,
  lengthMs,
  stepName,
  type Count,
  type Entity,
  type FunnelQuery,
  type OnExclusion,
  type Order,
  type Preset,
  type RangeRule,
  type Reentry,
} from "./query";

type Schemas = components["schemas"];
export type Counted = Schemas["Counted"];
export type Reason = Schemas["Reason"];
export type WhyNot = Schemas["WhyNot"];

export const ORDERS: Record<Order, string> = {
  sequential: "In this order, anything in between",
  strict: "In this order, nothing in between",
  any: "In any order",
};
export const ENTITIES: Record<Entity, string> = {
  person: "A person",
  session: "A session",
  group: "A group of persons",
};
export const COUNTS: Record<Count, string> = { unique: "Each once", total: "Every attempt" };
export const REENTRIES: Record<Reentry, string> = {
  any: "Every first step may start it",
  first: "Only the first one starts it",
};
export const RANGE_RULES: Record<RangeRule, string> = {
  entry: "Only the first step",
  all: "All steps",
};
export const ON_EXCLUSION: Record<OnExclusion, string> = {
  stop: "Ends the attempt, what it reached counts",
  drop: "Takes the person out of every step",
};
export const PRESET_NAMES: Record<Preset, string> = { mixpanel: "Mixpanel", amplitude: "Amplitude", posthog: "PostHog" };

const NOUNS: Record<Counted, [one: string, many: string]> = {
  persons: ["person", "persons"],
  sessions: ["session", "sessions"],
  groups: ["group", "groups"],
  pairs: ["pair", "pairs"],
  attempts: ["attempt", "attempts"],
};

/** `1 person`, `2,310 sessions`. */
export function counted(value: number, what: Counted): string {
  return format.plural(value, ...NOUNS[what]);
}

/** `Persons`, as a heading. */
export function countedTitle(what: Counted): string {
  const [, many] = NOUNS[what];
  return many[0]!.toUpperCase() + many.slice(1);
}

/** What is counted where it is not what one expects; null for persons. */
export function countedNote(what: Counted, funnel: FunnelQuery): string | null {
  if (what === "pairs") return `Counted are pairs: a ${funnel.entity} with different values of ${heldWords(funnel)} counts once for each.`;
  if (what === "attempts") return "Counted are attempts: who tried twice counts twice.";
  return null;
}

const heldWords = (funnel: FunnelQuery) => funnel.hold.map(propertyWords).join(", ");

/** `7 d`, or the session. */
export const windowWords = (funnel: FunnelQuery): string =>
  funnel.window ? format.duration(lengthMs(funnel.window)) : "one session";

/** What is not as usual about the way of counting, a few words each. */
export function habits(funnel: FunnelQuery): string[] {
  const usual = emptyFunnel();
  const words: (string | false)[] = [
    funnel.preset !== null && `as ${PRESET_NAMES[funnel.preset]} counts`,
    funnel.order !== usual.order && (funnel.order === "any" ? "any order" : "strict order"),
    funnel.maxGap !== null && `at most ${format.duration(lengthMs(funnel.maxGap))} between steps`,
    funnel.count !== usual.count && "every attempt",
    funnel.reentry !== usual.reentry && "only the first start",
    funnel.entity !== usual.entity && `by ${funnel.entity === "group" ? funnel.group.name || "group" : funnel.entity}`,
    funnel.hold.length > 0 && `same ${heldWords(funnel)}`,
    funnel.rangeRule !== usual.rangeRule && "all steps in the dates",
    funnel.tieMs !== usual.tieMs && `ties of ${format.duration(funnel.tieMs)}`,
    funnel.order === "strict" && funnel.ignore !== null && `${format.plural(funnel.ignore.length, "event")} not seen`,
  ];
  return words.filter((word) => word !== false);
}

/** `not refund (1 → 3)` */
export function exclusionWords(funnel: FunnelQuery, index: number): string {
  const exclusion = funnel.exclusions[index];
  if (!exclusion) return "an excluded event";
  const names = exclusion.events.filter(Boolean).join(" or ") || "…";
  const filter = filterWords(exclusion.filter);
  return filter ? `${names} (${filter})` : names;
}

/** The reasons for a list, from the view of those who did not convert. */
export const REASONS: Record<Reason, { title: string; meaning: string }> = {
  step_missing: { title: "Never did the next step", meaning: "Not within the time that the question looks at." },
  window_over: { title: "Too late", meaning: "They did the next step after the conversion window." },
  gap_over: { title: "Too long a pause", meaning: "They did the next step, too long after the one before." },
  excluded: { title: "Excluded", meaning: "An event that must not happen came first." },
  killed: { title: "Something in between", meaning: "Another event came directly after the step; the order is strict." },
  outside_range: { title: "Outside the dates", meaning: "They did the next step, before or after the chosen dates." },
  same_event: { title: "The same event again", meaning: "Only an event that already counts for another step could be it." },
  held_differs: { title: "Another value", meaning: "They did the next step with another value of what is held constant, or without one." },
};

/** Why one entity went no further: "Did “purchase” 2 h 13 min after the window was over." */
export function whyWords(why: WhyNot, funnel: FunnelQuery): string {
  const step = funnel.steps[why.step - 1];
  const next = step ? `“${stepName(step)}”` : `step ${why.step}`;
  const over = why.over_by_ms == null ? "" : format.duration(why.over_by_ms);
  switch (why.reason) {
    case "step_missing":
      return `Did not go on to ${next}.`;
    case "window_over":
      return `Window over: did ${next} ${over || "some time"} too late.`;
    case "gap_over":
      return `Pause too long: did ${next} ${over || "some time"} too late.`;
    case "excluded":
      return `Excluded by “${why.event ?? exclusionWords(funnel, (why.exclusion ?? 1) - 1)}” on the way to ${next}.`;
    case "killed":
      return `${why.event ? `“${why.event}”` : "Something else"} came before ${next}; the order is strict.`;
    case "outside_range":
      return `Did ${next} outside the dates.`;
    case "same_event":
      return `Only an event that already counts for an earlier step could be ${next}.`;
    case "held_differs":
      return `Did ${next} with another ${heldWords(funnel) || "held value"}, or without one.`;
  }
}

const FIELDS: Record<string, string> = {
  steps: "Steps",
  window: "Within",
  order: "Order",
  max_gap: "Longest pause",
  range_applies_to: "Dates hold for",
  entity: "Who goes through",
  group: "Group",
  count: "Counted",
  reentry: "Starting again",
  hold: "Held constant",
  exclusions: "Exclusions",
  on_exclusion: "What an exclusion does",
  tie_ms: "Ties",
  ignore_events: "Not seen",
  filter: "Filter",
  breakdown: "Breakdown",
  breakdown_limit: "Values shown",
  attribution: "Value taken from",
  time_from: "Times from",
  time_to: "Times to",
  windows: "Windows",
  why_not: "Why not",
  actors: "People",
  from: "Dates",
  to: "Dates",
};

/** Where a JSON pointer points, in words: `/steps/1/filter/value` is "Step 2, filter". */
export function placeOf(pointer: string): string {
  const [field = "", index, ...rest] = pointer.replace(/^[/?]/, "").split("/");
  const filter = rest.includes("filter") ? ", filter" : "";
  if (field === "steps" && index !== undefined) return `Step ${Number(index) + 1}${filter}`;
  if (field === "exclusions" && index !== undefined) return `Exclusion ${Number(index) + 1}${filter}`;
  return FIELDS[field] ?? pointer;
}

/** A difference of two rates: `+3.1 points`, of a hundred. */
export function points(difference: number): string {
  const size = Math.abs(difference * 100).toFixed(1);
  return size === "0.0" ? "±0 points" : `${difference > 0 ? "+" : "−"}${size} points`;
}

/** Values of a breakdown that are no values, and what they mean. */
export const SPARSE: Record<string, string> = {
  Other: "the rest, together",
  "(none)": "no value",
  "(skipped)": "without the optional step",
  "(did not reach)": "left before that step",
  "(mixed)": "several values on the way",
};
