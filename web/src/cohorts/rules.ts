/** A cohort's rules as an editor holds them, in the API's words and back, and as sentences. */
import type { Rules } from "../api-cohorts";
import { emptyRule, filterFromApi, filterToApi, filterWords, ruleWords as testWords, type ApiFilter, type Rule as Test } from "../filter-query";
import type { Selection } from "../retention-query";

export const TIMES = { at_least: "at least", at_most: "at most", exactly: "exactly" } as const;
export const WHENS = { ever: "ever", last_days: "in the last", between: "between dates" } as const;
export const MAX_STEPS = 5;
export const MAX_CHILDREN = 20;
/** How deep groups may lie within each other, as the editor shows them. */
export const MAX_DEPTH = 3;

export type Kind = "did" | "first" | "sequence" | "person";

/** One rule. Every kind keeps what the others know, so that changing one's mind loses nothing. */
export interface Leaf {
  kind: Kind;
  not: boolean;
  /** The events; of a sequence one for each step. */
  steps: Selection[];
  times: keyof typeof TIMES;
  count: number;
  when: keyof typeof WHENS;
  days: number;
  from: string;
  to: string;
  /** `7d` */
  within: string;
  test: Test;
}

export interface Group {
  kind: "group";
  join: "and" | "or";
  not: boolean;
  rules: Node[];
}

export type Node = Leaf | Group;

/** What a rule can say, in the words of its choice. */
export const CHOICES: Record<string, { kind: Kind; not: boolean; words: string }> = {
  did: { kind: "did", not: false, words: "Did" },
  "not did": { kind: "did", not: true, words: "Did not do" },
  first: { kind: "first", not: false, words: "Did for the first time" },
  "not first": { kind: "first", not: true, words: "Did not do for the first time" },
  sequence: { kind: "sequence", not: false, words: "Did in order" },
  "not sequence": { kind: "sequence", not: true, words: "Did not do in order" },
  person: { kind: "person", not: false, words: "Has the property" },
};

export const choiceOf = (leaf: Leaf): string => `${leaf.not && leaf.kind !== "person" ? "not " : ""}${leaf.kind}`;

const nothing = (): Selection => ({ events: [] });

export const emptyLeaf = (): Leaf => ({
  kind: "did",
  not: false,
  steps: [nothing()],
  times: "at_least",
  count: 1,
  when: "last_days",
  days: 30,
  from: "",
  to: "",
  within: "7d",
  test: { ...emptyRule(), of: "person" },
});

export const emptyGroup = (rules: Node[] = [emptyLeaf()]): Group => ({ kind: "group", join: "and", not: false, rules });

/** The rules as the API takes them. */
export function toApi(node: Node): Rules {
  const plain = node.kind === "group" ? groupToApi(node) : leafToApi(node);
  return node.not ? { not: plain } : plain;
}

function groupToApi(group: Group): Rules {
  const rules = group.rules.map(toApi);
  return rules.length === 1 ? rules[0]! : { [group.join]: rules };
}

function leafToApi(leaf: Leaf): Rules {
  if (leaf.kind === "person") {
    const { join, rules } = { join: "and" as const, rules: [{ ...leaf.test, of: "person" as const, name: leaf.test.name.trim() }] };
    return (filterToApi({ join, rules }) ?? {}) as Rules;
  }
  const when: Rules = {};
  if (leaf.when === "last_days") when.last_days = leaf.days;
  if (leaf.when === "between" && leaf.from) when.from = leaf.from;
  if (leaf.when === "between" && leaf.to) when.to = leaf.to;
  if (leaf.kind === "sequence") return { sequence: leaf.steps.map(selectionToApi), within: leaf.within, ...when };
  const events = selectionToApi(leaf.steps[0] ?? nothing());
  if (leaf.kind === "first") return { first: events, ...when };
  const usual = leaf.times === "at_least" && leaf.count === 1;
  return { did: events, ...(usual ? {} : { [leaf.times]: leaf.count }), ...when };
}

function selectionToApi({ events, filter }: Selection): NonNullable<Rules["did"]> {
  const named = events.filter((name) => name.trim() !== "");
  const which = named.length === 0 ? {} : named.length === 1 ? { event: named[0]! } : { events: named };
  return filter ? { ...which, filter } : which;
}

function selectionFromApi(given: NonNullable<Rules["did"]>): Selection {
  const events = given.event ? [given.event] : (given.events ?? []);
  return given.filter ? { events: [...events], filter: given.filter } : { events: [...events] };
}

