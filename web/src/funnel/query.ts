/** The question of the funnel page as its editor holds it: every field has a value. */
import type { components } from "../api.gen";
import { everything, written, type Filter, type Property } from "../filter-query";

type Schemas = components["schemas"];
export type Order = Schemas["Order"];
export type Entity = Schemas["Entity"];
export type Count = Schemas["Count"];
export type Reentry = Schemas["Reentry"];
export type RangeRule = Schemas["RangeAppliesTo"];
export type OnExclusion = Schemas["OnExclusion"];
export type Preset = Schemas["Preset"];

/** An event that satisfies a step, and what it has to pass. */
export interface Match {
  event: string;
  filter: Filter;
}

/** One step: any of these events. */
export interface Step {
  any: Match[];
  /** What to call it; empty: its events. */
  name: string;
  optional: boolean;
}

/** What must not happen from one step (from 1) to a later one; `before` null: the last. */
export interface Exclusion {
  events: string[];
  filter: Filter;
  after: number;
  before: number | null;
}

/** Units of lengths of time, as the API writes them. */
export const UNITS = { s: "seconds", m: "minutes", h: "hours", d: "days", w: "weeks", mo: "months" } as const;
export type Unit = keyof typeof UNITS;
export interface Length {
  value: number;
  unit: Unit;
}

export interface FunnelQuery {
  steps: Step[];
  /** How long an entity has from the first to the last step, inclusively; null: one session. */
  window: Length | null;
  order: Order;
  maxGap: Length | null;
  rangeRule: RangeRule;
  entity: Entity;
  group: Property;
  count: Count;
  reentry: Reentry;
  hold: Property[];
  exclusions: Exclusion[];
  onExclusion: OnExclusion;
  tieMs: number;
  /** Names that strict order does not see; null: the usual ones. */
  ignore: string[] | null;
  filter: Filter;
  breakdown: Property | null;
  limit: number;
  attribution: string;
  preset: Preset | null;
}

/** What is wrong with a field: said by this page before it asks, or by the API. */
export interface Fault {
  pointer: string;
  detail: string;
}

export const MIN_STEPS = 2;
export const MAX_STEPS = 20;
export const MAX_ALTERNATIVES = 10;
export const MAX_HELD = 3;
export const MAX_EXCLUSIONS = 10;
export const MAX_TIE_MS = 60_000;
export const MAX_LIMIT = 200;

const UNIT_MS: Record<Unit, number> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000, mo: 2_592_000_000 };
const MAX_WINDOW_MS = 366 * 86_400_000;

/** What other products mean by a funnel, in fields of ours. The API keeps the same list. */
export const PRESETS: Record<Preset, Partial<FunnelQuery>> = {
  mixpanel: { reentry: "first", tieMs: 2_000, window: { value: 7, unit: "d" }, rangeRule: "entry", onExclusion: "stop" },
  amplitude: { reentry: "any", tieMs: 1_000, window: { value: 1, unit: "d" }, rangeRule: "entry" },
  posthog: { reentry: "any", tieMs: 1, window: { value: 14, unit: "d" }, onExclusion: "drop" },
};

export const emptyMatch = (): Match => ({ event: "", filter: everything() });
export const emptyStep = (...events: string[]): Step => ({
  any: (events.length > 0 ? events : [""]).map((event) => ({ event, filter: everything() })),
  name: "",
  optional: false,
});
export const emptyExclusion = (): Exclusion => ({ events: [""], filter: everything(), after: 1, before: null });

/** A new, empty question, with the habits of another product if one is named. */
export function emptyFunnel(preset: Preset | null = null): FunnelQuery {
  return {
    steps: [emptyStep(), emptyStep()],
    window: { value: 7, unit: "d" },
    order: "sequential",
    maxGap: null,
    rangeRule: "entry",
    entity: "person",
    group: { of: "event", name: "" },
    count: "unique",
    reentry: "any",
    hold: [],
    exclusions: [],
    onExclusion: "stop",
    tieMs: 0,
    ignore: null,
    filter: everything(),
    breakdown: null,
    limit: 25,
    attribution: "first",
    ...(preset ? structuredClone(PRESETS[preset]) : {}),
    preset,
  };
}

/** The question with another product's habits, or with ours again. What they do not name stays. */
export function withPreset(funnel: FunnelQuery, preset: Preset | null): FunnelQuery {
  const { reentry, tieMs, window, rangeRule, onExclusion } = emptyFunnel(preset);
  return { ...funnel, reentry, tieMs, window, rangeRule, onExclusion, preset };
}

/** `7d` */
export const lengthText = (length: Length): string => `${length.value}${length.unit}`;

export const lengthMs = (length: Length): number => length.value * UNIT_MS[length.unit];

