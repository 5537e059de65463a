/** What of a live message belongs on the events page. */
import type { StoredEvent } from "./api";

/** The events that pass the page's filter and are not on it yet, in their order. Empty filters let everything pass. */
export function fresh(arrived: StoredEvent[], known: StoredEvent[], event: string, person: string): StoredEvent[] {
  const seen = new Set(known.map((row) => row.id));
  return arrived.filter((row) => {
    if (seen.has(row.id)) return false;
    seen.add(row.id);
    return (!event || row.event === event) && (!person || [row.distinct_id, row.user_id, row.device_id].includes(person));
  });
}

/** Columns that come first among an event's details. */
const FIRST = ["timestamp", "received_at", "distinct_id", "user_id", "device_id", "session_id"];

/** What the bits of `flags` mean. */
const FLAGS: [bit: number, meaning: string][] = [
  [1, "time moved into range"],
  [2, "clock corrected"],
  [4, "robot"],
  [8, "no activity"],
];

/** The details of an event, in the order in which people ask for them; what is empty is left out. */
export function details(event: StoredEvent): [name: string, value: string][] {
  const { properties: _, event: __, flags, amount, ...texts } = event;
  const marks = FLAGS.filter(([bit]) => (flags & bit) !== 0).map(([, meaning]) => meaning);
  const columns = { ...texts, amount: amount === 0 ? "" : amount, flags: marks.join(", ") };
  const names = Object.keys(columns) as (keyof typeof columns)[];
  const ordered = [...FIRST.filter((name) => name in columns), ...names.filter((name) => !FIRST.includes(name))];
  return ordered
    .map((name) => [name, columns[name as keyof typeof columns]] as const)
    .filter(([, value]) => value !== null && value !== undefined && value !== "")
    .map(([name, value]) => [name, String(value)]);
}
