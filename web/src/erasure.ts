/** Erasures and retention in words. Pure. */
import type { Erasure, ErasureCounts, ErasureState } from "./api-privacy";
import * as format from "./format";

/** The most ids that one erasure takes, and the longest id. */
export const MAX_IDS = 100;
export const MAX_ID_LENGTH = 200;

/** The ids in a text, one a line; spaces around them and repeated ones are left out. */
export function distinctIds(text: string): string[] {
  return [...new Set(text.split("\n").map((line) => line.trim()).filter(Boolean))];
}

/** What is wrong with ids, or null. */
export function idsProblem(ids: string[]): string | null {
  if (ids.length > MAX_IDS) return `At most ${MAX_IDS} ids at once; these are ${format.count(ids.length)}.`;
  const long = ids.find((id) => [...id].length > MAX_ID_LENGTH);
  return long ? `“${[...long].slice(0, 20).join("")}…” is longer than ${MAX_ID_LENGTH} characters.` : null;
}

/** What an erasure takes away: `A person (2 ids)`, `1 Nov 2026 – 3 Nov 2026`, `Everything so far`. */
export function subject(erasure: Pick<Erasure, "kind" | "persons" | "from" | "to">, zone: string): string {
  if (erasure.kind === "project") return "Everything so far";
  if (erasure.kind === "person") return `A person (${format.plural(erasure.persons, "id")})`;
  const { from, to } = erasure;
  if (erasure.kind === "retention") return to ? `Before ${format.date(to, zone)}` : "Beyond the retention";
  if (!from || !to) return "A time range";
  // Ranges are half-open; people read both ends inclusively.
  const [first, last] = [format.date(from, zone), format.date(Date.parse(to) - 1, zone)];
  return first === last ? first : `${first} – ${last}`;
}

const STEPS: ErasureState[] = ["requested", "waiting", "removing", "rebuilding", "verifying", "done"];
const STATES: Record<ErasureState, string> = {
  requested: "Requested",
  waiting: "Waiting",
  removing: "Removing events",
  rebuilding: "Counting anew",
  verifying: "Verifying",
  done: "Done",
  failed: "Failed",
};

export const stateText = (state: ErasureState): string => STATES[state] ?? state;

/** Neither done nor failed: the list asks again. */
export const running = (state: ErasureState): boolean => state !== "done" && state !== "failed";

/** How far it got, 0 to 1. */
export function progress(state: ErasureState): number {
  return Math.max(0, STEPS.indexOf(state)) / (STEPS.length - 1);
}

const COUNTED: [keyof ErasureCounts, string][] = [
  ["events", "Raw events"],
  ["actor_days", "Active days"],
  ["dead_letters", "Dead letters"],
  ["rejected_samples", "Rejected samples"],
  ["id_pairs", "Pairs of ids"],
];

/** Rows of a certificate: what, before, after. */
export function countRows(before: ErasureCounts | null, after: ErasureCounts | null): [string, number | null, number | null][] {
  return COUNTED.map(([name, label]) => [label, before?.[name] ?? null, after?.[name] ?? null]);
}

/** Choices of how long to keep events, in months; null is for ever. */
export const RETENTION = [1, 3, 6, 12, 13, 24, 36, 60, 120] as const;

/** A number of months in words: `13 months`, `2 years`, `for ever`. */
export function months(value: number | null): string {
  if (value === null) return "for ever";
  return value % 12 === 0 ? format.plural(value / 12, "year") : format.plural(value, "month");
}

/** Whether a change takes events away that are kept now. */
export function shortens(now: number | null, next: number | null): boolean {
  return next !== null && (now === null || next < now);
}
