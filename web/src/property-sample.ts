/** Which properties and values some events carry, for suggestions while one types. */
import type { StoredEvent } from "./api";
import { CAPTURED } from "./filter-query";

/** Values that are suggested for a property. */
const MAX_VALUES = 30;

/** The values of each property in a sample, the most frequent property first. */
export type Sample = Map<string, string[]>;

/** Reads the properties of events; those that capture found out carry a dollar sign. */
export function sampleOf(sample: StoredEvent[]): Sample {
  const found = new Map<string, Map<string, number>>();
  const add = (name: string, value: unknown) => {
    if (value === null || typeof value === "object" || value === "" || value === undefined) return;
    const values = found.get(name) ?? new Map<string, number>();
    values.set(String(value), (values.get(String(value)) ?? 0) + 1);
    found.set(name, values);
  };
  for (const event of sample) {
    for (const [name, value] of Object.entries(event.properties ?? {})) add(name, value);
    const columns = event as unknown as Record<string, unknown>;
    for (const name of CAPTURED) add(name, columns[name.slice(1)]);
  }
  const total = (values: Map<string, number>) => [...values.values()].reduce((sum, count) => sum + count, 0);
  return new Map(
    [...found]
      .sort(([a, one], [b, other]) => total(other) - total(one) || a.localeCompare(b))
      .map(([name, values]) => [
        name,
        [...values].sort(([, a], [, b]) => b - a).slice(0, MAX_VALUES).map(([value]) => value),
      ]),
  );
}
