/** A filter as an editor holds it: rules that all hold, or of which one does. What it cannot show, it keeps. */
import type { components } from "./api.gen";
import { cohortName } from "./cohorts/names";

type Schemas = components["schemas"];
export type Op = Schemas["Op"];
/** A filter as the API takes it. Its `value` is a text, a number, a boolean or a list, which the schema cannot say. */
export type ApiFilter = Omit<Schemas["FilterQuery"], "and" | "or" | "value"> & {
  and?: ApiFilter[] | null;
  or?: ApiFilter[] | null;
  value?: unknown;
};

/** A property to break down by, to hold constant or to group by. Of a cohort the name is its id. */
export interface Property {
  of: "event" | "person" | "cohort";
  name: string;
}

/** One test. `nested`: a group inside the group, which only an address can hold; it is kept as it came. */
export interface Rule {
  of: Property["of"] | "name" | "nested";
  name: string;
  op: Op;
  /** One text; two of `between`; several of `in` and `not_in`; none of `is_set` and `is_not_set`. */
  values: string[];
  nested: ApiFilter | null;
}

export interface Filter {
  join: "and" | "or";
  rules: Rule[];
}

/** The tests in the words of a sentence: "plan is pro". */
export const OPS: Record<Op, string> = {
  is: "is",
  is_not: "is not",
  contains: "contains",
  not_contains: "does not contain",
  starts_with: "starts with",
  ends_with: "ends with",
  matches: "matches (RE2)",
  gt: "greater than",
  gte: "at least",
  lt: "less than",
  lte: "at most",
  between: "between",
  in: "is one of",
  not_in: "is none of",
  is_set: "is set",
  is_not_set: "is not set",
  before: "before",
  after: "after",
};

export const MAX_RULES = 20;

/** What capture found out about every event. */
export const CAPTURED = [
  "$path",
  "$host",
  "$referrer_host",
  "$utm_source",
  "$utm_medium",
  "$utm_campaign",
  "$country",
  "$region",
  "$city",
  "$browser",
  "$os",
  "$device",
  "$lib",
  "$amount",
  "$currency",
];

/** A filter that everything passes. */
export const everything = (): Filter => ({ join: "and", rules: [] });

export const emptyRule = (): Rule => ({ of: "event", name: "", op: "is", values: [""], nested: null });

/** How many values a test compares with: none, one, two, or as many as one likes. */
export function arity(op: Op): 0 | 1 | 2 | "many" {
  if (op === "is_set" || op === "is_not_set") return 0;
  if (op === "in" || op === "not_in") return "many";
  return op === "between" ? 2 : 1;
}

/** The values that fit another test, as far as they can be kept. */
export function valuesFor(op: Op, values: string[]): string[] {
  const wanted = arity(op);
  if (wanted === "many") return values.filter(Boolean);
  return Array.from({ length: wanted }, (_, index) => values[index] ?? "");
}

/** The filter as the API takes it; null when everything passes. One rule stands alone. */
export function filterToApi(filter: Filter): ApiFilter | null {
  const rules = filter.rules.map(ruleToApi);
  if (rules.length === 0) return null;
  return rules.length === 1 ? rules[0]! : { [filter.join]: rules };
}

/** Reads a filter of the API; null when it is none. */
export function filterFromApi(given: unknown): Filter | null {
  if (!isRecord(given)) return null;
  const group = (["and", "or"] as const).find((join) => Array.isArray(given[join]));
  if (!group) {
    const rule = ruleFromApi(given);
    return rule && { join: "and", rules: [rule] };
  }
  const rules = (given[group] as unknown[]).map(ruleFromApi);
  return rules.every((rule) => rule !== null) ? { join: group, rules } : null;
}

/** Where the API points when something is wrong with a rule, below the pointer of its filter. */
export function rulePointer(filter: Filter, index: number): string {
  return filter.rules.length === 1 ? "" : `/${filter.join}/${index}`;
}

/** Rules that can be asked: a rule that nobody began to write is none. */
export function written(filter: Filter): Filter {
  const begun = (rule: Rule) => rule.of === "nested" || rule.of === "name" || rule.name.trim() !== "" || rule.values.some(Boolean);
  return {
    join: filter.join,
    rules: filter.rules.filter(begun).map((rule) => ({ ...rule, name: rule.name.trim() })),
  };
}

/** `plan is pro`, in words; a group is only counted. */
export function ruleWords(rule: Rule): string {
  if (rule.of === "nested") return "a group of tests";
  if (rule.of === "cohort") return `is ${rule.op === "not_in" ? "not in" : "in"} ${cohortName(rule.name) ?? "a cohort"}`;
  const subject = rule.of === "name" ? "event name" : rule.of === "person" ? `person's ${rule.name}` : rule.name;
  const values = rule.values.filter(Boolean).join(rule.op === "between" ? " and " : ", ");
  return [subject, OPS[rule.op], values].filter(Boolean).join(" ");
}

/** The whole filter in words; empty when everything passes. */
export function filterWords(filter: Filter): string {
  return filter.rules.map(ruleWords).join(` ${filter.join} `);
}

export function propertyToApi({ of, name }: Property): Schemas["PropertyQuery"] {
  if (of === "cohort") return { cohort: name };
  return of === "event" ? { property: name.trim() } : { person: name.trim() };
}

export function propertyFromApi(given: unknown): Property | null {
  if (!isRecord(given)) return null;
  if (typeof given.cohort === "string") return { of: "cohort", name: given.cohort };
  if (typeof given.property === "string") return { of: "event", name: given.property };
  return typeof given.person === "string" ? { of: "person", name: given.person } : null;
}

/** `plan`, `person's plan`; a cohort's name. */
export function propertyWords({ of, name }: Property): string {
  if (of === "cohort") return cohortName(name) ?? "cohort";
  return of === "event" ? name : `person's ${name}`;
}

/** A value of a breakdown as people read it: the API says of a cohort's members `in` and `not in`. */
export function valueWords(property: Property | null | undefined, value: string): string {
  if (property?.of !== "cohort" || (value !== "in" && value !== "not in")) return value;
  return `${value} ${cohortName(property.name) ?? "the cohort"}`;
}

function ruleToApi(rule: Rule): ApiFilter {
  if (rule.of === "nested") return rule.nested ?? { and: [] };
  if (rule.of === "cohort") return { cohort: rule.name, op: rule.op === "not_in" ? "not_in" : "in" };
  const subject = { event: { property: rule.name }, person: { person: rule.name }, name: { event_name: true } }[rule.of];
  const wanted = arity(rule.op);
  if (wanted === 0) return { ...subject, op: rule.op };
  return { ...subject, op: rule.op, value: wanted === 1 ? (rule.values[0] ?? "") : rule.values };
}

function ruleFromApi(given: unknown): Rule | null {
  if (!isRecord(given)) return null;
  if (Array.isArray(given.and) || Array.isArray(given.or)) {
    return { ...emptyRule(), of: "nested", nested: given as ApiFilter };
  }
  const op = given.op ?? (given.cohort == null ? "is" : "in");
  if (typeof op !== "string" || !Object.hasOwn(OPS, op)) return null;
  const values = (Array.isArray(given.value) ? given.value : [given.value]).filter((value) => value != null).map(String);
  const rule = { op: op as Op, values: valuesFor(op as Op, values), nested: null };
  if (given.event_name === true) return { of: "name", name: "", ...rule };
  const property = propertyFromApi(given);
  return property && { ...property, ...rule };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
