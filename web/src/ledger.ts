/** The ledger in words: what became of the events that were received. Pure. */
import type { Fates, LedgerPoint, LedgerTotals } from "./api-health";
import type { Line } from "./charts/series";
import * as format from "./format";

export interface Outcome {
  name: keyof Omit<Fates, "received">;
  label: string;
  color: Line["color"];
  meaning: string;
}

/** The terms of the equation, in its order. */
export const OUTCOMES: Outcome[] = [
  { name: "stored", label: "Stored", color: 1, meaning: "In the tables, counted in every answer" },
  { name: "duplicate", label: "Duplicate", color: 3, meaning: "Sent again with an id that was here already; counted once" },
  { name: "rejected", label: "Rejected", color: 2, meaning: "Not acceptable; the sender was told which field and why" },
  { name: "quarantined", label: "Dead letters", color: 4, meaning: "Accepted, but ClickHouse refused them; kept until replayed or discarded" },
  { name: "discarded", label: "Discarded", color: 5, meaning: "Dead letters that somebody chose to drop" },
  { name: "pending", label: "Pending", color: 6, meaning: "Safe in the stream, on the way to the tables" },
];

/** Events that no term accounts for: 0 unless something is wrong (negative: too many terms). */
export function unexplained(fates: Fates): number {
  return OUTCOMES.reduce((rest, { name }) => rest - fates[name], fates.received);
}

/** The equation in a line: `1,000 received = 990 stored + 10 rejected`. Terms of 0 are left out. */
export function equation(fates: Fates): string {
  const terms = OUTCOMES.filter(({ name }) => fates[name] !== 0).map(
    ({ name, label }) => `${format.count(fates[name])} ${label.toLowerCase()}`,
  );
  return `${format.count(fates.received)} received = ${terms.length > 0 ? terms.join(" + ") : "0"}`;
}

/** How things stand. `empty`: nothing arrived; `wrong`: the sum does not hold; `lossy`: events did not get in. */
export type Standing = "empty" | "good" | "lossy" | "wrong";

export function standing(fates: Fates): Standing {
  if (unexplained(fates) !== 0) return "wrong";
  if (fates.received === 0) return "empty";
  return fates.rejected > 0 || fates.quarantined > 0 ? "lossy" : "good";
}

/** The ledger in a sentence. */
export function verdict(fates: Fates): string {
  const rest = unexplained(fates);
  switch (standing(fates)) {
    case "wrong":
      return `The sum does not hold: ${format.plural(Math.abs(rest), "event")} ${rest > 0 ? "unaccounted for" : "too many"}.`;
    case "empty":
      return "Nothing arrived in this time.";
    case "good":
      return fates.pending > 0
        ? "Every event is stored or on its way."
        : "Every event that arrived is accounted for; none was refused.";
    case "lossy": {
      const parts: string[] = [];
      if (fates.rejected > 0) parts.push(`${format.count(fates.rejected)} rejected (${format.percent(fates.rejected / fates.received)})`);
      if (fates.quarantined > 0) parts.push(`${format.count(fates.quarantined)} kept as dead letters`);
      return `Of ${format.plural(fates.received, "event")}, ${parts.join(" and ")}.`;
    }
  }
}

/** What the overview says about the last hour; null when there is nothing to say. */
export function hint(fates: Fates): string | null {
  const parts: string[] = [];
  if (fates.rejected > 0) parts.push(`${format.plural(fates.rejected, "event")} rejected`);
  if (fates.quarantined > 0) parts.push(`${format.plural(fates.quarantined, "dead letter")}`);
  return parts.length > 0 ? `In the last hour: ${parts.join(", ")}.` : null;
}

export interface Note {
  name: string;
  count: number;
  label: string;
  meaning: string;
}

/** What is worth knowing beside the equation; only what happened. */
export function notes(totals: LedgerTotals): Note[] {
  const all: Note[] = [
    {
      name: "missing",
      count: totals.missing_estimate,
      label: "never arrived (estimate)",
      meaning: "Gaps in the numbers that SDKs give their events. Closed tabs and blockers show here.",
    },
    {
      name: "client_dropped",
      count: totals.client_dropped,
      label: "dropped by the client",
      meaning: "SDKs report what they had to give up, for example when their queue was full.",
    },
    {
      name: "late",
      count: totals.late,
      label: "late",
      meaning: "Arrived more than 24 hours after they happened. They count on the day they happened.",
    },
    {
      name: "clock_corrected",
      count: totals.clock_corrected,
      label: "clock corrected",
      meaning: "The device's clock was off; the time was corrected by the moment of sending.",
    },
    {
      name: "time_clamped",
      count: totals.time_clamped,
      label: "time clamped",
      meaning: "The time lay too far in the past or the future and was moved to its limit.",
    },
  ];
  return all.filter((note) => note.count > 0);
}

/** The series as lines of a stacked chart. Outcomes that never happened are left out, stored never. */
export function stackedLines(series: LedgerPoint[]): Line[] {
  return OUTCOMES.map(({ name, label, color }) => ({ name: label, color, values: series.map((point) => point[name]) })).filter(
    (line, index) => index === 0 || line.values.some((value) => value !== 0),
  );
}

/** Which points are over: those that end by `as_of`. The last one ends with the range. */
export function finalPoints(series: LedgerPoint[], to: string, as_of: string): boolean[] {
  return series.map((_, index) => Date.parse(series[index + 1]?.at ?? to) <= Date.parse(as_of));
}

/** A source as people read it: `native footfall-js/0.1.0` is footfall-js 0.1.0, by the native protocol. */
export function sourceParts(source: string): { client: string; version: string; protocol: string } {
  const [protocol = "", ...rest] = source.split(" ");
  const name = rest.join(" ");
  const slash = name.lastIndexOf("/");
  if (!name) return { client: "Unknown client", version: "", protocol };
  return slash > 0
    ? { client: name.slice(0, slash), version: name.slice(slash + 1), protocol }
    : { client: name, version: "", protocol };
}

/** What a rejection code means, for people. */
export const REASONS: Record<string, string> = {
  missing_field: "A required field is missing",
  wrong_type: "A field has the wrong type",
  name_too_long: "A name is too long",
  name_empty: "A name is empty",
  id_invalid: "The event id is not a UUID",
  timestamp_invalid: "The timestamp cannot be read",
  too_many_properties: "Too many properties",
  too_deep: "Properties are nested too deeply",
  event_too_large: "The event is too large",
  distinct_id_too_long: "An id is too long",
  malformed_json: "Not valid JSON",
  erased: "Belongs to what was erased",
};

/** A reason's code in words; an unknown one stays as it is. */
export function reason(code: string): string {
  return REASONS[code] ?? code;
}

/** JSON text laid out for reading; text that was cut, or is no JSON, stays as it is. */
export function pretty(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