/** Reads `7d`; null when it is no length of time. */
export function parseLength(text: string | null | undefined): Length | null {
  const found = /^(\d{1,8})(s|mo|m|h|d|w)$/.exec(text ?? "");
  if (!found) return null;
  const value = Number(found[1]);
  return value > 0 ? { value, unit: found[2] as Unit } : null;
}

/** How a step is called: by its name, or by its events. */
export function stepName(step: Step): string {
  const events = step.any.map((match) => match.event.trim()).filter(Boolean);
  return step.name.trim() || events.join(" or ") || "…";
}

/** Moves a step up (-1) or down (+1); the list stays as it is at its ends. The ends are never optional. */
export function moveStep(funnel: FunnelQuery, index: number, by: -1 | 1): FunnelQuery {
  const target = index + by;
  if (target < 0 || target >= funnel.steps.length) return funnel;
  const steps = [...funnel.steps];
  [steps[index], steps[target]] = [steps[target]!, steps[index]!];
  return { ...funnel, steps: withFirmEnds(steps) };
}

/** Without a step. What counts steps (exclusions, the breakdown) goes on meaning the same ones. */
export function withoutStep(funnel: FunnelQuery, index: number): FunnelQuery {
  const steps = withFirmEnds(funnel.steps.filter((_, at) => at !== index));
  const now = (step: number) => Math.min(Math.max(1, step > index + 1 ? step - 1 : step), steps.length);
  const exclusions = funnel.exclusions.map((one) => {
    const after = Math.min(now(one.after), steps.length - 1);
    return { ...one, after, before: one.before === null ? null : Math.max(after + 1, now(one.before)) };
  });
  const step = attributedStep(funnel.attribution);
  return { ...funnel, steps, exclusions, attribution: step === null ? funnel.attribution : `step:${now(step)}` };
}

/** The step of `step:2`; null when the value is not read at one step. */
export function attributedStep(attribution: string): number | null {
  const found = /^step:(\d+)$/.exec(attribution);
  return found ? Number(found[1]) : null;
}

/** The question without blanks and repetitions: what is asked, and what stands in the address. */
export function tidied(funnel: FunnelQuery): FunnelQuery {
  const named = <T,>(items: T[], name: (item: T) => string) => {
    const kept = items.filter((item) => name(item).trim());
    return kept.length > 0 ? kept : items.slice(0, 1);
  };
  const unique = (names: string[]) => [...new Set(names.map((name) => name.trim()))];
  return {
    ...funnel,
    steps: funnel.steps.map((step) => ({
      ...step,
      name: step.name.trim(),
      any: named(step.any, (match) => match.event)
        .map((match) => ({ event: match.event.trim(), filter: written(match.filter) }))
        .filter((match, index, all) => all.findIndex((other) => same(other, match)) === index),
    })),
    exclusions: funnel.exclusions.map((one) => ({
      ...one,
      events: unique(named(one.events, (event) => event)),
      filter: written(one.filter),
    })),
    hold: funnel.hold.filter((property) => property.name.trim()),
    breakdown: funnel.breakdown?.name.trim() ? funnel.breakdown : null,
    ignore: funnel.ignore && unique(funnel.ignore).filter(Boolean),
    filter: written(funnel.filter),
  };
}

/** What keeps the question from being asked, where a person has to write something; the API says the rest. */
export function faultsOf(funnel: FunnelQuery): Fault[] {
  const faults: Fault[] = [];
  for (const [index, step] of funnel.steps.entries()) {
    if (step.any.every((match) => !match.event.trim())) {
      faults.push({ pointer: `/steps/${index}/event`, detail: `Choose an event for step ${index + 1}.` });
    }
  }
  for (const [index, exclusion] of funnel.exclusions.entries()) {
    if (exclusion.events.every((event) => !event.trim())) {
      faults.push({ pointer: `/exclusions/${index}/event`, detail: "Choose the event that must not happen, or remove the exclusion." });
    }
  }
  for (const [pointer, length] of [["/window", funnel.window], ["/max_gap", funnel.maxGap]] as const) {
    const detail = length && faultOfLength(length);
    if (detail) faults.push({ pointer, detail });
  }
  return faults;
}

function faultOfLength(length: Length): string | null {
  if (!Number.isInteger(length.value) || length.value < 1) return "A whole number, at least 1.";
  return lengthMs(length) > MAX_WINDOW_MS ? "At most 366 days." : null;
}

/** What is wrong at a field or below it. */
export function faultsAt(faults: Fault[], ...pointers: string[]): Fault[] {
  return faults.filter((fault) => pointers.some((pointer) => fault.pointer === pointer || fault.pointer.startsWith(`${pointer}/`)));
}

function withFirmEnds(steps: Step[]): Step[] {
  const isEnd = (index: number) => index === 0 || index === steps.length - 1;
  return steps.map((step, index) => (step.optional && isEnd(index) ? { ...step, optional: false } : step));
}

const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);
