/** The question of the paths page, its form in the URL, and its words. */
import type { components } from "../api.gen";
import type { FunnelQuestion } from "../funnel/question";
import * as format from "../format";
import type { DateRange } from "../range";
import { parsed, type FilterQuery } from "../trend-query";

type Schemas = components["schemas"];
export type PathsBody = Extract<Schemas["Question"], { kind: "paths" }>;
export type PathsReport = Schemas["PathsReport"];
export type PathNode = Schemas["PathNode"];

export const MODES = { after: "After", before: "Before", between: "Between" } as const;
export const NODES = { event: "Events", page: "Pages" } as const;
export const COUNTS = { unique: "People", total: "Sessions" } as const;
export const OUTCOMES = { converted: "Came to the next step", dropped: "Left" } as const;
export const STEPS = [3, 4, 5, 6, 7, 8, 10, 12] as const;
/** As many as the API takes. */
export const MOST = { exclude: 50, clean: 20, group: 50, steps: 20 } as const;

/** Events of a name, or of a page as the graph calls it. */
export interface Match {
  of: "event" | "page";
  name: string;
}

export interface Rule {
  pattern: string;
  replace: string;
}

/** Two steps of a funnel, whose paths these are. */
export interface Link {
  query: FunnelQuestion;
  /** From 1. */
  step: number;
  outcome: keyof typeof OUTCOMES;
}

export interface PathsQuery {
  mode: keyof typeof MODES;
  /** None: any node. */
  anchor: Match | null;
  until: Match | null;
  nodes: keyof typeof NODES;
  steps: number;
  collapse: boolean;
  count: keyof typeof COUNTS;
  exclude: Match[];
  clean: Rule[];
  group: string[];
  filter?: FilterQuery;
  funnel: Link | null;
}

/** What is asked when nobody chose anything: how sessions go on, without what people do not do themselves. */
export function usualPaths(): PathsQuery {
  return {
    mode: "after",
    anchor: null,
    until: null,
    nodes: "event",
    steps: 5,
    collapse: true,
    count: "unique",
    exclude: [{ of: "event", name: "$identify" }],
    clean: [],
    group: [],
    funnel: null,
  };
}

/** The question of a URL; what it does not say, or says in words of its own, is the usual. */
export function pathsFromUrl(query: URLSearchParams): PathsQuery {
  const usual = usualPaths();
  const choice = <T extends string>(name: string, all: Record<T, string>, otherwise: T): T => {
    const chosen = query.get(name);
    return chosen !== null && Object.hasOwn(all, chosen) ? (chosen as T) : otherwise;
  };
  const match = (name: string): Match | null => {
    const [event, page] = [query.get(name), query.get(`${name}_page`)];
    if (event) return { of: "event", name: event };
    return page ? { of: "page", name: page } : null;
  };
  const steps = Number(query.get("steps"));
  const filter = parsed(query.get("filter"));
  const excluded = (of: Match["of"], name: string) => query.getAll(name).filter(Boolean).map((name): Match => ({ of, name }));
  return {
    mode: choice("mode", MODES, usual.mode),
    anchor: match("anchor"),
    until: match("until"),
    nodes: choice("nodes", NODES, usual.nodes),
    steps: Number.isInteger(steps) && steps >= 2 && steps <= MOST.steps ? steps : usual.steps,
    collapse: query.get("repeats") !== "1",
    count: choice("count", COUNTS, usual.count),
    exclude: query.has("exclude") || query.has("exclude_page") ? [...excluded("event", "exclude"), ...excluded("page", "exclude_page")] : usual.exclude,
    clean: query.getAll("clean").map(ruleOf).filter((rule) => rule !== null),
    group: query.getAll("group").filter(Boolean),
    ...(typeof filter === "object" && filter !== null ? { filter: filter as FilterQuery } : {}),
    funnel: linkOf(query.get("funnel")),
  };
}

/** Parameters of what is not as usual. */
export function pathsToUrl(question: PathsQuery): [name: string, value: string][] {
  const usual = usualPaths();
  const one = (name: string, match: Match | null): [string, string][] =>
    match?.name ? [[match.of === "event" ? name : `${name}_page`, match.name]] : [];
  const excluded = question.exclude.filter(({ name }) => name);
  const same = JSON.stringify(excluded) === JSON.stringify(usual.exclude);
  const own = question.funnel === null;
  const parameters: [string, string, string][] = [
    ["mode", own ? question.mode : usual.mode, usual.mode],
    ["nodes", question.nodes, usual.nodes],
    ["steps", `${question.steps}`, `${usual.steps}`],
    ["repeats", question.collapse ? "" : "1", ""],
    ["count", own ? question.count : usual.count, usual.count],
    ["filter", question.filter ? JSON.stringify(question.filter) : "", ""],
    ["funnel", question.funnel ? JSON.stringify(question.funnel) : "", ""],
  ];
  return [
    ...(own ? [...one("anchor", question.anchor), ...(question.mode === "between" ? one("until", question.until) : [])] : []),
    ...parameters.filter(([, value, otherwise]) => value !== otherwise).map(([name, value]): [string, string] => [name, value]),
    // Nothing to leave out is a choice too.
    ...(same ? [] : excluded.length === 0 ? [["exclude", ""] as [string, string]] : excluded.flatMap((match) => one("exclude", match))),
    ...question.clean.filter((rule) => rule.pattern).map((rule): [string, string] => ["clean", JSON.stringify([rule.pattern, rule.replace])]),
    ...question.group.filter(Boolean).map((group): [string, string] => ["group", group]),
  ];
}

function ruleOf(text: string): Rule | null {
  const said = parsed(text);
  const [pattern, replace] = Array.isArray(said) ? said : [];
  return typeof pattern === "string" && typeof replace === "string" ? { pattern, replace } : null;
}

