/**
 * What editors suggest while one types: names of events, and the properties and values that the newest events carry.
 * A sample, so never a limit: free text stays possible everywhere.
 */
import { createContext } from "svelte";
import { SvelteMap } from "svelte/reactivity";
import { events, type EventName, type StoredEvent } from "../api";
import { CAPTURED } from "../filter-query";

/** Events that a sample is made of: one page of the newest. */
const SAMPLE = 100;
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

export class Suggestions {
  names = $state.raw<EventName[]>([]);
  #project: string;
  #samples = new SvelteMap<string, Sample>();
  #asked = new Set<string>();

  constructor(project: string) {
    this.#project = project;
  }

  /** Looks at the newest events of a name (empty: of any), once. */
  look(event: string): void {
    if (this.#asked.has(event)) return;
    this.#asked.add(event);
    const filter = { ...(event ? { event } : {}), limit: SAMPLE };
    events(this.#project, filter, new AbortController().signal).then(
      (page) => this.#samples.set(event, sampleOf(page.data)),
      // Suggestions are a convenience: without them one writes.
      () => this.#asked.delete(event),
    );
  }

  /** Properties of an event for a list: those that were seen, then the rest of what capture finds out. */
  properties(event: string): EventName[] {
    const seen = [...(this.#samples.get(event)?.keys() ?? [])];
    const names = [...seen.filter((name) => !name.startsWith("$")), ...seen.filter((name) => name.startsWith("$")), ...CAPTURED];
    return named(names);
  }

  values(event: string, property: string): EventName[] {
    return named(this.#samples.get(event)?.get(property) ?? []);
  }
}

const named = (names: string[]): EventName[] => [...new Set(names)].map((event) => ({ event, count: 0 }));

export const [getSuggestions, setSuggestions] = createContext<Suggestions>();
