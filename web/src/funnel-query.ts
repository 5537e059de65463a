/** The question of the funnel page, and its form in the URL, so that a link is the question. */

/** One step: any of these events. */
export type Step = string[];

/** Units of the conversion window, as the API writes them. */
export const WINDOW_UNITS = { m: "minutes", h: "hours", d: "days" } as const;
export type WindowUnit = keyof typeof WINDOW_UNITS;

export interface FunnelQuery {
  steps: Step[];
  /** How long a person has from the first to the last step, inclusively. */
  window: { value: number; unit: WindowUnit };
}

export const MIN_STEPS = 2;
export const MAX_STEPS = 20;

const UNIT_MS: Record<WindowUnit, number> = { m: 60_000, h: 3_600_000, d: 86_400_000 };
const MAX_WINDOW_MS = 366 * 86_400_000;

/** A new, empty question. */
export function emptyFunnel(): FunnelQuery {
  return { steps: [[""], [""]], window: { value: 7, unit: "d" } };
}

/** `7d` */
export function windowText(window: FunnelQuery["window"]): string {
  return `${window.value}${window.unit}`;
}

/** Reads `7d`; null when it is not a window. */
export function parseWindow(text: string | null): FunnelQuery["window"] | null {
  const found = /^(\d{1,6})([mhd])$/.exec(text ?? "");
  if (!found) return null;
  const value = Number(found[1]);
  return value > 0 ? { value, unit: found[2] as WindowUnit } : null;
}

/** The steps and the window of a URL; null when it holds no question. */
export function funnelFromUrl(query: URLSearchParams): FunnelQuery | null {
  const steps = query.getAll("step").map(readStep);
  if (steps.length === 0) return null;
  while (steps.length < MIN_STEPS) steps.push([""]);
  return {
    steps: steps.slice(0, MAX_STEPS),
    window: parseWindow(query.get("window")) ?? emptyFunnel().window,
  };
}

/** Parameters in the order of the steps. */
export function funnelToUrl(funnel: FunnelQuery): [name: string, value: string][] {
  const steps = funnel.steps.map((step) => ["step", writeStep(step)] as [string, string]);
  return [...steps, ["window", windowText(funnel.window)]];
}

/** What keeps the question from being asked, in words; null when it can be. */
export function problemOf(funnel: FunnelQuery): string | null {
  const empty = funnel.steps.findIndex((step) => step.every((name) => !name.trim()));
  if (empty >= 0) return `Choose an event for step ${empty + 1}.`;
  const { value, unit } = funnel.window;
  if (!Number.isInteger(value) || value < 1) return "The conversion window is a whole number, at least 1.";
  if (value * UNIT_MS[unit] > MAX_WINDOW_MS) return "The conversion window is at most 366 days.";
  return null;
}

/** The steps without blanks, as the API takes them. */
export function stepsToAsk(funnel: FunnelQuery): Step[] {
  return funnel.steps.map((step) => [...new Set(step.map((name) => name.trim()).filter(Boolean))]);
}

/** Moves a step up (-1) or down (+1); the list stays as it is at its ends. */
export function moveStep(steps: Step[], index: number, by: -1 | 1): Step[] {
  const target = index + by;
  if (target < 0 || target >= steps.length) return steps;
  const moved = [...steps];
  [moved[index], moved[target]] = [moved[target]!, moved[index]!];
  return moved;
}

/** How a step is called: its event, or its alternatives. */
export function stepName(step: Step): string {
  return step.filter(Boolean).join(" or ") || "…";
}

// A plain name stays readable. Alternatives are a JSON list; so is a name that could be mistaken for one.
function writeStep(step: Step): string {
  const names = step.filter((name, index) => name || index === 0);
  const only = names.length === 1 ? names[0]! : null;
  return only !== null && !only.startsWith("[") ? only : JSON.stringify(names);
}

function readStep(text: string): Step {
  if (text.startsWith("[")) {
    try {
      const names: unknown = JSON.parse(text);
      if (Array.isArray(names) && names.length > 0 && names.every((name) => typeof name === "string")) return names;
    } catch {
      // Not ours: an event may be called "[x".
    }
  }
  return [text];
}
