/**
 * What editors suggest while one types: names of events, and the properties and values that the newest events carry.
 * A sample, so never a limit: free text stays possible everywhere.
 */
import { createContext } from "svelte";
import { SvelteMap } from "svelte/reactivity";
import { events, type EventName } from "../api";
import type { Cohort } from "../api-cohorts";
import { CAPTURED } from "../filter-query";
import { sampleOf, type Sample } from "../property-sample";

/** Events that a sample is made of: one page of the newest. */
const SAMPLE = 100;

export class Suggestions {
  names = $state.raw<EventName[]>([]);
  /** Of the project, once somebody asked for them. */
  cohorts = $state.raw<Pick<Cohort, "id" | "name">[]>([]);
  #askedForCohorts = false;
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

  /** Looks at the project's cohorts, once. */
  lookAtCohorts(): void {
    if (this.#askedForCohorts) return;
    this.#askedForCohorts = true;
    import("../api-cohorts")
      .then(({ cohorts }) => cohorts(this.#project))
      .then(
        (found) => (this.cohorts = found),
        () => (this.#askedForCohorts = false),
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
