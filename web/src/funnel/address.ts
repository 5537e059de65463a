/** The question of the funnel page in its address, so that a link is the question. What is as usual leaves no trace. */
import { filterFromApi, filterToApi } from "../filter-query";
import {
  emptyFunnel,
  emptyStep,
  lengthText,
  MAX_STEPS,
  MIN_STEPS,
  parseLength,
  type Exclusion,
  type FunnelQuery,
  type Preset,
  type Step,
} from "./query";
import {
  exclusionFromApi,
  exclusionToApi,
  parsed,
  parseProperty,
  propertyText,
  stepFromApi,
  stepToApi,
  type ExclusionQuery,
  type StepQuery,
} from "./question";
import { COUNTS, ENTITIES, ON_EXCLUSION, ORDERS, PRESET_NAMES, RANGE_RULES, REENTRIES } from "./words";

type Parameter = [name: string, value: string];

/** The question of a URL; null when it holds none. What it does not say, or says in words of its own, is as usual. */
export function funnelFromUrl(query: URLSearchParams): FunnelQuery | null {
  const steps = query.getAll("step").map(readStep);
  if (steps.length === 0) return null;
  while (steps.length < MIN_STEPS) steps.push(emptyStep());
  const choice = <T extends string>(name: string, all: Record<T, string>, otherwise: T): T => {
    const chosen = query.get(name);
    return chosen !== null && Object.hasOwn(all, chosen) ? (chosen as T) : otherwise;
  };
  const whole = (name: string, otherwise: number) => {
    const text = query.get(name);
    return text !== null && /^\d{1,9}$/.test(text) ? Number(text) : otherwise;
  };
  const preset = query.get("preset");
  const usual = emptyFunnel(preset && Object.hasOwn(PRESET_NAMES, preset) ? (preset as Preset) : null);
  const window = query.get("window");
  const properties = (name: string) => query.getAll(name).map(parseProperty).filter((property) => property !== null);
  return {
    ...usual,
    steps: steps.slice(0, MAX_STEPS),
    window: window === "session" ? null : (parseLength(window) ?? usual.window),
    order: choice("order", ORDERS, usual.order),
    maxGap: parseLength(query.get("max_gap")),
    rangeRule: choice("range_applies_to", RANGE_RULES, usual.rangeRule),
    entity: choice("entity", ENTITIES, usual.entity),
    group: parseProperty(query.get("group")) ?? usual.group,
    count: choice("count", COUNTS, usual.count),
    reentry: choice("reentry", REENTRIES, usual.reentry),
    hold: properties("hold"),
    exclusions: query.getAll("exclude").map(readExclusion).filter((exclusion) => exclusion !== null),
    onExclusion: choice("on_exclusion", ON_EXCLUSION, usual.onExclusion),
    tieMs: whole("tie_ms", usual.tieMs),
    ignore: query.has("ignore") ? query.getAll("ignore").filter(Boolean) : null,
    filter: filterFromApi(parsed(query.get("filter") ?? "")) ?? usual.filter,
    breakdown: properties("breakdown")[0] ?? null,
    limit: whole("breakdown_limit", usual.limit),
    attribution: query.get("attribution") ?? usual.attribution,
  };
}

/** Parameters: the steps in their order, the window, and what is not as usual. */
export function funnelToUrl(funnel: FunnelQuery): Parameter[] {
  const usual = emptyFunnel(funnel.preset);
  const changed = (name: string, value: string | number, otherwise: string | number): Parameter[] =>
    value === otherwise ? [] : [[name, String(value)]];
  const filter = filterToApi(funnel.filter);
  return [
    ...funnel.steps.map((step): Parameter => ["step", writeStep(step)]),
    ["window", funnel.window ? lengthText(funnel.window) : "session"],
    ...changed("preset", funnel.preset ?? "", ""),
    ...changed("order", funnel.order, usual.order),
    ...changed("max_gap", funnel.maxGap ? lengthText(funnel.maxGap) : "", ""),
    ...changed("range_applies_to", funnel.rangeRule, usual.rangeRule),
    ...changed("entity", funnel.entity, usual.entity),
    ...changed("group", funnel.entity === "group" ? propertyText(funnel.group) : "", ""),
    ...changed("count", funnel.count, usual.count),
    ...changed("reentry", funnel.reentry, usual.reentry),
    ...funnel.hold.map((property): Parameter => ["hold", propertyText(property)]),
    ...funnel.exclusions.map((exclusion): Parameter => ["exclude", writeExclusion(exclusion)]),
    ...changed("on_exclusion", funnel.onExclusion, usual.onExclusion),
    ...changed("tie_ms", funnel.tieMs, usual.tieMs),
    // Nothing to ignore is a choice too.
    ...(funnel.ignore?.length === 0 ? [""] : (funnel.ignore ?? [])).map((name): Parameter => ["ignore", name]),
    ...changed("filter", filter ? JSON.stringify(filter) : "", ""),
    ...changed("breakdown", funnel.breakdown ? propertyText(funnel.breakdown) : "", ""),
    ...changed("breakdown_limit", funnel.limit, usual.limit),
    ...changed("attribution", funnel.attribution, usual.attribution),
  ];
}

// A plain name stays readable. Alternatives are a JSON list; a step with more to say is the API's own object; so is a
// name that could be mistaken for either.
function writeStep(step: Step): string {
  const query = stepToApi(step);
  const plain = Object.keys(query).length === 1;
  if (plain && typeof query.event === "string" && !/^[[{]/.test(query.event)) return query.event;
  if (plain && query.events) return JSON.stringify(query.events);
  return plain && query.event ? JSON.stringify([query.event]) : JSON.stringify(query);
}

function readStep(text: string): Step {
  const said = /^[[{]/.test(text) ? parsed(text) : null;
  if (Array.isArray(said) && said.length > 0 && said.every((name) => typeof name === "string")) return emptyStep(...said);
  const step = said && !Array.isArray(said) ? stepFromApi(said as StepQuery) : null;
  // Not ours: an event may be called "[x".
  return step ?? emptyStep(text);
}

function writeExclusion(exclusion: Exclusion): string {
  const query = exclusionToApi(exclusion);
  const plain = Object.keys(query).length === 1 && typeof query.event === "string" && !query.event.startsWith("{");
  return plain ? query.event! : JSON.stringify(query);
}

function readExclusion(text: string): Exclusion | null {
  const said = text.startsWith("{") ? parsed(text) : null;
  if (said) return exclusionFromApi(said as ExclusionQuery);
  return text ? exclusionFromApi({ event: text }) : null;
}
