/** From the editor's question to the API's, and back. What is as usual is not written. */
import type { components } from "../api.gen";
import {
  everything,
  filterFromApi,
  filterToApi,
  propertyFromApi,
  propertyToApi,
  type ApiFilter,
  type Filter,
  type Property,
} from "../filter-query";
import { emptyStep, lengthText, type Exclusion, type FunnelQuery, type Step } from "./query";

type Schemas = components["schemas"];
export type StepQuery = Schemas["StepQuery"];
export type ExclusionQuery = Schemas["ExclusionQuery"];
/** A question as the API takes it, without dates and view. */
export type FunnelQuestion = Omit<Schemas["FunnelQuery"], "from" | "to">;

// The generated type of `value` allows nothing: a filter is one of ours.
const given = (filter: ApiFilter | null) => filter as Schemas["FilterQuery"] | null;
const filtered = (filter: Filter) => {
  const query = given(filterToApi(filter));
  return query ? { filter: query } : {};
};

/** A step in its shortest form. */
export function stepToApi(step: Step): StepQuery {
  const rest = { ...(step.name ? { name: step.name } : {}), ...(step.optional ? { optional: true } : {}) };
  const [first, ...others] = step.any;
  if (first && others.length === 0) return { event: first.event, ...filtered(first.filter), ...rest };
  if (step.any.every((match) => match.filter.rules.length === 0)) return { events: step.any.map((match) => match.event), ...rest };
  return { any_of: step.any.map((match) => ({ event: match.event, ...filtered(match.filter) })), ...rest };
}

/** Reads a step of the API, in whatever form; null when it is none. */
export function stepFromApi(query: StepQuery): Step | null {
  const shared = filterOf(query.filter);
  const names = query.event !== undefined && query.event !== null ? [query.event] : (query.events ?? []);
  const any = Array.isArray(query.any_of)
    ? query.any_of.map((one) => ({ event: one.event, filter: filterOf(one.filter) }))
    : names.map((event) => ({ event, filter: shared && structuredClone(shared) }));
  if (any.length === 0 || !any.every(isMatch)) return null;
  return { ...emptyStep(), any, name: typeof query.name === "string" ? query.name : "", optional: query.optional === true };
}

export function exclusionToApi({ events, filter, after, before }: Exclusion): ExclusionQuery {
  return {
    ...(events.length === 1 ? { event: events[0]! } : { events }),
    ...filtered(filter),
    ...(after === 1 ? {} : { after }),
    ...(before === null ? {} : { before }),
  };
}

export function exclusionFromApi(query: ExclusionQuery): Exclusion | null {
  const events = typeof query.event === "string" ? [query.event] : (query.events ?? []);
  const filter = filterOf(query.filter);
  if (!filter || events.length === 0 || !events.every((event) => typeof event === "string")) return null;
  return { events, filter, after: number(query.after) ?? 1, before: number(query.before) };
}

/** The question of the page, complete but for dates and view. */
export function toQuestion(funnel: FunnelQuery): FunnelQuestion {
  const filter = given(filterToApi(funnel.filter));
  const held = funnel.hold.map(propertyToApi);
  // What a preset would fill in is said in full: what the editor shows is what is asked.
  return {
    steps: funnel.steps.map(stepToApi),
    window: funnel.window ? lengthText(funnel.window) : "session",
    order: funnel.order,
    range_applies_to: funnel.rangeRule,
    entity: funnel.entity,
    count: funnel.count,
    reentry: funnel.reentry,
    // Without exclusions both are the same, and some views take one only.
    on_exclusion: funnel.exclusions.length > 0 ? funnel.onExclusion : "stop",
    tie_ms: funnel.tieMs,
    ...(funnel.entity === "group" ? { group: propertyToApi(funnel.group) } : {}),
    ...(funnel.maxGap ? { max_gap: lengthText(funnel.maxGap) } : {}),
    ...(held.length > 0 ? { hold: held } : {}),
    ...(funnel.exclusions.length > 0 ? { exclusions: funnel.exclusions.map(exclusionToApi) } : {}),
    ...(funnel.order === "strict" && funnel.ignore ? { ignore_events: funnel.ignore } : {}),
    ...(filter ? { filter } : {}),
    ...(funnel.preset ? { preset: funnel.preset } : {}),
  };
}

/** The same with its breakdown. */
export function withBreakdown(question: FunnelQuestion, funnel: FunnelQuery): FunnelQuestion {
  if (!funnel.breakdown) return question;
  const { breakdown, limit, attribution } = funnel;
  return { ...question, breakdown: [propertyToApi(breakdown)], breakdown_limit: limit, attribution };
}

/** `plan`, or `{"person":"plan"}`: how a property stands in an address. */
export function propertyText(property: Property): string {
  const plain = property.of === "event" && !property.name.startsWith("{");
  return plain ? property.name : JSON.stringify(propertyToApi(property));
}

export function parseProperty(text: string | null): Property | null {
  if (!text) return null;
  return text.startsWith("{") ? propertyFromApi(parsed(text)) : { of: "event", name: text };
}

/** What a JSON text says; null when it is none. */
export function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
}

function filterOf(query: unknown): Filter | null {
  return query === undefined || query === null ? everything() : filterFromApi(query);
}

function isMatch(match: { event: unknown; filter: Filter | null }): match is Step["any"][number] {
  return typeof match.event === "string" && match.filter !== null;
}

const number = (value: unknown) => (typeof value === "number" && Number.isInteger(value) ? value : null);