/** Reads rules of the API into an editor, whose root is always a group. */
export function fromApi(given: Rules): Group {
  const node = nodeFromApi(given);
  return node.kind === "group" && !node.not ? node : emptyGroup([node]);
}

function nodeFromApi(given: Rules): Node {
  if (given.not) {
    const node = nodeFromApi(given.not);
    // Twice not, and what has no word for it, stays a group.
    const wrapped = node.not || node.kind === "person" ? emptyGroup([node]) : node;
    return { ...wrapped, not: true };
  }
  for (const join of ["and", "or"] as const) {
    const rules = given[join];
    if (rules) return { kind: "group", join, not: false, rules: rules.map(nodeFromApi) };
  }
  const leaf = emptyLeaf();
  leaf.when = given.last_days != null ? "last_days" : given.from != null || given.to != null ? "between" : "ever";
  leaf.days = given.last_days ?? leaf.days;
  leaf.from = given.from ?? "";
  leaf.to = given.to ?? "";
  if (given.person != null) {
    const test = filterFromApi({ person: given.person, op: given.op, value: given.value } as ApiFilter)?.rules[0];
    return { ...leaf, kind: "person", test: test ?? leaf.test };
  }
  if (given.sequence) return { ...leaf, kind: "sequence", steps: given.sequence.map(selectionFromApi), within: given.within ?? leaf.within };
  if (given.first) return { ...leaf, kind: "first", steps: [selectionFromApi(given.first)] };
  const times = (Object.keys(TIMES) as (keyof typeof TIMES)[]).find((one) => given[one] != null);
  return { ...leaf, steps: [selectionFromApi(given.did ?? {})], times: times ?? "at_least", count: (times && given[times]) ?? 1 };
}

/** Where the API points when it speaks of a part of the rules, each with its part. */
export function places(root: Node): Map<string, Node> {
  const found = new Map<string, Node>();
  const walk = (node: Node, pointer: string) => {
    const inside = node.not ? `${pointer}/not` : pointer;
    found.set(inside, node);
    if (node.kind !== "group") return;
    if (node.rules.length === 1) walk(node.rules[0]!, inside);
    else node.rules.forEach((rule, index) => walk(rule, `${inside}/${node.join}/${index}`));
  };
  walk(root, "");
  return found;
}

/** What keeps the rules from being asked; null: nothing. */
export function complaint(node: Node): string | null {
  if (node.kind === "group") return node.rules.length === 0 ? "A group needs a rule." : (node.rules.map(complaint).find(Boolean) ?? null);
  if (node.kind === "person") return node.test.name.trim() === "" ? "Name the property." : null;
  if (node.kind === "sequence" && node.steps.length < 2) return "Something in order has two steps at least.";
  if (node.kind === "first" && node.when === "ever") return "Say when the first time was.";
  if (node.when === "between" && !node.from && !node.to) return "Give a date.";
  if (node.when === "last_days" && !(node.days >= 1)) return "Say how many days.";
  return node.kind === "did" && !(node.count >= 0) ? "Say how often." : null;
}

/** Rules in a sentence: "did purchase at least 3 times in the last 30 days". */
export function words(node: Node, inside = false): string {
  if (node.kind === "group") {
    const rules = node.rules.map((rule) => words(rule, node.rules.length > 1));
    const text = rules.join(` ${node.join} `);
    if (node.not) return `not (${text})`;
    return inside && rules.length > 1 ? `(${text})` : text;
  }
  if (node.kind === "person") return testWords(node.test);
  const when = whenWords(node);
  const first = selectionWords(node.steps[0] ?? nothing());
  const did = node.not ? "did not do" : "did";
  if (node.kind === "first") return join(did, first, "for the first time", when);
  if (node.kind === "sequence") return join(did, node.steps.map(selectionWords).join(", then "), `within ${node.within}`, when);
  const usual = node.times === "at_least" && node.count === 1;
  return join(did, first, usual ? "" : `${TIMES[node.times]} ${node.count === 1 ? "once" : `${node.count} times`}`, when);
}

const join = (...parts: string[]): string => parts.filter(Boolean).join(" ");

function selectionWords(selection: Selection): string {
  const filter = selection.filter ? filterFromApi(selection.filter) : null;
  const names = selection.events.filter((name) => name.trim() !== "").join(" or ");
  return join(names || "anything", filter && filter.rules.length > 0 ? `where ${filterWords(filter)}` : "");
}

function whenWords({ when, days, from, to }: Leaf): string {
  if (when === "last_days") return days === 1 ? "today" : `in the last ${days} days`;
  if (when === "between") return join(from && `from ${from}`, to && `to ${to}`);
  return "";
}