function linkOf(text: string | null): Link | null {
  const said = parsed(text) as Partial<Link> | null;
  if (!said || typeof said !== "object" || !Array.isArray(said.query?.steps)) return null;
  const { query, step, outcome } = said;
  if (!Number.isInteger(step) || step! < 1 || step! >= query.steps.length) return null;
  return { query, step: step!, outcome: outcome === "dropped" ? "dropped" : "converted" };
}

/** What keeps the question from being asked, in words; null when it can be. The server has the last word. */
export function complaintOf(question: PathsQuery): string | null {
  if (question.funnel) return question.steps < 3 && question.funnel.outcome === "converted" ? "Between two steps there are at least 3 positions." : null;
  if (question.mode !== "between") return null;
  if (!question.anchor?.name || !question.until?.name) return "Between takes two events or pages: where paths begin, and where they end.";
  return question.steps < 3 ? "Between two there are at least 3 positions." : null;
}

/** The body of the question, as the API takes it. */
export function pathsBody(question: PathsQuery, range: DateRange): PathsBody {
  const match = ({ of, name }: Match) => (of === "event" ? { event: name } : { page: name });
  const { funnel } = question;
  const exclude = question.exclude.filter(({ name }) => name).map(match);
  const clean = question.clean.filter(({ pattern }) => pattern);
  const group = question.group.filter(Boolean);
  return {
    kind: "paths",
    ...(funnel
      ? { funnel: { query: { ...funnel.query, from: range.from, to: range.to }, step: funnel.step, outcome: funnel.outcome } }
      : {
          mode: question.mode,
          ...(question.anchor?.name ? { anchor: match(question.anchor) } : {}),
          ...(question.mode === "between" && question.until?.name ? { until: match(question.until) } : {}),
          count: question.count,
          from: range.from,
          to: range.to,
        }),
    nodes: question.nodes,
    steps: question.steps,
    collapse: question.collapse,
    ...(exclude.length > 0 ? { exclude } : {}),
    ...(clean.length > 0 ? { clean } : {}),
    ...(group.length > 0 ? { group } : {}),
    ...(question.filter ? { filter: question.filter } : {}),
  };
}

export interface Step {
  from: string;
  to: string;
  count: number;
}

/** The most frequent steps from one node to the next, wherever in a path; backward paths are told forward. */
export function topSteps(report: PathsReport, most: number): Step[] {
  const counts = new Map<string, Step>();
  for (const edge of report.edges) {
    const [one, other] = [report.positions[edge.position - 1]?.nodes[edge.from], report.positions[edge.position]?.nodes[edge.to]];
    if (!one || !other) continue;
    const [from, to] = report.mode === "before" ? [other.label, one.label] : [one.label, other.label];
    const key = JSON.stringify([from, to]);
    const step = counts.get(key) ?? { from, to, count: 0 };
    counts.set(key, { ...step, count: step.count + edge.count });
  }
  return [...counts.values()].sort((a, b) => b.count - a.count).slice(0, most);
}

/** Paths as they are counted, in words. */
export function pathsCounted({ paths, counted }: Pick<PathsReport, "paths" | "counted">): string {
  if (counted === "persons") return paths === 1 ? "1 person" : `${format.count(paths)} people`;
  return format.plural(paths, counted === "sessions" ? "session" : "path");
}

/** Whom a list shows: those at a node, those who went on from it to another, or those whose path ends there. */
export type People = Pick<NonNullable<PathsBody["list"]>, "position" | "node" | "to" | "drop_off">;

export function peopleFromUrl(query: URLSearchParams): People | null {
  const said = parsed(query.get("people")) as People | null;
  return said && typeof said === "object" && Number.isInteger(said.position) && typeof said.node?.label === "string" ? said : null;
}

/** A node as a list names it. */
export const named = ({ label, kind }: PathNode) => ({ label, kind });

/** How an anchor is called. */
export const matchName = (match: Match | null) => match?.name ?? "";

/** The steps of a funnel, as they are called. */
export function stepNames(query: FunnelQuestion): string[] {
  return query.steps.map((step) => step.name ?? step.event ?? (step.events?.join(" or ") || step.any_of?.map((one) => one.event).join(" or ")) ?? "");
}

/** The question in a line. */
export function pathsWords(question: PathsQuery): string {
  const { funnel, anchor, until } = question;
  if (funnel) {
    const names = stepNames(funnel.query);
    const from = names[funnel.step - 1];
    return funnel.outcome === "dropped" ? `Left after ${from}` : `${from} → ${names[nextStep(funnel.query, funnel.step) - 1] ?? ""}`;
  }
  const of = question.nodes === "page" ? "pages" : "events";
  if (question.mode === "between") return `From ${matchName(anchor) || "…"} to ${matchName(until) || "…"}, by ${of}`;
  if (!anchor?.name) return question.mode === "after" ? `From the start of sessions, by ${of}` : `Back from the end of sessions, by ${of}`;
  return `${MODES[question.mode]} ${anchor.name}, by ${of}`;
}

/** The mandatory step after a step (from 1). */
export function nextStep(query: FunnelQuestion, step: number): number {
  const next = query.steps.findIndex((one, index) => index >= step && !one.optional);
  return next < 0 ? query.steps.length : next + 1;
}

/** What to do with a node that is an event or a page: paths after it, before it, or without it. */
export function withNode(question: PathsQuery, label: string, how: "after" | "before" | "exclude"): PathsQuery {
  const match: Match = { of: question.nodes, name: label };
  if (how === "exclude") return { ...question, exclude: [...question.exclude, match] };
  return { ...question, mode: how, anchor: match, until: null, funnel: null };
}
