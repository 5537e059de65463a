/** What has become of an answer, in words: the names of its numbers, and why they moved. Pure. */
import type { components } from "../api.gen";
import type { Project } from "../api";
import * as format from "../format";
import type { DateRange } from "../range";

type Schemas = components["schemas"];
export type Question = Schemas["Question"];
export type DiffReport = Schemas["DiffReport"];
/** What a page asked: for whoever asks it as of another time. */
export interface About {
  project: Project;
  question: Question;
  /** What its steps, series or columns are called. */
  names: readonly string[];
  range: DateRange;
}
type Change = Schemas["NumberChange"];

/** What of a question has numbers of its own: values of a breakdown may stand at another place later. */
const OWN_NUMBERS = ["breakdown", "breakdown_limit", "breakdown_filter", "attribution", "compare", "list", "actors", "view", "windows", "why_not"];

/** The question as two of its answers can be compared. */
export function comparable(question: Question): { question: Question; whole: boolean } {
  const kept = Object.entries(question).filter(([name, value]) => value == null || !OWN_NUMBERS.includes(name));
  const broken = "breakdown" in question && question.breakdown != null && (!Array.isArray(question.breakdown) || question.breakdown.length > 0);
  return { question: Object.fromEntries(kept) as unknown as Question, whole: !broken };
}

type Write = (value: number | null | undefined) => string;
const VISITS: Record<string, [string, Write]> = {
  visitors: ["Visitors", format.count],
  sessions: ["Visits", format.count],
  views: ["Page views", format.count],
  views_per_session: ["Views per visit", format.number],
  bounces: ["Bounces", format.count],
  bounce_rate: ["Bounce rate", format.percent],
  mean_duration_ms: ["Mean duration", format.duration],
  median_duration_ms: ["Median duration", format.duration],
};
const CONVERSION: Record<string, [string, Write]> = {
  entered: ["Entered", format.count],
  converted: ["Converted", format.count],
  rate: ["Conversion", format.percent],
  median_ms: ["Median time to convert", format.duration],
};
const ACTIVE: Record<string, [string, Write]> = {
  active: ["Active in the range", format.count],
  mean_dau: ["Daily active, mean", format.number],
  mau: ["Monthly active", format.count],
  ratio: ["Daily ÷ monthly", format.percent],
};

/** Numbers beside one another, in the order in which they are looked at. */
const ORDER = ["steps", "overall", ...[CONVERSION, ACTIVE, VISITS].flatMap((names) => Object.keys(names))];

/** A number's name and how it is written; null of what is no result but part of the question. */
export function meaningOf(pointer: string, question: Question, names: readonly string[] = []): [string, Write] | null {
  const [place = "", second = "", third = ""] = pointer.split("/").slice(1);
  const index = Number(second);
  switch (question.kind) {
    case "funnel":
      if (place === "steps") return third === "reached" ? [`${index + 1}. ${names[index] ?? "step"}`, format.count] : null;
      // Who entered and who converted are steps already.
      return place === "overall" && !["entered", "converted"].includes(second) ? (CONVERSION[second] ?? null) : null;
    case "conversion":
      return place === "total" ? (CONVERSION[second] ?? null) : null;
    case "trends": {
      if (place === "formula") return ["Formula", format.number];
      const measure = question.series?.[index]?.measure ?? "count";
      if (place !== "series" || third !== (measure === "count" ? "total" : "value")) return null;
      return [names[index] ?? String.fromCharCode(65 + index), measure === "count" ? format.count : format.number];
    }
    case "active_users":
      return place === "summary" ? (ACTIVE[second] ?? null) : null;
    case "retention":
      if (place === "size") return ["Started", format.count];
      return place === "mean" && third === "retained" ? [`Came back, ${names[index] ?? `period ${index}`}`, format.count] : null;
    case "paths":
      return place === "paths" ? ["Paths", format.count] : null;
    case "web":
    case "sessions":
      return place === "total" ? (VISITS[second] ?? null) : null;
    case "stickiness":
      if (place === "persons") return ["Persons", format.count];
      return place === "mean_days" ? ["Active days, mean", format.number] : null;
    default:
      return null;
  }
}

export interface Row {
  pointer: string;
  name: string;
  from: string;
  to: string;
  /** What each did, as it is written: `+14`, `0`. Null: nobody said what the number was. */
  removed: string | null;
  events: string;
  identity: string;
  changed: boolean;
  /** Whether it counts something: rates and times do not add up. */
  counts: boolean;
}

/** The numbers with what made the difference, those of steps and columns in their order. */
export function rowsOf(report: Pick<DiffReport, "numbers">, question: Question, names: readonly string[] = []): Row[] {
  const placed = (name: string) => (/^\d+$/.test(name) ? name.padStart(6, "0") : ORDER.includes(name) ? `${ORDER.indexOf(name)}`.padStart(6, "0") : name);
  const order = report.numbers.map((change) => ({ change, key: change.name.split("/").map(placed).join("/") }));
  order.sort((a, b) => (a.key < b.key ? -1 : 1));
  return order.flatMap(({ change }) => {
    const meaning = meaningOf(change.name, question, names);
    return meaning ? [row(change, meaning)] : [];
  });
}

function row(change: Change, [name, write]: [string, Write]): Row {
  // 40 % and 60 % lie 20 points apart, not 20 %.
  const apart = (value: number) => (write === format.percent ? `${(value * 100).toFixed(1)} points` : write(value));
  const part = (value: number | null | undefined) => {
    if (value == null) return format.NONE;
    const text = apart(Math.abs(value));
    return /[1-9]/.test(text) ? `${value > 0 ? "+" : "−"}${text}` : "0";
  };
  const [removed, events, identity] = [change.removed, change.events, change.identity].map(part);
  const [from, to] = [write(change.from ?? null), write(change.to ?? null)];
  return {
    pointer: change.name,
    name,
    from,
    to,
    removed: change.removed == null ? null : removed!,
    events: events!,
    identity: identity!,
    // As far as it can be read; parts may cancel each other out.
    changed: from !== to || [removed, events, identity].some((one) => one !== "0" && one !== format.NONE),
    counts: write === format.count,
  };
}

/** What happened in between, a sentence each. */
export function betweenWords({ events, ids, removals, removed_events }: DiffReport["between"]): string[] {
  const said = [events === 0 ? "No event of these dates was received since." : `${format.plural(events, "event")} of these dates ${events === 1 ? "was" : "were"} received since.`];
  if (ids > 0) said.push(`${format.plural(ids, "id")} turned out to be somebody else's (merges, sign-ins, splits).`);
  if (removals > 0) said.push(`${format.plural(removals, "removal")} (erasures, retention) took ${format.plural(removed_events, "event")} of all dates.`);
  return said;
}
